"""Forms that departments filled in -> what they tell: read whole, every problem with its sheet, row and column."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, words
from dualcarbon.plan.feeding import proofs, telling, ways
from dualcarbon.plan.feeding.checking import Listed, Told
from dualcarbon.plan.feeding.form import COLUMNS, LISTED, SHEETS, heading
from dualcarbon.plan.store import document, stamp

_CODE = re.compile(r"[ITP]\d+")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NEEDED = {
    "indicators": ("line", "value", "stage"),
    "tasks": ("line", "progress"),
    "lists": ("line", "entry", "month"),
    "paths": ("line", "method"),
}


@dataclass
class Form:
    """What a form says: whose it is, the rows of each sheet by field (with `_row`), and what could not be read."""

    file: str
    plan: str
    department: str
    month: int
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(path: str | Path) -> Form:
    """Read a filled form (xlsx). Raises Refused when it is not one: absent, empty, encrypted, damaged, another file."""
    path = Path(path)
    sheets = _sheets(path)
    key = {str(row[0]): row[1] for row in sheets.get(SHEETS["key"], []) if len(row) > 1 and row[0]}
    if not {"form", "plan", "department", "month"} <= key.keys():
        raise Refused(Problem("plan.not-a-form", file=path.name))
    form = Form(path.name, str(key["plan"]), str(key["department"]), int(key["month"]))
    for kind, columns in COLUMNS.items():
        name = SHEETS[kind]
        if name not in sheets:
            form.problems.append(Problem("plan.sheet-missing", file=path.name, sheet=name, value=name))
            continue
        form.rows[kind] = _table(form, kind, sheets[name], [field for field, _, _ in columns])
    return form


def _sheets(path: Path) -> dict[str, list[list[Any]]]:
    from python_calamine import CalamineWorkbook

    if not path.is_file():
        raise Refused(Problem("plan.no-file", file=str(path)))
    content = path.read_bytes()
    if not content.strip():
        raise Refused(Problem("plan.empty", file=path.name))
    if content.startswith(_OLE):
        encrypted = "EncryptedPackage".encode("utf-16-le") in content
        raise Refused(Problem("plan.encrypted" if encrypted else "plan.not-a-form", file=path.name))
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(name.startswith("xl/") for name in archive.namelist()):
                raise Refused(Problem("plan.not-a-form", file=path.name))
    except zipfile.BadZipFile as error:
        rule = "plan.broken" if content.startswith(b"PK") else "plan.not-a-form"
        raise Refused(Problem(rule, file=path.name, value=str(error))) from error
    try:
        book = CalamineWorkbook.from_path(str(path))
        found = {}
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            found[name] = [[None if cell == "" else cell for cell in row] for row in rows]
    except Exception as error:  # a damaged workbook makes the reader raise whatever it meets
        raise Refused(Problem("plan.broken", file=path.name, value=str(error))) from error
    return found


def _table(form: Form, kind: str, grid: Sequence[Sequence[Any]], fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return the filled rows of a sheet by field; headings may stand in any order and any of the first rows."""
    sheet = SHEETS[kind]
    means = {words.key(heading(field)): field for field in fields}
    named = [[means.get(words.key(cell)) if cell is not None else None for cell in line] for line in grid[:20]]
    top = next((i for i, found in enumerate(named) if len(set(found) - {None}) >= 3), None)
    if top is None:
        form.problems.append(Problem("plan.no-headings", file=form.file, sheet=sheet))
        return []
    first: dict[int, str] = {}
    for i, name in enumerate(named[top]):
        if name is not None and name not in first.values():
            first[i] = name
    absent = [heading(name) for name in _NEEDED[kind] if name not in first.values()]
    if absent:
        form.problems.append(Problem("plan.heading-missing", file=form.file, sheet=sheet, value="、".join(absent)))
        return []
    rows = []
    for number, line in enumerate(grid[top + 1 :], top + 2):
        row = {name: line[i] for i, name in first.items() if i < len(line)}
        if any(value is not None and str(value).strip() for value in row.values()):
            rows.append({**row, "_row": number})
    swapped = _swapped(form, sheet, rows)
    form.problems += swapped
    return [] if swapped else rows


