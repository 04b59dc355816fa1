"""Monthly shape of annual totals: proportional Denton–Cholette benchmarking, for many series at once.

Source: Dagum and Cholette, *Benchmarking, Temporal Distribution, and Reconciliation Methods for Time Series* (2006),
chapter 6 (first differences of the proportional correction, no condition on the first period).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def denton_cholette(totals: Array, indicator: Array, periods: int = 12) -> Array:
    """Spread annual `totals` (N, Y) over the months of `indicator` (N, T), T ≥ Y·periods; returns (N, T).

    The ratio w of result to indicator moves as little as possible: Σ (w_t − w_{t−1})² is least while the months of each
    year sum to its total. Months after the last total keep its last ratio. The random-walk covariance min(t, s) makes
    the normal equations of one series Y × Y and semi-separable, so the cost is linear in N·T.

    A year whose indicator is nowhere positive takes the mean months of the series' other years; a series without any
    is spread evenly. A missing or negative month of the indicator counts as the mean of the series' months of that name
    (of all its months, if there is none). Missing totals make their whole series NaN. Totals that fall steeply can make
    months negative: `pro_rata` does not.
    """
    totals, indicator = np.atleast_2d(np.asarray(totals, float)), np.atleast_2d(np.asarray(indicator, float))
    count, years = totals.shape
    inside = years * periods
    if indicator.shape[0] != count or indicator.shape[1] < inside or years == 0:
        raise ValueError("indicator must have one row per series and at least all months of the totals")
    x = usable(indicator, periods)
    blocks = x[:, :inside].reshape(count, years, periods)
    empty = blocks.sum(2) <= 0
    if empty.any():
        rest = np.where(empty[:, :, None], 0.0, blocks).sum(1) / np.maximum((~empty).sum(1), 1)[:, None]
        rest = np.where(rest.sum(1, keepdims=True) > 0, rest, 1.0)
        blocks = np.where(empty[:, :, None], rest[:, None], blocks)
        x = np.concatenate([blocks.reshape(count, inside), x[:, inside:]], 1)
    scale = blocks.mean((1, 2), keepdims=True)
    blocks = blocks / scale
    time = np.arange(1.0, inside + 1).reshape(years, periods)
    sums = blocks.sum(2)
    moments = (blocks * time).sum(2)
    after = sums[:, :, None] - np.cumsum(blocks, 2)
    own = (blocks * (np.cumsum(blocks * time, 2) + time * after)).sum(2)
    system = np.zeros((count, years + 1, years + 1))
    upper = moments[:, :, None] * sums[:, None, :]
    mask = np.triu(np.ones((years, years), bool), 1)
    system[:, :years, :years] = np.where(mask, upper, 0.0)
    system[:, :years, :years] += np.swapaxes(system[:, :years, :years], 1, 2)
    index = np.arange(years)
    system[:, index, index] = own
    system[:, :years, years] = system[:, years, :years] = sums
    right = np.concatenate([totals / scale[:, :, 0], np.zeros((count, 1))], 1)
    solution = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    pull = (blocks * solution[:, :years, None]).reshape(count, inside)
    flat = time.reshape(-1)
    before = np.cumsum(pull * flat, 1)
    later = pull.sum(1, keepdims=True) - np.cumsum(pull, 1)
    ratio = solution[:, years:] + before + flat * later
    ratio = np.concatenate([ratio, np.repeat(ratio[:, -1:], x.shape[1] - inside, 1)], 1)
    return np.asarray(ratio * x, float)


def pro_rata(totals: Array, indicator: Array, periods: int = 12) -> Array:
    """Spread annual `totals` (N, Y) over the months of `indicator` (N, T) in its own proportions, year by year.

    Steps between years are not smoothed and nothing becomes negative. Months after the last total keep its last ratio;
    a year whose indicator is nowhere positive is spread evenly. Returns (N, T).
    """
    x = usable(np.atleast_2d(np.asarray(indicator, float)), periods)
    count, years = np.atleast_2d(totals).shape
    blocks = x[:, : years * periods].reshape(count, years, periods)
    blocks = np.where(blocks.sum(2, keepdims=True) > 0, blocks, 1.0)
    ratio = np.atleast_2d(totals) / blocks.sum(2)
    inside = (blocks * ratio[:, :, None]).reshape(count, years * periods)
    return np.concatenate([inside, x[:, years * periods :] * ratio[:, -1:]], 1)


def usable(indicator: Array, periods: int = 12) -> Array:
    """`indicator` (N, T) with missing and negative months replaced by the mean of the months of the same name."""
    x = np.asarray(indicator, float)
    bad = ~np.isfinite(x) | (x < 0)
    if not bad.any():
        return x
    x = np.where(bad, np.nan, x)
    out = x.copy()
    with np.errstate(invalid="ignore"):
        good = np.isfinite(x)
        overall = np.where(good, x, 0).sum(1) / np.maximum(good.sum(1), 1)
        for month in range(periods):
            part, there = x[:, month::periods], good[:, month::periods]
            mean = np.where(there.any(1), np.where(there, part, 0).sum(1) / np.maximum(there.sum(1), 1), overall)
            out[:, month::periods] = np.where(there, part, mean[:, None])
    return out


def daily(months: Array, load: Array, month_of_day: NDArray[np.int64], weekday: NDArray[np.int64]) -> Array:
    """Spread `months` (N, M) over their days by the daily `load` (N, D); returns (N, D), the days of a month sum to it.

    `month_of_day` (D,) numbers the month of each day, `weekday` (D,) its weekday. A missing or negative day of the load
    counts as the mean of the month's days of that weekday, else of the month; a month without load is even.
    """
    out = np.empty(load.shape)
    for month in range(months.shape[1]):
        mine = month_of_day == month
        x = np.where(np.isfinite(load[:, mine]) & (load[:, mine] >= 0), load[:, mine], np.nan)
        whole = _mean(x)
        for day in range(7):
            same = weekday[mine] == day
            usual = _mean(x[:, same])
            fill = np.where(np.isfinite(usual), usual, whole)
            x[:, same] = np.where(np.isfinite(x[:, same]), x[:, same], fill[:, None])
        total = x.sum(1, keepdims=True)
        even = np.full(x.shape, 1 / max(int(mine.sum()), 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(total > 0, x / total, even)
        out[:, mine] = months[:, month : month + 1] * share
    return out


def _mean(values: Array) -> Array:
    known = np.isfinite(values)
    number = known.sum(1)
    return np.where(number > 0, np.where(known, values, 0).sum(1) / np.maximum(number, 1), np.nan)


def shape_error(estimate: Array, truth: Array) -> float:
    """Mean absolute relative error (%) over the months where both are known and the truth is positive."""
    known = np.isfinite(estimate) & np.isfinite(truth) & (truth > 0)
    return float(100 * np.mean(np.abs(estimate[known] / truth[known] - 1))) if known.any() else float("nan")
