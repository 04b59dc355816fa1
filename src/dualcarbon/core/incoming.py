"""New rows against those that stand: what repeats, what changes and needs a reason, what would count twice."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.checks import LIMIT, check_cells, check_rows, limited, spoken
from dualcarbon.core.classification import load
from dualcarbon.core.covering import ACROSS
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.store import STORED
from dualcarbon.core.tables import DIMENSIONS, KEY, conform

#: Conversions of units leave a value the same to this relative difference.
_TOLERANCE = 1e-12
_FIGURES = ("value", "low", "high")
_WORDS = ("notation", "included_in")
#: What a row may leave out without changing it.
_STATED = ("quality", "custody", "error_group")


@dataclass(frozen=True)
class Settled:
    """Rows to add; how many stand already; which lines of which imports they supersede; what accounts count twice.

    `doubled`: figures that another dataset which is counted holds too, or of which it holds the total or a part.
    """

    frame: pl.DataFrame
    unchanged: int
    superseded: int
    supersedes: list[dict[str, Any]]
    doubled: list[Problem]


def settle(
    frame: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    pack: str | Path,
    control: Collection[str] = (),
    revise: str | None = None,
    found: Sequence[Problem] | None = None,
    file: str | None = None,
    older: Callable[[], pl.DataFrame] | None = None,
    files: Mapping[str, str] | None = None,
) -> Settled:
    """Compare new rows (tables.OBSERVATION) with those that count (with `import` and `line`).

    `stored` holds rows of the same datasets and of others that are counted beside them; `files` names imports.
    `found` are the problems of a file whose rows were checked among themselves (None: check them here). With a reason
    in `revise` changed keys supersede, and a cumulative figure may fall; without, both are refused. `older` gives the
    rows that count or did before they were corrected: a correction supersedes every earlier figure of its key, so that
    taking back one in between brings none of them to life. Raises Refused with every problem.
    """
    book = load(pack)
    frame = frame.with_columns(pl.col("cumulative").fill_null(False))
    ours = frame["dataset"].unique().drop_nulls().to_list()
    stored, beside = (stored.filter(one) for one in (pl.col("dataset").is_in(ours), ~pl.col("dataset").is_in(ours)))
    frame = _alike(frame, stored)
    replaced = stored.clear().with_columns(pl.lit(None, dtype=pl.Date).alias("from"))
    problems = [] if found is not None else [*check_cells(frame, book), *check_rows(frame, book, control=control)]
    unchanged = 0
    if stored.height:
        # A double of the file itself is told by the checks; here each key meets its stored row once.
        first = frame.unique(KEY, keep="first", maintain_order=True)
        both = first.join(stored, on=KEY, how="inner", nulls_equal=True, suffix="_was")
        differs = both.filter(~pl.all_horizontal(*map(_equal, _FIGURES), *map(_same, _WORDS), *map(_kept, _STATED)))
        unchanged = both.height - differs.height
        same = both.join(differs, on=KEY, how="anti", nulls_equal=True)
        frame = frame.join(same, on=KEY, how="anti", nulls_equal=True, maintain_order="left")
        known_from = differs.select(*KEY, pl.col("known_at").alias("from"))
        replaced = stored.join(known_from, on=KEY, how="inner", nulls_equal=True)
        if revise is None:
            problems += [_change(row) for row in differs.head(LIMIT).iter_rows(named=True)]
            problems += [Problem("core.changed-key", params={"count": differs.height - LIMIT})] * (
                differs.height > LIMIT
            )
    standing = stored.join(replaced, on=["import", "line"], how="anti")
    if frame.height and (standing.height or beside.height or len(ours) > 1):
        new = frame.join(replaced, on=KEY, how="anti", nulls_equal=True) if revise is None else frame
        known = pl.concat([standing if revise is not None else stored, beside])
        known = known.with_columns(pl.col("import").replace(dict(files or {})).alias("_file"))
        problems += check_rows(new, book, known=known, control=control)
    if revise is not None:
        problems = [one for one in problems if one.rule != "core.falling-cumulative"]
    said = [spoken(one, book, file) for one in problems]
    told = _distinct([*(found or ()), *(one for one in said if one.rule not in ACROSS)])
    if told:
        raise Refused(limited(told))
    doubled = limited(_distinct(one for one in said if one.rule in ACROSS))
    every = replaced
    if older is not None and replaced.height:
        every = older().join(replaced.select(*KEY, "from"), on=KEY, how="inner", nulls_equal=True)
    return Settled(frame, unchanged, replaced.height, _ranges(every), doubled)


def _alike(frame: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """New rows from 1 January on said to be cumulative, or not, as the stored row of the same figure is.

    A first quarter is one figure whether it is called since January or not: it repeats or corrects what stands.
    """
    since = pl.col("start").dt.ordinal_day() == 1
    key = [name for name in KEY if name != "cumulative"]
    was = stored.filter(since).select(*key, pl.col("cumulative").alias("_was")).unique(key, keep="none")
    if was.is_empty():
        return frame
    both = frame.join(was, on=key, how="left", nulls_equal=True, maintain_order="left")
    return both.with_columns(pl.coalesce("_was", "cumulative").alias("cumulative")).drop("_was")


def _equal(name: str) -> pl.Expr:
    new, was = pl.col(name), pl.col(f"{name}_was")
    close = (new - was).abs() <= _TOLERANCE * pl.max_horizontal(new.abs(), was.abs())
    return (new.is_null() & was.is_null()) | close.fill_null(False)


def _same(name: str) -> pl.Expr:
    return pl.col(name).eq_missing(pl.col(f"{name}_was"))


def _kept(name: str) -> pl.Expr:
    return pl.col(name).is_null() | pl.col(name).eq_missing(pl.col(f"{name}_was"))


def _change(row: Mapping[str, Any]) -> Problem:
    """A row that differs from the stored one of its key: the figure or, where that is the same, what else differs."""
    key = [str(row[name]) for name in ("dataset", *DIMENSIONS) if row[name] is not None]
    key.append(periods.text(row["start"], row["end"]))
    shown = {
        side: row[f"value{side}"] if row[f"value{side}"] is not None else row[f"notation{side}"]
        for side in ("", "_was")
    }
    column, what = "value", {"zh": "", "en": ""}
    if shown["_was"] == shown[""]:
        stated = [name for name in _STATED if row[name] is not None]
        column = next((one for one in (*_FIGURES, *_WORDS, *stated) if row[one] != row[f"{one}_was"]), column)
        shown = {side: row[f"{column}{side}"] for side in shown}
        what = {"zh": f"数值相同，但 {column} ", "en": f"with the same value, but {column} "}
    unit = {"zh": f"（{row['unit']}）", "en": f" ({row['unit']})"} if column in _FIGURES else ""
    params = {"key": " ".join(key), "what": what, "before": shown["_was"], "now": shown[""], "unit": unit}
    return Problem("core.changed-key", None, row["sheet"], row["row"], column, shown[""], params)


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Problems without those told twice."""
    kept: dict[tuple[Any, ...], Problem] = {}
    for one in problems:
        other = one.params.get("key"), one.params.get("other_dataset")
        kept.setdefault((one.rule, one.sheet, one.row, one.column, *other, str(one.value)), one)
    return list(kept.values())


