"""Major projects: their terms (investment, schedule), what was done by each month, and how far behind they are.

The pack names the projects of a plan with what the plan states; departments add terms and monthly progress. Nothing
that was not stated is filled in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import shipping
from dualcarbon.plan.assessing.assess_tables import METADATA, PROJECT
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.store import Asked, document, stamp, writing

TERMS = ("title", "line", "department", "investment", "capacity", "start", "finish", "goal", "source")
PROGRESS = ("invested", "physical", "capacity_done", "stage", "text")


def shipped(pack: str, year: int) -> dict[str, Any]:
    """Return `projects.yaml` of a plan: `{status, total, capacity, projects}`; none where the pack has none."""
    from dualcarbon.core.pack import read_yaml

    here = feeding.folder(pack, year)
    if here is None or not (here / "projects.yaml").is_file():
        return {"status": "unverified", "total": None, "capacity": None, "projects": []}
    told: dict[str, Any] = read_yaml(here / "projects.yaml")
    return told


def tell(
    workspace: Workspace,
    project: str,
    *,
    plan: str | None = None,
    month: int | None = None,
    reason: str | None = None,
    at: date | None = None,
    by: str | None = None,
    person: str | None = None,
    status: str = "unverified",
    **told: Any,
) -> dict[str, Any]:
    """Keep the terms of a project (no `month`) or its state at the end of a month; return it as `projects` does.

    Terms: `title` ({zh, en}), `line`, `department`, `investment` (亿元, the year's), `capacity` (万千瓦),
    `start`, `finish` (days). Progress: `invested` (亿元 since January), `physical` (share), `capacity_done`,
    `stage`, `text`. What is told later stands beside what was told before. `by`: the department that tells it.

    Raises Refused `plan.bad-project` for other names, months outside 1 to 12, amounts below zero, a finish before the
    start; `plan.no-project` for a project that nobody named (a new one begins with its terms and a title),
    `plan.project-future` for a month that is not over.
    """
    wrong = _wrong(told, month)
    if wrong:
        raise Refused([Problem("plan.bad-project", column=name, value=told.get(name, month)) for name in wrong])
    head = document(workspace, plan)
    known = {one["project"] for one in projects(workspace, head)["projects"]}
    if project not in known and (month is not None or not told.get("title")):
        raise Refused(Problem("plan.no-project", value=project))
    stamped = stamp(at, by, person)
    if month is not None and stamped["told"] < date(head["year"] + month // 12, month % 12 + 1, 1).isoformat():
        raise Refused(Problem("plan.project-future", column="month", value=month))
    if not _installed(workspace):
        with writing(workspace) as connection:
            METADATA.create_all(connection)
    body = json.dumps(
        {name: value for name, value in told.items() if value is not None}, ensure_ascii=False, default=str
    )
    row = {"plan": head["plan"], "project": project, "action": "define" if month is None else "progress", "body": body,
           "month": month, "status": status, "reason": reason, **stamped}  # fmt: skip
    with writing(workspace) as connection:
        connection.execute(sa.insert(PROJECT), row)
    return next(one for one in projects(workspace, head)["projects"] if one["project"] == project)


NUMBERS = ("investment", "capacity", "invested", "physical", "capacity_done")


def _wrong(told: Mapping[str, Any], month: Any) -> list[str]:
    """The names of what cannot be told of a project so."""
    names = TERMS if month is None else PROGRESS
    found = [name for name in told if name not in names]
    if month is not None and not (isinstance(month, int) and not isinstance(month, bool) and 1 <= month <= 12):
        found.append("month")
    for name in NUMBERS:
        value = told.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and (not number or value < 0):
            found.append(name)
    days = {}
    for name in ("start", "finish"):
        if told.get(name) is not None:
            try:
                days[name] = date.fromisoformat(str(told[name]))
            except ValueError:
                found.append(name)
    if len(days) == 2 and days["finish"] < days["start"]:
        found.append("finish")
    title = told.get("title")
    if title is not None and not (isinstance(title, Mapping) and isinstance(title.get("zh"), str)):
        found.append("title")
    texts = ("line", "department", "stage", "text")
    return found + [n for n in texts if told.get(n) is not None and not isinstance(told[n], str)]


def projects(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return `{projects, total, capacity}` as of a day.

    A project is its terms with `months` (12 values of investment since January, None where not told), `invested`,
    `invested_month` (of that figure), `share` (of the year's investment), `scheduled` (share of the time from start to
    finish, within the year, that had passed by then), `lag` (scheduled − share, None where either is not known),
    `physical`, `stage`, `text`, `month` (of the last word), `status`.
    `total` adds what was invested to the plan's figure: `{planned, invested, share, told, of, unit}`.
    """
    head = document(workspace, plan, as_of)
    year, ships = head["year"], shipped(*shipping.of(workspace, head))
    found: dict[str, dict[str, Any]] = {}
    for one in ships["projects"]:
        own = {name: one.get(name) for name in TERMS}
        found[one["id"]] = {"project": one["id"], **own, "status": ships["status"], "months": [None] * 12}
    for row in _rows(workspace, str(head["plan"]), as_of):
        empty = dict.fromkeys(TERMS)
        own = found.setdefault(row["project"], {"project": row["project"], **empty, "months": [None] * 12})
        body = json.loads(row["body"])
        own["status"] = row["status"]
        if row["action"] == "define":
            own |= body
            continue
        if "invested" in body:
            own["months"][row["month"] - 1] = body["invested"]
        if row["month"] >= own.get("month", 0):
            own |= {**{name: body[name] for name in PROGRESS if name in body}, "month": row["month"]}
    rows = [_standing(one, year) for one in found.values()]
    return {"projects": rows, "total": _total(rows, ships["total"]), "capacity": ships["capacity"]}


def _standing(one: dict[str, Any], year: int) -> dict[str, Any]:
    month = one.get("month")
    told = {n: value for n, value in enumerate(one["months"][: month or 0], 1) if value is not None}
    spent = max(told, default=None)
    invested = told[spent] if spent is not None else None
    share = invested / one["investment"] if invested is not None and one["investment"] else None
    at = spent or month
    passed = scheduled(one.get("start"), one.get("finish"), year, at) if at else None
    row = {"invested": invested, "invested_month": spent, "share": share, "scheduled": passed, "month": month}
    row["lag"] = passed - share if passed is not None and share is not None else None
    return {**dict.fromkeys(PROGRESS), **one, **row}


def scheduled(start: str | None, finish: str | None, year: int, month: int) -> float | None:
    """Return the share of the year's working time of a project that lies behind at the end of `month`, 0 to 1.

    The time runs from its start (or January) to its finish (or December); None when neither is known.
    """
    if not start and not finish:
        return None
    first = max(date.fromisoformat(str(start)), date(year, 1, 1)) if start else date(year, 1, 1)
    last = min(date.fromisoformat(str(finish)), date(year, 12, 31)) if finish else date(year, 12, 31)
    end = date(year + (month == 12), month % 12 + 1, 1)
    days = (last - first).days + 1
    return None if days <= 0 else min(max((end - first).days / days, 0.0), 1.0)


def _total(rows: list[dict[str, Any]], planned: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if planned is None:
        return None
    told = [one["invested"] for one in rows if one["invested"] is not None]
    invested = sum(told) if told else None
    share = invested / planned["investment"] if invested is not None else None
    return {"planned": planned["investment"], "unit": planned["unit"], "title": planned["title"], "invested": invested,
            "share": share, "told": len(told), "of": len(rows), "line": planned["line"]}  # fmt: skip


def last_told(workspace: Workspace) -> int:
    """Return the number of the last thing told of any project; 0 before the first."""
    if not _installed(workspace):
        return 0
    with workspace.database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.max(PROJECT.c.number))).scalar() or 0)


def _rows(workspace: Workspace, plan: str, as_of: date | None) -> list[dict[str, Any]]:
    if not _installed(workspace):
        return []
    chosen = sa.select(PROJECT).where(PROJECT.c.plan == plan).order_by(PROJECT.c.number)
    if as_of is not None:
        chosen = chosen.where(PROJECT.c.told <= as_of.isoformat())
    with workspace.database.connect() as connection:
        return [dict(row) for row in connection.execute(chosen).mappings()]


def _installed(workspace: Workspace) -> bool:
    return sa.inspect(workspace.database).has_table(PROJECT.name)
