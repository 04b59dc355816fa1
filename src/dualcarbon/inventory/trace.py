"""What stands behind an account: what is missing and why, factors used, fallbacks, control totals, freshness."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import DIMENSIONS as COUNTED
from dualcarbon.engine.calculation import OPEN_NOTATIONS
from dualcarbon.engine.uncertainty import numbers
from dualcarbon.inventory.parts import OUTSIDE, SPLIT, Boundary, areas_of
from dualcarbon.inventory.snapshot import QUANTITY_KEYS, Snapshot, summed_quantities
from dualcarbon.inventory.stack import Stack
from dualcarbon.inventory.tables import REASONS
from dualcarbon.inventory.views import left_out


def missing(stack: Stack, period: Period) -> list[dict[str, Any]]:
    """What the account should hold and cannot: by part, reason, place and carrier, with quantity and rows.

    Where a factor is known, `value` is the emission that is left out. Rows noted as not estimated stand last.
    """
    parts = {part.name: part for part in stack.account.parts if not part.memo}
    found = []
    absent = left_out(stack, period)
    if absent.height:
        grouped = absent.group_by("part", "reason", "place", "carrier", "unit", "lacking", maintain_order=True).agg(
            pl.col("quantity").sum(),
            pl.col("rows").sum(),
            pl.col("start").min(),
            pl.col("end").max(),
            pl.when(pl.col("value").count() > 0).then(pl.col("value").sum()).alias("value"),
        )
        found = [
            _missing_row(stack, row)
            for row in grouped.sort("quantity", descending=True, nulls_last=True).iter_rows(named=True)
            if row["part"] in parts
        ]
    return found + _open_notations(stack, period)


def _missing_row(stack: Stack, row: dict[str, Any]) -> dict[str, Any]:
    method = stack.sources[row["part"]].method
    return {
        "part": row["part"],
        "method": method.id,
        "item": method.rows.item,
        "reason": row["reason"],
        "reason_text": REASONS[row["reason"]],
        "parameter": row["lacking"] if row["reason"] == "factor" and row["lacking"] else None,
        "place": row["place"],
        "carrier": row["carrier"],
        "period": periods.text(row["start"], row["end"]),
        "quantity": row["quantity"],
        "unit": row["unit"],
        "rows": row["rows"],
        "value": row["value"],
    }


def _open_notations(stack: Stack, period: Period) -> list[dict[str, Any]]:
    """Rows that say NE (not estimated) or nothing, where a quantity should stand."""
    if not stack.noted.height:
        return []
    open_ = pl.col("notation").is_null() | pl.col("notation").is_in(list(OPEN_NOTATIONS))
    within = (pl.col("start") >= period.start) & (pl.col("end") <= period.end) & ~pl.col("memo") & open_
    grouped = stack.noted.filter(within).group_by("part", "place", "notation", maintain_order=True)
    parts = stack.texts("part")
    found = []
    for row in grouped.agg(pl.col("rows").sum(), pl.col("start").min(), pl.col("end").max()).iter_rows(named=True):
        nothing = dict.fromkeys(("carrier", "unit", "quantity", "value", "lacking"))
        row |= {**nothing, "part": parts[row["part"]], "reason": "notation"}
        found.append({**_missing_row(stack, row), "notation": row["notation"] or "NE"})
    return found


def synthetic(stack: Stack, cells: pl.DataFrame) -> bool:
    """Whether any counted cell is synthetic, by its dataset or by a factor."""
    if cells.height and (cells["dataset"] == "synthetic").any():
        return True
    rows = stack.calculation.factors.rows
    return any(rows[number]["status"] == "synthetic" for number in _resting(cells))


def _resting(cells: pl.DataFrame) -> dict[int, float]:
    """What rests on each factor value used."""
    found: dict[int, float] = {}
    total = cells["total"].fill_nan(0.0).fill_null(0.0).to_numpy()
    for slot in (name for name in cells.columns if name.startswith("factor:")):
        number = numbers(cells[slot])
        known = number >= 0
        sums = np.bincount(number[known], total[known])
        for used in np.unique(number[known]).tolist():
            found[used] = found.get(used, 0.0) + float(sums[used])
    return found


def factors(stack: Stack, cells: pl.DataFrame) -> list[dict[str, Any]]:
    """Every factor value used, once, with its source, clause and status, and the emission that rests on it."""
    names, table = stack.calculation.names, stack.calculation.factors
    found = []
    for number, emission in _resting(cells).items():
        row = table.rows[number]
        parameter = table.parameters.get(row["parameter"])
        found.append(
            {
                "parameter": row["parameter"],
                "title": parameter.title if parameter else {},
                "place": row["place"],
                "carrier": row["carrier"],
                "name": _factor_name(row, names),
                **{key: row[key] for key in ("value", "unit", "low", "high", "family", "valid_from", "valid_to")},
                "known_at": row["known_at"],
                "source": row["source"],
                "source_title": _source_title(row["source"], names),
                "clause": row["clause"],
                "status": row["status"],
                "emission": emission,
            }
        )
    return sorted(found, key=lambda row: (row["parameter"], -abs(row["emission"])))


def _factor_name(row: dict[str, Any], names: Classification) -> dict[str, str]:
    texts = {}
    for lang in ("zh", "en"):
        parts = [names.places.name(row["place"], lang) if row["place"] else ""]
        parts += [names.carriers.name(row["carrier"], lang) if row["carrier"] else "", row["entity"] or ""]
        texts[lang] = " ".join(part for part in parts if part)
    return texts


def _source_title(source: str | None, names: Classification) -> dict[str, str]:
    if not source or source not in names.sources:
        return dict.fromkeys(("zh", "en"), source or "")
    return {lang: names.sources.name(source, lang) for lang in ("zh", "en")}


def fallbacks(stack: Stack, cells: pl.DataFrame, period: Period) -> list[dict[str, Any]]:
    """Departures from the wanted factor that concern the account: its factors, places and time."""
    used = {(row["parameter"], row["value"]) for n in _resting(cells) for row in [stack.calculation.factors.rows[n]]}
    carriers = stack.held(cells, "carrier")
    found: dict[str, dict[str, Any]] = {}
    for part in stack.account.parts:
        source = stack.sources[part.name]
        if part.memo or not source.fallbacks:
            continue
        places = stack.places(part)
        for one in source.fallbacks:
            wanted = one["wanted"]
            if (one["parameter"], one["used"]["value"]) not in used:
                continue
            if wanted.get("place") and wanted["place"] not in places:
                continue
            if wanted.get("carrier") and wanted["carrier"] not in carriers:
                continue
            span = periods.parse(wanted["period"]) if wanted.get("period") else period
            if span.start < period.end and span.end > period.start:
                found.setdefault(repr((one["parameter"], wanted, one["used"], one["reason"])), one)
    return list(found.values())


def freshness(snapshot: Snapshot, stack: Stack, cells: pl.DataFrame) -> dict[str, Any] | None:
    """Until when the account's data reach, when the newest were published, and how many rows are in it."""
    if not cells.height:
        return None
    items = sorted({part.item or stack.sources[part.name].method.rows.item for part in stack.account.parts})
    start: Any = cells["start"].min()
    end: Any = cells["end"].max()
    known_at = snapshot.once(
        ("known at", tuple(items), start, end),
        lambda: (
            snapshot.quantities()
            .filter(pl.col("item").is_in(items) & (pl.col("end") <= end) & (pl.col("start") >= start))["known_at"]
            .max()
        ),
    )
    return {
        "to": periods.text((end - timedelta(days=1)).replace(day=1), end),
        "known_at": known_at,
        "rows": cells["rows"].sum(),
        "datasets": sorted(name for name in stack.held(cells, "counted_in") if name),
    }


