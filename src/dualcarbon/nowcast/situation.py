"""The figures of the yearly analysis of the carbon situation (年度碳排放形势分析); `telling` puts them into words.

A year that is not over is analysed up to the last month before `as_of`.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import flags, gaps, officials, present, settling, telling, why
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.nodes import options
from dualcarbon.nowcast.record import recorded
from dualcarbon.nowcast.settling import Settled
from dualcarbon.nowcast.shape import Array


def analyse(
    workspace: Any = None,
    *,
    year: int | None = None,
    place: str | None = None,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = "provincial-2025",
) -> dict[str, Any]:
    """The situation of `year` (default: that of the last month): its figures, and the report's `paragraphs`.

    Values are tCO2 of fuels burned other than for power and of purchased electricity, settled against official totals;
    months not reported, or not believed, are estimated, in this year and in the one before: `gaps` names them. What has
    no year before to be compared with is `left_out` of `last_year`, of the change and of the points. `target` is the
    year's, where one was set, and the gap to it (positive: beyond it). `paragraphs` holds {heading, text, table} in
    Chinese (`zh`) and English (`en`). Raises Refused for an unknown place, a year without data in it and the year
    before, and months that cannot be estimated.
    """
    workspace = present.opened(workspace)
    book = load(workspace.pack)
    seen = cities.read(workspace, as_of=as_of, place=place, tree=tree, family=family)
    code = cities.located(workspace, place)
    year = year or seen.months[-1].year
    span = [t for t, month in enumerate(seen.months) if month.year == year]
    if not span or span[0] < 12:
        raise Refused(Problem("nowcast.year-not-covered", value=str(year)))
    done = settling.settle(workspace, seen, span, code, tree=tree, family=family)
    last = seen.months[span[-1]].month
    period = str(year) if last == 12 else f"{year}-01/{year}-{last:02d}" if last > 1 else f"{year}-01"
    made: dict[str, Any] = {
        "place": code, "place_name": present.named_code(book.places, code), "year": year,
        "period": period, "as_of": seen.as_of, "unit": "tCO2", "status": done.status, "tree": tree,
        "synthetic": done.status == "synthetic", **_compared(done, span, book),
    }  # fmt: skip
    titles = {one["id"]: one for one in workspace.datasets()}
    made["sources"] = [
        {"dataset": name, "title": {lang: titles[name].get(f"title_{lang}") or name for lang in ("zh", "en")}}
        for name in dict.fromkeys([*seen.datasets, *(one.one.dataset for one in done.totals)])
    ]
    made["status_name"] = {lang: book.terms["status"].name(done.status, lang) for lang in ("zh", "en")}
    aim = officials.target(officials.read(workspace, seen, code), code, year)
    made["target"] = aim and {
        "value": aim.value, "gap": made["value"] - aim.value, "dataset": aim.dataset, "status": aim.status,
        "status_name": {lang: book.terms["status"].name(aim.status, lang) for lang in ("zh", "en")},
    }  # fmt: skip
    lent = present.of_factors(seen, span[-1], book)
    made |= {"missing": lent["missing"], "factors": lent["factors"]}
    made["causes"], made["undecomposed"] = None, None
    try:
        made["causes"] = why.explain(workspace, place=code, period=period, as_of=seen.as_of, tree=tree, family=family)
    except Refused as fault:
        made["undecomposed"] = fault.problems[0].params.get("months")
    asked = {"place": code, "as_of": seen.as_of.isoformat(), "tree": tree, **options(family)}
    made["record"] = recorded(seen, span[-1], len(span), asked, span[0])
    made["flags"] = _flags(done, seen, span, book, tree)
    made["paragraphs"] = {lang: telling.paragraphs(made, lang) for lang in ("zh", "en")}
    return made


def _compared(done: Settled, span: list[int], book: Classification) -> dict[str, Any]:
    """The months `span` and those a year before, as settled, in all, by month, area, sector and domain; what of both is
    estimated; and what has no year before.

    Where official totals hold in one of the years only, growth is that of what was counted and estimated.
    """
    seen = done.seen
    whole = np.ones(len(seen.cells), bool)
    sums = done.summed(span, whole)
    then = [t - 12 for t in span]
    now, past = (gaps.of(seen, numbers, done.before) for numbers in (span, then))
    alike, left = gaps.alike(seen, [past, now])
    settled = np.array([done.cells(t) for t in span]).T
    like = settled if sums["alike"] else now.cells
    before = np.array([
        done.moved[t] if t in done.moved and sums["alike"] else past.cells[:, n] for n, t in enumerate(then)
    ]).T  # fmt: skip
    value, compared, last = float(settled.sum()), float(like[alike].sum()), float(before[alike].sum())
    known = bool(alike.any())
    made: dict[str, Any] = {
        "value": value, "low": sums["low"], "high": sums["high"],
        "complete": sums["complete"], "lacking": sums["lacking"],
        "estimated_months": [month_text(seen.months[t]) for t in sums["open"]],
        "open_months": [month_text(seen.months[t]) for t in now.open if t in sums["open"]],
        "last_year": last if known else None, "change": compared - last if known else None,
        "change_percent": 100 * (compared - last) / last if last else None,
        "settled": value - float(now.cells.sum()), "alike": sums["alike"],
        "gaps": {
            "now": why.named(gaps.told(seen, now, whole), book),
            "before": why.named(gaps.told(seen, past, alike), book),
            "open_before": [month_text(seen.months[t]) for t in past.open],
        },
        "left_out": why.named(left, book), **_growth(done, span, past, alike, compared, last),
    }  # fmt: skip
    made["months"] = [
        {"month": month_text(seen.months[t]), "value": float(settled[:, n].sum()),
         "last_year": float(before[:, n].sum()) if alike.all() else None, "estimated": t in sums["open"]}
        for n, t in enumerate(span)
    ]  # fmt: skip
    lacking = np.any([seen.lacking(t) for t in span], 0)
    for name, column in (("areas", 0), ("sectors", 1), ("domains", 2)):
        made[name] = _grouped(seen, settled.sum(1), like.sum(1), before.sum(1), alike, column, book, lacking)
    return made


def _growth(
    done: Settled, span: list[int], past: gaps.Span, mine: np.ndarray, value: float, last: float
) -> dict[str, Any]:
    """How much of last year is estimated of the cells `mine` (N,), whose CO2 was `last` and is `value` (t), and the
    ends of growth that follow from both years' estimates; none where nothing of last year is."""
    guess = sum(np.where(there, 0.0, getattr(past, name))[mine].sum() for name, there in past.counted.items())
    made: dict[str, Any] = {"last_year_estimated": float(guess), "change_low_percent": None,
                            "change_high_percent": None}  # fmt: skip
    if guess and last and value:
        unsure = [t for t, column in zip(past.numbers, _unknown(past, mine), strict=True) if column and t > 0]
        ends = [one["high"] - one["value"] for one in (done.figure(t, mine) for t in unsure) if one["high"]]
        sums = done.summed(span, mine)
        now = (sums["high"] or sums["value"]) / sums["value"] - 1
        width = float(np.hypot(np.log1p(now), np.log1p(sum(ends) / last)))
        made["change_low_percent"], made["change_high_percent"] = (
            100 * (value / last * float(np.exp(side * width)) - 1) for side in (-1, 1)
        )
    return made


