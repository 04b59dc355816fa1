"""What a database says when a transaction cannot go on: to be tried again, or told to the caller."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from dualcarbon.core.problems import Problem, Refused


def passing(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when tried again."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40001", "40P01", "55P03") or "database is locked" in str(error.orig)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's cycle collector, which would walk a batch's thousands of rows again and again for nothing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database that cannot write into a `Refused` that says why; nothing of the transaction stays.

    Rules: `ledger.disk-full`, `ledger.read-only`, `ledger.database-unavailable`.
    """
    try:
        yield
    except (OperationalError, sa.exc.InternalError) as error:
        text, state = str(error.orig), getattr(error.orig, "sqlstate", None) or ""
        if "disk is full" in text or "disk full" in text or state == "53100" or "disk I/O" in text:
            rule = "ledger.disk-full"
        elif "readonly" in text or "read-only" in text or state == "25006":
            rule = "ledger.read-only"
        else:
            rule = "ledger.database-unavailable"
        raise Refused(Problem(rule, params={"reason": text.strip()})) from error
