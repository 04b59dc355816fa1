"""One act of the registry while its transaction is open: what it may do, and what it writes."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.transfer import Opening, Transfer, moment_text
from dualcarbon.registry.instruments import Instrument
from dualcarbon.registry.tables import BLOCK, CLAIM, CLAIMED_DAY, LOT, REGISTER, SPAN, TOUCH

RETIRED = "@retired"
ISSUER = "@issuer"
Range = tuple[int, int]


def account(ledger_code: str, holder: str) -> str:
    """The ledger account in which `holder` has an instrument."""
    return f"{ledger_code}|{holder}"


def refuse(rule: str, column: str | None = None, value: Any = None, **params: Any) -> Refused:
    """The refusal of one act."""
    return Refused(Problem(f"registry.{rule}", column=column, value=value, params=params))


class Act:
    """One act while its transaction is open."""

    def __init__(
        self,
        store: Store,
        connection: sa.Connection,
        standing: sa.Row[Any],
        recorded: int,
        id: str,
        chosen: Instrument | None,
        vintage: str | None,
        at: int | None,
    ) -> None:
        self.store, self.connection, self.standing, self.recorded = store, connection, standing, recorded
        self.id, self.chosen, self.vintage, self.at = id, chosen, vintage, at
        self.ledger_code = "" if chosen is None else chosen.ledger_code(vintage)
        self.quantity = 0
        self._register: int | None = None

    @property
    def instrument(self) -> Instrument:
        """The instrument the act is about."""
        assert self.chosen is not None
        return self.chosen

    def allow(self, action: str, state: str | None, **said: Any) -> str:
        """The state after `action`; refuses what the instrument's life does not allow or leaves unsaid."""
        step = self.instrument.step(action, state)
        if step is None:
            raise refuse("not-allowed", "action", action, title=self.instrument.title["zh"], state=state or "—")
        for name in step.needs:
            if not said.get(name):
                raise refuse("needs", name, None, name=name, action=action)
        return step.after

    def move(self, debit: str, credit: str, quantity: int, reason: str | None = None) -> None:
        """Post the act's entry in the ledger, opening what accounts are missing."""
        self.quantity = quantity
        openings = [
            Opening(
                name,
                self.ledger_code,
                name.split("|", 1)[1],
                name == account(self.ledger_code, f"{ISSUER}:{self.instrument.issuer}"),
                self.instrument.unit,
            )
            for name in (debit, credit)
        ]
        for opening in openings:
            reserved = str(opening.owner).startswith("@") and opening.owner != RETIRED and not opening.overdraft
            if reserved or not opening.account.isprintable() or len(opening.account) > 128 or not opening.owner:
                raise refuse("holder-unusable", "holder", opening.owner)
        transfer = Transfer(self.id, debit, credit, self.ledger_code, quantity, reason=reason, at=self.at)
        *opened, result = self.store.post_within(self.connection, self.standing, self.recorded, openings, [transfer])
        for one in (*opened, result):
            if one not in ("ok", "exists"):
                raise refuse("refused-by-ledger", "quantity", quantity, result=one, account=debit)

    def register(self) -> int:
        """The number of the register of this instrument and issuer; made when new."""
        if self._register is None:
            chosen = sa.select(REGISTER.c.number).where(
                REGISTER.c.instrument == self.instrument.code, REGISTER.c.issuer == self.instrument.issuer
            )
            found = self.connection.execute(chosen).scalar()
            if found is None:
                row = {"instrument": self.instrument.code, "issuer": self.instrument.issuer, "next": 1}
                self.connection.execute(REGISTER.insert(), [row])
                found = self.connection.execute(chosen).scalar_one()
            self._register = int(found)
        return self._register

    def number(self, first: int | None, quantity: int) -> Range:
        """The serial numbers of a new lot: from `first`, or the next free ones."""
        register = self.register()
        standing = self.connection.execute(sa.select(REGISTER.c.next).where(REGISTER.c.number == register)).scalar_one()
        start = standing if first is None else first
        last = start + quantity - 1
        if start < 1 or last >= SPAN:
            raise refuse("serials-unusable", "first", start)
        base = register * SPAN
        other = self.connection.execute(
            sa.select(BLOCK)
            .where(BLOCK.c.first <= base + last, BLOCK.c.last >= base + start)
            .order_by(BLOCK.c.first)
            .limit(1)
        ).first()
        if other is not None:
            raise refuse("serials-overlap", "first", start, other=serial_text(self.instrument.code, _local(other)))
        self.connection.execute(
            REGISTER.update().where(REGISTER.c.number == register).values(next=max(standing, last + 1))
        )
        return base + start, base + last

    def lot(self, subjects: Sequence[str], period: str | None, document: str | None) -> int:
        """Record what the units come from."""
        start, end = (None, None) if period is None else days(period)
        row = {
            "act": self.id,
            "register": self.register(),
            "instrument": self.instrument.code,
            "vintage": self.vintage,
            "quantity": self.quantity,
            "subjects": json.dumps(list(subjects), ensure_ascii=False),
            "start": start and start.isoformat(),
            "end": end and end.isoformat(),
            "document": document,
        }
        self.connection.execute(LOT.insert(), [row])
        return int(self.connection.execute(sa.select(LOT.c.number).where(LOT.c.act == self.id)).scalar_one())

    def take(self, holder: str, quantity: int, serials: Range | None) -> list[tuple[int, Range]]:
        """Take serial numbers out of what a holder has, splitting blocks; returns (lot, range) of what was taken."""
        base = self.register() * SPAN
        held = sa.select(BLOCK).where(
            BLOCK.c.instrument == self.instrument.code, BLOCK.c.holder == holder, BLOCK.c.state == "held"
        )
        if serials is not None:
            if serials[1] - serials[0] + 1 != quantity:
                raise refuse("serials-not-quantity", "serials", serial_text(self.instrument.code, serials))
            held = held.where(BLOCK.c.first <= base + serials[1], BLOCK.c.last >= base + serials[0])
        taken: list[tuple[int, Range]] = []
        missing = quantity
        for block in self.connection.execute(held.order_by(BLOCK.c.first)):
            first, last = block.first, min(block.last, block.first + missing - 1)
            if serials is not None:
                first, last = max(block.first, base + serials[0]), min(block.last, base + serials[1])
            self._cut(block, (first, last))
            taken.append((block.lot, (first, last)))
            missing -= last - first + 1
            if not missing:
                return taken
        raise refuse(
            "serials-not-held", "serials", serials and serial_text(self.instrument.code, serials), holder=holder
        )

    def _cut(self, block: sa.Row[Any], part: Range) -> None:
        this = BLOCK.c.number == block.number
        if part == (block.first, block.last):
            self.connection.execute(BLOCK.delete().where(this))
        elif part[0] == block.first:
            self.connection.execute(BLOCK.update().where(this).values(first=part[1] + 1))
        else:
            self.connection.execute(BLOCK.update().where(this).values(last=part[0] - 1))
            if part[1] < block.last:
                rest = {**block._mapping, "first": part[1] + 1}
                del rest["number"]
                self.connection.execute(BLOCK.insert(), [rest])

    def block(self, lot: int, holder: str, state: str, part: Range) -> None:
        """Put serial numbers into a holder's hands, joined to the neighbouring ones of the same lot."""
        final = not any(step.before == state for step in self.instrument.life)
        first, last = part
        if not final:
            same = sa.and_(BLOCK.c.lot == lot, BLOCK.c.holder == holder, BLOCK.c.state == state)
            beside = sa.or_(BLOCK.c.last == first - 1, BLOCK.c.first == last + 1)
            for other in self.connection.execute(sa.select(BLOCK).where(same, beside)).all():
                first, last = min(first, other.first), max(last, other.last)
                self.connection.execute(BLOCK.delete().where(BLOCK.c.number == other.number))
        row = {"lot": lot, "instrument": self.instrument.code, "holder": holder, "state": state, "act": self.id}
        self.connection.execute(BLOCK.insert(), [{**row, "first": first, "last": last, "final": int(final)}])
        self.connection.execute(TOUCH.insert(), [{"act": self.id, "first": part[0], "last": part[1]}])

    def claim(self, kind: str, attribute: str, subjects: Sequence[str], period: str) -> None:
        """Take the benefit of these subjects in this period; refuses when any of it is taken, naming by what."""
        start, end = days(period)
        dates = [(start + timedelta(days=n)).isoformat() for n in range((end - start).days)]
        for subject in subjects:
            taken = self.connection.execute(
                sa.select(CLAIMED_DAY)
                .where(CLAIMED_DAY.c.attribute == attribute, CLAIMED_DAY.c.subject == subject)
                .where(CLAIMED_DAY.c.day >= dates[0], CLAIMED_DAY.c.day <= dates[-1])
                .order_by(CLAIMED_DAY.c.day)
                .limit(1)
            ).first()
            if taken is not None:
                other = describe_claim(self.connection, taken.act)
                raise refuse("already-claimed", "subject", subject, day=taken.day, other=other)
        row = {"act": self.id, "kind": kind, "attribute": attribute, "start": dates[0], "end": end.isoformat()}
        told = json.dumps(list(subjects), ensure_ascii=False)
        self.connection.execute(CLAIM.insert(), [{**row, "subjects": told}])
        rows = [
            {"attribute": attribute, "subject": subject, "day": day, "act": self.id}
            for subject in dict.fromkeys(subjects)
            for day in dates
        ]
        self.connection.execute(CLAIMED_DAY.insert(), rows)

    def answer(self, ranges: Iterable[Range], **said: Any) -> dict[str, Any]:
        """The answer of an act that moved units."""
        code = self.instrument.code
        local = [(first % SPAN, last % SPAN) for first, last in ranges]
        return {
            "instrument": code,
            "vintage": self.vintage,
            "quantity": self.quantity,
            "unit": self.instrument.unit,
            **said,
            "serials": [{"first": one[0], "last": one[1], "text": serial_text(code, one)} for one in local],
            "entry": self.id,
            "at": moment_text(self.recorded if self.at is None else self.at),
        }


def _local(block: sa.Row[Any]) -> Range:
    return block.first % SPAN, block.last % SPAN


def serial_text(code: str, part: Range) -> str:
    """Serial numbers as people read them: `gec:1-1000`."""
    first, last = part
    return f"{code}:{first}" if first == last else f"{code}:{first}-{last}"


def describe_claim(connection: sa.Connection, act: str) -> str:
    """A claim in words: what kind, the act that made it, its period and serial numbers."""
    claim = connection.execute(sa.select(CLAIM).where(CLAIM.c.act == act)).one()
    found = connection.execute(sa.select(TOUCH).where(TOUCH.c.act == act)).all()
    serials = "、".join(serial_text(claim.kind, _local(one)) for one in found)
    last = date.fromisoformat(claim.end) - timedelta(days=1)
    return f"{serials or claim.kind}（{act}，{claim.start}—{last}）"


def days(period: str) -> tuple[date, date]:
    """First day and the day after the last of a period text. Raises Refused (`registry.period-not-understood`)."""
    try:
        parsed = periods.parse(period)
    except (ValueError, Refused):
        raise refuse("period-not-understood", "period", period) from None
    return parsed.start, parsed.end
