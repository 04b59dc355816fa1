"""Intervals with two parts: what a whole year has in common, and what is each cell's own.

Errors of one year are alike everywhere, so the common part is estimated from few years and takes Student's quantile;
the cell's own part is split-conformal over all cells and years (Vovk et al. 2005), scaled by how much the cell usually
moves and, where its past errors are many, by how large they were.
Both are natural logarithms of truth over estimate. Uncertainty of emission factors is not in here: it is carried by the
engine's results.
"""

import numpy as np
from scipy import stats

from dualcarbon.nowcast.denton import Array

#: Scatter of annual growth of a city's sector where nothing is known yet (243 Chinese cities 2013–2019 move by 10.4 %
#: in the mean, 1.25 times that as a standard deviation of the logarithm). One year's worth of evidence.
UNKNOWN = 0.13
#: Weight of that in years.
WEIGHT = 1.0
#: Years of growth that make a long record.
LONG = 10
#: Periods over which a cell's own scatter is taken.
RECENT = 20
#: Errors that it takes to believe a cell's own record, and a group's, as much as that of all (judgement).
OF_CELL, OF_GROUP = 12, 20
#: An error counts in its cell's record as at most this many times the middle one.
LARGEST = 15.0


def half_widths(errors: Array, usual: Array, history: Array, *, movement: float = 1.0, level: float = 0.9) -> Array:
    """Half-widths (N,) in logarithms for `level` of annual estimates: both of the `parts` together.

    Few errors make a wide shared part. Where the growth of the last value is known for `LONG` years, it is no wider
    than the upper 90 % limit of that growth's own scatter allows: one could have kept to the last value.
    """
    shared, own = parts(errors, usual, history, movement=movement, level=level)
    if len(history) >= LONG:
        squares = float(((history - np.mean(history)) ** 2).sum())
        scatter = np.sqrt(squares / stats.chi2.ppf(0.1, len(history) - 1))
        shared = min(shared, float(stats.norm.ppf(0.5 + level / 2) * scatter) * movement)
    return np.asarray(np.sqrt(shared**2 + own**2))


def parts(
    errors: Array,
    usual: Array,
    history: Array,
    *,
    movement: float = 1.0,
    level: float = 0.9,
    groups: np.ndarray | None = None,
    overlap: int = 1,
) -> tuple[float, Array]:
    """Half-widths in logarithms for `level`: what all cells share, and each cell's own (N,).

    `errors` (N, K): log errors of past years, NaN where not known. `usual` (N,): scatter of each cell's own growth.
    `history` (H,): common growth of past years, the error of the last value, which counts for a year more as far as the
    method has not been better. `movement` ≥ 1 stretches both parts in a year whose indicators move farther together
    than they did; `errors` are then those of years of usual movement (each divided by its own). `groups` (N,) number
    cells alike in kind, where errors are many enough to tell cells and groups apart. `overlap`: over how many periods
    each error has built up; errors fewer apart have some of it in common. In a sum the shared parts add up and the own
    parts add up in quadrature.
    """
    known = np.isfinite(errors)
    live = known.any(0)
    common = np.array([np.median(errors[known[:, q], q]) for q in np.nonzero(live)[0]])
    prior = float(np.mean((history - np.mean(history)) ** 2)) if len(history) >= 3 else UNKNOWN**2
    # Errors k apart have 1 − k / overlap in common, their squares the square of that; so many then count as one.
    alike = 2 * overlap / 3 + 1 / (3 * overlap)
    number, squares = len(common) / alike, float((common**2).sum()) / alike
    prior = min(prior, (squares + WEIGHT * prior) / (number + WEIGHT))
    variance = (squares + WEIGHT * prior) / (number + WEIGHT)
    freedom = number + WEIGHT if len(common) else np.inf
    shared = stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(variance)
    scale = own_scale(usual)
    rest = np.abs(errors[:, live] - common) / scale[:, None]
    if groups is not None:
        recorded = record_scale(rest, groups)
        scale, rest = scale * recorded, rest / recorded[:, None]
    rest = np.sort(rest[np.isfinite(rest)])
    own = 0.0
    if len(errors) >= 3 and len(rest) < 10:
        own = float(stats.norm.ppf(0.5 + level / 2)) * UNKNOWN
    elif len(errors) >= 3:
        own = float(rest[min(int(np.ceil((len(rest) + 1) * level)), len(rest)) - 1])
    return float(shared) * movement, own * scale * movement


def own_scale(usual: Array) -> Array:
    """How much wider than the middle cell each is (N,), half-way to one, between ½ and 2."""
    fine = np.isfinite(usual) & (usual > 0)
    if not fine.any():
        return np.ones(len(usual))
    ratio = np.where(fine, usual / np.median(usual[fine]), 1.0)
    return np.asarray(np.clip(np.sqrt(0.5 + 0.5 * ratio**2), 0.5, 2.0))


def record_scale(rest: Array, groups: np.ndarray) -> Array:
    """How large each cell's own past errors are (N,), 1 for the mean of all.

    `rest` (N, K) are their sizes, NaN where not known. Their mean square in a cell is drawn towards that of its group
    by `OF_CELL` errors, that of a group towards the mean of all by `OF_GROUP`. A cell without errors is as its group.
    """
    known = np.isfinite(rest)
    if not (known.any() and (middle := float(np.median(rest[known]))) > 0):
        return np.ones(len(rest))
    square, number = np.where(known, np.minimum(rest, LARGEST * middle) ** 2, 0.0).sum(1), known.sum(1)
    mean = square.sum() / number.sum()
    of_group = (OF_GROUP * mean + np.bincount(groups, square)) / (OF_GROUP + np.bincount(groups, number))
    return np.asarray(np.sqrt((OF_CELL * of_group[groups] + square) / (OF_CELL + number) / mean))


def scatter(truth: Array, lag: int = 1) -> tuple[Array, Array]:
    """Scatter of each cell's own growth (N,) over its last `RECENT` periods, and the common growth of every period (H,)
    of `truth` (N, Y): what all cells did together is rare enough for the whole history to count.
    """
    with np.errstate(all="ignore"):
        growth = np.log(truth[:, lag:] / truth[:, :-lag])
    growth = np.where(np.isfinite(growth), growth, np.nan)
    growth = growth[:, np.isfinite(growth).any(0)]
    common = np.array([np.median(column[np.isfinite(column)]) for column in growth.T])
    own = (growth - common)[:, -RECENT:]
    known = np.isfinite(own)
    number = known.sum(1)
    spread = np.sqrt(np.where(known, own**2, 0).sum(1) / np.maximum(number, 1))
    return np.where(number >= 2, spread, np.nan), common
