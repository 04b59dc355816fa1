"""Observations of a workspace -> monthly CO2 of county × sector × domain cells by the engine, and what was seen when.

Counted are the fuels burned other than for electricity (direct), and purchased electricity (indirect, apart): the parts
of the consumption account that electricity and above-scale energy returns let one follow by month. Heat across the
boundary and process CO2 are left to the account itself.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dualcarbon.core import pack as packs
from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import worst
from dualcarbon.engine import Calculation, calculate
from dualcarbon.nowcast import calendar_terms, factors, screening, spreading
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.factors import Lost
from dualcarbon.nowcast.screening import Doubt
from dualcarbon.nowcast.usual import FAMILY

BIOMASS = ("biogas", "wood", "straw", "biomass_waste", "sludge")
PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "direct": ("cn.combustion", {"process": {"not": "power"}, "carrier": {"not": list(BIOMASS)}}),
    "indirect": ("cn.electricity", {}),
}
DIMS = ("place", "sector", "domain", "carrier", "process", "dataset")
#: The item of the rows that each part is counted from.
ITEMS = {"direct": "energy.combustion", "indirect": "energy.purchased"}
ENERGY = "item in ('energy.combustion', 'energy.purchased')"
#: A cell whose rows stay away longer than this no longer has that energy, rather than being late.
SILENT = 12
#: Rows of a month, or of January and February as one: no others are counted.
MONTHS = """(start + interval 1 month = "end" or (start + interval 2 month = "end" and month(start) = 1))"""
#: Months before a month by which it is estimated.
YEAR = 12
#: A part of which nothing has come for longer than this since the first of the other was never reported, not late.
NEW = 3
#: Ending of the code of the area that holds what was recorded at a place itself, or across its areas; its name.
UNALLOCATED = "-unallocated"
UNALLOCATED_NAME = {"zh": "未分地区", "en": "Unallocated"}


@dataclass(frozen=True)
class City:
    """`direct`, `indirect` (tCO2) and `power` (MWh) by cell (place, sector, domain) and month (N, T), NaN where not
    seen; `months` (T). `fallbacks` says which factors were borrowed, `lost` which rows have none and are in no value.
    `zeros` are cells that never reported anything but zero, `absent` areas that never reported, `never` by part those
    that never reported any of it, `unallocated` the recorded places that lie in none of the areas and are an area of
    their own, `place` the whole, `weather` degree days by name and month, of `weather_places`, `later` how many rows of
    energy became known after a day that nobody asked for, and the last day on which any did. An area of a city is
    estimated with all others: `whole` is that city, which holds the area's cells too and begins `offset` months before,
    and `heard` the number of the last month that the area reported."""

    cells: list[tuple[str, str, str]]
    months: list[date]
    direct: Array
    indirect: Array
    power: Array
    status: str
    as_of: date
    version: int
    fallbacks: list[dict[str, Any]]
    lost: list[Lost] = field(default_factory=list)
    weather: dict[str, dict[date, float]] = field(default_factory=dict)
    weather_places: dict[str, str] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    zeros: list[tuple[str, str, str]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    never: dict[str, list[str]] = field(default_factory=dict)
    unallocated: list[str] = field(default_factory=list)
    place: str = ""
    later: tuple[int, date] | None = None
    whole: "City | None" = None
    offset: int = 0
    heard: int = 0

    @property
    def together(self) -> "City":
        """All cells that are estimated together with these."""
        return self if self.whole is None else self.whole

    @cached_property
    def mine(self) -> np.ndarray:
        """Which cells of `together` are these (N,)."""
        held = set(self.cells)
        return np.array([cell in held for cell in self.together.cells], bool)

    @cached_property
    def terms(self) -> Array:
        """What calendar and weather say of each month (T, k)."""
        return calendar_terms.terms(self.months, self.weather)[0]

    @property
    def term_names(self) -> list[str]:
        """Names (k) of the `terms`."""
        return calendar_terms.terms(self.months, self.weather)[1]

    @property
    def groups(self) -> np.ndarray:
        """A number (N,) for the sector of each cell, as it was numbered in estimating."""
        return self.together.sectors[self.mine]

    @cached_property
    def places(self) -> np.ndarray:
        """A number (N,) for the place of each cell."""
        return _numbers([cell[0] for cell in self.cells])

    @cached_property
    def sectors(self) -> np.ndarray:
        """A number (N,) for the sector of each cell."""
        return _numbers([cell[1] for cell in self.cells])

    @cached_property
    def estimates(self) -> dict[tuple[int, ...], Any]:
        """Months estimated so far, by number and, where `record` hid some of what is known, by how much."""
        return {}

    @cached_property
    def _lost(self) -> dict[str, dict[int, set[int]]]:
        """Numbers of the months with rows that have no factor, by part and number of the cell."""
        made: dict[str, dict[int, set[int]]] = {}
        place, row = ({one: n for n, one in enumerate(held)} for held in (self.months, self.cells))
        for one in self.lost:
            if one.start in place and one.cell in row:
                months = range(place[one.start], place[one.start] + (2 if one.end > month_after(one.start) else 1))
                made.setdefault(one.part, {}).setdefault(row[one.cell], set()).update(months)
        return made

    def unheard(self, mine: np.ndarray) -> dict[str, None]:
        """Parts of which no place of the cells `mine` (N,) ever reported anything, each as None: it is no zero."""
        places = {self.cells[k][0] for k in np.nonzero(mine)[0]}
        return {part: None for part, never in self.never.items() if places <= set(never)}

    def lacking(self, t: int, part: str | None = None) -> np.ndarray:
        """Cells (N,) whose value of month number `t` lacks something: rows without a factor, of the month or, where it
        is not seen yet, of the year before, by which it is estimated; or a part that their place never reported."""
        never = {place for name in ([part] if part else PARTS) for place in self.never.get(name, ())}
        out = np.array([cell[0] in never for cell in self.cells], bool)
        for name, lost in self._lost.items() if part is None else [(part, self._lost.get(part, {}))]:
            seen = np.isfinite(getattr(self, name)[:, t])
            for k, months in lost.items():
                out[k] |= t in months if seen[k] else any(s in months for s in range(t - YEAR, t))
        return out

    def upto(self, t: int) -> "City":
        """The same, seen no further than month number `t`."""
        cut = {name: getattr(self, name)[:, : t + 1] for name in ("direct", "indirect", "power")}
        whole = None if self.whole is None else self.whole.upto(t + self.offset)
        made = replace(self, months=self.months[: t + 1], whole=whole, **cut)
        made.__dict__["estimates"] = self.estimates  # they look at no later month than their own
        return made

    def of(self, mine: np.ndarray) -> "City":
        """The cells `mine` (N,) alone."""
        kept = {name: getattr(self, name)[mine] for name in ("direct", "indirect", "power")}
        return replace(self, cells=[self.cells[k] for k in np.nonzero(mine)[0]], doubts=[], **kept)

    def recorded(self, place: str) -> dict[str, Any]:
        """`place` and `where` with which the engine is asked for the rows of an area, or of the whole."""
        if not place.endswith(UNALLOCATED):
            return {"place": place, "where": {}}
        return {"place": place.removesuffix(UNALLOCATED), "where": {"place": list(self.unallocated)}}


def _numbers(names: list[str]) -> np.ndarray:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=int)


def read(
    workspace: Any,
    *,
    as_of: date | None = None,
    until: date | None = None,
    place: str | None = None,
    tree: str = "admin",
    family: str = FAMILY,
    version: int | None = None,
    factors_at: date | None = None,
) -> City:
    """What was known on `as_of` (default: when the last month became known) about the areas directly under `place`
    (default: the place of the pack). Rows of the place that lie in none of the areas are an area of their own. An area
    of a city is not parted further, and comes with the city (`City.whole`): asked for by itself it is the same figure.

    `until`: the last month of the arrays (default: the month before that of `as_of`). A month without rows of a cell
    that has reported within the year before is not seen; a cell silent for longer, or never heard of, has none of it.
    `factors_at`: count with the factors of another day than the data.
    Rows whose factor nobody knew then take one of another time (`fallbacks`); those that have none are `lost`. Raises
    Refused when the workspace holds no monthly energy data, or none that any factor counts, or the place, the tree or
    the family is unknown, or the month lies after the year that follows `as_of`.
    """
    code = located(workspace, place)
    return _read(source(workspace, version), _Question(as_of, until, code, tree, family, factors_at))


@dataclass(frozen=True)
class Source:
    """The data of a workspace that are counted, as of a commit, and its pack: what is made of them stays the same.

    `accounts`: the datasets (id, status) whose role is the account.
    """

    path: Path
    id: str
    version: int
    accounts: tuple[tuple[str, str | None], ...]
    pack: str
    pack_state: Any
    workspace: Any = field(compare=False)

    def rows(self, known_at: date | None = None) -> Any:
        """The observations known on a day, or all of them."""
        names = [name for name, _ in self.accounts]
        return self.workspace.observations(datasets=names, known_at=known_at, version=self.version)


def source(workspace: Any, version: int | None = None) -> Source:
    """What a workspace holds as of a commit (default: the latest)."""
    accounts = tuple((one["id"], one["status"]) for one in workspace.datasets() if one["role"] == "account")
    version = workspace.version() if version is None else version
    state = packs.fingerprint(workspace.pack)
    return Source(workspace.path, workspace.id, version, accounts, str(workspace.pack), state, workspace)


class _Question(NamedTuple):
    """What `read` was asked, with the place's code."""

    as_of: date | None
    until: date | None
    code: str
    tree: str
    family: str
    factors_at: date | None


