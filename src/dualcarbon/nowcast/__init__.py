"""Quick-calc of carbon: this month by place and sector, with intervals whose coverage is shown."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcarbon.nowcast.annual.spread import shape
    from dualcarbon.nowcast.annual.trial import backtest
    from dualcarbon.nowcast.arrivals import news
    from dualcarbon.nowcast.opened.opening import open_figure
    from dualcarbon.nowcast.opened.reasons import open_reason
    from dualcarbon.nowcast.present import run
    from dualcarbon.nowcast.revisions import vintages
    from dualcarbon.nowcast.told.brief import monthly
    from dualcarbon.nowcast.told.situation import analyse
    from dualcarbon.nowcast.why import explain

__all__ = [
    "analyse",
    "backtest",
    "explain",
    "monthly",
    "news",
    "open_figure",
    "open_reason",
    "run",
    "shape",
    "vintages",
]

_WHERE = {
    "analyse": "told.situation",
    "backtest": "annual.trial",
    "explain": "why",
    "monthly": "told.brief",
    "news": "arrivals",
    "open_figure": "opened.opening",
    "open_reason": "opened.reasons",
    "run": "present",
    "shape": "annual.spread",
    "vintages": "revisions",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"dualcarbon.nowcast.{_WHERE[name]}"), name)
    raise AttributeError(name)
