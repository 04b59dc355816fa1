"""What the pages of plans, of one plan's text and of one task show: the data of each, nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from typing import Any

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads, words
from dualcarbon.plan.feeding import entry_pages, systems
from dualcarbon.plan.reading.finding import CLASSES
from dualcarbon.plan.store import Asked, document

_SIGNS = {">=": "≥ ", "<=": "≤ ", ">": "> ", "<": "< ", "~": "≈ "}


def plans(workspace: Workspace, as_of: date | None = None) -> dict[str, Any]:
    """Return every plan of the workspace, by city and year: `{plan, city, year, title, issued, version, lines, states,
    confirmed, carried, synthetic, later}`; `states` counts indicators by state on a day (today when None), `later`
    names the next plan."""
    rows = []
    held = reads.plans(workspace)
    for one in sorted(held, key=lambda row: (row["place"], -row["year"])):
        head = document(workspace, one["plan"], as_of)
        standing = follow.status(workspace, head, as_of)
        tasks = follow.task_status(workspace, head, as_of)
        later = [row for row in held if row["place"] == one["place"] and row["year"] > one["year"]]
        shown = {
            name: head[name] for name in ("plan", "city", "year", "title", "issued", "version", "status", "loaded")
        }
        rows.append(
            shown
            | {
                "lines": {kind: sum(row["kind"] == kind for row in tasks) for kind in ("task", "policy")}
                | {"indicator": len(standing)},
                "states": {state: sum(row["state"] == state for row in standing) for state in words.STANDING_WORDS},
                "confirmed": sum(row["confirmed"] for row in tasks),
                "findings": len(reads.findings(workspace, head)),
                "carried": len(reads.carried(workspace, head, as_of)),
                "synthetic": reads.synthetic(workspace, head),
                "later": min(later, key=lambda row: row["year"])["plan"] if later else None,
            }
        )
    return {"plans": rows, "cities": len({row["city"] for row in rows})}


def text(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return what a plan says and what its check found, by its version in force on a day (today when None).

    `domains`: `[{name, tasks}]`, a task with its people, progress and `quantities` (`{subject, shown, stretch}`);
    `headline` likewise; `policies`; `findings`: `[{class, rows}]`, each row with its places quoted; `carried`: what it
    took over from earlier years. `checked` is False where no document was read, so that there is nothing to find.
    """
    page = entry_pages.heading(workspace, plan, as_of=as_of)
    head = document(workspace, plan, as_of)
    standing = follow.task_status(workspace, head, as_of)
    figures: dict[str | None, list[dict[str, Any]]] = {}
    for one in reads.quantities(workspace, head).to_dicts():
        line = f"T{one['task']}" if one["task"] is not None else None
        figures.setdefault(line, []).append(quantity(one))
    tasks = [row | {"quantities": figures.get(row["line"], [])} for row in standing if row["kind"] == "task"]
    domains = [{"name": name, "tasks": list(own)} for name, own in groupby(tasks, key=lambda row: row["domain"])]
    found = reads.findings(workspace, head)
    classes = [{"class": kind, "rows": [row for row in found if row["class"] == kind]} for kind in CLASSES]
    versions = [row for row in reads.versions(workspace, head["plan"])]
    return page | {
        "source": head["source"], "issued": head["issued"], "document_number": head["document_number"],
        "file": head["file"], "domains": domains, "headline": figures.get(None, []), "tasks": len(tasks),
        "policies": [row for row in standing if row["kind"] == "policy"],
        "indicators": reads.indicators(workspace, head).height, "versions": versions,
        "findings": [one for one in classes if one["rows"]], "checked": head["file"] is not None or bool(found),
        "carried": [row | {"unit_name": words.unit_name(row["unit"])} for row in reads.carried(workspace, head, as_of)],
    }  # fmt: skip


def quantity(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure of the text: `{subject, shown, stretch, scope, place}`, shown {zh: ≥ 8 万亩, en: ≥ 8 ×10⁴ mu}."""
    figure = f"{row['value']:,g}" + (f"–{row['high']:,g}" if row["high"] is not None else "")
    fall = "↓ " if row["direction"] == "down" else "↑ " if row["direction"] == "up" else ""
    amount = f"{fall}{_SIGNS.get(row['comparison'] or '', '')}{figure}"
    shown = {"zh": f"{amount} {row['unit'] or ''}".strip(), "en": amount + words.unit_in_english(row["unit"] or "")}
    place = None if (row["place"] or "") in (row["subject"] or "") else row["place"]  # said once is enough
    return {"shown": shown, "place": place, **{name: row[name] for name in ("subject", "stretch", "scope", "period")}}


def task(workspace: Workspace, line: str, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return all about one task or policy document: text, figures, people, every report, evidence, confirmation.

    `as_of`: by the plan and with what had arrived on that day, today when None. Raises NoSuch.
    """
    page = entry_pages.heading(workspace, plan, as_of=as_of)
    head = document(workspace, plan, as_of)
    row = next((one for one in follow.task_status(workspace, head, as_of) if one["line"] == line), None)
    if row is None:
        raise NoSuch("line", line)
    said = next((one for one in reads.tasks(workspace, head).to_dicts() if one["line"] == line), {})
    words_ = reads.texts(workspace, head).get(line)
    figures = [quantity(one) for one in reads.quantities(workspace, head).to_dicts() if f"T{one['task']}" == line]
    told = entry_pages.with_files(workspace, head, line, as_of)
    indicators = [one for one in follow.status(workspace, head, as_of) if one["line"] in row["indicators"]]
    sure = reads.confirmations(workspace, head, as_of).get(line)
    places = [
        one
        for one in reads.findings(workspace, head)
        if any(place.get("kind") == row["kind"] and place.get("number") == row["number"] for place in one["places"])
    ]
    return page | {
        "task": row, "text": words_, "others": said.get("others"), "quantities": figures,
        "reports": told[::-1], "indicators": indicators, "confirmation": sure, "findings": places,
        "carried": [one for one in reads.carried(workspace, head, as_of) if one["line"] == line],
        "systems": [one for one in systems.systems(workspace, head, as_of) if line in one["lines"]],
    }  # fmt: skip
