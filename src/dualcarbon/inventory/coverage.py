"""Which months of which area or sector are reported, estimated, noted as not there, or missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import find_method
from dualcarbon.inventory.accounts import Query, query
from dualcarbon.inventory.breakdown import children
from dualcarbon.inventory.parts import PREVIOUS, UNPLACED, Boundary, located
from dualcarbon.inventory.tables import names_of


def completeness(
    data: Any,
    *,
    place: str = "330400",
    period: str = "2024",
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
    wanted = set(items or _items(q))
    counted = [str(one["id"]) for one in q.snapshot.datasets]
    seen = q.snapshot.quantities().filter(
        pl.col("item").is_in(sorted(wanted)) & pl.col("dataset").is_in(counted)
        & (pl.col("start") >= q.spans[PREVIOUS].start) & (pl.col("end") <= q.period.end)
    )  # fmt: skip
    boundary = Boundary(tuple(children(q)), whole=q.place, tree=q.tree, at=q.boundary.at)
    codes = located(seen["place"].unique().to_list(), boundary if rows == "place" else q.boundary, q.names.places)
    seen = seen.with_columns(pl.col("place").replace_strict(codes, default=None, return_dtype=pl.String).alias("area"))
    shown = [*children(q), UNPLACED] if rows == "place" else [q.place]
    seen = seen.filter(pl.col("area").is_in(shown))
    column = "area" if rows == "place" else "sector"
    order = children(q) if rows == "place" else sorted(seen["sector"].drop_nulls().unique().to_list())
    months = periods.months(q.period)
    estimated = pl.col("quality").is_in(["estimate", "estimated"]).fill_null(False)
    summed = seen.group_by(column, "start", "end").agg(
        ((pl.col("values") > 0) & ~estimated).any().alias("reported"),
        (pl.col("values") > 0).any().alias("quantified"),
        pl.col("notation").drop_nulls().min(),
        pl.col("rows").sum(),
    )
    grouped: dict[Any, list[dict[str, Any]]] = {}
    for row in summed.iter_rows(named=True):
        grouped.setdefault(row[column], []).append(row)
    matrix = [_completeness_row(code, grouped.get(code, []), months, rows, q) for code in order]
    states = [cell["state"] for row in matrix for cell in row["cells"]]
    return {
        "place": q.place,
        "period": str(q.period),
        "tree": q.tree,
        "rows_are": rows,
        "items": sorted(wanted),
        "months": [str(month) for month in months],
        "rows": matrix,
        "counts": {state: states.count(state) for state in sorted(set(states))},
    }


def _items(q: Query) -> set[str]:
    methods = {part.method for part in q.account.parts if not part.memo}
    return {find_method(name, q.snapshot.choices.pack).method.rows.item for name in methods}


def _completeness_row(
    code: str, seen: Sequence[dict[str, Any]], months: Sequence[Any], rows: str, q: Query
) -> dict[str, Any]:
    cells = []
    for month in months:
        here = [row for row in seen if row["start"] <= month.start and row["end"] >= month.end]
        notation = next((row["notation"] for row in here if row["notation"]), None)
        if any(row["reported"] for row in here):
            state = "reported"
        elif any(row["quantified"] for row in here):
            state = "estimated"
        elif notation:
            state = notation
        else:
            state = "missing" if seen else "none"
        cells.append({"month": str(month), "state": state, "rows": sum(row["rows"] for row in here)})
    dimension = "place" if rows == "place" else "sector"
    return {dimension: code, "name": names_of(dimension, code, q.names), "cells": cells}
