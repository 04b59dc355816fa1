"""The catalogue: what methods and factors a rule pack holds, described for readers."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.classification import load as classification
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.cases import run_case
from dualcarbon.engine.factor_rows import FAR_FUTURE, FAR_PAST, KEYS
from dualcarbon.engine.factors import load_factors, load_parameters
from dualcarbon.engine.methods import FactorUse, find_method, method_files
from dualcarbon.engine.resolve import Choice, resolve

SHOWN = ("parameter", "family", "place", *KEYS, "value", "unit", "low", "high", "valid_from", "valid_to", "known_at",
         "source", "clause", "status")  # fmt: skip


def methods(pack: str = DEFAULT) -> list[dict[str, Any]]:
    """Every method of the pack: ``{id, version, title, status, source, clause, item, outputs}``."""
    found = []
    for name in sorted(method_files(pack)):
        method = find_method(name, pack).method
        found.append(
            {
                "id": method.id,
                "version": method.version,
                "title": method.title.model_dump(),
                "status": method.status,
                "source": method.source.id,
                "clause": method.source.clause,
                "item": method.rows.item,
                "outputs": [output.item for output in method.outputs],
            }
        )
    return found


def describe(name: str | Path, pack: str = DEFAULT) -> dict[str, Any]:
    """One method whole: its file's content, LaTeX of its equations, linearity, and its cases with what they give."""
    proven = find_method(name, pack)
    method = proven.method
    cases = [
        {
            "name": case.name,
            "source": case.source,
            "given": case.given,
            "results": [
                {"equation": equation, "expected": expected, "value": value}
                for equation, (expected, value) in run_case(proven, case, pack).items()
            ],
        }
        for case in method.cases
    ]
    return {
        **method.model_dump(),
        "linear": proven.linear,
        "latex": proven.latex,
        "sha256": proven.digest,
        "cases": cases,
    }


def page(name: str | Path, pack: str = DEFAULT, lang: str = "zh") -> str:
    """The method's page in Markdown, in Chinese or English, made from its file."""
    proven = find_method(name, pack)
    method, names = proven.method, classification(pack)
    zh = lang == "zh"
    parameters = load_parameters(pack)
    title = method.title.model_dump()[lang]
    lines = [f"# {title}", "", f"`{method.id}` · {'版本' if zh else 'version'} {method.version} · {method.status}", ""]
    if method.description:
        lines += [method.description.model_dump()[lang], ""]
    source = names.sources.name(method.source.id, lang) if method.source.id in names.sources else method.source.id
    lines += [f"{'依据' if zh else 'Source'}: {source} {method.source.clause}".rstrip(), ""]
    lines += [f"## {'公式' if zh else 'Equations'}", ""]
    for equation in method.equations:
        meaning = f" {equation.title.model_dump()[lang]}" if equation.title else ""
        lines += [
            f"$${equation.name} = {proven.latex[equation.name]}$$",
            "",
            f"`{equation.name}`{meaning}: {equation.unit}",
            "",
        ]
    heads = ("符号", "含义", "单位") if zh else ("symbol", "meaning", "unit")
    lines += [f"## {'输入' if zh else 'Inputs'}", "", f"| {' | '.join(heads)} |", "|---|---|---|"]
    item = names.items.name(method.rows.item, lang) if method.rows.item in names.items else ""
    lines.append(f"| {method.rows.name} | {item} `{method.rows.item}` | {method.rows.unit} |")
    for look in method.lookups:
        lines.append(f"| {look.name} | `{look.item}` | {look.unit} |")
    for use in method.factors:
        meaning = parameters[use.parameter].title.get(lang, "") if use.parameter in parameters else ""
        lines.append(f"| {use.name} | {meaning} `{use.parameter}` | {use.unit} |")
    for symbol, constant in method.constants.items():
        lines.append(f"| {symbol} | {constant.value} | {constant.unit} |")
    if method.cases:
        lines += ["", f"## {'算例' if zh else 'Worked cases'}", ""]
        lines += [
            "| 算例 | 给定 | 应得 | 来源 |" if zh else "| case | given | expected | source |",
            "|---|---|---|---|",
        ]
        for case in method.cases:
            given = ", ".join(
                f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"
                for key, value in case.given.items()
            )
            expect = ", ".join(f"{key} = {value:g}" for key, value in case.expect.items())
            lines.append(f"| {case.name} | {given} | {expect} | {case.source} |")
    return "\n".join(lines) + "\n"


def find_factors(
    name: str,
    *,
    pack: str = DEFAULT,
    place: str | None = None,
    at: str | None = None,
    carrier: str | None = None,
    known_at: date | None = None,
    family: str = "provincial-2025",
    gwp: str = "AR5",
) -> dict[str, Any]:
    """A parameter's rows and, when a place or time is asked, the one that serves there and then.

    Returns ``{parameter, factors, resolved, fallbacks}``. ``name`` may be a parameter's id or a part of its id or
    title. Raises Refused when no parameter, or several, are meant.
    """
    table, names = load_factors(pack), classification(pack)
    parameters = table.parameters
    wanted = name.casefold()
    meant = [name] if name in parameters else [
        one.id for one in parameters.values()
        if any(wanted in text.casefold() for text in (one.id, *one.title.values()))
    ]  # fmt: skip
    if len(meant) != 1:
        known = ", ".join(meant or sorted(parameters))
        raise Refused([Problem("engine.which-parameter", column="parameter", value=name, params={"known": known})])
    parameter = parameters[meant[0]]
    code = None if place is None else _code(names, "places", place, "place")
    fuel = None if carrier is None else _code(names, "carriers", carrier, "carrier")
    rows = [row for row in table.rows if row["parameter"] == parameter.id and (fuel is None or row["carrier"] == fuel)]
    resolved: dict[str, Any] | None = None
    fallbacks: list[dict[str, Any]] = []
    if code or at:
        span = periods.parse(at) if at else periods.Period(FAR_PAST, FAR_FUTURE)
        if not at:
            today = date.today()
            span = periods.parse(str(today.year))
        cells = pl.DataFrame(
            {"place": [code], "carrier": [fuel], "start": [span.start], "end": [span.end]},
            schema={"place": pl.String, "carrier": pl.String, "start": pl.Date, "end": pl.Date},
        )
        use = FactorUse(name="asked", parameter=parameter.id, unit=parameter.unit)
        cells, fallbacks = resolve(cells, [use], table, names, Choice(family, gwp, known_at))
        number = cells["factor:asked"][0]
        resolved = None if number is None else shown(table.rows[number])
    return {
        "parameter": {
            "id": parameter.id,
            "title": parameter.title,
            "unit": parameter.unit,
            "keys": list(parameter.keys),
        },
        "resolved": resolved,
        "fallbacks": fallbacks,
        "factors": [shown(row) for row in rows],
    }


def _code(names: Classification, kind: str, text: str, column: str) -> str:
    code = getattr(names, kind).find(text)
    if code is None:
        raise Refused([Problem(f"core.unknown-{column}", column=column, value=text, params={"hint": ""})])
    return str(code)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of a factor row that readers see; empty ones left out."""
    return {name: row[name] for name in SHOWN if row.get(name) is not None}
