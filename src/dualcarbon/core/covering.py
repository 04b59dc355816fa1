"""Rows of which one covers the other: a total beside its parts, a place above another, one figure in two datasets.

A row covers another of its item when each dimension is the same, above it in a tree (place, sector, carrier), or blank
where the other names something: a row that names no enterprise and no sector is the total of those that do. In one
dataset it is wider in place, sector, carrier or entity. Process and basis only ever equal: without a process a row is
end use, not the sum of the processes.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification, Codes, Places
from dualcarbon.core.problems import Problem
from dualcarbon.core.tables import DIMENSIONS

#: Dimensions in which a row may lie above another or be blank, in the order in which the difference is told.
_WIDER = ("place", "sector", "carrier", "entity", "domain", "counterparty", "counterparty_place", "gas", "equipment")
#: Dimensions of which one at least is wider in a total of the same dataset: a row without a domain has its sector's.
_TOTAL = ("place", "sector", "carrier", "entity")
#: Dimensions that tell which figure is meant, also where two rows agree in them.
_SAID = ("place", "sector", "carrier")
#: The order in which keys are compared: what tells most of them apart comes first.
_ORDER = ("entity", "place", "sector", "carrier", "domain", "counterparty", "counterparty_place", "gas", "equipment")
_PAIRS = 2_000_000
#: Where a row stands.
PLACED = ("sheet", "row", "_file")
_SLIM = ("_id", "_new", "_reported", "value", "unit", "start", "end", *PLACED)
#: What a blank dimension of a total says.
_ALL = {
    "sector": ("全部行业", "all sectors"), "carrier": ("全部品种", "all carriers"),
    "entity": ("全部主体", "all entities"), "domain": ("全部领域", "all domains"),
    "counterparty": ("全部对方单位", "all counterparties"),
    "counterparty_place": ("全部对方地区", "all places of counterparties"), "gas": ("全部气体", "all gases"),
    "equipment": ("全部设备", "all equipment"),
}  # fmt: skip


#: Items of which a place has its own figure beside those of its parts, as in a yearbook: an account divides by them and
#: never adds a place's own to those of its parts (`uppermost`).
OWN = ("economy.", "population.", "land.")
#: Rules of figures that stand in two datasets: an account counts both, so they are told; a calculation may name one.
ACROSS = ("core.same-elsewhere", "core.covered-elsewhere")


def covering(rows: pl.DataFrame, book: Classification, flows: Collection[str], most: int) -> list[Problem]:
    """Pairs of rows that would count twice, of which one at least is new (`_new`); at most `most` problems.

    `rows`: columns of `tables.OBSERVATION` with reports since January as the spans they add, `_new`, `_file` (where a
    stored row came from) and `_reported` (its figure as reported). A total is told once, with the number of its parts.
    Across datasets only items in `flows` are added, so only they are compared; items in `OWN` may stand for a place
    beside its parts.
    """
    rows = rows.filter(pl.col("value").is_not_null())
    keys = rows.select("dataset", *DIMENSIONS).unique(maintain_order=True).with_row_index("_id")
    pairs = covered(keys, book, flows)
    beside = keys.filter(pl.any_horizontal(pl.col("item").str.starts_with(name) for name in OWN))
    if beside.height:
        pairs = pairs.join(_apart_in_place(pairs, beside), on=["_id", "_id_up"], how="anti")
    if pairs.is_empty():
        return []
    rows = rows.join(keys, on=["dataset", *DIMENSIONS], how="inner", nulls_equal=True)
    return [problem_of(one, book) for one in clashes(rows, keys, pairs, most)]


def _apart_in_place(pairs: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Those of the `pairs` of which both keys are among `keys` and differ in nothing but their place and dataset."""
    found = pairs.join(keys, on="_id").join(keys, left_on="_id_up", right_on="_id", suffix="_up")
    same = [pl.col(name).eq_missing(pl.col(f"{name}_up")) for name in DIMENSIONS if name != "place"]
    return found.filter(pl.col("place") != pl.col("place_up"), *same).select("_id", "_id_up")


