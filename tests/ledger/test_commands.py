"""The ledger's verbs as the command line offers them."""

import json
import sqlite3
from pathlib import Path

import pytest

from dualcarbon.app.cli import main
from dualcarbon.ledger import machine, result_texts, transfer
from dualcarbon.ledger.transfer import read_opening, read_transfer


@pytest.fixture
def run(tmp_path, capsys):
    def call(verb, *arguments, lines=None):
        if lines is not None:
            file = tmp_path / "lines.jsonl"
            texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
            file.write_text("\ufeff" + "\n".join(texts) + "\n\n", encoding="utf-8")
            arguments = (str(file), *arguments)
        with pytest.raises(SystemExit) as left:
            main(["ledger", verb, *arguments, "--workspace", str(tmp_path / "工作区"), "--json"])
        return left.value.code, json.loads(capsys.readouterr().out)

    return call


def names(answer):
    return [one["result"] for one in answer["results"]]


ACCOUNTS = [
    {"account": "国家系统", "instrument": "gec", "overdraft": True, "unit": "张"},
    {"account": "甲厂", "instrument": "gec", "owner": "甲"},
    {"account": "乙厂", "instrument": "gec", "owner": "乙", "overdraft": False},
]
MOVE = {"debit": "国家系统", "credit": "甲厂", "instrument": "gec"}


def test_open_post_and_read(run, tmp_path):
    assert run("balance", "甲厂")[0] == 1
    code, opened = run("open", lines=ACCOUNTS)
    assert (code, names(opened), opened["opened"], opened["refused"]) == (0, ["ok"] * 3, 3, 0)
    assert run("open", lines=[ACCOUNTS[1]]) == (
        0,
        {"results": [{"account": "甲厂", "result": "exists"}], "opened": 0, "refused": 0},
    )
    code, posted = run(
        "post",
        lines=[
            {"id": "a", **MOVE, "amount": 1000, "state": "posted", "at": "2024-03-31"},
            {"id": "b", **MOVE, "amount": 7, "at": "2024-04-01T00:00:00+08:00", "linked": False, "reverses": None},
            {"id": "c", "debit": "甲厂", "credit": "乙厂", "instrument": "gec", "amount": 400, "state": "pending"},
            {"id": "d", "state": "post", "pending_id": "c", "amount": 300},
        ],
    )
    assert (code, posted["posted"], posted["refused"]) == (0, 4, 0)
    again = run("post", lines=[{"id": "a", **MOVE, "amount": 1000, "at": "2024-03-30T16:00:00Z"}])
    assert again == (0, {"results": [{"id": "a", "result": "exists"}], "posted": 0, "refused": 0})
    assert run("balance", "甲厂", "--at", "2024-03-31")[1]["balance"] == 1000
    assert run("balance", "甲厂", "--at", "2024-04-01")[1]["balance"] == 1007
    assert run("balance", "甲厂")[1]["balance"] == 707
    assert run("balance", "无")[1]["problems"][0]["rule"] == "ledger.account-not-found"
    assert run("balance", "甲厂", "--at", "去年")[1]["problems"][0]["rule"] == "ledger.time-not-understood"
    shown = run("statement", "甲厂", "--limit", "3")[1]
    assert [(one["id"], one["change"], one["balance"]) for one in shown["entries"]] == [
        ("a", 1000, 1000),
        ("b", 7, 1007),
        ("c", 0, 1007),
    ]
    assert run("statement", "甲厂", "--after", str(shown["next"]))[1]["entries"][0]["id"] == "d"
    assert [one["account"] for one in run("accounts", "--owner", "乙")[1]["accounts"]] == ["乙厂"]
    with sqlite3.connect(tmp_path / "工作区" / "dualcarbon.db") as connection:
        assert connection.execute("SELECT count(*), sum(amount) FROM entry").fetchone() == (4, 1000 + 7 + 400 + 300)


