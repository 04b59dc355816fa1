"""Which figures of the prose and which indicators are the same thing, and how two statements of it agree."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dualcarbon.plan.reading import names, units
from dualcarbon.plan.reading.document import Passage
from dualcarbon.plan.reading.names import Likeness
from dualcarbon.plan.reading.quantities import Quantity, number
from dualcarbon.plan.reading.shapes import Indicator, Plan

# Words by which one statement covers another part of the economy or the territory than the other.
_PARTS = re.compile(
    "规上|规模以上|工业|建筑业|服务业|第三产业|农业|公共机构|居民|乡村|农村|城镇|市区|县城|城区|全省|全国|可再生能源|非化石能源"
)
_LEVELS = re.compile("国家级|省级|市级|县级|公共|专用|乡村|农村")
_CHANGE = re.compile("(增长|增速|增幅|下降|降低|降幅|提高|提升)(率|幅度)?$")


@dataclass(frozen=True)
class Statement:
    """A figure that the plan states: where, of what, how much, and whether it is a stock or a year's flow."""

    kind: str  # headline | task | indicator
    number: int | None
    name: str
    value: float
    unit: units.Unit | None
    comparison: str
    stretch: bool
    scope: str
    passage: Passage
    quantity: Quantity | None = None
    indicator: Indicator | None = None
    high: float | None = None

    @property
    def base(self) -> float:
        return self.value * (self.unit.factor if self.unit else 1.0)

    def equals(self, other: Statement) -> bool:
        """True for equal values; in different units, equal within half of the last printed digit."""
        slack = 0.0
        if self.unit and other.unit and self.unit.factor != other.unit.factor:
            slack = 0.5 * max(one.unit.factor / 10 ** _places(one.value) for one in (self, other) if one.unit)
        return math.isclose(self.base, other.base, rel_tol=1e-9, abs_tol=slack)

    @property
    def stock(self) -> bool:
        return self.scope in ("cumulative", "stock") or bool(self.quantity and self.quantity.since)

    @cached_property
    def shown(self) -> str:
        """The figure in words: 力争890万平方米以上."""
        marks = {">=": "以上", "<=": "以下", "~": "左右"}
        before = {">": "超过", "<": "低于"}.get(self.comparison, "")
        unit = self.unit.text if self.unit else ""
        figure = f"{number(self.value)}" + (f"-{number(self.high)}" if self.high is not None else "")
        scope = "累计" if self.scope == "cumulative" else ""
        return f"{'力争' if self.stretch else ''}{scope}{before}{figure}{unit}{marks.get(self.comparison, '')}"


def _places(value: float) -> int:
    """Return how many decimals a value is printed with."""
    text = f"{value:.10f}".rstrip("0")
    return len(text.split(".")[1])


@dataclass(frozen=True)
class Link:
    """How a statement of the prose relates to another: `same`, `differs` or `other-name`."""

    relation: str
    statement: Statement
    other: Statement
    likeness: Likeness


def of_quantity(quantity: Quantity, kind: str, task: int | None = None) -> Statement:
    """Return a quantity of the prose as a statement."""
    q = quantity
    return Statement(
        kind, task, q.subject, q.value, q.unit, q.comparison, q.stretch, q.scope, q.passage, quantity=q, high=q.high
    )


def of_indicator(indicator: Indicator) -> Statement | None:
    """Return the indicator's target as a statement, or None for a qualitative one."""
    target = indicator.target
    if target.value is None:
        return None
    relative = target.unit is not None and target.unit.dimension in ("ratio", "points")
    scope = "change" if target.kind == "change" or (relative and _CHANGE.search(indicator.name)) else "annual"
    if target.kind == "cumulative" or re.search("累计|保有量|总数", indicator.name):
        scope = "cumulative"
    elif re.search("(数量|规模)$", indicator.name) and not re.search("新增|新建|新", indicator.name):
        scope = "stock" if target.unit and target.unit.dimension in ("count", "power") else scope
    return Statement(
        kind="indicator",
        number=indicator.number,
        name=indicator.name,
        value=target.value,
        unit=target.unit,
        comparison=target.comparison,
        stretch=target.stretch,
        scope=scope,
        passage=indicator.value_passage or indicator.passage,
        indicator=indicator,
        high=target.high,
    )


