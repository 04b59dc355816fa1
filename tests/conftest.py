"""What every test can ask for: the program as a user runs it, an empty workspace, the system's Chromium."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

from dualcarbon.app.doctor import find_browser

HOME = Path(__file__).resolve().parent.parent

settings.register_profile("dualcarbon", deadline=None, max_examples=60)
settings.load_profile("dualcarbon")


class Ran(NamedTuple):
    """What a run of the program gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


@pytest.fixture(scope="session", autouse=True)
def neutral_environment() -> Iterator[None]:
    """Tests see neither the reader's language nor their database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DUALCARBON_LANG", raising=False)
        patch.delenv("DUALCARBON_DATABASE_URL", raising=False)
        yield


@pytest.fixture
def dualcarbon(tmp_path: Path) -> Callable[..., Ran]:
    """Run the program in `tmp_path` (or `cwd`) as a process of its own: ``dualcarbon("items", "--json").json``."""

    def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "dualcarbon", *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={**os.environ, "PYTHONPATH": str(HOME / "src"), "COLUMNS": "120", **environment},
            capture_output=True,
            encoding="utf-8",
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """As `dualcarbon`, but inside this process: for tests of many verbs."""
    from dualcarbon.app.cli import main

    def run(*arguments: object, **environment: str) -> Ran:
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in {"COLUMNS": "120", "DUALCARBON_LANG": "", **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as left:
                main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        code = left.value.code
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, told.out, told.err)

    return run


@pytest.fixture
def workspace(tmp_path: Path) -> Any:
    """An empty workspace of the `cn-jiaxing` pack."""
    from dualcarbon.core.workspace import Workspace

    return Workspace.create(tmp_path / "workspace", "cn-jiaxing")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium for the page tests, never a download of Playwright's own."""
    path = find_browser()
    if path is None:
        pytest.fail("no Chromium: run `make test`, or see `dualcarbon doctor`")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": path, "args": arguments}
