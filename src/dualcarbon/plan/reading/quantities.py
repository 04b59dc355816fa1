"""Quantities in the prose of a work plan: how much of what, at least or about, firm or hoped for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from dualcarbon.plan.reading import units
from dualcarbon.plan.reading.document import Passage

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_BEFORE = {
    "不低于": ">=", "不少于": ">=", "不小于": ">=", "至少": ">=", "最低": ">=", "≥": ">=", ">=": ">=",
    "不超过": "<=", "不高于": "<=", "不大于": "<=", "不多于": "<=", "控制在": "<=", "≤": "<=", "<=": "<=",
    "大于": ">", "超过": ">", "高于": ">", "突破": ">", ">": ">", "低于": "<", "小于": "<", "<": "<",
    "大约": "~", "约": "~", "近": "~",
}  # fmt: skip
_AFTER = {
    "及以上": ">=",
    "以上": ">=",
    "及以下": "<=",
    "以下": "<=",
    "以内": "<=",
    "之内": "<=",
    "左右": "~",
    "上下": "~",
}
_DOWN = "下降|降低|减少|下调|削减|压减|降幅|降"
_UP = "增长|提高|提升|增加|上升|增幅|增速"
_VERBS = (
    "新增或更新|新增|新建|新开工|新认定|新培育|新创建|淘汰|改造|压减|创建|推广|培育|打造|建成|建设|开工|实施|举办|组织|引进|认定|"
    "开展|推进|推动|完成|达到|实现|安排|落实|争创|形成|遴选|整治|盘活|制定|修订|编制|出台|发放|备案|拆除|关停|治理|提升|更新|购买|签订|发展|投运|建立"
)
# Verbs that the entries of one list share: 新增公交车80辆、出租车800辆.
_SHARED = re.compile(
    "新增或更新|新增|新建|新开工|新认定|新培育|新创建|新引进|淘汰|创建|培育|打造|引进|认定|举办|压减|购置"
)
_BARE = "完成|达到|实现|安排|达|为|有|共|形成|推进|推动|组织|实施|落实"
_LEADING = re.compile(
    r"^(?:[、及与,/\s]|和(?!谐)|并(?!网)|以及|全年|今年|本年|年度|年内|当年|每年|(?:到|至|截至|力争)?20\d\d\s*年(?:年?底|末|度|前)?|“?十[三四五六]五”?末?|力争|争取|确保|保证|努力|计划|预计|拟|完成|实现|"
    r"达到|继续|全市|全省|全县|全区|全国|本市|我市|各地|其中|以来|(?:上|下)半年|[一二三四]季度|(?:\d{1,2}|[一二三四五六七八九十]{1,2})月份?(?:底|末)?(?:之?前)?|累计|总计|合计|共计|共(?!享|同|建|性|有)|安排|组织|推动|推进|实施|开展|积极|大力|持续|深入|加快|全面|"
    r"有序|稳步|扎实|进一步|着力|全力|科学|同步|要求|使(?!用)|将|要(?!素|点)|再(?!生|制)|保持|约(?!束)|年均|同比|较上年|比上年|(?:比|较|与)20\d\d年(?:相比)?)"
)
_TRAILING = re.compile(
    r"(?:[\s\"(:]|继续|保持|稳定|达到|超过|达|(?<!行)为|是|至|到|在|控制|不低于|不少于|不超过|不高于|大于|高于|低于|突破|"
    r"至少|(?<![节合公条])约|(?<!附)近|(?<!行动)(?<!实施)计划|完成|实现|力争|争取|确保|累计|总数|总计|共计|同比|较上年|比上年|(?:比|较|与)20\d\d年(?:相比)?|(?<=.)均)$"
)
_GENERIC = re.compile(
    r"^(?:占.*|(?:建设|改造|种植|推广|建筑|新增|完成|备案|年度|示范|总)?(?:容量|面积|数量|总量|规模|比例|占比|长度|里程|投资|总投资|个数))$"
)
_PLACES = re.compile(r"全省|全国|全市|全县|全区|市区|城区|县城|城镇|城乡|乡村地区|乡村|农村地区|农村|规上|规模以上")
_TITLES = re.compile(r"《[^》]*》|\([^()]*20\d\d\][^()]*\)|[\u4e00-\u9fff]+\[20\d\d\]\d+号")


@dataclass(frozen=True)
class Quantity:
    """One figure of the prose. `value` keeps the sign of the text; `direction` says whether it is a fall or a rise."""

    subject: str
    value: float
    unit: units.Unit
    comparison: str  # = >= <= > < ~ or range (then `high` is set)
    stretch: bool  # 力争: hoped for, not promised
    scope: str  # annual | cumulative | stock | change | level | condition
    passage: Passage
    start: int
    end: int
    sentence: tuple[int, int]
    direction: str | None = None
    place: str | None = None
    period: str | None = None
    high: float | None = None
    context: str = ""
    part: bool = False  # 其中: a part of the figure before it
    since: str | None = None  # a change since that year, over several years

    @property
    def base(self) -> float:
        """The value in base units of its dimension."""
        return self.value * self.unit.factor

    def where(self) -> dict[str, Any]:
        """Return the place with the sentence as the source writes it."""
        return self.passage.where(*self.sentence)

    def as_dict(self) -> dict[str, Any]:
        """Return the quantity for JSON; numbers are numbers, an absent key says nothing special."""
        row: dict[str, Any] = {
            "subject": self.subject,
            "value": number(self.value),
            "unit": self.unit.text,
            "comparison": self.comparison,
            "stretch": self.stretch,
            "scope": self.scope,
        }
        extra = {
            "high": None if self.high is None else number(self.high),
            "direction": self.direction,
            "place": self.place,
            "period": self.period,
            "since": self.since,
        }
        row |= {name: value for name, value in extra.items() if value is not None}
        return row | {"paragraph": self.passage.paragraph}


def number(value: float) -> int | float:
    """Return whole values as int, others as float."""
    return int(value) if float(value).is_integer() else float(value)


def chinese_number(text: str) -> float | None:
    """Return the value of digits or of Chinese numerals below ten thousand; None for anything else."""
    clean = text.replace(",", "")
    if re.fullmatch(r"\d+(\.\d+)?", clean):
        return float(clean)
    if not re.fullmatch("[零〇一二两三四五六七八九十百千点]+", text):
        return None
    whole, _, part = text.partition("点")
    total, current = 0, None
    for character in whole:
        if character in _DIGITS:
            current = _DIGITS[character]
        else:
            step = {"十": 10, "百": 100, "千": 1000}[character]
            total += (1 if current is None else current) * step
            current = 0
    value = float(total + (current or 0))
    if part and all(c in _DIGITS for c in part):
        value += float("0." + "".join(str(_DIGITS[c]) for c in part))
    return value


@cache
def _figure() -> re.Pattern[str]:
    digits = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"
    before = "|".join(re.escape(word) for word in sorted(_BEFORE, key=len, reverse=True))
    after = "|".join(sorted(_AFTER, key=len, reverse=True))
    unit = units.pattern()
    return re.compile(
        rf"(?P<before>{before})?\s*(?:达到?|在|为)?\s*"
        rf"(?:百分之(?P<percent>[零〇一二两三四五六七八九十百点]+|{digits})"
        rf"|(?<![A-Za-z0-9.#\-\[^第])(?<![A-Za-z\d]/)(?P<low>{digits})(?:\s*(?P<lowunit>{unit})?\s*(?:-|~|至|到)\s*(?P<high>{digits}))?"
        rf"\s*(?P<more>余|多)?\s*(?P<unit>{unit})(?!月|工作日)"
        rf"|(?<=建成|新建|创建|培育|打造|完成|新增|建设|改造|实施|开展|举办|淘汰|认定|引进|组织|达到|少于|累计)"
        rf"(?P<words>[两二三四五六七八九十][十百]?[一二三四五六七八九]?)(?P<count>{unit})(?!月|工作日))"
        rf"(?P<after>{after})?"
    )


def find(passage: Passage, year: int | None = None) -> list[Quantity]:
    """Return every quantity of a passage in order; `year` is the plan's own, other target years become `period`."""
    text = _TITLES.sub(lambda m: re.sub(r"\d", "x", m[0]), passage.folded)
    found: list[Quantity] = []
    text = re.sub(r"^\s*\(?[\d一二三四五六七八九十]{1,3}[.、)](?!\d)", lambda m: "。" * len(m[0]), text)  # its number
    for sentence in re.finditer(r"[^。;!?\n]+", text):
        previous: Quantity | None = None
        for match in _figure().finditer(text, sentence.start(), sentence.end()):
            quantity = _read(passage, text, match, sentence.span(), previous, year)
            if quantity is not None:
                found.append(quantity)
                previous = quantity
    return found


