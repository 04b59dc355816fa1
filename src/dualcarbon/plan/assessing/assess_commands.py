"""The verbs of assessment: report, warnings, score, effect, bulletin, calendar, dual, project."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, say, table
from dualcarbon.plan.assessing.dual_commands import dual_cli
from dualcarbon.plan.assessing.score_commands import Department, score_cli
from dualcarbon.plan.options import AsOf, Person, Plan, absent_told, day_of, opened_at


def add(cli: typer.Typer) -> None:
    """Put the verbs of assessment among the plan room's."""
    for verb in (report, effect, bulletin, calendar):
        cli.command(help=HELP[verb.__name__])(absent_told()(verb))
    cli.add_typer(warnings_cli, name="warnings")
    cli.add_typer(score_cli, name="score")
    cli.add_typer(project_cli, name="project")
    cli.add_typer(dual_cli, name="dual")


HELP = {
    "report": say("计划一览：状态、预警、双目标、减排效果", "the board: states, warnings, dual targets, effect"),
    "effect": say("计划措施的减排估算；给出措施编号则打开它", "what the measures avoid; name one to open it"),
    "bulletin": say("写月报、年度自评、部门情况单或数据表", "write the bulletin, self-assessment, sheet or tables"),
    "calendar": say("写到期事项的日历文件（iCalendar）", "write what falls due as an iCalendar file"),
}
warnings_cli = typer.Typer(help=say("预警：查看、办理", "warnings: list, answer"), invoke_without_command=True)
project_cli = typer.Typer(help=say("重大项目：查看、填报", "major projects: list, tell"), invoke_without_command=True)


def _board(workspace: Path | None, plan: str | None, as_of: datetime | None) -> tuple[Any, dict[str, Any]]:
    from dualcarbon.plan.assessing import board

    opened = opened_at(workspace)
    return opened, board.board(opened, plan, day_of(as_of))


def report(plan: Plan = None, as_of: AsOf = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Show the leader's board."""
    _, found = _board(workspace, plan, as_of)
    emit(found, json, lambda: _show_board(found))


def _show_board(found: dict[str, Any]) -> None:
    from dualcarbon.plan.assessing import bulletin
    from dualcarbon.plan.assessing.board import TITLES
    from dualcarbon.plan.progress import STATES

    lang = language()
    typer.echo(found["title"] + (f"  [{bulletin.LABEL[lang]}]" if found["synthetic"] else ""))
    typer.echo(bulletin.states_text(found["counts"], lang))
    rows = [{"name": one["name"], **one["counts"]} for one in found["departments"]]
    table(rows, {"name": say("单位", "department")} | {state: TITLES[state][lang] for state in STATES})
    alarms = [
        {"level": one["level"], "what": one["title"], "why": one["reason"]}
        for one in found["warnings"]
        if one["level"] == 1
    ]
    if alarms:
        table(alarms, {"level": say("级", "level"), "what": say("一级预警", "level 1"), "why": say("原因", "why")})
    energy = found["effect"]["planned"]["parts"]["energy"]
    typer.echo(say("计划措施每年约减排 ", "avoided a year, about ") + bulletin.tonnes(energy["value"], lang))


def effect(
    measure: Annotated[str | None, typer.Argument(metavar="[MEASURE]", help=say("措施编号", "a measure's id"))] = None,
    plan: Plan = None,
    as_of: AsOf = None,
    basis: Annotated[
        str | None, typer.Option("--basis", help=say("口径：location 或 displaced", "location or displaced"))
    ] = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Show what the measures avoid, or open one."""
    from dualcarbon.plan import shipping
    from dualcarbon.plan.assessing import board as boards
    from dualcarbon.plan.assessing import effect as effects
    from dualcarbon.plan.store import document

    if measure is not None:
        opened = opened_at(workspace)
        head = document(opened, plan, day_of(as_of))
        facts = boards.plan_facts(opened, head)
        node = effects.opened(measure, *shipping.of(opened, head), plan=facts, basis=basis)
        emit(node, json, lambda: _show_node(node))
        return
    _, found = _board(workspace, plan, as_of)
    emit(found["effect"], json, lambda: _show_effect(found["effect"]))


def _show_node(node: dict[str, Any]) -> None:
    typer.echo(f"{node['value']:,.2f} {node['unit']}  [{node['low']:,.0f}, {node['high']:,.0f}]  {node['status']}")
    for one in node["equations"]:
        typer.echo(f"  {one['formula']}  =  {one['substituted']}")
    columns = {"parameter": say("参数", "parameter"), "value": say("值", "value"), "unit": say("单位", "unit"),
               "low": say("下界", "low"), "high": say("上界", "high"), "status": say("状态", "status"),
               "clause": say("依据", "clause")}  # fmt: skip
    table(node["factors"], columns)


def _show_effect(found: dict[str, Any]) -> None:
    from dualcarbon.plan.assessing.bulletin import tonnes
    from dualcarbon.plan.assessing.effect import TREATMENTS

    lang = language()
    rows = [
        {"id": one["id"], "title": one["title"], "value": one["value"], "low": one["low"], "high": one["high"],
         "marginal": one["marginal"], "treatment": TREATMENTS[one["treatment"]][lang]}
        for one in found["planned"]["rows"]
    ]  # fmt: skip
    columns = {"id": say("编号", "id"), "title": say("措施", "measure"), "value": say("年减排（吨）", "avoided (t)"),
               "low": say("下限", "low"), "high": say("上限", "high"), "marginal": say("边际", "marginal"),
               "treatment": say("处理", "treatment")}  # fmt: skip
    table(rows, columns)
    part = found["planned"]["parts"]["energy"]
    ends = f"{tonnes(part['low'], lang)} – {tonnes(part['high'], lang)}"
    typer.echo(f"{part['title'][lang]}: {tonnes(part['value'], lang)} ({ends})")
    if found["need"]:
        typer.echo(say("所需减排 ", "needed ") + tonnes(found["need"]["needed"], lang))


def bulletin(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("docx、pdf 或 xlsx", "docx, pdf or xlsx"))],
    kind: Annotated[str, typer.Option("--kind", help="bulletin | self-assessment | department | tables")] = "bulletin",
    department: Department = None,
    plan: Plan = None,
    as_of: AsOf = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Write a document of assessment; an Excel file gets all tables."""
    from dualcarbon.plan.assessing import documents

    ending = file.suffix.lower().lstrip(".")
    kind = "tables" if ending == "xlsx" else kind
    if ending not in documents.KINDS.get(kind, ()):
        raise typer.BadParameter(say(f"{kind} 不能写成 .{ending}", f"{kind} cannot be a .{ending}"), param_hint="FILE")
    if kind == "department" and department is None:
        raise typer.BadParameter(say("请用 --department 指定部门", "name the department with --department"))
    content = documents.content(
        opened_at(workspace), kind, ending, plan=plan, department=department, as_of=day_of(as_of), lang=language()
    )
    file.write_bytes(content)
    emit({"file": str(file), "kind": kind, "bytes": len(content)}, json, say(f"已写 {file}", f"wrote {file}"))


def calendar(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.ics]", help=say("日历文件", "the calendar file"))
    ] = None,
    department: Department = None,
    plan: Plan = None,
    as_of: AsOf = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """List what falls due, or write it as a calendar."""
    from dualcarbon.plan.assessing import schedule

    opened = opened_at(workspace)
    dues = schedule.dues(opened, plan, department, day_of(as_of))
    if file is not None:
        file.write_bytes(schedule.calendar(opened, plan, department, language(), day_of(as_of)))
    columns = {"day": say("日期", "day"), "title": say("事项", "what"), "who": say("单位", "who")}
    rows = [{**one, "day": one["day"].isoformat(), "who": "、".join(one["departments"])} for one in dues]
    emit({"file": None if file is None else str(file), "dues": dues}, json, lambda: table(rows, columns))


@warnings_cli.callback()
@absent_told()
def warned(
    context: typer.Context, plan: Plan = None, as_of: AsOf = None, json: Json = False, workspace: WorkspaceDir = None
) -> None:
    """List the warnings."""
    if context.invoked_subcommand is not None:
        return
    _, found = _board(workspace, plan, as_of)
    columns = {"level": say("级", "level"), "warning": say("编号", "id"), "reason": say("原因", "why"),
               "state": say("办理", "handling")}  # fmt: skip
    emit({"warnings": found["warnings"], "counts": found["warning_counts"]}, json,
         lambda: table(found["warnings"], columns))  # fmt: skip


@warnings_cli.command(help=say("签收、整改、销号、重开", "acknowledge, follow-up, close, reopen"))
@absent_told()
def answer(
    warning: Annotated[str, typer.Argument(metavar="WARNING", help=say("预警编号", "the warning's id"))],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="acknowledge | follow-up | close | reopen")],
    text: Annotated[str | None, typer.Option("--text", help=say("说明", "a note"))] = None,
    department: Department = None,
    person: Person = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import warnings

    said = {"text": text, "department": department, "person": person}
    done = warnings.answer(opened_at(workspace), warning, action, plan=plan, **said)  # type: ignore[arg-type]
    emit(done, json, f"{done['warning']}  {done['state']}")


