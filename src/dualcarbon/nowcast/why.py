"""Why the carbon of a place changed between two periods: weather, activity, structure, intensity, fuel mix, factors.

The weather is removed first: the later period as it would have been with the degree days of the earlier one (module
`weather`). The rest is decomposed by LMDI-I (`decompose.effects`) over CO2 of sector s and carrier j =
Q · (Q_s/Q) · (E_s/Q_s) · (E_sj/E_s) · (CO2_sj/E_sj), with value added Q and final energy E (GJ, electricity at
3.6 GJ/MWh): all effects sum to the change. A share or factor that one period does not have is that of the other.
Residents, and sectors whose value added does not cover both periods, enter as the effect of their own energy. Value
added is taken as it stands in the data.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.nowcast import carriers, gaps, present, settling, value_added, weather
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.decompose import effects
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.opened.nodes import options, text
from dualcarbon.nowcast.usual import FAMILY
from dualcarbon.nowcast.value_added import Added

TITLES = {
    "weather": {"zh": "气温", "en": "weather"},
    "activity": {"zh": "经济规模", "en": "economic activity"},
    "structure": {"zh": "产业结构", "en": "structure of sectors"},
    "intensity": {"zh": "用能强度", "en": "energy intensity"},
    "mix": {"zh": "用能结构", "en": "mix of carriers"},
    "grid_factor": {"zh": "电网因子", "en": "grid factor"},
    "fuel_factor": {"zh": "燃料因子", "en": "fuel factors"},
    "own_energy": {"zh": "居民用能", "en": "energy of households"},
    "unmeasured_energy": {"zh": "未取得增加值的行业用能", "en": "sectors without value added"},
    "scope": {"zh": "口径变化（没有可比数的地区）", "en": "scope (areas with nothing to compare with)"},
}


#: What is said of value added where it tells effects apart.
PRICES = {
    "zh": "增加值按导入数据，未作价格换算。",
    "en": "Value added is as imported, not converted to constant prices.",
}


class Parts(NamedTuple):
    """One sector's product: `names` (F) of its factors, their values `before` and `after` by carrier (F, J), and what
    each factor did to the CO2 of each carrier, `made` (F, J), where `after` has the weather of before; besides, what
    the weather did, `weather` (J,), and the CO2 before and after of its cells that cannot be compared (`scope`)."""

    names: list[str]
    before: Array
    after: Array
    made: Array
    weather: Array
    scope: tuple[float, float] = (0.0, 0.0)


class Compared(NamedTuple):
    """Two periods of a place: their CO2 (`totals`, t), value `added`, carriers, the parts by sector, what of each
    period is estimated (`gaps`), what cannot be compared (`left`), its CO2 before and after by place and sector
    (`apart`), what the weather did (`moved`), and of each cell, part, month and carrier of the later period the CO2 and
    that with the weather of the earlier one, `fair` (`later`)."""

    place: str
    as_of: date
    spans: dict[str, periods.Period]
    totals: dict[str, float]
    added: Added
    carriers: list[str]
    sectors: dict[str, Parts]
    status: str
    gaps: dict[str, list[dict[str, Any]]]
    left: list[dict[str, Any]]
    apart: dict[tuple[str, str], tuple[float, float]]
    seen: City
    known: dict[str, gaps.Span]
    moved: weather.Moved | None
    later: pl.DataFrame


def explain(
    workspace: Any = None,
    *,
    place: str | None = None,
    period: str | None = None,
    against: str | None = None,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = FAMILY,
    held: City | None = None,
) -> dict[str, Any]:
    """Decompose the change of counted CO2 (fuels other than for power, purchased electricity) of `place`
    (default: that of the pack); `held` is the place as it was read on `as_of`, where the caller has it.

    `period` (default: the last month known) against `against` (default: the same a year before). Effects are in tCO2
    and in percent of the earlier value, in all and by sector; `weather` (where degree days are known)
    says by how much they differ, and what months lack them; `prices` says at which prices value added is, where it is
    used. What was not reported, or not believed, is estimated and named in `gaps`; what has nothing to be compared with
    is the effect `scope` and named in `left_out`; `note` says both; `missing` are rows without a factor, `factors`
    those borrowed from another time. Raises Refused for an unknown place or period, and for a period with a month of
    which most is not reported.
    """
    workspace = present.opened(workspace)
    book = load(workspace.pack)
    made = compared(workspace, place, period, against, as_of, tree, family, held)
    later, earlier = (periods.text(*made.spans[when]) for when in ("after", "before"))
    before, after = (made.totals[when] for when in ("before", "after"))
    sectors = {sector: by_effect(parts, made.carriers) for sector, parts in made.sectors.items()}
    total = {name: sum(parts.get(name, 0.0) for parts in sectors.values()) for name in TITLES}
    for name in ("weather", "scope", "own_energy", "unmeasured_energy"):
        if not any(name in parts for parts in sectors.values()):
            total.pop(name)
    days = _degree_days(made)
    lent = present.of_factors(made.seen, made.known["after"].numbers[-1], book, made.spans["before"].start)
    asked = {"kind": "effect", "place": made.place, "period": later, "against": earlier,
             "as_of": made.as_of.isoformat(), "tree": tree, **options(family)}  # fmt: skip
    return {
        "place": made.place, "place_name": present.named_code(book.places, made.place),
        "period": later, "against": earlier, "as_of": made.as_of, "tree": tree, "unit": "tCO2",
        "before": before, "after": after, "change": after - before,
        "change_percent": 100 * (after / before - 1) if before else None, "status": made.status,
        "effects": [
            {"effect": name, "title": TITLES[name], "value": value,
             "percent": 100 * value / before if before else None, "explain": {**asked, "effect": name}}
            for name, value in total.items()
        ],
        "activity": made.added.item, "weather": days, "gaps": made.gaps, "left_out": made.left,
        "missing": lent["missing"], "factors": lent["factors"],
        "note": _note(made, days), "prices": PRICES if made.added.item else None,
        "rows": [
            {"sector": one, "name": {lang: book.sectors.name(one, lang) if one else "—" for lang in ("zh", "en")},
             "change": sum(parts.values()), "effects": parts, "explain": {**asked, "sector": one} if one else None}
            for one, parts in sorted(sectors.items(), key=lambda pair: -abs(sum(pair[1].values())))
        ],
    }  # fmt: skip


def compared(
    workspace: Any, place: str | None, period: str | None, against: str | None, as_of: date | None, tree: str,
    family: str, held: City | None = None,
) -> Compared:  # fmt: skip
    """The two periods of :func:`explain` with all that their decomposition is made of. Raises Refused as it does."""
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    datasets = {record["id"]: record for record in workspace.datasets() if record["role"] == "account"}
    as_of = as_of or cities.last_arrival(workspace.observations(datasets=list(datasets)))
    later = _period(period or cities.month_before(as_of).isoformat()[:7])
    earlier = _period(against) if against else periods.Period(_year_before(later.start), _year_before(later.end))
    if len(periods.months(earlier)) != len(periods.months(later)):
        texts = {"other": periods.text(earlier.start, earlier.end)}
        raise Refused(Problem("nowcast.unlike-periods", value=periods.text(later.start, later.end), params=texts))
    spans = {"before": earlier, "after": later}
    last = cities.month_before(max(span.end for span in spans.values()))
    full = cities.month_before(as_of)
    held = held if held is not None and held.months[-1] == full else None
    seen = (
        held
        if held is not None and full == last
        else cities.read(workspace, as_of=as_of, until=last, place=code, tree=tree, family=family)
    )
    known = _known(seen, spans, book)
    alike, left = gaps.alike(seen, list(known.values()))
    whole = carriers.by_carrier(seen, known, carriers.reported(workspace, seen, tree, family))
    cells = whole.filter(pl.Series(alike)[whole["row"]]).rename({"name": "when"})
    rows = workspace.observations(datasets=list(datasets), known_at=as_of)
    without = {one["place"] for one in left if not one["sectors"]}
    added = value_added.read(rows, book, code, tree, spans, without, _idle(seen, known),
                             cells["sector"].unique().to_list())  # fmt: skip
    names = sorted(cells["carrier"].unique().to_list())
    taught = seen
    if full > last and seen.weather:
        taught = held or cities.read(workspace, as_of=as_of, place=code, tree=tree, family=family)
    moved = weather.moved(seen, known["before"].numbers, known["after"].numbers, taught)
    weathered = _weathered(cells.filter(pl.col("when") == "after"), known["after"].numbers, moved)
    households = {one for one in cells["sector"].unique() if (book.sectors.row(one) or {}).get("level") == "household"}
    parts = _decomposed(cells, weathered, added.rows, names, households)
    apart = _apart(seen, known, ~alike)
    for sector in {sector for _, sector in apart}:
        both = [pair for (_, code), pair in apart.items() if code == sector]
        scope = float(sum(pair[0] for pair in both)), float(sum(pair[1] for pair in both))
        empty, nothing = np.zeros((0, len(names))), np.zeros(len(names))
        parts[sector] = parts.get(sector, Parts([], empty, empty, empty, nothing))._replace(scope=scope)
    status = worst([*(datasets[n].get("status") for n in whole["dataset"].unique() if n in datasets), "unverified"])
    told = {name: named(gaps.told(seen, span, alike), book) for name, span in known.items()}
    totals = {name: float(whole.filter(pl.col("name") == name)["co2"].sum()) for name in spans}
    return Compared(code, as_of, spans, totals, added, names, parts, status or "unverified", told, named(left, book),
                    apart, seen, known, moved, weathered)  # fmt: skip


def named(rows: Sequence[dict[str, Any]], book: Classification) -> list[dict[str, Any]]:
    """Rows about places with their names."""
    return [{**row, "name": present.named_code(book.places, row["place"])} for row in rows]


def _idle(seen: City, spans: dict[str, gaps.Span]) -> value_added.Idle:
    """Whether an area's sector has no energy in a month of the spans."""
    live: set[tuple[str, str, date]] = set()
    for span in spans.values():
        for k, n in zip(*np.nonzero(span.cells > 0), strict=True):
            live.add((*seen.cells[k][:2], seen.months[span.numbers[n]]))
    return lambda area, sector, month: (area, sector, month) not in live


