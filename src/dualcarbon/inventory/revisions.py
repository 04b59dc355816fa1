"""Two vintages of an account: what was known at one day beside another, and the reason of each difference.

The difference is split in two steps that add up: the newer observations under the older factors, then the newer
factors. Each changed row says why: new, revised (with the reason that was given), withdrawn, or a changed factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import DIMENSIONS
from dualcarbon.engine.runs import as_date
from dualcarbon.inventory.definitions import Part
from dualcarbon.inventory.parts import NOW, SUPPLIER, WHO, output_of
from dualcarbon.inventory.question import Query, query
from dualcarbon.inventory.stack import Stack, stacked
from dualcarbon.inventory.tables import ABSENT, name_of
from dualcarbon.inventory.views import View, results

CELL = ("place", "entity", "sector", "carrier", "process", "domain", "counterparty", "counterparty_place", "gas",
        "equipment", "basis", "dataset", "unit", "error_group", "start", "end")  # fmt: skip
ROW = ("dataset", *DIMENSIONS, "start", "end", "unit")
WORDS = {
    "new": {"zh": "新增数据", "en": "new rows"},
    "revised": {"zh": "数据更正", "en": "revised rows"},
    "withdrawn": {"zh": "数据撤销", "en": "withdrawn rows"},
    "factor": {"zh": "因子变化", "en": "changed factors"},
}
EXAMPLES = 20


def vintages(
    data: Any,
    a: date | str | None = None,
    b: date | str | None = None,
    *,
    known_at: date | str | None = None,
    version_a: int | None = None,
    version_b: int | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """The account as known at day `a` beside day `b`, with the reason of each difference.

    `b`: default `known_at`, else now. `a`: default the publication before the newest one in the account. `version_a`,
    `version_b`: states of the workspace (a reverted import counts in an earlier one). `rows` are grouped by reason,
    with their `effect` on the account (they sum to the difference), the number of rows and the largest as `examples`.
    """
    newer = as_date(b) or as_date(known_at)
    q = query(data, known_at=newer, version=version_b, compare=False, **asked)
    dates = _dates(q, newer)
    older = as_date(a)
    if older is None and version_a is None:
        older = dates[-2] if len(dates) > 1 else None
    head = {
        "place": q.place,
        "period": str(q.period),
        "tree": q.tree,
        "basis": q.account.basis,
        "title": q.account.title,
        "unit": q.account.unit,
    }
    if q.unset or (older is None and version_a is None):
        return {**head, "a": None, "b": _end(newer, None), "difference": None, "rows": [], "dates": dates}
    old = query(data, known_at=older, version=version_a, compare=False, **asked)
    between = query(data, known_at=newer, version=version_b, factors_known_at=older or date.max, compare=False, **asked)
    before, middle, after = (_total(one) for one in (old, between, q))
    rows = _data_rows(data, old, between) + _factor_rows(between, q)
    rows = [row for row in rows if row["rows"]]
    difference = None if after is None else after - (before or 0.0)
    return {
        **head,
        "a": _end(older, before),
        "b": _end(newer, after),
        "difference": difference,
        "by_data": None if middle is None else middle - (before or 0.0),
        "by_factors": None if after is None or middle is None else after - middle,
        "rows": sorted(rows, key=lambda row: -abs(row["effect"])),
        "dates": dates,
    }


def _end(day: date | None, value: float | None) -> dict[str, Any]:
    return {"known_at": day, "value": value}


def _stack(q: Query) -> Stack:
    return stacked(q.snapshot, q.account, q.boundary, q.shares)


def _total(q: Query) -> float | None:
    found = results({"total": View(_stack(q))}, q.spans)["total"][NOW].get((), ABSENT)
    return None if found["value"] is None else float(found["value"])


def _dates(q: Query, until: date | None) -> list[date]:
    """Days on which something that the account reads was published."""
    items = [part.item or _method_item(q, part) for part in q.account.parts]
    seen = q.snapshot.quantities().filter(
        pl.col("item").is_in(items) & (pl.col("start") >= q.period.start) & (pl.col("end") <= q.period.end)
    )
    days = seen["known_at"].drop_nulls().unique().sort().to_list()
    return [day for day in days if until is None or day <= until]


def _method_item(q: Query, part: Part) -> str:
    return q.snapshot.part(part).method.rows.item


def _inside(stack: Stack, part: Part, period: Period) -> pl.DataFrame:
    """The part's recorded cells of the period, with output (`co2`) and what one unit of quantity gives (`slope`)."""
    source = stack.sources[part.name]
    name, row = output_of(source, stack.account).equation, source.method.rows.name
    cells = stack.recorded(part).filter((pl.col("start") >= period.start) & (pl.col("end") <= period.end))
    missing = [column for column in CELL if column not in cells.columns]
    cells = cells.with_columns(pl.lit(None, pl.String).alias(column) for column in missing)
    slots = [pl.col(f"factor:{use.name}") for use in source.method.factors]
    return cells.select(
        *CELL, "quantity", "rows", pl.col(name).alias("co2"), pl.col(f"d:{name}:{row}").alias("slope"), *slots
    )


