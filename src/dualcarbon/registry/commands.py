"""Command-line verbs of the registry; they only translate between words, the registry and the reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say, table

if TYPE_CHECKING:
    from dualcarbon.registry.book import Registry

cli = typer.Typer(
    help=say("登记：用能权、排污权、用水权、绿证、碳普惠", "the registry of rights and certificates"),
    no_args_is_help=True,
)

Code = Annotated[str, typer.Argument(metavar="INSTRUMENT", help=say("品种，如 gec", "instrument, such as gec"))]
Quantity = Annotated[int, typer.Argument(metavar="QUANTITY", help=say("数量（最小单位的整数）", "integer quantity"))]
Id = Annotated[
    str, typer.Option("--id", help=say("自编编号，重复提交只登记一次", "your id; sent twice it counts once"))
]
Vintage = Annotated[str | None, typer.Option(help=say("年度（按年管理的权益）", "year, for yearly rights"))]
At = Annotated[str | None, typer.Option("--at", help=say("发生时间（默认此刻）", "when (default: now)"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=say("只试算，不登记", "try only, record nothing"))]
Serials = Annotated[
    str | None,
    typer.Option(metavar="FIRST-LAST", help=say("编号（默认从最小起）", "serial numbers (default: lowest)")),
]
Document = Annotated[str | None, typer.Option(help=say("依据文件", "the document it rests on"))]


def _registry(folder: Path | None, *, create: bool = False) -> Registry:
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.ledger.store import Store
    from dualcarbon.registry.book import Registry

    place = Workspace.find_or_create(folder) if create else Workspace.find(folder)
    registry = Registry(Store(place.database), place.pack)
    if create:
        registry.install()
    return registry


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, last = text.rpartition(":")[2].partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise typer.BadParameter(say(f"编号应写作 1-100：{text}", f"write serial numbers as 1-100: {text}"))
    return int(first), int(last or first)


def _told(answer: dict[str, Any]) -> str:
    words = {
        "ok": say("已登记", "recorded"),
        "exists": say("先前已登记", "recorded before"),
        "would_be_ok": say("试算通过，未登记", "it would be recorded; nothing was"),
    }
    serials = say("，", ", ").join(one["text"] for one in answer.get("serials", ()))
    amount = f" {answer['quantity']:,} {answer['unit']}" if "quantity" in answer else ""
    return f"{words[answer['result']]}{say('：', ': ')}{answer['id']}{amount}{'  ' + serials if serials else ''}"


@cli.command(help=say("品种及其生命周期、参数与依据状态", "the instruments, their life, parameters and status"))
def instruments(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """As the workspace's rule pack has them (without a workspace: Jiaxing's)."""
    from dualcarbon.core.workspace import NoWorkspace, Workspace
    from dualcarbon.registry.instruments import instruments

    try:
        pack = Workspace.find(workspace).pack
    except NoWorkspace:
        pack = "cn-jiaxing"
    rows = [one.as_dict() for one in instruments(pack).values()]
    columns = {
        "code": say("代码", "code"),
        "title": say("名称", "title"),
        "unit": say("单位", "unit"),
        "issuer": say("核发", "issuer"),
        "status": say("依据状态", "status"),
    }
    emit({"instruments": rows}, json, lambda: table(rows, columns))


@cli.command(help=say("签发（本平台登记的品种）", "issue units"))
def issue(
    code: Code,
    quantity: Quantity,
    id: Id,
    holder: Annotated[str, typer.Option(help=say("持有人", "holder"))],
    subject: Annotated[list[str] | None, typer.Option(help=say("计量点或项目（可多次）", "meter or project"))] = None,
    period: Annotated[str | None, typer.Option(help=say("产生时期，如 2024-03", "when they arose"))] = None,
    document: Document = None,
    vintage: Vintage = None,
    at: At = None,
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Refused when the benefit of a subject and period is claimed already."""
    said: dict[str, Any] = {"subjects": subject or [], "period": period, "document": document, "vintage": vintage}
    registry = _registry(workspace, create=True)
    answer = registry.issue(id, code, holder, quantity, **said, at=at, dry_run=dry_run)
    emit(answer, json, _told(answer))


@cli.command(name="import", help=say("导入别处核发的证书文件（CSV 或 Excel）", "import certificates issued elsewhere"))
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """One lot a row: 批次, 品种, 持有人, 数量, 起始编号, 计量点, 项目, 生产时期, 核发文件, 核发时间."""
    from dualcarbon.registry.files import import_file

    answers = import_file(_registry(workspace, create=True), file, dry_run=dry_run)
    emit({"lots": answers}, json, "\n".join(map(_told, answers)) or say("文件里没有批次", "the file has no lots"))


