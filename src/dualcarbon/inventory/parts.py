"""Parts of an account on one boundary: which cells lie inside, which cross it, and which would have to be split.

A cell belongs to an area when the area, in the asked tree, wholly contains the place at which it was recorded. A part
with a side looks at both ends of a trade; what leaves an area counts there, in the supplier's sector, with the other
sign, so that areas add up to the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import polars as pl

from dualcarbon.core.classification import Places
from dualcarbon.engine import Calculation
from dualcarbon.engine.methods import Output
from dualcarbon.engine.reduce import condition
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.snapshot import Snapshot

OUTSIDE, SPLIT, UNPLACED = "<outside>", "<split>", "<unplaced>"
NOW, PREVIOUS = "now", "previous"
PLACES, WHO = ("place", "counterparty_place"), ("entity", "counterparty")
SUPPLIER = {"sector": "D44", "domain": "energy"}


@dataclass(frozen=True)
class Boundary:
    """What the account is about: areas of one tree on a day (inside `whole`, when they divide it), or one entity."""

    areas: tuple[str, ...]
    whole: str | None = None
    tree: str = "admin"
    at: date | None = None
    entity: str | None = None


def output_of(calculation: Calculation, account: Account) -> Output:
    """The output of a method that an account takes: of its item and basis, else of its item, else the first."""
    found = [one for one in calculation.method.outputs if one.item == account.item]
    same = [one for one in found if one.basis == account.basis]
    return (same or found or calculation.method.outputs)[0]


def part_of(snapshot: Snapshot, part: Part, by_entity: bool = False) -> Calculation:
    """The cells of a part's method that pass its condition; by entity also where the condition is about the entity."""
    calculation = snapshot.calculation(part.method, by_entity or bool(part.entity), part.item)
    cells, notations = _passing(calculation.cells, part.where), _passing(calculation.notations, part.where)
    if part.entity:
        who = snapshot.entities.select(pl.col("code").alias("entity"), *part.entity)
        cells = cells.join(who, on="entity", how="left", maintain_order="left").filter(_all(part.entity))
        cells, notations = cells.drop(list(part.entity)), notations.clear()
    return replace(calculation, cells=cells, notations=notations)


def _passing(cells: pl.DataFrame, where: Mapping[str, Any]) -> pl.DataFrame:
    for column in where:
        if column not in cells.columns:
            cells = cells.with_columns(pl.lit(None, pl.String).alias(column))
    return cells.filter(_all(where)) if where else cells


def _all(where: Mapping[str, Any]) -> pl.Expr:
    return reduce(lambda a, b: a & b, (condition(pl.col(column), wanted) for column, wanted in where.items()))


def located(codes: Iterable[str | None], boundary: Boundary, places: Places) -> dict[str, str]:
    """Area of each recorded place.

    OUTSIDE: none of its leaves lies in an area; UNPLACED: it lies in the whole but in no one area; SPLIT: it reaches
    over the edge, so that its value would have to be split.
    """
    known = [code for code in codes if code]
    tree, at = boundary.tree, boundary.at
    inside = places.rollup(known, boundary.areas, tree, at)
    whole = places.rollup(known, [boundary.whole], tree, at) if boundary.whole else {}
    edge = [boundary.whole] if boundary.whole else boundary.areas
    leaves = frozenset().union(*(places.leaves(area, tree, at) for area in edge))
    found = {}
    for code in known:
        area = inside.get(code)
        if area is None and whole.get(code):
            area = UNPLACED
        if area is None:
            area = OUTSIDE if code in places and not places.extent(code, at) & leaves else SPLIT
        found[code] = area
    return found


def placed(ends: pl.DataFrame, boundary: Boundary, places: Places) -> pl.DataFrame:
    """Where each of the numbered ends (`ends, side, place, counterparty_place` …) counts: one row for each, in order.

    `area`: the area it belongs to (for what leaves an area, the supplier's). `counts`: it lies inside. `reason`
    (place | counterparty): it may lie inside and cannot be placed.
    """
    own, other = WHO if boundary.entity else PLACES
    if boundary.entity:
        codes: dict[str, str] = {boundary.entity: boundary.entity}
        unknown, nobody = OUTSIDE, OUTSIDE
    else:
        codes = located(pl.concat([ends[own], ends[other]]).unique().to_list(), boundary, places)
        unknown, nobody = SPLIT, None
    ends = ends.with_columns(
        pl.col(own).replace_strict(codes, default=unknown, return_dtype=pl.String).alias("here"),
        pl.col(other).replace_strict(codes, default=nobody, return_dtype=pl.String).alias("there"),
    )
    here, there, side = pl.col("here"), pl.col("there"), pl.col("side")
    imported, import_lost = _crossing(here, there)
    exported, export_lost = _crossing(there, here)
    within = ~here.is_in([OUTSIDE, SPLIT])
    counts = (
        pl.when(side == "none")
        .then(within)
        .when(side == "inside")
        .then(within & (there == here))
        .when(side == "import")
        .then(imported)
        .otherwise(exported)
    )
    lost = (
        pl.when(side == "none")
        .then(here == SPLIT)
        .when(side == "inside")
        .then(here.is_null() & (here == SPLIT))
        .when(side == "import")
        .then(import_lost)
        .otherwise(export_lost & (there != SPLIT) & here.is_not_null())
    )
    reason = pl.when(here == SPLIT).then(pl.lit("place")).otherwise(pl.lit("counterparty"))
    return ends.select(
        "ends",
        "part",
        pl.when(side == "export").then(there).otherwise(here).alias("area"),
        counts.fill_null(False).alias("counts"),
        pl.when(lost.fill_null(False)).then(reason).alias("reason"),
        *PLACES,
        *(column for column in WHO if column in ends.columns),
    )


def settled(boundary: Boundary, places: Places) -> Boundary:
    """The same boundary without its day, when the tree is on that day as it is last known."""
    if boundary.entity or boundary.at is None:
        return boundary
    areas = boundary.areas if boundary.whole is None else (*boundary.areas, boundary.whole)
    tree, at = boundary.tree, boundary.at
    same = all(places.leaves(area, tree, at) == places.leaves(area, tree) for area in areas)
    same = same and all(places.extent(code, at) == places.extent(code) for code in places)
    return replace(boundary, at=None) if same else boundary


def _crossing(mine: pl.Expr, theirs: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Trade that surely crosses the border of my area, and trade of which nobody can tell."""
    at_home = ~mine.is_in([OUTSIDE, SPLIT])
    between_areas = (theirs != mine) & ~mine.is_in([UNPLACED]) & ~theirs.is_in([UNPLACED, SPLIT])
    crosses = at_home & ((theirs == OUTSIDE) | between_areas)
    unknown = at_home & (theirs.is_null() | (theirs == SPLIT) | ((mine == UNPLACED) != (theirs == UNPLACED)))
    return crosses, (unknown & ~crosses.fill_null(False)) | (mine == SPLIT)
