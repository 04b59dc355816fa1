"""Verbs of the quick-calc room."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, progress, say, table

cli = typer.Typer(help=say("碳排放速算：当月排放、区间与检验", "carbon quick-calc: this month, intervals, back-test"))

Years = Annotated[
    str | None, typer.Option("--years", help=say("检验年份，如 2015-2021 或 2018,2020", "2015-2021 or 2018,2020"))
]
Months = Annotated[str, typer.Option("--months", help=say("已知月数，如 0,3,6,9,12", "months seen, as 0,3,6,9,12"))]


Place = Annotated[str, typer.Option("--place", metavar="CODE", help=say("地区（代码或名称）", "place (code or name)"))]
Tree = Annotated[str, typer.Option("--tree", help=say("admin 行政口径，management 管理口径", "admin or management"))]
Family = Annotated[str, typer.Option("--family", help=say("因子族", "family of factors"))]


Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help=say("估算月份", "the month estimated"))]


@cli.callback()
def room() -> None:
    """The room's verbs."""


@cli.command(help=say("当月排放：已报的核算，未报的估算，附区间", "this month: counted where reported, else estimated"))
def run(
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help=say("按该日已知的数据", "with what was known that day")),
    ] = None,
    month: Month = None,
    place: Place = "330400",
    by: Annotated[
        str, typer.Option("--by", help=say("明细：place、sector、domain", "rows: place, sector, domain"))
    ] = "place",
    tree: Tree = "admin",
    family: Family = "provincial-2025",
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon import nowcast

    with progress(json) as bar:
        bar.add_task(say("估算", "estimating"), total=None)
        result = nowcast.run(
            workspace, as_of=_day(as_of, "--as-of"), month=_month(month), place=place, tree=tree, family=family,
            by=[word for word in re.split(r"[,，、\s]+", by) if word],
        )  # fmt: skip
    emit(result, json, lambda: _show_run(result))


@cli.command(help=say("新到数据使估算变了多少", "which arrivals moved the estimate, by how much"))
def news(
    before: Annotated[str, typer.Option("--before", metavar="DATE", help=say("较早的一天", "the earlier day"))],
    after: Annotated[
        str | None, typer.Option("--after", metavar="DATE", help=say("较晚的一天（默认：最近）", "the later day"))
    ] = None,
    month: Month = None,
    place: Place = "330400",
    tree: Tree = "admin",
    family: Family = "provincial-2025",
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon import nowcast

    first = _day(before, "--before")
    assert first is not None
    with progress(json) as bar:
        bar.add_task(say("比较", "comparing"), total=None)
        result = nowcast.news(
            workspace, before=first, after=_day(after, "--after"), month=_month(month), place=place, tree=tree,
            family=family,
        )  # fmt: skip
    emit(result, json, lambda: _show_news(result))


@cli.command(
    help=say("变动原因：规模、结构、强度、用能结构、电网因子", "why it changed: activity, structure, intensity, mix")
)
def explain(
    place: Place = "330400",
    period: Annotated[
        str | None, typer.Option("--period", help=say("时期，如 2024、2024-11（默认：最近一月）", "period, as 2024"))
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help=say("对比时期（默认：上年同期）", "compared with (a year before)"))
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help=say("按该日已知的数据", "with what was known that day")),
    ] = None,
    tree: Tree = "admin",
    family: Family = "provincial-2025",
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon import nowcast

    with progress(json) as bar:
        bar.add_task(say("分解", "decomposing"), total=None)
        result = nowcast.explain(
            workspace, place=place, period=period, against=against, as_of=_day(as_of, "--as-of"), tree=tree,
            family=family,
        )  # fmt: skip
    emit(result, json, lambda: _show_why(result))


@cli.command(help=say("年度碳排放形势分析（可写成 Word）", "the yearly analysis of the carbon situation (Word)"))
def situation(
    year: Annotated[int, typer.Option("--year", help=say("年份", "the year"))],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.docx", help=say("写成 Word 文件", "write a Word file"))
    ] = None,
    place: Place = "330400",
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help=say("按该日已知的数据", "with what was known that day")),
    ] = None,
    tree: Tree = "admin",
    family: Family = "provincial-2025",
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon import nowcast
    from dualcarbon.nowcast.situation import title, write

    with progress(json) as bar:
        bar.add_task(say("分析", "analysing"), total=None)
        result = nowcast.analyse(
            workspace, year=year, place=place, as_of=_day(as_of, "--as-of"), tree=tree, family=family
        )
        result["file"] = write(result, out, language()) if out else None
    lines = [title(result, language())]
    for part in result["paragraphs"][language()]:
        lines += ["", part["heading"], *([part["text"]] if part["text"] else [])]
        lines += ["  ".join(row) for row in part["table"] or []]
    emit(result, json, "\n".join(lines))


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(say(f"“{text}”不是日期", f"“{text}” is no day"), param_hint=option) from error


def _month(text: str | None) -> date | None:
    return _day(f"{text}-01" if text else None, "--month")


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


