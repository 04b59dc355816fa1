"""What both languages of the reports need: figures that open inside sentences, rows in the order of their pull."""

from typing import Any

from dualcarbon.nowcast import flag_words, flags, gaps
from dualcarbon.nowcast.opened.nodes import NONE
from dualcarbon.nowcast.told import saying

#: Rows named as those that pulled most, up or down; flags told one by one.
NAMED, TOLD = 3, 10
WAN = 1e4
#: Pulls below this many points, and growth below this many percent, are nothing to speak of.
LEAST, FLAT = 0.005, 0.05
#: An area is asked why it grew where it grew by more percent points than this beyond the whole; of households something
#: is advised where they pulled growth up by more points than this.
FASTER, HOMES = 0.5, 0.1
_KINDS = {
    "zh": {"": "排放", "sum": "排放", "growth": "同比增速", "change": "同比增减量", "share": "占比",
           "pull": "对增速的拉动", "effect": "的作用", "error": "回放的误差与区间覆盖", "target": "与年度目标之差",
           "progress": "占年度目标的比重", "intensity": "单位地区生产总值排放及变化",
           "settled": "官方总数的调整", "estimated": "上年数中估算的比重",
           "uncertainty": "因子和活动数据的不确定性"},
    "en": {"": "CO2", "sum": "CO2", "growth": "growth", "change": "change", "share": "share", "pull": "pull on growth",
           "effect": "effect", "error": "replayed error and coverage", "target": "gap to the target",
           "progress": "share of the target", "intensity": "CO2 per GDP and its change",
           "settled": "what official totals moved", "estimated": "estimated share of the year before",
           "uncertainty": "uncertainty by factors and data"},
}  # fmt: skip
_PARTS = {"zh": {"direct": "燃料燃烧", "indirect": "购入电力"}, "en": {"direct": "fuels", "indirect": "electricity"}}
_ENDS = {"zh": {"low": "（区间下限）", "high": "（区间上限）"}, "en": {"low": "lower end", "high": "upper end"}}
_QUERIED = {"zh": {"target.emission.co2": "年度目标"}, "en": {"target.emission.co2": "target of the year"}}
ABOUT = {"areas": "place", "sectors": "sector", "domains": "domain"}
Row = dict[str, Any]


def based(made: dict[str, Any], lang: str) -> str:
    """What a table or figure rests on: datasets, day of knowledge, status."""
    names = [one["title"][lang] for one in made["sources"]]
    if lang == "zh":
        return f"资料来源：{'、'.join(names)}；数据截至{made['as_of']}；依据状态：{made['status_name']['zh']}。"
    return f"Source: {', '.join(names)}; known on {made['as_of']}; status: {made['status_name']['en']}."