def uppermost(
    rows: pl.DataFrame, book: Classification, span: periods.Period | None = None
) -> tuple[pl.DataFrame, list[tuple[str, periods.Period]]]:
    """Rows of items in `OWN` of which no place's own figures stand beside those of its parts, in whichever dataset;
    and the places and periods in which neither cover what the other holds.

    `rows` lie in `span` (else in what they span) and have `place`, `start`, `end`; `item`, `value` and the other
    dimensions where they differ. A place's own (without an entity) stand where they cover the span in all sectors, else
    those of its parts where these do, else the same is decided for each stretch of time. Where neither cover a stretch,
    the place's own are kept, its parts' where it has none, and it is told: a sum over it is not complete.
    """
    texts = rows.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)).with_row_index("_at")
    if "value" in texts.columns:
        texts = texts.filter(pl.col("value").is_not_null())
    over = above(texts["place"].drop_nulls().unique(), book.places)
    if not any(up in over for ups in over.values() for up in ups):
        return rows, []
    keys = [name for name in DIMENSIONS if name not in ("place", "sector", "entity") and name in texts.columns]
    dropped: set[int] = set()
    short: list[tuple[str, periods.Period, set[int]]] = []
    for group in texts.partition_by(keys) if keys else [texts]:
        held = [_Row(one["place"], one.get("sector"), one["start"], one["end"], one.get("entity"), one["_at"])
                for one in group.iter_rows(named=True)]  # fmt: skip
        wholes = {row.place for row in held if row.entity is None}
        # The deepest first: a place stands as what was chosen for it.
        for place in sorted(wholes, key=lambda one: len(over.get(one, ())), reverse=True):
            kept = [row for row in held if row.at not in dropped]
            own = [row for row in kept if row.place == place and row.entity is None]
            parts = [row for row in kept if place in over.get(row.place, ())]
            if own and parts:
                out, lacks = _decided(place, own, parts, span, book)
                dropped |= {row.at for row in out}
                short += [(place, lack, {row.at for row in own if row.at not in dropped}) for lack in lacks]
    left = pl.Series("_at", sorted(dropped), dtype=texts.schema["_at"])
    told = [(place, lack) for place, lack, kept in short if not kept <= dropped]
    return rows.with_row_index("_at").join(left.to_frame(), on="_at", how="anti").drop("_at"), told


class _Row(NamedTuple):
    """What of a row decides whether it stands: whose it is, of which sector, when, and its number."""

    place: str
    sector: str | None
    start: date
    end: date
    entity: str | None
    at: int


def _decided(
    place: str, own: list[_Row], parts: list[_Row], span: periods.Period | None, book: Classification
) -> tuple[list[_Row], list[periods.Period]]:
    """Of a place's own rows and those of its parts those that do not stand, and the periods that neither cover."""
    hull = periods.Period(min(row.start for row in own + parts), max(row.end for row in own + parts))
    stands = _standing(place, own, parts, span or hull, book)
    if stands is not None:
        return (parts if stands is own else own), []
    out: list[_Row] = []
    short: list[periods.Period] = []
    for stretch in _stretches(own + parts):
        mine, theirs = ([row for row in side if stretch.start <= row.start < stretch.end] for side in (own, parts))
        stands = _standing(place, mine, theirs, stretch, book)
        if mine:
            out += mine if stands is theirs else theirs
        if stands is None and short and short[-1].end == stretch.start:
            short[-1] = periods.Period(short[-1].start, stretch.end)
        elif stands is None:
            short.append(stretch)
    return out, short


def _standing(
    place: str, own: list[_Row], parts: list[_Row], span: periods.Period, book: Classification
) -> list[_Row] | None:
    """The side that covers a span in all sectors that either has; the place's own first."""
    wanted = {row.sector for row in own + parts}
    if not gaps(own, span) and _all_sectors(wanted, {row.sector for row in own}, book.sectors):
        return own
    each: dict[str, set[str | None]] = {}
    for row in parts:
        each.setdefault(row.place, set()).add(row.sector)
    # Of sectors, a part may lack some that it has no business in; of a total beside them, none may.
    alike = {None} if None in wanted else wanted
    sides = each.values() if None in wanted else [set().union(*each.values())]
    if all(_all_sectors(alike, side, book.sectors) for side in sides) and full(parts, place, span, book.places):
        return parts
    return None


