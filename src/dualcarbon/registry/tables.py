"""What the registry keeps beside the ledger: lots, blocks of serial numbers, claims, and the acts that made them.

Serial numbers are unique over the whole table because each register (instrument and issuer) has its own stretch of
`SPAN` numbers. The database itself refuses overlapping blocks (exclusion constraint on PostgreSQL, trigger on SQLite),
a change of a block whose life is over, and any change of an act or claim.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    event,
)

METADATA = MetaData()
NUMBER = BigInteger().with_variant(Integer(), "sqlite")
SPAN = 10**12

REGISTER = Table(
    "registry_register",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("instrument", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("next", BigInteger, nullable=False),
    UniqueConstraint("instrument", "issuer"),
)

# One act a client asked for: issue, import, transfer, retire, claim. `asked` and `answer` are JSON texts.
ACT = Table(
    "registry_act",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("action", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("asked", Text, nullable=False),
    Column("answer", Text, nullable=False),
)

LOT = Table(
    "registry_lot",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("act", Text, nullable=False, unique=True),
    Column("register", BigInteger, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("vintage", Text),
    Column("quantity", BigInteger, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("start", Text),
    Column("end", Text),
    Column("document", Text),
)

BLOCK = Table(
    "registry_block",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("lot", BigInteger, nullable=False, index=True),
    Column("instrument", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("first", BigInteger, nullable=False, unique=True),
    Column("last", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("final", SmallInteger, nullable=False),
    CheckConstraint("first <= last", name="registry_block_order"),
)
Index("registry_block_holder", BLOCK.c.instrument, BLOCK.c.holder, BLOCK.c.state)

# Which serial numbers an act concerned: the life of one certificate is the list of acts whose range holds it.
TOUCH = Table(
    "registry_touch",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("act", Text, nullable=False, index=True),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
)
Index("registry_touch_range", TOUCH.c.first, TOUCH.c.last)

CLAIM = Table(
    "registry_claim",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("act", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("attribute", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("start", Text, nullable=False),
    Column("end", Text, nullable=False),
)

# The key that makes a claim the only one: a benefit of a subject on a day belongs to one claim.
CLAIMED_DAY = Table(
    "registry_claimed_day",
    METADATA,
    Column("attribute", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("act", Text, nullable=False),
)


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
for _table, _condition in ((BLOCK, "OLD.final = 1"), (ACT, ""), (TOUCH, ""), (CLAIM, ""), (LOT, "")):
    _when = f" WHEN ({_condition})" if _condition else ""
    _word = f"{_table.name} is final"
    for _moment in ("UPDATE", "DELETE"):
        _on(
            _table,
            "sqlite",
            f"CREATE TRIGGER {_table.name}_final_{_moment.lower()} BEFORE {_moment} ON {_table.name}{_when}"
            f" BEGIN SELECT RAISE(ABORT, '{_word}'); END",
        )
    _on(
        _table,
        "postgresql",
        f"CREATE OR REPLACE FUNCTION {_table.name}_final() RETURNS trigger LANGUAGE plpgsql AS"
        f" $body$ BEGIN RAISE EXCEPTION '{_word}'; END $body$",
    )
    _on(
        _table,
        "postgresql",
        f"CREATE TRIGGER {_table.name}_final BEFORE UPDATE OR DELETE ON {_table.name} FOR EACH ROW{_when}"
        f" EXECUTE FUNCTION {_table.name}_final()",
    )
