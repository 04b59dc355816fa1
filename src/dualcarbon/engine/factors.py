"""Factors: dated, regional, sourced values of the parameters that methods use.

A rule pack's parameters and factor rows are read once into one table (:class:`FactorTable`); a caller's own
rows are appended. Every row has an index that stays its identity through the calculation, so that whatever
uses the same value errs together.
"""

import functools
import math
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification, Codes
from dualcarbon.core.classification import load as classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.reading import read_factors
from dualcarbon.core.tables import FACTOR, STATUSES

KEYS = ("entity", "sector", "carrier", "gas", "equipment")
GAS = "/gas"  # in a parameter's unit: per mass of the gas, each row in its own unit (tCO2e/tCH4)
EVERYWHERE = "*"  # the place of a caller's value that names none: it serves before the pack's
FAR_PAST, FAR_FUTURE, EPOCH = date(1, 1, 1), date(9999, 1, 1), date(1970, 1, 1)
NEVER = 10_000_000  # days
Z95 = 1.959963984540054


Candidate = tuple[int, tuple[str, ...], bool]  # row of the factor table, its key, and whether it must hold the period
Candidates = tuple[list[Candidate], list[Candidate]]  # of one key: values to hold the period, best first; earlier ones


@dataclass(frozen=True)
class Parameter:
    """What a parameter is keyed by, its unit and how long a value may serve after its last year.

    ``pair``: (other parameter, its value per unit of this one, relative tolerance) where one follows from the other.
    """

    id: str
    title: dict[str, str]
    unit: str
    keys: tuple[str, ...]
    family: bool = False
    carry_forward: int = 0
    bounds: tuple[float, float] | None = None
    pair: tuple[str, float, float] | None = None


@dataclass(frozen=True)
class FactorTable:
    """Parameters and factor rows, with the rows indexed for resolution.

    ``frame``: one row per value with ``factor`` (its identity), the columns of a factor file, ``start`` and
    ``end`` (validity, end exclusive), ``up`` and ``down`` (distance to the 95 % bounds, null when unknown).
    """

    parameters: dict[str, Parameter]
    frame: pl.DataFrame
    index: dict[str, dict[tuple[str, ...], "Candidates"]] = field(compare=False, repr=False)
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
    """Parameters of a pack chain by id; a nearer pack replaces a farther one."""
    return _parameters(pack, packs.fingerprint(pack))


@functools.lru_cache(maxsize=8)
def _parameters(pack: str, fingerprint: Any) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for entry in packs.documents(pack, "parameters"):
        bounds, pair = entry.get("bounds"), entry.get("pair")
        found[entry["id"]] = Parameter(
            id=entry["id"],
            title=dict(entry.get("title") or {}),
            unit=str(entry["unit"]),
            keys=tuple(entry.get("keys") or ()),
            family=bool(entry.get("family", False)),
            carry_forward=int(entry.get("carry_forward", 0)),
            bounds=None if not bounds else (float(bounds[0]), float(bounds[1])),
            pair=None if not pair else (pair["parameter"], float(pair["per"]), float(pair["tolerance"])),
        )
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
        made_row = _row(row, parameters, names, start + len(made), problems, exceptions, given)
        if made_row is not None:
            made.append(made_row)
    problems += _twice(made)
    frame = pl.DataFrame(made, schema=SCHEMA)
    return FactorTable(parameters, frame, _index(parameters, made), made), problems


