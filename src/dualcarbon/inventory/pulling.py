"""Who pulled an account: the enterprises whose emission moved most against the year before, and what all others did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.inventory.accounts import head, outline
from dualcarbon.inventory.disclosure import custodies
from dualcarbon.inventory.parts import NOW, PREVIOUS
from dualcarbon.inventory.question import Query, query
from dualcarbon.inventory.reported import concerned, reported
from dualcarbon.inventory.stack import Stack, stacked
from dualcarbon.inventory.tables import ABSENT, DIMENSIONS
from dualcarbon.inventory.views import View, results

#: Kinds of entity that stand for many units or for none: estimates, never named as movers.
ESTIMATES = ("below-scale", "unsampled", "grid-loss")
TOP = 20


def top_movers(
    data: Any,
    *,
    sector: str | None = None,
    top: int = TOP,
    place: str | None = None,
    period: str,
    tree: str = "admin",
    basis: str | None = "B",
    **chosen: Any,
) -> dict[str, Any]:
    """The enterprises that moved a place's account (or one sector of it) most against the year before.

    ``{…, sector, unit, value, previous, change, change_percent, enterprises, rows, rest}``: `rows` from the largest
    |change| down with `change`, `pull_points` (拉动点数: per cent of the previous total), `status`, `custody` (who may
    use what stands behind it) and the query that opens the figure; `rest` is what everything else moved, so that both
    sum to the change. Estimates for units that nobody observed are in `rest`, and enterprises of an area that has not
    reported the same months of both years are not compared; then the whole has no change either. Raises Refused as
    ``account`` does.
    """
    q = query(data, place=place, period=period, tree=tree, basis=basis, **chosen)
    code = q.names.sectors.find(sector) if sector else None
    if sector and code is None:
        raise Refused(Problem("inventory.unknown-sector", value=sector))
    found = {**head(q), "unit": q.account.unit, "sector": code, "sector_name": _named(q, code), "synthetic": False}
    nothing = dict.fromkeys(("value", "previous", "change", "change_percent", "rest"))
    if q.unset:
        return {**found, **nothing, "enterprises": 0, "rows": []}
    stack = _stack(q, code)
    made = results({"total": View(stack), "entities": View(stack, ("entity",))}, q.spans)
    now, before = (made["total"][span].get((), ABSENT)["value"] for span in (NOW, PREVIOUS))
    every = _rows(q, made["entities"], before, code)
    named = [row for row in every if row.pop("kind") not in ESTIMATES]
    compared = [row for row in named if row["change"] is not None]
    rows = sorted(compared, key=lambda row: -abs(row["change"]))[:top]
    custody = custodies(q.snapshot)
    uneven = reported(q).uneven
    apart = concerned(q, ("sector",), uneven)((code,)) if code else bool(uneven)
    change = None if now is None or before is None or apart else now - before
    moved = sum(row["change"] for row in rows)
    rest = None if change is None else {"change": change - moved, "pull_points": _points(change - moved, before)}
    return {
        **found,
        "value": now,
        "previous": before,
        "change": change,
        "change_percent": None if change is None else _points(change, before),
        "synthetic": any(row["status"] == "synthetic" for row in rows),
        "enterprises": len(named),
        "rows": [{**row, "custody": custody.get(row["entity"], [])} for row in rows],
        "rest": rest,
    }


def movers(
    data: Any,
    *,
    grain: str = "sector",
    top: int = TOP,
    place: str | None = None,
    period: str,
    tree: str = "admin",
    basis: str | None = "B",
    **chosen: Any,
) -> list[dict[str, Any]]:
    """Who moved the total most against the year before: by sector, place, carrier … or by every `entity`.

    Rows from the largest |change| down, with `change`, `pull_points` and, for entities, `custody`.
    """
    asked = {"place": place, "period": period, "tree": tree, "basis": basis, **chosen}
    if grain == "entity":
        q = query(data, **asked)
        if q.unset:
            return []
        made = results({"total": View(_stack(q)), "entities": View(_stack(q), ("entity",))}, q.spans)
        custody = custodies(q.snapshot)
        before = sum(row["value"] or 0.0 for row in made["entities"][PREVIOUS].values())
        rows = [
            {key: value for key, value in row.items() if key != "kind"} | {"custody": custody.get(row["entity"], [])}
            for row in _rows(q, made["entities"], before, None)
        ]
    else:
        rows = outline(data, by=(grain,), **asked)["rows"]
    moved = [row for row in rows if row["change"] is not None]
    return sorted(moved, key=lambda row: -abs(row["change"]))[:top]


def sectors_of(data: Any, **asked: Any) -> list[str]:
    """Sectors of a place's account in which entities have data, by code."""
    q = query(data, **asked)
    if q.unset:
        return []
    stack = _stack(q)
    cells = stack.counted(q.period)
    held = cells.filter(pl.Series(stack.numbers(cells, "entity") > 0))
    return sorted(sector for sector in stack.held(held, DIMENSIONS["sector"]) if sector is not None)


def _stack(q: Query, sector: str | None = None) -> Stack:
    """The account with entities kept (an export counts for the supplier), of one sector if asked."""
    stack = stacked(q.snapshot, q.account, q.boundary, q.shares, by_entity=True)
    return stack if sector is None else stack.only({DIMENSIONS["sector"]: frozenset([sector])}, stack.absent.clear())


def _rows(
    q: Query, made: Mapping[str, Mapping[tuple[Any, ...], dict[str, Any]]], before: float | None, sector: str | None
) -> list[dict[str, Any]]:
    """What each entity contributes now and did a year before."""
    known = {row["code"]: row for row in q.snapshot.entities.iter_rows(named=True)}
    lacks = reported(q)
    found, uneven = [], concerned(q, ("entity",), lacks.uneven)
    for key in dict.fromkeys([*made[NOW], *made[PREVIOUS]]):
        row, old, code = made[NOW].get(key, ABSENT), made[PREVIOUS].get(key, ABSENT), key[0]
        if code is None:
            continue
        change = None if uneven(key) else (row["value"] or 0.0) - (old["value"] or 0.0)
        entity = known.get(code, {})
        more = {"sector": sector} if sector else {}
        found.append(
            {
                "entity": code,
                "name": dict.fromkeys(("zh", "en"), entity.get("name") or code),
                "kind": entity.get("kind"),
                "place": entity.get("place"),
                "sector": entity.get("sector"),
                "value": row["value"],
                "previous": old["value"],
                "change": change,
                "pull_points": None if change is None or lacks.holes else _points(change, before),
                "status": row["status"] or old["status"],
                "explain": q.explained(contributor=code, **more),
            }
        )
    return found


def _points(change: float, before: float | None) -> float | None:
    return 100 * change / before if before else None


def _named(q: Query, sector: str | None) -> dict[str, str] | None:
    return {lang: q.names.sectors.name(sector, lang) for lang in ("zh", "en")} if sector else None
