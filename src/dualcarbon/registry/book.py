"""The registry: each act is one transaction with the ledger, done by whoever may do it.

What a holder has is a balance in the ledger; for instruments with serial numbers the registry keeps beside it which
numbers those are, and their count always equals the balance. An act has a client-made id: the same id with the same
content answers again, with other content it is refused.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger.store import Store
from dualcarbon.registry import ahead, forms, seals, tables
from dualcarbon.registry.act import Act, refused_by_ledger
from dualcarbon.registry.desk import Desk
from dualcarbon.registry.words import listed, refuse

Work = Callable[[Act], dict[str, Any]]
DRY = {"ok": "would_be_ok"}
MOST_YEARS = 30


class _DryRun(Exception):
    """Carries the answers of acts that must leave nothing behind."""


@dataclass(frozen=True)
class Prepared:
    """An act read as far as possible without the database; `file`, `sheet` and `row` say where it was read."""

    id: str
    action: str
    said: dict[str, Any]
    content: str
    work: Work
    file: str | None = None
    sheet: str | None = None
    row: int | None = None


class Registry:
    """The registry over a ledger; `pack` gives the instruments."""

    def __init__(self, store: Store, pack: str = DEFAULT) -> None:
        self.store, self.engine, self.pack = store, store.engine, pack

    def install(self) -> None:
        """Create the ledger and the registry's tables where they are missing."""
        self.store.install()
        if not tables.installed(self.engine):
            self.store.transaction(lambda connection, standing, recorded: tables.install(connection))

    def do(self, action: str, id: str, *, dry_run: bool = False, **said: Any) -> dict[str, Any]:
        """Do one act of `forms.FORMS` under a client-made id; `dry_run` changes nothing. Raises Refused.

        The answer has `id`, `result` (ok, exists, would_be_ok), what was done, who did it and the serial numbers;
        `grant` answers `{id, result, years: [answer, ...]}`.
        """
        answers = self.together(self.prepare(action, id, **said), dry_run=dry_run)
        if action != "grant":
            return answers[0]
        return {"id": id, "result": answers[-1]["result"], "action": "grant", "years": answers}

    def prepare(self, action: str, id: str, **said: Any) -> list[Prepared]:
        """Read what was said; a grant is an issue for each year. Raises Refused with every fault."""
        if action not in forms.FORMS:
            raise refuse("act-unknown", "action", action, known=listed(forms.FORMS))
        read = forms.read(action, said)
        if action != "grant":
            return [_prepared(action, id, read)]
        first, years = read.pop("vintage"), read.pop("years")
        if not (first.isdecimal() and len(first) == 4) or years > MOST_YEARS:
            raise refuse("vintage-missing", "vintage", first, title="")
        return [
            _prepared("issue", f"{id}.{int(first) + n}", {**read, "vintage": str(int(first) + n)}) for n in range(years)
        ]

    def issue(self, id: str, code: str, holder: str, quantity: int | None = None, **said: Any) -> dict[str, Any]:
        """Make units of an instrument that is issued here. Raises Refused."""
        return self.do("issue", id, instrument=code, holder=holder, quantity=quantity, **said)

    def transfer(self, id: str, code: str, seller: str, buyer: str, quantity: int, **said: Any) -> dict[str, Any]:
        """Move units to another holder: the lowest serial numbers first, or just `serials`. Raises Refused."""
        return self.do("transfer", id, instrument=code, seller=seller, buyer=buyer, quantity=quantity, **said)

    def retire(self, id: str, code: str, holder: str, quantity: int, **said: Any) -> dict[str, Any]:
        """Use units up for good, for a `purpose` and a `beneficiary`. Raises Refused."""
        return self.do("retire", id, instrument=code, holder=holder, quantity=quantity, **said)

    def together(
        self, acts: Sequence[Prepared], *, dry_run: bool = False, also: Sequence[tuple[int, Problem]] = ()
    ) -> list[dict[str, Any]]:
        """Do all acts in one transaction, or none: Refused has the problems of every act that cannot be done.

        `also` are problems of rows that could not be read as acts, each with its place among the acts: with any of
        them the acts are only tried.
        """

        def within(connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> list[dict[str, Any]]:
            desk = Desk(self.store, connection, standing, recorded)
            ahead.read(desk, acts, self.pack)
            answers: list[dict[str, Any]] = []
            problems: dict[str, Refused] = {}
            for one in acts:
                try:
                    answers.append(self._one(one, desk))
                except Refused as refused:
                    problems[one.id] = refused
            # What the ledger says of an act goes before what the registry found after it.
            problems |= {act.id: refused_by_ledger(result, moves) for act, result, moves in desk.settle()}
            if problems or also:
                raise Refused(_placed(acts, problems, also))
            desk.write()
            if dry_run:
                raise _DryRun([{**one, "result": DRY.get(one["result"], one["result"])} for one in answers])
            return answers

        try:
            return self.store.transaction(within)
        except _DryRun as done:
            told: list[dict[str, Any]] = done.args[0]
            return told

    def _one(self, one: Prepared, desk: Desk) -> dict[str, Any]:
        if one.id in desk.done:
            action, asked, known = desk.done[one.id]
            if asked != one.content:
                raise refuse("id-used", "id", one.id, action=action)
            return {**json.loads(known), "result": "exists"}
        act = Act(desk, self.pack, one.id, one.said, one.said.get("at"))
        act.digest = seals.seal(*desk.seal_before(), one.id, one.action, one.content)
        answer = {"id": one.id, "result": "ok", "action": one.action, **one.work(act)}
        about = act.chosen.code if act.chosen is not None else str(one.said.get("kind", ""))
        row: dict[str, Any] = {"id": one.id, "action": one.action, "instrument": about, "asked": one.content}
        row |= {"recorded": desk.recorded, "at": act.moment, "answer": json.dumps(answer, ensure_ascii=False)}
        desk.keep(row, act.digest)
        return answer


def _placed(
    acts: Sequence[Prepared], problems: dict[str, Refused], also: Sequence[tuple[int, Problem]]
) -> list[Problem]:
    """All problems in the order of the acts, each where its act was read."""
    told: list[tuple[int, Problem]] = list(also)
    for place, one in enumerate(acts):
        where: dict[str, Any] = {} if one.file is None else {"file": one.file, "sheet": one.sheet, "row": one.row}
        found = problems[one.id].problems if one.id in problems else []
        told += ((place, replace(problem, **where)) for problem in found)
    return [problem for _, problem in sorted(told, key=lambda pair: pair[0])]


def _prepared(action: str, id: str, said: dict[str, Any]) -> Prepared:
    if not id or len(id) > 60 or not id.isprintable() or "~" in id:
        raise refuse("id-unusable", "id", id)
    module, function = forms.FORMS[action].work.split(".")
    work = getattr(import_module(f"dualcarbon.registry.{module}"), function)
    return Prepared(id, action, said, json.dumps({"action": action, **said}, ensure_ascii=False, sort_keys=True), work)
