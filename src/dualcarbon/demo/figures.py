"""What a generated city looks like in the few figures by which an insider judges it.

Definitions. Electricity: all that is used, own photovoltaic and plant power included; auxiliary power of the two
centrally dispatched plants is not in the data. Energy in 等价: fuels used finally or for heat, plus electricity at its
equivalent; fuel burned for electricity and the heat bought do not count a second time. A firm's energy: what it
consumes less what it turns into heat and power, heat plants in 当量.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from dualcarbon.demo.tables import CITY, carrier, read

#: tce (等价) per MWh: the value that the pack carries; the generator itself never uses it.
EQUIVALENT = 0.31
ABOVE_SCALE = ("enterprise", "heat-plant", "unsampled", "grid-loss")
INDUSTRY = "^[BCD]"


def portrait(
    observations: pl.DataFrame, entities: pl.DataFrame, equivalent: float = EQUIVALENT
) -> list[dict[str, Any]]:
    """One row a year.

    `electricity_twh, industry_share, energy_mtce` (等价), `above_scale_share`; expanded number of firms of 100,000 and
    5,000 tce or more, share of the top twenty, in 等价 and `_calorific`; `months`: electricity against the mean month.
    """
    rows = observations.filter((pl.col("dataset") == CITY) & pl.col("value").is_not_null())
    rows = rows.with_columns(pl.col("start").dt.year().alias("year"))
    coefficient = dict(read("carriers").select("carrier", "tce").iter_rows())
    rows = rows.with_columns(pl.col("carrier").replace_strict(coefficient, default=0.0).alias("k"))
    kinds = dict(entities.select("code", "kind").iter_rows())
    rows = rows.with_columns(pl.col("entity").replace_strict(kinds, default="none").alias("kind"))
    energy = _energy(rows, equivalent)
    firms = _firms(rows, entities, equivalent)
    power = rows.filter((pl.col("item") == "energy.consumption") & (pl.col("carrier") == "electricity"))
    industry = power.filter(pl.col("sector").str.contains(INDUSTRY))
    found = []
    for year in sorted(rows["year"].unique()):
        of_year = pl.col("year") == year
        electricity = float(power.filter(of_year)["value"].sum())
        months = power.filter(of_year).group_by("start").agg(pl.col("value").sum()).sort("start")["value"]
        change = [float(month) * len(months) / float(months.sum()) - 1 for month in months]
        above = float(energy.filter(of_year & pl.col("kind").is_in(ABOVE_SCALE))["tce"].sum())
        total = float(energy.filter(of_year)["tce"].sum())
        row = {
            "year": year,
            "electricity_twh": electricity / 1e6,
            "industry_share": float(industry.filter(of_year)["value"].sum()) / electricity,
            "energy_mtce": total / 1e6,
            "above_scale_share": above / total,
            "months": change,
        }
        for basis, suffix in (("equivalent", ""), ("calorific", "_calorific")):
            mine = firms.filter(of_year).sort(basis, "entity", descending=[True, False])
            whole = mine.select((pl.col(basis) * pl.col("weight")).sum()).item()
            row |= {
                f"firms_100k{suffix}": mine.filter(pl.col(basis) >= 100_000)["weight"].sum(),
                f"firms_5k{suffix}": mine.filter(pl.col(basis) >= 5_000)["weight"].sum(),
                f"top20_share{suffix}": float(mine[basis].head(20).sum()) / float(whole),
            }
        found.append(row)
    return found


def _energy(rows: pl.DataFrame, equivalent: float) -> pl.DataFrame:
    """tce (等价) by year and kind of unit without counting anything twice; centrally dispatched plants cancel out."""
    used = (pl.col("item") == "energy.consumption") & (pl.col("carrier") != "heat")
    for_power = (pl.col("item") == "energy.transformation_input") & (pl.col("process") == "power")
    electric = pl.col("carrier") == "electricity"
    return (
        rows.filter(used | for_power)
        .with_columns(
            (pl.col("value") * pl.when(electric).then(equivalent).otherwise(pl.col("k"))).alias("tce")
            * pl.when(for_power).then(-1.0).otherwise(1.0)
        )
        .group_by("year", "kind")
        .agg(pl.col("tce").sum())
    )


def _firms(rows: pl.DataFrame, entities: pl.DataFrame, equivalent: float) -> pl.DataFrame:
    """Energy of each sampled firm and heat plant by year, in both bases, with its weight."""
    mine = rows.filter(pl.col("kind").is_in(["enterprise", "heat-plant"]))
    sign = (
        pl.when(pl.col("item") == "energy.consumption")
        .then(1.0)
        .when(pl.col("item") == "energy.transformation_output")
        .then(-1.0)
    )
    bought = (pl.col("item") == "energy.purchased") & (pl.col("carrier") == "electricity")
    more = equivalent - carrier("electricity")["tce"]
    extra = pl.when(bought & (pl.col("kind") == "enterprise")).then(pl.col("value") * more).otherwise(0.0)
    by_firm = mine.group_by("entity", "year").agg(
        (pl.col("value") * pl.col("k") * sign).sum().alias("calorific"), extra.sum().alias("extra")
    )
    weights = entities.select(pl.col("code").alias("entity"), "weight")
    return by_firm.with_columns((pl.col("calorific") + pl.col("extra")).alias("equivalent")).join(weights, on="entity")
