"""Hand-calculated cases of a plan, and how their reports are told."""

import json
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.feeding import telling, ways
from dualcarbon.plan.feeding.checking import Listed, Told
from dualcarbon.plan.feeding.loading import load

CASES = Path(__file__).parents[1] / "cases" / "plan"


def case(name: str) -> dict[str, Any]:
    """A case of tests/cases/plan."""
    found: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def tell(workspace: Workspace, told: dict[str, Any]) -> Workspace:
    """Load Jiaxing's plan and tell what a case tells."""
    load(workspace, "cn-jiaxing/2024")
    first = date(2024, 1, 5)
    for line, opening in told.get("openings", {}).items():
        ways.set_path(workspace, None, line, opening=opening, at=first)
    for line, steps in told.get("steps", {}).items():
        rows = [{"title": title, "month": month} for title, month in steps]
        ways.set_steps(workspace, None, line, rows, at=first)
    for one in (*told["reports"], *told.get("listed", ())):
        month = one.get("month", told["month"])
        figures = [Told(one["line"], month, one["value"], stage="flash")] if "value" in one else []
        names = [Listed(one["line"], one["name"], month)] if "name" in one else []
        at = date.fromisoformat(one["told"])
        telling.tell(workspace, None, month, figures, names, department=one["department"], at=at)
    return workspace
