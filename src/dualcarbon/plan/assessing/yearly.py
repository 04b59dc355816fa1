"""A year's energy and carbon of a place by the pack's accounts, and its GDP: from the workspace through the engine.

The accounts (`accounts.yaml` of the pack) say which methods read which rows with which sign; here their parts are added
for one place and year. What the pack leaves out of an account (memo parts) stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core import periods, units
from dualcarbon.core.classification import load
from dualcarbon.core.covering import full, gaps, uppermost
from dualcarbon.core.tables import worst
from dualcarbon.core.workspace import Workspace

KEPT_ROWS, KEPT_ANSWERS = 3, 200
#: A month counts as known with this share of the rows of the same month a year before; of a first year, whose firms
#: may still be coming in, with this share of its fullest month.
NEAR, FIRST = 0.95, 0.5
_NEEDED = (
    "dataset", "place", "entity", "sector", "carrier", "item", "start", "end", "value", "unit", "notation", "low",
    "high", "error_group", "known_at", "domain", "process", "counterparty", "counterparty_place", "gas", "equipment",
    "basis",
)  # fmt: skip
_rows_kept: dict[tuple[Any, ...], pl.DataFrame] = {}
_answers_kept: dict[tuple[Any, ...], Any] = {}


def _once(kept: dict[tuple[Any, ...], Any], most: int, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """`make()`, kept under a key that holds the workspace's version; the oldest goes first."""
    if key not in kept:
        if len(kept) >= most:
            kept.pop(next(iter(kept)))
        kept[key] = make()
    return kept[key]


@cache
def accounts(pack: str) -> dict[str, dict[str, Any]]:
    """Return the accounts of a pack by basis; a nearer pack replaces a farther one."""
    return {str(one["basis"]): one for one in packs.documents(pack, "accounts")}


def amount(
    workspace: Workspace, basis: str, place: str, year: int, *, until: int = 12, known_at: date | None = None
) -> dict[str, Any]:
    """Return a year's total of an account (up to month `until`): `{value, unit, low, high, status, complete, explain}`.

    `value` is None where the workspace has no rows for it. `explain` is the question that opens the figure.
    Accounts with conditions on entities or shares (C) are not for here and raise ValueError.
    """
    from dualcarbon.engine import combine

    account = accounts(workspace.pack)[basis]
    if account["requires"]:
        raise ValueError(basis)
    period = months(year, until)
    asked = {"item": account.get("item", "emission.co2"), "place": place, "period": period, "basis": basis}
    answer: dict[str, Any] = {"value": None, "unit": account.get("unit", "tCO2"), "low": None, "high": None,
                              "status": None, "complete": False, "year": year, "explain": asked}  # fmt: skip

    def total() -> dict[str, Any]:
        terms = _terms(workspace, account, basis, place, period, known_at)
        totals = combine(terms).rows(named=True) if terms else []
        if len(totals) != 1 or totals[0]["value"] is None:
            return {}
        return {name: totals[0][name] for name in ("value", "low", "high", "status", "complete")}

    key = ("total", str(workspace.path), workspace.version(), basis, place, period, known_at)
    return answer | _once(_answers_kept, KEPT_ANSWERS, key, total)


def months(year: int, until: int) -> str:
    """Return the period text of a year up to a month."""
    return str(year) if until == 12 else f"{year}-01/{year}-{until:02d}" if until > 1 else f"{year}-01"


def covered(workspace: Workspace, year: int, known_at: date | None = None, *, place: str | None = None) -> int:
    """Return the last month of a year whose energy is known as far as it was a year before; 0 without any.

    All months up to it count as `coverage` counts them: a year so far is held against the same months, and what is
    still coming in is left out. `place`: of its rows alone.
    """
    return int(coverage(workspace, year, known_at, place=place)["until"])


