"""What charts need of an account: bar positions, map shades, the sentence a chart tells, fallbacks in few words."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dualcarbon.app.outline import Outline
from dualcarbon.app.pages import View
from dualcarbon.app.wording import Scale, Words
from dualcarbon.core import periods

Row = Mapping[str, Any]


def stack(parts: Sequence[Row]) -> list[dict[str, Any]]:
    """Parts that are added, largest first, with their width in per cent; what is taken off has none."""
    added = [part for part in parts if not part["memo"] and part["value"]]
    whole = sum(abs(part["value"]) for part in added)
    shown = sorted(added, key=lambda part: -abs(part["value"]))
    return [{**part, "width": 100 * abs(part["value"]) / whole, "tone": min(n, 5)} for n, part in enumerate(shown)]


def movers(rows: Sequence[Row], most: int = 10) -> list[dict[str, Any]]:
    """The rows that pulled most, up first and down last, as bars from a common zero; positions in per cent."""
    moved = [row for row in rows if row.get("pull_points") is not None]
    chosen = sorted(moved, key=lambda row: -abs(row["pull_points"]))[:most]
    chosen.sort(key=lambda row: -row["pull_points"])
    if not chosen:
        return []
    low = min(0.0, *(row["pull_points"] for row in chosen))
    high = max(0.0, *(row["pull_points"] for row in chosen))
    width = (high - low) or 1.0
    zero = -100 * low / width
    return [
        {
            **row,
            "zero": zero,
            "left": zero if row["pull_points"] >= 0 else zero + 100 * row["pull_points"] / width,
            "width": 100 * abs(row["pull_points"]) / width,
        }
        for row in chosen
    ]


def movers_title(rows: Sequence[Row], w: Words) -> str:
    """Who pulled up most and who down."""
    moved = [row for row in rows if row.get("pull_points") is not None]
    if not moved:
        return w.say("行业：谁在涨，谁在降")
    top, bottom = max(moved, key=lambda r: r["pull_points"]), min(moved, key=lambda r: r["pull_points"])
    pulled, fell = w.number(top["pull_points"], 2, True), w.number(bottom["pull_points"], 2)
    up = w.say("{name}拉动最大，{points} 个点", name=short(top["name"], w), points=pulled)
    down = w.say("{name}拉低最多，{points} 个点", name=short(bottom["name"], w), points=fell)
    said = ([up] if top["pull_points"] > 0 else []) + ([down] if bottom["pull_points"] < 0 else [])
    return ("；" if not w.english else "; ").join(said) or w.say("各行业与上年同期持平")


def domains_title(rows: Sequence[Row], w: Words) -> str:
    """Which domain holds most of the emission."""
    known = [row for row in rows if row["share"] is not None]
    if not known:
        return w.say("按领域")
    top = max(known, key=lambda row: row["share"])
    return w.say("{name}领域占 {share}", name=w.pick(top["name"]), share=w.percent(100 * top["share"], 0))


def inner(title: Any, w: Words) -> str:
    """What stands in the last brackets of a title, else the title."""
    text = w.pick(title)
    found = re.search(r"[（(]([^（()）]+)[)）]\s*$", text)
    return found.group(1) if found else text


def short(title: Any, w: Words) -> str:
    """A sector's name without the words that every sector has."""
    name = w.pick(title)
    if w.english:
        return name.removeprefix("Manufacture of ").removeprefix("Production and supply of ").capitalize()
    for ending in ("加工业", "制造业", "和供应业", "制品业", "和服饰业", "生产和供应业", "业"):
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            short = name.removesuffix(ending).removesuffix("生产").removesuffix("和")
            return f"{short}供应" if short.endswith("的") else short
    return name


def shades(areas: Sequence[Row], key: str = "value") -> dict[str, Any]:
    """Six steps of one colour from the smallest to the largest value: ``{place: step}`` and the bounds of the steps."""
    values = [area[key] for area in areas if area.get(key) is not None]
    if not values:
        return {"steps": {}, "bounds": []}
    low, high = _nice(min(values), up=False), _nice(max(values), up=True)
    if low == high:
        return {"steps": {area["place"]: 3 for area in areas if area.get(key) is not None}, "bounds": [low, high]}
    steps = {
        area["place"]: min(5, int(6 * (area[key] - low) / (high - low))) for area in areas if area.get(key) is not None
    }
    return {"steps": steps, "bounds": [low, high]}


