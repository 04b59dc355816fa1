"""Opened: what stands behind one set of factors or an observed item: equations with numbers, factors, rows."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.classification import Classification
from dualcarbon.core.covering import OWN, uppermost
from dualcarbon.core.tables import worst
from dualcarbon.engine.calculation import Calculation
from dualcarbon.engine.factor_rows import KEYS, row_of
from dualcarbon.engine.factors import load_parameters
from dualcarbon.engine.methods import Output
from dualcarbon.engine.question import Ambiguous, nothing
from dualcarbon.engine.reduce import among, collected, filtered

ROWS_SHOWN = 100
CELL = ("place", "sector", "carrier", "process", "domain", "equipment", "gas")
WHO = ("entity", "counterparty")
BETWEEN = "\x1f"  # two texts
SHOWN = ("dataset", "place", "entity", "sector", "carrier", "process", "counterparty", "start", "end", "value", "unit",
         "notation", "low", "high", "quality", "custody", "source", "sheet", "row", "known_at")  # fmt: skip
LISTS = ("equations", "factors", "inputs", "children", "rows", "missing", "fallbacks", "not_attributable")
TEXTS = ("value", "unit", "low", "high", "uncertainty", "status", "complete", "basis", "scope", "category", "method",
         "equation", "substituted")  # fmt: skip


def blank(item: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    """A node of which nothing is known yet."""
    lists: dict[str, Any] = {name: [] for name in LISTS}
    empty = {**dict.fromkeys(TEXTS), **lists, "rows_total": 0, "withheld": 0, "rest": None, "next": {}}
    return {"item": item, "dimensions": dict(dimensions), **empty}


def opened(calculation: Calculation, output: Output, cells: pl.DataFrame) -> dict[str, Any]:
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


def rows_behind(
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
    dims = [dim for dim in (*CELL, *WHO) if dim in cells.columns and dim in columns]
    rows, cells, keys = _keyed(rows, cells, dims, calculation)
    rows = matching(rows, cells[keys])
    starts = cells["start"].unique().to_list()
    if len(starts) <= ROWS_SHOWN:
        rows = rows.filter(nw.col("start").is_in(starts))
    withheld = 0
    if custody is not None and "custody" in columns:
        seen = nw.col("custody").is_null() | nw.col("custody").is_in(list(custody))
        withheld = int(collected(rows.filter(~seen).select(nw.len().alias("rows"))).item())
        rows = rows.filter(seen)
    shown = [name for name in dict.fromkeys((*SHOWN, *dims)) if name in columns]
    kept = [key for key in keys if key not in shown]
    top = rows.filter(~nw.col("value").is_null()).select(*shown, *kept).with_columns(weight=nw.col("value").abs())
    ties = [name for name in ("source", "sheet", "row") if name in shown]
    top = top.sort("weight", *ties, descending=[True, *(False for _ in ties)])
    found = collected(top.head(ROWS_SHOWN))
    keys += ["start", "end"]
    slope = cells.select(*keys, per=f"d:{output.equation}:{method.rows.name}").unique(keys)
    found = found.with_columns(pl.col(pl.Categorical).cast(pl.String), pl.col("start", "end").cast(pl.Date))
    found = found.join(slope, on=keys, how="inner", nulls_equal=True, maintain_order="left")
    scale = _unit_scale(cells, found)
    found = found.with_columns(contribution=pl.col("value") * pl.col("per") * scale)
    found = found.sort(pl.col("contribution").abs(), descending=True, nulls_last=True, maintain_order=True)
    shown_rows = found.drop("weight", "per", *kept).iter_rows(named=True)
    return {"rows": [_shown(row) for row in shown_rows], "withheld": withheld}


def _keyed(
    rows: "nw.LazyFrame[Any]", cells: pl.DataFrame, dims: Sequence[str], calculation: Calculation
) -> tuple["nw.LazyFrame[Any]", pl.DataFrame, list[str]]:
    """Rows and cells with the columns by which they belong together: who has no factor of its own is nobody in both."""
    own = calculation.factors.frame["entity"].drop_nulls().unique().to_list()
    keys = []
    for dim in dims:
        blanked = dim in WHO and set(cells[dim].drop_nulls().unique()) <= set(own)
        keys.append(f"own:{dim}" if blanked else dim)
        if blanked:
            named = nw.when(nw.col(dim).is_in(own)).then(nw.col(dim)).otherwise(nw.lit(None))
            rows, cells = rows.with_columns(named.alias(keys[-1])), cells.with_columns(pl.col(dim).alias(keys[-1]))
    return rows, cells, keys


def matching(frame: "nw.LazyFrame[Any]", keys: pl.DataFrame) -> "nw.LazyFrame[Any]":
    """Rows whose combination of the columns of `keys` is one of its rows; null is equal to null."""
    keys = keys.unique()
    each = {name: keys[name].unique() for name in keys.columns}
    frame = frame.filter(*(among(nw.col(name), values) for name, values in each.items())) if each else frame
    if not each or keys.height == math.prod(len(values) for values in each.values()):
        return frame
    if frame.implementation.is_polars():
        by = [pl.col(name).cast(pl.String) for name in keys.columns]
        return nw.from_native(frame.to_native().join(keys.lazy(), on=by, how="semi", nulls_equal=True))
    texts = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in keys.columns], separator=BETWEEN)
    own = nw.concat_str([nw.col(name).cast(nw.String).fill_null("") for name in keys.columns], separator=BETWEEN)
    return frame.filter(own.is_in(keys.select(texts).to_series().to_list()))


def rest_of(
    rows: list[dict[str, Any]], total: int, quantity: float | None, unit: str | None, value: float | None
) -> dict[str, Any] | None:
    """What the rows that are not listed add, so that list and rest sum to the figure; None where all are listed.

    ``{rows, value, contribution}``: how many, their quantity (None where the units of rows differ) and what they give.
    """
    if total <= len(rows):
        return None
    alike = quantity is not None and all(row.get("unit") in (None, unit) for row in rows)
    listed = math.fsum(row.get("value") or 0.0 for row in rows)
    given = None if value is None or not all("contribution" in row for row in rows) else value
    return {
        "rows": total - len(rows),
        "value": quantity - listed if alike and quantity is not None else None,
        "contribution": None if given is None else given - math.fsum(row["contribution"] or 0.0 for row in rows),
    }


def _unit_scale(cells: pl.DataFrame, rows: pl.DataFrame) -> pl.Expr:
    target = cells["unit"][0]
    given = rows["unit"].unique().to_list() if "unit" in rows.columns else []
    ratios = {unit: units.ratio(unit, target) if unit and unit != target else 1.0 for unit in given}
    return pl.col("unit").replace_strict(ratios, return_dtype=pl.Float64) if ratios else pl.lit(1.0)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as readers see it: its period as text, empty columns left out."""
    start, end = row.pop("start"), row.pop("end")
    return {"period": periods.text(start, end), **{key: value for key, value in row.items() if value is not None}}


