"""Open how good estimates were: errors of the replay down to cells, the score of a first estimate."""

from datetime import date
from typing import Any, NamedTuple

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import board, months, revisions
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.nodes import Node, line, options, span_of, text, tonnes
from dualcarbon.nowcast.present import grouped, named_code
from dualcarbon.nowcast.shape import Array


class Replayed(NamedTuple):
    """Months (numbers) of a city replayed: what was `known` of them (N, M) of the cells asked about, and how far the
    chosen method and the last value were off it (`gap`, t CO2)."""

    now: cities.City
    months: list[int]
    found: dict[str, Array]
    known: np.ndarray
    gap: dict[str, Array]

    @property
    def whole(self) -> float:
        """What was counted (t CO2)."""
        return float(np.where(self.known, self.now.direct[:, self.months], 0.0).sum())

    def part(self, name: dict[str, str], rows: np.ndarray, columns: list[int], **more: Any) -> Node:
        """A part's share of the error, in the same percent as the whole."""
        value = 100 * float(self.gap["selected"][rows][:, columns].sum()) / self.whole if self.whole else 0.0
        return line(name, value, "%", self.now.status, **more)


def error_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, month: str | None = None,
    sector: str | None = None,
) -> Node:  # fmt: skip
    """An error of the replay: of all months, of a month, of a sector, or of a sector in a month by its cells.

    The replay uses the data known on `day`, with later months hidden; what was in fact said at the time is in the
    revisions.
    """
    now = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
    book = load(workspace.pack)
    made = _replayed(now, month, sector)
    question = {"kind": "error", "place": place, "as_of": now.as_of.isoformat(), "tree": tree, **options(family)}
    if month and sector:
        children = [_cell_error(made, k, book, tree, place, family) for k in np.nonzero(made.known[:, 0])[0].tolist()]
    elif sector or not month:
        children = _by_month(made, {**question, "sector": sector} if sector else question)
    else:
        children = _by_sector(made, {**question, "month": month}, book)
    if month:
        children.sort(key=lambda one: -one["value"])
    sums = {name: float(values.sum()) for name, values in made.gap.items()}
    return {
        "title": text("回放误差（燃料数据晚一个月）", "replayed error (fuels a month late)"), "period": month,
        "about": [named_code(book.sectors, sector)] if sector else [], "as_of": now.as_of,
        "value": 100 * sums["selected"] / made.whole if made.whole else None, "unit": "%", "status": now.status,
        "inputs": _compared(made, sums), "children": children,
        "equation": text("100 × Σ|估算 − 核算| / Σ 核算，单元为地区 × 行业 × 领域；用现有数据估算，遮去当时未到的月份",
                          "100 × Σ|estimate − count| / Σ count, over cells of place, sector and domain; estimated from "
                          "the data of today with later months hidden"),
        "filled": f"100 × {tonnes(sums['selected'])} / {tonnes(made.whole)}",
    }  # fmt: skip


def _replayed(now: cities.City, month: str | None, sector: str | None) -> Replayed:
    """The last twelve months replayed, or one `month`, of all cells or of a `sector`. Raises Refused without any."""
    asked = [t for t in board.replayable(now) if not month or month_text(now.months[t]) == month]
    if not asked:
        raise Refused(Problem("nowcast.no-such-figure", value=month or now.place))
    found = months.replay(now.direct, now.power, asked, 1, now.places, now.sectors, now.terms)
    truth = now.direct[:, asked]
    mine = np.array([not sector or cell[1] == sector for cell in now.cells])
    known = np.isfinite(truth) & mine[:, None]
    if not known.any():
        raise Refused(Problem("nowcast.no-such-figure", value=sector or now.place))
    gap = {name: np.where(known, np.abs(found[name] - truth), 0.0) for name in ("selected", "last_value")}
    return Replayed(now, asked, found, known, gap)


def _by_month(made: Replayed, question: Node) -> list[Node]:
    whole = np.ones(len(made.now.cells), bool)
    names = [month_text(made.now.months[t]) for t in made.months]
    return [
        made.part(text(when, when), whole, [n], question={**question, "month": when}) for n, when in enumerate(names)
    ]


def _by_sector(made: Replayed, question: Node, book: Classification) -> list[Node]:
    every = list(range(len(made.months)))
    return [
        made.part(named_code(book.sectors, code), mine, every, question={**question, "sector": code})
        for (code,), mine in grouped(made.now, [1]) if code
    ]  # fmt: skip


def _compared(made: Replayed, sums: dict[str, float]) -> list[Node]:
    """The same error of the month a year before, the skill against it, and how often the intervals held."""
    truth, status = made.now.direct[:, made.months], made.now.status
    inside = made.found["inside"][np.isfinite(made.found["inside"]) & made.known & (truth > 0)]
    last, whole = sums["last_value"], made.whole
    return [
        line(text("沿用上年同月的误差", "error of the month a year before"), 100 * last / whole if whole else None, "%",
             status, filled=f"100 × {tonnes(last)} / {tonnes(whole)}"),
        line(text("相对沿用上年同月的技巧", "skill against it"),
             100 * (1 - sums["selected"] / last) if last else None, "%", status,
             filled=f"100 × (1 − {tonnes(sums['selected'])} / {tonnes(last)})"),
        line(text("名义 90% 区间的实际覆盖", "held by the 90% interval"),
             100 * float(np.mean(inside)) if inside.size else None, "%", status,
             filled=f"100 × {int(inside.sum()):,} / {inside.size:,}"),
    ]  # fmt: skip


def _cell_error(made: Replayed, k: int, book: Classification, tree: str, city: str, family: str) -> Node:
    now, t = made.now, made.months[0]
    place, sector, domain = now.cells[k]
    truth, guess = float(now.direct[k, t]), float(made.found["selected"][k, 0])
    question = {"month": month_text(now.months[t]), "place": place, "sector": sector, "domain": domain, "tree": tree,
                "part": "direct", "as_of": now.as_of.isoformat(), "city": city, **options(family, "none")}  # fmt: skip
    area = named_code(book.places, place)
    name = {lang: f"{area[lang]} · {book.domains.name(domain, lang) if domain else '—'}" for lang in ("zh", "en")}
    return line(name, 100 * abs(guess - truth) / made.whole if made.whole else 0.0, "%", now.status,
                 filled=f"|{tonnes(guess)} − {tonnes(truth)}| / {tonnes(made.whole)}",
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
