"""Systems that exist beside this one: which lines they serve, and figures mirrored from them, each with its source."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import STATUSES
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, shipping
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.store import Asked, document, install, stamp, writing
from dualcarbon.plan.tables import MIRROR


def systems(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return the systems that a plan builds on, as its pack lists them, with the figures mirrored from each.

    Rows `{system, title: {zh, en}, lines, address, note: {zh, en}, status, figures: [row of reads.mirrors]}`.
    """
    head = document(workspace, plan, as_of)
    here = feeding.folder(*shipping.of(workspace, head))
    if here is None or not (here / "systems.csv").is_file():
        return []
    told = reads.mirrors(workspace, head, as_of)
    with (here / "systems.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        {
            "system": row["system"],
            "title": {"zh": row["title_zh"], "en": row["title_en"]},
            "lines": row["lines"].split("|"),
            "address": row["address"] or None,
            "note": {"zh": row["note_zh"], "en": row["note_en"]},
            "status": row["status"],
            "figures": [one for one in told if one["system"] == row["system"]],
        }
        for row in rows
    ]


def mirror(
    workspace: Workspace,
    plan: Asked,
    line: str,
    system: str,
    name: str,
    *,
    value: float | None,
    unit: str | None = None,
    period: str,
    source: str,
    status: str = "unverified",
    query: Mapping[str, Any] | None = None,
    person: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Keep a figure that another system shows, beside a line of a plan. A later row of the same name and period counts.

    `source` says where it was read; nothing is computed from it. Raises Refused with every problem.
    """
    head = document(workspace, plan)
    said = {"line": line, "name": name, "value": value, "unit": unit, "period": period, "source": source}
    row = checked(workspace, head, system, said | {"status": status, "query": query})
    install(workspace)
    with writing(workspace) as connection:
        write(connection, [row], stamp(at, None, person))
    return {name: value for name, value in row.items() if name != "query"}


def checked(workspace: Workspace, head: Mapping[str, Any], system: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure of another system, `{line, name, value, unit, period, source, status, query}`, as it is kept.

    Raises Refused with every problem.
    """
    known = {*reads.indicators(workspace, head)["line"], *reads.tasks(workspace, head)["line"]}
    problems = [] if said["line"] in known else [Problem("plan.unknown-line", value=said["line"])]
    if not said["source"].strip():
        problems.append(Problem("plan.needs-source", value=said["name"]))
    if said["status"] not in STATUSES:
        problems.append(Problem("plan.unknown-status", value=said["status"]))
    period = said["period"]
    try:
        span = periods.parse(period)
        period = periods.text(span.start, span.end)
    except ValueError:
        problems.append(Problem("plan.bad-period", value=period))
    if problems:
        raise Refused(problems)
    query = json.dumps(said["query"], ensure_ascii=False) if said["query"] else None
    kept = {name: said[name] for name in ("line", "name", "value", "unit", "source", "status")}
    return {"plan": str(head["plan"]), "system": system, "period": period, "query": query, **kept}


def write(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], stamped: Mapping[str, Any]) -> None:
    """Write figures of other systems, checked before, within a transaction."""
    connection.execute(MIRROR.insert(), [{**row, **stamped} for row in rows])
