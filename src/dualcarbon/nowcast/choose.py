"""Which method each cell shows: the one whose past errors are smallest, learnt mostly from all cells together."""

from collections.abc import Mapping

import numpy as np

from dualcarbon.nowcast.denton import Array

#: Fewer scored years than this are no record: each was forecast by a bridge of fewer than three years.
RECORD = 4
#: What is shown without a record, where it could be trained on three years or more.
DEFAULT = "ridge"


def choose(errors: Mapping[str, Array], available: list[str]) -> tuple[np.ndarray, dict[str, float]]:
    """Number in `available` of each cell's method (N,), and each method's past error against the last value's.

    `errors`: log errors (N, K) of past years by method; years count alike, whatever their size. The default is shown
    where it beats the last value and no other method beats it by more than the standard error between years; else the
    best of all cells together. A cell's own record, shrunk to that of all by empirical Bayes (scatter between cells
    against that between years), must prefer another by more than its standard error. Without a record of `RECORD` years
    the default is shown, or the last value with fewer than three.
    """
    start = np.full(len(next(iter(errors.values()), [])), available.index("last_value"))
    base = np.abs(errors["last_value"]) if "last_value" in errors else np.zeros((0, 0))
    usable = [name for name in available if name in errors and errors[name].shape == base.shape]
    yearly = _mean(base, 0)
    fine = np.isfinite(yearly) & (yearly > 0)
    if not fine.any():
        return start, {}
    relative = {name: np.abs(errors[name][:, fine]) / yearly[fine] for name in usable}
    pool = {name: float(np.mean(_mean(rows, 0))) for name, rows in relative.items()}
    usable = [name for name in usable if np.isfinite(pool[name])]
    if fine.sum() < RECORD:
        ready = fine.sum() == RECORD - 1 and DEFAULT in usable
        return np.full(len(base), available.index(DEFAULT)) if ready else start, pool
    leader = min(usable, key=lambda name: (pool[name], usable.index(name)))
    if pool.get(DEFAULT, 1.0) < 1.0:
        behind = _mean(relative[DEFAULT], 0) - _mean(relative[leader], 0)
        if np.mean(behind) <= np.std(behind, ddof=1) / np.sqrt(len(behind)):
            leader = DEFAULT
    best, chosen = np.zeros(len(base)), np.full(len(base), available.index(leader))
    for name in usable:
        if name == leader:
            continue
        behind, error = shrunk(relative[name] - relative[leader])
        behind = behind + error
        better = behind < best - 1e-12
        best = np.where(better, behind, best)
        chosen = np.where(better, available.index(name), chosen)
    return chosen, pool


def shrunk(values: Array) -> tuple[Array, Array]:
    """Means of the rows of `values` (N, K), each shrunk to the mean of all as far as its scatter is chance, and their
    standard errors (N,).
    """
    known = np.isfinite(values)
    number = known.sum(1)
    mean = np.where(number > 0, np.where(known, values, 0).sum(1) / np.maximum(number, 1), 0.0)
    some = number > 0
    whole = float(mean[some].mean()) if some.any() else 0.0
    freedom = int((number[some] - 1).sum())
    if freedom <= 0 or some.sum() < 3:
        return np.full(len(values), whole), np.zeros(len(values))
    within = float(np.where(known, (values - mean[:, None]) ** 2, 0).sum() / freedom)
    between = float(mean[some].var(ddof=1)) - within * float(np.mean(1 / number[some]))
    if between <= 0:
        return np.full(len(values), whole), np.zeros(len(values))
    weight = number / (number + within / between)
    return whole + weight * (mean - whole), np.sqrt(between * (1 - weight))


def _mean(values: Array, axis: int) -> Array:
    known = np.isfinite(values)
    with np.errstate(all="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis) / known.sum(axis))


def picked(values: Mapping[str, Array], available: list[str], chosen: np.ndarray) -> Array:
    """Each cell's row of its chosen method, from (N,) or (N, K) arrays by method."""
    stacked = np.stack([values[name] for name in available])
    return np.asarray(stacked[chosen, np.arange(stacked.shape[1])])
