"""Apply: quantities in the method's unit, lookups joined, the equations with their derivatives, on the cells."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from dualcarbon.core import units
from dualcarbon.core.classification import Classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.factor_rows import row_of
from dualcarbon.engine.factors import FactorTable
from dualcarbon.engine.formula import DUALS, Dual, constant
from dualcarbon.engine.keys import numbered
from dualcarbon.engine.methods import Lookup
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.reduce import collected, filtered


def scaled(cells: pl.DataFrame, proven: Proven, names: Classification) -> pl.DataFrame:
    """Bring quantities to the method's unit; ``natural`` says in which of ``proven.scales`` the cell's proof stands."""
    rows = proven.method.rows
    fixed = None if "natural" in rows.unit else units.canonical(rows.unit)
    kinds = list(proven.scales)
    number, pairs = numbered(cells, ["carrier", "unit"])
    problems: list[Problem] = []
    found: list[tuple[str, int, float]] = []
    for carrier, unit in pairs.iter_rows():
        natural = row_of(names.carriers, carrier or "").get("natural_unit", "")
        target = fixed or rows.unit.replace("natural", natural)
        ratio = 1.0
        if unit not in (None, "", target):
            try:
                ratio = units.ratio(unit, target)
            except ValueError as error:
                params = {"expected": target, "what": rows.item, "found": unit, "detail": str(error)}
                problems.append(Problem("engine.unit-mismatch", column="unit", value=unit, params=params))
        found.append((target, kinds.index(natural) if natural in kinds else 0, ratio))
    if problems:
        raise Refused(problems)
    schema = {"unit": pl.String, "natural": pl.Int64, "ratio": pl.Float64}
    made = pl.DataFrame(found, schema=schema, orient="row").select(pl.all().gather(number))
    if any(ratio != 1.0 for _, _, ratio in found):
        linear = ["quantity", *(["spread1"] if "spread1" in cells.columns else [])]
        cells = cells.with_columns(pl.col(linear) * made["ratio"], pl.col("spread2") * made["ratio"] ** 2)
    return cells.with_columns(made["unit"], made["natural"])


def looked_up(cells: pl.DataFrame, frame: "nw.LazyFrame[Any]", look: Lookup) -> pl.DataFrame:
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
    kinds = list(proven.scales.values())

    def scale(name: str) -> Any:
        values = np.array([kind.get(name, 1.0) for kind in kinds])
        return values[0] if (values == values[0]).all() else values[cells["natural"].to_numpy()]

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
