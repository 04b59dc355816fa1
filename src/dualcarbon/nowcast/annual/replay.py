"""Honest replay: what each method would have said, with which interval, and how right it was, against the last value.

For target year Y with m months seen and lag L: truth of years ≤ Y − L, indicators up to month m of Y. The method of
each cell and the intervals are learnt from years ≤ Y − L alone: each of those is forecast by a bridge that has not seen
it (methods are chosen by errors one year ahead, intervals come from errors L years ahead).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dualcarbon.nowcast import intervals
from dualcarbon.nowcast.annual.forecast import METHODS, Forecaster
from dualcarbon.nowcast.choose import choose, picked
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.panel import Panel

SELECTED = "selected"
RECONCILED = "last_value_reconciled"
LEVELS = (80, 90)


@dataclass(frozen=True)
class Total:
    """A known total of all cells: `annual` by year; `monthly` (12,) by year where it is known by month."""

    annual: dict[int, float]
    monthly: dict[int, Array] = field(default_factory=dict)
    name: str = ""

    def known(self, year: int, seen: int) -> float | None:
        """The total of `year` when `seen` months are known: of a monthly series, moved by its growth so far."""
        if year not in self.monthly or seen == 12:
            return self.annual.get(year)
        before = self.monthly.get(year - 1)
        if seen == 0 or before is None:
            return None
        return float(before.sum() * self.monthly[year][:seen].sum() / before[:seen].sum())


@dataclass(frozen=True)
class Outlook:
    """One year's estimate: by method (N,), with half-widths (N,) in logarithms by level, and what was chosen."""

    year: int
    seen: int
    estimates: dict[str, Array]
    widths: dict[str, dict[int, Array]]
    chosen: np.ndarray
    candidates: list[str]
    record: dict[str, float]
    past: int
    movement: float
    total: float | None


def outlook(forecaster: Forecaster, year: int, seen: int, lag: int, total: Total | None = None) -> Outlook:
    """Estimate `year` from `seen` months and truth up to `year` − `lag`, choosing by cell and giving intervals.

    Cells whose truth of `year` − `lag` is missing or not believed are estimated as far ahead as from their latest.
    """
    made = _outlook(forecaster, year, seen, lag, total)
    behind = _behind(forecaster.panel, year - lag)
    sums = {name: float(np.nansum(value)) for name, value in made.estimates.items()}
    for more in sorted({*behind[behind > 0].tolist()}):
        older = _outlook(forecaster, year, seen, lag + more, total)
        mine = behind == more
        for name in made.estimates.keys() & older.estimates.keys():
            made.estimates[name] = np.where(mine, older.estimates[name], made.estimates[name])
            for level in LEVELS:
                made.widths[name][level] = np.where(mine, older.widths[name][level], made.widths[name][level])
        same = {n: made.candidates.index(name) for n, name in enumerate(older.candidates) if name in made.candidates}
        if total is not None:  # the cells still come to the total
            for name, value in made.estimates.items():
                made.estimates[name] = value * sums[name] / np.nansum(value)
        made.chosen[mine] = [same.get(n, 0) for n in older.chosen[mine].tolist()]
    return made


def _behind(panel: Panel, last: int) -> np.ndarray:
    """How many years before `last` each cell's latest truth is (N,); 0 where it has none."""
    there = np.isfinite(panel.truth[:, : max(last - panel.truth_start + 1, 0)])
    return np.where(there.any(1), np.argmax(there[:, ::-1], 1), 0) if there.shape[1] else np.zeros(len(there), int)


def _outlook(forecaster: Forecaster, year: int, seen: int, lag: int, total: Total | None) -> Outlook:
    panel, last = forecaster.panel, year - lag
    made = _reconciled(forecaster, forecaster.forecast(year, seen, lag), year, seen, lag, total)
    record = past_errors(forecaster, last, seen, lag, total, list(made))
    steps = record if lag == 1 else past_errors(forecaster, last, seen, 1, total, list(made))
    full = {name: rows for name, rows in steps.items() if np.isfinite(rows).any()}
    candidates = [name for name in (*METHODS, RECONCILED) if name in made]
    chosen, skill = choose(full, candidates) if full else (np.zeros(len(panel.cells), int), {})
    made[SELECTED] = picked(made, candidates, chosen)
    usual, history = intervals.scatter(panel.truth[:, : max(last - panel.truth_start + 1, 0)], lag)
    empty = np.full((len(panel.cells), 0), np.nan)
    record[SELECTED] = picked(record, candidates, chosen) if record else empty
    stretch, *rest = _stretches(forecaster, [year, *_past(forecaster, last, lag)], seen, lag, last)
    pace = np.array(rest)
    unseen = _unseen(forecaster, year, seen)
    widths: dict[str, dict[int, Array]] = {}
    for name in made:
        widths[name] = {}
        for level in LEVELS:
            known, base = (
                intervals.half_widths(
                    _at(record.get(n, empty), pace), usual, history, movement=stretch, level=level / 100
                )
                for n in (name, "last_value")
            )
            widths[name][level] = known + unseen * np.maximum(base - known, 0.5 * known)
    past = record["last_value"].shape[1] if "last_value" in record else 0
    return Outlook(year, seen, made, widths, chosen, candidates, skill, past, stretch,
                   total.known(year, seen) if total else None)  # fmt: skip


