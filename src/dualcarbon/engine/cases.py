"""Cases: the worked examples of a method, calculated as everything else is."""

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import load as classification
from dualcarbon.engine.apply import applied, scaled
from dualcarbon.engine.factors import FactorTable, load_factors
from dualcarbon.engine.methods import Case
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.resolve import Choice, resolve


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
    cells = scaled(cells, proven, names)
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
    cells = applied(cells, proven, extended)
    return {
        name: (expected, cells[name].item() if name in cells.columns else None)
        for name, expected in case.expect.items()
    }
