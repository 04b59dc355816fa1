"""Open how good estimates were: errors of the replay down to cells, the score of a first estimate."""

from datetime import date
from typing import Any, NamedTuple

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import record, revisions
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.opened.nodes import NONE, Node, asks, line, options, span_of, text, times, tonnes
from dualcarbon.nowcast.present import grouped, named_code
from dualcarbon.nowcast.usual import FAMILY


class Judged(NamedTuple):
    """A replay of which all cells, or those `mine` (N,), are asked about; `question` opens it."""

    replay: record.Replay
    mine: np.ndarray
    question: Node

    @property
    def now(self) -> cities.City:
        return self.replay.seen

    @property
    def known(self) -> np.ndarray:
        """The cells and months (N, M) that were counted, of those asked about."""
        return self.replay.known & self.mine[:, None]

    def gap(self, name: str) -> Array:
        """How far the `selected` method or the `last_value` was off each cell and month (N, M), t CO2."""
        return np.where(self.known, np.abs(self.replay.cells()[name] - self.replay.counted()), 0.0)

    @property
    def whole(self) -> float:
        """What was counted (t CO2) of what had to be estimated."""
        return float(np.where(self.known, self.replay.counted(), 0.0).sum())


def error_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, month: str | None = None,
    sector: str | None = None, state: str | None = None, late: int | None = None, power_late: int | None = None,
    level: str | None = None,
) -> Node:  # fmt: skip
    """An error of the replay: of all months, of a month, of a sector, or of a sector in a month by its cells; with the
    `level` "total" of the whole place, in all months or in one.

    `state`: "electricity" where the month's electricity was in hand, "nothing" where nothing of it was (default: as in
    the month that is shown); `late`, `power_late`: how many months fuels and electricity were. The replay uses the data
    known on `day`, with later months hidden; what was in fact said at the time is in the revisions.
    """
    now = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
    book = load(workspace.pack)
    t = record.shown(now)
    usual = record.lateness(now, t)
    state = state or record.state(now, t)
    choices = (
        (state, text("资料到达情形", "state"), tuple(record.STATES)),
        (level, text("层次", "level"), (None, "total")),
    )
    for given, what, known in choices:
        if given not in known:
            params = {"what": what, "known": "、".join(one for one in known if one)}
            raise Refused(Problem("nowcast.unknown-choice", value=str(given), params=params))
    late, dark = late or usual[0], (power_late or max(usual[1], 1)) if state == "nothing" else 0
    span = [s for s in record.replayable(now, max(late, dark)) if not month or month_text(now.months[s]) == month]
    if not span:
        raise Refused(Problem("nowcast.no-such-figure", value=month or now.place))
    mine = np.array([not sector or asks(sector, cell[1]) for cell in now.cells])
    replay = record.replayed(now, span, late, dark)
    question = {"kind": "error", "place": place, "as_of": now.as_of.isoformat(), "tree": tree, **replay.asks(),
                **options(family)}  # fmt: skip
    made = Judged(replay, mine, question)
    if not made.known.any():
        raise Refused(Problem("nowcast.no-such-figure", value=sector or now.place))
    made_of = _total_error(made, book, month) if level else _cell_errors(made, book, month, sector)
    return {"period": month, "as_of": now.as_of, "status": now.status, "unit": "%", **made_of}


def _cell_errors(made: Judged, book: Classification, month: str | None, sector: str | None) -> Node:
    """The error of cells, in all or of a part of them."""
    now, question = made.now, made.question
    gap = made.gap("selected")
    if month and sector:
        guess = made.replay.cells()["selected"][:, 0]
        children = [_cell_error(made, k, guess, book) for k in np.nonzero(made.known[:, 0])[0].tolist()]
    elif sector or not month:
        names = [month_text(now.months[t]) for t in made.replay.months]
        asked = {**question, "sector": sector} if sector else question
        children = [_part(made, text(name, name), gap[:, n].sum(), question={**asked, "month": name})
                    for n, name in enumerate(names)]  # fmt: skip
    else:
        asked = {**question, "month": month}
        children = [_part(made, named_code(book.sectors, code or NONE), gap[cells].sum(),
                          question={**asked, "sector": code or NONE})
                    for (code,), cells in grouped(now, [1])]  # fmt: skip
    if month:
        children.sort(key=lambda one: -one["value"])
    sums = {name: float(made.gap(name).sum()) for name in ("selected", "last_value")}
    what = text("燃料与购入电力", "fuels and electricity") if made.replay.power_late else text("燃料", "fuels")
    return {
        "title": _titled("回放误差：单元的", "replayed error of cells: ", what),
        "about": [*([named_code(book.sectors, sector)] if sector else []), _known(made)],
        "value": 100 * sums["selected"] / made.whole if made.whole else None,
        "inputs": _compared(made, sums), "children": children,
        "equation": text("100 × Σ|估算 − 核算| / Σ 核算，单元为地区 × 行业 × 领域；用现有数据估算，遮去当时未到的月份",
                          "100 × Σ|estimate − count| / Σ count, over cells of place, sector and domain; estimated from "
                          "the data of today with later months hidden"),
        "filled": f"100 × {tonnes(sums['selected'])} / {tonnes(made.whole)}",
    }  # fmt: skip


