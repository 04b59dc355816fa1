"""Open what moved a figure between two periods: an effect of the decomposition."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import why
from dualcarbon.nowcast.decompose import logarithmic_mean
from dualcarbon.nowcast.opened.nodes import Node, line, number, options, text, tonnes
from dualcarbon.nowcast.opened.weather_nodes import weather_of_sector
from dualcarbon.nowcast.present import named_code


def effect_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, effect: str | None = None,
    sector: str | None = None, period: str | None = None, against: str | None = None, month: str | None = None,
) -> Node:  # fmt: skip
    """One effect of the decomposition, of all sectors or of one; or one sector's change by effects.

    The effect `weather` of a sector opens by month, and with a `month` by area.
    """
    made = why.compared(workspace, place, period, against, day, tree, family)
    book = load(workspace.pack)
    later, earlier = (periods.text(*made.spans[when]) for when in ("after", "before"))
    asked = {"kind": "effect", "place": made.place, "period": later, "against": earlier,
             "as_of": made.as_of.isoformat(), "tree": tree, **options(family)}  # fmt: skip
    head: Node = {"period": later, "against": earlier, "as_of": made.as_of, "unit": "tCO2", "status": made.status}
    if effect not in why.TITLES and (effect or not sector):
        params = {"what": text("因素", "effect"), "known": "、".join(why.TITLES)}
        raise Refused(Problem("nowcast.unknown-choice", value=effect or "—", params=params))
    if sector and sector not in made.sectors:
        raise Refused(Problem("nowcast.no-such-figure", value=sector))
    if effect == "weather" and sector:
        return head | weather_of_sector(made, sector, month, book, asked)
    if effect and sector:
        return head | _effect_of_sector(made, effect, sector, book, asked, tree)
    if sector:
        parts = why.by_effect(made.sectors[sector], made.carriers)
        children = [
            line(why.TITLES[name], value, "tCO2", made.status, question={**asked, "effect": name, "sector": sector})
            for name, value in parts.items()
        ]
        equation = text("各因素的作用合计等于变动", "the effects sum to the change")
        about, title = [named_code(book.sectors, sector)], text("排放变动", "change of CO2")
    else:
        children = []
        for code, one in made.sectors.items():
            value = why.by_effect(one, made.carriers).get(str(effect))
            if value is not None:
                name = named_code(book.sectors, code) if code else text("未分行业", "no sector")
                question = {**asked, "effect": effect, "sector": code} if code else None
                children.append(line(name, value, "tCO2", made.status, question=question))
        equation = text("各行业的作用相加（加法 LMDI-I）", "the effects of the sectors added up (additive LMDI-I)")
        about, title = [], why.TITLES[str(effect)]
    children.sort(key=lambda one: -abs(one["value"]))
    value = float(sum(one["value"] for one in children))
    terms = [f"({tonnes(one['value'], True)})" for one in children]
    filled = f"{' + '.join(terms[:7])}{' + …' if len(terms) > 7 else ''} = {tonnes(value, True)}"
    return head | {"title": title, "about": about, "value": value, "equation": equation, "filled": filled,
                   "children": children}  # fmt: skip


def _effect_of_sector(
    made: why.Compared, effect: str, sector: str, book: Classification, asked: Node, tree: str
) -> Node:
    parts = made.sectors[sector]
    found = next(((row, mine) for name, row, mine in why.effect_rows(parts, made.carriers) if name == effect), None)
    if effect == "scope" and parts.scope != (0.0, 0.0):
        return _scope_of_sector(made, sector, book, asked)
    if found is None:
        raise Refused(Problem("nowcast.no-such-figure", value=effect))
    row, mine = found
    old, new = parts.before.prod(0), parts.after.prod(0)
    weight = logarithmic_mean(new, old)
    children, used = [], [int(j) for j in np.nonzero(mine & ((old > 0) | (new > 0)))[0]]
    for j in used:
        a, b, value = parts.before[row, j], parts.after[row, j], float(parts.made[row, j])
        smooth = old[j] > 0 and new[j] > 0
        how = f"{tonnes(weight[j])} × ln({number(b, 6)} / {number(a, 6)})" if smooth else f"{tonnes(new[j] - old[j])}"
        children.append(line(named_code(book.carriers, made.carriers[j]), value, "tCO2", made.status,
                              filled=f"{how} = {tonnes(value, True)}"))  # fmt: skip
    inputs = []
    for n, (when, period) in enumerate((("before", asked["against"]), ("after", asked["period"]))):
        name = text(f"{period} 该行业二氧化碳", f"CO2 of the sector in {period}")
        total = float(old.sum() if when == "before" else new.sum() + parts.weather.sum()) + parts.scope[n]
        inputs.append(line(name, total, "tCO2", made.status, question=_sum_of(asked, period, sector=sector)))
        if when == "after" and parts.weather.any():
            name = text(f"{period} 其中气温造成的", f"of it in {period}, what the weather made")
            inputs.append(line(name, float(parts.weather.sum()), "tCO2", made.status,
                               question={**asked, "effect": "weather", "sector": sector}))  # fmt: skip
        if parts.scope[n]:
            name = text(f"{period} 其中没有可比数的部分", f"of it in {period}, what has nothing to compare with")
            inputs.append(line(name, parts.scope[n], "tCO2", made.status, question={**asked, "effect": "scope",
                                                                                     "sector": sector}))  # fmt: skip
        if effect in ("activity", "structure", "intensity"):
            inputs += _added(made, sector, when, period, book, asked, tree)
    words = {
        "activity": ("各有增加值行业的增加值合计", "value added of all sectors that have any"),
        "structure": ("该行业占增加值合计的比重", "the sector's share of that value added"),
        "intensity": ("该行业单位增加值用能", "the sector's energy per value added"),
        "own_energy": ("居民用能", "the households' energy"),
        "unmeasured_energy": ("该行业用能", "the sector's energy"),
        "mix": ("该品种占行业用能的比重", "the carrier's share of the sector's energy"),
        "grid_factor": ("单位电量（按热值）的二氧化碳", "CO2 per unit of electricity, by its heat"),
        "fuel_factor": ("单位热值燃料的二氧化碳", "CO2 per unit of the fuel's heat"),
    }[effect]
    value = float(parts.made[row][mine].sum())
    form = "Σ L(C₁, C₀) × ln(x₁ / x₀)"
    mean = "L(a, b) = (a − b) / ln(a / b)"
    fair = (
        ("（本期按对比期气温）", " (the later period with the weather of the earlier)")
        if parts.weather.any()
        else ("", "")
    )
    equation = text(
        f"{form}，{mean}；C 是各品种二氧化碳{fair[0]}，x 是{words[0]}",
        f"{form}, {mean}; C is CO2 by carrier{fair[1]}, x is {words[1]}",
    )
    filled = " + ".join(f"({tonnes(one['value'], True)})" for one in children) or "0"
    return {"title": why.TITLES[effect], "about": [named_code(book.sectors, sector)], "value": value, "inputs": inputs,
            "equation": equation, "filled": f"{filled} = {tonnes(value, True)}", "children": children}  # fmt: skip


def _sum_of(asked: Node, period: str, **about: str) -> Node:
    """What opens the months of a period added up, before official totals move them."""
    kept: Node = {name: asked[name] for name in ("place", "as_of", "tree", "family") if name in asked}
    return {**kept, "kind": "sum", "city": asked["place"], "period": period, "reconcile": "none", **about}


def _added(
    made: why.Compared, sector: str, when: str, period: str, book: Classification, asked: Node, tree: str
) -> list[Node]:
    """Value added of a sector in a period; by area where some do not cover both periods, and so are left out."""
    own = made.added.rows.filter((pl.col("when") == when) & (pl.col("sector") == sector))
    item = made.added.item
    if item is None or own.is_empty():
        return []
    zh, en, unit = f"{period} 该行业增加值", f"value added of the sector in {period}", _unit(book, item)
    query = {"item": item, "place": made.place, "sector": sector, "period": period, "tree": tree,
             "known_at": asked["as_of"]}  # fmt: skip
    if not made.left and not any(code == sector for _, code in made.added.left):
        return [line(text(zh, en), float(own["value"].sum()), unit, made.status, query=query)]
    rows = []
    for place, value in own.select("place", "value").iter_rows():
        name = named_code(book.places, place)
        rows.append(line(text(f"{zh}：{name['zh']}", f"{en}: {name['en']}"), value, unit, made.status,
                         query={**query, "place": place}))  # fmt: skip
    return rows


def _unit(book: Classification, item: str) -> str:
    return str((book.items.row(item) or {}).get("unit", ""))


def _scope_of_sector(made: why.Compared, sector: str, book: Classification, asked: Node) -> Node:
    """The change of a sector in areas, or cells, that have nothing to be compared with."""
    inputs, children = [], []
    for (place, code), pair in made.apart.items():
        if code != sector or pair == (0.0, 0.0):
            continue
        name = named_code(book.places, place)
        for value, period in zip(pair, (asked["against"], asked["period"]), strict=True):
            question = _sum_of(asked, period, place=place, sector=sector)
            inputs.append(line(text(f"{period} {name['zh']}", f"{name['en']} in {period}"), value, "tCO2", made.status,
                               question=question))  # fmt: skip
        children.append(line(name, pair[1] - pair[0], "tCO2", made.status,
                             filled=f"{tonnes(pair[1])} − {tonnes(pair[0])}"))  # fmt: skip
    value = float(sum(one["value"] for one in children))
    filled = " + ".join(f"({tonnes(one['value'], True)})" for one in children) or "0"
    equation = text("没有可比数的地区：本期 − 对比期", "areas with nothing to compare with: later less earlier period")
    return {"title": why.TITLES["scope"], "about": [named_code(book.sectors, sector)], "value": value,
            "inputs": inputs, "equation": equation, "filled": f"{filled} = {tonnes(value, True)}",
            "children": children}  # fmt: skip