def test_every_refusal_has_its_own_answer_in_order(run):
    run("open", lines=ACCOUNTS)
    lines = [
        "{not json",
        "[1]",
        {"debit": "甲厂"},
        {"id": "x" * 65, **MOVE, "amount": 1},
        {"id": "1", **MOVE, "amount": 1.0},
        {"id": "2", **MOVE, "amount": 0},
        {"id": "3", **MOVE, "amount": 2**63},
        {"id": "4", **MOVE, "amount": 1, "amout": 1},
        {"id": "5", **MOVE, "amount": 1, "state": "done"},
        {"id": "6", **MOVE, "amount": 1, "at": "昨天"},
        {"id": "7", **{**MOVE, "credit": "国家系统"}, "amount": 1},
        {"id": "8", **{**MOVE, "credit": "丙厂"}, "amount": 1},
        {"id": "9", **{**MOVE, "instrument": "kgce"}, "amount": 1},
        {"id": "10", "debit": "甲厂", "credit": "乙厂", "instrument": "gec", "amount": 1},
        {"id": "10", "debit": "甲厂", "credit": "乙厂", "instrument": "gec", "amount": 1},
        {"id": "11", **MOVE, "amount": 5},
        {"id": "11", **MOVE, "amount": 6},
        {"id": "12", "reverses": "11", "reason": "误记"},
        {"id": "13", "reverses": "11", "reason": "误记"},
        {"id": "14", **MOVE, "amount": 5, "linked": True},
        {"id": "15", "debit": "乙厂", "credit": "甲厂", "instrument": "gec", "amount": 5},
        {"id": "16", **MOVE, "amount": 5, "linked": True},
    ]
    code, answer = run("post", lines=lines)
    assert code == 1
    assert names(answer) == [
        "invalid_json",
        "not_an_object",
        "id_missing",
        "id_too_long",
        "amount_not_integer",
        "amount_not_positive",
        "amount_too_large",
        "unknown_field",
        "state_unknown",
        "at_invalid",
        "same_account",
        "account_not_found",
        "instrument_mismatch",
        "insufficient_balance",
        "id_already_failed",
        "ok",
        "exists_with_different_amount",
        "ok",
        "already_reversed",
        "linked_transfer_failed",
        "insufficient_balance",
        "linked_chain_open",
    ]
    assert (answer["posted"], answer["refused"]) == (2, 20)
    assert run("lock", "--until", "2025-01-01")[1]["result"] == "ok"
    assert run("lock", "--until", "2024-01-01")[0] == 1
    edges = ("2024-12-31T23:59:59", "2025-01-01", "2024-12-31T16:00:00Z")
    late = [{"id": f"l{n}", **MOVE, "amount": 1, "at": at} for n, at in enumerate(edges)]
    assert names(run("post", lines=late)[1]) == ["period_locked", "ok", "ok"]


def test_expiry(run):
    run("open", lines=ACCOUNTS)
    hold = {**MOVE, "amount": 5, "state": "pending", "at": "2024-01-01", "expires": "2024-02-01"}
    assert names(run("post", lines=[{"id": "h", **hold}, {"id": "i", **hold}])[1]) == ["ok", "ok"]
    late = {"id": "p", "state": "post", "pending_id": "h", "at": "2024-02-01"}
    assert names(run("post", lines=[late])[1]) == ["pending_expired"]
    assert run("expire", "--at", "2024-01-31")[1] == {"released": 0}
    assert run("expire", "--at", "2024-02-01")[1] == {"released": 2}
    assert run("expire", "--at", "2024-02-01")[1] == {"released": 0}
    assert run("balance", "国家系统")[1]["debits_pending"] == 0


def test_verify_and_prove(run, tmp_path):
    run("open", lines=ACCOUNTS)
    run("post", lines=[{"id": f"e{n}", **MOVE, "amount": n + 1} for n in range(30)])
    heads = tmp_path / "heads.jsonl"
    signed = run("sign", "--out", str(heads))[1]
    assert (signed["size"], len(heads.read_text().splitlines())) == ("30", 1)
    proof = run("prove", "e7", "--out", str(tmp_path / "proof.json"))[1]
    assert proof == json.loads((tmp_path / "proof.json").read_text()) == run("prove", "8")[1]
    code, well = run("verify", "--heads", str(heads), "--key", signed["key"])
    assert (code, well["ok"], well["entries"]) == (0, True, 30)
    assert run("heads")[1]["heads"][0]["signature"] == signed["signature"]
    assert run("export", str(tmp_path / "all.jsonl"))[1]["entries"] == 30
    with sqlite3.connect(tmp_path / "工作区" / "dualcarbon.db") as connection:
        connection.execute("UPDATE entry SET amount = amount + 1 WHERE id = 'e12'")
    code, ill = run("verify")
    assert (code, ill["ok"], ill["entry"]) == (1, False, 13)


