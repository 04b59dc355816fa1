"""Energy beside the carbon account: consumption in standard coal (two conventions) and electricity used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from dualcarbon.core import units
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import worst
from dualcarbon.engine.calculation import OPEN_NOTATIONS
from dualcarbon.inventory.doubled import doubled
from dualcarbon.inventory.parts import NOW, OUTSIDE, PREVIOUS, SPLIT, areas_of
from dualcarbon.inventory.question import Query, areas_below, query
from dualcarbon.inventory.reported import Reported, compared, reported
from dualcarbon.inventory.stack import stacked
from dualcarbon.inventory.tables import ABSENT
from dualcarbon.inventory.views import View, doubtful_areas, results

ITEM = "energy.tce"
#: What is used, which standard coal counts of all carriers, and the carrier of it that is shown by itself.
USED, POWERED = "energy.consumption", "electricity"
SHORT = {
    "calorific": {"zh": "当量值", "en": "calorific value"},
    "equivalent": {"zh": "等价值", "en": "equivalent value"},
}
TCE = {"zh": "综合能源消费量", "en": "Energy consumption"}
TCE_NOTE = {
    "zh": "消费量减加工转换产出和回收利用；当量与等价不相加",
    "en": "consumption less transformation output and recovery; the two are never added",
}
POWER = {"zh": "用电量", "en": "Electricity used"}
#: A quantity, or a key that says there is none.
FIGURE = pl.col("value").is_not_null() | (
    pl.col("notation").is_not_null() & ~pl.col("notation").is_in(list(OPEN_NOTATIONS))
)
POWER_NOTE = {"zh": "含自发自用和线损", "en": "own generation and grid losses included"}


def energy(
    data: Any, *, period: str, place: str | None = None, tree: str = "admin", **chosen: Any
) -> list[dict[str, Any]]:
    """Energy figures of a place and period: ``[{title, status, note, values: [{title, value, unit, previous,
    change_percent, complete, explain}], doubled}]``; standard coal first (calorific and equivalent value), then
    electricity. `doubled`: what the figures count twice, as in an account."""
    found = []
    shown = []
    twice: list[dict[str, Any]] = []
    for basis in SHORT:
        q = query(data, place=place, period=period, tree=tree, basis=basis, **chosen)
        made = results({"total": View(stacked(q.snapshot, q.account, q.boundary, q.shares))}, q.spans)["total"]
        now, before = made[NOW].get((), ABSENT), made[PREVIOUS].get((), ABSENT)
        stack = stacked(q.snapshot, q.account, q.boundary, q.shares)
        lacks = reported(q)
        complete = bool(now["complete"]) and not lacks.late and not doubtful_areas(stack, q.period)
        shown.append(
            _value(SHORT[basis], now["value"], before["value"], q.account.unit, complete, q.explained(), lacks)
            | {"status": now["status"]}
        )
        twice += [one for one in doubled(q) if one not in twice]
    status = worst([one["status"] for one in shown]) if any(one["status"] for one in shown) else None
    found.append({"name": "tce", "title": TCE, "status": status, "note": TCE_NOTE, "values": shown, "doubled": twice})
    power = [one for one in twice if one["item"] == USED and all(row.get("carrier") == POWERED for row in one["rows"])]
    found.append(_electricity(q) | {"doubled": power})
    return found


def _value(
    title: dict[str, str],
    now: float | None,
    before: float | None,
    unit: str,
    complete: bool,
    explain: dict[str, Any],
    lacks: Reported,
) -> dict[str, Any]:
    """One figure; not compared where an area has figures of other months than the year before."""
    percent = None if now is None or not before or lacks.uneven else 100 * (now - before) / before
    return {"title": title, "value": now, "unit": unit, "previous": before, "change_percent": percent,
            "complete": complete, "explain": explain}  # fmt: skip


def _electricity(q: Query) -> dict[str, Any]:
    """Electricity consumed inside the boundary; shown as the sum of what was observed."""
    seen = _observed(q)
    now, before = (_consumed(q, seen, span) for span in (q.period, q.spans[PREVIOUS]))
    explain = q.explained(item=USED, carrier=POWERED)
    explain.pop("basis")
    lacks = _reported(q, seen)
    complete = now["complete"] and not lacks.late
    value = _value(POWER, now["value"], before["value"], "MWh", complete, explain, lacks)
    return {"name": "electricity", "title": POWER, "status": now["status"], "note": POWER_NOTE, "values": [value]}


def _observed(q: Query) -> pl.DataFrame:
    """Quantities of electricity used of the counted datasets, with their `area`: those about the entity, or inside or
    at the edge of the boundary."""
    counted = pl.col("dataset").is_in([str(one["id"]) for one in q.snapshot.datasets])
    wanted = counted & (pl.col("item") == USED) & (pl.col("carrier") == POWERED)
    if q.entity:
        whole = q.snapshot.whole or q.snapshot
        about = whole.by_entity().with_columns(pl.col(pl.Categorical).cast(pl.String)).filter(wanted)
        return about.filter(pl.col("entity") == q.entity).with_columns(pl.lit(q.entity).alias("area"))
    seen: pl.DataFrame = q.snapshot.once("electricity used", lambda: q.snapshot.quantities().filter(wanted))
    below = areas_below(q)
    boundary = replace(q.boundary, areas=tuple(below), whole=q.place) if below else q.boundary
    area = pl.col("place").replace_strict(areas_of(q.snapshot, boundary), default=OUTSIDE, return_dtype=pl.String)
    return seen.with_columns(area.alias("area")).filter(pl.col("area") != OUTSIDE)


def _consumed(q: Query, seen: pl.DataFrame, span: Period) -> dict[str, Any]:
    """What was used in a span of time; complete when nothing in it is open, reaches over its edge or the border's."""
    counted = {str(one["id"]): one.get("status") for one in q.snapshot.datasets}
    near = seen.filter((pl.col("start") < span.end) & (pl.col("end") > span.start))
    inside = near.filter((pl.col("start") >= span.start) & (pl.col("end") <= span.end) & (pl.col("area") != SPLIT))
    known = inside.filter(pl.col("value").is_not_null())
    sums = known.group_by("unit").agg(pl.col("value").sum()).rows()
    value = sum(amount * units.ratio(unit or "MWh", "MWh") for unit, amount in sums) if sums else None
    statuses = [counted[name] for name in known["dataset"].unique()]
    complete = inside.height == near.height and bool(inside.select(FIGURE.all()).item())
    return {"value": value, "complete": complete, "status": worst(statuses) if statuses else None}


def _reported(q: Query, seen: pl.DataFrame) -> Reported:
    """Which areas lack months of electricity used."""
    seen = seen.filter(pl.col("area") != SPLIT)
    names = seen["area"].unique().sort().to_list()
    number = seen["area"].cast(pl.Enum(names)).to_physical().to_numpy()
    return compared(names, number, seen.select("start", "end", FIGURE.alias("figure")), q.period)
