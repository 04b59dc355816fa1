"""Documents of assessment: the monthly bulletin, the year-end self-assessment and the sheet of a department.

Each is built from the board's answer alone, so its numbers are the board's; `core.report` writes Word and PDF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dualcarbon.core.report import Block, Heading, Paragraph, Report, Table
from dualcarbon.plan.assessing import dual_blocks
from dualcarbon.plan.assessing.board import TITLES
from dualcarbon.plan.assessing.dual_blocks import in_lang, percent
from dualcarbon.plan.progress import STATES, figure
from dualcarbon.plan.words import STATUS_WORDS, listed

LABEL = {"zh": "演示数据", "en": "Synthetic data"}
Board = Mapping[str, Any]


def numbers(board: Board) -> dict[str, Any]:
    """Return the figures that the documents state, so that they can be checked: counts, shares, warnings, totals.

    `{indicators, states, met_or_on_pace_percent, reported, missing_reports, late, tasks, task_counts, policies,
    policies_overdue, warnings, energy_fall_percent, invested, planned_investment, avoided, avoided_reached}`.
    """
    rows, dual, told = board["indicators"], board["dual"], board["projects"]["total"] or {}
    good = board["counts"]["done"] + board["counts"]["on_pace"]
    fall = dual["energy"]["fall"]
    return {
        "indicators": len(rows), "states": dict(board["counts"]),
        "met_or_on_pace_percent": 100 * good / len(rows) if rows else None,
        "reported": sum(row["reported"] is not None for row in rows),
        "missing_reports": sum(len(row["missing"]) for row in rows), "late": sum(row["late"] for row in rows),
        "tasks": len(board["tasks"]), "task_counts": dict(board["task_counts"]),
        "policies": len(board["policies"]),
        "policies_overdue": sum(bool(one["days_overdue"]) for one in board["policies"]),
        "warnings": dict(board["warning_counts"]), "energy_fall_percent": None if fall is None else 100 * fall,
        "invested": told.get("invested"), "planned_investment": told.get("planned"),
        "avoided": board["effect"]["planned"]["parts"]["energy"]["value"],
        "avoided_reached": board["effect"]["reached"]["parts"]["energy"]["value"],
    }  # fmt: skip


def bulletin(board: Board, lang: str = "zh", *, year_end: bool = False) -> Report:
    """Return the monthly bulletin (or the year-end self-assessment) of a board as a document."""
    zh, told = lang == "zh", numbers(board)
    city, year, month = board["city"], board["year"], board["month"]
    kind = ("年度自评报告", "year-end self-assessment") if year_end else ("工作月报", "monthly bulletin")
    if year_end and month < 12:
        kind = (f"{kind[0]}（年度未完）", f"{kind[1]} (the year is not over)")
    title = f"{city}{year}年碳达峰碳中和{kind[0]}" if zh else f"Carbon peaking plan {year}: {kind[1]}"
    when = _when(year, month, lang)
    blocks: list[Block] = [
        Heading("一、总体进展" if zh else "1 Overview"),
        Paragraph(_overview(board, told, lang)),
        _counts(board, "departments", lang),
        Heading("二、预警" if zh else "2 Warnings"),
        *_warnings(board, lang),
        Heading("三、能耗和碳排放强度双目标" if zh else "3 Dual targets of energy and carbon intensity"),
        *dual_blocks.blocks(board["dual"], lang),
        Heading("四、重大项目和政策文件" if zh else "4 Major projects and policy documents"),
        *_projects(board, lang),
        Heading("五、减排效果估算" if zh else "5 What the plan avoids (estimate)"),
        *_effect(board["effect"], lang),
    ]
    if year_end:
        blocks += [
            Heading("六、未完成指标和下一步" if zh else "6 Targets missed and what follows"),
            *_missed(board, lang),
        ]
    blocks += [Heading("附表　指标进展" if zh else "Annex: indicators"), indicators(board["indicators"], lang)]
    return Report(
        title, blocks, lang=lang, subtitle=when, day=board["as_of"], label=LABEL[lang] if board["synthetic"] else ""
    )


def sheet(department: Mapping[str, Any], lang: str = "zh") -> Report:
    """Return a department's sheet as a document: counts, score with its arithmetic, warnings, tasks, indicators."""
    zh = lang == "zh"
    title = (
        f"{department['name']}{department['year']}年碳达峰工作情况单"
        if zh
        else f"{department['name']}: carbon peaking {department['year']}"
    )
    when = _when(department["year"], department["month"], lang)
    blocks: list[Block] = [
        Heading("一、指标" if zh else "1 Indicators"),
        Paragraph(states_text(department["counts"], lang)),
    ]
    blocks.append(indicators(department["indicators"], lang))
    if department["score"]:
        blocks += [Heading("二、评分" if zh else "2 Score"), *score_blocks(department["score"], lang)]
    blocks += [Heading("三、预警" if zh else "3 Warnings"), *_warnings(department, lang)]
    rows = [
        [str(one["number"]), one["title"], _role(one["role"], lang), progress(one, lang)] for one in department["tasks"]
    ]
    heads = ["序号", "任务", "分工", "进展"] if zh else ["No.", "Task", "Role", "Progress"]
    blocks += [Heading("四、任务" if zh else "4 Tasks"), Table(heads, rows)]
    return Report(
        title,
        blocks,
        lang=lang,
        subtitle=when,
        day=department["as_of"],
        label=LABEL[lang] if department["synthetic"] else "",
    )


