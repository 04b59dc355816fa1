"""Blocks of serial numbers in the memory of one transaction: whole lots are read, changed, and written as a set.

A lot is read whole as far as it is not at its end, so that a block's neighbours are always known.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from dualcarbon.registry import sets
from dualcarbon.registry.tables import BLOCK, LOT
from dualcarbon.registry.words import Range

PAGE = 50
AT_ONCE = 5000
END = 2**63
Hand = tuple[str, str, str]  # instrument, holder, state


class Block(NamedTuple):
    """A range of serial numbers of one lot in one hand; `number` is None while it is not in the database."""

    number: int | None
    lot: int
    instrument: str
    holder: str
    state: str
    first: int
    last: int
    act: str


Parts = list[tuple[Block, Range]]


class Blocks:
    """What is known of the blocks; `synthetic` says of the lots that were read whether they are made up."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.synthetic: dict[int, int] = {}
        self._new: list[Range] = []
        self._forget()

    def _forget(self) -> None:
        self._final: list[Block] = []
        self._gone: list[int] = []
        self._starts: dict[int, Block] = {}
        self._ends: dict[int, Block] = {}
        self._hands: dict[Hand, list[int]] = defaultdict(list)
        self._lots: dict[int, set[int]] = {}
        self._read: dict[Hand, int] = {}
        self._pages: dict[Hand, int] = {}
        self._covered: dict[Range, Block | None] = {}

    def write(self) -> None:
        """Write what changed and forget what was read."""
        if self._gone:
            gone = BLOCK.delete().where(BLOCK.c.number == sa.bindparam("gone"))
            self.connection.execute(gone, [{"gone": number} for number in self._gone])
        rows = [(block, 0) for block in self._starts.values() if block.number is None]
        rows += [(block, 1) for block in self._final]
        kept = [{**block._asdict(), "final": final} for block, final in rows]
        for row in kept:
            del row["number"]
        sets.insert(self.connection, BLOCK, kept)
        self._forget()

    # --- reading --------------------------------------------------------------------------------------------------

    def overlap(self, part: Range) -> Range | None:
        """A range that is registered already and shares numbers with this one; None when all of it is free."""
        at = bisect_left(self._new, part)
        for other in self._new[max(0, at - 1) : at + 1]:
            if other[0] <= part[1] and other[1] >= part[0]:
                return other
        if part not in self._covered:
            self.cover([part])
        found = self._covered[part]
        return None if found is None else (found.first, found.last)

    def cover(self, parts: Sequence[Range]) -> None:
        """Read what lies in the ranges, and its lots."""
        wanted, rows = self._asked({"low": "integer", "high": "integer"}, parts)
        # Blocks are disjoint: what reaches into a range begins in it, or is the last that begins before it.
        found = self.connection.execute(
            sa.text(
                f"{wanted} SELECT w.place, b.* FROM wanted AS w JOIN registry_block AS b ON b.first <= w.high"
                " AND b.first >= COALESCE((SELECT max(o.first) FROM registry_block AS o WHERE o.first <= w.low), w.low)"
                " WHERE b.last >= w.low ORDER BY b.first"
            ),
            rows,
        ).all()
        self._covered |= dict.fromkeys(parts)
        self._covered |= {parts[row.place]: _block(row) for row in reversed(found)}
        self._load(row.lot for row in found if not row.final)

    def ahead(self, hands: Iterable[Hand]) -> None:
        """Read the lowest serial numbers of each hand."""
        own = list(dict.fromkeys(hands))
        wanted, rows = self._asked({"instrument": "text", "holder": "text", "state": "text"}, own)
        found = self.connection.execute(
            sa.text(
                f"{wanted} SELECT place, lot, first FROM (SELECT w.place, b.lot, b.first,"
                " row_number() OVER (PARTITION BY w.place ORDER BY b.first) AS rank FROM wanted AS w"
                " JOIN registry_block AS b ON b.instrument = w.instrument AND b.holder = w.holder"
                f" AND b.state = w.state) AS ranked WHERE rank <= {PAGE} ORDER BY place, first"
            ),
            rows,
        ).all()
        firsts: dict[int, list[int]] = defaultdict(list)
        for row in found:
            firsts[row.place].append(row.first)
        for place, hand in enumerate(own):
            self._read[hand] = firsts[place][-1] if len(firsts[place]) == PAGE else END
        self._load(row.lot for row in found)

    def lowest(self, hand: Hand, quantity: int, of: str | None = None) -> Parts:
        """The lowest `quantity` serial numbers in a hand, fewer when it has no more; `of`: only those it holds back."""
        if of is not None:
            self._load(self.connection.execute(sa.select(BLOCK.c.lot).where(BLOCK.c.act == of)).scalars())
        while True:
            parts: Parts = []
            missing, read = quantity, END if of is not None else self._read.get(hand, -1)
            for first in self._hands[hand]:
                block = self._starts[first]
                if first > read:
                    break
                if of in (None, block.act):
                    last = min(block.last, first + missing - 1)
                    parts.append((block, (first, last)))
                    missing -= last - first + 1
                    if not missing:
                        return parts
            if read == END:
                return parts
            self._more(hand)

    def within(self, hand: Hand, part: Range, of: str | None = None) -> Parts:
        """The serial numbers of a range that are in a hand."""
        if part not in self._covered:
            self.cover([part])
        firsts, parts = self._hands[hand], []
        for first in firsts[max(0, bisect_left(firsts, part[0]) - 1) :]:
            block = self._starts[first]
            if first > part[1]:
                break
            if block.last >= part[0] and of in (None, block.act):
                parts.append((block, (max(first, part[0]), min(block.last, part[1]))))
        return parts

    def of_lot(self, lot: int) -> list[Block]:
        """What of a lot is not at its end, by serial number."""
        self._load([lot])
        return [self._starts[first] for first in sorted(self._lots[lot])]

    def _more(self, hand: Hand) -> None:
        page = self._pages.get(hand, PAGE)
        self._pages[hand] = page * 4
        own = (BLOCK.c.instrument == hand[0], BLOCK.c.holder == hand[1], BLOCK.c.state == hand[2])
        chosen = sa.select(BLOCK.c.first, BLOCK.c.lot).where(*own, BLOCK.c.first > self._read.get(hand, -1))
        found = self.connection.execute(chosen.order_by(BLOCK.c.first).limit(page)).all()
        self._read[hand] = found[-1].first if len(found) == page else END
        self._load(row.lot for row in found)

    def _load(self, lots: Iterable[int]) -> None:
        new = sorted(set(lots) - self._lots.keys())
        self._lots |= {lot: set() for lot in new}
        for start in range(0, len(new), AT_ONCE):
            joined = sa.select(BLOCK, LOT.c.synthetic).join(LOT, LOT.c.number == BLOCK.c.lot)
            chosen = joined.where(BLOCK.c.lot.in_(new[start : start + AT_ONCE]), BLOCK.c.final == 0)
            for row in self.connection.execute(chosen):
                self.synthetic[row.lot] = row.synthetic
                self._add(_block(row))

    def _asked(self, columns: dict[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, dict[str, Any]]:
        return sets.asked(self.connection.dialect.name, columns, rows)

    # --- changing -------------------------------------------------------------------------------------------------

    def new(self, lot: int, part: Range, synthetic: int) -> None:
        """Note a new lot with its range."""
        self._lots[lot] = set()
        self.synthetic[lot] = synthetic
        insort(self._new, part)

    def free(self, parts: Sequence[Range]) -> None:
        """Let the numbers of a lot that is taken back be free again."""
        self._new = [one for one in self._new if not any(one[0] <= first <= one[1] for first, _ in parts)]

    def cut(self, block: Block, part: Range) -> None:
        """Take a range out of a block; what is left of it stays where it is."""
        self._remove(block)
        for first, last in ((block.first, part[0] - 1), (part[1] + 1, block.last)):
            if first <= last:
                self._add(block._replace(number=None, first=first, last=last))

    def put(self, block: Block, *, final: bool, joins: bool) -> None:
        """Put a range into a hand; one that `joins` becomes one with its neighbours of the same lot and hand."""
        if final:
            self._final.append(block)
            return
        own = (block.lot, block.holder, block.state)
        for other in (self._ends.get(block.first - 1), self._starts.get(block.last + 1)) if joins else ():
            if other is not None and (other.lot, other.holder, other.state) == own:
                self._remove(other)
                first, last = min(block.first, other.first), max(block.last, other.last)
                block = block._replace(first=first, last=last)
        self._add(block)

    def _add(self, block: Block) -> None:
        self._starts[block.first] = self._ends[block.last] = block
        self._lots.setdefault(block.lot, set()).add(block.first)
        insort(self._hands[block.instrument, block.holder, block.state], block.first)

    def _remove(self, block: Block) -> None:
        del self._starts[block.first], self._ends[block.last]
        self._lots[block.lot].discard(block.first)
        firsts = self._hands[block.instrument, block.holder, block.state]
        del firsts[bisect_left(firsts, block.first)]
        if block.number is not None:
            self._gone.append(block.number)


def _block(row: Any) -> Block:
    return Block(*(getattr(row, name) for name in Block._fields))
