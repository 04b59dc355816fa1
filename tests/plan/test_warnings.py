"""Warnings fire by the pack's rules, with reasons and answers; projects; dual targets by hand-calculated cases."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import dual, intensity, projects, warnings
from dualcarbon.plan.feeding.loading import load

CASE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "cases" / "plan" / "dual-targets.json").read_text(encoding="utf-8")
)
RULES = warnings.rules("cn-jiaxing", 2024)


def indicator(line: str, **fields: Any) -> dict[str, Any]:
    row = {
        "line": line, "name": f"指标{line}", "lead": ["市发展改革委"], "state": "on_pace", "missing": [], "query": None,
        "met": False, "confirmed": False, "month": 6, "reason": {"zh": "截至 6 月为 1。", "en": "1 by month 6."},
    }  # fmt: skip
    return row | fields


def fired(standing: list[dict[str, Any]], tasks: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    return warnings.fire(RULES, warnings.kinds(standing, tasks or [], [], None, date(2024, 8, 15)))


def test_rules_fire_with_their_reason_the_worst_first() -> None:
    found = fired([indicator("I2", state="behind"), indicator("I1", state="at_risk"), indicator("I9")])
    assert [(one["rule"], one["line"], one["level"]) for one in found] == [
        ("out-of-reach", "I1", 1),
        ("behind", "I2", 2),
    ]
    assert found[0]["level_name"]["zh"] == "一级"
    assert found[0]["reason"]["zh"] == "指标I1：截至 6 月为 1。"
    assert found[0]["departments"] == ["市发展改革委"]


def test_one_trouble_is_one_alarm() -> None:
    found = fired([indicator("I3", missing=[3, 4, 5, 6])])
    assert [one["rule"] for one in found] == ["silent-long"]
    assert "3、4、5、6" in found[0]["reason"]["zh"]
    assert [one["rule"] for one in fired([indicator("I3", missing=[6])])] == ["silent"]


def test_policies_are_overdue_when_their_month_is_over() -> None:
    policy = {
        "kind": "policy", "line": "P1", "title": "办法", "due": "2024-07", "lead": ["市发展改革委"],
        "progress": None, "reported": None, "confirmed": False, "number": 1,
    }  # fmt: skip
    found = fired(
        [], [policy, {**policy, "line": "P2", "due": "2024"}, {**policy, "line": "P3", "reported": "finished"}]
    )
    assert [(one["line"], one["reason"]["zh"]) for one in found] == [
        ("P1", "《办法》应于 2024-07 出台，已逾期 15 天。")
    ]
    assert warnings.overdue("2024-07", date(2024, 7, 31)) is None


def test_every_shipped_rule_can_be_tried_and_said() -> None:
    row = indicator("I1", state="at_risk", missing=[1], query={"rule": "x"}, met=True)
    for rule in RULES["rules"]:
        warnings.holds(rule["when"], row)
        assert rule["reason"]["zh"] and rule["reason"]["en"] and rule["action"]["zh"] and rule["action"]["en"]
        assert rule["level"] in RULES["levels"]
    with pytest.raises(ValueError, match="like"):
        warnings.holds([{"field": "state", "like": "x"}], row)


def test_answers_are_kept_in_order(place: Workspace) -> None:
    workspace = place
    load(workspace, "cn-jiaxing/2024")
    with pytest.raises(Refused):
        warnings.answer(workspace, "behind/I2", "close")
    with pytest.raises(Refused):
        warnings.answer(workspace, "behind/I2", "forget")
    warnings.answer(workspace, "behind/I2", "acknowledge", person="张三", at=date(2024, 8, 1))
    done = warnings.answer(workspace, "behind/I2", "follow-up", text="已约谈", at=date(2024, 8, 5))
    assert (done["state"], len(done["answers"])) == ("followed up", 2)
    assert warnings.answers(workspace, "330400-2024", date(2024, 8, 2))["behind/I2"]["state"] == "acknowledged"
    assert warnings.last_answer(workspace) == 2


def test_projects_keep_terms_and_months(place: Workspace) -> None:
    workspace = place
    load(workspace, "cn-jiaxing/2024")
    before = projects.projects(workspace)
    assert [one["investment"] for one in before["projects"]] == [None, None, None]
    assert (before["total"]["planned"], before["total"]["invested"]) == (38, None)
    projects.tell(workspace, "tongxiang-gas", investment=10.0, start="2024-01-01", finish="2024-12-31")
    found = projects.tell(workspace, "tongxiang-gas", month=6, invested=2.5, stage="主体施工")
    assert found["share"] == 0.25
    assert found["scheduled"] == pytest.approx(182 / 366)
    assert found["lag"] == pytest.approx(182 / 366 - 0.25)
    projects.tell(workspace, "tongxiang-gas", month=3, invested=1.0)
    after = projects.projects(workspace)
    assert after["total"]["invested"] == 2.5
    rows = warnings.kinds([], [], after["projects"], None, date(2024, 7, 15))
    assert [one["rule"] for one in warnings.fire(RULES, rows)] == ["project-slow"]
    with pytest.raises(Refused) as refused:
        projects.tell(workspace, "uhv", month=13, invested=-1, colour="red")
    assert {one.column for one in refused.value.problems} == {"month", "invested", "colour"}
    for bad in ({"investment": "much"}, {"start": "soon"}, {"title": "name"}, {"investment": float("nan")}):
        with pytest.raises(Refused):
            projects.tell(workspace, "uhv", **bad)
    assert projects.tell(workspace, "uhv", department="市电力局", by="市发展改革委")["department"] == "市电力局"
    assert projects.scheduled(None, None, 2024, 6) is None


def test_five_years_together() -> None:
    rows = [{"year": int(year), "fall": fall} for year, fall in CASE["falls"].items()]
    years = [2021, 2022, 2023, 2024, 2025]
    found = dual.over_years(rows, years, {"five_year_basic": CASE["five_year_basic"]})
    assert found["fall"] == pytest.approx(CASE["cumulative"], abs=1e-6)
    assert found["needed"] == pytest.approx(CASE["needed_2025"], abs=1e-6)
    assert (found["missing"], found["left"], found["state"]) == ([], [2025], None)
    holes = dual.over_years([rows[0], {"year": 2022, "fall": None}, *rows[2:]], years, {"five_year_basic": 0.145})
    assert holes["missing"] == [2022]
    assert holes["needed"] is None


def test_the_cap_of_certificates() -> None:
    case = CASE["cap"]
    asked = {name: case[name] for name in ("base_intensity", "gdp", "fall", "share")}
    assert dual.certificate_cap(**asked) == pytest.approx(case["tce"])


def filled(workspace: Workspace, growth: bool = True) -> Workspace:
    """A city that burns natural gas only, with its GDP."""
    load(workspace, "cn-jiaxing/2024")
    rows = []
    for year, gas in CASE["gas"].items():
        for item in ("energy.consumption", "energy.combustion"):
            row = {"place": "330400", "carrier": "natural_gas", "item": item, "value": float(gas), "unit": "wan_m3"}
            rows.append(row | {"start": date(int(year), 1, 1), "end": date(int(year) + 1, 1, 1)})
    workspace.import_frame(
        pl.DataFrame(rows),
        source={"file": "energy"},
        dataset={"id": "energy", "role": "account", "status": "synthetic"},
    )
    economy = [("economy.gdp", "yi_CNY", year, value) for year, value in CASE["gdp"].items()]
    if growth:
        economy += [("economy.gdp_growth", "%", year, value) for year, value in CASE["gdp_growth_percent"].items()]
    rows = [
        {"place": "330400", "item": item, "value": float(value), "unit": unit, "start": date(int(year), 1, 1),
         "end": date(int(year) + 1, 1, 1)} for item, unit, year, value in economy
    ]  # fmt: skip
    workspace.import_frame(
        pl.DataFrame(rows), source={"file": "gdp"}, dataset={"id": "gdp", "role": "control", "status": "synthetic"}
    )
    return workspace


def test_dual_targets_from_the_workspace(workspace: Workspace) -> None:
    found = dual.dual(filled(workspace))
    energy = found["energy"]
    assert [row["value"] for row in energy["years"][-2:]] == pytest.approx(list(CASE["tce"].values()))
    assert energy["years"][-1]["growth"] == pytest.approx(CASE["growth"])
    assert energy["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert energy["state"] == CASE["state"]
    assert found["carbon"]["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert found["carbon"]["state"] == "not set"
    assert energy["cumulative"]["missing"] == [2021, 2022, 2023]
    assert energy["cumulative"]["needed"] is None
    views = {one["view"]: one for one in energy["views"]}
    assert views["statistical"]["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert "2024.non_fossil" in views["minus non-fossil"]["missing"]
    assert found["certificates"]["missing"]


def test_without_real_growth_nothing_is_decided(workspace: Workspace) -> None:
    found = dual.dual(filled(workspace, growth=False))["energy"]
    assert found["fall"] is None
    assert found["state"] is None
    assert found["indicative"] == pytest.approx(CASE["indicative"], abs=1e-9)
    assert found["missing"] == ["2024.gdp_growth"]


def test_deductions_side_by_side() -> None:
    case = CASE["views"]
    base = intensity.Year(energy=13300, gdp=100, feedstock=0, non_fossil=case["non_fossil_2023"])
    year = intensity.Year(energy=13566, gdp=105.5, feedstock=0, non_fossil=case["non_fossil_2024"])
    views = {one["view"]: one for one in intensity.views(base, year, year=2024)}
    assert views["minus non-fossil"]["fall"] == pytest.approx(case["fall"], abs=1e-6)
