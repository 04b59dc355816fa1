"""Any file in the observation layout -> monthly indicators and annual truth, whatever its places, sectors and carriers.

A back-test may be about places that no rule pack knows; so codes stay as they are written, and only the layout,
numbers, periods and units are checked.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from dualcarbon.core import periods, sheets, units
from dualcarbon.core.checks import LIMIT, limited
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.translating import dates, number

KEYS = ("place", "sector", "carrier", "item", "unit")
#: What a quantity may be parted by and is summed over; a part without one stands beside none that has it.
PARTS = ("entity", "process", "domain", "counterparty", "counterparty_place", "equipment")
#: What is never summed over.
APART = ("basis", "gas")
#: Places that a message names as examples.
EXAMPLES = 3
#: Spellings of a mass of CO2 without its gas, in tonnes.
TONNES = {"Mt": 1e6, "百万吨": 1e6, "kt": 1e3, "万吨": 1e4, "t": 1.0, "吨": 1.0, "万t": 1e4, "亿吨": 1e8}
#: How a refusal names what it expects.
MASS = {"zh": "质量单位（t、万吨、Mt 或 tCO2 等）", "en": "a unit of mass (t, kt, Mt, tCO2 …)"}


class Series(NamedTuple):
    """`monthly` and `annual`: place, sector, carrier, item, unit, year (and month), value."""

    monthly: pl.DataFrame
    annual: pl.DataFrame


def read(path: Path) -> Series:
    """Read a CSV, Excel or Parquet file; of several vintages of a quantity the latest counts.

    Quarters, January–February and other spans of whole months are spread over their months by days; days are summed,
    and so are entities, processes and other parts. Twelve months make a year. Raises Refused with every fault: no file,
    missing columns, text for numbers, unknown periods or dates, spans of no whole months, falling cumulative figures, a
    total beside its parts, several units that do not convert for one item and carrier.
    """
    return _by_month(_rows(path))


def days(path: Path) -> pl.DataFrame:
    """The rows of single days: place, sector, carrier, item, unit, day, value. Raises Refused as `read` does."""
    frame = _rows(path).filter((pl.col("end") - pl.col("start")).dt.total_days() == 1)
    by = (*KEYS, pl.col("start").alias("day"))
    return frame.group_by(by, maintain_order=True).agg(pl.col("value").sum())


def _rows(path: Path) -> pl.DataFrame:
    """The file's rows, checked and in one unit by item and carrier, each part of a quantity once, none cumulative."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(Problem("core.no-file", file=path.name, value=str(path))) from error
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            frame = pl.read_parquet(path).with_row_index("_row", offset=1)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise Refused(Problem("core.unreadable-parquet", file=path.name)) from error
        frames, problems = [frame.with_columns(pl.all().cast(pl.String))], list[Problem]()
    else:
        tables, problems = sheets.read_tables(path, content)
        frames = [table.frame.with_columns(pl.all().cast(pl.String)) for table in tables]
    if problems:
        raise Refused(problems)
    raw = pl.concat(frames, how="diagonal")
    lacking = [name for name in ("place", "item", "value") if name not in raw.columns]
    if not {"period", "start", "year"} & set(raw.columns):
        lacking.append("period")
    if lacking:
        raise Refused([Problem("core.missing-column", path.name, column=name, value=name) for name in lacking])
    frame, faults = _typed(raw, path.name)
    if faults:
        raise Refused(limited(faults))
    frame, part = _one_unit(frame, path.name).sort("known_at", nulls_last=False), [*KEYS, *PARTS]
    faults = [*_repeated(frame, path.name), *_doubled(frame, path.name)]
    frame = frame.unique([*part, "start", "end"], keep="last", maintain_order=True)
    told = frame["cumulative"] | periods.told_since_january(frame, part)
    frame, falling = periods.difference_cumulative(frame.with_columns(told.alias("cumulative")), part)
    faults += [*falling, *_overlapping(frame, path.name)]
    if faults:
        raise Refused(limited(faults))
    return frame


