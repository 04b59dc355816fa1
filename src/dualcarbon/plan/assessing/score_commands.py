"""The verbs of score sheets, and the options that the verbs of assessment share."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, say, table
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.options import AsOf, Person, Plan, absent_told, day_of, opened_at

Department = Annotated[str | None, typer.Option("--department", help=say("部门", "the department"))]
Scheme = Annotated[
    Path | None,
    typer.Option(
        "--scheme", help=say("评分方案：规则包里的编号，或 YAML、Excel 文件", "a scheme: its id in the pack, or a file")
    ),
]
Values = Annotated[Path | None, typer.Option("--values", help=say("数值（CSV、Excel）", "values (CSV, Excel)"))]
Ahead = Annotated[
    bool | None,
    typer.Option(
        "--forecast/--as-it-stands", help=say("按预计全年，或按现有数据", "by the forecast, or as things stand")
    ),
]
Change = Annotated[
    list[str] | None,
    typer.Option(
        "--what-if",
        metavar="…",
        help=say("试算：单位:指标=数值，或 指标=权重", "try SUBJECT:ITEM=VALUE or ITEM=WEIGHT"),
    ),
]
Points = Annotated[
    list[str] | None, typer.Option("--points", metavar="ITEM=POINTS", help=say("各项得分", "points of items"))
]
Lift = Annotated[
    list[str] | None,
    typer.Option(
        "--lift-veto",
        metavar="ITEM",
        help=say("解除哪一项的一票否决（要写理由）", "an item whose veto is lifted (needs a reason)"),
    ),
]
Explain = Annotated[
    str | None,
    typer.Option(
        "--explain", metavar="SUBJECT", help=say("打开一个对象的每一分", "open every point of a department or place")
    ),
]
score_cli = typer.Typer(help=say("评分：查看、试算、办理", "scores: show, what-if, steps"), invoke_without_command=True)


@score_cli.callback()
@absent_told()
def scored(
    context: typer.Context,
    plan: Plan = None,
    as_of: AsOf = None,
    scheme: Scheme = None,
    values: Values = None,
    forecast: Ahead = None,
    change: Change = None,
    explain: Explain = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Show the score sheet with ranks as far as the data allow, what would turn them, and what-if."""
    if context.invoked_subcommand is not None:
        return
    from dualcarbon.plan.assessing import score_changes

    laid, cells, told = _asked(workspace, plan, as_of, scheme, values, forecast)
    try:
        answer = score_changes.what_if(laid, cells, [_change(one) for one in change or []], told)
    except KeyError as error:
        raise Refused(Problem("plan.no-subject", value=str(error.args[0]))) from error
    found = {"sheet": answer["before"], "sensitivity": score_changes.sensitivity(laid, cells, told)}
    found |= {"what_if": answer["moved"]} if change else {}
    if explain is not None:
        own = next((one for one in answer["before"]["subjects"] if one["subject"] == explain), None)
        if own is None:
            raise Refused(Problem("plan.no-subject", value=explain))
        emit(own, json, lambda: _show_points(own))
        return
    emit(found, json, lambda: _show_scores(found))


