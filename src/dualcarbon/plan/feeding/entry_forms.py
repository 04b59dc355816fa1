"""What a page form or an API body says, read into what is told; blanks say nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads
from dualcarbon.plan.feeding import telling
from dualcarbon.plan.feeding.checking import Listed, Told
from dualcarbon.plan.feeding.proofs import Paper
from dualcarbon.plan.store import document

_TOLD = ("line", "month", "value", "stage", "progress", "text", "remark", "reason")
_LISTED = ("line", "name", "month", "mark", "site", "amount", "paper", "action", "reason")


def submission(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `telling.tell` from an API body.

    `{plan, month, department, person, at, dry_run, told: [{line, value, stage, progress, text, remark, reason}],
    listed: [{line, name, month, mark, site, amount, paper, action, reason}]}`. Raises Refused with every problem.
    """
    problems = [
        Problem("plan.unknown-field", column=name, value=name)
        for name in body
        if name not in ("plan", "month", "department", "person", "at", "dry_run", "told", "listed")
    ]
    month, at = body.get("month"), body.get("at")
    if type(month) is not int or not 1 <= month <= 12:
        problems.append(Problem("plan.not-a-month", column="month", value=month))
        month = 1
    try:
        day = None if at is None else date.fromisoformat(str(at))
    except ValueError:
        problems.append(Problem("plan.bad-period", column="at", value=at))
        day = None
    told, listed = [], []
    for name, fields in (("told", _TOLD), ("listed", _LISTED)):
        rows = body.get(name, [])
        if not isinstance(rows, list):
            problems.append(Problem("plan.unknown-field", column=name, value=type(rows).__name__))
            continue
        for i, row in enumerate(rows, 1):
            if not isinstance(row, dict) or not isinstance(row.get("line"), str) or set(row) - set(fields):
                strange = sorted(set(row) - set(fields)) if isinstance(row, dict) else row
                problems.append(Problem("plan.unknown-field", row=i, column=name, value=str(strange)))
            elif name == "told":
                told.append(Told(**{"month": month, **row}, sheet="told", row=i))
            else:
                listed.append(Listed(**{"name": None, **row}, sheet="listed", row=i))
    said: dict[str, Any] = {name: body.get(name) for name in ("department", "person")}
    if any(value is not None and not isinstance(value, str) for value in (*said.values(), body.get("plan"))):
        problems.append(Problem("plan.unknown-field", value="department, person, plan"))
    if problems:
        raise Refused(problems)
    return {
        "plan": body.get("plan"), "month": month, "told": told, "listed": listed, "at": day,
        "dry_run": bool(body.get("dry_run", False)), **said,
    }  # fmt: skip


def enter(
    workspace: Workspace, department: str, said: Mapping[str, str], files: Mapping[str, Sequence[Paper]]
) -> dict[str, Any]:
    """Keep what a department's page form says. Returns what `telling.tell` returns.

    Fields: `plan`, `month`, `person`, `key`; `FIELD.LINE` for `value stage text reason progress`; `list.LINE`, one name
    a line as `name | number | month` (projects: `name | site | amount | month`); `step.LINE.N` for reached steps;
    `file.LINE` in `files` for evidence. Raises Refused with every problem.
    """
    head = document(workspace, said.get("plan"))
    if not said.get("month", "").isdecimal() or not 1 <= int(said["month"]) <= 12:
        raise Refused(Problem("plan.not-a-month", value=said.get("month")))
    month = int(said["month"])
    indicators = reads.indicators(workspace, head).to_dicts()
    bases = {row["line"]: row["basis"] for row in indicators}
    names = {row["line"]: f"{row['line']} {row['name']}" for row in indicators}
    cells: dict[str, dict[str, str]] = {}
    listed: list[Listed] = []
    for name, value in said.items():
        field, _, line = name.partition(".")
        if field in ("value", "stage", "text", "reason", "progress") and line:
            cells.setdefault(line, {})[field] = value.strip()
        elif field == "list" and line:
            listed += _names(line, bases.get(line, "names"), value, month, names.get(line, line))
        elif field == "step" and line:
            code, _, position = line.partition(".")
            listed.append(Listed(code, position, value, sheet="milestones"))
    told = [
        Told(
            line,
            month,
            own.get("value"),
            own.get("stage"),
            own.get("progress"),
            own.get("text"),
            None,
            own.get("reason"),
            sheet=names.get(line, line),
        )
        for line, own in cells.items()
        if set(own) - {"stage", "reason"} or bases.get(line) is None
    ]
    struck = {line: own["reason"] for line, own in cells.items() if "reason" in own}
    listed = [
        one if one.action is None else Listed(**{**one.__dict__, "reason": struck.get(one.line)}) for one in listed
    ]
    papers = {name.partition(".")[2]: own for name, own in files.items() if own}
    try:
        return telling.tell(
            workspace, str(head["plan"]), month, told, listed, department=department, person=said.get("person"),
            key=said.get("key"), feed="page", papers=papers,
        )  # fmt: skip
    except Refused as refused:  # a page has no columns: the line and what is said about it show the field
        raise Refused([replace(one, column=None) for one in refused.problems]) from refused


def _names(line: str, basis: str, text: str, month: int, shown: str) -> list[Listed]:
    """Return the names of a text field, one a line; a line that begins with a minus strikes the name."""
    found = []
    for row, one in enumerate(text.splitlines(), 1):
        if not one.strip():
            continue
        strike = one.lstrip().startswith(("-", "−", "－"))
        parts: list[str | None] = [part.strip() or None for part in re.split(r"[|｜\t]", one.strip().lstrip("-−－"))]
        parts += [None] * (4 - len(parts))
        where: dict[str, Any] = {"sheet": shown, "row": row, "action": "strike" if strike else None}
        if basis == "projects":
            name, site, amount, when = parts[:4]
            found.append(Listed(line, name, when or month, site=site, amount=amount, **where))
        else:
            name, mark, when = parts[:3]
            found.append(Listed(line, name, when or month, mark=mark, **where))
    return found
