"""Ways to a target and milestones, as departments set them: new rows beside the earlier ones, with a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, words
from dualcarbon.plan.feeding import telling
from dualcarbon.plan.feeding.telling import department_of
from dualcarbon.plan.store import document, install, stamp, writing
from dualcarbon.plan.tables import PATH, STEP


def set_path(
    workspace: Workspace,
    plan: str | None,
    line: str,
    method: str = "linear",
    *,
    opening: float | None = None,
    points: Mapping[int, float] | None = None,
    history: Sequence[Sequence[float | None]] | None = None,
    department: str | None = None,
    person: str | None = None,
    reason: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Set the way of an indicator to its target, as a new row beside the earlier ones. Returns `{line, method, path}`.

    `opening`: the value at the year's start; `points`: for `set`, values by month, December the target; `history`: for
    `seasonal`, twelve monthly increments of each earlier year; without it those reported in the place's earlier plans
    under the same name. Another way than the one set, or one set after something was reported, needs a `reason`.
    Raises Refused.
    """
    from dualcarbon.plan.paths import shape

    head = document(workspace, plan)
    name = str(head["plan"])
    indicator = indicator_of(workspace, name, line)
    who = department_of(workspace, name, department) if department else None
    if who is not None and who not in indicator["lead"]:
        raise Refused(Problem("plan.not-yours", value=line))
    months: list[float | None] = []
    if method == "seasonal":
        months = list(shape(history if history is not None else earlier(workspace, head, indicator)))
    row: dict[str, Any] = {"method": method, "opening": opening, "months": months, "points": dict(points or {})}
    way = laid(indicator, row)
    if not reason and settled(workspace, head, indicator["line"]):
        raise Refused(Problem("plan.path-set", value=indicator["line"]))
    install(workspace)
    with writing(workspace) as connection:
        keep(connection, name, indicator["line"], row, stamp(at, who, person), reason)
    return {"plan": name, "line": indicator["line"], "method": method, "opening": opening, "path": way}


def settled(workspace: Workspace, head: Mapping[str, Any], line: str) -> bool:
    """Whether a line has a way or a report already, so that another way is a change with a reason."""
    return line in reads.paths(workspace, head) or bool(reads.report_rows(workspace, head, lines=[line]))


def keep(
    connection: sa.Connection,
    plan: str,
    line: str,
    row: Mapping[str, Any],
    stamped: Mapping[str, Any],
    reason: str | None = None,
) -> None:
    """Write the way of a line within a transaction: `{method, opening, months, points}`, checked before by `laid`."""
    kept = {"months": json.dumps(row["months"]), "points": json.dumps(row["points"]), "reason": reason}
    connection.execute(PATH.insert().values({**row, **kept, "plan": plan, "line": line, **stamped}))


def indicator_of(workspace: Workspace, plan: str, line: str) -> dict[str, Any]:
    """Return an indicator by its code, `I7` or `7`; the number is the code's, not its place in the table."""
    for row in reads.indicators(workspace, plan).to_dicts():
        if line in (row["line"], row["line"][1:]):
            return row
    raise Refused(Problem("plan.unknown-line", value=line))


def laid(indicator: Mapping[str, Any], row: Mapping[str, Any]) -> list[float | None]:
    """Return what the path `{method, opening, months, points}` expects by the end of each month. Raises Refused."""
    from dualcarbon.plan import paths

    if indicator["value"] is None or indicator["figure"] == "milestones":
        raise Refused(Problem("plan.bad-path", value=indicator["text"]))
    try:
        way = paths.path(
            indicator["figure"], indicator["value"], method=row["method"], opening=row["opening"],
            months=row["months"] or None, points={int(m): v for m, v in row["points"].items()} or None,
        )  # fmt: skip
    except ValueError as error:
        raise Refused(Problem("plan.bad-path", value=str(error))) from error
    return list(way.expected)


def earlier(workspace: Workspace, head: Mapping[str, Any], indicator: Mapping[str, Any]) -> list[list[float | None]]:
    """Return the monthly increments that earlier plans of the place reported under the same name."""
    found: list[list[float | None]] = []
    for plan in reads.plans(workspace):
        if plan["place"] != head["place"] or plan["year"] >= head["year"]:
            continue
        for row in reads.indicators(workspace, plan["plan"]).to_dicts():
            if words.key(row["name"]) != words.key(indicator["name"]) or row["figure"] != "flow":
                continue
            told = reads.reports(workspace, plan["plan"]).to_dicts()
            values = {one["month"]: one["value"] for one in told if one["line"] == row["line"] and one["counts"]}
            before, year = 0.0, []
            for month in range(1, 13):
                value = values.get(month)
                year.append(None if value is None else value - before)
                before = before if value is None else value
            if year[-1] is not None:
                found.append(year)
    return found


def set_steps(
    workspace: Workspace,
    plan: str | None,
    line: str,
    steps: Sequence[Mapping[str, Any]],
    *,
    department: str | None = None,
    person: str | None = None,
    reason: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Set the milestones of a line: `{title, month, weight}` each, as a new edition. A later edition needs a reason.

    The months that were reported are counted anew by the new steps. Returns `{plan, line, edition, steps, recounted}`,
    `recounted` the reports that changed.
    """
    head = document(workspace, plan)
    name = str(head["plan"])
    line = indicator_of(workspace, name, line)["line"]
    before = reads.steps(workspace, name).get(line)
    problems = [
        Problem("plan.bad-step", row=i, value=str(step.get("title") or step.get("month")))
        for i, step in enumerate(steps, 1)
        if not step.get("title")
        or step.get("month") not in range(1, 13)
        or not isinstance(step.get("weight", 1), (int, float))
        or step.get("weight", 1) <= 0
    ]
    if not steps:
        problems.append(Problem("plan.bad-step", value="0"))
    if before and not reason:
        problems.append(Problem("plan.steps-set", value=line))
    if problems:
        raise Refused(problems)
    who = department_of(workspace, name, department) if department else None
    stamped = stamp(at, who, person)
    edition = before[0]["edition"] + 1 if before else 1
    install(workspace)
    known = telling.known(workspace, head, None, date.fromisoformat(stamped["told"]), [line])
    known = replace(known, steps={line: [{"title": str(step["title"]), "month": step["month"],
                                          "weight": float(step.get("weight", 1))} for step in steps]})  # fmt: skip
    with writing(workspace) as connection:
        rows = [
            {"plan": name, "line": line, "edition": edition, "position": i, "title": str(step["title"]),
             "month": step["month"], "weight": float(step.get("weight", 1)), "reason": reason, **stamped}
            for i, step in enumerate(steps, 1)
        ]  # fmt: skip
        connection.execute(STEP.insert(), rows)
        key = f"steps:{name}:{line}:{edition}"
        made = telling.recount(connection, known, name, line, key, stamped, "里程碑有调整，重新计算")
    return {"plan": name, "line": line, "edition": edition, "steps": len(rows), "recounted": made}
