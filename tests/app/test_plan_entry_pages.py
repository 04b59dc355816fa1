"""The pages of entry, review and one indicator: read, filled, answered; the API beside them."""

import io
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import openpyxl
import pytest
from fastapi.testclient import TestClient

from dualcarbon import plan
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Listed, Told

WHO = quote("市交通运输局")
JSON = {"accept": "application/json"}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[TestClient]:
    """A browser on a workspace with Jiaxing's plan, two figures and a list told for March."""
    from dualcarbon.app.web import create_app

    workspace = Workspace.create(tmp_path / "city")
    plan.load(workspace, "cn-jiaxing/2024")
    listed = [Listed("I40", "浙F1", 3, mark="报废001"), Listed("I40", "浙F2", 2)]
    plan.tell(workspace, None, 3, [Told("I42", 3, 18.5)], listed, department="市交通运输局", at=date(2024, 4, 8))
    app = create_app(workspace.path, warm=False)
    with TestClient(app, headers={"accept": "text/html"}, raise_server_exceptions=False) as made:
        yield made


def test_pages_in_both_languages(reader: TestClient) -> None:
    for path, zh, en in (
        ("/plan/entry?month=3", "应报", "Departments"),
        (f"/plan/entry/{WHO}?month=3", "内河集装箱吞吐量", "leads"),
        ("/plan/review", "待审核", "to be reviewed"),
        ("/plan/indicator/I42", "按进度应达", "Due by the path"),
        ("/plan/indicator/40", "名单：2 个", "The list: 2"),
    ):
        for lang, words in (("zh", zh), ("en", en)):
            told = reader.get(path, params={"lang": lang} | ({"month": 3} if "month" in path else {}))
            assert told.status_code == 200 and words in told.text, (path, lang)
        twin = path.replace("?", ".json?") if "?" in path else f"{path}.json"
        assert reader.get(twin).json()["head"]["plan"] == "330400-2024"
    assert reader.get("/plan/indicator/I99").status_code == 404
    assert reader.get(f"/plan/entry/{quote('水务局')}").status_code == 422


def test_pages_of_plans_and_tasks(reader: TestClient) -> None:
    told = reader.get("/plan/document")
    assert told.status_code == 200 and "没有原文，未作核对" in told.text and "装配式建筑" in told.text
    text = Path(__file__).resolve().parents[1] / "cases" / "plan" / "feed"
    for year in (2025, 2026):
        file = text / f"jiangyuan-{year}.txt"
        sent = reader.post(
            "/plan/documents", files={"file": (file.name, file.read_bytes())}, data={"back": "page"},
            follow_redirects=False,
        )  # fmt: skip
        assert sent.status_code == 303 and sent.headers["location"] == f"/plan/document?plan={quote('江源市')}-{year}"
    asked = {"plan": "江源市-2025"}
    page = reader.get("/plan/document.json", params=asked).json()
    found = {group["class"]: len(group["rows"]) for group in page["findings"]}
    counts = plan.read_plan(text / "jiangyuan-2025.txt")["counts"]
    assert page["checked"] and found == {kind: count for kind, count in counts.items() if count}
    shown = reader.get("/plan/document", params=asked | {"lang": "en"}).text
    assert "Scope or omission" in shown and page["findings"][0]["rows"][0]["places"][0]["quote"][:8] in shown
    task = reader.get("/plan/task/T1.json", params=asked).json()
    assert task["text"] and task["task"]["lead"] and task["quantities"][0]["shown"]
    assert task["text"][:12] in reader.get("/plan/task/T1", params=asked).text
    assert reader.get("/plan/task/T99", params=asked).status_code == 404
    assert reader.get("/plan/task/P3", params={"plan": "330400-2024", "lang": "en"}).status_code == 200
    plans = {one["plan"]: one for one in reader.get("/plan/plans.json").json()["plans"]}
    assert plans["江源市-2025"]["later"] == "江源市-2026" and plans["330400-2024"]["lines"]["indicator"] == 57
    for lang, words in (("en", "Carry what is unfinished"), ("zh", "把未完成的结转到")):
        assert words in reader.get("/plan/plans", params={"lang": lang}).text
    form = {"plan": "江源市-2025", "to": "江源市-2026"}
    assert reader.post("/plan/carry-over", data=form, follow_redirects=False).status_code == 303
    carried = reader.get("/plan/document.json", params={"plan": "江源市-2026"}).json()["carried"]
    assert carried and {one["from_plan"] for one in carried} == {"江源市-2025"}
    novel = {"file": ("novel.txt", "他推开门。\n".encode() * 200)}
    refused = reader.post("/plan/documents", files=novel, data={"back": "page"})
    assert refused.status_code == 422 and "不像是工作计划" in refused.text


