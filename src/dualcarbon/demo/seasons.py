"""The months of a Chinese factory city: a festival that moves, a hot summer, overhauls, plants that follow the load."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from dualcarbon.demo.tables import ENDS, MONTHS, SIZE, WEATHER, YEARS, Array, read

#: First day of the lunar year.
SPRING_FESTIVAL = {2022: date(2022, 2, 1), 2023: date(2023, 1, 22), 2024: date(2024, 2, 10)}

DAYS = np.array([(end - start).days for start, end in zip(MONTHS, ENDS, strict=True)], dtype=float)

#: How much of the year's cooling and heating falls in each month of an ordinary year; `data/weather.csv` says how far
#: each month was from it. Weather is judgement: hot summers in 2022 and 2024, a mild one between.
COOLING = np.array([0, 0, 0, 0, 0.10, 0.45, 1.0, 0.97, 0.42, 0.05, 0, 0])
HEATING = np.array([1.0, 0.85, 0.40, 0.10, 0, 0, 0, 0, 0, 0.05, 0.35, 0.85])
#: Degree days (°C·d) of an ordinary July above 26 °C, and of an ordinary January below 18 °C: judgement.
COOLING_DAYS, HEATING_DAYS = 130.0, 400.0


def cooling() -> Array:
    """Need for cooling by month ([36], 1 = July of an ordinary summer)."""
    return np.tile(COOLING, len(YEARS)) * weather("cooling")


def heating() -> Array:
    """Need for heating by month ([36], 1 = an ordinary January)."""
    return np.tile(HEATING, len(YEARS)) * weather("heating")


def degree_days(place: str) -> pl.DataFrame:
    """Rows of the cooling and heating degree days of `place`, known on the fifth of the next month."""
    items = {"weather.cooling_degree_days": COOLING_DAYS * cooling(),
             "weather.heating_degree_days": HEATING_DAYS * heating()}  # fmt: skip
    return pl.concat(
        pl.DataFrame({"start": MONTHS, "end": ENDS, "value": np.round(days, 1)}).with_columns(
            pl.lit(item).alias("item"),
            pl.lit("degree_day").alias("unit"),
            pl.lit(place).alias("place"),
            pl.lit(WEATHER).alias("dataset"),
            pl.col("end").dt.offset_by("4d").alias("known_at"),
        )
        for item, days in items.items()
    )


def weather(name: str) -> Array:
    """Each month beside an ordinary one of its name ([36]): `cooling`, `heating` or `sun`."""
    return read("weather")[name].to_numpy().astype(float)


def festival_share() -> Array:
    """Part of a year's festival stop that falls in each month ([36]; each year sums to 1).

    Work runs down from nine days before the lunar new year, stands still for ten days and comes back until the
    fifteenth day (元宵).
    """
    weight = np.zeros(SIZE)
    for day in SPRING_FESTIVAL.values():
        for offset in range(-9, 16):
            depth = (offset + 10) / 8 if offset < -2 else 1.0 if offset <= 7 else (16 - offset) / 9
            at = day + timedelta(days=offset)
            weight[12 * (at.year - YEARS[0]) + at.month - 1] += depth
    years = weight.reshape(len(YEARS), 12)
    return (years / years.sum(axis=1, keepdims=True)).ravel()


def working_days(lost: Array) -> Array:
    """Effective working days by month ([n, 36]) when the festival costs `lost` days ([n]); holidays in May, October."""
    holiday = np.zeros(SIZE)
    holiday[4::12], holiday[9::12] = 0.06, 0.10
    return np.maximum(DAYS - lost[:, None] * (festival_share() + holiday), 0.5)


def activity(behaviours: list[str], rng: np.random.Generator) -> dict[str, Array]:
    """Monthly shapes of firms ([n, 36] each) by the behaviour of their line: `output`, `power`, `steam`, `fuel`.

    A part `standby` of the heat keeps boilers and furnaces warm, whatever the lines do. Overhauls fall in spring or
    autumn, once in `overhaul_cycle` years; photovoltaic cell makers cut production in the price trough from the fourth
    quarter of 2023.
    """
    table = read("behaviours")
    index = [table["behaviour"].to_list().index(one) for one in behaviours]
    column = {name: table[name].to_numpy()[index].astype(float) for name in table.columns[1:]}
    n = len(behaviours)
    month = np.arange(SIZE) % 12
    days = working_days(column["festival"] * rng.uniform(0.85, 1.15, n))
    lost = overhauls(column["overhaul_low"], column["overhaul_high"], column["overhaul_cycle"], rng)
    days -= lost
    season = (
        1
        + column["spring"][:, None] * np.isin(month, (2, 3, 4))
        + column["autumn"][:, None] * np.isin(month, (8, 9, 10))
    )
    wander = np.cumsum(rng.normal(0, 1, (n, SIZE)), axis=1) * 0.15 + rng.normal(0, 1, (n, SIZE))
    work = np.maximum(days, 0.0) * season * np.exp(column["noise"][:, None] * np.clip(wander, -3, 3))
    trough = np.ones(SIZE)
    trough[21:24], trough[24:30], trough[30:36] = 0.93, 0.97, 0.88
    work *= np.where(np.array(behaviours)[:, None] == "battery", trough, 1.0)
    standby = column["standby"][:, None]
    hot = (1 - standby) * work + standby * np.maximum(DAYS - lost, 0.0)
    return {
        "output": work,
        "power": work * (1 + column["cooling"][:, None] * cooling()),
        "steam": hot * (1 + column["heating"][:, None] * heating()),
        "fuel": hot * (1 + 0.3 * column["heating"][:, None] * heating()),
    }


def overhauls(low: Array, high: Array, cycle: Array, rng: np.random.Generator) -> Array:
    """Days lost to overhauls ([n, 36]); a stop of over 30 days runs on into the next month."""
    n = len(low)
    first, length = rng.integers(0, 3, n), rng.uniform(low, np.maximum(high, low + 1e-9))
    begin = rng.choice([2, 3, 4, 8, 9], n)
    lost = np.zeros((n, SIZE))
    for year in range(len(YEARS)):
        due = (cycle > 0) & ((first + year) % np.maximum(cycle, 1) == 0)
        at = 12 * year + begin
        lost[np.arange(n), at] += np.where(due, np.minimum(length, 26), 0)
        lost[np.arange(n), at + 1] += np.where(due, np.maximum(length - 26, 0), 0)
    return lost


def profile(name: str) -> Array:
    """Monthly shape ([36]) of a use outside industry or of a plant, from `data/profiles.csv`."""
    row = read("profiles").row(by_predicate=pl.col("profile") == name, named=True)
    shape = np.tile(np.array([float(row[str(month)]) for month in range(1, 13)]), len(YEARS))
    summer = 1 + row["cooling"] * (cooling() - np.tile(COOLING, len(YEARS)))
    winter = 1 + row["heating"] * (heating() - np.tile(HEATING, len(YEARS)))
    sun = 1 + row["sun"] * (weather("sun") - 1)
    return shape * summer * winter * sun * (DAYS - row["festival"] * festival_share())
