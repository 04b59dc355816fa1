"""Open what months add up to: a period, the gap to the year's target, an official total of the year,
the way to the carbon account."""

import contextlib
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import runs
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import officials, revisions, settling
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.opened.nodes import Node, asks, line, options, span_of, text, times, tonnes
from dualcarbon.nowcast.present import behind, named_code
from dualcarbon.nowcast.usual import RECONCILE


def added_up(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, part: str | None = None, city: str | None = None, reconcile: str = RECONCILE,
) -> Node:  # fmt: skip
    """The months of a period added up; errors of the months are taken as shared among them, the wider reading."""
    span = span_of(period)
    book = load(workspace.pack)
    above = city or cities.pool(book, place, tree)
    until = max(date(span.end.year - (span.end.month == 1), 12, 1), span.start)
    full = cities.read(workspace, as_of=day, until=until, place=above, tree=tree, family=family)
    inside = [t for t, month in enumerate(full.months) if span.start <= month < span.end]
    if not inside or full.months[inside[0]] != span.start:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    done = settling.settle(workspace, full, inside, above, tree=tree, family=family, method=reconcile)
    wanted = (None if place == above else place, sector, domain)
    mine = np.array([all(map(asks, wanted, cell)) for cell in done.seen.cells])
    if not mine.any():
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"as_of": full.as_of.isoformat(), "tree": tree, "city": above, "place": place, "sector": sector,
             "domain": domain, "part": part, **options(family, reconcile)}  # fmt: skip
    made = done.summed(inside, mine)
    values = [one[part or "value"] for one in made["months"].values()]
    children = [
        line(
            text(month, month),
            None if one["lacking"] and not value else value,
            "tCO2",
            done.status,
            counted_share=one["counted_share"],
            question={"month": month, **{k: v for k, v in asked.items() if v}},
        )
        for month, one, value in zip(
            [month_text(full.months[t]) for t in inside], made["months"].values(), values, strict=True
        )
    ]
    titles = [named_code(codes, code) for codes, code in ((book.sectors, sector), (book.domains, domain)) if code]
    return {
        "title": text("二氧化碳累计（速算）", "CO2 added up (quick-calc)"), "about": titles, "period": period,
        "as_of": full.as_of, "value": None if made["lacking"] and not sum(values) else float(sum(values)),
        "unit": "tCO2", "status": done.status, "complete": made["complete"],
        **({} if part else {end: made[end] for end in ("low", "high")}),
        "equation": text("各月相加；各月的误差按同向计，区间偏宽",
                          "the months added up; their errors are taken as shared, which is the wider reading"),
        "filled": None if made["lacking"] and not sum(values) else
        f"{' + '.join(tonnes(v) for v in values)} = {tonnes(sum(values))}", "children": children,
        **behind(done.seen, inside, mine, part, book),
        "inputs": _official_lines(done, inside, mine), "direct": made["direct"], "indirect": made["indirect"],
    }  # fmt: skip


def _official_lines(done: settling.Settled, inside: list[int], mine: np.ndarray) -> list[Node]:
    """The official totals that moved any of these months and cells, by how much they moved what they hold."""
    if done.whole is not None:
        return _official_lines(done.whole, [t + done.seen.offset for t in inside], done.widened(mine))
    made = []
    for one in done.totals:
        if not (one.cells & mine).any() or not any(one.first <= t < one.end for t in inside):
            continue
        told = officials.described(one.one, done.seen.as_of)
        before, after = (
            float(sum(of(t)[one.cells].sum() for t in range(one.first, one.end))) for of in (done.unmoved, done.cells)
        )
        name = text(f"官方总数 {told['period']}", f"official total {told['period']}")
        made.append(line(name, one.one.value, "tCO2", one.one.status, query=told["query"], filled=times(before, after)))
    return made


def aimed(
    workspace: Any, place: str, day: date | None, tree: str, family: str, period: str, city: str | None
) -> tuple[Node, officials.Official, dict[str, Any]]:
    """The months of a period added up, the target of its year, and the question of the sum. Raises Refused where there
    is no target."""
    whole = added_up(workspace, place, day, tree, family, period=period, city=city)
    year = span_of(period).start.year
    seen = cities.read(workspace, as_of=whole["as_of"], place=place, tree=tree, family=family)
    aim = officials.target(officials.read(workspace, seen, place), place, year)
    if aim is None:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"place": place, "as_of": whole["as_of"].isoformat(), "tree": tree, "period": period, **options(family),
             **({"city": city} if city else {})}  # fmt: skip
    return whole, aim, asked


def target_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, city: str | None = None
) -> Node:
    """The year's target against the months added up."""
    whole, aim, asked = aimed(workspace, place, day, tree, family, period, city)
    query = {**officials.described(aim, whole["as_of"])["query"], "tree": tree}
    gap = whole["value"] - aim.value
    return {
        "title": text("与年度目标的差距", "gap to the year's target"), "period": period, "as_of": whole["as_of"],
        "value": gap, "unit": "tCO2", "status": whole["status"], "about": [],
        "equation": text("累计 − 目标（正数为超出）", "added up less the target (positive: beyond it)"),
        "filled": f"{tonnes(whole['value'])} − {tonnes(aim.value)} = {tonnes(gap, True)}",
        "inputs": [line(whole["title"], whole["value"], "tCO2", whole["status"], question={"kind": "sum", **asked}),
                   line(text("年度目标", "the year's target"), aim.value, "tCO2", aim.status, query=query)],
    }  # fmt: skip


