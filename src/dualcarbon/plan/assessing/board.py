"""The leader's board: all that is assessed of a plan on one day, in one answer; and the sheet of a department."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from dualcarbon.core.tables import worst
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads, shipping
from dualcarbon.plan.assessing import dual as duals
from dualcarbon.plan.assessing import effect, effect_overlap, handed, projects, warnings, yearly
from dualcarbon.plan.progress import STATES
from dualcarbon.plan.store import ZONE, Asked, document
from dualcarbon.plan.words import STANDING_WORDS

TITLES = {state: {"zh": zh, "en": en} for state, (zh, en) in STANDING_WORDS.items()}
ASSUMED = {
    "fall": {
        "zh": "碳排放强度目标未下达，按能耗强度目标同幅",
        "en": "the carbon target was not handed down; the energy target is taken",
    },
    "growth": {
        "zh": "可比价增速未知，按不增长，结果偏小",
        "en": "real growth is not known and taken as none, so the need is too small",
    },
}
#: Indicators that belong to no task of the plan have no domain of it.
NO_DOMAIN = {"zh": "未对应任务的指标", "en": "Indicators without a task"}


def board(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the state of a plan on a day (today when None).

    `{plan, version, title, year, place, as_of, month, counts, indicators, tasks, task_counts, policies, domains,
    departments, warnings, warning_counts, dual, effect, projects, areas, status, synthetic}`; all of it is of the
    version in force on that day. `counts` are by state; `domains` and `departments` have `{name, counts, lines,
    states}`; `indicators` are rows of `follow.status` with their task's `domain`; `effect` is planned and reached so
    far; `areas` are the counties' energy by the workspace's accounts.
    """
    head = document(workspace, plan, as_of)
    day = as_of or datetime.now(ZONE).date()
    standing, tasks = follow.status(workspace, head, as_of), follow.task_status(workspace, head, as_of)
    of_task = {one["number"]: one["domain"] for one in tasks if one["kind"] == "task"}
    for row in standing:
        row["domain"] = row["domain"] or next((of_task.get(number) for number in row["tasks"]), None)
    told = projects.projects(workspace, head, as_of)
    dual = duals.dual(workspace, head, as_of)
    month = follow.last_due(head["year"], reads.deadline_day(workspace, head), day)
    statuses = {row["status"] for row in standing if row["status"]}
    people = [one["name"] for one in reads.departments(workspace, head)]
    return {
        "plan": head["plan"], "version": head["version"], "title": head["title"], "year": head["year"],
        "place": head["place"], "city": head["city"],
        "issued": head["issued"], "as_of": day, "month": month, "indicators": standing,
        "counts": counted(row["state"] for row in standing),
        "tasks": [one for one in tasks if one["kind"] == "task"],
        "task_counts": Counter(one["progress"] or "not told" for one in tasks if one["kind"] == "task"),
        "policies": [{**one, "days_overdue": _overdue(one, day)} for one in tasks if one["kind"] == "policy"],
        "domains": _grouped(standing, lambda row: [row["domain"]], list(dict.fromkeys(of_task.values()))),
        "departments": _grouped(standing, lambda row: row["lead"], people),
        **_warned(workspace, head, standing, tasks, told["projects"], dual, day),
        "dual": dual, "projects": told, "effect": effects(workspace, head, standing, dual),
        "areas": areas(workspace, dual, head, as_of), "status": worst(statuses) if statuses else None,
        "synthetic": "synthetic" in statuses or dual["synthetic"],
    }  # fmt: skip


def counted(states: Any) -> dict[str, int]:
    """Return how many lines stand in each state, all states named."""
    found = Counter(states)
    return {state: found[state] for state in STATES}


def _overdue(one: Mapping[str, Any], day: date) -> int | None:
    return None if one["reported"] == "finished" else warnings.overdue(one["due"], day)


