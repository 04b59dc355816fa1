"""Open how good estimates were: errors of the replay down to cells, the score of a first estimate."""

from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import board, months, revisions
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.nodes import Node, line, options, span_of, text, tonnes
from dualcarbon.nowcast.present import named_code


def error_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, month: str | None = None,
    sector: str | None = None,
) -> Node:  # fmt: skip
    """An error of the replay: of all months, of a month, of a sector, or of a sector in a month by its cells."""
    now = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
    book = load(workspace.pack)
    asked = board.replayable(now)
    if month:
        asked = [t for t in asked if month_text(now.months[t]) == month]
    if not asked:
        raise Refused(Problem("nowcast.no-such-figure", value=month or place))
    found = months.replay(now.direct, now.power, asked, 1, now.places, now.sectors, now.terms)
    mine = np.array([not sector or cell[1] == sector for cell in now.cells])
    truth = now.direct[:, asked]
    known = np.isfinite(truth) & mine[:, None]
    if not known.any():
        raise Refused(Problem("nowcast.no-such-figure", value=sector or place))
    gap = {name: np.where(known, np.abs(found[name] - truth), 0.0) for name in ("selected", "last_value")}
    whole = float(np.where(known, truth, 0.0).sum())
    sums = {name: float(values.sum()) for name, values in gap.items()}
    inside = found["inside"][np.isfinite(found["inside"]) & known & (truth > 0)]
    question = {"kind": "error", "place": place, "as_of": now.as_of.isoformat(), "tree": tree, **options(family)}

    def part(name: dict[str, str], rows: Any, columns: Any, **more: Any) -> Node:
        """A part's share of the error, in the same percent as the whole."""
        value = 100 * float(gap["selected"][rows][:, columns].sum()) / whole if whole else 0.0
        return line(name, value, "%", now.status, **more)

    every: list[int] = list(range(len(asked)))
    if month and sector:
        children = [
            _cell_error(now, k, asked[0], found, whole, book, tree, place, family)
            for k in np.nonzero(known[:, 0])[0].tolist()
        ]
    elif sector or not month:
        children = [
            part(text(when, when), np.ones(len(mine), bool), [n],
                 question={**question, "month": when, **({"sector": sector} if sector else {})})
            for n, when in ((n, month_text(now.months[asked[n]])) for n in every)
        ]  # fmt: skip
    else:
        children = [
            part(named_code(book.sectors, code) if code else text("未分类", "not classified"),
                 np.array([cell[1] == code for cell in now.cells]), every,
                 question={**question, "month": month, "sector": code})
            for code in sorted({cell[1] for cell in now.cells}) if code
        ]  # fmt: skip
    children.sort(key=lambda one: -one["value"]) if month else None
    value = 100 * sums["selected"] / whole if whole else None
    base = 100 * sums["last_value"] / whole if whole else None
    inputs = [
        line(text("沿用上年同月的误差", "error of the month a year before"), base, "%", now.status,
              filled=f"100 × {tonnes(sums['last_value'])} / {tonnes(whole)}"),
        line(text("相对沿用上年同月的技巧", "skill against it"),
              100 * (1 - sums["selected"] / sums["last_value"]) if sums["last_value"] else None, "%", now.status,
              filled=f"100 × (1 − {tonnes(sums['selected'])} / {tonnes(sums['last_value'])})"),
        line(text("名义 90% 区间的实际覆盖", "held by the 90% interval"),
              100 * float(np.mean(inside)) if inside.size else None, "%", now.status,
              filled=f"100 × {int(inside.sum()):,} / {inside.size:,}"),
    ]  # fmt: skip
    return {
        "title": text("回放误差（燃料数据晚一个月）", "replayed error (fuels a month late)"), "period": month,
        "about": [named_code(book.sectors, sector)] if sector else [], "as_of": now.as_of, "value": value, "unit": "%",
        "status": now.status, "inputs": inputs, "children": children,
        "equation": text("100 × Σ|估算 − 核算| / Σ 核算，单元为地区 × 行业 × 领域",
                          "100 × Σ|estimate − count| / Σ count, over cells of place, sector and domain"),
        "filled": f"100 × {tonnes(sums['selected'])} / {tonnes(whole)}",
    }  # fmt: skip


def _cell_error(
    now: cities.City, k: int, t: int, found: dict[str, Any], whole: float, book: Classification, tree: str, city: str,
    family: str,
) -> Node:  # fmt: skip
    place, sector, domain = now.cells[k]
    truth, guess = float(now.direct[k, t]), float(found["selected"][k, 0])
    question = {"month": month_text(now.months[t]), "place": place, "sector": sector, "domain": domain, "tree": tree,
                "part": "direct", "as_of": now.as_of.isoformat(), "city": city, **options(family, "none")}  # fmt: skip
    area = named_code(book.places, place)
    name = {lang: f"{area[lang]} · {book.domains.name(domain, lang) if domain else '—'}" for lang in ("zh", "en")}
    return line(name, 100 * abs(guess - truth) / whole if whole else 0.0, "%", now.status,
                 filled=f"|{tonnes(guess)} − {tonnes(truth)}| / {tonnes(whole)}",
                 question={key: value for key, value in question.items() if value})  # fmt: skip


def score_node(workspace: Any, place: str, day: date | None, tree: str, family: str, *, month: str) -> Node:
    """How far the first estimate of a month was from what was counted in the end."""
    first = span_of(month).start
    now = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
    back = (now.months[-1].year - first.year) * 12 + now.months[-1].month - first.month + 1
    told = revisions.vintages(workspace, place=place, months=max(back, 1), as_of=now.as_of, tree=tree, family=family)
    row = next((one for one in told["rows"] if one["month"] == month and one["score"]), None)
    if row is None:
        raise Refused(Problem("nowcast.no-such-figure", value=month))
    score, estimates = row["score"], row["estimates"]
    counted = next(one for one in estimates if one["low"] is None)
    question = {"month": month, "place": place, "tree": tree, "city": place, **options(family)}
    inputs = [
        line(text("首次估算", "first estimate"), score["first"], "tCO2", told["status"],
              question={**question, "as_of": next(one for one in estimates if one["low"] is not None)["as_of"]}),
        line(text("报齐后的核算", "counted in full"), score["truth"], "tCO2", told["status"],
              question={**question, "as_of": counted["as_of"]}),
        line(text("上年同月", "the month a year before"), counted["last_year"], "tCO2", told["status"],
              question={**question, "month": month_text(first.replace(year=first.year - 1)),
                        "as_of": counted["as_of"], **({} if counted["alike"] else {"reconcile": "none"})}),
        line(text("沿用上年同月的偏差", "error of the month a year before"), score["last_value_error_percent"], "%",
              told["status"]),
    ]  # fmt: skip
    return {
        "title": text("首次估算的偏差", "error of the first estimate"), "period": month, "as_of": told["as_of"],
        "value": score["error_percent"], "unit": "%", "status": told["status"], "inputs": inputs, "about": [],
        "equation": text("100 × (首次估算 / 核算 − 1)", "100 × (first estimate / count − 1)"),
        "filled": f"100 × ({tonnes(score['first'])} / {tonnes(score['truth'])} − 1)",
    }  # fmt: skip
