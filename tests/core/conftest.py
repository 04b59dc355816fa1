"""Workspaces on both kinds of database, and small files to import."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from dualcarbon.core.workspace import Workspace
from tests import postgresql

HEADINGS = "place,entity,sector,carrier,item,period,value,unit"
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server, to be formatted with a database name."""
    try:
        with postgresql.server("fsync=off") as address:
            yield address
    except postgresql.NoServer:
        pytest.skip("no PostgreSQL programs on this machine")


@pytest.fixture
def postgresql_url(server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    name = f"core{next(_NUMBERS)}"
    admin = sa.create_engine(server.format("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield server.format(name)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each kind of database, as a workspace will find it."""
    if request.param == "postgresql":
        monkeypatch.setenv("DUALCARBON_DATABASE_URL", request.getfixturevalue("postgresql_url"))
    return str(request.param)


@pytest.fixture
def place(database: str, tmp_path: Path) -> Workspace:
    """An empty workspace on each kind of database."""
    return Workspace.create(tmp_path / "工作区 1")


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a CSV of observations: `file("a.csv", "330483,A,C28,diesel,energy.combustion,2024-01,10,t")`."""

    def write(name: str, *rows: str, headings: str = HEADINGS, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text("\n".join((headings, *rows)) + "\n", encoding=encoding)
        return path

    return write
