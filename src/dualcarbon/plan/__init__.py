"""The work plan: read it, check it against itself, lay a path to each target and say how it stands.

`read_plan` reads a document and `load` puts it into a workspace; `facts` keeps plans as tables; `reads` gives what was
told about them, `status` how they stand; `paths` and `progress` follow indicators through the year; `intensity` holds
the arithmetic of the dual targets.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcarbon.plan.assessing import intensity
from dualcarbon.plan.paths import Milestone, milestones, path, reached, shape
from dualcarbon.plan.progress import Standing, assess
from dualcarbon.plan.reading import facts

if TYPE_CHECKING:
    from dualcarbon.plan.feeding.carrying import carry_over, unfinished
    from dualcarbon.plan.feeding.checking import Listed, Told
    from dualcarbon.plan.feeding.feeds import figures, pull
    from dualcarbon.plan.feeding.form import write as write_form
    from dualcarbon.plan.feeding.form_reading import import_form
    from dualcarbon.plan.feeding.judging import confirm, queue, review
    from dualcarbon.plan.feeding.loading import load
    from dualcarbon.plan.feeding.proofs import attach, verify
    from dualcarbon.plan.feeding.synthetic import fill
    from dualcarbon.plan.feeding.systems import mirror
    from dualcarbon.plan.feeding.telling import tell
    from dualcarbon.plan.feeding.ways import set_path, set_steps
    from dualcarbon.plan.follow import status, task_status
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
    )

#: Where the functions of the room are that need the workspace; imported when first used.
_WHERE = {
    "feeding.carrying": ("carry_over", "unfinished"),
    "feeding.checking": ("Listed", "Told"),
    "feeding.feeds": ("figures", "pull"),
    "follow": ("status", "task_status"),
    "feeding.form_reading": ("import_form",),
    "feeding.judging": ("confirm", "queue", "review"),
    "feeding.loading": ("load",),
    "feeding.proofs": ("attach", "verify"),
    "reads": (
        "carried", "confirmations", "entries", "evidence", "indicators", "mirrors", "plans", "policies", "reports",
        "reviews", "steps", "tasks",
    ),
    "feeding.synthetic": ("fill",),
    "feeding.systems": ("mirror",),
    "feeding.telling": ("tell",),
    "feeding.ways": ("set_path", "set_steps"),
}  # fmt: skip

__all__ = [
    "Listed", "Milestone", "Standing", "Told", "assess", "attach", "carried", "carry_over", "confirm",
    "confirmations", "entries", "evidence", "facts", "figures", "fill", "import_form", "indicators", "intensity",
    "load", "milestones", "mirror", "mirrors", "path", "plans", "policies", "pull", "queue", "reached", "read_plan",
    "reports", "review", "reviews", "set_path", "set_steps", "shape", "status", "steps", "task_status", "tasks",
    "tell", "unfinished", "verify", "write_form",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "write_form":
        return import_module("dualcarbon.plan.feeding.form").write
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"dualcarbon.plan.{module}"), name)
    raise AttributeError(name)


def read_plan(file: str | Path) -> dict[str, Any]:
    """Read a city's work plan and check it against itself.

    `file`: a txt, docx, pdf, html or xlsx file in Simplified or Traditional Chinese. Returns `{title, year, issued,
    document_number, domains, tasks, policies, indicators, headline, departments, findings, …}`; text is Simplified,
    quotations in findings are the source's own characters. Raises `core.problems.Refused` with every problem found.
    """
    from dualcarbon.plan.reading.export import as_dict
    from dualcarbon.plan.reading.reading import read

    return as_dict(read(file))
