"""Combine cells into totals, with an uncertainty in which whatever shares a factor errs together.

Var(total) = Σ_f (u_f · Σ ∂y/∂f)² + Σ activity variance, for each requested total from the cells and never
from the cells' intervals (IPCC 2006 Guidelines, volume 1, chapter 3, approach 1, with the correlation of
shared factors taken in full). Bounds are at 95 %; unequal distances up and down are carried apart.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.tables import STATUSES
from dualcarbon.engine.apply import cell_scales
from dualcarbon.engine.calculation import OPEN_NOTATIONS, Calculation
from dualcarbon.engine.factors import Z95, row_of, standard_deviation
from dualcarbon.engine.formula import DUALS, Dual, constant
from dualcarbon.engine.methods import Output

TIME = ("year", "quarter", "month", "period")
CHUNK = 1_000_000  # samples × cells held at once
DERIVED = (*TIME, "domain", "section", "division", "category")


@dataclass(frozen=True)
class Term:
    """One output of one calculation in a total: with a sign, and the cells that belong to it."""

    calculation: Calculation
    output: Output
    sign: int = 1
    where: pl.Expr | None = None
    labels: Mapping[str, Any] | None = None


def combine(terms: Sequence[Term], by: Sequence[str] = (), labels: Mapping[str, pl.Expr] | None = None) -> pl.DataFrame:
    """Results of all terms together for each value of ``by``.

    Returns one row per ``by`` × item × unit × basis with ``value, unit, low, high, uncertainty
    (factors|activity|both|null), status, complete, scope, category``, sorted by the dimensions. ``by`` knows the
    cells' columns, ``year quarter month period domain section division category`` and the names in ``labels``
    (Polars expressions over the cells; a term's own ``labels`` are constants). Different bases are never
    summed. A total without any known cell is null; one that lacks a cell is not complete.
    """
    by = list(dict.fromkeys(by))
    keys = [*by, "item", "unit", "basis"]
    terms = _one_basis(terms)
    groups = _Groups(by)
    values, shared, squares, halves, notations = [], [], [], [], []
    varying = _varying(terms)
    for term in terms:
        calculation, name, sign = term.calculation, term.output.equation, term.sign
        cells = labelled(term, calculation.cells, by, labels)
        cells = cells.with_columns(groups.number(term, cells))
        values.append(
            cells.select(
                "group",
                (pl.col(name) * sign).alias("value"),
                (pl.col(name).is_null() & pl.col("quantity").is_not_null() & (pl.col("quantity") != 0)).alias("lost"),
                _status_rank(term, cells).alias("rank"),
                *(column(term).alias(name_of) for name_of, column in varying.items()),
            )
        )
        for use in calculation.method.factors:
            column = f"d:{name}:{use.name}"
            if column in cells.columns:
                shared.append(cells.select("group", factor=f"factor:{use.name}", slope=pl.col(column) * sign))
        slope = f"d:{name}:{calculation.method.rows.name}"
        if slope in cells.columns and cells["spread2"].null_count() < cells.height:
            known = cells.filter(pl.col("spread2").is_not_null())
            alone = known.filter(pl.col("error_group").is_null())
            squares.append(alone.select("group", square=pl.col(slope) ** 2 * pl.col("spread2")))
            tied = known.filter(pl.col("error_group").is_not_null())
            if tied.height:
                halves.append(tied.select("group", "error_group", half=pl.col(slope) * pl.col("spread1") * sign))
        if calculation.notations.height:
            noted = labelled(term, calculation.notations, by, labels)
            open_ = pl.col("notation").is_null() | pl.col("notation").is_in(list(OPEN_NOTATIONS))
            notations.append(noted.select(groups.number(term, noted), open_.alias("open")))
    total = (
        pl.concat(values)
        .group_by("group")
        .agg(
            pl.when(pl.col("value").count() > 0).then(pl.col("value").sum()).alias("value"),
            pl.col("lost").any(),
            pl.col("rank").max(),
            *(pl.when(pl.col(c).n_unique() == 1).then(pl.col(c).first()).alias(c) for c in varying),
        )
    )
    if notations:
        noted = pl.concat(notations).group_by("group").agg(pl.col("open").any())
        total = total.join(noted, on="group", how="full", coalesce=True)
    else:
        total = total.with_columns(pl.lit(False).alias("open"))
    total = total.join(_factor_part(terms, shared), on="group", how="left")
    total = total.join(_activity_part(squares, halves), on="group", how="left")
    f_known, a_known = pl.col("up2").is_not_null(), pl.col("square").is_not_null()
    source = pl.when(f_known & a_known).then(pl.lit("both")).when(f_known).then(pl.lit("factors"))
    square = pl.col("square").fill_null(0.0)
    below = (pl.col("down2").fill_null(0.0) + square).sqrt()
    above = (pl.col("up2").fill_null(0.0) + square).sqrt()
    total = total.with_columns(
        source.when(a_known).then(pl.lit("activity")).otherwise(pl.lit(None, pl.String)).alias("uncertainty"),
        pl.when(f_known | a_known).then(pl.col("value") - below).alias("low"),
        pl.when(f_known | a_known).then(pl.col("value") + above).alias("high"),
        pl.col("rank").replace_strict(dict(enumerate(STATUSES)), return_dtype=pl.String).alias("status"),
        (~pl.col("lost").fill_null(False) & ~pl.col("open").fill_null(False)).alias("complete"),
    )
    fixed = {"scope": terms[0].output.scope, "category": terms[0].output.category} if terms else {}
    total = total.with_columns(
        pl.lit(value, pl.String).alias(name) for name, value in fixed.items() if name not in varying
    )
    named = [name for name in ("scope", "category") if name in by]
    total = total.drop(named).join(groups.table(), on="group", how="left")
    columns = [*by, "item", "value", "unit", "low", "high", "uncertainty", "status", "complete", "basis"]
    columns += [name for name in ("scope", "category") if name not in by]
    return total.select(columns).sort([key for key in keys if key != "unit"], nulls_last=True)


def _varying(terms: Sequence[Term]) -> dict[str, Callable[[Term], pl.Expr]]:
    """Scope and category where they are not one and the same for all cells."""
    found: dict[str, Callable[[Term], pl.Expr]] = {}
    if len({term.output.scope for term in terms}) > 1:
        found["scope"] = lambda term: pl.lit(term.output.scope, pl.String)
    categories = {term.output.category for term in terms}
    if len(categories) > 1 or "by sector" in categories:
        found["category"] = _category
    return found


class _Groups:
    """Numbers the groups of a total, so that everything is summed by a number and named once."""

    def __init__(self, by: Sequence[str]) -> None:
        self.by = list(by)
        self.frames: list[pl.DataFrame] = []
        self.kinds: dict[tuple[str, str, str | None], pl.DataFrame] = {}
        self.height = 0

    def number(self, term: Term, cells: pl.DataFrame) -> pl.Series:
        """The group of each of these cells (Int64), new groups added."""
        equations = term.calculation.method.equations
        unit = next(equation.unit for equation in equations if equation.name == term.output.equation)
        kind = (term.output.item, unit, term.output.basis)
        known = self.kinds.get(kind)
        if not self.by:
            if known is None:
                self._add(kind, pl.DataFrame({"group": [self.height]}, schema={"group": pl.Int64}))
            return pl.repeat(self.kinds[kind]["group"][0], cells.height, dtype=pl.Int64, eager=True).alias("group")
        keys = cells.select(self.by).unique()
        new = keys if known is None else keys.join(known, on=self.by, how="anti", nulls_equal=True)
        if known is None or new.height:
            numbers = pl.int_range(self.height, self.height + new.height, dtype=pl.Int64, eager=True).alias("group")
            self._add(kind, new.with_columns(numbers))
        joined = cells.select(self.by).join(
            self.kinds[kind], on=self.by, how="left", nulls_equal=True, maintain_order="left"
        )
        return joined["group"]

    def _add(self, kind: tuple[str, str, str | None], frame: pl.DataFrame) -> None:
        known = self.kinds.get(kind)
        self.kinds[kind] = frame if known is None else pl.concat([known, frame])
        self.height += frame.height

    def table(self) -> pl.DataFrame:
        """``group`` with the dimensions, item, unit and basis it stands for."""
        return pl.concat(
            frame.with_columns(
                pl.lit(item).alias("item"), pl.lit(unit).alias("unit"), pl.lit(basis, pl.String).alias("basis")
            )
            for (item, unit, basis), frame in self.kinds.items()
        )


def labelled(
    term: Term, cells: pl.DataFrame, by: Sequence[str], labels: Mapping[str, pl.Expr] | None = None
) -> pl.DataFrame:
    """The term's cells with every column that ``by`` asks for."""
    if term.where is not None:
        cells = cells.filter(term.where)
    wanted = [name for name in by if name in DERIVED]
    if any(name in TIME for name in wanted):
        spans = cells.select("start", "end").unique()
        made = [
            {"start": start, "end": end, **{name: _time(name, start, end) for name in TIME if name in wanted}}
            for start, end in spans.iter_rows()
        ]
        schema = {"start": pl.Date, "end": pl.Date, **{name: pl.String for name in TIME if name in wanted}}
        cells = cells.join(pl.DataFrame(made, schema=schema), on=["start", "end"], how="left")
    names = term.calculation.names
    for name in wanted:
        if name in TIME:
            continue
        if name == "category":
            cells = cells.with_columns(_category(term).alias(name))
            continue
        if "sector" not in cells.columns:
            cells = cells.with_columns(pl.lit(None, pl.String).alias("sector"))
        sectors = [sector for sector in cells["sector"].unique().to_list() if sector]
        mapping = {sector: _sector_label(name, sector, names) for sector in sectors}
        label = pl.col("sector").replace_strict(mapping, default=None, return_dtype=pl.String)
        if name == "domain" and "domain" in cells.columns:
            label = pl.coalesce(pl.col("domain"), label)
        cells = cells.with_columns(label.alias(name))
    if labels:
        cells = cells.with_columns(expression.alias(name) for name, expression in labels.items())
    for name, value in (term.labels or {}).items():
        cells = cells.with_columns(pl.lit(value).alias(name))
    absent = [name for name in by if name not in cells.columns]
    return cells.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)


