"""Open platform on which a city runs its dual-carbon work; every number can be opened."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dualcarbon.engine.runs import calc, explain
    from dualcarbon.inventory import account

__all__ = ["__version__", "account", "calc", "explain"]

_HOMES = {"calc": "dualcarbon.engine.runs", "explain": "dualcarbon.engine.runs", "account": "dualcarbon.inventory"}


def __getattr__(name: str) -> Any:
    """Import what is heavy when it is first used."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
