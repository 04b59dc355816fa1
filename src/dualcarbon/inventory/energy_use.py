"""Energy beside the carbon account: consumption in standard coal (two conventions) and electricity used."""

from __future__ import annotations

from typing import Any

import polars as pl

from dualcarbon.core import units
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import worst
from dualcarbon.inventory.parts import NOW, OUTSIDE, PREVIOUS, SPLIT, areas_of
from dualcarbon.inventory.question import Query, query
from dualcarbon.inventory.stack import stacked
from dualcarbon.inventory.tables import ABSENT
from dualcarbon.inventory.views import View, doubtful_areas, results

ITEM = "energy.tce"
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
POWER_NOTE = {"zh": "含自发自用和线损", "en": "own generation and grid losses included"}


def energy(
    data: Any, *, period: str, place: str | None = None, tree: str = "admin", **chosen: Any
) -> list[dict[str, Any]]:
    """Energy figures of a place and period: ``[{title, status, note, values: [{title, value, unit, previous,
    change_percent, complete, explain}]}]``; standard coal first (calorific and equivalent value), then electricity."""
    found = []
    shown = []
    for basis in SHORT:
        q = query(data, place=place, period=period, tree=tree, basis=basis, **chosen)
        made = results({"total": View(stacked(q.snapshot, q.account, q.boundary, q.shares))}, q.spans)["total"]
        now, before = made[NOW].get((), ABSENT), made[PREVIOUS].get((), ABSENT)
        stack = stacked(q.snapshot, q.account, q.boundary, q.shares)
        complete = bool(now["complete"]) and not doubtful_areas(stack, q.period)
        shown.append(
            _value(SHORT[basis], now["value"], before["value"], q.account.unit, complete, q.explained())
            | {"status": now["status"]}
        )
    status = worst([one["status"] for one in shown]) if any(one["status"] for one in shown) else None
    found.append({"name": "tce", "title": TCE, "status": status, "note": TCE_NOTE, "values": shown})
    found.append(_electricity(q))
    return found


def _value(
    title: dict[str, str], now: float | None, before: float | None, unit: str, complete: bool, explain: dict[str, Any]
) -> dict[str, Any]:
    percent = None if now is None or not before else 100 * (now - before) / before
    return {"title": title, "value": now, "unit": unit, "previous": before, "change_percent": percent,
            "complete": complete, "explain": explain}  # fmt: skip


def _electricity(q: Query) -> dict[str, Any]:
    """Electricity consumed inside the boundary; shown as the sum of what was observed."""
    now, before = (_consumed(q, span) for span in (q.period, q.spans[PREVIOUS]))
    explain = q.explained(item="energy.consumption", carrier="electricity")
    explain.pop("basis")
    value = _value(POWER, now["value"], before["value"], "MWh", now["complete"], explain)
    return {"name": "electricity", "title": POWER, "status": now["status"], "note": POWER_NOTE, "values": [value]}


def _consumed(q: Query, span: Period) -> dict[str, Any]:
    counted = {str(one["id"]): one.get("status") for one in q.snapshot.datasets}
    seen = q.snapshot.quantities().filter(
        (pl.col("item") == "energy.consumption")
        & (pl.col("carrier") == "electricity")
        & pl.col("dataset").is_in(list(counted))
        & (pl.col("start") >= span.start)
        & (pl.col("end") <= span.end)
        & pl.col("value").is_not_null()
    )
    codes = {} if q.entity else areas_of(q.snapshot, q.boundary)
    inside = seen.filter(pl.col("place").is_in([code for code, area in codes.items() if area not in (OUTSIDE, SPLIT)]))
    inside = seen if q.entity else inside
    sums = inside.group_by("unit").agg(pl.col("value").sum()).rows()
    value = sum(amount * units.ratio(unit or "MWh", "MWh") for unit, amount in sums) if sums else None
    statuses = [counted[name] for name in inside["dataset"].unique()]
    complete = SPLIT not in {codes.get(code) for code in seen["place"].unique()}
    return {"value": value, "complete": complete, "status": worst(statuses) if statuses else None}