def _apart(seen: City, spans: dict[str, gaps.Span], mine: np.ndarray) -> dict[tuple[str, str], tuple[float, float]]:
    """CO2 (t) of the cells `mine` before and after, by place and sector."""
    made: dict[tuple[str, str], tuple[float, float]] = {}
    for k in np.nonzero(mine)[0]:
        old, new = made.get(seen.cells[k][:2], (0.0, 0.0))
        before, after = (float(spans[when].cells[k].sum()) for when in ("before", "after"))
        made[seen.cells[k][:2]] = old + before, new + after
    return made


def _note(made: Compared, days: dict[str, Any] | None) -> dict[str, str] | None:
    """What of the periods is estimated, not compared, or left out of value added, and where the weather is not removed:
    in months without degree `days`, or where there are too few to learn from."""
    told, left, added = made.gaps, made.left, made.added
    without = days["months_without"] if days else []
    zh, en = [], []
    for when, label in {"before": ("对比期", "the earlier period"), "after": ("本期", "the later period")}.items():
        who = {lang: gaps.said(told[when], lang) for lang in ("zh", "en")}
        if told[when]:
            zh.append(f"{label[0]}{who['zh']}，按估算计入，沿用此前的用能结构。")
            en.append(f"Of {label[1]}, estimated with the mix of carriers before: {who['en']}.")
    if left:
        zh.append(f"{gaps.apart(left, 'zh')}，没有可比数，单列为口径变化。")
        en.append(f"Nothing to compare with, apart as scope: {gaps.apart(left, 'en')}.")
    if added.item and added.left:
        zh.append(f"增加值只用两期都齐的地区和行业，另有 {len(added.left)} 组未用。")
        en.append(f"Value added is of areas and sectors that cover both periods; {len(added.left)} pairs do not.")
    for which, how in ((added.coarser, ("粗", "coarser")), (added.finer, ("细", "finer"))):
        if which:
            names = {lang: to.join(one[lang] for one in which) for lang, to in (("zh", "、"), ("en", ", "))}
            zh.append(f"这些行业的增加值没有使用，因为比用能报送的行业分类{how[0]}，不能对应：{names['zh']}。")
            en.append(f"Not used is the value added of sectors {how[1]} than those by which energy is reported: "
                      f"{names['en']}.")  # fmt: skip
    if without:
        zh.append(f"{gaps.span_text(without, 'zh')} 缺度日数据，气温的作用未剔除。")
        en.append(f"Without degree days, and so with its weather: {gaps.span_text(without, 'en')}.")
    if made.seen.weather and made.moved is None:
        zh.append("度日数据不足，气温的作用未剔除。")
        en.append("There are too few degree days to learn from, so the weather is not removed.")
    return text("".join(zh), " ".join(en)) if zh else None


