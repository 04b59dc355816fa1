"""What looks wrong in the latest months of the cells.

Months of which nothing has arrived, months not believed, late places, places that began or ceased to report, jumps of
carbon per kWh, divergence, new levels.
"""

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from dualcarbon.nowcast import departures, gaps, months
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.departures import YEAR
from dualcarbon.nowcast.months import SHORT
from dualcarbon.nowcast.panel import middle
from dualcarbon.nowcast.screening import Doubt

#: Cells below this share of the total are too small to be asked about.
SMALL = 5e-4
#: Departures below this share of a month's total are too small to be asked about.
SLIGHT = 1e-4
#: Months without any fuels, or any electricity, that are said: one or two late is how they usually come; so is a month
#: without both just after its end.
LATE, NOTHING = 3, 2
#: Flags of what has no figure of its own to open.
WITHOUT = ("nowcast.place-absent", "nowcast.total-no-cells", "nowcast.total-no-months", "nowcast.total-not-months")
#: What has not arrived, as it is said.
PARTS = {"power": {"zh": "用电", "en": "electricity"}, "direct": {"zh": "燃料", "en": "fuels"}}
_NODE = re.compile(r"nowcast\.(level-shift|carbon-per-kwh|divergence|(negative|doubtful|zero)-(direct|power))")
_LATE = re.compile(r"nowcast\.late-(place|power|direct)")


def find(city: City, t: int | None = None) -> list[dict[str, Any]]:
    """Flags of month number `t` (default: the last), the largest cells first: one for each thing to be checked.

    Each is {rule, place, sector, month, value, usual}: `nowcast.no-data-since`, `-fuel-since`, `-power-since` (the
    month is the last that most cells have reported; `others`: some places have since), `nowcast.negative-direct`,
    `-power` and `nowcast.doubtful-direct`, `-power`, `nowcast.zero-direct`, `-power` (`months` that cannot be right and
    were not used, until they are corrected), the same of most cells of a place at once as `nowcast.doubtful-place`
    (`parts`: what was reported and what is usual in the last of the `months`; value and usual are those of the first
    part) and `nowcast.zero-place` (the value is how many cells were reported as zero), `nowcast.late-place` (`lost`:
    the months by part), `nowcast.late-power`, `-direct` (single cells), `nowcast.all-zero` (of a cell, or of a place of
    which all are), `nowcast.place-absent`, `nowcast.never-direct`, `-power` (of a place), `nowcast.new-place`,
    `nowcast.place-back`, `-ceased` (the month is the first or last of a place), `nowcast.short-history` (the value is
    how many months are known before, fewer than `SHORT`); and of a cell, once with all that it was found by (`causes`),
    and with its `size` in t CO2: `nowcast.level-shift` (the month from which on its fuels have another level; value and
    usual are t CO2 a month since, `until` the month looked at, and before), `nowcast.carbon-per-kwh` (t CO2 of fuels
    per MWh against the cell's own year and, where known, the same season a year before), `nowcast.divergence` (the same
    against a year before, where other cells moved otherwise).
    """
    t = len(city.months) - 1 if t is None else t
    month = city.months[t].isoformat()[:7]
    year = slice(max(t + 1 - YEAR, 0), t + 1)
    size = np.nan_to_num(city.direct[:, year]).sum(1) + np.nan_to_num(city.indirect[:, year]).sum(1)
    doubted = _doubtful(city, t)
    told = _stopped(city, t) + doubted
    late = _late(city, t)
    told += [(float("inf"), flag) for flag in late]
    told += _silent(city, t, month, size, {(flag["place"], part) for flag in late for part in flag["lost"]})
    large = size > SMALL * size.sum()
    found: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
    for k, flag in [*departures.shifted(city, t, large), *departures.departed(city, t, large)]:
        if not abs(flag["size"]) >= SLIGHT * size.sum() / YEAR:
            continue
        place, sector = city.cells[k][:2]
        cell = {"place": place, "sector": sector, "domain": city.cells[k][2]}
        whole = (float(size[k]), {**flag, **cell, "causes": [flag["rule"]]})
        first = found.setdefault((place, sector), whole)[1]
        first["causes"] = list(dict.fromkeys([*first["causes"], flag["rule"]]))
    told += departures.by_place(city, list(found.values()), large)
    return [flag for _, flag in sorted(told, key=lambda one: -one[0])]