def _titled(zh: str, en: str, what: dict[str, str]) -> dict[str, str]:
    return text(zh + what["zh"], en + what["en"])


def _known(made: Judged) -> dict[str, str]:
    return record.title(made.replay.late, made.replay.power_late, made.replay.sole)


def _part(made: Judged, name: dict[str, str], gap: float, **more: Any) -> Node:
    """A part's share of the error, in the same percent as the whole."""
    return line(name, 100 * float(gap) / made.whole if made.whole else 0.0, "%", made.now.status, **more)


def _compared(made: Judged, sums: dict[str, float]) -> list[Node]:
    """The same error of the last value, the skill against it, and how often the intervals held."""
    cells = made.replay.cells()["inside"]
    inside = cells[np.isfinite(cells) & made.known & (made.replay.counted() > 0)]
    held = float(inside.sum()), inside.size
    return _against(made, sums["selected"], sums["last_value"], made.whole, held)


def _against(made: Judged, error: float, last: float, whole: float, held: tuple[float, int]) -> list[Node]:
    status = made.now.status
    return [
        line(text("沿用上年同月的误差", "error of the month a year before"), 100 * last / whole if whole else None, "%",
             status, filled=f"100 × {tonnes(last)} / {tonnes(whole)}"),
        line(text("相对沿用上年同月的技巧", "skill against it"), 100 * (1 - error / last) if last else None, "%",
             status, filled=f"100 × (1 − {tonnes(error)} / {tonnes(last)})"),
        line(text("名义 90% 区间的实际覆盖", "held by the 90% interval"),
             100 * held[0] / held[1] if held[1] else None, "%", status,
             filled=f"100 × {int(held[0]):,} / {held[1]:,}"),
    ]  # fmt: skip


def _cell_error(made: Judged, k: int, guesses: Array, book: Classification) -> Node:
    now, t = made.now, made.replay.months[0]
    place, sector, domain = now.cells[k]
    truth, guess = float(made.replay.counted()[k, 0]), float(guesses[k])
    asked = {**_month_asked(made, t), "place": place, "sector": sector, "domain": domain,
             "part": None if made.replay.power_late else "direct"}  # fmt: skip
    area = named_code(book.places, place)
    name = {lang: f"{area[lang]} · {book.domains.name(domain, lang) if domain else '—'}" for lang in ("zh", "en")}
    return _part(made, name, abs(guess - truth), filled=f"|{tonnes(guess)} − {tonnes(truth)}| / {tonnes(made.whole)}",
                 question={key: value for key, value in asked.items() if value})  # fmt: skip


def _month_asked(made: Judged, t: int) -> Node:
    """What opens month number `t` as it was counted."""
    kept: Node = {name: made.question[name] for name in ("place", "as_of", "tree", "family") if name in made.question}
    return {**kept, "month": month_text(made.now.months[t]), "city": kept["place"], **options(FAMILY, "none")}


def _total_error(made: Judged, book: Classification, month: str | None) -> Node:
    """The error of the whole place, in all months or in one of them by its sectors."""
    rows, status = made.replay.totals(), made.now.status
    question = {**made.question, "level": "total"}
    about = {"title": text("回放误差：合计（直接与间接）", "replayed error of the total, direct and indirect"),
             "about": [_known(made)]}  # fmt: skip
    if month:
        return {**about, **_total_month(made, rows[0], book)}
    error, last = (sum(abs(row[name] - row["truth"]) for row in rows) for name in ("value", "last_value"))
    whole = sum(row["truth"] for row in rows)
    held = [row["inside"] for row in rows if row["inside"] is not None]
    children = [
        line(text(row["month"], row["month"]), 100 * abs(row["value"] - row["truth"]) / whole if whole else 0.0, "%",
             status, filled=_month_filled(row), question={**question, "month": row["month"]})
        for row in rows
    ]  # fmt: skip
    inputs = [*_against(made, error, last, whole, (sum(held), len(held))),
              line(text("落在 90% 区间内的月数", "months inside the 90% interval"), sum(held), "", status)]  # fmt: skip
    return {
        **about, "value": 100 * error / whole if whole else None,
        "inputs": inputs, "children": children,
        "equation": text("100 × Σ|估算 − 核算| / Σ 核算，逐月相加；估算是显示的合计，含已核算的部分；用现有数据估算，"
                         "遮去当时未到的月份",
                         "100 × Σ|estimate − count| / Σ count, over months; the estimate is the total that is shown, "
                         "with what was counted in it; made from the data of today with later months hidden"),
        "filled": f"100 × {tonnes(error)} / {tonnes(whole)}",
    }  # fmt: skip


def _month_filled(row: dict[str, Any]) -> str:
    """A month's estimate against its count, and whether the interval held it."""
    made = f"|{tonnes(row['value'])} − {tonnes(row['truth'])}|"
    if row["inside"] is None:
        return made
    ends = f"[{tonnes(row['low'])}, {tonnes(row['high'])}]"
    return f"{made}, {tonnes(row['truth'])} {'∈' if row['inside'] else '∉'} {ends}"


