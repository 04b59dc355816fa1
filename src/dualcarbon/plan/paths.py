"""The path to a target: what should stand at the end of each month, for figures of every kind.

Kinds of figure: `flow` adds up over the year (新增 80 万千瓦); `cumulative` is a stock with an opening value (累计
10 座); `level` is a share or a level that is never added up (占比 23 %); `change` is a rate against the same months of
last year (下降 3 %); `milestones` stands for targets without a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dualcarbon.core.problems import Problem, Refused

KINDS = ("flow", "cumulative", "level", "change", "milestones")
METHODS = ("linear", "seasonal", "set")


@dataclass(frozen=True)
class Path:
    """Twelve expected values, in the target's unit; None where the path cannot say (unknown opening, joint months).

    `shares` is how much of the year's way lies behind at the end of each month, from 0 to 1.
    """

    kind: str
    method: str
    target: float
    expected: tuple[float | None, ...]
    shares: tuple[float | None, ...]
    opening: float | None = None


@dataclass(frozen=True)
class Milestone:
    """A step of a target without a figure: due at the end of `month` (1 to 12), with a weight."""

    text: str
    month: int
    weight: float = 1.0
    done: int | None = None  # the month in which it was reached


def shape(history: Sequence[Sequence[float | None]]) -> tuple[float | None, ...]:
    """Return the mean share of each month in earlier years, twelve values that add up to 1.

    `history`: per year twelve increments. A None goes into the next value that is there (January and February
    reported as one), and the mean of that month stays None. Raises Refused `plan.bad-shape` for a year that has not
    twelve months, ends in None, falls below zero or adds up to nothing, and for years with different joint months.
    """
    gaps = {tuple(value is None for value in year) for year in history}
    bad = [
        year
        for year in history
        if len(year) != 12 or year[-1] is None or min(v or 0.0 for v in year) < 0 or not sum(v or 0.0 for v in year)
    ]
    if not history or bad or len(gaps) > 1:
        raise Refused(Problem("plan.bad-shape", value=str(bad[0]) if bad else None))
    totals = [sum(value or 0.0 for value in year) for year in history]
    return tuple(
        None
        if history[0][m] is None
        else sum((y[m] or 0.0) / t for y, t in zip(history, totals, strict=True)) / len(history)
        for m in range(12)
    )


def path(
    kind: str,
    target: float,
    *,
    method: str = "linear",
    opening: float | None = None,
    months: Sequence[float | None] | None = None,
    points: Mapping[int, float] | None = None,
) -> Path:
    """Return the path of one year to `target`.

    `opening`: the value at the year's start, for `cumulative` and `level`; a stock without one has no path, and a
    level without one is held to its target all year. `months`: for `seasonal`, the twelve shares of `shape`.
    `points`: for `set`, the department's own values by month, straight between them; December must be the target.
    A `change` is held to its target in every month, whatever the method.
    Raises Refused `plan.bad-shape` or `plan.path-end`; ValueError for an unknown kind or method.
    """
    if kind not in KINDS or kind == "milestones" or method not in METHODS:
        raise ValueError(f"kind {kind!r}, method {method!r}")
    if method == "set":
        return _set(kind, target, opening, points or {})
    shares = _shares(method, months)
    start = 0.0 if kind == "flow" else opening
    if kind == "change" or (kind == "level" and opening is None):
        return Path(kind, method, target, (target,) * 12, shares, opening)
    if start is None:
        return Path(kind, method, target, (None,) * 12, shares, opening)
    expected = tuple(None if share is None else start + (target - start) * share for share in shares)
    return Path(kind, method, target, expected, shares, opening)


def _shares(method: str, months: Sequence[float | None] | None) -> tuple[float | None, ...]:
    if method == "linear":
        return tuple((m + 1) / 12 for m in range(12))
    if months is None or len(months) != 12 or abs(sum(v or 0.0 for v in months) - 1) > 1e-9:
        raise Refused(Problem("plan.bad-shape", value=str(months)))
    behind, shares = 0.0, []
    for month in months:
        behind += month or 0.0
        shares.append(None if month is None else behind)
    return (*shares[:-1], 1.0)


def _set(kind: str, target: float, opening: float | None, points: Mapping[int, float]) -> Path:
    start = 0.0 if kind == "flow" else opening
    known = ({} if start is None else {0: start}) | dict(points)
    if any(not 1 <= month <= 12 for month in points) or known.get(12) != target:
        raise Refused(Problem("plan.path-end", value=known.get(12), params={"target": target}))
    expected: list[float | None] = [None] * 12
    for (a, low), (b, high) in pairwise(sorted(known.items())):
        for month in range(a + 1, b + 1):
            expected[month - 1] = low + (high - low) * (month - a) / (b - a)
    expected[min(known) - 1 if start is None else 11] = known[min(known)] if start is None else target
    way = None if start is None or target == start else target - start
    shares = tuple(None if v is None or way is None else (v - (start or 0.0)) / way for v in expected)
    return Path(kind, "set", target, tuple(expected), shares, opening)


def milestones(steps: Sequence[Milestone]) -> Path:
    """Return the path of a target without a figure: the share of the weights that is due by each month."""
    total = sum(step.weight for step in steps)
    if not steps or total <= 0:
        raise Refused(Problem("plan.bad-shape", value="0"))
    due = tuple(sum(step.weight for step in steps if step.month <= m) / total for m in range(1, 13))
    return Path("milestones", "set", 1.0, due, due)


def reached(steps: Sequence[Milestone], month: int) -> float:
    """Return the share of the weights reached by the end of `month`."""
    done = sum(step.weight for step in steps if step.done is not None and step.done <= month)
    return done / sum(step.weight for step in steps)
