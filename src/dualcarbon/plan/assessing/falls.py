"""The fall of energy or CO2 per GDP in a year or since January: the one place where it is computed.

D = 1 − (1 + e)/(1 + g), e the growth of the account against the same months a year before, g the growth of GDP at
comparable prices. Growth at current prices is shown beside it and decides nothing.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from dualcarbon.core import periods
from dualcarbon.core.tables import worst
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import intensity, yearly
from dualcarbon.plan.assessing.handed import Figures

#: The account of each kind whose fall may be notified from above.
NOTIFIED = {"energy": "energy_fall", "carbon": "carbon_fall"}


def growth(
    workspace: Workspace, place: str, year: int, told: Figures, *, until: int = 12, known_at: date | None = None
) -> dict[str, Any]:
    """Return the growth of GDP at comparable prices from January to `until`: `{value, status, source}`, a share.

    Published growth of exactly those months comes first (observations, then figures told), then the ratio of two
    years' GDP told at the prices of one year. `value` is None where none of these is known.
    """
    span = yearly.months(year, until)
    seen = yearly.gdp_growth(workspace, place, year, until=until, known_at=known_at)
    if seen["value"] is not None:
        return seen
    parsed = periods.parse(span)
    key = periods.text(parsed.start, parsed.end)
    if ("gdp_growth", key) in told:
        return {name: told["gdp_growth", key][name] for name in ("value", "status", "source")}
    now, before = told.get(("gdp_fixed", str(year))), told.get(("gdp_fixed", str(year - 1)))
    same = now and before and now["price_year"] == before["price_year"]
    if until == 12 and same and now and before and now["value"] and before["value"]:
        source = f"{now['source']}（{now['price_year']} 年价格）"
        states = worst([now["status"], before["status"]])
        return {"value": now["value"] / before["value"] - 1, "status": states, "source": source}
    return dict.fromkeys(("value", "status", "source"))


def fall(
    workspace: Workspace,
    basis: str,
    place: str,
    year: int,
    told: Figures,
    *,
    until: int = 12,
    known_at: date | None = None,
    kind: str | None = None,
) -> dict[str, Any]:
    """Return a year's fall of intensity, or that of January to `until` against the same months a year before.

    `{year, months, value, unit, low, high, status, complete, explain, previous, growth, gdp, gdp_growth, gdp_status,
    gdp_source, nominal_growth, computed, computed_status, notified, fall, fall_status, from, source, indicative,
    whole, missing}`. `basis` is the account. `computed` is the fall by the accounts of these months, and only where
    they are complete in both years (`yearly.covered`). `notified` is the one told from above (of the whole year, with
    `kind`), which comes first however far the accounts go: `from` says which of them `fall` is, `whole` whether it is
    the whole year's. `missing` names what a fall lacks, as `2024.gdp_growth`, `2024.equivalent.part`.
    """
    now, before = (
        yearly.amount(workspace, basis, place, one, until=until, known_at=known_at) for one in (year, year - 1)
    )
    gdp, last = (yearly.gdp(workspace, place, one, until=until, known_at=known_at) for one in (year, year - 1))
    grown = growth(workspace, place, year, told, until=until, known_at=known_at)
    reach = {one: yearly.covered(workspace, one, known_at, place=place) for one in (year, year - 1)}
    part = [one for one in (before, now) if one["value"] and reach[one["year"]] < until]
    both = now["value"] is not None and before["value"] and not part
    change = now["value"] / before["value"] - 1 if both else None
    nominal = gdp["current"] / last["current"] - 1 if gdp["current"] and last["current"] else None
    known = change is not None and grown["value"] is not None and grown["value"] > -1
    computed = intensity.fall(change, grown["value"]) if known and change is not None else None
    notice = told.get((NOTIFIED[kind], str(year))) if kind is not None else None
    missing = [f"{one['year']}.{basis}" for one in (before, now) if not one["value"]]
    missing += [f"{yearly.months(one['year'], until)}.{basis}.part" for one in part]
    missing += [] if grown["value"] is not None else [f"{yearly.months(year, until)}.gdp_growth"]
    row = {name: now[name] for name in ("year", "value", "unit", "low", "high", "status", "complete", "explain")}
    states = [one for one in (now["status"], before["status"], grown["status"]) if one]
    return row | {
        "months": until, "previous": before["value"], "growth": change, "gdp": gdp["current"],
        "gdp_growth": grown["value"], "gdp_status": grown["status"], "gdp_source": grown["source"],
        "nominal_growth": nominal, "computed": computed,
        "computed_status": worst(states) if computed is not None else None,
        "notified": notice["value"] if notice else None,
        "fall": notice["value"] if notice else computed,
        "fall_status": notice["status"] if notice else worst(states) if computed is not None else None,
        "from": "notified" if notice else "computed" if computed is not None else None,
        "source": notice["source"] if notice else None,
        "indicative": None if change is None or nominal is None else intensity.fall(change, nominal),
        "whole": until == 12 or notice is not None,
        "missing": [] if notice else missing,
    }  # fmt: skip
