"""Command-line verbs of the registry; they only translate between words, the registry and the reader.

The verbs that do something are made from the table in `forms`, which the API serves too.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say, table
from dualcarbon.registry.printing import columns, file_told, show, told

if TYPE_CHECKING:
    from dualcarbon.registry.book import Registry

cli = typer.Typer(
    help=say("登记：用能权、排污权、用水权、绿证、碳普惠", "the registry of rights and certificates"),
    no_args_is_help=True,
)
trades = typer.Typer(
    help=say("交易：挂牌、摘牌、撮合、交收、行情", "trading: offers, acceptance, matching, settlement, prices"),
    invoke_without_command=True,
)
filing = typer.Typer(
    help=say("备案链：方法学、项目、监测报告", "the chain of filings: methodology, project, report"),
    no_args_is_help=True,
)
cli.add_typer(trades, name="trades")
cli.add_typer(filing, name="filing")
GROUPS = {"": cli, "trades": trades, "filing": filing}

Code = Annotated[str | None, typer.Option("--instrument", help=say("品种", "instrument"))]
Vintage = Annotated[str | None, typer.Option(help=say("年度", "year"))]
State = Annotated[str | None, typer.Option(help=say("状态", "state"))]
After = Annotated[int, typer.Option(help=say("上一页的 next", "next of the page before"))]
Limit = Annotated[int, typer.Option(min=1, max=1000, help=say("每页条数", "rows a page"))]
Market = Annotated[str | None, typer.Option(help=say("别处市场的名称", "name of another market"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=say("只试算，不登记", "try only, record nothing"))]
Out = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False)]
In = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


def registry_of(folder: Path | None, *, create: bool = False) -> Registry:
    """The registry of the workspace; with `create` both are made where missing."""
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.ledger.store import Store
    from dualcarbon.registry.book import Registry

    place = Workspace.find_or_create(folder) if create else Workspace.find(folder)
    registry = Registry(Store(place.database), place.pack)
    if create:
        registry.install()
    return registry


def pack_of(folder: Path | None) -> str:
    """The workspace's rule pack; without a workspace the default one."""
    from dualcarbon.core.pack import DEFAULT
    from dualcarbon.core.workspace import NoWorkspace, Workspace

    try:
        return Workspace.find(folder).pack
    except NoWorkspace:
        return DEFAULT


def _verb(action: str) -> None:
    """Make the verb of one act from its form."""
    from dualcarbon.registry.forms import COMMON, FIELDS, FORMS

    form = FORMS[action]

    def run(**said: Any) -> None:
        json, workspace, dry_run, id = (said.pop(name) for name in ("json", "workspace", "dry_run", "id"))
        answer = registry_of(workspace, create=True).do(action, id, dry_run=dry_run, **said)
        emit(answer, json, told(answer))

    kinds: dict[str, Any] = {"integer": int, "texts": list[str], "flag": bool}
    parameters = []
    for name in (*form.arguments, *form.needed, *form.optional, *COMMON):
        field = FIELDS[name]
        help, kind = say(field.zh, field.en), kinds.get(field.kind, str)
        must = name in (*form.arguments, *form.needed) and name != "reason"
        info: Any
        if name in form.arguments:
            must = must and not (action == "issue" and name == "quantity")
            info = typer.Argument(metavar=name.upper(), help=help)
        else:
            info = typer.Option(f"--{(field.flag or name).replace('_', '-')}", help=help)
        annotation: Any = Annotated[kind if must or kind is bool else kind | None, info]
        default = inspect.Parameter.empty if must else False if kind is bool else None
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        )
    own = typer.Option("--id", help=say("自编编号，重复提交只登记一次", "your id; sent twice it counts once"))
    for name, annotation, default in (
        *(("id", Annotated[str, own], inspect.Parameter.empty), ("dry_run", DryRun, False)),
        *(("json", Json, False), ("workspace", WorkspaceDir, None)),
    ):
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        )
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    GROUPS[form.group].command(name=action, help=say(form.zh, form.en))(run)


