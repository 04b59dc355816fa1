"""Open a figure of an account: its parts with the numbers filled in, then each part's equation, factors and rows.

An account is opened from the same cells as it was answered from; a part is handed to the engine with exactly the rows
that lie on its side of the boundary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import worst
from dualcarbon.engine import Calculation, find_method
from dualcarbon.engine.explain import explain as engine_explain
from dualcarbon.engine.opened import matching, rows_of
from dualcarbon.engine.question import Ambiguous, select
from dualcarbon.engine.reduce import observations
from dualcarbon.inventory import custody as limits
from dualcarbon.inventory import trace
from dualcarbon.inventory.definitions import ITEM, Part, accounts
from dualcarbon.inventory.doubled import doubled, unnamed
from dualcarbon.inventory.grain import TIMES, sector_labels
from dualcarbon.inventory.parts import NOW, PREVIOUS, UNPLACED, output_of
from dualcarbon.inventory.question import STEPS, Query, exact, query, row_stack, settled_period, year_before
from dualcarbon.inventory.reported import concerned, late_rows, reported
from dualcarbon.inventory.snapshot import read_as, snapshot
from dualcarbon.inventory.stack import Stack
from dualcarbon.inventory.tables import ABSENT, DIMENSIONS
from dualcarbon.inventory.views import View, results

FILTERS = ("domain", "section", "sector", "carrier", "process", "scope", "contributor", "unplaced", *STEPS)
SHOWN = 60
COLUMNS = {**DIMENSIONS, "contributor": "entity", "unplaced": "area"}


def explain(
    data: Any,
    item: str = ITEM,
    *,
    place: str | None = None,
    period: str | None = None,
    tree: str = "admin",
    basis: str | None = None,
    part: str | None = None,
    method: str | None = None,
    custody: str | Collection[str] | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """The node of a figure (see `dualcarbon.engine.explain.explain`), of an account where `basis` names one.

    `asked` holds the dimensions (domain, section, sector, carrier, process, scope; `entity` for its own account,
    `contributor` for what it adds to the place's; `unplaced` for what lies in no one area below the place; month,
    quarter or year for the row of that name in a table by that step) and the choices of a snapshot. An account's node
    has its parts as `children` (memo parts marked, never added), each with the query that opens it. `custody`: what the
    asker may see (None: all); with it the node says how many rows are withheld, by custody, in `withheld` and
    `withheld_by`, and in `stopped` where it ends. Raises Ambiguous, or Refused when nothing answers.
    """
    custody = limits.settled(custody)
    filters = {name: asked.pop(name) for name in FILTERS if asked.get(name) is not None}
    asked = {name: value for name, value in asked.items() if value is not None and name not in FILTERS}
    known = accounts(str(_pack(data, asked)))
    if basis is None or basis not in known or known[basis].item != item:
        bases = [name for name, one in known.items() if one.item == item and not basis and not method]
        try:
            return _observed(data, item, place, period, tree, basis, method, custody, filters, asked)
        except Ambiguous as error:
            raise Ambiguous({"basis": bases, **error.choices} if bases else error.choices) from error
    q = query(data, place=place, period=period or "", tree=tree, basis=basis, compare=False, **asked)
    if q.unset:
        return _unset(q, filters)
    stack = row_stack(q, ("place",) if "unplaced" in filters else (), by_entity="contributor" in filters)
    stack = _filtered(stack, filters, part, method)
    parts = [one for one in q.account.parts if (part or one.name) == one.name and (method or one.method) == one.method]
    if filters:
        cells = stack.grain.cells
        held = stack.held(cells[["part"]][stack.rows(cells)], "part")
        parts = [one for one in parts if one.name in held]
    if len(parts) == 1:
        node = _part_node(q, stack, parts[0], filters, custody)
    else:
        node = _account_node(q, stack, parts, filters)
    trace.add_reports(data, q.snapshot, node)
    if custody is None:
        return node
    node["doubled"] = unnamed(node["doubled"])
    named = q.entity or filters.get("contributor")
    for child in node["children"]:
        if child.get("explain"):
            child["explain"] |= {"custody": ",".join(custody)}
    return limits.limited(node, limits.withheld(_behind(q, stack, parts, filters), custody), named)


def _behind(q: Query, stack: Stack, parts: Sequence[Part], filters: Mapping[str, Any]) -> Iterator[Any]:
    """The rows behind the asked parts, with their item and the asked time."""
    for part in parts:
        source = stack.sources[part.name]
        recorded = _recorded(stack, part, filters, q.period)
        if recorded.height:
            yield _rows_of(q, part, source, recorded, filters), source.method.rows.item, q.period


def _pack(data: Any, asked: Mapping[str, Any]) -> str:
    return str(asked.get("pack") or getattr(data, "pack", None) or DEFAULT)


def _observed(
    data: Any, item: str, place: str | None, period: str | None, tree: str, basis: str | None, method: str | None,
    custody: Collection[str] | None, filters: Mapping[str, Any], asked: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """A figure that is no account's: straight from the engine, over the counted datasets."""
    choices = {name: value for name, value in asked.items() if name != "entity"}
    made = snapshot(data, **choices)
    names = {name: filters[name] for name in ("sector", "carrier") if name in filters}
    where = {name: filters[name] for name in ("process", "domain") if name in filters}
    table = made.table()
    if made.datasets and all(one.get("role") == "control" for one in made.datasets):
        table = _published(made, item, place, period, {**names, "entity": asked.get("entity")})
    node = engine_explain(
        item, table, place=place, period=period, tree=tree, basis=basis, method=method, custody=custody,
        entity=asked.get("entity"), where=where or None, **names, **_choices(made),
    )  # fmt: skip
    trace.add_reports(data, made, node)
    if custody is None:
        return node
    question = {"item": item, "place": place, "period": period, **names, "entity": asked.get("entity")}
    given = {key: value for key, value in question.items() if value}
    chosen = select(observations(table, made.choices.known_at), made.names, given, tree, where or None)
    own = find_method(node["method"]["id"], made.choices.pack).method.rows.item if node["method"] else item
    rows, _ = rows_of(own, chosen.frame, made.names, given.get("period"))
    kept = limits.withheld([(rows.to_native(), own, None)], custody)
    return limits.limited(node, kept, asked.get("entity"))


