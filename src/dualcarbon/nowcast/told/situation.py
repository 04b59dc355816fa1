"""The yearly analysis of the carbon situation (年度碳排放形势分析): its figures, causes, doubts and target, and the
report in words that is written as Word or PDF.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import (
    account,
    beside,
    doubled,
    flags,
    gaps,
    officials,
    present,
    record,
    settling,
    uncertainty,
    why,
)
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.beside import Both
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.opened import comparing
from dualcarbon.nowcast.opened.nodes import NONE, options
from dualcarbon.nowcast.settling import Settled
from dualcarbon.nowcast.told import saying, telling
from dualcarbon.nowcast.usual import FAMILY

#: Months of a year that have to be in before it is the one that is told.
QUARTER = 3


def analyse(
    workspace: Any = None,
    *,
    year: int | None = None,
    place: str | None = None,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = FAMILY,
) -> dict[str, Any]:
    """The situation of `year` (default: the last that tells anything, `_last_year`): figures, and the `paragraphs`.

    Values are tCO2 of fuels burned other than for power and of purchased electricity, settled against official totals;
    months not reported, or not believed, are estimated, in this year and in the one before: `gaps` names them. What has
    no year before to be compared with is `left_out` of `last_year`, of the change and of the points. `target` is the
    year's, where one was set, and the gap to it (positive: beyond it); `product` the CO2 per gross domestic product (t
    per 万元, current prices) or, where both years cannot be compared by it, `no_product` the reason. `paragraphs` are
    those of `telling.paragraphs` in Chinese (`zh`) and English (`en`). Raises Refused for an unknown place, a year
    without data in it and the year before, and months that cannot be estimated.
    """
    workspace = present.opened(workspace)
    book = load(workspace.pack)
    seen = cities.read(workspace, as_of=as_of, place=place, tree=tree, family=family)
    code = cities.located(workspace, place)
    year = year or _last_year(seen)
    span = [t for t, month in enumerate(seen.months) if month.year == year]
    if not span or span[0] < 12:
        raise Refused(Problem("nowcast.year-not-covered", value=str(year)))
    done = settling.settle(workspace, seen, span, code, tree=tree, family=family)
    both = beside.both(done, span)
    period = saying.span(year, seen.months[span[-1]].month)
    years = sorted({month.year for month in done.seen.months[12:] if month <= seen.months[-1]})
    made: dict[str, Any] = {
        "year": year,
        "years": years,
        **headed(workspace, both, period, tree, family),
        **figures(both, book),
        "later": present.later(seen),
    }
    made |= lent(done.seen, span[-1], book)
    made["doubled"] = doubled.of(workspace, done.seen, span, tree, book)
    made["months"] = by_month(both)
    made["target"] = aimed(workspace, done.seen, span[-1], made["value"], book)
    made["product"], made["no_product"] = _per_product(workspace, both, made["value"], period, tree)
    made |= moved(workspace, seen, span, period, tree, family)
    made["record"] = replayed(seen, family, tree)
    whole = np.ones(len(done.seen.cells), bool)
    made["uncertainty"] = None
    if done.exact(span[0], span[-1] + 1, whole) is None:
        made["uncertainty"] = uncertainty.of(workspace, done.seen, span, whole, made["value"], book, made["question"])
    made["flags"] = doubts(done, done.seen, span, book, made["question"])
    made["paragraphs"] = {lang: telling.paragraphs(made, lang) for lang in ("zh", "en")}
    return made


def _last_year(seen: City) -> int:
    """The year of the last month or, until most cells have reported `QUARTER` months of it, the one before, where that
    has a year before it."""
    year = seen.months[-1].year
    known = sum(month.year == year and _reported(seen, t) for t, month in enumerate(seen.months))
    ended = known < QUARTER and date(year - 2, 1, 1) >= seen.months[0]
    return year - ended


def headed(workspace: Any, both: Both, period: str, tree: str, family: str) -> dict[str, Any]:
    """What a report says of itself: place, period, day, status, sources, and the `question` that its figures share."""
    seen, status = both.done.seen, both.done.status
    book = load(workspace.pack)
    titles = {one["id"]: one for one in workspace.datasets()}
    used = dict.fromkeys([*seen.datasets, *(one.one.dataset for one in both.done.totals)])
    return {
        "place": seen.place, "place_name": present.named_code(book.places, seen.place), "period": period,
        "against": saying.earlier(period), "as_of": seen.as_of, "unit": "tCO2", "status": status, "tree": tree,
        **account.named(book),
        "synthetic": status == "synthetic",
        "status_name": {lang: book.terms["status"].name(status, lang) for lang in ("zh", "en")},
        "sources": [
            {"dataset": name, "title": {lang: titles[name].get(f"title_{lang}") or name for lang in ("zh", "en")}}
            for name in used
        ],
        "within": cities.above(book, seen.place, tree),
        "question": {"place": seen.place, "as_of": seen.as_of.isoformat(), "tree": tree, "city": seen.place,
                     **options(family)},
    }  # fmt: skip


def figures(both: Both, book: Classification) -> dict[str, Any]:
    """The months as settled, in all, by area, sector and domain; what of both years is estimated; and what has no year
    before."""
    seen, sums = both.done.seen, both.sums
    whole = np.ones(len(seen.cells), bool)
    value = both.value(whole)
    low, high = both.ends(whole)
    made: dict[str, Any] = {
        "value": value, "low": sums["low"], "high": sums["high"],
        "complete": sums["complete"], "lacking": sums["lacking"],
        **{part: sums[part] for part in beside.PARTS}, **seen.unheard(whole),
        "never": [{"part": part, "name": present.named_code(book.places, place)}
                  for part, places in seen.never.items() for place in places],
        "estimated_months": [month_text(seen.months[t]) for t in sums["open"]],
        "open_months": [month_text(seen.months[t]) for t in both.now.open if t in sums["open"]],
        "last_year": both.last(whole), "change": both.change(whole), "change_percent": both.growth(whole),
        "last_year_estimated": both.estimated_before(whole), "change_low_percent": low, "change_high_percent": high,
        "settled": value - float(both.now.cells.sum()), "alike": sums["alike"], "official": _official(both),
        "gaps": {
            "now": why.named(gaps.told(seen, both.now, whole), book),
            "before": why.named(gaps.told(seen, both.past, both.alike), book),
            "open_before": [month_text(seen.months[t]) for t in both.past.open],
            "nothing": flags.nothing(seen, [*both.past.numbers, *both.span]),
        },
        "left_out": why.named(both.left, book),
    }  # fmt: skip
    for column, name in enumerate(("areas", "sectors", "domains")):
        made[name] = _grouped(both, column, book)
    cells: dict[str, list[tuple[str, np.ndarray]]] = {}
    for (place, sector), mine in present.grouped(seen, [0, 1]):
        cells.setdefault(sector, []).append((place, mine))
    for row in made["sectors"]:
        row["household"] = _household(book, row["code"])
        row["area"] = _driver(both, row, cells[row["code"]], book)
    made["homes"] = _homes(both, made, book)
    return made


def _official(both: Both) -> dict[str, Any]:
    """What official totals did to the comparison: the `months` they hold in, those that are compared as settled
    (`alike`) and, where the period is not, the `reason`."""
    done = both.done
    held = [t for t in both.span if t in done.moved]
    return {
        "months": [month_text(done.seen.months[t]) for t in held],
        "alike": [month_text(done.seen.months[t]) for t in held if both.sums["months"][t]["alike"]],
        "reason": None if both.sums["alike"] else beside.unlike(done, both.span),
    }  # fmt: skip


def _homes(both: Both, made: dict[str, Any], book: Classification) -> dict[str, Any] | None:
    """Households among the domains: the `domain` of residents, where it holds households only; and the domains `beyond`
    it that count some of their CO2 (as that of cars, in transport). None without households."""
    sectors = [row["code"] for row in made["sectors"] if row["household"]]
    if not sectors:
        return None
    own = _domain(book, sectors[0])
    grouped = present.grouped(both.done.seen, [1, 2])
    cells = [(sector, domain, both.value(mine)) for (sector, domain), mine in grouped]
    beyond = sorted({domain for sector, domain, value in cells if sector in sectors and domain != own and value})
    only = not any(value for sector, domain, value in cells if sector not in sectors and domain == own)
    names = [{"code": code, "name": present.named_code(book.domains, code or NONE)} for code in beyond]
    return {"domain": own if only else None, "beyond": names}


def lent(seen: City, t: int, book: Classification) -> dict[str, Any]:
    """What has no factor and is in no total (`missing`), and which `factors` are borrowed, in month number `t`."""
    told = present.of_factors(seen, t, book)
    return {"missing": told["missing"], "factors": told["factors"]}


def moved(
    workspace: Any, seen: City, among: Sequence[int], period: str, tree: str, family: str
) -> dict[str, Any]:  # fmt: skip
    """`causes` of the period or, where months of it are open, of the year as far as it is reported by the last of the
    months `among` (numbers) that is; `undecomposed` names the open months."""
    told = None
    known = [s for s in among if 12 <= s < len(seen.months) and _reported(seen, s)]
    last = []
    if known:
        first = max(known[-1] - seen.months[known[-1]].month + 1, 12)
        last = [saying.between(month_text(seen.months[first]), month_text(seen.months[known[-1]]))]
    for one in dict.fromkeys([period, *last]):
        try:
            made = why.explain(workspace, place=seen.place, period=one, as_of=seen.as_of, tree=tree, family=family,
                               held=seen)  # fmt: skip
            spelt = {"period": one, "against": saying.earlier(one)}
            return {"causes": {**made, **spelt}, "undecomposed": told}
        except Refused as fault:
            told = told or fault.problems[0].params.get("months")
    return {"causes": None, "undecomposed": told}


def _reported(seen: City, t: int) -> bool:
    """Whether most cells have reported a month."""
    return bool(min(np.isfinite(part[:, t]).mean() for part in (seen.direct, seen.indirect)) >= 0.5)


def by_month(both: Both) -> list[dict[str, Any]]:
    """Each month with its interval and, where all of it can be compared, its year before.

    Like is compared with like, as in `settling.Settled.figure`: where official totals do not hold the same cells a year
    ago (`alike` is false), `like` (the month and its interval), `last_year` and the change are before any of them.
    """
    done, seen, rows = both.done, both.done.seen, []
    for n, t in enumerate(both.span):
        one = both.sums["months"][t]
        told = {key: one[key] for key in ("value", "low", "high", "low80", "high80")}
        like, last = float(both.now.cells[:, n].sum()), float(both.past.cells[:, n].sum())
        if one["alike"]:
            like = one["value"]
            last = float(done.moved[t - cities.YEAR].sum()) if t - cities.YEAR in done.moved else last
        factor = like / one["value"] if one["value"] else 1.0
        compared = bool(both.alike.all())
        rows.append({
            "month": month_text(seen.months[t]), **told, "alike": one["alike"],
            "like": {key: None if given is None else given * factor for key, given in told.items()},
            "last_year": last if compared else None, "change": like - last if compared else None,
            "change_percent": 100 * (like / last - 1) if compared and last else None,
            "estimated": t in both.sums["open"],
            "state": "official" if one["official"] else "counted" if one["low"] is None else "estimated",
        })  # fmt: skip
    return rows


def aimed(workspace: Any, seen: City, t: int, value: float, book: Classification) -> dict[str, Any] | None:
    """The target of the year of month number `t`, where one was set, with the gap of `value` (t CO2) to it."""
    year = seen.months[t].year
    aim = officials.target(officials.read(workspace, seen, seen.place), seen.place, year)
    return aim and {
        "value": aim.value, "gap": value - aim.value, "dataset": aim.dataset, "status": aim.status,
        "status_name": {lang: book.terms["status"].name(aim.status, lang) for lang in ("zh", "en")},
        "query": officials.described(aim, seen.as_of)["query"],
    }  # fmt: skip


def _per_product(
    workspace: Any, both: Both, value: float, period: str, tree: str
) -> tuple[dict[str, Any] | None, str | None]:
    """CO2 per gross domestic product of both years or, where there is none, what stands against it: that the product
    does not cover the months (`uncovered`), that areas have no year before (`left_out`), that official totals hold
    other cells in it (`unlike`), that nothing was emitted in it (`nothing`)."""
    seen = both.done.seen
    now, then = (comparing.product(workspace, seen, tree, one) for one in (period, saying.earlier(period)))
    last = float(both.before.sum())
    if now is None or then is None:
        return None, "uncovered"
    if both.left or not both.sums["alike"] or not last:
        return None, "left_out" if both.left else "nothing" if both.sums["alike"] else "unlike"
    intensity, before = value / now.value, last / then.value
    return {"value": now.value, "last_year": then.value, "intensity": intensity, "last_intensity": before,
            "change_percent": 100 * (intensity / before - 1), "query": now.query}, None  # fmt: skip


def replayed(seen: City, family: str, tree: str, t: int | None = None) -> dict[str, Any] | None:
    """How good the estimates of the last months have been (`record.recorded`), as late as those of month number `t`
    (default: the one that is shown, `record.shown`)."""
    question = {"place": seen.place, "as_of": seen.as_of.isoformat(), "tree": tree, **options(family)}
    return record.recorded(seen, record.shown(seen) if t is None else t, question=question)


def doubts(
    done: Settled, seen: City, span: Sequence[int], book: Classification, question: dict[str, Any],
    later: City | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """What looks wrong in the months `span`, of each place and sector once (`flags.together`); and months of which
    nothing has arrived though `later` ones have (default: those of `seen`)."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for t in reversed(span):
        for flag in [*done.flags(t), *flags.carried(flags.find(seen, t), seen, t, done.parts(t))]:
            found.setdefault(flags.topic(flag), []).append(flag)
    opens = {name: value for name, value in question.items() if name != "place"}
    made = [*flags.missing(later or seen, max(span)), *(flags.together(same) for same in found.values())]
    return [{**flag, **present.named(book, flag, opens)} for flag in made]


