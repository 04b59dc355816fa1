"""Tampering is found and named; proofs hold for an auditor who has only a head and the verifier file."""

import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcarbon.core.problems import Refused
from dualcarbon.ledger import chain, evidence, verifier
from dualcarbon.ledger.tables import ENTRY

ENTRIES = 60


def fill(store, count=ENTRIES, start=0):
    store.open_accounts(
        [{"account": "issuer", "instrument": "gec", "overdraft": True, "unit": "张"}]
        + [{"account": f"户{n}", "instrument": "gec", "owner": f"企业{n}"} for n in range(5)]
    )
    choice = random.Random(start)
    lines = []
    for n in range(start, start + count):
        line = {
            "id": f"e{n}",
            "debit": "issuer",
            "credit": f"户{choice.randrange(5)}",
            "instrument": "gec",
            "amount": 9,
        }
        kind = n % 6
        if kind == 1:
            line |= {"state": "pending", "expires": "2030-01-01", "at": "2024-01-01"}
        elif kind == 2:
            line = {"id": f"e{n}", "state": "post", "pending_id": f"e{n - 1}", "amount": 4, "at": "2024-01-02"}
        elif kind == 3:
            line |= {"reason": '更正 "],[" \n 第二行', "at": "2024-03-01T08:00:00+08:00"}
        elif kind == 4:
            line = {"id": f"e{n}", "reverses": f"e{n - 1}", "reason": "误记"}
        lines.append(line)
    assert set(store.post(lines)) == {"ok"}


@pytest.fixture
def signer(tmp_path):
    return evidence.Ed25519Signer.kept_in(tmp_path / "ledger.key")


def source(store):
    url = store.engine.url
    if url.get_backend_name() == "sqlite":
        return url.database
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def alter(store, *statements):
    with store.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.mark.parametrize("algorithm", chain.ALGORITHMS)
def test_an_untouched_ledger_is_well(url, make_store, signer, algorithm):
    store = make_store(url, algorithm=algorithm)
    fill(store)
    head = evidence.make_head(store, signer)
    found = verifier.check_ledger(source(store), [head], signer.public.hex())
    assert found["ok"] and found["entries"] == ENTRIES and found["heads"] == 2
    assert f"root {found['root']}\n" in head["note"]


def test_nothing_new_is_no_new_head(store, signer):
    fill(store)
    assert evidence.make_head(store, signer) == evidence.make_head(store, signer)
    assert len(evidence.heads(store.engine)) == 1


OTHER = {
    "seq": "seq + 1000",
    "amount": "amount + 1",
    "released": "coalesce(released, 0) + 1",
    "linked": "1 - linked",
    "at": '"at" + 1',
    "expires": "coalesce(expires, 0) + 1",
    "recorded": "recorded + 1",
    "debit_after": "debit_after - 1",
    "credit_after": "credit_after - 1",
    "form": "form + 1",
    "debit_previous": "debit_previous + 1",
    "credit_previous": "credit_previous - 1",
    "reason": "coalesce(reason, '') || ''",
    "pending_id": "coalesce(pending_id, '') || 'x'",
    "reverses": "coalesce(reverses, '') || 'x'",
}


@pytest.mark.parametrize("column", [column.name for column in ENTRY.columns])
def test_any_changed_column_is_found_at_its_entry(store, signer, column):
    fill(store)
    seq = random.Random(column).choice([n + 1 for n in range(ENTRIES) if n % 6 not in (3, 2)])
    value = OTHER.get(column, f"{column} || 'x'")
    if column == "hash":
        zero = "X'00'" if store.dialect == "sqlite" else r"'\x00'::bytea"
        value = zero
    alter(store, f'UPDATE entry SET "{column}" = {value} WHERE seq = {seq}')
    found = verifier.check_ledger(source(store))
    assert not found["ok"] and found["entry"] == seq


@pytest.mark.parametrize("seq", [1, 30, ENTRIES])
def test_a_deleted_row_is_found(store, signer, seq):
    fill(store)
    alter(store, f"DELETE FROM entry WHERE seq = {seq}")
    assert verifier.check_ledger(source(store))["entry"] == seq


