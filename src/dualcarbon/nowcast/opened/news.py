"""Open what an arrival of data or factors did to the estimate of a month: by area, sector, part, down to both estimates
of a cell, each with what was known on its side of the arrival."""

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import arrivals
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.opened.nodes import NONE, Node, asks, line, number, options, span_of, text, tonnes
from dualcarbon.nowcast.opened.opening import PARTS, estimate
from dualcarbon.nowcast.opened.terms import term_node
from dualcarbon.nowcast.present import named_code
from dualcarbon.nowcast.usual import FAMILY

#: Rows of observations that a node shows.
ROWS = 30
NAMES = {"revision": text("更正与新因子", "corrections and new factors"), "weather": text("气象数据", "weather"),
         "electricity": text("用电数据", "electricity"), "fuel": text("燃料数据", "fuels")}  # fmt: skip
STATES = {"before": text("收到前的估算", "estimate before it"), "after": text("收到后的估算", "estimate after it")}
#: In which unit `terms.term_node` has a term of the weather, and how many of it one of the estimate is; others: %.
UNITS = {name: ("degree_day", 1000.0) for name in ("heating", "cooling")}


class Known(NamedTuple):
    """What was known of a city at one point: `day`, where that was all that was known on a day; which cells (N,) were
    `heard` of, `parts` of these cells alone (direct, indirect), and each part's estimate by cell, `values` (2, N)."""

    seen: City
    day: date | None
    heard: np.ndarray
    parts: tuple[Month, Month]
    values: Array


def _known(seen: City, day: date | None = None) -> Known:
    heard, parts = arrivals.of_heard(seen)
    values = np.zeros((2, len(heard)))
    for row, part in zip(values, parts, strict=True):
        row[heard] = part.value
    return Known(seen, day, heard, parts, values)


def news_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, before: date | str, arrival: str,
    about: str, month: str, after: date | str | None = None, sector: str | None = None, domain: str | None = None,
    part: str | None = None, city: str | None = None, state: str | None = None,
) -> Node:  # fmt: skip
    """What one arrival did to the estimate of a month, by area, sector and part, with the rows and factors that became
    known after the day `before` and no later than `after` (default: `day`); with a `state` the estimate on that side of
    the arrival. `rows` are those of the cells and the part themselves, none where only others moved them. `city`: the
    place whose areas are estimated together. Raises Refused for an arrival that there was none of."""
    since, day = (date.fromisoformat(one) if isinstance(one, str) else one for one in (before, after or day))
    assert since is not None
    if day is not None and day <= since:
        raise Refused(Problem("nowcast.days-turned", value=day.isoformat(), params={"before": since.isoformat()}))
    for given, choices in ((state, STATES), (part, PARTS)):
        if given and given not in choices:
            raise Refused(Problem("nowcast.unknown-part", value=given, params={"known": "、".join(choices)}))
    book, first = load(workspace.pack), span_of(month).start
    pool = cities.pool(book, place, tree)
    above = city or pool
    new, taken, arrived = arrivals.steps(workspace, since, day, first, place if above == pool else above, tree, family)
    place_in = next((n for n, (step, _) in enumerate(taken) if (step.kind, step.about) == (arrival, about)), 0)
    if not place_in:
        known = "、".join(f"{one.kind} {one.about}" for one, _ in taken[1:]) or "—"
        params = {"what": text("新到数据", "arrival"), "known": known}
        raise Refused(Problem("nowcast.unknown-choice", value=f"{arrival} {about}", params=params))
    step, last = taken[place_in][0], len(taken) - 1
    then, now = (_known(taken[n][1], {0: since, last: new.as_of}.get(n)) for n in (place_in - 1, place_in))
    mine = arrivals.within(now.seen, place)
    mine &= np.array([asks(sector, cell[1]) and asks(domain, cell[2]) for cell in now.seen.cells])
    if not mine.any():
        raise Refused(Problem("nowcast.no-such-figure", value=sector or place))
    asked: Node = {"month": month, "place": place, "sector": sector, "domain": domain, "part": part, "tree": tree,
                   "city": above, "as_of": new.as_of.isoformat(), **options(family)}  # fmt: skip
    asked = {name: given for name, given in asked.items() if given}
    ours = {"kind": "news", "before": since.isoformat(), "arrival": arrival, "about": about}
    chosen = [n for n, name in enumerate(PARTS) if part in (None, name)]
    node: Node = {"about": [*_named(book, sector, domain, part), text("、".join(step.months), ", ".join(step.months))],
                  "as_of": new.as_of, "period": month, "unit": "tCO2", "status": new.status}  # fmt: skip
    if state:
        one = then if state == "before" else now
        value = float(one.values[chosen][:, mine].sum())
        node |= {"kind": "sum", "title": STATES[state], "value": value}  # a level, no change
        if part and mine.sum() == 1:
            ends = [_known(seen, day) for (_, seen), day in ((taken[0], since), (taken[-1], new.as_of))]
            return node | _cell(workspace, one, ends, chosen[0], int(np.nonzero(mine)[0][0]), asked)
        children = _children(book, now.seen.cells, mine, one.values, {**asked, **ours, "state": state}, new.status)
        equation = text("各部分相加", "the parts added up")
        return node | {"children": children, "equation": equation, "filled": f"Σ = {tonnes(value)}"}
    totals = [float(one.values[chosen][:, mine].sum()) for one in (then, now)]
    inputs = [
        line(STATES[name], total, "tCO2", new.status, **_opens(one, mine, asked, {**ours, "state": name}))
        for (name, total, one) in zip(STATES, totals, (then, now), strict=True)
    ]
    replaced = arrivals.factors_replaced(workspace, step, since, new, place, tree, family)
    for change in replaced:
        for side in (change["before"], change["after"]):
            filled = f"{side['value']:g} {side['unit']} · {side['source']}"
            inputs.append(line(side["title"], side["value"], side["unit"], side["status"], filled=filled))
    if replaced:
        node["message"] = {lang: " ".join(one["message"][lang] for one in replaced) for lang in ("zh", "en")}
    own = _own(arrived, now.seen.cells, mine, step, part)
    rows, count = _largest(workspace, own)
    moved = totals[1] - totals[0]
    return node | {
        "title": NAMES[arrival], "value": moved, "inputs": inputs, "replaced": replaced,
        "known_at": arrivals.known_at(step, own, replaced) or arrivals.known_at(step, arrived),
        "equation": text(
            "收到这批数据后的估算 − 收到前的估算（先更正，再气象，再用电，再燃料，逐批计入）",
            "the estimate with these arrivals less without (corrections, weather, electricity, fuels in turn)",
        ),
        "filled": f"{tonnes(totals[1])} − {tonnes(totals[0])} = {tonnes(moved, True)}",
        "children": _children(book, now.seen.cells, mine, now.values - then.values, {**asked, **ours}, new.status),
        "rows": rows, "rows_total": count,
    }  # fmt: skip


