"""The web server: one workspace, this machine only (``127.0.0.1``) until identity exists."""

import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
PORT = 8000
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

cli = typer.Typer(help=say("网页", "web pages"))


@cli.callback()
def _group() -> None:
    pass


@cli.command(help=say("打开网页，仅本机可访问（127.0.0.1）", "serve the web pages, to this machine only (127.0.0.1)"))
def serve(
    port: Annotated[int, typer.Option(help=say("端口", "port"), min=1, max=65535)] = PORT,
    workspace: WorkspaceDir = None,
    json: Json = False,
) -> None:
    """Serve the workspace's pages until interrupted. Exit 2 when there is no workspace or the port is busy."""
    folder = _folder(workspace)
    listener = listen(port)
    import uvicorn

    address = f"http://{HOST}:{port}/"
    emit(
        {"url": address, "workspace": str(folder)},
        json,
        say(
            f"工作区 {folder}\n网页 {address}（按 Ctrl+C 停止）", f"workspace {folder}\npages {address} (Ctrl+C stops)"
        ),
    )
    config = uvicorn.Config(create_app(folder), log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _folder(workspace: Path | None) -> Path:
    from dualcarbon.core.workspace import find

    try:
        return find(workspace)
    except LookupError as error:
        raise typer.BadParameter(
            say(
                "没有工作区。先运行 dualcarbon demo 生成演示城市，或用 --workspace 指定文件夹。",
                "there is no workspace: run dualcarbon demo first, or name a folder with --workspace",
            ),
            param_hint="--workspace",
        ) from error


def listen(port: int) -> socket.socket:
    """A socket bound to `port` of this machine.

    Raises `typer.BadParameter` when another program holds the port, naming the port and what to do.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise typer.BadParameter(_busy(port, error.errno), param_hint="--port") from error
    return listener


def _busy(port: int, reason: int) -> str:
    if reason == errno.EACCES:
        return say(
            f"端口 {port} 不允许使用，请换 1024 以上的端口。", f"port {port} is not permitted: use one above 1023"
        )
    free = next((other for other in range(port + 1, port + 50) if _is_free(other)), port + 1)
    if _is_ours(port):
        return say(
            f"端口 {port} 已被占用：dualcarbon 已在 http://{HOST}:{port}/ 运行。"
            f"直接打开它，或换一个端口：dualcarbon serve --port {free}",
            f"port {port} is in use: dualcarbon already runs at http://{HOST}:{port}/. "
            f"Open it, or take another port: dualcarbon serve --port {free}",
        )
    return say(
        f"端口 {port} 已被其他程序占用。关闭该程序，或换一个端口：dualcarbon serve --port {free}",
        f"port {port} is in use by another program. Close that program, or take another port: "
        f"dualcarbon serve --port {free}",
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.bind((HOST, port))
        return True
    return False


def _is_ours(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection(HOST, port, timeout=0.5)
    try:
        connection.request("HEAD", "/static/app.css")
        return connection.getresponse().getheader("X-Dualcarbon") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def create_app(workspace: Path | str, warm: bool = True) -> "FastAPI":
    """The application for one workspace; `warm` prepares the home page in the background when the server starts.

    Raises LookupError (from the workspace) when the folder holds none.
    """
    from fastapi import FastAPI, Request
    from fastapi.middleware.gzip import GZipMiddleware
    from fastapi.staticfiles import StaticFiles
    from starlette.responses import Response

    from dualcarbon import __version__
    from dualcarbon.app import accounts, catalogue, explaining, home, problem_details, search
    from dualcarbon.app.pages import HERE, Site

    site = Site(Path(workspace))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if warm:
            import threading

            threading.Thread(target=home.prepare, args=(site,), daemon=True).start()
        yield

    app = FastAPI(title="dualcarbon", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.site = site
    for module in (home, accounts, explaining, catalogue, search):
        app.include_router(module.router)
    for room in _room_routers():
        app.include_router(room)
    app.mount("/static", StaticFiles(directory=HERE / "static", check_dir=False), name="static")
    app.add_middleware(GZipMiddleware, minimum_size=1500, compresslevel=4)
    problem_details.install(app)

    @app.middleware("http")
    async def frame(request: Request, call_next: Any) -> Response:
        begun = time.perf_counter()
        response: Response = await call_next(request)
        response.headers["X-Dualcarbon"] = __version__
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Server-Timing"] = f"app;dur={(time.perf_counter() - begun) * 1000:.1f}"
        if request.url.path.startswith("/static/") and "v" in request.query_params:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    return app


def _room_routers() -> list[Any]:
    """Routers of the rooms that have pages or an API of their own (``routes.py`` with ``router``)."""
    import importlib
    import importlib.util

    from dualcarbon.app.rooms import ENTRIES

    rooms = dict.fromkeys(entry.module.rpartition(".")[0] for entry in ENTRIES)
    named = [f"{room}.routes" for room in rooms if room != "dualcarbon.app"]
    return [importlib.import_module(name).router for name in named if importlib.util.find_spec(name)]
