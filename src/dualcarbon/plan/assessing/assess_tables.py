"""What assessment keeps in the database: steps of score sheets, answers to warnings, projects, figures of the dual
targets. Rows are only added."""

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from dualcarbon.plan.tables import METADATA, NUMBER, final


def _told() -> list[Column[str]]:
    return [Column("department", Text), Column("person", Text), *_needed("told", "recorded")]


def _needed(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


#: One step of a score sheet: opened, self-scored, reviewed, objected, decided, frozen, recalculated.
SCORE_STEP = Table(
    "plan_score_step",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    *_needed("sheet", "plan", "action", "body"),
    Column("edition", Integer, nullable=False),
    Column("subject", Text),
    Column("reason", Text),
    *_told(),
)
Index("plan_score_step_sheet", SCORE_STEP.c.sheet)

#: What was done about a warning: acknowledged, followed up, closed, opened again.
ANSWER = Table(
    "plan_warning_answer",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    *_needed("plan", "warning", "action"),
    Column("text", Text),
    *_told(),
)
Index("plan_warning_answer_plan", ANSWER.c.plan)

#: What is said of a major project: its terms (`define`), and how it stands at the end of a month (`progress`).
PROJECT = Table(
    "plan_project_told",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    *_needed("plan", "project", "action", "body", "status"),
    Column("month", Integer),
    Column("reason", Text),
    *_told(),
)
Index("plan_project_told_plan", PROJECT.c.plan, PROJECT.c.project)

#: A figure of the dual targets that was handed down, published or notified: of a place and period, with its source.
HANDED = Table(
    "plan_handed",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    *_needed("place", "name", "period", "unit", "status", "source"),
    Column("value", Float, nullable=False),
    Column("price_year", Integer),
    *_told(),
)
Index("plan_handed_place", HANDED.c.place)

for _table in (SCORE_STEP, ANSWER, PROJECT, HANDED):
    final(_table)
