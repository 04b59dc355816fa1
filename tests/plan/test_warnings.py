"""Warnings fire by the pack's rules, with reasons and answers; projects keep their terms and months."""

from datetime import date
from typing import Any

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import projects, warnings
from dualcarbon.plan.feeding.loading import load

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
    computed = indicator("I9", query={"item": "energy.tce"})  # what opens a figure puts none in question
    found = fired([indicator("I2", state="behind"), indicator("I1", state="at_risk"), computed])
    assert [(one["rule"], one["line"], one["level"]) for one in found] == [
        ("out-of-reach", "I1", 1),
        ("behind", "I2", 2),
    ]
    assert found[0]["level_name"]["zh"] == "一级"
    assert found[0]["reason"]["zh"] == "指标I1：截至 6 月为 1。"
    assert found[0]["departments"] == ["市发展改革委"]


def test_a_year_that_is_over_is_missed_and_no_longer_out_of_reach() -> None:
    found = fired([indicator("I1", state="at_risk", reported=12), indicator("I2", state="at_risk", reported=9)])
    assert [(one["rule"], one["title"]["zh"]) for one in found] == [
        ("missed", "全年未完成"),
        ("out-of-reach", "预计完不成"),
    ]


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
    row = indicator("I1", state="at_risk", missing=[1], met=True)
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
