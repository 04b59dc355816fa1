"""The chain of filings before an issuance: methodology, project, monitoring report; and who is appointed to a role."""

import json
from typing import Any
from urllib.parse import parse_qsl

import sqlalchemy as sa

from dualcarbon.registry.act import Act, days
from dualcarbon.registry.desk import Desk
from dualcarbon.registry.instruments import Filing, Instrument, Step
from dualcarbon.registry.tables import FILING, ROLE, STEP
from dualcarbon.registry.words import listed, name, refuse, state_words

OPENS = (
    "item",
    "place",
    "period",
    "sector",
    "carrier",
    "entity",
    "method",
    "tree",
    "process",
    "basis",
    "run",
    "dataset",
)
Row = sa.Row[Any]
WITH_UNITS = ("issue", "annul")  # steps that units take along: acts of their own


def appoint(act: Act) -> dict[str, Any]:
    """Appoint an entity to a role of an instrument; done by its authority or registrar."""
    return _appointing(act, "appoint")


def dismiss(act: Act) -> dict[str, Any]:
    """End an appointment."""
    return _appointing(act, "dismiss")


def _appointing(act: Act, action: str) -> dict[str, Any]:
    chosen = act.choose(act.said["instrument"], whole=True)
    role, entity = act.said["appointed"], name("entity", act.get("entity"))
    rule = chosen.roles.get(role)
    if rule is None or rule.who not in ("issuer", "appointed"):
        known = listed(one for one, other in chosen.roles.items() if other.who in ("issuer", "appointed"))
        raise refuse("role-unknown", "appointed", role, known=known)
    act.permit(("authority", "registrar"), {})
    if act.is_appointed(role, entity) is (action == "appoint"):
        raise refuse("appointed-already" if action == "appoint" else "not-appointed-now", "entity", entity, role=role)
    if action == "appoint":
        row = {"instrument": chosen.code, "role": role, "actor": entity, "act": act.id, "ended": None}
        act.desk.insert(ROLE, row)
    else:
        this = (ROLE.c.instrument == chosen.code, ROLE.c.role == role, ROLE.c.actor == entity, ROLE.c.ended.is_(None))
        act.desk.execute(ROLE.update().where(*this).values(ended=act.id))
    told = {"instrument": chosen.code, "appointed": role, "entity": entity}
    return {**told, "actor": act.actor, "role": act.role, "document": act.get("document")}


def submit(act: Act) -> dict[str, Any]:
    """Hand in a methodology, a project or a monitoring report; its id is the act's."""
    chosen = act.choose(act.said["instrument"], whole=True)
    kind = act.said["kind"]
    rule = _kind(chosen, kind)
    parent = None
    if rule.of is not None:
        parent = get(act, act.get("parent"))
        if parent.kind != rule.of or parent.instrument != chosen.code:
            raise refuse("not-its-parent", "parent", parent.id, needed=chosen.filing[rule.of].title)
        if parent.state not in rule.when:
            raise refuse("parent-not-ready", "parent", parent.id, state=state_words(parent.state))
    above = [] if parent is None else chain(act.desk, parent)
    step = act.allow("submit", None, parties(chosen, above), rule.steps)
    period, subjects, quantity = act.get("period"), act.get("subjects") or [], act.get("quantity")
    if period is not None:
        _mind_overlap(act, parent, period)
    if parent is not None and not subjects:
        subjects = json.loads(parent.subjects)
    row = {
        "id": act.id, "instrument": chosen.code, "kind": kind, "parent": parent and parent.id,
        "title": act.get("title"), "actor": act.actor, "state": step.after,
        "subjects": json.dumps(subjects, ensure_ascii=False), "period": period, "quantity": quantity,
        "verified": None, "document": act.get("document"), "result": _result(act.get("result")), "at": act.moment,
        "synthetic": act.synthetic,
    }  # fmt: skip
    act.desk.insert(FILING, row)
    return _stepped(act, act.id, step)


def advance(act: Act) -> dict[str, Any]:
    """Take a filing one step on: file, register, verify, return, resubmit, ... as its instrument's table allows."""
    filing = get(act, act.said["filing"])
    if act.said["step"] in WITH_UNITS:
        raise refuse("step-of-units", "step", act.said["step"])
    return _stepped(act, filing.id, _advance(act, filing, act.said["step"]))


def issue(act: Act, report: str) -> Row:
    """The verified report that units are issued from; it is then used up. Raises Refused."""
    filing = get(act, report)
    if filing.instrument != act.instrument.code or filing.state != "verified":
        raise refuse("report-not-verified", "report", report, state=state_words(filing.state))
    step = _advance(act, filing, "issue")
    _stepped(act, filing.id, step)
    return filing


