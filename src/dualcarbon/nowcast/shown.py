"""What the verbs of the quick-calc print for a reader."""

from collections.abc import Sequence
from typing import Any

import typer

from dualcarbon.core.console import language, say, table, twice
from dualcarbon.core.problems import Problem
from dualcarbon.nowcast.opened import nodes
from dualcarbon.nowcast.told.saying import MARKS, STATUS, period

#: Statements on the data that a back-test prints, where there are not more kinds of them.
STATEMENTS = 10

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
    "recent_mean": ("近三个月平均", "mean of last three months"),
    "electricity_ratio": ("随用电", "with electricity"),
    "recent_growth": ("随近月增速", "with recent growth"),
    "ridge": ("汇集岭回归", "pooled ridge"),
}


def this_month(result: dict[str, Any]) -> None:
    name = result["place_name"][language()]
    mark = _mark(result)
    span = say("全部核算，无须估算", "all counted, nothing estimated")
    if result["low"] is not None:
        ends = f"{result['low'] / 1e4:,.1f}–{result['high'] / 1e4:,.1f}"
        share = f"{result['counted_share']:.0%}"
        span = say(f"90% 区间 {ends}，已核算 {share}", f"90 % interval {ends}, {share} counted")
    elif result["official"]:
        span = say("等于官方总数", "equal to the official total")
    if result["lacking"] and not result["missing"]:
        span = (
            span
            if result["low"] is not None or result["official"]
            else say("已报的已全部核算", "all that was reported is counted")
        )
        span += say("，合计不完整", ", the total is incomplete")
    elif result["lacking"]:
        span = span if result["low"] is not None else say("有因子的已全部核算", "all that has a factor is counted")
        span += say("，缺因子的未计入，合计不完整", ", rows without a factor are left out, the total is incomplete")
    typer.echo(
        say(
            f"{name} {result['month']} 二氧化碳 {result['value'] / 1e4:,.1f} 万吨{mark}；{span}；"
            f"数据截至 {result['as_of']}。",
            f"{name} {result['month']}: {result['value'] / 1e4:,.1f} ×10⁴ t CO2{mark}; {span}; "
            f"known on {result['as_of']}.",
        )
    )
    typer.echo(say(f"计入{result['covers']['zh']}。", f"Counted is {result['covers']['en']}."))
    _doubt(result["uncertainty"])
    _so_far(result["year_to_date"])
    _officials(result["reconciliation"]["totals"])
    if result["record"]:
        record(result["record"], open_=result["low"] is not None)
    rows = []
    for row in result["rows"]:
        code = " ".join(row[name] for name in ("place", "sector", "domain") if row.get(name))
        shown = {
            "code": code,
            "name": row["name"],
            "value": "—" if row["value"] is None else round(row["value"] / 1e4, 2),
        }
        shown |= {end: round(row[end] / 1e4, 2) for end in ("low", "high") if row[end] is not None}
        shown |= {"change": _rounded(row["change_percent"]), "pull": _rounded(row.get("pull_points"))}
        shown["how"] = say("、", ", ").join(f"{say(*METHODS[m])} {n}" for m, n in row["methods"].items())
        rows.append(shown)
    columns = {
        "code": say("代码", "code"), "name": say("名称", "name"), "value": say("万吨", "10⁴ t"),
        "low": say("下限", "low"), "high": say("上限", "high"), "change": say("同比%", "on a year %"),
        "pull": say("拉动点数", "points"),
        "how": say("单元数", "cells"),
    }  # fmt: skip
    table(rows, columns)
    notes = [*([result["later"]] if result["later"] else []), *_carried(result["factors"])]
    for flag in [*notes, *result["flags"][:10]]:
        typer.echo("- " + flag["message"][language()])
    twice(result["doubled"], "- ")


def _mark(result: dict[str, Any]) -> str:
    """What stands behind a figure whose data are synthetic or that nobody verified."""
    said = _status(result["status"]) if result["status"] in MARKS else ""
    return said and say(f"（{said}）", f" ({said})")


def _status(name: str) -> str:
    return STATUS[name][language()] if name in STATUS else name


def _doubt(one: dict[str, Any] | None) -> None:
    """The uncertainty by factors and data."""
    if one is None:
        return
    size = say("未知", "not known") if one["percent"] is None else f"±{one['percent']:.2f}%"
    said = say(f"因子和活动数据的不确定性（95%），另列：{size}。", f"By factors and data (95 %), apart: {size}. ")
    typer.echo(said + one["note"][language()])