def _time(name: str, start: Any, end: Any) -> str:
    """The year, quarter or month that holds the period; a longer period keeps its own name."""
    if name != "period":
        text = str(start.year)
        if name == "quarter":
            text += f"-Q{(start.month + 2) // 3}"
        if name == "month":
            text += f"-{start.month:02d}"
        whole = periods.parse(text)
        if end <= whole.end:
            return text
    return periods.text(start, end)


def _sector_label(name: str, sector: str, names: Classification) -> str | None:
    """Section, division, domain or IPCC category of a sector; what a sector lacks comes from the one above."""
    if sector not in names.sectors:
        return None
    line = [sector, *names.sectors.ancestors(sector)]
    if name in ("domain", "ipcc"):
        return next((value for code in line if (value := row_of(names.sectors, code).get(name))), None)
    return next((code for code in line if row_of(names.sectors, code).get("level") == name), sector)


def _category(term: Term) -> pl.Expr:
    category = term.output.category
    if category != "by sector":
        return pl.lit(category, pl.String)
    calculation = term.calculation
    sectors = [sector for sector in calculation.cells["sector"].unique().to_list() if sector]
    mapping = {sector: _sector_label("ipcc", sector, calculation.names) for sector in sectors}
    return pl.col("sector").replace_strict(mapping, default=None, return_dtype=pl.String)


