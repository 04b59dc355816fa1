"""What the quick-calc's page shows: this month, the months around it, the year's path, areas, sectors, causes."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import (
    account,
    arrivals,
    beside,
    doubled,
    flags,
    officials,
    present,
    record,
    revisions,
    settling,
    uncertainty,
    why,
)
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import current, known, month_text, reach
from dualcarbon.nowcast.opened.nodes import NONE, options
from dualcarbon.nowcast.present import named_code
from dualcarbon.nowcast.settling import Settled
from dualcarbon.nowcast.usual import FAMILY

#: Months shown before this one, and at least ahead of it.
BEHIND, AHEAD = 18, 2


def board(workspace: Any, *, place: str | None, as_of: date | None, tree: str, family: str = FAMILY) -> dict[str, Any]:
    """The page's data for one place and day. Values in tCO2; intervals hold 90 % (`low`, `high`) and 80 %.
    `question` is what all that it opens is asked with.

    This month is the last before `as_of`, or the month of `as_of` itself once the last was reported in full. Raises
    Refused for an unknown place and a workspace without monthly energy.
    """
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    now = cities.read(workspace, as_of=as_of, place=code, tree=tree, family=family)
    if len(now.months) < 2:
        raise Refused(Problem("nowcast.too-short", value=month_text(now.months[-1])))
    last = now.months[-1]
    this = current(now)
    farthest = cities.month_after(now.months[0], reach(now, len(now.months) - 1))
    horizon = max(this, min(farthest, max(cities.month_after(this, AHEAD), date(last.year, 12, 1))))
    full = cities.read(workspace, as_of=now.as_of, until=horizon, place=code, tree=tree, family=family)
    t = full.months.index(this)
    shown = range(max(t - BEHIND, 1), len(full.months))
    done = settling.settle(workspace, full, shown, code, tree=tree, family=family)
    full = done.seen
    whole = np.ones(len(full.cells), bool)
    span = [present.against(_month(done, s, whole), present.year_before(done, s), whole) for s in shown]
    head = next(one for one in span if one["month"] == month_text(this))
    published = officials.read(workspace, full, code)
    year = last.year
    closed = max((s for s in range(len(now.months)) if known(now, s) is not None), default=None)
    lent = present.of_factors(full, t, book)
    opens = {"as_of": now.as_of.isoformat(), "tree": tree, "city": code, **options(family)}
    behind = full.months.index(last)
    late = flags.carried(flags.find(now), full, behind, done.parts(behind))
    found = [*flags.missing(full, t), *done.flags(t), *late, *flags.unreported(full, t)]
    answer: dict[str, Any] = {
        "place": code, "place_name": named_code(book.places, code), "tree": tree, "as_of": now.as_of, "unit": "tCO2",
        "status": done.status, "synthetic": done.status == "synthetic", "model": present.MODEL,
        "workspace_version": now.version, "month": head["month"], "head": head, **account.named(book),
        "closed": span_of(span, full, closed), "months": span, "year": _year(done, year, published, book),
        "areas": _rows(done, t, 0, book.places), "sectors": _rows(done, t, 1, book.sectors),
        "domains": _rows(done, t, 2, book.domains), "methods": present.cells_by_method(done.before(t)),
        "officials": done.told(t),
        "flags": [{**flag, **present.named(book, flag, opens)} for flag in found],
        "fallbacks": len(now.fallbacks), "missing": lent["missing"], "factors": lent["factors"],
        "later": present.later(now), "question": {"place": code, **opens},
        "doubled": doubled.of(workspace, full, shown, tree, book),
    }  # fmt: skip
    if answer["year"] is not None:
        answer["year"]["revised"] = _revised(workspace, full, answer["year"], code, tree, family)
    answer["uncertainty"] = None
    if not head["official"]:
        answer["uncertainty"] = uncertainty.of(workspace, full, [t], whole, head["value"], book, answer["question"])
    answer["causes"] = None
    if closed is not None and closed >= 12:
        end = now.months[closed]
        period = f"{end.year}-01/{month_text(end)}" if end.month > 1 else month_text(end)
        try:
            answer["causes"] = why.explain(workspace, place=code, period=period, as_of=now.as_of, tree=tree,
                                           family=family, held=now)  # fmt: skip
        except Refused:
            answer["causes"] = None
    return answer


def span_of(span: list[dict[str, Any]], full: City, closed: int | None) -> dict[str, Any] | None:
    """The last month that was reported in full, of those shown."""
    if closed is None:
        return None
    text = month_text(full.months[closed])
    return next((one for one in span if one["month"] == text), None)


def _month(done: Settled, t: int, mine: np.ndarray) -> dict[str, Any]:
    one = done.figure(t, mine)
    state = "partly" if one["counted_share"] > 0 else "estimated"
    state = "counted" if one["low"] is None and not one["lacking"] else state
    state = "official" if one["official"] else state
    moved = one["value"] - float(done.unmoved(t)[mine].sum()) if t in done.moved else 0.0
    return {"month": month_text(done.seen.months[t]), "state": state, **one, **done.seen.unheard(mine), "moved": moved}


def _year(
    done: Settled, year: int, published: Sequence[officials.Official], book: Classification
) -> dict[str, Any] | None:
    """The year with the interval of what is estimated, the year before as far as it can be compared (`beside.so_far`),
    and the target; `complete`: to December. None where the year begins before the data.

    Its `path` is month by month, summed up; `part`: only some of it can be compared. Errors of the months are taken as
    shared among them, which is the wider reading.
    """
    full = done.seen
    span = [t for t, month in enumerate(full.months) if month.year == year]
    if not span or full.months[span[0]].month != 1:
        return None
    whole = np.ones(len(full.cells), bool)
    path = []
    for t in span:
        so_far = beside.so_far(done, t, book, named_code)
        if so_far["value"] is None:
            return None
        ends = {end: so_far["value"] if so_far[end] is None else so_far[end] for end in ("low", "high")}
        path.append({"month": month_text(full.months[t]), "state": _month(done, t, whole)["state"], **ends,
                     **{name: so_far[name] for name in ("value", "last_year", "compared", "alike")},
                     "part": bool(so_far["left_out"]) or so_far["compared"] != so_far["period"]})  # fmt: skip
    aim = officials.target(published, done.place, year)
    official = done.exact(span[0], span[-1] + 1, whole)
    told = officials.described(official, full.as_of) if official else None
    value = so_far["value"]
    return {
        **so_far, "year": year, "path": path, "complete": len(path) == 12, "official": told,
        "target": None if aim is None else {"value": aim.value, "dataset": aim.dataset, "status": aim.status,
                                            "gap": value - aim.value if len(path) == 12 else None},
    }  # fmt: skip


def _revised(
    workspace: Any, full: City, told: dict[str, Any], place: str, tree: str, family: str
) -> dict[str, Any] | None:
    """The same counted months with what is known today, where factors or data that came later make a difference:
    `{value, as_of, difference}`; None for a year with estimated months, or where nothing has changed."""
    today = date.today()
    if told["estimated_months"] or today <= full.as_of:
        return None
    last = date.fromisoformat(f"{told['path'][-1]['month']}-01")
    later = cities.read(workspace, as_of=today, until=last, place=place, tree=tree, family=family)
    span = [t for t, month in enumerate(later.months) if month.year == told["year"]]
    done = settling.settle(workspace, later, span, place, tree=tree, family=family)
    totals = [done.known(t, np.ones(len(done.seen.cells), bool)) for t in span]
    if len(totals) != len(told["path"]) or any(one is None for one in totals):
        return None
    value = float(sum(one for one in totals if one is not None))
    if abs(value - told["value"]) < 1e-6 * told["value"]:
        return None
    return {"value": value, "as_of": today, "difference": value - told["value"]}


def _rows(done: Settled, t: int, column: int, codes: Any) -> list[dict[str, Any]]:
    """Figures of this month by area, sector or domain (the number of the `column`), the largest first."""
    key = ("place", "sector", "domain")[column]
    all_of_it = np.ones(len(done.seen.cells), bool)
    then = present.year_before(done, t)
    whole = present.against(done.figure(t, all_of_it), then, all_of_it)["last_year"]
    total = float(done.cells(t).sum())
    rows = []
    for (code,), mine in present.grouped(done.seen, [column]):
        one = present.against(_month(done, t, mine), then, mine)
        if not one["value"] and not one["last_year"]:
            continue
        name = named_code(codes, code or NONE)
        pull = 100 * one["change"] / whole if whole and one["change"] is not None else None
        share = one["value"] / total if total else None
        rows.append({key: code, "name": name, **one, "share": share, "pull_points": pull})
    return sorted(rows, key=lambda row: -row["value"])


def replayed(
    workspace: Any, *, place: str | None, as_of: date | None, tree: str, family: str = FAMILY
) -> dict[str, Any]:
    """How good the estimates have been at the state of the month that is shown (`record.recorded`), that state also by
    month and sector, the other in `states`.

    `replay` is None where too few months are known.
    """
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    now = cities.read(workspace, as_of=as_of, place=code, tree=tree, family=family)
    t = record.shown(now)
    made: dict[str, Any] = {"place": code, "place_name": named_code(book.places, code), "as_of": now.as_of,
                            "tree": tree, "status": now.status, "unit": "tCO2", "replay": None}  # fmt: skip
    question = made["question"] = {"place": code, "as_of": now.as_of.isoformat(), "tree": tree, **options(family)}
    found = record.both(now, t)
    if found:
        mine = next(one for one in found if one.state == record.state(now, t))
        made["replay"] = {
            **record.together(found, t, question), "month": month_text(cities.month_after(now.months[0], t)),
            "sectors": _by_sector(mine, book), "by_month": _by_month(mine),
        }  # fmt: skip
    return made


def changed(
    workspace: Any, *, place: str | None, as_of: date | None, tree: str, since: int, family: str = FAMILY
) -> dict[str, Any]:
    """The revision triangle of the last `since` months, and which arrivals of this month moved the last estimate."""
    triangle = revisions.vintages(workspace, place=place, months=since, as_of=as_of, tree=tree, family=family)
    day = triangle["as_of"]
    first = date(day.year, day.month, 1)
    news = None
    if first < day:
        month = cities.month_before(day)
        news = arrivals.news(workspace, before=first, after=day, month=month, place=triangle["place"], tree=tree,
                             family=family)  # fmt: skip
    return {"vintages": triangle, "news": news}


def _by_month(replay: record.Replay) -> list[dict[str, Any]]:
    """Each month replayed: its cells as in `record.scored`, and the `total` with its interval."""
    truth, made = np.where(replay.known, replay.counted(), np.nan), replay.cells()
    rows = []
    for n, total in enumerate(replay.totals()):
        one = record.scored(truth[:, [n]], {name: values[:, [n]] for name, values in made.items()})
        rows.append({"month": total["month"], **one, "total": total})
    return rows


def _by_sector(replay: record.Replay, book: Any) -> list[dict[str, Any]]:
    """Error and coverage by sector; `beaten` is false where the estimate was no better than the last value."""
    rows = []
    truth, made = np.where(replay.known, replay.counted(), np.nan), replay.cells()
    for (code,), mine in present.grouped(replay.seen, [1]):
        whole = float(np.nansum(truth[mine]))
        if not whole:
            continue
        one = record.scored(truth[mine], {name: values[mine] for name, values in made.items()})
        beaten = one["skill_vs_last"] is not None and one["skill_vs_last"] > 0
        rows.append({"sector": code, "name": named_code(book.sectors, code or NONE), **one, "beaten": beaten,
                     "value": whole})  # fmt: skip
    return sorted(rows, key=lambda row: -row["value"])
