"""Imports one after the other: what the next one costs when many have gone before, against an append without checks."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import write_deltalake

from dualcarbon.core.workspace import Workspace

HELP = "files of one size imported one after another: growth from the 1st to the 200th, against a bare append"
HEADINGS = "place,entity,sector,carrier,item,period,value,unit\n"
CARRIERS = ("diesel", "gasoline", "raw_coal", "lpg")
NEAR = 5  # imports around each number of which the middle counts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m benchmarks imports``."""
    parser.add_argument("--at", default="1,50,200", help="which imports are told")
    parser.add_argument("--rows", type=int, default=1000, help="rows of each file")
    parser.add_argument(
        "--same-months", action="store_true", help="every file holds other enterprises in the same year"
    )


def lines(number: int, rows: int, same_months: bool) -> str:
    """A file: a month of the same enterprises, or a year of other ones."""
    year, month = 2000 + number // 12, number % 12 + 1
    told = []
    for n in range(rows):
        carrier = CARRIERS[n % len(CARRIERS)]
        if same_months:
            entity, period = f"E{number:04}-{n // 48}", f"2024-{n // 4 % 12 + 1:02}"
        else:
            entity, period = f"E{n // len(CARRIERS)}", f"{year}-{month:02}"
        told.append(f"330483,{entity},C28,{carrier},energy.combustion,{period},{n + number},t\n")
    return HEADINGS + "".join(told)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds and own processor seconds of each asked import (the middle of those near it), and of the peer."""
    asked = sorted(int(one) for one in arguments.at.split(","))
    spent: list[float] = []
    own: list[float] = []
    peer: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Workspace.create(folder / "w")
        for number in range(asked[-1] + NEAR // 2):
            file = folder / f"{number}.csv"
            file.write_text(lines(number, arguments.rows, arguments.same_months))
            began, started = time.process_time(), time.perf_counter()
            # Opened anew, as by the command line.
            Workspace.open(folder / "w").import_file(file, dataset="returns")
            spent.append(time.perf_counter() - started)
            own.append(time.process_time() - began)
            began = time.perf_counter()
            write_deltalake(str(folder / "peer"), pl.read_csv(file).to_arrow(), mode="append")
            peer.append(time.perf_counter() - began)
        held = Workspace.open(folder / "w").observations().aggregate("count(*)").fetchall()[0][0]
    if held != arguments.rows * len(spent):
        raise AssertionError(f"{held} rows are held")
    return {
        "rows_each": arguments.rows,
        "seconds": {f"import {at}": _middle(spent, at) for at in asked},
        "own_cpu_s": {f"import {at}": _middle(own, at) for at in asked},
        "peer_seconds": {f"append {at}": _middle(peer, at) for at in asked},
        "growth_of_cpu": round(_middle(own, asked[-1]) / _middle(own, asked[0]), 2),
    }


def _middle(spent: list[float], at: int) -> float:
    """The median of the imports around one; of the first those after it, without its warming up."""
    begin = max(at - 1 - NEAR // 2, 1)
    return round(statistics.median(spent[begin : begin + NEAR]), 3)
