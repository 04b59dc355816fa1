"""The engine on a generated table against a hand-written DuckDB query and pandas.

The table: enterprises × 36 months × 6 of 12 carriers, 8 places, 41 sectors; about 2,000 dated factors of two
parameters. The peers only join, multiply and sum; the engine also resolves its factors, reports what is missing
and gives an interval in which shared factors err together. The engine and the DuckDB query run in turn in one process,
so that the machine's moods fall on both; the ratio is the median of the pairs. Everything else is measured in a process
of its own.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

HELP = "the calculation engine against hand-written DuckDB and pandas"
PLACES = ["330402", "330411", "330421", "330424", "330481", "330482", "330483", "330400-jk"]
CARRIERS = ["raw_coal", "cleaned_coal", "coke", "crude_oil", "gasoline", "diesel", "fuel_oil", "lpg", "natural_gas",
            "kerosene", "lng", "petroleum_coke"]  # fmt: skip
METHOD = """
id: bench.combustion
version: 1
status: synthetic
title: {zh: 基准测试, en: benchmark}
source: {id: benchmark}
rows: {name: fuel, item: energy.combustion, unit: natural}
factors:
  - {name: heat, parameter: bench.heat, unit: GJ/natural}
  - {name: ef, parameter: bench.ef, unit: tCO2/GJ}
