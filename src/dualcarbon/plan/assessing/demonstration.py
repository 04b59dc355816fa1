"""What a demonstration workspace gets for assessment: made-up figures of the dual targets and scores, all labelled.

The files beside this module hold the values; every row says `synthetic`, and so do pages, files and JSON. They go
through the same doors as real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import shipping
from dualcarbon.plan.assessing import handed, projects, score_scheme, score_sheet
from dualcarbon.plan.store import document

HERE = Path(__file__).parent
PERSON = "演示填报员"
COUNTIES, DEPARTMENTS = "演示-县市区", "演示-部门"
#: Growth of GDP is published so long after its months.
GROWTH, PUBLISHED = "GDP可比价增速", timedelta(days=19)
MISSTATED, ITEM, SETTLED = "平湖市", "energy-fall", 3.0


def fill(workspace: Workspace, plan: str | None = None) -> dict[str, int]:
    """Fill a demonstration workspace; what is there already stays. Returns `{figures, sheets, projects}` added.

    Only the plan that the pack itself ships gets any: the values are its city's and year's. Raises Refused
    `plan.not-a-demo` for a workspace without synthetic data.
    """
    told = figures(workspace, plan)
    head = document(workspace, plan)
    if shipping.of(workspace, head)[1] == shipping.NO_YEAR:
        return {"figures": told, "sheets": 0, "projects": 0}
    known = {one["sheet"] for one in score_sheet.sheets(workspace)}
    added = 0
    if COUNTIES not in known:
        added += _counties(workspace, head)
    if DEPARTMENTS not in known:
        added += _departments(workspace, head)
    return {"figures": told, "sheets": added, "projects": _projects(workspace, head)}


def figures(workspace: Workspace, plan: str | None = None) -> int:
    """Tell the made-up figures of the dual targets, growth of GDP on the day on which it would be published, before
    what the platform computes with it. Returns how many are new; raises Refused as `fill` does."""
    if not any(one["status"] == "synthetic" for one in workspace.datasets()):
        raise Refused(Problem("plan.not-a-demo", value=str(workspace.path.name)))
    head = document(workspace, plan)
    if shipping.of(workspace, head)[1] == shipping.NO_YEAR:
        return 0
    days: dict[date, list[dict[str, Any]]] = {}
    for row in handed.read_file(HERE / "demo_handed.csv"):
        day = date(head["year"] + 1, 3, 20)
        if row["name"] == GROWTH:
            day = periods.parse(row["period"]).end + PUBLISHED
        days.setdefault(day, []).append(row)
    told = [handed.tell(workspace, head["place"], rows, at=day, person=PERSON) for day, rows in sorted(days.items())]
    return sum(len(one["told"]) for one in told)


def _counties(workspace: Workspace, head: Mapping[str, Any]) -> int:
    """A sheet that went all its way: self-scores, reviews, an objection decided, frozen, recalculated, frozen again."""
    scheme = next((one for one in score_scheme.shipped(*shipping.of(workspace, head)) if one["of"] == "place"), None)
    if scheme is None:
        return 0
    values = score_scheme.read_values(HERE / "demo_counties.csv")
    year = int(head["year"]) + 1
    started: dict[str, Any] = {"plan": str(head["plan"]), "at": date(year, 2, 1), "person": PERSON}
    made = score_sheet.start(workspace, COUNTIES, score_scheme.checked(scheme), values, **started)
    for one in made["result"]["subjects"]:
        points = {
            row["item"]: round(row["points"] + row["bonus"], 2) for row in one["rows"] if row["points"] is not None
        }
        if one["subject"] == MISSTATED:
            points[ITEM] = 25.0
        _step(workspace, COUNTIES, "self-score", date(year, 2, 10), subject=one["subject"], points=points)
        _step(workspace, COUNTIES, "review", date(year, 2, 20), subject=one["subject"])
    objected = {"subject": MISSTATED, "reason": "演示：对能耗强度下降率有异议"}
    _step(workspace, COUNTIES, "object", date(year, 2, 25), **objected)
    decided = {"subject": MISSTATED, "reason": "演示：维持原数，待省核定后重算"}
    _step(workspace, COUNTIES, "decide", date(year, 3, 3), **decided)
    _step(workspace, COUNTIES, "freeze", date(year, 3, 5))
    settled = {**values[MISSTATED][ITEM], "value": SETTLED, "low": SETTLED, "high": SETTLED}
    better = {**values, MISSTATED: {**values[MISSTATED], ITEM: settled}}
    _step(workspace, COUNTIES, "recalculate", date(year, 4, 10), values=better, reason="演示：省核定后重算")
    _step(workspace, COUNTIES, "freeze", date(year, 4, 12))
    return 1


def _departments(workspace: Workspace, head: Mapping[str, Any]) -> int:
    """A sheet under way: most have scored themselves, some are reviewed, one objects."""
    from dualcarbon.plan.assessing import board

    asked = board.scheme_and_values(workspace, str(head["plan"]), forecast=False)
    if asked is None:
        return 0
    scheme, values, told = asked
    year = int(head["year"]) + 1
    made = score_sheet.start(
        workspace, DEPARTMENTS, scheme, values, plan=str(head["plan"]), deductions=told, at=date(year, 2, 1),
        person=PERSON,
    )  # fmt: skip
    for n, one in enumerate(sorted(made["result"]["subjects"], key=lambda one: str(one["subject"]))):
        points = {
            row["item"]: round(row["points"] + row["bonus"], 2) for row in one["rows"] if row["points"] is not None
        }
        if n % 5 == 4 or not points:
            continue
        _step(workspace, DEPARTMENTS, "self-score", date(year, 2, 10), subject=one["subject"], points=points)
        if n % 5 != 3:
            _step(workspace, DEPARTMENTS, "review", date(year, 2, 20), subject=one["subject"])
        if n == 2:
            why = {"subject": one["subject"], "reason": "演示：迟报次数有异议"}
            _step(workspace, DEPARTMENTS, "object", date(year, 2, 25), **why)
    return 1


def _step(workspace: Workspace, sheet: str, action: str, at: date, **said: Any) -> None:
    score_sheet.step(workspace, sheet, action, at=at, person=PERSON, **said)


def _projects(workspace: Workspace, head: Mapping[str, Any]) -> int:
    """Made-up investment and months of the plan's major projects."""
    year, added = int(head["year"]), 0
    for n, one in enumerate(projects.projects(workspace, str(head["plan"]))["projects"]):
        if one["month"] is not None:
            continue
        name, planned = one["project"], (22.0, 9.0, 7.0)[n % 3]
        said: dict[str, Any] = {"plan": str(head["plan"]), "person": PERSON, "status": "synthetic"}
        terms: dict[str, Any] = {"investment": planned, "start": f"{year}-01-01", "finish": f"{year}-12-31"}
        projects.tell(workspace, name, at=date(year, 1, 15), **terms, **said)
        for month in (3, 6, 9, 12):
            share = (month / 12) * (1.02, 0.78, 0.97)[n % 3]
            told: dict[str, Any] = {"invested": round(planned * share, 2), "stage": f"演示：{month} 月进展"}
            projects.tell(workspace, name, month=month, at=date(year + month // 12, month % 12 + 1, 8), **told, **said)
        added += 1
    return added
