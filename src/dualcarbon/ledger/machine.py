"""The ledger's state machine: pure, without clock, input or output, and without floating point.

`open_accounts` and `post` change a `State` and answer one result name per item; what they added stands in
`State.new_accounts`, `new_entries` and `new_refusals` for a store to keep. A store may load only the part of the state
that a batch can touch: its accounts, the entries it names, and their reversals and resolutions.

An account's balance is its posted credits less its posted debits; what is free to spend is the balance less the pending
debits. Every entry debits one account and credits another of the same instrument, so the sum of debits equals the
sum of credits at all times, posted and pending apart.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dualcarbon.ledger.transfer import MOST, Opening, Transfer

OK = "ok"
EXISTS = "exists"
RESOLVED = {"post": "pending_already_posted", "void": "pending_already_voided", "expire": "pending_already_expired"}
EVERY_INSTRUMENT = ""


class Entry(NamedTuple):
    """One accepted transfer, never changed afterwards.

    `seq` counts from 1 without a gap. `released` is the pending amount that a post, void or expiry sets free.
    `linked` is 0 or 1. `debit_after` and `credit_after` are the posted balances of the two accounts right after it.
    """

    seq: int
    id: str
    debit: str
    credit: str
    instrument: str
    amount: int
    state: str
    pending_id: str | None
    released: int | None
    linked: int
    reverses: str | None
    reason: str | None
    at: int
    expires: int | None
    recorded: int
    debit_after: int
    credit_after: int


class Account:
    """An account with its four totals, each an integer count of the instrument's smallest unit.

    `moves` and `last` are the store's: how many of its entries are not summed by day, the number of its newest entry.
    """

    __slots__ = (
        "credits_pending",
        "credits_posted",
        "debits_pending",
        "debits_posted",
        "instrument",
        "last",
        "moves",
        "name",
        "number",
        "opened",
        "overdraft",
        "owner",
        "unit",
    )

    def __init__(
        self,
        name: str,
        instrument: str,
        owner: str | None = None,
        overdraft: bool = False,
        unit: str | None = None,
        number: int = 0,
        opened: int = 0,
        totals: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:
        self.name, self.instrument, self.owner, self.overdraft, self.unit = name, instrument, owner, overdraft, unit
        self.number, self.opened, self.moves, self.last = number, opened, 0, 0
        self.totals = totals

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """Debits posted, credits posted, debits pending, credits pending."""
        return self.debits_posted, self.credits_posted, self.debits_pending, self.credits_pending

    @totals.setter
    def totals(self, totals: tuple[int, int, int, int]) -> None:
        self.debits_posted, self.credits_posted, self.debits_pending, self.credits_pending = totals

    @property
    def balance(self) -> int:
        """Posted credits less posted debits."""
        return self.credits_posted - self.debits_posted


class State:
    """All that decides the answer to the next transfer, or the part of it that a batch can touch.

    `resolved` maps a pending entry's id to the state of the entry that ended it; `reversed` an entry's id to the id of
    its reversal; `locks` an instrument ("" for all) to the instant before which nothing may be dated any more; `units`
    an instrument to its unit. `before` keeps the totals an account had when first touched.
    """

    def __init__(self, seq: int = 0, account_count: int = 0) -> None:
        self.seq = seq
        self.account_count = account_count
        self.accounts: dict[str, Account] = {}
        self.units: dict[str, str | None] = {}
        self.entries: dict[str, Entry] = {}
        self.refused: dict[str, str] = {}
        self.resolved: dict[str, str] = {}
        self.reversed: dict[str, str] = {}
        self.locks: dict[str, int] = {}
        self.new_accounts: list[Account] = []
        self.new_entries: list[Entry] = []
        self.new_refusals: list[tuple[str, str]] = []
        self.before: dict[str, tuple[int, int, int, int]] = {}


def open_accounts(state: State, openings: Iterable[Opening], recorded: int) -> list[str]:
    """Open accounts; one result name each: `ok`, `exists`, or the reason of refusal. `recorded`: microseconds."""
    return [_open(state, opening, recorded) for opening in openings]


def _open(state: State, opening: Opening, recorded: int) -> str:
    if opening.fault:
        return opening.fault
    known = state.accounts.get(opening.account)
    if known is not None:
        for field in ("instrument", "owner", "overdraft"):
            if getattr(known, field) != getattr(opening, field):
                return f"exists_with_different_{field}"
        if opening.unit is not None and opening.unit != known.unit:
            return "exists_with_different_unit"
        return EXISTS
    instrument, unit = opening.instrument, opening.unit
    if instrument in state.units:
        if unit is not None and unit != state.units[instrument]:
            return "unit_mismatch"
        unit = state.units[instrument]
    state.account_count += 1
    account = Account(
        opening.account, instrument, opening.owner, opening.overdraft, unit, state.account_count, recorded
    )
    state.units[instrument] = unit
    state.accounts[account.name] = account
    state.new_accounts.append(account)
    return OK


def lock(state: State, instrument: str, until: int) -> str:
    """Close everything dated before `until` (microseconds) for one instrument, or for all with "".

    A lock only ever moves forward: `lock_moves_back` otherwise, `exists` when it stands there already.
    """
    standing = state.locks.get(instrument)
    if standing is not None and until <= standing:
        return EXISTS if until == standing else "lock_moves_back"
    state.locks[instrument] = until
    return OK


def post(state: State, transfers: Sequence[Transfer], recorded: int) -> list[str]:
    """Apply the transfers in order; one result name each.

    A transfer with `linked` stands or falls with the next one, up to and including the first without it. An id that was
    refused stays refused. `recorded` (microseconds) dates the entries and is the `at` of those that name none.
    """
    results: list[str] = []
    count, start = len(transfers), 0
    while start < count:
        transfer = transfers[start]
        if not transfer.linked:
            results.append(_post_one(state, transfer, recorded, None))
            start += 1
            continue
        end = start
        while end < count and transfers[end].linked:
            end += 1
        results += _post_chain(state, transfers[start : end + 1], recorded, is_open=end == count)
        start = end + 1
    return results


def _refuse(state: State, key: str, result: str) -> str:
    if key and key not in state.refused and key not in state.entries:
        state.refused[key] = result
        state.new_refusals.append((key, result))
    return result


Journal = list[tuple[Account, tuple[int, int, int, int]]]


def _post_chain(state: State, members: Sequence[Transfer], recorded: int, is_open: bool) -> list[str]:
    journal: Journal = []
    mark, refusals, seq = len(state.new_entries), len(state.new_refusals), state.seq
    results: list[str] = []
    failed = len(members) - 1 if is_open else None
    if not is_open:
        for position, transfer in enumerate(members):
            results.append(_post_one(state, transfer, recorded, journal))
            if results[-1] not in (OK, EXISTS):
                failed = position
                break
    if failed is None:
        return results
    reason = "linked_chain_open" if is_open else results[failed]
    for account, totals in reversed(journal):
        account.totals = totals
    for entry in state.new_entries[mark:]:
        del state.entries[entry.id]
        if entry.pending_id is not None:
            del state.resolved[entry.pending_id]
        if entry.reverses is not None:
            del state.reversed[entry.reverses]
    del state.new_entries[mark:]
    for key, _ in state.new_refusals[refusals:]:
        del state.refused[key]
    del state.new_refusals[refusals:]
    state.seq = seq
    return [
        _verdict_in_failed_chain(state, transfer, reason if position == failed else "linked_transfer_failed")
        for position, transfer in enumerate(members)
    ]


def _verdict_in_failed_chain(state: State, transfer: Transfer, result: str) -> str:
    known = state.entries.get(transfer.id)
    if known is not None:
        return transfer.fault or _compare(state, known, transfer)
    if transfer.id in state.refused:
        return "id_already_failed"
    return _refuse(state, transfer.id, transfer.fault or result)


def _post_one(state: State, transfer: Transfer, recorded: int, journal: Journal | None) -> str:
    key = transfer.id
    known = state.entries.get(key)
    if known is not None:
        return transfer.fault or _compare(state, known, transfer)
    if key in state.refused:
        return "id_already_failed"
    result = transfer.fault or _try(state, transfer, recorded, journal)
    return result if result == OK else _refuse(state, key, result)


def _compare(state: State, known: Entry, asked: Transfer) -> str:
    """`exists` when the asked content is that of the entry, else the first field that differs.

    What was left for the ledger to fill in (`at`; debit, credit, instrument and amount of a resolution or reversal)
    agrees with what it filled in.
    """
    reference = state.entries.get(known.pending_id or known.reverses or "")
    for field in ("debit", "credit", "instrument"):
        value = getattr(asked, field)
        if value != getattr(known, field) and (value is not None or reference is None):
            return f"exists_with_different_{field}"
    amount = reference.amount if asked.amount is None and reference is not None else asked.amount
    if amount != known.amount:
        return "exists_with_different_amount"
    for field in ("state", "pending_id", "linked", "reverses", "reason", "expires"):
        if getattr(asked, field) != getattr(known, field):
            return f"exists_with_different_{field}"
    if (known.recorded if asked.at is None else asked.at) != known.at:
        return "exists_with_different_at"
    return EXISTS


def _try(state: State, transfer: Transfer, recorded: int, journal: Journal | None) -> str:
    kind, amount, released = transfer.state, transfer.amount, 0
    debit_name, credit_name, instrument = transfer.debit, transfer.credit, transfer.instrument
    at = recorded if transfer.at is None else transfer.at
    if transfer.pending_id is not None or transfer.reverses is not None:
        pair = _referred(state, transfer, at)
        if isinstance(pair, str):
            return pair
        debit_name, credit_name, instrument, amount, released = pair
    assert debit_name is not None and credit_name is not None and amount is not None and instrument is not None
    debit, credit = state.accounts.get(debit_name), state.accounts.get(credit_name)
    if debit is None or credit is None:
        return "account_not_found"
    if debit.instrument != instrument or credit.instrument != instrument:
        return "instrument_mismatch"
    if state.locks and at < max(state.locks.get(EVERY_INSTRUMENT, at), state.locks.get(instrument, at)):
        return "period_locked"
    if transfer.expires is not None and transfer.expires <= at:
        return "expires_too_early"
    posts, holds = kind == "posted" or kind == "post", kind == "pending"
    if posts or holds:
        if (
            not debit.overdraft
            and debit.credits_posted - debit.debits_posted - debit.debits_pending + released < amount
        ):
            return "insufficient_balance"
        total = max(debit.debits_posted + debit.debits_pending, credit.credits_posted + credit.credits_pending)
        if total - released + amount > MOST:
            return "total_too_large"
    if journal is not None:
        journal += ((debit, debit.totals), (credit, credit.totals))
    before = state.before
    if debit_name not in before:
        before[debit_name] = debit.totals
    if credit_name not in before:
        before[credit_name] = credit.totals
    if posts:
        debit.debits_posted += amount
        credit.credits_posted += amount
    elif holds:
        debit.debits_pending += amount
        credit.credits_pending += amount
    if released:
        debit.debits_pending -= released
        credit.credits_pending -= released
        state.resolved[str(transfer.pending_id)] = kind
    if transfer.reverses is not None:
        state.reversed[transfer.reverses] = transfer.id
    state.seq += 1
    entry = Entry(
        state.seq,
        transfer.id,
        debit_name,
        credit_name,
        instrument,
        amount,
        kind,
        transfer.pending_id,
        released or None,
        int(transfer.linked),
        transfer.reverses,
        transfer.reason,
        at,
        transfer.expires,
        recorded,
        debit.credits_posted - debit.debits_posted,
        credit.credits_posted - credit.debits_posted,
    )
    state.entries[transfer.id] = entry
    state.new_entries.append(entry)
    return OK


def _referred(state: State, transfer: Transfer, at: int) -> str | tuple[str, str, str, int, int]:
    """Debit, credit, instrument, amount and released amount of a resolution or reversal, or why it is refused."""
    if transfer.reverses is not None:
        return _reversal(state, transfer, at)
    pending = state.entries.get(str(transfer.pending_id))
    if pending is None:
        return "pending_not_found"
    if pending.state != "pending":
        return "pending_not_pending"
    if pending.id in state.resolved:
        return RESOLVED[state.resolved[pending.id]]
    for field in ("debit", "credit", "instrument"):
        value = getattr(transfer, field)
        if value is not None and value != getattr(pending, field):
            return f"pending_has_different_{field}"
    amount = pending.amount if transfer.amount is None else transfer.amount
    if amount > pending.amount:
        return "exceeds_pending_amount"
    if transfer.state != "post" and amount != pending.amount:
        return "pending_has_different_amount"
    if at < pending.at:
        return "dated_before_pending"
    over = pending.expires is not None and at >= pending.expires
    if over and transfer.state != "expire":
        return "pending_expired"
    if not over and transfer.state == "expire":
        return "pending_not_expired"
    return pending.debit, pending.credit, pending.instrument, amount, pending.amount


def _reversal(state: State, transfer: Transfer, at: int) -> str | tuple[str, str, str, int, int]:
    original = state.entries.get(str(transfer.reverses))
    if original is None:
        return "reversed_not_found"
    if original.state not in ("posted", "post"):
        return "reversed_not_posted"
    if original.id in state.reversed:
        return "already_reversed"
    asked = (transfer.debit, transfer.credit, transfer.instrument, transfer.amount)
    exact = (original.credit, original.debit, original.instrument, original.amount)
    if any(value is not None and value != other for value, other in zip(asked, exact, strict=True)):
        return "reversal_differs"
    if at < original.at:
        return "dated_before_reversed"
    return (*exact, 0)
