"""The registry's pages in the demonstration city: what they tell, their twins and files, on a desk and on a phone."""

import re
import shutil

import pytest
from fastapi.testclient import TestClient

from dualcarbon.app.web import create_app
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry
from dualcarbon.registry.demonstration import fill
from tests.app.serving import faults_of, served

PAGES = {
    "/registry": "公开登记",
    "/registry?q=gec:17": "gec:17",
    "/registry/unit/gec/1": "绿色电力证书",
    "/registry/filings": "备案与项目",
    "/registry/filing?id=demo-r-公交-2025-Q1": "监测报告",
    "/registry/market?instrument=inclusive_reduction": "碳普惠核证减排量",
    "/registry/market?instrument=energy_right&vintage=2026": "用能权",
    "/registry/holder?name=演示公交公司": "演示公交公司",
    "/registry/record?id=demo-x-2026-09-0": "封印",
    "/registry/act/transfer?instrument=gec&seller=演示化纤厂&buyer=演示光电公司&quantity=5&try=1": "确认办理",
}


@pytest.fixture(scope="module")
def traded(city, tmp_path_factory):
    """A reader of a copy of the city whose registry holds the made-up year."""
    folder = tmp_path_factory.mktemp("registry") / "city"
    shutil.copytree(city, folder)
    app = create_app(folder, warm=False)
    place = app.state.site.workspace
    done = fill(Registry(Store(place.database), place.pack), {one["status"] for one in place.datasets()})
    assert done["ok"] > 200
    with TestClient(app, headers={"accept": "text/html"}, raise_server_exceptions=False) as made:
        yield made


@pytest.mark.parametrize("path", PAGES)
def test_a_page_and_its_twin(traded, path):
    for lang in ("zh", "en"):
        address = f"{path}{'&' if '?' in path else '?'}lang={lang}"
        page = traded.get(address)
        assert page.status_code == 200, page.text[:400]
        if lang == "zh":
            assert PAGES[path] in page.text
        else:
            body = re.sub(r"<script.*?</script>|<[^>]+>", "", page.text, flags=re.DOTALL)
            assert "公开登记" not in body and "备案与项目" not in body
        assert 'class="badge synthetic"' in page.text
    name, _, query = path.partition("?")
    twin = traded.get(f"{name}.json?{query}")
    assert twin.status_code == 200 and twin.headers["content-type"].startswith("application/json")
    tagged = traded.get(path, headers={"If-None-Match": page.headers["etag"], "cookie": "lang=en"})
    assert tagged.status_code in (200, 304)


def test_every_link_of_the_pages_leads_somewhere(traded):
    seen: set[str] = set()
    for path in PAGES:
        for link in re.findall(r'href="(/(?:registry|ledger)[^"#]*)', traded.get(path).text):
            seen.add(link.replace("&amp;", "&"))
    kinds: dict[str, list[str]] = {}
    for link in sorted(seen):
        kinds.setdefault(re.sub(r"\d+|=[^&]*", "", link), []).append(link)
    for links in kinds.values():
        assert traded.get(links[0]).status_code == 200, links[0]
    assert len(kinds) > 15


def test_figures_agree_with_the_ledger(traded):
    sums = traded.get("/registry.json").json()
    assert sums["agrees"] and sums["synthetic"]
    for row in sums["totals"]:
        whole = row["held"] + row["suspended"] + row["retired"] + row["cancelled"] + row["expired"]
        assert row["issued"] == whole
    (certificates,) = [one for one in sums["totals"] if one["instrument"] == "gec"]
    retired = traded.get("/ledger/account.json", params={"account": certificates["accounts"]["retired"]}).json()
    assert retired["balance"] == certificates["retired"]
    market = traded.get("/registry/market.json?instrument=energy_right").json()
    assert {row["market"] for row in market["mirrored"]} == {"演示省级市场"}
    assert all(row["market"] is None for row in market["series"])
    assert sum(one["count"] for one in market["series"]) == 8
    reductions = traded.get("/registry/market.json?instrument=inclusive_reduction").json()
    assert reductions["book"]["asks"][0]["price"] > reductions["book"]["bids"][0]["price"]
    assert reductions["trades"][0]["id"] == "demo-x-2026-10-1" and reductions["next"]


def test_a_page_changes_when_something_is_done(traded):
    before = traded.get("/registry")
    body = {
        "instrument": "inclusive_points",
        "quantity": 5,
        "holder": "演示居民",
        "purpose": "兑换",
        "beneficiary": "甲",
    }
    done = traded.post("/registry/retire", json=body, headers={"Idempotency-Key": "page-1"})
    assert done.json()["result"] == "ok" and done.json()["synthetic"]
    assert traded.get("/registry").headers["etag"] != before.headers["etag"]


def test_only_a_demonstration_is_filled(workspace):
    from dualcarbon.core.problems import Refused

    with pytest.raises(Refused, match="不是演示工作区"):
        fill(Registry(Store(workspace.database)), {one["status"] for one in workspace.datasets()})


def test_pages_on_a_desk_and_on_a_phone(traded, page):
    """Drawn by a browser at two widths: nothing wider than the screen, the chart there, no error on the console."""
    faults = faults_of(page)
    with served(traded.app) as address:
        for width in (375, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            for path in PAGES:
                page.goto(address + path)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            page.goto(f"{address}/registry/market?instrument=inclusive_reduction")
            page.wait_for_selector("[data-prices][data-ready] svg")
            page.get_by_role("link", name="表格").click()
            assert page.locator("#t-price tbody tr").first.is_visible()
            # A number of a month opens into its trades, one of these into the ledger.
            page.locator("#t-price tbody tr:first-child td a").first.click()
            page.locator("section[aria-labelledby=h-trades] tbody tr:first-child td a.num").first.click()
            assert "/ledger/entry/" in page.url and "号分录" in page.inner_text("h1")
    assert not faults
