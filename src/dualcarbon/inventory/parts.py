"""Parts of an account on one boundary: which cells lie inside, which cross it, and which would have to be split.

A cell belongs to an area when the area, in the asked tree, wholly contains the place at which it was recorded. A part
with a side looks at both ends of a trade; what leaves an area counts there, in the supplier's sector, with the other
sign, so that areas add up to the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import polars as pl

from dualcarbon.core.classification import Places
from dualcarbon.core.classification import load as classification
from dualcarbon.core.periods import Period
from dualcarbon.engine import Calculation, Term
from dualcarbon.engine.calculate import condition
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.snapshot import Snapshot

OUTSIDE, SPLIT, UNPLACED = "<outside>", "<split>", "<unplaced>"
NOW, PREVIOUS = "now", "previous"
SUPPLIER = {"sector": "D44", "domain": "energy"}


@dataclass(frozen=True)
class Boundary:
    """What the account is about: areas of one tree on a day (inside `whole`, when they divide it), or one entity."""

    areas: tuple[str, ...]
    whole: str | None = None
    tree: str = "admin"
    at: date | None = None
    entity: str | None = None


@dataclass(frozen=True)
class Placed:
    """One part on a boundary: its term (cells hold `area`, `part`, `span`, `scope`), and what could not be placed."""

    part: Part
    term: Term
    lost: pl.DataFrame


def part_of(snapshot: Snapshot, part: Part) -> Calculation:
    """The cells of a part's method that pass its condition; by entity where the condition is about the entity."""
    calculation = snapshot.calculation(
        part.method, entity_grain=bool(part.entity), where=part.where if part.entity else None
    )
    cells, notations = _passing(calculation.cells, part.where), _passing(calculation.notations, part.where)
    if part.entity:
        codes = snapshot.entities.filter(_all(part.entity))["code"].to_list()
        cells, notations = cells.filter(pl.col("entity").is_in(codes)), notations.clear()
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


