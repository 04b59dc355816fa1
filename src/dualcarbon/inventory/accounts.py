"""The account of a place and period: three bases never mixed, each the sum of its parts, every figure with a query.

Energy-activity CO2 is the headline; process CO2 and other gases stand apart. Assessment (C) is the headline where it is
set, else consumption (B). What cannot be counted (no factor, a place or period that would have to be split, a heat
supplier nobody named) is listed with its quantity and makes the account incomplete; it is never taken as zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core.tables import worst
from dualcarbon.engine import find_method
from dualcarbon.inventory import trace
from dualcarbon.inventory.custody import settled
from dualcarbon.inventory.definitions import Account
from dualcarbon.inventory.disclosure import told
from dualcarbon.inventory.doubled import doubled
from dualcarbon.inventory.grain import inside
from dualcarbon.inventory.parts import NOW, PREVIOUS, UNPLACED
from dualcarbon.inventory.question import Query, located, query, row_stack, settled_by, stack_of
from dualcarbon.inventory.reported import TIME, concerned, late_rows, reported
from dualcarbon.inventory.snapshot import DEFAULT_FAMILY
from dualcarbon.inventory.stack import Stack, stacked
from dualcarbon.inventory.tables import ABSENT, DIMENSIONS, REASONS, UNIT
from dualcarbon.inventory.views import Results, Rows, View, doubtful_areas, left_out, results

APART = "process"
NO_DATA = {"zh": "无数据", "en": "no data"}
NOTHING = {"zh": "不存在", "en": "not occurring"}
OTHER_GASES = {"zh": "其他温室气体", "en": "Other greenhouse gases"}


def account(
    data: Any,
    *,
    place: str | None = None,
    period: str,
    tree: str = "admin",
    basis: str | None = "B",
    by: Sequence[str] = ("sector",),
    known_at: date | str | None = None,
    family: str = DEFAULT_FAMILY,
    gwp: str = "AR5",
    dataset: str | Sequence[str] | None = None,
    custody: str | Collection[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The carbon account of a place (or entity) and period, in tCO2, as a document.

    `data`: a workspace, or any dataframe in the observation layout (with `entities`, `datasets`). `tree`:
    admin | management. `basis`: A | B | C, or None for the headline. `by`: any of place, domain, section, sector,
    carrier, process, part, scope, month, quarter, year. Parts sum to the value, memo parts stay out; rows sum to the
    value too. A basis that is not set has value None and `notation`. `custody`: what the reader may see (None: all);
    figures that would give a unit away are then None with `withheld`, and `stopped` says why (see `disclosure`).
    Raises Refused for what does not exist.
    """
    chosen = {"known_at": known_at, "family": family, "gwp": gwp, "dataset": dataset, **more}
    q = query(data, place=place, period=period, tree=tree, basis=basis, **chosen)
    by = settled_by(by)
    if q.unset:
        return not_set(q, by)
    made = document(q, by, results(account_views(q, by), q.spans))
    levels = settled(custody)
    return made if levels is None else told(q, made, levels)


def account_views(q: Query, by: tuple[str, ...]) -> dict[str, View]:
    """The views that an account's document is made of."""
    stack = stack_of(q)
    views = {
        "total": View(stack),
        "parts": View(stack, ("part",), memo=True),
        "rows": View(row_stack(q, by), tuple(DIMENSIONS[name] for name in by)),
    }
    process = None if q.account.basis == APART else q.snapshot.accounts().get(APART)
    if process is not None and q.account.unit == process.unit:
        views["apart"] = View(stacked(q.snapshot, process, q.boundary, {}))
    return views


def document(q: Query, by: tuple[str, ...], made: Results) -> dict[str, Any]:
    """The account as a document, from what its views gave."""
    stack = stack_of(q)
    total, before = (made["total"][span].get((), ABSENT) for span in (NOW, PREVIOUS))
    now = stack.counted(q.period)
    lacks = reported(q)
    missing = [*late_rows(q, lacks.late), *map(_worded, trace.missing(stack, q.period))]
    change = None if lacks.uneven else _difference(total["value"], before["value"])
    memo = {part.name for part in q.account.parts if part.memo}
    lost = set(left_out(stack, q.spans[PREVIOUS])["part"]) - memo
    earlier = bool(before["complete"]) and not lacks.holes and not lost
    return {
        **head(q),
        "value": total["value"],
        "unit": q.account.unit,
        "low": total["low"],
        "high": total["high"],
        "uncertainty": total["uncertainty"],
        "status": worst([total["status"], q.account.status]) if total["status"] else None,
        "complete": bool(total["complete"]) and not missing,
        "notation": _notation(q, stack, total),
        "synthetic": trace.synthetic(stack, now),
        "previous": {"period": str(q.spans[PREVIOUS]), "value": before["value"], "complete": earlier},
        "change": change,
        "change_percent": _percent(change, before["value"]),
        "parts": _parts(q, made["parts"]),
        "by": list(by),
        "rows": account_rows(q, by, made["rows"], total["value"], before["value"]),
        "apart": _apart(q, q.snapshot.accounts().get(APART) if "apart" in made else None, made.get("apart")),
        "missing": missing,
        "doubled": doubled(q),
        "fallbacks": trace.fallbacks(stack, now, q.period),
        "factors": trace.factors(stack, now),
        "difference": trace.controls(q.snapshot, q.place, q.boundary, q.period, q.account.basis, total["value"]),
        "freshness": trace.freshness(q.snapshot, stack, now),
        "run": _run(q),
    }


