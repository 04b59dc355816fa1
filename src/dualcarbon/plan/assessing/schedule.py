"""Due dates of a plan as an iCalendar file, and the bars of its Gantt chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dualcarbon.core import periods
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads
from dualcarbon.plan.store import Asked, document

PRODUCT = "-//dualcarbon//plan//ZH"


def dues(
    workspace: Workspace, plan: Asked = None, department: str | None = None, as_of: date | None = None
) -> list[dict[str, Any]]:
    """Return what falls due, in order: `{day, kind, line, title: {zh, en}, departments, key}`.

    `as_of`: by the plan and the steps as they stood on that day, today when None.

    `kind`: `policy` (a document, at the end of its month), `report` (figures of a month: one for each department),
    `step` (a milestone), `year-end`. `department`: its own alone. A policy without a month is due at the year's end.
    """
    head = document(workspace, plan, as_of)
    year, name = head["year"], str(head["plan"])
    found = []
    for one in reads.policies(workspace, head).to_dicts():
        end = _end(one["due"]) or date(year, 12, 31)
        titles = {"zh": f"出台《{one['title']}》", "en": f"Issue “{one['title']}”"}
        people = [part for part in (one["drafter"] or "").split("、") if part]
        found.append(_due(end, "policy", one["line"], titles, people, f"{name}-{one['line']}"))
    lines = reads.indicators(workspace, head).to_dicts()
    day = reads.deadline_day(workspace, head)
    for month in range(1, 13):
        due_day = reads.due(year, month, day)
        asked = [one for one in lines if one["frequency"] != "quarter" or month % 3 == 0]
        for person in dict.fromkeys(lead for one in asked for lead in one["lead"]):
            count = sum(person in one["lead"] for one in asked)
            titles = {"zh": f"填报 {month} 月指标（{count} 个）", "en": f"Report month {month} ({count} indicators)"}
            found.append(_due(due_day, "report", None, titles, [person], f"{name}-{month:02d}-{person}"))
    leads = {one["line"]: one["lead"] for one in lines}
    for line, steps in reads.steps(workspace, head, as_of).items():
        for step in steps:
            end = periods.parse(f"{year}-{step['month']:02d}").end - timedelta(days=1)
            key = f"{name}-{line}-{step['position']}"
            found.append(_due(end, "step", line, {"zh": step["title"], "en": step["title"]}, leads.get(line, []), key))
    if department is not None:
        found = [one for one in found if department in one["departments"]]
    return sorted(found, key=lambda one: (one["day"], one["kind"], one["key"]))


def _due(
    day: date, kind: str, line: str | None, title: dict[str, str], people: Sequence[str], key: str
) -> dict[str, Any]:
    return {"day": day, "kind": kind, "line": line, "title": title, "departments": list(people), "key": key}


def _end(text: str | None) -> date | None:
    """The last day of a period text; None where it says no more than the year, or nothing."""
    if not text or len(text) <= 4:
        return None
    return periods.parse(text).end - timedelta(days=1)


def calendar(
    workspace: Workspace,
    plan: Asked = None,
    department: str | None = None,
    lang: str = "zh",
    as_of: date | None = None,
) -> bytes:
    """Return the due dates as an iCalendar file (RFC 5545): whole days, a reminder three days before each.

    The same plan gives the same file; identities stay the same over versions, so a subscriber's entries move along.
    """
    from icalendar import Alarm, Calendar, Event

    head = document(workspace, plan, as_of)
    book = Calendar()
    book.add("prodid", PRODUCT)
    book.add("version", "2.0")
    book.add("x-wr-calname", str(head["title"]) + (f"（{department}）" if department else ""))
    stamp = datetime.combine(date.fromisoformat(str(head["loaded"])[:10]), time(), UTC)
    for one in dues(workspace, head, department, as_of):
        event = Event()
        event.add("uid", f"{one['key']}@dualcarbon")
        event.add("dtstamp", stamp)
        event.add("dtstart", one["day"])
        event.add("dtend", one["day"] + timedelta(days=1))
        event.add("summary", one["title"][lang])
        event.add("description", "、".join(one["departments"]))
        event.add("categories", [one["kind"]])
        event.add("transp", "TRANSPARENT")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", one["title"][lang])
        alarm.add("trigger", timedelta(days=-3))
        event.add_component(alarm)
        book.add_component(event)
    return bytes(book.to_ical())


def gantt(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the bars of a plan's year: `{year, plan, as_of_month, groups: [{name, rows}], policies}`.

    A row is `{line, title, start, end, progress, confirmed, departments, steps, share}` with months 0 to 12 from the
    year's start; a task without its own date runs to its due date or all year, as plans say "全年". `share` is the part
    of its indicators that is done or on pace, None without any. A policy is a point at the end of its month.
    """
    head = document(workspace, plan, as_of)
    year = head["year"]
    tasks = follow.task_status(workspace, head, as_of)
    states = {row["line"]: row["state"] for row in follow.status(workspace, head, as_of)}
    steps = reads.steps(workspace, head, as_of)
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in tasks:
        if one["kind"] != "task":
            continue
        mine = [states[line] for line in one["indicators"] if line in states]
        good = sum(state in ("done", "on_pace") for state in mine)
        groups.setdefault(one["domain"] or "", []).append(_bar(one, year) | {
            "share": good / len(mine) if mine else None, "states": mine,
            "steps": [{"month": step["month"], "title": step["title"]} for step in steps.get(one["line"], [])],
        })  # fmt: skip
    policies = [_bar(one, year) for one in tasks if one["kind"] == "policy"]
    return {"year": year, "plan": head["plan"], "title": head["title"], "issued": head["issued"],
            "groups": [{"name": domain, "rows": rows} for domain, rows in groups.items()],
            "policies": sorted(policies, key=lambda one: (one["end"], one["number"]))}  # fmt: skip


def _bar(one: Mapping[str, Any], year: int) -> dict[str, Any]:
    end = _end(one["due"])
    month = 12.0 if end is None or end.year > year else 0.0 if end.year < year else float(end.month)
    return {
        "line": one["line"], "number": one["number"], "title": one["title"], "start": 0.0, "end": month,
        "due": one["due"], "stated": end is not None, "progress": one["progress"], "reported": one["reported"],
        "confirmed": one["confirmed"], "departments": [*one["lead"], *one["joint"]], "lead": one["lead"],
        "text": one["text"],
    }  # fmt: skip
