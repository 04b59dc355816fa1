"""Reading a ledger: balances at any instant, statements, entries by filter; all agree with replaying the history.

Cursors are entry numbers, so a page never skips or repeats a row however many entries arrive in between.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger import days, trail
from dualcarbon.ledger.days import POSTING
from dualcarbon.ledger.tables import ACCOUNT, ENTRY, ENTRY_FIELDS, LEDGER
from dualcarbon.ledger.transfer import moment_text

MOST_ROWS = 1000


def _account(connection: sa.Connection, name: str) -> sa.Row[Any]:
    row = None
    if sa.inspect(connection).has_table("account"):
        row = connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.account == name)).first()
    if row is None:
        raise Refused(Problem("ledger.account-not-found", column="account", value=name))
    return row


def _balance(row: sa.Row[Any], totals: Sequence[int], at: int | None) -> dict[str, Any]:
    debits, credits, debits_pending, credits_pending = (int(total) for total in totals)
    return {
        "account": row.account,
        "instrument": row.instrument,
        "unit": row.unit,
        "owner": row.owner,
        "overdraft": bool(row.overdraft),
        "at": moment_text(at),
        "balance": credits - debits,
        "available": credits - debits - debits_pending,
        "debits": debits,
        "credits": credits,
        "debits_pending": debits_pending,
        "credits_pending": credits_pending,
    }


def balance(engine: sa.Engine, account: str, at: int | None = None) -> dict[str, Any]:
    """The balance of an account, now or from the entries dated up to and including `at` (microseconds).

    `{account, instrument, unit, owner, overdraft, at, balance, available, debits, credits, debits_pending,
    credits_pending}`: integers in the instrument's unit; `available` is the balance less what pending transfers hold.
    Raises Refused (`ledger.account-not-found`).
    """
    with engine.connect() as connection:
        row = _account(connection, account)
        if at is None:
            totals: tuple[int, ...] = (row.debits_posted, row.credits_posted, row.debits_pending, row.credits_pending)
        else:
            totals = days.totals_at(connection, account, at)
    return _balance(row, totals, at)


def balances(
    engine: sa.Engine,
    *,
    instrument: str | None = None,
    owner: str | None = None,
    text: str | None = None,
    after: str | None = None,
    limit: int = MOST_ROWS,
) -> dict[str, Any]:
    """The accounts of an instrument or owner with their balances now: `{"accounts": [...], "next"}`, by name.

    `text`: only those whose name or owner contains it.
    """
    chosen = sa.select(ACCOUNT).order_by(ACCOUNT.c.account).limit(limit + 1)
    for column, value in ((ACCOUNT.c.instrument, instrument), (ACCOUNT.c.owner, owner)):
        if value is not None:
            chosen = chosen.where(column == value)
    if text:
        chosen = chosen.where(
            ACCOUNT.c.account.contains(text, autoescape=True) | ACCOUNT.c.owner.contains(text, autoescape=True)
        )
    if after is not None:
        chosen = chosen.where(ACCOUNT.c.account > after)
    with engine.connect() as connection:
        rows = connection.execute(chosen).all() if sa.inspect(connection).has_table("account") else []
    shown = [
        _balance(row, (row.debits_posted, row.credits_posted, row.debits_pending, row.credits_pending), None)
        for row in rows[:limit]
    ]
    return {"accounts": shown, "next": shown[-1]["account"] if len(rows) > limit else None}


def told(row: sa.RowMapping) -> dict[str, Any]:
    """An entry as JSON shows it: instants as text, `linked` as a truth value, its hash as hexadecimal text."""
    shown: dict[str, Any] = {str(name): value for name, value in row.items()}
    for field in ("at", "expires", "recorded"):
        shown[field] = moment_text(shown[field])
    shown["linked"] = bool(shown["linked"])
    if "hash" in shown:
        shown["hash"] = shown["hash"].hex()
    return shown


def entry(engine: sa.Engine, key: str | int) -> dict[str, Any]:
    """One entry, by its id or by its number. Raises Refused (`ledger.entry-not-found`)."""
    chosen = ENTRY.c.seq == key if isinstance(key, int) else ENTRY.c.id == key
    with engine.connect() as connection:
        found = None
        if sa.inspect(connection).has_table("entry"):
            found = connection.execute(sa.select(*ENTRY_FIELDS, ENTRY.c.hash).where(chosen)).first()
    if found is None:
        raise Refused(Problem("ledger.entry-not-found", column="entry", value=key))
    return told(found._mapping)


def ties(engine: sa.Engine, shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries that a told entry is tied to, by how: pending, reverses, ended_by, reversed_by."""
    wanted = {
        "pending": ENTRY.c.id == shown["pending_id"] if shown["pending_id"] else None,
        "reverses": ENTRY.c.id == shown["reverses"] if shown["reverses"] else None,
        "ended_by": ENTRY.c.pending_id == shown["id"] if shown["state"] == "pending" else None,
        "reversed_by": ENTRY.c.reverses == shown["id"] if shown["state"] in POSTING else None,
    }
    found = {}
    with engine.connect() as connection:
        for name, condition in wanted.items():
            if condition is not None:
                row = connection.execute(sa.select(*ENTRY_FIELDS).where(condition)).first()
                if row is not None:
                    found[name] = told(row._mapping)
    return found