def _typed(raw: pl.DataFrame, file: str) -> tuple[pl.DataFrame, list[Problem]]:
    blank = pl.lit(None, dtype=pl.String)
    raw = raw.with_columns(
        (pl.col(name) if name in raw.columns else blank).alias(name)
        for name in (*KEYS, *PARTS, *APART, "period", "start", "end", "year", "month", "known_at", "cumulative")
    )
    raw = raw.filter(pl.any_horizontal(pl.col("place", "value", "period").is_not_null()))
    dated = pl.concat_str(pl.col("year"), pl.col("month").str.zfill(2), separator="-", ignore_nulls=True)
    spanned = pl.col("start").str.slice(0, 10) + "/" + pl.col("end").str.slice(0, 10)
    raw = raw.with_columns(pl.coalesce("period", pl.when(pl.col("start").is_null()).then(dated)).alias("period"))
    spans: dict[str, periods.Period] = {}
    bad: list[str] = []
    for text in raw["period"].unique().drop_nulls():
        try:
            spans[text] = periods.parse(text.removesuffix(" 00:00:00"))
        except periods.BadPeriod:
            bad.append(text)
    for text in raw.select(spanned.alias("s"))["s"].unique().drop_nulls():
        first, last = text.split("/")
        try:
            spans[text] = periods.Period(periods.parse(first).start, periods.parse(last).start)
        except periods.BadPeriod:
            bad.append(text)
    when = pl.coalesce("period", spanned)
    frame = raw.with_columns(
        when.replace_strict({k: v.start for k, v in spans.items()}, default=None, return_dtype=pl.Date).alias("start"),
        when.replace_strict({k: v.end for k, v in spans.items()}, default=None, return_dtype=pl.Date).alias("end"),
        when.alias("period"),
        number(pl.col("value")).alias("number"),
        dates(raw, "known_at", "start").alias("known"),
        *(pl.col(name).fill_null("").alias(name) for name in ("sector", "carrier", "item", "unit", *PARTS, *APART)),
        pl.col("_row").cast(pl.Int64).alias("row"),
        pl.lit(file).alias("source"),
    )
    faults: list[Problem] = []

    def told(rows: pl.Expr, rule: str, column: str) -> None:
        faults.extend(_each(frame.filter(rows), lambda row: Problem(
            rule, file, row=int(row["_row"]), column=column, value=row[column]
        )))  # fmt: skip

    told(pl.col("place").is_null(), "core.place-missing", "place")
    told(pl.col("start").is_null(), "core.bad-period", "period")
    told(pl.col("known_at").is_not_null() & pl.col("known").is_null(), "core.bad-date", "known_at")
    months = (pl.col("start").dt.day() == 1) & (pl.col("end").dt.day() == 1)
    year = months & (pl.col("start").dt.month() == 1) & (_months() == 12)
    short = (pl.col("end") - pl.col("start")).dt.total_days() <= 31
    told(~(short | year | months & (_months() < 12)), "nowcast.bad-span", "period")
    told(pl.col("value").is_not_null() & (pl.col("number").is_null() | ~pl.col("number").is_finite()),
         "core.not-a-number", "value")  # fmt: skip
    frame = frame.filter(pl.col("number").is_not_null()).with_columns(pl.col("number").alias("value"))
    flag = pl.col("cumulative").str.to_lowercase().is_in(["true", "1", "是", "yes", "y"]).fill_null(False)
    kept = [*KEYS, *PARTS, *APART, "start", "end", "value", "row", "source"]
    return frame.select(*kept, pl.col("known").alias("known_at"), flag.alias("cumulative")), faults


def _months() -> pl.Expr:
    """Months from start to end."""
    years = pl.col("end").dt.year() - pl.col("start").dt.year()
    return years * 12 + pl.col("end").dt.month().cast(pl.Int32) - pl.col("start").dt.month().cast(pl.Int32)


