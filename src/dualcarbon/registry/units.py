"""Acts on units: issue, import, transfer, retire, suspend, resume, cancel, expire; and claims without units."""

import json
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Refused
from dualcarbon.ledger.transfer import Transfer, instant
from dualcarbon.registry import claims, filings, rights, serials
from dualcarbon.registry.act import ISSUER, RETIRED, SUSPENDED, Act, Said, days
from dualcarbon.registry.tables import LOT, RELEASE, TOUCH, TRADE
from dualcarbon.registry.words import missing, name, refuse


def issue(act: Act) -> dict[str, Any]:
    """Make units of an instrument issued here; where the instrument has filings, from a verified report alone."""
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    if chosen.issued != "here":
        raise refuse("issued-elsewhere", "instrument", chosen.code, issuer=chosen.issuer)
    said, report = dict(act.said), None
    if chosen.filing and act.get("report"):
        report = filings.issue(act, act.said["report"])
        if act.get("quantity") not in (None, report.verified):
            raise refuse(
                "not-the-verified", "quantity", act.get("quantity"), verified=report.verified, report=report.id
            )
        said |= {"subjects": json.loads(report.subjects), "period": report.period, "quantity": report.verified}
        said["document"] = act.get("document") or report.document
    return _made(act, "issue", said)


def import_(act: Act) -> dict[str, Any]:
    """Take in units that another register issued, with their serial numbers."""
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    if chosen.issued != "elsewhere":
        raise refuse("issued-here", "instrument", chosen.code)
    return _made(act, "import", act.said)


def _made(act: Act, action: str, said: Said) -> dict[str, Any]:
    chosen, holder = act.instrument, name("holder", act.get("holder"))
    subjects, period, quantity = said.get("subjects") or [], said.get("period"), said.get("quantity")
    if quantity is None:
        raise missing(action, "quantity")
    act.quantity = quantity
    state = act.allow(action, None, {"holder": holder}, subject=subjects, period=period).after
    kind = rights.kind_of(act)
    act.post(act.moving(f"{ISSUER}:{chosen.issuer}", holder, quantity))
    problems = []
    try:
        if chosen.attribute is not None:
            claims.take(act, chosen.code, chosen.attribute, subjects, str(period))
    except Refused as refused:
        problems += refused.problems
    start, end = (None, None) if period is None else days(period)
    row = {
        "act": act.id, "register": serials.register(act), "instrument": chosen.code, "vintage": act.vintage,
        "quantity": quantity, "subjects": json.dumps(subjects, ensure_ascii=False),
        "start": start and start.isoformat(), "end": end and end.isoformat(), "document": said.get("document"),
        "holder": holder, "kind": kind, "report": said.get("report"), "synthetic": act.synthetic,
    }  # fmt: skip
    lot = act.desk.lot(row)
    ranges = []
    try:
        if chosen.serials:
            ranges = [serials.number(act, lot, act.get("first"), quantity)]
            serials.put(act, holder, state, [(lot, ranges[0])])
    except Refused as refused:
        problems += refused.problems
    if problems:
        raise Refused(problems)
    told = {name: value for name, value in (("kind", kind), ("report", said.get("report"))) if value}
    return act.answer(ranges, holder=holder, subjects=subjects, period=period, document=said.get("document"), **told)


