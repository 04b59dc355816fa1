"""The web server: one workspace, this machine only (``127.0.0.1``) until identity exists."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
PORT = 8000

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
    config = uvicorn.Config(
        create_app(folder), log_level="warning", server_header=False, access_log=False, proxy_headers=False
    )
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
    from fastapi import FastAPI
    from fastapi.middleware.gzip import GZipMiddleware
    from fastapi.staticfiles import StaticFiles

    from dualcarbon import __version__
    from dualcarbon.app import accounts, catalogue, explaining, home, importing, problem_details, search
    from dualcarbon.app.frame import Frame
    from dualcarbon.app.pages import HERE, Site, room_router
    from dualcarbon.app.rooms import room_folders, room_routes

    site = Site(Path(workspace))

    def prepare() -> None:
        import gc

        home.prepare(site)
        # What stands now lives as long as the server; walking it in every full collection would stop all for 0.1 s.
        gc.collect()
        gc.freeze()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if warm:
            import threading

            threading.Thread(target=prepare, daemon=True).start()
        yield

    app = FastAPI(title="dualcarbon", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.site = site

    def include(busy: bool) -> None:
        for room, routes in room_routes().items():
            if getattr(routes, "busy", False) != busy:
                continue
            routers = [room_router(room), *([routes.router] if hasattr(routes, "router") else [])]
            for router in reversed(routers) if busy else routers:
                app.include_router(router)
            static = room_folders()[room] / "static"
            if static.is_dir():
                app.mount(f"/static/{room}", StaticFiles(directory=static), name=f"static.{room}")

    # Routes are tried one after another: a room that programs call all the time (`busy`) comes first, its pages last.
    include(busy=True)
    for module in (home, accounts, explaining, catalogue, importing, search):
        app.include_router(module.router)
    include(busy=False)
    app.mount("/static", StaticFiles(directory=HERE / "static", check_dir=False), name="static")
    app.add_middleware(GZipMiddleware, minimum_size=1500, compresslevel=4)
    app.add_middleware(Frame, version=__version__)
    problem_details.install(app)
    return app
