"""Rules about who is responsible: names that the plan's own list lacks, and places that name different departments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dualcarbon.plan.reading import departments
from dualcarbon.plan.reading.document import Passage
from dualcarbon.plan.reading.finding import Finding
from dualcarbon.plan.reading.links import Link
from dualcarbon.plan.reading.script import tight
from dualcarbon.plan.reading.shapes import Plan


def unlisted(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Names that the plan's own list of departments lacks; without a list, names that may be one department's."""
    places: dict[str, list[dict[str, Any]]] = {}
    for name, place in _named(plan):
        places.setdefault(name, []).append(place)
    registry = plan.registry
    if not registry.names:
        names = sorted(places, key=lambda name: -len(places[name]))
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                if departments.variant(one, other) and registry.plain(one) != registry.plain(other):
                    found = (*places[other][:3], *places[one][:1])
                    yield Finding(
                        "department-spelled-twice", "scope", found, {"name": other, "other": one, "candidates": [one]}
                    )
        return
    assert registry.passage is not None
    annex = registry.passage.where() | {"kind": "list"}
    for name, at in places.items():
        candidates = registry.candidates(name)
        rule = "department-variant" if candidates else "department-not-listed"
        params = {"name": name, "other": "”“".join(candidates), "candidates": candidates}
        yield Finding(rule, "scope", (*at, annex), params)


def _named(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every department's name that is not a listed one, with the place that names it."""
    for task in plan.tasks:
        for one in task.departments:
            if one.kind == "department" and one.listed is None:
                passage = next(
                    (p for p in (task.column, task.listed, *task.prose) if p and one.name in tight(p.raw)), None
                )
                passage = passage or task.column or task.passages[0]
                yield one.name, _around(passage, one.name) | {"kind": "task", "number": task.number}
    for policy in plan.policies:
        for one in policy.drafters:
            if one.kind == "department" and one.listed is None and policy.column:
                yield (
                    one.name,
                    plan.quote_row(policy.passage, policy.column) | {"kind": "policy", "number": policy.number},
                )
    for indicator in plan.indicators:
        for one in indicator.lead:
            if one.kind == "department" and one.listed is None and indicator.column and not indicator.inherited:
                place = plan.quote_row(indicator.passage, indicator.column)
                yield one.name, place | {"kind": "indicator", "number": indicator.number}


def _around(passage: Passage, name: str) -> dict[str, Any]:
    """Return the place of a name: the bracket or short text around it, not a whole task."""
    at = passage.folded.find(name)
    if len(passage.raw) <= 160 or at < 0:
        return passage.where()
    start = max(passage.folded.rfind(mark, 0, at) for mark in "。(;\n")
    ends = [i for i in (passage.folded.find(mark, at) for mark in "。);\n") if i > 0]
    return passage.where(max(start, 0), min(ends) + 1 if ends else None)


def brackets(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Departments that a task's text names and its column of responsible departments does not."""
    for task in plan.tasks:
        if task.column is None:
            continue
        column = departments.parse(task.column.raw, plan.registry.names)
        names = {plan.registry.plain(one.name) for one in column}
        for one in task.departments:
            if one.kind == "department" and plan.registry.plain(one.name) not in names and task.passages:
                where = task.listed if task.listed and one.name in task.listed.folded else task.passages[0]
                if one.name not in where.folded:
                    continue  # a further column names it
                places = tuple(
                    p | {"kind": "task", "number": task.number} for p in (_around(where, one.name), task.column.where())
                )
                yield Finding("bracket-not-responsible", "scope", places, {"task": task.number, "name": one.name})


def leads(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Indicators whose leading department the task with their figure does not name."""
    for indicator in plan.indicators:
        tasks = {
            link.statement.number for link in links if link.other.number == indicator.number and link.relation == "same"
        }
        concerned = [task for task in plan.tasks if task.number in tasks and task.departments]
        leads = [one for one in indicator.lead if one.kind == "department"]
        if not concerned or not leads:
            continue
        plain = plan.registry.plain
        named = {plain(one.name) for task in concerned for one in task.departments}
        if any(
            plain(one.name) in named or any(departments.variant(plain(one.name), n) for n in named) for one in leads
        ):
            continue
        task = concerned[0]
        place = plan.quote_row(indicator.passage, indicator.column) | {"kind": "indicator", "number": indicator.number}
        other = (task.column or task.passages[0]).where(0, 160) | {"kind": "task", "number": task.number}
        params = {"indicator": indicator.number, "name": indicator.name, "other": leads[0].name, "task": task.number}
        yield Finding("lead-not-in-task", "scope", (place, other), params)
