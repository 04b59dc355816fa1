"""What the steps of a score sheet make, without storage: who stands where, what may come next, the result of it all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.assessing.score import RULES, score

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
LIFTING = ("review", "decide")
#: What a frozen edition was verified by, and why one may not be.
RULES_WORDS = {
    1: {
        "zh": "按冻结时的第 1 版计分规则核对一致：认定分整分计入，超过权重的不另作加分。",
        "en": "Verified by version 1 of the scoring rules, that of its freeze: settled points count whole, no bonus.",
    },
    2: {
        "zh": "按第 2 版计分规则核对一致：认定分超过权重的部分是加分。",
        "en": "Verified by version 2 of the scoring rules: settled points above the weight are bonus.",
    },
}
UNVERIFIED = {
    "zh": "按已知的各版计分规则重算，总分、范围、名次或得分都与冻结时留存的校验值不符：这张表的记录在冻结后被改动过，"
    "或者冻结它的程序早于第 1 版规则。应与冻结时印发的文件核对。",
    "en": "Recomputed by every known version of the rules, its totals, ranges, ranks or points do not give the digest "
    "kept at the freeze: what the sheet rests on was changed since, or a program older than version 1 froze it. "
    "Compare it with the document given out at the freeze.",
}
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


def check(
    now: Mapping[str, Any],
    action: str,
    subject: str | None,
    points: Mapping[str, float],
    reason: str | None,
    lift: Sequence[str] = (),
) -> None:
    """Refuse a step that is not possible now. `lift`: items whose veto a review or decision lifts, with a reason."""
    wrong = impossible(action, now["state"])
    if (action in REASONED or lift) and not (reason or "").strip():
        raise Refused(Problem("plan.no-reason", value=action, params={"action": ACTIONS[action]}))
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
    if subject is None:
        raise Refused(Problem("plan.choose-subject"))
    if subject not in now["subjects"]:
        raise Refused(Problem("plan.no-subject", value=subject))
    stands = now["subjects"][subject]["state"]
    if action not in SUBJECT_STEPS[stands]:
        raise Refused(impossible(action, stands))
    if not isinstance(points, Mapping):
        raise Refused(Problem("plan.no-subject", value=str(points)))
    if lift and action not in LIFTING:
        raise Refused(Problem("plan.lift-step", value=action, params={"action": ACTIONS[action]}))
    items, own = {one["id"]: one for one in now["scheme"]["items"]}, now["values"].get(subject, {})
    problems = [Problem("plan.no-item", value=name) for name in lift if name not in items or name not in own]
    for name, value in points.items():
        if name not in items or name not in own:
            problems.append(Problem("plan.no-subject", value=f"{subject} {name}"))
            continue
        most = float(items[name]["weight"]) + float(items[name].get("bonus") or 0.0)
        if not isinstance(value, int | float) or not 0 <= value <= most:
            problems.append(Problem("plan.points-range", column=name, value=value, params={"most": most}))
    if problems:
        raise Refused(problems)


def impossible(action: str, state: str) -> Problem:
    """The problem of a step that a sheet or subject in a state cannot take."""
    said = {"state": STATES.get(state, state), "action": ACTIONS.get(action, action)}
    return Problem("plan.wrong-step", value=action, params=said)


def folded(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a sheet's steps make: `{state, edition, scheme, values, deductions, subjects, editions, steps}`.

    `editions` are the frozen ones as `frozen` gives them; a sheet that is frozen has the rules of its edition in its
    scheme. A subject is `{state, claimed, settled, lifted}`: points by item that it claims, and that reviews or
    decisions settled; items whose veto they lifted.
    """
    first = steps[0]["body"]
    now: dict[str, Any] = {**first, "state": "open", "edition": 1, "editions": []}
    now["subjects"] = {name: {"state": "waiting", **_untouched()} for name in first["values"]}
    for one in steps[1:]:
        if one["action"] == "freeze":
            edition = frozen(now, one)
            now["editions"].append(edition)
            now |= {"state": "frozen", "scheme": {**first["scheme"], "rules": edition["rules"]}}
        elif one["action"] == "recalculate":
            before = now["values"]
            now |= {"state": "recalculated", "edition": one["edition"], "scheme": first["scheme"], **one["body"]}
            for name in now["values"]:
                own = now["subjects"].setdefault(name, {"state": "reviewed", **_untouched()})
                own["state"] = "reviewed"
                stays = {item for item, cell in now["values"][name].items() if before.get(name, {}).get(item) == cell}
                own["settled"] = {item: points for item, points in own["settled"].items() if item in stays}
                own["lifted"] = [item for item in own["lifted"] if item in stays]
        else:
            own = now["subjects"][one["subject"]]
            own["state"] = SUBJECT_STEPS[own["state"]][one["action"]]
            if one["action"] == "self-score":
                own["claimed"] = one["body"]["points"]
            elif one["action"] in ("review", "decide"):
                own["settled"] = {**own["settled"], **one["body"]["points"]}
                own["lifted"] = sorted({*own["lifted"], *one["body"].get("lift", ())})
    now["steps"] = [{name: value for name, value in one.items() if name != "body"} for one in steps]
    return now


def frozen(now: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    """Return the edition that a freeze makes: `{edition, digest, told, rules, result, verified, why: {zh, en}}`.

    It is recomputed by the rules of its freeze; a freeze that does not name them is tried by each, the latest first.
    `why` says by which rules it holds, or why it does not.
    """
    kept, named = one["body"]["digest"], one["body"].get("rules")
    made = {}
    for rules in [named] if named in RULES_WORDS else range(RULES, 0, -1):
        made[rules] = result({**now, "scheme": {**now["scheme"], "rules": rules}})
        if digest(sealed(made[rules])) == kept:
            why = RULES_WORDS[rules]
            break
    else:
        rules, why = max(made), UNVERIFIED
    told = {"edition": one["edition"], "digest": kept, "told": one["told"], "rules": rules, "result": made[rules]}
    return told | {"verified": why is not UNVERIFIED, "why": why}


def text(body: Any) -> str:
    """Return what is kept or sealed as text, the same for the same content."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True, default=str)


def digest(body: Any) -> str:
    """Return the SHA-256 of `text`."""
    return hashlib.sha256(text(body).encode()).hexdigest()


def _untouched() -> dict[str, Any]:
    return {"claimed": {}, "settled": {}, "lifted": []}


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
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for subject, told in now["values"].items():
        own = now["subjects"][subject]
        found[subject] = {item: dict(cell) for item, cell in told.items()}
        for item, points in own["settled"].items():
            found[subject][item] |= {"points": points}
        for item in own["lifted"]:
            found[subject][item] |= {"lifted": True}
    return found


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


def items_of(text: str) -> list[str]:
    """Return items from text with one a line, or set apart by commas or blanks."""
    return [one for one in re.split(r"[\s,，、;；]+", text) if one]


def points_of(text: str) -> dict[str, float]:
    """Return points by item from lines `item=points`. Raises Refused `plan.bad-points` with every line that is none."""
    found, problems = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, value = line.strip().replace("＝", "=").partition("=")
        if not line.strip():
            continue
        try:
            found[name.strip()] = float(value)
        except ValueError:
            problems.append(Problem("plan.bad-points", row=number, value=line.strip()))
    if problems:
        raise Refused(problems)
    return found
