"""Texts as numbers, where DuckDB reads the rows from Parquet.

DuckDB keeps the dictionaries of a Parquet file: a function of one text runs once for each distinct text of a batch.
Grouping by the number of a text is then cheaper than grouping by the text itself. Elsewhere every row would be looked
up by itself, and nothing is coded.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import narwhals as nw
import polars as pl

Labels = Mapping[str, list[str | None]]  # by column
FOUND: dict[str, list[str | None]] = {}  # the texts that the last pass found, by column


def labels_of(known: Mapping[str, Iterable[str]]) -> Labels:
    """Every text that a column may hold, those of the last pass first: a list is searched from its front."""
    return {name: list(dict.fromkeys([*FOUND.get(name, ()), *texts, None])) for name, texts in known.items()}


def coded(frame: "nw.LazyFrame[Any]", labels: Labels) -> "nw.LazyFrame[Any] | None":
    """The frame with the position of each text among its labels (from 1 on) for the text, null where it is none.

    None where coding does not help.
    """
    if not labels or not frame.implementation.is_duckdb() or "parquet" not in frame.to_native().sql_query():
        return None
    from duckdb import ColumnExpression, ConstantExpression, FunctionExpression, StarExpression

    positions = [
        FunctionExpression("list_position", ConstantExpression(texts), ColumnExpression(name))
        .cast("utinyint" if len(texts) < 1 << 8 else "usmallint" if len(texts) < 1 << 16 else "uinteger")
        .alias(name)
        for name, texts in labels.items()
    ]
    return nw.from_native(frame.to_native().select(StarExpression(exclude=list(labels)), *positions))


def decoded(cells: pl.DataFrame, labels: Labels) -> pl.DataFrame | None:
    """The texts again, as Categorical; None where one of them was not among the labels."""
    if any(cells[name].null_count() for name in labels):
        return None
    for name, texts in labels.items():
        FOUND[name] = [texts[number - 1] for number in cells[name].unique().sort().to_list()]
    return cells.with_columns(
        pl.Series(texts, dtype=pl.Categorical)[cells[name] - 1].alias(name) for name, texts in labels.items()
    )