def _row(
    row: dict[str, Any],
    parameters: dict[str, Parameter],
    names: Classification,
    identity: int,
    problems: list[Problem],
    exceptions: set[tuple[str, str]],
    given: bool,
) -> dict[str, Any] | None:
    """One factor row, converted to its parameter's unit; None (with problems) when it cannot be used."""
    faults: list[Problem] = []

    def fault(rule: str, column: str, value: Any = None, **params: Any) -> None:
        text = row.get(column) if value is None else value
        faults.append(Problem(rule, file=row["_file"], row=row["_line"], column=column, value=text, params=params))

    def number(column: str) -> float | None:
        text = (row.get(column) or "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            fault("engine.factor-number", column)
            return None
        if not math.isfinite(value):
            fault("engine.factor-number", column)
            return None
        return value

    parameter = parameters.get(row.get("parameter", ""))
    value = number("value")
    low, high = number("low"), number("high")
    if parameter is None:
        fault("engine.unknown-parameter", "parameter")
    if value is None and not any(p.column == "value" for p in faults):
        fault("engine.factor-number", "value")
    status = row.get("status") or ("unverified" if given else "")
    if status not in STATUSES:
        fault("engine.factor-status", "status", known=", ".join(STATUSES))
    if (low is None) != (high is None) or (
        low is not None and high is not None and value is not None and not low <= value <= high
    ):
        fault("engine.factor-bounds", "low")
    source = row.get("source") or ""
    if source and not given and source not in names.sources:
        fault("engine.unknown-source", "source")
    begin, end = FAR_PAST, FAR_FUTURE
    known_at = None
    for column in ("valid_from", "valid_to", "known_at"):
        text = (row.get(column) or "").strip()
        if not text:
            continue
        try:
            period = periods.parse(text)
        except ValueError:
            fault("engine.factor-date", column)
            continue
        if column == "valid_from":
            begin = period.start
        elif column == "valid_to":
            end = period.end
        else:
            known_at = period.start
    if begin >= end:
        fault("engine.factor-date", "valid_to")
    place = (row.get("place") or "").strip()
    if place:
        found = names.places.find(place)
        if found is None:
            fault("engine.factor-place", "place")
        place = found or place
    carrier = (row.get("carrier") or "").strip()
    carrier = names.carriers.find(carrier) or carrier
    scale = 1.0
    if parameter is not None:
        unit = row.get("unit") or parameter.unit
        wanted = unit if GAS in parameter.unit else parameter.unit
        try:
            scale = units.ratio(_own_unit(unit, carrier, names), _own_unit(wanted, carrier, names))
        except ValueError as error:
            fault(
                "engine.unit-mismatch",
                "unit",
                expected=parameter.unit,
                what=parameter.id,
                found=unit,
                detail=str(error),
            )
        if parameter.bounds and value is not None and not faults:
            lo, hi = parameter.bounds
            if not lo <= value * scale <= hi and (parameter.id, carrier) not in exceptions:
                fault("engine.factor-out-of-bounds", "value", low=f"{lo:g}", high=f"{hi:g}", unit=parameter.unit)
    problems += faults
    if faults or value is None or parameter is None:
        return None
    value, low, high = (None if x is None else x * scale for x in (value, low, high))
    assert value is not None
    return {
        "factor": identity,
        "parameter": parameter.id,
        "family": row.get("family") or None,
        "place": place or None,
        **{key: (row.get(key) or None) for key in KEYS},
        "carrier": carrier or None,
        "value": value,
        "unit": _own_unit(wanted, carrier, names),
        "low": low,
        "high": high,
        "valid_from": row.get("valid_from") or None,
        "valid_to": row.get("valid_to") or None,
        "known_at": known_at,
        "source": source or (row["_file"] if given else None),
        "clause": row.get("clause") or None,
        "status": status,
        "start": begin,
        "end": end,
        "up": None if high is None else high - value,
        "down": None if low is None else value - low,
        "file": str(row["_file"]),
        "line": int(row["_line"]),
    }


def row_of(codes: Codes, code: str) -> dict[str, str]:
    """The row of a code, empty when the code is unknown (a caller may bring its own)."""
    return codes.row(code) or {}


def _own_unit(unit: str, carrier: str, names: Classification) -> str:
    """The parameter's unit with ``natural`` read as the carrier's natural unit."""
    if "natural" not in unit:
        return unit
    return unit.replace("natural", row_of(names.carriers, carrier).get("natural_unit") or "natural")


def _twice(rows: list[dict[str, Any]]) -> list[Problem]:
    """Two values for one key, validity and known-at."""
    problems = []
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    columns = ("parameter", "family", "place", *KEYS, "start", "end", "known_at")
    for row in rows:
        key = tuple(row[column] for column in columns)
        first = seen.setdefault(key, row)
        if first is not row:
            problems.append(
                Problem(
                    "engine.factor-twice",
                    file=row["file"],
                    row=row["line"],
                    column="parameter",
                    value=row["parameter"],
                    params={"first": f"{Path(first['file']).name}:{first['line']}"},
                )
            )
    return problems


def _index(
    parameters: dict[str, Parameter], rows: list[dict[str, Any]], given_from: int | None = None
) -> dict[str, dict[tuple[str, ...], Candidates]]:
    """parameter → (family, place, entity, sector, carrier, gas, equipment) → its candidates.

    A caller's rows (from ``given_from`` on) come before the pack's, then the latest validity and known-at; of those
    that shall serve after their end the latest.
    """
    given_from = len(rows) if given_from is None else given_from
    found: dict[str, dict[tuple[str, ...], list[int]]] = {name: {} for name in parameters}
    for number, row in enumerate(rows):
        key = tuple(row[column] or "" for column in ("family", "place", *KEYS))
        if number >= given_from and not row["place"]:
            key = (key[0], EVERYWHERE, *key[2:])
        found[row["parameter"]].setdefault(key, []).append(number)

    def candidates(key: tuple[str, ...], numbers: list[int]) -> Candidates:
        best = sorted(numbers, key=lambda n: (rows[n]["start"], rows[n]["known_at"] or FAR_PAST, n), reverse=True)
        mine_first = sorted(best, key=lambda n: n < given_from)
        latest = sorted(mine_first, key=lambda n: rows[n]["start"], reverse=True)
        return [(n, key, True) for n in mine_first], [(n, key, False) for n in latest]

    return {name: {key: candidates(key, numbers) for key, numbers in keyed.items()} for name, keyed in found.items()}


def standard_deviation(value: float, low: float | None, high: float | None) -> tuple[float, float] | None:
    """(mean, standard deviation) of the distribution through both 95 % bounds.

    Symmetric bounds give a normal, skewed positive ones a lognormal through both; None without bounds.
    """
    if low is None or high is None or high <= low:
        return None
    if low > 0 and abs((high - value) - (value - low)) > 1e-6 * (high - low):
        mu, sigma = (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / (2 * Z95)
        mean = math.exp(mu + sigma**2 / 2)
        return mean, mean * math.sqrt(math.exp(sigma**2) - 1)
    return value, (high - low) / (2 * Z95)
