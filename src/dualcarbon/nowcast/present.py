"""This month's carbon of a place: counted where energy was reported, estimated where it was not, with its interval."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dualcarbon import __version__
from dualcarbon.core import pack as packs
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import runs
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import flags, months, officials
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import estimated, figure, known, month_text
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.shape import Array

BY = ("place", "sector", "domain")
#: The estimating model, by name and version: part of what a run is made of.
MODEL = "nowcast.monthly-bridge/2"
RECORD = 12
#: Modules that make an estimate: their hash is part of a run.
PROGRAM = ("months", "bridge", "choose", "intervals", "calendar_terms", "screening")


def opened(workspace: Any) -> Any:
    """A workspace from itself, its folder, or the nearest one."""
    from dualcarbon.core.workspace import Workspace

    return workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)


def run(
    workspace: Any = None,
    *,
    as_of: date | None = None,
    month: date | None = None,
    place: str | None = None,
    by: Sequence[str] = ("place",),
    tree: str = "admin",
    family: str = "provincial-2025",
    reconcile: str = "raking",
    record: int = RECORD,
    keep: bool = True,
    version: int | None = None,
) -> dict[str, Any]:
    """Estimate `month` (default: the last before `as_of`) with what was known on `as_of`.

    Rows are by place, sector or domain, and sum to the total. `reconcile`: how cells are moved to meet official totals
    of the month or of its year (`raking`, `least_squares`, `none`); `reconciliation` and each row's `moved` say by how
    much. `record`: also replay so many of the last months (0: none) with the same delay of fuels, to show empirical
    coverage and skill. `keep`: keep the run with its results. `version`: of the observations (default: the latest).
    Raises Refused for an unknown place, dimension or way to reconcile, for a month that cannot be estimated, and for
    official totals that contradict each other.
    """
    wrong = [name for name in by if name not in BY]
    if wrong:
        raise Refused(Problem("nowcast.unknown-dimension", value=wrong[0], params={"known": "、".join(BY)}))
    if reconcile not in officials.METHODS:
        raise Refused(Problem("nowcast.unknown-reconciliation", value=reconcile,
                              params={"known": "、".join(officials.METHODS)}))  # fmt: skip
    workspace = opened(workspace)
    until = date(month.year, 12, 1) if month else None
    year = cities.read(workspace, as_of=as_of, until=until, place=place, tree=tree, family=family, version=version)
    seen = year.upto(year.months.index(month)) if month in year.months else year
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    t = len(seen.months) - 1
    given = estimated(seen)
    published = officials.read(workspace, seen, code)
    direct, indirect, told, held = _reconciled(year, t, given, published, code, reconcile)
    made: dict[str, Any] = {
        "place": code, "place_name": named_code(book.places, code),
        "month": month_text(seen.months[t]), "as_of": seen.as_of, "tree": tree, "family": family, "unit": "tCO2",
        "status": seen.status, "workspace_version": seen.version,
        "model": MODEL, "scope": ["direct", "indirect"], "synthetic": seen.status == "synthetic",
    }  # fmt: skip
    everything = np.ones(len(seen.cells), bool)
    made |= figure(seen, t, direct, indirect, everything)
    before = given[0].value + given[1].value
    if told and held.all(1).any():
        made["low"] = made["high"] = made["low80"] = made["high80"] = None
    made["reconciliation"] = {"method": reconcile if told else None, "totals": told}
    made["year_to_date"] = _year_to_date(seen, direct, indirect)
    made["rows"] = _rows(seen, direct, indirect, by, book, made, before, held)
    late = months.gap(seen.direct, t) if not direct.counted.mean() >= 0.5 else 1
    made["fuel_late_months"] = late
    made["methods"] = cells_by_method(direct)
    made["skill"] = direct.record
    made["record"] = _record(seen, late, record) if record else None
    made["flags"] = [{**flag, **named(book, flag)} for flag in flags.find(seen)]
    made["missing"], made["fallbacks"], made["absent"] = seen.missing, seen.fallbacks, seen.absent
    made["run"] = manifest(workspace, made, place=code, by=list(by), tree=tree, family=family, reconcile=reconcile)
    if keep:
        workspace.keep_run(made["run"])
    return made


def _reconciled(
    seen: City, t: int, given: tuple[Month, Month], published: Sequence[officials.Official], place: str, method: str
) -> tuple[Month, Month, list[dict[str, Any]], np.ndarray]:
    """Both parts of month number `t` moved in proportion to meet the official totals."""
    value = given[0].value + given[1].value
    spread = sum(np.where(part.counted, 0.0, (part.own + part.shared) * part.value / 1.645) for part in given)
    cells, told, held = officials.moved(seen, t, value, np.asarray(spread), published, place, method)
    with np.errstate(all="ignore"):
        factor = np.where(value > 0, cells / value, 1.0)
    direct, indirect = (replace(part, value=part.value * factor) for part in given)
    return direct, indirect, told, held


def _year_to_date(seen: City, direct: Month, indirect: Month) -> dict[str, Any]:
    """January to this month against the same months a year before; months not seen in full are estimated."""
    t = len(seen.months) - 1
    since = t - seen.months[t].month + 1
    total, before = 0.0, 0.0
    open_months = []
    for s in range(max(since, 0), t + 1):
        value = known(seen, s)
        if value is None:
            one = (direct, indirect) if s == t else estimated(seen, s)
            value = float(sum(part.value.sum() for part in one))
            open_months.append(month_text(seen.months[s]))
        total += value
        past = known(seen, s - 12)
        before = float("nan") if past is None else before + past
    complete = since >= 0
    return {
        "value": total if complete else None, "last_year": before if complete and np.isfinite(before) else None,
        "change_percent": 100 * (total / before - 1) if complete and np.isfinite(before) and before else None,
        "estimated_months": open_months,
    }  # fmt: skip


def _rows(
    seen: City,
    direct: Month,
    indirect: Month,
    by: Sequence[str],
    book: Classification,
    whole: dict[str, Any],
    before: Array,
    held: np.ndarray,
) -> list[dict[str, Any]]:
    t = len(seen.months) - 1
    keys = [tuple(cell[BY.index(name)] for name in by) for cell in seen.cells]
    rows = []
    for key in sorted(set(keys)):
        mine = np.array([one == key for one in keys])
        made = figure(seen, t, direct, indirect, mine)
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        row["name"] = _label(row, book)
        row |= made
        if any((mine == one).all() for one in held):
            row["low"] = row["high"] = row["low80"] = row["high80"] = None
        row["moved"] = made["value"] - float(before[mine].sum()) if len(held) else 0.0
        row["share"] = made["value"] / whole["value"] if whole["value"] else None
        if whole["last_year"] and made["change"] is not None:
            row["pull_points"] = 100 * made["change"] / whole["last_year"]
        if len(set(direct.method[mine])) == 1 and direct.method[mine][0] >= 0:
            row["method"] = months.METHODS[direct.method[mine][0]]
        row["methods"] = cells_by_method(direct, mine)
        row["explain"] = question(whole, **{name: row[name] for name in by})
        rows.append(row)
    return sorted(rows, key=lambda row: -row["value"])


def question(made: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What `opening.open_figure` has to be asked to open a figure of the estimate `made`."""
    asked = {"place": made["place"], "month": made["month"], "as_of": made["as_of"].isoformat(), "tree": made["tree"],
             "city": made["place"]}  # fmt: skip
    return {**asked, **{name: value for name, value in more.items() if value}}


