"""Small marks of a figure that a page shows by the hundred: the number that opens, the signed change, the badge.

They are functions and no macros of a template, because a page with hundreds of numbers waits for each call.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup, escape

from dualcarbon.app.wording import NOTHING, Words


def of(w: Words) -> SimpleNamespace:
    """The marks in one language."""
    made: dict[str, Callable[..., Any]] = {one.__name__: partial(one, w) for one in (badge, change, interval)}
    return SimpleNamespace(num=num, **made)


def num(view: Any, text: str, explain: Mapping[str, Any] | None, label: str = "", **more: Any) -> str:
    """A number as the link that opens it (`explain`, and `more` of the question); alone where nothing opens it."""
    if not explain or text == NOTHING:
        return text
    said = Markup(' aria-label="{}"').format(label + text) if label else ""
    return Markup(f'<a class="num" href="{_opens(view, explain, more)}"{said}>{escape(text)}</a>')


def badge(w: Words, status: str | None) -> str:
    """The status behind a figure."""
    return Markup(f'<span class="badge {escape(status)}">{escape(w.status(status))}</span>') if status else ""


def incomplete(w: Words) -> Markup:
    """The mark of a figure that lacks something."""
    return Markup(' <span class="badge incomplete">{}</span>').format(w.say("不完整"))


def change(
    w: Words,
    value: float | None,
    digits: int = 1,
    suffix: str = "%",
    view: Any = None,
    explain: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    """A signed change, in the colour of its direction as it is shown; a link where `explain` opens it."""
    if value is None:
        return NOTHING
    seen = round(value, digits)
    text: str = escape(w.number(value, digits, sign=True) + suffix)
    text = f'<a class="num" href="{_opens(view, explain, more)}">{text}</a>' if explain else text
    return Markup(f'<span class="{"up" if seen > 0 else "down" if seen < 0 else ""}">{text}</span>')


def interval(w: Words, low: float | None, high: float | None, unit: str | None, of: float | None = None) -> str:
    """A 95 % interval in the scale of the value that it is `of`."""
    if low is None or high is None:
        return w.say("未知")
    scale = w.scale(unit, of or high)
    return f"{w.scaled(low, scale)} – {w.scaled(high, scale)}"


def _opens(view: Any, explain: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    address: str = view.explain({**explain, **more} if more else explain)
    return address.replace("&", "&amp;")  # all else that HTML would read is encoded already
