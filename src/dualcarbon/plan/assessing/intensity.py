"""Energy and carbon intensity under dual targets: yearly and five-year falls, deductions, certificates.

The fall of an intensity is D = 1 − (1 + e)/(1 + g), with e the growth of energy (or CO2) and g the growth of GDP at the
prices of a fixed base year; over several years D = 1 − Π(1 − Dᵢ).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

REGIMES = ("renewable-increment", "non-fossil")


def regime(month: str) -> str | None:
    """Return the regime of deductions in force in a month such as `2024-02`; None before 2022.

    From 2022 the increment of renewable electricity over 2020 is deducted, from the total alone; from 2024-02 all
    non-fossil energy, nuclear included, from total and intensity.
    """
    return None if month < "2022-01" else "renewable-increment" if month < "2024-02" else "non-fossil"


def fall(growth: float, gdp_growth: float) -> float:
    """Return the fall of intensity as a share, 0.03 for 3 %; negative when the intensity rises.

    `growth`, `gdp_growth`: shares a year, the second at comparable prices. Raises ValueError for a GDP that vanishes.
    """
    if gdp_growth <= -1:
        raise ValueError("gdp_growth <= -1")
    return 1 - (1 + growth) / (1 + gdp_growth)


def cumulative(falls: Iterable[float]) -> float:
    """Return the fall over several years, 1 − Π(1 − D)."""
    return 1 - math.prod(1 - one for one in falls)


def needed(total: float, falls: Iterable[float], years: int) -> float:
    """Return the equal yearly fall that the `years` left need so that all together reach `total`.

    Zero or less when the target is already reached. Raises ValueError for no year left or a total of 1 and more.
    """
    if years < 1 or total >= 1:
        raise ValueError("years < 1 or total >= 1")
    return float(1 - ((1 - total) / (1 - cumulative(falls))) ** (1 / years))


@dataclass(frozen=True)
class Dual:
    """A fall against its basic (基本) and incentive (激励) targets; a target that is not set is None."""

    fall: float
    basic: float | None
    incentive: float | None

    @property
    def state(self) -> str:
        """`incentive`, `basic`, `missed`, or `not set` (未设定) where there is nothing to compare with."""
        slack = 1e-12
        if self.incentive is not None and self.fall >= self.incentive - slack:
            return "incentive"
        if self.basic is None:
            return "not set"
        return "basic" if self.fall >= self.basic - slack else "missed"

    def as_dict(self) -> dict[str, Any]:
        return {"fall": self.fall, "basic": self.basic, "incentive": self.incentive, "state": self.state}


@dataclass(frozen=True)
class Year:
    """One year's energy in tce (等价) and GDP at the fixed base year's prices; None is not known, never zero.

    `feedstock`: fossil products used as raw material in the uses that the notice names. `renewable_over_2020`: the
    increment of renewable electricity over 2020. `non_fossil`: all non-fossil energy, nuclear included.
    `certificates`: green certificates from outside the province that count for the year.
    """

    energy: float | None
    gdp: float | None
    feedstock: float | None = None
    renewable_over_2020: float | None = None
    non_fossil: float | None = None
    certificates: float | None = None


def views(
    base: Year, now: Year, *, rule: str = "non-fossil", cap: float | None = None, year: int
) -> list[dict[str, Any]]:
    """Return the figures side by side: statistical, minus feedstock, minus non-fossil, after certificates.

    Each is `{view, energy, intensity, fall, missing, deducted, deducted_before, counted, before, cap}`: energy in tce,
    intensity in tce per unit of GDP, the fall against `base`, the year before `year`; `counted` and `before` are the
    energy of the two years that the intensity takes; `missing` names what a view lacks
    (`2023.feedstock`), and then its figures are None; `deducted` is what the last step takes from the view before (and
    `deducted_before` from last year's). Feedstock is deducted in both years, GDP unchanged. `rule`, as `regime` gives
    it: `renewable-increment` deducts from the total alone, so its intensity stays that of the view before; `non-fossil`
    deducts from both. `cap`: the most that certificates may deduct, only if handed down (the national 50 % refers to
    the province's saving); None applies no cap.
    Raises ValueError for an unknown rule.
    """
    if rule not in REGIMES:
        raise ValueError(rule)
    source = "renewable_over_2020" if rule == "renewable-increment" else "non_fossil"
    steps: dict[str, tuple[str, ...]] = {
        "statistical": (),
        "minus feedstock": ("feedstock",),
        "minus non-fossil": ("feedstock", source),
        "after certificates": ("feedstock", source, "certificates"),
    }
    return [_view(name, base, now, deducted, cap, year) for name, deducted in steps.items()]


def _view(name: str, base: Year, now: Year, deducted: tuple[str, ...], cap: float | None, year: int) -> dict[str, Any]:
    missing = [f"{which}.energy" for which, one in ((year - 1, base), (year, now)) if one.energy is None]
    total, in_intensity = [now.energy or 0.0] * 2
    before, amount, same = base.energy or 0.0, None, None
    for item in deducted:
        same = None
        if item in ("feedstock", "non_fossil"):
            same = getattr(base, item)
            missing += [f"{year - 1}.{item}"] if same is None else []
            before -= same or 0.0
        amount = getattr(now, item)
        if amount is None:
            missing.append(f"{year}.{item}")
            continue
        if item == "certificates" and cap is not None:
            amount = min(amount, cap)
        total -= amount
        if item != "renewable_over_2020":
            in_intensity -= amount
    energy = None if [one for one in missing if one.startswith(f"{year}.")] else total
    no_gdp = [f"{which}.gdp" for which, one in ((year - 1, base), (year, now)) if not one.gdp]
    intensity = None if energy is None or not now.gdp else in_intensity / now.gdp
    known = intensity is not None and base.gdp and not missing and before > 0
    change = 1 - intensity / (before / base.gdp) if known and intensity is not None and base.gdp else None
    row = {"view": name, "energy": energy, "intensity": intensity, "fall": change, "missing": missing + no_gdp}
    row |= {"deducted": amount, "deducted_before": same, "counted": in_intensity, "before": before}
    return row | ({"cap": cap} if "certificates" in deducted else {})
