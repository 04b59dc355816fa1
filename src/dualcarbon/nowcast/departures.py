"""Cells whose latest months depart from their own past: jumps of carbon per kWh, divergence, new levels."""

from typing import Any

import numpy as np

from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.panel import middle

#: A departure is flagged beyond so many robust standard deviations, and beyond this factor.
DEVIATIONS, FACTOR = 6.0, 1.5
#: Months of a year; months of growth before a change of level, and months since, without which none is told.
YEAR, BEFORE, STAYED = 12, 6, 3
_SIGMA = 1.4826


def departed(city: City, t: int, large: np.ndarray) -> list[tuple[int, dict[str, Any]]]:
    """Cells whose fuels' CO2 per MWh is out of the ordinary in month number `t`, with their flags.

    Out of the ordinary is what departs from the cell's own year and is no season of it, or has changed on a year before
    by far more than other cells have: on the month, and on the middle of three, for one wrong month is not told again a
    year later. `by` says which part departs, fuels or electricity; `size` is its departure.
    """
    with np.errstate(all="ignore"):
        fuels, power = (np.log(np.where(part > 0, part, np.nan))[:, : t + 1] for part in (city.direct, city.power))
    ratio = fuels - power
    now, usual, odd = _against(ratio[:, max(t - YEAR, 0) : t], ratio[:, t])
    same = ratio[:, t - YEAR] if t >= YEAR else np.full(len(ratio), np.nan)
    odd &= ~(np.abs(now - same) <= np.log(FACTOR))  # what departs as it did a year ago is a season
    grown = now - _year_before(ratio, t)
    _, common, apart = _pooled(grown)
    apart &= _pooled(now - same)[2]
    flags = []
    for k in np.nonzero((odd | apart) & large)[0].tolist():
        one = [part[[k], max(t - YEAR, 0) : t] for part in (fuels, power)]
        off = [float(part[k, t] - _middle(past)[0]) for part, past in zip((fuels, power), one, strict=True)]
        if not odd[k]:
            off = [float(part[k, t] - _year_before(part, t)[k]) for part in (fuels, power)]
        expected = float(usual[k]) if odd[k] else float(now[k] - grown[k] + common[k])
        value, normal = float(np.exp(now[k])), float(np.exp(expected))
        by = "direct" if abs(off[0]) >= abs(off[1]) else "power"
        size = city.direct[k, t] * (1 - normal / value)
        if by == "power":
            size = city.indirect[k, t] * (1 - value / normal)
        flags.append((k, {"rule": "nowcast.carbon-per-kwh" if odd[k] else "nowcast.divergence", "by": by,
                          "month": city.months[t].isoformat()[:7], "value": value, "usual": normal,
                          "size": float(size)}))  # fmt: skip
    return flags


def _year_before(values: Array, t: int) -> Array:
    """The middle of the three months of `values` (N, T) about that a year before month number `t` (N,); NaN: none."""
    if t < YEAR:
        return np.full(len(values), np.nan)
    return _middle(values[:, max(t - YEAR - 1, 0) : t - YEAR + 2])


def shifted(city: City, t: int, large: np.ndarray) -> list[tuple[int, dict[str, Any]]]:
    """Cells whose fuels' CO2 has had another level for at least `STAYED` months and at most a year, with their flags.

    Growth on a year ago has to have changed, by which seasons are none, and the level with it: the echo of a change of
    a year before changes growth, not the level.
    """
    if t < YEAR + BEFORE + STAYED - 1:
        return []
    cells = np.nonzero(large)[0]
    if not len(cells):
        return []
    direct = city.direct[cells, : t + 1]
    with np.errstate(all="ignore"):
        level = np.log(np.where(direct > 0, direct, np.nan))
    growth = np.full_like(level, np.nan)
    growth[:, YEAR:] = level[:, YEAR:] - level[:, :-YEAR]
    best, since = np.full(len(level), np.inf), np.zeros(len(level), int)
    for s in range(max(t - YEAR - STAYED, YEAR + BEFORE), t - STAYED + 2):
        misses = [np.abs(part - _middle(part)[:, None]) for part in (growth[:, YEAR:s], growth[:, s:])]
        cost = np.nansum(np.concatenate(misses, 1), 1)
        better = cost < best
        best, since = np.where(better, cost, best), np.where(better, s, since)
    flags = []
    for k in np.nonzero(np.isfinite(best) & (since > t - YEAR))[0].tolist():
        s = int(since[k])
        now, usual, odd = _against(growth[[k], YEAR:s], _middle(growth[[k], s:]))
        moved = float(now[0] - usual[0])
        stepped = float(_middle(level[[k], s:])[0] - _middle(level[[k], s - YEAR : s])[0])
        if not odd[0] or np.isfinite(growth[k, s:]).sum() < STAYED or stepped / moved < 0.5:
            continue
        before, after = (float(np.nanmean(direct[k, first:end])) for first, end in ((s - YEAR, s), (s, t + 1)))
        flags.append((int(cells[k]), {"rule": "nowcast.level-shift", "month": city.months[s].isoformat()[:7],
                          "until": city.months[t].isoformat()[:7], "value": after, "usual": before,
                          "size": after - before}))  # fmt: skip
    return flags


def by_place(
    city: City, told: list[tuple[float, dict[str, Any]]], large: np.ndarray
) -> list[tuple[float, dict[str, Any]]]:
    """Flags of cells with their sizes, changes of level of most of a place's `large` cells (N,) in one month as one
    `nowcast.level-place`."""
    live = large & (np.nan_to_num(city.direct) > 0).any(1)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _, flag in told:
        if flag["rule"] == "nowcast.level-shift":
            groups.setdefault((flag["place"], flag["month"]), []).append(flag)
    for (place, _), same in groups.items():
        number = sum(cell[0] == place for cell, one in zip(city.cells, live, strict=True) if one)
        if len(same) <= max(number / 2, 2):
            continue
        sums = {name: sum(flag[name] for flag in same) for name in ("value", "usual", "size")}
        kept = {name: same[0][name] for name in ("place", "month", "until")}
        told = [one for one in told if not any(one[1] is flag for flag in same)]
        told.append((float("inf"), {"rule": "nowcast.level-place", "sector": "", **kept, **sums, "count": len(same)}))
    return told


def _middle(values: Array) -> Array:
    return middle(values, np.nan)


def _against(past: Array, now: Array) -> tuple[Array, Array, np.ndarray]:
    """`now` (N,), its usual value in `past` (N, K), and where it departs from that."""
    usual = _middle(past)
    spread = _SIGMA * _middle(np.abs(past - usual[:, None]))
    odd = np.abs(now - usual) > np.maximum(DEVIATIONS * spread, np.log(FACTOR))
    return now, usual, odd & np.isfinite(now) & (np.isfinite(past).sum(1) >= 6)


def _pooled(now: Array) -> tuple[Array, Array, np.ndarray]:
    """`now` (N,), the middle of all cells, and where it departs from that."""
    known = now[np.isfinite(now)]
    if len(known) < 6:
        return now, np.full(len(now), np.nan), np.zeros(len(now), bool)
    usual = float(np.median(known))
    spread = _SIGMA * float(np.median(np.abs(known - usual)))
    odd = np.abs(now - usual) > max(DEVIATIONS * spread, np.log(FACTOR))
    return now, np.full(len(now), usual), odd & np.isfinite(now)
