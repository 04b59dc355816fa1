"""An account on one boundary: the cells of its grain that count there, with the area they belong to, and what is lost.

The engine combines them like any calculation, so totals, parts and rows keep one rule of uncertainty: whatever shares a
factor errs together, across parts and areas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.engine import Calculation
from dualcarbon.engine.methods import Output
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.grain import ABSENT, TIMES, Grain, absent_cells, grain
from dualcarbon.inventory.parts import Boundary, placed, settled
from dualcarbon.inventory.snapshot import Snapshot

NUMBERS = ("total", "spread1")


@dataclass(frozen=True)
class Stack:
    """An account's grain seen from one boundary.

    ``where``: for each of the grain's ends `area, counts, reason` (see ``parts.placed``). ``weights``: share of the
    parts that have one. ``absent``: what lacks a factor, a place or a counterparty, as recorded, with `area`.
    ``noted``: rows that hold a notation key. ``condition``: which of the cells are looked at. ``who``: show the entity
    (of an export, the supplier) in `entity`.
    """

    grain: Grain
    where: pl.DataFrame
    weights: Mapping[str, float]
    absent: pl.DataFrame
    noted: pl.DataFrame
    condition: pl.Expr | None = None
    who: bool = False
    kept: dict[Period | None, pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)

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
        """A part's cells that count here, as recorded."""
        counted = self.where.filter(pl.col("counts") & (pl.col("part") == part.name))
        return self.grain.recorded[part.name].join(counted.select("ends", "area"), on="ends", how="inner")

    def places(self, part: Part) -> frozenset[str]:
        """Where a part's cells that count here are recorded."""
        counted = self.where.filter(pl.col("counts") & (pl.col("part") == part.name))
        return frozenset(counted["place"].unique().to_list())

    def _here(self, cells: pl.DataFrame) -> pl.DataFrame:
        names = ["area", *(["entity"] if self.who else [])]
        found = cells.with_columns(self.where.select("counts", *names)[cells["ends"]])
        found = found.filter(pl.col("counts")).drop("counts")
        if self.condition is not None:
            found = found.filter(self.condition)
        return weighted(found, self.weights) if self.weights else found


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
    boundary = snapshot.once(("settled", boundary), lambda: settled(boundary, snapshot.names.places))
    key = ("stack", account.basis, boundary, tuple(sorted(shares.items())), by_entity)
    made: Stack = snapshot.once(key, lambda: _stacked(snapshot, account, boundary, shares, by_entity))
    return made


def _stacked(
    snapshot: Snapshot, account: Account, boundary: Boundary, shares: Mapping[str, float], by_entity: bool
) -> Stack:
    source = snapshot.whole if boundary.entity and snapshot.whole is not None else snapshot
    base = grain(source, account, by_entity or boundary.entity is not None)
    where = placed(base.ends, boundary, snapshot.names.places)
    if by_entity:
        exports = [part.name for part in account.parts if part.side == "export"]
        supplier = pl.when(pl.col("part").is_in(exports)).then("counterparty").otherwise("entity")
        where = where.with_columns(supplier.alias("entity"))
    return Stack(
        base,
        where,
        {part.name: shares[part.share] for part in account.parts if part.share},
        _absent(base, where, account),
        _noted(base.noted, where),
        who=by_entity,
    )


def _noted(noted: pl.DataFrame, where: pl.DataFrame) -> pl.DataFrame:
    if not noted.height:
        return noted.with_columns(pl.lit(None, pl.String).alias("area"))
    counted = where.filter("counts").select("ends", "area")
    return noted.join(counted, on="ends", how="inner", maintain_order="left")


def _absent(base: Grain, where: pl.DataFrame, account: Account) -> pl.DataFrame:
    """Cells inside without a factor or known entity, and cells that may lie inside and cannot be placed."""
    found = []
    lost = where.filter(pl.col("reason").is_not_null()).select("ends", "part", "area", pl.col("reason").alias("why"))
    for part in account.parts:
        own = lost.filter(pl.col("part") == part.name).drop("part")
        if not own.height:
            continue
        cells = base.recorded[part.name].join(own, on="ends", how="inner", maintain_order="left")
        made = absent_cells(account, part, base.sources[part.name], cells, pl.col("why"))
        found.append(made.with_columns(cells["area"]))
    if base.absent.height:
        inside = where.filter("counts").select("ends", "area")
        found.append(base.absent.join(inside, on="ends", how="inner", maintain_order="left"))
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


__all__ = ["TIMES", "Stack", "crossing", "stacked", "weighted"]
