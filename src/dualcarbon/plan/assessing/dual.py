"""Energy and carbon intensity of a year against its dual targets: from the workspace's results, or said to be missing.

The fall needs real growth of GDP (comparable prices). Where only current prices are known an indicative fall is shown
beside it and never decides a state. Targets come from the plan's pack; what was handed down since (`handed`) stands in
their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dualcarbon.core import periods
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import shipping
from dualcarbon.plan.assessing import certificates, falls, handed, intensity, yearly
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.store import Asked, document

KINDS = ("energy", "carbon")
TARGETS = ("basic", "incentive", "five_year_basic", "five_year_incentive")
#: Names of what a figure may lack, as `falls` and `intensity` write them after the year.
LACKS = {
    "gdp_growth": (" GDP 可比价增速", " real growth of GDP"),
    "gdp": (" GDP", " GDP"),
    "equivalent": ("能耗（账户）", " energy (account)"),
    "B": ("碳账户", " carbon account"),
    "equivalent.part": ("能耗（账户）的部分数据", " part of the energy (account)"),
    "B.part": ("碳账户的部分数据", " part of the carbon account"),
    "energy": ("能耗（账户）", " energy (account)"),
    "feedstock": ("原料用能", " feedstock"),
    "non_fossil": ("非化石能源扣减量", " non-fossil energy deducted"),
    "renewable_over_2020": ("可再生能源电力增量", " increment of renewable electricity"),
    "certificates": ("省外绿证", " certificates from outside the province"),
    "basic": ("基本目标", " basic target"),
    "five_year_basic": ("五年基本目标", "five-year basic target"),
}


def certificate_cap(base_intensity: float, gdp: float, fall: float, share: float = 0.5) -> float:
    """Return the most that certificates may offset: `share` of the saving that the five-year target asks for.

    `base_intensity`: of the five-year plan's base year (tce per unit of GDP); `gdp`: of the last year, at the base
    year's prices; `fall`: the five-year target as a share. The saving is base_intensity × gdp × fall, in tce.
    """
    return base_intensity * gdp * fall * share


def settings(pack: str, year: int) -> dict[str, Any]:
    """Return `targets.yaml` of a plan; all targets None where the pack has none."""
    from dualcarbon.core.pack import read_yaml

    nothing = dict.fromkeys(TARGETS)
    told: dict[str, Any] = {"status": "unverified", "place": None, "five_year": [], "reference": [], "rules": [],
                            "energy": nothing | {"basis": "equivalent"}, "carbon": nothing | {"basis": "B"},
                            "certificates": {"share": None, "ledger": None}}  # fmt: skip
    here = feeding.folder(pack, year)
    if here is not None and (here / "targets.yaml").is_file():
        told |= read_yaml(here / "targets.yaml")
    return told


def five_years(year: int) -> list[int]:
    """Return the years of the five-year plan in which a year lies (2021 to 2025, 2026 to 2030)."""
    first = year - (year - 1) % 5
    return list(range(first, first + 5))


def dual(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the dual targets of a plan's year: `{year, place, five_year, energy, carbon, certificates, lacks,
    reference, rules, told, synthetic}`.

    `energy` and `carbon` are `{basis, unit, years, fall, from, state, said, basic, incentive, targets, cumulative,
    indicative, missing, months, provisional, short}`; `years` are rows of `falls.fall`; `targets` name each target's
    value, status and source; `said` is the judgement in words. `cumulative` is as `over_years` gives it. `energy` has
    `views` (statistical, minus feedstock, minus non-fossil, after certificates) under the rule in force and `regimes`
    with those of both rules. `lacks` names every figure that nobody told, and what it would serve. While the year is
    under way its row (`months` below 12, `provisional`) holds the months known against the same months a year before;
    five years together leave it out. `short` are the months whose rows are still coming in (`yearly.coverage`) and
    that do not count. A fall notified for the year makes it whole, however far the accounts go.
    """
    head = document(workspace, plan, as_of)
    year, set_ = head["year"], settings(*shipping.of(workspace, head))
    place = set_["place"] or head["place"]
    five = set_["five_year"] or five_years(year)
    told = handed.standing(workspace, place, as_of)
    span = [one for one in five if one <= year] or [year]
    reach = yearly.coverage(workspace, year, as_of, place=place)
    covered = reach["until"] or (1 if reach["rows"] else 12)
    until = covered - covered % 3 or covered  # GDP is quarterly
    answer: dict[str, Any] = {"year": year, "place": place, "five_year": five, "reference": set_["reference"]}
    answer["rules"] = set_["rules"]
    made: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for one in span:  # year by year, so that the rows of a year are read once for both kinds
        last_month = until if one == year else 12
        for kind in KINDS:
            basis = set_[kind]["basis"]
            row = falls.fall(workspace, basis, place, one, told, until=last_month, known_at=as_of, kind=kind)
            made[kind].append(row)
    for kind, rows in made.items():
        basis = set_[kind]["basis"]
        own_targets = {name: _target(kind, name, set_[kind].get(name), told, year, five) for name in TARGETS}
        values = {name: one["value"] for name, one in own_targets.items()}
        last = rows[-1]
        known = last["fall"] is not None
        state = intensity.Dual(last["fall"], values["basic"], values["incentive"]).state if known else None
        own = {
            "basis": basis, "unit": last["unit"], "years": _worded(rows), "fall": last["fall"], "from": last["from"],
            "state": state, "indicative": last["indicative"], "basic": values["basic"],
            "incentive": values["incentive"], "targets": own_targets, "cumulative": over_years(rows, five, values),
            "missing": last["missing"], "months": last["months"], "provisional": not last["whole"],
            "short": reach["short"],
        }  # fmt: skip
        own["whole_previous"] = yearly.amount(workspace, basis, place, year - 1, known_at=as_of)["value"]
        answer[kind] = own | {"said": judged(own)}
    answer["certificates"] = _certificates(workspace, set_["certificates"], answer, told, as_of)
    answer["energy"] |= _regimes(workspace, answer, told, as_of)
    answer["lacks"] = _lacks(answer, told, five)
    order = list(handed.names())
    answer["told"] = [
        {
            **one,
            "span": spanned(one["period"]),
            "title": {lang: handed.names()[one["name"]][f"title_{lang}"] for lang in ("zh", "en")},
        }
        for one in sorted(told.values(), key=lambda one: (order.index(one["name"]), one["period"]))
    ]
    answer["synthetic"] = any(one["status"] == "synthetic" for one in told.values())
    return answer


