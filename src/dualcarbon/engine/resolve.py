"""Resolve: choose for each key and period the factor that is valid then and was known at the asked date.

The result is a small table that an auditor can read. Order of search: the entity's own value, then the place, then
its administrative ancestors up to the nation and the world; at each the most specific other keys first; an exact
validity wins, else the latest earlier value within the parameter's carry-forward. Every departure from what was
wanted is recorded; a parameter that has not ``place`` among its keys is wanted for the nation. Nothing found is
missing, never zero.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.engine.factors import EVERYWHERE, FAR_FUTURE, FAR_PAST, KEYS, FactorTable, Parameter
from dualcarbon.engine.methods import FactorUse

ROOTS = ("CN", "WORLD", "")


@dataclass(frozen=True)
class Choice:
    """What a run chooses factors by: the family, the GWP set and what was known when."""

    family: str
    gwp: str
    known_at: date | None = None


def resolve(
    cells: pl.DataFrame, uses: Sequence[FactorUse], table: FactorTable, names: Classification, choice: Choice
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Add to ``cells`` one column ``factor:NAME`` per use: the row of ``table.frame`` or null when missing.

    ``cells`` holds ``start``, ``end`` and the key columns that the parameters need (absent ones count as
    empty). Returns the cells and the fallbacks ``{parameter, wanted, used, reason: place|period|key}``.
    """
    fallbacks: list[dict[str, Any]] = []
    together: dict[tuple[tuple[str, str], ...], list[FactorUse]] = {}
    for use in uses:
        parameter = table.parameters.get(use.parameter)
        if parameter is None:
            cells = cells.with_columns(pl.lit(None, pl.Int64).alias(f"factor:{use.name}"))
            continue
        columns = [(use.entity if key == "entity" else key, key) for key in ("place", *KEYS)]
        kept = [(name, key) for name, key in columns if key in {"place", *parameter.keys} and name in cells.columns]
        together.setdefault(tuple(kept), []).append(use)
    for columns_of, group in together.items():
        names_of = [*(name for name, _ in columns_of), "start", "end"]
        keys = cells.select(names_of).unique(maintain_order=True)
        found = []
        for use in group:
            parameter = table.parameters[use.parameter]
            numbers = _search(keys, [key for _, key in columns_of], use, parameter, table, names, choice, fallbacks)
            found.append(pl.Series(f"factor:{use.name}", numbers, pl.Int64))
        cells = cells.join(keys.with_columns(found), on=names_of, how="left", nulls_equal=True, maintain_order="left")
    return cells, fallbacks


def candidates(
    wanted: dict[str, str], parameter: Parameter, table: FactorTable, names: Classification, choice: Choice
) -> list[list[tuple[tuple[str, ...], list[int]]]]:
    """Rows that could serve one key, as levels from the nearest to the farthest place."""
    keyed = table.index[parameter.id]
    families = [choice.gwp] if parameter.id == "gwp" else [choice.family, ""] if parameter.family else [""]
    options = [_options(key, wanted.get(key, ""), names) for key in KEYS[1:]]
    entity = wanted.get("entity", "")
    place = wanted.get("place", "")
    path = names.places.path(place) if place in names.places else [place] if place else []
    places = [EVERYWHERE, *path, *(root for root in ROOTS if root not in path)]
    levels: list[list[tuple[tuple[str, ...], list[int]]]] = []
    if entity:
        levels.append(list(_present(keyed, families, [*places], entity, options)))
    levels += [list(_present(keyed, families, [place], "", options)) for place in places]
    return [level for level in levels if level]


def _options(key: str, wanted: str, names: Classification) -> list[str]:
    if not wanted:
        return [""]
    if key == "sector":
        return [wanted, *(names.sectors.ancestors(wanted) if wanted in names.sectors else []), ""]
    return [wanted, ""]


def _present(
    keyed: dict[tuple[str, ...], list[int]],
    families: list[str],
    places: list[str],
    entity: str,
    options: list[list[str]],
) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    for place in places:
        for others in itertools.product(*options):
            for family in families:
                key = (family, place, entity, *others)
                if key in keyed:
                    yield key, keyed[key]


def pick(
    levels: list[list[tuple[tuple[str, ...], list[int]]]],
    parameter: Parameter,
    rows: list[dict[str, Any]],
    start: date,
    end: date,
    known_at: date | None,
) -> tuple[int, tuple[str, ...], bool] | None:
    """The chosen row, its key, and whether its validity holds the whole period; None when nothing serves."""
    for level in levels:
        for key, numbers in level:
            for number in numbers:
                row = rows[number]
                if row["start"] <= start and row["end"] >= end and (known_at is None or _known(row, known_at)):
                    return number, key, True
        for key, numbers in level:
            for number in sorted(numbers, key=lambda n: rows[n]["start"], reverse=True):
                row = rows[number]
                if row["start"] > start or not _known(row, known_at):
                    continue
                gap = (end.year if end.month > 1 or end.day > 1 else end.year - 1) - (row["end"].year - 1)
                if row["end"].month > 1 or row["end"].day > 1:
                    gap -= 1
                if gap <= parameter.carry_forward:
                    return number, key, False
                break
    return None


def _known(row: dict[str, Any], known_at: date | None) -> bool:
    return known_at is None or row["known_at"] is None or row["known_at"] <= known_at


def _search(
    keys: pl.DataFrame,
    dims: list[str],
    use: FactorUse,
    parameter: Parameter,
    table: FactorTable,
    names: Classification,
    choice: Choice,
    fallbacks: list[dict[str, Any]],
) -> list[int | None]:
    levels_of: dict[tuple[Any, ...], Any] = {}
    used: dict[tuple[Any, ...], list[date]] = {}
    found: list[int | None] = []
    for *values, start, end in keys.iter_rows():
        group = tuple(values)
        levels = levels_of.get(group)
        if levels is None:
            levels = levels_of[group] = candidates(_wanted(dims, group, use), parameter, table, names, choice)
        chosen = pick(levels, parameter, table.rows, start, end, choice.known_at)
        if chosen is None:
            found.append(None)
            continue
        number, key, exact = chosen
        found.append(number)
        span = used.setdefault((group, number, key, exact, start.year), [start, end])
        span[0], span[1] = min(span[0], start), max(span[1], end)
    for (group, number, key, exact, _), (start, end) in used.items():
        wanted = _wanted(dims, group, use)
        for reason in _reasons(wanted, key, exact, parameter):
            fallbacks.append(_departure(wanted, table.rows[number], parameter, reason, start, end))
    return found


def _wanted(dims: list[str], values: tuple[str | None, ...], use: FactorUse) -> dict[str, str]:
    return {**{dim: value or "" for dim, value in zip(dims, values, strict=True)}, **use.key}


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
