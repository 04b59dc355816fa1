"""Reduce: the only pass over the big table, in the part of narwhals that DuckDB, Polars and Spark share.

Rows are filtered and summed to cells; nothing here joins, sorts or looks at rows one by one.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.coded import coded, decoded, labels_of
from dualcarbon.engine.factors import FactorTable
from dualcarbon.engine.methods import Where
from dualcarbon.engine.proof import Proven

DIMS = ("place", "entity", "sector", "carrier", "domain", "process", "counterparty", "counterparty_place", "gas",
        "equipment", "basis", "dataset")  # fmt: skip


def observations(table: Any, known_at: date | None = None) -> "nw.LazyFrame[Any]":
    """Any table in the observation layout as a lazy narwhals frame with ``start`` and ``end`` dates.

    Rows published after ``known_at`` are left out; a row without ``known_at`` passes.
    """
    native = nw.from_native(table)
    frame = native if isinstance(native, nw.LazyFrame) else native.lazy()
    columns = frame.collect_schema().names()
    if "start" not in columns or "end" not in columns:
        if "period" not in columns:
            raise Refused([Problem("engine.no-period", column="period", value=", ".join(columns))])
        eager = collected(frame)
        texts = eager["period"].unique().to_list()
        spans = {text: periods.parse(str(text)) for text in texts}
        eager = eager.with_columns(
            pl.col("period")
            .replace_strict({t: s.start for t, s in spans.items()}, return_dtype=pl.Date)
            .alias("start"),
            pl.col("period").replace_strict({t: s.end for t, s in spans.items()}, return_dtype=pl.Date).alias("end"),
        )
        frame = nw.from_native(eager.lazy())
        columns = frame.collect_schema().names()
    if known_at is not None and "known_at" in columns:
        frame = frame.filter(nw.col("known_at").is_null() | (nw.col("known_at") <= nw.lit(known_at)))
    return frame


def filtered(frame: "nw.LazyFrame[Any]", item: str, *wheres: Where | None) -> "nw.LazyFrame[Any]":
    """Rows of one item that equal every ``where``; ``{"process": {"not": "power"}}`` keeps others and empty ones."""
    columns = set(frame.collect_schema().names())
    kept = [nw.col("item") == item]
    for where in wheres:
        for column, wanted in (where or {}).items():
            if column in columns:
                kept.append(condition(nw.col(column), wanted))
            elif not isinstance(wanted, dict) and wanted not in ("", None):
                kept.append(nw.lit(False))
    return frame.filter(*kept)


def condition(column: Any, wanted: Any) -> Any:
    """One condition of a ``where``, for a narwhals or Polars column."""
    if isinstance(wanted, dict):
        unwanted = wanted["not"]
        unwanted = unwanted if isinstance(unwanted, list) else [unwanted]
        return column.is_null() | ~column.is_in(unwanted)
    if wanted in ("", None):
        return column.is_null() | (column == "")
    return column.is_in(wanted) if isinstance(wanted, list) else column == wanted


def among(column: Any, values: Iterable[Any]) -> Any:
    """Whether a narwhals column holds one of the values, None among them meaning null."""
    values = set(values)
    known = column.is_in([value for value in values if value is not None])
    return known | column.is_null() if None in values else known


def reduce(
    frame: "nw.LazyFrame[Any]",
    proven: Proven,
    table: FactorTable,
    names: Classification,
    dims: Iterable[str],
    where: Where | None,
    keep_rows: bool,
    by_dataset: bool,
    canonical: bool,
) -> pl.DataFrame:
    """Sum the rows of the method's item to (dimensions × factor keys × period × unit): the only pass.

    A sum over groups equals the sum over rows because the outputs are proportional to the row input; methods
    that are not keep one cell per row. Texts may be Categorical, where they came as numbers.
    """
    method = proven.method
    frame = filtered(frame, method.rows.item, method.rows.where, where)
    columns = set(frame.collect_schema().names())
    wanted = {"place", *dims, *(["dataset"] if by_dataset else [])}
    for use in method.factors:
        parameter = table.parameters.get(use.parameter)
        wanted |= {use.entity if key == "entity" else key for key in parameter.keys} if parameter else set()
    wanted |= {dim for look in method.lookups for dim in look.on} - {"period"}
    keys = [dim for dim in DIMS if dim in wanted and dim in columns]
    keys += ["start", "end"]
    if "unit" in columns and not (canonical and "carrier" in keys):
        keys.append("unit")
    frame = _only_entities_with_factors(frame, keys, set(dims), table)
    cells = _rows(frame, keys, columns) if keep_rows else _grouped(frame, keys, columns, names)
    absent = {column for column in ("place", "sector", "carrier", "process", "unit") if column not in cells.columns}
    return cells.with_columns(
        *(pl.lit(None, pl.String).alias(column) for column in sorted(absent)),
        pl.col(pl.Null).cast(pl.String),
        pl.col("quantity").cast(pl.Float64),
        pl.col("start", "end").cast(pl.Date),
    )


def _only_entities_with_factors(
    frame: "nw.LazyFrame[Any]", keys: list[str], dims: set[str], table: FactorTable
) -> "nw.LazyFrame[Any]":
    """Blank the entities that have no factor of their own, so that they share a group."""
    own = table.frame["entity"].drop_nulls().unique().to_list()
    for column in ("entity", "counterparty"):
        if column not in keys or column in dims:
            continue
        if not own:
            keys.remove(column)
            continue
        kept = nw.when(nw.col(column).is_in(own)).then(nw.col(column)).otherwise(nw.lit(None))
        frame = frame.with_columns(kept.alias(column))
    return frame


def _rows(frame: "nw.LazyFrame[Any]", keys: list[str], columns: set[str]) -> pl.DataFrame:
    """One cell per row, with where the row stands in its source."""
    half = (nw.col("high") - nw.col("low")) / 2 if {"low", "high"} <= columns else nw.lit(None, dtype=nw.Float64)
    kept = [*keys, *(name for name in ("source", "sheet", "row", "error_group") if name in columns)]
    selected = frame.select(*kept, quantity=nw.col("value"), spread1=half)
    cells = collected(selected)
    if "error_group" not in cells.columns:
        cells = cells.with_columns(pl.lit(None, pl.String).alias("error_group"))
    return cells.with_columns(
        values=pl.col("quantity").is_not_null().cast(pl.Int64), rows=pl.lit(1, pl.Int64), spread2=pl.col("spread1") ** 2
    )


def _grouped(frame: "nw.LazyFrame[Any]", keys: list[str], columns: set[str], names: Classification) -> pl.DataFrame:
    """One cell per key. Most tables tie no errors: the pass supposes so, and is done again where it finds otherwise."""
    aggregates = [
        nw.col("value").sum().alias("quantity"),
        nw.col("value").count().alias("values"),
        nw.len().alias("rows"),
    ]
    bounds = {"low", "high"} <= columns
    if bounds:
        half = (nw.col("high") - nw.col("low")) / 2
        frame = frame.with_columns(spread1=half, spread2=half * half)
        aggregates += [nw.col("spread2").sum(), nw.col("spread2").count().alias("spreads")]
    ties = bounds and "error_group" in columns
    probe = [nw.col("error_group").count().alias("tied")] if ties else []
    cells = _summed(frame, keys, [*aggregates, *probe], names)
    tied = ties and bool(cells["tied"].sum())
    if tied:
        cells = collected(frame.group_by(*keys, "error_group").agg(*aggregates, nw.col("spread1").sum()))
    if not tied:
        cells = cells.with_columns(pl.lit(None, pl.String).alias("error_group"))
    spread2 = pl.when(pl.col("spreads") > 0).then(pl.col("spread2")) if bounds else pl.lit(None, pl.Float64)
    cells = cells.with_columns(
        pl.col("values", "rows").cast(pl.Int64),
        pl.when(pl.col("values") > 0).then(pl.col("quantity")).alias("quantity"),
        spread2.alias("spread2"),
    )
    return cells.drop("spreads", "tied", strict=False)


def _summed(frame: "nw.LazyFrame[Any]", keys: list[str], aggregates: list[Any], names: Classification) -> pl.DataFrame:
    """One row per key, by the numbers of the texts where that is faster and the pack knows every text."""
    known = {"place": names.places, "sector": names.sectors, "carrier": names.carriers}
    labels = labels_of({name: codes for name, codes in known.items() if name in keys})
    by_number = coded(frame, labels)
    cells = None if by_number is None else decoded(collected(by_number.group_by(*keys).agg(*aggregates)), labels)
    return collected(frame.group_by(*keys).agg(*aggregates)) if cells is None else cells


def collected(frame: "nw.LazyFrame[Any]") -> pl.DataFrame:
    return pl.DataFrame(frame.collect(backend="polars").to_native())


NO_NOTATIONS = pl.DataFrame(schema={"notation": pl.String, "rows": pl.Int64, "start": pl.Date, "end": pl.Date})


def notations(frame: "nw.LazyFrame[Any]", proven: Proven, dims: Iterable[str], where: Where | None) -> pl.DataFrame:
    """Rows that hold a notation key instead of a quantity, grouped like the cells."""
    method = proven.method
    frame = filtered(frame, method.rows.item, method.rows.where, where)
    columns = set(frame.collect_schema().names())
    frame = frame.filter(nw.col("value").is_null())
    keys = [dim for dim in DIMS if dim in {"place", *dims} and dim in columns] + ["start", "end"]
    keys += ["notation"] if "notation" in columns else []
    found = collected(frame.group_by(*keys).agg(nw.len().alias("rows")))
    if "notation" not in found.columns:
        found = found.with_columns(pl.lit(None, pl.String).alias("notation"))
    return found.with_columns(pl.col("rows").cast(pl.Int64))
