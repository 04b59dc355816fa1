"""What a sum counts twice: totals beside their parts, and figures that two counted datasets hold.

An import refuses the first and tells the second; tables that are not imported, datasets named together and what was
imported before are told by whatever adds them: accounts, calculations, the quick-calc. Nothing is left out of a sum by
guess: whoever asks decides which row goes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import covering, periods
from dualcarbon.core.checks import spoken
from dualcarbon.core.classification import Classification
from dualcarbon.core.tables import DIMENSIONS, OBSERVATION
from dualcarbon.engine.opened import matching
from dualcarbon.engine.reduce import collected

#: Pairs that are looked for in one state of the data.
MOST = 1000
KEY = ("dataset", *DIMENSIONS)
#: What rows without a dataset are of.
GIVEN = "given"
_SHOWN = ("dataset", "place", "entity", "sector", "carrier", "process")


def clashes(
    frame: "nw.LazyFrame[Any]", items: Collection[str], book: Classification, files: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Pairs of rows of these items that count twice (see ``covering.clashes``), at most ``MOST``; only rows of pairs
    are read. ``frame``: observations with ``start`` and ``end``; ``files``: names of imported files by import."""
    frame = frame.filter(nw.col("item").is_in(list(items)), ~nw.col("value").is_null())
    columns = frame.collect_schema().names()
    present = [name for name in KEY if name in columns]
    keys = collected(frame.group_by(*present).agg(nw.len().alias("rows"))).drop("rows").sort(present)
    own = _plain(keys).with_row_index("_id")
    keys = _whole(own, KEY).with_columns(pl.col("dataset").fill_null(GIVEN))
    pairs = covering.covered(keys, book, items)
    if pairs.is_empty():
        return []
    paired = pl.concat([pairs["_id"], pairs["_id_up"]]).implode()
    own, keys = (one.filter(pl.col("_id").is_in(paired)) for one in (own, keys))
    rows = _plain(collected(matching(frame, own.select(present))))
    placed = rows.join(own, on=present, how="inner", nulls_equal=True, maintain_order="left")
    placed = _whole(placed, OBSERVATION).with_columns(
        pl.lit(True).alias("_new"),
        pl.col("value").alias("_reported"),
        pl.col("source").replace(dict(files)).alias("_file"),
    )
    return covering.clashes(placed, keys, pairs, MOST)


def told(one: Mapping[str, Any], book: Classification) -> dict[str, Any]:
    """One of ``clashes`` as ``{rule, item, period, datasets, parts, rows, message, remedy}``: the row of a part (of
    `parts` rows) and the row that covers it, each with its dataset, dimensions, period, value, unit and where it
    stands; texts in both languages."""
    problem = spoken(covering.problem_of(one, book), book, one["_file"])
    problem = replace(problem, column=None)
    texts = {lang: problem.as_dict(lang) for lang in ("zh", "en")}
    lines = {lang: problem.line(lang).removesuffix(texts[lang]["remedy"]).rstrip() for lang in texts}
    rows = [_row(one, "part", ""), _row(one, "whole", "_up")]
    return {
        "rule": problem.rule,
        "item": one["part"]["item"],
        "period": problem.params["period"],
        "datasets": sorted({row["dataset"] for row in rows}),
        "parts": one["_parts"],
        "rows": rows,
        "message": lines,
        "remedy": {lang: texts[lang]["remedy"] for lang in texts},
    }


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with its texts as texts, also where there are none."""
    return frame.with_columns(pl.col(pl.Null, pl.Categorical, pl.Enum).cast(pl.String))


def _whole(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The same with those of these columns that it lacks, empty."""
    absent = [name for name in names if name not in frame.columns]
    return frame.with_columns(pl.lit(None, dtype=OBSERVATION[name]).alias(name) for name in absent)


def _row(one: Mapping[str, Any], which: str, side: str) -> dict[str, Any]:
    key = {name: one[which][name] for name in _SHOWN if one[which][name] is not None}
    placed = {"file": one[f"_file{side}"], "sheet": one[f"sheet{side}"], "row": one[f"row{side}"]}
    span = periods.text(one[f"start{side}"], one[f"end{side}"])
    return {**key, "period": span, "value": one[f"_reported{side}"], "unit": one[f"unit{side}"], **placed}
