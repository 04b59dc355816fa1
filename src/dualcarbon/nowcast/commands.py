"""Verbs of the quick-calc room."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, emit, progress, say, table

cli = typer.Typer(help=say("碳排放速算：当月排放、区间与检验", "carbon quick-calc: this month, intervals, back-test"))

Years = Annotated[
    str | None, typer.Option("--years", help=say("检验年份，如 2015-2021 或 2018,2020", "2015-2021 or 2018,2020"))
]
Months = Annotated[str, typer.Option("--months", help=say("已知月数，如 0,3,6,9,12", "months seen, as 0,3,6,9,12"))]


@cli.callback()
def room() -> None:
    """The room's verbs."""


@cli.command(
    help=say("回放检验：各方法相对“沿用上年”的技巧与区间覆盖率", "replay: skill against the last value, coverage")
)
def backtest(
    observations: Annotated[Path, typer.Option("--observations", help=say("月度指标文件", "monthly indicators"))],
    truth: Annotated[Path, typer.Option("--truth", help=say("年度核算值文件", "annual truth"))],
    years: Years = None,
    months: Months = "0,3,6,9,12",
    lag: Annotated[int, typer.Option("--lag", min=1, max=2, help=say("核算滞后年数", "years until truth"))] = 1,
    total: Annotated[Path | None, typer.Option("--total", help=say("已知总量文件", "a known total"))] = None,
    pack: Annotated[
        str, typer.Option("--pack", help=say("取燃料因子的规则包", "rule pack of fuel factors"))
    ] = "cn-jiaxing",
    json: Json = False,
) -> None:
    from dualcarbon import nowcast

    seen = _numbers(months, "--months")
    if not seen or not all(0 <= m <= 12 for m in seen):
        raise typer.BadParameter(say("月数应在 0 到 12 之间", "months are 0 to 12"), param_hint="--months")
    with progress(json) as bar:
        task = bar.add_task(say("回放", "replay"), total=None)
        result = nowcast.backtest(
            observations, truth, years=_numbers(years, "--years") if years else None, months=seen, lag=lag, total=total,
            pack=pack, advance=lambda done, all: bar.update(task, completed=done, total=all),
        )  # fmt: skip
    emit(result, json, lambda: _show(result))


def _numbers(text: str, option: str) -> list[int]:
    """``2015-2018,2020`` as numbers."""
    found: list[int] = []
    for part in re.split(r"[,，、\s]+", text.strip()):
        span = re.fullmatch(r"(\d+)(?:[-–~](\d+))?", part)
        if span is None or (span[2] and not 0 <= int(span[2]) - int(span[1]) <= 100):
            raise typer.BadParameter(say(f"看不懂“{part}”", f"cannot read “{part}”"), param_hint=option)
        found += range(int(span[1]), int(span[2] or span[1]) + 1)
    return sorted(set(found))


TITLES = {
    "last_value": ("沿用最近一年", "last value"),
    "electricity_ratio": ("电碳比", "electricity ratio"),
    "counted_rest": ("已观测燃料核算＋其余随电", "fuels counted, rest by electricity"),
    "ridge": ("汇集岭回归", "pooled ridge"),
    "ridge_filled": ("岭回归＋动态因子补齐", "ridge, edge filled by factors"),
    "last_value_reconciled": ("沿用最近一年＋总量校准", "last value, raked to the total"),
    "selected": ("逐单元择优（采用）", "chosen cell by cell"),
}


def _show(result: dict[str, Any]) -> None:
    months = [str(m) for m in result["months"]]
    rows = []
    for one in result["methods"]:
        row: dict[str, Any] = {"method": say(*TITLES[one["method"]]), "chosen": "✓" if one["chosen"] else ""}
        row |= {f"m{m}": one["mape"][m] for m in months}
        skill = one["skill_vs_last"][months[-1]]
        row["skill"] = "—" if skill is None else f"{skill:+.0%}"
        covered = [c for c in one["coverage90"].values() if c is not None]
        row["coverage"] = f"{min(covered):.0%}–{max(covered):.0%}" if covered else "—"
        rows.append(row)
    columns = {"method": say("方法", "method"), "chosen": say("采用", "chosen")}
    columns |= {f"m{m}": say(f"误差%（{m} 个月）", f"MAPE % ({m} m)") for m in months}
    columns |= {"skill": say("较沿用上年", "skill"), "coverage": say("90% 区间实际覆盖", "cover of 90 %")}
    title = say(
        f"{result['regions']} 个单元，{result['years'][0]}–{result['years'][-1]} 年，核算滞后 {result['lag']} 年",
        f"{result['regions']} cells, {result['years'][0]}–{result['years'][-1]}, truth {result['lag']} year(s) late",
    )
    table(rows, columns, title)
    if result.get("monthly"):
        m = result["monthly"]
        typer.echo(
            say(
                f"按月（只知年度核算值）：误差 {m['mape']}%（沿用上年 {m['last_value_mape']}%）；"
                f"已核算年份内月度形状误差 {m['shape_error']}%。",
                f"By month (annual truth only): MAPE {m['mape']} % (last value {m['last_value_mape']} %); "
                f"shape error inside benchmarked years {m['shape_error']} %.",
            )
        )
    for statement in result["statements"][:10]:
        typer.echo("- " + statement.line(say("zh", "en")))
    rest = len(result["statements"]) - 10
    if rest > 0:
        typer.echo(say(f"另有 {rest} 条数据说明，见 --json。", f"{rest} more statements on the data: see --json."))