def _so_far(made: dict[str, Any]) -> None:
    """The year so far, its growth, and what of it is compared."""
    if made["value"] is None:
        return
    lang, grown = language(), ""
    if made["change_percent"] is not None:
        grown = say(f"，同比 {made['change_percent']:+.2f}%", f", {made['change_percent']:+.2f}% on a year before")
    ends, wide = "" if made["low"] is None else say("预计 ", "expected "), ""
    if made["low"] is not None:
        span = f"{made['low'] / 1e4:,.1f}–{made['high'] / 1e4:,.1f}"
        wide = say(f"（90% 区间 {span}）", f" (90 % interval {span})")
    typer.echo(
        say(f"{period(made['period'], lang)}累计{ends}{made['value'] / 1e4:,.1f} 万吨{wide}{grown}。",
            f"{period(made['period'], lang)}: {ends}{made['value'] / 1e4:,.1f} ×10⁴ t{wide}{grown}.")
        + (say("", " ") + made["note"][lang] if made["note"] else "")
    )  # fmt: skip


def _carried(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is said of factors without being a flag: those carried on from an earlier year."""
    return [one for one in notes if one["rule"] == "nowcast.factor-carried"]


def record(made: dict[str, Any], *, open_: bool) -> None:
    """How good estimates have been, at the state of the month (where anything is `open_`) first: total, cells."""
    lang, count = language(), len(made["months"])
    typer.echo(say(f"近 {count} 个月回放（用现有数据，遮去当时未到的）：",
                   f"Replay of {count} months, with the data of today and what came later hidden:"))  # fmt: skip
    for one in sorted(made["states"].values(), key=lambda one: one["state"] != made["state"]):
        mark = say("（本月即如此）", " (as this month)")
        if made["partial"]:
            mark = say("（本月未报的部分即如此）", " (as what is missing this month)")
        mark = mark if open_ and one["state"] == made["state"] else ""
        typer.echo(f"- {one['title'][lang]}{mark}")
        total, cells = one["total"], one
        held = say(f"{total['held']}/{total['months']} 个月在 90% 区间内",
                   f"{total['held']} of {total['months']} months inside 90 %")  # fmt: skip
        typer.echo(f"    {say('合计', 'total')}{say('：', ': ')}{_judged(total)}{say('；', '; ')}{held}")
        if cells["coverage90"] is not None:
            held = say(f"90% 区间实际覆盖 {cells['coverage90']:.0%}；{cells['better_than_last']:.0%} 的单元更准",
                       f"90 % held {cells['coverage90']:.0%}; {cells['better_than_last']:.0%} better")  # fmt: skip
            typer.echo(f"    {say('单元', 'cells')}{say('：', ': ')}{_judged(cells)}{say('；', '; ')}{held}")


def _judged(one: dict[str, Any]) -> str:
    """Error, that of the last value, and the skill."""
    error, last = ("—" if one[name] is None else f"{one[name]:.1f}%"
                   for name in ("error_percent", "last_value_error_percent"))  # fmt: skip
    skill = "—" if one["skill_vs_last"] is None else f"{one['skill_vs_last']:+.0%}"
    return say(f"误差 {error}，沿用上年同月 {last}，技巧 {skill}",
               f"error {error}, month a year ago {last}, skill {skill}")  # fmt: skip


def _officials(totals: list[dict[str, Any]]) -> None:
    """What each official total did to its cells in the month."""
    for one in totals:
        about = " ".join(one[name] for name in ("place", "sector", "domain", "period") if one[name])
        step = f"{one['before']:,.0f} × {one['factor'] or 0:.6f} = {one['month_total']:,.0f}"
        value = f"{one['official']:,.0f} ({_status(one['status'])})"
        title = one["title"][language()]
        typer.echo(say(f"- 官方总数 {about} {value}，{title}：当月 {step}",
                       f"- official total {about} {value}, {title}: this month {step}"))  # fmt: skip


def causes(result: dict[str, Any]) -> None:
    name = result["place_name"][language()]
    change = result["change_percent"]
    moved, mark = "—" if change is None else f"{change:+.2f}%", _mark(result)
    typer.echo(
        say(
            f"{name} {result['period']} 比 {result['against']}：{result['before'] / 1e4:,.1f} → "
            f"{result['after'] / 1e4:,.1f} 万吨（{moved}）{mark}。",
            f"{name} {result['period']} against {result['against']}: {result['before'] / 1e4:,.1f} → "
            f"{result['after'] / 1e4:,.1f} ×10⁴ t ({moved}){mark}.",
        )
    )
    rows = [
        {
            "effect": one["title"],
            "value": round(one["value"] / 1e4, 2) + 0.0,
            "percent": None if one["percent"] is None else round(one["percent"], 2) + 0.0,
        }
        for one in result["effects"]
    ]
    table(rows, {"effect": say("因素", "effect"), "value": say("万吨", "10⁴ t"), "percent": say("拉动点数", "points")})
    used = result["activity"] or say("无（数据未覆盖两个时期）", "none (no data for both periods)")
    typer.echo(say(f"增加值指标：{used}。", f"Value added: {used}."))
    if result["prices"]:
        typer.echo(result["prices"][language()])
    if result["note"]:
        typer.echo(result["note"][language()])
    for note in [*result["missing"], *result["factors"]]:
        typer.echo("- " + note["message"][language()])


ARRIVALS = {
    "revision": ("更正与新因子", "corrections and new factors"),
    "weather": ("气象数据", "weather"),
    "electricity": ("用电数据", "electricity"),
    "fuel": ("燃料数据", "fuels"),
}


def arrivals(result: dict[str, Any]) -> None:
    mark = _mark(result)
    typer.echo(
        say(
            f"{result['month']}：{result['value_before'] / 1e4:,.1f} → {result['value_after'] / 1e4:,.1f} 万吨"
            f"（{result['change'] / 1e4:+,.1f}）{mark}，{result['before']} 至 {result['after']}。",
            f"{result['month']}: {result['value_before'] / 1e4:,.1f} → {result['value_after'] / 1e4:,.1f} ×10⁴ t "
            f"({result['change'] / 1e4:+,.1f}){mark}, {result['before']} to {result['after']}.",
        )
    )
    rows = []
    for step in result["steps"]:
        span = step["months"]
        days = [day.isoformat() for day in step["known_at"]]
        came = _span(days) if days else "—"
        rows.append({"arrival": say(*ARRIVALS[step["arrival"]]), "when": _span(span), "came": came,
                     "effect": _wan(step["effect"])})  # fmt: skip
    table(rows, {"arrival": say("新到", "arrival"), "when": say("月份", "months"), "came": say("收到", "came"),
                 "effect": say("万吨", "10⁴ t")})  # fmt: skip


def replayed(result: dict[str, Any]) -> None:
    months = [str(m) for m in result["months"]]
    rows = []
    for one in result["methods"]:
        row: dict[str, Any] = {"method": say(*TITLES[one["method"]]), "chosen": "✓" if one["chosen"] else ""}
        row |= {f"m{m}": one["mape"][m] for m in months}
        skill = one["skill_vs_last"][months[-1]]
        row["skill"] = "—" if skill is None else f"{skill:+.0%}"
        covered = [c for c in one["coverage90"].values() if c is not None]
        row["coverage"] = _span([f"{end(covered):.0%}" for end in (min, max)]) if covered else "—"
        rows.append(row)
    columns = {"method": say("方法", "method"), "chosen": say("采用", "chosen")}
    columns |= {f"m{m}": say(f"误差%（{m} 个月）", f"MAPE % ({m} m)") for m in months}
    columns |= {"skill": say("较沿用上年", "skill"), "coverage": say("90% 区间实际覆盖", "cover of 90 %")}
    years = _span([str(year) for year in result["years"]])
    title = say(
        f"{result['regions']} 个单元，{years} 年，核算滞后 {result['lag']} 年",
        f"{result['regions']} cells, {years}, truth {result['lag']} year(s) late",
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
    shown = _each_rule(result["statements"], STATEMENTS)
    for statement in shown:
        typer.echo("- " + statement.line(say("zh", "en")))
    rest = len(result["statements"]) - len(shown)
    if rest > 0:
        typer.echo(say(f"另有 {rest} 条数据说明，见 --json。", f"{rest} more statements on the data: see --json."))


def _wan(value: float) -> float:
    """Tonnes in 万吨 with two decimals or, where it is small, two digits."""
    size = value / 1e4
    return round(size, 2) + 0.0 if abs(size) >= 0.01 or abs(size) < 5e-5 else float(f"{size:.2g}")


def _span(ends: Sequence[str]) -> str:
    """From the first to the last of them; one alone where they are the same."""
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]}–{ends[-1]}"


def _each_rule(statements: Sequence[Problem], count: int) -> list[Problem]:
    """The first `count` statements, of every rule at least one, in their order."""
    first: dict[str, int] = {}
    for n, one in enumerate(statements):
        first.setdefault(one.rule, n)
    rest = [n for n in range(len(statements)) if n not in first.values()]
    chosen = sorted([*first.values(), *rest[: max(count - len(first), 0)]])
    return [statements[n] for n in chosen]


def revisions(result: dict[str, Any]) -> None:
    """The revision triangle: a line for each estimate of each month, and the score."""
    for note in [*result["missing"], *result["factors"]]:
        typer.echo("- " + note["message"][language()])
    if result["note"]:
        typer.echo(result["note"][language()])
        return
    rows = []
    for row in result["rows"]:
        for one in row["estimates"]:
            ends = {end: one[end] / 1e4 for end in ("low", "high") if one[end] is not None}
            rows.append({"month": row["month"], "as_of": one["as_of"], "value": one["value"] / 1e4, **ends,
                         "counted": f"{one['counted_share']:.0%}"})  # fmt: skip
    columns = {
        "month": say("月份", "month"), "as_of": say("数据截至", "known on"), "value": say("万吨", "10⁴ t"),
        "low": say("下限", "low"), "high": say("上限", "high"), "counted": say("已核算", "counted"),
    }  # fmt: skip
    table(rows, columns)
    for row in result["rows"]:
        if abs(row["factors_percent"] or 0.0) >= 0.05:
            typer.echo(say(f"{row['month']}：首次到最近变动 {row['revision_percent']:+.1f}%，其中新因子 "
                           f"{row['factors_percent']:+.1f} 个百分点。",
                           f"{row['month']}: {row['revision_percent']:+.1f} % from the first to the last, of which new "
                           f"factors {row['factors_percent']:+.1f} points."))  # fmt: skip
    score = result["score"]
    if score:
        base = score["last_value_error_percent"]
        last = "—" if base is None else f"{base:.1f}%"
        typer.echo(
            say(
                f"{score['months']} 个月已到齐：按估算时的因子，首次估算平均偏差 {score['error_percent']:.1f}%，"
                f"沿用上年同月 {last}；{score['inside']:.0%} 落在 90% 区间内。",
                f"{score['months']} months are in: with the factors of the time, first estimates "
                f"{score['error_percent']:.1f} % off, the month a year before {last}; {score['inside']:.0%} inside the "
                "90 % interval.",
            )
        )


def opened(result: dict[str, Any]) -> None:
    """A figure with its parts, and of a single cell how it was counted or estimated."""
    name = result["place_name"][language()]
    sector = f" {result['sector_name'][language()]}" if result["sector_name"] else ""
    whole = "—" if result["value"] is None else f"{result['value']:,.0f}"
    typer.echo(f"{name}{sector} {result['month']}  {whole} {result['unit']}  ({_status(result['status'])})")
    _doubt(result["uncertainty"])
    for note in [*result["missing"], *result["factors"]]:
        typer.echo("- " + note["message"][language()])
    if result["settled"]:
        step = result["settled"]
        typer.echo(f"{step['before']:,.0f} × {step['factor'] or 0:.6f} = {step['after']:,.0f}")
        _officials(result["reconciliation"])
    for part in result["parts"]:
        counted = say(f"核算 {part['counted']:,.0f}，估算 {part['estimated']:,.0f}",
                      f"counted {part['counted']:,.0f}, estimated {part['estimated']:,.0f}")  # fmt: skip
        value = "—" if part["value"] is None else f"{part['value']:,.0f}"
        if part["value"] is None:
            counted = say(
                "缺因子或从未按月报送，不在合计内", "without a factor or never reported by month, not in the total"
            )
        typer.echo(f"- {part['title'][language()]} {value}: {counted}")
        for leaf in (part["node"] or {}).get("children") or ([part["node"]] if part["node"] else []):
            for line in leaf["equations"]:
                typer.echo(f"    {line['substituted']}")
        for guess in part["estimate"]:
            typer.echo(f"    {guess['method']}: {guess['start']:,.0f} × exp({guess['growth']:+.4f})")
            for term in guess["terms"]:
                typer.echo(f"      {term['title'][language()]} {term['effect']:+.4f}  {_verb(term)}".rstrip())
        if part["settled"] and (part["node"] or part["estimate"]):
            step = part["settled"]
            typer.echo(f"    {step['before']:,.0f} × {step['factor'] or 0:.6f} = {step['after']:,.0f}")
    rows = [{"name": one["name"], "value": one["value"],
             "share": "—" if one["value"] is None else f"{one['counted_share']:.0%}"}
            for one in result["children"]]  # fmt: skip
    if rows:
        table(rows, {"name": say("部分", "part"), "value": "t CO2", "share": say("已核算", "counted")})


def spread(result: dict[str, Any]) -> None:
    """Months or days of the totals, and which series failed the test of plausibility."""
    columns = {"place": say("地区", "place"), "sector": say("行业", "sector"), "period": say("时期", "period"),
               "value": result["unit"]}  # fmt: skip
    table(result["rows"], columns)
    for other, words in (
        ("denton", ("季节不合理", "have absurd seasons")),
        ("pro_rata", ("出现负月份", "have negative months")),
    ):
        failed = [one for one in result["series"] if not one["plausible"] and one["method"] == other]
        if failed:
            names = say("、", ", ").join(one["place"] for one in failed[:10])
            typer.echo(
                say(
                    f"{len(failed)} 个序列用 {result['method']} 分摊{words[0]}，已改用 {other}：{names}。",
                    f"{len(failed)} series spread by {result['method']} {words[1]}; {other} is shown: {names}.",
                )
            )
    for one in result["series"]:
        if one["left_out"]:
            years = say("、", ", ").join(map(str, one["left_out"]))
            typer.echo(
                say(
                    f"{one['place']} 的年度总量有断档，{years} 年未分摊。",
                    f"The totals of {one['place']} have a gap: {years} not spread.",
                )
            )


def reason(node: dict[str, Any]) -> None:
    """A figure derived from months: its equation, inputs and parts, with what opens them."""
    lang = language()
    about = [node["place_name"][lang], *(one[lang] for one in node["about"]), node["period"] or ""]
    value = _amount(node["value"])
    head = " · ".join(text for text in about if text)
    typer.echo(f"{head}  {node['title'][lang]} {value} {node['unit']}  ({_status(node['status'])})")
    if node["low"] is not None:
        typer.echo(say("90% 区间", "90 % interval") + f" {node['low']:,.0f} – {node['high']:,.0f}")
    for note in [*([node] if "message" in node else []), *node.get("missing", []), *node.get("factors", [])]:
        typer.echo("- " + note["message"][lang])
    typer.echo(f"{node['equation'][lang]}\n{node['filled']}".rstrip())
    for title, lines in ((say("用到的数", "numbers used"), node["inputs"]), (say("组成", "parts"), node["children"])):
        if lines:
            typer.echo(f"- {title}")
        for one in lines:
            number = _amount(one["value"])
            typer.echo(
                f"    {one['name'][lang]} {number} {one['unit']}  {one.get('filled', '')}  {_verb(one)}".rstrip()
            )
    for row in node["rows"]:
        named = [row[name] for name in ("place", "entity", "sector", "carrier", "period") if row[name]]
        place = " ".join(str(row[name]) for name in ("source", "row") if row[name] is not None)
        typer.echo(f"    · {' '.join(named)}: {nodes.number(row['value'], 6)} {row['unit']}  {place or row['dataset']}")


def _amount(value: float | None) -> str:
    """A number with two decimals or, where it is small, four digits."""
    if value is None:
        return "—"
    return f"{value:.4g}" if 0 < abs(value) < 1 else f"{round(value, 2) + 0.0:,.2f}"


def _verb(one: dict[str, Any]) -> str:
    """What to type to open an input."""
    asked = one.get("question") or one.get("query") or {}
    words = " ".join(f"--{key.replace('_', '-')} {text}" for key, text in asked.items() if key != "item")
    if one.get("question"):
        return f"nowcast open {words}"
    return f"explain {asked['item']} {words}" if asked else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
