"""The instruments of a registry and their life, read from the rule packs (`instruments.yaml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dualcarbon.core.pack import PackError, chain, read_yaml
from dualcarbon.core.problems import Problem, Refused

REQUIRED = ("code", "title", "unit", "issuer", "issued", "life", "status")
NEEDS = ("subject", "period", "document", "purpose", "beneficiary")


@dataclass(frozen=True)
class Step:
    """One row of an instrument's life: who may do it, between which states, and what must be said."""

    action: str
    before: str | None
    after: str
    by: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Instrument:
    """One instrument.

    `unit` is the smallest unit, an integer count of which is held. `issued` is `here` or `elsewhere`; `attribute` what
    a unit claims of its subject and period (None: nothing). `parameters` keep value, unit, status, source and note.
    """

    code: str
    title: Mapping[str, str]
    unit: str
    issuer: str
    issued: str
    serials: bool
    by_vintage: bool
    attribute: str | None
    life: tuple[Step, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    source: str | None
    status: str
    stands_for: Mapping[str, Any]
    kinds: Mapping[str, str]

    def step(self, action: str, state: str | None) -> Step | None:
        """The row that allows `action` in `state`, or None."""
        return next((step for step in self.life if (step.action, step.before) == (action, state)), None)

    def ledger_code(self, vintage: str | None) -> str:
        """The instrument's name in the ledger: units of different vintages are different things there."""
        return f"{self.code}.{vintage}" if self.by_vintage else self.code

    def as_dict(self) -> dict[str, Any]:
        """The instrument as JSON shows it."""
        steps = [
            {"action": s.action, "from": s.before, "to": s.after, "by": list(s.by), "needs": list(s.needs)}
            for s in self.life
        ]
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "life"}
        return {**plain, "life": steps, "parameters": list(self.parameters.values())}


@cache
def instruments(pack: str = "cn-jiaxing") -> dict[str, Instrument]:
    """The instruments of a pack and those above it, by code. Raises PackError naming every fault."""
    merged: dict[str, dict[str, Any]] = {}
    for folder in chain(pack):
        path = folder / "instruments.yaml"
        for row in read_yaml(path) or () if path.is_file() else ():
            known = merged.setdefault(row.get("code"), {"parameters": {}})
            parameters = {**known["parameters"], **{one["name"]: one for one in row.get("parameters", ())}}
            known.update(row, parameters=parameters, file=path)
    errors = [f"{row['file']}: {code}: {fault}" for code, row in merged.items() for fault in _faults(row)]
    if errors:
        raise PackError(errors)
    return {code: _made(row) for code, row in merged.items()}


def _faults(row: Mapping[str, Any]) -> list[str]:
    faults = [f"{name} is missing" for name in REQUIRED if not row.get(name)]
    if row.get("issued") not in ("here", "elsewhere"):
        faults.append(f"issued is {row.get('issued')!r}, not here or elsewhere")
    for step in row.get("life", ()):
        unknown = set(step.get("needs", ())) - set(NEEDS)
        if unknown or not step.get("to") or "from" not in step or not step.get("action"):
            faults.append(f"a step of its life is not understood: {step}")
    for parameter in row["parameters"].values():
        if parameter.get("status") not in ("official", "secondary", "unverified", "synthetic"):
            faults.append(f"parameter {parameter['name']} has no status")
    return faults


def _made(row: Mapping[str, Any]) -> Instrument:
    life = tuple(
        Step(one["action"], one["from"], one["to"], tuple(one.get("by", ())), tuple(one.get("needs", ())))
        for one in row["life"]
    )
    return Instrument(
        row["code"],
        row["title"],
        row["unit"],
        row["issuer"],
        row["issued"],
        bool(row.get("serials")),
        bool(row.get("by_vintage")),
        row.get("attribute"),
        life,
        row["parameters"],
        row.get("source"),
        row["status"],
        row.get("stands_for", {}),
        row.get("kinds", {}),
    )


def instrument(code: str, pack: str | Path = "cn-jiaxing") -> Instrument:
    """The instrument `code`. Raises Refused (`registry.unknown-instrument`) listing those there are."""
    known = instruments(str(pack))
    if code not in known:
        raise Refused(
            Problem("registry.unknown-instrument", column="instrument", value=code, params={"known": "、".join(known)})
        )
    return known[code]
