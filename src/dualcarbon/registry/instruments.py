"""The instruments of a registry: life, roles, filings and ways of trade, read from `instruments.yaml` of the packs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from dualcarbon.core.pack import DEFAULT, PackError, chain, read_yaml
from dualcarbon.core.problems import Problem, Refused

SHARED = "*"
REQUIRED = ("code", "title", "unit", "issuer", "issued", "life", "roles", "trade", "source", "status")
NEEDS = (
    "subject", "period", "document", "purpose", "beneficiary", "reason", "report", "title", "quantity", "price",
    "payment", "lot",
)  # fmt: skip
WHO = ("party", "issuer", "appointed", "anyone")
WAYS = ("listing", "agreement", "matching")
STATUSES = ("official", "secondary", "unverified", "synthetic")


@dataclass(frozen=True)
class Step:
    """One row of a state table: the roles that may do it, from which state to which, and what must be said.

    `apart`: roles whose actors elsewhere in the chain may not take this step (a verifier is not the owner).
    `undoes`: `lot` when the step takes a whole lot back that was made in error.
    """

    action: str
    before: str | None
    after: str
    by: tuple[str, ...]
    needs: tuple[str, ...]
    apart: tuple[str, ...]
    undoes: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row as the pack writes it."""
        told = {"action": self.action, "from": self.before, "to": self.after, "by": list(self.by)}
        told |= {"needs": list(self.needs), **({"apart": list(self.apart)} if self.apart else {})}
        return {**told, **({"undoes": self.undoes} if self.undoes else {})}


@dataclass(frozen=True)
class Role:
    """Who may act in a role: `who` is party, issuer, appointed or anyone; `named` stands for the issuer where given."""

    title: Mapping[str, str]
    who: str
    named: str | None


@dataclass(frozen=True)
class Filing:
    """One kind of filing of an instrument (methodology, project, report): what it belongs to, and its steps."""

    title: Mapping[str, str]
    of: str | None
    when: tuple[str, ...]
    steps: tuple[Step, ...]

    def step(self, action: str, state: str | None) -> Step | None:
        """The row that allows `action` in `state`, or None."""
        return found(self.steps, action, state)


