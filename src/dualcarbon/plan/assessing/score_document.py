"""A score sheet as a document and as a workbook: totals, ranges and ranks, the arithmetic of every point, the steps."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core.report import Block, Bullets, Heading, Paragraph, Report, Table
from dualcarbon.plan.assessing.bulletin import LABEL, rank_text
from dualcarbon.plan.assessing.dual_blocks import in_lang
from dualcarbon.plan.assessing.score_steps import ACTIONS, STATES, gathered
from dualcarbon.plan.words import listed

KINDS = ("docx", "pdf", "xlsx")


def content(sheet: Mapping[str, Any], kind: str, lang: str = "zh") -> bytes:
    """Return a score sheet (`score_sheet.read`) as a file of `KINDS`. Raises KeyError for another kind."""
    from dualcarbon.core import report

    if kind not in KINDS:
        raise KeyError(kind)
    if kind == "xlsx":
        from dualcarbon.plan.assessing import workbook

        return workbook.of_scores(sheet["result"], lang)
    with tempfile.TemporaryDirectory() as folder:
        return report.write(document(sheet, lang), Path(folder) / f"made.{kind}").read_bytes()


def document(sheet: Mapping[str, Any], lang: str = "zh") -> Report:
    """Return a score sheet as a report: the ranking, each subject's arithmetic, the steps taken."""
    told, n = sheet["result"], lang != "zh"
    edition = in_lang(lang, f"第{sheet['edition']}版　{STATES[sheet['state']]['zh']}",
                      f"edition {sheet['edition']}, {STATES[sheet['state']]['en']}")  # fmt: skip
    scored = [one for one in told["subjects"] if one["total"] is not None]
    sure = sum(one["rank_from"] == one["rank_to"] for one in scored)
    zh = f"共 {len(told['subjects'])} 个对象，{sure} 个名次分得清；分差不超过数据误差的视为并列。"
    zh += "达到基本目标满分，未达的按完成比例打折并封顶，或一票否决；激励目标按方案写明的加分，没有写的不另计分。"
    en = f"{len(told['subjects'])} subjects, {sure} ranks are certain; differences within the data's error are ties. "
    en += "Basic target met: full marks; missed: a capped share or a veto; incentive: what the scheme says it earns."
    heads = (["对象", "名次", "总分", "范围", "加分", "扣分", "一票否决", "办理"],
             ["Subject", "Rank", "Total", "Range", "Bonus", "Deducted", "Veto", "State"])[n]  # fmt: skip
    rows = []
    for one in told["subjects"]:
        reach = "—" if one["total"] is None else f"{one['low']:.1f}—{one['high']:.1f}"
        total = "—" if one["total"] is None else f"{one['total']:.1f}"
        veto = in_lang(lang, "是", "yes") if one["veto"] else ""
        state = STATES[sheet["subjects"][one["subject"]]["state"]][lang]
        rows.append([one["subject"], rank_text(one), total, reach, _number(one["bonus"]), _number(one["deducted"]),
                     veto, state])  # fmt: skip
    blocks: list[Block] = [
        Heading(in_lang(lang, "一、总分和名次", "1 Totals and ranks")),
        Paragraph(in_lang(lang, zh, en)),
        Table(heads, rows, align="lrrrrrll"),
        Heading(in_lang(lang, "二、算式", "2 Arithmetic")),
    ]
    for one in told["subjects"]:
        blocks += _arithmetic(one, told["full"], lang)
    steps = [
        [step["told"], ACTIONS[step["action"]][lang], listed(step["subjects"], lang), step["reason"] or "",
         "　".join(part for part in (step["department"], step["person"]) if part)]
        for step in gathered(sheet["steps"])
    ]  # fmt: skip
    heads = (["日期", "步骤", "对象", "理由", "办理人"], ["Day", "Step", "Subjects", "Reason", "By"])[n]
    blocks += [Heading(in_lang(lang, "三、经过", "3 Steps")), Table(heads, steps, align="lllll")]
    if sheet["editions"]:
        blocks.append(Bullets([
            in_lang(lang, f"第{one['edition']}版，{one['told']} 冻结：{one['why']['zh']}",
                    f"Edition {one['edition']}, frozen {one['told']}: {one['why']['en']}")
            for one in sheet["editions"]
        ]))  # fmt: skip
    days = [step["told"] for step in sheet["steps"]]
    return Report(
        told["title"][lang], blocks, lang=lang, subtitle=f"{sheet['sheet']}　{edition}",
        day=date.fromisoformat(max(days)), label=LABEL[lang] if told["synthetic"] else "",
    )  # fmt: skip


def _said(row: Mapping[str, Any], lang: str) -> str:
    """An item's arithmetic, and how its incentive target counts."""
    return in_lang(lang, "；", "; ").join(one[lang] for one in (row["arithmetic"], row["incentive_said"]) if one)


def _number(value: float) -> str:
    return f"{value:.1f}" if value else ""


def _arithmetic(one: Mapping[str, Any], full: float, lang: str) -> list[Block]:
    heads = (["指标", "得分", "满分", "算式"], ["Item", "Points", "Of", "Arithmetic"])[lang != "zh"]
    rows = [
        [row["title"][lang], "—" if row["points"] is None else f"{row['points'] + row['bonus']:.2f}",
         f"{row['weight']:g}", _said(row, lang)]
        for row in one["rows"]
    ]  # fmt: skip
    for take in one["deductions"]:
        rows.append([take["title"][lang], f"−{take['points']:.2f}", "", f"{take['times']:g} × {take['each']:g}"])
    made: list[Block] = [Table(heads, rows, caption=one["subject"], align="lrrl")]
    if one["total"] is not None:
        sum_ = f"{one['points']:.2f} ÷ {one['weight']:g} × {full:g}"
        sum_ += f" + {one['bonus_counted']:.2f}" if one["bonus_counted"] else ""
        sum_ += f" − {one['deducted']:.2f}" if one["deducted"] else ""
        stopped = in_lang(lang, "，否决封顶", ", capped by the veto") if one["veto"] else ""
        made.append(Paragraph(f"{sum_}{stopped} = {one['total']:.2f}"))
    return made
