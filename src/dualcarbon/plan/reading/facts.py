"""A plan as plain tables of facts: names, numbers, units and departments, without the document's text.

A folder holds `plan.yaml` (title, year, issued, document_number, place, source) and the tables `departments.csv`,
`tasks.csv`, `quantities.csv`, `policies.csv`, `indicators.csv`. Rule packs ship plans so, under `plan/YEAR/`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcarbon.core.pack import DEFAULT, chain

COLUMNS: dict[str, tuple[str, ...]] = {
    "departments": ("name",),
    "tasks": ("number", "domain", "title", "lead", "joint", "others", "due"),
    "quantities": (
        "task", "subject", "value", "high", "unit", "comparison", "stretch", "scope", "direction", "place", "period",
    ),
    "policies": ("number", "title", "due", "drafter"),
    "indicators": (
        "number", "name", "unit", "kind", "value", "high", "comparison", "stretch", "direction", "better", "text",
        "lead", "tasks", "domain", "incentive",
    ),
}  # fmt: skip
HEAD = ("title", "year", "issued", "document_number", "place")
_BETWEEN = "|"


def tables(plan: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a plan as `read_plan` gives it; lists of names are joined by a bar.

    `quantities` are those of the headline (no task) and of the tasks; a task's departments keep who leads.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    found["departments"] = [{"name": name} for name in plan["departments"]]
    found["quantities"] = [{"task": None} | quantity for quantity in plan["headline"]]
    for task in plan["tasks"]:
        roles = {role: [d["name"] for d in task["departments"] if d["role"] == role] for role in ("lead", "joint")}
        joined = {name: _BETWEEN.join(people) for name, people in (*roles.items(), ("others", task["others"]))}
        found["tasks"].append({name: task[name] for name in ("number", "domain", "title", "due")} | joined)
        found["quantities"] += [{"task": task["number"]} | quantity for quantity in task["quantities"]]
    found["policies"] = [dict(policy) for policy in plan["policies"]]
    for indicator in plan["indicators"]:
        row = dict(indicator) | indicator["target"]
        row["lead"] = _BETWEEN.join(indicator["lead"])
        row["tasks"] = _BETWEEN.join(str(number) for number in indicator["tasks"])
        found["indicators"].append(row)
    return {name: [{c: row.get(c) for c in COLUMNS[name]} for row in rows] for name, rows in found.items()}


def write(plan: Mapping[str, Any], folder: Path, source: Mapping[str, str]) -> None:
    """Write a plan's facts into `folder`; `source` says where they come from, with `status` and `evidence`."""
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    head = {name: plan[name] for name in HEAD} | {"source": dict(source)}
    text = yaml.safe_dump(head, allow_unicode=True, sort_keys=False)
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    for name, rows in tables(plan).items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, COLUMNS[name], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def read(folder: Path) -> dict[str, Any]:
    """Return the facts in `folder`: the head of `plan.yaml` and the tables, typed as `tables` gives them."""
    import yaml

    found: dict[str, Any] = yaml.safe_load((folder / "plan.yaml").read_text(encoding="utf-8"))
    found["issued"] = str(found["issued"]) if found.get("issued") else None
    for name, columns in COLUMNS.items():
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
            found[name] = [{c: _typed(c, row.get(c) or "") for c in columns} for row in csv.DictReader(lines)]
    return found


_NUMBERS = frozenset(("number", "task", "value", "high", "incentive"))
_LISTS = frozenset(("lead", "joint", "others", "tasks"))


def _typed(column: str, text: str) -> Any:
    if column in _LISTS:
        return text
    if text == "":
        return None
    if column in _NUMBERS:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return text == "True" if column == "stretch" else text


def shipped(pack: str = DEFAULT, year: int | None = None) -> dict[str, Any]:
    """Return the facts of the plan that a rule pack ships for `year` (the latest when None).

    Raises KeyError when the pack and those it extends ship none.
    """
    folders = [one for base in chain(pack) for one in sorted((base / "plan").glob("*/plan.yaml"))]
    chosen: Sequence[Path] = [one for one in folders if year is None or one.parent.name == str(year)]
    if not chosen:
        raise KeyError(f"{pack}: no plan" + (f" of {year}" if year else ""))
    return read(chosen[-1].parent)
