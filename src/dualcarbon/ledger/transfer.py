"""What a client sends: lines that open accounts and lines that move amounts, read into checked values.

Nothing here knows the state of a ledger. A line that breaks a rule is still returned, with the rule's name in `fault`,
so that every line gets its own answer.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dualcarbon.core.problems import Problem, Refused

ZONE = ZoneInfo("Asia/Shanghai")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MOST = 2**63 - 1
ID_LENGTH = 64
NAME_LENGTH = 128
REASON_LENGTH = 2000
STATES = ("posted", "pending", "post", "void", "expire")
RESOLUTIONS = ("post", "void", "expire")


class Transfer(NamedTuple):
    """One asked transfer. `at` and `expires` are microseconds since 1970-01-01T00:00Z; None means not said."""

    id: str
    debit: str | None = None
    credit: str | None = None
    instrument: str | None = None
    amount: int | None = None
    state: str = "posted"
    pending_id: str | None = None
    linked: bool = False
    reverses: str | None = None
    reason: str | None = None
    at: int | None = None
    expires: int | None = None
    fault: str | None = None


class Opening(NamedTuple):
    """One account to open. `unit` names the smallest unit that one count of the instrument is: kgce, g, L, 张."""

    account: str
    instrument: str = ""
    owner: str | None = None
    overdraft: bool = False
    unit: str | None = None
    fault: str | None = None


TRANSFER_FIELDS = frozenset(Transfer._fields) - {"fault"}
OPENING_FIELDS = frozenset(Opening._fields) - {"fault"}


def instant(text: str | datetime | date, *, end_of_day: bool = False) -> int:
    """Microseconds since 1970-01-01T00:00Z of an ISO 8601 instant; a time without a zone is Asia/Shanghai time.

    A date alone is its first moment, or with `end_of_day` its last microsecond. Raises ValueError, and OverflowError
    outside the years 1 to 9999 in China.
    """
    moment: datetime
    if isinstance(text, datetime):
        moment = text
    elif isinstance(text, date):
        moment = datetime.combine(text, time())
    else:
        moment = datetime.fromisoformat(text)
    whole_day = len(text) <= 10 if isinstance(text, str) else not isinstance(text, datetime)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZONE)
    if whole_day and end_of_day:
        moment += timedelta(days=1) - MICROSECOND
    return (moment.astimezone(ZONE) - EPOCH) // MICROSECOND


def instant_asked(text: str | None, *, end_of_day: bool = False) -> int | None:
    """The instant that a reader wrote, None for none. Raises Refused (`ledger.time-not-understood`)."""
    if not text:
        return None
    try:
        return instant(text, end_of_day=end_of_day)
    except (ValueError, OverflowError):
        raise Refused(Problem("ledger.time-not-understood", value=text)) from None


def moment_text(microseconds: int | None) -> str | None:
    """The instant in ISO 8601 with the offset of Asia/Shanghai, or None."""
    if microseconds is None:
        return None
    return (EPOCH + microseconds * MICROSECOND).astimezone(ZONE).isoformat()


def _name_fault(value: Any, field: str, length: int = NAME_LENGTH) -> str | None:
    if value is None or value == "":
        return f"{field}_missing"
    if not isinstance(value, str) or not value.isprintable():
        return f"{field}_invalid"
    return f"{field}_too_long" if len(value) > length else None


def _reason_fault(reason: Any) -> str | None:
    if not isinstance(reason, str):
        return "reason_invalid"
    if len(reason) > REASON_LENGTH:
        return "reason_too_long"
    if not reason.isprintable() and ("\0" in reason or any("\ud800" <= c <= "\udfff" for c in reason)):
        return "reason_invalid"
    return None


def _amount_fault(amount: Any) -> str | None:
    if type(amount) is not int:
        return "amount_not_integer"
    if amount <= 0:
        return "amount_not_positive"
    return "amount_too_large" if amount > MOST else None


def _instant_or_fault(value: Any, field: str) -> tuple[int | None, str | None]:
    if not isinstance(value, str):
        return None, f"{field}_invalid"
    try:
        return instant(value), None
    except (ValueError, OverflowError):
        return None, f"{field}_invalid"


PLAIN_FIELDS = frozenset(("id", "debit", "credit", "instrument", "amount", "state", "at", "linked"))
instant_of = lru_cache(maxsize=8192)(instant)


def _read_plain(line: dict[str, Any]) -> Transfer | None:
    """The commonest line, an unlinked transfer without references, read at a third of the cost; None for any other."""
    get = line.get
    key, debit, credit, instrument, amount = get("id"), get("debit"), get("credit"), get("instrument"), get("amount")
    if type(key) is not str or type(debit) is not str or type(credit) is not str or type(instrument) is not str:
        return None
    if not (
        0 < len(key) <= ID_LENGTH
        and 0 < len(debit) <= NAME_LENGTH
        and 0 < len(credit) <= NAME_LENGTH
        and 0 < len(instrument) <= NAME_LENGTH
        and (key + debit + credit + instrument).isprintable()
    ):
        return None
    if type(amount) is not int or not 0 < amount <= MOST or debit == credit:
        return None
    if get("state", "posted") != "posted" or not line.keys() <= PLAIN_FIELDS:
        return None
    linked, at, moment = get("linked"), get("at"), None
    if linked is not None and linked is not False:
        return None
    if at is not None:
        if type(at) is not str:
            return None
        try:
            moment = instant_of(at)
        except (ValueError, OverflowError):
            return None
    return Transfer(key, debit, credit, instrument, amount, "posted", None, False, None, None, moment)


def read_transfer(line: Any) -> Transfer:
    """The transfer a decoded JSON line asks for; `fault` names the first rule of form that it breaks.

    A line without a usable id has the id "" and can only be refused.
    """
    if type(line) is dict:
        quick = _read_plain(line)
        if quick is not None:
            return quick
    if not isinstance(line, Mapping):
        return Transfer("", fault="not_an_object")
    get = line.get
    key: Any = get("id")
    fault = _name_fault(key, "id", ID_LENGTH)
    if fault:
        return Transfer("", fault=fault)
    state = get("state") or "posted"
    linked = get("linked")
    if linked is None:
        linked = False
    elif linked is not True and linked is not False:
        return Transfer(key, fault="linked_invalid")
    if not line.keys() <= TRANSFER_FIELDS:
        return Transfer(key, linked=linked, fault="unknown_field")
    if not isinstance(state, str) or state not in STATES:
        return Transfer(key, linked=linked, fault="state_unknown")
    debit, credit, instrument, amount = get("debit") or None, get("credit") or None, get("instrument") or None, None
    if "amount" in line:
        amount = line["amount"]
    pending_id, reverses, reason = get("pending_id") or None, get("reverses") or None, get("reason") or None
    at = expires = None
    resolves = state != "posted" and state != "pending"
    if debit is not None or not (resolves or reverses):
        fault = _name_fault(debit, "debit")
    if not fault and (credit is not None or not (resolves or reverses)):
        fault = _name_fault(credit, "credit")
    if not fault and (instrument is not None or not (resolves or reverses)):
        fault = _name_fault(instrument, "instrument")
    if not fault and (amount is not None or not (resolves or reverses)):
        fault = "amount_missing" if amount is None else _amount_fault(amount)
    if not fault and debit is not None and debit == credit:
        fault = "same_account"
    if not fault and resolves:
        fault = _name_fault(pending_id, "pending_id", ID_LENGTH)
    elif not fault and pending_id is not None:
        fault = "pending_id_not_allowed"
    if not fault and reverses is not None:
        fault = _name_fault(reverses, "reverses", ID_LENGTH) or (None if state == "posted" else "reverses_not_allowed")
    if not fault and reason is not None:
        fault = _reason_fault(reason)
    if not fault and get("at") is not None:
        at, fault = _instant_or_fault(line["at"], "at")
    if not fault and get("expires") is not None:
        expires, fault = _instant_or_fault(line["expires"], "expires")
        if not fault and state != "pending":
            fault = "expires_not_allowed"
    if fault:
        return Transfer(key, linked=linked, fault=fault)
    return Transfer(key, debit, credit, instrument, amount, state, pending_id, linked, reverses, reason, at, expires)


def read_opening(line: Any) -> Opening:
    """The account a decoded JSON line asks to open; `fault` names the first rule of form that it breaks."""
    if not isinstance(line, Mapping):
        return Opening("", fault="not_an_object")
    name: Any = line.get("account")
    fault = _name_fault(name, "account")
    if fault:
        return Opening("", fault=fault)
    instrument, owner, unit = line.get("instrument") or None, line.get("owner") or None, line.get("unit") or None
    overdraft = line.get("overdraft")
    fault = _name_fault(instrument, "instrument")
    if not fault and owner is not None:
        fault = _name_fault(owner, "owner")
    if not fault and unit is not None:
        fault = _name_fault(unit, "unit")
    if not fault and overdraft is not None and overdraft is not True and overdraft is not False:
        fault = "overdraft_invalid"
    if not fault and not line.keys() <= OPENING_FIELDS:
        fault = "unknown_field"
    if fault:
        return Opening(name, fault=fault)
    return Opening(name, str(instrument), owner, bool(overdraft), unit)
