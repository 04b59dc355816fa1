"""Parts of an account on one boundary: which cells lie inside, which cross it, and which would have to be split.

A cell belongs to an area when the area, in the asked tree, wholly contains the place at which it was recorded. A part
with a side looks at both ends of a trade; what leaves an area counts there, in the supplier's sector, with the other
sign, so that areas add up to the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import numpy as np
import polars as pl

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
        cells = _described(cells, snapshot.entities, list(part.entity)).filter(_all(part.entity))
        cells, notations = cells.drop(list(part.entity)), notations.clear()
    return replace(calculation, cells=cells, notations=notations)


def _described(cells: pl.DataFrame, entities: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The cells with what their entity was when they start: its last record that had begun by then, else its first."""
    who = entities.select(pl.col("code").alias("entity"), *columns)
    if not who["entity"].is_duplicated().any():
        return cells.join(who, on="entity", how="left", maintain_order="left")
    begun = entities["from"].fill_null(date.min).alias("begun")
    dated = who.with_columns(begun).sort("begun", maintain_order=True).unique(["entity", "begun"], keep="last")
    first = pl.col("begun") == pl.col("begun").min().over("entity")
    dated = dated.with_columns(pl.when(first).then(date.min).otherwise(pl.col("begun")).alias("begun")).sort("begun")
    pairs = cells.select("entity", "start").unique().sort("start")
    found = pairs.join_asof(dated, left_on="start", right_on="begun", by="entity", check_sortedness=False)
    return cells.join(found.drop("begun"), on=["entity", "start"], how="left", maintain_order="left", nulls_equal=True)


def _passing(cells: pl.DataFrame, where: Mapping[str, Any]) -> pl.DataFrame:
    for column in where:
        if column not in cells.columns:
            cells = cells.with_columns(pl.lit(None, pl.String).alias(column))
    return cells.filter(_all(where)) if where else cells


def _all(where: Mapping[str, Any]) -> pl.Expr:
    return reduce(lambda a, b: a & b, (condition(pl.col(column), wanted) for column, wanted in where.items()))


def areas_of(snapshot: Snapshot, boundary: Boundary) -> dict[str, str]:
    """Area of every place of the pack at which something may be recorded, kept.

    OUTSIDE: none of its leaves lies in an area; UNPLACED: it lies in the whole but in no one area; SPLIT: it reaches
    over the edge, so that its value would have to be split.
    """
    boundary = snapshot.once(("settled", boundary), lambda: settled(snapshot, boundary))
    made: dict[str, str] = snapshot.once(("areas", boundary), lambda: _areas_of(snapshot, boundary))
    return made


def _areas_of(snapshot: Snapshot, boundary: Boundary) -> dict[str, str]:
    places, tree, at = snapshot.names.places, boundary.tree, boundary.at
    areas = sorted(((places.leaves(one, tree, at), one) for one in boundary.areas), key=lambda a: (len(a[0]), a[1]))
    whole = places.leaves(boundary.whole, tree, at) if boundary.whole else frozenset[str]()
    edge = whole or frozenset().union(*(leaves for leaves, _ in areas))
    found = {}
    for code, extent in _extents(snapshot, at).items():
        inside = [area for leaves, area in areas if extent <= leaves]
        if inside:
            found[code] = code if code in inside else inside[0]
        elif whole and extent <= whole:
            found[code] = UNPLACED
        else:
            found[code] = SPLIT if extent & edge else OUTSIDE
    return found


def _extents(snapshot: Snapshot, at: date | None) -> dict[str, frozenset[str]]:
    """Leaves that a value recorded at each place covers on a day."""
    places = snapshot.names.places
    found: dict[str, frozenset[str]] = snapshot.once(
        ("extents", at), lambda: {code: places.extent(code, at) for code in places}
    )
    return found


def settled(snapshot: Snapshot, boundary: Boundary) -> Boundary:
    """The same boundary without its day, when the tree is on that day as it is last known."""
    if boundary.entity or boundary.at is None:
        return boundary
    places, tree, at = snapshot.names.places, boundary.tree, boundary.at
    areas = boundary.areas if boundary.whole is None else (*boundary.areas, boundary.whole)
    same = all(places.leaves(area, tree, at) == places.leaves(area, tree) for area in areas)
    same = same and snapshot.once(("moved", at), lambda: _extents(snapshot, at) == _extents(snapshot, None))
    return replace(boundary, at=None) if same else boundary


