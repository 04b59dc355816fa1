"""Files of acts: certificates issued elsewhere, allocations and uses, each read whole or not at all.

CSV (UTF-8, GB18030) or Excel. Headings may be Chinese or the English column names. Every problem names its file, sheet,
row and column, all at once.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.sheets import decode
from dualcarbon.registry.book import Prepared, Registry
from dualcarbon.registry.instruments import code_of, instruments
from dualcarbon.registry.words import listed, refuse

YES = ("是", "yes", "true", "1", "演示数据", "synthetic")


class Kind(NamedTuple):
    """One kind of file: the act of each row, which column is its id, and what the headings are called."""

    action: str
    id: str
    headings: Mapping[str, str]
    needed: tuple[str, ...]


_COMMON = {"document": "依据文件", "at": "时间", "synthetic": "演示数据"}
KINDS = {
    "certificates": Kind(
        "import", "lot",
        {"lot": "批次", "instrument": "品种", "holder": "持有人", "quantity": "数量", "first": "起始编号",
         "subject": "计量点", "project": "项目", "period": "生产时期", "document": "核发文件", "at": "核发时间",
         "synthetic": "演示数据"},
        ("lot", "instrument", "holder", "quantity", "first", "subject", "period"),
    ),
    "transfers": Kind(
        "transfer", "id",
        {"id": "编号", "instrument": "品种", "vintage": "年度", "kind": "类型", "seller": "出让方", "buyer": "受让方",
         "quantity": "数量", "serials": "证书编号", "seller_place": "出让方地区", "buyer_place": "受让方地区",
         **_COMMON},
        ("id", "instrument", "seller", "buyer", "quantity"),
    ),
    "retirements": Kind(
        "retire", "id",
        {"id": "编号", "instrument": "品种", "vintage": "年度", "holder": "持有人", "quantity": "数量",
         "serials": "证书编号", "purpose": "用途", "beneficiary": "受益人", **_COMMON},
        ("id", "instrument", "holder", "quantity", "purpose", "beneficiary"),
    ),
}  # fmt: skip
MARKS = {"transfers": "buyer", "retirements": "purpose"}


class Row(NamedTuple):
    """One row of a file: where it stands and its texts by column name; empty cells are absent."""

    sheet: str | None
    row: int
    cells: dict[str, str]


def grids(path: Path) -> list[tuple[str | None, list[list[str]]]]:
    """The visible sheets of a file with their cells as text; a CSV is one without a name. Raises Refused."""
    try:
        return _workbook(path) if path.suffix.lower() == ".xlsx" else [(None, _text_grid(path))]
    except Exception as error:
        raise Refused(Problem("registry.file-unreadable", file=path.name, value=str(error))) from error


def read_rows(path: Path, headings: Mapping[str, str], needed: Sequence[str]) -> list[Row]:
    """The rows of every sheet that has the headings, as text. Raises Refused."""
    return _rows(path, grids(path), headings, needed)


def _rows(
    path: Path,
    found_grids: Sequence[tuple[str | None, list[list[str]]]],
    headings: Mapping[str, str],
    needed: Sequence[str],
) -> list[Row]:
    names = {title: name for name, title in headings.items()} | {name: name for name in headings}
    known = listed(headings.values())
    found: list[Row] = []
    missing: list[Problem] = []
    read = 0
    for sheet, grid in found_grids:
        heading = [names.get(cell.strip().strip("*＊"), "") for cell in grid[0]] if grid else []
        absent = [
            Problem("registry.column-missing", path.name, sheet, 1, value=headings[name], params={"known": known})
            for name in needed
            if name not in heading
        ]
        if absent:
            # A sheet with none of the headings is a note, not a table.
            missing += absent if any(heading) else []
            continue
        read += 1
        for number, cells in enumerate(grid[1:], 2):
            row = {name: cell.strip() for name, cell in zip(heading, cells, strict=False) if name and cell.strip()}
            if row:
                found.append(Row(sheet, number, row))
    if missing or not read:
        sheet = found_grids[0][0] if len(found_grids) == 1 else None
        raise Refused(missing or [Problem("registry.no-headings", path.name, sheet, 1, params={"known": known})])
    return found


def _text_grid(path: Path) -> list[list[str]]:
    text, reason = decode(path.read_bytes())
    if text is None:
        raise ValueError(reason)
    return [list(row) for row in csv.reader(io.StringIO(text))]


def _workbook(path: Path) -> list[tuple[str | None, list[list[str]]]]:
    from python_calamine import SheetVisibleEnum, load_workbook

    book = load_workbook(str(path))
    shown = [meta.name for meta in book.sheets_metadata if meta.visible == SheetVisibleEnum.Visible]
    grids = [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in shown]
    return [(name, [[_cell(cell) for cell in row] for row in grid]) for name, grid in grids]


def _cell(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def recognised(sheets: Iterable[tuple[str | None, list[list[str]]]]) -> str:
    """Which kind of file it is by its headings: 受让方 stands in allocations only, 用途 in uses only."""
    heads = {cell.strip().strip("*＊") for _, grid in sheets if grid for cell in grid[0]}
    for kind, column in MARKS.items():
        if {column, KINDS[kind].headings[column]} & heads:
            return kind
    return "certificates"


def import_file(
    registry: Registry, path: str | Path, *, kind: str | None = None, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Do every act of a file (`kind` of `KINDS`, default: by its headings), or with any problem none.

    What was done before with the same content answers `exists`. Raises Refused with every problem.
    """
    path = Path(path)
    sheets = grids(path)
    rule = KINDS[kind or recognised(sheets)]
    acts: dict[str, Prepared] = {}
    problems: list[tuple[int, Problem]] = []
    for row in _rows(path, sheets, rule.headings, rule.needed):
        try:
            made = _act(registry, rule, row.cells)
            if made.id in acts:
                raise refuse("twice-in-file", rule.id, made.id)
            acts[made.id] = replace(made, file=path.name, sheet=row.sheet, row=row.row)
        except Refused as refused:
            problems += ((len(acts), one) for one in placed(path, row, refused, rule.headings))
    try:
        return registry.together(list(acts.values()), dry_run=dry_run, also=problems)
    except Refused as refused:
        raise Refused(replace(one, column=heading(one.column, rule.headings)) for one in refused.problems) from None


