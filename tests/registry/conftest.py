"""The registry's tests run on the databases of the ledger's tests."""

import pytest

from dualcarbon.registry import Registry
from tests.ledger.conftest import make_store, server, url  # noqa: F401


@pytest.fixture
def registry(url, make_store):  # noqa: F811
    """An empty registry on each kind of database."""
    made = Registry(make_store(url))
    made.install()
    return made