def _repeated(frame: pl.DataFrame, file: str) -> list[Problem]:
    """Rows of one vintage that say the same quantity again."""
    same = (*KEYS, *PARTS, "start", "end", "known_at")
    again = frame.sort("row").with_columns(pl.col("row").first().over(same).alias("first"))
    rows = again.filter(pl.col("row") != pl.col("first"))
    return _each(rows, lambda row: Problem(
        "core.duplicate-row", file, row=row["row"], value=row["value"], params={"first": row["first"]}
    ))  # fmt: skip


def _overlapping(frame: pl.DataFrame, file: str) -> list[Problem]:
    """Rows within a year whose time another row of the same quantity covers as well; a year may stand beside months."""
    part = (*KEYS, *PARTS)
    rows = frame.filter(_months() < 12).sort(*part, "start", "end")
    before = rows.with_columns(
        pl.col(name).shift(1).over(part).alias(f"_{name}") for name in ("start", "end", "row")
    ).filter(pl.col("start") < pl.col("_end"))
    return _each(before, lambda row: Problem(
        "core.overlapping-periods", file, row=row["row"], column="period",
        value=periods.text(row["start"], row["end"]),
        params={"other": periods.text(row["_start"], row["_end"]), "item": row["item"],
                "where": {"zh": f"第 {row['_row']} 行", "en": f"row {row['_row']}"}},
    ))  # fmt: skip


def _each(rows: pl.DataFrame, make: Callable[[dict[str, Any]], Problem]) -> list[Problem]:
    """A problem for each of the first `LIMIT` rows, and one that counts the others (`checks.limited`)."""
    made = [make(row) for row in rows.head(LIMIT).iter_rows(named=True)]
    if rows.height > LIMIT:
        rest = make(rows.row(LIMIT, named=True))
        made.append(replace(rest, params={**rest.params, "count": rows.height - LIMIT}))
    return made


def _doubled(frame: pl.DataFrame, file: str) -> list[Problem]:
    """Rows that would count twice or cannot be summed: a total beside its parts, one item by several bases or gases."""
    faults = []
    for (item, _), part in frame.group_by("item", "carrier", maintain_order=True):
        for name in APART:
            found = part[name].unique().sort().to_list()
            if len(found) > 1:
                shown = "、".join(one or "—" for one in found)
                faults.append(Problem("nowcast.several-bases", file, column=name, value=shown, params={"item": item}))
    for name in PARTS:
        others = [other for other in PARTS if other != name]
        alike = pl.col(name).eq("").any().over(*KEYS, *others, "start", "end")
        faults += _each(frame.filter(alike & (pl.col(name) != "")), partial(_beside_its_parts, file, name))
    return faults


def _beside_its_parts(file: str, name: str, row: dict[str, Any]) -> Problem:
    where = {"item": row["item"], "period": periods.text(row["start"], row["end"]), "child": row[name],
             "where": row["place"]}  # fmt: skip
    return Problem("core.total-and-part", file, row=row["row"], column=name, value=row[name], params=where)


def _one_unit(frame: pl.DataFrame, file: str) -> pl.DataFrame:
    """Values of one item and carrier in one unit. Raises Refused when their units do not convert."""
    faults = []
    scales: list[dict[str, Any]] = []
    for (item, carrier), part in frame.group_by("item", "carrier"):
        found = part["unit"].value_counts(sort=True)["unit"].to_list()
        for unit in found:
            scale = convert(unit, found[0])
            if scale is None:
                faults.append(
                    Problem("nowcast.mixed-units", file, column="unit", value=unit, params={"other": found[0]})
                )
            scales.append({"item": item, "carrier": carrier, "unit": unit, "to": found[0], "scale": scale or 1.0})
    if faults:
        raise Refused(faults)
    if all(one["scale"] == 1.0 and one["unit"] == one["to"] for one in scales):
        return frame
    joined = frame.join(pl.DataFrame(scales), on=["item", "carrier", "unit"])
    return joined.with_columns(pl.col("value") * pl.col("scale"), pl.col("to").alias("unit")).drop("to", "scale")


def convert(from_: str, to: str) -> float | None:
    """What a value in `from_` is multiplied with to be in `to`; None when they do not convert or are not known."""
    if from_ == to:
        return 1.0
    try:
        return units.ratio(from_, to)
    except units.UnitError:
        return TONNES[from_] / TONNES[to] if from_ in TONNES and to in TONNES else None


