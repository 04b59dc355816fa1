"""How good the estimates have been: past months estimated again with what came later hidden, and compared.

An estimate is judged at the state of information it was made in: with the month's electricity in hand (`electricity`),
or with nothing of the month (`nothing`); and at the level that is shown: cells of place, sector and domain, and the
whole place with its own interval.
"""

from typing import Any, NamedTuple

import numpy as np

from dualcarbon.nowcast import figures, months
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.opened.nodes import text
from dualcarbon.nowcast.usual import RECORD

STATES = ("electricity", "nothing")


class Replay(NamedTuple):
    """Months (numbers) of a city estimated as if fuels came `late` months after them and electricity `power_late` (0:
    with them): both `parts` of each, and their last values (N, M). `known` (N, M) are the cells that were counted."""

    seen: City
    months: list[int]
    late: int
    power_late: int
    parts: list[tuple[Month, Month]]
    last: tuple[Array, Array]
    known: np.ndarray

    @property
    def state(self) -> str:
        return STATES[self.power_late > 0]

    @property
    def sole(self) -> str | None:
        """The part, `direct` or `power`, that is all there ever was; None where both were reported."""
        parts = {"direct": self.seen.together.direct, "power": self.seen.together.power}
        ever = [name for name, part in parts.items() if np.nan_to_num(part).any()]
        return ever[0] if len(ever) == 1 else None

    def counted(self) -> Array:
        """What was counted (N, M) of what had to be estimated: fuels, and electricity where it was not in hand."""
        direct, indirect = (part[:, self.months] for part in (self.seen.direct, self.seen.indirect))
        return direct + indirect if self.power_late else direct

    def cells(self) -> dict[str, Array]:
        """The same (N, M) as `selected` by the model and as `last_value`, and whether it lay `inside` 90 % (NaN where
        nothing was known or there was none)."""
        width = 2 if self.power_late else 1
        truth = self.counted()
        selected = np.array([np.sum([part.value for part in both[:width]], 0) for both in self.parts]).T
        half = np.array([_half(both[:width]) for both in self.parts]).T
        with np.errstate(all="ignore"):
            miss = np.abs(np.log(truth / selected))
        inside = np.where(np.isfinite(miss), miss <= half, np.nan)
        return {"selected": selected, "last_value": np.sum(self.last[:width], 0), "inside": inside}

    def totals(self) -> list[dict[str, Any]]:
        """Each month of the whole place: `truth`, `value`, `last_value` (t CO2), ends, and whether they held it."""
        made = []
        for n, t in enumerate(self.months):
            mine = self.known[:, n]
            truth = float((self.seen.direct[mine, t] + self.seen.indirect[mine, t]).sum())
            one = figures.ended(self.parts[n], mine)
            held = one["low"] <= truth <= one["high"] if one["low"] is not None else None
            last = float(sum(part[mine, n].sum() for part in self.last))
            made.append({"month": figures.month_text(self.seen.months[t]), "truth": truth, "value": one["value"],
                         "low": one["low"], "high": one["high"], "last_value": last, "inside": held,
                         **_errors(abs(one["value"] - truth), abs(last - truth), truth)})  # fmt: skip
        return made

    def asks(self) -> dict[str, Any]:
        """What a question has to name of it."""
        return {"state": self.state, "late": self.late, **({"power_late": self.power_late} if self.power_late else {})}


def _half(parts: tuple[Month, ...]) -> Array:
    """Half-width (N,) in logarithms of each cell's own sum of parts, as `figures.spread` has it."""
    values = np.array([part.value for part in parts])
    half = np.array([np.sqrt(part.shared**2 + part.own**2) for part in parts])
    with np.errstate(all="ignore"):
        return np.asarray(np.sqrt(((half * values) ** 2).sum(0)) / values.sum(0))


def _errors(error: float, last: float, whole: float) -> dict[str, float | None]:
    """An error and that of the last value in percent of the whole, and the skill."""
    return {
        "error_percent": 100 * error / whole if whole else None,
        "last_value_error_percent": 100 * last / whole if whole else None,
        "skill_vs_last": 1 - error / last if last else None,
    }


