"""Calculate: reduce → resolve → apply, and keep the small table from which every total is combined.

Only the reduction touches the big table; what follows works on its cells.
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
from dualcarbon.engine.factors import GAS, FactorTable, load_factors, row_of, with_factors
from dualcarbon.engine.formula import DUALS, Dual, constant
from dualcarbon.engine.methods import Lookup, Method, Where, find_method
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.reduce import NO_NOTATIONS, collected, filtered, notations, observations, reduce
from dualcarbon.engine.resolve import Choice, resolve

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
    cells = scaled(cells, proven, names)
    cells, fallbacks = resolve(cells, proven.method.factors, factor_table, names, choice)
    for look in proven.method.lookups:
        cells = _join_lookup(cells, frame, look)
    cells = applied(cells, proven, factor_table)
    noted = notations(frame, proven, dims, where) if (cells["rows"] > cells["values"]).any() else NO_NOTATIONS
    return Calculation(
        proven=proven,
        names=names,
        choice=choice,
        cells=cells,
        factors=factor_table,
        missing=_missing(cells, proven.method, factor_table),
        fallbacks=fallbacks,
        notations=noted,
        statuses=dict(statuses or {}),
    )


def scaled(cells: pl.DataFrame, proven: Proven, names: Classification) -> pl.DataFrame:
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
    found = collected(selected.select(*keys, "value", "unit"))
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


def applied(cells: pl.DataFrame, proven: Proven, table: FactorTable) -> pl.DataFrame:
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
