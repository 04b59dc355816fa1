"""Figures of a month: counted and estimated CO2 of chosen cells, with the interval of what is estimated."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import months
from dualcarbon.nowcast.city import City, month_after
from dualcarbon.nowcast.months import Month

#: A month farther than this from the last of which anything has arrived is not estimated.
FARTHEST = 12


def estimated(seen: City, t: int | None = None) -> tuple[Month, Month]:
    """Direct and indirect CO2 of month number `t` (default: the last). Raises Refused if nothing before is known, or
    nothing within `FARTHEST` months.
    """
    t = len(seen.months) - 1 if t is None else t
    if seen.whole is not None:
        if t > seen.heard + FARTHEST:
            raise _long_ago(seen, t, seen.heard)
        direct, indirect = estimated(seen.whole, t + seen.offset)
        return direct.of(seen.mine), indirect.of(seen.mine)
    parts = seen.direct, seen.indirect
    if t >= 0 and all(np.isfinite(part[:, t]).all() for part in parts):
        return months.all_counted(seen.direct[:, t]), months.all_counted(seen.indirect[:, t])
    if t < 1:
        raise Refused(Problem("nowcast.too-short", value=month_text(seen.months[-1]) if seen.months else ""))
    if not (np.isfinite(seen.direct[:, :t]).any() or np.isfinite(seen.indirect[:, :t]).any()):
        raise Refused(Problem("nowcast.too-short", value=month_text(seen.months[t])))
    if t > reach(seen, t):
        raise _long_ago(seen, t, reach(seen, t) - FARTHEST)
    made = [
        months.estimate(part, seen.power, t, seen.places, seen.sectors, seen.terms, seen.term_names) for part in parts
    ]
    return made[0], made[1]


def of_month(seen: City, t: int) -> tuple[Month, Month]:
    """As `estimated`, by what is seen up to month number `t` alone. It is kept with the city."""
    if seen.whole is not None and t <= seen.heard + FARTHEST:
        direct, indirect = of_month(seen.whole, t + seen.offset)
        return direct.of(seen.mine), indirect.of(seen.mine)
    if (t,) not in seen.estimates:
        seen.estimates[(t,)] = estimated(seen.upto(t))
    direct, indirect = seen.estimates[(t,)]
    return direct, indirect


def _long_ago(seen: City, t: int, last: int) -> Refused:
    """Why month number `t` is not estimated, where nothing has come since number `last`."""
    params = {"last": month_text(seen.months[last]), "count": FARTHEST, "day": seen.as_of.isoformat()}
    return Refused(Problem("nowcast.no-data-for-long", value=month_text(seen.months[t]), params=params))


def reach(seen: City, t: int) -> int:
    """Number of the last month that can be estimated by what is seen up to month number `t`."""
    if seen.whole is not None:
        return min(reach(seen.whole, t + seen.offset) - seen.offset, seen.heard + FARTHEST)
    return t - min(months.away(part, t) for part in (seen.direct, seen.power)) + FARTHEST


def current(seen: City) -> date:
    """The month that is this month: the last of the arrays, or the one after it where that was counted in full."""
    last = seen.months[-1]
    return month_after(last) if known(seen, len(seen.months) - 1) is not None else last


def figure(seen: City, t: int, direct: Month, indirect: Month, mine: np.ndarray) -> dict[str, Any]:
    """Value, intervals (as :func:`ended`) and a year ago of the cells `mine` in month number `t`.

    `lacking`: rows without a factor are not in it; `complete`: all of it was counted, and nothing is lacking.
    """
    made = ended((direct, indirect), mine)
    lacking = bool(seen.lacking(t)[mine].any())
    value, before = made["value"], known(seen, t - 12, mine)
    return {
        **made, "lacking": lacking, "complete": made["counted_share"] >= 1 and not lacking,
        "direct": float(direct.value[mine].sum()), "indirect": float(indirect.value[mine].sum()),
        "last_year": before, "change": value - before if before is not None else None,
        "change_percent": 100 * (value / before - 1) if before else None,
    }  # fmt: skip


def ended(parts: Sequence[Month], mine: np.ndarray) -> dict[str, Any]:
    """Value and intervals of the cells `mine` in these parts of a month, in tCO2.

    `low`, `high` hold 90 %, `low80`, `high80` 80 %: what is counted + what is `estimated` × exp(± `width`), the
    half-width in logarithms that :func:`spread` has. The intervals are those of estimating; the factors' own
    uncertainty is the account's. Nothing estimated: no interval.
    """
    value = float(sum(part.value[mine].sum() for part in parts))
    counted = float(sum(part.value[mine & part.counted].sum() for part in parts))
    guess, width = spread(parts, mine)
    inner = spread(parts, mine, inner=True)[1]
    ends = [counted + guess * float(np.exp(w)) if width else None for w in (-width, width, -inner, inner)]
    return {
        "value": value, "low": ends[0], "high": ends[1], "level": 0.9, "low80": ends[2], "high80": ends[3],
        "estimated": guess, "width": width or None, "counted_share": counted / value if value else 1.0,
    }  # fmt: skip


def spread(parts: Sequence[Month], mine: np.ndarray, *, inner: bool = False) -> tuple[float, float]:
    """What is estimated of the cells `mine` (tCO2), and the half-width of its sum in logarithms for 90 % (`inner`: 80).

    Errors that cells share add up, cells' own add in quadrature, and so do the parts. Of one cell it is that cell's
    own half-width, which the replay tests.
    """
    whole, variance = 0.0, 0.0
    for part in parts:
        shared, own = part.inner if inner else (part.shared, part.own)
        guess = np.where(part.counted, 0.0, part.value)[mine]
        whole += float(guess.sum())
        variance += float((shared * guess.sum()) ** 2 + ((own[mine] * guess) ** 2).sum())
    return whole, float(np.sqrt(variance)) / whole if whole else 0.0


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