def transfer(act: Act) -> dict[str, Any]:
    """Move units to another holder without a price: the lowest serial numbers first, or just `serials`."""
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    seller, buyer = name("seller", act.get("seller")), name("buyer", act.get("buyer"))
    act.quantity = act.said["quantity"]
    act.allow("transfer", "held", {"holder": seller, "seller": seller, "buyer": buyer})
    if buyer == seller:
        raise refuse("same-holder", "buyer", buyer)
    kind = rights.kind_of(act)
    rights.mind_cap(act, seller, kind, act.quantity)
    crossing = rights.crossing(act, act.get("seller_place"), act.get("buyer_place"), act.quantity)
    moves = [act.moving(seller, buyer, act.quantity)]
    if crossing and crossing["extra"]:
        moves.append(act.moving(seller, "@cancelled", crossing["extra"], reason="cross-region"))
    act.post(*moves)
    taken = serials.take(act, seller, act.quantity, act.get("serials")) if chosen.serials else []
    serials.mind_transfers(act, taken)
    serials.put(act, buyer, "held", taken)
    row = {
        "id": act.id, "act": act.id, "instrument": chosen.code, "vintage": act.vintage, "kind": kind,
        "way": "transfer", "offer": None, "seller": seller, "buyer": buyer, "seller_place": act.get("seller_place"),
        "buyer_place": act.get("buyer_place"), "quantity": act.quantity, "price": None, "amount": None,
        "state": "settled", "due": None, "at": act.moment, "settled": act.moment, "payment": None,
        "document": act.get("document"), "entry": None, "synthetic": act.synthetic,
    }  # fmt: skip
    act.desk.insert(TRADE, row)
    told: dict[str, Any] = {"kind": kind} if kind else {}
    told |= {"cross_region": crossing} if crossing else {}
    document = act.get("document")
    return act.answer([part for _, part in taken], seller=seller, buyer=buyer, document=document, **told)


def retire(act: Act) -> dict[str, Any]:
    """Use units up for good, for a purpose and in a beneficiary's name."""
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    holder = name("holder", act.get("holder"))
    act.quantity = act.said["quantity"]
    state = act.allow("retire", "held", {"holder": holder}).after
    act.post(act.moving(holder, RETIRED, act.quantity, reason=act.said["purpose"]))
    taken = serials.take(act, holder, act.quantity, act.get("serials")) if chosen.serials else []
    serials.put(act, holder, state, taken)
    told = {key: act.get(key) for key in ("purpose", "beneficiary", "document")}
    return act.answer([part for _, part in taken], holder=holder, **told)


def suspend(act: Act) -> dict[str, Any]:
    """Block units: they stay the holder's but cannot move."""
    return _restate(act, "suspend")


def resume(act: Act) -> dict[str, Any]:
    """Free suspended units."""
    return _restate(act, "resume")


def cancel(act: Act) -> dict[str, Any]:
    """Take units out of the world for good: a lot as far as it still is there, or units of a holder."""
    return _restate(act, "cancel")


def expire(act: Act) -> dict[str, Any]:
    """End units whose lifetime is over."""
    return _restate(act, "expire")


Part = tuple[str, str, int, serials.Taken]  # holder, state before, quantity, serial numbers


def _restate(act: Act, action: str) -> dict[str, Any]:
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    before = [str(step.before) for step in chosen.life if step.action == action]
    parts = _of_lot(act, before) if act.get("lot") else [_of_holder(act, action, act.get("state") or before[0])]
    moves: list[Transfer] = []
    after = ""
    for holder, state, quantity, taken in parts:
        after = act.allow(action, state, {"holder": holder}).after
        if action == "expire":
            _mind_lifetime(act, taken)
        act.quantity += quantity
        moves.append(act.moving(_owner(state, holder), _owner(after, holder), quantity, reason=act.get("reason")))
    act.post(*moves)
    for holder, _, _, taken in parts:
        serials.put(act, holder, after, taken)
    told = {key: act.get(key) for key in ("lot", "reason", "document") if act.get(key)}
    holders = list(dict.fromkeys(part[0] for part in parts))
    return act.answer([one for *_, taken in parts for _, one in taken], holder="、".join(holders), state=after, **told)


def _owner(state: str, holder: str) -> str:
    """The owner of the ledger account in which units of a state lie."""
    return holder if state == "held" else f"{SUSPENDED}:{holder}" if state == "suspended" else f"@{state}"


def _of_holder(act: Act, action: str, state: str) -> Part:
    holder, quantity = name("holder", act.get("holder")), act.get("quantity")
    if quantity is None:
        raise missing(action, "quantity")
    wanted = act.get("serials")
    taken = serials.take(act, holder, quantity, wanted, state) if act.instrument.serials else []
    return holder, state, quantity, taken


