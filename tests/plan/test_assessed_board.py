"""Standings when the year is over or reports fall silent, the documents that say so, effect, warnings, projects."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import assess, path
from dualcarbon.plan.assessing import board, bulletin, effect, projects, warnings
from dualcarbon.plan.feeding import telling, ways
from dualcarbon.plan.feeding.checking import Told
from dualcarbon.plan.feeding.loading import load

BUILDING = "市建设局"


def tell(workspace: Workspace, line: str, month: int, value: float, at: date, department: str = BUILDING) -> None:
    telling.tell(workspace, None, month, [Told(line, month, value)], department=department, at=at)


def reports(**months: float) -> list[float | None]:
    return [months.get(f"m{month}") for month in range(1, 13)]


@pytest.mark.parametrize(
    ("way", "told", "better"),
    [
        (path("level", 27), {"m9": 26}, "lower"),  # a concentration of September
        (path("flow", 1000), {"m9": 950}, "lower"),  # a cap: the last quarter is missing
        (path("level", 93), {"m9": 95}, "higher"),
        (path("flow", 345), {"m3": 100}, "higher"),
        (path("change", 3), {"m11": 3.4}, "higher"),
    ],
)
def test_a_year_that_is_over_needs_its_own_figure(way: Any, told: dict[str, float], better: str) -> None:
    found = assess(way, reports(**told), 12, better=better, confirmed=True)
    assert (found.state, found.settled) == ("no_data", False)
    assert "全年的数还没有报" in found.reason[0] and "whole year" in found.reason[1]
    assert found.actual == next(iter(told.values()))


def test_what_adds_up_past_its_target_is_met_for_good() -> None:
    found = assess(path("flow", 345), reports(m9=350), 12)
    assert (found.state, found.settled) == ("on_pace", True)
    assert assess(path("flow", 345), reports(m9=350), 12, confirmed=True).state == "done"


def test_long_silence_is_not_on_pace() -> None:
    way = path("flow", 345)
    assert assess(way, reports(m3=100), 6).state == "on_pace"
    found = assess(way, reports(m3=100), 7)
    assert found.state == "no_data" and "3 月以后没有填报" in found.reason[0]
    assert assess(way, reports(m3=30), 11).state == "at_risk"  # what was behind does not get better by silence


def test_a_stock_without_an_opening_value_cannot_be_judged() -> None:
    found = assess(path("cumulative", 18), reports(m3=17.95), 3)
    assert found.state == "no_data" and "缺年初值" in found.reason[0] and "opening" in found.reason[1]
    assert assess(path("cumulative", 18), reports(m3=18), 3).settled
    assert assess(path("cumulative", 18), reports(m12=17.95), 12).state == "at_risk"


def test_the_self_assessment_lists_what_is_neither_done_nor_met(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    tell(workspace, "I32", 3, 100, date(2024, 4, 5))
    tell(workspace, "I33", 12, 17, date(2025, 1, 5))
    found = board.board(workspace, None, date(2025, 1, 12))
    rows = {row[0]: row for row in bulletin.bulletin(found, year_end=True).blocks[-3].rows}  # type: ignore[union-attr]
    assert "太阳能等可再生能源建筑应用" in rows and len(rows) == 56
    assert "既有公共建筑节能改造面积" not in rows


def test_documents_of_a_year_under_way_say_so(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    found = board.board(workspace, None, date(2024, 1, 20))
    assert bulletin.bulletin(found).subtitle == "2024年，还没有到期的填报"
    assert bulletin.bulletin(found, "en").subtitle == "2024, no report is due yet"
    assert "（年度未完）" in bulletin.bulletin(found, year_end=True).title
    assert "not over" in bulletin.bulletin(found, "en", year_end=True).title


def test_what_is_reached_says_what_is_not_reported(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    tell(workspace, "I33", 6, 10, date(2024, 7, 5))
    found = board.board(workspace, None, date(2024, 7, 12))
    silent = len(found["effect"]["not_reported"])
    assert silent
    text = [part.text for part in bulletin.bulletin(found).blocks if hasattr(part, "text")]
    assert any(f"{silent} 项还没有填报" in one for one in text)
    text = [part.text for part in bulletin.bulletin(found, "en").blocks if hasattr(part, "text")]
    assert any(f"{silent} are not reported yet" in one for one in text)


def test_measures_follow_their_line_and_not_its_place() -> None:
    plan = {
        "indicators": [
            {"line": "I1", "number": 1, "name": "一", "value": 3.0, "unit": "%"},
            {"line": "I58", "number": 2, "name": "新增抽水蓄能装机", "value": 5.0, "unit": "万千瓦"},
            {"line": "I2", "number": 3, "name": "新增可再生能源装机", "value": 80.0, "unit": "万千瓦"},
        ],
        "quantities": [{"line": "T9", "task": 9, "subject": "光伏", "value": 76.0, "unit": "万千瓦"}],
    }
    found = effect.targets(plan)
    assert found["I2", None]["value"] == 80 and found["I58", None]["value"] == 5 and ("I3", None) not in found
    assert found["T9", "光伏"]["value"] == 76


def fired(workspace: Workspace, day: date, line: str = "I32") -> dict[str, dict[str, Any]]:
    return {one["rule"]: one for one in board.board(workspace, None, day)["warnings"] if one["line"] == line}


def answers(workspace: Workspace, *told: tuple[str, str, date]) -> None:
    for warning, action, at in told:
        warnings.answer(workspace, warning, action, text="已办", at=at)


def test_an_answer_holds_for_its_own_trouble(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    tell(workspace, "I32", 3, 75, date(2024, 4, 5))  # 86 due
    assert fired(workspace, date(2024, 4, 12))["behind"]["state"] == "open"
    answers(workspace, ("behind/I32", "close", date(2024, 4, 15)))
    assert fired(workspace, date(2024, 4, 20))["behind"]["state"] == "closed"
    tell(workspace, "I32", 5, 150, date(2024, 6, 5))
    assert "behind" not in fired(workspace, date(2024, 6, 12))
    tell(workspace, "I32", 9, 230, date(2024, 10, 5))  # 259 due
    again = fired(workspace, date(2024, 10, 12))["behind"]
    assert again["state"] == "open" and len(again["answers"]) == 1
    answers(workspace, ("behind/I32", "follow-up", date(2024, 10, 13)))
    assert fired(workspace, date(2024, 10, 20))["behind"]["state"] == "followed up"


def test_a_follow_up_lasts_while_the_trouble_does(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    tell(workspace, "I32", 3, 75, date(2024, 4, 5))
    answers(workspace, ("behind/I32", "follow-up", date(2024, 4, 15)))
    tell(workspace, "I32", 5, 125, date(2024, 6, 5))  # 143 due: behind still
    assert fired(workspace, date(2024, 6, 12))["behind"]["state"] == "followed up"
    answers(workspace, ("behind/I32", "close", date(2024, 6, 13)))
    assert fired(workspace, date(2024, 6, 20))["behind"]["state"] == "closed"
    told = Told("I32", 5, 126, reason="补计一处")
    telling.tell(workspace, None, 5, [told], department=BUILDING, at=date(2024, 6, 25))
    assert fired(workspace, date(2024, 6, 26))["behind"]["state"] == "open"  # it was closed too soon


def test_a_warning_that_cannot_be_is_not_answered(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    for warning in ("no-such/I2", "behind/I999", "behind/T1", "behind"):
        with pytest.raises(Refused) as refused:
            warnings.answer(workspace, warning, "acknowledge")
        assert refused.value.problems[0].rule == "plan.no-warning"
    for warning in ("behind/I2", "task-blocked/T1", "policy-late/P3", "project-slow/uhv", "intensity-missed/energy"):
        assert warnings.answer(workspace, warning, "acknowledge")["state"] == "acknowledged"


def test_a_projects_lag_is_of_the_month_of_its_investment(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    day = date(2024, 4, 5)
    projects.tell(workspace, "jxdc-9", investment=20.0, start="2024-01-01", finish="2024-12-31", at=date(2024, 1, 5))
    projects.tell(workspace, "jxdc-9", month=3, invested=5.0, at=day)
    found = projects.tell(workspace, "jxdc-9", month=9, stage="主体封顶", at=date(2024, 10, 5))
    assert found["lag"] == pytest.approx(91 / 366 - 0.25)  # a quarter of the money in a quarter of the year
    assert (found["month"], found["invested_month"], found["stage"]) == (9, 3, "主体封顶")
    assert found["scheduled"] == pytest.approx(91 / 366)


@pytest.mark.parametrize(
    ("project", "told", "rule"),
    [
        ("typo", {"month": 3, "invested": 5.0}, "plan.no-project"),
        ("typo", {"investment": 5.0}, "plan.no-project"),
        ("uhv", {"month": 12, "invested": 5.0}, "plan.project-future"),
    ],
)
def test_projects_are_known_and_their_months_are_over(
    workspace: Workspace, project: str, told: dict[str, Any], rule: str
) -> None:
    load(workspace, "cn-jiaxing/2024")
    with pytest.raises(Refused) as refused:
        projects.tell(workspace, project, at=date(2024, 4, 5), **told)
    assert [one.rule for one in refused.value.problems] == [rule]
    new = projects.tell(workspace, "new", title={"zh": "新项目", "en": "New"}, investment=2.0, at=date(2024, 4, 5))
    assert new["investment"] == 2.0


def lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["line"] for row in rows]


def test_paths_of_openings_are_judged_again(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    tell(workspace, "I48", 3, 17.95, date(2024, 4, 5), "市农业农村局")
    before = board.board(workspace, None, date(2024, 4, 12))
    row = next(one for one in before["indicators"] if one["line"] == "I48")
    assert row["state"] == "no_data" and "缺年初值" in row["reason"]["zh"]
    assert "I48" not in lines([one for one in before["warnings"] if one["rule"] in ("behind", "out-of-reach")])
    ways.set_path(workspace, None, "I48", opening=17.9, at=date(2024, 4, 8), reason="补年初值")
    after = board.board(workspace, None, date(2024, 4, 12))
    assert next(one for one in after["indicators"] if one["line"] == "I48")["state"] != "no_data"