def _named(book: Classification, sector: str | None, domain: str | None, part: str | None) -> list[dict[str, str]]:
    named = [named_code(codes, given) for codes, given in ((book.sectors, sector), (book.domains, domain)) if given]
    return [*named, PARTS[part]] if part else named


def _opens(one: Known, mine: np.ndarray, asked: Node, ours: Node) -> Node:
    """What opens the estimate of the cells `mine`: the figure of a day, where all that was known on it is in there."""
    if not one.heard[mine].any():
        return {}
    if one.day is None:
        return {"question": {**asked, **ours}}
    return {"question": {**asked, "as_of": one.day.isoformat(), "reconcile": "none"}}


def _children(
    book: Classification, cells: list[tuple[str, str, str]], mine: np.ndarray, values: Array, asked: Node, status: str
) -> list[Node]:
    """The sum of the `values` (2, N) of the cells `mine`, parted by area, else sector, domain, else part; what has
    none is left out. `asked` opens the sum."""
    names = ("place", "sector", "domain")
    held = [sorted({cells[k][n] for k in np.nonzero(mine)[0]}) for n in range(3)]
    chosen = [n for n, name in enumerate(PARTS) if asked.get("part") in (None, name)]
    column = next((n for n, codes in enumerate(held) if len(codes) > 1), None)
    made = []
    if column is None:
        split = PARTS.items() if len(chosen) > 1 else ()
        made = [
            line(title, float(values[n, mine].sum()), "tCO2", status, question={**asked, "part": name})
            for n, (name, title) in enumerate(split)
        ]
    else:
        codes = (book.places, book.sectors, book.domains)[column]
        for code in held[column]:
            own = mine & np.array([cell[column] == code for cell in cells])
            value = float(values[chosen][:, own].sum())
            question = {**asked, names[column]: code or NONE}
            made.append(line(named_code(codes, code or NONE), value, "tCO2", status, question=question))
    return sorted((one for one in made if one["value"]), key=lambda one: -abs(one["value"]))