@lru_cache(maxsize=24)
def _read(given: Source, question: _Question) -> City:
    """As `read`; the last few are kept, as all that a page opens is read from the same few."""
    as_of, until, code, tree, family, factors_at = question
    book = load(given.pack)
    if tree not in book.places.trees:
        raise Refused(Problem("nowcast.unknown-tree", value=tree, params={"known": "、".join(book.places.trees)}))
    datasets = dict(given.accounts)
    later = None
    if as_of is None:
        every = given.rows()
        as_of = last_arrival(every)
        later = _known_after(every, as_of)
    rows = given.rows(as_of)
    end = until or month_before(as_of)
    if end.year > as_of.year + 1:
        raise Refused(Problem("nowcast.too-far", value=str(end.year), params={"day": as_of.isoformat()}))
    scope = pool(book, code, tree, end)
    base = scope.removesuffix(UNALLOCATED)
    made, joint, fallbacks, lost = {}, {}, [], []
    rest: set[str] = set()
    for part, found in _counted(given, (as_of, factors_at or as_of), family).items():
        inside = factors.known(placed(found.cells, book, scope, tree, end))
        lost += factors.lost(part, found, _whole(inside, end))
        fallbacks += _inside(found.fallbacks, inside if scope == code else inside.filter(pl.col("area") == code))
        rest |= set(inside.filter(pl.col("area") == base + UNALLOCATED)["place"])
        made[part], joint[part] = (_monthly(inside, end, length) for length in ("1mo", "2mo"))
    frames = [*made.values(), *joint.values()]
    own = frames if scope == code else [frame.filter(pl.col("area") == code) for frame in frames]
    carriers = sorted({one.carrier for one in lost if scope == code or one.cell[0] == code})
    if carriers and all(frame["lost"].all() for frame in own):
        raise Refused(Problem("nowcast.no-factors", value="、".join(carriers)))
    if all(frame.is_empty() for frame in own[: len(made)]):
        every = [placed(found.cells, book, code, tree, end)
                 for found in _counted(given, (as_of, factors_at or as_of), family).values()]  # fmt: skip
        params = {"month": end.isoformat()[:7], "day": as_of.isoformat(), "first": _beginning(every)}
        raise Refused(Problem("nowcast.no-energy-data", value=given.workspace.name, params=params))
    used = {name for frame in own[: len(made)] for name in frame["dataset"].unique().to_list()} & datasets.keys()
    weather, weather_places = calendar_terms.degree_days(rows, _path(book, code, tree, end))
    told: dict[str, Any] = {
        "never": _never(rows, book, scope, code, tree, end),
        "status": worst([*(datasets[name] for name in used), "unverified"]) or "unverified", "datasets": sorted(used),
        "fallbacks": fallbacks, "weather": weather, "weather_places": weather_places,
    }  # fmt: skip
    if scope != code:
        return _area(_read(given, question._replace(code=scope)), code, own, told)
    cells = sorted(pl.concat([frame.select("area", "sector", "domain") for frame in frames]).unique().rows())
    starts: list[Any] = [frame["start"].min() for frame in frames if not frame.is_empty()]
    months = pl.date_range(min(starts), end, "1mo", eager=True).to_list()
    arrays = {part: spreading.spread(frame, cells, months, "co2") for part, frame in made.items()}
    power = spreading.spread(made["indirect"], cells, months, "quantity")
    for part, spanning in joint.items():
        spreading.parted(arrays[part], spanning, cells, months, power, "co2")
    spreading.parted(power, joint["indirect"], cells, months, power, "quantity")
    numbers = _numbers([cell[0] for cell in cells])
    arrays["direct"], power, doubts = screening.of_city(arrays["direct"], power, months, numbers)
    arrays["indirect"][~np.isfinite(power)] = np.nan
    for values in (*arrays.values(), power):
        values.setflags(write=False)  # it is kept for others
    absent = sorted(set(_targets(book, base, tree, end)) - {cell[0] for cell in cells}) if scope == base else []
    return City(cells, months, arrays["direct"], arrays["indirect"], power, as_of=as_of, version=given.version,
                lost=lost, doubts=doubts, zeros=spreading.zeros(frames), absent=absent, unallocated=sorted(rest),
                place=scope, later=later, **told)  # fmt: skip


