"""What busy accounts moved on each day: sums kept beside the entries, so that reads of the past do not walk them all.

`account_day` holds, for an account and day (of `at`, in China), what the account's entries up to number
`account.summed` add to its four totals, and the numbers of the first and last of them. Whoever writes brings an account
forward once `MOVES` entries stand after that number. A read adds up the days before, the entries of a day only begun,
and the few entries not summed yet: its cost grows with the days on which the account moved, not with its entries.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dualcarbon.ledger.tables import ACCOUNT, DAY, ENTRY, TOTALS
from dualcarbon.ledger.trail import END, LEAVES, NAME, SUMMED, walk

MOVES = 2**11
LENGTH = 86_400_000_000
SHIFT = 8 * 3_600_000_000 + date(1970, 1, 1).toordinal() * LENGTH
POSTING = ("posted", "post")
DATED = (ENTRY.c.at + SHIFT) // LENGTH


def day_of(at: int) -> int:
    """The day in China of an instant (microseconds since 1970-01-01T00:00Z), as `date.toordinal()`."""
    return (at + SHIFT) // LENGTH


def start_of(day: int) -> int:
    """The first microsecond of a day in China."""
    return day * LENGTH - SHIFT


def _moves() -> list[sa.ColumnElement[int]]:
    """What an entry adds to the four totals of account `NAME`."""
    posted = sa.case((ENTRY.c.state.in_(POSTING), ENTRY.c.amount), else_=0)
    pending = sa.case((ENTRY.c.state == "pending", ENTRY.c.amount), else_=-sa.func.coalesce(ENTRY.c.released, 0))
    sides = ((LEAVES, posted), (~LEAVES, posted), (LEAVES, pending), (~LEAVES, pending))
    return [sa.case((side, move), else_=0).label(name) for (side, move), name in zip(sides, TOTALS, strict=True)]


@cache
def _sums(dialect: str) -> Any:
    fresh = walk([DATED.label("day"), ENTRY.c.seq, *_moves()], SUMMED).subquery()
    sums = [sa.cast(sa.func.sum(fresh.c[name]), sa.BigInteger) for name in TOTALS]
    grouped = sa.select(NAME, fresh.c.day, sa.func.min(fresh.c.seq), sa.func.max(fresh.c.seq), *sums)
    grouped = grouped.where(sa.true()).group_by(fresh.c.day)  # without WHERE, SQLite misreads ON CONFLICT
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    added: Any = insert(DAY).from_select([column.name for column in DAY.columns], grouped)
    changes = {name: DAY.c[name] + added.excluded[name] for name in TOTALS}
    changes["last"] = added.excluded.last
    return added.on_conflict_do_update(index_elements=["account", "day"], set_=changes)


_summed = ACCOUNT.update().where(ACCOUNT.c.account == sa.bindparam("key"))
_summed = _summed.values(moves=0, summed=sa.bindparam("until"))


def sum_up(connection: sa.Connection, accounts: Iterable[str], until: int) -> None:
    """Bring the accounts forward to entry `until`, the last one."""
    for account in accounts:
        connection.execute(_sums(connection.dialect.name), {"name": account})
        connection.execute(_summed, {"key": account, "until": until})


SINCE, UNTIL = sa.bindparam("since", type_=sa.BigInteger), sa.bindparam("until", type_=sa.BigInteger)
TO_DAY = sa.bindparam("to_day", type_=sa.Integer)


@cache
def _totals(begun: bool) -> sa.Select[Any]:
    kept = sa.select(*(DAY.c[name] for name in TOTALS)).where(DAY.c.account == NAME, DAY.c.day < TO_DAY)
    parts = [kept, walk(_moves(), SUMMED).where(ENTRY.c.at <= UNTIL)]
    if begun:
        today = sa.and_(DAY.c.account == NAME, DAY.c.day == TO_DAY)
        before, last = (sa.select(x).where(today).scalar_subquery() for x in (DAY.c.first - 1, DAY.c.last))
        parts.append(walk(_moves(), before, last).where(ENTRY.c.at.between(SINCE, UNTIL)))
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


_days = sa.select(DAY.c.day, DAY.c.first, DAY.c.last).where(DAY.c.account == NAME).order_by(DAY.c.first)
_summed_to = sa.select(ACCOUNT.c.summed).where(ACCOUNT.c.account == NAME)


def spans(connection: sa.Connection, account: str, since: int | None, until: int | None) -> list[tuple[int, int]]:
    """Stretches of numbers (above, up to), in order, outside which no entry of the account is dated within the bounds.

    `since` and `until`: microseconds, None for no bound. Days that were recorded one after another make one stretch.
    """
    earliest = 0 if since is None else day_of(since)
    latest = END if until is None else day_of(until)
    found: list[tuple[int, int]] = []
    follows = False
    summed = connection.execute(_summed_to, {"name": account}).scalar() or 0
    for day, first, last in connection.execute(_days, {"name": account}):
        wanted = earliest <= day <= latest
        if wanted and found and (follows or first <= found[-1][1]):
            found[-1] = found[-1][0], max(found[-1][1], last)
        elif wanted:
            found.append((first - 1, last))
        follows = wanted
    return [*found, (summed, END)]


@cache
def _daily() -> sa.Select[Any]:
    change = sa.case((LEAVES, -ENTRY.c.amount), else_=ENTRY.c.amount)
    kept = sa.select(DAY.c.day, (DAY.c.credits_posted - DAY.c.debits_posted).label("change")).where(
        DAY.c.account == NAME
    )
    fresh = walk([DATED.label("day"), change.label("change")], SUMMED).where(ENTRY.c.state.in_(POSTING))
    every = sa.union_all(kept, fresh).subquery()
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
