"""The arithmetic of the dual targets."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.plan.assessing.intensity import Dual, Year, cumulative, fall, needed, regime, views

shares = st.floats(-0.2, 0.2)


def test_by_hand() -> None:
    assert fall(0.02, 0.05) == pytest.approx(1 - 1.02 / 1.05)
    assert cumulative([0.03, 0.04]) == pytest.approx(0.0688)  # 1 − 0.97 × 0.96
    assert cumulative([]) == 0
    assert needed(0.145, [0.03, 0.03, 0.02], 2) == pytest.approx(1 - math.sqrt(0.855 / (0.97 * 0.97 * 0.98)))


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=5))
def test_five_years_are_the_product_of_their_years(growth: list[tuple[float, float]]) -> None:
    energy = math.prod(1 + e for e, _ in growth)
    gdp = math.prod(1 + g for _, g in growth)
    assert cumulative(fall(e, g) for e, g in growth) == pytest.approx(1 - energy / gdp)


@given(st.floats(0.01, 0.3), st.lists(st.floats(-0.05, 0.06), max_size=4), st.integers(1, 5))
def test_the_needed_falls_reach_the_target(total: float, falls: list[float], years: int) -> None:
    each = needed(total, falls, years)
    assert cumulative([*falls, *[each] * years]) == pytest.approx(total)


def test_what_cannot_be() -> None:
    for call in (lambda: fall(0, -1), lambda: needed(0.1, [], 0), lambda: needed(1, [], 1)):
        with pytest.raises(ValueError):
            call()


def test_basic_and_incentive() -> None:
    assert [Dual(f, 0.03, 0.035).state for f in (0.029, 0.03, 0.034, 0.035)] == [
        "missed",
        "basic",
        "basic",
        "incentive",
    ]
    assert Dual(0.03, None, None).state == "not set"
    assert Dual(0.03, None, 0.04).state == "not set"


def test_regimes_of_deduction() -> None:
    months = ("2021-12", "2022-01", "2024-01", "2024-02")
    assert [regime(month) for month in months] == [None, "renewable-increment", "renewable-increment", "non-fossil"]


def test_views_side_by_side() -> None:
    base = Year(energy=1000, gdp=100, feedstock=100, non_fossil=100)
    year = Year(energy=1040, gdp=110, feedstock=120, non_fossil=150, renewable_over_2020=30, certificates=40)
    found = {view["view"]: view for view in views(base, year, year=2024, cap=20)}
    assert found["statistical"]["fall"] == pytest.approx(1 - (1040 / 110) / (1000 / 100))
    assert found["minus feedstock"]["fall"] == pytest.approx(1 - (920 / 110) / (900 / 100))
    assert found["minus non-fossil"]["fall"] == pytest.approx(1 - (770 / 110) / (800 / 100))
    assert found["after certificates"]["energy"] == 750  # 20 of the 40, because of the cap
    earlier = {view["view"]: view for view in views(base, year, year=2024, rule="renewable-increment")}
    assert earlier["minus non-fossil"]["energy"] == 890  # 1040 − 120 − 30
    assert earlier["minus non-fossil"]["intensity"] == earlier["minus feedstock"]["intensity"]
    assert earlier["after certificates"]["cap"] is None
    with pytest.raises(ValueError):
        views(base, year, year=2024, rule="other")


def test_missing_is_not_zero() -> None:
    found = views(Year(energy=1000, gdp=100), Year(energy=1000, gdp=110, feedstock=5), year=2024)
    assert found[0]["fall"] == pytest.approx(1 - 100 / 110)
    assert found[1]["fall"] is None and found[1]["missing"] == ["2023.feedstock"]
    assert found[2]["energy"] is None and "2024.non_fossil" in found[2]["missing"]
    assert views(Year(None, 1), Year(1, None), year=2024)[0]["missing"] == ["2023.energy", "2024.gdp"]