def official_node(workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str) -> Node:
    """A year's official total against what the months said, and the months moved to meet it (Denton–Cholette)."""
    now = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
    found = revisions.years(workspace, now, place, tree, family)
    told = next((one for one in found if str(one["year"]) == period[:4]), None)
    if told is None:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"place": place, "as_of": now.as_of.isoformat(), "tree": tree, "city": place, **options(family)}
    query = {"item": officials.TOTAL, "place": place, "period": str(told["year"]), "tree": tree,
             "dataset": told["dataset"], "known_at": now.as_of.isoformat()}  # fmt: skip
    children = [
        line(text(one["month"], one["month"]), one["after"], "tCO2", told["status"],
             filled=times(one["before"], one["after"]), question={**asked, "month": one["month"]})
        for one in told["months"]
    ]  # fmt: skip
    filled = f"100 × ({tonnes(told['estimated'])} / {tonnes(told['official'])} − 1)"
    return {
        "title": text("官方总数与各月合计", "the official total and the months"), "period": str(told["year"]),
        "about": [], "as_of": now.as_of, "value": told["error_percent"], "unit": "%", "status": told["status"],
        "equation": text("100 × (各月合计 / 官方总数 − 1)；各月按 Denton–Cholette 重新定标，合计等于官方总数",
                         "100 × (months / official total − 1); Denton–Cholette moves the months to sum to the total"),
        "filled": filled if told["error_percent"] is not None else "",
        "inputs": [line(text("各月合计", "the months added up"), told["estimated"], "tCO2", now.status,
                        question={**asked, "kind": "sum", "period": str(told["year"]), "reconcile": "none"}),
                   line(text("官方总数", "the official total"), told["official"], "tCO2", told["status"],
                        query=query)],
        "children": children,
    }  # fmt: skip


def bridge_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, city: str | None = None
) -> Node:
    """From the quick-calc of a period, as it stood, to the consumption account as it stands today, heat left out.

    What is unallocated in a city has no account of its own, and is refused.
    """
    if place.endswith(cities.UNALLOCATED):
        raise Refused(Problem("nowcast.no-such-figure", value=place))
    parts = {"direct": text("燃料燃烧（非发电）", "fuels burned other than for power"),
             "indirect": text("购入电力", "purchased electricity")}  # fmt: skip
    shown = added_up(workspace, place, day, tree, family, period=period, city=city)
    plain: dict[str, Any] = {"period": period, "city": city, "reconcile": "none"}
    then = added_up(workspace, place, day, tree, family, **plain) if shown["inputs"] else shown
    now = added_up(workspace, place, date.today(), tree, family, **plain)
    asked = {"kind": "sum", "place": place, "tree": tree, "period": period, **options(family, "none"),
             **({"city": city} if city else {})}  # fmt: skip
    words = ((then, text("当时", "then")), (now, text("按今天已知", "with what is known today")))
    steps = []
    for part, name in parts.items():
        for one, when in words:
            named = {lang: f"{name[lang]}{'：' if lang == 'zh' else ': '}{when[lang]}" for lang in name}
            steps.append(line(named, one[part], "tCO2", one["status"],
                              question={**asked, "part": part, "as_of": one["as_of"].isoformat()}))  # fmt: skip
    own: Node = {"value": None, "status": None}
    with contextlib.suppress(Refused):  # nobody generates electricity for himself
        own = runs.explain(
            "emission.co2", workspace=workspace, method="cn.electricity.self", place=place, period=period, tree=tree,
            where={"process": {"not": ["pv", "wind", "hydro", "nuclear"]}}, family=family, pack=workspace.pack,
        )  # fmt: skip
    query = {"item": "emission.co2", "basis": "B", "place": place, "period": period, "tree": tree}
    steps.append(line(text("自发自用电力（不含可再生能源）", "self-generated electricity used, renewables excluded"),
                      own["value"], "tCO2", own["status"], query={**query, "part": "self_generated"}))  # fmt: skip
    first, official = shown["value"], then["value"] - shown["value"]
    moved = [now[part] - then[part] for part in parts]
    value = first + official + sum(moved) + (own["value"] or 0.0)
    off = f" + ({tonnes(official, True)})" if shown["inputs"] else ""
    return {
        "title": text("碳账户（消费侧）不含跨界热力", "consumption account without heat across the boundary"),
        "about": [], "period": period, "as_of": then["as_of"], "value": value, "unit": "tCO2",
        "status": then["status"], "inputs": [*steps, *shown["inputs"]], "query": query,
        "equation": text(
            f"当时的速算{' + 撤去官方总数的移动' if off else ''} + 燃料的更正 + 电网因子和用电的更正 + 自发自用电力；"
            "碳账户再加区外购入热力、减供区外热力",
            f"the quick-calc as it stood{' + what official totals moved, taken back' if off else ''} + corrections of"
            " fuels + new grid factors and corrections of electricity + self-generated electricity; the account adds"
            " imported and takes off exported heat",
        ),
        "filled": f"{tonnes(first)}{off} + ({tonnes(moved[0], True)}) + ({tonnes(moved[1], True)})"
                  f" + {tonnes(own['value'] or 0.0)} = {tonnes(value)}",
    }  # fmt: skip
