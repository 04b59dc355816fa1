"""Proofs: the units of a method hold, what brings them to base units, and whether it is linear.

pint and SymPy are imported here alone, the first time a text is seen; the proof is kept by content.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcarbon.core import units
from dualcarbon.core.classification import load as classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import formula as formulas
from dualcarbon.engine.factor_rows import GAS, row_of
from dualcarbon.engine.factors import load_factors, load_parameters

if TYPE_CHECKING:
    from dualcarbon.engine.methods import Method


@dataclass(frozen=True)
class Proven:
    """A method whose units are proven.

    ``scales[natural][name]`` brings one declared unit of ``name`` to base units (and the equation's back),
    for each natural unit that occurs; ``linear`` says that every output is proportional to the row input.
    """

    method: "Method"
    path: str
    digest: str
    linear: bool
    scales: dict[str, dict[str, float]]
    latex: dict[str, str]


def prove(method: "Method", path: str, pack: str, naturals: tuple[str, ...]) -> Proven:
    naturals = tuple(sorted({*naturals, *_naturals(method, pack)})) or ("1",)
    parameters = load_parameters(pack)
    declared = {use.parameter: parameters[use.parameter].unit for use in method.factors if use.parameter in parameters}
    body = method.model_dump_json()
    digest = hashlib.sha256(body.encode()).hexdigest()
    key = hashlib.sha256(json.dumps([body, naturals, declared, _definitions(), _ENGINE]).encode()).hexdigest()
    cache = cache_folder() / "methods" / f"{key}.json"
    try:
        kept = json.loads(cache.read_text())
    except (OSError, ValueError):
        kept = _proof(method, path, naturals, declared)
        _keep(cache, kept)
    return Proven(method, path, digest, kept["linear"], kept["scales"], kept["latex"])


_ENGINE = "2"  # part of every proof's key: raise it when proofs of the same text would differ


def _definitions() -> str:
    return hashlib.sha256((units.HERE / "units.txt").read_bytes()).hexdigest()


def cache_folder() -> Path:
    """Folder of derived data that may be deleted at any time (``DUALCARBON_CACHE``, else the user's cache)."""
    chosen = os.environ.get("DUALCARBON_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualcarbon"


def _keep(path: Path, data: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(data))
        partial.replace(path)
    except OSError:
        pass  # a read-only machine proves again next time


def _naturals(method: "Method", pack: str) -> set[str]:
    """Natural units of the carriers that the method's factors cover, when it speaks of ``natural`` at all."""
    if not any("natural" in unit for unit in (method.rows.unit, *(use.unit for use in method.factors))):
        return set()
    table = load_factors(pack)
    carriers = classification(pack).carriers
    covered = {
        carrier
        for use in method.factors
        for carrier in table.frame.filter(table.frame["parameter"] == use.parameter)["carrier"].unique().to_list()
        if carrier
    }
    return {row_of(carriers, code).get("natural_unit", "") for code in covered} - {""}


def _proof(method: "Method", path: str, naturals: tuple[str, ...], declared: dict[str, str]) -> dict[str, Any]:
    problems: list[Problem] = []
    scales: dict[str, dict[str, float]] = {}
    for natural in naturals:
        scales[natural] = _scales(method, path, natural, declared, problems)
    if problems:
        unique = {(p.rule, p.column, str(p.params)): p for p in problems}
        raise Refused(list(unique.values()))
    linear, latex = _symbols(method)
    return {"linear": linear, "scales": scales, "latex": latex}


def _scales(
    method: "Method", path: str, natural: str, declared: dict[str, str], problems: list[Problem]
) -> dict[str, float]:
    """Evaluate every equation once on quantities of one unit each; collect what does not agree."""
    registry = units.registry()
    scales: dict[str, float] = {}
    quantities: dict[str, Any] = {}

    def quantity(name: str, unit: str, column: str) -> Any:
        text = unit.replace("natural", natural)
        try:
            value = registry.Quantity(1.0, units.pint_unit(text)).to_base_units()
        except Exception as error:  # pint raises many kinds; each one means that the unit cannot be read
            problems.append(
                Problem("engine.unknown-unit", file=path, column=column, value=unit, params={"detail": str(error)})
            )
            return None
        scales[name] = float(value.magnitude)
        quantities[name] = registry.Quantity(1.0, value.units)
        return quantities[name]

    quantity(method.rows.name, method.rows.unit, "rows.unit")
    for lookup in method.lookups:
        quantity(lookup.name, lookup.unit, f"lookups.{lookup.name}.unit")
    for use in method.factors:
        made = quantity(use.name, use.unit, f"factors.{use.name}.unit")
        if use.parameter in declared and GAS not in declared[use.parameter] and made is not None:
            ours = units.pint_unit(declared[use.parameter].replace("natural", natural))
            if not made.is_compatible_with(ours):
                problems.append(
                    Problem(
                        "engine.unit-mismatch",
                        file=path,
                        column=f"factors.{use.name}.unit",
                        value=use.unit,
                        params={"expected": declared[use.parameter], "what": use.parameter, "found": use.unit},
                    )
                )
    for name, number in method.constants.items():
        quantity(name, number.unit, f"constants.{name}.unit")
    for equation in method.equations:
        column = f"equations.{equation.name}"
        stated = quantity(equation.name, equation.unit, f"{column}.unit")
        formula = formulas.parse(equation.formula)
        if stated is None or any(name not in quantities for name in formula.names):
            continue
        try:
            made = formula.evaluate(quantities, formulas.QUANTITIES)
            made = made if hasattr(made, "units") else registry.Quantity(made, "")
        except Exception as error:
            problems.append(
                Problem(
                    "engine.formula-units",
                    file=path,
                    column=column,
                    value=equation.formula,
                    params={"detail": str(error)},
                )
            )
            continue
        if not made.is_compatible_with(stated):
            problems.append(
                Problem(
                    "engine.unit-mismatch",
                    file=path,
                    column=f"{column}.unit",
                    value=equation.unit,
                    params={
                        "expected": equation.unit,
                        "what": equation.name,
                        "found": f"{made.units:~P}" if made.units else "1",
                    },
                )
            )
    return scales


def _symbols(method: "Method") -> tuple[bool, dict[str, str]]:
    """Is every output proportional to the row input; and LaTeX of each equation."""
    import sympy

    functions = formulas.sympy_functions()
    symbols: dict[str, Any] = {
        name: sympy.Symbol(name, positive=True)
        for name in [
            method.rows.name,
            *(use.name for use in method.factors),
            *(look.name for look in method.lookups),
            *method.constants,
        ]
    }
    plain = {name: sympy.Symbol(name) for name in [*symbols, *(equation.name for equation in method.equations)]}
    row = symbols[method.rows.name]
    values = dict(symbols)
    latex: dict[str, str] = {}
    for equation, formula in zip(method.equations, method.parsed().values(), strict=True):
        values[equation.name] = formula.evaluate(values, functions)
        with sympy.evaluate(False):
            latex[equation.name] = sympy.latex(formula.evaluate(plain, functions), mul_symbol="times", order="none")
    outputs = [sympy.sympify(values[output.equation]) for output in method.outputs]
    linear = all(
        sympy.simplify(output.subs(row, 0)) == 0 and not sympy.simplify(sympy.diff(output, row)).has(row)
        for output in outputs
    )
    return linear, latex
