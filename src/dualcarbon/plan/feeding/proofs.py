"""Evidence behind reports: files kept under their hash in the workspace, each hash an entry of the ledger's chain."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.transfer import Opening, Transfer
from dualcarbon.plan import reads
from dualcarbon.plan.store import alone, document, install, stamp
from dualcarbon.plan.tables import EVIDENCE

INSTRUMENT, SOURCE = "plan.evidence", "plan.evidence:departments"
MOST = 50 * 1024 * 1024


@dataclass(frozen=True)
class Paper:
    """A file handed in as evidence."""

    name: str
    content: bytes


#: Keeps papers, each behind the report of a line, within a transaction; their rows in order.
Keep = Callable[[Sequence[tuple[str, int, Paper]]], list[dict[str, Any]]]
Result = TypeVar("Result")


def faults(papers: Iterable[Paper]) -> list[Problem]:
    """Return what keeps papers from being evidence: nothing in them, or too much."""
    found = [Problem("plan.evidence-empty", file=one.name) for one in papers if not one.content]
    large = (one for one in papers if len(one.content) > MOST)
    return found + [Problem("plan.evidence-large", file=one.name, value=len(one.content)) for one in large]


def attach(
    workspace: Workspace,
    plan: str | None,
    report: int,
    file: str | Path | Paper,
    *,
    remark: str | None = None,
    department: str | None = None,
    person: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Keep a file as evidence of a report. Returns `{number, report, name, digest, size, media, entry, already}`.

    The SHA-256 is an entry of the ledger (`entry`), so that a later change of file or record shows. The same file for
    the same report is kept once. Raises Refused for a missing, empty or too large file, NoSuch for an unknown report.
    """
    head = document(workspace, plan)
    told = {row["number"]: row for row in reads.reports(workspace, head["plan"]).to_dicts()}
    if report not in told:
        raise NoSuch("report", str(report))
    paper = file if isinstance(file, Paper) else read(file)
    if problems := faults([paper]):
        raise Refused(problems)
    given = [(told[report]["line"], report, paper)]
    stamped = stamp(at, department, person)
    return chained(workspace, str(head["plan"]), stamped, lambda _, keep: keep(given)[0], remark=remark)


def read(file: str | Path) -> Paper:
    """Return the file at a path. Raises Refused `plan.no-file`."""
    if not Path(file).is_file():
        raise Refused(Problem("plan.no-file", file=str(file)))
    return Paper(Path(file).name, Path(file).read_bytes())


def chained(
    workspace: Workspace,
    plan: str,
    stamped: Mapping[str, Any],
    work: Callable[[sa.Connection, Keep], Result],
    *,
    remark: str | None = None,
) -> Result:
    """Do `work` in one transaction of plan and ledger: what it writes and the evidence it keeps stand or fall together.

    `work` gets the connection and a way to keep papers, to be called once.
    """
    install(workspace)
    store = Store(workspace.database)
    store.install()

    def within(connection: sa.Connection, standing: Any, recorded: int) -> Result:
        alone(connection)

        def keep(given: Sequence[tuple[str, int, Paper]]) -> list[dict[str, Any]]:
            rows = [_row(line, report, paper, stamped, remark) for line, report, paper in given]
            known = _known(connection, {row["report"] for _, row in rows})
            fresh = {(row["report"], row["digest"]): (line, row) for line, row in rows}
            fresh = {key: value for key, value in fresh.items() if key not in known}
            openings = [Opening(SOURCE, INSTRUMENT, None, True, "份")]
            openings += [Opening(_account(plan, line), INSTRUMENT, plan, False, "份") for line, _ in fresh.values()]
            transfers = [_transfer(plan, line, row) for line, row in fresh.values()]
            results = store.post_within(connection, standing, recorded, openings, transfers) if fresh else []
            posted = zip(fresh.values(), results[len(openings) :], strict=True)
            refused = [(row, result) for (_, row), result in posted if result not in ("ok", "exists")]
            if refused:
                raise Refused(
                    [Problem("plan.evidence-not-chained", file=row["name"], value=result) for row, result in refused]
                )
            for _, _, paper in given:
                _keep(workspace, hashlib.sha256(paper.content).hexdigest(), paper.content)
            if fresh:
                connection.execute(EVIDENCE.insert(), [row for _, row in fresh.values()])
            there = _known(connection, {row["report"] for _, row in rows})
            return [
                {**there[row["report"], row["digest"]], "already": (row["report"], row["digest"]) in known}
                for _, row in rows
            ]

        return work(connection, keep)

    return store.transaction(within)