def _ranges(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Lines of imports as spans `{source, first, last, known_at}`; `known_at` is the day of what replaces them."""
    if rows.is_empty():
        return []
    day = pl.col("from").dt.to_string("iso").alias("known_at")
    lines = rows.select(pl.col("import").alias("source"), "line", day).unique().sort("source", "known_at", "line")
    run = (pl.col("line") - pl.int_range(pl.len()).over("source", "known_at")).alias("run")
    spans = lines.with_columns(run).group_by("source", "known_at", "run", maintain_order=True)
    found = spans.agg(pl.col("line").min().alias("first"), pl.col("line").max().alias("last"))
    return found.select("source", "first", "last", "known_at").to_dicts()


def describe(
    records: Iterable[Mapping[str, Any]], names: Iterable[str], known: Iterable[Mapping[str, Any]], pack: str | Path
) -> list[dict[str, Any]]:
    """Complete records of the datasets that occur: as given, else as the workspace has them, else as the pack."""
    given = {str(one["id"]): one for one in records}
    stored = {str(one["id"]): one for one in known}
    packed = load(pack).datasets
    found = []
    for name in sorted(names):
        told: dict[str, Any] = {"id": name, "title_zh": name, "title_en": name, "role": "account"}
        told |= {"custody": None, "status": "unverified", "source": None}
        for one in (packed.row(name) or {} if name in packed else {}, stored.get(name, {}), given.get(name, {})):
            told |= {key: one[key] for key in told if one.get(key)}
        found.append(told)
    return found


def dated(frame: pl.DataFrame, known_at: str | None, pack: str | Path) -> pl.DataFrame:
    """Rows with the day they were published: their own, else the import's, else that of the source they name."""
    issued: dict[str, date] = {}
    sources = load(pack).sources
    for name in frame["source"].unique().drop_nulls():
        row = (sources.row(name) or {}) if name in sources else {}
        with suppress(ValueError):
            issued[name] = date.fromisoformat(row.get("issued", ""))
    day = pl.lit(date.fromisoformat(str(known_at)) if known_at else None, dtype=pl.Date)
    of_source = pl.col("source").replace_strict(issued, default=None, return_dtype=pl.Date) if issued else day
    return frame.with_columns(pl.coalesce("known_at", day, of_source).alias("known_at"))


def marked(frame: pl.DataFrame, identifier: str, described: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as stored: with the import they belong to, and what their dataset says of all of them."""
    custody = {one["id"]: one["custody"] for one in described if one.get("custody")}
    owner = pl.col("dataset").replace_strict(custody, default=None, return_dtype=pl.String)
    rows = frame.with_columns(
        pl.col("source").fill_null(identifier),
        pl.col("cumulative").fill_null(False),
        pl.col("custody").fill_null(owner) if custody else pl.col("custody"),
        pl.lit(identifier).alias("import"),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("line"),
    )
    return conform(rows, STORED)
