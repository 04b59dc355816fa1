"""Workspaces with plans, on both kinds of database where it matters."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import load
from dualcarbon.plan.assessing import board
from tests.core.conftest import database, postgresql_url, server  # noqa: F401
from tests.plan.told import case, tell

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


@pytest.fixture(scope="session")
def june(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Jiaxing's plan with five reports about June, as the case `board-june` tells them."""
    return tell(Workspace.create(tmp_path_factory.mktemp("june") / "city", "cn-jiaxing"), case("board-june"))


@pytest.fixture(scope="session")
def found(june: Workspace) -> dict[str, Any]:
    """The board of that case's day."""
    return board.board(june, None, date.fromisoformat(case("board-june")["as_of"]))


@pytest.fixture(scope="session")
def september(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Jiaxing's plan with the reports of the case `board-september`."""
    return tell(Workspace.create(tmp_path_factory.mktemp("september") / "city", "cn-jiaxing"), case("board-september"))


@pytest.fixture
def served() -> Callable[[Workspace], Any]:
    """The pages and the API of a workspace, as a client in the browser's words."""
    from fastapi.testclient import TestClient

    from dualcarbon.app.web import create_app

    def serve(workspace: Workspace) -> TestClient:
        return TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"})

    return serve
