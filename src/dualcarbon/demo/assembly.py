"""The demonstration workspace: published statistics beside the generated city, its later vintage, and the faults."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dualcarbon.core import pack as packs
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import CONFIG, Workspace
from dualcarbon.demo import faults
from dualcarbon.demo.city import REVISION_KNOWN, City, datasets, generate
from dualcarbon.demo.figures import portrait
from dualcarbon.demo.tables import CITY, PACK, SEED

#: What `step` is told, in order.
STEPS = ("firms", "heat", "society", "economy", "finish", "import", "revision", "statistics", "faults")
REASON = "海宁市其余镇街纺织业未抽中企业2024年1–6月购电：核查后更正计量倍率（模拟）"
FILE = "dualcarbon demo"


def build(path: str | Path, step: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Build the demonstration workspace in a new or empty folder: it appears whole or not at all.

    Returns `{workspace, already, fingerprint, observations, entities, datasets, imports, faults, years}`; `already`:
    the city stood there and nothing had to be added. `step` is told each of STEPS as it begins. Raises Refused when the
    folder holds anything else, or another version of the city.
    """
    path = Path(path).absolute()
    if (path / CONFIG).is_file():
        return _fill(Workspace.open(path), path, step)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Refused(Problem("core.workspace-exists", value=str(path)))
    path.parent.mkdir(parents=True, exist_ok=True)
    yard = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        workspace = Workspace.create(yard / path.name, PACK)
        made = _fill(workspace, path, step)
        workspace.database.dispose()
        if path.exists():
            path.rmdir()
        workspace.path.rename(path)
    finally:
        shutil.rmtree(yard, ignore_errors=True)
    return made


def _fill(workspace: Workspace, path: Path, step: Callable[[str], None]) -> dict[str, Any]:
    """Bring into the workspace what is not there yet; `path` is where it will stand."""
    published = _published()
    _refuse_others(workspace, published)
    city = generate(SEED, step)
    fingerprint = city.fingerprint()
    _refuse_other_versions(workspace, fingerprint)
    step("import")
    records = {record["id"]: record for record in datasets()}
    imports = [_import_city(workspace, city, records, fingerprint)]
    step("revision")
    imports.append(_import_revision(workspace, city, records, fingerprint))
    step("statistics")
    imports += [workspace.import_file(file) for file in published.values()]
    if not workspace.entities().sort("code").equals(city.entities):
        workspace.save_entities(city.entities, reason=FILE)
    step("faults")
    index = faults.write(city, workspace.path / "faults")
    return {
        "workspace": str(path),
        "already": all(one["already"] for one in imports),
        "fingerprint": fingerprint,
        "observations": city.observations.height + city.revision.height,
        "entities": city.entities.height,
        "datasets": workspace.datasets(),
        "imports": imports,
        "faults": index,
        "years": portrait(city.observations, city.entities),
    }


def _import_city(workspace: Workspace, city: City, records: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    notes = {f"{name}: {lang}": record[f"note_{lang}"] for name, record in records.items() for lang in ("zh", "en")}
    source = {
        "file": FILE,
        "sha256": _hash(fingerprint, "city"),
        "generator": fingerprint,
        "seed": SEED,
        "status": "synthetic",
        "notes": notes,
    }
    return workspace.import_frame(city.observations, source=source, dataset=list(records.values()))


def _import_revision(workspace: Workspace, city: City, records: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    source = {"file": f"{FILE}: revision", "sha256": _hash(fingerprint, "revision"), "generator": fingerprint}
    source["known_at"] = REVISION_KNOWN.isoformat()
    return workspace.import_frame(city.revision, source=source, dataset=records[CITY], revise=REASON)


def _hash(fingerprint: str, part: str) -> str:
    """What an import of a part of the city is recognised by."""
    return hashlib.sha256(f"{fingerprint} {part}".encode()).hexdigest()


def _published() -> dict[str, Path]:
    """Files of published statistics in the rule pack, by name."""
    return {file.name: file for file in packs.files(PACK, "observations/*.csv")}


def _refuse_others(workspace: Workspace, published: dict[str, Path]) -> None:
    """Raise Refused when the workspace holds imports that are not the demonstration's."""
    own = {FILE, f"{FILE}: revision", *published}
    others = [one["file"] for one in workspace.imports() if one["file"] not in own and not one["reverted"]]
    if others:
        raise Refused(Problem("demo.other-data", value=str(workspace.path), params={"file": others[0]}))


def _refuse_other_versions(workspace: Workspace, fingerprint: str) -> None:
    """Raise Refused when the city in the workspace was made by another version of the generator."""
    made = {one.get("generator") for one in workspace.imports() if not one["reverted"]} - {None, fingerprint}
    if made:
        raise Refused(Problem("demo.other-version", value=str(workspace.path)))
