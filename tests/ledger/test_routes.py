"""The ledger's API: the examples of its description run, answers are per line, keys make requests safe to repeat."""

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger import Store, Writer, result_texts, shapes, verifier
from dualcarbon.ledger.requests import Request

API = {"accept": "application/json"}


@pytest.fixture
def client(tmp_path):
    Workspace.find_or_create(tmp_path / "城")
    with TestClient(create_app(tmp_path / "城", warm=False), headers=API, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def filled(client):
    for name in ("accounts", "transfers", "transfer"):
        assert client.post(f"/ledger/{name}", json=shapes.EXAMPLES[name]).json() == shapes.ANSWERS[name]
    return client


def test_the_examples_of_the_description_run(client):
    paths = client.get("/openapi.json").json()["paths"]
    for name in shapes.EXAMPLES:
        told = paths[f"/ledger/{name}"]["post"]
        media = told["requestBody"]["content"]["application/json"]
        answer = client.post(f"/ledger/{name}", json=media["example"])
        assert answer.status_code == 200
        shown = told["responses"]["200"]["content"]["application/json"]
        if "example" in shown:
            assert answer.json() == shown["example"]


def test_reads_agree_and_pages_follow_their_cursor(filled):
    assert filled.get("/ledger/balance.json", params={"account": "甲厂"}).json()["balance"] == 600
    past = {"account": "乙厂", "at": "2024-06-30T07:59:59+08:00"}
    assert filled.get("/ledger/balance.json", params=past).json()["balance"] == 0
    assert filled.get("/ledger/balance.json", params={**past, "at": "2024-06-30"}).json()["balance"] == 400
    first = filled.get("/ledger/statement.json", params={"account": "甲厂", "limit": 1}).json()
    second = filled.get("/ledger/statement.json", params={"account": "甲厂", "after": first["next"]}).json()
    assert [one["balance"] for one in first["entries"] + second["entries"]] == [1000, 600]
    assert second["next"] is None
    names = [one["account"] for one in filled.get("/ledger/accounts.json?limit=2").json()["accounts"]]
    after = filled.get("/ledger/accounts.json?limit=2").json()["next"]
    rest = filled.get("/ledger/accounts.json", params={"after": after}).json()["accounts"]
    assert sorted(names + [one["account"] for one in rest]) == sorted(["国家系统", "甲厂", "乙厂"])
    assert [one["id"] for one in filled.get("/ledger/entries.json").json()["entries"]] == [
        "2024-06-0001",
        "2024-06-0003",
    ]
    tag = filled.get("/ledger/entries.json").headers["etag"]
    assert filled.get("/ledger/entries.json", headers={"if-none-match": tag}).status_code == 304
    absent = filled.get("/ledger/balance.json", params={"account": "丙厂"})
    assert (absent.status_code, absent.json()["type"]) == (404, "/problems/no-such-account")
    assert filled.get("/ledger/balance.json", params={"account": "甲厂", "at": "昨天"}).status_code == 422


def test_a_key_makes_a_request_safe_to_repeat(filled):
    body = {"transfers": [{"id": "k1", "debit": "国家系统", "credit": "甲厂", "instrument": "gec", "amount": 7}]}
    key = {"Idempotency-Key": "a-1"}
    answers = [filled.post("/ledger/transfers", json=body, headers=key) for _ in range(2)]
    assert (
        answers[0].json() == answers[1].json() == {"results": [{"id": "k1", "result": "ok"}], "posted": 1, "refused": 0}
    )
    assert filled.post("/ledger/transfers", json=body).json()["results"][0]["result"] == "exists"
    body["transfers"][0]["amount"] = 8
    other = filled.post("/ledger/transfers", json=body, headers=key)
    assert other.status_code == 422
    assert other.json()["problems"][0]["rule"] == "ledger.key-used-otherwise"
    opened = {"accounts": [{"account": "丙厂", "instrument": "gec"}]}
    for _ in range(2):
        assert filled.post("/ledger/accounts", json=opened, headers={"Idempotency-Key": "b"}).json()["opened"] == 1
    assert filled.post("/ledger/accounts", json=opened, headers=key).status_code == 422
    assert filled.post("/ledger/accounts", json=opened, headers={"Idempotency-Key": "x" * 200}).status_code == 400


def test_one_transfer_says_by_its_status_how_it_went(filled):
    line = {"id": "s1", "debit": "甲厂", "credit": "乙厂", "instrument": "gec", "amount": 10**9}
    refused = filled.post("/ledger/transfer", json=line)
    assert (refused.status_code, refused.json()["result"]) == (409, "insufficient_balance")
    assert result_texts()["insufficient_balance"]["zh"] in refused.json()["detail"]
    assert filled.post("/ledger/transfer", json=line).json()["result"] == "id_already_failed"
    unfit = filled.post("/ledger/transfer", json={**line, "id": "s2", "amount": "1"})
    assert (unfit.status_code, unfit.json()["result"]) == (422, "amount_not_integer")
    assert unfit.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"transfers": {}}', b'{"transfers": [], "x": 1}', b'"\\ud800"'])
