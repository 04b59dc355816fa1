"""A workbook as passages and tables: merged cells repeated, numbers as the sheet shows them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualcarbon.plan.reading.columns import is_header
from dualcarbon.plan.reading.document import Passage, Table


def blocks(path: Path) -> list[Passage | Table]:
    """Return the visible sheets of the workbook in order; rows with one filled cell outside a table are passages."""
    import openpyxl

    book = openpyxl.load_workbook(path, data_only=True)
    found: list[Passage | Table] = []
    count = 0
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        table: list[list[Passage]] = []
        for row, cells in _rows(sheet):
            count += 1
            line = [Passage(text, count, sheet=sheet.title, row=row, merged=merged) for text, merged in cells]
            own = [cell for cell in line if not cell.blank and not cell.merged]
            if not any(not cell.blank for cell in line):
                continue
            if len(own) > 1 and is_header([cell.raw for cell in own]) and not _second_header(table, line):
                found += _close(table)
                table = [line]
            elif table:
                table.append(line)
            else:
                found.append(own[0] if len(own) == 1 else _joined(own))
        found += _close(table)
    return found


def _joined(cells: list[Passage]) -> Passage:
    return replace(cells[0], raw="  ".join(cell.raw for cell in cells))


def _second_header(table: list[list[Passage]], line: list[Passage]) -> bool:
    return len(table) == 1 and any(cell.merged and not cell.blank for cell in line)


def _close(table: list[list[Passage]]) -> list[Passage | Table]:
    """Cut trailing rows of one filled cell, such as a heading below the table, off into passages."""
    after: list[Passage | Table] = []
    while len(table) > 1:
        own = [cell for cell in table[-1] if not cell.blank and not cell.merged]
        if len(own) != 1 or re.match(r"^\d+$", own[0].raw.strip()):
            break
        after.insert(0, own[0])
        table = table[:-1]
    return [Table(table), *after] if table else after


def _rows(sheet: Any) -> Iterator[tuple[int, list[tuple[str, bool]]]]:
    filled = [at for at, cell in sheet._cells.items() if cell.value is not None]  # formats alone reach to the last row
    rows, columns = (max((at[k] for at in filled), default=0) for k in (0, 1))
    origin = {
        (row, column): (area.min_row, area.min_col)
        for area in sheet.merged_cells.ranges
        for row in range(area.min_row, min(area.max_row, rows) + 1)
        for column in range(area.min_col, min(area.max_col, columns) + 1)
    }
    for row in range(1, rows + 1):
        cells = []
        for column in range(1, columns + 1):
            first = origin.get((row, column), (row, column))
            cells.append((shown(sheet.cell(*first)), first != (row, column)))
        yield row, cells


def shown(cell: Any) -> str:
    """Return a cell's value as its number format shows it: 0.03 as 3%, 2024.1 as 2024.10, dates as dates."""
    value, form = cell.value, cell.number_format or "General"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime.datetime | datetime.date):
        return f"{value.year}年{value.month}月" if "d" not in form.lower() else f"{value:%Y-%m-%d}"
    if isinstance(value, int | float):
        places = re.search(r"\.(0+)", form)
        if "%" in form:
            return f"{value * 100:.{len(places[1])}f}%" if places else f"{value * 100:g}%"
        if places:
            return f"{value:.{len(places[1])}f}"
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value).replace("\r", "").strip()
