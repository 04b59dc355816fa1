"""Energy and carbon intensity of a year against its dual targets: from the workspace's results, or said to be missing.

The fall needs real growth of GDP (comparable prices). Where only current prices are known an indicative fall is shown
beside it and never decides a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, shipping
from dualcarbon.plan.assessing import intensity, yearly
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.store import document

KINDS = ("energy", "carbon")


def certificate_cap(base_intensity: float, gdp: float, fall: float, share: float = 0.5) -> float:
    """Return the most that certificates may offset: `share` of the saving that the five-year target asks for.

    `base_intensity`: of the five-year plan's base year (tce per unit of GDP); `gdp`: of the last year, at the base
    year's prices; `fall`: the five-year target as a share. The saving is base_intensity × gdp × fall, in tce.
    """
    return base_intensity * gdp * fall * share


def settings(pack: str, year: int) -> dict[str, Any]:
    """Return `targets.yaml` of a plan; all targets None where the pack has none."""
    from dualcarbon.core.pack import read_yaml

    nothing = dict.fromkeys(("basic", "incentive", "five_year_basic", "five_year_incentive", "source"))
    told: dict[str, Any] = {"status": "unverified", "place": None, "five_year": [], "told": {},
                            "energy": nothing | {"basis": "equivalent"}, "carbon": nothing | {"basis": "B"},
                            "certificates": {"share": None, "local": False}}  # fmt: skip
    here = feeding.folder(pack, year)
    if here is not None and (here / "targets.yaml").is_file():
        told |= read_yaml(here / "targets.yaml")
    return told


def told(
    workspace: Workspace, plan: str | None, names: Mapping[str, Mapping[str, str]], as_of: date | None = None
) -> dict[int, dict[str, float]]:
    """Return figures that no account holds, by year and name: shares, tce, MWh. The last one told counts."""
    found: dict[int, dict[str, float]] = {}
    scale = {"%": 0.01, "万tce": 1e4, "tce": 1.0, "MWh": 1.0, "万千瓦时": 10.0, "亿千瓦时": 1e5, "1": 1.0}
    by_name = {one["name"]: key for key, one in names.items()}
    for row in reads.mirrors(workspace, plan, as_of):
        key = by_name.get(row["name"])
        if key is not None and row["value"] is not None and str(row["period"])[:4].isdigit():
            unit = row["unit"] or names[key]["unit"]
            found.setdefault(int(str(row["period"])[:4]), {})[key] = row["value"] * scale.get(unit, 1.0)
    return found


def dual(workspace: Workspace, plan: str | None = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the dual targets of a plan's year: `{year, place, energy, carbon, certificates, settings}`.

    `energy` and `carbon` are `{basis, unit, years, fall, state, basic, incentive, cumulative, indicative, missing,
    source}`; `years` are rows `{year, value, status, growth, gdp, gdp_growth, fall, indicative, missing, explain}`;
    `cumulative` is as `over_years` gives it. `energy` has `views` as well (statistical, minus feedstock, minus
    non-fossil, after certificates), each saying what it lacks. While the year is under way its row (`months` below 12,
    `provisional`) holds the months known against the same months a year before; five years together leave it out.
    """
    head = document(workspace, plan)
    year, set_ = head["year"], settings(*shipping.of(workspace, head))
    place = set_["place"] or head["place"]
    given = told(workspace, plan, set_["told"], as_of)
    span = [one for one in set_["five_year"] if one <= year] or [year]
    until = yearly.covered(workspace, year, as_of) or 12
    economy = {one: yearly.gdp(workspace, place, one, known_at=as_of) for one in (span[0] - 1, *span)}
    for one, figures in given.items():
        if one in economy and "gdp_growth" in figures:
            economy[one] |= {"growth": figures["gdp_growth"], "growth_status": "unverified"}
    answer: dict[str, Any] = {"year": year, "place": place, "settings": set_, "given": given}
    for kind in KINDS:
        mine = set_[kind]
        rows = _years(workspace, mine["basis"], place, span, economy, as_of, until)
        last = rows[-1]
        state = (
            intensity.Dual(last["fall"], mine["basic"], mine["incentive"]).state if last["fall"] is not None else None
        )
        answer[kind] = {
            "basis": mine["basis"], "unit": last["unit"], "years": rows, "fall": last["fall"], "state": state,
            "indicative": last["indicative"], "basic": mine["basic"], "incentive": mine["incentive"],
            "cumulative": over_years(rows, set_["five_year"], mine), "missing": last["missing"],
            "source": mine["source"], "months": last["months"], "provisional": last["months"] < 12,
        }  # fmt: skip
    answer["certificates"] = _certificates(workspace, place, year, answer, economy, given)
    cap = answer["certificates"]["cap"] if answer["certificates"]["local"] else None
    answer["energy"]["views"] = _views(workspace, place, year, answer["energy"]["years"], economy, given, cap)
    return answer


