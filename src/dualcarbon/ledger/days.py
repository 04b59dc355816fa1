"""What busy accounts moved on each day: sums kept beside the entries, so that reads of the past do not walk them all.

`account_day` holds, for an account and day (of `at`, in China), what the account's entries up to number
`account.summed` add to its four totals, and the numbers of the first and last of them. Whoever writes brings an account
forward once `MOVES` entries stand after that number. A read adds up the days before, the entries of a day only begun,
and the few entries not summed yet: its cost grows with the days on which the account moved, not with its entries.
"""

from datetime import date
from functools import cache
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


# Statements are built once, with these parameters: building one costs more than the database needs to answer it.
ACCOUNT_NAME = sa.bindparam("name", type_=sa.Text)
SINCE, UNTIL = sa.bindparam("since", type_=sa.BigInteger), sa.bindparam("until", type_=sa.BigInteger)
AFTER = sa.bindparam("after", type_=sa.BigInteger)
FROM_DAY, TO_DAY = sa.bindparam("from_day", type_=sa.Integer), sa.bindparam("to_day", type_=sa.Integer)
SUMMED = sa.select(ACCOUNT.c.summed).where(ACCOUNT.c.account == ACCOUNT_NAME).scalar_subquery()


def _entries(*conditions: sa.ColumnElement[bool]) -> list[Any]:
    sides: tuple[Any, ...] = (ENTRY.c.debit, ENTRY.c.credit)
    made: list[Any] = []
    for side in sides:
        made.append(sa.select(*_moves(side)).where(side == ACCOUNT_NAME, *conditions))
    return made


@cache
def _totals(begun: bool) -> sa.Select[Any]:
    kept = sa.select(*(DAY.c[name] for name in TOTALS)).where(DAY.c.account == ACCOUNT_NAME, DAY.c.day < TO_DAY)
    parts = [kept, *_entries(ENTRY.c.seq > SUMMED, ENTRY.c.at <= UNTIL)]
    if begun:
        today = sa.and_(DAY.c.account == ACCOUNT_NAME, DAY.c.day == TO_DAY)
        first, last = (sa.select(DAY.c[name]).where(today).scalar_subquery() for name in ("first", "last"))
        parts += _entries(ENTRY.c.seq.between(first, last), ENTRY.c.at.between(SINCE, UNTIL))
    every = sa.union_all(*parts).subquery()
    return sa.select(*(sa.func.coalesce(sa.func.sum(every.c[name]), 0) for name in TOTALS))


def totals_at(connection: sa.Connection, account: str, at: int) -> tuple[int, ...]:
    """The four totals of an account from its entries dated up to and including `at` (microseconds)."""
    today = day_of(at + 1)
    values: dict[str, Any] = {"name": account, "until": at, "to_day": today}
    begun = at >= start_of(today)
    if begun:
        values["since"] = start_of(today)
    return tuple(connection.execute(_totals(begun), values).one())


# Conditions on the entry's number, one of which every entry of the account dated within the days and numbered above
# `after` fulfils. Each has one lower bound: of two, a database may follow the one that lets it read more.
_within = sa.and_(DAY.c.account == ACCOUNT_NAME, DAY.c.day.between(FROM_DAY, TO_DAY))
_first, _last = sa.func.min(DAY.c.first), sa.func.max(DAY.c.last)
_beyond = sa.case((ACCOUNT.c.summed > AFTER, ACCOUNT.c.summed), else_=AFTER)
NUMBERED = (
    ENTRY.c.seq.between(
        sa.select(sa.case((_first > AFTER, _first), else_=AFTER + 1)).where(_within).scalar_subquery(),
        sa.select(_last).where(_within).scalar_subquery(),
    ),
    ENTRY.c.seq > sa.select(_beyond).where(ACCOUNT.c.account == ACCOUNT_NAME).scalar_subquery(),
)


@cache
def _daily() -> sa.Select[Any]:
    day = ((ENTRY.c.at + SHIFT) // LENGTH).label("day")
    parts = [
        sa.select(DAY.c.day, (DAY.c.credits_posted - DAY.c.debits_posted).label("change")).where(
            DAY.c.account == ACCOUNT_NAME
        )
    ]
    for side, sign in ((ENTRY.c.debit, -1), (ENTRY.c.credit, 1)):
        fresh = sa.select(day, (ENTRY.c.amount * sign).label("change"))
        parts.append(fresh.where(side == ACCOUNT_NAME, ENTRY.c.seq > SUMMED, ENTRY.c.state.in_(POSTING)))
    every = sa.union_all(*parts).subquery()
    chosen = sa.select(every.c.day, sa.func.sum(every.c.change)).where(every.c.day <= TO_DAY)
    return chosen.group_by(every.c.day).order_by(every.c.day)


def daily(engine: sa.Engine, account: str, since: int | None = None, until: int | None = None) -> list[dict[str, Any]]:
    """The account's balance at the end of each day on which something was posted, by the entries' dates, oldest first.

    `[{day, change, balance}]`: `day` an ISO date in China, integers in the instrument's unit. Days before `since` count
    in the balance and are not listed.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            _daily(), {"name": account, "to_day": 2**31 - 1 if until is None else day_of(until)}
        ).all()
    lines, balance = [], 0
    for number, change in rows:
        balance += int(change)
        if change and (since is None or number >= day_of(since)):
            lines.append({"day": date.fromordinal(number).isoformat(), "change": int(change), "balance": balance})
    return lines
