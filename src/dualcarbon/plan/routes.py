"""The plan over HTTP: entry, review, one indicator, forms and files; the board's routes are in `board_routes`."""

import hashlib
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, File, Form, Header, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, RedirectResponse

from dualcarbon.core.faces import Nav, Page, View, page
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.assessing import board_routes, dual_routes, score_routes

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST = 50 * 1024 * 1024

own = APIRouter(prefix="/plan", tags=["plan"])
pages: list[Page] = [*board_routes.pages, *dual_routes.pages, *score_routes.pages]
nav: list[Nav] = list(board_routes.nav) or [Nav("/plan/entry", "计划")]

Plan = Annotated[str | None, Query(max_length=60, description="the plan, for example 330400-2024")]
Month = Annotated[int | None, Query(ge=1, le=12, description="the month")]
Day = Annotated[date | None, Query(description="as known on that day")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=128)]
Line = Annotated[str, Query(max_length=12)]


def _changes(workspace: Any) -> str:
    from dualcarbon.plan import reads

    return f"{reads.last_change(workspace)} {date.today()}"


def _workspace(request: Request) -> Any:
    return request.app.state.site.workspace


def _answer(made: Any, status: int = 200) -> Response:
    from dualcarbon.core.console import plain

    text = json.dumps(plain(made), ensure_ascii=False, allow_nan=False)
    return Response(text, status, media_type="application/json")


def _file(content: bytes, name: str, media: str = XLSX) -> Response:
    shown = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=media, headers={"Content-Disposition": shown})


@page(pages, "/plan/entry", "entry.html", changes=_changes)
def entry(view: View, plan: Plan = None, month: Month = None) -> dict[str, Any]:
    """Every department with what it told for a month."""
    from dualcarbon.plan.feeding import entry_pages

    return entry_pages.overview(view.workspace, plan, month)


@page(pages, "/plan/entry/{department}", "entry_department.html", changes=_changes)
def department(view: View, department: str, plan: Plan = None, month: Month = None) -> dict[str, Any]:
    """The form of one department for a month."""
    from dualcarbon.plan.feeding import entry_pages

    return entry_pages.department(view.workspace, department, plan, month)


@page(pages, "/plan/plans", "plans.html", changes=_changes)
def plans(view: View) -> dict[str, Any]:
    """The plans of the workspace, by city and year, and a way to read another one."""
    from dualcarbon.plan.feeding import document_pages

    return document_pages.plans(view.workspace)


@page(pages, "/plan/document", "document.html", changes=_changes)
def document_(view: View, plan: Plan = None) -> dict[str, Any]:
    """What a plan says, and what its check against itself found."""
    from dualcarbon.plan.feeding import document_pages

    return document_pages.text(view.workspace, plan)


@page(pages, "/plan/task/{line}", "task.html", changes=_changes)
def task(view: View, line: str, plan: Plan = None) -> dict[str, Any]:
    """One task or policy document: text, figures, every report, evidence, confirmation."""
    from dualcarbon.plan.feeding import document_pages

    return document_pages.task(view.workspace, line, plan)


@page(pages, "/plan/review", "review.html", changes=_changes)
def review(view: View, plan: Plan = None) -> dict[str, Any]:
    """The reports that wait for a reviewer."""
    from dualcarbon.plan.feeding import entry_pages

    return entry_pages.review(view.workspace, plan)


@page(pages, "/plan/indicator/{line}", "indicator.html", changes=_changes)
def indicator(view: View, line: str, plan: Plan = None) -> dict[str, Any]:
    """One indicator: standing, path, every report, evidence, confirmations."""
    from dualcarbon.plan.feeding import entry_pages

    return entry_pages.indicator(view.workspace, line, plan)


@own.get("/status.json", summary="How every line of a plan stands")
def status(request: Request, plan: Plan = None, as_of: Day = None) -> Response:
    from dualcarbon.plan import follow, store

    head = store.document(_workspace(request), plan)
    indicators = follow.status(_workspace(request), head, as_of)
    tasks = follow.task_status(_workspace(request), head, as_of)
    return _answer({"plan": head["plan"], "indicators": indicators, "tasks": tasks})


