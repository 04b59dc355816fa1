"""Factors: dated, regional, sourced values of the parameters that methods use.

A rule pack's parameters and factor rows are read once into one table (:class:`FactorTable`); a caller's own
rows are appended. Every row has an index that stays its identity through the calculation, so that whatever
uses the same value errs together.
"""

import functools
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core import units
from dualcarbon.core.classification import Classification
from dualcarbon.core.classification import load as classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.reading import read_factors
from dualcarbon.core.tables import FACTOR, STATUSES
from dualcarbon.engine.factor_rows import EPOCH, FAR_PAST, KEYS, Parameter, factor_row, given_twice, row_of

EVERYWHERE = "*"  # the place of a caller's value that names none: it serves before the pack's
NEVER = 10_000_000  # days
Candidate = tuple[int, tuple[str, ...], bool]  # row of the factor table, its key, and whether it must hold the period
Candidates = tuple[list[Candidate], list[Candidate]]  # of one key: values to hold the period, best first; earlier ones
Index = dict[str, dict[tuple[str, str], dict[tuple[str, ...], Candidates]]]  # by parameter, (place, entity), other keys


@dataclass(frozen=True)
class FactorTable:
    """Parameters and factor rows, with the rows indexed for resolution.

    ``frame``: one row per value with ``factor`` (its identity), the columns of a factor file, ``start`` and
    ``end`` (validity, end exclusive), ``up`` and ``down`` (distance to the 95 % bounds, null when unknown).
    """

    parameters: dict[str, Parameter]
    frame: pl.DataFrame
    index: Index = field(compare=False, repr=False)
    rows: list[dict[str, Any]] = field(compare=False, repr=False)

    def validity(self, known_at: date | None) -> tuple[Any, Any, Any]:
        """First day, day after the last, and year of the last day, of each row and of one more that always holds.

        A row that was not known at the date begins never.
        """
        start, end, last_year, known = self._days
        if known_at is None:
            return start, end, last_year
        return np.where(known <= (known_at - EPOCH).days, start, NEVER), end, last_year

    @functools.cached_property
    def ranks(self) -> Any:
        """Place of each row's status in STATUSES, and -1 for no row."""
        return np.array([*(STATUSES.index(row["status"]) for row in self.rows), -1])

    @functools.cached_property
    def _days(self) -> list[Any]:
        end, known = pl.col("end"), pl.col("known_at").fill_null(FAR_PAST)
        days = self.frame.select("start", end, last=end.dt.offset_by("-1d").dt.year(), known=known)
        always = (-NEVER, NEVER, NEVER, -NEVER)
        return [
            np.append(days[name].to_physical().to_numpy().astype(np.int64), held)
            for name, held in zip(days.columns, always, strict=True)
        ]


SCHEMA: dict[str, Any] = {
    "factor": pl.Int64,
    **FACTOR,
    "start": pl.Date,
    "end": pl.Date,
    "up": pl.Float64,
    "down": pl.Float64,
    "file": pl.String,
    "line": pl.Int64,
}


def load_parameters(pack: str) -> dict[str, Parameter]:
    """Parameters of a pack chain by id; a nearer pack replaces a farther one. Raises PackError with every fault."""
    return _parameters(pack, packs.fingerprint(pack))


DECLARED = {"id", "title", "unit", "keys", "family", "carry_forward", "bounds", "pair", "_file"}


@functools.lru_cache(maxsize=8)
def _parameters(pack: str, fingerprint: Any) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    errors: list[str] = []
    for entry in packs.documents(pack, "parameters"):
        title, where = entry.get("title") or {}, f"{entry['_file']}: {entry.get('id')}"
        if not entry.get("id") or not entry.get("unit"):
            errors.append(f"{where}: needs id and unit")
            continue
        if not isinstance(title, dict) or any(not isinstance(title.get(lang), str) for lang in ("zh", "en")):
            errors.append(f"{where}: needs a title in zh and en")
        elif title.keys() > {"zh", "en"}:
            errors.append(f"{where}: put quotation marks around a title with a comma ({title['en']!r} ...)")
        if unknown := entry.keys() - DECLARED:
            errors.append(f"{where}: unknown {', '.join(sorted(unknown))}")
        bounds, pair = entry.get("bounds"), entry.get("pair")
        found[entry["id"]] = Parameter(
            id=entry["id"],
            title=dict(title),
            unit=str(entry["unit"]),
            keys=tuple(entry.get("keys") or ()),
            family=bool(entry.get("family", False)),
            carry_forward=int(entry.get("carry_forward", 0)),
            bounds=None if not bounds else (float(bounds[0]), float(bounds[1])),
            pair=None if not pair else (pair["parameter"], float(pair["per"]), float(pair["tolerance"])),
        )
    if errors:
        raise packs.PackError(errors)
    return found


def load_factors(pack: str) -> FactorTable:
    """Parameters and factor rows of a pack chain; raises Refused with every fault of the files."""
    return _factors(pack, packs.fingerprint(pack))


@functools.lru_cache(maxsize=8)
def _factors(pack: str, fingerprint: Any) -> FactorTable:
    table, problems = _build(load_parameters(pack), packs.rows(pack, "factors/*"), pack)
    if problems:
        raise Refused(problems)
    return table


