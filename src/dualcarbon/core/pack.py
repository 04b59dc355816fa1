"""Rule packs: folders of plain data that inherit from the pack named in their ``extends``.

A pack is a folder with a ``pack.yaml`` (``id``, ``version``, ``title``, ``extends``; a city's also ``place``, its code,
and ``outline``, its polygons), CSV tables, ``parameters.yaml``,
``factors/*.csv``, ``methods/*.yaml``, ``accounts.yaml`` and ``observations/*.csv``. Everything that reads a pack reads
its whole chain, the most general pack first, so that a later row may replace an earlier one.

``place_edges.csv`` has ``from`` and ``to`` as days, both included. ``datasets.csv`` says in ``tree`` which tree the
place codes of a published dataset mean. ``facts.csv`` keeps published figures that are no observations (their year is
not printed, or they lie inside another figure), each with the reason. ``capacities.csv`` dates the capacity of plants.
"""

import csv
import functools
import hashlib
from pathlib import Path
from typing import Any

DEFAULT = "cn-jiaxing"
BUILT_IN = Path(__file__).resolve().parent.parent / "rules"
DATA_SUFFIXES = (".csv", ".yaml")


class PackError(ValueError):
    """A pack that cannot be read; ``errors`` holds every fault found, each with its file (and line)."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def folder(pack: str | Path) -> Path:
    """Folder of a pack: the id of one that comes with the package, or a path.

    Raises PackError if neither exists.
    """
    for candidate in (BUILT_IN / str(pack), Path(pack)):
        if (candidate / "pack.yaml").is_file():
            return candidate.resolve()
    known = ", ".join(sorted(path.parent.name for path in BUILT_IN.glob("*/pack.yaml")))
    raise PackError([f"unknown rule pack {str(pack)!r} (known: {known}; or give the path of a folder with pack.yaml)"])


def info(pack: str | Path) -> dict[str, Any]:
    """Contents of ``pack.yaml``: ``id, version, title{zh,en}, extends``."""
    content = read_yaml(folder(pack) / "pack.yaml")
    if not isinstance(content, dict) or not content.get("id") or not content.get("version"):
        raise PackError([f"{folder(pack) / 'pack.yaml'}: needs id, version and title"])
    return content


def place(pack: str | Path = DEFAULT) -> str:
    """Code of the place a pack is about: the ``place`` of the most special pack of its chain that names one.

    Raises PackError where none does.
    """
    code = said(pack, "place")
    if not code:
        raise PackError([f"{folder(pack) / 'pack.yaml'}: names no place"])
    return str(code)


def said(pack: str | Path, name: str) -> Any:
    """What the most special pack of the chain that says anything under `name` says there, else None."""
    return _said(str(pack), name, fingerprint(pack))


@functools.lru_cache(maxsize=64)
def _said(pack: str, name: str, fingerprint: Any) -> Any:
    return next((found for base in reversed(chain(pack)) if (found := info(base).get(name)) is not None), None)


def chain(pack: str | Path) -> list[Path]:
    """Folders of the pack and of all packs it extends, the most general first.

    ``extends`` names a pack of the package, or a folder relative to the pack. Raises PackError on a circle.
    """
    if str(pack) in _built_in():
        return list(_built_in_chain(str(pack)))
    return _chain(folder(pack))


@functools.cache
def _built_in() -> frozenset[str]:
    return frozenset(path.parent.name for path in BUILT_IN.glob("*/pack.yaml"))


@functools.cache
def _built_in_chain(pack: str) -> tuple[Path, ...]:
    return tuple(_chain(folder(pack)))


def _chain(here: Path | None) -> list[Path]:
    folders: list[Path] = []
    while here is not None:
        if here in folders:
            raise PackError([f"{here / 'pack.yaml'}: extends itself through {' > '.join(p.name for p in folders)}"])
        folders.append(here)
        base = info(here).get("extends")
        here = None if not base else folder(base) if (BUILT_IN / str(base)).is_dir() else folder(here / str(base))
    return folders[::-1]


def files(pack: str | Path, pattern: str) -> list[Path]:
    """Files of the chain that match a glob such as ``factors/*.csv``; general pack first, then by name."""
    return [path for base in chain(pack) for path in sorted(base.glob(pattern))]


def rows(pack: str | Path, name: str) -> list[dict[str, str]]:
    """Rows of ``NAME.csv`` of every pack in the chain, general first.

    NAME may be a glob (``factors/*``). Every row also has ``_file`` (path) and ``_line`` (1-based line where the row
    starts). Cells are stripped text; an absent cell is "". Raises PackError with every malformed line.
    """
    found: list[dict[str, str]] = []
    errors: list[str] = []
    for path in files(pack, f"{name}.csv"):
        try:
            found += read_rows(path)
        except PackError as error:
            errors += error.errors
    if errors:
        raise PackError(errors)
    return found


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of one CSV file, as ``rows`` gives them. Raises PackError with every malformed line."""
    found: list[dict[str, str]] = []
    errors: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = [cell.strip() for cell in next(reader, [])]
        line = reader.line_num + 1
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
                continue
            if len(cells) != len(header):
                errors.append(f"{path}:{start}: {len(cells)} cells under {len(header)} headings")
                continue
            row = {key: cell.strip() for key, cell in zip(header, cells, strict=True)}
            found.append(row | {"_file": str(path), "_line": str(start)})
    if errors:
        raise PackError(errors)
    return found


def documents(pack: str | Path, name: str) -> list[dict[str, Any]]:
    """Entries of the YAML list ``NAME.yaml`` of every pack in the chain, general first, each with ``_file``."""
    found: list[dict[str, Any]] = []
    for path in files(pack, f"{name}.yaml"):
        content = read_yaml(path)
        if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
            raise PackError([f"{path}: must be a list of mappings"])
        found += [entry | {"_file": str(path)} for entry in content]
    return found


def read_yaml(path: Path) -> Any:
    """Contents of one YAML file. Raises PackError naming file, line and fault."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise PackError([f"{path}{line}: {getattr(error, 'problem', error)}"]) from error


def content_hash(pack: str | Path) -> str:
    """SHA-256 (hex) over names and bytes of every data file of the chain; independent of where the folders lie."""
    digest = hashlib.sha256()
    for base in chain(pack):
        digest.update(str(info(base)["id"]).encode())
        for path in data_files(base):
            content = path.read_bytes()
            digest.update(f"\0{path.relative_to(base).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def fingerprint(pack: str | Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of every data file of the chain: cheap key for caches of what was read from a pack.

    The packs that come with the package are looked at once in a process; any other each time.
    """
    return tuple(stat for base in chain(pack) for stat in (_kept if base.parent == BUILT_IN else _stats)(base))


def _stats(base: Path) -> tuple[tuple[str, int, int], ...]:
    stats = [(path, path.stat()) for path in data_files(base)]
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


_kept = functools.cache(_stats)


def data_files(base: Path) -> list[Path]:
    """CSV and YAML files below one pack folder, sorted by name."""
    return sorted(path for path in base.rglob("*") if path.suffix in DATA_SUFFIXES and path.is_file())