@cache
def _entries_query(given: frozenset[str]) -> sa.Select[Any]:
    """The statement of `entries` for the filters given, built once."""
    conditions: dict[str, sa.ColumnElement[bool]] = {
        "instrument": ENTRY.c.instrument == sa.bindparam("instrument"),
        "state": ENTRY.c.state == sa.bindparam("state"),
        "since": ENTRY.c.at >= days.SINCE,
        "until": ENTRY.c.at <= days.UNTIL,
    }
    rows = sa.bindparam("rows", type_=sa.Integer)
    asked = [condition for name, condition in conditions.items() if name in given]
    if "name" not in given:
        chosen = sa.select(*ENTRY_FIELDS).where(ENTRY.c.seq > trail.AFTER)
    else:
        chosen = trail.walk(ENTRY_FIELDS, trail.AFTER, trail.UP_TO)
    return chosen.where(*asked).order_by(ENTRY.c.seq).limit(rows)


def _stretches(
    connection: sa.Connection, account: str | None, since: int | None, until: int | None, after: int
) -> Iterator[tuple[int, int]]:
    """Stretches of numbers (above, up to), in order, in which the entries asked for lie."""
    if account is None:
        yield after, trail.END
        return
    unbounded = since is None and until is None
    for low, high in [(after, trail.END)] if unbounded else days.spans(connection, account, since, until):
        yield from trail.stretches(connection, account, max(low, after), high)


def entries(
    engine: sa.Engine,
    *,
    account: str | None = None,
    instrument: str | None = None,
    state: str | None = None,
    since: int | None = None,
    until: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> dict[str, Any]:
    """Entries in the order they were recorded: `{"entries": [...], "next": cursor or None}`.

    `since` and `until` (microseconds, both inclusive) bound `at`; `after` is the cursor of the page before.
    """
    given = {"name": account, "instrument": instrument, "state": state, "since": since, "until": until}
    values = {key: value for key, value in given.items() if value is not None}
    query = _entries_query(frozenset(values))
    rows: list[sa.Row[Any]] = []
    with engine.connect() as connection:
        if sa.inspect(connection).has_table("entry"):
            for low, high in _stretches(connection, account, since, until, after):
                rows += connection.execute(query, values | {"after": low, "up_to": high, "rows": limit + 1 - len(rows)})
                if len(rows) > limit:
                    break
    shown = [told(row._mapping) for row in rows[:limit]]
    return {"entries": shown, "next": shown[-1]["seq"] if len(rows) > limit else None}


def statement(
    engine: sa.Engine,
    account: str,
    *,
    since: int | None = None,
    until: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> dict[str, Any]:
    """The entries of an account in the order they were recorded, each with the balance right after it.

    `{account, instrument, unit, owner, balance, entries: [{seq, id, at, recorded, direction, counterparty, amount,
    change, balance, state, …}], next}`; `change` is signed and zero for what is only pending. Raises Refused.
    """
    with engine.connect() as connection:
        row = _account(connection, account)
    page = entries(engine, account=account, since=since, until=until, after=after, limit=limit)
    lines = []
    for shown in page["entries"]:
        leaves = shown["debit"] == account
        amount = shown["amount"] if shown["state"] in POSTING else 0
        lines.append(
            {
                "seq": shown["seq"],
                "id": shown["id"],
                "at": shown["at"],
                "recorded": shown["recorded"],
                "direction": "debit" if leaves else "credit",
                "counterparty": shown["credit"] if leaves else shown["debit"],
                "amount": shown["amount"],
                "change": -amount if leaves else amount,
                "balance": shown["debit_after"] if leaves else shown["credit_after"],
                **{name: shown[name] for name in ("state", "pending_id", "reverses", "reason")},
            }
        )
    return {
        "account": row.account,
        "instrument": row.instrument,
        "unit": row.unit,
        "owner": row.owner,
        "balance": row.credits_posted - row.debits_posted,
        "entries": lines,
        "next": page["next"],
    }


def due(engine: sa.Engine, at: int, limit: int = MOST_ROWS) -> list[str]:
    """Ids of pending entries that have expired by `at` (microseconds) and still hold their amount."""
    ended = ENTRY.alias("ended")
    chosen = (
        sa.select(ENTRY.c.id)
        .where(ENTRY.c.expires <= at, ~sa.exists().where(ended.c.pending_id == ENTRY.c.id))
        .order_by(ENTRY.c.expires, ENTRY.c.seq)
        .limit(limit)
    )
    with engine.connect() as connection:
        return list(connection.execute(chosen).scalars())


def totals(engine: sa.Engine) -> list[dict[str, Any]]:
    """For each instrument the sum of all accounts: debits equal credits, posted and pending apart (conservation)."""
    sums = [
        sa.func.sum(ACCOUNT.c[name]).label(name)
        for name in ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    ]
    unit = sa.func.max(ACCOUNT.c.unit).label("unit")
    chosen = sa.select(ACCOUNT.c.instrument, unit, sa.func.count().label("accounts"), *sums)
    with engine.connect() as connection:
        found = connection.execute(chosen.group_by(ACCOUNT.c.instrument).order_by(ACCOUNT.c.instrument)).all()
    return [{k: v if k in ("instrument", "unit") else int(v) for k, v in row._mapping.items()} for row in found]


def standing(engine: sa.Engine) -> dict[str, Any] | None:
    """Where the log stands: origin, algorithm, numbers of entries, accounts and locks; None when there is no ledger."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("ledger"):
            return None
        row = connection.execute(sa.select(LEDGER)).first()
    if row is None:
        return None
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in row._mapping.items()}
