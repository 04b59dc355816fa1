"""Open figures of months beside those a year before: growth, change, share, pull, progress, intensity."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.covering import uppermost
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.core.workspace import Workspace
from dualcarbon.engine import runs
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import officials, settling
from dualcarbon.nowcast.beside import PARTS, Both, both
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.opened import movements
from dualcarbon.nowcast.opened.nodes import NONE, Node, asks, line, number, options, span_of, text, tonnes
from dualcarbon.nowcast.opened.sums import added_up, aimed
from dualcarbon.nowcast.present import grouped, named_code
from dualcarbon.nowcast.told import saying

POINTS = "percentage_point"
GDP, INTENSITY = "economy.gdp", "tCO2/wan_CNY"


class Asked(NamedTuple):
    """A question about cells (N,) `mine` of two periods: what it names (`question`), and in what words."""

    both: Both
    mine: np.ndarray
    book: Classification
    question: Node
    period: str
    names: list[dict[str, str]]

    @property
    def whole(self) -> np.ndarray:
        return np.ones(len(self.mine), bool)

    @property
    def all_of_it(self) -> Node:
        """The question about the whole city."""
        kept = {name: value for name, value in self.question.items() if name not in ("sector", "domain")}
        return {**kept, "place": kept["city"]}

    def summed(self, before: bool, mine: np.ndarray, question: Node) -> list[Node]:
        """The sum of this period, or of the one `before`, as it is compared; and what of it cannot be."""
        cells = self.both.before if before else self.both.like
        year = saying.earlier(self.period) if before else self.period
        said = {lang: saying.period(year, lang) for lang in ("zh", "en")}
        reconcile = {} if self.both.sums["alike"] else {"reconcile": "none"}
        asked = {**question, **reconcile, "kind": "sum", "period": year}
        name, status = text(f"{said['zh']}排放", f"CO2 in {said['en']}"), self.both.done.status
        made = [line(name, float(cells[mine].sum()), "tCO2", status, question=asked)]
        apart = float(cells[mine & ~self.both.alike].sum())
        if apart:
            made.append(line(text(f"{said['zh']}其中没有可比数的部分", f"of it in {said['en']}, not comparable"), apart,
                             "tCO2", status))  # fmt: skip
        return made

    def sums(self) -> list[Node]:
        """Both sums of what was asked about."""
        return [one for before in (False, True) for one in self.summed(before, self.mine, self.question)]

    def children(self, kind: str, of: Callable[[np.ndarray], float | None], unit: str) -> list[Node]:
        """The parts of what was asked about: by area, of one area by sector."""
        seen = self.both.done.seen
        single = len({seen.cells[k][0] for k in np.nonzero(self.mine)[0]}) == 1
        if single and self.question.get("sector"):
            return []
        codes: Any = self.book.sectors if single else self.book.places
        made = []
        for (code,), whole in grouped(seen, [int(single)]):
            value = of(self.mine & whole)
            if value:
                question = {**self.question, "kind": kind, "period": self.period,
                            ("sector" if single else "place"): code or NONE}  # fmt: skip
                name = named_code(codes, code or NONE)
                made.append(line(name, value, unit, self.both.done.status, question=question))
        return sorted(made, key=lambda one: -abs(one["value"]))

    def compared(self, title: dict[str, str], value: float | None, unit: str, **more: Any) -> Node:
        """A node that compares the period with the one before. Raises Refused where nothing can be compared."""
        if value is None:
            raise Refused(Problem("nowcast.no-such-figure", value=self.period))
        return self.told(title, value, unit, against=saying.earlier(self.period), **more)

    def told(self, title: dict[str, str], value: float, unit: str, **more: Any) -> Node:
        """A node of the question."""
        return {"period": self.period, "as_of": self.both.done.seen.as_of, "status": self.both.done.status,
                "about": self.names, "title": title, "value": value, "unit": unit, **more}  # fmt: skip


def asked(
    workspace: Any, place: str, day: date | None, tree: str, family: str, period: str, sector: str | None,
    domain: str | None, city: str | None,
) -> Asked:  # fmt: skip
    """Read what a question asks about. Raises Refused for cells or months that are not there."""
    book = load(workspace.pack)
    above = city or cities.pool(book, place, tree)
    state = workspace.id, workspace.version(), packs.content_hash(workspace.pack), repr(workspace.datasets())
    made = _compared(workspace.path, state, day, above, tree, family, period)
    done, seen = made.done, made.done.seen
    about = (None if place == above else place, sector, domain)
    mine = np.array([all(map(asks, about, cell)) for cell in done.seen.cells])
    if not mine.any():
        raise Refused(Problem("nowcast.no-such-figure", value="、".join(one for one in about if one)))
    question = {"place": place, "sector": sector, "domain": domain, "as_of": seen.as_of.isoformat(), "tree": tree,
                "city": above, **options(family)}  # fmt: skip
    names = [named_code(codes, code) for codes, code in ((book.sectors, sector), (book.domains, domain)) if code]
    return Asked(made, mine, book, {k: v for k, v in question.items() if v}, period, names)


@lru_cache(maxsize=4)
def _compared(
    folder: Path, _state: Any, day: date | None, above: str, tree: str, family: str, period: str
) -> Both:  # fmt: skip
    """The months of a period against those a year before; a page asks about many cells of the same months."""
    workspace, wanted = Workspace.open(folder), span_of(period)
    until = max(date(wanted.end.year - (wanted.end.month == 1), 12, 1), wanted.start)
    seen = cities.read(workspace, as_of=day, until=until, place=above, tree=tree, family=family)
    span = [t for t, month in enumerate(seen.months) if wanted.start <= month < wanted.end]
    if not span or seen.months[span[0]] != wanted.start or span[0] < 12:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    return both(settling.settle(workspace, seen, span, above, tree=tree, family=family), span)


def change_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, city: str | None = None,
) -> Node:  # fmt: skip
    """By how much a period's CO2 differs from that of a year before."""
    one = asked(workspace, place, day, tree, family, period, sector, domain, city)
    value, last = one.both.change(one.mine), one.both.last(one.mine) or 0.0
    return one.compared(
        text("同比增减量", "change on a year before"), value, "tCO2", inputs=one.sums(),
        children=one.children("change", one.both.change, "tCO2"),
        equation=text("本期 − 上年同期（只比可比的部分）",
                      "this period − the same a year before (what can be compared)"),
        filled=f"{tonnes(last + (value or 0.0))} − {tonnes(last)} = {tonnes(value or 0.0, True)}",
    )  # fmt: skip


def growth_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, city: str | None = None,
) -> Node:  # fmt: skip
    """Growth on a year before, with the ends that follow from what is estimated in either year."""
    one = asked(workspace, place, day, tree, family, period, sector, domain, city)
    last, change = one.both.last(one.mine) or 0.0, one.both.change(one.mine) or 0.0
    low, high = one.both.ends(one.mine)
    return one.compared(
        text("同比增速", "growth on a year before"), one.both.growth(one.mine), "%", low=low, high=high,
        inputs=one.sums(), filled=f"100 × ({tonnes(last + change)} / {tonnes(last)} − 1)",
        equation=text("100 × (本期 / 上年同期 − 1)（只比可比的部分）",
                      "100 × (this period / the same a year before − 1) (what can be compared)"),
    )  # fmt: skip


def share_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, part: str | None = None, city: str | None = None,
) -> Node:  # fmt: skip
    """A part's share of the whole city in a period: of an area, a sector, a domain, or of fuels or electricity."""
    one = asked(workspace, place, day, tree, family, period, sector, domain, city)
    whole, mine = one.both.value(one.whole), one.both.value(one.mine)
    if part in PARTS:
        mine = float(one.both.done.summed(one.both.span, one.mine)[part])
    if not whole:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    status, period_of = one.both.done.status, {"kind": "sum", "period": period}
    inputs = [line(text("这一部分", "this part"), mine, "tCO2", status,
                   question={**one.question, **period_of, **({"part": part} if part else {})}),
              line(text("全部", "the whole"), whole, "tCO2", status,
                   question={**one.all_of_it, **period_of})]  # fmt: skip
    return one.told(text("占比", "share"), 100 * mine / whole, "%", inputs=inputs,
                    equation=text("100 × 这一部分 / 全部", "100 × this part / the whole"),
                    filled=f"100 × {tonnes(mine)} / {tonnes(whole)}")  # fmt: skip


def pull_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, sector: str | None = None,
    domain: str | None = None, effect: str | None = None, city: str | None = None,
) -> Node:  # fmt: skip
    """By how many points an area, a sector, a domain, or an `effect` of the decomposition, moved the city's growth."""
    if effect:
        return _effect_pull(workspace, place, day, tree, family, effect, period)
    one = asked(workspace, place, day, tree, family, period, sector, domain, city)
    whole, change = one.both.last(one.whole) or 0.0, one.both.change(one.mine) or 0.0
    mine = line(text("这一部分的同比增减量", "this part's change"), change, "tCO2", one.both.done.status,
                question={**one.question, "kind": "change", "period": period})  # fmt: skip
    return one.compared(
        text("对增速的拉动", "pull on growth"), one.both.pull(one.mine), POINTS,
        inputs=[mine, *one.summed(True, one.whole, one.all_of_it)],
        children=one.children("pull", one.both.pull, POINTS),
        equation=text("100 × 这一部分的同比增减量 / 全部的上年同期数",
                      "100 × this part's change / the whole a year before"),
        filled=f"100 × {tonnes(change, True)} / {tonnes(whole)}",
    )  # fmt: skip


def _effect_pull(
    workspace: Any, place: str, day: date | None, tree: str, family: str, effect: str, period: str
) -> Node:
    made = movements.effect_node(workspace, place, day, tree, family, effect=effect, period=period)
    before = added_up(workspace, place, made["as_of"], tree, family, period=made["against"], city=place,
                      reconcile="none")  # fmt: skip
    common = {"place": place, "as_of": made["as_of"].isoformat(), "tree": tree, **options(family)}
    inputs = [line(made["title"], made["value"], "tCO2", made["status"],
                   question={**common, "kind": "effect", "effect": effect, "period": period}),
              line(before["title"], before["value"], "tCO2", before["status"],
                   question={**common, "kind": "sum", "city": place, "period": made["against"],
                             "reconcile": "none"})]  # fmt: skip
    return {
        "title": made["title"], "about": [text("对增速的拉动", "pull on growth")], "period": period,
        "against": made["against"], "as_of": made["as_of"], "status": made["status"], "inputs": inputs, "unit": POINTS,
        "value": 100 * made["value"] / before["value"], "equation": text("100 × 因素的作用 / 上年同期数",
                                                                          "100 × the effect / the year before"),
        "filled": f"100 × {tonnes(made['value'], True)} / {tonnes(before['value'])}",
    }  # fmt: skip


def settled_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, against: str | None = None,
    city: str | None = None,
) -> Node:  # fmt: skip
    """By how much official totals moved the months of a period; with `against`, by how much more than those of
    another."""
    inputs, value, plain = [], 0.0, {"city": city} if city else {}
    for one, sign in ((period, 1.0), (against, -1.0)):
        for reconcile in ({}, {"reconcile": "none"}) if one else ():
            made = added_up(workspace, place, day, tree, family, period=str(one), city=city, **reconcile)
            question = {"kind": "sum", "place": place, "as_of": made["as_of"].isoformat(), "tree": tree,
                        "period": one, **options(family), **plain, **reconcile}  # fmt: skip
            when = {lang: saying.period(str(one), lang) for lang in ("zh", "en")}
            name = text(f"{when['zh']}按官方总数调整后", f"{when['en']} as settled against official totals")
            if reconcile:
                name = text(f"{when['zh']}核算与估算数", f"counted and estimated in {when['en']}")
            inputs.append(line(name, made["value"], "tCO2", made["status"], question=question))
            value += sign * made["value"] * (-1.0 if reconcile else 1.0)
    terms = [f"{'−' if n % 3 else '+' if n else ''} {tonnes(one['value'])}" for n, one in enumerate(inputs)]
    return {
        "title": text("官方总数的调整", "what official totals moved"), "period": period, "against": against,
        "about": [], "as_of": made["as_of"], "value": value, "unit": "tCO2",
        "status": worst([one["status"] for one in inputs]), "inputs": inputs,
        "filled": f"{' '.join(terms).strip()} = {tonnes(value, True)}",
        "equation": text(
            "调整后 − 核算与估算数" + ("；本期减对比期" if against else ""),
            "settled less counted and estimated" + (", this period less the other" if against else ""),
        ),
    }  # fmt: skip


def estimated_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, city: str | None = None
) -> Node:
    """How much of the year before is estimated, of what a period is compared with."""
    one = asked(workspace, place, day, tree, family, period, None, None, city)
    last, guess = one.both.last(one.mine), one.both.estimated_before(one.mine)
    inputs = [line(text("其中估算", "estimated of it"), guess, "tCO2", one.both.done.status),
              *one.summed(True, one.mine, one.question)]  # fmt: skip
    return one.compared(
        text("上年数中估算的比重", "what of the year before is estimated"), 100 * guess / last if last else None, "%",
        inputs=inputs, filled=f"100 × {tonnes(guess)} / {tonnes(last or 0.0)}",
        equation=text("100 × 其中估算 / 上年同期（只计可比的部分）",
                      "100 × estimated / the year before (what can be compared)"),
    )  # fmt: skip


def progress_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, city: str | None = None
) -> Node:
    """How much of the year's target a period makes up."""
    whole, aim, asked = aimed(workspace, place, day, tree, family, period, city)
    if not aim.value:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    return {
        "title": text("占年度目标的比重", "share of the year's target"), "period": period, "as_of": whole["as_of"],
        "value": 100 * whole["value"] / aim.value, "unit": "%", "status": whole["status"], "about": [],
        "equation": text("100 × 累计 / 年度目标", "100 × added up / the year's target"),
        "filled": f"100 × {tonnes(whole['value'])} / {tonnes(aim.value)}",
        "inputs": [line(whole["title"], whole["value"], "tCO2", whole["status"], question={"kind": "sum", **asked}),
                   line(text("年度目标", "the year's target"), aim.value, "tCO2", aim.status,
                        query=officials.described(aim, whole["as_of"])["query"])],
    }  # fmt: skip


class Product(NamedTuple):
    """Gross domestic product of a period (万元, as it stands in the data), its status and the query that opens it."""

    value: float
    status: str
    query: Node


