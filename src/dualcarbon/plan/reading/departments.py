"""Who is responsible: names as the plan writes them, who leads, and which listed department each one is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dualcarbon.plan.reading.document import Passage
from dualcarbon.plan.reading.script import tight

_ENDING = (
    "办公室|委员会|管委会|工委|委|局|办|厅|部|中心|公司|集团|银行|分行|支行|中支|学院|大学|研究院|科学院|院|总工会|妇联|联合会|协会|"
    "商会|供销社|联社|署|政府|处|站|支队|总队|大队|残联|工商联|团市委|区|新城|示范区"
)
_LIKE = re.compile(
    rf"^(?:(?:[\u4e00-\u9fff]{{2,4}}?)?(?:市|省|县|区|州)|国网|人行|中国|国家|团|浙江|[\u4e00-\u9fff]{{2,3}})?[\u4e00-\u9fff]{{1,18}}(?:{_ENDING})$"
)
_STYLED = re.compile(r"^(?:市|省|县|区|州|国网|人行|中国人民银行|团市委|[\u4e00-\u9fff]{2,4}(?:市|县|区|州))")
_GROUP = re.compile(r"^各|(?:相关|有关|责任|其他|成员|各)(?:责任|职能|市级)*(?:单位|部门|地区?|主体)$")
_SUFFIX = re.compile(r"(办公室|委员会|公司|中心|分局|局|委|办|厅|部)$")
_TAIL = re.compile(
    r"(?:等(?:部门|单位|市级部门)?)?(?:按(?:照)?(?:各自)?职[责能](?:分工)?(?:分别)?(?:负责|落实)?|分别(?:牵头|负责)|(?:共同)?(?:牵头)?负责|等(?:部门|单位)?)$"
)


@dataclass(frozen=True)
class Department:
    """One name in a list of departments. `kind`: department | group (各县市区, 相关单位) | note (other words)."""

    name: str
    role: str  # lead | joint
    kind: str = "department"
    stated: bool = False  # the text itself says who leads
    office: str | None = None  # a part of it named in brackets
    listed: str | None = None  # its name in the plan's own list of departments
    parts: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        row: dict[str, Any] = {"name": self.name, "role": self.role, "part": list(self.parts), "kind": self.kind}
        row |= {"listed": self.listed, "stated": self.stated}
        return row | ({"office": self.office} if self.office else {})


@dataclass
class Registry:
    """The departments a plan lists as its own (an annex), with the place's name that may stand before each."""

    names: tuple[str, ...] = ()
    passage: Passage | None = None
    city: str | None = None
    _plain: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._plain = {self.plain(name): name for name in self.names}

    def plain(self, name: str) -> str:
        """Return a name without the city's own name before 市: 嘉兴市经信局 is 市经信局."""
        if self.city and name.startswith(self.city) and len(name) > len(self.city) + 1:
            return "市" + name[len(self.city) :]
        return name

    def resolve(self, department: Department) -> Department:
        """Return the department with its listed name where the names agree; nothing is guessed."""
        return replace(department, listed=self._plain.get(self.plain(department.name)))

    def candidates(self, name: str) -> list[str]:
        """Return the listed names that `name` may be a variant of: same stem, or one the other's abbreviation."""
        return [listed for listed in self.names if listed != name and variant(name, listed)]


def stem(name: str) -> str:
    """Return what a name says besides its level and the kind of office: 市电力公司 and 市电力局 both give 电力."""
    text = re.sub(r"^(?:[\u4e00-\u9fff]{2,3}(?=市))?(?:市委|市|省|县|区|州)?", "", name)
    shorter = _SUFFIX.sub("", text)
    return shorter if len(shorter) >= 2 else text


def variant(one: str, other: str) -> bool:
    """True when two names may be one department's: equal stems, or one stem abbreviates the other."""
    a, b = sorted((stem(one), stem(other)), key=len)
    if len(a) < 2 or one == other:
        return False
    if a == b:
        return True
    letters = iter(b)
    return (a[0] == b[0] and all(letter in letters for letter in a)) or (len(b) - len(a) == 1 and a in b)


def is_department(text: str) -> bool:
    """True for a text that reads as one department's name."""
    return len(text) <= 25 and bool(_LIKE.match(text))


