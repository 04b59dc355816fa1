"""What stands behind an account: what is missing and why, factors used, fallbacks, control totals, freshness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.classification import load as classification
from dualcarbon.core.periods import Period
from dualcarbon.engine import Term
from dualcarbon.engine.calculate import OPEN_NOTATIONS
from dualcarbon.inventory.parts import NOW, OUTSIDE, SPLIT, Boundary, Placed, located
from dualcarbon.inventory.snapshot import Snapshot
from dualcarbon.inventory.tables import REASONS


def missing(snapshot: Snapshot, placed: Sequence[Placed]) -> list[dict[str, Any]]:
    """What the account should hold and cannot: by part, reason, place, carrier; with quantity, rows and, where a
    factor is known, the emission that is left out."""
    found: list[dict[str, Any]] = []
    for one in placed:
        if one.part.memo:
            continue
        cells, equation = one.term.calculation.cells, one.term.output.equation
        blank = cells.filter(
            (pl.col("span") == NOW) & pl.col(equation).is_null() & (pl.col("quantity").fill_null(0) != 0)
        ).with_columns(pl.lit("factor").alias("reason"))
        lost = pl.concat([one.lost.filter(pl.col("span") == NOW), blank], how="diagonal")
        if not lost.height:
            continue
        parameters = [(use.parameter, f"factor:{use.name}") for use in one.term.calculation.method.factors]
        lacking = pl.concat_list(
            pl.when(pl.col(column).is_null()).then(pl.lit(name)).otherwise(pl.lit("")) for name, column in parameters
        ).list.join("|")
        grouped = lost.with_columns(lacking.alias("lacking")).group_by(
            "reason", "place", "carrier", "unit", "lacking", maintain_order=True
        )
        table = grouped.agg(
            pl.col("quantity").sum(),
            pl.col("rows").sum(),
            pl.col("start").min(),
            pl.col("end").max(),
            pl.when(pl.col(equation).count() > 0).then(pl.col(equation).sum()).alias("value"),
        )
        for row in table.sort("quantity", descending=True).iter_rows(named=True):
            found.append(_missing_row(one, row))
    return found


def _missing_row(one: Placed, row: dict[str, Any]) -> dict[str, Any]:
    lacking = [name for name in row["lacking"].split("|") if name]
    return {
        "part": one.part.name,
        "method": one.part.method,
        "item": one.term.calculation.method.rows.item,
        "reason": row["reason"],
        "reason_text": REASONS[row["reason"]],
        "parameter": lacking[0] if row["reason"] == "factor" and lacking else None,
        "place": row["place"],
        "carrier": row["carrier"],
        "period": periods.text(row["start"], row["end"]),
        "quantity": row["quantity"],
        "unit": row["unit"],
        "rows": row["rows"],
        "value": row["value"],
    }


def open_notations(placed: Sequence[Placed]) -> list[dict[str, Any]]:
    """Rows that say NE (not estimated) or nothing, where a quantity should stand."""
    found = []
    for one in placed:
        noted = one.term.calculation.notations
        if one.part.memo or not noted.height:
            continue
        open_ = pl.col("notation").is_null() | pl.col("notation").is_in(list(OPEN_NOTATIONS))
        for row in (
            noted.filter((pl.col("span") == NOW) & open_)
            .group_by("place", "notation", maintain_order=True)
            .agg(pl.col("rows").sum(), pl.col("start").min(), pl.col("end").max())
            .iter_rows(named=True)
        ):
            found.append(
                {"part": one.part.name, "method": one.part.method, "item": one.term.calculation.method.rows.item,
                 "reason": "notation", "reason_text": REASONS["notation"], "parameter": None, "place": row["place"],
                 "carrier": None, "period": periods.text(row["start"], row["end"]), "quantity": None, "unit": None,
                 "rows": row["rows"], "value": None, "notation": row["notation"] or "NE"}
            )  # fmt: skip
    return found


def synthetic(snapshot: Snapshot, terms: Iterable[Term]) -> bool:
    """Whether any counted row is synthetic, by its dataset or by a factor."""
    statuses = {str(one["id"]): one.get("status") for one in snapshot.datasets}
    for term in terms:
        cells = term.calculation.cells
        if "dataset" in cells.columns and any(
            statuses.get(name) == "synthetic" for name in cells["dataset"].drop_nulls().unique()
        ):
            return True
        if any(row["status"] == "synthetic" for row in _used(term)):
            return True
    return False


def _used(term: Term) -> list[dict[str, Any]]:
    """Factor rows of a term's cells."""
    calculation = term.calculation
    numbers = {
        number
        for use in calculation.method.factors
        for number in calculation.cells[f"factor:{use.name}"].drop_nulls().unique().to_list()
    }
    return [calculation.factors.rows[number] for number in sorted(numbers)]


