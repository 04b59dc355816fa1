"""Green certificates of a year, from the ledger: which were used, by which account, and what they offset.

The pack says which account of the ledger holds the certificates that may be deducted (`certificates.ledger` in
`targets.yaml`): those bought outside the province, one account for each year of generation. What other accounts used
is shown beside it and not counted: certificates from inside the province give no second deduction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
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
    """Return what was used of the certificates of a year: `{mwh, account, holder, entries, others, held, status,
    missing}`.

    `mapping`: `{instrument, account}` with `{year}` in the account's name. `entries` are the ledger's, `{seq, id, at,
    amount}`, a reversal below zero; `held` is what the account still has and `others` what other accounts used in the
    year (MWh). `mwh` is None, with `missing` naming why, where there is no mapping, no ledger or no such account; an
    account that used nothing gives 0.
    """
    from dualcarbon.ledger import reads
    from dualcarbon.ledger.transfer import instant

    empty: dict[str, Any] = {"mwh": None, "account": None, "holder": None, "entries": [], "others": None,
                             "held": None, "status": None}  # fmt: skip
    if mapping is None:
        return empty | {"missing": "mapping"}
    instrument, holder = str(mapping["instrument"]), str(mapping["account"]).format(year=year)
    name, retired = f"{instrument}|{holder}", f"{instrument}{RETIRED}"
    empty |= {"account": name, "holder": holder}
    if reads.standing(workspace.database) is None:
        return empty | {"missing": "ledger"}
    unit, until = _mwh(workspace.pack, instrument), min(as_of or date(year, 12, 31), date(year, 12, 31))
    there = _exists(workspace, name)
    own = [one for one in _moved(workspace, name, retired) if as_of is None or one["at"][:10] <= as_of.isoformat()]
    others = 0.0
    if _exists(workspace, retired):
        marks = instant(date(year, 1, 1)) - 1, instant(until, end_of_day=True)
        before, after = (reads.balance(workspace.database, retired, mark)["balance"] for mark in marks)
        others = after - before - sum(one["amount"] for one in own if one["at"][:4] == str(year))
    empty |= {"others": others * unit}
    if not there:
        return empty | {"missing": "account"}
    now = None if as_of is None else instant(as_of, end_of_day=True)
    return empty | {
        "mwh": sum(one["amount"] for one in own) * unit,
        "entries": own,
        "held": reads.balance(workspace.database, name, now)["balance"] * unit,
        # The ledger knows no status; in a workspace with made-up data its entries are taken for made up too.
        "status": worst(["unverified", *(str(one["status"]) for one in workspace.datasets())]),
        "missing": None,
    }


def _exists(workspace: Workspace, account: str) -> bool:
    from dualcarbon.ledger import reads

    instrument, _, owner = account.partition("|")
    found = reads.balances(workspace.database, instrument=instrument, text=owner)["accounts"]
    return any(one["account"] == account for one in found)


def _moved(workspace: Workspace, account: str, retired: str) -> list[dict[str, Any]]:
    """Posted entries of an account into the retired units; those that a reversal brought back are below zero."""
    return [
        {"seq": one["seq"], "id": one["id"], "at": one["at"],
         "amount": one["amount"] if one["credit"] == retired else -one["amount"]}
        for one in _entries(workspace, account)
        if retired in (one["debit"], one["credit"])
    ]  # fmt: skip


def _entries(workspace: Workspace, account: str) -> list[dict[str, Any]]:
    """All posted entries of an account."""
    from dualcarbon.ledger import reads

    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = reads.entries(workspace.database, account=account, after=after, limit=PAGE)
        found += [one for one in page["entries"] if one["state"] in POSTED]
        after = page["next"]
    return found


def _mwh(pack: str, instrument: str) -> float:
    """MWh that one unit of an instrument stands for, as the pack's instruments say."""
    from dualcarbon.core import units

    for one in reversed(documents(pack, "instruments")):
        if one.get("code") == instrument and one.get("stands_for"):
            return float(one["stands_for"]["quantity"]) * units.ratio(str(one["stands_for"]["unit"]), "MWh")
    raise KeyError(instrument)
