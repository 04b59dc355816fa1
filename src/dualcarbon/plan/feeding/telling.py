"""Tell a plan what became of its lines: one submission, checked against what stands, kept whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, words
from dualcarbon.plan.feeding import checking, proofs
from dualcarbon.plan.feeding.checking import Checked, Known, Listed, Told
from dualcarbon.plan.feeding.proofs import Keep, Paper
from dualcarbon.plan.store import Asked, document, install, next_number, stamp, writing
from dualcarbon.plan.tables import BATCH, ENTRY, REPORT, REVIEW


def department_of(workspace: Workspace, plan: Asked, name: str) -> str:
    """Return the plan's own name of a department: its name or one of its aliases. Raises Refused."""
    wanted = words.key(name)
    known = reads.departments(workspace, plan)
    for one in known:
        if wanted in (words.key(alias) for alias in (one["name"], *one["aliases"])):
            return str(one["name"])
    raise Refused(Problem("plan.no-department", value=name, params={"known": "、".join(one["name"] for one in known)}))


def known(
    workspace: Workspace, plan: Asked, department: str | None, day: date, lines: Sequence[str] | None = None
) -> Known:
    """Return what stands in a plan before a submission of `department` (None: of the plan's keeper) on a day.

    `lines`: whose lists are wanted (all when None); savings ledgers are always there, as a site counts in one alone.
    """
    head = document(workspace, plan)
    indicators = {row["line"]: row for row in reads.indicators(workspace, head).to_dicts()}
    tasks = {row["line"]: row for row in reads.tasks(workspace, head).to_dicts()}
    joint = {line for line, row in tasks.items() if department in row["joint"]}
    wanted = None if lines is None else list(lines)
    if lines is not None:
        lines = [*lines, *(line for line, row in indicators.items() if row["basis"] == "projects")]
    last: dict[tuple[str, int], Mapping[str, Any]] = {}
    for row in reads.report_rows(workspace, head, lines=wanted):
        key = (row["line"], row["month"])
        if department is not None and not same_voice(row, department, joint):
            continue
        returned = row["state"] == "returned"
        row["counts"] = row["counts"] or (row["line"] in joint and not returned)
        if row["counts"] or key not in last or not last[key]["counts"]:
            last[key] = row
        last[key] = {**last[key], "latest": row["number"], "answering": returned}
    open_: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in reads.entry_rows(workspace, head, lines):
        if row["struck"] is None:
            open_.setdefault(row["line"], {})[row["key"]] = row
    tasks |= {row["line"]: row for row in reads.policies(workspace, head).to_dicts()}
    mine = None
    if department is not None:
        own = next(one for one in reads.departments(workspace, head) if one["name"] == department)
        mine = frozenset((*own["lead"], *own["joint"], *own["drafter"]))
    return Known(int(head["year"]), day, indicators, tasks, last, open_, reads.steps(workspace, head), mine)


def same_voice(row: Mapping[str, Any], department: str, joint: Container[str]) -> bool:
    """Whether a report stands before what a department tells: a unit that shares a task speaks for itself alone."""
    return row["department"] == department if row["line"] in joint else not row["joint"]