def _beginning(cells: list[pl.DataFrame]) -> dict[str, str]:
    """How a refusal says in which month the data begin, where there are any."""
    first: Any = pl.concat([_whole(one, date.max)["start"].cast(pl.Date) for one in cells]).min()
    return {"zh": f"，最早的是 {first:%Y-%m}" if first else "", "en": f"; they begin in {first:%Y-%m}" if first else ""}


def _never(rows: Any, book: Classification, scope: str, code: str, tree: str, end: date) -> dict[str, list[str]]:
    """Areas of `scope` (of them the area `code`) by part of which no month was ever known, of whatever carrier.

    All of them are where nobody has any. What was recorded for the whole may be any area's: then none is.
    """
    found = rows.filter(f"{ENERGY} and value is not null and {MONTHS}").aggregate(
        "item, place, min(start)::date as since"
    )
    told = found.fetchall()
    inside = areas(pl.Series([place for _, place, _ in told], dtype=pl.String), book, scope, tree, end)
    have = {part: {inside[place] for one, place, _ in told if one == item and place in inside}
            for part, item in ITEMS.items()}  # fmt: skip
    every = set().union(*have.values())
    since = min((day for _, place, day in told if place in inside), default=end)
    if month_after(since, NEW) > end:
        return {}
    rest = scope.removesuffix(UNALLOCATED) + UNALLOCATED
    never = {part: every - mine if rest not in mine else set() for part, mine in have.items()}
    never = {part: places if places == every else places - {rest} for part, places in never.items()}
    return {
        part: kept for part, places in never.items() if (kept := sorted(places & ({code} if scope != code else every)))
    }


