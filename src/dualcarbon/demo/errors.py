"""95 % bounds of the generated quantities: what a meter, a weighing belt, a sample and a top-down share would carry.

Widths stand in `data/errors.csv` by kind of unit and carrier; they are invented like everything else. What is expanded
from the sample errs together in all months of its place and sector (`error_group`), and so do fuels that are spread
from a city total; meters err on their own.
"""

from __future__ import annotations

import polars as pl

from dualcarbon.demo.tables import CITY, read


def bounded(rows: pl.DataFrame, entities: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `low`, `high` and `error_group` where they belong to the city's data set; others stay as they are."""
    kinds = dict(entities.select("code", "kind").iter_rows())
    kind = pl.col("entity").replace_strict(kinds, default="none", return_dtype=pl.String)
    percent, tie = pl.lit(None, dtype=pl.Float64), pl.lit(None, dtype=pl.String)
    for row in reversed(read("errors").to_dicts()):
        here = kind == row["kind"]
        if row["carriers"] != "*":
            here &= pl.col("carrier").is_in(row["carriers"].split("|"))
        percent = pl.when(here).then(pl.lit(row["percent"], dtype=pl.Float64)).otherwise(percent)
        group = {
            "entity": pl.col("entity"),
            "sector": pl.format("{}-{}", "sector", "carrier"),
        }.get(row["tied"] or "", pl.lit(None, dtype=pl.String))
        tie = pl.when(here).then(group).otherwise(tie)
    mine = pl.col("dataset") == CITY
    return rows.with_columns(
        pl.when(mine).then((pl.col("value") * (1 - percent / 100)).round(3)).alias("low"),
        pl.when(mine).then((pl.col("value") * (1 + percent / 100)).round(3)).alias("high"),
        pl.when(mine).then(tie).alias("error_group"),
    )
