"""The board, the sheet of a department, due dates: against hand-calculated cases and through the files given out."""

from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from icalendar import Calendar

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import board, bulletin, documents, schedule, score_scheme
from dualcarbon.plan.feeding.loading import load
from tests.plan.told import case

CASE = case("board-june")
DAY = date.fromisoformat(CASE["as_of"])


def test_states_as_calculated_by_hand(found: dict[str, Any]) -> None:
    states = {row["line"]: row["state"] for row in found["indicators"]}
    assert {line: states[line] for line in CASE["states"]} == CASE["states"]
    assert found["month"] == CASE["month"]
    assert found["counts"] == CASE["numbers"]["states"]


def test_lights_stand_under_their_department_and_domain(found: dict[str, Any]) -> None:
    departments = {one["name"]: one for one in found["departments"]}
    assert departments["市建设局"]["counts"] == {"done": 0, "on_pace": 2, "behind": 1, "at_risk": 1, "no_data": 3}
    assert departments["市政府办公室"]["lines"] == ["I54", "I55"]  # written 市府政府办公室 in the plan
    domains = {one["name"]: one["lines"] for one in found["domains"]}
    assert domains["全面提升建筑领域绿色低碳水平"] == ["I32", "I33", "I34", "I35", "I36"]
    assert sum(len(lines) for lines in domains.values()) == 57


def test_without_accounts_nothing_is_invented(found: dict[str, Any]) -> None:
    assert found["dual"]["energy"]["fall"] is None
    assert found["dual"]["energy"]["state"] is None
    assert found["effect"]["need"] is None
    assert found["areas"] == []
    assert not found["synthetic"]


def test_the_score_as_calculated_by_hand(june: Workspace, found: dict[str, Any]) -> None:
    case = CASE["score"]
    sheet = board.scores(june, found["plan"], found["indicators"], DAY, forecast=False)
    assert sheet is not None
    own = next(one for one in sheet["subjects"] if one["subject"] == case["department"])
    assert own["points"] == pytest.approx(case["points"])
    assert own["weight"] == case["weight"]
    assert own["total"] == pytest.approx(case["total"])
    assert sum(row["outcome"] == "no data" for row in own["rows"]) == case["open_items"]
    assert not own["complete"]
    assert own["high"] > own["total"]


def test_a_department_sees_its_own(june: Workspace, found: dict[str, Any]) -> None:
    own = board.department(june, "市住房和城乡建设局", None, DAY, whole=found)
    assert own["name"] == "市建设局"
    assert [row["line"] for row in own["indicators"]] == ["I32", "I33", "I34", "I35", "I36", "I37", "I56"]
    assert {one["role"] for one in own["tasks"]} == {"lead", "joint"}
    assert {one["line"] for one in own["warnings"]} >= {"I35", "I36", "P3"}
    with pytest.raises(NoSuch):
        board.department(june, "市外星局", None, DAY, whole=found)


def test_due_dates_as_a_calendar(june: Workspace) -> None:
    dues = schedule.dues(june)
    policies = {one["line"]: one["day"] for one in dues if one["kind"] == "policy"}
    assert policies["P3"] == date(2024, 3, 31)
    assert policies["P9"] == date(2024, 12, 31)  # the plan says no more than the year
    mine = schedule.dues(june, department="市建设局")
    reports = [one for one in mine if one["kind"] == "report"]
    assert [one["day"] for one in reports][:2] == [date(2024, 2, 10), date(2024, 3, 10)]
    assert reports[2]["title"]["zh"] == "填报 3 月指标（7 个）"
    content = documents.content(june, "calendar", "ics", department="市建设局")
    events = [one for one in Calendar.from_ical(content).walk("VEVENT")]
    assert len(events) == len(mine)
    assert len({str(one["uid"]) for one in events}) == len(events)
    assert content == documents.content(june, "calendar", "ics", department="市建设局")


def test_bars_of_the_year(june: Workspace) -> None:
    made = schedule.gantt(june, None, DAY)
    assert sum(len(one["rows"]) for one in made["groups"]) == 34
    assert len(made["groups"]) == 10
    ends = {one["line"]: one["end"] for one in made["policies"]}
    assert (ends["P3"], ends["P10"], ends["P9"]) == (3.0, 6.0, 12.0)


def test_the_workbook_has_everything(june: Workspace, found: dict[str, Any]) -> None:
    content = documents.content(june, "tables", "xlsx", as_of=DAY, board=found)
    book = openpyxl.load_workbook(BytesIO(content))
    assert book.sheetnames == ["指标", "任务", "政策文件", "预警", "重大项目", "双目标", "扣减口径", "下达和公布的数",
                               "绿证核销", "减排效果", "评分", "评分算式"]  # fmt: skip
    rows = [[cell.value for cell in row] for row in book["指标"].iter_rows()]
    assert len(rows) == 58
    assert rows[33][:5] == [33, "既有公共建筑节能改造面积", "万m2", 17, 8.5]
    english = openpyxl.load_workbook(
        BytesIO(documents.content(june, "tables", "xlsx", as_of=DAY, board=found, lang="en"))
    )
    assert english.sheetnames[0] == "Indicators"


def test_schemes_of_the_pack_are_the_plans(june: Workspace, found: dict[str, Any]) -> None:
    asked = board.scheme_and_values(june, found["plan"], found["indicators"], DAY)
    assert asked is not None
    scheme, values, told = asked
    assert score_scheme.checked(scheme)["id"] == "departments-2024"
    assert told == {"市交通运输局": {"late": 1.0, "returned": 0.0}}
    assert set(values["市建设局"]) == {"I32", "I33", "I34", "I35", "I36", "I37", "I56"}


