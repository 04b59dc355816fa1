"""The back-test of files: read, check, replay, and say what was found."""

import calendar
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import denton, panel
from dualcarbon.nowcast.annual import files
from dualcarbon.nowcast.annual.forecast import Forecaster
from dualcarbon.nowcast.annual.replay import SELECTED, Total, outlook, replay
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.panel import Panel, Statement

#: A total belongs to the cells when it is within this share of their sum in the years before the test.
RELATED = 0.25
#: What is said of the data, the most worth reading first: what is lost altogether, then wrong, then late, then away.
STATED = (
    "short-record", "no-electricity", "not-counted", "total-doubtful", "total-far", "total-missing", "no-truth",
    "negative-truth", "wrong-truth", "zero-year", "missing-year", "missing-truth", "zero-truth", "place-silent",
    "zero-indicator", "no-indicator", "negative-month", "wrong-month", "zero-month", "new-level", "large-move",
    "late-indicator", "missing-everywhere", "missing-month",
)  # fmt: skip
#: A total is not used where it departs by more than the first from the cells' sum in known years, or by more than the
#: second from their own estimates in tested ones: between them it may be a shock that only the total shows.
DOUBTFUL, ABSURD = 0.15, 0.5
#: An indicator that this share of the places have is missed where a place has none of it.
COMMON = 0.8
#: What tells cells of one place apart.
OF = ("sector", "carrier")
#: Months that a statement names.
NAMED = 6
#: What stands for no sector or carrier, or for all of them.
NOBODY = ("", "—", "*")
#: The part of what is not counted that follows electricity; the other part is even over the days. Neither is known.
FOLLOWS_ELECTRICITY = 0.5


def backtest(
    observations: str | Path,
    truth: str | Path,
    *,
    years: Sequence[int] | None = None,
    months: Sequence[int] = (0, 3, 6, 9, 12),
    lag: int = 1,
    total: str | Path | None = None,
    pack: str = packs.DEFAULT,
    advance: Callable[[int, int], None] = lambda done, all: None,
) -> dict[str, Any]:
    """Replay `years` (default: the last seven that can be scored) from files in the observation layout.

    Returns the document of ``nowcast backtest --json``: `methods` (one is `chosen`), `regions`, `years`, `statements`
    on the data, and `monthly` where the total is known by month. `advance` is told the steps done and all steps.
    Raises Refused when the files cannot be read or nothing can be scored.
    """
    seen, known = files.read(Path(observations)), files.read(Path(truth))
    if known.annual.is_empty():
        raise Refused(Problem("nowcast.no-annual-truth", Path(truth).name))
    if seen.monthly.is_empty():
        raise Refused(Problem("nowcast.no-monthly-indicators", Path(observations).name))
    given = [(known.annual, Path(truth).name, "nowcast.truth-not-emission")]
    whole = files.read(Path(total)) if total else None
    if total and whole:
        given += [(frame, Path(total).name, "nowcast.total-not-emission") for frame in whole]
    files.emission(given, pack)
    seen, known = files.alike(seen, known, pack, (Path(observations).name, Path(truth).name))
    units = known.annual["unit"].unique().to_list()
    if len(units) > 1 or known.annual["item"].n_unique() > 1:
        both = sorted({*units, *known.annual["item"].unique()})
        raise Refused(Problem("nowcast.several-truths", Path(truth).name, value="、".join(both)))
    seen = seen._replace(monthly=files.electricity_named(seen.monthly, pack))
    factors, lost = files.fuel_factors(seen.monthly, units[0], pack)
    asked = _years(known.annual, seen.monthly, years, lag)
    made = panel.build(seen.monthly, known.annual, factors, truth_unit=units[0], until=min(asked))
    bound: Total | None = None
    doubts: list[Statement] = []
    if total and whole:
        bound, doubts = _believed(_total(whole, Path(total).name, made, asked, units[0]), made, asked, lag, max(months))
    steps = len(asked) * len(months)
    done = iter(range(1, steps + 1))
    document = replay(made, asked, sorted(set(months)), lag, bound, advance=lambda: advance(next(done), steps))
    document["unit"] = made.truth_unit
    document["units"] = {"mape": "%", "median": "%", "width90": "%", "skill_vs_last": "1", "coverage90": "1"}
    document["excluded"] = made.excluded
    document["total"] = bound.name if bound else None
    document["counted"] = sorted(factors)
    document["factors_pack"] = pack if factors else None
    uncounted = (
        Statement("nowcast.not-counted", fuel, {"unit": unit, "truth": units[0]}) for fuel, unit in lost.items()
    )
    tested = _tested(made.statements, asked, months)
    told = (
        *uncounted,
        *doubts,
        *tested,
        *_late(made, asked, months),
        *_short(made, asked, lag),
        *_lacking(made, asked),
    )
    ordered = sorted(_grouped(told), key=lambda one: STATED.index(one.rule.removeprefix("nowcast.")))
    book = load(pack)
    document["statements"] = [problem_of(one, book) for one in ordered]
    if bound is not None and bound.monthly and 12 in months:
        document["monthly"] = _monthly(made, asked, lag, bound)
    return document


