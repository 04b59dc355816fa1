"""Runs: one reproducible calculation over a snapshot, with a manifest that lets anyone make it again.

The functions here are what the program, the pages and Python call: they find the data (a file, a table, or a
workspace at one version), calculate, and say what was used.
"""

import hashlib
import json
import math
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

import dualcarbon
from dualcarbon.core import pack as packs
from dualcarbon.core import periods
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import FACTOR
from dualcarbon.engine import doubled
from dualcarbon.engine.calculation import Calculation, calculate
from dualcarbon.engine.factors import with_factors
from dualcarbon.engine.groups import Term
from dualcarbon.engine.methods import Where, find_method
from dualcarbon.engine.proof import Proven
from dualcarbon.engine.reduce import filtered
from dualcarbon.engine.reduce import observations as rows_of
from dualcarbon.engine.sampling import monte_carlo
from dualcarbon.engine.snapshot import Snapshot, of_workspace, opened, snapshot

DIMS = ("place", "sector", "carrier", "process")
TOLERANCE = 1e-12  # relative; sums over threads differ in the last digits


@dataclass(frozen=True)
class Run:
    """Results with what they lack, where they departed from what was wanted, and how to make them again; ``twice``
    finds what they count twice."""

    results: Any
    missing: list[dict[str, Any]]
    fallbacks: list[dict[str, Any]]
    manifest: dict[str, Any]
    calculation: Calculation
    factors: Path | pl.DataFrame | None = None
    sampled: pl.DataFrame | None = None
    twice: Callable[[], list[dict[str, Any]]] = list

    @cached_property
    def doubled(self) -> list[dict[str, Any]]:
        """What the results count twice, each as in :func:`dualcarbon.engine.doubled.told`; looked for when asked."""
        return self.twice()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The results as plain values."""
        results = nw.from_native(self.results).to_polars()
        return [{k: v for k, v in row.items() if k not in _OPTIONAL or v is not None} for row in results.to_dicts()]

    @property
    def complete(self) -> bool:
        """Whether no result lacks a cell."""
        return bool(pl.DataFrame(nw.from_native(self.results).to_polars())["complete"].all())

    def as_dict(self) -> dict[str, Any]:
        """``{results, missing, fallbacks, run}`` of plain values, with what counts twice as ``run.doubled``;
        ``monte_carlo`` when samples were drawn."""
        told: dict[str, Any] = {"results": self.rows, "missing": self.missing, "fallbacks": self.fallbacks}
        told["run"] = {**self.manifest, "doubled": self.doubled}
        return told if self.sampled is None else {**told, "monte_carlo": self.sampled.to_dicts()}


_OPTIONAL = ("scope", "category")


def calc(
    method: str | Path,
    observations: Any = None,
    *,
    workspace: Any = None,
    datasets: Sequence[str] | None = None,
    factors: str | Path | pl.DataFrame | None = None,
    family: str = "provincial-2025",
    known_at: str | date | None = None,
    gwp: str = "AR5",
    by: Sequence[str] = (),
    where: Where | None = None,
    pack: str = DEFAULT,
    samples: int = 0,
    seed: int = 1,
) -> Run:
    """Calculate a method over a file, a dataframe or a workspace.

    ``method``: an id of the pack, or a YAML file. ``by``: dimensions of the results (``place sector carrier month
    year …``); without it one row per output item. Results come as the kind of dataframe that was given, else Polars:
    ``by…, item, value, unit, low, high, uncertainty, status, complete, basis``. ``samples`` seeded draws give
    ``Run.sampled`` beside them (see :func:`dualcarbon.engine.sampling.monte_carlo`). Raises Refused.
    """
    day = as_date(known_at)
    proven, table = prepared(method, pack, factors)
    shot = snapshot(
        observations, workspace, pack=pack, datasets=datasets, known_at=day,
        items={proven.method.rows.item: proven.method.rows.unit, **{k.item: k.unit for k in proven.method.lookups}},
        carriers=table,
    )  # fmt: skip
    calculation = calculate(
        proven, shot.table, pack=pack, factors=factors, family=family, known_at=day, gwp=gwp,
        dims=[*DIMS, *by], where=where,
        statuses=shot.statuses, canonical=shot.canonical,
    )  # fmt: skip
    results = calculation.combine(by)

    def twice() -> list[dict[str, Any]]:
        rows = proven.method.rows
        frame = filtered(rows_of(shot.table, day), rows.item, rows.where, where)
        names = calculation.names
        return [doubled.told(one, names) for one in doubled.clashes(frame, [rows.item], names, shot.files)]

    terms = [Term(calculation, output) for output in calculation.method.outputs]
    return Run(
        sampled=monte_carlo(terms, by, samples=samples, seed=seed) if samples else None,
        results=_like(results, shot.native),
        missing=calculation.missing,
        fallbacks=calculation.fallbacks,
        manifest=manifest(calculation, shot, factors=factors, by=by, where=where, results=results),
        calculation=calculation,
        factors=Path(factors) if isinstance(factors, str) else factors,
        twice=twice,
    )


def explain(item: str, observations: Any = None, *, workspace: Any = None, **question: Any) -> dict[str, Any]:
    """Open a figure: the node of :func:`dualcarbon.engine.explain.explain` over a file, a dataframe or a workspace.

    ``question``: the keywords of that function, and ``datasets``.
    """
    from dualcarbon.engine import explain as explaining

    pack = question.get("pack", DEFAULT)
    day = question["known_at"] = as_date(question.get("known_at"))
    items: dict[str, str] = {}
    carriers: list[str] = []
    if question.get("method"):
        proven, carriers = prepared(question["method"], pack, question.get("factors"))
        items = {proven.method.rows.item: proven.method.rows.unit}
    shot = snapshot(
        observations, workspace, pack=pack, datasets=question.pop("datasets", None), known_at=day, items=items,
        carriers=carriers,
    )  # fmt: skip
    node = explaining.explain(item, shot.table, statuses=shot.statuses, canonical=shot.canonical, **question)
    node["snapshot"] = shot.inputs
    return node


def prepared(method: str | Path, pack: str, factors: Any) -> tuple[Proven, list[str]]:
    """The proven method, and the carriers that the caller's factors bring."""
    given = factors if isinstance(factors, pl.DataFrame) else None
    table = with_factors(pack, None if given is not None else factors, given)
    carriers = table.frame["carrier"].drop_nulls().unique().to_list()
    return find_method(method, pack), carriers


