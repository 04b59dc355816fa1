import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from dualcarbon.app import web


@pytest.fixture
def busy() -> Any:
    """A port that another program holds."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    yield holder.getsockname()[1]
    holder.close()


def test_a_busy_port_is_named_with_what_to_do(verb: Callable[..., Any], tmp_path: Path, busy: int) -> None:
    from dualcarbon.core.workspace import Workspace

    Workspace.create(tmp_path / "w")
    for lang, said in (("zh", "已被其他程序占用"), ("en", "in use by another program")):
        ran = verb("serve", "--workspace", tmp_path / "w", "--port", busy, DUALCARBON_LANG=lang)
        assert ran.code == 2
        assert str(busy) in ran.err.replace("\n", "")
        assert said in ran.err
        assert "dualcarbon serve --port" in ran.err


def test_the_free_port_that_is_proposed_is_free(busy: int) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        web.listen(busy)
    proposed = int(str(refused.value).split("--port ")[1].split()[0])
    assert proposed != busy
    web.listen(proposed).close()


def test_our_own_server_is_recognised(address: str) -> None:
    port = int(address.rpartition(":")[2])
    with pytest.raises(typer.BadParameter, match="dualcarbon"):
        web.listen(port)


def test_it_binds_this_machine_only() -> None:
    listener = web.listen(0)
    assert listener.getsockname()[0] == "127.0.0.1"
    listener.close()


def test_no_workspace_is_wrong_usage(verb: Callable[..., Any], tmp_path: Path) -> None:
    ran = verb("serve", "--workspace", tmp_path / "nothing")
    assert ran.code == 2
    assert "dualcarbon demo" in ran.err


def test_a_workspace_without_data_is_served_quietly(workspace: Any, caplog: pytest.LogCaptureFixture) -> None:
    from dualcarbon.app.home import prepare
    from dualcarbon.app.pages import Site

    site = Site(workspace.path)
    prepare(site)
    assert not caplog.records
