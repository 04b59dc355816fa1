"""How a page is answered: what is asked, one piece of data, two faces (HTML and its ``.json`` twin), one ETag.

A page is a function ``make(view, ...) -> dict`` registered with :func:`page`. It depends on nothing but the workspace's
version, the question, the language and what it names itself (`changes`), so its ETag is known before anything is
calculated and its body is kept. The pages of rooms (`core.faces`) are served the same way by :func:`room_router`.
"""

import contextlib
import functools
import hashlib
import inspect
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dualcarbon.app import outline
from dualcarbon.app.asking import Asked, Question, Tree, asked, language, pair, period_choices
from dualcarbon.app.rendering import environment
from dualcarbon.app.rooms import room_folders, room_routes
from dualcarbon.app.wording import LANGUAGES, Words, words
from dualcarbon.core import pack as packs
from dualcarbon.core.faces import Changes, NoSuch, Page
from dualcarbon.core.problems import Refused

HERE = Path(__file__).parent
KEPT_PAGES, KEPT_DATA = 400, 160
BASES = ("A", "B", "C")


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
    def city(self) -> str:
        """Code of the place that the pack is about."""
        return packs.place(self.pack)

    @property
    def trees(self) -> list[Tree]:
        """The trees in which places are shown: the administrative one, and the management's where there is one."""
        return [tree for tree in get_args(Tree) if tree in self.codes.places.trees]

    @functools.cached_property
    def brand(self) -> str:
        """The city's name as the head of every page says it."""
        return self.words.pick(packs.said(self.pack, "short") or packs.said(self.pack, "title"))

    @property
    def outline(self) -> Any:
        """The outlines of the city's areas (`outline.Outline`), or None."""
        return outline.outline(packs.said(self.pack, "outline"))

    @functools.cached_property
    def period(self) -> str:
        """The asked period, else the latest whole year that the workspace holds."""
        return self.choice.period or self.site.horizon()["period"]

    @functools.cached_property
    def basis(self) -> str:
        """The asked account, else the site's headline: C where the province's convention is set, otherwise B."""
        return self.choice.basis or self.site.headline_basis()

    def bases(self) -> list[tuple[str, str]]:
        """The accounts to choose from with their titles: the three of carbon, then those of energy."""
        from dualcarbon.inventory.definitions import accounts

        defined = accounts(self.pack)
        carbon = [(basis, f"{basis} {self.words.pick(defined[basis].title)}") for basis in BASES if basis in defined]
        energy = [(k, self.words.pick(v.title)) for k, v in defined.items() if v.item == "energy.tce"]
        return carbon + energy

    def place_name(self, code: str) -> str:
        """A place's name in the reader's language."""
        return str(self.codes.places.name(code, self.lang)) if code in self.codes.places else code

    @functools.cached_property
    def entities(self) -> dict[str, str]:
        """Names of the workspace's entities by code."""
        return self.site.entities()

    @functools.cached_property
    def files(self) -> dict[str, str]:
        """Names of the imported files by import."""
        return self.site.files()

    def is_entity(self, code: str) -> bool:
        """Is this the code of an entity of the workspace?"""
        return code in self.entities

    def entity_name(self, code: str) -> str:
        """An entity's name, or its code."""
        return self.entities.get(code) or code

    def source_name(self, code: str) -> str:
        """What a row's source is called: the file of an import, the title of a document, or its code."""
        sources = self.codes.sources
        if code in sources:
            return str(sources.name(code, self.lang))
        return self.files.get(code) or code

    def link(self, path: str, /, **query: Any) -> str:
        """An address on this site that keeps the reader's choices; a None leaves a choice out."""
        kept: dict[str, Any] = {
            "period": self.choice.period,
            "tree": self.tree if self.tree != "admin" else None,
            "basis": self.choice.basis,
            "known_at": self.known_at,
        }
        kept.update(query)
        return _address(path, {key: value for key, value in kept.items() if value != ""})

    def here(self, **query: Any) -> str:
        """This page's address with some choices changed; a None or an empty text leaves a choice out."""
        own: dict[str, Any] = {key: value for key, value in self.query.items() if key != "lang"}
        own.update({key: None if value == "" else value for key, value in query.items()})
        return _address(self.path, own)

    def query_text(self) -> str:
        """The question part of this page's address, without the language."""
        return _address("", {key: value for key, value in self.query.items() if key != "lang"})

    def choices(self) -> list[tuple[str, list[str]]]:
        """Periods to choose from, in groups: ``(years | quarters | months, [period, ...])``, the latest first."""
        return period_choices(self.site.horizon(), self.period)

    def explain(self, query: Mapping[str, Any] | None) -> str:
        """The address at which a number opens."""
        if not query:
            return ""
        own = {key: value for key, value in query.items() if value is not None}
        if self.known_at:
            own.setdefault("known_at", self.known_at)
        return "/explain?" + "&".join([pair(key, str(value)) for key, value in own.items()])