def nothing(city: City, numbers: Sequence[int]) -> list[str]:
    """Those of the months (by number) of which neither electricity nor fuels have arrived."""
    there: np.ndarray = np.asarray((np.nan_to_num(city.direct) + np.nan_to_num(city.power)).any(0))
    doubted = {one.month for one in city.doubts}
    return [city.months[t].isoformat()[:7] for t in numbers if not there[t] and city.months[t] not in doubted]


def missing(city: City, t: int) -> list[dict[str, Any]]:
    """Flags `nowcast.month-missing` of month number `t`: months since January of the year before of which no
    electricity, no fuels, or neither has arrived at all (`lost`: the months by part), though later ones have; and the
    same of single places, where most of what they report is missing.

    What the city holds after month number `t` counts as arrived later.
    """
    t = min(t, len(city.months) - 1)
    since = max(t - YEAR - city.months[t].month + 1, 0)
    doubted = {one.month for one in city.doubts}
    everywhere: dict[str, set[int]] = {}
    for part, values in (("power", city.power), ("direct", city.direct)):
        there: np.ndarray = np.asarray(np.nan_to_num(values).any(0))
        first, last = int(there.argmax()), int(np.nonzero(there)[0].max(initial=0))  # before the first there was none
        everywhere[part] = {s for s in range(max(since, first), min(t + 1, last))
                            if not there[s] and city.months[s] not in doubted}  # fmt: skip
    made = _missed(city, city.place, everywhere)
    places = sorted({cell[0] for cell in city.cells})
    if len(places) < 2:
        return made
    for place in places:
        mine = np.array([cell[0] == place for cell in city.cells])
        gone = {part: _gone(_arrived(city, part)[mine], range(since, t + 1)) - known
                for part, known in everywhere.items()}  # fmt: skip
        made += _missed(city, place, gone)
    return made


def _gone(values: Array, span: range) -> set[int]:
    """Those months (numbers) of the `span` of which most of `values` (N, T) has not arrived, though that of a later one
    has; cells count by what they reported."""
    seen = np.isfinite(values)
    weight = np.where(seen, values, 0.0).sum(1) / np.maximum(seen.sum(1), 1)
    if not weight.sum():
        return set()
    share = weight @ seen / weight.sum()
    last = int(np.nonzero(share >= 0.5)[0].max(initial=0))
    first = int((share > 0).argmax())
    return {s for s in span if first < s < last and share[s] < 0.5}


def _missed(city: City, place: str, lost: dict[str, set[int]]) -> list[dict[str, Any]]:
    """Flags of a place's months (numbers by part) that have not arrived, those of both parts together."""
    both = lost["power"] & lost["direct"]
    made = []
    for parts, numbers in ((("power", "direct"), both), (("power",), lost["power"] - both),
                           (("direct",), lost["direct"] - both)):  # fmt: skip
        if numbers:
            names = [city.months[s].isoformat()[:7] for s in sorted(numbers)]
            made.append({"rule": "nowcast.month-missing", "place": place, "sector": "", "month": names[-1],
                         "months": names, "lost": dict.fromkeys(parts, names), "value": float(len(names)),
                         "usual": 0.0})  # fmt: skip
    return made


def unreported(city: City, t: int) -> list[dict[str, Any]]:
    """The flag `nowcast.year-before`, where cells have no report of the month a year before month number `t`, though
    most have: `by_place` are how many cells of each area."""
    s = t - YEAR
    if s < 0:
        return []
    lost = ~np.isfinite(city.direct[:, s]) | ~np.isfinite(city.indirect[:, s])
    if not 0 < lost.mean() < 0.5:
        return []
    places = [city.cells[k][0] for k in np.nonzero(lost)[0]]
    return [{"rule": "nowcast.year-before", "place": city.place, "sector": "", "month": city.months[s].isoformat()[:7],
             "by_place": {one: places.count(one) for one in sorted(set(places))}, "value": float(lost.sum()),
             "usual": 0.0}]  # fmt: skip


