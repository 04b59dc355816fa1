"""A score sheet on its way: self-score, review, objection, decision, freeze, recalculation. Steps are only ever added.

What a sheet says follows from its steps alone, so a frozen sheet reads the same for good; a later correction is a new
edition beside it, with its reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing.assess_tables import METADATA, SCORE_STEP
from dualcarbon.plan.assessing.score import score
from dualcarbon.plan.store import document, stamp, writing

#: What a subject may do next, by where it stands; and where it then stands.
SUBJECT_STEPS = {
    "waiting": {"self-score": "self-scored"},
    "self-scored": {"self-score": "self-scored", "review": "reviewed"},
    "reviewed": {"review": "reviewed", "object": "objected"},
    "objected": {"decide": "decided"},
    "decided": {},
}
READY = ("reviewed", "decided")
REASONED = ("object", "decide", "recalculate")
STATES = {
    "waiting": {"zh": "待自评", "en": "waiting for the self-score"},
    "self-scored": {"zh": "已自评", "en": "self-scored"},
    "reviewed": {"zh": "已复核", "en": "reviewed"},
    "objected": {"zh": "有异议", "en": "objection open"},
    "decided": {"zh": "已裁定", "en": "decided"},
    "open": {"zh": "办理中", "en": "under way"},
    "frozen": {"zh": "已冻结", "en": "frozen"},
    "recalculated": {"zh": "重算中", "en": "recalculated, not frozen yet"},
}


ACTIONS = {
    "open": {"zh": "建表", "en": "opening"},
    "self-score": {"zh": "自评", "en": "self-score"},
    "review": {"zh": "复核", "en": "review"},
    "object": {"zh": "异议", "en": "objection"},
    "decide": {"zh": "裁定", "en": "decision"},
    "freeze": {"zh": "冻结", "en": "freeze"},
    "recalculate": {"zh": "重算", "en": "recalculation"},
}


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
            if _digest(steps[0]["body"]) == _digest(json.loads(_text(body))):
                return read(workspace, sheet)
            raise Refused(Problem("plan.wrong-step", value="open", params={"state": folded(steps)["state"]}))
        _add(connection, sheet, name, "open", body, 1, at=at, person=person)
    return read(workspace, sheet)


def step(
    workspace: Workspace,
    sheet: str,
    action: str,
    *,
    subject: str | None = None,
    points: Mapping[str, float] | None = None,
    values: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    deductions: Mapping[str, Mapping[str, float]] | None = None,
    reason: str | None = None,
    at: date | None = None,
    department: str | None = None,
    person: str | None = None,
) -> dict[str, Any]:
    """Take a step and return the sheet as `read` does.

    `self-score`, `review`, `object`, `decide` need a `subject`; `points` are by item (what a department claims, what a
    review or decision settles). `freeze` needs every subject reviewed and no objection open. `recalculate` needs a
    frozen sheet, new `values` and a reason, and opens a new edition in which points settled by hand stay only for items
    whose value stays. Raises Refused (`plan.wrong-step`, `plan.no-reason`, `plan.not-reviewed`, `plan.no-subject`,
    `plan.points-range`), NoSuch for an unknown sheet.
    """
    with _writing(workspace) as connection:
        steps = _steps(connection, sheet)
        now = _known(sheet, steps)
        _check(now, action, subject, points or {}, reason)
        edition = now["edition"] + (action == "recalculate")
        body: dict[str, Any] = {"points": dict(points or {})}
        if action == "recalculate":
            body = {"values": values or now["values"], "deductions": deductions or now["deductions"]}
            _sound(now["scheme"], body["values"], body["deductions"])
        if action == "freeze":
            body = {"digest": _digest(sealed(result(now)))}
        _add(
            connection, sheet, steps[0]["plan"], action, body, edition, subject=subject, reason=reason, at=at,
            department=department, person=person,
        )  # fmt: skip
    return read(workspace, sheet)


def _sound(scheme: Mapping[str, Any], values: Any, deductions: Any) -> None:
    """Refuse values that cannot be scored, before they are kept for good."""
    try:
        score(scheme, values, deductions)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(Problem("plan.bad-scheme", column="values", value=str(error))) from error


def _check(
    now: Mapping[str, Any], action: str, subject: str | None, points: Mapping[str, float], reason: str | None
) -> None:
    """Refuse a step that is not possible now."""
    wrong = Problem("plan.wrong-step", value=action, params={"state": now["state"]})
    if action in REASONED and not (reason or "").strip():
        raise Refused(Problem("plan.no-reason", value=action))
    if action == "recalculate":
        if now["state"] != "frozen":
            raise Refused(wrong)
        return
    if now["state"] == "frozen":
        raise Refused(wrong)
    if action == "freeze":
        left = [name for name, one in now["subjects"].items() if one["state"] not in READY]
        if left:
            raise Refused(Problem("plan.not-reviewed", value="、".join(left)))
        return
    if subject not in now["subjects"]:
        raise Refused(Problem("plan.no-subject", value=subject))
    stands = now["subjects"][subject]["state"]
    if action not in SUBJECT_STEPS[stands]:
        raise Refused(Problem("plan.wrong-step", value=action, params={"state": stands}))
    if not isinstance(points, Mapping):
        raise Refused(Problem("plan.no-subject", value=str(points)))
    items = {one["id"]: one for one in now["scheme"]["items"]}
    problems = []
    for name, value in points.items():
        if name not in items or name not in now["values"][subject]:
            problems.append(Problem("plan.no-subject", value=f"{subject} {name}"))
            continue
        most = float(items[name]["weight"]) + float(items[name].get("bonus") or 0.0)
        if not isinstance(value, int | float) or not 0 <= value <= most:
            problems.append(Problem("plan.points-range", column=name, value=value, params={"most": most}))
    if problems:
        raise Refused(problems)


def folded(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a sheet's steps make: `{state, edition, scheme, values, deductions, subjects, editions, steps}`.

    A subject is `{state, claimed, settled}`: points by item that it claims, and that reviews or decisions settled.
    """
    first = steps[0]["body"]
    now: dict[str, Any] = {**first, "state": "open", "edition": 1, "editions": []}
    now["subjects"] = {name: {"state": "waiting", "claimed": {}, "settled": {}} for name in first["values"]}
    for one in steps[1:]:
        if one["action"] == "freeze":
            now["state"] = "frozen"
            frozen = {"edition": one["edition"], "digest": one["body"]["digest"], "told": one["told"]}
            now["editions"].append(frozen | {"result": result(now)})
        elif one["action"] == "recalculate":
            before = now["values"]
            now |= {"state": "recalculated", "edition": one["edition"], **one["body"]}
            for name in now["values"]:
                own = now["subjects"].setdefault(name, {"state": "reviewed", "claimed": {}, "settled": {}})
                own["state"] = "reviewed"
                own["settled"] = {
                    item: points
                    for item, points in own["settled"].items()
                    if before.get(name, {}).get(item) == now["values"][name].get(item)
                }
        else:
            own = now["subjects"][one["subject"]]
            own["state"] = SUBJECT_STEPS[own["state"]][one["action"]]
            if one["action"] == "self-score":
                own["claimed"] = one["body"]["points"]
            elif one["action"] in ("review", "decide"):
                own["settled"] = {**own["settled"], **one["body"]["points"]}
    now["steps"] = [{name: value for name, value in one.items() if name != "body"} for one in steps]
    return now


