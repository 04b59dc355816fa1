"""Open what an estimate is moved by: growth of electricity or of recent CO2, the festival, degree days, with the months
and rows that they come from.
"""

from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import calendar_terms, months
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.annual.forecast import log_ratio
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.gaps import span_text
from dualcarbon.nowcast.opened.nodes import NONE, Node, asks, line, number, options, span_of, text, tonnes
from dualcarbon.nowcast.present import named_code

#: What an estimate is made of, with its title; all but the constant opens.
TERMS = {
    "electricity": text("本单元用电增速（未到时取近三个月）",
                        "growth of the cell's electricity (of three months while late)"),
    "place_electricity": text("本地区用电增速", "growth of the area's electricity"),
    "recent": text("本单元近三个月排放增速", "growth of the cell's CO2 over three months"),
    "festival": text("春节错月", "the Spring Festival's move"),
    "heating": text("采暖度日", "heating degree days"),
    "cooling": text("制冷度日", "cooling degree days"),
    "level": text("全体单元的常数项", "constant of all cells"),
}  # fmt: skip
GROWN = text("100 × ln(Σ 本期 / Σ 上年同期)；只用两年都有数的月份和单元，当月用电未到的取近三个月",
             "100 × ln(Σ now / Σ a year before), of the months and cells seen in both years; of the last three months "
             "while the month's electricity is not in")  # fmt: skip


def term_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, month: str, about: str,
    sector: str | None = None, domain: str | None = None, part: str = "direct", city: str | None = None,
) -> Node:  # fmt: skip
    """One of `TERMS` of the estimate of a cell's `part` in a month: `about` says which. Raises Refused where the cell
    or the term is unknown."""
    book = load(workspace.pack)
    first = span_of(month).start
    above = city or cities.pool(book, place, tree)
    until = date(first.year, 12, 1)
    seen = cities.read(workspace, as_of=day, until=until, place=above, tree=tree, family=family).together
    mine = [k for k, cell in enumerate(seen.cells) if all(map(asks, (place, sector, domain), cell))]
    known = {*months.FEATURES, *seen.term_names}
    if about not in known or not mine or first not in seen.months or part not in ("direct", "indirect"):
        raise Refused(Problem("nowcast.no-such-figure", value=about if about not in known else sector or place))
    t = seen.months.index(first)
    seen, k = seen.upto(t), mine[0]
    asked: Node = {"as_of": seen.as_of.isoformat(), "tree": tree, "city": above, **options(family)}
    whole = about == "place_electricity"
    head: Node = {"title": TERMS[about], "period": month, "as_of": seen.as_of, "status": seen.status,
                  "about": [named_code(book.sectors, sector)] if sector and not whole else []}  # fmt: skip
    if about == "festival":
        return head | _festival(seen, t)
    if about in ("heating", "cooling"):
        return head | _weather(seen, t, about)
    values = getattr(seen, part) if about == "recent" else seen.power
    span = _span(seen, t, k, about, values)
    rows = [n for n, cell in enumerate(seen.cells) if cell[0] == seen.cells[k][0]] if whole else [k]
    return head | _grown(seen, values, span, rows, part if about == "recent" else "", book, asked)


def _span(seen: City, t: int, k: int, about: str, values: Any) -> list[int]:
    """The months (numbers) whose growth is meant, as `months.features` takes them."""
    if t < months.YEAR:
        raise Refused(Problem("nowcast.no-such-figure", value=month_text(seen.months[t])))
    if about == "recent":
        return months.window(t, months.gap(values, t))
    late = 0 if np.isfinite(seen.power[:, t]).mean() >= 0.5 else months.gap(seen.power, t)
    span = [t] if late == 0 else months.window(t, late)
    both = [s for s in span if np.isfinite(seen.power[k, [s, s - months.YEAR]]).all()]
    return span if both or about != "electricity" else months.window(t, late + 1)


