"""Periods: texts as officials write them, half-open dates, and cumulative reports read as differences."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from dualcarbon.core.problems import Problem


class BadPeriod(ValueError):
    """The text names no period that exists."""


class Period(NamedTuple):
    """The days from `start` up to, but without, `end`."""

    start: date
    end: date

    def __str__(self) -> str:
        return text(self.start, self.end)


FIRST_YEAR, LAST_YEAR = 1900, 2200
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4}
_Y, _M, _D = r"(\d{4})", r"(\d{1,2})", r"(\d{1,2})"


@lru_cache(maxsize=100_000)
def parse(text: str) -> Period:
    """Return the period that `text` names.

    Accepts `2024`, `2024-Q1`, `2024H1`, `2024-01`, `202401`, `2024-01-15`, `2024-01/2024-09` (both ends inclusive) and
    `2024年`, `2024年1-9月`, `2024年3月`, `2024年3月15日`, `2024年一季度`, `2024年上半年`, `2024年前三季度`, in
    full-width digits too. Raises BadPeriod for anything else, an impossible date among them.
    """
    tidy = unicodedata.normalize("NFKC", str(text)).strip()
    tidy = re.sub(r"\s+(?:00:00:00(?:\.0+)?)$", "", tidy)
    tidy = re.sub(r"\s+", "", tidy).replace("份", "")
    tidy = re.sub(r"[—–－―~～至到]+", "~", tidy)
    tidy = re.sub(r"^(\d{4}|\d{6}|\d{8})\.0+$", r"\1", tidy)
    try:
        found = _single(tidy) or _within_year(tidy) or _span(tidy)
    except ValueError as error:
        raise BadPeriod(f"no such period: {text}") from error
    if found is None or not found.start < found.end:
        raise BadPeriod(f"not a period: {text}")
    return found


def _single(text: str) -> Period | None:
    """A year, half-year, quarter, month or day."""
    if m := re.fullmatch(_Y + "年?(?:度|全年)?", text):
        return _months(int(m[1]), 1, 12)
    if m := re.fullmatch(_Y + r"[-年]?(?:Q([1-4])|第?([一二三四1-4])季度?)", text, re.IGNORECASE):
        quarter = int(m[2] or _QUARTERS.get(m[3], m[3]))
        return _months(int(m[1]), 3 * quarter - 2, 3 * quarter)
    if m := re.fullmatch(_Y + r"[-年]?(?:H([12])|([上下])半年)", text, re.IGNORECASE):
        first = m[2] == "1" or m[3] == "上"
        return _months(int(m[1]), 1 if first else 7, 6 if first else 12)
    if m := re.fullmatch(_Y + "[-年]?前([二三2-3])季度", text):
        return _months(int(m[1]), 1, 3 * int(_QUARTERS.get(m[2], m[2])))
    if m := re.fullmatch(_Y + rf"(?:[-/.]{_M}|年{_M}月|(\d\d))", text):
        month = int(m[2] or m[3] or m[4])
        return _months(int(m[1]), month, month)
    if m := re.fullmatch(_Y + rf"(?:([-/.]){_M}\2{_D}|年{_M}月{_D}日|(\d\d)(\d\d))", text):
        day = date(_year(m[1]), int(m[3] or m[5] or m[7]), int(m[4] or m[6] or m[8]))
        return Period(day, day + timedelta(days=1))
    return None


def _within_year(text: str) -> Period | None:
    """Months of one year: `2024年1-9月`, `2024年1月-9月`, `2024.1-9`."""
    if m := re.fullmatch(_Y + rf"年{_M}月?[-~、]{_M}月", text) or re.fullmatch(_Y + rf"\.{_M}[-~]{_M}", text):
        return _months(int(m[1]), int(m[2]), int(m[3]))
    return None


def _span(text: str) -> Period | None:
    """From one period to another, both inclusive."""
    for mark in ("~", "..", "/", "-"):
        left, found, right = text.partition(mark)
        if found and right:
            first = _single(left) or (_single(left + "年") if re.fullmatch(_Y, left) else None)
            last = _single(right)
            if first and last:
                return Period(first.start, last.end)
    return None


def _year(text: str | int) -> int:
    year = int(text)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"year {year}")
    return year


def _months(year: int, first: int, last: int) -> Period:
    if not 1 <= first <= last <= 12:
        raise ValueError(f"months {first} to {last}")
    return Period(date(_year(year), first, 1), _next_month(date(year, last, 1)))


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def gap(spans: Iterable[tuple[date, date]], start: date, end: date) -> date | None:
    """Return the first day from `start` before `end` that no span covers, None when all are covered."""
    for first, last in sorted(spans):
        if first > start:
            break
        start = max(start, last)
    return start if start < end else None


def text(start: date, end: date) -> str:
    """Return the shortest text that `parse` reads back as the days from `start` up to, without, `end`."""
    if not start < end:
        raise BadPeriod(f"empty period: {start} to {end}")
    last = end - timedelta(days=1)
    if start.day != 1 or end.day != 1:
        return start.isoformat() if start == last else f"{start.isoformat()}/{last.isoformat()}"
    length = 12 * (end.year - start.year) + end.month - start.month
    if length == 12 and start.month == 1:
        return f"{start.year:04d}"
    if length == 3 and start.month % 3 == 1:
        return f"{start.year:04d}-Q{(start.month + 2) // 3}"
    first = f"{start.year:04d}-{start.month:02d}"
    return first if length == 1 else f"{first}/{last.year:04d}-{last.month:02d}"


def months(period: Period) -> list[Period]:
    """Return the calendar months that `period` touches, in order."""
    found, day = [], period.start.replace(day=1)
    while day < period.end:
        found.append(Period(day, _next_month(day)))
        day = _next_month(day)
    return found


def years(period: Period) -> list[Period]:
    """Return the calendar years that `period` touches, in order."""
    last = (period.end - timedelta(days=1)).year
    return [Period(date(year, 1, 1), date(year + 1, 1, 1)) for year in range(period.start.year, last + 1)]


def since_january(period: Period) -> Period:
    """Return the span a cumulative report of `period` covers: from 1 January to the end of `period`.

    Raises BadPeriod when `period` reaches over a year's end.
    """
    if (period.end - timedelta(days=1)).year != period.start.year:
        raise BadPeriod(f"a cumulative report stays within one year: {period}")
    return Period(date(period.start.year, 1, 1), period.end)


def told_since_january(frame: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """Which rows are reports of one year to date, by the shape of their series (`keys` name a series).

    They begin on 1 January and end within the year, at least two months later: January to March beside January to
    April. Alone such a row (January and February in one, a first quarter) is the same figure either way. A row of
    January alone belongs to them where its series has such rows, and one of the whole year where it has two that end
    differently.
    """
    year, last = pl.col("start").dt.year(), pl.col("end").dt.offset_by("-1d")
    inside = (pl.col("start").dt.ordinal_day() == 1) & (last.dt.year() == year)
    rows = frame.select(
        *keys,
        "end",
        _year=year,
        _whole=inside & (last.dt.ordinal_day() == pl.date(year, 12, 31).dt.ordinal_day()),
        _inside=inside,
        _months=last.dt.month(),
    ).with_columns(_part=pl.col("_inside") & ~pl.col("_whole") & (pl.col("_months") >= 2))
    ends = pl.when("_part").then("end").drop_nulls().n_unique().over(*keys, "_year")
    told = pl.col("_part") | (pl.col("_inside") & (ends >= pl.when("_whole").then(2).otherwise(1)))
    return rows.select(told.fill_null(False)).to_series()


def difference_cumulative(
    frame: pl.DataFrame, keys: Sequence[str], *, flows: Collection[str] | None = None
) -> tuple[pl.DataFrame, list[Problem]]:
    """Turn rows reported since January (`cumulative` true) into the flow of the time since the report before.

    `frame` needs `start`, `end`, `value`, `cumulative` and every column of `keys`; `keys` name what makes one chain of
    reports (dataset and dimensions, and `known_at` when the frame holds more than one vintage). The first report of a
    year keeps its span (January–February stays one period). A row from 1 January on that is no report, a first quarter
    say, is the same figure either way: where reports of its chain reach further, it is the first of them. A report
    without a value (`notation`) that a later one covers is dropped; NO and NA count as 0. Rows that are not cumulative,
    and items outside `flows` when that is given, pass unchanged: ratios and stocks are never differenced. Bounds of a
    difference are unknown and become null.

    Returns the frame (`cumulative` false on differenced rows) and a `core.falling-cumulative` problem for every
    negative difference, which keeps its value.
    """
    chained = pl.col("cumulative").fill_null(False)
    if flows is not None:
        chained = chained & pl.col("item").is_in(list(flows))
    if frame.select(chained.any()).item():
        chained = chained | _first_of(chained, [*keys, "start"])
    rest, reports = frame.filter(~chained), frame.filter(chained)
    if reports.is_empty():
        return frame, []
    notation = pl.col("notation") if "notation" in frame.columns else pl.lit(None, dtype=pl.String)
    chain = [*keys, "start"]
    ordered = reports.with_columns(
        pl.when(notation.is_in(["NO", "NA"])).then(0.0).otherwise(pl.col("value")).alias("_level")
    ).sort([*chain, "end"], nulls_last=True)
    ordered = ordered.with_columns(
        pl.col("_level").is_not_null().cast(pl.Int8).reverse().cum_max().reverse().over(chain).alias("_valued_after")
    ).filter(pl.col("_level").is_not_null() | (pl.col("_valued_after") == 0))
    ordered = ordered.with_columns(
        pl.col("_level").shift(1).over(chain).alias("_before"), pl.col("end").shift(1).over(chain).alias("_from")
    )
    differenced = ordered.with_columns(
        pl.when(pl.col("value").is_null() & (pl.col("_before").fill_null(0.0) == 0.0))
        .then(None)
        .otherwise(pl.col("_level") - pl.col("_before").fill_null(0.0))
        .alias("value"),
        pl.col("_from").fill_null(pl.col("start")).alias("start"),
        pl.lit(False).alias("cumulative"),
        *(
            pl.when(pl.col("_before").is_null()).then(pl.col(bound)).alias(bound)
            for bound in ("low", "high")
            if bound in frame.columns
        ),
    )
    if "notation" in frame.columns:
        differenced = differenced.with_columns(
            pl.when(pl.col("value").is_null()).then(pl.col("notation")).alias("notation")
        )
    falls = differenced.filter(pl.col("value") < 0)
    problems = [_fall(row) for row in falls.iter_rows(named=True)]
    return pl.concat([rest, differenced.select(frame.columns)]), problems


def _first_of(reports: pl.Expr, chain: Sequence[str]) -> pl.Expr:
    """Rows from 1 January on that are no reports, where reports of their chain reach further and none ends there."""
    further = pl.when(reports).then("end").max().over(chain) > pl.col("end")
    alone = ~reports.any().over([*chain, "end"])
    return ((pl.col("start").dt.ordinal_day() == 1) & further & alone).fill_null(False)


def _fall(row: dict) -> Problem:
    reported = row["_level"]
    return Problem(
        "core.falling-cumulative",
        file=row.get("source"),
        sheet=row.get("sheet"),
        row=row.get("row"),
        column="value",
        value=reported,
        params={
            "reported": reported,
            "unit": row.get("unit") or "",
            "before": row["_before"],
            "difference": row["value"],
            "period": text(date(row["start"].year, 1, 1), row["end"]),
            **{name: row.get(name) for name in ("item", "place", "entity", "sector", "carrier", "process")},
        },
    )
