"""The work plan: read it and check it against itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read_plan(path: str | Path) -> dict[str, Any]:
    """Read a city's work plan and check it against itself.

    `path`: a txt, docx, pdf, html or xlsx file in Simplified or Traditional Chinese. Returns `{title, year, issued,
    document_number, domains, tasks, policies, indicators, headline, departments, findings, …}`; text is Simplified,
    quotations in findings are the source's own characters. Raises `core.problems.Refused` with every problem found.
    """
    from dualcarbon.plan.export import as_dict
    from dualcarbon.plan.reading import read

    return as_dict(read(path))
