"""The registry's tests run on the databases of the ledger's tests."""

import pytest
from sqlalchemy import event

from dualcarbon.registry import Registry
from tests.ledger.conftest import make_store, server, url  # noqa: F401


@pytest.fixture
def registry(url, make_store):  # noqa: F811
    """An empty registry on each kind of database."""
    store = make_store(url)
    if store.dialect == "sqlite":
        # What a power cut would do is tested with the ledger; here a test need not wait for the disk.
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        event.listen(store.engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA synchronous = OFF"))
    made = Registry(store)
    made.install()
    return made
