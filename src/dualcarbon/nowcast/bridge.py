"""Pooled ridge regression of annual growth on the growth of indicators, with slopes of sectors shrunk to the pool.

The penalty is chosen by leaving out one year at a time, because errors of one year are alike everywhere; with fewer
than three years, by leaving out a fifth of the cells. Everything is computed from sums of products by year and sector,
so leaving years out costs nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from dualcarbon.nowcast.denton import Array

PENALTIES = np.logspace(-1, 5, 31)
#: Growth beyond this (natural logarithm, a year) trains nothing: a change of scope, not of activity.
LARGEST = 0.7
#: Rows that a pool, and slopes of a sector's own, need at least.
FEWEST = 8
_PARTS = 5


@dataclass(frozen=True)
class Bridge:
    """What was found: centre and scale of the features, slopes of the pool (p,) and by group (g, p), level, and the
    penalties of both."""

    centre: Array
    scale: Array
    slopes: Array
    level: float
    penalty: float
    own: Array | None
    own_penalty: float | None = None

    def predict(self, features: Array, groups: np.ndarray | None = None) -> Array:
        """Expected growth (n,) for `features` (n, p) and group numbers; features are held within four scales."""
        z = np.clip((features - self.centre) / self.scale, -4, 4)
        made = self.level + z @ self.slopes
        if groups is not None and self.own is not None:
            made = made + np.einsum("np,np->n", z, self.own[groups])
        return np.asarray(np.clip(made, -LARGEST, LARGEST))


class Training:
    """Sums of products of `features` (n, p) and `growth` (n,) of each of `years`, and of `groups` (n,) of the cells."""

    def __init__(
        self, features: Sequence[Array], growth: Sequence[Array], years: Sequence[int], groups: np.ndarray | None = None
    ) -> None:
        x, y = np.concatenate(features), np.concatenate(growth)
        when = np.repeat(np.arange(len(years)), [len(rows) for rows in growth])
        row = np.concatenate([np.arange(len(rows)) for rows in growth])
        fine = np.isfinite(y) & np.isfinite(x).all(1) & (np.abs(y) <= LARGEST)
        self.years, self.rows = list(years), int(fine.sum())
        if not self.rows:
            return
        x, y, when, row = x[fine], y[fine], when[fine], row[fine]
        self.centre, scale = x.mean(0), x.std(0)
        self.scale = np.where(scale > 1e-9, scale, 1.0)
        z = np.clip((x - self.centre) / self.scale, -4, 4)
        rows = np.concatenate([z, np.ones((len(z), 1)), y[:, None]], 1)
        self.by_fold = _sums(rows, when * _PARTS + row % _PARTS, len(years) * _PARTS)
        self.by_group: Array | None = None
        if groups is not None and groups.max(initial=0) > 0:
            count = int(groups.max()) + 1
            label = groups[row] * len(years) + when
            self.by_group = _sums(rows, label, count * len(years)).reshape(count, len(years), *self.by_fold.shape[1:])

    def fit(self, without: Collection[int] = (), like: Bridge | None = None) -> Bridge | None:
        """The bridge of every year but those `without`; None with fewer than `FEWEST` rows.

        Slopes of a group's own, estimated from what the pool leaves, are kept only where they lower the error of
        left-out years. With the penalties of a bridge `like` this nothing is chosen again, which costs a tenth.
        """
        keep = np.array([year not in without for year in self.years], bool)
        if not self.rows or not keep.any():
            return None
        parts = self.by_fold.reshape(len(self.years), _PARTS, *self.by_fold.shape[1:])[keep]
        folds = parts.sum(1) if keep.sum() >= 3 else parts.sum(0)
        total = parts.sum((0, 1))
        number = total[-2, -2]
        if number < FEWEST:
            return None
        level = float(total[-2, -1] / number)
        folds = _centred(folds, level)
        penalty = like.penalty if like else float(PENALTIES[int(np.argmin(_left_out(folds[None])[0]))])
        whole = folds.sum(0)
        slopes = _slopes(whole[:-1, :-1], whole[:-1, -1], penalty)
        own, own_penalty = None, None
        if self.by_group is not None and keep.sum() >= 3 and not (like and like.own_penalty is None):
            mine = self.by_group[:, keep]
            few = mine[:, :, -2, -2].sum(1) < FEWEST
            if like:  # the penalty is known: how far the slopes are off is not needed
                own_penalty = like.own_penalty
                gram = mine[..., :-2, :-2]
                sums, right = gram.sum(1), (mine[..., :-2, -1] - level * mine[..., :-2, -2] - gram @ slopes).sum(1)
                sums[few], right[few] = 0, 0
            else:
                rest = _less(_centred(mine, level), slopes)
                rest[few] = 0
                own_penalty = _own_penalty(rest)
                whole = rest.sum(1)
                sums, right = whole[:, :-1, :-1], whole[:, :-1, -1]
            if own_penalty is not None:
                own = _slopes(sums, right, own_penalty)
        return Bridge(self.centre, self.scale, slopes, level, penalty, own, own_penalty)


def _own_penalty(rest: Array) -> float | None:
    """The penalty of groups' own slopes; None where they do not lower the error of left-out years."""
    errors, base = _left_out(rest)
    best = int(np.argmin(errors))
    return float(PENALTIES[best]) if errors[best] < base * 0.995 else None


