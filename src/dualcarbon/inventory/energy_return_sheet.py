"""Draw the energy return: an Excel form with the checks that a spreadsheet can make.

Cells to fill are white and open, everything else is locked (without a password). Lists offer codes; numbers are
validated; a column of hints says what a statistician would ask; a balance is computed for what is kept in stock.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcarbon.core.classification import load as classification
from dualcarbon.core.pack import DEFAULT
from dualcarbon.inventory.energy_return_form import (
    COVER,
    CUSTODIES,
    HEADINGS,
    REQUIRED,
    TITLES,
    Column,
    Line,
    children,
    columns,
    lines,
)
from dualcarbon.inventory.styles import SOFT, alignment, border, fill, font, heading

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

LOCKED, AMBER = "F6F8F7", "FDF7EA"
FIRST = 5
UNITS = {
    "t": ("吨", "t"),
    "wan_m3": ("万立方米", "wan_m3"),
    "GJ": ("百万千焦", "GJ"),
    "wan_kWh": ("万千瓦时", "wan_kWh"),
    "tce_calorific": ("吨标准煤(当量)", "tce_calorific"),
}
WORDS = {
    "title": ("能源报表", "Energy return"),
    "layout": (
        "版式由本平台设计，沿用规上工业能源统计的填报习惯，不是官方表式；白色单元格填写，其余自动计算。",
        "The layout is this project's own, after the habits of industrial energy statistics; fill in the white cells.",
    ),
    "cumulative": (
        "本年累计：1 月至报告期末；上年同期供对照；没有发生填 0 或 NO，没有统计留空。",
        "This year to date: January to the end of the period. Write 0 or NO for what did not occur, leave blank what"
        " nobody counted.",
    ),
    "balance": (
        "平衡差额＝年初库存＋购进＋产出＋回收－消费－期末库存，允许 0.5% 或 1 吨；累计下降、库存不平衡时请写情况说明。",
        "Opening stock + purchases + output + recovery − consumption − closing stock, within 0.5 % or 1 t; explain a"
        " falling cumulative figure or an imbalance.",
    ),
    "hints": ("全表提示数", "Hints in all sheets"),
    "sum": ("合计不等于分项之和；", "total ≠ sum of its parts; "),
    "parts": ("其中项大于消费量；", "parts exceed consumption; "),
    "purchase_falls": ("购进累计下降；", "purchases fall; "),
    "use_falls": ("消费累计下降；", "consumption falls; "),
    "imbalance": ("库存不平衡；", "stock does not balance; "),
    "exceeds": ("投入大于消费量；", "input exceeds consumption; "),
    "number": ("请填不小于 0 的数（没有发生填 0，没有统计留空）。", "Write a number of 0 or more, or leave blank."),
    "list": ("请从列表选择，或填写代码。", "Choose from the list or write the code."),
}
HELP = {
    "entity": ("统一社会信用代码或平台主体代码", "unified social credit code or the platform's entity code"),
    "name": ("", ""),
    "place": ("厂区所在地（排放属地在厂区，不在法人注册地）", "where the site is, not where the firm is registered"),
    "sector": ("GB/T 4754-2017 大类，如 C28", "GB/T 4754-2017 division, such as C28"),
    "period": ("报告期月份，如 2024-09（数为 1 月至该月累计）", "month of the report, such as 2024-09"),
    "supplier": ("购进热力的供热单位代码或名称", "code or name of the firm that supplies purchased heat"),
    "supplier_place": ("有购进热力时必填：判断热力是否跨区域", "needed with purchased heat: does it cross a border?"),
    "custody": ("统计调查资料仅限统计用途", "a statistical return serves statistics only"),
    "reported_on": ("如 2024-10-08", "such as 2024-10-08"),
}


def write(
    path: str | Path,
    *,
    lang: str = "zh",
    pack: str = DEFAULT,
    cover: Mapping[str, Any] | None = None,
    values: Mapping[tuple[str, int, str], float] | None = None,
) -> Path:
    """Write the empty form to `path` (.xlsx).

    `cover` fills cover fields (`entity, name, place, sector, period, supplier, …`); `values` fills cells by (sheet,
    line number, column key), for example last year's columns and those to the end of last month. Returns the path.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    _Drawing(book, lang, pack).draw(sheet, dict(cover or {}), dict(values or {}))
    book.save(path)
    return Path(path)