def coverage(
    workspace: Workspace, year: int, known_at: date | None = None, *, place: str | None = None
) -> dict[str, Any]:
    """Return how far a year's energy is known: `{until, rows, short: [{month, rows, of}]}`.

    A month is known up to a later one when the rows that cover it and end by then are near as many as a year before
    (NEAR; FIRST of the fullest month where the year before has none). `until` is the last month up to which all are;
    `short` names the months behind it that have rows, with how many and of how many. Rows of whole years cover their
    year, those of two months both; a quantity that was not estimated (NE) is no row.
    """

    def counts(one: int) -> Any:
        frame = _rows(workspace, str(one), known_at)
        if place is not None:
            frame = frame.filter(pl.col("place").is_in(list(_within(workspace.pack, place))))
        frame = frame.filter(pl.col("value").is_not_null() | (pl.col("notation") != "NE"))
        spans = frame.group_by(
            pl.col("start").dt.month().alias("first"), pl.col("end").dt.offset_by("-1d").dt.month().alias("last")
        ).len()
        table = np.zeros((12, 12), int)
        for first, last, number in spans.iter_rows():
            table[first - 1, last - 1] = number
        return table

    def known(table: Any, month: int, until: int) -> int:
        return int(table[:month, month - 1 : until].sum())

    def find() -> dict[str, Any]:
        now, before = counts(year), counts(year - 1)
        usual = max(known(now, month, 12) for month in range(1, 13))
        share = NEAR if before.any() else FIRST

        def wanted(month: int, until: int) -> int:
            return known(before, month, until) or usual

        def near(month: int, until: int) -> bool:
            return known(now, month, until) >= share * wanted(month, until)

        whole = [until for until in range(1, 13) if all(near(month, until) for month in range(1, until + 1))]
        until = max(whole, default=0) if now.any() else 0
        short = [
            {"month": month, "rows": known(now, month, 12), "of": wanted(month, 12)}
            for month in range(until + 1, 13)
            if known(now, month, 12)
        ]
        return {"until": until, "rows": int(now.sum()), "short": short}

    key = ("covered", str(workspace.path), workspace.version(), year, known_at, place)
    answer: dict[str, Any] = _once(_answers_kept, KEPT_ANSWERS, key, find)
    return answer


def by_area(
    workspace: Workspace, basis: str, place: str, year: int, *, until: int = 12, known_at: date | None = None
) -> dict[str, dict[str, Any]]:
    """Return a year's total of an account by area directly below a place: `{area: {value, unit, status, explain}}`.

    For accounts whose parts all count where they happen (no trade across a boundary): ValueError for others.
    """
    from dualcarbon.engine import combine

    account = accounts(workspace.pack)[basis]
    if any(part.get("side", "none") != "none" for part in account["parts"]):
        raise ValueError(basis)
    terms = _terms(workspace, account, basis, place, months(year, until), known_at)
    if not terms:
        return {}
    places = load(workspace.pack).places
    below = places.children(place, "admin")
    rows = combine(terms, ("place",)).rows(named=True)
    area_of = places.rollup([row["place"] for row in rows], below, "admin")
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        area = area_of.get(row["place"])
        if area is None or row["value"] is None:
            continue
        asked = {
            "item": account.get("item", "emission.co2"),
            "place": area,
            "period": months(year, until),
            "basis": basis,
        }
        own = found.setdefault(area, {"value": 0.0, "unit": row["unit"], "status": row["status"], "explain": asked})
        own["value"] += row["value"]
        own["status"] = worst([own["status"], row["status"]])
    return found


