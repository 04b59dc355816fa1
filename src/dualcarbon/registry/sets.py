"""Many rows in one statement: as a table to ask about, and inserted at once."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

TYPES = {"text": "text", "integer": "bigint"}


def asked(dialect: str, columns: dict[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, dict[str, Any]]:
    """`WITH wanted(place, COLUMN, ...)` for a query about rows of text and integers, and the query's parameter.

    `columns` gives each column's kind (text, integer); `place` is the row's, from 0.
    """
    lite = dialect == "sqlite"
    cell = "json_extract(value, '$[{}]')" if lite else "value ->> {}"
    cells = ", ".join(f"CAST({cell.format(n)} AS {TYPES[kind]})" for n, kind in enumerate(columns.values()))
    source = (
        f"key, {cells} FROM json_each(:rows)"
        if lite
        else f"ordinality - 1, {cells} FROM jsonb_array_elements(CAST(:rows AS jsonb)) WITH ORDINALITY"
    )
    query = f"WITH wanted(place, {', '.join(columns)}) AS MATERIALIZED (SELECT {source})"
    return query, {"rows": json.dumps(rows, ensure_ascii=False)}


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if not rows:
        return
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    if connection.dialect.name == "postgresql":
        cursor: Any = connection.connection.cursor()
        with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
        return
    marks = ", ".join("?" * len(names))
    values = [tuple(row[name] for name in names) for row in rows]
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", values)
