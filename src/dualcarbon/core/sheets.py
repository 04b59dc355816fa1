"""Files as people send them -> tables of text: encodings, title lines, merged and two-line headings, wide layouts.

Nothing is interpreted here beyond the headings: every cell stays the text that stands in the file, with its row number
as the spreadsheet shows it (from 1).
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.core import units
from dualcarbon.core.classification import key
from dualcarbon.core.problems import Problem
from dualcarbon.core.tables import OBSERVATION, Schema

TOP = 40
#: Cells at the foot of a sheet that explain it.
_REMARK = r"^\s*(注|说明|资料来源|数据来源|填表人|填报人|审核|单位负责人|备注|统计负责人|note|source)\s*[:：\d、]?"
#: Sheets that hold no data.
_NO_DATA = (
    "说明",
    "填报说明",
    "填表说明",
    "封面",
    "目录",
    "代码",
    "代码表",
    "字典",
    "readme",
    "notes",
    "codes",
    "cover",
)
_BRACKET = re.compile(r"^(.*?)[(（\[【]\s*([^()（）]+(?:[(（][^()（）]*[)）])?)\s*[)）\]】]$")

#: What a heading says when it is not one of the columns: dimensions of the values below it, or None.
Meaning = Callable[[str], "Mapping[str, str] | None"]


@dataclass
class Table:
    """One table of text. `frame` has columns named as in the schema asked (and `period`, `year`, `month`, `quarter`,
    `last`), `_row`, and `_heading` (the heading over the value); `headings` gives the heading of each column."""

    sheet: str | None
    frame: pl.DataFrame
    headings: dict[str, str]


@dataclass
class _Grid:
    """Cells of one sheet: `rows` for what was read cell by cell, else `frame` of columns `0`, `1`, …"""

    sheet: str | None
    top: list[list[str | None]]
    rows: list[list[str | None]] | None = None
    frame: pl.DataFrame | None = None
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)

    def body(self, first: int) -> pl.DataFrame:
        """Rows from `first` (0-based) on, with `_row` counted from 1."""
        if self.frame is not None:
            return self.frame.with_row_index("_row", offset=1).cast({"_row": pl.Int64}).slice(first)
        rows = (self.rows or [])[first:]
        width = len(self.top[0]) if self.top else 0
        columns = {str(i): pl.Series([row[i] for row in rows], dtype=pl.String) for i in range(width)}
        return pl.DataFrame({**columns, "_row": pl.Series(range(first + 1, first + 1 + len(rows)), dtype=pl.Int64)})


@cache
def _headings() -> dict[str, str]:
    with Path(__file__).with_name("headings.csv").open(encoding="utf-8", newline="") as lines:
        return {key(word): row["column"] for row in csv.DictReader(lines) for word in row["headings"].split("|")}


def read_tables(
    path: Path, content: bytes, *, schema: Schema = OBSERVATION, meaning: Meaning = lambda heading: None
) -> tuple[list[Table], list[Problem]]:
    """Return the tables of a CSV, Excel or OpenDocument file and what could not be read.

    `meaning` says what a heading over a column of values means (a period, an item, a carrier) where the table has no
    `value` column of its own; such columns become rows, blank cells none.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods"):
        grids, problems = _workbook(path, content)
    else:
        grids, problems = _text(path, content)
    found: list[Table] = []
    for grid in grids:
        table, faults = _table(path, grid, schema, meaning)
        problems += faults
        if table is not None:
            found.append(table)
    if not found and not problems:
        problems.append(Problem("core.no-table", file=path.name))
    return found, problems


