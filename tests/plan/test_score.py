"""Score sheets: hand-calculated cases, ranks within the data's uncertainty, what-if, and the steps to the freeze."""

import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import openpyxl
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import (
    demonstration,
    handed,
    score_changes,
    score_document,
    score_scheme,
    score_sheet,
    score_steps,
)
from dualcarbon.plan.assessing.assess_tables import SCORE_STEP
from dualcarbon.plan.assessing.score import score
from dualcarbon.plan.feeding.loading import load
from dualcarbon.plan.reading import facts
from dualcarbon.plan.store import document
from tests.plan.told import case

CASE = case("score-sheet")
SCHEME = score_scheme.checked(CASE["scheme"])
VALUES, TOLD = CASE["values"], CASE["deductions"]


def by_subject(sheet: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in sheet["subjects"]}


def test_the_sheet_as_calculated_by_hand() -> None:
    found = by_subject(score(SCHEME, VALUES, TOLD))
    for subject, points in CASE["points"].items():
        one = found[subject]
        assert {row["item"]: row["points"] for row in one["rows"]} == pytest.approx(points)
        for name in ("total", "low", "high"):
            assert one[name] == pytest.approx(CASE[name][subject], abs=1e-6), (subject, name)
        assert [one["rank_from"], one["rank_to"]] == CASE["ranks"][subject], subject
    assert found["乙"]["veto"]
    assert not found["丁"]["complete"]
    assert found["甲"]["tied"] == ["丁"]


def test_the_arithmetic_is_open_to_the_scored() -> None:
    rows = {row["item"]: row for row in by_subject(score(SCHEME, VALUES, TOLD))["甲"]["rows"]}
    assert rows["pv"]["arithmetic"]["zh"] == "未达基本目标：5 × min(70/80 = 0.875, 0.8) = 4 分"
    assert rows["energy"]["arithmetic"]["en"] == "basic target 3% met: 10 points, bonus 2"


def test_missing_is_not_zero_unless_the_scheme_says_so() -> None:
    found = by_subject(score({**SCHEME, "no_data": "zero"}, VALUES, TOLD))
    assert found["丁"]["total"] == pytest.approx(100 * 2 / 7)
    assert found["丁"]["complete"]


def test_what_would_turn_the_order() -> None:
    rows = {(one["above"], one["below"]): one for one in score_changes.sensitivity(SCHEME, VALUES, TOLD)}
    flip = CASE["flip"]
    found = rows[flip["above"], flip["below"]]
    assert found["certain"]
    assert flip["item"] in [one["item"] for one in found["items"]]
    for change in found["weights"]:
        scheme = score_changes.reweighted(SCHEME, {change["item"]: change["factor"]})
        pair = {name: VALUES[name] for name in (found["above"], found["below"])}
        totals = {name: one["total"] for name, one in by_subject(score(scheme, pair, TOLD)).items()}
        assert totals[found["above"]] <= totals[found["below"]] + 1e-6
    assert not rows["丁", "甲"]["certain"]


def test_what_if_before_publication() -> None:
    found = score_changes.what_if(SCHEME, VALUES, [{"subject": "乙", "item": "energy", "value": 3.0}], TOLD)
    moved = {one["subject"]: one for one in found["moved"]}
    assert moved["乙"]["before"] == 60
    assert moved["乙"]["after"] == pytest.approx(100 * 14.5 / 15)
    with pytest.raises(KeyError):
        score_changes.what_if(SCHEME, VALUES, [{"item": "nothing", "weight": 3}], TOLD)


@given(st.floats(0, 10), st.floats(0, 5), st.floats(0, 5))
def test_a_better_value_never_scores_less(value: float, more: float, spread: float) -> None:
    def total(v: float) -> float:
        cell = {"value": v, "low": v - spread, "high": v + spread}
        one = score(SCHEME, {"x": {"energy": cell}})["subjects"][0]
        assert one["low"] <= one["total"] <= one["high"]
        return float(one["total"])

    assert total(value + more) >= total(value) - 1e-9


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20)), min_size=1, max_size=6))
def test_ranks_hold_the_order_and_never_leave_the_field(told: list[tuple[float, float]]) -> None:
    values = {f"s{n}": {"pv": {"value": v, "low": max(v - d, 0), "high": v + d}} for n, (v, d) in enumerate(told)}
    sheet = score(SCHEME, values)["subjects"]
    for position, one in enumerate(sheet, 1):
        assert 1 <= one["rank_from"] <= one["rank_to"] <= len(sheet)
        ties = [other["total"] for other in sheet].count(one["total"])
        assert ties > 1 or one["rank_from"] <= position <= one["rank_to"]


