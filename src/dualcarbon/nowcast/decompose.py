"""Why a sum of products changed: the additive logarithmic mean Divisia index (LMDI-I), exact, with zeros.

Sources: Ang, *Energy Policy* 33 (2005) 867–871; zeros by their analytical limits, Ang and Liu, *Energy Policy* 35
(2007) 238–246.
"""

from collections.abc import Sequence

import numpy as np

from dualcarbon.nowcast.denton import Array


def logarithmic_mean(a: Array, b: Array) -> Array:
    """(a − b) / ln(a / b), elementwise for non-negative values; a where both are equal, 0 where one is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    high, low = np.maximum(a, b), np.minimum(a, b)
    with np.errstate(all="ignore"):
        share = np.where(high > 0, (high - low) / high, 0.0)
        small = share < 1e-4
        near = high * (1 - share / 2 - share**2 / 12)
        mean = np.where(small, near, (high - low) / (np.log(high) - np.log(low)))
    return np.asarray(np.where(low <= 0, 0.0, mean))


def effects(before: Sequence[Array] | Array, after: Sequence[Array] | Array) -> Array:
    """Effect of each factor on each cell's change: (F, …) for `before` and `after` (F, …), whose product is the value.

    The effects of a cell sum to its change exactly. A cell that appears or vanishes is the effect of the factors that
    were or became zero, in equal parts (the limit of small values). Raises ValueError for negative or missing factors.
    """
    old, new = np.asarray(before, float), np.asarray(after, float)
    if old.shape != new.shape or not (np.isfinite(old).all() and np.isfinite(new).all()):
        raise ValueError("factors must be given for both times and finite")
    if (old < 0).any() or (new < 0).any():
        raise ValueError("factors must not be negative")
    start, end = old.prod(0), new.prod(0)
    weight = logarithmic_mean(end, start)
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = weight * np.log(new / old)
    turned = (old == 0) != (new == 0)
    count = turned.sum(0)
    born = np.where(turned, (end - start) / np.maximum(count, 1), 0.0)
    made = np.where((start > 0) & (end > 0), smooth, born)
    made = np.where((start <= 0) & (end <= 0), 0.0, made)
    error = (end - start) - made.sum(0)
    largest = np.abs(made).argmax(0)
    np.put_along_axis(made, largest[None], np.take_along_axis(made, largest[None], 0) + error, 0)
    return np.asarray(made)
