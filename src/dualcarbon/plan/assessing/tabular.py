"""Rows of a small table in a CSV or Excel file, by its headings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dualcarbon.core.problems import Problem, Refused


class Row(NamedTuple):
    """A filled row: its sheet (None in a CSV), its number as the file shows it, its filled cells as text."""

    sheet: str | None
    number: int
    cells: dict[str, str]


def rows(path: str | Path, headings: Mapping[str, str]) -> list[Row]:
    """Return the filled rows of a file by field.

    `headings`: field by heading; a field's own name serves as a heading too. Lines above the headings are passed over.
    Raises Refused (`plan.no-file`, `plan.empty`, `plan.broken`, `plan.table-headings`).
    """
    path = Path(path)
    if not path.is_file():
        raise Refused(Problem("plan.no-file", file=path.name))
    sheet, grid = _grid(path)
    if not any(cell not in ("", None) for line in grid for cell in line):
        raise Refused(Problem("plan.empty", file=path.name))
    fields = set(headings.values())
    named = [[headings.get(str(cell).strip(), str(cell).strip()) for cell in line] for line in grid]
    top = next((n for n, names in enumerate(named) if len(fields & set(names)) >= 2), None)
    if top is None:
        raise Refused(Problem("plan.table-headings", file=path.name, sheet=sheet, value="、".join(headings)))
    names, found = named[top], []
    for number, line in enumerate(grid[top + 1 :], top + 2):
        row = {n: _text(cell) for n, cell in zip(names, line, strict=False) if n in fields and cell not in ("", None)}
        if row:
            found.append(Row(sheet, number, row))
    return found


def heading(field: str, headings: Mapping[str, str]) -> str:
    """Return what a file calls a field; a field without a heading keeps its name."""
    return next((title for title, name in headings.items() if name == field), field)


def _grid(path: Path) -> tuple[str | None, list[list[Any]]]:
    if path.suffix.lower() == ".csv":
        import csv

        from dualcarbon.core.sheets import decode

        text, _ = decode(path.read_bytes())
        if text is None:
            raise Refused(Problem("plan.broken", file=path.name))
        return None, list(csv.reader(text.splitlines()))
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        # Rows above the first filled one count: a problem names the row that the spreadsheet shows.
        return book.sheet_names[0], book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError) as error:
        raise Refused(Problem("plan.broken", file=path.name, value=str(error))) from error


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def write(path: str | Path, headings: list[str], body: list[list[Any]], notes: list[str], *, label: str = "") -> None:
    """Write a table to fill: `.csv` (UTF-8 with BOM), else Excel with the cells to fill in yellow and notes beside it.

    `label` stands above the table where the values are a demonstration.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        import csv

        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerows([[label]] if label else [])
            writer.writerows([headings, *body])
        return
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill

    book = Workbook()
    sheet = book.active
    sheet.title = "填写"
    if label:
        sheet.append([label])
        sheet.cell(1, 1).font = Font(color="5F4CA3", bold=True)
    sheet.append(headings)
    top = sheet.max_row
    for cell in sheet[top]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="E6F2EE")
    for line in body:
        sheet.append(line)
    for n, column in enumerate(sheet.columns, 1):
        longest = max((sum(2 if ord(c) > 0x2E7F else 1 for c in str(cell.value or "")) for cell in column), default=8)
        sheet.column_dimensions[column[0].column_letter].width = min(max(longest + 2, 9), 46)
        for cell in column[top:]:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if headings[n - 1] == "数值":
                cell.fill = PatternFill("solid", fgColor="FFF8DC")
    sheet.freeze_panes = sheet.cell(top + 1, 2)
    told = book.create_sheet("说明")
    told.column_dimensions["A"].width = 96
    for note in notes:
        told.append([note])
        told.cell(told.max_row, 1).alignment = Alignment(wrap_text=True, vertical="top")
    book.save(path)
