"""Reported months that cannot be right: negative, or departing from the year before as no month of the cell ever did.

They are taken as not seen, so the month is estimated with the interval of an estimate, and named. The rule of a cell is
that of `panel.cleaned` and looks at nothing later than the month, except that a level that stays for three months is
believed, and so is a month that nobody corrected for three months: a stop (zero), or one that is less than `panel.FAR`
times off. A month farther off than that is a wrong unit and stays out until it is corrected. The first months of a
cell, which have no year before, are held against its first two years.

The cells of a place are also held against each other: a plant may stop or double, but where most cells of a place are
zero at once, or move alike as the place never did, the report is wrong. Zeros of a place are not believed by waiting.
"""

from datetime import date
from typing import NamedTuple

import numpy as np

from dualcarbon.nowcast import panel
from dualcarbon.nowcast.denton import Array

#: Months after which a doubtful month that was not corrected is believed.
BELIEVED = 3
YEAR = 12
#: Months at a cell's start that are held against its first `FIRST` months, where so many (`KNOWN`) are known.
EARLY, FIRST, KNOWN = 18, 24, 7
#: A level at the start that stays for longer than this is one, however far off (months); a start from little: for so
#: long.
HALF_YEAR, START = 6, 3
#: A month of a place is doubted when its cells, at least so many, move together by this factor more than they lately
#: did against the year before …
LIVE, TOGETHER = 5, 1.8
#: … by this one while fewer months of growth than `HALF_YEAR` are known, and in January and February, between which the
#: Spring Festival moves: these are held against the middle of so many (`OTHERS`) other places; by that one without
#: them, and in any month in which the others moved too …
UNKNOWN, FESTIVAL, OTHERS = 2.0, 3.0, 3
#: … by this many times the usual scatter of that movement …
SCATTER = 8.0
#: … and this share of the cells by more than half of it.
ALIKE = 0.7
#: The least scatter; robust standard deviations of a median departure; a cell is often zero above this share of months.
LEAST, SIGMA, OFTEN = 0.02, 1.4826, 0.25
ANY = panel.Stream("", "", "", "", 0.0, False)


class Doubt(NamedTuple):
    """A reported month that was not used: the cell's number, the month, what was reported, whether negative, and
    whether it was doubted with the other cells of its place (`together`)."""

    cell: int
    month: date
    part: str
    value: float
    negative: bool
    together: bool = False


def of_city(direct: Array, power: Array, months: list[date], places: np.ndarray) -> tuple[Array, Array, list[Doubt]]:
    """Both parts (N, T) of a city's cells with months that cannot be right as NaN, and the list of those. `places` (N,)
    numbers the cells' places."""
    parts = {"direct": direct, "power": power}
    fine = {part: np.where((values < 0) | _early(values)[0], np.nan, values) for part, values in parts.items()}
    wrong = {part: np.zeros(values.shape, bool) for part, values in parts.items()}
    moves = {part: _moves(values, places) for part, values in fine.items()}
    for n, place in enumerate(np.unique(places)):
        mine = np.nonzero(places == place)[0]
        empty = _emptied([fine[part][mine] for part in parts])
        for part, out in zip(parts, empty, strict=True):
            live = parts[part][mine] > 0
            early = np.isnan(fine[part][mine]) & live
            out |= live & (early.sum(0) >= np.maximum(LIVE, ALIKE * live.sum(0)))  # what most have wrong, all have
            values = np.where(out, np.nan, fine[part][mine])
            others = np.delete(moves[part], n, 0).T
            common = np.where(np.isfinite(others).sum(1) >= OTHERS, panel.middle(others, np.nan), np.nan)
            wrong[part][mine] = out | _moved(values, months, common)
    kept, doubts = {}, []
    for part, values in parts.items():
        doubts += _told(values, months, part, wrong[part], together=True)
        kept[part], more = screened(np.where(wrong[part], np.nan, values), months, part)
        doubts += more
    return kept["direct"], kept["power"], doubts


