"""Data over the web: files taken in whole or not at all, imports taken back, official forms to fill in."""

import base64
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from dualcarbon.app.asking import Asked, language
from dualcarbon.app.pages import View, page, said
from dualcarbon.app.problem_details import wants_page
from dualcarbon.app.rendering import environment
from dualcarbon.app.spreadsheet import XLSX, field, spreadsheet, written
from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Refused
from dualcarbon.core.uploads import received
from dualcarbon.core.workspace import Workspace

router = APIRouter()

MOST_BYTES = 512 * 2**20
#: Problems that a page lists; the Excel file has all of them.
SHOWN = 200
PROBLEMS = [
    ("文件", field("file")), ("工作表", field("sheet")), ("行", field("row")), ("列", field("column")),
    ("数值", field("value")), ("问题", field("message")), ("怎样改", field("remedy")), ("规则", field("rule")),
]  # fmt: skip
Template = Literal["observations", "energy-return"]
Status = Literal["official", "secondary", "unverified", "synthetic"]


@page(router, "/imports", "imports.html")
@spreadsheet(
    router, "/imports", "导入记录",
    [("批次", field("id")), ("文件", field("file")), ("数据集", field("datasets")), ("行数", field("rows")),
     ("更正", field("superseded")), ("原因", field("reason")), ("发布日", field("known_at")),
     ("导入时间", field("imported_at")), ("版本", field("version")), ("已撤销", field("reverted")),
     ("撤销原因", field("revert_reason")), ("SHA-256", field("sha256"))],
    lambda view, done=None: list(view.workspace.imports()),
)  # fmt: skip
def imports(view: View, done: Annotated[str | None, Query(max_length=80)] = None) -> dict[str, Any]:
    """What was imported when, from which file, into which dataset; the datasets; `done` names what was done last."""
    found = list(view.workspace.imports())
    return {
        "imports": found,
        "datasets": list(view.workspace.datasets()),
        "done": next((one for one in found if one["id"] == done), None),
    }


@router.get("/imports/form/{name}.xlsx", summary="填报模板 · a form to fill in", response_class=Response)
def form(
    request: Request,
    name: Template,
    entity: Annotated[str | None, Query(max_length=80)] = None,
    period: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """The template of observations, or the enterprise energy return with what is known of an `entity` filled in."""
    workspace, lang = request.app.state.site.workspace, language(request)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "form.xlsx"
        if name == "observations":
            from dualcarbon.app.observation_template import write as write_observations

            write_observations(path, workspace.pack, lang)
        else:
            from dualcarbon.inventory.energy_return_carried import carried
            from dualcarbon.inventory.energy_return_sheet import write as write_return

            cover, values = carried(workspace, entity, period) if entity else ({"period": period}, {})
            write_return(path, lang=lang, pack=workspace.pack, cover=cover, values=values)
        content = path.read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="{name}.xlsx"', "Cache-Control": "no-cache"}
    return said(request, Response(content, media_type=XLSX, headers=headers))


@router.post("/imports", summary="导入文件 · import a file, whole or not at all")
def take(
    request: Request,
    response: Response,
    file: Annotated[UploadFile, File(description="CSV, Excel or Parquet")],
    template: Annotated[Template, Form(description="the form it is filled in on")] = "observations",
    dataset: Annotated[str | None, Form(max_length=80)] = None,
    known_at: Annotated[date | None, Form(description="day of publication of rows that state none")] = None,
    role: Annotated[Literal["account", "control"] | None, Form(description="what a new dataset is for")] = None,
    status: Annotated[Status | None, Form(description="status of its evidence")] = None,
    revise: Annotated[str | None, Form(max_length=400, description="why figures that stand are corrected")] = None,
    dry_run: Annotated[bool, Form(description="check only")] = False,
) -> Any:
    """What `Workspace.import_file` answers, 201 when rows were kept; a refusal names every problem, changes nothing.

    A page's form is led to the list of imports, or told that the check found nothing.
    """
    workspace = Workspace.open(request.app.state.site.workspace.path)
    try:
        with received(file.file, file.filename, MOST_BYTES) as path:
            answer = workspace.import_file(
                path, template=_reader(template), dataset=_given(dataset), known_at=known_at, role=role, status=status,
                revise=_given(revise), dry_run=dry_run,
            )  # fmt: skip
    except Refused as refused:
        if not wants_page(request):
            raise
        return _told(request, {"problems": refused.problems}, 422)
    kept = not (answer["already"] or dry_run)
    if not wants_page(request):
        response.status_code = 201 if kept else 200
        return answer
    if kept and not answer["doubled"]:
        return _led(request, answer["id"])
    return _told(request, answer)


@router.post("/imports/{identifier}/revert", summary="撤销一次导入 · take an import back")
def revert(request: Request, identifier: str, reason: Annotated[str, Form(max_length=400)] = "") -> Any:
    """The record of the import, which counts no more; older versions keep it. Refused without a reason."""
    workspace = Workspace.open(request.app.state.site.workspace.path)
    if all(one["id"] != identifier for one in workspace.imports()):
        raise NoSuch("import", identifier)
    answer = workspace.revert(identifier, reason)
    return _led(request, identifier) if wants_page(request) else answer


def _reader(template: Template) -> Callable[..., Any] | None:
    if template == "observations":
        return None
    from dualcarbon.inventory.energy_return import read

    return read


def _given(text: str | None) -> str | None:
    return (text or "").strip() or None


def _led(request: Request, identifier: str) -> Response:
    """The browser led to the list, where the import stands first among what is said."""
    address = f"/imports?{urlencode({'done': identifier})}"
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def _told(request: Request, answer: dict[str, Any], status: int = 200) -> Response:
    """What a check found, or the problems of a file with their list as an Excel file to send back."""
    lang, site = language(request), request.app.state.site
    view = View(site, Asked(), lang, "/imports", {})
    if "problems" in answer:
        faults = [problem.as_dict(lang) for problem in answer["problems"]]
        book = base64.b64encode(written(view, "问题清单", PROBLEMS, faults)).decode()
        answer = {"problems": faults, "book": f"data:{XLSX};base64,{book}", "most": SHOWN}
    partial = request.headers.get("hx-request") == "true"
    template = environment(lang).get_template("imported.html")
    body = template.render(page=answer, view=view, site=site, partial=partial, build=site.build)
    return said(request, Response(body, status_code=status, media_type="text/html; charset=utf-8"))
