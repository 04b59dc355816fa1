"""Automatic feeds: what the platform computes itself for a plan's lines, each figure with the question that opens it.

The pack says which line takes which result (`automatic.yaml` beside the plan): observations and methods through the
engine, rights through the ledger. Where nothing computes a line, that is said: no source yet.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from dualcarbon.core import pack as packs
from dualcarbon.core import periods
from dualcarbon.core.classification import load
from dualcarbon.core.covering import OWN, uppermost
from dualcarbon.core.tables import worst
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, shipping
from dualcarbon.plan.assessing import falls, handed, yearly
from dualcarbon.plan.feeding import feeding, systems, telling
from dualcarbon.plan.feeding.checking import Told
from dualcarbon.plan.reading import facts, names
from dualcarbon.plan.store import ZONE, Asked, document, install, stamp, writing

PLATFORM = "dualcarbon"
#: How the units of the accounts read in a sentence.
_UNITS = {"tce_equivalent": ("吨标准煤（等价）", "tce (equivalent)"), "tCO2": ("吨二氧化碳", "tCO2")}


def settings(pack: str, year: int) -> dict[str, Any]:
    """Return `automatic.yaml` of the plan that a pack ships for a year; nothing is fed where there is none."""
    told: dict[str, Any] = {"status": "unverified", "feeds": [], "waiting": {}}
    here = feeding.folder(pack, year)
    if here is not None and (here / "automatic.yaml").is_file():
        told |= packs.read_yaml(here / "automatic.yaml")
    return told


def figures(
    workspace: Workspace, plan: Asked = None, month: int = 12, as_of: date | None = None, line: str | None = None
) -> list[dict[str, Any]]:
    """Return what the platform computes for the months January to `month` of a plan's year, in the pack's order.

    `line`: what is computed for that line alone.

    Rows `{line, name: {zh, en}, value, unit, month, period, status, use, missing: [{zh, en}], explain, from}`; `value`
    is None where something is missing, which is named; `explain` is the question that opens the figure, as known on the
    day `as_of` where one is asked. A figure that is worked out of others has them in `explain["inputs"]`, each
    `{name, value, unit, period, status, source, query}` with the question that opens it, None for one that was told.
    """
    head = document(workspace, plan, as_of)
    found = []
    unfit = _unfit(workspace, head)
    for feed in settings(*shipping.of(workspace, head))["feeds"]:
        if line not in (None, feed["line"]):
            continue
        wrong = unfit.get(feed["line"])
        computed = _lack(*wrong) if wrong else _SOURCES[feed["from"]](workspace, head, feed, month, as_of)
        computed["explain"] = _dated(computed["explain"], as_of)
        row = {name: feed[name] for name in ("line", "name", "unit", "use", "from")}
        span = periods.text(date(head["year"], 1, 1), _end(head["year"], month))
        found.append(row | {"month": month, "period": span, **computed})
    return found


def _dated(asked: Mapping[str, Any] | None, day: date | None) -> dict[str, Any] | None:
    """A question and those of its inputs, each as of a day: what was known then opens the figure of then."""
    if asked is None or day is None:
        return dict(asked) if asked is not None else None
    found = {**asked, "known_at": day.isoformat()}
    if "inputs" in found:
        found["inputs"] = [{**one, "query": _dated(one["query"], day)} for one in found["inputs"]]
    return found


def sources(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return for each indicator where its figure comes from: `{line, name, feed, automatic, say: {zh, en}}`."""
    head = document(workspace, plan, as_of)
    set_ = settings(*shipping.of(workspace, head))
    unfit = _unfit(workspace, head)
    fed = {one["line"]: one for one in set_["feeds"] if one["line"] not in unfit}
    rows = []
    for row in reads.indicators(workspace, head).to_dicts():
        one = fed.get(row["line"])
        said = {"zh": "由牵头单位填报", "en": "reported by the lead unit"}
        if one is not None:
            used = ("平台计算", "computed by the platform") if one["use"] == "report" else (
                "平台计算，与填报对照", "computed by the platform, beside what is reported")  # fmt: skip
            said = dict(zip(("zh", "en"), used, strict=True))
        elif row["feed"] in set_["waiting"]:
            waiting = set_["waiting"][row["feed"]]
            said = {
                "zh": f"暂无自动数据源（{waiting['zh']}），由牵头单位填报",
                "en": f"No source yet ({waiting['en']}); reported by the lead unit",
            }
        kept = {name: row[name] for name in ("line", "name", "feed")}
        rows.append(kept | {"automatic": one["use"] if one else None, "say": said})
    return rows


