"""An account's entries, followed from the newest back to the first by links that the entries carry.

An entry names the number of the entry before it of its debit account and of its credit account (0: none), and an
account its newest. So to post is to append: no index by account is scattered over the disk, however long the log
grows. Some of an account's entries are marked, one in a few dozen, so that a reader who wants a stretch of the middle
begins just above it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from dualcarbon.ledger.machine import Account
from dualcarbon.ledger.tables import ACCOUNT, ENTRY, MARK

EVERY = 64
END = 2**63 - 1
CHUNK = 8192

# Statements are built once, with these parameters: building one costs more than the database needs to answer it.
NAME = sa.bindparam("name", type_=sa.Text)
AFTER, UP_TO = sa.bindparam("after", type_=sa.BigInteger), sa.bindparam("up_to", type_=sa.BigInteger)
LEAVES = ENTRY.c.debit == NAME
SUMMED = sa.select(ACCOUNT.c.summed).where(ACCOUNT.c.account == NAME).scalar_subquery()


def linked(
    rows: Iterable[tuple[Any, ...]], accounts: Mapping[str, Account], every: int
) -> tuple[list[tuple[Any, ...]], list[tuple[str, int]]]:
    """New entries' rows with their links appended, and the marks to keep; the accounts' `last` and `moves` go on."""
    kept, marks = [], []
    for row in rows:
        seq, debit, credit = row[0], accounts[row[2]], accounts[row[3]]
        kept.append((*row, debit.last, credit.last))
        debit.last = credit.last = seq
        debit.moves += 1
        credit.moves += 1
        if debit.moves % every == 0:
            marks.append((debit.name, seq))
        if credit.moves % every == 0:
            marks.append((credit.name, seq))
    return kept, marks


def walk(columns: Sequence[Any], low: sa.ColumnElement[int], high: sa.ColumnElement[int] | None = None) -> Any:
    """A statement of `columns` of the entries of account `NAME` numbered above `low`, up to `high` (None: the newest).

    It costs the entries in between and, with `high`, those up to the next mark.
    """
    newest = sa.select(ACCOUNT.c.last).where(ACCOUNT.c.account == NAME).scalar_subquery()
    top: Any = newest
    if high is not None:
        marked = sa.select(sa.func.min(MARK.c.seq)).where(MARK.c.account == NAME, MARK.c.seq >= high)
        top = sa.func.coalesce(marked.scalar_subquery(), newest)
    trail = sa.select(top.label("seq")).cte(recursive=True)
    before = sa.case((LEAVES, ENTRY.c.debit_previous), else_=ENTRY.c.credit_previous)
    step = sa.select(before).join_from(trail, ENTRY, ENTRY.c.seq == trail.c.seq)
    trail = trail.union_all(step.where(before > low, before < trail.c.seq))
    chosen = sa.select(*columns).join_from(trail, ENTRY, ENTRY.c.seq == trail.c.seq)
    chosen = chosen.where(trail.c.seq > low, sa.or_(LEAVES, ENTRY.c.credit == NAME))
    return chosen if high is None else chosen.where(trail.c.seq <= high)


_NEXT_MARK = sa.select(MARK.c.seq).where(MARK.c.account == NAME, MARK.c.seq > AFTER, MARK.c.seq < UP_TO)
_NEXT_MARK = _NEXT_MARK.order_by(MARK.c.seq).limit(1).offset(sa.bindparam("skip", type_=sa.Integer))


def stretches(connection: sa.Connection, account: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Cut the numbers above `low` up to `high` at the account's marks, each stretch wider than the one before."""
    skip = 0
    while low < high:
        bounds = {"name": account, "after": low, "up_to": high, "skip": skip}
        stop = connection.execute(_NEXT_MARK, bounds).scalar()
        yield low, high if stop is None else stop
        low, skip = high if stop is None else stop, min(2 * skip + 1, 255)


def relink(connection: sa.Connection, every: int = EVERY) -> None:
    """Write the links, marks and newest entries of a ledger that has none, in one pass over its entries."""
    last: dict[str, int] = {}
    moves: dict[str, int] = {}
    links = ENTRY.update().where(ENTRY.c.seq == sa.bindparam("number"))
    links = links.values(debit_previous=sa.bindparam("of_debit"), credit_previous=sa.bindparam("of_credit"))
    chosen = sa.select(ENTRY.c.seq, ENTRY.c.debit, ENTRY.c.credit).where(ENTRY.c.seq > AFTER)
    chosen = chosen.order_by(ENTRY.c.seq).limit(CHUNK)
    after = 0
    while rows := connection.execute(chosen, {"after": after}).all():
        changes, marks = [], []
        for seq, debit, credit in rows:
            changes.append({"number": seq, "of_debit": last.get(debit, 0), "of_credit": last.get(credit, 0)})
            for name in (debit, credit):
                last[name] = seq
                moves[name] = moves.get(name, 0) + 1
                if moves[name] % every == 0:
                    marks.append({"account": name, "seq": seq})
        connection.execute(links, changes)
        if marks:
            connection.execute(MARK.insert(), marks)
        after = rows[-1].seq
    newest = ACCOUNT.update().where(ACCOUNT.c.account == sa.bindparam("key")).values(last=sa.bindparam("newest"))
    if last:
        connection.execute(newest, [{"key": name, "newest": seq} for name, seq in last.items()])
