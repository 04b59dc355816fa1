"""Annual totals of files spread over months by an indicator, and months over days by a load.

Denton–Cholette is the default. Chow-Lin, Fernandez and Litterman learn coefficients between years, poor guides to
seasons: each series they make is tested for plausibility and falls back to Denton–Cholette where it fails.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import files, shape
from dualcarbon.nowcast.disaggregate import GRIDS, disaggregate, implausible

METHODS = ("denton", *GRIDS)


def spread(
    totals: str | Path, indicator: str | Path, *, method: str = "denton", daily: str | Path | None = None
) -> dict[str, Any]:
    """Months (and days, by the file `daily`) of the annual `totals`, place by place (and sector, where both have them).

    Returns {method, unit, rows: [{place, sector, period, value}], series: [{place, sector, method, plausible, rho}]}.
    Months after the last total are extrapolated. Raises Refused for unreadable files, an unknown method, no common
    place, years without months, or fewer years than a regression needs.
    """
    if method not in METHODS:
        raise Refused(Problem("nowcast.unknown-shape", value=method, params={"known": "、".join(METHODS)}))
    known, seen = files.read(Path(totals)), files.read(Path(indicator))
    if known.annual.is_empty():
        raise Refused(Problem("nowcast.no-annual-truth", Path(totals).name))
    keys = ["place", "sector"] if set(known.annual["sector"]) & set(seen.monthly["sector"]) else ["place"]
    names = known.annual.select(keys).unique().join(seen.monthly.select(keys).unique(), on=keys).sort(keys)
    if names.is_empty():
        raise Refused(Problem("nowcast.nothing-to-spread"))
    whole = seen.monthly.group_by("year").agg(pl.col("month").n_unique()).filter(pl.col("month") == 12)
    years = sorted(set(known.annual["year"]) & set(whole["year"]))
    span = [y for y in years if all(z in years for z in range(y, years[-1] + 1))] if years else []
    if not span:
        raise Refused(Problem("nowcast.nothing-to-spread"))
    if method != "denton" and len(span) < 3:
        raise Refused(Problem("nowcast.too-few-years", value=str(len(span))))
    last = max(year for year in seen.monthly["year"] if year >= span[-1])
    months = [(year, month) for year in range(span[0], last + 1) for month in range(1, 13)]
    x = _matrix(seen.monthly, names, keys, months)
    ends = np.nonzero(np.isfinite(x).any(0))[0].max() + 1
    x, months = x[:, : max(ends, 12 * len(span))], months[: max(ends, 12 * len(span))]
    y = _matrix(known.annual.with_columns(month=pl.lit(1)), names, keys, [(year, 1) for year in span])
    made = shape.denton_cholette(y, x)
    used, rho = np.full(len(names), "denton", dtype=object), np.full(len(names), np.nan)
    bad = np.zeros(len(names), bool)
    if method != "denton":
        physical = shape.usable(x)
        found = disaggregate(y, physical[:, :, None], method)
        bad = implausible(found.monthly, physical)
        made = np.where(bad[:, None], made, found.monthly)
        used, rho = np.where(bad, "denton", method), found.rho
    names_ = names.to_dicts()
    series = [
        {**name, "method": str(used[k]), "plausible": not bool(bad[k]),
         "rho": float(rho[k]) if np.isfinite(rho[k]) else None}
        for k, name in enumerate(names_)
    ]  # fmt: skip
    result: dict[str, Any] = {"method": method, "unit": known.annual["unit"][0], "series": series}
    if daily is not None:
        return {**result, "rows": _days(Path(daily), names, keys, months, made)}
    rows = [
        {**name, "period": f"{year}-{month:02d}", "value": float(made[k, t])}
        for k, name in enumerate(names_)
        for t, (year, month) in enumerate(months)
    ]
    return {**result, "rows": rows}


def _matrix(frame: pl.DataFrame, names: pl.DataFrame, keys: list[str], when: list[tuple[int, int]]) -> shape.Array:
    """Values (N, T) by place (and sector) and month; NaN where there is none."""
    out = np.full((len(names), len(when)), np.nan)
    row = {key: k for k, key in enumerate(names.select(keys).iter_rows())}
    column = {key: t for t, key in enumerate(when)}
    sums = frame.group_by(*keys, "year", "month").agg(pl.col("value").sum())
    for *key, year, month, value in sums.select(*keys, "year", "month", "value").iter_rows():
        if tuple(key) in row and (year, month) in column:
            out[row[tuple(key)], column[year, month]] = value
    return out


def _days(
    path: Path, names: pl.DataFrame, keys: list[str], months: list[tuple[int, int]], made: shape.Array
) -> list[dict[str, Any]]:
    """Days of the months for which the load has any day."""
    load = files.days(path)
    here = {(day.year, day.month) for day in load["day"]}
    chosen = [t for t, month in enumerate(months) if month in here]
    if not chosen:
        raise Refused(Problem("nowcast.no-daily-load", path.name))
    first = [date(*months[t], 1) for t in chosen]
    days: list[date] = []
    for start in first:
        after = date(start.year + start.month // 12, start.month % 12 + 1, 1)
        days += [start + timedelta(k) for k in range((after - start).days)]
    number = {start: n for n, start in enumerate(first)}
    month_of_day = np.array([number[day.replace(day=1)] for day in days])
    x = np.full((len(names), len(days)), np.nan)
    row = {key: k for k, key in enumerate(names.select(keys).iter_rows())}
    place = {day: t for t, day in enumerate(days)}
    for *key, day, value in load.group_by(*keys, "day").agg(pl.col("value").sum()).iter_rows():
        if tuple(key) in row and day in place:
            x[row[tuple(key)], place[day]] = value
    weekday = np.array([day.weekday() for day in days])
    values = shape.daily(made[:, chosen], x, month_of_day, weekday)
    return [
        {**name, "period": day.isoformat(), "value": float(values[k, t])}
        for k, name in enumerate(names.to_dicts())
        for t, day in enumerate(days)
    ]