def annul(act: Act, report: str) -> None:
    """Give a report back whose units are taken back as issued in error: it is verified, not used up. Raises Refused."""
    filing = get(act, report)
    _stepped(act, filing.id, _advance(act, filing, "annul"))


def _advance(act: Act, filing: Row, action: str) -> Step:
    chosen = act.choose(filing.instrument, whole=True) if act.chosen is None else act.chosen
    rule = _kind(chosen, filing.kind)
    above = chain(act.desk, filing)
    step = act.allow(action, filing.state, parties(chosen, above), rule.steps)
    apart = {role: actor for role, actor in parties(chosen, above).items() if role in step.apart}
    if act.actor in apart.values():
        role = next(role for role, actor in apart.items() if actor == act.actor)
        raise refuse("not-independent", "actor", act.actor, role=chosen.roles[role].title)
    changes: dict[str, Any] = {"state": step.after}
    quantity = act.get("quantity")
    if action == "verify":
        if chosen.parameter("verified_at_most_reported") and quantity > filing.quantity:
            raise refuse("verified-above-reported", "quantity", quantity, reported=filing.quantity)
        changes["verified"] = quantity
    elif quantity is not None and action == "resubmit":
        changes |= {"quantity": quantity, "verified": None}
    if act.get("document") and action in ("resubmit", "verify"):
        changes["document"] = act.get("document")
    act.desk.execute(FILING.update().where(FILING.c.id == filing.id).values(**changes))
    return step


def _stepped(act: Act, filing: str, step: Step) -> dict[str, Any]:
    kept = ("document", "reason", "quantity", "title", "period")
    said = {key: act.get(key) for key in kept if act.get(key) is not None}
    row: dict[str, Any] = {
        "filing": filing,
        "act": act.id,
        "action": step.action,
        "state": step.after,
        "actor": act.actor,
    }
    row |= {"role": act.role, "at": act.moment, "said": json.dumps(said, ensure_ascii=False)}
    act.desk.insert(STEP, row)
    told = {"filing": filing, "step": step.action, "state": step.after, "actor": act.actor, "role": act.role}
    return {"instrument": act.instrument.code, **told, **said}


def get(act: Act, filing: str | None) -> Row:
    """A filing by its id. Raises Refused (`registry.no-such-filing`)."""
    row = act.desk.execute(sa.select(FILING).where(FILING.c.id == filing)).first()
    if row is None:
        raise refuse("no-such-filing", "filing", filing)
    act.mark(row.synthetic)
    return row


def chain(connection: sa.Connection | Desk, filing: Row) -> list[Row]:
    """A filing and what it belongs to: report, project, methodology."""
    rows = [filing]
    while rows[-1].parent is not None:
        rows.append(connection.execute(sa.select(FILING).where(FILING.c.id == rows[-1].parent)).one())
    return rows


def parties(chosen: Instrument, above: list[Row]) -> dict[str, str]:
    """Who handed in the filings of a chain, by role: the owner of the project, the developer of the methodology."""
    found: dict[str, str] = {}
    for row in above:
        first = next(step for step in _kind(chosen, row.kind).steps if step.before is None)
        found.setdefault(first.by[0], row.actor)
    return found


def _kind(chosen: Instrument, kind: str) -> Filing:
    if kind not in chosen.filing:
        raise refuse("filing-unknown", "kind", kind, title=chosen.title, known=listed(chosen.filing or ("—",)))
    return chosen.filing[kind]


def _mind_overlap(act: Act, parent: Row | None, period: str) -> None:
    """Refuse a report on days that another report of the same project covers."""
    start, end = days(period)
    if parent is None:
        return
    for other in act.desk.execute(sa.select(FILING).where(FILING.c.parent == parent.id)):
        if other.period is not None and other.state != "returned":
            from_, to = days(other.period)
            if from_ < end and start < to:
                raise refuse("report-overlaps", "period", period, other=other.id, period_other=other.period)


def _result(text: str | None) -> str | None:
    """The question at which the platform's own figure opens, such as `item=emission.co2&place=330400&period=2024`."""
    if text is None:
        return None
    pairs = parse_qsl(text.removeprefix("/explain?"))
    if not pairs or any(key not in OPENS for key, _ in pairs) or not any(key == "item" for key, _ in pairs):
        raise refuse("result-unusable", "result", text, known=listed(OPENS))
    return text.removeprefix("/explain?")