@cli.command(help=say("转让或分配给另一持有人", "transfer or allocate to another holder"))
def transfer(
    code: Code,
    quantity: Quantity,
    id: Id,
    seller: Annotated[str, typer.Option("--from", help=say("出让方", "seller"))],
    buyer: Annotated[str, typer.Option("--to", help=say("受让方", "buyer"))],
    serials: Serials = None,
    vintage: Vintage = None,
    document: Document = None,
    at: At = None,
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """The lowest serial numbers first, or just those given."""
    said: dict[str, Any] = {"serials": _range(serials), "vintage": vintage, "document": document, "at": at}
    answer = _registry(workspace, create=True).transfer(id, code, seller, buyer, quantity, **said, dry_run=dry_run)
    emit(answer, json, _told(answer))


@cli.command(help=say("核销（注销）：写明用途和受益人", "retire for a purpose and a beneficiary"))
def retire(
    code: Code,
    quantity: Quantity,
    id: Id,
    holder: Annotated[str, typer.Option(help=say("持有人", "holder"))],
    purpose: Annotated[str | None, typer.Option(help=say("用途", "purpose"))] = None,
    beneficiary: Annotated[str | None, typer.Option(help=say("受益人", "beneficiary"))] = None,
    serials: Serials = None,
    vintage: Vintage = None,
    at: At = None,
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Final: what is retired never moves again."""
    said: dict[str, Any] = {"purpose": purpose, "beneficiary": beneficiary, "serials": _range(serials)}
    registry = _registry(workspace, create=True)
    answer = registry.retire(id, code, holder, quantity, **said, vintage=vintage, at=at, dry_run=dry_run)
    emit(answer, json, _told(answer))


@cli.command(help=say("主张权益而不签发，如碳账户扣减", "claim a benefit without units, such as a deduction"))
def claim(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=say("用途，如 碳账户扣减", "what for"))],
    id: Id,
    subject: Annotated[list[str], typer.Option(help=say("计量点或项目（可多次）", "meter or project"))],
    period: Annotated[str, typer.Option(help=say("时期，如 2024-03", "period"))],
    attribute: Annotated[str, typer.Option(help=say("权益", "benefit"))] = "climate",
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """One benefit of a subject on a day has one claim; the refusal names the other."""
    answer = _registry(workspace, create=True).claim(id, kind, attribute, subject, period, dry_run=dry_run)
    emit(answer, json, _told(answer))


@cli.command(help=say("已主张的权益", "the claims on benefits"))
def claims(
    subject: Annotated[str | None, typer.Option(help=say("计量点或项目", "meter or project"))] = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Oldest first."""
    from dualcarbon.registry import reads

    found = reads.claims(_registry(workspace).engine, subject)
    columns = {
        "act": say("编号", "id"),
        "kind": say("用途", "kind"),
        "subjects": say("计量点或项目", "subjects"),
        "start": say("起", "from"),
        "end": say("止（不含）", "to (exclusive)"),
    }
    emit({"claims": found}, json, lambda: table(found, columns))


@cli.command(help=say("查找编号：谁持有、状态、来源", "find serial numbers: holder, state, origin"))
def find(
    code: Annotated[str | None, typer.Option("--instrument", help=say("品种", "instrument"))] = None,
    holder: Annotated[str | None, typer.Option(help=say("持有人", "holder"))] = None,
    state: Annotated[str | None, typer.Option(help="held | retired")] = None,
    serial: Annotated[int | None, typer.Option(help=say("编号", "serial number"))] = None,
    subject: Annotated[str | None, typer.Option(help=say("计量点或项目", "meter or project"))] = None,
    after: Annotated[int, typer.Option(help=say("上一页的 next", "next of the page before"))] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help=say("每页条数", "rows a page"))] = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Blocks in the order of their numbers."""
    from dualcarbon.registry import reads

    said: dict[str, Any] = {"code": code, "holder": holder, "state": state, "serial": serial, "subject": subject}
    found = reads.find(_registry(workspace).engine, **said, after=after, limit=limit)
    columns = {
        "text": say("编号", "serials"),
        "quantity": say("数量", "quantity"),
        "holder": say("持有人", "holder"),
        "state": say("状态", "state"),
        "lot": say("批次", "lot"),
        "subjects": say("计量点或项目", "subjects"),
        "start": say("产生时期起", "from"),
    }
    emit(found, json, lambda: table(found["blocks"], columns))


@cli.command(help=say("一个编号的一生", "the life of one unit"))
def life(
    code: Code,
    serial: Annotated[int, typer.Argument(metavar="SERIAL", help=say("编号", "serial number"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Issue, transfers and retirement, oldest first, each with its entry in the ledger."""
    from dualcarbon.registry import reads

    found = reads.life(_registry(workspace).engine, code, serial)
    columns = {
        "at": say("时间", "at"),
        "action": say("行为", "action"),
        "holder": say("持有人", "holder"),
        "seller": say("出让方", "seller"),
        "buyer": say("受让方", "buyer"),
        "purpose": say("用途", "purpose"),
        "beneficiary": say("受益人", "beneficiary"),
        "entry": say("分录", "entry"),
    }
    emit({"instrument": code, "serial": serial, "life": found}, json, lambda: table(found, columns))


@cli.command(help=say("成交记录", "the transfers recorded"))
def trades(
    code: Annotated[str | None, typer.Option("--instrument", help=say("品种", "instrument"))] = None,
    after: Annotated[int, typer.Option(help=say("上一页的 next", "next of the page before"))] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help=say("每页条数", "rows a page"))] = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """In the order they were recorded."""
    from dualcarbon.registry import reads

    found = reads.trades(_registry(workspace).engine, code, after, limit)
    columns = {
        "at": say("时间", "at"),
        "id": say("编号", "id"),
        "instrument": say("品种", "instrument"),
        "vintage": say("年度", "vintage"),
        "seller": say("出让方", "seller"),
        "buyer": say("受让方", "buyer"),
        "quantity": say("数量", "quantity"),
        "unit": say("单位", "unit"),
    }
    emit(found, json, lambda: table(found["trades"], columns))


