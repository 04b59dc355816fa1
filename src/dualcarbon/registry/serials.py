"""Serial numbers: numbering new lots, taking ranges out of what a holder has, putting them into other hands.

A range is (first, last), both included; in the database the register's stretch of `SPAN` numbers is added to it.
"""

import sqlalchemy as sa

from dualcarbon.registry.act import Act
from dualcarbon.registry.tables import ACT, BLOCK, LOT, REGISTER, SPAN, TOUCH
from dualcarbon.registry.words import Range, refuse, serial_text

HELD_BACK = ("offered", "reserved")
AT_ONCE = 50
Taken = list[tuple[int, Range]]


def register(act: Act) -> int:
    """The number of the register of the act's instrument and issuer; made when new."""
    if act.register_number is None:
        own = {"instrument": act.instrument.code, "issuer": act.instrument.issuer}
        chosen = sa.select(REGISTER.c.number).filter_by(**own)
        found = act.connection.execute(chosen).scalar()
        if found is None:
            act.connection.execute(REGISTER.insert(), [{**own, "next": 1}])
            found = act.connection.execute(chosen).scalar_one()
        act.register_number = int(found)
    return act.register_number


def number(act: Act, first: int | None, quantity: int) -> Range:
    """The serial numbers of a new lot: from `first`, or the next free ones. Raises Refused when any is taken."""
    own = register(act)
    standing = act.connection.execute(sa.select(REGISTER.c.next).where(REGISTER.c.number == own)).scalar_one()
    start = standing if first is None else first
    last = start + quantity - 1
    if start < 1 or last >= SPAN:
        raise refuse("serials-unusable", "first", start)
    base = own * SPAN
    within = sa.and_(BLOCK.c.first <= base + last, BLOCK.c.last >= base + start)
    other = act.connection.execute(sa.select(BLOCK).where(within).order_by(BLOCK.c.first).limit(1)).first()
    if other is not None:
        told = serial_text(act.instrument.code, (other.first % SPAN, other.last % SPAN))
        raise refuse("serials-overlap", "first", start, other=told)
    act.connection.execute(REGISTER.update().where(REGISTER.c.number == own).values(next=max(standing, last + 1)))
    return base + start, base + last


def take(
    act: Act, holder: str, quantity: int, serials: Range | None = None, state: str = "held", of: str | None = None
) -> Taken:
    """Take numbers out of what a holder has in a state, splitting blocks: the lowest, or just `serials`.

    `of` is the offer or trade that holds them back. Returns (lot, range) of what was taken. Raises Refused.
    """
    base = register(act) * SPAN
    held = sa.select(BLOCK).where(
        BLOCK.c.instrument == act.instrument.code, BLOCK.c.holder == holder, BLOCK.c.state == state
    )
    if of is not None:
        held = held.where(BLOCK.c.act == of)
    if serials is not None:
        if serials[1] - serials[0] + 1 != quantity:
            raise refuse("serials-not-quantity", "serials", serial_text(act.instrument.code, serials))
        held = held.where(BLOCK.c.first <= base + serials[1], BLOCK.c.last >= base + serials[0])
    taken: Taken = []
    missing = quantity
    while blocks := act.connection.execute(held.order_by(BLOCK.c.first).limit(AT_ONCE)).all():
        for block in blocks:
            first, last = block.first, min(block.last, block.first + missing - 1)
            if serials is not None:
                first, last = max(block.first, base + serials[0]), min(block.last, base + serials[1])
            _cut(act, block, (first, last))
            taken.append((block.lot, (first, last)))
            missing -= last - first + 1
            if not missing:
                act.mark_from(LOT.c.number.in_({lot for lot, _ in taken}))
                return taken
    raise refuse("serials-not-held", "serials", serials and serial_text(act.instrument.code, serials), holder=holder)


def _cut(act: Act, block: "sa.Row[tuple[int, ...]]", part: Range) -> None:
    this = BLOCK.c.number == block.number
    if part == (block.first, block.last):
        act.connection.execute(BLOCK.delete().where(this))
    elif part[0] == block.first:
        act.connection.execute(BLOCK.update().where(this).values(first=part[1] + 1))
    else:
        act.connection.execute(BLOCK.update().where(this).values(last=part[0] - 1))
        if part[1] < block.last:
            rest = {**block._mapping, "first": part[1] + 1}
            del rest["number"]
            act.connection.execute(BLOCK.insert(), [rest])


def put(act: Act, holder: str, state: str, taken: Taken, of: str | None = None) -> None:
    """Put serial numbers into a holder's hands in a state; what is free joins its neighbours of the same lot."""
    final = act.instrument.is_final(state)
    for lot, part in taken:
        first, last = part
        if not final and state not in HELD_BACK:
            same = sa.and_(BLOCK.c.lot == lot, BLOCK.c.holder == holder, BLOCK.c.state == state)
            beside = sa.or_(BLOCK.c.last == first - 1, BLOCK.c.first == last + 1)
            for other in act.connection.execute(sa.select(BLOCK).where(same, beside)).all():
                first, last = min(first, other.first), max(last, other.last)
                act.connection.execute(BLOCK.delete().where(BLOCK.c.number == other.number))
        row = {"lot": lot, "instrument": act.instrument.code, "holder": holder, "state": state, "act": of or act.id}
        act.connection.execute(BLOCK.insert(), [{**row, "first": first, "last": last, "final": int(final)}])
        act.connection.execute(TOUCH.insert(), [{"act": act.id, "first": part[0], "last": part[1]}])


def mind_transfers(act: Act, taken: Taken) -> None:
    """Refuse units that were transferred as often as the pack's `transfers_at_most` allows; no limit while open."""
    most = act.instrument.parameter("transfers_at_most")
    if most is None:
        return
    moved = ACT.c.action.in_(("transfer", "settle"))
    for _, (first, last) in taken:
        over = sa.and_(TOUCH.c.first <= last, TOUCH.c.last >= first, TOUCH.c.act != act.id)
        chosen = sa.select(sa.func.count()).select_from(TOUCH.join(ACT, ACT.c.id == TOUCH.c.act)).where(moved, over)
        if act.connection.execute(chosen).scalar_one() >= most:
            text = serial_text(act.instrument.code, (first % SPAN, last % SPAN))
            raise refuse("transferred-enough", "serials", text, most=most)
