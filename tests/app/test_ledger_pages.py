"""The ledger's pages: the books, a statement, one entry with its proof, the tree heads."""

import io
import json
import re
import subprocess
import sys

import openpyxl
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from dualcarbon.app.web import create_app
from dualcarbon.app.wording import messages
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger import Store, reads, verifier

ACCOUNT = "gec|甲厂 <一号>"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader of a workspace whose ledger holds a few certificates."""
    folder = tmp_path_factory.mktemp("ledger") / "city"
    workspace = Workspace.find_or_create(folder)
    store = Store(workspace.database, sum_after=3)
    store.install()
    store.open_accounts(
        [
            {"account": "gec|国家系统", "instrument": "gec", "overdraft": True, "unit": "张"},
            {"account": ACCOUNT, "instrument": "gec", "owner": "甲厂"},
            {"account": "gec|乙厂", "instrument": "gec", "owner": "乙厂"},
        ]
    )
    issue = {"debit": "gec|国家系统", "credit": ACCOUNT, "instrument": "gec"}
    lines = [{"id": f"i{n}", **issue, "amount": 100 + n, "at": f"2024-{n + 1:02d}-15"} for n in range(12)]
    lines[3]["reason"] = "=1+1"
    lines += [
        {"id": "hold", "debit": ACCOUNT, "credit": "gec|乙厂", "instrument": "gec", "amount": 50, "state": "pending"},
        {"id": "take", "state": "post", "pending_id": "hold", "amount": 30},
        {"id": "undo", "reverses": "i0", "reason": "误记"},
        {"id": "poor", "debit": "gec|乙厂", "credit": ACCOUNT, "instrument": "gec", "amount": 10**6},
    ]
    assert store.post(lines) == ["ok"] * 15 + ["insufficient_balance"]
    app = create_app(folder, warm=False)
    with TestClient(app, headers={"accept": "text/html"}, raise_server_exceptions=False) as made:
        yield made


def page(reader, address, **query):
    answer = reader.get(address, params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_books_say_that_debits_equal_credits_and_find_accounts(reader):
    text = page(reader, "/ledger")
    assert "借贷平衡：15 笔分录，1 个品种" in text
    assert "拒绝的编号 1 个" in text
    assert "甲厂 &lt;一号&gt;" in text and "<一号>" not in text
    found = reader.get("/ledger.json", params={"q": "乙"}).json()
    assert [one["account"] for one in found["accounts"]] == ["gec|乙厂"]
    assert reader.get("/ledger.json", params={"q": "take"}).json()["entry"]["seq"] == 14
    assert reader.get("/ledger.json", params={"q": "%"}).json()["accounts"] == []
    assert "Debits equal credits" in page(reader, "/ledger", lang="en")
    reader.cookies.clear()


def test_a_statement_has_its_chart_table_and_workbook(reader):
    text = page(reader, "/ledger/account", account=ACCOUNT)
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text, re.S).group(1))
    told = reader.get("/ledger/account.json", params={"account": ACCOUNT}).json()
    assert data["days"] == told["days"]
    assert told["days"][-1]["balance"] == told["balance"] == sum(one["change"] for one in told["entries"])
    assert told["days"][3] == {"day": "2024-04-15", "change": 103, "balance": 100 + 101 + 102 + 103}
    spring = reader.get(
        "/ledger/account.json", params={"account": ACCOUNT, "since": "2024-03-01", "until": "2024-05-31"}
    )
    assert [one["id"] for one in spring.json()["entries"]] == ["i2", "i3", "i4"]
    assert spring.json()["opened_with"] == 201
    answer = reader.get("/ledger/account.xlsx", params={"account": ACCOUNT})
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    rows = list(sheet.iter_rows(min_row=7, values_only=True))
    assert [row[7] for row in rows] == [one["balance"] for one in told["entries"]]
    cell = next(cell for row in sheet.iter_rows(min_row=7) for cell in row if cell.value == "=1+1")
    assert cell.data_type == "s"
    assert reader.get("/ledger/account", params={"account": "无"}).status_code == 404


def test_an_entry_opens_into_its_proof(reader, tmp_path):
    assert "还没有树头覆盖这一笔" in page(reader, "/ledger/entry/14")
    signed = reader.post("/ledger/heads", follow_redirects=False)
    assert (signed.status_code, signed.headers["location"]) == (303, "/ledger/heads?signed=new")
    assert "已签署：树头覆盖 15 笔分录" in reader.get(signed.headers["location"]).text
    again = reader.post("/ledger/heads")
    assert 'role="status"' not in page(reader, "/ledger/heads", signed="nonsense")
    assert "没有另签" in again.text and len(reader.get("/ledger/heads.json").json()["heads"]) == 1
    text = page(reader, "/ledger/entry/14")
    assert "证明：它在签署过的账本里" in text and "所指待定分录" in text and "/ledger/entry/13" in text
    told = reader.get("/ledger/entry/14.json").json()
    assert told["steps"][-1]["result"] == verifier.said(told["proof"]["head"])["root"]
    assert told["steps"][-1]["result"] in text
    assert reader.get("/ledger/entry/13.json").json()["ties"]["ended_by"]["seq"] == 14
    assert reader.get("/ledger/entry/1.json").json()["ties"]["reversed_by"]["id"] == "undo"
    address = re.search(r'href="(/ledger/proof.json[^"]*)"', text).group(1)
    (tmp_path / "proof.json").write_bytes(reader.get(address).content)
    (tmp_path / "verifier.py").write_bytes(reader.get("/ledger/verifier.py").content)
    done = subprocess.run([sys.executable, "verifier.py", "proof.json"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "all is well")
    assert reader.get("/ledger/entry/99").status_code == 404


def test_every_step_leads_on_at_every_place_and_size(reader):
    reader.post("/ledger/heads")
    engine = reader.app.state.site.workspace.database
    told = [reader.get(f"/ledger/entry/{seq}.json").json() for seq in range(1, 16)]
    for one in told:
        assert one["steps"][-1]["result"] == verifier.said(one["proof"]["head"])["root"]
        assert one["hash"] == reads.entry(engine, one["seq"])["hash"]


def test_the_page_of_heads_tells_how_to_verify(reader):
    reader.post("/ledger/heads")
    text = page(reader, "/ledger/heads")
    head = reader.get("/ledger/heads.json").json()["heads"][0]
    for name in ("root", "signature", "key", "refusals"):
        assert head[name] in text
    assert "python verifier.py ledger.jsonl --heads heads.jsonl" in text
    kept = [json.loads(line) for line in reader.get("/ledger/heads.jsonl").text.splitlines()]
    assert kept[-1]["signature"] == head["signature"]


def test_codes_are_said_in_the_readers_words(reader):
    for lang, instrument, stands in (
        ("zh", "绿色电力证书", "签发方"),
        ("en", "green electricity certificate", "issuer"),
    ):
        books = page(reader, "/ledger", lang=lang)
        assert f">{instrument}</a>" in books and f">{instrument} · 乙厂</a>" in books and "gec|乙厂" in books
        assert f'<h1 class="name">{instrument} · 乙厂</h1>' in page(
            reader, "/ledger/account", account="gec|乙厂", lang=lang
        )
        assert reader.get("/ledger.json").json()["names"]["@issuer"][lang] == stands
    reader.cookies.clear()


def test_accounts_of_any_name_say_their_instrument_and_owner(tmp_path):
    workspace = Workspace.find_or_create(tmp_path / "city")
    opened = [
        {"account": "甲厂一号", "instrument": "gec", "owner": "甲厂"},
        {"account": "free", "instrument": "x&y", "owner": "乙 <厂>"},
        {"account": "x&y|丙厂分账", "instrument": "x&y", "owner": "丙厂"},
        {"account": "x&y|丙厂", "instrument": "x&y", "owner": "丙厂"},
    ]
    with TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"}) as made:
        made.post("/ledger/accounts", json={"accounts": opened})
        text = page(made, "/ledger")
        assert '<div class="note">绿色电力证书 · 甲厂</div>' in text
        assert '<div class="note">x&amp;y · 乙 &lt;厂&gt;</div>' in text
        assert text.count('<div class="note">') == 2
        chosen = page(made, "/ledger", instrument="x&y")
        assert "x&amp;y：持有的账户" in chosen and "&amp;amp;" not in text + chosen
        assert '<code class="note">gec</code>' in text and '<code class="note">x&amp;y</code>' not in text
        for account, owner in (("甲厂一号", "甲厂"), ("x&y|丙厂分账", "丙厂"), ("x&y|丙厂", None)):
            text = page(made, "/ledger/account", account=account)
            assert f"所有人：{owner}" in text if owner else "所有人" not in text


def test_the_whole_ledger_is_verified_on_a_page(tmp_path):
    workspace = Workspace.find_or_create(tmp_path / "city")
    with TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"}) as made:
        assert "还没有账本" in made.get("/ledger/verified").text
        assert made.post("/ledger/verify").status_code == 422
        opened = [{"account": "a", "instrument": "gec", "overdraft": True}, {"account": "b", "instrument": "gec"}]
        made.post("/ledger/accounts", json={"accounts": opened})
        line = {"id": "one", "debit": "a", "credit": "b", "instrument": "gec", "amount": 5}
        made.post("/ledger/transfers", json={"transfers": [line]})
        before = made.get("/ledger/verified")
        assert "还没有核验过" in before.text and "均属实" not in before.text
        done = made.post("/ledger/verify", follow_redirects=False)
        assert (done.status_code, done.headers["location"]) == (303, "/ledger/verified")
        told = made.get("/ledger/verified", headers={"if-none-match": before.headers["etag"]}).text
        assert "核验通过：1 笔分录完好" in told and "没有树头可核。所核各项均属实。" in told and "树头签名" not in told
        made.post("/ledger/heads")
        told = made.post("/ledger/verify").text
        assert "核验内容：哈希相扣、余额连续、树头签名。所核各项均属实。" in told and "此后又有" not in told
        told = made.get("/ledger/verified?lang=en").text
        assert "Verified; entries intact: 1" in told and "Checked: " in told and "Everything checked holds." in told
        made.post("/ledger/transfers", json={"transfers": [{**line, "id": "two"}]})
        assert "此后又有 1 笔分录" in made.get("/ledger/verified?lang=zh").text
        with workspace.database.begin() as connection:
            connection.execute(sa.text("UPDATE entry SET amount = 6 WHERE seq = 1"))
        told = made.post("/ledger/verify").text
        assert "核验不通过" in told and "第 1 号分录起有改动" in told and "分录 1：被改动" in told
        assert "核验内容：哈希相扣" in told and "均属实" not in told
        told = made.get("/ledger/verified?lang=en").text
        assert "Checked: " in told and "Everything checked holds." not in told
        assert made.get("/ledger/verified.json").json()["found"]["entry"] == 1
        programs = made.post("/ledger/verify", json={"heads": [], "key": None}).json()
        assert programs["entry"] == 1 and programs["problems"]


def test_only_the_button_of_our_own_page_verifies(reader):
    assert reader.post("/ledger/verify", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    for address in ("/ledger/verified", "/ledger/verified?x=1"):
        assert "还没有核验过" in page(reader, address)
    assert reader.get("/ledger/verified.json").json()["found"] is None
    for address in ("/ledger", "/ledger/heads", "/ledger/verified"):
        assert 'method="post" action="/ledger/verify"' in page(reader, address)


def test_pages_are_fresh_and_answer_from_what_the_reader_has(reader):
    first = reader.get("/ledger")
    again = reader.get("/ledger", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    line = {"id": "more", "debit": "gec|国家系统", "credit": "gec|乙厂", "instrument": "gec", "amount": 5}
    assert reader.post("/ledger/transfers", json={"transfers": [line]}).json()["posted"] == 1
    assert reader.get("/ledger", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_a_workspace_without_a_ledger_says_so(tmp_path):
    Workspace.find_or_create(tmp_path / "leer")
    with TestClient(create_app(tmp_path / "leer", warm=False), headers={"accept": "text/html"}) as made:
        for address in ("/ledger", "/ledger/heads"):
            assert "还没有账本" in made.get(address).text
        assert made.get("/ledger/entry/1").status_code == 404
        assert made.get("/ledger/account?account=x").status_code == 404


def test_every_text_of_the_pages_has_its_english():
    from dualcarbon.app.rooms import room_folders

    known = messages("en")
    for file in sorted((room_folders()["ledger"] / "templates").glob("*.html")):
        for text in re.findall(r"""_\((["'])(.*?)\1""", file.read_text(encoding="utf-8")):
            assert text[1] in known, (file.name, text[1])
