"""Checks on observations that need more than one cell: doubles, parents beside children, falling cumulatives, signs.

None of them compares every row with every other: keys are hashed and joined, periods are compared within one key.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification, Codes, load
from dualcarbon.core.covering import ACROSS, PLACED, covering, where
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem
from dualcarbon.core.tables import DIMENSIONS, KEY, NOTATIONS, OBSERVATION

#: Problems of one rule that are listed; the rest are counted in `core.more`.
LIMIT = 1000
#: Items whose flows may be negative: value added of a loss, removals.
MAY_BE_NEGATIVE = ("economy.value_added", "economy.industrial", "emission.")


def check_observations(
    frame: pl.DataFrame,
    *,
    pack: str | Path = DEFAULT,
    known: pl.DataFrame | None = None,
    control: Collection[str] = (),
    file: str | None = None,
) -> list[Problem]:
    """Return everything wrong with rows of the observation layout (canonical codes and units).

    `known` are rows stored already: only problems that touch a row of `frame` are told. Datasets in `control` hold
    published totals, which are compared and never added, so parents may stand beside children there.
    """
    book = load(pack)
    told = [*check_cells(frame, book), *check_rows(frame, book, known=known, control=control)]
    return limited([spoken(problem, book, file) for problem in told if problem.rule not in ACROSS])


def check_rows(
    frame: pl.DataFrame, book: Classification, *, known: pl.DataFrame | None = None, control: Collection[str] = ()
) -> list[Problem]:
    """Rows against each other: doubles, totals beside parts, overlapping periods, falling cumulatives.

    Problems of rules in `covering.ACROSS` are about two datasets: nothing is wrong with either by itself.
    """
    return [*_doubles(frame), *_overlaps(frame, known, book, control), *_falls(frame, known, book)]


def limited(problems: Iterable[Problem]) -> list[Problem]:
    """Return `problems` by sheet and row, at most LIMIT of each rule, with the number of those left out."""
    counts: dict[str, int] = {}
    kept: list[Problem] = []
    for problem in problems:
        counts[problem.rule] = counts.get(problem.rule, 0) + problem.params.get("count", 1)
        if counts[problem.rule] <= LIMIT and problem.rule != "core.more":
            kept.append(problem)
    kept.sort(key=lambda p: (p.file or "", p.sheet or "", p.row or 0))
    more = [(rule, count - LIMIT) for rule, count in counts.items() if count > LIMIT]
    return kept + [Problem("core.more", value=rule, params={"rest": rest, "limit": LIMIT}) for rule, rest in more]


def found(frame: pl.DataFrame, rule: str, column: str | None, value: str | None = None, **params: Any) -> list[Problem]:
    """Return one problem of `rule` for each row of `frame`; `params` with text starting `@` are taken from a column."""
    shown = frame.head(LIMIT)
    problems = [
        Problem(
            rule,
            row.get("file"),
            row.get("sheet"),
            row.get("row"),
            column,
            row.get(value or column or ""),
            {k: row.get(v[1:]) if isinstance(v, str) and v.startswith("@") else v for k, v in params.items()},
        )
        for row in shown.iter_rows(named=True)
    ]
    rest = frame.height - shown.height
    return problems + ([Problem(rule, params={"count": rest})] if rest else [])


def spoken(problem: Problem, book: Classification, file: str | None = None) -> Problem:
    """Name the file, and call codes in the texts by their names."""
    trees: dict[str, Codes] = {"place": book.places, "sector": book.sectors, "carrier": book.carriers}
    tree = trees.get(problem.column or "")
    params = dict(problem.params)
    for name, codes in (("item", book.items), ("parent", tree), ("child", tree), ("other", tree)):
        code = params.get(name)
        if codes is not None and isinstance(code, str) and code in codes:
            params[name] = {lang: codes.name(code, lang) for lang in ("zh", "en")}
    return Problem(problem.rule, file, problem.sheet, problem.row, problem.column, problem.value, params)


def check_cells(frame: pl.DataFrame, book: Classification) -> list[Problem]:
    """Each row by itself: notation against value, bounds, signs and the kind of the item."""
    rows = frame.with_columns(
        pl.col("item").replace_strict(kinds(book), default=None, return_dtype=pl.String).alias("_kind"),
        pl.col("value").is_not_null().alias("_valued"),
    )
    noted = pl.col("notation").is_not_null()
    negative = pl.any_horizontal(pl.col("item").str.starts_with(start) for start in MAY_BE_NEGATIVE).not_()
    carrier_needed = [code for code in book.items if (book.items.row(code) or {}).get("unit") == "natural"]
    within = pl.col("low").is_null() == pl.col("high").is_null()
    ordered = (pl.col("low") <= pl.col("value")) & (pl.col("value") <= pl.col("high"))
    return [
        *found(rows.filter(pl.col("_valued") & noted), "core.value-and-notation", "value", notation="@notation"),
        *found(rows.filter(~pl.col("_valued") & ~noted), "core.value-missing", "value"),
        *found(rows.filter(noted & ~pl.col("notation").is_in(list(NOTATIONS))), "core.unknown-notation", "notation"),
        *found(
            rows.filter((pl.col("notation") == "IE") & pl.col("included_in").is_null()),
            "core.ie-without-target",
            "included_in",
            value="notation",
        ),
        *found(
            rows.filter((pl.col("value") < 0) & negative.fill_null(True) & pl.col("_kind").is_in(["flow", "stock"])),
            "core.negative",
            "value",
            item="@item",
            unit="@unit",
        ),
        *found(
            rows.filter(~(within & (ordered | pl.col("low").is_null() | pl.col("value").is_null()))),
            "core.bounds",
            "low",
            high="@high",
            middle="@value",
        ),
        *found(
            rows.filter(pl.col("cumulative").fill_null(False) & (pl.col("_kind") != "flow")),
            "core.cumulative-not-flow",
            "cumulative",
            value="item",
            kind="@_kind",
        ),
        *found(
            rows.filter(pl.col("item").is_in(carrier_needed) & pl.col("carrier").is_null()),
            "core.carrier-missing",
            "carrier",
            item="@item",
        ),
        *found(rows.filter(pl.col("start") >= pl.col("end")), "core.bad-period", "period", value="start"),
        *found(
            rows.filter(pl.col("start").is_null() | pl.col("end").is_null()), "core.period-missing", "period", "start"
        ),
    ]


def _doubles(frame: pl.DataFrame) -> list[Problem]:
    """Rows that agree in the whole key, all after the first."""
    keys = [pl.col(name).fill_null(False) if name == "cumulative" else pl.col(name) for name in KEY]
    rows = frame.with_row_index("_at").with_columns(pl.struct(keys).hash().alias("_key"))
    rows = rows.filter(pl.col("_key").is_duplicated())
    if rows.is_empty():
        return []
    groups = rows.sort("_at").with_columns(pl.col("cumulative").fill_null(False))
    later = groups.with_columns(
        pl.col("row").first().over(KEY).alias("_row"),
        pl.col("sheet").first().over(KEY).alias("_sheet"),
        pl.int_range(pl.len()).over(KEY).alias("_nth"),
    ).filter(pl.col("_nth") > 0)
    return found(later, "core.duplicate-row", None, first="@_row", first_sheet="@_sheet", item="@item")


def spans(frame: pl.DataFrame, flows: Collection[str] | None = None) -> pl.DataFrame:
    """Return `frame` with cumulative rows as the spans they add, so that periods can be compared."""
    return periods.difference_cumulative(frame, ("dataset", *DIMENSIONS), flows=flows)[0]


def _falls(frame: pl.DataFrame, known: pl.DataFrame | None, book: Classification) -> list[Problem]:
    """Cumulative reports below the one before, where either is new."""
    flows = [code for code, kind in kinds(book).items() if kind == "flow"]
    chain = ("dataset", *DIMENSIONS)

    def told(rows: pl.DataFrame) -> list[Problem]:
        # Also what begins on 1 January without being a report: it may be the first of a chain.
        since = pl.col("cumulative").fill_null(False) | (pl.col("start").dt.ordinal_day() == 1)
        reports = rows.filter(since).unique(KEY, keep="first", maintain_order=True)
        return periods.difference_cumulative(reports, chain, flows=flows)[1] if reports.height else []

    rows = frame.select(list(OBSERVATION)).with_columns(pl.lit(None, dtype=pl.String).alias("source"))
    if known is None:
        return told(rows)
    stored = known.select(list(OBSERVATION)).with_columns(pl.lit("stored").alias("source"))
    before = {(p.value, *p.params.values()) for p in told(stored)}
    both = told(pl.concat([rows, stored]))
    return [
        p if p.file is None else Problem(p.rule, column=p.column, value=p.value, params=p.params)
        for p in both
        if (p.value, *p.params.values()) not in before
    ]


def _overlaps(
    frame: pl.DataFrame, known: pl.DataFrame | None, book: Classification, control: Collection[str]
) -> list[Problem]:
    """Rows of one item of which one contains the other: in period, or in place, sector, carrier, as total and part."""
    columns = [name for name in OBSERVATION if name not in ("low", "high", "error_group", "quality", "custody")]
    rows = frame.select(*columns, pl.lit(True).alias("_new"), pl.lit(None, dtype=pl.String).alias("_file"))
    if known is not None:
        file = pl.col("_file") if "_file" in known.columns else pl.lit(None, dtype=pl.String)
        older = known.join(rows.select("item").unique(), on="item", how="semi")
        rows = pl.concat([rows, older.select(*columns, pl.lit(False).alias("_new"), file.alias("_file"))])
    rows = rows.filter(~pl.col("dataset").is_in(list(control)) & (pl.col("start") < pl.col("end")))
    rows = rows.unique(KEY, keep="first", maintain_order=True)
    rows = spans(rows.with_columns(pl.col("value").alias("_reported")))
    names = ["dataset", *DIMENSIONS]
    keys = rows.select(names).unique(maintain_order=True).with_row_index("_id")
    flows = [code for code, kind in kinds(book).items() if kind == "flow"]
    within = _within_key(rows.join(keys, on=names, how="left", nulls_equal=True))
    added = ~pl.col("item").str.starts_with("weather.")  # degree days of a county are no part of its city's
    return [*within, *covering(rows.filter(added), book, flows, LIMIT)]


def _within_key(rows: pl.DataFrame) -> list[Problem]:
    """Overlapping periods of one key: in order of start, each against the one that reaches furthest before it."""
    ordered = rows.sort("_id", "start", "end", descending=[False, False, True]).with_row_index("_at")
    furthest = pl.when(pl.col("end") == pl.col("end").cum_max().over("_id")).then("_at").forward_fill().shift(1)
    others = ordered.select(
        "_at", *(pl.col(name).alias(f"_{name}") for name in ("start", "end", "row", "sheet", "_new", "_file"))
    )
    clash = (
        ordered.with_columns(furthest.over("_id").alias("_other"))
        .join(others.rename({"_at": "_other"}), on="_other")
        .filter((pl.col("start") < pl.col("_end")) & (pl.col("_new") | pl.col("__new")))
        .sort("_at")
    )
    return [_period_clash(row) for row in clash.head(LIMIT).iter_rows(named=True)]


def _period_clash(row: Mapping[str, Any]) -> Problem:
    mine, other = ("", "_") if row["_new"] else ("_", "")
    return Problem(
        "core.overlapping-periods",
        None,
        row[f"{mine}sheet"],
        row[f"{mine}row"],
        "period",
        periods.text(row[f"{mine}start"], row[f"{mine}end"]),
        {
            "other": periods.text(row[f"{other}start"], row[f"{other}end"]),
            "where": where({name: row[f"{other}{name}"] for name in PLACED}, row["_new"] and row["__new"]),
            "item": row["item"],
        },
    )


def kinds(book: Classification) -> dict[str, str]:
    """Kind of every item: flow, stock or ratio."""
    return {code: (book.items.row(code) or {}).get("kind") or "flow" for code in book.items}
