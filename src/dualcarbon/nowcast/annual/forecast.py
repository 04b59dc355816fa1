"""Forecasts of annual cells from the months seen so far, by a chain of methods from the simplest up.

`last_value` the last known year · `electricity_ratio` moved with electricity · `counted_rest` observed fuels counted,
the rest moved with electricity · `ridge` the pooled bridge on growth · `ridge_filled` the same with the unseen months
filled by the factor model. Features of a year use its months ≤ m and earlier years only.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dualcarbon.nowcast import bridge
from dualcarbon.nowcast.annual import factor_model
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.panel import Panel

#: The fallback chain, simplest first.
METHODS = ("last_value", "electricity_ratio", "counted_rest", "ridge", "ridge_filled")
#: Annual growth of an indicator beyond this counts as this (natural logarithm).
LIMIT = 0.6
FACTORS = 2


@dataclass
class Forecaster:
    """Features and forecasts over one panel; everything computed once is kept."""

    panel: Panel
    filled: bool = True
    _projected: dict[tuple[int, int, bool], Array] = field(default_factory=dict)
    _features: dict[tuple[int, int, bool], Array] = field(default_factory=dict)
    _trainings: dict[tuple[int, int, bool], Any] = field(default_factory=dict)
    _unusuals: dict[tuple[int, int], Array] = field(default_factory=dict)
    _latest: dict[int, Array] = field(default_factory=dict)
    _commons: dict[tuple[int, int, int], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        streams = self.panel.streams
        self.factors = np.array([stream.factor for stream in streams]).reshape(-1, 1)
        power = [k for k, stream in enumerate(streams) if stream.carrier == "electricity"]
        whole = [k for k in power if streams[k].total]
        self.electricity = whole or power
        #: Which streams have all months of a year (S, N, Y), and the sums of those; 0 where one is lacking.
        values = self.panel.values if streams else np.zeros((0, len(self.panel.cells), 1, 12))
        self.whole = np.asarray(np.isfinite(values).all(3))
        self.annual = np.where(self.whole, np.nansum(values, 3), 0.0)

    def year(self, year: int) -> Array:
        """Annual sums of the streams (S, N) of `year`; 0 where a month of it is not known."""
        place = year - self.panel.start
        return self.annual[:, :, place] if 0 <= place < self.annual.shape[2] else np.zeros(self.annual.shape[:2])

    def counted(self, year: int) -> Array:
        """Direct CO2 of one unit of each stream (S, N) whose months of `year` are all known, else 0.

        A fuel that was not seen in the year before is no growth: it is part of the rest until it was seen for a year.
        """
        place = year - self.panel.start
        there = self.whole[:, :, place] if 0 <= place < self.whole.shape[2] else np.zeros(self.whole.shape[:2], bool)
        return self.factors * there

    def months(self, year: int) -> Array:
        """Months (S, N, 12) of `year`."""
        place = year - self.panel.start
        shape = (*self.annual.shape[:2], 12)
        return self.panel.values[:, :, place] if 0 <= place < self.annual.shape[2] else np.full(shape, np.nan)

    def projected(self, year: int, seen: int, filled: bool = False) -> Array:
        """Annual sums (S, N) of `year` when its first `seen` months are known.

        Unseen months are those of the year before, moved by 0.7 of the growth so far (less before June); `filled`: by
        the growth that the factor model expects. Months that ought to have been seen but have not come are moved by the
        growth of those that have.
        """
        key = (year, seen, filled)
        if key not in self._projected:
            now, before = self.months(year), self.months(year - 1)
            growth = self._growth(now, before, seen)
            late = np.nan_to_num(before[:, :, :seen]) * np.exp(growth)[:, :, None]
            made = np.where(np.isfinite(now[:, :, :seen]), now[:, :, :seen], late).sum(2)
            if filled and seen < 12:
                made = made + self._expected(year, seen)
            elif seen < 12:
                made = made + np.nansum(before[:, :, seen:], 2) * np.exp(0.7 * growth * min(1.0, seen / 6))
            self._projected[key] = made
        return self._projected[key]

    def _growth(self, now: Array, before: Array, seen: int) -> Array:
        """Growth so far (S, N), over the months known in both years."""
        if seen == 0:
            return np.zeros(now.shape[:2])
        both = np.isfinite(now[:, :, :seen]) & np.isfinite(before[:, :, :seen])
        a = np.where(both, now[:, :, :seen], 0).sum(2)
        b = np.where(both, before[:, :, :seen], 0).sum(2)
        return log_ratio(a, b)

    def _expected(self, year: int, seen: int) -> Array:
        """Sum of the unseen months of `year` (S, N), from the factor model of all monthly growth so far."""
        place = year - self.panel.start
        streams, cells = self.annual.shape[:2]
        history = self.panel.values[:, :, : place + 1].reshape(streams * cells, -1)
        with np.errstate(all="ignore"):
            growth = np.log(history[:, 12:] / history[:, :-12])
        growth[~np.isfinite(growth)] = np.nan
        growth = np.clip(growth, -0.8, 0.8).T.copy()
        growth[len(growth) - 12 + seen :] = np.nan
        live = np.isfinite(growth).mean(0) > 0.6
        expected = np.zeros((12 - seen, streams * cells))
        if live.any() and len(growth) >= 24:
            started = int(np.isfinite(growth[:, live]).mean(1).__gt__(0.5).argmax())
            fit = factor_model.fit(growth[started:, live], FACTORS, rounds=12, tolerance=1e-3)
            expected[:, live] = fit.filled[-(12 - seen) :]
        before = self.months(year - 1)[:, :, seen:]
        return np.asarray(np.nansum(before * np.exp(expected.T.reshape(streams, cells, 12 - seen)), 2))

    def features(self, year: int, seen: int, filled: bool, previous: Array) -> Array:
        """Features (N, p): growth of each stream, counted fuels as shares of the cell's CO2, electricity's growth for
        the rest, and how far the year before was off its usual level in the months not seen yet.
        """
        now, before = self.projected(year, seen, filled), self.year(year - 1)
        growth = log_ratio(now, before)
        parts = [growth]
        with np.errstate(all="ignore"):
            base = np.where(previous > 0, previous, np.nan)
            counted, factors = self.factors[:, 0] > 0, self.counted(year - 1)
            share = np.nan_to_num((now - before)[counted] * factors[counted] / base)
            held = np.nan_to_num((before[counted] * factors[counted]).sum(0) / base)
            parts.append(np.clip(share, -LIMIT / 2, LIMIT / 2))
            if self.electricity and counted.any():
                drive = log_ratio(now[self.electricity].sum(0), before[self.electricity].sum(0))
                parts.append((drive * np.clip(1 - held, 0, 1))[None])
        if seen < 12:
            parts.append(self._unusual(year, seen))
        return np.concatenate(parts).T

    def _unusual(self, year: int, seen: int) -> Array:
        """How the unseen months of the three years before last differ from those of last year, over its sum (S, N)."""
        key = (year, seen)
        if key not in self._unusuals:
            self._unusuals[key] = self._unusual_now(year, seen)
        return self._unusuals[key]

    def _unusual_now(self, year: int, seen: int) -> Array:
        place = year - 1 - self.panel.start
        before = self.months(year - 1)[:, :, seen:]
        past = self.panel.values[:, :, max(0, place - 3) : max(0, place), seen:]
        if past.shape[2] == 0:
            return np.zeros(self.annual.shape[:2])
        with np.errstate(all="ignore"):
            whole = np.isfinite(past).all(3)
            mean = np.where(whole, past.sum(3), 0).sum(2) / whole.sum(2)
            made = (mean - np.nansum(before, 2)) / self.year(year - 1)
        return np.clip(np.where(np.isfinite(made), made, 0.0), -0.4, 0.4)

    def bridge(self, last: int, seen: int, filled: bool, without: Collection[int]) -> bridge.Bridge | None:
        """The bridge trained on every year up to `last`, but those `without`, as it looked with `seen` months."""
        key = (last, seen, filled)
        if key not in self._trainings:
            years = self.training(last)
            growth = []
            for year in years:
                with np.errstate(all="ignore"):
                    change = np.log(self.panel.actual(year) / self.panel.actual(year - 1))
                growth.append(np.where(np.isfinite(change) & self.alive(year), change, np.nan))
            rows = [self.known_features(year, seen, filled) for year in years]
            groups = self.panel.groups if self.panel.groups.max(initial=0) else None
            self._trainings[key] = bridge.Training(rows, growth, years, groups) if rows else None
        training = self._trainings[key]
        return training.fit(without) if training is not None else None

    def known_features(self, year: int, seen: int, filled: bool) -> Array:
        """Features of `year` when the truth of the year before is known."""
        key = (year, seen, filled and year > self.panel.start + 1)
        if key not in self._features:
            self._features[key] = self.features(*key, self.latest(year - 1))
        return self._features[key]

    def training(self, last: int) -> list[int]:
        """Years up to `last` with truth and nearly all the streams that `last` has; all with any, when none has."""
        first = max(self.panel.start + 1, self.panel.truth_start + 1)
        years = list(range(first, last + 1))
        live = {year: ((self.year(year) > 0) & (self.year(year - 1) > 0)).any(1).sum() for year in years}
        most = max(live.values(), default=0)
        return [year for year in years if live[year] >= 0.8 * most > 0]

    def alive(self, year: int) -> np.ndarray:
        """Cells with an indicator in `year` − 1 and `year` (N,)."""
        return np.asarray(((self.year(year) > 0) & (self.year(year - 1) > 0)).any(0))

    def reporting(self, year: int, seen: int) -> np.ndarray:
        """Cells with an indicator the year before (N,): without one only the last value can be shown."""
        return np.asarray((self.year(year - 1) > 0).any(0) | (self.projected(year, seen) > 0).any(0))

    def forecast(self, year: int, seen: int, lag: int, trained_to: int | None = None) -> dict[str, Array]:
        """Each method's annual CO2 (N,) of `year` with `seen` months known and truth up to `year` − `lag`.

        `trained_to`: a past year is asked at a later time, to learn how large errors are: the bridge of each step is
        then trained on every year up to that one except the step's own, so on nearly as many as the bridge in use.

        Methods that cannot speak (no electricity, no counted fuel, too few years) are left out; a cell for which a
        method has nothing to go by takes the last value. The last value is the latest known truth not after that year.
        """
        last = year - lag
        to = last if trained_to is None else trained_to
        base = self.latest(last)
        made = {"last_value": base}
        if not self.panel.streams:
            return made
        ahead, known = self.projected(year, seen), self.year(last)
        lively = self.reporting(year, seen)
        if self.electricity:
            with np.errstate(all="ignore"):
                drive = np.exp(log_ratio(ahead[self.electricity].sum(0), known[self.electricity].sum(0)))
            made["electricity_ratio"] = np.where(lively, base * drive, base)
            if (self.factors > 0).any():
                factors = self.counted(last)
                direct, before = (ahead * factors).sum(0), (known * factors).sum(0)
                made["counted_rest"] = np.where(lively, direct + np.maximum(base - before, 0) * drive, base)
        for name, filled in (("ridge", False), ("ridge_filled", True)):
            if filled and (seen == 12 or not self.filled):
                if name == "ridge_filled" and "ridge" in made and self.filled:
                    made[name] = made["ridge"]
                continue
            value: Array | None = base
            for step in range(last + 1, year + 1):
                months = 12 if step < year else seen
                model = self.bridge(to, months, filled, () if trained_to is None else (step,))
                if model is None:
                    value = None
                    break
                if step == last + 1:
                    features = self.known_features(step, months, filled)
                else:
                    features = self.features(step, months, filled, value)  # type: ignore[arg-type]
                value = value * np.exp(model.predict(features, self.panel.groups))
            if value is not None:
                made[name] = np.where(lively, value, base)
        return made

    def movement(self, year: int, seen: int, last: int) -> float:
        """How far the indicators move together in `year`, against the other years of `training(last)`; at least 1.

        For all the months seen, and for each quarter of them (a shock may show in one alone): the root mean square over
        streams of the middle growth of all cells, in units of its past scatter. The largest of these counts. With fewer
        than four years 1, since a past year could not be measured against three others.
        """
        training = self.training(last)
        if len(training) < 4 or seen == 0:
            return 1.0
        past = [when for when in training if when != year]
        spans = [(0, seen), *((a, min(a + 3, seen)) for a in range(0, seen, 3))]
        return max(1.0, *(self._moved(year, past, span) for span in spans))

    def _moved(self, year: int, past: list[int], span: tuple[int, int]) -> float:
        before, now = np.array([self._common(when, span) for when in past]), self._common(year, span)
        use = np.isfinite(before).all(0) & np.isfinite(now)
        if not use.any():
            return 1.0
        before, now = before[:, use], now[use]
        centre, spread = before.mean(0), before.var(0, ddof=1)
        spread = (spread * (len(before) - 1) + 2 * spread.mean()) / (len(before) + 1)
        return float(np.sqrt(np.mean((now - centre) ** 2 / np.maximum(spread, 1e-8))))

    def _common(self, year: int, span: tuple[int, int]) -> Array:
        """Middle growth of all cells (S,) in some months of `year`; NaN where fewer than half of them are known."""
        key = (year, *span)
        if key not in self._commons:
            now, before = (self.months(when)[:, :, span[0] : span[1]] for when in (year, year - 1))
            growth = self._growth(now, before, span[1] - span[0])
            both = (np.isfinite(now) & (now > 0) & np.isfinite(before) & (before > 0)).any(2)
            growth = np.where(both, growth, np.nan)
            enough = np.isfinite(growth).mean(1) > 0.5
            made = np.full(len(growth), np.nan)
            made[enough] = np.nanmedian(growth[enough], 1)
            self._commons[key] = made
        return self._commons[key]

    def latest(self, last: int) -> Array:
        """The latest known truth (N,) of a year not after `last`; NaN where there is none."""
        if last not in self._latest:
            made = np.full(len(self.panel.cells), np.nan)
            for year in range(self.panel.truth_start, last + 1):
                now = self.panel.actual(year)
                made = np.where(np.isfinite(now), now, made)
            self._latest[last] = made
        return self._latest[last]


def log_ratio(now: Array, before: Array) -> Array:
    """log(now / before) within ±LIMIT, 0 where either is not positive."""
    with np.errstate(all="ignore"):
        made = np.log(now / before)
    return np.clip(np.where(np.isfinite(made), made, 0.0), -LIMIT, LIMIT)