def pool(book: Classification, code: str, tree: str, end: date | None = None) -> str:
    """The place whose areas are estimated together with `code`: the city of which it is one, else itself."""
    city = above(book, code, tree)
    return city if code.endswith(UNALLOCATED) or code in book.places.children(city, tree, end) else code


def _area(whole: City, code: str, own: list[pl.DataFrame], told: dict[str, Any]) -> City:
    """The area `code` of a city, from the first month of its `own` frames, with what is `told` of it alone."""
    starts = {day for frame in own for day in frame["start"].cast(pl.Date)}
    first, heard = whole.months.index(min(starts)), whole.months.index(max(starts))
    mine = np.array([cell[0] == code for cell in whole.cells])
    number = {int(k): n for n, k in enumerate(np.nonzero(mine)[0])}
    doubts = [one._replace(cell=number[one.cell]) for one in whole.doubts if one.cell in number]
    kept = whole.of(mine)
    return replace(
        kept, months=kept.months[first:], direct=kept.direct[:, first:], indirect=kept.indirect[:, first:],
        power=kept.power[:, first:], doubts=doubts, **told,
        lost=[one for one in whole.lost if one.cell[0] == code], zeros=[one for one in whole.zeros if one[0] == code],
        absent=[], place=code, whole=whole, offset=first, heard=heard - first,
    )  # fmt: skip


