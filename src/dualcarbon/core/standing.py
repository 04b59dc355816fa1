"""The observations that count at a version and a day: active files, without what was superseded or reverted by then."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import sqlalchemy as sa

from dualcarbon.core import periods, store
from dualcarbon.core.database import SOURCE, SUPERSESSION
from dualcarbon.core.tables import DIMENSIONS, OBSERVATION, conform, empty

if TYPE_CHECKING:
    import duckdb


class Chosen(NamedTuple):
    """Which rows are asked for: as of a commit, what was known at a day (None: all), of these datasets (None: all)."""

    version: int
    known_at: date | None = None
    datasets: tuple[str, ...] | None = None


class Standing:
    """Reads the observation table of a workspace with its database; safe to use from several threads."""

    def __init__(self, table: Path, engine: sa.Engine) -> None:
        self.table, self.engine = table, engine
        self._duck = store.duck()
        self._lock = threading.RLock()
        self._flows: tuple[Chosen, pl.DataFrame] | None = None

    def rows(self, chosen: Chosen, *, differenced: bool = True) -> duckdb.DuckDBPyRelation:
        """Return the rows (tables.OBSERVATION), lazily; reports since January as flows where `differenced`."""
        cursor = self._duck.cursor()
        columns = ", ".join(f'o."{name}"' for name in OBSERVATION)
        query = f"SELECT {columns} FROM {self._from(cursor, chosen)}"
        reporting = self._reporting(chosen.version) if differenced else []
        if not reporting:
            return cursor.sql(query)
        # What begins on 1 January may be the first report of a chain without saying so.
        since = f"(o.cumulative OR (o.start = date_trunc('year', o.start) AND o.dataset IN ({_listed(reporting)})))"
        with self._lock:
            if self._flows is None or self._flows[0] != chosen:
                reports = conform(cursor.sql(f"{query} AND {since}").pl(), OBSERVATION)
                self._flows = chosen, periods.difference_cumulative(reports, ("dataset", *DIMENSIONS))[0]
            cursor.register("flows", self._flows[1].to_arrow())
        return cursor.sql(f"{query} AND NOT {since} UNION ALL SELECT {columns} FROM flows o")

    def near(
        self, frame: pl.DataFrame, chosen: Chosen, places: Collection[str], *, superseded: bool = False
    ) -> pl.DataFrame:
        """Return the rows (tables `store.STORED`, as reported) that could double, contain or follow a row of `frame`.

        They have an item of it, lie at one of `places`, reach into its time (of reports since January, into their
        year), and are about one of its entities or none; about any where a row of it names none. Files that cannot hold
        such a row are not opened, so that what was imported for other times costs nothing. `superseded`: also rows
        that corrections have replaced.
        """
        since = pl.when(pl.col("cumulative").fill_null(False)).then(pl.col("start").dt.truncate("1y"))
        first, last = frame.select(since.otherwise("start").min(), pl.col("end").max()).row(0)
        if first is None or last is None:
            return empty(store.STORED)
        whose = None if frame["entity"].null_count() else sorted(frame["entity"].unique().to_list())
        cursor = self._duck.cursor()
        conditions = [f"o.start < DATE '{last}'", f"o.\"end\" > DATE '{first}'"]
        for name, wanted in (("item", frame["item"].unique()), ("place", pl.Series(sorted(places)))):
            cursor.register(f"near_{name}", wanted.drop_nulls().alias("code").to_frame().to_arrow())
            conditions.append(f"o.{name} IN (SELECT code FROM near_{name})")
        if whose is not None:
            cursor.register("near_entity", pl.DataFrame({"code": whose}).to_arrow())
            conditions.append("(o.entity IS NULL OR o.entity IN (SELECT code FROM near_entity))")
        within = store.Within(first, last, whose)
        query = f"SELECT o.* FROM {self._from(cursor, chosen, superseded, within)} AND {' AND '.join(conditions)}"
        return conform(cursor.sql(query).pl(), store.STORED)

    def corrected(self, source: str, version: int) -> bool:
        """Whether a line of an import has been replaced by a correction that counts."""
        old = SUPERSESSION.c
        query = sa.select(sa.exists().where(old.source == source, SOURCE.c.id == old.by, *_in_force(version)))
        with self.engine.connect() as connection:
            return bool(connection.execute(query).scalar())

    def _from(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chosen: Chosen,
        superseded: bool = False,
        within: store.Within | None = None,
    ) -> str:
        """The table `o` and the condition on its rows."""
        conditions = ["TRUE"]
        if chosen.datasets is not None:
            listed = _listed(chosen.datasets)
            conditions.append(f"o.dataset IN ({listed})" if listed else "FALSE")
        if chosen.known_at is not None:
            conditions.append(f"(o.known_at IS NULL OR o.known_at <= DATE '{chosen.known_at.isoformat()}')")
        gone = [] if superseded else self._superseded(chosen)
        if gone:
            spans = pl.DataFrame(gone, schema={"import": pl.String, "first": pl.Int64, "last": pl.Int64}, orient="row")
            lines = spans.select("import", pl.int_ranges("first", pl.col("last") + 1).alias("line")).explode("line")
            cursor.register("gone", lines.to_arrow())
            conditions.append('NOT EXISTS (FROM gone WHERE gone."import" = o."import" AND gone.line = o.line)')
        table = store.scan(cursor, store.files(self.table, chosen.version, within))
        return f"{table} o WHERE {' AND '.join(conditions)}"

    def _superseded(self, chosen: Chosen) -> list[tuple[str, int, int]]:
        """Lines (import, first, last) that corrections known by then replace."""
        old = SUPERSESSION.c
        query = sa.select(old.source, old.first, old.last).join(SOURCE, SOURCE.c.id == old.by)
        query = query.where(*_in_force(chosen.version))
        if chosen.known_at is not None:
            query = query.where(sa.or_(old.known_at.is_(None), old.known_at <= chosen.known_at.isoformat()))
        with self.engine.connect() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def _reporting(self, version: int) -> list[str]:
        """Datasets of which an import that counts holds reports since January."""
        query = sa.select(SOURCE.c.datasets).where(SOURCE.c.cumulative > 0, *_in_force(version))
        with self.engine.connect() as connection:
            return sorted({str(name) for row in connection.execute(query) for name in row[0]})


def _listed(names: Collection[str]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


def _in_force(version: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Conditions on `source`: imported by a version and not reverted by then."""
    c = SOURCE.c
    return c.version <= version, sa.or_(c.reverted_version.is_(None), c.reverted_version > version)