def _all_sectors(wanted: Iterable[str | None], given: Collection[str | None], tree: Codes) -> bool:
    """Do the sectors `given` hold the `wanted`: named, below one or as all below? The total is its three industries."""
    there = frozenset(given)

    def holds(code: str | None) -> bool:
        if code in there or None in there or (code is not None and not there.isdisjoint(tree.ancestors(code))):
            return True
        if code is None:
            below = [one for one in tree if (tree.row(one) or {}).get("level") == "industry-group"]
        else:
            below = [one for one in tree if tree.parent(one) == code]
        return bool(below) and all(holds(one) for one in below)

    return all(holds(code) for code in wanted)


def full(rows: Iterable[tuple[Any, ...]], place: str, span: periods.Period, places: Places) -> bool:
    """Do rows (place, sector, start, end and more) of places below one cover all of it and of a span: each place in
    its sectors, and some in every area directly below?"""
    rows = list(rows)
    found: set[str] = set().union(*(places.extent(one) for one in {row[0] for row in rows}))
    areas = places.children(place, places.home(place))
    return not gaps(rows, span) and all(not found.isdisjoint(places.extent(area)) for area in areas)


def gaps(rows: Iterable[tuple[Any, ...]], span: periods.Period) -> bool:
    """Do rows (place, sector, start, end and more) leave a day of a span open in a sector of a place, or all of it?"""
    found: dict[tuple[str, str | None], list[tuple[date, date]]] = {}
    for place, sector, start, end, *_ in rows:
        found.setdefault((place, sector), []).append((start, end))
    return not found or any(periods.gap(one, *span) is not None for one in found.values())


def _stretches(rows: Iterable[_Row]) -> list[periods.Period]:
    """The stretches of time in which rows overlap each other."""
    found: list[periods.Period] = []
    for row in sorted(rows, key=lambda one: one.start):
        if found and row.start < found[-1].end:
            found[-1] = periods.Period(found[-1].start, max(found[-1].end, row.end))
        else:
            found.append(periods.Period(row.start, row.end))
    return found


def covered(keys: pl.DataFrame, book: Classification, flows: Collection[str]) -> pl.DataFrame:
    """Pairs (`_id`, `_id_up`) of keys of which the second covers the first; keys that differ in their dataset alone
    once. `keys`: `_id`, `dataset` and the dimensions, each combination once; of two datasets only items in `flows`.
    """
    trees: dict[str, Codes] = {"place": book.places, "sector": book.sectors, "carrier": book.carriers}
    wide = keys
    done = [name for name in DIMENSIONS if name not in _ORDER]
    for name in _ORDER:
        present = set(keys[name].unique())
        steps = _steps(name, present, trees.get(name))
        table = pl.DataFrame(steps, schema={name: pl.String, "_up": pl.String}, orient="row")
        wide = wide.join(table, on=name, nulls_equal=True).drop(name).rename({"_up": name})
        done.append(name)
        # What no key has so far is not looked at any further: the table never outgrows the pairs.
        wide = wide.join(keys.select(done).unique(), on=done, how="semi", nulls_equal=True)
    # The join takes the whole's dimensions; the part's own come back by its number.
    found = wide.join(keys, on=list(DIMENSIONS), how="inner", nulls_equal=True, suffix="_up")
    found = found.rename({name: f"{name}_up" for name in DIMENSIONS}).drop("dataset").join(keys, on="_id")
    found = found.filter(pl.col("_id") != pl.col("_id_up"))
    mutual = found.join(found, left_on=["_id", "_id_up"], right_on=["_id_up", "_id"], how="semi")
    found = found.join(mutual.filter(pl.col("_id") < pl.col("_id_up")), on=["_id", "_id_up"], how="anti")
    apart = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_up")) for name in _TOTAL)
    other = (pl.col("dataset") != pl.col("dataset_up")) & pl.col("item").is_in(list(flows))
    return found.filter(other | ((pl.col("dataset") == pl.col("dataset_up")) & apart)).select("_id", "_id_up")