def _by_month(frame: pl.DataFrame) -> Series:
    by = [*KEYS, *PARTS]
    frame = frame.with_columns(
        _months().alias("_months"), pl.col("start").dt.year().alias("year"), pl.col("start").dt.month().alias("month")
    )
    columns = [*by, "year", "month", "value"]
    one = frame.filter((pl.col("_months") <= 1) & ((pl.col("end") - pl.col("start")).dt.total_days() <= 31))
    spans = frame.filter((pl.col("_months") > 1) & (pl.col("_months") < 12))
    spread = spans.with_columns(
        pl.date_ranges("start", pl.col("end").dt.offset_by("-1d"), interval="1mo").alias("day"),
        (pl.col("end") - pl.col("start")).dt.total_days().alias("_days"),
    ).explode("day", empty_as_null=True)
    spread = spread.with_columns(
        pl.col("day").dt.year().alias("year"),
        pl.col("day").dt.month().alias("month"),
        pl.col("value") * pl.col("day").dt.days_in_month() / pl.col("_days"),
    )
    kinds = {"year": pl.Int32, "month": pl.Int32, "value": pl.Float64}
    monthly = pl.concat([part.select(columns).cast(kinds) for part in (one, spread)])  # type: ignore[arg-type]
    monthly = monthly.group_by(*by, "year", "month").agg(pl.col("value").sum())
    complete = monthly.group_by(*by, "year").agg(pl.col("value").sum(), pl.len().alias("n")).filter(pl.col("n") == 12)
    given = frame.filter(pl.col("_months") == 12).select(*by, pl.col("year").cast(pl.Int32), "value")
    annual = pl.concat([given, complete.drop("n").join(given, on=[*by, "year"], how="anti")])
    whole = pl.col("value").sum()
    return Series(monthly.group_by(*KEYS, "year", "month").agg(whole), annual.group_by(*KEYS, "year").agg(whole))


def electricity_named(observations: pl.DataFrame, pack: str) -> pl.DataFrame:
    """The rows with the code of electricity wherever the pack knows a carrier's name as that."""
    from dualcarbon.core.classification import load

    find = load(pack).carriers.find
    names = [name for name in observations["carrier"].unique() if name and find(name) == "electricity"]
    return observations.with_columns(pl.col("carrier").replace(dict.fromkeys(names, "electricity")))


def alike(seen: Series, known: Series, pack: str, named: tuple[str, str] = ("", "")) -> tuple[Series, Series]:
    """Both with each place spelt as in `seen`, where the pack knows both spellings, code or name, as one place; `named`
    are the names of their files.

    Raises Refused where no place of one stands in the other, and where a file has one place in two ways for one time.
    """
    from dualcarbon.core.classification import load

    find = load(pack).places.find
    spelt: dict[str, str] = {}
    made = []
    faults = []
    for given, file in zip((seen, known), named, strict=True):
        names = sorted({*given.monthly["place"], *given.annual["place"]})
        same: dict[str, list[str]] = {}
        for name in names:
            same.setdefault(find(name) or name, []).append(name)
        for code, ways in same.items():
            spelt.setdefault(code, ways[0])
            if len(ways) > 1:
                twice = sorted({one for frame in given for one in _twice(frame.filter(pl.col("place").is_in(ways)))})
                if twice:
                    listed = [*twice[:EXAMPLES], *(["…"] if len(twice) > EXAMPLES else [])]
                    told = {"period": {"zh": "、".join(listed), "en": ", ".join(listed)}}
                    faults.append(Problem("nowcast.place-twice", file or None, column="place", value="、".join(ways),
                                          params=told))  # fmt: skip
        code_of = {name: code for code, ways in same.items() for name in ways}
        as_seen = pl.col("place").replace({name: spelt[code] for name, code in code_of.items()})
        made.append(Series(*(frame.with_columns(as_seen) for frame in given)))
    if faults:
        raise Refused(faults)
    here, there = ({*frame["place"]} for frame in (made[0].monthly, made[1].annual))
    if here.isdisjoint(there):
        shown = {name: "、".join([*sorted(names)[:EXAMPLES], *(["…"] if len(names) > EXAMPLES else [])])
                 for name, names in (("seen", here), ("known", there))}  # fmt: skip
        both = "、".join(dict.fromkeys(one for one in named if one))
        raise Refused(Problem("nowcast.no-common-place", both or None, column="place", params=shown))
    return made[0], made[1]


