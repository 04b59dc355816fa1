"""When two names in a plan mean one thing: what they share, and what each says beyond that."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from dualcarbon.plan.reading.script import fold

# Words that leave the meaning as it is.
_EMPTY = re.compile(
    r"(?:全市|本市|我市|全年|年度|计划|力争|完成|实现|达到|推进|推动|实施|组织|开展|进行|工作|工程|数量|个数|总数|总量|面积|容量|长度|里程|累计|及以上|以上|全覆盖|规模|任务|试点|示范性?|建设|"
    r"创建|打造|新增|新建|建成|培育|推广|新认定|认定|累计|等|的|[率量]$)+"
)
# Words that narrow what a figure covers.
SCOPES = re.compile(
    r"规上|工业|建筑业|服务业|农业|交通|公共机构|居民|乡村|农村|城镇|城乡|市区|县城|城区|全省|全国|国家级|省级|市级|县级|"
    r"可再生能源|非化石能源|新能源|光伏|风电|公共|营运|主要|重点|专用|单位面积"
)


@dataclass(frozen=True)
class Likeness:
    """`score` from 0 to 1; `extra_a`, `extra_b`: what only one of the names says, empty words left out."""

    score: float
    extra_a: str
    extra_b: str
    shared: str
    loose: float  # the score with empty words counted
    bare_b: str  # `extra_b` before the context was asked
    other_head: bool  # the longer name goes on to another noun, which in Chinese names another thing

    @property
    def contained(self) -> bool:
        """One name says all that the other says."""
        return not self.extra_a or not self.extra_b


@cache
def _synonyms() -> tuple[tuple[str, str], ...]:
    path = Path(__file__).with_name("synonyms.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [(row["word"], row["means"]) for row in csv.DictReader(lines)]
    return tuple(sorted(rows, key=lambda pair: -len(pair[0])))


@lru_cache(maxsize=20_000)
def core(name: str) -> str:
    """Return a name in its common form: synonyms replaced, brackets and punctuation left out."""
    text = fold(name)
    text = re.sub(r"\((?!.?\))[^()]*\)", "", text)
    for word, means in _synonyms() * 2:  # one replacement may make another word: 万元地区生产总值能耗
        text = text.replace(word, means)
    return re.sub(r"[^\w%]", "", text)


@lru_cache(maxsize=50_000)
def compare(a: str, b: str, context: str = "") -> Likeness:
    """Compare two names by their longest common pieces, whatever their order.

    `context` is the sentence around `a`: what `b` says and the sentence says too is not counted against them.
    """
    left, right = core(a), core(b)
    rest_a, rest_b, shared = left, right, []
    while True:
        piece = _longest(rest_a, rest_b)
        if len(piece) < 2:
            break
        shared.append(piece)
        rest_a = rest_a.replace(piece, "|", 1)
        rest_b = rest_b.replace(piece, "|", 1)
    if not shared and len(left) == 1 and right.endswith(left):
        shared, rest_a, rest_b = [left], "|", right[:-1] + "|"
    common = sum(len(piece) for piece in shared)
    around = core(context)
    extra_a = meaning(rest_a)
    bare_b = meaning(rest_b)
    extra_b = "".join(p for p in (meaning(q) for q in rest_b.split("|")) if p and not (len(p) > 1 and p in around))
    if around and extra_b and (pieces := _known_in(extra_b, around)) is not None:
        extra_b = pieces
    full = len(meaning(left)) + len(meaning(right))
    score = min(1.0, 2 * sum(len(meaning(p)) for p in shared) / full) if full else float(common > 0)
    loose = 2 * common / (len(left) + len(right)) if left and right else 0.0
    other_head = any(
        extra and meaning(text).endswith(extra[-2:]) for text, extra in ((left, extra_a), (right, extra_b))
    )
    common_meaning = "".join(meaning(piece) for piece in shared)
    return Likeness(score, extra_a, extra_b, common_meaning, loose, bare_b, other_head)


def meaning(text: str) -> str:
    """Return a text without the words that leave its meaning as it is."""
    return _EMPTY.sub("", text.replace("|", ""))


def _known_in(text: str, around: str) -> str | None:
    """Return `text` without the pieces of two or more characters that `around` has, or None when it has none."""
    rest = text
    while True:
        piece = _longest(rest, around)
        if len(piece) < 2:
            break
        rest = rest.replace(piece, "|", 1)
    rest = rest.replace("|", "")
    return rest if len(rest) < len(text) else None


def _longest(a: str, b: str) -> str:
    """Return the longest piece that stands in both texts (bars belong to none)."""
    best = ""
    for i in range(len(a)):
        while i + len(best) < len(a):
            piece = a[i : i + len(best) + 1]
            if "|" in piece or piece not in b:
                break
            best = piece
    return best
