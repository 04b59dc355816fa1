"""The verbs of the dual targets: show them, write the form of figures handed down, import it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, say, table
from dualcarbon.plan.options import AsOf, Person, Plan, absent_told, day_of, opened_at

dual_cli = typer.Typer(
    help=say("能耗和碳排放强度双目标：查看、模板、导入", "dual targets: show, template, import"),
    invoke_without_command=True,
)
_LACKS = 8


@dual_cli.callback()
@absent_told()
def dual(
    context: typer.Context, plan: Plan = None, as_of: AsOf = None, json: Json = False, workspace: WorkspaceDir = None
) -> None:
    """Show energy and carbon intensity against their dual targets."""
    if context.invoked_subcommand is not None:
        return
    from dualcarbon.plan.assessing import dual as duals

    found = duals.dual(opened_at(workspace), plan, day_of(as_of))
    emit(found, json, lambda: _show(found))


def _show(found: dict[str, Any]) -> None:
    from dualcarbon.plan.assessing.bulletin import LABEL
    from dualcarbon.plan.assessing.dual_blocks import KINDS, VIEWS, percent

    lang = language()
    n, unset = lang != "zh", say("未下达", "not set")
    if found["synthetic"]:
        typer.echo(f"[{LABEL[lang]}]")
    rows = [
        {"what": KINDS[kind][n], "fall": percent(found[kind]["fall"], lang), "said": found[kind]["said"],
         **{name: unset if found[kind][name] is None else percent(found[kind][name], lang)
            for name in ("basic", "incentive")},
         "five": percent(found[kind]["cumulative"]["fall"], lang)}
        for kind in KINDS
    ]  # fmt: skip
    columns = {"what": say("强度", "intensity"), "fall": say("下降", "fall"), "basic": say("基本", "basic"),
               "incentive": say("激励", "incentive"), "said": say("判断", "judgement"),
               "five": say("五年累计", "five years")}  # fmt: skip
    table(rows, columns)
    views = [{**one, "view": VIEWS[one["view"]][n], "fall": percent(one["fall"], lang)}
             for one in found["energy"]["views"]]  # fmt: skip
    if views:
        table(views, {"view": say("口径", "view"), "energy": say("能耗（tce）", "energy (tce)"),
                      "fall": say("强度下降", "fall")})  # fmt: skip
    used = found["certificates"]
    if used["mwh"] is not None:
        zh = f"省外绿证核销 {used['mwh']:,.0f} 兆瓦时，折 {used['tce']:,.0f} tce，可抵扣 {used['used']:,.0f} tce"
        en = f"Certificates used: {used['mwh']:,.0f} MWh, {used['tce']:,.0f} tce, deducted {used['used']:,.0f} tce"
        typer.echo(say(zh, en))
    lacks = found["lacks"]
    if lacks:
        shown = [{**one, "period": one["span"]} for one in lacks[:_LACKS]]
        table(shown, {"title": say("缺的数", "missing"), "period": say("时期", "period"),
                               "serves": say("用来", "serves")})  # fmt: skip
        count = len(lacks)
        zh, en = (
            f"缺 {count} 个数；用 plan dual template 取模板，填好后 plan dual import",
            f"{count} figures are missing",
        )
        typer.echo(say(zh, f"{en}; take the form with plan dual template, then plan dual import"))


@dual_cli.command(
    help=say("写填报模板（xlsx 或 csv），已有的数在里面", "write the form (xlsx or csv) with what is known")
)
@absent_told()
def template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("写到哪个文件", "the file to write"))],
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import dual as duals
    from dualcarbon.plan.assessing import handed

    opened = opened_at(workspace)
    found = duals.dual(opened, plan)
    made = handed.template(opened, found["place"], found["five_year"], found["year"], file)
    emit(made, json, say(f"{file}：{made['rows']} 行，已有 {made['filled']} 个数",
                         f"{file}: {made['rows']} rows, {made['filled']} figures known"))  # fmt: skip


@dual_cli.command(
    "import", help=say("导入填好的模板；有一处错就都不导入", "import the filled form, whole or not at all")
)
@absent_told()
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("填好的模板", "the filled form"))],
    plan: Plan = None,
    person: Person = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("只检查", "check only"))] = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import dual as duals
    from dualcarbon.plan.assessing import handed

    opened = opened_at(workspace)
    place = duals.dual(opened, plan)["place"]
    told = handed.read_file(file)
    made = handed.tell(opened, place, told, person=person, dry_run=dry_run, file=file.name)
    new, same = len(made["told"]), made["unchanged"]
    zh = f"{new} 个数{'可以导入' if dry_run else '已导入'}，{same} 个没有变化"
    emit(made, json, say(zh, f"{new} figures {'can be' if dry_run else 'were'} imported, {same} unchanged"))
