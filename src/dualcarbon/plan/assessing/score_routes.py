"""Pages and files of scores: departments as things stand, score sheets on their way, what-if, steps, forms."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from dualcarbon.core.faces import NoSuch, Page, View, page
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.uploads import received
from dualcarbon.plan.assessing.board_routes import MEDIA, Day, Key, Lang, Plan, Text, changed, known_board, named, once

router = APIRouter(prefix="/plan", tags=["plan"])
pages: list[Page] = []

Value = Annotated[float | None, Query(description="a value to try")]
Weight = Annotated[float | None, Query(ge=0, description="a weight to try")]
STEP = ("action", "subject", "points", "lift", "values", "deductions", "reason", "department", "person", "plan")
MOST = 5 * 1024 * 1024


def _tried(
    scheme: Any, values: Any, told: Any, subject: str | None, item: str | None, value: float | None,
    weight: float | None,
) -> dict[str, Any]:  # fmt: skip
    """What would turn the order, and what one change would move: `{sensitivity, what_if}`."""
    from dualcarbon.plan.assessing import score_changes

    changes: list[dict[str, Any]] = []
    if item and weight is not None:
        changes.append({"item": item, "weight": weight})
    if item and subject and value is not None:
        changes.append({"subject": subject, "item": item, "value": value})
    try:
        moved = score_changes.what_if(scheme, values, changes, told)["moved"] if changes else None
    except KeyError as error:
        raise NoSuch("item", str(error)) from error
    return {"sensitivity": score_changes.sensitivity(scheme, values, told), "what_if": moved}


@page(pages, "/plan/score", "score.html", changes=changed)
def score(
    view: View, plan: Plan = None, forecast: bool | None = None, subject: Text = None, item: Text = None,
    value: Value = None, weight: Weight = None,
) -> dict[str, Any]:  # fmt: skip
    """The departments' score as things stand, with its arithmetic, ties, what would turn the order, and what-if."""
    from dualcarbon.plan import shipping
    from dualcarbon.plan.assessing import board as boards
    from dualcarbon.plan.assessing import score_scheme, score_sheet, score_steps
    from dualcarbon.plan.assessing.score import score as scored
    from dualcarbon.plan.store import document

    found = known_board(view, plan)
    if found is None:
        return {"board": None}
    ahead = forecast if forecast is not None else boards.under_way(found["indicators"])
    head = document(view.workspace, named(found))
    asked = boards.scheme_and_values(view.workspace, head, found["indicators"], view.known_at, forecast=ahead)
    schemes = score_scheme.shipped(*shipping.of(view.workspace, head))
    known = {
        "board": found, "forecast": ahead, "words": score_steps.STATES,
        "sheets": score_sheet.sheets(view.workspace, found["plan"], view.known_at),
        "schemes": [{"id": one["id"], "title": one["title"], "of": one["of"]} for one in schemes],
    }  # fmt: skip
    if asked is None:
        return known | {"sheet": None, "sensitivity": [], "what_if": None}
    scheme, values, told = asked
    tried = _tried(scheme, values, told, subject, item, value, weight)
    return known | {"sheet": scored(scheme, values, told), "scheme": scheme, **tried}


@page(pages, "/plan/score/sheets/{sheet}", "score_sheet.html", changes=changed)
def sheet(
    view: View, sheet: str, subject: Text = None, item: Text = None, value: Value = None, weight: Weight = None
) -> dict[str, Any]:
    """A score sheet on its way: scores with their arithmetic, what-if, the steps taken, the editions frozen."""
    from dualcarbon.plan.assessing import score_sheet, score_steps

    found = score_sheet.read(view.workspace, sheet, view.known_at)
    cells = score_steps.cells(found)
    tried = _tried(found["scheme"], cells, found["deductions"], subject, item, value, weight)
    gathered = [{**one, "name": score_steps.ACTIONS[one["action"]]} for one in score_steps.gathered(found["steps"])]
    words = {"words": score_steps.STATES, "actions": score_steps.ACTIONS}
    return {**found, **tried, **words, "next": score_steps.possible(found), "gathered": gathered}


@router.get("/score/sheets/{sheet}/score.{kind}", response_class=Response)
def sheet_file(request: Request, sheet: str, kind: str, lang: Lang = "zh", known_at: Day = None) -> Response:
    """A score sheet as a document (docx, pdf) or with all its arithmetic (xlsx)."""
    from dualcarbon.plan.assessing import score_document, score_sheet

    if kind not in score_document.KINDS:
        raise NoSuch("file", f"score.{kind}")
    content = score_document.content(score_sheet.read(request.app.state.site.workspace, sheet, known_at), kind, lang)
    shown = f"attachment; filename*=UTF-8''{quote(sheet)}.{kind}"
    return Response(content, media_type=MEDIA[kind], headers={"Content-Disposition": shown})