def signed(value: float, digits: int) -> str:
    """A number with its sign, zero without."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if not float(f"{value:.{digits}f}") else text


def number(value: float, digits: int) -> str:
    """A number with a true minus."""
    return f"{value:.{digits}f}".replace("-", "−")


class Words:
    """What both languages need to tell of the figures `made`: numbers that open, rows in the order of their pull."""

    lang = ""

    def __init__(self, made: dict[str, Any], figures: list[saying.Figure] | None = None) -> None:
        self.made = made
        self.figures: list[saying.Figure] = [] if figures is None else figures
        self.name = made["place_name"][self.lang]
        self.names = {(ABOUT[key], row["code"]): row["name"] for key in ABOUT for row in made[key]}

    # Figures

    def put(self, text: str, value: float, unit: str, of: str = "value", query: Row | None = None, **asked: Any) -> str:
        """A figure inside a sentence, with the question (or query) that opens it."""
        base = dict(self.made["question"])
        if asked.get("effect") or asked.get("kind") in ("effect", "error"):
            base.pop("city")
        opens = {"query": query} if query else {"question": {**base, **{k: v for k, v in asked.items() if v}}}
        name = {lang: self.called(asked, of, lang) if not query else _QUERIED[lang].get(query["item"], query["item"])
                for lang in ("zh", "en")}  # fmt: skip
        self.figures.append({"value": value, "unit": unit, "of": of, "name": name, **opens})
        return saying.marked(len(self.figures) - 1, text)

    def called(self, asked: Row, of: str, lang: str) -> str:
        """What a figure is, by what opens it."""
        kind = _KINDS[lang].get(asked.get("kind") or "", "")
        when = asked.get("month") or asked.get("period")
        names = [self.names[key, asked[key]][lang] for key in ABOUT.values() if (key, asked.get(key)) in self.names]
        names += [_PARTS[lang][asked["part"]]] if asked.get("part") else []
        effect = next((one["title"][lang] for one in (self.made.get("causes") or {}).get("effects", ())
                       if one["effect"] == asked.get("effect")), "")  # fmt: skip
        parts = [saying.period(when, lang) if when else "", *names, effect, kind, _ENDS[lang].get(of, "")]
        return ("" if lang == "zh" else ", ").join(part for part in parts if part)

    def sums(self, period: str) -> Row:
        """What opens the CO2 of a period: a month, or months added up."""
        return {"month": period} if len(period) == 7 else {"kind": "sum", "period": period}

    def tons(self, value: float, of: str = "value", period: str | None = None, **about: Any) -> str:
        """CO2 of the period (or another) of what it is about, without its unit."""
        return self.put(self.amount(value), abs(value), "tCO2", of, **self.sums(period or self.made["period"]), **about)

    def amount(self, value: float) -> str:
        """CO2 as a number of the language's unit (`unit`)."""
        return number(abs(value) / WAN, 1 if abs(value) >= WAN or abs(value) < WAN / 1000 else 2)

    def between(self, low: float, high: float, **asked: Any) -> str:
        raise NotImplementedError

    def percent(self, value: float, kind: str, of: str = "value", digits: int = 1, **about: Any) -> str:
        """A share, or growth without its sign, of the period, in percent."""
        period = about.pop("period", None) or self.made["period"]
        said = f"{number(value, digits)}%" if of in ("low", "high") else f"{number(abs(value), digits)}%"
        kept = value if of in ("low", "high") else abs(value)
        return self.put(said, kept, "%", of, kind=kind, period=period, **about)

    def points(self, value: float, **about: Any) -> str:
        """Points of pull without their sign or unit."""
        period = about.pop("period", None) or self.made["period"]
        return self.put(number(abs(value), 2), abs(value), "points", kind="pull", period=period, **about)

    def effect(self, one: Row, period: str) -> str:
        """Points of an effect of the decomposition of a period."""
        return self.points(one["percent"], effect=one["effect"], period=period)

    def doubt(self) -> str:
        """The uncertainty by factors and data in percent; empty where nobody knows it."""
        made = self.made["uncertainty"]
        if made is None or made["percent"] is None:
            return ""
        said = self.put(f"{number(made['percent'], 2)}%", made["percent"], "%", kind="uncertainty",
                        period=self.made["period"])  # fmt: skip
        return f"±{said}"

    def settled(self, value: float, **against: Any) -> str:
        """CO2 that official totals moved."""
        asked = {"period": self.made["period"], **against}
        return self.put(self.amount(value), abs(value), "tCO2", kind="settled", **asked)

    def estimated(self) -> str:
        """The share of the year before that is estimated."""
        return self.percent(100 * self.made["last_year_estimated"] / self.made["last_year"], "estimated")

    # Rows

    def about(self, key: str, row: Row) -> Row:
        """What a question names of a row of areas, sectors or domains."""
        return {ABOUT[key]: row["code"] or NONE}

    def ranked(self, key: str, up: bool) -> list[Row]:
        """Rows that pulled growth up (or down), the strongest first; of sectors those that produce."""
        rows = [row for row in self.made[key] if row["pull_points"] is not None and not row.get("household")]
        pulled = [row for row in rows if row["code"] and (row["pull_points"] if up else -row["pull_points"]) >= LEAST]
        return sorted(pulled, key=lambda row: -abs(row["pull_points"]))

    def ways(self, rows: list[Row]) -> tuple[int, dict[str, int]]:
        """How many rows can be compared, and how many of them grew (`up`), fell (`down`) or stayed (`flat`)."""
        grown = [row["change_percent"] for row in rows if row["change_percent"] is not None]
        count = {"up": sum(one >= FLAT for one in grown), "down": sum(one <= -FLAT for one in grown)}
        count["flat"] = len(grown) - sum(count.values())
        return len(grown), {way: number for way, number in count.items() if number}

    def leading(self, key: str) -> tuple[list[Row], list[Row]]:
        """The rows that pulled most, up and down: more of those that pulled the way of the whole."""
        up = (self.made["change"] or 0.0) >= 0
        return self.ranked(key, True)[: NAMED if up else 1], self.ranked(key, False)[: 1 if up else NAMED]

    def households(self) -> list[Row]:
        """The sectors that are households."""
        return [row for row in self.made["sectors"] if row["household"]]

    def unsorted(self) -> Row | None:
        """What is of no sector, where it shows."""
        return next((row for row in self.made["sectors"] if not row["code"] and row["value"] >= WAN / 20), None)

    def residents(self) -> Row | None:
        """The domain of residents, where households are counted in other domains too."""
        homes = self.made["homes"]
        if not homes or not homes["domain"] or not homes["beyond"]:
            return None
        return next((row for row in self.made["domains"] if row["code"] == homes["domain"]), None)

    def faster(self) -> list[Row]:
        """Areas that pulled growth up and grew clearly faster than the whole."""
        whole = self.made["change_percent"]
        if whole is None or len(self.made["areas"]) < 2:
            return []
        return [row for row in self.ranked("areas", True) if row["change_percent"] > whole + FASTER][:NAMED]

    def drawn_up(self) -> list[Row]:
        """Households that pulled growth up, where they did so together by enough to speak of."""
        rows = [row for row in self.households() if row["pull_points"]]
        return [row for row in rows if row["pull_points"] >= LEAST] * (sum(row["pull_points"] for row in rows) >= HOMES)

    def moved_by_totals(self) -> Row:
        """What official totals `moved` of the month and of the year so far (t CO2, where it shows), and the reasons why
        growth of these is that of figures before them (`plain`)."""
        made, told = self.made, self.made["settled_to_date"]
        later = int(made["month"][5:]) > 1
        shows = {"month": made["settled"], "year": told["value"] if later else None}
        plain: dict[str, list[str]] = {}
        for key, reason in (("month", made["official"]["reason"]), ("year", told["reason"] if later else None)):
            if reason:
                plain.setdefault(reason[self.lang], []).append(key)
        return {"moved": {key: one for key, one in shows.items() if one is not None and abs(one) >= WAN / 20},
                "plain": plain}  # fmt: skip

    def flagged(self, flag: Row) -> str:
        """What looks wrong: all of it opens its node or, where it has no numbers, whose it is opens the figure."""
        message = str(flag["message"][self.lang])
        if flags.has_node(flag) and flag["explain"]:
            name = {
                lang: f"{check}{flag['name'][lang]}"
                for lang, check in (("zh", "需要核实："), ("en", "to be checked: "))
            }
            numbers = {lang: flag_words.numbers(flag, lang) for lang in ("zh", "en")}
            self.figures.append({"question": flag["explain"], "name": name, "numbers": numbers})
            said = message.rstrip("。.")
            return saying.marked(len(self.figures) - 1, said) + message[len(said) :]
        names = (flag["name"][self.lang], flag["name"][self.lang].replace(" · ", ""))
        end = next((len(name) for name in names if message.startswith(name)), len(message))
        if not flag["explain"]:
            return message
        self.figures.append({"question": flag["explain"]})
        return saying.marked(len(self.figures) - 1, message[:end]) + message[end:]

    @property
    def tables(self) -> list[str]:
        """What the report's tables are of, in their order."""
        pulled = self.ranked("sectors", True) or self.ranked("sectors", False)
        there = {"domains": self.made["domains"], "areas": len(self.made["areas"]) > 1, "sectors": pulled}
        return [key for key, any_of_it in there.items() if any_of_it]

    def number(self, key: str) -> int:
        """The number of a table, or of the figure of `causes`."""
        if key == "causes":
            return 1 + (len(self.made["months"]) > 1)
        return self.tables.index(key) + 1

    def gaps(self, when: str) -> str:
        """Who has not reported which months, of this year (`now`) or of the one before."""
        return gaps.said(self.made["gaps"][when], self.lang)

    def effects(self) -> tuple[list[Row], Row | None]:
        """The effects that show, the strongest first, and what is only a change of scope."""
        parts = [one for one in self.made["causes"]["effects"] if abs(one["percent"] or 0) >= LEAST]
        scope = next((one for one in parts if one["effect"] == "scope"), None)
        return sorted((one for one in parts if one is not scope), key=lambda one: -abs(one["percent"])), scope

    def undecomposed(self) -> float:
        """What of the change the effects do not explain (t CO2): what official totals moved."""
        causes, (_, scope) = self.made["causes"], self.effects()
        if causes["period"] != self.made["period"]:
            return 0.0
        return float((self.made["change"] or 0.0) - causes["change"] + (scope["value"] if scope else 0.0))

    def factors(self) -> str:
        """What has no factor and is in no total, which factors were borrowed, that later rows are not in, and that
        figures are in twice."""
        told = [one["message"][self.lang] for one in self.made["missing"]]
        told += [self.borrowed(one) for one in self.made["factors"]]
        told += [self.made["later"]["message"][self.lang]] if self.made["later"] else []
        told += [self.twice()] if self.made["doubled"] else []
        return ("" if self.lang == "zh" else " ").join(told)

    def twice(self) -> str:
        """That figures count twice, and of which datasets they are."""
        count, zh = len(self.made["doubled"]), self.lang == "zh"
        names = ("、" if zh else ", ").join(sorted({name for one in self.made["doubled"] for name in one["datasets"]}))
        if zh:
            return f"有{count}处数被重复计入（数据集{names}），排放偏大，须先核对。"
        said = "1 figure counts twice" if count == 1 else f"{count} figures count twice"
        return f"{said} (datasets {names}): emissions are too high until this is put right."

    def borrowed(self, one: Row) -> str:
        """What is said of a borrowed factor; its value opens the page of the factor."""
        quantity, message = f"{one['value']:g} {one['unit']}", str(one["message"][self.lang])
        asked = [f"--{name} {one[key]}" for name, key in (("place", "place"), ("carrier", "carrier"), ("at", "year"))
                 if one[key]]  # fmt: skip
        name = {"zh": "借用的因子", "en": "factor borrowed"}
        command = " ".join(["dualcarbon factors find", one["parameter"], *asked])
        self.figures.append({"href": f"/factors/{one['parameter']}", "name": name, "command": command,
                             "numbers": dict.fromkeys(name, quantity)})  # fmt: skip
        return message.replace(quantity, saying.marked(len(self.figures) - 1, quantity), 1)

    def never(self, names: dict[str, str]) -> dict[str, list[str]]:
        """The places that never reported a part, by what it is called in `names`; all of a city as the city."""
        told: dict[str, list[str]] = {}
        for one in self.made["never"]:
            told.setdefault(names[one["part"]], []).append(one["name"][self.lang])
        return {what: [self.name] if self.made[part] is None else told[what]
                for part, what in names.items() if what in told}  # fmt: skip

    def states(self) -> list[Row]:
        """What the replay says of each state of information, that of the month shown first, where it says something."""
        record = self.made["record"]
        if not record:
            return []
        told = sorted(record["states"].values(), key=lambda one: one["state"] != record["state"])
        return [
            one for one in told if None not in (one["coverage90"], one["error_percent"], one["total"]["error_percent"])
        ]

    def scored(self, one: Row) -> dict[str, str]:
        """Errors in percent and how often the intervals held, as figures: of the replay's cells or of its `total`, of
        which `held` is the months."""
        said = {}
        asked = {key: kept for key, kept in one["question"].items() if key not in self.made["question"]}
        for name in ("error_percent", "last_value_error_percent", "coverage90"):
            value = one[name] * (100 if name == "coverage90" else 1) if one[name] is not None else None
            said[name] = "—" if value is None else self.put(f"{number(value, 1)}%", value, "%", **asked)
        if "held" in one:
            said["held"] = self.put(str(one["held"]), one["held"], "months", **asked)
        return said

    @property
    def guessed(self) -> bool:
        """Whether any of the months is estimated."""
        return self.made["low"] is not None

    @property
    def full(self) -> bool:
        """Whether the year has all its months."""
        return len(self.made["period"]) == 4

    def left(self) -> str:
        """The target less what has been emitted, without its sign."""
        gap = self.made["target"]["gap"]
        return self.put(self.amount(gap), abs(gap), "tCO2", kind="target", period=self.made["period"])
