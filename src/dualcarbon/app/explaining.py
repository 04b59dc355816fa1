"""The explanation of a figure: its equation with the numbers filled in, factors, parts, rows; in a drawer or a page."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from markupsafe import Markup

from dualcarbon.app import mathml
from dualcarbon.app.pages import View, page
from dualcarbon.app.wording import Words
from dualcarbon.core.tables import CUSTODIES

router = APIRouter()
Text = Annotated[str | None, Query(max_length=80)]
Custody = Annotated[str | None, Query(description="what may be seen: " + ", ".join(CUSTODIES), max_length=80)]
WHOLE = ("item", "place", "entity", "period", "basis", "tree", "known_at", "custody")
TRAIL = ("place", "unplaced", "entity", "contributor", "sector", "section", "domain", "carrier", "process", "scope",
         "period")  # fmt: skip


@page(router, "/explain", "explain.html")
def explain(
    view: View,
    item: Annotated[str, Query(max_length=80)] = "emission.co2",
    place: Text = None,
    entity: Text = None,
    sector: Text = None,
    section: Text = None,
    domain: Text = None,
    carrier: Text = None,
    process: Text = None,
    part: Text = None,
    scope: Text = None,
    contributor: Text = None,
    unplaced: Text = None,
    month: Text = None,
    quarter: Text = None,
    year: Text = None,
    method: Text = None,
    dataset: Text = None,
    against: Text = None,
    custody: Custody = None,
) -> dict[str, Any]:
    """A figure opened: equation, substituted numbers, factors with source and status, parts, first 100 rows.

    `against`, an earlier period, opens the change since then too, and how much of the whole's change it makes.
    """
    from dualcarbon import inventory
    from dualcarbon.engine.question import Ambiguous

    question = {
        "item": item, "place": place, "entity": entity, "sector": sector, "section": section, "domain": domain,
        "carrier": carrier, "process": process, "part": part, "scope": scope, "method": method, "custody": custody,
        "contributor": contributor, "dataset": dataset, "unplaced": unplaced, "month": month, "quarter": quarter,
        "year": year,
        "period": view.choice.period, "basis": view.choice.basis,
        "tree": view.tree if view.tree != "admin" else None, "known_at": view.known_at,
    }  # fmt: skip
    question = {key: value for key, value in question.items() if value is not None}
    try:
        node = inventory.explain(view.workspace, **question)
    except Ambiguous as error:
        return {"question": question, "choices": error.choices}
    change = {"compared": compared(view, question, node["value"], against)} if against else {}
    return {"question": question, **node, **change}


def compared(view: View, question: Mapping[str, Any], value: float | None, against: str) -> dict[str, Any]:
    """A figure beside an earlier period's: change, per cent, and per cent of the whole that it is a part of then.

    `pull_points` (拉动点数) = change / the whole's earlier value x 100; over all parts they sum to the whole's growth.
    Each value comes with the query that opens it.
    """
    from dualcarbon import inventory
    from dualcarbon.core.problems import Refused

    def opened(query: Mapping[str, Any]) -> float | None:
        try:
            found: float | None = inventory.explain(view.workspace, **query)["value"]
        except Refused:
            return None
        return found

    earlier = {**question, "period": against}
    whole = {key: text for key, text in earlier.items() if key in WHOLE}
    before = opened(earlier)
    total = before if whole == earlier else opened(whole)
    change = None if value is None or before is None else value - before
    return {
        "period": against,
        "value": before,
        "change": change,
        "change_percent": 100 * change / before if change is not None and before else None,
        "total": total,
        "pull_points": 100 * change / total if change is not None and total else None,
        "explain": {"value": earlier, "total": whole},
    }


def filled(node: Mapping[str, Any], equation: Mapping[str, Any], w: Words) -> Markup:
    """One equation of a node with the numbers that stood in it, as MathML."""

    def written(one: Mapping[str, Any]) -> str:
        # What is added to millions is written as whole as their sum.
        large = one.get("unit") == equation["unit"] and abs(equation["value"] or 0) >= 1e6
        return quantity(w.number(one["value"], 0) if large else one["value"], one.get("unit"), w)

    texts: dict[str, str] = {}
    for one in [*node.get("inputs", []), *node.get("factors", [])]:
        if one.get("value") is not None:
            texts[one["name"]] = written(one)
    for one in node.get("equations", []):
        if one["name"] == equation["name"]:
            break
        texts[one["name"]] = written(one)
    texts |= {name: quantity(value, unit, w) for name, (value, unit) in constants(node).items()}
    left = quantity(equation["value"], equation["unit"], w)
    return Markup(mathml.equation(equation["name"], equation["formula"], texts, left))


def constants(node: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Constants of the node's method by name: value as the method writes it, and unit."""
    from dualcarbon.core.problems import Refused
    from dualcarbon.engine.methods import find_method

    method = node.get("method")
    if not isinstance(method, Mapping):
        return {}
    try:
        found = find_method(str(method["id"])).method.constants
    except Refused:
        return {}
    return {name: (str(one.value), one.unit) for name, one in found.items()}


