"""The registry over HTTP: the example of every act runs, keys make it safe to send again, lists page, files open."""

import io

import openpyxl
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from dualcarbon.app.web import create_app
from dualcarbon.registry.forms import FORMS
from dualcarbon.registry.routes import router
from dualcarbon.registry.stories import STORY


@pytest.fixture
def api(workspace):
    with TestClient(create_app(workspace.path, warm=False), base_url="http://127.0.0.1") as client:
        yield client


def act(api, action, key, body, **query):
    return api.post(f"/registry/{action}", json=body, headers={"Idempotency-Key": key}, params=query)


def test_the_example_of_every_act_runs(api):
    alone = FastAPI()
    alone.include_router(router)
    document = alone.openapi()
    assert {action for action, _, _ in STORY} == set(FORMS)
    for action, key, body in STORY:
        tried = act(api, action, key, body, dry_run=True)
        assert tried.status_code == 200 and tried.json()["result"] == "would_be_ok", (key, tried.text)
        made = act(api, action, key, body)
        assert made.status_code == 200 and made.json()["result"] == "ok", (key, made.text)
        assert act(api, action, key, body).json()["result"] == "exists", key
    for action in FORMS:
        operation = document["paths"][f"/registry/{action}"]["post"]
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        example = document["components"]["schemas"][name]["example"]
        assert any(example == body for told, _, body in STORY if told == action), action
        assert any(one["name"] == "Idempotency-Key" for one in operation["parameters"])
    assert api.get("/registry/check.json").json() == {"ok": True, "problems": []}
    sums = {one["instrument"]: one for one in api.get("/registry/totals.json").json()["totals"]}
    assert (sums["gec"]["issued"], sums["gec"]["retired"], sums["gec"]["cancelled"]) == (1000, 400, 10)
    assert sums["inclusive_reduction"]["issued"] == 500000
    (month,) = api.get("/registry/prices.json?instrument=inclusive_reduction").json()["series"]
    assert (month["count"], month["mean"]) == (1, 3500.0)

    for path in ("trades", "offers", "acts", "claims", "units"):
        rows = api.get(f"/registry/{path}.json").json()[{"units": "blocks"}.get(path, path)]
        paged, after = [], 0
        while after is not None:
            page = api.get(f"/registry/{path}.json?limit=2&after={after}").json()
            paged += page[{"units": "blocks"}.get(path, path)]
            after = page["next"]
        assert paged == rows and len(rows) > 1, path
    answer = api.get("/registry/totals.json")
    again = api.get("/registry/totals.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.content

    pdf = api.get("/registry/files/confirmation.pdf?trade=trade-1")
    assert pdf.content.startswith(b"%PDF") and "attachment" in pdf.headers["content-disposition"]
    assert api.get("/registry/files/confirmation.docx?trade=trade-1&lang=en").content.startswith(b"PK")
    assert api.get("/registry/files/statement.pdf", params={"holder": "甲厂", "period": "2026"}).status_code == 200
    sheet = openpyxl.load_workbook(io.BytesIO(api.get("/registry/files/trades.xlsx").content)).active
    assert sheet["A1"].value == "成交编号" and sheet.max_row == 4
    prices = openpyxl.load_workbook(io.BytesIO(api.get("/registry/files/prices.xlsx").content)).active
    assert [cell.value for cell in prices[2]][4:6] == [1, 100000]
    assert api.get("/registry/files/certificates.csv").text.startswith("\ufeff批次")
    for path, status in (
        ("files/trades.doc", 422),
        ("files/confirmation.pdf?trade=x", 422),
        ("units.json?after=-1", 422),
    ):
        assert api.get(f"/registry/{path}").status_code == status
    for page in ("", "/filings", "/market", "/unit/gec/1", "/holder?name=甲厂", "/filing?id=report-1"):
        path, _, query = page.partition("?")
        assert api.get(f"/registry{path}.json?{query}").status_code == 200, page


def test_what_is_refused(api):
    body = {"instrument": "gec", "quantity": 5, "holder": "甲厂", "purpose": "用电", "beneficiary": "甲厂"}
    bare = api.post("/registry/retire", json=body)
    assert bare.status_code == 422 and bare.json()["problems"][0]["rule"] == "registry.key-missing"
    refused = act(api, "retire", "r-1", body)
    assert refused.status_code == 422 and refused.json()["problems"][0]["rule"] == "registry.refused-by-ledger"
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert act(api, "retire", "r-2", {**body, "quantity": "5"}).status_code == 422
    assert act(api, "retire", "r-3", {**body, "colour": "red"}).status_code == 422
    assert act(api, "retire", "r-4", {k: body[k] for k in ("instrument", "quantity")}).status_code == 422
    lot = {"instrument": "gec", "quantity": 9, "holder": "甲厂", "first": 1, "subjects": ["M"], "period": "2026-01"}
    assert act(api, "import", "l-1", lot).json()["result"] == "ok"
    other = act(api, "import", "l-1", {**lot, "quantity": 8})
    assert other.json()["problems"][0]["rule"] == "registry.id-used"


def test_files_are_handed_in(api):
    text = "批次,品种,持有人,数量,起始编号,计量点,生产时期\nL1,gec,甲厂,10,1,M1,2026-01\n"
    sent = {"file": ("../证书.csv", text.encode(), "text/csv")}
    assert (
        api.post("/registry/files/certificates?dry_run=true", files=sent).json()["lots"][0]["result"] == "would_be_ok"
    )
    assert api.post("/registry/files/certificates", files=sent).json()["lots"][0]["result"] == "ok"
    assert api.post("/registry/files/certificates", files=sent).json()["lots"][0]["result"] == "exists"
    broken = {"file": ("证书.csv", text.replace("10", "十").encode(), "text/csv")}
    (problem,) = api.post("/registry/files/certificates", files=broken).json()["problems"]
    assert (problem["file"], problem["row"], problem["column"]) == ("证书.csv", 2, "数量")
    trades = "成交编号,品种,成交日期,数量,单价\nA1,gec,2026-05-01,1,3.5\n"
    sent = {"file": ("成交.csv", trades.encode(), "text/csv")}
    found = api.post("/registry/files/trades", params={"market": "省市场"}, files=sent).json()
    assert (found["new"], found["rows"]) == (1, 1)
    assert len(api.get("/registry/mirrored.json").json()["trades"]) == 1


def test_an_empty_registry_answers(api):
    for path in ("units", "trades", "offers", "acts", "claims", "mirrored", "prices", "totals", "roles", "instruments"):
        assert api.get(f"/registry/{path}.json").status_code == 200, path
    for page in ("", "/filings", "/market"):
        assert api.get(f"/registry{page}", headers={"accept": "text/html"}).status_code == 200, page
    for missing in ("/unit/gec/1", "/holder?name=无", "/filing?id=无", "/market?instrument=oil"):
        assert api.get(f"/registry{missing}", headers={"accept": "text/html"}).status_code == 404, missing