def controls(
    snapshot: Snapshot, place: str, boundary: Boundary, period: Period, basis: str, total: float | None
) -> list[dict[str, Any]]:
    """Published totals of the place and period beside our own sums: the difference is shown and never added."""
    names = {str(one["id"]): one for one in snapshot.controls}
    return [
        _control_row(snapshot, names, row, total if row["item"] == "emission.co2" else ours)
        for row, ours in compared(snapshot, place, boundary, period, basis)
    ]


def compared(
    snapshot: Snapshot, place: str, boundary: Boundary, period: Period, basis: str
) -> list[tuple[dict[str, Any], float | None]]:
    """The published totals that an account stands beside, each with our sum of the same (None of an account's)."""
    names = {str(one["id"]): one for one in snapshot.controls}
    if not names or boundary.entity:
        return []
    found: list[tuple[dict[str, Any], float | None]] = snapshot.once(
        ("controls", place, boundary, period), lambda: _controls(snapshot, names, place, boundary, period)
    )
    return [pair for pair in found if pair[0]["item"] != "emission.co2" or pair[0]["basis"] in (None, basis)]


def _controls(
    snapshot: Snapshot, names: dict[str, dict[str, Any]], place: str, boundary: Boundary, period: Period
) -> list[tuple[dict[str, Any], float | None]]:
    """Each published total with our sum of the same; an account's total is another with each basis."""
    published: pl.DataFrame = snapshot.once("published", lambda: _published(snapshot, names))
    wanted = published.filter(
        (pl.col("place") == place)
        & (pl.col("start") == period.start)
        & (pl.col("end") == period.end)
        & (pl.col("item").str.starts_with("energy.") | (pl.col("item") == "emission.co2"))
        & pl.col("value").is_not_null()
    )
    if not wanted.height:
        return []
    seen = snapshot.once(("quantities", period), lambda: _of_span(snapshot, period))
    ours = _inside(snapshot, seen, boundary)
    rows = wanted.sort("item", "carrier", "sector", "dataset", nulls_last=False).iter_rows(named=True)
    return [(row, None if row["item"] == "emission.co2" else _sum_like(snapshot, ours, row)) for row in rows]