def _swapped(form: Form, sheet: str, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return the column of codes when most of it holds something else: two columns were exchanged."""
    codes = [row.get("line") for row in rows if row.get("line") is not None]
    strange = [code for code in codes if not _CODE.fullmatch(words.plain(code))]
    if len(strange) * 2 <= len(codes):
        return []
    like = next(
        (
            name
            for name in (rows[0].keys() if rows else ())
            if name not in ("line", "_row")
            and sum(bool(_CODE.fullmatch(words.plain(row.get(name)))) for row in rows) * 2 > len(rows)
        ),
        None,
    )
    shown = heading(like) if like else str(strange[0])
    said = {"table": sheet, "count": len(strange)}
    return [Problem("plan.columns-swapped", form.file, sheet, None, heading("line"), shown, said)]


def import_form(
    workspace: Workspace,
    path: str | Path,
    *,
    plan: str | None = None,
    person: str | None = None,
    at: date | None = None,
    key: str | None = None,
    folder: str | Path | None = None,
    papers: Sequence[proofs.Paper] = (),
    status: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Import a filled form with its evidence whole or not at all.

    `plan`: refuse a form of another plan; `folder`: where the evidence files lie that the form names, `papers`: such
    files handed in beside it; they are matched with lines by name. Returns what `telling.tell` returns with `file`,
    `department`, `paths` (set) and `evidence`: `[{line, report, name, attached}]`, a file that was named and is not
    there with `attached` False. Raises Refused with every problem.
    """
    form = read(path)
    if plan is not None and plan.partition("@")[0] != form.plan:
        raise Refused(Problem("plan.other-plan", file=form.file, value=form.plan, params={"plan": plan}))
    known = {one["plan"] for one in reads.plans(workspace)}
    if form.plan not in known:
        raise Refused(Problem("plan.no-plan", file=form.file, value=form.plan))
    head = document(workspace, form.plan)
    indicators = {row["line"]: row for row in reads.indicators(workspace, form.plan).to_dicts()}
    problems = [*form.problems, *_altered(form, indicators)]
    told = [_told(form, "indicators", row) for row in form.rows.get("indicators", ())]
    told += [_told(form, "tasks", row) for row in form.rows.get("tasks", ())]
    listed = [_listed(form, row) for row in form.rows.get("lists", ())]
    set_, faults = _paths(form, indicators, reads.paths(workspace, head), _reported(workspace, head))
    problems += faults
    named = _named(form)
    proofs_, faults = _matched(form, named, folder, papers)
    problems += faults
    stamped = stamp(at, form.department, person)

    def also(connection: Any) -> None:
        for line, row, reason in set_:
            ways.keep(connection, str(head["plan"]), line, row, stamped, reason)

    answer = telling.tell(
        workspace, form.plan, form.month, told, listed, department=form.department, person=person, at=at, key=key,
        file=form.file, status=status, problems=problems, also=also if set_ else None, papers=proofs_,
        dry_run=dry_run,
    )  # fmt: skip
    there = {(one["line"], _bare(one["name"])): one["report"] for one in answer["evidence"]}
    shown = [
        {"line": line, "report": there.get((line, _bare(name))), "name": name, "attached": (line, _bare(name)) in there}
        for line, name in named
    ]
    return answer | {"file": form.file, "department": form.department, "paths": len(set_), "evidence": shown}


def _cell(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return str(value).strip() or None if value is not None else None


def _told(form: Form, kind: str, row: Mapping[str, Any]) -> Told:
    kept = {name: _cell(row, name) for name in ("text", "remark", "reason")}
    if kept["remark"] == LISTED:
        kept["remark"] = None
    return Told(
        words.plain(row.get("line")), form.month, row.get("value"), row.get("stage"), row.get("progress"),
        **kept, file=form.file, sheet=SHEETS[kind], row=row["_row"],
    )  # fmt: skip


def _listed(form: Form, row: Mapping[str, Any]) -> Listed:
    where = {"file": form.file, "sheet": SHEETS["lists"], "row": row["_row"]}
    named = {name: row.get(name) for name in ("month", "site", "amount", "paper", "action")}
    mark = row.get("mark")
    mark = str(int(mark)) if isinstance(mark, float) and mark == int(mark) else mark
    line = words.plain(row.get("line"))
    return Listed(line, row.get("entry"), mark=mark, reason=_cell(row, "reason"), **named, **where)


def _altered(form: Form, indicators: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Return rows whose code and name, or code and unit, do not belong together any more."""
    problems = []
    for row in form.rows.get("indicators", ()):
        indicator = indicators.get(words.plain(row.get("line")))
        if indicator is None:
            continue
        for name, rule in (("name", "line-name"), ("unit", "unit-changed")):
            told = row.get(name)
            if name in row and words.key(told) != words.key(indicator[name]):
                said = {"line": indicator["line"], "known": indicator[name]}
                where = (form.file, SHEETS["indicators"], row["_row"], heading(name), told)
                problems.append(Problem(f"plan.{rule}", *where, said))
    return problems


def _reported(workspace: Workspace, head: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(row["line"] for row in reads.report_rows(workspace, head))


def _paths(
    form: Form,
    indicators: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]],
    reported: Container[str],
) -> tuple[list[tuple[str, dict[str, Any], str | None]], list[Problem]]:
    """Return the ways that the form sets anew, and what is wrong with them."""
    found: list[tuple[str, dict[str, Any], str | None]] = []
    problems: list[Problem] = []
    for row in form.rows.get("paths", ()):
        months = {m: row.get(str(m)) for m in range(1, 13) if row.get(str(m)) is not None}
        if row.get("method") is None and row.get("opening") is None and not months:
            continue
        where = {"file": form.file, "sheet": SHEETS["paths"], "row": row["_row"]}
        line = words.plain(row.get("line"))
        method = words.meaning(row.get("method"), words.METHOD_WORDS) if row.get("method") else "linear"
        if line not in indicators:
            problems.append(Problem("plan.unknown-line", value=line, column=heading("line"), **where))
            continue
        if method is None:
            problems.append(Problem("plan.bad-path", value=row.get("method"), column=heading("method"), **where))
            continue
        way: dict[str, Any] = {"method": method, "months": [], "points": {}}
        try:
            way["opening"] = words.number(row.get("opening"))
            if method == "set":
                numbers = {month: words.number(cell) for month, cell in months.items()}
                way["points"] = {str(month): value for month, value in numbers.items() if value is not None}
        except ValueError as error:
            problems.append(Problem("plan.not-a-number", value=str(error), column=SHEETS["paths"], **where))
            continue
        earlier = before.get(line)
        if method == "seasonal" and earlier and earlier["method"] == "seasonal":
            way["months"] = earlier["months"]
        if earlier and all(earlier[name] == way[name] for name in ("method", "opening", "points")):
            continue
        try:
            ways.laid(indicators[line], way)
        except Refused as refused:
            problems += [Problem(one.rule, value=one.value, params=one.params, **where) for one in refused.problems]
            continue
        if not _cell(row, "reason") and (earlier or line in reported):
            problems.append(Problem("plan.path-set", value=line, column=heading("reason"), **where))
            continue
        found.append((line, way, _cell(row, "reason")))
    return found, problems


def _named(form: Form) -> list[tuple[str, str]]:
    """Return (line, file name) for every evidence file that the form names."""
    rows = [row for kind in ("indicators", "tasks") for row in form.rows.get(kind, ())]
    return [
        (words.plain(row.get("line")), name.strip())
        for row in rows
        for name in re.split(r"[;；\n]", _cell(row, "evidence") or "")
        if name.strip()
    ]


def _bare(name: str) -> str:
    """Return a file name as it is compared: without folders, composed, in small letters."""
    return unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1]).strip().casefold()


def _matched(
    form: Form, named: Sequence[tuple[str, str]], folder: str | Path | None, papers: Sequence[proofs.Paper]
) -> tuple[dict[str, list[proofs.Paper]], list[Problem]]:
    """Return the evidence of each line, matched by name; what was sent and no line names is a problem."""
    sent = {_bare(one.name): one for one in papers}
    problems = [Problem("plan.evidence-unmatched", file=one.name) for one in papers]
    problems = [one for one in problems if _bare(str(one.file)) not in {_bare(name) for _, name in named}]
    names = [_bare(one.name) for one in papers]
    problems += [Problem("plan.evidence-twice", file=name) for name in sorted(set(names)) if names.count(name) > 1]
    found: dict[str, list[proofs.Paper]] = {}
    for line, name in named:
        file = Path(folder) / Path(name).name if folder is not None else None
        paper = sent.get(_bare(name)) or (proofs.read(file) if file is not None and file.is_file() else None)
        if paper is not None:
            found.setdefault(line, []).append(paper)
    return found, problems
