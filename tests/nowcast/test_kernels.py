"""The array kernels against judges that reach the same numbers another way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from dualcarbon.nowcast import bridge
from dualcarbon.nowcast.annual.disaggregate import GRIDS, disaggregate, implausible
from dualcarbon.nowcast.decompose import effects, logarithmic_mean
from dualcarbon.nowcast.denton import denton_cholette
from dualcarbon.nowcast.reconcile import Irreconcilable, least_squares, rake


def dense_denton(total: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The quadratic programme with its Lagrange multipliers, solved as one dense system."""
    years, inside = len(total), len(total) * 12
    d = np.diff(np.eye(inside), axis=0) @ np.diag(1 / x[:inside])
    c = np.kron(np.eye(years), np.ones(12))
    system = np.block([[2 * d.T @ d, c.T], [c, np.zeros((years, years))]])
    z = np.linalg.solve(system, np.r_[np.zeros(inside), total])[:inside]
    return np.r_[z, x[inside:] * z[-1] / x[inside - 1]]


def test_denton_cholette_equals_the_dense_programme() -> None:
    rng = np.random.default_rng(1)
    x = rng.lognormal(3, 0.4, (6, 12 * 5 + 7))
    totals = rng.lognormal(6, 0.5, (6, 5))
    made = denton_cholette(totals, x)
    for k in range(6):
        np.testing.assert_allclose(made[k], dense_denton(totals[k], x[k]), rtol=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 11), st.integers(0, 2**32 - 1))
def test_denton_cholette_keeps_totals_and_scale(years: int, extra: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.lognormal(0, 1, (3, years * 12 + extra)) * 10.0 ** rng.integers(-6, 7)
    totals = rng.lognormal(0, 1, (3, years))
    made = denton_cholette(totals, x)
    np.testing.assert_allclose(made[:, : years * 12].reshape(3, years, 12).sum(2), totals, rtol=1e-7)
    np.testing.assert_allclose(denton_cholette(totals, x * 7), made, rtol=1e-7, atol=1e-9 * np.abs(made).max())


def test_an_indicator_that_already_adds_up_is_returned() -> None:
    x = np.random.default_rng(2).lognormal(0, 1, (2, 48))
    np.testing.assert_allclose(denton_cholette(x.reshape(2, 4, 12).sum(2), x), x, rtol=1e-9)


def test_denton_cholette_with_unusable_indicators() -> None:
    x = np.ones((3, 30))
    x[0, 12:24] = 0
    x[1, 5] = np.nan
    x[2, 7] = -3
    made = denton_cholette(np.array([[12.0, 24.0]] * 3), x)
    assert np.isfinite(made).all() and (made >= 0).all()
    np.testing.assert_allclose(made[:, :24].reshape(3, 2, 12).sum(2), [[12, 24]] * 3)
    assert np.isnan(denton_cholette(np.array([[np.nan, 1.0]]), np.ones((1, 24)))).any()


@pytest.mark.parametrize("method", GRIDS)
def test_disaggregation_equals_generalised_least_squares(method: str) -> None:
    """One series at a time, with the covariance written out and inverted."""
    rng = np.random.default_rng(3)
    x = rng.lognormal(1, 0.3, (4, 96 + 5, 2))
    totals = x[:, :96].sum(2).reshape(4, 8, 12).sum(2) * rng.lognormal(0, 0.05, (4, 8))
    rho = {"chow-lin": 0.7, "fernandez": 0.0, "litterman": 0.4}[method]
    made = disaggregate(totals, x, method, rho=rho)
    n = 101
    if method == "chow-lin":
        v = rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / (1 - rho**2)
    else:
        h = (np.eye(n) - rho * np.eye(n, k=-1)) @ (np.eye(n) - np.eye(n, k=-1))
        v = np.linalg.inv(h.T @ h)
    c = np.c_[np.kron(np.eye(8), np.ones(12)), np.zeros((8, 5))]
    for k in range(4):
        z = np.c_[np.ones(n), x[k]] if method == "chow-lin" else x[k]
        w = np.linalg.inv(c @ v @ c.T)
        b = np.linalg.solve((c @ z).T @ w @ (c @ z), (c @ z).T @ w @ totals[k])
        np.testing.assert_allclose(made.monthly[k], z @ b + v @ c.T @ w @ (totals[k] - c @ z @ b), rtol=1e-6)
        np.testing.assert_allclose(made.coefficients[k], b, rtol=1e-5)


def test_disaggregation_keeps_totals_and_says_what_is_implausible() -> None:
    rng = np.random.default_rng(5)
    season = 10 + np.cos(np.arange(120) / 6 * np.pi)
    x = season * rng.lognormal(0, 0.02, (50, 120))
    totals = x.reshape(50, 10, 12).sum(2) * rng.lognormal(0, 0.1, (50, 10))
    made = disaggregate(totals, x[:, :, None], "chow-lin")
    np.testing.assert_allclose(made.monthly.reshape(50, 10, 12).sum(2), totals, rtol=1e-8)
    assert made.rho.min() >= 0 and made.rho.max() < 1
    bad = implausible(made.monthly, x)
    assert bad[(made.monthly < 0).any(1)].all()
    assert not implausible(denton_cholette(totals, x), x).any()
    with pytest.raises(ValueError, match="coefficients"):
        disaggregate(totals[:, :1], x[:, :, None], "chow-lin")
    with pytest.raises(ValueError, match="unknown method"):
        disaggregate(totals, x[:, :, None], "guess")


def crossed(rows: int, columns: int) -> np.ndarray:
    """Membership of a rows × columns table in its margins."""
    return np.r_[np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))]