class _Drawing:
    """One workbook while it is drawn."""

    def __init__(self, book: Any, lang: str, pack: str) -> None:
        self.book, self.lang, self.pack = book, lang, pack
        self.index = 0 if lang == "zh" else 1
        self.sheet_of = {name: titles[lang] for name, titles in TITLES.items()}

    def say(self, word: str) -> str:
        return WORDS[word][self.index]

    def draw(self, cover_sheet: Worksheet, cover: dict[str, Any], values: dict[tuple[str, int, str], float]) -> None:
        options = self._options()
        for sheet in ("energy", "transformation", "supply"):
            self._form(self.book.create_sheet(self.sheet_of[sheet]), sheet, values)
        self._cover(cover_sheet, cover, options)
        self.book.move_sheet(options["sheet"], offset=len(self.book.sheetnames))

    def _options(self) -> dict[str, Any]:
        """Hidden sheet with the code lists, and the range of each."""
        names = classification(self.pack)
        found: dict[str, Any] = {}
        sheet = self.book.create_sheet("选项" if self.lang == "zh" else "Lists")
        sheet.sheet_state = "hidden"
        places = [f"{code} {names.places.name(code, self.lang)}" for code in names.places]
        sectors = [f"{code} {names.sectors.name(code, self.lang)}" for code in names.sectors]
        custody = [texts[self.lang] for texts in CUSTODIES.values()]
        for column, (field, texts) in enumerate((("place", places), ("sector", sectors), ("custody", custody)), 1):
            for row, text in enumerate(texts, 1):
                sheet.cell(row, column, text)
            letter = "ABC"[column - 1]
            found[field] = f"'{sheet.title}'!${letter}$1:${letter}${len(texts)}"
        found["supplier_place"] = found["place"]
        found["sheet"] = sheet.title
        return found

    def _cover(self, sheet: Worksheet, cover: dict[str, Any], options: dict[str, Any]) -> None:
        from openpyxl.worksheet.datavalidation import DataValidation

        sheet.title = self.sheet_of["cover"]
        sheet["A1"], sheet["A2"] = self.say("title"), self.say("layout")
        sheet["A1"].font = font(16, True)
        sheet["A2"].font = font(9, color=SOFT)
        names = classification(self.pack)
        for row, field in enumerate(COVER, 4):
            label, value, help_ = sheet.cell(row, 1), sheet.cell(row, 2), sheet.cell(row, 3)
            label.value = COVER[field][self.lang]
            label.font = font(10.5, field in REQUIRED)
            help_.value = ("* " if field in REQUIRED else "") + HELP[field][self.index]
            help_.font = font(9, color=SOFT)
            given = cover.get(field)
            for known, codes in (("place", names.places), ("supplier_place", names.places), ("sector", names.sectors)):
                if field == known and isinstance(given, str) and given in codes:
                    given = f"{given} {codes.name(given, self.lang)}"
            value.value = CUSTODIES[given][self.lang] if given in CUSTODIES else given
            if field == "custody" and given is None:
                value.value = CUSTODIES["self-submitted"][self.lang]
            value.number_format = "@"
            _open(value)
            if field in options:
                rule = DataValidation(type="list", formula1=f"={options[field]}", allow_blank=True)
                rule.showErrorMessage, rule.error = False, self.say("list")
                sheet.add_data_validation(rule)
                rule.add(value)
        row = 4 + len(COVER) + 1
        sheet.cell(row, 1, self.say("hints")).font = font(10.5, True)
        ranges = [
            f"SUMPRODUCT((LEN('{self.sheet_of[s]}'!{_letter(s, 'check')}{FIRST}:{_letter(s, 'check')}"
            f"{FIRST + len(lines(s)) - 1})>0)*1)"
            for s in ("energy", "transformation")
        ]
        total = sheet.cell(row, 2, "=" + "+".join(ranges))
        total.font = font(10.5, True)
        _warn_when(sheet, total.coordinate, f"{total.coordinate}>0")
        for number, word in enumerate(("cumulative", "balance"), row + 2):
            sheet.cell(number, 1, self.say(word)).font = font(9.5, color=SOFT)
        for letter, width in (("A", 22), ("B", 36), ("C", 56)):
            sheet.column_dimensions[letter].width = width
        _protect(sheet)

    def _form(self, sheet: Worksheet, name: str, values: dict[tuple[str, int, str], float]) -> None:
        sheet["A1"], sheet["A2"] = f"{self.say('title')} · {self.sheet_of[name]}", self.say("cumulative")
        sheet["A1"].font, sheet["A2"].font = font(14, True), font(9, color=SOFT)
        self._headings(sheet, name)
        shown = columns(name)
        for offset, line in enumerate(lines(name)):
            row = FIRST + offset
            self._line(sheet, name, line, row)
            for column in shown:
                cell = sheet[f"{_letter(name, column.key)}{row}"]
                if column.kind == "formula":
                    cell.value = self._formula(name, column, line, row)
                    cell.number_format = "#,##0.00;[Red]-#,##0.00;0"
                    _lock(cell)
                else:
                    cell.value = values.get((name, line.number, column.key))
                    cell.number_format = "#,##0.####" if column.kind != "note" else "@"
                    _open(cell, tint=column.kind in ("last", "before"))
        last = FIRST + len(lines(name)) - 1
        self._validate(sheet, name, last)
        if any(column.key == "check" for column in shown):
            letter = _letter(name, "check")
            _warn_when(sheet, f"{letter}{FIRST}:{letter}{last}", f"LEN({letter}{FIRST})>0")
        sheet.freeze_panes = f"D{FIRST}"
        sheet.sheet_view.zoomScale = 90
        sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = "landscape", 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.print_title_rows = f"3:{FIRST - 1}"
        _protect(sheet)

    def _headings(self, sheet: Worksheet, name: str) -> None:
        for index, (texts, width) in enumerate(zip(HEADINGS.values(), (6, 26, 14), strict=True), 1):
            sheet.cell(FIRST - 2, index, texts[self.index])
            sheet.merge_cells(start_row=FIRST - 2, start_column=index, end_row=FIRST - 1, end_column=index)
            sheet.column_dimensions["ABC"[index - 1]].width = width
        start = 4
        shown = columns(name)
        for offset, column in enumerate(shown):
            index = 4 + offset
            sheet.cell(FIRST - 1, index, column.label[self.lang])
            wide = column.key in ("check", "note")
            sheet.column_dimensions[_letter(name, column.key)].width = 34 if wide else 13.5
            following = shown[offset + 1].group if offset + 1 < len(shown) else None
            if following != column.group:
                sheet.cell(FIRST - 2, start, column.group[self.lang])
                if index > start:
                    sheet.merge_cells(start_row=FIRST - 2, start_column=start, end_row=FIRST - 2, end_column=index)
                start = index + 1
        for row in sheet.iter_rows(FIRST - 2, FIRST - 1, 1, 3 + len(shown)):
            for cell in row:
                heading(cell, box=True, horizontal="center")

    def _line(self, sheet: Worksheet, name: str, line: Line, row: int) -> None:
        label = line.label[self.lang]
        for index, text in ((1, line.number), (2, label), (3, UNITS[line.unit][self.index])):
            cell = sheet.cell(row, index, text)
            _lock(cell)
            if index == 2:
                cell.alignment = alignment(indent=2 if line.detail else 1 if line.parent else 0)
                cell.font = font(10, bool(children(line.number)))
        sheet.cell(row, 3).protection = _unlocked()

    def _formula(self, name: str, column: Column, line: Line, row: int) -> str:
        def at(key: str, sheet: str = name, of: int = row) -> str:
            place = f"{_letter(sheet, key)}{of}"
            return place if sheet == name else f"'{self.sheet_of[sheet]}'!{place}"

        inputs = [c.key for c in columns(name) if c.item == "energy.transformation_input" and c.kind == "input"]
        if column.key == "input_total":
            first, last = at(inputs[0]), at(inputs[-1])
            return f'=IF(COUNT({first}:{last})=0,"",SUM({first}:{last}))'
        if column.key == "balance":
            if line.unit != "t":
                return ""
            gained = [at("stock_opening"), at("purchased"), *(at(k, "transformation") for k in ("output", "recovery"))]
            spent = [at("consumption"), at("stock_closing")]
            total = "+".join(f"N({cell})" for cell in gained) + "".join(f"-N({cell})" for cell in spent)
            return f'=IF(COUNT({gained[0]},{spent[1]})<2,"",ROUND({total},4))'
        checks = self._energy_checks(line, row, at) if name == "energy" else self._transformation_checks(line, row, at)
        return f'=IF(COUNT({_quantities(name, row)})=0,"",{"&".join(checks)})'

    def _energy_checks(self, line: Line, row: int, at: Any) -> list[str]:
        total = f"N({at('consumption')})"
        explained = f'IF(LEN({at("note")})>0,"",'
        found = [f'IF(N({at("feedstock")})+N({at("transport")})>{total}+0.0001,"{self.say("parts")}","")']
        for key, word in (("purchased", "purchase_falls"), ("consumption", "use_falls")):
            pair = f"COUNT({at(key)},{at(key + '_before')})=2,{at(key)}<{at(key + '_before')}"
            found.append(f'{explained}IF(AND({pair}),"{self.say(word)}",""))')
        if line.unit == "t":
            limit = f"MAX(1,0.005*(N({at('stock_opening')})+N({at('purchased')})))"
            found.append(f'{explained}IF(ABS(N({at("balance")}))>{limit},"{self.say("imbalance")}",""))')
        found += self._sum_checks(line, "energy", at)
        return found

    def _transformation_checks(self, line: Line, row: int, at: Any) -> list[str]:
        consumed = f"N({at('consumption', 'energy')})"
        found = [f'IF(N({at("input_total")})>{consumed}+0.0001,"{self.say("exceeds")}","")']
        return found + self._sum_checks(line, "transformation", at)

    def _sum_checks(self, line: Line, name: str, at: Any) -> list[str]:
        parts = children(line.number)
        if not parts or any(part.unit != line.unit for part in parts):
            return []
        rows = [FIRST + index for index, each in enumerate(lines(name)) if each in parts]
        wrong = []
        for column in columns(name):
            if column.kind in ("input", "last"):
                cells = f"{at(column.key, name, rows[0])}:{at(column.key, name, rows[-1])}"
                own, limit = at(column.key), f"MAX(0.03,0.0001*ABS(N({at(column.key)})))"
                wrong.append(f"IF(AND(COUNT({cells})>0,COUNT({own})=1,ABS(N({own})-SUM({cells}))>{limit}),1,0)")
        return [f'IF({"+".join(wrong)}>0,"{self.say("sum")}","")']

    def _validate(self, sheet: Worksheet, name: str, last: int) -> None:
        from openpyxl.worksheet.datavalidation import DataValidation

        letters = [_letter(name, column.key) for column in columns(name) if column.kind in ("input", "last", "before")]
        rule = DataValidation(type="custom", allow_blank=True)
        first = f"{letters[0]}{FIRST}"
        rule.formula1 = f'OR(AND(ISNUMBER({first}),{first}>=0),{first}="NO",{first}="NE",{first}="NA",{first}="C")'
        rule.showErrorMessage, rule.errorTitle, rule.error = True, self.say("title"), self.say("number")
        for letter in letters:
            rule.add(f"{letter}{FIRST}:{letter}{last}")
        sheet.add_data_validation(rule)


