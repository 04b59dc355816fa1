"""What the page tests share: the demonstration city, built once; a client; a server for the browser."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demonstration workspace."""
    from dualcarbon.demo.assembly import build

    folder = tmp_path_factory.mktemp("pages") / "city"
    build(folder)
    return folder


@pytest.fixture(scope="session")
def client(city: Path) -> Iterator[TestClient]:
    """A reader with a browser's headers, who speaks to the pages of the city."""
    from dualcarbon.app.web import create_app

    app = create_app(city, warm=False)
    with TestClient(app, headers={"accept": "text/html"}, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(autouse=True)
def forgetful(request: pytest.FixtureRequest) -> None:
    """No test sees the language that another chose."""
    if "client" in request.fixturenames:
        request.getfixturevalue("client").cookies.clear()


@pytest.fixture(scope="session")
def address(client: TestClient) -> Iterator[str]:
    """Address of a running server for the browser."""
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(client.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
