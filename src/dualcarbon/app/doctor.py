"""``dualcarbon doctor``: what this machine lacks and how to get it. Nothing is installed or changed."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say

cli = typer.Typer()

PORT = 8000
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "microsoft-edge")
MIN_FREE_GB = 2.0


class Check(NamedTuple):
    """One finding: `state` is ok, missing (`required` then fails the doctor) or optional."""

    name: str
    title: str
    state: str
    found: str
    remedy: str = ""


def find_browser() -> str | None:
    """Path of a Chromium-like browser: `DUALCARBON_CHROMIUM`, or one on the path."""
    named = os.environ.get("DUALCARBON_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def chinese_fonts() -> list[str]:
    """Names of the installed font families that hold Chinese, as fontconfig knows them."""
    if not shutil.which("fc-list"):
        return []
    listed = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True).stdout
    return sorted({line.split(",")[0].strip() for line in listed.splitlines() if line.strip()})


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    state = "ok" if sys.version_info >= (3, 11) else "missing"
    remedy = say("安装 Python 3.11 或更新版本", "install Python 3.11 or newer")
    return Check("python", "Python ≥ 3.11", state, version, remedy)


def _libraries() -> Check:
    title = say("计算引擎（DuckDB、Polars、Delta Lake）", "engine libraries (DuckDB, Polars, Delta Lake)")
    remedy = say("运行 make setup", "run make setup")
    try:
        import deltalake
        import duckdb
        import polars as pl

        with tempfile.TemporaryDirectory() as folder:
            deltalake.write_deltalake(folder, pl.DataFrame({"value": [1.0, 2.0]}))
            files = deltalake.DeltaTable(folder).file_uris()
            with duckdb.connect() as connection:
                rows = connection.execute("select sum(value) from read_parquet(?)", [files]).fetchall()
        if rows != [(3.0,)]:
            return Check("libraries", title, "missing", str(rows), remedy)
    except Exception as error:
        return Check("libraries", title, "missing", f"{type(error).__name__}: {error}", remedy)
    return Check("libraries", title, "ok", f"duckdb {duckdb.__version__}, deltalake {deltalake.__version__}")


def _database() -> Check:
    address = os.environ.get("DUALCARBON_DATABASE_URL")
    title = say("数据库", "database")
    remedy = say(
        "启动该 PostgreSQL，或改正 DUALCARBON_DATABASE_URL；不设置则用工作区内的 SQLite",
        "start that PostgreSQL or correct DUALCARBON_DATABASE_URL; unset it to use SQLite inside the workspace",
    )
    try:
        import sqlalchemy as sa

        url = sa.make_url(address or "sqlite://")
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        timeout = {"connect_timeout": 5} if url.get_backend_name() == "postgresql" else {}
        with sa.create_engine(url, connect_args=timeout).connect() as connection:
            connection.execute(sa.text("select 1"))
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
    except Exception as error:
        return Check("database", title, "missing", str(error).splitlines()[0], remedy)
    return Check("database", title, "ok", f"{url.get_backend_name()} {version}")


def _assets() -> Check:
    vendor = Path(__file__).parent / "static" / "vendor"
    lacking = [n for n in ("echarts.min.js", "htmx.min.js", "jiaxing.geojson") if not (vendor / n).exists()]
    return Check(
        "assets",
        say("网页资源（ECharts、HTMX、县界）", "browser assets (ECharts, HTMX, county polygons)"),
        "missing" if lacking else "ok",
        say("缺 ", "lacking ") + ", ".join(lacking) if lacking else say("齐全", "all there"),
        say("运行 make setup", "run make setup"),
    )


def _disk(folder: Path) -> Check:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Check(
        "disk",
        say("工作区所在磁盘", "disk of the workspace"),
        "ok" if free >= MIN_FREE_GB else "missing",
        say(f"剩余 {free:.1f} GB", f"{free:.1f} GB free"),
        say(f"腾出至少 {MIN_FREE_GB:.0f} GB", f"free at least {MIN_FREE_GB:.0f} GB"),
    )


def _port() -> Check:
    title = say(f"端口 {PORT}", f"port {PORT}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            remedy = say("关闭占用它的程序，或 dualcarbon serve --port 8001", "stop its user, or serve --port 8001")
            return Check("port", title, "optional", say("已被占用", "in use"), remedy)
    return Check("port", title, "ok", say("空闲", "free"))


def _fonts() -> Check:
    fonts = chinese_fonts()
    return Check(
        "fonts",
        say("中文字体（报告、图片）", "Chinese fonts (reports, pictures)"),
        "ok" if fonts else "optional",
        ", ".join(fonts[:3]) if fonts else say("没有", "none"),
        say(
            "安装 Noto CJK：apt-get install fontconfig fonts-noto-cjk（Fedora：google-noto-cjk-fonts）",
            "install Noto CJK: apt-get install fontconfig fonts-noto-cjk (Fedora: google-noto-cjk-fonts)",
        ),
    )


def _browser() -> Check:
    browser = find_browser()
    return Check(
        "browser",
        say("Chromium（仅测试需要）", "Chromium (tests only)"),
        "ok" if browser else "optional",
        browser or say("没有", "none"),
        say(
            "Debian apt-get install chromium；其他系统安装 Chrome，或用 DUALCARBON_CHROMIUM 指明路径",
            "Debian apt-get install chromium; elsewhere install Chrome, or name its path in DUALCARBON_CHROMIUM",
        ),
    )


def examine(folder: Path) -> list[Check]:
    """Every finding about this machine, for a workspace in `folder`; required things first."""
    checks: list[Callable[[], Check]] = [_python, _libraries, _database, _assets, lambda: _disk(folder)]
    return [check() for check in [*checks, _port, _fonts, _browser]]


@cli.command(help=say("检查本机还缺什么、怎样获得", "say what this machine lacks and how to get it"))
def doctor(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Exit 0 unless a required thing is missing."""
    checks = examine((workspace or Path("workspace")).absolute())
    missing = [check.name for check in checks if check.state == "missing"]
    told: list[dict[str, Any]] = [
        {**check._asdict(), "remedy": "" if check.state == "ok" else check.remedy} for check in checks
    ]
    emit({"ok": not missing, "missing": missing, "checks": told}, json, lambda: _print(checks))
    if missing:
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    marks = {"ok": "✓", "missing": "✗", "optional": "○"}
    for check in checks:
        typer.echo(f"{marks[check.state]} {check.title}{say('：', ': ')}{check.found}")
        if check.state != "ok":
            typer.echo(f"    → {check.remedy}")
    typer.echo(say("✓ 已有  ○ 可选  ✗ 必需而缺少", "✓ there  ○ optional  ✗ required and missing"))
