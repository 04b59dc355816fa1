"""The reviewer's decision on reports, and the lead unit's word that a line is done. Both are added, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads
from dualcarbon.plan.feeding.telling import department_of
from dualcarbon.plan.store import Asked, document, install, stamp, writing
from dualcarbon.plan.tables import CONFIRMATION, DECISIONS, REVIEW, SETTLED
from dualcarbon.plan.words import key, unit_name


def queue(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return the reports that wait for a reviewer, the oldest first: rows of `reads.reports` with name and before.

    `before` is the value told for the month before, `target` the indicator's; both None where there is none.
    """
    head = document(workspace, plan, as_of)
    told = reads.report_rows(workspace, head, as_of)
    names = {row["line"]: row for row in reads.indicators(workspace, head).to_dicts()}
    titles = {row["line"]: row["title"] for row in reads.tasks(workspace, head).to_dicts()}
    titles |= {row["line"]: row["title"] for row in reads.policies(workspace, head).to_dicts()}
    counting = {(row["line"], row["month"]): row["value"] for row in told if row["counts"]}
    found = []
    for row in told:
        if row["state"] != "submitted" or not row["counts"]:
            continue
        indicator = names.get(row["line"])
        earlier = [m for line, m in counting if line == row["line"] and m < row["month"]]
        found.append(
            row
            | {
                "name": indicator["name"] if indicator else titles.get(row["line"], row["line"]),
                "unit": indicator["unit"] if indicator else None,
                "unit_name": unit_name(indicator["unit"] if indicator else None),
                "target": indicator["value"] if indicator else None,
                "basis": indicator["basis"] if indicator else None,
                "before": counting[(row["line"], max(earlier))] if earlier else None,
                "before_month": max(earlier) if earlier else None,
            }
        )
    return found


def review(
    workspace: Workspace,
    plan: Asked,
    reports: Iterable[int],
    decision: str,
    *,
    person: str | None = None,
    reason: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Accept or return reports by number, all or none. Returns `{plan, decision, reports, reviewed}`.

    A return needs a reason, as does a second decision on one report; nobody reviews what they told themselves, so a
    report that names its person needs a `person` who reviews; only the report that counts, or was returned last, is
    reviewed. Raises Refused with every problem.
    """
    if decision not in DECISIONS:
        raise Refused(Problem("plan.unknown-decision", value=decision))
    head = document(workspace, plan)
    name = str(head["plan"])
    install(workspace)
    wanted = list(dict.fromkeys(reports))
    with writing(workspace) as connection:
        told = {row["number"]: row for row in reads.report_rows(workspace, head)}
        shown = all(told[number]["status"] == "synthetic" for number in wanted if number in told)
        stamped = stamp(at, None, person, ahead=shown)
        last: dict[tuple[str, int], int] = {}
        for number, row in told.items():
            last[(row["line"], row["month"])] = number
        problems = []
        problems += [Problem("plan.no-report", value=number) for number in wanted if number not in told]
        for number in wanted:
            if number not in told:
                continue
            row = told[number]
            if not row["counts"] and last[(row["line"], row["month"])] != number:
                problems.append(Problem("plan.replaced-report", value=number))
            if not person and row["person"]:
                problems.append(Problem("plan.reviewer-missing", value=number))
            if person and key(person) == key(row["person"]):
                problems.append(Problem("plan.own-report", value=number, params={"person": person}))
            if not reason and (decision == "returned" or row["state"] != "submitted"):
                problems.append(Problem("plan.decision-needs-reason", value=number))
            if row["told"].isoformat() > stamped["told"]:
                problems.append(Problem("plan.before-report", value=number))
        if problems or not wanted:
            raise Refused(problems or [Problem("plan.nothing-chosen")])
        rows = [{"report": number, "decision": decision, "reason": reason, **stamped} for number in wanted]
        connection.execute(REVIEW.insert(), rows)
    return {"plan": name, "decision": decision, "reports": wanted, "reviewed": len(wanted)}


def confirm(
    workspace: Workspace,
    plan: Asked,
    line: str,
    department: str,
    *,
    person: str | None = None,
    paper: str | None = None,
    action: str = "confirm",
    reason: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Keep the lead unit's word that a line is done (`confirm`) or is not any more (`withdraw`, with a reason).

    A line is confirmed when its target is reached by a report that was accepted (and settled by the province where the
    province settles; of December for levels, changes and caps, which only the year's end decides), a task or policy
    when it was told as finished and accepted. It holds until a later report speaks against it. Returns
    `{plan, line, action, …}`. Raises Refused with every problem, NoSuch for an unknown line.
    """
    head = document(workspace, plan)
    name = str(head["plan"])
    who = department_of(workspace, head, department)
    own = next(one for one in reads.departments(workspace, head) if one["name"] == who)
    row = _line(workspace, head, line, at)
    problems = []
    if row["line"] not in (*own["lead"], *own["drafter"]):
        problems.append(Problem("plan.not-lead", value=row["line"], params={"department": who}))
    if action == "withdraw":
        if not reason:
            problems.append(Problem("plan.decision-needs-reason", value=row["line"]))
        if not (row["confirmation"] and row["confirmation"]["action"] == "confirm"):
            problems.append(Problem("plan.not-confirmed", value=row["line"]))
    elif action == "confirm":
        problems += _unready(row)
    else:
        raise ValueError(action)
    if problems:
        raise Refused(problems)
    install(workspace)
    kept = {"line": row["line"], "action": action, "report": row["report"], "paper": paper, "reason": reason}
    with writing(workspace) as connection:
        stamped = stamp(at, who, person, ahead=row["status"] == "synthetic")
        connection.execute(CONFIRMATION.insert().values(plan=name, **kept, **stamped))
    return {"plan": name, "department": who, **kept}


def _line(workspace: Workspace, plan: Asked, line: str, at: date | None) -> dict[str, Any]:
    """Return how a line stands by the last report there is."""
    for row in follow.status(workspace, plan, at, month=12, line=line):
        return row | {"kind": "indicator"}
    sure = reads.confirmations(workspace, plan, at)
    for row in follow.task_status(workspace, plan, at):
        if line == row["line"]:
            return row | {"confirmation": sure.get(line)}
    raise NoSuch("line", line)


def _unready(row: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps a line from being confirmed."""
    if row["report"] is None:
        return [Problem("plan.nothing-reported", value=row["line"])]
    problems = []
    if row["review"] != "accepted":
        problems.append(Problem("plan.not-accepted", value=row["line"], params={"report": row["report"]}))
    if row["kind"] != "indicator":
        if row["reported"] != "finished":
            problems.append(Problem("plan.not-finished", value=row["line"]))
        return problems
    if not row["met"]:
        said = {"actual": f"{row['actual']:g}" if row["actual"] is not None else "—", "target": row["text"]}
        problems.append(Problem("plan.not-met", value=row["line"], params=said))
    elif follow.early(row, row["reported"]):
        problems.append(Problem("plan.too-early", value=row["line"], params={"month": row["reported"]}))
    if row["settles"] == "province" and row["stage"] not in SETTLED:
        problems.append(Problem("plan.not-settled", value=row["line"]))
    return problems