def test_raking_meets_margins_with_one_factor_for_each() -> None:
    """The mark of the minimum-information solution: log(moved) is a sum of one term for each total."""
    rng = np.random.default_rng(6)
    cells = rng.lognormal(0, 1, (5, 7))
    target = rng.lognormal(0, 1, (5, 7))
    groups = crossed(5, 7)
    made = rake(cells.ravel(), groups, groups @ target.ravel())
    np.testing.assert_allclose(groups @ made.cells, groups @ target.ravel(), rtol=1e-9)
    log = np.log(made.cells / cells.ravel())
    np.testing.assert_allclose(groups.T @ np.linalg.lstsq(groups.T, log, rcond=None)[0], log, atol=1e-8)
    np.testing.assert_allclose(made.moved, made.cells / cells.ravel() - 1)


def test_raking_a_single_total_is_proportional_and_unknown_totals_bind_nothing() -> None:
    cells = np.array([[1.0, 2.0], [3.0, 2.0]])
    made = rake(cells, np.array([[1, 1]]), np.array([[8.0, np.nan]]))
    np.testing.assert_allclose(made.cells, [[2, 2], [6, 2]])


def test_totals_that_cannot_be_met_are_named() -> None:
    groups = np.array([[1, 1, 0], [0, 0, 1], [1, 1, 1]])
    with pytest.raises(Irreconcilable) as caught:
        rake(np.ones(3), groups, np.array([2.0, 1.0, 9.0]))
    assert caught.value.totals
    with pytest.raises(Irreconcilable) as caught:
        rake(np.array([0.0, 0.0, 1.0]), groups, np.array([2.0, 1.0, np.nan]))
    assert caught.value.totals == [0]
    with pytest.raises(Irreconcilable):
        least_squares(np.ones(3), groups, np.array([2.0, 1.0, 9.0]), np.ones(3))
    with pytest.raises(Irreconcilable):
        rake(np.ones(3), groups, np.array([-2.0, 1.0, 1.0]))