def _when(year: int, month: int, lang: str) -> str:
    """The months that a document speaks of."""
    if month == 0:
        return in_lang(lang, f"{year}年，还没有到期的填报", f"{year}, no report is due yet")
    return in_lang(lang, f"截至{year}年{month}月", f"up to month {month} of {year}")


def _role(role: str, lang: str) -> str:
    return {"lead": ("牵头", "lead"), "joint": ("配合", "joint")}[role][lang != "zh"]


def states_text(counts: Mapping[str, int], lang: str) -> str:
    """Return the counts by state in one line, states that do not occur left out."""
    said = [f"{TITLES[state][lang]} {counts[state]}" for state in STATES if counts[state]]
    return ("，" if lang == "zh" else ", ").join(said) + ("。" if lang == "zh" else ".")


def progress(one: Mapping[str, Any], lang: str) -> str:
    """Return a task's progress in words; a finished one that is not confirmed says so."""
    from dualcarbon.plan.words import PROGRESS_WORDS

    if not one["progress"]:
        return "未填报" if lang == "zh" else "not reported"
    said = PROGRESS_WORDS[one["progress"]][lang != "zh"]
    if one.get("reported") == "finished" and not one["confirmed"]:
        return f"{said}（报完成，待确认）" if lang == "zh" else f"{said} (reported finished, not confirmed)"
    return said


def _overview(board: Board, told: Mapping[str, Any], lang: str) -> str:
    share = "—" if told["met_or_on_pace_percent"] is None else f"{told['met_or_on_pace_percent']:.1f}"
    levels = told["warnings"]
    if lang == "zh":
        first = (
            f"{board['title']}共 {told['indicators']} 个指标、{told['tasks']} 项任务、{told['policies']} 个政策文件。"
        )
        second = f"指标中{states_text(board['counts'], lang)[:-1]}，完成和正常的占 {share}%。"
        third = f"应报未报 {told['missing_reports']} 项次，迟报 {told['late']} 项次。"
        alarm = "、".join(f"{board['warning_levels'][level]['zh']} {count} 条" for level, count in levels.items())
        fourth = f"现有预警 {sum(levels.values())} 条（{alarm}）；政策文件逾期 {told['policies_overdue']} 个。"
        return f"{first}{second}{third}{fourth}"
    alarm = ", ".join(f"{board['warning_levels'][level]['en']}: {count}" for level, count in levels.items())
    return (
        f"The plan has {told['indicators']} indicators, {told['tasks']} tasks and {told['policies']} policy documents. "
        f"Of the indicators: {states_text(board['counts'], lang)[:-1]}; {share} % are done or on pace. "
        f"Reports missing: {told['missing_reports']}, late: {told['late']}. "
        f"Warnings: {sum(levels.values())} ({alarm}); policy documents overdue: {told['policies_overdue']}."
    )