def _label(row: dict[str, Any], book: Classification) -> dict[str, str]:
    codes = {"place": book.places, "sector": book.sectors, "domain": book.domains}
    texts = {}
    for lang in ("zh", "en"):
        texts[lang] = " · ".join(codes[n].name(row[n], lang) if row[n] else "—" for n in codes if n in row)
    return texts


def named_code(codes: Any, code: str) -> dict[str, str]:
    """A code's name in both languages."""
    return {lang: codes.name(code, lang) for lang in ("zh", "en")}


def named(book: Classification, flag: dict[str, Any]) -> dict[str, Any]:
    name = _label({"place": flag["place"], **({"sector": flag["sector"]} if flag["sector"] else {})}, book)
    words = {"name": name, "month": flag["month"], "times": f"{flag['value'] / (flag['usual'] or 1):.2f}"}
    problem = Problem(flag["rule"], value=name["zh"], params=words)
    return {"name": name, "message": {lang: problem.as_dict(lang)["message"] for lang in ("zh", "en")}}


def cells_by_method(part: Month, mine: np.ndarray | None = None) -> dict[str, int]:
    """Number of cells counted, and shown by each method."""
    method = part.method if mine is None else part.method[mine]
    counts = {"counted": int((method < 0).sum())}
    counts |= {name: int((method == k).sum()) for k, name in enumerate(months.METHODS)}
    return {name: number for name, number in counts.items() if number}