def _unfit(workspace: Workspace, head: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return why feeds cannot go to the lines they name: no such line, another indicator, another unit."""
    pack, year = shipping.of(workspace, head)
    feeds = settings(pack, year)["feeds"]
    if not feeds:
        return {}
    meant = {f"I{row['number']}": names.core(row["name"]) for row in facts.shipped(pack, year)["indicators"]}
    there = {row["line"]: row for row in reads.indicators(workspace, head).to_dicts()}
    others = {
        row["line"] for row in (*reads.tasks(workspace, head).to_dicts(), *reads.policies(workspace, head).to_dicts())
    }
    found = {}
    for feed in feeds:
        line, row = feed["line"], there.get(feed["line"])
        if row is None and line not in others:
            found[line] = (f"计划里没有 {line}", f"The plan has no {line}")
        elif row is not None and names.core(row["name"]) != meant.get(line):
            found[line] = (
                f"{line} 现为“{row['name']}”，不是自动数据源所指的指标",
                f"{line} is “{row['name']}” now, not what the feed is for",
            )
        elif row is not None and feed["use"] == "report" and row["unit"] != feed["unit"]:
            found[line] = (
                f"{line} 的单位是 {row['unit']}，自动数据源是 {feed['unit']}",
                f"The unit of {line} is {row['unit']}, that of the feed {feed['unit']}",
            )
    return found


def pull(
    workspace: Workspace,
    plan: Asked = None,
    month: int = 12,
    *,
    at: date | None = None,
    line: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Take the computed figures of a month into the plan, of a `line` alone where one is named.

    Returns `{plan, month, told, compared, missing, batch}`.
    Figures for `report` become flash reports that open to their explanation; those for `compare` are kept beside the
    line as mirrored figures, all in one transaction. They are computed from what is known on the day `at` (today when
    None), and open to that. A figure that stands already is not told again; a changed one is a correction, and only
    that has a reason. Raises Refused.
    """
    head = document(workspace, plan)
    rows = figures(workspace, head, month, at or datetime.now(ZONE).date(), line)
    ready = [row for row in rows if row["value"] is not None]
    missing = [{"line": row["line"], "name": row["name"], "missing": row["missing"]} for row in rows if row["missing"]]
    kinds = {row["line"]: row for row in reads.indicators(workspace, head).to_dicts()}
    asked = [
        row
        for row in ready
        if row["use"] == "report" and (kinds[row["line"]]["frequency"] == "month" or month % 3 == 0)
    ]
    beside = [_beside(row) for row in ready if row["use"] == "compare"]
    stands = {
        (one["line"], one["name"], one["period"]): one
        for one in reads.mirrors(workspace, head)
        if one["system"] == PLATFORM
    }
    fresh = [
        systems.checked(workspace, head, PLATFORM, one)
        for one in beside
        if not _same(stands.get((one["line"], one["name"], one["period"])), one)
    ]
    answer: dict[str, Any] = {"plan": head["plan"], "month": month, "missing": missing, "batch": None}
    answer |= {"told": [], "dry_run": dry_run}
    answer["compared"] = [
        one | {"name": row["name"]}
        for one, row in zip(beside, (row for row in ready if row["use"] == "compare"), strict=True)
    ]

    def keep(connection: sa.Connection) -> None:
        systems.write(connection, fresh, stamp(at))

    if asked:
        before = {
            one["line"]: one
            for one in reads.report_rows(workspace, head, lines=[row["line"] for row in asked])
            if one["month"] == month
        }
        told = [_told(row, before.get(row["line"])) for row in asked]
        queries = {row["line"]: json.dumps(row["explain"], ensure_ascii=False) for row in asked}
        made = telling.tell(
            workspace, head["plan"], month, told, at=at, feed="computed", person=PLATFORM,
            status=worst([row["status"] for row in asked]), queries=queries, dry_run=dry_run,
            also=keep if fresh else None,
        )  # fmt: skip
        answer |= {"told": made["reports"], "batch": made["batch"]}
    elif fresh and not dry_run:
        install(workspace)
        with writing(workspace) as connection:
            keep(connection)
    return answer


def _told(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> Told:
    """A computed figure as it is told; with a reason where the last one told of the month said something else."""
    value, text = round(row["value"], 6), row["said"]["zh"] if "said" in row else None
    other = before is not None and (before["value"], before["text"]) != (value, text)
    reason = "数据更新后重算" if other else None
    return Told(row["line"], row["month"], value, "flash", text=text, reason=reason)


def _beside(row: Mapping[str, Any]) -> dict[str, Any]:
    """A computed figure as it is kept beside its line."""
    kept = {"value": row["value"], "unit": row["unit"], "period": row["period"], "status": row["status"]}
    return {"line": row["line"], "name": row["name"]["zh"], **kept, "source": "平台计算", "query": row["explain"]}


def _same(stood: Mapping[str, Any] | None, one: Mapping[str, Any]) -> bool:
    return stood is not None and all(stood[name] == one[name] for name in ("value", "unit", "status"))


def _end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1]) + timedelta(days=1)


