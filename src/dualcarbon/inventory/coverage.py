"""Which months of which area or sector are reported, estimated, noted as not there, or missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.periods import Period
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import find_method
from dualcarbon.engine.keys import numbered
from dualcarbon.inventory.breakdown import children
from dualcarbon.inventory.parts import PREVIOUS, Boundary, areas_of
from dualcarbon.inventory.question import Query, query
from dualcarbon.inventory.tables import names_of


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
    months = periods.months(q.period)
    records = q.snapshot.once(("records", wanted), lambda: _recorded(q, wanted))
    seen = q.snapshot.once(("reported", wanted, span), lambda: _reported(records, span, months))
    boundary = Boundary(tuple(children(q)), whole=q.place, tree=q.tree, at=q.boundary.at)
    areas = areas_of(q.snapshot, boundary if rows == "place" else q.boundary)
    places = [areas.get(str(code)) for code in records.texts["place"]]
    if rows == "place":
        order = children(q)
        lines = _lines(places, order)[seen.place]
    else:
        inside = np.array([area == q.place for area in places], bool)[seen.place]
        sectors = records.texts["sector"]
        order = sorted(code for n in np.unique(seen.sector[inside]) if (code := sectors[n]) is not None)
        lines = np.where(inside, _lines(sectors, order)[seen.sector], -1)
    states, counts = _grid(seen, records.texts["notation"], lines, len(order), len(months))
    texts = [str(month) for month in months]
    matrix: list[dict[str, Any]] = [
        {
            rows: code,
            "name": names_of(rows, code, q.names),
            "cells": [
                {"month": text, "state": state, "rows": count}
                for text, state, count in zip(texts, states[n], counts[n], strict=True)
            ],
        }
        for n, code in enumerate(order)
    ]
    told = [state for row in states for state in row]
    return {
        "place": q.place,
        "period": str(q.period),
        "tree": q.tree,
        "rows_are": rows,
        "items": list(wanted),
        "months": texts,
        "rows": matrix,
        "counts": {state: told.count(state) for state in sorted(set(told))},
    }


class _Seen(NamedTuple):
    """Records as columns: numbers of place, sector and of the time it is about, and what is known of it."""

    place: np.ndarray
    sector: np.ndarray
    time: np.ndarray
    reported: np.ndarray
    quantified: np.ndarray
    notation: np.ndarray
    rows: np.ndarray


class _Records(NamedTuple):
    """All records of some items, with the texts of their numbers; their time is a number into `spans`."""

    seen: _Seen
    spans: list[tuple[date, date]]
    texts: dict[str, list[str | None]]


def _recorded(q: Query, items: tuple[str, ...]) -> _Records:
    """What the counted datasets hold of these items, by place, sector and period."""
    counted = [str(one["id"]) for one in q.snapshot.datasets]
    wanted = pl.col("item").is_in(items) & pl.col("dataset").is_in(counted)
    estimated = pl.col("quality").is_in(["estimate", "estimated"]).fill_null(False)
    grouped = q.snapshot.quantities().lazy().filter(wanted).group_by("place", "sector", "start", "end")
    found = grouped.agg(
        ((pl.col("values") > 0) & ~estimated).any().alias("reported"),
        (pl.col("values") > 0).any().alias("quantified"),
        pl.col("notation").drop_nulls().min(),
        pl.col("rows").sum(),
    ).collect()
    texts = {name: found[name].unique().sort().to_list() for name in ("place", "sector", "notation")}
    place, sector, notation = (
        found[name].replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy().astype(np.int64)
        for name, known in texts.items()
    )
    time, spans = numbered(found, ["start", "end"])
    reported, quantified, rows = (found[name].to_numpy() for name in ("reported", "quantified", "rows"))
    return _Records(_Seen(place, sector, time, reported, quantified, notation, rows), spans.rows(), texts)


def _reported(records: _Records, span: Period, months: Sequence[Period]) -> _Seen:
    """The records inside a span of time by month; one that holds no whole month has the month after the last."""
    held = []
    for start, end in records.spans:
        inside = start >= span.start and end <= span.end
        whole = [inside and start <= one.start and end >= one.end for one in months]
        held.append([*whole, inside and not any(whole)])
    holds = np.array(held, bool).reshape(len(held), len(months) + 1)
    record, month = np.nonzero(holds[records.seen.time])
    return _Seen(*(column[record] for column in records.seen))._replace(time=month)


def _lines(codes: Sequence[str | None], order: Sequence[str]) -> np.ndarray:
    """The line of each code, -1 for none."""
    line = {code: n for n, code in enumerate(order)}
    return np.array([line.get(code, -1) if code is not None else -1 for code in codes], int)


def _grid(
    seen: _Seen, notations: Sequence[str | None], lines: np.ndarray, height: int, months: int
) -> tuple[list[list[str]], list[list[int]]]:
    """State and number of rows of each line and month; a line without any record has none, else what lacks is missing.

    `lines`: the line of each record, -1 for none.
    """
    size = height * (months + 1)
    cell = lines * (months + 1) + seen.time

    def counted(which: np.ndarray) -> np.ndarray:
        return np.bincount(cell[which & (lines >= 0)], minlength=size)[:size].reshape(height, months + 1)

    known = counted(np.full(len(cell), True)).any(axis=1)
    states = np.full((height, months + 1), "missing", object)
    states[~known] = "none"
    for number, notation in reversed(list(enumerate(notations))):
        if notation is not None:
            states[counted(seen.notation == number) > 0] = notation
    states[counted(seen.quantified) > 0] = "estimated"
    states[counted(seen.reported) > 0] = "reported"
    used = lines >= 0
    rows = np.bincount(cell[used], seen.rows[used], minlength=size)[:size].reshape(height, months + 1)
    return states[:, :months].tolist(), rows[:, :months].astype(int).tolist()


def _items(q: Query) -> set[str]:
    methods = {part.method for part in q.account.parts if not part.memo}
    return {find_method(name, q.snapshot.choices.pack).method.rows.item for name in methods}
