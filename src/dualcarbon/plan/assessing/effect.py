"""What a plan does for carbon: each measure by its method, its interval and status, and all together, each thing once.

Measures and their overlaps are data of the pack (`plan/YEAR/measures.yaml`); methods and factors are the engine's, so
every figure opens. An estimate is for a full year of operation, whatever month a measure is finished in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.assessing import effect_overlap
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.reading import facts
from dualcarbon.plan.words import unit_name

PARTS: dict[str, dict[str, str]] = {
    "energy": {"zh": "能源活动二氧化碳（消费侧口径）", "en": "CO2 of energy activity (consumption account)"},
    "other": {"zh": "其他温室气体", "en": "Other greenhouse gases"},
    "sink": {"zh": "碳汇", "en": "Uptake"},
    "upstream": {"zh": "上游生产（不在城市账户）", "en": "Production elsewhere (outside the account)"},
}
COUNTED = ("estimate",)
TREATMENTS = {
    "estimate": {"zh": "已估算", "en": "estimated"},
    "gross": {"zh": "毛数，不计入", "en": "gross, not counted"},
    "included": {"zh": "已含在其他措施", "en": "in another measure"},
    "missing": {"zh": "缺方法或数量", "en": "missing"},
    "none": {"zh": "不影响账户", "en": "no effect on the account"},
}
_DATASET = "plan"


@cache
def measures(pack: str, year: int) -> dict[str, Any]:
    """Return `measures.yaml` of a plan: `{place, status, groups, measures}`; no measures where the pack has none."""
    from dualcarbon.core.pack import read_yaml

    here = feeding.folder(pack, year)
    if here is None or not (here / "measures.yaml").is_file():
        return {"place": None, "status": "unverified", "groups": [], "measures": []}
    found: dict[str, Any] = read_yaml(here / "measures.yaml")
    lines = {one["line"]: one["id"] for one in found["measures"]}
    for group in found["groups"]:
        if group.get("whole") in lines:
            group["whole"] = lines[group["whole"]]
    return found


def targets(plan: Mapping[str, Any]) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Return what a plan's facts ask for: (line, subject or None) to `{title, value, unit}`.

    An indicator's line is its code, which stays when a revision moves it; facts without codes are in the pack's order.
    """
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    for one in plan["indicators"]:
        line = one.get("line") or f"I{one['number']}"
        found[line, None] = {"title": one["name"], "value": one["value"], "unit": one["unit"]}
    for one in plan["quantities"]:
        key = (f"T{one['task']}" if one["task"] else "", one["subject"])
        found.setdefault(key, {"title": one["subject"], "value": one["value"], "unit": one["unit"]})
    return found