METHODS = {
    "counted": ("核算", "counted"),
    "last_value": ("沿用上年同月", "month a year ago"),
    "electricity_ratio": ("随用电", "with electricity"),
    "recent_growth": ("随近月增速", "with recent growth"),
    "ridge": ("汇集岭回归", "pooled ridge"),
}


def _show_run(result: dict[str, Any]) -> None:
    name = result["place_name"][language()]
    mark = say("（演示数据）", " (synthetic)") if result["synthetic"] else ""
    span = say("全部核算，无须估算", "all counted, nothing estimated")
    if result["low"] is not None:
        ends = f"{result['low'] / 1e4:,.1f}–{result['high'] / 1e4:,.1f}"
        share = f"{result['counted_share']:.0%}"
        span = say(f"90% 区间 {ends}，已核算 {share}", f"90 % interval {ends}, {share} counted")
    typer.echo(
        say(
            f"{name} {result['month']} 二氧化碳 {result['value'] / 1e4:,.1f} 万吨{mark}；{span}；"
            f"数据截至 {result['as_of']}。",
            f"{name} {result['month']}: {result['value'] / 1e4:,.1f} ×10⁴ t CO2{mark}; {span}; "
            f"known on {result['as_of']}.",
        )
    )
    record = result["record"]
    if record and record["coverage90"] is not None:
        typer.echo(
            say(
                f"近 {len(record['months'])} 个月回放：区间实际覆盖 {record['coverage90']:.0%}（名义 90%），"
                f"{record['better_than_last']:.0%} 的单元优于沿用上年同月。",
                f"Replay of {len(record['months'])} months: the 90 % interval held {record['coverage90']:.0%}; "
                f"{record['better_than_last']:.0%} of cells better than the month a year ago.",
            )
        )
    rows = []
    for row in result["rows"]:
        shown = {"name": row["name"], "value": row["value"] / 1e4}
        shown |= {end: row[end] / 1e4 for end in ("low", "high") if row[end] is not None}
        shown |= {"change": row["change_percent"], "pull": row.get("pull_points")}
        shown["how"] = "、".join(f"{say(*METHODS[m])} {n}" for m, n in row["methods"].items())
        rows.append(shown)
    columns = {
        "name": say("名称", "name"), "value": say("万吨", "10⁴ t"), "low": say("下限", "low"),
        "high": say("上限", "high"), "change": say("同比%", "on a year %"), "pull": say("拉动点数", "points"),
        "how": say("单元数", "cells"),
    }  # fmt: skip
    table(rows, columns)
    for flag in result["flags"][:10]:
        typer.echo("- " + flag["message"][language()])


def _show_why(result: dict[str, Any]) -> None:
    name = result["place_name"][language()]
    change = result["change_percent"]
    moved = "—" if change is None else f"{change:+.2f}%"
    typer.echo(
        say(
            f"{name} {result['period']} 比 {result['against']}：{result['before'] / 1e4:,.1f} → "
            f"{result['after'] / 1e4:,.1f} 万吨（{moved}）。",
            f"{name} {result['period']} against {result['against']}: {result['before'] / 1e4:,.1f} → "
            f"{result['after'] / 1e4:,.1f} ×10⁴ t ({moved}).",
        )
    )
    rows = [
        {"effect": one["title"], "value": one["value"] / 1e4, "percent": one["percent"]} for one in result["effects"]
    ]
    table(rows, {"effect": say("因素", "effect"), "value": say("万吨", "10⁴ t"), "percent": say("拉动点数", "points")})
    used = result["activity"] or say("无（数据未覆盖两个时期）", "none (no data for both periods)")
    typer.echo(say(f"增加值指标：{used}。", f"Value added: {used}."))


ARRIVALS = {
    "revision": ("更正与新因子", "corrections and new factors"),
    "electricity": ("用电数据", "electricity"),
    "fuel": ("燃料数据", "fuels"),
}


def _show_news(result: dict[str, Any]) -> None:
    typer.echo(
        say(
            f"{result['month']}：{result['value_before'] / 1e4:,.1f} → {result['value_after'] / 1e4:,.1f} 万吨"
            f"（{result['change'] / 1e4:+,.1f}），{result['before']} 至 {result['after']}。",
            f"{result['month']}: {result['value_before'] / 1e4:,.1f} → {result['value_after'] / 1e4:,.1f} ×10⁴ t "
            f"({result['change'] / 1e4:+,.1f}), {result['before']} to {result['after']}.",
        )
    )
    rows = []
    for step in result["steps"]:
        span = step["months"]
        when = span[0] if len(span) == 1 else f"{span[0]}–{span[-1]}"
        rows.append({"arrival": say(*ARRIVALS[step["arrival"]]), "when": when, "effect": step["effect"] / 1e4})
    table(rows, {"arrival": say("新到", "arrival"), "when": say("月份", "months"), "effect": say("万吨", "10⁴ t")})


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
