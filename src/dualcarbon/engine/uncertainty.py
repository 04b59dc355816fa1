"""Combine cells into totals, with an uncertainty in which whatever shares a factor errs together.

Var(total) = Σ_f (u_f · Σ ∂y/∂f)² + Σ activity variance, for each requested total from the cells and never
from the cells' intervals (IPCC 2006 Guidelines, volume 1, chapter 3, approach 1, with the correlation of
shared factors taken in full). Bounds are at 95 %; unequal distances up and down are carried apart.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from dualcarbon.core.tables import STATUSES
from dualcarbon.engine.calculation import OPEN_NOTATIONS
from dualcarbon.engine.groups import Term, grouped, labelled, one_basis, sources
from dualcarbon.engine.keys import Floats, Numbers, dense, numbered, summed

Flags = npt.NDArray[np.bool_]
Placed = list[tuple[Term, pl.DataFrame, Numbers]]  # a term, its cells and the group of each
RESULT = ("item", "value", "unit", "low", "high", "uncertainty", "status", "complete", "basis", "scope", "category")
STATUS = pl.Series([*STATUSES, None], dtype=pl.String)
UNCERTAINTY = pl.Series([None, "factors", "activity", "both"], dtype=pl.String)


def combine(terms: Sequence[Term], by: Sequence[str] = ()) -> pl.DataFrame:
    """Results of all terms together for each value of ``by``.

    Returns one row per ``by`` × item × unit × basis with ``value, unit, low, high, uncertainty
    (factors|activity|both|null), status, complete, scope, category``, sorted by the dimensions. ``by`` knows the
    cells' columns and ``year quarter month period domain section division category scope``. Different bases are never
    summed. A total without any known cell is null; one that lacks a cell is not complete.
    """
    by = list(dict.fromkeys(by))
    terms = one_basis(terms)
    cells = [(term, term.within(term.calculation.cells)) for term in terms]
    noted = [(term, term.within(term.calculation.notations)) for term in terms if term.calculation.notations.height]
    groups, table = grouped([*cells, *noted], by)
    placed = [(*one, group) for one, group in zip(cells, groups[: len(cells)], strict=True)]
    value, lost = _values(placed, table.height)
    for (_, frame), group in zip(noted, groups[len(cells) :], strict=True):
        still_open = frame["notation"].is_null() | frame["notation"].is_in(list(OPEN_NOTATIONS))
        lost[group[still_open.to_numpy()]] = True
    up, down = _factor_part(placed, table.height)
    activity = _activity_part(placed, table.height)
    kind = np.isfinite(up) + 2 * np.isfinite(activity)
    up, down = (np.sqrt(np.nan_to_num(part) + np.nan_to_num(activity)) for part in (up, down))
    made = {
        "value": pl.Series(value, nan_to_null=True),
        "low": pl.Series(np.where(kind > 0, value - down, np.nan), nan_to_null=True),
        "high": pl.Series(np.where(kind > 0, value + up, np.nan), nan_to_null=True),
        "uncertainty": UNCERTAINTY[kind],
        "status": STATUS[_ranks(placed, table.height)],
        "complete": pl.Series(~lost),
        **{name: _only(placed, name, table.height) for name in ("scope", "category") if name not in by},
    }
    found = table.with_columns(**made).select(*by, *(name for name in RESULT if name not in by))
    return found.sort([*by, *(name for name in ("item", "basis") if name not in by)], nulls_last=True)


def _values(placed: Placed, height: int) -> tuple[Floats, Flags]:
    """The sum of the known cells of each group, NaN where it has none; and whether it lacks a cell."""
    value, known, lost = np.zeros(height), np.zeros(height), np.zeros(height, np.bool_)
    for term, frame, group in placed:
        made, quantity = frame[term.output.equation].to_numpy(), frame["quantity"].to_numpy()
        blank = np.isnan(made)
        value += term.sign * np.bincount(group, np.where(blank, 0.0, made), height)
        known += np.bincount(group, ~blank, height)
        lost[group[blank & ~np.isnan(quantity) & (quantity != 0)]] = True
    return np.where(known > 0, value, np.nan), lost


def _factor_part(placed: Placed, height: int) -> tuple[Floats, Floats]:
    """Squared 95 % distances up and down that come from factors, NaN where no factor has bounds."""
    up2, down2 = np.full(height, np.nan), np.full(height, np.nan)
    if not placed:
        return up2, down2
    up, down = (column.to_numpy() for column in placed[0][0].calculation.factors.frame["up", "down"])
    known = np.append(np.isfinite(up), False)
    factors, groups, slopes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for term, frame, group in placed:
        for use in term.calculation.method.factors:
            name = f"d:{term.output.equation}:{use.name}"
            if name not in frame.columns:
                continue
            factor, slope = numbers(frame[f"factor:{use.name}"]), term.sign * np.nan_to_num(frame[name].to_numpy())
            kept = known[factor]
            factors.append(factor[kept])
            groups.append(group[kept])
            slopes.append(slope[kept])
    factor, group = np.concatenate(factors), np.concatenate(groups)
    used = np.flatnonzero(np.bincount(factor))
    up, down = up[used], down[used]
    factor, count = dense(factor)
    pair = group * count + factor
    sums, slope = summed(pair, np.concatenate(slopes))
    if sums is not pair:
        group, factor = np.divmod(sums, max(1, count))
    rises = slope >= 0
    present = np.bincount(group, minlength=height) > 0
    for total, rising, falling in ((up2, up, down), (down2, down, up)):
        reach = rising[factor] if (up == down).all() else np.where(rises, rising[factor], falling[factor])
        total[present] = np.bincount(group, (slope * reach) ** 2, height)[present]
    return up2, down2


def numbers(column: pl.Series) -> Numbers:
    """Factors by number; -1 where there is none."""
    return np.nan_to_num(column.to_numpy(), nan=-1).astype(np.int64)


def _activity_part(placed: Placed, height: int) -> Floats:
    """Squared 95 % half-width that comes from the observations themselves, NaN where none has bounds."""
    square, present = np.zeros(height), np.zeros(height, np.bool_)
    tied: list[pl.DataFrame] = []
    for term, frame, group in placed:
        name = f"d:{term.output.equation}:{term.calculation.method.rows.name}"
        if name not in frame.columns or frame["spread2"].null_count() == frame.height:
            continue
        spread2, slope = frame["spread2"].to_numpy(), np.nan_to_num(frame[name].to_numpy())
        known = ~np.isnan(spread2)
        together = known & frame["error_group"].is_not_null().to_numpy()
        alone = known & ~together
        square += np.bincount(group[alone], (slope**2 * spread2)[alone], height)
        present[group[known]] = True
        if together.any():
            half = pl.Series("half", term.sign * slope) * frame["spread1"]
            kept = pl.DataFrame([pl.Series("group", group), frame["error_group"], half])
            tied.append(kept.filter(pl.Series(together)))
    if tied:
        number, keys = numbered(rows := pl.concat(tied), ["group", "error_group"])
        halves = np.bincount(number, np.nan_to_num(rows["half"].to_numpy()))
        square += np.bincount(keys["group"].to_numpy(), halves**2, height)
    return np.where(present, square, np.nan)


def _ranks(placed: Placed, height: int) -> Numbers:
    """The weakest status of each group: of the method, the datasets and the factors that it depends on; -1: no cell."""
    worst = np.full(height, -1)
    for term, frame, group in placed:
        calculation = term.calculation
        rank = np.full(len(group), STATUSES.index(calculation.method.status))
        for use in calculation.method.factors:
            if f"d:{term.output.equation}:{use.name}" in frame.columns:
                rank = np.maximum(rank, calculation.factors.ranks[numbers(frame[f"factor:{use.name}"])])
        if calculation.statuses and "dataset" in frame.columns:
            number, names = numbered(frame, ["dataset"])
            status = [calculation.statuses.get(name) for name in names["dataset"]]
            rank = np.maximum(rank, np.array([STATUSES.index(one) if one else -1 for one in status], int)[number])
        np.maximum.at(worst, group, rank)
    return worst


def _only(placed: Placed, name: str, height: int) -> pl.Series:
    """Scope or category of each group where all its cells have the same."""
    codes: dict[str | None, int] = {}
    low, high = np.full(height, np.iinfo(np.int64).max), np.full(height, -1)
    for term, frame, group in placed:
        code: Numbers | int
        if sources(term, [name]):
            number, keys = numbered(frame, ["sector"])
            texts = labelled(term, keys, [name])[name]
            code = np.array([codes.setdefault(text, len(codes)) for text in texts], np.int64)[number]
        else:
            code = codes.setdefault(getattr(term.output, name), len(codes))
        np.minimum.at(low, group, code)
        np.maximum.at(high, group, code)
    return pl.Series([*codes, None], dtype=pl.String)[np.where(low == high, low, len(codes))]
