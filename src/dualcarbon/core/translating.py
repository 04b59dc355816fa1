"""Texts of a file -> codes, numbers, dates and canonical units, per distinct text or per column, never per row."""

import difflib
import re
from collections.abc import Mapping
from functools import partial

import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.checks import LIMIT, found
from dualcarbon.core.classification import Classification, Codes, key
from dualcarbon.core.problems import Problem
from dualcarbon.core.tables import NOTATIONS, OBSERVATION, conform

#: The dataset of a file that names none: files without a name of their own are checked against each other.
DATASET = "observations"

_YES = ("true", "1", "1.0", "是", "累计", "本年累计", "年初累计", "自年初累计", "yes", "y", "√", "t")
_NO = ("false", "0", "0.0", "否", "当期", "本期", "本月", "当月", "非累计", "no", "n", "f", "×")
_FULL, _HALF = "０１２３４５６７８９．，－＋％Ｅｅ　", "0123456789.,-+%Ee "
_TERMS = ("process", "basis", "custody", "quality", "equipment", "gas")
_CLOSED = ("custody", "notation")


def translated(
    raw: pl.DataFrame, book: Classification, entities: pl.DataFrame | None, dataset: str | None
) -> tuple[pl.DataFrame, list[Problem]]:
    """Return rows of `tables.OBSERVATION` for a table of texts (columns of the schema, `period`, `year`, `month`,
    `quarter`, `last`, `_row`, `_sheet`), and every cell that could not be read; those are null."""
    work = raw.with_columns(pl.col("_row").alias("row"), pl.col("_sheet").alias("sheet"))
    work = work.with_columns(
        *(pl.lit(None, dtype=pl.String).alias(name) for name in OBSERVATION if name not in work.columns),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in ("period", "year", "last") if name not in work.columns),
    )
    problems: list[Problem] = []
    trees: dict[str, Codes] = {
        "place": book.places,
        "counterparty_place": book.places,
        "sector": book.sectors,
        "carrier": book.carriers,
        "item": book.items,
        "domain": book.domains,
    }
    for name, codes in trees.items():
        work, faults = _coded(work, name, codes, f"core.unknown-{name.replace('counterparty_', '')}")
        problems += faults
    for name in _TERMS:
        if name in book.terms:
            rule = f"core.unknown-{name}" if name in _CLOSED else None
            work, faults = _coded(work, name, book.terms[name], rule)
            problems += faults
    work, faults = _notated(work, book.terms.get("notation"))
    problems += faults
    if entities is not None and (entities.is_empty() or work["entity"].null_count() == work.height):
        entities = None
    if entities is not None:
        work, faults = _named(work, entities)
        problems += faults
    for step in (_numbered, _flagged, _dated, partial(_converted, book=book)):
        work, faults = step(work)
        problems += faults
    if entities is not None:
        work = _at_home(work, entities)
    problems += found(work.filter(pl.col("place").is_null() & _blank(raw, "place")), "core.place-missing", "place")
    problems += found(work.filter(pl.col("item").is_null() & _blank(raw, "item")), "core.item-missing", "item")
    named = pl.lit(dataset) if dataset else pl.col("dataset").fill_null(DATASET)
    return conform(work.with_columns(named.alias("dataset")).select(list(OBSERVATION)), OBSERVATION), problems


def _blank(raw: pl.DataFrame, name: str) -> pl.Series:
    """Which rows leave a column blank (all of them where the file has no such column)."""
    return (
        raw[name].is_null()
        if name in raw.columns
        else pl.Series([True], dtype=pl.Boolean).new_from_index(0, raw.height)
    )


def _coded(work: pl.DataFrame, name: str, codes: Codes, rule: str | None) -> tuple[pl.DataFrame, list[Problem]]:
    """Replace the texts of a column by codes; unknown ones stay when `rule` is None, else are told and become null."""
    texts = work[name].unique().drop_nulls().to_list()
    coded = {text: codes.find(text) for text in texts}
    unknown = [text for text, code in coded.items() if code is None]
    if all(text == code for text, code in coded.items()):
        return work, []
    default = pl.col(name) if rule is None else None
    new = pl.col(name).replace_strict(
        {text: code for text, code in coded.items() if code is not None}, default=default, return_dtype=pl.String
    )
    problems: list[Problem] = []
    if rule is not None:
        hints = {text: _hint(text, codes) for text in unknown[:LIMIT]}
        for problem in found(work.filter(pl.col(name).is_in(unknown)), rule, name):
            garbled, hint = hints.get(problem.value, (None, ""))
            fault = "core.garbled-text" if garbled else rule
            params = {**problem.params, "hint": hint, "read": garbled}
            problems.append(Problem(fault, None, problem.sheet, problem.row, name, problem.value, params))
    return work.with_columns(new.alias(name)), problems


