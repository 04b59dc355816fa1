"""What the forms of the pages send: the act is done and the reader led to where it shows, or back to the form."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Refused
from dualcarbon.registry.act_fields import said_in
from dualcarbon.registry.asked import registry_of
from dualcarbon.registry.file_routes import Upload, acts_of
from dualcarbon.registry.forms import FORMS

router = APIRouter()


@router.post("/act/{action}", include_in_schema=False)
async def done(request: Request, action: str) -> Response:
    """Do what was tried; the same form sent twice counts once. A refusal leads back to the form, which says why."""
    from starlette.concurrency import run_in_threadpool

    if action not in FORMS:
        raise NoSuch("页面", action)
    form = await request.form(max_fields=60)
    sent = {name: value for name, value in form.items() if isinstance(value, str) and value.strip()}
    said = said_in(action, sent)
    registry = await run_in_threadpool(registry_of, request, install=True)
    try:
        answer = await run_in_threadpool(registry.do, action, sent.get("key", ""), **said)
    except Refused:
        back = {name: value for name, value in sent.items() if name != "key"} | {"try": "1"}
        return RedirectResponse(f"/registry/act/{action}?{urlencode(back)}", 303)
    return RedirectResponse(where(answer, sent["key"]), 303)


@router.post("/act-file", include_in_schema=False)
def file_done(request: Request, file: Upload, dry: Annotated[str | None, Form()] = None) -> Response:
    """Do a file of acts, or only try it; a refusal is a page with every problem."""
    answers = acts_of(request, file, None, bool(dry))["lots"]
    known = sum(one["result"] == "exists" for one in answers)
    told = {"file": file.filename, "rows": len(answers) - known, "known": known or "", "dry": "1" if dry else ""}
    told = {name: value for name, value in told.items() if value != ""}
    return RedirectResponse(f"/registry/act?{urlencode(told)}", 303)


def where(answer: Mapping[str, Any], key: str) -> str:
    """The page that shows what an act did."""
    if "years" in answer:
        return f"/registry/holder?{urlencode({'name': answer['years'][0]['holder'], 'done': key})}"
    told = {"done": key}
    if answer.get("filing"):
        return f"/registry/filing?{urlencode({'id': answer['filing'], **told})}"
    if answer["action"] in ("offer", "accept", "settle", "match", "withdraw", "void", "lapse"):
        own = {"instrument": answer["instrument"], **({"vintage": answer["vintage"]} if answer["vintage"] else {})}
        return f"/registry/market?{urlencode({**own, **told})}"
    if answer.get("serials"):
        unit = f"{quote(answer['instrument'])}/{answer['serials'][0]['first']}"
        return f"/registry/unit/{unit}?{urlencode(told)}"
    holder = answer.get("buyer") or answer.get("holder")
    if holder:
        return f"/registry/holder?{urlencode({'name': holder, **told})}"
    return f"/registry{'/filings' if answer['action'] in ('appoint', 'dismiss') else ''}?{urlencode(told)}"