def _published(made: Any, item: str, place: str | None, period: str | None, names: Mapping[str, Any]) -> Any:
    """Published totals as they stand: those of parts of the place, period, sector, carrier or whose lie inside."""
    frame = nw.from_native(made.table()).filter(nw.col("item") == item)
    if place and (code := made.names.places.find(place)):
        frame = frame.filter(nw.col("place") == code)
    if period:
        span = settled_period(period)
        frame = frame.filter(nw.col("start") == nw.lit(span.start), nw.col("end") == nw.lit(span.end))
    for name in ("sector", "carrier", "entity"):
        frame = frame.filter(nw.col(name) == str(names[name]) if names.get(name) else nw.col(name).is_null())
    return frame.to_native()


def _choices(made: Any) -> dict[str, Any]:
    choices = made.choices
    known_at: date | None = choices.factors_known_at or choices.known_at
    statuses = {str(one["id"]): str(one.get("status") or "unverified") for one in made.datasets}
    return {"pack": choices.pack, "factors": choices.factors, "family": choices.family, "known_at": known_at,
            "gwp": choices.gwp, "statuses": statuses}  # fmt: skip


def _filtered(stack: Stack, filters: Mapping[str, Any], part: str | None, method: str | None) -> Stack:
    """The stack with only the cells that have the asked dimensions."""
    for step in (name for name in STEPS if name in filters):
        stack = _at_step(stack, step, filters[step])
    wanted = {COLUMNS[name]: frozenset([str(value) if value else None]) for name, value in filters.items()}
    wanted = {column: texts for column, texts in wanted.items() if column not in TIMES}
    if "unplaced" in filters:
        wanted["area"] = frozenset([UNPLACED])
    names = [one.name for one in stack.account.parts if (part or one.name) == one.name]
    names = [one.name for one in stack.account.parts if one.name in names and (method or one.method) == one.method]
    absent = stack.absent.clear() if filters else stack.absent.filter(pl.col("part").is_in(names))
    return stack.only({**wanted, "part": frozenset(names)}, absent)