def _address(path: str, query: Mapping[str, Any]) -> str:
    text = "&".join([pair(key, str(value)) for key, value in query.items() if value is not None])
    return f"{path}?{text}" if text else path


class Site:
    """One workspace on the web, with its kept pages."""

    def __init__(self, workspace: Path) -> None:
        from dualcarbon.core.workspace import Workspace

        self.workspace = Workspace.open(workspace)
        self.pack: str = self.workspace.pack
        # One page at a time is made of the shell's and of each room's; a slow room keeps nobody else waiting.
        self.locks = {name: threading.RLock() for name in ("app", *room_folders())}
        self.lock = self.locks["app"]
        self.build = _build()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._data: OrderedDict[str, Any] = OrderedDict()
        self._known: dict[tuple[str, int], Any] = {}
        self._version = self.workspace.version()

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """`make()`, kept until the workspace changes."""
        key = (name, self.workspace.version())
        if key in self._known:
            return self._known[key]
        made = make()
        self._known = {old: value for old, value in self._known.items() if old[1] == key[1]} | {key: made}
        return made

    def entities(self) -> dict[str, str]:
        """Names of the workspace's entities by code."""

        def read() -> dict[str, str]:
            frame = self.workspace.entities()
            return dict(zip(frame["code"].to_list(), frame["name"].to_list(), strict=True))

        names: dict[str, str] = self.once("entities", read)
        return names

    def synthetic(self) -> bool:
        """Does the workspace hold synthetic data? Every page then says so."""
        return bool(self.once("synthetic", lambda: any(d["status"] == "synthetic" for d in self.workspace.datasets())))

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
            return str(inventory.account(self.workspace, period=period, basis=None, by=())["basis"])

        return str(self.once("headline", ask))

    def tag(self, question: Question, state: Any = None) -> str:
        """The ETag of the answer to `question`: workspace version, pack, build, language, address, page's `state`."""
        parts = (self.workspace.version(), self.build, self.pack, *question, state)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]

    def answer(
        self,
        request: Request,
        choice: Asked,
        make: Callable[..., Any],
        own: dict[str, Any],
        template: str | None,
        changes: Changes | None = None,
    ) -> Response:
        """The page (or, without a template, its JSON twin): 304 when the reader has it, else kept or made."""
        question = Question.of(request)
        state = changes(self.workspace) if changes else None
        tag = f'"{self.tag(question, state)}"'
        headers = {"ETag": f"W/{tag}", "Cache-Control": "no-cache", "Vary": "Cookie, HX-Request"}
        if tag in request.headers.get("if-none-match", "").replace("W/", "").split(", "):
            return said(request, Response(status_code=304, headers=headers))
        body = self.body(question, choice, make, own, template, state)
        media = "application/json" if template is None else "text/html; charset=utf-8"
        return said(request, Response(body, media_type=media, headers=headers))

    def body(
        self,
        question: Question,
        choice: Asked,
        make: Callable[..., Any],
        own: dict[str, Any],
        template: str | None,
        state: Any = None,
    ) -> bytes:
        """What answers a question, kept until the workspace or the page's `state` changes."""
        tag = self.tag(question, state)
        found = self._kept.get(tag)
        if found is not None:
            return found
        with self.locks[make.__module__.split(".")[1]]:
            found = self._kept.get(tag)
            if found is not None:
                return found
            view = View(self, choice, question.lang, question.path, dict(question.query))
            data = self.data(question, view, make, own, state)
            if template is None:
                made = document(data)
            else:
                filled = environment(view.lang).get_template(template)
                made = filled.render(
                    page=data, view=view, site=self, partial=question.partial, build=self.build
                ).encode()
            _keep(self._kept, tag, made, KEPT_PAGES)
        return made

    def data(
        self, question: Question, view: View, make: Callable[..., Any], own: dict[str, Any], state: Any = None
    ) -> Any:
        """What a page function gives: the same for both languages and both faces, so kept for a while."""
        key = (make.__module__, make.__name__, question.query, sorted(own.items(), key=str), state)
        return self.kept(key, lambda: make(view, **own))

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """`make()`, kept for a while under `key` and the workspace's version."""
        self._forget()
        name = repr((self.workspace.version(), key))
        found = self._data.get(name)
        if found is None:
            found = make()
            _keep(self._data, name, found, KEPT_DATA)
        return found

    def _forget(self) -> None:
        """Drop what was kept of an older version: nobody can ask for it again."""
        version = self.workspace.version()
        if version != self._version:
            self._version = version
            self._data.clear()
            self._kept.clear()


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)


