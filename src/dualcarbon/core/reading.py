"""Files as officials and enterprises send them -> observations in canonical codes, units and periods.

Every cell that breaks a rule is reported at once, with the sheet, row and heading of the file.
"""

import hashlib
import io
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.core import periods, sheets, units
from dualcarbon.core.checks import check_cells, check_observations, check_rows, found, kinds, limited, spoken
from dualcarbon.core.classification import Classification, Codes, load
from dualcarbon.core.covering import ACROSS
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import DIMENSIONS, FACTOR, OBSERVATION, conform, empty
from dualcarbon.core.translating import DATASET, dates, number, translated

#: Rules after which a row's key is still known, so that it can be compared with others.
_KEY_STANDS = ("core.not-a-number", "core.value-missing", "core.value-and-notation", "core.negative", "core.bounds")
#: Cells that could not be read, and rules that then only repeat it.
_UNREAD = ("core.not-a-number", "core.garbled-text", "core.unknown-carrier", "core.bad-period", "core.unknown-notation")
_FOLLOWS = ("core.value-missing", "core.carrier-missing", "core.period-missing")


#: What makes reports since January one chain.
CHAIN = ("dataset", *DIMENSIONS)


@dataclass
class Reading:
    """Rows that could be read, everything wrong, and where they come from (file, hash, size, rows)."""

    frame: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)


