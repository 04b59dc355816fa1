"""Which areas have reported which months of an account, this year and the year before: what is late is not zero.

An area without a row in a month in which it had one a year before has not reported it yet; a row that says NO, NA or
any other key is a report. Figures of an area are compared only when they cover the same months of both years.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.periods import Period
from dualcarbon.engine.calculation import OPEN_NOTATIONS
from dualcarbon.inventory.parts import UNPLACED
from dualcarbon.inventory.question import Query, row_stack, year_before
from dualcarbon.inventory.stack import Stack
from dualcarbon.inventory.tables import DIMENSIONS, REASONS
from dualcarbon.inventory.views import View, results

TIME = ("month", "quarter", "year")
Lacking = Mapping[str, tuple[Period, ...]]


@dataclass(frozen=True)
class Reported:
    """Months (of this year's names) by area: `late` are not reported yet, `holes` have no figure in the year before
    though they have one now, `uneven` have a figure in one of the two years only, `blank` have no row in the period,
    whatever is known of the year before."""

    late: Lacking
    holes: Lacking
    uneven: Lacking
    blank: Lacking


def reported(q: Query) -> Reported:
    """What the areas below the asked place (or it itself, or the entity) have reported of the account."""
    stack = row_stack(q, ("place",))
    made: Reported = stack.once(("reported", q.period), lambda: compared(*_kept(stack), q.period))
    return made


def _kept(stack: Stack) -> tuple[Sequence[str | None], np.ndarray, pl.DataFrame]:
    """The records of a stack, kept: every period is looked up in them."""
    made: tuple[Sequence[str | None], np.ndarray, pl.DataFrame] = stack.once("records", lambda: _records(stack))
    return made


def _records(stack: Stack) -> tuple[Sequence[str | None], np.ndarray, pl.DataFrame]:
    """Names of areas, the number of the area of each record that counts, and its `start`, `end` and `figure`."""
    cells = stack.grain.over_time()
    rows = stack.once(("rows", True), lambda: stack.rows(cells))
    figure = pl.col("blank") | pl.col("total").is_not_null()
    found = cells[["ends", "start", "end", "memo", "blank", "total"]][rows]
    found = found.select("ends", "start", "end", "memo", figure.alias("figure"))
    if stack.noted.height:
        open_ = pl.col("notation").is_null() | pl.col("notation").is_in(list(OPEN_NOTATIONS))
        noted = stack.noted.select("ends", "start", "end", "memo", (~open_).alias("figure"))
        found = pl.concat([found, noted])
    found = found.filter(~pl.col("memo"))
    area = pl.Series("area", stack.where.area[found["ends"].to_numpy()])
    found = found.select(area, "start", "end", "figure").unique()
    return stack.where.names, found["area"].to_numpy(), found.drop("area")


def compared(names: Sequence[str | None], area: np.ndarray, records: pl.DataFrame, period: Period) -> Reported:
    """What lacks. `area`: number into `names` of each record, whose `start`, `end` and `figure` (it holds a quantity,
    or a key that says there is none) are in `records`.

    A month that has figures of no one area in one of the years only is excused: they moved there. Where nothing at all
    is known of the year before, there is nothing to compare.
    """
    months = months_of(period)
    now, figures = _covered(area, len(names), records, period, months)
    before, earlier = _covered(area, len(names), records, year_before(period), [year_before(one) for one in months])
    lines = np.flatnonzero(now.any(axis=1) | before.any(axis=1)).tolist()
    placed = [n for n in lines if names[n] != UNPLACED]
    moved = moved_before = np.zeros(len(months), bool)
    if placed and UNPLACED in names:
        at = names.index(UNPLACED)
        moved, moved_before = figures[at] & ~earlier[at], earlier[at] & ~figures[at]
    late, holes, uneven, blank = Lacks(), Lacks(), Lacks(), Lacks()
    for n in placed or lines:
        hole = figures[n] & ~earlier[n] & ~moved_before & earlier.any()
        late.add(names[n], months, before[n] & ~now[n] & ~moved)
        holes.add(names[n], months, hole)
        uneven.add(names[n], months, hole | (earlier[n] & ~figures[n] & ~moved))
        blank.add(names[n], months, ~now[n])
    return Reported(late, holes, uneven, blank)


class Lacks(dict[str, tuple[Period, ...]]):
    """Months by area."""

    def add(self, area: str | None, months: Sequence[Period], which: np.ndarray) -> None:
        """Note the marked months of an area, if any is."""
        if which.any():
            self[str(area)] = tuple(month for month, one in zip(months, which, strict=True) if one)


def months_of(period: Period) -> list[Period]:
    """The months of a period of whole months; else the period as one."""
    whole = period.start.day == 1 and period.end.day == 1
    return periods.months(period) if whole else [period]


def _covered(
    area: np.ndarray, height: int, records: pl.DataFrame, period: Period, months: Sequence[Period]
) -> tuple[np.ndarray, np.ndarray]:
    """By area and month: does any record reach into it; does a figure that lies within the period."""
    start, end = (records[name].to_numpy().astype("datetime64[D]") for name in ("start", "end"))
    near = (start < np.datetime64(period.end)) & (end > np.datetime64(period.start))
    area, start, end, figure = area[near], start[near], end[near], records["figure"].to_numpy()[near]
    within = figure & (start >= np.datetime64(period.start)) & (end <= np.datetime64(period.end))
    touched, figures = np.zeros((2, height, len(months)), bool)
    for n, month in enumerate(months):
        inside = (start < np.datetime64(month.end)) & (end > np.datetime64(month.start))
        touched[area[inside], n] = True
        figures[area[inside & within], n] = True
    return touched, figures


def late_rows(q: Query, late: Lacking) -> list[dict[str, Any]]:
    """What is not reported yet, as rows of what an account lacks: one for each run of months of an area."""
    nothing = dict.fromkeys(("part", "method", "item", "parameter", "carrier", "quantity", "unit", "rows", "value"))
    return [
        {**nothing, "reason": "late", "reason_text": REASONS["late"], "period": periods.text(*run),
         "place": area if area in q.names.places else q.place}
        for area, months in late.items()
        for run in _runs(months)
    ]  # fmt: skip


def _runs(months: Sequence[Period]) -> list[Period]:
    """Months that follow each other as one period."""
    edges = [n for n, (one, after) in enumerate(pairwise(months), 1) if one.end != after.start]
    cuts = [0, *edges, len(months)]
    return [Period(months[first].start, months[last - 1].end) for first, last in pairwise(cuts)]


def concerned(q: Query, by: Sequence[str], lacking: Lacking) -> Callable[[tuple[Any, ...]], bool]:
    """Whether a row by these dimensions (or `entity`), by its key, lacks something of the areas and months that lack:
    it holds something of such an area in another month, or would."""
    if not lacking:
        return lambda key: False
    others = [name for name in by if name not in TIME]
    columns = tuple(DIMENSIONS.get(name, name) for name in others)
    stack = row_stack(q, ("place",), by_entity="entity" in by)
    made = results({"areas": View(stack, ("area", *columns))}, q.spans)["areas"]
    months: dict[tuple[Any, ...], list[Period]] = {}
    for key in dict.fromkeys(key for rows in made.values() for key in rows if key[0] in lacking):
        months.setdefault(key[1:], []).extend(lacking[key[0]])

    def told(key: tuple[Any, ...]) -> bool:
        own = dict(zip(by, key, strict=True))
        lacks = months.get(tuple(own[name] for name in others), [])
        times = [periods.parse(own[name]) for name in by if name in TIME]
        return any(all(time.start < one.end and time.end > one.start for time in times) for one in lacks)

    return told
