"""Open how uncertain months are by factors and data: what was counted by carrier, each with the account's bounds."""

from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import settling, uncertainty
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.opened.nodes import Node, asks, line, options, span_of, text, tonnes
from dualcarbon.nowcast.present import named_code
from dualcarbon.nowcast.usual import RECONCILE

#: The part of the consumption account that each part is.
ACCOUNT = {"direct": "fuel", "indirect": "electricity"}


def uncertainty_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, city: str | None = None, reconcile: str = RECONCILE,
) -> Node:  # fmt: skip
    """The relative half-width (95 %) of months by factors and data, and the CO2 that it was taken from by carrier."""
    book, asked_span = load(workspace.pack), span_of(period)
    above = city or cities.pool(book, place, tree)
    until = date(asked_span.start.year, 12, 1)
    seen = cities.read(workspace, as_of=day, until=until, place=above, tree=tree, family=family)
    span = [t for t, month in enumerate(seen.months) if asked_span.start <= month < asked_span.end]
    wanted = (None if place == above else place, sector, domain)
    mine = np.array([all(map(asks, wanted, cell)) for cell in seen.cells])
    if not span or seen.months[span[0]] != asked_span.start or not mine.any():
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    done = settling.settle(workspace, seen, span, above, tree=tree, family=family, method=reconcile)
    value = float(sum(done.cells(t)[mine].sum() for t in span))
    given = {"sector": sector, "domain": domain, "city": city, **options(family, reconcile)}
    asked = {"place": place, "as_of": seen.as_of.isoformat(), "tree": tree, **{k: v for k, v in given.items() if v}}
    made = uncertainty.of(workspace, done.seen, span, mine, value, book, asked)
    if made is None:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    held, _ = uncertainty.taken(workspace, done.seen, span, mine, book, asked)
    query = {"item": "emission.co2", "basis": "B", "place": place, "period": made["period"], "tree": tree,
             "sector": sector, "domain": domain, "known_at": seen.as_of.isoformat()}  # fmt: skip
    if place.endswith(cities.UNALLOCATED) or "-" in (sector, domain):
        query = {}
    children = []
    for row in uncertainty.by_carrier(held):
        opens = {**query, "part": ACCOUNT[row["part"]], "carrier": row["carrier"]} if query else {}
        name = named_code(book.carriers, row["carrier"])
        said = "" if row["percent"] is None else f"±{row['percent']:.2f}%"
        children.append(line(name, row["value"], "tCO2", row["status"], filled=said,
                             **({"query": {k: v for k, v in opens.items() if v}} if opens else {})))  # fmt: skip
    month = {"month": month_text(seen.months[span[0]])} if len(span) == 1 else {"kind": "sum", "period": period}
    names = {"low": text("下限（95%）", "lower end (95%)"), "high": text("上限（95%）", "upper end (95%)")}
    filled = ""
    if made["percent"] is not None:
        filled = f"{tonnes(value)} × (1 ± {made['percent']:.2f}%) = {tonnes(made['low'])} – {tonnes(made['high'])}"
    factors = made["factors_percent"]
    return {
        "title": text("因子和活动数据的不确定性（95%）", "uncertainty by factors and data (95%)"), "period": period,
        "about": [named_code(codes, code) for codes, code in ((book.sectors, sector), (book.domains, domain)) if code],
        "as_of": seen.as_of, "value": made["percent"], "unit": "%", "status": done.status, "message": made["note"],
        "equation": text("共用一个因子（或同一误差组）的误差同向相加，其余平方和开方；由引擎对已核算的部分计算",
                         "what shares a factor (or a group of error) errs together, the rest adds in quadrature; by "
                         "the engine, of what was counted"),
        "filled": filled, "children": children,
        "inputs": [
            line(text("二氧化碳（速算）", "CO2 (quick-calc)"), value, "tCO2", done.status, question={**month, **asked}),
            *(line(names[end], made[end], "tCO2", done.status) for end in ("low", "high") if made[end] is not None),
            *([line(text("其中因子", "by factors alone"), factors, "%", done.status)] if factors is not None else []),
            line(text("因子没有误差范围的排放占比", "CO2 whose factors have no bounds"), 100 * made["without"], "%",
                 done.status),
        ],
    }  # fmt: skip
