"""Databases for the ledger's tests: SQLite files and one real PostgreSQL server, started here and never as root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from dualcarbon.ledger.store import Store


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs: from the path, the system's usual place, or the package of binaries."""
    found = shutil.which("pg_ctl")
    if found and shutil.which("initdb"):
        return Path(found).parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    return None


def runner() -> str | None:
    """The user that may run the server: this one, or when this is root, one that is not; None when there is none."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server on a socket, without a database name (format it with one)."""
    programs, user = binaries(), runner()
    if programs is None or user is None:
        pytest.skip("no PostgreSQL programs on this machine")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    drop: dict[str, object] = {}
    if os.geteuid() == 0:
        record = pwd.getpwnam(user)
        os.chown(folder, record.pw_uid, record.pw_gid)
        drop = {"user": record.pw_uid, "group": record.pw_gid, "extra_groups": []}

    def run(*command: str) -> None:
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, cwd=folder, **drop)  # type: ignore[call-overload]

    try:
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=tests"]
        run(str(programs / "initdb"), "-D", f"{folder}/data", *options)
        flags = f"-k {folder} -c listen_addresses= -c max_connections=60 -c fsync=off"
        run(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", flags, "start")
        yield f"postgresql+psycopg://tests@/{{}}?host={folder}"
    finally:
        if (folder / "data/postmaster.pid").exists():
            run(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


NUMBERS = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/dualcarbon.db"
        return
    address = request.getfixturevalue("server")
    name = f"test{next(NUMBERS)}"
    admin = sa.create_engine(address.format("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield address.format(name)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def store(url: str, make_store: Callable[..., Store]) -> Store:
    """An empty ledger on each kind of database."""
    return make_store(url)


@pytest.fixture
def make_store() -> Iterator[Callable[..., Store]]:
    """Open the ledger at an address; closed after the test."""
    engines: list[sa.Engine] = []

    def make(url: str, **options: object) -> Store:
        engines.append(sa.create_engine(url))
        made = Store(engines[-1], **options)  # type: ignore[arg-type]
        made.install()
        return made

    yield make
    for engine in engines:
        engine.dispose()
