"""The quick-calc over HTTP: this month, what moved it, why it changed, the yearly analysis. Nothing is stored."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

router = APIRouter(prefix="/nowcast", tags=["nowcast"])

MEDIA = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}
Place = Annotated[str, Query(description="place, code or name")]
Day = Annotated[date | None, Query(description="with what was known on that day")]
Month = Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="YYYY-MM")]
Tree = Annotated[str, Query(pattern="^(admin|management)$")]


def _answer(made: Any) -> Response:
    import json

    from dualcarbon.core.console import plain

    text = json.dumps(plain(made), ensure_ascii=False, allow_nan=False)
    return Response(text, media_type="application/json")


def _first(month: str | None) -> date | None:
    return date.fromisoformat(f"{month}-01") if month else None


@router.get("/run.json", summary="This month's CO2, counted where reported and estimated where not")
def run(
    request: Request, place: Place = "330400", month: Month = None, as_of: Day = None, tree: Tree = "admin",
    by: Annotated[list[str] | None, Query(description="place, sector, domain")] = None,
) -> Response:  # fmt: skip
    from dualcarbon import nowcast

    made = nowcast.run(
        request.app.state.site.workspace, as_of=as_of, month=_first(month), place=place, tree=tree,
        by=by or ["place"], keep=False,
    )  # fmt: skip
    return _answer(made)


@router.get("/news.json", summary="Which arrivals between two days moved the estimate")
def news(
    request: Request, before: date, after: Day = None, place: Place = "330400", month: Month = None,
    tree: Tree = "admin",
) -> Response:  # fmt: skip
    from dualcarbon import nowcast

    workspace = request.app.state.site.workspace
    return _answer(nowcast.news(workspace, before=before, after=after, month=_first(month), place=place, tree=tree))


@router.get("/explain.json", summary="Why CO2 changed between two periods (additive LMDI)")
def explain(
    request: Request, place: Place = "330400", period: str | None = None, against: str | None = None,
    as_of: Day = None, tree: Tree = "admin",
) -> Response:  # fmt: skip
    from dualcarbon import nowcast

    workspace = request.app.state.site.workspace
    return _answer(nowcast.explain(workspace, place=place, period=period, against=against, as_of=as_of, tree=tree))


@router.get("/situation.json", summary="The yearly analysis of the carbon situation")
def situation(
    request: Request, year: int, place: Place = "330400", as_of: Day = None, tree: Tree = "admin"
) -> Response:
    from dualcarbon import nowcast

    workspace = request.app.state.site.workspace
    return _answer(nowcast.analyse(workspace, year=year, place=place, as_of=as_of, tree=tree))


@router.get("/situation.{kind}", summary="The yearly analysis as a Word or PDF file", response_class=Response)
def report(
    request: Request, kind: Annotated[str, Path(pattern="^(docx|pdf)$")], year: int, place: Place = "330400",
    as_of: Day = None, tree: Tree = "admin", lang: Annotated[str, Query(pattern="^(zh|en)$")] = "zh",
) -> Response:  # fmt: skip
    import tempfile
    from pathlib import Path as File

    from dualcarbon import nowcast
    from dualcarbon.nowcast import telling

    made = nowcast.analyse(request.app.state.site.workspace, year=year, place=place, as_of=as_of, tree=tree)
    with tempfile.TemporaryDirectory() as folder:
        content = telling.write(made, File(folder) / f"situation.{kind}", lang).read_bytes()
    name = f'attachment; filename="situation-{made["place"]}-{year}.{kind}"'
    return Response(content, media_type=MEDIA[kind], headers={"Content-Disposition": name})
