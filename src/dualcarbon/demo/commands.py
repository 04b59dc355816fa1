"""``dualcarbon demo``: build the demonstration city's workspace."""

from pathlib import Path
from typing import Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, progress, say, table

cli = typer.Typer()

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
}


@cli.command(
    help=say(
        "生成演示城市的工作区：公布统计与模拟经济（全部标明“模拟数据”）",
        "build the demonstration city's workspace: published statistics and a synthetic economy, labelled so",
    )
)
def demo(workspace: WorkspaceDir = None, json: Json = False) -> None:
    from dualcarbon.core.workspace import NoWorkspace, find
    from dualcarbon.demo.assembly import STEPS, build

    try:
        folder = find(workspace)
    except NoWorkspace:
        folder = workspace or Path("workspace")
    bar = progress(json)
    with bar:
        task = bar.add_task("", total=len(STEPS))

        def step(name: str) -> None:
            bar.update(task, completed=STEPS.index(name), description=say(*WORDS[name]))

        made = build(folder, step)
        bar.update(task, completed=len(STEPS))
    emit(made, json, lambda: _tell(made))


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
    typer.echo(
        say(
            f"预埋的错误：{made['workspace']}/faults/README.zh-CN.md；打开网页：dualcarbon serve",
            f"Planted faults: {made['workspace']}/faults/README.md; open the pages: dualcarbon serve",
        )
    )
