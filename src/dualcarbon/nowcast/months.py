"""This month's direct CO2 of every cell where its fuels are not seen yet, from electricity and what is known so far.

Fuels that were seen are counted elsewhere; here only the remainder is modelled. The same chain as for years: last value
(the month a year ago) → moved with electricity → moved with recent growth → pooled ridge, chosen by past skill.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dualcarbon.nowcast import bridge, intervals
from dualcarbon.nowcast.annual.forecast import log_ratio
from dualcarbon.nowcast.choose import choose, picked
from dualcarbon.nowcast.denton import Array

METHODS = ("last_value", "electricity_ratio", "recent_growth", "ridge")
#: Months of a year before, that growth needs.
YEAR = 12
#: Months that teach: three years.
PAST = 36
#: Months over which recent growth is taken.
RECENT = 3
#: Fewer months than this before a month are said, and widen its interval by the square root of what is lacking
#: (judgement): errors of so few months are too like each other.
SHORT = 30
#: What is known of a month before its fuels: growth of the cell's electricity, of its place's, of its recent CO2.
FEATURES = ("electricity", "place_electricity", "recent")


@dataclass(frozen=True)
class Month:
    """An estimate of one month for all cells: `value` (N,), half-widths in logarithms (`shared`, `own` (N,)), which
    cells were `counted`, and each cell's `method` (number in METHODS; counted cells have none). `start` is the last
    value, `inner` the half-widths of 80 % (those of `shared` and `own` are of 90 %), `names` those of the columns of
    `features`, `mean` says where `start` is the mean of recent months."""

    value: Array
    counted: np.ndarray
    method: np.ndarray
    shared: float
    own: Array
    record: dict[str, float]
    candidates: dict[str, Array]
    features: Array
    model: bridge.Bridge | None
    start: Array
    inner: tuple[float, Array]
    names: tuple[str, ...] = ()
    mean: np.ndarray | None = None

    def methods(self) -> list[str]:
        """Each cell's method by name: one of METHODS, `recent_mean` where the last value is no month a year ago but the
        mean of the last three, or `counted`."""
        names = np.where(self.method < 0, "counted", np.array([*METHODS, ""])[self.method]).tolist()
        if self.mean is None:
            return names
        known = zip(names, self.mean, strict=True)
        return ["recent_mean" if name == METHODS[0] and mean else name for name, mean in known]

    def of(self, mine: np.ndarray) -> "Month":
        """The same of the cells `mine` (N,) alone."""
        kept = {name: getattr(self, name)[mine] for name in ("value", "counted", "method", "own", "features", "start")}
        candidates = {name: value[mine] for name, value in self.candidates.items()}
        mean = None if self.mean is None else self.mean[mine]
        return replace(self, candidates=candidates, inner=(self.inner[0], self.inner[1][mine]), mean=mean, **kept)


def gap(direct: Array, t: int) -> int:
    """How many months before `t` most cells that ought to have reported last had; at least 1."""
    for back in range(max(1, t + 1 - direct.shape[1]), t + 1):
        if np.isfinite(direct[:, t - back]).mean() >= 0.5:
            return back
    return t + 1


def away(values: Array, t: int) -> int:
    """How many months before `t` (0: in it) most of `values` (N, T) was last seen; cells count by what they reported.

    Where no month was seen as far as that, half of the best counts as most. Nothing but zeros is not waited for: 0.
    """
    seen = np.isfinite(values[:, : t + 1])
    weight = np.where(seen, values[:, : t + 1], 0.0).sum(1)
    if not weight.sum():
        return 0
    share = weight @ seen
    return t - int(np.nonzero(share >= 0.5 * share.max())[0].max())


def known_before(direct: Array, power: Array, t: int) -> int:
    """How many months before `t` anything was seen of."""
    return int((np.isfinite(direct[:, :t]).any(0) | np.isfinite(power[:, :t]).any(0)).sum())


def features(
    direct: Array, power: Array, t: int, late: int, power_late: int, places: np.ndarray, terms: Array | None = None
) -> Array:
    """Growth on a year ago that is known at month `t` (N, 3 + k): the cell's electricity, its place's, its recent CO2,
    and the month's `terms` (T, k) of calendar and weather.

    `direct` (CO2) and `power` (electricity) are (N, T), NaN where not seen; they are taken up to `t` − `late` and
    `t` − `power_late`. Electricity of a cell that is late counts as it grew over the three months before.
    """
    count = int(places.max(initial=0)) + 1
    months = [t] if power_late == 0 else window(t, power_late)
    now, before = power[:, months], power[:, [s - YEAR for s in months]]
    seen = np.isfinite(now) & np.isfinite(before)
    sums = [np.where(seen, part, 0.0).sum(1) for part in (now, before)]
    own = np.where(seen.any(1), log_ratio(*sums), _recent(power, t, power_late + 1))
    total = [np.bincount(places, part, count).astype(float) for part in sums]
    made = np.stack([own, log_ratio(*total)[places], _recent(direct, t, late)], 1)
    if terms is None:
        return made
    return np.concatenate([made, np.broadcast_to(terms[t], (len(made), terms.shape[1]))], 1)


def window(t: int, late: int) -> list[int]:
    """The last three months up to `t` − `late` that have a month a year before."""
    return [s for s in range(t - late - RECENT + 1, t - late + 1) if s >= YEAR]


def _recent(values: Array, t: int, late: int) -> Array:
    """Growth on a year before over the last three months up to `t` − `late`, of the months seen in both years (N,)."""
    months = window(t, late)
    if not months:
        return np.zeros(len(values))
    now, before = values[:, months], values[:, [s - YEAR for s in months]]
    both = np.isfinite(now) & np.isfinite(before)
    return log_ratio(np.where(both, now, 0).sum(1), np.where(both, before, 0).sum(1))


def base(direct: Array, t: int, late: int) -> Array:
    """The last value (N,): the month a year ago; where that is not known or zero, the mean of the last three seen."""
    before = direct[:, t - YEAR] if t >= YEAR >= late else np.full(len(direct), np.nan)
    months = direct[:, max(t - late - RECENT + 1, 0) : max(t - late + 1, 0)]
    known = np.isfinite(months)
    mean = np.where(known, months, 0).sum(1) / np.maximum(known.sum(1), 1)
    there: np.ndarray = np.asarray(known.any(1))
    for k in np.nonzero(~there & ~np.isfinite(before))[0]:  # what was not believed for more than a year
        seen = direct[k, : max(t - late + 1, 0)]
        seen = seen[np.isfinite(seen)][-RECENT:]
        mean[k], there[k] = (seen.mean(), True) if len(seen) else (0.0, False)
    return np.where(np.isfinite(before) & (before > 0), before, np.where(there, mean, np.nan_to_num(before)))


def _yearly(direct: Array, t: int, late: int, start: Array) -> np.ndarray:
    """Whether `start`, the `base`, is the month a year ago (N,)."""
    before = direct[:, t - YEAR] if t >= YEAR >= late else np.full(len(direct), np.nan)
    return np.asarray(np.isfinite(before) & (before == start))


def estimate(
    direct: Array,
    power: Array,
    t: int,
    places: np.ndarray,
    sectors: np.ndarray,
    terms: Array | None = None,
    names: Sequence[str] = (),
) -> Month:
    """Estimate month `t` of `direct` (N, T): counted where seen, else from the best of METHODS for each cell.

    `power` (N, T) is the electricity of the cells; `places` and `sectors` (N,) number their places and sectors; `terms`
    (T, k) are known beforehand (the festival, first) or with the month (weather), `names` (k) what they are called.
    Nothing after `t` is used, and nothing that is NaN at the time. A cell without any history is 0. Half-widths grow by
    the square root of `SHORT` over the months known before, where these are fewer.
    """
    direct, power = direct[:, : t + 1], power[:, : t + 1]
    counted = np.isfinite(direct[:, t])
    if counted.all():
        return all_counted(direct[:, t])
    late = gap(direct, t)
    power_late = 0 if np.isfinite(power[:, t]).mean() >= 0.5 else gap(power, t)
    if terms is not None and power_late == 0:
        terms, names = terms[:, 1:], names[1:]  # electricity that was seen carries the festival already
    past = [s for s in range(max(YEAR, t - PAST), t - late + 1) if np.isfinite(direct[:, s]).any()]
    made = {s: features(direct, power, s, late, power_late, places, terms) for s in [*past, t] if s >= YEAR}
    bases = {s: base(direct, s, late) for s in past}
    growth = {}
    for s, last in bases.items():
        growth[s] = np.log(np.where(direct[:, s] > 0, direct[:, s], np.nan) / np.where(last > 0, last, np.nan))
    several = sectors if sectors.max(initial=0) > 0 else None
    training = bridge.Training([made[s] for s in past], [growth[s] for s in past], past, several) if past else None
    model = training.fit() if training is not None else None
    start = base(direct, t, late)
    inputs = made.get(t, np.zeros((len(direct), len(FEATURES) + (0 if terms is None else terms.shape[1]))))
    candidates = _candidates(start, inputs, model, sectors)
    record: dict[str, Array] = {}
    if training is not None:
        record = _errors(direct, bases, made, training, list(candidates), sectors, model)
    able = [name for name in METHODS if name in candidates]
    chosen, skill = choose(record, able) if record else (np.zeros(len(direct), int), {})
    value = picked(candidates, able, chosen)
    dark = min(late, max(power_late, 1))  # electricity that was seen carries what moved since
    far = record
    if training is not None and dark > 1:
        far = _errors(direct, bases, made, training, list(candidates), sectors, model, apart=dark)
    shown = picked(far, able, chosen) if far else np.full((len(direct), 0), np.nan)
    usual, history = intervals.scatter(direct[:, : t - late + 1], YEAR)
    unseen = ~np.isfinite(power[:, t]) if power_late == 0 else np.zeros(len(direct), bool)
    nothing = record.get("last_value", shown)
    few = np.sqrt(max(SHORT / max(known_before(direct, power, t), 1), 1.0))
    shared, own = (few * part for part in _widths(shown, nothing, usual, history, unseen, sectors, dark, 0.9))
    inner, inner_own = (few * part for part in _widths(shown, nothing, usual, history, unseen, sectors, dark, 0.8))
    method = np.array([METHODS.index(name) for name in able])[chosen]
    return Month(
        np.where(counted, np.nan_to_num(direct[:, t]), value), counted, np.where(counted, -1, method), shared,
        np.where(counted, 0.0, own), skill, candidates, inputs, model, start,
        (inner, np.where(counted, 0.0, inner_own)), (*FEATURES, *names), ~_yearly(direct, t, late, start),
    )  # fmt: skip


def _errors(
    direct: Array, bases: dict[int, Array], made: dict[int, Array], training: bridge.Training, methods: list[str],
    sectors: np.ndarray, model: bridge.Bridge | None, apart: int = 1,
) -> dict[str, Array]:  # fmt: skip
    """Log errors (N, K) of each of the `methods` in past months, whose last values (N,) as they were known `bases` has.

    Bridges are fitted without the months less than `apart` away: where neither fuels nor electricity were known for so
    long, these are the months that were not known then, and as many after. What moved in between is in no other month.
    Their penalties are those of the `model` of all months.
    """
    errors: dict[str, list[Array]] = {name: [] for name in methods}
    for s, last in bases.items():
        without = training.fit([other for other in bases if abs(other - s) < apart], like=model)
        then = _candidates(last, made[s], without, sectors)
        for name, rows in errors.items():
            with np.errstate(all="ignore"):
                error = np.log(direct[:, s] / then[name]) if name in then else np.full(len(direct), np.nan)
            rows.append(np.where(np.isfinite(error), error, np.nan))
    return {name: np.array(rows).T for name, rows in errors.items()}


def _widths(
    errors: Array, nothing: Array, usual: Array, history: Array, unseen: np.ndarray, sectors: np.ndarray, dark: int,
    level: float,
) -> tuple[float, Array]:  # fmt: skip
    """Half-widths as of `intervals.parts`, by sector, from errors `dark` months after anything was known; a cell whose
    electricity was `unseen` while that of others came is wider by half, and no narrower than with the errors of knowing
    `nothing`.
    """
    shared, own = intervals.parts(errors, usual, history, level=level, groups=sectors, overlap=dark)
    if unseen.any():
        least = intervals.parts(nothing, usual, history, level=level, groups=sectors)[1]
        own = np.where(unseen, np.maximum(1.5 * own, least), own)
    return shared, own


def all_counted(value: Array) -> Month:
    """A month of which every cell was seen."""
    nothing, whole = np.zeros(len(value)), np.ones(len(value), bool)
    none = np.full(len(value), -1)
    return Month(value, whole, none, 0.0, nothing, {}, {}, np.zeros((len(value), 0)), None, value, (0.0, nothing))


def _candidates(start: Array, inputs: Array, model: bridge.Bridge | None, sectors: np.ndarray) -> dict[str, Array]:
    made = {
        "last_value": start,
        "electricity_ratio": start * np.exp(inputs[:, 0]),
        "recent_growth": start * np.exp(inputs[:, 2]),
    }
    if model is not None:
        made["ridge"] = start * np.exp(model.predict(inputs, sectors if model.own is not None else None))
    return made


def hidden(
    values: Array,
    power: Array,
    t: int,
    late: int,
    power_late: int,
    places: np.ndarray,
    sectors: np.ndarray,
    terms: Array | None = None,
) -> Month:
    """Month `t` of `values` (N, T) estimated as if they came `late` months after it, and electricity `power_late` (0:
    with it). What was not known then of the months up to `t` is hidden.
    """
    seen, shown = values[:, : t + 1].copy(), power[:, : t + 1].copy()
    seen[:, t - late + 1 :] = np.nan
    if power_late:
        shown[:, t - power_late + 1 :] = np.nan
    return estimate(seen, shown, t, places, sectors, terms)
