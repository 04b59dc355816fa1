"""A ledger made by an earlier version is brought to the present tables, and its evidence still holds."""

import sqlalchemy as sa

from dualcarbon.ledger import days, evidence, reads, verifier
from dualcarbon.ledger.install import present
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.tables import ENTRY
from tests.ledger.test_evidence import fill, source

# The tables as each earlier version left them: each list leads one version further back.
INDEXED = (
    "ALTER TABLE entry DROP COLUMN debit_previous",
    "ALTER TABLE entry DROP COLUMN credit_previous",
    "ALTER TABLE account DROP COLUMN last",
    "DROP TABLE account_mark",
    "CREATE INDEX entry_debit ON entry (debit, seq)",
    "CREATE INDEX entry_credit ON entry (credit, seq)",
)
UNCHAINED = (
    "CREATE TABLE earlier AS SELECT id, result, recorded FROM entry_refusal",
    "DROP TABLE entry_refusal",
    "CREATE TABLE entry_refusal (id TEXT PRIMARY KEY, result TEXT NOT NULL, recorded BIGINT NOT NULL)",
    "INSERT INTO entry_refusal SELECT id, result, recorded FROM earlier",
    "DROP TABLE earlier",
    "DROP TABLE account_day",
    "DROP TABLE ledger_request",
    "ALTER TABLE ledger DROP COLUMN refusals",
    "ALTER TABLE ledger DROP COLUMN refusal_hash",
    "ALTER TABLE account DROP COLUMN moves",
    "ALTER TABLE account DROP COLUMN summed",
)


def test_an_earlier_ledger_is_brought_up(store, tmp_path):
    fill(store)
    poor = {"debit": "户1", "credit": "户2", "instrument": "gec", "amount": 10**9}
    assert store.post([{"id": f"poor{n}", **poor} for n in range(3)]) == ["insufficient_balance"] * 3
    signer = evidence.Ed25519Signer.kept_in(tmp_path / "ledger.key")
    head = evidence.make_head(store, signer)
    lines = [line for line in head["note"].splitlines(True) if not line.startswith("refusals ")]
    note = "".join(lines).replace("head 2\n", "head 1\n")
    earlier = {**head, "note": note, "signature": signer.sign(note.encode()).hex()}
    before = [reads.balance(store.engine, f"户{n}") for n in range(5)]
    with store.engine.begin() as connection:
        for statement in INDEXED + UNCHAINED:
            connection.execute(sa.text(statement))
    store.engine.dispose()
    fresh = sa.create_engine(store.engine.url)
    assert present(fresh)
    again = Store(fresh)
    assert [reads.balance(fresh, f"户{n}") for n in range(5)] == before
    assert again.post([{"id": "poor1", **poor, "amount": 1}]) == ["id_already_failed"]
    assert [reads.balance(fresh, f"户{n}", 2**52)["balance"] for n in range(5)] == [one["balance"] for one in before]
    found = verifier.check_ledger(source(again), [earlier], signer.public.hex())
    assert found["ok"], found
    with fresh.begin() as connection:
        connection.execute(sa.text("UPDATE entry_refusal SET id = 'poor9' WHERE number = 2"))
    problems = verifier.check_ledger(source(again))["problems"]
    assert {"what": "refusal", "number": 2, "problem": "altered"} in problems
    fresh.dispose()


def test_a_ledger_with_indexes_gets_links(url, make_store):
    store = make_store(url, sum_after=7)
    fill(store)
    names = [f"户{n}" for n in range(5)]

    def told(engine):
        pages = [reads.statement(engine, name, since=since, limit=7) for name in names for since in (None, 2**52)]
        return pages, [reads.balance(engine, name, 2**52) for name in names], days.daily(engine, "户1")

    before = told(store.engine)
    links = sa.select(ENTRY.c.seq, ENTRY.c.debit_previous, ENTRY.c.credit_previous).order_by(ENTRY.c.seq)
    with store.engine.begin() as connection:
        kept = connection.execute(links).all()
        for statement in INDEXED:
            connection.execute(sa.text(statement))
    store.engine.dispose()
    again = make_store(url, sum_after=7)
    with again.engine.connect() as connection:
        assert connection.execute(links).all() == kept
        indexes = {index["name"] for index in sa.inspect(connection).get_indexes("entry")}
    assert not indexes & {"entry_debit", "entry_credit"}
    assert told(again.engine) == before
    more = {"id": "more", "debit": "issuer", "credit": "户1", "instrument": "gec", "amount": 1}
    assert again.post([more]) == ["ok"]
    assert reads.statement(again.engine, "户1", limit=1000)["entries"][-1]["id"] == "more"
    assert verifier.check_ledger(source(again))["ok"]


def test_nothing_is_there_before_it_is_made(url):
    engine = sa.create_engine(url)
    assert not present(engine)
    Store(engine).install()
    assert present(engine)
    engine.dispose()
