"""Methods as data: read from YAML, checked whole, their units proven once and the proof kept.

A method file is described by :class:`Method`; its JSON Schema is :func:`schema`. Reading one gives all
its faults at once, each with file and line. Units are proven with pint and linearity is decided with
SymPy the first time a text is seen; the proof is cached by content, so neither is imported afterwards.
"""

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dualcarbon.core import pack as packs
from dualcarbon.core import units
from dualcarbon.core.classification import load as classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import formula as formulas
from dualcarbon.engine.factors import GAS, load_factors, load_parameters, row_of

Name = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]
Where = dict[str, str | list[str] | dict[Literal["not"], str | list[str]]]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 booleans: ``on`` and ``no`` are words here, not truth values."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.IGNORECASE), list("tTfF"))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Part):
    """A title in both languages."""

    zh: str
    en: str


class Source(_Part):
    """The document a method comes from and its clause."""

    id: str
    clause: Text = ""


class Rows(_Part):
    """The one row input, the grain: an item, its unit and the rows of it that count."""

    name: Name
    item: str
    unit: Text
    where: Where = {}


class Lookup(_Part):
    """Another item joined on equal dimensions, at most one row for each; ``lag`` in years."""

    name: Name
    item: str
    unit: Text
    on: list[str] = ["place", "period"]
    lag: int = 0
    where: Where = {}


class FactorUse(_Part):
    """A parameter under the name that the equations use; ``key`` fixes dimensions of its key.

    ``entity: counterparty`` takes the value of the row's counterparty (the supplier) where the parameter is keyed by
    entity.
    """

    name: Name
    parameter: str
    unit: Text
    key: dict[str, str] = {}
    entity: Literal["entity", "counterparty"] = "entity"


class Constant(_Part):
    """A number, or arithmetic of numbers such as ``44/12``, with its unit."""

    value: float | str
    unit: Text


class Equation(_Part):
    """A named quantity with its unit and formula."""

    name: Name
    unit: Text
    formula: Text
    title: Title | None = None


class Output(_Part):
    """An equation given out as an item; ``category: by sector`` takes the category of the row's sector."""

    equation: Name
    item: str
    scope: Text | None = None
    category: Text | None = None
    basis: Text | None = None
    gas: Text | None = None


class Case(_Part):
    """A worked example: numbers in the declared units, or dimensions from which factors are resolved."""

    name: Text
    given: dict[str, float | str]
    expect: dict[str, float]
    source: str
    tolerance: float = 5e-5


