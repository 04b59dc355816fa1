"""Statements of a long history, cut in every way, are what a plain filter of the whole history gives."""

import random

import sqlalchemy as sa

from dualcarbon.ledger import days, reads, verifier
from dualcarbon.ledger.tables import ENTRY, MARK
from tests.ledger.test_evidence import source

NAMES = [f"a{n}" for n in range(6)]
DAY = days.LENGTH


def history(store, count):
    """`count` transfers dated mostly one day after another, some back; one in three moves the busy account a0."""
    choice = random.Random(11)
    store.open_accounts([{"account": name, "instrument": "x", "overdraft": True} for name in NAMES])
    lines = []
    for n in range(count):
        debit, credit = choice.sample(NAMES[1:], 2)
        at = days.start_of(739_000 + (n // 40 if choice.random() < 0.95 else choice.randrange(20))) + choice.randrange(
            DAY
        )
        pending = choice.random() < 0.1
        lines.append(
            {
                "id": f"t{n}",
                "debit": "a0" if n % 6 == 0 else debit,
                "credit": "a0" if n % 6 == 3 else credit,
                "instrument": "x",
                "amount": choice.randint(1, 9),
                "state": "pending" if pending else "posted",
                "at": reads.moment_text(at),
            }
        )
    for start in range(0, count, 37):
        assert set(store.post(lines[start : start + 37])) == {"ok"}
    with store.engine.connect() as connection:
        return connection.execute(sa.select(ENTRY).order_by(ENTRY.c.seq)).mappings().all()


def test_statements_agree_with_the_history_however_they_are_cut(url, make_store):
    store = make_store(url, sum_after=100)
    rows = history(store, 900)
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(MARK)).scalar_one() > 500
    choice = random.Random(12)
    for number in range(60):
        name = "a0" if number % 2 else choice.choice(NAMES)
        since, until = (days.start_of(739_000 + choice.randrange(24)) + choice.randrange(DAY) for _ in range(2))
        given = {"since": since if choice.random() < 0.7 else None, "until": until if choice.random() < 0.7 else None}
        state = choice.choice([None, None, "pending"])
        after, limit, shown = choice.choice([0, 0, choice.randrange(900)]), choice.randint(1, 60), []
        expected = [
            row["seq"]
            for row in rows
            if name in (row["debit"], row["credit"])
            and row["seq"] > after
            and (state is None or row["state"] == state)
            and (given["since"] is None or row["at"] >= given["since"])
            and (given["until"] is None or row["at"] <= given["until"])
        ]
        while after is not None:
            page = reads.entries(store.engine, account=name, state=state, **given, after=after, limit=limit)
            shown += [entry["seq"] for entry in page["entries"]]
            after = page["next"]
        assert shown == expected
        posted = [row for row in rows if row["state"] == "posted" and row["at"] <= until]
        moved = sum(row["amount"] for row in posted if row["credit"] == name)
        moved -= sum(row["amount"] for row in posted if row["debit"] == name)
        assert reads.balance(store.engine, name, until)["balance"] == moved
    assert verifier.check_ledger(source(store))["ok"]
