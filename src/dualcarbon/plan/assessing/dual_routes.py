"""The page of the dual targets, its form of figures handed down, and what is told through it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from dualcarbon.core.faces import NoSuch, Page, View, page
from dualcarbon.core.uploads import received
from dualcarbon.plan.assessing.board_routes import MEDIA, Key, Plan, changed, known_board, named, once

router = APIRouter(prefix="/plan", tags=["plan"])
pages: list[Page] = []
MOST = 5 * 1024 * 1024


@page(pages, "/plan/dual", "dual.html", changes=changed)
def dual(view: View, plan: Plan = None) -> dict[str, Any]:
    """Energy and carbon intensity: fall, targets, years, views after deductions, certificates, and what is missing."""
    from dualcarbon.plan.assessing import score_scheme
    from dualcarbon.plan.store import document

    found = known_board(view, plan)
    if found is None:
        return {"board": None}
    head = document(view.workspace, named(found))
    return {
        "board": found,
        "incentives": score_scheme.incentives(view.workspace, head, view.known_at),
        "told": _told_otherwise(view, head, found),
    }


def _told_otherwise(view: View, head: Mapping[str, Any], found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The indicators that the fall of energy or carbon feeds, where their lead unit told another figure."""
    from dualcarbon.plan import shipping
    from dualcarbon.plan.feeding import feeds

    rows, lines = [], {row["line"]: row for row in found["indicators"]}
    for feed in feeds.settings(*shipping.of(view.workspace, head))["feeds"]:
        row = lines.get(feed["line"])
        kind = next((one for one in ("energy", "carbon") if found["dual"][one]["basis"] == feed.get("account")), None)
        if feed["use"] != "report" or kind is None or row is None or row["actual"] is None:
            continue
        fall = found["dual"][kind]["fall"]
        if fall is not None and abs(100 * fall - row["actual"]) >= 0.01:
            rows.append(row)
    return rows


@router.get("/dual/figures.{kind}", response_class=Response)
def figures_form(request: Request, kind: str, plan: Plan = None) -> Response:
    """The form of the figures that no account holds (xlsx, csv), with what is known."""
    from dualcarbon.plan.assessing import handed

    if kind not in ("xlsx", "csv"):
        raise NoSuch("file", f"figures.{kind}")
    workspace = request.app.state.site.workspace
    found = _dual(workspace, plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"figures.{kind}"
        handed.template(workspace, found["place"], found["five_year"], found["year"], path)
        content = path.read_bytes()
    media = MEDIA["xlsx"] if kind == "xlsx" else "text/csv; charset=utf-8"
    shown = f"attachment; filename*=UTF-8''{found['place']}-dual-{found['year']}.{kind}"
    return Response(content, media_type=media, headers={"Content-Disposition": shown})


def _dual(workspace: Any, plan: str | None) -> dict[str, Any]:
    from dualcarbon.plan.assessing import dual as duals

    return duals.dual(workspace, plan)


@router.post("/dual/file", status_code=201)
def figures_file(
    request: Request,
    file: Annotated[UploadFile, File()],
    person: Annotated[str, Form(max_length=80)] = "",
    plan: Annotated[str | None, Form(max_length=40)] = None,
    back: Annotated[str | None, Form(max_length=10)] = None,
) -> Any:
    """Import the filled form, whole or not at all; a page's form gets the page again."""
    from dualcarbon.plan.assessing import handed

    workspace = request.app.state.site.workspace
    with received(file.file, file.filename, MOST) as path:
        name, rows = path.name, handed.read_file(path)
    made = handed.tell(workspace, _dual(workspace, plan or None)["place"], rows, person=person or None, file=name)
    if back != "page":
        return made
    told = {"plan": plan or "", "kept": len(made["told"]), "same": made["unchanged"]}
    return RedirectResponse(f"/plan/dual?{urlencode(told)}", 303)


@router.post("/dual/figures", status_code=201)
def figures(
    request: Request, rows: Annotated[list[dict[str, Any]], Body()], plan: Plan = None, key: Key = None
) -> dict[str, Any]:
    """Tell figures: `[{name, period, value, source, status?, unit?, price_year?}]`, all or none."""
    from dualcarbon.plan.assessing import handed

    workspace = request.app.state.site.workspace
    place = _dual(workspace, plan)["place"]
    return once(request, key, [rows, plan], lambda: handed.tell(workspace, place, rows))
