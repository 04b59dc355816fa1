"""Databases for the ledger's tests: SQLite files and one real PostgreSQL server, started here and never as root."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from dualcarbon.ledger.store import Store
from tests import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server on a socket, to be formatted with a database name."""
    try:
        with postgresql.server("fsync=off") as address:
            yield address
    except postgresql.NoServer:
        pytest.skip("no PostgreSQL programs on this machine")


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
