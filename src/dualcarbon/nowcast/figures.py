"""Figures of a month: counted and estimated CO2 of chosen cells, with the interval of what is estimated."""

from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import months
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.shape import Array


def estimated(seen: City, t: int | None = None) -> tuple[Month, Month]:
    """Direct and indirect CO2 of month number `t` (default: the last). Raises Refused if nothing before is known."""
    t = len(seen.months) - 1 if t is None else t
    if t < 1:
        raise Refused(Problem("nowcast.too-short", value=month_text(seen.months[-1]) if seen.months else ""))
    if not (np.isfinite(seen.direct[:, :t]).any() or np.isfinite(seen.indirect[:, :t]).any()):
        raise Refused(Problem("nowcast.too-short", value=month_text(seen.months[t])))
    made = [
        months.estimate(part, seen.power, t, seen.places, seen.sectors, seen.terms)
        for part in (seen.direct, seen.indirect)
    ]
    return made[0], made[1]


def figure(seen: City, t: int, direct: Month, indirect: Month, mine: np.ndarray) -> dict[str, Any]:
    """Value, intervals and a year ago of the cells `mine` in month number `t`.

    Errors that cells share add up, cells' own add in quadrature. `low`, `high` hold 90 %, `low80`, `high80` 80 %. The
    intervals are those of estimating; the factors' own uncertainty is the account's. Nothing estimated: no interval.
    """
    value, counted, wide, narrow = 0.0, 0.0, 0.0, 0.0
    for part in (direct, indirect):
        guess = np.where(part.counted, 0.0, part.value)[mine]
        value += float(part.value[mine].sum())
        counted += float(part.value[mine & part.counted].sum())
        wide += _variance(part.shared, part.own[mine], guess)
        narrow += _variance(part.inner[0], part.inner[1][mine], guess)
    width, inner = float(np.sqrt(wide)), float(np.sqrt(narrow))
    before = known(seen, t - 12, mine)
    return {
        "value": value, "low": max(value - width, counted) if width else None,
        "high": value + width if width else None, "level": 0.9,
        "low80": max(value - inner, counted) if width else None, "high80": value + inner if width else None,
        "direct": float(direct.value[mine].sum()), "indirect": float(indirect.value[mine].sum()),
        "counted_share": counted / value if value else 1.0, "last_year": before,
        "change": value - before if before is not None else None,
        "change_percent": 100 * (value / before - 1) if before else None,
    }  # fmt: skip


def _variance(shared: float, own: Array, guess: Array) -> float:
    return float((shared * guess.sum()) ** 2 + ((own * guess) ** 2).sum())


def known(seen: City, t: int, mine: np.ndarray | None = None) -> float | None:
    """Known CO2 of month number `t` (of the cells `mine`); None where any cell of it was not seen."""
    if t < 0:
        return None
    chosen = slice(None) if mine is None else mine
    parts = seen.direct[chosen, t], seen.indirect[chosen, t]
    return float(sum(part.sum() for part in parts)) if all(np.isfinite(part).all() for part in parts) else None


def month_text(day: date) -> str:
    """A month as ``2024-09``."""
    return day.isoformat()[:7]
