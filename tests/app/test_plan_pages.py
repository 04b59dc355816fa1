"""Pages of assessment: the board, indicators, warnings, scores, effect, timetable, departments; files and answers."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pdfplumber
import pytest
from fastapi.testclient import TestClient

from tests.app.serving import served
from tests.plan.told import case, tell

CASE = case("board-june")
DAY = CASE["as_of"]
PAGES = ("/plan", "/plan/indicators", "/plan/warnings", "/plan/dual", "/plan/score", "/plan/effect", "/plan/gantt",
         "/plan/department/市建设局")  # fmt: skip


@pytest.fixture(scope="module")
def planned(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A reader of a copy of the city with Jiaxing's plan and the reports of the hand-calculated case."""
    from dualcarbon.app.web import create_app
    from dualcarbon.core.workspace import Workspace

    folder = tmp_path_factory.mktemp("plan") / "city"
    shutil.copytree(city, folder)
    tell(Workspace.open(folder), CASE)
    with TestClient(create_app(folder, warm=False), headers={"accept": "text/html"}) as made:
        yield made


@pytest.mark.parametrize("path", PAGES)
def test_pages_answer_in_both_languages_and_as_json(planned: TestClient, path: str) -> None:
    for lang in ("zh", "en"):
        page = planned.get(path, params={"known_at": DAY, "lang": lang})
        assert page.status_code == 200, page.text[:500]
        assert f'lang="{"zh-CN" if lang == "zh" else "en"}"' in page.text
    assert planned.get(f"{path}.json", params={"known_at": DAY}).json()


@pytest.mark.parametrize("path", ["/plan", "/plan/effect", "/plan/dual"])
@pytest.mark.parametrize("day", ["2022-01-01", "2023-06-01"])
def test_days_before_any_data_have_a_page_too(planned: TestClient, path: str, day: str) -> None:
    assert planned.get(path, params={"known_at": day}).status_code == 200


def test_the_board_shows_the_hand_calculated_numbers(planned: TestClient) -> None:
    board = planned.get("/plan.json", params={"known_at": DAY}).json()["board"]
    assert board["counts"] == CASE["numbers"]["states"]
    assert board["warning_counts"] == CASE["numbers"]["warnings"]
    page = planned.get("/plan", params={"known_at": DAY, "lang": "zh"}).text
    assert "57 个指标中 3 个完成或正常，1 个有风险" in page
    assert "逾期 7" in page
    assert page.count('class="light at_risk"') == 2 * 1 + 1  # under its department, under its domain, and in the bar


def test_dual_targets_say_what_they_lack(planned: TestClient) -> None:
    board = planned.get("/plan.json", params={"known_at": DAY}).json()["board"]
    energy = board["dual"]["energy"]
    assert energy["provisional"]
    assert energy["fall"] is None
    assert energy["missing"] == ["2024-01/2024-03.gdp_growth"]  # energy to May; GDP is quarterly
    assert energy["said"]["zh"] == "不能判断：缺 2024 年 1—3 月 GDP 可比价增速"
    assert energy["years"][-1]["status"] == "synthetic"
    assert board["effect"]["need"]["assumed"]
    assert len(board["areas"]) == 7


