"""The parts of which the node of a derived figure is made: texts in both languages, lines, numbers of equations."""

from typing import TYPE_CHECKING, Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast.usual import FAMILY, RECONCILE

if TYPE_CHECKING:
    from dualcarbon.core.periods import Period

Node = dict[str, Any]
#: How a question asks for the cells that have no sector, or no domain.
NONE = "-"


def options(family: str, reconcile: str = RECONCILE) -> dict[str, str]:
    """What a question has to name of the family of factors and the way to meet official totals: what is not usual."""
    usual = {"family": FAMILY, "reconcile": RECONCILE}
    return {name: given for name, given in (("family", family), ("reconcile", reconcile)) if given != usual[name]}


def asks(given: str | None, code: str) -> bool:
    """Whether a question's place, sector or domain (None: any) is that of a cell."""
    return not given or code == ("" if given == NONE else given)


def coded(book: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """A question whose `sector` and `domain` may be names, with their codes."""
    codes = {"sector": book.sectors, "domain": book.domains}
    return {name: codes[name].find(given) or given if name in codes and given else given
            for name, given in asked.items()}  # fmt: skip


def text(zh: str, en: str) -> dict[str, str]:
    """A text in both languages."""
    return {"zh": zh, "en": en}


def line(name: dict[str, str], value: float | None, unit: str, status: str | None = None, **more: Any) -> Node:
    """An input or a part: `question` opens it here, `query` is that of ``dualcarbon explain``."""
    return {"name": name, "value": value, "unit": unit, "status": status, **more}


def tonnes(value: float, signed: bool = False) -> str:
    """Whole tonnes as they stand in an equation."""
    return f"{round(value) + 0.0:{'+' if signed else ''},.0f}".replace("-", "−")


def times(before: float, after: float) -> str:
    """How a figure was moved: ``before × factor = after``."""
    return f"{tonnes(before)} × {after / before:.6f} = {tonnes(after)}" if before else ""


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits."""
    whole = abs(value) >= 10 ** (digits - 1)
    return (f"{value:,.0f}" if whole else f"{value:.{digits}g}").replace("-", "−")


def span_of(period: str) -> "Period":
    """A period from its text. Raises Refused."""
    from dualcarbon.core import periods

    try:
        return periods.parse(period)
    except periods.BadPeriod as error:
        raise Refused(Problem("nowcast.bad-period", value=period)) from error
