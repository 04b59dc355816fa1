"""An account for those who may not see every row behind it: what would give a unit away is left out.

Others get sums that are safe (`custody.safe`) and from which no unsafe one follows as a difference from the total.
Tables asked for one by one are not held against each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.inventory import trace, views
from dualcarbon.inventory.custody import safe
from dualcarbon.inventory.doubled import unnamed
from dualcarbon.inventory.parts import NOW, PREVIOUS, UNPLACED
from dualcarbon.inventory.question import Query, row_stack, stack_of
from dualcarbon.inventory.snapshot import Snapshot
from dualcarbon.inventory.stack import Stack, stacked
from dualcarbon.inventory.tables import DIMENSIONS
from dualcarbon.inventory.views import View, results

NUMBERS = ("value", "low", "high", "share", "previous", "change", "change_percent", "pull_points", "uncertainty",
           "emission", "quantity", "difference", "difference_percent")  # fmt: skip
Units = dict[str, float]
Key = tuple[Any, ...]
TEXT = {
    "zh": "涉及不足三家单位、一家占绝大部分，或可由合计推出的数不列示（数据管理权限）。",
    "en": "Left out: figures of fewer than three units, of one that outweighs the rest, or that follow from the total.",
}


def left_out(cells: Mapping[Key, Units], sizes: Mapping[Key, float], whole_is_told: bool) -> set[Key]:
    """Cells of a table that are not told: `cells` holds the protected units of each, `sizes` every cell's amount.

    Where the whole is told, the cells left out sum to what is safe too: the smallest others join them until it is.
    """
    out = {key for key, units in cells.items() if not safe(units)}
    if not out or not whole_is_told:
        return out
    rest = sorted(sizes.keys() - out, key=lambda key: (abs(sizes[key]), str(key)))
    together: Units = {}
    for key in out:
        _add(together, cells[key])
    while rest and (len(out) < 2 or not safe(together)):
        key = rest.pop(0)
        out.add(key)
        _add(together, cells.get(key, {}))
    return out


def _add(together: Units, units: Mapping[str, float]) -> None:
    for name, amount in units.items():
        together[name] = together.get(name, 0.0) + abs(amount)


def custodies(snapshot: Snapshot) -> dict[str, list[str]]:
    """Custodies of the rows about each entity."""

    def make() -> dict[str, list[str]]:
        frame = nw.from_native(snapshot.table()).lazy()
        pairs = frame.select("entity", "custody").unique().collect(backend="polars").to_native()
        found: dict[str, list[str]] = {}
        for code, custody in pl.DataFrame(pairs).drop_nulls().sort("entity", "custody").rows():
            found.setdefault(str(code), []).append(str(custody))
        return found

    made: dict[str, list[str]] = snapshot.once("custodies", make)
    return made


def protected(snapshot: Snapshot, custody: Collection[str]) -> frozenset[str]:
    """Entities with rows that an asker who has these custodies may not see."""
    return frozenset(code for code, names in custodies(snapshot).items() if not set(names) <= set(custody))


def told(q: Query, document: dict[str, Any], custody: Collection[str]) -> dict[str, Any]:
    """The account for who has these custodies: `withheld` figures are None and counted, `stopped` says why."""
    hidden = protected(q.snapshot, custody)
    by = tuple(document["by"])
    stack = stack_of(q, by_entity=True)
    asked = {
        "total": View(stack, ("entity",)),
        "parts": View(stack, ("part", "entity"), memo=True),
        "rows": View(row_stack(q, by, by_entity=True), (*(DIMENSIONS[name] for name in by), "entity")),
    }
    apart = {row["name"]: row["explain"]["basis"] for row in document["apart"] if row["explain"]}
    for name, basis in apart.items():
        beside = stacked(q.snapshot, q.snapshot.accounts()[basis], q.boundary, {}, by_entity=True)
        asked[name] = View(beside, ("entity",))
    units = {name: _units(made, hidden) for name, made in results(asked, q.spans).items()}
    whole = q.entity not in hidden and all(map(safe, units["total"].values()))
    sizes = {
        "rows": {tuple(row[name] for name in by): row["value"] or 0.0 for row in document["rows"]},
        "parts": {(row["name"],): row["value"] or 0.0 for row in document["parts"] if not row["memo"]},
    }
    memo = {(row["name"],) for row in document["parts"] if row["memo"]}
    counted = {key: cell for key, cell in units["parts"].items() if key not in memo}
    out = {"rows": left_out(units["rows"], sizes["rows"], whole), "parts": left_out(counted, sizes["parts"], whole)}
    out["parts"] |= {key for key in memo if not safe(units["parts"].get(key, {}))}
    lacking = _missing_units(stack, q, hidden)
    resting = q.entity in hidden or not all(map(safe, _factor_units(stack, q, hidden).values()))
    lists = {
        "rows": [tuple(row[name] for name in by) in out["rows"] for row in document["rows"]],
        "parts": [(row["name"],) in out["parts"] for row in document["parts"]],
        "apart": [
            row["name"] in apart and (q.entity in hidden or not all(map(safe, units[row["name"]].values())))
            for row in document["apart"]
        ],
        "missing": [
            row["quantity"] is not None and (q.entity in hidden or not safe(lacking.get(_missing_key(row), {})))
            for row in document["missing"]
        ],
        "factors": [resting] * len(document["factors"]),
        "difference": _compared(q, hidden, whole),
    }
    kept = {
        name: [_without(row) if hide else row for row, hide in zip(document[name], hides, strict=True)]
        for name, hides in lists.items()
    }
    kept["doubled"] = unnamed(document["doubled"])
    kept["apart"] = [{**row, "notation": "C"} if row.get("withheld") else row for row in kept["apart"]]
    count = sum(map(sum, lists.values())) + (not whole)
    if not whole:
        document = {**_without(document), "previous": {**document["previous"], "value": None}}
    return {**document, **kept, "withheld": count, "stopped": TEXT if count else None}


def _factor_units(stack: Stack, q: Query, hidden: frozenset[str]) -> dict[Key, Units]:
    """What of each protected entity rests on each factor value."""
    cells = stack.counted(q.period)
    owned = _owned(stack, cells)
    found: dict[Key, Units] = {}
    for slot in (name for name in cells.columns if name.startswith("factor:")):
        sums = owned.filter(pl.col("who").is_in(list(hidden))).group_by(slot, "who").agg(pl.col("total").sum())
        for number, entity, amount in sums.drop_nulls().iter_rows():
            _add(found.setdefault((number,), {}), {entity: amount})
    return found


def _missing_units(stack: Stack, q: Query, hidden: frozenset[str]) -> dict[Key, Units]:
    """Quantities of each protected entity in each row of what is missing."""
    lost = _owned(stack, views.left_out(stack, q.period))
    names = ("part", "reason", "place", "carrier", "unit")
    found: dict[Key, Units] = {}
    for row in lost.filter(pl.col("who").is_in(list(hidden))).iter_rows(named=True):
        lacking = row["lacking"] if row["reason"] == "factor" and row["lacking"] else None
        key = (*(row[name] for name in names), lacking)
        _add(found.setdefault(key, {}), {row["who"]: row["quantity"] or 0.0})
    return found


def _missing_key(row: Mapping[str, Any]) -> Key:
    return tuple(row[name] for name in ("part", "reason", "place", "carrier", "unit", "parameter"))


def _owned(stack: Stack, cells: pl.DataFrame) -> pl.DataFrame:
    """Cells with `who` they are of."""
    codes = stack.texts("entity")
    who = [codes[number] for number in stack.numbers(cells, "entity")]
    return cells.with_columns(pl.Series("who", who, dtype=pl.String))


def _compared(q: Query, hidden: frozenset[str], whole: bool) -> list[bool]:
    """Whether our own sum beside each published total is left out."""
    rows = trace.compared(q.snapshot, q.place, q.boundary, q.period, q.account.basis)
    return [
        not whole
        if row["item"] == "emission.co2"
        else not safe(trace.units_like(q.snapshot, q.boundary, q.period, row, hidden))
        for row, _ in rows
    ]


def _units(made: Mapping[str, Mapping[Key, Mapping[str, Any]]], hidden: frozenset[str]) -> dict[Key, Units]:
    """Amounts of protected entities by cell, of the larger of this year and the year before."""
    found: dict[Key, Units] = {}
    for span in (NOW, PREVIOUS):
        for (*key, entity), row in made[span].items():
            if entity in hidden and row["value"] is not None:
                cell = found.setdefault(tuple(None if one == UNPLACED else one for one in key), {})
                cell[entity] = max(cell.get(entity, 0.0), abs(row["value"]))
    return found


def _without(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: None for name in NUMBERS if name in row}, "withheld": True}