_NICE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


def _nice(value: float, up: bool) -> float:
    """The next number of few digits above (or below) a positive value; others as they are."""
    if value <= 0:
        return value
    size = 10.0 ** math.floor(math.log10(value))
    steps = [step * size for step in _NICE]
    return min(s for s in steps if s >= value * (1 - 1e-9)) if up else max(s for s in steps if s <= value * (1 + 1e-9))


def map_title(areas: Sequence[Row], w: Words) -> str:
    """Which area emits most, and the share of the first two."""
    known = sorted((a for a in areas if a["value"] is not None), key=lambda a: -a["value"])
    whole = sum(a["value"] for a in known)
    if len(known) < 3 or not whole:
        return w.say("各地区排放")
    share = w.percent(100 * (known[0]["value"] + known[1]["value"]) / whole, 0)
    first, second = w.pick(known[0]["name"]), w.pick(known[1]["name"])
    return w.say("{first}最多，与{second}合占 {share}", first=first, second=second, share=share)


def path(rows: Sequence[Row], view: View, year: int, unit: str) -> dict[str, Any]:
    """Months as one line per year, with intervals and the address at which each month opens; in one scale.

    A report that is longer than a month (January–February) counts in the cumulative line at its end; it is no month.
    """
    w = view.words
    years: dict[int, list[dict[str, Any] | None]] = {}
    for row in rows:
        start, end = periods.parse(str(row["period"]))
        last = end - timedelta(days=1)
        if start.year != last.year:
            continue
        years.setdefault(last.year, [None] * 12)[last.month - 1] = {
            "value": row["value"],
            "low": row["low"],
            "high": row["high"],
            "whole": start.month == last.month,
            "href": view.explain(row["explain"]),
        }
    totals = [sum(m["value"] or 0.0 for m in months if m) for months in years.values()]
    scale, cumulative = w.scale(unit, [r["value"] for r in rows]), w.scale(unit, totals)
    return {
        "years": [{"year": at, "months": months, "now": at == year} for at, months in sorted(years.items())],
        "monthly": scale._asdict(),
        "cumulative": cumulative._asdict(),
        "labels": [w.month(number) for number in range(1, 13)],
        "lang": view.lang,
    }


def monthly(rows: Sequence[Row]) -> bool:
    """Are there months enough for a line?"""
    return sum(re.fullmatch(r"\d{4}-\d\d", str(row["period"])) is not None for row in rows) > 1


def path_title(headline: Row, w: Words) -> str:
    """How far the year has come, and how that compares."""
    if headline["change"] is None:
        return w.say("逐月")
    scale = w.scale(headline["unit"], [headline["value"]])
    gap = headline["value"] - headline["previous"]["value"]
    amount = f"{w.number(abs(gap) / scale.factor, scale.digits)} {scale.label}"
    before = w.period(headline["previous"]["period"])
    start, end = periods.parse(headline["period"])
    if (end - start).days <= 31:
        said = "比{before}多 {amount}" if gap >= 0 else "比{before}少 {amount}"
    else:
        said = "累计比{before}多 {amount}" if gap >= 0 else "累计比{before}少 {amount}"
    return w.say(said, before=before, amount=amount)


_FILLED = ("reported", "none", "NO", "NA", "IE")


def gaps(matrix: Row) -> list[Row]:
    """Rows of a completeness matrix in which a cell is not reported."""
    if set(matrix["counts"]) <= set(_FILLED):
        return []
    return [row for row in matrix["rows"] if any(cell["state"] not in _FILLED for cell in row["cells"])]


def off_map(areas: Sequence[Row], drawn: Outline | None) -> list[Row]:
    """Areas that have no outline of their own."""
    names = {shape.name for shape in drawn.areas} if drawn else set()
    return [area for area in areas if area["name"]["zh"] not in names]


