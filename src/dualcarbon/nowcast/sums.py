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
from dualcarbon.nowcast import officials, revisions
from dualcarbon.nowcast.figures import estimated, figure, month_text
from dualcarbon.nowcast.nodes import Node, line, span_of, text, tonnes
from dualcarbon.nowcast.present import named_code


def added_up(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, part: str | None = None, city: str | None = None,
) -> Node:  # fmt: skip
    """The months of a period added up; errors of the months are taken as shared among them, the wider reading."""
    span = span_of(period)
    book = load(workspace.pack)
    above = city or cities.above(book, place, tree)
    until = max(date(span.end.year - (span.end.month == 1), 12, 1), span.start)
    full = cities.read(workspace, as_of=day, until=until, place=above, tree=tree, family=family)
    wanted = (None if place == above else place, sector, domain)
    mine = np.array([all(not want or cell[k] == want for k, want in enumerate(wanted)) for cell in full.cells])
    inside = [t for t, month in enumerate(full.months) if span.start <= month < span.end]
    if not mine.any() or not inside or full.months[inside[0]] != span.start:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"as_of": full.as_of.isoformat(), "tree": tree, "city": above, "place": place, "sector": sector,
             "domain": domain, "part": part}  # fmt: skip
    made = [figure(full, t, *estimated(full.upto(t)), mine) for t in inside]
    values = [one[part] if part else one["value"] for one in made]
    ends = {
        end: float(sum(one["value"] if one[end] is None else one[end] for one in made))
        for end in ("low", "high")
        if not part and any(one[end] is not None for one in made)
    }
    children = [
        line(
            text(month, month),
            value,
            "tCO2",
            full.status,
            counted_share=one["counted_share"],
            question={"month": month, **{k: v for k, v in asked.items() if v}},
        )
        for month, one, value in zip([month_text(full.months[t]) for t in inside], made, values, strict=True)
    ]
    titles = [named_code(codes, code) for codes, code in ((book.sectors, sector), (book.domains, domain)) if code]
    return {
        "title": text("二氧化碳累计（速算）", "CO2 added up (quick-calc)"), "about": titles, "period": period,
        "as_of": full.as_of, "value": float(sum(values)), "unit": "tCO2", "status": full.status, **ends,
        "equation": text("各月相加；各月的误差按同向计，区间偏宽",
                          "the months added up; their errors are taken as shared, which is the wider reading"),
        "filled": f"{' + '.join(tonnes(v) for v in values)} = {tonnes(sum(values))}", "children": children,
        "direct": float(sum(one["direct"] for one in made)), "indirect": float(sum(one["indirect"] for one in made)),
    }  # fmt: skip


def target_node(workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str) -> Node:
    """The year's target against the months added up."""
    whole = added_up(workspace, place, day, tree, family, period=period)
    year = span_of(period).start.year
    seen = cities.read(workspace, as_of=whole["as_of"], place=place, tree=tree, family=family)
    aim = officials.target(officials.read(workspace, seen, place), place, year)
    if aim is None:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"place": place, "as_of": whole["as_of"].isoformat(), "tree": tree, "period": period}
    query = {"item": aim.item, "place": place, "period": str(year), "tree": tree, "dataset": aim.dataset}
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
    told = next((one for one in revisions.years(workspace, now, place) if str(one["year"]) == period[:4]), None)
    if told is None:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"place": place, "as_of": now.as_of.isoformat(), "tree": tree}
    query = {"item": officials.TOTAL, "place": place, "period": str(told["year"]), "tree": tree,
             "dataset": told["dataset"]}  # fmt: skip
    children = [
        line(text(one["month"], one["month"]), one["after"], "tCO2", told["status"],
             filled=f"{tonnes(one['before'])} × {one['after'] / one['before']:.4f}" if one["before"] else "",
             question={**asked, "month": one["month"], "city": place})
        for one in told["months"]
    ]  # fmt: skip
    return {
        "title": text("官方总数与各月合计", "the official total and the months"), "period": period, "about": [],
        "as_of": now.as_of, "value": told["error_percent"], "unit": "%", "status": told["status"],
        "equation": text("100 × (各月合计 / 官方总数 − 1)；各月按 Denton–Cholette 重新定标，合计等于官方总数",
                         "100 × (months / official total − 1); Denton–Cholette moves the months to sum to the total"),
        "filled": f"100 × ({tonnes(told['estimated'])} / {tonnes(told['official'])} − 1)",
        "inputs": [line(text("各月合计", "the months added up"), told["estimated"], "tCO2", now.status,
                        question={**asked, "kind": "sum", "period": str(told["year"])}),
                   line(text("官方总数", "the official total"), told["official"], "tCO2", told["status"],
                        query=query)],
        "children": children,
    }  # fmt: skip


def bridge_node(workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str) -> Node:
    """From the quick-calc of a period, as it stood, to the consumption account as it stands today, heat left out."""
    parts = {"direct": text("燃料燃烧（非发电）", "fuels burned other than for power"),
             "indirect": text("购入电力", "purchased electricity")}  # fmt: skip
    then, now = (added_up(workspace, place, when, tree, family, period=period) for when in (day, date.today()))
    asked = {"kind": "sum", "place": place, "tree": tree, "period": period}
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
    first = then["value"]
    moved = [now[part] - then[part] for part in parts]
    value = first + sum(moved) + (own["value"] or 0.0)
    return {
        "title": text("碳账户（消费侧）不含跨界热力", "consumption account without heat across the boundary"),
        "about": [], "period": period, "as_of": then["as_of"], "value": value, "unit": "tCO2",
        "status": then["status"], "inputs": steps, "query": query,
        "equation": text(
            "当时的速算 + 燃料的更正 + 电网因子和用电的更正 + 自发自用电力；碳账户再加区外购入热力、减供区外热力",
            "the quick-calc as it stood + corrections of fuels + new grid factors and corrections of electricity"
            " + self-generated electricity; the account adds imported and takes off exported heat",
        ),
        "filled": f"{tonnes(first)} + ({tonnes(moved[0], True)}) + ({tonnes(moved[1], True)})"
                  f" + {tonnes(own['value'] or 0.0)} = {tonnes(value)}",
    }  # fmt: skip
