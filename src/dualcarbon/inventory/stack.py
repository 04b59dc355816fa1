"""An account on one boundary: the cells of its grain that count there, with the area they belong to, and what is lost.

The engine combines them like any calculation, so totals, parts and rows keep one rule of uncertainty: whatever shares a
factor errs together, across parts and areas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.engine import Calculation
from dualcarbon.engine.methods import Output
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.grain import ABSENT, Grain, absent_cells, grain
from dualcarbon.inventory.parts import Boundary, Where, areas_of, placed, settled
from dualcarbon.inventory.snapshot import Snapshot

NUMBERS = ("total", "spread1")


@dataclass(frozen=True)
class Stack:
    """An account's grain seen from one boundary.

    ``where``: which of the grain's ends count, and in which area (see ``parts.placed``). ``weights``: share of the
    parts that have one. ``absent``: what lacks a factor, a place or a counterparty, as recorded, with `area`.
    ``noted``: rows that hold a notation key. ``condition``: which of the cells are looked at. ``who``: show the entity
    (of an export, the supplier) in `entity`.
    """

    grain: Grain
    where: Where
    weights: Mapping[str, float]
    absent: pl.DataFrame
    noted: pl.DataFrame
    condition: pl.Expr | None = None
    who: bool = False
    kept: dict[Any, pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    @property
    def account(self) -> Account:
        """The account."""
        return self.grain.account

    @property
    def calculation(self) -> Calculation:
        """The grain's calculation: what its factors and classification are. Its cells are those of every place."""
        return self.grain.calculation

    @property
    def output(self) -> Output:
        """What the account gives."""
        return self.grain.output

    @property
    def sources(self) -> dict[str, Calculation]:
        """The calculation of each part."""
        return self.grain.sources

    @property
    def cells(self) -> pl.DataFrame:
        """The cells that count here, by period."""
        if None not in self.kept:
            self.kept[None] = self._here(self.grain.cells)
        return self.kept[None]

    def over_time(self) -> pl.DataFrame:
        """The cells that count here, by period alone (all of them where a condition looks at what they are about)."""
        if self.condition is not None:
            return self.cells
        if "time" not in self.kept:
            self.kept["time"] = self._here(self.grain.over_time())
        return self.kept["time"]

    def within(self, span: Period) -> pl.DataFrame:
        """The cells that count here, of a span of time, summed over it."""
        if span not in self.kept:
            self.kept[span] = self._here(self.grain.within(span))
        return self.kept[span]

    def only(self, condition: pl.Expr, absent: pl.DataFrame) -> Stack:
        """The same account with only the cells that meet a condition, and what is then absent."""
        noted = self.noted.filter(condition) if self.noted.height else self.noted
        return replace(self, condition=condition, absent=absent, noted=noted, kept={})

    def recorded(self, part: Part) -> pl.DataFrame:
        """A part's cells that count here, as recorded, with `area`."""
        return self._placed(self.grain.recorded(part.name), self.where.counts)

    def places(self, part: Part) -> frozenset[str | None]:
        """Where a part's cells that count here are recorded."""
        ends = self.grain.ends
        return frozenset(ends.codes[n] for n in np.unique(ends.place[self.where.counts & (ends.part == part.name)]))

    def _here(self, cells: pl.DataFrame) -> pl.DataFrame:
        found = self._placed(cells, self.where.counts)
        if self.who:
            found = found.with_columns(self.supplied()[found["ends"]].alias("entity"))
        if self.condition is not None:
            found = found.filter(self.condition)
        return weighted(found, self.weights) if self.weights else found

    def _placed(self, cells: pl.DataFrame, wanted: np.ndarray) -> pl.DataFrame:
        return in_areas(cells, self.where, wanted)

    def supplied(self) -> pl.Series:
        """The entity of each end: who has the cell, and of an export who supplied it."""
        ends = self.grain.ends
        return pl.Series(ends.codes, dtype=pl.String)[np.where(ends.side == "export", ends.counterparty, ends.entity)]


