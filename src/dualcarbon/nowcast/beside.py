"""Months of a city beside those a year before, like with like; and the year so far, compared in that way."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dualcarbon.core.classification import Classification
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import flag_words, gaps
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.settling import Settled
from dualcarbon.nowcast.told import saying

PARTS = ("direct", "indirect")
#: The name in both languages of a code.
Named = Callable[[Any, str], dict[str, str]]


class Both(NamedTuple):
    """The months `span` (M numbers) of a city and those a year before, by cell (N, M) in t CO2: `settled` against
    official totals, `like` and `before` as they are compared; `alike` (N,) are the cells that can be, `left` what
    cannot. `now` and `past` say what of them is estimated, `sums` is `Settled.summed` of the span.

    Where official totals do not hold the same cells in both years, growth is that of what was counted and estimated.
    """

    done: Settled
    span: list[int]
    sums: dict[str, Any]
    now: gaps.Span
    past: gaps.Span
    settled: Array
    like: Array
    before: Array
    alike: np.ndarray
    left: list[dict[str, Any]]

    def value(self, mine: np.ndarray) -> float:
        """CO2 of the cells `mine` (N,)."""
        return float(self.settled[mine].sum())

    def part(self, name: str) -> Array:
        """What of the cells' CO2 (N,) is direct or indirect."""
        number = PARTS.index(name)
        return np.asarray(sum(self.done.parts(t)[number].value for t in self.span))

    def last(self, mine: np.ndarray) -> float | None:
        """That of a year before, of what can be compared; None where nothing can."""
        return float(self.before[mine & self.alike].sum()) if (mine & self.alike).any() else None

    def change(self, mine: np.ndarray) -> float | None:
        """By how much what can be compared has changed."""
        last = self.last(mine)
        return None if last is None else float(self.like[mine & self.alike].sum()) - last

    def growth(self, mine: np.ndarray) -> float | None:
        """The same in percent."""
        last, change = self.last(mine), self.change(mine)
        return 100 * change / last if last and change is not None else None

    def pull(self, mine: np.ndarray) -> float | None:
        """The same in points of the whole city's growth."""
        whole, change = self.last(np.ones(len(mine), bool)), self.change(mine)
        return 100 * change / whole if whole and change is not None else None

    def estimated_before(self, mine: np.ndarray) -> float:
        """How much of the year before is estimated, of what can be compared."""
        both = self.past.counted.items()
        return float(sum(np.where(there, 0.0, getattr(self.past, part))[mine & self.alike].sum()
                         for part, there in both))  # fmt: skip

    def ends(self, mine: np.ndarray) -> tuple[float | None, float | None]:
        """Ends (90 %) of growth in percent that follow from the estimates of both years; None where nothing is."""
        mine = mine & self.alike
        value, last = float(self.like[mine].sum()), self.last(mine)
        if not value or not last:
            return None, None
        sums = self.done.summed(self.span, mine)
        now = (sums["high"] or sums["value"]) / sums["value"] - 1 if sums["value"] else 0.0
        unknown = ~np.all([there[mine].all(0) for there in self.past.counted.values()], 0)
        unsure = [t for t, open_ in zip(self.past.numbers, unknown, strict=True) if open_ and t > 0]
        wide = [one["high"] - one["value"] for one in (self.done.figure(t, mine) for t in unsure) if one["high"]]
        width = float(np.hypot(np.log1p(now), np.log1p(sum(wide) / last)))
        low, high = (100 * (value / last * float(np.exp(side * width)) - 1) for side in (-1, 1))
        return (low, high) if width else (None, None)


def both(done: Settled, span: list[int]) -> Both:
    """The months `span` of a settled city against those a year before. Raises Refused where they cannot be
    estimated."""
    seen = done.seen
    sums = done.summed(span, np.ones(len(seen.cells), bool))
    then = [t - 12 for t in span]
    now, past = (gaps.of(seen, numbers, done.before) for numbers in (span, then))
    alike, left = gaps.alike(seen, [past, now])
    settled = np.array([done.cells(t) for t in span]).T
    before = np.array([
        done.moved[t] if t in done.moved and sums["alike"] else past.cells[:, n] for n, t in enumerate(then)
    ]).T  # fmt: skip
    like = settled if sums["alike"] else now.cells
    return Both(done, span, sums, now, past, settled, like, before, alike, left)


