"""A workspace: one folder with observations, entities and a database; imports, corrections, reversals, reading back.

Whatever was imported stands in the commits of the observation table; the database mirrors them and catches up when a
workspace is opened. A correction adds rows and names those it supersedes; a reversal deletes rows in a new version.
"""

from __future__ import annotations

import hashlib
import shutil
import tomllib
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import sqlalchemy as sa

from dualcarbon.core import database, periods, standing, store
from dualcarbon.core import pack as packs
from dualcarbon.core.classification import load
from dualcarbon.core.covering import related
from dualcarbon.core.named import entities_named
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.tables import ENTITY, OBSERVATION, conform, empty

if TYPE_CHECKING:
    import duckdb

CONFIG = "dualcarbon.toml"
FORMAT = 1


#: What the record of a dataset says that its rows rely on.
KINDS = {"role": {"zh": "作用", "en": "role"}, "status": {"zh": "依据状态", "en": "status"}}


class NoWorkspace(Refused, LookupError):
    """There is no workspace where one was looked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Problem("core.no-workspace", value=str(folder)))


def find(start: str | Path | None = None) -> Path:
    """Return the workspace folder: `start` itself, or the nearest one from here upwards, else `./workspace`.

    Raises NoWorkspace (a LookupError) when none of them is one.
    """
    if start is not None:
        if (Path(start) / CONFIG).is_file():
            return Path(start)
        raise NoWorkspace(Path(start))
    here = Path.cwd()
    for folder in (here, *here.parents, here / "workspace"):
        if (folder / CONFIG).is_file():
            return folder
    raise NoWorkspace(here / "workspace")


class Workspace:
    """An opened workspace. `path` is its folder, `pack` its rule pack, `database` its SQLAlchemy engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with (path / CONFIG).open("rb") as lines:
            config = tomllib.load(lines)
        if int(config["format"]) > FORMAT:
            raise Refused(Problem("core.workspace-newer", value=config["format"], params={"known": FORMAT}))
        self.id: str = config["id"]
        self.name: str = config.get("name") or path.resolve().name
        self.pack: str = config["pack"]
        self.table = path / "observations"
        self.database: sa.Engine = database.connect(path)
        self._standing = standing.Standing(self.table, self.database)
        self._named: tuple[int, pl.DataFrame] | None = None
        self._catch_up()

    @classmethod
    def create(cls, path: str | Path, pack: str = packs.DEFAULT) -> Workspace:
        """Make a workspace in a new or empty folder; it appears whole or not at all.

        `pack` is the id of one that comes with the package, or the path of its folder. Raises Refused when `path` holds
        anything, pack.PackError for an unknown pack.
        """
        found = packs.folder(pack)
        pack = found.name if found.parent == packs.BUILT_IN else str(found)
        path = Path(path).absolute()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise Refused(Problem("core.workspace-exists", value=str(path)))
        load(pack)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        made.mkdir()
        store.create(made)
        lines = f'format = {FORMAT}\nid = "{uuid.uuid4()}"\nname = {_toml(path.name)}\npack = {_toml(str(pack))}\n'
        (made / CONFIG).write_text(lines, encoding="utf-8")
        try:
            if path.exists():
                path.rmdir()
            made.rename(path)
        except OSError:
            shutil.rmtree(made)
            raise
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> Workspace:
        """Open the workspace in a folder. Raises NoWorkspace."""
        if not (Path(path) / CONFIG).is_file():
            raise NoWorkspace(Path(path))
        return cls(Path(path).absolute())

    @classmethod
    def find(cls, start: str | Path | None = None) -> Workspace:
        """Open the workspace that `find` names. Raises NoWorkspace."""
        return cls.open(find(start))

    @classmethod
    def find_or_create(cls, start: str | Path | None = None, pack: str = packs.DEFAULT) -> Workspace:
        """Open the workspace that `find` names, or make one in `start` (default `./workspace`)."""
        try:
            return cls.open(find(start))
        except NoWorkspace:
            try:
                return cls.create(start or Path.cwd() / "workspace", pack)
            except (OSError, Refused) as error:
                # Another process may have made it in the meantime.
                try:
                    return cls.open(find(start))
                except NoWorkspace:
                    raise error from None

    # What came in

    def import_file(
        self,
        path: str | Path,
        *,
        dataset: str | None = None,
        template: Callable[..., Any] | None = None,
        dry_run: bool = False,
        revise: str | None = None,
        known_at: str | date | None = None,
        role: str | None = None,
        status: str | None = None,
    ) -> dict[str, Any]:
        """Import a file whole or not at all.

        Returns `{id, file, already, rows, unchanged, superseded, cumulative, datasets, version, dry_run, doubled}`;
        `already` says that this very file is in the workspace, and nothing changed; `cumulative` counts the rows read
        as reports since January; `doubled` lists what accounts count twice from now on, because another dataset that is
        counted holds the same figure, its total or a part of it (problems, with texts in both languages). `known_at` is
        the day of publication for rows that state none; `role` and `status` describe a dataset that is new. Raises
        Refused with every problem.
        """
        from dualcarbon.core.reading import DATASET, read_observations

        path = Path(path)
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            for one in self._imported(digest):
                known = not one["reverted"] and dataset in (None, *one["datasets"])
                if known and not (revise and self._standing.corrected(one["id"], self.version())):
                    return _answer(one, already=True, dry_run=dry_run)
        accepted = ("core.falling-cumulative",) if revise else ()
        control = [str(one["id"]) for one in self.datasets() if one["role"] == "control"]
        control += [dataset or DATASET] if role == "control" else []
        reading = read_observations(
            path, pack=self.pack, dataset=dataset, template=template, entities=self.entities(), accept=accepted,
            control=control,
        )  # fmt: skip
        source = dict(reading.source)
        if known_at is not None:
            source["known_at"] = str(periods.parse(str(known_at)).start)
        described = {key: value for key, value in (("role", role), ("status", status)) if value}
        names = reading.frame["dataset"].unique().sort().to_list()
        self._same_kind(names, described, path.name)
        records = [{"id": name, **described} for name in names]
        return self._import(reading.frame, source, records, revise=revise, dry_run=dry_run, found=reading.problems)

    def _same_kind(self, names: Sequence[str], described: Mapping[str, str], file: str) -> None:
        """Raise Refused where rows would change what a dataset in use is for, or what it rests on."""
        if not described:
            return
        used = {name for one in self.imports() if not one["reverted"] for name in one["datasets"]}
        stand = {one["id"]: one for one in self.datasets() if one["id"] in used}
        problems = [
            Problem(
                "core.other-dataset",
                file,
                value=name,
                params={"what": KINDS[what], "is": stand[name][what], "new": new},
            )
            for name in names
            if name in stand
            for what, new in described.items()
            if stand[name][what] != new
        ]
        if problems:
            raise Refused(problems)

    def import_frame(
        self,
        frame: pl.DataFrame,
        *,
        source: Mapping[str, Any],
        dataset: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        revise: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Import rows of the observation layout (canonical codes and units), checked like a file.

        `source` is the record kept of where they come from (`file`, `known_at`, `template` … any JSON); `dataset` the
        record of the dataset (`id`, `title_zh`, `title_en`, `role`, `custody`, `status`, `source`), or several, one for
        each that occurs in `frame`. Returns what `import_file` returns. Raises Refused.
        """
        records = [dict(one) for one in ([dataset] if isinstance(dataset, Mapping) else dataset)]
        frame = conform(frame, OBSERVATION)
        if len(records) == 1:
            frame = frame.with_columns(pl.col("dataset").fill_null(records[0]["id"]))
        digest = source.get("sha256") or _digest(frame)
        for one in self._imported(digest):
            if not one["reverted"] and not (revise and self._standing.corrected(one["id"], self.version())):
                return _answer(one, already=True, dry_run=dry_run)
        return self._import(frame, {**source, "sha256": digest}, records, revise=revise, dry_run=dry_run)

    def _import(
        self,
        frame: pl.DataFrame,
        source: dict[str, Any],
        records: list[dict[str, Any]],
        *,
        revise: str | None,
        dry_run: bool,
        found: list[Problem] | None = None,
    ) -> dict[str, Any]:
        """Settle rows against those that stand and commit them; `found` are the problems of a file already checked."""
        from dualcarbon.core.incoming import dated, describe, marked, settle

        if frame.is_empty():
            if found:
                raise Refused(found)
            raise Refused(Problem("core.empty-import", file=source.get("file")))
        frame = dated(frame, source.get("known_at"), self.pack)
        with store.exclusive(self.path):
            self._catch_up()
            named = frame["dataset"].unique().drop_nulls().to_list()
            known = self.datasets()
            described = describe(records, named, known, self.pack)
            names = [one["id"] for one in described]
            control = [one["id"] for one in described if one["role"] == "control"]
            counted = [one["id"] for one in known if one["role"] != "control"] if len(control) < len(names) else []
            own = standing.Chosen(self.version(), None, tuple(names))
            places = related(frame["place"].unique(), load(self.pack).places)
            near = self._standing.near(frame, own._replace(datasets=tuple({*names, *counted})), places)
            settled = settle(
                frame, near, pack=self.pack, control=control, revise=revise, found=found, file=source.get("file"),
                older=lambda: self._standing.near(frame, own, places, superseded=True),
                files=self._files(),
            )  # fmt: skip
            same = self._imported(source["sha256"])
            identifier = source["sha256"][:12] + (f"-{len(same) + 1}" if same else "")
            kept = settled.frame
            record = {
                **{key: value for key, value in source.items() if value is not None},
                "id": identifier,
                "datasets": names,
                "rows": kept.height,
                "unchanged": settled.unchanged,
                "superseded": settled.superseded,
                "cumulative": int(kept["cumulative"].fill_null(False).sum()),
                "imported_at": _now(),
                "reason": revise,
            }
            if dry_run or kept.is_empty():
                answer = _answer({**record, "version": self.version(), "reverted": False}, dry_run=dry_run)
                return {**answer, "id": None, "already": kept.is_empty(), "doubled": _told(settled.doubled)}
            kept = marked(kept, identifier, described)
            note = {"kind": "import", "source": record, "datasets": described, "supersedes": settled.supersedes}
            record["version"] = store.append(self.table, kept, note, source["sha256"], len(same) + 1)
            self._catch_up()
        return {**_answer({**record, "reverted": False}), "doubled": _told(settled.doubled)}

    def imports(self) -> list[dict[str, Any]]:
        """Return the record of every import, the last first; `reverted` says whether it still counts."""
        return self._imported(None)

    def _files(self) -> dict[str, str]:
        """Names of the imported files by import."""
        with self.database.connect() as connection:
            rows = connection.execute(sa.select(database.SOURCE.c.id, database.SOURCE.c.file))
            return {row[0]: row[1] or row[0] for row in rows}

    def _imported(self, digest: str | None) -> list[dict[str, Any]]:
        """The records of all imports, or of those of one content."""
        query = sa.select(database.SOURCE).order_by(database.SOURCE.c.version.desc())
        query = query if digest is None else query.where(database.SOURCE.c.sha256 == digest)
        with self.database.connect() as connection:
            rows = connection.execute(query).mappings()
            return [
                {
                    **row["record"],
                    **{k: v for k, v in row.items() if k != "record"},
                    "reverted": bool(row["reverted_at"]),
                }
                for row in rows
            ]

    def revert(self, id: str, reason: str) -> dict[str, Any]:
        """Take an import back in a new version; what it had superseded counts again. `id` may be its beginning.

        Returns its record. Raises Refused when there is no such import, it is reverted already, or the reason is blank.
        """
        if not reason.strip():
            raise Refused(Problem("core.needs-reason", value=id))
        with store.exclusive(self.path):
            self._catch_up()
            found = [one for one in self.imports() if one["id"] == id] or [
                one for one in self.imports() if id and one["id"].startswith(id)
            ]
            if len(found) != 1:
                raise Refused(Problem("core.no-import", value=id))
            if found[0]["reverted"]:
                raise Refused(Problem("core.reverted-already", value=found[0]["id"]))
            note = {"kind": "revert", "id": found[0]["id"], "reason": reason, "at": _now()}
            store.remove(self.table, found[0]["id"], note)
            self._catch_up()
        return next(one for one in self.imports() if one["id"] == found[0]["id"])

    # What stands

    def version(self) -> int:
        """Return the number of the last commit: it identifies what the workspace holds."""
        return store.version(self.table)

    def datasets(self) -> list[dict[str, Any]]:
        """Return the records of the datasets: `{id, title_zh, title_en, role, custody, status, source}`."""
        with self.database.connect() as connection:
            rows = connection.execute(sa.select(database.DATASET).order_by(database.DATASET.c.id)).mappings()
            return [dict(row) for row in rows]

    def observations(
        self,
        *,
        datasets: Sequence[str] | None = None,
        known_at: date | None = None,
        version: int | None = None,
        cumulative: str = "differenced",
    ) -> duckdb.DuckDBPyRelation:
        """Return the rows that count, with the columns of `tables.OBSERVATION`, lazily.

        `known_at`: only what was published by that day (rows without a date always), and corrections known by then.
        `version`: as of that commit. Reports since January become the flow since the report before, unless `cumulative`
        is `reported`.
        """
        self._catch_up()
        version = self.version() if version is None else version
        chosen = standing.Chosen(version, known_at, None if datasets is None else tuple(datasets))
        return self._standing.rows(chosen, differenced=cumulative != "reported")

    # Entities and runs

    def entities(self) -> pl.DataFrame:
        """Return the enterprises and other entities (tables.ENTITY): those with a record, then those only rows name.

        The latter have the place and the sector in which all their rows agree, no kind, and are `unverified`.
        """
        recorded = self._recorded()
        return pl.concat([recorded, self._named_by_rows().join(recorded, on="code", how="anti")])

    def _recorded(self) -> pl.DataFrame:
        paths = store.files(self.path / "entities")
        return conform(pl.concat([pl.read_parquet(path) for path in paths]), ENTITY) if paths else empty(ENTITY)

    def _named_by_rows(self) -> pl.DataFrame:
        version = self.version()
        if self._named is None or self._named[0] != version:
            self._named = version, entities_named(self.path, store.files(self.table, version))
        return self._named[1]

    def save_entities(self, frame: pl.DataFrame, *, reason: str | None = None) -> int:
        """Add entities, or replace those of the same code and `from`. Returns how many there are then."""
        table = self.path / "entities"
        with store.exclusive(self.path):
            new = conform(frame, ENTITY).unique(["code", "from"], keep="last", maintain_order=True)
            old = self._recorded().join(new, on=["code", "from"], how="anti", nulls_equal=True)
            whole = pl.concat([old, new])
            store.overwrite(table, whole, {"kind": "entities", "reason": reason, "at": _now()})
        return whole.height

    def keep_run(self, manifest: Mapping[str, Any]) -> str:
        """Keep the manifest of a calculation (`id`, `created_at`, anything JSON); once for each id. Returns the id."""
        row = {"id": str(manifest["id"]), "created_at": str(manifest.get("created_at") or _now())}
        with self.database.begin() as connection:
            known = connection.execute(sa.select(database.RUN.c.id).where(database.RUN.c.id == row["id"])).first()
            if known is None:
                connection.execute(database.RUN.insert().values(**row, manifest=dict(manifest)))
        return row["id"]

    def runs(self) -> list[dict[str, Any]]:
        """Return the manifests of the kept calculations, the last first."""
        with self.database.connect() as connection:
            query = sa.select(database.RUN.c.manifest).order_by(database.RUN.c.created_at.desc(), database.RUN.c.id)
            return [dict(row[0]) for row in connection.execute(query)]

    def run(self, id: str) -> dict[str, Any] | None:
        """Return the manifest of one calculation, None when it was not kept."""
        with self.database.connect() as connection:
            row = connection.execute(sa.select(database.RUN.c.manifest).where(database.RUN.c.id == id)).first()
        return dict(row[0]) if row else None

    # Keeping

    def compact(self) -> dict[str, Any]:
        """Join small files of the observation table; every version stays readable."""
        with store.exclusive(self.path):
            found = store.compact(self.table)
            self._catch_up()
        return found

    def backup(self, file: str | Path) -> dict[str, Any]:
        """Write the whole workspace into one file (see `backups.backup`)."""
        from dualcarbon.core.backups import backup

        return backup(self, Path(file))

    @classmethod
    def restore(cls, file: str | Path, path: str | Path) -> Workspace:
        """Make a workspace from a backup, every byte verified (see `backups.restore`)."""
        from dualcarbon.core.backups import restore

        restore(Path(file), Path(path))
        return cls.open(path)

    def _catch_up(self) -> None:
        """Mirror the commits that the database has not seen yet; all of them when it is new or ahead."""
        last = self.version()
        with self.database.begin() as connection:
            if database.mirrored(connection, self.id) == last:
                return
        database.mirror(self.database, self.id, last, lambda after: store.notes(self.table, after))


def _answer(record: Mapping[str, Any], *, already: bool = False, dry_run: bool = False) -> dict[str, Any]:
    counts = {key: record[key] for key in ("rows", "unchanged", "superseded", "cumulative")}
    if already:
        counts = {"rows": 0, "unchanged": record["rows"], "superseded": 0, "cumulative": 0}
    return {
        "id": record["id"],
        "file": record.get("file"),
        "already": already,
        **counts,
        "datasets": list(record["datasets"]),
        "version": record["version"],
        "dry_run": dry_run,
        "doubled": [],
    }


def _told(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems as JSON, their texts in both languages."""
    both = [(one.as_dict("zh"), one.as_dict("en")) for one in problems]
    texts = ("message", "remedy")
    return [{**zh, **{name: {"zh": zh[name], "en": en[name]} for name in texts}} for zh, en in both]


def _digest(frame: pl.DataFrame) -> str:
    """Hash of the rows of a frame, for sources that are no file."""
    return hashlib.sha256(frame.hash_rows(seed=1).to_numpy().tobytes()).hexdigest()


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
