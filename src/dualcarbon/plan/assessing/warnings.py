"""Warnings: rules of the pack that fired, each with its reason, and what was done about them.

Level 1 (一级) is the worst. Of the rules of one family only the worst fires for a line: one trouble is one alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads
from dualcarbon.plan.assessing import projects as major
from dualcarbon.plan.assessing.assess_tables import ANSWER, METADATA
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.store import document, stamp, writing

#: Words after a warning: taken note of, something is being done, settled, opened again.
ACTIONS = {"acknowledge": "acknowledged", "follow-up": "followed up", "close": "closed", "reopen": "open"}
ACTION_WORDS = {
    "acknowledge": {"zh": "签收", "en": "acknowledgement"},
    "follow-up": {"zh": "整改", "en": "follow-up"},
    "close": {"zh": "销号", "en": "closing"},
    "reopen": {"zh": "重开", "en": "reopening"},
}
STATES = {
    "open": {"zh": "待处理", "en": "open"},
    "acknowledged": {"zh": "已签收", "en": "acknowledged"},
    "followed up": {"zh": "整改中", "en": "being dealt with"},
    "closed": {"zh": "已销号", "en": "closed"},
}
_TESTS = {
    "is": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value in wanted,
    "above": lambda value, wanted: value is not None and value > wanted,
    "below": lambda value, wanted: value is not None and value < wanted,
    "at_least": lambda value, wanted: value is not None and value >= wanted,
    "at_most": lambda value, wanted: value is not None and value <= wanted,
    "known": lambda value, wanted: (value not in (None, "", [])) == wanted,
}


def rules(pack: str, year: int) -> dict[str, Any]:
    """Return `warnings.yaml` of a plan (`{status, levels, rules}`); the pack's latest when the year has none."""
    from dualcarbon.core.pack import chain, read_yaml

    here = feeding.folder(pack, year)
    own = here / "warnings.yaml" if here is not None else None
    if own is None or not own.is_file():
        found = [path for base in chain(pack) for path in sorted((base / "plan").glob("*/warnings.yaml"))]
        if not found:
            return {"status": "unverified", "levels": {}, "rules": []}
        own = found[-1]
    told: dict[str, Any] = read_yaml(own)
    return told


