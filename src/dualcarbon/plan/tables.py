"""What the plan room keeps in the database, and the frames that its readers get.

A plan is `PLACE-YEAR` (`330400-2024`); each reading of its document is a version with its own number (`document`). A
line of a plan is `I7` (indicator), `T3` (task) or `P2` (policy) and stays the same over versions. What is told about
lines (reports, lists, reviews, confirmations, evidence) names the plan and the line, never a version; such rows are
added and never changed, and the database itself refuses a change. A column that is added later can be null or has a
server default, so that `bring_up` can add it to the tables of an earlier version. Days (`told`) are when
something arrived, `recorded` is the clock of the machine that kept it. Everything is alike on SQLite and PostgreSQL.
"""

from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import DDL, BigInteger, Boolean, Column, Float, Index, Integer, MetaData, Table, Text, event

METADATA = MetaData()
NUMBER = BigInteger().with_variant(Integer(), "sqlite")

#: How a value ripens: flash figure, preliminary, approved by the province, revised by the census.
STAGES = ("flash", "preliminary", "approved", "revised")
#: Stages in which the province has settled the figure.
SETTLED = ("approved", "revised")
#: What counts for an indicator: a figure, a list of names, a sum over projects, or steps.
BASES = ("figure", "names", "projects", "milestones")
DECISIONS = ("accepted", "returned")
PROGRESS = ("not_started", "under_way", "blocked", "finished")


def _number() -> Column[Any]:
    return Column("number", NUMBER, primary_key=True)


def _text(*names: str, required: bool = True) -> list[Column[Any]]:
    return [Column(name, Text, nullable=not required) for name in names]


def _document() -> Column[Any]:
    return Column("document", BigInteger, nullable=False, index=True)


def _told() -> list[Column[Any]]:
    return [*_text("department", "person", required=False), *_text("told", "recorded")]


DOCUMENT = Table(
    "plan_document",
    METADATA,
    _number(),
    *_text("plan"),
    Column("version", Integer, nullable=False),
    *_text("place", "city"),
    Column("year", Integer, nullable=False),
    *_text("title", "status", "source", "digest", "loaded"),
    *_text("issued", "document_number", "file", "pack", required=False),
)
Index("plan_document_version", DOCUMENT.c.plan, DOCUMENT.c.version, unique=True)

DEPARTMENT = Table("plan_department", METADATA, _number(), _document(), *_text("name", "aliases"))

TASK = Table(
    "plan_task",
    METADATA,
    _number(),
    _document(),
    *_text("line"),
    Column("position", Integer, nullable=False),
    *_text("title"),
    *_text("domain", "text", "due", "others", required=False),
)

RESPONSIBLE = Table("plan_responsible", METADATA, _number(), _document(), *_text("line", "department", "role"))

QUANTITY = Table(
    "plan_quantity",
    METADATA,
    _number(),
    _document(),
    *_text("line", required=False),  # the task; none: the plan's headline
    *_text("subject", "unit", "comparison", "scope", "direction", "place", "period", required=False),
    Column("value", Float),
    Column("high", Float),
    Column("stretch", Boolean, nullable=False),
)

POLICY = Table(
    "plan_policy",
    METADATA,
    _number(),
    _document(),
    *_text("line"),
    Column("position", Integer, nullable=False),
    *_text("title"),
    *_text("due", "drafter", required=False),
)

INDICATOR = Table(
    "plan_indicator",
    METADATA,
    _number(),
    _document(),
    *_text("line"),
    Column("position", Integer, nullable=False),
    *_text("name", "unit", "kind", "better", "text"),
    *_text("comparison", "direction", "domain", "tasks", required=False),
    Column("value", Float),
    Column("high", Float),
    Column("incentive", Float),  # a second, higher target beside the value: 3.0（力争3.5）
    Column("stretch", Boolean, nullable=False),
    # How the figure behaves (paths.KINDS), what counts, how often it is told, who settles it, how it is fed.
    *_text("figure", "basis", "frequency", "settles", "feed"),
    *_text("evidence_zh", "evidence_en", required=False),
)