def result(now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the score of a folded state, as `score.score`; points settled by hand stand for calculated ones."""
    return score(now["scheme"], cells(now), now["deductions"])


def sealed(told: Mapping[str, Any]) -> list[Any]:
    """Return what a frozen result promises to keep: totals, ranges, ranks and points, whatever else is shown."""
    return [
        [one["subject"], one["total"], one["low"], one["high"], one["rank_from"], one["rank_to"], one["deducted"],
         [[row["item"], row["points"], row["bonus"]] for row in one["rows"]]]
        for one in told["subjects"]
    ]  # fmt: skip


def cells(now: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the values of a folded state (or of `read`) by subject and item, with the points settled by hand."""
    return {
        subject: {
            item: {**cell, "points": now["subjects"][subject]["settled"][item]}
            if item in now["subjects"][subject]["settled"]
            else cell
            for item, cell in told.items()
        }
        for subject, told in now["values"].items()
    }


def gathered(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return steps with those of one day, action, person and reason as one: `{told, action, subjects, …}`, in order."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in steps:
        key = tuple(one[name] for name in ("told", "action", "edition", "department", "person", "reason"))
        row = found.setdefault(key, {name: one[name] for name in ("told", "action", "department", "person", "reason")})
        row.setdefault("subjects", []).extend([one["subject"]] if one["subject"] else [])
    return list(found.values())


def possible(now: Mapping[str, Any]) -> list[str]:
    """Return the steps that a sheet may take next, in their order; those of a subject as far as any may take them."""
    if now["state"] == "frozen":
        return ["recalculate"]
    found = {action for one in now["subjects"].values() for action in SUBJECT_STEPS[one["state"]]}
    if all(one["state"] in READY for one in now["subjects"].values()):
        found.add("freeze")
    return [action for action in ACTIONS if action in found]


def points_of(text: str) -> dict[str, float]:
    """Return points by item from lines `item=points`. Raises Refused `plan.bad-number` with every line that is none."""
    found, problems = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, value = line.strip().replace("＝", "=").partition("=")
        if not line.strip():
            continue
        try:
            found[name.strip()] = float(value)
        except ValueError:
            problems.append(Problem("plan.bad-number", row=number, value=line.strip()))
    if problems:
        raise Refused(problems)
    return found


def read(workspace: Workspace, sheet: str) -> dict[str, Any]:
    """Return a sheet: `{sheet, plan, state, edition, result, subjects, editions, steps, verified}`.

    `result` is the current edition's score; `editions` those that were frozen, each with its result and digest;
    `verified` says whether every frozen result still gives the digest kept with it. Raises NoSuch.
    """
    with workspace.database.connect() as connection:
        steps = _steps(connection, sheet) if _installed(workspace) else []
    now = _known(sheet, steps)
    return {
        "sheet": sheet,
        "plan": steps[0]["plan"],
        "state": now["state"],
        "edition": now["edition"],
        "result": result(now),
        "subjects": now["subjects"],
        "editions": now["editions"],
        "steps": now["steps"],
        "verified": all(_digest(sealed(one["result"])) == one["digest"] for one in now["editions"]),
        "scheme": now["scheme"],
        "values": now["values"],
        "deductions": now["deductions"],
    }


def sheets(workspace: Workspace, plan: str | None = None) -> list[dict[str, Any]]:
    """Return the sheets of a plan (of every plan when None): `{sheet, plan, state, edition, told}`."""
    if not _installed(workspace):
        return []
    with workspace.database.connect() as connection:
        rows = connection.execute(sa.select(SCORE_STEP.c.sheet, SCORE_STEP.c.plan).distinct()).all()
        found = []
        for name, of in sorted(rows):
            if plan in (None, of):
                steps = _steps(connection, name)
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


def _steps(connection: sa.Connection, sheet: str) -> list[dict[str, Any]]:
    chosen = sa.select(SCORE_STEP).where(SCORE_STEP.c.sheet == sheet).order_by(SCORE_STEP.c.number)
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
    row = {"sheet": sheet, "plan": plan, "action": action, "body": _text(body), "edition": edition}
    row |= {"subject": subject, "reason": reason, **stamp(at, department, person)}
    connection.execute(sa.insert(SCORE_STEP), row)


def _text(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, default=str)


def _digest(body: Any) -> str:
    return hashlib.sha256(_text(body).encode()).hexdigest()