def _cell(workspace: Any, one: Known, ends: list[Known], n: int, k: int, asked: Node) -> Node:
    """Part number `n` of cell `k`, as counted or as estimated; numbers open as known on the day (of the two `ends`) on
    which they were just these."""
    if not one.heard[k]:
        return {
            "equation": text("该单元尚无数据，不计", "nothing of the cell was known yet: not counted"),
            "filled": "0",
        }
    name, seen, t = list(PARTS)[n], one.seen, len(one.seen.months) - 1
    made, j = one.parts[n], int(one.heard[:k].sum())

    def figure(s: int) -> Node:
        """The question of the cell's figure of month number `s`, where a day had just this."""
        value = getattr(seen, name)[k, s]
        for end in ends:
            if np.isclose(getattr(end.seen, name)[k, s], value, rtol=1e-9, atol=0.0):
                assert end.day is not None
                month = seen.months[s].isoformat()[:7]
                return {"question": {**asked, "month": month, "as_of": end.day.isoformat(), "reconcile": "none"}}
        return {}

    if made.counted[j]:
        value = float(made.value[j])
        inputs = [line(text("已核算", "counted"), value, "tCO2", seen.status, **figure(t))]
        return {"equation": text("已报送，按因子核算", "reported, and counted by its factors"), "inputs": inputs,
                "filled": tonnes(value)}  # fmt: skip
    told = estimate(seen.of(one.heard), t, made, j, name, {})
    start = {"zh": f"起点：{told['start_month'] or '最近三个月的平均'}",
             "en": f"start: {told['start_month'] or 'the mean of the last three months'}"}  # fmt: skip
    opens = figure(t - 12) if told["start_month"] else {}
    inputs = [line(start, told["start"], "tCO2", seen.status, **opens)]
    for term in told["terms"]:
        growth, effect = term["growth"], f"Δln = {number(term['effect'])}"
        if growth is None:
            inputs.append(line(term["title"], None, "%", seen.status, filled=effect))
            continue
        unit, scale = UNITS.get(term["name"], ("%", 100.0))
        opens = _term(workspace, scale * growth, [end.day for end in ends], {**asked, "about": term["name"]})
        filled = f"β = {number(term['slope'])}, {effect}"
        inputs.append(line(term["title"], scale * growth, unit, seen.status, filled=filled, **opens))
    return {
        "inputs": inputs, "method": told["method"],
        "equation": text("起点 × exp(各依据对增速的作用之和)",
                         "start × exp(the effects of the terms on growth, added up)"),
        "filled": f"{tonnes(told['start'])} × exp({number(told['growth'])}) = {tonnes(told['value'])}",
    }  # fmt: skip


def _term(workspace: Any, value: float, days: list[date | None], asked: Node) -> Node:
    """The question of a term of an estimate, as known on the first of the `days` that has this `value` of it."""
    given = {name: asked[name] for name in ("month", "about", "sector", "domain", "part", "city") if name in asked}
    for day in days:
        try:
            node = term_node(workspace, asked["place"], day, asked["tree"], asked.get("family", FAMILY), **given)
        except Refused:
            continue
        if day and np.isclose(node["value"], value, rtol=1e-9, atol=1e-9):
            return {"question": {**asked, "kind": "term", "as_of": day.isoformat()}}
    return {}


def _own(
    rows: pl.DataFrame, cells: list[tuple[str, str, str]], mine: np.ndarray, step: arrivals.Step, part: str | None
) -> pl.DataFrame:
    """Of the `rows` that arrived those that a step takes in of the cells `mine` and of a part; the weather is of all
    cells, and the electricity of a cell also of its fuels, which are estimated by it."""
    rows = arrivals.of_step(rows, step)
    held = pl.DataFrame(
        [cells[k] for k in np.nonzero(mine)[0]], schema=dict.fromkeys(("area", "sector", "domain"), pl.String),
        orient="row",
    )  # fmt: skip
    found = rows.join(held, on=held.columns, how="semi")
    if part and (part, step.kind) != ("direct", "electricity"):
        found = found.filter(pl.col("part") == part)
    return pl.concat([found, rows.filter(pl.col("part") == "")])


def _largest(workspace: Any, rows: pl.DataFrame) -> tuple[list[Node], int]:
    """The largest of the `rows`, and how many there are."""
    statuses = {one["id"]: one.get("status") for one in workspace.datasets()}
    names = ("entity", "place", "sector", "carrier", "item", "start", "end", "value", "unit", "dataset", "source",
             "sheet", "row", "known_at")  # fmt: skip
    largest = rows.sort("value", "place", "start", "row", descending=[True, False, False, False]).head(ROWS)
    made = []
    for one in largest.select(names).iter_rows(named=True):
        period = periods.text(one.pop("start"), one.pop("end"))
        made.append({**one, "sector": one["sector"] or None, "period": period, "status": statuses[one["dataset"]]})
    return made, rows.height
