"""The quick-calc's pages say what the functions say; every number opens; tables and files stand beside charts."""

import re
import shutil
from datetime import date
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import openpyxl
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page

from dualcarbon import nowcast
from dualcarbon.app.web import create_app

EARLY = "2024-11-02"


@pytest.fixture(scope="module")
def board(client: TestClient) -> dict:
    return client.get("/nowcast.json").json()


def test_the_page_says_what_the_functions_say(client: TestClient, board: dict) -> None:
    page = client.get("/nowcast")
    assert page.status_code == 200 and "演示数据" in page.text
    head = board["head"]
    assert board["month"] == "2025-01" and head["state"] == "estimated"
    assert head["low"] < head["low80"] < head["value"] < head["high80"] < head["high"]
    assert f"{head['value'] / 1e4:,.1f}" in page.text
    for key in ("areas", "sectors", "domains"):
        assert sum(row["value"] for row in board[key]) == pytest.approx(head["value"])
    assert board["closed"]["month"] == "2024-12" and board["closed"]["low"] is None
    year = board["year"]
    assert year["year"] == 2024 and year["complete"]
    assert year["target"]["value"] == 50_400_000 and year["target"]["status"] == "synthetic"
    assert year["target"]["gap"] == pytest.approx(year["value"] - 50_400_000)
    assert sum(one["value"] for one in board["causes"]["effects"]) == pytest.approx(board["causes"]["change"])


def test_every_number_opens_into_parts_that_sum(client: TestClient, board: dict) -> None:
    text = client.get("/nowcast").text
    links = re.findall(r'class="num"[^>]*href="(/nowcast/open[^"]+)"', text)
    assert len(links) > 40
    link = links[0].replace("&amp;", "&")
    node = client.get(link.replace("/nowcast/open?", "/nowcast/open.json?")).json()
    assert node["value"] == pytest.approx(board["head"]["value"])
    assert sum(child["value"] for child in node["children"]) == pytest.approx(node["value"])
    assert sum(part["value"] for part in node["parts"]) == pytest.approx(node["value"])
    child = client.get("/nowcast/open.json", params=node["children"][0]["question"]).json()
    assert child["value"] == pytest.approx(node["children"][0]["value"])
    cell = client.get("/nowcast/open.json", params=child["children"][0]["question"]).json()
    guess = cell["parts"][0]["estimate"][0]
    assert sum(term["effect"] for term in guess["terms"]) == pytest.approx(guess["growth"], abs=1e-9)
    assert client.get(link).status_code == 200


def test_a_counted_number_opens_down_to_its_rows(client: TestClient) -> None:
    asked = {"month": "2024-12", "place": "330481", "sector": "C17"}
    node = client.get("/nowcast/open.json", params=asked).json()
    assert node["low"] is None and node["counted_share"] == 1
    for part in node["parts"]:
        assert part["node"]["value"] == pytest.approx(part["value"]) and not part["estimate"]
        leaf = (part["node"]["children"] or [part["node"]])[0]
        assert leaf["rows"] and leaf["factors"] and leaf["equations"][-1]["substituted"]
    assert "平均低位发热量" in client.get("/nowcast/open", params=asked).text
    assert client.get("/nowcast/open", params={"month": "2024-12", "sector": "C99"}).status_code == 422
    assert client.get("/nowcast", params={"place": "nowhere"}).status_code == 404


def test_looking_back_shows_what_was_known_then(client: TestClient) -> None:
    made = client.get("/nowcast.json", params={"known_at": EARLY}).json()
    assert client.get("/nowcast.json", params={"as_of": EARLY}).json() == made and made["as_of"] == EARLY
    assert made["as_of"] == EARLY and made["month"] == "2024-10" and made["head"]["state"] != "counted"
    year = made["year"]
    assert year["estimated_months"] == ["2024-10", "2024-11", "2024-12"]
    assert year["low"] < year["value"] < year["high"]


def test_tables_come_as_excel_and_reports_as_files(client: TestClient, board: dict) -> None:
    book = openpyxl.load_workbook(BytesIO(client.get("/nowcast/tables.xlsx").content))
    assert book.sheetnames[:3] == ["逐月", "年度累计", "地区"]
    values = [row[2] for row in book["地区"].iter_rows(min_row=3, values_only=True)]
    assert sum(values) == pytest.approx(board["head"]["value"])
    assert "演示数据" in book["逐月"]["A1"].value
    answer = client.get("/nowcast/situation.pdf", params={"year": 2024})
    assert answer.status_code == 200 and answer.content[:5] == b"%PDF-"


