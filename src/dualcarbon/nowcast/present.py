"""This month's carbon of a place: counted where energy was reported, estimated where it was not, with its interval."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dualcarbon import __version__
from dualcarbon.core import pack as packs
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import runs
from dualcarbon.engine.methods import find_method
from dualcarbon.nowcast import (
    account,
    beside,
    doubled,
    factors,
    figures,
    flag_words,
    flags,
    gaps,
    months,
    settling,
    uncertainty,
)
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import current, month_text
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.opened.nodes import NONE, options, span_of
from dualcarbon.nowcast.record import lateness, recorded
from dualcarbon.nowcast.settling import Settled
from dualcarbon.nowcast.usual import FAMILY, RECORD

BY = ("place", "sector", "domain")
#: The estimating model, by name and version: part of what a run is made of.
MODEL = "nowcast.monthly-bridge/6"
#: Modules that make an estimate: their hash is part of a run.
PROGRAM = (
    "months", "bridge", "choose", "intervals", "calendar_terms", "spreading", "screening", "panel", "annual/forecast",
    "annual/factor_model", "annual/files", "denton", "city", "factors", "figures", "officials", "settling", "reconcile",
    "usual",
)  # fmt: skip


def opened(workspace: Any) -> Any:
    """A workspace from itself, its folder, or the nearest one."""
    from dualcarbon.core.workspace import Workspace

    return workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)


def run(
    workspace: Any = None,
    *,
    as_of: date | None = None,
    month: date | str | None = None,
    place: str | None = None,
    by: Sequence[str] = ("place",),
    tree: str = "admin",
    family: str = FAMILY,
    reconcile: str = "raking",
    record: int = RECORD,
    keep: bool = True,
    version: int | None = None,
) -> dict[str, Any]:
    """Estimate `month` (default: `figures.current`) with what was known on `as_of`.

    Rows are by place, sector or domain, and sum to the total. `reconcile`: how cells are moved to meet official totals
    of the month or of its year (`raking`, `least_squares`, `none`); `reconciliation` and each row's `moved` say by how
    much. `uncertainty` is that of factors and data, which the interval is without; `doubled` what counts twice.
    `record`: also replay so many of the last months (0: none), as late as this one and with its electricity in hand, to
    show error, skill and empirical coverage of cells and of the whole (`record.recorded`). `keep`: keep the run with
    its results. `version`: of the observations (default: the latest). Raises Refused for an unknown place, dimension or
    way to reconcile, for a month that cannot be estimated, and for official totals that contradict each other.
    """
    wrong = [name for name in by if name not in BY]
    if wrong:
        raise Refused(Problem("nowcast.unknown-dimension", value=wrong[0], params={"known": "、".join(BY)}))
    workspace = opened(workspace)
    month = span_of(month).start if isinstance(month, str) else month
    asked_of: dict[str, Any] = {"place": place, "tree": tree, "family": family, "version": version}
    year = cities.read(workspace, as_of=as_of, until=date(month.year, 12, 1) if month else None, **asked_of)
    lately = later(year)
    if month is None:
        month = current(year)
        if month not in year.months:
            year = cities.read(workspace, as_of=year.as_of, until=month, **asked_of)
    if month not in year.months:
        raise Refused(Problem("nowcast.too-short", value=month_text(month)))
    seen = year.upto(year.months.index(month))
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    t = len(seen.months) - 1
    since = max(t - seen.months[t].month + 1, 0)
    done = settling.settle(workspace, year, range(since, t + 1), code, tree=tree, family=family, method=reconcile)
    direct, _ = done.parts(t)
    made: dict[str, Any] = {
        "place": code, "place_name": named_code(book.places, code),
        "month": month_text(seen.months[t]), "as_of": seen.as_of, "tree": tree, "family": family, "unit": "tCO2",
        "status": done.status, "workspace_version": seen.version,
        "model": MODEL, "scope": ["direct", "indirect"], "synthetic": done.status == "synthetic",
        **account.named(book),
    }  # fmt: skip
    whole = np.ones(len(done.seen.cells), bool)
    then = year_before(done, t)
    made |= against(done.figure(t, whole), then, whole) | done.seen.unheard(whole)
    told = done.told(t)
    opens = {name: value for name, value in question(made, reconcile).items() if name != "month"}
    made["uncertainty"] = None
    if not made["official"]:
        made["uncertainty"] = uncertainty.of(workspace, done.seen, [t], whole, made["value"], book, opens)
    made["reconciliation"] = {"method": reconcile if told else None, "totals": told, "unused": done.left(t)}
    made["year_to_date"] = beside.so_far(done, t, book, named_code)
    made["rows"] = _rows(done, t, by, book, made, reconcile, then)
    made["fuel_late_months"] = lateness(seen, t)[0]
    made["methods"] = cells_by_method(done.parts(t))
    made["skill"] = direct.record
    asked = {"place": code, "as_of": seen.as_of.isoformat(), "tree": tree, **options(family)}
    made["record"] = recorded(seen, t, record, asked) if record else None
    made |= of_factors(seen, t, book)
    made["later"] = lately
    late = year if arrived(year, t) else cities.read(workspace, as_of=seen.as_of, **asked_of)
    found = [*flags.missing(late, t), *done.flags(t), *flags.carried(flags.find(seen), done.seen, t, done.parts(t)),
             *flags.unreported(seen, t)]  # fmt: skip
    made["flags"] += [{**flag, **named(book, flag, opens)} for flag in found]
    made["fallbacks"], made["absent"] = [*seen.fallbacks], [*seen.absent]
    made["doubled"] = doubled.of(workspace, seen, [t], tree, book)
    made["run"] = manifest(workspace, made, place=code, by=list(by), tree=tree, family=family, reconcile=reconcile)
    if keep:
        workspace.keep_run(made["run"])
    return made


def later(seen: City) -> dict[str, Any] | None:
    """Rows that became known after the day of an answer that named none: {rows, day, message}; None without any."""
    if seen.later is None:
        return None
    count, day = seen.later
    spoken = {name: {"zh": f"{one.year}年{one.month}月{one.day}日", "en": one.isoformat()}
              for name, one in (("since", seen.as_of), ("day", day))}  # fmt: skip
    words = {**spoken, "count": f"{count:,}", "iso": day.isoformat()}
    problem = Problem("nowcast.later-rows", value=seen.as_of.isoformat(), params=words)
    return {"rows": count, "day": day, "message": {lang: problem.as_dict(lang)["message"] for lang in ("zh", "en")}}


class Before(NamedTuple):
    """A month and that a year before it, by cell (N,) in t CO2 as they are compared, and which can be (`like`)."""

    now: Array
    then: Array
    like: np.ndarray


def year_before(done: Settled, t: int) -> Before | None:
    """Month number `t` with the month a year before where some cells of that were not reported: these are estimated
    and, where there is nothing to estimate from or the place had not begun to report, left out of both; None where all
    were, most were not, or there is no month a year before that opens."""
    s, seen = t - cities.YEAR, done.seen
    if s < 1 or (figures.known(seen, s) is not None and not gaps.unlike(seen, [s, t])):
        return None
    try:
        both = [gaps.of(seen, [n], done.before) for n in (s, t)]
    except Refused:
        return None
    if both[0].open:
        return None
    alike = done.alike(t)
    now = done.cells(t) if alike else done.unmoved(t)
    then = done.moved[s] if alike and s in done.moved else both[0].cells[:, 0]
    return Before(now, then, gaps.alike(seen, both)[0])


def against(figure: dict[str, Any], then: Before | None, mine: np.ndarray) -> dict[str, Any]:
    """A `figure` of the cells `mine` (N,), compared with the year before like with like where some cells lack that;
    with nothing where all do."""
    if then is None or (figure["last_year"] is not None and then.like[mine].all()):
        return figure
    like = mine & then.like
    if not like.any():
        return figure | dict.fromkeys(("last_year", "change", "change_percent"))
    now, last = float(then.now[like].sum()), float(then.then[like].sum())
    return figure | {"last_year": last, "change": now - last,
                     "change_percent": 100 * (now / last - 1) if last else None}  # fmt: skip


def arrived(seen: City, t: int) -> bool:
    """Whether anything has arrived of month number `t` or a later one."""
    return any(bool(np.nan_to_num(part[:, t:]).any()) for part in (seen.direct, seen.power))


def of_factors(seen: City, t: int, book: Classification, since: date | None = None) -> dict[str, Any]:
    """What the months from `since` (default: January of the year before) to number `t` lack of factors: `missing` rows
    (`factors.missing`), the `factors` borrowed (`factors.borrowed`), and the `flags` of both."""
    month = seen.months[t]
    since = since or date(month.year - 1, 1, 1)
    missing = factors.missing(seen.lost, since, month, book, named_code)
    lent = factors.borrowed(seen.fallbacks, since, month, seen.as_of, book)
    told = factors.flags([*missing, *lent], seen.place, named_code(book.places, seen.place), month_text(month))
    return {"missing": missing, "factors": lent, "flags": told}


def behind(
    seen: City, span: Sequence[int], mine: np.ndarray, part: str | None, book: Classification
) -> dict[str, list[dict[str, Any]]]:
    """The `missing` rows and the `factors` borrowed of the cells `mine` (N,) in consecutive months, by number; where
    these are not seen in full also of the year before, by which they are estimated."""
    first, last = seen.months[span[0]], seen.months[span[-1]]
    cells = {seen.cells[k] for k in np.nonzero(mine)[0]}
    lost = [one for one in seen.lost if one.cell in cells and part in (None, one.part)]
    parts = {name: method for name, (method, _) in cities.PARTS.items() if part in (None, name)}
    if not all(np.isfinite(getattr(seen, name)[mine][:, list(span)]).all() for name in parts):
        first = first.replace(year=first.year - 1)
    used = {use.parameter for method in parts.values() for use in find_method(method, book.pack).method.factors}
    lent = [one for one in seen.fallbacks if one["parameter"] in used]
    return {"missing": factors.missing(lost, first, last, book, named_code),
            "factors": factors.borrowed(lent, first, last, seen.as_of, book)}  # fmt: skip


def _rows(
    done: Settled, t: int, by: Sequence[str], book: Classification, whole: dict[str, Any], reconcile: str,
    then: Before | None,
) -> list[dict[str, Any]]:  # fmt: skip
    parts, before = done.parts(t), done.unmoved(t)
    rows = []
    for key, mine in grouped(done.seen, [BY.index(name) for name in by]):
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        row["name"] = _label(row, book)
        row |= against(done.figure(t, mine), then, mine) | done.seen.unheard(mine)
        row["moved"] = row["value"] - float(before[mine].sum()) if t in done.moved else 0.0
        row["share"] = row["value"] / whole["value"] if whole["value"] else None
        if whole["last_year"] and row["change"] is not None:
            row["pull_points"] = 100 * row["change"] / whole["last_year"]
        if row["lacking"] and not row["value"]:
            row |= dict.fromkeys(("value", "share", "change", "change_percent", "pull_points"))
        row["methods"] = cells_by_method(parts, mine)
        if len(row["methods"]) == 1 and "counted" not in row["methods"]:
            (row["method"],) = row["methods"]
        row["explain"] = question(whole, reconcile, **{name: row[name] or NONE for name in by})
        rows.append(row)
    return sorted(rows, key=lambda row: -(row["value"] or 0.0))


def grouped(seen: City, columns: Sequence[int]) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """The codes in these columns of the cells (place, sector, domain), and which cells (N,) have them."""
    found: dict[tuple[str, ...], list[int]] = {}
    for k, cell in enumerate(seen.cells):
        found.setdefault(tuple(cell[column] for column in columns), []).append(k)
    made = []
    for key, mine in sorted(found.items()):
        mask = np.zeros(len(seen.cells), bool)
        mask[mine] = True
        made.append((key, mask))
    return made


def question(made: dict[str, Any], reconcile: str, **more: Any) -> dict[str, Any]:
    """What `opening.open_figure` has to be asked to open a figure of the estimate `made`."""
    asked = {"place": made["place"], "month": made["month"], "as_of": made["as_of"].isoformat(), "tree": made["tree"],
             "city": made["place"], **options(made["family"], reconcile)}  # fmt: skip
    return {**asked, **{name: value for name, value in more.items() if value}}


def _label(row: dict[str, Any], book: Classification) -> dict[str, str]:
    codes = {"place": book.places, "sector": book.sectors, "domain": book.domains}
    texts = {}
    for lang in ("zh", "en"):
        texts[lang] = " · ".join(named_code(codes[n], row[n])[lang] if row[n] else "—" for n in codes if n in row)
    return texts


def named_code(codes: Any, code: str) -> dict[str, str]:
    """A code's name in both languages."""
    if code.endswith(cities.UNALLOCATED):
        return dict(cities.UNALLOCATED_NAME)
    if code == NONE:
        return {"zh": "未分类", "en": "not classified"}
    return {lang: codes.name(code, lang) for lang in ("zh", "en")}