def _hint(text: str, codes: Codes) -> tuple[str | None, str | dict[str, str]]:
    """Return what a garbled text was before its encoding was mistaken, and a question after the nearest known name."""
    for wrote, read in (("latin-1", "gb18030"), ("cp1252", "gb18030"), ("latin-1", "utf-8"), ("gb18030", "utf-8")):
        try:
            meant = text.encode(wrote).decode(read)
        except UnicodeError:
            continue
        if meant != text and (codes.find(meant) or (wrote != "gb18030" and re.search(r"[\u4e00-\u9fff]{2}", meant))):
            return meant, ""
    if "\ufffd" in text or "锟斤拷" in text:
        return text, ""
    near = difflib.get_close_matches(key(text), list(codes.aliases()), n=1, cutoff=0.5)
    if not near:
        return None, ""
    code = codes.aliases()[near[0]]
    return None, {"zh": f"是否为“{codes.name(code)}”？", "en": f" Did you mean “{codes.name(code, 'en')}”?"}


def _notated(work: pl.DataFrame, terms: Codes | None) -> tuple[pl.DataFrame, list[Problem]]:
    """Notation keys: in their own column, or standing in place of the value."""
    if work["notation"].null_count() < work.height:
        texts = work["notation"].unique().drop_nulls().to_list()
        known = {text: (terms.find(text) if terms else None) or text.strip().upper() for text in texts}
        work = work.with_columns(pl.col("notation").replace_strict(known, default=None, return_dtype=pl.String))
    if work["value"].dtype == pl.String:
        inside = pl.col("value").str.to_uppercase().is_in(list(NOTATIONS)) & pl.col("notation").is_null()
        work = work.with_columns(
            pl.when(inside).then(pl.col("value").str.to_uppercase()).otherwise("notation").alias("notation"),
            pl.when(~inside.fill_null(False)).then("value").alias("value"),
        )
    return work, []


