"""Monthly indicators and annual truth as arrays: cells × years × months, cleaned without looking ahead.

A cell is what the truth is given for (place, and sector or carrier where the truth has them). A stream is one indicator
(carrier, sector, item) seen for the cells. Every repair is a `Statement`; a repaired month counts as not seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.nowcast.denton import Array

#: A month is taken for wrong when it moves against the year before by this factor more than the half year before it …
WRONG = 5.0
#: … and by this many times the usual scatter of that movement.
SCATTER = 8.0
#: A month that moves less than that, but beyond the usual scatter and this many logarithms, is used and said.
STEADY = 0.6
#: So many odd months in a row are a new level, not an error …
NEW_LEVEL = 3
#: … unless they are beyond this factor: a wrong unit stays as long as nobody corrects it.
FAR = 20.0
#: Annual truth is taken for wrong when it departs from the year before by more than this factor (a judgement) …
TRUTH = 3.0
#: … and by `SCATTER` times the cell's usual movement; with fewer years of it than this, only beyond `FAR`.
FEW = 3
#: Two series are the same sum when they agree this closely, in at least this share of the years.
SAME, MOSTLY = 5e-3, 0.8


class Statement(NamedTuple):
    """One thing said about the data: a rule of this room's problems.csv and where it applies."""

    rule: str
    place: str | None
    detail: Mapping[str, Any]


class Stream(NamedTuple):
    """One indicator; `factor` is the direct CO2 of one unit in the truth's unit (0: not counted), `total` marks a sum
    of other streams of its carrier."""

    carrier: str
    sector: str
    item: str
    unit: str
    factor: float
    total: bool


@dataclass
class Panel:
    """`truth` (N, Yt) from the year `truth_start`; `values`, `repaired` (S, N, Y, 12) from `start`, made of `raw`."""

    cells: list[dict[str, str]]
    truth: Array
    truth_start: int
    truth_unit: str
    streams: list[Stream]
    raw: Array
    start: int
    statements: list[Statement] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values, self.repaired, told = cleaned(self.raw, self.cells, self.streams, self.start)
        self.statements += told

    @property
    def truth_years(self) -> range:
        """Years of the truth."""
        return range(self.truth_start, self.truth_start + self.truth.shape[1])

    @property
    def years(self) -> range:
        """Years that the indicators touch."""
        return range(self.start, self.start + self.values.shape[2])

    def actual(self, year: int) -> Array:
        """Truth of `year` (N,), NaN where not known."""
        place = year - self.truth_start
        return self.truth[:, place] if 0 <= place < self.truth.shape[1] else np.full(len(self.cells), np.nan)

    @cached_property
    def groups(self) -> np.ndarray:
        """A number (N,) for the sector (and carrier) of each cell: cells of one group may have slopes of their own."""
        names: dict[tuple[str, str], int] = {}
        return np.array([names.setdefault((c["sector"], c["carrier"]), len(names)) for c in self.cells], dtype=int)


