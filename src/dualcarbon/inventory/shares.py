"""Parameters of an account that somebody above prescribes: which are set for a place and period, and their values."""

from __future__ import annotations

from typing import Any

import polars as pl

from dualcarbon.core.periods import Period
from dualcarbon.engine.factors import with_factors
from dualcarbon.engine.methods import FactorUse
from dualcarbon.engine.resolve import Choice, resolve
from dualcarbon.inventory.definitions import Account
from dualcarbon.inventory.snapshot import Snapshot


def share_values(snapshot: Snapshot, account: Account, place: str, period: Period) -> dict[str, float]:
    """Value of every share parameter of the account's parts. Raises KeyError for one that is not set."""
    wanted = tuple(dict.fromkeys(part.share for part in account.parts if part.share))
    found = _values(snapshot, wanted, place, period)
    return {name: found[name] for name in wanted}


def unset_parameters(snapshot: Snapshot, account: Account, place: str, period: Period) -> set[str]:
    """Parameters that the account requires and that have no value."""
    return set(account.requires) - _values(snapshot, account.requires, place, period).keys()


def _values(snapshot: Snapshot, wanted: tuple[str, ...], place: str, period: Period) -> dict[str, float]:
    if not wanted:
        return {}
    return dict(snapshot.once(("shares", wanted, place, period), lambda: _resolved(snapshot, wanted, place, period)))


def _resolved(snapshot: Snapshot, wanted: tuple[str, ...], place: str, period: Period) -> dict[str, float]:
    choices = snapshot.choices
    table = with_factors(choices.pack, choices.factors)
    uses = [FactorUse(name=f"p{number}", parameter=name, unit="1") for number, name in enumerate(wanted)]
    asked: dict[str, Any] = {"place": [place], "start": [period.start], "end": [period.end]}
    choice = Choice(choices.family, choices.gwp, choices.factors_known_at or choices.known_at)
    cells, _ = resolve(pl.DataFrame(asked), uses, table, snapshot.names, choice)
    rows = {use.parameter: cells[f"factor:{use.name}"].item() for use in uses}
    return {name: float(table.rows[number]["value"]) for name, number in rows.items() if number is not None}