def decode(content: bytes) -> tuple[str | None, str]:
    """Return the text of a file and its encoding: UTF-8 with or without BOM, UTF-16 with BOM, else GB18030."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16"), "utf-16"
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return None, "unknown"


def _text(path: Path, content: bytes) -> tuple[list[_Grid], list[Problem]]:
    text, _ = decode(content)
    if text is None or "\0" in text[:4096]:
        return [], [Problem("core.unreadable-text", file=path.name)]
    head = "".join(text[:200_000].splitlines(keepends=True)[:200])
    mark = max(",\t;", key=head.count)
    top = list(csv.reader(io.StringIO(head), delimiter=mark))[:100]
    width = max((len(row) for row in top), default=0)
    if not width:
        return [], [Problem("core.no-table", file=path.name)]
    names = mark.join(str(i) for i in range(width)) + "\n"
    data = (names + text).encode()
    problems: list[Problem] = []
    try:
        frame = pl.read_csv(data, separator=mark, infer_schema=False)
    except pl.exceptions.PolarsError:
        for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=mark), start=1):
            if len(row) > width:
                problems.append(
                    Problem("core.too-many-cells", path.name, None, number, None, len(row), {"width": width})
                )
        if not problems:
            return [], [Problem("core.unreadable-text", file=path.name)]
        frame = pl.read_csv(data, separator=mark, infer_schema=False, truncate_ragged_lines=True)
    trimmed = pl.all().str.strip_chars().replace({"": None})
    frame = frame.select(trimmed)
    return [_Grid(None, [list(row) for row in frame.head(TOP).iter_rows()], frame=frame)], problems


def _workbook(path: Path, content: bytes) -> tuple[list[_Grid], list[Problem]]:
    import python_calamine as calamine

    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    except (calamine.CalamineError, OSError, ValueError):
        return [], [Problem("core.unreadable-workbook", file=path.name)]
    grids = []
    for meta in book.sheets_metadata:
        if meta.visible != calamine.SheetVisibleEnum.Visible:
            continue
        sheet = book.get_sheet_by_name(meta.name)
        rows = [[_cell(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
        if any(cell is not None for row in rows for cell in row):
            merged = [(*start, *end) for start, end in sheet.merged_cell_ranges or ()]
            grids.append(_Grid(meta.name, rows[:TOP], rows=rows, merged=merged))
    return grids, [] if grids else [Problem("core.no-table", file=path.name)]


def _cell(value: Any) -> str | None:
    """Text of a spreadsheet cell; a date cell ends in 00:00:00, so that it differs from a date typed as text."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return f"{value.isoformat()} 00:00:00"
    return None if value is None else str(value)


def _table(path: Path, grid: _Grid, schema: Schema, meaning: Meaning) -> tuple[Table | None, list[Problem]]:
    """Find the headings of a sheet and name its columns."""
    for top, left, bottom, right in grid.merged:
        for r in range(top, min(bottom + 1, len(grid.top))):
            for c in range(left, min(right + 1, len(grid.top[r]))):
                grid.top[r][c] = grid.top[top][left] if top < len(grid.top) else None
    known = _known(schema)
    best, row, depth = 1, 0, 0
    for first in range(min(TOP - 3, len(grid.top))):
        for lines in range(1, min(3, len(grid.top) - first) + 1):
            named = {_column(text, known)[0] for text in _joined(grid.top[first : first + lines], known)} - {None, "-"}
            if len(named) > best:
                best, row, depth = len(named), first, lines
    if not depth:
        if grid.sheet is not None and key(grid.sheet) in {key(name) for name in _NO_DATA}:
            return None, []
        return None, [Problem("core.no-headings", file=path.name, sheet=grid.sheet)]
    return _named(path, grid, row + depth, _joined(grid.top[row : row + depth], known), known, meaning)


def _known(schema: Schema) -> dict[str, str]:
    """Headings in compared form and the columns of a schema that they name."""
    if schema is not OBSERVATION:
        own = {word: column for word, column in _headings().items() if column in schema or column == "-"}
        return own | {key(name): name for name in schema}
    parts = ("period", "year", "month", "quarter", "last")
    return _headings() | {key(name): name for name in (*schema, *parts) if name not in ("sheet", "row")}


def column_of(heading: str) -> str | None:
    """Return the column of an observation that a heading names, `-` for one that is passed over, else None."""
    return _column(heading, _known(OBSERVATION))[0]


def _joined(rows: list[list[str | None]], known: Mapping[str, str]) -> list[str]:
    """Heading of each column from one to three lines: joined if that is known, else the lowest that is known."""
    found = []
    for cells in zip(*rows, strict=False):
        parts = [part for part in dict.fromkeys(cells) if part]
        options = ["".join(parts), *reversed(parts)]
        found.append(next((text for text in options if _column(text, known)[0]), "".join(parts)))
    return found


