"""Open what the quick-calc derives from its months: sums, effects, news, replayed errors, scores, targets.

Each kind of figure has one function; its node holds the equation with its numbers, the inputs (each with the question
that opens it), and the parts that sum to it, until months and cells are reached, which `opening` opens down to rows.
"""

import inspect
from collections.abc import Callable
from datetime import date
from typing import Any

from dualcarbon.core import periods
from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.opened.bounds import uncertainty_node
from dualcarbon.nowcast.opened.comparing import (
    change_node,
    estimated_node,
    growth_node,
    intensity_node,
    progress_node,
    pull_node,
    settled_node,
    share_node,
)
from dualcarbon.nowcast.opened.flagged import flag_node
from dualcarbon.nowcast.opened.judgements import error_node, score_node
from dualcarbon.nowcast.opened.movements import effect_node
from dualcarbon.nowcast.opened.news import news_node
from dualcarbon.nowcast.opened.nodes import Node, coded, span_of
from dualcarbon.nowcast.opened.sums import added_up, bridge_node, official_node, target_node
from dualcarbon.nowcast.opened.terms import term_node
from dualcarbon.nowcast.present import named_code, opened
from dualcarbon.nowcast.usual import FAMILY

KINDS: dict[str, Callable[..., Node]] = {
    "sum": added_up, "effect": effect_node, "news": news_node, "error": error_node, "score": score_node,
    "target": target_node, "official": official_node, "bridge": bridge_node, "change": change_node,
    "growth": growth_node, "share": share_node, "pull": pull_node, "progress": progress_node,
    "intensity": intensity_node, "settled": settled_node, "estimated": estimated_node,
    "term": term_node, "flag": flag_node, "uncertainty": uncertainty_node,
}  # fmt: skip


def open_reason(
    workspace: Any = None,
    *,
    kind: str,
    place: str | None = None,
    as_of: date | str | None = None,
    tree: str = "admin",
    family: str = FAMILY,
    **asked: Any,
) -> Node:
    """The node of a derived figure: {kind, title, value, unit, status, equation, filled, inputs, children, rows}.

    `kind` and what it is asked: `sum` (period, sector, domain, part, city, reconcile), `effect` (effect, sector,
    period, against), `news` (month, before, after, arrival, about, sector, domain, part, city; with `state` before or
    after: the estimate on that side of the arrival), `error` (month, sector, state, late, power_late,
    level), `score` (month), `target`, `bridge`, `progress`, `estimated` (period, city), `official` (period), `change`,
    `growth` (period, sector, domain, city), `share` (those, part), `pull` (those, effect), `intensity`, `settled`
    (period, against, city), `term` (about, month, sector, domain, part, city), `flag` (about: its rule; month, sector,
    domain, period, city), `uncertainty` (period, sector, domain, city, reconcile). Periods are whole months in any
    spelling of `periods.parse`. Raises Refused for an unknown kind, and where nothing answers to the question.
    """
    workspace = opened(workspace)
    day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    code = cities.located(workspace, place)
    book = load(workspace.pack)
    given = {name: _spelt(name, value) for name, value in coded(book, asked).items() if value}
    if kind not in KINDS:
        raise Refused(Problem("nowcast.unknown-kind", value=kind, params={"known": "、".join(KINDS)}))
    options = inspect.signature(KINDS[kind])
    try:
        options.bind(workspace, code, day, tree, family, **given)
    except TypeError as error:
        takes = [name for name, one in options.parameters.items() if one.kind is one.KEYWORD_ONLY]
        needs = [name for name in takes if options.parameters[name].default is inspect.Parameter.empty]
        params = {"given": "、".join(given) or "—", "takes": "、".join(takes), "needs": "、".join(needs) or "—"}
        raise Refused(Problem("nowcast.other-options", value=kind, params=params)) from error
    node = KINDS[kind](workspace, code, day, tree, family, **given)
    plain: Node = {"kind": kind, "place": code, "place_name": named_code(book.places, code), "tree": tree, "inputs": [],
                   "children": [], "rows": [], "rows_total": 0, "low": None, "high": None, "filled": ""}  # fmt: skip
    return {**plain, **node}


def _spelt(name: str, value: Any) -> Any:
    """A period or month as figures are asked for, whatever its spelling. Raises Refused for what is no whole month."""
    if name not in ("period", "against", "month"):
        return value
    start, end = span_of(str(value))
    text = periods.text(start, end)
    if start.day != 1 or end.day != 1 or (name == "month" and len(periods.months(periods.Period(start, end))) > 1):
        raise Refused(Problem("nowcast.no-such-figure", value=str(value)))
    return text
