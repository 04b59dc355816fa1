"""How each indicator is fed: how its figure behaves, what counts, how often it is told and who settles it.

A pack says it beside the plan's facts: `feeds.csv` (one row an indicator) and `feeding.yaml` (the day a report is due,
other names of departments). What a plan's pack does not say follows from the indicator's own words.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dualcarbon.plan.reading import units

COLUMNS = ("figure", "basis", "frequency", "settles", "feed", "evidence_zh", "evidence_en")
_RATE = re.compile("增长|增速|下降|降低|降幅|降速|提升率|增幅")
# A rate of one thing to another (吨标煤/万元), not a capacity in time (蒸吨/小时).
_COMPOUND = re.compile(r"[^/]/(?!(?:年|季|月|日|天|小时|时|h|d|a)$)[^/]")
_STATISTICS = re.compile("GDP|生产总值|非化石|PM|浓度|断面")
_SAVED = re.compile("节约|淘汰|压减|腾出|节能")


def folder(pack: str, year: int) -> Path | None:
    """Return the folder of the plan that a pack (or one it extends) ships for `year`, the most special one."""
    from dualcarbon.core.pack import chain

    found = [base / "plan" / str(year) for base in chain(pack)]
    return next((one for one in reversed(found) if (one / "plan.yaml").is_file()), None)


def rules(place: Path | None) -> dict[int, dict[str, str]]:
    """Return the rows of `feeds.csv` in a plan's folder by the indicator's number; none without the file."""
    if place is None or not (place / "feeds.csv").is_file():
        return {}
    with (place / "feeds.csv").open(encoding="utf-8", newline="") as lines:
        return {int(row["number"]): row for row in csv.DictReader(lines)}


@cache
def settings(place: Path | None) -> dict[str, Any]:
    """Return `feeding.yaml` of a plan's folder: `due_day` (of the month after), `department_aliases`, `status`."""
    import yaml

    told: dict[str, Any] = {"due_day": 10, "department_aliases": {}, "status": "unverified"}
    if place is not None and (place / "feeding.yaml").is_file():
        told |= yaml.safe_load((place / "feeding.yaml").read_text(encoding="utf-8"))
    return told


def rule(indicator: Mapping[str, Any], told: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Return `figure, basis, frequency, settles, feed, evidence_zh, evidence_en` of an indicator.

    `indicator`: a row of the plan's facts; `told`: its row of `feeds.csv`, if there is one. Without it shares and
    rates of one thing to another are levels, percentage points, growth and falls are changes, 累计 a stock, what is
    counted in pieces is a list of names, saved energy a sum of projects, words without a figure milestones; what
    statistics and monitoring publish is settled by the province.
    """
    if told is not None:
        return {name: told.get(name) or None for name in COLUMNS}
    name, written = str(indicator["name"]), str(indicator.get("unit") or "")
    unit = units.parse(written)
    dimension = unit.dimension if unit else None
    figure = "flow"
    if indicator["kind"] == "qualitative" or indicator.get("value") is None:
        figure = "milestones"
    elif indicator["kind"] == "change" or dimension == "points" or (dimension == "ratio" and _RATE.search(name)):
        figure = "change"
    elif indicator["kind"] == "cumulative":
        figure = "cumulative"
    elif dimension == "ratio" or "浓度" in name or _COMPOUND.search(written):
        figure = "level"
    basis = "milestones" if figure == "milestones" else "figure"
    if figure in ("flow", "cumulative"):
        if dimension == "count":
            basis = "names"
        elif _SAVED.search(name) and dimension == "coal_equivalent":
            basis = "projects"
    return {
        "figure": figure,
        "basis": basis,
        "frequency": "month",
        "settles": "province" if _STATISTICS.search(name) else "lead",
        "feed": "manual",
        "evidence_zh": None,
        "evidence_en": None,
    }
