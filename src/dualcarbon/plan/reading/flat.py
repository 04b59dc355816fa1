"""Tables that lost their frame: cells one to a line, rows between bars or tabs, columns between wide gaps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dualcarbon.plan.reading.columns import is_header, role
from dualcarbon.plan.reading.document import Passage, Table
from dualcarbon.plan.reading.layout import best_fit
from dualcarbon.plan.reading.script import tight

_BAR = re.compile("[|｜│┃]")
_RULE = re.compile(r"^[\s|｜:：\-—─━┌┐└┘├┤┬┴┼╔╗╚╝═+]*$")
_GAP = re.compile(r"\t| {2,}|\u3000+")
HEADING = re.compile(
    r"^(附?表\d*[一二三四五六七八九十]*[:、.]?|附件\d*[一二三四五六七八九十]*[:、.]?|[一二三四五六七八九十]+、.{2,40})$"
)
_NUMBER = re.compile(r"^\d{1,3}[.、]?$")


def blocks(lines: Sequence[Passage]) -> list[Passage | Table]:
    """Turn lines into passages and tables; a run of lines is a table when its first row names known columns."""
    found: list[Passage | Table] = []
    i = 0
    while i < len(lines):
        for reader in (_bar_rows, _gap_rows, _cell_lines):
            table, after = reader(lines, i)
            if table is not None:
                found.append(table)
                i = after
                break
        else:
            if not lines[i].blank:
                found.append(lines[i])
            i += 1
    return found


def _split(line: Passage, pattern: re.Pattern[str], strip_ends: bool) -> list[Passage]:
    parts = pattern.split(line.raw)
    if strip_ends and parts and not parts[0].strip():
        parts = parts[1:]
    if strip_ends and len(parts) > 1 and not parts[-1].strip():
        parts = parts[:-1]
    return [replace(line, raw=part.strip()) for part in parts]


def _bar_rows(lines: Sequence[Passage], i: int) -> tuple[Table | None, int]:
    """Rows such as `| 1 | GDP能耗 | % | 3 |`, one to a line."""
    rows: list[list[Passage]] = []
    start = i
    while i < len(lines):
        line = lines[i]
        if rows and (line.blank or _RULE.match(line.raw)) and i + 1 < len(lines) and _bars(lines[i + 1]):
            i += 1
            continue
        if not _bars(line):
            break
        if not _RULE.match(line.raw):
            cells = _split(line, _BAR, strip_ends=True)
            if rows and is_header([cell.raw for cell in cells]):
                break
            rows.append(cells)
        i += 1
    if len(rows) >= 2 and is_header([cell.raw for cell in rows[0]]):
        return Table(rows, loose=any(len(row) != len(rows[0]) for row in rows)), i
    return None, start


def _bars(line: Passage) -> bool:
    return len(_BAR.findall(line.raw.strip().strip("|｜│┃"))) >= 1


def _gap_rows(lines: Sequence[Passage], i: int) -> tuple[Table | None, int]:
    """Rows whose cells stand apart by tabs or by two spaces and more."""
    first = _split(lines[i], _GAP, strip_ends=False)
    if _BAR.search(lines[i].raw) or not is_header([cell.raw for cell in first]):
        return None, i
    tabs = "\t" in lines[i].raw
    rows = [first]
    start, i = i, i + 1
    while i < len(lines):
        line = lines[i]
        if line.blank:
            i += 1
            continue
        cells = _split(line, re.compile("\t") if tabs else _GAP, strip_ends=False)
        if is_header([cell.raw for cell in cells]) or HEADING.match(tight(line.raw)):
            break
        if len(cells) == 1:
            number = _NUMBER.match(tight(line.raw))
            if tabs and not number:
                break
            previous = rows[-1]
            if not number and len(rows) > 1 and (_ends(lines, i, len(first)) or len(tight(line.raw)) > 40):
                break
            if not number and len(rows) > 1:  # a cell's text that ran on into the next line
                longest = max(range(len(previous)), key=lambda k: len(previous[k].raw))
                previous[longest] = replace(previous[longest], raw=previous[longest].raw + line.raw.strip())
                i += 1
                continue
        rows.append(cells)
        i += 1
    return (
        (Table(rows, loose=not tabs or any(len(row) != len(first) for row in rows)), i)
        if len(rows) >= 2
        else (None, start)
    )


def _ends(lines: Sequence[Passage], i: int, width: int) -> bool:
    """True when no further row of the table follows line `i` closely: the line is ordinary text below it."""
    for line in lines[i + 1 : i + 4]:
        cells = _split(line, _GAP, strip_ends=False)
        if len(cells) >= 2 and not is_header([cell.raw for cell in cells]):
            return width < 2
    return True


def _cell_lines(lines: Sequence[Passage], i: int) -> tuple[Table | None, int]:
    """Cells one to a line, each closed by a bar or, where bars are lost too, each a line of its own."""
    start = i
    barred = _closed(lines[i])
    header: list[Passage] = []
    while i < len(lines) and len(header) < 12 and _closed(lines[i]) == barred and role(_open(lines[i])) is not None:
        header.append(replace(lines[i], raw=_open(lines[i])))
        i += 1
    roles = [role(cell.raw) for cell in header]
    if roles.count("lead") > 1 and "joint" in roles:  # 责任单位 above 牵头单位 and 配合单位
        del header[roles.index("lead")]
    if len(header) < 3 or role(header[0].raw) != "number" or not is_header([cell.raw for cell in header]):
        return None, start
    cells: list[Passage] = []
    waiting: list[Passage] = []
    while i < len(lines):
        line = lines[i]
        if role(_open(line)) == "number" and i + 2 < len(lines) and role(_open(lines[i + 1])) is not None:
            break
        if barred and not _closed(line):
            if line.blank:
                i += 1
                continue
            waiting.append(line)
            if HEADING.match(tight(line.raw)) or len(waiting) > 30:
                break
            i += 1
            continue
        if not barred and (line.blank or HEADING.match(tight(line.raw))):
            if line.blank:
                i += 1
                continue
            break
        raw = "".join(one.raw.strip() for one in waiting) + _open(line)
        cells.append(replace(waiting[0] if waiting else line, raw=raw))
        waiting = []
        i += 1
    if waiting:  # lines after the last bar: the last cell if one is due, otherwise text that follows the table
        i = next(k for k in range(i, -1, -1) if lines[k] is waiting[0])
        if not HEADING.match(tight(waiting[0].raw)) and cells and _NUMBER.match(tight(cells[-1].raw)):
            cells.append(replace(waiting[0], raw=waiting[0].raw.strip()))
            i += 1
    rows = _rows(cells, [role(cell.raw) for cell in header])
    return (Table([header, *rows], loose=True), i) if rows else (None, start)


def _closed(line: Passage) -> bool:
    return bool(re.search(r"[|｜│]\s*$", line.raw)) and len(_BAR.findall(line.raw)) == 1


def _open(line: Passage) -> str:
    return _BAR.sub("", line.raw).strip()


def _rows(cells: Sequence[Passage], roles: Sequence[str | None]) -> list[list[Passage]]:
    """Cut a stream of cells into rows that begin with the next number and fit the columns best.

    A value in a cell may equal the next row's number, so every cut is weighed as a whole.
    """
    width = len(roles)
    numbers = [int(tight(c.raw).rstrip(".、")) if _NUMBER.match(tight(c.raw)) else None for c in cells]
    starts = [k for k, number in enumerate(numbers) if number is not None]
    if not starts:
        return []
    best: dict[int, tuple[float, int | None]] = {}  # start of a row -> best score so far, start of the row before
    for k in starts:
        best[k] = (0.0 if k == 0 else -5.0 - k, None)
        for before in (j for j in starts if k - width - 1 <= j <= k - 2):
            ahead = (numbers[k] or 0) - (numbers[before] or 0)
            score = best[before][0] + (0.0 if ahead == 1 else -4.0) + _row_fit(cells[before:k], roles)
            if score > best[k][0]:
                best[k] = (score, before)
    last = max(
        starts, key=lambda k: best[k][0] + _row_fit(cells[k : k + width], roles) - 3.0 * max(0, len(cells) - k - width)
    )
    cuts = [last]
    while (earlier := best[cuts[-1]][1]) is not None:
        cuts.append(earlier)
    cuts.reverse()
    ends = [*cuts[1:], min(len(cells), cuts[-1] + width)]
    return [list(cells[a:b]) for a, b in zip(cuts, ends, strict=True)]


def _row_fit(cells: Sequence[Passage], roles: Sequence[str | None]) -> float:
    """Return how well a row's cells fit its columns, from 2 for a full row that fits down to -8."""
    filled = [cell for cell in cells if not cell.blank]
    if len(filled) > len(roles) or len(filled) < 2:
        return -8.0
    missing = max(0, len(roles) - len(cells))
    return max(-8.0, min(2.0, best_fit(filled, roles)[0] / len(filled)) - 0.7 * missing)
