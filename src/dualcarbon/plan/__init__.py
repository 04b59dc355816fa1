"""The work plan: read it, check it against itself, lay a path to each target and say how it stands.

`read_plan` reads a document and `load` puts it into a workspace; `facts` keeps plans as tables; `reads` gives what was
told about them, `status` how they stand; `paths` and `progress` follow indicators through the year; `intensity` holds
the arithmetic of the dual targets.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcarbon.plan import facts, intensity
from dualcarbon.plan.paths import Milestone, milestones, path, reached, shape
from dualcarbon.plan.progress import Standing, assess

if TYPE_CHECKING:
    from dualcarbon.plan.follow import status, task_status
    from dualcarbon.plan.loading import load
    from dualcarbon.plan.reads import (
        carried,
        confirmations,
        entries,
        evidence,
        indicators,
        mirrors,
        plans,
        policies,
        reports,
        reviews,
        steps,
        tasks,
    )  # fmt: skip

__all__ = [
    "Milestone", "Standing", "assess", "carried", "confirmations", "entries", "evidence", "facts", "indicators",
    "intensity", "load", "milestones", "mirrors", "path", "plans", "policies", "reached", "read_plan", "reports",
    "reviews", "shape", "status", "steps", "task_status", "tasks",
]  # fmt: skip

_READS = (
    "carried", "confirmations", "entries", "evidence", "indicators", "mirrors", "plans", "policies", "reports",
    "reviews", "steps", "tasks",
)  # fmt: skip
_WHERE = dict.fromkeys(_READS, "reads") | {"load": "loading", "status": "follow", "task_status": "follow"}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"dualcarbon.plan.{_WHERE[name]}"), name)
    raise AttributeError(name)


def read_plan(file: str | Path) -> dict[str, Any]:
    """Read a city's work plan and check it against itself.

    `file`: a txt, docx, pdf, html or xlsx file in Simplified or Traditional Chinese. Returns `{title, year, issued,
    document_number, domains, tasks, policies, indicators, headline, departments, findings, …}`; text is Simplified,
    quotations in findings are the source's own characters. Raises `core.problems.Refused` with every problem found.
    """
    from dualcarbon.plan.export import as_dict
    from dualcarbon.plan.reading import read

    return as_dict(read(file))