def outline(data: Any, *, by: Sequence[str], **asked: Any) -> dict[str, Any]:
    """An account without what stands behind it: head, value, interval and rows, for tables that need no more."""
    q = query(data, **asked)
    by = settled_by(by)
    if q.unset:
        return not_set(q, by)
    views = account_views(q, by)
    return outlined(q, by, results({"total": views["total"], "rows": views["rows"]}, q.spans))


def outlined(q: Query, by: tuple[str, ...], made: Results) -> dict[str, Any]:
    """The same from what the views `total` and `rows` gave."""
    total, before = (made["total"][span].get((), ABSENT) for span in (NOW, PREVIOUS))
    return {
        **head(q),
        **{key: total[key] for key in ("value", "low", "high", "uncertainty")},
        "unit": q.account.unit,
        "by": list(by),
        "rows": account_rows(q, by, made["rows"], total["value"], before["value"]),
    }


def head(q: Query) -> dict[str, Any]:
    names = q.names.places
    name = {"zh": names.name(q.place, "zh"), "en": names.name(q.place, "en")}
    if q.entity:
        found = q.snapshot.entities.filter(pl.col("code") == q.entity)
        name = dict.fromkeys(("zh", "en"), found["name"].item(0) if found.height else q.entity)
    return {
        "place": q.place,
        "place_name": name,
        "entity": q.entity,
        "period": str(q.period),
        "tree": q.tree,
        "basis": q.account.basis,
        "title": q.account.title,
    }


def not_set(q: Query, by: Sequence[str]) -> dict[str, Any]:
    """An account whose convention nobody set: no value, and which parameters are wanted."""
    from dualcarbon.engine.factors import load_parameters

    known = load_parameters(q.snapshot.choices.pack)
    unset = [{"parameter": name, "title": known[name].title if name in known else {}} for name in q.unset]
    nothing: dict[str, Any] = dict.fromkeys(("value", "low", "high", "uncertainty", "change", "change_percent"))
    empty: dict[str, Any] = {
        key: [] for key in ("rows", "apart", "missing", "doubled", "fallbacks", "factors", "difference")
    }
    parts = [
        {"name": part.name, "title": part.title, "value": None, "low": None, "high": None, "status": None,
         "complete": False, "memo": part.memo, "previous": None, "change_percent": None, "method": part.method,
         "explain": None}
        for part in q.account.parts
    ]  # fmt: skip
    return {
        **head(q),
        **nothing,
        **empty,
        "unit": q.account.unit,
        "status": q.account.status,
        "complete": False,
        "notation": {"zh": "未设定", "en": "not set"},
        "unset": unset,
        "synthetic": False,
        "previous": {"period": str(q.spans[PREVIOUS]), "value": None, "complete": False},
        "parts": parts,
        "by": list(by),
        "freshness": None,
        "run": _run(q),
    }


def _run(q: Query) -> dict[str, Any]:
    """What reproduces the account: state of the data, packs, methods and choices."""
    choices, whole = q.snapshot.choices, q.snapshot.whole or q.snapshot
    return {
        "workspace_version": q.snapshot.version,
        "pack": choices.pack,
        "pack_hash": whole.once("pack hash", lambda: packs.content_hash(choices.pack)),
        "family": choices.family,
        "gwp": choices.gwp,
        "known_at": choices.known_at,
        "datasets": [str(one["id"]) for one in q.snapshot.datasets],
        "methods": {} if q.unset else whole.once(("versions", q.account.basis), lambda: _versions(q)),
    }


def _versions(q: Query) -> dict[str, str]:
    return {name: find_method(name, q.snapshot.choices.pack).method.version for name in q.account.methods()}


def _worded(missing: dict[str, Any]) -> dict[str, Any]:
    """What is missing, with the reason that its notation key gives."""
    if missing.get("notation") != "C":
        return missing
    return {**missing, "reason": "confidential", "reason_text": REASONS["confidential"]}


def _notation(q: Query, stack: Stack, total: Mapping[str, Any]) -> dict[str, str] | None:
    """What stands where there is no value: what the rows' notation keys say, else that there are no data."""
    if total["value"] is not None:
        return None
    noted = inside(stack.noted, q.period).filter(~pl.col("memo")) if stack.noted.height else stack.noted
    keys = set(noted["notation"])
    if "C" in keys:
        return REASONS["confidential"]
    if not total["complete"]:
        return NO_DATA
    return _included(q, noted) if "IE" in keys else NOTHING