def cleaned(
    raw: Array, cells: Sequence[Mapping[str, str]], streams: Sequence[Stream], start: int
) -> tuple[Array, np.ndarray, list[Statement]]:
    """Fill missing, negative and wrong months from the months before them; say which.

    A missing month becomes the same month of the year before times the middle movement of the last six known months;
    nothing later is used, but to judge a record's first year (`_beginning`). A place of which every indicator is zero
    at once has not reported, however long that lasts. Months after the last of the whole stream stay NaN, and so do
    those before a cell's first.
    """
    streams_n, cells_n, years, _ = raw.shape
    months = years * 12
    x = raw.reshape(streams_n * cells_n, months).copy(order="F")  # months lie together: they are read one by one
    negative = x < 0
    x[negative] = np.nan
    first = np.where(np.isfinite(x).any(1), np.isfinite(x).argmax(1), months)
    wrong = _beginning(x, first)
    x[wrong] = np.nan
    given: np.ndarray = np.isfinite(x)
    last = np.zeros(len(x), int)
    for s in range(streams_n):
        rows = slice(s * cells_n, (s + 1) * cells_n)
        last[rows] = np.nonzero(given[rows].any(0))[0].max(initial=-1)
    repaired = np.zeros_like(given)
    growth = np.full((len(x), months), np.nan, order="F")
    run, shifted, noted, away = np.zeros(len(x), int), *(np.zeros_like(given) for _ in range(3))
    whole = np.tile([not cell["sector"] for cell in cells], streams_n) if streams_n > 1 else np.zeros(len(x), bool)
    scatter_sum, scatter_n = np.zeros(len(x)), np.zeros(len(x))
    zeros, number, raw_zero = np.zeros(len(x), int), np.zeros(len(x), int), x == 0
    with np.errstate(all="ignore"):
        for t in range(months):
            alive = (t >= first) & (t <= last)
            if t >= 12:
                before = x[:, t - 12]
                usual = middle(growth[:, max(t - 6, 0) : t])
                move = np.log(x[:, t] / before)
                spread = np.maximum(scatter_sum / np.maximum(scatter_n, 1), 0.02)
                odd = np.abs(move - usual) > np.maximum(np.log(WRONG), SCATTER * spread)
                usual_zero = (zeros > 0.02 * number) & (x[:, t] == 0)
                far = (np.abs(move - usual) > np.log(FAR)) & (x[:, t] > 0)
                noted[:, t] = ~odd & (np.abs(move - usual) > STEADY + 10 * spread) & (before > 0) & given[:, t]
                noted[:, t] &= (scatter_n >= 6) & ~usual_zero
                odd = odd & (before > 0) & given[:, t] & ((scatter_n >= 6) | far) & ~usual_zero
                run = np.where(odd, run + 1, np.where(given[:, t], 0, run))
                stop = (x[:, t] == 0) & (before > 0) & given[:, t]
                both = (stop.reshape(streams_n, -1), ((before > 0) & given[:, t]).reshape(streams_n, -1))
                empty = whole & np.tile((both[0].sum(0) > 1) & (both[0] == both[1]).all(0), streams_n) & stop
                odd, far = odd | empty, far | empty
                away[:, t] = empty
                shifted[:, t] = odd & (run == NEW_LEVEL) & ~far
                odd &= (run < NEW_LEVEL) | far
                wrong[:, t] |= odd
                x[odd, t] = np.nan
                hole = alive & ~np.isfinite(x[:, t]) & np.isfinite(before)
                x[hole, t] = before[hole] * np.exp(usual[hole])
                repaired[:, t] = hole
                fine = given[:, t] & ~odd & (before > 0) & (x[:, t] > 0)
                growth[fine, t] = move[fine]
                scatter_sum += np.where(fine, np.abs(move - usual), 0)
                scatter_n += fine
            zeros, number = zeros + raw_zero[:, t], number + given[:, t]
    lacking, when = repaired & ~negative & ~wrong, np.arange(months)
    alive = (when >= first[:, None]) & (when <= last[:, None])
    told = []
    for s, stream in enumerate(streams):  # what came nowhere is the indicator's, not each place's
        rows = slice(s * cells_n, (s + 1) * cells_n)
        nowhere = (lacking[rows] | ~alive[rows]).all(0) & (alive[rows].sum(0) > 1)
        lacking[rows] &= ~nowhere
        if nowhere.any():
            detail = {"carrier": stream.carrier or "—", "sector": stream.sector or "—"}
            when_ = [f"{start + t // 12}-{t % 12 + 1:02d}" for t in np.nonzero(nowhere)[0]]
            told.append(Statement("nowcast.missing-everywhere", None, {**detail, "months": when_}))
    marks = {"negative-month": negative, "wrong-month": wrong & ~away, "zero-month": away, "missing-month": lacking}
    told += _told({**marks, "new-level": shifted, "large-move": noted}, cells, streams, start)
    shape = raw.shape
    return x.reshape(shape), (repaired | wrong | negative).reshape(shape), told


