"""What an account says beyond its sum: who pulled it, key categories, uncertainty by row, control totals.

The functions on frames know nothing of storage; those on `data` (a workspace or a dataframe) take the arguments of
`accounts.account`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.inventory import trace
from dualcarbon.inventory.accounts import account, outline
from dualcarbon.inventory.question import query

KEY_SHARE = 0.95


def pull_points(frame: pl.DataFrame, value: str = "value", previous: str = "previous") -> pl.DataFrame:
    """Add `change` and `pull_points` (拉动点数): the change of each row in per cent of the previous total.

    The points of all rows sum to the growth of the total in per cent. A row that is missing on one side counts nothing
    there; a previous total of 0 or none gives null.
    """
    before = frame[previous].sum() if frame[previous].count() else None
    change = pl.when(pl.col(value).is_not_null() | pl.col(previous).is_not_null()).then(
        pl.col(value).fill_null(0.0) - pl.col(previous).fill_null(0.0)
    )
    points = 100 * pl.col("change") / before if before else pl.lit(None, pl.Float64)
    return frame.with_columns(change.alias("change")).with_columns(points.alias("pull_points"))


def key_rows(frame: pl.DataFrame, value: str = "value", share: float = KEY_SHARE) -> pl.DataFrame:
    """Level assessment: rows from the largest |value| down, with `level` (its share of the sum of |values|),
    `cumulative` and `key`.

    A row is key while the rows before it hold less than `share`. IPCC 2006 Guidelines, volume 1, chapter 4, equation
    4.1 and table 4.2.
    """
    size = np.abs(frame[value].to_numpy())
    order = np.argsort(-size, kind="stable")[: frame.height - frame[value].null_count()]
    with np.errstate(invalid="ignore"):  # where all are 0 nobody has a share
        level = size[order] / size[order].sum()
    cumulative = np.cumsum(level)
    key = cumulative - level < share - 1e-12
    return frame[order].hstack(
        [
            pl.Series("level", level, nan_to_null=True),
            pl.Series("cumulative", cumulative, nan_to_null=True),
            pl.Series("key", key, dtype=pl.Boolean),
        ]
    )


def key_rows_with_uncertainty(
    frame: pl.DataFrame, value: str = "value", half: str = "half", share: float = KEY_SHARE
) -> pl.DataFrame:
    """The same by contribution to uncertainty: level × relative half-width of the 95 % interval, cumulative to 1.

    Rows without a known uncertainty stand last and are never key. IPCC 2006 Guidelines, volume 1, chapter 4,
    equation 4.4 (approach 2, level).
    """
    whole = frame[value].abs().sum()
    weight = pl.col(half).abs() / whole if whole else pl.lit(None, pl.Float64)
    ordered = frame.filter(pl.col(value).is_not_null()).with_columns(weight.alias("level"))
    ordered = ordered.sort("level", descending=True, nulls_last=True, maintain_order=True)
    total = ordered["level"].sum()
    part = pl.col("level") / total if total else pl.lit(None, pl.Float64)
    ordered = ordered.with_columns(part.alias("contribution")).with_columns(
        pl.col("contribution").cum_sum().alias("cumulative")
    )
    key = pl.col("cumulative") - pl.col("contribution") < share - 1e-12
    return ordered.with_columns(key.fill_null(False).alias("key"))


def key_categories(
    data: Any,
    *,
    by: Sequence[str] = ("sector", "carrier"),
    approach: str = "level",
    share: float = KEY_SHARE,
    **asked: Any,
) -> list[dict[str, Any]]:
    """Key categories of an account, from the largest down: rows with `level`, `cumulative`, `key`, ranked from 1.

    `approach`: ``level`` (approach 1) or ``uncertainty`` (approach 2).
    """
    if approach not in ("level", "uncertainty"):
        raise Refused(Problem("inventory.unknown-dimension", value=approach, params={"known": "level, uncertainty"}))
    return ranked(outline(data, by=by, **asked)["rows"], by, approach, share)


def ranked(
    rows: Sequence[dict[str, Any]], by: Sequence[str], approach: str = "level", share: float = KEY_SHARE
) -> list[dict[str, Any]]:
    """Rows of an account as key categories."""
    halves = [_half(row) for row in rows]
    numbers = {"row": range(len(rows)), "value": [row["value"] for row in rows], "half": halves}
    frame = pl.DataFrame(numbers, schema={"row": pl.Int64, "value": pl.Float64, "half": pl.Float64})
    found = key_rows(frame, share=share) if approach == "level" else key_rows_with_uncertainty(frame, share=share)
    told, added = (*by, "name", "value", "low", "high"), found.columns[3:]
    return [
        {"rank": rank, **{name: rows[n][name] for name in told}, "half": half, "status": rows[n]["status"]}
        | dict(zip(added, more, strict=True))
        for rank, (n, _value, half, *more) in enumerate(found.rows(), 1)
    ]


def _half(row: Mapping[str, Any]) -> float | None:
    """Half the width of a row's interval (None where nobody knows it)."""
    return (row["high"] - row["low"]) / 2 if row["low"] is not None and row["high"] is not None else None


def uncertainty(data: Any, *, by: Sequence[str] = ("part", "carrier"), **asked: Any) -> dict[str, Any]:
    """Table of uncertainties: each row's and the total's 95 % half-width in per cent, from shared factors upwards.

    Columns follow IPCC 2006 Guidelines, volume 1, chapter 3, table 3.2, as far as they are known here: base and current
    emission, combined uncertainty, contribution to the variance, change since the year before. Contributions of rows
    that share factors do not sum to 1: `shared` is what their correlation adds.
    """
    return uncertainties(outline(data, by=by, **asked), by)


def uncertainties(found: dict[str, Any], by: Sequence[str]) -> dict[str, Any]:
    """The table of uncertainties of an account in outline."""
    total = found["value"]
    rows = []
    for row in found["rows"]:
        half = _half(row)
        contribution = None if half is None or not total else (half / total) ** 2
        rows.append(
            {
                **{name: row[name] for name in (*by, "name", "previous", "value", "low", "high", "status", "complete")},
                "unit": found["unit"],
                "uncertainty_percent": 100 * half / abs(row["value"]) if half is not None and row["value"] else None,
                "variance_contribution": contribution,
                "change": row["change"],
            }
        )
    half = _half(found)
    variance = None if half is None or not total else (half / total) ** 2
    alone = sum(row["variance_contribution"] or 0.0 for row in rows)
    return {
        **{
            key: found[key]
            for key in ("place", "place_name", "period", "tree", "basis", "title", "value", "low", "high")
        },
        "unit": found["unit"],
        "uncertainty": found["uncertainty"],
        "uncertainty_percent": 100 * half / abs(total) if half is not None and total else None,
        "variance": variance,
        "shared": None if variance is None else variance - alone,
        "without_uncertainty": sum(row["uncertainty_percent"] is None and bool(row["value"]) for row in rows),
        "rows": rows,
    }


def controls(data: Any, **asked: Any) -> list[dict[str, Any]]:
    """Published totals of the place and period beside our own sums, with the visible difference."""
    found = query(data, compare=False, **asked)
    value = account(data, by=(), **asked)["value"]
    return trace.controls(found.snapshot, found.place, found.boundary, found.period, found.account.basis, value)