def past_errors(
    forecaster: Forecaster, last: int, seen: int, lag: int, total: Total | None, names: Sequence[str]
) -> dict[str, Array]:
    """Log errors (N, K) by method of the years up to `last`, each forecast `lag` years ahead by a bridge without it."""
    panel = forecaster.panel
    errors: dict[str, list[Array]] = {}
    for q in _past(forecaster, last, lag):
        then = _reconciled(forecaster, forecaster.forecast(q, seen, lag, trained_to=last), q, seen, lag, total)
        with np.errstate(all="ignore"):
            for name in names:
                error = np.log(panel.actual(q) / then[name]) if name in then else np.full(len(panel.cells), np.nan)
                errors.setdefault(name, []).append(np.where(np.isfinite(error), error, np.nan))
    return {name: np.array(rows).T for name, rows in errors.items()}


def _past(forecaster: Forecaster, last: int, lag: int) -> list[int]:
    """Years up to `last` whose errors can be learnt from."""
    return [q for q in forecaster.training(last) if q - lag in forecaster.panel.truth_years]


def _stretches(forecaster: Forecaster, years: Sequence[int], seen: int, lag: int, last: int) -> list[float]:
    """How many times farther each year moved than the middle one of all but the first, which is the year asked for.

    At least 1: a year that moves less than the middle one is not surer for it.
    """
    moved = [_movement(forecaster, year, seen, lag, last) for year in years]
    middle = float(np.median(moved[1:])) if len(moved) > 1 else 1.0
    return [max(one / middle, 1.0) for one in moved]


def _movement(forecaster: Forecaster, year: int, seen: int, lag: int, last: int) -> float:
    """The largest movement of the years that were unknown when `year` was estimated with `seen` months of it known, or
    the root of that of the year before them: what fell far comes back, and not all of it is seen.

    Past years and the year asked for are measured alike, so that intervals are stretched by no more than the past was.
    """
    before = forecaster.movement(year - lag, 12, last) ** 0.5
    return max(
        before, *(forecaster.movement(q, 12 if q < year else seen, last) for q in range(year - lag + 1, year + 1))
    )


def _at(errors: Array, pace: Array) -> Array:
    """Past errors (N, K) as they would have been in years of usual movement; `pace` (K,) is what each year moved."""
    return errors / pace if errors.shape[1] == len(pace) else errors


def _unseen(forecaster: Forecaster, year: int, seen: int) -> Array:
    """Share (N,) of the months that ought to have been seen but did not come or were wrong; 1 for a silent cell."""
    panel = forecaster.panel
    count = len(panel.cells)
    place = year - panel.start
    if not panel.streams or not 0 <= place < panel.values.shape[2]:
        return np.ones(count)
    alive = (forecaster.year(year - 1) > 0) | (forecaster.year(year) > 0)
    bad = panel.repaired | ~np.isfinite(panel.values)
    marks = bad[:, :, place, :seen].sum(2) + bad[:, :, place - 1].sum(2) / 2 if place else 0
    share = np.where(alive, marks, 0).sum(0) / np.maximum(alive.sum(0) * max(seen, 1), 1)
    power = [k for k, stream in enumerate(panel.streams) if stream.carrier == "electricity"]
    if power and alive[power].any():
        share = np.where(alive[power].any(0), share, 1.0)  # others have it: what moves the rest is not seen
    return np.asarray(np.where(alive.any(0), np.minimum(share, 1.0), 1.0))


def _reconciled(
    forecaster: Forecaster, made: dict[str, Array], year: int, seen: int, lag: int, total: Total | None
) -> dict[str, Array]:
    """`made` raked to the total, linked by the last known year; the last value is kept beside its raked form."""
    if total is None:
        return made
    one, last = total.known(year, seen), year - lag
    before = total.annual.get(last)
    actual = forecaster.panel.actual(last)
    if one is None or not before or not np.isfinite(actual).any():
        return {**made, RECONCILED: made["last_value"]}
    out = {"last_value": made["last_value"]}
    for name, value in made.items():
        fine = np.isfinite(value) & np.isfinite(actual)
        target = one * actual[fine].sum() / before
        out[RECONCILED if name == "last_value" else name] = value * target / value[fine].sum()
    return out