def page(
    router: APIRouter, path: str, template: str, changes: Changes | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register ``make(view, ...)`` at `path`, and its JSON twin at ``PATH.json`` (that of ``/`` is ``/index.json``)."""

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        asked_of = list(inspect.signature(make, eval_str=True).parameters.values())[1:]
        own = [p.replace(kind=p.KEYWORD_ONLY) for p in asked_of]
        twin = "/index.json" if path == "/" else f"{path}.json"
        for address, chosen in ((twin, None), (path, template)):
            endpoint = _endpoint(make, chosen, changes)
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


def _endpoint(make: Callable[..., Any], template: str | None, changes: Changes | None) -> Callable[..., Response]:
    def endpoint(request: Request, choice: Asked, **own: Any) -> Response:
        site: Site = request.app.state.site
        return site.answer(request, choice, make, own, template, changes)

    return endpoint


def room_router(room: str) -> APIRouter:
    """The pages that a room declares (``pages`` in its ``routes.py``); its templates are ``ROOM/templates/*.html``."""
    router = APIRouter(tags=[room])
    for one in getattr(room_routes()[room], "pages", ()):
        page(router, one.path, f"{room}/{one.template}", one.changes)(one.make)
    return router


def prepare_rooms(site: Site) -> None:
    """Make the first page of every room (those of the navigation) and the pages it lists in `prepared`, then those of
    `prepared_by_place` for every area of the city, so that nobody waits for what takes long."""
    rooms = room_routes()
    for room, routes in rooms.items():
        first = {*(entry.path for entry in getattr(routes, "nav", ())), *getattr(routes, "prepared", ())}
        for one in getattr(routes, "pages", ()):
            if one.path in first:
                _prepare(site, room, one, "admin", {})
    plain = View(site, Asked(), "zh", "/", {})
    for room, routes in rooms.items():
        for one in getattr(routes, "pages", ()):
            if one.path in getattr(routes, "prepared_by_place", ()):
                for tree in plain.trees:
                    for place in plain.codes.places.children(plain.city, tree):
                        _prepare(site, room, one, tree, {"place": place})


def _prepare(site: Site, room: str, one: Page, tree: Tree, given: dict[str, str]) -> None:
    chosen = inspect.signature(one.make, eval_str=True).parameters.values()
    own = {name.name: name.default for name in list(chosen)[1:]} | given
    state = one.changes(site.workspace) if one.changes else None
    query = (*given.items(), *([] if tree == "admin" else [("tree", tree)]))
    # What a workspace has no data for is said to the reader who asks.
    with contextlib.suppress(Refused, NoSuch):
        site.body(Question(one.path, query, "zh"), Asked(tree=tree), one.make, own, f"{room}/{one.template}", state)


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
def _build() -> str:
    """A fingerprint of the program: templates, styles, scripts, texts and modules, of the shell and of every room."""
    program = HERE.parent
    files = [path for path in sorted(program.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    stamp = hashlib.sha256()
    for path in files:
        stamp.update(f"{path.relative_to(program)} {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
    return stamp.hexdigest()[:12]
