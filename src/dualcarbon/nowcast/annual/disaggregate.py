"""Regression-based temporal disaggregation of many annual series at once: Chow-Lin, Fernandez, Litterman.

Sources: Chow and Lin (1971), Fernandez (1981), Litterman (1983). All series share the calendar, so the covariance
algebra is done once for each autocorrelation ρ; only regressions of Y points remain for each series. Coefficients
learnt between years are poor guides to seasons: `implausible` says where the result should not be used, and
Denton–Cholette on a physical indicator (`denton.denton_cholette`) is the default of this room.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dualcarbon.nowcast.denton import Array

#: Candidate autocorrelations of the monthly errors.
GRIDS: dict[str, tuple[float, ...]] = {
    "chow-lin": tuple(np.linspace(0.0, 0.99, 34)),
    "fernandez": (0.0,),
    "litterman": tuple(np.linspace(0.0, 0.9, 19)),
}


class Disaggregation(NamedTuple):
    """Monthly estimates (N, T), the chosen ρ (N,) and the coefficients (N, k)."""

    monthly: Array
    rho: Array
    coefficients: Array


def disaggregate(
    totals: Array,
    indicators: Array,
    method: str = "chow-lin",
    *,
    constant: bool | None = None,
    rho: float | None = None,
    periods: int = 12,
) -> Disaggregation:
    """Estimate the months behind annual `totals` (N, Y) from `indicators` (N, T, k) with T ≥ Y·periods.

    `constant` adds an intercept (default: for Chow-Lin only); `rho` fixes the autocorrelation, else the likelihood
    chooses it from `GRIDS`. Months beyond the last total are extrapolated. Raises ValueError for an unknown method, or
    when there are fewer years than coefficients.
    """
    if method not in GRIDS:
        raise ValueError(f"unknown method {method}: {', '.join(GRIDS)}")
    y, x = np.atleast_2d(np.asarray(totals, float)), np.asarray(indicators, float)
    count, years = y.shape
    months = x.shape[1]
    if constant if constant is not None else method == "chow-lin":
        x = np.concatenate([np.ones((count, months, 1)), x], 2)
    width = x.shape[2]
    if years < width:
        raise ValueError(f"{years} years cannot determine {width} coefficients")
    scale = np.abs(x).mean(1, keepdims=True)
    x = x / np.where(scale > 0, scale, 1.0)
    annual = x[:, : years * periods].reshape(count, years, periods, width).sum(2)
    best = np.full(count, -np.inf)
    chosen, slopes = np.zeros(count, int), np.zeros((count, width))
    grid = GRIDS[method] if rho is None else (rho,)
    gains = []
    columns = np.ascontiguousarray(annual.transpose(1, 0, 2)).reshape(years, count * width)
    for number, candidate in enumerate(grid):
        whiten, logdet, gain = _covariance(method, float(candidate), years, months, periods)
        gains.append(gain)
        xt = (whiten @ columns).reshape(years, count, width)
        yt = whiten @ y.T
        normal = np.einsum("ank,anl->nkl", xt, xt)
        normal += _jitter(normal)
        slope = np.linalg.solve(normal, np.einsum("ank,an->nk", xt, yt)[:, :, None])[:, :, 0]
        rest = yt - np.einsum("ank,nk->an", xt, slope)
        likelihood = -0.5 * years * np.log((rest * rest).mean(0) + 1e-300) - 0.5 * logdet
        better = likelihood > best
        best[better], chosen[better], slopes[better] = likelihood[better], number, slope[better]
    rest = y - np.einsum("nak,nk->na", annual, slopes)
    monthly = np.einsum("ntk,nk->nt", x, slopes)
    for number in np.unique(chosen):
        mine = chosen == number
        monthly[mine] += rest[mine] @ gains[number].T
    return Disaggregation(monthly, np.asarray(grid, float)[chosen], slopes / np.where(scale > 0, scale, 1.0)[:, 0])


def _jitter(normal: Array) -> Array:
    """A relative 1e-13 of the trace: an indicator of zeros gets the coefficient 0 instead of no answer."""
    width = normal.shape[1]
    trace = np.trace(normal, axis1=1, axis2=2) / width
    return np.asarray((1e-13 * trace + 1e-300)[:, None, None] * np.eye(width))


@cache
def _covariance(method: str, rho: float, years: int, months: int, periods: int) -> tuple[Array, float, Array]:
    """Whitening matrix of the annual errors, log-determinant of their covariance, and gain from years to months."""
    step = np.arange(months)
    if method == "chow-lin":
        monthly = rho ** np.abs(step[:, None] - step[None, :]) / (1 - rho**2)
    else:
        inverse = np.tril(np.ones((months, months)))
        if rho:
            decay = np.where(step[:, None] >= step[None, :], rho ** np.maximum(step[:, None] - step[None, :], 0), 0.0)
            inverse = inverse @ decay
        monthly = inverse @ inverse.T
    cross = monthly[:, : years * periods].reshape(months, years, periods).sum(2)
    annual = cross[: years * periods].reshape(years, periods, years).sum(1)
    root = np.linalg.cholesky(annual)
    whiten = np.linalg.inv(root)
    return whiten, float(2 * np.log(np.diag(root)).sum()), cross @ np.linalg.inv(annual)


def implausible(monthly: Array, indicator: Array, periods: int = 12) -> NDArray[np.bool_]:
    """Series (N,) whose months should not be used, against the physical `indicator` (N, T) they stand for.

    True where a month is negative or missing, or where the seasonal swing (highest less lowest mean month, over their
    mean) is more than twice that of the indicator plus a tenth.
    """
    months = monthly.shape[1] // periods * periods
    z = monthly[:, :months].reshape(len(monthly), -1, periods).mean(1)
    x = indicator[:, :months].reshape(len(indicator), -1, periods).mean(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        swing, physical = (np.ptp(z, 1) / np.abs(z.mean(1)), np.ptp(x, 1) / np.abs(x.mean(1)))
        bad = ~(swing <= 2 * np.nan_to_num(physical) + 0.1)
    return np.asarray(bad | ~np.isfinite(monthly).all(1) | (monthly < 0).any(1))
