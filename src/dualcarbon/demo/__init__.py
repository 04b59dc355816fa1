"""The demonstration city: a generated economy for trying, teaching and testing, labelled `synthetic` throughout."""

from typing import Any

__all__ = ["City", "build", "generate", "portrait"]


def __getattr__(name: str) -> Any:
    """The public functions, imported when first used: the command line's help must not load arrays and tables."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = {"build": "assembly", "portrait": "figures"}.get(name, "city")
    return getattr(import_module(f"{__name__}.{module}"), name)