def read_observations(
    path: str | Path,
    *,
    pack: str | Path = DEFAULT,
    dataset: str | None = None,
    template: Callable[..., Any] | None = None,
    entities: pl.DataFrame | None = None,
    items: Mapping[str, str] | None = None,
    carriers: Iterable[str] = (),
    accept: Collection[str] = (),
    control: Collection[str] = (),
) -> Reading:
    """Read a CSV, Excel, OpenDocument or Parquet file into rows of `tables.OBSERVATION`.

    Texts are UTF-8, UTF-8 with BOM, UTF-16 or GB18030; headings, places, sectors, carriers, items and units may be
    codes, Chinese or English names. Values come out in the item's unit or the carrier's natural unit. `template` reads
    an official form: `template(path, pack=…, dataset=…)` gives an object with `frame`, `problems`, `source`. `entities`
    (tables.ENTITY) translates names of enterprises and supplies place and sector where a row has none. `items` (code
    and unit) and `carriers` are known beside those of the pack. Rules in `accept` are not applied. `control` names
    datasets of published totals beside those of the pack. Where a file does not say which rows are cumulative, those
    that begin in January and end in different months are. Rows with a problem are not in `frame`. Raises Refused when
    there is no such file.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(Problem("core.no-file", file=path.name, value=str(path))) from error
    source: dict[str, Any] = {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    if template is not None:
        form = template(path, pack=pack, dataset=dataset)
        frame = conform(form.frame, OBSERVATION).with_columns(pl.col("dataset").fill_null(dataset or DATASET))
        problems = list(form.problems) or check_observations(frame, pack=pack, control=control, file=path.name)
        problems = [problem for problem in problems if problem.rule not in accept]
        return Reading(frame, problems, {**form.source, **source, "rows": frame.height})
    book = extended(load(pack), items or {}, carriers)
    if path.suffix.lower() in (".parquet", ".pq"):
        tables, problems = _parquet(path, content)
    else:
        tables, problems = sheets.read_tables(path, content, meaning=partial(_meaning, book))
    return _read(tables, problems, book, source, dataset, entities, accept, control)


def read_frame(
    frame: pl.DataFrame,
    *,
    pack: str | Path = DEFAULT,
    dataset: str | None = None,
    entities: pl.DataFrame | None = None,
    items: Mapping[str, str] | None = None,
    carriers: Iterable[str] = (),
    file: str | None = None,
) -> Reading:
    """Read a dataframe as `read_observations` reads a file: columns named as its headings, cells texts or typed.

    Rows are counted from 1, or as its column `row` says.
    """
    table, problems = _typed(frame, file)
    return _read([table], problems, extended(load(pack), items or {}, carriers), {"file": file}, dataset, entities)


def extended(book: Classification, items: Mapping[str, str], carriers: Iterable[str]) -> Classification:
    """A classification that also knows these items (code and unit) and carriers, where the pack does not."""
    new_items = {code: unit for code, unit in items.items() if code not in book.items}
    new_carriers = [code for code in carriers if code not in book.carriers]
    if not new_items and not new_carriers:
        return book
    here = {"_file": "", "_line": "0", "parent": ""}
    rows = [book.items.row(code) or {} for code in book.items]
    rows += [{**here, "code": code, "unit": unit, "kind": "flow"} for code, unit in new_items.items()]
    fuels = [book.carriers.row(code) or {} for code in book.carriers]
    fuels += [{**here, "code": code, "natural_unit": ""} for code in new_carriers]
    return replace(book, items=Codes("item", rows), carriers=Codes("carrier", fuels))


def _read(
    tables: list[sheets.Table],
    problems: list[Problem],
    book: Classification,
    source: dict[str, Any],
    dataset: str | None,
    entities: pl.DataFrame | None,
    accept: Collection[str] = (),
    control: Collection[str] = (),
) -> Reading:
    """Translate the tables of one source, check their rows together, and keep those without a problem."""
    headings: dict[tuple[str | None, str], str] = {}
    frames = []
    file = source["file"]
    for table in tables:
        headings |= {(table.sheet, column): heading for column, heading in table.headings.items()}
        frames.append(table.frame.with_columns(pl.lit(table.sheet, dtype=pl.String).alias("_sheet")))
        problems += [
            Problem("core.missing-column", file, table.sheet, column=name, value=name)
            for name in _missing(table.frame.columns)
        ]
    if not frames:
        return Reading(empty(OBSERVATION), limited(problems), {**source, "rows": 0})
    raw = pl.concat(frames, how="diagonal_relaxed")
    frame, faults = translated(raw, book, entities, dataset)
    published = [name for name in book.datasets if (book.datasets.row(name) or {}).get("role") == "control"]
    totals = [*published, *control]
    if "cumulative" not in raw.columns:
        frame = _to_date(frame, book, totals)
    told = faults + check_cells(frame, book)
    told += check_rows(_without(frame, [p for p in told if p.rule not in _KEY_STANDS]), book, control=totals)
    told = _as_written([spoken(one, book) for one in told if one.rule not in (*accept, *ACROSS)], raw)
    problems += [_placed(problem, file, headings) for problem in told]
    frame = _without(frame, problems)
    return Reading(frame, limited(problems), {**source, "rows": frame.height})


def _to_date(frame: pl.DataFrame, book: Classification, control: Collection[str]) -> pl.DataFrame:
    """Rows with `cumulative` set where the shape of a series says so; published totals stay as they are."""
    flows = [code for code, kind in kinds(book).items() if kind == "flow"]
    meant = pl.col("item").is_in(flows) & ~pl.col("dataset").is_in(list(control))
    return frame.with_columns(cumulative=meant & periods.told_since_january(frame, CHAIN))


def _missing(columns: Iterable[str]) -> list[str]:
    have = set(columns)
    needed = [
        ("item", {"item"}),
        ("period", {"period", "start", "year", "month"}),
        ("value", {"value", "notation"}),
        ("place", {"place", "entity"}),
    ]
    return [name for name, any_of in needed if not any_of & have]


def _meaning(book: Classification, heading: str) -> dict[str, str] | None:
    """What a heading over values means: a period, an item or a carrier."""
    if not re.fullmatch(r"\d{1,3}", heading):
        try:
            return {"period": str(periods.parse(heading))}
        except periods.BadPeriod:
            pass
    for column, codes in (("item", book.items), ("carrier", book.carriers)):
        code = codes.find(heading)
        if code is not None:
            return {column: code}
    return None


def _parquet(path: Path, content: bytes) -> tuple[list[sheets.Table], list[Problem]]:
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError):
        return [], [Problem("core.unreadable-parquet", file=path.name)]
    table, problems = _typed(frame, path.name)
    return [table], problems


def _typed(frame: pl.DataFrame, file: str | None) -> tuple[sheets.Table, list[Problem]]:
    """A table of typed columns: numbers and dates stay, codes written as numbers become texts."""
    named = {heading: sheets.column_of(heading) for heading in frame.columns}
    problems = [
        Problem("core.unknown-column", file, column=heading, value=heading)
        for heading, column in named.items()
        if column is None
    ]
    kept = {heading: column for heading, column in named.items() if column is not None and column != "-"}
    columns = []
    for heading, column in kept.items():
        dtype = frame.schema[heading]
        stays = (
            (column in ("value", "low", "high") and dtype.is_numeric())
            or (column in ("start", "end", "last", "known_at", "period") and dtype.is_temporal())
            or (column == "cumulative" and dtype == pl.Boolean)
        )
        cell = pl.col(heading)
        columns.append(
            (cell.cast(pl.Date) if dtype.is_temporal() else cell if stays else cell.cast(pl.String)).alias(column)
        )
    row = pl.col("row").cast(pl.Int64) if "row" in frame.columns else pl.int_range(1, pl.len() + 1)
    table = frame.select(*columns, row.alias("_row"))
    return sheets.Table(None, table, {column: heading for heading, column in kept.items()}), problems


def _without(frame: pl.DataFrame, problems: Iterable[Problem]) -> pl.DataFrame:
    """Rows of `frame` that have none of `problems`."""
    rows = {(p.sheet, p.row) for p in problems if p.row is not None}
    if not rows:
        return frame
    marks = pl.DataFrame(list(rows), schema={"sheet": pl.String, "row": pl.Int64}, orient="row")
    return frame.join(marks, on=["sheet", "row"], how="anti", nulls_equal=True)


def _as_written(problems: list[Problem], raw: pl.DataFrame) -> list[Problem]:
    """Drop what only follows from an unreadable cell, and show values as the file has them."""
    unread: dict[tuple[str | None, int | None], set[str | None]] = {}
    for p in problems:
        if p.rule in _UNREAD:
            unread.setdefault((p.sheet, p.row), set()).add(p.column)
    names = [name for name in ("value", "unit", "period", "low", "sector", "carrier", "place") if name in raw.columns]
    rows = list({p.row for p in problems if p.row is not None})
    shown = raw.filter(pl.col("_row").is_in(rows)).select("_sheet", "_row", *names)
    texts = {(row["_sheet"], row["_row"]): row for row in shown.iter_rows(named=True)}
    wide = "_heading" in raw.columns and raw["_heading"].n_unique() > 1
    kept: list[Problem] = []
    told: set[tuple[str, str | None, int | None, str | None]] = set()
    for p in problems:
        place = (p.rule, p.sheet, p.row, p.column)
        if p.rule in _FOLLOWS and (p.column in unread.get((p.sheet, p.row), ()) or place in told):
            continue
        told.add(place)
        text = None if wide and p.column == "value" else texts.get((p.sheet, p.row), {}).get(p.column or "")
        kept.append(p if text is None else Problem(p.rule, p.file, p.sheet, p.row, p.column, text, p.params))
    return kept


def _placed(problem: Problem, file: str | None, headings: Mapping[tuple[str | None, str], str]) -> Problem:
    """Name the file and the heading as it stands there."""
    heading = headings.get((problem.sheet, problem.column or ""), problem.column)
    value = problem.value
    if isinstance(value, date):
        value = value.isoformat()
    return Problem(problem.rule, file, problem.sheet, problem.row, heading, value, problem.params)


def read_factors(path: str | Path) -> tuple[pl.DataFrame, list[Problem]]:
    """Read a factor file (CSV or Excel, any of the encodings) into the columns of `tables.FACTOR`, and `row`.

    Numbers, dates and units are checked; what parameters mean, and whether values are plausible, is for whoever uses
    them. Raises Refused when there is no such file.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(Problem("core.no-file", file=path.name, value=str(path))) from error
    tables, problems = sheets.read_tables(path, content, schema=FACTOR)
    frames = []
    for table in tables:
        raw = table.frame.with_columns(pl.col("_row").alias("row"), pl.lit(table.sheet, dtype=pl.String).alias("sheet"))
        absent = [name for name in ("parameter", "value", "unit") if name not in raw.columns]
        told = [Problem("core.missing-column", sheet=table.sheet, column=name, value=name) for name in absent]
        raw = raw.with_columns(pl.lit(None, dtype=pl.String).alias(n) for n in FACTOR if n not in raw.columns)
        for name in ("value", "low", "high"):
            read = raw.select(number(pl.col(name))).to_series()
            bad = read.is_null() & raw[name].is_not_null()
            told += found(raw.filter(bad), "core.not-a-number", name)
            raw = raw.with_columns(read.alias(name))
        published = dates(raw, "known_at", "start")
        told += found(raw.filter(raw["known_at"].is_not_null() & published.is_null()), "core.bad-date", "known_at")
        wrong = [text for text in raw["unit"].unique().drop_nulls() if not _is_factor_unit(text)]
        told += found(raw.filter(pl.col("unit").is_in(wrong)), "core.unknown-unit", "unit")
        columns = {**FACTOR, "row": pl.Int64}
        frames.append(conform(raw.with_columns(published.alias("known_at")).select(list(columns)), columns))
        headings = {(table.sheet, column): heading for column, heading in table.headings.items()}
        problems += [_placed(problem, path.name, headings) for problem in told]
    return pl.concat(frames) if frames else empty({**FACTOR, "row": pl.Int64}), limited(problems)


def _is_factor_unit(text: str) -> bool:
    tidy = unicodedata.normalize("NFKC", text).replace("natural", "t")
    try:
        units.canonical(tidy)
    except units.UnitError:
        return False
    return True
