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
from dualcarbon.plan.words import unit_in_english

STATES = ("done", "on_pace", "behind", "at_risk", "no_data")


@dataclass(frozen=True)
class Standing:
    """One indicator at the end of a month. Values are in the target's unit; None means not known.

    `met`: the figure is there; `settled`: it cannot be lost any more this year; `done` needs the lead department's
    confirmation as well. `low`, `high`: the 90 % prediction interval of `forecast`, None with too few reports.
    """

    state: str
    month: int
    reported: int | None  # the month of the last report
    actual: float | None
    expected: float | None
    target: float
    met: bool
    settled: bool
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

    `reports`: up to twelve values, as reported by the end of each month: since January for a flow, as they stand for a
    stock, level or change; None where nothing was reported. A missing report is never zero: the last one before
    counts and says so. `better`: `lower` for caps and concentrations.
    """
    from dualcarbon.plan.standings import standings

    told = [*reports, *[None] * (12 - len(reports))]
    found = standings([path], [told], month, lower=[better == "lower"], confirmed=[confirmed])
    row = {name: _plain(column[0]) for name, column in found.items()}
    expected = path.expected[month - 1]
    if math.isnan(found["reported"][0]):
        reason = (f"截至 {month} 月没有填报。", f"Nothing has been reported by month {month}.")
        return Standing(
            "no_data", month, None, None, expected, path.target, False, False, None, None, None, None, None, reason
        )
    last, actual, forecast = int(row["reported"]), row["actual"], row["forecast"]
    due = path.expected[last - 1]
    reason = _reason(
        row["state"], path, actual, due, forecast, row["needed"], last, month, row["settled"], better, unit
    )
    return Standing(
        state=row["state"],
        month=month,
        reported=last,
        actual=actual,
        expected=expected,
        target=path.target,
        met=row["met"],
        settled=row["settled"],
        forecast=forecast,
        low=row["low"],
        high=row["high"],
        needed=row["needed"],
        pace=row["pace"],
        reason=reason,
    )


def _plain(value: Any) -> Any:
    """Return a cell of an array as Python's own: NaN as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def figure(value: float, digits: int = 4) -> str:
    """Return a number as text with so many significant digits, whole digits kept, never with an exponent."""
    if not value:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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
    in_english = unit_in_english(unit)

    def both(value: float, digits: int = 4) -> tuple[str, str]:
        whole, point, part = figure(value, digits).partition(".")
        told = f"{int(whole):,}{point}{part}" if abs(value) >= 1000 else f"{whole}{point}{part}"
        return f"{told}{unit}", f"{told}{in_english}"

    shown, goal = both(actual, 5), both(path.target, 6)
    if path.kind == "milestones":
        zh, en = f"截至 {last} 月里程碑完成 {actual:.0%}", f"{actual:.0%} of the milestones by month {last}"
    else:
        zh, en = f"截至 {last} 月为 {shown[0]}，目标 {goal[0]}", f"{shown[1]} by month {last}, target {goal[1]}"
    if last < month:
        zh, en = f"{month} 月未报，{zh}", f"nothing reported for month {month}; {en}"
    if settled:
        if state == "done":
            return f"{zh}，已完成并经牵头单位确认。", f"{en}: reached and confirmed by the lead department."
        return f"{zh}，已达到，待牵头单位确认。", f"{en}: reached, to be confirmed by the lead department."
    if state == "no_data":
        why = (f"{last} 月以后没有填报", f"nothing reported since month {last}")
        if month == 12:
            why = ("全年的数还没有报", "the figure of the whole year is not reported")
        elif expected is None:
            why = ("缺年初值", "its opening value is missing") if path.kind == "cumulative" else (
                "这个月没有进度安排", "its path says nothing of that month")  # fmt: skip
        return f"{zh}，不能判断：{why[0]}。", f"{en}; cannot be judged: {why[1]}."
    if last == 12 and path.kind != "milestones":
        gap = both(abs(float(figure(path.target, 6)) - float(figure(actual, 5))))  # of the two figures as shown
        short = ("还差", "short by") if better == "higher" else ("超出", "over by")
        return f"{zh}，{short[0]} {gap[0]}。", f"{en}, {short[1]} {gap[1]}."
    if expected is not None:
        due = (f"{expected:.0%}",) * 2 if path.kind == "milestones" else both(expected)
        word = ("应达", "due") if better == "higher" else ("应不超过", "at most")
        zh, en = f"{zh}，按进度{word[0]} {due[0]}", f"{en}, {word[1]} by then {due[1]}"
    if forecast is not None and last < 12:
        year = both(forecast)
        zh, en = f"{zh}，预计全年 {year[0]}", f"{en}, year-end forecast {year[1]}"
    if state in ("behind", "at_risk") and needed is not None and better == "higher":
        share = (f"{needed:.0%}",) * 2 if path.kind == "milestones" else both(needed)
        zh, en = f"{zh}，余下每月需 {share[0]}", f"{en}, {share[1]} a month needed from now on"
    return f"{zh}。", f"{en}."