def _lack(zh: str, en: str) -> dict[str, Any]:
    return {"value": None, "status": None, "explain": None, "missing": [{"zh": zh, "en": en}]}


def _intensity(
    workspace: Workspace, head: Mapping[str, Any], feed: Mapping[str, Any], month: int, as_of: date | None
) -> dict[str, Any]:
    """The fall of energy or CO2 per GDP at comparable prices since January, in percent; what `falls` computes."""
    year, place = head["year"], head["place"]
    told = handed.standing(workspace, place, as_of)
    row = falls.fall(workspace, feed["account"], place, year, told, until=month, known_at=as_of)
    for one in (year, year - 1):
        if f"{yearly.months(one, month)}.{feed['account']}.part" in row["missing"]:
            last = yearly.covered(workspace, one, as_of, place=place)
            return _lack(
                f"{one} 年 {last + 1} 月起的能源数据不全", f"Energy of {one} is incomplete from month {last + 1}"
            )
    if row["computed"] is None:
        missing = []
        if row["growth"] is None:
            said = f"{year} 年或上年同期没有能源数据", f"No energy data of {year} or the year before"
            missing.append(dict(zip(("zh", "en"), said, strict=True)))
        if row["gdp_growth"] is None:
            said = (
                "没有 GDP 可比价增速（不用现价推算）",
                "No growth of GDP at comparable prices (never taken from current prices)",
            )
            missing.append(dict(zip(("zh", "en"), said, strict=True)))
        return {"value": None, "status": None, "explain": row["explain"], "missing": missing}
    e, g = (f"{'+' if one >= 0 else '−'} {abs(one):.2%}" for one in (row["growth"], row["gdp_growth"]))
    now, before, unit = f"{row['value']:,.0f}", f"{row['previous']:,.0f}", _UNITS.get(row["unit"], (row["unit"],) * 2)
    words = {
        "zh": f"1 −（1 {e}）/（1 {g}）；本期 {now}、上年同期 {before} {unit[0]}，GDP 按可比价",
        "en": f"1 − (1 {e})/(1 {g}); now {now}, a year before {before} {unit[1]}, GDP at comparable prices",
    }
    asked = row["explain"] | {"inputs": _inputs(workspace, place, year, month, row, as_of)}
    kept = {"value": 100 * row["computed"], "status": row["computed_status"], "explain": asked}
    return kept | {"missing": [], "said": words}


