"""Paths, states and forecasts against hand calculations, and what must hold for any figures."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dualcarbon.core.problems import Refused
from dualcarbon.plan import Milestone, assess, milestones, path, reached, shape
from dualcarbon.plan.progress import limits
from dualcarbon.plan.standings import STUDENT, standings

NONE = [None] * 12


def reports(**months: float) -> list[float | None]:
    return [months.get(f"m{m}") for m in range(1, 13)]


def test_a_linear_path() -> None:
    assert path("flow", 80).expected[5] == pytest.approx(40)  # 80 × 6/12
    assert path("cumulative", 10, opening=7).expected[3] == pytest.approx(8)  # 7 + 3 × 4/12
    assert path("level", 23, opening=20).expected[3] == pytest.approx(21)
    assert path("level", 23).expected == (23,) * 12
    assert path("change", 3).expected == (3,) * 12


def test_a_stock_without_an_opening_has_no_path() -> None:
    assert path("cumulative", 10).expected == (None,) * 12


def test_a_seasonal_path_from_earlier_years() -> None:
    first = [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]
    second = [2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4]
    months = shape([first, second])
    assert months[0] == pytest.approx(1 / 12) and months[11] == pytest.approx(2 / 12)
    assert path("flow", 120, method="seasonal", months=months).expected[10] == pytest.approx(100)


def test_january_and_february_may_be_one() -> None:
    months = shape([[None, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])
    assert months[0] is None and months[1] == pytest.approx(2 / 12)
    expected = path("flow", 120, method="seasonal", months=months).expected
    assert expected[0] is None and expected[1] == pytest.approx(20)


def test_a_path_set_by_the_department() -> None:
    found = path("flow", 100, method="set", points={3: 10, 9: 70, 12: 100}).expected
    assert [found[m - 1] for m in (1, 3, 6, 9, 12)] == pytest.approx([10 / 3, 10, 40, 70, 100])
    for points in ({3: 10, 12: 90}, {3: 10}, {0: 1, 12: 100}, {13: 5, 12: 100}):
        with pytest.raises(Refused):
            path("flow", 100, method="set", points=points)


def test_shapes_that_cannot_be_used() -> None:
    for history in ([], [[1] * 11], [[0] * 12], [[-1] + [1] * 11], [[1] * 11 + [None]], [[1] * 12, [None] + [1] * 11]):
        with pytest.raises(Refused):
            shape(history)


def test_milestones() -> None:
    steps = [Milestone("调研", 3, 1, done=2), Milestone("初稿", 6, 1, done=8), Milestone("印发", 10, 2)]
    found = milestones(steps)
    assert found.expected[5] == pytest.approx(0.5) and found.expected[9] == 1
    assert [reached(steps, m) for m in (2, 7, 8)] == pytest.approx([0.25, 0.25, 0.5])
    progress = [reached(steps, m) for m in range(1, 13)]
    assert assess(found, progress, 7).state == "at_risk"  # 25 % of the 50 % that are due
    assert assess(found, progress, 8).state == "on_pace"


def test_states_by_hand() -> None:
    plan = path("flow", 120)
    assert assess(plan, NONE, 6).state == "no_data"
    assert assess(plan, reports(m6=58), 6).state == "on_pace"  # 58 of 60, above 95 %
    assert assess(plan, reports(m6=50), 6).state == "behind"  # 83 %
    assert assess(plan, reports(m6=40), 6).state == "at_risk"  # 67 %
    met = assess(plan, reports(m6=120), 6)
    assert (met.state, met.met) == ("on_pace", True) and "待牵头单位确认" in met.reason[0]
    assert assess(plan, reports(m6=120), 6, confirmed=True).state == "done"
    assert assess(plan, reports(m12=119), 12, confirmed=True).state == "at_risk"


def test_pace_and_forecast_by_hand() -> None:
    # 10 + 8 + 12 in three months: 30 of 120; 90 are left for nine months.
    found = assess(path("flow", 120), reports(m1=10, m2=18, m3=30), 3)
    assert (found.pace, found.needed, found.forecast) == pytest.approx((10, 10, 120))
    # σ² = Σ (gain − 120/12)²/(1/12) / 2 = (0 + 4 + 4) × 12 / 2 = 48; var = 48 (3/4 + (3/4)²/(1/4)) = 144; t(2) = 2.92
    assert found.high == pytest.approx(120 + 2.9199855803537256 * 12)
    assert found.low == pytest.approx(120 - 2.9199855803537256 * 12)


def test_a_missing_month_is_not_zero() -> None:
    found = assess(path("flow", 120), reports(m3=30), 5)
    assert (found.reported, found.actual, found.state) == (3, 30, "on_pace")
    assert found.needed == pytest.approx(90 / 7) and "5 月未报" in found.reason[0]


def test_caps_and_concentrations_are_better_low() -> None:
    cap = path("flow", 120)
    assert assess(cap, reports(m6=60), 6, better="lower").state == "on_pace"
    assert assess(cap, reports(m6=110), 6, better="lower").state == "at_risk"
    assert assess(path("level", 27), reports(m6=26), 6, better="lower").state == "on_pace"
    assert assess(path("level", 27), reports(m12=26), 12, better="lower", confirmed=True).state == "done"


def test_a_share_is_never_added_up() -> None:
    found = assess(path("level", 23, opening=20), reports(m1=20.2, m2=20.5, m3=20.9, m4=21.0), 4)
    assert found.pace is None and found.needed is None
    assert found.forecast == pytest.approx(21.0 + 8 * 0.8 / 3)  # drift of 0.8 in three months


def test_a_rate_is_not_met_before_the_year_ends() -> None:
    found = assess(path("change", 3), reports(m6=3.4), 6, confirmed=True)
    assert (found.state, found.met, found.forecast) == ("on_pace", True, 3.4)
    assert assess(path("change", 3), reports(m12=3.4), 12, confirmed=True).state == "done"


def test_the_thresholds_say_that_nobody_verified_them() -> None:
    assert 0 < limits()["at_risk"] < limits()["on_pace"] <= 1


def test_figures_in_a_sentence_have_no_exponent() -> None:
    from dualcarbon.plan.progress import figure

    assert [figure(v) for v in (1234567.8, 20.8333, 0.00012345, 100, 0.0, -27.8998)] == [
        "1234568", "20.83", "0.0001234", "100", "0", "-27.9",
    ]  # fmt: skip
    late = assess(path("flow", 2_000_000), reports(m12=1_234_567), 12, unit="吨")
    assert late.reason[0] == "截至 12 月为 1,234,567吨，目标 2,000,000吨，还差 765,433吨。"


values = st.lists(st.floats(0.1, 1e3), min_size=12, max_size=12)


@given(values, st.integers(1, 12), st.floats(1, 1e6))
def test_on_the_path_the_forecast_is_the_target(gains: list[float], month: int, target: float) -> None:
    plan = path("flow", target, method="seasonal", months=shape([gains]))
    found = assess(plan, plan.expected, month)
    assert found.forecast == pytest.approx(target)
    assert found.state == "on_pace"
    if found.low is not None and found.high is not None:
        assert found.high - found.low == pytest.approx(0, abs=1e-5 * target)


@given(values, st.integers(3, 11), st.floats(0.01, 1e4), st.floats(1, 1e5))
def test_units_do_not_matter(gains: list[float], month: int, factor: float, target: float) -> None:
    stood = [math.fsum(gains[: m + 1]) for m in range(12)]
    one = assess(path("flow", target), stood, month)
    other = assess(path("flow", target * factor), [value * factor for value in stood], month)
    assume(one.high is not None and abs(one.high - target) > 1e-6 * target)
    assume(abs(one.actual / one.expected - 0.95) > 1e-6 and abs((one.actual or 0) - target) > 1e-6 * target)
    assert one.state == other.state
    for name in ("forecast", "low", "high", "needed", "pace"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * factor, rel=1e-6, abs=1e-9 * target * factor)


@given(values, st.integers(1, 12))
def test_the_interval_holds_the_forecast_and_what_is_done(gains: list[float], month: int) -> None:
    stood = [math.fsum(gains[: m + 1]) for m in range(12)]
    found = assess(path("flow", 1000.0), stood, month)
    assert found.forecast is not None and found.forecast >= stood[month - 1] * (1 - 1e-12)
    if found.low is not None and found.high is not None:
        assert stood[month - 1] * (1 - 1e-12) <= found.low <= found.forecast * (1 + 1e-12)
        assert found.forecast <= found.high * (1 + 1e-12)


def test_the_points_of_students_t() -> None:
    from scipy.stats import t

    assert pytest.approx([float(t.ppf(0.95, free)) for free in range(1, 13)], rel=1e-12) == list(STUDENT)


reported = st.lists(st.one_of(st.none(), st.floats(0, 200)), min_size=12, max_size=12)


@given(
    st.lists(
        st.tuples(st.sampled_from(["flow", "cumulative", "level", "change"]), st.floats(1, 100), reported), max_size=8
    ),
    st.integers(1, 12),
)
def test_many_at_once_stand_as_each_alone(rows: list[tuple[str, float, list[float | None]]], month: int) -> None:
    paths = [path(kind, target, opening=5.0 if kind == "cumulative" else None) for kind, target, _ in rows]
    together = standings(paths, [values for *_, values in rows], month)
    for i, (one, (*_, values)) in enumerate(zip(paths, rows, strict=True)):
        alone = assess(one, values, month)
        assert together["state"][i] == alone.state
        for name in ("forecast", "low", "high", "needed", "pace"):
            value = None if math.isnan(together[name][i]) else together[name][i]
            assert value == (getattr(alone, name) if alone.state != "no_data" else value)
