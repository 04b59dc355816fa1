"""Open what the weather did to a period: by month, by area, down to degree days, response and cell."""

from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core.classification import Classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import why
from dualcarbon.nowcast.calendar_terms import WEATHER
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.opened.nodes import NONE, Node, line, number, text, tonnes
from dualcarbon.nowcast.opened.opening import PARTS
from dualcarbon.nowcast.opened.terms import TERMS
from dualcarbon.nowcast.present import named_code
from dualcarbon.nowcast.weather import Moved

RESPONSE = {
    "direct": text("每千{}多用的燃料，占平均月", "fuels that thousand {} take, of a mean month"),
    "indirect": text("每千{}多用的电，占平均月", "electricity that thousand {} take, of a mean month"),
}
EQUATION = text(
    "Σ C × (1 − exp(−Σ b × ΔD × M / E₀))；C 为本期排放，ΔD 为两期度日之差（千度日），b 为每千度日用能占平均月的比重，"
    "M / E₀ 为平均月用能与对比月用能之比。b 由各月同比增速的汇集岭回归得出，不小于零；对留出的月份没有帮助的行业取零",
    "Σ C × (1 − exp(−Σ b × ΔD × M / E₀)); C is CO2 of the later period, ΔD the change of degree days in thousands, b "
    "the share of a mean month's energy that thousand degree days take, M / E₀ that mean over the earlier month. b is "
    "of a pooled ridge on growth, not below zero, and none for sectors whose left-out months it does not tell better",
)


def weather_of_sector(
    made: why.Compared, sector: str, month: str | None, book: Classification, asked: dict[str, Any]
) -> Node:
    """What the weather did to a sector: by month, or of a `month` by area, with its degree days and the response."""
    moved = made.moved
    if moved is None or not made.sectors[sector].weather.any():
        raise Refused(Problem("nowcast.no-such-figure", value="weather"))
    question = {**asked, "effect": "weather", "sector": sector}
    rows = made.later.filter(pl.col("sector") == sector)
    spans = {month_text(made.seen.months[t]): t for t in made.known["after"].numbers}
    inputs = _responses(moved, made, sector)
    if month is None:
        sums = {name: _sum(rows.filter(pl.col("month") == t)) for name, t in spans.items()}
        children = [
            line(text(name, name), value, "tCO2", made.status, question={**question, "month": name})
            for name, value in sums.items()
            if value
        ]
    else:
        if month not in spans:
            raise Refused(Problem("nowcast.no-such-figure", value=month))
        pair = list(spans).index(month)
        rows = rows.filter(pl.col("month") == spans[month]).group_by("part", "row").agg(pl.col("co2").sum())
        children = [
            _cell(made, moved, part, k, pair, co2, book, question)
            for part, k, co2 in rows.sort("part", "row").select("part", "row", "co2").iter_rows()
            if part in moved.effect and moved.effect[part][k, pair]
        ]
        children.sort(key=lambda one: -abs(one["value"]))
        inputs = [*_days(moved, made, pair, asked), *inputs]
    value = float(sum(one["value"] for one in children))
    terms = [f"({tonnes(one['value'], True)})" for one in children]
    return {
        **({"period": month} if month else {}), "title": why.TITLES["weather"], "value": value, "inputs": inputs,
        "about": [named_code(book.sectors, sector)],
        "children": children, "equation": EQUATION,
        "filled": f"{' + '.join(terms[:7])}{' + …' if len(terms) > 7 else ''} = {tonnes(value, True)}",
    }  # fmt: skip


def _sum(rows: pl.DataFrame) -> float:
    return float((rows["co2"] * (1 - rows["fair"])).sum())


def _days(moved: Moved, made: why.Compared, pair: int, asked: dict[str, Any]) -> list[Node]:
    """Degree days of a pair of months, with what opens them."""
    items = {name: item for item, name in WEATHER.items()}
    lines = []
    for name in moved.names:
        for when in ("before", "after"):
            month = made.seen.months[made.known[when].numbers[pair]]
            period, days = month_text(month), made.seen.weather[name].get(month)
            query = {"item": items[name], "place": made.seen.weather_places[name], "period": period,
                     "known_at": asked["as_of"]}  # fmt: skip
            title = {lang: f"{period} {TERMS[name][lang]}" for lang in ("zh", "en")}
            lines.append(line(title, days, "degree_day", made.status, **({"query": query} if days is not None else {})))
    return lines


def _responses(moved: Moved, made: why.Compared, sector: str) -> list[Node]:
    """Energy of the sector that thousand degree days take, in percent of a mean month's."""
    of = next(k for k, cell in enumerate(made.seen.cells) if cell[1] == sector)
    return [
        line({lang: RESPONSE[part][lang].format(TERMS[name][lang]) for lang in ("zh", "en")},
             100 * float(one.slopes[of, column]), "%", made.status,
             filled=f"100 × b, b = {number(float(one.slopes[of, column]))}, n = {one.months}")
        for part, one in moved.response.items()
        for column, name in enumerate(moved.names)
        if one.slopes[of, column]
    ]  # fmt: skip


def _cell(
    made: why.Compared, moved: Moved, part: str, k: int, pair: int, co2: float, book: Classification,
    question: dict[str, Any],
) -> Node:  # fmt: skip
    """What the weather did to one cell's month, with its numbers."""
    one, before = moved.response[part], made.known["before"].numbers[pair]
    terms = [f"{number(float(slope), 6)} × {number(float(change), 6)}"
             for slope, change in zip(one.slopes[k], moved.change[:, pair], strict=True)
             if slope and np.isfinite(change) and change]  # fmt: skip
    place, sector, domain = made.seen.cells[k]
    area = named_code(book.places, place)
    same: Node = {key: question[key] for key in ("as_of", "tree", "family") if key in question}
    asked: Node = {
        "month": month_text(made.seen.months[made.known["after"].numbers[pair]]), "place": place,
        "sector": sector or NONE, "domain": domain or NONE, "part": part, "city": made.place, "reconcile": "none",
        **same,
    }  # fmt: skip
    base = number(float(one.base[k, before]), 6)
    return line(
        {lang: f"{area[lang]} · {PARTS[part][lang]}" for lang in ("zh", "en")},
        co2 * (1 - float(np.exp(-moved.effect[part][k, pair]))), "tCO2", made.status,
        filled=f"{tonnes(co2)} × (1 − exp(−({' + '.join(terms)}) × {base}))",
        question=asked,
    )  # fmt: skip