def _unknown(span: gaps.Span, mine: np.ndarray) -> list[bool]:
    """Which months of a span are not counted in full."""
    return [bool(one) for one in ~np.all([there[mine].all(0) for there in span.counted.values()], 0)]


def _flags(done: Settled, seen: City, span: Sequence[int], book: Classification, tree: str) -> list[dict[str, Any]]:
    """What looks wrong in the months `span`, of each place and sector once (`flags.together`)."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for t in reversed(span):
        for flag in [*done.flags(t), *flags.find(seen, t)]:
            found.setdefault(flags.topic(flag), []).append(flag)
    opens = {"as_of": seen.as_of.isoformat(), "tree": tree, "city": done.place}
    made = [flags.together(same) for same in found.values()]
    return [{**flag, **present.named(book, flag, opens)} for flag in made]


def _grouped(
    seen: City, settled: Array, now: Array, before: Array, alike: np.ndarray, column: int, book: Classification,
    lacking: np.ndarray,
) -> list[dict[str, Any]]:  # fmt: skip
    """The year by area, sector or domain (the number of the `column`), the largest first: `settled` (N,) are its cells,
    `now` and `before` what is compared, where it can be (`alike`). What only has rows `lacking` a factor is no zero and
    is left out.
    """
    codes: Any = (book.places, book.sectors, book.domains)[column]
    whole = float(before[alike].sum())
    rows = []
    for (code,), mine in present.grouped(seen, [column]):
        value, like = float(settled[mine].sum()), mine & alike
        if not value and lacking[mine].any():
            continue
        past = float(before[like].sum()) if like.any() else None
        change = float(now[like].sum()) - past if past is not None else None
        rows.append({
            "code": code, "name": present.named_code(codes, code) if code else {"zh": "—", "en": "—"},
            "value": value, "share": value / float(settled.sum()) if settled.sum() else None, "last_year": past,
            "change_percent": 100 * change / past if past and change is not None else None,
            "pull_points": 100 * change / whole if whole and change is not None else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["value"])
