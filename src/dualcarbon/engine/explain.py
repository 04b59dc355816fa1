"""Explain: open a figure to its equation, its factors and the rows it came from.

Nothing is stored for it: the asked cell is calculated again from the same table with all its intermediate columns
kept, so what is shown is what was calculated.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import load as classification
from dualcarbon.core.pack import DEFAULT
from dualcarbon.engine.calculation import Calculation, calculate
from dualcarbon.engine.groups import Term, labelled
from dualcarbon.engine.methods import Method, Output, Where, find_method, method_files
from dualcarbon.engine.opened import CELL, ROWS_SHOWN, blank, observed, opened, rest_of, rows_behind
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.question import Ambiguous, Selection, nothing, select
from dualcarbon.engine.reduce import collected, filtered, observations
from dualcarbon.engine.uncertainty import combine


def explain(
    item: str,
    table: Any,
    *,
    place: str | None = None,
    period: str | None = None,
    sector: str | None = None,
    carrier: str | None = None,
    entity: str | None = None,
    where: Where | None = None,
    method: str | Path | None = None,
    methods: Iterable[str | Path] | None = None,
    basis: str | None = None,
    tree: str = "admin",
    pack: str = DEFAULT,
    factors: str | Path | pl.DataFrame | None = None,
    family: str = "provincial-2025",
    known_at: date | None = None,
    gwp: str = "AR5",
    statuses: Mapping[str, str] | None = None,
    custody: Collection[str] | None = None,
    canonical: bool = True,
    borrow: bool = False,
) -> dict[str, Any]:
    """The node of a figure: ``{item, dimensions, value, unit, low, high, status, complete, method, equations,
    equation, substituted, factors, inputs, children, rows, rows_total, rest, withheld, missing, fallbacks, next}``.

    A figure under one set of factors is a leaf with its equation and rows; any other has one child for each set, and
    the children sum to it. ``rows``: the first 100 by contribution; rows of a ``custody`` that the asker may not see
    are counted in ``withheld`` and not shown. ``next``: the values by which it can be drilled. ``table`` as for
    :func:`dualcarbon.engine.calculation.calculate`. Raises Ambiguous, or Refused when nothing answers.
    """
    names = classification(pack)
    asked = {"item": item, "place": place, "period": period, "sector": sector, "carrier": carrier, "entity": entity}
    question = {key: value for key, value in asked.items() if value}
    selection = select(observations(table, known_at), names, question, tree, where)
    frame = selection.frame
    found = _answers(item, selection, method, methods, pack, basis)
    if not found:
        return observed(item, frame, question, names, custody, statuses)
    if len(found) > 1:
        different = {proven.method.id for proven, _ in found}
        if len(different) > 1:
            raise Ambiguous({"method": sorted(different)})
        raise Ambiguous({"basis": sorted({output.basis or "" for _, output in found})})
    proven, output = found[0]
    calculation = calculate(
        proven, frame, pack=pack, factors=factors, family=family, known_at=known_at, gwp=gwp,
        dims=(*CELL, *(["entity"] if entity else [])), statuses=statuses, canonical=canonical, borrow=borrow,
    )  # fmt: skip
    if not calculation.cells.height and not calculation.notations.height:
        raise nothing(question)
    node = _node(calculation, output, calculation.cells, question, frame, custody)
    node["missing"] = calculation.missing
    node["fallbacks"] = calculation.fallbacks
    node["not_attributable"] = selection.split
    node["next"] = _next(calculation, calculation.cells)
    return node


def _answers(
    item: str,
    selection: Selection,
    method: str | Path | None,
    methods: Iterable[str | Path] | None,
    pack: str,
    basis: str | None,
) -> list[tuple[Proven, Output]]:
    """Outputs of the asked item whose method has rows here."""
    asked: Iterable[str | Path] = [method] if method else methods if methods is not None else method_files(pack)
    found = []
    for name in asked:
        proven = find_method(name, pack)
        if proven.method.rows.item not in selection.items:
            continue
        outputs = [o for o in proven.method.outputs if o.item == item and (not basis or o.basis == basis)]
        if outputs and (method or _has_rows(selection.frame, proven.method)):
            found += [(proven, output) for output in outputs]
    return found


def _has_rows(frame: "nw.LazyFrame[Any]", method: Method) -> bool:
    kept = filtered(frame, method.rows.item, method.rows.where)
    return bool(collected(kept.select("item").head(1)).height)


def _node(
    calculation: Calculation,
    output: Output,
    cells: pl.DataFrame,
    dimensions: Mapping[str, str],
    frame: "nw.LazyFrame[Any]",
    custody: Collection[str] | None,
) -> dict[str, Any]:
    """The node of these cells: a leaf when one set of factors serves them all."""
    method = calculation.method
    part = _part(calculation, cells)
    result = combine([Term(part, output)]).row(0, named=True)
    keys = [f"factor:{use.name}" for use in method.factors]
    keys += [dim for dim in ("carrier", "equipment", "gas") if dim in cells.columns and method.factors]
    groups = cells.partition_by(keys, maintain_order=True) if keys and cells.height else [cells]
    if not calculation.proven.linear and cells.height > 1:
        groups = [cells.slice(number, 1) for number in range(min(cells.height, ROWS_SHOWN))]
    told = ("value", "unit", "low", "high", "uncertainty", "status", "complete", "basis", "scope", "category")
    node = blank(output.item, dimensions)
    node |= {name: result[name] for name in told}
    node["method"] = {
        "id": method.id,
        "version": method.version,
        "title": method.title.model_dump(),
        "status": method.status,
        "source": method.source.id,
        "clause": method.source.clause,
    }
    node["equation"] = next(e.formula for e in method.equations if e.name == output.equation)
    node["rows_total"] = int(cells["rows"].sum())
    if len(groups) > 1:
        parts = [_node(calculation, output, group, dimensions, frame, custody) for group in groups]
        for child, group in zip(parts, groups, strict=True):
            child["dimensions"] = {**dimensions, **_constant(group)}
        node["children"] = sorted(parts, key=lambda child: -abs(child["value"] or 0.0))
        return node
    if cells.height:
        node.update(opened(calculation, output, cells))
        node.update(rows_behind(calculation, output, cells, frame, custody))
        if custody is None:
            made = node["inputs"][0]
            node["rest"] = rest_of(node["rows"], node["rows_total"], made["value"], made["unit"], node["value"])
    return node


def _part(calculation: Calculation, cells: pl.DataFrame) -> Calculation:
    from dataclasses import replace

    whole = cells.height == calculation.cells.height
    return replace(
        calculation, cells=cells, notations=calculation.notations if whole else calculation.notations.clear()
    )


def _constant(cells: pl.DataFrame) -> dict[str, str]:
    """Dimensions that all these cells share, and the period that holds them."""
    shared = {
        dim: cells[dim][0]
        for dim in (*CELL, "entity")
        if dim in cells.columns and cells[dim].n_unique() == 1 and cells[dim][0]
    }
    return {**shared, "period": periods.text(cells["start"].min(), cells["end"].max())}  # type: ignore[arg-type]


def _next(calculation: Calculation, cells: pl.DataFrame) -> dict[str, list[str]]:
    """Values of each dimension by which the figure can be drilled."""
    term = Term(calculation, calculation.method.outputs[0])
    drilled = labelled(term, cells, ["month"])
    found: dict[str, list[str]] = {}
    for dim in ("place", "sector", "carrier", "process", "month"):
        if dim in drilled.columns:
            values = sorted(value for value in drilled[dim].unique().to_list() if value)
            if len(values) > 1:
                found["period" if dim == "month" else dim] = values
    return found
