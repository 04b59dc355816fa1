"""Trading: offers (挂牌 or agreement), acceptance, matching, and delivery against payment, all in the ledger's terms.

A sale's units are held back by a pending entry. An acceptance ends that entry and makes two: units from seller to buyer
and the payment from buyer to seller; settling posts both, voiding frees both, and after the due time both lapse. The
entries of one act are linked: all or none. Payments are records in 0.01 yuan beside the units; no money moves here.
"""

import json
from typing import Any

import sqlalchemy as sa

from dualcarbon.ledger.transfer import Transfer, moment_text
from dualcarbon.registry import matching, rights, serials
from dualcarbon.registry.act import OFFERED, Act
from dualcarbon.registry.tables import OFFER, TRADE
from dualcarbon.registry.words import listed, name, refuse, state_words

Row = sa.Row[Any]
SELL, BUY = "sell", "buy"


def offer(act: Act) -> dict[str, Any]:
    """Offer units for sale, or to buy; to everyone (listing) or to one `counterparty` (agreement)."""
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    side, party, other = act.get("side") or SELL, name("holder", act.get("holder")), act.get("counterparty")
    if side not in (SELL, BUY):
        raise refuse("side-unknown", "side", side)
    way = "agreement" if other else "listing"
    _mind_way(act, way)
    if other is not None and name("counterparty", other) == party:
        raise refuse("same-holder", "counterparty", other)
    act.quantity, price, expires = act.said["quantity"], act.said["price"], act.get("expires")
    kind, entry, taken = rights.kind_of(act), None, []
    if expires is not None and expires <= act.moment:
        raise refuse("expires-too-early", "expires", moment_text(expires))
    if side == SELL:
        act.allow("offer", "held", {"seller": party})
        rights.mind_cap(act, party, kind, act.quantity)
        held = act.moving(party, OFFERED, act.quantity, state="pending", expires=expires)
        act.post(held)
        entry = held.id
        taken = serials.take(act, party, act.quantity, act.get("serials")) if chosen.serials else []
        serials.put(act, party, "offered", taken)
    else:
        act.permit(("buyer",), {"buyer": party})
    row = {
        "id": act.id, "instrument": chosen.code, "vintage": act.vintage, "kind": kind, "side": side, "way": way,
        "party": party, "counterparty": other, "place": act.get("place"), "quantity": act.quantity,
        "left": act.quantity, "price": price, "expires": expires, "state": "open", "entry": entry, "at": act.moment,
        "synthetic": act.synthetic,
    }  # fmt: skip
    act.desk.insert(OFFER, row)
    told = {"side": side, "way": way, "holder": party, "counterparty": other, "kind": kind, "price": price}
    return act.answer([part for _, part in taken], **told, expires=moment_text(expires))


def accept(act: Act) -> dict[str, Any]:
    """Take an offer, whole or in part: a trade that waits for payment and delivery."""
    found = _open(act, act.said["offer"])
    act.choose(found.instrument, found.vintage)
    party = name("holder", act.get("holder"))
    if found.counterparty not in (None, party):
        raise refuse("not-the-counterparty", "holder", party, party=found.counterparty)
    if found.party == party:
        raise refuse("same-holder", "holder", party)
    quantity = act.get("quantity") or found.left
    if quantity > found.left:
        raise refuse("more-than-left", "quantity", quantity, left=found.left)
    act.quantity = quantity
    if found.side == SELL:
        act.allow("accept", "offered", {"buyer": party})
        trade, taken = _bind(act, act.id, found, None, party, found.price)
    else:
        act.allow("accept", "held", {"seller": party})
        trade, taken = _bind(act, act.id, None, found, party, found.price)
    return act.answer([part for _, part in taken], **trade)


def match(act: Act) -> dict[str, Any]:
    """Bring together all listings that meet, by price and time; each pair is a trade that waits for payment."""
    chosen = act.choose(act.said["instrument"], act.get("vintage"))
    _mind_way(act, "matching")
    act.allow("match", "offered", {})
    asks, bids = ([_order(row) for row in _book(act, side)] for side in (SELL, BUY))
    trades, ranges = [], []
    for count, pair in enumerate(matching.pairs(asks, bids)):
        ask, bid = (act.desk.execute(sa.select(OFFER).where(OFFER.c.number == n)).one() for n in pair[:2])
        act.quantity = pair.quantity
        trade, taken = _bind(act, f"{act.id}.{count + 1}", ask, bid, "", pair.price)
        trades.append({**trade, "quantity": pair.quantity})
        ranges += [part for _, part in taken]
    act.quantity = sum(trade["quantity"] for trade in trades)
    return act.answer(ranges, trades=trades, unit=chosen.unit)


