"""Published totals and targets of emissions: rows of datasets with the role `control`.

Item `emission.co2` of a place (and sector or domain) over whole months (a month, a quarter, January to September, a
year); item `target.emission.co2` by year. `settling` moves the months of the cells until they meet them.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, NamedTuple

from dualcarbon.core import periods
from dualcarbon.nowcast.city import City

TOTAL, TARGET = "emission.co2", "target.emission.co2"


class Official(NamedTuple):
    """One published figure: its item, place, sector and domain ("" for all), period, value (t CO2), dataset and status,
    the day it became known, its own interval, where one was stated, and the dataset's title (Chinese, English)."""

    item: str
    place: str
    sector: str
    start: date
    end: date
    value: float
    dataset: str
    status: str
    domain: str = ""
    known_at: date | None = None
    low: float | None = None
    high: float | None = None
    title: tuple[str, str] = ("", "")


def read(workspace: Any, seen: City, place: str, below: Collection[str] = ()) -> list[Official]:
    """Published totals and targets known on the day of `seen`, of `place`, its areas and the places `below` them."""
    control = {one["id"]: one for one in workspace.datasets() if one["role"] == "control"}
    if not control:
        return []
    rows = workspace.observations(datasets=list(control), known_at=seen.as_of, version=seen.version)
    plain = ("carrier", "entity", "process", "counterparty", "equipment")
    whole = " and ".join(f"{name} is null" for name in plain)
    found = rows.filter(f"item in ('{TOTAL}', '{TARGET}') and value is not null and {whole}")
    asked = {place, *(cell[0] for cell in seen.cells), *below}
    made = []
    for item, where, sector, domain, start, end, value, dataset, known_at, low, high in found.select(
        'item, place, sector, domain, start, "end", value, dataset, known_at, low, high'
    ).fetchall():
        if where in asked:
            about = control[dataset]
            title = str(about.get("title_zh") or dataset), str(about.get("title_en") or dataset)
            status = about.get("status") or "unverified"
            made.append(Official(item, where, sector or "", start, end, float(value), dataset, status, domain or "",
                                 known_at, low, high, title))  # fmt: skip
    return sorted(made, key=lambda one: (one[:9], one.known_at or date.min))


def target(officials: Sequence[Official], place: str, year: int) -> Official | None:
    """The year's target of `place`, where one was set."""
    mine = [one for one in officials if one.item == TARGET and one.place == place and not (one.sector or one.domain)]
    return next((one for one in mine if one.start == date(year, 1, 1) and one.end == date(year + 1, 1, 1)), None)


def horizon(officials: Sequence[Official], last: date) -> date:
    """The last month that has to be read so that totals which bear on the month `last` can bind: those that span it,
    and those that overlap or follow them."""
    end = date(last.year + last.month // 12, last.month % 12 + 1, 1)
    for one in sorted((one for one in officials if one.item == TOTAL and one.end > last), key=lambda one: one.start):
        if one.start <= end:
            end = max(end, one.end)
    return date(end.year - (end.month == 1), (end.month - 2) % 12 + 1, 1)


def described(one: Official, day: date) -> dict[str, Any]:
    """A published figure, with the `query` of the explanation that opens its row as it was known on the `day`."""
    period = periods.text(one.start, one.end)
    query = {"item": one.item, "place": one.place, "sector": one.sector, "domain": one.domain, "period": period,
             "dataset": one.dataset, "known_at": day.isoformat()}  # fmt: skip
    return {
        "place": one.place, "sector": one.sector, "domain": one.domain, "period": period, "official": one.value,
        "low": one.low, "high": one.high, "dataset": one.dataset, "status": one.status, "known_at": one.known_at,
        "title": dict(zip(("zh", "en"), one.title, strict=True)),
        "query": {name: text for name, text in query.items() if text},
    }  # fmt: skip