def _at_step(stack: Stack, step: str, text: str) -> Stack:
    """The stack with only the cells that a table by this step shows under the text."""
    grain, column = stack.grain, COLUMNS[step]
    texts = stack.texts(column)
    kept = pl.col(column) == (texts.index(text) if text in texts else -1)
    calculation = replace(grain.calculation, cells=grain.cells.filter(kept))
    return replace(stack, grain=replace(grain, calculation=calculation, noted=grain.noted.filter(kept)), kept={})


def _dimensions(q: Query, filters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    found = {"place": q.place, "entity": q.entity, "period": str(q.period), "tree": q.tree, "basis": q.account.basis}
    return {key: value for key, value in {**found, **filters, **more}.items() if value is not None}


LISTS = ("equations", "factors", "inputs", "children", "rows", "missing", "doubled", "fallbacks", "not_attributable")
NOTHING = ("value", "low", "high", "uncertainty", "status", "method", "equation", "substituted")


def _blank() -> dict[str, Any]:
    """A node without content."""
    lists: dict[str, Any] = {key: [] for key in LISTS}
    return {
        **lists,
        **dict.fromkeys(NOTHING),
        "rows_total": 0,
        "withheld": 0,
        "rest": None,
        "next": {},
        "complete": False,
    }


def _unset(q: Query, filters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_blank(),
        "item": q.account.item,
        "title": q.account.title,
        "dimensions": _dimensions(q, filters),
        "unit": q.account.unit,
        "status": q.account.status,
        "notation": {"zh": "未设定", "en": "not set"},
        "missing": [{"reason": "parameter", "parameter": name, "quantity": None, "unit": None} for name in q.unset],
    }


def _account_node(q: Query, stack: Stack, parts: Sequence[Part], filters: Mapping[str, Any]) -> dict[str, Any]:
    made = results({"total": View(stack), "parts": View(stack, ("part",), memo=True)}, q.spans)
    result = made["total"][NOW].get((), ABSENT)
    now = stack.within(q.period)
    texts = stack.texts("part")
    counts = {str(texts[part]): rows for part, rows in now.group_by("part").agg(pl.col("rows").sum()).rows()}
    children = [_child(q, one, made["parts"][NOW].get((one.name,), ABSENT), counts, filters) for one in parts]
    pairs = list(zip(parts, children, strict=True))
    known = [(one, child) for one, child in pairs if not one.memo and child["value"] is not None]
    formula = _formula([(one.name, one.sign) for one, _ in known])
    numbers = _formula([(f"{abs(child['value']):,.2f}", 1 if child["value"] >= 0 else -1) for _, child in known])
    counted = stack.counted(q.period)
    missing = [*late_of(q, parts, filters), *trace.missing(stack, q.period)]
    unit = q.account.unit
    equation = {
        "name": q.account.basis,
        "title": q.account.title,
        "formula": formula,
        "latex": "",
        "substituted": f"{numbers} = {result['value']:,.2f} {unit}" if result["value"] is not None else "",
        "value": result["value"],
        "unit": unit,
    }
    return {
        **_blank(),
        "item": q.account.item,
        "title": q.account.title,
        "dimensions": _dimensions(q, filters),
        **{key: result[key] for key in ("value", "low", "high", "uncertainty")},
        "unit": unit,
        "status": worst([result["status"], q.account.status]) if result["status"] else None,
        "complete": bool(result["complete"]) and not missing,
        "basis": q.account.basis,
        "equation": formula,
        "substituted": equation["substituted"],
        "equations": [equation] if known else [],
        "inputs": [
            {"name": one.name, "title": one.title, "value": abs(child["value"]), "unit": unit} for one, child in known
        ],
        "children": children,
        "missing": missing,
        "doubled": doubled(q),
        "fallbacks": trace.fallbacks(stack, counted, q.period),
        "rows_total": int(counted["rows"].sum()),
        "next": _next(q, stack, counted, filters),
    }


def late_of(q: Query, parts: Sequence[Part], filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What areas have not reported yet that the asked figure would hold, as rows of what lacks; as the account says it.

    Of a figure with dimensions, the areas that have some of it in another month of the period or of the year before.
    """
    late = reported(q).late
    if not late or "unplaced" in filters:
        return []
    asked = {("entity" if name == "contributor" else name): value or None for name, value in filters.items()}
    if len(parts) == 1 < len(q.account.parts):
        asked["part"] = parts[0].name
    both = replace(q, spans={**q.spans, PREVIOUS: year_before(q.period)})
    key = tuple(asked.values())
    if asked:
        late = {area: months for area, months in late.items() if concerned(both, tuple(asked), {area: months})(key)}
    return late_rows(q, late)


def _formula(named: Sequence[tuple[str, int]]) -> str:
    text = " ".join(f"{'+' if sign > 0 else '-'} {name}" for name, sign in named)
    return text.removeprefix("+ ")


def _child(
    q: Query, part: Part, result: Mapping[str, Any], counts: Mapping[str, int], filters: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "item": q.account.item,
        "name": part.name,
        "title": part.title,
        "memo": part.memo,
        "dimensions": _dimensions(q, filters, part=part.name),
        **{key: result[key] for key in ("value", "low", "high", "uncertainty", "status", "complete")},
        "unit": q.account.unit,
        "method": part.method,
        "rows_total": counts.get(part.name, 0),
        "explain": q.explained(**filters, part=part.name, method=part.method),
    }


def _next(q: Query, stack: Stack, cells: pl.DataFrame, filters: Mapping[str, Any]) -> dict[str, list[str]]:
    """Values by which the figure can be drilled."""
    found: dict[str, list[str]] = {}
    for name in ("domain", "sector", "carrier", "period"):
        column = DIMENSIONS["month" if name == "period" else name]
        values = sorted(value for value in stack.held(cells, column) if value is not None)
        if name not in filters and 1 < len(values) <= SHOWN:
            found[name] = values
    below = not q.entity and "unplaced" not in filters
    children = q.names.places.children(q.place, q.tree, q.boundary.at) if below else []
    return {"place": children, **found} if children else found


def _part_node(
    q: Query, stack: Stack, part: Part, filters: Mapping[str, Any], custody: Collection[str] | None
) -> dict[str, Any]:
    """A part as the engine opens it; with another sign or a share, the engine's node stands below it."""
    now = stack.within(q.period)
    made = results({"part": View(stack, memo=True)}, q.spans)["part"][NOW].get((), ABSENT)
    child = _child(q, part, made, {part.name: int(now["rows"].sum())}, filters)
    missing = [*late_of(q, [part], filters), *trace.missing(stack, q.period)]
    twice = doubled(q, part.name)
    recorded = _recorded(stack, part, filters, q.period)
    if not recorded.height:
        return {**_blank(), **child, "method": None, "missing": missing, "doubled": twice}
    source = stack.sources[part.name]
    output = output_of(source, q.account)
    node = engine_explain(
        output.item, _rows_of(q, part, source, recorded, filters), method=part.method, period=str(q.period),
        basis=output.basis, custody=custody, **_choices(q.snapshot),
    )  # fmt: skip
    node |= {"title": part.title, "dimensions": child["dimensions"], "memo": part.memo, "missing": missing}
    node |= {"complete": bool(node["complete"]) and not missing, "doubled": twice}
    node["next"] = {**node.get("next", {}), **_next(q, stack, now, filters)}
    weight = part.sign * (q.shares[part.share] if part.share else 1.0)
    if weight == 1:
        return node
    outer = {**_blank(), **child, "method": None, "children": [node], "missing": missing, "doubled": twice}
    outer["complete"] = bool(child["complete"]) and not missing
    outer |= {"equation": f"{weight:g} × {part.name}", "rows_total": node["rows_total"]}
    if node["value"] is not None and child["value"] is not None:
        numbers = f"{weight:g} × {node['value']:,.2f} {child['unit']} = {child['value']:,.2f} {child['unit']}"
        outer["substituted"] = numbers
    return outer


def _recorded(stack: Stack, part: Part, filters: Mapping[str, Any], period: Period) -> pl.DataFrame:
    """The part's cells as recorded, with the asked dimensions, in the asked time."""
    cells = stack.recorded(part)
    kept = [(pl.col("start") >= period.start) & (pl.col("end") <= period.end), *_timed(filters, pl)]
    kept += [pl.col("area") == UNPLACED] if "unplaced" in filters else []
    labels = sector_labels(cells["sector"].unique().to_list(), stack.calculation.names)
    for name, value in filters.items():
        if name in ("scope", "unplaced", *STEPS):
            continue
        name = _end_of(part) if name == "contributor" else name
        if name in ("section", "sector", "domain"):
            kind = "division" if name == "sector" else name
            label = pl.col("sector").replace_strict(labels[kind], default=None, return_dtype=pl.String)
            label = pl.coalesce(pl.col("domain"), label) if name == "domain" else label
            kept.append(label == str(value) if value else label.is_null())
        elif name in cells.columns:
            kept.append(pl.col(name).is_null() | (pl.col(name) == "") if value in ("", None) else pl.col(name) == value)
    return cells.filter(*kept)


def _timed(filters: Mapping[str, Any], of: Any) -> list[Any]:
    """Conditions on start and end, in Polars or narwhals, for the asked row of a table over time."""
    found = []
    for step in STEPS:
        if filters.get(step):
            span, start, end = settled_period(filters[step]), of.col("start"), of.col("end")
            first, last = of.lit(span.start), of.lit(span.end)
            same = exact(step, filters[step])
            found += [start == first, end == last] if same else [start >= first, end <= last]
    return found


def _rows_of(q: Query, part: Part, source: Calculation, cells: pl.DataFrame, filters: Mapping[str, Any]) -> Any:
    """Observations behind a part's cells: those of their ends, sectors and other dimensions, by combination."""
    own = source.method
    rows = q.snapshot.table((part.item or own.rows.item, *(look.item for look in own.lookups)))
    if part.item:
        rows = read_as(rows, part.item, source.method.rows.item)
    frame = nw.from_native(rows).lazy()
    columns = set(frame.collect_schema().names())
    ends = ["entity", "counterparty"] if q.entity else ["place", "counterparty_place"]
    keys = [*(ends if part.side != "none" else ends[:1]), "carrier", "process"]
    keys += [] if part.side == "export" else ["sector"]
    keys += ["domain"] if "domain" in filters and part.side != "export" else []
    keys += ["entity"] if part.entity else []
    keys += [_end_of(part)] if "contributor" in filters else []
    kept = [column for column in dict.fromkeys(keys) if column in columns and column in cells.columns]
    conditions = _timed(filters, nw)
    found = matching(frame.filter(*conditions) if conditions else frame, cells.select(kept)).to_native()
    return found.collect() if isinstance(found, pl.LazyFrame) else found


def _end_of(part: Part) -> str:
    """Which end of a row a part counts: of what leaves an area, the supplier."""
    return "counterparty" if part.side == "export" else "entity"