def test_a_department_fills_its_page(reader: TestClient) -> None:
    file = ("files", io.BytesIO(b"port table"), "text/plain")
    fields = {
        "plan": "330400-2024", "month": "4", "person": "张", "value.I42": "25", "text.I42": "港口月报",
        "list.I40": "浙F3 | 报废003\n浙F4 | 报废004 | 3", "progress.T11": "under_way", "text.T11": "完成招标",
        "stage.I42": "", "value.I38": "",
    }  # fmt: skip
    done = reader.post(
        f"/plan/entry/{WHO}", data=fields, files={"file.I42": ("月度表.txt", *file[1:])}, follow_redirects=False
    )
    assert done.status_code == 303 and done.headers["location"].endswith("month=4&kept=3&files=1")
    assert "已收到 3 项，进入审核。 附上佐证 1 份。" in reader.get(done.headers["location"]).text
    again = reader.post(f"/plan/entry/{WHO}", data={"month": "4", "value.I42": "25"})
    assert "没有新的内容" in again.text and "进入审核" not in again.text
    page = reader.get("/plan/indicator/I40.json").json()
    assert page["indicator"]["values"][:4] == [None, None, 2, 4] and len(page["entries"]) == 4
    told = reader.get("/plan/indicator/I42.json").json()["reports"][0]
    assert (told["value"], told["feed"], told["person"], told["files"][0]["name"]) == (25, "page", "张", "月度表.txt")
    sent = reader.get(f"/plan/evidence/{told['files'][0]['number']}")
    assert sent.content == b"port table" and "attachment" in sent.headers["content-disposition"]
    wrong = reader.post(f"/plan/entry/{WHO}", data={"month": "5", "value.I42": "很多", "value.I99": "1"})
    assert wrong.status_code == 422 and "不是数值" in wrong.text and "I99" in wrong.text
    strike = {"month": "5", "list.I40": "- 浙F3 | 报废003", "reason.I40": "证明作废"}
    assert reader.post(f"/plan/entry/{WHO}", data=strike, follow_redirects=False).status_code == 303
    assert reader.get("/plan/indicator/I40.json").json()["indicator"]["values"][4] == 3


def test_review_and_confirmation(reader: TestClient) -> None:
    waiting = reader.get("/plan/review.json").json()["waiting"]
    assert [row["line"] for row in waiting] == ["I42", "I40"]
    numbers = [row["number"] for row in waiting]
    none = reader.post("/plan/review", data={"decision": "returned", "reason": "不清楚", "plan": "330400-2024"})
    assert none.status_code == 422 and "没有选择任何填报" in none.text
    back = reader.post("/plan/review", data={"report": numbers[0], "decision": "returned", "plan": "330400-2024"})
    assert back.status_code == 422 and "原因" in back.text
    done = reader.post("/plan/review", data={"report": numbers, "decision": "accepted", "person": "李"})
    assert "已通过 2 项" in done.text and reader.get("/plan/review.json").json()["waiting"] == []
    said = {"line": "I42", "department": "市交通运输局", "plan": "330400-2024"}
    refused = reader.post("/plan/confirmations.json", json=said, headers=JSON)
    assert refused.status_code == 422 and refused.json()["problems"][0]["rule"] == "plan.not-met"


