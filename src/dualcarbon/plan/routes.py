"""The pages of plans, entry and review over HTTP, and what is read; what is told is in `feeding.telling_routes`."""

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from dualcarbon.core.faces import Nav, NoSuch, Page, View, page
from dualcarbon.ledger import naming
from dualcarbon.plan.assessing import board_routes, dual_routes, score_routes
from dualcarbon.plan.feeding import telling_routes
from dualcarbon.plan.feeding.telling_routes import answer, workspace_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

own = APIRouter(prefix="/plan", tags=["plan"])
pages: list[Page] = [*board_routes.pages, *dual_routes.pages, *score_routes.pages]
nav: list[Nav] = list(board_routes.nav) or [Nav("/plan/entry", "计划")]

Plan = Annotated[str | None, Query(max_length=60, description="the plan, for example 330400-2024")]
Month = Annotated[int | None, Query(ge=1, le=12, description="the month")]
Day = Annotated[date | None, Query(description="as known on that day")]
Line = Annotated[str, Query(max_length=12)]


def _names(pack: str) -> dict[str, dict[str, str]]:
    departments = {"zh": "计划佐证 · 各部门", "en": "evidence of plans · departments"}
    return {"plan.evidence": {"zh": "计划佐证", "en": "evidence of plans"}, "plan.evidence:departments": departments}


naming.say("plan", _names)


def _changes(workspace: Any) -> str:
    from dualcarbon.plan import reads

    return f"{reads.last_change(workspace)} {date.today()}"


def _empty(plan: str | None, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` shows; nothing where the workspace has no plan and none was asked for."""
    try:
        return make()
    except NoSuch:
        if plan:
            raise
        return {"head": None}


def _file(content: bytes, name: str, media: str = XLSX) -> Response:
    shown = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=media, headers={"Content-Disposition": shown})


@page(pages, "/plan/entry", "entry.html", changes=_changes)
def entry(view: View, plan: Plan = None, month: Month = None) -> dict[str, Any]:
    """Every department with what it told for a month."""
    from dualcarbon.plan.feeding import entry_pages

    return _empty(plan, lambda: entry_pages.overview(view.workspace, plan, month, view.known_at))


@page(pages, "/plan/entry/{department}", "entry_department.html", changes=_changes)
def department(view: View, department: str, plan: Plan = None, month: Month = None) -> dict[str, Any]:
    """The form of one department for a month."""
    from dualcarbon.plan.feeding import entry_pages

    return entry_pages.department(view.workspace, department, plan, month)


@page(pages, "/plan/plans", "plans.html", changes=_changes)
def plans(view: View) -> dict[str, Any]:
    """The plans of the workspace, by city and year, and a way to read another one."""
    from dualcarbon.plan.feeding import document_pages

    return document_pages.plans(view.workspace, view.known_at)


@page(pages, "/plan/document", "document.html", changes=_changes)
def document_(view: View, plan: Plan = None) -> dict[str, Any]:
    """What a plan says, and what its check against itself found."""
    from dualcarbon.plan.feeding import document_pages

    return _empty(plan, lambda: document_pages.text(view.workspace, plan, view.known_at))


@page(pages, "/plan/task/{line}", "task.html", changes=_changes)
def task(view: View, line: str, plan: Plan = None) -> dict[str, Any]:
    """One task or policy document: text, figures, every report, evidence, confirmation."""
    from dualcarbon.plan.feeding import document_pages

    return document_pages.task(view.workspace, line, plan, view.known_at)


@page(pages, "/plan/review", "review.html", changes=_changes)
def review(view: View, plan: Plan = None) -> dict[str, Any]:
    """The reports that wait for a reviewer."""
    from dualcarbon.plan.feeding import entry_pages

    return _empty(plan, lambda: entry_pages.review(view.workspace, plan, view.known_at))


@page(pages, "/plan/indicator/{line}", "indicator.html", changes=_changes)
def indicator(view: View, line: str, plan: Plan = None) -> dict[str, Any]:
    """One indicator: standing, path, every report, evidence, confirmations."""
    from dualcarbon.plan.feeding import entry_pages

    return entry_pages.indicator(view.workspace, line, plan, view.known_at)


@own.get("/status.json", summary="How every line of a plan stands")
def status(request: Request, plan: Plan = None, as_of: Day = None) -> Response:
    from dualcarbon.plan import follow, store

    head = store.document(workspace_of(request), plan, as_of)
    indicators = follow.status(workspace_of(request), head, as_of)
    tasks = follow.task_status(workspace_of(request), head, as_of)
    return answer({"plan": head["plan"], "indicators": indicators, "tasks": tasks})


@own.get("/reports.json", summary="Reports of a plan, oldest first, by pages of `limit`")
def reports(
    request: Request, plan: Plan = None, as_of: Day = None, after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200, line: Annotated[str | None, Query(max_length=12)] = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan import reads

    rows = [
        row
        for row in reads.report_rows(workspace_of(request), plan, as_of)
        if row["number"] > after and line in (None, row["line"])
    ]
    more = rows[limit - 1]["number"] if len(rows) > limit else None
    return answer({"reports": rows[:limit], "next": more})


@own.get("/figures.json", summary="What the platform computes for a plan's lines, and what is missing")
def figures(request: Request, plan: Plan = None, month: Month = None, as_of: Day = None) -> Response:
    from dualcarbon.plan.feeding import feeds

    workspace = workspace_of(request)
    found = {"figures": feeds.figures(workspace, plan, month or 12, as_of)}
    found["sources"] = feeds.sources(workspace, plan, as_of)
    return answer(found)


@own.get("/form.xlsx", summary="The form of a department for a month")
def template(
    request: Request, department: Annotated[str, Query(max_length=60)], plan: Plan = None, month: Month = None
) -> Response:
    from dualcarbon.plan.feeding import form

    with tempfile.TemporaryDirectory() as folder:
        made = form.write(workspace_of(request), plan, department, Path(folder) / "form.xlsx", month)
        content = Path(made["file"]).read_bytes()
    return _file(content, f"{made['plan']}-{made['department']}-{made['month']:02d}.xlsx")


@own.get("/indicator.xlsx", summary="One indicator as Excel")
def indicator_table(request: Request, line: Line, plan: Plan = None, known_at: Day = None) -> Response:
    from dualcarbon.plan.feeding import entry_pages

    return _file(entry_pages.workbook(workspace_of(request), line, plan, known_at), f"{plan or 'plan'}-{line}.xlsx")


@own.get("/evidence/{number}", summary="An evidence file, checked against its hash")
def evidence_file(request: Request, number: int, plan: Plan = None) -> Response:
    from dualcarbon.plan.feeding import proofs

    row = proofs.opened(workspace_of(request), plan, number)
    return FileResponse(row["path"], media_type="application/octet-stream", filename=row["name"])


router = APIRouter()
router.include_router(own)
for _one in (telling_routes, board_routes, dual_routes, score_routes):
    router.include_router(_one.router)
