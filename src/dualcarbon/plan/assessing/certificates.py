"""Green certificates of a year, from the ledger: which were used, by which account, and what they offset.

The pack says which account of the ledger holds the certificates that may be deducted (`certificates.ledger` in
`targets.yaml`): those bought outside the province, one account for each year of generation. What other accounts used
is shown beside it and not counted: certificates from inside the province give no second deduction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from dualcarbon.core.pack import documents
from dualcarbon.core.tables import worst
from dualcarbon.core.workspace import Workspace

RETIRED = "|@retired"
POSTED = ("posted", "post")
PAGE = 1000


def used(
    workspace: Workspace, mapping: Mapping[str, Any] | None, year: int, as_of: date | None = None
) -> dict[str, Any]:
    """Return what was used of the certificates of a year: `{mwh, account, entries, others, status, missing}`.

    `mapping`: `{instrument, account}` with `{year}` in the account's name. `entries` are the ledger's, `{seq, id, at,
    amount}`; `others` is what other accounts used in the year (MWh). `mwh` is None, with `missing` naming why, where
    there is no mapping, no ledger, or no such account; an account that used nothing gives 0.
    """
    from dualcarbon.ledger import reads
    from dualcarbon.ledger.transfer import instant

    empty: dict[str, Any] = {"mwh": None, "account": None, "holder": None, "entries": [], "others": None,
                             "held": None, "status": None}  # fmt: skip
    if mapping is None:
        return empty | {"missing": "mapping"}
    holder = str(mapping["account"]).format(year=year)
    instrument = str(mapping["instrument"])
    name = f"{instrument}|{holder}"
    empty |= {"account": name, "holder": holder}
    if reads.standing(workspace.database) is None:
        return empty | {"missing": "ledger"}
    last = "9999" if as_of is None else as_of.isoformat()
    retired = [one for one in _entries(workspace, f"{instrument}{RETIRED}") if str(one["at"])[:10] <= last]
    unit = _mwh(workspace.pack, instrument)
    own = [one for one in retired if one["debit"] == name]
    others = [one for one in retired if one["debit"] != name and one["at"][:4] == str(year)]
    named = reads.balances(workspace.database, instrument=instrument, text=holder)["accounts"]
    if name not in {one["account"] for one in named}:
        return empty | {"missing": "account", "others": sum(one["amount"] for one in others) * unit}
    end = None if as_of is None else instant(as_of + timedelta(days=1)) - 1
    held = reads.balance(workspace.database, name, end)["balance"]
    return {
        "mwh": sum(one["amount"] for one in own) * unit, "account": name, "holder": holder,
        "entries": [{key: one[key] for key in ("seq", "id", "at", "amount")} for one in own],
        "others": sum(one["amount"] for one in others) * unit, "held": held * unit,
        # The ledger knows no status; in a workspace with made-up data its entries are taken for made up too.
        "status": worst(["unverified", *(str(one["status"]) for one in workspace.datasets())]),
        "missing": None,
    }  # fmt: skip


def _entries(workspace: Workspace, account: str) -> list[dict[str, Any]]:
    """All posted entries into an account."""
    from dualcarbon.ledger import reads

    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = reads.entries(workspace.database, account=account, after=after, limit=PAGE)
        found += [one for one in page["entries"] if one["credit"] == account and one["state"] in POSTED]
        after = page["next"]
    return found


def _mwh(pack: str, instrument: str) -> float:
    """MWh that one unit of an instrument stands for, as the pack's instruments say."""
    from dualcarbon.core import units

    for one in reversed(documents(pack, "instruments")):
        if one.get("code") == instrument and one.get("stands_for"):
            return float(one["stands_for"]["quantity"]) * units.ratio(str(one["stands_for"]["unit"]), "MWh")
    raise KeyError(instrument)