def _grouped(told: Sequence[Statement]) -> list[Statement]:
    """Statements that say the same of several sectors of one place as one."""
    made: dict[str, Statement] = {}
    for one in told:
        sector = one.detail.get("sector")
        key = repr((one.rule, one.place, sorted((k, v) for k, v in one.detail.items() if k != "sector")))
        if sector in (None, *NOBODY) or key not in made:
            made.setdefault(key if sector else repr(one), one)
            continue
        both = made[key].detail["sector"]
        sectors = [*(both if isinstance(both, list) else [both]), sector]
        made[key] = one._replace(detail={**one.detail, "sector": sectors})
    return list(made.values())


def problem_of(statement: Statement, book: Classification) -> Problem:
    """A statement as a problem, so that it is said in the reader's language; of many months the first and the last."""
    detail = dict(statement.detail)
    for name, codes in (("carrier", book.carriers), ("sector", book.sectors)):
        given = detail.get(name) or []
        given = given if isinstance(given, list) else [given]
        if given and all(codes.row(one) for one in given):
            detail[name] = {lang: "、".join(codes.name(one, lang) for one in given) for lang in ("zh", "en")}
    if isinstance(detail.get("months"), list):
        months = detail["months"]
        detail |= {"count": len(months), "months": _shown(months)}
    words = {key: {"zh": "、".join(map(str, v)), "en": ", ".join(map(str, v))} if isinstance(v, list) else v
             for key, v in detail.items()}  # fmt: skip
    names = ("sector",) if "months" in detail or detail.get("sector") else ("sector", "carrier")
    of = next((words[name] for name in names if words.get(name, "—") not in NOBODY), "")
    of = of if isinstance(of, dict) else {"zh": of, "en": of}
    if statement.place is None:
        words.setdefault("value", {"zh": "各地区", "en": "All places"})
    words["of"] = {"zh": f"（{of['zh']}）" if of["zh"] else "", "en": f" ({of['en']})" if of["en"] else ""}
    if words.get("carrier") in NOBODY:
        words["carrier"] = {"zh": "指标", "en": "indicator"}
    return Problem(statement.rule, value=statement.place, params=words)


def _shown(months: list[str]) -> list[str]:
    return months if len(months) <= NAMED else [*months[: NAMED - 1], "…", months[-1]]