def lateness(seen: City, t: int) -> tuple[int, int]:
    """How many months before month number `t` most fuels and most electricity were last seen; electricity 0: in it.

    Where most cells have reported the month, it is those of the cells that are estimated in it. Where only one of both
    was ever reported, nothing but that is waited for.
    """
    seen, t = seen.together, t + seen.offset
    inside = t < len(seen.months)
    if len(ever := _ever(seen)) == 1:
        late = 1 if inside and _most(ever[0], t) else months.gap(ever[0], t)
        return late, late
    if inside and (mine := _few(seen, t)) is not None:
        return max(months.away(seen.direct[mine], t), 1), months.away(seen.power[mine], t)
    fuels, power = (inside and _most(part, t) for part in (seen.direct, seen.power))
    return 1 if fuels else months.gap(seen.direct, t), 0 if power or fuels else months.gap(seen.power, t)


def _ever(seen: City) -> list[Array]:
    """Fuels and electricity (N, T), as far as any were ever reported."""
    return [part for part in (seen.direct, seen.power) if np.nan_to_num(part).any()]


def _most(values: Array, t: int) -> bool:
    """Whether most cells that ever reported any of `values` (N, T) have reported month number `t`."""
    alive = (np.nan_to_num(values) != 0).any(1)
    return bool(alive.any() and np.isfinite(values[alive, t]).mean() >= 0.5)


def _few(seen: City, t: int) -> np.ndarray | None:
    """The cells (N,) estimated in month number `t`, where most have reported both fuels and electricity of it."""
    there = [np.isfinite(part[:, t]) for part in (seen.direct, seen.power)]
    lost = ~(there[0] & there[1])
    return lost if lost.any() and min(one.mean() for one in there) >= 0.5 else None


def weather_late(seen: City, t: int) -> int:
    """How many months before number `t` all of the weather was last known; 0: in it, or there is none."""
    seen, t = seen.together, t + seen.offset
    known = [max(days) for days in seen.weather.values()]
    if not known:
        return 0
    last, first = min(known), seen.months[0]
    return max(t - ((last.year - first.year) * 12 + last.month - first.month), 0)


def shown(seen: City) -> int:
    """Number of the month that is shown: the last, or the one after it once the last was counted in full."""
    last = len(seen.months) - 1
    return last + 1 if figures.known(seen, last) is not None else last


def replayable(seen: City, late: int = 1, count: int = RECORD) -> list[int]:
    """Numbers of the last `count` months that most cells have reported, with a year and `late` months before them."""
    first = max(months.YEAR, late)
    known = [np.isfinite(part).mean(0) >= 0.5 for part in (seen.direct, seen.indirect)]
    return [t for t in range(first, len(seen.months)) if known[0][t] and known[1][t]][-count:] if count else []


def replayed(seen: City, asked: list[int], late: int, power_late: int) -> Replay:
    """The months `asked` estimated again from what is known today: later corrections and factors are in it. What was in
    fact said at the time is in `revisions.vintages`. The weather is hidden as far as it is not known today: in the
    month that is shown where nothing of a month is known, else in the last of which electricity has come."""
    parts, last = [], []
    powered = np.isfinite(seen.power).mean(0) >= 0.5
    dark = weather_late(seen, shown(seen) if power_late else int(np.nonzero(powered)[0].max(initial=0)))
    for t in asked:
        direct, indirect = _hidden(seen.together, t + seen.offset, late, power_late, dark)
        then = months.base(seen.indirect, t, power_late) if power_late else seen.indirect[:, t]
        parts.append((direct.of(seen.mine), indirect.of(seen.mine)))
        last.append((months.base(seen.direct, t, late), then))
    known = np.isfinite(seen.direct[:, asked]) & np.isfinite(seen.indirect[:, asked])
    both = (np.array([one[0] for one in last]).T, np.array([one[1] for one in last]).T)
    return Replay(seen, asked, late, power_late, parts, both, known)


def _hidden(city: City, t: int, late: int, power_late: int, dark: int) -> tuple[Month, Month]:
    """Both parts of month number `t` of a city, as `replayed`; `dark` are the months without weather. They are kept
    with the city, whose areas share them."""
    key = t, late, power_late, dark
    if key not in city.estimates:
        terms = city.terms
        if dark:
            terms = terms.copy()
            terms[t - dark + 1 :, 1:] = 0.0  # the first is the festival
        asked = [(city.direct, late), *([(city.indirect, power_late)] if power_late else [])]
        made = [months.hidden(part, city.power, t, by, power_late, city.places, city.sectors, terms)
                for part, by in asked]  # fmt: skip
        city.estimates[key] = made[0], made[1] if power_late else months.all_counted(city.indirect[:, t])
    direct, indirect = city.estimates[key]
    return direct, indirect


