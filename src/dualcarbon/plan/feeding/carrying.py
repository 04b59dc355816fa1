"""What a year did not finish goes over to the next year's plan, with what remains and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads
from dualcarbon.plan.reading import names
from dualcarbon.plan.store import Asked, document, install, stamp, writing
from dualcarbon.plan.tables import CARRIED


def unfinished(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return what a plan has left: `{line, name, kind, state, remaining, unit, reason: {zh, en}}`.

    Indicators that add up or go by steps and are not reached, tasks and policy documents that are not confirmed as
    finished. `remaining` is None where the figure is unknown or goes by steps. Shares, changes and caps are never left:
    they are not work that can be carried.
    """
    head = document(workspace, plan, as_of)
    found = []
    for row in follow.status(workspace, head, as_of, month=12):
        if row["figure"] not in ("flow", "cumulative", "milestones") or row["met"]:
            continue
        if row["better"] == "lower" and row["figure"] != "milestones":  # a cap, which was exceeded
            continue
        actual = row["actual"]
        left = None if actual is None or row["target"] is None else round(row["target"] - actual, 9)
        found.append(
            {"line": row["line"], "name": row["name"], "kind": "indicator", "state": row["state"], "remaining": left,
             "unit": row["unit"], "reason": row["reason"], "lead": row["lead"]}
        )  # fmt: skip
    for row in follow.task_status(workspace, head, as_of):
        if not row["confirmed"]:
            zh = row["text"] or "没有报为已完成并确认"
            said = {"zh": zh, "en": row["text"] or "Not reported as finished and confirmed"}
            found.append(
                {"line": row["line"], "name": row["title"], "kind": row["kind"], "state": row["progress"],
                 "remaining": None, "unit": None, "reason": said, "lead": row["lead"]}
            )  # fmt: skip
    return found


def carry_over(
    workspace: Workspace,
    plan: Asked,
    to: Asked,
    *,
    as_of: date | None = None,
    at: date | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Carry what a plan left unfinished to a later plan of the same place; carrying again brings it up to date.

    Returns `{from_plan, plan, carried: [{from_line, line, name, remaining, unit, reason}], already, finished}`; `line`
    is the later plan's line of the same name, None where it has none: the work then stands beside the plan. What was
    carried before with the same remainder is `already` there; what was finished since is taken off (`finished`).
    Raises Refused when the plans are of different places or the later one is not later.
    """
    old, new = document(workspace, plan, as_of), document(workspace, to)
    if old["place"] != new["place"] or old["year"] >= new["year"]:
        raise Refused(Problem("plan.not-later", value=new["plan"], params={"plan": old["plan"]}))
    before = {row["from_line"]: row for row in reads.carried(workspace, new) if row["from_plan"] == old["plan"]}
    same = {**_named(reads.indicators(workspace, new).to_dicts(), "name")}
    same |= _named(reads.tasks(workspace, new).to_dicts(), "title")
    same |= _named(reads.policies(workspace, new).to_dicts(), "title")
    left = unfinished(workspace, old, as_of)
    rows = [
        {"from_line": row["line"], "line": same.get((row["line"][0], names.core(_undated(row["name"])))),
         "name": row["name"], "remaining": row["remaining"], "unit": row["unit"], "reason": row["reason"]}
        for row in left
        if row["line"] not in before or row["remaining"] != before[row["line"]]["remaining"]
    ]  # fmt: skip
    there = {row["line"] for row in left}
    over = [row for line, row in before.items() if line not in there]
    if (rows or over) and not dry_run:
        install(workspace)
        stamped = {name: value for name, value in stamp(at).items() if name in ("told", "recorded")}
        kept = [
            {"plan": new["plan"], "line": row["line"] or "", "from_plan": old["plan"], "from_line": row["from_line"],
             "remaining": row["remaining"], "unit": row["unit"], "reason": row["reason"]["zh"], **stamped}
            for row in rows
        ]  # fmt: skip
        kept += [
            {name: row[name] for name in ("plan", "line", "from_plan", "from_line", "unit")}
            | {"remaining": 0.0, "reason": "结转后已完成", **stamped}
            for row in over
        ]
        with writing(workspace) as connection:
            connection.execute(CARRIED.insert(), kept)
    same_still = len(before) - len(over) - sum(row["from_line"] in before for row in rows)
    return {
        "from_plan": old["plan"], "plan": new["plan"], "carried": rows, "already": same_still,
        "finished": [row["from_line"] for row in over], "dry_run": dry_run,
    }  # fmt: skip


def _undated(name: str) -> str:
    import re

    return re.sub(r"20\d\d年?", "", name)


def _named(rows: list[dict[str, Any]], title: str) -> Mapping[tuple[str, str], str]:
    return {(row["line"][0], names.core(_undated(row[title]))): row["line"] for row in rows}
