"""Pages of the demonstration city over HTTP: every address for the first time on a fresh server, then once more.

There is no peer. Addresses are accounts by place × basis × tree × period × dimension, of enterprises too, and the
explanations behind them, in one mixed order that the seed decides. `--copies` adds the same enterprises again under
other names, so that growth with the data is seen.
"""

import argparse
import http.client
import itertools
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HELP = "first and second view of the demonstration city's pages over HTTP"
GOAL_MS = 100.0
PLACES = ("330400", "330402", "330411", "330421", "330424", "330481", "330482", "330483")
AREAS = ("330400", "330400-jk", "330400-gq", "330402", "330482")
PERIODS = ("2024", "2023", "2024-Q3", "2024-07")
DIMENSIONS = ("sector", "carrier", "domain", "place", "part", "month")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the number of pages, their order, the workspace, and how often the enterprises are copied."""
    parser.add_argument("--pages", type=int, default=79)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workspace", type=Path, default=None, help="a demonstration workspace (default: a new one)")
    parser.add_argument("--copies", type=int, default=0, help="copies of every enterprise's rows besides the original")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure milliseconds of the first and the second view at the client, by kind of page and by place in the run."""
    with tempfile.TemporaryDirectory(prefix="dualcarbon-pages-") as folder:
        workspace = arguments.workspace or Path(folder) / "demo"
        if not workspace.exists():
            _dualcarbon("demo", "--workspace", str(workspace), "--json")
        rows = _copied(workspace, arguments.copies)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        begun = time.perf_counter()
        command = [sys.executable, "-m", "dualcarbon", "serve", "--port", str(port), "--workspace", str(workspace)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            opened = _ready(port, begun)
            warm = _idle(server.pid, begun)
            addresses = chosen(_entities(workspace), arguments.pages, arguments.seed)
            spent = _processor(server.pid)
            first = [_get(port, address) for address in addresses]
            spent = _processor(server.pid) - spent
            again = [_get(port, address) for address in addresses]
            peak = _peak_mb(server.pid)
        finally:
            server.terminate()
            server.wait()
    third = max(1, len(first) // 3)
    kinds: dict[str, list[float]] = {}
    for address, took in zip(addresses, first, strict=True):
        kinds.setdefault(_kind(address), []).append(took)
    slowest = sorted(zip(first, addresses, strict=True), reverse=True)[:5]
    return {
        "pages": len(addresses),
        "rows": rows,
        "home_opened_s": opened,
        "warm_s": warm,
        "first_ms": _figures(first),
        "again_ms": _figures(again),
        "processor_ms_per_first_view": 1000 * spent / len(addresses),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "cores": os.cpu_count(),
        "goal_p95_ms": GOAL_MS,
        "met": _figures(first)["p95"] <= GOAL_MS,
        "first_ms_by_kind": {kind: _figures(took) for kind, took in sorted(kinds.items())},
        "first_p50_ms_by_third": [statistics.median(first[n * third : (n + 1) * third or None]) for n in range(3)],
        "slowest": [{"ms": took, "address": address} for took, address in slowest],
        "peak_mb": peak,
    }


def chosen(entities: Sequence[str], pages: int, seed: int) -> list[str]:
    """Addresses in mixed order, as many as asked: a tenth explanations, a tenth enterprises, the rest accounts."""
    order = random.Random(seed)
    accounts = [
        f"/account/{place}?period={period}&basis={basis}&tree={tree}&by={by}"
        for tree, places in (("admin", PLACES), ("management", AREAS))
        for place, period, basis, by in itertools.product(places, PERIODS, ("A", "B", "equivalent"), DIMENSIONS)
        if by != "place" or place in ("330400", "330402", "330482")
    ]
    firms = [f"/account/{code}?period={period}&basis=B" for code in entities for period in ("2024", "2023")]
    opened = [
        f"/explain?item=emission.co2&place={place}&period={period}&basis={basis}&carrier={carrier}"
        for place, period, basis in itertools.product(PLACES, ("2024", "2023-05"), ("A", "B"))
        for carrier in ("natural_gas", "diesel")
    ]
    some = max(1, pages // 10)
    found = order.sample(firms, some) + order.sample(opened, some)
    found += order.sample(accounts, pages - len(found))
    order.shuffle(found)
    return found


def _kind(address: str) -> str:
    if address.startswith("/explain"):
        return "explain"
    return "account of a place" if "tree=" in address else "account of an enterprise"


def _figures(spent: Sequence[float]) -> dict[str, float]:
    ordered = sorted(spent)
    return {
        "p50": statistics.median(ordered),
        "p95": ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))],
        "max": ordered[-1],
    }


def _dualcarbon(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "dualcarbon", *words], check=True, stdout=subprocess.DEVNULL)


def _copied(path: Path, copies: int) -> int:
    """Import every enterprise's rows again under other codes; the number of rows that the workspace then holds."""
    import polars as pl

    from dualcarbon.core.workspace import Workspace

    workspace = Workspace.open(path)
    frame = workspace.observations().pl()
    own = frame.filter(pl.col("entity").is_not_null() & pl.col("dataset").str.starts_with("demo"))
    known = {str(one["id"]): one for one in workspace.datasets()}
    for number in range(1, copies + 1):
        named = pl.when(pl.col("entity").is_not_null()).then(pl.format("{}-copy{}", "entity", pl.lit(number)))
        for (name,), rows in own.with_columns(named.alias("entity")).partition_by("dataset", as_dict=True).items():
            dataset = {**known[str(name)], "id": f"{name}-copy{number}"}
            rows = rows.with_columns(pl.lit(dataset["id"]).alias("dataset"))
            workspace.import_frame(rows, source={"file": f"copy-{number}-{name}"}, dataset=dataset)
    return int(frame.height + copies * own.height)


def _entities(path: Path) -> list[str]:
    from dualcarbon.core.workspace import Workspace

    codes = sorted(Workspace.open(path).entities()["code"].to_list())
    return codes[:: max(1, len(codes) // 40)]


def _get(port: int, address: str) -> float:
    """Milliseconds until the whole answer is here."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begun = time.perf_counter()
    connection.request("GET", address)
    response = connection.getresponse()
    body = response.read()
    spent = 1000 * (time.perf_counter() - begun)
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{address} answered {response.status}: {body[:300]!r}")
    return spent


def _ready(port: int, begun: float) -> float:
    """Seconds from the start until the home page was answered."""
    while True:
        try:
            _get(port, "/")
            return time.perf_counter() - begun
        except OSError:
            if time.perf_counter() - begun > 120:
                raise
            time.sleep(0.05)


def _idle(pid: int, begun: float) -> float:
    """Seconds from the start until the server has done what it prepares by itself (no processor time for a second)."""
    spent = _processor(pid)
    while time.perf_counter() - begun < 300:
        time.sleep(1)
        now = _processor(pid)
        if now - spent < 0.03:
            break
        spent = now
    return time.perf_counter() - begun - 1


def _processor(pid: int) -> float:
    """Processor seconds of a process so far (Linux; elsewhere always the same, so that nobody waits)."""
    file = Path(f"/proc/{pid}/stat")
    if not file.exists():
        return 0.0
    fields = file.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float | None:
    file = Path(f"/proc/{pid}/status")
    lines = file.read_text().splitlines() if file.exists() else []
    found = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return found[0] if found else None
