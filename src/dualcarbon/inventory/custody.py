"""Who may see which rows: a figure opens as far as the asker's custodies reach, and says what is withheld.

Identifiable statistical returns are not for everyone (Statistics Law of 2009, article 25). Rows of a custody that the
asker does not have are counted by custody, never shown. Where they come from one or two units, one of them outweighs
the rest, or the question names the unit, the figure itself would give it away: then it is not shown either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import CUSTODIES

LEAST, P_PERCENT = 3, 10.0
STOPPED = {
    "zh": "组成这个数的数据不足三家单位、一家占绝大部分，或指明了单位；按数据管理权限，到此为止。",
    "en": "Fewer than three units stand behind this figure, one outweighs the rest, or it names one: it stops here.",
}


def safe(units: Mapping[str, float]) -> bool:
    """May the sum of these units' amounts be told? Amounts of any one unit; their signs do not matter.

    At least three units, none of which another can tell to within p per cent (the p%-rule: Federal Committee on
    Statistical Methodology, Statistical Policy Working Paper 22). Both numbers are judgement, `unverified`.
    """
    amounts = sorted(map(abs, units.values()), reverse=True)
    return not amounts or (len(amounts) >= LEAST and sum(amounts[2:]) >= P_PERCENT / 100 * amounts[0])


@dataclass(frozen=True)
class Withheld:
    """Rows that the asker may not see, by custody, and what each unit behind them adds (any one unit of measure)."""

    rows: dict[str, int]
    units: dict[str, float]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.rows.values())

    def stops(self, entity: str | None) -> bool:
        """Would the figure give away what one of few units reported?"""
        return bool(self.total) and (entity is not None or not safe(self.units))


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


WHOSE = ("custody", "entity", "carrier", "unit")
KEPT = pl.Schema({**dict.fromkeys((*WHOSE, "item"), pl.String), "rows": pl.Int64, "value": pl.Float64})


def withheld(tables: Iterable[tuple[Any, str, Period | None]], custody: Collection[str]) -> Withheld:
    """What an asker may not see of these tables, each with the item and the span of time that is looked at.

    Units are weighed by their values where these are of one item, carrier and unit, else they are only counted.
    """
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
        summed = nw.len().alias("rows"), nw.col("value").sum().alias("value")
        present = [name for name in WHOSE if name in frame.collect_schema().names()]
        made = pl.DataFrame(frame.group_by(present).agg(*summed).collect(backend="polars").to_native())
        absent = [pl.lit(None).alias(name) for name in WHOSE if name not in present]
        found.append(made.with_columns(pl.lit(item).alias("item"), *absent).select(list(KEPT)).cast(KEPT))
    if not found:
        return Withheld({}, {})
    every = pl.concat(found)
    rows = every.group_by("custody").agg(pl.col("rows").sum()).sort("custody")
    named = every.filter(pl.col("entity").is_not_null())
    alike = named.select("item", "carrier", "unit").n_unique() == 1
    amount = pl.col("value").fill_null(0.0).sum() if alike else pl.lit(1.0).alias("value")
    amounts = named.group_by("entity").agg(amount)
    return Withheld(dict(rows.iter_rows()), dict(amounts.sort("entity").iter_rows()))


def limited(node: dict[str, Any], kept: Withheld, entity: str | None) -> dict[str, Any]:
    """The node with what is withheld said: `withheld` rows, `withheld_by` custody, `stopped` where it ends."""
    node |= {"withheld": kept.total, "withheld_by": kept.rows, "stopped": None}
    if not kept.stops(entity):
        return node
    lists = ("equations", "factors", "inputs", "children", "rows", "missing", "fallbacks")
    nothing = dict.fromkeys(("value", "low", "high", "uncertainty", "equation", "substituted"))
    return {**node, **nothing, **{name: [] for name in lists}, "next": {}, "stopped": STOPPED}
