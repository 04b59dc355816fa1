"""Pages and files of assessment: the leader's board, indicators, warnings, scores, effect, Gantt, departments."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Form, Header, Query, Request
from fastapi.responses import RedirectResponse, Response

from dualcarbon.core.faces import Nav, NoSuch, Page, View, page
from dualcarbon.core.problems import Problem, Refused

router = APIRouter(prefix="/plan", tags=["plan"])
pages: list[Page] = []
nav = [Nav("/plan", "计划")]

MEDIA = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ics": "text/calendar; charset=utf-8",
}
Plan = Annotated[str | None, Query(max_length=40, description="plan, such as 330400-2024")]
Day = Annotated[date | None, Query(description="with what had arrived by that day")]
Lang = Annotated[str, Query(pattern="^(zh|en)$")]
Text = Annotated[str | None, Query(max_length=80)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=128)]


def once(request: Request, key: str | None, content: Any, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do `work` once for a client's key: the same key with the same content answers again."""
    from dualcarbon.plan import store

    said = json.dumps([request.url.path, content], default=str, ensure_ascii=False, sort_keys=True)
    return store.once(request.app.state.site.workspace, key, hashlib.sha256(said.encode()).hexdigest(), work)


def changed(workspace: Any) -> str:
    """A text that differs whenever a board may."""
    from dualcarbon.plan.assessing import board

    return board.changes(workspace)


def kept_board(workspace: Any, plan: str | None, as_of: date | None) -> dict[str, Any]:
    """The board of a plan, kept while nothing changes: several pages show parts of it."""
    from dualcarbon.plan.assessing import board

    key = (str(workspace.path), workspace.version(), board.changes(workspace), plan, as_of)
    if key not in _kept:
        if len(_kept) >= KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = board.board(workspace, plan, as_of)
    return _kept[key]


KEPT = 4
_kept: dict[tuple[Any, ...], dict[str, Any]] = {}


def known_board(view: View, plan: str | None) -> dict[str, Any] | None:
    """The board, or None when the workspace holds no plan."""
    try:
        return kept_board(view.workspace, plan, view.known_at)
    except NoSuch:
        if plan:
            raise
        return None


def named(found: Mapping[str, Any]) -> str:
    """The plan and version of a board, so that what stands beside it is of the same version."""
    return f"{found['plan']}@{found['version']}"


@page(pages, "/plan", "board.html", changes=changed)
def board(view: View, plan: Plan = None) -> dict[str, Any]:
    """The leader's board: states by department and domain, warnings, dual targets, effect, projects, areas."""
    from dualcarbon.plan import reads

    found = known_board(view, plan)
    return {"board": found, "plans": reads.plans(view.workspace)}


@page(pages, "/plan/indicators", "indicators.html", changes=changed)
def indicators(view: View, plan: Plan = None, department: Text = None, state: Text = None) -> dict[str, Any]:
    """Every indicator: target, actual, what is due, forecast with its interval, state and why."""
    found = known_board(view, plan)
    rows = found["indicators"] if found else []
    if department:
        rows = [row for row in rows if department in row["lead"]]
    if state:
        rows = [row for row in rows if row["state"] == state]
    return {"board": found, "rows": rows, "department": department, "state": state}


@page(pages, "/plan/warnings", "warnings.html", changes=changed)
def warned(view: View, plan: Plan = None) -> dict[str, Any]:
    """Every warning with its reason, what is asked, and what was done about it."""
    return {"board": known_board(view, plan)}


@page(pages, "/plan/effect", "effect.html", changes=changed)
def effect(view: View, plan: Plan = None) -> dict[str, Any]:
    """What the plan avoids: measures ranked by what each adds, overlaps counted once, against what is needed."""
    from dualcarbon.plan.assessing.effect import TREATMENTS

    return {"board": known_board(view, plan), "treatments": TREATMENTS}


@page(pages, "/plan/effect/{measure}", "opened.html", changes=changed)
def opened(view: View, measure: str, plan: Plan = None, output: Text = None, reached: bool = False) -> dict[str, Any]:
    """A measure's figure opened: equation with its numbers, factors with source and status, the plan's row.

    `output`: another output of its method, such as `displaced`; `basis` in an address is the account that pages show.
    """
    from dualcarbon.plan import shipping
    from dualcarbon.plan.assessing import board as boards
    from dualcarbon.plan.assessing import effect as effects
    from dualcarbon.plan.store import document

    head = document(view.workspace, plan, view.known_at)
    pack, year = shipping.of(view.workspace, head)
    quantities = None
    if reached:
        rows = kept_board(view.workspace, plan, view.known_at)["effect"]["reached"]["rows"]
        quantities = {row["id"]: row["quantity"] for row in rows if row["quantity"] is not None}
    told = boards.plan_facts(view.workspace, head)
    try:
        node = effects.opened(measure, pack, year, plan=told, quantities=quantities, basis=output)
    except Refused as refused:
        if [one.rule for one in refused.problems] == ["plan.no-measure"]:
            raise NoSuch("measure", measure) from refused
        raise
    return {"question": {"item": node["item"], "place": head["place"], "period": str(head["year"])}, **node}