def _read(
    passage: Passage,
    text: str,
    match: re.Match[str],
    sentence: tuple[int, int],
    previous: Quantity | None,
    year: int | None,
) -> Quantity | None:
    figure = match["percent"] or match["low"] or match["words"]
    value = chinese_number(figure)
    unit = units.parse("%" if match["percent"] else match["unit"] or match["count"])
    if value is None or unit is None or re.search("[由从自]$", text[: match.start()]):
        return None
    clause = _clause_start(text, sentence[0], match.start())
    begin = max(clause, previous.end if previous else 0)
    ahead = text[begin : match.start()]
    stop = re.search(r"[,、。:()\d]|$", text[match.end() : sentence[1]])
    assert stop is not None
    behind = text[match.end() : match.end() + stop.start()]
    if unit.text == "期" and not re.search(r"(班|培训|活动|课程|讲座|论坛|沙龙)$", ahead) and not behind:
        return None
    condition = _is_condition(match, unit, ahead, text[match.end() : sentence[1]])
    relative = unit.dimension in ("ratio", "points", "times") or "/" in unit.dimension
    direction, level = _direction(ahead, relative)
    subject, action = strip(ahead, directed=direction is not None or level)
    end = match.end()
    if not subject and behind and not relative:
        subject = (action if action and not re.fullmatch(_BARE, action) else "") + _plain(behind)
        end = match.end() + stop.start()
    elif not subject:
        subject = action if action and not re.fullmatch(_BARE, action) else ""
    listed = previous is not None and bool(re.match(r"\s*([、和及]|以及)", ahead))
    part = "其中" in ahead or bool(listed and subject and previous and previous.part)
    inherited = part or not subject or bool(_GENERIC.match(subject))
    if inherited:
        subject = _inherit(text, sentence[0], clause, previous, subject, part)
    elif previous is not None and listed and not relative:
        shared = _SHARED.match(previous.subject)
        if shared and not re.match(_VERBS, subject):
            subject = shared[0] + subject
    if condition:
        subject = re.sub("^[以对按将]", "", subject)
    whole = text[clause : match.start()]
    covers_all = bool(re.search("全覆盖|全部|全面完成|全面覆盖", text[match.end() : sentence[1]].split(",")[0]))
    period = _period(whole, year)
    scope = (
        "condition"
        if condition
        else "change"
        if direction
        else "cumulative"
        if re.search("累计|总数|总量达|保有量|总计|合计|总里程", whole)
        else "level"
        if relative
        else "stock"
        if covers_all
        else "annual"
    )
    if inherited and scope == "cumulative":
        subject = re.sub("^(?:新增|新建|新认定|新培育)", "", subject)
    since = re.search(r"(?:较|比|与)(20\d\d)年", whole) if direction else None
    base = since[1] if since else previous.since if direction and inherited and previous else None
    return Quantity(
        subject=subject,
        value=value,
        unit=unit,
        comparison=_comparison(match),
        stretch=bool(re.search("力争|争取|力促|争创", whole)) or bool(inherited and previous and previous.stretch),
        scope=scope,
        passage=passage,
        start=match.start(),
        end=end,
        sentence=sentence,
        direction=direction,
        place=next((m for m in ("全省", "全国") if m in whole), None) or _last(_PLACES, ahead),
        period=period,
        high=chinese_number(match["high"]) if match["high"] else None,
        context=text[slice(*sentence)],
        part=part,
        since=base if base and (year is None or int(base) < year - 1) else None,
    )