def statements(plan: Plan) -> list[Statement]:
    """Return the figures of the prose that are targets of the plan's own place and year, headline first."""
    found = [of_quantity(q, "headline") for q in plan.headline]
    found += [of_quantity(q, "task", task.number) for task in plan.tasks for q in task.quantities]
    return [one for one in found if one.scope != "condition"]


def links(plan: Plan) -> list[Link]:
    """Relate the figures of the prose to the indicators.

    A figure that equals an indicator is not held against another one; a difference counts for the most alike
    indicator only; one value under two names counts where neither has a match by name.
    """
    told = statements(plan)
    targets = [one for one in (of_indicator(i) for i in plan.indicators) if one is not None]
    found = [link for a in told for b in targets if (link := relate(a, b)) is not None]
    same = [link for link in found if link.relation == "same"]
    settled = {id(link.statement) for link in same}
    exact: dict[int, list[Link]] = {}
    for link in same:
        exact.setdefault(id(link.statement), []).append(link)
    same = [max(group, key=lambda link: link.likeness.score) for group in exact.values()]
    differs: dict[int, Link] = {}
    for link in found:
        if link.relation == "differs" and id(link.statement) not in settled:
            best = differs.get(id(link.statement))
            if best is None or link.likeness.score > best.likeness.score:
                differs[id(link.statement)] = link
    named = same + list(differs.values())
    taken = {id(link.statement) for link in named}
    fed = {link.other.number for link in named}
    others: dict[int | None, Link] = {}
    for link in sorted(found, key=lambda link: -link.likeness.loose):
        free = id(link.statement) not in taken and link.other.number not in fed and link.other.number not in others
        if link.relation == "other-name" and free:
            others[link.other.number] = link
            taken.add(id(link.statement))
    return named + list(others.values())


def relate(a: Statement, b: Statement) -> Link | None:
    """Return how `a` (of the prose) relates to `b`, or None when they speak of different things."""
    if a.unit is None or b.unit is None:
        return None
    if (a.scope == "change") != (b.scope == "change") and a.unit.dimension == "ratio":
        return None
    name_a, name_b = (_CHANGE.sub("", name) if b.scope == "change" else name for name in (a.name, b.name))
    like = names.compare(name_a, name_b, a.quantity.context if a.quantity else "")
    if a.unit.dimension != b.unit.dimension:
        alike = like.score >= 0.95 and not like.extra_a and not like.extra_b
        return Link("differs", a, b, like) if alike and b.kind == "indicator" else None
    equal = a.equals(b)
    narrow = a.quantity.place if a.quantity else None
    if narrow and narrow not in ("全市", "全县", "全区") and narrow not in b.name and "(" in a.name and not equal:
        return None
    if a.quantity is not None and a.quantity.part and not equal and a.name.split("(")[-1].rstrip(")") not in b.name:
        return None
    if a.quantity is not None and a.quantity.period is not None and not equal:
        return None
    if like.contained and len(like.shared) >= 1:
        if equal and (like.score >= 0.5 or (like.score >= 0.3 and not like.extra_a)):
            own = re.sub("国家级|省级|市级|县级|市县联动", "", like.extra_a)
            return Link("other-name" if own and like.bare_b and like.score < 0.8 else "same", a, b, like)
        if not equal and like.score >= 0.8 and not like.other_head:
            return Link("differs", a, b, like)
        return None
    if equal and len(like.shared) >= 2 and like.loose >= 0.45 and (a.value > 10 or like.score >= 0.5):
        return Link("other-name", a, b, like)
    return None