def test_least_squares_equals_a_general_optimiser() -> None:
    rng = np.random.default_rng(7)
    cells = rng.normal(1, 1.2, 12)
    v = rng.lognormal(0, 0.5, 12)
    groups = crossed(3, 4)
    totals = groups @ rng.lognormal(-1, 1, 12)
    made = least_squares(cells, groups, totals, v).cells
    np.testing.assert_allclose(groups @ made, totals, rtol=1e-7)
    assert (made >= 0).all() and (made == 0).any()
    judge = optimize.minimize(
        lambda x: ((x - cells) ** 2 / v).sum(),
        np.full(12, totals.sum() / 24),
        jac=lambda x: 2 * (x - cells) / v,
        bounds=[(0, None)] * 12,
        constraints={"type": "eq", "fun": lambda x: (groups @ x - totals)[:-1], "jac": lambda x: groups[:-1]},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert judge.success
    np.testing.assert_allclose(made, judge.x, atol=1e-5)


def test_least_squares_leaves_cells_without_variance() -> None:
    made = least_squares(np.array([1.0, 2.0, 3.0]), np.ones((1, 3)), np.array([10.0]), np.array([0.0, 1.0, 3.0]))
    np.testing.assert_allclose(made.cells, [1, 3, 6])


def test_logarithmic_mean() -> None:
    np.testing.assert_allclose(logarithmic_mean(np.array([2.0]), np.array([1.0])), 1 / np.log(2))
    np.testing.assert_allclose(logarithmic_mean(np.array([3.0, 0.0, 5.0]), np.array([3.0, 0.0, 0.0])), [3, 0, 0])
    near = logarithmic_mean(np.array([1 + 1e-4, 1 + 1e-5]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(near, [1 + 0.5e-4 - 1e-8 / 12, 1 + 0.5e-5 - 1e-10 / 12], rtol=1e-12)


def test_effects_follow_the_textbook_formula() -> None:
    old, new = np.array([[10.0], [0.5], [2.0]]), np.array([[12.0], [0.4], [2.5]])
    value, later = 10.0, 12.0
    textbook = (later - value) / np.log(later / value) * np.log(new / old)
    np.testing.assert_allclose(effects(old, new), textbook, rtol=1e-12)


def test_effects_of_zeros_are_the_limit_of_small_values() -> None:
    old = np.array([[10.0, 4.0, 0.0, 5.0], [0.0, 1.0, 0.0, 0.0], [2.0, 3.0, 1.0, 1.0]])
    new = np.array([[12.0, 5.0, 7.0, 6.0], [0.4, 0.0, 2.0, 0.0], [2.5, 3.0, 1.0, 1.0]])
    made = effects(old, new)
    tiny = effects(np.maximum(old, 1e-100), np.maximum(new, 1e-100))
    np.testing.assert_allclose(made, tiny, atol=0.2)
    np.testing.assert_allclose(made[:, 0], [0, 12.0, 0])
    np.testing.assert_allclose(made[:, 1], [0, -12.0, 0])
    np.testing.assert_allclose(made[:, 2], [7.0, 7.0, 0])
    np.testing.assert_allclose(made[:, 3], 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.6))
def test_effects_sum_exactly(seed: int, zeros: float) -> None:
    rng = np.random.default_rng(seed)
    old, new = rng.lognormal(0, 2, (2, 5, 20))
    old[rng.random(old.shape) < zeros] = 0
    new[rng.random(new.shape) < zeros] = 0
    change = new.prod(0) - old.prod(0)
    scale = np.abs(old.prod(0)) + np.abs(new.prod(0)) + 1e-300
    assert (np.abs(effects(old, new).sum(0) - change) <= 1e-12 * scale).all()
    assert (np.abs(effects(new, old) + effects(old, new)).max(0) <= 1e-9 * scale).all()


def test_slopes_fitted_like_another_bridge_are_those_of_a_bridge_of_its_own() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(4), 30)
    features = [rng.normal(0, 0.05, (120, 3)) for _ in range(6)]
    slopes = np.array([0.3, 0.8, 0.5, 1.1])[groups]
    growth = [slopes * rows[:, 0] + rng.normal(0, 0.002, 120) for rows in features]
    training = bridge.Training(features, growth, list(range(6)), groups)
    model = training.fit()
    assert model is not None and model.own is not None
    again = training.fit(like=model)
    assert again is not None and np.array_equal(again.slopes, model.slopes) and np.array_equal(again.own, model.own)
    part, whole = training.fit([2], like=model), training.fit([2])
    assert part is not None and whole is not None and part.own is not None
    assert (part.penalty, part.own_penalty) == (model.penalty, model.own_penalty)