def test_shipped_schemes_are_sound_and_cover_the_plan() -> None:
    schemes = {one["id"]: score_scheme.checked(one) for one in score_scheme.shipped("cn-jiaxing", 2024)}
    assert set(schemes) == {"departments-2024", "counties-2024"}
    rows = [
        {"line": f"I{one['number']}", "name": one["name"], "unit": one["unit"], "value": one["value"],
         "better": one["better"]}
        for one in facts.shipped("cn-jiaxing", 2024)["indicators"]
    ]  # fmt: skip
    laid = score_scheme.laid_out(schemes["departments-2024"], rows)
    assert len(laid["items"]) == 57
    items = {one["id"]: one for one in laid["items"]}
    assert (items["I1"]["weight"], items["I1"]["missed"], items["I1"]["basic"]) == (6, "veto", 3)
    assert (items["I36"]["weight"], items["I36"]["missed"]) == (2, "share")
    assert sum(one["weight"] for one in schemes["counties-2024"]["items"]) == 100


def test_schemes_and_values_come_from_files(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for line in (
        ["我的评分"],
        ["编号", "指标", "权重", "基本目标", "激励目标", "激励加分", "未完成", "封顶"],
        ["pv", "光伏", 5, 80, 96, 1, "share", 0.8],
        ["pm", "颗粒物", 5, 27, None, None, "zero", None],
    ):
        sheet.append(line)
    book.save(tmp_path / "mine.xlsx")
    scheme = score_scheme.read(tmp_path / "mine.xlsx")
    assert [one["id"] for one in scheme["items"]] == ["pv", "pm"]
    (tmp_path / "values.csv").write_text(
        "对象,编号,数值,下限,上限\n海宁市,pv,90,88,92\n海宁市,pm,,,\n", encoding="utf-8"
    )
    values = score_scheme.read_values(tmp_path / "values.csv")
    assert values["海宁市"]["pm"]["value"] is None
    assert by_subject(score(scheme, values))["海宁市"]["rows"][0]["points"] == 5
    (tmp_path / "said.csv").write_text("对象,编号,数值,状态\n海宁市,pv,90,演示数据\n", encoding="utf-8")
    assert score_scheme.read_values(tmp_path / "said.csv")["海宁市"]["pv"]["status"] == "synthetic"
    (tmp_path / "said.csv").write_text("对象,编号,数值,状态\n海宁市,pv,x,保证\n", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        score_scheme.read_values(tmp_path / "said.csv")
    assert {one.rule for one in refused.value.problems} == {"plan.unknown-status", "plan.bad-number"}
    (tmp_path / "bad.yaml").write_text(
        "id: x\ntitle: {zh: x, en: x}\nitems: [{id: a, weight: -1}, {id: a, missed: maybe}]"
    )
    with pytest.raises(Refused) as refused:
        score_scheme.read(tmp_path / "bad.yaml")
    assert len(refused.value.problems) == 4


def test_a_sheet_goes_its_way_and_a_frozen_one_stays(place: Workspace) -> None:
    workspace = place
    load(workspace, "cn-jiaxing/2024")
    score_sheet.start(workspace, "s1", SCHEME, VALUES, deductions=TOLD)
    assert score_sheet.start(workspace, "s1", SCHEME, VALUES, deductions=TOLD)["state"] == "open"
    with pytest.raises(Refused):
        score_sheet.start(workspace, "s1", SCHEME, {"甲": VALUES["甲"]})
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s1", "review", subject="甲")
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s1", "self-score", subject="甲", points={"pv": 7})
    for subject in VALUES:
        score_sheet.step(workspace, "s1", "self-score", subject=subject, points=dict.fromkeys(VALUES[subject], 1.0))
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s1", "freeze")
    for subject in VALUES:
        score_sheet.step(workspace, "s1", "review", subject=subject)
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s1", "object", subject="乙")
    score_sheet.step(workspace, "s1", "object", subject="乙", reason="统计口径有误")
    with pytest.raises(Refused) as refused:
        score_sheet.step(workspace, "s1", "freeze")
    assert refused.value.problems[0].value == "乙"
    score_sheet.step(workspace, "s1", "decide", subject="乙", points={"pm": 5}, reason="采用核定值")
    frozen = score_sheet.step(workspace, "s1", "freeze")
    assert frozen["state"] == "frozen"
    assert by_subject(frozen["result"])["乙"]["points"] == pytest.approx(9 + 5)
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s1", "self-score", subject="甲")
    with pytest.raises(Refused):
        score_sheet.step(workspace, "s1", "recalculate", values={"甲": {"pv": {"value": "x"}}}, reason="y")
    better = {**VALUES, "乙": {**VALUES["乙"], "energy": {"value": 3.0}}}
    again = score_sheet.step(workspace, "s1", "recalculate", values=better, reason="普查修订")
    assert (again["state"], again["edition"]) == ("recalculated", 2)
    assert by_subject(again["editions"][0]["result"])["乙"]["total"] == 60
    assert by_subject(again["result"])["乙"]["total"] == pytest.approx(100)
    last = score_sheet.step(workspace, "s1", "freeze")
    assert [one["edition"] for one in last["editions"]] == [1, 2]
    assert last["verified"]
    assert [one["sheet"] for one in score_sheet.sheets(workspace)] == ["s1"]
    with pytest.raises(NoSuch):
        score_sheet.read(workspace, "s2")


def test_steps_cannot_be_changed(place: Workspace) -> None:
    workspace = place
    load(workspace, "cn-jiaxing/2024")
    score_sheet.start(workspace, "s1", SCHEME, VALUES)
    for statement in ("UPDATE plan_score_step SET body='{}'", "DELETE FROM plan_score_step"):
        with pytest.raises(sa.exc.DatabaseError), workspace.database.begin() as connection:
            connection.exec_driver_sql(statement)


def earlier(workspace: Workspace, digest: str | None = None) -> dict[str, Any]:
    """Keep the steps of a sheet as an earlier version of the program did, and return what they gave then."""
    told = case("sheet-rules-1")
    load(workspace, "cn-jiaxing/2024")
    score_sheet.start(workspace, "another", SCHEME, VALUES)  # its tables
    rows = [{**one, "body": json.dumps(one["body"], ensure_ascii=False)} for one in told["steps"]]
    if digest is not None:
        rows[-1]["body"] = json.dumps({"digest": digest})
    with workspace.database.begin() as connection:
        connection.execute(sa.insert(SCORE_STEP), rows)
    return told


def test_a_sheet_frozen_by_earlier_rules_reads_as_it_did(place: Workspace) -> None:
    told = earlier(place)
    found = score_sheet.read(place, "year")
    subjects = by_subject(found["result"])
    assert {name: one["total"] for name, one in subjects.items()} == pytest.approx(told["totals"])
    assert {name: one["bonus"] for name, one in subjects.items()} == pytest.approx(told["bonus"])
    assert (found["verified"], found["editions"][0]["rules"]) == (True, 1)
    assert "第 1 版" in found["why"]["zh"] and "version 1" in found["why"]["en"]
    tried = score_changes.what_if(found["scheme"], score_steps.cells(found), [], found["deductions"])
    assert tried["before"]["subjects"][0]["total"] == pytest.approx(told["totals"]["甲"])
    again = score_sheet.step(place, "year", "recalculate", values={"丙": {"pv": {"value": 99}}}, reason="核定")
    assert by_subject(again["result"])["乙"]["total"] == 60  # the rules of today: the value keeps its veto
    assert by_subject(again["editions"][0]["result"])["乙"]["total"] == pytest.approx(told["totals"]["乙"])
    last = score_sheet.step(place, "year", "freeze")
    assert [(one["rules"], one["verified"]) for one in last["editions"]] == [(1, True), (2, True)]
    assert last["verified"] and "第 2 版" in last["why"]["zh"]


def test_a_sheet_that_does_not_hold_says_why(place: Workspace, verb: Callable[..., Any]) -> None:
    earlier(place, digest="0" * 64)
    found = score_sheet.read(place, "year")
    assert not found["verified"]
    assert "不符" in found["why"]["zh"] and "digest" in found["why"]["en"]
    assert "不符" in verb("plan", "score", "show", "year", "--workspace", place.path).out
    made = docx.Document(BytesIO(score_document.content(found, "docx")))
    assert any("不符" in one.text for one in made.paragraphs)


def test_a_sheet_as_of_a_day_is_by_the_steps_taken_then(workspace: Workspace, served: Callable[..., Any]) -> None:
    earlier(workspace)
    opened, frozen = date(2025, 1, 22), date(2025, 1, 24)
    assert [score_sheet.read(workspace, "year", day)["state"] for day in (opened, frozen)] == ["open", "frozen"]
    listed = {one["sheet"]: one["state"] for one in score_sheet.sheets(workspace, None, opened)}
    assert listed == {"year": "open"}  # the other was opened today
    with pytest.raises(NoSuch):
        score_sheet.read(workspace, "year", date(2024, 12, 31))
    client = served(workspace)
    found = client.get(f"/plan/score/sheets/year.json?known_at={opened}").json()
    assert (found["state"], found["editions"]) == ("open", [])
    assert "回看时不办理" in client.get(f"/plan/score/sheets/year?known_at={opened}&lang=zh").text
    assert client.get("/plan/score/sheets/year?known_at=2024-12-31").status_code == 404


def test_a_scheme_of_ones_own_names_no_earlier_rules() -> None:
    assert "rules" not in score_scheme.checked({**CASE["scheme"], "rules": 1})


@pytest.fixture
def counties(workspace: Workspace, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pack's scheme of counties and the values of the hand-calculated case, from a file."""
    load(workspace, "cn-jiaxing/2024")
    told = case("counties")
    (tmp_path / "values.csv").write_text("\n".join(told["values"]), encoding="utf-8")
    scheme = score_scheme.named(workspace, document(workspace), told["scheme"])
    return scheme, score_scheme.read_values(tmp_path / "values.csv")


def test_counties_as_calculated_by_hand(counties: tuple[dict[str, Any], dict[str, Any]]) -> None:
    told = case("counties")
    sheet = score(*counties)
    assert [one["subject"] for one in sheet["subjects"]] == told["order"]
    assert sheet["synthetic"]
    found = by_subject(sheet)
    for name in ("points", "bonus", "total", "low", "high"):
        assert {one: found[one][name] for one in found} == pytest.approx(told[name], abs=1e-6), name
    assert {one: [found[one]["rank_from"], found[one]["rank_to"]] for one in found} == told["ranks"]
    change = told["what_if"]
    moved = score_changes.what_if(*counties, [{name: change[name] for name in ("subject", "item", "value")}])["moved"]
    assert moved[0]["after"] == pytest.approx(change["after"])


def test_the_form_of_values_has_a_row_for_each_area_and_item(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, "cn-jiaxing/2024")
    made = score_scheme.values_form(workspace, document(workspace), None, tmp_path / "v.xlsx")
    assert (made["scheme"], made["rows"]) == ("counties-2024", 9 * 5)
    values = score_scheme.read_values(tmp_path / "v.xlsx")
    assert "嘉兴港区" in values and values["海宁市"]["energy-fall"]["value"] is None
    departments = score_scheme.values_form(workspace, document(workspace), "departments-2024", tmp_path / "d.csv")
    assert departments["rows"] > 57
    with pytest.raises(Refused):
        score_scheme.values_form(workspace, document(workspace), "nobody-2024", tmp_path / "n.csv")


def test_a_sheet_as_a_document(
    workspace: Workspace, counties: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    scheme, values = counties
    made = score_sheet.start(workspace, "县市区", scheme, values)
    assert score_steps.possible(made) == ["self-score"]
    (tmp_path / "s.docx").write_bytes(score_document.content(made, "docx"))
    words = docx.Document(str(tmp_path / "s.docx"))
    text = "\n".join(cell.text for table in words.tables for row in table.rows for cell in row.cells)
    assert "15 × min(2.4/3 = 0.8, 0.9) = 12" in text and "1–3" in text
    assert any("演示数据" in part.text for section in words.sections for part in section.header.paragraphs) or (
        "演示数据" in "\n".join(part.text for part in words.paragraphs)
    )
    book = openpyxl.load_workbook(BytesIO(score_document.content(made, "xlsx")))
    assert book.sheetnames == ["评分", "评分算式"] and "演示" in str(book["评分"]["A1"].value)
    assert score_document.content(made, "pdf", "en").startswith(b"%PDF")


def test_points_are_read_from_lines() -> None:
    assert score_steps.points_of("energy-fall=25\n saving ＝ 12.5\n\n") == {"energy-fall": 25, "saving": 12.5}
    with pytest.raises(Refused) as refused:
        score_steps.points_of("a=1\nb\nc=x")
    assert [one.row for one in refused.value.problems] == [2, 3]


def test_a_demonstration_shows_the_whole_way(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    with pytest.raises(Refused):
        demonstration.fill(workspace)
    row = {"place": "330400", "item": "economy.gdp", "value": 1.0, "unit": "yi_CNY", "start": date(2023, 1, 1)}
    frame = pl.DataFrame([row | {"end": date(2024, 1, 1)}])
    made_up = {"id": "made-up", "role": "control", "status": "synthetic"}
    workspace.import_frame(frame, source={"file": "x"}, dataset=made_up)
    assert demonstration.fill(workspace) == {"figures": 21, "sheets": 2, "projects": 3}
    assert demonstration.fill(workspace) == {"figures": 0, "sheets": 0, "projects": 0}
    sheet = score_sheet.read(workspace, demonstration.COUNTIES)
    assert (sheet["state"], sheet["edition"], sheet["verified"]) == ("frozen", 2, True)
    assert {one["action"] for one in sheet["steps"]} == set(score_steps.ACTIONS)
    assert by_subject(sheet["editions"][0]["result"])["平湖市"]["total"] == 60  # vetoed until the province settled it
    assert by_subject(sheet["result"])["平湖市"]["total"] > 95
    assert sheet["result"]["synthetic"] and len(sheet["result"]["subjects"]) == 9
    assert {one["status"] for one in handed.standing(workspace, "330400").values()} == {"synthetic"}
