"""Open a figure, one way for all faces: an account of a workspace or file, what was observed, or a kept run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualcarbon.core import pack as packs

ACCOUNTS_ONLY = ("contributor", "part", "section", "domain", "scope", "unplaced", "month", "quarter", "year")


def open_figure(
    item: str,
    observations: Path | None = None,
    *,
    workspace: Path | None = None,
    run: str | None = None,
    **question: Any,
) -> dict[str, Any]:
    """The node of a figure (see ``inventory.explain``): of an account where `basis` names one, else of what was seen.

    `question`: place, period, the dimensions, part, method, basis, tree, custody and the choices of a calculation. With
    `run`, over the data and with the options of that run. Raises Ambiguous with the choices, and Refused.
    """
    from dualcarbon import inventory
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.engine import runs
    from dualcarbon.inventory.definitions import accounts

    if run and run.startswith("nowcast-"):
        from dualcarbon import nowcast

        asked = {name: question[name] for name in ("sector", "domain") if question.get(name)}
        found = Workspace.find(workspace)
        place = question.get("place") or packs.place(found.pack)
        return nowcast.open_figure(found, run=run, place=place, **asked)
    if run:
        return runs.explain_run(run, item, workspace, _of_engine(question))
    known = accounts(question["pack"])
    if observations is not None:
        basis = question.get("basis")
        if basis not in known or known[basis].item != item:
            return runs.explain(item, observations, workspace=workspace, **_of_engine(question))
        shot = runs.snapshot(observations, pack=question["pack"], known_at=question["known_at"])
        return {**inventory.explain(shot.table, item, **_dated(question, shot.table)), "snapshot": shot.inputs}
    data = Workspace.find(workspace)
    asked = {**question, "pack": data.pack}
    node = inventory.explain(data, item, **asked)
    source = {"workspace": data.name, "workspace_id": data.id, "version": data.version()}
    return {**node, "snapshot": [source]}


def _of_engine(question: Mapping[str, Any]) -> dict[str, Any]:
    """The question in the engine's words."""
    asked = {key: value for key, value in question.items() if key not in (*ACCOUNTS_ONLY, "process", "dataset")}
    where = {name: question[name] for name in ("process", "domain") if question.get(name)}
    return {**asked, "datasets": question.get("dataset"), "where": where or None}


def _dated(question: Mapping[str, Any], table: Any) -> dict[str, Any]:
    """The question with the last year of the table, where no period was asked."""
    if question.get("period"):
        return dict(question)
    return {**question, "period": str(table["end"].max().year - (1 if table["end"].max().month == 1 else 0))}
