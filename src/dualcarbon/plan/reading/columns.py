"""What the columns of a plan's tables are for, recognised by their headings, never by their position."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dualcarbon.plan.reading.script import tight

# The first pattern that matches a heading decides.
ROLES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (role, re.compile(pattern))
    for role, pattern in (
        ("number", r"^(序号|编号|序|号|no\.?|#)$"),
        ("note", r"备注|说明$|解释|口径|^依据|(责任|负责|联系)人|领导$|电话"),
        ("investment", r"投资"),
        ("unit", r"^(计量|指标)?单位$"),
        ("nature", r"属性|性质|指标类[型别]"),
        ("joint", r"配合|协同|协办|参与|参加"),
        ("drafter", r"起草|制定(单位|部门)|拟制"),
        ("lead", r"牵头|主办|责任|负责|落实(单位|部门)|承担单位|主管"),
        ("due", r"时间|时限|期限|^完成时"),
        ("baseline", r"基数|基期|上年|现状|实绩|完成(值|情况|数)"),
        ("domain", r"^(重点|工作|所属|一级)*(领域|板块|类别|方面|分类|条线|行动)$|^一级指标$"),
        ("value", r"指标值|目标|计划(数|值)|任务(数|值)|^20\d\d年?(度)?$"),
        ("name", r"指标"),
        ("title", r"文件|政策|改革|方案名称"),
        ("text", r"工作|任务|措施|举措|内容|事项|要点|清单"),
        ("title", r"名称"),
    )
)


def role(heading: str) -> str | None:
    """Return what a column under `heading` holds, or None for a heading that says nothing."""
    text = tight(heading).lower()
    if not text or len(text) > 24 or "。" in text:
        return None
    return next((name for name, pattern in ROLES if pattern.search(text)), None)


def roles(headings: Sequence[str]) -> list[str | None]:
    """Return the role of each heading; a heading merged over several columns serves each of them."""
    found = [role(heading) for heading in headings]
    if "lead" in found and "value" in found and not {"text", "name", "title", "unit"} & set(found):
        found[found.index("value")] = "text"  # 任务及目标, where nothing else says what is to be done
    return found


def kind(found: Sequence[str | None]) -> str | None:
    """Return `indicators`, `policies`, `tasks`, `projects` or None for a row of column roles."""
    here = set(found)
    if "investment" in here:
        return "projects"
    if "value" in here and here & {"name", "title"}:
        return "indicators"
    if "name" in here and "unit" in here:
        return "indicators"
    if "title" in here and here & {"due", "drafter"} and "text" not in here:
        return "policies"
    if "text" in here and here & {"lead", "joint"}:
        return "tasks"
    return None


def is_header(cells: Sequence[str]) -> bool:
    """True when a row of cells reads as the heading of a table this room understands."""
    filled = [cell for cell in cells if cell.strip()]
    if len(filled) < 2:
        return False
    found = roles(filled)
    return kind(found) is not None and sum(one is not None for one in found) >= max(2, len(filled) - 2)