def test_a_body_that_cannot_be_read_is_told_so(client, body):
    answer = client.post("/ledger/transfers", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unreadable-request")


def test_proof_and_verification_over_http(filled, tmp_path):
    assert filled.get("/ledger/proof.json?entry=1").json()["problems"][0]["rule"] == "ledger.not-signed-yet"
    head = filled.post("/ledger/heads").json()
    assert filled.post("/ledger/heads").json() == head
    proof = filled.get("/ledger/proof.json", params={"entry": "2024-06-0003"})
    assert proof.json() == filled.get("/ledger/proof.json?entry=2").json()
    for name, content in (("proof.json", proof.content), ("heads.jsonl", filled.get("/ledger/heads.jsonl").content)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "verifier.py").write_bytes(filled.get("/ledger/verifier.py").content)
    command = [sys.executable, "verifier.py", "proof.json", "--heads", "heads.jsonl", "--key", head["key"]]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "heads.jsonl").read_text().splitlines()]
    told = filled.post("/ledger/verify", json={"heads": lines, "key": head["key"]}).json()
    assert told["ok"] and told["entries"] == 2 and told["heads"] == 2
    assert filled.post("/ledger/verify", json={"heads": [{"note": "x"}]}).status_code == 422


def test_a_full_disk_answers_503(filled):
    engine = filled.app.state.ledger_desk.store.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    import sqlalchemy as sa

    sa.event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}"))
    engine.dispose()
    move = {"debit": "国家系统", "credit": "甲厂", "instrument": "gec", "amount": 1, "reason": "x" * 2000}
    answer = filled.post("/ledger/transfers", json={"transfers": [{"id": f"f{n}", **move} for n in range(900)]})
    assert answer.status_code == 503
    assert answer.json()["problems"][0]["rule"] == "ledger.disk-full"
    assert filled.get("/ledger/balance.json", params={"account": "甲厂"}).json()["balance"] == 600


def test_many_clients_at_once_lose_nothing(filled):
    def send(n):
        line = {"id": f"m{n}", "debit": "国家系统", "credit": "甲厂", "instrument": "gec", "amount": 1}
        return filled.post("/ledger/transfer", json=line).json()["result"]

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(send, range(120))) == {"ok"}
    assert filled.get("/ledger/balance.json", params={"account": "甲厂"}).json()["balance"] == 720
    assert filled.post("/ledger/verify", json={}).json()["entries"] == 122


def test_two_writers_on_one_database_take_turns(url, make_store):
    """Two processes' worth of desks: requests of one key, and one id, through either are done once."""
    stores = [make_store(url) for _ in range(2)]
    stores[0].open_accounts([{"account": a, "instrument": "X", "overdraft": True} for a in "ab"])
    line = {"debit": "a", "credit": "b", "instrument": "X", "amount": 1}
    with Writer(stores[0]) as first, Writer(stores[1]) as second, ThreadPoolExecutor(8) as pool:

        def send(n):
            writer = (first, second)[n % 2]
            asked = Request(f"k{n // 2}", bytes([n // 2]))
            return writer.submit([{"id": f"t{n // 2}", **line}], asked).result()

        assert list(pool.map(send, range(80))) == [["ok"]] * 80
    assert Store(stores[0].engine).post([{"id": "t0", **line}]) == ["exists"]
    source = stores[0].engine.url
    where = source.database if source.get_backend_name() == "sqlite" else None
    found = verifier.check_ledger(where or source.set(drivername="postgresql").render_as_string(False), processes=1)
    assert found["ok"] and found["entries"] == 40


@pytest.fixture(scope="module")
def description(tmp_path_factory):
    """The API's description over an application in this process, with a few accounts and entries."""
    folder = tmp_path_factory.mktemp("api") / "城"
    Workspace.find_or_create(folder)
    app = create_app(folder, warm=False)
    with TestClient(app) as client:
        for name in ("accounts", "transfers", "transfer"):
            client.post(f"/ledger/{name}", json=shapes.EXAMPLES[name])
        client.post("/ledger/heads")
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "testserver"})


def test_the_description_holds_for_anything_that_is_sent(description):
    """Quick settings; verification runs a process for each request and is left out, pages are the shell's."""
    checks = [not_a_server_error, response_schema_conformance, content_type_conformance]
    seen = set()
    for found in description.include(
        path_regex="^/ledger/(?!verif|account.json|entry/|heads.json$)"
    ).get_all_operations():
        operation = found.ok()
        seen.add(operation.path)

        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def send(case):
            case.call_and_validate(checks=checks, headers={"host": "testserver"})

        send()
    assert {"/ledger/transfers", "/ledger/transfer", "/ledger/accounts", "/ledger/balance.json"} <= seen


def test_the_writer_waits_for_room_without_stopping_the_loop(tmp_path):
    import sqlalchemy as sa

    store = Store(sa.create_engine(f"sqlite:///{Path(tmp_path) / 'd.db'}"))
    store.install()
    store.open_accounts([{"account": a, "instrument": "X", "overdraft": True} for a in "ab"])
    line = {"debit": "a", "credit": "b", "instrument": "X", "amount": 1}

    async def all_of_them():
        with Writer(store, batch=4, most=6) as writer:

            async def one(n):
                future = await asyncio.to_thread(writer.submit, [{"id": f"{n}", **line}])
                return (await asyncio.wrap_future(future))[0]

            return await asyncio.gather(*(one(n) for n in range(60)))

    # A thread of its own: a browser's tests leave a running loop in this one.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, all_of_them()).result(60) == ["ok"] * 60
