"""Snapshots: observations as they stood, from a file, a dataframe or a workspace at one version."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused


@dataclass(frozen=True)
class Snapshot:
    """Observations as they stood: the table, the status of its datasets, and what identifies it; of a workspace also
    the names of imported files by import."""

    table: Any
    statuses: Mapping[str, str]
    canonical: bool
    inputs: list[dict[str, Any]]
    native: Any = None
    files: Mapping[str, str] = field(default_factory=dict)


def snapshot(
    observations: Any = None,
    workspace: Any = None,
    *,
    pack: str = DEFAULT,
    datasets: Sequence[str] | None = None,
    known_at: date | None = None,
    items: Mapping[str, str] | None = None,
    carriers: Iterable[str] = (),
) -> Snapshot:
    """The observations to calculate on: a file, any dataframe in the observation layout, or a workspace.

    ``items`` (code and unit) and ``carriers``: what a caller's own method and factors add to the pack's. Of a workspace
    the datasets that are published totals (role control) are left out unless named. Raises Refused with every problem.
    """
    from dualcarbon.core import reading

    if observations is None:
        return of_workspace(workspace, datasets, known_at)
    if isinstance(observations, str | Path):
        read = reading.read_observations(observations, pack=pack, items=items, carriers=carriers)
        name = read.source.get("file")
        given = None
    else:
        native = nw.from_native(observations)
        columns = set(native.collect_schema().names())
        if isinstance(native, nw.LazyFrame) or {"start", "end", "item"} <= columns:
            return Snapshot(observations, {}, False, [{"table": type(observations).__name__}], observations)
        read = reading.read_frame(native.to_polars(), pack=pack, items=items, carriers=carriers)
        name, given = type(observations).__name__, observations
    if read.problems:
        raise Refused(read.problems)
    frame = read.frame
    if datasets:
        _known(datasets, frame["dataset"].drop_nulls().unique().sort().to_list())
        frame = frame.filter(pl.col("dataset").is_in(list(datasets)))
    frame, problems = periods.difference_cumulative(frame, reading.CHAIN)
    if problems:
        raise Refused(problems)
    inputs = [{"file": name, "sha256": read.source.get("sha256"), "rows": read.frame.height}]
    return Snapshot(frame, {}, True, inputs, given)


def _known(datasets: Iterable[str], known: Collection[str]) -> None:
    params = {"known": ", ".join(known)}
    unknown = [name for name in datasets if name not in known]
    if unknown:
        raise Refused([Problem("engine.unknown-dataset", value=name, params=params) for name in unknown])


def opened(workspace: Any) -> Any:
    from dualcarbon.core.workspace import Workspace

    return workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)


def files(workspace: Any) -> dict[str, str]:
    """Names of the imported files of a workspace, by import."""
    return {str(one["id"]): str(one.get("file") or one["id"]) for one in workspace.imports()}


def of_workspace(
    workspace: Any, datasets: Sequence[str] | None, known_at: date | None, version: int | None = None
) -> Snapshot:
    """Observations of a workspace at one version (the present one). Raises Refused for a dataset that is not there."""
    place = opened(workspace)
    records = {record["id"]: record for record in place.datasets()}
    if version is None:
        _known(datasets or (), records)
    chosen = list(datasets) if datasets else [name for name, one in records.items() if one["role"] == "account"]
    version = place.version() if version is None else version
    table = place.observations(datasets=chosen, known_at=known_at, version=version)
    statuses = {name: records[name]["status"] for name in chosen if name in records and records[name].get("status")}
    source = {"workspace": place.name, "workspace_id": place.id, "version": version, "datasets": sorted(chosen)}
    return Snapshot(table, statuses, True, [source], files=files(place))
