"""Calculate: reduce → resolve → apply, and keep the small table from which every total is combined.

Only :func:`reduce` touches the big table, once, in the part of narwhals that DuckDB, Polars and Spark share
(filter, group_by). What follows works on the reduced cells.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification
from dualcarbon.core.classification import load as classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.engine.factors import GAS, FactorTable, load_factors, row_of, with_factors
from dualcarbon.engine.formula import DUALS, Dual, constant
from dualcarbon.engine.methods import Case, Lookup, Method, Proven, Where, find_method
from dualcarbon.engine.resolve import Choice, resolve

DIMS = ("place", "entity", "sector", "carrier", "domain", "process", "counterparty", "counterparty_place", "gas",
        "equipment", "basis", "dataset")  # fmt: skip
OPEN_NOTATIONS = frozenset({"NE"})


@dataclass(frozen=True)
class Calculation:
    """The cells of one method over one snapshot, with what is needed to combine and to explain them.

    ``cells``: one row per reduced key: dimensions, ``start``, ``end``, ``unit``, ``quantity`` (in ``unit``),
    ``spread2`` (sum of squared half-widths of the rows' own 95 % bounds; ``spread1``, their plain sum, where
    an ``error_group`` ties rows), ``values`` (rows with a value), ``rows``, ``factor:NAME`` (row of
    ``factors.frame``), one column per equation (null = missing), ``d:EQUATION:NAME`` (partial derivative per output
    equation and name).
    """

    proven: Proven
    names: Classification
    choice: Choice
    cells: pl.DataFrame
    factors: FactorTable
    missing: list[dict[str, Any]]
    fallbacks: list[dict[str, Any]]
    notations: pl.DataFrame
    statuses: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        """The method that was calculated."""
        return self.proven.method

    def combine(
        self, by: Sequence[str] = (), where: pl.Expr | None = None, labels: Mapping[str, pl.Expr] | None = None
    ) -> pl.DataFrame:
        """Results for the asked dimensions; see :func:`dualcarbon.engine.uncertainty.combine`."""
        from dualcarbon.engine.uncertainty import Term, combine

        terms = [Term(self, output, where=where) for output in self.method.outputs]
        return combine(terms, by, labels)

    def used_factors(self) -> pl.DataFrame:
        """The resolved factor rows that the cells use, one row each."""
        used = {
            n for use in self.method.factors for n in self.cells[f"factor:{use.name}"].drop_nulls().unique().to_list()
        }
        return self.factors.frame.filter(pl.col("factor").is_in(sorted(used)))


def calculate(
    method: str | Path | Proven,
    table: Any,
    *,
    pack: str = "cn-jiaxing",
    factors: str | Path | pl.DataFrame | None = None,
    family: str = "provincial-2025",
    known_at: date | None = None,
    gwp: str = "AR5",
    dims: Iterable[str] = ("place", "sector", "carrier", "process"),
    where: Where | None = None,
    statuses: Mapping[str, str] | None = None,
    keep_rows: bool = False,
    canonical: bool = False,
) -> Calculation:
    """Calculate one method over a table of observations.

    ``table``: anything narwhals knows (DuckDB relation, Polars, PyArrow, pandas, PySpark) in the observation
    layout, with ``start`` and ``end`` (exclusive) or ``period``. ``dims``: dimensions kept in the cells beside
    those that key factors. ``where``: equal values (or lists) by column. ``statuses``: status by dataset.
    ``keep_rows`` keeps one cell per row even for a linear method. ``canonical`` promises one unit per carrier, as
    imported tables have. Raises Refused with every fault found.
    """
    given = factors if isinstance(factors, pl.DataFrame) else None
    factor_table = with_factors(pack, None if given is not None else factors, given)  # type: ignore[arg-type]
    names = classification(pack)
    natural_units = {row_of(names.carriers, c).get("natural_unit", "") for c in _caller_carriers(factor_table, pack)}
    proven = method if isinstance(method, Proven) else find_method(method, pack, natural_units - {""})
    declared(proven, factor_table)
    choice = Choice(family, gwp, known_at)
    frame = observations(table, known_at)
    cells = reduce(frame, proven, factor_table, dims, where, keep_rows or not proven.linear, bool(statuses), canonical)
    cells = _scaled(cells, proven, names)
    cells, fallbacks = resolve(cells, proven.method.factors, factor_table, names, choice)
    for look in proven.method.lookups:
        cells = _join_lookup(cells, frame, look)
    cells = _apply(cells, proven, factor_table)
    notations = _notations(frame, proven, dims, where) if (cells["rows"] > cells["values"]).any() else _NO_NOTATIONS
    return Calculation(
        proven=proven,
        names=names,
        choice=choice,
        cells=cells,
        factors=factor_table,
        missing=_missing(cells, proven.method, factor_table),
        fallbacks=fallbacks,
        notations=notations,
        statuses=dict(statuses or {}),
    )


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
        eager = pl.DataFrame(frame.collect(backend="polars").to_native())
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


def filtered(frame: "nw.LazyFrame[Any]", item: str, where: Where | None) -> "nw.LazyFrame[Any]":
    """Rows of one item that equal ``where``; ``{"process": {"not": "power"}}`` keeps the others and the empty ones."""
    frame = frame.filter(nw.col("item") == item)
    columns = set(frame.collect_schema().names())
    for column, wanted in (where or {}).items():
        if column not in columns:
            if isinstance(wanted, dict) or wanted in ("", None):
                continue
            return frame.filter(nw.lit(False))
        frame = frame.filter(condition(nw.col(column), wanted))
    return frame


def condition(column: Any, wanted: Any) -> Any:
    """One condition of a ``where``, for a narwhals or Polars column."""
    if isinstance(wanted, dict):
        unwanted = wanted["not"]
        unwanted = unwanted if isinstance(unwanted, list) else [unwanted]
        return column.is_null() | ~column.is_in(unwanted)
    if wanted in ("", None):
        return column.is_null() | (column == "")
    return column.is_in(wanted) if isinstance(wanted, list) else column == wanted


def reduce(
    frame: "nw.LazyFrame[Any]",
    proven: Proven,
    table: FactorTable,
    dims: Iterable[str],
    where: Where | None,
    keep_rows: bool,
    by_dataset: bool,
    canonical: bool,
) -> pl.DataFrame:
    """Sum the rows of the method's item to (dimensions × factor keys × period × unit): the only pass.

    A sum over groups equals the sum over rows because the outputs are proportional to the row input; methods
    that are not keep one cell per row.
    """
    method = proven.method
    frame = filtered(filtered(frame, method.rows.item, method.rows.where), method.rows.item, where)
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
    cells = _rows(frame, keys, columns) if keep_rows else _grouped(frame, keys, columns)
    for column in ("place", "sector", "carrier", "process", "unit"):
        if column not in cells.columns:
            cells = cells.with_columns(pl.lit(None, pl.String).alias(column))
    strings = [column for column in cells.columns if cells.schema[column] in (pl.Categorical, pl.Enum, pl.Null)]
    cells = cells.with_columns(pl.col(strings).cast(pl.String))
    return cells.with_columns(pl.col("start", "end").cast(pl.Date))


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
    cells = pl.DataFrame(selected.collect(backend="polars").to_native())
    if "error_group" not in cells.columns:
        cells = cells.with_columns(pl.lit(None, pl.String).alias("error_group"))
    return cells.with_columns(
        values=pl.col("quantity").is_not_null().cast(pl.Int64), rows=pl.lit(1, pl.Int64), spread2=pl.col("spread1") ** 2
    )


def _grouped(frame: "nw.LazyFrame[Any]", keys: list[str], columns: set[str]) -> pl.DataFrame:
    """One cell per key. Periods of one key that begin together mostly end together, and most tables tie no errors:
    the first pass supposes both and is done again where it finds otherwise.
    """
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
    probes = [nw.col("end").min(), nw.col("end").max().alias("last")]
    probes += [nw.col("error_group").count().alias("tied")] if ties else []
    cells = _collect(frame.group_by(*(key for key in keys if key != "end")).agg(*aggregates, *probes))
    tied = ties and bool(cells["tied"].sum())
    if tied:
        keys, aggregates = [*keys, "error_group"], [*aggregates, nw.col("spread1").sum()]
    if tied or not (cells["end"] == cells["last"]).all():
        cells = _collect(frame.group_by(*keys).agg(*aggregates))
    if not tied:
        cells = cells.with_columns(pl.lit(None, pl.String).alias("error_group"))
    spread2 = pl.when(pl.col("spreads") > 0).then(pl.col("spread2")) if bounds else pl.lit(None, pl.Float64)
    cells = cells.with_columns(
        pl.col("values", "rows").cast(pl.Int64),
        pl.when(pl.col("values") > 0).then(pl.col("quantity")).alias("quantity"),
        spread2.alias("spread2"),
    )
    return cells.drop("spreads", "last", "tied", strict=False)


def _collect(frame: "nw.LazyFrame[Any]") -> pl.DataFrame:
    return pl.DataFrame(frame.collect(backend="polars").to_native())


def _scaled(cells: pl.DataFrame, proven: Proven, names: Classification) -> pl.DataFrame:
    """Bring quantities to the method's unit; ``natural`` says under which unit the cell's proof stands."""
    method = proven.method
    carriers = cells["carrier"].unique().to_list() if "carrier" in cells.columns else [None]
    only = next(iter(proven.scales))
    by_carrier = {c: row_of(names.carriers, c).get("natural_unit", "") for c in carriers if c}
    fixed = None if "natural" in method.rows.unit else units.canonical(method.rows.unit)
    pairs = cells.select("carrier", "unit").unique().rows()
    problems: list[Problem] = []
    ratio: dict[tuple[str | None, str | None], float] = {}
    for carrier, unit in pairs:
        target = fixed or method.rows.unit.replace("natural", by_carrier.get(carrier or "", ""))
        if unit in (None, "", target):
            ratio[carrier, unit] = 1.0
            continue
        try:
            ratio[carrier, unit] = units.ratio(unit, target)
        except ValueError as error:
            params = {"expected": target, "what": method.rows.item, "found": unit, "detail": str(error)}
            problems.append(Problem("engine.unit-mismatch", column="unit", value=unit, params=params))
    if problems:
        raise Refused(problems)
    if any(value != 1.0 for value in ratio.values()):
        scale = pl.DataFrame(
            [(c, u, r) for (c, u), r in ratio.items()],
            schema={"carrier": pl.String, "unit": pl.String, "ratio": pl.Float64},
            orient="row",
        )
        cells = cells.join(scale, on=["carrier", "unit"], how="left", nulls_equal=True, maintain_order="left")
        cells = cells.with_columns(
            pl.col("quantity", *(["spread1"] if "spread1" in cells.columns else [])) * pl.col("ratio"),
            pl.col("spread2") * pl.col("ratio") ** 2,
        ).drop("ratio")
    target_of = {c: fixed or method.rows.unit.replace("natural", by_carrier.get(c or "", "")) for c in carriers}
    natural_of = {c: n if (n := by_carrier.get(c or "", "")) in proven.scales else only for c in carriers}
    return cells.with_columns(
        pl.col("carrier").replace_strict(target_of, default=fixed or only, return_dtype=pl.String).alias("unit"),
        pl.col("carrier").replace_strict(natural_of, default=only, return_dtype=pl.String).alias("natural"),
    )


def _join_lookup(cells: pl.DataFrame, frame: "nw.LazyFrame[Any]", look: Lookup) -> pl.DataFrame:
    """Add ``lookup:NAME``: the one value of another item on equal dimensions, ``lag`` years before."""
    on = [dim for dim in look.on if dim != "period"]
    timed = "period" in look.on
    selected = filtered(frame, look.item, look.where)
    columns = set(selected.collect_schema().names())
    keys = [dim for dim in on if dim in columns] + (["start", "end"] if timed else [])
    found = pl.DataFrame(selected.select(*keys, "value", "unit").collect(backend="polars").to_native())
    twice = found.filter(found.select(keys).is_duplicated()) if keys else found.slice(1)
    if twice.height:
        params = {"what": look.item, "on": ", ".join(look.on), "example": str(twice.select(keys).row(0))}
        raise Refused([Problem("engine.lookup-twice", column=look.name, params=params)])
    target = units.canonical(look.unit)
    ratios = {unit: 1.0 if unit in (None, target) else units.ratio(unit, target) for unit in found["unit"].unique()}
    found = found.with_columns(
        (pl.col("value") * pl.col("unit").replace_strict(ratios, return_dtype=pl.Float64)).alias(f"lookup:{look.name}")
    ).drop("value", "unit")
    if timed and look.lag:
        found = found.with_columns(pl.col("start", "end").cast(pl.Date).dt.offset_by(f"{look.lag}y"))
    if not keys:
        value = found[f"lookup:{look.name}"].item() if found.height else None
        return cells.with_columns(pl.lit(value, pl.Float64).alias(f"lookup:{look.name}"))
    return cells.join(found, on=keys, how="left", nulls_equal=True, maintain_order="left")


def cell_scales(proven: Proven, cells: pl.DataFrame) -> Callable[[str], Any]:
    """For a name of the method: what brings its declared unit to base units, a number or one per cell."""
    kinds = list(proven.scales)
    which = cells["natural"].replace_strict({kind: n for n, kind in enumerate(kinds)}, return_dtype=pl.Int64).to_numpy()

    def scale(name: str) -> Any:
        values = np.array([proven.scales[kind].get(name, 1.0) for kind in kinds])
        return values[0] if (values == values[0]).all() else values[which]

    return scale


def _apply(cells: pl.DataFrame, proven: Proven, table: FactorTable) -> pl.DataFrame:
    """Evaluate the equations with their derivatives on the cells, in base units, unrounded."""
    method = proven.method
    scale = cell_scales(proven, cells)
    values: dict[str, Any] = {}
    inputs: dict[str, Any] = {method.rows.name: cells["quantity"].to_numpy()}
    factor_values = table.frame["value"].to_numpy()
    for use in method.factors:
        number = cells[f"factor:{use.name}"]
        taken = factor_values[number.fill_null(0).to_numpy()] if len(factor_values) else np.nan
        inputs[use.name] = np.where(number.is_null().to_numpy(), np.nan, taken)
    for look in method.lookups:
        inputs[look.name] = cells[f"lookup:{look.name}"].to_numpy()
    for name, array in inputs.items():
        values[name] = Dual.name(name, np.asarray(array, dtype=np.float64) * scale(name))
    for name, fixed in method.constants.items():
        values[name] = constant(fixed.value) * float(np.ravel(scale(name))[0])
    columns: list[pl.Series] = []
    outputs = {output.equation for output in method.outputs}
    with np.errstate(all="ignore"):
        for name, formula in method.parsed().items():
            made = formula.evaluate(values, DUALS)
            made = made if isinstance(made, Dual) else Dual(np.full(cells.height, float(made)), {})
            values[name] = made
            out = scale(name)
            columns.append(_series(name, made.value / out, cells.height))
            if name in outputs:
                for of, partial in made.partials.items():
                    columns.append(_series(f"d:{name}:{of}", partial * scale(of) / out, cells.height))
    return cells.with_columns(columns)


def _series(name: str, values: Any, height: int) -> pl.Series:
    array = np.broadcast_to(np.asarray(values, dtype=np.float64), (height,))
    return pl.Series(name, np.where(np.isfinite(array), array, np.nan), nan_to_null=True)


def _missing(cells: pl.DataFrame, method: Method, table: FactorTable) -> list[dict[str, Any]]:
    """What could not be calculated: the parameter that has no value, the key, the quantity and its rows."""
    found: list[dict[str, Any]] = []
    needs = [(use.parameter, f"factor:{use.name}", table.parameters[use.parameter].keys) for use in method.factors]
    needs += [(look.item, f"lookup:{look.name}", tuple(look.on)) for look in method.lookups]
    for what, column, keys in needs:
        lost = cells.filter(pl.col(column).is_null() & pl.col("quantity").is_not_null() & (pl.col("quantity") != 0))
        if not lost.height:
            continue
        wanted = {"place", "carrier", *keys}
        dims = [
            dim
            for dim in ("place", "entity", "sector", "carrier", "gas", "equipment")
            if dim in wanted and dim in lost.columns
        ]
        grouped = lost.group_by(*dims, "unit", maintain_order=True).agg(
            pl.col("quantity").sum(), pl.col("rows").sum(), pl.col("start").min(), pl.col("end").max()
        )
        for row in grouped.iter_rows(named=True):
            found.append(
                {
                    "method": method.id,
                    "item": method.rows.item,
                    "parameter": what,
                    **{dim: row[dim] for dim in dims if row[dim]},
                    "period": periods.text(row["start"], row["end"]),
                    "quantity": row["quantity"],
                    "unit": row["unit"],
                    "rows": row["rows"],
                }
            )
    return found


_NO_NOTATIONS = pl.DataFrame(schema={"notation": pl.String, "rows": pl.Int64, "start": pl.Date, "end": pl.Date})


def _notations(frame: "nw.LazyFrame[Any]", proven: Proven, dims: Iterable[str], where: Where | None) -> pl.DataFrame:
    """Rows that hold a notation key instead of a quantity, grouped like the cells."""
    method = proven.method
    frame = filtered(filtered(frame, method.rows.item, method.rows.where), method.rows.item, where)
    columns = set(frame.collect_schema().names())
    frame = frame.filter(nw.col("value").is_null())
    keys = [dim for dim in DIMS if dim in {"place", *dims} and dim in columns] + ["start", "end"]
    keys += ["notation"] if "notation" in columns else []
    found = pl.DataFrame(frame.group_by(*keys).agg(nw.len().alias("rows")).collect(backend="polars").to_native())
    if "notation" not in found.columns:
        found = found.with_columns(pl.lit(None, pl.String).alias("notation"))
    return found.with_columns(pl.col("rows").cast(pl.Int64))


def _caller_carriers(table: FactorTable, pack: str) -> list[str]:
    known = load_factors(pack).frame.height
    return table.frame.slice(known)["carrier"].drop_nulls().unique().to_list()


def declared(proven: Proven, table: FactorTable) -> None:
    """Refuse a method whose parameter nobody declares, or whose unit is not the parameter's."""
    problems = []
    for use in proven.method.factors:
        parameter = table.parameters.get(use.parameter)
        if parameter is None:
            problems.append(
                Problem("engine.unknown-parameter", file=proven.path, column=f"factors.{use.name}", value=use.parameter)
            )
            continue
        theirs, ours = parameter.unit, use.unit
        if GAS in theirs:
            gas = use.key.get("gas")
            theirs = next(
                (row["unit"] for row in table.rows if row["parameter"] == parameter.id and row["gas"] == gas), ours
            )
        if theirs != ours and not _same(theirs, ours):
            params = {"expected": theirs, "what": use.parameter, "found": ours}
            problems.append(
                Problem(
                    "engine.unit-mismatch",
                    file=proven.path,
                    column=f"factors.{use.name}.unit",
                    value=ours,
                    params=params,
                )
            )
    if problems:
        raise Refused(problems)


