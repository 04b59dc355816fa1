"""The account over time and over the map: one row per step, one row per area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dualcarbon.core import units
from dualcarbon.core.covering import uppermost
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.inventory.parts import NOW, PREVIOUS, UNPLACED, Boundary, areas_of
from dualcarbon.inventory.question import Query, areas_below, located, query, settled_by, stack_of
from dualcarbon.inventory.reported import concerned, reported
from dualcarbon.inventory.stack import stacked
from dualcarbon.inventory.tables import ABSENT, DIMENSIONS, UNPLACED_NAME, names_of
from dualcarbon.inventory.views import Rows, View, doubtful_areas, results

STEPS = ("year", "quarter", "month")


def series(
    data: Any,
    *,
    place: str | None = None,
    periods: str,
    step: str = "month",
    tree: str = "admin",
    basis: str | None = "B",
    by: Sequence[str] = (),
    **chosen: Any,
) -> list[dict[str, Any]]:
    """The account step by step (month | quarter | year): one row per step and value of `by`, in order of time.

    Rows have `period`, the dimensions, `value`, `low`, `high`, `status`, `complete`; steps without data have no row.
    A record that is longer than the step keeps its own period (January–February).
    """
    if step not in STEPS:
        raise Refused(Problem("inventory.unknown-dimension", value=step, params={"known": ", ".join(STEPS)}))
    by = settled_by(by)
    q = query(data, place=place, period=periods, tree=tree, basis=basis, compare=False, partly=True, **chosen)
    if q.unset:
        return []
    return series_rows(q, step, by, results({"series": series_view(q, step, by)}, q.spans)["series"])


def series_view(q: Query, step: str, by: Sequence[str] = ()) -> View:
    """The view that a series is made of."""
    stack = stack_of(q)
    if "place" in by and not q.entity:
        boundary = Boundary(tuple(children(q)), whole=q.place, tree=q.tree, at=q.boundary.at)
        stack = stacked(q.snapshot, q.account, boundary, q.shares)
    return View(stack, (DIMENSIONS[step], *(DIMENSIONS[name] for name in by)), spans=q.spans)


def series_rows(q: Query, step: str, by: Sequence[str], made: Rows) -> list[dict[str, Any]]:
    """The rows of a series from what its view gave."""
    found, late = [], concerned(q, (step, *by), reported(q).late)
    for key, row in made[NOW].items():
        dims = {name: None if code == UNPLACED else code for name, code in zip(by, key[1:], strict=True)}
        names = q.named(dict(zip(by, key[1:], strict=True)))
        cell = {name: row[name] for name in ("value", "low", "high", "status", "complete")}
        cell["complete"] = cell["complete"] and not late(key)
        where = {name: code for name, code in dims.items() if name == "place"}
        shown = {name: code or "" for name, code in dims.items() if name != "place"}
        found.append(
            {"period": key[0], step: key[0], **dims, **({"name": names} if by else {}), **cell,
             "explain": q.explained(**shown, **located({**where, step: key[0]}, q.period))}
        )  # fmt: skip
    return sorted(found, key=lambda row: (row["period"], *(str(row[name]) for name in by)))


def children(q: Query) -> list[str]:
    """Areas directly below the asked place in the asked tree; the place itself where there are none."""
    return areas_below(q) or [q.place]


def areas(
    data: Any,
    *,
    place: str | None = None,
    period: str,
    tree: str = "admin",
    basis: str | None = "B",
    **chosen: Any,
) -> list[dict[str, Any]]:
    """One row per area below the place: value, interval, change, and intensity (tCO2 per 万元) where GDP is known.

    Areas sum to the place; what cannot be attributed to one has a row of its own (`place` None).
    """
    q = query(data, place=place, period=period, tree=tree, basis=basis, **chosen)
    return [] if q.unset else area_rows(q, results({"areas": area_view(q)}, q.spans)["areas"])


def area_view(q: Query) -> View:
    """The view that the rows of areas are made of."""
    boundary = Boundary(tuple(children(q)), whole=q.place, tree=q.tree, at=q.boundary.at)
    return View(stacked(q.snapshot, q.account, boundary, q.shares), ("area",))


def area_rows(q: Query, made: Rows) -> list[dict[str, Any]]:
    """One row per area from what its view gave."""
    below, stack = children(q), area_view(q).stack
    boundary = Boundary(tuple(below), whole=q.place, tree=q.tree, at=q.boundary.at)
    rows = {span: {key[0]: row for key, row in made[span].items()} for span in (NOW, PREVIOUS)}
    doubtful = doubtful_areas(stack, q.period)
    gdp = q.snapshot.once(("gdp", boundary, q.period), lambda: _gdp(q, below))
    found, lacks = [], reported(q)
    for code in [*below, *({UNPLACED} & {*rows[NOW], *rows[PREVIOUS]})]:
        row, before = rows[NOW].get(code, ABSENT), rows[PREVIOUS].get(code, ABSENT)
        same = row["value"] is not None and before["value"] is not None and code not in lacks.uneven
        change = row["value"] - before["value"] if same else None
        name = UNPLACED_NAME if code == UNPLACED else names_of("place", code, q.names)
        economy = gdp.get(code) if row["value"] is not None and code not in lacks.blank else None
        product = gdp[code]["value"] if code in gdp else None
        found.append(
            {
                "place": None if code == UNPLACED else code,
                "name": name,
                "value": row["value"],
                "low": row["low"],
                "high": row["high"],
                "status": row["status"],
                "complete": False if code in lacks.late else row["complete"] and code not in doubtful,
                "previous": before["value"],
                "change": change,
                "change_percent": 100 * change / before["value"] if change is not None and before["value"] else None,
                "gdp": product,
                "intensity": row["value"] / product if economy and product else None,
                "intensity_unit": "tCO2/wan_CNY",
                "intensity_status": worst([row["status"], economy["status"]])
                if economy and product and row["status"]
                else None,
                "explain": q.explained(**located({"place": None if code == UNPLACED else code}, q.period)),
            }
        )
    return found


def _gdp(q: Query, areas: Sequence[str]) -> dict[str, dict[str, Any]]:
    """GDP (wan_CNY) of each area and exactly the asked period, with the weakest status behind it.

    A published figure of the area comes first; a county's figure is not that of the management area of the same name
    (`basis` management). Else the sum of what the counted datasets hold for the places inside, when every place that
    reports covers the whole period; a place's own figures and those of its parts are never added.
    """
    known = (pl.col("item") == "economy.gdp") & pl.col("value").is_not_null()
    gdp: pl.DataFrame = q.snapshot.once("gdp", lambda: q.snapshot.quantities().filter(known))
    seen = gdp.filter((pl.col("start") >= q.period.start) & (pl.col("end") <= q.period.end))
    if not seen.height:
        return {}
    status = {str(one["id"]): one.get("status") for one in (*q.snapshot.datasets, *q.snapshot.controls)}
    boundary = Boundary(tuple(areas), whole=q.place, tree=q.tree, at=q.boundary.at)
    inside = areas_of(q.snapshot, boundary)
    found: dict[str, dict[str, Any]] = {}
    whole = seen.filter((pl.col("start") == q.period.start) & (pl.col("end") == q.period.end))
    for row in whole.sort("known_at", "dataset", nulls_last=False).iter_rows(named=True):
        code = row["place"]
        if code not in areas:
            continue
        own_tree = q.names.places.extent(code) == q.names.places.leaves(code, q.tree, q.boundary.at)
        if (row["basis"] == "management") == (q.tree == "management") or (row["basis"] is None and own_tree):
            value = row["value"] * units.ratio(row["unit"], "wan_CNY")
            found[code] = {"value": value, "status": status.get(row["dataset"])}
    counted = seen.filter(pl.col("dataset").is_in([str(one["id"]) for one in q.snapshot.datasets]))
    counted = counted.filter(pl.col("place").is_in([code for code, where in inside.items() if where in areas]))
    for area in areas:
        within = counted.filter(pl.col("place").is_in([code for code, where in inside.items() if where == area]))
        within, short = uppermost(within, q.names, q.period)
        days = within.group_by("place").agg((pl.col("end") - pl.col("start")).dt.total_days().sum().alias("days"))
        if area in found or short or not days.height or set(days["days"]) != {(q.period.end - q.period.start).days}:
            continue
        value = sum(row["value"] * units.ratio(row["unit"], "wan_CNY") for row in within.iter_rows(named=True))
        found[area] = {"value": value, "status": worst(status.get(name) for name in within["dataset"].unique())}
    return found
