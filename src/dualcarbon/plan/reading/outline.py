"""The prose of a plan: its title, date and number, its list of departments, its domains and numbered tasks."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dualcarbon.plan.reading import departments
from dualcarbon.plan.reading.document import Document, Passage, Table
from dualcarbon.plan.reading.quantities import chinese_number
from dualcarbon.plan.reading.script import fold, tight

_KIND = re.compile(
    r"(工作)?(要点|计划|方案|清单|台账|任务书?|行动|安排|意见|规划|分工|部署)(?:\((?:试行|征求意见稿|草案)\))?$"
)
_LEVELS = (
    re.compile(r"^\s*(?P<n>[一二三四五六七八九十]{1,3})\s*[、.]\s*(?P<rest>.+)", re.S),
    re.compile(r"^\s*\((?P<n>[一二三四五六七八九十]{1,3})\)\s*(?P<rest>.+)", re.S),
    re.compile(r"^\s*(?P<n>\d{1,3})\s*[.、](?!\d)\s*(?P<rest>.+)", re.S),
)
_ANNEX = re.compile(r"^(附件|附表|附录|附)\d*[一二三四五六七八九十]?[:、.]?")
_CAPTION = re.compile(r"^(附表|表)\d*[一二三四五六七八九十]*[-、.:]?")
_DATE = re.compile(
    r"^\(?(?P<y>20\d\d|二[〇零○0]..)年(?P<m>\d{1,2}|[一二三四五六七八九十]{1,2})月(?P<d>\d{1,2}|[一二三四五六七八九十]{1,3})日(?:印发|发布)?\)?$"
)
_YEAR = re.compile(r"20\d\d|二[〇零○][〇零○一二三四五六七八九]{2}")
_LABELLED_DATE = re.compile(r"(?:成文|印发|发布|发文)(?:日期|时间):?(20\d\d)[-./年](\d{1,2})[-./月](\d{1,2})")
_NUMBER = re.compile(
    r"^(?:文号|发文字号|[\u4e00-\u9fff]{2,20}文件)?:?(?P<n>[\u4e00-\u9fff]{2,12}[\[(]20\d\d[\])]\d{1,4}号)$"
)
_FURNITURE = re.compile(r"^(抄送|主送|\(?此件|联系人|编辑|来源|责任编辑|扫一扫|打印|-?\d+-?$)")


@dataclass
class Point:
    """A numbered task of the prose: its paragraphs, and the domain it stands under."""

    number: int
    label: str
    domain: str | None
    passages: list[Passage]

    @property
    def title(self) -> str:
        return title_of(self.passages[0].simple)


@dataclass
class Outline:
    """What the prose says, besides its tables."""

    title: str | None = None
    year: int | None = None
    issued: str | None = None
    dated: Passage | None = None
    document_number: str | None = None
    city: tuple[str, str] | None = None  # 嘉兴, 市
    listed: departments.Registry = field(default_factory=departments.Registry)
    domains: list[tuple[str, Passage]] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    headline: list[Passage] = field(default_factory=list)


def title_of(text: str) -> str:
    """Return a task's title: its first sentence without its number."""
    plain = re.sub(
        r"^\s*(?:[（(]?[一二三四五六七八九十\d]{1,3}[）)]?\s*[.、．]?\s*)(?=[\u4e00-\u9fff“\"《])", "", text.strip()
    )
    return re.split(r"[。；;\n]", plain, maxsplit=1)[0].strip()[:60]


def captions(document: Document) -> dict[int, tuple[Passage, ...]]:
    """Return, by the index of each table's block, the short passages that stand right before it."""
    found: dict[int, tuple[Passage, ...]] = {}
    for i, block in enumerate(document.blocks):
        if not isinstance(block, Table):
            continue
        above: list[Passage] = []
        for earlier in reversed(document.blocks[max(0, i - 3) : i]):
            if isinstance(earlier, Table) or "。" in earlier.raw or len(tight(earlier.raw)) > 45:
                break
            if any(level.match(earlier.folded) for level in _LEVELS) and not _CAPTION.match(tight(earlier.raw)):
                break
            if _DATE.match(tight(earlier.raw)):
                break
            above.insert(0, earlier)
            if _ANNEX.match(tight(earlier.raw)) or _CAPTION.match(tight(earlier.raw)):
                break
        found[i] = tuple(above)
    return found