def test_two_swapped_rows_are_found(store):
    fill(store)
    alter(store, *(f"UPDATE entry SET seq = {new} WHERE seq = {old}" for old, new in ((20, -1), (40, 20), (-1, 40))))
    assert verifier.check_ledger(source(store))["entry"] == 20


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE account SET owner = 'x' WHERE number = 3", "account"),
        ("UPDATE account SET overdraft = 1 WHERE number = 3", "account"),
        ("UPDATE account SET credits_posted = credits_posted + 5 WHERE number = 3", "account"),
        ("DELETE FROM account WHERE number = 6", "account"),
        ("UPDATE ledger_lock SET until = until + 1", "lock"),
        ("DELETE FROM ledger_lock", "lock"),
        ("UPDATE ledger_head SET note = replace(note, 'size 60', 'size 59')", "head"),
        ("UPDATE entry_refusal SET result = 'account_not_found' WHERE number = 1", "refusal"),
        ("UPDATE entry_refusal SET id = 'other' WHERE number = 2", "refusal"),
        ("DELETE FROM entry_refusal WHERE number = 1", "refusal"),
        ("DELETE FROM entry_refusal", "refusal"),
        ("UPDATE account_day SET credits_posted = credits_posted + 5 WHERE account = '户1'", "day"),
        ("UPDATE account_day SET day = day + 1000 WHERE account = '户1'", "entry"),
        ("UPDATE account_day SET last = last - 1 WHERE account = 'issuer'", "entry"),
        ("INSERT INTO account_day VALUES ('户9', 738000, 1, 2, 0, 5, 0, 0)", "day"),
        ("DELETE FROM account_day WHERE account = '户2'", "entry"),
        ("UPDATE account SET last = last - 1 WHERE number = 3", "account"),
        ("UPDATE account_mark SET seq = seq + 1000", "mark"),
        ("INSERT INTO account_mark SELECT '户9', seq FROM entry WHERE seq = 5", "mark"),
    ],
)
def test_changes_beside_the_entries_are_found(url, make_store, signer, statement, what):
    store = make_store(url, sum_after=7)
    fill(store)
    poor = {"debit": "户1", "credit": "户2", "instrument": "gec", "amount": 10**9}
    assert store.post([{"id": f"poor{n}", **poor} for n in range(2)]) == ["insufficient_balance"] * 2
    assert store.lock("", 1_000, "年度结账") == "ok"
    evidence.make_head(store, signer)
    alter(store, statement)
    found = verifier.check_ledger(source(store))
    assert what in {problem["what"] for problem in found["problems"]}


def test_a_ledger_rewritten_whole_is_found_with_a_kept_head(make_store, tmp_path, signer):
    honest, forged = make_store(f"sqlite:///{tmp_path}/a.db"), make_store(f"sqlite:///{tmp_path}/b.db")
    fill(honest)
    kept = evidence.make_head(honest, signer)
    with honest.engine.begin() as connection, forged.engine.begin() as other:
        origin = connection.execute(sa.text("SELECT origin FROM ledger")).scalar_one()
        other.execute(sa.text("UPDATE ledger SET origin = :origin"), {"origin": origin})
        for log in ("entry", "account", "lock", "refusal"):
            start = chain.genesis("sha256", origin, log)
            other.execute(sa.text(f"UPDATE ledger SET {log}_hash = :start"), {"start": start})
    fill(forged, count=ENTRIES + 10, start=6)
    assert verifier.check_ledger(source(forged))["ok"]
    found = verifier.check_ledger(source(forged), [kept])
    assert [problem["what"] for problem in found["problems"]] == ["head"]
    assert "has another root" in found["problems"][0]["problem"]


def test_an_altered_entry_is_the_only_thing_reported(store, signer):
    fill(store)
    evidence.make_head(store, signer)
    alter(store, "UPDATE entry SET amount = amount + 1 WHERE seq = 10")
    found = verifier.check_ledger(source(store))
    assert found["problems"] == [{"what": "entry", "number": 10, "problem": "altered"}]


def test_a_truncated_ledger_is_found_with_a_kept_head(make_store, tmp_path, signer):
    store = make_store(f"sqlite:///{tmp_path}/dualcarbon.db")
    fill(store)
    store.engine.dispose()
    shutil.copy(tmp_path / "dualcarbon.db", tmp_path / "old.db")
    fill(store, start=ENTRIES, count=12)
    kept = evidence.make_head(store, signer)
    assert verifier.check_ledger(str(tmp_path / "old.db"), [kept])["entry"] == ENTRIES + 1