def _asked(
    workspace: Path | None, plan: str | None, as_of: datetime | None, scheme: Path | None, values: Path | None,
    forecast: bool | None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:  # fmt: skip
    """The scheme, values and deductions: from files where given, else as the plan stands."""
    from dualcarbon.plan import follow, reads
    from dualcarbon.plan.assessing import board, score_scheme
    from dualcarbon.plan.store import document

    if scheme is not None and values is not None:
        if scheme.is_file():
            own = score_scheme.read(scheme)
            return own, score_scheme.read_values(values, own), {}
        opened = opened_at(workspace)
        chosen = score_scheme.named(opened, document(opened, plan, day_of(as_of)), str(scheme), day_of(as_of))
        return chosen, score_scheme.read_values(values, chosen), {}
    if values is not None:
        raise typer.BadParameter(say("--values 要和 --scheme 一起用", "--values goes with --scheme"))
    opened = opened_at(workspace)
    day = day_of(as_of)
    head = document(opened, plan, day)
    rows = follow.status(opened, head, day)
    if scheme is not None:
        laid = score_scheme.named(opened, head, scheme, day)
        ahead = forecast if forecast is not None else board.under_way(rows)
        told = score_scheme.slips(rows, reads.reports(opened, head, day).to_dicts())
        return laid, score_scheme.from_standing(laid, rows, forecast=ahead), told
    found = board.scheme_and_values(opened, head, rows, day, forecast=forecast)
    if found is None:
        raise Refused(Problem("plan.no-scheme", value=str(head["plan"])))
    return found


def _change(text: str) -> dict[str, Any]:
    name, _, number = text.rpartition("=")
    subject, _, item = name.rpartition(":")
    try:
        value = float(number)
    except ValueError as error:
        raise typer.BadParameter(text, param_hint="--what-if") from error
    return {"subject": subject, "item": item, "value": value} if subject else {"item": item, "weight": value}


def _show_scores(found: dict[str, Any]) -> None:
    from dualcarbon.plan.assessing.bulletin import rank_text

    columns = {"subject": say("对象", "subject"), "rank": say("名次", "rank"), "total": say("总分", "total"),
               "low": say("下限", "low"), "high": say("上限", "high"), "bonus": say("加分", "bonus"),
               "deducted": say("扣分", "deducted"), "veto": say("一票否决", "veto")}  # fmt: skip
    shown = ("total", "low", "high", "bonus", "deducted")
    rows = [
        {**one, **{name: None if one[name] is None else round(one[name], 2) for name in shown}}
        for one in found["sheet"]["subjects"]
    ]
    table([{**one, "rank": rank_text(one)} for one in rows], columns)
    if found.get("what_if"):
        table(found["what_if"], {"subject": say("对象", "subject"), "before": say("原来", "before"),
                                 "after": say("改后", "after")})  # fmt: skip


def _show_points(one: dict[str, Any]) -> None:
    """Every item with its arithmetic and how its incentive target counts, the deductions and the sum."""
    lang = language()
    rows = [
        {"title": row["title"], "points": None if row["points"] is None else round(row["points"] + row["bonus"], 2),
         "weight": row["weight"], "said": "；".join(
             told[lang] for told in (row["arithmetic"], row["incentive_said"]) if told)}
        for row in one["rows"]
    ]  # fmt: skip
    rows += [{"title": take["title"], "points": -round(take["points"], 2), "weight": None,
              "said": f"{take['times']:g} × {take['each']:g}"} for take in one["deductions"]]  # fmt: skip
    table(rows, {"title": say("指标", "item"), "points": say("得分", "points"), "weight": say("满分", "of"),
                 "said": say("算式", "arithmetic")})  # fmt: skip
    if one["total"] is not None:
        typer.echo(f"{one['subject']}  {one['total']:.2f}  ({one['low']:.2f} – {one['high']:.2f})")


@score_cli.command("open", help=say("按现有数据建一张评分表", "open a score sheet from how things stand"))
@absent_told()
def open_sheet(
    sheet: Annotated[str, typer.Argument(metavar="SHEET", help=say("评分表名", "the sheet's name"))],
    plan: Plan = None,
    as_of: AsOf = None,
    scheme: Scheme = None,
    values: Values = None,
    person: Person = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import score_sheet
    from dualcarbon.plan.store import document

    laid, cells, told = _asked(workspace, plan, as_of, scheme, values, None)
    opened = opened_at(workspace)
    name = str(document(opened, plan, day_of(as_of))["plan"])
    found = score_sheet.start(opened, sheet, laid, cells, plan=name, deductions=told, person=person)
    emit(found, json, lambda: _show_sheet(found))


@score_cli.command("schemes", help=say("规则包里的评分方案", "the schemes of the pack"))
@absent_told()
def list_schemes(plan: Plan = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    from dualcarbon.plan import shipping
    from dualcarbon.plan.assessing import score_scheme
    from dualcarbon.plan.store import document

    opened = opened_at(workspace)
    found = score_scheme.shipped(*shipping.of(opened, document(opened, plan)))
    rows = [{name: one.get(name) for name in ("id", "title", "of", "status")} for one in found]
    columns = {"id": say("编号", "id"), "title": say("方案", "scheme"), "of": say("对象", "of"),
               "status": say("依据状态", "status")}  # fmt: skip
    emit({"schemes": rows}, json, lambda: table(rows, columns))


@score_cli.command("template", help=say("写评分数值的填报模板（xlsx、csv）", "write the form of values (xlsx, csv)"))
@absent_told()
def template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("写到哪个文件", "the file to write"))],
    scheme: Annotated[
        Path | None, typer.Option("--scheme", help=say("方案编号或文件", "a scheme's id or file"))
    ] = None,
    plan: Plan = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import score_scheme
    from dualcarbon.plan.store import document

    opened = opened_at(workspace)
    made = score_scheme.values_form(opened, document(opened, plan), scheme, file)
    emit(
        made,
        json,
        say(f"{file}：{made['scheme']}，{made['rows']} 行", f"{file}: {made['scheme']}, {made['rows']} rows"),
    )


@score_cli.command("write", help=say("把评分表写成 Word、PDF 或 Excel", "write a sheet as Word, PDF or Excel"))
@absent_told()
def write_sheet(
    sheet: Annotated[str, typer.Argument(metavar="SHEET")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("docx、pdf 或 xlsx", "docx, pdf or xlsx"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import score_document, score_sheet

    ending = file.suffix.lower().lstrip(".")
    if ending not in score_document.KINDS:
        raise typer.BadParameter(say("写成 docx、pdf 或 xlsx", "write docx, pdf or xlsx"), param_hint="FILE")
    found = score_sheet.read(opened_at(workspace), sheet)
    file.write_bytes(score_document.content(found, ending, language()))
    emit({"file": str(file), "sheet": sheet}, json, say(f"已写 {file}", f"wrote {file}"))


@score_cli.command(
    "step",
    help=say(
        "办一步：自评、复核、异议、裁定、冻结、重算",
        "take a step: self-score, review, object, decide, freeze, recalculate",
    ),
)
@absent_told()
def take_step(
    sheet: Annotated[str, typer.Argument(metavar="SHEET")],
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="self-score | review | object | decide | freeze | recalculate")
    ],
    subject: Annotated[str | None, typer.Option("--subject", help=say("部门或地区", "department or place"))] = None,
    points: Points = None,
    lift: Lift = None,
    values: Values = None,
    reason: Annotated[str | None, typer.Option("--reason", help=say("理由", "the reason"))] = None,
    department: Department = None,
    person: Person = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import score_scheme, score_sheet

    told = {one["item"]: one["weight"] for one in (_change(text) for text in points or [])}
    cells = score_scheme.read_values(values) if values is not None else None
    found = score_sheet.step(
        opened_at(workspace), sheet, action, subject=subject, points=told, lift=lift, values=cells, reason=reason,
        department=department, person=person,
    )  # fmt: skip
    emit(found, json, lambda: _show_sheet(found))


@score_cli.command("show", help=say("查看一张评分表，或全部", "show a score sheet, or list them"))
@absent_told()
def show_sheet(
    sheet: Annotated[str | None, typer.Argument(metavar="[SHEET]")] = None,
    as_of: AsOf = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.plan.assessing import score_sheet

    if sheet is None:
        found = {"sheets": score_sheet.sheets(opened_at(workspace), as_of=day_of(as_of))}
        emit(
            found,
            json,
            lambda: table(found["sheets"], {"sheet": say("评分表", "sheet"), "state": say("状态", "state")}),
        )
        return
    one = score_sheet.read(opened_at(workspace), sheet, day_of(as_of))
    emit(one, json, lambda: _show_sheet(one))


def _show_sheet(found: dict[str, Any]) -> None:
    from dualcarbon.plan.assessing.score_steps import STATES

    lang = language()
    typer.echo(
        f"{found['sheet']}  {STATES[found['state']][lang]}  {say('第', 'edition ')}{found['edition']}{say('版', '')}"
    )
    rows = [{**one, "state": STATES[found["subjects"][one["subject"]]["state"]]} for one in found["result"]["subjects"]]
    table(rows, {"subject": say("对象", "subject"), "state": say("状态", "state"), "total": say("总分", "total")})
    for one in found["editions"]:
        edition = say(f"第{one['edition']}版，{one['told']} 冻结", f"Edition {one['edition']}, frozen {one['told']}")
        typer.echo(f"{edition}{say('：', ': ')}{one['why'][lang]}")
