"""The registry: issue or import units, transfer, retire and claim them. Each act is one transaction with the ledger.

What a holder has is a balance in the ledger; for instruments with serial numbers the registry keeps beside it which
numbers those are, and their count always equals the balance. An act has a client-made id: the same id with the same
content answers again, with other content it is refused.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.tables import LEDGER
from dualcarbon.ledger.transfer import MOST, instant
from dualcarbon.registry.act import ISSUER, RETIRED, Act, Range, account, refuse
from dualcarbon.registry.instruments import Instrument, instrument
from dualcarbon.registry.tables import ACT, CLAIMED_DAY, METADATA, SPAN

Work = Callable[[Act], dict[str, Any]]
DRY = {"ok": "would_be_ok"}


class _DryRun(Exception):
    """Carries the answer of an act that must leave nothing behind."""


class Registry:
    """The registry over a ledger; `pack` gives the instruments."""

    def __init__(self, store: Store, pack: str = "cn-jiaxing") -> None:
        self.store, self.engine, self.pack = store, store.engine, pack

    def install(self) -> None:
        """Create the ledger and the registry's tables where they are missing."""
        self.store.install()
        if not sa.inspect(self.engine).has_table(CLAIMED_DAY.name):
            self.store.transaction(lambda connection, standing, recorded: METADATA.create_all(connection))

    def issue(
        self,
        id: str,
        code: str,
        holder: str,
        quantity: int,
        *,
        subjects: Sequence[str] = (),
        period: str | None = None,
        vintage: str | None = None,
        document: str | None = None,
        at: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Make units of an instrument that is issued here.

        `subjects` are the meter and project the units come from, `period` when (`2024-03`), `document` the report or
        decision. Returns the answer `{id, result, instrument, quantity, serials, entry}`; `dry_run` changes nothing.
        Raises Refused.
        """
        said: dict[str, Any] = {"subjects": subjects, "period": period, "vintage": vintage, "document": document}
        return self.together([self.making("issue", id, code, holder, quantity, at=at, **said)], dry_run=dry_run)[0]

    def making(
        self,
        action: str,
        id: str,
        code: str,
        holder: str,
        quantity: int,
        *,
        subjects: Sequence[str] = (),
        period: str | None = None,
        vintage: str | None = None,
        document: str | None = None,
        first: int | None = None,
        at: str | None = None,
    ) -> "Prepared":
        """Prepare to issue units, or to `import` units that another register issued, with their first serial number."""
        chosen = instrument(code, self.pack)
        asked = {
            "action": action,
            "instrument": code,
            "holder": holder,
            "quantity": quantity,
            "subjects": list(subjects),
            "period": period,
            "vintage": vintage,
            "document": document,
            "first": first,
        }
        if action == "issue" and chosen.issued != "here":
            raise refuse("issued-elsewhere", "instrument", code, issuer=chosen.issuer)
        if action == "import" and chosen.issued != "elsewhere":
            raise refuse("issued-here", "instrument", code)

        def work(act: Act) -> dict[str, Any]:
            act.allow(action, None, subject=subjects, period=period, document=document)
            act.move(account(act.ledger_code, f"{ISSUER}:{chosen.issuer}"), account(act.ledger_code, holder), quantity)
            if chosen.attribute is not None:
                act.claim(chosen.code, chosen.attribute, subjects, str(period))
            lot, ranges = act.lot(subjects, period, document), []
            if chosen.serials:
                ranges = [act.number(first, quantity)]
                act.block(lot, holder, "held", ranges[0])
            return act.answer(ranges, holder=holder)

        return _prepared(id, chosen, asked, vintage, at, work)

    def transfer(
        self,
        id: str,
        code: str,
        seller: str,
        buyer: str,
        quantity: int,
        *,
        serials: Range | None = None,
        vintage: str | None = None,
        document: str | None = None,
        at: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Move units to another holder: the lowest serial numbers first, or just `serials`. Raises Refused."""
        chosen = instrument(code, self.pack)
        asked = {
            "action": "transfer",
            "instrument": code,
            "seller": seller,
            "buyer": buyer,
            "quantity": quantity,
            "serials": serials and list(serials),
            "vintage": vintage,
            "document": document,
        }

        def work(act: Act) -> dict[str, Any]:
            act.allow("transfer", "held", document=document)
            if buyer == seller:
                raise refuse("same-holder", "buyer", buyer)
            act.move(account(act.ledger_code, seller), account(act.ledger_code, buyer), quantity)
            taken = act.take(seller, quantity, serials) if chosen.serials else []
            for lot, part in taken:
                act.block(lot, buyer, "held", part)
            return act.answer([part for _, part in taken], seller=seller, buyer=buyer)

        return self._do(id, chosen, asked, vintage, at, dry_run, work)

    def retire(
        self,
        id: str,
        code: str,
        holder: str,
        quantity: int,
        *,
        purpose: str | None,
        beneficiary: str | None,
        serials: Range | None = None,
        vintage: str | None = None,
        at: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Use units up for good, for a purpose and in a beneficiary's name. Raises Refused."""
        chosen = instrument(code, self.pack)
        asked = {
            "action": "retire",
            "instrument": code,
            "holder": holder,
            "quantity": quantity,
            "purpose": purpose,
            "beneficiary": beneficiary,
            "serials": serials and list(serials),
            "vintage": vintage,
        }

        def work(act: Act) -> dict[str, Any]:
            step = act.allow("retire", "held", purpose=purpose, beneficiary=beneficiary)
            act.move(account(act.ledger_code, holder), account(act.ledger_code, RETIRED), quantity, purpose)
            taken = act.take(holder, quantity, serials) if chosen.serials else []
            for lot, part in taken:
                act.block(lot, holder, step, part)
            return act.answer([part for _, part in taken], holder=holder, purpose=purpose, beneficiary=beneficiary)

        return self._do(id, chosen, asked, vintage, at, dry_run, work)

    def claim(
        self, id: str, kind: str, attribute: str, subjects: Sequence[str], period: str, *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Claim a benefit without units, such as a carbon account's deduction. Refused names the other claim."""
        asked = {"action": "claim", "kind": kind, "attribute": attribute, "subjects": list(subjects), "period": period}

        def work(act: Act) -> dict[str, Any]:
            if not subjects:
                raise refuse("needs", "subject", None, name="subject", action="claim")
            act.claim(kind, attribute, subjects, period)
            return {"kind": kind, "attribute": attribute, "subjects": list(subjects), "period": period}

        return self._do(id, None, asked, None, None, dry_run, work)

    def _do(
        self,
        id: str,
        chosen: Instrument | None,
        asked: dict[str, Any],
        vintage: str | None,
        at: str | None,
        dry_run: bool,
        work: Work,
    ) -> dict[str, Any]:
        return self.together([_prepared(id, chosen, asked, vintage, at, work)], dry_run=dry_run)[0]

    def together(self, acts: "Sequence[Prepared]", *, dry_run: bool = False) -> list[dict[str, Any]]:
        """Do all acts in one transaction, or none: Refused has the problems of every act that cannot be done."""

        def within(connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> list[dict[str, Any]]:
            answers: list[dict[str, Any]] = []
            problems: list[Problem] = []
            for place, act in enumerate(acts):
                if place:
                    standing = connection.execute(sa.select(LEDGER)).one()
                try:
                    answers.append(self._one(act, connection, standing, recorded))
                except Refused as refused:
                    problems += (replace(one, file=act.file, row=act.row) for one in refused.problems)
            if problems:
                raise Refused(problems)
            if dry_run:
                raise _DryRun([{**one, "result": DRY.get(one["result"], one["result"])} for one in answers])
            return answers

        try:
            return self.store.transaction(within)
        except _DryRun as done:
            told: list[dict[str, Any]] = done.args[0]
            return told

    def _one(self, one: "Prepared", connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> dict[str, Any]:
        known = connection.execute(sa.select(ACT).where(ACT.c.id == one.id)).first()
        if known is not None:
            if known.asked != one.content:
                raise refuse("id-used", "id", one.id, action=known.action)
            return {**json.loads(known.answer), "result": "exists"}
        act = Act(self.store, connection, standing, recorded, one.id, one.instrument, one.vintage, one.at)
        answer = {"id": one.id, "result": "ok", "action": one.action, **one.work(act)}
        row = {"id": one.id, "action": one.action, "instrument": one.about, "asked": one.content, "recorded": recorded}
        row |= {"at": recorded if one.at is None else one.at, "answer": json.dumps(answer, ensure_ascii=False)}
        connection.execute(ACT.insert(), [row])
        return answer


@dataclass(frozen=True)
class Prepared:
    """An act that has been checked as far as possible without the database; `file` and `row` say where it was read."""

    id: str
    action: str
    about: str
    instrument: Instrument | None
    vintage: str | None
    at: int | None
    content: str
    work: Work
    file: str | None = None
    row: int | None = None


def _prepared(
    id: str, chosen: Instrument | None, asked: dict[str, Any], vintage: str | None, at: str | None, work: Work
) -> Prepared:
    if not id or len(id) > 60 or not id.isprintable():
        raise refuse("id-unusable", "id", id)
    quantity = asked.get("quantity", 1)
    if type(quantity) is not int or not 0 < quantity <= min(MOST, SPAN - 1):
        raise refuse("quantity-unusable", "quantity", quantity)
    if chosen is not None and chosen.by_vintage and not (vintage and vintage.isdecimal() and len(vintage) == 4):
        raise refuse("vintage-missing", "vintage", vintage, title=chosen.title["zh"])
    try:
        moment = None if at is None else instant(at)
    except ValueError:
        raise refuse("time-not-understood", "at", at) from None
    content = json.dumps({**asked, "at": moment}, ensure_ascii=False, sort_keys=True)
    about = chosen.code if chosen is not None else str(asked["kind"])
    return Prepared(id, asked["action"], about, chosen, vintage, moment, content, work)
