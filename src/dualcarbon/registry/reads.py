"""Reading the registry: who holds which numbers, the life of one unit, the public totals, and whether all agrees."""

import json
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.pack import DEFAULT
from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.tables import ACCOUNT, ENTRY
from dualcarbon.ledger.transfer import moment_text
from dualcarbon.registry import seals
from dualcarbon.registry.act import ISSUER, SUSPENDED, account
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.tables import (
    ACT,
    BLOCK,
    CLAIM,
    CLAIMED_DAY,
    LOT,
    REGISTER,
    RELEASE,
    SEAL,
    SPAN,
    TOUCH,
    installed,
)
from dualcarbon.registry.words import refuse, serial_text

MOST_ENTRIES = 100
FINALS = ("retired", "cancelled", "expired")


def ready(engine: sa.Engine) -> bool:
    """Whether the registry's tables are there."""
    return installed(engine)


def last(engine: sa.Engine) -> int:
    """The number of the last act, 0 when there is none: it changes whenever anything in the registry does."""
    if not ready(engine):
        return 0
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(ACT.c.number), 0))).scalar_one())


def find(
    engine: sa.Engine,
    *,
    code: str | None = None,
    holder: str | None = None,
    state: str | None = None,
    serial: int | None = None,
    subject: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> dict[str, Any]:
    """Blocks of serial numbers with what they come from: `{"blocks": [...], "next": cursor or None}`.

    `serial` is a number of any instrument or, with `code`, of that one; `subject` is a meter or project. In the order
    of the registers.
    """
    if not ready(engine):
        return {"blocks": [], "next": None}
    joined = BLOCK.join(LOT, LOT.c.number == BLOCK.c.lot)
    fields = [BLOCK.c[name] for name in ("instrument", "holder", "state", "first", "last", "act")]
    lot = [LOT.c[name] for name in ("vintage", "subjects", "start", "end", "document", "report", "synthetic")]
    chosen = sa.select(*fields, *lot, LOT.c.act.label("lot")).select_from(joined).where(BLOCK.c.first > after)
    for column, value in ((BLOCK.c.instrument, code), (BLOCK.c.holder, holder), (BLOCK.c.state, state)):
        if value is not None:
            chosen = chosen.where(column == value)
    if serial is not None:
        wanted = REGISTER.c.number * SPAN + serial
        local = sa.and_(BLOCK.c.first <= wanted, BLOCK.c.last >= wanted)
        chosen = chosen.where(sa.exists().where(REGISTER.c.number == LOT.c.register, local))
    if subject is not None:
        of_subject = sa.select(CLAIMED_DAY.c.act).where(CLAIMED_DAY.c.subject == subject)
        chosen = chosen.where(LOT.c.act.in_(of_subject))
    with engine.connect() as connection:
        rows = connection.execute(chosen.order_by(BLOCK.c.first).limit(limit + 1)).mappings().all()
    shown = []
    for row in rows[:limit]:
        first, last = row["first"] % SPAN, row["last"] % SPAN
        told = {**row, "first": first, "last": last, "subjects": json.loads(row["subjects"])}
        told |= {"quantity": last - first + 1, "text": serial_text(row["instrument"], (first, last))}
        shown.append({**told, "synthetic": bool(row["synthetic"])})
    return {"blocks": shown, "next": rows[limit - 1]["first"] if len(rows) > limit else None}


def life(engine: sa.Engine, code: str, serial: int) -> list[dict[str, Any]]:
    """What happened to one unit, oldest first. Raises Refused (`registry.no-such-serial`)."""
    rows: list[Any] = []
    if ready(engine):
        base = sa.select(REGISTER.c.number * SPAN + serial).where(REGISTER.c.instrument == code).scalar_subquery()
        chosen = sa.select(ACT).join(TOUCH, TOUCH.c.act == ACT.c.id)
        with engine.connect() as connection:
            found = connection.execute(chosen.where(TOUCH.c.first <= base, TOUCH.c.last >= base).order_by(ACT.c.number))
            rows = list(found.mappings())
    if not rows:
        raise refuse("no-such-serial", "serial", serial_text(code, (serial, serial)))
    return [acted(row) for row in rows]


def acted(row: Any) -> dict[str, Any]:
    """An act as it was answered, with when it was recorded."""
    return {**json.loads(row["answer"]), "recorded": moment_text(row["recorded"])}


def acts(engine: sa.Engine, *, action: str | None = None, after: int = 0, limit: int = 100) -> dict[str, Any]:
    """Every act in the order it was recorded: `{"acts": [...], "next"}`."""
    if not ready(engine):
        return {"acts": [], "next": None}
    chosen = sa.select(ACT).where(ACT.c.number > after).order_by(ACT.c.number).limit(limit + 1)
    if action is not None:
        chosen = chosen.where(ACT.c.action == action)
    with engine.connect() as connection:
        rows = connection.execute(chosen).mappings().all()
    shown = [{"number": row["number"], **acted(row)} for row in rows[:limit]]
    return {"acts": shown, "next": shown[-1]["number"] if len(rows) > limit else None}


def act(engine: sa.Engine, id: str) -> dict[str, Any]:
    """One act: `{id, action, asked, answer, recorded, seal, entries, anchor}`. Raises Refused (`registry.no-such-act`).

    `entries` are the act's own in the ledger, at most 100; `anchor` the first entry that holds the seal of this
    act or of a later one, and so vouches for it (None while there is none).
    """
    found = None
    if ready(engine):
        with engine.connect() as connection:
            joined = sa.select(ACT, SEAL.c.digest).outerjoin(SEAL, SEAL.c.act == ACT.c.id)
            found = connection.execute(joined.where(ACT.c.id == id)).first()
            if found is not None:
                # An act's entries are its id, then with ~1, ~2, ...
                own = [id, *(f"{id}~{n}" for n in range(1, MOST_ENTRIES))]
                chosen = sa.select(ENTRY.c.seq, ENTRY.c.id).where(ENTRY.c.id.in_(own)).order_by(ENTRY.c.seq)
                entries = connection.execute(chosen).mappings().all()
                later = sa.select(ENTRY.c.seq, ENTRY.c.id).join(ACT, ACT.c.id == ENTRY.c.id)
                anchor = connection.execute(
                    later.where(ACT.c.number >= found.number).order_by(ACT.c.number).limit(1)
                ).mappings().first()  # fmt: skip
    if found is None:
        raise refuse("no-such-act", "id", id)
    return {
        "id": id, "action": found.action, "asked": found.asked, "answer": json.loads(found.answer),
        "recorded": moment_text(found.recorded), "seal": found.digest, "entries": [dict(one) for one in entries],
        "anchor": dict(anchor) if anchor else None,
    }  # fmt: skip


def claims(engine: sa.Engine, subject: str | None = None, after: int = 0, limit: int | None = None) -> dict[str, Any]:
    """The claims on benefits, oldest first, or the standing ones of one meter or project: `{"claims": [...], "next"}`.

    `released` is the act that took the claim's lot back as made in error, None where the claim stands.
    """
    if not ready(engine):
        return {"claims": [], "next": None}
    joined = CLAIM.outerjoin(RELEASE, RELEASE.c.claim == CLAIM.c.act)
    chosen = sa.select(CLAIM, RELEASE.c.act.label("released")).select_from(joined).where(CLAIM.c.number > after)
    chosen = chosen.order_by(CLAIM.c.number)
    if subject is not None:
        chosen = chosen.where(CLAIM.c.act.in_(sa.select(CLAIMED_DAY.c.act).where(CLAIMED_DAY.c.subject == subject)))
    with engine.connect() as connection:
        rows = connection.execute(chosen.limit(None if limit is None else limit + 1)).mappings().all()
    shown = [{**row, "subjects": json.loads(row["subjects"])} for row in rows[:limit]]
    return {"claims": shown, "next": shown[-1]["number"] if limit is not None and len(rows) > limit else None}


def totals(engine: sa.Engine, pack: str = DEFAULT) -> list[dict[str, Any]]:
    """The public page: for each instrument (and vintage) what was issued, is held, suspended and ended, in its unit."""
    if not ready(engine):
        return []
    chosen = sa.select(ACCOUNT.c.instrument, ACCOUNT.c.owner, ACCOUNT.c.debits_posted, ACCOUNT.c.credits_posted)
    with engine.connect() as connection:
        found = connection.execute(chosen.where(ACCOUNT.c.owner.like("@%")).order_by(ACCOUNT.c.instrument)).all()
        made = connection.execute(
            sa.select(LOT.c.instrument, LOT.c.vintage, sa.func.min(LOT.c.synthetic), sa.func.max(LOT.c.synthetic))
            .group_by(LOT.c.instrument, LOT.c.vintage)
        ).all()  # fmt: skip
    synthetic = {(code, vintage): bool(most) for code, vintage, _, most in made}
    known = instruments(pack)
    shown: dict[str, dict[str, Any]] = {}
    for ledger_code, owner, debits, credits in found:
        code, _, vintage = ledger_code.partition(".")
        if code not in known:
            continue
        own = {"issued": 0, "held": 0, "suspended": 0, **dict.fromkeys(FINALS, 0), "annulled": 0}
        row = shown.setdefault(
            ledger_code,
            {
                "instrument": code, "title": dict(known[code].title), "vintage": vintage or None,
                "unit": known[code].unit, "unit_en": known[code].unit_en, **own, "status": known[code].status,
                "synthetic": synthetic.get((code, vintage or None), False), "trade": dict(known[code].trade),
            },
        )  # fmt: skip
        if owner.startswith(f"{ISSUER}:"):
            # What was taken back as made in error was never issued; the reversing entries credit the issuer.
            row["issued"] += int(debits - credits)
            row["annulled"] += int(credits)
        elif owner.startswith(f"{SUSPENDED}:"):
            row["suspended"] += int(credits - debits)
        elif owner[1:] in FINALS:
            row[owner[1:]] += int(credits - debits)
    for row in shown.values():
        row["held"] = row["issued"] - row["suspended"] - sum(row[name] for name in FINALS)
    return list(shown.values())


def holdings(engine: sa.Engine, holder: str, pack: str = DEFAULT) -> list[dict[str, Any]]:
    """What a holder has: for each instrument and vintage `{account, balance, available, ...}`. Raises Refused."""
    known = instruments(pack)
    rows = []
    for row in ledger.balances(engine, owner=holder)["accounts"] if ready(engine) else ():
        code, _, vintage = row["instrument"].partition(".")
        if code in known:
            rows.append({**row, "instrument": code, "vintage": vintage or None, "title": dict(known[code].title),
                         "unit_en": known[code].unit_en})  # fmt: skip
    if not rows:
        raise refuse("no-such-account", "holder", holder)
    return rows


def check(engine: sa.Engine, pack: str = DEFAULT) -> list[dict[str, Any]]:
    """Where the registry disagrees with the ledger or with itself; empty when all is well.

    Holders whose serial numbers are not their balance (`{account, balance, serials}`), and acts, lots, trades and
    filings that were altered (`{act, problem}`, see `seals`).
    """
    return [*numbers(engine, pack), *seals.broken(engine)] if ready(engine) else []


def numbers(engine: sa.Engine, pack: str = DEFAULT) -> list[dict[str, Any]]:
    """The holders whose serial numbers are not their balance: `{account, balance, serials}`."""
    if not ready(engine):
        return []
    length = sa.func.sum(BLOCK.c.last - BLOCK.c.first + 1)
    chosen = sa.select(BLOCK.c.instrument, BLOCK.c.holder, BLOCK.c.state, length)
    with engine.connect() as connection:
        found = connection.execute(chosen.group_by(BLOCK.c.instrument, BLOCK.c.holder, BLOCK.c.state)).all()
    counted: dict[str, int] = {}
    for code, holder, state, quantity in found:
        if state in FINALS:
            holder = f"@{state}"
        elif state == "suspended":
            holder = f"{SUSPENDED}:{holder}"
        counted[account(code, holder)] = counted.get(account(code, holder), 0) + int(quantity)
    problems = []
    for code, one in instruments(pack).items():
        if not one.serials:
            continue
        after = None
        while True:
            page = ledger.balances(engine, instrument=code, after=after)
            for row in page["accounts"]:
                numbers = counted.pop(row["account"], 0)
                if not row["overdraft"] and numbers != row["balance"]:
                    problems.append({"account": row["account"], "balance": row["balance"], "serials": numbers})
            after = page["next"]
            if after is None:
                break
    return problems + [{"account": name, "balance": None, "serials": count} for name, count in counted.items()]
