"""A real PostgreSQL server for tests and benchmarks, started in a folder of its own and never as root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoServer(Exception):
    """There are no PostgreSQL programs here, or no user that may run them."""


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, on the path or in the system's usual place."""
    found = shutil.which("pg_ctl")
    if found and shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def runner() -> str | None:
    """The user that may run the server: this one, or when this is root, one that is not; None when there is none."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


@contextmanager
def server(*settings: str) -> Iterator[str]:
    """The address of a new server on a socket, to be formatted with a database name; gone afterwards.

    `settings` are configuration lines such as ``fsync=off``. Raises NoServer.
    """
    programs, user = binaries(), runner()
    if programs is None or user is None:
        raise NoServer
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    drop: dict[str, object] = {}
    if os.geteuid() == 0:
        record = pwd.getpwnam(user)
        os.chown(folder, record.pw_uid, record.pw_gid)
        drop = {"user": record.pw_uid, "group": record.pw_gid, "extra_groups": []}

    def run(*command: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        done = subprocess.run(command, cwd=folder, **quiet, **drop)  # type: ignore[call-overload]
        if done.returncode:
            log = folder / "log"
            raise RuntimeError(f"{command[0]} failed: {log.read_text() if log.exists() else ''}")

    try:
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=tests"]
        run(str(programs / "initdb"), "-D", f"{folder}/data", *options)
        flags = " ".join(f"-c {line}" for line in ("listen_addresses=", "max_connections=60", *settings))
        run(
            str(programs / "pg_ctl"),
            "-D",
            f"{folder}/data",
            "-l",
            f"{folder}/log",
            "-w",
            "-o",
            f"-k {folder} {flags}",
            "start",
        )
        yield f"postgresql+psycopg://tests@/{{}}?host={folder}"
    finally:
        if (folder / "data/postmaster.pid").exists():
            run(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
