"""Data over the web: checked, imported, corrected and taken back, on pages and through the interface."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Page, expect

from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from tests.app.serving import served

HEAD = "地区,行业,能源品种,指标,时期,数值,计量单位\n"
GOOD = HEAD + "330402,C17,柴油,燃料燃烧量,2024-01,100,吨\n330402,C17,柴油,燃料燃烧量,2024-02,110,吨\n"
BAD = HEAD + "330402,C17,柴油,燃料燃烧量,2024-13,abc,吨\n999999,C17,柴油,燃料燃烧量,2024-02,-5,公里\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new, empty workspace."""
    return Workspace.create(tmp_path / "city", "cn-jiaxing").path


@pytest.fixture
def site(folder: Path) -> Iterator[TestClient]:
    """A program that speaks to the new workspace."""
    with TestClient(create_app(folder, warm=False), headers={"accept": "application/json"}) as made:
        yield made


def sent(site: TestClient, text: str, page: str = "", name: str = "rows.csv", **said: str):
    """Send a file: as a program, from a plain `page`, or from one whose form stays (`htmx`)."""
    headers = {"accept": "text/html"} if page else {}
    if page == "htmx":
        headers["hx-request"] = "true"
    files = {"file": (name, text.encode(), "text/csv")}
    return site.post("/imports", files=files, data=said, headers=headers, follow_redirects=False)


def test_a_check_changes_nothing_and_an_import_counts_once(site: TestClient, folder: Path) -> None:
    checked = sent(site, GOOD, dry_run="true")
    assert checked.status_code == 200
    assert checked.json() | {"rows": 2, "dry_run": True, "id": None, "already": False} == checked.json()
    assert site.get("/imports.json").json()["imports"] == []
    kept = sent(site, GOOD)
    done = kept.json()
    assert kept.status_code == 201
    assert (done["rows"], done["file"], done["datasets"]) == (2, "rows.csv", ["observations"])
    assert [one["id"] for one in site.get("/imports.json").json()["imports"]] == [done["id"]]
    assert sent(site, GOOD).json()["already"] is True
    burned = site.get("/account/330402.json?period=2024&basis=A").json()["account"]
    assert burned["value"] == pytest.approx(2.1 * 309.5909637)
    assert len(Workspace.open(folder).imports()) == 1


def test_every_problem_is_told_and_nothing_is_kept(site: TestClient) -> None:
    refused = sent(site, BAD)
    assert refused.status_code == 422
    rules = {(one["rule"], one["row"]) for one in refused.json()["problems"]}
    assert {("core.bad-period", 2), ("core.unknown-place", 3)} <= rules and len(rules) >= 4
    assert site.get("/imports.json").json()["imports"] == []


@pytest.mark.parametrize("page", ["plain", "htmx"])
def test_a_page_lists_the_problems_and_gives_them_as_a_file(site: TestClient, page: str) -> None:
    answer = sent(site, BAD, page, dry_run="true")
    told = sent(site, BAD).json()["problems"]
    assert answer.status_code == 422
    assert ("<html" in answer.text) == (page == "plain")
    assert f"共 {len(told)} 处问题" in answer.text and "2024-13" in answer.text
    book = re.search(r'href="data:[^;]*;base64,([^"]+)"', answer.text)
    rows = list(openpyxl.load_workbook(io.BytesIO(base64.b64decode(book[1]))).active.iter_rows(4, values_only=True))
    assert rows[0][2:4] == ("行", "列") and [row[7] for row in rows[1:]] == [one["rule"] for one in told]


def test_a_page_is_led_to_what_it_imported(site: TestClient) -> None:
    fine = sent(site, GOOD, "htmx", dry_run="true")
    assert fine.status_code == 200 and "检查通过" in fine.text and "<html" not in fine.text
    assert site.get("/imports.json").json()["imports"] == []
    moved = sent(site, GOOD, "htmx")
    assert moved.status_code == 204
    shown = site.get(moved.headers["hx-redirect"], headers={"accept": "text/html"}).text
    assert "已导入“rows.csv”：2 行" in shown
    again = sent(site, GOOD, "plain")
    assert again.status_code == 200 and "未作改动" in again.text
    other = sent(
        site, GOOD.replace("2024-0", "2023-0"), "plain", known_at="2024-03-01", status="official", dataset="checked"
    )
    assert other.status_code == 303 and other.headers["location"].startswith("/imports?done=")
    assert site.get("/imports.json").json()["imports"][0]["known_at"] == "2024-03-01"


def test_a_correction_needs_its_reason(site: TestClient) -> None:
    sent(site, GOOD)
    changed = GOOD.replace(",100,", ",90,")
    refused = sent(site, changed)
    assert [one["rule"] for one in refused.json()["problems"]] == ["core.changed-key"]
    assert "更正原因" in refused.json()["problems"][0]["remedy"]
    done = sent(site, changed, revise="表计重读").json()
    assert (done["rows"], done["unchanged"], done["superseded"]) == (1, 1, 1)
    assert site.get("/imports.json").json()["imports"][0]["reason"] == "表计重读"


