"""A plan that was read, with its findings, as one JSON document."""

from __future__ import annotations

from typing import Any

from dualcarbon.plan.reading import links as linking
from dualcarbon.plan.reading import targets, units
from dualcarbon.plan.reading.departments import Department
from dualcarbon.plan.reading.finding import CLASSES
from dualcarbon.plan.reading.findings import check
from dualcarbon.plan.reading.links import Link
from dualcarbon.plan.reading.shapes import Indicator, Plan, Policy, Task


def as_dict(plan: Plan) -> dict[str, Any]:
    """Return the plan for JSON: numbers are numbers, text is Simplified, findings quote the source."""
    links = linking.links(plan)
    findings = check(plan, links)
    return {
        "file": plan.file,
        "format": plan.format,
        "title": plan.outline.title,
        "year": plan.year,
        "issued": plan.outline.issued,
        "document_number": plan.outline.document_number,
        "place": "".join(plan.outline.city) if plan.outline.city else None,
        "departments": list(plan.registry.names),
        "domains": plan.domains,
        "headline": [quantity.as_dict() for quantity in plan.headline],
        "tasks": [_task(task) for task in plan.tasks],
        "policies": [_policy(policy) for policy in plan.policies],
        "indicators": [_indicator(plan, indicator, links) for indicator in plan.indicators],
        "unread_tables": plan.unread,
        "counts": {name: sum(one.kind == name for one in findings) for name in CLASSES},
        "findings": [finding.as_dict() for finding in findings],
    }


def _people(people: list[Department]) -> dict[str, Any]:
    others = [one.name for one in people if one.kind != "department"]
    return {"departments": [one.as_dict() for one in people if one.kind == "department"], "others": others}


def _task(task: Task) -> dict[str, Any]:
    source = {
        "prose": task.prose[0].paragraph if task.prose else None,
        "list": {"table": task.listed.table, "row": task.listed.row} if task.listed else None,
    }
    return {
        "number": task.number,
        "domain": task.domain,
        "title": task.title,
        "text": task.text,
        **_people(task.departments),
        "parts": [
            {"number": p.number, "text": p.text, "departments": [one.name for one in p.people]} for p in task.parts
        ],
        "quantities": [quantity.as_dict() for quantity in task.quantities],
        "due": task.due,
        "source": source,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    drafters = [one for one in policy.drafters if one.kind == "department"]
    return {
        "number": policy.number,
        "title": policy.title,
        "due": policy.due,
        "drafter": "、".join(one.name for one in drafters) or None,
        "drafters": [one.as_dict() for one in drafters],
        "paragraph": policy.passage.paragraph,
    }


def _indicator(plan: Plan, indicator: Indicator, links: list[Link]) -> dict[str, Any]:
    own = [link for link in links if link.other.number == indicator.number]
    tasks = {link.statement.number for link in own if link.statement.kind == "task"} or set(
        linking.mentions(plan, indicator)
    )
    unit = units.parse(indicator.unit)
    row: dict[str, Any] = {
        "number": indicator.number,
        "name": indicator.name,
        "unit": indicator.unit,
        "target": indicator.target.as_dict(),
        "better": targets.better(indicator.name, indicator.target),
        "lead": [one.name for one in indicator.lead if one.kind == "department"],
        "lead_inherited": indicator.inherited,
        "domain": indicator.domain,
        "tasks": sorted(number for number in tasks if number is not None),
        "carried": "figure" if own else "words" if tasks else None,
        "base_unit": {"dimension": unit.dimension, "factor": unit.factor} if unit else None,
        "paragraph": indicator.passage.paragraph,
    }
    offices = {one.name: one.office for one in indicator.lead if one.office}
    return (
        row
        | ({"offices": offices} if offices else {})
        | ({"nature": indicator.nature} if indicator.nature else {})
        | ({"other": indicator.other} if indicator.other else {})
    )