def with_factors(pack: str, path: str | Path | None, frame: pl.DataFrame | None = None) -> FactorTable:
    """The pack's table with a caller's factor file (CSV or Excel), or frame of the same columns, appended.

    A parameter that the pack does not know is declared by its rows: keyed by every key column that they fill,
    carried forward to no other year. Raises Refused with every fault found.
    """
    base = load_factors(pack)
    if path is None and frame is None:
        return base
    if path is not None:
        stat = Path(path).stat()
        return _with_file(pack, packs.fingerprint(pack), str(path), (stat.st_mtime_ns, stat.st_size))
    assert frame is not None
    return _append(base, _texts(frame, ""), pack)


@functools.lru_cache(maxsize=8)
def _with_file(pack: str, fingerprint: Any, path: str, stamp: Any) -> FactorTable:
    frame, problems = read_factors(path)
    if problems:
        raise Refused(problems)
    return _append(load_factors(pack), _texts(frame, Path(path).name), pack)


def _texts(frame: pl.DataFrame, file: str) -> list[dict[str, Any]]:
    """Rows of a caller's factors as those of a pack's file: text, with where each stands."""
    numbered = frame.with_columns(
        pl.col("row") if "row" in frame.columns else pl.int_range(2, pl.len() + 2).alias("row")
    )
    return [
        {**{k: "" if v is None else str(v) for k, v in row.items()}, "_file": file, "_line": row["row"]}
        for row in numbered.to_dicts()
    ]


def _append(base: FactorTable, rows: list[dict[str, Any]], pack: str) -> FactorTable:
    parameters = dict(base.parameters)
    own: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row.get("parameter") and row["parameter"] not in base.parameters:
            own.setdefault(row["parameter"], []).append(row)
    names = classification(pack)
    for name, given in own.items():
        keys = tuple(key for key in ("place", *KEYS) if any(row.get(key) for row in given))
        parameters[name] = Parameter(name, {}, _common_unit(given, names), keys)
    made, problems = _build(parameters, rows, pack, start=base.frame.height, given=True)
    from dualcarbon.engine.traps import traps

    problems += traps(parameters, made.rows, base.rows)
    if problems:
        raise Refused(problems)
    frame = pl.concat([base.frame, made.frame])
    all_rows = base.rows + made.rows
    return FactorTable(parameters, frame, _index(parameters, all_rows, base.frame.height), all_rows)


def _common_unit(rows: list[dict[str, Any]], names: Classification) -> str:
    """The unit of a parameter that only its rows declare: ``natural`` stands for units that follow the carrier."""
    units_given = {row.get("unit") or "1" for row in rows}
    if len(units_given) == 1:
        return str(units_given.pop())
    general = set()
    for row in rows:
        unit = row.get("unit") or "1"
        natural = row_of(names.carriers, names.carriers.find(row.get("carrier") or "") or "").get("natural_unit")
        top, slash, bottom = unit.rpartition("/")
        general.add(f"{top}/natural" if slash and natural and units.canonical(bottom) == natural else unit)
    return sorted(general)[0]


def _build(
    parameters: dict[str, Parameter], rows: list[dict[str, Any]], pack: str, start: int = 0, given: bool = False
) -> tuple[FactorTable, list[Problem]]:
    problems: list[Problem] = []
    made: list[dict[str, Any]] = []
    names = classification(pack)
    exceptions = {(row["parameter"], row["carrier"]) for row in packs.rows(pack, "exceptions")}
    for row in rows:
        made_row = factor_row(row, parameters, names, start + len(made), problems, exceptions, given)
        if made_row is not None:
            made.append(made_row)
    problems += given_twice(made)
    frame = pl.DataFrame(made, schema=SCHEMA)
    return FactorTable(parameters, frame, _index(parameters, made), made), problems


def _index(parameters: dict[str, Parameter], rows: list[dict[str, Any]], given_from: int | None = None) -> Index:
    """parameter → (place, entity) → (family, sector, carrier, gas, equipment) → its candidates.

    A caller's rows (from ``given_from`` on) come before the pack's, then the latest validity and known-at; of those
    that shall serve after their end the latest.
    """
    given_from = len(rows) if given_from is None else given_from
    found: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        place = EVERYWHERE if number >= given_from and not row["place"] else row["place"] or ""
        key = (row["parameter"], row["family"] or "", place, *(row[column] or "" for column in KEYS))
        found.setdefault(key, []).append(number)
    index: Index = {name: {} for name in parameters}
    for (parameter, *columns), numbers in found.items():
        key = tuple(columns)
        family, place, entity, *others = key
        best = sorted(numbers, key=lambda n: (rows[n]["start"], rows[n]["known_at"] or FAR_PAST, n), reverse=True)
        mine_first = sorted(best, key=lambda n: n < given_from)
        latest = sorted(mine_first, key=lambda n: rows[n]["start"], reverse=True)
        index[parameter].setdefault((place, entity), {})[family, *others] = (
            [(n, key, True) for n in mine_first],
            [(n, key, False) for n in latest],
        )
    return index