def _same(theirs: str, ours: str) -> bool:
    try:
        return units.ratio(theirs.replace("natural", "t"), ours.replace("natural", "t")) == 1.0
    except ValueError:
        return False


def run_case(
    proven: Proven, case: Case, pack: str, table: FactorTable | None = None
) -> dict[str, tuple[float, float | None]]:
    """A method's worked case: expected and calculated value by equation.

    Numbers in ``given`` stand for the row input, factors and lookups; text for dimensions, from which a
    factor that is not given is resolved in the pack.
    """
    method = proven.method
    texts = {name: str(value) for name, value in case.given.items() if isinstance(value, str)}
    numbers = {name: float(value) for name, value in case.given.items() if not isinstance(value, str)}
    period = periods.parse(texts.pop("period", "2023"))
    family = texts.pop("family", "provincial-2025")
    gwp = texts.pop("gwp", "AR5")
    known_at = texts.pop("known_at", None)
    names = classification(pack)
    table = table or load_factors(pack)
    row = {"start": period.start, "end": period.end, **texts, "quantity": numbers.get(method.rows.name)}
    cells = pl.DataFrame([row], schema_overrides={"start": pl.Date, "end": pl.Date, "quantity": pl.Float64})
    for column in ("place", "sector", "carrier", "process"):
        if column not in cells.columns:
            cells = cells.with_columns(pl.lit(None, pl.String).alias(column))
    cells = cells.with_columns(pl.lit(None, pl.String).alias("unit"), pl.lit(None, pl.Float64).alias("spread2"))
    cells = _scaled(cells, proven, names)
    choice = Choice(family, gwp, periods.parse(known_at).start if known_at else None)
    cells, _ = resolve(cells, method.factors, table, names, choice)
    given = pl.DataFrame(
        {"value": [numbers[use.name] for use in method.factors if use.name in numbers]}, schema={"value": pl.Float64}
    )
    extended = FactorTable(table.parameters, pl.concat([table.frame.select("value"), given]), table.index, table.rows)
    at = table.frame.height
    for use in method.factors:
        if use.name in numbers:
            cells = cells.with_columns(pl.lit(at, pl.Int64).alias(f"factor:{use.name}"))
            at += 1
    for look in method.lookups:
        cells = cells.with_columns(pl.lit(numbers.get(look.name), pl.Float64).alias(f"lookup:{look.name}"))
    cells = _apply(cells, proven, extended)
    return {
        name: (expected, cells[name].item() if name in cells.columns else None)
        for name, expected in case.expect.items()
    }


def status_of(calculation: Calculation, cells: pl.DataFrame) -> str | None:
    """The weakest status among the method, the factors and the datasets of these cells."""
    method = calculation.method
    statuses: set[str | None] = {method.status}
    used = {n for use in method.factors for n in cells[f"factor:{use.name}"].drop_nulls().unique().to_list()}
    statuses |= {calculation.factors.rows[n]["status"] for n in used}
    if calculation.statuses and "dataset" in cells.columns:
        statuses |= {calculation.statuses.get(d) for d in cells["dataset"].drop_nulls().unique().to_list()} - {None}
    return worst(statuses)


__all__ = ["Calculation", "calculate", "condition", "filtered", "observations", "reduce", "run_case", "status_of"]