@dataclass(frozen=True)
class Instrument:
    """One instrument.

    `unit` is the smallest unit, an integer count of which is held. `issued` is `here` or `elsewhere`; `attribute` what
    a unit claims of its subject and period (None: nothing). `parameters` keep value, unit, status, source and note.
    `trade` has `unit` (quoted), `per` (smallest units in it), `ways` and `market` (local or elsewhere).
    """

    code: str
    title: Mapping[str, str]
    unit: str
    unit_en: str
    issuer: str
    issued: str
    serials: bool
    by_vintage: bool
    cross_region: bool
    attribute: str | None
    life: tuple[Step, ...]
    roles: Mapping[str, Role]
    filing: Mapping[str, Filing]
    trade: Mapping[str, Any]
    kinds: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, Mapping[str, Any]]
    stands_for: Mapping[str, Any]
    source: str
    status: str

    def step(self, action: str, state: str | None) -> Step | None:
        """The row that allows `action` in `state`, or None."""
        return found(self.life, action, state)

    def is_final(self, state: str) -> bool:
        """Whether nothing leads out of `state`."""
        return not any(step.before == state for step in self.life)

    def parameter(self, name: str) -> Any:
        """A parameter's value, None where the pack has none."""
        return self.parameters.get(name, {}).get("value")

    def ledger_code(self, vintage: str | None) -> str:
        """The instrument's name in the ledger: units of different vintages are different things there."""
        return f"{self.code}.{vintage}" if self.by_vintage else self.code

    def as_dict(self) -> dict[str, Any]:
        """The instrument as JSON shows it."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        roles = {name: {"title": role.title, "who": role.who, "named": role.named} for name, role in self.roles.items()}
        filing = {
            kind: {"title": one.title, "of": one.of, "when": list(one.when), "steps": [s.as_dict() for s in one.steps]}
            for kind, one in self.filing.items()
        }
        life = [step.as_dict() for step in self.life]
        return {**plain, "life": life, "roles": roles, "filing": filing, "parameters": list(self.parameters.values())}


def found(steps: Sequence[Step], action: str, state: str | None) -> Step | None:
    """The row of a state table that allows `action` in `state`, or None."""
    return next((step for step in steps if (step.action, step.before) == (action, state)), None)


@cache
def instruments(pack: str = DEFAULT) -> dict[str, Instrument]:
    """The instruments of a pack and those above it, by code. Raises PackError naming every fault."""
    merged: dict[str, dict[str, Any]] = {}
    for folder in chain(pack):
        path = folder / "instruments.yaml"
        for row in read_yaml(path) or () if path.is_file() else ():
            known = merged.setdefault(row.get("code"), {"parameters": {}, "roles": {}})
            parameters = {**known["parameters"], **{one["name"]: one for one in row.get("parameters", ())}}
            roles = {**known["roles"], **row.get("roles", {})}
            known.update(row, parameters=parameters, roles=roles, file=path)
    shared = merged.pop(SHARED, {"roles": {}, "life": []})
    for row in merged.values():
        own = {(one.get("action"), one.get("from")) for one in row.get("life") or ()}
        common = [one for one in shared.get("life", ()) if (one["action"], one["from"]) not in own]
        row["life"] = [*(row.get("life") or ()), *common]
        row["roles"] = {**shared["roles"], **row["roles"]}
    errors = [f"{row['file']}: {code}: {fault}" for code, row in merged.items() for fault in _faults(row)]
    if errors:
        raise PackError(errors)
    return {code: _made(row) for code, row in merged.items()}


def _faults(row: Mapping[str, Any]) -> list[str]:
    faults = [f"{name} is missing" for name in REQUIRED if not row.get(name)]
    if row.get("issued") not in ("here", "elsewhere"):
        faults.append(f"issued is {row.get('issued')!r}, not here or elsewhere")
    if row.get("status") not in STATUSES:
        faults.append(f"status is {row.get('status')!r}")
    if row.get("serials") and row.get("by_vintage"):
        faults.append("serial numbers and yearly vintages do not go together")
    roles = row["roles"]
    filing = row.get("filing") or {}
    for step in [*row["life"], *(step for one in filing.values() for step in one.get("steps", ()))]:
        unknown = (set(step.get("needs", ())) - set(NEEDS)) | (set(step.get("by", ())) - roles.keys())
        unknown |= {step.get("undoes")} - {None, "lot"}
        if unknown or not step.get("to") or "from" not in step or not step.get("action") or not step.get("by"):
            faults.append(f"a step is not understood: {step}")
    for name, role in roles.items():
        if role.get("who") not in WHO or not role.get("title"):
            faults.append(f"role {name}: who is {role.get('who')!r}, not one of {', '.join(WHO)}")
    for kind, one in filing.items():
        if one.get("of") not in (None, *filing):
            faults.append(f"filing {kind} belongs to {one['of']!r}, which is no filing")
    trade = row.get("trade") or {}
    if trade and (type(trade.get("per")) is not int or trade["per"] < 1 or set(trade.get("ways", ())) - set(WAYS)):
        faults.append(f"trade is not understood: {trade}")
    for parameter in row["parameters"].values():
        if parameter.get("status") not in STATUSES:
            faults.append(f"parameter {parameter['name']} has no status")
    return faults


def _step(row: Mapping[str, Any]) -> Step:
    by, needs, apart = (tuple(row.get(name, ())) for name in ("by", "needs", "apart"))
    return Step(row["action"], row["from"], row["to"], by, needs, apart, row.get("undoes"))


def _filing(row: Mapping[str, Any]) -> Filing:
    return Filing(row["title"], row.get("of"), tuple(row.get("when", ())), tuple(map(_step, row["steps"])))


def _made(row: Mapping[str, Any]) -> Instrument:
    given: dict[str, Any] = {field.name: row.get(field.name) for field in fields(Instrument)}
    given |= {name: bool(row.get(name)) for name in ("serials", "by_vintage", "cross_region")}
    given |= {name: row.get(name) or {} for name in ("stands_for", "kinds")}
    given["unit_en"] = row.get("unit_en") or row["unit"]
    given["life"] = tuple(map(_step, row["life"]))
    given["roles"] = {name: Role(one["title"], one["who"], one.get("named")) for name, one in row["roles"].items()}
    given["filing"] = {kind: _filing(one) for kind, one in (row.get("filing") or {}).items()}
    return Instrument(**given)


def instrument(code: str, pack: str | Path = DEFAULT) -> Instrument:
    """The instrument `code`. Raises Refused (`registry.unknown-instrument`) listing those there are."""
    known = instruments(str(pack))
    if code not in known:
        raise _unknown(code, known)
    return known[code]


def code_of(text: str, known: Mapping[str, Instrument]) -> str:
    """The code of the instrument that a file names by its code or its title. Raises Refused as `instrument`."""
    found = next((code for code, one in known.items() if text in (code, *one.title.values())), None)
    if found is None:
        raise _unknown(text, known)
    return found


def _unknown(text: str, known: Mapping[str, Instrument]) -> Refused:
    named = {
        "zh": "、".join(f"{one.title['zh']}（{code}）" for code, one in known.items()),
        "en": ", ".join(f"{one.title['en']} ({code})" for code, one in known.items()),
    }
    return Refused(Problem("registry.unknown-instrument", column="instrument", value=text, params={"known": named}))