def _data_rows(data: Any, old: Query, new: Query) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    imports = {str(one["id"]): one for one in data.imports()} if hasattr(data, "imports") else {}
    for part in new.account.parts:
        if part.memo:
            continue
        weight = part.sign * (new.shares[part.share] if part.share else 1.0)
        was, now = _inside(_stack(old), part, new.period), _inside(_stack(new), part, new.period)
        keys = list(CELL)
        both = was.join(now, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_now")
        changed = both.filter(pl.col("quantity").fill_null(0.0) != pl.col("quantity_now").fill_null(0.0))
        if not changed.height:
            continue
        slopes = changed.select(*keys, pl.coalesce("slope_now", "slope").alias("slope"))
        removed, added = (_rows(one, part, changed) for one in (old, new))
        for kind, row in _compared(removed, added, slopes, weight, _own(new, part, changed)):
            text = _reason(kind, row, imports)
            group = found.setdefault((kind, text or ""), _group(kind, text))
            _add(group, row, new)
    return list(found.values())


def _rows(q: Query, part: Part, changed: pl.DataFrame) -> pl.DataFrame:
    """Observations of the part in the changed cells."""
    import narwhals as nw

    item = part.item or _method_item(q, part)
    start, end = changed.select(pl.col("start").min(), pl.col("end").max()).row(0)
    frame = nw.from_native(q.snapshot.rows(None)).lazy()
    frame = frame.filter((nw.col("item") == item) & (nw.col("start") >= nw.lit(start)) & (nw.col("end") <= nw.lit(end)))
    for column in ("place", "carrier"):
        wanted = changed[column].unique().to_list()
        known = nw.col(column).is_in([one for one in wanted if one is not None])
        frame = frame.filter(known | nw.col(column).is_null() if None in wanted else known)
    columns = [*ROW, "value", "source", "known_at"]
    return pl.DataFrame(frame.select(*columns).collect(backend="polars").to_native())


def _own(q: Query, part: Part, cells: pl.DataFrame) -> dict[str, pl.Expr]:
    """What of a row says to which cell of the part it belongs, by column of the cells.

    Who has no factor of its own is nobody in the cells, where these are not kept by who; what leaves an area is the
    supplier's.
    """
    source = _stack(q).sources[part.name]
    kept = [name for name in CELL if name in source.cells.columns and name not in ("unit", "error_group")]
    if part.side == "export":
        kept = [name for name in kept if name not in SUPPLIER]
    own = source.factors.frame["entity"].drop_nulls().unique().to_list()
    found = {name: pl.col(name) for name in kept}
    for name in WHO:
        if name in found and set(cells[name].drop_nulls().unique()) <= set(own):
            found[name] = pl.when(pl.col(name).is_in(own)).then(pl.col(name))
    return found


def _compared(
    removed: pl.DataFrame, added: pl.DataFrame, slopes: pl.DataFrame, weight: float, own: Mapping[str, pl.Expr]
) -> list[tuple[str, dict[str, Any]]]:
    """Every row that differs: its kind, its values before and after, its effect on the account."""
    keys = list(ROW)
    both = removed.join(added, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_now")
    differs = pl.col("value").fill_null(float("nan")) != pl.col("value_now").fill_null(float("nan"))
    gone, came = pl.col("source").is_null(), pl.col("source_now").is_null()
    both = both.filter(gone | came | (differs & ~(pl.col("value").is_null() & pl.col("value_now").is_null())))
    slopes = slopes.group_by(list(own)).agg(pl.col("slope").first(), pl.col("unit").first().alias("own"))
    slopes = slopes.rename({name: f"cell:{name}" for name in own})
    both = both.with_columns(column.alias(f"cell:{name}") for name, column in own.items())
    both = both.join(slopes, on=[f"cell:{name}" for name in own], how="inner", nulls_equal=True)
    pairs = [
        (unit, own, units.ratio(unit, own)) for unit, own in both.select("unit", "own").drop_nulls().unique().rows()
    ]
    ratios = pl.DataFrame(pairs, schema={"unit": pl.String, "own": pl.String, "ratio": pl.Float64}, orient="row")
    both = both.join(ratios, on=["unit", "own"], how="left").with_columns(
        pl.col("slope") * pl.col("ratio").fill_null(1.0)
    )
    kind = pl.when(gone).then(pl.lit("new")).when(came).then(pl.lit("withdrawn")).otherwise(pl.lit("revised"))
    effect = (pl.col("value_now").fill_null(0.0) - pl.col("value").fill_null(0.0)) * pl.col("slope") * weight
    both = both.with_columns(kind.alias("kind"), effect.alias("effect"))
    return [(row["kind"], row) for row in both.iter_rows(named=True)]


def _group(kind: str, text: str | None) -> dict[str, Any]:
    return {"reason": kind, "title": WORDS[kind], "text": text, "effect": 0.0, "rows": 0, "examples": []}


def _add(group: dict[str, Any], row: Mapping[str, Any], q: Query) -> None:
    group["effect"] += row["effect"] or 0.0
    group["rows"] += 1
    example = {key: row[key] for key in ("dataset", "place", "entity", "sector", "carrier", "unit")}
    example |= {"period": periods.text(row["start"], row["end"]), "before": row["value"], "after": row["value_now"]}
    example |= {"effect": row["effect"], "source": row["source_now"] or row["source"]}
    example["known_at"] = row["known_at_now"] or row["known_at"]
    example["name"] = {
        lang: " · ".join(
            name_of(kind, row[kind], q.names, lang) for kind in ("place", "sector", "carrier") if row[kind]
        )
        for lang in ("zh", "en")
    }
    group["examples"] = sorted([*group["examples"], example], key=lambda e: -abs(e["effect"] or 0.0))[:EXAMPLES]


def _reason(kind: str, row: Mapping[str, Any], imports: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The reason given with the import that changed the row, or for taking one back.

    A row that names a source of its own does not say its import: then the only reason of its dataset is meant.
    """
    before, after = imports.get(row["source"]), imports.get(row["source_now"])
    if kind == "new":
        return None
    if kind == "withdrawn" or (before and after and before["version"] > after["version"]):
        return before.get("revert_reason") if before else _only(imports, row["dataset"], "revert_reason")
    same = row["source"] == row["source_now"]  # a report since January changes what follows it
    return after.get("reason") if after and not same else _only(imports, row["dataset"], "reason")


def _only(imports: Mapping[str, Mapping[str, Any]], dataset: str, what: str) -> str | None:
    texts = {one[what] for one in imports.values() if one.get(what) and dataset in (one.get("datasets") or ())}
    return texts.pop() if len(texts) == 1 else None


def _factor_rows(old: Query, new: Query) -> list[dict[str, Any]]:
    """Differences of the same observations under the newer factors, by parameter."""
    found: dict[str, dict[str, Any]] = {}
    for part in new.account.parts:
        if part.memo:
            continue
        weight = part.sign * (new.shares[part.share] if part.share else 1.0)
        was, now = _inside(_stack(old), part, new.period), _inside(_stack(new), part, new.period)
        source = _stack(new).sources[part.name]
        both = was.join(now, on=list(CELL), how="full", coalesce=True, nulls_equal=True, suffix="_now")
        differ = [f"factor:{use.name}" for use in source.method.factors]
        both = (
            both.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_now")) for name in differ))
            if differ
            else both.clear()
        )
        for row in both.iter_rows(named=True):
            names = [name for name in differ if row[name] != row[f"{name}_now"]]
            use = source.method.factors[differ.index(names[0])]
            group = found.setdefault(use.parameter, {**_group("factor", None), "parameter": use.parameter})
            effect = ((row["co2_now"] or 0.0) - (row["co2"] or 0.0)) * weight
            group["effect"] += effect
            group["rows"] += row["rows_now"] or row["rows"] or 0
            _add_factor(group, source.factors.rows, row[names[0]], row[f"{names[0]}_now"], effect)
    return list(found.values())


def _add_factor(
    group: dict[str, Any], rows: Sequence[Mapping[str, Any]], before: int | None, after: int | None, effect: float
) -> None:
    """One example per pair of factor values."""
    for known in group["examples"]:
        if known["pair"] == (before, after):
            known["effect"] += effect
            return
    old = rows[before] if before is not None else None
    new = rows[after] if after is not None else None
    shown = new or old or {}
    group["examples"].append(
        {
            "pair": (before, after),
            "place": shown.get("place"),
            "carrier": shown.get("carrier"),
            "before": old["value"] if old else None,
            "after": new["value"] if new else None,
            "unit": shown.get("unit"),
            "source": shown.get("source"),
            "known_at": shown.get("known_at"),
            "effect": effect,
        }
    )