def _quantities(name: str, row: int) -> str:
    """Range of the cells of one line that hold quantities."""
    letters = [_letter(name, column.key) for column in columns(name) if column.kind in ("input", "last", "before")]
    return f"{letters[0]}{row}:{letters[-1]}{row}"


@cache
def _letter(name: str, key: str) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter(4 + next(i for i, column in enumerate(columns(name)) if column.key == key))


@cache
def _unlocked() -> Any:
    from openpyxl.styles import Protection

    return Protection(locked=False)


def _open(cell: Any, tint: bool = False) -> None:
    cell.font, cell.border, cell.protection = font(10), border(box=True), _unlocked()
    if tint:
        cell.fill = fill("FBFCFB")


def _lock(cell: Any) -> None:
    cell.font, cell.border, cell.fill = font(10), border(box=True), fill(LOCKED)
    cell.alignment = alignment()


def _warn_when(sheet: Worksheet, cells: str, formula: str) -> None:
    from openpyxl.formatting.rule import FormulaRule

    sheet.conditional_formatting.add(cells, FormulaRule(formula=[formula], fill=_fill_rule(AMBER), font=_font_rule()))


def _fill_rule(color: str) -> Any:
    from openpyxl.styles import PatternFill

    return PatternFill(bgColor=color)


def _font_rule() -> Any:
    from openpyxl.styles import Font

    return Font(color="A86A00", bold=True)


def _protect(sheet: Worksheet) -> None:
    sheet.protection.sheet = True
    sheet.protection.formatColumns = False
    sheet.protection.insertRows = False
