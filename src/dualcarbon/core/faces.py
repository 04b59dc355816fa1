"""What a room says of its pages, for the web shell to serve: functions and names, nothing of HTTP.

A room's ``routes.py`` has a list of pages, filled by :func:`page`::

    pages: list[Page] = []
    nav = [Nav("/plan", "计划")]

    @page(pages, "/plan", "board.html", changes=lambda workspace: last_report(workspace))
    def board(view: View, year: int | None = None) -> dict[str, Any]: ...

The shell makes of each an HTML page with the room's template, its ``.json`` twin at the same address, an ETag and a
cache.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple, Protocol

Make = Callable[..., dict[str, Any]]
Changes = Callable[[Any], Any]
#: The first and the last day that a question may name as a day of knowledge.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)


class Page(NamedTuple):
    """One page: its address, the room's template, the function that makes its data, and what else changes its answer.

    `changes(workspace)` gives anything that differs whenever the answer may differ for another reason than the version
    of the observations: the last entry of a ledger, the last report of a plan, today's date.
    """

    path: str
    template: str
    make: Make
    changes: Changes | None = None


class Nav(NamedTuple):
    """An entry of the main navigation: address and Chinese title (a text of the room's catalogue)."""

    path: str
    title: str


class NoSuch(LookupError):
    """What was asked for does not exist: `kind` (place, method, account, plan ...) and the `name` asked for."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind}: {name}")
        self.kind, self.name = kind, name


class View(Protocol):
    """One question to a workspace in one language: what a page function may read."""

    lang: str
    path: str
    query: dict[str, str]
    tree: str
    known_at: date | None
    workspace: Any
    pack: str
    words: Any

    @property
    def codes(self) -> Any:
        """The classification (places, sectors, carriers, items) of the pack."""

    @property
    def city(self) -> str:
        """Code of the place that the pack is about."""

    @property
    def period(self) -> str:
        """The asked period, else the latest whole year that the workspace holds."""

    def place_name(self, code: str) -> str:
        """A place's name in the reader's language."""

    def entity_name(self, code: str) -> str:
        """An entity's name, or its code."""

    def link(self, path: str, /, **query: Any) -> str:
        """An address on this site that keeps the reader's choices; a None leaves a choice out."""

    def here(self, **query: Any) -> str:
        """This page's address with some choices changed."""

    def explain(self, query: Mapping[str, Any] | None) -> str:
        """The address at which a number opens."""


def page(pages: list[Page], path: str, template: str, *, changes: Changes | None = None) -> Callable[[Make], Make]:
    """Put ``make(view, ...) -> dict`` into `pages`; further parameters of `make` are read from the address."""

    def register(make: Make) -> Make:
        pages.append(Page(path, template, make, changes))
        return make

    return register
