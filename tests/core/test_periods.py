from datetime import date
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core import periods
from dualcarbon.core.periods import BadPeriod, Period


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2024", "2024"),
        ("2024.0", "2024"),
        ("202403.0", "2024-03"),
        ("2024年", "2024"),
        ("2024年度", "2024"),
        ("2024-Q1", "2024-Q1"),
        ("2024年一季度", "2024-Q1"),
        ("2024年第4季度", "2024-Q4"),
        ("2024年前三季度", "2024-01/2024-09"),
        ("2024H1", "2024-01/2024-06"),
        ("2024年下半年", "2024-07/2024-12"),
        ("2024-01", "2024-01"),
        ("202401", "2024-01"),
        ("2024/3", "2024-03"),
        ("2024年9月份", "2024-09"),
        ("2024年1-9月", "2024-01/2024-09"),
        ("2024年1—2月", "2024-01/2024-02"),
        ("２０２４年１－９月", "2024-01/2024-09"),
        ("2024年1月至9月", "2024-01/2024-09"),
        ("2024-01/2024-09", "2024-01/2024-09"),
        ("2023-2024", "2023-01/2024-12"),
        ("2024-01-15", "2024-01-15"),
        ("2024年3月15日", "2024-03-15"),
        ("2024-02-27/2024-03-02", "2024-02-27/2024-03-02"),
        ("2024-01/2024-12", "2024"),
    ],
)
def test_texts(text, plain):
    assert str(periods.parse(text)) == plain


def test_the_end_is_exclusive():
    assert periods.parse("2024-02") == Period(date(2024, 2, 1), date(2024, 3, 1))


@pytest.mark.parametrize(
    "text",
    ["2024-13", "2024-02-30", "2024年13月", "2024年9-1月", "2024-09/2024-01", "", "foo", "24年", "0024", "2024-Q5"],
)
def test_impossible(text):
    with pytest.raises(BadPeriod):
        periods.parse(text)


@given(st.dates(date(1950, 1, 1), date(2100, 1, 1)), st.integers(1, 800))
def test_text_reads_back(start, days):
    end = date.fromordinal(start.toordinal() + days)
    assert periods.parse(periods.text(start, end)) == (start, end)


@given(st.integers(1950, 2100), st.integers(1, 12), st.integers(1, 30))
def test_months_tile_the_period(year, month, count):
    start = date(year, month, 1)
    end = date(year + (month + count - 1) // 12, (month + count - 1) % 12 + 1, 1)
    found = periods.months(Period(start, end))
    assert len(found) == count and found[0].start == start and found[-1].end == end
    assert all(left.end == right.start for left, right in pairwise(found))
    assert [p.start.year for p in periods.years(Period(start, end))] == sorted({p.start.year for p in found})


def reports(*rows, **more):
    """Reports since January: (period, value[, notation])."""
    spans = [periods.parse(row[0]) for row in rows]
    return pl.DataFrame(
        {
            "place": "330483",
            "item": "energy.consumption",
            "start": [p.start for p in spans],
            "end": [p.end for p in spans],
            "value": [row[1] for row in rows],
            "notation": [row[2] if len(row) > 2 else None for row in rows],
            "cumulative": True,
            "row": range(2, len(rows) + 2),
            **more,
        },
        schema_overrides={"value": pl.Float64, "notation": pl.String},
    )


def spans(frame):
    return {periods.text(r["start"], r["end"]): r["value"] for r in frame.sort("start").iter_rows(named=True)}


KEYS = ["place", "item"]


def test_cumulative_reports_become_differences_and_january_february_stays_one():
    frame = reports(("2024-01/2024-02", 20.0), ("2024-01/2024-04", 45.0), ("2024-01/2024-03", 30.0), ("2025-01", 9.0))
    found, problems = periods.difference_cumulative(frame, KEYS)
    assert spans(found) == {"2024-01/2024-02": 20, "2024-03": 10, "2024-04": 15, "2025-01": 9}
    assert not problems and not found["cumulative"].any()


def test_a_fall_is_flagged_and_never_clipped():
    found, problems = periods.difference_cumulative(reports(("2024-01", 20.0), ("2024-01/2024-02", 12.0)), KEYS)
    assert spans(found)["2024-02"] == -8
    assert [(p.rule, p.row, p.params["difference"]) for p in problems] == [("core.falling-cumulative", 3, -8)]


def test_chains_do_not_mix():
    left, right = (
        reports(("2024-01", 5.0), ("2024-01/2024-02", 9.0)),
        reports(("2024-01", 50.0), ("2024-01/2024-02", 90.0)),
    )
    frame = pl.concat([left, right.with_columns(place=pl.lit("330481"))])
    found, problems = periods.difference_cumulative(frame, KEYS)
    assert sorted(found["value"]) == [4, 5, 40, 50] and not problems


def test_a_report_without_value_is_covered_by_the_next():
    frame = reports(
        ("2024-01", 5.0), ("2024-01/2024-02", None, "NE"), ("2024-01/2024-03", 9.0), ("2024-01/2024-04", None, "NE")
    )
    found, _ = periods.difference_cumulative(frame, KEYS)
    assert spans(found) == {"2024-01": 5, "2024-02/2024-03": 4, "2024-04": None}


def test_not_occurring_counts_as_zero_but_keeps_its_notation():
    found, problems = periods.difference_cumulative(reports(("2024-01", None, "NO"), ("2024-01/2024-02", 7.0)), KEYS)
    assert spans(found) == {"2024-01": None, "2024-02": 7} and not problems
    assert found.sort("start")["notation"].to_list() == ["NO", None]


def test_stocks_are_never_differenced():
    frame = reports(("2024-01", 5.0), ("2024-01/2024-02", 9.0))
    found, _ = periods.difference_cumulative(frame, KEYS, flows=["energy.combustion"])
    assert found.equals(frame)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=12))
def test_differences_sum_to_the_last_report(flows):
    levels = [sum(flows[: k + 1]) for k in range(len(flows))]
    frame = reports(*((f"2024-01/2024-{k + 1:02d}", level) for k, level in enumerate(levels)))
    found, _ = periods.difference_cumulative(frame, KEYS)
    assert found["value"].sum() == pytest.approx(levels[-1], rel=1e-9, abs=1e-6)


def test_since_january():
    assert str(periods.since_january(periods.parse("2024-03"))) == "2024-Q1"
    with pytest.raises(BadPeriod):
        periods.since_january(periods.parse("2023-12/2024-02"))
