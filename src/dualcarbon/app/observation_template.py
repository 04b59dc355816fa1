"""The Excel template of observations: headings that the import knows, and lists to choose from on hidden sheets."""

from pathlib import Path

from dualcarbon.core.classification import load

#: Column, heading zh and en, width, sheet of the list to choose from.
COLUMNS = (
    ("地区", "place", 14, "places"),
    ("企业", "entity", 22, None),
    ("行业", "sector", 18, "sectors"),
    ("能源品种", "carrier", 14, "carriers"),
    ("用途", "process", 12, None),
    ("指标", "item", 18, "items"),
    ("时期", "period", 16, None),
    ("累计", "cumulative", 8, None),
    ("数值", "value", 14, None),
    ("计量单位", "unit", 12, None),
    ("记号", "notation", 8, None),
    ("计入", "included_in", 14, None),
    ("发布日期", "known_at", 14, None),
    ("备注", "note", 24, None),
)
TITLES = {
    "places": ("地区代码", "Places"),
    "sectors": ("行业代码", "Sectors"),
    "carriers": ("能源品种代码", "Carriers"),
}
TITLES |= {"items": ("指标代码", "Items")}
ROWS = 2000


def write(file: Path, pack: str, lang: str = "zh") -> None:
    """Write the template for a rule pack's codes, in `zh` or `en`."""
    from openpyxl import Workbook
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book, english = load(pack), lang.startswith("en")
    codes = {"places": book.places, "sectors": book.sectors, "carriers": book.carriers, "items": book.items}
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = "Observations" if english else "观测数据"
    for number, (zh, en, width, _) in enumerate(COLUMNS, start=1):
        cell = sheet.cell(1, number, en if english else zh)
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="E3EFE8")
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A2"
    for kind, tree in codes.items():
        title = TITLES[kind][english] + (" codes" if english else "")
        listed = workbook.create_sheet(title)
        listed.append(["name", "code"] if english else ["名称", "代码"])
        for code in tree:
            listed.append([tree.name(code, lang), code])
        listed.column_dimensions["A"].width = 40
        listed.sheet_state = "hidden"
        column = next(i for i, entry in enumerate(COLUMNS, start=1) if entry[3] == kind)
        choice = DataValidation(type="list", formula1=f"'{title}'!$A$2:$A${len(tree) + 1}", allow_blank=True)
        choice.showErrorMessage = False
        letter = get_column_letter(column)
        choice.add(f"{letter}2:{letter}{ROWS}")
        sheet.add_data_validation(choice)
    for heading, words in (("累计", "是,否"), ("记号", "NO,NE,NA,IE,C")):
        column = next(i for i, entry in enumerate(COLUMNS, start=1) if entry[0] == heading)
        letter = get_column_letter(column)
        choice = DataValidation(type="list", formula1=f'"{"yes,no" if english and heading == "累计" else words}"')
        choice.add(f"{letter}2:{letter}{ROWS}")
        sheet.add_data_validation(choice)
    file.parent.mkdir(parents=True, exist_ok=True)
    workbook.save(file)
