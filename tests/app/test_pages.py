import html
import re
import shutil
from io import BytesIO
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from fastapi.testclient import TestClient

PAGES = [
    "/",
    "/account/330400",
    "/account/330400?basis=C",
    "/account/330400?basis=equivalent&by=carrier",
    "/account/330481?by=month",
    "/account/330400-gq?tree=management&by=carrier",
    "/account/330481/vintages",
    "/explain?item=emission.co2&place=330400&period=2024&basis=B",
    "/methods",
    "/methods/cn.combustion",
    "/factors",
    "/factors/power.co2",
    "/imports",
    "/runs",
    "/search?q=海宁",
    "/account/330481/movers?sector=C17",
]


def twin(path: str) -> str:
    """Address of a page's JSON twin."""
    before, mark, query = path.partition("?")
    return ("/index" if before == "/" else before) + ".json" + mark + query


def numbers(page: str) -> list[tuple[str, str]]:
    """Every number that opens: (address, text)."""
    found = re.findall(r'<a class="num"[^>]*href="([^"]+)"[^>]*>([^<]*)<', page)
    return [(html.unescape(address), text) for address, text in found]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_its_twin_and_an_etag(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200, page.text[:400]
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-language"] == "zh-CN"
    again = client.get(path, headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    told = client.get(twin(path))
    assert told.status_code == 200
    assert told.headers["content-type"] == "application/json"
    assert told.headers["etag"] != page.headers["etag"]
    assert isinstance(told.json(), dict)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_speaks_english(client: TestClient, path: str) -> None:
    page = client.get(path, headers={"cookie": "lang=en"})
    assert page.headers["content-language"] == "en"
    assert '<html lang="en">' in page.text
    frame = re.sub(r"<main.*</main>", "", page.text, flags=re.DOTALL)
    assert not re.search(r"[\u4e00-\u9fff]", frame.replace("中文", ""))


def test_the_address_chooses_the_language_and_a_cookie_remembers_it(client: TestClient) -> None:
    english = client.get("/methods?lang=en")
    assert "Fossil-fuel combustion" in english.text
    assert "lang=en" in english.headers["set-cookie"]
    client.cookies.set("lang", "en")
    try:
        assert "Fossil-fuel combustion" in client.get("/methods").text
        back = client.get("/methods?lang=zh")
        assert "化石燃料燃烧" in back.text
    finally:
        client.cookies.clear()


def test_the_headline_says_account_unit_status_and_change(client: TestClient) -> None:
    told = client.get("/index.json").json()
    head = told["headline"]
    assert (head["basis"], head["unit"], head["status"], head["synthetic"]) == ("B", "tCO2", "synthetic", True)
    assert [one["basis"] for one in told["accounts"]] == ["A", "B", "C"]
    assert told["accounts"][2]["value"] is None
    page = client.get("/").text
    assert "未设定" in page
    assert "演示数据" in page
    shown = f"{head['value'] / 1e4:,.0f}"
    assert f">{shown}</a><small>万吨 CO₂</small>" in page
    assert sum(one["value"] for one in told["areas"]) == pytest.approx(head["value"], rel=1e-9)
    assert sum(one["value"] for one in told["domains"]) == pytest.approx(head["value"], rel=1e-9)
    assert len(told["months"]) == 36


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/account/330481?by=carrier",
        "/account/330400?by=process&period=2024-07",
        "/account/330482?tree=management&basis=A",
        "/account/330400?basis=equivalent&by=process",
    ],
)
def test_every_number_opens_to_itself(client: TestClient, path: str) -> None:
    links = numbers(client.get(path).text)
    assert len(links) > 20
    for address, shown in links[::4]:
        opened = client.get(address.replace("/explain?", "/explain.json?"))
        assert opened.status_code == 200, address
        told = opened.json()
        values = [told["value"]]
        if "compared" in told:
            values = [told["compared"]["change_percent"], told["compared"]["pull_points"]]
        text = re.sub(r"[,+%]", "", shown).replace("−", "-").strip()
        digits = len(text.partition(".")[2])
        scales = (1,) if "compared" in told else (1, 1e3, 1e4, 1e5, 1e7, 1e8)
        near = [abs(value / scale - float(text)) for value in values if value is not None for scale in scales]
        assert (shown.endswith("%") and "compared" not in told) or min(near) <= 0.51 * 10**-digits, (address, shown)


def test_no_large_figure_stands_without_its_explanation(client: TestClient) -> None:
    for path in ("/", "/account/330481"):
        page = client.get(path).text
        for figure in re.findall(r'<p class="(?:big|mid)"[^>]*>(.*?)</p>', page, flags=re.DOTALL):
            assert 'class="num"' in figure or 'class="unset"' in figure, figure


