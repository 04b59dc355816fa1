"""Units: many spellings, one canonical text, and a registry that refuses what physics or statistics refuse.

Texts pass an alias table first; pint is imported only when a conversion between different units or a proof is asked.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NOT_NAMES = {"%": "percent", "‰": "permille", "1": "dimensionless"}
_GAS = {"CO2": "CO₂", "CH4": "CH₄", "N2O": "N₂O", "SF6": "SF₆", "NF3": "NF₃"}
_GASES = re.compile("|".join(_GAS))
# A gas as a word of its own, or with a mass before it (1.5tCO2) and an equivalence behind it (CO2e).
_GAS_WORD = re.compile(rf"(?:(?:-?\d+(?:\.\d+)?)?(?:wan_)?[kKMG]?[tTg])?(?:{_GASES.pattern})(?:e|eq)?")
_LATIN = re.compile(r"[A-Za-z0-9_./\\@&#|:-]+")
_FILE_OR_ADDRESS = re.compile(r"://|\.[A-Za-z][A-Za-z0-9]{0,4}(?![A-Za-z0-9])")


class UnitError(ValueError):
    """A unit text that cannot be used; `unit` is the text."""

    def __init__(self, message: str, unit: str) -> None:
        super().__init__(message)
        self.unit = unit


class UnknownUnit(UnitError):
    """No unit of that name."""


class AmbiguousUnit(UnknownUnit):
    """The text fits several units that do not convert into each other; `choices` names them."""

    def __init__(self, unit: str, choices: list[str]) -> None:
        super().__init__(f"{unit!r} is ambiguous: {' or '.join(choices)}", unit)
        self.choices = choices


class IncompatibleUnits(UnitError):
    """The two units measure different things, so that only a factor can lead from one to the other."""


@cache
def _aliases() -> dict[str, str]:
    with (HERE / "unit_aliases.csv").open(encoding="utf-8", newline="") as lines:
        return {_tidy(row["alias"]): row["canonical"] for row in csv.DictReader(lines)}


@cache
def names() -> frozenset[str]:
    """Return the canonical names of all simple units."""
    lines = (HERE / "units.txt").read_text(encoding="utf-8").splitlines()
    defined = {line.split("=", 1)[0].strip() for line in lines if "=" in line and not line.startswith("#")}
    return frozenset(defined - {"percent", "permille"} | {"1", "%", "‰"})


def formulas(text: str) -> str:
    """`text` with gases by their formulas: CO2 as CO₂, alone or in a unit (tCO2/MWh).

    Names, codes, file names and addresses that hold the same letters stay as they are: ECO2000, demo-CO2-1.
    """
    if not _GASES.search(text):
        return text
    runs = re.split(r"([\s，。；、]+)", text)
    return "".join(run if _FILE_OR_ADDRESS.search(run) else _LATIN.sub(_formula, run) for run in runs)


def _formula(found: re.Match[str]) -> str:
    """A run of Latin characters; its gases by their formulas if it holds nothing but gases and units."""
    pieces = found[0].strip(":").rstrip(".").split("/")
    # 吨CO2/万元 and 元/tCO2 lose one end to Chinese; what begins with /CO2 is a path.
    ends = len(pieces) > 1 and (not pieces[0]) + (not pieces[-1])
    if ends > 1 or (not pieces[0] and pieces[-1] in _GAS):
        return found[0]
    known = all(not piece or _GAS_WORD.fullmatch(piece) or _is_unit(piece) for piece in pieces)
    return _GASES.sub(lambda gas: _GAS[gas[0]], found[0]) if known else found[0]


def _is_unit(piece: str) -> bool:
    return piece in names() or piece in _aliases()


def _tidy(text: str) -> str:
    """Return `text` in half-width characters, without blanks, powers written plainly and 当量/等价 without brackets."""
    raised = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: "^" + m[0].translate(_SUPERSCRIPTS), str(text))
    tidy = re.sub(r"\s+", "", unicodedata.normalize("NFKC", raised))
    tidy = re.sub(r"[·•⋅・∙×]", "*", tidy).replace("**", "^")
    tidy = re.sub(r"(m|米)\^([23])(?!\d)", r"\1\2", tidy)
    return re.sub(r"[(\[](当量|等价)值?[)\]]", r"\1", tidy).replace("当量值", "当量").replace("等价值", "等价")


@lru_cache(maxsize=10_000)
def canonical(text: str) -> str:
    """Return the canonical spelling of a unit: `万m³` -> `wan_m3`, `吨CO2/万千瓦时` -> `tCO2/wan_kWh`.

    Raises AmbiguousUnit for standard coal without 当量 or 等价 and UnknownUnit for anything that is no unit. The
    placeholder `natural` is no unit here: the engine replaces it by the carrier's own.
    """
    tidy = _tidy(text)
    if not tidy:
        raise UnknownUnit("no unit given", str(text))
    whole = _simple(tidy, text)
    if whole is not None:
        return whole
    pieces = [piece for part in re.split(r"([/()])", tidy) for piece in _factors(part, text)]
    result = "".join(pieces)
    broken = r"[*/(]$|^[*/)]|[*/(][*/)]|[^*/(]\(|\)[^*/)]"
    if result.count("(") != result.count(")") or re.search(broken, result.replace("**", "^")):
        raise UnknownUnit(f"unknown unit: {text!r}", str(text))
    return result


def _factors(part: str, asked: str) -> list[str]:
    """Return the canonical pieces of a product of units, which holds no `/` and no bracket."""
    if part in ("", "/", "(", ")"):
        return [part]
    whole = _simple(part, asked)
    if whole is not None:
        return [whole]
    found: list[str] = []
    for piece in re.split(r"(\*)", part):
        base, _, power = piece.partition("^")
        name = piece if piece in ("", "*") else _simple(piece, asked)
        if name is None and re.fullmatch(r"-?\d+", power):
            name = _simple(base, asked)
            name = name and f"{name}**{power}"
        if name is None:
            raise UnknownUnit(f"unknown unit: {asked!r}", str(asked))
        found.append(name)
    return found


def _simple(tidy: str, asked: str) -> str | None:
    """Return the canonical name of one simple unit, None when there is none."""
    if tidy in names():
        return tidy
    name = _aliases().get(tidy)
    if name is not None and "|" in name:
        raise AmbiguousUnit(str(asked), name.split("|"))
    return name


@lru_cache(maxsize=10_000)
def ratio(from_: str, to: str) -> float:
    """Return what a number in `from_` is multiplied with to be in `to`: `ratio("万m³", "m3") == 10000`.

    Raises UnknownUnit, or IncompatibleUnits when the two measure different things (tC and tCO2, 当量 and 等价, mass and
    volume …).
    """
    left, right = canonical(from_), canonical(to)
    if left == right:
        return 1.0
    first, second = pint_unit(left), pint_unit(right)
    if first.dimensionality != second.dimensionality:
        raise IncompatibleUnits(f"{from_} does not convert into {to}", str(from_))
    return float(registry().convert(1, first, second))


def compatible(from_: str, to: str) -> bool:
    """Return whether `from_` converts into `to`. Raises UnknownUnit."""
    try:
        ratio(from_, to)
    except IncompatibleUnits:
        return False
    return True


def dimension_of(expression: str) -> dict[str, float]:
    """Return the dimensions of a unit text and their powers: `tCO2/MWh` -> `{carbon_dioxide: 1, energy: -1}`.

    Raises UnknownUnit.
    """
    return {name.strip("[]"): float(power) for name, power in pint_unit(expression).dimensionality.items()}


def pint_unit(expression: str) -> Any:
    """Return the pint unit of a unit text, for proofs on quantities. Raises UnknownUnit."""
    text = re.sub(r"%|‰|(?<![\w.*])1(?![\w.])", lambda m: _NOT_NAMES[m[0]], canonical(expression))
    return registry().parse_units(text)


@cache
def registry() -> Any:
    """Return the pint registry of `units.txt`; nothing of pint's own definitions is in it."""
    import pint

    made: Any = pint.UnitRegistry(None, non_int_type=float)
    made.load_definitions(str(HERE / "units.txt"))
    return made