@router.get("/score/values.{kind}", response_class=Response)
def values_form(request: Request, kind: str, scheme: Text = None, plan: Plan = None) -> Response:
    """The form of a scheme's values (xlsx, csv), one row for each subject and item, to fill and import."""
    from dualcarbon.plan.assessing import score_scheme
    from dualcarbon.plan.store import document

    if kind not in ("xlsx", "csv"):
        raise NoSuch("file", f"values.{kind}")
    workspace = request.app.state.site.workspace
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"values.{kind}"
        score_scheme.values_form(workspace, document(workspace, plan), scheme, path)
        content = path.read_bytes()
    media = MEDIA["xlsx"] if kind == "xlsx" else "text/csv; charset=utf-8"
    shown = f"attachment; filename*=UTF-8''{quote('评分数值-' + (scheme or ''))}.{kind}"
    return Response(content, media_type=media, headers={"Content-Disposition": shown})


@router.post("/score/{sheet}/open", status_code=201)
def open_sheet(
    request: Request,
    sheet: str,
    file: Annotated[UploadFile, File()],
    scheme: Annotated[str, Form(max_length=80)] = "",
    own: Annotated[UploadFile | None, File()] = None,
    person: Annotated[str, Form(max_length=80)] = "",
    plan: Annotated[str | None, Form(max_length=40)] = None,
    name: Annotated[str, Form(max_length=60)] = "",
    back: Annotated[str | None, Form(max_length=10)] = None,
) -> Any:
    """Open a score sheet with a file of values and a scheme: the pack's by its id, or `own`, a file (YAML, Excel).

    A page's form names the sheet in `name`.
    """
    from dualcarbon.plan.assessing import score_scheme, score_sheet
    from dualcarbon.plan.store import document

    workspace, called = request.app.state.site.workspace, name.strip() or sheet
    head = document(workspace, plan or None)
    with ExitStack() as files:
        told = files.enter_context(received(file.file, file.filename, MOST))
        said: str | Path = scheme
        if own is not None and own.filename:
            said = files.enter_context(received(own.file, own.filename, MOST))
        chosen = score_scheme.named(workspace, head, said)
        values = score_scheme.read_values(told, chosen)
    made = score_sheet.start(workspace, called, chosen, values, plan=str(head["plan"]), person=person or None)
    return RedirectResponse(f"/plan/score/sheets/{quote(called)}", 303) if back == "page" else made


@router.post("/score/{sheet}/steps", status_code=201)
def steps(request: Request, sheet: str, step: Annotated[dict[str, Any], Body()], key: Key = None) -> dict[str, Any]:
    """Take a step of a score sheet: `{action, subject?, points?, lift?, values?, deductions?, reason?, department?,
    person?}`; `lift` names items whose veto a review or decision lifts; `open` makes one of the departments' values as
    they stand."""
    from dualcarbon.plan.assessing import board as boards
    from dualcarbon.plan.assessing import score_sheet
    from dualcarbon.plan.store import document

    workspace = request.app.state.site.workspace
    if set(step) - set(STEP) or not isinstance(step.get("action"), str):
        raise Refused(Problem("plan.unknown-field", value=", ".join(sorted(set(step) - set(STEP))) or "action"))
    if step["action"] == "open":
        head = document(workspace, step.get("plan"))
        name = str(head["plan"])
        asked = boards.scheme_and_values(workspace, head)
        if asked is None:
            raise NoSuch("scheme", "department")
        scheme, values, told = asked
        said: dict[str, Any] = {"plan": name, "deductions": told, "person": step.get("person")}
        return once(request, key, step, lambda: score_sheet.start(workspace, sheet, scheme, values, **said))
    action = step.pop("action")
    step.pop("plan", None)
    return once(request, key, [action, step], lambda: score_sheet.step(workspace, sheet, action, **step))


@router.post("/score/{sheet}/step", status_code=303)
def step_form(
    request: Request,
    sheet: str,
    action: Annotated[str, Form(max_length=20)],
    subject: Annotated[str, Form(max_length=80)] = "",
    points: Annotated[str, Form(max_length=4000)] = "",
    lift: Annotated[str, Form(max_length=400)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
    person: Annotated[str, Form(max_length=80)] = "",
) -> RedirectResponse:
    """A step from the sheet's page; `points` has a line `item=points` for each item that is settled or claimed, `lift`
    the items whose veto is lifted."""
    from dualcarbon.plan.assessing import score_sheet, score_steps

    said: dict[str, Any] = {"subject": subject or None, "points": score_steps.points_of(points),
                            "lift": score_steps.items_of(lift), "reason": reason or None}  # fmt: skip
    score_sheet.step(request.app.state.site.workspace, sheet, action, person=person or None, **said)
    return RedirectResponse(f"/plan/score/sheets/{quote(sheet)}", status_code=303)