def _tested(statements: Sequence[Statement], years: Sequence[int], months: Sequence[int]) -> list[Statement]:
    """The statements as far as they are true of the years tested: of months none that came later, and wider intervals
    only where months of these years, or of the years before them, are among them (`replay.outlook`)."""
    last = f"{max(years)}-{max(months):02d}"
    bearing = {f"{year}-{m:02d}" for year in years for m in range(1, max(months) + 1)}
    bearing |= {f"{year - 1}-{m:02d}" for year in years for m in range(1, 13)}
    told: dict[str, Statement] = {}
    for one in statements:
        if "months" in one.detail:
            when = [month for month in one.detail["months"] if month <= last]
            if not when:
                continue
            wide = not bearing.isdisjoint(when)
            wider = {"zh": "，所检验年份的区间放宽" if wide else "",
                     "en": ", the intervals of the years tested are wider" if wide else ""}  # fmt: skip
            one = one._replace(detail={**one.detail, "months": when, "wider": wider})
        told.setdefault(repr(one), one)  # what differed only in later months is one
    return list(told.values())


def _years(truth: pl.DataFrame, seen: pl.DataFrame, asked: Sequence[int] | None, lag: int) -> list[int]:
    with_truth = sorted(truth.filter(pl.col("value") >= 0)["year"].unique())
    touched = range(seen["year"].min(), seen["year"].max() + 1)  # type: ignore[arg-type, operator]
    able = [y for y in with_truth if with_truth[0] <= y - lag and y in touched]
    if asked is None:
        chosen = able[-7:]
    else:
        wrong = [y for y in asked if y not in able]
        if wrong:
            words = "、".join(map(str, wrong))
            raise Refused(Problem("nowcast.years-not-known", column="years", value=words, params={"able": _span(able)}))
        chosen = sorted(set(asked))
    if not chosen:
        raise Refused(Problem("nowcast.nothing-to-score"))
    return chosen


def _span(years: Sequence[int]) -> str:
    return f"{years[0]}–{years[-1]}" if years else "—"


def _late(made: Panel, years: Sequence[int], months: Sequence[int]) -> list[Statement]:
    """Indicators of which some month that ought to have been seen has not come anywhere."""
    told = []
    for stream, there in zip(made.streams, np.asarray(np.isfinite(made.values).any(1)), strict=True):
        within = [y for y in years if y in made.years]
        late = [f"{y}-{m + 1:02d}" for y in within for m in range(max(months)) if not there[y - made.start, m]]
        if late:
            detail = {"carrier": stream.carrier or "—", "sector": stream.sector or "—", "months": late}
            told.append(Statement("nowcast.late-indicator", None, detail))
    return told


def _lacking(made: Panel, years: Sequence[int]) -> list[Statement]:
    """Cells whose truth has holes before the last year tested, and places without an indicator that most have."""
    told = []
    said = [{y for one in made.statements for y in one.detail.get("years", [])
             if one.place in (None, cell["place"]) and all(one.detail.get(name) == cell[name] for name in OF)}
            for cell in made.cells]  # fmt: skip
    nowhere = {y for y in made.truth_years if y <= max(years) and not np.isfinite(made.actual(y)).any()}
    nowhere = {y for y in nowhere if not all(y in those for those in said)}
    if nowhere and len(made.cells) > 1:
        told.append(Statement("nowcast.missing-year", None, {"years": sorted(nowhere)}))
    for cell, row, those in zip(made.cells, made.truth, said, strict=True):
        there = np.nonzero(np.isfinite(row))[0]
        first = made.truth_start + int(there.min(initial=row.size))
        known = range(first, min(max(years) + 1, made.truth_start + row.size))
        holes = [y for y in known if not np.isfinite(row[y - made.truth_start]) and y not in those | nowhere]
        if holes:
            detail = {"years": holes, "sector": cell["sector"], "carrier": cell["carrier"]}
            told.append(Statement("nowcast.missing-truth", cell["place"], detail))
    if not made.streams:
        return told
    if not any(one.carrier == "electricity" for one in made.streams):
        told.append(Statement("nowcast.no-electricity", None, {}))
    some = (np.nan_to_num(made.raw[:, :, : max(years) - made.start + 1]) > 0).any((2, 3))
    has: dict[str, set[str]] = {}
    for s, k in zip(*np.nonzero(some), strict=True):
        has.setdefault(made.streams[s].carrier, set()).add(made.cells[k]["place"])
    heard = set().union(*has.values())
    for carrier, those in sorted(has.items()):
        if carrier and COMMON * len(heard) <= len(those):
            told += [Statement("nowcast.no-indicator", one, {"carrier": carrier}) for one in sorted(heard - those)]
    return told