def holds(when: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> bool:
    """Return whether all conditions hold. Raises ValueError for a condition that nobody knows."""
    for one in when:
        names = [name for name in one if name != "field"]
        if len(names) != 1 or names[0] not in _TESTS:
            raise ValueError(str(one))
        if not _TESTS[names[0]](row.get(one["field"]), one[names[0]]):
            return False
    return True


def fire(told: Mapping[str, Any], rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the warnings of all rows, the worst first: `{warning, rule, level, level_name, title, of, line, name,
    departments, reason, action}`.

    `rows`: by kind (`of`), each with `line`, `name` and `departments` beside the fields that rules speak of.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for rule in told["rules"]:
        for row in rows.get(rule["of"], ()):
            if not holds(rule["when"], row):
                continue
            key = (rule["of"], str(row["line"]), rule.get("family", rule["id"]))
            if key in found and found[key]["level"] <= rule["level"]:
                continue
            found[key] = {
                "warning": f"{rule['id']}/{row['line']}",
                "rule": rule["id"],
                "level": rule["level"],
                "level_name": told["levels"].get(rule["level"], {"zh": str(rule["level"]), "en": str(rule["level"])}),
                "title": rule["title"],
                "of": rule["of"],
                "line": row["line"],
                "name": row["name"],
                "departments": list(row["departments"]),
                "reason": {lang: _filled(rule["reason"][lang], row, lang) for lang in ("zh", "en")},
                "action": rule["action"],
            }
    return sorted(found.values(), key=lambda one: (one["level"], one["of"], _order(one["line"])))


def _order(line: str) -> tuple[str, int]:
    digits = "".join(c for c in line if c.isdigit())
    return line[:1], int(digits or 0)


def _filled(text: str, row: Mapping[str, Any], lang: str) -> str:
    plain = {name: value.get(lang, "") if isinstance(value, Mapping) else value for name, value in row.items()}
    said = text.format_map(plain)
    return said.replace("。。", "。").replace("..", ".")


def kinds(
    standing: Sequence[Mapping[str, Any]],
    tasks: Sequence[Mapping[str, Any]],
    projects: Sequence[Mapping[str, Any]],
    dual: Mapping[str, Any] | None,
    on: date,
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that rules are tried on: indicators, tasks, policies, projects and dual targets as of a day."""
    indicators = [
        {**one, "departments": one["lead"], "missing_count": len(one["missing"]),
         "missing_text": {"zh": "、".join(map(str, one["missing"])), "en": _months(one["missing"])}}
        for one in standing
    ]  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {
        "indicator": indicators,
        "task": [],
        "policy": [],
        "project": [],
        "dual": [],
    }
    for one in tasks:
        row = {**one, "name": one["title"], "departments": one["lead"]}
        row["days_overdue"] = overdue(one["due"], on) if one["reported"] != "finished" else None
        found[one["kind"]].append(row)
    for one in projects:
        lag = one.get("lag")
        found["project"].append(
            {**one, "name": one["title"], "departments": [one["department"]] if one.get("department") else [],
             "line": one["project"], "lag_percent": None if lag is None else f"{100 * lag:.0f}"}
        )  # fmt: skip
    titles = {
        "energy": {"zh": "单位GDP能耗", "en": "Energy intensity"},
        "carbon": {"zh": "单位GDP碳排放", "en": "Carbon intensity"},
    }
    for kind, title in titles.items() if dual else ():
        own = dual[kind] if dual else {}
        percent = {
            f"{name}_percent": None if own[name] is None else f"{100 * own[name]:.2f}" for name in ("fall", "basic")
        }
        found["dual"].append(
            {"line": kind, "name": title, "title": title, "departments": [], "state": own["state"], **percent}
        )
    return found


def _months(missing: Sequence[int]) -> str:
    return f"month{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"


def overdue(due: str | None, on: date) -> int | None:
    """Return how many days a period (`2024-07`, `2024`) has been over on a day; None while it runs or without one."""
    from dualcarbon.core import periods

    if not due:
        return None
    try:
        end = periods.parse(due).end
    except ValueError:
        return None
    return (on - end).days + 1 if on >= end else None


def answer(
    workspace: Workspace,
    warning: str,
    action: str,
    *,
    plan: str | None = None,
    text: str | None = None,
    at: date | None = None,
    department: str | None = None,
    person: str | None = None,
) -> dict[str, Any]:
    """Keep what was done about a warning and return its state: `{warning, state, answers}`.

    `action`: `acknowledge`, `follow-up`, `close` (these two with a text) or `reopen`. Raises Refused
    `plan.no-such-step` for an unknown action, `plan.no-reason` without the text, `plan.no-warning` for a rule or line
    that there is not.
    """
    if action not in ACTIONS:
        raise Refused(Problem("plan.no-such-step", value=action, params={"known": ", ".join(ACTIONS)}))
    if action in ("follow-up", "close") and not (text or "").strip():
        raise Refused(Problem("plan.no-reason", value=action, params={"action": ACTION_WORDS[action]}))
    head = document(workspace, plan)
    name = str(head["plan"])
    if not _possible(workspace, head, warning):
        raise Refused(Problem("plan.no-warning", value=warning))
    if not _installed(workspace):
        with writing(workspace) as connection:
            METADATA.create_all(connection)
    with writing(workspace) as connection:
        row = {"plan": name, "warning": warning, "action": action, "text": text, **stamp(at, department, person)}
        connection.execute(sa.insert(ANSWER), row)
    return {"warning": warning, **answers(workspace, name)[warning]}


def answers(workspace: Workspace, plan: str, as_of: date | None = None) -> dict[str, dict[str, Any]]:
    """Return what was done about each warning: `{state, answers: [{action, text, department, person, told}]}`."""
    if not _installed(workspace):
        return {}
    chosen = sa.select(ANSWER).where(ANSWER.c.plan == plan).order_by(ANSWER.c.number)
    if as_of is not None:
        chosen = chosen.where(ANSWER.c.told <= as_of.isoformat())
    found: dict[str, dict[str, Any]] = {}
    with workspace.database.connect() as connection:
        for row in connection.execute(chosen).mappings():
            own = found.setdefault(row["warning"], {"state": "open", "answers": []})
            own["state"] = ACTIONS[row["action"]]
            own["answers"].append({name: row[name] for name in ("action", "text", "department", "person", "told")})
    return found


def _possible(workspace: Workspace, head: Mapping[str, Any], warning: str) -> bool:
    """Whether a rule of the plan may fire for that line."""
    name, _, line = warning.partition("/")
    told = rules(head["pack"] or workspace.pack, head["year"])["rules"]
    kind = next((one["of"] for one in told if one["id"] == name), None)
    if kind == "dual":
        return line in ("energy", "carbon")
    if kind == "project":
        return line in {one["project"] for one in major.projects(workspace, head)["projects"]}
    known = {"indicator": reads.indicators, "task": reads.tasks, "policy": reads.policies}
    return kind in known and line in known[kind](workspace, head)["line"].to_list()


def answered(
    workspace: Workspace,
    head: Mapping[str, Any],
    told: Mapping[str, Any],
    fired: Sequence[dict[str, Any]],
    day: date,
) -> None:
    """Put `state` and `answers` to the warnings that fired on a day by the rules `told`.

    An answer is about the trouble of its day. It counts no more once the warning had gone and came again; a closed one
    counts no more when the line was told anew and the rule fires still.
    """
    known = answers(workspace, str(head["plan"]), day)
    past = _Past(workspace, head, told)
    for one in fired:
        one |= known.get(one["warning"], {"state": "open", "answers": []})
        if one["answers"] and one["state"] != "open":
            since = date.fromisoformat(one["answers"][-1]["told"])
            gone = one["of"] == "indicator" and past.stopped(one, since, day)
            if gone or (one["state"] == "closed" and past.facts(one, since) != past.facts(one, day)):
                one["state"] = "open"


class _Past:
    """How a plan stood on earlier days, by its version in force then, each day looked up once."""

    def __init__(self, workspace: Workspace, head: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        self.workspace, self.head, self.told = workspace, head, told
        self.kept: dict[tuple[str, date], dict[str, Mapping[str, Any]]] = {}

    def rows(self, kind: str, day: date) -> dict[str, Mapping[str, Any]]:
        """The lines of a kind as they stood."""
        if (kind, day) not in self.kept:
            head = document(self.workspace, str(self.head["plan"]), day)
            if kind == "indicator":
                found: Sequence[Mapping[str, Any]] = follow.status(self.workspace, head, day)
            elif kind == "project":
                own = major.projects(self.workspace, head, day)["projects"]
                found = [{**one, "line": one["project"]} for one in own]
            elif kind == "dual":
                from dualcarbon.plan.assessing import dual

                both = dual.dual(self.workspace, head, day)
                found = [{**both[name], "line": name} for name in ("energy", "carbon")]
            else:
                found = follow.task_status(self.workspace, head, day)
            self.kept[kind, day] = {row["line"]: row for row in found}
        return self.kept[kind, day]

    def facts(self, one: Mapping[str, Any], day: date) -> Any:
        """What a warning would be about on a day: the last report, the months missing, the figure."""
        row = self.rows(one["of"], day).get(one["line"], {})
        rule = next(rule for rule in self.told["rules"] if rule["id"] == one["rule"])
        fields = {"indicator": ("report",), "project": ("month", "invested"), "dual": ("fall", "months")}
        names = fields.get(one["of"], ("report",))
        if any(when["field"] == "missing_count" for when in rule["when"]):
            names = ("missing",)
        return [row.get(name) for name in names]

    def stopped(self, one: Mapping[str, Any], since: date, day: date) -> bool:
        """Whether an indicator's trouble was over on a day between: when reports of it came or fell due."""
        year, due_day = self.head["year"], reads.deadline_day(self.workspace, self.head)
        days = {reads.due(year, month, due_day) for month in range(1, 13)}
        days |= {row["told"] for row in reads.report_rows(self.workspace, self.head, day, [one["line"]])}
        rule = next(rule for rule in self.told["rules"] if rule["id"] == one["rule"])
        family = rule.get("family", rule["id"])
        same = {**self.told, "rules": [r for r in self.told["rules"] if r.get("family", r["id"]) == family]}
        for then in sorted(then for then in days if since < then <= day):
            row = self.rows("indicator", then).get(one["line"])
            if row is None or not fire(same, kinds([row], [], [], None, then)):
                return True
        return False


def last_answer(workspace: Workspace) -> int:
    """Return the number of the last answer; 0 before the first."""
    if not _installed(workspace):
        return 0
    with workspace.database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.max(ANSWER.c.number))).scalar() or 0)


def _installed(workspace: Workspace) -> bool:
    return sa.inspect(workspace.database).has_table(ANSWER.name)