def named(book: Classification, flag: dict[str, Any], asked: dict[str, Any] | None = None) -> dict[str, Any]:
    """A flag's name and message in both languages, and the question that opens its figure (`asked`: what it has to name
    besides the place, sector and month); None where there is no figure."""
    name = _label({"place": flag["place"], **({"sector": flag["sector"]} if flag["sector"] else {})}, book)
    said = {**name, "zh": name["zh"].replace(" · ", "")}
    told = flag_words.words(flag)
    if flag.get("by_place"):
        cells = [(named_code(book.places, code), count) for code, count in flag["by_place"].items()]
        told |= {"places": {
            "zh": "、".join(f"{one['zh']}{count}个" for one, count in cells),
            "en": ", ".join(f"{one['en']} {count}" for one, count in cells),
        }}  # fmt: skip
    problem = Problem(flag["rule"], value=said["zh"], params={"name": said, **told})
    made: dict[str, Any] = {"message": {lang: problem.as_dict(lang)["message"] + flag_words.borne(flag, lang)
                                        for lang in ("zh", "en")}}  # fmt: skip
    made["explain"] = None if asked is None else flags.question(flag, asked)
    return {"name": name, **made}


def cells_by_method(parts: tuple[Month, Month], mine: np.ndarray | None = None) -> dict[str, int]:
    """Number of cells counted, both parts of them, and of those shown by each method (`Month.methods`): that of the
    fuels or, where these were counted, of electricity."""
    both = zip(*(part.methods() for part in parts), strict=True)
    names = [fuels if fuels != "counted" else power for k, (fuels, power) in enumerate(both) if mine is None or mine[k]]
    order = ("counted", "last_value", "recent_mean", *months.METHODS[1:])
    return {name: names.count(name) for name in order if name in names}


def manifest(workspace: Any, made: dict[str, Any], **question: Any) -> dict[str, Any]:
    """What the run was made of, in the layout of the engine's runs: data, model, pack, options; its hash is its id."""
    model, version = MODEL.split("/")
    program = b"".join((Path(__file__).parent / f"{name}.py").read_bytes() for name in PROGRAM)
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
         "complete": row["complete"]}
        for row in made["rows"]
    ]  # fmt: skip
