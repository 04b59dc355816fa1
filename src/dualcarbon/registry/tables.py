"""What the registry keeps beside the ledger: acts, lots, blocks of serial numbers, claims, filings, offers and trades.

Serial numbers are unique over the whole table because each register (instrument and issuer) has its own stretch of
`SPAN` numbers. The database itself refuses overlapping blocks (exclusion constraint on PostgreSQL, trigger on SQLite),
a change of a block or trade whose life is over, and any change of an act, lot, claim, step or mirrored trade.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import DDL, BigInteger, CheckConstraint, Column, Index, MetaData, SmallInteger, Table, Text, event

from dualcarbon.ledger.tables import NUMBER

METADATA = MetaData()
SPAN = 10**12


def _table(name: str, *columns: Any) -> Table:
    """A table of the registry: its own number, then `columns`."""
    return Table(f"registry_{name}", METADATA, Column("number", NUMBER, primary_key=True), *columns)


def _text(name: str, **options: Any) -> Column[Any]:
    return Column(name, Text, nullable=False, **options)


def _may(name: str) -> Column[Any]:
    return Column(name, Text)


def _count(name: str, *, may: bool = False, **options: Any) -> Column[Any]:
    return Column(name, BigInteger, nullable=may, **options)


def _mark(name: str = "synthetic") -> Column[Any]:
    """A truth value, 0 or 1."""
    return Column(name, SmallInteger, nullable=False, server_default="0")


REGISTER = _table(
    "register", _text("instrument"), _text("issuer"), _count("next"), sa.UniqueConstraint("instrument", "issuer")
)

# One act a client asked for; `asked` and `answer` are JSON texts.
ACT = _table(
    "act", _text("id", unique=True), _text("action"), _text("instrument"), _count("at"), _count("recorded"),
    _text("asked"), _text("answer"),
)  # fmt: skip

# What each act said, chained: the digest covers the act before with its answer, and stands in the ledger's entries.
SEAL = _table("seal", _text("act", unique=True), _text("digest"))

LOT = _table(
    "lot", _text("act", unique=True), _count("register"), _text("instrument"), _may("vintage"), _count("quantity"),
    _text("subjects"), _may("start"), _may("end"), _may("document"), _may("holder"), _may("kind"), _may("report"),
    _mark(),
)  # fmt: skip

BLOCK = _table(
    "block", _count("lot", index=True), _text("instrument"), _text("holder"), _text("state"),
    _count("first", unique=True), _count("last"), _text("act"), Column("final", SmallInteger, nullable=False),
    CheckConstraint("first <= last", name="registry_block_order"),
)  # fmt: skip
Index("registry_block_hand", BLOCK.c.instrument, BLOCK.c.holder, BLOCK.c.state, BLOCK.c.first)
Index("registry_block_act", BLOCK.c.act)

# Which serial numbers an act concerned: the life of one certificate is the list of acts whose range holds it.
TOUCH = _table("touch", _text("act", index=True), _count("first"), _count("last"))
Index("registry_touch_range", TOUCH.c.first, TOUCH.c.last)

CLAIM = _table(
    "claim", _text("act", unique=True), _text("kind"), _text("attribute"), _text("subjects"), _text("start"),
    _text("end"),
)  # fmt: skip

# The key that makes a claim the only one: a benefit of a subject on a day belongs to one claim.
CLAIMED_DAY = Table(
    "registry_claimed_day",
    METADATA,
    *(Column(name, Text, primary_key=True) for name in ("attribute", "subject", "day")),
    _text("act"),
)

# A claim that is free again because its lot was taken back as made in error, by the act that did so.
RELEASE = _table("release", _text("claim", unique=True), _text("act"), _count("days"))

# Who is appointed to which role of an instrument, until `ended` (the act that dismissed).
ROLE = _table("role", _text("instrument"), _text("role"), _text("actor"), _text("act"), _may("ended"))

# A methodology, project or monitoring report; `quantity` is what was reported, `verified` what was found right.
FILING = _table(
    "filing", _text("id", unique=True), _text("instrument"), _text("kind"), _may("parent"), _may("title"),
    _text("actor"), _text("state"), _text("subjects"), _may("period"), _count("quantity", may=True),
    _count("verified", may=True), _may("document"), _may("result"), _count("at"), _mark(),
)  # fmt: skip
STEP = _table(
    "filing_step", _text("filing", index=True), _text("act"), _text("action"), _text("state"), _text("actor"),
    _text("role"), _count("at"), _text("said"),
)  # fmt: skip

# A listing or an agreement in the making; `left` is what nobody has taken; `entry` holds the seller's units back.
OFFER = _table(
    "offer", _text("id", unique=True), _text("instrument"), _may("vintage"), _may("kind"), _text("side"), _text("way"),
    _text("party"), _may("counterparty"), _may("place"), _count("quantity"), _count("left"), _count("price"),
    _count("expires", may=True), _text("state"), _may("entry"), _count("at"), _mark(),
)  # fmt: skip

# A trade, or a transfer without a price. `price` and `amount` are in 0.01 yuan, `due` the instant payment must be in.
TRADE = _table(
    "trade", _text("id", unique=True), _text("act"), _text("instrument"), _may("vintage"), _may("kind"), _text("way"),
    _may("offer"), _text("seller"), _text("buyer"), _may("seller_place"), _may("buyer_place"), _count("quantity"),
    _count("price", may=True), _count("amount", may=True), _text("state"), _count("due", may=True), _count("at"),
    _count("settled", may=True), _may("payment"), _may("document"), _may("entry"), _mark(),
)  # fmt: skip
Index("registry_trade_of", TRADE.c.instrument, TRADE.c.vintage, TRADE.c.state)

# Trades of other markets as their files say; never mixed with our own.
MIRRORED = _table(
    "mirrored", _text("market"), _text("code"), _text("instrument"), _may("vintage"), _text("day"), _count("quantity"),
    _count("price", may=True), _count("amount", may=True), _may("seller"), _may("buyer"), _text("file"),
    _may("sheet"), _count("row"), _text("act"), _mark(), sa.UniqueConstraint("market", "code"),
)  # fmt: skip


def _on(table: Table, dialect: str, statement: str) -> None:
    event.listen(table, "after_create", DDL(statement.replace("%", "%%")).execute_if(dialect=dialect))


_on(
    BLOCK,
    "postgresql",
    "ALTER TABLE registry_block ADD CONSTRAINT registry_block_disjoint"
    " EXCLUDE USING gist (int8range(first, last, '[]') WITH &&)",
)
for _moment in ("INSERT", "UPDATE"):
    _on(
        BLOCK,
        "sqlite",
        f"CREATE TRIGGER registry_block_disjoint_{_moment.lower()} AFTER {_moment} ON registry_block"
        # The blocks before this one are disjoint, so only the nearest can reach into it.
        " WHEN (SELECT last FROM registry_block WHERE number <> NEW.number AND first <= NEW.last"
        " ORDER BY first DESC LIMIT 1) >= NEW.first"
        " BEGIN SELECT RAISE(ABORT, 'registry_block_disjoint'); END",
    )
_ALWAYS = (ACT, SEAL, TOUCH, CLAIM, RELEASE, LOT, STEP, MIRRORED)
for _final, _condition in (
    (BLOCK, "OLD.final = 1"),
    (TRADE, "OLD.state <> 'pending'"),
    *((table, "") for table in _ALWAYS),
):
    _when = f" WHEN ({_condition})" if _condition else ""
    _word = f"{_final.name} is final"
    for _moment in ("UPDATE", "DELETE"):
        _on(
            _final,
            "sqlite",
            f"CREATE TRIGGER {_final.name}_final_{_moment.lower()} BEFORE {_moment} ON {_final.name}{_when}"
            f" BEGIN SELECT RAISE(ABORT, '{_word}'); END",
        )
    _on(
        _final,
        "postgresql",
        f"CREATE OR REPLACE FUNCTION {_final.name}_final() RETURNS trigger LANGUAGE plpgsql AS"
        f" $body$ BEGIN RAISE EXCEPTION '{_word}'; END $body$",
    )
    _on(
        _final,
        "postgresql",
        f"CREATE TRIGGER {_final.name}_final BEFORE UPDATE OR DELETE ON {_final.name} FOR EACH ROW{_when}"
        f" EXECUTE FUNCTION {_final.name}_final()",
    )


def install(connection: sa.Connection) -> None:
    """Create what is missing: tables, and in older databases the columns and indexes added since."""
    METADATA.create_all(connection)
    inspector = sa.inspect(connection)
    for table in METADATA.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                made = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {made}")


def installed(engine: sa.Engine) -> bool:
    """Whether the registry is there; one that an older version made is brought up to date first."""
    known = set(sa.inspect(engine).get_table_names())
    if ACT.name not in known:
        return False
    if METADATA.tables.keys() - known:
        with engine.begin() as connection:
            install(connection)
    return True