def _years(
    workspace: Workspace,
    basis: str,
    place: str,
    span: Sequence[int],
    economy: Mapping[int, Mapping[str, Any]],
    as_of: date | None,
    until: int,
) -> list[dict[str, Any]]:
    """A row for each year; the last one up to the month `until`, against the same months of the year before."""
    before = yearly.amount(workspace, basis, place, span[0] - 1, known_at=as_of)
    rows = []
    for year in span:
        gdp, last, whole, part = economy[year], economy[year - 1], before["value"], 12
        if year == span[-1] and until < 12:
            part = until
            before = yearly.amount(workspace, basis, place, year - 1, until=part, known_at=as_of)
            last, gdp = (
                yearly.gdp(workspace, place, one, until=part, known_at=as_of) | {"growth": economy[one]["growth"]}
                for one in (year - 1, year)
            )
        now = yearly.amount(workspace, basis, place, year, until=part, known_at=as_of)
        both = now["value"] is not None and before["value"]
        growth = now["value"] / before["value"] - 1 if both else None
        missing = [f"{one['year']}.{basis}" for one in (before, now) if one["value"] is None]
        missing += [] if gdp["growth"] is not None else [f"{year}.gdp_growth"]
        nominal = gdp["current"] / last["current"] - 1 if gdp["current"] and last["current"] else None
        rows.append(
            {**{name: now[name] for name in ("year", "value", "unit", "low", "high", "status", "complete", "explain")}}
            | {"growth": growth, "gdp": gdp["current"], "gdp_growth": gdp["growth"], "gdp_status": gdp["growth_status"],
               "nominal_growth": nominal, "missing": missing, "previous": before["value"],
               "months": part, "whole_previous": whole,
               "fall": None if growth is None or gdp["growth"] is None else intensity.fall(growth, gdp["growth"]),
               "indicative": None if growth is None or nominal is None else intensity.fall(growth, nominal)}
        )  # fmt: skip
        before = now
    return rows


def over_years(rows: Sequence[Mapping[str, Any]], years: Sequence[int], set_: Mapping[str, Any]) -> dict[str, Any]:
    """Return the five years together, 1 − Π(1 − Dᵢ): `{fall, years, missing, basic, incentive, needed, state}`.

    `fall` is of the years known (`years`); `missing` are years that have passed without a figure, and then no state is
    said. `needed` is the equal yearly fall that the years left need for the basic target.
    """
    whole_years = [row for row in rows if row.get("months", 12) == 12]
    falls = {row["year"]: row["fall"] for row in whole_years if row["fall"] is not None}
    last = max((row["year"] for row in whole_years), default=0)
    missing = [year for year in years if year <= last and year not in falls]
    whole = intensity.cumulative(falls.values()) if falls else None
    left = [year for year in years if year > last]
    basic, incentive = set_.get("five_year_basic"), set_.get("five_year_incentive")
    sure = whole is not None and not missing
    needed = intensity.needed(basic, falls.values(), len(left)) if sure and basic is not None and left else None
    state = intensity.Dual(whole, basic, incentive).state if sure and whole is not None and not left else None
    return {"fall": whole, "years": sorted(falls), "missing": missing, "left": left, "basic": basic,
            "incentive": incentive, "needed": needed, "state": state}  # fmt: skip


def _views(
    workspace: Workspace,
    place: str,
    year: int,
    rows: Sequence[Mapping[str, Any]],
    economy: Mapping[int, Mapping[str, Any]],
    given: Mapping[int, Mapping[str, float]],
    cap: float | None,
) -> list[dict[str, Any]]:
    """Energy of the year and the one before: statistical and after each deduction, GDP at last year's prices."""
    now = rows[-1]
    growth, base = economy[year]["growth"], economy[year - 1]["current"]
    prices = {year - 1: base, year: base * (1 + growth) if base and growth is not None else None}

    def figures(one: int, energy: float | None) -> intensity.Year:
        own = given.get(one, {})
        bought = own.get("certificates")
        tce = yearly.tonnes_of_power(workspace, "equivalent", place, one, bought) if bought is not None else None
        return intensity.Year(
            energy=energy, gdp=prices[one], feedstock=yearly.feedstock(workspace, "equivalent", place, one),
            renewable_over_2020=own.get("renewable_over_2020"), non_fossil=own.get("non_fossil"), certificates=tce,
        )  # fmt: skip

    rule = intensity.regime(f"{year}-12")
    if rule is None:
        return []
    return intensity.views(figures(year - 1, now["previous"]), figures(year, now["value"]), rule=rule, cap=cap)


def _certificates(
    workspace: Workspace,
    place: str,
    year: int,
    answer: Mapping[str, Any],
    economy: Mapping[int, Mapping[str, Any]],
    given: Mapping[int, Mapping[str, float]],
) -> dict[str, Any]:
    """What certificates offset this year, and the cap where the five-year target and the base year are known."""
    set_ = answer["settings"]["certificates"]
    bought = given.get(year, {}).get("certificates")
    tce = yearly.tonnes_of_power(workspace, "equivalent", place, year, bought) if bought is not None else None
    first = (answer["settings"]["five_year"] or [year])[0]
    base = yearly.amount(workspace, "equivalent", place, first - 1)["value"]
    gdp, target = economy.get(first - 1, {}).get("current"), answer["energy"]["cumulative"]["basic"]
    grown = [economy[one]["growth"] for one in economy if one >= first]
    cap = None
    if base and gdp and target is not None and set_["share"] and all(one is not None for one in grown):
        now = gdp
        for one in grown:
            now *= 1 + one
        cap = certificate_cap(base / gdp, now, target, set_["share"])
    names = {"five_year.basic": target, f"{first - 1}.equivalent": base, f"{first - 1}.gdp": gdp}
    return {
        "bought": bought, "unit": "MWh", "tce": tce, "cap": cap, "share": set_["share"], "local": set_["local"],
        "used": None if tce is None else min(tce, cap) if cap is not None and set_["local"] else tce,
        "missing": [name for name, value in names.items() if not value], "source": set_.get("source"),
        "status": set_.get("status"),
    }  # fmt: skip
