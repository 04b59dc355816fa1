"""An account on one boundary: the cells of its grain that count there, with the area they belong to, and what is lost.

The engine combines them like any calculation, so totals, parts and rows keep one rule of uncertainty: whatever shares a
factor errs together, across parts and areas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.engine import Calculation
from dualcarbon.engine.methods import Output
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.grain import ABSENT, Grain, absent_cells, grain, with_shares
from dualcarbon.inventory.parts import Boundary, Where, apart_of, areas_of, placed, settled
from dualcarbon.inventory.shares import Shares
from dualcarbon.inventory.snapshot import Snapshot

KEPT = 60  # of what one stack was asked for


@dataclass(frozen=True)
class Stack:
    """An account's grain seen from one boundary.

    ``where``: which of the grain's ends count, and in which area (see ``parts.placed``). ``absent``: what lacks a
    factor, a place or a counterparty, as recorded, with `area`. ``wanted``: labels that cells must have, by column, to
    be looked at. Columns are those of the grain, `area`, and `entity`: whose a cell is (of an export, the supplier's),
    where the grain keeps entities.
    """

    grain: Grain
    where: Where
    absent: pl.DataFrame
    wanted: Mapping[str, frozenset[str | None]] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

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
    def noted(self) -> pl.DataFrame:
        """Rows that count here and hold a notation key."""
        found: pl.DataFrame = self.once("noted", lambda: self.grain.noted[self.rows(self.grain.noted)])
        return found

    def texts(self, column: str) -> Sequence[str | None]:
        """Texts of a column, by their numbers."""
        if column == "area":
            return self.where.names
        return self.grain.ends.codes if column == "entity" else self.grain.texts[column]

    def numbers(self, cells: pl.DataFrame, column: str) -> np.ndarray:
        """A column of cells (or notes) of the grain, as numbers into its texts."""
        if column == "area":
            return self.where.area[cells["ends"].to_numpy()]
        return self._whose()[cells["ends"].to_numpy()] if column == "entity" else cells[column].to_numpy()

    def held(self, cells: pl.DataFrame, column: str) -> set[str | None]:
        """Texts that a column of cells holds."""
        texts = self.texts(column)
        return {texts[number] for number in np.unique(self.numbers(cells, column))}

    def rows(self, cells: pl.DataFrame) -> np.ndarray:
        """Numbers of the cells that count here and have the wanted labels."""
        here = self.where.counts[cells["ends"].to_numpy()]
        for column, texts in self.wanted.items():
            known = np.array([text in texts for text in self.texts(column)])
            here &= known[self.numbers(cells, column)]
        return np.flatnonzero(here)

    def cut(self, span: Period, timed: bool = False, alone: bool = False) -> tuple[pl.DataFrame, np.ndarray]:
        """Cells of the grain, and the numbers of those that count here and lie in a span of time.

        Summed over time unless `timed`; `alone`: over all else, as far as what is wanted lets them.
        """
        if not timed:
            cells = self.grain.within(span)
            return cells, self.once(("rows", span), lambda: self.rows(cells))
        alone = alone and not self.wanted
        cells = self.grain.over_time() if alone else self.grain.cells
        rows = self.once(("rows", alone), lambda: self.rows(cells))
        start, end = (cells[name].to_numpy()[rows] for name in ("start", "end"))
        return cells, rows[(start >= np.datetime64(span.start)) & (end <= np.datetime64(span.end))]

    def within(self, span: Period) -> pl.DataFrame:
        """The cells that count here, of a span of time, summed over it."""

        def make() -> pl.DataFrame:
            cells, rows = self.cut(span)
            return cells[rows]

        found: pl.DataFrame = self.once(span, make)
        return found

    def counted(self, span: Period) -> pl.DataFrame:
        """The same without the memo parts."""
        found: pl.DataFrame = self.once(("counted", span), lambda: self.within(span).filter(~pl.col("memo")))
        return found

    def only(self, wanted: Mapping[str, frozenset[str | None]], absent: pl.DataFrame) -> Stack:
        """The same account with only the cells that have the wanted labels, and what is then absent."""
        both = {column: texts & self.wanted.get(column, texts) for column, texts in wanted.items()}
        return replace(self, wanted={**self.wanted, **both}, absent=absent, kept={})

    def recorded(self, part: Part) -> pl.DataFrame:
        """A part's cells that count here, as recorded, with `area`."""
        return in_areas(self.grain.recorded(part.name), self.where, self.where.counts)

    def places(self, part: Part) -> frozenset[str | None]:
        """Where a part's cells that count here are recorded."""
        ends = self.grain.ends
        return frozenset(ends.codes[n] for n in np.unique(ends.place[self.where.counts & (ends.part == part.name)]))

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once while it is among the last that were asked for."""
        found = self.kept.get(key)
        return self.keep(key, make()) if found is None else found

    def keep(self, key: Any, value: Any) -> Any:
        """The value, kept under its key; when there are too many, keeping starts anew."""
        if len(self.kept) >= KEPT:
            self.kept.clear()
        self.kept[key] = value
        return value

    def _whose(self) -> np.ndarray:
        ends = self.grain.ends
        return np.where(ends.side == "export", ends.counterparty, ends.entity)


def in_areas(cells: pl.DataFrame, where: Where, wanted: np.ndarray) -> pl.DataFrame:
    """Cells at the wanted ends, with the area they belong to."""
    numbers = cells["ends"].to_numpy()
    keep = np.flatnonzero(wanted[numbers])
    areas = pl.Series("area", [where.names[number] for number in where.area[numbers[keep]]], dtype=pl.String)
    return cells[keep].with_columns(areas)


def stacked(
    snapshot: Snapshot, account: Account, boundary: Boundary, shares: Mapping[str, float], by_entity: bool = False
) -> Stack:
    """The stack of an account on a boundary. `shares`: for which place the shares of its parts are (see ``Shares``).

    `by_entity`: show whose the cells are, in `entity`.
    """
    boundary = snapshot.once(("settled", boundary), lambda: settled(snapshot, boundary))
    place = shares.place if isinstance(shares, Shares) and any(part.share for part in account.parts) else None
    key = ("stack", account.basis, boundary, place, by_entity)
    made: Stack = snapshot.once(key, lambda: _stacked(snapshot, account, boundary, place, by_entity))
    return made


def _stacked(snapshot: Snapshot, account: Account, boundary: Boundary, place: str | None, by_entity: bool) -> Stack:
    source = snapshot.whole if boundary.entity and snapshot.whole is not None else snapshot
    base = grain(source, account, by_entity or boundary.entity is not None)
    known = ({}, frozenset()) if boundary.entity else (areas_of(snapshot, boundary), apart_of(snapshot, boundary))
    where = placed(base.ends, boundary, *known)
    absent = _absent(base, where, account)
    return Stack(base if place is None else with_shares(source, base, place), where, absent)


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