def carried(found: Sequence[dict[str, Any]], city: City, t: int, parts: Sequence[months.Month]) -> list[dict[str, Any]]:
    """The flags of month number `t`, those of late cells and places with how many months these have been `silent`, what
    the month is `carried` at for them (t CO2, by the estimates `parts`, fuels first), and its `share` of the total."""
    made, total = [], float(sum(part.value.sum() for part in parts))
    for flag in found:
        if not (late := _LATE.fullmatch(flag["rule"])):
            made.append(flag)
            continue
        held = np.array([cell[0] == flag["place"] and flag["sector"] in ("", cell[1]) for cell in city.cells])
        lost = [*flag["lost"]] if late[1] == "place" else [late[1]]
        value, since = 0.0, t
        for name, seen, part in (("direct", city.direct, parts[0]), ("power", city.power, parts[1])):
            mine = held & ~np.isfinite(seen[:, t])
            if name in lost and mine.any():
                value += float(part.value[mine & ~part.counted].sum())
                there = np.isfinite(seen[mine, :t]).any(0)
                since = min(since, int(np.nonzero(there)[0].max(initial=-1)) + 1)
        span = [city.months[s].isoformat()[:7] for s in range(since, t + 1)]
        kept = {"silent": len(span), "carried": value, "share": value / total if total else None}
        made.append({**flag, **kept, **({} if "lost" in flag else {"months": span})})
    return made