def read(document: Document) -> Outline:
    """Return the outline of a document's passages; what it does not say stays None or empty."""
    captioned = {id(p) for above in captions(document).values() for p in above}
    passages = [block for block in document.blocks if isinstance(block, Passage)]
    prose = [p for p in passages if id(p) not in captioned]
    outline = Outline()
    level = _task_level(prose)
    first = next(
        (
            i
            for i, p in enumerate(prose)
            if _LEVELS[0].match(p.folded) or (level is not None and _LEVELS[level].match(p.folded))
        ),
        len(prose),
    )
    begin = _title(outline, prose, passages, first)
    _letterhead(outline, passages)
    _listed(outline, document, passages)
    if level is not None:
        _body(outline, prose[begin:], level)
    else:
        outline.headline = [
            p for p in prose[begin:] if re.search("[。；;]", p.raw) and not _FURNITURE.match(tight(p.raw))
        ]
    return outline


def _title(outline: Outline, prose: list[Passage], passages: list[Passage], first: int) -> int:
    """Find the title and return the index in `prose` where the body after it begins."""
    candidates: list[tuple[int, str]] = []
    texts = [tight(p.raw) for p in prose]
    for i, text in enumerate(texts):
        if (
            len(text) > 70
            or _ANNEX.match(text)
            or _LEVELS[2].match(text)
            or "。" in text
            or re.search("名单|目录$", text)
        ):
            continue
        name = text.strip('《》"')
        if notice := re.search(r"关于印发《?(.+?)》?的通知", name):
            name = notice[1]
        if not _KIND.search(name) or _LEVELS[0].match(name):
            continue
        if (
            not _YEAR.search(name)
            and i
            and len(texts[i - 1]) <= 30
            and re.search(r"20\d\d年|市|县|区", texts[i - 1])
            and not re.search("[。,;:]", texts[i - 1])
        ):
            name = texts[i - 1] + name
        candidates.append((i, name))
    above = [c for c in candidates if c[0] < first]
    dated = [c for c in above if _YEAR.search(c[1])] or above or [c for c in candidates if _YEAR.search(c[1])]
    begin = 0
    if dated:
        index, outline.title = dated[-1] if above else dated[0]
        begin = index + 1
    else:
        labels = [tight(p.raw).strip("《》") for p in passages if len(tight(p.raw)) <= 60 and "。" not in p.raw]
        labels = [label for label in labels if _KIND.search(label) and not _ANNEX.match(label)]
        outline.title = next((label for label in labels if _YEAR.search(label)), next(iter(labels), None))
    if outline.title:
        _name(outline, outline.title, passages)
    return begin


def title_from_tables(outline: Outline, document: Document) -> None:
    """Take the title, and the year and place with it, from a row above the headings of a table."""
    rows = [row for block in document.blocks if isinstance(block, Table) for row in block.rows[:3]]
    for row in rows:
        own = [cell for cell in row if not cell.blank and not cell.merged]
        if len(own) == 1 and len(tight(own[0].raw)) <= 60 and _KIND.search(tight(own[0].raw).strip("《》")):
            _name(outline, tight(own[0].raw).strip("《》"), own)
            return


def _name(outline: Outline, title: str, passages: Sequence[Passage]) -> None:
    """Set the title, and the year and the place that it names."""
    outline.title = _as_written(title, passages)
    year = _YEAR.search(title)
    outline.year = _calendar(year[0]) if year else outline.year
    if city := re.match(r"^([\u4e00-\u9fff]{2,6}?)(自治州|市|县|区|州|省)", title):
        outline.city = (city[1], city[2])


def _as_written(title: str, passages: Sequence[Passage]) -> str:
    """Return the title with the quotation marks and brackets of the document."""
    for passage in passages:
        text = re.sub(r"\s+", "", passage.simple)
        if (at := fold(text).find(title)) >= 0:
            return text[at : at + len(title)]
    return title


def _letterhead(outline: Outline, passages: Sequence[Passage]) -> None:
    for passage in passages:
        text = tight(passage.raw)
        if outline.document_number is None and (match := _NUMBER.match(text)):
            outline.document_number = (
                match["n"].replace("[", "〔").replace("]", "〕").replace("(", "〔").replace(")", "〕")
            )
        if outline.issued is None and (date := _DATE.match(text)):
            year, month, day = (_calendar(date[part]) for part in "ymd")
            outline.issued, outline.dated = f"{year:04d}-{month:02d}-{day:02d}", passage
    if outline.issued is None:
        for passage in passages:
            if found := _LABELLED_DATE.search(tight(passage.raw)):
                outline.issued = f"{int(found[1]):04d}-{int(found[2]):02d}-{int(found[3]):02d}"
                outline.dated = passage
                break
    if outline.year is None:
        years = Counter(y for p in passages for y in re.findall(r"(20\d\d)年", p.folded))
        if outline.issued:
            outline.year = int(outline.issued[:4])
        elif years:
            outline.year = int(years.most_common(1)[0][0])