def factors(snapshot: Snapshot, terms: Sequence[Term]) -> list[dict[str, Any]]:
    """Every factor value used, once, with its source, clause and status, and the emission that rests on it."""
    names = classification(snapshot.choices.pack)
    found: dict[int, dict[str, Any]] = {}
    for term in terms:
        calculation, equation = term.calculation, term.output.equation
        for use in calculation.method.factors:
            sums = calculation.cells.group_by(f"factor:{use.name}").agg(pl.col(equation).sum().alias("co2"))
            for number, co2 in sums.drop_nulls(f"factor:{use.name}").iter_rows():
                row = calculation.factors.rows[number]
                parameter = calculation.factors.parameters.get(row["parameter"])
                known = found.setdefault(
                    number,
                    {
                        "parameter": row["parameter"],
                        "title": parameter.title if parameter else {},
                        "place": row["place"],
                        "carrier": row["carrier"],
                        "name": _factor_name(row, names),
                        **{
                            key: row[key]
                            for key in ("value", "unit", "low", "high", "family", "valid_from", "valid_to")
                        },
                        "known_at": row["known_at"],
                        "source": row["source"],
                        "source_title": _source_title(row["source"], names),
                        "clause": row["clause"],
                        "status": row["status"],
                        "emission": 0.0,
                    },
                )
                known["emission"] += (co2 or 0.0) * term.sign
    return sorted(found.values(), key=lambda row: (row["parameter"], -abs(row["emission"])))


def _factor_name(row: dict[str, Any], names: Any) -> dict[str, str]:
    texts = {}
    for lang in ("zh", "en"):
        parts = [names.places.name(row["place"], lang) if row["place"] else ""]
        parts += [names.carriers.name(row["carrier"], lang) if row["carrier"] else "", row["entity"] or ""]
        texts[lang] = " ".join(part for part in parts if part)
    return texts


def _source_title(source: str | None, names: Any) -> dict[str, str]:
    if not source or source not in names.sources:
        return dict.fromkeys(("zh", "en"), source or "")
    return {lang: names.sources.name(source, lang) for lang in ("zh", "en")}


def fallbacks(snapshot: Snapshot, terms: Sequence[Term], period: Period) -> list[dict[str, Any]]:
    """Departures from the wanted factor that concern the cells of the account."""
    found: dict[str, dict[str, Any]] = {}
    for term in terms:
        calculation = term.calculation
        if not calculation.fallbacks or not calculation.cells.height:
            continue
        keys = {
            column: set(calculation.cells[column].unique().to_list())
            for column in ("place", "carrier", "sector", "entity")
            if column in calculation.cells.columns
        }
        for one in calculation.fallbacks:
            wanted = one["wanted"]
            if any(wanted.get(column) and wanted[column] not in known for column, known in keys.items()):
                continue
            span = periods.parse(wanted["period"]) if wanted.get("period") else period
            if span.start < period.end and span.end > period.start:
                found.setdefault(repr((one["parameter"], wanted, one["used"], one["reason"])), one)
    return list(found.values())