def targets(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, dict[str, Any]]:
    """Return the dual targets as they stood on a day: `energy` and `carbon`, each name of `TARGETS` → `{value, status,
    source}`; what was handed down, else the pack's, values None where neither has one."""
    head = document(workspace, plan, as_of)
    year, set_ = head["year"], settings(*shipping.of(workspace, head))
    told = handed.standing(workspace, set_["place"] or head["place"], as_of)
    five = set_["five_year"] or five_years(year)
    return {
        kind: {name: _target(kind, name, set_[kind].get(name), told, year, five) for name in TARGETS} for kind in KINDS
    }


def _target(
    kind: str, name: str, shipped: Mapping[str, Any] | None, told: handed.Figures, year: int, five: Sequence[int]
) -> dict[str, Any]:
    """A target with where it comes from: as handed down, else the pack's."""
    period = handed.five(five) if name.startswith("five") else str(year)
    one = told.get((f"{kind}_{name}", period))
    if one is not None:
        return {"value": one["value"], "status": one["status"], "source": dict.fromkeys(("zh", "en"), one["source"])}
    return dict(shipped) if shipped else dict.fromkeys(("value", "status", "source"))


def over_years(rows: Sequence[Mapping[str, Any]], years: Sequence[int], set_: Mapping[str, Any]) -> dict[str, Any]:
    """Return the five years together, 1 − Π(1 − Dᵢ): `{fall, years, missing, basic, incentive, needed, state}`.

    `fall` is of the years known (`years`); `missing` are years that have passed without a figure, and then no state is
    said. `needed` is the equal yearly fall that the years left need for the basic target.
    """
    whole_years = [row for row in rows if row.get("whole", True)]
    known = {row["year"]: row["fall"] for row in whole_years if row["fall"] is not None}
    last = max((row["year"] for row in whole_years), default=0)
    missing = [year for year in years if year <= last and year not in known]
    whole = intensity.cumulative(known.values()) if known else None
    left = [year for year in years if year > last]
    basic, incentive = set_.get("five_year_basic"), set_.get("five_year_incentive")
    sure = whole is not None and not missing
    needed = intensity.needed(basic, known.values(), len(left)) if sure and basic is not None and left else None
    state = intensity.Dual(whole, basic, incentive).state if sure and whole is not None and not left else None
    return {"fall": whole, "years": sorted(known), "missing": missing, "left": left, "basic": basic,
            "incentive": incentive, "needed": needed, "state": state}  # fmt: skip