def _named(work: pl.DataFrame, entities: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """Codes of enterprises for their names; a name of several is told."""
    codes: dict[str, list[str]] = {}
    for name, code in entities.select("name", "code").drop_nulls("name").unique(maintain_order=True).iter_rows():
        codes.setdefault(key(name), []).append(code)
    own = {key(code): code for code in entities["code"]}
    texts = {text: key(text) for text in work["entity"].unique().drop_nulls()}
    several = {text: codes[tidy] for text, tidy in texts.items() if tidy not in own and len(codes.get(tidy, ())) > 1}
    problems = [
        Problem(one.rule, None, one.sheet, one.row, "entity", one.value, {"codes": "、".join(several[str(one.value)])})
        for one in found(work.filter(pl.col("entity").is_in(list(several))), "core.ambiguous-entity", "entity")
    ]
    coded = {text: own.get(tidy) or codes.get(tidy, [text])[0] for text, tidy in texts.items()}
    return work.with_columns(pl.col("entity").replace(coded)), problems


def _at_home(work: pl.DataFrame, entities: pl.DataFrame) -> pl.DataFrame:
    """Place and sector of the enterprise where the row has none, by its record that holds when the row begins."""
    homes = entities.select("from", "to", entity="code", _place="place", _sector="sector").with_row_index("_nth")
    rows = work.with_row_index("_at").select("_at", "entity", "start").join(homes, on="entity")
    begun = (pl.col("from").is_null() | (pl.col("from") <= pl.col("start"))).fill_null(True)
    holds = begun & (pl.col("to").is_null() | (pl.col("start") < pl.col("to"))).fill_null(True)
    nearest = rows.with_columns(holds.alias("_holds")).sort("_holds", "_nth").unique("_at", keep="last")
    work = work.with_row_index("_at").join(nearest.select("_at", "_place", "_sector"), on="_at", how="left",
                                           maintain_order="left")  # fmt: skip
    return work.with_columns(
        pl.coalesce("place", "_place").alias("place"), pl.coalesce("sector", "_sector").alias("sector")
    ).drop("_at", "_place", "_sector")


def number(column: pl.Expr) -> pl.Expr:
    """Text -> number: full-width digits, blanks and thousands commas are read; anything else becomes null."""
    tidy = column.str.replace_many(list(_FULL), list(_HALF)).str.replace_all(r"\s", "")
    grouped = tidy.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")
    return pl.when(grouped).then(tidy.str.replace_all(",", "")).otherwise(tidy).cast(pl.Float64, strict=False)


def _numbered(work: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    problems: list[Problem] = []
    for name in ("value", "low", "high"):
        if work[name].dtype == pl.String:
            plain = work[name].cast(pl.Float64, strict=False)
            if plain.null_count() > work[name].null_count():
                plain = work.select(number(pl.col(name))).to_series()
        else:
            plain = work[name].cast(pl.Float64)
        bad = (plain.is_null() & work[name].is_not_null()) | (~plain.is_finite()).fill_null(False)
        problems += found(work.filter(bad), "core.not-a-number", name)
        work = work.with_columns(plain.set(bad, None).alias(name), bad.alias(f"_bad_{name}"))
    return work, problems


def _flagged(work: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """`cumulative` as a boolean."""
    if work["cumulative"].dtype == pl.Boolean:
        return work.with_columns(pl.col("cumulative").fill_null(False)), []
    tidy = pl.col("cumulative").str.strip_chars().str.to_lowercase()
    flag = pl.when(tidy.is_in(list(_YES))).then(True).when(tidy.is_null() | tidy.is_in(list(_NO))).then(False)
    flagged = work.with_columns(flag.alias("_cumulative"))
    problems = found(flagged.filter(pl.col("_cumulative").is_null()), "core.unknown-cumulative", "cumulative")
    return flagged.with_columns(pl.col("_cumulative").fill_null(False).alias("cumulative")), problems


def _spanned(text: str) -> periods.Period | None:
    try:
        return periods.parse(text)
    except periods.BadPeriod:
        return None


def dates(work: pl.DataFrame, name: str, side: str) -> pl.Series:
    """First or (exclusive) last day of the period that each text names; null where it names none."""
    if work[name].dtype != pl.String:
        return work[name].cast(pl.Date, strict=False)
    spans = {text: _spanned(text) for text in work[name].unique().drop_nulls()}
    days = {text: getattr(span, side) for text, span in spans.items() if span is not None}
    return work[name].replace_strict(days, default=None, return_dtype=pl.Date)


def _dated(work: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """`start` and `end` from a period, from year with month or quarter, or from first and last day; `known_at`."""
    if "month" in work.columns or "quarter" in work.columns or work["year"].null_count() < work.height:
        work = _assembled(work)
    texts = work["period"]
    if texts.dtype == pl.String:
        clock = texts.str.ends_with(" 00:00:00")
        if clock.any() and texts.filter(clock.fill_null(False)).str.slice(8, 2).is_in(["01"]).all():
            work = work.with_columns(pl.when(clock).then(texts.str.slice(0, 7)).otherwise(texts).alias("period"))
    told = work["period"].is_not_null()
    first = dates(work, "period", "start") if texts.dtype == pl.String else work["period"].cast(pl.Date)
    after = dates(work, "period", "end") if texts.dtype == pl.String else first.dt.offset_by("1d")
    begin, stop, last = dates(work, "start", "start"), dates(work, "end", "start"), dates(work, "last", "end")
    problems = found(work.filter(told & first.is_null()), "core.bad-period", "period")
    for name, days in (("start", begin), ("end", stop), ("last", last)):
        problems += found(work.filter(work[name].is_not_null() & days.is_null()), "core.bad-date", name)
    published = dates(work, "known_at", "start")
    problems += found(work.filter(work["known_at"].is_not_null() & published.is_null()), "core.bad-date", "known_at")
    given = work["period"].is_not_null() | work["start"].is_not_null()
    ends = work["end"].is_not_null() | work["last"].is_not_null() | told
    problems += found(work.filter(~(given & ends)), "core.period-missing", "period")
    work = work.with_columns(
        pl.coalesce(first, begin).alias("start"),
        pl.coalesce(after, stop, last).alias("end"),
        published.alias("known_at"),
    )
    summed = pl.col("cumulative") & pl.col("start").is_not_null()
    final = pl.col("end").dt.offset_by("-1d")
    crossing = work.filter(summed & (final.dt.year() != pl.col("start").dt.year()))
    problems += found(crossing, "core.cumulative-over-years", "period")
    january = pl.date(pl.col("start").dt.year(), 1, 1)
    return work.with_columns(pl.when(summed).then(january).otherwise("start").alias("start")), problems


def _assembled(work: pl.DataFrame) -> pl.DataFrame:
    """One period text from the columns year, month and quarter."""
    blank = pl.lit(None, dtype=pl.String)
    written, quarter = (pl.col(name) if name in work.columns else blank for name in ("month", "quarter"))
    tidy = [
        one.cast(pl.String)
        .str.replace_many(list(_FULL), list(_HALF))
        .str.replace(r"\.0+$", "")
        .str.replace_all(r"[年月度季第份\s]", "")
        for one in (pl.col("year"), written, quarter)
    ]
    year, month, quarter = tidy
    text = (
        pl.when(pl.col("year").is_null())
        .then(written)
        .when(month.str.contains(r"^\d{1,2}$"))
        .then(pl.concat_str(year, pl.lit("-"), month.str.zfill(2)))
        .when(month.str.contains(r"^\d{1,2}[-~—]\d{1,2}$"))
        .then(pl.concat_str(year, pl.lit("年"), month, pl.lit("月")))
        .when(quarter.is_not_null())
        .then(pl.concat_str(year, pl.lit("年第"), quarter.str.replace("(?i)^q", ""), pl.lit("季度")))
        .when(month.is_not_null())
        .then(pl.concat_str(year, pl.lit(" "), month))
        .otherwise(year)
    )
    return work.with_columns(pl.coalesce("period", text).alias("period"))


def _converted(work: pl.DataFrame, *, book: Classification) -> tuple[pl.DataFrame, list[Problem]]:
    """Values in the item's unit, or the carrier's natural unit; standard coal by its convention."""
    names = ["item", "carrier", "unit", "basis"]
    table = []
    for row in work.select(names).unique().iter_rows(named=True):
        rule, factor, unit, basis, expected = _conversion(row, book)
        table.append({**row, "_rule": rule, "_factor": factor, "_unit": unit, "_basis": basis, "_expected": expected})
    texts = {name: pl.String for name in (*names, "_rule", "_unit", "_basis", "_expected")}
    steps = pl.DataFrame(table, schema={**texts, "_factor": pl.Float64})
    work = work.join(steps, on=names, how="left", nulls_equal=True, maintain_order="left")
    problems: list[Problem] = []
    for rule in steps["_rule"].unique().drop_nulls():
        problems += found(work.filter(pl.col("_rule") == rule), rule, "unit", expected="@_expected", item="@item")
    scaled = [
        pl.when(pl.col("_factor") == 1.0).then(name).otherwise(pl.col(name) * pl.col("_factor")).alias(name)
        for name in ("value", "low", "high")
    ]
    return work.with_columns(*scaled, pl.col("_unit").alias("unit"), pl.col("_basis").alias("basis")), problems


def _conversion(
    row: Mapping[str, str | None], book: Classification
) -> tuple[str | None, float, str | None, str | None, str | None]:
    """Return (rule broken, factor, unit, basis, units expected) for one item, carrier, unit text and basis."""
    item, carrier, text, basis = row["item"], row["carrier"], row["unit"], row["basis"]
    if item is None:
        return None, 1.0, text, basis, None
    wanted = (book.items.row(item) or {}).get("unit", "")
    if wanted == "natural":
        if carrier is None:
            return None, 1.0, text, basis, None
        wanted = (book.carriers.row(carrier) or {}).get("natural_unit", "")
    targets = [one for one in wanted.split("|") if one]
    shown = " / ".join(targets)
    if text is None:
        return ("core.unit-missing", 1.0, None, basis, shown) if targets != ["1"] else (None, 1.0, "1", basis, shown)
    try:
        unit = units.canonical(text)
    except units.AmbiguousUnit as error:
        fits = [one for one in error.choices if basis and one.endswith(basis)]
        if not fits:
            return "core.ambiguous-unit", 1.0, None, basis, " / ".join(error.choices)
        unit = fits[0]
    except units.UnknownUnit:
        return "core.unknown-unit", 1.0, None, basis, shown
    targets = [one for one in targets if one != "natural"]
    for target in targets or [unit]:
        if units.compatible(unit, target):
            convention = target.removeprefix("tce_") if len(targets) > 1 and target.startswith("tce_") else basis
            if basis is not None and convention != basis:
                return "core.unit-against-basis", 1.0, None, basis, shown
            return None, units.ratio(unit, target), target, convention, shown
    return "core.wrong-unit", 1.0, None, basis, shown
