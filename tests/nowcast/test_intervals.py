"""Intervals hold what they say, whether the errors of a year are shared or not, and learn from years alike."""

from pathlib import Path

import numpy as np
import pytest

from dualcarbon.nowcast import intervals, panel
from dualcarbon.nowcast.annual import files as reading
from dualcarbon.nowcast.annual.forecast import Forecaster
from dualcarbon.nowcast.annual.replay import _movement, outlook
from tests.nowcast import world

CELLS = 60


@pytest.mark.parametrize(("shared", "own"), [(0.0, 0.03), (0.02, 0.03), (0.05, 0.02)])
@pytest.mark.parametrize("years", [4, 8])
def test_nine_in_ten_are_held_on_average_over_years(shared: float, own: float, years: int) -> None:
    rng = np.random.default_rng(7)
    usual, held = np.full(CELLS, own), []
    for _ in range(300):
        history = rng.normal(0, max(shared, 0.01), 40)
        errors = rng.normal(0, shared, years + 1) + rng.normal(0, own, (CELLS, years + 1))
        width = intervals.half_widths(errors[:, :-1], usual, history)
        held.append(np.mean(np.abs(errors[:, -1]) <= width))
    assert 0.87 <= np.mean(held) <= 0.97


def test_a_method_that_was_better_than_the_last_value_is_not_held_to_its_errors() -> None:
    rng = np.random.default_rng(8)
    history = rng.normal(0, 0.05, 40)
    small = rng.normal(0, 0.005, 8) + rng.normal(0, 0.02, (CELLS, 8))
    usual = np.full(CELLS, 0.02)
    shared = intervals.parts(small, usual, history)[0]
    assert shared < 0.35 * intervals.parts(small[:, :1], usual, history)[0]
    assert intervals.parts(small[:, :0], usual, history)[0] == pytest.approx(1.645 * history.std(), rel=0.01)


def test_few_errors_make_no_interval_wider_than_the_last_values() -> None:
    rng = np.random.default_rng(9)
    history = rng.normal(0, 0.03, 40)
    usual = np.full(CELLS, 0.04)
    errors = np.array([0.0, -0.1, 0.04]) + rng.normal(0, 0.01, (CELLS, 3))
    own = intervals.parts(errors, usual, history)[1]
    widest = np.hypot(1.645 * history.std() * 1.19, own)
    assert intervals.half_widths(errors, usual, history) == pytest.approx(widest, rel=0.01)
    assert intervals.half_widths(errors, usual, history, movement=2) == pytest.approx(2 * widest, rel=0.01)
    assert (intervals.half_widths(errors, usual, history[:5]) > 1.5 * widest).all()


def test_cells_and_groups_with_larger_errors_have_wider_intervals() -> None:
    rng = np.random.default_rng(10)
    groups = np.repeat([0, 1], CELLS)
    size = np.where(groups == 0, 0.01, 0.05)
    size[::6] *= 2.5
    usual, history = np.full(2 * CELLS, 0.04), np.zeros(20)
    held: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for _ in range(60):
        errors = rng.normal(0, 1, (2 * CELLS, 25)) * size[:, None]
        for apart, inside in held.items():
            own = intervals.parts(errors[:, :-1], usual, history, groups=groups if apart else None)[1]
            inside.append(np.abs(errors[:, -1]) <= own)
    apart, together = (np.mean(inside, 0) for inside in held.values())
    kinds = [groups == 0, groups == 1, size > 0.1]
    assert all(0.86 <= apart[mine].mean() <= 0.95 for mine in kinds[:2]) and apart[kinds[2]].mean() > 0.75
    assert together[kinds[0]].mean() > 0.98 and together[kinds[1]].mean() < 0.85 and together[kinds[2]].mean() < 0.5


def test_a_cell_without_errors_is_as_wide_as_its_group() -> None:
    rng = np.random.default_rng(11)
    groups = np.repeat([0, 1], 20)
    errors = rng.normal(0, 1, (40, 24)) * np.where(groups == 0, 0.01, 0.05)[:, None]
    errors[[0, 20]] = np.nan
    own = intervals.parts(errors, np.full(40, 0.04), np.zeros(20), groups=groups)[1]
    for first in (0, 20):
        assert own[first] == pytest.approx(np.median(own[first + 1 : first + 20]), rel=0.25)
    assert own[20] > 3 * own[0]


def test_one_freak_error_does_not_widen_its_whole_group() -> None:
    rng = np.random.default_rng(12)
    errors, groups = rng.normal(0, 0.02, (60, 24)), np.repeat([0, 1, 2], 20)
    usual, history = np.full(60, 0.02), np.zeros(20)
    before = intervals.parts(errors, usual, history, groups=groups)[1]
    errors[5, 3] = np.log(10)
    after = intervals.parts(errors, usual, history, groups=groups)[1]
    assert after[5] > 1.5 * before[5] and (np.delete(after, 5) < 1.2 * np.delete(before, 5)).all()


def test_a_shock_of_long_ago_still_counts_for_what_all_share() -> None:
    growth = np.zeros((CELLS, 45))
    growth[:, 4] = -0.1
    truth = np.exp(np.cumsum(np.c_[np.zeros(CELLS), growth], 1))
    usual, common = intervals.scatter(truth)
    assert len(common) == 45 and common[4] == pytest.approx(-0.1)
    assert np.allclose(usual, 0)


def test_past_years_are_measured_like_the_year_asked_for(tmp_path: Path) -> None:
    observations, truth = world.write(tmp_path)
    made = panel.build(reading.read(observations).monthly, reading.read(truth).annual, {"natural_gas": 21.62})
    forecaster = Forecaster(made)
    for lag in (1, 2):
        last = 2023 - lag
        past = [_movement(forecaster, year, 6, lag, last) for year in forecaster.training(last)]
        usual = np.median(past)
        seen = outlook(forecaster, 2023, 6, lag)
        assert seen.movement == pytest.approx(max(_movement(forecaster, 2023, 6, lag, last) / usual, 1))
        assert usual > 1, "the largest of several spans is usually more than one"


def test_a_record_of_three_years_stretches_nothing(tmp_path: Path) -> None:
    """Its past years could not be measured against three others."""
    observations, truth = world.write(tmp_path)
    made = panel.build(reading.read(observations).monthly, reading.read(truth).annual, {"natural_gas": 21.62})
    forecaster = Forecaster(made)
    first = forecaster.training(2023)[0]
    assert len(forecaster.training(first + 2)) == 3
    assert {forecaster.movement(year, 12, first + 2) for year in range(first, 2024)} == {1.0}
    assert max(forecaster.movement(year, 12, first + 3) for year in range(first, 2024)) > 1


def test_errors_of_several_years_ahead_come_from_bridges_trained_on_nearly_all(tmp_path: Path) -> None:
    """Each step leaves its own year out and no other, so a two-year record is not noisier than the bridge in use."""
    observations, truth = world.write(tmp_path)
    made = panel.build(reading.read(observations).monthly, reading.read(truth).annual, {"natural_gas": 21.62})
    forecaster = Forecaster(made, filled=False)
    last = 2022
    when = forecaster.training(last)[-1]
    then = forecaster.forecast(when, 12, 2, trained_to=last)["ridge"]
    value = forecaster.latest(when - 2)
    for step in (when - 1, when):
        bridge = forecaster.bridge(last, 12, False, (step,))
        value = value * np.exp(bridge.predict(forecaster.features(step, 12, False, value), made.groups))
    assert np.allclose(then, value, rtol=1e-9, equal_nan=True)
