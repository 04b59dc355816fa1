"""The registry's forms on a page: tried first, refused beside the field in both languages, done once, shown where."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from tests.app.serving import faults_of, served

HEADERS = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}


@pytest.fixture
def site(tmp_path):
    """A reader of a new, empty workspace."""
    app = create_app(Workspace.create(tmp_path / "city", "cn-jiaxing").path, warm=False)
    with TestClient(app, base_url="http://127.0.0.1", headers={"accept": "text/html"}) as made:
        yield made


def tried(site, action, **said):
    """The page after checking a form, and its data."""
    query = {**said, "try": "1"}
    return site.get(f"/registry/act/{action}", params=query), site.get(
        f"/registry/act/{action}.json", params=query
    ).json()


def done(site, action, **said):
    """Check a form, then send what the checked page holds; the address that shows the result."""
    page, data = tried(site, action, **said)
    assert data["tried"]["result"] == "would_be_ok", data
    form = page.text[page.text.rindex(f'<form action="/registry/act/{action}"') :]
    sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    answer = site.post(f"/registry/act/{action}", data=sent, headers=HEADERS, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    again = site.post(f"/registry/act/{action}", data=sent, headers=HEADERS, follow_redirects=False)
    assert again.headers["location"] == answer.headers["location"]
    assert site.get(answer.headers["location"]).status_code == 200
    return answer.headers["location"]


REDUCTION = {"instrument": "inclusive_reduction"}


def test_an_official_walks_the_whole_chain_on_pages(site):
    text = {"kind": "methodology", "title": "公交出行", "document": "文本", "actor": "研究院"}
    done(site, "submit", id="M1", **text, **REDUCTION)
    done(site, "advance", filing="M1", step="file", document="备案 1 号")
    own = {"actor": "公交公司", "document": "申请书"}
    done(site, "submit", id="P1", kind="project", parent="M1", title="线路 9", subjects="公交-09", **own, **REDUCTION)
    done(site, "advance", filing="P1", step="register", document="登记 1 号")
    done(site, "submit", id="R1", kind="report", parent="P1", span="2026-03", quantity="520", **own, **REDUCTION)
    assert done(site, "appoint", appointed="verifier", entity="核证机构甲", **REDUCTION).startswith("/registry/filings")
    verify = {"filing": "R1", "step": "verify", "quantity": "500", "document": "核证 1 号", "actor": "核证机构甲"}
    assert done(site, "advance", **verify).startswith("/registry/filing?id=R1")
    assert 'href="/registry/act/issue?' in site.get("/registry/filing?id=R1").text
    _, data = tried(site, "issue", report="R1", holder="公交公司", **REDUCTION)
    assert data["tried"]["serials"][0]["text"] == "inclusive_reduction:1-500"
    assert site.get("/registry/units.json").json()["blocks"] == []
    assert done(site, "issue", report="R1", holder="公交公司", **REDUCTION).startswith("/registry/unit/")
    done(site, "transfer", seller="公交公司", buyer="乙厂", quantity="200", **REDUCTION)
    done(site, "retire", holder="乙厂", quantity="50", purpose="会议", beneficiary="乙厂", **REDUCTION)
    offer = parse_qs(urlsplit(done(site, "offer", holder="公交公司", quantity="100", price="35", **REDUCTION)).query)
    trade = parse_qs(urlsplit(done(site, "accept", offer=offer["done"][0], holder="丙厂")).query)["done"][0]
    done(site, "settle", trade=trade, payment="回单 1")
    sums = {one["instrument"]: one for one in site.get("/registry/totals.json").json()["totals"]}
    assert (sums["inclusive_reduction"]["issued"], sums["inclusive_reduction"]["retired"]) == (500, 50)
    assert site.get("/registry/check.json").json()["ok"]
    record = site.get(f"/registry/record.json?id={trade}").json()
    assert record["action"] == "accept" and record["entries"] and len(record["seal"]) == 64
    assert site.get("/registry/record.json?id=R1").json()["anchor"]["id"]
    assert site.get("/registry/record?id=none").status_code == 404


def test_a_refusal_stands_beside_its_field_in_both_languages(site):
    said = {"instrument": "gec", "quantity": "五", "seller": "甲厂", "serials": "a-b"}
    page, data = tried(site, "transfer", **said)
    faults = {one["field"]: one["problems"] for one in data["fields"]}
    assert faults["quantity"] and faults["serials"] and faults["buyer"] and not faults["seller"]
    told = {"zh": "“转让或分配”必须写明受让方。", "en": "Transfer or allocate: say buyer."}
    assert faults["buyer"][0]["message"] == told
    assert page.text.count('class="rg-field wrong"') == 3 and "必须写明受让方" in page.text
    assert "确认办理" not in page.text and 'value="甲厂"' in page.text
    english = site.get("/registry/act/transfer", params={**said, "try": "1", "lang": "en"})
    assert "say buyer" in english.text and "必须写明" not in english.text
    site.cookies.clear()
    wrong = {"instrument": "gec", "quantity": "5", "holder": "甲厂", "purpose": "用电", "beneficiary": "甲厂"}
    _, data = tried(site, "retire", **wrong)
    (fault,) = next(one["problems"] for one in data["fields"] if one["field"] == "quantity")
    assert "账本拒绝" in fault["message"]["zh"] and fault["remedy"]["en"]
    page, data = tried(site, "retire", instrument="gec", quantity="两张", holder="甲厂")
    faults = [one["field"] for one in data["fields"] if one["problems"]]
    assert sorted(faults) == ["beneficiary", "purpose", "quantity"] and "必须写明受益人" in page.text
    # Sent all the same, the reader comes back to the form that says why, and nothing is recorded.
    back = site.post("/registry/act/retire", data={**wrong, "key": "x"}, headers=HEADERS, follow_redirects=False)
    assert back.status_code == 303 and "try=1" in back.headers["location"]
    assert "账本拒绝" in site.get(back.headers["location"]).text
    assert site.get("/registry/acts.json").json()["acts"] == []


def test_a_lot_made_in_error_is_taken_back_on_pages(site):
    lot = {"instrument": "gec", "quantity": "10", "holder": "甲厂", "first": "1", "subjects": "M1", "span": "2026-01"}
    unit = done(site, "import", id="L1", **lot)
    assert "撤销误发" in site.get(unit).text
    gone = done(site, "annul", instrument="gec", lot="L1", reason="计量点写错")
    page = site.get(gone).text
    assert "已撤销" in page and "M1" in page and "撤销误发</a>" not in page
    assert "另误发撤销 10" in site.get("/registry").text
    again = done(site, "import", id="L2", **{**lot, "subjects": "M2", "quantity": "8"})
    assert [one["action"] for one in site.get(again.replace("?", ".json?")).json()["life"]] == [
        "import",
        "annul",
        "import",
    ]
    assert site.get("/registry/unit/gec/9.json").json()["block"]["state"] == "annulled"


def test_another_site_cannot_act_here(site):
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert site.post("/registry/act/retire", data={"key": "x"}, headers=foreign).status_code == 403
    assert site.post("/registry/act/explode", data={}, headers=HEADERS).status_code == 404
    assert site.get("/registry/act/explode").status_code == 404


def test_a_file_is_tried_and_done_on_the_page(site):
    text = "批次,品种,持有人,数量,起始编号,计量点,生产时期\nL1,gec,甲厂,10,1,M1,2026-01\n"

    def sent(content, **more):
        file = {"file": ("证书.csv", content.encode(), "text/csv")}
        return site.post("/registry/act-file", files=file, data=more, headers=HEADERS, follow_redirects=False)

    tried = sent(text, dry="1").headers["location"]
    assert "没有登记：证书.csv，可登记 1 条" in site.get(tried).text
    assert site.get("/registry/units.json").json()["blocks"] == []
    done = site.get(sent(text).headers["location"]).text
    said = done.split('class="done"')[1].split("</p>")[0]
    assert "已导入 证书.csv：登记 1 条" in said and "/registry/record" not in said
    assert "登记 0 条。 先前已登记 1 条" in site.get(sent(text).headers["location"]).text
    assert len(site.get("/registry/units.json").json()["blocks"]) == 1
    refused = sent(text.replace("L1", "L2") + "L3,gec,甲厂,十,50,M3,2026-01\n")
    assert refused.status_code == 422 and "第 3 行" in refused.text and "重叠" in refused.text


@pytest.mark.parametrize("width", [375, 1440])
def test_the_form_in_a_browser(site, page, width):
    """Choosing the instrument adapts the form; checked and recorded with two presses; nothing wider than the screen."""
    faults = faults_of(page)
    page.set_viewport_size({"width": width, "height": 900})
    with served(site.app) as address:
        page.goto(f"{address}/registry/act/issue")
        page.locator("#f-instrument").select_option("energy_right")
        page.wait_for_selector("#f-vintage")
        assert page.locator("#f-report").count() == 0
        for name, value in (("quantity", "1000"), ("holder", "平湖市"), ("vintage", "2026"), ("document", "指标 1 号")):
            page.locator(f"#f-{name}").fill(value)
        page.get_by_role("button", name="试算").click()
        page.get_by_role("button", name="确认办理").click()
        page.wait_for_selector("p.done")
        assert "平湖市" in page.title() and "1,000" in page.locator("h2").first.inner_text()
        page.locator("p.done a").click()
        assert "登记了什么" in page.inner_text("main")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not faults


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_tabs_stand_in_one_row_on_a_phone(site, page, lang):
    page.set_viewport_size({"width": 390, "height": 844})
    with served(site.app) as address:
        for path in ("/registry", "/registry/filings", "/registry/market", "/registry/act"):
            page.goto(f"{address}{path}?lang={lang}")
            assert len(set(page.eval_on_selector_all(".tabs a", "all => all.map(one => one.offsetTop)"))) == 1
            here = page.locator(".tabs [aria-current]").bounding_box()
            assert here["x"] >= 0 and here["x"] + here["width"] <= 390
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
