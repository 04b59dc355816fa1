"""Parameters of an account that somebody above prescribes: which are set for a place and period, and their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.periods import Period
from dualcarbon.engine.factors import with_factors
from dualcarbon.engine.methods import FactorUse
from dualcarbon.engine.resolve import Choice, resolve
from dualcarbon.inventory.definitions import Account
from dualcarbon.inventory.snapshot import Snapshot


@dataclass(frozen=True)
class Shares(Mapping[str, float]):
    """Value of each share parameter in the last year of the asked period; those of others are found for `place`."""

    place: str
    found: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def share_values(snapshot: Snapshot, account: Account, place: str, period: Period) -> Shares:
    """Value of the share parameters of the account's parts, as far as they are set."""
    wanted = tuple(dict.fromkeys(part.share for part in account.parts if part.share))
    [found] = _values(snapshot, wanted, place, periods.years(period)[-1:])
    return Shares(place, found)


def shares_of(
    snapshot: Snapshot, account: Account, place: str, times: Sequence[tuple[date, date]]
) -> list[dict[str, float] | None]:
    """Value of every share parameter in each of these times, None where the account is not set then."""
    wanted = tuple(dict.fromkeys((*account.requires, *(part.share for part in account.parts if part.share))))
    found = _values(snapshot, wanted, place, [Period(*time) for time in times])
    return [one if len(one) == len(wanted) else None for one in found]


def unset_parameters(
    snapshot: Snapshot, account: Account, place: str, period: Period, partly: bool = False
) -> set[str]:
    """Parameters that the account requires and that have no value in a year of the period (`partly`: in any year)."""
    found = _values(snapshot, account.requires, place, periods.years(period))
    lacking = [set(account.requires) - one.keys() for one in found]
    return min(lacking, key=len) if partly else set().union(*lacking)


def _values(snapshot: Snapshot, wanted: tuple[str, ...], place: str, spans: Sequence[Period]) -> list[dict[str, float]]:
    """Value of each parameter that is set, by span."""
    if not wanted or not spans:
        return [{} for _ in spans]
    key = ("shares", wanted, place, tuple(spans))
    made: list[dict[str, float]] = snapshot.once(key, lambda: _resolved(snapshot, wanted, place, spans))
    return made


def _resolved(
    snapshot: Snapshot, wanted: tuple[str, ...], place: str, spans: Sequence[Period]
) -> list[dict[str, float]]:
    choices = snapshot.choices
    table = with_factors(choices.pack, choices.factors)
    uses = [FactorUse(name=f"p{number}", parameter=name, unit="1") for number, name in enumerate(wanted)]
    starts, ends = zip(*spans, strict=True)
    asked: dict[str, Any] = {"place": [place] * len(spans), "start": starts, "end": ends}
    choice = Choice(choices.family, choices.gwp, choices.factors_known_at or choices.known_at)
    cells, _ = resolve(pl.DataFrame(asked), uses, table, snapshot.names, choice)
    numbers = {use.parameter: cells[f"factor:{use.name}"].to_list() for use in uses}
    return [
        {name: float(table.rows[row[n]]["value"]) for name, row in numbers.items() if row[n] is not None}
        for n in range(len(spans))
    ]