def tell(
    workspace: Workspace,
    plan: str | None,
    month: int,
    told: Iterable[Told] = (),
    listed: Iterable[Listed] = (),
    *,
    department: str | None = None,
    person: str | None = None,
    at: date | None = None,
    key: str | None = None,
    file: str | None = None,
    feed: str = "form",
    status: str | None = None,
    queries: Mapping[str, str] | None = None,
    problems: Sequence[Problem] = (),
    also: Callable[[sa.Connection], None] | None = None,
    papers: Mapping[str, Sequence[Paper]] | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Keep one submission about `month` of a plan: figures and progress (`told`), names, projects and steps (`listed`).

    `department` checks that the lines are its own; `at` is the day it arrived (today when None); `key` the client's:
    the same key with the same content answers again. `status` marks the values (`synthetic` for demonstration), else
    figures of departments are `unverified` until reviewed. `queries`: for computed lines the JSON of their explanation.
    `problems` were found before and are told with the others; `also` is written in the same transaction, and so are
    `papers`, the evidence of each line, behind its report of the month.
    Returns `{batch, key, already, plan, month, reports: [{number, line, month, value, stage, corrects}], entries,
    unchanged, evidence: [{line, report, name, digest, …}], dry_run}`. Raises Refused with every problem; nothing is
    half kept.
    """
    told, listed = list(told), list(listed)
    head = document(workspace, plan)
    name = str(head["plan"])
    install(workspace)
    who = department_of(workspace, head, department) if department else None
    stamped = stamp(at, who, person, ahead=status == "synthetic")
    day = date.fromisoformat(stamped["told"])
    said = [*map(asdict, told), *map(asdict, listed)]
    content = json.dumps([name, month, who, said], ensure_ascii=False, sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    lines = sorted({*(one.line for one in told), *(one.line for one in listed)})
    own = key is None
    key = key or digest
    given = [(line, paper) for line, own in (papers or {}).items() for paper in own]
    problems = [*problems, *proofs.faults([paper for _, paper in given])]

    def work(connection: sa.Connection, keep: Keep | None = None) -> dict[str, Any]:
        nonlocal key
        earlier = connection.execute(sa.select(BATCH).where(BATCH.c.key == key)).mappings().first()
        if earlier is not None and own:
            earlier = _standing(connection, name, digest)
            if earlier is None or also is not None or not _stands(connection, earlier, month, told, listed):
                earlier, key = None, f"{digest}:{next_number(connection, BATCH)}"
        if earlier is not None:
            if earlier["digest"] != digest:
                raise Refused(Problem("plan.key-used", file=file, value=key))
            if problems:
                raise Refused(list(problems))
            said_then = {**json.loads(earlier["answer"]), "already": True}
            return said_then | {"evidence": _proved(workspace, head, month, said_then["reports"], given, keep)}
        found = checking.check(known(workspace, head, who, day, lines), told, listed, month)
        if problems or found.problems:
            raise Refused([*problems, *found.problems])
        if not (found.reports or found.entries or found.unchanged or also or given):
            raise Refused(Problem("plan.nothing-told", file=file))
        answer: dict[str, Any] = {
            "batch": None, "key": key, "already": False, "plan": name, "month": month, "department": who,
            "reports": [], "entries": len(found.entries), "unchanged": found.unchanged, "evidence": [],
            "dry_run": dry_run,
        }  # fmt: skip
        if dry_run or not (found.reports or found.entries or also):
            found_ = [{**row, "number": None} for row in found.reports]
            proved = _proved(workspace, head, month, found_, given, None if dry_run else keep)
            return answer | {"reports": found.reports, "evidence": proved}
        common = {"plan": name, "status": status or "unverified", **stamped}
        _write(connection, answer, found, common, {"digest": digest, "file": file}, feed, queries or {})
        if also is not None:
            also(connection)
        return answer | {"evidence": _proved(workspace, head, month, answer["reports"], given, keep)}

    if given and not dry_run:
        return proofs.chained(workspace, name, stamped, work)
    with writing(workspace) as connection:
        return work(connection)


def recount(
    connection: sa.Connection, known: Known, plan: str, line: str, key: str, stamped: Mapping[str, Any], reason: str
) -> list[dict[str, Any]]:
    """Tell the reported months of a line anew after what it is counted by changed, within a transaction.

    Returns the reports that were written, none where every month keeps its value.
    """
    found = Checked()
    checking.recounted(known, known.open, line, 0, found, reason)
    if not found.reports:
        return []
    answer: dict[str, Any] = {"key": key, "already": False, "plan": plan, "entries": 0, "unchanged": 0, "evidence": []}
    common = {"plan": plan, "status": "unverified", **stamped}
    _write(connection, answer, found, common, {"digest": key, "file": None}, "recount", {})
    reports: list[dict[str, Any]] = answer["reports"]
    return reports


def _proved(
    workspace: Workspace,
    head: Mapping[str, Any],
    month: int,
    made: Sequence[Mapping[str, Any]],
    given: Sequence[tuple[str, Paper]],
    keep: Keep | None,
) -> list[dict[str, Any]]:
    """Put papers behind the reports that were just `made` of their lines, else behind the month's that stand.

    Only looks when there is no `keep`. Raises Refused `plan.evidence-no-report`.
    """
    numbers: dict[str, int | None] = {}
    for row in reads.report_rows(workspace, head, lines=sorted({line for line, _ in given})) if given else ():
        if row["month"] == month:
            numbers[row["line"]] = row["number"]
    numbers |= {row["line"]: row["number"] for row in made}
    bare = sorted({line for line, _ in given if line not in numbers})
    if bare:
        raise Refused([Problem("plan.evidence-no-report", value=line, params={"month": month}) for line in bare])
    if keep is None or not given:
        return []
    rows = keep([(line, number, paper) for line, paper in given if (number := numbers[line]) is not None])
    return [{"line": line, **row} for (line, _), row in zip(given, rows, strict=True)]


def _standing(connection: sa.Connection, plan: str, digest: str) -> sa.RowMapping | None:
    """Return the last submission of this very content."""
    chosen = sa.select(BATCH).where(BATCH.c.plan == plan, BATCH.c.digest == digest).order_by(BATCH.c.number.desc())
    return connection.execute(chosen.limit(1)).mappings().first()


def _stands(
    connection: sa.Connection, batch: sa.RowMapping, month: int, told: Sequence[Told], listed: Sequence[Listed]
) -> bool:
    """Whether an earlier submission still says what holds, so that the same content again tells nothing.

    It does not when one of its reports was returned, when another value or progress was told of its lines and months
    since, or when a name that it listed was struck or listed again.
    """
    numbers = [row["number"] for row in json.loads(batch["answer"])["reports"]]
    chosen = sa.select(REVIEW.c.report, REVIEW.c.decision).where(REVIEW.c.report.in_(numbers)).order_by(REVIEW.c.number)
    if "returned" in {row.report: row.decision for row in connection.execute(chosen)}.values():
        return False
    asked = {(one.line, one.month) for one in told} | {(one.line, month) for one in listed}
    lines = sorted({line for line, _ in asked})
    same_plan = (REPORT.c.plan == batch["plan"], REPORT.c.line.in_(lines))
    then: dict[tuple[str, int], Any] = {}
    now: dict[tuple[str, int], Any] = {}
    for row in connection.execute(sa.select(REPORT).where(*same_plan).order_by(REPORT.c.number)).mappings():
        key = (row["line"], row["month"])
        if key in asked and row["batch"] <= batch["number"]:
            then[key] = (row["value"], row["progress"])
        elif key in asked:
            now[key] = (row["value"], row["progress"])
    if any(then.get(key) != said for key, said in now.items()):
        return False
    named = {(one.line, words.key(cell)) for one in listed for cell in (one.name, one.mark, one.site) if cell}
    later = sa.select(ENTRY.c.line, ENTRY.c.key).where(
        ENTRY.c.plan == batch["plan"], ENTRY.c.line.in_(lines), ENTRY.c.batch > batch["number"]
    )
    return not any((row.line, row.key.removeprefix("STEP:")) in named for row in connection.execute(later))


def _write(
    connection: sa.Connection,
    answer: dict[str, Any],
    found: Checked,
    common: Mapping[str, Any],
    batch: Mapping[str, Any],
    feed: str,
    queries: Mapping[str, str],
) -> None:
    """Write a submission and complete its answer with the numbers that its reports got."""
    first, number = next_number(connection, REPORT), next_number(connection, BATCH)
    reports = [
        {**common, **row, "number": first + i, "batch": number, "feed": feed, "query": queries.get(row["line"])}
        for i, row in enumerate(found.reports)
    ]
    answer["batch"] = number
    shown = ("number", "line", "month", "value", "stage", "progress", "corrects")
    answer["reports"] = [{name: row[name] for name in shown} for row in reports]
    told = {name: common[name] for name in ("plan", "department", "person", "told", "recorded")}
    kept = json.dumps(answer, ensure_ascii=False)
    connection.execute(BATCH.insert().values(number=number, key=answer["key"], answer=kept, **batch, **told))
    if reports:
        connection.execute(REPORT.insert(), reports)
    if found.entries:
        connection.execute(ENTRY.insert(), [{**row, **common, "batch": number} for row in found.entries])