def _comparison(match: re.Match[str]) -> str:
    if match["high"]:
        return "range"
    if match["after"]:
        return _AFTER[match["after"]]
    if match["before"]:
        return _BEFORE[match["before"]]
    return ">" if match["more"] else "="


def _clause_start(text: str, low: int, high: int) -> int:
    """Return where the clause of a figure begins; clauses that only say when or how join the next one."""
    start = high
    while True:
        cut = max(text.rfind(mark, low, start) for mark in ",:")
        here = max(low, cut + 1)
        if cut < low:
            return low
        before = max(max(text.rfind(mark, low, cut) for mark in ",:") + 1, low)
        if strip(text[before:cut])[0] or re.search(r"\d", re.sub(r"20\d\d", "", text[before:cut])):
            return here
        start = cut


def strip(text: str, directed: bool = False) -> tuple[str, str]:
    """Return what a clause speaks of without adverbs, dates and verbs of saying, and the verb if that is all it has.

    `directed`: the clause ends in a rise or fall (下降, 提高到), which is taken off too.
    """
    text = text.strip()
    while (match := _LEADING.match(text)) and match.end():
        text = text[match.end() :]
    text = _without_tail(text)
    if directed:
        text = _without_tail(re.sub(rf"({_UP}|{_DOWN})(率|了)?$", "", text))
        text = re.sub(r"[由从自]\d[^,]*$", "", text)  # from where it rises
    text = _plain(text)
    return ("", text) if re.fullmatch(_VERBS, text) else (text, "")


