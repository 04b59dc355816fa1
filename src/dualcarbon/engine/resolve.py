"""Resolve: choose for each key and period the factor that is valid then and was known at the asked date.

The result is a small table that an auditor can read. Order of search: the entity's own value, then the place, then
its administrative ancestors up to the nation and the world; at each the most specific other keys first; an exact
validity wins, else the latest earlier value within the parameter's carry-forward. Every departure from what was
wanted is recorded; a parameter that has not ``place`` among its keys is wanted for the nation. Nothing found is
missing, never zero: only who asks to borrow gets a value of another time, and is told so.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.engine.factor_rows import FAR_FUTURE, FAR_PAST, KEYS, Parameter
from dualcarbon.engine.factors import EVERYWHERE, Candidate, FactorTable
from dualcarbon.engine.keys import Numbers, numbered
from dualcarbon.engine.methods import FactorUse

ROOTS = ("CN", "WORLD", "")

NOTHING: Candidate = (-1, (), True)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Choice:
    """What a run chooses factors by: the family, the GWP set and what was known when.

    ``borrow``: what has no value is served by one of the same parameter and family of another time (`borrowed`).
    """

    family: str
    gwp: str
    known_at: date | None = None
    borrow: bool = False


def resolve(
    cells: pl.DataFrame, uses: Sequence[FactorUse], table: FactorTable, names: Classification, choice: Choice
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Add to ``cells`` one column ``factor:NAME`` per use: the row of ``table.frame`` or null when missing.

    ``cells`` holds ``start``, ``end`` and the key columns that the parameters need (absent ones count as
    empty). Returns the cells and the fallbacks ``{parameter, wanted, used, reason: place|period|key|later}``; ``later``
    is what was not published yet, which is used only where borrowing was asked for.
    """
    fallbacks: list[dict[str, Any]] = []
    found: list[pl.Series] = []
    when, spans = numbered(cells, ["start", "end"])
    last_years = spans["end"].dt.offset_by("-1d").dt.year().to_list()
    days = list(zip(spans["start"].cast(pl.Int32), spans["end"].cast(pl.Int32), last_years, strict=True))
    grouped: dict[tuple[str, ...], tuple[Numbers, pl.DataFrame]] = {}
    for use in uses:
        parameter = table.parameters.get(use.parameter)
        if parameter is None:
            found.append(pl.Series(f"factor:{use.name}", [None] * cells.height, pl.Int64))
            continue
        columns = {key: use.entity if key == "entity" else key for key in ("place", *KEYS)}
        columns = {k: name for k, name in columns.items() if k in {"place", *parameter.keys} and name in cells.columns}
        by = tuple(columns.values())
        if by not in grouped:
            grouped[by] = numbered(cells, by)
        group, keys = grouped[by]
        wanted = [
            {**{key: value or "" for key, value in zip(columns, values, strict=True)}, **use.key}
            for values in (keys.rows() if by else [()] * keys.height)
        ]
        places = {place: upward(place, names) for place in {one.get("place", "") for one in wanted}}
        served = [candidates(one, places[one.get("place", "")], parameter, table, names, choice) for one in wanted]
        rows, chosen = pick(served, days, parameter, table, choice.known_at)
        asked = np.zeros(rows.shape, np.bool_)
        asked[group, when] = True
        if choice.borrow and (rows[asked] < 0).any():
            served = borrowed(rows, chosen, asked, served, spans.rows(), table, choice.known_at)
        numbers = rows[group, when]
        found.append(pl.Series(f"factor:{use.name}", numbers).set(pl.Series(numbers < 0), None))
        fallbacks += _fallbacks(wanted, served, np.where(asked, chosen, -1), spans.rows(), parameter, table, choice)
    return cells.with_columns(found), fallbacks


def upward(place: str, names: Classification) -> list[str]:
    """Places whose values may serve a place, nearest first: a caller's for everywhere, its own, those above."""
    path = names.places.path(place) if place in names.places else [place] if place else []
    return [EVERYWHERE, *path, *(root for root in ROOTS if root not in path)]


def candidates(
    wanted: dict[str, str],
    places: Sequence[str],
    parameter: Parameter,
    table: FactorTable,
    names: Classification,
    choice: Choice,
) -> list[Candidate]:
    """What could serve one key, best first: at each place the values that may hold the period, then the earlier ones.

    The last is NOTHING.
    """
    held = table.index[parameter.id]
    families = [choice.gwp] if parameter.id == "gwp" else [choice.family, ""] if parameter.family else [""]
    options = [_options(key, wanted.get(key, ""), names) for key in KEYS[1:]]
    keys = [(family, *others) for others in itertools.product(*options) for family in families]
    entity = wanted.get("entity", "")
    levels = [[(place, entity) for place in places]] if entity else []
    levels += [[(place, "")] for place in places]
    found: list[Candidate] = []
    for level in levels:
        here = [held[where] for where in level if where in held]
        present = [values[key] for values in here for key in keys if key in values]
        found += [one for whole, _ in present for one in whole]
        found += [one for _, earlier in present for one in earlier]
    return [*found, NOTHING]


def _options(key: str, wanted: str, names: Classification) -> list[str]:
    if not wanted:
        return [""]
    if key == "sector":
        return [wanted, *(names.sectors.ancestors(wanted) if wanted in names.sectors else []), ""]
    return [wanted, ""]