@own.get("/reports.json", summary="Reports of a plan, oldest first, by pages of `limit`")
def reports(
    request: Request, plan: Plan = None, as_of: Day = None, after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200, line: Annotated[str | None, Query(max_length=12)] = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan import reads

    rows = [
        row
        for row in reads.report_rows(_workspace(request), plan, as_of)
        if row["number"] > after and line in (None, row["line"])
    ]
    more = rows[limit - 1]["number"] if len(rows) > limit else None
    return _answer({"reports": rows[:limit], "next": more})


@own.get("/figures.json", summary="What the platform computes for a plan's lines, and what is missing")
def figures(request: Request, plan: Plan = None, month: Month = None, as_of: Day = None) -> Response:
    from dualcarbon.plan.feeding import feeds

    workspace = _workspace(request)
    found = {"figures": feeds.figures(workspace, plan, month or 12, as_of), "sources": feeds.sources(workspace, plan)}
    return _answer(found)


@own.get("/form.xlsx", summary="The form of a department for a month")
def template(
    request: Request, department: Annotated[str, Query(max_length=60)], plan: Plan = None, month: Month = None
) -> Response:
    from dualcarbon.plan.feeding import form

    with tempfile.TemporaryDirectory() as folder:
        made = form.write(_workspace(request), plan, department, Path(folder) / "form.xlsx", month)
        content = Path(made["file"]).read_bytes()
    return _file(content, f"{made['plan']}-{made['department']}-{made['month']:02d}.xlsx")


@own.get("/indicator.xlsx", summary="One indicator as Excel")
def indicator_table(request: Request, line: Line, plan: Plan = None) -> Response:
    from dualcarbon.plan.feeding import entry_pages

    return _file(entry_pages.workbook(_workspace(request), line, plan), f"{plan or 'plan'}-{line}.xlsx")


@own.get("/evidence/{number}", summary="An evidence file, checked against its hash")
def evidence_file(request: Request, number: int, plan: Plan = None) -> Response:
    from dualcarbon.plan.feeding import proofs

    row = proofs.opened(_workspace(request), plan, number)
    return FileResponse(row["path"], media_type="application/octet-stream", filename=row["name"])


def _once(request: Request, key: str | None, content: Any, work: Any) -> Any:
    """Do `work` once for a client's key: the same key with the same content answers again."""
    from dualcarbon.plan.store import once

    said = hashlib.sha256(json.dumps([request.url.path, content], default=str, ensure_ascii=False).encode()).hexdigest()
    return once(_workspace(request), key, said, work)


@own.post("/load.json", status_code=201, summary="Put a plan into the workspace: PACK/YEAR")
def load(request: Request, document: Annotated[str, Body(embed=True, max_length=80)], key: Key = None) -> Response:
    from dualcarbon.plan.feeding.loading import load

    if not _shipped(document):
        raise Refused(Problem("plan.no-shipped-plan", value=document))
    return _answer(_once(request, key, document, lambda: load(_workspace(request), document)), 201)


def _shipped(document: str) -> bool:
    import re

    return re.fullmatch(r"[\w-]+/\d{4}", document) is not None


@own.post("/documents", status_code=201, summary="Put a plan's document into the workspace")
async def document(
    request: Request, file: Annotated[UploadFile, File()], back: Annotated[str | None, Form()] = None, key: Key = None
) -> Response:
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding.loading import load

    content, name = await _read(file)

    def work() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            return load(_workspace(request), path)

    said = hashlib.sha256(content).hexdigest()
    made = await run_in_threadpool(_once, request, key, said, work)
    return _back(f"/plan/document?plan={quote(made['plan'])}") if back == "page" else _answer(made, 201)


async def _read(file: Any) -> tuple[bytes, str]:
    """An uploaded file and its bare name. Raises Refused when it is too large."""
    content = await file.read(MOST + 1)
    name = Path((file.filename or "file").replace("\\", "/")).name or "file"
    if len(content) > MOST:
        raise Refused(Problem("plan.evidence-large", file=name, value=len(content)))
    return content, name


async def _papers(files: Any) -> list[Any]:
    """Uploaded evidence; a field that was left empty holds none. Raises Refused when all together is too much."""
    from dualcarbon.plan.feeding.proofs import Paper

    found = []
    for one in files:
        if one.filename:
            content, name = await _read(one)
            found.append(Paper(name, content))
        if sum(len(paper.content) for paper in found) > 4 * MOST:
            raise Refused(Problem("plan.evidence-large", file=one.filename))
    return found


@own.post("/forms", status_code=201, summary="Import a filled form with its evidence, whole or not at all")
async def forms(
    request: Request, file: Annotated[UploadFile, File()],
    evidence: Annotated[list[UploadFile] | None, File(description="files that the form names, in any order")] = None,
    person: Annotated[str | None, Form(max_length=60)] = None,
    plan: Annotated[str | None, Form(max_length=60)] = None, back: Annotated[str | None, Form()] = None,
    synthetic: Annotated[bool, Form(description="the values are made up for demonstration")] = False, key: Key = None,
) -> Response:  # fmt: skip
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding import form_reading

    content, name = await _read(file)
    papers = await _papers(evidence or ())

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            return form_reading.import_form(
                _workspace(request), path, plan=plan or None, person=person or None, key=key, papers=papers,
                status="synthetic" if synthetic else None,
            )  # fmt: skip

    made = await run_in_threadpool(work)
    if back == "page":
        return _back(_department(made["department"], made["plan"], made["month"]))
    return _answer(made, 201)


def _department(name: str, plan: str, month: int) -> str:
    return f"/plan/entry/{quote(name)}?plan={quote(plan)}&month={month}"


@own.post("/reports.json", status_code=201, summary="Tell figures, progress and lists about a month")
def told(request: Request, body: Annotated[dict[str, Any], Body()], key: Key = None) -> Response:
    from dualcarbon.plan.feeding import entry_forms, telling

    asked = entry_forms.submission(body)
    return _answer(telling.tell(_workspace(request), **asked, key=key, feed="api"), 201)


@own.post("/entry/{department}", include_in_schema=False)
async def entered(request: Request, department: str) -> Response:
    """A department's page form; answers with the page."""
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding import entry_forms

    fields = await request.form(max_fields=4000)
    said = {name: value for name, value in fields.multi_items() if isinstance(value, str) and value.strip()}
    names = {name for name, value in fields.multi_items() if not isinstance(value, str)}
    files = {name: await _papers([one for one in fields.getlist(name) if not isinstance(one, str)]) for name in names}
    made = await run_in_threadpool(entry_forms.enter, _workspace(request), department, said, files)
    return _back(_department(department, made["plan"], made["month"]) + "&kept=1")


@own.post("/reviews.json", status_code=201, summary="Accept or return reports, all or none")
def reviewed(
    request: Request, reports: Annotated[list[int], Body()], decision: Annotated[str, Body()],
    person: Annotated[str | None, Body(max_length=60)] = None, reason: Annotated[str | None, Body()] = None,
    plan: Annotated[str | None, Body(max_length=60)] = None, key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import judging

    said = [reports, decision, person, reason, plan]
    workspace = _workspace(request)
    made = _once(
        request, key, said, lambda: judging.review(workspace, plan, reports, decision, person=person, reason=reason)
    )
    return _answer(made, 201)


@own.post("/review", include_in_schema=False)
async def decided(request: Request) -> Response:
    """The review page's form; answers with the page."""
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding import judging

    fields = await request.form(max_fields=4000)
    numbers = [int(str(value)) for name, value in fields.multi_items() if name == "report" and str(value).isdecimal()]
    said = {name: str(fields.get(name) or "").strip() or None for name in ("decision", "person", "reason", "plan")}
    await run_in_threadpool(
        judging.review, _workspace(request), said["plan"], numbers, said["decision"] or "", person=said["person"],
        reason=said["reason"],
    )  # fmt: skip
    return _back(f"/plan/review?plan={quote(said['plan'] or '')}")


@own.post("/confirmations.json", status_code=201, summary="The lead unit's word that a line is done")
def confirmed(
    request: Request, line: Annotated[str, Body(max_length=12)], department: Annotated[str, Body(max_length=60)],
    action: Annotated[str, Body(pattern="^(confirm|withdraw)$")] = "confirm",
    person: Annotated[str | None, Body(max_length=60)] = None, paper: Annotated[str | None, Body()] = None,
    reason: Annotated[str | None, Body()] = None, plan: Annotated[str | None, Body(max_length=60)] = None,
    key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import judging

    said = {"person": person, "paper": paper, "action": action, "reason": reason}
    workspace = _workspace(request)
    made = _once(
        request, key, [line, department, said, plan],
        lambda: judging.confirm(
            workspace, plan, line, department, person=person, paper=paper, action=action, reason=reason
        ),
    )  # fmt: skip
    return _answer(made, 201)


@own.post("/confirm", include_in_schema=False)
def confirm(
    request: Request, line: Annotated[str, Form()], department: Annotated[str, Form()], plan: Annotated[str, Form()],
    paper: Annotated[str, Form()] = "", person: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """The indicator page's form; answers with the page."""
    from dualcarbon.plan.feeding import judging

    judging.confirm(_workspace(request), plan, line, department, person=person or None, paper=paper or None)
    return _back(f"/plan/{'indicator' if line[:1] == 'I' else 'task'}/{quote(line)}?plan={quote(plan)}")


@own.post("/carry-over", include_in_schema=False)
def carry(request: Request, plan: Annotated[str, Form()], to: Annotated[str, Form()]) -> Response:
    """The form on the page of plans; answers with the later plan."""
    from dualcarbon.plan.feeding import carrying

    carrying.carry_over(_workspace(request), plan, to)
    return _back(f"/plan/document?plan={quote(to)}")


def _back(address: str) -> Response:
    return RedirectResponse(address, 303)


@own.post("/reports/{number}/evidence", status_code=201, summary="Attach a file to a report; its hash is chained")
async def attached(
    request: Request, number: int, file: Annotated[UploadFile, File()],
    person: Annotated[str | None, Form(max_length=60)] = None, plan: Annotated[str | None, Form(max_length=60)] = None,
) -> Response:  # fmt: skip
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding import proofs

    content, name = await _read(file)
    paper = proofs.Paper(name, content)
    made = await run_in_threadpool(
        proofs.attach, _workspace(request), plan or None, number, paper, person=person or None
    )
    return _answer(made, 201)


@own.post("/carry-over.json", status_code=201, summary="Carry unfinished work to a later plan")
def carried(
    request: Request, plan: Annotated[str, Body(max_length=60)], to: Annotated[str, Body(max_length=60)],
    key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import carrying

    workspace = _workspace(request)
    return _answer(_once(request, key, [plan, to], lambda: carrying.carry_over(workspace, plan, to)), 201)


router = APIRouter()
router.include_router(own)
for _one in (board_routes, dual_routes, score_routes):
    router.include_router(_one.router)
