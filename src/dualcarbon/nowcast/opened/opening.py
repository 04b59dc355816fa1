"""Open a figure of the quick-calc: what of it was counted (by the engine, down to the rows) and how the rest was made.

A figure of several cells opens into its parts, which sum to it. A single cell (area and sector) opens into its counted
fuels and electricity, each a node of the engine's explanation, or into its estimate: last value, method, growth of each
indicator with its slope, interval and past error.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import runs
from dualcarbon.nowcast import account, settling, uncertainty
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import ended, month_text
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.officials import described
from dualcarbon.nowcast.opened.nodes import NONE, asks, coded, options
from dualcarbon.nowcast.opened.terms import TERMS
from dualcarbon.nowcast.present import MODEL, behind, grouped, named_code, opened, year_before
from dualcarbon.nowcast.record import lateness, state
from dualcarbon.nowcast.settling import Settled
from dualcarbon.nowcast.usual import FAMILY, RECONCILE

PARTS = {"direct": {"zh": "燃料燃烧（非发电）", "en": "Fuels burned other than for power"},
         "indirect": {"zh": "购入电力（间接）", "en": "Purchased electricity (indirect)"}}  # fmt: skip
TITLE = {"zh": "二氧化碳（速算）", "en": "CO2 (quick-calc)"}


def open_figure(
    workspace: Any = None,
    *,
    month: str | None = None,
    place: str | None = None,
    sector: str | None = None,
    domain: str | None = None,
    part: str | None = None,
    as_of: date | str | None = None,
    tree: str = "admin",
    family: str = FAMILY,
    reconcile: str = RECONCILE,
    run: str | None = None,
    city: str | None = None,
) -> dict[str, Any]:
    """The node of a figure: {value, low, high, status, parts, children, estimate, counted …} as its cells allow.

    `city`: the place whose areas were estimated together (default: the parent that holds `place`). `reconcile`: how
    cells were moved to meet official totals; `reconciliation` names those that hold any of the cells, and `settled`
    says before × factor = after. `uncertainty` is that of factors and data. `missing` are its rows without a factor,
    `factors` those borrowed for it. `run`: a kept run, whose place, month, day and options count. Raises Refused where
    nothing answers to the question.
    """
    workspace = opened(workspace)
    version = None
    if run:
        kept = workspace.run(run)
        if kept is None or kept.get("kind") != "nowcast":
            raise Refused(Problem("engine.no-run", value=run))
        month, tree, family, city = kept["month"], kept["tree"], kept["family"], kept["place"]
        as_of, reconcile, version = kept["as_of"], kept["reconcile"], kept["workspace_version"]
        place = place or kept["place"]
    day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    above = city or cities.pool(book, code, tree)
    wanted = _month(month or "")
    last = date(wanted.year, 12, 1)
    year = cities.read(workspace, as_of=day, until=last, place=above, tree=tree, family=family, version=version)
    if wanted not in year.months:
        raise Refused(Problem("nowcast.too-short", value=month_text(wanted)))
    t = year.months.index(wanted)
    done = settling.settle(workspace, year, [t], above, tree=tree, family=family, method=reconcile)
    seen = done.seen.upto(t)
    if part not in (None, *PARTS):
        raise Refused(Problem("nowcast.unknown-part", value=part, params={"known": "、".join(PARTS)}))
    sector, domain = coded(book, {"sector": sector, "domain": domain}).values()
    asked = {"place": None if code == above else code, "sector": sector, "domain": domain}
    mine = np.array([all(map(asks, asked.values(), cell)) for cell in seen.cells])
    if not mine.any():
        raise Refused(Problem("nowcast.no-such-figure", value="、".join(v for v in asked.values() if v)))
    node = _head(done, t, mine, part, book, place=code, sector=sector, domain=domain, tree=tree, city=above, run=run)
    question = {"month": node["month"], "as_of": seen.as_of.isoformat(), "tree": tree, "city": above,
                **options(family, reconcile)}  # fmt: skip
    if run:
        question = {"run": run}
    earlier = {"place": code, "sector": sector, "domain": domain, "part": part, "as_of": seen.as_of.isoformat(),
               "tree": tree, "city": above, "month": node["before"]["month"],
               **options(family, reconcile if node["alike"] else "none")}  # fmt: skip
    late, power_late = lateness(seen, t)
    node["past_errors"] = {"kind": "error", "place": above, "as_of": seen.as_of.isoformat(), "tree": tree,
                           "state": state(seen, t), "late": late, **({"power_late": power_late} if power_late else {}),
                           **options(family)}  # fmt: skip
    node["before"]["question"] = {key: value for key, value in earlier.items() if value}
    single = sector is not None and len({cell[0] for k, cell in enumerate(seen.cells) if mine[k]}) == 1
    single = single and (code != above or len({cell[0] for cell in seen.cells}) == 1)
    named = {"place": code, "sector": sector, "domain": domain}
    which = {**question, **{name: given for name, given in named.items() if given}}
    node["parts"] = [
        _part(workspace, done, t, name, mine, which, tree, family, book if single else None)
        for name in PARTS
        if part in (None, name)
    ]
    node["children"] = [] if single else _children(done, t, mine, book, node, question)
    node["uncertainty"] = None
    if not (part or node["official"]) and node["value"] is not None:
        asked = {"as_of": seen.as_of.isoformat(), "tree": tree, "city": above, **options(family, reconcile),
                 **{name: given for name, given in named.items() if given}}  # fmt: skip
        node["uncertainty"] = uncertainty.of(workspace, done.seen, [t], mine, node["value"], book, asked)
    return node | behind(done.seen, [t], mine, part, book)


def _head(
    done: Settled, t: int, mine: np.ndarray, part: str | None, book: Any, *, place: str, sector: str | None,
    domain: str | None, tree: str, city: str, run: str | None,
) -> dict[str, Any]:  # fmt: skip
    """What a figure is and comes to, without its parts."""
    seen = done.seen
    node: dict[str, Any] = {
        "item": "emission.co2", "place": place, "place_name": named_code(book.places, place), "sector": sector,
        "domain": domain, "part": part, "month": month_text(seen.months[t]), "as_of": seen.as_of, "tree": tree,
        "city": city, "unit": "tCO2", "status": done.status, "model": MODEL, "run": run, "title": TITLE,
        "rows": [], "rows_total": 0, "withheld": 0, **account.named(book),
    }  # fmt: skip
    for name, codes in (("sector", book.sectors), ("domain", book.domains)):
        node[f"{name}_name"] = named_code(codes, node[name]) if node[name] else None
    node |= done.figure(t, mine)
    then = year_before(done, t)
    if then is not None and not then.like[mine].all():  # what grew is told by the causes of growth, like with like
        node |= dict.fromkeys(("change", "change_percent"))
    before, after = (dict(zip(PARTS, both, strict=True)) for both in (done.before(t), done.parts(t)))
    names = [part] if part else list(PARTS)
    old, new = (float(sum(both[name].value[mine].sum() for name in names)) for both in (before, after))
    if part:
        node |= ended([after[part]], mine) | dict.fromkeys(("last_year", "change", "change_percent"))
        node["lacking"] = bool(seen.lacking(t, part)[mine].any())
        node["complete"] = node["counted_share"] >= 1 and not node["lacking"]
    dimensions = {"item": node["item"], "place": place, "period": node["month"], "sector": sector, "domain": domain}
    node["dimensions"] = {name: value for name, value in dimensions.items() if value}
    month = month_text(date(seen.months[t].year - 1, seen.months[t].month, 1))
    node["before"] = {"month": month, "value": None if part else node["last_year"]}
    node["reconciliation"] = done.told(t, mine)
    official = done.exact(t, t + 1, mine)
    node["official"] = described(official, seen.as_of) if official and not part else None
    node["settled"] = _moved(old, new) if t in done.moved and node["reconciliation"] else None
    if node["lacking"] and not node["value"]:
        node["value"] = None
    return node


def _moved(old: float, new: float) -> dict[str, float | None]:
    return {"before": old, "factor": new / old if old else None, "after": new}


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text[:7]}-01")
    except ValueError as error:
        raise Refused(Problem("nowcast.bad-period", value=text)) from error


def _part(
    workspace: Any, done: Settled, t: int, name: str, mine: np.ndarray, question: dict[str, Any], tree: str,
    family: str, single: Any,
) -> dict[str, Any]:  # fmt: skip
    """One part of a figure: counted and estimated CO2; of a single cell (where `single` is the pack's classification)
    also where both come from, before official totals moved it."""
    seen = done.seen
    given, made = (dict(zip(PARTS, both, strict=True))[name] for both in (done.before(t), done.parts(t)))
    guess = mine & ~made.counted
    told: dict[str, Any] = {
        "part": name, "title": PARTS[name], "value": float(made.value[mine].sum()),
        "counted": float(made.value[mine & made.counted].sum()), "estimated": float(made.value[guess].sum()),
        "cells": int(mine.sum()), "cells_estimated": int(guess.sum()), "question": {**question, "part": name},
        "node": None, "estimate": [], "width": _width(made, guess), "settled": None,
        "lacking": bool(seen.lacking(t, name)[mine].any()),
    }  # fmt: skip
    if told["lacking"] and not told["value"]:
        told["value"] = None
    if done.touched(t, mine):
        told["settled"] = {
            **_moved(float(given.value[mine].sum()), float(made.value[mine].sum())),
            "counted": _moved(float(given.value[mine & made.counted].sum()), told["counted"]),
            "estimated": _moved(float(given.value[guess].sum()), told["estimated"]),
        }
    if single is None:
        return told
    if (mine & made.counted).any() and (given.value[mine & made.counted].sum() or told["lacking"]):
        method, where = cities.PARTS[name]
        rows = seen.recorded(question["place"])
        sector = None if question.get("sector") == NONE else question.get("sector")
        where = {**where, **rows["where"], **_of_cell(seen, mine, question, single)}
        told["node"] = runs.explain(
            "emission.co2", workspace=workspace, method=method, place=rows["place"], sector=sector,
            period=month_text(seen.months[t]), where=where, tree=tree, family=family, known_at=seen.as_of,
            pack=workspace.pack, borrow=True,
        )  # fmt: skip
    asked = {"kind": "term", "month": month_text(seen.months[t]), "as_of": seen.as_of.isoformat(), "tree": tree,
             "city": seen.place, "part": name, **options(family)}  # fmt: skip
    told["estimate"] = [estimate(seen, t, given, int(k), name, asked) for k in np.nonzero(guess)[0]]
    return told


def _of_cell(seen: City, mine: np.ndarray, question: dict[str, Any], book: Any) -> dict[str, Any]:
    """What sets the rows of a cell apart from those of its sector: no sector, or one domain of several."""
    where: dict[str, Any] = {"sector": ""} if question.get("sector") == NONE else {}
    if question.get("domain"):
        (place, sector, domain) = seen.cells[int(np.nonzero(mine)[0][0])]
        others = sorted({cell[2] for cell in seen.cells if cell[:2] == (place, sector) and cell[2] != domain})
        usual = (book.sectors.row(sector) or {}).get("domain", "") if sector else ""
        where["domain"] = {"not": others} if domain == usual else domain
    return where


def _width(made: Month, guess: np.ndarray) -> dict[str, float] | None:
    """What the half-width (in logarithms) of a part's interval is made of: errors that cells share add up, their own
    add in quadrature; both hold 90 %."""
    value = np.where(guess, made.value, 0.0)
    total = float(value.sum())
    if not total:
        return None
    own = float(np.sqrt(((made.own * value) ** 2).sum()))
    return {"shared": made.shared, "own": own / total, "half": float(np.hypot(made.shared, own / total))}


def estimate(seen: City, t: int, made: Month, k: int, part: str, asked: dict[str, Any]) -> dict[str, Any]:
    """How cell `k` was estimated: last value × exp(growth), and what the growth is made of; `asked` is what opens its
    terms, besides the cell."""
    method = made.methods()[k]
    terms: list[dict[str, Any]] = []
    growth = float(np.log(made.value[k] / made.start[k])) if made.value[k] > 0 and made.start[k] > 0 else 0.0
    if method == "ridge" and made.model is not None:
        model = made.model
        z = np.clip((made.features[k] - model.centre) / model.scale, -4, 4)
        slopes = model.slopes + (model.own[seen.groups[k]] if model.own is not None else 0.0)
        terms.append({"name": "level", "title": TERMS["level"], "growth": None, "slope": None,
                      "effect": float(model.level)})  # fmt: skip
        for n, name in enumerate(made.names):
            terms.append({"name": name, "title": TERMS[name], "growth": float(made.features[k, n]),
                          "slope": float(slopes[n] / model.scale[n]), "effect": float(z[n] * slopes[n])})  # fmt: skip
    elif method not in ("last_value", "recent_mean"):
        name = {"electricity_ratio": "electricity", "recent_growth": "recent"}[method]
        moved = float(made.features[k, made.names.index(name)])
        terms.append({"name": name, "title": TERMS[name], "growth": moved, "slope": 1.0, "effect": moved})
    place, sector, domain = seen.cells[k]
    for term in terms:
        if term["name"] != "level":
            term["question"] = {**asked, "about": term["name"], "place": place, "sector": sector or NONE,
                                "domain": domain or NONE}  # fmt: skip
    width = float(np.sqrt(made.shared**2 + made.own[k] ** 2))
    year_ago = t >= 12 and getattr(seen, part)[k, t - 12] > 0
    return {
        "domain": seen.cells[k][2], "value": float(made.value[k]), "method": method, "start": float(made.start[k]),
        "start_month": month_text(seen.months[t - 12]) if year_ago else None, "growth": growth, "terms": terms,
        "low": float(made.value[k] * np.exp(-width)), "high": float(made.value[k] * np.exp(width)),
        "past_error_against_last_value": made.record.get(method),
    }  # fmt: skip


def _children(
    done: Settled, t: int, mine: np.ndarray, book: Any, node: dict[str, Any], question: dict[str, Any]
) -> list[dict[str, Any]]:
    """The parts of a figure of many cells: by area, else by sector; they sum to it."""
    seen = done.seen
    parts = dict(zip(PARTS, done.parts(t), strict=True))
    column = 0 if node["place"] == node["city"] and len({cell[0] for cell in seen.cells}) > 1 else 1
    codes: Sequence[Any] = (book.places, book.sectors)
    made = []
    for (code,), whole in grouped(seen, [column]):
        chosen = mine & whole
        if not chosen.any():
            continue
        one = done.figure(t, chosen)
        if node["part"]:
            one |= {**ended([parts[node["part"]]], chosen), "change_percent": None}
            one["lacking"] = bool(seen.lacking(t, node["part"])[chosen].any())
        if not one["value"]:
            if not one["lacking"]:
                continue
            one["value"] = None
        asked = {**question, "place": node["place"], "sector": node["sector"], "domain": node["domain"],
                 "part": node["part"], ("place", "sector")[column]: code or NONE}  # fmt: skip
        name = named_code(codes[column], code or NONE)
        kept = {key: one[key] for key in ("value", "low", "high", "counted_share", "change_percent", "lacking")}
        kept |= {"item": "emission.co2", "unit": "tCO2", "status": done.status,
                 "complete": one["counted_share"] >= 1 and not one["lacking"],
                 "title": name, "rows_total": 0, "dimensions": {("place", "sector")[column]: code}}  # fmt: skip
        made.append({"code": code, "name": name, **kept, "question": {k: v for k, v in asked.items() if v}})
    return sorted(made, key=lambda one: -(one["value"] or 0.0))