def pick(
    served: list[list[Candidate]],
    days: list[tuple[int, int, int]],
    parameter: Parameter,
    table: FactorTable,
    known_at: date | None,
) -> tuple[Numbers, Numbers]:
    """The first candidate that serves, by key and period: its row (-1: missing), and where it stands in its list.

    ``days``: of each period its first day, the day after its last, and the year of its last.
    """
    rows = np.array([row for several in served for row, _, _ in several], np.int64)
    exact = np.array([whole for several in served for _, _, whole in several], np.bool_)
    first_of = np.cumsum([0, *(len(several) for several in served[:-1])])
    start, end, last_year = (column[rows] for column in table.validity(known_at))
    order = np.arange(len(rows))
    picked = np.empty((len(served), len(days)), np.int64)
    for number, (begin, until, year) in enumerate(days):
        serves = (start <= begin) & np.where(exact, end >= until, year - last_year <= parameter.carry_forward)
        picked[:, number] = np.minimum.reduceat(np.where(serves, order, len(order)), first_of)
    return rows[picked], picked - first_of[:, None]


def borrowed(
    rows: Numbers,
    chosen: Numbers,
    asked: npt.NDArray[np.bool_],
    served: list[list[Candidate]],
    spans: list[tuple[date, date]],
    table: FactorTable,
    known_at: date | None,
) -> list[list[Candidate]]:
    """Fill what is missing in ``rows`` and ``chosen`` (of :func:`pick`), where ``asked``, with values of another time.

    The nearest place's value counts that was known on the day, of the nearest year (of two as near the earlier);
    where no place's was known, that of the nearest place which was published first. Returns ``served``, with what was
    borrowed after NOTHING.
    """
    found: dict[tuple[tuple[int, ...], int], Candidate] = {}
    made = list(served)
    for group in np.flatnonzero(((rows < 0) & asked).any(1)).tolist():
        near = {key: number for number, key in enumerate(dict.fromkeys(key for _, key, _ in served[group]))}
        own = {row: key for row, key, _ in served[group] if row >= 0}
        held = tuple(own)
        for when in np.flatnonzero((rows[group] < 0) & asked[group]).tolist() if own else ():
            if (held, when) not in found:
                row = min(held, key=lambda n: _apart(table.rows[n], near[own[n]], spans[when], known_at))
                whole = table.rows[row]["start"] <= spans[when][0] and spans[when][1] <= table.rows[row]["end"]
                found[held, when] = (row, own[row], whole)
            one = found[held, when]
            if one not in made[group][len(served[group]) :]:
                made[group] = [*made[group], one]
            rows[group, when] = one[0]
            chosen[group, when] = made[group].index(one, len(served[group]))
    return made


def _apart(row: dict[str, Any], near: int, span: tuple[date, date], known_at: date | None) -> tuple[Any, ...]:
    """How far a value is from what was wanted, what was not known being farthest; the least is borrowed."""
    day, year = row["known_at"] or FAR_PAST, (span[1] - ONE_DAY).year
    later = known_at is not None and day > known_at
    years = max(row["start"].year - year, year - (row["end"] - ONE_DAY).year, 0)
    after = row["start"] > span[0]
    return (later, near, day, years, after) if later else (later, near, years, after, -day.toordinal())


def _fallbacks(
    wanted: list[dict[str, str]],
    served: list[list[Candidate]],
    chosen: Numbers,
    spans: list[tuple[date, date]],
    parameter: Parameter,
    table: FactorTable,
    choice: Choice,
) -> list[dict[str, Any]]:
    """Every departure from what was wanted, the periods of one year together; ``chosen`` is -1 where none was asked."""
    found: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    for one, several, line in zip(wanted, served, chosen.tolist(), strict=True):
        for number in {*line} - {-1}:
            row, key, exact = several[number]
            if row < 0:
                continue
            later = choice.known_at is not None and (table.rows[row]["known_at"] or FAR_PAST) > choice.known_at
            reasons = [*_reasons(one, key, exact, parameter), *(["later"] if later else [])]
            if not reasons:
                continue
            here = sorted(span for span, chose in zip(spans, line, strict=True) if chose == number)
            for year, together in itertools.groupby(here, key=lambda span: span[0].year):
                within = list(together)
                start, end = within[0][0], max(end for _, end in within)
                for reason in reasons:
                    told = _departure(one, table.rows[row], parameter, reason, start, end)
                    if choice.borrow:
                        told["used"]["known_at"] = table.rows[row]["known_at"]
                    found.append(((*one.values(), year, row), told))
    return [told for _, told in sorted(found, key=lambda one: one[0])]


def _reasons(wanted: dict[str, str], key: tuple[str, ...], exact: bool, parameter: Parameter) -> list[str]:
    """In what the value that was used departs from what was wanted."""
    _, place, entity, *others = key
    moved = (
        "place" in parameter.keys and wanted.get("place") and place not in (wanted["place"], EVERYWHERE) and not entity
    )
    reasons = ["place"] if moved else []
    reasons += [] if exact else ["period"]
    pairs = zip(KEYS[1:], others, strict=True)
    departs = any(wanted.get(name, "") != other for name, other in pairs if name in parameter.keys)
    return [*reasons, "key"] if departs else reasons


def _departure(
    wanted: dict[str, str], row: dict[str, Any], parameter: Parameter, reason: str, start: date, end: date
) -> dict[str, Any]:
    used = {key: row[key] for key in ("place", *KEYS) if row[key]}
    if row["start"] != FAR_PAST and row["end"] != FAR_FUTURE:
        used["period"] = periods.text(row["start"], row["end"])
    return {
        "parameter": parameter.id,
        "wanted": {**{key: value for key, value in wanted.items() if value}, "period": periods.text(start, end)},
        "used": {**used, "value": row["value"], "unit": row["unit"], "source": row["source"]},
        "reason": reason,
    }
