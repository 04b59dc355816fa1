"""The form of the enterprise energy return: its lines and columns, and a filled one read cell by cell.

The form follows the habits of the industrial energy statistics (cumulative since January beside last year's same
period, stock at the year's start, purchase, consumption of which feedstock and transport; transformation input by
process, output, recovery). Its layout is this project's own; lines and columns stand in `energy_return_lines.csv` and
`energy_return_columns.csv`.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification, key
from dualcarbon.core.classification import load as classification
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem

HERE = Path(__file__).resolve().parent
TITLES = {
    "cover": {"zh": "封面", "en": "Cover"},
    "energy": {"zh": "购进消费库存", "en": "Purchase and use"},
    "transformation": {"zh": "加工转换回收", "en": "Transformation"},
    "supply": {"zh": "自用与供热", "en": "Own use and heat"},
}
HEADINGS = {"line": ("行号", "Line"), "name": ("能源名称", "Carrier"), "unit": ("计量单位", "Unit")}
COVER = {
    "entity": {"zh": "主体代码", "en": "Entity code"},
    "name": {"zh": "单位详细名称", "en": "Name"},
    "place": {"zh": "所在地区", "en": "Place"},
    "sector": {"zh": "行业代码", "en": "Sector"},
    "period": {"zh": "报告期", "en": "Period"},
    "supplier": {"zh": "供热单位", "en": "Heat supplier"},
    "supplier_place": {"zh": "供热单位所在地区", "en": "Place of the heat supplier"},
    "custody": {"zh": "数据性质", "en": "Nature of the data"},
    "reported_on": {"zh": "填表日期", "en": "Date of filling"},
}
CUSTODIES = {
    "self-submitted": {"zh": "企业自行报送", "en": "self-submitted"},
    "statistical": {"zh": "统计调查资料", "en": "statistical return"},
}
REQUIRED = ("entity", "place", "sector", "period")
BLANKS = ("", "-", "--", "—", "——", "/", "\\", "…")
STATED_NOTATIONS = ("NO", "NE", "NA", "C")


@dataclass(frozen=True)
class Line:
    """One line of the form: a carrier (sheets energy, transformation) or an item (sheet supply)."""

    sheet: str
    number: int
    carrier: str
    item: str
    process: str
    parent: int | None
    label: Mapping[str, str]
    unit: str
    detail: bool


@dataclass(frozen=True)
class Column:
    """One column: `kind` is input, last (last year), before (to last month), formula or note."""

    sheet: str
    key: str
    kind: str
    item: str
    process: str
    group: Mapping[str, str]
    label: Mapping[str, str]

    def title(self, lang: str) -> str:
        """Group and label together, as messages name the column."""
        return f"{self.group[lang]}·{self.label[lang]}"


@dataclass(frozen=True)
class Cell:
    """A value as read: a number or a notation key, with the address it came from."""

    value: float | None
    notation: str | None
    sheet: str
    address: str
    row: int


@cache
def lines(sheet: str) -> tuple[Line, ...]:
    """Lines of a sheet in form order; `transformation` has those of `energy`."""
    wanted = "supply" if sheet == "supply" else "energy"
    return tuple(
        Line(
            row["sheet"],
            int(row["line"]),
            row["carrier"],
            row["item"],
            row["process"],
            int(row["parent"]) if row["parent"] else None,
            {"zh": row["label_zh"], "en": row["label_en"]},
            row["unit"],
            row["detail"] == "1",
        )
        for row in _table("energy_return_lines.csv")
        if row["sheet"] == wanted
    )


@cache
def columns(sheet: str) -> tuple[Column, ...]:
    """Columns of a sheet, after line number, name and unit."""
    return tuple(
        Column(
            row["sheet"],
            row["key"],
            row["kind"],
            row["item"],
            row["process"],
            {"zh": row["group_zh"], "en": row["group_en"]},
            {"zh": row["label_zh"], "en": row["label_en"]},
        )
        for row in _table("energy_return_columns.csv")
        if row["sheet"] == sheet
    )


@cache
def children(number: int) -> tuple[Line, ...]:
    """Lines that the line is the sum of (details in other units are not)."""
    return tuple(line for line in lines("energy") if line.parent == number and not line.detail)


def _table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


class Form:
    """A filled form while it is read: cover fields, cells by (sheet, line, column), notes, and problems.

    `unread`: lines with a cell that could not be read, whose other cells are not judged.
    """

    def __init__(self, file: str, names: Classification) -> None:
        self.file = file
        self.names = names
        self.cover: dict[str, Any] = {}
        self.addresses: dict[str, str] = {}
        self.cells: dict[tuple[str, int, str], Cell] = {}
        self.notes: dict[tuple[str, int], str] = {}
        self.units: dict[tuple[str, int], str] = {}
        self.unread: set[int] = set()
        self.problems: list[Problem] = []

    def problem(
        self, rule: str, sheet: str | None, row: int | None, column: str | None, value: Any, **params: Any
    ) -> None:
        """Note one problem; `column` is the address of the cell."""
        self.problems.append(Problem(f"inventory.{rule}", self.file, sheet, row, column, value, params))

    def number(self, sheet: str, line: int, column: str) -> float | None:
        """Value of a cell, None when blank or a notation key."""
        cell = self.cells.get((sheet, line, column))
        return cell.value if cell else None

    def amount(self, sheet: str, line: int, column: str) -> float:
        """Value of a cell, a blank one as 0: for sums of parts that stand beside a value."""
        return self.number(sheet, line, column) or 0.0


def read_form(path: str | Path, pack: str = DEFAULT) -> Form:
    """Read a filled form without judging it: cover, cells with addresses, and what cannot be read."""
    from python_calamine import CalamineWorkbook

    form = Form(Path(path).name, classification(pack))
    workbook = CalamineWorkbook.from_path(str(path))
    sheets = {key(name): name for name in workbook.sheet_names}
    for sheet, titles in TITLES.items():
        name = next((sheets[key(title)] for title in titles.values() if key(title) in sheets), None)
        if name is None:
            if sheet in ("cover", "energy"):
                form.problem("return-no-sheet", None, None, None, titles["zh"])
                form.unread |= {line.number for line in lines("energy")}
            continue
        rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        if sheet == "cover":
            _read_cover(form, name, rows)
        else:
            _read_sheet(form, sheet, name, rows)
    return form


def _read_cover(form: Form, sheet: str, rows: list[list[Any]]) -> None:
    labels = {key(text): field for field, texts in COVER.items() for text in texts.values()}
    for number, row in enumerate(rows, 1):
        for index, value in enumerate(row[:-1]):
            field = labels.get(key(str(value))) if isinstance(value, str) else None
            if field and field not in form.cover:
                form.cover[field] = row[index + 1]
                form.addresses[field] = _address(number, index + 1)
    for field in REQUIRED:
        if _text(form.cover.get(field)) in BLANKS:
            where = form.addresses.get(field, "")
            form.problem("return-cover-missing", sheet, None, where, None, field=COVER[field]["zh"])


def _read_sheet(form: Form, sheet: str, name: str, rows: list[list[Any]]) -> None:
    found = _header(sheet, rows)
    if found is None:
        form.problem("return-no-header", name, None, None, None)
        form.unread |= {line.number for line in lines(sheet)}
        return
    start, places = found
    numbers = {line.number: line for line in lines(sheet)}
    labels: dict[str, list[Line]] = {}
    for each in lines(sheet):
        for text in each.label.values():
            labels.setdefault(key(text), []).append(each)
    seen: dict[int, int] = {}
    for index in range(start, len(rows)):
        row, number = rows[index], index + 1

        def at(where: str, row: list[Any] = row) -> Any:
            place = places.get(where)
            return row[place] if place is not None and place < len(row) else None

        label, given = _text(at("name")).lstrip("　 ·"), _text(at("line"))
        filled = any(_text(at(column.key)) not in BLANKS for column in columns(sheet) if column.kind == "input")
        meant = _line(label, given, numbers, labels)
        if meant is None:
            if label and filled:
                form.problem("return-line", name, number, _address(number, places["name"]), label)
            continue
        line = meant
        if line.number in seen:
            if filled:
                params = {"other": seen[line.number]}
                form.problem("return-line-twice", name, number, _address(number, places["name"]), label, **params)
            continue
        seen[line.number] = number
        form.units[sheet, line.number] = _text(at("unit")) or line.unit
        if filled:
            _check_unit(form, sheet, line, name, number, _address(number, places["unit"]))
        for column in columns(sheet):
            if column.key not in places or column.kind == "formula":
                continue
            value = at(column.key)
            if column.kind == "note":
                form.notes[sheet, line.number] = _text(value)
                continue
            told = len(form.problems)
            cell = _cell(form, value, name, _address(number, places[column.key]), number)
            if len(form.problems) > told:
                form.unread |= {line.number, line.parent or line.number}
            if cell is not None:
                form.cells[sheet, line.number, column.key] = cell


def _header(sheet: str, rows: list[list[Any]]) -> tuple[int, dict[str, int]] | None:
    """Row index of the first data row, and the index of each column, from a heading of one or more rows."""
    fixed = {key(text): name for name, texts in HEADINGS.items() for text in texts}
    wanted = {
        key(column.group[lang] + column.label[lang]): column.key for column in columns(sheet) for lang in ("zh", "en")
    }
    for index, row in enumerate(rows):
        if "name" not in {fixed.get(key(_text(value))) for value in row}:
            continue
        places: dict[str, int] = {}
        for place, value in enumerate(row):
            name = fixed.get(key(_text(value)))
            if name:
                places.setdefault(name, place)
        below = rows[index + 1] if index + 1 < len(rows) else []
        group = ""
        for place, value in enumerate(row):
            group = _text(value) or group
            label = _text(below[place]) if place < len(below) else ""
            name = wanted.get(key(group + label))
            if name:
                places.setdefault(name, place)
        needed = {column.key for column in columns(sheet) if column.kind == "input"} | {"name", "unit"}
        return (index + 2, places) if needed <= places.keys() else None
    return None


def _line(label: str, given: str, numbers: dict[int, Line], labels: dict[str, list[Line]]) -> Line | None:
    """The line that label and number mean together; the label decides, the number tells apart lines of one name."""
    named = labels.get(key(label), [])
    number = int(float(given)) if re.fullmatch(r"\d+(\.0+)?", given) else None
    if len(named) > 1:
        return next((line for line in named if line.number == number), None)
    if named:
        return named[0]
    return numbers.get(number) if number is not None and not label else None


def _check_unit(form: Form, sheet: str, line: Line, name: str, row: int, address: str) -> None:
    unit = form.units[sheet, line.number]
    try:
        form.units[sheet, line.number] = units.canonical(unit)
        units.ratio(unit, line.unit)
    except units.UnitError:
        params = {"line": line.label["zh"], "expected": line.unit}
        form.problem("return-unit", name, row, address, unit, **params)
        form.units[sheet, line.number] = line.unit


def _cell(form: Form, value: Any, sheet: str, address: str, row: int) -> Cell | None:
    if isinstance(value, bool | date):
        form.problem("return-number", sheet, row, address, str(value))
        return None
    if isinstance(value, int | float):
        return Cell(float(value), None, sheet, address, row) if math.isfinite(value) else None
    text = _text(value)
    if text in BLANKS:
        return None
    if text.upper() in STATED_NOTATIONS:
        return Cell(None, text.upper(), sheet, address, row)
    try:
        return Cell(float(text.replace(",", "").replace(" ", "")), None, sheet, address, row)
    except ValueError:
        form.problem("return-number", sheet, row, address, text)
        return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return unicodedata.normalize("NFKC", str(value)).strip()


def _address(row: int, index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"


def settled_cover(form: Form) -> dict[str, Any]:
    """Cover fields as codes: entity, place, sector, period, supplier, supplier_place, custody, known_at.

    What is not in the code lists is noted as a problem and left out.
    """
    sheet = TITLES["cover"]["zh"]
    found: dict[str, Any] = {"entity": _text(form.cover.get("entity")), "supplier": _text(form.cover.get("supplier"))}
    for field, codes in (
        ("place", form.names.places),
        ("supplier_place", form.names.places),
        ("sector", form.names.sectors),
    ):
        text = _text(form.cover.get(field))
        if text in BLANKS:
            continue
        code = codes.find(text) or codes.find(text.split(" ")[0])
        if code is None:
            form.problem("return-cover-unknown", sheet, None, form.addresses[field], text, field=COVER[field]["zh"])
        else:
            found[field] = code
    custody = key(_text(form.cover.get("custody")))
    found["custody"] = next(
        (code for code, texts in CUSTODIES.items() if custody in (code, *map(key, texts.values()))), "self-submitted"
    )
    text = _text(form.cover.get("period"))
    if text not in BLANKS:
        try:
            found["period"] = periods.since_january(_month(text))
        except periods.BadPeriod:
            form.problem("return-period", sheet, None, form.addresses["period"], text)
    text = _text(form.cover.get("reported_on"))
    if text not in BLANKS:
        try:
            found["known_at"] = periods.parse(text).start
        except periods.BadPeriod:
            form.problem("return-date", sheet, None, form.addresses["reported_on"], text)
    return found


def _month(text: str) -> periods.Period:
    """A month; a date that a spreadsheet made of it (2024-09-01) is its month."""
    period = periods.parse(text)
    if (period.end - period.start).days == 1:
        return periods.parse(f"{period.start:%Y-%m}")
    return period
