"""What is told to a plan over HTTP: documents, forms with evidence, figures, reviews, confirmations, carry-over."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Body, File, Form, Header, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.uploads import received

MOST = 50 * 1024 * 1024

router = APIRouter(prefix="/plan", tags=["plan"])

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=128)]


def workspace_of(request: Request) -> Any:
    """Return the workspace that is served."""
    return request.app.state.site.workspace


def answer(made: Any, status: int = 200) -> Response:
    """Return what was made as JSON."""
    from dualcarbon.core.console import plain

    text = json.dumps(plain(made), ensure_ascii=False, allow_nan=False)
    return Response(text, status, media_type="application/json")


def _once(request: Request, key: str | None, content: Any, work: Any) -> Any:
    """Do `work` once for a client's key: the same key with the same content answers again."""
    from dualcarbon.plan.store import once

    said = hashlib.sha256(json.dumps([request.url.path, content], default=str, ensure_ascii=False).encode()).hexdigest()
    return once(workspace_of(request), key, said, work)


@router.post("/load.json", status_code=201, summary="Put a plan into the workspace: PACK/YEAR")
def load(request: Request, document: Annotated[str, Body(embed=True, max_length=80)], key: Key = None) -> Response:
    from dualcarbon.plan.feeding.loading import load

    if not _shipped(document):
        raise Refused(Problem("plan.no-shipped-plan", value=document))
    return answer(_once(request, key, document, lambda: load(workspace_of(request), document)), 201)


def _shipped(document: str) -> bool:
    import re

    return re.fullmatch(r"[\w-]+/\d{4}", document) is not None


@router.post("/documents", status_code=201, summary="Put a plan's document into the workspace")
def document(
    request: Request, file: Annotated[UploadFile, File()], back: Annotated[str | None, Form()] = None, key: Key = None
) -> Response:
    from dualcarbon.plan.feeding.loading import load

    with received(file.file, file.filename, MOST) as path:
        said = hashlib.sha256(path.read_bytes()).hexdigest()
        made = _once(request, key, said, lambda: load(workspace_of(request), path))
    return _back(f"/plan/document?plan={quote(made['plan'])}") if back == "page" else answer(made, 201)


def _papers(files: Iterable[Any]) -> list[Any]:
    """Uploaded evidence; a field that was left empty holds none. Raises Refused when all together is too much."""
    from dualcarbon.plan.feeding.proofs import Paper

    found = []
    for one in files:
        if one.filename:
            with received(one.file, one.filename, MOST) as path:
                found.append(Paper(path.name, path.read_bytes()))
        if sum(len(paper.content) for paper in found) > 4 * MOST:
            raise Refused(Problem("plan.evidence-large", file=one.filename))
    return found


