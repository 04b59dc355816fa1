"""Make a ledger's tables and its first row, or bring a ledger made by an earlier version to the present tables.

Earlier ledgers kept refused ids without a chain and had no sums by day. The refusals are chained as they stand, in the
order of their recording; their evidence begins with this step.
"""

import secrets
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa

from dualcarbon.ledger import chain, days
from dualcarbon.ledger.tables import DAY, LEDGER, METADATA, REFUSAL, REQUEST

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
    return "refusals" not in {column["name"] for column in sa.inspect(connection).get_columns("ledger")}


def _upgrade(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("SELECT id, result, recorded FROM entry_refusal ORDER BY recorded, id")).all()
    connection.execute(sa.text("DROP TABLE entry_refusal"))
    METADATA.create_all(connection, [REFUSAL, DAY, REQUEST])
    binary = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    for column in ("ledger ADD COLUMN refusals BIGINT", f"ledger ADD COLUMN refusal_hash {binary}"):
        connection.execute(sa.text(f"ALTER TABLE {column}"))
    for name in ("moves", "summed"):
        connection.execute(sa.text(f"ALTER TABLE account ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0"))
    ledger = connection.execute(sa.select(LEDGER)).one()
    last = chain.genesis(ledger.algorithm, ledger.origin, "refusal")
    numbered = [(number, *row) for number, row in enumerate(rows, 1)]
    chained = chain.chained(numbered, last, ledger.algorithm)
    if chained:
        connection.execute(REFUSAL.insert(), [dict(zip(REFUSAL.columns.keys(), row, strict=True)) for row in chained])
        last = chained[-1][-1]
    days.sum_up(connection, sa.true(), ledger.entries)
    connection.execute(LEDGER.update().values(refusals=len(rows), refusal_hash=last, writes=LEDGER.c.writes + 1))
