"""The accounts of a rule pack (`accounts.yaml`) as data: bases, parts, and which of them is the headline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dualcarbon.core import pack as packs
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused

ITEM = "emission.co2"
SIDES = ("none", "import", "export", "inside")


@dataclass(frozen=True)
class Part:
    """One part of an account: a method over some rows, with its sign, side of the boundary and share.

    `item`: rows of another item than the method's own, which the method reads as if they were (transformation output
    as consumption, say).
    """

    name: str
    title: dict[str, str]
    method: str
    where: dict[str, Any]
    entity: dict[str, Any]
    share: str | None
    sign: int
    memo: bool
    side: str
    item: str | None = None


@dataclass(frozen=True)
class Account:
    """One basis: its parts and the parameters without which it is not set."""

    basis: str
    title: dict[str, str]
    source: str
    status: str
    headline: int | None
    requires: tuple[str, ...]
    parts: tuple[Part, ...]
    file: str
    item: str = ITEM
    unit: str = "tCO2"

    def methods(self) -> tuple[str, ...]:
        """Ids of the methods that the parts use, each once."""
        return tuple(dict.fromkeys(part.method for part in self.parts))


def accounts(pack: str = DEFAULT) -> dict[str, Account]:
    """Accounts of a pack chain by basis; a nearer pack replaces a farther one's account of the same basis.

    Raises Refused with every entry that cannot be read.
    """
    return _accounts(str(pack), packs.fingerprint(pack))


@lru_cache(maxsize=8)
def _accounts(pack: str, _fingerprint: Any) -> dict[str, Account]:
    found: dict[str, Account] = {}
    problems: list[Problem] = []
    for number, entry in enumerate(packs.documents(pack, "accounts"), 1):
        try:
            account = _account(entry)
        except (KeyError, TypeError, ValueError) as error:
            params = {"detail": str(error), "number": number}
            problems.append(Problem("inventory.bad-account", file=entry["_file"], value=number, params=params))
            continue
        found[account.basis] = account
    if problems:
        raise Refused(problems)
    return found


def _account(entry: dict[str, Any]) -> Account:
    parts = tuple(_part(part) for part in entry["parts"])
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"two parts of {entry['basis']} have one name")
    headline = entry.get("headline")
    return Account(
        basis=str(entry["basis"]),
        title=_title(entry["title"]),
        source=str(entry["source"]),
        status=str(entry["status"]),
        headline=None if headline is None else int(headline),
        requires=tuple(entry.get("requires") or ()),
        parts=parts,
        file=str(entry["_file"]),
        item=str(entry.get("item") or ITEM),
        unit=str(entry.get("unit") or "tCO2"),
    )


def _part(entry: dict[str, Any]) -> Part:
    side = str(entry.get("side") or "none")
    if side not in SIDES:
        raise ValueError(f"side {side} is none of {', '.join(SIDES)}")
    sign = int(entry.get("sign", 1))
    if sign not in (1, -1):
        raise ValueError(f"sign {sign} is neither 1 nor -1")
    return Part(
        name=str(entry["name"]),
        title=_title(entry["title"]),
        method=str(entry["method"]),
        where=dict(entry.get("where") or {}),
        entity=dict(entry.get("entity") or {}),
        share=entry.get("share"),
        sign=sign,
        memo=bool(entry.get("memo", False)),
        side=side,
        item=entry.get("item"),
    )


def _title(given: dict[str, str]) -> dict[str, str]:
    return {"zh": str(given["zh"]), "en": str(given["en"])}


def asked(basis: str | None, known: dict[str, Account], unset: set[str]) -> Account:
    """The account called `basis`; the headline (None or ``headline``) is the first in order that is set.

    `unset`: parameters without a value. Raises Refused for a basis that is not known.
    """
    if basis in (None, "", "headline"):
        order = sorted((a for a in known.values() if a.headline is not None), key=lambda a: a.headline or 0)
        ready = [account for account in order if not unset.intersection(account.requires)]
        if ready:
            return ready[0]
    elif basis in known:
        return known[str(basis)]
    raise Refused(Problem("inventory.unknown-basis", value=basis, params={"known": ", ".join(known)}))