def _sums(rows: Array, label: np.ndarray, count: int) -> Array:
    """Sum of the outer products of the rows (features, 1, growth) of each label: (count, p + 2, p + 2)."""
    order = np.argsort(label, kind="stable")
    rows, label = rows[order], label[order]
    edges = np.searchsorted(label, np.arange(count + 1))
    out = np.zeros((count, rows.shape[1], rows.shape[1]))
    for k in range(count):
        part = rows[edges[k] : edges[k + 1]]
        if len(part):
            out[k] = part.T @ part
    return out


def _centred(sums: Array, level: float) -> Array:
    """Sums of (features, growth less `level`): (…, p + 1, p + 1)."""
    width = sums.shape[-1] - 2
    out = np.empty((*sums.shape[:-2], width + 1, width + 1))
    out[..., :-1, :-1] = sums[..., :width, :width]
    out[..., :-1, -1] = out[..., -1, :-1] = sums[..., :width, -1] - level * sums[..., :width, -2]
    out[..., -1, -1] = sums[..., -1, -1] - 2 * level * sums[..., -2, -1] + level**2 * sums[..., -2, -2]
    return out


def _less(sums: Array, slopes: Array) -> Array:
    """Sums of (features, growth less what `slopes` expect)."""
    out = sums.copy()
    expected = sums[..., :-1, :-1] @ slopes
    out[..., :-1, -1] = out[..., -1, :-1] = sums[..., :-1, -1] - expected
    out[..., -1, -1] = sums[..., -1, -1] - 2 * sums[..., :-1, -1] @ slopes + expected @ slopes
    return out


def _slopes(gram: Array, right: Array, penalty: float) -> Array:
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(gram.shape[-1]), right[..., None])[..., 0])


def _left_out(sums: Array) -> tuple[Array, float]:
    """Squared error of left-out folds for each penalty, and of no slopes; `sums` (groups, folds, p + 1, p + 1)."""
    rest = sums.sum(1, keepdims=True) - sums
    values, vectors = np.linalg.eigh(rest[..., :-1, :-1])
    turned = np.swapaxes(vectors, -1, -2) @ rest[..., :-1, -1:]
    slopes = vectors @ (turned / (np.maximum(values, 0)[..., None] + PENALTIES))
    fit = (slopes * (sums[..., :-1, :-1] @ slopes)).sum(-2)
    errors = sums[..., -1, -1:] - 2 * (slopes * sums[..., :-1, -1:]).sum(-2) + fit
    return np.asarray(errors.sum((0, 1))), float(sums[..., -1, -1].sum())
