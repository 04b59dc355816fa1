"""The quick-calc's kernels at city scale, against tempdisagg and statsmodels in the same run.

One core (set before NumPy is loaded, in child processes). Peers that would take hours are run on a sample and
extrapolated, which the result says. Peers: ``pip install tempdisagg statsmodels``; an absent one is reported as absent.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

HELP = "quick-calc: full refresh, Chow-Lin, Denton, factor model against tempdisagg and statsmodels"

YEARS, MONTHS = 12, 144
KNOWN = 11
SIZES = (100, 1_000, 10_000)
ONE_CORE = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")}
ROUNDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--series", type=int, default=10_000, help="series of the full refresh")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each case; the fastest counts")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure; CPU seconds of one core, so that a loaded machine does not count."""
    if arguments.case:
        return CASES[arguments.case](arguments.size or arguments.series, arguments.repeats)
    sizes = [size for size in SIZES if size < arguments.series]
    ask = [*(("refresh", size) for size in (*sizes, arguments.series)), *(("kernels", size) for size in SIZES),
           *(("factor_model", size) for size in (*sizes, arguments.series))]  # fmt: skip
    made = {f"{case}_{size}": _child(case, size, arguments.repeats) for case, size in ask}
    full, kernels = made[f"refresh_{arguments.series}"], made[f"kernels_{SIZES[-1]}"]
    result: dict[str, Any] = {
        "unit": "CPU seconds, one core",
        "refresh": full,
        "growth": [made[f"kernels_{size}"] for size in SIZES],
        "refresh_growth": [made[f"refresh_{size}"] for size in (*sizes, arguments.series)],
        "factor_model_growth": [made[f"factor_model_{size}"] for size in (*sizes, arguments.series)],
        "factor_model": made[f"factor_model_{arguments.series}"],
    }
    if not arguments.no_peers:
        result["tempdisagg"] = peer = _child("tempdisagg", 8, 1)
        if "seconds_per_series" in peer:
            ours = kernels["chow_lin_s"] / SIZES[-1]
            result["chow_lin_times_faster_than_tempdisagg"] = round(peer["seconds_per_series"] / ours)
        result["statsmodels"] = peer = _child("statsmodels", 300, 1)
        if "seconds_per_round" in peer:
            result["factor_model_times_faster_than_statsmodels"] = round(
                peer["seconds_per_round"] / peer["ours_seconds_per_round"]
            )
    return result


def _child(case: str, size: int, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks", "nowcast", "--case", case, "--size", str(size), "--json",
               "--repeats", str(repeats)]  # fmt: skip
    made = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **ONE_CORE})
    return dict(json.loads(made.stdout))


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _timed(work: Any, repeats: int) -> tuple[float, Any]:
    best, made = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        made = work()
        best = min(best, time.process_time() - start)
    return best, made


def _world(size: int) -> "tuple[np.ndarray, np.ndarray]":
    """Two monthly indicators (size, 144, 2) and annual totals of the first eleven years."""
    import numpy as np

    rng = np.random.default_rng(11)
    season = 1 + 0.2 * np.cos(np.arange(MONTHS) / 6 * np.pi)
    level = np.exp(rng.normal(0.005, 0.03, (size, MONTHS, 2)).cumsum(1) * 0.3 + rng.normal(3, 1, (size, 1, 2)))
    x = level * season[:, None] * rng.lognormal(0, 0.03, (size, MONTHS, 2))
    y = x.sum(2)[:, : KNOWN * 12].reshape(size, KNOWN, 12).sum(2) * rng.lognormal(0, 0.03, (size, KNOWN))
    return x, y