def _calendar(text: str) -> int:
    if text.isdigit():
        return int(text)
    if len(text) == 4:
        return int("".join(str("零一二三四五六七八九".find(c.replace("〇", "零").replace("○", "零"))) for c in text))
    return int(chinese_number(text) or 0)


def _listed(outline: Outline, document: Document, passages: Sequence[Passage]) -> None:
    """Find the plan's own list of departments: names under a heading that says 名单 (or 成员单位)."""
    city = "".join(outline.city) if outline.city and outline.city[1] in "市县区州" else None
    for i, passage in enumerate(passages):
        heading = tight(passage.raw)
        if (
            len(heading) > 40
            or not re.search("名单|成员单位|责任单位一览|部门简称", heading)
            or re.search(r"^附件:|^\d+[.、]", heading)
        ):
            continue
        names: list[str] = []
        where = None
        for after in passages[i + 1 : i + 60]:
            text = tight(after.raw)
            people = [
                one
                for one in departments.parse(re.sub(r"^\d+[.、]?|^[^:]{1,12}:", "", text))
                if one.kind == "department"
            ]
            if not people or _ANNEX.match(text) or "。" in text[:-1]:
                break
            names += [one.name for one in people]
            where = where or after
        if not names:
            names, where = _listed_in_table(document, passage)
        if len(names) >= 3:
            outline.listed = departments.Registry(tuple(dict.fromkeys(names)), where, city)
            return
    outline.listed = departments.Registry((), None, city)


def _listed_in_table(document: Document, heading: Passage) -> tuple[list[str], Passage | None]:
    index = next(i for i, block in enumerate(document.blocks) if block is heading)
    table = next((b for b in document.blocks[index + 1 : index + 3] if isinstance(b, Table)), None)
    if table is None:
        return [], None
    cells = [cell for row in table.rows for cell in row if not cell.blank and not cell.merged]
    offices = [cell for cell in cells if departments.is_department(tight(cell.raw))]
    return ([tight(cell.raw) for cell in offices], offices[0]) if len(offices) * 3 > len(cells) else ([], None)


def _task_level(prose: Sequence[Passage]) -> int | None:
    """Return which kind of numbering the tasks carry: 1. before (一) before 一、, the deepest that is really used."""
    counts = [sum(bool(level.match(p.folded)) for p in prose) for level in _LEVELS]
    if counts[2] >= 3 and counts[2] >= counts[1]:
        return 2
    if counts[1] >= 3:
        return 1
    return 0 if counts[0] >= 3 else None


def _body(outline: Outline, prose: Sequence[Passage], level: int) -> None:
    """Sort the paragraphs into domains, tasks and what stands before them."""
    seconds = level == 2 and sum(bool(_LEVELS[1].match(p.folded)) for p in prose) > 0
    domain: tuple[str, Passage] | None = None
    current: Point | None = None
    used = False
    for passage in prose:
        text = tight(passage.raw)
        if _ANNEX.match(text) and len(text) < 60:
            current = None
            if outline.points:
                break
            continue
        here = next((k for k in (2, 1, 0) if _LEVELS[k].match(passage.folded)), None)
        if here is not None and here < level:
            if here == 0 and seconds and domain is not None and not used and domain[1] is not passage:
                outline.headline.append(domain[1])
            name = re.split(r"[。;]", _LEVELS[here].match(passage.folded)["rest"], maxsplit=1)[0].strip()  # type: ignore[index]
            start = passage.simple.find(name[:2]) if name else 0
            domain, used, current = (passage.simple[start : start + len(name)].strip(), passage), False, None
            rest = passage.raw[start + len(name) :].lstrip("。;； ")
            if len(rest) > 5:
                outline.headline.append(replace(passage, raw=rest))
            continue
        if here == level:
            match = _LEVELS[level].match(passage.folded)
            assert match is not None
            number = int(chinese_number(match["n"]) or 0)
            current = Point(number, match["n"], domain[0] if domain else None, [passage])
            outline.points.append(current)
            if domain is not None and not used:
                outline.domains.append(domain)
                used = True
            continue
        if _CAPTION.match(text) and len(text) < 40:
            current = None
            continue
        if _FURNITURE.match(text) or _DATE.match(text) or (len(text) <= 25 and departments.is_department(text)):
            current = None if outline.points else current
            continue
        if current is not None:
            current.passages.append(passage)
        elif domain is None or not used:
            outline.headline.append(passage)
    numbers = [point.number for point in outline.points]
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        for i, point in enumerate(outline.points, 1):
            point.number = i