def _short(made: Panel, years: Sequence[int], lag: int) -> list[Statement]:
    """What the record is too short for, and cells that are zero throughout."""
    told = []
    forecaster = Forecaster(made, filled=False)
    few = [y for y in years if len(forecaster.training(y - lag)) < 3]
    if few:
        told.append(Statement("nowcast.short-record", None, {"years": few, "lag": lag}))
    for cell, row in zip(made.cells, made.truth, strict=True):
        if np.isfinite(row).any() and np.nansum(np.abs(row)) == 0:
            detail = {name: cell[name] for name in ("sector", "carrier")}
            told.append(Statement("nowcast.zero-truth", cell["place"], detail))
    return told


def _total(series: files.Series, file: str, made: Panel, years: Sequence[int], unit: str) -> Total:
    """The series of the `file` nearest to the sum of the cells in the years before the test, or their sum."""
    keys = ["place", "sector", "carrier", "item", "unit"]
    before = [y for y in made.truth_years if y < min(years) and np.isfinite(made.actual(y)).all()][-10:]
    sums = {y: float(made.actual(y).sum()) for y in before}
    found: list[tuple[float, dict[str, Any] | None]] = []
    names = series.annual.select(keys).unique().sort(keys).to_dicts()
    for name in [*names, None] if len(names) > 1 else names:
        annual = _annual(series.annual, name, unit)
        ratios = [annual[y] / sums[y] for y in before if annual.get(y) and sums[y]]
        if ratios:
            found.append((abs(float(np.mean(ratios)) - 1) + float(np.std(ratios)), name))
    best = min(found, key=lambda one: one[0], default=(float("inf"), None))
    if best[0] > RELATED:
        raise Refused(Problem("nowcast.total-unrelated", file, params={"share": f"{RELATED:.0%}"}))
    name = best[1]
    part = series.monthly if name is None else series.monthly.join(pl.DataFrame([name]), on=keys)
    scale = files.convert(part["unit"][0], unit) or 1.0 if part.height else 1.0
    monthly: dict[int, Array] = {}
    for (year,), rows in part.group_by("year"):
        by = rows.group_by("month").agg(pl.col("value").sum()).sort("month")
        if by.height == 12:
            monthly[int(str(year))] = by["value"].to_numpy() * scale
    title = " ".join(str(name[key]) for key in keys[:3] if name[key]) if name else file
    return Total(_annual(series.annual, name, unit), monthly, title)


def _believed(total: Total, made: Panel, years: Sequence[int], lag: int, seen: int) -> tuple[Total, list[Statement]]:
    """The total without years in which it cannot be right, and what is said of these, of those that are far from what
    was expected, and of tested years it lacks.

    A year whose truth was known is compared with the sum of the cells, a tested one with what the cells' own estimates
    make of the last.
    """
    ratio: dict[int, float] = {}
    for year, value in total.annual.items():
        actual = made.actual(year)
        if year < min(years) and np.isfinite(actual).all() and actual.sum() > 0 and value > 0:
            ratio[year] = float(np.log(value / actual.sum()))
    usual = float(np.median(list(ratio.values()))) if ratio else 0.0
    forecaster = Forecaster(made)
    for year in years:
        if total.annual.get(year, 0.0) > 0:
            expected = float(np.nansum(outlook(forecaster, year, seen, lag).estimates[SELECTED]))
            ratio[year] = float(np.log(total.annual[year] / expected)) if expected > 0 else 0.0
    far = sorted(y for y, value in ratio.items() if abs(value - usual) > np.log1p(DOUBTFUL))
    wrong = [y for y in far if y not in years or abs(ratio[y] - usual) > np.log1p(ABSURD)]
    wrong += [y for y in years if y in total.annual and not total.annual[y] > 0]
    found = {"doubtful": wrong, "far": [y for y in far if y not in wrong],
             "missing": [y for y in years if y not in total.annual]}  # fmt: skip
    told = [Statement(f"nowcast.total-{rule}", None, {"years": sorted(those), "share": f"{DOUBTFUL:.0%}"})
            for rule, those in found.items() if those]  # fmt: skip
    kept = {name: {y: value for y, value in getattr(total, name).items() if y not in wrong}
            for name in ("annual", "monthly")}  # fmt: skip
    return Total(kept["annual"], kept["monthly"], total.name), told


