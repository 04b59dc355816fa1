"""Pooled ridge regression of annual growth on the growth of indicators, with slopes of sectors shrunk to the pool.

The penalty is chosen by leaving out one year at a time, because errors of one year are alike everywhere; with fewer
than three years, by leaving out cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dualcarbon.nowcast.shape import Array

PENALTIES = np.logspace(-1, 5, 31)
#: Growth beyond this (natural logarithm, a year) trains nothing: a change of scope, not of activity.
LARGEST = 0.7


@dataclass(frozen=True)
class Bridge:
    """What `fit` found: centre and scale of the features, slopes of the pool and by group, level."""

    centre: Array
    scale: Array
    slopes: Array
    level: float
    penalty: float
    groups: dict[str, Array]

    def predict(self, features: Array, groups: Sequence[str] | None = None) -> Array:
        """Expected growth (n,) for `features` (n, p); features are held within four scales of their centre."""
        z = np.clip((features - self.centre) / self.scale, -4, 4)
        made = self.level + z @ self.slopes
        if groups is not None and self.groups:
            own = np.stack([self.groups.get(group, np.zeros(len(self.slopes))) for group in groups])
            made = made + (z * own).sum(1)
        return np.asarray(np.clip(made, -LARGEST, LARGEST))


def fit(features: Array, growth: Array, years: np.ndarray, groups: Sequence[str] | None = None) -> Bridge | None:
    """Fit to `features` (n, p), `growth` (n,) and `years` (n,); None with fewer than eight usable rows.

    `groups` (n,) adds slopes of each group, estimated from what the pool leaves and shrunk to none; they are kept only
    where they lower the error of left-out years.
    """
    fine = np.isfinite(growth) & np.isfinite(features).all(1) & (np.abs(growth) <= LARGEST)
    if fine.sum() < 8:
        return None
    x, y, when = features[fine], growth[fine], years[fine]
    centre, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z = np.clip((x - centre) / scale, -4, 4)
    folds = when if len(np.unique(when)) >= 3 else np.arange(len(y)) % 5
    level = float(y.mean())
    errors = _left_out(z, y - level, folds, PENALTIES)
    penalty = float(PENALTIES[int(np.argmin(errors))])
    slopes = _solve(z, y - level, penalty)
    own: dict[str, Array] = {}
    if groups is not None:
        labels = np.asarray(groups, dtype=object)[fine]
        own = _group_slopes(z, y - level - z @ slopes, folds, labels)
    return Bridge(centre, scale, slopes, level, penalty, own)


def _solve(z: Array, y: Array, penalty: float) -> Array:
    return np.asarray(np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ y))


def _left_out(z: Array, y: Array, folds: np.ndarray, penalties: Array) -> Array:
    """Sum of squared errors of each left-out fold for each penalty."""
    gram, right = z.T @ z, z.T @ y
    errors = np.zeros(len(penalties))
    for fold in np.unique(folds):
        out = folds == fold
        values, vectors = np.linalg.eigh(gram - z[out].T @ z[out])
        turned = vectors.T @ (right - z[out].T @ y[out])
        slopes = vectors @ (turned[:, None] / (np.maximum(values, 0)[:, None] + penalties))
        errors += ((y[out][:, None] - z[out] @ slopes) ** 2).sum(0)
    return errors


def _group_slopes(z: Array, rest: Array, folds: np.ndarray, labels: np.ndarray) -> dict[str, Array]:
    names = [name for name in np.unique(labels) if (labels == name).sum() >= 8]
    if len(names) < 2:
        return {}
    errors, base = np.zeros(len(PENALTIES)), 0.0
    for name in names:
        mine = labels == name
        errors += _left_out(z[mine], rest[mine], folds[mine], PENALTIES)
        base += float((rest[mine] ** 2).sum())
    best = int(np.argmin(errors))
    if errors[best] >= base * 0.995:
        return {}
    return {str(name): _solve(z[labels == name], rest[labels == name], float(PENALTIES[best])) for name in names}