@project_cli.callback()
@absent_told()
def listed(
    context: typer.Context, plan: Plan = None, as_of: AsOf = None, json: Json = False, workspace: WorkspaceDir = None
) -> None:
    """List the major projects."""
    if context.invoked_subcommand is not None:
        return
    from dualcarbon.plan.assessing import projects

    found = projects.projects(opened_at(workspace), plan, day_of(as_of))
    columns = {
        "project": say("编号", "id"), "title": say("项目", "project"), "investment": say("年度投资", "investment"),
        "invested": say("完成", "done"), "scheduled": say("时间进度", "time passed"), "lag": say("滞后", "lag"),
        "stage": say("阶段", "stage"),
    }  # fmt: skip
    emit(found, json, lambda: table(found["projects"], columns))


@project_cli.command(
    help=say("填报项目：不写月份为概况，写月份为进展", "tell a project's terms, or with --month its progress")
)
@absent_told()
def tell(
    project: Annotated[str, typer.Argument(metavar="PROJECT")],
    month: Annotated[int | None, typer.Option("--month", min=1, max=12, help=say("月份", "the month"))] = None,
    title: Annotated[str | None, typer.Option("--title", help=say("名称", "its name"))] = None,
    investment: Annotated[
        float | None, typer.Option("--investment", help=say("年度投资（亿元）", "the year's investment, 1e8 CNY"))
    ] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="DAY")] = None,
    finish: Annotated[str | None, typer.Option("--finish", metavar="DAY")] = None,
    invested: Annotated[
        float | None, typer.Option("--invested", help=say("1 月至今完成（亿元）", "done since January, 1e8 CNY"))
    ] = None,
    stage: Annotated[str | None, typer.Option("--stage", help=say("阶段", "the stage"))] = None,
    department: Department = None,
    person: Person = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import projects

    told: dict[str, Any] = {"investment": investment, "start": start, "finish": finish, "invested": invested}
    told |= {"department": department if month is None else None}
    told |= {"stage": stage, "title": {"zh": title, "en": title} if title else None}
    given = {name: value for name, value in told.items() if value is not None}
    done = projects.tell(opened_at(workspace), project, plan=plan, month=month, by=department, person=person, **given)
    emit(done, json, f"{done['project']}  {done['invested'] if done['invested'] is not None else ''}")