def _twice(frame: pl.DataFrame) -> list[str]:
    """The periods for which a frame of one place has the same quantity twice."""
    rows = frame.drop("place", "value")
    kept = rows.filter(rows.is_duplicated())
    months = kept["month"] if "month" in kept.columns else [None] * kept.height
    return [f"{year}-{month:02d}" if month else str(year) for year, month in zip(kept["year"], months, strict=True)]


def emission(given: Iterable[tuple[pl.DataFrame, str, str]], pack: str) -> None:
    """Raises Refused where values (a frame, the name of its file, the rule that is broken) are none of emissions: of no
    item of emissions that the pack knows by code, name or alias, or in a unit that is known to be no mass."""
    from dualcarbon.core.classification import load

    items = load(pack).items
    faults = []
    for frame, file, rule in given:
        for item, unit in frame.select("item", "unit").unique().sort("item", "unit").iter_rows():
            code = items.find(item) if item else None
            name = {lang: f"{items.name(code, lang)} {code}" for lang in ("zh", "en")} if code else item or "—"
            if not code or not code.startswith("emission."):
                faults.append(
                    Problem(rule, file, column="item", value=item, params={"value": name, "unit": unit or "—"})
                )
            elif _is_no_mass(unit):
                params = {"item": name, "value": unit or "—", "expected": MASS}
                faults.append(Problem("core.wrong-unit", file, column="unit", value=unit, params=params))
    if faults:
        raise Refused(faults)


def _is_no_mass(unit: str | None) -> bool:
    """Whether a unit is known, and is none of mass."""
    try:
        return bool(unit) and not any(units.compatible(str(unit), to) for to in ("t", "tCO2", "tCO2e"))
    except units.UnknownUnit:
        return False


def fuel_factors(observations: pl.DataFrame, truth_unit: str, pack: str) -> tuple[dict[str, float], dict[str, str]]:
    """Direct CO2 per unit of each carrier (in `truth_unit`), from the engine's combustion method at the pack's nation.

    Carriers that the pack does not know, or has no factors for, are not counted. Also returned: fuels, with their
    unit, that are not counted because it, or that of the truth, does not convert.
    """
    from dualcarbon.core.classification import load
    from dualcarbon.engine import calculate

    tonnes = convert("tCO2", truth_unit)
    if tonnes is None and truth_unit in TONNES:
        tonnes = 1 / TONNES[truth_unit]
    book = load(pack)
    rows: dict[str, dict[str, Any]] = {}
    found: dict[str, tuple[str, float]] = {}
    lost: dict[str, str] = {}
    for carrier, unit in observations.select("carrier", "unit").unique().sort("carrier", "unit").iter_rows():
        code = book.carriers.find(carrier) if carrier else None
        natural = (book.carriers.row(code) or {}).get("natural_unit", "") if code else ""
        scale = convert(unit, natural) if natural else None
        if code is None or not natural or code in ("electricity", "heat"):
            continue
        if scale is None or tonnes is None:
            lost[carrier] = unit
            continue
        row = {"place": "CN", "carrier": code, "item": "energy.combustion", "period": "2020", "value": 1.0}
        rows[code] = {**row, "unit": natural}
        found[carrier] = (code, scale)
    if not rows or tonnes is None:
        return {}, lost
    cells = calculate("cn.combustion", pl.DataFrame(list(rows.values())), pack=pack).cells
    per = {row["carrier"]: row["co2"] for row in cells.iter_rows(named=True) if row["co2"] is not None}
    return {carrier: per[code] * scale * tonnes for carrier, (code, scale) in found.items() if code in per}, lost
