"""Why the carbon of a place changed between two periods: activity, structure, intensity, fuel mix, grid factor.

CO2 of sector s and carrier j = Q · (Q_s/Q) · (E_s/Q_s) · (E_sj/E_s) · (CO2_sj/E_sj), with value added Q and final
energy E (GJ, electricity at 3.6 GJ/MWh), decomposed by LMDI-I (`decompose.effects`): the effects sum to the change.
Sectors without value added (residents) enter as the effect of their own energy. Value added is taken as it stands in
the data.
"""

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast.decompose import effects
from dualcarbon.nowcast.nodes import options
from dualcarbon.nowcast.shape import Array

TITLES = {
    "activity": {"zh": "经济规模", "en": "economic activity"},
    "structure": {"zh": "产业结构", "en": "structure of sectors"},
    "intensity": {"zh": "用能强度", "en": "energy intensity"},
    "mix": {"zh": "用能结构", "en": "mix of carriers"},
    "grid_factor": {"zh": "电网因子", "en": "grid factor"},
    "fuel_factor": {"zh": "燃料因子", "en": "fuel factors"},
    "own_energy": {"zh": "居民等无增加值部门用能", "en": "energy of sectors without value added"},
}
#: Value added, the most general first; the second only where the first does not cover the periods.
ACTIVITIES = ("economy.value_added", "economy.industrial_value_added_above_scale")
GJ_PER_MWH = 3.6


class Parts(NamedTuple):
    """One sector's product: `names` (F) of its factors, their values `before` and `after` by carrier (F, J), and what
    each factor did to the CO2 of each carrier, `made` (F, J)."""

    names: list[str]
    before: Array
    after: Array
    made: Array


class Compared(NamedTuple):
    """Two periods of a place: `cells` with CO2 (t) and energy (GJ), value added, and the parts by sector."""

    place: str
    as_of: date
    spans: dict[str, periods.Period]
    cells: pl.DataFrame
    activity: pl.DataFrame
    carriers: list[str]
    sectors: dict[str, Parts]
    status: str


def explain(
    workspace: Any = None,
    *,
    place: str | None = None,
    period: str | None = None,
    against: str | None = None,
    as_of: date | None = None,
    tree: str = "admin",
    family: str = "provincial-2025",
) -> dict[str, Any]:
    """Decompose the change of counted CO2 (fuels other than for power, purchased electricity) of `place`
    (default: that of the pack).

    `period` (default: the last month known) against `against` (default: the same a year before). Effects are in tCO2
    and in percent of the earlier value, in all and by sector. Raises Refused for an unknown place or period, and for a
    period in which energy of some month was not known on `as_of`.
    """
    from dualcarbon.nowcast.present import opened

    workspace = opened(workspace)
    book = load(workspace.pack)
    made = compared(workspace, place, period, against, as_of, tree, family)
    later, earlier = (periods.text(*made.spans[when]) for when in ("after", "before"))
    before, after = (float(made.cells.filter(pl.col("when") == when)["co2"].sum()) for when in ("before", "after"))
    sectors = {sector: by_effect(parts, made.carriers) for sector, parts in made.sectors.items()}
    total = {name: sum(parts.get(name, 0.0) for parts in sectors.values()) for name in TITLES}
    asked = {"kind": "effect", "place": made.place, "period": later, "against": earlier,
             "as_of": made.as_of.isoformat(), "tree": tree, **options(family)}  # fmt: skip
    return {
        "place": made.place, "place_name": {lang: book.places.name(made.place, lang) for lang in ("zh", "en")},
        "period": later, "against": earlier, "as_of": made.as_of, "tree": tree, "unit": "tCO2",
        "before": before, "after": after, "change": after - before,
        "change_percent": 100 * (after / before - 1) if before else None, "status": made.status,
        "effects": [
            {"effect": name, "title": TITLES[name], "value": value,
             "percent": 100 * value / before if before else None, "explain": {**asked, "effect": name}}
            for name, value in total.items()
        ],
        "activity": made.activity["item"][0] if made.activity.height else None,
        "rows": [
            {"sector": one, "name": {lang: book.sectors.name(one, lang) if one else "—" for lang in ("zh", "en")},
             "change": sum(parts.values()), "effects": parts, "explain": {**asked, "sector": one} if one else None}
            for one, parts in sorted(sectors.items(), key=lambda pair: -abs(sum(pair[1].values())))
        ],
    }  # fmt: skip


