"""Schemas of the tables that every room reads and writes, and the order of evidence.

Dates are half open: `start` is the first day, `end` the day after the last one.
`value` is null exactly when `notation` is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

Schema = Mapping[str, Any]

#: Columns that select a quantity: two rows of one dataset that agree in all of them are the same quantity.
DIMENSIONS: tuple[str, ...] = (
    "place",
    "entity",
    "sector",
    "carrier",
    "item",
    "domain",
    "process",
    "counterparty",
    "counterparty_place",
    "gas",
    "equipment",
    "basis",
)

#: The key of an observation. `cumulative` belongs to it: a month and the sum since January may stand side by side.
KEY: tuple[str, ...] = ("dataset", *DIMENSIONS, "start", "end", "cumulative")

OBSERVATION: dict[str, Any] = {
    "dataset": pl.String,
    "place": pl.String,
    "entity": pl.String,
    "sector": pl.String,
    "carrier": pl.String,
    "item": pl.String,
    "start": pl.Date,
    "end": pl.Date,
    "value": pl.Float64,
    "unit": pl.String,
    "notation": pl.String,
    "included_in": pl.String,
    "quality": pl.String,
    "custody": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "error_group": pl.String,
    "source": pl.String,
    "sheet": pl.String,
    "row": pl.Int64,
    "known_at": pl.Date,
    "domain": pl.String,
    "process": pl.String,
    "counterparty": pl.String,
    "counterparty_place": pl.String,
    "gas": pl.String,
    "equipment": pl.String,
    "basis": pl.String,
    "cumulative": pl.Boolean,
}

RESULT: dict[str, Any] = {
    **OBSERVATION,
    "method": pl.String,
    "version": pl.String,
    "run": pl.String,
    "family": pl.String,
    "scope": pl.String,
    "category": pl.String,
    "uncertainty": pl.String,
    "status": pl.String,
    "complete": pl.Boolean,
}

FACTOR: dict[str, Any] = {
    "parameter": pl.String,
    "family": pl.String,
    "place": pl.String,
    "entity": pl.String,
    "sector": pl.String,
    "carrier": pl.String,
    "gas": pl.String,
    "equipment": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "valid_from": pl.String,
    "valid_to": pl.String,
    "known_at": pl.Date,
    "source": pl.String,
    "clause": pl.String,
    "status": pl.String,
}

ENTITY: dict[str, Any] = {
    "code": pl.String,
    "name": pl.String,
    "place": pl.String,
    "sector": pl.String,
    "legal_entity": pl.String,
    "dispatch": pl.String,
    "kind": pl.String,
    "weight": pl.Float64,
    "from": pl.Date,
    "to": pl.Date,
    "source": pl.String,
    "status": pl.String,
}

#: From the best evidence to the weakest.
STATUSES: tuple[str, ...] = ("official", "secondary", "unverified", "synthetic")

#: IPCC 2006 Guidelines, volume 1, chapter 8.2.5, table 8.2: notation keys; NO and NA complete a sum.
NOTATIONS: tuple[str, ...] = ("NO", "NE", "NA", "IE", "C")

CUSTODIES: tuple[str, ...] = ("statistical", "administrative", "metered", "self-submitted", "licensed", "public")

ROLES: tuple[str, ...] = ("account", "control")


def worst(statuses: Iterable[str | None]) -> str | None:
    """Return the weakest of `statuses`, or None when there are none.

    A missing status counts as `unverified`: nobody vouched for the value.
    Raises ValueError for a word that is not one of STATUSES.
    """
    found = [STATUSES.index(status or "unverified") for status in statuses]
    return STATUSES[max(found)] if found else None


def empty(schema: Schema) -> pl.DataFrame:
    """Return a frame of no rows with the columns and types of `schema`."""
    return pl.DataFrame(schema=dict(schema))


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return `frame` with exactly the columns of `schema`, in its order and types; absent ones are null.

    Raises ValueError when `frame` has a column that `schema` does not know, so that no dimension is lost silently.
    """
    unknown = [name for name in frame.columns if name not in schema]
    if unknown:
        raise ValueError(f"columns not in the schema: {', '.join(unknown)}")
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )
