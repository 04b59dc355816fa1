"""Open what looks wrong: a flag with its usual value, how far off it is, and the months that it was found by."""

import contextlib
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import runs
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import figures, flag_words, flags
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.gaps import span_text
from dualcarbon.nowcast.opened.nodes import NONE, Node, line, number, options, span_of, text, tonnes
from dualcarbon.nowcast.opened.terms import month_opens
from dualcarbon.nowcast.panel import middle
from dualcarbon.nowcast.present import named, named_code
from dualcarbon.nowcast.usual import FAMILY

#: What is opened beside flags: a cell's CO2 per MWh in a month, and how that of all cells moved on a year before.
RATIO, OTHERS = "per-kwh", "others"
PER, ROWS = "tCO2/MWh", 30
TITLES = {
    "level-shift": text("燃料排放水平改变：改变后每月平均", "a new level of fuels' CO2: the mean month since"),
    "carbon-per-kwh": text("单位电量碳排放与平常不符", "CO2 of fuels per MWh of electricity, out of the ordinary"),
    "divergence": text("单位电量碳排放与其他单元背离", "CO2 of fuels per MWh of electricity, apart from other cells"),
    RATIO: text("单位电量碳排放", "CO2 of fuels per MWh of electricity"),
    OTHERS: text(
        "各单元单位电量碳排放同比变化的中位数", "the middle change of CO2 per MWh of all cells on a year before"
    ),
}
DOUBTED = {"direct": text("报送的燃料排放（未采用）", "CO2 of the fuels reported, not used"),
           "power": text("报送的用电（未采用）", "electricity reported, not used")}  # fmt: skip
USUAL, PERCENT = text("平常", "usual"), text("相差", "departure")
SIZE = text("相差的排放", "CO2 that it makes")


class Cell(NamedTuple):
    """Number `k` of a cell of the city `seen`, with what opens its months (`asked`) and the pack's names."""

    seen: City
    k: int
    asked: Node
    book: Classification

    @property
    def ratio(self) -> Array:
        """Logarithms (T,) of CO2 per MWh."""
        with np.errstate(all="ignore"):
            return np.asarray(_ratios(self.seen)[self.k])

    def per(self, t: int) -> Node:
        """CO2 per MWh of month number `t`, and what opens it."""
        place, sector, domain = self.seen.cells[self.k]
        question = {**self.asked, "kind": "flag", "about": RATIO, "month": month_text(self.seen.months[t]),
                    "place": place, "sector": sector or NONE, "domain": domain or NONE}  # fmt: skip
        filled = f"{tonnes(self.seen.direct[self.k, t])} / {tonnes(self.seen.power[self.k, t])}"
        return line(self.when(t), float(np.exp(self.ratio[t])), PER, self.seen.status, filled=filled, question=question)

    def amount(self, t: int, part: str) -> Node:
        """The fuels' CO2, the electricity (`power`) or its CO2 (`indirect`) of month number `t`, and what opens it."""
        zh, en, unit = {"direct": ("燃料排放", "CO2 of fuels", "tCO2"), "power": ("用电", "electricity", "MWh"),
                        "indirect": ("购入电力排放", "CO2 of electricity", "tCO2")}[part]  # fmt: skip
        when, of = self.when(t), "" if part == "power" else part
        opens = month_opens(self.seen, [self.k], month_text(self.seen.months[t]), of, self.asked)
        value = float(getattr(self.seen, part)[self.k, t])
        return line(text(when["zh"] + zh, f"{when['en']} {en}"), value, unit, self.seen.status, **opens)

    def when(self, t: int) -> dict[str, str]:
        """Name of month number `t`."""
        return {lang: span_text([month_text(self.seen.months[t])], lang) for lang in ("zh", "en")}


def flag_node(
    workspace: Any, place: str, day: date | None, tree: str, family: str, *, about: str, month: str,
    sector: str | None = None, domain: str | None = None, period: str | None = None, city: str | None = None,
) -> Node:  # fmt: skip
    """A flag of a place and sector by its rule (`about`, as "level-shift") and `month`; `period` are the months that it
    was found in, of a change of level those since it.

    `per-kwh` is the CO2 per MWh of a cell in a month, `others` how that of all cells moved. Raises Refused where no
    such flag is found.
    """
    book = load(workspace.pack)
    about, first = about.removeprefix("nowcast."), span_of(month).start
    ends = span_of(period or month)
    last = cities.month_before(ends.end)
    above, sector = city or cities.pool(book, place, tree), "" if sector == NONE else sector
    for until in (date(last.year, 12, 1), None):
        seen = cities.read(workspace, as_of=day, until=until, place=above, tree=tree, family=family)
        if {first, ends.start, last} - {*seen.months}:
            continue
        asked: Node = {"as_of": seen.as_of.isoformat(), "tree": tree, "city": above, **options(family)}
        head: Node = {"title": TITLES.get(about), "period": month, "as_of": seen.as_of, "status": seen.status,
                      "about": [named_code(book.sectors, sector)] if sector else []}  # fmt: skip
        t = seen.months.index(first)
        if about == OTHERS:
            return head | {"about": []} | _others(seen, t, asked, book)
        cells = [k for k, cell in enumerate(seen.cells) if cell[:2] == (place, sector or "")]
        if about == RATIO:
            cells = [k for k in cells if domain is None or seen.cells[k][2] == ("" if domain == NONE else domain)]
            if cells and np.isfinite(Cell(seen, cells[0], asked, book).ratio[t]):
                return head | _ratio(Cell(seen, cells[0], asked, book), t)
            continue
        months = seen.months.index(ends.start), seen.months.index(last)
        for span in _spans(about, t, months, bool(period), len(seen.months)):
            found = [one for s in reversed(span) for one in flags.find(seen, s)
                     if flags.topic(one) == flags.topic({"causes": about in TITLES, "rule": f"nowcast.{about}",
                                                         "place": place, "sector": sector or ""})]  # fmt: skip
            flag = flags.together(found) if found else {}
            if flag.get("rule") != f"nowcast.{about}" or flag["month"] != month:
                continue
            cells = [k for k in cells if seen.cells[k][2] == flag.get("domain", seen.cells[k][2])]
            cell = Cell(seen, cells[0], asked, book)
            of = _doubt(workspace, cell, t, flag) if about not in TITLES else _told(cell, t, flag, found, span)
            if about in TITLES:
                of["about"] = [*head["about"], *([] if len(found) == 1 else [flag_words.words(flag)["month"]])]
            return head | {"message": named(book, flag)["message"], "flag": flag} | of
    known = _known(seen, month)
    raise Refused(Problem("nowcast.no-such-flag", value=about, params={"month": month, "known": known}))


def _known(seen: City, month: str) -> str:
    """The flags of a month that open, as their rule, place and sector."""
    if date.fromisoformat(f"{month[:7]}-01") not in seen.months:
        return "—"
    found = flags.find(seen, seen.months.index(date.fromisoformat(f"{month[:7]}-01")))
    named = [f"{one['rule'].removeprefix('nowcast.')} {one['place']} {one['sector'] or NONE} {one['month']}"
             for one in found if flags.has_node(one)]  # fmt: skip
    return "、".join(named) or "—"


def _spans(about: str, t: int, months: tuple[int, int], given: bool, count: int) -> list[range]:
    """The months (numbers) in which a flag may have been found: of a change of level its last one."""
    if about != "level-shift":
        return [range(months[0], months[1] + 1)]
    ends = [months[1]] if given else range(min(t + flags.YEAR, count) - 1, t, -1)
    return [range(end, end + 1) for end in ends]


def _told(cell: Cell, t: int, flag: dict[str, Any], found: list[dict[str, Any]], span: range) -> Node:
    """The node of a flag of a cell: a change of level, or CO2 per MWh in one month or in several."""
    if flag["rule"] == "nowcast.level-shift":
        return _shift(cell, t, span[-1], flag)
    return _departure(cell, t, flag) if len(found) == 1 else _departures(cell, flag, found)


def _off(flag: dict[str, Any], status: str, usual: Node, how: str) -> list[Node]:
    """The inputs that all flags of a cell have: usual value, departure in percent and in t CO2."""
    value, unit = flag["value"], usual["unit"]
    said = [tonnes(one) if unit == "tCO2" else number(one) for one in (value, flag["usual"])]
    percent = 100 * (value / flag["usual"] - 1) if flag["usual"] else None
    return [usual, line(PERCENT, percent, "%", status, filled=f"100 × ({said[0]} / {said[1]} − 1)"),
            line(SIZE, flag["size"], "tCO2", status, filled=how)]  # fmt: skip


def _shift(cell: Cell, s: int, t: int, flag: dict[str, Any]) -> Node:
    """The months since a change of level, and those of the year before it."""
    values = cell.seen.direct[cell.k]
    before, after = (
        [n for n in span if np.isfinite(values[n])] for span in (range(s - flags.YEAR, s), range(s, t + 1))
    )
    sums = [" + ".join(tonnes(values[n]) for n in span) for span in (before, after)]
    usual = line(text("此前一年每月平均", "the mean month of the year before"), flag["usual"], "tCO2", cell.seen.status,
                 filled=f"({sums[0]}) / {len(before)}")  # fmt: skip
    how = f"{tonnes(flag['value'])} − {tonnes(flag['usual'])}"
    return {
        "value": flag["value"], "unit": "tCO2", "period": f"{flag['month']}/{flag['until']}",
        "equation": text("Σ 改变后各月燃料排放 / 月数；相差 = 100 × (改变后 / 此前一年 − 1)",
                         "Σ CO2 of the months since / their number; departure = 100 × (since / the year before − 1)"),
        "filled": f"({sums[1]}) / {len(after)} = {tonnes(flag['value'])}",
        "inputs": [*_off(flag, cell.seen.status, usual, how), *(cell.amount(n, "direct") for n in before)],
        "children": [cell.amount(n, "direct") for n in after],
    }  # fmt: skip


def _departure(cell: Cell, t: int, flag: dict[str, Any]) -> Node:
    """A month's CO2 per MWh against the cell's own year, or against a year before as other cells moved."""
    seen, k, status = cell.seen, cell.k, cell.seen.status
    value, usual = flag["value"], flag["usual"]
    fuels, power = cell.amount(t, "direct"), cell.amount(t, "power")
    parts = [fuels, power, *([cell.amount(t, "indirect")] if flag["by"] == "power" else [])]
    how = f"{tonnes(parts[0]['value'])} × (1 − {number(usual)} / {number(value)})"
    if flag["by"] == "power":
        how = f"{tonnes(parts[-1]['value'])} × (1 − {number(value)} / {number(usual)})"
    equation = text(
        "燃料排放 / 用电；平常 = 前十二个月比值（取对数）的中位数",
        "CO2 of fuels / electricity; usual = the middle, in logarithms, of the twelve months before",
    )
    span = range(max(t - flags.YEAR, 0), t)
    expected, moved = line(USUAL, usual, PER, status), []
    if flag["rule"] == "nowcast.divergence":
        span = range(max(t - flags.YEAR - 1, 0), t - flags.YEAR + 2)
        equation = text("燃料排放 / 用电；平常 = 上年同月前后三个月比值的中位数 × 各单元同比变化的中位数",
                        "CO2 of fuels / electricity; usual = the middle of three months a year before × the middle "
                        "change of all cells")  # fmt: skip
        past = float(np.exp(middle(cell.ratio[None, span], np.nan)[0]))
        question = {**cell.asked, "kind": "flag", "about": OTHERS, "month": flag["month"], "place": seen.place}
        name = text("上年同月前后三个月的中位数", "the middle of three months a year before")
        moved = [line(name, past, PER, status),
                 line(TITLES[OTHERS], 100 * (usual / past - 1), "%", status, question=question)]  # fmt: skip
        expected["filled"] = f"{number(past)} × {number(usual / past)}"
    else:
        expected["filled"] = f"Me({', '.join(number(float(one)) for one in np.exp(cell.ratio[span]) if one == one)})"
    return {
        "value": value, "unit": PER, "equation": equation,
        "inputs": [*parts, *moved, *_off(flag, status, expected, how)],
        "filled": f"{tonnes(fuels['value'])} / {number(power['value'])} = {number(value)}",
        "children": [cell.per(n) for n in span if np.isfinite(_ratios(seen)[k, n])],
    }  # fmt: skip


def _departures(cell: Cell, flag: dict[str, Any], found: list[dict[str, Any]]) -> Node:
    """Departures of several months: their mean, with each month."""
    status, children = cell.seen.status, []
    for one in reversed(found):
        name = {lang: span_text([one["month"]], lang) for lang in ("zh", "en")}
        rule = one["rule"].removeprefix("nowcast.")
        question = {**cell.asked, "kind": "flag", "about": rule, "month": one["month"], "place": one["place"],
                    "sector": one["sector"] or NONE}  # fmt: skip
        filled = f"{number(one['value'])} / {number(one['usual'])}, {tonnes(one['size'], True)} tCO2"
        children.append(line(name, one["value"], PER, status, filled=filled, question=question))
    sums = {name: " + ".join(number(one[name]) for one in reversed(found)) for name in ("value", "usual")}
    usual = line(USUAL, flag["usual"], PER, status, filled=f"({sums['usual']}) / {len(found)}")
    how = " + ".join(f"({tonnes(one['size'], True)})" for one in reversed(found))
    return {
        "value": flag["value"], "unit": PER, "inputs": _off(flag, status, usual, how), "children": children,
        "equation": text("各月的平均；相差的排放为各月之和", "the mean of the months; CO2 that it makes is their sum"),
        "filled": f"({sums['value']}) / {len(found)} = {number(flag['value'])}",
    }  # fmt: skip


def _ratio(cell: Cell, t: int) -> Node:
    """CO2 per MWh of a cell in a month: its fuels and its electricity."""
    parts = [cell.amount(t, "direct"), cell.amount(t, "power")]
    one = cell.per(t)
    filled = f"{one['filled']} = {number(one['value'])}"
    equation = text("燃料排放 / 用电", "CO2 of fuels / electricity")
    return {"value": one["value"], "unit": PER, "inputs": parts, "equation": equation, "filled": filled}


def _others(seen: City, t: int, asked: Node, book: Classification) -> Node:
    """How CO2 per MWh of every cell moved on the three months about that a year before."""
    ratio = _ratios(seen)
    span = range(max(t - flags.YEAR - 1, 0), t - flags.YEAR + 2)
    grown = ratio[:, t] - middle(ratio[:, list(span)], np.nan)
    known = np.nonzero(np.isfinite(grown))[0].tolist()
    if t < flags.YEAR or not known:
        raise Refused(Problem("nowcast.no-such-figure", value=month_text(seen.months[t])))
    children = []
    for k in sorted(known, key=lambda k: -grown[k]):
        place, sector, _ = seen.cells[k]
        names = [named_code(book.places, place), *([named_code(book.sectors, sector)] if sector else [])]
        question = Cell(seen, k, asked, book).per(t)["question"]
        name = {lang: " · ".join(one[lang] for one in names) for lang in ("zh", "en")}
        filled = f"{number(float(np.exp(ratio[k, t])))} / {number(float(np.exp(ratio[k, t] - grown[k])))}"
        children.append(line(name, 100 * float(np.expm1(grown[k])), "%", seen.status, filled=filled, question=question))
    value = 100 * float(np.expm1(np.median(grown[known])))
    return {"value": value, "unit": "%", "children": children, "filled": f"Me({len(known)}) = {number(value)}%",
            "equation": text("各单元 100 × (本月比值 / 上年同月前后三个月的中位数 − 1)，取对数后的中位数",
                             "the middle, in logarithms, of 100 × (the month / the middle of three months a year "
                             "before − 1)")}  # fmt: skip


def _ratios(seen: City) -> Array:
    """Logarithms (N, T) of the fuels' CO2 per MWh of electricity."""
    with np.errstate(all="ignore"):
        fuels, power = (np.log(np.where(part > 0, part, np.nan)) for part in (seen.direct, seen.power))
    return np.asarray(fuels - power)


def _doubt(workspace: Any, cell: Cell, t: int, flag: dict[str, Any]) -> Node:
    """A month that was reported and not used: what was reported with its rows, the year before, what counts instead;
    with the other months of the cell that were not used."""
    seen, status, part = cell.seen, cell.seen.status, flag["rule"].rpartition("-")[2]
    kind, unit, estimate = (
        flag["rule"],
        "MWh" if part == "power" else "tCO2",
        "direct" if part == "direct" else "indirect",
    )
    mine = {one.month: one for one in seen.doubts
            if one.part == part and seen.cells[one.cell][:2] == (flag["place"], flag["sector"])
            and month_text(one.month) in flag["months"]}  # fmt: skip
    k = mine[seen.months[t]].cell
    cell = cell._replace(k=k)
    value, inputs = flag["value"], []
    filled = tonnes(value)
    before = float(getattr(seen, part)[k, t - flags.YEAR]) if t >= flags.YEAR else np.nan
    if np.isfinite(before):
        inputs.append(cell.amount(t - flags.YEAR, part))
        if before:
            filled = f"{tonnes(value)} / {tonnes(before)} = {number(value / before)}"
    guess = dict(zip(("direct", "indirect"), figures.of_month(seen, t), strict=True))[estimate]
    opens = month_opens(seen, [k], flag["month"], estimate, cell.asked)
    inputs.append(
        line(text("按估算计入的排放", "CO2 estimated instead"), float(guess.value[k]), "tCO2", status, **opens)
    )
    children = []
    for month, one in sorted(mine.items()):
        question = {**cell.asked, "kind": "flag", "about": kind.removeprefix("nowcast."), "month": month_text(month),
                    "place": flag["place"], "sector": flag["sector"] or NONE}  # fmt: skip
        opens = {} if month == seen.months[t] else {"question": question}
        children.append(line(cell.when(seen.months.index(month)), one.value, unit, status, **opens))
    rows, count = _rows(workspace, cell, t, estimate)
    return {
        "title": DOUBTED[part], "value": value, "unit": unit, "inputs": inputs, "children": children, "rows": rows,
        "rows_total": count, "filled": filled,
        "equation": text("报送的数；为负，或与上年同月相比超出本单元以往的变动时不采用，按估算计入",
                         "what was reported; not used where negative, or where it departs from the year before as the "
                         "cell never did, and estimated instead"),
    }  # fmt: skip


def _rows(workspace: Any, cell: Cell, t: int, part: str) -> tuple[list[Node], int]:
    """The largest rows of a cell's fuels or electricity (`indirect`) in a month, and how many there are."""
    seen, (place, sector, _) = cell.seen, cell.seen.cells[cell.k]
    method, where = cities.PARTS[part]
    asked = seen.recorded(place)
    where = {**where, **asked["where"], **({} if sector else {"sector": ""})}
    node: Node = {}
    with contextlib.suppress(Refused):  # January and February may have been reported as one
        node = runs.explain(
            "emission.co2", workspace=workspace, method=method, place=asked["place"], sector=sector or None,
            period=month_text(seen.months[t]), where=where, tree=cell.asked["tree"], known_at=seen.as_of,
            family=cell.asked.get("family", FAMILY), pack=workspace.pack, borrow=True,
        )  # fmt: skip
    leaves = node.get("children") or [node]
    rows = [row for leaf in leaves for row in leaf.get("rows") or []]
    total = sum(leaf.get("rows_total") or 0 for leaf in leaves)
    return sorted(rows, key=lambda row: -abs(row["value"] or 0.0))[:ROWS], total
