"""The registry of rights and certificates (用能权、排污权、用水权、绿证、碳普惠) on the ledger.

`Registry` issues or imports, transfers, retires and claims; `reads` finds, tells the life of a unit, the public totals
and whether serial numbers and ledger agree; `files` reads certificate files; `instruments` come from the packs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcarbon.registry.book import Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> Any:
    if name == "Registry":
        from dualcarbon.registry.book import Registry

        return Registry
    raise AttributeError(name)