def _counts(board: Board, by: str, lang: str) -> Table:
    heads = ["单位" if lang == "zh" else "Department", *(TITLES[state][lang] for state in STATES)]
    rows = [[str(one["name"]), *(str(one["counts"][state]) for state in STATES)] for one in board[by]]
    return Table(
        heads, rows, caption="各牵头单位指标状态（个）" if lang == "zh" else "State of indicators by lead unit"
    )


def _warnings(board: Mapping[str, Any], lang: str) -> list[Block]:
    if not board["warnings"]:
        return [Paragraph("没有预警。" if lang == "zh" else "There are no warnings.")]
    heads = (
        ["级别", "事项", "原因", "责任单位", "办理"] if lang == "zh" else ["Level", "What", "Why", "Unit", "Handling"]
    )
    from dualcarbon.plan.assessing.warnings import STATES as HANDLED

    rows = [
        [one["level_name"][lang], one["title"][lang], one["reason"][lang], listed(one["departments"], lang),
         HANDLED[one["state"]][lang]]
        for one in board["warnings"]
    ]  # fmt: skip
    return [Table(heads, rows, align="lllll")]


def _projects(board: Board, lang: str) -> list[Block]:
    total = board["projects"]["total"]
    blocks: list[Block] = []
    if total:
        done = in_lang(lang, "尚未填报", "not reported yet")
        if total["invested"] is not None:
            unit = in_lang(lang, f" {total['unit']}", "")
            share = f"{100 * total['share']:.1f}%"
            done = f"{total['invested']:g}{unit}" + in_lang(lang, f"（{share}）", f" ({share})")
        text = f"年度能源重大项目计划投资 {total['planned']:g} {total['unit']}，完成：{done}。"
        blocks.append(
            Paragraph(in_lang(lang, text, f"Investment planned: {total['planned']:g} ×10⁸ CNY; done: {done}."))
        )
    heads = ["政策文件", "应出台", "起草单位", "进展"]
    rows = []
    for one in board["policies"]:
        late = one["days_overdue"]
        over = in_lang(lang, f"，逾期 {late} 天", f", {late} days overdue") if late else ""
        rows.append([one["title"], one["due"] or "", listed(one["lead"], lang), progress(one, lang) + over])
    english = ["Document", "Due", "Drafter", "Progress"]
    return [*blocks, Table(heads if lang == "zh" else english, rows, align="llll")]


def tonnes(value: float | None, lang: str) -> str:
    """Return tonnes as text: 万吨 in Chinese, kt in English."""
    if value is None:
        return in_lang(lang, "无法估算", "cannot be estimated")
    return in_lang(lang, f"{value / 1e4:,.2f} 万吨", f"{value / 1e3:,.1f} kt")


def _effect(told: Mapping[str, Any], lang: str) -> list[Block]:
    plan, reached, need = told["planned"]["parts"]["energy"], told["reached"]["parts"]["energy"], told["need"]
    value, low, high = (tonnes(plan[name], lang) for name in ("value", "low", "high"))
    able = [one["id"] for one in told["planned"]["rows"] if one["method"] is not None]
    nothing = able and len(told["not_reported"]) == len(able)
    done = in_lang(lang, "还没有填报", "nothing is reported") if nothing else tonnes(reached["value"], lang)
    zh = f"按全年计，计划措施每年约减少能源活动二氧化碳 {value}（95% 区间 {low}—{high}），已完成部分 {done}。"
    en = f"In a full year the measures avoid about {value} of energy CO2 ({low} to {high} at 95 %); so far {done}."
    if told["not_reported"]:
        all_, silent = len(able), len(told["not_reported"])
        zh += f"有方法的 {all_} 项措施中 {silent} 项还没有填报，未计入已完成部分。"
        en += f" Of {all_} measures with a method {silent} are not reported yet and not in what is reached."
    zh += "参数未核实，重叠措施只计一次。"
    en += " The parameters are unverified; what overlaps counts once."
    blocks: list[Block] = [Paragraph(in_lang(lang, zh, en))]
    if need:
        share = plan["value"] / need["needed"] if plan["value"] is not None and need["needed"] > 0 else None
        asked, part = tonnes(need["needed"], lang), percent(share, lang, 0)
        assumed = ("；" if lang == "zh" else "; ").join(one[lang] for one in need["assumed"])
        zh = f"强度目标要求的减排约 {asked}，计划措施约占 {part}" + (f"（{assumed}）。" if assumed else "。")
        en = f"The intensity target asks for about {asked}; the measures give {part}" + (
            f" ({assumed})." if assumed else "."
        )
        blocks.append(Paragraph(in_lang(lang, zh, en)))
    rows = []
    for one in told["planned"]["rows"]:
        if one["value"] is not None and one["counted"]:
            shown = None if one["quantity"] is None else figure(one["quantity"], 6)
            quantity = "" if shown is None else f"{shown}{one['unit_name'][lang]}"
            rows.append([one["title"], quantity, f"{one['value']:,.0f}", STATUS_WORDS[one["status"]][lang != "zh"]])
    heads = (
        ["措施", "计划量", "年减排", "状态"] if lang == "zh" else ["Measure", "Quantity", "Avoided a year", "Status"]
    )
    return [*blocks, Table(heads, rows, caption=in_lang(lang, "计入合计的措施（吨）", "Measures counted (tonnes)"))]