@page(pages, "/plan/gantt", "gantt.html", changes=changed)
def gantt(view: View, plan: Plan = None) -> dict[str, Any]:
    """Tasks and policy documents along the year, with what was told of each."""
    from dualcarbon.plan.assessing import schedule

    found = known_board(view, plan)
    return {"board": found, "gantt": schedule.gantt(view.workspace, named(found), view.known_at) if found else None}


@page(pages, "/plan/department/{name}", "department_sheet.html", changes=changed)
def department(view: View, name: str, plan: Plan = None) -> dict[str, Any]:
    """A department's sheet: its indicators, tasks, documents, warnings, score with its arithmetic, due dates."""
    from dualcarbon.plan.assessing import board as boards
    from dualcarbon.plan.assessing import schedule

    found = kept_board(view.workspace, plan, view.known_at)
    own = boards.department(view.workspace, name, named(found), view.known_at, whole=found)
    return own | {"dues": schedule.dues(view.workspace, named(found), own["name"], view.known_at)}


@router.get("/files/{name}.{kind}", response_class=Response)
def files(
    request: Request,
    name: str,
    kind: str,
    plan: Plan = None,
    department: Text = None,
    known_at: Day = None,
    lang: Lang = "zh",
) -> Response:
    """A document of assessment: `bulletin`, `self-assessment`, `department` (docx, pdf), `tables` (xlsx), `calendar`
    (ics); `department` and `calendar` take the department's name."""
    from dualcarbon.plan.assessing import documents

    workspace = request.app.state.site.workspace
    if kind not in documents.KINDS.get(name, ()):
        raise NoSuch("file", f"{name}.{kind}")
    if name == "department" and not department:
        raise Refused(Problem("plan.no-subject", column="department"))
    found = None if name == "calendar" else kept_board(workspace, plan, known_at)
    content = documents.content(
        workspace, name, kind, plan=plan, department=department, as_of=known_at, lang=lang, board=found
    )
    title = quote(documents.title(workspace, name, plan, department, known_at))
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{title}.{kind}"}
    return Response(content, media_type=MEDIA[kind], headers=headers)


@router.post("/warnings", status_code=201)
def answer(
    request: Request,
    warning: Annotated[str, Form(max_length=80)],
    action: Annotated[str, Form(max_length=20)],
    text: Annotated[str, Form(max_length=2000)] = "",
    person: Annotated[str, Form(max_length=80)] = "",
    department: Annotated[str, Form(max_length=80)] = "",
    plan: Annotated[str | None, Form(max_length=40)] = None,
    back: Annotated[str, Form(max_length=200)] = "",
    key: Key = None,
) -> Any:
    """Keep what was done about a warning: acknowledge, follow-up, close, reopen. A page's form gets the page again."""
    from dualcarbon.plan.assessing import warnings

    workspace = request.app.state.site.workspace
    said: dict[str, Any] = {"text": text or None, "department": department or None, "person": person or None}
    done = once(
        request, key, [warning, action, said, plan],
        lambda: warnings.answer(workspace, warning, action, plan=plan or None, **said),
    )  # fmt: skip
    if re.fullmatch(r"/plan[\w/?=&.%-]*", back):
        return RedirectResponse(back, status_code=303)
    return done


@router.post("/projects/{project}", status_code=201)
def project(request: Request, project: str, told: Annotated[dict[str, Any], Body()], key: Key = None) -> dict[str, Any]:
    """Keep the terms of a major project, or (with `month`) how it stands; fields as `projects.tell` names them."""
    from dualcarbon.plan.assessing import projects

    known = {*projects.TERMS, *projects.PROGRESS, "month", "plan", "reason", "person", "by"}
    if set(told) - known:
        raise Refused(
            [Problem("plan.bad-project", column=name, value=told[name]) for name in sorted(set(told) - known)]
        )
    workspace = request.app.state.site.workspace
    return once(request, key, told, lambda: projects.tell(workspace, project, **told))
