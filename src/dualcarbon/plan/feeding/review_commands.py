"""The verbs around a plan's reports: review, confirmation, evidence, ways, automatic feeds, other systems."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, say, table
from dualcarbon.plan.options import AsOf, At, Line, Month, Person, Plan, Reason, day_of, opened_in


def queue(as_of: AsOf = None, plan: Plan = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """What waits for a reviewer."""
    from dualcarbon.plan.feeding import judging

    with opened_in(workspace) as opened:
        rows = judging.queue(opened, plan, day_of(as_of))
    columns = {
        "number": say("填报", "report"), "period": say("期", "period"), "line": say("编码", "line"),
        "name": say("名称", "name"), "before": say("上期", "before"), "value": say("本期", "value"),
        "unit": say("单位", "unit"), "progress": say("进展", "progress"), "department": say("部门", "department"),
        "told": say("收到", "told"), "evidence": say("佐证", "evidence"),
    }  # fmt: skip
    if rows:
        emit({"waiting": rows}, json, lambda: table([{**row, "told": str(row["told"])} for row in rows], columns))
    else:
        emit({"waiting": rows}, json, say("没有待审核的填报", "no report waits for review"))


def review(
    reports: Annotated[list[int], typer.Argument(metavar="REPORT...", help=say("填报编号", "numbers of reports"))],
    accept: Annotated[bool, typer.Option("--accept", help=say("通过", "accept them"))] = False,
    back: Annotated[bool, typer.Option("--return", help=say("退回（须写原因）", "return them, with a reason"))] = False,
    reason: Reason = None,
    person: Person = None,
    at: At = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Accept or return reports."""
    from dualcarbon.plan.feeding import judging

    if accept == back:
        raise typer.BadParameter(say("请用 --accept 或 --return", "say --accept or --return"))
    with opened_in(workspace) as opened:
        decision = "accepted" if accept else "returned"
        made = judging.review(opened, plan, reports, decision, person=person, reason=reason, at=day_of(at))
    word = say("通过", "accepted") if accept else say("退回", "returned")
    emit(made, json, f"{word}：{'、'.join(map(str, made['reports']))}")


def confirm(
    line: Line,
    department: Annotated[str, typer.Argument(metavar="DEPARTMENT", help=say("牵头单位", "its lead unit"))],
    paper: Annotated[str | None, typer.Option(help=say("文号", "the paper's number"))] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help=say("撤回确认", "withdraw it"))] = False,
    reason: Reason = None,
    person: Person = None,
    at: At = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """The lead unit's word that a line is done."""
    from dualcarbon.plan.feeding import judging

    with opened_in(workspace) as opened:
        action = "withdraw" if withdraw else "confirm"
        made = judging.confirm(
            opened, plan, line, department, person=person, paper=paper, action=action, reason=reason, at=day_of(at)
        )
    word = say("已撤回", "withdrawn") if withdraw else say("已确认完成", "confirmed as done")
    emit(made, json, f"{made['line']}：{made['department']} {word}")


def evidence(
    report: Annotated[int, typer.Argument(metavar="REPORT", help=say("填报编号", "the report's number"))] = 0,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help=say("佐证文件", "the file"))] = None,
    check: Annotated[bool, typer.Option("--check", help=say("核验全部佐证", "check every file and its chain"))] = False,
    remark: Annotated[str | None, typer.Option(help=say("说明", "a remark"))] = None,
    person: Person = None,
    at: At = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Attach evidence to a report, or check all of it."""
    from dualcarbon.plan import reads
    from dualcarbon.plan.feeding import proofs

    with opened_in(workspace) as opened:
        if check:
            held, faults = reads.evidence(opened, plan), proofs.verify(opened, plan)
            found = {"files": len(held), "faults": faults}
            zh, en = f"{len(held)} 份佐证，{len(faults)} 处不符", f"{len(held)} files, {len(faults)} faults"
            emit(found, json, say(zh, en))
            if faults:
                raise typer.Exit(1)
            return
        if file is None or report < 1:
            raise typer.BadParameter(say("请给出填报编号和文件", "give the report's number and the file"))
        made = proofs.attach(opened, plan, report, file, remark=remark, person=person, at=day_of(at))
    emit(made, json, f"{made['name']}  sha256:{made['digest']}")


def path(
    line: Line,
    method: Annotated[str, typer.Option(help="linear | seasonal | set")] = "linear",
    opening: Annotated[float | None, typer.Option(help=say("年初值", "the value at the year's start"))] = None,
    points: Annotated[str | None, typer.Option(help=say("自定，如 6:30,12:80", "by month: 6:30,12:80"))] = None,
    shape: Annotated[str | None, typer.Option(help=say("seasonal 的十二个月增量", "twelve increments"))] = None,
    department: Annotated[str | None, typer.Option(help=say("部门", "the department"))] = None,
    reason: Reason = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Set the way of an indicator to its target."""
    from dualcarbon.plan.feeding import ways

    try:
        parts = [one.split(":") for one in (points or "").split(",") if one]
        told = {int(month): float(value) for month, value in parts}
        months = [float(value) for value in shape.split(",")] if shape else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with opened_in(workspace) as opened:
        made = ways.set_path(
            opened, plan, line, method, opening=opening, points=told or None, history=[months] if months else None,
            department=department, reason=reason,
        )  # fmt: skip
    shown = "、".join("—" if value is None else f"{value:g}" for value in made["path"])
    emit(made, json, f"{made['line']}：{shown}")