def _grouped(rows: Sequence[Mapping[str, Any]], names: Any, order: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows by domain or department, in the plan's order; a row with several names counts for each."""
    found: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        for name in names(row):
            found.setdefault(name, []).append(row)
    known = [name for name in order if name in found] + [name for name in found if name not in order]
    return [
        {
            "name": name,
            "counts": counted(row["state"] for row in found[name]),
            "lines": [row["line"] for row in found[name]],
            "states": [row["state"] for row in found[name]],
        }
        for name in known
    ]


def _warned(
    workspace: Workspace,
    head: Mapping[str, Any],
    standing: Sequence[Mapping[str, Any]],
    tasks: Sequence[Mapping[str, Any]],
    told: Sequence[Mapping[str, Any]],
    dual: Mapping[str, Any],
    day: date,
) -> dict[str, Any]:
    rules = warnings.rules(head["pack"] or workspace.pack, head["year"])
    fired = warnings.fire(rules, warnings.kinds(standing, tasks, told, dual, day))
    warnings.answered(workspace, head, rules, fired, day)
    levels = Counter(one["level"] for one in fired)
    return {"warnings": fired, "warning_counts": {level: levels[level] for level in rules["levels"]},
            "warning_levels": rules["levels"]}  # fmt: skip


def effects(
    workspace: Workspace, plan: Asked, standing: Sequence[Mapping[str, Any]], dual: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the plan avoids as planned and as far as reached: `{planned, reached, need}`.

    `reached` is for the measures whose indicator has a report, others are left out and named in `not_reported`. `need`
    is as `effect_overlap.needed` gives it, with `assumed`: what had to be taken for it because nobody handed it down.
    """
    head = document(workspace, plan)
    pack, year = shipping.of(workspace, head)
    need = needed(dual)
    facts_ = plan_facts(workspace, head)
    told = effect.measures(pack, year)["measures"]
    actual = {row["line"]: row["actual"] for row in standing}
    done = {one["id"]: actual[one["line"]] for one in told if one.get("method") and actual.get(one["line"]) is not None}
    silent = [one["id"] for one in told if one.get("method") and one["id"] not in done]
    planned = effect.estimate(pack, year, plan=facts_, need=need)
    reached = effect.estimate(pack, year, plan=facts_, quantities={**dict.fromkeys(silent, 0.0), **done}, need=need)
    return {"planned": planned, "reached": reached, "not_reported": silent, "need": need}


def needed(dual: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the year's intensity target asks of emission, or None without last year's account.

    A carbon target that was not handed down is taken as the energy target, missing growth as none; `assumed` says so.
    """
    rows, before = dual["carbon"]["years"], dual["carbon"]["whole_previous"]
    fall = dual["carbon"]["basic"]
    assumed = []
    if fall is None:
        fall = dual["energy"]["basic"]
        assumed.append(ASSUMED["fall"])
    growth = rows[-1]["gdp_growth"] if rows else None
    if growth is not None and rows[-1]["months"] < 12:
        months = rows[-1]["months"]
        assumed.append({"zh": f"GDP 增速按 1—{months} 月", "en": f"growth of GDP as in months 1–{months}"})
    if growth is None:
        growth = 0.0
        assumed.append(ASSUMED["growth"])
    if before is None or fall is None:
        return None
    found: dict[str, Any] = dict(effect_overlap.needed(before, growth, fall))
    return found | {"fall": fall, "growth": growth, "previous": before, "assumed": assumed}


def plan_facts(workspace: Workspace, plan: Asked) -> dict[str, Any]:
    """The plan in the workspace as `effect` reads it."""
    indicators = reads.indicators(workspace, plan).to_dicts()
    rows = [
        {
            "line": one["line"],
            "number": one["indicator"],
            "name": one["name"],
            "value": one["value"],
            "unit": one["unit"],
        }
        for one in indicators
    ]
    return {"indicators": rows, "quantities": reads.quantities(workspace, plan).to_dicts()}


def areas(
    workspace: Workspace, dual: Mapping[str, Any], head: Mapping[str, Any], as_of: date | None = None
) -> list[dict[str, Any]]:
    """Return the counties' energy in the plan's year: `{place, name, value, previous, change_percent, status, …}`.

    Reports of a plan are the city's; what a county has is its energy by the workspace's accounts, if there is any.
    """
    from dualcarbon.core.classification import load

    basis, year, place = dual["energy"]["basis"], head["year"], dual["place"]
    until = dual["energy"]["months"]
    now, before = (
        yearly.by_area(workspace, basis, place, one, until=until, known_at=as_of) for one in (year, year - 1)
    )
    places = load(workspace.pack).places
    return [
        {
            "place": code,
            "name": {lang: places.name(code, lang) for lang in ("zh", "en")},
            **now[code],
            "previous": before.get(code, {}).get("value"),
            "change_percent": 100 * (now[code]["value"] / before[code]["value"] - 1)
            if code in before and before[code]["value"]
            else None,
        }
        for code in now
    ]


def department(
    workspace: Workspace,
    name: str,
    plan: Asked = None,
    as_of: date | None = None,
    *,
    whole: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the sheet of a department: its indicators, tasks, documents, warnings, reports and score.

    `name` may be one of its other names; `whole`: the board, if it is at hand. `{plan, title, year, as_of, month, name,
    synthetic, indicators, tasks, policies, warnings, counts, reports, score}`; `score` is the department's in the
    plan's scheme as things stand, None without one. Raises NoSuch.
    """
    from dualcarbon.core.faces import NoSuch

    head = document(workspace, plan, as_of)
    known = {alias: one for one in reads.departments(workspace, head) for alias in (one["name"], *one["aliases"])}
    if name not in known:
        raise NoSuch("department", name)
    own = known[name]
    whole = whole if whole is not None else board(workspace, head, as_of)
    mine = own["name"]
    reports = reads.reports(workspace, head, as_of).filter(pl.col("department") == mine)
    late = reports.filter(pl.col("late") & (pl.col("feed") != "computed"))
    scored = scores(workspace, head, whole["indicators"], as_of)
    return {
        "plan": whole["plan"], "title": whole["title"], "year": whole["year"], "as_of": whole["as_of"],
        "month": whole["month"], "name": mine, "synthetic": whole["synthetic"],
        "indicators": [row for row in whole["indicators"] if mine in row["lead"]],
        "tasks": [{**one, "role": "lead" if mine in one["lead"] else "joint"} for one in whole["tasks"]
                  if mine in (*one["lead"], *one["joint"])],
        "policies": [one for one in whole["policies"] if mine in one["lead"]],
        "warnings": [one for one in whole["warnings"] if mine in one["departments"]],
        "counts": counted(row["state"] for row in whole["indicators"] if mine in row["lead"]),
        "reports": {"late": late.select("line", "month").n_unique(), "all": reports.height,
                    "returned": int((reports["state"] == "returned").sum())},
        "score": next((one for one in scored["subjects"] if one["subject"] == mine), None) if scored else None,
    }  # fmt: skip


def scores(
    workspace: Workspace, plan: Asked, standing: Sequence[Mapping[str, Any]] | None = None, as_of: date | None = None,
    *, forecast: bool | None = None,
) -> dict[str, Any] | None:  # fmt: skip
    """Return the departments' score sheet, None without a scheme.

    `forecast`: by the year-end forecast, or as things stand; None: by the forecast while the year is under way.
    """
    from dualcarbon.plan.assessing import score_scheme
    from dualcarbon.plan.assessing.score import score

    asked = scheme_and_values(workspace, plan, standing, as_of, forecast=forecast)
    if asked is None:
        return None
    scheme, values, told = asked
    return score(score_scheme.checked(scheme), values, told)


def scheme_and_values(
    workspace: Workspace, plan: Asked, standing: Sequence[Mapping[str, Any]] | None = None, as_of: date | None = None,
    *, forecast: bool | None = None,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, dict[str, float]]] | None:  # fmt: skip
    """Return the plan's scheme for departments laid out, the values and the deductions as things stand."""
    from dualcarbon.plan.assessing import score_scheme

    head = document(workspace, plan, as_of)
    shipped = score_scheme.shipped(*shipping.of(workspace, head))
    chosen = next((one for one in shipped if one.get("of") == "department"), None)
    if chosen is None:
        return None
    rows = standing if standing is not None else follow.status(workspace, head, as_of)
    forecast = forecast if forecast is not None else under_way(rows)
    scheme = score_scheme.laid_over(workspace, head, score_scheme.checked(chosen), as_of)
    values = score_scheme.from_standing(scheme, rows, forecast=forecast)
    return scheme, values, score_scheme.slips(rows, reads.reports(workspace, head, as_of).to_dicts())


def under_way(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the year is still running for the lines: none is judged at December yet."""
    return all((row["month"] or 0) < 12 for row in rows)


def changes(workspace: Workspace) -> str:
    """Return a text that differs whenever a board may: whatever was told of the plan, the ledger, the day."""
    from dualcarbon.ledger.reads import standing
    from dualcarbon.plan.assessing import score_sheet

    marks = (reads.last_change(workspace), warnings.last_answer(workspace), projects.last_told(workspace),
             score_sheet.last_step(workspace), handed.last_told(workspace))  # fmt: skip
    entries = (standing(workspace.database) or {}).get("entries")
    return f"{marks} {entries} {datetime.now(ZONE).date()}"
