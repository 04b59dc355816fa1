"""Make a ledger's tables and its first row, or bring a ledger made by an earlier version to the present tables.

The first ledgers kept refused ids without a chain and had no sums by day: the refusals are chained as they stand, in
the order of their recording, and their evidence begins with this step. Later ones had two indexes in place of the links
between an account's entries.
"""

import secrets
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa

from dualcarbon.ledger import chain, days, trail
from dualcarbon.ledger.tables import ACCOUNT, DAY, LEDGER, MARK, METADATA, REFUSAL, REQUEST

LOGS = {"entry": "entries", "account": "accounts", "lock": "locks", "refusal": "refusals"}


def install(engine: sa.Engine, algorithm: str) -> None:
    """Create what is missing; nothing when all is there. Safe to run in several processes at once."""
    with engine.connect() as connection:
        there = _installed(connection)
        if there and not _earlier(connection):
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236844915702318)"))
        if there:
            connection.execute(LEDGER.update().values(writes=LEDGER.c.writes))  # waits for its turn among the writers
            if _earlier(connection):
                _upgrade(connection)
            return
        if engine.dialect.name == "postgresql":
            METADATA.create_all(connection)
        else:
            for table in METADATA.sorted_tables:
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
        _first_row(connection, algorithm)


def present(engine: sa.Engine) -> bool:
    """Whether this database holds a ledger; one of an earlier version is brought to the present tables."""
    if engine in _seen:
        return True
    with engine.connect() as connection:
        there = _installed(connection)
    if there:
        install(engine, "sha256")
        _seen.add(engine)
    return there


_seen: WeakSet[sa.Engine] = WeakSet()


def _installed(connection: sa.Connection) -> bool:
    if not sa.inspect(connection).has_table("ledger"):
        return False
    return connection.execute(sa.select(LEDGER.c.number)).first() is not None


def _first_row(connection: sa.Connection, algorithm: str) -> None:
    origin = secrets.token_hex(16)
    row: dict[str, Any] = {
        "number": 1,
        "origin": origin,
        "algorithm": algorithm,
        "writes": 0,
        "recorded": 0,
    }
    for log, count in LOGS.items():
        row |= {count: 0, f"{log}_hash": chain.genesis(algorithm, origin, log)}
    absent = ~sa.exists(sa.select(sa.literal(1)).select_from(LEDGER).where(LEDGER.c.number == 1))
    chosen = sa.select(*(sa.literal(row[column.name], column.type) for column in LEDGER.columns)).where(absent)
    connection.execute(LEDGER.insert().from_select([column.name for column in LEDGER.columns], chosen))


def _earlier(connection: sa.Connection) -> bool:
    return not {"refusals", "last"} <= _columns(connection, "ledger") | _columns(connection, "account")


def _columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def _add_column(connection: sa.Connection, table: str, column: str) -> None:
    connection.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN {column}"))


def _upgrade(connection: sa.Connection) -> None:
    unchained = "refusals" not in _columns(connection, "ledger")
    if unchained:
        _chain_refusals(connection)
    METADATA.create_all(connection, [DAY, MARK, REQUEST])
    for name in ("moves", "summed", "last"):
        if name not in _columns(connection, "account"):
            _add_column(connection, "account", f"{name} BIGINT NOT NULL DEFAULT 0")
    for side in ("debit", "credit"):
        _add_column(connection, "entry", f"{side}_previous BIGINT NOT NULL DEFAULT 0")
        connection.execute(sa.text(f"DROP INDEX IF EXISTS entry_{side}"))
    trail.relink(connection)
    if connection.dialect.name == "postgresql":  # so that a program of the earlier version still running cannot write
        for side in ("debit", "credit"):
            connection.execute(sa.text(f"ALTER TABLE entry ALTER COLUMN {side}_previous DROP DEFAULT"))
    if unchained:
        names = connection.execute(sa.select(ACCOUNT.c.account).where(ACCOUNT.c.last > 0)).scalars().all()
        days.sum_up(connection, names, connection.execute(sa.select(LEDGER.c.entries)).scalar_one())
    connection.execute(LEDGER.update().values(writes=LEDGER.c.writes + 1))


def _chain_refusals(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("SELECT id, result, recorded FROM entry_refusal ORDER BY recorded, id")).all()
    connection.execute(sa.text("DROP TABLE entry_refusal"))
    METADATA.create_all(connection, [REFUSAL])
    _add_column(connection, "ledger", "refusals BIGINT")
    _add_column(connection, "ledger", f"refusal_hash {'BYTEA' if connection.dialect.name == 'postgresql' else 'BLOB'}")
    ledger = connection.execute(sa.select(LEDGER)).one()
    last = chain.genesis(ledger.algorithm, ledger.origin, "refusal")
    numbered = [(number, *row) for number, row in enumerate(rows, 1)]
    chained = chain.chained(numbered, last, ledger.algorithm)
    if chained:
        connection.execute(REFUSAL.insert(), [dict(zip(REFUSAL.columns.keys(), row, strict=True)) for row in chained])
        last = chained[-1][-1]
    connection.execute(LEDGER.update().values(refusals=len(rows), refusal_hash=last))
