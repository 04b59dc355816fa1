"""Monte Carlo: seeded samples of factors and observations, carried through the equations to the totals."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.engine.apply import cell_scales
from dualcarbon.engine.formula import DUALS, Dual, constant
from dualcarbon.engine.groups import Term, grouped, one_basis

Z95 = 1.959963984540054
CHUNK = 1_000_000  # samples × cells held at once


def monte_carlo(
    terms: Sequence[Term],
    by: Sequence[str] = (),
    *,
    samples: int = 2000,
    seed: int = 1,
) -> pl.DataFrame:
    """Results as :func:`combine` gives them, with 2.5 % and 97.5 % quantiles and the mean of seeded samples.

    Factors are drawn once per value and used wherever they occur (IPCC 2006 Guidelines, volume 1, chapter 3,
    approach 2); observations with bounds are drawn per cell. Returns ``by, item, unit, basis, mean, low, high``.
    """
    rng = np.random.default_rng(seed)
    by = list(dict.fromkeys(by))
    terms = one_basis(terms)
    frames = [term.within(term.calculation.cells) for term in terms]
    numbers, table = grouped(list(zip(terms, frames, strict=True)), by)
    factors = [f"factor:{use.name}" for term in terms for use in term.calculation.method.factors]
    used = sorted({n for f in frames for c in factors if c in f.columns for n in f[c].drop_nulls().unique().to_list()})
    rows = terms[0].calculation.factors.rows
    drawn = np.column_stack([_draw(rows[n], rng, samples) for n in used] or [np.empty((samples, 0))])
    place_of = {number: place for place, number in enumerate(used)}
    totals = np.zeros((samples, table.height))
    for term, frame, index in zip(terms, frames, numbers, strict=True):
        order = np.argsort(index, kind="stable")
        present, first = np.unique(index[order], return_index=True)
        for chunk, made in _samples(term, frame[order], drawn, place_of, rng):
            totals[chunk, present] += term.sign * np.add.reduceat(np.nan_to_num(made), first, axis=1)
    low, high = np.quantile(totals, [0.025, 0.975], axis=0)
    named = table.with_columns(mean=pl.Series(totals.mean(axis=0)), low=pl.Series(low), high=pl.Series(high))
    return named.sort(list(dict.fromkeys([*by, "item", "basis"])), nulls_last=True)


def standard_deviation(value: float, low: float | None, high: float | None) -> tuple[float, float] | None:
    """(mean, standard deviation) of the distribution through both 95 % bounds.

    Symmetric bounds give a normal, skewed positive ones a lognormal through both; None without bounds.
    """
    if low is None or high is None or high <= low:
        return None
    if low > 0 and abs((high - value) - (value - low)) > 1e-6 * (high - low):
        mu, sigma = (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / (2 * Z95)
        mean = math.exp(mu + sigma**2 / 2)
        return mean, mean * math.sqrt(math.exp(sigma**2) - 1)
    return value, (high - low) / (2 * Z95)


def _draw(row: dict[str, Any], rng: np.random.Generator, samples: int) -> Any:
    value, low, high = row["value"], row["low"], row["high"]
    if standard_deviation(value, low, high) is None:
        return np.full(samples, value)
    if low > 0 and abs((high - value) - (value - low)) > 1e-6 * (high - low):
        mu, sigma = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / (2 * Z95)
        return rng.lognormal(mu, sigma, samples)
    return rng.normal(value, (high - low) / (2 * Z95), samples)


def _samples(
    term: Term, cells: pl.DataFrame, drawn: Any, place_of: dict[int, int], rng: np.random.Generator
) -> Iterator[tuple[Any, Any]]:
    """The output on the cells, some samples at a time: (their numbers as a column, samples × cells)."""
    method = term.calculation.method
    scale = cell_scales(term.calculation.proven, cells)
    quantity = cells["quantity"].to_numpy().astype(float)
    half = cells["spread2"].fill_null(0.0).sqrt()
    if "spread1" in cells.columns:
        tied = pl.when(pl.col("error_group").is_null()).then(half).otherwise(pl.col("spread1"))
        half = cells.select(tied).to_series().fill_null(0.0)
    group = cells.select(pl.coalesce("error_group", pl.concat_str(pl.lit("\0"), pl.int_range(pl.len())))).to_series()
    code = (group.rank("dense").to_numpy() - 1).astype(int)
    columns: dict[str, Any] = {}
    for use in method.factors:
        number = cells[f"factor:{use.name}"].replace_strict(place_of, default=None, return_dtype=pl.Int64)
        columns[use.name] = (number.fill_null(0).to_numpy(), number.is_null().to_numpy())
    fixed: dict[str, Any] = {
        name: constant(number.value) * float(np.ravel(scale(name))[0]) for name, number in method.constants.items()
    }
    for look in method.lookups:
        fixed[look.name] = Dual(cells[f"lookup:{look.name}"].to_numpy() * scale(look.name), {})
    formulas = method.parsed()
    step = max(1, CHUNK // max(1, cells.height))
    for start in range(0, len(drawn), step):
        chunk = np.arange(start, min(start + step, len(drawn)))
        values = dict(fixed)
        moved = np.broadcast_to(quantity, (len(chunk), cells.height))
        if bool((half > 0).any()):
            noise = rng.standard_normal((len(chunk), int(code.max()) + 1))[:, code]
            moved = quantity + noise * half.to_numpy() / Z95
        values[method.rows.name] = Dual(moved * scale(method.rows.name), {})
        for name, (place, lost) in columns.items():
            taken = drawn[chunk][:, place] if drawn.shape[1] else np.zeros((len(chunk), cells.height))
            values[name] = Dual(np.where(lost, np.nan, taken) * scale(name), {})
        with np.errstate(all="ignore"):
            for name, formula in formulas.items():
                values[name] = formula.evaluate(values, DUALS)
        yield chunk[:, None], values[term.output.equation].value / scale(term.output.equation)