def _missed(board: Board, lang: str) -> list[Block]:
    """Every indicator that is neither done nor met for good."""
    rows = [row for row in board["indicators"] if row["state"] != "done" and not row["settled"]]
    if not rows:
        return [Paragraph("指标全部完成或待确认。" if lang == "zh" else "All targets are met or wait to be confirmed.")]
    asked: dict[str, str] = {}
    for one in board["warnings"]:
        asked.setdefault(str(one["line"]), one["action"][lang])
    heads = ["指标", "牵头单位", "情况", "下一步"] if lang == "zh" else ["Indicator", "Lead", "How it stands", "Next"]
    body = [[row["name"], listed(row["lead"], lang), row["reason"][lang], asked.get(row["line"], "")] for row in rows]
    return [Table(heads, body, align="llll")]


def score_blocks(score: Mapping[str, Any], lang: str) -> list[Block]:
    """Return a department's score as blocks: the total with its range and rank, and the arithmetic of each item."""
    ahead = any(row["forecast"] for row in score["rows"])
    by = ("按预计全年", "By the year-end forecast") if ahead else ("按现有数据", "As things stand")
    zh, en = "还没有可计分的数据，各项情况见下表。", "There are no data to score yet; the table says why."
    if score["total"] is not None:
        total, low, high = (f"{score[name]:.1f}" for name in ("total", "low", "high"))
        zh = f"{by[0]} {total} 分（{low}—{high}），第 {rank_text(score)} 名；区间重叠的视为并列。"
        en = f"{by[1]} {total} points ({low} to {high}), rank {rank_text(score)}; overlapping ranges are ties."
    rows = []
    for row in score["rows"]:
        points = "—" if row["points"] is None else f"{row['points'] + row['bonus']:.2f}"
        rows.append([row["title"][lang], f"{row['weight']:g}", points, row["arithmetic"][lang]])
    heads = ["指标", "权重", "得分", "算式"] if lang == "zh" else ["Item", "Weight", "Points", "Arithmetic"]
    return [Paragraph(in_lang(lang, zh, en)), Table(heads, rows, align="lrrl")]


def rank_text(score: Mapping[str, Any]) -> str:
    """Return a rank as far as the data allow: `2`, or `2–4` where scores are tied."""
    if score["rank_from"] is None:
        return "—"
    return (
        str(score["rank_from"])
        if score["rank_from"] == score["rank_to"]
        else f"{score['rank_from']}–{score['rank_to']}"
    )


def indicators(rows: Sequence[Mapping[str, Any]], lang: str) -> Table:
    """Return indicators as a table: target, actual, path, year-end forecast, state."""
    heads = ["序号", "指标", "单位", "目标", "完成", "应达", "预计全年", "状态"]
    english = ["No.", "Indicator", "Unit", "Target", "Actual", "Due", "Forecast", "State"]

    def cell(value: float | None) -> str:
        return "—" if value is None else figure(value, 6)

    made = [
        [str(row["indicator"]), row["name"], row["unit_name"][lang].strip(), cell(row["target"]), cell(row["actual"]),
         cell(row["expected"]), cell(row["forecast"]), TITLES[row["state"]][lang]]
        for row in rows
    ]  # fmt: skip
    return Table(heads if lang == "zh" else english, made)
