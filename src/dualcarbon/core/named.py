"""Whom the rows name, kept beside the table: each of its files is read once, so that an import does not read them all.

A file of the table never changes. A correction is about whom its row was, so that rows it replaces name nobody else;
what a reversal or a compaction writes anew is read anew.
"""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dualcarbon.core.tables import ENTITY, conform

#: The file that keeps it, and the key under which it says which files of the table it holds.
KEPT, FILES = ".named.parquet", "files"
_WHO = ("entity", "place", "sector")


def entities_named(folder: Path, paths: Sequence[str]) -> pl.DataFrame:
    """Return the entities (tables.ENTITY) that the rows of `paths` name, with the place and sector in which all agree.

    `folder` is the workspace's; where it cannot be written, nothing is kept.
    """
    names = {os.path.basename(path): path for path in paths}
    known, held = _kept(folder / KEPT)
    if not known <= set(names):
        known, held = set(), held.clear()
    fresh = [path for name, path in names.items() if name not in known]
    if fresh:
        read = pl.scan_parquet(fresh, low_memory=True).select(_WHO).filter(pl.col("entity").is_not_null()).unique()
        held = pl.concat([held, read.collect()]).unique().sort(_WHO)
        _keep(folder / KEPT, held, list(names))
    agreed = (pl.when(pl.col(one).drop_nulls().n_unique() == 1).then(pl.col(one).min()).alias(one) for one in _WHO[1:])
    found = held.group_by(pl.col("entity").alias("code")).agg(*agreed)
    status = pl.lit("unverified").alias("status")
    return conform(found.with_columns(pl.col("code").alias("name"), status).sort("code"), ENTITY)


def _kept(path: Path) -> tuple[set[str], pl.DataFrame]:
    """The files that were read, and whom they name."""
    try:
        frame = pl.read_parquet(path).select(_WHO)
        files = pl.read_parquet_metadata(path).get(FILES, "")
    except (OSError, pl.exceptions.PolarsError):
        return set(), pl.DataFrame(schema=dict.fromkeys(_WHO, pl.String))
    return set(files.split("\n")) - {""}, frame


def _keep(path: Path, frame: pl.DataFrame, files: Sequence[str]) -> None:
    made = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        frame.write_parquet(made, metadata={FILES: "\n".join(files)})
        os.replace(made, path)
    except OSError:
        made.unlink(missing_ok=True)