def in_areas(cells: pl.DataFrame, where: Where, wanted: np.ndarray) -> pl.DataFrame:
    """Cells at the wanted ends, with the area they belong to."""
    numbers = cells["ends"].to_numpy()
    keep = wanted[numbers]
    return cells.filter(pl.Series(keep)).with_columns(where.names[where.area[numbers[keep]]].alias("area"))


def weighted(cells: pl.DataFrame, weights: Mapping[str, float]) -> pl.DataFrame:
    """Cells of parts that have a share, multiplied by it."""
    weight = pl.col("part").replace_strict(dict(weights), default=1.0, return_dtype=pl.Float64)
    linear = [*NUMBERS, *(name for name in cells.columns if name.startswith("d:") and name != "d:total:quantity")]
    return cells.with_columns(*(pl.col(name) * weight for name in linear), pl.col("spread2") * weight**2)


def stacked(
    snapshot: Snapshot, account: Account, boundary: Boundary, shares: Mapping[str, float], by_entity: bool = False
) -> Stack:
    """The stack of an account on a boundary. `shares`: value of each share parameter of its parts.

    `by_entity`: show whose the cells are, in `entity`.
    """
    boundary = snapshot.once(("settled", boundary), lambda: settled(snapshot, boundary))
    key = ("stack", account.basis, boundary, tuple(sorted(shares.items())), by_entity)
    made: Stack = snapshot.once(key, lambda: _stacked(snapshot, account, boundary, shares, by_entity))
    return made


def _stacked(
    snapshot: Snapshot, account: Account, boundary: Boundary, shares: Mapping[str, float], by_entity: bool
) -> Stack:
    source = snapshot.whole if boundary.entity and snapshot.whole is not None else snapshot
    base = grain(source, account, by_entity or boundary.entity is not None)
    where = placed(base.ends, boundary, {} if boundary.entity else areas_of(snapshot, boundary))
    return Stack(
        base,
        where,
        {part.name: shares[part.share] for part in account.parts if part.share},
        _absent(base, where, account),
        in_areas(base.noted, where, where.counts),
        who=by_entity,
    )


def _absent(base: Grain, where: Where, account: Account) -> pl.DataFrame:
    """Cells inside without a factor or known entity, and cells that may lie inside and cannot be placed."""
    found = [in_areas(base.absent, where, where.counts)] if base.absent.height else []
    for part in account.parts if where.lost.any() else ():
        own = where.lost & (base.ends.part == part.name)
        if not own.any():
            continue
        cells = in_areas(base.recorded(part.name), where, own)
        why = pl.Series(where.at_edge[cells["ends"].to_numpy()])
        cells = cells.with_columns(pl.when(why).then(pl.lit("place")).otherwise(pl.lit("counterparty")).alias("why"))
        made = absent_cells(account, part, base.sources[part.name], cells, pl.col("why"))
        found.append(made.with_columns(cells["area"]))
    found = [frame for frame in found if frame.height]
    return pl.concat(found) if found else pl.DataFrame(schema={**ABSENT, "area": pl.String})


def crossing(stack: Stack, span: Period) -> pl.DataFrame:
    """Counted cells that reach over the edge of a span of time, as absent ones with `area`; memo parts stay out."""
    empty = pl.DataFrame(schema={**ABSENT, "area": pl.String})
    if not any(reaches(start, end, span) for start, end in stack.grain.times):
        return empty
    touching = (pl.col("start") < span.end) & (pl.col("end") > span.start)
    inside = (pl.col("start") >= span.start) & (pl.col("end") <= span.end)
    found = [empty]
    for part in stack.account.parts:
        over = stack.recorded(part).filter(touching & ~inside)
        if over.height and not part.memo:
            made = absent_cells(stack.account, part, stack.sources[part.name], over, "period")
            found.append(made.with_columns(over["area"]))
    return pl.concat(found)


def reaches(start: date, end: date, span: Period) -> bool:
    """Does a period reach over the edge of a span?"""
    return start < span.end and end > span.start and not (start >= span.start and end <= span.end)