def by_effect(parts: Parts, carriers: list[str]) -> dict[str, float]:
    """Effects of one sector, in tCO2; they sum to its change."""
    made = {"weather": float(parts.weather.sum())} if parts.weather.any() else {}
    made |= {name: float(parts.made[row][mine].sum()) for name, row, mine in effect_rows(parts, carriers)}
    return made if parts.scope == (0.0, 0.0) else {**made, "scope": parts.scope[1] - parts.scope[0]}


def effect_rows(parts: Parts, carriers: list[str]) -> list[tuple[str, int, np.ndarray]]:
    """Each effect of a sector with the number of its factor and the carriers (J,) in which it counts: the last factor
    is that of the grid for electricity, and that of fuels for the others."""
    if not parts.names:
        return []
    whole, power = np.ones(len(carriers), bool), np.array([carrier == "electricity" for carrier in carriers])
    rows = [(name, n, whole) for n, name in enumerate(parts.names[:-1])]
    return [*rows, ("grid_factor", len(rows), power), ("fuel_factor", len(rows), ~power)]


def _period(text: str) -> periods.Period:
    try:
        made = periods.parse(text)
    except periods.BadPeriod as error:
        raise Refused(Problem("nowcast.bad-period", value=text)) from error
    if made.start.day != 1 or made.end.day != 1:
        raise Refused(Problem("nowcast.bad-period", value=text))
    return made