def test_text_answers_in_the_readers_language(run, tmp_path, capsys, monkeypatch):
    run("open", lines=ACCOUNTS)
    file = tmp_path / "lines.jsonl"
    file.write_text(json.dumps({"id": "1", "debit": "甲厂", "credit": "乙厂", "instrument": "gec", "amount": 1}))
    with pytest.raises(SystemExit) as left:
        main(["ledger", "post", str(file), "--workspace", str(tmp_path / "工作区")])
    assert left.value.code == 1
    assert "可用余额不足" in capsys.readouterr().out


def test_every_result_has_its_texts():
    """The table of results is complete: whatever the source can answer is listed, and nothing else."""
    import ast
    import inspect

    listed = set(result_texts())
    said = {"invalid_json"}
    for module in (machine, transfer):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in listed:
                said.add(node.value)
    fields = {"account", "owner", "unit", "debit", "credit", "instrument", "id", "pending_id", "reverses"}
    made = {f"{field}_{why}" for field in fields for why in ("missing", "invalid", "too_long")}
    made |= {f"{field}_invalid" for field in ("at", "expires")}
    made |= {f"exists_with_different_{field}" for field in transfer.TRANSFER_FIELDS - {"id"}}
    made |= {f"exists_with_different_{field}" for field in ("owner", "overdraft", "unit")}
    made |= {f"pending_has_different_{field}" for field in ("debit", "credit", "instrument")}
    assert listed - said - made == set()
    assert said - listed == set()
    for text in result_texts().values():
        assert text["zh"] and text["en"] and text["refused"] in ("yes", "no")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"id": 5}, "id_invalid"),
        ({"id": "a\n"}, "id_invalid"),
        ({"id": "a", **MOVE, "amount": True}, "amount_not_integer"),
        ({"id": "a", **MOVE}, "amount_missing"),
        ({"id": "a", **MOVE, "amount": 1, "linked": 0}, "linked_invalid"),
        ({"id": "a", **MOVE, "amount": 1, "linked": "yes"}, "linked_invalid"),
        ({"id": "a", "credit": "x", "instrument": "gec", "amount": 1}, "debit_missing"),
        ({"id": "a", **MOVE, "amount": 1, "debit": "x" * 129}, "debit_too_long"),
        ({"id": "a", **MOVE, "amount": 1, "pending_id": "p"}, "pending_id_not_allowed"),
        ({"id": "a", "state": "void"}, "pending_id_missing"),
        ({"id": "a", **MOVE, "amount": 1, "state": "pending", "reverses": "r"}, "reverses_not_allowed"),
        ({"id": "a", **MOVE, "amount": 1, "expires": "2024-01-01"}, "expires_not_allowed"),
        ({"id": "a", **MOVE, "amount": 1, "reason": "\0"}, "reason_invalid"),
        ({"id": "a", **MOVE, "amount": 1, "at": "9999-12-31T20:00:00Z"}, "at_invalid"),
        ({"id": "a", **MOVE, "amount": 1, "reason": "好\n的", "at": "2024-06-30T08:00:00+08:00"}, None),
    ],
)
def test_faults_of_form(line, fault):
    assert read_transfer(line).fault == fault


def test_the_quick_reading_is_the_same_reading():
    plain = {"id": "a", **MOVE, "amount": 3, "state": "posted", "at": "2024-06-30"}
    assert read_transfer(plain) == read_transfer({**plain, "reason": None})
    assert read_opening({"account": "a", "instrument": "x", "overdraft": 1}).fault == "overdraft_invalid"
    assert read_opening({"account": "a"}).fault == "instrument_missing"


@pytest.mark.parametrize("name", ["trust.md", "trust.zh-CN.md"])
def test_the_documents_list_every_result(name):
    text = (Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8")
    language = "zh" if "zh" in name else "en"
    listed = [line for line in text.splitlines() if line.startswith("| `") and line.count("|") == 3]
    wanted = [f"| `{one['result']}` | {one[language]} |" for one in result_texts().values()]
    assert listed[-len(wanted) :] == wanted