def test_the_verifier_file_alone_checks_database_export_and_proof(make_store, tmp_path, signer):
    store = make_store(f"sqlite:///{tmp_path}/dualcarbon.db")
    fill(store)
    head = evidence.make_head(store, signer)
    alone = tmp_path / "auditor"
    alone.mkdir()
    shutil.copy(verifier.__file__, alone / "verifier.py")
    (alone / "heads.jsonl").write_text(json.dumps(head) + "\n")
    (alone / "proof.json").write_text(json.dumps(evidence.prove(store, "e30", signer), ensure_ascii=False))
    with (alone / "ledger.jsonl").open("w") as file:
        assert evidence.export(store.engine, file) == ENTRIES

    def run(name):
        command = [sys.executable, "-I", "-S", "verifier.py", name, "--heads", "heads.jsonl", "--json"]
        done = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    for name in (str(tmp_path / "dualcarbon.db"), "ledger.jsonl", "proof.json"):
        code, found = run(name)
        assert (code, found["ok"]) == (0, True), found
    lines = (alone / "ledger.jsonl").read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if '"id":"e30"' in line)
    lines[place] = lines[place].replace('"amount":9', '"amount":8')
    (alone / "ledger.jsonl").write_text("\n".join(lines))
    assert run("ledger.jsonl")[1]["entry"] == 31
    proof = json.loads((alone / "proof.json").read_text())
    proof["entry"]["amount"] += 1
    (alone / "proof.json").write_text(json.dumps(proof))
    assert run("proof.json")[0] == 1


def test_proofs_of_every_entry_and_of_growth(make_store, tmp_path, signer):
    store = make_store(f"sqlite:///{tmp_path}/dualcarbon.db")
    kept = []
    for start, count in ((0, 6), (6, 6), (12, 252), (264, 258)):
        fill(store, count, start)
        kept.append(evidence.make_head(store, signer))
    for seq in (1, 2, 6, 255, 256, 257, 511, 512, 513, 522):
        assert verifier.check_proof(evidence.prove(store, seq, signer), kept, signer.public.hex())["ok"]
    for place, old in enumerate(kept):
        for new in kept[place:]:
            proof = evidence.prove_growth(store.engine, old, new)
            assert verifier.check_proof(proof, kept)["ok"]
            swapped = {**proof, "path": proof["path"][:-1] or ["00" * 32]}
            assert not verifier.check_proof(swapped, kept)["ok"]
    with pytest.raises(Refused):
        evidence.prove(store, "never", signer)


def tree_head(leaves):
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + tree_head(leaves[:k]) + tree_head(leaves[k:])).digest()


# Roots over the first n of these leaves, and paths, as published with the reference implementation of RFC 6962
# (certificate-transparency, merkletree tests).
LEAVES = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
ROOT_OF_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_published_tree():
    hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in LEAVES]
    assert chain.root(hashlib.sha256, hashes).hex() == ROOT_OF_8 == tree_head(LEAVES).hex()


@given(st.integers(1, 130), st.data())
@settings(max_examples=80, deadline=None)
def test_trees_and_paths_agree_with_the_definition(size, data):
    leaves = [bytes([n]) for n in range(size)]
    hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    assert chain.root(hashlib.sha256, hashes) == tree_head(leaves)
    assert verifier.root(verifier.complete(hashes, "sha256"), "sha256") == tree_head(leaves)

    def subtree(start, end):
        return tree_head(leaves[start:end])

    index = data.draw(st.integers(0, size - 1))
    path = chain.inclusion_path(subtree, index, size)
    assert verifier.root_from_inclusion("sha256", hashes[index], index, size, path) == tree_head(leaves)
    old = data.draw(st.integers(1, size))
    path = chain.consistency_path(subtree, old, size)
    roots = tree_head(leaves[:old]).hex(), tree_head(leaves).hex()
    assert verifier.leads_to_both("sha256", *roots, old, size, path)
    assert old == size or not verifier.leads_to_both("sha256", "00" * 32, roots[1], old, size, path)


@given(st.binary(max_size=80), st.binary(min_size=32, max_size=32))
@settings(max_examples=15, deadline=None)
def test_the_verifiers_signature_check_agrees_with_the_library(message, seed):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verifier.ed25519_valid(public, message, signature)
    assert not verifier.ed25519_valid(public, message + b"!", signature)
    assert not verifier.ed25519_valid(public, message, signature[:10] + bytes([signature[10] ^ 1]) + signature[11:])


TEXTS = st.text(alphabet=st.sampled_from('],["\\\n甲a\u2028\x7f\x1f'), max_size=8)


@given(st.lists(st.tuples(st.integers(), TEXTS, st.none() | TEXTS), max_size=6))
def test_writer_and_verifier_write_the_same_form(rows):
    expected = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows]
    assert chain.canonical(rows) == expected
    assert verifier.forms(rows) == expected


def test_key_file_is_private_and_reused(tmp_path):
    path = Path(tmp_path / "ledger.key")
    first = evidence.Ed25519Signer.kept_in(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert evidence.Ed25519Signer.kept_in(path).public == first.public
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.key"]
