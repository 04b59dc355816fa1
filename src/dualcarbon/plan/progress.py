"""How an indicator stands: its state, the year-end forecast with an interval, the pace that is needed, and why."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path as File
from typing import Any

from dualcarbon.plan.paths import Path

STATES = ("done", "on_pace", "behind", "at_risk", "no_data")


@dataclass(frozen=True)
class Standing:
    """One indicator at the end of a month. Values are in the target's unit; None means not known.

    `met`: the figure is there; `done` needs the lead department's confirmation as well. `low`, `high`: the 90 %
    prediction interval of `forecast`, None with too few reports.
    """

    state: str
    month: int
    reported: int | None  # the month of the last report
    actual: float | None
    expected: float | None
    target: float
    met: bool
    forecast: float | None
    low: float | None
    high: float | None
    needed: float | None  # per month from now on
    pace: float | None  # per month so far
    reason: tuple[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the standing for JSON, the reason as {zh, en}."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "reason"} | {
            "reason": {"zh": self.reason[0], "en": self.reason[1]}
        }


@cache
def limits() -> dict[str, float]:
    """Return the thresholds of the states; their status in `limits.csv` is `unverified`."""
    with File(__file__).with_name("limits.csv").open(encoding="utf-8", newline="") as lines:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(lines)}


def assess(
    path: Path,
    reports: Sequence[float | None],
    month: int,
    *,
    better: str = "higher",
    confirmed: bool = False,
    unit: str = "",
) -> Standing:
    """Return how an indicator stands at the end of `month` (1 to 12).

    `reports`: twelve values as reported by the end of each month: since January for a flow, as they stand for a
    stock, level or change; None where nothing was reported. A missing report is never zero: the last one before
    counts and says so. `better`: `lower` for caps and concentrations.
    """
    known = [m for m in range(1, month + 1) if m <= len(reports) and reports[m - 1] is not None]
    expected = path.expected[month - 1]
    if not known:
        reason = (f"截至 {month} 月没有填报。", f"Nothing has been reported by month {month}.")
        return Standing(
            "no_data", month, None, None, expected, path.target, False, None, None, None, None, None, reason
        )
    last = known[-1]
    actual = float(reports[last - 1] or 0.0)
    forecast, low, high = _forecast(path, reports, known)
    met = _reaches(actual, path.target, better)
    settled = met and (month == 12 or (path.kind in ("flow", "cumulative", "milestones") and better == "higher"))
    pace = needed = None
    start = 0.0 if path.kind in ("flow", "milestones") else path.opening
    if path.kind in ("flow", "cumulative", "milestones") and start is not None:
        pace = (actual - start) / last
        needed = (path.target - actual) / (12 - month) if month < 12 else None
        needed = 0.0 if settled and needed is not None else needed
    state = _state(path, actual, path.expected[last - 1], forecast, low, high, better, settled, confirmed, last == 12)
    reason = _reason(state, path, actual, path.expected[last - 1], forecast, needed, last, month, settled, better, unit)
    return Standing(state, month, last, actual, expected, path.target, met, forecast, low, high, needed, pace, reason)


def _reaches(value: float, target: float, better: str) -> bool:
    slack = 1e-9 * max(1.0, abs(target))
    return value >= target - slack if better == "higher" else value <= target + slack


def _state(
    path: Path,
    actual: float,
    expected: float | None,
    forecast: float | None,
    low: float | None,
    high: float | None,
    better: str,
    settled: bool,
    confirmed: bool,
    over: bool,
) -> str:
    if settled:
        return "done" if confirmed else "on_pace"
    if over:
        return "at_risk"
    start = (path.opening or 0.0) if path.kind in ("cumulative", "level") else 0.0
    held = path.kind == "change" or (path.kind == "level" and path.opening is None)
    way = None if expected is None else abs(expected if held else expected - start)
    short = None if expected is None else (expected - actual if better == "higher" else actual - expected)
    on_pace = limits()["on_pace"]
    if short is not None and way is not None and short <= (1 - on_pace) * way + 1e-12:
        return "on_pace"
    if expected is None and forecast is not None and _reaches(forecast, path.target, better):
        return "on_pace"
    best = high if better == "higher" else low
    if best is not None:
        return "behind" if _reaches(best, path.target, better) else "at_risk"
    if short is None or way is None:
        return "behind"
    return "at_risk" if short > (1 - limits()["at_risk"]) * way else "behind"


def _forecast(
    path: Path, reports: Sequence[float | None], known: Sequence[int]
) -> tuple[float | None, float | None, float | None]:
    """Return the year-end forecast and its 90 % interval.

    Flows and stocks: each stretch between reports gives θ·w, w its share of the path, with variance σ²·w; what
    remains, W, is forecast θ·W with variance σ²(W + W²/S), S the share behind (weighted least squares through the
    origin, Student's t). Levels: a random walk with drift; changes: a random walk without.
    """
    values = [float(reports[m - 1] or 0.0) for m in known]
    if path.kind == "milestones":
        return None, None, None
    if path.kind in ("level", "change"):
        return _walk(values, known, drift=path.kind == "level")
    start = 0.0 if path.kind == "flow" else path.opening
    placed = [(share, v) for m, v in zip(known, values, strict=True) if (share := path.shares[m - 1]) is not None]
    if start is None or not placed:
        return None, None, None
    behind = [0.0, *(share for share, _ in placed)]
    stood = [start, *(value for _, value in placed)]
    values = stood[1:]
    steps = [(b - a, v - u) for a, b, u, v in zip(behind, behind[1:], stood, stood[1:], strict=False) if b - a > 1e-12]
    done, rest = behind[-1], 1.0 - behind[-1]
    if not steps or done <= 0:
        return None, None, None
    if rest <= 1e-12:
        return values[-1], values[-1], values[-1]
    rate = (values[-1] - start) / done
    forecast = values[-1] + rate * rest
    if len(steps) < 3:
        return forecast, None, None
    variance = sum((gain - rate * w) ** 2 / w for w, gain in steps) / (len(steps) - 1)
    half = _student(len(steps) - 1) * math.sqrt(variance * (rest + rest * rest / done))
    low = forecast - half
    if all(gain >= 0 for _, gain in steps):  # what was built does not go away
        low = max(low, values[-1])
    return forecast, low, forecast + half


def _walk(values: Sequence[float], known: Sequence[int], drift: bool) -> tuple[float, float | None, float | None]:
    ahead = 12 - known[-1]
    if ahead == 0:
        return values[-1], values[-1], values[-1]
    steps = [(b - a, v - u) for a, b, u, v in zip(known, known[1:], values, values[1:], strict=False)]
    months = sum(length for length, _ in steps)
    slope = (values[-1] - values[0]) / months if drift and months else 0.0
    forecast = values[-1] + slope * ahead
    free = len(steps) - (1 if drift else 0)
    if len(steps) < 3:
        return forecast, None, None
    variance = sum((gain - slope * length) ** 2 / length for length, gain in steps) / free
    spread = ahead + (ahead * ahead / months if drift else 0.0)
    half = _student(free) * math.sqrt(variance * spread)
    return forecast, forecast - half, forecast + half


@cache
def _student(free: int) -> float:
    """Return the 95 % point of Student's t, for a two-sided 90 % interval."""
    from scipy.stats import t

    return float(t.ppf(0.95, free))


def _reason(
    state: str,
    path: Path,
    actual: float,
    expected: float | None,
    forecast: float | None,
    needed: float | None,
    last: int,
    month: int,
    settled: bool,
    better: str,
    unit: str,
) -> tuple[str, str]:
    """Say in one sentence why the state is what it is."""
    shown, goal = f"{actual:g}{unit}", f"{path.target:g}{unit}"
    if path.kind == "milestones":
        shown, goal = f"{actual:.0%}", "100%"
    zh, en = f"截至 {last} 月为 {shown}，目标 {goal}", f"{shown} by month {last}, target {goal}"
    if last < month:
        zh, en = f"{month} 月未报，{zh}", f"nothing reported for month {month}; {en}"
    if settled:
        if state == "done":
            return f"{zh}，已完成并经牵头单位确认。", f"{en}: reached and confirmed by the lead department."
        return f"{zh}，已达到，待牵头单位确认。", f"{en}: reached, to be confirmed by the lead department."
    if expected is not None:
        due = f"{expected:.0%}" if path.kind == "milestones" else f"{expected:g}{unit}"
        word = ("应达", "due") if better == "higher" else ("应不超过", "at most")
        zh, en = f"{zh}，按进度{word[0]} {due}", f"{en}, {word[1]} by then {due}"
    if forecast is not None and last < 12:
        zh, en = f"{zh}，预计全年 {forecast:.4g}{unit}", f"{en}, year-end forecast {forecast:.4g}{unit}"
    if state in ("behind", "at_risk") and needed is not None and better == "higher":
        share = f"{needed:.0%}" if path.kind == "milestones" else f"{needed:.4g}{unit}"
        zh, en = f"{zh}，余下每月需 {share}", f"{en}, {share} a month needed from now on"
    return f"{zh}。", f"{en}."
