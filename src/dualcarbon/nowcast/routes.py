"""The quick-calc over HTTP: pages, this month, what moved it, why it changed, the yearly analysis."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from dualcarbon.core.faces import FIRST_DAY, LAST_DAY, Nav, NoSuch, Page, View, page
from dualcarbon.nowcast import file_routes
from dualcarbon.nowcast.usual import FAMILY

router = APIRouter(prefix="/nowcast", tags=["nowcast"])
router.include_router(file_routes.router)

MEDIA = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
Place = Annotated[str | None, Query(description="place, code or name (default: that of the pack)")]
SomeDay = Annotated[date, Query(ge=FIRST_DAY, le=LAST_DAY)]
Day = Annotated[date | None, Query(ge=FIRST_DAY, le=LAST_DAY, description="with what was known on that day")]
Month = Annotated[str | None, Query(pattern=r"^(199\d|20\d\d|2100)-(0[1-9]|1[0-2])$", description="YYYY-MM")]
Text = Annotated[str | None, Query(max_length=80)]
Tree = Annotated[str, Query(pattern="^(admin|management)$")]
Language = Annotated[str, Query(pattern="^(zh|en)$")]
File = Annotated[str, Path(pattern="^(docx|pdf)$")]
Family = Annotated[str, Query(max_length=80, description="family of factors")]
Year = Annotated[int | None, Query(ge=1990, le=2100)]
Late = Annotated[int | None, Query(ge=1, le=24, description="months that data were late")]


def _named(as_of: Day = None, known_at: Day = None) -> date | None:
    return as_of or known_at


#: The day of an address that is no page, by either of the names that pages understand.
AsOf = Annotated[date | None, Depends(_named)]

pages: list[Page] = []
nav = [Nav("/nowcast", "速算")]
#: Pages that take long and are made when the server starts.
prepared = ["/nowcast/record", "/nowcast/situation"]
#: And for every area of the city (their parameter `place`), after those.
prepared_by_place = ["/nowcast"]


@page(pages, "/nowcast", "board.html")
def board(view: View, place: Place = None, as_of: Day = None, family: Family = FAMILY) -> dict[str, Any]:
    """This month's CO2 with its interval, the months around it, the year's path, areas, sectors, causes, flags."""
    from dualcarbon.nowcast import board as boards
    from dualcarbon.nowcast import kept

    day = as_of or view.known_at
    asked: dict[str, Any] = {"place": _known(view, place), "as_of": day, "tree": view.tree, "family": family}
    made = kept.once(view.workspace, "board", asked, lambda: boards.board(view.workspace, **asked))
    known = ((row["sector"], view.codes.sectors.row(row["sector"]) or {}) for row in made["sectors"] if row["sector"])
    households = [code for code, row in known if row.get("level") == "household"]
    return {**made, "households": households, "brief": _brief(view.workspace, made["month"], **asked)}


@page(pages, "/nowcast/month", "month.html")
def month_told(
    view: View, month: Month = None, place: Place = None, as_of: Day = None, family: Family = FAMILY
) -> dict[str, Any]:
    """The brief of a month (default: the last): level, growth, the year so far, who and what moved it, how far to trust
    it; `paragraphs` in Chinese and English, with the question that opens each number."""
    day = as_of or view.known_at
    return _month(view.workspace, month, place=_known(view, place), as_of=day, tree=view.tree, family=family)


@page(pages, "/nowcast/situation", "situation.html")
def situation(
    view: View, year: Year = None, place: Place = None, as_of: Day = None,
    family: Family = FAMILY,
) -> dict[str, Any]:  # fmt: skip
    """The yearly analysis of the carbon situation (default: the last year), each number with what opens it."""
    day = as_of or view.known_at
    return _year(view.workspace, year, place=_known(view, place), as_of=day, tree=view.tree, family=family)


def _month(workspace: Any, month: str | None, **asked: Any) -> dict[str, Any]:
    from dualcarbon import nowcast
    from dualcarbon.nowcast import kept

    question = {"month": month, **asked}
    return dict(kept.once(workspace, "month", question, lambda: nowcast.monthly(workspace, **question)))


def _year(workspace: Any, year: int | None, **asked: Any) -> dict[str, Any]:
    from dualcarbon import nowcast
    from dualcarbon.nowcast import kept

    question = {"year": year, **asked}
    return dict(kept.once(workspace, "situation", question, lambda: nowcast.analyse(workspace, **question)))


def _brief(workspace: Any, month: str, **asked: Any) -> dict[str, Any] | None:
    """The brief of the month that the board shows; None where the month cannot be told."""
    from dualcarbon.core.problems import Refused

    try:
        made = _month(workspace, month, **asked)
    except Refused:
        return None
    return {name: made[name] for name in ("month", "paragraphs", "status", "as_of", "synthetic")}


@page(pages, "/nowcast/trust", "trust.html")
def trust(view: View, place: Place = None, as_of: Day = None, family: Family = FAMILY) -> dict[str, Any]:
    """How far the estimate can be relied on: error against the last value, coverage, sectors where nothing beats it."""
    return _replayed(view.workspace, _known(view, place), as_of or view.known_at, view.tree, family)


@page(pages, "/nowcast/record", "record.html")
def record(
    view: View,
    place: Place = None,
    months: Annotated[int, Query(ge=1, le=24)] = 6,
    as_of: Day = None,
    family: Family = FAMILY,
) -> dict[str, Any]:
    """How good the estimates have been: replay against the last value, coverage, revisions, the latest news."""
    return _record(view.workspace, _known(view, place), as_of or view.known_at, view.tree, family, months)


def _replayed(workspace: Any, place: str | None, as_of: date | None, tree: str, family: str) -> dict[str, Any]:
    from dualcarbon.nowcast import board as boards
    from dualcarbon.nowcast import kept

    asked: dict[str, Any] = {"place": place, "as_of": as_of, "tree": tree, "family": family}
    return dict(kept.once(workspace, "replay", asked, lambda: boards.replayed(workspace, **asked)))


def _changed(
    workspace: Any, place: str | None, as_of: date | None, tree: str, family: str, months: int
) -> dict[str, Any]:
    from dualcarbon.nowcast import board as boards
    from dualcarbon.nowcast import kept

    asked: dict[str, Any] = {"place": place, "as_of": as_of, "tree": tree, "family": family, "since": months}
    return dict(kept.once(workspace, "changed", asked, lambda: boards.changed(workspace, **asked)))


def _record(
    workspace: Any, place: str | None, as_of: date | None, tree: str, family: str, months: int
) -> dict[str, Any]:
    same = workspace, place, as_of, tree, family
    return {**_replayed(*same), **_changed(*same, months)}


@page(pages, "/nowcast/open", "open.html")
def opened(
    view: View, month: Month = None, place: Place = None, sector: Text = None, domain: Text = None,
    part: Annotated[str | None, Query(pattern="^(direct|indirect)$")] = None, as_of: Day = None, city: Text = None,
    run: Text = None, kind: Text = None, period: Text = None, against: Text = None, effect: Text = None,
    before: Day = None, after: Day = None, arrival: Text = None, about: Text = None, family: Text = None,
    state: Annotated[str | None, Query(pattern="^(electricity|nothing|before|after)$")] = None, late: Late = None,
    power_late: Late = None, level: Annotated[str | None, Query(pattern="^total$")] = None,
    reconcile: Annotated[str | None, Query(pattern="^(raking|least_squares|none)$")] = None,
) -> dict[str, Any]:  # fmt: skip
    """A figure opened: what was counted down to its rows, how the rest was estimated, its parts.

    With `kind` a figure derived from months: sum, change, growth, share, pull, progress, intensity, effect, news,
    error, score, target, official, bridge, term, flag, uncertainty.
    """
    from dualcarbon import nowcast
    from dualcarbon.nowcast import kept

    day, code = as_of or view.known_at, _known(view, place)
    chosen = {name: value for name, value in (("family", family), ("reconcile", reconcile)) if value}
    if not kind:
        return nowcast.open_figure(
            view.workspace, month=month, place=code, sector=sector, domain=domain, part=part, as_of=day, tree=view.tree,
            city=city, run=run, **chosen,
        )  # fmt: skip
    asked: dict[str, Any] = {
        "kind": kind, "place": code, "as_of": day, "tree": view.tree, "month": month, "sector": sector,
        "domain": domain, "part": part, "city": city, "period": period, "against": against, "effect": effect,
        "before": before, "after": after, "arrival": arrival, "about": about, "state": state, "late": late,
        "power_late": power_late, "level": level, **chosen,
    }  # fmt: skip
    return dict(kept.once(view.workspace, "opened", asked, lambda: nowcast.open_reason(view.workspace, **asked)))


def _known(view: View, place: str | None) -> str:
    from dualcarbon.nowcast.city import found

    code = found(view.codes, place or view.city)
    if code is None:
        raise NoSuch("place", place or view.city)
    return code


@router.get("/tables.xlsx", summary="The tables of the page as an Excel workbook", response_class=Response)
def tables(
    request: Request, as_of: AsOf, kind: Annotated[str, Query(pattern="^(board|record)$")] = "board",
    place: Place = None, tree: Tree = "admin", lang: Language = "zh", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon.nowcast import board as boards
    from dualcarbon.nowcast import kept, workbook
    from dualcarbon.nowcast.city import located

    workspace = request.app.state.site.workspace
    place = located(workspace, place)
    if kind == "board":
        asked: dict[str, Any] = {"place": place, "as_of": as_of, "tree": tree, "family": family}
        made = kept.once(workspace, kind, asked, lambda: boards.board(workspace, **asked))
    else:
        made = _record(workspace, place, as_of, tree, family, 6)
    name = f'attachment; filename="nowcast-{kind}-{made["place"]}.xlsx"'
    return Response(workbook.content(made, lang), media_type=MEDIA["xlsx"], headers={"Content-Disposition": name})


@router.get("/vintages.json", summary="The revision triangle: each month as estimated on each day of arrival")
def vintages(
    request: Request, as_of: AsOf, place: Place = None, months: Annotated[int, Query(ge=1, le=24)] = 6,
    tree: Tree = "admin", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon.nowcast.city import located

    workspace = request.app.state.site.workspace
    return _answer(_changed(workspace, located(workspace, place), as_of, tree, family, months)["vintages"])


def _answer(made: Any) -> Response:
    import json

    from dualcarbon.core.console import plain

    text = json.dumps(plain(made), ensure_ascii=False, allow_nan=False)
    return Response(text, media_type="application/json")


def _first(month: str | None) -> date | None:
    return date.fromisoformat(f"{month}-01") if month else None


@router.get("/run.json", summary="This month's CO2, counted where reported and estimated where not")
def run(
    request: Request, as_of: AsOf, place: Place = None, month: Month = None, tree: Tree = "admin",
    by: Annotated[list[str] | None, Query(description="place, sector, domain")] = None,
    reconcile: Annotated[str, Query(pattern="^(raking|least_squares|none)$")] = "raking", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon import nowcast

    made = nowcast.run(
        request.app.state.site.workspace, as_of=as_of, month=_first(month), place=place, tree=tree,
        by=by or ["place"], reconcile=reconcile, family=family, keep=False,
    )  # fmt: skip
    return _answer(made)


@router.get("/news.json", summary="Which arrivals between two days moved the estimate")
def news(
    request: Request, before: SomeDay, after: Day = None, place: Place = None, month: Month = None,
    tree: Tree = "admin", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon import nowcast

    asked: dict[str, Any] = {"before": before, "after": after, "month": _first(month), "place": place, "tree": tree}
    return _answer(nowcast.news(request.app.state.site.workspace, **asked, family=family))


@router.get("/explain.json", summary="Why CO2 changed between two periods (additive LMDI)")
def explain(
    request: Request, as_of: AsOf, place: Place = None, period: str | None = None, against: str | None = None,
    tree: Tree = "admin", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon import nowcast

    asked: dict[str, Any] = {"place": place, "period": period, "against": against, "as_of": as_of, "tree": tree}
    return _answer(nowcast.explain(request.app.state.site.workspace, **asked, family=family))


@router.get("/situation.{kind}", summary="The yearly analysis as a Word or PDF file", response_class=Response)
def yearly_file(
    request: Request, kind: File, as_of: AsOf, year: Year = None, place: Place = None, tree: Tree = "admin",
    lang: Language = "zh", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon.nowcast.city import located

    workspace = request.app.state.site.workspace
    made = _year(workspace, year, place=located(workspace, place), as_of=as_of, tree=tree, family=family)
    return _written(made, kind, lang, f"situation-{made['place']}-{made['year']}")


@router.get("/month.{kind}", summary="The brief of a month as a Word or PDF file", response_class=Response)
def monthly_file(
    request: Request, kind: File, as_of: AsOf, month: Month = None, place: Place = None, tree: Tree = "admin",
    lang: Language = "zh", family: Family = FAMILY,
) -> Response:  # fmt: skip
    from dualcarbon.nowcast.city import located

    workspace = request.app.state.site.workspace
    made = _month(workspace, month, place=located(workspace, place), as_of=as_of, tree=tree, family=family)
    return _written(made, kind, lang, f"month-{made['place']}-{made['month']}")


def _written(made: dict[str, Any], kind: str, lang: str, name: str) -> Response:
    """A report as a file of one kind."""
    import tempfile
    from pathlib import Path as Folder

    from dualcarbon.nowcast.told import telling

    with tempfile.TemporaryDirectory() as folder:
        content = telling.write(made, Folder(folder) / f"report.{kind}", lang).read_bytes()
    told = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(content, media_type=MEDIA[kind], headers=told)
