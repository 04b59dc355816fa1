"""Monthly rows of a calculation -> arrays of cells (place, sector, domain) × months."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.nowcast.denton import Array

#: A cell whose rows stay away for longer than this no longer has that energy, rather than being late.
SILENT = 12


def parted(values: Array, joint: pl.DataFrame, cells: list[Any], months: list[date], power: Array, column: str) -> None:
    """Put reports of January–February as one into the two months of `values` (N, T): by the cell's electricity, where
    both months of it were seen, else by days. They are added to what was reported by month.
    """
    row = {cell: k for k, cell in enumerate(cells)}
    place = {month: k for k, month in enumerate(months)}
    for *cell, start, value in joint.select("area", "sector", "domain", "start", column).iter_rows():
        k, t = row[tuple(cell)], place[start]
        if t + 1 >= len(months):
            continue
        shares = power[k, t : t + 2]
        if not (np.isfinite(shares).all() and shares.sum() > 0):
            shares = np.array([31.0, (months[t + 1].replace(month=3) - months[t + 1]).days])
        values[k, t : t + 2] = np.nan_to_num(values[k, t : t + 2]) + value * shares / shares.sum()


def zeros(frames: list[pl.DataFrame]) -> list[tuple[str, str, str]]:
    """Cells that reported for a year or longer, and nothing but zero."""
    keys = ["area", "sector", "domain"]
    whole = pl.concat([frame.select(*keys, "start", "quantity") for frame in frames])
    by = whole.group_by(keys).agg(pl.col("quantity").abs().max(), pl.col("start").n_unique().alias("n"))
    return sorted(by.filter((pl.col("quantity") == 0) & (pl.col("n") >= SILENT)).select(keys).rows())


def spread(frame: pl.DataFrame, cells: list[Any], months: list[date], column: str) -> Array:
    """A `column` of monthly rows by cell and month (N, T): NaN where a month was not seen, 0 where the cell has been
    silent for longer than `SILENT` months or had not begun."""
    out = np.full((len(cells), len(months)), np.nan)
    keys = ["area", "sector", "domain"]
    rows = pl.DataFrame(cells, schema=dict.fromkeys(keys, pl.String), orient="row").with_row_index("row")
    when = pl.DataFrame({"start": months}, schema={"start": pl.Date}).with_row_index("when")
    found = frame.select(*keys, pl.col("start").cast(pl.Date), pl.col(column).alias("value"))
    found = found.join(rows, on=keys).join(when, on="start")
    out[found["row"].to_numpy(), found["when"].to_numpy()] = found["value"].to_numpy()
    seen = np.isfinite(out)
    last = int(np.nonzero(seen.any(0))[0].max(initial=0))
    for t in range(len(months)):
        known = min(max(t, SILENT - 1), last)  # nobody is silent before a year, nor after the last that spoke
        quiet = ~seen[:, max(known - SILENT, 0) : known + 1].any(1)
        out[quiet, t] = 0.0
    return out