def _grouped(both: Both, column: int, book: Classification) -> list[dict[str, Any]]:
    """The months by area, sector or domain (the number of the `column`), the largest first. What only has rows that
    lack a factor is no zero and is left out."""
    codes: Any = (book.places, book.sectors, book.domains)[column]
    lacking = np.any([both.done.seen.lacking(t) for t in both.span], 0)
    parts = {name: both.part(name) for name in beside.PARTS}
    short = {name: np.any([both.done.seen.lacking(t, name) for t in both.span], 0) for name in parts}
    whole = both.value(np.ones(len(both.alike), bool))
    rows = []
    for (code,), mine in present.grouped(both.done.seen, [column]):
        value = both.value(mine)
        if not value and lacking[mine].any():
            continue
        split: dict[str, float | None] = {name: float(of[mine].sum()) for name, of in parts.items()}
        split |= {name: None for name, one in split.items() if not one and short[name][mine].any()}
        rows.append({
            "code": code, "name": present.named_code(codes, code) if code else {"zh": "—", "en": "—"},
            "value": value, **split,
            "share": value / whole if whole else None, "last_year": both.last(mine),
            "change": both.change(mine), "change_percent": both.growth(mine), "pull_points": both.pull(mine),
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["value"])


def _household(book: Classification, sector: str) -> bool:
    return bool(sector) and (book.sectors.row(sector) or {}).get("level") == "household"


def _domain(book: Classification, sector: str) -> str:
    return str((book.sectors.row(sector) or {}).get("domain", ""))


def _driver(
    both: Both, row: dict[str, Any], cells: list[tuple[str, np.ndarray]], book: Classification
) -> dict[str, Any] | None:
    """The area that moved a sector's CO2 most, the way that it moved in all; `cells` (N,) are the sector's by area."""
    if not row["pull_points"]:
        return None
    found: list[dict[str, Any]] = []
    for place, mine in cells:
        pull = both.pull(mine)
        if pull is not None and pull * row["pull_points"] > 0:
            found.append({"code": place, "name": present.named_code(book.places, place), "pull_points": pull})
    return max(found, key=lambda one: abs(one["pull_points"]), default=None)
