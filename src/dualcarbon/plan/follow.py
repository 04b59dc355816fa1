"""How every line of a plan stands on a day: the path it should follow, what was told, and what that means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import paths as laying
from dualcarbon.plan import reads
from dualcarbon.plan.progress import Standing, assess
from dualcarbon.plan.store import ZONE, Asked, document
from dualcarbon.plan.tables import SETTLED
from dualcarbon.plan.words import unit_name

_SHOWN = ("line", "indicator", "name", "unit", "domain", "lead", "tasks", "figure", "basis", "frequency", "settles")
_MORE = ("feed", "comparison", "stretch", "better", "direction", "text", "incentive")


def last_due(year: int, day: int, as_of: date) -> int:
    """Return the last month of `year` whose reports are due by `as_of`; 0 before the first."""
    return max((month for month in range(1, 13) if reads.due(year, month, day) <= as_of), default=0)


def path_of(
    indicator: Mapping[str, Any], set_: Mapping[str, Any] | None = None, steps: Sequence[Mapping[str, Any]] = ()
) -> laying.Path | None:
    """Return the path of an indicator (a row of `reads.indicators`), None where nothing says what is to be reached.

    `set_`: its row of `reads.paths`; `steps`: its steps. Without a setting the way is linear.
    """
    if indicator["figure"] == "milestones":
        return laying.milestones([milestone(step) for step in steps]) if steps else None
    if indicator["value"] is None:
        return None
    told = set_ or {}
    points = {int(month): value for month, value in told.get("points", {}).items()}
    try:
        return laying.path(
            indicator["figure"], indicator["value"], method=told.get("method", "linear"),
            opening=told.get("opening"), months=told.get("months") or None, points=points or None,
        )  # fmt: skip
    except Refused:  # set for another target than the version now in force: the department has to set it anew
        return laying.path(indicator["figure"], indicator["value"], opening=told.get("opening"))


def milestone(step: Mapping[str, Any]) -> laying.Milestone:
    """Return a row of `reads.steps` as the step of a path."""
    return laying.Milestone(step["title"], step["month"], step["weight"])


def status(
    workspace: Workspace,
    plan: Asked = None,
    as_of: date | None = None,
    *,
    month: int | None = None,
    line: str | None = None,
) -> list[dict[str, Any]]:
    """Return how each indicator of a plan stands on a day (today when None), in the plan's order.

    A row has the indicator's own fields (`line, indicator, name, unit, domain, lead, tasks, figure, basis, …`) with
    `unit_name` ({zh, en}, as it reads after a number), the standing (`state, month, reported, actual, expected, target,
    met, forecast, low, high, needed, pace, reason`), the report that counts (`stage, review, status, told, report,
    query`), `confirmed`, `missing` (due months without a report), `late` (reports that came late), `values` and `path`
    (twelve each). `month`: judge that month instead of the last one whose reports are due; `line`: of that indicator
    alone (`I7` or `7`, its code and not its place in the table). Quarterly figures are judged at the quarter's end.
    Nothing is `done` without the lead unit's confirmation, nor, where the province settles, before it has.
    """
    head = document(workspace, plan, as_of)
    day = as_of or datetime.now(ZONE).date()
    settled = last_due(head["year"], reads.deadline_day(workspace, head), day) if month is None else month
    ways, steps = reads.paths(workspace, head, as_of), reads.steps(workspace, head, as_of)
    sure = reads.confirmations(workspace, head, as_of)
    by_line: dict[str, list[dict[str, Any]]] = {}
    for row in reads.report_rows(workspace, head, as_of):
        by_line.setdefault(row["line"], []).append(row)
    found = []
    for indicator in reads.indicators(workspace, head).to_dicts():
        code = indicator["line"]
        if line in (None, code, code[1:]):
            way = path_of(indicator, ways.get(code), steps.get(code, ()))
            found.append(_row(indicator, way, by_line.get(code, []), sure.get(code), settled))
    return found


def _row(
    indicator: Mapping[str, Any],
    way: laying.Path | None,
    told: Sequence[Mapping[str, Any]],
    sure: Mapping[str, Any] | None,
    month: int,
) -> dict[str, Any]:
    """Return one row of `status`."""
    at = month - month % 3 if indicator["frequency"] == "quarter" else month
    counting = {row["month"]: row for row in told if row["counts"]}
    values = [counting[m]["value"] if m in counting else None for m in range(1, 13)]
    last = counting.get(max((m for m in counting if m <= at and counting[m]["value"] is not None), default=0))
    confirmed = last is not None and _final(indicator, last) and _sure(indicator, told, sure)
    judged = values
    if indicator["figure"] == "milestones" and last is not None:  # a step that nobody told of is not reached
        judged = [last["value"] if last["month"] < m <= at else value for m, value in enumerate(values, 1)]
    standing = _stand(indicator, way, judged, at, confirmed)
    every = 3 if indicator["frequency"] == "quarter" else 1
    row: dict[str, Any] = {name: indicator[name] for name in (*_SHOWN, *_MORE)}
    row |= standing
    row["target"] = indicator["value"]
    row |= {
        "unit_name": unit_name(indicator["unit"]),
        "stage": last["stage"] if last else None,
        "review": last["state"] if last else None,
        "status": last["status"] if last else None,
        "told": last["told"] if last else None,
        "report": last["number"] if last else None,
        **_opens(last),
        "confirmed": confirmed,
        "confirmation": dict(sure) if sure else None,
        "missing": [m for m in range(every, at + 1, every) if m not in counting],
        "late": sum(
            row["late"] and row["feed"] != "computed" for row in counting.values()
        ),  # the platform's is nobody's
        "revised": sum(row["corrects"] is not None for row in told),
        "evidence": sum(row["evidence"] for row in told),
        "values": values,
        "path": list(way.expected) if way else [None] * 12,
        "method": way.method if way else None,
        "opening": way.opening if way else None,
    }
    return row


def _opens(report: Mapping[str, Any] | None) -> dict[str, Any]:
    """The `query` that opens a report's value and, of one worked out of others, these `inputs`, each with its own."""
    asked = json.loads(report["query"]) if report and report["query"] else None
    inputs = asked.pop("inputs", None) if asked else None
    return {"query": asked, "inputs": inputs}


