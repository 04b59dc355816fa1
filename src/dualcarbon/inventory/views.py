"""Look at stacked accounts: cut to spans of time, combined by any columns in one pass, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.engine import Term, combine
from dualcarbon.engine.calculation import OPEN_NOTATIONS
from dualcarbon.engine.keys import dense
from dualcarbon.inventory.grain import TIMES, inside
from dualcarbon.inventory.parts import PREVIOUS, SPLIT, UNPLACED
from dualcarbon.inventory.stack import Stack, crossing

#: What a view gives: by span of time and key of the row; and several views by their names.
Rows = Mapping[str, Mapping[tuple[Any, ...], dict[str, Any]]]
Results = Mapping[str, Rows]
ROW = ("value", "low", "high", "uncertainty", "status", "complete")


@dataclass(frozen=True)
class View:
    """One way to look at an account: a stack, the columns that make its rows, and whether memo parts are shown.

    `spans`: other spans of time than those of the question.
    """

    stack: Stack
    columns: tuple[str, ...] = ()
    memo: bool = False
    spans: Mapping[str, Period] | None = None


def results(views: Mapping[str, View], spans: Mapping[str, Period]) -> Results:
    """Every view's rows by span and key, in the order of the keys; those not kept by their stack combined in one pass.

    Each row holds ``value, low, high, uncertainty, status, complete``. Months of the span `previous` have the names of
    the same months a year on.
    """
    asked = {name: replace(view, spans=dict(view.spans or spans)) for name, view in views.items()}
    kept = {name: view.stack.kept.get(_key(view)) for name, view in asked.items()}
    made = _combined({name: view for name, view in asked.items() if kept[name] is None})
    return {name: view.stack.keep(_key(view), kept[name] or made[name]) for name, view in asked.items()}


def _key(view: View) -> Any:
    return view.columns, view.memo, tuple((view.spans or {}).items())


def _combined(views: Mapping[str, View]) -> dict[str, Rows]:
    """The rows of each view: each takes its cells of the grains again, under the numbers of its own rows."""
    frames: dict[int, tuple[int, pl.DataFrame]] = {}
    keys: list[tuple[str, str, tuple[Any, ...]]] = []
    taken, groups, noted, height = [], [], [], 0
    for name, view in views.items():
        stack, timed = view.stack, bool(set(view.columns) & set(TIMES))
        for span, period in (view.spans or {}).items():
            cells, rows = stack.cut(period, timed, alone=set(view.columns) <= set(TIMES))
            notes = inside(stack.noted, period) if stack.noted.height else stack.noted
            if not view.memo:
                rows = rows[~cells["memo"].to_numpy()[rows]]
                notes = notes.filter(~pl.col("memo")) if notes.height else notes
            if id(cells) not in frames:
                frames[id(cells)] = (height, cells)
                height += cells.height
            number, found = _numbered(stack, view.columns, [(cells, rows), (notes, np.arange(notes.height))])
            number += len(keys)
            keys += [(name, span, _named(view, span, key)) for key in found]
            taken.append(frames[id(cells)][0] + rows)
            groups.append(number[: len(rows)])
            if notes.height:
                noted.append(notes.select("notation", pl.Series("group", number[len(rows) :])))
    made: dict[str, dict[str, dict[tuple[Any, ...], dict[str, Any]]]]
    made = {name: {span: {} for span in view.spans or {}} for name, view in views.items()}
    if not keys:
        return dict(made)
    cells = pl.concat([_numbers(cells) for _, cells in frames.values()])[np.concatenate(taken)]
    stack = next(iter(views.values())).stack
    calculation = replace(stack.calculation, cells=cells.hstack([pl.Series("group", np.concatenate(groups))]))
    if noted:
        calculation = replace(calculation, notations=pl.concat(noted))
    found = combine([Term(calculation, stack.output)], ["group"]).select("group", *ROW).rows()
    for number, *row in sorted(found, key=lambda one: [(code is None, code) for code in keys[one[0]][2]]):
        name, span, key = keys[number]
        made[name][span][key] = dict(zip(ROW, row, strict=True))
    return dict(made)


def _numbers(cells: pl.DataFrame) -> pl.DataFrame:
    """What the engine combines of cells."""
    own = ("total", "quantity", "spread2", "spread1", "error_group", "dataset")
    return cells[[name for name in cells.columns if name in own or name.startswith(("d:", "factor:"))]]


def _numbered(
    stack: Stack, columns: Sequence[str], frames: Sequence[tuple[pl.DataFrame, np.ndarray]]
) -> tuple[np.ndarray, list[tuple[Any, ...]]]:
    """The number of the key of each row, those of all frames one after the other; and the keys by number."""
    code = np.zeros(sum(len(rows) for _, rows in frames), np.int64)
    for column in columns:
        own = np.concatenate([stack.numbers(cells, column)[rows] for cells, rows in frames])
        code = code * len(stack.texts(column)) + own
    number, size = dense(code)
    rest = np.zeros(size, np.int64)
    rest[number] = code
    texts: list[list[str | None]] = []
    for column in reversed(columns):
        known = stack.texts(column)
        rest, own = np.divmod(rest, len(known))
        texts.insert(0, [known[n] for n in own])
    return number, list(zip(*texts, strict=True)) if columns else [()] * size


def _named(view: View, span: str, key: tuple[Any, ...]) -> tuple[Any, ...]:
    if span != PREVIOUS:
        return key
    return tuple(_a_year_on(code) if name in TIMES else code for name, code in zip(view.columns, key, strict=True))


def _a_year_on(text: str) -> str:
    return "/".join(str(int(one[:4]) + 1) + one[4:] for one in text.split("/"))


def left_out(stack: Stack, span: Period) -> pl.DataFrame:
    """What the account of a span lacks: absent cells inside it, and counted ones that reach over its edge."""
    absent = stack.absent
    if absent.height:
        absent = absent.filter((pl.col("start") < span.end) & (pl.col("end") > span.start))
    over = crossing(stack, span)
    return pl.concat([absent, over.select(absent.columns)]) if over.height else absent


def doubtful_areas(stack: Stack, span: Period) -> frozenset[str | None]:
    """Areas that lack something: all of them when nobody knows in which of them it lies."""
    memo = {part.name for part in stack.account.parts if part.memo}
    absent = left_out(stack, span)
    lost = {area for part, area in absent.select("part", "area").rows() if part not in memo} if absent.height else set()
    if stack.noted.height:
        open_ = pl.col("notation").is_null() | pl.col("notation").is_in(list(OPEN_NOTATIONS))
        lost |= stack.held(inside(stack.noted, span).filter(open_ & ~pl.col("memo")), "area")
    unplaced = UNPLACED in stack.held(stack.counted(span), "area")
    return frozenset(stack.held(stack.within(span), "area") | lost if SPLIT in lost or unplaced else lost)