def _order(row: Row) -> matching.Order:
    return matching.Order(row.number, row.party, row.left, row.price)


def _book(act: Act, side: str) -> list[Row]:
    chosen = sa.select(OFFER).where(OFFER.c.instrument == act.instrument.code, OFFER.c.state == "open")
    chosen = chosen.where(OFFER.c.side == side, OFFER.c.way == "listing")
    if act.vintage is not None:
        chosen = chosen.where(OFFER.c.vintage == act.vintage)
    rows = act.desk.execute(chosen.order_by(OFFER.c.number)).all()
    return [row for row in rows if row.expires is None or row.expires > act.moment]


def _bind(
    act: Act, trade: str, ask: Row | None, bid: Row | None, party: str, price: int
) -> tuple[dict[str, Any], serials.Taken]:
    """Make the trade of an ask, a bid, or both; `party` is the side that had made no offer."""
    given = ask or bid
    assert given is not None
    chosen = act.instrument
    seller, buyer = (ask.party if ask else party), (bid.party if bid else party)
    quantity, due = act.quantity, act.get("due")
    places = (ask.place if ask else act.get("place")), (bid.place if bid else act.get("place"))
    if due is not None and due <= act.moment:
        raise refuse("expires-too-early", "due", moment_text(due))
    if ask is None:
        rights.mind_cap(act, seller, given.kind, quantity)
    crossing = rights.crossing(act, *places, quantity) if all(places) else None
    cost = matching.amount(price, quantity, chosen.trade["per"])
    moves: list[Transfer] = [act.ending(ask.entry, "void")] if ask else []
    waiting = [act.moving(seller, buyer, quantity, state="pending", expires=due)]
    if cost:
        waiting.append(act.paying(buyer, seller, cost, state="pending", expires=due))
    if crossing and crossing["extra"]:
        waiting.append(act.moving(seller, "@cancelled", crossing["extra"], state="pending", expires=due))
    moves += waiting
    rest = None
    if ask and ask.left > quantity:
        rest = act.moving(seller, OFFERED, ask.left - quantity, state="pending", expires=ask.expires)
        moves.append(rest)
    act.post(*moves)
    for one in (ask, bid):
        if one is not None:
            act.mark(one.synthetic)
            left = {"left": one.left - quantity, "state": "open" if one.left > quantity else "filled"}
            entry = {"entry": rest.id if rest else None} if one is ask else {}
            act.desk.execute(OFFER.update().where(OFFER.c.id == one.id).values(**left, **entry))
    taken: serials.Taken = []
    if chosen.serials:
        taken = serials.take(act, seller, quantity, None, *(("offered", ask.id) if ask else ("held",)))
        serials.mind_transfers(act, taken)
        serials.put(act, seller, "reserved", taken, trade)
    way = "matching" if ask and bid else given.way
    row = {
        "id": trade, "act": act.id, "instrument": chosen.code, "vintage": act.vintage, "kind": given.kind,
        "way": way, "offer": given.id, "seller": seller, "buyer": buyer, "seller_place": places[0],
        "buyer_place": places[1], "quantity": quantity, "price": price, "amount": cost, "state": "pending",
        "due": due, "at": act.moment, "settled": None, "payment": None, "document": act.get("document"),
        "entry": json.dumps([move.id for move in waiting]),
        "synthetic": act.synthetic,
    }  # fmt: skip
    act.desk.insert(TRADE, row)
    told = {key: row[key] for key in ("seller", "buyer", "price", "amount", "way", "kind", "offer")}
    return {"trade": trade, **told, "state": "pending", "due": moment_text(due), "cross_region": crossing}, taken


def withdraw(act: Act) -> dict[str, Any]:
    """Take back what is left of an offer."""
    found = _open(act, act.said["offer"], overdue=True)
    act.choose(found.instrument, found.vintage)
    act.quantity = found.left
    if found.side == SELL:
        act.allow("withdraw", "offered", {"seller": found.party})
    else:
        act.permit(("buyer",), {"buyer": found.party})
    over = found.expires is not None and found.expires <= act.moment
    return _unoffer(act, found, "expire" if over else "void", "withdrawn")


