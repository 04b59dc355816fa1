"""Pin again: `requirements*.txt` with the hashes of every file of a release, `package-lock.json` with integrity.

    python -m tools.lock [--upgrade]

Neither names a host: where packages come from is for the reader's own pip and npm to know. Versions stay as they are
unless `pyproject.toml` excludes them or ``--upgrade`` asks for newer ones.
"""

import json
import os
import subprocess
import sys
import tomllib

from tools.environment import HOME

TOOL = "pip-tools>=7.5"
VENV = HOME / "build" / "lock"
OUTPUTS = {"requirements.txt": ["setup"], "requirements-dev.txt": ["setup", "dev"]}
QUIET = [
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-emit-options",
]


def compile_pins(output: str, *options: str, source: str = "pyproject.toml", text: str | None = None) -> None:
    """Write one requirements file from `source` (``-`` reads `text`)."""
    command = [str(VENV / "bin" / "pip-compile"), *QUIET, *options, "--output-file", output, source]
    subprocess.run(command, check=True, cwd=HOME, input=text, text=True)


def pin_npm() -> None:
    """Write `package-lock.json` without addresses."""
    environment = {**os.environ, "npm_config_omit_lockfile_registry_resolved": "true"}
    subprocess.run(["npm", "install", "--package-lock-only", "--ignore-scripts"], check=True, cwd=HOME, env=environment)
    lock = json.loads((HOME / "package-lock.json").read_text())
    named = [name for name, package in lock["packages"].items() if "resolved" in package]
    if named:
        sys.exit(f"package-lock.json names addresses for {named}")


def main(options: list[str]) -> None:
    """Pin everything again."""
    if not (VENV / "bin" / "pip-compile").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", TOOL], check=True)
    for output, extras in OUTPUTS.items():
        compile_pins(output, *options, *(word for extra in extras for word in ("--extra", extra)))
    node = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["optional-dependencies"]["node"]
    compile_pins("requirements-node.txt", *options, "--no-annotate", source="-", text="\n".join(node))
    pin_npm()


if __name__ == "__main__":
    main(sys.argv[1:])
