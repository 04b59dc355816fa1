"""A score sheet on its way: self-score, review, objection, decision, freeze, recalculation. Steps are only ever added.

What a sheet says follows from its steps alone, so a frozen sheet reads the same for good; a later correction is a new
edition beside it, with its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing.assess_tables import METADATA, SCORE_STEP
from dualcarbon.plan.assessing.score import RULES, score
from dualcarbon.plan.assessing.score_steps import check, digest, folded, impossible, result, sealed, text
from dualcarbon.plan.store import document, stamp, writing


def start(
    workspace: Workspace,
    sheet: str,
    scheme: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    plan: str | None = None,
    deductions: Mapping[str, Mapping[str, float]] | None = None,
    at: date | None = None,
    person: str | None = None,
) -> dict[str, Any]:
    """Open a sheet with a scheme and values and return it as `read` does; the same again changes nothing.

    Raises Refused `plan.wrong-step` for a sheet that exists with other content.
    """
    body = {"scheme": scheme, "values": values, "deductions": deductions or {}}
    name = str(document(workspace, plan)["plan"])
    _sound(scheme, values, deductions or {})
    with _writing(workspace) as connection:
        steps = _steps(connection, sheet)
        if steps:
            if digest(steps[0]["body"]) == digest(json.loads(text(body))):
                return read(workspace, sheet)
            raise Refused(impossible("open", folded(steps)["state"]))
        _add(connection, sheet, name, "open", body, 1, at=at, person=person)
    return read(workspace, sheet)


def step(
    workspace: Workspace,
    sheet: str,
    action: str,
    *,
    subject: str | None = None,
    points: Mapping[str, float] | None = None,
    lift: Sequence[str] | None = None,
    values: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    deductions: Mapping[str, Mapping[str, float]] | None = None,
    reason: str | None = None,
    at: date | None = None,
    department: str | None = None,
    person: str | None = None,
) -> dict[str, Any]:
    """Take a step and return the sheet as `read` does.

    `self-score`, `review`, `object`, `decide` need a `subject`; `points` are by item (what a department claims, what a
    review or decision settles); `lift` are items whose veto a review or decision lifts, with a reason: settled points
    alone lift none. `freeze` needs every subject reviewed and no objection open. `recalculate` needs a frozen sheet, a
    reason, and `values` or `deductions` that differ: they replace those of the subjects and items they name, the rest
    stays. It opens a new edition in which points settled by hand stay only for items whose value stays. Raises Refused
    (`plan.wrong-step`, `plan.no-reason`, `plan.not-reviewed`, `plan.no-subject`, `plan.no-item`, `plan.no-new-values`,
    `plan.points-range`), NoSuch for an unknown sheet.
    """
    with _writing(workspace) as connection:
        steps = _steps(connection, sheet)
        now = _known(sheet, steps)
        check(now, action, subject, points or {}, reason, lift or ())
        edition = now["edition"] + (action == "recalculate")
        body: dict[str, Any] = {"points": dict(points or {})} | ({"lift": list(lift)} if lift else {})
        if action == "recalculate":
            body = _renewed(now, values or {}, deductions or {})
        if action == "freeze":
            body = {"digest": digest(sealed(result(now))), "rules": RULES}
        _add(
            connection, sheet, steps[0]["plan"], action, body, edition, subject=subject, reason=reason, at=at,
            department=department, person=person,
        )  # fmt: skip
    return read(workspace, sheet)


def _renewed(now: Mapping[str, Any], values: Any, deductions: Any) -> dict[str, Any]:
    """The values and deductions of a recalculation: those told in place of the ones they name. Raises Refused."""
    from dualcarbon.plan.assessing.score_scheme import unknown_items

    _sound(now["scheme"], values, deductions)
    problems = unknown_items(now["scheme"], values)
    if problems:
        raise Refused(problems)
    before = {"values": now["values"], "deductions": now["deductions"]}
    body = {
        name: {**old, **{subject: {**old.get(subject, {}), **own} for subject, own in new.items()}}
        for (name, old), new in zip(before.items(), (values, deductions), strict=True)
    }
    if digest(body) == digest(before):
        raise Refused(Problem("plan.no-new-values", value=""))
    return body


def _told(values: Any) -> bool:
    """Whether values are by subject and item."""
    owns = list(values.values()) if isinstance(values, Mapping) else [None]
    return all(isinstance(own, Mapping) and all(isinstance(one, Mapping) for one in own.values()) for own in owns)


def _sound(scheme: Mapping[str, Any], values: Any, deductions: Any) -> None:
    """Refuse values that cannot be scored, before they are kept for good."""
    numbers = [cell.get(name) for own in values.values() for cell in own.values()
               for name in ("value", "low", "high", "basic", "incentive")] if _told(values) else []  # fmt: skip
    if any(isinstance(one, float) and not math.isfinite(one) for one in numbers):
        raise Refused(Problem("plan.bad-number", column="values", value="nan"))
    try:
        score(scheme, values, deductions)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(Problem("plan.bad-scheme", column="values", value=str(error))) from error


def read(workspace: Workspace, sheet: str, as_of: date | None = None) -> dict[str, Any]:
    """Return a sheet: `{sheet, plan, state, edition, result, subjects, editions, steps, verified, why}`.

    `result` is the current edition's score; `editions` those that were frozen, as `score_steps.frozen` gives them, each
    by the rules of its freeze; `verified` says whether every frozen result still gives the digest kept with it, `why`
    ({zh, en}) by which rules, or why the first that does not. None before the first freeze. `as_of`: by the steps taken
    by that day, all when None. Raises NoSuch.
    """
    with workspace.database.connect() as connection:
        steps = _steps(connection, sheet, as_of) if _installed(workspace) else []
    now = _known(sheet, steps)
    last = now["editions"][-1]["why"] if now["editions"] else None
    return {
        "sheet": sheet,
        "plan": steps[0]["plan"],
        "state": now["state"],
        "edition": now["edition"],
        "result": result(now),
        "subjects": now["subjects"],
        "editions": now["editions"],
        "steps": now["steps"],
        "verified": all(one["verified"] for one in now["editions"]),
        "why": next((one["why"] for one in now["editions"] if not one["verified"]), last),
        "scheme": now["scheme"],
        "values": now["values"],
        "deductions": now["deductions"],
    }


def sheets(workspace: Workspace, plan: str | None = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return the sheets of a plan (of every plan when None): `{sheet, plan, state, edition, told}`.

    `as_of`: those there were on that day, as they stood; all when None.
    """
    if not _installed(workspace):
        return []
    with workspace.database.connect() as connection:
        rows = connection.execute(sa.select(SCORE_STEP.c.sheet, SCORE_STEP.c.plan).distinct()).all()
        found = []
        for name, of in sorted(rows):
            steps = _steps(connection, name, as_of) if plan in (None, of) else []
            if steps:
                now = folded(steps)
                row = {"sheet": name, "plan": of, "state": now["state"], "edition": now["edition"]}
                found.append({**row, "told": steps[-1]["told"]})
        return found