def _column(heading: str, known: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the column a heading names and the unit in its brackets: `数量（吨）` -> (value, 吨)."""
    text = heading.strip().strip("*＊:：")
    if not text:
        return None, None
    if key(text) in known:
        return known[key(text)], None
    inside = _BRACKET.match(text)
    if inside and key(inside[1]) in known and known[key(inside[1])] in ("value", "low", "high") and _unit(inside[2]):
        return known[key(inside[1])], inside[2]
    return None, None


def _unit(text: str) -> bool:
    try:
        units.canonical(text)
    except units.AmbiguousUnit:
        return True
    except units.UnknownUnit:
        return False
    return True


def _named(
    path: Path, grid: _Grid, first: int, headings: list[str], known: Mapping[str, str], meaning: Meaning
) -> tuple[Table | None, list[Problem]]:
    columns: dict[str, list[int]] = {}
    values: list[tuple[int, str, dict[str, str]]] = []
    unknown: list[int] = []
    for i, heading in enumerate(headings):
        column, unit = _column(heading, known)
        if column == "value":
            values.append((i, heading, {"unit": unit} if unit else {}))
        elif column == "-":
            continue
        elif column is not None:
            columns.setdefault(column, []).append(i)
        else:
            unknown.append(i)
    wide = not values
    if wide:
        for i in list(unknown):
            said = _meaning(headings[i], meaning)
            if said is not None:
                values.append((i, headings[i], said))
                unknown.remove(i)
    body = _fill(grid, grid.body(first), first, {i for i, _, _ in values})
    used = [i for found in columns.values() for i in found] + [i for i, _, _ in values]
    cells = [pl.col(str(i)) for i in used]
    filled = pl.sum_horizontal(*(cell.is_not_null().cast(pl.Int32) for cell in cells))
    remark = pl.coalesce(*cells).str.contains(f"(?i){_REMARK}") & (filled == 1)
    body = body.filter((filled > 0) & ~remark.fill_null(False))
    problems = [
        Problem("core.unknown-column", path.name, grid.sheet, first, headings[i] or _letter(i), headings[i] or None)
        for i in unknown
        if body[str(i)].is_not_null().any()
    ]
    twice = [name for name, found in columns.items() if len({headings[i] for i in found}) < len(found)]
    if not wide and len(values) > 1:
        twice.append("value")
    problems += [Problem("core.column-twice", path.name, grid.sheet, first, name, name) for name in twice]
    base = [pl.coalesce(*(pl.col(str(i)) for i in found)).alias(name) for name, found in columns.items()]
    parts = []
    for i, heading, said in values if wide else values[:1]:
        fixed = [pl.lit(text).alias(name) for name, text in said.items() if name not in columns]
        part = body.select("_row", *base, pl.col(str(i)).alias("value"), *fixed, pl.lit(heading).alias("_heading"))
        parts.append(part.filter(pl.col("value").is_not_null()) if wide and len(values) > 1 else part)
    frame = pl.concat(parts, how="diagonal") if parts else body.select("_row", *base)
    named = {name: headings[found[0]] for name, found in columns.items()}
    if values:
        named["value"] = values[0][1]
    return Table(grid.sheet, frame, named), problems


def _meaning(heading: str, meaning: Meaning) -> dict[str, str] | None:
    """Dimensions (and the unit in brackets) that a heading over values stands for, None when it is no such heading."""
    said = meaning(heading)
    if said is not None:
        return dict(said)
    inside = _BRACKET.match(heading.strip())
    said = meaning(inside[1]) if inside else None
    if inside is None or said is None or not _unit(inside[2]):
        return None
    return {**said, "unit": inside[2]}


def _fill(grid: _Grid, body: pl.DataFrame, first: int, values: set[int]) -> pl.DataFrame:
    """Give every row of a merged cell its text; never a value, which would count several times."""
    spans = [span for span in grid.merged if span[2] >= first and span[1] == span[3] and span[1] not in values]
    if not spans or grid.rows is None:
        return body
    changed: dict[int, list[str | None]] = {}
    for top, column, bottom, _ in spans:
        cells = changed.setdefault(column, body[str(column)].to_list())
        for r in range(max(top, first), min(bottom + 1, len(grid.rows))):
            cells[r - first] = grid.rows[top][column]
    return body.with_columns(pl.Series(str(column), cells, dtype=pl.String) for column, cells in changed.items())


def _letter(column: int) -> str:
    """Letter of a spreadsheet column counted from 0."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
