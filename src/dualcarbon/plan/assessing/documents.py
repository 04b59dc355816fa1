"""The files that assessment gives out, by name and kind: one door for pages and the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.store import Asked, document

KINDS = {
    "bulletin": ("docx", "pdf"),
    "self-assessment": ("docx", "pdf"),
    "department": ("docx", "pdf"),
    "tables": ("xlsx",),
    "calendar": ("ics",),
}
NAMES = {
    "bulletin": "工作月报",
    "self-assessment": "年度自评",
    "department": "情况单",
    "tables": "数据表",
    "calendar": "日历",
}


def title(
    workspace: Workspace,
    name: str,
    plan: Asked = None,
    department: str | None = None,
    as_of: date | None = None,
) -> str:
    """Return a file's name without its ending: the plan, what it is, the department."""
    head = document(workspace, plan, as_of)
    return "-".join(part for part in (str(head["plan"]), NAMES[name], department) if part)


def content(
    workspace: Workspace,
    name: str,
    kind: str,
    *,
    plan: Asked = None,
    department: str | None = None,
    as_of: date | None = None,
    lang: str = "zh",
    board: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a file: `bulletin`, `self-assessment`, `department` (docx, pdf), `tables` (xlsx), `calendar` (ics).

    `board`: an answer of `board.board` to build it from. Raises KeyError for an unknown name or kind, NoSuch for an
    unknown plan or department.
    """
    from dualcarbon.core import report
    from dualcarbon.plan.assessing import board as boards
    from dualcarbon.plan.assessing import bulletin, schedule, workbook

    if kind not in KINDS[name]:
        raise KeyError(kind)
    head = document(workspace, plan, as_of)
    if name == "calendar":
        return schedule.calendar(workspace, head, department, lang, as_of)
    whole = board if board is not None else boards.board(workspace, head, as_of)
    if name == "tables":
        scores = boards.scores(workspace, head, whole["indicators"], as_of)
        return workbook.workbook(whole, scores, lang)
    if name == "department":
        own = boards.department(workspace, str(department), head, as_of, whole=whole)
        made = bulletin.sheet(own, lang)
    else:
        made = bulletin.bulletin(whole, lang, year_end=name == "self-assessment")
    with tempfile.TemporaryDirectory() as folder:
        return report.write(made, Path(folder) / f"made.{kind}").read_bytes()
