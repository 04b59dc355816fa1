"""What the weather did to energy: how it answers degree days, and months as they would have been with other weather.

Energy of a month and the same month a year before is E and E₀, M the mean month of the year around E₀. Learnt is
ln(E / E₀) = (b · change of degree days + f · change of the festival) · M / E₀, both sides less their mean of the
calendar year, by the pooled ridge of `bridge` with slopes of sectors: a degree day costs the same energy in every
month, and how much a year grew says nothing of its weather. A response below zero is taken as none. Electricity (MWh)
and fuels (by their CO2) each have their own.
"""

import warnings
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from dualcarbon.nowcast import bridge, calendar_terms
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array

YEAR = 12
#: Fewer months with degree days in both years teach nothing.
FEWEST = 12
#: A response moves a month by no more than this (natural logarithm).
LARGEST = 0.7


class Response(NamedTuple):
    """`slopes`: share of a mean month's energy that thousand degree days take, by cell and name (N, k); `months` is how
    many taught it, `base` M / E₀ by cell and month (N, T)."""

    slopes: Array
    months: int
    base: Array


class Moved(NamedTuple):
    """What the weather did between paired months: `change` of degree days in thousands (k, M; NaN for all names where
    any is not known), and by part (`direct`, `indirect`) the `response` and the logarithm (N, M) by which it moved each
    cell's month."""

    names: list[str]
    change: Array
    response: dict[str, Response]
    effect: dict[str, Array]


def moved(seen: City, before: Sequence[int], after: Sequence[int], taught: City) -> Moved | None:
    """What the weather of the months `after` (numbers) did beside that of the months `before`, in their order, by what
    all months of the same city `taught`; None where there are no degree days, or too few to learn from."""
    names = list(seen.weather)
    parts = {"direct": (seen.direct, taught.direct), "indirect": (seen.power, taught.power)}
    change = np.array([[_day(seen, name, t) - _day(seen, name, s) for s, t in zip(before, after, strict=True)]
                       for name in names]).reshape(len(names), len(before)) / calendar_terms.DEGREE_DAYS  # fmt: skip
    change[:, np.isnan(change).any(0)] = np.nan
    response, effect = {}, {}
    for part, (values, teaching) in parts.items():
        found = learnt(taught, teaching)
        if found is None:
            continue
        slopes = np.array([found[0].get(sector, np.zeros(len(names))) for _, sector, _ in seen.cells])
        base = _base(values)
        response[part] = Response(slopes, found[1], base)
        of = np.nan_to_num(slopes @ np.nan_to_num(change) * base[:, list(before)])
        effect[part] = np.clip(of, -LARGEST, LARGEST)
    return Moved(names, change, response, effect) if response else None


def learnt(seen: City, values: Array) -> tuple[dict[str, Array], int] | None:
    """How the energy `values` (N, T) answers degree days, by sector (share of a mean month for thousand, (k,)), and
    from how many months; None with too few."""
    names = list(seen.weather)
    terms = calendar_terms.terms(seen.months, seen.weather)[0]
    live, base = np.where(values > 0, values, np.nan), _base(values)
    growth = np.full(values.shape, np.nan)
    growth[:, YEAR:] = np.log(live[:, YEAR:] / live[:, :-YEAR])
    growth[np.abs(growth) > bridge.LARGEST] = np.nan
    known = [t for t in range(YEAR, len(seen.months)) if np.isfinite(growth[:, t]).any()
             and all(np.isfinite(_day(seen, name, s)) for name in names for s in (t, t - YEAR))]  # fmt: skip
    features, change, taught = [], [], []
    for year in sorted({seen.months[t].year for t in known}):
        mine = [t for t in known if seen.months[t].year == year]
        if len(mine) < YEAR / 2:
            continue
        x, y = terms[mine] * base[:, [t - YEAR for t in mine], None], growth[:, mine]
        x[~np.isfinite(y)] = np.nan
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # cells that were not seen that year
            x, y = x - np.nanmean(x, 1, keepdims=True), y - np.nanmean(y, 1, keepdims=True)
        features += list(np.moveaxis(x, 1, 0))
        change += list(y.T)
        taught += mine
    if not names or len(taught) < FEWEST:
        return None
    several = seen.sectors if seen.sectors.max(initial=0) > 0 else None
    with_it, without = (
        bridge.Training([one[:, :columns] for one in features], change, taught, several)
        for columns in (1 + len(names), 1)
    )
    model, plain = with_it.fit(), without.fit()
    if model is None:
        return None
    errors = [
        _errors(one, like, features, change, taught, seen.sectors) for one, like in ((with_it, model), (without, plain))
    ]
    by = {}
    for sector, number in zip((cell[1] for cell in seen.cells), seen.sectors.tolist(), strict=True):
        slopes = model.slopes + (model.own[number] if model.own is not None else 0.0)
        helps = errors[0][number] < errors[1][number]
        by[sector] = np.maximum(slopes / model.scale, 0.0)[1:] * helps
    return by, len(taught)


def _errors(
    training: bridge.Training, like: bridge.Bridge | None, features: list[Array], change: list[Array],
    taught: list[int], sectors: np.ndarray,
) -> Array:  # fmt: skip
    """Squared errors by sector of months predicted without any of their name: a month and the next year's share one."""
    made = np.zeros(int(sectors.max(initial=0)) + 1)
    for name in range(YEAR):
        without = [t for t in taught if t % YEAR == name]
        model = training.fit(without, like=like) if without else None
        if model is None:
            continue
        for t in without:
            x, y = features[taught.index(t)], change[taught.index(t)]
            fine: np.ndarray = np.isfinite(y) & np.isfinite(x).all(1)
            expected = model.predict(x[fine, : len(model.centre)], sectors[fine] if model.own is not None else None)
            made += np.bincount(sectors[fine], (y[fine] - expected) ** 2, len(made))
    return made


def _base(values: Array) -> Array:
    """The mean month over each month (N, T)."""
    return _mean_month(values) / np.where(values > 0, values, np.nan)


def _mean_month(values: Array) -> Array:
    """Mean of the twelve months up to each month (N, T), of the first year's where it has fewer."""
    made = np.full_like(values, np.nan)
    for t in range(values.shape[1]):
        first = max(t - YEAR + 1, 0)
        span = values[:, first : first + YEAR]
        known = np.isfinite(span)
        made[:, t] = np.where(known, span, 0.0).sum(1) / np.maximum(known.sum(1), 1)
    return made


def _day(seen: City, name: str, t: int) -> float:
    month: date = seen.months[t]
    return seen.weather[name].get(month, float("nan"))
