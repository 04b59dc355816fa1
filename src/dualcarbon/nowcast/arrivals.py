"""News: which arrivals between two days moved the estimate of a month, by how much."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.reduce import filtered
from dualcarbon.nowcast import calendar_terms
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import estimated, month_text
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.opened.nodes import options
from dualcarbon.nowcast.present import named_code, opened
from dualcarbon.nowcast.usual import FAMILY

#: Steps in which a new arrival is taken in, and the arrays that it fills: corrections of months known before, then the
#: weather, then electricity, then fuels.
ARRIVALS: dict[str, tuple[str, ...]] = {
    "revision": ("direct", "indirect", "power"),
    "weather": (),
    "electricity": ("indirect", "power"),
    "fuel": ("direct",),
}
#: Items whose rows a step takes in; where it is none of these, those of energy.
ITEMS = {"electricity": ("energy.purchased",), "fuel": ("energy.combustion",), "weather": (*calendar_terms.WEATHER,)}
ENERGY = (*ITEMS["electricity"], *ITEMS["fuel"])
#: An effect below this (tCO2) is only how sums are rounded.
NOTHING = 1e-6


def news(
    workspace: Any = None, *, before: date, after: date | None = None, month: date | None = None,
    place: str | None = None,
    tree: str = "admin", family: str = FAMILY,
) -> dict[str, Any]:  # fmt: skip
    """Which arrivals between two days moved the estimate of `month` (default: the last before `before`), by how much.

    Arrivals are taken in one after the other: corrections of what was known (a new factor is one), the weather,
    electricity, fuels; of the month itself, of the month a year before, of all others. Their effects sum to the change;
    `known_at` are the days on which rows of a step's months, or the `factors` that took the place of others in them,
    became known: those of the place, else of what is estimated together with it. A step that moved nothing is left out
    where nothing of the place arrived. The first value is what was known on `before`, the last what was on `after`, the
    `as_of` of the document.
    Raises Refused where `after` is not after `before`.
    """
    workspace = opened(workspace)
    place = cities.located(workspace, place)
    if after is not None and after <= before:
        raise Refused(Problem("nowcast.days-turned", value=after.isoformat(), params={"before": before.isoformat()}))
    new, taken, rows = steps(workspace, before, after, month, place, tree, family)
    mine, own = within(new, place), rows_within(rows, new, place)
    totals = [float(by_cell(seen)[mine].sum()) for _, seen in taken]
    asked = {"kind": "news", "place": place, "month": month_text(new.months[-1]), "before": before.isoformat(),
             "as_of": new.as_of.isoformat(), "tree": tree, **options(family)}  # fmt: skip
    told: list[dict[str, Any]] = []
    for (step, _), (then, now) in zip(taken[1:], pairwise(totals), strict=True):
        replaced = factors_replaced(workspace, step, before, new, place, tree, family)
        days = known_at(step, own, replaced)
        if not days and abs(now - then) < NOTHING:
            continue
        told.append({
            "arrival": step.kind, "about": step.about, "months": step.months, "effect": now - then,
            "known_at": days or known_at(step, rows), "factors": replaced,
            "explain": {**asked, "arrival": step.kind, "about": step.about},
        })  # fmt: skip
    told.sort(key=lambda step: -abs(step["effect"]))
    return {"place": place, "month": month_text(new.months[-1]), "before": before, "after": new.as_of,
            "as_of": new.as_of, "tree": tree, "unit": "tCO2", "value_before": totals[0], "value_after": totals[-1],
            "change": totals[-1] - totals[0], "steps": told, "status": new.status}  # fmt: skip


def known_at(step: "Step", rows: pl.DataFrame, replaced: Sequence[dict[str, Any]] = ()) -> list[date]:
    """The days on which those of the `rows` that a step takes in, and the factors `replaced`, became known."""
    factors = {one["after"]["known_at"] for one in replaced if one["after"]["known_at"]}
    return sorted({*of_step(rows, step)["known_at"], *factors})


def rows_arrived(workspace: Any, before: date, new: City, tree: str, family: str) -> pl.DataFrame:
    """The observations that count in the cells of `new`, or are the weather there, and became known after `before`,
    with the `area`, `sector` and `domain` of the cell, and the `part` ("" for the weather, which is of all cells)."""
    book = load(workspace.pack)
    datasets = [one["id"] for one in workspace.datasets() if one["role"] == "account"]
    rows = workspace.observations(datasets=datasets, known_at=new.as_of, version=new.version)
    listed = ", ".join(f"'{item}'" for item in (*ENERGY, *calendar_terms.WEATHER))
    late = rows.filter(f"item in ({listed}) and known_at > '{before.isoformat()}' and value is not null").pl()
    made = []
    for part, found in cities.counted(workspace, new.as_of, family, new.version).items():
        asked = found.method.rows
        mine = filtered(nw.from_native(late.lazy()), asked.item, asked.where, cities.PARTS[part][1]).to_native()
        months = pl.concat([cities.spans(mine.collect(), length) for length in ("1mo", "2mo")])
        made.append(cities.placed(months, book, new.place, tree, new.months[-1]).with_columns(part=pl.lit(part)))
    near = pl.col("place").is_in(list(new.weather_places.values()))
    short = pl.col("end") <= pl.col("start").dt.truncate("1mo").dt.offset_by("1mo")
    weather = late.filter(pl.col("item").is_in(list(calendar_terms.WEATHER)) & near & short)
    return pl.concat([*made, weather.with_columns(part=pl.lit(""))], how="diagonal")


def rows_within(rows: pl.DataFrame, new: City, place: str) -> pl.DataFrame:
    """Those of the `rows_arrived` that are of `place`, the whole of `new` or an area of it, and the weather."""
    return rows if place == new.place else rows.filter((pl.col("area") == place) | (pl.col("part") == ""))


def of_step(rows: pl.DataFrame, step: "Step") -> pl.DataFrame:
    """Those of the `rows_arrived` that a step takes in; January and February reported as one are of both."""
    first, last = (
        day.dt.strftime("%Y-%m").is_in(step.months) for day in (pl.col("start"), pl.col("end").dt.offset_by("-1d"))
    )
    return rows.filter(pl.col("item").is_in(ITEMS.get(step.kind, ENERGY)) & (first | last))


def factors_replaced(
    workspace: Any, step: "Step", before: date, new: City, place: str, tree: str, family: str
) -> list[dict[str, Any]]:
    """The factors that count other than on the day `before` in a revision's months, inside `place`: {parameter,
    carrier, period, family, before, after, message}, each side {value, unit, place, year, known_at, source, status}."""
    if step.kind != "revision":
        return []
    book, days = load(workspace.pack), (before, new.as_of)
    made: dict[tuple[Any, ...], tuple[date, date]] = {}
    both = [cities.counted(workspace, day, family, new.version) for day in days]
    rows: dict[int, dict[str, Any]] = {}
    titles: dict[str, dict[str, str]] = {}
    for part in cities.PARTS:
        old, late = (one[part] for one in both)
        keys = [
            name for name in late.cells.columns[: late.cells.columns.index("quantity")] if name in old.cells.columns
        ]
        for use in late.method.factors:
            column = f"factor:{use.name}"
            pairs = old.cells.select(*keys, column).join(
                late.cells.select(*keys, pl.col(column).alias("later")), on=keys, nulls_equal=True
            )
            pairs = cities.placed(pairs.filter(pl.col(column) != pl.col("later")), book, place, tree, new.months[-1])
            other = pl.col("end").dt.offset_by("-1mo").dt.strftime("%Y-%m")  # January and February may come as one
            inside = pl.col("start").dt.strftime("%Y-%m").is_in(step.months) | other.is_in(step.months)
            for length in ("1mo", "2mo"):
                found = cities.spans(pairs.filter(inside), length)
                spans = found.group_by(column, "later").agg(pl.col("start").min(), pl.col("end").max())
                for one, two, start, end in spans.iter_rows():
                    held = made.get((one, two), (start, end))
                    made[one, two] = min(held[0], start), max(held[1], end)
                    rows |= {one: old.factors.rows[one], two: late.factors.rows[two]}
                    titles[use.parameter] = late.factors.parameters[use.parameter].title
    told = []
    for (one, two), (start, end) in sorted(made.items()):
        sides = [_factor(rows[n]) for n in (one, two)]
        if sides[0]["value"] == sides[1]["value"] and sides[0]["unit"] == sides[1]["unit"]:
            continue
        row = rows[two]
        counted = row["family"] or family
        first, last = month_text(start), month_text(cities.month_before(end))
        span = first if first == last else {"zh": f"{first} 至 {last}", "en": f"{first} to {last}"}
        title, told_of = titles[row["parameter"]], {}
        for name, side in zip(("old", "new"), sides, strict=True):
            where = named_code(book.places, side["place"]) if side["place"] else {"zh": "", "en": ""}
            quantity, day = f"{side['value']:g} {side['unit']}", side["known_at"]
            told_of[name] = {
                "zh": f"{where['zh']}{side['year']}年 {quantity}（{day or '日期不详'} 公布）",
                "en": f"{where['en']} {side['year']}, {quantity} (published {day or 'on an unknown day'})",
            }
            side["title"] = {lang: to.join((title[lang], told_of[name][lang], of + counted))
                             for lang, to, of in (("zh", "，", "因子族 "), ("en", ", ", "family "))}  # fmt: skip
        words = {"parameter": title, "family": counted, "period": span, **told_of}
        problem = Problem("nowcast.factor-replaced", value=row["carrier"] or "", params=words)
        told.append({"parameter": row["parameter"], "carrier": row["carrier"] or "", "family": counted,
                     "period": periods.text(start, end), "before": sides[0], "after": sides[1],
                     "message": {lang: problem.as_dict(lang)["message"] for lang in ("zh", "en")}})  # fmt: skip
    return told


def _factor(row: dict[str, Any]) -> dict[str, Any]:
    year = "–".join(dict.fromkeys(one for one in (row["valid_from"], row["valid_to"]) if one))
    return {"value": row["value"], "unit": row["unit"], "place": row["place"] or "", "year": year,
            "known_at": row["known_at"], "source": row["source"], "status": row["status"]}  # fmt: skip


class Step(NamedTuple):
    """What one step takes in: the kind of arrival, which months it is `about` (the month itself, the month a year
    before, others), and those `months` that had any."""

    kind: str
    about: str
    months: list[str]


def steps(
    workspace: Any, before: date, after: date | None, month: date | None, place: str, tree: str, family: str
) -> tuple[City, list[tuple[Step, City]], pl.DataFrame]:
    """What was known in the end, what was known after each step, the first being what was known on `before`, and the
    `rows_arrived`: of all cells that are estimated together with those of `place`.

    Where nothing arrived, months can still change: of a cell heard of for the first time the silent ones before are
    zero, and months told apart by others move with them. Such changes belong to the step of their kind that made them,
    else to the next.
    """
    new = cities.read(workspace, as_of=after, until=month or cities.month_before(before), place=place, tree=tree,
                      family=family)  # fmt: skip
    old = cities.read(workspace, as_of=before, until=new.months[-1], place=place, tree=tree, family=family)
    now, new = aligned(old.together, replace(new.together, status=new.status))
    rows = rows_arrived(workspace, before, new, tree, family)
    last = len(new.months) - 1
    spans = {"month": [last], "year_before": [last - 12], "others": [t for t in range(last) if t != last - 12]}
    made = [(Step("", "", []), now)]
    left = made[0][0]
    for kind in ARRIVALS:
        for about, span in spans.items():
            taken, moved, silent = _taken(now, new, kind, [t for t in span if t >= 0])
            texts = {t: month_text(new.months[t]) for t in (*moved, *silent)}
            told = [t for t in silent if not of_step(rows, Step(kind, about, [texts[t]])).is_empty()]
            step = Step(kind, about, [texts[t] for t in sorted({*moved, *told})])
            if not of_step(rows, step).is_empty() or (
                moved and factors_replaced(workspace, step, before, new, new.place, tree, family)
            ):
                made.append((step, taken))
            elif made[-1][0].kind == kind:
                made[-1] = made[-1][0], taken
            elif texts:
                left = Step(kind, about, [texts[t] for t in sorted(texts)])
            now = taken
    if len(made) == 1 and left.kind:
        made.append((left, now))
    made[-1] = made[-1][0], now
    return new, made, rows


def within(seen: City, place: str) -> np.ndarray:
    """Which cells (N,) of the city are of `place`, it or an area of it."""
    return np.array([place in (seen.place, cell[0]) for cell in seen.cells], bool)


def by_cell(seen: City) -> Array:
    """The estimate of the last month by cell (N,). A cell not heard of yet has none, and tells the others nothing."""
    heard, made = of_heard(seen)
    out = np.zeros(len(heard))
    out[heard] = sum(part.value for part in made)
    return out


def of_heard(seen: City) -> tuple[np.ndarray, tuple[Month, Month]]:
    """Which cells (N,) were heard of, and direct and indirect CO2 of the last month of these alone."""
    heard = np.isfinite(np.concatenate([seen.direct, seen.indirect, seen.power], 1)).any(1)
    return heard, estimated(seen.of(heard))


def aligned(old: City, new: City) -> tuple[City, City]:
    """Both with the same cells and months; what one does not have was not seen there."""
    cells = sorted({*old.cells, *new.cells})
    start = min(old.months[0], new.months[0])
    months_ = new.months if new.months[0] == start else old.months
    made = []
    for one in (old, new):
        row = {cell: k for k, cell in enumerate(one.cells)}
        arrays: dict[str, Any] = {}
        for name in ("direct", "indirect", "power"):
            given = getattr(one, name)
            out = np.full((len(cells), len(months_)), np.nan)
            shift = months_.index(one.months[0])
            for k, cell in enumerate(cells):
                if cell in row:
                    out[k, shift : shift + given.shape[1]] = given[row[cell]]
            arrays[name] = out
        made.append(replace(one, cells=cells, months=list(months_), **arrays))
    return made[0], made[1]


def _taken(now: City, new: City, kind: str, months_: Sequence[int]) -> tuple[City, list[int], list[int]]:
    """`now` with the arrivals of one kind for these month numbers, the months in which a value came or changed, and
    other months in which what was not seen is now zero."""
    if kind == "weather":
        return *_with_weather(now, new, months_), []
    arrays: dict[str, Any] = {name: getattr(now, name).copy() for name in ARRIVALS[kind]}
    moved, silent = [], []
    for t in months_:
        some = none = False
        for name, mine in arrays.items():
            theirs = getattr(new, name)[:, t]
            known = np.isfinite(mine[:, t])
            here = (known if kind == "revision" else ~known) & ~_same(mine[:, t], theirs)
            value = (np.nan_to_num(mine[:, t]) != 0) | (np.nan_to_num(theirs) != 0)
            some, none = some or bool((here & value).any()), none or bool((here & ~value).any())
            mine[here, t] = theirs[here]
        if some:
            moved.append(t)
        elif none and kind != "revision":
            silent.append(t)
    return replace(now, **arrays), moved, silent


def _with_weather(now: City, new: City, months_: Sequence[int]) -> tuple[City, list[int]]:
    """`now` with the degree days of these month numbers as `new` has them, and the months in which they differ."""
    days = {name: dict(now.weather.get(name, {})) for name in {**now.weather, **new.weather}}
    moved = []
    for t in months_:
        month = new.months[t]
        before = {name: mine.pop(month, None) for name, mine in days.items()}
        for name, theirs in new.weather.items():
            if month in theirs:
                days[name][month] = theirs[month]
        if before != {name: mine.get(month) for name, mine in days.items()}:
            moved.append(t)
    kept = {name: days[name] for name in calendar_terms.WEATHER.values() if days.get(name)}
    return replace(now, weather=kept), moved


def _same(a: Array, b: Array) -> np.ndarray:
    """Where both say the same (sums may differ in their last digit), or neither was seen."""
    return np.isclose(a, b, rtol=1e-9, atol=0.0, equal_nan=True)
