"""The words of forms and pages: stages, progress, decisions, headings; and how cells are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from dualcarbon.plan.reading.script import fold, simplify

STAGE_WORDS = {
    "flash": ("快报", "flash figure"),
    "preliminary": ("初步", "preliminary"),
    "approved": ("省核定", "approved by the province"),
    "revised": ("普查修订", "revised by the census"),
}
PROGRESS_WORDS = {
    "not_started": ("未启动", "not started"),
    "under_way": ("推进中", "under way"),
    "blocked": ("受阻", "blocked"),
    "finished": ("已完成", "finished"),
}
STATE_WORDS = {
    "submitted": ("待审核", "to be reviewed"),
    "accepted": ("已审核", "accepted"),
    "returned": ("已退回", "returned"),
}
FIGURE_WORDS = {
    "flow": ("当年累加", "adds up over the year"),
    "cumulative": ("累计存量", "a stock"),
    "level": ("占比或水平", "a share or level"),
    "change": ("同比变化", "a change on last year"),
    "milestones": ("里程碑", "milestones"),
}
BASIS_WORDS = {
    "figure": ("数值", "a figure"),
    "names": ("名单", "a list of names"),
    "projects": ("项目台账", "a ledger of projects"),
    "milestones": ("里程碑", "milestones"),
}
METHOD_WORDS = {"linear": ("均匀", "linear"), "seasonal": ("按往年月度形态", "seasonal"), "set": ("部门自定", "set")}
ACTION_WORDS = {"add": ("新增", "add"), "strike": ("撤销", "strike")}
STANDING_WORDS = {
    "done": ("完成", "done"),
    "on_pace": ("正常", "on pace"),
    "behind": ("滞后", "behind"),
    "at_risk": ("有风险", "at risk"),
    "no_data": ("无数据", "no data"),
}

STATUS_WORDS = {
    "official": ("官方", "official"),
    "secondary": ("转引", "secondary"),
    "unverified": ("未核实", "unverified"),
    "synthetic": ("演示数据", "synthetic"),
}

#: Units of a plan as English readers write them after a number.
UNITS = {
    "万千瓦": " ×10⁴ kW", "亿千瓦时": " ×10⁸ kWh", "万tce": " ×10⁴ tce", "万吨标准煤": " ×10⁴ tce",
    "吨标煤/万元": " tce/10⁴ CNY", "万亩": " ×10⁴ mu", "亩": " mu", "万m2": " ×10⁴ m²", "万平方米": " ×10⁴ m²",
    "公里": " km", "公顷": " ha", "万标箱": " ×10⁴ TEU", "万吨": " ×10⁴ t", "亿元": " ×10⁸ CNY", "万套": " ×10⁴ sets",
    "μg/m3": " μg/m³", "台套": "", "%": "%", "/": "",
}  # fmt: skip


def unit_in_english(unit: str) -> str:
    """Return a plan's unit as English readers write it after a number; counting words (个, 家, 辆) have none."""
    return UNITS.get(unit, "" if len(unit) <= 1 else f" {unit}")


def unit_name(unit: str | None) -> dict[str, str]:
    """Return how a plan's unit reads after a number, {zh, en}: Chinese as the plan has it."""
    return {"zh": unit or "", "en": unit_in_english(unit or "")}


def listed(names: Iterable[str], lang: str) -> str:
    """Return names as one text: with enumeration commas in Chinese, with commas in English."""
    return ("、" if lang == "zh" else ", ").join(names)


def status_of(word: str) -> str | None:
    """Return the status that a word of a form means (官方, official); None for one that is not known."""
    words = {said: status for status, pair in STATUS_WORDS.items() for said in (status, *pair)}
    return words.get(word.strip())


#: The headings of a form, by the field they hold.
HEADINGS = {
    "line": "编码", "number": "序号", "name": "指标名称", "unit": "单位", "target": "目标", "before": "上期值",
    "before_month": "上期月份", "due": "本期应达", "value": "本期值", "stage": "数据阶段", "text": "进展说明",
    "evidence": "佐证材料文件名", "reason": "更正原因", "remark": "备注", "progress": "本期进展", "title": "任务名称",
    "role": "分工", "progress_before": "上期进展", "entry": "名称", "mark": "证号或牌号", "site": "所在地（厂址）",
    "amount": "数量", "month": "完成月份", "paper": "佐证文号", "action": "操作", "method": "方法", "opening": "年初值",
    "step": "步骤", "weight": "权重", "due_month": "应完成月份",
}  # fmt: skip


def meaning(text: Any, words: dict[str, tuple[str, str]]) -> str | None:
    """Return the code that `text` names (its code, Chinese or English word), or None."""
    clean = plain(text).lower()
    return next((code for code, said in words.items() if clean in (code, *(plain(one).lower() for one in said))), None)


def plain(text: Any) -> str:
    """Return a cell as comparable text: Simplified, half-width, without blanks."""
    return _plain(str(text)) if text is not None else ""


@lru_cache(maxsize=100_000)
def _plain(text: str) -> str:
    return re.sub(r"\s+", "", fold(simplify(text)))


def key(text: Any) -> str:
    """Return what makes two names one: case and blanks, full width and traditional characters do not count."""
    return re.sub(r"[·•.,，。、\-—_()（）\[\]【】“”\"']", "", plain(text)).upper()


def number(cell: Any) -> float | None:
    """Return the number in a cell, None for a blank one. Raises ValueError for anything else: a word is never zero."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, bool):
        raise ValueError(str(cell))
    if isinstance(cell, (int, float)):
        found = float(cell)
    else:
        found = float(re.sub(r"(?<=\d),(?=\d{3})", "", plain(cell)).removesuffix("%"))
    if not math.isfinite(found):
        raise ValueError(str(cell))
    return found


def dated(cell: Any) -> tuple[int | None, int | None]:
    """Return the year and month in a cell: 3, 3.0, 3月 (no year), 2024-03, 2024年3月, a date. Raises ValueError."""
    if isinstance(cell, str):
        clean = plain(cell)
        found = re.fullmatch(r"(\d{4})[-年/.](\d{1,2})(?:[-月/.].*)?月?", clean)
        if found:
            return int(found[1]), int(found[2])
        cell = clean.removesuffix("月份").removesuffix("月")
    elif hasattr(cell, "month"):
        return int(cell.year), int(cell.month)
    month = number(cell)
    if month is not None and month != int(month):
        raise ValueError(str(cell))
    return None, None if month is None else int(month)