def freshness(snapshot: Snapshot, terms: Sequence[Term]) -> dict[str, Any] | None:
    """Until when the account's data reach, when the newest were published, and how many rows are in it."""
    cells = [term.calculation.cells for term in terms if term.calculation.cells.height]
    if not cells:
        return None
    items = sorted({term.calculation.method.rows.item for term in terms})
    spans = pl.concat([one.select("start", "end", "rows") for one in cells])
    start, end = spans.select(pl.col("start").min(), pl.col("end").max()).row(0)
    seen = snapshot.quantities().filter(
        pl.col("item").is_in(items) & (pl.col("end") <= end) & (pl.col("start") >= start)
    )
    datasets = {name for one in cells if "dataset" in one.columns for name in one["dataset"].unique()}
    return {
        "to": periods.text((end - timedelta(days=1)).replace(day=1), end),
        "known_at": seen["known_at"].max() if seen.height else None,
        "rows": int(spans["rows"].sum()),
        "datasets": sorted(name for name in datasets if name),
    }


def controls(
    snapshot: Snapshot, place: str, boundary: Boundary, period: Period, basis: str, total: float | None
) -> list[dict[str, Any]]:
    """Published totals of the place and period beside our own sums: the difference is shown and never added."""
    names = {str(one["id"]): one for one in snapshot.controls}
    if not names or boundary.entity:
        return []
    seen = snapshot.quantities()
    wanted = seen.filter(
        pl.col("dataset").is_in(list(names))
        & (pl.col("place") == place)
        & (pl.col("start") == period.start)
        & (pl.col("end") == period.end)
        & (pl.col("item").str.starts_with("energy.") | (pl.col("item") == "emission.co2"))
        & pl.col("value").is_not_null()
    )
    if not wanted.height:
        return []
    ours = _inside(snapshot, seen, boundary, period)
    found = []
    for row in wanted.sort("item", "carrier", "sector", "dataset", nulls_last=False).iter_rows(named=True):
        if row["item"] == "emission.co2":
            if row["basis"] not in (None, basis):
                continue
            value = total
        else:
            value = _sum_like(snapshot, ours, row)
        found.append(_control_row(snapshot, names, row, value))
    return found


def _inside(snapshot: Snapshot, seen: pl.DataFrame, boundary: Boundary, period: Period) -> pl.DataFrame:
    counted = [str(one["id"]) for one in snapshot.datasets]
    ours = seen.filter(
        pl.col("dataset").is_in(counted) & (pl.col("start") >= period.start) & (pl.col("end") <= period.end)
    )
    places = classification(snapshot.choices.pack).places
    codes = located(ours["place"].unique().to_list(), boundary, places)
    inside = [code for code, area in codes.items() if area not in (OUTSIDE, SPLIT)]
    return ours.filter(pl.col("place").is_in(inside))


def _sum_like(snapshot: Snapshot, ours: pl.DataFrame, row: dict[str, Any]) -> float | None:
    """Our sum of the same item, carrier and sector (with what lies below them), in the control's unit."""
    names = classification(snapshot.choices.pack)
    found = ours.filter(pl.col("item") == row["item"])
    for column, codes in (("carrier", names.carriers), ("sector", names.sectors)):
        if row[column]:
            below = [code for code in codes if row[column] in (code, *codes.ancestors(code))]
            found = found.filter(pl.col(column).is_in(below))
    for column in ("process", "basis"):
        if row[column]:
            found = found.filter(pl.col(column) == row[column])
    sums = found.group_by("unit").agg(pl.col("value").sum(), pl.col("values").sum()).filter(pl.col("values") > 0)
    try:
        parts = [value * units.ratio(unit, row["unit"]) for unit, value, _count in sums.iter_rows()]
    except units.UnitError:
        return None
    return sum(parts) if parts else None


def _control_row(
    snapshot: Snapshot, names: dict[str, dict[str, Any]], row: dict[str, Any], value: float | None
) -> dict[str, Any]:
    codes = classification(snapshot.choices.pack)
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
