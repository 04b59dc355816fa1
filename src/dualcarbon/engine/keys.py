"""Keys: number the distinct combinations of some columns, so that whatever is looked up or summed goes by a number."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
WIDEST = 1 << 62  # of a code before it is made dense


def numbered(frame: pl.DataFrame, columns: Sequence[str]) -> tuple[Numbers, pl.DataFrame]:
    """The number of each row's key, and the distinct keys, whose row is their number. Nulls are equal to each other.

    The order of the keys means nothing. Without columns all rows have one key, 0.
    """
    code, size = np.zeros(frame.height, np.int64), 1
    for name in columns:
        own, count = _coded(_physical(frame[name]))
        if size * count > WIDEST:
            code, size = dense(code)
        code, size = own if size == 1 else code * count + own, size * count
    code, size = dense(code)
    first = np.empty(size, np.int64)
    first[code[::-1]] = np.arange(frame.height)[::-1]
    keys = [frame[name][first] for name in columns]
    return code, pl.DataFrame(keys) if keys else pl.DataFrame(height=size)


def dense(codes: Numbers) -> tuple[Numbers, int]:
    """Non-negative codes as 0 … n - 1 without gaps, in the same order; and n."""
    if not len(codes):
        return codes, 0
    span = int(codes.max()) + 1
    if span > 4 * len(codes) + 1000:
        distinct, number = np.unique(codes, return_inverse=True)
        return number, len(distinct)
    present = np.zeros(span, np.bool_)
    present[codes] = True
    if present.all():
        return codes, span
    number_of = np.cumsum(present, dtype=np.int32) - 1
    return number_of[codes].astype(np.int64), int(number_of[-1]) + 1


def _physical(values: pl.Series) -> pl.Series:
    """The column as whole numbers: equal where the values are equal."""
    if values.dtype == pl.String:
        return values.cast(pl.Categorical(pl.Categories.random())).to_physical()
    if values.dtype in (pl.Categorical, pl.Enum, pl.Date):
        return values.to_physical()
    return values if values.dtype.is_integer() else values.rank("dense")


def _coded(values: pl.Series) -> tuple[Numbers, int]:
    """Codes of one column from 0 on, null the last of them, and how many there are."""
    if not values.null_count():
        codes = values.to_numpy().astype(np.int64)
        return dense(codes - codes.min() if len(codes) else codes)
    if values.null_count() == len(values):
        return np.zeros(len(values), np.int64), 1
    codes, count = _coded(values.fill_null(strategy="min"))
    return np.where(values.is_null().to_numpy(), count, codes), count + 1


def summed(codes: Numbers, values: Floats) -> tuple[Numbers, Floats]:
    """The distinct codes and the sum of the values of each, in any order."""
    if not len(codes):
        return codes, values
    span = int(codes.max()) + 1
    if span <= 4 * len(codes) + 1000:
        found = np.flatnonzero(np.bincount(codes)).astype(np.int64)
        return found, np.asarray(np.bincount(codes, values)[found], np.float64)
    ordered = np.sort(codes.astype(np.int32) if span < 1 << 31 else codes)
    if (ordered[1:] != ordered[:-1]).all():  # nothing to sum
        return codes, values
    order = np.argsort(codes)
    codes = codes[order]
    firsts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return codes[firsts], np.asarray(np.add.reduceat(values[order], firsts), np.float64)
