"""What requests to the registry say, and the registry they speak to."""

import threading
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, Query, Request

if TYPE_CHECKING:
    from dualcarbon.registry.book import Registry

Text = Annotated[str | None, Query(max_length=200)]
Name = Annotated[str, Query(min_length=1, max_length=200)]
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="the cursor `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows a page")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=60, description="your id of the act: sent twice it counts once"),
]
DryRun = Annotated[bool, Query(description="try only, record nothing")]
_opening = threading.Lock()


def _part(after: After = 0, limit: Limit = 100) -> dict[str, int]:
    return {"after": after, "limit": limit}


#: Which page of a list.
Part = Annotated[dict[str, int], Depends(_part)]


def registry_of(request: Request, *, install: bool = False) -> "Registry":
    """The registry of the application's workspace, opened once."""
    state = request.app.state
    with _opening:
        if not hasattr(state, "registry"):
            from dualcarbon.ledger.store import Store
            from dualcarbon.registry.book import Registry

            state.registry = Registry(Store(state.site.workspace.database), state.site.pack)
    opened: Registry = state.registry
    if install:
        opened.install()
    return opened
