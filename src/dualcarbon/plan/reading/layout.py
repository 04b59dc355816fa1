"""The tables of a plan by meaning: rows of named cells, whatever the order of columns and the merging of cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.reading import columns, departments, units
from dualcarbon.plan.reading.document import Passage, Table
from dualcarbon.plan.reading.script import tight

Row = dict[str, Passage]


@dataclass
class Sheet:
    """A table of one kind: its rows by column role, and the headings of the columns of values."""

    kind: str
    rows: list[Row]
    caption: tuple[Passage, ...] = ()
    headings: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)  # role of further value columns -> heading


def read_table(
    table: Table, caption: Sequence[Passage] = (), domains: Iterable[str] = (), year: int | None = None
) -> Sheet | None:
    """Return the table with its cells under the roles of their headings, or None when the headings say nothing.

    Raises Refused `plan.columns-swapped` when the contents of two columns stand under each other's heading.
    """
    start = next((i for i, row in enumerate(table.rows[:4]) if columns.is_header([cell.raw for cell in row])), None)
    if start is None:
        return None
    headings = [cell.raw for cell in table.rows[start]]
    body = start + 1
    while body < len(table.rows) and _heads(table.rows[body], table.rows[start]):
        headings = [_under(upper, lower.raw) for upper, lower in zip(headings, table.rows[body], strict=False)]
        body += 1
    found = columns.roles(headings)
    kind = columns.kind(found)
    if kind is None:
        return None
    roles, other = _unique(kind, found, headings, year)
    known = frozenset(tight(domain) for domain in domains)
    cells = table.rows[body:]
    rows: list[Row] = []
    group: Passage | None = None
    for line in cells:
        if columns.is_header([cell.raw for cell in line]) and [tight(c.raw) for c in line] == [
            tight(h) for h in headings
        ]:
            continue
        own = [cell for cell in line if not cell.blank and not cell.merged]
        texts = {tight(cell.raw) for cell in line if not cell.blank}
        if (
            len(texts) == 1
            and not table.loose
            and own
            and not re.fullmatch(r"\d+", tight(own[0].raw))
            and len(line) > 2
        ):
            group = own[0]  # a heading across the table
            continue
        row = _assign(line, roles, known) if table.loose else _named(line, roles)
        if not row:
            continue
        if "number" in row and re.match("^(合计|小计|总计|注|备注)", tight(row["number"].raw)):
            continue
        if group is not None:
            row.setdefault("domain", group)
        if kind == "tasks" and rows and "number" in row and row["number"].merged and not table.loose:
            rows[-1] = _joined(rows[-1], row)  # one task over several rows
            continue
        rows.append(row)
    headed = {role: heading for role, heading in zip(roles, headings, strict=False) if role}
    sheet = Sheet(kind, rows, tuple(caption), headed, other)
    _refuse_swapped(sheet)
    for column in ("domain", "lead", "drafter"):
        if column in headed or column == "domain":
            _inherit(sheet.rows, column)
    return sheet


def _joined(above: Row, row: Row) -> Row:
    """Add the cells of a further row of one task to those above it, except what is merged over both."""
    joined = dict(above)
    for role, cell in row.items():
        if cell.merged or role == "number":
            continue
        before = above.get(role)
        joined[role] = replace(before, raw=f"{before.raw}\n{cell.raw}") if before else cell
    return joined


def _heads(row: Sequence[Passage], header: Sequence[Passage]) -> bool:
    """True for a second row of headings under merged first ones."""
    texts = [cell for cell in row if not cell.blank]
    if not texts or any(re.fullmatch(r"\d+", tight(cell.raw)) for cell in row[:1]):
        return False
    merged = any(cell.merged and not cell.blank for cell in row) or any(cell.merged for cell in header)
    if merged and all(columns.role(cell.raw) is not None for cell in texts):
        return True
    repeated = [a for a, b in zip(row, header, strict=False) if a.merged and not a.blank and a.raw == b.raw]
    return len(repeated) >= 2 and not any(re.search(r"\d{2}", cell.raw) for cell in texts if not cell.merged)


def _under(upper: str, lower: str) -> str:
    """Return the heading of a column with a second line: the lower one, after the upper where it says nothing alone."""
    if not tight(lower) or tight(lower) == tight(upper):
        return upper
    return lower if columns.role(lower) is not None else f"{upper}{lower}"


def _unique(
    kind: str, found: Sequence[str | None], headings: Sequence[str], year: int | None
) -> tuple[list[str | None], dict[str, str]]:
    """Give each role to one column: of several value columns the one of the plan's year, of names the first."""
    roles = list(found)
    other: dict[str, str] = {}
    if kind == "indicators" and "name" not in roles:
        roles[roles.index("title")] = "name"
    if kind == "tasks" and "text" in roles:  # 工作目标 beside 主要措施
        roles = ["aim" if role == "value" else role for role in roles]
    values = [i for i, role in enumerate(roles) if role == "value"]
    if len(values) > 1:
        own = [i for i in values if year and str(year) in tight(headings[i])]
        chosen = (own or [i for i in values if "目标" in headings[i]] or values)[-1 if not own else 0]
        for i in values:
            if i != chosen:
                roles[i] = f"value {i}"
                other[f"value {i}"] = tight(headings[i])
    for i, role in enumerate(roles):
        if role == "baseline":
            roles[i] = f"value {i}"
            other[f"value {i}"] = tight(headings[i])
    seen: set[str] = set()
    for i, role in enumerate(roles):
        if role is None:
            continue
        if role in seen:
            roles[i] = f"{role} {i}" if role in ("lead", "joint", "text") else None
            if role == "text" and kind == "tasks":
                roles[i] = f"text {i}"
        seen.add(role)
    return roles, other


