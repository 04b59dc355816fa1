"""Certificate files of other registers (CSV or Excel), one lot a row, read whole or not at all."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.sheets import decode
from dualcarbon.registry.book import Prepared, Registry

HEADINGS = {
    "lot": "批次",
    "instrument": "品种",
    "holder": "持有人",
    "quantity": "数量",
    "first": "起始编号",
    "subject": "计量点",
    "project": "项目",
    "period": "生产时期",
    "document": "核发文件",
    "at": "核发时间",
}
NEEDED = ("lot", "instrument", "holder", "quantity", "first", "subject", "period")


def read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of the file as text by column name, with the row numbers a spreadsheet shows. Raises Refused."""
    try:
        if path.suffix.lower() == ".xlsx":
            from python_calamine import load_workbook

            grid = [[_text(cell) for cell in row] for row in load_workbook(str(path)).get_sheet_by_index(0).to_python()]
        else:
            text, reason = decode(path.read_bytes())
            if text is None:
                raise ValueError(reason)
            grid = [list(row) for row in csv.reader(io.StringIO(text))]
    except Exception as error:
        raise Refused(Problem("registry.file-unreadable", file=path.name, params={"reason": str(error)})) from error
    names = {title: name for name, title in HEADINGS.items()} | {name: name for name in HEADINGS}
    heading = [names.get(cell.strip(), "") for cell in grid[0]] if grid else []
    known = "、".join(HEADINGS.values())
    missing = [
        Problem("registry.column-missing", path.name, row=1, value=HEADINGS[name], params={"known": known})
        for name in NEEDED
        if name not in heading
    ]
    if missing:
        raise Refused(missing)
    rows = []
    for number, cells in enumerate(grid[1:], 2):
        row = {name: cell.strip() for name, cell in zip(heading, cells, strict=False) if name and cell.strip()}
        if row:
            rows.append((number, row))
    return rows


def _text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def import_file(registry: Registry, path: str | Path, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Import every lot of a file, or with any problem none; Refused names file, row and column of each.

    A lot that was imported before with the same content answers `exists`.
    """
    path = Path(path)
    acts: list[Prepared] = []
    problems: list[Problem] = []
    for number, row in read_rows(path):
        try:
            acts.append(replace(_prepare(registry, row), file=path.name, row=number))
        except Refused as refused:
            problems += (replace(one, file=path.name, row=number) for one in refused.problems)
    if problems:
        raise Refused(problems)
    return registry.together(acts, dry_run=dry_run)


def _prepare(registry: Registry, row: dict[str, str]) -> Prepared:
    problems = [
        Problem("registry.cell-unusable", column=HEADINGS[name], value=row.get(name))
        for name in NEEDED
        if name not in row
    ]
    numbers = {}
    for name in ("quantity", "first"):
        text = row.get(name, "").replace(",", "")
        if text.isascii() and text.isdecimal():
            numbers[name] = int(text)
        elif name in row:
            problems.append(Problem("registry.cell-unusable", column=HEADINGS[name], value=row[name]))
    if problems:
        raise Refused(problems)
    return registry.making(
        "import",
        row["lot"],
        row["instrument"],
        row["holder"],
        numbers["quantity"],
        first=numbers["first"],
        subjects=[row[name] for name in ("subject", "project") if name in row],
        period=row["period"],
        document=row.get("document"),
        at=row.get("at"),
    )