def parse(text: str, known: Iterable[str] = ()) -> list[Department]:
    """Return the departments of a list such as `市建设局牵头，市机关事务中心、市经信局` in order.

    The first of a list without 牵头 is taken to lead, as officials write it, and `stated` stays False.
    """
    names = frozenset(known)
    clean = re.sub(r"[ \t]+", "", _joined(text, names))
    found: list[Department] = []
    role: str | None = None
    for segment in _cut(clean, ",;。\n"):
        label = re.match(
            r"^\(?(牵头|主办|责任|负责|主管|配合|协同|协办|参与|参加|协作)(?:单位|部门|处室|责任单位)?:", segment
        )
        if label:
            role = "lead" if label[1] in ("牵头", "主办", "主管") else None if label[1] in ("责任", "负责") else "joint"
            segment = segment[label.end() :]
        here, stated = role, label is not None and role is not None
        if match := re.search(r"(?:为)?牵头(?:单位|部门|负责|落实|抓总)*$", segment):
            segment, here, stated = segment[: match.start()], "lead", True
        elif match := re.search(r"(?:积极|协同)?(?:配合|参与|协助|协同)(?:落实|实施|推进)?$", segment):
            segment, here, stated = segment[: match.start()], "joint", True
        for item in _cut(segment, "、"):
            for name in _names(item, names):
                entry = _entry(name, here or "", stated)
                if entry is not None and entry.name not in {one.name for one in found}:
                    found.append(entry)
    led = any(one.role == "lead" for one in found)
    first = next((i for i, one in enumerate(found) if one.kind == "department"), None)
    return [
        replace(one, role=one.role or ("lead" if not led and i == first else "joint")) for i, one in enumerate(found)
    ]


def _joined(text: str, names: frozenset[str]) -> str:
    """Join names that a line break cut, and part names that stand on lines of their own."""
    from dualcarbon.plan.reading.script import fold, simplify

    lines = [line.strip() for line in fold(simplify(text)).split("\n") if line.strip()]
    joined = ""
    for line in lines:
        ended = joined.endswith(tuple("、,;。:("))
        whole = is_department(re.split("[、,;。:]", joined)[-1]) and is_department(re.split("[、,;。:(]", line)[0])
        joined += line if not joined or ended or not whole else "、" + line
    # Names run together without a mark: 市发展改革委市经信局.
    return re.sub(
        r"(?<=[\u4e00-\u9fff]{2}[局委办厅])(?=市[\u4e00-\u9fff]{2,8}(?:局|委|办|中心)(?:[、,;]|市|$))", "、", joined
    )


def _cut(text: str, marks: str) -> list[str]:
    """Cut at marks that stand outside brackets."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth = max(0, depth - 1)
        elif character in marks and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _names(item: str, known: frozenset[str]) -> list[str]:
    if item in known:
        return [item]
    for match in re.finditer("以及|及其?|和|与", item):
        before, after = item[: match.start()], item[match.end() :]
        if (before in known or is_department(before)) and (is_department(after) or _GROUP.search(after)):
            return [before, *_names(after, known)]
    return [item]


def _entry(text: str, role: str, stated: bool) -> Department | None:
    text = re.sub(r"^[^\w(\[]+|[^\w)\]]+$", "", text)
    if (text and _GROUP.search(text)) or re.match(r"^(?:所辖|全市)?各", text):
        text = re.sub("为(?:责任|实施)主体$", "", text).translate({ord("["): "(", ord("]"): ")"})
        return Department(text, role, kind="group", stated=stated)
    text = _TAIL.sub("", text)
    office = None
    if match := re.match(r"^([^()\[\]]+)[(\[]([^()\[\]]+)[)\]]$", text):
        text, office = match[1], match[2]
    if not text or text in ("下同", "略", "无", "/"):
        return None
    return Department(text, role, kind="department" if is_department(text) else "note", stated=stated, office=office)


# A list of departments at the end of a paragraph, without brackets.
_LABELLED = re.compile(
    r"(?<![^。;\s])(?:牵头|责任|主办|负责|配合)(?:单位|部门):[^。()]{2,}(?:\([^()]*\)[^。()]*)*。?\s*$"
)


def bracketed(passage: Passage, known: Sequence[str] = (), start: int = 0) -> list[tuple[int, int, list[Department]]]:
    """Return the brackets of a text that hold departments only, and a labelled list at its end, in order.

    Each is (start, end, departments).
    """
    found = []
    names = frozenset(known)
    if (tail := _LABELLED.search(passage.folded)) and tail.start() >= start:
        people = parse(tail[0], names)
        if people and all(one.kind != "note" for one in people):
            found.append((tail.start(), tail.end(), people))
    for match in re.finditer(r"[(\[](?P<inside>(?:[^()\[\]]|[(\[][^()\[\]]*[)\]])+)[)\]]", passage.folded):
        if match.start() < start:
            continue
        inside = match["inside"]
        people = parse(inside, names)
        real = [one for one in people if one.kind == "department"]
        labelled = bool(re.match(r"^(牵头|责任|负责|主办|配合)(单位|部门)?:", tight(inside)))
        styled = any(one.name in names or (_STYLED.match(one.name) and not one.name.endswith("区")) for one in real)
        fits = labelled or (styled and all(len(one.name) > 2 for one in real))
        if real and fits and all(one.kind != "note" for one in people):
            found.append((match.start(), match.end(), people))
    return sorted(found, key=lambda one: one[0])
