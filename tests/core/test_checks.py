import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core import periods
from dualcarbon.core.checks import check_observations
from dualcarbon.core.classification import load
from dualcarbon.core.tables import OBSERVATION, conform


def rows(*given_rows, **fixed):
    """Observations from (place, sector, carrier, period[, cumulative value])."""
    spans = [periods.parse(row[3]) for row in given_rows]
    frame = pl.DataFrame(
        {
            "dataset": "d", "item": "energy.combustion", "unit": "t", "row": range(1, len(given_rows) + 1),
            "place": [row[0] for row in given_rows], "sector": [row[1] for row in given_rows],
            "carrier": [row[2] for row in given_rows], "start": [span.start for span in spans],
            "end": [span.end for span in spans],
            "value": [float(row[4]) if len(row) > 4 else 1.0 for row in given_rows],
            "cumulative": [len(row) > 4 for row in given_rows],
            **fixed,
        }
    )  # fmt: skip
    return conform(frame, OBSERVATION)


def told(frame, **options):
    return [(p.rule, p.row) for p in check_observations(frame, **options)]


X = ("330483", "C28", "diesel", "2024")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("330400", "C28", "diesel", "2024"), "core.parent-and-child"),
        (("330000", "C28", "diesel", "2024"), "core.parent-and-child"),
        (("330483", "C", "diesel", "2024"), "core.parent-and-child"),
        (("330483", "C28", "diesel", "2024-01"), "core.overlapping-periods"),
        (("330483", "C28", "diesel", "2023-12/2024-02"), "core.overlapping-periods"),
        (("330483", "C28", "diesel", "2024"), "core.duplicate-row"),
        (("330483", None, "diesel", "2024"), "core.total-and-part"),
        (("330400", "C28", "diesel", "2024-03"), "core.parent-and-child"),
        (("330400", "C", "diesel", "2024"), "core.parent-and-child"),
        (("330481", "C28", "diesel", "2024"), None),
        (("330483", "C17", "diesel", "2024"), None),
        (("330483", "C28", "gasoline", "2024"), None),
        (("330483", "C28", "diesel", "2023"), None),
        (("330400", "C28", "diesel", "2023"), None),
        (("330400", None, "diesel", "2024"), "core.parent-and-child"),
        (("330400", None, "diesel", "2023"), None),
    ],
)
def test_what_would_count_twice(other, expected):
    found = told(rows(X, other))
    assert [rule for rule, _ in found] == ([expected] if expected else [])
    assert [rule for rule, _ in told(rows(other, X))] == ([expected] if expected else [])
    if expected not in (None, "core.duplicate-row"):
        assert told(rows(X, other), control=["d"]) == []
        assert told(rows(X), known=rows(other))[0][0] == expected
        assert told(rows(("330481", "C17", "gasoline", "2024")), known=rows(X, other)) == []


def test_a_place_has_its_own_gdp_and_population_beside_its_parts():
    city, county = ("330400", None, None, "2024"), ("330483", None, None, "2024")
    for item in ("economy.gdp", "economy.value_added", "population.resident"):
        assert told(rows(city, county, item=item)) == [] and told(rows(county, item=item), known=rows(city)) == []
        assert [rule for rule, _ in told(rows(city, ("330400", "I2", None, "2024"), item=item))] == [
            "core.total-and-part"
        ]
    assert told(rows(city, city, item="economy.gdp")) == [("core.duplicate-row", 2)]


def test_management_areas_are_parents_too():
    assert [
        rule
        for rule, _ in told(rows(("330400-jk", "C28", "diesel", "2024"), ("330402-chengnan", "C28", "diesel", "2024")))
    ] == ["core.parent-and-child"]


def test_carriers_of_one_family():
    found = told(rows(("330483", "C28", "raw_coal", "2024"), ("330483", "C28", "anthracite", "2024")))
    assert found == [("core.parent-and-child", 2)]
    assert told(rows(("330483", "C28", "coking_coal", "2024"), ("330483", "C28", "anthracite", "2024"))) == []


def test_cumulative_reports_and_months():
    reports = [("330483", "C28", "diesel", f"2024-01/2024-{month:02d}", month * 10) for month in (2, 3, 4)]
    assert told(rows(*reports)) == []
    assert told(rows(*reports, ("330483", "C28", "diesel", "2024-05"))) == []
    assert [rule for rule, _ in told(rows(*reports, ("330483", "C28", "diesel", "2024-04")))] == [
        "core.overlapping-periods"
    ]
    falling = [*reports, ("330483", "C28", "diesel", "2024-01/2024-05", 35)]
    assert told(rows(*falling)) == [("core.falling-cumulative", 4)]
    assert told(rows(falling[3]), known=rows(*reports)) == [("core.falling-cumulative", 1)]
    later = ("330483", "C28", "diesel", "2024-01/2024-06", 60)
    assert told(rows(later), known=rows(*falling)) == []


def test_bounds():
    assert told(rows(X, low=[0.9], high=[1.1])) == []
    assert told(rows(X, low=[1.1], high=[1.2])) == [("core.bounds", 1)]
    assert told(conform(rows(X).with_columns(low=pl.lit(0.5)), OBSERVATION)) == [("core.bounds", 1)]


CODES = {
    "place": ["330000", "330400", "330483", "330481", "330402", "330402-chengnan"],
    "sector": ["C", "C28", "C17", "D"],
    "carrier": ["raw_coal", "anthracite", "coking_coal", "diesel"],
    "period": ["2024", "2024-Q1", "2024-01", "2024-02", "2024-05"],
}


@given(st.lists(st.tuples(*(st.sampled_from(codes) for codes in CODES.values())), min_size=2, max_size=6, unique=True))
def test_overlaps_are_found_exactly_where_comparing_all_pairs_finds_them(given_rows):
    book = load()

    def contains(parent, child):
        trees = (book.places, book.sectors, book.carriers)
        return all(a == b or a in tree.ancestors(b) for tree, a, b in zip(trees, parent, child, strict=False))

    def overlap(one, other):
        a, b = periods.parse(one[3]), periods.parse(other[3])
        return a.start < b.end and b.start < a.end

    twice = any(
        overlap(a, b) and (contains(a, b) or contains(b, a))
        for i, a in enumerate(given_rows)
        for b in given_rows[i + 1 :]
    )
    assert bool(told(rows(*given_rows))) == twice


def test_the_check_does_not_compare_every_row_with_every_other():
    spans = [periods.parse(f"20{year}-{month:02d}") for year in range(20, 24) for month in range(1, 13)]
    firms = pl.DataFrame({"entity": [f"F{n}" for n in range(2000)], "place": ["330483", "330481"] * 1000})
    months = pl.DataFrame({"start": [s.start for s in spans], "end": [s.end for s in spans]})
    fixed = {
        "dataset": "d",
        "item": "energy.combustion",
        "unit": "t",
        "carrier": "diesel",
        "sector": "C28",
        "value": 1.0,
    }
    frame = conform(
        firms.join(months, how="cross").with_columns(**{k: pl.lit(v) for k, v in fixed.items()}), OBSERVATION
    )
    began = time.perf_counter()
    assert check_observations(frame) == []
    assert time.perf_counter() - began < 10
