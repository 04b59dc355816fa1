"""The standing of many indicators at once: a nation of counties in one pass over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dualcarbon.plan.paths import Path
from dualcarbon.plan.progress import limits

Floats = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


def standings(
    paths: Sequence[Path],
    reports: Sequence[Sequence[float | None]] | Floats,
    month: int,
    *,
    lower: Sequence[bool] | Flags | None = None,
    confirmed: Sequence[bool] | Flags | None = None,
) -> dict[str, Any]:
    """Return how n indicators stand at the end of `month` (1 to 12), as arrays of n.

    `paths`: one for each indicator (the same object may serve many); `reports`: n × 12, None or NaN where nothing was
    reported; `lower`: whether small is good; `confirmed`: whether the lead department confirmed it. Columns: `state`
    (text), `reported` (month, NaN without one), `actual`, `met`, `settled` (met for good), `forecast`, `low`, `high`
    (90 % prediction interval), `pace`, `needed` (both per month); NaN where not known.

    Flows and stocks: each stretch between reports gains θ·w, w its share of the path, with variance σ²·w; what
    remains, W, is forecast θ·W with variance σ²(W + W²/S), S the share behind (weighted least squares through the
    origin, Student's t). Levels: a random walk with drift; changes: one without.

    `no_data` is also said of what was reported but says nothing: in December for a figure of an earlier month that is
    not met for good, later in the year of a last report that is older than `limits()["silence"]` months and would be
    on pace, and of a figure whose path is not known (a stock without its opening value).
    """
    n = len(paths)
    told = np.array(reports, dtype=float).reshape(n, 12)
    told[:, month:] = np.nan
    kinds = np.array([path.kind for path in paths])
    target = np.array([path.target for path in paths], dtype=float)
    opening = np.array([np.nan if path.opening is None else path.opening for path in paths], dtype=float)
    expected, shares = _laid(paths, "expected"), _laid(paths, "shares")
    sums = np.isin(kinds, ("flow", "cumulative", "milestones"))
    start = np.where(np.isin(kinds, ("flow", "milestones")), 0.0, opening)
    low_good = np.zeros(n, bool) if lower is None else np.asarray(lower, dtype=bool)
    sure = np.zeros(n, bool) if confirmed is None else np.asarray(confirmed, dtype=bool)

    known = ~np.isnan(told)
    some = known.any(axis=1)
    last = np.where(some, 11 - np.argmax(known[:, ::-1], axis=1), 0)
    rows = np.arange(n)
    actual = told[rows, last]
    due = expected[rows, last]
    slack = 1e-9 * np.maximum(1.0, np.abs(target))
    met = np.where(low_good, actual <= target + slack, actual >= target - slack) & some
    settled = met & ((last == 11) | (sums & ~low_good))

    forecast, low, high = _forecasts(kinds, told, shares, start)
    with np.errstate(invalid="ignore", divide="ignore"):
        pace = np.where(sums, (actual - start) / (last + 1), np.nan)
        ahead = (target - actual) / (12 - month) if month < 12 else np.full(n, np.nan)
    needed = np.where(sums & ~np.isnan(start), np.where(settled & (month < 12), 0.0, ahead), np.nan)

    held = (kinds == "change") | ((kinds == "level") & np.isnan(opening))
    base = np.where(np.isin(kinds, ("cumulative", "level")), np.nan_to_num(opening), 0.0)
    way = np.abs(np.where(held, due, due - base))
    short = np.where(low_good, actual - due, due - actual)
    best = np.where(low_good, low, high)
    reach = np.where(low_good, best <= target + slack, best >= target - slack)
    will = np.where(low_good, forecast <= target + slack, forecast >= target - slack)
    unknown = np.isnan(due)
    stale = (month == 12) | (month - 1 - last > limits()["silence"])
    state = np.select(
        [
            ~some,
            settled & sure,
            settled,
            last == 11,
            np.full(n, month == 12),
            unknown & np.isnan(forecast),
            stale & (unknown | (short <= (1 - limits()["on_pace"]) * way + 1e-12)) & (~unknown | will),
            ~unknown & (short <= (1 - limits()["on_pace"]) * way + 1e-12),
            unknown & will,
            ~np.isnan(best) & reach,
            ~np.isnan(best),
            unknown,
            short > (1 - limits()["at_risk"]) * way,
        ],
        [
            "no_data",
            "done",
            "on_pace",
            "at_risk",
            "no_data",
            "no_data",
            "no_data",
            "on_pace",
            "on_pace",
            "behind",
            "at_risk",
            "behind",
            "at_risk",
        ],
        "behind",
    )
    return {
        "state": state,
        "reported": np.where(some, last + 1.0, np.nan),
        "actual": actual,
        "met": met,
        "settled": settled,
        "forecast": forecast,
        "low": low,
        "high": high,
        "pace": pace,
        "needed": np.where(some, needed, np.nan),
    }


def _laid(paths: Sequence[Path], name: str) -> Floats:
    """Return a column of the paths as n × 12, each path laid out once however many indicators it serves."""
    place = {key: i for i, key in enumerate(dict.fromkeys(id(path) for path in paths))}
    each = {id(path): path for path in paths}
    table = np.array([[np.nan if v is None else v for v in getattr(each[key], name)] for key in place], dtype=float)
    return table.reshape(-1, 12)[[place[id(path)] for path in paths]]


def _forecasts(kinds: Any, told: Floats, shares: Floats, start: Floats) -> tuple[Floats, Floats, Floats]:
    """Return year-end forecasts and their 90 % intervals, NaN where too little is known.

    `at` is where a report stands on the year's way: its share for flows and stocks, its month for levels and changes.
    """
    n = len(kinds)
    sums = np.isin(kinds, ("flow", "cumulative"))
    at = np.where(sums[:, None], shares, np.arange(1.0, 13.0))
    known = ~np.isnan(told) & ~np.isnan(at)
    place = np.where(sums, 0.0, np.nan)  # of the report before; a walk begins with its first report
    value = np.where(sums, start, np.nan)
    first, first_place = value.copy(), place.copy()
    count, squares, gained, length = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    falls = np.zeros(n, bool)
    for m in range(12):
        here = known[:, m]
        begins = here & np.isnan(value) & ~sums
        first, first_place = np.where(begins, told[:, m], first), np.where(begins, at[:, m], first_place)
        step, gain = at[:, m] - place, told[:, m] - value
        real = here & (step > 1e-12) & ~np.isnan(gain)
        with np.errstate(invalid="ignore", divide="ignore"):
            squares += np.where(real, gain * gain / step, 0.0)
        count += real
        gained += np.where(real, gain, 0.0)
        length += np.where(real, step, 0.0)
        falls |= real & (gain < 0)
        place, value = np.where(here, at[:, m], place), np.where(here, told[:, m], value)
    whole = np.where(sums, 1.0, 12.0)
    rest = whole - place
    done = place - first_place
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(kinds == "change", 0.0, (value - first) / done)
        rate = np.where((kinds == "level") & ~(done > 0), 0.0, rate)
        forecast = value + rate * rest
        free = count - (kinds != "change")
        variance = np.maximum(squares - 2 * rate * gained + rate * rate * length, 0.0) / free
        drift = np.where(kinds == "change", 0.0, rest * rest / done)
        half = _student(free, count >= 3) * np.sqrt(variance * (rest + drift))
    over = rest <= 1e-12
    forecast = np.where(over, value, forecast)
    half = np.where(over, 0.0, np.where(count >= 3, half, np.nan))
    nothing = (kinds == "milestones") | ~known.any(axis=1) | np.isnan(value) | (sums & ~(done > 0))
    forecast, half = (np.where(nothing, np.nan, one) for one in (forecast, half))
    low = forecast - half
    stays = sums & ~falls  # what was built does not go away
    low = np.where(stays & ~np.isnan(low), np.maximum(low, value), low)
    return forecast, low, forecast + half


# The 95 % points of Student's t for 1 to 12 degrees of freedom, for two-sided 90 % intervals.
STUDENT = (
    6.313751514675037,
    2.9199855803537242,
    2.3533634348018233,
    2.1318467863266495,
    2.0150483733330233,
    1.9431802805153042,
    1.8945786050900062,
    1.8595480375308973,
    1.833112932656237,
    1.8124611228116756,
    1.7958848187040433,
    1.782287555649319,
)


def _student(free: Floats, wanted: Flags) -> Floats:
    points = np.array((np.nan, *STUDENT))
    return points[np.where(wanted, np.clip(free, 1, 12), 0).astype(int)]
