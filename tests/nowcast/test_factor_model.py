"""The collapsed filter against a Kalman smoother that keeps every series, and EM against its own promises."""

import numpy as np
import pytest

from dualcarbon.nowcast.annual import factor_model
from dualcarbon.nowcast.annual.factor_model import Parameters


def panel(series: int, months: int, factors: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    f = np.zeros((months, factors))
    for t in range(1, months):
        f[t] = 0.7 * f[t - 1] + rng.normal(size=factors)
    y = f @ rng.normal(0, 0.6, (factors, series)) + rng.normal(size=(months, series))
    y[-3:, ::2] = np.nan
    y[rng.random(y.shape) < 0.05] = np.nan
    return y, f


def dense(z: np.ndarray, p: Parameters) -> tuple[np.ndarray, np.ndarray, float]:
    """The joint normal law of all factors and all observations, conditioned at once: no recursion at all."""
    months, k = len(z), p.loadings.shape[1]
    stationary = sum(
        np.linalg.matrix_power(p.transition, j) @ p.shocks @ np.linalg.matrix_power(p.transition, j).T
        for j in range(400)
    )
    blocks = np.zeros((months, k, months, k))
    for s in range(months):
        for t in range(s, months):
            blocks[t, :, s, :] = np.linalg.matrix_power(p.transition, t - s) @ stationary
            blocks[s, :, t, :] = blocks[t, :, s, :].T
    prior = blocks.reshape(months * k, months * k)
    seen = np.isfinite(z).ravel()
    h = np.kron(np.eye(months), p.loadings)[seen]
    y = z.ravel()[seen]
    s = h @ prior @ h.T + np.diag(np.tile(p.noise, months)[seen])
    gain = prior @ h.T @ np.linalg.inv(s)
    likelihood = -0.5 * (len(y) * np.log(2 * np.pi) + np.linalg.slogdet(s)[1] + y @ np.linalg.solve(s, y))
    return (gain @ y).reshape(months, k), prior - gain @ h @ prior, float(likelihood)


@pytest.mark.parametrize("factors", [1, 3])
def test_smoother_equals_the_joint_normal_law(factors: int) -> None:
    z, _ = panel(9, 24, factors, 1)
    p = factor_model.initial(z, factors)
    made = factor_model.smooth(z, p)
    mean, cov, likelihood = dense(z, p)
    k = factors
    np.testing.assert_allclose(made.factors, mean, atol=1e-9)
    for t in range(24):
        np.testing.assert_allclose(made.covariances[t], cov[t * k : t * k + k, t * k : t * k + k], atol=1e-9)
        if t:
            np.testing.assert_allclose(made.lagged[t], cov[t * k : t * k + k, t * k - k : t * k], atol=1e-9)
    assert made.likelihood == pytest.approx(likelihood, rel=1e-9)


def test_smoother_equals_the_peer() -> None:
    mq = pytest.importorskip("statsmodels.tsa.statespace.dynamic_factor_mq")
    pandas = pytest.importorskip("pandas")
    z, _ = panel(6, 40, 2, 2)
    p = factor_model.initial(z, 2)
    frame = pandas.DataFrame(z, index=pandas.period_range("2020-01", periods=40, freq="M"), columns=list("abcdef"))
    model = mq.DynamicFactorMQ(
        frame, factors=2, factor_orders={("0", "1"): 1}, idiosyncratic_ar1=False, standardize=False
    )
    cholesky = np.linalg.cholesky(p.shocks)[np.tril_indices(2)]
    theirs = model.smooth(np.r_[p.loadings.ravel(), p.transition.ravel(), cholesky, p.noise])
    made = factor_model.smooth(z, p)
    np.testing.assert_allclose(made.factors, np.asarray(theirs.factors.smoothed)[:, :2], atol=1e-8)
    assert made.likelihood == pytest.approx(theirs.llf, rel=1e-8)


def test_em_never_lowers_the_likelihood_and_finds_the_factors() -> None:
    z, f = panel(60, 120, 2, 3)
    made = factor_model.fit(z, 2, rounds=25, tolerance=0)
    steps = np.diff(made.likelihoods)
    assert (steps > -1e-6 * np.abs(made.likelihoods[0])).all()
    guess = made.smoothed.factors
    rest = f - guess @ np.linalg.lstsq(guess, f, rcond=None)[0]
    assert 1 - rest.var() / f.var() > 0.9
    known = np.isfinite(z)
    np.testing.assert_array_equal(made.filled[known], z[known])
    assert np.isfinite(made.filled).all()


def test_filling_beats_the_mean_at_the_ragged_edge() -> None:
    rng = np.random.default_rng(4)
    _, f = panel(80, 120, 2, 4)
    full = f @ rng.normal(0, 0.6, (2, 80)) + rng.normal(size=(120, 80))
    cut = full.copy()
    cut[-6:, ::2] = np.nan
    made = factor_model.fit(cut, 2)
    error = made.filled[-6:, ::2] - full[-6:, ::2]
    plain = np.nanmean(cut, 0)[::2] - full[-6:, ::2]
    assert (error**2).mean() < 0.8 * (plain**2).mean()


def test_panels_that_hold_little() -> None:
    made = factor_model.fit(np.array([[1.0, np.nan, 2.0]] * 5), 2)
    np.testing.assert_array_equal(made.filled, [[1, 0, 2]] * 5)
    rng = np.random.default_rng(5)
    short = rng.normal(size=(4, 30))
    short[-1] = np.nan
    assert np.isfinite(factor_model.fit(short, 3).filled).all()