def _inputs(
    workspace: Workspace, place: str, year: int, month: int, row: Mapping[str, Any], as_of: date | None
) -> list[dict[str, Any]]:
    """What a fall is worked out of: the account of these months, of the same a year before, the growth of GDP."""
    found = []
    for name, one in (("now", year), ("before", year - 1)):
        own = yearly.amount(workspace, row["explain"]["basis"], place, one, until=month, known_at=as_of)
        kept = {key: own[key] for key in ("value", "unit", "status")} | {"period": own["explain"]["period"]}
        found.append({"name": name, **kept, "source": None, "query": own["explain"]})
    span = yearly.months(year, month)
    seen = yearly.gdp_growth(workspace, place, year, until=month, known_at=as_of)["value"] is not None
    asked = {"item": "economy.gdp_growth", "place": place, "period": span} if seen else None
    growth = {"value": 100 * row["gdp_growth"], "unit": "%", "status": row["gdp_status"], "period": span}
    return [*found, {"name": "gdp_growth", **growth, "source": row["gdp_source"], "query": asked}]


def _observed(
    workspace: Workspace, head: Mapping[str, Any], feed: Mapping[str, Any], as_of: date | None
) -> pl.DataFrame:
    """Rows of the feed's item in the account datasets, inside the plan's place."""
    datasets = [one["id"] for one in workspace.datasets() if one["role"] == "account"]
    if not datasets:
        return workspace.observations().limit(0).pl()
    rows = workspace.observations(datasets=datasets, known_at=as_of).filter(f"item = '{feed['item']}'").pl()
    places = load(workspace.pack).places
    inside = places.leaves(head["place"], "admin") if head["place"] in places else frozenset({head["place"]})
    within = [one for one in rows["place"].unique().to_list() if one in places and places.extent(one) <= inside]
    rows = rows.filter(pl.col("place").is_in(within))
    return rows.filter(pl.col("process").is_in(feed["process"])) if feed.get("process") else rows


def _stock(
    workspace: Workspace, head: Mapping[str, Any], feed: Mapping[str, Any], month: int, as_of: date | None
) -> dict[str, Any]:
    """The change of a stock since the year began: what stood at the end of the month less what stood before."""
    rows = _observed(workspace, head, feed, as_of).filter(pl.col("unit") == feed["source_unit"])
    keys = ["place", "entity", "process"]
    sums: list[float | None] = []
    for end in (date(head["year"], 1, 1), _end(head["year"], month)):
        day = end - timedelta(days=1)
        first = day.replace(day=1)
        last = rows.filter((pl.col("start") <= day) & pl.col("value").is_not_null())
        if last.filter((pl.col("start") >= first) | (pl.col("end") > first)).is_empty():
            sums.append(None)  # the register ends before the month: what stood then is not known
            continue
        recent = last.filter(pl.col("start") > end - timedelta(days=366)).sort("start").unique(keys, keep="last")
        if feed["item"].startswith(OWN):  # all that stands on that day, whenever it was told
            recent, _ = uppermost(recent.with_columns(start=pl.lit(day), end=pl.lit(end)), load(workspace.pack))
        sums.append(float(recent["value"].sum()) if recent.height else None)
    if sums[0] is None or sums[1] is None:
        return _lack("年初或期末没有存量数据", "No stock at the year's start or at the month's end")
    asked = {"item": feed["item"], "place": head["place"], "period": str(head["year"])}
    status = worst(_statuses(workspace, rows))
    return {"value": (sums[1] - sums[0]) * feed.get("scale", 1.0), "status": status, "explain": asked, "missing": []}