def steps(
    line: Line,
    step: Annotated[
        list[str], typer.Option("--step", help=say("月份:名称[:权重]，可重复", "MONTH:TITLE[:WEIGHT], repeated"))
    ],
    reason: Reason = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Set the milestones of a line."""
    from dualcarbon.plan.feeding import ways

    told = []
    for one in step:
        month, _, rest = one.partition(":")
        title, _, weight = rest.partition(":")
        try:
            told.append({"month": int(month), "title": title, "weight": float(weight or 1)})
        except ValueError as error:
            raise typer.BadParameter(one) from error
    with opened_in(workspace) as opened:
        made = ways.set_steps(opened, plan, line, told, reason=reason)
    emit(made, json, say(f"{made['line']}：{made['steps']} 个里程碑", f"{made['line']}: {made['steps']} milestones"))


def feed(
    month: Month,
    keep: Annotated[bool, typer.Option("--keep", help=say("写入计划", "take the figures into the plan"))] = False,
    at: At = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """What the platform computes for a plan's lines."""
    from dualcarbon.plan.feeding import feeds

    with opened_in(workspace) as opened:
        made = feeds.pull(opened, plan, month, at=day_of(at)) if keep else None
        rows = feeds.figures(opened, plan, month, day_of(at))
        found = {"figures": rows, "sources": feeds.sources(opened, plan), "kept": made}
    lang = language()
    shown = [
        {**row, "name": row["name"][lang], "missing": "；".join(one[lang] for one in row["missing"])} for row in rows
    ]
    columns = {
        "line": say("编码", "line"), "name": say("名称", "name"), "value": say("数值", "value"),
        "unit": say("单位", "unit"), "status": say("依据状态", "status"), "missing": say("缺什么", "missing"),
    }  # fmt: skip
    emit(found, json, lambda: table(shown, columns))


def link(
    line: Line,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help=say("系统", "the system"))],
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("数的名称", "the figure's name"))],
    value: Annotated[float, typer.Argument(metavar="VALUE", help=say("数值", "its value"))],
    period: Annotated[str, typer.Option(help=say("时期", "its period"))],
    source: Annotated[str, typer.Option(help=say("从哪里读到", "where it was read"))],
    unit: Annotated[str | None, typer.Option(help=say("单位", "its unit"))] = None,
    grade: Annotated[
        str, typer.Option("--status", help="official | secondary | unverified | synthetic")
    ] = "unverified",
    person: Person = None,
    at: At = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Mirror a figure of another system beside a line."""
    from dualcarbon.plan.feeding import systems

    with opened_in(workspace) as opened:
        made = systems.mirror(
            opened, plan, line, system, name, value=value, unit=unit, period=period, source=source, status=grade,
            person=person, at=day_of(at),
        )  # fmt: skip
    emit(made, json, f"{made['line']}  {made['system']}  {made['name']} {made['value']:g}{made['unit'] or ''}")


def systems(as_of: AsOf = None, plan: Plan = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """The systems that a plan builds on."""
    from dualcarbon.plan.feeding import systems

    with opened_in(workspace) as opened:
        rows = systems.systems(opened, plan, day_of(as_of))
    lang = language()
    shown = [{"title": row["title"][lang], "lines": "、".join(row["lines"]), "note": row["note"][lang]} for row in rows]
    columns = {"title": say("系统", "system"), "lines": say("编码", "lines"), "note": say("说明", "note")}
    emit({"systems": rows}, json, lambda: table(shown, columns))


#: Name, function, what it does in Chinese and English.
VERBS: tuple[tuple[str, Callable[..., None], str, str], ...] = (
    ("queue", queue, "待审核的填报", "what waits for a reviewer"),
    ("review", review, "审核：通过或退回", "accept or return reports"),
    ("confirm", confirm, "牵头单位确认完成", "the lead unit's word that a line is done"),
    ("evidence", evidence, "附佐证文件；--check 核验", "attach evidence to a report; --check checks all"),
    ("path", path, "设定到目标的进度", "set the way of an indicator to its target"),
    ("steps", steps, "设定里程碑", "set the milestones of a line"),
    ("feed", feed, "平台自动计算的数", "what the platform computes for a plan's lines"),
    ("link", link, "登记其他系统的镜像数", "mirror a figure of another system"),
    ("systems", systems, "计划依托的已有系统", "the systems that a plan builds on"),
)