def _terms(
    workspace: Workspace, account: Mapping[str, Any], basis: str, place: str, period: str, known_at: date | None
) -> list[Any]:
    """The parts of an account as terms of a sum, for the engine to combine."""
    from dualcarbon.engine import Term, calculate

    rows = _rows(workspace, period, known_at)
    statuses = {one["id"]: one["status"] for one in workspace.datasets()}
    terms = []
    for part in account["parts"]:
        if part.get("memo"):
            continue
        mine = _side(rows, part.get("side", "none"), workspace.pack, place)
        method = _method(part["method"], workspace.pack)
        if part.get("item"):
            mine = mine.filter(pl.col("item") == part["item"]).with_columns(pl.lit(method.rows.item).alias("item"))
        else:
            mine = mine.filter(pl.col("item") == method.rows.item)
        if mine.is_empty():
            continue
        made = calculate(
            part["method"], mine, pack=workspace.pack, known_at=known_at, where=part.get("where"), statuses=statuses,
            canonical=True,
        )  # fmt: skip
        output = next((one for one in method.outputs if one.basis == basis), method.outputs[0])
        terms.append(Term(made, output, sign=int(part.get("sign", 1))))
    return terms


def tonnes_of_power(workspace: Workspace, basis: str, place: str, year: int, mwh: float) -> float | None:
    """Return electricity as standard coal by the convention of `basis` (`calorific`, `equivalent`) in a year.

    The coefficient follows the convention of the total it is taken from; None where the pack has none for the year.
    """
    from dualcarbon.engine import calculate

    row = {"item": "energy.consumption", "place": place, "carrier": "electricity", "value": mwh, "unit": "MWh"}
    made = calculate("cn.tce", pl.DataFrame([row | {"period": str(year)}]), pack=workspace.pack)
    found = made.cells[basis].to_list()
    return None if not found or found[0] is None else float(found[0])


def feedstock(workspace: Workspace, basis: str, place: str, year: int, known_at: date | None = None) -> float | None:
    """Return the place's feedstock of a year in standard coal; None where nothing was reported."""
    from dualcarbon.engine import calculate

    inside = pl.col("place").is_in(list(_within(workspace.pack, place)))
    rows = _rows(workspace, str(year), known_at).filter((pl.col("item") == "energy.feedstock") & inside)
    if rows.is_empty():
        return None
    made = calculate("cn.tce.feedstock", rows, pack=workspace.pack, known_at=known_at, canonical=True)
    return float(made.cells[basis].sum()) if made.cells[basis].count() else None


def gdp(
    workspace: Workspace, place: str, year: int, *, until: int = 12, known_at: date | None = None
) -> dict[str, Any]:
    """Return GDP at current prices of a year's months up to `until`: `{current, status}`, in 亿元.

    A sum of the parts of an economy (quarters, areas) or the place's own row; account data come before others, and of
    published figures the last dataset, which revises the ones before.
    """
    found: dict[str, Any] = {"current": None, "status": None}
    rows, roles = _within_span(workspace, "economy.gdp", place, months(year, until), known_at)
    for group in _sets(rows, place, workspace.pack, periods.parse(months(year, until))):
        role, status = roles.get(group["dataset"][0], ("", "unverified"))
        if found["current"] is None or role == "account" or found["role"] != "account":
            value = float(group["value"].sum()) * units.ratio(group["unit"][0], "yi_CNY")
            found = {"current": value, "status": status, "role": role}
    return {name: found[name] for name in ("current", "status")}


def gdp_growth(
    workspace: Workspace, place: str, year: int, *, until: int = 12, known_at: date | None = None
) -> dict[str, Any]:
    """Return the published real growth of GDP of exactly the months to `until`: `{value, status, source}`, a share.

    A ratio of current-price figures is never taken for it.
    """
    rows, roles = _within_span(workspace, "economy.gdp_growth", place, months(year, until), known_at)
    span = periods.parse(months(year, until))
    own = rows.filter((pl.col("place") == place) & (pl.col("start") == span.start) & (pl.col("end") == span.end))
    if own.is_empty():
        return dict.fromkeys(("value", "status", "source"))
    last = own.row(-1, named=True)
    status = roles.get(last["dataset"], ("", "unverified"))[1]
    return {"value": last["value"] * units.ratio(last["unit"], "1"), "status": status, "source": last["dataset"]}


