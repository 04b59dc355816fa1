"""Pin again: `requirements*.txt` with the hashes of every file of a release, `package-lock.json` with integrity.

    python tools/lock.py [--upgrade]

Neither names a host: where packages come from is for the reader's own pip and npm to know.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
OUTPUTS = {
    "requirements.txt": ["--extra", "setup"],
    "requirements-dev.txt": ["--extra", "setup", "--extra", "dev"],
    "requirements-node.txt": ["--only-extra", "node"],
}
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


def pin(name: str, options: list[str]) -> None:
    """Write one requirements file from `pyproject.toml`, keeping the versions it has unless asked to upgrade."""
    source = "pyproject.toml"
    command = [sys.executable, "-m", "piptools", "compile", *QUIET, *options, "-o", name, source]
    subprocess.run(command, check=True, cwd=HOME)


def pin_npm() -> None:
    """Write `package-lock.json` without addresses."""
    environment = {**os.environ, "npm_config_omit_lockfile_registry_resolved": "true"}
    subprocess.run(["npm", "install", "--package-lock-only", "--ignore-scripts"], check=True, cwd=HOME, env=environment)
    lock = json.loads((HOME / "package-lock.json").read_text())
    named = [name for name, package in lock["packages"].items() if "resolved" in package]
    if named:
        sys.exit(f"package-lock.json names addresses for {named}")


if __name__ == "__main__":
    for name, options in OUTPUTS.items():
        pin(name, [*options, *sys.argv[1:]])
    pin_npm()
