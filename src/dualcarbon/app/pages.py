"""How a page is answered: what is asked, one piece of data, two faces (HTML and its ``.json`` twin), one ETag.

A page is a function ``make(view, ...) -> dict`` registered with :func:`page`. It depends on nothing but the workspace's
version, the question and the language, so its ETag is known before anything is calculated and its body is kept.
"""

import functools
import hashlib
import importlib
import inspect
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from dualcarbon.app import mathml, outline
from dualcarbon.app.wording import LANGUAGES, Words, words

HERE = Path(__file__).parent
KEPT_PAGES = 400
CITY = "330400"
BASES = ("A", "B", "C")


@dataclass(frozen=True)
class Asked:
    """What the reader chose: period, tree, basis, and the date of knowledge; None where nothing was chosen."""

    period: str | None = None
    tree: Literal["admin", "management"] = "admin"
    basis: str | None = None
    known_at: date | None = None


def asked(
    period: Annotated[str | None, Query(description="2024, 2024-Q1, 2024-03, 2024-01/2024-09", max_length=40)] = None,
    tree: Annotated[Literal["admin", "management"], Query(description="place tree")] = "admin",
    basis: Annotated[str | None, Query(description="account A, B or C", max_length=20)] = None,
    known_at: Annotated[date | None, Query(description="only what was known at this date")] = None,
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


class NoSuch(LookupError):
    """What was asked for does not exist: `kind` (place, method, factor, run) and the `name` asked for."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind}: {name}")
        self.kind, self.name = kind, name


class View:
    """One question to one site in one language: what a page function reads and what its template needs."""

    def __init__(self, site: "Site", choice: Asked, lang: str, path: str, query: Mapping[str, str]) -> None:
        self.site, self.choice, self.lang, self.path, self.query = site, choice, lang, path, dict(query)
        self.words: Words = words(lang)
        self.workspace, self.pack = site.workspace, site.pack
        self.tree, self.known_at = choice.tree, choice.known_at

    @functools.cached_property
    def codes(self) -> Any:
        """The classification (places, sectors, carriers, items) of the site's pack."""
        from dualcarbon.core.classification import load

        return load(self.pack)

    @functools.cached_property
    def period(self) -> str:
        """The asked period, else the latest whole year that the workspace holds."""
        return self.choice.period or self.site.horizon()["period"]

    @functools.cached_property
    def basis(self) -> str:
        """The asked account, else the site's headline: C where the province's convention is set, otherwise B."""
        return self.choice.basis or self.site.headline_basis()

    def place_name(self, code: str) -> str:
        """A place's name in the reader's language."""
        return str(self.codes.places.name(code, self.lang)) if code in self.codes.places else code

    def is_entity(self, code: str) -> bool:
        """Is this the code of an entity of the workspace?"""
        return code in self.site.entities()

    def entity_name(self, code: str) -> str:
        """An entity's name, or its code."""
        return self.site.entities().get(code) or code

    def source_name(self, code: str) -> str:
        """What a row's source is called: the file of an import, the title of a document, or its code."""
        sources = self.codes.sources
        if code in sources:
            return str(sources.name(code, self.lang))
        return self.site.files().get(code) or code

    def link(self, path: str, /, **query: Any) -> str:
        """An address on this site that keeps the reader's choices; a None leaves a choice out."""
        kept: dict[str, Any] = {
            "period": self.choice.period,
            "tree": self.tree if self.tree != "admin" else None,
            "basis": self.choice.basis,
            "known_at": self.known_at,
        }
        kept.update(query)
        text = urlencode({key: value for key, value in kept.items() if value not in (None, "")})
        return f"{path}?{text}" if text else path

    def here(self, **query: Any) -> str:
        """This page's address with some choices changed."""
        own = {key: value for key, value in self.query.items() if key != "lang"}
        own.update(query)
        text = urlencode({key: value for key, value in own.items() if value not in (None, "")})
        return f"{self.path}?{text}" if text else self.path

    def query_text(self) -> str:
        """The question part of this page's address, without the language."""
        own = {key: value for key, value in self.query.items() if key != "lang" and value}
        return f"?{urlencode(own)}" if own else ""

    def choices(self) -> list[tuple[str, list[str]]]:
        """Periods to choose from, in groups: ``(years | quarters | months, [period, ...])``, the latest first."""
        return period_choices(self.site.horizon(), self.period)

    def explain(self, query: Mapping[str, Any] | None) -> str:
        """The address at which a number opens."""
        if not query:
            return ""
        own = {key: value for key, value in query.items() if value not in (None, "")}
        if self.known_at:
            own.setdefault("known_at", self.known_at)
        return "/explain?" + urlencode(own)


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


class Site:
    """One workspace on the web, with its kept pages."""

    def __init__(self, workspace: Path) -> None:
        from dualcarbon.core.workspace import Workspace

        self.workspace = Workspace.open(workspace)
        self.pack: str = self.workspace.pack
        self.lock = threading.RLock()
        self.build = _build()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._known: dict[tuple[str, int], Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """`make()`, kept until the workspace changes."""
        key = (name, self.workspace.version())
        if key not in self._known:
            self._known = {old: value for old, value in self._known.items() if old[1] == key[1]}
            self._known[key] = make()
        return self._known[key]

    def entities(self) -> dict[str, str]:
        """Names of the workspace's entities by code."""

        def read() -> dict[str, str]:
            frame = self.workspace.entities()
            return dict(zip(frame["code"].to_list(), frame["name"].to_list(), strict=True))

        names: dict[str, str] = self.once("entities", read)
        return names

    def files(self) -> dict[str, str]:
        """Names of the imported files by import."""
        names: dict[str, str] = self.once(
            "files", lambda: {str(one["id"]): str(one.get("file") or "") for one in self.workspace.imports()}
        )
        return names

    def datasets(self) -> dict[str, dict[str, str]]:
        """Titles of the workspace's datasets by id, in both languages."""
        titles: dict[str, dict[str, str]] = self.once(
            "datasets",
            lambda: {
                str(one["id"]): {lang: str(one.get(f"title_{lang}") or one["id"]) for lang in LANGUAGES}
                for one in self.workspace.datasets()
            },
        )
        return titles

    def horizon(self) -> dict[str, Any]:
        """What time the counted energy data cover: ``{first, last, period}``; `first` and `last` are months.

        `period` is the latest year, or, of a year under way, its months so far.
        """
        return dict(self.once("horizon", self._horizon))

    def _horizon(self) -> dict[str, Any]:
        from datetime import timedelta

        from dualcarbon.core import periods

        counted = [str(one["id"]) for one in self.workspace.datasets() if one.get("role") != "control"]
        rows = self.workspace.observations(datasets=counted).filter("item LIKE 'energy.%'")
        start, end = rows.aggregate('min(start), max("end")').fetchall()[0]
        if start is None:
            today = date.today()
            return {"first": None, "last": None, "period": str(today.year - 1)}
        last = (end - timedelta(days=1)).replace(day=1)
        return {
            "first": f"{start.year}-{start.month:02d}",
            "last": f"{last.year}-{last.month:02d}",
            "period": periods.text(max(start, date(last.year, 1, 1)), end),
        }

    def headline_basis(self) -> str:
        """The account that the headline shows: C where it is set, else B."""

        def ask() -> str:
            from dualcarbon import inventory

            period = self.horizon()["period"]
            return str(inventory.account(self.workspace, place=CITY, period=period, basis=None, by=())["basis"])

        return str(self.once("headline", ask))

    def tag(self, request: Request, lang: str) -> str:
        """The ETag of what `request` asks for: workspace version, pack, build, language, address."""
        query = sorted((key, value) for key, value in request.query_params.multi_items() if key != "lang")
        partial = request.headers.get("hx-request") == "true"
        parts = (self.workspace.version(), self.build, self.pack, lang, partial, request.url.path, query)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]

    def answer(
        self, request: Request, choice: Asked, make: Callable[..., Any], own: dict[str, Any], template: str | None
    ) -> Response:
        """The page (or, without a template, its JSON twin): 304 when the reader has it, else kept or made."""
        lang = language(request)
        tag = self.tag(request, lang)
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache", "Vary": "Cookie, Accept-Language, HX-Request"}
        if f'"{tag}"' in request.headers.get("if-none-match", "").replace("W/", "").split(", "):
            return said(request, Response(status_code=304, headers=headers))
        body = self._kept.get(tag)
        if body is None:
            with self.lock:
                view = View(self, choice, lang, request.url.path, request.query_params)
                data = make(view, **own)
                body = document(data) if template is None else self.render(request, view, template, data)
            self._kept[tag] = body
            while len(self._kept) > KEPT_PAGES:
                self._kept.popitem(last=False)
        media = "application/json" if template is None else "text/html; charset=utf-8"
        return said(request, Response(body, media_type=media, headers=headers))

    def render(self, request: Request, view: View, template: str, data: Mapping[str, Any]) -> bytes:
        """A template filled with a page's data; only its body for an HTMX request."""
        partial = request.headers.get("hx-request") == "true"
        made = environment(view.lang).get_template(template)
        return made.render(page=data, view=view, site=self, partial=partial, build=self.build).encode()


def render_for(site: Site, make: Callable[..., Any], template: str, choice: Asked, lang: str) -> str:
    """A page made without anybody's request, to have its figures ready."""
    view = View(site, choice, lang, "/", {})
    made = environment(lang).get_template(template)
    with site.lock:
        return made.render(page=make(view), view=view, site=site, partial=False, build=site.build)


def page(router: APIRouter, path: str, template: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register ``make(view, ...)`` at `path`, and its JSON twin at ``PATH.json`` (that of ``/`` is ``/index.json``)."""

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        own = [p.replace(kind=p.KEYWORD_ONLY) for p in list(inspect.signature(make).parameters.values())[1:]]
        twin = "/index.json" if path == "/" else f"{path}.json"
        for address, chosen in ((twin, None), (path, template)):
            endpoint = _endpoint(make, chosen)
            request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
            choice = inspect.Parameter(
                "choice", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Asked, Depends(asked)]
            )
            endpoint.__signature__ = inspect.Signature([request, choice, *own])  # type: ignore[attr-defined]
            router.add_api_route(
                address,
                endpoint,
                name=f"{make.__name__}{'' if chosen else '.json'}",
                summary=(make.__doc__ or "").strip().split("\n")[0],
                include_in_schema=chosen is None,
                response_class=Response,
            )
        return make

    return register


def _endpoint(make: Callable[..., Any], template: str | None) -> Callable[..., Response]:
    def endpoint(request: Request, choice: Asked, **own: Any) -> Response:
        site: Site = request.app.state.site
        return site.answer(request, choice, make, own, template)

    return endpoint


def language(request: Request) -> str:
    """``?lang=``, else the cookie, else Chinese."""
    for wanted in (request.query_params.get("lang"), request.cookies.get("lang")):
        if wanted in LANGUAGES:
            return wanted
    return "zh"


def said(request: Request, response: Response) -> Response:
    """`response` with its language, remembered in a cookie when the address chose one."""
    lang = language(request)
    response.headers["Content-Language"] = "zh-CN" if lang == "zh" else "en"
    if request.query_params.get("lang") == lang and request.cookies.get("lang") != lang:
        response.set_cookie("lang", lang, max_age=31_536_000, samesite="lax", path="/")
    return response


def document(data: Any) -> bytes:
    """Data as JSON: UTF-8, no NaN, dates as text."""
    from dualcarbon.core.console import plain

    return json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@functools.cache
def environment(lang: str) -> Environment:
    """The templates in one language."""
    said_in = words(lang)
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rooms = {name: importlib.import_module(f"dualcarbon.app.{name}") for name in ("accounts", "explaining", "figures")}
    made.globals.update(
        **rooms,
        w=said_in,
        _=said_in.say,
        outline=outline.outline,
        equation=lambda *a, **k: Markup(mathml.equation(*a, **k)),
        symbol=lambda name: Markup(f"<math>{mathml.symbol(name)}</math>"),
    )
    made.filters.update(pick=said_in.pick, unit=said_in.unit, period=said_in.period, day=said_in.day)
    return made


@functools.cache
def _build() -> str:
    """A fingerprint of the program's pages: templates, styles, scripts, texts and modules."""
    files = [path for path in sorted(HERE.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    stamp = hashlib.sha256()
    for path in files:
        stamp.update(f"{path.relative_to(HERE)} {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
    return stamp.hexdigest()[:12]
