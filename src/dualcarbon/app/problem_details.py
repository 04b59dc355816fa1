"""Errors said well: RFC 9457 problem details for programs, a calm page for people."""

from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from dualcarbon.app.asking import Asked, BadChoice, language
from dualcarbon.app.pages import View, document, said
from dualcarbon.app.rendering import environment
from dualcarbon.app.wording import words
from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Refused

KINDS = {
    "place": "地区",
    "method": "方法",
    "parameter": "因子",
    "run": "核算批次",
    "import": "导入批次",
    "account": "账户",
    "entry": "分录",
    "instrument": "品种",
    "certificate": "证书",
    "listing": "挂牌",
    "trade": "成交",
    "project": "项目",
    "methodology": "方法学",
    "plan": "计划",
    "indicator": "指标",
    "task": "任务",
    "department": "部门",
    "report": "填报",
}


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details or, to a browser, with a page."""

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        titles = {404: "没有这个页面", 405: "不支持这种请求"}
        return problem(request, error.status_code, titles.get(error.status_code, "请求没有完成"), "", "about:blank")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"pointer": "/".join(str(part) for part in fault["loc"]), "detail": fault["msg"]}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{fault['pointer'].split('/')[-1]}: {fault['detail']}" for fault in faults)
        return problem(request, 422, "地址中的选项无效", detail, "invalid-choice", errors=faults)

    @app.exception_handler(BadChoice)
    async def choice(request: Request, error: BadChoice) -> Response:
        w = words(language(request))
        if error.name == "basis":
            detail = w.say("总览的账只有 A、B、C，没有“{value}”。", value=error.value)
        else:
            detail = w.say("“{value}”不是一个时期。可写 2024、2024-Q1、2024-03、2024-01/2024-09。", value=error.value)
        faults = [{"pointer": f"query/{error.name}", "detail": detail}]
        return problem(request, 422, "地址中的选项无效", detail, "invalid-choice", errors=faults)

    @app.exception_handler(NoSuch)
    async def absent(request: Request, error: NoSuch) -> Response:
        w = words(language(request))
        kind = KINDS.get(error.kind, "页面")
        if w.english:
            kind = error.kind if error.kind.isascii() else "page"
        detail = w.say("找不到{kind}“{name}”。可以用上方的搜索。", kind=kind, name=error.name)
        return problem(request, 404, "找不到", detail, f"no-such-{error.kind}")

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        lang = language(request)
        faults = [fault.as_dict(lang) for fault in error.problems]
        detail = " ".join(f"{fault['message']} {fault['remedy']}".strip() for fault in faults[:5])
        title = "这个问题无法计算" if request.method in ("GET", "HEAD") else "没有接受，未作任何改动"
        return problem(request, 422, title, detail, "refused", problems=faults)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return problem(
            request, 500, "服务器出错", "请重试；若仍出错，请把此时的地址和服务器窗口的文字告诉维护者。", "internal"
        )


def problem(request: Request, status: int, title: str, detail: str, kind: str, **more: Any) -> Response:
    """An error answer; `title` and `detail` are Chinese texts of the catalogue or already in the reader's language."""
    lang = language(request)
    w = words(lang)
    told = {
        "type": kind if kind == "about:blank" else f"/problems/{kind}",
        "title": w.say(title),
        "status": status,
        "detail": w.say(detail),
        "instance": request.url.path,
        **more,
    }
    if wants_page(request):
        partial = request.headers.get("hx-request") == "true"
        site = request.app.state.site
        body = (
            environment(lang)
            .get_template("error.html")
            .render(page=told, view=_Elsewhere(request, lang), site=site, partial=partial, build=site.build)
        )
        return said(request, Response(body, status_code=status, media_type="text/html; charset=utf-8"))
    return said(request, Response(document(told), status_code=status, media_type="application/problem+json"))


def wants_page(request: Request) -> bool:
    """Does a person's browser ask (and not a program, or someone for a ``.json`` twin or a file)?"""
    if request.headers.get("hx-request") == "true":
        return True
    if request.url.path.endswith((".json", ".xlsx", ".csv", ".parquet")):
        return False
    return "text/html" in request.headers.get("accept", "")


class _Elsewhere(View):
    """A question that cannot be answered, as the page frame needs to know it: no choice of it is kept."""

    def __init__(self, request: Request, lang: str) -> None:
        super().__init__(request.app.state.site, Asked(), lang, request.url.path, request.query_params)
        before = urlsplit(request.headers.get("referer", ""))
        own = before.netloc == request.headers.get("host") and not before.path.startswith("//")
        back = before._replace(scheme="", netloc="", fragment="").geturl()
        self.back = back if own and request.method == "POST" else None