def last_step(workspace: Workspace) -> int:
    """Return the number of the last step of any sheet; 0 before the first."""
    if not _installed(workspace):
        return 0
    with workspace.database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.max(SCORE_STEP.c.number))).scalar() or 0)


def _known(sheet: str, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from dualcarbon.core.faces import NoSuch

    if not steps:
        raise NoSuch("score", sheet)
    return folded(steps)


def _installed(workspace: Workspace) -> bool:
    return sa.inspect(workspace.database).has_table(SCORE_STEP.name)


def _writing(workspace: Workspace) -> Any:
    if not _installed(workspace):
        with writing(workspace) as connection:
            METADATA.create_all(connection)
    return writing(workspace)


def _steps(connection: sa.Connection, sheet: str, as_of: date | None = None) -> list[dict[str, Any]]:
    chosen = sa.select(SCORE_STEP).where(SCORE_STEP.c.sheet == sheet).order_by(SCORE_STEP.c.number)
    if as_of is not None:
        chosen = chosen.where(SCORE_STEP.c.told <= as_of.isoformat())
    return [{**row, "body": json.loads(row["body"])} for row in connection.execute(chosen).mappings()]


def _add(
    connection: sa.Connection,
    sheet: str,
    plan: str,
    action: str,
    body: Mapping[str, Any],
    edition: int,
    *,
    subject: str | None = None,
    reason: str | None = None,
    at: date | None = None,
    department: str | None = None,
    person: str | None = None,
) -> None:
    row = {"sheet": sheet, "plan": plan, "action": action, "body": text(body), "edition": edition}
    row |= {"subject": subject, "reason": reason, **stamp(at, department, person)}
    connection.execute(sa.insert(SCORE_STEP), row)
