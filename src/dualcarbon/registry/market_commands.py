"""Command-line verbs that read the market, the filings and the rules of rights, and write papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say, table
from dualcarbon.registry.commands import (
    After,
    Code,
    DryRun,
    In,
    Limit,
    Market,
    Out,
    State,
    Vintage,
    cli,
    filing,
    pack_of,
    registry_of,
    trades,
)
from dualcarbon.registry.printing import columns, show

Party = Annotated[str | None, typer.Option(help=say("一方", "seller or buyer"))]


def _priced(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from dualcarbon.registry.exports import yuan

    return [{**row, "price_yuan": yuan(row["price"]), "amount_yuan": yuan(row.get("amount"))} for row in rows]


@trades.callback()
def listed(
    context: typer.Context,
    code: Code = None,
    vintage: Vintage = None,
    state: State = None,
    party: Party = None,
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Without a verb: the trades and transfers in the order they were made."""
    if context.invoked_subcommand is not None:
        return
    from dualcarbon.registry import prices

    wanted: dict[str, Any] = {"code": code, "vintage": vintage, "state": state, "party": party}
    found = prices.trades(registry_of(workspace).engine, **wanted, after=after, limit=limit)
    found["trades"] = _priced(found["trades"])
    shown = "at id instrument vintage kind seller buyer quantity price_yuan amount_yuan way state"
    show(found, "trades", shown, json)