class Method(_Part):
    """A versioned set of equations with its clause: one row input, factors, constants, equations, outputs."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+$")]
    version: Text
    status: Literal["official", "secondary", "unverified", "synthetic"]
    title: Title
    source: Source
    description: Title | None = None
    rows: Rows
    lookups: list[Lookup] = []
    factors: list[FactorUse] = []
    constants: dict[Name, Constant] = {}
    equations: Annotated[list[Equation], Field(min_length=1)]
    outputs: Annotated[list[Output], Field(min_length=1)]
    cases: list[Case] = []

    @model_validator(mode="after")
    def _names(self) -> "Method":
        seen: set[str] = set()
        inputs = [self.rows.name, *(f.name for f in self.factors), *(k.name for k in self.lookups), *self.constants]
        for name in inputs:
            if name in seen:
                raise ValueError(f"the name {name} is used twice")
            seen.add(name)
        for equation in self.equations:
            try:
                names = formulas.parse(equation.formula).names
            except formulas.FormulaError as error:
                raise ValueError(f"equation {equation.name}: {error}") from error
            unknown = [name for name in names if name not in seen]
            if unknown:
                raise ValueError(f"equation {equation.name} uses unknown name(s) {', '.join(unknown)}")
            if equation.name in seen:
                raise ValueError(f"the name {equation.name} is used twice")
            seen.add(equation.name)
        for output in self.outputs:
            if output.equation not in {equation.name for equation in self.equations}:
                raise ValueError(f"output {output.item} names no equation: {output.equation}")
        return self

    def parsed(self) -> dict[str, formulas.Formula]:
        """The formula of each equation, in order."""
        return {equation.name: formulas.parse(equation.formula) for equation in self.equations}


@dataclass(frozen=True)
class Proven:
    """A method whose units are proven.

    ``scales[natural][name]`` brings one declared unit of ``name`` to base units (and the equation's back),
    for each natural unit that occurs; ``linear`` says that every output is proportional to the row input.
    """

    method: Method
    path: str
    digest: str
    linear: bool
    scales: dict[str, dict[str, float]]
    latex: dict[str, str]


def schema() -> dict[str, Any]:
    """JSON Schema of a method file."""
    return Method.model_json_schema()


def method_files(pack: str) -> dict[str, Path]:
    """Method files of a pack chain by method id; a nearer pack replaces a farther one."""
    return {
        _identifier(path): path for folder in packs.chain(pack) for path in sorted((folder / "methods").glob("*.yaml"))
    }


def _identifier(path: Path) -> str:
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line.startswith("id:"):
            return line.removeprefix("id:").split("#")[0].strip().strip("\"'")
    return path.stem


def find_method(name: str | Path, pack: str = "cn-jiaxing", factors: Iterable[str] = ()) -> Proven:
    """The proven method of that id in the pack, or of that YAML file.

    ``factors``: natural units that a caller's own factors add. Raises Refused with every fault found, and
    with the list of ids when the name is none.
    """
    files = method_files(pack)
    path = files.get(str(name))
    if path is None:
        path = Path(name)
        if path.suffix not in (".yaml", ".yml") or not path.is_file():
            raise Refused([Problem("engine.unknown-method", value=str(name), params={"known": ", ".join(files)})])
    stamp = path.stat().st_mtime_ns
    return _load(str(path), stamp, pack, tuple(sorted(set(factors))))


@functools.lru_cache(maxsize=256)
def _load(path: str, stamp: int, pack: str, naturals: tuple[str, ...]) -> Proven:
    method, problems = read_method(path)
    if method is None:
        raise Refused(problems)
    return _prove(method, path, pack, naturals)


def read_method(path: str | Path) -> tuple[Method | None, list[Problem]]:
    """Read and check one method file; all faults at once, each with its line."""
    text = Path(path).read_text(encoding="utf-8-sig")
    try:
        tree = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        row = mark.line + 1 if mark else None
        detail = getattr(error, "problem", None) or str(error)
        return None, [Problem("engine.method-yaml", file=str(path), row=row, params={"detail": detail})]
    try:
        return Method.model_validate(data), []
    except ValidationError as error:
        return None, [
            Problem(
                "engine.method-schema",
                file=str(path),
                row=_line(tree, fault["loc"]),
                column=".".join(str(part) for part in fault["loc"]),
                value=None if isinstance(fault.get("input"), dict | list) else str(fault.get("input")),
                params={"detail": fault["msg"].removeprefix("Value error, ")},
            )
            for fault in error.errors()
        ]


def _line(node: Any, location: Iterable[Any]) -> int | None:
    """Line of the deepest YAML node on the way to a fault."""
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
        else:
            found = None
        if found is None:
            break
        node = found
    return None if node is None else node.start_mark.line + 1


def check(path: str | Path, pack: str = "cn-jiaxing", factors: str | Path | None = None) -> list[Problem]:
    """Every fault of a method file: form, names, units, parameters that nobody declares, cases that do not come out.

    ``factors``: the caller's own factor CSV, which may declare further parameters.
    """
    from dualcarbon.engine.calculation import declared, run_case
    from dualcarbon.engine.factors import with_factors

    method, problems = read_method(path)
    if method is None:
        return problems
    try:
        proven = _prove(method, str(path), pack, ())
        table = with_factors(pack, factors)
        declared(proven, table)
    except Refused as refused:
        return list(refused.problems)
    for case in method.cases:
        for name, (expected, got) in run_case(proven, case, pack, table).items():
            if got is None or abs(got - expected) > case.tolerance * max(abs(expected), 1e-12):
                problems.append(
                    Problem(
                        "engine.case-differs",
                        file=str(path),
                        column=f"cases.{case.name}.{name}",
                        value=None if got is None else f"{got:.10g}",
                        params={"expected": f"{expected:.10g}"},
                    )
                )
    return problems


def _prove(method: Method, path: str, pack: str, naturals: tuple[str, ...]) -> Proven:
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


def _naturals(method: Method, pack: str) -> set[str]:
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


def _proof(method: Method, path: str, naturals: tuple[str, ...], declared: dict[str, str]) -> dict[str, Any]:
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
    method: Method, path: str, natural: str, declared: dict[str, str], problems: list[Problem]
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


def _symbols(method: Method) -> tuple[bool, dict[str, str]]:
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
