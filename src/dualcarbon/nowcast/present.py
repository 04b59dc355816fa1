"""This month's carbon of a place: counted where energy was reported, estimated where it was not, with its interval."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from dualcarbon import __version__
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import flags, months
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.shape import Array

BY = ("place", "sector", "domain")
#: The estimating model, by name and version: part of what a run is made of.
MODEL = "nowcast.monthly-bridge/1"
RECORD = 12
#: Steps in which a new arrival is taken in: corrections of months known before, then electricity, then fuels.
ARRIVALS = ("revision", "electricity", "fuel")


def opened(workspace: Any) -> Any:
    """A workspace from itself, its folder, or the nearest one."""
    from dualcarbon.core.workspace import Workspace

    return workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)


def run(
    workspace: Any = None,
    *,
    as_of: date | None = None,
    month: date | None = None,
    place: str = "330400",
    by: Sequence[str] = ("place",),
    tree: str = "admin",
    family: str = "provincial-2025",
    record: bool = True,
    keep: bool = True,
) -> dict[str, Any]:
    """Estimate `month` (default: the last before `as_of`) with what was known on `as_of`.

    Rows are by place, sector or domain, and sum to the total. `record`: also replay the last twelve months with the
    same delay of fuels, to show empirical coverage and skill. `keep`: keep the run's manifest in the workspace. Raises
    Refused for an unknown place or dimension, or a month that cannot be estimated.
    """
    wrong = [name for name in by if name not in BY]
    if wrong:
        raise Refused(Problem("nowcast.unknown-dimension", value=wrong[0], params={"known": "、".join(BY)}))
    workspace = opened(workspace)
    seen = cities.read(workspace, as_of=as_of, until=month, place=place, tree=tree, family=family)
    book = load(workspace.pack)
    code = book.places.find(place) or place
    direct, indirect = estimated(seen)
    t = len(seen.months) - 1
    made: dict[str, Any] = {
        "place": code, "place_name": _name(book.places, code), "month": _text(seen.months[t]), "as_of": seen.as_of,
        "tree": tree, "family": family, "unit": "tCO2", "status": seen.status, "workspace_version": seen.version,
        "model": MODEL, "scope": ["direct", "indirect"], "synthetic": seen.status == "synthetic",
    }  # fmt: skip
    everything = np.ones(len(seen.cells), bool)
    made |= _figure(seen, direct, indirect, everything)
    made["year_to_date"] = _year_to_date(seen, direct, indirect)
    made["rows"] = _rows(seen, direct, indirect, by, book, made)
    late = months.gap(seen.direct, t) if not direct.counted.mean() >= 0.5 else 1
    made["fuel_late_months"] = late
    made["methods"] = _methods(direct)
    made["skill"] = direct.record
    made["record"] = _record(seen, late) if record else None
    made["flags"] = [{**flag, **named(book, flag)} for flag in flags.find(seen)]
    made["missing"], made["fallbacks"] = seen.missing, seen.fallbacks
    made["run"] = manifest(made, place=code, by=list(by), tree=tree, family=family)
    if keep:
        workspace.keep_run(made["run"])
    return made


def estimated(seen: City, t: int | None = None) -> tuple[Month, Month]:
    """Direct and indirect CO2 of month number `t` (default: the last). Raises Refused if nothing before is known."""
    t = len(seen.months) - 1 if t is None else t
    if t < 1:
        raise Refused(Problem("nowcast.too-short", value=_text(seen.months[-1]) if seen.months else ""))
    if not (np.isfinite(seen.direct[:, :t]).any() or np.isfinite(seen.indirect[:, :t]).any()):
        raise Refused(Problem("nowcast.too-short", value=_text(seen.months[t])))
    made = [
        months.estimate(part, seen.power, t, seen.places, seen.sectors, seen.terms)
        for part in (seen.direct, seen.indirect)
    ]
    return made[0], made[1]


def _figure(seen: City, direct: Month, indirect: Month, mine: np.ndarray) -> dict[str, Any]:
    """Value, interval and a year ago of the cells `mine`; shared errors add up, cells' own in quadrature.

    The interval is that of estimating; the factors' own uncertainty is the account's. Nothing estimated: no interval.
    """
    value, counted, variance = 0.0, 0.0, 0.0
    for part in (direct, indirect):
        guess = np.where(part.counted, 0.0, part.value)[mine]
        value += float(part.value[mine].sum())
        counted += float(part.value[mine & part.counted].sum())
        variance += (part.shared * guess.sum()) ** 2 + float(((part.own[mine] * guess) ** 2).sum())
    width = float(np.sqrt(variance))
    t = len(seen.months) - 1
    before = _sum(seen, t - 12, mine)
    return {
        "value": value, "low": max(value - width, counted) if width else None,
        "high": value + width if width else None, "level": 0.9,
        "direct": float(direct.value[mine].sum()), "indirect": float(indirect.value[mine].sum()),
        "counted_share": counted / value if value else 1.0, "last_year": before,
        "change": value - before if before is not None else None,
        "change_percent": 100 * (value / before - 1) if before else None,
    }  # fmt: skip


def _sum(seen: City, t: int, mine: np.ndarray) -> float | None:
    """Known CO2 of month number `t`; None where any cell of it was not seen."""
    if t < 0:
        return None
    parts = seen.direct[mine, t], seen.indirect[mine, t]
    return float(sum(part.sum() for part in parts)) if all(np.isfinite(part).all() for part in parts) else None


def _year_to_date(seen: City, direct: Month, indirect: Month) -> dict[str, Any]:
    """January to this month against the same months a year before; months not seen in full are estimated."""
    t = len(seen.months) - 1
    since = t - seen.months[t].month + 1
    everything = np.ones(len(seen.cells), bool)
    total, before = 0.0, 0.0
    open_months = []
    for s in range(max(since, 0), t + 1):
        known = _sum(seen, s, everything)
        if known is None:
            one = (direct, indirect) if s == t else estimated(seen, s)
            known = float(sum(part.value.sum() for part in one))
            open_months.append(_text(seen.months[s]))
        total += known
        past = _sum(seen, s - 12, everything)
        before = float("nan") if past is None else before + past
    complete = since >= 0
    return {
        "value": total if complete else None, "last_year": before if complete and np.isfinite(before) else None,
        "change_percent": 100 * (total / before - 1) if complete and np.isfinite(before) and before else None,
        "estimated_months": open_months,
    }  # fmt: skip


def _rows(
    seen: City, direct: Month, indirect: Month, by: Sequence[str], book: Classification, whole: dict[str, Any]
) -> list[dict[str, Any]]:
    keys = [tuple(cell[BY.index(name)] for name in by) for cell in seen.cells]
    rows = []
    for key in sorted(set(keys)):
        mine = np.array([one == key for one in keys])
        figure = _figure(seen, direct, indirect, mine)
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        row["name"] = _label(row, book)
        row |= figure
        row["share"] = figure["value"] / whole["value"] if whole["value"] else None
        if whole["last_year"] and figure["change"] is not None:
            row["pull_points"] = 100 * figure["change"] / whole["last_year"]
        if len(set(direct.method[mine])) == 1 and direct.method[mine][0] >= 0:
            row["method"] = months.METHODS[direct.method[mine][0]]
        row["methods"] = _methods(direct, mine)
        asked = {"item": "emission.co2", "period": whole["month"], "tree": whole["tree"], "basis": "B"}
        row["explain"] = {**asked, **{name: row[name] for name in by if name != "domain"}}
        rows.append(row)
    return sorted(rows, key=lambda row: -row["value"])


def _label(row: dict[str, Any], book: Classification) -> dict[str, str]:
    codes = {"place": book.places, "sector": book.sectors, "domain": book.domains}
    texts = {}
    for lang in ("zh", "en"):
        texts[lang] = " · ".join(codes[n].name(row[n], lang) if row[n] else "—" for n in codes if n in row)
    return texts


def _name(codes: Any, code: str) -> dict[str, str]:
    return {lang: codes.name(code, lang) for lang in ("zh", "en")}


def named(book: Classification, flag: dict[str, Any]) -> dict[str, Any]:
    name = _label({"place": flag["place"], **({"sector": flag["sector"]} if flag["sector"] else {})}, book)
    words = {"name": name, "month": flag["month"], "times": f"{flag['value'] / (flag['usual'] or 1):.2f}"}
    problem = Problem(flag["rule"], value=name["zh"], params=words)
    return {"name": name, "message": {lang: problem.as_dict(lang)["message"] for lang in ("zh", "en")}}


def _methods(part: Month, mine: np.ndarray | None = None) -> dict[str, int]:
    """Number of cells counted, and shown by each method."""
    method = part.method if mine is None else part.method[mine]
    counts = {"counted": int((method < 0).sum())}
    counts |= {name: int((method == k).sum()) for k, name in enumerate(months.METHODS)}
    return {name: number for name, number in counts.items() if number}


def _record(seen: City, late: int) -> dict[str, Any] | None:
    """How the last twelve months would have been estimated with fuels as late; None with too few months known."""
    known = [t for t in range(len(seen.months)) if np.isfinite(seen.direct[:, t]).mean() >= 0.5]
    asked = [t for t in known if t >= months.YEAR][-RECORD:]
    if not asked:
        return None
    made = months.replay(seen.direct, seen.power, asked, late, seen.places, seen.sectors, seen.terms)
    return scored(seen.direct[:, asked], made) | {"months": [_text(seen.months[t]) for t in asked], "late": late}


def scored(truth: Array, made: dict[str, Array]) -> dict[str, Any]:
    """Empirical coverage of the 90 % interval and skill against the last value, over cells that burn fuel."""
    live = np.nan_to_num(truth).sum(1) > 0
    known = np.isfinite(truth)
    error = {n: np.where(known, np.abs(made[n] - truth), 0).sum(1) for n in ("selected", "last_value")}
    total = float(np.where(known, truth, 0).sum())
    base = float(error["last_value"].sum())
    return {
        "cells": int(live.sum()), "coverage90": float(np.nanmean(made["inside"][live])) if live.any() else None,
        "better_than_last": float((error["selected"] < error["last_value"])[live].mean()) if live.any() else None,
        "error_percent": 100 * float(error["selected"].sum()) / total if total else None,
        "last_value_error_percent": 100 * base / total if total else None,
        "skill_vs_last": 1 - float(error["selected"].sum()) / base if base else None,
    }  # fmt: skip


def news(
    workspace: Any = None, *, before: date, after: date | None = None, month: date | None = None, place: str = "330400",
    tree: str = "admin", family: str = "provincial-2025",
) -> dict[str, Any]:  # fmt: skip
    """Which arrivals between two days moved the estimate of `month` (default: the last before `before`), by how much.

    Arrivals are taken in one after the other: corrections of what was known (a new factor is one), electricity, fuels;
    of the month itself, of the month a year before, of all others. Their effects sum to the change.
    """
    workspace = opened(workspace)
    new = cities.read(workspace, as_of=after, until=month or cities.month_before(before), place=place, tree=tree,
                      family=family)  # fmt: skip
    old = cities.read(workspace, as_of=before, until=new.months[-1], place=place, tree=tree, family=family)
    old, new = aligned(old, new)
    now = old
    first = value = _total(old)
    steps = []
    last = len(new.months) - 1
    spans = [[last], [last - 12], [t for t in range(last) if t != last - 12]]
    for kind in ARRIVALS:
        for span in spans:
            taken, moved_months = _taken(now, new, kind, [t for t in span if t >= 0])
            if not moved_months:
                continue
            moved = _total(taken)
            named = [_text(new.months[t]) for t in moved_months]
            steps.append({"arrival": kind, "months": named, "effect": moved - value})
            now, value = taken, moved
    steps.sort(key=lambda step: -abs(float(str(step["effect"]))))
    return {"place": place, "month": _text(new.months[-1]), "before": before, "after": new.as_of, "unit": "tCO2",
            "value_before": first, "value_after": value, "change": value - first, "steps": steps,
            "status": new.status}  # fmt: skip


def _total(seen: City) -> float:
    return float(sum(part.value.sum() for part in estimated(seen)))


def aligned(old: City, new: City) -> tuple[City, City]:
    """Both with the same cells and months; what one does not have was not seen there."""
    cells = sorted({*old.cells, *new.cells})
    start = min(old.months[0], new.months[0])
    months_ = new.months if new.months[0] == start else old.months
    made = []
    for one in (old, new):
        row = {cell: k for k, cell in enumerate(one.cells)}
        arrays: dict[str, Any] = {}
        for name in ("direct", "indirect", "power"):
            given = getattr(one, name)
            out = np.full((len(cells), len(months_)), np.nan)
            shift = months_.index(one.months[0])
            for k, cell in enumerate(cells):
                if cell in row:
                    out[k, shift : shift + given.shape[1]] = given[row[cell]]
                else:
                    out[k] = 0.0
            arrays[name] = out
        made.append(replace(one, cells=cells, months=list(months_), **arrays))
    return made[0], made[1]


def _taken(now: City, new: City, kind: str, months_: Sequence[int]) -> tuple[City, list[int]]:
    """`now` with the arrivals of one kind for these month numbers, and the months that have any."""
    names = {"electricity": ("indirect", "power"), "fuel": ("direct",), "revision": ("direct", "indirect", "power")}[
        kind
    ]
    arrays: dict[str, Any] = {name: getattr(now, name).copy() for name in names}
    moved = []
    for t in months_:
        some = False
        for name, mine in arrays.items():
            theirs = getattr(new, name)[:, t]
            known = np.isfinite(mine[:, t])
            here = (known if kind == "revision" else ~known) & ~_same(mine[:, t], theirs)
            mine[here, t] = theirs[here]
            some = some or bool(here.any())
        if some:
            moved.append(t)
    return replace(now, **arrays), moved


def _same(a: Array, b: Array) -> np.ndarray:
    return np.asarray((a == b) | (~np.isfinite(a) & ~np.isfinite(b)))


def manifest(made: dict[str, Any], **question: Any) -> dict[str, Any]:
    """What the run was made of: data cut, workspace version, model, factor family; its id is their hash."""
    core = {"kind": "nowcast", "model": MODEL, "dualcarbon": __version__, "as_of": made["as_of"].isoformat(),
            "workspace_version": made["workspace_version"], "month": made["month"], **question}  # fmt: skip
    text = json.dumps({**core, "value": made["value"]}, sort_keys=True, ensure_ascii=False)
    identity = "nowcast-" + hashlib.sha256(text.encode()).hexdigest()[:16]
    result = {name: made[name] for name in ("value", "low", "high", "counted_share", "unit", "status")}
    return {"id": identity, "created_at": datetime.now(UTC).isoformat(timespec="seconds"), **core, "result": result}


def _text(day: date) -> str:
    return day.isoformat()[:7]
