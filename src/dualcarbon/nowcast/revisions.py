"""The revision triangle: each month as it was estimated on each day that something arrived, and how right it was.

A month is scored by itself as soon as all of it has been counted: its first estimates against the count and against the
month a year ago. An official total of the year scores the year in the same way, and re-benchmarks its months.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.engine.factors import load_factors
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import officials, settling
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.figures import known, month_text
from dualcarbon.nowcast.gaps import span_text
from dualcarbon.nowcast.present import named_code, of_factors, opened
from dualcarbon.nowcast.usual import FAMILY

MONTHS = 6
#: What a month comes to, by part, with the data and factors of a day, and with the factors of another; None: the same.
Again = Callable[[date, date, date], tuple[dict[str, float], dict[str, float]] | None]


def vintages(
    workspace: Any = None,
    *,
    place: str | None = None,
    months: int = MONTHS,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = FAMILY,
) -> dict[str, Any]:
    """The last `months` months as estimated on every day of arrival and on the first of every month, and their scores.

    `rows`: {month, estimates: [{as_of, value, low, high, counted_share}], first, last, revision_percent,
    factors_percent, score}: `factors_percent` is how much of the revision new factors made; `score` {error_percent,
    last_value_error_percent, inside, counted, factors …} once counted. `years`: official totals of years against what
    the months said. `note` says why there are no rows. Raises Refused for an unknown place or a workspace without
    energy data.
    """
    workspace = opened(workspace)
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    now = cities.read(workspace, as_of=as_of, place=code, tree=tree, family=family)
    first = max(len(now.months) - months, 12)
    span = now.months[first:]
    days = _days(workspace, now, span[0]) if span else []
    found: dict[date, list[dict[str, Any]]] = {month: [] for month in span}
    known = {now.as_of: now}
    for day in days:
        if day not in known:
            known[day] = cities.read(workspace, as_of=day, place=code, tree=tree, family=family)
        for month, one in _on(workspace, known[day], span, code, tree, family).items():
            found[month].append(one)
    again = recounted(workspace, code, tree, family, known)
    rows = [_row(month, _changes(found[month]), again, now.as_of) for month in span]
    told = [row["score"] for row in rows if row["score"]]
    return {
        "place": code, "place_name": named_code(book.places, code), "unit": "tCO2", "as_of": now.as_of, "tree": tree,
        "status": now.status, "days": [day.isoformat() for day in days], "rows": rows,
        "score": _summary(told), "years": years(workspace, now, code, tree, family),
        "note": None if rows else _none(now), **_of_factors(now, book),
    }  # fmt: skip


def scored(workspace: Any, now: City, month: date, place: str, tree: str, family: str) -> dict[str, Any] | None:
    """The line of `vintages` of one `month` until it was counted in full; None where it has no score."""
    if month not in now.months[12:]:
        return None
    estimates: list[dict[str, Any]] = []
    known = {now.as_of: now}
    for day in _days(workspace, now, month):
        if day not in known:
            known[day] = cities.read(workspace, as_of=day, place=place, tree=tree, family=family)
        estimates += _on(workspace, known[day], [month], place, tree, family).values()
        if estimates and estimates[-1]["low"] is None:
            break
    row = _row(month, _changes(estimates), recounted(workspace, place, tree, family, known), now.as_of)
    return row if row["score"] else None


def _on(
    workspace: Any, seen: City, span: Sequence[date], place: str, tree: str, family: str
) -> dict[date, dict[str, Any]]:
    """The months `span` that were over, as estimated on the day of `seen`."""
    day = seen.as_of
    asked = [seen.months.index(month) for month in span if month in seen.months[1:]]
    asked = [t for t in asked if seen.months[t] <= cities.month_before(day)]
    done = settling.settle(workspace, seen, asked, place, tree=tree, family=family)
    found = {}
    for t in asked:
        made = done.figure(t, np.ones(len(done.seen.cells), bool))
        kept = {name: made[name] for name in ("value", "low", "high", "counted_share", "last_year", "alike")}
        found[seen.months[t]] = {"as_of": day.isoformat(), **kept, "moved": t in done.moved}
    return found


def _none(now: City) -> dict[str, str]:
    """Why there is no triangle."""
    seen = np.isfinite(np.concatenate([now.direct, now.indirect])).any(0).tolist()
    told = [month_text(month) for month, there in zip(now.months, seen, strict=True) if there]
    zh, en = (span_text(told, lang) for lang in ("zh", "en"))
    return {
        "zh": f"修订从有上年同月的月份列起；现有{len(told)}个月（{zh}），还没有满一年，暂无可列。",
        "en": f"Revisions are listed from the first month that has one a year before; there are {len(told)} months "
              f"({en}), none of which has.",
    }  # fmt: skip


def _of_factors(now: City, book: Classification) -> dict[str, Any]:
    lent = of_factors(now, len(now.months) - 1, book)
    return {"missing": lent["missing"], "factors": lent["factors"]}


def _days(workspace: Any, now: City, since: date) -> list[date]:
    """Days on which energy arrived since the end of month `since`, and the first of each month, up to today's."""
    datasets = [one["id"] for one in workspace.datasets() if one["role"] == "account"]
    rows = workspace.observations(datasets=datasets, known_at=now.as_of, version=now.version)
    energy = rows.filter("item in ('energy.combustion', 'energy.purchased') and known_at is not null")
    days = {row[0] for row in energy.aggregate("known_at", "known_at").fetchall()}
    start = date(since.year + since.month // 12, since.month % 12 + 1, 1)
    day = start
    while day <= now.as_of:
        days.add(day)
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return sorted(day for day in {*days, now.as_of} if start <= day <= now.as_of)


def _changes(estimates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The estimates without those that say the same as the one before."""
    kept: list[dict[str, Any]] = []
    for one in estimates:
        if not kept or abs(one["value"] - kept[-1]["value"]) > 1e-9 * abs(one["value"]):
            kept.append(one)
    return kept


def _row(month: date, estimates: list[dict[str, Any]], again: Again, last: date) -> dict[str, Any]:
    """A month's line of the triangle. It is scored against what was first counted in full, counted again with the
    factors that its first estimate used: what factors moved since is no error of the estimate."""
    guesses = [one for one in estimates if one["low"] is not None]
    whole = next((one for one in estimates if one["low"] is None), None)
    score = None
    if whole and guesses and whole["value"]:
        first, before = guesses[0], guesses[0]["last_year"] or whole["last_year"]
        moved = _moved(again, month, date.fromisoformat(whole["as_of"]), date.fromisoformat(first["as_of"]))
        truth = whole["value"] - (0.0 if whole["moved"] else moved)
        score = {
            "truth": truth, "first": first["value"], "error_percent": 100 * (first["value"] / truth - 1),
            "last_value": before, "last_value_error_percent": 100 * (before / truth - 1) if before else None,
            "inside": bool(first["low"] <= truth <= first["high"]),
            "counted": whole["value"], "factors": whole["value"] - truth,
            "days_ahead": (date.fromisoformat(whole["as_of"]) - date.fromisoformat(first["as_of"])).days,
        }  # fmt: skip
    ends: list[Any] = [estimates[k]["value"] for k in (0, -1)] if estimates else [None, None]
    moved = _moved(again, month, last, date.fromisoformat(estimates[0]["as_of"])) if len(estimates) > 1 else 0.0
    return {
        "month": month_text(month), "estimates": estimates, "first": ends[0], "last": ends[1],
        "revision_percent": 100 * (ends[1] / ends[0] - 1) if ends[0] and ends[1] else None,
        "factors_percent": 100 * moved / ends[0] if ends[0] else None, "score": score,
    }  # fmt: skip


def recounted(workspace: Any, place: str, tree: str, family: str, known: Mapping[date, City] | None = None) -> Again:
    """How a month comes out with the data of a day, by part in t CO2: with the factors of that day, and of an earlier
    one; None where the same factors were known on both. `known` are days that were read already."""
    seen: dict[Any, settling.Settled] = {}
    table = load_factors(str(workspace.pack))

    def made(day: date, factors_at: date) -> settling.Settled:
        key = day, _valid(table, factors_at)
        if key not in seen:
            read = (known or {}).get(day) if day == factors_at else None
            read = read or cities.read(workspace, as_of=day, place=place, tree=tree, family=family,
                                       factors_at=factors_at)  # fmt: skip
            seen[key] = settling.Settled(read, place, "none")
        return seen[key]

    def again(month: date, day: date, factors_at: date) -> tuple[dict[str, float], dict[str, float]] | None:
        if _valid(table, day) == _valid(table, factors_at):
            return None
        both = []
        for done in (made(day, day), made(day, factors_at)):
            if month not in done.seen.months[1:]:
                return None
            direct, indirect = done.before(done.seen.months.index(month))
            both.append({"direct": float(direct.value.sum()), "indirect": float(indirect.value.sum())})
        return both[0], both[1]

    return again


def _moved(again: Again, month: date, day: date, factors_at: date) -> float:
    """How much the factors that came after `factors_at` moved the month as known on `day` (t CO2)."""
    both = again(month, day, factors_at)
    return sum(both[0].values()) - sum(both[1].values()) if both else 0.0


def _valid(table: Any, day: date) -> str:
    """A text that is the same for days on which the same factors were known."""
    return hashlib.sha256(repr([list(column) for column in table.validity(day)]).encode()).hexdigest()


def _summary(scored: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not scored:
        return None
    base = [abs(one["last_value_error_percent"]) for one in scored if one["last_value_error_percent"] is not None]
    error = float(np.mean([abs(one["error_percent"]) for one in scored]))
    last = float(np.mean(base)) if base else None
    return {"months": len(scored), "error_percent": error, "last_value_error_percent": last,
            "skill_vs_last": 1 - error / last if last else None,
            "inside": float(np.mean([one["inside"] for one in scored]))}  # fmt: skip


def years(workspace: Any, now: City, place: str, tree: str, family: str) -> list[dict[str, Any]]:
    """Official totals of whole years of `place` against its months, and the months re-benchmarked to them."""
    published = [
        one for one in officials.read(workspace, now, place)
        if one.item == officials.TOTAL and one.place == place and not (one.sector or one.domain)
        and one.start.month == 1 and one.end == date(one.start.year + 1, 1, 1)
    ]  # fmt: skip
    span = [t for t, month in enumerate(now.months) for one in published if one.start <= month < one.end]
    if not span:
        return []
    done = settling.settle(workspace, now, span, place, tree=tree, family=family)
    return [_year(done, one) for one in done.totals if one.one in published]


def _year(done: settling.Settled, total: settling.Total) -> dict[str, Any]:
    """An official total of a year, what its months said, and each month before and after."""
    one, span = total.one, range(total.first, total.end)
    sums = [float(done.unmoved(t)[total.cells].sum()) for t in span]
    said = float(sum(sums))
    past = [known(done.seen, t - 12, total.cells) for t in span]
    before = None if None in past else float(sum(value for value in past if value is not None))
    return {
        "year": one.start.year, "official": one.value, "estimated": said, "dataset": one.dataset, "status": one.status,
        "error_percent": 100 * (said / one.value - 1) if one.value else None,
        "last_value_error_percent": 100 * (before / one.value - 1) if one.value and before is not None else None,
        "months": [
            {"month": month_text(done.seen.months[t]), "before": old, "after": float(done.moved[t][total.cells].sum())}
            for t, old in zip(span, sums, strict=True)
        ],
    }  # fmt: skip
