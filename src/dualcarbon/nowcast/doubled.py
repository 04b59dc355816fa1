"""What the quick-calc counts twice: one figure in two datasets, or a total beside its parts, as accounts say it."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core.classification import Classification, load
from dualcarbon.engine.doubled import clashes, told
from dualcarbon.engine.methods import find_method
from dualcarbon.engine.reduce import filtered
from dualcarbon.engine.snapshot import files
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City, Source


def of(workspace: Any, seen: City, span: Sequence[int], tree: str, book: Classification) -> list[dict[str, Any]]:
    """What is counted twice of the place of `seen`, in the consecutive months `span` (by number) and the year before
    the first, by which they are estimated; each as in :func:`dualcarbon.engine.doubled.told`."""
    first, last = seen.months[span[0]], seen.months[span[-1]]
    found = _found(cities.source(workspace, seen.version), seen.as_of)
    sides = [(one["part"]["place"], one["whole"]["place"]) for one in found]
    places = pl.Series(sorted({place for both in sides for place in both if place}), dtype=pl.String)
    inside = cities.areas(places, book, seen.place, tree, last)
    start, end = date(first.year - 1, first.month, 1), cities.month_after(last)
    return [
        told(one, book)
        for one, both in zip(found, sides, strict=True)
        if all(place in inside for place in both) and start <= max(one["start"], one["start_up"]) < end
    ]


@lru_cache(maxsize=4)
def _found(given: Source, day: date) -> list[dict[str, Any]]:
    """Pairs among the rows that are counted as known on a day, whatever place is asked for; the last few are kept."""
    book, rows = load(given.pack), given.rows(day).filter(cities.MONTHS)
    made = []
    for method, where in cities.PARTS.values():
        of_method = find_method(method, given.pack).method.rows
        frame = filtered(nw.from_native(rows).lazy(), of_method.item, of_method.where, where)
        made += clashes(frame, [of_method.item], book, files(given.workspace))
    return made