def heading(column: str | None, headings: Mapping[str, str]) -> str | None:
    """What a file calls a column; a column that it does not have keeps its name."""
    return headings.get("subject" if column == "subjects" else str(column), column)


def placed(path: Path, row: Row, refused: Refused, headings: Mapping[str, str]) -> list[Problem]:
    """The problems with the row they stand in and the heading of their column."""
    return [
        replace(one, file=path.name, sheet=row.sheet, row=row.row,
                column=heading(one.column, headings))
        for one in refused.problems
    ]  # fmt: skip


def mind_needed(cells: Mapping[str, str], needed: Iterable[str]) -> None:
    """Refuse a row in which needed cells are empty, naming them."""
    empty = [Problem("registry.cell-empty", column=name) for name in needed if name not in cells]
    if empty:
        raise Refused(empty)


def _act(registry: Registry, rule: Kind, cells: dict[str, str]) -> Prepared:
    """The act of a row. Raises Refused with every fault of its cells."""
    problems: list[Problem] = []
    said: dict[str, Any] = {name: text for name, text in cells.items() if name not in (rule.id, "subject", "project")}
    if "subject" in rule.headings:
        said["subjects"] = [cells[name] for name in ("subject", "project") if name in cells]
    said["synthetic"] = cells.get("synthetic", "").lower() in YES
    try:
        mind_needed(cells, rule.needed)
    except Refused as refused:
        problems += refused.problems
    if "instrument" in cells:
        try:
            said["instrument"] = code_of(cells["instrument"], instruments(registry.pack))
        except Refused as refused:
            problems += refused.problems
    try:
        made = registry.prepare(rule.action, cells.get(rule.id, "-"), **said)
    except Refused as refused:
        told = {one.column for one in problems}
        told |= {"subjects"} if "subject" in told else set()
        problems += [one for one in refused.problems if one.column not in told]
    if problems:
        raise Refused(problems)
    return made[0]