def test_figures_of_the_effect_open(planned: TestClient) -> None:
    page = planned.get("/plan/effect", params={"known_at": DAY}).text
    assert 'data-opens href="/plan/effect/pv?' in page
    opened = planned.get("/plan/effect/pv.json").json()
    assert opened["value"] == pytest.approx(378024)
    assert {one["parameter"] for one in opened["factors"]} == {"pv.full_load_hours", "power.co2", "power.co2.fossil"}
    part = planned.get("/plan/effect/bus", headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    assert planned.get("/plan/effect/nothing").status_code == 404


def test_what_if_on_the_score_page(planned: TestClient) -> None:
    asked = {"known_at": DAY, "forecast": "false", "subject": "市建设局", "item": "I36", "value": "100"}
    found = planned.get("/plan/score.json", params=asked).json()
    moved = {one["subject"]: one for one in found["what_if"]}
    assert moved["市建设局"]["before"] == pytest.approx(CASE["score"]["total"])
    assert moved["市建设局"]["after"] == pytest.approx(100 * (3.24 - 0.4 + 2) / 8)
    assert planned.get("/plan/score", params={**asked, "item": "I99"}).status_code == 404


def test_warnings_are_answered_and_the_page_shows_it(planned: TestClient) -> None:
    form = {
        "warning": "year-unreported/I36",
        "action": "follow-up",
        "text": "已约谈",
        "person": "张三",
        "back": "/plan/warnings",
    }
    answer = planned.post("/plan/warnings", data=form, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/plan/warnings"
    page = planned.get("/plan/warnings", params={"lang": "zh"}).text
    assert "已约谈" in page
    refused = planned.post("/plan/warnings", data={**form, "text": ""})
    assert refused.status_code == 422 and "“整改”要写明理由" in refused.text
    foreign = planned.post("/plan/warnings", data=form, headers={"origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    stray = planned.post("/plan/warnings", data={**form, "back": "//elsewhere.example"}, follow_redirects=False)
    assert stray.status_code == 201


def test_projects_are_told_over_http(planned: TestClient) -> None:
    told = planned.post("/plan/projects/uhv", json={"investment": 5.0, "start": "2024-01-01", "by": "市发展改革委"})
    assert told.status_code == 201
    assert planned.post("/plan/projects/uhv", json={"month": 6, "invested": 2.0}).json()["share"] == 0.4
    for bad in ({"investment": "much"}, {"at": "2024-01-01"}, {"month": 13, "invested": 1}):
        assert planned.post("/plan/projects/uhv", json=bad).status_code == 422


def test_score_sheets_go_their_way_over_http(planned: TestClient) -> None:
    opened = planned.post("/plan/score/june/steps", json={"action": "open"})
    assert opened.status_code == 201
    assert opened.json()["state"] == "open"
    own = {"action": "self-score", "subject": "市建设局", "points": {"I36": 2}}
    assert planned.post("/plan/score/june/steps", json=own).json()["subjects"]["市建设局"]["state"] == "self-scored"
    assert planned.post("/plan/score/june/steps", json={"action": "freeze"}).status_code == 422
    assert planned.post("/plan/score/june/steps", json={"action": "review", "colour": "red"}).status_code == 422
    key = {"Idempotency-Key": "self-2"}
    first = planned.post("/plan/score/june/steps", json=own, headers=key).json()
    again = planned.post("/plan/score/june/steps", json=own, headers=key).json()
    assert again["already"]
    assert len(again["steps"]) == len(first["steps"])
    other = {**own, "points": {"I36": 1}}
    assert planned.post("/plan/score/june/steps", json=other, headers=key).status_code == 422
    for bad in ({"points": {"I36": "two"}}, {"points": [2]}, {"points": {"I36": 9}}):
        assert planned.post("/plan/score/june/steps", json={**own, **bad}).status_code == 422
    assert "已自评" in planned.get("/plan/score/sheets/june", params={"lang": "zh"}).text
    assert planned.get("/plan/score/sheets/none").status_code == 404


@pytest.mark.parametrize(
    ("name", "begins"),
    [("bulletin.docx", b"PK"), ("self-assessment.pdf", b"%PDF"), ("tables.xlsx", b"PK"),
     ("calendar.ics", b"BEGIN:VCAL"), ("department.pdf?department=市建设局", b"%PDF")],
)  # fmt: skip
def test_files_are_given_out(planned: TestClient, name: str, begins: bytes) -> None:
    answer = planned.get(f"/plan/files/{name}{'&' if '?' in name else '?'}known_at={DAY}")
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert "attachment" in answer.headers["content-disposition"]


def test_what_does_not_exist_is_not_found(planned: TestClient) -> None:
    assert planned.get("/plan/files/bulletin.xlsx").status_code == 404
    assert planned.get("/plan/files/department.pdf").status_code == 422
    assert planned.get("/plan/department/市外星局").status_code == 404
    assert planned.get("/plan", params={"plan": "330400-1999"}).status_code == 404


def test_a_workspace_without_a_plan_says_how_to_begin(client: TestClient) -> None:
    page = client.get("/plan", params={"lang": "zh"})
    assert page.status_code == 200
    assert "dualcarbon plan load" in page.text


def test_figures_handed_down_come_in_over_the_page(planned: TestClient) -> None:
    page = planned.get("/plan/dual", params={"lang": "zh"}).text
    assert "不能判断" in page and "还缺" in page and "/plan/dual/figures.xlsx" in page
    assert planned.get("/plan/dual/figures.xlsx").content.startswith(b"PK")
    form = planned.get("/plan/dual/figures.csv").content.decode("utf-8-sig")
    lines = [line.split(",") for line in form.splitlines()]
    growth = next(line for line in lines if line[:2] == ["GDP可比价增速", "2024"])
    growth[2], growth[6] = "5.6", "统计公报"
    text = "\n".join([",".join(lines[0]), ",".join(growth)])
    data = {"back": "page", "plan": "330400-2024"}
    sent = {"file": ("f.csv", text.encode(), "text/csv")}
    answer = planned.post("/plan/dual/file", files=sent, data=data, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/plan/dual?plan=330400-2024&kept=1&same=0")
    assert "已收到 1 个数" in planned.get(f"{answer.headers['location']}&lang=zh").text
    told = planned.get("/plan/dual.json").json()["board"]["dual"]["told"]
    assert [(one["name"], one["shown"]) for one in told] == [("gdp_growth", 5.6)]
    bad = planned.post("/plan/dual/figures", json=[{"name": "gdp_growth", "period": "2024", "value": "x"}])
    assert bad.status_code == 422
    good = {"name": "carbon_basic", "period": "2024", "value": 3.3, "source": "下达文件"}
    assert planned.post("/plan/dual/figures", json=[good]).json()["told"][0]["name"] == "carbon_basic"


def test_a_sheet_of_counties_goes_its_way_on_the_page(planned: TestClient) -> None:
    told = case("counties")
    sent = {"file": ("values.csv", "\n".join(told["values"]).encode(), "text/csv")}
    data = {"name": "三县", "scheme": told["scheme"], "back": "page"}
    opened = planned.post("/plan/score/new/open", files=sent, data=data, follow_redirects=False)
    assert opened.status_code == 303
    page = planned.get(opened.headers["location"], params={"lang": "zh"}).text
    assert "15 × min(2.4/3 = 0.8, 0.9) = 12" in page and "演示数据" in page
    claim = {"action": "self-score", "subject": "甲县", "points": "saving=15"}
    assert planned.post("/plan/score/三县/step", data=claim, follow_redirects=False).status_code == 303
    for wrong, words in (
        ({"action": "review"}, "没有选择对象"),
        ({**claim, "points": "很多"}, "一行写一项"),
        ({"action": "object", "subject": "甲县"}, "“异议”要写明理由"),
        ({"action": "decide", "subject": "甲县", "reason": "不清"}, "“已自评”，不能做“裁定”"),
    ):
        refused = planned.post("/plan/score/三县/step", data=wrong)
        assert refused.status_code == 422 and words in refused.text
    sheet = planned.get("/plan/score/sheets/三县.json").json()
    assert sheet["subjects"]["甲县"]["claimed"] == {"saving": 15}
    tried = planned.get("/plan/score/sheets/三县.json", params={"subject": "乙县", "item": "energy-fall", "value": 3})
    assert tried.json()["what_if"][0]["after"] == pytest.approx(told["what_if"]["after"])
    item = "{id: saving, title: {zh: 节能, en: Saving}, weight: 5}"
    small = f"id: small\ntitle: {{zh: 小方案, en: Small}}\nof: place\nitems: [{item}]"
    rows = [told["values"][0], *(row for row in told["values"] if ",saving," in row)]  # its items and no others
    fitting = ("values.csv", "\n".join(rows).encode(), "text/csv")
    both = {"file": fitting, "own": ("small.yaml", small.encode(), "text/yaml")}
    own = planned.post("/plan/score/小/open", files=both, data={"plan": "330400-2024"})
    assert own.status_code == 201 and own.json()["scheme"]["id"] == "small"
    assert [row["item"] for row in own.json()["result"]["subjects"][0]["rows"]] == ["saving"]
    for kind, begins in (("docx", b"PK"), ("pdf", b"%PDF"), ("xlsx", b"PK")):
        assert planned.get(f"/plan/score/sheets/三县/score.{kind}").content.startswith(begins)
    assert planned.get("/plan/score/values.csv", params={"scheme": told["scheme"]}).status_code == 200
    assert planned.post("/plan/score/三县/step", data={"action": "freeze"}).status_code == 422


def test_the_tasks_of_a_plan_print_on_few_pages(planned: TestClient, page: Any) -> None:
    with served(planned.app) as address:
        page.goto(f"{address}/plan/document?lang=zh")
        # as narrow as a phone, and yet with every column
        margins = dict.fromkeys(("top", "bottom", "left", "right"), "20mm")
        with pdfplumber.open(io.BytesIO(page.pdf(format="A4", margin=margins))) as printed:
            assert len(printed.pages) <= 6
            assert "市科技局" in "".join(one.extract_text() for one in printed.pages)