def estimate(
    pack: str,
    year: int,
    *,
    plan: Mapping[str, Any] | None = None,
    quantities: Mapping[str, float] | None = None,
    need: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return what the measures of a plan avoid in a full year.

    `plan`: facts as `facts.shipped` gives them (the pack's when None); `quantities`: by measure id in the measure's
    unit, in place of the plan's (what was reached, or a what-if); `need`: as `effect_overlap.needed` gives it.
    Returns `{year, place, rows, parts, groups, need, status}`. A row is `{id, line, title, quantity, unit, treatment,
    part, group, method, item, value, low, high, value_unit, status, share, counted, marginal, per_unit, displaced,
    overlap, reason, note}`; intervals are at 95 % and, in `parts`, shared factors err together.
    """
    told = measures(pack, year)
    asked = targets(plan if plan is not None else facts.shipped(pack, year))
    rows = [_row(one, asked, quantities or {}) for one in told["measures"]]
    estimated = [row for row in rows if row["method"] and row["quantity"] is not None]
    answers, _ = _calculated(estimated, told["place"], year, pack)
    for row in estimated:
        row |= answers[row["id"]]
        row["per_unit"] = row["value"] / row["quantity"] if row["quantity"] and row["value"] is not None else None
    parts = {}
    for part, title in PARTS.items():
        inside = [row for row in rows if row["part"] == part]
        counting = {row["id"]: row["value"] for row in inside if row["treatment"] in COUNTED and row["value"]}
        groups = {row["id"]: row["group"] for row in inside}
        share = effect_overlap.shares(counting, groups, told["groups"])
        adds = effect_overlap.marginal(counting, groups, told["groups"])
        for row in inside:
            row["share"] = share.get(row["id"], 0.0)
            row["counted"] = row["value"] * row["share"] if row["id"] in counting else None
            row["marginal"] = adds.get(row["id"])
            row["overlap"] = _overlap(row, share, groups)
        parts[part] = {"title": title, **_total(inside, told["place"], year, pack)}
        parts[part]["without_overlap_rule"] = sum(counting.values()) if counting else None
        parts[part]["missing"] = [row["id"] for row in inside if row["treatment"] == "missing"]
    rows.sort(key=lambda row: (list(PARTS).index(row["part"]), -(row["marginal"] or 0.0), -(row["value"] or 0.0)))
    energy = parts["energy"]["value"]
    covers = energy / need["needed"] if need and energy is not None and need["needed"] > 0 else None
    compared = dict(need) | {"share": covers} if need else None
    return {"year": year, "place": told["place"], "rows": rows, "parts": parts, "groups": told["groups"],
            "need": compared, "status": told["status"]}  # fmt: skip


def opened(
    measure: str,
    pack: str,
    year: int,
    *,
    plan: Mapping[str, Any] | None = None,
    quantities: Mapping[str, float] | None = None,
    basis: str | None = None,
) -> dict[str, Any]:
    """Return a measure's figure opened, as `engine.explain` gives it: equations, factors with source, row of the plan.

    `title` ({zh, en}) names the measure, and says where it is by what was reached (`quantities`). Raises Refused
    `plan.no-measure` for an unknown measure or one without a method.
    """
    from dualcarbon.engine.explain import explain
    from dualcarbon.engine.methods import find_method

    told = measures(pack, year)
    asked = targets(plan if plan is not None else facts.shipped(pack, year))
    rows = [_row(one, asked, quantities or {}) for one in told["measures"] if one["id"] == measure]
    if not rows or not rows[0]["method"] or rows[0]["quantity"] is None:
        raise Refused(Problem("plan.no-measure", value=measure))
    method = find_method(rows[0]["method"], pack).method
    output = next(one for one in method.outputs if basis in (None, one.basis))
    table = _table(rows, told["place"], year, pack)
    name = str(rows[0]["title"])
    title = (
        {"zh": f"{name}（按已完成）", "en": f"{name} (as reached)"} if quantities else dict.fromkeys(("zh", "en"), name)
    )
    return {"title": title} | explain(
        output.item, table, place=told["place"], period=str(year), method=method.id, basis=output.basis, pack=pack,
        where={"process": measure}, statuses={_DATASET: "secondary"}, canonical=False,
    )  # fmt: skip


def _row(one: Mapping[str, Any], asked: Mapping[Any, Mapping[str, Any]], given: Mapping[str, float]) -> dict[str, Any]:
    source = asked.get((one["line"], one.get("subject")), {})
    empty = dict.fromkeys(("value", "low", "high", "value_unit", "per_unit", "displaced", "item"))
    return empty | {
        "id": one["id"],
        "line": one["line"],
        "title": source.get("title") or one.get("subject") or one["id"],
        "quantity": given.get(one["id"], source.get("value")),
        "planned": source.get("value"),
        "unit": one.get("unit"),
        "unit_text": source.get("unit"),
        "unit_name": unit_name(source.get("unit")),
        "treatment": one["treatment"],
        "part": one["part"],
        "group": one.get("group"),
        "whole": one.get("whole"),
        "method": one.get("method"),
        "carrier": one.get("carrier"),
        "equipment": one.get("equipment"),
        "status": None,
        "reason": one.get("reason"),
        "note": one.get("note"),
    }


def _table(rows: Sequence[Mapping[str, Any]], place: str, year: int, pack: str) -> pl.DataFrame:
    """Quantities of measures as observations; `process` is the measure."""
    from dualcarbon.engine.methods import find_method

    kept = {
        "dataset": _DATASET, "place": place, "period": str(year), "notation": None, "source": "plan", "sector": None,
        "entity": None, "row": None, "known_at": None,
    }  # fmt: skip
    made = [
        kept
        | {
            "item": find_method(row["method"], pack).method.rows.item,
            "process": row["id"],
            "carrier": row["carrier"],
            "equipment": row["equipment"],
            "value": float(row["quantity"]) * row.get("share_used", 1.0),
            "unit": row["unit"],
        }
        for row in rows
    ]
    texts = dict.fromkeys(("notation", "sector", "entity", "carrier", "equipment", "source"), pl.String)
    return pl.DataFrame(made, schema_overrides={**texts, "row": pl.Int64, "known_at": pl.Date, "value": pl.Float64})


def _calculated(
    rows: Sequence[Mapping[str, Any]], place: str, year: int, pack: str
) -> tuple[dict[str, dict[str, Any]], list[Any]]:
    """Values of measures by id, and the engine's calculations by which they were made (one a method)."""
    from dualcarbon.engine import calculate

    found: dict[str, dict[str, Any]] = {}
    made: list[Any] = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        calculation = calculate(
            method, _table(mine, place, year, pack), pack=pack, dims=("place", "carrier", "process", "equipment"),
            statuses={_DATASET: "secondary"},
        )  # fmt: skip
        made.append(calculation)
        main = calculation.method.outputs[0]
        for result in calculation.combine(("process",)).iter_rows(named=True):
            row = found.setdefault(result["process"], {"displaced": None})
            if result["basis"] not in (main.basis, None):
                row["displaced"] = {name: result[name] for name in ("value", "low", "high", "unit", "basis")}
                continue
            row |= {name: result[name] for name in ("value", "low", "high", "status", "item")}
            row["value_unit"] = result["unit"]
    return found, made


def _total(rows: Sequence[Mapping[str, Any]], place: str, year: int, pack: str) -> dict[str, Any]:
    """Sum of what counts, with an interval in which measures that share a factor err together."""
    from dualcarbon.engine import Term, combine

    counting = [{**row, "share_used": row["share"]} for row in rows if row["counted"]]
    nothing = dict.fromkeys(("value", "low", "high", "unit", "status")) | {"measures": 0}
    if not counting:
        return nothing
    _, made = _calculated(counting, place, year, pack)
    terms = [Term(calculation, calculation.method.outputs[0]) for calculation in made]
    result = combine(terms).row(0, named=True)
    return {name: result[name] for name in ("value", "low", "high", "unit", "status")} | {"measures": len(counting)}


def _overlap(row: Mapping[str, Any], share: Mapping[str, float], groups: Mapping[str, str | None]) -> str | None:
    """The measure that counts in place of this one, if any."""
    if row["treatment"] == "included":
        return str(row["whole"]) if row["whole"] else None
    if row["id"] not in share or share[row["id"]] == 1.0 or row["group"] is None:
        return None
    return next((name for name, part in share.items() if part == 1.0 and groups.get(name) == row["group"]), None)
