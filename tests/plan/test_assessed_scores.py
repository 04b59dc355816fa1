"""Scores: what a review settles, what a forecast may say, and files that cannot be scored by."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads
from dualcarbon.plan.assessing import board, bulletin, score_changes, score_scheme, score_sheet, score_steps
from dualcarbon.plan.assessing.score import item, score
from dualcarbon.plan.feeding import telling
from dualcarbon.plan.feeding.checking import Told
from dualcarbon.plan.feeding.loading import load

SCHEME = score_scheme.checked({
    "id": "s", "title": "小方案", "bonus_limit": 5, "items": [
        {"id": "pv", "title": "光伏", "weight": 5, "basic": 80, "incentive": 96, "bonus": 1},
        {"id": "fall", "title": "降幅", "weight": 10, "basic": 3, "missed": "veto"},
    ],
})  # fmt: skip
VALUES = {
    "甲": {"pv": {"value": 97.0}, "fall": {"value": 3.1}},
    "乙": {"pv": {"value": 97.0}, "fall": {"value": 2.9}},
}


def by_subject(sheet: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in sheet["subjects"]}


def reviewed(workspace: Workspace) -> dict[str, Any]:
    """A sheet in which the review settles exactly the points that were calculated."""
    load(workspace, "cn-jiaxing/2024")
    made = score_sheet.start(workspace, "s", SCHEME, VALUES)
    for one in made["result"]["subjects"]:
        points = {row["item"]: row["points"] + row["bonus"] for row in one["rows"]}
        score_sheet.step(workspace, "s", "self-score", subject=one["subject"], points=points)
        made = score_sheet.step(workspace, "s", "review", subject=one["subject"], points=points)
    return made


def test_settling_the_calculated_points_changes_nothing(workspace: Workspace) -> None:
    calculated = by_subject(score(SCHEME, VALUES))
    assert {name: one["total"] for name, one in calculated.items()} == pytest.approx({"甲": 101, "乙": 60})
    settled = by_subject(reviewed(workspace)["result"])
    for name, one in calculated.items():
        for field in ("total", "points", "bonus", "veto", "base"):
            assert settled[name][field] == pytest.approx(one[field]), (name, field)
        assert settled[name]["high"] == pytest.approx(settled[name]["total"]), name
    assert "一票否决" in settled["乙"]["rows"][1]["arithmetic"]["zh"]


def test_settled_bonus_stays_within_its_limit() -> None:
    more = {**SCHEME, "bonus_limit": 0.5}
    cells = {"甲": {"pv": {"value": 97.0, "points": 6.0}, "fall": {"value": 3.1}}}
    assert score(more, cells)["subjects"][0]["total"] == pytest.approx(100.5)


def test_a_veto_is_lifted_by_name_and_with_a_reason(workspace: Workspace) -> None:
    reviewed(workspace)
    step = {"sheet": "s", "action": "review", "subject": "乙", "lift": ["fall"]}
    for wrong in ({**step}, {**step, "lift": ["none"], "reason": "x"}):
        with pytest.raises(Refused):
            score_sheet.step(workspace, **wrong)
    made = score_sheet.step(workspace, **step, points={"fall": 9.0}, reason="省核定口径不同")
    own = by_subject(made["result"])["乙"]
    assert (own["veto"], own["total"]) == (False, pytest.approx(100 * 14 / 15 + 1))
    assert "已解除" in own["rows"][1]["arithmetic"]["zh"]
    score_sheet.step(workspace, "s", "object", subject="乙", reason="x")
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s", "object", subject="甲", reason="x", lift=["fall"])


def test_an_item_that_the_scheme_lacks_is_refused(tmp_path: Path) -> None:
    scheme = {**SCHEME, "of": "place"}
    file = tmp_path / "v.csv"
    file.write_text("对象,编号,数值\n海宁市,falls,2.0\n海宁市,pv,90\n", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        score_scheme.read_values(file, scheme)
    assert [(one.rule, one.row, one.value) for one in refused.value.problems] == [("plan.no-item", 2, "falls")]
    file.write_text("对象,编号,数值\n海宁市,pv,90\n", encoding="utf-8")
    own = score(scheme, score_scheme.read_values(file, scheme))["subjects"][0]
    assert not own["complete"] and own["low"] <= 60 and own["rows"][1]["outcome"] == "no data"


def test_a_forecast_without_an_interval_leaves_the_item_open(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    telling.tell(workspace, None, 3, [Told("I32", 3, 100)], department="市建设局", at=date(2024, 4, 5))
    day = date(2024, 4, 12)
    own = board.department(workspace, "市建设局", None, day)["score"]
    row = next(one for one in own["rows"] if one["item"] == "I32")
    assert (row["outcome"], row["points"]) == ("open", None)
    assert row["low"] == 0 and row["high"] == row["weight"]
    assert "误差未知" in row["arithmetic"]["zh"] and "forecast" in row["arithmetic"]["en"]
    assert own["total"] is None


def test_a_value_that_is_tried_is_no_forecast() -> None:
    cells = {"甲": {"pv": {"value": 70.0, "low": None, "high": None, "forecast": True}, "fall": {"value": 3.1}}}
    tried = score_changes.what_if(SCHEME, cells, [{"subject": "甲", "item": "pv", "value": 97.0}])
    assert tried["before"]["subjects"][0]["rows"][0]["outcome"] == "open"
    assert tried["after"]["subjects"][0]["rows"][0]["outcome"] == "incentive"


def test_a_forecast_never_vetoes() -> None:
    cell = {"value": 2.9, "low": 2.6, "high": 3.2, "forecast": True}
    own = score(SCHEME, {"甲": {"pv": {"value": 97.0}, "fall": cell}})["subjects"][0]
    assert not own["veto"] and own["total"] > 60
    assert own["low"] <= 60  # the year may end so
    assert own["rows"][1]["arithmetic"]["zh"].startswith("按预计 2.9，未达基本目标")
    assert "按预计全年" in bulletin.score_blocks(own, "zh")[0].text  # type: ignore[union-attr]
    assert "By the year-end forecast" in bulletin.score_blocks(own, "en")[0].text  # type: ignore[union-attr]


def test_what_the_platform_tells_late_is_nobodys_lateness(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    said: dict[str, Any] = {"feed": "computed", "person": "dualcarbon"}
    telling.tell(workspace, None, 3, [Told("I1", 3, 3.2)], at=date(2024, 5, 5), **said)
    for day, value, reason in ((15, 80, None), (16, 81, "更正"), (17, 82, "再更正")):
        told = Told("I32", 3, value, reason=reason)
        telling.tell(workspace, None, 3, [told], department="市建设局", at=date(2024, 4, day))
    rows, reports = follow.status(workspace, None, date(2024, 5, 12)), reads.reports(workspace, None).to_dicts()
    assert score_scheme.slips(rows, reports) == {"市建设局": {"late": 1, "returned": 0}}
    assert {row["line"]: row["late"] for row in rows if row["line"] in ("I1", "I32")} == {"I1": 0, "I32": 1}
    assert board.department(workspace, "市建设局", None, date(2024, 5, 12))["reports"]["late"] == 1
    assert board.department(workspace, "市发展改革委", None, date(2024, 5, 12))["reports"]["late"] == 0


def test_a_recalculation_needs_new_values_and_keeps_the_others(workspace: Workspace) -> None:
    reviewed(workspace)
    score_sheet.step(workspace, "s", "freeze")
    again: dict[str, Any] = {"sheet": "s", "action": "recalculate", "reason": "普查修订"}
    for values in (None, VALUES, {"甲": {"fal": {"value": 3.0}}}, {"甲": {"fall": {"value": float("nan")}}}):
        with pytest.raises(Refused):
            score_sheet.step(workspace, **again, values=values)
    made = score_sheet.step(workspace, **again, values={"乙": {"fall": {"value": 3.2}}})
    totals = {name: one["total"] for name, one in by_subject(made["result"]).items()}
    assert totals == pytest.approx({"甲": 101, "乙": 101})
    score_sheet.step(workspace, "s", "review", subject="甲", points={"pv": 4.0})


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("items: [pv]", "items"),
        ("title: 5\nitems: [{id: pv, weight: 1}]", "title"),
        ("bonus_limit: 五分\nitems: [{id: pv, weight: 1}]", "bonus_limit"),
        ("veto_cap: .nan\nitems: [{id: pv, weight: 1}]", "veto_cap"),
        ("items: [{id: pv, weight: 1, better: small}]", "better"),
        ("bonus_rule: some\nitems: [{id: pv, weight: 1}]", "bonus_rule"),
        ("deductions: [late]\nitems: [{id: pv, weight: 1}]", "deductions"),
        ("items: {id: pv, weight: 1}", "items"),
    ],
)
def test_a_scheme_that_cannot_be_scored_by_is_refused(tmp_path: Path, text: str, column: str) -> None:
    (tmp_path / "s.yaml").write_text(f"id: a\n{'' if 'title' in text else 'title: 小方案'}\n{text}", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        score_scheme.read(tmp_path / "s.yaml")
    assert column in {one.column for one in refused.value.problems}


def test_titles_may_be_one_text_and_values_are_finite(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("id: a\ntitle: 小方案\nitems: [{id: pv, weight: 5, basic: 80}]", encoding="utf-8")
    scheme = score_scheme.read(tmp_path / "s.yaml")
    assert score(scheme, {"甲": {"pv": {"value": 80.0}}})["title"] == {"zh": "小方案", "en": "小方案"}
    (tmp_path / "v.csv").write_text("对象,编号,数值\n海宁市,pv,nan\n", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        score_scheme.read_values(tmp_path / "v.csv", scheme)
    assert [one.rule for one in refused.value.problems] == ["plan.bad-number"]


def test_figures_are_written_without_exponents() -> None:
    one = {"id": "x", "title": {"zh": "x", "en": "x"}, "unit": "吨", "weight": 5.0}
    said = item({"no_data": "open"}, one, {"value": 1234567.0, "basic": 2000000.0})["arithmetic"]
    assert "1234567/2000000" in said["zh"] and "e+" not in said["en"]
    row = {"indicator": 1, "name": "充电桩", "unit_name": {"zh": "个", "en": ""}, "target": 19000, "actual": 16543,
           "expected": 17750.5, "forecast": 1234567.0, "state": "behind"}  # fmt: skip
    assert bulletin.indicators([row], "zh").rows[0][3:7] == ["19000", "16543", "17750.5", "1234567"]


def test_items_come_from_one_line_of_a_form() -> None:
    assert score_steps.items_of(" fall、pv, x\n") == ["fall", "pv", "x"]
