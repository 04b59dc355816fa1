"""Reading plans and what was told about them: frames for those who assess, lists for pages and programs.

`as_of` is a day: only what had arrived by then counts. Frames have the columns that `tables` names.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import polars as pl
import sqlalchemy as sa

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import tables
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.store import Asked, document, ready
from dualcarbon.plan.tables import (
    CARRIED,
    CONFIRMATION,
    DEPARTMENT,
    DOCUMENT,
    ENTRY,
    EVIDENCE,
    FINDING,
    INDICATOR,
    MIRROR,
    PATH,
    POLICY,
    QUANTITY,
    REPORT,
    RESPONSIBLE,
    REVIEW,
    STEP,
    TASK,
)  # fmt: skip

Row = dict[str, Any]
Rows = list[Row]
Made = TypeVar("Made")

# What a version of a plan says never changes: read once for each database.
_VERSIONS: WeakKeyDictionary[sa.Engine, dict[tuple[str, int, str], Any]] = WeakKeyDictionary()


def _once(workspace: Workspace, plan: Asked, make: Callable[[Workspace, Mapping[str, Any]], Made]) -> Made:
    head = document(workspace, plan)
    kept = _VERSIONS.setdefault(workspace.database, {})
    key = (make.__name__, head["number"], head["digest"])
    if key not in kept:
        kept[key] = make(workspace, head)
    found: Made = kept[key]
    return found


def plans(workspace: Workspace) -> Rows:
    """Return the last version of every plan: `{plan, version, place, city, year, title, issued, status, …, source}`."""
    if not ready(workspace):
        return []
    rows = _rows(workspace, sa.select(DOCUMENT).order_by(DOCUMENT.c.place, DOCUMENT.c.year, DOCUMENT.c.version))
    last = {row["plan"]: row for row in rows}
    return [{**row, "source": json.loads(row["source"])} for row in last.values()]


def versions(workspace: Workspace, plan: str) -> Rows:
    """Return the versions of a plan, the first one first: `{version, title, issued, file, loaded, status}`."""
    chosen = sa.select(DOCUMENT).where(DOCUMENT.c.plan == plan).order_by(DOCUMENT.c.version)
    shown = ("version", "title", "issued", "file", "loaded", "status")
    return [{name: row[name] for name in shown} for row in _rows(workspace, chosen)]


def indicators(workspace: Workspace, plan: Asked = None) -> pl.DataFrame:
    """Return the indicators of a plan (tables.INDICATORS), in its order. `value` is the target as written."""
    return _once(workspace, plan, _indicators)


def _indicators(workspace: Workspace, head: Mapping[str, Any]) -> pl.DataFrame:
    rows = _rows(workspace, _of(INDICATOR, head).order_by(INDICATOR.c.position))
    lead = _people(workspace, head, "lead")
    for row in rows:
        numbers = [int(one) for one in (row.pop("tasks") or "").split("|") if one]
        row |= {"indicator": row.pop("position"), "tasks": numbers, "lead": lead.get(row["line"], [])}
    return _frame(rows, tables.INDICATORS)


def tasks(workspace: Workspace, plan: Asked = None) -> pl.DataFrame:
    """Return the tasks of a plan (tables.TASKS), in its order."""
    return _once(workspace, plan, _tasks)


def _tasks(workspace: Workspace, head: Mapping[str, Any]) -> pl.DataFrame:
    rows = _rows(workspace, _of(TASK, head).order_by(TASK.c.position))
    lead, joint = _people(workspace, head, "lead"), _people(workspace, head, "joint")
    for row in rows:
        people = {"lead": lead.get(row["line"], []), "joint": joint.get(row["line"], [])}
        row |= {"task": row.pop("position"), **people}
    return _frame(rows, tables.TASKS)


def texts(workspace: Workspace, plan: Asked = None) -> dict[str, str]:
    """Return the text of each task by its line, where the document was read (a pack ships facts without text)."""
    rows = _rows(workspace, _of(TASK, document(workspace, plan)).where(TASK.c.text.is_not(None)))
    return {row["line"]: row["text"] for row in rows}


def policies(workspace: Workspace, plan: Asked = None) -> pl.DataFrame:
    """Return the policy documents of a plan (tables.POLICIES); `due` is a period text: `2024-07`, `2024`."""
    return _once(workspace, plan, _policies)


def _policies(workspace: Workspace, head: Mapping[str, Any]) -> pl.DataFrame:
    rows = _rows(workspace, _of(POLICY, head).order_by(POLICY.c.position))
    return _frame([{**row, "policy": row["position"]} for row in rows], tables.POLICIES)


def quantities(workspace: Workspace, plan: Asked = None) -> pl.DataFrame:
    """Return the figures in the plan's text (tables.QUANTITIES); `task` is null for the headline's."""
    rows = _rows(workspace, _of(QUANTITY, document(workspace, plan)).order_by(QUANTITY.c.number))
    return _frame([{**row, "task": int(row["line"][1:]) if row["line"] else None} for row in rows], tables.QUANTITIES)


def departments(workspace: Workspace, plan: Asked = None) -> Rows:
    """Return the departments of a plan: `{name, aliases, lines, lead, joint}`, the lines they lead and share."""
    return _once(workspace, plan, _departments)


def _departments(workspace: Workspace, head: Mapping[str, Any]) -> Rows:
    rows = _rows(workspace, _of(DEPARTMENT, head).order_by(DEPARTMENT.c.number))
    mine: dict[str, dict[str, list[str]]] = {}
    for row in _rows(workspace, _of(RESPONSIBLE, head).order_by(RESPONSIBLE.c.number)):
        mine.setdefault(row["department"], {}).setdefault(row["role"], []).append(row["line"])
    return [
        {
            "name": row["name"],
            "aliases": [one for one in row["aliases"].split("|") if one],
            "lead": mine.get(row["name"], {}).get("lead", []),
            "joint": mine.get(row["name"], {}).get("joint", []),
            "drafter": mine.get(row["name"], {}).get("drafter", []),
        }
        for row in rows
    ]


def findings(workspace: Workspace, plan: Asked = None) -> Rows:
    """Return what the plan's check against itself found: `{rule, class, message: {zh, en}, places}`."""
    rows = _rows(workspace, _of(FINDING, document(workspace, plan)).order_by(FINDING.c.number))
    return [
        {
            "rule": row["rule"],
            "class": row["sort"],
            "message": {"zh": row["message_zh"], "en": row["message_en"]},
            "places": json.loads(row["places"]),
        }
        for row in rows
    ]


