"""The work plan: read it, check it against itself, lay a path to each target and say how it stands.

`read_plan` reads a document; `facts` keeps plans as tables; `paths` and `progress` follow indicators through the year;
`intensity` holds the arithmetic of the dual targets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dualcarbon.plan import facts, intensity
from dualcarbon.plan.paths import Milestone, milestones, path, reached, shape
from dualcarbon.plan.progress import Standing, assess

__all__ = [
    "Milestone",
    "Standing",
    "assess",
    "facts",
    "intensity",
    "milestones",
    "path",
    "reached",
    "read_plan",
    "shape",
]


def read_plan(file: str | Path) -> dict[str, Any]:
    """Read a city's work plan and check it against itself.

    `file`: a txt, docx, pdf, html or xlsx file in Simplified or Traditional Chinese. Returns `{title, year, issued,
    document_number, domains, tasks, policies, indicators, headline, departments, findings, …}`; text is Simplified,
    quotations in findings are the source's own characters. Raises `core.problems.Refused` with every problem found.
    """
    from dualcarbon.plan.export import as_dict
    from dualcarbon.plan.reading import read

    return as_dict(read(file))