FINDING = Table(
    "plan_finding", METADATA, _number(), _document(), *_text("rule", "sort", "message_zh", "message_en", "places")
)

CARRIED = Table(
    "plan_carried",
    METADATA,
    _number(),
    *_text("plan", "line", "from_plan", "from_line", "told", "recorded"),
    Column("remaining", Float),
    *_text("unit", "reason", required=False),
)

# One submission: a file, a form, a feed. `key` is the client's; the same key answers again.
BATCH = Table(
    "plan_batch",
    METADATA,
    _number(),
    Column("key", Text, nullable=False, unique=True),
    *_text("plan", "digest", "answer"),
    *_text("file", required=False),
    *_told(),
)

REPORT = Table(
    "plan_report",
    METADATA,
    _number(),
    *_text("plan", "line"),
    Column("month", Integer, nullable=False),
    Column("value", Float),  # since January for flows; as it stands for stocks, levels and changes
    *_text("stage", "feed", "status"),
    *_text("progress", "text", "remark", "reason", "query", required=False),
    Column("corrects", BigInteger),
    Column("batch", BigInteger, nullable=False, index=True),
    *_told(),
)
Index("plan_report_line", REPORT.c.plan, REPORT.c.line, REPORT.c.month)

# A name on a list, a project of a savings ledger, or a step that was reached; struck by a later row with a reason.
ENTRY = Table(
    "plan_entry",
    METADATA,
    _number(),
    *_text("plan", "line", "action", "key", "name", "status"),
    Column("month", Integer, nullable=False),
    Column("amount", Float),
    *_text("mark", "site", "paper", "reason", required=False),
    Column("batch", BigInteger, nullable=False, index=True),
    *_told(),
)
Index("plan_entry_line", ENTRY.c.plan, ENTRY.c.line)

