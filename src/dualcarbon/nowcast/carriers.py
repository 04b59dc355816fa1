"""CO2 and energy of the cells by carrier: as it was reported, and as what is estimated is parted among carriers."""

from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.classification import load
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import gaps
from dualcarbon.nowcast.city import City

GJ_PER_MWH = 3.6


def reported(workspace: Any, seen: City, tree: str, family: str) -> pl.DataFrame:
    """What was reported and believed, by `part`, cell (`row`), month (`when`, a number) and carrier: `co2` (t),
    `energy` (GJ) and its `dataset`. Of January–February as one, half stands in each."""
    book = load(workspace.pack)
    keys = {"area": pl.String, "sector": pl.String, "domain": pl.String}
    cells = pl.DataFrame(seen.cells, schema=keys, orient="row").with_row_index("row")
    months = pl.DataFrame({"start": seen.months}, schema={"start": pl.Date}).with_row_index("when")
    frames = []
    for part, found in cities.counted(workspace, seen.as_of, family, seen.version).items():
        rows = cities.placed(found.cells.filter(pl.col("co2").is_not_null()), book, seen.place, tree, seen.months[-1])
        if "factor:ncv" in rows.columns:
            heat = found.factors.frame["value"].gather(rows["factor:ncv"])
            energy, carrier = rows["quantity"] * heat, pl.col("carrier")
        else:
            energy, carrier = rows["quantity"] * GJ_PER_MWH, pl.lit("electricity")
        rows = rows.with_columns(energy.alias("energy"), carrier.alias("carrier"), pl.lit(part).alias("part"))
        joint = cities.spans(rows, "2mo").with_columns(pl.col("co2", "energy") / 2)
        second = joint.with_columns(pl.col("start").dt.offset_by("1mo"))
        rows = pl.concat([cities.spans(rows, "1mo"), joint, second])
        rows = rows.join(cells, on=list(keys)).join(months, on="start")
        known = np.isfinite(getattr(seen, part))[rows["row"].to_numpy(), rows["when"].to_numpy()]
        frames.append(rows.filter(known).group_by("part", "row", "when", "carrier").agg(
            pl.col("co2").sum(), pl.col("energy").sum(), pl.col("dataset").first()))  # fmt: skip
    return pl.concat(frames)


def by_carrier(seen: City, spans: dict[str, gaps.Span], energy: pl.DataFrame) -> pl.DataFrame:
    """CO2 (t) and energy (GJ) of both periods by `part`, cell (`row`), `month` (a number), `sector`, `carrier` and
    period (`name`), with the dataset; in an order of their own, so that sums are the same to the last digit.

    What is estimated has the mix and factors of the cell's year before, else of all its months, else of its sector.
    """
    sectors = pl.DataFrame({"row": range(len(seen.cells)), "sector": [cell[1] for cell in seen.cells]},
                           schema={"row": pl.UInt32, "sector": pl.String})  # fmt: skip
    energy = energy.join(sectors, on="row")
    wanted = pl.concat([_wanted(name, span) for name, span in spans.items()]).join(sectors, on="row")
    same = ["part", "row", "when"]
    frames = [_scaled(wanted.filter("counted"), energy, same)]
    left, ago = wanted.filter(~pl.col("counted") & (pl.col("value") > 0)), pl.col("when") - pl.col("of")
    fit: list[tuple[list[str], pl.Expr]] = [
        (["part", "row"], (ago > 0) & (ago <= 12)), (["part", "row"], pl.lit(True)), (["part", "sector"], pl.lit(True))
    ]  # fmt: skip
    like = energy.filter(pl.col("co2") > 0).rename({"when": "of"})
    for keys, near in fit:
        found = left.select(*same, *(["sector"] if "sector" in keys else [])).unique().join(
            like.drop([one for one in ("row", "sector") if one not in keys]), on=keys).filter(near)  # fmt: skip
        mix = found.group_by(*same, "carrier").agg(pl.col("co2", "energy").sum(), pl.col("dataset").first())
        frames.append(_scaled(left, mix, same))
        left = left.join(mix, on=same, how="anti")
    return pl.concat(frames).sort("name", "part", "row", "month", "carrier")


def _wanted(name: str, span: gaps.Span) -> pl.DataFrame:
    """Each cell and month of a span with its `value` (t CO2) and whether it was `counted`."""
    frames = []
    for part, counted in span.counted.items():
        row, month = np.indices(counted.shape)
        when = np.array(span.numbers, int)[month.ravel()] if counted.size else np.zeros(0, int)
        frames.append(pl.DataFrame({
            "name": [name] * counted.size, "part": [part] * counted.size, "row": row.ravel().astype(np.uint32),
            "when": when.astype(np.uint32), "value": getattr(span, part).ravel(), "counted": counted.ravel(),
        }, schema_overrides={"name": pl.String, "part": pl.String}))  # fmt: skip
    return pl.concat(frames)


def _scaled(wanted: pl.DataFrame, mix: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The carriers of `mix` scaled until each cell and month has the CO2 that is `wanted`."""
    whole = mix.group_by(keys).agg(pl.col("co2").sum().alias("whole"))
    rows = wanted.join(mix.select(*keys, "carrier", "co2", "energy", "dataset"), on=keys).join(whole, on=keys)
    times = pl.when(pl.col("whole") > 0).then(pl.col("value") / pl.col("whole")).otherwise(1.0)
    times = pl.when((times - 1).abs() < 1e-9).then(1.0).otherwise(times)
    names = ("name", "part", "row", pl.col("when").alias("month"), "sector", "carrier")
    return rows.select(*names, pl.col("co2", "energy") * times, "dataset")