def judge(a: Statement, b: Statement, like: Likeness) -> tuple[str, str, str]:
    """Return (rule, class, words) for two statements of one thing with different values.

    `contradiction`: both read alike, they cannot both hold; `probable stock-flow`: one is a stock, the other a
    year's flow and not larger; `scope`: they name different parts; `consistent`: one says at least, at most or
    about, and the other keeps it.
    """
    if a.unit and b.unit and a.unit.dimension != b.unit.dimension:
        return "unit-incompatible", "scope", ""
    extra = like.extra_a + "|" + like.extra_b
    words = "、".join(dict.fromkeys(_PARTS.findall(extra) + _LEVELS.findall(extra)))
    if words:
        return "scope-differs", "scope", words
    if a.stock != b.stock:
        stock, flow = (a, b) if a.stock else (b, a)
        return (
            ("annual-cumulative", "probable stock-flow", "")
            if stock.base >= flow.base
            else ("value-differs", "contradiction", "")
        )
    return (
        ("value-satisfies", "consistent", "") if keeps(a, b) or keeps(b, a) else ("value-differs", "contradiction", "")
    )


def keeps(bound: Statement, figure: Statement) -> bool:
    """True when `figure`, a plain value, keeps what `bound` allows (at least, at most, about, from-to)."""
    if figure.comparison != "=":
        return False
    value, limit = figure.base, bound.base
    if bound.comparison in (">=", ">"):
        return value >= limit
    if bound.comparison in ("<=", "<"):
        return value <= limit
    if bound.comparison == "~":
        return abs(value - limit) <= 0.05 * limit
    if bound.comparison == "range" and bound.high is not None and bound.unit:
        return limit <= value <= bound.high * bound.unit.factor
    return False


def scope_words(link: Link) -> str:
    """Return the words by which the two names of a link cover different parts, or an empty text."""
    return "、".join(dict.fromkeys(_PARTS.findall(link.likeness.extra_a + "|" + link.likeness.extra_b)))


def mentions(plan: Plan, indicator: Indicator) -> list[int]:
    """Return the tasks one of whose sentences says what the indicator's name says, with or without its figure."""
    name = names.core(_CHANGE.sub("", indicator.name))
    found = []
    for task in plan.tasks:
        for sentence in re.split("[。；;]", task.text):
            like = names.compare(name, sentence)
            rest, whole = len(like.extra_a), len(names.meaning(name))
            whole_name = whole > 4 or indicator.name in sentence
            if whole and like.shared and rest <= 0.25 * whole and whole_name:
                found.append(task.number)
                break
    return found


def pairs(told: list[Statement]) -> list[Link]:
    """Return statements of the prose that are one thing by name, stand in different places and differ in value.

    Each is held against the first one that it differs from.
    """
    found = []
    index: dict[tuple[str, str], list[int]] = {}  # two characters of a name and its dimension -> statements
    for position, b in enumerate(told):
        if b.unit is None or "(" in b.name:
            continue
        name = names.core(b.name)
        if len(names.meaning(name)) < 3:
            continue
        keys = {(name[k : k + 2], b.unit.dimension) for k in range(len(name) - 1)}
        earlier = heapq.merge(*(index.get(key, ()) for key in keys))
        for a, like in ((told[i], names.compare(told[i].name, b.name)) for i, _ in itertools.groupby(earlier)):
            if _one_thing(a, b, like):
                found.append(Link("differs", a, b, like))
                break
        for key in keys:
            index.setdefault(key, []).append(position)
    return found


def _one_thing(a: Statement, b: Statement, like: Likeness) -> bool:
    """True for two figures of the prose that name one thing and differ."""
    if a.passage is b.passage or a.equals(b):
        return False
    periods = {one.quantity.period for one in (a, b) if one.quantity}
    if len(periods) > 1 or (a.scope == "change") != (b.scope == "change"):
        return False
    extra = like.extra_a + like.extra_b
    alike = like.contained and like.score >= 0.8 and len(like.shared) >= 3 and not like.other_head
    return alike and len(extra) < 4 and not names.SCOPES.search(extra)


def as_place(statement: Statement, quote: dict[str, Any]) -> dict[str, Any]:
    """Return a place with the plan's own name for it."""
    label = {"kind": statement.kind}
    return quote | label | ({"number": statement.number} if statement.number is not None else {})
