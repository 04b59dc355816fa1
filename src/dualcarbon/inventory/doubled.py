"""What an account counts twice in its place and period (see ``engine.doubled``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import narwhals as nw

from dualcarbon.engine import find_method
from dualcarbon.engine.doubled import clashes, told
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


def doubled(q: Query, part: str | None = None) -> list[dict[str, Any]]:
    """What the asked account (or one part of it) counts twice, in the asked place and period.

    Each is ``{rule, item, period, datasets, parts, rows, message, remedy}`` (see ``engine.doubled.told``).
    """
    source = q.snapshot.whole or q.snapshot
    found: list[dict[str, Any]] = source.once("doubled", lambda: _found(source))
    if not found:
        return []
    items = _items(q.account, source, part)
    inside = frozenset[str]() if q.entity else _inside(q)
    return [told(one, q.names) for one in found if _concerns(one, q, items, inside)]


def unnamed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without rows, figures and names."""
    return [{**one, "rows": [], **WITHHELD} for one in found]


def _items(account: Account, snapshot: Snapshot, part: str | None = None) -> set[str]:
    """Items that an account adds; memo parts add none unless one is asked."""
    parts = [one for one in account.parts if (not one.memo if part is None else one.name == part)]
    return {one.item or find_method(one.method, snapshot.choices.pack).method.rows.item for one in parts}


def _found(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Clashes (see ``engine.doubled.clashes``) among the counted rows of all accounts."""
    items = sorted(set().union(*(_items(one, snapshot) for one in snapshot.accounts().values())))
    frame = nw.from_native(snapshot.table(tuple(items))).lazy()
    return clashes(frame, items, snapshot.names, snapshot.files)


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