def _record(seen: City, late: int, count: int) -> dict[str, Any] | None:
    """How the last `count` months would have been estimated with fuels as late; None with too few months known."""
    known = [t for t in range(len(seen.months)) if np.isfinite(seen.direct[:, t]).mean() >= 0.5]
    asked = [t for t in known if t >= months.YEAR][-count:]
    if not asked:
        return None
    made = months.replay(seen.direct, seen.power, asked, late, seen.places, seen.sectors, seen.terms)
    return scored(seen.direct[:, asked], made) | {"months": [month_text(seen.months[t]) for t in asked], "late": late}


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


def manifest(workspace: Any, made: dict[str, Any], **question: Any) -> dict[str, Any]:
    """What the run was made of, in the layout of the engine's runs: data, model, pack, options; its hash is its id."""
    model, version = MODEL.split("/")
    program = b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in PROGRAM)
    info = packs.info(workspace.pack)
    core = {
        "kind": "nowcast", "model": MODEL, "dualcarbon": __version__, "as_of": made["as_of"].isoformat(),
        "known_at": made["as_of"].isoformat(), "workspace_version": made["workspace_version"], "month": made["month"],
        "method": {"id": model, "version": version, "sha256": hashlib.sha256(program).hexdigest()},
        "pack": {"id": info["id"], "version": str(info["version"]), "sha256": packs.content_hash(workspace.pack)},
        "gwp": None, "where": {}, "factors": None,
        "inputs": [
            {"workspace": workspace.name, "workspace_id": workspace.id, "version": made["workspace_version"]}
        ],
        **question,
    }  # fmt: skip
    text = json.dumps({**core, "value": made["value"]}, sort_keys=True, ensure_ascii=False)
    identity = "nowcast-" + hashlib.sha256(text.encode()).hexdigest()[:16]
    result = {name: made[name] for name in ("value", "low", "high", "counted_share", "unit", "status")}
    kept = {"id": identity, "created_at": datetime.now(UTC).isoformat(timespec="seconds"), **core, "result": result}
    totals = [{"item": "emission.co2", "basis": None, "value": made["value"]}]
    return {**kept, "totals": totals, "results": results(made, identity)}


def verify(run_id: str, workspace: Any = None) -> dict[str, Any]:
    """Make a kept run again from its own version of the data: {id, same, differences, changed}. Raises Refused."""
    workspace = opened(workspace)
    kept = workspace.run(run_id)
    if kept is None or kept.get("kind") != "nowcast":
        raise Refused(Problem("engine.no-run", value=run_id))
    again = run(
        workspace, as_of=date.fromisoformat(kept["as_of"]), month=date.fromisoformat(f"{kept['month']}-01"),
        place=kept["place"], by=kept["by"], tree=kept["tree"], family=kept["family"], reconcile=kept["reconcile"],
        record=0, keep=False, version=kept["workspace_version"],
    )  # fmt: skip
    changed = [name for name in ("method", "pack", "dualcarbon") if kept.get(name) != again["run"][name]]
    differences = runs.compare(kept["results"], results(again, run_id))
    return {"id": run_id, "same": not differences, "differences": differences, "changed": changed}


def results(made: dict[str, Any], run: str) -> list[dict[str, Any]]:
    """The rows of an estimate in the layout of results: dimensions, item, period, value, interval, method, run."""
    model, version = MODEL.split("/")
    same = {"item": "emission.co2", "period": made["month"], "unit": made["unit"], "status": made["status"],
            "method": model, "version": version, "run": run, "family": made["family"]}  # fmt: skip
    return [
        {**{name: row[name] for name in BY if name in row}, **same, "value": row["value"], "low": row["low"],
         "high": row["high"], "uncertainty": None if row["low"] is None else "estimate",
         "complete": row["counted_share"] >= 1}
        for row in made["rows"]
    ]  # fmt: skip
