"""Value added of the sectors of a place in two periods, from the areas and sectors that cover both."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.nowcast import city as cities

#: The most general first; the others only where they cover more sectors than one that does not cover all it has.
ITEMS = ("economy.value_added", "economy.industrial_value_added_above_scale")
SCHEMA = {"place": pl.String, "sector": pl.String, "when": pl.String, "value": pl.Float64, "item": pl.String}
#: Whether an area's sector has no energy in a month.
Idle = Callable[[str, str, date], bool]


class Added(NamedTuple):
    """Value added by `place`, `sector` and period (`when`), with its `item`; the pairs of place and sector that do not
    cover both periods and were left out; and the names of sectors that are `coarser` or `finer` than those by which
    energy is reported, whose value added stands for none of them."""

    rows: pl.DataFrame
    left: list[tuple[str, str]]
    coarser: list[dict[str, str]]
    finer: list[dict[str, str]]

    @property
    def item(self) -> str | None:
        return self.rows["item"][0] if self.rows.height else None


def read(
    rows: Any, book: Classification, place: str, tree: str, spans: Mapping[str, periods.Period],
    without: Collection[str], idle: Idle, energy: Collection[str],
) -> Added:  # fmt: skip
    """Value added inside `place`, but for the areas `without`; no rows where none covers both periods of a sector by
    which `energy` is reported.

    Months without value added count as none where the sector is `idle` in the area: it has begun or ceased. Where a
    place has a sector's value added itself, that of its parts is not added to it.
    """
    read: list[Added] = []
    for item in ITEMS:
        read.append(_of(rows, book, place, tree, spans, without, idle, item))
        if _matched(read[-1], energy) and not read[-1].left:
            chosen = read[-1]
            break
    else:
        chosen = max(read, key=lambda one: _matched(one, energy))
    given = {sector for one in read for sector in one.rows["sector"]} - set(energy)
    over = {up for sector in energy for up in book.sectors.ancestors(sector)} & given
    under = {sector for sector in given if set(book.sectors.ancestors(sector)) & set(energy)}
    coarser, finer = ([{lang: book.sectors.name(one, lang) for lang in ("zh", "en")} for one in sorted(codes)]
                      for codes in (over, under))  # fmt: skip
    rows = chosen.rows if _matched(chosen, energy) else chosen.rows.clear()
    return Added(rows, chosen.left, coarser, finer)


def _matched(added: Added, energy: Collection[str]) -> int:
    """Number of sectors with value added by which energy is reported."""
    return len({*added.rows["sector"]} & {*energy})


def _of(
    rows: Any, book: Classification, place: str, tree: str, spans: Mapping[str, periods.Period],
    without: Collection[str], idle: Idle, item: str,
) -> Added:  # fmt: skip
    within = " or ".join(f"(start >= '{span.start}' and \"end\" <= '{span.end}')" for span in spans.values())
    query = f"item = '{item}' and value is not null and sector is not null and ({within})"
    given = rows.filter(query).aggregate('place, sector, start, "end", sum(value) as value').pl()
    areas = cities.areas(given["place"], book, place, tree, spans["after"].start)
    found: dict[tuple[str, str], list[tuple[date, date, float]]] = {}
    for where, sector, start, end, value in given.select("place", "sector", "start", "end", "value").iter_rows():
        if areas.get(where) not in (None, *without):
            found.setdefault((where, sector), []).append((start, end, value))
    kept, left = [], []
    for (where, sector), parts in sorted(found.items()):
        sums = {name: _through(parts, span, areas[where], sector, idle) for name, span in spans.items()}
        if None in sums.values():
            left.append((where, sector))
        else:
            kept += [(where, sector, name, value, item) for name, value in sums.items()]
    whole = {(where, sector) for where, sector, *_ in kept}
    kept = [row for row in kept if not any((up, row[1]) in whole for up in book.places.path(row[0], tree)[1:])]
    return Added(pl.DataFrame(kept, schema=SCHEMA, orient="row"), left, [], [])


def _through(
    rows: list[tuple[date, date, float]], span: periods.Period, area: str, sector: str, idle: Idle
) -> float | None:
    """The sum of the periods that follow each other through all of `span`, long ones first, but for idle months; None
    where they do not."""
    at, total = span.start, 0.0
    while at < span.end:
        here = [one for one in rows if one[0] == at and one[1] <= span.end]
        if here:
            _, at, value = max(here, key=lambda one: one[1])
            total += value
        elif idle(area, sector, at):
            at = date(at.year + at.month // 12, at.month % 12 + 1, 1)
        else:
            return None
    return total
