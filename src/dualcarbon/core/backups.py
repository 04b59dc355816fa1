"""A workspace in one file: every byte with its hash, the database as rows that any supported database can take back."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dualcarbon.core import database, store
from dualcarbon.core.named import KEPT
from dualcarbon.core.problems import Problem, Refused

if TYPE_CHECKING:
    from dualcarbon.core.workspace import Workspace

FORMAT = 1
MANIFEST = "manifest.json"
_ROWS = "database.jsonl"
_SQLITE = "dualcarbon.db"
_SKIPPED = (".lock", KEPT, _SQLITE, f"{_SQLITE}-wal", f"{_SQLITE}-shm")


def backup(workspace: Workspace, file: Path) -> dict[str, Any]:
    """Write a workspace into one zip file, which appears whole or not at all.

    Returns the manifest: `{format, workspace, name, version, created_at, files: {path: {bytes, sha256}}}`. Data files
    are never changed once written, so that only the list of commits is taken under the workspace's lock.
    """
    file = file.absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    found: dict[str, dict[str, Any]] = {}
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
            with store.exclusive(workspace.path):
                version = workspace.version()
                _add(archive, found, _ROWS, _dumped(workspace.database))
                for path in sorted(one for one in workspace.path.rglob("*") if one.is_file()):
                    name = path.relative_to(workspace.path).as_posix()
                    if name not in _SKIPPED and path != partial and path != file:
                        _add(archive, found, name, _blocks(path))
            manifest = {
                "format": FORMAT,
                "workspace": workspace.id,
                "name": workspace.name,
                "version": version,
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "files": found,
            }
            archive.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def restore(file: Path, path: Path) -> dict[str, Any]:
    """Make a workspace folder from a backup, which appears only when every file has the hash that the manifest states.

    The database rows go where the new workspace keeps its database. Returns the manifest. Raises Refused for a damaged
    or foreign file, a folder in use, or a database that holds another workspace.
    """
    path = path.absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Refused(Problem("core.workspace-exists", value=str(path)))
    if not file.is_file():
        raise Refused(Problem("core.no-file", file=file.name, value=str(file)))
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        made.mkdir()
        manifest = _unpacked(file, made)
        rows = made / _ROWS
        engine = database.connect(made)
        _loaded(engine, rows, file)
        engine.dispose()
        rows.unlink()
        if path.exists():
            path.rmdir()
        made.rename(path)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return manifest


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            yield block


def _add(archive: zipfile.ZipFile, found: dict[str, dict[str, Any]], name: str, blocks: Iterator[bytes]) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as member:
        for block in blocks:
            member.write(block)
            digest.update(block)
            size += len(block)
    found[name] = {"bytes": size, "sha256": digest.hexdigest()}


def _unpacked(file: Path, folder: Path) -> dict[str, Any]:
    """Write the files of a backup and verify each. Raises Refused."""

    def damaged(what: str) -> Refused:
        return Refused(Problem("core.bad-backup", file=file.name, value=what))

    try:
        with zipfile.ZipFile(file) as archive:
            manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
            if manifest["format"] > FORMAT:
                raise damaged(f"format {manifest['format']}")
            present = set(archive.namelist()) - {MANIFEST}
            if present != set(manifest["files"]):
                raise damaged(", ".join(sorted(present ^ set(manifest["files"]))[:5]))
            for name, told in manifest["files"].items():
                target = (folder / name).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise damaged(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                digest = hashlib.sha256()
                with archive.open(name) as member, target.open("wb") as out:
                    while block := member.read(1 << 20):
                        digest.update(block)
                        out.write(block)
                if digest.hexdigest() != told["sha256"]:
                    raise damaged(name)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
        raise damaged(str(error)) from error
    return manifest


def _dumped(engine: sa.Engine) -> Iterator[bytes]:
    """Every table as JSON lines: its definition, then its rows; in an order that keeps references whole."""
    with engine.connect() as connection:
        held = sa.MetaData()
        held.reflect(connection)
        for table in held.sorted_tables:
            made: list[sa.schema.ExecutableDDLElement] = [
                sa.schema.CreateTable(table),
                *(sa.schema.CreateIndex(index) for index in table.indexes),
            ]
            told = {
                "table": table.name,
                "columns": list(table.columns.keys()),
                "dialect": engine.dialect.name,
                "sql": [
                    *(str(element.compile(engine)).strip() for element in made),
                    *_triggers(connection, table.name),
                ],
            }
            yield (json.dumps(told, ensure_ascii=False) + "\n").encode()
            for row in connection.execution_options(stream_results=True).execute(sa.select(table)):
                yield (json.dumps([_plain(value) for value in row], ensure_ascii=False) + "\n").encode()


def _triggers(connection: sa.Connection, table: str) -> list[str]:
    """The statements that make a table's triggers again: they keep what must not be changed."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table ORDER BY name"
    else:
        asked = (
            "SELECT unnest(array[pg_get_functiondef(tgfoid), pg_get_triggerdef(oid)]) FROM pg_trigger"
            " WHERE tgrelid = cast(:table AS regclass) AND NOT tgisinternal"
        )
        table = f'"{table}"'
    return [row[0] for row in connection.execute(sa.text(asked), {"table": table})]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict | list):
        return {"json": value}
    return value if value is None or isinstance(value, str | int | float | bool) else {"text": str(value)}


def _loaded(engine: sa.Engine, rows: Path, file: Path) -> None:
    """Put dumped rows into a database that has the tables of `database.METADATA` and nothing of another workspace."""
    with engine.begin() as connection:
        if connection.execute(sa.select(sa.func.count()).select_from(database.META)).scalar():
            raise Refused(Problem("core.database-in-use", file=file.name, value=engine.url.render_as_string()))
        held = sa.MetaData()
        held.reflect(connection)
        table: sa.Table | None = None
        names: list[str] = []
        batch: list[dict[str, Any]] = []
        with rows.open(encoding="utf-8") as lines:
            for line in lines:
                told = json.loads(line)
                if isinstance(told, dict):
                    _insert(connection, table, batch)
                    table, names = _made(connection, held, told, file), told["columns"]
                elif table is not None:
                    batch.append({name: _value(cell, table.c[name]) for name, cell in zip(names, told, strict=True)})
                    if len(batch) >= 5000:
                        _insert(connection, table, batch)
        _insert(connection, table, batch)


def _made(connection: sa.Connection, held: sa.MetaData, told: dict[str, Any], file: Path) -> sa.Table | None:
    """The table that a dump names, made as it was where it is not there; None for Alembic's own."""
    name = told["table"]
    if name == "alembic_version":
        return None
    if name not in held.tables:
        if told["dialect"] != connection.dialect.name:
            raise Refused(Problem("core.table-not-here", file=file.name, value=name))
        for sql in told["sql"]:
            connection.exec_driver_sql(sql)
        held.reflect(connection, only=[name])
    return held.tables[name]


def _insert(connection: sa.Connection, table: sa.Table | None, batch: list[dict[str, Any]]) -> None:
    if table is not None and batch:
        connection.execute(table.insert(), batch)
    batch.clear()


def _value(cell: Any, column: sa.Column[Any]) -> Any:
    if not isinstance(cell, dict):
        return json.loads(cell) if isinstance(column.type, sa.JSON) and isinstance(cell, str) else cell
    if "bytes" in cell:
        return base64.b64decode(cell["bytes"])
    return cell.get("json", cell.get("text"))