def test_the_verbs_answer_as_the_pages_do(june: Workspace, verb: Callable[..., Any], tmp_path: Path) -> None:
    at = ("--workspace", june.path)
    told = verb("plan", "report", *at, "--as-of", CASE["as_of"], "--json").json
    assert told["counts"] == CASE["numbers"]["states"]
    assert (
        verb("plan", "warnings", *at, "--as-of", CASE["as_of"], "--json").json["counts"] == CASE["numbers"]["warnings"]
    )
    asked = ("plan", "score", *at, "--as-of", CASE["as_of"], "--as-it-stands", "--json")
    sheet = {one["subject"]: one for one in verb(*asked).json["sheet"]["subjects"]}
    assert sheet["市建设局"]["total"] == pytest.approx(CASE["score"]["total"])
    assert verb(*asked, "--what-if", "市建设局:I36=100").json["what_if"][0]["subject"] == "市建设局"
    assert verb("plan", "effect", "pv", *at, "--json").json["value"] == pytest.approx(378024)
    assert verb("plan", "dual", *at, "--json").json["energy"]["fall"] is None
    assert verb("plan", "project", *at, "--json").json["total"]["planned"] == 38
    wrote = verb("plan", "bulletin", tmp_path / "b.pdf", *at, "--as-of", CASE["as_of"], "--json")
    assert wrote.json["kind"] == "bulletin"
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")
    assert verb("plan", "calendar", tmp_path / "d.ics", *at, "--department", "市建设局", "--json").code == 0
    assert verb("plan", "bulletin", tmp_path / "b.txt", *at).code == 2
    assert verb("plan", "effect", "storage", *at, "--json").code == 1
    assert verb("plan", "report", *at, "--as-of", "yesterday").code == 2
    for absent in (("report", "--plan", "330400-1999"), ("score", "show", "none"), ("score", "--what-if", "某局:I1=3"),
                   ("bulletin", tmp_path / "d.pdf", "--kind", "department", "--department", "市外星局")):  # fmt: skip
        assert verb("plan", *absent, *at, "--json").code == 1, absent


def test_a_sheet_goes_its_way_on_the_command_line(june: Workspace, verb: Callable[..., Any]) -> None:
    at = ("--workspace", june.path, "--json")
    opened = verb("plan", "score", "open", "half-year", *at, "--as-of", CASE["as_of"])
    assert opened.json["state"] == "open"
    step = ("plan", "score", "step", "half-year")
    told = verb(*step, "self-score", *at, "--subject", "市建设局", "--points", "I36=1.5").json
    own = told["subjects"]["市建设局"]
    assert own == {"state": "self-scored", "claimed": {"I36": 1.5}, "settled": {}, "lifted": []}
    assert verb(*step, "freeze", *at).code == 1
    assert verb(*step, "review", *at, "--subject", "市建设局", "--points", "I36=0.5").code == 0
    assert verb("plan", "score", "show", *at).json["sheets"][0]["sheet"] == "half-year"


def test_another_citys_plan_gets_no_measures_of_this_one(workspace: Workspace) -> None:
    document = Path(__file__).parents[1] / "cases" / "plan" / "feed" / "jiangyuan-2025.txt"
    text = document.read_text(encoding="utf-8").replace("2025", "2024")
    (workspace.path / "plan.txt").write_text(text, encoding="utf-8")
    load(workspace, workspace.path / "plan.txt")
    found = board.board(workspace, None, date(2024, 6, 1))
    assert found["year"] == 2024
    assert found["effect"]["planned"]["rows"] == []
    assert found["projects"]["projects"] == []
    assert found["dual"]["energy"]["basic"] is None
    assert board.scores(workspace, found["plan"]) is None
    assert documents.content(workspace, "bulletin", "pdf", board=found).startswith(b"%PDF")


def test_the_same_plan_read_from_its_facts_keeps_them(june: Workspace) -> None:
    from dualcarbon.plan import shipping
    from dualcarbon.plan.store import document

    head = dict(document(june))
    assert shipping.of(june, head) == ("cn-jiaxing", 2024)
    assert shipping.of(june, {**head, "pack": None}) == ("cn-jiaxing", 2024)
    assert shipping.of(june, {**head, "pack": None, "city": "湖州市"})[1] == shipping.NO_YEAR


def test_every_kind_of_target_as_calculated_by_hand(september: Workspace) -> None:
    told = case("board-september")
    found = board.board(september, None, date.fromisoformat(told["as_of"]))
    rows = {row["line"]: row for row in found["indicators"]}
    for line, asked in told["standing"].items():
        for name, value in asked.items():
            if name != "how":
                wanted = pytest.approx(value, rel=1e-5) if isinstance(value, float | int) else value
                assert rows[line][name] == wanted, (line, name)
    numbers = bulletin.numbers(found)
    for name, value in told["numbers"].items():
        got = {str(level): count for level, count in numbers[name].items()} if name == "warnings" else numbers[name]
        assert got == (pytest.approx(value) if isinstance(value, float) else value), name
    sheet = board.scores(september, found["plan"], found["indicators"], date.fromisoformat(told["as_of"]))
    assert sheet is not None
    own = next(one for one in sheet["subjects"] if one["subject"] == told["score"]["department"])
    assert own["base"] == pytest.approx(told["score"]["total"], rel=1e-6)
    assert own["total"] == pytest.approx(told["score"]["total_after"], rel=1e-6)