def _without_tail(text: str) -> str:
    while (shorter := _TRAILING.sub("", text)) != text:
        text = shorter
    return text


def _plain(text: str) -> str:
    """Return `text` without quotation marks, spaces and a bracket left open."""
    text = re.sub(r"[\"\s]", "", text)
    text = re.sub(r"^的|[,、:]+$", "", text)
    for opening, closing in ("()", "[]"):
        if text.count(opening) > text.count(closing):
            text = text[: text.rfind(opening)]
        elif text.count(closing) > text.count(opening):
            text = text[text.find(closing) + 1 :]
    return text


def _direction(ahead: str, relative: bool) -> tuple[str | None, bool]:
    """Return `up` or `down` for a change, and whether the figure is the level that a change leads to."""
    end = re.sub(r"(了|约|力争|不低于|不少于|超过|达到?|为|[\s:(])+$", "", ahead)
    if re.search(rf"({_UP}|{_DOWN})(至|到)$", end):
        return None, True
    if not relative:
        return ("down", False) if re.search("(下降|降低|减少|下调|削减)$", end) else (None, False)
    if re.search(rf"({_DOWN})率?$", end):
        return "down", False
    if re.search(rf"({_UP})率?$", end):
        return "up", False
    return None, False


def _is_condition(match: re.Match[str], unit: units.Unit, ahead: str, behind: str) -> bool:
    """True for a threshold that says whom a rule covers (年综合能耗10万吨标准煤以上企业), not what is to be reached."""
    if behind.startswith("的") and (match["after"] or match["before"] in ("大于", "高于", "超过", "低于", "小于")):
        return unit.dimension != "count"
    if not match["after"] or unit.dimension == "count" or not re.match(r"[\u4e00-\u9fff]", behind):
        return False
    if re.match("[且并和与占等比或]", behind):
        return False
    return "下" in match["after"] or not re.search(rf"({_VERBS}|力争|累计)$", ahead.strip())


def _inherit(text: str, low: int, clause: int, previous: Quantity | None, subject: str, part: bool) -> str:
    if previous is not None:
        if part and subject:
            return f"{previous.subject.split('(')[0] if previous.part else previous.subject}({subject})"
        return previous.subject + subject
    end = clause - 1
    while end > low:
        start = max(max(text.rfind(mark, low, end) for mark in ",:") + 1, low)
        name, _ = strip(text[start:end])
        if len(name) > 1:
            return name[-40:] + subject
        end = start - 1
    title = re.split(r"[。;,]", re.sub(r"^[\d一二三四五六七八九十()]+[.、]?", "", text.strip()), maxsplit=1)[0]
    return subject or title[:40]


def _period(clause: str, year: int | None) -> str | None:
    years = re.findall(r"(?<![比较以与从])(20\d\d)\s*年(?!以来|起|前|相比|的?基数)", clause)
    return years[-1] if years and (year is None or int(years[-1]) != year) else None


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.findall(text)
    return found[-1] if found else None