def compared(
    workspace: Any, place: str | None, period: str | None, against: str | None, as_of: date | None, tree: str,
    family: str,
) -> Compared:  # fmt: skip
    """The two periods of :func:`explain` with all that their decomposition is made of. Raises Refused as it does."""
    book = load(workspace.pack)
    code = cities.located(workspace, place)
    datasets = {record["id"]: record for record in workspace.datasets() if record["role"] == "account"}
    as_of = as_of or cities.last_arrival(workspace.observations(datasets=list(datasets)))
    rows = workspace.observations(datasets=list(datasets), known_at=as_of)
    later = _period(period or cities.month_before(as_of).isoformat()[:7])
    earlier = _period(against) if against else periods.Period(_year_before(later.start), _year_before(later.end))
    spans = {"before": earlier, "after": later}
    cells = _cells(workspace, code, tree, family, as_of, spans)
    _complete(cells, spans)
    activity = _activity(rows, book, code, tree, spans)
    carriers = sorted(cells["carrier"].unique().to_list())
    status = worst([*(datasets[n].get("status") for n in cells["dataset"].unique() if n in datasets), "unverified"])
    return Compared(code, as_of, spans, cells, activity, carriers, _decomposed(cells, activity, carriers),
                    status or "unverified")  # fmt: skip


def by_effect(parts: Parts, carriers: list[str]) -> dict[str, float]:
    """Effects of one sector, in tCO2; they sum to its change."""
    return {name: float(parts.made[row][mine].sum()) for name, row, mine in effect_rows(parts, carriers)}


def effect_rows(parts: Parts, carriers: list[str]) -> list[tuple[str, int, np.ndarray]]:
    """Each effect of a sector with the number of its factor and the carriers (J,) in which it counts: the last factor
    is that of the grid for electricity, and that of fuels for the others."""
    whole, power = np.ones(len(carriers), bool), np.array([carrier == "electricity" for carrier in carriers])
    rows = [(name, n, whole) for n, name in enumerate(parts.names[:-1])]
    return [*rows, ("grid_factor", len(rows), power), ("fuel_factor", len(rows), ~power)]


def _period(text: str) -> periods.Period:
    try:
        return periods.parse(text)
    except periods.BadPeriod as error:
        raise Refused(Problem("nowcast.bad-period", value=text)) from error


def _year_before(day: date) -> date:
    return date(day.year - 1, day.month, min(day.day, 28) if day.month == 2 else day.day)


def _cells(
    workspace: Any, code: str, tree: str, family: str, as_of: date, spans: dict[str, periods.Period]
) -> pl.DataFrame:
    """CO2 (t) and energy (GJ) by sector, carrier, month and period (`when`), with the dataset."""
    book = load(workspace.pack)
    frames = []
    for found in cities.counted(workspace, as_of, family, workspace.version()).values():
        cells = found.cells.filter(pl.col("co2").is_not_null())
        if "factor:ncv" in cells.columns:
            heat = found.factors.frame["value"].gather(cells["factor:ncv"])
            energy, carrier = cells["quantity"] * heat, pl.col("carrier")
        else:
            energy, carrier = cells["quantity"] * GJ_PER_MWH, pl.lit("electricity")
        areas = book.places.rollup(cells["place"].unique().drop_nulls(), [code], tree, spans["after"].start)
        inside = pl.col("place").replace_strict(areas, default=None, return_dtype=pl.String).is_not_null()
        cells = cells.with_columns(energy.alias("energy"), carrier.alias("carrier"), pl.col("sector").fill_null(""))
        frames.append(cells.filter(inside).select("sector", "carrier", "start", "end", "co2", "energy", "dataset"))
    whole = pl.concat(frames)
    parts = [
        whole.filter((pl.col("start") >= span.start) & (pl.col("end") <= span.end)).with_columns(when=pl.lit(name))
        for name, span in spans.items()
    ]
    return pl.concat(parts)


