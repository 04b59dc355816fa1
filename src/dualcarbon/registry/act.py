"""One act of the registry while its transaction is open: who does it, whether it is allowed, and its ledger entries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from dualcarbon.core import periods
from dualcarbon.core.problems import Refused
from dualcarbon.ledger import result_texts
from dualcarbon.ledger.transfer import Opening, Transfer, moment_text
from dualcarbon.registry.desk import Desk
from dualcarbon.registry.instruments import Instrument, Step, instrument
from dualcarbon.registry.tables import ROLE, SPAN
from dualcarbon.registry.words import Range, listed, missing, name, refuse, serial_text, state_words

ISSUER = "@issuer"
RETIRED = "@retired"
SUSPENDED = "@suspended"
OFFERED = "@offered"
PAYMENT = "payment.CNY"
Said = Mapping[str, Any]


def account(ledger_code: str, holder: str) -> str:
    """The ledger account in which `holder` has an instrument."""
    return f"{ledger_code}|{holder}"


class Act:
    """One act while its transaction is open. `said` is what the client said, `at` when it happens (None: now)."""

    def __init__(self, desk: Desk, pack: str, id: str, said: Said, at: int | None) -> None:
        self.desk, self.pack, self.id, self.said, self.at = desk, pack, id, said, at
        self.chosen: Instrument | None = None
        self.vintage: str | None = None
        self.synthetic = int(bool(said.get("synthetic")))
        self.quantity = 0
        self.digest = ""
        self.actor: str | None = None
        self.role: str | None = None
        self._entries = 0

    def choose(self, code: str, vintage: str | None = None, *, whole: bool = False) -> Instrument:
        """Say which instrument the act is about and which year of it, or the `whole` of it. Raises Refused."""
        self.chosen = chosen = instrument(code, self.pack)
        if chosen.by_vintage and not whole and not (vintage and vintage.isdecimal() and len(vintage) == 4):
            raise refuse("vintage-missing", "vintage", vintage, title=chosen.title)
        self.vintage = vintage if chosen.by_vintage else None
        return chosen

    @property
    def instrument(self) -> Instrument:
        """The instrument the act is about."""
        assert self.chosen is not None
        return self.chosen

    @property
    def moment(self) -> int:
        """When the act happens, in microseconds."""
        return self.desk.recorded if self.at is None else self.at

    def mark(self, synthetic: Any) -> None:
        """What comes from something made up is itself made up."""
        self.synthetic |= int(bool(synthetic))

    def get(self, key: str) -> Any:
        """What the client said under `key`, None when nothing."""
        return self.said.get(key)

    def allow(self, action: str, state: str | None, parties: Said, steps: Sequence[Step] = (), **found: Any) -> Step:
        """The row that allows the act; refuses what the state table does not allow, who may not, what is unsaid."""
        step = self.instrument.step(action, state) if not steps else None
        step = next((one for one in steps if (one.action, one.before) == (action, state)), step)
        if step is None:
            raise refuse("not-allowed", "action", action, title=self.instrument.title, state=state_words(state))
        unsaid = [
            problem
            for need in step.needs
            if found.get(need, self.said.get(need, self.said.get(f"{need}s"))) in (None, "", [], ())
            for problem in missing(action, need).problems
        ]
        if unsaid:
            raise Refused(unsaid)
        self.permit(step.by, parties)
        return step

    def permit(self, by: Sequence[str], parties: Said) -> None:
        """Settle who acts in which role: said, or the one whose part it is. Raises Refused naming why not."""
        asked, actor = self.said.get("role"), self.said.get("actor")
        if asked is not None and asked not in by:
            allowed = {lang: listed(self.role_title(role, lang) for role in by)[lang] for lang in ("zh", "en")}
            raise refuse("role-not-allowed", "role", asked, allowed=allowed)
        first: Refused | None = None
        for role in by if asked is None else (asked,):
            try:
                self.actor, self.role = self._actor(role, actor, parties), role
                return
            except Refused as refused:
                first = first or refused
        assert first is not None
        raise first

    def role_title(self, role: str, lang: str = "zh") -> str:
        """A role's name in a language."""
        return self.instrument.roles[role].title[lang]

    def _actor(self, role: str, actor: str | None, parties: Said) -> str:
        rule = self.instrument.roles[role]
        if rule.who == "party" or role in parties:
            party = str(parties[role])
            if actor not in (None, party):
                raise refuse("not-the-party", "actor", actor, role=rule.title, party=party)
            return party
        if rule.who == "issuer":
            named = rule.named or self.instrument.issuer
            if actor in (None, named):
                return named
        if actor is None:
            raise refuse("actor-missing", "actor", None, role=rule.title)
        name("actor", actor)
        if rule.who == "anyone" or self.is_appointed(role, actor):
            return actor
        raise refuse("not-appointed", "actor", actor, role=rule.title, title=self.instrument.title)

    def is_appointed(self, role: str, actor: str) -> bool:
        """Whether `actor` holds the role for the instrument now."""
        chosen = sa.select(ROLE.c.number).where(ROLE.c.instrument == self.instrument.code, ROLE.c.role == role)
        return self.desk.execute(chosen.where(ROLE.c.actor == actor, ROLE.c.ended.is_(None))).first() is not None

    @property
    def ledger_code(self) -> str:
        """The instrument's name in the ledger."""
        return self.instrument.ledger_code(self.vintage)

    def account(self, holder: str) -> str:
        """The ledger account of a holder, or of a state (`@retired`)."""
        return account(self.ledger_code, holder)

    def entry(self) -> str:
        """The id of the act's next ledger entry: its own, then with ~1, ~2, ..."""
        self._entries += 1
        return self.id if self._entries == 1 else f"{self.id}~{self._entries - 1}"

    def because(self, reason: str | None = None) -> str:
        """The reason of a ledger entry: why, and the digest of the act, which the ledger thereby vouches for."""
        return f"{reason + ' ' if reason else ''}registry:{self.digest}"

    def moving(self, debit: str, credit: str, amount: int, reason: str | None = None, **more: Any) -> Transfer:
        """A transfer of the act's instrument between holders (or states such as `@retired`)."""
        accounts = self.account(debit), self.account(credit)
        why = self.because(reason)
        return Transfer(self.entry(), *accounts, self.ledger_code, amount, at=self.at, reason=why, **more)

    def paying(self, debit: str, credit: str, amount: int, **more: Any) -> Transfer:
        """A payment in 0.01 yuan, recorded beside the units it pays for."""
        accounts = account(PAYMENT, debit), account(PAYMENT, credit)
        return Transfer(self.entry(), *accounts, PAYMENT, amount, at=self.at, reason=self.because(), **more)

    def ending(self, pending: str, state: str) -> Transfer:
        """The `post`, `void` or `expire` of a pending entry."""
        return Transfer(self.entry(), state=state, pending_id=pending, at=self.at, reason=self.because())

    def post(self, *moves: Transfer) -> None:
        """Have the transfers posted, all or none, and missing accounts opened; refused ones end the act afterwards."""
        openings = {
            told: self._opening(told, str(move.instrument))
            for move in moves
            for told in (move.debit, move.credit)
            if told is not None
        }
        self.desk.post(self, openings, moves)
        if not self.instrument.serials:
            self.mark(self.desk.synthetic(self.instrument.code, self.vintage))

    def _opening(self, told: str, code: str) -> Opening:
        owner = told.split("|", 1)[1]
        pays = code == PAYMENT
        return Opening(
            told, code, owner, pays or owner.startswith(f"{ISSUER}:"), "0.01 CNY" if pays else self.instrument.unit
        )

    def answer(self, ranges: Iterable[Range] = (), **said: Any) -> dict[str, Any]:
        """What the act answers: instrument, quantity, who acted, and serial numbers where there are any."""
        code = self.instrument.code
        local = [(first % SPAN, last % SPAN) for first, last in ranges]
        return {
            "instrument": code,
            "vintage": self.vintage,
            "quantity": self.quantity,
            "unit": self.instrument.unit,
            "actor": self.actor,
            "role": self.role,
            **said,
            "serials": [{"first": one[0], "last": one[1], "text": serial_text(code, one)} for one in local],
            "entry": self.id if self._entries else None,
            "at": moment_text(self.moment),
            "synthetic": bool(self.synthetic),
        }


def refused_by_ledger(result: str, moves: Sequence[Transfer]) -> Refused:
    """The refusal of an act whose transfers the ledger answered with `result`."""
    words = result_texts()[result]
    told = {"zh": words["zh"], "en": words["en"]}
    debit = moves[0].debit or moves[-1].debit
    return refuse("refused-by-ledger", "quantity", moves[-1].amount, result=result, words=told, account=debit)


@lru_cache(4096)
def days(period: str) -> tuple[date, date]:
    """First day and the day after the last of a period text. Raises Refused (`registry.period-not-understood`)."""
    try:
        parsed = periods.parse(period)
    except (ValueError, Refused):
        raise refuse("period-not-understood", "period", period) from None
    return parsed.start, parsed.end
