"""The figures of the yearly analysis of the carbon situation (年度碳排放形势分析); `telling` puts them into words.

A year that is not over is analysed up to the last month before `as_of`.
"""

from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import figures, flags, months, officials, present, telling, why
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.shape import Array


def analyse(
    workspace: Any = None,
    *,
    year: int | None = None,
    place: str | None = None,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = "provincial-2025",
) -> dict[str, Any]:
    """The situation of `year` (default: that of the last month): its figures, and the report's `paragraphs`.

    Values are tCO2 of fuels burned other than for power and of purchased electricity; months not reported are
    estimated. `target` is the year's, where one was set, and the gap to it (positive: beyond it). `paragraphs` holds
    {heading, text, table} in Chinese (`zh`) and English (`en`). Raises Refused for an
    unknown place, or a year without data in it and the year before.
    """
    workspace = present.opened(workspace)
    book = load(workspace.pack)
    seen = cities.read(workspace, as_of=as_of, place=place, tree=tree, family=family)
    code = cities.located(workspace, place)
    year = year or seen.months[-1].year
    span = [t for t, month in enumerate(seen.months) if month.year == year]
    if not span or span[0] < 12:
        raise Refused(Problem("nowcast.year-not-covered", value=str(year)))
    seen = seen.upto(span[-1])
    now, low, high, guessed, by_month = _summed(seen, span)
    past = [t - 12 for t in span]
    before = np.nan_to_num(seen.direct[:, past]).sum(1) + np.nan_to_num(seen.indirect[:, past]).sum(1)
    last = seen.months[span[-1]].month
    period = str(year) if last == 12 else f"{year}-01/{year}-{last:02d}" if last > 1 else f"{year}-01"
    made: dict[str, Any] = {
        "place": code, "place_name": present.named_code(book.places, code), "year": year,
        "period": period, "as_of": seen.as_of, "unit": "tCO2", "status": seen.status, "tree": tree,
        "synthetic": seen.status == "synthetic", "value": float(now.sum()), "low": low, "high": high,
        "estimated_months": [seen.months[t].isoformat()[:7] for t in guessed],
        "last_year": float(before.sum()), "change": float(now.sum() - before.sum()),
    }  # fmt: skip
    made["months"] = [
        {"month": seen.months[t].isoformat()[:7], "value": by_month[k], "last_year": _known(seen, t - 12),
         "estimated": t in guessed}
        for k, t in enumerate(span)
    ]  # fmt: skip
    titles = {one["id"]: one for one in workspace.datasets()}
    made["sources"] = [
        {"dataset": name, "title": {lang: titles[name].get(f"title_{lang}") or name for lang in ("zh", "en")}}
        for name in seen.datasets
    ]
    made["status_name"] = {lang: book.terms["status"].name(seen.status, lang) for lang in ("zh", "en")}
    aim = officials.target(officials.read(workspace, seen, code), code, year)
    made["target"] = aim and {
        "value": aim.value, "gap": made["value"] - aim.value, "dataset": aim.dataset, "status": aim.status,
        "status_name": {lang: book.terms["status"].name(aim.status, lang) for lang in ("zh", "en")},
    }  # fmt: skip
    made["change_percent"] = 100 * made["change"] / made["last_year"] if made["last_year"] else None
    for name, column in (("areas", 0), ("sectors", 1), ("domains", 2)):
        made[name] = _grouped(seen, now, before, column, book)
    made["causes"] = None
    if not guessed:
        made["causes"] = why.explain(workspace, place=code, period=period, as_of=seen.as_of, tree=tree, family=family)
    asked = [t for t in span if np.isfinite(seen.direct[:, t]).mean() >= 0.5]
    replayed = (
        months.replay(seen.direct, seen.power, asked, 1, seen.places, seen.sectors, seen.terms) if asked else None
    )
    made["record"] = present.scored(seen.direct[:, asked], replayed) if replayed else None
    found = {
        (flag["rule"], flag["place"], flag["sector"]): flag for t in reversed(span) for flag in flags.find(seen, t)
    }
    made["flags"] = [{**flag, **present.named(book, flag)} for flag in found.values()]
    made["paragraphs"] = {lang: telling.paragraphs(made, lang) for lang in ("zh", "en")}
    return made


def _summed(seen: City, span: list[int]) -> tuple[Array, float | None, float | None, list[int], list[float]]:
    """CO2 of the months `span` by cell (N,), the 90 % interval of their sum, the months with estimates, and each month.

    Errors of the months are taken as shared among them, which is the wider reading.
    """
    total, width, counted = np.zeros(len(seen.cells)), 0.0, 0.0
    guessed: list[int] = []
    by_month: list[float] = []
    for t in span:
        parts = seen.direct[:, t], seen.indirect[:, t]
        if all(np.isfinite(part).all() for part in parts):
            of_month = parts[0] + parts[1]
        else:
            guessed.append(t)
            variance, of_month = 0.0, np.zeros(len(seen.cells))
            for part in figures.estimated(seen, t):
                guess = np.where(part.counted, 0.0, part.value)
                of_month = of_month + part.value
                counted += float(guess.sum())
                variance += (part.shared * guess.sum()) ** 2 + float(((part.own * guess) ** 2).sum())
            width += float(np.sqrt(variance))
        total += of_month
        by_month.append(float(of_month.sum()))
    if not guessed:
        return total, None, None, [], by_month
    value = float(total.sum())
    return total, max(value - width, value - counted), value + width, guessed, by_month


def _known(seen: City, t: int) -> float:
    """CO2 of month number `t` as far as it is known."""
    return float(np.nansum(seen.direct[:, t]) + np.nansum(seen.indirect[:, t]))


def _grouped(seen: City, now: Array, before: Array, column: int, book: Classification) -> list[dict[str, Any]]:
    codes: Any = (book.places, book.sectors, book.domains)[column]
    rows = []
    for code in sorted({cell[column] for cell in seen.cells}):
        mine = np.array([cell[column] == code for cell in seen.cells])
        value, past = float(now[mine].sum()), float(before[mine].sum())
        rows.append({
            "code": code, "name": present.named_code(codes, code) if code else {"zh": "—", "en": "—"},
            "value": value, "share": value / float(now.sum()) if now.sum() else None, "last_year": past,
            "change_percent": 100 * (value / past - 1) if past else None,
            "pull_points": 100 * (value - past) / float(before.sum()) if before.sum() else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["value"])
