"""Who may see which rows: a figure opens as far as the asker's custodies reach, and says what is withheld.

Identifiable statistical returns are not for everyone (Statistics Law of 2009, article 25). Rows of a custody that the
asker does not have are counted by custody, never shown. Where they come from one or two units, or the question names
the unit, the figure itself would give them away: then it is not shown either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import CUSTODIES

LEAST = 3
STOPPED = {
    "zh": "组成这个数的数据不足三家单位，或指明了单位；按数据管理权限，到此为止。",
    "en": "Fewer than three units stand behind this figure, or it names one: it stops here at what you may see.",
}


@dataclass(frozen=True)
class Withheld:
    """Rows that the asker may not see, by custody, and how many units they come from."""

    rows: dict[str, int]
    units: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.rows.values())

    def stops(self, entity: str | None) -> bool:
        """Would the figure give away what one of few units reported?"""
        return bool(self.total) and (entity is not None or 0 < self.units < LEAST)


def settled(custody: str | Collection[str] | None) -> tuple[str, ...] | None:
    """The custodies that an asker has, public ones always; None is all. Raises Refused for one that is not known."""
    if custody is None:
        return None
    given = custody.split(",") if isinstance(custody, str) else custody
    names = tuple(dict.fromkeys(name.strip() for name in given if name.strip()))
    unknown = [name for name in names if name not in CUSTODIES]
    if unknown:
        raise Refused([Problem("core.unknown-custody", value=name) for name in unknown])
    return tuple(dict.fromkeys((*names, "public")))


def withheld(tables: Iterable[tuple[Any, str, Period | None]], custody: Collection[str]) -> Withheld:
    """What an asker may not see of these tables, each with the item and the span of time that is looked at."""
    import narwhals as nw

    found = []
    for table, item, span in tables:
        frame = nw.from_native(table).lazy()
        if "custody" not in frame.collect_schema().names():
            continue
        frame = frame.filter((nw.col("item") == item) & ~nw.col("custody").is_in(list(custody)))
        frame = frame.filter(~nw.col("custody").is_null())
        if span is not None:
            frame = frame.filter((nw.col("start") >= nw.lit(span.start)) & (nw.col("end") <= nw.lit(span.end)))
        grouped = frame.group_by("custody", "entity").agg(nw.len().alias("rows"))
        made = pl.DataFrame(grouped.collect(backend="polars").to_native())
        found.append(made.cast({"custody": pl.String, "entity": pl.String, "rows": pl.Int64}))
    if not found:
        return Withheld({}, 0)
    every = pl.concat(found)
    rows = every.group_by("custody").agg(pl.col("rows").sum()).sort("custody")
    return Withheld(dict(rows.iter_rows()), every["entity"].drop_nulls().n_unique())


def limited(node: dict[str, Any], kept: Withheld, entity: str | None) -> dict[str, Any]:
    """The node with what is withheld said: `withheld` rows, `withheld_by` custody, `stopped` where it ends."""
    node |= {"withheld": kept.total, "withheld_by": kept.rows, "stopped": None}
    if not kept.stops(entity):
        return node
    lists = ("equations", "factors", "inputs", "children", "rows", "missing", "fallbacks")
    nothing = dict.fromkeys(("value", "low", "high", "uncertainty", "equation", "substituted"))
    return {**node, **nothing, **{name: [] for name in lists}, "next": {}, "stopped": STOPPED}