def _one_basis(terms: Sequence[Term]) -> list[Term]:
    """Terms without a basis join the only basis that others of their item have."""
    bases: dict[str, set[str]] = {}
    for term in terms:
        bases.setdefault(term.output.item, set()).update({term.output.basis} - {None})  # type: ignore[arg-type]
    return [
        replace(term, output=term.output.model_copy(update={"basis": next(iter(bases[term.output.item]))}))
        if term.output.basis is None and len(bases[term.output.item]) == 1
        else term
        for term in terms
    ]


def _status_rank(term: Term, cells: pl.DataFrame) -> pl.Expr:
    """The weakest status of each cell as a number: of the method, the dataset and the factors it depends on."""
    calculation = term.calculation
    ranks: list[pl.Expr] = [pl.lit(STATUSES.index(calculation.method.status), pl.Int32)]
    for use in calculation.method.factors:
        if f"d:{term.output.equation}:{use.name}" not in cells.columns:
            continue
        column = f"factor:{use.name}"
        used = cells[column].drop_nulls().unique().to_list()
        mapping = {n: STATUSES.index(calculation.factors.rows[n]["status"]) for n in used}
        ranks.append(pl.col(column).replace_strict(mapping, default=None, return_dtype=pl.Int32))
    if calculation.statuses and "dataset" in cells.columns:
        by_dataset = {name: STATUSES.index(status) for name, status in calculation.statuses.items() if status}
        ranks.append(pl.col("dataset").replace_strict(by_dataset, default=None, return_dtype=pl.Int32))
    return pl.max_horizontal(ranks)