def place_part(
    snapshot: Snapshot, part: Part, boundary: Boundary, calculation: Calculation | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Cells inside the boundary with `area`; those that cannot be placed with `reason`; notations with `area`.

    `calculation`: other cells of the same part (for example by entity) than the snapshot's.
    """
    if calculation is not None:
        return _placed(snapshot, part, boundary, calculation)
    key = ("placed", part.method, repr(part.where), repr(part.entity), part.side, boundary)
    return snapshot.once(key, lambda: _placed(snapshot, part, boundary, snapshot.part(part)))


def _placed(
    snapshot: Snapshot, part: Part, boundary: Boundary, calculation: Calculation
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    own, other = ("entity", "counterparty") if boundary.entity else ("place", "counterparty_place")
    cells = _ends(calculation.cells, own, other, boundary, snapshot)
    notations = _ends(calculation.notations, own, other, boundary, snapshot)
    here, there = pl.col("area"), pl.col("other")
    if part.side == "none":
        inside, lost = ~here.is_in([OUTSIDE, SPLIT]), here == SPLIT
    elif part.side == "inside":
        inside, lost = ~here.is_in([OUTSIDE, SPLIT]) & (there == here), pl.lit(False)
    elif part.side == "import":
        inside, lost = _crossing(here, there)
    else:
        inside, lost = _crossing(there, here)
        lost = lost & (there != SPLIT) & here.is_not_null()
    inside, lost = inside.fill_null(False), lost.fill_null(False)
    reason = pl.when(here == SPLIT).then(pl.lit("place")).otherwise(pl.lit("counterparty")).alias("reason")
    placed, noted = cells.filter(inside), notations.filter(inside)
    if part.side == "export":
        placed, noted = (
            frame.with_columns(pl.col("other").alias("area"), *(pl.lit(v).alias(k) for k, v in SUPPLIER.items()))
            for frame in (placed, noted)
        )
    return placed, cells.filter(lost).with_columns(reason), noted


def _crossing(mine: pl.Expr, theirs: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Trade that surely crosses the border of my area, and trade of which nobody can tell."""
    at_home = ~mine.is_in([OUTSIDE, SPLIT])
    between_areas = (theirs != mine) & ~mine.is_in([UNPLACED]) & ~theirs.is_in([UNPLACED, SPLIT])
    crosses = at_home & ((theirs == OUTSIDE) | between_areas)
    unknown = at_home & (theirs.is_null() | (theirs == SPLIT) | ((mine == UNPLACED) != (theirs == UNPLACED)))
    return crosses, (unknown & ~crosses.fill_null(False)) | (mine == SPLIT)


def _ends(cells: pl.DataFrame, own: str, other: str, boundary: Boundary, snapshot: Snapshot) -> pl.DataFrame:
    """Add `area` and `other`: the areas in which the row's place and its counterparty's place lie."""
    for column in (own, other, "domain"):
        if column not in cells.columns:
            cells = cells.with_columns(pl.lit(None, pl.String).alias(column))
    if boundary.entity:
        codes = {boundary.entity: boundary.entity}
        return cells.with_columns(
            pl.col(own).replace_strict(codes, default=OUTSIDE, return_dtype=pl.String).alias("area"),
            pl.col(other).replace_strict(codes, default=OUTSIDE, return_dtype=pl.String).alias("other"),
        )
    places = classification(snapshot.choices.pack).places
    codes = located(pl.concat([cells[own], cells[other]]).unique().to_list(), boundary, places)
    return cells.with_columns(
        pl.col(own).replace_strict(codes, default=SPLIT, return_dtype=pl.String).alias("area"),
        pl.col(other).replace_strict(codes, default=None, return_dtype=pl.String).alias("other"),
    )


def place(
    snapshot: Snapshot,
    account: Account,
    boundary: Boundary,
    spans: Mapping[str, Period],
    shares: Mapping[str, float] | None = None,
    memo: bool = True,
) -> list[Placed]:
    """Every part of an account on a boundary, cut to named spans of time.

    `shares`: value of each share parameter. A cell that reaches over the edge of a span cannot be placed (reason
    `period`).
    """
    placed = []
    for part in account.parts:
        if part.memo and not memo:
            continue
        inside, lost, noted = place_part(snapshot, part, boundary)
        weight = part.sign * (1.0 if part.share is None else (shares or {})[part.share])
        calculation = snapshot.part(part)
        cut, crossing = _cut(inside, spans)
        out, _ = _cut(lost, spans)
        lost_cells = pl.concat([out, crossing.with_columns(pl.lit("period").alias("reason"))], how="diagonal")
        outputs = calculation.method.outputs
        output = next((one for one in outputs if one.item == "emission.co2"), outputs[0])
        output = output.model_copy(update={"basis": account.basis})
        labels = {"part": part.name, "scope": output.scope or "1"}
        cells = cut.with_columns(pl.lit(value).alias(name) for name, value in labels.items())
        notations = _cut(noted, spans)[0].with_columns(pl.lit(value).alias(name) for name, value in labels.items())
        term = Term(replace(calculation, cells=cells, notations=notations), output, sign=weight)  # type: ignore[arg-type]
        placed.append(Placed(part, term, lost_cells))
    return placed


def doubtful_areas(placed: Sequence[Placed]) -> frozenset[str]:
    """Areas that are incomplete because something could not be placed: all of them when nobody knows in which it lies."""
    lost = {area for one in placed for area in one.lost.filter(pl.col("span") == NOW)["area"].unique()}
    here = {
        area for one in placed for area in one.term.calculation.cells.filter(pl.col("span") == NOW)["area"].unique()
    }
    return frozenset(here | lost) if lost & {SPLIT} or UNPLACED in here else frozenset(lost)


def _cut(cells: pl.DataFrame, spans: Mapping[str, Period]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells wholly inside a span, with its name in `span`; and those that reach over its edge.

    Dates of a span `previous` are moved a year on, so that months stand beside the same months.
    """
    within, across = [], []
    start, end = pl.col("start"), pl.col("end")
    for name, span in spans.items():
        named = pl.lit(name).alias("span")
        cut = cells.filter((start >= span.start) & (end <= span.end)).with_columns(named)
        within.append(cut.with_columns(start.dt.offset_by("1y"), end.dt.offset_by("1y")) if name == PREVIOUS else cut)
        over = (start < span.end) & (end > span.start) & ~((start >= span.start) & (end <= span.end))
        across.append(cells.filter(over).with_columns(named))
    return pl.concat(within), pl.concat(across)


def quantities_of(snapshot: Snapshot) -> pl.DataFrame:
    """Sums, counts and latest publication of every observed quantity, control data included; one pass."""
    import narwhals as nw

    names = tuple(str(one["id"]) for one in (*snapshot.datasets, *snapshot.controls))
    frame = nw.from_native(snapshot.rows(names)).lazy()
    columns = frame.collect_schema().names()
    keys = [name for name in QUANTITY_KEYS if name in columns]
    grouped = frame.group_by(*keys).agg(
        nw.col("value").sum().alias("value"),
        nw.col("value").count().alias("values"),
        nw.len().alias("rows"),
        nw.col("known_at").max().alias("known_at"),
    )
    found = pl.DataFrame(grouped.collect(backend="polars").to_native())
    return found.with_columns(pl.when(pl.col("values") > 0).then(pl.col("value")).alias("value"))


QUANTITY_KEYS: Sequence[str] = (
    "dataset", "item", "place", "sector", "carrier", "process", "basis", "quality", "notation", "unit", "start", "end",
)  # fmt: skip
