"""The units that work plans write, so that 10000 亩 and 1.0784 万亩 can be compared."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from dualcarbon.plan.reading.script import fold, simplify

SCALES = {"万亿": 1e12, "亿": 1e8, "千万": 1e7, "百万": 1e6, "万": 1e4}


@dataclass(frozen=True)
class Unit:
    """A unit as the plan writes it: what it measures, and how many base units of that it is."""

    text: str
    dimension: str
    factor: float


@cache
def _bases() -> dict[str, tuple[str, str, float]]:
    path = Path(__file__).with_name("units.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["text"]: (row["unit"], row["dimension"], float(row["factor"])) for row in csv.DictReader(lines)}


@cache
def pattern() -> str:
    """Return the regular expression of a unit in folded text, with its scale (万, 亿) and denominator."""
    bases = sorted(_bases(), key=len, reverse=True)
    one = "(?:" + "|".join(re.escape(base) + _border(base) for base in bases) + ")"
    scale = "(?:" + "|".join(sorted(SCALES, key=len, reverse=True)) + ")?"
    return rf"{scale}\s?{one}(?:/{scale}{one})?"


def _border(base: str) -> str:
    """A unit of Latin letters ends where the letters end."""
    return "(?![A-Za-z])" if base[-1].isascii() and base[-1].isalpha() else ""


@lru_cache(maxsize=20_000)
def parse(text: str) -> Unit | None:
    """Return the unit that `text` names, or None: `万千瓦`, `万m2`, `吨标煤/万元`, `个`, `台(套)`."""
    clean = re.sub(r"\s+", "", fold(simplify(text)))
    if not clean or clean in "/-—无":
        return None
    if clean in _bases():
        _, dimension, factor = _bases()[clean]
        return Unit(clean, dimension, factor)
    if "/" in clean:
        parts = [parse(part) for part in clean.split("/")]
        if len(parts) == 2 and parts[0] and parts[1]:
            if parts[0].dimension == parts[1].dimension == "count":
                return parts[0]
            return Unit(clean, f"{parts[0].dimension}/{parts[1].dimension}", parts[0].factor / parts[1].factor)
        return None
    for scale, factor in SCALES.items():
        if clean.startswith(scale) and (rest := parse(clean[len(scale) :])) is not None:
            return Unit(clean, rest.dimension, factor * rest.factor)
    if clean.startswith("10^4") and (rest := parse(clean[4:])) is not None:
        return Unit(clean, rest.dimension, 1e4 * rest.factor)
    return None


def canonical(unit: Unit) -> str:
    """Return one spelling for the units that differ in nothing but spelling (`万m2` and `万平方米`)."""
    scale = next((scale for scale in SCALES if unit.text.startswith(scale)), "")
    rest = unit.text[len(scale) :]
    known = _bases().get(rest)
    if known is None or known[1] == "count":
        return unit.text
    return scale + known[0]