def _published(snapshot: Snapshot, names: Collection[str]) -> pl.DataFrame:
    """Sums of what the control datasets say of places; what they say of entities lies within."""
    rows = nw.from_native(snapshot.rows(tuple(names))).lazy()
    return summed_quantities(rows.filter(nw.col("entity").is_null()), QUANTITY_KEYS)


def _of_span(snapshot: Snapshot, period: Period) -> pl.DataFrame:
    """Quantities of the counted datasets in a span of time, summed over it."""
    keys = ("item", "place", "sector", "carrier", "process", "basis", "unit")
    seen = snapshot.quantities().lazy().filter(_within(snapshot, period))
    return seen.group_by(keys).agg(pl.col("value").sum(), pl.col("values").sum()).collect()


def _within(snapshot: Snapshot, period: Period) -> pl.Expr:
    """Of the counted datasets, in a span of time."""
    counted = pl.col("dataset").is_in([str(one["id"]) for one in snapshot.datasets])
    return counted & (pl.col("start") >= period.start) & (pl.col("end") <= period.end)


def _inside(snapshot: Snapshot, seen: pl.DataFrame, boundary: Boundary) -> pl.DataFrame:
    inside = [code for code, area in areas_of(snapshot, boundary).items() if area not in (OUTSIDE, SPLIT)]
    return seen.filter(pl.col("place").is_in(inside))


def _below(codes: Any, top: str) -> list[str]:
    """A code of a classification with all that lie below it."""
    return [code for code in codes if top in (code, *codes.ancestors(code))]


def _sum_like(snapshot: Snapshot, ours: pl.DataFrame, row: dict[str, Any]) -> float | None:
    """Our sum of the same item, carrier and sector (with what lies below them), in the control's unit."""
    found = _like(snapshot, ours, row)
    sums = found.group_by("unit").agg(pl.col("value").sum(), pl.col("values").sum()).filter(pl.col("values") > 0)
    try:
        parts = [value * units.ratio(unit, row["unit"]) for unit, value, _count in sums.iter_rows()]
    except units.UnitError:
        return None
    return sum(parts) if parts else None


def units_like(
    snapshot: Snapshot, boundary: Boundary, period: Period, row: dict[str, Any], entities: Collection[str]
) -> dict[str, float]:
    """What each of these entities adds to our sum beside a published total, in the units as recorded."""
    seen = snapshot.by_entity().filter(_within(snapshot, period) & pl.col("entity").is_in(list(entities)))
    found = _like(snapshot, _inside(snapshot, seen.with_columns(pl.col(pl.Categorical).cast(pl.String)), boundary), row)
    return dict(found.group_by("entity").agg(pl.col("value").sum()).sort("entity").iter_rows())