def screened(values: Array, months: list[date], part: str) -> tuple[Array, list[Doubt]]:
    """`values` (N, T) with months that cannot be right by their own cell as NaN, and the list of those."""
    lead = months[0].month - 1
    years = -(-(lead + len(months)) // 12)
    early, before = _early(values)
    fine = np.where(early | before, np.nan, values)
    raw = np.full((len(values), years * 12), np.nan)
    raw[:, lead : lead + len(months)] = fine
    cells = [{"place": "", "sector": ""}] * len(values)
    filled, marked, _ = panel.cleaned(raw.reshape(1, len(values), years, 12), cells, [ANY], months[0].year)
    marked, expected = (one.reshape(len(values), -1)[:, lead : lead + len(months)] for one in (marked, filled))
    wrong = marked & np.isfinite(fine)
    seen = np.nonzero(np.isfinite(fine).any(0))[0].max(initial=0)
    old = slice(max(seen - BELIEVED + 1, 0))
    wrong[:, old] &= _absurd(fine[:, old], expected[:, old])
    wrong &= ~_stayed(fine, wrong)
    wrong |= early
    return np.where(wrong, np.nan, values), _told(values, months, part, wrong)


def _told(
    values: Array, months: list[date], part: str, wrong: np.ndarray, *, together: bool = False
) -> list[Doubt]:  # fmt: skip
    return [
        Doubt(k, months[t], part, float(values[k, t]), bool(values[k, t] < 0), together)
        for k, t in zip(*(index.tolist() for index in np.nonzero(wrong)), strict=True)
    ]


def _absurd(values: Array, expected: Array) -> np.ndarray:
    """Months (N, T) that no waiting makes true."""
    with np.errstate(all="ignore"):
        far = np.abs(np.log(values / expected)) > np.log(panel.FAR)
    return np.asarray((values < 0) | ((values > 0) & far))


def _stayed(values: Array, wrong: np.ndarray) -> np.ndarray:
    """Doubtful months (N, T) whose level a later month of the cell, not doubtful itself, has kept within a factor 2."""
    with np.errstate(all="ignore"):
        growth = np.log(values[:, 12:] / values[:, :-12])
    out = np.zeros_like(wrong)
    for k, t in zip(*np.nonzero(wrong[:, 12:]), strict=True):
        later = growth[k, t + 1 :][~wrong[k, t + 13 :]]
        with np.errstate(invalid="ignore"):  # both may be stops
            out[k, t + 12] = bool((np.abs(later - growth[k, t]) < np.log(2)).any())
    return out


def _early(values: Array) -> tuple[np.ndarray, np.ndarray]:
    """Months (N, T) among each cell's first `EARLY` that are more than `panel.FAR` times off the middle of its first
    `FIRST` (of a cell that jumps about, up to its square); and those that are so far off and believed, which no later
    month is held against.

    A month that the same one a year later is like is a season. Believed are the months of a start from little, and a
    first level of more than half a year.
    """
    logs = _logs(values)
    known = np.isfinite(logs)
    first = np.where(known.any(1), known.argmax(1), 0)
    when = first[:, None] + np.arange(FIRST + YEAR)
    inside = when < values.shape[1]
    own = np.where(inside, np.take_along_axis(logs, np.minimum(when, values.shape[1] - 1), 1), np.nan)
    window, after = own[:, :FIRST], own[:, YEAR : YEAR + FIRST]
    off = window - panel.middle(window, np.nan)[:, None]
    there: np.ndarray = np.asarray(np.isfinite(window))
    with np.errstate(invalid="ignore"):
        least = np.log(panel.FAR) * np.clip(SCATTER * panel.middle(np.abs(off)) / np.log(panel.FAR), 1, 2)[:, None]
        far = (np.abs(off) > least) & ~(np.abs(window - after) < np.log(panel.WRONG))
    far = np.asarray(far & (there.sum(1) >= KNOWN)[:, None])
    stays: np.ndarray = np.zeros(far.shape, bool)
    for side, length in ((off < 0, START), (off > 0, HALF_YEAR + 1)):
        leading = np.asarray(np.logical_and.accumulate((far & side) | ~there, axis=1)) & far
        stays |= leading & (leading.sum(1) >= length)[:, None]
    out = np.zeros((2, *values.shape), bool)
    for n, found in enumerate(((far & ~stays)[:, :EARLY], stays)):
        rows, months = np.nonzero(found)
        out[n, rows, first[rows] + months] = True
    return out[0], out[1]


def _emptied(parts: list[Array]) -> list[np.ndarray]:
    """Months (N, T) of each of the `parts` of a place's cells that are zero while most other cells are too, though they
    were not before.

    A cell that has been zero for three months by itself, is often zero, or was in the same month a year before, says
    nothing. Zeros at the start say it where most cells had more within a year.
    """
    out = [np.zeros(values.shape, bool) for values in parts]
    cells, count = parts[0].shape
    zeros = [np.zeros(cells, int) for _ in parts]
    with np.errstate(invalid="ignore"):
        ever = [np.logical_or.accumulate(values > 0, axis=1) for values in parts]
        number = [np.cumsum(values == 0, 1) for values in parts]
    for t in range(count):
        live, dropped = np.zeros(cells, bool), []
        for n, values in enumerate(parts):
            often = number[n][:, t - 1] - out[n][:, :t].sum(1) > OFTEN * t if t else np.zeros(cells, bool)
            before = values[:, t - YEAR] == 0 if t >= YEAR else np.zeros(cells, bool)
            before &= ~out[n][:, t - YEAR] if t >= YEAR else True
            began = ever[n][:, t - 1] & (zeros[n] < BELIEVED) & ~often if t else np.zeros(cells, bool)
            if t < YEAR:
                began |= (~ever[n][:, t] & ever[n][:, min(YEAR, count) - 1]) | (values[:, t] > 0)
            mine = began & ~before & np.isfinite(values[:, t])
            live |= mine
            dropped.append(mine & (values[:, t] == 0))
        some = np.any(dropped, 0).sum()
        whole = some > max(live.sum() / 2, 2 if t >= YEAR else LIVE - 1)
        for n, values in enumerate(parts):
            if whole:
                out[n][:, t] = dropped[n]
            alone = (values[:, t] == 0) & ~out[n][:, t]
            zeros[n] = np.where(alone, zeros[n] + 1, np.where(np.isfinite(values[:, t]) & ~alone & ~out[n][:, t], 0,
                                                             zeros[n]))  # fmt: skip
    return out


def _moves(values: Array, places: np.ndarray) -> Array:
    """How the cells of each place, of those seen in both months, moved on a year before (P, T), in logarithms."""
    out = np.full((len(np.unique(places)), values.shape[1]), np.nan)
    now, before = values[:, YEAR:], values[:, :-YEAR]
    both = (now > 0) & (before > 0)
    with np.errstate(all="ignore"):
        for n, place in enumerate(np.unique(places)):
            sums = [np.where(both, part, 0.0)[places == place].sum(0) for part in (now, before)]
            out[n, YEAR:] = np.log(sums[0] / sums[1])
    return out


def _moved(values: Array, months: list[date], common: Array) -> np.ndarray:
    """Months (N, T) of a place's cells that all moved together as the place never did.

    The sum of the cells seen in both months is held against the year before: such sums are far steadier than cells. It
    has to be another level than that of the half year before too, or it is the echo of what was a year ago; where it is
    that month, without a year before itself, which departs from the months about it, that one is doubted. A level that
    stays for three months is believed, unless it is more than `panel.FAR` times off. `common` (T,) is how other places
    moved, by which January and February are judged; what moves them all, as weather does, has to be as far as then.
    """
    level = _logs(values)
    out = np.zeros(values.shape, bool)
    growth: list[float] = []
    off: list[float] = []
    run: list[int] = []
    for t in range(YEAR, values.shape[1]):
        both = np.isfinite(level[:, t]) & np.isfinite(level[:, t - YEAR])
        if both.sum() < LIVE:
            continue
        move = float(np.log(np.exp(level[both, t]).sum() / np.exp(level[both, t - YEAR]).sum()))
        usual = float(np.median(growth[-HALF_YEAR:])) if growth else 0.0
        festive = months[t].month <= 2
        if festive and np.isfinite(common[t]):
            usual = float(common[t])
        factor = TOGETHER
        if festive or len(off) < HALF_YEAR:
            factor = FESTIVAL if festive and not np.isfinite(common[t]) else UNKNOWN
        departs = move - usual
        side = 1.0 if departs > 0 else -1.0
        if side * (move - common[t]) <= np.log(TOGETHER):  # the others moved too: weather, a shock
            factor = FESTIVAL
        own = side * (level[both, t] - level[both, t - YEAR] - usual)
        large = abs(departs) > _bound(factor, off) and (own > abs(departs) / 2).mean() >= ALIKE
        if large and side * _step(level, t, range(t - HALF_YEAR, t)) > abs(departs) / 2:
            run.append(t)
            far = abs(departs) > np.log(panel.FAR)
            if len(run) < panel.NEW_LEVEL or far:
                out[:, t] = values[:, t] > 0
                level[:, t] = level[:, t - YEAR] + usual
                continue
            for s in run:
                level[:, s] = _logs(values[:, [s]])[:, 0]
                out[:, s] = False
        else:
            run = []
            if large and t < 2 * YEAR and _sticks_out(level, t - YEAR, -side, abs(departs) / 2):
                out[:, t - YEAR] = values[:, t - YEAR] > 0
                level[:, t - YEAR] = np.nan
                continue
        growth.append(move)
        off.append(abs(departs))
    return out


def _bound(factor: float, off: list[float]) -> float:
    """How far (in logarithms) a month of a place may depart after departures `off`: by a `factor`, or `SCATTER`."""
    if len(off) < HALF_YEAR:
        return float(np.log(factor))
    return float(max(np.log(factor), SCATTER * max(SIGMA * float(np.median(off)), LEAST)))


def _step(level: Array, t: int, others: range) -> float:
    """The middle of how far cells are in month number `t` from their middle of the months `others`."""
    near = [s for s in others if 0 <= s < level.shape[1] and s != t]
    apart = level[:, t] - panel.middle(level[:, near], np.nan)
    return float(panel.middle(apart[None], np.nan)[0])


def _sticks_out(level: Array, t: int, side: float, least: float) -> bool:
    """Whether cells in month number `t` are off, to one `side`, from the three months before it and after it."""
    spans = [span for span in (range(max(t - 3, 0), t), range(t + 1, t + 4)) if len(span)]
    return all(side * _step(level, t, span) > least for span in spans)


def _logs(values: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.log(np.where(values > 0, values, np.nan)))