def test_an_explanation_goes_from_the_sum_to_the_rows(client: TestClient) -> None:
    question = {"item": "emission.co2", "place": "330481", "period": "2024", "basis": "B"}
    account = client.get("/explain.json", params=question).json()
    counted = [one for one in account["children"] if not one["memo"] and one["value"] is not None]
    assert sum(one["value"] for one in counted) == pytest.approx(account["value"], rel=1e-9)
    power = next(one for one in counted if one["name"] == "electricity")
    page = client.get("/explain", params={**power["explain"], "sector": "C17"}).text
    assert "<math" in page
    assert "0.4974" in page
    assert 'class="badge official"' in page
    assert "2024年的值尚未发布，沿用2023年" in page
    assert re.search(r"观测：[\d,]+ 行", page)
    assert "第 " in page


def test_an_explanation_for_the_drawer_is_only_its_body(client: TestClient) -> None:
    part = client.get(PAGES[7], headers={"hx-request": "true"})
    assert "<html" not in part.text
    assert part.text.lstrip().startswith("<article")


def test_an_ambiguous_question_lists_its_answers(client: TestClient) -> None:
    page = client.get("/explain?item=emission.co2&place=330400&period=2024")
    assert page.status_code == 200
    assert (
        "cn.combustion"
        in client.get("/explain.json?item=emission.co2&place=330400&period=2024").json()["choices"]["method"]
    )


def test_a_method_page_shows_equations_and_worked_cases(client: TestClient) -> None:
    page = client.get("/methods/cn.combustion").text
    assert page.count("<math") > 8
    assert "309.59" in page
    cases = client.get("/methods/cn.combustion.json").json()["cases"]
    assert cases
    assert all(result["agrees"] for case in cases for result in case["results"])


def test_factors_are_found_by_place_and_status(client: TestClient) -> None:
    found = client.get("/factors.json", params={"q": "浙江", "parameter": "power.co2"}).json()["factors"]
    assert {row["value"] for row in found} == {0.4974, 0.5153, 0.5422}
    assert all(row["status"] == "unverified" for row in client.get("/factors.json?status=unverified").json()["factors"])
    history = client.get("/factors/power.co2.json").json()["history"]
    assert list(history[0]["points"]) == ["2021", "2022", "2023"]


@pytest.mark.parametrize(
    ("words", "href"),
    [
        ("海宁", "/account/330481"),
        ("纺织", "/account/330400?by=sector#C17"),
        ("电力平均", "/factors/power.co2"),
        ("combustion", "/methods/cn.combustion"),
        ("Diesel", "/account/330400?by=carrier#diesel"),
    ],
)
def test_search_finds_places_sectors_factors_methods(client: TestClient, words: str, href: str) -> None:
    groups = client.get("/search.json", params={"q": words}).json()["groups"]
    assert href in [hit["href"] for group in groups for hit in group["hits"]]


def test_files_hold_the_account(client: TestClient) -> None:
    told = client.get("/account/330481.json?by=sector").json()["account"]
    table = pl.read_parquet(BytesIO(client.get("/account/330481.parquet?by=sector").content))
    assert table["value"].sum() == pytest.approx(told["value"], rel=1e-9)
    book = client.get("/account/330481.xlsx?by=sector")
    assert book.content[:2] == b"PK"
    assert "330481" in book.headers["content-disposition"]
    assert "C17" in client.get("/account/330481.csv?by=sector").text


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/account/999999", 404, "no-such-place"),
        ("/methods/no.such", 404, "no-such-method"),
        ("/factors/nothing", 404, "no-such-parameter"),
        ("/runs/nothing", 404, "no-such-run"),
        ("/account/330400?period=soon", 422, "invalid-choice"),
        ("/account/330400?tree=family", 422, "invalid-choice"),
        ("/account/330400?by=colour", 422, "refused"),
        ("/nowhere", 404, "about:blank"),
    ],
)
def test_errors_are_problem_details_for_programs_and_a_page_for_people(
    client: TestClient, path: str, status: int, kind: str
) -> None:
    told = client.get(twin(path))
    assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json")
    body = told.json()
    assert body["type"].endswith(kind)
    assert body["status"] == status
    assert body["title"]
    page = client.get(path)
    assert page.status_code == status
    assert body["title"] in page.text
    assert "回到总览" in page.text


def test_a_new_import_changes_the_etag(tmp_path: Path) -> None:
    from dualcarbon.app.web import create_app
    from dualcarbon.core.workspace import Workspace

    workspace = Workspace.create(tmp_path / "w")
    file = tmp_path / "rows.csv"
    file.write_text(
        "place,carrier,item,period,value,unit\n330483,diesel,energy.combustion,2023,100,t\n", encoding="utf-8"
    )
    reader = TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"})
    empty = reader.get("/account/330483")
    assert empty.status_code == 200
    workspace.import_file(file, dataset="returns")
    full = reader.get("/account/330483", headers={"if-none-match": empty.headers["etag"]})
    assert full.status_code == 200
    account = reader.get("/account/330483.json").json()["account"]
    assert account["value"] == pytest.approx(309.59, abs=0.01)
    assert account["period"] == "2023"
    assert "演示数据" not in full.text