def counted(
    workspace: Any, as_of: date, family: str, version: int, factors_at: date | None = None
) -> dict[str, Calculation]:
    """The calculation of each of `PARTS` over all account data known on `as_of`, whatever place is asked for later,
    with the factors known then, or on `factors_at`.

    The last few are kept, so that the counties of a city and the months of a page do not calculate the same again.
    """
    return _counted(source(workspace, version), (as_of, factors_at or as_of), family)


@lru_cache(maxsize=4)
def _counted(given: Source, days: tuple[date, date], family: str) -> dict[str, Calculation]:
    factors.checked(given.pack, family)
    rows = given.rows(days[0])
    if days[0] != days[1]:  # the engine's day is that of the factors alone
        rows = rows.project("* replace (null::date as known_at)")
    return {
        part: calculate(method, rows, pack=given.pack, family=family, known_at=days[1], where=where, dims=DIMS,
                        canonical=True, borrow=True)
        for part, (method, where) in PARTS.items()
    }  # fmt: skip


def located(workspace: Any, place: str | None) -> str:
    """Code of a place named by code or name; where none is named, the place that the workspace's pack is about.

    Raises Refused for a place that the pack does not know.
    """
    code = found(load(workspace.pack), place) if place else packs.place(workspace.pack)
    if code is None:
        raise Refused(Problem("nowcast.unknown-place", value=place))
    return str(code)


def found(book: Classification, place: str) -> str | None:
    """Code of a place, or of what is unallocated in one (its code with the ending `UNALLOCATED`); None if unknown."""
    code = book.places.find(place.removesuffix(UNALLOCATED))
    return code + UNALLOCATED if code and place.endswith(UNALLOCATED) else code


def above(book: Classification, code: str, tree: str) -> str:
    """The city that holds a place, else the place itself: the areas of a city are estimated together."""
    if code.endswith(UNALLOCATED):
        return code.removesuffix(UNALLOCATED)
    path = book.places.path(code, tree)
    return next((one for one in path if (book.places.row(one) or {}).get("level") == "city"), code)


def last_arrival(rows: Any) -> date:
    """The day on which the last month of electricity or fuel became known (the day after it, where nobody says)."""
    energy = rows.filter(f"{ENERGY} and {MONTHS}")
    last = energy.aggregate('"end", max(known_at) as known_at', '"end"').order('"end" desc').limit(1).fetchall()
    return (last[0][1] or last[0][0]) if last else date.today()


