"""The verbs that feed a plan: load, list, status, forms out and in, carry-over, a synthetic year."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, progress, say, table
from dualcarbon.plan.options import AsOf, At, DryRun, Person, Plan, day_of, opened_in


def load(
    document: Annotated[
        str, typer.Argument(metavar="FILE|PACK/YEAR", help=say("计划文件，或 规则包/年份", "its file"))
    ],
    json: Json = False,
    dry_run: DryRun = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Put a plan into the workspace."""
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.plan.feeding.loading import load

    made = load(Workspace.find_or_create(workspace), document, dry_run=dry_run)
    zh = "已在工作区" if made["already"] else f"第 {made['version']} 版已载入"
    en = "already there" if made["already"] else f"version {made['version']} loaded"
    counts = (made["tasks"], made["policies"], made["indicators"])
    emit(
        made, json,
        say(f"{made['plan']}　{made['title']}：{zh}，{counts[0]} 项任务、{counts[1]} 项政策、{counts[2]} 个指标",
            f"{made['plan']}  {made['title']}: {en}, {counts[0]} tasks, {counts[1]} policies, {counts[2]} indicators"),
    )  # fmt: skip


def list_(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """The plans of the workspace."""
    from dualcarbon.plan import reads

    with opened_in(workspace) as opened:
        rows = reads.plans(opened)
    columns = {
        "plan": say("计划", "plan"), "version": say("版次", "version"), "title": say("标题", "title"),
        "issued": say("印发", "issued"), "status": say("依据状态", "status"),
    }  # fmt: skip
    emit({"plans": rows}, json, lambda: table(rows, columns))


def status(as_of: AsOf = None, plan: Plan = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """How every line stands."""
    from dualcarbon.plan import follow, reads

    with opened_in(workspace) as opened:
        head = reads.document(opened, plan, day_of(as_of))
        rows = follow.status(opened, head, day_of(as_of))
        tasks = follow.task_status(opened, head, day_of(as_of))
    emit({"plan": head["plan"], "indicators": rows, "tasks": tasks}, json, lambda: _standing(rows))


def _standing(rows: list[dict[str, Any]]) -> None:
    from dualcarbon.plan.words import STANDING_WORDS

    shown = [{**row, "state": say(*STANDING_WORDS[row["state"]]), "reason": row["reason"][language()]} for row in rows]
    columns = {
        "line": say("编码", "line"), "name": say("指标", "indicator"), "state": say("状态", "state"),
        "actual": say("现值", "actual"), "expected": say("应达", "due"), "target": say("目标", "target"),
        "unit": say("单位", "unit"), "reason": say("说明", "reason"),
    }  # fmt: skip
    table(shown, columns)


def template(
    department: Annotated[str, typer.Argument(metavar="DEPARTMENT", help=say("部门", "the department"))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("写到哪个文件（xlsx）", "the file to write (xlsx)"))],
    month: Annotated[int | None, typer.Option("--month", min=1, max=12, help=say("月份", "the month"))] = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """The form of a department."""
    from dualcarbon.plan.feeding import form

    with opened_in(workspace) as opened:
        made = form.write(opened, plan, department, file, month)
    who, due, indicators, tasks = (made[name] for name in ("department", "due", "indicators", "tasks"))
    zh = f"{who} {made['month']} 月填报表：{indicators} 个指标、{tasks} 项任务，{due} 前报送：{file}"
    en = f"{who}, month {made['month']}: {indicators} indicators, {tasks} tasks, due {due}: {file}"
    emit(made, json, say(zh, en))


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("填好的填报表", "the filled form"))],
    evidence: Annotated[
        Path | None, typer.Option(help=say("佐证文件所在文件夹", "folder of the evidence files"))
    ] = None,
    plan: Plan = None,
    person: Person = None,
    at: At = None,
    key: Annotated[str | None, typer.Option(help=say("提交编号（可重试）", "the client's key, to try again"))] = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help=say("标为演示数据", "mark the values as synthetic"))
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Import a form whole or not at all."""
    from dualcarbon.plan.feeding import form_reading

    with opened_in(workspace) as opened:
        made = form_reading.import_form(
            opened, file, plan=plan, person=person, at=day_of(at), key=key, folder=evidence, dry_run=dry_run,
            status="synthetic" if synthetic else None,
        )  # fmt: skip
    who, month, entries, unchanged = (made[name] for name in ("department", "month", "entries", "unchanged"))
    zh = f"{who} {month} 月：{len(made['reports'])} 行填报，{entries} 条名单，{unchanged} 行无变化"
    en = f"{who}, month {month}: {len(made['reports'])} reports, {entries} entries, {unchanged} unchanged"
    emit(made, json, say(("（此前已导入）" if made["already"] else "") + zh, en))


def carry_over(
    old: Annotated[str, typer.Argument(metavar="PLAN", help=say("上一年度计划", "the earlier plan"))],
    new: Annotated[str, typer.Argument(metavar="LATER", help=say("下一年度计划", "the later plan"))],
    as_of: AsOf = None,
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Carry unfinished work to a later plan."""
    from dualcarbon.plan.feeding import carrying

    with opened_in(workspace) as opened:
        made = carrying.carry_over(opened, old, new, as_of=day_of(as_of), dry_run=dry_run)
    rows = [{**row, "reason": row["reason"][language()]} for row in made["carried"]]
    columns = {
        "from_line": say("原编码", "from"), "line": say("新编码", "to"), "name": say("名称", "name"),
        "remaining": say("未完成", "remaining"), "unit": say("单位", "unit"), "reason": say("说明", "reason"),
    }  # fmt: skip
    emit(made, json, lambda: table(rows, columns))


def demo(
    seed: Annotated[int, typer.Option(help=say("随机种子", "the seed"))] = 2024,
    until: Annotated[int, typer.Option(min=1, max=12, help=say("到几月", "the last month"))] = 12,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """A synthetic year of reports, labelled so."""
    from dualcarbon.plan.feeding import synthetic

    with opened_in(workspace) as opened, progress(json) as bar:
        task = bar.add_task(say("生成演示填报", "making synthetic reports"), total=1.0)
        made = synthetic.fill(
            opened, plan, seed=seed, until=until, progress=lambda share: bar.update(task, completed=share)
        )
    reports, late, returned, corrected = (made[name] for name in ("reports", "late", "returned", "corrected"))
    zh = f"{made['plan']}：{reports} 份演示填报，迟报 {late}、退回 {returned}、更正 {corrected}（模拟数据）"
    en = f"{made['plan']}: {reports} synthetic reports, {late} late, {returned} returned, {corrected} corrected"
    emit(made, json, say(zh, en))


#: Name, function, what it does in Chinese and English.
VERBS: tuple[tuple[str, Callable[..., None], str, str], ...] = (
    ("load", load, "把计划载入工作区（文件，或 规则包/年份）", "put a plan into the workspace (a file or PACK/YEAR)"),
    ("list", list_, "工作区里的计划", "the plans of the workspace"),
    ("status", status, "各指标、任务的进展", "how every line stands"),
    ("template", template, "下载部门填报表", "write a department's form"),
    ("import", import_, "导入填好的填报表：全部进或全部不进", "import a filled form, whole or not at all"),
    ("carry-over", carry_over, "把未完成事项结转到下一年度", "carry unfinished work to a later plan"),
    ("demo", demo, "生成一年演示填报（模拟数据）", "make a synthetic year of reports"),
)