def _steps(name: str, present: set[str | None], tree: Codes | None) -> list[tuple[str | None, str | None]]:
    """Each value with itself and with the values present that lie above it, nothing being above everything."""
    steps: list[tuple[str | None, str | None]] = [(code, code) for code in present]
    if tree is not None:
        steps += [(code, up) for code, ups in above(present, tree).items() for up in ups if up in present]
    if None in present and name != "place":
        steps += [(code, None) for code in present if code is not None]
    return steps


def above(codes: Iterable[str | None], tree: Codes) -> dict[str | None, list[str]]:
    """Ancestors of each code; of a place in every tree."""
    found: dict[str | None, list[str]] = {}
    for code in codes:
        if code is not None and code in tree:
            paths = [tree.ancestors(code, one) for one in tree.trees] if isinstance(tree, Places) else []
            found[code] = list(dict.fromkeys(up for path in paths for up in path)) if paths else tree.ancestors(code)
    return found


def related(codes: Iterable[str | None], places: Places) -> set[str]:
    """These places with all that lie above or below them in any tree."""
    wanted = {code for code in codes if code is not None}
    ups = above(places, places)
    found = wanted | {up for code in wanted for up in ups.get(code, ())}
    return found | {str(code) for code, over in ups.items() if not wanted.isdisjoint(over)}


def clashes(rows: pl.DataFrame, keys: pl.DataFrame, pairs: pl.DataFrame, most: int) -> list[dict[str, Any]]:
    """Rows of both keys of a pair whose periods overlap, one for each covering row, with the number of its parts.

    `rows` have `_id` and what `covering` asks for. Each of at most `most` answers holds the columns of the part, those
    of the whole under names that end in `_up`, `_parts` and `_sum` of them, and the keys of both as `part` and `whole`.
    Worked off in portions of bounded size.
    """
    counts = rows.group_by("_id").agg(pl.len().alias("_n"))
    sizes = pairs.join(counts, on="_id").join(counts.rename({"_id": "_id_up", "_n": "_m"}), on="_id_up")
    sizes = sizes.sort("_id_up", "_id")
    portion = (sizes["_n"].cast(pl.Int64) * sizes["_m"]).cum_sum() // _PAIRS
    told: list[dict[str, Any]] = []
    slim = rows.select(_SLIM)
    whole = ["_id_up", "start_up", "end_up", "row_up", "_new_up", "_new"]
    for part in sizes.with_columns(portion.alias("_part")).partition_by("_part", maintain_order=True):
        both = (
            part.select("_id", "_id_up")
            .join(slim, on="_id")
            .join(slim.rename({"_id": "_id_up"}), on="_id_up", suffix="_up")
            .filter(
                (pl.col("start") < pl.col("end_up"))
                & (pl.col("start_up") < pl.col("end"))
                & (pl.col("_new") | pl.col("_new_up"))
            )
        )
        first = both.sort("sheet", "row", "_id", nulls_last=True, maintain_order=True)
        first = first.with_columns(
            pl.len().over(whole).alias("_parts"), pl.col("value").sum().over(whole).alias("_sum")
        )
        told += first.unique(whole, keep="first", maintain_order=True).head(most - len(told)).to_dicts()
        if len(told) >= most:
            break
    wanted = {row[name] for row in told for name in ("_id", "_id_up")}
    known = {row["_id"]: row for row in keys.filter(pl.col("_id").is_in(list(wanted))).to_dicts()}
    return [{**row, "part": known[row["_id"]], "whole": known[row["_id_up"]]} for row in told]


