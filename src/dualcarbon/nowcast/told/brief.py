"""The monthly brief (月度碳排放形势简析): a month, the year so far, what moved them, what is late or odd, how far to
trust it; its figures, and the paragraph in words."""

from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import beside, calendar_terms, doubled, present, settling
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.figures import month_text, reach
from dualcarbon.nowcast.told import situation, telling
from dualcarbon.nowcast.usual import FAMILY

#: Months in which the Spring Festival falls; the month from which on the whole year is told ahead.
FESTIVAL, AHEAD = (1, 2), 4


def monthly(
    workspace: Any = None,
    *,
    month: str | None = None,
    place: str | None = None,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = FAMILY,
) -> dict[str, Any]:
    """The brief of `month` (``2024-04``; default: the last of which the end is known): its figures and `paragraphs`.

    The figures are those of `situation.analyse`, for the month; `year_to_date` is `beside.so_far`, `settled_to_date`
    what official totals moved of it and, where it is not compared as settled, the reason; `together` the same for
    January and February where the Spring Festival makes one of them incomparable, `ahead` (from April on) the whole
    year as expected, where its months can be estimated. `causes` are those of the month or, where it is not reported,
    of the year as far as it is. `tables` of areas, domains and sectors stand beside the words on the page. Raises
    Refused for an unknown place and a month that cannot be estimated or has no year before it.
    """
    workspace = present.opened(workspace)
    book = load(workspace.pack)
    now = cities.read(workspace, as_of=as_of, place=place, tree=tree, family=family)
    first = _first(month) if month else now.months[-1]
    december = date(first.year, 12, 1)
    reached = cities.month_after(now.months[0], reach(now, len(now.months) - 1)) >= december
    seen = cities.read(workspace, as_of=now.as_of, until=december, place=place, tree=tree, family=family)
    t = seen.months.index(first) if first in seen.months else -1
    since = t - first.month + 1
    if t < 12:
        known = {"first": month_text(seen.months[0]), "able": month_text(cities.month_after(seen.months[0], 12))}
        raise Refused(Problem("nowcast.month-not-covered", value=month or month_text(first), params=known))
    ahead = first.month >= AHEAD and reached
    done = settling.settle(workspace, seen, range(since, since + 12 if ahead else t + 1), seen.place, tree=tree,
                           family=family)  # fmt: skip
    both = beside.both(done, [t])
    name = month_text(first)
    made: dict[str, Any] = {
        "month": name, "later": present.later(now), **situation.headed(workspace, both, name, tree, family),
        **situation.figures(both, book),
    }  # fmt: skip
    made["counted_share"] = both.sums["months"][t]["counted_share"]
    made["year_to_date"] = beside.so_far(done, t, book, present.named_code)
    told = made["year_to_date"]
    plain = sum(float(done.unmoved(s).sum()) for s in range(since, t + 1)) if told["value"] is not None else None
    made["settled_to_date"] = {
        "value": None if plain is None else told["value"] - plain,
        "reason": None if told["alike"] else beside.unlike(done, range(max(since, cities.YEAR), t + 1)),
    }
    made["festival"] = _festival(first)
    made["together"] = None
    if made["festival"] and first.month == 2 and made["year_to_date"]["compared"] == made["year_to_date"]["period"]:
        made["together"] = made["year_to_date"]
    made["target"] = situation.aimed(workspace, done.seen, t, made["year_to_date"]["value"], book)
    made["ahead"] = _ahead(done, since, first.year) if ahead else None
    made |= situation.moved(workspace, now, range(12, t + 1), name, tree, family)
    made |= situation.lent(done.seen, t, book)
    made["doubled"] = doubled.of(workspace, done.seen, [t], tree, book)
    made["record"] = situation.replayed(now, family, tree, t if made["low"] is not None else None)
    made["flags"] = situation.doubts(done, done.seen, [t], book, made["question"], now)
    made["paragraphs"] = {lang: telling.brief(made, lang) for lang in ("zh", "en")}
    made["tables"] = {lang: telling.tables(made, lang) for lang in ("zh", "en")}
    return made


def _ahead(done: settling.Settled, since: int, year: int) -> dict[str, Any] | None:
    """The whole year as expected; None where all of it is counted."""
    sums = done.summed(range(since, since + 12), np.ones(len(done.seen.cells), bool))
    if sums["low"] is None:
        return None
    return {"period": str(year), **{name: sums[name] for name in ("value", "low", "high")}}


def _festival(month: date) -> dict[str, str] | None:
    """The first days of the Spring Festival's rest this year and before, where they moved this month's share of it."""
    if month.month not in FESTIVAL:
        return None
    now, then = calendar_terms.festival(month.year), calendar_terms.festival(month.year - 1)
    shares = [calendar_terms.festival_share(year, month.month) for year in (month.year, month.year - 1)]
    if now is None or then is None or abs(shares[0] - shares[1]) < 0.1:
        return None
    return {"now": now.isoformat(), "before": then.isoformat()}


def _first(text: str) -> date:
    try:
        return date.fromisoformat(f"{text[:7]}-01")
    except ValueError as error:
        raise Refused(Problem("nowcast.bad-period", value=text)) from error
