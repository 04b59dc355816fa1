"""What every command-line verb speaks: the reader's language, one JSON document, tables, progress, refusals.

A verb of a room looks like this (the module imports nothing heavy at its top)::

    from dualcarbon.core.console import Json, WorkspaceDir, emit, say, table

    cli = typer.Typer(help=say("能源活动二氧化碳核算", "energy-activity CO2 accounts"))

    @cli.command(help=say("某地区某时期的核算账户", "the account of a place and period"))
    def account(place: str, json: Json = False, workspace: WorkspaceDir = None) -> None:
        from dualcarbon import inventory          # heavy: only when the verb runs
        result = inventory.account(...)
        emit(result, json, lambda: table(result["rows"], {"name": say("行业", "sector")}))

Data that is refused: raise `dualcarbon.core.problems.Refused`; the program prints the problems (as
``{"problems": [...]}`` on stdout under ``--json``) and exits with 1. Wrong usage: raise `typer.BadParameter`; exit 2.
"""

import json as _json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

LANGUAGES = ("zh", "en")


#: What counts twice that is written out; --json has all of it.
TWICE = 10


def language() -> str:
    """The reader's language: ``zh`` unless the environment (`DUALCARBON_LANG`, set by ``--lang``) says ``en``."""
    return "en" if os.environ.get("DUALCARBON_LANG", "").lower().startswith("en") else "zh"


def say(zh: str, en: str) -> str:
    """The text in the reader's language."""
    return en if language() == "en" else zh


Json = Annotated[
    bool, typer.Option("--json", help=say("只输出一个 JSON 文档", "print one JSON document, nothing else"))
]
WorkspaceDir = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="DIR",
        help=say(
            "工作区文件夹（默认：向上最近的工作区，否则 ./workspace）",
            "workspace folder (default: the nearest one upwards, else ./workspace)",
        ),
    ),
]


def plain(value: Any) -> Any:
    """`value` as JSON knows it: dates and paths as text, NaN and infinities as null, frames as lists of rows."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "to_dicts"):
        return [plain(row) for row in value.to_dicts()]
    if hasattr(value, "as_dict"):
        return plain(value.as_dict(language()))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (set, frozenset)):
        return [plain(item) for item in sorted(value)]
    if isinstance(value, (Sequence, Mapping)) or hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    return str(value)


def document(data: Any) -> str:
    """`data` as one JSON document, UTF-8 text kept readable."""
    return _json.dumps(plain(data), ensure_ascii=False, allow_nan=False, indent=2)


def emit(data: Any, json: bool, text: str | Callable[[], object] | None = None) -> None:
    """Print `data` once: as one JSON document when `json`, else `text` (a string, or a function that prints)."""
    if json:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")
        sys.stdout.write(document(data) + "\n")
    elif callable(text):
        text()
    else:
        typer.echo(text if text is not None else document(data))


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], title: str | None = None) -> None:
    """Print `rows` as a table; `columns` maps the keys shown to their headings; numbers are set to the right.

    Columns in which every row is empty are left out; off a terminal nothing is folded.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    filled = {key: heading for key, heading in columns.items() if any(_cell(row.get(key)) for row in rows)}
    for key, heading in filled.items():
        numeric = any(isinstance(row.get(key), (int, float)) and not isinstance(row[key], bool) for row in rows)
        drawn.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(row.get(key)) for key in filled))
    width = None if sys.stdout.isatty() else 240
    Console(highlight=False, markup=False, emoji=False, width=width).print(drawn)


def twice(doubled: Sequence[Mapping[str, Any]], pad: str = "") -> None:
    """Print what counts twice (`message`, `remedy`), the first of it."""
    for one in doubled[:TWICE]:
        typer.echo(f"{pad}{say('重复计入', 'counted twice')}  {one['message'][language()]} {one['remedy'][language()]}")
    if len(doubled) > TWICE:
        rest = len(doubled) - TWICE
        typer.echo(pad + say(f"重复计入  另有 {rest} 处（--json 列出）", f"counted twice  {rest} more (see --json)"))


def number(value: float) -> str:
    """A number to read: six digits that count, thousands apart, no exponent for large ones."""
    return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.2f}".rstrip("0").rstrip(".")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return say("是", "yes") if value else say("否", "no")
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.2f}"
    if isinstance(value, Mapping):
        return str(value.get(language(), value))
    return str(value)


def progress(json: bool = False) -> "Progress":
    """A progress bar on stderr for what takes over two seconds; silent under ``--json`` and off a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=json or not console.is_terminal,
    )


def refusal(problems: Sequence[Any], json: bool) -> None:
    """Print what was refused: ``{"problems": [...]}`` on stdout under `json`, else one paragraph each on stderr.

    `problems` are `dualcarbon.core.problems.Problem`.
    """
    if json:
        emit({"problems": [problem.as_dict(language()) for problem in problems]}, True)
        return
    count = sum(problem.params.get("rest", 1) if problem.rule == "core.more" else 1 for problem in problems)
    typer.echo(say(f"数据未被接受，共 {count} 处问题：", f"the data was refused, {count} problem(s):"), err=True)
    for problem in problems:
        typer.echo(f"- {problem.line(language())}", err=True)
