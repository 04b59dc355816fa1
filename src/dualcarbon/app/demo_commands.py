"""``dualcarbon demo``: build the demonstration city's workspace, then what the rooms add to it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, progress, say, table

if TYPE_CHECKING:
    from dualcarbon.core.workspace import Workspace

cli = typer.Typer()

PLAN = "cn-jiaxing/2024"

WORDS = {
    "firms": ("生成企业", "making firms"),
    "heat": ("连接热网", "joining heat networks"),
    "society": ("居民、交通、服务业、电厂", "households, transport, services, plants"),
    "economy": ("增加值与控制总数", "value added and control totals"),
    "finish": ("整理数据行", "putting rows in order"),
    "import": ("检查并写入工作区", "checking and storing"),
    "revision": ("写入后来的版次", "storing the later vintage"),
    "statistics": ("导入公布统计", "importing published statistics"),
    "faults": ("预埋的错误", "planted faults"),
    "registry": ("权益登记", "the registry"),
    "plan": ("工作计划与填报", "the work plan and its reports"),
}


@cli.command(
    help=say(
        "生成演示城市的工作区：公布统计与模拟经济（全部标明“模拟数据”）",
        "build the demonstration city's workspace: published statistics and a synthetic economy, labelled so",
    )
)
def demo(workspace: WorkspaceDir = None, json: Json = False) -> None:
    from dualcarbon.core.workspace import NoWorkspace, Workspace, find
    from dualcarbon.demo.assembly import STEPS, build

    try:
        folder = find(workspace)
    except NoWorkspace:
        folder = workspace or Path("workspace")
    bar = progress(json)
    with bar:
        steps = (*STEPS, "registry", "plan")
        task = bar.add_task("", total=len(steps))

        def step(name: str, share: float = 0.0) -> None:
            bar.update(task, completed=steps.index(name) + share, description=say(*WORDS[name]))

        made = build(folder, step)
        city = Workspace.open(folder)
        step("registry")
        made["registry"] = _registry(city)
        made["plan"] = _plan(city, lambda share: step("plan", share))
        bar.update(task, completed=len(steps))
    emit(made, json, lambda: _tell(made))


def _registry(city: "Workspace") -> dict[str, int]:
    """Certificates, filings, rights and trades, all synthetic."""
    from dualcarbon.ledger.store import Store
    from dualcarbon.registry import demonstration
    from dualcarbon.registry.book import Registry

    return demonstration.fill(
        Registry(Store(city.database), city.pack), {str(one["status"]) for one in city.datasets()}
    )


def _plan(city: "Workspace", progress: Callable[[float], None]) -> dict[str, Any]:
    """The city's published plan, with a synthetic year of reports, and what the platform computes from the account."""
    from dualcarbon import plan
    from dualcarbon.plan.assessing import demonstration
    from dualcarbon.plan.feeding import synthetic

    name = str(plan.load(city, PLAN)["plan"])
    reports = plan.reports(city, name).height
    figures = demonstration.figures(city, name)
    made = {"plan": name, "reports": reports} if reports else synthetic.fill(city, name, progress=progress)
    return made | {"assessed": demonstration.fill(city, name) | {"figures": figures}}


def _tell(made: dict[str, Any]) -> None:
    """What was built, for a person."""
    typer.echo(
        say(
            f"演示城市{'已在' if made['already'] else '已写入'} {made['workspace']}："
            f"{made['observations']:,} 行观测，{made['entities']:,} 个主体（模拟数据，企业名称均为虚构）",
            f"The demonstration city {'is already' if made['already'] else 'stands'} in {made['workspace']}: "
            f"{made['observations']:,} observations, {made['entities']:,} entities (synthetic; firm names invented)",
        )
    )
    years = [
        {
            "year": str(year["year"]),
            "electricity_twh": round(year["electricity_twh"], 1),
            "industry_share": round(100 * year["industry_share"], 1),
            "energy_mtce": round(year["energy_mtce"], 1),
            "above_scale_share": round(100 * year["above_scale_share"], 1),
        }
        for year in made["years"]
    ]
    table(
        years,
        {
            "year": say("年份", "year"),
            "electricity_twh": say("用电 TWh", "electricity TWh"),
            "industry_share": say("工业占比 %", "industry %"),
            "energy_mtce": say("能源 百万吨标准煤（等价）", "energy Mtce (equivalent)"),
            "above_scale_share": say("规上占比 %", "above scale %"),
        },
        say("模拟数据", "Synthetic"),
    )
    acts, reports = sum(made["registry"].values()), made["plan"]["reports"]
    typer.echo(
        say(
            f"登记 {acts:,} 笔，工作计划 {made['plan']['plan']} 填报 {reports:,} 份（均为模拟数据）",
            f"{acts:,} acts of the registry, {reports:,} reports on the work plan {made['plan']['plan']} (synthetic)",
        )
    )
    typer.echo(
        say(
            f"预埋的错误：{made['workspace']}/faults/README.zh-CN.md；打开网页：dualcarbon serve",
            f"Planted faults: {made['workspace']}/faults/README.md; open the pages: dualcarbon serve",
        )
    )