@dataclass
class Scores:
    """Absolute percentage errors (cells × years × months) by method and what else a replay shows."""

    errors: dict[str, dict[int, dict[int, Array]]] = field(default_factory=dict)
    inside: dict[str, dict[int, dict[int, dict[int, Array]]]] = field(default_factory=dict)
    width: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    selection: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    def of(self, method: str, month: int, year: int) -> Array:
        """Errors of one method, month and year (N,); NaN where the method could not speak."""
        found = self.errors[method].get(month, {}).get(year)
        return np.full_like(self.errors["last_value"][month][year], np.nan) if found is None else found


def replay(
    panel: Panel,
    years: Sequence[int],
    months: Sequence[int],
    lag: int,
    total: Total | None = None,
    *,
    filled: bool = True,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Score every method over `years` × `months`; the document that ``nowcast backtest --json`` prints, less its head.

    `mape`, `median` and `width90` are in %, `skill_vs_last` is 1 − MAPE / MAPE of the last value, coverage a share.
    """
    forecaster = Forecaster(panel, filled)
    scores = Scores()
    for m in months:
        for year in years:
            _score(scores, panel, outlook(forecaster, year, m, lag, total))
            advance()
    names = [n for n in (*METHODS, RECONCILED, SELECTED) if n in scores.errors]
    last = max(months)
    methods = []
    for name in names:
        flat = {m: np.concatenate([scores.of(name, m, y) for y in years]) for m in months}
        base = {m: np.concatenate([scores.errors["last_value"][m][y] for y in years]) for m in months}
        entry: dict[str, Any] = {"method": name, "chosen": name == SELECTED}
        entry["mape"] = {str(m): _mean(flat[m]) for m in months}
        entry["median"] = {str(m): _median(flat[m]) for m in months}
        entry["skill_vs_last"] = {str(m): _skill(flat[m], base[m]) for m in months}
        entry["better_than_last"] = {str(m): _share(flat[m] < base[m] - 1e-9, flat[m]) for m in months}
        for level in LEVELS:
            entry[f"coverage{level}"] = {str(y): _coverage(scores, name, last, y, level) for y in years}
        entry["coverage90_by_month"] = {
            str(m): {str(y): _coverage(scores, name, m, y, 90) for y in years} for m in months
        }
        entry["width90"] = {str(m): _mean(np.array(scores.width[name].get(m, []))) for m in months}
        entry["by_year"] = {str(m): {str(y): _mean(scores.of(name, m, y)) for y in years} for m in months}
        methods.append(entry)
    return {"methods": methods, "regions": len(panel.cells), "years": list(years), "months": list(months), "lag": lag,
            "selection": scores.selection}  # fmt: skip


def _score(scores: Scores, panel: Panel, seen: Outlook) -> None:
    truth = panel.actual(seen.year)
    for name, value in seen.estimates.items():
        with np.errstate(all="ignore"):
            relative = 100 * np.abs(value / truth - 1)
            gap = np.abs(np.log(truth / value))
        fine = np.isfinite(relative)
        scores.errors.setdefault(name, {}).setdefault(seen.seen, {})[seen.year] = np.where(fine, relative, np.nan)
        for level, width in seen.widths[name].items():
            inside = np.where(fine & np.isfinite(gap), gap <= width, np.nan)
            by = scores.inside.setdefault(name, {}).setdefault(seen.seen, {}).setdefault(seen.year, {})
            by[level] = inside
        full = 100 * (np.exp(seen.widths[name][90]) - np.exp(-seen.widths[name][90]))
        scores.width.setdefault(name, {}).setdefault(seen.seen, []).append(float(np.median(full)))
    counts = {name: int((seen.chosen == k).sum()) for k, name in enumerate(seen.candidates)}
    scores.selection.setdefault(str(seen.seen), {})[str(seen.year)] = {k: n for k, n in counts.items() if n}


def _coverage(scores: Scores, name: str, month: int, year: int, level: int) -> float | None:
    by_year = scores.inside[name].get(month, {})
    if year not in by_year:
        return None
    inside = by_year[year][level]
    return _round(float(np.nanmean(inside)), 4) if np.isfinite(inside).any() else None


def _mean(values: Array) -> float | None:
    return _round(float(np.nanmean(values)), 3) if np.isfinite(values).any() else None


def _median(values: Array) -> float | None:
    return _round(float(np.nanmedian(values)), 3) if np.isfinite(values).any() else None


def _skill(values: Array, base: Array) -> float | None:
    mine, theirs = _mean(values), _mean(base)
    return None if mine is None or not theirs else _round(1 - mine / theirs, 4)


def _share(better: np.ndarray, values: Array) -> float | None:
    fine = np.isfinite(values)
    return _round(float(better[fine].mean()), 4) if fine.any() else None


def _round(value: float, digits: int) -> float:
    return round(value, digits)