def _year_before(day: date) -> date:
    return date(day.year - 1, day.month, min(day.day, 28) if day.month == 2 else day.day)


def _known(seen: City, spans: dict[str, periods.Period], book: Classification) -> dict[str, gaps.Span]:
    """The months of both periods by cell, counted or estimated. Raises Refused for those that are open as a whole."""
    done = settling.Settled(seen, seen.place, "none")
    made, lost = {}, []
    for name, span in spans.items():
        numbers = {month.start: (month.start.year - seen.months[0].year) * 12 + month.start.month - seen.months[0].month
                   for month in periods.months(span)}  # fmt: skip
        lost += [start for start, t in numbers.items() if not 0 <= t < len(seen.months)]
        made[name] = gaps.of(seen, [t for t in numbers.values() if 0 <= t < len(seen.months)], done.before)
        lost += [seen.months[t] for t in made[name].open]
    if lost:
        months = [month_text(one) for one in lost]
        raise Refused(Problem("nowcast.period-open", value="、".join(sorted(set(months))), params={
            "months": text(gaps.span_text(months, "zh"), gaps.span_text(months, "en")),
            "places": _silent(seen, made, book),
        }))  # fmt: skip
    return made


def _silent(seen: City, made: dict[str, gaps.Span], book: Classification) -> dict[str, str]:
    """The areas of which most is estimated in the open months, where these are not all, as a text in brackets."""
    found = set()
    for span in made.values():
        open_ = [n for n, t in enumerate(span.numbers) if t in span.open]
        for (place,), mine in present.grouped(seen, [0]):
            for name, counted in span.counted.items():
                value = getattr(span, name)[mine][:, open_]
                if value[~counted[mine][:, open_]].sum() > gaps.OPEN * value.sum():
                    found.add(place)
    if not found or found == {cell[0] for cell in seen.cells}:
        return text("", "")
    names = [present.named_code(book.places, place) for place in sorted(found)]
    return text(f"（{'、'.join(one['zh'] for one in names)}）", f" ({', '.join(one['en'] for one in names)})")


