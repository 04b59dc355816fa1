"""The plan room's tables in a workspace: made when first needed, written in one transaction at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from weakref import WeakSet
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.tables import BATCH, DOCUMENT, METADATA, bring_up, is_behind

ZONE = ZoneInfo("Asia/Shanghai")
_LOCK = 5147003218846120  # of the advisory lock under which PostgreSQL writes plans


_UP: WeakSet[sa.Engine] = WeakSet()  # databases whose tables were found or brought up to the present form


def install(workspace: Workspace) -> None:
    """Create the tables where they are missing; those of an earlier version are brought to the present form."""
    if not ready(workspace):
        _bring_up(workspace)


def ready(workspace: Workspace) -> bool:
    """Whether the tables are there; those of an earlier version are brought to the present form first."""
    if workspace.database in _UP:
        return True
    if not sa.inspect(workspace.database).has_table(DOCUMENT.name):
        return False
    _bring_up(workspace)
    return True


def _bring_up(workspace: Workspace) -> None:
    from dualcarbon.plan.assessing import assess_tables

    assert assess_tables.METADATA is METADATA  # its tables are among those that are brought up
    if is_behind(workspace.database):
        with writing(workspace) as connection:
            bring_up(connection)
    _UP.add(workspace.database)


@contextmanager
def writing(workspace: Workspace) -> Iterator[sa.Connection]:
    """A transaction in which nobody else writes plans, so that what was checked still holds when it is kept."""
    engine = workspace.database
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                alone(connection)
                yield connection
            return
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def alone(connection: sa.Connection) -> None:
    """Keep others from writing plans until the transaction ends; on SQLite its beginning does that."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def stamp(
    at: date | None = None, department: str | None = None, person: str | None = None, *, ahead: bool = False
) -> dict[str, Any]:
    """Return who told something and when: the day it arrived (today when not said) and the machine's clock.

    Raises Refused for a day after today, unless `ahead` (demonstration data of a year that is not over).
    """
    now = datetime.now(UTC)
    today = now.astimezone(ZONE).date()
    told = at if at is not None else today
    if told > today and not ahead:
        raise Refused(Problem("plan.future-day", value=told.isoformat(), params={"today": today.isoformat()}))
    recorded = now.isoformat(timespec="microseconds")
    return {"department": department, "person": person, "told": told.isoformat(), "recorded": recorded}


#: A plan as it is asked for: its name, or the record that `document` gave.
Asked = str | Mapping[str, Any] | None


def document(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> Mapping[str, Any]:
    """Return the record of a plan's version: `330400-2024` the last, `330400-2024@1` the first.

    None: the plan of the latest year begun, of the pack's own place or of the only one that the workspace has plans of.
    `as_of`: the version in force on that day, without a name of the latest year that had begun by then; a later one is
    not known then (`_in_force`).
    Raises NoSuch for a plan that is not there, Refused `plan.which-plan` when None could be several.
    """
    from dualcarbon.core.faces import NoSuch

    if isinstance(plan, Mapping):
        return plan
    name, _, version = (plan or "").partition("@")
    rows: list[Mapping[str, Any]] = []
    if ready(workspace):
        with workspace.database.connect() as connection:
            chosen = sa.select(DOCUMENT).order_by(DOCUMENT.c.year, DOCUMENT.c.version)
            rows = [dict(row) for row in connection.execute(chosen).mappings()]
    if name:
        rows = [row for row in rows if row["plan"] == name and (not version or str(row["version"]) == version)]
    if not rows:
        raise NoSuch("plan", plan or "")
    if not name and len({row["place"] for row in rows}) > 1:
        own = [row for row in rows if row["place"] == _own_place(workspace)]
        if own:
            return _in_force(own, as_of)
        raise Refused(Problem("plan.which-plan", value="、".join(dict.fromkeys(row["plan"] for row in rows))))
    return _in_force(rows, as_of)


def _in_force(rows: Sequence[Mapping[str, Any]], as_of: date | None) -> Mapping[str, Any]:
    """Return the last version of the last plan among `rows` (by year) whose year had begun on the day, or today.

    A version counts from its document's date when that is later than the version before has, else from the day it was
    loaded; the first counts always.
    """
    if as_of is None:
        begun = next((row for row in reversed(rows) if row["year"] <= date.today().year), rows[-1])
        return next(row for row in reversed(rows) if row["plan"] == begun["plan"])
    found = next((row for row in reversed(rows) if row["year"] <= as_of.year), rows[0])
    own = [row for row in rows if row["plan"] == found["plan"]]
    known = [own[0]]
    for before, row in pairwise(own):
        later = row["issued"] and row["issued"] > (before["issued"] or "")
        loaded = datetime.fromisoformat(row["loaded"]).astimezone(ZONE).date().isoformat()
        if (row["issued"] if later else loaded) <= as_of.isoformat():
            known.append(row)
    return known[-1]


def _own_place(workspace: Workspace) -> str | None:
    from dualcarbon.core import pack

    try:
        return pack.place(workspace.pack)
    except pack.PackError:
        return None


def once(workspace: Workspace, key: str | None, digest: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do `work` and keep its answer under a client's key; the same key with the same content gives that answer again.

    Raises Refused `plan.key-used` when the key was used for other content.
    """
    from dualcarbon.core.console import plain

    if key is None:
        return work()
    install(workspace)
    with workspace.database.connect() as connection:
        known = connection.execute(sa.select(BATCH).where(BATCH.c.key == key)).mappings().first()
    if known is not None:
        if known["digest"] != digest:
            raise Refused(Problem("plan.key-used", value=key))
        return {**json.loads(known["answer"]), "already": True}
    made = work()
    with writing(workspace) as connection:
        answer = json.dumps(plain(made), ensure_ascii=False)
        kept = {"plan": str(made.get("plan") or ""), "digest": digest, "answer": answer}
        connection.execute(BATCH.insert().values(number=next_number(connection, BATCH), key=key, **kept, **stamp()))
    return made


def next_number(connection: sa.Connection, table: sa.Table) -> int:
    """Return the next number of a table within a transaction of `writing`."""
    return int(connection.execute(sa.select(sa.func.max(table.c.number))).scalar() or 0) + 1