def annul(act: Act) -> dict[str, Any]:
    """Take a whole lot back that was made in error: its entry is reversed, its numbers and its claim are free again."""
    act.choose(act.said["instrument"], whole=True)
    lot = _lot(act)
    step = act.allow("annul", "held", {"holder": lot.holder})
    before = act.desk.execute(sa.select(RELEASE.c.act).where(RELEASE.c.claim == lot.act)).scalar()
    if before is not None:
        raise refuse("lot-annulled", "lot", lot.act, by=before)
    blocks = act.desk.blocks.of_lot(lot.number)
    own = sum(b.last - b.first + 1 for b in blocks if (b.holder, b.state) == (lot.holder, step.before))
    if own != lot.quantity:
        raise refuse("lot-moved", "lot", lot.act, holder=lot.holder, left=own, quantity=lot.quantity)
    act.quantity = lot.quantity
    act.post(Transfer(act.entry(), reverses=lot.act, at=act.at, reason=act.because(act.get("reason"))))
    parts = [(block.first, block.last) for block in blocks]
    for block, part in zip(blocks, parts, strict=True):
        act.desk.blocks.cut(block, part)
        act.desk.insert(TOUCH, {"act": act.id, "first": part[0], "last": part[1]})
    act.desk.blocks.free(parts)
    days = act.desk.release(lot.act)
    act.desk.insert(RELEASE, {"claim": lot.act, "act": act.id, "days": days})
    if lot.report is not None:
        filings.annul(act, lot.report)
    told = {key: act.get(key) for key in ("reason", "document") if act.get(key)}
    return act.answer(parts, lot=lot.act, holder=lot.holder, state=step.after, reverses=lot.act, **told)


def _lot(act: Act) -> sa.Row[Any]:
    lot = act.desk.execute(sa.select(LOT).where(LOT.c.act == act.said["lot"])).first()
    if lot is None or lot.instrument != act.instrument.code or not act.instrument.serials:
        raise refuse("no-such-lot", "lot", act.said["lot"])
    act.mark(lot.synthetic)
    return lot


def _of_lot(act: Act, states: list[str]) -> list[Part]:
    lot = _lot(act)
    blocks = act.desk.blocks.of_lot(lot.number)
    if any(block.state in serials.HELD_BACK for block in blocks):
        raise refuse("lot-on-offer", "lot", act.said["lot"])
    chosen = [block for block in blocks if block.state in states]
    if not chosen:
        raise refuse("lot-empty", "lot", act.said["lot"])
    for block in chosen:
        act.desk.blocks.cut(block, (block.first, block.last))
    return [(b.holder, b.state, b.last - b.first + 1, [(b.lot, (b.first, b.last))]) for b in chosen]


def _mind_lifetime(act: Act, taken: serials.Taken) -> None:
    """Refuse to end units before their lifetime is over, or when the pack does not know it."""
    months = act.instrument.parameter("lifetime_months")
    if months is None:
        raise refuse("lifetime-unknown", "instrument", act.instrument.code, title=act.instrument.title)
    ends = [f"{int(act.vintage) + 1}-01-01"] if act.vintage else []
    numbers = {lot for lot, _ in taken}
    if numbers:
        chosen = sa.select(LOT.c.end).where(LOT.c.number.in_(numbers))
        ends = [str(one) for one in act.desk.execute(chosen).scalars()]
    for end in ends:
        year, month = int(end[:4]), int(end[5:7]) - 1 + int(months)
        over = f"{year + month // 12:04}-{month % 12 + 1:02}-01"
        if act.moment < instant(over):
            raise refuse("not-over", "at", over)


def claim(act: Act) -> dict[str, Any]:
    """Claim a benefit without units, such as a carbon account's deduction; the refusal names the other claim."""
    subjects, kind, attribute = act.get("subjects"), act.said["kind"], act.get("attribute") or "climate"
    if not subjects:
        raise missing("claim", "subject")
    claims.take(act, kind, attribute, subjects, act.said["period"])
    actor = act.get("actor")
    told = {"kind": kind, "attribute": attribute, "subjects": list(subjects), "period": act.said["period"]}
    return {**told, "actor": actor, "document": act.get("document")}