def test_an_import_is_taken_back_with_a_reason(site: TestClient) -> None:
    identifier = sent(site, GOOD).json()["id"]
    path = f"/imports/{identifier}/revert"
    assert [one["rule"] for one in site.post(path).json()["problems"]] == ["core.needs-reason"]
    assert site.post("/imports/absent/revert", data={"reason": "错"}).status_code == 404
    page = site.post(path, data={"reason": "重复"}, headers={"accept": "text/html"}, follow_redirects=False)
    assert page.status_code == 303
    assert "已撤销“rows.csv”" in site.get(page.headers["location"], headers={"accept": "text/html"}).text
    only = site.get("/imports.json").json()["imports"][0]
    assert only["reverted"] is True and only["revert_reason"] == "重复"
    assert [one["rule"] for one in site.post(path, data={"reason": "再"}).json()["problems"]] == [
        "core.reverted-already"
    ]
    assert sent(site, GOOD).json()["rows"] == 2


@pytest.mark.parametrize(
    "said", [{"status": "sure"}, {"role": "judge"}, {"template": "none"}, {"known_at": "yesterday"}]
)
def test_choices_that_mean_nothing_are_refused(site: TestClient, said: dict[str, str]) -> None:
    assert sent(site, GOOD, **said).status_code == 422
    assert site.get("/imports.json").json()["imports"] == []


@pytest.mark.parametrize("name", ["../../evil.csv", "..\\evil.csv", "/etc/passwd.csv", "a\0b.csv"])
def test_a_file_keeps_its_bare_name(site: TestClient, name: str) -> None:
    told = sent(site, GOOD, name=name).json()
    assert "/" not in told["file"] and "\\" not in told["file"] and "\0" not in told["file"]


def test_a_file_that_is_none_is_refused(site: TestClient) -> None:
    assert sent(site, "").status_code == 422
    assert sent(site, "novel", name="novel.pdf").status_code == 422


def test_the_forms_are_read_when_filled_in(site: TestClient) -> None:
    book = openpyxl.load_workbook(io.BytesIO(site.get("/imports/form/observations.xlsx").content))
    sheet = book.active
    heads = [cell.value for cell in sheet[1]]
    row = {"地区": "330402", "行业": "C17", "能源品种": "柴油", "指标": "燃料燃烧量", "时期": "2024-03"}
    for name, value in (row | {"数值": 120, "计量单位": "吨"}).items():
        sheet.cell(2, heads.index(name) + 1, value)
    filled = io.BytesIO()
    book.save(filled)
    done = site.post("/imports", files={"file": ("filled.xlsx", filled.getvalue())})
    assert done.json()["rows"] == 1, done.text
    returned = site.get("/imports/form/energy-return.xlsx?lang=en")
    assert len(openpyxl.load_workbook(io.BytesIO(returned.content)).sheetnames) > 1
    blank = site.post("/imports", files={"file": ("return.xlsx", returned.content)}, data={"template": "energy-return"})
    assert blank.status_code == 422 and all(one["sheet"] for one in blank.json()["problems"][:1])
    assert site.get("/imports/form/none.xlsx").status_code == 422


def test_a_person_checks_and_imports_in_the_browser(page: Page, folder: Path, tmp_path: Path) -> None:
    bad, good = tmp_path / "坏.csv", tmp_path / "一季度.csv"
    bad.write_text(BAD, encoding="utf-8")
    good.write_text(GOOD, encoding="utf-8")
    with served(create_app(folder, warm=False)) as address:
        page.goto(f"{address}/imports")
        page.set_input_files("input[name=file]", bad)
        page.click("button[name=dry_run]")
        expect(page.locator("#told")).to_contain_text("处问题")
        with page.expect_download() as download:
            page.click("#told a[download]")
        assert download.value.suggested_filename == "问题清单.xlsx"
        page.set_input_files("input[name=file]", good)
        page.click("button[name=dry_run]")
        expect(page.locator("#told")).to_contain_text("检查通过")
        page.click(".go")
        expect(page.locator("p.done")).to_contain_text("已导入“一季度.csv”")
        page.click(".undo summary")
        page.fill(".undo input[name=reason]", "试一试")
        page.click(".undo button")
        expect(page.locator("p.done")).to_contain_text("已撤销“一季度.csv”")


def test_what_was_made_of_older_data_is_not_kept(site: TestClient, folder: Path) -> None:
    import gc
    import weakref

    from dualcarbon.inventory.snapshot import snapshot

    workspace = Workspace.open(folder)
    sent(site, GOOD)
    before = snapshot(workspace)
    assert snapshot(workspace) is before
    old = weakref.ref(before)
    del before
    sent(site, GOOD.replace("2024-0", "2023-0"))
    snapshot(workspace)
    gc.collect()
    assert old() is None


def test_nobody_is_said_to_pull_while_a_county_is_late(site: TestClient) -> None:
    row = "{place},{sector},柴油,燃料燃烧量,{year}-01,{value},吨\n"
    before = [("330402", "C17", 2023, 100), ("330402", "C18", 2023, 10), ("330481", "C17", 2023, 50)]
    now = [("330402", "C17", 2024, 90), ("330402", "C18", 2024, 30)]
    said = [row.format(place=p, sector=s, year=y, value=v) for p, s, y, v in before + now]
    sent(site, HEAD + "".join(said))
    for place, pulls in (("330402", True), ("330400", False)):
        page = site.get(f"/account/{place}?period=2024-01&basis=A&by=sector", headers={"accept": "text/html"}).text
        assert ("拉动最大" in page) == pulls
