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
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import months, officials
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import estimated, figure, month_text
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.present import MODEL, named_code, opened

PARTS = {"direct": {"zh": "燃料燃烧（非发电）", "en": "Fuels burned other than for power"},
         "indirect": {"zh": "购入电力（间接）", "en": "Purchased electricity (indirect)"}}  # fmt: skip
TITLE = {"zh": "二氧化碳（速算）", "en": "CO2 (quick-calc)"}
TERMS = {
    "electricity": {
        "zh": "本单元用电增速（未到时取近三个月）",
        "en": "growth of the cell's electricity (of three months while late)",
    },
    "place_electricity": {"zh": "本地区用电增速", "en": "growth of the area's electricity"},
    "recent": {"zh": "本单元近三个月排放增速", "en": "growth of the cell's CO2 over three months"},
    "festival": {"zh": "春节错月", "en": "the Spring Festival's move"},
    "weather": {"zh": "度日", "en": "degree days"},
    "level": {"zh": "全体单元的常数项", "en": "constant of all cells"},
}


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
    family: str = "provincial-2025",
    run: str | None = None,
    city: str | None = None,
) -> dict[str, Any]:
    """The node of a figure: {value, low, high, status, parts, children, estimate, counted …} as its cells allow.

    `city`: the place whose areas were estimated together (default: the parent that holds `place`). `run`: a kept run,
    whose place, month, day and options count. Raises Refused where nothing answers to the question.
    """
    workspace = opened(workspace)
    book = load(workspace.pack)
    if run:
        kept = workspace.run(run)
        if kept is None or kept.get("kind") != "nowcast":
            raise Refused(Problem("engine.no-run", value=run))
        month, tree, family, city = kept["month"], kept["tree"], kept["family"], kept["place"]
        as_of = kept["as_of"]
        place = place or kept["place"]
    day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    code = cities.located(workspace, place)
    above = city or cities.above(book, code, tree)
    wanted = _month(month or "")
    last = date(wanted.year, 12, 1)
    year = cities.read(workspace, as_of=day, until=last, place=above, tree=tree, family=family)
    if wanted not in year.months:
        raise Refused(Problem("nowcast.too-short", value=month_text(wanted)))
    t = year.months.index(wanted)
    seen = year.upto(t)
    asked = {"place": None if code == above else code, "sector": sector, "domain": domain}
    mine = np.array([
        all(not want or cell[k] == want for k, want in enumerate(asked.values())) for cell in seen.cells
    ])  # fmt: skip
    if not mine.any():
        raise Refused(Problem("nowcast.no-such-figure", value="、".join(v for v in asked.values() if v)))
    parts = dict(zip(("direct", "indirect"), estimated(seen), strict=True))
    node: dict[str, Any] = {
        "item": "emission.co2", "place": code, "place_name": named_code(book.places, code), "sector": sector,
        "domain": domain, "part": part, "month": month_text(wanted), "as_of": seen.as_of, "tree": tree, "city": above,
        "unit": "tCO2", "status": seen.status, "model": MODEL, "run": run,
    }  # fmt: skip
    for name, codes in (("sector", book.sectors), ("domain", book.domains)):
        node[f"{name}_name"] = named_code(codes, node[name]) if node[name] else None
    node |= figure(seen, t, parts["direct"], parts["indirect"], mine)
    if part:
        chosen = parts[part]
        node["value"] = float(chosen.value[mine].sum())
    dimensions = {"item": node["item"], "place": code, "period": node["month"], "sector": sector, "domain": domain}
    node["dimensions"] = {name: value for name, value in dimensions.items() if value}
    node["complete"] = node["counted_share"] >= 1
    node |= {"title": TITLE, "rows": [], "rows_total": 0, "withheld": 0}
    before = month_text(date(wanted.year - 1, wanted.month, 1))
    node["before"] = {"month": before, "value": None if part else node["last_year"]}
    node["reconciliation"] = _official(workspace, year, t, parts, above, mine)
    node["parts"] = []
    question = {"month": node["month"], "as_of": seen.as_of.isoformat(), "tree": tree, "city": above}
    earlier = {"place": code, "sector": sector, "domain": domain, "part": part, **question, "month": before}
    node["before"]["question"] = {key: value for key, value in earlier.items() if value}
    single = sector is not None and code != above
    for name, one in parts.items():
        if part and name != part:
            continue
        node["parts"].append(
            _part(workspace, seen, t, name, one, mine, {**question, "place": code, "sector": sector, "domain": domain},
                  family, single)
        )  # fmt: skip
    node["children"] = [] if single else _children(seen, t, parts, mine, book, node, question)
    return node


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text[:7]}-01")
    except ValueError as error:
        raise Refused(Problem("nowcast.bad-period", value=text)) from error


def _official(
    workspace: Any, year: City, t: int, parts: dict[str, Month], place: str, mine: np.ndarray
) -> list[dict[str, Any]]:
    value = parts["direct"].value + parts["indirect"].value
    spread = 0.1 * value
    found = officials.moved(year, t, value, spread, officials.read(workspace, year, place), place)
    return [told for told, held in zip(found[1], found[2], strict=True) if (held & mine).any()]