def _factor_part(terms: Sequence[Term], shared: list[pl.DataFrame]) -> pl.DataFrame:
    """Squared 95 % distances up and down that come from factors, by group."""
    frame = terms[0].calculation.factors.frame
    up, down = frame["up"].to_numpy(), frame["down"].to_numpy()
    known = pl.Series(np.isfinite(up))
    if not shared or not known.any():
        return pl.DataFrame(schema={"group": pl.Int64, "up2": pl.Float64, "down2": pl.Float64})
    rows = pl.concat(shared)
    if rows["factor"].null_count() or not known.all():
        rows = rows.drop_nulls("factor")
        rows = rows.filter(known.gather(rows["factor"]))
    pair = pl.col("group") * frame.height + pl.col("factor")
    pairs = rows.select(pair.alias("pair"), "slope").group_by("pair").agg(pl.col("slope").sum())
    factor, slope = (pairs["pair"] % frame.height).to_numpy(), pairs["slope"].to_numpy()
    rises = slope >= 0
    squares = pl.DataFrame(
        {
            "group": pairs["pair"] // frame.height,
            "up2": (slope * np.where(rises, up[factor], down[factor])) ** 2,
            "down2": (slope * np.where(rises, down[factor], up[factor])) ** 2,
        }
    )
    return squares.group_by("group").agg(pl.col("up2", "down2").sum())


def _activity_part(squares: list[pl.DataFrame], halves: list[pl.DataFrame]) -> pl.DataFrame:
    """Squared 95 % half-width that comes from the observations themselves, by group."""
    parts = list(squares)
    if halves:
        together = pl.concat(halves).group_by("group", "error_group").agg(pl.col("half").sum())
        parts.append(together.select("group", square=pl.col("half") ** 2))
    if not parts:
        return pl.DataFrame(schema={"group": pl.Int64, "square": pl.Float64})
    return pl.concat(parts).group_by("group").agg(pl.col("square").sum())


def monte_carlo(
    terms: Sequence[Term],
    by: Sequence[str] = (),
    *,
    samples: int = 2000,
    seed: int = 1,
    labels: Mapping[str, pl.Expr] | None = None,
) -> pl.DataFrame:
    """Results as :func:`combine` gives them, with 2.5 % and 97.5 % quantiles and the mean of seeded samples.

    Factors are drawn once per value and used wherever they occur (IPCC 2006 Guidelines, volume 1, chapter 3,
    approach 2); observations with bounds are drawn per cell. Returns ``by, item, unit, basis, mean, low, high``.
    """
    rng = np.random.default_rng(seed)
    by = list(dict.fromkeys(by))
    terms = _one_basis(terms)
    groups = _Groups(by)
    frames = [labelled(term, term.calculation.cells, by, labels) for term in terms]
    numbers = [groups.number(term, frame).to_numpy() for term, frame in zip(terms, frames, strict=True)]
    factors = [f"factor:{use.name}" for term in terms for use in term.calculation.method.factors]
    used = sorted({n for f in frames for c in factors if c in f.columns for n in f[c].drop_nulls().unique().to_list()})
    rows = terms[0].calculation.factors.rows
    drawn = np.column_stack([_draw(rows[n], rng, samples) for n in used] or [np.empty((samples, 0))])
    place_of = {number: place for place, number in enumerate(used)}
    totals = np.zeros((samples, groups.height))
    for term, frame, index in zip(terms, frames, numbers, strict=True):
        order = np.argsort(index, kind="stable")
        present, first = np.unique(index[order], return_index=True)
        for chunk, made in _samples(term, frame[order], drawn, place_of, rng):
            totals[chunk, present] += term.sign * np.add.reduceat(np.nan_to_num(made), first, axis=1)
    low, high = np.quantile(totals, [0.025, 0.975], axis=0)
    figures = pl.DataFrame({"mean": totals.mean(axis=0), "low": low, "high": high}).with_row_index("group")
    named = groups.table().join(figures.cast({"group": pl.Int64}), on="group", how="left").drop("group")
    return named.sort([*by, "item", "basis"], nulls_last=True)


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