def test_the_record_is_shown_openly(client: TestClient) -> None:
    made = client.get("/nowcast/record.json", params={"months": 3}).json()
    replay = made["replay"]
    assert replay["better_than_last"] >= 0.65 and 0.85 <= replay["coverage90"] <= 1
    assert replay["state"] == "nothing" and {row["beaten"] for row in replay["sectors"]}
    assert replay["total"]["error_percent"] < replay["total"]["last_value_error_percent"]
    text = client.get("/nowcast/record", params={"months": 3}).text
    assert "未胜过" in text and "落在区间" in text
    rows = made["vintages"]["rows"]
    assert len(rows) == 3 and all(row["score"] for row in rows)
    assert sum(step["effect"] for step in made["news"]["steps"]) == pytest.approx(made["news"]["change"])
    assert "Record and revisions" in client.get("/nowcast/record", params={"months": 3, "lang": "en"}).text


def test_a_kept_run_is_shown_among_the_runs(city: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(city, tmp_path / "city")
    kept = nowcast.run(folder, as_of=date(2024, 11, 2), record=0)["run"]
    with TestClient(create_app(folder, warm=False), headers={"accept": "text/html"}) as client:
        assert kept["id"] in client.get("/runs").text
        page = client.get(f"/runs/{kept['id']}")
        assert page.status_code == 200 and "nowcast.monthly-bridge" in page.text
        opened = client.get("/nowcast/open.json", params={"month": "2024-10", "run": kept["id"]}).json()
    assert opened["value"] == pytest.approx(kept["result"]["value"])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_texts_are_in_the_readers_language(client: TestClient, lang: str) -> None:
    text = client.get("/nowcast", params={"lang": lang}).text
    main = text[text.index("<main") : text.index("</main>")]
    bare = re.sub(r"<script.*?</script>|<[^>]+>", " ", main, flags=re.DOTALL)
    assert ("已核算" in bare) == (lang == "zh")
    if lang == "en":
        assert not re.findall(r"[\u4e00-\u9fff]+", bare)


def test_charts_are_drawn_and_numbers_open_in_the_drawer(browser: Browser, address: str, tmp_path: Path) -> None:
    page: Page = browser.new_page(viewport={"width": 375, "height": 800})
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.goto(f"{address}/nowcast")
    page.wait_for_selector('[data-figure="fan"][data-ready] svg')
    assert page.locator("[data-figure][data-ready]").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.click("#estimate")
    page.wait_for_selector("#drawer[open] .explain .amount")
    page.close()
    assert not faults


def test_figures_derived_from_months_open_in_both_languages(client: TestClient, board: dict) -> None:
    links = set()
    for address in ("/nowcast", "/nowcast/record?months=3"):
        links |= set(re.findall(r'href="(/nowcast/open\?[^"]*kind=[^"]+)"', client.get(address).text))
    kinds = {kind: link for link in sorted(links) for kind in re.findall(r"kind=(\w+)", link)}
    assert set(kinds) >= {"sum", "effect", "news", "error", "score", "bridge"}
    for link in kinds.values():
        address = link.replace("&amp;", "&")
        for lang in ("zh", "en"):
            page = client.get(address, params={**dict(parse_qsl(urlsplit(address).query)), "lang": lang})
            assert page.status_code == 200 and 'class="amount"' in page.text, page.text[:500]
        text = page.text[page.text.index("<main") : page.text.index("</main>")]
        assert not re.findall(r"[\u4e00-\u9fff]+", re.sub(r"<[^>]+>", " ", text.split("<h2>")[0]))
    year = client.get("/nowcast/open.json", params={"kind": "sum", "period": "2024", "as_of": board["as_of"]}).json()
    assert year["value"] == pytest.approx(board["year"]["value"])
    bridge = client.get("/nowcast/open.json", params={"kind": "bridge", "period": "2024", "as_of": board["as_of"]})
    account = client.get("/explain.json", params=bridge.json()["query"]).json()
    assert bridge.json()["value"] == pytest.approx(account["value"])
