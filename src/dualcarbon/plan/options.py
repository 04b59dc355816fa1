"""Options that the verbs of the plan room share, and the workspace they open."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import say

Plan = Annotated[
    str | None,
    typer.Option("--plan", metavar="PLAN", help=say("计划，如 330400-2024", "the plan, for example 330400-2024")),
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], metavar="DATE", help=say("截至哪天已知", "as known on that day")),
]
At = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%d"], metavar="DATE", help=say("收到日期（默认今天）", "the day it arrived")),
]
Person = Annotated[str | None, typer.Option("--person", help=say("经办人", "who did it"))]
Reason = Annotated[str | None, typer.Option("--reason", help=say("原因", "the reason"))]
Month = Annotated[int, typer.Option("--month", min=1, max=12, help=say("月份", "the month"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=say("只检查，不写入", "check only, keep nothing"))]
Line = Annotated[str, typer.Argument(metavar="LINE", help=say("编码，如 I7、T3、P2", "a line, for example I7, T3, P2"))]


def day_of(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def add(cli: typer.Typer, verbs: Iterable[tuple[str, Callable[..., None], str, str]]) -> None:
    """Add verbs to the room's: name, function, what it does in Chinese and in English."""
    for name, verb, zh, en in verbs:
        cli.command(name, help=say(zh, en))(verb)


@contextmanager
def absent_told() -> Iterator[None]:
    """What does not exist (a plan, line, sheet) is told like any refused datum. Serves as a decorator of verbs too."""
    from dualcarbon.core.faces import NoSuch
    from dualcarbon.core.problems import Problem, Refused

    try:
        yield
    except NoSuch as absent:
        raise Refused(Problem(f"plan.no-such-{absent.kind}", value=absent.name)) from absent


def opened_at(folder: Path | None) -> Any:
    """The workspace in a folder, or the nearest one."""
    from dualcarbon.core.workspace import Workspace

    return Workspace.find(folder)


@contextmanager
def opened_in(folder: Path | None) -> Iterator[Any]:
    """The workspace; what does not exist in it is told like any refused datum."""
    with absent_told():
        yield opened_at(folder)
