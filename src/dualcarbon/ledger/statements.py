"""The statements of every posting, built once: building one costs more than the database needs to answer it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from dualcarbon.ledger.tables import ACCOUNT, ENTRY, ENTRY_FIELDS, LEDGER, REFUSAL, TOTALS

ACCOUNT_FIELDS = [*list(ACCOUNT.columns)[:7], ACCOUNT.c.moves, ACCOUNT.c.last, *(ACCOUNT.c[name] for name in TOTALS)]
BEGUN = LEDGER.update().where(LEDGER.c.number == 1).values(writes=LEDGER.c.writes + 1).returning(*LEDGER.c)
KEYS: sa.BindParameter[Any] = sa.bindparam("keys")
FOUND: dict[str, tuple[sa.Column[Any], Sequence[sa.Column[Any]]]] = {
    "entry": (ENTRY.c.id, ENTRY_FIELDS),
    "refused": (REFUSAL.c.id, (REFUSAL.c.id, REFUSAL.c.result)),
    "resolved": (ENTRY.c.pending_id, (ENTRY.c.pending_id, ENTRY.c.state)),
    "reversed": (ENTRY.c.reverses, (ENTRY.c.reverses, ENTRY.c.id)),
    "account": (ACCOUNT.c.account, ACCOUNT_FIELDS),
}


@cache
def found(dialect: str) -> dict[str, sa.Select[Any]]:
    """What a batch can touch, by the names of `FOUND`; the parameter `keys` holds the keys in the dialect's form."""
    return {name: sa.select(*shown).where(among(key, KEYS, dialect)) for name, (key, shown) in FOUND.items()}


def among(column: sa.Column[Any], keys: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[bool]:
    """The condition that a text column is in `keys`: an array on PostgreSQL, a JSON text on SQLite."""
    if dialect == "postgresql":
        return column.in_(sa.select(sa.func.unnest(sa.cast(keys, ARRAY(sa.Text))).column_valued()))
    return column.in_(sa.select(sa.func.json_each(keys).table_valued("value").c.value))


@cache
def advanced(names: tuple[str, ...]) -> sa.Update:
    """The update of the ledger's row at the end of a transaction; parameters `_recorded` and `_NAME`."""
    values = {name: sa.bindparam(f"_{name}", type_=LEDGER.c[name].type) for name in ("recorded", *names)}
    return LEDGER.update().where(LEDGER.c.number == 1).values(values)