def test_what_was_done_is_said_on_its_own_page_only(reader: TestClient) -> None:
    text = (Path(__file__).resolve().parents[1] / "cases" / "plan" / "feed" / "jiangyuan-2025.txt").read_bytes()
    sent = {"file": ("jiangyuan-2025.txt", text)}
    assert reader.post("/plan/documents", files=sent, data={"back": "page"}).status_code == 200
    notices = {"kept": 3, "ways": 1, "files": 2, "lacking": 1, "decided": "accepted", "reports": 5}
    for path in ("/plan/review", "/plan/entry"):
        page = reader.get(path, params={"plan": "330400-2024", "month": 4, **notices}).text
        links = re.findall(r'href="(/plan/(?:review|entry)\?[^"]*)"', page)
        assert any(quote("江源市-2025") in one for one in links)
        elsewhere = [one for one in links if "lang=" not in one]  # the switch of languages stays on the page
        assert not [one for one in elsewhere for name in notices if f"{name}=" in one]
    for decided, words in (("accepted", "已通过 5 项"), ("returned", "已退回 5 项"), ("nonsense", None)):
        page = reader.get("/plan/review", params={"decided": decided, "reports": 5}).text
        assert words in page if words else 'role="status"' not in page
    assert 'role="status"' not in reader.get("/plan/review", params={"decided": "accepted"}).text


def test_the_api_answers_once(reader: TestClient) -> None:
    body = {"month": 4, "department": "市交通运输局", "told": [{"line": "I42", "value": 25}]}
    key = {**JSON, "Idempotency-Key": "april"}
    first = reader.post("/plan/reports.json", json=body, headers=key)
    assert first.status_code == 201 and not first.json()["already"]
    again = reader.post("/plan/reports.json", json=body, headers=key)
    assert again.json()["already"] and again.json()["batch"] == first.json()["batch"]
    other = reader.post("/plan/reports.json", json=body | {"month": 5}, headers=key)
    assert other.status_code == 422 and other.json()["problems"][0]["rule"] == "plan.key-used"
    number = first.json()["reports"][0]["number"]
    asked = {"reports": [number], "decision": "accepted", "person": "李"}
    one, two = (reader.post("/plan/reviews.json", json=asked, headers={**JSON, "Idempotency-Key": "r"}) for _ in "ab")
    assert (one.status_code, two.status_code) == (201, 201) and two.json()["already"]
    strange = reader.post("/plan/reports.json", json={"month": 13, "told": [{"value": 1}], "x": 1}, headers=JSON)
    assert strange.status_code == 422 and len(strange.json()["problems"]) == 3
    page = reader.get("/plan/reports.json", params={"limit": 2}).json()
    assert len(page["reports"]) == 2 and page["next"] == 2
    assert [row["number"] for row in reader.get("/plan/reports.json", params={"after": 2}).json()["reports"]] == [3]
    assert len(reader.get("/plan/status.json").json()["indicators"]) == 57
    loaded = reader.post("/plan/load.json", json={"document": "cn-jiaxing/2024"}, headers=JSON)
    assert loaded.status_code == 201 and loaded.json()["already"]
    assert reader.post("/plan/load.json", json={"document": "../../x"}, headers=JSON).status_code == 422
    foreign = reader.post("/plan/reports.json", json=body, headers={**JSON, "origin": "http://elsewhere.example"})
    assert foreign.status_code == 403


def _form(reader: TestClient, value: float, named: str) -> bytes:
    """The form of April with a figure for I42 and the names of its evidence."""
    form = reader.get("/plan/form.xlsx", params={"department": "市交通局", "month": 4})
    book = openpyxl.load_workbook(io.BytesIO(form.content))
    sheet = book["指标"]
    row = next(row for row in range(6, 12) if sheet.cell(row, 1).value == "I42")
    headings = {cell.value: cell.column for cell in sheet[5]}
    sheet.cell(row, headings["本期值"], value)
    sheet.cell(row, headings["佐证材料文件名"], named)
    filled = io.BytesIO()
    book.save(filled)
    return filled.getvalue()


