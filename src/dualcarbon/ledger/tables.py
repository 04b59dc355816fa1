"""The ledger's tables, alike on SQLite and PostgreSQL.

Instants are microseconds since 1970-01-01T00:00Z, amounts integers.

Rows of `entry`, `entry_refusal`, `account` (but for its totals), `ledger_lock`, `ledger_node` and `ledger_head` are
never changed; those of the first four are chained. `account_day` holds sums over entries and `account_mark` some of
their numbers, both made again from them at will.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

METADATA = MetaData()

NUMBER = BigInteger().with_variant(Integer(), "sqlite")

# One row: where the log stands. Its update at the start of every writing transaction lets one writer in at a time.
LEDGER = Table(
    "ledger",
    METADATA,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("writes", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("entry_hash", LargeBinary, nullable=False),
    Column("accounts", BigInteger, nullable=False),
    Column("account_hash", LargeBinary, nullable=False),
    Column("locks", BigInteger, nullable=False),
    Column("lock_hash", LargeBinary, nullable=False),
    Column("refusals", BigInteger, nullable=False),
    Column("refusal_hash", LargeBinary, nullable=False),
)

ACCOUNT = Table(
    "account",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False, unique=True),
    Column("instrument", Text, nullable=False),
    Column("unit", Text),
    Column("owner", Text),
    Column("overdraft", SmallInteger, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("debits_posted", BigInteger, nullable=False, default=0),
    Column("credits_posted", BigInteger, nullable=False, default=0),
    Column("debits_pending", BigInteger, nullable=False, default=0),
    Column("credits_pending", BigInteger, nullable=False, default=0),
    # `account_day` holds the account's entries up to number `summed`; `moves` counts those after it.
    Column("moves", BigInteger, nullable=False, default=0),
    Column("summed", BigInteger, nullable=False, default=0),
    # The number of the account's newest entry, 0 before the first.
    Column("last", BigInteger, nullable=False, default=0),
    Column("form", SmallInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("debits_posted >= 0 AND credits_posted >= 0", name="account_posted"),
    CheckConstraint("debits_pending >= 0 AND credits_pending >= 0", name="account_pending"),
    CheckConstraint("overdraft = 1 OR debits_posted + debits_pending <= credits_posted", name="account_overdraft"),
    # Room on each page for the next version of a row, so that changed totals need no new index entries.
    postgresql_with={"fillfactor": 50},
)
Index("account_instrument", ACCOUNT.c.instrument)
Index("account_owner", ACCOUNT.c.owner)

ENTRY = Table(
    "entry",
    METADATA,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("pending_id", Text),
    Column("released", BigInteger),
    Column("linked", SmallInteger, nullable=False),
    Column("reverses", Text),
    Column("reason", Text),
    Column("at", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("debit_after", BigInteger, nullable=False),
    Column("credit_after", BigInteger, nullable=False),
    Column("form", SmallInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # The numbers of the entries before this one of its two accounts, 0 for none.
    Column("debit_previous", BigInteger, nullable=False),
    Column("credit_previous", BigInteger, nullable=False),
)
for _name in ("pending_id", "reverses"):
    _given = ENTRY.c[_name].is_not(None)
    Index(f"entry_{_name}", ENTRY.c[_name], unique=True, sqlite_where=_given, postgresql_where=_given)
_expires = ENTRY.c.expires.is_not(None)
Index("entry_expires", ENTRY.c.expires, sqlite_where=_expires, postgresql_where=_expires)

# Ids that were refused, and why: they stay refused.
REFUSAL = Table(
    "entry_refusal",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("result", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("form", SmallInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

# What the entries dated on one day (in China, as `date.toordinal()`) add to an account's four totals.
DAY = Table(
    "account_day",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("debits_posted", BigInteger, nullable=False),
    Column("credits_posted", BigInteger, nullable=False),
    Column("debits_pending", BigInteger, nullable=False),
    Column("credits_pending", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 70},
)

# Some of each account's entries, from which a reader of its middle begins.
MARK = Table(
    "account_mark",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Requests that came with a key of the client's making: the same key and content gets the same answer.
REQUEST = Table(
    "ledger_request",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False, index=True),
)

LOCK = Table(
    "ledger_lock",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("instrument", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text),
    Column("recorded", BigInteger, nullable=False),
    Column("form", SmallInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

# Roots of complete subtrees of 256, 65536, ... leaves: a proof reads a few hundred rows however long the log is.
NODE = Table(
    "ledger_node",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

HEAD = Table(
    "ledger_head",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

TOTALS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
ENTRY_FIELDS = list(ENTRY.columns)[: list(ENTRY.columns).index(ENTRY.c.form)]
