"""A small world with known laws: CO2 of places from the fuels they burn, electricity that follows it, and a trend."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

YEARS = range(2014, 2024)
SEASON = 1 + 0.3 * np.cos(np.arange(12) / 6 * np.pi)


def make(places: int = 12, seed: int = 0, noise: float = 0.01) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Monthly electricity (two sectors) and gas of `places`, and annual CO2 that they explain but for `noise`."""
    rng = np.random.default_rng(seed)
    rows, truth = [], []
    for k in range(places):
        level, gas = rng.lognormal(4, 0.5), rng.lognormal(2, 0.5)
        for year in YEARS:
            level *= np.exp(rng.normal(0.01, 0.06))
            gas *= np.exp(rng.normal(0.0, 0.08))
            for month in range(1, 13):
                period = f"{year}-{month:02d}"
                for sector, share in (("industry", 0.7), ("services", 0.3)):
                    value = 1000 * level * share * SEASON[month - 1] * rng.lognormal(0, 0.01)
                    rows.append((f"P{k:02d}", sector, "electricity", "energy.consumption", period, value, "MWh"))
                value = gas * SEASON[month - 1] * rng.lognormal(0, 0.01)
                rows.append((f"P{k:02d}", "industry", "natural_gas", "energy.consumption", period, value, "wan_m3"))
            co2 = (12 * gas * 21.62 + 60 * level) * rng.lognormal(0, noise)
            truth.append((f"P{k:02d}", "emission.co2", str(year), co2, "tCO2"))
    names = ["place", "sector", "carrier", "item", "period", "value", "unit"]
    return (
        pl.DataFrame(rows, schema=names, orient="row"),
        pl.DataFrame(truth, schema=["place", "item", "period", "value", "unit"], orient="row"),
    )


def write(
    folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame, **options: float
) -> tuple[Path, Path]:
    """The two files of `make`, the monthly one after `change`."""
    monthly, annual = make(**options)  # type: ignore[arg-type]
    change(monthly).write_csv(folder / "monthly.csv")
    annual.write_csv(folder / "annual.csv")
    return folder / "monthly.csv", folder / "annual.csv"
