"""What the demonstration city is made from, and the shape of what it gives.

`data/*.csv` hold every number the generator starts from. They are invented inside the ranges that practice knows
(size, carrier mix, seasons of each industry); none is an observation of a real firm. Months are columns of arrays:
0 is 2022-01, 35 is 2024-12.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dualcarbon.core.tables import OBSERVATION, conform

Array = NDArray[np.float64]

SEED = 330400
PACK = "cn-jiaxing"
YEARS = (2022, 2023, 2024)
MONTHS = [date(year, month, 1) for year in YEARS for month in range(1, 13)]
ENDS = [*MONTHS[1:], date(2025, 1, 1)]
SIZE = len(MONTHS)
#: Above-scale industrial firms that the sample stands for in the last month.
POPULATION = 6500
#: Sampled firms, heat plants and the two power plants included.
SAMPLE = 600

CITY = "demo-city"
ECONOMY = "demo-economy"
CONTROL = "demo-control"
TARGET = "demo-target"
WEATHER = "demo-weather"
SOURCE = "demo-generator"


@cache
def read(name: str) -> pl.DataFrame:
    """`data/NAME.csv`; codes of places stay text."""
    return pl.read_csv(
        Path(__file__).parent / "data" / f"{name}.csv",
        schema_overrides={"place": pl.String, "county": pl.String, "crosses": pl.String, "group": pl.String},
        infer_schema_length=None,
    )


@cache
def leaves() -> list[str]:
    """Places that have people and firms (the sites of the real plants do not)."""
    return read("leaves")["place"].to_list()


@cache
def carrier(code: str) -> dict[str, Any]:
    """Natural unit, tce (当量) and GJ per natural unit with which the generator converts sizes into quantities."""
    return read("carriers").row(by_predicate=pl.col("carrier") == code, named=True)


def random(part: str, seed: int = SEED) -> np.random.Generator:
    """Random numbers of one part of the city: changing another part leaves them as they are."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(part.encode())])))


def shares_of_year(shape: Array) -> Array:
    """`shape` ([..., 36]) scaled so that the months of each year sum to 1; a year of zeros stays zero."""
    years = shape.reshape(*shape.shape[:-1], len(YEARS), 12)
    total = years.sum(axis=-1, keepdims=True)
    return (years / np.where(total > 0, total, 1.0)).reshape(shape.shape)


def thousandths(values: Array) -> Array:
    """Three decimals, as a return has them; sums of such values are rounded again, so balances hold exactly."""
    return np.round(values, 3) + 0.0


UNITS = {"energy.generation": "MWh", "energy.self_generated": "MWh", "material.clinker": "t", "material.carbonate": "t"}


def observations(values: Array, *, dataset: str = CITY, **columns: Any) -> pl.DataFrame:
    """Rows of the OBSERVATION table from `values` ([n, 36], natural units); NaN (not in being) and 0 give no row.

    Each of `columns` is one text for all, or n texts. `unit` comes from the carrier unless given.
    """
    n = len(values)
    flat = values.ravel()
    keep = ~np.isnan(flat) & (flat != 0)
    if "unit" not in columns and columns["item"] not in UNITS:
        found = columns["carrier"]
        columns["unit"] = carrier(found)["unit"] if isinstance(found, str) else [carrier(one)["unit"] for one in found]
    columns.setdefault("unit", UNITS.get(columns["item"]))
    series = [
        pl.Series("value", flat),
        pl.Series("start", MONTHS * n),
        pl.Series("end", ENDS * n),
    ]
    frame = pl.DataFrame(series)
    wide = {name: column for name, column in columns.items() if isinstance(column, list)}
    if wide:
        index = np.repeat(np.arange(n), SIZE)
        frame = pl.concat([frame, pl.DataFrame(wide, schema=dict.fromkeys(wide, pl.String))[index]], how="horizontal")
    narrow = {name: column for name, column in columns.items() if name not in wide}
    frame = frame.with_columns(pl.lit(text, dtype=pl.String).alias(name) for name, text in narrow.items())
    return frame.filter(pl.Series(keep)).with_columns(pl.lit(dataset).alias("dataset"))


def finished(frames: Sequence[pl.DataFrame], domains: dict[str, str]) -> pl.DataFrame:
    """All rows in the OBSERVATION schema and a fixed order, labelled synthetic, known on the 25th of the next month.

    `domains` gives the domain (领域) of each sector where a row states none.
    """
    frame = pl.concat([conform(one, OBSERVATION) for one in frames])
    frame = frame.with_columns(
        pl.lit("synthetic").alias("quality"),
        pl.lit("public").alias("custody"),
        pl.lit(SOURCE).alias("source"),
        pl.lit(False).alias("cumulative"),
        pl.coalesce("known_at", pl.col("end").dt.offset_by("24d")).alias("known_at"),
        pl.coalesce("domain", pl.col("sector").replace_strict(domains, default=None)).alias("domain"),
    )
    order = ["dataset", "item", "place", "sector", "entity", "carrier", "process", "counterparty", "start", "end"]
    frame = frame.sort(order, nulls_last=False, maintain_order=True)
    return frame.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("dataset").alias("row"))