def _complete(cells: pl.DataFrame, spans: dict[str, periods.Period]) -> None:
    """Raise Refused unless both kinds of energy are known for every month of both periods."""
    lost = []
    for name, span in spans.items():
        mine = cells.filter(pl.col("when") == name)
        for month in periods.months(span):
            of_month = mine.filter(pl.col("start") == month.start)["carrier"]
            if not (of_month == "electricity").any() or not (of_month != "electricity").any():
                lost.append(month.start.isoformat()[:7])
    if lost:
        raise Refused(Problem("nowcast.period-open", value="、".join(lost[:12])))


def _activity(rows: Any, book: Any, code: str, tree: str, spans: dict[str, periods.Period]) -> pl.DataFrame:
    """Value added by sector and period (`when`, `sector`, `value`, `item`); empty where none covers both periods."""
    for item in ACTIVITIES:
        query = f"item = '{item}' and value is not null and sector is not null"
        given = rows.filter(query).aggregate('place, sector, start, "end", sum(value) as value').pl()
        areas = book.places.rollup(given["place"].unique().drop_nulls(), [code], tree, spans["after"].start)
        inside = pl.col("place").replace_strict(areas, default=None, return_dtype=pl.String).is_not_null()
        given = given.filter(inside) if given.height else given
        parts = []
        for name, span in spans.items():
            mine = given.filter((pl.col("start") >= span.start) & (pl.col("end") <= span.end))
            days = (
                mine.select("start", "end").unique().select((pl.col("end") - pl.col("start")).dt.total_days())
            ).sum()
            if mine.is_empty() or days.item() != (span.end - span.start).days:
                break
            parts.append(mine.group_by("sector").agg(pl.col("value").sum()).with_columns(when=pl.lit(name)))
        if len(parts) == len(spans):
            return pl.concat(parts).with_columns(item=pl.lit(item))
    return pl.DataFrame(schema={"sector": pl.String, "value": pl.Float64, "when": pl.String, "item": pl.String})


def _decomposed(cells: pl.DataFrame, activity: pl.DataFrame, carriers: list[str]) -> dict[str, Parts]:
    """The parts of each sector, from cells and value added of `before` and `after`."""
    sums = cells.group_by("sector", "carrier", "when").agg(pl.col("co2").sum(), pl.col("energy").sum())
    sectors = sorted(cells["sector"].unique().to_list())
    shape = (2, len(sectors), len(carriers))
    co2, energy, added = np.zeros(shape), np.zeros(shape), np.zeros(shape[:2])
    when = {"before": 0, "after": 1}
    for sector, carrier, name, tonnes, heat in sums.iter_rows():
        place = when[name], sectors.index(sector), carriers.index(carrier)
        co2[place], energy[place] = tonnes, heat
    for row in activity.iter_rows(named=True):
        if row["sector"] in sectors:
            added[when[row["when"]], sectors.index(row["sector"])] += row["value"]
    measured: np.ndarray = np.minimum(added[0], added[1]) > 0
    per = energy.sum(2)
    whole = np.where(measured, added, 0).sum(1)

    def ratio(a: Array, b: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.where(b > 0, a / b, 0.0)

    mix, factor = ratio(energy, per[:, :, None]), ratio(co2, energy)
    ones = np.ones(len(carriers))
    made: dict[str, Parts] = {}
    for k, sector in enumerate(sectors):
        if measured[k]:
            names = ["activity", "structure", "intensity", "mix", "factor"]
            shown = [np.array([whole[w] * ones, added[w, k] / whole[w] * ones, per[w, k] / added[w, k] * ones,
                               mix[w, k], factor[w, k]]) for w in (0, 1)]  # fmt: skip
        else:
            names = ["own_energy", "mix", "factor"]
            shown = [np.array([per[w, k] * ones, mix[w, k], factor[w, k]]) for w in (0, 1)]
        made[sector] = Parts(names, shown[0], shown[1], effects(*shown))
    return made