def together(same: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Flags of one `topic` in several months, the latest first, as one, with all `months`.

    A change of level says more than the departures it makes. Of those that stay for months, what is told is the mean,
    and the size of all.
    """
    months = sorted({month for flag in same for month in flag.get("months") or [flag["month"]]})
    causes = list(dict.fromkeys(cause for flag in same for cause in flag.get("causes", [])))
    if same[0]["rule"] == "nowcast.level-place":
        return {**same[0], "months": [same[0]["month"]]}
    if not causes:
        lost = {part: sorted({month for flag in same for month in flag.get("lost", {}).get(part, ())})
                for part in PARTS if any(part in flag.get("lost", {}) for flag in same)}  # fmt: skip
        return {**same[0], "months": months, **({"lost": lost} if lost else {})}
    head = next((flag for flag in same if flag["rule"] == "nowcast.level-shift"), None)
    if head is not None:
        return {**head, "causes": causes, "months": [head["month"]]}
    sums = {name: sum(flag[name] for flag in same) for name in ("value", "usual", "size")}
    means = {name: sums[name] / len(same) for name in ("value", "usual")}
    return {**same[0], **means, "size": sums["size"], "causes": causes, "months": months}


def topic(flag: dict[str, Any]) -> tuple[str, str, str]:
    """What a flag is about: flags of several months about the same are one thing to be checked."""
    return "cell" if flag.get("causes") else str(flag["rule"]), flag["place"], flag["sector"]


def has_node(flag: dict[str, Any]) -> bool:
    """Whether a flag's numbers are those of a cell's months, which `opened.flagged` opens."""
    return bool(_NODE.fullmatch(flag["rule"]))


def question(flag: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any] | None:
    """What opens a flag, besides what all questions of the report have (`asked`): its own node or, where it has no
    numbers, the figure of its place and month; None where there is none."""
    if flag["rule"] in WITHOUT:
        return None
    given = {"month": flag["month"], "place": flag["place"], "sector": flag["sector"]}
    if not has_node(flag):
        return {**asked, **{name: one for name, one in given.items() if one}}
    months = flag.get("months") or [flag["month"]]
    first, last = (flag["month"], flag["until"]) if "until" in flag else (months[0], months[-1])
    kept = {name: one for name, one in asked.items() if name != "reconcile"}
    made = {**kept, "kind": "flag", "about": flag["rule"].removeprefix("nowcast."), **given}
    made["sector"] = made["sector"] or "-"
    return made | ({"period": f"{first}/{last}"} if first != last and flag.get("causes") else {})


def _doubtful(city: City, t: int) -> list[tuple[float, dict[str, Any]]]:
    """Months that were not believed, of each cell and part once; where it is most cells of a place, of the place."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    groups = _at_once(city)
    for doubt in city.doubts:
        if doubt.month > city.months[t]:
            continue
        place, sector, _ = city.cells[doubt.cell]
        kind, month = _kind(doubt), doubt.month.isoformat()[:7]
        same = groups.get((place, doubt.month, kind))
        rule = f"nowcast.{kind}-{doubt.part}" if same is None else f"nowcast.{kind}-place"
        sector = sector if same is None else ""
        flag = found.setdefault((rule, place, sector), {"rule": rule, "place": place, "sector": sector, "months": []})
        flag["months"] = sorted({*flag["months"], month})
        if flag["months"][-1] != month or (same is not None and flag.get("month") == month):
            continue
        if same is None:
            flag |= {"month": month, "value": doubt.value, "usual": 0.0, "suspect": _suspect(city, doubt),
                     "near": _first(city, doubt)}  # fmt: skip
        elif kind == "zero":
            flag |= {"month": month, "value": float(len({one.cell for one in same})), "usual": 0.0}
        else:
            parts = _sums(city, same)
            flag |= {"month": month, "value": parts[0]["value"], "usual": parts[0]["usual"], "parts": parts,
                     "count": len({one.cell for one in same}), "near": _first(city, doubt)}  # fmt: skip
    return [(float("inf"), flag) for flag in found.values()]


def _kind(doubt: Doubt) -> str:
    return "negative" if doubt.negative else "zero" if doubt.value == 0 else "doubtful"


def _at_once(city: City) -> dict[tuple[str, Any, str], list[Doubt]]:
    """Doubts of one kind by place, month and kind, where they are of most cells of the place at once."""
    found: dict[tuple[str, Any, str], list[Doubt]] = {}
    for doubt in city.doubts:
        found.setdefault((city.cells[doubt.cell][0], doubt.month, _kind(doubt)), []).append(doubt)
    live = np.any([(np.nan_to_num(values) > 0).any(1) for values in (city.direct, city.power)], 0)
    live[[doubt.cell for doubt in city.doubts]] = True
    number = {place: sum(cell[0] == place for cell, one in zip(city.cells, live, strict=True) if one)
              for place in {cell[0] for cell in city.cells}}  # fmt: skip
    return {key: same for key, same in found.items() if key[2] != "negative" and (
        any(one.together for one in same) or len({one.cell for one in same}) > max(number[key[0]] / 2, 2))}  # fmt: skip


def _sums(city: City, doubts: Sequence[Doubt]) -> list[dict[str, Any]]:
    """What was reported of a place in a month and not used, by part, the fuels first: {part, value, usual, cells}, in
    t CO2 of fuels and MWh of electricity. Usual is a year before, or the middle of each cell's months."""
    made = []
    t = city.months.index(doubts[0].month)
    for part in ("direct", "power"):
        mine = [one for one in doubts if one.part == part]
        cells = [one.cell for one in mine]
        if not mine:
            continue
        values = getattr(city, part)[cells]
        before = values[:, t - YEAR] if t >= YEAR else np.full(len(cells), np.nan)
        usual = np.where(np.isfinite(before), before, middle(values, np.nan))
        made.append({"part": part, "value": float(sum(one.value for one in mine)), "usual": float(np.nansum(usual)),
                     "cells": len(cells)})  # fmt: skip
    return made


def _arrived(city: City, part: str) -> Array:
    """Electricity (`power`) or CO2 of fuels (`direct`) by cell and month (N, T), with the middle of the cell's months
    where a month was reported and not believed: it has arrived."""
    values = getattr(city, part).copy()
    mine = {one.cell for one in city.doubts if one.part == part}
    usual = dict(zip(mine, middle(values[list(mine)]), strict=True))
    place = {month: s for s, month in enumerate(city.months)}
    for one in city.doubts:
        if one.part == part and one.month in place:
            values[one.cell, place[one.month]] = usual[one.cell]
    return np.asarray(values)


def _first(city: City, doubt: Doubt) -> bool:
    """Whether there is no year before a doubtful month, so that it was held against the months about it."""
    t = city.months.index(doubt.month) - YEAR
    return t < 0 or not getattr(city, doubt.part)[doubt.cell, t] > 0


def _suspect(city: City, doubt: Doubt) -> str | None:
    """The month a year before a doubtful one, where it is that month that departs from those about it by a factor 2."""
    t = city.months.index(doubt.month) - YEAR
    if t < 1:
        return None
    values = getattr(city, doubt.part)[doubt.cell]
    near = middle(values[None, [t - 1, t + 1]], np.nan)[0]
    with np.errstate(all="ignore"):
        before, now = abs(np.log(values[t] / near)), abs(np.log(doubt.value / near))
    return city.months[t].isoformat()[:7] if before > np.log(2) and before > now else None


def _stopped(city: City, t: int) -> list[tuple[float, dict[str, Any]]]:
    """That nothing has arrived for some months, and places that began or ceased to report in the last year."""
    told: list[tuple[float, dict[str, Any]]] = []

    def tell(rule: str, place: str, since: int, value: float, **more: Any) -> None:
        month = city.months[since].isoformat()[:7]
        told.append((float("inf"), {"rule": f"nowcast.{rule}", "place": place, "sector": "", "month": month,
                                    "value": value, "usual": 0.0, **more}))  # fmt: skip

    arrived = {name: _arrived(city, part) for name, part in (("fuel", "direct"), ("power", "power"))}
    away = {name: months.away(values, t) for name, values in arrived.items()}
    nearest = min(away.values())
    spans = {"data": nearest if nearest >= NOTHING else 0}
    spans |= {name: count for name, count in away.items() if count >= max(LATE, nearest + 1)}
    for name, count in spans.items():
        others = _others(city, [arrived[name]] if name in arrived else [*arrived.values()], t, count)
        if 0 < count <= t and others is not None:  # else it is single places that are late
            tell(f"no-{name}-since", city.place, t - count, float(count), others=others)
    for one in gaps.unlike(city, range(max(t - 23, 0), t + 1)):
        rule = "place-back" if one.again else "new-place" if one.began else "place-ceased"
        tell(rule, one.place, one.month, 0.0, of=one.part)
    return told


def _others(city: City, parts: Sequence[Array], t: int, count: int) -> bool | None:
    """Whether any place has reported some of the `parts` (N, T) in the `count` months up to number `t`; None: most of
    several have."""
    known = [any(np.nan_to_num(values[city.places == n, t - count + 1 : t + 1]).any() for values in parts)
             for n in np.unique(city.places)]  # fmt: skip
    few = sum(known) < len(known) / 2 or (len(known) != 2 and sum(known) == len(known) / 2) or len(known) == 1
    return any(known) if few else None


def _late(city: City, t: int) -> list[dict[str, Any]]:
    """Places of which most electricity or fuels has been away for longer than that of the others, each once."""
    told = []
    arrived = {part: _arrived(city, part) for part in ("power", "direct")}
    for place in sorted({cell[0] for cell in city.cells}):
        mine = np.array([cell[0] == place for cell in city.cells])
        lost = {}
        for part, values in arrived.items():
            if mine.all():
                continue
            away, others = (months.away(values[cells], t) for cells in (mine, ~mine))
            if away > others:
                lost[part] = [month.isoformat()[:7] for month in city.months[t - away + 1 : t - others + 1]]
        if lost:
            told.append({"rule": "nowcast.late-place", "place": place, "sector": "",
                         "month": city.months[t].isoformat()[:7], "months": sorted({*chain(*lost.values())}),
                         "lost": lost, "value": float(len(lost)), "usual": 0.0})  # fmt: skip
    return told


def _silent(
    city: City, t: int, month: str, size: Array, late: set[tuple[str, str]]
) -> list[tuple[float, dict[str, Any]]]:
    """Single cells that are late, but for those of places (and parts) that are told as `late`, cells of zeros, areas
    that never reported, and a history that is too short."""
    told: list[tuple[float, dict[str, Any]]] = []

    def tell(rule: str, place: str, sector: str, value: float, weight: float) -> None:
        told.append((weight, {"rule": f"nowcast.{rule}", "place": place, "sector": sector, "month": month,
                              "value": value, "usual": 0.0}))  # fmt: skip

    places = city.places
    for name, part in (("power", city.power), ("direct", city.direct)):
        lost = ~np.isfinite(part[:, t])
        lost[[one.cell for one in city.doubts if one.month == city.months[t]]] = False  # told as not believed
        if 0 < lost.mean() < 0.5:
            share = np.bincount(places, lost) / np.bincount(places)
            for k in np.nonzero(lost & (share[places] <= 0.5) & (size > SMALL * size.sum()))[0].tolist():
                if (city.cells[k][0], name) not in late:
                    tell(f"late-{name}", city.cells[k][0], city.cells[k][1], 1.0, float(size[k]))
    number = {place: sum(cell[0] == place for cell in city.cells) for place in {cell[0] for cell in city.cells}}
    zeros = [place for place, *_ in city.zeros]
    for place, sector in dict.fromkeys(
        (place, "" if zeros.count(place) == number.get(place, 0) else sector) for place, sector, _ in city.zeros
    ):
        tell("all-zero", place, sector, 0.0, 0.0)
    for place in city.absent:
        tell("place-absent", place, "", 0.0, float("inf"))
    for name, which in (("direct", "direct"), ("power", "indirect")):
        never: list[str] = city.never.get(which, [])
        for place in [city.place] if len(never) == len(np.unique(city.places)) > 1 else never:
            tell(f"never-{name}", place, "", 0.0, float("inf"))
    known = months.known_before(city.together.direct, city.together.power, t + city.offset)
    counted = all(np.isfinite(part[:, t]).all() for part in (city.direct, city.power))
    if known < SHORT and not counted:
        tell("short-history", city.place, "", float(known), float("inf"))
    return told