@cli.command(help=say("公开汇总：签发、持有、核销", "the public totals: issued, held, retired"))
def totals(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """For each instrument and year."""
    from dualcarbon.registry import reads

    registry = _registry(workspace)
    found = reads.totals(registry.engine, registry.pack)
    columns = {
        "title": say("品种", "instrument"),
        "vintage": say("年度", "vintage"),
        "unit": say("单位", "unit"),
        "issued": say("签发", "issued"),
        "held": say("持有", "held"),
        "retired": say("核销", "retired"),
        "status": say("依据状态", "status"),
    }
    emit({"totals": found}, json, lambda: table(found, columns))


@cli.command(help=say("核对编号与账本是否一致", "check that serial numbers and ledger agree"))
def check(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Exit 1 when a holder's numbers are not its balance."""
    from dualcarbon.registry import reads

    registry = _registry(workspace)
    found = reads.check(registry.engine, registry.pack)
    columns = {"account": say("账户", "account"), "balance": say("账本", "ledger"), "serials": say("编号", "serials")}
    words = say("编号与账本一致。", "serial numbers and ledger agree.")
    emit({"ok": not found, "problems": found}, json, (lambda: table(found, columns)) if found else words)
    if found:
        raise typer.Exit(1)


@cli.command(help=say("新上项目应申购的用能权", "the energy-use right that a new project must buy"))
def purchase(
    energy: Annotated[int, typer.Argument(metavar="KGCE", help=say("年综合能耗，千克标煤（等价值）", "yearly kgce"))],
    added_value: Annotated[int, typer.Argument(metavar="YUAN", help=say("年增加值，元", "yearly value added, yuan"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """By the threshold and reading of the rule pack; both are shown with their status."""
    from dualcarbon.core.workspace import NoWorkspace, Workspace
    from dualcarbon.registry.reads import required_purchase

    try:
        pack = Workspace.find(workspace).pack
    except NoWorkspace:
        pack = "cn-jiaxing"
    found = required_purchase(energy, added_value, pack)
    limit, reading = found["threshold"], found["reading"]
    words = say(
        f"应申购 {found['kgce']:,} kgce（等价值）；单位增加值能耗 {found['intensity']:.3f}，控制值 {limit['value']} "
        f"{limit['unit']}（{limit['status']}）；口径 {reading['value']}（{reading['status']}：{reading['note']}）",
        f"must buy {found['kgce']:,} kgce (equivalent value); intensity {found['intensity']:.3f}, limit "
        f"{limit['value']} {limit['unit']} ({limit['status']}); reading {reading['value']} ({reading['status']})",
    )
    emit(found, json, words)
