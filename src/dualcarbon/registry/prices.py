"""Reading the market: offers and the order book, trades, price series; and other markets' trades, kept apart."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from dualcarbon.ledger.transfer import instant, moment_text
from dualcarbon.registry.act import days
from dualcarbon.registry.tables import MIRRORED, OFFER, TRADE, installed
from dualcarbon.registry.words import refuse

INSTANTS = ("at", "due", "settled", "expires")


def _page(
    engine: sa.Engine, table: sa.Table, after: int, limit: int, **wanted: Any
) -> tuple[list[dict[str, Any]], Any]:
    if not installed(engine):
        return [], None
    chosen = sa.select(table).where(table.c.number > after)
    for column, value in wanted.items():
        if value is not None:
            chosen = chosen.where(table.c[column] == value)
    with engine.connect() as connection:
        rows = connection.execute(chosen.order_by(table.c.number).limit(limit + 1)).mappings().all()
    shown = [_told(row) for row in rows[:limit]]
    return shown, shown[-1]["number"] if len(rows) > limit else None


def _told(row: Any) -> dict[str, Any]:
    told = {key: moment_text(value) if key in INSTANTS else value for key, value in row.items()}
    return {**told, "synthetic": bool(told["synthetic"])}


def trades(
    engine: sa.Engine,
    *,
    code: str | None = None,
    vintage: str | None = None,
    state: str | None = None,
    way: str | None = None,
    party: str | None = None,
    month: str | None = None,
    after: int = 0,
    limit: int = 100,
    newest: bool = False,
) -> dict[str, Any]:
    """Trades, and transfers without a price, in the order they were made or the `newest` first: `{"trades", "next"}`.

    `month` (such as 2026-03) keeps the priced trades settled in it. `price` and `amount` are integers of 0.01 yuan;
    `cross_region` says whether the places of both parties differ.
    """
    if not installed(engine):
        return {"trades": [], "next": None}
    order = TRADE.c.number.desc() if newest else TRADE.c.number
    chosen = sa.select(TRADE).order_by(order).limit(limit + 1)
    if after:
        chosen = chosen.where(TRADE.c.number < after if newest else TRADE.c.number > after)
    for column, value in (("instrument", code), ("vintage", vintage), ("state", state), ("way", way)):
        if value is not None:
            chosen = chosen.where(TRADE.c[column] == value)
    if month is not None:
        start, end = days(month)
        settled = (TRADE.c.settled >= instant(start), TRADE.c.settled < instant(end), TRADE.c.price.is_not(None))
        chosen = chosen.where(*settled)
    if party is not None:
        chosen = chosen.where(sa.or_(TRADE.c.seller == party, TRADE.c.buyer == party))
    with engine.connect() as connection:
        rows = connection.execute(chosen).mappings().all()
    shown = [{**_told(row), "cross_region": _crosses(row)} for row in rows[:limit]]
    return {"trades": shown, "next": shown[-1]["number"] if len(rows) > limit else None}


def _crosses(row: Any) -> bool:
    return bool(row["seller_place"] and row["buyer_place"] and row["seller_place"] != row["buyer_place"])


def counts(engine: sa.Engine) -> dict[str, int]:
    """How many trades with a price each instrument has."""
    if not installed(engine):
        return {}
    chosen = sa.select(TRADE.c.instrument, sa.func.count()).where(TRADE.c.price.is_not(None))
    with engine.connect() as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(chosen.group_by(TRADE.c.instrument))}


def trade(engine: sa.Engine, id: str) -> dict[str, Any]:
    """One trade. Raises Refused (`registry.no-such-trade`)."""
    row = None
    if installed(engine):
        with engine.connect() as connection:
            row = connection.execute(sa.select(TRADE).where(TRADE.c.id == id)).mappings().first()
    if row is None:
        raise refuse("no-such-trade", "trade", id)
    return {**_told(row), "cross_region": _crosses(row)}


def offers(
    engine: sa.Engine, *, code: str | None = None, vintage: str | None = None, state: str | None = None,
    side: str | None = None, after: int = 0, limit: int = 100,
) -> dict[str, Any]:  # fmt: skip
    """Offers in the order they were made: `{"offers": [...], "next"}`."""
    shown, cursor = _page(engine, OFFER, after, limit, instrument=code, vintage=vintage, state=state, side=side)
    return {"offers": shown, "next": cursor}


def book(engine: sa.Engine, code: str, vintage: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """The order book of open listings: `{asks, bids}`, each by price level with quantity and number of offers."""
    found = offers(engine, code=code, vintage=vintage, state="open", limit=10_000)["offers"]
    sides: dict[str, list[dict[str, Any]]] = {}
    for name, side, sign in (("asks", "sell", 1), ("bids", "buy", -1)):
        levels: dict[int, dict[str, Any]] = {}
        for one in found:
            if one["side"] == side and one["way"] == "listing":
                level = levels.setdefault(one["price"], {"price": one["price"], "quantity": 0, "offers": 0})
                level["quantity"] += one["left"]
                level["offers"] += 1
        sides[name] = [levels[price] for price in sorted(levels, key=lambda price: sign * price)]
    return sides


def mirrored(
    engine: sa.Engine, *, code: str | None = None, market: str | None = None, after: int = 0, limit: int = 100
) -> dict[str, Any]:
    """Trades of other markets as their files say: `{"trades": [...], "next"}`."""
    shown, cursor = _page(engine, MIRRORED, after, limit, instrument=code, market=market)
    return {"trades": shown, "next": cursor}


def series(
    engine: sa.Engine, *, code: str | None = None, vintage: str | None = None, market: str | None = None
) -> list[dict[str, Any]]:
    """Prices by instrument, vintage and month: count, volume, turnover, and mean (weighted), lowest, highest price.

    From settled trades of this registry or, with `market`, from what was imported of that market; never of both.
    Prices are 0.01 yuan for the quoted unit; `mean` is a float.
    """
    if not installed(engine):
        return []
    if market is None:
        table, when = TRADE, TRADE.c.settled
        chosen = sa.select(table, when.label("when")).where(table.c.state == "settled", table.c.price.is_not(None))
    else:
        table = MIRRORED
        chosen = sa.select(table, table.c.day.label("when")).where(table.c.market == market)
        chosen = chosen.where(table.c.price.is_not(None))
    for column, value in (("instrument", code), ("vintage", vintage)):
        if value is not None:
            chosen = chosen.where(table.c[column] == value)
    with engine.connect() as connection:
        rows = connection.execute(chosen).mappings().all()
    return summarised(rows, market)


def summarised(rows: Iterable[Any], market: str | None = None) -> list[dict[str, Any]]:
    """The months of trades with `instrument, vintage, when (microseconds or a day), quantity, price, synthetic`."""
    months: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        when = row["when"] if isinstance(row["when"], str) else str(moment_text(row["when"]))
        key = (row["instrument"], row["vintage"] or "", when[:7])
        empty = {"count": 0, "volume": 0, "turnover": 0, "low": row["price"], "high": row["price"], "synthetic": False}
        month = months.setdefault(key, empty)
        month["count"] += 1
        month["volume"] += row["quantity"]
        month["turnover"] += row["quantity"] * row["price"]
        month["low"], month["high"] = min(month["low"], row["price"]), max(month["high"], row["price"])
        month["synthetic"] = month["synthetic"] or bool(row["synthetic"])
    shown = []
    for (code, vintage, name), month in sorted(months.items()):
        mean = month.pop("turnover") / month["volume"]
        told = {"instrument": code, "vintage": vintage or None, "month": name, **month, "mean": mean, "market": market}
        shown.append(told)
    return shown