def lacking(names: Sequence[str], lang: str) -> str:
    """Return what a figure lacks (`2024.gdp_growth`, `2024-01/2024-06.gdp_growth`) in words."""
    said = []
    for name in names:
        period, _, what = name.partition(".")
        zh, en = LACKS.get(what, (f" {what}", f" {what}"))
        year, months = period[:4], [int(part[5:7]) for part in period.split("/") if len(part) > 4]
        if lang == "zh":
            span = f"年 {'—'.join(map(str, months))} 月" if months else "年"
            said.append(f"{year} {span}{zh}" if year.isdecimal() else f"{period}{zh}")
        else:
            span = f" months {'–'.join(map(str, months))}" if months else ""
            said.append(f"{year}{span}{en}" if year.isdecimal() else f"{period}{en}")
    return ("、" if lang == "zh" else ", ").join(one.strip() for one in said)


def spanned(period: str) -> dict[str, str]:
    """Return a period of a figure in words: a year, several years, months of a year."""
    first, _, last = period.partition("/")
    if not last:
        return {"zh": f"{period[:4]} 年", "en": period}
    if first[:4] != last[:4]:
        return {"zh": f"{first[:4]}—{last[:4]} 年", "en": f"{first[:4]}–{last[:4]}"}
    months = int(first[5:7]), int(last[5:7])
    return {"zh": f"{first[:4]} 年 {months[0]}—{months[1]} 月", "en": f"{first[:4]}, months {months[0]}–{months[1]}"}


