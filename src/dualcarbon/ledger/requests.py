"""Requests that carry a key of the client's making: sent twice they are done once, and the first answer is given again.

The answer is kept in the transaction of what it answers for `KEPT` microseconds. The same key with another content is
refused (`ledger.key-used-otherwise`). Transfers are protected by their own ids besides, and for ever.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger.tables import REQUEST

KEPT = 90 * 86_400_000_000


class Request(NamedTuple):
    """The client's key and the digest of what was asked with it."""

    key: str
    digest: bytes


class Answers:
    """The answers already given to some requests; `give` finds one or makes and remembers it, `keep` stores the new."""

    def __init__(
        self, connection: sa.Connection, requests: Iterable[Request | None], among: Callable[..., Any]
    ) -> None:
        self.connection = connection
        keys = {request.key for request in requests if request is not None}
        self.known: dict[str, tuple[bytes, Any]] = {}
        self.fresh: list[dict[str, Any]] = []
        if keys:
            found = connection.execute(sa.select(REQUEST).where(among(REQUEST.c.key, keys)))
            self.known = {row.key: (row.digest, json.loads(row.answer)) for row in found}

    def give(self, request: Request | None, make: Callable[[], Any]) -> Any:
        """The answer given before, else what `make()` gives; a `Refused` when the key came with another content."""
        if request is None:
            return make()
        known = self.known.get(request.key)
        if known is not None:
            if known[0] == request.digest:
                return known[1]
            return Refused(Problem("ledger.key-used-otherwise", column="Idempotency-Key", value=request.key))
        answer = make()
        self.known[request.key] = (request.digest, answer)
        text = json.dumps(answer, ensure_ascii=False)
        self.fresh.append({"key": request.key, "digest": request.digest, "answer": text})
        return answer

    def keep(self, recorded: int) -> None:
        """Store the answers made."""
        if self.fresh:
            self.connection.execute(REQUEST.insert(), [{**row, "recorded": recorded} for row in self.fresh])


def forget(connection: sa.Connection, recorded: int) -> None:
    """Drop the answers older than `KEPT`."""
    connection.execute(REQUEST.delete().where(REQUEST.c.recorded < recorded - KEPT))