def _like(snapshot: Snapshot, ours: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    names = snapshot.names
    found = ours.filter(pl.col("item") == row["item"])
    for column, codes in (("carrier", names.carriers), ("sector", names.sectors)):
        if row[column]:
            below = snapshot.once(("below", column, row[column]), partial(_below, codes, row[column]))
            found = found.filter(pl.col(column).is_in(below))
    for column in ("process", "basis"):
        if row[column]:
            found = found.filter(pl.col(column) == row[column])
    return found


def _control_row(
    snapshot: Snapshot, names: dict[str, dict[str, Any]], row: dict[str, Any], value: float | None
) -> dict[str, Any]:
    codes = snapshot.names
    title = {}
    for lang in ("zh", "en"):
        words = [codes.items.name(row["item"], lang)]
        words += [codes.sectors.name(row["sector"], lang)] if row["sector"] else []
        words += [codes.carriers.name(row["carrier"], lang)] if row["carrier"] else []
        title[lang] = " · ".join(words)
    difference = None if value is None else row["value"] - value
    record = names[row["dataset"]]
    return {
        "item": row["item"],
        "name": title,
        "carrier": row["carrier"],
        "sector": row["sector"],
        "control": row["value"],
        "value": value,
        "difference": difference,
        "difference_percent": 100 * difference / row["value"] if difference is not None and row["value"] else None,
        "unit": row["unit"],
        "dataset": row["dataset"],
        "dataset_title": {
            "zh": record.get("title_zh") or row["dataset"],
            "en": record.get("title_en") or row["dataset"],
        },
        "quality": row["quality"],
        "status": record.get("status"),
    }


def add_reports(data: Any, snapshot: Snapshot, node: dict[str, Any]) -> None:
    """Say of rows that are differences of two reports since January what was reported: the number in the file.

    Such a row gets `since_january` (the span of its report), `reported`, and `before`, the report before it. The first
    report of a year, which is the figure of its own time too, gets `first_report`, its span.
    """
    source = snapshot.whole or snapshot
    reports: pl.DataFrame | None = source.once("reports", lambda: _reports(data, source))
    leaves = list(_leaves(node)) if reports is not None else []
    rows = [row for leaf in leaves for row in leaf["rows"] if row.get("source") and row.get("value") is not None]
    if reports is None or not rows:
        return
    near = pl.col("source").is_in([row["source"] for row in rows]) & pl.col("end").is_in([_end(row) for row in rows])
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in reports.filter(near).iter_rows(named=True):
        found.setdefault(tuple(one[name] for name in ADDRESS), []).append(one)
    for row in rows:
        for one in found.get(tuple(row.get(name) for name in ADDRESS), ()):
            change = one["level"] - (one["before"] or 0.0)
            if one["end"] != _end(row) or not math.isclose(change, row["value"], abs_tol=1e-9):
                continue
            span = periods.text(one["start"], one["end"])
            if one["before"] is None:
                row.update(first_report=span)
            else:
                row.update(since_january=span, reported=one["level"], before=one["before"])


ADDRESS = ("source", "sheet", "row", "place", "entity", "sector", "carrier", "process")


def _end(row: Mapping[str, Any]) -> date:
    return periods.parse(row["period"]).end


def _leaves(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if node.get("rows"):
        yield node
    for child in node.get("children") or ():
        yield from _leaves(child)


def _reports(data: Any, snapshot: Snapshot) -> pl.DataFrame | None:
    """Reports since January with `level` and the one `before` (of the first of a year none); None without any."""
    if not hasattr(data, "imports") or not any(one.get("cumulative") for one in data.imports()):
        return None
    names = [str(one["id"]) for one in snapshot.datasets]
    choices = snapshot.choices
    asked = {"datasets": names, "known_at": choices.known_at, "version": snapshot.version, "cumulative": "reported"}
    since = "cumulative OR start = date_trunc('year', start)"  # what begins a chain may be no report
    rows: pl.DataFrame = data.observations(**asked).filter(since).pl()
    nothing = pl.col("notation").is_in(["NO", "NA"])
    level = pl.when(nothing).then(0.0).otherwise(pl.col("value")).alias("level")
    chain = ["dataset", *COUNTED, "start"]
    known = rows.with_columns(level).filter(pl.col("level").is_not_null()).sort("end")
    return known.with_columns(before=pl.col("level").shift(1).over(chain)).filter(pl.col("cumulative"))
