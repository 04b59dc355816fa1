"""Reading filings: lists by kind and state, one filing with its chain, steps and what was issued from it; and roles."""

import json
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.pack import DEFAULT
from dualcarbon.ledger.transfer import moment_text
from dualcarbon.registry.filings import WITH_UNITS, chain, parties
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.tables import ACT, FILING, LOT, RELEASE, ROLE, STEP, installed
from dualcarbon.registry.words import refuse, state_words


def filings(
    engine: sa.Engine, *, code: str | None = None, kind: str | None = None, state: str | None = None,
    parent: str | None = None, after: int = 0, limit: int = 100,
) -> dict[str, Any]:  # fmt: skip
    """Filings in the order they were handed in: `{"filings": [...], "next"}`."""
    if not installed(engine):
        return {"filings": [], "next": None}
    chosen = sa.select(FILING).where(FILING.c.number > after)
    for column, value in (("instrument", code), ("kind", kind), ("state", state), ("parent", parent)):
        if value is not None:
            chosen = chosen.where(FILING.c[column] == value)
    with engine.connect() as connection:
        rows = connection.execute(chosen.order_by(FILING.c.number).limit(limit + 1)).all()
    shown = [_told(row) for row in rows[:limit]]
    return {"filings": shown, "next": shown[-1]["number"] if len(rows) > limit else None}


def decided(engine: sa.Engine) -> dict[str, int]:
    """How many filings of each kind are past being handed in or sent back."""
    if not installed(engine):
        return {}
    chosen = sa.select(FILING.c.kind, sa.func.count()).where(FILING.c.state.not_in(("submitted", "returned")))
    with engine.connect() as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(chosen.group_by(FILING.c.kind))}


def filing(engine: sa.Engine, id: str, pack: str = DEFAULT) -> dict[str, Any]:
    """One filing: its chain upwards, what stands under it, every step taken, the steps open now, what was issued.

    Raises Refused (`registry.no-such-filing`).
    """
    found = None
    if installed(engine):
        with engine.connect() as connection:
            found = connection.execute(sa.select(FILING).where(FILING.c.id == id)).first()
            if found is not None:
                above = chain(connection, found)[1:]
                under = connection.execute(
                    sa.select(FILING).where(FILING.c.parent == id).order_by(FILING.c.number)
                ).all()
                steps = connection.execute(
                    sa.select(STEP).where(STEP.c.filing == id).order_by(STEP.c.number)
                ).mappings()
                taken = [
                    {**row, "at": moment_text(row["at"]), "said": json.loads(row["said"]),
                     "state": row["state"], "state_title": state_words(row["state"])}
                    for row in steps
                ]  # fmt: skip
                joined = sa.select(LOT.c.act, LOT.c.quantity, ACT.c.answer).join(ACT, ACT.c.id == LOT.c.act)
                standing = LOT.c.act.not_in(sa.select(RELEASE.c.claim))
                lots = connection.execute(joined.where(LOT.c.report == id, standing)).all()
    if found is None:
        raise refuse("no-such-filing", "filing", id)
    rule = instruments(pack)[found.instrument].filing[found.kind]
    following = [
        {"step": step.action, "by": list(step.by), "needs": list(step.needs), "to": step.after}
        for step in rule.steps
        if step.before == found.state and step.action not in WITH_UNITS
    ]
    issued = [
        {"lot": act, "quantity": quantity, "serials": json.loads(answer)["serials"]} for act, quantity, answer in lots
    ]
    return {
        **_told(found),
        "kind_title": dict(rule.title),
        "chain": [_told(row) for row in above],
        "under": [_told(row) for row in under],
        "steps": taken,
        "parties": parties(instruments(pack)[found.instrument], [found, *above]),
        "following": following,
        "issued": issued,
    }


def _told(row: sa.Row[Any]) -> dict[str, Any]:
    told = dict(row._mapping)
    told |= {"subjects": json.loads(row.subjects), "at": moment_text(row.at), "synthetic": bool(row.synthetic)}
    return {**told, "state_title": state_words(row.state)}


def roles(engine: sa.Engine, pack: str = DEFAULT) -> list[dict[str, Any]]:
    """Who may act in which role of which instrument: those the pack names and those appointed."""
    rows: list[dict[str, Any]] = []
    for code, one in instruments(pack).items():
        for name, role in one.roles.items():
            if role.who == "issuer":
                rows.append({"instrument": code, "role": name, "actor": role.named or one.issuer, "act": None})
    if installed(engine):
        with engine.connect() as connection:
            found = connection.execute(sa.select(ROLE).where(ROLE.c.ended.is_(None)).order_by(ROLE.c.number)).mappings()
            rows += [{name: row[name] for name in ("instrument", "role", "actor", "act")} for row in found]
    known = instruments(pack)
    return [{**row, "role_title": dict(known[row["instrument"]].roles[row["role"]].title)} for row in rows]
