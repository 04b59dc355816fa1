"""Official totals as hard constraints: a month of the cells is moved until it meets what was published.

Totals and targets are rows of datasets with the role `control`: item `emission.co2` of a place (and sector) by month
or by year; item `target.emission.co2` by year. A year's total is spread over its months by Denton–Cholette on the
months as counted and estimated, so months are re-benchmarked as soon as the year's truth arrives.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import figures, reconcile
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.shape import Array, denton_cholette

TOTAL, TARGET = "emission.co2", "target.emission.co2"
METHODS = ("raking", "least_squares", "none")
#: Relative standard error taken for a counted cell when cells are moved by least squares.
COUNTED = 0.02


class Official(NamedTuple):
    """One published figure: its item, place, sector ("" for all), period, value (t CO2), dataset and status."""

    item: str
    place: str
    sector: str
    start: date
    end: date
    value: float
    dataset: str
    status: str


def read(workspace: Any, seen: City, place: str) -> list[Official]:
    """Published totals and targets known on the day of `seen`, of `place` and of its areas."""
    control = {one["id"]: one for one in workspace.datasets() if one["role"] == "control"}
    if not control:
        return []
    rows = workspace.observations(datasets=list(control), known_at=seen.as_of, version=seen.version)
    found = rows.filter(f"item in ('{TOTAL}', '{TARGET}') and value is not null and carrier is null")
    asked = {place, *(cell[0] for cell in seen.cells)}
    made = []
    for item, where, sector, start, end, value, dataset in found.select(
        'item, place, sector, start, "end", value, dataset'
    ).fetchall():
        if where in asked:
            status = control[dataset].get("status") or "unverified"
            made.append(Official(item, where, sector or "", start, end, float(value), dataset, status))
    return sorted(made)


def target(officials: Sequence[Official], place: str, year: int) -> Official | None:
    """The year's target of `place`, where one was set."""
    mine = [one for one in officials if one.item == TARGET and one.place == place and not one.sector]
    return next((one for one in mine if one.start == date(year, 1, 1) and one.end == date(year + 1, 1, 1)), None)


def totals_of(
    seen: City, t: int, officials: Sequence[Official], place: str
) -> list[tuple[Official, np.ndarray, float]]:
    """Totals that bind month number `t`: the published figure, the cells (N,) it holds for, and the month's total."""
    month = seen.months[t]
    bound = []
    for one in officials:
        if one.item != TOTAL or not one.start <= month < one.end:
            continue
        mine = _cells(seen, one, place)
        if not mine.any():
            continue
        if (one.end - one.start).days <= 31:
            bound.append((one, mine, one.value))
            continue
        first = (one.start.year - seen.months[0].year) * 12 + one.start.month - seen.months[0].month
        if first < 0 or one.start.month != 1 or one.end != date(one.start.year + 1, 1, 1):
            continue
        months = np.array([_month(seen, s, mine) for s in range(first, min(first + 12, len(seen.months)))])
        if len(months) == 12:
            bound.append((one, mine, float(denton_cholette(np.array([[one.value]]), months[None])[0][t - first])))
    return bound


def _cells(seen: City, one: Official, place: str) -> np.ndarray:
    return np.array([
        (one.place in (place, cell[0])) and (not one.sector or one.sector == cell[1]) for cell in seen.cells
    ])  # fmt: skip


def _month(seen: City, t: int, mine: np.ndarray) -> float:
    known = figures.known(seen, t, mine)
    return known if known is not None else float(sum(part.value[mine].sum() for part in figures.estimated(seen, t)))


def moved(
    seen: City, t: int, value: Array, spread: Array, officials: Sequence[Official], place: str, method: str = "raking"
) -> tuple[Array, list[dict[str, Any]], np.ndarray]:
    """Cells (N,) of month number `t` moved to meet the official totals; what each total asked for; which cells it held.

    `value` (N,) are the cells' CO2, `spread` (N,) their standard errors (for `least_squares`). Nothing official: the
    cells come back as they are. Raises Refused when the totals contradict each other or ask for cells that are zero.
    """
    bound = totals_of(seen, t, officials, place) if method != "none" else []
    held = np.zeros((len(bound), len(value)), bool)
    if not bound:
        return value, [], held
    for k, (_, mine, _) in enumerate(bound):
        held[k] = mine
    asked = np.array([total for _, _, total in bound])
    try:
        if method == "raking":
            done = reconcile.rake(value, held.astype(float), asked, tolerance=1e-9)
        else:
            done = reconcile.least_squares(value, held.astype(float), asked, np.maximum(spread, COUNTED * value) ** 2)
    except reconcile.Irreconcilable as fault:
        names = "、".join(f"{bound[k][0].dataset} {bound[k][0].place}" for k in fault.totals)
        raise Refused(Problem("nowcast.totals-contradict", value=names, params={"why": str(fault)})) from fault
    told = []
    for one, mine, total in bound:
        before = float(value[mine].sum())
        told.append({
            "place": one.place, "sector": one.sector, "period": periods.text(one.start, one.end),
            "official": one.value, "month_total": total, "before": before, "moved": total - before,
            "moved_percent": 100 * (total / before - 1) if before else None, "dataset": one.dataset,
            "status": one.status,
        })  # fmt: skip
    return done.cells, told, held