@trades.command(help=say("挂牌", "the offers"))
def offers(
    code: Code = None,
    vintage: Vintage = None,
    state: State = "open",
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Open ones (other states with --state)."""
    from dualcarbon.registry import prices

    wanted: dict[str, Any] = {"code": code, "vintage": vintage, "state": state}
    found = prices.offers(registry_of(workspace).engine, **wanted, after=after, limit=limit)
    found["offers"] = _priced(found["offers"])
    show(found, "offers", "id side instrument vintage kind party counterparty left price_yuan expires state", json)


@trades.command(help=say("按月价格：笔数、量、加权均价、最低、最高", "prices by month: count, volume, mean, low, high"))
def series(
    code: Code = None,
    vintage: Vintage = None,
    market: Market = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """From trades settled here, or with --market from what was imported of that market."""
    from dualcarbon.registry import prices

    found = prices.series(registry_of(workspace).engine, code=code, vintage=vintage, market=market)
    rows = [{**row, **{name: f"{row[name] / 100:.2f}" for name in ("mean", "low", "high")}} for row in found]
    shown = columns("instrument", "vintage", "month", "count", "volume", "mean", "low", "high", "market")
    emit({"series": found}, json, lambda: table(rows, shown))


@trades.command(
    name="import", help=say("导入别处市场的成交文件（只作镜像）", "mirror another market's trades from its file")
)
def import_(
    file: In,
    market: Annotated[str, typer.Option(help=say("市场名称", "name of the market"))],
    dry_run: DryRun = False,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """One trade a row: 成交编号, 品种, 年度, 成交日期, 数量, 单位, 单价, 成交额, 出让方, 受让方."""
    from dualcarbon.registry.mirroring import import_trades

    found = import_trades(registry_of(workspace, create=True), file, market, dry_run=dry_run)
    words = say(
        f"{market}：{found['rows']} 笔，新 {found['new']}，已有 {found['known']}",
        f"{market}: {found['rows']} trades, {found['new']} new, {found['known']} known",
    )
    emit(found, json, words + (say("（试算）", " (dry run)") if dry_run else ""))


@trades.command(help=say("别处市场的成交", "trades of other markets"))
def mirrored(
    code: Code = None,
    market: Market = None,
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """As their files say; never mixed with the trades made here."""
    from dualcarbon.registry import prices

    found = prices.mirrored(registry_of(workspace).engine, code=code, market=market, after=after, limit=limit)
    found["trades"] = _priced(found["trades"])
    show(found, "trades", "market code instrument vintage day quantity price_yuan seller buyer", json)


@trades.command(help=say("导出成交（Excel 或 CSV）", "write the trades to Excel or CSV"))
def export(
    file: Out, code: Code = None, state: State = None, json: Json = False, workspace: WorkspaceDir = None
) -> None:
    """With the headings that trades import reads."""
    from dualcarbon.registry import exports, mirroring

    rows = exports.trade_rows(registry_of(workspace), code=code, state=state)
    exports.write_rows(rows, file, tuple(mirroring.TRADES.values()))
    words = say(f"已写出 {len(rows)} 笔：{file}", f"wrote {len(rows)} trades to {file}")
    emit({"file": file, "rows": len(rows)}, json, words)


@trades.command(help=say("成交确认书（.docx 或 .pdf）", "the trade confirmation as .docx or .pdf"))
def confirm(
    trade: Annotated[str, typer.Argument(metavar="TRADE", help=say("成交编号", "the trade's id"))],
    file: Out,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Parties, units with their serial numbers, price, amount, payment, and the entries of the ledger."""
    from dualcarbon.core.console import language
    from dualcarbon.registry import papers

    registry = registry_of(workspace)
    papers.write(papers.confirmation(registry.engine, trade, registry.pack, language()), file)
    emit({"trade": trade, "file": file}, json, say(f"成交确认书已写入 {file}", f"the confirmation is in {file}"))


@cli.command(help=say("账户对账单（.pdf、.docx、.xlsx 或屏幕）", "an account's statement: .pdf, .docx, .xlsx or here"))
def statement(
    holder: Annotated[str, typer.Argument(metavar="HOLDER", help=say("持有人", "holder"))],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", dir_okay=False)] = None,
    period: Annotated[str | None, typer.Option(help=say("时期，如 2026 或 2026-03", "period"))] = None,
    code: Code = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Opening balance, every movement, closing balance, for each instrument and year."""
    from dualcarbon.core.console import language
    from dualcarbon.registry import exports, papers

    registry = registry_of(workspace)
    found = papers.statement(registry.engine, holder, period, code, registry.pack)
    rows = papers.movement_rows(found)
    if file is not None and file.suffix.lower() in (".xlsx", ".csv"):
        exports.write_rows(rows, file, papers.MOVEMENT)
    elif file is not None:
        papers.write(papers.statement_report(found, language()), file)
    shown = {name: name for name in papers.MOVEMENT}
    words = say(f"对账单已写入 {file}", f"the statement is in {file}")
    emit({**found, "file": file}, json, (lambda: table(rows, shown)) if file is None else words)


@filing.command(name="list", help=say("备案清单", "the filings"))
def filings(
    code: Code = None,
    kind: Annotated[str | None, typer.Option(help="methodology | project | report")] = None,
    state: State = None,
    after: After = 0,
    limit: Limit = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """In the order they were handed in."""
    from dualcarbon.registry import dossiers

    wanted: dict[str, Any] = {"code": code, "kind": kind, "state": state}
    found = dossiers.filings(registry_of(workspace).engine, **wanted, after=after, limit=limit)
    show(found, "filings", "id kind title parent actor quantity verified state at", json)


@filing.command(
    name="show", help=say("一份备案：链条、办理过程、下一步、已签发", "one filing: chain, steps, what may come next")
)
def show_filing(
    id: Annotated[str, typer.Argument(metavar="FILING", help=say("备案编号", "the filing's id"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Every step with who took it and in which role."""
    from dualcarbon.registry import dossiers

    registry = registry_of(workspace)
    found = dossiers.filing(registry.engine, id, registry.pack)
    show(found, "steps", "at action state actor role act", json)


@cli.command(help=say("新上项目应申购的用能权", "the energy-use right that a new project must buy"))
def purchase(
    energy: Annotated[int, typer.Argument(metavar="KGCE", help=say("年综合能耗，千克标煤（等价值）", "yearly kgce"))],
    added_value: Annotated[int, typer.Argument(metavar="YUAN", help=say("年增加值，元", "yearly value added, yuan"))],
    holder: Annotated[str | None, typer.Option(help=say("申购方，另算还差多少", "buyer: how much is short"))] = None,
    vintage: Vintage = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """By the threshold and reading of the rule pack; both are shown with their status."""
    from dualcarbon.registry.rights import required_purchase

    found = required_purchase(energy, added_value, pack_of(workspace))
    if holder is not None:
        from dualcarbon.registry.rights import bought

        found |= bought(registry_of(workspace).engine, holder, vintage, found["kgce"])
    limit, reading = found["threshold"], found["reading"]
    words = say(
        f"应申购 {found['kgce']:,} kgce（等价值）；单位增加值能耗 {found['intensity']:.3f}，控制值 {limit['value']} "
        f"{limit['unit']}（{limit['status']}）；口径 {reading['value']}（{reading['status']}：{reading['note']}）",
        f"must buy {found['kgce']:,} kgce (equivalent value); intensity {found['intensity']:.3f}, limit "
        f"{limit['value']} {limit['unit']} ({limit['status']}); reading {reading['value']} ({reading['status']})",
    )
    if holder is not None:
        words += say(
            f"；{holder} 已有 {found['held']:,}，还差 {found['short']:,}",
            f"; {holder} has {found['held']:,}, still short {found['short']:,}",
        )
    emit(found, json, words)


@cli.command(help=say("逐月电量应得证书数，余量结转", "certificates due for each month's kWh, the remainder carried"))
def due(
    electricity: Annotated[list[int], typer.Argument(metavar="KWH...", help=say("逐月上网电量", "kWh by month"))],
    carried: Annotated[int, typer.Option(help=say("上年结转的余量，kWh", "kWh carried in"))] = 0,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """One certificate for what the rule pack says it stands for (1,000 kWh); compare with what was imported."""
    from dualcarbon.registry.instruments import instrument
    from dualcarbon.registry.rights import certificates_due

    per = instrument("gec", pack_of(workspace)).stands_for["quantity"]
    rows = certificates_due(electricity, per, carried)
    shown = {"kwh": "kWh", "carried_in": say("转入", "carried in"), "certificates": say("张", "certificates"),
             "carried": say("结转", "carried on")}  # fmt: skip
    emit({"months": rows}, json, lambda: table(rows, shown))


@cli.command(help=say("为演示城市填入模拟的登记（均标明演示数据）", "fill the demonstration with a made-up year"))
def demo(json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Only in a workspace that dualcarbon demo made; sent twice it counts once."""
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.registry.demonstration import fill

    place = Workspace.find(workspace)
    found = fill(registry_of(workspace), {str(one["status"]) for one in place.datasets()})
    words = say(
        f"演示登记已写入：新办 {found['ok']} 件，已有 {found['exists']} 件（演示数据，名称、数量、价格均为虚构）",
        f"the registry's demonstration: {found['ok']} acts done, {found['exists']} known (synthetic, all invented)",
    )
    emit(found, json, words)
