"""Methods as data: read from YAML and checked whole.

A method file is described by :class:`Method`; its JSON Schema is :func:`schema`. Reading one gives all its faults at
once, each with file and line; what is read is proven (:mod:`dualcarbon.engine.proof`) before it calculates.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dualcarbon.core import pack as packs
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import formula as formulas
from dualcarbon.engine.proof import Proven, prove

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


def schema() -> dict[str, Any]:
    """JSON Schema of a method file."""
    return Method.model_json_schema()


def method_files(pack: str) -> dict[str, Path]:
    """Method files of a pack chain by method id; a nearer pack replaces a farther one."""
    return dict(_method_files(pack, packs.fingerprint(pack)))


@functools.lru_cache(maxsize=8)
def _method_files(pack: str, fingerprint: Any) -> dict[str, Path]:
    return {
        _identifier(path): path for folder in packs.chain(pack) for path in sorted((folder / "methods").glob("*.yaml"))
    }


def _identifier(path: Path) -> str:
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line.startswith("id:"):
            return line.removeprefix("id:").split("#")[0].strip().strip("\"'")
    return path.stem


def find_method(name: str | Path, pack: str = DEFAULT, factors: Iterable[str] = ()) -> Proven:
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
    return prove(method, path, pack, naturals)


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


def check(path: str | Path, pack: str = DEFAULT, factors: str | Path | None = None) -> list[Problem]:
    """Every fault of a method file: form, names, units, parameters that nobody declares, cases that do not come out.

    ``factors``: the caller's own factor CSV, which may declare further parameters.
    """
    from dualcarbon.engine.calculation import declared
    from dualcarbon.engine.cases import run_case
    from dualcarbon.engine.factors import with_factors

    method, problems = read_method(path)
    if method is None:
        return problems
    try:
        proven = prove(method, str(path), pack, ())
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