def quantity(value: Any, unit: str | None, w: Words) -> str:
    """A number with its unit, in one text with one space between."""
    text = value if isinstance(value, str) else w.number(value)
    return text.replace(" ", "\u00a0") if unit in (None, "", "1") else f"{text} {w.symbol(unit)}"


def title(view: View, page: Mapping[str, Any]) -> str:
    """What the figure is, in words: the item, and the account or part that it belongs to."""
    item = str(page.get("item") or page["question"].get("item"))
    name = view.codes.items.name(item, view.lang) if item in view.codes.items else item
    own = view.words.pick(page.get("title"))
    return view.words.pick(f"{name} · {own}" if own and own != name else name)


def trail(view: View, page: Mapping[str, Any]) -> list[str]:
    """Where the figure stands: place, entity, sector, carrier, process and period by their names."""
    asked = {**page["question"], **(page.get("dimensions") or {})}
    return [named(view, kind, asked[kind]) for kind in TRAIL if asked.get(kind)]


def named(view: View, kind: str, code: Any) -> str:
    """The name of a code of a dimension in the reader's language."""
    text = str(code)
    if kind in ("period", "month", "quarter", "year"):
        return view.words.period(text)
    if kind in ("entity", "contributor"):
        return view.entity_name(text)
    if kind == "unplaced":
        from dualcarbon.inventory.tables import UNPLACED_NAME

        return view.words.pick(UNPLACED_NAME)
    if kind == "process" and "process" in view.codes.terms:
        return str(view.codes.terms["process"].name(text, view.lang))
    lists = {"place": "places", "sector": "sectors", "section": "sectors", "domain": "domains", "carrier": "carriers"}
    codes = getattr(view.codes, lists.get(kind, ""), None)
    return str(codes.name(text, view.lang)) if codes is not None and text in codes else text


def child(view: View, page: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a figure as a line: its name, and the question that opens it (None where it is the same question)."""
    asked = {key: value for key, value in page["question"].items() if value is not None}
    if node.get("explain"):
        question = dict(node["explain"])
    else:
        question = {**asked, "item": node.get("item", asked.get("item"))}
        question |= {key: value for key, value in (node.get("dimensions") or {}).items() if value}
        if node.get("method"):
            question["method"] = node["method"]["id"] if isinstance(node["method"], Mapping) else node["method"]
    name = view.words.pick(node.get("title") or node.get("name"))
    if not name:
        differs = [named(view, k, v) for k, v in (node.get("dimensions") or {}).items() if v and asked.get(k) != v]
        name = " · ".join(differs) or (view.words.pick(node["method"]["title"]) if node.get("method") else "—")
    same = {k: str(v) for k, v in question.items()} == {k: str(v) for k, v in asked.items()}
    return {"name": name, "question": None if same else question}


CUSTODY = {
    "public": "公开", "statistical": "统计资料", "administrative": "行政记录", "metered": "计量",
    "self-submitted": "企业自报", "licensed": "授权",
}  # fmt: skip


def withheld(view: View, page: Mapping[str, Any]) -> str:
    """What is not shown and why: how many rows of which custody."""
    w = view.words
    said = w.say("另有 {n} 行按数据管理权限不在此显示。", n=w.number(page["withheld"]))
    each = [f"{w.say(CUSTODY[name])} {w.number(rows)}" for name, rows in (page.get("withheld_by") or {}).items()]
    if not each:
        return said
    return f"{said} ({', '.join(each)})" if w.english else f"{said}（{'、'.join(each)}）"


def row_keys(view: View, row: Mapping[str, Any]) -> str:
    """What a row is about besides its entity: place, sector, carrier, process, supplier."""
    names = [named(view, kind, row[kind]) for kind in ("sector", "carrier", "process") if row.get(kind)]
    if row.get("entity") and row.get("place"):
        names.insert(0, view.place_name(str(row["place"])))
    if row.get("counterparty"):
        names.append(view.words.say("对方 {name}", name=view.entity_name(str(row["counterparty"]))))
    return " · ".join(names)


def difference(view: View, row: Mapping[str, Any]) -> str:
    """What the file says of a row that is the difference of two reports since January, or the first of them."""
    w = view.words
    if row.get("first_report"):
        return w.say("所报为{period}累计，是年内首次，与当期数相同", period=w.period(row["first_report"]))
    before, now = w.number(row["before"]), w.number(row["reported"])
    return w.say(
        "所报为{period}累计 {now}，减上次累计 {before}", period=w.period(row["since_january"]), now=now, before=before
    )


def row_source(view: View, row: Mapping[str, Any]) -> str:
    """Where a row stands: file, sheet, row number, and when it was published."""
    w = view.words
    parts = [view.source_name(str(row["source"]))] if row.get("source") else []
    if row.get("sheet"):
        parts.append(str(row["sheet"]))
    if row.get("row") is not None:
        parts.append(w.say("第 {n} 行", n=row["row"]))
    if row.get("known_at"):
        parts.append(w.day(row["known_at"]))
    return " · ".join(parts)


def symbols(view: View, node: Mapping[str, Any]) -> dict[str, str]:
    """Words that stand for the symbols of an account's sum, where its terms have titles of their own."""
    titles = {one["name"]: view.words.pick(one["title"]) for one in node.get("inputs", []) if one.get("title")}
    return titles if not node.get("factors") else {}