def test_a_form_carries_its_evidence(reader: TestClient) -> None:
    form = ("file", ("form.xlsx", _form(reader, 24, "月度表.PDF；合同.pdf")))
    table, contract = (("evidence", (name, name.encode())) for name in ("月度表.pdf", "合同.pdf"))
    before = reader.get("/plan/reports.json").json()["reports"]
    for wrong, rule in (
        ([("evidence", ("别的.pdf", b"x"))], "plan.evidence-unmatched"),
        ([("evidence", ("合同.pdf", b""))], "plan.evidence-empty"),
        ([contract, contract], "plan.evidence-twice"),
    ):
        sent = reader.post("/plan/forms", files=[form, table, *wrong], headers=JSON)
        assert sent.status_code == 422 and {one["rule"] for one in sent.json()["problems"]} == {rule}
        page = reader.post("/plan/forms", files=[form, table, *wrong], data={"back": "page"})
        assert page.status_code == 422 and sent.json()["problems"][0]["message"] in page.text
    assert reader.get("/plan/reports.json").json()["reports"] == before
    sent = reader.post("/plan/forms", files=[form, table], headers=JSON).json()
    assert [(one["name"], one["attached"]) for one in sent["evidence"]] == [("月度表.PDF", True), ("合同.pdf", False)]
    later = reader.post("/plan/forms", files=[form, table, contract], headers=JSON).json()  # the same form once more
    assert later["already"] and all(one["attached"] for one in later["evidence"])
    told = reader.get("/plan/indicator/I42.json").json()["reports"][0]
    assert [one["name"] for one in told["files"]] == ["月度表.pdf", "合同.pdf"]
    assert plan.verify(reader.app.state.site.workspace) == []


def test_forms_and_files(reader: TestClient) -> None:
    form = reader.get("/plan/form.xlsx", params={"department": "市交通局", "month": 4})
    book = openpyxl.load_workbook(io.BytesIO(form.content))
    sheet = book["指标"]
    row = next(row for row in range(6, 12) if sheet.cell(row, 1).value == "I42")
    assert sheet.cell(row, 6).value == 18.5
    sheet.cell(row, 9, 24)
    filled = io.BytesIO()
    book.save(filled)
    sent = reader.post("/plan/forms", files={"file": ("form.xlsx", filled.getvalue())}, headers=JSON)
    assert sent.status_code == 201 and sent.json()["reports"][0]["value"] == 24
    bad = reader.post("/plan/forms", files={"file": ("form.xlsx", b"nothing")}, headers=JSON)
    assert bad.status_code == 422 and bad.json()["problems"][0]["rule"] == "plan.not-a-form"
    table = openpyxl.load_workbook(io.BytesIO(reader.get("/plan/indicator.xlsx?line=I40").content))
    assert table.sheetnames == ["进度", "填报", "名单"] and table["名单"].max_row == 3
    document = reader.post(
        "/plan/documents", files={"file": ("novel.txt", "他推开门。\n".encode() * 200)}, headers=JSON
    )
    assert document.status_code == 422 and document.json()["problems"][0]["rule"] == "plan.not-a-plan"


def test_pages_before_any_plan(tmp_path: Path) -> None:
    from dualcarbon.app.web import create_app

    workspace = Workspace.create(tmp_path / "new")
    with TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"}) as visitor:
        for path in ("/plan/plans", "/plan/document", "/plan/entry", "/plan/review"):
            told = visitor.get(path)
            assert told.status_code == 200 and "plan load" in told.text, path
        assert 'type="file"' in visitor.get("/plan/plans").text
        assert visitor.get("/plan/document?plan=330400-2024").status_code == 404
