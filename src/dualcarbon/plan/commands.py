"""The verbs of the plan room."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, emit, language, say, table
from dualcarbon.plan import options
from dualcarbon.plan.assessing import assess_commands
from dualcarbon.plan.feeding import entry_commands, review_commands

cli = typer.Typer(
    help=say("工作计划：读取、填报、审核、评价", "work plans: read, feed, review, assess"), no_args_is_help=True
)


@cli.command(
    help=say(
        "读一份工作计划（txt、docx、pdf、html、xlsx，简体或繁体），并与自身核对",
        "read a work plan (txt, docx, pdf, html, xlsx) and check it against itself",
    )
)
def read(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("计划文件", "the plan's file"))],
    json: Json = False,
) -> None:
    from dualcarbon.plan import read_plan

    found = read_plan(file)
    emit(found, json, lambda: _show(found))


_CLASSES = {
    "contradiction": ("矛盾", "contradiction"),
    "probable stock-flow": ("疑为存量与增量", "probable stock and flow"),
    "scope": ("口径或遗漏", "scope"),
    "consistent": ("一致", "consistent"),
}


def _show(found: dict[str, Any]) -> None:
    counts = (
        f"{len(found['domains'])} 个领域，{len(found['tasks'])} 项任务，{len(found['policies'])} 项政策，"
        f"{len(found['indicators'])} 个指标"
    )
    english = (
        f"{len(found['domains'])} domains, {len(found['tasks'])} tasks, {len(found['policies'])} policies, "
        f"{len(found['indicators'])} indicators"
    )
    typer.echo(f"{found['title'] or found['file']}  {found['issued'] or ''}".rstrip())
    typer.echo(say(counts, english))
    rows = [
        {
            "number": one["number"],
            "name": one["name"],
            "target": one["target"]["text"],
            "unit": one["unit"],
            "lead": "、".join(one["lead"]),
            "tasks": "、".join(str(number) for number in one["tasks"]),
        }
        for one in found["indicators"]
    ]
    headings = {
        "number": say("序号", "no."),
        "name": say("指标", "indicator"),
        "target": say("目标", "target"),
        "unit": say("单位", "unit"),
        "lead": say("牵头单位", "lead"),
        "tasks": say("任务", "tasks"),
    }
    if rows:
        table(rows, headings)
    message = "message" if language() == "zh" else "message_en"
    listed = [
        {
            "class": say(*_CLASSES[one["class"]]),
            "message": one[message],
            "where": "、".join(str(place["paragraph"]) for place in one["places"]),
        }
        for one in found["findings"]
    ]
    columns = {"class": say("类别", "class"), "message": say("核对发现", "finding"), "where": say("段", "paragraph")}
    if listed:
        table(listed, columns)


options.add(cli, (*entry_commands.VERBS, *review_commands.VERBS))
assess_commands.add(cli)