def _within_span(
    workspace: Workspace, item: str, place: str, period: str, known_at: date | None
) -> tuple[pl.DataFrame, dict[str, tuple[str, str]]]:
    """Rows of an economic item inside a place and period, and each dataset's role and status."""
    span, within = periods.parse(period), _within(workspace.pack, place)
    rows = _economy(workspace, known_at).filter(
        (pl.col("item") == item)
        & (pl.col("start") >= span.start)
        & (pl.col("end") <= span.end)
        & pl.col("place").is_in(list(within))
    )
    return rows, {one["id"]: (one["role"], one["status"]) for one in workspace.datasets()}


def _economy(workspace: Workspace, known_at: date | None) -> pl.DataFrame:
    """The rows of GDP and its growth that are not by sector, read once for each version."""

    def read() -> pl.DataFrame:
        wanted = "item IN ('economy.gdp', 'economy.gdp_growth') AND value IS NOT NULL AND sector IS NULL"
        columns = 'dataset, place, sector, item, start, "end", value, unit'
        frame: pl.DataFrame = workspace.observations(known_at=known_at).filter(wanted).project(columns).pl()
        return frame

    key = ("economy", str(workspace.path), workspace.version(), known_at)
    answer: pl.DataFrame = _once(_answers_kept, KEPT_ANSWERS, key, read)
    return answer


def _sets(rows: pl.DataFrame, place: str, pack: str, span: periods.Period) -> list[pl.DataFrame]:
    """Rows of each dataset that make up the place through all of `span`: its own, else those of its parts where an
    economy has them for every area; part of a year or some of the areas are none."""
    found, book, columns = [], load(pack), ("place", "sector", "start", "end")
    for dataset in rows.partition_by("dataset", maintain_order=True):
        mine = pl.col("place") == place
        own, parts = dataset.filter(mine), uppermost(dataset.filter(~mine), book, span)[0]
        if not gaps(own.select(columns).iter_rows(), span):
            found.append(own)
        elif dataset["dataset"][0].endswith("economy") and full(
            parts.select(columns).iter_rows(), place, span, book.places
        ):
            found.append(parts)
    return found


def _rows(workspace: Workspace, period: str, known_at: date | None) -> pl.DataFrame:
    """The accounts' energy rows of a period; the last few are kept, each for its version of the workspace."""
    span = periods.parse(period)
    datasets = [one["id"] for one in workspace.datasets() if one["role"] == "account"]
    inside = f"item LIKE 'energy.%' AND start >= '{span.start}' AND \"end\" <= '{span.end}'"

    def read() -> pl.DataFrame:
        rows = workspace.observations(datasets=datasets, known_at=known_at) if datasets else workspace.observations()
        rows = rows.filter(inside if datasets else "false")
        frame: pl.DataFrame = rows.project(", ".join(f'"{name}"' for name in _NEEDED)).pl()
        return frame

    key = (str(workspace.path), workspace.version(), period, known_at)
    answer: pl.DataFrame = _once(_rows_kept, KEPT_ROWS, key, read)
    return answer


@cache
def _within(pack: str, place: str) -> frozenset[str]:
    places = load(pack).places
    inside = places.leaves(place, "admin")
    return frozenset(one for one in places if places.extent(one) <= inside)


def _side(rows: pl.DataFrame, side: str, pack: str, place: str) -> pl.DataFrame:
    """Rows that count for a part, as accounts.yaml describes `side`."""
    within = list(_within(pack, place))
    here, there = pl.col("place").is_in(within), pl.col("counterparty_place").is_in(within)
    known = pl.col("counterparty_place").is_not_null()
    chosen: Mapping[str, pl.Expr] = {
        "none": here,
        "import": here & known & ~there,
        "export": ~here & known & there,
        "inside": here & known & there,
    }
    return rows.filter(chosen[side])


def _method(name: str, pack: str) -> Any:
    from dualcarbon.engine import find_method

    return find_method(name, pack).method
