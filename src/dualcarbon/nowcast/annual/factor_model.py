"""A dynamic factor model of very many monthly series with ragged edges, estimated by EM on collapsed observations.

y_it = λ_i·f_t + e_it with white e_it, and f_t = A f_{t−1} + u_t. The Kalman filter runs in information form on the k×k
sums Σ_i λ_i λ_iᵀ/r_i and Σ_i λ_i y_it/r_i, so no matrix is ever as large as the number of series.
Sources: Jungbacker and Koopman (2008) for the collapse; Bańbura and Modugno (2014) for EM with missing values.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from dualcarbon.nowcast.denton import Array

#: Least variance of a series' own noise, as a share of its variance.
FLOOR = 1e-4


@dataclass(frozen=True)
class Parameters:
    """Loadings (N, k), own variances (N,), transition (k, k) and its shocks' covariance (k, k)."""

    loadings: Array
    noise: Array
    transition: Array
    shocks: Array


@dataclass(frozen=True)
class Smoothed:
    """Factors (T, k), their covariances (T, k, k), covariances with the month before (T, k, k), log-likelihood."""

    factors: Array
    covariances: Array
    lagged: Array
    likelihood: float


@dataclass(frozen=True)
class Fit:
    """Estimated parameters, smoothed factors, the log-likelihood after each round, and the panel completed (T, N)."""

    parameters: Parameters
    smoothed: Smoothed
    likelihoods: list[float]
    filled: Array