def problem_of(row: Mapping[str, Any], book: Classification) -> Problem:
    """The problem of one of `clashes`, at the row that is new (of two, the part)."""
    part, whole = row["part"], row["whole"]
    differs = [name for name in _WIDER if part[name] != whole[name]]
    said = [name for name in _WIDER if name in differs or (name in _SAID and part[name] is not None)]
    mine, other = ("", "_up") if row["_new"] else ("_up", "")
    own, their = (part, whole) if row["_new"] else (whole, part)
    params: dict[str, Any] = {
        "item": part["item"],
        "period": periods.text(max(row["start"], row["start_up"]), min(row["end"], row["end_up"])),
        "where": where({name: row[f"{name}{other}"] for name in PLACED}, bool(row["_new"] and row["_new_up"])),
        "figure": _figure(row, mine),
        "other_figure": _figure(row, other),
        "part_figure": _figure(row, "") if row["_parts"] == 1 else _quantity(row["_sum"], row["unit"]),
        "whole_figure": _figure(row, "_up"),
        "parent": _named(whole, said, (row["start_up"], row["end_up"]), book),
        "child": _named(part, said, (row["start"], row["end"]), book),
        "more": _more(row["_parts"]),
    }
    params |= {
        "own": params["child" if row["_new"] else "parent"],
        "their": params["parent" if row["_new"] else "child"],
    }
    place = (None, row[f"sheet{mine}"], row[f"row{mine}"])
    if part["dataset"] != whole["dataset"]:
        params |= {"dataset": own["dataset"], "other_dataset": their["dataset"]}
        rule = "core.covered-elsewhere" if differs else "core.same-elsewhere"
        return Problem(rule, *place, "dataset", own["dataset"], params)
    by = differs[0]
    rule = "core.total-and-part" if whole[by] is None else "core.parent-and-child"
    return Problem(rule, *place, by, own[by], params)


def where(other: Mapping[str, Any], new: bool) -> dict[str, str]:
    """Where the other row of a pair stands (PLACED), in the same data when it is `new`."""
    sheet, number, file = (other[name] for name in PLACED)
    at = {"zh": f"{f'工作表 {sheet} ' if sheet else ''}第 {number} 行",
          "en": f"{f'sheet {sheet}, ' if sheet else ''}row {number}"}  # fmt: skip
    if number is None and file:
        return {"zh": file, "en": file} if new else {"zh": f"已导入的 {file}", "en": f"{file}, imported earlier"}
    if number is None:
        return {"zh": "同一批数据", "en": "the same data"} if new else {"zh": "已导入的数据", "en": "imported earlier"}
    of = {"zh": f"{file} " if file else "", "en": f"{file}, " if file else ""}
    if new:
        return {lang: of[lang] + at[lang] for lang in at}
    return {"zh": f"已导入的 {of['zh']}{at['zh']}", "en": f"{of['en']}{at['en']}, imported earlier"}


def _figure(row: Mapping[str, Any], side: str) -> str:
    """A row's figure as reported, with its unit."""
    return _quantity(row[f"_reported{side}"], row[f"unit{side}"])


def _quantity(value: float, unit: str | None) -> str:
    return f"{value:,.12g} {unit or ''}".strip()


def _named(
    key: Mapping[str, Any], said: Iterable[str], span: tuple[date, date], book: Classification
) -> dict[str, str]:
    """What a row says in some dimensions, by name, and its period."""
    trees: dict[str, Codes] = {"place": book.places, "sector": book.sectors, "carrier": book.carriers}
    trees |= {"domain": book.domains, "counterparty_place": book.places}
    found = {}
    for number, lang in enumerate(("zh", "en")):
        words = []
        for name in said:
            code, tree = key[name], trees.get(name)
            known = tree.name(code, lang) if code is not None and tree is not None and code in tree else code
            words.append(_ALL[name][number] if code is None else known)
        found[lang] = " · ".join([*words, periods.text(*span)])
    return found


def _more(parts: int) -> dict[str, str]:
    """How many parts stand beside the one that is named."""
    return {"zh": f"等 {parts} 行", "en": f" ({parts} rows)"} if parts > 1 else {"zh": "", "en": ""}