def recorded(
    seen: City, t: int, count: int = RECORD, question: dict[str, Any] | None = None, since: int = 0
) -> dict[str, Any] | None:
    """The record that stands beside month number `t`, from the last `count` months (none before number `since`); None
    with too few months known.

    Cells at the state of that month (`scored`), with `state`, `late` and `power_late`; `total`: the whole place;
    `states`: both states, each with its cells and its `total`. `question`: what opens a figure of the place.
    """
    found = both(seen, t, count, since)
    return together(found, t, question or {}) if found else None


def together(found: list[Replay], t: int, question: dict[str, Any]) -> dict[str, Any]:
    """What replays say, that of the state of month number `t` first, all of them in `states`; `partial`: most cells
    have reported that month, and it is the state of the others."""
    seen = found[0].seen
    states = {replay.state: told(replay, question) for replay in found}
    names = [figures.month_text(seen.months[s]) for s in found[0].months]
    partial = t < len(seen.months) and _few(seen, t) is not None
    return {**states[state(seen, t)], "months": names, "states": states, "partial": partial}


def state(seen: City, t: int) -> str:
    """Which of `STATES` month number `t` is in."""
    return STATES[lateness(seen, t)[1] > 0]


def both(seen: City, t: int, count: int = RECORD, since: int = 0) -> list[Replay]:
    """The replays at both states, with fuels as late as at month number `t`; at one where one part is all there is."""
    late, power_late = lateness(seen, t)
    asked = [s for s in replayable(seen, max(late, power_late), count) if s >= since]
    states = (0, max(power_late, 1)) if len(_ever(seen.together)) == 2 else (power_late,)
    return [replayed(seen, asked, late, dark) for dark in states] if asked else []


def told(replay: Replay, question: dict[str, Any]) -> dict[str, Any]:
    """What a replay says of the cells and of the whole, each with the question that opens it."""
    question = {**question, "kind": "error", **replay.asks()}
    return {
        **scored(np.where(replay.known, replay.counted(), np.nan), replay.cells()), **replay.asks(),
        "power_late": replay.power_late, "title": title(replay.late, replay.power_late, replay.sole),
        "question": question,
        "total": {**summed(replay.totals()), "question": {**question, "level": "total"}},
    }  # fmt: skip


def scored(truth: Array, made: dict[str, Array]) -> dict[str, Any]:
    """Empirical coverage of the 90 % interval and skill against the last value, over cells that have any CO2."""
    live = np.nan_to_num(truth).sum(1) > 0
    known = np.isfinite(truth)
    error = {n: np.where(known, np.abs(made[n] - truth), 0).sum(1) for n in ("selected", "last_value")}
    inside = np.where(known, made["inside"], np.nan)[live]
    whole = float(np.where(known, truth, 0).sum())
    return {
        "cells": int(live.sum()), "coverage90": float(np.nanmean(inside)) if np.isfinite(inside).any() else None,
        "better_than_last": float((error["selected"] < error["last_value"])[live].mean()) if live.any() else None,
        **_errors(float(error["selected"].sum()), float(error["last_value"].sum()), whole),
    }  # fmt: skip


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of the whole place over the months of `Replay.totals`: errors, and in how many it held."""
    error, last = (sum(abs(row[name] - row["truth"]) for row in rows) for name in ("value", "last_value"))
    held = [row["inside"] for row in rows if row["inside"] is not None]
    return {
        **_errors(error, last, sum(row["truth"] for row in rows)),
        "months": len(held), "held": sum(held), "coverage90": sum(held) / len(held) if held else None,
    }  # fmt: skip


def title(late: int, power_late: int, sole: str | None = None) -> dict[str, str]:
    """The state of information in words; `sole`: the part that is all there is."""
    months_en = "a month" if late == 1 else f"{late} months"
    months_zh = "一个月" if late == 1 else f" {late} 个月"
    if sole:
        what = {"direct": text("燃料", "fuels"), "power": text("用电", "electricity")}[sole]
        return text(f"{what['zh']}晚{months_zh}", f"{what['en']} {months_en} late")
    if not power_late:
        return text(f"当月用电已到，燃料晚{months_zh}", f"electricity in, fuels {months_en} late")
    if power_late == 1 and late == 1:
        return text("当月数据都没有到", "nothing of the month in")
    power_zh = "一个月" if power_late == 1 else f" {power_late} 个月"
    power_en = "a month" if power_late == 1 else f"{power_late} months"
    if power_late == late:
        return text(f"用电和燃料都已晚{power_zh}", f"nothing in for {power_en}")
    return text(f"当月数据都没有到（用电晚{power_zh}，燃料晚{months_zh}）",
                f"nothing of the month in (electricity {power_en}, fuels {months_en} late)")  # fmt: skip