def _known_after(rows: Any, day: date) -> tuple[int, date] | None:
    """How many rows of energy became known after a `day`, and the last of the days on which they did."""
    energy = rows.filter(f"{ENERGY} and known_at > '{day}'")
    ((count, last),) = energy.aggregate("count(*) as n, max(known_at) as last").fetchall()
    return (int(count), last) if count else None


def month_after(day: date, count: int = 1) -> date:
    """First day of the month `count` months after that of `day`."""
    number = day.year * 12 + day.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def month_before(day: date) -> date:
    """First day of the month before that of `day`."""
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)


def _path(book: Classification, code: str, tree: str, end: date) -> list[str]:
    return book.places.path(code.removesuffix(UNALLOCATED), tree, end)


def areas(places: pl.Series, book: Classification, code: str, tree: str, end: date) -> dict[str, str]:
    """The area of each recorded place inside the place `code`: one directly under it, or unallocated. `code` may itself
    be what is unallocated in a place.
    """
    base = code.removesuffix(UNALLOCATED)
    recorded = places.unique().drop_nulls().to_list()
    under = book.places.rollup(recorded, _targets(book, base, tree, end), tree, end)
    inside = book.places.rollup(recorded, [base], tree, end)
    every = {place: under[place] or base + UNALLOCATED for place in recorded if inside[place]}
    return every if code == base else {place: area for place, area in every.items() if area == code}


def _targets(book: Classification, base: str, tree: str, end: date) -> list[str]:
    """The areas of a place; one that is itself an area of a city has no others."""
    return [base] if pool(book, base, tree, end) != base else book.places.children(base, tree, end) or [base]


def placed(cells: pl.DataFrame, book: Classification, code: str, tree: str, end: date) -> pl.DataFrame:
    """Rows of a calculation inside the place `code`, with the cell of each: `area`, `sector` and `domain`."""
    inside = areas(cells["place"], book, code, tree, end)
    of_sector = {code: (book.sectors.row(code) or {}).get("domain", "") for code in book.sectors}
    return cells.with_columns(
        pl.col("place").replace_strict(inside, default=None, return_dtype=pl.String).alias("area"),
        pl.col("sector").fill_null(""),
        pl.coalesce("domain", pl.col("sector").replace_strict(of_sector, default="")).fill_null("").alias("domain"),
    ).filter(pl.col("area").is_not_null())


def spans(cells: pl.DataFrame, length: str) -> pl.DataFrame:
    """Rows of the periods of one `length`: a month (``1mo``), or January–February as one (``2mo``)."""
    whole = pl.col("start").dt.offset_by(length) == pl.col("end")
    return cells.filter(whole if length == "1mo" else whole & (pl.col("start").dt.month() == 1))


def _whole(cells: pl.DataFrame, end: date) -> pl.DataFrame:
    """Rows of months, and of January–February as one, that begin no later than `end`."""
    return pl.concat([spans(cells, length) for length in ("1mo", "2mo")]).filter(pl.col("start") <= end)


def _inside(fallbacks: list[dict[str, Any]], cells: pl.DataFrame) -> list[dict[str, Any]]:
    """The fallbacks of the places of `cells`, or of every place."""
    places = {"", *cells["place"].unique().drop_nulls().to_list()}
    return [one for one in fallbacks if one["wanted"].get("place", "") in places]


def _monthly(cells: pl.DataFrame, end: date, length: str) -> pl.DataFrame:
    """CO2 and quantity by area, sector and start of the periods of one `length`, and whether all of it is `lost`; rows
    of other periods are left out."""
    cells = spans(cells, length).filter((pl.col("start") <= end) & pl.col("co2").is_not_null())
    by = cells.group_by("area", "sector", "domain", "start")
    return by.agg(pl.col("co2").sum(), pl.col("quantity").sum(), pl.col("dataset").first(), pl.col("lost").all())