#: Why a figure is not complete where neither a place's own rows nor those of its parts cover its time and sectors.
_PARTLY = {
    "zh": "本地区的数与下级的数都不覆盖全部时期和行业，不相加",
    "en": "neither the place's own figures nor those of its parts cover all the time and sectors: not added",
}


def rows_of(
    item: str, frame: "nw.LazyFrame[Any]", names: Classification, period: str | None
) -> tuple["nw.LazyFrame[Any]", list[dict[str, Any]]]:
    """The rows of an item in a period and what they lack; of one that no account adds up over places (`covering.OWN`)
    a place's own figures or those of its parts."""
    kept = frame.filter(nw.col("item") == item)
    if not item.startswith(OWN):
        return kept, []
    rows, short = uppermost(collected(kept), names, periods.parse(period) if period else None)
    lacks = [{"reason": "partly", "reason_text": _PARTLY, "place": place, "period": str(span), "quantity": None,
              "unit": None} for place, span in short]  # fmt: skip
    return nw.from_native(rows.lazy()), lacks


def observed(
    item: str,
    frame: "nw.LazyFrame[Any]",
    question: Mapping[str, str],
    names: Classification,
    custody: Collection[str] | None,
    statuses: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The node of an observed item, which no method gives: its rows and their sum where a sum makes sense.

    Its status is the weakest of its datasets'; NO and NA complete a sum, NE and a missing value do not.
    """
    asked, lacks = rows_of(item, frame, names, question.get("period"))
    found = collected(asked)
    if not found.height:
        raise nothing(question)
    for dim in ("carrier", "unit", "basis"):
        if dim in found.columns and found[dim].n_unique() > 1:
            raise Ambiguous({dim: sorted(str(value) for value in found[dim].unique().to_list() if value)})
    kind = row_of(names.items, item).get("kind") or "flow"
    seen = found
    if custody is not None and "custody" in found.columns:
        seen = found.filter(pl.col("custody").is_null() | pl.col("custody").is_in(list(custody)))
    top = seen.sort(pl.col("value").abs(), descending=True, nulls_last=True).head(ROWS_SHOWN)
    summed = kind == "flow" or found.height == 1
    shown = [name for name in SHOWN if name in found.columns]
    known = found["dataset"].unique().to_list() if statuses and "dataset" in found.columns else []
    absent = found.filter(pl.col("value").is_null())
    if "notation" in found.columns:
        absent = absent.filter(pl.col("notation").is_null() | (pl.col("notation") == "NE"))
    value = float(found["value"].sum()) if summed and found["value"].count() else None
    unit = found["unit"][0] if "unit" in found.columns else None
    rows = [_shown(row) for row in top.select(shown).iter_rows(named=True)]
    return {
        **blank(item, question),
        "status": worst((statuses or {}).get(name) for name in known),
        "value": value,
        "unit": unit,
        "complete": not absent.height and not lacks,
        "missing": lacks,
        "rows": rows,
        "rows_total": found.height,
        "rest": rest_of(rows, found.height, value, unit, None) if summed and custody is None else None,
        "withheld": found.height - seen.height,
    }
