"""The observation table on disk: Delta Lake commits that say what they carry, read by DuckDB without extensions.

A commit is the only point at which anything becomes true; what it means stands in its own metadata (`NOTE`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import polars as pl

from dualcarbon.core.tables import ENTITY, OBSERVATION, empty

if TYPE_CHECKING:
    import duckdb

#: The key of a commit's own metadata, one JSON text.
NOTE = "dualcarbon"
#: What is stored: the columns of an observation, the import a row came with, and its line there.
STORED: dict[str, Any] = {**OBSERVATION, "import": pl.String, "line": pl.Int64}
#: Characters of a text by which files are told apart.
BEGINNING = 16
#: Nothing a run cites is ever cleaned away.
_FOREVER = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}


def create(folder: Path) -> None:
    """Make the empty tables `observations` and `entities` in a workspace folder."""
    from deltalake import DeltaTable, Schema

    for name, schema in (("observations", STORED), ("entities", ENTITY)):
        arrow = Schema.from_arrow(empty(schema).to_arrow().schema)
        DeltaTable.create(folder / name, arrow, configuration=_FOREVER)


def version(table: Path) -> int:
    """Return the number of the table's last commit."""
    names = (name for name in os.listdir(table / "_delta_log") if name.endswith(".json"))
    return max(int(name[:20]) for name in names if name[:20].isdigit())


class Within(NamedTuple):
    """What rows are looked for: those that reach into a time, about these entities or none (None: about any)."""

    start: date
    end: date
    entities: list[str] | None


def files(table: Path, at: int | None = None, within: Within | None = None) -> list[str]:
    """Return the paths of the files that make up the table at a version (default: the last).

    `within`: only those that can hold such rows, as the commits say of each file what it holds. Raises
    deltalake.exceptions.DeltaError when there is no such version.
    """
    from deltalake import DeltaTable

    opened = DeltaTable(str(table), version=at)
    if within is None:
        return [str(table / unquote(uri.rsplit("/", 1)[-1])) for uri in opened.file_uris()]
    found = pl.DataFrame(opened.get_add_actions(flatten=True))
    known = set(found.columns)
    if {"min.start", "max.end"} <= known:
        # What the commits do not say of a file, it may hold.
        early, late = pl.col("min.start") < within.end, pl.col("max.end") > within.start
        found = found.filter(early.fill_null(True) & late.fill_null(True))
    if within.entities and {"min.entity", "max.entity", "null_count.entity"} <= known:
        # Long texts are cut short in statistics, so that only the beginnings are compared.
        first, last = min(within.entities)[:BEGINNING], max(within.entities)[:BEGINNING]
        own = (pl.col("min.entity").str.slice(0, BEGINNING) <= last) & (
            pl.col("max.entity").str.slice(0, BEGINNING) >= first
        )
        found = found.filter(own.fill_null(True) | (pl.col("null_count.entity") > 0).fill_null(True))
    return [str(table / unquote(path.rsplit("/", 1)[-1])) for path in found["path"]]


def append(table: Path, frame: pl.DataFrame, note: dict[str, Any], key: str, count: int) -> int:
    """Add rows in one commit that carries `note`, with an application transaction `key` numbered `count`.

    Returns the version of the commit.
    """
    from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, WriterProperties
    from deltalake import write_deltalake as write

    write(
        DeltaTable(str(table)),
        frame.to_arrow(),
        mode="append",
        commit_properties=CommitProperties(
            custom_metadata={NOTE: json.dumps(note, ensure_ascii=False)}, app_transactions=[Transaction(key, count)]
        ),
        writer_properties=WriterProperties(compression="ZSTD"),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )
    return version(table)


def overwrite(table: Path, frame: pl.DataFrame, note: dict[str, Any]) -> None:
    """Replace all rows in one commit; earlier versions stay."""
    from deltalake import CommitProperties, DeltaTable
    from deltalake import write_deltalake as write

    write(
        DeltaTable(str(table)),
        frame.to_arrow(),
        mode="overwrite",
        commit_properties=CommitProperties(custom_metadata={NOTE: json.dumps(note, ensure_ascii=False)}),
    )


def remove(table: Path, identifier: str, note: dict[str, Any]) -> int:
    """Delete the rows of one import in one commit that carries `note`. Returns its version."""
    from deltalake import CommitProperties, DeltaTable

    quoted = identifier.replace("'", "''")
    DeltaTable(str(table)).delete(
        f"\"import\" = '{quoted}'",
        commit_properties=CommitProperties(custom_metadata={NOTE: json.dumps(note, ensure_ascii=False)}),
    )
    return version(table)


def compact(table: Path) -> dict[str, Any]:
    """Join small files into larger ones. Old files stay, so that every version can be read as before."""
    from deltalake import CommitProperties, DeltaTable

    note = json.dumps({"kind": "compaction"})
    return dict(
        DeltaTable(str(table)).optimize.compact(commit_properties=CommitProperties(custom_metadata={NOTE: note}))
    )


def notes(table: Path, after: int) -> list[tuple[int, dict[str, Any]]]:
    """Return (version, note) of every commit after version `after`, oldest first."""
    from deltalake import DeltaTable

    opened = DeltaTable(str(table))
    told = [
        (int(commit["version"]), json.loads(commit[NOTE]))
        for commit in opened.history(max(opened.version() - after, 0))
        if NOTE in commit
    ]
    return sorted((one for one in told if one[0] > after), key=lambda one: one[0])


def duck() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection that uses only what its wheel links."""
    import duckdb

    return duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )


def scan(cursor: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> str:
    """Return the SQL table expression for the rows of `paths`."""
    if not paths:
        cursor.register("no_rows", empty(STORED).to_arrow())
        return "no_rows"
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{listed}], union_by_name = true)"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the workspace's lock: one writer at a time; a killed writer lets go of it."""
    with (folder / ".lock").open("a+b") as handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        except ImportError:  # Windows
            import msvcrt

            handle.seek(0)
            getattr(msvcrt, "locking")(handle.fileno(), getattr(msvcrt, "LK_LOCK"), 1)  # noqa: B009
        yield
