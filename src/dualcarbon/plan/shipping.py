"""Which of a pack's data belong to a plan: measures, targets, projects and schemes are those of one city's plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.reading import facts

#: A year for which no pack ships a plan.
NO_YEAR = 0


def of(workspace: Workspace, head: Mapping[str, Any]) -> tuple[str, int]:
    """Return the pack and year under which a plan's own data lie: `(pack, year)`, or `(pack, NO_YEAR)` if none do.

    `head`: the plan's record (`store.document`). A plan has the pack's data only if the pack ships the plan of that
    very city and year; another city's measures are never put to it.
    """
    pack, year = str(head["pack"] or workspace.pack), int(head["year"])
    if feeding.folder(pack, year) is None:
        return pack, NO_YEAR
    return pack, year if facts.shipped(pack, year)["place"] == head["city"] else NO_YEAR