def unlike(done: Settled, span: Sequence[int]) -> dict[str, str]:
    """Why the months `span` (numbers) cannot be compared as settled, in both languages: where official totals hold."""
    now, before = (any(t - back in done.moved for t in span) for back in (0, cities.YEAR))
    if now == before:
        return {"zh": "两年的官方总数约束的范围不同", "en": "Official totals do not hold the same in both years"}
    when = {"zh": "本期" if now else "上年同期", "en": "this year" if now else "the year before"}
    return {"zh": f"官方总数只约束{when['zh']}", "en": f"Official totals hold in {when['en']} only"}


def so_far(done: Settled, t: int, book: Classification, named: Named) -> dict[str, Any]:
    """January to month number `t` of a settled city, in t CO2, beside the same months a year before.

    `value`, `low`, `high`, `complete` and `estimated_months` are of all months of the `period`, without a value where
    it begins before the data. Of the months `compared`, which have one a year before, are `last_year` (of what can be
    compared; `last_year_estimated` of it is estimated), `change` and `change_percent`, with the ends that follow from
    the estimates of both years. `alike`: official totals hold the same cells in both. `left_out` has no year before,
    and `note` says in both languages what is compared where that is not all. Raises Refused for a month that cannot be
    estimated.
    """
    seen = done.seen
    whole = np.ones(len(seen.cells), bool)
    january = t - seen.months[t].month + 1
    first = max(january, cities.YEAR)
    told: dict[str, Any] = dict.fromkeys((
        "value", "low", "high", "complete", "compared", "last_year", "last_year_estimated", "change", "change_percent",
        "change_low_percent", "change_high_percent",
    ))  # fmt: skip
    told |= {"period": saying.span(seen.months[t].year, seen.months[t].month), "estimated_months": [], "alike": True,
             "left_out": []}  # fmt: skip
    pair = both(done, list(range(first, t + 1))) if first <= t else None
    if january > 0 or (january == 0 and done.known(0, whole) is not None):
        sums = pair.sums if pair and january == first else done.summed(range(january, t + 1), whole)
        told |= {name: sums[name] for name in ("value", "low", "high", "complete", "alike")}
        told["estimated_months"] = [month_text(seen.months[s]) for s in sums["open"]]
    if pair is not None:
        low, high = pair.ends(whole)
        told |= {
            "compared": saying.between(month_text(seen.months[first]), month_text(seen.months[t])),
            "last_year": pair.last(whole), "last_year_estimated": pair.estimated_before(whole),
            "change": pair.change(whole), "change_percent": pair.growth(whole), "change_low_percent": low,
            "change_high_percent": high, "alike": pair.sums["alike"],
            "left_out": [{**one, "name": named(book.places, one["place"])} for one in pair.left],
        }  # fmt: skip
    told["note"] = _note(done, told, pair, book, named)
    return told


def _note(
    done: Settled, told: dict[str, Any], pair: Both | None, book: Classification, named: Named
) -> dict[str, str] | None:
    """What of the year so far is compared, where that is not all of it; None where it is."""
    period, compared = told["period"], told["compared"]
    if pair is None:
        return {"zh": "没有上年同月，不作比较。", "en": "There is no month a year before to compare with."}
    zh, en = [], []
    if compared != period:
        zh.append(f"同比只比{saying.period(compared, 'zh')}，此前没有上年同月。")
        en.append(f"Compared is {saying.period(compared, 'en')} only; what is before has no month a year before.")
    if told["last_year_estimated"]:
        gone = [
            {**one, "name": named(book.places, one["place"])} for one in gaps.told(done.seen, pair.past, pair.alike)
        ]
        open_ = [month_text(done.seen.months[s]) for s in pair.past.open]
        size = flag_words.amount(told["last_year_estimated"])
        said = {lang: [*([gaps.said(gone, lang)] if gone else []),
                       *([f"{gaps.span_text(open_, lang)}{'大部分未报' if lang == 'zh' else ' (most of it)'}"]
                         if open_ else [])] for lang in ("zh", "en")}  # fmt: skip
        zh.append(f"上年同期{'；'.join(said['zh'])}，按估算计入（{size['zh']}）。")
        en.append(f"Of the year before {size['en']} are estimated: {'; '.join(said['en'])}.")
    if told["left_out"]:
        zh.append(f"{gaps.apart(told['left_out'], 'zh')}，没有可比数，同比不含。")
        en.append(f"Not compared: {gaps.apart(told['left_out'], 'en')}.")
    if not told["alike"]:
        reason = unlike(done, pair.span)
        zh.append(f"{reason['zh']}，同比按调整前的数比较。")
        en.append(f"{reason['en']}; growth is that of figures before they were settled.")
    return {"zh": "".join(zh), "en": " ".join(en)} if zh else None