def _beginning(x: Array, first: np.ndarray) -> np.ndarray:
    """Months (N, T) of each row's first year that cannot be right: one or two farther than `FAR` from the middle of
    that year, or all of it, where its middle is that far from the middle of the two years after, by a jump.

    A later year is judged by the one before it; the first has none, and would be what the right months are judged by.
    """
    out = np.zeros(x.shape, bool)
    index = first[:, None] + np.arange(36)
    there = index < x.shape[1]
    early = np.where(there, np.take_along_axis(x, np.minimum(index, x.shape[1] - 1), 1), np.nan)
    with np.errstate(all="ignore"):
        logs = np.log(np.where(early > 0, early, np.nan))
        level, after = middle(logs[:, :12], np.nan), middle(logs[:, 12:], np.nan)
        far = np.abs(logs[:, :12] - level[:, None]) > np.log(FAR)
        jump = np.abs(middle(logs[:, 9:12], np.nan) - middle(logs[:, 12:15], np.nan)) > np.log(FAR / 2)
        many = jump & (np.isfinite(logs[:, 12:]).sum(1) >= 12)
        lone = (far.sum(1) <= 2) & (np.isfinite(logs[:, :12]).sum(1) >= 6)
        odd = np.where((many & (np.abs(level - after) > np.log(FAR)))[:, None], np.isfinite(logs[:, :12]),
                       far & lone[:, None])  # fmt: skip
    rows, columns = np.nonzero(odd)
    out[rows, first[rows] + columns] = True
    return out