def _weathered(cells: pl.DataFrame, numbers: Sequence[int], moved: weather.Moved | None) -> pl.DataFrame:
    """The `cells` of a period with the `fair` share of their energy: what of it other weather would have taken."""
    rows, months = cells["row"].to_numpy(), cells["month"].to_numpy() - min(numbers, default=0)
    effect = np.zeros(cells.height)
    for part, values in moved.effect.items() if moved else ():
        effect = np.where((cells["part"] == part).to_numpy(), values[rows, months], effect)
    return cells.with_columns(pl.Series("fair", np.exp(-effect)))


def _degree_days(made: Compared) -> dict[str, Any] | None:
    """Degree days of both periods by name, over the months in which both are known, and the months that lack them."""
    if made.moved is None:
        return None
    there = [bool(np.isfinite(column).all()) for column in made.moved.change.T]
    pairs = {when: list(zip(made.known[when].numbers, there, strict=True)) for when in ("before", "after")}
    sums = {
        name: {when: sum(made.seen.weather[name][made.seen.months[t]] for t, fine in pairs[when] if fine)
               for when in pairs}
        for name in made.moved.names
    }  # fmt: skip
    lacking = [t for t, fine in pairs["after"] if not fine]
    return {
        "unit": "degree_day", "days": [{"name": name, **pair} for name, pair in sums.items()],
        "learnt_months": min(one.months for one in made.moved.response.values()),
        "months_without": [month_text(made.seen.months[t]) for t in lacking],
    }  # fmt: skip


def _decomposed(
    cells: pl.DataFrame, later: pl.DataFrame, activity: pl.DataFrame, carriers: list[str], households: set[str]
) -> dict[str, Parts]:
    """The parts of each sector, from cells of `before` and of the `later` period, and value added of both."""
    fair = later.with_columns(pl.col("co2", "energy") * pl.col("fair"), pl.lit("fair").alias("when")).drop("fair")
    sums = pl.concat([cells, fair]).group_by("sector", "carrier", "when").agg(pl.col("co2", "energy").sum())
    sectors = sorted(cells["sector"].unique().to_list())
    shape = (3, len(sectors), len(carriers))
    co2, energy, added = np.zeros(shape), np.zeros(shape), np.zeros((2, len(sectors)))
    when = {"before": 0, "fair": 1, "after": 2}
    for sector, carrier, name, tonnes, heat in sums.select("sector", "carrier", "when", "co2", "energy").iter_rows():
        place = when[name], sectors.index(sector), carriers.index(carrier)
        co2[place], energy[place] = tonnes, heat
    for row in activity.iter_rows(named=True):
        if row["sector"] in sectors:
            added[0 if row["when"] == "before" else 1, sectors.index(row["sector"])] += row["value"]
    measured: np.ndarray = np.minimum(added[0], added[1]) > 0
    per = energy[:2].sum(2)
    whole = np.where(measured, added, 0).sum(1)
    mix, factor = _ratios(energy[:2], np.repeat(per[:, :, None], len(carriers), 2)), _ratios(co2[:2], energy[:2])
    ones = np.ones(len(carriers))
    made: dict[str, Parts] = {}
    for k, sector in enumerate(sectors):
        if measured[k]:
            names = ["activity", "structure", "intensity", "mix", "factor"]
            shown = [np.array([whole[w] * ones, added[w, k] / whole[w] * ones, per[w, k] / added[w, k] * ones,
                               mix[w, k], factor[w, k]]) for w in (0, 1)]  # fmt: skip
        else:
            names = ["own_energy" if sector in households else "unmeasured_energy", "mix", "factor"]
            shown = [np.array([per[w, k] * ones, mix[w, k], factor[w, k]]) for w in (0, 1)]
        made[sector] = Parts(names, shown[0], shown[1], effects(*shown), co2[2, k] - co2[1, k])
    return made


def _ratios(a: Array, b: Array) -> Array:
    """a / b of both periods (2, …); where one has none of `b`, the other's; 0 where both have none."""
    with np.errstate(all="ignore"):
        made = np.where(b > 0, a / b, np.nan)
    return np.nan_to_num(np.where(np.isnan(made), made[::-1], made))