def test_kept_pages_are_fast(client: TestClient) -> None:
    client.get("/")
    spent = sorted(float(client.get("/").headers["server-timing"].split("dur=")[1]) for _ in range(20))
    assert spent[18] < 100


def test_the_interface_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    twins = described["paths"]
    assert {"/index.json", "/account/{place}.json", "/explain.json", "/methods/{identifier}.json"} <= twins.keys()
    asked = {one["name"] for one in twins["/account/{place}.json"]["get"]["parameters"]}
    assert {"place", "period", "tree", "basis", "by", "known_at"} <= asked


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_that_the_city_is_synthetic(client: TestClient, path: str) -> None:
    assert "本工作区含合成的企业与居民数据" in client.get(path).text


def test_enterprises_that_moved_a_place_open_and_are_labelled(client: TestClient) -> None:
    told = client.get("/account/330481/movers.json?period=2024&basis=B").json()["movers"]
    assert len(told["rows"]) == 20 and told["synthetic"]
    whole = sum(row["change"] for row in told["rows"]) + told["rest"]["change"]
    assert whole == pytest.approx(told["change"])
    for row in told["rows"][:3]:
        opened = client.get("/explain.json", params=row["explain"]).json()
        assert opened["value"] == pytest.approx(row["value"])
        assert client.get(f"/account/{row['entity']}?period=2024").status_code == 200
    page = client.get("/account/330481/movers?period=2024&basis=B").text
    assert "企业名称均为虚构" in page and "拉动最大" in page
    file = client.get("/account/330481/movers.xlsx?period=2024&basis=B&sector=C17")
    sheet = openpyxl.load_workbook(BytesIO(file.content)).active
    assert sheet["A1"].value.endswith("企业拉动") and "模拟数据" in sheet["A2"].value
    book = openpyxl.load_workbook(BytesIO(client.get("/account/330481.xlsx?period=2024").content))
    assert "企业拉动" in book.sheetnames


def test_an_explanation_stops_at_what_may_be_seen(client: TestClient) -> None:
    question = {"item": "emission.co2", "place": "330481", "period": "2024", "basis": "B", "part": "fuel"}
    open_ = client.get("/explain.json", params={**question, "custody": "public"}).json()
    assert open_["withheld"] == 0 and open_["withheld_by"] == {} and open_["value"] is not None
    assert client.get("/explain.json", params={**question, "custody": "secret"}).status_code == 422


@pytest.mark.parametrize("basis", ["calorific", "equivalent"])
def test_energy_accounts_open(client: TestClient, basis: str) -> None:
    account = client.get(f"/account/330482.json?period=2024&basis={basis}&by=carrier").json()["account"]
    assert account["unit"] == f"tce_{basis}" and account["value"] > 0
    for one in (*account["parts"], *account["rows"][:4]):
        if one["value"] is not None:
            opened = client.get("/explain.json", params=one["explain"]).json()
            assert opened["value"] == pytest.approx(one["value"])


@pytest.mark.parametrize(
    ("address", "heading"),
    [
        ("/methods.xlsx", "方法"),
        ("/factors.xlsx?parameter=power.co2", "因子"),
        ("/factors/power.co2.xlsx?place=330000", "因子"),
        ("/imports.xlsx", "导入记录"),
        ("/runs.xlsx", "核算批次"),
        ("/account/330481/vintages.xlsx?period=2024", "版次比较"),
    ],
)
def test_a_table_has_its_excel(client: TestClient, address: str, heading: str) -> None:
    sheet = openpyxl.load_workbook(BytesIO(client.get(address).content)).active
    assert sheet["A1"].value == heading and sheet["A4"].font.bold
    assert sheet.max_row > 4 or "runs" in address
    english = openpyxl.load_workbook(BytesIO(client.get(address, headers={"cookie": "lang=en"}).content)).active
    assert not re.search(r"[\u4e00-\u9fff]", "".join(str(cell.value) for cell in english[4]))


def test_a_new_run_shows_at_once(city: Path, tmp_path: Path) -> None:
    from dualcarbon.app.web import create_app
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.engine import runs

    shutil.copytree(city, tmp_path / "own")
    with TestClient(create_app(tmp_path / "own", warm=False)) as own:
        before = len(own.get("/runs.json").json()["runs"])
        workspace = Workspace.open(tmp_path / "own")
        runs.keep(runs.calc("cn.clinker", workspace=workspace.path), workspace.path)
        assert len(own.get("/runs.json").json()["runs"]) == before + 1
