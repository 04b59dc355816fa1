"""Evidence behind reports: files kept under their hash in the workspace, each hash an entry of the ledger's chain."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.transfer import Opening, Transfer
from dualcarbon.plan import reads
from dualcarbon.plan.store import document, install, stamp
from dualcarbon.plan.tables import EVIDENCE

INSTRUMENT, SOURCE = "plan.evidence", "plan.evidence:departments"
MOST = 50 * 1024 * 1024


def attach(
    workspace: Workspace,
    plan: str | None,
    report: int,
    file: str | Path,
    *,
    name: str | None = None,
    remark: str | None = None,
    department: str | None = None,
    person: str | None = None,
    at: date | None = None,
) -> dict[str, Any]:
    """Keep a file as evidence of a report. Returns `{number, report, name, digest, size, media, entry, already}`.

    The SHA-256 is an entry of the ledger (`entry`), so that a later change of file or record shows. The same file for
    the same report is kept once. Raises Refused for a missing, empty or too large file, NoSuch for an unknown report.
    """
    file = Path(file)
    head = document(workspace, plan)
    told = {row["number"]: row for row in reads.reports(workspace, head["plan"]).to_dicts()}
    if report not in told:
        raise NoSuch("report", str(report))
    if not file.is_file():
        raise Refused(Problem("plan.no-file", file=str(file)))
    content = file.read_bytes()
    shown = name or file.name
    if not content:
        raise Refused(Problem("plan.evidence-empty", file=shown))
    if len(content) > MOST:
        raise Refused(Problem("plan.evidence-large", file=shown, value=len(content)))
    digest = hashlib.sha256(content).hexdigest()
    install(workspace)
    store = Store(workspace.database)
    store.install()
    _keep(workspace, digest, content)
    line, entry = told[report]["line"], f"plan-evidence-{report}-{digest[:32]}"
    account = f"{INSTRUMENT}:{head['plan']}:{line}"
    row = {
        "report": report, "name": shown, "digest": digest, "size": len(content), "entry": entry, "remark": remark,
        "media": mimetypes.guess_type(shown)[0] or "application/octet-stream", **stamp(at, department, person),
    }  # fmt: skip

    def work(connection: sa.Connection, standing: Any, recorded: int) -> dict[str, Any]:
        held = EVIDENCE.c.report == report
        known = connection.execute(sa.select(EVIDENCE).where(held, EVIDENCE.c.digest == digest)).mappings().first()
        if known is not None:
            return {**known, "already": True}
        openings = [
            Opening(SOURCE, INSTRUMENT, None, True, "份"),
            Opening(account, INSTRUMENT, str(head["plan"]), False, "份"),
        ]
        said = f"sha256:{digest} {head['plan']} {line} report {report} {shown}"
        transfer = Transfer(entry, SOURCE, account, INSTRUMENT, 1, reason=said[:2000])
        results = store.post_within(connection, standing, recorded, openings, [transfer])
        if results[-1] not in ("ok", "exists"):
            raise Refused(Problem("plan.evidence-not-chained", file=shown, value=results[-1]))
        number = connection.execute(EVIDENCE.insert().values(row).returning(EVIDENCE.c.number)).scalar_one()
        return {"number": number, **row, "already": False}

    return store.transaction(work)


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
