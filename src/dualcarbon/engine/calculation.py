"""Calculate: reduce → resolve → apply, and keep the small table from which every total is combined.

Only the reduction touches the big table; what follows works on its cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification
from dualcarbon.core.classification import load as classification
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.apply import applied, looked_up, scaled
from dualcarbon.engine.factor_rows import GAS, row_of
from dualcarbon.engine.factors import FactorTable, load_factors, with_factors
from dualcarbon.engine.methods import Method, Where, find_method
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.reduce import NO_NOTATIONS, notations, observations, reduce
from dualcarbon.engine.resolve import Choice, resolve

#: Keys after which a sum is not complete: not estimated, and confidential without a value.
OPEN_NOTATIONS = frozenset({"NE", "C"})


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

    def combine(self, by: Sequence[str] = (), where: pl.Expr | None = None) -> pl.DataFrame:
        """Results for the asked dimensions; see :func:`dualcarbon.engine.uncertainty.combine`."""
        from dualcarbon.engine.groups import Term
        from dualcarbon.engine.uncertainty import combine

        terms = [Term(self, output, where=where) for output in self.method.outputs]
        return combine(terms, by)

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
    pack: str = DEFAULT,
    factors: str | Path | pl.DataFrame | None = None,
    family: str = "provincial-2025",
    known_at: date | None = None,
    gwp: str = "AR5",
    dims: Iterable[str] = ("place", "sector", "carrier", "process"),
    where: Where | None = None,
    statuses: Mapping[str, str] | None = None,
    keep_rows: bool = False,
    canonical: bool = False,
    borrow: bool = False,
) -> Calculation:
    """Calculate one method over a table of observations.

    ``table``: anything narwhals knows (DuckDB relation, Polars, PyArrow, pandas, PySpark) in the observation
    layout, with ``start`` and ``end`` (exclusive) or ``period``. ``dims``: dimensions kept in the cells beside
    those that key factors. ``where``: equal values (or lists) by column. ``statuses``: status by dataset.
    ``keep_rows`` keeps one cell per row even for a linear method. ``canonical`` promises one unit per carrier, as
    imported tables have. ``borrow`` serves what has no factor with one of another time, and says so among the
    fallbacks (:func:`dualcarbon.engine.resolve.borrowed`). Raises Refused with every fault found.
    """
    given = factors if isinstance(factors, pl.DataFrame) else None
    factor_table = with_factors(pack, None if given is not None else factors, given)  # type: ignore[arg-type]
    names = classification(pack)
    natural_units = {row_of(names.carriers, c).get("natural_unit", "") for c in _caller_carriers(factor_table, pack)}
    proven = method if isinstance(method, Proven) else find_method(method, pack, natural_units - {""})
    declared(proven, factor_table)
    choice = Choice(family, gwp, known_at, borrow)
    frame = observations(table, known_at)
    rows = keep_rows or not proven.linear
    cells = reduce(frame, proven, factor_table, names, dims, where, rows, bool(statuses), canonical)
    cells = scaled(cells, proven, names)
    cells, fallbacks = resolve(cells, proven.method.factors, factor_table, names, choice)
    cells = cells.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    for look in proven.method.lookups:
        cells = looked_up(cells, frame, look)
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


def _missing(cells: pl.DataFrame, method: Method, table: FactorTable) -> list[dict[str, Any]]:
    """What could not be calculated: the parameter that has no value, the key, the quantity and its rows."""
    found: list[dict[str, Any]] = []
    needs = [(use.parameter, f"factor:{use.name}", table.parameters[use.parameter].keys) for use in method.factors]
    needs += [(look.item, f"lookup:{look.name}", tuple(look.on)) for look in method.lookups]
    for what, column, keys in needs:
        if not cells[column].null_count():
            continue
        wanted = {"place", "carrier", *keys}
        known = ("place", "entity", "sector", "carrier", "gas", "equipment")
        dims = [dim for dim in known if dim in wanted and dim in cells.columns]
        lost = cells.select(*dims, "unit", "quantity", "rows", "start", "end", column).filter(
            pl.col(column).is_null() & pl.col("quantity").is_not_null() & (pl.col("quantity") != 0)
        )
        grouped = lost.group_by(*dims, "unit", maintain_order=True).agg(
            pl.col("quantity", "rows").sum(), pl.col("start").min(), pl.col("end").max()
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
