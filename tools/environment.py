"""Make the virtual environment `.venv` and install the pinned requirements into it; quick when nothing changed.

    python -m tools.environment run     what the program needs
    python -m tools.environment dev     that, and what its tests need

Needs nothing but Python >= 3.11 with pip and venv; pip's own configuration (mirrors, proxies) is left as it is.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
VENV = HOME / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
FILES = {"run": "requirements.txt", "dev": "requirements-dev.txt"}


def fingerprint(*names: str) -> str:
    """What the named files hold now, with the Python that made this environment."""
    digest = hashlib.sha256(sys.version.encode())
    for name in names:
        digest.update((HOME / name).read_bytes())
    return digest.hexdigest()


def installed() -> dict[str, str]:
    """The fingerprints of what was installed before."""
    if STAMP.exists() and PYTHON.exists():
        stamps: dict[str, str] = json.loads(STAMP.read_text())
        return stamps
    return {}


def pip(*arguments: str) -> None:
    """Run pip for the environment: its own, or the outer Python's where venv could not bring one."""
    own = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0
    command = [str(PYTHON), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    subprocess.run([*command, "install", "--disable-pip-version-check", *arguments], check=True, cwd=HOME)


def main(kind: str) -> None:
    """Bring the environment up to date for `kind` (``run`` or ``dev``)."""
    # The tests' requirements hold the program's.
    wanted = {k: fingerprint("pyproject.toml", FILES[k]) for k in (("run", "dev") if kind == "dev" else ("run",))}
    if wanted.items() <= installed().items():
        return
    if not PYTHON.exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
        if made.returncode:
            subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)], check=True)
    print("Python packages: pip install / 安装 Python 包", flush=True)
    pip("--quiet", "--require-hashes", "-r", FILES[kind])
    pip("--quiet", "--no-deps", "--no-build-isolation", "-e", ".")
    STAMP.write_text(json.dumps({**installed(), **wanted}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["dev"]):
        sys.exit("usage: python -m tools.environment run|dev")
    try:
        main(sys.argv[1])
    except subprocess.CalledProcessError as error:
        sys.exit(f"set-up failed: {' '.join(map(str, error.cmd))}")