def _unoffer(act: Act, found: Row, ending: str, state: str) -> dict[str, Any]:
    taken: serials.Taken = []
    if found.side == SELL:
        act.post(act.ending(found.entry, ending))
        if act.instrument.serials:
            taken = serials.take(act, found.party, found.left, None, "offered", found.id)
            serials.put(act, found.party, "held", taken)
    act.desk.execute(OFFER.update().where(OFFER.c.id == found.id).values(state=state, entry=None))
    return act.answer([part for _, part in taken], offer=found.id, holder=found.party, state=state)


def settle(act: Act) -> dict[str, Any]:
    """Payment is in: post units and payment together."""
    found = _pending(act, act.said["trade"])
    act.allow("settle", "reserved", {"seller": found.seller, "buyer": found.buyer})
    if found.due is not None and found.due <= act.moment:
        raise refuse("trade-overdue", "trade", found.id, due=moment_text(found.due))
    return _end(act, found, "post", found.buyer, "settled")


def void(act: Act) -> dict[str, Any]:
    """Undo a trade before it is settled; units and payment are free again, all or none."""
    found = _pending(act, act.said["trade"])
    act.allow("void", "reserved", {"seller": found.seller, "buyer": found.buyer})
    over = found.due is not None and found.due <= act.moment
    return _end(act, found, "expire" if over else "void", found.seller, "voided")


def lapse(act: Act) -> dict[str, Any]:
    """End an offer or a trade whose time has run out."""
    if act.get("offer"):
        offered = _open(act, act.said["offer"], overdue=True)
        act.choose(offered.instrument, offered.vintage)
        act.allow("lapse", "offered", {})
        act.quantity = offered.left
        if offered.expires is None or offered.expires > act.moment:
            raise refuse("not-over", "offer", moment_text(offered.expires))
        return _unoffer(act, offered, "expire", "lapsed")
    found = _pending(act, act.get("trade"))
    act.allow("lapse", "reserved", {})
    if found.due is None or found.due > act.moment:
        raise refuse("not-over", "trade", moment_text(found.due))
    return _end(act, found, "expire", found.seller, "lapsed")


def _end(act: Act, found: Row, ending: str, holder: str, state: str) -> dict[str, Any]:
    act.quantity = found.quantity
    act.post(*(act.ending(entry, ending) for entry in json.loads(found.entry)))
    taken: serials.Taken = []
    if act.instrument.serials:
        taken = serials.take(act, found.seller, found.quantity, None, "reserved", found.id)
        serials.put(act, holder, "held", taken)
    settled = {"settled": act.moment, "payment": act.get("payment")} if state == "settled" else {}
    act.desk.execute(TRADE.update().where(TRADE.c.id == found.id).values(state=state, **settled))
    told = {key: getattr(found, key) for key in ("seller", "buyer", "price", "amount", "way", "kind")}
    words = {key: act.get(key) for key in ("payment", "reason") if act.get(key)}
    return act.answer([part for _, part in taken], trade=found.id, **told, state=state, **words)


def _open(act: Act, id: str, *, overdue: bool = False) -> Row:
    found = act.desk.execute(sa.select(OFFER).where(OFFER.c.id == id)).first()
    if found is None:
        raise refuse("no-such-offer", "offer", id)
    if found.state != "open":
        raise refuse("offer-not-open", "offer", id, state=state_words(found.state))
    if not overdue and found.expires is not None and found.expires <= act.moment:
        raise refuse("offer-over", "offer", id, expires=moment_text(found.expires))
    act.mark(found.synthetic)
    return found


def _pending(act: Act, id: str | None) -> Row:
    found = act.desk.execute(sa.select(TRADE).where(TRADE.c.id == id)).first()
    if found is None:
        raise refuse("no-such-trade", "trade", id)
    if found.state != "pending":
        raise refuse("trade-not-pending", "trade", id, state=state_words(found.state))
    act.choose(found.instrument, found.vintage)
    act.mark(found.synthetic)
    return found


def _mind_way(act: Act, way: str) -> None:
    ways = act.instrument.trade["ways"]
    if way not in ways:
        raise refuse("way-not-open", "instrument", act.instrument.code, title=act.instrument.title, way=way,
                     ways=listed(ways))  # fmt: skip
