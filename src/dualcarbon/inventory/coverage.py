"""Which months of which area or sector are reported, estimated, noted as not there, or missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.periods import Period
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import find_method
from dualcarbon.inventory.breakdown import children
from dualcarbon.inventory.parts import PREVIOUS, UNPLACED, Boundary, areas_of
from dualcarbon.inventory.question import Query, query
from dualcarbon.inventory.tables import names_of

#: What is known of a month: reported, quantified, notation key, rows.
_Cell = tuple[bool, bool, str | None, int]


def completeness(
    data: Any,
    *,
    place: str | None = None,
    period: str,
    tree: str = "admin",
    rows: str = "place",
    items: Sequence[str] | None = None,
    basis: str = "B",
    **chosen: Any,
) -> dict[str, Any]:
    """Matrix of areas (or sectors) and months: reported, estimated, the notation key, or missing.

    A month counts as missing when the row has data in another month of the period or of the year before, and none here.
    `items`: what is looked at (default: what the account's methods read). Cells: ``{state, rows, value: null}``.
    """
    if rows not in ("place", "sector"):
        raise Refused(Problem("inventory.unknown-dimension", value=rows, params={"known": "place, sector"}))
    q = query(data, place=place, period=period, tree=tree, basis=basis, **chosen)
    wanted = tuple(sorted(items or _items(q)))
    span = Period(q.spans[PREVIOUS].start, q.period.end)
    seen = q.snapshot.once(("reported", wanted, span), lambda: _reported(q, wanted, span))
    boundary = Boundary(tuple(children(q)), whole=q.place, tree=q.tree, at=q.boundary.at)
    codes = areas_of(q.snapshot, boundary if rows == "place" else q.boundary)
    seen = seen.with_columns(pl.col("place").replace_strict(codes, default=None, return_dtype=pl.String).alias("area"))
    shown = [*children(q), UNPLACED] if rows == "place" else [q.place]
    seen = seen.filter(pl.col("area").is_in(shown))
    column = "area" if rows == "place" else "sector"
    order = children(q) if rows == "place" else sorted(seen["sector"].drop_nulls().unique().to_list())
    months = periods.months(q.period)
    texts = [str(month) for month in months]
    exact = {(month.start, month.end): n for n, month in enumerate(months)}
    summed = seen.group_by(column, "start", "end").agg(
        pl.col("reported", "quantified").any(), pl.col("notation").min(), pl.col("rows").sum()
    )
    held: dict[Any, list[_Cell | None]] = {}
    for code, start, end, reported, quantified, notation, count in summed.rows():
        cells = held.setdefault(code, [None] * len(months))
        if end <= months[0].start:
            continue
        one = exact.get((start, end))
        longer = range(len(months)) if one is None else (one,)
        for n in (n for n in longer if start <= months[n].start and end >= months[n].end):
            cells[n] = _together(cells[n], (reported, quantified, notation, count))
    matrix: list[dict[str, Any]] = [
        {rows: code, "name": names_of(rows, code, q.names), "cells": _states(held.get(code), texts)} for code in order
    ]
    states = [cell["state"] for row in matrix for cell in row["cells"]]
    return {
        "place": q.place,
        "period": str(q.period),
        "tree": q.tree,
        "rows_are": rows,
        "items": list(wanted),
        "months": texts,
        "rows": matrix,
        "counts": {state: states.count(state) for state in sorted(set(states))},
    }


def _reported(q: Query, items: tuple[str, ...], span: Period) -> pl.DataFrame:
    """What the counted datasets hold of these items in a span of time, by place, sector and period."""
    counted = [str(one["id"]) for one in q.snapshot.datasets]
    seen = q.snapshot.quantities().filter(
        pl.col("item").is_in(items)
        & pl.col("dataset").is_in(counted)
        & (pl.col("start") >= span.start)
        & (pl.col("end") <= span.end)
    )
    estimated = pl.col("quality").is_in(["estimate", "estimated"]).fill_null(False)
    return seen.group_by("place", "sector", "start", "end").agg(
        ((pl.col("values") > 0) & ~estimated).any().alias("reported"),
        (pl.col("values") > 0).any().alias("quantified"),
        pl.col("notation").drop_nulls().min(),
        pl.col("rows").sum(),
    )


def _items(q: Query) -> set[str]:
    methods = {part.method for part in q.account.parts if not part.memo}
    return {find_method(name, q.snapshot.choices.pack).method.rows.item for name in methods}


def _together(known: _Cell | None, more: _Cell) -> _Cell:
    """Two records of one month as one: reported, quantified, notation key, rows."""
    if known is None:
        return more
    return known[0] or more[0], known[1] or more[1], known[2] or more[2], known[3] + more[3]


def _states(cells: list[_Cell | None] | None, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The state of each month; without any record the row has none, else a month without is missing."""
    found = []
    for text, cell in zip(texts, cells or [None] * len(texts), strict=True):
        reported, quantified, notation, count = cell or (False, False, None, 0)
        state = "reported" if reported else "estimated" if quantified else notation
        found.append({"month": text, "state": state or ("none" if cells is None else "missing"), "rows": count})
    return found
