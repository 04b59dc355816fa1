"""Workspaces with plans, on both kinds of database where it matters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import load
from tests.core.conftest import database, postgresql_url, server  # noqa: F401

CASES = Path(__file__).resolve().parents[1] / "cases" / "plan" / "feed"


@pytest.fixture
def place(database: str, tmp_path: Path) -> Workspace:  # noqa: F811
    """An empty workspace on each kind of database."""
    return Workspace.create(tmp_path / "city")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Workspace]:
    """A workspace with plans: `make("cn-jiaxing/2024")`, `make("jiangyuan-2025.txt")`."""

    def made(*documents: str) -> Workspace:
        workspace = Workspace.create(tmp_path / "city")
        for document in documents:
            load(workspace, document if "/" in document else CASES / document)
        return workspace

    return made
