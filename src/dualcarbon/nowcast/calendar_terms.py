"""What the calendar and the weather do to a month: the Spring Festival, degree days.

The festival's rest is that of the State Council's yearly notices, as the library chinese-calendar holds them; of years
that it does not know yet the festival says nothing.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np

from dualcarbon.nowcast.denton import Array

#: Items of observations that hold the weather of a month (degree days, °C·d) where somebody gives it.
WEATHER = {"weather.heating_degree_days": "heating", "weather.cooling_degree_days": "cooling"}
#: Days around the festival's first day of rest in which works stop and start again.
BEFORE, AFTER = 7, 14
#: Degree days are counted in thousands.
DEGREE_DAYS = 1000.0
#: Those of a nearer place are taken where they cover at least this share of the months that another's do.
COVERED = 0.8


@cache
def festival(year: int) -> date | None:
    """First day of the Spring Festival's rest in `year`; None where the year's notice is not known."""
    from importlib import import_module

    calendar = import_module("chinese_calendar")
    day = date(year, 1, 15)
    while day < date(year, 3, 1):
        try:
            resting, name = calendar.get_holiday_detail(day)
        except NotImplementedError:
            return None
        if resting and name == "Spring Festival":
            return day
        day += timedelta(1)
    return None


@cache
def festival_share(year: int, month: int) -> float:
    """Share of the month's days that lie around the Spring Festival; NaN where the year is not known."""
    first = festival(year)
    if first is None:
        return float("nan")
    days = _days(year, month)
    around = sum(-BEFORE <= (day - first).days <= AFTER for day in days)
    return around / len(days)


def terms(months: Sequence[date], weather: Mapping[str, Mapping[date, float]] | None = None) -> tuple[Array, list[str]]:
    """How each month differs from the same month a year before: (T, k) and the k names.

    `festival`: change of the share of days around the Spring Festival; `heating`, `cooling`: change of degree days
    (thousands), where `weather` has them. Unknown is 0.
    """
    names = ["festival"]
    columns = [[festival_share(m.year, m.month) - festival_share(m.year - 1, m.month) for m in months]]
    for name, given in (weather or {}).items():
        nowhere = float("nan")
        before = [given.get(date(m.year - 1, m.month, 1), nowhere) for m in months]
        columns.append([(given.get(m, nowhere) - old) / DEGREE_DAYS for m, old in zip(months, before, strict=True)])
        names.append(name)
    return np.nan_to_num(np.array(columns).T.reshape(len(months), len(names))), names


def _days(year: int, month: int) -> list[date]:
    first = date(year, month, 1)
    after = date(year + month // 12, month % 12 + 1, 1)
    return [first + timedelta(k) for k in range((after - first).days)]


def degree_days(rows: Any, path: list[str]) -> tuple[dict[str, dict[date, float]], dict[str, str]]:
    """Degree days by name and month, of one of the places `path`, and that place by name: the nearest with a dataset
    that covers nearly as many months as any (`COVERED`).

    A month counts where its rows, of one dataset, cover all of its days; rows of longer periods are left out.
    """
    items = ", ".join(f"'{item}'" for item in WEATHER)
    month = "date_trunc('month', start)"
    inside = f'"end" <= {month} + interval 1 month'
    found = rows.filter(f"item in ({items}) and value is not null and {inside}")
    days = "sum(date_diff('day', start, \"end\")) as days"
    sums = found.aggregate(f"item, place, dataset, {month}::date as month, sum(value) as value, {days}").fetchall()
    given: dict[tuple[str, str, str], dict[date, float]] = {}
    for item, place, dataset, start, value, covered in sums:
        if covered == monthrange(start.year, start.month)[1]:
            given.setdefault((item, place, dataset or ""), {})[start] = float(value)
    out: dict[str, dict[date, float]] = {}
    of: dict[str, str] = {}
    for item, name in WEATHER.items():
        mine = [(path.index(place), dataset, days) for (one, place, dataset), days in given.items()
                if one == item and place in path]  # fmt: skip
        most = max((len(days) for *_, days in mine), default=0)
        near = [one for one in mine if len(one[2]) >= COVERED * most]
        if near:
            where, _, out[name] = min(near, key=lambda one: (one[0], -len(one[2]), one[1]))
            of[name] = path[where]
    return out, of
