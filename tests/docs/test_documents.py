"""The code in README and docs is run: blocks of one file share a folder, in order.

- ``csv NAME`` / ``yaml NAME`` / ``text NAME``: the block becomes the file NAME;
- ``console``: what follows ``$ `` runs, the lines below it are what it prints; ``...`` stands for anything and a last
  line ``[exit 1]`` for an exit code other than 0;
- ``python``: runs (as a doctest where it has ``>>>``); blocks of a file share their names.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dualcarbon.app.cli import main

HOME = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*HOME.glob("README*.md"), *HOME.glob("docs/*.md")])
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


def matches(expected: str, shown: str) -> bool:
    """Whether `shown` is `expected`, where ``...`` stands for anything; spaces at line ends do not count."""

    def tidy(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")

    pattern = ".*".join(re.escape(part) for part in tidy(expected).split("..."))
    return re.fullmatch(pattern, tidy(shown), re.DOTALL) is not None


def run_console(text: str, folder: Path, environment: dict[str, str]) -> None:
    for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = step.split("\n")
        command = lines.pop(0)
        while command.endswith("\\"):
            command = command[:-1] + lines.pop(0)
        code, shown = run_command(command, folder, environment)
        expected, _, asked = "\n".join(lines).partition("\n[exit ")
        assert code == int(asked.strip().rstrip("]") or 0), f"$ {command}\n{shown}"
        if expected.strip():
            assert matches(expected, shown), f"$ {command}\nshown:\n{shown}\nwritten:\n{expected}"


def run_command(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and what was printed. The program itself runs in this process, which spares its start each time."""
    program, *arguments = shlex.split(command)
    if program != "dualcarbon" or re.search(r"[|<>;&$`]", command):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        return done.returncode, done.stdout
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0), shown.getvalue()


def run_python(text: str, names: dict[str, Any], label: str) -> None:
    if ">>>" not in text:
        exec(compile(text, label, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(text, names, label, None, None)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert runner.failures == 0, "".join(said)


@pytest.mark.parametrize("document", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_the_code_in_a_document_runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    programs = tmp_path / "bin"
    folder = tmp_path / "folder"
    programs.mkdir()
    folder.mkdir()
    program = programs / "dualcarbon"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dualcarbon "$@"\n')
    program.chmod(0o755)
    language = "zh" if "zh-CN" in document.name else "en"
    monkeypatch.setenv("DUALCARBON_LANG", language)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(HOME / "src"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "document"}
    for kind, name, text in BLOCK.findall(document.read_text(encoding="utf-8")):
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        elif kind == "console":
            run_console(text, folder, dict(os.environ))
        elif kind == "python":
            run_python(text, names, document.name)


def test_every_local_link_of_a_document_leads_somewhere():
    broken = [
        f"{document.name}: {target}"
        for document in [*DOCUMENTS, *HOME.glob("*.md")]
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert not broken