def area_label(title: Any, w: Words) -> str:
    """An area's name as short as a map needs."""
    name = w.pick(title)
    return name if w.english else name.rstrip("市县区") if len(name) > 2 else name


def item_of(account: Row) -> str:
    """The item that an account is about: `emission.co2`, or `energy.tce`."""
    parts = account.get("parts") or []
    return str(next((one["explain"]["item"] for one in parts if one.get("explain")), "emission.co2"))


def table_scale(rows: Sequence[Row], w: Words, unit: str = "tCO2") -> Scale:
    """One scale for a whole table."""
    return w.scale(unit, [row.get("value") for row in rows])


def basis_of(view: View, account: Row) -> dict[str, Any]:
    """What the source line under a chart names: the datasets counted, and the factor on which most emission rests."""
    titles = view.site.datasets()
    names = (account.get("freshness") or {}).get("datasets") or []
    shown = [view.words.pick(titles.get(name, name)) for name in names]
    factors = sorted(account.get("factors") or [], key=lambda one: -round(abs(one.get("emission") or 0.0), 3))
    return {
        "datasets": [re.split(r"[：:（(]", name)[0] for name in shown],
        "factor": factors[0] if factors else None,
    }


def fallback_groups(view: View, fallbacks: Sequence[Row]) -> list[dict[str, Any]]:
    """Fallbacks that say the same, told once: which parameter, why, what is used instead, for how many places."""
    from dualcarbon.engine.factors import load_parameters

    parameters = load_parameters(view.pack)
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in fallbacks:
        wanted, used = one["wanted"], one["used"]
        key = (one["parameter"], one["reason"], used.get("place"), used.get("period"), used.get("value"))
        group = groups.setdefault(key, {**one, "places": set(), "periods": set()})
        group["places"].add(wanted.get("place"))
        group["periods"].add(wanted.get("period"))
    said = []
    for group in groups.values():
        parameter = parameters.get(group["parameter"])
        text = _fallback(view, group)
        wanted = sorted(period[:4] for period in group["periods"] if period)
        said.append(
            {
                "parameter": group["parameter"],
                "title": parameter.title if parameter else {},
                "reason": group["reason"],
                "value": group["used"].get("value"),
                "unit": group["used"].get("unit"),
                "places": len(group["places"]),
                "periods": wanted,
                "text": text,
            }
        )
    order = {"period": 0, "key": 1, "place": 2}
    return sorted(said, key=lambda one: (order.get(str(one["reason"]), 3), one["parameter"]))


def _fallback(view: View, group: Row) -> str:
    w, used = view.words, group["used"]
    places = [str(code) for code in group["places"] if code]
    if group["reason"] == "period":
        wanted = sorted({str(period)[:4] for period in group["periods"] if period})
        years = "、".join(wanted) if not w.english else ", ".join(wanted)
        return w.say("{wanted}年的值尚未发布，沿用{used}年", wanted=years, used=str(used.get("period") or "")[:4])
    if group["reason"] == "place":
        who = view.place_name(places[0]) if len(places) == 1 else w.say("{n} 个地区", n=len(places))
        return w.say("{who}没有自己的值，用{used}的值", who=who, used=view.place_name(str(used.get("place") or "")))
    return w.say("没有更细的值，用较粗一级的值")


def missing_text(view: View, one: Row) -> str:
    """One missing thing in words: reason, what, where, how much, how many rows."""
    w = view.words
    parts = [w.pick(one.get("reason_text")) or w.say("缺")]
    for kind, codes in (("carrier", "carriers"), ("place", "places")):
        code, known = one.get(kind), getattr(view.codes, codes)
        if code:
            parts.append(known.name(code, view.lang) if code in known else code)
    if one.get("period"):
        parts.append(w.period(one["period"]))
    if one.get("quantity") is not None:
        parts.append(" ".join(w.quantity(one["quantity"], one.get("unit"))))
    if one.get("rows"):
        parts.append(w.say("{n} 行", n=w.number(one["rows"])))
    return " · ".join(parts)