def _refresh(size: int, repeats: int) -> dict[str, Any]:
    """All of a month's work: bridge, intervals, shape, and raking to sector and county totals for every month."""
    import numpy as np
    from scipy import sparse

    from dualcarbon.nowcast import panel as panels
    from dualcarbon.nowcast.annual.forecast import Forecaster
    from dualcarbon.nowcast.annual.replay import SELECTED, outlook
    from dualcarbon.nowcast.denton import denton_cholette
    from dualcarbon.nowcast.reconcile import rake

    x, y = _world(size)
    counties = max(int(size**0.5) // 2, 2)
    cells = [{"place": f"{k % counties}", "sector": f"{k // counties}", "carrier": ""} for k in range(size)]
    streams = [
        panels.Stream("electricity", "", "energy.consumption", "MWh", 0.0, False),
        panels.Stream("natural_gas", "", "energy.consumption", "wan_m3", 1.0, False),
    ]
    raw = x.transpose(2, 0, 1).reshape(2, size, YEARS, 12).copy()
    raw[:, :, -1, 6:] = np.nan
    place = np.arange(size) % counties
    sector = np.arange(size) // counties
    groups = sparse.csr_array(
        (np.ones(2 * size), (np.r_[place, counties + sector], np.r_[np.arange(size), np.arange(size)]))
    )
    rough = np.random.default_rng(13).lognormal(0, 0.05, (size, 1))
    phases: dict[str, float] = {}

    def work() -> Any:
        start = time.process_time()
        panel = panels.Panel(cells, y, 2012, "tCO2", streams, raw, 2012)
        phases["clean"] = time.process_time() - start
        forecaster = Forecaster(panel, filled=False)
        start = time.process_time()
        seen = outlook(forecaster, 2023, 6, 1)
        phases["bridge_and_intervals"] = time.process_time() - start
        start = time.process_time()
        annual = np.concatenate([y, seen.estimates[SELECTED][:, None]], 1)
        months = denton_cholette(annual, x.sum(2))
        phases["denton"] = time.process_time() - start
        start = time.process_time()
        official = groups @ (months * rough)
        done = rake(months, groups, official, tolerance=1e-6)
        phases["reconcile"] = time.process_time() - start
        return done.rounds, float(np.abs(groups @ done.cells / official - 1).max())

    seconds, (rounds, gap) = _timed(work, repeats)
    return {"series": size, "months": MONTHS, "seconds": round(seconds, 3), "peak_mb": _peak(), "rounds": rounds,
            "phases_s": {k: round(v, 3) for k, v in phases.items()}, "largest_gap_to_totals": gap}  # fmt: skip


def _kernels(size: int, repeats: int) -> dict[str, Any]:
    from dualcarbon.nowcast.annual.disaggregate import disaggregate
    from dualcarbon.nowcast.denton import denton_cholette

    x, y = _world(size)
    made: dict[str, Any] = {"series": size}
    disaggregate(y[:2], x[:2], "chow-lin")
    for name in ("chow-lin", "fernandez", "litterman"):
        made[f"{name.replace('-', '_')}_s"] = round(_timed(lambda n=name: disaggregate(y, x, n), repeats)[0], 4)
    made["denton_s"] = round(_timed(lambda: denton_cholette(y, x[:, :, 0]), repeats)[0], 4)
    return made


def _panel(size: int) -> "np.ndarray":
    import numpy as np

    rng = np.random.default_rng(12)
    f = np.zeros((MONTHS, 3))
    for t in range(1, MONTHS):
        f[t] = 0.7 * f[t - 1] + rng.normal(size=3)
    y = f @ rng.normal(0, 0.5, (3, size)) + rng.normal(size=(MONTHS, size))
    y[-3:, ::2] = np.nan
    return y


def _factor_model(size: int, repeats: int) -> dict[str, Any]:
    from dualcarbon.nowcast.annual import factor_model

    y = _panel(size)
    seconds, _ = _timed(lambda: factor_model.fit(y, 3, rounds=ROUNDS, tolerance=0), min(repeats, 2))
    return {"series": size, "rounds": ROUNDS, "seconds": round(seconds, 3),
            "seconds_per_round": round(seconds / ROUNDS, 4), "peak_mb": _peak()}  # fmt: skip


def _tempdisagg(size: int, repeats: int) -> dict[str, Any]:
    """Chow-Lin with ρ by likelihood, one indicator, sampled; and ours at the peer's ρ, to compare results."""
    try:
        import pandas
        import tempdisagg
    except ImportError as error:
        return {"absent": str(error)}
    import numpy as np

    from dualcarbon.nowcast.annual.disaggregate import disaggregate

    x, y = _world(size)
    inside = KNOWN * 12
    frames = [
        pandas.DataFrame({"Index": np.repeat(np.arange(KNOWN), 12), "Grain": np.tile(np.arange(1, 13), KNOWN),
                          "X": x[k, :inside, 0], "y": np.repeat(y[k], 12)})
        for k in range(size)
    ]  # fmt: skip

    def one(frame: Any) -> Any:
        model = tempdisagg.TempDisaggModel(method="chow-lin-opt", conversion="sum")
        model.fit(frame)
        return model, np.asarray(model.predict()).ravel()

    one(frames[0])
    start = time.process_time()
    theirs = [one(frame) for frame in frames]
    seconds = (time.process_time() - start) / size
    gaps = []
    for k, (model, months) in enumerate(theirs):
        rho = _rho(model)
        if rho is not None and 0 <= rho < 1:
            ours = disaggregate(y[k : k + 1], x[k : k + 1, :inside, :1], "chow-lin", rho=rho, constant=False).monthly[0]
            gaps.append(float(np.abs(ours / months - 1).max()))
    return {"sampled": size, "seconds_per_series": round(seconds, 5), "extrapolated_10000_s": round(seconds * 10_000),
            "largest_relative_difference_at_equal_rho": max(gaps, default=None), "compared": len(gaps)}  # fmt: skip


def _rho(model: Any) -> float | None:
    for result in getattr(model, "results_", {}).values():
        if isinstance(result, dict) and result.get("rho") is not None:
            return float(result["rho"])
    return None


def _statsmodels(size: int, repeats: int) -> dict[str, Any]:
    """One EM round of DynamicFactorMQ at `size` series, and the smoothed factors of both at equal parameters."""
    try:
        import pandas
        from statsmodels.tsa.statespace.dynamic_factor_mq import DynamicFactorMQ
    except ImportError as error:
        return {"absent": str(error)}
    import warnings

    import numpy as np

    from dualcarbon.nowcast.annual import factor_model

    warnings.filterwarnings("ignore")
    plain = {"factor_orders": {("0", "1", "2"): 1}, "idiosyncratic_ar1": False, "standardize": False}

    def model(y: Any) -> Any:
        index = pandas.period_range("2012-01", periods=len(y), freq="M")
        return DynamicFactorMQ(pandas.DataFrame(y, index=index, columns=[f"v{k}" for k in range(y.shape[1])]),
                               factors=3, **plain)  # fmt: skip

    y = _panel(size)
    peer = model(y)
    start = time.process_time()
    peer.fit_em(maxiter=1, tolerance=0, disp=False)
    seconds = time.process_time() - start
    parameters = factor_model.initial(y, 3)
    ours, _ = _timed(lambda: factor_model.step(y, parameters), 5)
    small = y[:, :20]
    given = factor_model.initial(small, 3)
    lower = np.linalg.cholesky(given.shocks)[np.tril_indices(3)]
    theirs = model(small).smooth(np.r_[given.loadings.ravel(), given.transition.ravel(), lower, given.noise])
    gap = np.abs(factor_model.smooth(small, given).factors - np.asarray(theirs.factors.smoothed)[:, :3]).max()
    return {"series": size, "seconds_per_round": round(seconds, 3), "ours_seconds_per_round": round(ours, 5),
            "largest_difference_of_factors": float(gap)}  # fmt: skip


CASES = {"refresh": _refresh, "kernels": _kernels, "factor_model": _factor_model, "tempdisagg": _tempdisagg,
         "statsmodels": _statsmodels}  # fmt: skip
