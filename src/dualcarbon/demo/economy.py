"""The invented economy of the city, in a data set of its own, the totals that its grid company would publish, and the
yearly targets that it would set.

Only what has no published figure is made: value added by place, sector and month or quarter for 2022–2024. The levels
follow the published city totals of 2021 and 2022 so that intensities look right; every row stays synthetic.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from dualcarbon.demo.industry import Use
from dualcarbon.demo.seasons import profile
from dualcarbon.demo.tables import (
    CONTROL,
    ECONOMY,
    MONTHS,
    SEED,
    SIZE,
    TARGET,
    YEARS,
    Array,
    leaves,
    random,
    read,
    shares_of_year,
)

#: City totals (亿元, current prices) that the generator aims at.
INDUSTRY = {2022: 2660.0, 2023: 2745.0, 2024: 2890.0}
GDP = {2022: 6739.0, 2023: 7075.0, 2024: 7520.0}
#: Shares of GDP by section outside industry.
OUTSIDE = {
    "A": 0.021, "E": 0.062, "F": 0.098, "G": 0.031, "H": 0.013, "I": 0.028, "J": 0.072, "K": 0.062, "L": 0.026,
    "M": 0.019, "N": 0.008, "O": 0.011, "P": 0.030, "Q": 0.020, "R": 0.006, "S": 0.040,
}  # fmt: skip
QUARTERS = [(year, quarter) for year in YEARS for quarter in range(4)]


def industrial(firms: pl.DataFrame, of: Use, rest: pl.DataFrame, rest_use: Use) -> tuple[pl.DataFrame, Array]:
    """Above-scale industrial value added by place and sector: the groups and months ([n, 36], 万元).

    A sector's value added of the year is spread over its places and months by electricity used, to the power 0.8, so
    that large users have a lower value added per kWh.
    """
    used: dict[tuple[str, str], Array] = {}
    for table, one in ((firms, of), (rest, rest_use)):
        for key, values in zip(table.select("place", "sector").iter_rows(), one.electricity, strict=True):
            used[key] = used.get(key, np.zeros(SIZE)) + np.nan_to_num(values)
    keys = sorted(used)
    volume = np.array([used[key] for key in keys]) ** 0.8
    table = read("lines").group_by("sector").agg(pl.col("value_added").sum())
    level = dict(zip(table["sector"], table["value_added"], strict=True))
    weight = np.zeros_like(volume)
    for sector in sorted(level):
        at = [i for i, key in enumerate(keys) if key[1] == sector]
        if at:
            weight[at] = level[sector] * volume[at] / (volume[at].sum() / len(YEARS))
    years = weight.reshape(len(keys), len(YEARS), 12)
    total = np.array(list(INDUSTRY.values())) * 1e4
    growing = years / years.sum(axis=(0, 2))[None, :, None] * total[None, :, None]
    return pl.DataFrame(keys, schema=["place", "sector"], orient="row"), np.round(growing.reshape(len(keys), SIZE), 1)


def rows(groups: pl.DataFrame, monthly: Array, sectors: dict[str, list[str]], seed: int = SEED) -> pl.DataFrame:
    """Rows of the data set: industrial value added by month, value added by quarter and division, GDP by quarter.

    `sectors` names the divisions of each section. GDP of a place is the sum of its value added.
    """
    rng = random("economy", seed)
    month_rows = [
        {"place": place, "sector": sector, "item": "economy.industrial_value_added_above_scale", "start": MONTHS[t],
         "end": _after(MONTHS[t], 1), "value": float(monthly[i, t])}
        for i, (place, sector) in enumerate(groups.iter_rows()) for t in range(SIZE) if monthly[i, t] > 0
    ]  # fmt: skip
    quarterly = monthly.reshape(len(monthly), len(QUARTERS), 3).sum(axis=2)
    added: dict[tuple[str, str, int], float] = {}
    for i, (place, sector) in enumerate(groups.iter_rows()):
        for q, (year, _) in enumerate(QUARTERS):
            all_industry = GDP[year] * (1 - sum(OUTSIDE.values())) / INDUSTRY[year]
            added[place, sector, q] = round(float(quarterly[i, q]) * all_industry, 1)
    season = shares_of_year(profile("retail")).reshape(len(QUARTERS), 3).sum(axis=1)
    base = read("leaves")["gdp_2021"].to_numpy().astype(float)
    service = base * np.exp(rng.normal(0, 0.08, len(base)))
    farming = read("leaves")["farming"].to_numpy().astype(float)
    for section, share in OUTSIDE.items():
        spread = farming if section == "A" else service
        parts = rng.dirichlet(np.full(len(sectors[section]), 4.0))
        for part, sector in zip(parts, sectors[section], strict=True):
            for leaf, weight in zip(leaves(), spread / spread.sum(), strict=True):
                for q, (year, _) in enumerate(QUARTERS):
                    value = GDP[year] * 1e4 * share * part * weight * season[q]
                    added[leaf, sector, q] = added.get((leaf, sector, q), 0.0) + round(float(value), 1)
    gdp: dict[tuple[str, int], float] = {}
    quarter_rows = []
    for (place, sector, q), value in sorted(added.items()):
        if not value:
            continue
        gdp[place, q] = gdp.get((place, q), 0.0) + value
        row = {"place": place, "sector": sector, "item": "economy.value_added", "value": value}
        quarter_rows.append(row | _quarter(q))
    quarter_rows += [
        {"place": place, "sector": None, "item": "economy.gdp", "value": round(value, 1), **_quarter(q)}
        for (place, q), value in sorted(gdp.items())
    ]
    frame = pl.DataFrame(month_rows + quarter_rows, infer_schema_length=None)
    return frame.with_columns(pl.lit("wan_CNY").alias("unit"), pl.lit(ECONOMY).alias("dataset"))


def _after(day: date, months: int) -> date:
    at = day.month - 1 + months
    return date(day.year + at // 12, at % 12 + 1, 1)


def _quarter(q: int) -> dict[str, date]:
    year, quarter = QUARTERS[q]
    start = date(year, 3 * quarter + 1, 1)
    return {"start": start, "end": _after(start, 3)}


def controls(used: pl.DataFrame, seed: int = SEED) -> pl.DataFrame:
    """Electricity of city and counties as a grid company would publish it, a little beside the sum from below.

    `used` has county, section, start, end, value (MWh). Months and years of the whole, years of manufacturing and
    households. The gap (+0.2 % to +1.6 %) is what an account shows as a difference: it is never added.
    """
    rng = random("control", seed)
    table = used.sort("county", "section", "start")
    gap = {county: rng.uniform(0.002, 0.016) for county in table["county"].unique().sort()}
    wander = {start: rng.normal(0, 0.002) for start in table["start"].unique().sort()}
    factor = pl.lit(1.0) + pl.col("county").replace_strict(gap) + pl.col("start").replace_strict(wander)
    table = table.with_columns((pl.col("value") * factor).round(0).alias("value"))
    table = pl.concat([table, table.with_columns(pl.lit("330400").alias("county"))])
    year = pl.col("start").dt.truncate("1y")
    yearly = table.with_columns(year.alias("start"), year.dt.offset_by("1y").alias("end"))
    parts = yearly.filter(pl.col("section").is_in(["C", "HH"])).with_columns(pl.col("section").alias("sector"))
    whole = pl.concat([table, yearly]).with_columns(pl.lit(None, dtype=pl.String).alias("sector"))
    found = pl.concat([whole, parts]).group_by("county", "sector", "start", "end").agg(pl.col("value").sum())
    return found.select(
        "sector",
        "start",
        "end",
        "value",
        pl.col("county").alias("place"),
        pl.lit("energy.consumption").alias("item"),
        pl.lit("electricity").alias("carrier"),
        pl.lit("MWh").alias("unit"),
        pl.lit(CONTROL).alias("dataset"),
    )


def targets() -> pl.DataFrame:
    """Yearly targets of CO2 of city and counties; the counties' sum is the city's."""
    start = pl.date(pl.col("year"), 1, 1)
    return read("targets").select(
        "place",
        start.alias("start"),
        start.dt.offset_by("1y").alias("end"),
        (pl.col("target_10kt") * 10_000.0).alias("value"),
        pl.col("known_at").cast(pl.String).str.to_date().alias("known_at"),
        pl.lit("target.emission.co2").alias("item"),
        pl.lit("tCO2").alias("unit"),
        pl.lit(TARGET).alias("dataset"),
    )
