"""Seals: the acts of the registry chained to each other and anchored in the ledger's entries.

A seal is SHA-256 over the seal before, the answer of the act before, and the id, name and content of its own act.
An act that moves units writes its seal into the reason of its ledger entries, so the ledger's chain and signed heads
vouch for every act up to that one, filings included.
"""

import hashlib
import json
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.ledger.tables import ENTRY
from dualcarbon.registry.tables import ACT, CLAIM, CLAIMED_DAY, FILING, LOT, RELEASE, SEAL, STEP, TRADE

PAGE = 2000


def seal(before: str, answer_before: str, id: str, action: str, content: str) -> str:
    """The seal of an act, as hexadecimal text; "" stands for the seal and answer before the first."""
    told = json.dumps([before, answer_before, id, action, content], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def broken(engine: sa.Engine) -> list[dict[str, Any]]:
    """Where the registry was altered: acts whose seal or ledger entry disagrees, rows that no act answered so.

    Rows `{act, problem}`, the first broken act and every row that disagrees; empty when all is well.
    """
    found: list[dict[str, Any]] = []
    with engine.connect() as connection:
        found += _chain(connection)
        found += _rows(connection)
        found += _claims(connection)
    return found


def _chain(connection: sa.Connection) -> list[dict[str, Any]]:
    # Acts of the time before there were seals stand outside the chain, which begins with the first sealed one.
    first = sa.select(sa.func.min(ACT.c.number)).join(SEAL, SEAL.c.act == ACT.c.id)
    start = connection.execute(first).scalar()
    if start is None:
        return []
    before, answer, after = "", "", int(start) - 1
    while True:
        joined = ACT.outerjoin(SEAL, SEAL.c.act == ACT.c.id).outerjoin(ENTRY, ENTRY.c.id == ACT.c.id)
        fields = (ACT.c.number, ACT.c.id, ACT.c.action, ACT.c.asked, ACT.c.answer, SEAL.c.digest, ENTRY.c.reason)
        chosen = sa.select(*fields).select_from(joined).where(ACT.c.number > after).order_by(ACT.c.number).limit(PAGE)
        rows = connection.execute(chosen).all()
        for row in rows:
            digest = seal(before, answer, row.id, row.action, row.asked)
            if row.digest != digest:
                return [{"act": row.id, "problem": "altered here or in the act before"}]
            if json.loads(row.answer).get("entry") and f"registry:{digest}" not in (row.reason or ""):
                return [{"act": row.id, "problem": "its entry in the ledger is another"}]
            before, answer, after = digest, row.answer, row.number
        if len(rows) < PAGE:
            return []


def _rows(connection: sa.Connection) -> list[dict[str, Any]]:
    """Lots, trades and filings that are not what their act answered."""
    found = []
    for row in connection.execute(sa.select(LOT, ACT.c.answer).join(ACT, ACT.c.id == LOT.c.act)):
        told = json.loads(row.answer)
        if (row.quantity, row.holder, row.instrument, row.vintage) != tuple(
            told.get(name) for name in ("quantity", "holder", "instrument", "vintage")
        ):
            found.append({"act": row.act, "problem": "the lot is not what was answered"})
    for row in connection.execute(sa.select(TRADE, ACT.c.answer).join(ACT, ACT.c.id == TRADE.c.act)):
        told = json.loads(row.answer)
        one = next((trade for trade in told.get("trades", ()) if trade["trade"] == row.id), told)
        if any(getattr(row, name) != one.get(name) for name in ("quantity", "seller", "buyer", "price", "amount")):
            found.append({"act": row.act, "problem": f"the trade {row.id} is not what was answered"})
    last = sa.select(STEP.c.filing, sa.func.max(STEP.c.number).label("number")).group_by(STEP.c.filing).subquery()
    chosen = sa.select(FILING.c.id, FILING.c.state, STEP.c.state.label("after"), STEP.c.act).join(
        last, last.c.filing == FILING.c.id
    )
    for row in connection.execute(chosen.join(STEP, STEP.c.number == last.c.number)):
        if row.state != row.after:
            found.append({"act": row.act, "problem": f"the filing {row.id} is not in the state of its last step"})
    return found


def _claims(connection: sa.Connection) -> list[dict[str, Any]]:
    """Claims whose days are not those they claimed, and releases that no act of annulment made."""
    found = []
    days = sa.select(CLAIMED_DAY.c.act, sa.func.count().label("days")).group_by(CLAIMED_DAY.c.act).subquery()
    joined = CLAIM.outerjoin(days, days.c.act == CLAIM.c.act).outerjoin(RELEASE, RELEASE.c.claim == CLAIM.c.act)
    joined = joined.outerjoin(ACT, ACT.c.id == RELEASE.c.act)
    chosen = sa.select(CLAIM, days.c.days, RELEASE.c.act.label("by"), ACT.c.action, ACT.c.answer).select_from(joined)
    for row in connection.execute(chosen):
        whole = (date.fromisoformat(row.end) - date.fromisoformat(row.start)).days * len(set(json.loads(row.subjects)))
        if (row.days or 0) != (whole if row.by is None else 0):
            found.append({"act": row.act, "problem": "the days it claims are not those it claimed"})
        if row.by is not None and (row.action != "annul" or json.loads(row.answer)["lot"] != row.act):
            found.append({"act": row.act, "problem": "its claim was released by no annulment"})
    return found