def as_date(text: str | date | None) -> date | None:
    """A day from ISO text (the last day of a longer period)."""
    if text is None or isinstance(text, date):
        return text
    end = periods.parse(text).end
    return date.fromordinal(end.toordinal() - 1)


def _like(frame: pl.DataFrame, native: Any) -> Any:
    """``frame`` as the kind of dataframe that the caller gave."""
    if native is None:
        return frame
    kind = nw.from_native(native).implementation
    if kind.is_pandas():
        return frame.to_pandas()
    return frame.to_arrow() if kind.is_pyarrow() else frame


def manifest(
    calculation: Calculation,
    shot: Snapshot,
    *,
    factors: Any = None,
    by: Sequence[str] = (),
    where: Where | None = None,
    results: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """What was calculated on what with what: enough to make it again and to know whether it is the same."""
    method, proven, choice = calculation.method, calculation.proven, calculation.choice
    pack = calculation.names.pack
    body: dict[str, Any] = {
        "method": {"id": method.id, "version": method.version, "sha256": proven.digest},
        "pack": {
            "id": packs.info(pack)["id"],
            "version": str(packs.info(pack)["version"]),
            "sha256": packs.content_hash(pack),
        },
        "family": choice.family,
        "gwp": choice.gwp,
        "known_at": choice.known_at.isoformat() if choice.known_at else None,
        "by": list(by),
        "where": where or {},
        "inputs": shot.inputs,
        "factors": None,
        "dualcarbon": dualcarbon.__version__,
    }
    if factors is not None:
        named = isinstance(factors, str | Path)
        content = Path(factors).read_bytes() if named else _as_file(factors).encode()
        name = Path(factors).name if named else None
        body["factors"] = {"file": name, "sha256": hashlib.sha256(content).hexdigest()}
    if proven.path not in {str(path) for folder in packs.chain(pack) for path in (folder / "methods").glob("*.yaml")}:
        body["method"]["file"] = Path(proven.path).name
    identity = hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
    made = {"id": identity, **body, "python": platform.python_version()}
    made["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    if results is not None:
        made["totals"] = [
            {"item": item, "basis": basis, "value": value}
            for item, basis, value in results.group_by("item", "basis", maintain_order=True)
            .agg(pl.col("value").sum())
            .iter_rows()
        ]
    return made


def _as_file(factors: pl.DataFrame) -> str:
    """A caller's factors as the text of a factor file."""
    return factors.select(name for name in FACTOR if name in factors.columns).write_csv()


def keep(run: Run, workspace: Any) -> str:
    """Keep a run of a workspace with its results, and the caller's own method and factors, so that it can be verified.

    Returns its id.
    """
    kept = {**run.manifest, "results": run.rows}
    proven = run.calculation.proven
    if run.factors is not None:
        given = run.factors
        content = given.read_text(encoding="utf-8-sig") if isinstance(given, Path) else _as_file(given)
        kept["factors"] = {**kept["factors"], "content": content}
    if "file" in kept["method"]:
        kept["method"] = {**kept["method"], "content": Path(proven.path).read_text(encoding="utf-8-sig")}
    return str(opened(workspace).keep_run(kept))


def verify(identifier: str, workspace: Any) -> dict[str, Any]:
    """Calculate a kept run again from its own version of the data: ``{id, same, differences, changed}``.

    ``changed``: what is not as it was (the method, the pack, the program); the results may be the same all the same.
    Raises Refused when there is no such run, or its own factors file is not there any more.
    """
    place = opened(workspace)
    kept = _kept(place, identifier)
    with tempfile.TemporaryDirectory() as folder:
        method, factors = _own_files(kept, Path(folder))
        run = _again(kept, place, method, factors)
        now = run.manifest
        changed = [
            what
            for what, before, after in (
                ("method", kept["method"]["sha256"], now["method"]["sha256"]),
                ("pack", kept["pack"]["sha256"], now["pack"]["sha256"]),
                ("dualcarbon", kept["dualcarbon"], now["dualcarbon"]),
            )
            if before != after
        ]
    differences = compare(kept["results"], run.rows)
    return {"id": identifier, "same": not differences, "differences": differences, "changed": changed}


def explain_run(identifier: str, item: str, workspace: Any, question: Mapping[str, Any]) -> dict[str, Any]:
    """Open a figure of a kept run: over its version of the data, with its method and options. Raises Refused."""
    from dualcarbon.engine import explain as explaining

    place = opened(workspace)
    kept = _kept(place, identifier)
    source = kept["inputs"][0]
    day = as_date(kept["known_at"])
    shot = of_workspace(place, source["datasets"], day, source["version"])
    asked = {key: value for key, value in question.items() if key not in ("datasets", "factors", "pack")}
    with tempfile.TemporaryDirectory() as folder:
        method, factors = _own_files(kept, Path(folder))
        asked |= {"method": method, "factors": factors, "family": kept["family"], "gwp": kept["gwp"], "known_at": day}
        asked["where"] = {**kept["where"], **(asked.get("where") or {})}
        node = explaining.explain(item, shot.table, pack=place.pack, statuses=shot.statuses, **asked)
    node["snapshot"] = shot.inputs
    node["run"] = identifier
    return node


def _kept(place: Any, identifier: str) -> dict[str, Any]:
    kept = place.run(identifier)
    if kept is None:
        raise Refused([Problem("engine.no-run", value=identifier)])
    return dict(kept)


def _own_files(kept: Mapping[str, Any], folder: Path) -> tuple[str | Path, Path | None]:
    """The method and factors of a run: those of the pack, or the caller's own as they were kept."""
    method: str | Path = kept["method"]["id"]
    if "content" in kept["method"]:
        method = folder / "method.yaml"
        method.write_text(kept["method"]["content"], encoding="utf-8")
    factors = None
    if kept["factors"]:
        factors = folder / "factors.csv"
        factors.write_text(kept["factors"]["content"], encoding="utf-8")
    return method, factors


def _again(kept: Mapping[str, Any], place: Any, method: str | Path, factors: Path | None) -> Run:
    source = kept["inputs"][0]
    day = as_date(kept["known_at"])
    shot = of_workspace(place, source["datasets"], day, source["version"])
    calculation = calculate(
        find_method(method, place.pack), shot.table, pack=place.pack, factors=factors, family=kept["family"],
        known_at=day, gwp=kept["gwp"], dims=[*DIMS, *kept["by"]], where=kept["where"], statuses=shot.statuses,
        canonical=True,
    )  # fmt: skip
    results = calculation.combine(kept["by"])
    made = manifest(calculation, shot, factors=factors, by=kept["by"], where=kept["where"])
    return Run(results, calculation.missing, calculation.fallbacks, made, calculation)


def compare(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of two sets of results that differ by more than a relative 1e-12: ``{key, before, after}``."""

    def keyed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        return {
            json.dumps({k: v for k, v in row.items() if k not in _FIGURES}, sort_keys=True, ensure_ascii=False): row
            for row in rows
        }

    first, second = keyed(before), keyed(after)
    differences = []
    for key in dict.fromkeys((*first, *second)):
        one, other = first.get(key), second.get(key)
        if one is None or other is None or any(not _equal(one.get(name), other.get(name)) for name in _FIGURES):
            differences.append(
                {
                    "key": json.loads(key),
                    "before": one and {name: one.get(name) for name in _FIGURES},
                    "after": other and {name: other.get(name) for name in _FIGURES},
                }
            )
    return differences


_FIGURES = ("value", "low", "high")


def _equal(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=0.0)