def _total_month(made: Judged, row: dict[str, Any], book: Classification) -> Node:
    """A month's total against its count; parts are the sectors, whose errors partly cancel."""
    now, t, status, truth = made.now, made.replay.months[0], made.now.status, row["truth"]
    off = np.where(made.known[:, 0], made.replay.cells()["selected"][:, 0] - made.replay.counted()[:, 0], 0.0)
    children = [
        line(named_code(book.sectors, code or NONE), 100 * float(off[cells].sum()) / truth if truth else 0.0, "%",
             status, question={**made.question, "month": row["month"], "sector": code or NONE})
        for (code,), cells in grouped(now, [1])
    ]  # fmt: skip
    inputs = [
        line(text("估算", "estimate"), row["value"], "tCO2", status,
             filled="" if row["low"] is None else f"90%: {tonnes(row['low'])} – {tonnes(row['high'])}"),
        line(text("核算", "count"), truth, "tCO2", status, question=_month_asked(made, t)),
        line(text("沿用上年同月", "month a year ago"), row["last_value"], "tCO2", status,
             filled=f"100 × ({tonnes(row['last_value'])} / {tonnes(truth)} − 1)"),
    ]  # fmt: skip
    value = 100 * (row["value"] / truth - 1) if truth else None
    return {
        "value": value, "inputs": inputs, "children": sorted(children, key=lambda one: -abs(one["value"])),
        "equation": text("100 × (估算 / 核算 − 1)；下列各行业的偏差相加即此数，正负相抵",
                         "100 × (estimate / count − 1); deviations of the sectors below sum to it and partly cancel"),
        "filled": f"100 × ({tonnes(row['value'])} / {tonnes(truth)} − 1)",
    }  # fmt: skip


def score_node(workspace: Any, place: str, day: date | None, tree: str, family: str, *, month: str) -> Node:
    """How far the first estimate of a month was from what was counted in the end."""
    first = span_of(month).start
    now = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
    row = revisions.scored(workspace, now, first, place, tree, family)
    if row is None:
        raise Refused(Problem("nowcast.no-such-figure", value=month))
    score, estimates, status = row["score"], row["estimates"], now.status
    counted = next(one for one in estimates if one["low"] is None)
    guess = next(one for one in estimates if one["low"] is not None)
    before = guess if guess["last_year"] else counted
    question = {"month": month, "place": place, "tree": tree, "city": place, **options(family)}
    past = {**question, "month": month_text(first.replace(year=first.year - 1)), "as_of": before["as_of"],
            **({} if before["alike"] else {"reconcile": "none"})}  # fmt: skip
    inputs = [
        line(text("首次估算", "first estimate"), score["first"], "tCO2", status,
              question={**question, "as_of": guess["as_of"]}),
        line(text("报齐后的核算", "counted in full"), score["counted"], "tCO2", status,
              question={**question, "as_of": counted["as_of"]}),
        line(text("上年同月（首次估算时所知）", "the month a year before, as known at the first estimate"),
             score["last_value"], "tCO2", status, question=past),
        line(text("其间公布的因子使核算变动", "what factors published in between moved the count by"), score["factors"],
             "tCO2", status),
        line(text("按首次估算时的因子核算", "counted with the factors of the first estimate"), score["truth"], "tCO2",
             status, filled=f"{tonnes(score['counted'])} − ({tonnes(score['factors'])})"),
        line(text("沿用上年同月的偏差", "error of the month a year before"), score["last_value_error_percent"], "%",
             status, filled=f"100 × ({tonnes(score['last_value'] or 0)} / {tonnes(score['truth'])} − 1)"),
    ]  # fmt: skip
    return {
        "title": text("首次估算的偏差", "error of the first estimate"), "period": month, "as_of": now.as_of,
        "value": score["error_percent"], "unit": "%", "status": status, "inputs": inputs, "about": [],
        "equation": text("100 × (首次估算 / 按同样因子的核算 − 1)",
                          "100 × (first estimate / count with the same factors − 1)"),
        "filled": f"100 × ({tonnes(score['first'])} / {tonnes(score['truth'])} − 1)",
        "children": _by_factors(workspace, place, tree, family, first, guess["as_of"], counted["as_of"]),
    }  # fmt: skip


def _by_factors(workspace: Any, place: str, tree: str, family: str, month: date, then: str, now: str) -> list[Node]:
    """The count of a month by part with the factors of an earlier day, and what later ones made of it."""
    both = revisions.recounted(workspace, place, tree, family)(month, date.fromisoformat(now), date.fromisoformat(then))
    if not both:
        return []
    names = {"direct": text("燃料", "fuels"), "indirect": text("购入电力", "purchased electricity")}
    question = {"month": month_text(month), "place": place, "tree": tree, "city": place, "as_of": now,
                **options(family, "none")}  # fmt: skip
    return [
        line(names[part], both[1][part], "tCO2", None, question={**question, "part": part},
             filled=times(both[1][part], both[0][part]))
        for part in names
    ]  # fmt: skip