def _part(
    workspace: Any, seen: City, t: int, name: str, made: Month, mine: np.ndarray, question: dict[str, Any], family: str,
    single: bool,
) -> dict[str, Any]:  # fmt: skip
    """One part of a figure: counted and estimated CO2; of a single cell also where both come from."""
    guess = mine & ~made.counted
    told: dict[str, Any] = {
        "part": name, "title": PARTS[name], "value": float(made.value[mine].sum()),
        "counted": float(made.value[mine & made.counted].sum()), "estimated": float(made.value[guess].sum()),
        "cells": int(mine.sum()), "cells_estimated": int(guess.sum()), "question": {**question, "part": name},
        "node": None, "estimate": [], "width": _width(made, guess),
    }  # fmt: skip
    if not single:
        return told
    if (mine & made.counted).any() and told["counted"]:
        method, where = cities.PARTS[name]
        told["node"] = runs.explain(
            "emission.co2", workspace=workspace, method=method, place=question["place"], sector=question["sector"],
            period=question["month"], where=where, tree=question["tree"], family=family, known_at=seen.as_of,
            pack=workspace.pack,
        )  # fmt: skip
    told["estimate"] = [_estimate(seen, t, made, int(k), name) for k in np.nonzero(guess)[0]]
    return told


def _width(made: Month, guess: np.ndarray) -> dict[str, float] | None:
    """What the interval of a part is made of, as shares of what is estimated: errors that cells share add up, their own
    add in quadrature; both half-widths hold 90 %."""
    value = np.where(guess, made.value, 0.0)
    total = float(value.sum())
    if not total:
        return None
    own = float(np.sqrt(((made.own * value) ** 2).sum()))
    return {"shared": made.shared, "own": own / total, "half": float(np.hypot(made.shared * total, own))}


def _estimate(seen: City, t: int, made: Month, k: int, part: str) -> dict[str, Any]:
    """How cell `k` was estimated: last value × exp(growth), and what the growth is made of."""
    method = months.METHODS[made.method[k]]
    inputs = [*months.FEATURES, *(["festival"] if made.features.shape[1] > 3 else []), "weather", "weather"]
    terms: list[dict[str, Any]] = []
    growth = float(np.log(made.value[k] / made.start[k])) if made.value[k] > 0 and made.start[k] > 0 else 0.0
    if method == "ridge" and made.model is not None:
        model = made.model
        z = np.clip((made.features[k] - model.centre) / model.scale, -4, 4)
        slopes = model.slopes + (model.own[seen.sectors[k]] if model.own is not None else 0.0)
        terms.append({"name": "level", "title": TERMS["level"], "growth": None, "slope": None,
                      "effect": float(model.level)})  # fmt: skip
        for n, name in enumerate(inputs[: made.features.shape[1]]):
            terms.append({"name": name, "title": TERMS[name], "growth": float(made.features[k, n]),
                          "slope": float(slopes[n] / model.scale[n]), "effect": float(z[n] * slopes[n])})  # fmt: skip
    elif method != "last_value":
        n = {"electricity_ratio": 0, "recent_growth": 2}[method]
        terms.append({"name": inputs[n], "title": TERMS[inputs[n]], "growth": float(made.features[k, n]), "slope": 1.0,
                      "effect": float(made.features[k, n])})  # fmt: skip
    width = float(np.sqrt(made.shared**2 + made.own[k] ** 2))
    year_ago = t >= 12 and getattr(seen, part)[k, t - 12] > 0
    return {
        "domain": seen.cells[k][2], "value": float(made.value[k]), "method": method, "start": float(made.start[k]),
        "start_month": month_text(seen.months[t - 12]) if year_ago else None, "growth": growth, "terms": terms,
        "low": float(made.value[k] * np.exp(-width)), "high": float(made.value[k] * np.exp(width)),
        "past_error_against_last_value": made.record.get(method),
    }  # fmt: skip


def _children(
    seen: City, t: int, parts: dict[str, Month], mine: np.ndarray, book: Any, node: dict[str, Any],
    question: dict[str, Any],
) -> list[dict[str, Any]]:  # fmt: skip
    """The parts of a figure of many cells: by area, else by sector; they sum to it."""
    column = 0 if node["place"] == node["city"] and len({cell[0] for cell in seen.cells}) > 1 else 1
    codes: Sequence[Any] = (book.places, book.sectors)
    made = []
    for code in sorted({cell[column] for k, cell in enumerate(seen.cells) if mine[k]}):
        chosen = mine & np.array([cell[column] == code for cell in seen.cells])
        one = figure(seen, t, parts["direct"], parts["indirect"], chosen)
        if node["part"]:
            one["value"] = float(parts[node["part"]].value[chosen].sum())
        if not one["value"]:
            continue
        asked = {**question, "place": node["place"], "sector": node["sector"], "domain": node["domain"],
                 "part": node["part"], ("place", "sector")[column]: code}  # fmt: skip
        name = named_code(codes[column], code) if code else {"zh": "未分行业", "en": "no sector"}
        kept = {key: one[key] for key in ("value", "low", "high", "counted_share", "change_percent")}
        kept |= {"item": "emission.co2", "unit": "tCO2", "status": seen.status, "complete": one["counted_share"] >= 1,
                 "title": name, "rows_total": 0, "dimensions": {("place", "sector")[column]: code}}  # fmt: skip
        made.append({"code": code, "name": name, **kept, "question": {k: v for k, v in asked.items() if v}})
    return sorted(made, key=lambda one: -one["value"])