def reports(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> pl.DataFrame:
    """Return every report of a plan that had arrived (tables.REPORTS), the oldest first.

    `value` is since January for flows and as it stands for others; `state` is `submitted`, `accepted` or `returned`;
    `counts` marks the one that counts for its line and month: the last that was not returned, the lead unit's before
    that of a unit that shares the task. `late`: it, or the first
    for its month, came after `due`. `status` `synthetic` marks demonstration data.
    """
    return _frame(report_rows(workspace, plan, as_of), tables.REPORTS)


def report_rows(
    workspace: Workspace, plan: Asked = None, as_of: date | None = None, lines: Sequence[str] | None = None
) -> Rows:
    """Return what `reports` returns as a list of rows, of the given lines alone.

    `joint`: told by a unit that only shares the task; it never replaces what the lead unit told.
    """
    head = document(workspace, plan, as_of)
    asked = _told(REPORT, head["plan"], as_of)
    rows = _rows(workspace, asked if lines is None else asked.where(REPORT.c.line.in_(lines)))
    judged = {row["report"]: row for row in reviews(workspace, head, as_of)}
    held: dict[int, int] = {}
    for one in evidence(workspace, head, as_of):
        held[one["report"]] = held.get(one["report"], 0) + 1
    positions = _positions(workspace, head)
    due_day = deadline_day(workspace, head)
    first: dict[tuple[str, int], bool] = {}
    chosen: dict[tuple[str, int], dict[str, Any]] = {}
    shared = {row["line"]: row["joint"] for row in tasks(workspace, head).to_dicts()}
    for row in rows:
        judge = judged.get(row["number"])
        row["told"] = date.fromisoformat(row["told"])
        row["due"] = due(head["year"], row["month"], due_day)
        row["state"] = judge["decision"] if judge else "submitted"
        key = (row["line"], row["month"])
        row["late"] = first.setdefault(key, row["told"] > row["due"])
        row |= {
            "indicator": positions.get(row["line"]), "period": f"{head['year']}-{row['month']:02d}",
            "reviewer": judge and judge["person"], "reviewed": judge and judge["told"],
            "review_reason": judge and judge["reason"], "evidence": held.get(row["number"], 0),
            "joint": row["department"] in shared.get(row["line"], ()),
        }  # fmt: skip
        if row["state"] != "returned" and not (row["joint"] and key in chosen and not chosen[key]["joint"]):
            chosen[key] = row
    standing = {row["number"] for row in chosen.values()}
    for row in rows:
        row["counts"] = row["number"] in standing
    return rows


def entries(
    workspace: Workspace, plan: Asked = None, line: str | None = None, as_of: date | None = None
) -> pl.DataFrame:
    """Return names, projects and reached steps (tables.ENTRIES); `struck` is the day one was taken off again."""
    lines = None if line is None else [line]
    return _frame(entry_rows(workspace, plan, lines, as_of), tables.ENTRIES)


def entry_rows(
    workspace: Workspace, plan: Asked = None, lines: Sequence[str] | None = None, as_of: date | None = None
) -> Rows:
    """Return what `entries` returns as a list of rows, of the given lines alone."""
    asked = _told(ENTRY, document(workspace, plan, as_of)["plan"], as_of)
    if lines is not None:
        asked = asked.where(ENTRY.c.line.in_(lines))
    kept: Rows = []
    open_: dict[tuple[str, str], Row] = {}
    for row in _rows(workspace, asked):
        key = (row["line"], row["key"])
        day = date.fromisoformat(row["told"])
        if row["action"] == "add":
            open_[key] = {**row, "told": day, "struck": None, "struck_reason": None}
            kept.append(open_[key])
        elif key in open_:
            open_.pop(key).update(struck=day, struck_reason=row["reason"])
    return kept


def steps(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Rows]:
    """Return the steps of each line as last set: `{position, title, month, weight, told, edition}`."""
    head = document(workspace, plan, as_of)
    found: dict[str, Rows] = {}
    for row in _rows(workspace, _told(STEP, head["plan"], as_of)):
        own = found.setdefault(row["line"], [])
        if own and own[0]["edition"] != row["edition"]:
            own.clear()
        own.append({name: row[name] for name in ("position", "title", "month", "weight", "told", "edition", "reason")})
    return found


def paths(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, dict[str, Any]]:
    """Return the way of each line as last set: `{method, opening, months, points, told, department, reason}`."""
    head = document(workspace, plan, as_of)
    return {
        row["line"]: {**row, "months": json.loads(row["months"]), "points": json.loads(row["points"])}
        for row in _rows(workspace, _told(PATH, head["plan"], as_of))
    }


def evidence(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> Rows:
    """Return the files behind reports: `{number, report, line, name, digest, size, media, entry, told, person, …}`."""
    return _joined(workspace, plan, EVIDENCE, as_of)


def reviews(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> Rows:
    """Return the reviewers' decisions, oldest first: `{report, line, decision, reason, person, told}`."""
    return [{**row, "told": date.fromisoformat(row["told"])} for row in _joined(workspace, plan, REVIEW, as_of)]


def confirmations(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, dict[str, Any]]:
    """Return for each line the lead unit's last word: `{action, department, person, paper, told, report, reason}`."""
    head = document(workspace, plan, as_of)
    return {row["line"]: row for row in _rows(workspace, _told(CONFIRMATION, head["plan"], as_of))}


def mirrors(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> Rows:
    """Return figures mirrored from other systems: `{line, system, name, value, unit, period, source, status, told}`."""
    return _rows(workspace, _told(MIRROR, document(workspace, plan, as_of)["plan"], as_of))


def carried(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> Rows:
    """Return what a plan took over unfinished: `{line, from_plan, from_line, remaining, unit, reason, told}`.

    As last carried; what was finished since, with nothing remaining, is left out.
    """
    chosen = _told(CARRIED, document(workspace, plan, as_of)["plan"], as_of)
    last = {(row["from_plan"], row["from_line"]): row for row in _rows(workspace, chosen)}
    return [row for row in last.values() if row["remaining"] != 0]


def due(year: int, month: int, day: int) -> date:
    """Return the day by which the figures of a month are due: `day` of the month after."""
    year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def deadline_day(workspace: Workspace, head: Mapping[str, Any]) -> int:
    """Return the day of the month after by which a plan's reports are due; its status is in the pack."""
    return int(feeding.settings(feeding.folder(head["pack"] or workspace.pack, head["year"]))["due_day"])


def synthetic(workspace: Workspace, plan: Asked = None) -> bool:
    """Return whether anything told about a plan is demonstration data."""
    asked = sa.select(REPORT.c.number).where(REPORT.c.plan == document(workspace, plan)["plan"])
    return bool(_rows(workspace, asked.where(REPORT.c.status == "synthetic").limit(1)))


def last_change(workspace: Workspace) -> str:
    """Return a text that changes whenever anything is told, reviewed, confirmed or loaded."""
    if not ready(workspace):
        return ""
    told = (DOCUMENT, FINDING, REPORT, ENTRY, STEP, PATH, EVIDENCE, REVIEW, CONFIRMATION, MIRROR, CARRIED)
    counts = [sa.select(sa.func.max(table.c.number)).scalar_subquery() for table in told]
    with workspace.database.connect() as connection:
        return ".".join(str(one or 0) for one in connection.execute(sa.select(*counts)).one())


def _rows(workspace: Workspace, chosen: sa.Select[Any]) -> Rows:
    with workspace.database.connect() as connection:
        return [dict(row) for row in connection.execute(chosen).mappings()]


def _of(table: sa.Table, head: Mapping[str, Any]) -> sa.Select[Any]:
    return sa.select(table).where(table.c.document == head["number"])


def _told(table: sa.Table, plan: str, as_of: date | None) -> sa.Select[Any]:
    chosen = sa.select(table).where(table.c.plan == plan).order_by(table.c.number)
    return chosen if as_of is None else chosen.where(table.c.told <= as_of.isoformat())


def _joined(workspace: Workspace, plan: Asked, table: sa.Table, as_of: date | None) -> Rows:
    head = document(workspace, plan, as_of)
    joined = table.join(REPORT, REPORT.c.number == table.c.report)
    chosen = sa.select(table, REPORT.c.line, REPORT.c.month).select_from(joined).where(REPORT.c.plan == head["plan"])
    if as_of is not None:
        chosen = chosen.where(table.c.told <= as_of.isoformat())
    return _rows(workspace, chosen.order_by(table.c.number))


def _people(workspace: Workspace, head: Mapping[str, Any], role: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    chosen = _of(RESPONSIBLE, head).where(RESPONSIBLE.c.role == role).order_by(RESPONSIBLE.c.number)
    for row in _rows(workspace, chosen):
        found.setdefault(row["line"], []).append(row["department"])
    return found


def _positions(workspace: Workspace, head: Mapping[str, Any]) -> dict[str, int]:
    own = indicators(workspace, head)
    return dict(zip(own["line"], own["indicator"], strict=True))


def _frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema), orient="row")