def _grown(
    seen: City, values: Any, span: list[int], rows: list[int], part: str, book: Classification, asked: Node
) -> Node:
    """Growth over the months `span` of the cells `rows` from a year before, with each month, and each cell of
    several."""
    unit, name = ("tCO2", text("排放", "CO2")) if part else ("MWh", text("用电", "electricity"))
    now, then = (values[np.ix_(rows, [s - back for s in span])] for back in (0, months.YEAR))
    both = np.isfinite(now) & np.isfinite(then)
    sums = [np.where(both, one, 0.0) for one in (now, then)]
    inputs = []
    for n, s in enumerate(span):
        if both[:, n].any():
            for one, number_ in zip(sums[::-1], (s - months.YEAR, s), strict=True):
                when = month_text(seen.months[number_])
                opens = month_opens(seen, rows, when, part, asked) if both[:, n].all() else {}
                title = {"zh": span_text([when], "zh") + name["zh"], "en": f"{when} {name['en']}"}
                inputs.append(line(title, float(one[:, n].sum()), unit, seen.status, **opens))
    children = []
    if len(rows) > 1:
        for n, k in enumerate(rows):
            if both[n].any():
                place, sector, domain = seen.cells[k]
                question = {**asked, "kind": "term", "about": "electricity", "month": month_text(seen.months[-1]),
                            "place": place, "sector": sector or NONE, "domain": domain or NONE}  # fmt: skip
                title, value = named_code(book.sectors, sector or NONE), float(sums[0][n].sum())
                filled = f"{tonnes(float(sums[1][n].sum()))} → {tonnes(value)}"
                children.append(line(title, value, unit, seen.status, filled=filled, question=question))
    whole, before = (float(one.sum()) for one in sums)
    grown = 100 * float(log_ratio(np.array([whole]), np.array([before]))[0])
    filled = f"100 × ln({tonnes(whole)} / {tonnes(before)})" if whole > 0 and before > 0 else ""
    return {"value": grown, "unit": "%", "equation": GROWN, "filled": filled, "inputs": inputs,
            "children": sorted(children, key=lambda one: -one["value"])}  # fmt: skip


def month_opens(seen: City, rows: list[int], month: str, part: str, asked: Node) -> Node:
    """What opens a month of the cells `rows`: CO2 here, electricity by ``dualcarbon explain`` down to its rows."""
    place, sector, domain = seen.cells[rows[0]]
    if part or place.endswith(cities.UNALLOCATED) or not (sector or len(rows) > 1):
        where = {"sector": sector or NONE, "domain": domain or NONE} if len(rows) == 1 else {}
        question = {**asked, "month": month, "place": place, **where, "part": part or "indirect", "reconcile": "none"}
        return {"question": question}
    query = {"item": "energy.purchased", "carrier": "electricity", "place": place, "period": month,
             "tree": asked["tree"], "known_at": asked["as_of"]}  # fmt: skip
    return {"query": query | ({"sector": sector} if len(rows) == 1 else {})}


def _festival(seen: City, t: int) -> Node:
    """How much more of the month lies around the Spring Festival than of the month a year before."""
    month = seen.months[t]
    shares = {day: 100 * calendar_terms.festival_share(day.year, day.month)
              for day in (date(month.year - 1, month.month, 1), month)}  # fmt: skip
    inputs = [
        line(text(f"{span_text([month_text(day)], 'zh')}春节前后的天数占比"
                  f"（假期自 {calendar_terms.festival(day.year)} 起）",
                  f"days around the festival (from {calendar_terms.festival(day.year)}) in {month_text(day)}"),
             share if np.isfinite(share) else None, "%")
        for day, share in shares.items()
    ]  # fmt: skip
    before, now = shares.values()
    return {
        "value": now - before if np.isfinite(now - before) else 0.0, "unit": "%", "inputs": inputs,
        "equation": text(f"本月占比 − 上年同月占比；春节前 {calendar_terms.BEFORE} 天至后 {calendar_terms.AFTER} 天",
                         f"share of the month − share a year before; from {calendar_terms.BEFORE} days before to "
                         f"{calendar_terms.AFTER} after"),
        "filled": f"{number(now)} − {number(before)}" if np.isfinite(now - before) else "",
    }  # fmt: skip


def _weather(seen: City, t: int, about: str) -> Node:
    """Degree days of the month and of the month a year before, which open to their rows."""
    items = {name: item for item, name in calendar_terms.WEATHER.items()}
    given, inputs = seen.weather[about], []
    days: list[Any] = []
    for month in (date(seen.months[t].year - 1, seen.months[t].month, 1), seen.months[t]):
        value, period = given.get(month), month_text(month)
        query = {"item": items[about], "place": seen.weather_places[about], "period": period,
                 "known_at": seen.as_of.isoformat()}  # fmt: skip
        name = {"zh": span_text([period], "zh") + TERMS[about]["zh"], "en": f"{period} {TERMS[about]['en']}"}
        inputs.append(line(name, value, "degree_day", seen.status, **({} if value is None else {"query": query})))
        days.append(value)
    before, now = days
    known = before is not None and now is not None
    return {
        "value": now - before if known else 0.0, "unit": "degree_day", "inputs": inputs,
        "equation": text("本月 − 上年同月；估算中以千度日计，有一个月不知道的取 0",
                         "the month − the month a year before; thousands in the estimate, 0 where one is not known"),
        "filled": f"{number(now)} − {number(before)}" if known else "",
    }  # fmt: skip