@cli.command(help=say("品种及其生命周期、角色、参数与依据状态", "the instruments: life, roles, parameters, status"))
def instruments(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """As the workspace's rule pack has them (without a workspace: of the default one)."""
    from dualcarbon.registry.instruments import instruments

    rows = [one.as_dict() for one in instruments(pack_of(workspace)).values()]
    show({"instruments": rows}, "instruments", "code title unit issuer status", json)


@cli.command(help=say("谁可以何种角色办理", "who may act in which role"))
def roles(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Those the rule pack names and those appointed since."""
    from dualcarbon.registry import dossiers

    registry = registry_of(workspace)
    found = {"roles": dossiers.roles(registry.engine, registry.pack)}
    show(found, "roles", "instrument role_title actor act", json)


@cli.command(
    name="import",
    help=say("导入文件（CSV 或 Excel）：证书、分配、核销", "import a file: certificates, allocations or uses"),
)
def import_(
    file: In,
    kind: Annotated[
        str | None, typer.Option(help="certificates | transfers | retirements" + say("（默认看表头）", ""))
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """All rows or none. Certificates: 批次, 品种, 持有人, 数量, 起始编号, 计量点, 项目, 生产时期, 核发文件.

    Allocations: 编号, 品种, 出让方, 受让方, 数量, 证书编号. Uses: 编号, 品种, 持有人, 数量, 用途, 受益人, 证书编号.
    """
    from dualcarbon.registry.files import KINDS, import_file

    if kind not in (None, *KINDS):
        raise typer.BadParameter(" | ".join(KINDS), param_hint="--kind")
    answers = import_file(registry_of(workspace, create=True), file, kind=kind, dry_run=dry_run)
    emit({"lots": answers}, json, file_told(answers))


@cli.command(help=say("导出证书清单（Excel 或 CSV）", "write the certificates to Excel or CSV"))
def export(
    file: Out,
    code: Code = None,
    holder: Annotated[str | None, typer.Option(help=say("持有人", "holder"))] = None,
    state: State = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """One row for each block of serial numbers."""
    from dualcarbon.registry import exports

    rows = exports.certificate_rows(registry_of(workspace), code=code, holder=holder, state=state)
    exports.write_rows(rows, file, ("批次", "品种", "编号"))
    words = say(f"已写出 {len(rows)} 段编号：{file}", f"wrote {len(rows)} ranges to {file}")
    emit({"file": file, "rows": len(rows)}, json, words)


@cli.command(help=say("已主张的权益", "the claims on benefits"))
def claims(
    subject: Annotated[str | None, typer.Option(help=say("计量点或项目", "meter or project"))] = None,
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Oldest first."""
    from dualcarbon.registry import reads

    found = reads.claims(registry_of(workspace).engine, subject, after, limit)
    show(found, "claims", "act kind subjects start end released", json)


@cli.command(help=say("全部办理记录；--id 打开一条", "every act; --id opens one"))
def acts(
    action: Annotated[str | None, typer.Option(help=say("哪一种", "which kind"))] = None,
    id: Annotated[str | None, typer.Option("--id", help=say("编号", "id of one act"))] = None,
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """In the order they were recorded; one with what was asked and answered, its seal and its ledger entries."""
    from dualcarbon.registry import reads

    engine = registry_of(workspace).engine
    if id is None:
        found = reads.acts(engine, action=action, after=after, limit=limit)
        show(found, "acts", "recorded id action instrument quantity actor state", json)
        return
    one = reads.act(engine, id)
    emit(one, json, "\n".join((told(one["answer"]), one["asked"], f"{say('封印', 'seal')} {one['seal']}")))


@cli.command(help=say("查找编号：谁持有、状态、来源", "find serial numbers: holder, state, origin"))
def find(
    code: Code = None,
    holder: Annotated[str | None, typer.Option(help=say("持有人", "holder"))] = None,
    state: State = None,
    serial: Annotated[int | None, typer.Option(help=say("编号", "serial number"))] = None,
    subject: Annotated[str | None, typer.Option(help=say("计量点或项目", "meter or project"))] = None,
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Blocks in the order of their numbers."""
    from dualcarbon.registry import reads

    wanted: dict[str, Any] = {"code": code, "holder": holder, "state": state, "serial": serial, "subject": subject}
    found = reads.find(registry_of(workspace).engine, **wanted, after=after, limit=limit)
    show(found, "blocks", "text quantity holder state lot subjects start", json)


@cli.command(help=say("一个编号的一生", "the life of one unit"))
def life(
    code: Annotated[str, typer.Argument(metavar="INSTRUMENT", help=say("品种", "instrument"))],
    serial: Annotated[int, typer.Argument(metavar="SERIAL", help=say("编号", "serial number"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Issue, transfers, trades and retirement, oldest first, each with its entry in the ledger."""
    from dualcarbon.registry import reads

    life = reads.life(registry_of(workspace).engine, code, serial)
    shown = "at action actor holder seller buyer purpose beneficiary entry"
    show({"instrument": code, "serial": serial, "life": life}, "life", shown, json)


@cli.command(help=say("公开汇总：签发、持有、冻结、核销、注销、失效", "the public totals: issued, held, retired, ..."))
def totals(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """For each instrument and year."""
    from dualcarbon.registry import reads

    registry = registry_of(workspace)
    found = {"totals": reads.totals(registry.engine, registry.pack)}
    show(found, "totals", "title vintage unit issued held suspended retired cancelled expired status", json)


@cli.command(help=say("核对登记与账本是否一致、有无改动", "check that registry and ledger agree, unaltered"))
def check(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Exit 1 when a holder's numbers are not its balance, or an act, lot, trade or filing was altered."""
    from dualcarbon.registry import reads

    registry = registry_of(workspace)
    found = reads.check(registry.engine, registry.pack)
    words = say("编号与账本一致。", "serial numbers and ledger agree.")
    shown = {**columns("account", "balance", "serials", "act"), "problem": say("问题", "problem")}
    emit({"ok": not found, "problems": found}, json, (lambda: table(found, shown)) if found else words)
    if found:
        raise typer.Exit(1)


def _make_verbs() -> None:
    from dualcarbon.registry.forms import FORMS

    for action in FORMS:
        if action != "import":  # a file of lots: see import_
            _verb(action)


_make_verbs()

from dualcarbon.registry import market_commands  # noqa: E402, F401  (its verbs join the groups above)
