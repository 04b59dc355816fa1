"""The transactional half of a workspace: one engine for SQLite and PostgreSQL, tables, migrations.

`source`, `supersession` and `dataset` mirror what the commits of the observation table say and are rebuilt from them;
`run` holds the manifests of calculations. Instants are ISO 8601 texts in UTC, days ISO texts, so that both databases
hold and order them alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Column,
    Engine,
    Index,
    MetaData,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from dualcarbon.core.problems import Problem, Refused

if TYPE_CHECKING:
    from sqlalchemy import Connection

ENVIRONMENT = "DUALCARBON_DATABASE_URL"
HEAD = "0001"
MIGRATIONS = Path(__file__).resolve().parent / "migrations"

METADATA = MetaData()

#: Facts about the workspace: `workspace` (its id), `synced` (the last commit mirrored here).
META = Table(
    "workspace_meta",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

SOURCE = Table(
    "source",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("file", Text),
    Column("sha256", Text, nullable=False, index=True),
    Column("template", Text),
    Column("datasets", JSON, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("superseded", BigInteger, nullable=False),
    Column("cumulative", BigInteger, nullable=False),
    Column("known_at", Text),
    Column("imported_at", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("reason", Text),
    Column("reverted_at", Text),
    Column("reverted_version", BigInteger),
    Column("revert_reason", Text),
    Column("record", JSON, nullable=False),
)

#: Lines `first` to `last` of an import that a later import `by` replaces, from `known_at` on (null: always).
SUPERSESSION = Table(
    "supersession",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("by", Text, primary_key=True),
    Column("known_at", Text),
    Column("reason", Text, nullable=False),
)
Index("supersession_by", SUPERSESSION.c.by)

DATASET = Table(
    "dataset",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("title_zh", Text),
    Column("title_en", Text),
    Column("role", Text, nullable=False),
    Column("custody", Text),
    Column("status", Text, nullable=False),
    Column("source", Text),
)

RUN = Table(
    "run",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", Text, nullable=False, index=True),
    Column("manifest", JSON, nullable=False),
)

MIRRORED = (SUPERSESSION, SOURCE, DATASET)


def connect(folder: Path) -> Engine:
    """Return the engine of a workspace: `DUALCARBON_DATABASE_URL` if it is set, else `dualcarbon.db` in its folder.

    The tables are created or migrated. Raises sqlalchemy.exc.OperationalError when the database cannot be reached.
    """
    made = engine(os.environ.get(ENVIRONMENT) or URL.create("sqlite", database=str(folder / "dualcarbon.db")))
    upgrade(made)
    return made


def engine(url: str | URL) -> Engine:
    """Return an engine: SQLite in WAL mode that waits for locks, or PostgreSQL through psycopg."""
    url = make_url(url)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    made = create_engine(url, connect_args={"timeout": 60})

    @event.listens_for(made, "connect")
    def settle(connection: Any, record: Any) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    return made


def upgrade(made: Engine) -> None:
    """Bring the tables to HEAD. Alembic is imported only when there is something to do."""
    with made.connect() as connection:
        if _revision(connection) == HEAD:
            return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with made.begin() as connection:
        # One process at a time: the others then find nothing left to do.
        if made.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5147003218846117)")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    versions = Table("alembic_version", MetaData(), Column("version_num", Text))
    return connection.execute(select(versions.c.version_num)).scalar()


def mirrored(connection: Connection, workspace: str) -> int | None:
    """Return the last commit that the tables mirror, None when they are new.

    Raises Refused when the database belongs to another workspace.
    """
    facts = {row.key: row.value for row in connection.execute(select(META))}
    if facts.get("workspace", workspace) != workspace:
        raise Refused(Problem("core.other-database", value=workspace))
    return int(facts["synced"]) if "synced" in facts else None


def mirror(made: Engine, workspace: str, last: int, notes: Callable[[int], list[tuple[int, dict[str, Any]]]]) -> None:
    """Write what the commits up to `last` say into `source`, `supersession` and `dataset`, in one transaction.

    `notes(after)` gives (version, note) of the commits after a version. Tables that are ahead of the commits (an older
    folder was put back) are emptied and written anew.
    """
    try:
        with made.begin() as connection:
            if mirrored(connection, workspace) is None:
                connection.execute(
                    insert(META), [{"key": "workspace", "value": workspace}, {"key": "synced", "value": "-1"}]
                )
    except IntegrityError:
        pass  # another process was first
    with made.begin() as connection:
        # This update holds the row until the end: one writer at a time, and nothing is read before.
        connection.execute(update(META).where(META.c.key == "synced").values(value=META.c.value))
        synced = mirrored(connection, workspace)
        after = -1 if synced is None or synced > last else synced
        if after != synced:
            for table in MIRRORED:
                connection.execute(delete(table))
        for version, note in notes(after):
            _take(connection, version, note)
        connection.execute(update(META).where(META.c.key == "synced").values(value=str(last)))


def _take(connection: Connection, version: int, note: dict[str, Any]) -> None:
    """Mirror one commit."""
    if note["kind"] == "import":
        record = note["source"]
        own = {column.name: record.get(column.name) for column in SOURCE.columns}
        connection.execute(insert(SOURCE).values({**own, "version": version, "record": record}))
        spans = [{**span, "by": record["id"], "reason": record.get("reason") or ""} for span in note["supersedes"]]
        if spans:
            connection.execute(insert(SUPERSESSION), spans)
        for one in note["datasets"]:
            connection.execute(delete(DATASET).where(DATASET.c.id == one["id"]))
            connection.execute(insert(DATASET).values(one))
    elif note["kind"] == "revert":
        told = {"reverted_at": note["at"], "reverted_version": version, "revert_reason": note["reason"]}
        connection.execute(update(SOURCE).where(SOURCE.c.id == note["id"]).values(told))