def _final(indicator: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    """Whether a report may stand behind 完成: settled by the province where it settles, else accepted."""
    if indicator["settles"] == "province":
        return report["stage"] in SETTLED and report["state"] == "accepted"
    return bool(report["state"] == "accepted")


def early(indicator: Mapping[str, Any], month: int) -> bool:
    """Whether a report of `month` is too early to confirm an indicator: only December's settles a level, change or cap.

    What adds up or goes by steps is there for good once its target is reached.
    """
    steps = indicator["figure"] == "milestones"
    grows = steps or (indicator["figure"] in ("flow", "cumulative") and indicator["better"] != "lower")
    return not grows and month < 12


def _meets(indicator: Mapping[str, Any], value: float | None) -> bool:
    goal = 1.0 if indicator["figure"] == "milestones" else indicator["value"]
    if value is None or goal is None:
        return False
    slack = 1e-9 * max(1.0, abs(goal))
    lower = indicator["better"] == "lower" and indicator["figure"] != "milestones"
    return bool(value <= goal + slack if lower else value >= goal - slack)


def _sure(indicator: Mapping[str, Any], told: Sequence[Mapping[str, Any]], sure: Mapping[str, Any] | None) -> bool:
    """Whether the lead unit's confirmation still holds: not given too early, and no later report speaks against it."""
    if not sure or sure["action"] != "confirm":
        return False
    given = next((row for row in told if row["number"] == sure["report"]), None)
    if given is None:
        return True
    later = [row for row in told if row["counts"] and row["number"] > given["number"]]
    return not early(indicator, given["month"]) and all(_meets(indicator, row["value"]) for row in later)


def _stand(
    indicator: Mapping[str, Any], way: laying.Path | None, values: Sequence[float | None], month: int, confirmed: bool
) -> dict[str, Any]:
    if way is None:
        if indicator["figure"] == "milestones":
            reason = ("没有数值目标，里程碑还没有设定。", "The target has no figure and its milestones are not set.")
        else:
            reason = ("目标没有数值。", "The target has no figure.")
        return _nothing(month, reason)
    if month == 0:
        return _nothing(0, ("还没有到期的填报。", "No report is due yet."))
    better = "higher" if indicator["figure"] == "milestones" else indicator["better"]  # steps, whatever they are about
    standing: Standing = assess(way, values, month, better=better, confirmed=confirmed, unit=indicator["unit"])
    return standing.as_dict()


def _nothing(month: int, reason: tuple[str, str]) -> dict[str, Any]:
    known = {name: None for name in Standing.__dataclass_fields__}
    return known | {"state": "no_data", "month": month, "met": False, "reason": {"zh": reason[0], "en": reason[1]}}


def task_status(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return how each task and policy document stands: its last word of progress and the indicators that carry it.

    Rows `{line, kind: task|policy, number, title, domain, due, lead, joint, progress, text, month, told, report,
    review, confirmed, indicators: [line]}`; `progress` is one of tables.PROGRESS or None where nothing was told;
    `finished` counts only when the lead unit confirmed it, else it reads `under_way` with `confirmed` False.
    """
    head = document(workspace, plan, as_of)
    told: dict[str, list[Mapping[str, Any]]] = {}
    for row in reads.report_rows(workspace, head, as_of):
        if row["counts"]:
            told.setdefault(row["line"], []).append(row)
    sure = reads.confirmations(workspace, head, as_of)
    carriers: dict[int, list[str]] = {}
    for indicator in reads.indicators(workspace, head).to_dicts():
        for task in indicator["tasks"]:
            carriers.setdefault(task, []).append(indicator["line"])
    rows = []
    for one in reads.tasks(workspace, head).to_dicts():
        kept = {name: one[name] for name in ("line", "title", "domain", "due", "lead", "joint")}
        rows.append({**kept, "kind": "task", "number": one["task"], "indicators": carriers.get(one["task"], [])})
    for one in reads.policies(workspace, head).to_dicts():
        lead = [name for name in (one["drafter"] or "").split("、") if name]
        kept = {"line": one["line"], "title": one["title"], "due": one["due"], "domain": None}
        rows.append({**kept, "kind": "policy", "number": one["policy"], "lead": lead, "joint": [], "indicators": []})
    return [_task(row, told.get(row["line"], []), sure.get(row["line"])) for row in rows]


def _task(row: dict[str, Any], told: Sequence[Mapping[str, Any]], sure: Mapping[str, Any] | None) -> dict[str, Any]:
    """A task with its last word: the lead unit's where it told anything, else that of a unit that shares it."""
    report = max(told, key=lambda one: (not one["joint"], one["month"], one["number"]), default=None)
    confirmed = bool(sure and sure["action"] == "confirm" and report and report["state"] == "accepted")
    if sure and sure["report"]:  # what came after the confirmed report must not speak against it
        later = [one for one in told if not one["joint"] and one["number"] > sure["report"]]
        confirmed = confirmed and all(one["progress"] == "finished" for one in later)
    progress = report["progress"] if report else None
    said = {name: report[name] if report else None for name in ("text", "month", "told", "status")}
    return (
        row
        | said
        | {
            "progress": "under_way" if progress == "finished" and not confirmed else progress,
            "reported": progress,
            "report": report["number"] if report else None,
            "review": report["state"] if report else None,
            "confirmed": confirmed and progress == "finished",
        }
    )
