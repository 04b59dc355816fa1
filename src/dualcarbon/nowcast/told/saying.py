"""Figures in sentences: a number that opens is marked where the sentence is made, and split off where it is shown."""

import re
from collections.abc import Sequence
from typing import Any

Figure = dict[str, Any]
#: Each status in words.
STATUS = {
    "official": {"zh": "官方", "en": "official"},
    "secondary": {"zh": "转引", "en": "secondary"},
    "unverified": {"zh": "未核实", "en": "unverified"},
    "synthetic": {"zh": "演示数据", "en": "synthetic"},
}
#: What stands behind a title whose data have a status that readers must not miss.
MARKS = {"unverified": STATUS["unverified"], "synthetic": {"zh": "演示数据", "en": "synthetic data"}}
_MARK = re.compile("\ue000(\\d+)\ue001([^\ue002]*)\ue002")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
#: Parts of a year by their letter in a period's text (``2024-Q1``, ``2024H1``).
_PARTS = {"zh": {"Q": ("一季度", "二季度", "三季度", "四季度"), "H": ("上半年", "下半年")},
          "en": {"Q": ("first quarter", "second quarter", "third quarter", "fourth quarter"),
                 "H": ("first half", "second half")}}  # fmt: skip


def marked(number: int, text: str) -> str:
    """A figure inside a sentence: its text, and its `number` among the figures."""
    return f"\ue000{number}\ue001{text}\ue002"


def plain(text: str) -> str:
    """A marked text as people read it."""
    return _MARK.sub(lambda found: found[2], text)


def lines(text: str, figures: Sequence[Figure]) -> list[list[Figure]]:
    """A marked text as lines of segments: {text}, and of a figure also {value, unit, of, name, question or query}; of a
    name that opens something {text, question}; a sentence that does has {name, numbers} too, a factor {href, command}.

    `question` is what `nowcast.open_figure`, or with a `kind` `nowcast.open_reason`, is asked; `query` is that of
    ``dualcarbon explain``. The opened node holds the number as its `of` (value, low, high …), or among its inputs.
    """
    made = []
    for line in text.split("\n"):
        segments: list[Figure] = []
        end = 0
        for found in _MARK.finditer(line):
            if found.start() > end:
                segments.append({"text": line[end : found.start()]})
            segments.append({**figures[int(found[1])], "text": found[2]})
            end = found.end()
        if end < len(line):
            segments.append({"text": line[end:]})
        if segments:
            made.append(segments)
    return made


def told(text: str, figures: Sequence[Figure]) -> list[Figure]:
    """The figures of a marked text in their order, each once."""
    made: list[Figure] = []
    for found in _MARK.finditer(text):
        one = {**figures[int(found[1])], "text": found[2]}
        if one not in made:
            made.append(one)
    return made


def month(text: str, lang: str) -> str:
    """A month (``2024-04``) as people write it: ``2024年4月``, ``April 2024``."""
    year, number = text[:4], int(text[5:7])
    return f"{year}年{number}月" if lang == "zh" else f"{_MONTHS[number - 1]} {year}"


def months(numbers: Sequence[int], lang: str) -> str:
    """Month numbers of one year: ``1—4月``, ``January to April``."""
    first, last = min(numbers), max(numbers)
    if lang == "zh":
        return f"{first}月" if first == last else f"{first}—{last}月"
    return _MONTHS[first - 1] if first == last else f"{_MONTHS[first - 1]} to {_MONTHS[last - 1]}"


def period(text: str, lang: str) -> str:
    """A year, its half or quarter (``2024-Q1``), a month, or months (``2024-01/2024-04``): ``2024年1—4月``, ``January
    to April 2024``; both years where they differ: ``2023年11月至2024年2月``."""
    if part := re.fullmatch(r"(\d{4})-?([QH])(\d)", text):
        year, named = part[1], _PARTS[lang][part[2]][int(part[3]) - 1]
        return f"{year}年{named}" if lang == "zh" else f"the {named} of {year}"
    start, _, end = text.partition("/")
    if len(start) == 4:
        return f"{start}年" if lang == "zh" else start
    if not end:
        return month(start, lang)
    if start[:4] != end[:4]:
        return f"{month(start, lang)}{'至' if lang == 'zh' else ' to '}{month(end, lang)}"
    numbers = months([int(start[5:7]), int(end[5:7])], lang)
    return f"{start[:4]}年{numbers}" if lang == "zh" else f"{numbers} {start[:4]}"


def earlier(text: str, years: int = 1) -> str:
    """The same period so many years before."""
    return "/".join(f"{int(part[:4]) - years}{part[4:]}" for part in text.split("/"))


def between(first: str, last: str) -> str:
    """The months from one (``2024-06``) to another of the same year as a period."""
    return first if first == last else span(int(first[:4]), int(last[5:7])) if first[5:] == "01" else f"{first}/{last}"


def span(year: int, last: int) -> str:
    """January to a month of a year as a period."""
    return str(year) if last == 12 else f"{year}-01" if last == 1 else f"{year}-01/{year}-{last:02d}"
