"""What is asked of an account, settled: the snapshot, the account, the boundary, the spans of time, the dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.periods import Period
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.inventory.definitions import Account, asked
from dualcarbon.inventory.parts import NOW, PREVIOUS, UNPLACED, Boundary
from dualcarbon.inventory.shares import Shares, share_values, unset_parameters
from dualcarbon.inventory.snapshot import Snapshot, snapshot
from dualcarbon.inventory.stack import Stack, stacked
from dualcarbon.inventory.tables import DIMENSIONS, UNPLACED_NAME, names_of

#: Steps of a table over time, and what the names of their own rows look like.
STEPS = {"month": r"\d{4}-\d\d", "quarter": r"\d{4}-Q\d", "year": r"\d{4}"}


@dataclass(frozen=True)
class Query:
    """What was asked, settled: the snapshot, the account, the boundary and the spans of time."""

    snapshot: Snapshot
    account: Account
    place: str
    entity: str | None
    tree: str
    period: Period
    boundary: Boundary
    spans: dict[str, Period]
    shares: Mapping[str, float]
    unset: tuple[str, ...]

    @property
    def names(self) -> Classification:
        """Classification of the snapshot's pack."""
        return self.snapshot.names

    def named(self, dims: Mapping[str, Any]) -> dict[str, str]:
        """Name in both languages of a row with these dimensions."""
        each = [self._name(name, code) for name, code in dims.items()]
        if len(each) == 1:
            return dict(each[0])
        return {lang: " · ".join(one[lang] for one in each) for lang in ("zh", "en")}

    def _name(self, dimension: str, code: Any) -> dict[str, str]:
        """Name of one code, kept."""
        key = ("name", dimension, code, self.account.basis if dimension == "part" else None)
        found: dict[str, str] = self.snapshot.once(key, lambda: self._found_name(dimension, code))
        return found

    def _found_name(self, dimension: str, code: Any) -> dict[str, str]:
        titles = {part.name: part.title for part in self.account.parts} if dimension == "part" else {}
        if code == UNPLACED:
            return UNPLACED_NAME
        return titles[code] if code in titles else names_of(dimension, code, self.names)

    def explained(self, **more: Any) -> dict[str, Any]:
        """Query that opens a figure of this account."""
        query: dict[str, Any] = {"item": self.account.item, "place": self.place, "period": str(self.period)}
        query |= {"tree": self.tree, "basis": self.account.basis, "entity": self.entity}
        return {key: value for key, value in (query | more).items() if value is not None}


def query(
    data: Any,
    *,
    place: str | None = None,
    period: str,
    tree: str = "admin",
    basis: str | None = "B",
    compare: bool = True,
    partly: bool = False,
    **choices: Any,
) -> Query:
    """Settle what is asked; `place` is a place or an entity of the workspace (None: the place of its pack).

    `partly`: an account is set when it is set in one year of the period, not in each.
    Raises Refused for an unknown place, entity, tree, basis, period or dataset.
    """
    span = settled_period(period)
    entity = choices.pop("entity", None)
    made = snapshot(data, **choices)
    names = made.names
    place = place or packs.place(made.choices.pack)
    code = names.places.find(place)
    if entity is None and code is None and place in made.entities["code"].to_list():
        entity = place
    if entity is not None:
        made = snapshot(data, entity=entity, **choices)
        found = made.entities.filter(pl.col("code") == entity)
        code = (found["place"].item(0) if found.height else None) or code
    at = span.end - timedelta(days=1)
    if tree not in names.places.trees or code is None or not names.places.within(code, tree, at):
        raise Refused(Problem("inventory.unknown-place", value=place, params={"tree": tree}))
    wanted = [a for a in made.accounts().values() if basis in (None, "", "headline", a.basis)]
    unset = set().union(*(unset_parameters(made, a, code, span, partly) for a in wanted))
    account = asked(basis, made.accounts(), unset)
    missing = tuple(name for name in account.requires if name in unset)
    boundary = Boundary((entity,), entity=entity) if entity else Boundary((code,), tree=tree, at=at)
    spans = {NOW: span} | ({PREVIOUS: year_before(span)} if compare else {})
    shares = Shares(code, {}) if missing else share_values(made, account, code, span)
    return Query(made, account, code, entity, tree, span, boundary, spans, shares, missing)


def settled_period(text: str) -> Period:
    """The period that a text names. Raises Refused."""
    try:
        return periods.parse(text)
    except periods.BadPeriod as error:
        raise Refused(Problem("inventory.bad-period", value=text)) from error


def year_before(period: Period) -> Period:
    """The same days of the year before; of whole months the same months."""
    if period.start.day == 1 and period.end.day == 1:
        return Period(*(_year_before(day) for day in period))
    last = _year_before(period.end - timedelta(days=1))
    return Period(_year_before(period.start), last + timedelta(days=1))


def _year_before(day: date) -> date:
    last = day.month == 2 and day.day == 29
    return day.replace(year=day.year - 1, day=28 if last else day.day)


def located(dims: Mapping[str, Any], asked: Period) -> dict[str, Any]:
    """Place and period of a row in the query that opens it: of a quarter that is asked in part, that part.

    A row without an area says `unplaced`; one of a period longer than its step says so by the step's name, so that
    nothing else of that period is opened with it.
    """
    found: dict[str, Any] = {}
    if "place" in dims:
        found = {"place": dims["place"]} if dims["place"] else {"unplaced": "yes"}
    for step in STEPS:
        if dims.get(step):
            span = settled_period(dims[step])
            period = periods.text(max(span.start, asked.start), min(span.end, asked.end))
            return {**found, "period": period} | ({step: dims[step]} if exact(step, dims[step]) else {})
    return found


def exact(step: str, text: str) -> bool:
    """Does a row of a table by this step hold only records of exactly its own period?"""
    return not re.fullmatch(STEPS[step], text)


def settled_by(by: str | Sequence[str]) -> tuple[str, ...]:
    """Dimensions of the rows. Raises Refused for one that no account has."""
    names = tuple(name.strip() for name in (by.split(",") if isinstance(by, str) else by) if name.strip())
    for name in names:
        if name not in DIMENSIONS:
            params = {"known": ", ".join(DIMENSIONS)}
            raise Refused(Problem("inventory.unknown-dimension", value=name, params=params))
    return names


def stack_of(q: Query, by_entity: bool = False) -> Stack:
    """The account on the asked boundary; `by_entity`: with whose its cells are."""
    return stacked(q.snapshot, q.account, q.boundary, q.shares, by_entity)


def areas_below(q: Query) -> list[str]:
    """Areas directly below the asked place in the asked tree; an entity has none."""
    return [] if q.entity else list(q.names.places.children(q.place, q.tree, q.boundary.at))


def row_stack(q: Query, by: Sequence[str], by_entity: bool = False) -> Stack:
    """The account on the areas below, when rows are asked by place and there are any."""
    below = areas_below(q) if "place" in by else []
    if not below:
        return stack_of(q, by_entity)
    boundary = Boundary(tuple(below), whole=q.place, tree=q.tree, at=q.boundary.at)
    return stacked(q.snapshot, q.account, boundary, q.shares, by_entity)