def _statuses(workspace: Workspace, rows: pl.DataFrame) -> list[str]:
    known = {one["id"]: one["status"] for one in workspace.datasets()}
    return [known.get(one, "unverified") for one in rows["dataset"].unique().to_list()]


def _flow(
    workspace: Workspace, head: Mapping[str, Any], feed: Mapping[str, Any], month: int, as_of: date | None
) -> dict[str, Any]:
    """The sum of a flow since January; missing when a month of the span has no row."""
    rows = _observed(workspace, head, feed, as_of).filter(pl.col("unit") == feed["source_unit"])
    span = rows.filter((pl.col("start") >= date(head["year"], 1, 1)) & (pl.col("end") <= _end(head["year"], month)))
    told = span.filter(pl.col("value").is_not_null())
    if feed["item"].startswith(OWN):
        year = periods.Period(date(head["year"], 1, 1), _end(head["year"], month))
        told, short = uppermost(told, load(workspace.pack), year)
        if short:
            return _lack("本地区的数与下级的数都不覆盖该期", "Neither the place's own figures nor its parts' cover it")
    gap = periods.gap(told.select("start", "end").iter_rows(), date(head["year"], 1, 1), _end(head["year"], month))
    if told.is_empty():
        return _lack("该期没有数据", "No data of these months")
    if gap is not None:
        return _lack(f"{gap.year} 年 {gap.month} 月没有数据", f"No data of month {gap.month} of {gap.year}")
    asked = {"item": feed["item"], "place": head["place"], "period": f"{head['year']}-01/{head['year']}-{month:02d}"}
    value = float(told["value"].sum()) * feed.get("scale", 1.0)
    return {"value": value, "status": worst(_statuses(workspace, told)), "explain": asked, "missing": []}


def _ledger(
    workspace: Workspace, head: Mapping[str, Any], feed: Mapping[str, Any], month: int, as_of: date | None
) -> dict[str, Any]:
    """Posted entries of instruments since January: units retired, units acquired from an issuer, or trades."""
    from dualcarbon.ledger.reads import standing
    from dualcarbon.ledger.tables import ENTRY
    from dualcarbon.ledger.transfer import instant

    if standing(workspace.database) is None:
        return _lack("工作区没有权益账本", "The workspace has no ledger of rights")
    kinds = [sa.or_(ENTRY.c.instrument == one, ENTRY.c.instrument.like(f"{one}.%")) for one in feed["instruments"]]
    start, end = instant(date(head["year"], 1, 1)), instant(_end(head["year"], month))
    chosen = sa.and_(sa.or_(*kinds), ENTRY.c.at >= start, ENTRY.c.at < end, ENTRY.c.state.in_(("posted", "post")))
    if as_of is not None:
        chosen = sa.and_(chosen, ENTRY.c.recorded < instant(as_of + timedelta(days=1)))
    issued, special = ENTRY.c.debit.like("%|@issuer%"), ENTRY.c.credit.like("%|@%")
    moves = {
        "retired": ENTRY.c.credit.like("%|@retired"),
        "acquired": sa.and_(issued, sa.not_(special)),
        "traded": sa.and_(sa.not_(ENTRY.c.debit.like("%|@%")), sa.not_(special)),
    }
    measure = sa.func.count() if feed["measure"] == "entries" else sa.func.coalesce(sa.func.sum(ENTRY.c.amount), 0)
    with workspace.database.connect() as connection:
        value = connection.execute(sa.select(measure).where(chosen, moves[feed["moves"]])).scalar_one()
        known = connection.execute(sa.select(sa.func.count()).where(sa.or_(*kinds))).scalar_one()
    if not known:
        return _lack("账本里还没有这一品种", "The ledger has none of these instruments yet")
    asked = {"ledger": feed["instruments"], "moves": feed["moves"], "period": str(head["year"])}
    return {"value": float(value), "status": "unverified", "explain": asked, "missing": []}


_SOURCES = {"intensity": _intensity, "stock": _stock, "flow": _flow, "ledger": _ledger}