def _named(line: Sequence[Passage], roles: Sequence[str | None]) -> Row:
    row: Row = {}
    for cell, role in zip(line, roles, strict=False):
        if role is None or cell.blank:
            continue
        row[role] = cell
    return row if any(not cell.merged for cell in row.values()) else {}


def _assign(line: Sequence[Passage], roles: Sequence[str | None], domains: frozenset[str]) -> Row:
    """Lay the cells of a flattened row that is not full under the columns they fit best, keeping their order."""
    straight = _named(line, roles) if len(line) <= len(roles) else {}
    cells = [cell for cell in line if not cell.blank]
    if len(line) == len(roles) and not line[-1].blank:
        return straight
    value, row = best_fit(cells, roles, domains)
    own = sum(fit(cell.raw, role, domains) for role, cell in straight.items())
    return straight if straight and len(straight) == len(cells) and own >= value else row


def best_fit(
    cells: Sequence[Passage], roles: Sequence[str | None], domains: frozenset[str] = frozenset()
) -> tuple[float, Row]:
    """Return the best way to lay `cells` under the columns in order, with how well it fits."""
    score: dict[tuple[int, int], tuple[float, Row]] = {(0, 0): (0.0, {})}
    for j, role in enumerate(roles):
        for i in range(len(cells) + 1):
            if (i, j) not in score:
                continue
            value, row = score[i, j]
            steps = [((i, j + 1), value, row)]
            if i < len(cells) and role is not None:
                steps.append(((i + 1, j + 1), value + fit(cells[i].raw, role, domains), row | {role: cells[i]}))
            for key, total, chosen in steps:
                if key not in score or total > score[key][0]:
                    score[key] = (total, chosen)
    return score.get((len(cells), len(roles)), (-1e9, {}))


@lru_cache(maxsize=20_000)
def fit(text: str, role: str, domains: frozenset[str] = frozenset()) -> float:
    """Return how well a cell's text fits a column: above 0 it may stand there, below 0 it hardly can."""
    clean = tight(text)
    role = role.split(" ")[0]
    figure = bool(re.fullmatch(r"-?\d+(\.\d+)?%?", clean))
    people = departments.parse(text)
    office = bool(people) and all(one.kind != "note" for one in people)
    date = bool(re.match(r"^20\d\d([-./年]\d{1,2}([-./月]\d{0,2}日?)?|年)?月?(底前?|前)?$|季度|月底|年底", clean))
    if role == "number":
        return 3.0 if re.fullmatch(r"\d{1,3}[.、]?", clean) else -5.0
    if role == "domain":
        if clean in domains:
            return 4.0
        return -2.0 if office or figure else 0.6 if len(clean) <= 30 and "。" not in clean else -1.0
    if role in ("text", "aim"):
        return 3.0 if len(clean) > 40 or "。" in clean else -1.5 if office or figure else 0.5
    if role in ("lead", "joint", "drafter"):
        return 3.0 if office else 0.5 if people and people[0].kind == "department" else -3.0
    if role == "unit":
        return 2.5 if units.parse(clean) or clean in ("/", "-", "—") else -3.0
    if role == "value":
        return 2.0 if re.search(r"\d", clean) and not units.parse(clean) else -1.0 if units.parse(clean) else 0.2
    if role == "due":
        return 3.0 if date else -3.0
    if role in ("name", "title"):
        return -3.0 if figure or units.parse(clean) else 1.0
    return 0.0


def _refuse_swapped(sheet: Sheet) -> None:
    """Refuse a table in which two columns hold what the other's heading promises."""
    problems = []
    pairs = {
        "indicators": [("unit", "value"), ("name", "unit"), ("name", "value"), ("value", "lead"), ("name", "lead")]
    }
    pairs |= {"policies": [("due", "drafter"), ("title", "due"), ("title", "drafter")], "tasks": [("text", "lead")]}
    for one, other in pairs.get(sheet.kind, []):
        rows = [row for row in sheet.rows if one in row and other in row]
        if len(rows) < 3:
            continue
        turned = [
            row
            for row in rows
            if fit(row[one].raw, other) > fit(row[one].raw, one) + 1.5
            and fit(row[other].raw, one) > fit(row[other].raw, other)
        ]
        if len(turned) > 0.5 * len(rows):
            cell = turned[0][one]
            table = "、".join(tight(c.raw) for c in sheet.caption) or str(cell.table)
            problems.append(
                Problem(
                    "plan.columns-swapped",
                    sheet=cell.sheet,
                    row=cell.row,
                    column=tight(sheet.headings.get(one, one)),
                    value=tight(sheet.headings.get(other, other)),
                    params={"table": table, "count": len(turned)},
                )
            )
    if problems:
        raise Refused(problems)


def _inherit(rows: list[Row], column: str) -> None:
    """Give a blank cell of a column the one above it, marked as merged."""
    above: Passage | None = None
    for row in rows:
        if column in row:
            above = row[column]
        elif above is not None:
            row[column] = replace(above, merged=True)
