"""Quick-calc of carbon: this month by place and sector, with intervals whose coverage is shown."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcarbon.nowcast.arrivals import news
    from dualcarbon.nowcast.brief import monthly
    from dualcarbon.nowcast.opening import open_figure
    from dualcarbon.nowcast.present import run
    from dualcarbon.nowcast.reasons import open_reason
    from dualcarbon.nowcast.revisions import vintages
    from dualcarbon.nowcast.situation import analyse
    from dualcarbon.nowcast.trial import backtest
    from dualcarbon.nowcast.why import explain

__all__ = ["analyse", "backtest", "explain", "monthly", "news", "open_figure", "open_reason", "run", "vintages"]

_WHERE = {
    "analyse": "situation",
    "backtest": "trial",
    "explain": "why",
    "monthly": "brief",
    "news": "arrivals",
    "open_figure": "opening",
    "open_reason": "reasons",
    "run": "present",
    "vintages": "revisions",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"dualcarbon.nowcast.{_WHERE[name]}"), name)
    raise AttributeError(name)