equations: [{name: co2, unit: tCO2, formula: fuel * heat * ef}]
outputs: [{equation: co2, item: emission.co2}]
"""
PEER = """
select a.place, a.sector, a.start, sum(a.value * f.heat * f.ef) as co2, count(*) as n
from '{rows}' a join '{peer}' f on a.place = f.place and a.carrier = f.carrier and a.start = f.month group by all
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the generated table")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of runs, and runs of each case")
    parser.add_argument("--growth", action="store_true", help="also 1, 3, 10 and 30 million rows")
    parser.add_argument("--row-bounds", action="store_true", help="every row also carries its own low and high")
    parser.add_argument("--folder", type=Path, help="keep the generated tables here")
    parser.add_argument("--case", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure; see the module. Peak memory is the engine process's maximum resident size."""
    if arguments.case:
        return _case(arguments.case, arguments.folder, arguments.repeats)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        result = measure(arguments.rows, arguments.repeats, folder, True, arguments.row_bounds)
        if arguments.growth:
            sizes = (1_000_000, 3_000_000, 10_000_000, 30_000_000)
            result["growth"] = [
                {key: value for key, value in made.items() if key not in ("total_tco2", "largest_relative_difference")}
                for made in (measure(size, arguments.repeats, folder, False, arguments.row_bounds) for size in sizes)
            ]
        return result


def measure(rows: int, repeats: int, folder: Path, peers: bool, bounds: bool) -> dict[str, Any]:
    """Times and ratios at one size."""
    target = folder / f"{rows}{'-bounds' if bounds else ''}"
    if not (target / "rows.parquet").exists():
        generate(rows, target, bounds)
    pair = _child("pair", target, repeats)
    alone = {case: _child(case, target, repeats) for case in ("engine", *(("pandas", "explain") if peers else ()))}
    checks = {"duckdb": pair["co2"], **{case: made["co2"] for case, made in alone.items() if "co2" in made}}
    spread = max(checks.values()) / min(checks.values()) - 1
    if spread > 1e-9:
        raise SystemExit(f"the cases disagree: {checks}")
    ratios = [engine / duckdb for engine, duckdb in zip(pair["engine"], pair["duckdb"], strict=True)]
    engine = statistics.median(pair["engine"])
    result: dict[str, Any] = {
        "rows": rows,
        "ratio_vs_handwritten_duckdb": round(statistics.median(ratios), 3),
        "ratio_of_the_best_times": round(min(pair["engine"]) / min(pair["duckdb"]), 3),
        "pairs": len(ratios),
        "engine_s": round(engine, 3),
        "engine_best_s": round(min(pair["engine"]), 3),
        "duckdb_s": round(statistics.median(pair["duckdb"]), 3),
        "duckdb_best_s": round(min(pair["duckdb"]), 3),
        "peak_mb": round(alone["engine"]["peak_mb"]),
        "total_tco2": checks["engine"],
        "largest_relative_difference": spread,
    }
    if peers:
        pandas = alone["pandas"]["seconds"]
        result["ratio_vs_pandas"] = round(engine / pandas, 3)
        result["times_faster_than_pandas"] = round(pandas / engine, 1)
        result["pandas_s"] = round(pandas, 3)
        result["pandas_peak_mb"] = round(alone["pandas"]["peak_mb"])
        result["explain_one_cell_s"] = round(alone["explain"]["seconds"], 3)
        result["explain_one_cell_best_s"] = round(alone["explain"]["best"], 3)
    result["phases_s"] = alone["engine"]["phases"]
    return result


def _child(case: str, folder: Path, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks", "engine", "--case", case, "--folder", str(folder)]
    command += ["--repeats", str(repeats), "--json"]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _case(case: str, folder: Path, repeats: int) -> dict[str, Any]:
    """One case in this process, after one run that imports and proves (pandas: the better of two runs)."""
    if case == "pair":
        _engine(folder), _duckdb(folder)
        pairs = [(_timed(_engine, folder)[0], *_timed(_duckdb, folder)) for _ in range(repeats)]
        return {"engine": [e for e, _, _ in pairs], "duckdb": [d for _, d, _ in pairs], "co2": pairs[0][2]["co2"]}
    if case == "pandas":
        seconds, result = min((_timed(_pandas, folder) for _ in range(2)), key=lambda run: run[0])
        return {**result, "seconds": seconds, "peak_mb": _peak_mb()}
    work = {"engine": _engine, "explain": _explain}[case]
    work(folder)
    runs = sorted((_timed(work, folder) for _ in range(repeats)), key=lambda run: run[0])
    middle, result = runs[len(runs) // 2]
    return {**result, "seconds": middle, "best": runs[0][0], "peak_mb": _peak_mb()}


def _timed(work: Callable[[Path], dict[str, Any]], folder: Path) -> tuple[float, dict[str, Any]]:
    start = time.perf_counter()
    result = work(folder)
    return time.perf_counter() - start, result


def _peak_mb() -> float:
    """Peak resident size of this process; the kernel's own count since exec where it keeps one."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _engine(folder: Path) -> dict[str, Any]:
    import duckdb

    from dualcarbon.engine.calculation import calculate

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    start = time.perf_counter()
    calculation = calculate(
        folder / "method.yaml",
        connection.read_parquet(str(folder / "rows.parquet")),
        factors=folder / "factors.csv",
        dims=("place", "sector"),
        canonical=True,
    )
    applied = time.perf_counter()
    results = calculation.combine(["place", "sector", "month"])
    combined = time.perf_counter()
    if calculation.missing:
        raise SystemExit("the generated table lacks factors")
    return {
        "co2": float(results["value"].sum()),
        "results": results.height,
        "phases": {"reduce_resolve_apply": round(applied - start, 3), "combine": round(combined - applied, 3)},
    }


def _duckdb(folder: Path) -> dict[str, Any]:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    query = PEER.format(rows=folder / "rows.parquet", peer=folder / "peer.parquet")
    made = connection.sql(query).pl()
    return {"co2": float(made["co2"].sum()), "results": made.height}


def _pandas(folder: Path) -> dict[str, Any]:
    import pandas as pd

    rows, peer = pd.read_parquet(folder / "rows.parquet"), pd.read_parquet(folder / "peer.parquet")
    joined = rows.merge(peer, left_on=["place", "carrier", "start"], right_on=["place", "carrier", "month"])
    joined["co2"] = joined["value"] * joined["heat"] * joined["ef"]
    made = joined.groupby(["place", "sector", "start"], as_index=False, sort=False).agg(co2=("co2", "sum"))
    return {"co2": float(made["co2"].sum()), "results": len(made)}


def _explain(folder: Path) -> dict[str, Any]:
    import duckdb

    from dualcarbon.engine.explain import explain

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    node = explain(
        "emission.co2",
        connection.read_parquet(str(folder / "rows.parquet")),
        methods=[folder / "method.yaml"],
        factors=folder / "factors.csv",
        place="330481",
        period="2023-05",
        sector="C28",
        carrier="diesel",
    )
    if not node["rows"]:
        raise SystemExit("the explained cell has no rows")
    return {"rows_total": node["rows_total"]}


def generate(count: int, folder: Path, bounds: bool = False) -> None:
    """Write rows.parquet, factors.csv, peer.parquet (factors resolved by month) and method.yaml; the same each time."""
    import numpy as np
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20240716)
    months = [date(year, month, 1) for year in (2021, 2022, 2023) for month in range(1, 13)]
    ends = [*months[1:], date(2024, 1, 1)]
    sectors = [f"C{number}" for number in range(13, 44)]
    sectors += ["A01", "A02", "B06", "B08", "D44", "D45", "D46", "E47", "E48", "G54"]
    each = len(months) * 6
    enterprises = -(-count // each)
    place = rng.integers(0, len(PLACES), enterprises)
    sector = rng.integers(0, len(sectors), enterprises)
    carriers = np.argsort(rng.random((enterprises, len(CARRIERS))), axis=1)[:, :6]
    who = np.repeat(np.arange(enterprises), each)[:count]
    when = np.tile(np.repeat(np.arange(36), 6), enterprises)[:count]
    what = np.tile(carriers[:, None, :], (1, 36, 1)).reshape(-1)[:count]
    value = rng.lognormal(3.0, 1.5, count).round(3)
    share = rng.choice(np.array([0.02, 0.05, 0.075, 0.1]), count)

    def named(names: list[str], codes: "np.ndarray[Any, Any]") -> pl.Series:
        return pl.Series(names).gather(pl.Series(codes).cast(pl.UInt32))

    natural = ["wan_m3" if carrier == "natural_gas" else "t" for carrier in CARRIERS]
    pl.DataFrame(
        {
            "place": named(PLACES, place[who]),
            "entity": pl.Series(who).cast(pl.String),
            "sector": named(sectors, sector[who]),
            "carrier": named(CARRIERS, what),
            "item": pl.repeat("energy.combustion", count, eager=True),
            "start": pl.Series(months).gather(pl.Series(when).cast(pl.UInt32)),
            "end": pl.Series(ends).gather(pl.Series(when).cast(pl.UInt32)),
            "value": value,
            "unit": named(natural, what),
            **({"low": value * (1 - share), "high": value * (1 + share)} if bounds else {}),
        }
    ).write_parquet(folder / "rows.parquet", compression="zstd", row_group_size=500_000)
    factors = []
    for carrier, unit in zip(CARRIERS, natural, strict=True):
        for code in PLACES:
            heat, ef = rng.uniform(10, 45), rng.uniform(0.05, 0.11)
            for number in range(21):
                validity = _half_year(number)
                for parameter, base, of in (("bench.heat", heat, f"GJ/{unit}"), ("bench.ef", ef, "tCO2/GJ")):
                    drawn = base * rng.uniform(0.97, 1.03)
                    error = drawn * rng.choice([0.02, 0.05, 0.07])
                    bounds_of = (drawn - error, drawn + error)
                    factors.append((parameter, code, carrier, drawn, of, *bounds_of, *validity))
    columns = ["parameter", "place", "carrier", "value", "unit", "low", "high", "valid_from", "valid_to"]
    table = pl.DataFrame(factors, schema=columns, orient="row").with_columns(pl.lit("synthetic").alias("status"))
    table.write_csv(folder / "factors.csv")
    dated = table.with_columns(pl.col("valid_from", "valid_to").str.to_date())
    wide = dated.pivot(on="parameter", index=["place", "carrier", "valid_from", "valid_to"], values="value")
    wide = wide.join(pl.DataFrame({"month": months}), how="cross")
    wide = wide.filter(pl.col("month").is_between(pl.col("valid_from"), pl.col("valid_to")))
    wide = wide.rename({"bench.heat": "heat", "bench.ef": "ef"}).select("place", "carrier", "month", "heat", "ef")
    wide.write_parquet(folder / "peer.parquet")
    (folder / "method.yaml").write_text(METHOD, encoding="utf-8")


def _half_year(number: int) -> tuple[str, str]:
    year, second = 2014 + number // 2, number % 2
    return (f"{year}-07-01", f"{year}-12-31") if second else (f"{year}-01-01", f"{year}-06-30")