# Editions of the steps of a line; the last edition told counts.
STEP = Table(
    "plan_step",
    METADATA,
    _number(),
    *_text("plan", "line"),
    Column("edition", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("month", Integer, nullable=False),
    Column("weight", Float, nullable=False),
    *_text("reason", required=False),
    *_told(),
)

# How a line comes to its target: linear, seasonal (`months`), set by the department (`points`); the last counts.
PATH = Table(
    "plan_path",
    METADATA,
    _number(),
    *_text("plan", "line", "method", "months", "points"),
    Column("opening", Float),
    *_text("reason", required=False),
    *_told(),
)

EVIDENCE = Table(
    "plan_evidence",
    METADATA,
    _number(),
    Column("report", BigInteger, nullable=False, index=True),
    *_text("name", "digest", "media", "entry"),
    Column("size", BigInteger, nullable=False),
    *_text("remark", required=False),
    *_told(),
)

REVIEW = Table(
    "plan_review",
    METADATA,
    _number(),
    Column("report", BigInteger, nullable=False, index=True),
    *_text("decision"),
    *_text("reason", required=False),
    *_told(),
)

# The lead unit's word that a line is done, or that it is not any more.
CONFIRMATION = Table(
    "plan_confirmation",
    METADATA,
    _number(),
    *_text("plan", "line", "action"),
    Column("report", BigInteger),
    *_text("paper", "reason", required=False),
    *_told(),
)

MIRROR = Table(
    "plan_mirror",
    METADATA,
    _number(),
    *_text("plan", "line", "system", "name", "period", "source", "status"),
    Column("value", Float),
    *_text("unit", "query", required=False),
    *_told(),
)

#: The columns of the frames that `reads` gives.
REPORTS: dict[str, Any] = {
    "number": pl.Int64, "plan": pl.String, "line": pl.String, "indicator": pl.Int64, "month": pl.Int64,
    "period": pl.String, "value": pl.Float64, "stage": pl.String, "state": pl.String, "counts": pl.Boolean,
    "late": pl.Boolean, "told": pl.Date, "due": pl.Date, "department": pl.String, "person": pl.String,
    "feed": pl.String, "status": pl.String, "progress": pl.String, "text": pl.String, "remark": pl.String,
    "corrects": pl.Int64, "reason": pl.String, "reviewer": pl.String, "reviewed": pl.Date,
    "review_reason": pl.String, "evidence": pl.Int64, "query": pl.String, "batch": pl.Int64, "recorded": pl.String,
}  # fmt: skip
INDICATORS: dict[str, Any] = {
    "line": pl.String, "indicator": pl.Int64, "name": pl.String, "unit": pl.String, "kind": pl.String,
    "value": pl.Float64, "high": pl.Float64, "incentive": pl.Float64, "comparison": pl.String,
    "stretch": pl.Boolean, "direction": pl.String, "better": pl.String, "text": pl.String, "domain": pl.String,
    "tasks": pl.List(pl.Int64),
    "lead": pl.List(pl.String), "figure": pl.String, "basis": pl.String, "frequency": pl.String,
    "settles": pl.String, "feed": pl.String, "evidence_zh": pl.String, "evidence_en": pl.String,
}  # fmt: skip
TASKS: dict[str, Any] = {
    "line": pl.String, "task": pl.Int64, "domain": pl.String, "title": pl.String, "text": pl.String,
    "due": pl.String, "lead": pl.List(pl.String), "joint": pl.List(pl.String), "others": pl.String,
}  # fmt: skip
POLICIES: dict[str, Any] = {
    "line": pl.String, "policy": pl.Int64, "title": pl.String, "due": pl.String, "drafter": pl.String,
}  # fmt: skip
QUANTITIES: dict[str, Any] = {
    "task": pl.Int64, "subject": pl.String, "value": pl.Float64, "high": pl.Float64, "unit": pl.String,
    "comparison": pl.String, "stretch": pl.Boolean, "scope": pl.String, "direction": pl.String, "place": pl.String,
    "period": pl.String,
}  # fmt: skip
ENTRIES: dict[str, Any] = {
    "number": pl.Int64, "line": pl.String, "key": pl.String, "name": pl.String, "mark": pl.String,
    "site": pl.String, "amount": pl.Float64, "month": pl.Int64, "paper": pl.String, "told": pl.Date,
    "department": pl.String, "person": pl.String, "status": pl.String, "struck": pl.Date, "struck_reason": pl.String,
    "batch": pl.Int64,
}  # fmt: skip


def final(table: Table) -> None:
    """Let the database refuse to change or delete a row of `table`."""
    word = f"{table.name} is final"
    for moment in ("UPDATE", "DELETE"):
        statement = (
            f"CREATE TRIGGER {table.name}_final_{moment.lower()} BEFORE {moment} ON {table.name}"
            f" BEGIN SELECT RAISE(ABORT, '{word}'); END"
        )
        event.listen(table, "after_create", DDL(statement).execute_if(dialect="sqlite"))
    for statement in (
        f"CREATE OR REPLACE FUNCTION {table.name}_final() RETURNS trigger LANGUAGE plpgsql AS"
        f" $body$ BEGIN RAISE EXCEPTION '{word}'; END $body$",
        f"CREATE TRIGGER {table.name}_final BEFORE UPDATE OR DELETE ON {table.name} FOR EACH ROW"
        f" EXECUTE FUNCTION {table.name}_final()",
    ):
        event.listen(table, "after_create", DDL(statement).execute_if(dialect="postgresql"))


def is_behind(engine: sa.Engine) -> bool:
    """Whether a table, a column or an index is missing in the database."""
    inspector = sa.inspect(engine)
    there = set(inspector.get_table_names())
    return any(
        table.name not in there
        or set(table.columns.keys()) - {column["name"] for column in inspector.get_columns(table.name)}
        or {index.name for index in table.indexes} - {index["name"] for index in inspector.get_indexes(table.name)}
        for table in METADATA.sorted_tables
    )


def bring_up(connection: sa.Connection) -> None:
    """Create the tables that are missing, and in those of an earlier version the columns and indexes added since."""
    there = set(sa.inspect(connection).get_table_names())
    METADATA.create_all(connection)
    inspector = sa.inspect(connection)
    for table in METADATA.sorted_tables:
        if table.name not in there:
            continue
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                made = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {made}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)


for _table in (BATCH, REPORT, ENTRY, STEP, PATH, EVIDENCE, REVIEW, CONFIRMATION, MIRROR, CARRIED):
    final(_table)
