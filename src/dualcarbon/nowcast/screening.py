"""Reported months that cannot be right: negative, or departing from the year before as no month of the cell ever did.

They are taken as not seen, so the month is estimated with the interval of an estimate, and named. The rule is that of
`panel.cleaned` and looks at nothing later than the month, except that a level that stays for three months is believed,
and so is a month that nobody corrected for three months: a stop (zero), or one that is less than `panel.FAR` times off.
A month farther off than that is a wrong unit and stays out until it is corrected.
"""

from datetime import date
from typing import NamedTuple

import numpy as np

from dualcarbon.nowcast import panel
from dualcarbon.nowcast.shape import Array

#: Months after which a doubtful month that was not corrected is believed.
BELIEVED = 3
ANY = panel.Stream("", "", "", "", 0.0, False)


class Doubt(NamedTuple):
    """A reported month that was not used: the cell's number, the month, what was reported, and whether negative."""

    cell: int
    month: date
    part: str
    value: float
    negative: bool


def screened(values: Array, months: list[date], part: str) -> tuple[Array, list[Doubt]]:
    """`values` (N, T) with months that cannot be right as NaN, and the list of those."""
    lead = months[0].month - 1
    years = -(-(lead + len(months)) // 12)
    raw = np.full((len(values), years * 12), np.nan)
    raw[:, lead : lead + len(months)] = values
    cells = [{"place": "", "sector": ""}] * len(values)
    filled, marked, _ = panel.cleaned(raw.reshape(1, len(values), years, 12), cells, [ANY], months[0].year)
    marked, expected = (one.reshape(len(values), -1)[:, lead : lead + len(months)] for one in (marked, filled))
    wrong = marked & np.isfinite(values)
    seen = np.nonzero(np.isfinite(values).any(0))[0].max(initial=0)
    old = slice(max(seen - BELIEVED + 1, 0))
    wrong[:, old] &= _absurd(values[:, old], expected[:, old])
    wrong &= ~_stayed(values, wrong)
    told = [
        Doubt(k, months[t], part, float(values[k, t]), bool(values[k, t] < 0))
        for k, t in zip(*(index.tolist() for index in np.nonzero(wrong)), strict=True)
    ]
    return np.where(wrong, np.nan, values), told


def _absurd(values: Array, expected: Array) -> np.ndarray:
    """Months (N, T) that no waiting makes true."""
    with np.errstate(all="ignore"):
        far = np.abs(np.log(values / expected)) > np.log(panel.FAR)
    return np.asarray((values < 0) | ((values > 0) & far))


def _stayed(values: Array, wrong: np.ndarray) -> np.ndarray:
    """Doubtful months (N, T) whose level a later month of the cell, not doubtful itself, has kept within a factor 2."""
    with np.errstate(all="ignore"):
        growth = np.log(values[:, 12:] / values[:, :-12])
    out = np.zeros_like(wrong)
    for k, t in zip(*np.nonzero(wrong[:, 12:]), strict=True):
        later = growth[k, t + 1 :][~wrong[k, t + 13 :]]
        with np.errstate(invalid="ignore"):  # both may be stops
            out[k, t + 12] = bool((np.abs(later - growth[k, t]) < np.log(2)).any())
    return out
