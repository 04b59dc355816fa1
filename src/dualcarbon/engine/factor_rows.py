"""Rows of factor files: each checked and brought to its parameter's unit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification, Codes
from dualcarbon.core.problems import Problem
from dualcarbon.core.tables import STATUSES

KEYS = ("entity", "sector", "carrier", "gas", "equipment")
GAS = "/gas"  # in a parameter's unit: per mass of the gas, each row in its own unit (tCO2e/tCH4)
FAR_PAST, FAR_FUTURE, EPOCH = date(1, 1, 1), date(9999, 1, 1), date(1970, 1, 1)


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


def factor_row(
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
    if known_at is None and not given:
        known_at = _issued(row_of(names.sources, source))
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
            scale = units.ratio(own_unit(unit, carrier, names), own_unit(wanted, carrier, names))
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
        "unit": own_unit(wanted, carrier, names),
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


def _issued(source: Mapping[str, str]) -> date | None:
    """The day from which a source can be known (the last of the year or month, where no day is said), if any."""
    text = source.get("issued")
    if not text:
        return None
    return periods.parse(text).end - timedelta(days=1)


def row_of(codes: Codes, code: str) -> dict[str, str]:
    """The row of a code, empty when the code is unknown (a caller may bring its own)."""
    return codes.row(code) or {}


def own_unit(unit: str, carrier: str, names: Classification) -> str:
    """The parameter's unit with ``natural`` read as the carrier's natural unit."""
    if "natural" not in unit:
        return unit
    return unit.replace("natural", row_of(names.carriers, carrier).get("natural_unit") or "natural")


def given_twice(rows: list[dict[str, Any]]) -> list[Problem]:
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