def product(workspace: Any, seen: City, tree: str, period: str) -> Product | None:
    """Gross domestic product of the city over a period as known on the day of `seen`: as published for the place
    itself, else as counted for it, else added up from its areas; None where it does not cover the period in all of
    them."""
    book, wanted = load(workspace.pack), span_of(period)
    datasets = {one["id"]: one for one in workspace.datasets()}
    rows = workspace.observations(known_at=seen.as_of, version=seen.version).filter(
        f"item = '{GDP}' and value is not null and sector is null and start >= '{wanted.start}' "
        f"and \"end\" <= '{wanted.end}'"
    )
    found = rows.aggregate('dataset, place, sum("end" - start) as days, sum(value) as value').fetchall()
    length = (wanted.end - wanted.start).days
    query = {"item": GDP, "place": seen.place, "period": period, "tree": tree, "known_at": seen.as_of.isoformat()}
    for name, place, days, value in sorted(found):
        if (place, days, datasets[name]["role"]) == (seen.place, length, "control"):
            return Product(value, datasets[name].get("status") or "unverified", {**query, "dataset": name})
    names = [name for name, one in datasets.items() if one["role"] == "account"]
    columns = 'dataset, place, sector, item, start, "end", value'
    counted = rows.project(columns).pl().filter(pl.col("dataset").is_in(names))
    within = cities.areas(counted["place"], book, seen.place, tree, wanted.end)
    counted, short = uppermost(counted.filter(pl.col("place").is_in(list(within))), book, wanted)
    reached = {within[place] for place in counted["place"]}
    days = counted.group_by("dataset", "place").agg(
        (pl.col("end") - pl.col("start")).dt.total_days().sum().alias("days")
    )
    whole = set(counted["place"]) == {seen.place} or {cell[0] for cell in seen.cells} <= reached
    if short or not whole or (days["days"] != length).any():
        return None
    node = runs.explain(
        GDP, workspace=workspace, pack=workspace.pack, methods=(), **{k: v for k, v in query.items() if k != "item"}
    )
    return Product(node["value"], node["status"], query) if node["complete"] and node["value"] else None


def intensity_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, period: str, against: str | None = None,
    city: str | None = None,
) -> Node:  # fmt: skip
    """CO2 per gross domestic product in a period (t per 万元); with `against`, how it differs from that of another."""
    if against:
        then, now = (
            intensity_node(workspace, place, day, tree, family, period=one, city=city) for one in (against, period)
        )
        asked = {"kind": "intensity", "place": place, "as_of": now["as_of"].isoformat(), "tree": tree,
                 **options(family), **({"city": city} if city else {})}  # fmt: skip
        inputs = [
            line(text(f"{saying.period(one['period'], 'zh')}单位地区生产总值排放",
                      f"CO2 per GDP in {saying.period(one['period'], 'en')}"), one["value"], INTENSITY, one["status"],
                 question={**asked, "period": one["period"]}) for one in (now, then)
        ]  # fmt: skip
        return {**now, "title": text("单位地区生产总值排放的变化", "change of CO2 per GDP"), "against": against,
                "value": 100 * (now["value"] / then["value"] - 1), "unit": "%", "inputs": inputs,
                "equation": text("100 × (本期 / 对比期 − 1)；地区生产总值按现价",
                                 "100 × (this period / the other − 1); GDP at current prices"),
                "filled": f"100 × ({number(now['value'])} / {number(then['value'])} − 1)"}  # fmt: skip
    whole = added_up(workspace, place, day, tree, family, period=period, city=city)
    seen = cities.read(workspace, as_of=whole["as_of"], place=place, tree=tree, family=family)
    made = product(workspace, seen, tree, period)
    if made is None:
        raise Refused(Problem("nowcast.no-such-figure", value=period))
    asked = {"place": place, "as_of": whole["as_of"].isoformat(), "tree": tree, "period": period, **options(family),
             **({"city": city} if city else {})}  # fmt: skip
    return {
        "title": text("单位地区生产总值排放", "CO2 per GDP"), "period": period, "as_of": whole["as_of"],
        "value": whole["value"] / made.value, "unit": INTENSITY, "about": [],
        "status": worst([whole["status"], made.status]),
        "equation": text("排放 / 地区生产总值（按数据所给，现价）",
                         "CO2 / gross domestic product (as given, current prices)"),
        "filled": f"{tonnes(whole['value'])} / {tonnes(made.value)} = {number(whole['value'] / made.value)}",
        "inputs": [line(whole["title"], whole["value"], "tCO2", whole["status"], question={"kind": "sum", **asked}),
                   line(text("地区生产总值", "gross domestic product"), made.value, "wan_CNY", made.status,
                        query=made.query)],
    }  # fmt: skip