def _annual(annual: pl.DataFrame, name: dict[str, Any] | None, unit: str) -> dict[int, float]:
    part = annual if name is None else annual.join(pl.DataFrame([name]), on=list(name))
    sums: dict[int, float] = {}
    for row in part.iter_rows(named=True):
        scale = files.convert(row["unit"], unit)
        if scale is not None:
            sums[row["year"]] = sums.get(row["year"], 0.0) + row["value"] * scale
    return sums


def composite(forecaster: Forecaster, years: Sequence[int], totals: Sequence[float]) -> Array:
    """A physical indicator (Y·12,) of the sum of all cells: counted fuels as they were burned, the rest of each year's
    total half by electricity and half by days.
    """
    parts = []
    for year, total in zip(years, totals, strict=True):
        seen = np.nan_to_num(forecaster.months(year))
        counted = np.einsum("snm,s->m", seen, forecaster.factors[:, 0])
        days = np.array([calendar.monthrange(year, month)[1] for month in range(1, 13)], float)
        shares = days / days.sum()
        power = seen[forecaster.electricity].sum((0, 1)) if forecaster.electricity else np.zeros(12)
        if power.sum() > 0:
            shares = FOLLOWS_ELECTRICITY * power / power.sum() + (1 - FOLLOWS_ELECTRICITY) * shares
        parts.append(counted + max(total - counted.sum(), 0.0) * shares)
    return np.concatenate(parts)


def _monthly(made: Panel, years: Sequence[int], lag: int, total: Total) -> dict[str, Any]:
    """The total by month from annual truth only: each target year's months, and the shape inside benchmarked years."""
    forecaster = Forecaster(made, filled=False)
    first = max(made.start + 1, min(total.monthly))
    errors, flat, annual, used = [], [], [], []
    for year in years:
        last = year - lag
        known = [y for y in range(first, last + 1) if y in total.monthly and forecaster.year(y).any()]
        known = [y for y in known if y in forecaster.training(last)] or known[-1:]
        if not known or year not in total.monthly or last not in total.annual:
            continue
        link = total.annual[last] / np.nansum(made.actual(last))
        estimate = float(np.nansum(outlook(forecaster, year, 12, lag).estimates[SELECTED]) * link)
        between = list(range(known[-1] + 1, year))
        sums = [total.annual[y] for y in known] + [estimate] * (len(between) + 1)
        physical = composite(forecaster, [*known, *between, year], sums)
        months = denton.denton_cholette(np.array([sums]), physical[None])[0][-12:]
        errors.append(100 * np.abs(months / total.monthly[year] - 1))
        flat.append(100 * np.abs(total.annual[last] / 12 / total.monthly[year] - 1))
        annual.append(100 * abs(estimate / total.annual[year] - 1))
        used.append(year)
    if not used:
        return {}
    inside = [y for y in forecaster.training(max(years)) if y in total.monthly]
    sums = [total.annual[y] for y in inside]
    benchmarked = denton.denton_cholette(np.array([sums]), composite(forecaster, inside, sums)[None])
    actual = np.concatenate([total.monthly[y] for y in inside])[None]
    return {"series": total.name, "years": used, "mape": round(float(np.mean(errors)), 3),
            "last_value_mape": round(float(np.mean(flat)), 3), "annual_mape": round(float(np.mean(annual)), 3),
            "shape_error": round(denton.shape_error(benchmarked, actual), 3), "shape_years": inside}  # fmt: skip