def _included(q: Query, noted: pl.DataFrame) -> dict[str, str]:
    """Where the figures of rows that say IE are included."""
    import narwhals as nw

    places = noted.filter(pl.col("notation") == "IE")["place"].unique().to_list()
    rows = nw.from_native(q.snapshot.table()).lazy()
    within = (nw.col("start") >= q.period.start) & (nw.col("end") <= q.period.end) & nw.col("place").is_in(places)
    told = rows.filter(within & (nw.col("notation") == "IE")).select("included_in").unique()
    codes = sorted(told.collect(backend="polars").to_native()["included_in"].drop_nulls().to_list())
    known = (q.names.places, q.names.sectors, q.names.carriers, q.names.items)
    names = {
        lang: [next((one.name(code, lang) for one in known if code in one), code) for code in codes]
        for lang in ("zh", "en")
    }
    return {"zh": "已计入 " + "、".join(names["zh"]), "en": "included in " + ", ".join(names["en"])}


def _parts(q: Query, made: Rows) -> list[dict[str, Any]]:
    found, uneven = [], concerned(q, ("part",), reported(q).uneven)
    for part in q.account.parts:
        row, before = (made[span].get((part.name,), ABSENT) for span in (NOW, PREVIOUS))
        change = None if uneven((part.name,)) else _difference(row["value"], before["value"])
        found.append(
            {
                "name": part.name,
                "title": part.title,
                "method": part.method,
                **{key: row[key] for key in ("value", "low", "high", "status", "complete")},
                "memo": part.memo,
                "previous": before["value"],
                "change_percent": _percent(change, before["value"]),
                "explain": q.explained(part=part.name, method=part.method),
            }
        )
    return found


def account_rows(
    q: Query, by: Sequence[str], made: Rows, total: float | None, before: float | None
) -> list[dict[str, Any]]:
    """Rows by the asked dimensions; they sum to the total, a row without an area included.

    A row of which an area's months lack in one of the years has no change, and none has a pull when the year before
    lacks some; a month, quarter or year that the other year does not hold by itself is not compared.
    """
    doubtful = doubtful_areas(row_stack(q, by), q.period) if "place" in by else frozenset()
    lacks = reported(q)
    late, uneven = concerned(q, by, lacks.late), concerned(q, by, lacks.uneven)
    apart = _apart_in_time(by, made)
    found, earlier = [], made.get(PREVIOUS, {})
    for key in dict.fromkeys([*made[NOW], *earlier]) if by else ():
        row, old = made[NOW].get(key, ABSENT), earlier.get(key, ABSENT)
        dims = dict(zip(by, (None if part == UNPLACED else part for part in key), strict=True))
        same = before is not None and not uneven(key) and apart.isdisjoint(key)
        change = _difference(row["value"], old["value"], whole=False) if same else None
        shown = {name: code or "" for name, code in dims.items() if name not in ("place", *TIME)}
        found.append(
            {
                **dims,
                "name": q.named(dict(zip(by, key, strict=True))),
                "value": row["value"],
                "low": row["low"],
                "high": row["high"],
                "share": row["value"] / total if row["value"] is not None and total else None,
                "previous": old["value"],
                "change": change,
                "pull_points": _percent(change, before) if not lacks.holes else None,
                "status": row["status"],
                "complete": False if late(key) else row["complete"] and not doubtful.intersection(key),
                "explain": q.explained(**shown, **located(dims, q.period)),
            }
        )
    timed = [name for name in by if name in TIME]
    return sorted(found, key=lambda r: (*(str(r[name]) for name in timed), -(r["value"] or 0.0)))


def _apart_in_time(by: Sequence[str], made: Rows) -> frozenset[str]:
    """Months, quarters and years (of this year's names) that only one of the two years holds by themselves."""
    places = [n for n, name in enumerate(by) if name in TIME]
    now, before = ({key[n] for key in made.get(span, {}) for n in places} for span in (NOW, PREVIOUS))
    return frozenset(now ^ before)


def _difference(now: float | None, before: float | None, whole: bool = True) -> float | None:
    """Now less before; for a row, what is not there on one side counts nothing there."""
    if whole and (now is None or before is None):
        return None
    return None if now is None and before is None else (now or 0.0) - (before or 0.0)


def _percent(change: float | None, before: float | None) -> float | None:
    return None if change is None or not before else 100 * change / before


def _apart(q: Query, process: Account | None, made: Rows | None) -> list[dict[str, Any]]:
    """Process CO2 and other gases: beside the headline, never in it."""
    found = []
    if process is not None and made is not None:
        row, before = made[NOW].get((), ABSENT), made[PREVIOUS].get((), ABSENT)
        found.append(
            {"name": APART, "title": process.title, "unit": UNIT, "previous": before["value"],
             **{key: row[key] for key in ("value", "low", "high", "status", "complete")},
             "notation": None if row["value"] is not None else "NE", "explain": q.explained(basis=APART)}
        )  # fmt: skip
    found.append(
        {"name": "other_gases", "title": OTHER_GASES, "unit": "tCO2e", "value": None, "low": None, "high": None,
         "previous": None, "status": None, "complete": False, "notation": "NE", "explain": None}
    )  # fmt: skip
    return found