def fit(panel: Array, factors: int = 2, *, rounds: int = 30, tolerance: float = 1e-4) -> Fit:
    """Fit `factors` factors to `panel` (T, N), whose missing cells are NaN, and fill those with their expectation.

    Series are standardised inside. Stops after `rounds`, or when the log-likelihood grows by less than `tolerance` of
    itself. A series that is constant or never seen is filled with its mean (0 when never seen).
    """
    y = np.asarray(panel, float)
    known = np.isfinite(y)
    number = known.sum(0)
    mean = np.where(known, y, 0).sum(0) / np.maximum(number, 1)
    spread = np.sqrt(np.where(known, (y - mean) ** 2, 0).sum(0) / np.maximum(number, 1))
    moving = spread > 1e-12
    out = np.where(known, y, mean)
    used = np.nonzero(moving)[0]
    if len(used) == 0 or len(y) < 3:
        empty = np.zeros((len(y), 0))
        none = Parameters(np.zeros((y.shape[1], 0)), spread**2, np.zeros((0, 0)), np.zeros((0, 0)))
        zero = np.zeros((len(y), 0, 0))
        return Fit(none, Smoothed(empty, zero, zero, float("nan")), [], out)
    z = (y[:, used] - mean[used]) / spread[used]
    parameters = initial(z, min(factors, len(used), max(len(y) // 3, 1)))
    likelihoods: list[float] = []
    for _ in range(rounds):
        parameters, smoothed = step(z, parameters)
        likelihoods.append(smoothed.likelihood)
        if len(likelihoods) > 1 and likelihoods[-1] - likelihoods[-2] < tolerance * abs(likelihoods[-2]):
            break
    smoothed = smooth(z, parameters)
    likelihoods.append(smoothed.likelihood)
    expected = smoothed.factors @ parameters.loadings.T * spread[used] + mean[used]
    out[:, used] = np.where(known[:, used], y[:, used], expected)
    return Fit(parameters, smoothed, likelihoods, out)


def initial(z: Array, factors: int) -> Parameters:
    """Principal components of the standardised panel (missing as 0) and an autoregression of their scores."""
    z0 = np.where(np.isfinite(z), z, 0.0)
    values, vectors = np.linalg.eigh(z0 @ z0.T / z0.shape[1])
    order = np.argsort(values)[::-1][:factors]
    scores = vectors[:, order] * np.sqrt(len(z))
    loadings = z0.T @ scores / len(z)
    noise = np.maximum(((z0 - scores @ loadings.T) ** 2).mean(0), FLOOR)
    before, after = scores[:-1], scores[1:]
    transition = np.linalg.lstsq(before, after, rcond=None)[0].T
    largest = np.abs(np.linalg.eigvals(transition)).max()
    if largest > 0.98:
        transition *= 0.98 / largest
    rest = after - before @ transition.T
    return Parameters(loadings, noise, transition, rest.T @ rest / len(rest) + 1e-9 * np.eye(len(order)))


def smooth(z: Array, parameters: Parameters) -> Smoothed:
    """Expectation of the factors given the panel (T, N) and `parameters`; the first month has the stationary law."""
    known = np.isfinite(z)
    weights = 1.0 / parameters.noise
    scaled = parameters.loadings * weights[:, None]
    seen = np.where(known, z, 0.0)
    score = seen @ scaled
    k = parameters.loadings.shape[1]
    products = (parameters.loadings[:, :, None] * scaled[:, None, :]).reshape(-1, k * k)
    if known.all():
        information = np.repeat(products.sum(0).reshape(1, k, k), len(z), 0)
    else:
        information = (products.sum(0) - (~known).astype(float) @ products).reshape(-1, k, k)
    constant = known @ np.log(2 * np.pi * parameters.noise) + (seen**2) @ weights
    return _filter(information, score, constant, parameters)


def _filter(information: Array, score: Array, constant: Array, parameters: Parameters) -> Smoothed:
    """Kalman filter and smoother on collapsed observations: `information` (T, k, k), `score` (T, k)."""
    a, q = parameters.transition, parameters.shocks
    count, k = score.shape
    eye = np.eye(k)
    ahead, ahead_cov = np.zeros((count, k)), np.zeros((count, k, k))
    state, cov = np.zeros((count, k)), np.zeros((count, k, k))
    mean, variance = np.zeros(k), solve_discrete_lyapunov(a, q)
    likelihood = 0.0
    for t in range(count):
        if t:
            mean, variance = a @ mean, a @ variance @ a.T + q
        ahead[t], ahead_cov[t] = mean, variance
        spread = eye + variance @ information[t]
        gained = score[t] - information[t] @ mean
        variance = np.linalg.solve(spread, variance)
        variance = (variance + variance.T) / 2
        fit = 2 * score[t] @ mean - mean @ information[t] @ mean + gained @ variance @ gained
        likelihood -= 0.5 * (constant[t] - fit + np.linalg.slogdet(spread)[1])
        mean = mean + variance @ gained
        state[t], cov[t] = mean, variance
    lagged = np.zeros((count, k, k))
    for t in range(count - 2, -1, -1):
        gain = np.linalg.solve(ahead_cov[t + 1], a @ cov[t]).T
        state[t] += gain @ (state[t + 1] - ahead[t + 1])
        lagged[t + 1] = cov[t + 1] @ gain.T
        cov[t] += gain @ (cov[t + 1] - ahead_cov[t + 1]) @ gain.T
    return Smoothed(state, cov, lagged, float(likelihood))


def step(z: Array, parameters: Parameters) -> tuple[Parameters, Smoothed]:
    """One round of EM: smooth under `parameters`, then the parameters that maximise the expected likelihood."""
    smoothed = smooth(z, parameters)
    f, p = smoothed.factors, smoothed.covariances
    known = np.isfinite(z)
    seen = np.where(known, z, 0.0)
    moments = p + f[:, :, None] * f[:, None, :]
    count, k = f.shape
    flat = moments.reshape(count, k * k)
    total = flat.sum(0)
    if known.all():
        second = np.broadcast_to(total.reshape(1, k, k), (z.shape[1], k, k))
        loadings = np.linalg.solve(total.reshape(k, k), f.T @ seen).T
    else:
        second = (total - (~known).T.astype(float) @ flat).reshape(-1, k, k)
        loadings = np.linalg.solve(second + 1e-12 * np.eye(k), (f.T @ seen).T[:, :, None])[:, :, 0]
    number = np.maximum(known.sum(0), 1)
    cross = (f.T @ seen).T
    squares = (seen**2).sum(0)
    fitted = ((second @ loadings[:, :, None])[:, :, 0] * loadings).sum(1)
    noise = np.maximum((squares - 2 * (cross * loadings).sum(1) + fitted) / number, FLOOR)
    before, now = moments[:-1].sum(0), moments[1:].sum(0)
    both = (smoothed.lagged[1:] + f[1:, :, None] * f[:-1, None, :]).sum(0)
    transition = np.linalg.solve(before, both.T).T
    shocks = (now - transition @ both.T) / (count - 1)
    largest = np.abs(np.linalg.eigvals(transition)).max()
    if largest > 0.999:
        transition = transition * (0.999 / largest)
    return Parameters(loadings, noise, transition, (shocks + shocks.T) / 2), smoothed
