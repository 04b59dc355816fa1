"""Questions: the rows of a table that a question is about, found in one look at the whole and one at what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.methods import Where
from dualcarbon.engine.reduce import collected, condition

IN_MEMORY = 100_000  # rows up to which what was asked is read once and kept


class Ambiguous(Exception):
    """The question has several answers; ``choices`` are the options that would settle it, by option name."""

    def __init__(self, choices: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{name}: {', '.join(values)}" for name, values in choices.items()))
        self.choices = {name: list(values) for name, values in choices.items()}


@dataclass(frozen=True)
class Selection:
    """The rows that a question is about, the items among them, and the places whose rows the tree would have to split.

    ``frame``: the rows, in memory when they are few. ``split``: ``{place, rows}`` of what is left out.
    """

    frame: "nw.LazyFrame[Any]"
    items: frozenset[str]
    split: list[dict[str, Any]]


def select(
    frame: "nw.LazyFrame[Any]", names: Classification, question: Mapping[str, str], tree: str, where: Where | None
) -> Selection:
    """Rows that lie wholly in the asked place (of a tree), period, sector, carrier and entity.

    Raises Refused for a place that the pack does not know.
    """
    columns = set(frame.collect_schema().names())
    kept: list[Any] = []
    if question.get("period"):
        span = periods.parse(question["period"])
        kept += [nw.col("start") >= nw.lit(span.start), nw.col("end") <= nw.lit(span.end)]
    if question.get("entity") and "entity" in columns:
        kept.append(nw.col("entity") == question["entity"])
    kept += [condition(nw.col(column), wanted) for column, wanted in (where or {}).items() if column in columns]
    asked: dict[str, list[str]] = {}
    for dim, known in (("sector", names.sectors), ("carrier", names.carriers)):
        if question.get(dim) and dim in columns:
            code = known.find(question[dim]) or question[dim]
            asked[dim] = [one for one in known if code in (one, *known.ancestors(one))] if code in known else [code]
    crossing: list[str] = []
    if question.get("place"):
        asked["place"], crossing = _inside(question["place"], names, tree)
    look = [nw.col(dim).is_in([*codes, *(crossing if dim == "place" else [])]) for dim, codes in asked.items()]
    held = collected(_where(frame, [*kept, *look]).group_by("item", *asked).agg(nw.len().alias("rows")))
    over = held.filter(pl.col("place").is_in(crossing)) if crossing else held.clear()
    held = held.filter(~pl.col("place").is_in(crossing)) if crossing else held
    there = [nw.col(dim).is_in(held[dim].cast(pl.String).unique().to_list()) for dim in asked]
    frame = _where(frame, [*kept, *there])
    if held["rows"].sum() <= IN_MEMORY:
        frame = nw.from_native(collected(frame).lazy())
    split = over.group_by("place").agg(pl.col("rows").sum()).sort("place").to_dicts() if crossing else []
    return Selection(frame, frozenset(held["item"].to_list()), split)


def _where(frame: "nw.LazyFrame[Any]", conditions: list[Any]) -> "nw.LazyFrame[Any]":
    return frame.filter(*conditions) if conditions else frame


def _inside(text: str, names: Classification, tree: str) -> tuple[list[str], list[str]]:
    """Recorded places that lie wholly inside the asked one, and those that reach over its edge without holding it."""
    place = names.places.find(text)
    if place is None:
        raise Refused([Problem("engine.nothing-found", column="place", value=text, params={"question": text})])
    inside = names.places.leaves(place, tree)
    extents = {one: names.places.extent(one) for one in names.places}
    within = sorted(one for one, extent in extents.items() if extent <= inside)
    above = names.places.ancestors(place, tree)
    return within, sorted(one for one, extent in extents.items() if extent & inside and one not in (*within, *above))


def nothing(question: Mapping[str, str]) -> Refused:
    """Nothing answers the question."""
    text = ", ".join(f"{key} {value}" for key, value in question.items())
    return Refused([Problem("engine.nothing-found", params={"question": text})])
