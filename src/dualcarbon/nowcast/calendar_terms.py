"""What the calendar and the weather do to a month: the Spring Festival, degree days.

The festival's rest is that of the State Council's yearly notices, as the library chinese-calendar holds them; of years
that it does not know yet the festival says nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache

import numpy as np

from dualcarbon.nowcast.denton import Array

#: Items of observations that hold the weather of a month (degree days, °C·d) where somebody gives it.
WEATHER = {"weather.heating_degree_days": "heating", "weather.cooling_degree_days": "cooling"}
#: Days around the festival's first day of rest in which works stop and start again.
BEFORE, AFTER = 7, 14
#: Degree days are counted in thousands.
DEGREE_DAYS = 1000.0


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
