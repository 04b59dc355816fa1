"""What an account counts twice: totals beside their parts, and figures that two counted datasets hold.

An import refuses the first and tells the second; tables that are not imported, datasets named together and what was
imported before are told here. Nothing is left out of a sum by guess: whoever asks decides which row goes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import covering, periods
from dualcarbon.core.checks import spoken
from dualcarbon.core.tables import DIMENSIONS
from dualcarbon.engine import find_method
from dualcarbon.engine.opened import matching
from dualcarbon.inventory.definitions import Account
from dualcarbon.inventory.parts import OUTSIDE, SPLIT, areas_of
from dualcarbon.inventory.question import Query
from dualcarbon.inventory.snapshot import Snapshot

#: What those are told who may not see every row.
WITHHELD = {
    "message": {"zh": "有数被重复计入；所在的行不列示（数据管理权限）。",
                "en": "A figure is counted twice; its rows are not shown (custody)."},
    "remedy": {"zh": "请由有权查看的人员核对。", "en": "Ask someone who may see them to check."},
}  # fmt: skip
#: Pairs that are looked for in one state of the data.
MOST = 1000
KEY = ("dataset", *DIMENSIONS)
_SHOWN = ("dataset", "place", "entity", "sector", "carrier", "process")


def doubled(q: Query, part: str | None = None) -> list[dict[str, Any]]:
    """What the asked account (or one part of it) counts twice, in the asked place and period.

    Each is ``{rule, item, period, datasets, parts, rows, message, remedy}``: the row of a part (of `parts` rows) and
    the row that covers it, each with its dataset, dimensions, period, value, unit and where it stands; texts in both
    languages.
    """
    source = q.snapshot.whole or q.snapshot
    found: list[dict[str, Any]] = source.once("doubled", lambda: _found(source))
    if not found:
        return []
    items = _items(q.account, source, part)
    inside = frozenset[str]() if q.entity else _inside(q)
    return [_told(one, q) for one in found if _concerns(one, q, items, inside)]


def unnamed(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without rows, figures and names."""
    return [{**one, "rows": [], **WITHHELD} for one in told]


def _items(account: Account, snapshot: Snapshot, part: str | None = None) -> set[str]:
    """Items that an account adds; memo parts add none unless one is asked."""
    parts = [one for one in account.parts if (not one.memo if part is None else one.name == part)]
    return {one.item or find_method(one.method, snapshot.choices.pack).method.rows.item for one in parts}


def _found(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Clashes (see ``covering.clashes``) among the counted rows of all accounts; only rows of pairs are read."""
    items = sorted(set().union(*(_items(one, snapshot) for one in snapshot.accounts().values())))
    frame = nw.from_native(snapshot.table(tuple(items))).lazy()
    frame = frame.filter(nw.col("item").is_in(items), ~nw.col("value").is_null())
    keys = pl.DataFrame(frame.group_by(*KEY).agg(nw.len().alias("rows")).collect(backend="polars").to_native())
    keys = (
        keys.drop("rows").with_columns(pl.col(pl.Null, pl.Categorical).cast(pl.String)).sort(KEY).with_row_index("_id")
    )
    pairs = covering.covered(keys, snapshot.names, items)
    if pairs.is_empty():
        return []
    paired = keys.filter(pl.col("_id").is_in(pl.concat([pairs["_id"], pairs["_id_up"]]).implode()))
    rows = matching(frame, paired.select(KEY)).collect(backend="polars").to_native()
    placed = pl.DataFrame(rows).join(paired, on=list(KEY), how="inner", nulls_equal=True, maintain_order="left")
    placed = placed.with_columns(
        pl.lit(True).alias("_new"),
        pl.col("value").alias("_reported"),
        pl.col("source").replace(dict(snapshot.files)).alias("_file"),
    )
    return covering.clashes(placed, paired, pairs, MOST)


def _inside(q: Query) -> frozenset[str]:
    areas = areas_of(q.snapshot, q.boundary)
    return frozenset(code for code, area in areas.items() if area not in (OUTSIDE, SPLIT))


def _concerns(one: Mapping[str, Any], q: Query, items: Collection[str], inside: Collection[str]) -> bool:
    """Does the account count both rows?"""
    part, whole = one["part"], one["whole"]
    timed = all(q.period.start <= one[f"start{side}"] and one[f"end{side}"] <= q.period.end for side in ("", "_up"))
    if part["item"] not in items or not timed:
        return False
    if q.entity:
        return all(q.entity in (row["entity"], row["counterparty"]) for row in (part, whole))
    return part["place"] in inside and whole["place"] in inside


def _told(one: Mapping[str, Any], q: Query) -> dict[str, Any]:
    problem = spoken(covering.problem_of(one, q.names), q.names, one["_file"])
    problem = replace(problem, column=None)
    texts = {lang: problem.as_dict(lang) for lang in ("zh", "en")}
    lines = {lang: problem.line(lang).removesuffix(texts[lang]["remedy"]).rstrip() for lang in texts}
    rows = [_row(one, "part", ""), _row(one, "whole", "_up")]
    return {
        "rule": problem.rule,
        "item": one["part"]["item"],
        "period": problem.params["period"],
        "datasets": sorted({row["dataset"] for row in rows}),
        "parts": one["_parts"],
        "rows": rows,
        "message": lines,
        "remedy": {lang: texts[lang]["remedy"] for lang in texts},
    }


def _row(one: Mapping[str, Any], which: str, side: str) -> dict[str, Any]:
    key = {name: one[which][name] for name in _SHOWN if one[which][name] is not None}
    placed = {"file": one[f"_file{side}"], "sheet": one[f"sheet{side}"], "row": one[f"row{side}"]}
    span = periods.text(one[f"start{side}"], one[f"end{side}"])
    return {**key, "period": span, "value": one[f"_reported{side}"], "unit": one[f"unit{side}"], **placed}