@router.post("/forms", status_code=201, summary="Import a filled form with its evidence, whole or not at all")
def forms(
    request: Request, file: Annotated[UploadFile, File()],
    evidence: Annotated[list[UploadFile] | None, File(description="files that the form names, in any order")] = None,
    person: Annotated[str | None, Form(max_length=60)] = None,
    plan: Annotated[str | None, Form(max_length=60)] = None, back: Annotated[str | None, Form()] = None,
    synthetic: Annotated[bool, Form(description="the values are made up for demonstration")] = False, key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import form_reading

    papers = _papers(evidence or ())
    with received(file.file, file.filename, MOST) as path:
        made = form_reading.import_form(
            workspace_of(request), path, plan=plan or None, person=person or None, key=key, papers=papers,
            status="synthetic" if synthetic else None,
        )  # fmt: skip
    if back == "page":
        return _back(_department(made))
    return answer(made, 201)


def _department(made: dict[str, Any]) -> str:
    """The department's page, which says what was received: reports, paths, files, files that are still to come."""
    told = {
        "plan": made["plan"],
        "month": made["month"],
        "kept": 0 if made["already"] else len(made["reports"]),
        "ways": made.get("paths") or None,
        "files": sum(one.get("attached", True) for one in made["evidence"]) or None,
        "lacking": sum(not one.get("attached", True) for one in made["evidence"]) or None,
    }
    said = urlencode({name: value for name, value in told.items() if value is not None})
    return f"/plan/entry/{quote(made['department'])}?{said}"


@router.post("/reports.json", status_code=201, summary="Tell figures, progress and lists about a month")
def told(request: Request, body: Annotated[dict[str, Any], Body()], key: Key = None) -> Response:
    from dualcarbon.plan.feeding import entry_forms, telling

    asked = entry_forms.submission(body)
    return answer(telling.tell(workspace_of(request), **asked, key=key, feed="api"), 201)


@router.post("/entry/{department}", include_in_schema=False)
async def entered(request: Request, department: str) -> Response:
    """A department's page form; answers with the page."""
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding import entry_forms

    fields = await request.form(max_fields=4000)
    said = {name: value for name, value in fields.multi_items() if isinstance(value, str) and value.strip()}
    names = {name for name, value in fields.multi_items() if not isinstance(value, str)}
    sent = {name: [one for one in fields.getlist(name) if not isinstance(one, str)] for name in names}

    def work() -> dict[str, Any]:
        files = {name: _papers(own) for name, own in sent.items()}
        return entry_forms.enter(workspace_of(request), department, said, files)

    made = await run_in_threadpool(work)
    return _back(_department(made))


@router.post("/reviews.json", status_code=201, summary="Accept or return reports, all or none")
def reviewed(
    request: Request, reports: Annotated[list[int], Body()], decision: Annotated[str, Body()],
    person: Annotated[str | None, Body(max_length=60)] = None, reason: Annotated[str | None, Body()] = None,
    plan: Annotated[str | None, Body(max_length=60)] = None, key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import judging

    said = [reports, decision, person, reason, plan]
    workspace = workspace_of(request)
    made = _once(
        request, key, said, lambda: judging.review(workspace, plan, reports, decision, person=person, reason=reason)
    )
    return answer(made, 201)


@router.post("/review", include_in_schema=False)
async def decided(request: Request) -> Response:
    """The review page's form; answers with the page."""
    from starlette.concurrency import run_in_threadpool

    from dualcarbon.plan.feeding import judging

    fields = await request.form(max_fields=4000)
    numbers = [int(str(value)) for name, value in fields.multi_items() if name == "report" and str(value).isdecimal()]
    said = {name: str(fields.get(name) or "").strip() or None for name in ("decision", "person", "reason", "plan")}
    made = await run_in_threadpool(
        judging.review, workspace_of(request), said["plan"], numbers, said["decision"] or "", person=said["person"],
        reason=said["reason"],
    )  # fmt: skip
    told = {"plan": made["plan"], "decided": made["decision"], "reports": made["reviewed"]}
    return _back(f"/plan/review?{urlencode(told)}")


@router.post("/confirmations.json", status_code=201, summary="The lead unit's word that a line is done")
def confirmed(
    request: Request, line: Annotated[str, Body(max_length=12)], department: Annotated[str, Body(max_length=60)],
    action: Annotated[str, Body(pattern="^(confirm|withdraw)$")] = "confirm",
    person: Annotated[str | None, Body(max_length=60)] = None, paper: Annotated[str | None, Body()] = None,
    reason: Annotated[str | None, Body()] = None, plan: Annotated[str | None, Body(max_length=60)] = None,
    key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import judging

    said = {"person": person, "paper": paper, "action": action, "reason": reason}
    workspace = workspace_of(request)
    made = _once(
        request, key, [line, department, said, plan],
        lambda: judging.confirm(
            workspace, plan, line, department, person=person, paper=paper, action=action, reason=reason
        ),
    )  # fmt: skip
    return answer(made, 201)


@router.post("/confirm", include_in_schema=False)
def confirm(
    request: Request, line: Annotated[str, Form()], department: Annotated[str, Form()], plan: Annotated[str, Form()],
    paper: Annotated[str, Form()] = "", person: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """The indicator page's form; answers with the page."""
    from dualcarbon.plan.feeding import judging

    judging.confirm(workspace_of(request), plan, line, department, person=person or None, paper=paper or None)
    return _back(f"/plan/{'indicator' if line[:1] == 'I' else 'task'}/{quote(line)}?plan={quote(plan)}")


@router.post("/carry-over", include_in_schema=False)
def carry(request: Request, plan: Annotated[str, Form()], to: Annotated[str, Form()]) -> Response:
    """The form on the page of plans; answers with the later plan."""
    from dualcarbon.plan.feeding import carrying

    carrying.carry_over(workspace_of(request), plan, to)
    return _back(f"/plan/document?plan={quote(to)}")


def _back(address: str) -> Response:
    return RedirectResponse(address, 303)


@router.post("/reports/{number}/evidence", status_code=201, summary="Attach a file to a report; its hash is chained")
def attached(
    request: Request, number: int, file: Annotated[UploadFile, File()],
    person: Annotated[str | None, Form(max_length=60)] = None, plan: Annotated[str | None, Form(max_length=60)] = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import proofs

    with received(file.file, file.filename, MOST) as path:
        made = proofs.attach(workspace_of(request), plan or None, number, path, person=person or None)
    return answer(made, 201)


@router.post("/carry-over.json", status_code=201, summary="Carry unfinished work to a later plan")
def carried(
    request: Request, plan: Annotated[str, Body(max_length=60)], to: Annotated[str, Body(max_length=60)],
    key: Key = None,
) -> Response:  # fmt: skip
    from dualcarbon.plan.feeding import carrying

    workspace = workspace_of(request)
    return answer(_once(request, key, [plan, to], lambda: carrying.carry_over(workspace, plan, to)), 201)
