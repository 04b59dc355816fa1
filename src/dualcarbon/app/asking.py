"""What is asked of a page: the reader's choices in the address, the language, the periods to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import Query, Request

from dualcarbon.app.wording import LANGUAGES
from dualcarbon.core.faces import FIRST_DAY, LAST_DAY

Tree = Literal["admin", "management"]


@dataclass(frozen=True)
class Asked:
    """What the reader chose: period, tree, basis, and the date of knowledge; None where nothing was chosen."""

    period: str | None = None
    tree: Tree = "admin"
    basis: str | None = None
    known_at: date | None = None


def asked(
    period: Annotated[str | None, Query(description="2024, 2024-Q1, 2024-03, 2024-01/2024-09", max_length=40)] = None,
    tree: Annotated[Tree, Query(description="place tree")] = "admin",
    basis: Annotated[str | None, Query(description="account A, B or C", max_length=20)] = None,
    known_at: Annotated[
        date | None, Query(ge=FIRST_DAY, le=LAST_DAY, description="only what was known at this date")
    ] = None,
) -> Asked:
    """The choices that every page understands, read from the query. Raises `BadChoice` for a period that is none."""
    from dualcarbon.core import periods

    if period:
        try:
            parsed = periods.parse(period)
        except ValueError as error:
            raise BadChoice("period", period) from error
        period = periods.text(*parsed)
    return Asked(period or None, tree, basis or None, known_at)


class BadChoice(ValueError):
    """A choice in the query that means nothing: `name` and `value`."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"{name}: {value}")
        self.name, self.value = name, value


class Question(NamedTuple):
    """What decides an answer besides the data: address, query without the language, language, whole page or part."""

    path: str
    query: tuple[tuple[str, str], ...]
    lang: str
    partial: bool = False

    @classmethod
    def of(cls, request: Request) -> "Question":
        """The question that a request asks."""
        query = tuple(sorted((key, value) for key, value in request.query_params.multi_items() if key != "lang"))
        return cls(request.url.path, query, language(request), request.headers.get("hx-request") == "true")


def language(request: Request) -> str:
    """``?lang=``, else the cookie, else Chinese."""
    for wanted in (request.query_params.get("lang"), request.cookies.get("lang")):
        if wanted in LANGUAGES:
            return wanted
    return "zh"


def period_choices(horizon: Mapping[str, Any], chosen: str) -> list[tuple[str, list[str]]]:
    """Years, quarters and months from the first to the last month of the data; the chosen period is always there."""
    if not horizon["first"]:
        return [("years", [chosen])]
    first, last = (tuple(map(int, horizon[name].split("-"))) for name in ("first", "last"))
    every = [(y, m) for y in range(first[0], last[0] + 1) for m in range(1, 13) if first <= (y, m) <= last]
    every.reverse()
    has = set(every)
    years = [str(y) for y in range(last[0], first[0] - 1, -1) if (y, 1) in has and (y, 12) in has]
    if horizon["period"] not in years:
        years.insert(0, horizon["period"])
    quarters = [f"{y}-Q{m // 3}" for y, m in every if m % 3 == 0 and (y, m - 2) in has]
    groups = [("years", years), ("quarters", quarters), ("months", [f"{y}-{m:02d}" for y, m in every])]
    if not any(chosen in periods for _, periods in groups):
        groups.insert(0, ("chosen", [chosen]))
    return groups


@lru_cache(maxsize=8192)
def pair(key: str, value: str) -> str:
    """One choice as an address writes it; numbers open by the thousand, with few different choices."""
    return urlencode({key: value})
