"""Serial numbers: numbering new lots, taking ranges out of what a holder has, putting them into other hands.

A range is (first, last), both included; in the database the register's stretch of `SPAN` numbers is added to it.
"""

import sqlalchemy as sa

from dualcarbon.registry.act import Act
from dualcarbon.registry.blocks import Block
from dualcarbon.registry.tables import ACT, SPAN, TOUCH
from dualcarbon.registry.words import Range, refuse, serial_text

HELD_BACK = ("offered", "reserved")
Taken = list[tuple[int, Range]]


def register(act: Act) -> int:
    """The number of the register of the act's instrument and issuer; made when new."""
    return act.desk.register(act.instrument.code, act.instrument.issuer)[0]


def number(act: Act, lot: int, first: int | None, quantity: int) -> Range:
    """The serial numbers of a new lot: from `first`, or the next free ones. Raises Refused when any is taken."""
    code = act.instrument.code
    own, standing = act.desk.register(code, act.instrument.issuer)
    start = standing if first is None else first
    last = start + quantity - 1
    if start < 1 or last >= SPAN:
        raise refuse("serials-unusable", "first", start)
    part = own * SPAN + start, own * SPAN + last
    other = act.desk.blocks.overlap(part)
    if other is not None:
        raise refuse("serials-overlap", "first", start, other=serial_text(code, local(other)))
    act.desk.advance(code, last + 1)
    act.desk.blocks.new(lot, part, act.synthetic)
    return part


def local(part: Range) -> Range:
    """A range as its register counts it."""
    return part[0] % SPAN, part[1] % SPAN


def take(
    act: Act, holder: str, quantity: int, serials: Range | None = None, state: str = "held", of: str | None = None
) -> Taken:
    """Take numbers out of what a holder has in a state, splitting blocks: the lowest, or just `serials`.

    `of` is the offer or trade that holds them back. Returns (lot, range) of what was taken. Raises Refused.
    """
    blocks, hand = act.desk.blocks, (act.instrument.code, holder, state)
    if serials is None:
        parts = blocks.lowest(hand, quantity, of)
    else:
        if serials[1] - serials[0] + 1 != quantity:
            raise refuse("serials-not-quantity", "serials", serial_text(act.instrument.code, serials))
        base = register(act) * SPAN
        parts = blocks.within(hand, (base + serials[0], base + serials[1]), of)
    if sum(last - first + 1 for _, (first, last) in parts) != quantity:
        told = serials and serial_text(act.instrument.code, serials)
        raise refuse("serials-not-held", "serials", told, holder=holder)
    for block, part in parts:
        blocks.cut(block, part)
        act.mark(blocks.synthetic[block.lot])
    return [(block.lot, part) for block, part in parts]


def put(act: Act, holder: str, state: str, taken: Taken, of: str | None = None) -> None:
    """Put serial numbers into a holder's hands in a state; what is free joins its neighbours of the same lot."""
    final = act.instrument.is_final(state)
    for lot, part in taken:
        block = Block(None, lot, act.instrument.code, holder, state, *part, of or act.id)
        act.desk.blocks.put(block, final=final, joins=state not in HELD_BACK)
        act.desk.insert(TOUCH, {"act": act.id, "first": part[0], "last": part[1]})


def mind_transfers(act: Act, taken: Taken) -> None:
    """Refuse units that were transferred as often as the pack's `transfers_at_most` allows; no limit while open."""
    most = act.instrument.parameter("transfers_at_most")
    if most is None:
        return
    moved = ACT.c.action.in_(("transfer", "settle"))
    for _, (first, last) in taken:
        over = sa.and_(TOUCH.c.first <= last, TOUCH.c.last >= first, TOUCH.c.act != act.id)
        chosen = sa.select(sa.func.count()).select_from(TOUCH.join(ACT, ACT.c.id == TOUCH.c.act)).where(moved, over)
        if act.desk.execute(chosen).scalar_one() >= most:
            text = serial_text(act.instrument.code, local((first, last)))
            raise refuse("transferred-enough", "serials", text, most=most)
