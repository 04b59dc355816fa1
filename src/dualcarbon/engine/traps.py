"""Traps: mistakes that public factor tables really contain, looked for in factors that a caller brings.

Each one is arithmetic on the pack's own values: a value of another year, a value of another parameter (a life-cycle
footprint used as an emission factor), or one half of a pair (the calorific value of one natural gas with the standard
coal of another).
"""

from collections.abc import Sequence
from typing import Any

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem
from dualcarbon.engine.factor_rows import FAR_PAST, KEYS, Parameter

SAME = 5e-5  # published factors have four digits


def traps(
    parameters: dict[str, Parameter], given: Sequence[dict[str, Any]], known: Sequence[dict[str, Any]]
) -> list[Problem]:
    """What is suspicious in ``given`` factor rows beside the ``known`` rows of the pack."""
    return [
        problem
        for row in given
        for problem in (
            _other_year(row, known),
            _other_parameter(row, known),
            _half_a_pair(parameters, row, given, known),
        )
        if problem is not None
    ]


def _other_year(row: dict[str, Any], known: Sequence[dict[str, Any]]) -> Problem | None:
    """The value that the pack has for another year, where it has a different one for this."""
    if row["start"] == FAR_PAST:
        return None
    alike = [one for one in known if all(one[key] == row[key] for key in ("parameter", "family", "place", *KEYS))]
    here = [one for one in alike if one["start"] <= row["start"] < one["end"]]
    if not here or any(_equal(one["value"], row["value"]) for one in here):
        return None
    other = next((one for one in alike if one not in here and _equal(one["value"], row["value"])), None)
    if other is None:
        return None
    year = periods.text(other["start"], other["end"])
    return _problem("engine.factor-of-another-year", row, year=year, expected=f"{here[0]['value']:g}")


def _other_parameter(row: dict[str, Any], known: Sequence[dict[str, Any]]) -> Problem | None:
    """The value of a sibling parameter: a footprint, residual or fossil factor of power used as its average."""
    family = row["parameter"].split(".")[0]
    own = [one["value"] for one in known if one["parameter"] == row["parameter"]]
    if not own or any(_equal(value, row["value"]) for value in own):
        return None
    for one in known:
        sibling = one["parameter"] != row["parameter"] and one["parameter"].split(".")[0] == family
        if sibling and one["carrier"] == row["carrier"] and _equal(one["value"], row["value"]):
            return _problem("engine.factor-of-another-parameter", row, other=one["parameter"])
    return None


def _half_a_pair(
    parameters: dict[str, Parameter],
    row: dict[str, Any],
    given: Sequence[dict[str, Any]],
    known: Sequence[dict[str, Any]],
) -> Problem | None:
    """A value that contradicts the parameter it is derived from, such as standard coal and calorific value."""
    pair = parameters[row["parameter"]].pair
    if pair is None or not row["carrier"]:
        return None
    other, per, tolerance = pair
    for rows in (given, known):
        values = [one["value"] for one in rows if one["parameter"] == other and one["carrier"] == row["carrier"]]
        if values:
            if any(abs(row["value"] * per / value - 1) <= tolerance for value in values):
                return None
            return _problem("engine.half-a-pair", row, other=other, expected=f"{values[0] / per:.4g}")
    return None


def _equal(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(abs(one), abs(other))


def _problem(rule: str, row: dict[str, Any], **params: Any) -> Problem:
    what = {"what": row["parameter"], "unit": row["unit"]}
    return Problem(
        rule, file=row["file"], row=row["line"], column="value", value=f"{row['value']:g}", params={**what, **params}
    )
