"""Make estimates add up to known totals: raking, or non-negative weighted least squares.

`groups` (K, N) holds 1 where a cell belongs to a total. Official totals are hard: the result meets them exactly. Cells
belong to as many totals as there are (county, sector, city, month). Sources: Deming and Stephan (1940) for raking;
Wickramasuriya, Turlach and Hyndman (2020) for non-negative least squares.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from dualcarbon.nowcast.denton import Array


class Irreconcilable(ValueError):
    """Totals that no non-negative cells can meet; `totals` are their row numbers in `groups`."""

    def __init__(self, totals: list[int], message: str) -> None:
        super().__init__(message)
        self.totals = totals


class Reconciled(NamedTuple):
    """Cells (N, T), how far each was moved as a share of itself (N, T), and the rounds it took."""

    cells: Array
    moved: Array
    rounds: int


def rake(
    cells: Array, groups: Any, totals: Array, *, slack: Array | None = None, tolerance: float = 1e-10, rounds: int = 500
) -> Reconciled:
    """Multiply non-negative `cells` (N,) or (N, T) until they meet `totals` (K,) or (K, T); NaN totals are not known.

    `groups` (K, N) may be sparse. With `slack` (K,) a total is met anywhere within so much of it. Zero cells stay zero.
    Raises Irreconcilable when a positive total has no positive cell or the totals contradict each other.
    """
    start, x, known, one, member = _prepared(cells, groups, totals)
    if (x < 0).any():
        raise ValueError("raking needs non-negative cells")
    first = member @ x
    hopeless = known & (one > 0) & (first <= 0)
    if hopeless.any():
        raise Irreconcilable(sorted(set(np.nonzero(hopeless)[0].tolist())), "a positive total has only cells of zero")
    rows = np.split(member.indices, member.indptr[1:-1])
    room = np.zeros((len(one), 1)) if slack is None else np.asarray(slack, float).reshape(-1, 1)
    limit = room + tolerance * np.maximum(np.abs(one), 1e-12)
    before = np.full_like(one, np.nan)
    for number in range(1, rounds + 1):
        for k, mine in enumerate(rows):
            have = x[mine].sum(0)
            wanted = np.clip(have, one[k] - room[k], one[k] + room[k])
            with np.errstate(invalid="ignore", divide="ignore"):
                x[mine] *= np.where(known[k] & (have > 0), wanted / have, 1.0)
        gap = np.where(known, np.abs(member @ x - one), 0.0)
        if (gap <= limit).all():
            return _finished(start, x, cells, number)
        if np.allclose(gap, before, rtol=1e-12, atol=0.0):
            break
        before = gap
    raise Irreconcilable(np.nonzero((gap > limit).any(1))[0].tolist(), "the totals contradict each other")


def smooth(series: Array, spans: Sequence[tuple[int, int]], totals: Sequence[float]) -> Array:
    """Ratios w (T,) that bring a `series` to its `totals` over `spans` [first, end) with the least Σ (w_t − w_{t−1})².

    This is Denton–Cholette for totals of any length, also overlapping ones; months of no span keep 1, and months that
    no span joins are moved apart. Totals that contradict each other are met as nearly as may be. A run of months whose
    ratios would not all be positive is left to raking and keeps 1.
    """
    made = np.ones(len(series))
    covered = np.zeros(len(series) + 1, bool)
    for first, end in spans:
        covered[first:end] = True
    edges = np.nonzero(np.diff(covered.astype(int), prepend=0))[0]
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        mine = [k for k, (first, end) in enumerate(spans) if a <= first and end <= b and series[first:end].sum() > 0]
        weights = np.zeros((len(mine), b - a))
        for row, k in enumerate(mine):
            first, end = spans[k]
            weights[row, first - a : end - a] = series[first:end] / series[first:end].sum()
        wanted = np.array([totals[k] / series[slice(*spans[k])].sum() for k in mine])
        if mine:
            ratio = _smoothest(weights, wanted)
            made[a:b] = ratio if (ratio > 0).all() else 1.0
    return made


def _smoothest(weights: Array, wanted: Array) -> Array:
    """The smoothest w (M,) with `weights` (K, M) · w = `wanted` (K,)."""
    count, months = weights.shape
    step = np.diff(np.eye(months), axis=0)
    system = np.zeros((months + count, months + count))
    system[:months, :months] = step.T @ step
    system[:months, months:], system[months:, :months] = weights.T, weights
    right = np.concatenate([np.zeros(months), wanted])
    apart = (weights > 0).sum(0).max(initial=0) <= 1
    solved = np.linalg.solve(system, right) if apart else np.linalg.lstsq(system, right, rcond=None)[0]
    return np.asarray(solved[:months])


def least_squares(
    cells: Array, groups: Array, totals: Array, variances: Array, *, tolerance: float = 1e-9, rounds: int = 200
) -> Reconciled:
    """The non-negative cells nearest to `cells` in Σ (x − cell)² / variance that meet `totals`.

    Solved in the dual by a semi-smooth Newton method with step halving: x = max(0, cell + v·Aᵀλ). Shapes as in `rake`;
    `variances` like `cells`. Raises Irreconcilable when no non-negative cells meet the totals.
    """
    start, x0, known, one, member = _prepared(cells, groups, totals)
    v = np.broadcast_to(np.asarray(variances, float).reshape(len(x0), -1), x0.shape)
    if (v < 0).any() or not np.isfinite(v).all():
        raise ValueError("variances must be finite and not negative")
    out = np.empty_like(x0)
    longest = 0
    for t in range(x0.shape[1]):
        keep = np.nonzero(known[:, t])[0]
        a = member[keep]
        out[:, t], used, bad = _newton(x0[:, t], a, one[keep, t], v[:, t], tolerance, rounds)
        longest = max(longest, used)
        if bad.size:
            raise Irreconcilable(keep[bad].tolist(), "no non-negative cells meet the totals")
    return _finished(start, out, cells, longest)


def _newton(
    x0: Array, a: sparse.csr_array, b: Array, v: Array, tolerance: float, rounds: int
) -> tuple[Array, int, np.ndarray]:
    """Maximise the concave dual bᵀλ − ½ Σ max(0, x0 + v·Aᵀλ)² / v; cells of variance 0 stay."""
    dual = np.zeros(len(b))
    fixed = v <= 0
    safe = np.where(fixed, 1.0, v)
    limit = tolerance * np.maximum(np.abs(b), tolerance)

    def at(point: Array) -> tuple[Array, float]:
        moved = np.where(fixed, np.maximum(x0, 0), np.maximum(x0 + v * (a.T @ point), 0))
        energy = np.where(fixed, moved * (a.T @ point), 0.5 * moved**2 / safe)
        return moved, float(energy.sum() - b @ point)

    x, value = at(dual)
    for number in range(1, rounds + 1):
        gap = b - a @ x
        if (np.abs(gap) <= limit).all():
            return x, number, np.empty(0, int)
        active = sparse.diags_array(np.where(~fixed & (x > 0), v, 0.0))
        hessian = (a @ active @ a.T).toarray()
        size = np.trace(hessian) / max(len(b), 1)
        step = np.linalg.lstsq(hessian + 1e-12 * (size or 1.0) * np.eye(len(b)), gap, rcond=None)[0]
        length = 1.0
        for _ in range(60):
            tried, energy = at(dual + length * step)
            if energy <= value - 1e-4 * length * float(gap @ step) or length < 1e-12:
                break
            length /= 2
        dual, x, value = dual + length * step, tried, energy
    return x, rounds, np.nonzero(np.abs(b - a @ x) > limit)[0]


def _prepared(cells: Array, groups: Any, totals: Array) -> tuple[Array, Array, np.ndarray, Array, sparse.csr_array]:
    start = np.asarray(cells, float).reshape(len(cells), -1)
    one = np.asarray(totals, float).reshape(len(totals), -1)
    member = sparse.csr_array(groups, dtype=float)
    if member.shape != (one.shape[0], start.shape[0]) or one.shape[1] != start.shape[1]:
        raise ValueError("groups must be (totals, cells)")
    if not np.isfinite(start).all():
        raise ValueError("cells must be finite")
    known = np.isfinite(one)
    if (one[known] < 0).any():
        raise Irreconcilable(sorted(set(np.nonzero(known & (one < 0))[0].tolist())), "a total is negative")
    return start, start.copy(), known, np.where(known, one, 0.0), member


def _finished(start: Array, x: Array, cells: Array, rounds: int) -> Reconciled:
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.where(start != 0, x / start - 1, np.where(x == 0, 0.0, np.inf))
    shape = np.shape(cells)
    return Reconciled(x.reshape(shape), moved.reshape(shape), rounds)