def middle(values: Array, none: float = 0.0) -> Array:
    """Median of the known values of each row (N,), `none` where there are none."""
    if not values.shape[1]:
        return np.full(len(values), none)
    ordered = np.sort(values, 1)
    number = np.isfinite(values).sum(1)
    index = np.arange(len(values))
    low, high = ordered[index, np.maximum(number - 1, 0) // 2], ordered[index, number // 2 * (number > 1)]
    return np.where(number > 0, (low + np.where(number > 1, high, low)) / 2, none)


def _told(
    found: Mapping[str, np.ndarray],
    cells: Sequence[Mapping[str, str]],
    streams: Sequence[Stream],
    start: int,
) -> list[Statement]:
    told: dict[str, Statement] = {}
    for rule, marks in found.items():
        for row in np.nonzero(marks.any(1))[0].tolist():
            stream, cell = streams[row // len(cells)], cells[row % len(cells)]
            when = [f"{start + t // 12}-{t % 12 + 1:02d}" for t in np.nonzero(marks[row])[0]]
            carrier, sector = (getattr(stream, name) or cell.get(name) or "—" for name in ("carrier", "sector"))
            one = Statement(f"nowcast.{rule}", cell["place"], {"carrier": carrier, "sector": sector, "months": when})
            told.setdefault(repr(one), one)  # a sum of the place stands beside each of its cells
    return list(told.values())


def build(
    observations: pl.DataFrame,
    truth: pl.DataFrame,
    factors: Mapping[str, float] | None = None,
    *,
    truth_unit: str = "",
    until: int | None = None,
) -> Panel:
    """Panel from two frames of texts (place, sector, carrier, item, unit), `year`, `month` and `value`.

    `truth` has no month. `factors` gives direct CO2 per unit of a carrier, in the truth's unit. Places whose truth is
    the sum of all others are left out and named in `excluded`; these and indicators that are sums of others are known
    by the years before `until` (all, where it has none), so that nothing later decides.
    """
    keys = ["place", *(name for name in ("sector", "carrier") if truth[name].n_unique() > 1)]
    statements: list[Statement] = []
    excluded = _sums(_before(truth, until)) or _sums(_before(observations, until), ["carrier", "sector", "item"])
    truth = truth.filter(~pl.col("place").is_in(excluded))
    table = truth.group_by(*keys, "year").agg(pl.col("value").sum()).sort(*keys, "year")
    cells = [
        {"place": row["place"], "sector": row.get("sector", ""), "carrier": row.get("carrier", "")}
        for row in table.select(keys).unique().sort(keys).to_dicts()
    ]
    number = {tuple(cell[key] for key in keys): i for i, cell in enumerate(cells)}
    first, final = int(table["year"].min() or 0), int(table["year"].max() or 0)  # type: ignore[arg-type]
    actual = np.full((len(cells), final - first + 1), np.nan)
    for row in table.iter_rows(named=True):
        actual[number[tuple(row[key] for key in keys)], row["year"] - first] = row["value"]
    negative = actual < 0
    actual[negative] = np.nan
    wrong = doubted(actual)
    zero = wrong & (actual == 0)
    for rule, marks in (("negative-truth", negative), ("wrong-truth", wrong & ~zero), ("zero-year", zero)):
        statements += _of_years(f"nowcast.{rule}", marks, np.isfinite(actual) | negative, cells, first)
    actual[wrong] = np.nan
    seen = observations.filter(pl.col("place").is_in([cell["place"] for cell in cells]))
    streams, raw, start = _streams(seen, cells, keys, factors or {}, until)
    silent = sorted({c["place"] for c in cells} - set(seen["place"].unique()))
    without = sorted(set(observations["place"].unique()) - {c["place"] for c in cells} - set(excluded))
    if without:
        statements.append(Statement("nowcast.no-truth", None, {"places": without}))
    statements += [Statement("nowcast.place-silent", place, {}) for place in silent]
    for k, cell in enumerate(cells):
        if cell["place"] not in silent and raw.size and not (np.nan_to_num(raw[:, k]) != 0).any():
            statements.append(Statement("nowcast.zero-indicator", cell["place"], _cell(cell)))
    return Panel(cells, actual, first, truth_unit, streams, raw, start, statements, excluded)


def _of_years(
    rule: str, marks: np.ndarray, known: np.ndarray, cells: Sequence[dict[str, str]], first: int
) -> list[Statement]:
    """What is said of the years (N, Y) from `first` that `marks` names, of those that are `known`: by cell; once for
    all places where a year is marked wherever it is known."""
    told: list[Statement] = []
    of = [tuple(_cell(cell).values()) for cell in cells]
    for one in dict.fromkeys(of):
        rows = np.array([k for k, other in enumerate(of) if other == one])
        shared = (marks[rows] | ~known[rows]).all(0) & (marks[rows].sum(0) > 1)
        each: list[tuple[str | None, np.ndarray]] = [(None, shared)]
        each += [(cells[k]["place"], marks[k] & ~shared) for k in rows]
        told += [
            Statement(rule, place, _cell(cells[rows[0]]) | {"years": [first + int(y) for y in np.nonzero(when)[0]]})
            for place, when in each
            if when.any()
        ]
    return told


def _cell(cell: Mapping[str, str]) -> dict[str, Any]:
    return {name: cell[name] for name in ("sector", "carrier")}


def doubted(truth: Array) -> np.ndarray:
    """Annual values (N, Y) that cannot be right: zero, or another size than the cell has ever moved to. Each is judged
    by those before it alone, but for the record's first years.

    Values that agree with each other after a doubted one are a new level from the second on (beyond `FAR` only zeros
    are), or, once they are more than all the years before them, the only one: then those years were wrong.
    """
    out = np.zeros(truth.shape, bool)
    for k, row in enumerate(truth):
        old: list[int] = []  # years believed
        new: list[int] = []  # years doubted that agree with each other
        for t in np.nonzero(np.isfinite(row))[0].tolist():
            now = float(row[t])
            if not any(row[s] > 0 for s in old) or (now == 0 and row[old[-1]] == 0):
                old.append(t)
                continue
            last = next(float(row[s]) for s in reversed(old) if row[s] > 0)
            if not _departs(now, last, row[[s for s in old if row[s] > 0]]):
                old, new = [*old, t], []
                continue
            agree = bool(new) and abs(now - row[new[-1]]) <= 0.5 * max(now, row[new[-1]])
            new = [*new, t] if agree else [t]
            out[k, t] = True
            if len(new) > len(old):
                out[k, old], out[k, new] = True, False
                old, new = new, []
            elif len(new) > 1 and (now == 0 or abs(np.log(now / last)) <= np.log(FAR)):
                out[k, t] = False
                old, new = [t] if now > 0 else [*old, t], []
    return out


def _departs(now: float, last: float, before: Array) -> bool:
    """Whether a year is another size than the one before it, and than the cell's years `before` have moved."""
    moves = np.diff(np.log(before))
    usual = float(np.median(moves)) if len(moves) else 0.0
    spread = float(np.mean(np.abs(moves - usual))) if len(moves) else 0.0
    limit = max(np.log(TRUTH), SCATTER * spread) if len(moves) >= FEW else np.log(FAR)
    return now <= 0 or abs(float(np.log(now / last)) - usual) > limit


def _before(frame: pl.DataFrame, until: int | None) -> pl.DataFrame:
    """The rows of the years before `until`, or all of them where there are none."""
    early = frame.filter(pl.col("year") < until) if until is not None else frame
    return early if early.height else frame


def _sums(frame: pl.DataFrame, parted: Sequence[str] = ()) -> list[str]:
    """Places that are the sum of all other places, in nearly all of the years of which most places are known: years
    with a place missing or wrong do not make a region of the sum. `parted`: within each of these apart, and in all.
    """
    counts: dict[str, list[bool]] = {}
    groups = [frame] if not parted else [part for _, part in frame.group_by(parted)]
    for part in groups:
        by = part.group_by("place", "year").agg(pl.col("value").sum())
        if by["place"].n_unique() < 3:
            continue
        wide = by.pivot(on="place", index="year", values="value").drop("year")
        values = wide.to_numpy()
        number = np.isfinite(values).sum(1)
        values = values[number == number.max()]
        rest = np.nansum(values, 1, keepdims=True) - np.nan_to_num(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            near = (np.abs(values / rest - 1) < SAME).sum(0)
        whole = near >= np.maximum(MOSTLY * np.isfinite(values).sum(0), 1)
        for name, yes in zip(wide.columns, whole.tolist(), strict=True):
            counts.setdefault(name, []).append(yes)
    return sorted(name for name, told in counts.items() if all(told))


def _streams(
    seen: pl.DataFrame,
    cells: list[dict[str, str]],
    keys: list[str],
    factors: Mapping[str, float],
    until: int | None,
) -> tuple[list[Stream], Array, int]:
    """Indicators for the cells: all of the place where cells are places; else those of the cell's own sector (or, where
    the indicators have the truth's carriers, carrier) and the place's sums."""
    places = pl.DataFrame(cells).with_row_index("cell")
    if seen.is_empty():
        return [], np.zeros((0, len(cells), 1, 12)), 0
    start, final = int(seen["year"].min()), int(seen["year"].max())  # type: ignore[arg-type]
    seen = seen.filter(pl.col("month").is_not_null())
    shared = set(seen["carrier"].unique()) & set(places["carrier"].unique()) - {""}
    parted = [name for name in ("sector", "carrier") if name in keys and (name == "sector" or shared)]
    if parted:
        own = seen.join(places.select("cell", "place", *parted), on=["place", *parted])
        own = own.with_columns(pl.lit("").alias(name) for name in parted)
        summed, kept = parted[0], "carrier" if parted[0] == "sector" else "sector"
        whole = seen.group_by("place", kept, "item", "unit", "year", "month").agg(pl.col("value").sum())
        whole = whole.join(places.select("cell", "place"), on="place").with_columns(pl.lit("*").alias(summed))
        columns = ["cell", "carrier", "sector", "item", "unit", "year", "month", "value"]
        long = pl.concat([own.select(columns), whole.select(columns)])
    else:
        long = seen.join(places.select("cell", "place"), on="place")
    long = long.group_by("cell", "carrier", "sector", "item", "unit", "year", "month").agg(pl.col("value").sum())
    names = long.select("carrier", "sector", "item", "unit").unique().sort("carrier", "item", "sector", "unit")
    long = long.join(names.with_row_index("stream"), on=["carrier", "sector", "item", "unit"])
    raw = np.full((names.height, len(cells), final - start + 1, 12), np.nan)
    where = [long[name].to_numpy() for name in ("stream", "cell", "year", "month")]
    raw[where[0], where[1], where[2] - start, where[3] - 1] = long["value"].to_numpy()
    rows = names.to_dicts()
    early = raw[:, :, : until - start] if until is not None and until > start else raw
    total = [_is_total(early, rows, k) or "*" in (row["sector"], row["carrier"]) for k, row in enumerate(rows)]
    streams = [
        Stream(r["carrier"], r["sector"], r["item"], r["unit"], 0.0 if t else factors.get(r["carrier"], 0.0), t)
        for r, t in zip(rows, total, strict=True)
    ]
    return streams, raw, start


def _is_total(raw: Array, rows: list[dict[str, str]], k: int) -> bool:
    """Whether stream `k` is the sum of the other streams of its carrier, item and unit."""
    others = [j for j, r in enumerate(rows) if j != k and all(r[n] == rows[k][n] for n in ("carrier", "item", "unit"))]
    if len(others) < 2:
        return False
    rest = np.nansum(raw[others], 0)
    known = np.isfinite(raw[k]) & (raw[k] > 0)
    return bool(known.any() and np.mean(np.abs(rest[known] / raw[k][known] - 1) < SAME) > 0.95)
