"""Room `inventory`: three accounts of a city's energy-activity CO2, never mixed, and what stands behind each figure."""

from importlib import import_module
from typing import Any

_WHERE = {
    "account": "accounts",
    "areas": "breakdown",
    "completeness": "coverage",
    "controls": "analysis",
    "key_categories": "analysis",
    "energy": "energy_use",
    "explain": "opening",
    "export_movers": "workbook",
    "export": "workbook",
    "movers": "pulling",
    "prepare": "together",
    "sectors_of": "pulling",
    "series": "breakdown",
    "sheet": "together",
    "top_movers": "pulling",
    "uncertainty": "analysis",
    "vintages": "revisions",
    "year_before": "question",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """Public functions, imported when first used."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
