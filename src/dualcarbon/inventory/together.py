"""All that one page says of an account, combined in one pass: the account, its months, areas and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dualcarbon.core.periods import parse
from dualcarbon.inventory.accounts import account_rows, account_views, document, not_set, outlined
from dualcarbon.inventory.analysis import ranked, uncertainties
from dualcarbon.inventory.breakdown import area_rows, area_view, series_rows, series_view
from dualcarbon.inventory.grain import grain
from dualcarbon.inventory.parts import NOW
from dualcarbon.inventory.question import areas_below, query, settled_by, stack_of
from dualcarbon.inventory.snapshot import snapshot
from dualcarbon.inventory.tables import DIMENSIONS
from dualcarbon.inventory.views import View, results

YEARS = 3
KEY_BY, UNCERTAINTY_BY = ("sector", "carrier"), ("part", "carrier")


def sheet(
    data: Any,
    *,
    by: Sequence[str] = ("sector",),
    months: str | None = None,
    tables: bool = True,
    rows: Mapping[str, Sequence[str]] | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """``{account, months, areas, key, uncertainty, rows}``: each as the function of its name gives it.

    `months`: the months to show (``2022-01/2024-12``). `tables`: key categories and uncertainty too. `rows`: further
    rows of the account by name and dimensions. An account that is not set has nothing else. Raises Refused as
    ``account`` does.
    """
    q = query(data, **asked)
    by = settled_by(by)
    found: dict[str, Any] = {"months": [], "areas": [], "key": [], "uncertainty": None, "rows": {}}
    if q.unset:
        return {"account": not_set(q, by), **found, "rows": {name: [] for name in rows or {}}}
    views = account_views(q, by)
    if areas_below(q):
        views["areas"] = area_view(q)
    if months:
        over = query(data, **{**asked, "period": months}, compare=False, partly=True)
        if not over.unset:
            views["months"] = series_view(over, "month")
    if tables:
        views["key"] = View(stack_of(q), _columns(KEY_BY), spans={NOW: q.period})
        views["uncertainty"] = View(stack_of(q), _columns(UNCERTAINTY_BY))
    further = {name: tuple(dims) for name, dims in (rows or {}).items()}
    views |= {f"rows {name}": View(stack_of(q), _columns(dims)) for name, dims in further.items()}
    made = results(views, q.spans)
    account = document(q, by, made)
    total, before = account["value"], account["previous"]["value"]
    if "areas" in made:
        found["areas"] = area_rows(q, made["areas"])
    if "months" in made:
        found["months"] = series_rows(over, "month", (), made["months"])
    if tables:
        found["key"] = ranked(account_rows(q, KEY_BY, made["key"], total, None), KEY_BY)
        outline = outlined(q, UNCERTAINTY_BY, {**made, "rows": made["uncertainty"]})
        found["uncertainty"] = uncertainties(outline, UNCERTAINTY_BY)
    found["rows"] = {name: account_rows(q, dims, made[f"rows {name}"], total, before) for name, dims in further.items()}
    return {"account": account, **found}


def _columns(by: Sequence[str]) -> tuple[str, ...]:
    return tuple(DIMENSIONS[name] for name in by)


def prepare(data: Any, **choices: Any) -> None:
    """Calculate every account of a snapshot, and its last years, for all places, then for all entities.

    So that no reader waits for it.
    """
    made = snapshot(data, **choices)
    for by_entity in (False, True):
        for account in made.accounts().values():
            cells = grain(made, account, by_entity)
            cells.over_time()
            for year in sorted({start.year for start, _ in cells.times})[-YEARS:]:
                cells.within(parse(str(year)))
    made.by_entity()