def _row(
    line: str, report: int, paper: Paper, stamped: Mapping[str, Any], remark: str | None
) -> tuple[str, dict[str, Any]]:
    digest = hashlib.sha256(paper.content).hexdigest()
    return line, {
        "report": report, "name": paper.name, "digest": digest, "size": len(paper.content), "remark": remark,
        "entry": f"plan-evidence-{report}-{digest[:32]}",
        "media": mimetypes.guess_type(paper.name)[0] or "application/octet-stream", **stamped,
    }  # fmt: skip


def _known(connection: sa.Connection, reports: Iterable[int]) -> dict[tuple[int, str], dict[str, Any]]:
    chosen = sa.select(EVIDENCE).where(EVIDENCE.c.report.in_(list(reports)))
    return {(row["report"], row["digest"]): dict(row) for row in connection.execute(chosen).mappings()}


def _account(plan: str, line: str) -> str:
    return f"{INSTRUMENT}:{plan}:{line}"


def _transfer(plan: str, line: str, row: Mapping[str, Any]) -> Transfer:
    said = f"sha256:{row['digest']} {plan} {line} report {row['report']} {row['name']}"
    return Transfer(row["entry"], SOURCE, _account(plan, line), INSTRUMENT, 1, reason=said[:2000])


def _keep(workspace: Workspace, digest: str, content: bytes) -> None:
    """Write a file under its hash; it appears whole or not at all."""
    path = place(workspace, digest)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{uuid.uuid4().hex}")
    with fresh.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(path)


def place(workspace: Workspace, digest: str) -> Path:
    """Return where the file of a hash lies in the workspace."""
    return workspace.path / "evidence" / digest[:2] / digest


def opened(workspace: Workspace, plan: str | None, number: int) -> dict[str, Any]:
    """Return a piece of evidence with its `path`. Raises NoSuch, Refused when the file is gone or was altered."""
    for row in reads.evidence(workspace, plan):
        if row["number"] != number:
            continue
        path = place(workspace, row["digest"])
        if not path.is_file():
            raise Refused(Problem("plan.evidence-gone", file=row["name"], value=row["digest"]))
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["digest"]:
            raise Refused(Problem("plan.evidence-altered", file=row["name"], value=row["digest"]))
        return {**row, "path": path}
    raise NoSuch("evidence", str(number))


def verify(workspace: Workspace, plan: str | None = None) -> list[dict[str, Any]]:
    """Return every piece of evidence that is gone, altered or missing from the chain: `{number, name, fault}`."""
    from dualcarbon.ledger.tables import ENTRY

    held = reads.evidence(workspace, plan)
    if not held:
        return []
    with workspace.database.connect() as connection:
        wanted = sa.select(ENTRY.c.id, ENTRY.c.reason).where(ENTRY.c.instrument == INSTRUMENT)
        chained = {row.id: row.reason or "" for row in connection.execute(wanted)}
    faults = []
    for row in held:
        path = place(workspace, row["digest"])
        if not path.is_file():
            fault = "gone"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row["digest"]:
            fault = "altered"
        elif f"sha256:{row['digest']}" not in chained.get(row["entry"], ""):
            fault = "not chained"
        else:
            continue
        faults.append({"number": row["number"], "report": row["report"], "name": row["name"], "fault": fault})
    return faults
