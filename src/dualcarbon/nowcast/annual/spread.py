"""Annual totals of files spread over months by an indicator, and months over days by a load.

Denton–Cholette is the default. Chow-Lin, Fernandez and Litterman learn coefficients between years, poor guides to
seasons: each series they make is tested for plausibility and falls back to Denton–Cholette where it fails, and that to
the indicator's own proportions where totals change so steeply that months would be negative.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import denton
from dualcarbon.nowcast.annual import files
from dualcarbon.nowcast.annual.disaggregate import GRIDS, disaggregate, implausible

METHODS = ("denton", *GRIDS)


def shape(
    totals: str | Path, indicator: str | Path, *, method: str = "denton", daily: str | Path | None = None
) -> dict[str, Any]:
    """Months (and days, by the file `daily`) of the annual `totals`, place by place (and sector, where both have them).

    Returns {method, unit, rows: [{place, sector, period, value}], series: [{place, sector, method, plausible, rho,
    years, left_out}]}. Each series is spread over its latest `years` without a gap; totals before a gap are `left_out`.
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
    y, x, start = _arrays(known.annual, seen.monthly, names, keys, sorted(whole["year"]))
    made = np.full_like(x, np.nan)
    series: list[dict[str, Any]] = [{} for _ in range(names.height)]
    runs = _runs(y)
    if not runs:
        raise Refused(Problem("nowcast.nothing-to-spread"))
    if method != "denton" and max(last - first + 1 for first, last in runs) < 3:
        raise Refused(Problem("nowcast.too-few-years", value=str(max(last - first + 1 for first, last in runs))))
    for (first, last), mine in runs.items():
        end = int(np.nonzero(np.isfinite(x[mine]).any(0))[0].max(initial=-1)) + 1
        months = slice(12 * first, max(end, 12 * (last + 1)))
        made[mine, months], used = _series(y[mine, first : last + 1], x[mine, months], method)
        out = [[start + k for k in np.nonzero(np.isfinite(row[:first]))[0].tolist()] for row in y[mine]]
        for number, one, left in zip(mine.tolist(), used, out, strict=True):
            series[number] = {**names.row(number, named=True), **one, "years": [start + first, start + last],
                              "left_out": left}  # fmt: skip
    result: dict[str, Any] = {
        "method": method,
        "unit": known.annual["unit"][0],
        "series": [one for one in series if one],
    }
    when = [(start + t // 12, t % 12 + 1) for t in range(x.shape[1])]
    if daily is not None:
        return {**result, "rows": _days(Path(daily), names, keys, when, made)}
    rows = [
        {**name, "period": f"{year}-{month:02d}", "value": float(made[k, t])}
        for k, name in enumerate(names.to_dicts())
        for t, (year, month) in enumerate(when)
        if np.isfinite(made[k, t])
    ]
    return {**result, "rows": rows}


def _arrays(
    annual: pl.DataFrame, monthly: pl.DataFrame, names: pl.DataFrame, keys: list[str], whole: list[int]
) -> tuple[denton.Array, denton.Array, int]:
    """Totals (N, Y) of the years that have all months of some indicator, indicator (N, T), and the first year."""
    years = sorted(set(annual["year"]) & set(whole))
    if not years:
        raise Refused(Problem("nowcast.nothing-to-spread"))
    first, last = years[0], max(year for year in monthly["year"] if year >= years[0])
    when = [(year, month) for year in range(first, last + 1) for month in range(1, 13)]
    x = _matrix(monthly, names, keys, when)
    known = annual.filter(pl.col("year").is_in(years)).with_columns(month=pl.lit(1))
    return _matrix(known, names, keys, [(year, 1) for year in range(first, years[-1] + 1)]), x, first


def _runs(totals: denton.Array) -> dict[tuple[int, int], np.ndarray]:
    """Rows of `totals` (N, Y) by first and last year of their latest run without a gap; others are in none."""
    found: dict[tuple[int, int], list[int]] = {}
    for number, row in enumerate(np.isfinite(totals)):
        if row.any():
            last = int(np.nonzero(row)[0].max())
            gaps = np.nonzero(~row[:last])[0]
            found.setdefault((int(gaps.max(initial=-1)) + 1, last), []).append(number)
    return {run: np.array(mine) for run, mine in found.items()}


def _series(y: denton.Array, x: denton.Array, method: str) -> tuple[denton.Array, list[dict[str, Any]]]:
    """Months (N, T) of totals (N, Y) by indicators (N, T), and what was used for each series."""
    made = denton.denton_cholette(y, x)
    used, rho = np.full(len(y), "denton", dtype=object), np.full(len(y), np.nan)
    wanted = np.full(len(y), method == "denton")
    if method != "denton" and y.shape[1] >= 3:
        physical = denton.usable(x)
        found = disaggregate(y, physical[:, :, None], method)
        wanted = ~implausible(found.monthly, physical)
        made = np.where(wanted[:, None], found.monthly, made)
        used, rho = np.where(wanted, method, "denton"), found.rho
    below = np.asarray((made < 0).any(1) & (y >= 0).all(1))
    made = np.where(below[:, None], denton.pro_rata(y, x), made)
    used = np.where(below, "pro_rata", used)
    return made, [
        {"method": str(one), "plausible": bool(fine and not low), "rho": float(r) if np.isfinite(r) else None}
        for one, fine, low, r in zip(used, wanted, below, rho, strict=True)
    ]


def _matrix(frame: pl.DataFrame, names: pl.DataFrame, keys: list[str], when: list[tuple[int, int]]) -> denton.Array:
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
    path: Path, names: pl.DataFrame, keys: list[str], months: list[tuple[int, int]], made: denton.Array
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
    values = denton.daily(made[:, chosen], x, month_of_day, weekday)
    return [
        {**name, "period": day.isoformat(), "value": float(values[k, t])}
        for k, name in enumerate(names.to_dicts())
        for t, day in enumerate(days)
    ]
