"""What busy accounts moved on each day: sums kept beside the entries, so that reads of the past do not walk them all.

`account_day` holds, for an account and day (of `at`, in China), what the account's entries up to number
`account.summed` add to its four totals, and the numbers of the first and last of them. Whoever writes brings an account
forward once `MOVES` entries stand after that number. A read adds up the days before, the entries of a day only begun,
and the few entries not summed yet: its cost grows with the days on which the account moved, not with its entries.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dualcarbon.ledger.tables import ACCOUNT, DAY, ENTRY, TOTALS

MOVES = 2**11
LENGTH = 86_400_000_000
SHIFT = 8 * 3_600_000_000 + date(1970, 1, 1).toordinal() * LENGTH
POSTING = ("posted", "post")


def day_of(at: int) -> int:
    """The day in China of an instant (microseconds since 1970-01-01T00:00Z), as `date.toordinal()`."""
    return (at + SHIFT) // LENGTH


def start_of(day: int) -> int:
    """The first microsecond of a day in China."""
    return day * LENGTH - SHIFT


def _moves(side: sa.Column[Any]) -> list[sa.ColumnElement[int]]:
    """What an entry adds to the four totals of its debit or credit account."""
    posted = sa.case((ENTRY.c.state.in_(POSTING), ENTRY.c.amount), else_=0)
    pending = sa.case((ENTRY.c.state == "pending", ENTRY.c.amount), else_=-sa.func.coalesce(ENTRY.c.released, 0))
    none: sa.ColumnElement[int] = sa.literal_column("0")
    moves = (posted, none, pending, none) if side is ENTRY.c.debit else (none, posted, none, pending)
    return [move.label(name) for move, name in zip(moves, TOTALS, strict=True)]


def sum_up(connection: sa.Connection, chosen: sa.ColumnElement[bool], until: int) -> None:
    """Bring the accounts that fulfil `chosen` forward to entry `until`, the last one."""
    day = ((ENTRY.c.at + SHIFT) // LENGTH).label("day")
    sides = [
        sa.select(ACCOUNT.c.account, day, ENTRY.c.seq, *_moves(side))
        .join_from(ACCOUNT, ENTRY, side == ACCOUNT.c.account)
        .where(chosen, ENTRY.c.seq > ACCOUNT.c.summed)
        for side in (ENTRY.c.debit, ENTRY.c.credit)
    ]
    both = sa.union_all(*sides).subquery()
    sums = [sa.cast(sa.func.sum(both.c[name]), sa.BigInteger) for name in TOTALS]
    grouped = sa.select(both.c.account, both.c.day, sa.func.min(both.c.seq), sa.func.max(both.c.seq), *sums)
    grouped = grouped.where(sa.true()).group_by(
        both.c.account, both.c.day
    )  # without WHERE, SQLite misreads ON CONFLICT
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added: Any = insert(DAY).from_select([column.name for column in DAY.columns], grouped)
    changes = {name: DAY.c[name] + added.excluded[name] for name in TOTALS}
    connection.execute(
        added.on_conflict_do_update(index_elements=["account", "day"], set_={"last": added.excluded.last, **changes})
    )
    connection.execute(ACCOUNT.update().where(chosen).values(moves=0, summed=until))


def _summed(account: str) -> sa.ScalarSelect[Any]:
    return sa.select(ACCOUNT.c.summed).where(ACCOUNT.c.account == account).scalar_subquery()


def _entries(account: str, *conditions: sa.ColumnElement[bool]) -> list[sa.Select[Any]]:
    sides: tuple[Any, ...] = (ENTRY.c.debit, ENTRY.c.credit)
    made: list[Any] = []
    for side in sides:
        made.append(sa.select(*_moves(side)).where(side == account, *conditions))
    return made


def totals_at(account: str, at: int) -> sa.Select[Any]:
    """The four totals of an account from its entries dated up to and including `at` (microseconds)."""
    today = day_of(at + 1)
    kept = sa.select(*(DAY.c[name] for name in TOTALS)).where(DAY.c.account == account, DAY.c.day < today)
    parts = [kept, *_entries(account, ENTRY.c.seq > _summed(account), ENTRY.c.at <= at)]
    if at >= start_of(today):
        begun = sa.and_(DAY.c.account == account, DAY.c.day == today)
        first, last = (sa.select(DAY.c[name]).where(begun).scalar_subquery() for name in ("first", "last"))
        parts += _entries(account, ENTRY.c.seq.between(first, last), ENTRY.c.at.between(start_of(today), at))
    every = sa.union_all(*parts).subquery()
    return sa.select(*(sa.func.coalesce(sa.func.sum(every.c[name]), 0) for name in TOTALS))


def numbered(account: str, since: int | None, until: int | None) -> Sequence[sa.ColumnElement[bool]]:
    """Conditions on the entry's number, one of which every entry of the account dated within the bounds fulfils."""
    days = sa.and_(DAY.c.account == account, sa.true())
    if since is not None:
        days = sa.and_(days, DAY.c.day >= day_of(since))
    if until is not None:
        days = sa.and_(days, DAY.c.day <= day_of(until))
    first = sa.select(sa.func.min(DAY.c.first)).where(days).scalar_subquery()
    last = sa.select(sa.func.max(DAY.c.last)).where(days).scalar_subquery()
    return ENTRY.c.seq.between(first, last), ENTRY.c.seq > _summed(account)


def daily(engine: sa.Engine, account: str, since: int | None = None, until: int | None = None) -> list[dict[str, Any]]:
    """The account's balance at the end of each day on which something was posted, by the entries' dates, oldest first.

    `[{day, change, balance}]`: `day` an ISO date in China, integers in the instrument's unit. Days before `since` count
    in the balance and are not listed.
    """
    day = ((ENTRY.c.at + SHIFT) // LENGTH).label("day")
    kept = sa.select(DAY.c.day, (DAY.c.credits_posted - DAY.c.debits_posted).label("change"))
    parts = [kept.where(DAY.c.account == account)]
    for side, sign in ((ENTRY.c.debit, -1), (ENTRY.c.credit, 1)):
        fresh = sa.select(day, (ENTRY.c.amount * sign).label("change"))
        parts.append(fresh.where(side == account, ENTRY.c.seq > _summed(account), ENTRY.c.state.in_(POSTING)))
    every = sa.union_all(*parts).subquery()
    chosen = sa.select(every.c.day, sa.func.sum(every.c.change)).group_by(every.c.day).order_by(every.c.day)
    if until is not None:
        chosen = chosen.where(every.c.day <= day_of(until))
    with engine.connect() as connection:
        rows = connection.execute(chosen).all()
    lines, balance = [], 0
    for number, change in rows:
        balance += int(change)
        if change and (since is None or number >= day_of(since)):
            lines.append({"day": date.fromordinal(number).isoformat(), "change": int(change), "balance": balance})
    return lines
