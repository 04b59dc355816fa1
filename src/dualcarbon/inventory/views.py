"""Look at stacked accounts: cut to spans of time, combined by any columns in one pass, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.engine import Term, combine
from dualcarbon.engine.calculation import OPEN_NOTATIONS
from dualcarbon.inventory.grain import TIMES, inside
from dualcarbon.inventory.parts import PREVIOUS, SPLIT, UNPLACED
from dualcarbon.inventory.stack import Stack, crossing

#: What a view gives: by span of time and key of the row; and several views by their names.
Rows = Mapping[str, Mapping[tuple[Any, ...], dict[str, Any]]]
Results = Mapping[str, Rows]


@dataclass(frozen=True)
class View:
    """One way to look at an account: a stack, the columns that make its rows, and whether memo parts are shown.

    `spans`: other spans of time than those of the question.
    """

    stack: Stack
    columns: tuple[str, ...] = ()
    memo: bool = False
    spans: Mapping[str, Period] | None = None


def cut(stack: Stack, spans: Mapping[str, Period], timed: bool = False, alone: bool = False) -> pl.DataFrame:
    """Cells wholly inside a span of time, with its name in `span`; summed over time unless `timed`.

    `alone`: nothing but the time of the cells is looked at. With `timed`, months of the span `previous` get the names
    of the same months a year on.
    """
    frames = []
    for name, span in spans.items():
        one = inside(stack.over_time() if alone else stack.cells, span) if timed else stack.within(span)
        if timed and name == PREVIOUS and one.height:
            one = one.with_columns(_a_year_on(one[kind]) for kind in TIMES)
        frames.append(one.with_columns(pl.lit(name).alias("span")))
    return pl.concat(frames) if len(frames) > 1 else frames[0]


def _a_year_on(texts: pl.Series) -> pl.Series:
    moved = {text: "/".join(str(int(one[:4]) + 1) + one[4:] for one in text.split("/")) for text in texts.unique()}
    return texts.replace_strict(moved, return_dtype=pl.String)


def results(views: Mapping[str, View], spans: Mapping[str, Period]) -> Results:
    """Every view's rows by span and key, all combined in one pass.

    Each row holds ``value, low, high, uncertainty, status, complete``.
    """
    width = max((len(view.columns) for view in views.values()), default=0)
    keys = [f"key{number}" for number in range(width)]
    frames: list[pl.DataFrame] = []
    noted: list[pl.DataFrame] = []
    slices: dict[Any, pl.DataFrame] = {}
    for name, view in views.items():
        timed, own = bool(set(view.columns) & set(TIMES)), view.spans or spans
        alone = timed and set(view.columns) <= set(TIMES)
        key = (id(view.stack), timed, alone, tuple(own.items()))
        if key not in slices:
            slices[key] = cut(view.stack, own, timed, alone)
        marks = [pl.lit(name).alias("view")]
        marks += [pl.col(column).alias(one) for one, column in zip(keys, view.columns, strict=False)]
        marks += [pl.lit(None, pl.String).alias(one) for one in keys[len(view.columns) :]]
        for cells, kept in ((slices[key], frames), (_noted(view.stack, own), noted)):
            if cells.height or kept is frames:
                kept.append((cells if view.memo else cells.filter(~pl.col("memo"))).with_columns(marks))
    stack = next(iter(views.values())).stack
    calculation = replace(stack.calculation, cells=pl.concat(frames, how="diagonal"))
    if noted:
        calculation = replace(calculation, notations=pl.concat(noted, how="diagonal"))
    found: dict[str, Any] = {name: {span: {} for span in view.spans or spans} for name, view in views.items()}
    for row in combine([Term(calculation, stack.output)], ["view", "span", *keys]).iter_rows(named=True):
        key = tuple(row[one] for one in keys[: len(views[row["view"]].columns)])
        found[row["view"]][row["span"]][key] = row
    return found


def _noted(stack: Stack, spans: Mapping[str, Period]) -> pl.DataFrame:
    """Rows that hold a notation key in the spans."""
    if not stack.noted.height:
        return stack.noted
    frames = [inside(stack.noted, span).with_columns(pl.lit(name).alias("span")) for name, span in spans.items()]
    return pl.concat(frames)


def left_out(stack: Stack, span: Period) -> pl.DataFrame:
    """What the account of a span lacks: absent cells inside it, and counted ones that reach over its edge."""
    absent = stack.absent.filter((pl.col("start") < span.end) & (pl.col("end") > span.start))
    over = crossing(stack, span)
    return pl.concat([absent, over.select(absent.columns)]) if over.height else absent


def doubtful_areas(stack: Stack, span: Period) -> frozenset[str]:
    """Areas that lack something: all of them when nobody knows in which of them it lies."""
    memo = {part.name for part in stack.account.parts if part.memo}
    absent = left_out(stack, span)
    lost = {area for part, area in absent.select("part", "area").rows() if part not in memo} if absent.height else set()
    open_ = pl.col("notation").is_null() | pl.col("notation").is_in(list(OPEN_NOTATIONS))
    noted = inside(stack.noted, span).filter(open_ & ~pl.col("memo")) if stack.noted.height else stack.noted
    lost |= set(noted["area"].unique().to_list())
    here = set(stack.within(span)["area"].unique().to_list())
    unplaced = UNPLACED in here and UNPLACED in stack.within(span).filter(~pl.col("memo"))["area"]
    return frozenset(here | lost) if SPLIT in lost or unplaced else frozenset(lost)
