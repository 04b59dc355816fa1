"""Months settled against official totals: cells are moved until every published total is met.

Months that a longer total spans are re-benchmarked by Denton–Cholette through all consecutive periods of one place and
sector, then cells are raked. Totals that disagree by rounding are met within their last digit; where they contradict
each other, the later published counts, and of the same day the finer one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from dualcarbon.core.classification import load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import figures, officials, reconcile
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.officials import TOTAL, Official, described

METHODS = ("raking", "least_squares", "none")
#: Relative standard error taken for a counted cell when cells are moved by least squares.
COUNTED = 0.02
#: Two totals may disagree by no more than this share of themselves for want of digits.
ROUNDING = 0.02
#: A stated interval of an observation holds 95 %; what is shown holds 90 %.
_NARROWER = 1.645 / 1.96


#: How much a block of totals (`_block`) counts: the day its last one became known, then how fine it is.
Ranks = dict[tuple[int, int, int], tuple[date, int, int]]


class Total(NamedTuple):
    """A published total in terms of a city: its cells (N,), its months, from number `first` to before `end`, and how
    fine it is: 0 the city, 1 a sector of it, 2 an area, 3 a sector of an area; `wider`: it has cells elsewhere too."""

    one: Official
    cells: np.ndarray
    first: int
    end: int
    fine: int
    wider: bool = False


@dataclass
class Settled:
    """Months of a city as counted and estimated, moved where official totals bind; all in t CO2.

    `moved` holds the cells (N,) of each month that was moved, by its number, `totals` those that bind, and `unused`
    those that do not, with the rule that says why. An area of a city is settled with it, `whole`.
    """

    seen: City
    place: str
    method: str
    moved: dict[int, Array] = field(default_factory=dict)
    totals: list[Total] = field(default_factory=list)
    unused: list[tuple[Total, str]] = field(default_factory=list)
    whole: "Settled | None" = None

    @property
    def status(self) -> str:
        """The weakest status of what was counted and of the totals that bind."""
        return worst([self.seen.status, *(one.one.status for one in self.totals)]) or "unverified"

    def area(self, seen: City, below: Collection[str] = ()) -> "Settled":
        """The same of an area `seen` of the city; of the totals that do not bind those of it and of places `below`."""
        mine, off = seen.mine, seen.offset
        totals = [
            one._replace(cells=one.cells[mine], first=one.first - off, end=one.end - off,
                         wider=bool(one.cells[~mine].any()))
            for one in self.totals if one.cells[mine].any()
        ]  # fmt: skip
        own = {seen.place, *below}
        unused = [(one, rule) for one, rule in self.unused if one.one.place in own or one.cells[mine].any()]
        moved = {t - off: cells[mine] for t, cells in self.moved.items() if t >= off}
        return Settled(seen, seen.place, self.method, moved, totals, unused, self)

    def before(self, t: int) -> tuple[Month, Month]:
        """Both parts of month number `t` as counted and estimated. Raises Refused where it cannot be estimated."""
        return figures.of_month(self.seen, t)

    def parts(self, t: int) -> tuple[Month, Month]:
        """Both parts of month number `t`, moved in proportion where official totals bind."""
        given = self.before(t)
        if t not in self.moved:
            return given
        factor = self.factor(t)
        direct, indirect = (replace(part, value=part.value * factor) for part in given)
        return direct, indirect

    def factor(self, t: int) -> Array:
        """What each cell (N,) of month number `t` was multiplied with."""
        value = self.unmoved(t)
        with np.errstate(all="ignore"):
            return np.asarray(np.where(value > 0, self.moved.get(t, value) / value, 1.0))

    def figure(self, t: int, mine: np.ndarray) -> dict[str, Any]:
        """As `figures.figure`, for month number `t` as settled.

        An official total of just these cells and this month has no interval but its own. Like is compared with like:
        where official totals do not hold the same cells a year ago (`alike` is false), `last_year` and the change are
        those before any official total.
        """
        made = figures.figure(self.seen, t, *self.parts(t), mine)
        alike = self.alike(t)
        before = self.known(t - 12, mine) if alike else figures.known(self.seen, t - 12, mine)
        value = made["value"] if alike else float(self.unmoved(t)[mine].sum())
        official = self.exact(t, t + 1, mine)
        told = {"alike": alike, "official": official is not None}
        if official is not None:
            told["lacking"] = False
        return made | _against(value, before) | told | self._ends(official)

    def alike(self, t: int) -> bool:
        """Whether official totals hold the same cells in month number `t` and a year before."""
        if self.whole is not None:
            return self.whole.alike(t + self.seen.offset)
        if not self.totals:
            return True
        held = [[one.cells for one in self.totals if one.first <= s < one.end] for s in (t, t - 12)]
        both = [np.any(cells, 0) if cells else np.zeros(len(self.seen.cells), bool) for cells in held]
        return bool((both[0] == both[1]).all())

    def _ends(self, official: Official | None) -> dict[str, Any]:
        if official is None:
            return {}
        made: dict[str, Any] = dict.fromkeys(("low", "high", "low80", "high80"))
        for end in ("low", "high"):
            stated = getattr(official, end)
            if stated is not None:
                made[end] = official.value + (stated - official.value) * _NARROWER
        return made

    def known(self, t: int, mine: np.ndarray) -> float | None:
        """CO2 of the cells `mine` in month number `t` as settled; None unless all was counted or a total says it."""
        if t < 0:
            return None
        if t in self.moved:
            official = self.exact(t, t + 1, mine) is not None
            fine = official or figures.known(self.seen, t, mine) is not None
            return float(self.moved[t][mine].sum()) if fine else None
        return figures.known(self.seen, t, mine)

    def value(self, t: int, mine: np.ndarray) -> float:
        """CO2 of the cells `mine` in month number `t`, counted, estimated and settled."""
        if t in self.moved:
            return float(self.moved[t][mine].sum())
        known = figures.known(self.seen, t, mine)
        return known if known is not None else float(self.unmoved(t)[mine].sum())

    def touched(self, t: int, mine: np.ndarray) -> bool:
        """Whether official totals bind any of the cells `mine` in month number `t`."""
        return any(one.first <= t < one.end and bool((one.cells & mine).any()) for one in self.totals)

    def exact(self, first: int, end: int, mine: np.ndarray) -> Official | None:
        """The official total of just the cells `mine` and the months from number `first` to before `end`."""
        found = (one for one in self.totals if (one.first, one.end) == (first, end) and not one.wider)
        return next((one.one for one in found if (one.cells == mine).all()), None)

    def summed(self, span: Sequence[int], mine: np.ndarray, alike: bool | None = None) -> dict[str, Any]:
        """The months `span` added up over the cells `mine`: value, direct, indirect, last_year, change, low, high (None
        where nothing is uncertain), `months` (their figures, by number) and `open`, the numbers of those with an
        interval.

        Errors of the months are taken as shared among them, the wider reading; months that an official total of just
        these cells covers, and which lie within the span, are as certain as the total. Like is compared with like, as
        in `figure`, for the whole span.
        """
        months = {t: self.figure(t, mine) for t in span}
        made: dict[str, Any] = {name: float(sum(one[name] for one in months.values()))
                                for name in ("value", "direct", "indirect")}  # fmt: skip
        certain: set[int] = set()
        ends = {"low": 0.0, "high": 0.0}
        for one in sorted(self.totals, key=lambda one: one.first - one.end):
            inside = set(range(one.first, one.end))
            if inside <= set(span) and not inside & certain and not one.wider and (one.cells == mine).all():
                certain |= inside
                stated = self._ends(one.one)
                for end in ends:
                    ends[end] += stated[end] - one.one.value if stated[end] is not None else 0.0
        left = [t for t, one in months.items() if t not in certain and one["low"] is not None]
        for end in ends:
            ends[end] += sum(months[t][end] - months[t]["value"] for t in left)
        alike = all(one["alike"] for one in months.values()) if alike is None else alike
        past = [self.known(t - 12, mine) if alike else figures.known(self.seen, t - 12, mine) for t in span]
        value = made["value"] if alike else float(sum(self.unmoved(t)[mine].sum() for t in span))
        made |= _against(value, None if None in past else float(sum(one or 0.0 for one in past))) | {"alike": alike}
        made |= {end: made["value"] + off if ends["low"] or ends["high"] else None for end, off in ends.items()}
        made |= {"lacking": any(one["lacking"] for one in months.values()),
                 "complete": all(one["complete"] for one in months.values())}  # fmt: skip
        return made | {"months": months, "open": left}

    def told(self, t: int, mine: np.ndarray | None = None) -> list[dict[str, Any]]:
        """What each official total of month number `t` (that holds any of the cells `mine`) asked for, and what it
        moved: `before` × `factor` = `month_total`, in t CO2."""
        if self.whole is not None:
            return self.whole.told(t + self.seen.offset, self.widened(mine))
        made = []
        for one in self.totals:
            if not one.first <= t < one.end or (mine is not None and not (one.cells & mine).any()):
                continue
            before = float(self.unmoved(t)[one.cells].sum())
            after = float(self.moved[t][one.cells].sum())
            spanned = float(sum(self.moved[s][one.cells].sum() for s in range(one.first, one.end)))
            made.append({
                **described(one.one, self.seen.as_of), "month_total": after, "before": before, "moved": after - before,
                "factor": after / before if before else None,
                "moved_percent": 100 * (after / before - 1) if before else None, "met": spanned,
                "rounding": spanned - one.one.value if abs(spanned - one.one.value) > 1e-6 * spanned else 0.0,
            })  # fmt: skip
        return made

    def widened(self, mine: np.ndarray | None) -> np.ndarray:
        """The cells `mine` (N,) of an area (None: all) among those of its city."""
        out = self.seen.mine.copy()
        out[out] = True if mine is None else mine
        return out

    def cells(self, t: int) -> Array:
        """CO2 of the cells (N,) in month number `t`, counted, estimated and settled."""
        return self.moved[t] if t in self.moved else self.unmoved(t)

    def unmoved(self, t: int) -> Array:
        """The same before official totals moved it."""
        direct, indirect = self.before(t)
        return direct.value + indirect.value

    def flags(self, t: int) -> list[dict[str, Any]]:
        """What `left` says, in the layout of `flags.find`."""
        return [
            {"rule": one["rule"], "place": one["place"], "sector": one["sector"], "period": one["period"],
             "month": figures.month_text(self.seen.months[t]), "value": one["official"], "usual": 0.0}
            for one in self.left(t)
        ]  # fmt: skip

    def left(self, t: int) -> list[dict[str, Any]]:
        """Official totals of month number `t` that do not bind, each with the `rule` that says why."""
        month, after = self.seen.months[t], cities.month_after(self.seen.months[t])
        return [{**described(one.one, self.seen.as_of), "rule": rule} for one, rule in self.unused
                if one.one.start < after and one.one.end > month]  # fmt: skip


def _against(value: float, before: float | None) -> dict[str, float | None]:
    return {"last_year": before, "change": value - before if before is not None else None,
            "change_percent": 100 * (value / before - 1) if before else None}  # fmt: skip


def settle(
    workspace: Any,
    seen: City,
    asked: Sequence[int],
    place: str,
    *,
    tree: str,
    family: str,
    method: str = "raking",
) -> Settled:
    """As `settled`, with the official totals that were known on the day of `seen`.

    Where a total reaches beyond `seen`, the city is read again as far as that: the answer's `seen` counts. Raises
    Refused for an unknown `method`.
    """
    if method not in METHODS:
        raise Refused(Problem("nowcast.unknown-reconciliation", value=method, params={"known": "、".join(METHODS)}))
    below = _below(workspace, seen, tree)
    published = officials.read(workspace, seen.together, seen.together.place, below) if method != "none" else []
    far = officials.horizon(published, max((seen.months[t] for t in asked), default=seen.months[-1]))
    far = min(far, date(seen.as_of.year + 1, 12, 1))
    if far > seen.months[-1]:
        seen = cities.read(workspace, as_of=seen.as_of, until=far, place=place, tree=tree, family=family,
                           version=seen.version)  # fmt: skip
    if seen.whole is None:
        return settled(seen, asked, published, place, method)
    numbers = [t + seen.offset for t in asked]
    return settled(seen.whole, numbers, published, seen.whole.place, method).area(seen, below)


def _below(workspace: Any, seen: City, tree: str) -> set[str]:
    """Places below the areas of a city, or below the area `seen`: no cells are theirs, so their totals never bind."""
    if seen.whole is None and seen.place.endswith(cities.UNALLOCATED):
        return set()
    places = load(workspace.pack).places
    areas = {cell[0] for cell in seen.cells}
    return {code for code in places if not areas.isdisjoint(places.path(code, tree)[1:])}


def settled(
    seen: City,
    asked: Iterable[int],
    published: Sequence[Official],
    place: str,
    method: str = "raking",
) -> Settled:
    """The months `asked` (numbers) of a city, and those a year before, moved to meet the official totals of `place` and
    its areas; months that no total binds stay as they are.

    `seen` reaches as far as the totals that bear on them do (`officials.horizon`). With `least_squares` each month's
    totals are those of raking, met by cells moved in proportion to their variance.
    """
    done = Settled(seen, place, method)
    totals = [one for one in published if one.item == TOTAL] if method != "none" else []
    if not totals:
        return done
    wanted = {t for s in asked for t in (s, s - 12)}
    bound = _latest(done, [_total(seen, one, place) for one in totals])
    chosen = _connected(bound, wanted)
    cells = _cells(done, chosen)
    chosen = [one for one in chosen if _possible(done, one, cells)]
    if not chosen:
        return done
    months = sorted({t for one in chosen for t in range(one.first, one.end)})
    start = np.array([cells[t] for t in months]).T
    moved = _met(done, chosen, start, months, _ranks(bound))
    if method == "least_squares":
        moved = _by_variance(done, start, moved, months)
    done.moved = {t: moved[:, n] for n, t in enumerate(months) if any(one.first <= t < one.end for one in done.totals)}
    return done


def _total(seen: City, one: Official, place: str) -> Total:
    whole = one.start.day == 1 and one.end.day == 1
    first, end = (
        (day.year - seen.months[0].year) * 12 + day.month - seen.months[0].month for day in (one.start, one.end)
    )
    mine = [
        one.place in (place, cell[0]) and one.sector in ("", cell[1]) and one.domain in ("", cell[2])
        for cell in seen.cells
    ]  # fmt: skip
    fine = 2 * (one.place != place) + bool(one.sector or one.domain)
    return Total(one, np.array(mine), first, end if whole else first, fine)


def _latest(done: Settled, totals: list[Total]) -> list[Total]:
    """The totals that can bind at all; of the same place, sector and period the one published last."""
    chosen: dict[Any, Total] = {}
    for one in sorted(totals, key=lambda one: one.one.known_at or date.min):
        if one.first >= one.end:
            done.unused.append((one, "nowcast.total-not-months"))
        elif not one.cells.any():
            done.unused.append((one, "nowcast.total-no-cells"))
        elif one.first < 0 or one.end > len(done.seen.months):
            done.unused.append((one, "nowcast.total-no-months"))
        else:
            key = (one.cells.tobytes(), one.first, one.end)
            if key in chosen and chosen[key].one.value != one.one.value:
                done.unused.append((chosen[key], "nowcast.total-replaced"))
            chosen[key] = one
    return list(chosen.values())


def _connected(totals: list[Total], wanted: set[int]) -> list[Total]:
    """Totals whose months bear on those wanted: overlapping or consecutive periods, one after the other."""
    made: list[Total] = []
    left, reach = list(totals), set(wanted)
    while True:
        near = [one for one in left if any(t in reach for t in range(one.first, one.end))]
        if not near:
            return sorted(made, key=lambda one: (one.first, one.end, one.one.place, one.one.sector))
        made += near
        left = [one for one in left if not any(one is other for other in near)]
        reach |= {t for one in near for t in range(one.first - 1, one.end + 1)}


def _cells(done: Settled, totals: list[Total]) -> dict[int, Array]:
    """CO2 of the cells (N,) in every month of the totals that can be counted or estimated."""
    made = {}
    for t in sorted({t for one in totals for t in range(one.first, one.end)}):
        parts = done.seen.direct[:, t], done.seen.indirect[:, t]
        if all(np.isfinite(part).all() for part in parts):
            made[t] = np.asarray(parts[0] + parts[1])
            continue
        try:
            made[t] = done.unmoved(t)
        except Refused:
            continue
    return made


def _possible(done: Settled, one: Total, cells: dict[int, Array]) -> bool:
    """Whether the cells of a total are known and can be multiplied to meet it at all."""
    if any(t not in cells for t in range(one.first, one.end)):
        done.unused.append((one, "nowcast.total-no-months"))
        return False
    have = sum(float(cells[t][one.cells].sum()) for t in range(one.first, one.end))
    if one.one.value < 0 or (one.one.value > 0 and have <= 0):
        done.unused.append((one, "nowcast.total-of-nothing"))
        return False
    return True


def _met(done: Settled, totals: list[Total], start: Array, months: list[int], ranks: Ranks) -> Array:
    """Cells (N, T) of `months` that meet the totals. Those that contradict better ones are put aside: they only shape
    what the better ones are met by."""
    column = {t: n for n, t in enumerate(months)}
    left = sorted(totals, key=lambda one: ranks[_block(one)])
    lost: list[Total] = []
    while left:
        shaped = _smoothed(start, lost, column)
        try:
            moved = _raked(_smoothed(shaped, left, column), left, column)
            break
        except reconcile.Irreconcilable as fault:
            bad = [left[k] for k in fault.totals]
            worst = min(ranks[_block(one)] for one in bad)
            dropped = [one for one in bad if ranks[_block(one)] == worst]
            if len({_block(one) for one in left}) == 1:
                dropped = [min(bad, key=lambda one: one.one.known_at or date.min)]
            lost += dropped
            left = [one for one in left if not any(one is other for other in dropped)]
    done.totals = left
    done.unused += [(one, "nowcast.total-contradicted") for one in lost]
    return moved


def _block(one: Total) -> tuple[int, int, int]:
    """Totals of one kind are kept or put aside together: how fine they are, how many months they span, their year."""
    return one.fine, one.end - one.first, one.one.start.year


def _ranks(totals: Sequence[Total]) -> Ranks:
    """The rank of each block: the day its last total became known, then how fine its cells and periods are."""
    made: Ranks = {}
    for one in totals:
        fine, length, _ = key = _block(one)
        day = one.one.known_at or date.min
        made[key] = max(made.get(key, (day, fine, -length)), (day, fine, -length))
    return made


def _smoothed(cells: Array, totals: Sequence[Total], column: Mapping[int, int], rounds: int = 12) -> Array:
    """Cells (N, T) moved month by month along the smoothest ratios, one place and sector after the other."""
    series: dict[bytes, list[Total]] = {}
    for one in totals:
        series.setdefault(one.cells.tobytes(), []).append(one)
    x = cells.copy()
    for _ in range(rounds if len(series) > 1 else len(series)):
        farthest = 0.0
        for mine in series.values():
            spans = [(column[one.first], column[one.end - 1] + 1) for one in mine]
            ratio = reconcile.smooth(x[mine[0].cells].sum(0), spans, [one.one.value for one in mine])
            x[mine[0].cells] *= ratio
            farthest = max(farthest, float(np.abs(ratio - 1).max()))
        if farthest < 1e-12:
            break
    return x


def _raked(cells: Array, totals: Sequence[Total], column: Mapping[int, int]) -> Array:
    """Cells (N, T) raked to the totals, exactly or, where they disagree by rounding, within their last digits."""
    count, width = cells.shape
    rows, places = [], []
    for number, one in enumerate(totals):
        mine = np.add.outer(np.nonzero(one.cells)[0] * width, [column[t] for t in range(one.first, one.end)]).ravel()
        rows.append(np.full(len(mine), number))
        places.append(mine)
    index = np.concatenate(rows), np.concatenate(places)
    groups = sparse.csr_array((np.ones(len(index[0])), index), shape=(len(totals), count * width))
    wanted = np.array([one.one.value for one in totals])
    try:
        done = reconcile.rake(cells.ravel(), groups, wanted, tolerance=1e-9, rounds=200)
    except reconcile.Irreconcilable:
        done = reconcile.rake(cells.ravel(), groups, wanted, slack=_halves(totals), tolerance=1e-9, rounds=200)
    return done.cells.reshape(count, width)


def _halves(totals: Sequence[Total]) -> Array:
    """Half a unit of the last digit (t CO2) that a dataset gives in totals of such a length, at most `ROUNDING`."""
    digits: dict[tuple[str, int], int] = {}
    for one in totals:
        if one.one.value:
            last = int(Decimal(f"{one.one.value:.12g}").normalize().as_tuple().exponent)
            key = one.one.dataset, one.end - one.first
            digits[key] = min(digits.get(key, last), last)
    half = [0.5 * 10.0 ** digits.get((one.one.dataset, one.end - one.first), 0) for one in totals]
    return np.minimum(half, [ROUNDING * one.one.value for one in totals])


def _by_variance(done: Settled, start: Array, moved: Array, months: list[int]) -> Array:
    """Cells (N, T) that meet the sums which raking gave the totals in each month, moved in proportion to variance."""
    out = moved.copy()
    for n, t in enumerate(months):
        mine = {one.cells.tobytes(): one.cells for one in done.totals if one.first <= t < one.end}
        if not mine:
            continue
        groups = np.array(list(mine.values()), float)
        parts = done.before(t)
        spread = sum(np.where(part.counted, 0.0, (part.own + part.shared) * part.value / 1.645) for part in parts)
        variances = np.maximum(np.asarray(spread), COUNTED * start[:, n]) ** 2
        out[:, n] = reconcile.least_squares(start[:, n], groups, groups @ moved[:, n], variances).cells
    return out