@dataclass(frozen=True)
class Ends:
    """The distinct ends of an account's cells, in columns of one length: part, side, and codes of who and where.

    ``place``, ``counterparty_place`` (and ``entity``, ``counterparty``) hold numbers into ``codes``; 0 is None.
    """

    part: np.ndarray
    side: np.ndarray
    place: np.ndarray
    counterparty_place: np.ndarray
    entity: np.ndarray
    counterparty: np.ndarray
    codes: tuple[str | None, ...]


@dataclass(frozen=True)
class Where:
    """Where each end counts on a boundary: `counts`, its `area` (a number into `names`), and why it may be lost."""

    counts: np.ndarray
    area: np.ndarray
    lost: np.ndarray
    at_edge: np.ndarray
    names: tuple[str | None, ...]


_OUTSIDE, _SPLIT, _UNPLACED, _NOBODY = 0, 1, 2, 3


def apart_of(snapshot: Snapshot, boundary: Boundary) -> frozenset[tuple[str, str]]:
    """Places that lie in no one area, each with the areas that none of its leaves is in."""
    places, tree, at = snapshot.names.places, boundary.tree, boundary.at
    loose = [code for code, area in areas_of(snapshot, boundary).items() if area == UNPLACED]
    leaves = {area: places.leaves(area, tree, at) for area in boundary.areas} if loose else {}
    extents = _extents(snapshot, at)
    return frozenset((code, area) for code in loose for area in leaves if not extents[code] & leaves[area])


def placed(
    ends: Ends, boundary: Boundary, where: Mapping[str, str], apart: frozenset[tuple[str, str]] = frozenset()
) -> Where:
    """Which ends lie inside the boundary, in which area, and which may lie inside and cannot be placed (`lost`).

    `where`: area of each place code (see `areas_of`), `apart`: what `apart_of` says; for an entity's boundary neither
    is read. What leaves an area
    counts in the area it leaves (the supplier's). `at_edge`: lost because its own place reaches over the border, else
    because nobody knows the other place.
    """
    names = (OUTSIDE, SPLIT, UNPLACED, None, *boundary.areas)
    number = {name: n for n, name in enumerate(names)}
    if boundary.entity:
        own, other = ends.entity, ends.counterparty
        here_of = np.array([number.get(code, _OUTSIDE) if code else _OUTSIDE for code in ends.codes])
        there_of = here_of
    else:
        own, other = ends.place, ends.counterparty_place
        here_of = np.array([number[where.get(code, SPLIT)] if code else _SPLIT for code in ends.codes])
        there_of = np.array([number[where.get(code, SPLIT)] if code else _NOBODY for code in ends.codes])
    here, there = here_of[own], there_of[other]
    away = _apart(ends, here, there, names, apart)
    imported, import_lost = _crossing(here, there, away)
    exported, export_lost = _crossing(there, here, away)
    within = here > _SPLIT
    side = ends.side
    counts = np.select(
        [side == "none", side == "inside", side == "import"],
        [within, within & (there == here), imported],
        default=exported,
    )
    lost = np.select(
        [side == "none", side == "inside", side == "import"],
        [here == _SPLIT, np.zeros(len(here), bool), import_lost],
        default=export_lost & (there != _SPLIT) & (here != _NOBODY),
    )
    area = np.where(side == "export", there, here)
    return Where(counts, area, lost, here == _SPLIT, names)


def _apart(
    ends: Ends, here: np.ndarray, there: np.ndarray, names: Sequence[str | None], apart: frozenset[tuple[str, str]]
) -> np.ndarray:
    """Ends of which one lies in an area and the other in no one area, but surely not in that one."""
    found = np.zeros(len(here), bool)
    if not apart:
        return found
    for loose, place, area in ((here, ends.place, there), (there, ends.counterparty_place, here)):
        for end in np.flatnonzero((loose == _UNPLACED) & (area > _NOBODY)):
            found[end] = (ends.codes[place[end]], names[area[end]]) in apart
    return found


def _crossing(mine: np.ndarray, theirs: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trade that surely crosses the border of my area, and trade of which nobody can tell.

    `away`: one end lies in no one area, but surely not in the other's.
    """
    at_home = (mine != _OUTSIDE) & (mine != _SPLIT) & (mine != _NOBODY)
    unknown = (theirs == _NOBODY) | (theirs == _SPLIT)
    between_areas = (theirs != mine) & (mine != _UNPLACED) & (theirs != _UNPLACED) & ~unknown
    crosses = at_home & ((theirs == _OUTSIDE) | between_areas | away)
    doubtful = at_home & (unknown | ((mine == _UNPLACED) != (theirs == _UNPLACED)))
    return crosses, (doubtful & ~crosses) | (mine == _SPLIT)
