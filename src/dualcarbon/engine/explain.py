"""Explain: open a figure to its equation, its factors and the rows it came from.

Nothing is stored for it: the asked cell is calculated again from the same table with all its intermediate columns
kept, so what is shown is what was calculated.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.classification import load as classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine.calculation import Calculation, calculate
from dualcarbon.engine.factors import KEYS, load_parameters, row_of
from dualcarbon.engine.groups import Term, labelled
from dualcarbon.engine.methods import Method, Output, Where, find_method, method_files
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.reduce import collected, condition, filtered, observations
from dualcarbon.engine.uncertainty import combine

ROWS_SHOWN = 100
IN_MEMORY = 100_000  # rows up to which the asked part of the table is read once and kept
CELL = ("place", "sector", "carrier", "process", "domain", "equipment", "gas")
SHOWN = ("dataset", "place", "entity", "sector", "carrier", "process", "counterparty", "start", "end", "value", "unit",
         "notation", "low", "high", "quality", "custody", "source", "sheet", "row", "known_at")  # fmt: skip


class Ambiguous(Exception):
    """The question has several answers; ``choices`` are the options that would settle it, by option name."""

    def __init__(self, choices: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{name}: {', '.join(values)}" for name, values in choices.items()))
        self.choices = {name: list(values) for name, values in choices.items()}


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
    pack: str = "cn-jiaxing",
    factors: str | Path | pl.DataFrame | None = None,
    family: str = "provincial-2025",
    known_at: date | None = None,
    gwp: str = "AR5",
    statuses: Mapping[str, str] | None = None,
    custody: Collection[str] | None = None,
    canonical: bool = True,
) -> dict[str, Any]:
    """The node of a figure: ``{item, dimensions, value, unit, low, high, status, complete, method, equations,
    equation, substituted, factors, inputs, children, rows, rows_total, withheld, missing, fallbacks, next}``.

    A figure under one set of factors is a leaf with its equation and rows; any other has one child for each set, and
    the children sum to it. ``rows``: the first 100 by contribution; rows of a ``custody`` that the asker may not see
    are counted in ``withheld`` and not shown. ``next``: the values by which it can be drilled. ``table`` as for
    :func:`dualcarbon.engine.calculation.calculate`. Raises Ambiguous, or Refused when nothing answers.
    """
    names = classification(pack)
    asked = {"item": item, "place": place, "period": period, "sector": sector, "carrier": carrier, "entity": entity}
    question = {key: value for key, value in asked.items() if value}
    frame, not_attributable = select(observations(table, known_at), names, question, tree, where)
    few = collected(frame.head(IN_MEMORY + 1))
    if few.height <= IN_MEMORY:
        frame = nw.from_native(few.lazy())
    found = _answers(item, frame, method, methods, pack, basis)
    if not found:
        return _observed(item, frame, question, names, custody)
    if len(found) > 1:
        different = {proven.method.id for proven, _ in found}
        if len(different) > 1:
            raise Ambiguous({"method": sorted(different)})
        raise Ambiguous({"basis": sorted({output.basis or "" for _, output in found})})
    proven, output = found[0]
    calculation = calculate(
        proven, frame, pack=pack, factors=factors, family=family, known_at=known_at, gwp=gwp,
        dims=(*CELL, *(["entity"] if entity else [])), statuses=statuses, canonical=canonical,
    )  # fmt: skip
    if not calculation.cells.height and not calculation.notations.height:
        raise _nothing(question)
    node = _node(calculation, output, calculation.cells, question, frame, custody)
    node["missing"] = calculation.missing
    node["fallbacks"] = calculation.fallbacks
    node["not_attributable"] = not_attributable
    node["next"] = _next(calculation, calculation.cells)
    return node


def select(
    frame: "nw.LazyFrame[Any]", names: Classification, question: Mapping[str, str], tree: str, where: Where | None
) -> tuple["nw.LazyFrame[Any]", list[dict[str, Any]]]:
    """Rows that lie wholly in the asked place (of a tree), period, sector, carrier and entity.

    Returns the rows, and for each recorded place that the tree would have to split (whose rows are left out)
    ``{place, rows}``. Raises Refused for a place that the pack does not know.
    """
    columns = set(frame.collect_schema().names())
    if question.get("period"):
        span = periods.parse(question["period"])
        frame = frame.filter((nw.col("start") >= nw.lit(span.start)) & (nw.col("end") <= nw.lit(span.end)))
    for dim, codes in (("sector", names.sectors), ("carrier", names.carriers)):
        if question.get(dim) and dim in columns:
            text = question[dim]
            code = codes.find(text) or text
            lower = [one for one in codes if code in (one, *codes.ancestors(one))] if code in codes else [code]
            frame = frame.filter(nw.col(dim).is_in(lower))
    if question.get("entity") and "entity" in columns:
        frame = frame.filter(nw.col("entity") == question["entity"])
    for column, wanted in (where or {}).items():
        if column in columns:
            frame = frame.filter(condition(nw.col(column), wanted))
    if not question.get("place"):
        return frame, []
    place = names.places.find(question["place"])
    if place is None:
        params = {"question": question["place"]}
        raise Refused([Problem("engine.nothing-found", column="place", value=question["place"], params=params)])
    inside = names.places.leaves(place, tree)
    extents = {one: names.places.extent(one) for one in names.places}
    within = sorted(one for one, extent in extents.items() if extent <= inside)
    above = names.places.ancestors(place, tree)
    crossing = sorted(one for one, extent in extents.items() if extent & inside and one not in (*within, *above))
    split = frame.filter(nw.col("place").is_in(crossing)).group_by("place").agg(nw.len().alias("rows"))
    lost = collected(split).sort("place").to_dicts() if crossing else []
    return frame.filter(nw.col("place").is_in(within)), lost


def _nothing(question: Mapping[str, str]) -> Refused:
    text = ", ".join(f"{key} {value}" for key, value in question.items())
    return Refused([Problem("engine.nothing-found", params={"question": text})])


def _answers(
    item: str,
    frame: "nw.LazyFrame[Any]",
    method: str | Path | None,
    methods: Iterable[str | Path] | None,
    pack: str,
    basis: str | None,
) -> list[tuple[Proven, Output]]:
    """Outputs of the asked item whose method has rows here."""
    asked: Iterable[str | Path] = [method] if method else methods if methods is not None else method_files(pack)
    items = set(_column(frame.select("item").unique(), "item"))
    found = []
    for name in asked:
        proven = find_method(name, pack)
        if proven.method.rows.item not in items:
            continue
        outputs = [o for o in proven.method.outputs if o.item == item and (not basis or o.basis == basis)]
        if outputs and (method or _has_rows(frame, proven.method)):
            found += [(proven, output) for output in outputs]
    return found


def _has_rows(frame: "nw.LazyFrame[Any]", method: Method) -> bool:
    kept = filtered(frame, method.rows.item, method.rows.where)
    return bool(_column(kept.select("item").head(1), "item"))


def _column(frame: "nw.LazyFrame[Any]", name: str) -> list[Any]:
    return list(collected(frame)[name])


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
    node: dict[str, Any] = {
        "item": output.item,
        "dimensions": dict(dimensions),
        "value": result["value"],
        "unit": result["unit"],
        "low": result["low"],
        "high": result["high"],
        "uncertainty": result["uncertainty"],
        "status": result["status"],
        "complete": result["complete"],
        "basis": result["basis"],
        "scope": result["scope"],
        "category": result["category"],
        "method": {
            "id": method.id,
            "version": method.version,
            "title": method.title.model_dump(),
            "status": method.status,
            "source": method.source.id,
            "clause": method.source.clause,
        },
        "equation": next(e.formula for e in method.equations if e.name == output.equation),
        "substituted": None,
        "equations": [],
        "factors": [],
        "inputs": [],
        "children": [],
        "rows": [],
        "rows_total": int(cells["rows"].sum()),
        "withheld": 0,
        "next": {},
    }
    if len(groups) > 1:
        parts = [_node(calculation, output, group, dimensions, frame, custody) for group in groups]
        for child, group in zip(parts, groups, strict=True):
            child["dimensions"] = {**dimensions, **_constant(group)}
        node["children"] = sorted(parts, key=lambda child: -abs(child["value"] or 0.0))
        return node
    if cells.height:
        node.update(_opened(calculation, output, cells))
        node.update(_rows(calculation, output, cells, frame, custody))
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


def _opened(calculation: Calculation, output: Output, cells: pl.DataFrame) -> dict[str, Any]:
    """Equations with the numbers filled in, and the factors with their source, clause and status."""
    method, proven = calculation.method, calculation.proven
    quantity = float(cells["quantity"].sum()) if cells["quantity"].count() else None
    unit = cells["unit"][0]
    values: dict[str, float | None] = {method.rows.name: quantity}
    texts = {method.rows.name: _quantity(quantity, unit)}
    factors = []
    for use in method.factors:
        number = cells[f"factor:{use.name}"][0]
        row = None if number is None else calculation.factors.rows[number]
        values[use.name] = None if row is None else row["value"]
        own = unit if row is None else row["unit"]
        texts[use.name] = "?" if row is None else _quantity(row["value"], own)
        factors.append(_factor(calculation, use.name, use.parameter, row, cells))
    for name, constant in method.constants.items():
        texts[name] = f"{constant.value} {constant.unit}".strip()
    inputs: list[dict[str, Any]] = [
        {
            "item": method.rows.item,
            "name": method.rows.name,
            "value": quantity,
            "unit": unit,
            "rows_total": int(cells["rows"].sum()),
        }
    ]
    for look in method.lookups:
        found = cells[f"lookup:{look.name}"]
        value = float(found[0]) if found.n_unique() == 1 and found[0] is not None else None
        texts[look.name] = _quantity(value, look.unit) if value is not None else look.name
        inputs.append({"item": look.item, "name": look.name, "value": value, "unit": look.unit, "rows_total": None})
    equations = []
    for equation, formula in zip(method.equations, method.parsed().values(), strict=True):
        made = cells[equation.name]
        value = None if made.null_count() == len(made) else float(made.sum())
        equations.append(
            {
                "name": equation.name,
                "title": equation.title.model_dump() if equation.title else None,
                "formula": equation.formula,
                "latex": proven.latex[equation.name],
                "substituted": f"{formula.substitute(texts)} = {_quantity(value, equation.unit)}",
                "value": value,
                "unit": equation.unit,
            }
        )
        texts[equation.name] = _quantity(value, equation.unit)
    wanted = next(entry for entry in equations if entry["name"] == output.equation)
    return {"equations": equations, "substituted": wanted["substituted"], "factors": factors, "inputs": inputs}


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return "?"
    number = f"{value:,.10g}" if abs(value) < 1e6 else f"{value:,.2f}"
    return number if unit in ("1", "") else f"{number} {unit}"


def _factor(
    calculation: Calculation, name: str, parameter: str, row: dict[str, Any] | None, cells: pl.DataFrame
) -> dict[str, Any]:
    declared = load_parameters(calculation.names.pack).get(parameter)
    opened: dict[str, Any] = {
        "name": name,
        "parameter": parameter,
        "title": declared.title if declared else {},
        "value": None,
        "unit": declared.unit if declared else None,
        "status": None,
    }
    if row is None:
        return {**opened, "missing": True, "fallback": []}
    fallback = [
        f
        for f in calculation.fallbacks
        if f["parameter"] == parameter and f["used"]["value"] == row["value"] and _concerns(f["wanted"], cells)
    ]
    source = row["source"]
    title = row_of(calculation.names.sources, source or "")
    return {
        **opened,
        "value": row["value"],
        "unit": row["unit"],
        "low": row["low"],
        "high": row["high"],
        "family": row["family"],
        "place": row["place"],
        **{key: row[key] for key in KEYS if row[key]},
        "valid_from": row["valid_from"],
        "valid_to": row["valid_to"],
        "known_at": row["known_at"],
        "source": source,
        "source_title": {"zh": title.get("title_zh") or source, "en": title.get("title_en") or source},
        "clause": row["clause"],
        "status": row["status"],
        "missing": False,
        "fallback": fallback,
    }


def _concerns(wanted: Mapping[str, Any], cells: pl.DataFrame) -> bool:
    return all(
        dim not in cells.columns or wanted[dim] in cells[dim].to_list()
        for dim in ("place", "carrier")
        if wanted.get(dim)
    )


def _rows(
    calculation: Calculation,
    output: Output,
    cells: pl.DataFrame,
    frame: "nw.LazyFrame[Any]",
    custody: Collection[str] | None,
) -> dict[str, Any]:
    """The first rows by contribution behind these cells."""
    method = calculation.method
    rows = filtered(frame, method.rows.item, method.rows.where)
    columns = rows.collect_schema().names()
    dims = [dim for dim in (*CELL, "entity") if dim in cells.columns and dim in columns]
    for dim in dims:
        wanted = cells[dim].unique().to_list()
        kept = nw.col(dim).is_in([one for one in wanted if one is not None])
        rows = rows.filter(kept | nw.col(dim).is_null() if None in wanted else kept)
    starts = cells["start"].unique().to_list()
    if len(starts) <= ROWS_SHOWN:
        rows = rows.filter(nw.col("start").is_in(starts))
    withheld = 0
    if custody is not None and "custody" in columns:
        seen = nw.col("custody").is_null() | nw.col("custody").is_in(list(custody))
        withheld = int(_column(rows.filter(~seen).select(nw.len().alias("n")), "n")[0])
        rows = rows.filter(seen)
    shown = [name for name in dict.fromkeys((*SHOWN, *dims)) if name in columns]
    top = rows.filter(~nw.col("value").is_null()).select(*shown).with_columns(weight=nw.col("value").abs())
    found = collected(top.sort("weight", descending=True).head(ROWS_SHOWN))
    keys = [*dims, "start", "end"]
    slope = cells.select(*keys, per=f"d:{output.equation}:{method.rows.name}").unique(keys)
    found = found.with_columns(pl.col(pl.Categorical).cast(pl.String), pl.col("start", "end").cast(pl.Date))
    found = found.join(slope, on=keys, how="inner", nulls_equal=True)
    scale = _unit_scale(cells, found)
    found = found.with_columns(contribution=pl.col("value") * pl.col("per") * scale)
    found = found.sort(pl.col("contribution").abs(), descending=True, nulls_last=True)
    opened = []
    for row in found.iter_rows(named=True):
        start, end = row.pop("start"), row.pop("end")
        row.pop("weight"), row.pop("per")
        opened.append(
            {"period": periods.text(start, end), **{key: value for key, value in row.items() if value is not None}}
        )
    return {"rows": opened, "withheld": withheld}


def _unit_scale(cells: pl.DataFrame, rows: pl.DataFrame) -> pl.Expr:
    from dualcarbon.core import units

    target = cells["unit"][0]
    given = rows["unit"].unique().to_list() if "unit" in rows.columns else []
    ratios = {unit: units.ratio(unit, target) if unit and unit != target else 1.0 for unit in given}
    return pl.col("unit").replace_strict(ratios, return_dtype=pl.Float64) if ratios else pl.lit(1.0)


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


def _observed(
    item: str,
    frame: "nw.LazyFrame[Any]",
    question: Mapping[str, str],
    names: Classification,
    custody: Collection[str] | None,
) -> dict[str, Any]:
    """The node of an observed item, which no method gives: its rows and their sum where a sum makes sense."""
    kept = frame.filter(nw.col("item") == item)
    found = collected(kept)
    if not found.height:
        raise _nothing(question)
    for dim in ("carrier", "unit", "basis", "quality"):
        if dim in found.columns and found[dim].n_unique() > 1:
            raise Ambiguous({dim: sorted(str(value) for value in found[dim].unique().to_list() if value)})
    kind = row_of(names.items, item).get("kind") or "flow"
    withheld = 0
    if custody is not None and "custody" in found.columns:
        seen = found.filter(pl.col("custody").is_null() | pl.col("custody").is_in(list(custody)))
        withheld = found.height - seen.height
        shown = seen
    else:
        shown = found
    shown = shown.sort(pl.col("value").abs(), descending=True, nulls_last=True).head(ROWS_SHOWN)
    summed = kind == "flow" or found.height == 1
    return {
        "item": item,
        "dimensions": dict(question),
        "value": found["value"].sum() if summed and found["value"].count() else None,
        "unit": found["unit"][0] if "unit" in found.columns else None,
        "low": None,
        "high": None,
        "uncertainty": None,
        "status": None,
        "complete": bool(found["value"].null_count() == 0),
        "method": None,
        "equation": None,
        "substituted": None,
        "equations": [],
        "factors": [],
        "inputs": [],
        "children": [],
        "rows": [
            {
                "period": periods.text(row["start"], row["end"]),
                **{k: v for k, v in row.items() if v is not None and k in SHOWN and k not in ("start", "end")},
            }
            for row in shown.iter_rows(named=True)
        ],
        "rows_total": found.height,
        "withheld": withheld,
        "missing": [],
        "fallbacks": [],
        "not_attributable": [],
        "next": {},
    }
