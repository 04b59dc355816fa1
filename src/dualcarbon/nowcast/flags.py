"""What looks wrong in the latest months of the cells.

Months of which nothing has arrived, months not believed, late places, places that began or ceased to report, jumps of
carbon per kWh, divergence, new levels.
"""

from typing import Any

import numpy as np

from dualcarbon.nowcast import gaps, months
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.shape import Array

#: A departure is flagged beyond so many robust standard deviations, and beyond this factor.
DEVIATIONS, FACTOR = 6.0, 1.5
#: Cells below this share of the total are too small to be asked about.
SMALL = 5e-4
#: Fewer months than this before the month are said: growth on a year ago is then known for less than a year.
SHORT = 24
#: Months without any fuels, or any electricity, that are said: one or two late is how they usually come; so is a month
#: without both just after its end.
LATE, NOTHING = 3, 2
_SIGMA = 1.4826


def find(city: City, t: int | None = None) -> list[dict[str, Any]]:
    """Flags of month number `t` (default: the last), the largest cells first.

    Each is {rule, place, sector, month, value, usual}: `nowcast.no-data-since`, `-fuel-since`, `-power-since` (the
    month is the last that most cells have reported), `nowcast.negative-direct`, `-power` and
    `nowcast.doubtful-direct`, `-power` (months that cannot be right and were not used, until they are corrected),
    `nowcast.late-place`, `-power`, `-direct`, `nowcast.all-zero`, `nowcast.place-absent`, `nowcast.new-place`,
    `nowcast.place-ceased` (the month is the first or last of a place), `nowcast.short-history`,
    `nowcast.carbon-per-kwh` (CO2 of fuels per kWh against the cell's own year
    and, where known, the month a year before),
    `nowcast.divergence` (growth of fuels' CO2 against that of electricity), `nowcast.level-shift` (growth on a year ago
    of three months against the months before).
    """
    t = len(city.months) - 1 if t is None else t
    direct, power = city.direct[:, : t + 1], city.power[:, : t + 1]
    month = city.months[t].isoformat()[:7]
    size = np.nan_to_num(direct[:, -12:]).sum(1) + np.nan_to_num(city.indirect[:, : t + 1][:, -12:]).sum(1)
    told = _stopped(city, t)
    for doubt in city.doubts:
        if doubt.month <= city.months[t]:
            where, what, _ = city.cells[doubt.cell]
            told.append((float("inf"), {"rule": f"nowcast.{'negative' if doubt.negative else 'doubtful'}-{doubt.part}",
                                        "place": where, "sector": what, "month": doubt.month.isoformat()[:7],
                                        "value": doubt.value, "usual": 0.0}))  # fmt: skip
    for place in sorted({cell[0] for cell in city.cells}):
        mine = np.array([cell[0] == place for cell in city.cells])
        lost = ~np.isfinite(power[mine, t])
        if lost.mean() > 0.5 and not mine.all() and np.isfinite(power[~mine, t]).mean() > 0.5:
            told.append((float("inf"), {"rule": "nowcast.late-place", "place": place, "sector": "", "month": month,
                                        "value": float(lost.mean()), "usual": 0.0}))  # fmt: skip
    told += _silent(city, t, month, size)
    with np.errstate(all="ignore"):
        ratio = np.log(np.where(direct > 0, direct, np.nan) / np.where(power > 0, power, np.nan))
    now, usual, odd = _against(ratio[:, max(t - 12, 0) : t], ratio[:, t])
    grown = ratio[:, t] - ratio[:, t - 12] if t >= 12 else np.full(len(ratio), np.nan)
    # What departs from its own year as it did a year ago is a season.
    found = [("nowcast.carbon-per-kwh", now, usual, odd & ~(np.abs(grown) <= np.log(FACTOR)))]
    if t >= 12:
        with np.errstate(all="ignore"):
            yearly = np.log(direct[:, 12:] / direct[:, :-12])
        yearly = np.where(np.isfinite(yearly), yearly, np.nan)
        found.append(("nowcast.divergence", *_pooled(grown)))
        if yearly.shape[1] >= 9:
            found.append(("nowcast.level-shift", *_against(yearly[:, :-3], _middle(yearly[:, -3:]))))
    for rule, now, usual, odd in found:
        for k in np.nonzero(odd & (size > SMALL * size.sum()))[0].tolist():
            place, sector, _ = city.cells[k]
            flag = {"rule": rule, "place": place, "sector": sector, "month": month}
            told.append((float(size[k]), {**flag, "value": float(np.exp(now[k])), "usual": float(np.exp(usual[k]))}))
    return [flag for _, flag in sorted(told, key=lambda one: -one[0])]


def _stopped(city: City, t: int) -> list[tuple[float, dict[str, Any]]]:
    """That nothing has arrived for some months, and places that began or ceased to report in the last year."""
    told: list[tuple[float, dict[str, Any]]] = []

    def tell(rule: str, place: str, since: int, value: float) -> None:
        month = city.months[since].isoformat()[:7]
        told.append((float("inf"), {"rule": f"nowcast.{rule}", "place": place, "sector": "", "month": month,
                                    "value": value, "usual": 0.0}))  # fmt: skip

    away = {name: months.away(part, t) for name, part in (("fuel", city.direct), ("power", city.power))}
    nearest = min(away.values())
    if NOTHING <= nearest <= t:
        tell("no-data-since", city.place, t - nearest, float(nearest))
    for name, count in away.items():
        if max(LATE, nearest + 1) <= count <= t:
            tell(f"no-{name}-since", city.place, t - count, float(count))
    for one in gaps.unlike(city, range(max(t - 23, 0), t + 1)):
        tell("new-place" if one.began else "place-ceased", one.place, one.month, 0.0)
    return told


def _silent(city: City, t: int, month: str, size: Array) -> list[tuple[float, dict[str, Any]]]:
    """Single cells that are late, cells of zeros, areas that never reported, and a history that is too short."""
    told: list[tuple[float, dict[str, Any]]] = []

    def tell(rule: str, place: str, sector: str, value: float, weight: float) -> None:
        told.append((weight, {"rule": f"nowcast.{rule}", "place": place, "sector": sector, "month": month,
                              "value": value, "usual": 0.0}))  # fmt: skip

    places = city.places
    for rule, part in (("late-power", city.power), ("late-direct", city.direct)):
        lost = ~np.isfinite(part[:, t])
        if 0 < lost.mean() < 0.5:
            share = np.bincount(places, lost) / np.bincount(places)
            for k in np.nonzero(lost & (share[places] <= 0.5) & (size > SMALL * size.sum()))[0].tolist():
                tell(rule, city.cells[k][0], city.cells[k][1], 1.0, float(size[k]))
    for place, sector, _ in city.zeros:
        tell("all-zero", place, sector, 0.0, 0.0)
    for place in city.absent:
        tell("place-absent", place, "", 0.0, float("inf"))
    if t < SHORT:
        tell("short-history", city.place, "", float(t), float("inf"))
    return told


def _middle(values: Array) -> Array:
    known = np.isfinite(values).any(1)
    out = np.full(len(values), np.nan)
    out[known] = np.nanmedian(values[known], 1)
    return out


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