def _worded(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with what they lack in words."""
    return [{**row, "lacks": {lang: lacking(row["missing"], lang) for lang in ("zh", "en")}} for row in rows]


def judged(own: Mapping[str, Any]) -> dict[str, str]:
    """Return the judgement on a year's fall in words: what is reached, or that none is possible and what is missing."""
    words = {
        "incentive": ("达到激励目标", "incentive target met"),
        "basic": ("达到基本目标", "basic target met"),
        "missed": ("未达基本目标", "basic target missed"),
    }
    year = own["years"][-1]["year"]
    late = _late(own["short"])
    if own["state"] is None:
        lacks = [*own["missing"], *([f"{year}.basic"] if own["basic"] is None else [])]
        zh, en = f"不能判断：缺 {lacking(lacks, 'zh')}", f"Cannot be judged: {lacking(lacks, 'en')} missing"
        return {"zh": zh + late["zh"], "en": en + late["en"]}
    if own["state"] == "not set":
        names = [f"{year}.basic"]
        return {"zh": f"不能判断：缺 {lacking(names, 'zh')}", "en": f"Cannot be judged: {lacking(names, 'en')} missing"}
    zh, en = words[own["state"]]
    if own["provisional"]:
        months = own["months"]
        return {
            "zh": f"1—{months} 月{zh}（年度未完）{late['zh']}",
            "en": f"January to month {months}: {en}{late['en']}",
        }
    return {"zh": zh, "en": en}


def _late(short: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The months whose rows are still coming in, in words."""
    if not short:
        return {"zh": "", "en": ""}
    said = [f"{one['month']} 月 {one['rows']}/{one['of']}" for one in short]
    en = [f"month {one['month']} {one['rows']}/{one['of']}" for one in short]
    return {
        "zh": f"；能耗数据未齐、未计入：{'、'.join(said)} 行",
        "en": f"; rows still missing, not counted: {', '.join(en)}",
    }


def _regimes(
    workspace: Workspace, answer: Mapping[str, Any], told: handed.Figures, as_of: date | None
) -> dict[str, Any]:
    """Energy of the year and the one before, statistical and after each deduction, under both rules of renewables.

    GDP is at last year's prices, so that the falls are at comparable prices.
    """
    year, now = answer["year"], answer["energy"]["years"][-1]
    growth = now["gdp_growth"]
    base = yearly.gdp(workspace, answer["place"], year - 1, until=now["months"], known_at=as_of)["current"]
    base = base if base is not None else 1.0  # only the ratio of two years matters to a fall
    prices = {year - 1: base, year: base * (1 + growth) if growth is not None else None}

    def figures(one: int, energy: float | None) -> intensity.Year:
        own = {name: told[name, str(one)]["value"] for name in ("non_fossil", "renewable_over_2020", "feedstock")
               if (name, str(one)) in told}  # fmt: skip
        seen = yearly.feedstock(workspace, "equivalent", answer["place"], one, as_of)
        return intensity.Year(
            energy=energy, gdp=prices[one], feedstock=seen if seen is not None else own.get("feedstock"),
            renewable_over_2020=own.get("renewable_over_2020"), non_fossil=own.get("non_fossil"),
            certificates=answer["certificates"]["tce"] if one == year else None,
        )  # fmt: skip

    in_force = intensity.regime(f"{year}-12")
    cap = answer["certificates"]["cap"] if answer["certificates"]["local"] else None
    pair = figures(year - 1, now["previous"]), figures(year, now["value"])
    regimes = [
        {
            "rule": rule,
            "in_force": rule == in_force,
            "views": _worded(intensity.views(*pair, rule=rule, cap=cap, year=year)),
        }
        for rule in (intensity.REGIMES if in_force is not None and now["months"] == 12 else ())
    ]
    views = next((one["views"] for one in regimes if one["in_force"]), [])
    return {"views": views, "regimes": regimes}


def _certificates(
    workspace: Workspace,
    set_: Mapping[str, Any],
    answer: Mapping[str, Any],
    told: handed.Figures,
    as_of: date | None,
) -> dict[str, Any]:
    """What certificates offset this year, from the ledger or as told, and the cap.

    `{mwh, tce, used, cap, local, national, share, ledger, from, status, missing, source}`: `cap` is the one handed down
    to the city (`local`), `national` what the notice's share of the five-year saving would come to.
    """
    year, place, five = answer["year"], answer["place"], answer["five_year"]
    ledger = certificates.used(workspace, set_.get("ledger"), year, as_of)
    stated = told.get(("certificates", str(year)))
    mwh = ledger["mwh"] if ledger["mwh"] is not None else stated["value"] if stated else None
    tce = yearly.tonnes_of_power(workspace, "equivalent", place, year, mwh) if mwh is not None else None
    cap = told.get(("certificate_cap", str(year)), {}).get("value")
    national, missing = _national(workspace, place, answer, set_.get("share"), five, as_of)
    at = "ledger" if ledger["mwh"] is not None else "told" if stated else None
    return {
        "mwh": mwh, "unit": "MWh", "tce": tce, "used": tce if cap is None or tce is None else min(tce, cap),
        "cap": cap, "local": cap is not None, "national": national, "share": set_.get("share"), "ledger": ledger,
        "from": at, "status": ledger["status"] if at == "ledger" else stated["status"] if stated else None,
        "rule_status": set_.get("status"), "missing": missing, "source": set_.get("source"),
    }  # fmt: skip


def _national(
    workspace: Workspace,
    place: str,
    answer: Mapping[str, Any],
    share: float | None,
    five: Sequence[int],
    as_of: date | None,
) -> tuple[float | None, list[str]]:
    """The notice's cap as if it were the city's, in tce, and what it lacks."""
    first, target = five[0], answer["energy"]["cumulative"]["basic"]
    base = yearly.amount(workspace, "equivalent", place, first - 1, known_at=as_of)["value"]
    gdp = yearly.gdp(workspace, place, first - 1, known_at=as_of)["current"]
    rows = {row["year"]: row["gdp_growth"] for row in answer["energy"]["years"]}
    missing = [name for name, value in ((".five_year_basic", target), (f"{first - 1}.equivalent", base),
                                        (f"{first - 1}.gdp", gdp)) if not value]  # fmt: skip
    missing += [f"{year}.gdp_growth" for year, growth in rows.items() if growth is None]
    if missing or not share or base is None or gdp is None or target is None:
        return None, missing
    now = gdp
    for growth in rows.values():
        now *= 1 + growth
    return certificate_cap(base / gdp, now, target, share), []


def _lacks(answer: Mapping[str, Any], told: handed.Figures, five: Sequence[int]) -> list[dict[str, Any]]:
    """Every figure that is wanted and not there, with what it serves: `{name, period, title, serves, needed}`."""
    year = answer["year"]
    wanted: list[tuple[str, str]] = []
    for kind in KINDS:
        own = answer[kind]
        for name, one in own["targets"].items():
            if one["value"] is None:
                wanted.append((f"{kind}_{name}", handed.five(five) if name.startswith("five") else str(year)))
        for row in own["years"]:
            if row["fall"] is None:
                accounts = [one for one in row["missing"] if not one.endswith("gdp_growth")]
                wanted += [(f"{kind}_fall", str(row["year"]))] if accounts else []
        for row in own["years"]:
            if row["gdp_growth"] is None:
                span = periods.parse(yearly.months(row["year"], row["months"]))
                wanted.append(("gdp_growth", periods.text(span.start, span.end)))
    for view in answer["energy"]["views"]:
        for name in view["missing"]:
            one, _, what = name.partition(".")
            if what in ("feedstock", "non_fossil", "renewable_over_2020", "certificates"):
                wanted.append((what, one))
    return [
        {
            "name": name, "period": period, "span": spanned(period),
            "title": {lang: handed.names()[name][f"title_{lang}"] for lang in ("zh", "en")},
            "serves": {lang: handed.names()[name][f"serves_{lang}"] for lang in ("zh", "en")},
            "needed": name in ("gdp_growth", "energy_basic", "carbon_basic"),
        }
        for name, period in dict.fromkeys(wanted)
        if (name, period) not in told
    ]  # fmt: skip
