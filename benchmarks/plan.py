"""Work plans: reading a document against extracting its plain text, and the standing of a nation's indicators."""

import argparse
import time
from pathlib import Path
from typing import Any

HELP = "read a work plan; how 1,000 plans of 100 indicators stand"
DOCUMENT = Path(__file__).resolve().parents[2] / "shared" / "plan" / "jiaxing-2024-work-plan.txt"
INVENTED = Path(__file__).resolve().parents[1] / "tests" / "cases" / "plan" / "binhai-2023.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the plan's file and the size of the nation."""
    parser.add_argument("--file", type=Path, default=DOCUMENT if DOCUMENT.is_file() else INVENTED)
    parser.add_argument("--plans", type=int, default=1000)
    parser.add_argument("--indicators", type=int, default=100)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure seconds: the first reading (libraries loaded with it), a further one, the floor, and the standings."""
    from dualcarbon.plan import read_plan
    from dualcarbon.plan.reading.files import read_document

    first, plan = _seconds(lambda: read_plan(arguments.file))
    again, _ = _seconds(lambda: read_plan(arguments.file))
    floor, _ = _seconds(lambda: read_document(arguments.file))
    standing, states = _nation(arguments.plans, arguments.indicators)
    return {
        "file": arguments.file.name,
        "read": {"first_s": first, "again_s": again, "plain_text_s": floor, "ratio": again / floor, "limit_s": 3.0},
        "found": {name: len(plan[name]) for name in ("tasks", "policies", "indicators", "findings")},
        "status": {
            "plans": arguments.plans,
            "indicators": arguments.indicators,
            "months": 12,
            "seconds": standing,
            "limit_s": 1.0,
            "states": states,
        },
    }


def _seconds(call: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _nation(plans: int, indicators: int) -> tuple[float, dict[str, int]]:
    """Return the time for the standing of all indicators at the end of November, and how many stand how."""
    import numpy as np

    from dualcarbon.plan import path
    from dualcarbon.plan.standings import standings

    rng = np.random.default_rng(2024)
    kinds = ("flow", "cumulative", "level", "change")
    openings = {"cumulative": 20.0, "level": 20.0}
    each = [path(kinds[i % 4], 100.0, opening=openings.get(kinds[i % 4])) for i in range(indicators)]
    reports = np.cumsum(rng.gamma(2.0, 4.5, (plans * indicators, 12)), axis=1)
    reports[rng.random(reports.shape) < 0.05] = np.nan
    seconds, found = _seconds(lambda: standings(each * plans, reports, 11))
    names, counts = np.unique(found["state"], return_counts=True)
    return seconds, {str(name): int(count) for name, count in zip(names, counts, strict=True)}
