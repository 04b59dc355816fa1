"""What a flag says: its months, amounts and how far off it is, in both languages."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from dualcarbon.nowcast import flags, gaps

#: What the sums of a place's parts are, as they are said.
SUMS = {"power": {"zh": "用电", "en": "electricity"}, "direct": {"zh": "燃料排放", "en": "CO2 of fuels"}}


def borne(flag: dict[str, Any], lang: str) -> str:
    """For how many months what a flag of `carried` is about has been silent, and what it is carried at, in words."""
    if "silent" not in flag:
        return ""
    count, size, share = flag["silent"], amount(flag["carried"])[lang], flag["share"] or 0.0
    part = f"{100 * share:.1f}%" if share >= 5e-4 else ("不到0.1%" if lang == "zh" else "less than 0.1%")
    if lang == "zh":
        month = gaps.span_text([flag["month"]], "zh")
        return f"已连续{count}个月未报，{month}按{size}计入，占合计{part}；满一年未报即按零计。"
    months_ = "one month" if count == 1 else f"{count} months"
    return (f" Silent for {months_}, carried at {size} in {flag['month']}, {part} of the total; after a year of "
            "silence it counts as zero.")  # fmt: skip


def words(flag: dict[str, Any]) -> dict[str, Any]:
    """What a flag's message is told with: months, amounts, how far off, in both languages where they differ."""
    months = flag.get("months") or [flag["month"]]
    span = {lang: gaps.span_text(months, lang) for lang in ("zh", "en")}
    told: dict[str, Any] = {"month": _period(flag["period"]) if flag.get("period") else span}
    off = {"zh": "与上年同月相差异常", "en": "depart from the year before as never before"}
    if flag.get("near"):
        off = {"zh": "与前后各月相差异常", "en": "depart from the months about it by far"}
    if flag.get("suspect"):
        off["zh"] += f"（{gaps.span_text([flag['suspect']], 'zh')}与前后月不符，更可能是它有误）"
        off["en"] += f" ({flag['suspect']} is more likely to be wrong)"
    told["off"], told["count"] = off, f"{flag.get('count', flag['value']):.0f}"
    if "others" in flag:
        few = flag["others"]
        most = {"zh": "排放占多数的地区", "en": "from areas with most of the CO2 "}
        told |= {"most": most if few else dict.fromkeys(most, ""),
                 "all": {"zh": "大多" if few else "全部", "en": "most of" if few else "all of"}}  # fmt: skip
    if "of" in flag:
        zh, en = (gaps.PARTS[flag["of"]][lang] if flag["of"] else "" for lang in ("zh", "en"))
        told["data"] = {"zh": f"{zh}数据", "en": f"{en} data".strip()}
    if flag["rule"] == "nowcast.short-history":
        told["grown"] = f"{max(flag['value'] - flags.YEAR, 0):.0f}"
    if flag.get("parts"):
        told["what"] = {lang: _reported(flag["parts"], lang) for lang in ("zh", "en")}
    if flag.get("lost"):
        told["what"] = {lang: _lost(flag["lost"], lang) for lang in ("zh", "en")}
    if not flag.get("causes") and flag["rule"] != "nowcast.level-place":
        return told
    value, usual = flag["value"], flag["usual"]
    percent = 100 * (value / usual - 1) if usual else 0.0
    higher = value >= usual
    told |= {"size": amount(abs(flag["size"])), "percent": f"{abs(percent):.0f}%"}
    if flag["rule"] in ("nowcast.level-shift", "nowcast.level-place"):
        told |= {"before": amount(usual, value), "after": amount(value, usual),
                 "change": f"{percent:+.0f}%".replace("-", "−"),
                 "moved": {"zh": "升到" if higher else "降到", "en": "rose" if higher else "fell"}}  # fmt: skip
    else:
        digits = max(2, 1 - int(np.floor(np.log10(min(value, usual)))))
        fuels = flag["by"] == "direct"
        told |= {"value": f"{value:.{digits}f}", "usual": f"{usual:.{digits}f}",
                 "moved": {"zh": "高" if higher else "低", "en": "higher" if higher else "lower"},
                 "by": {"zh": "燃料" if fuels else "用电", "en": "fuels" if fuels else "electricity"}}  # fmt: skip
    return told


def _lost(lost: dict[str, list[str]], lang: str) -> str:
    """Which months of what have not arrived: ``2024年11月至12月用电和燃料数据均``, the months of both told once."""
    same: dict[str, list[str]] = {}
    for part, when in lost.items():
        same.setdefault(gaps.span_text(when, lang), []).append(flags.PARTS[part][lang])
    if lang == "zh":
        return "、".join(f"{when}{'和'.join(what)}数据{'均' if len(what) > 1 else ''}" for when, what in same.items())
    return "; ".join(f"{' and '.join(parts)} of {when}" for when, parts in same.items())


def _reported(parts: Sequence[dict[str, Any]], lang: str) -> str:
    """What was reported of a place's parts, and what is usual: ``用电12.30万MWh（平常约3.10万MWh）``."""
    said = []
    for one in parts:
        most = max(one["value"], one["usual"])
        value, usual = (_quantity(one[name], most, one["part"])[lang] for name in ("value", "usual"))
        usual = usual if one["usual"] else ""
        if lang == "zh":
            said.append(f"{SUMS[one['part']][lang]}{value}{f'（平常约{usual}）' if usual else ''}")
        else:
            said.append(f"{SUMS[one['part']][lang]} {value}{f' (usually about {usual})' if usual else ''}")
    return ("、" if lang == "zh" else "; ").join(said)


def _quantity(value: float, beside: float, part: str) -> dict[str, str]:
    if part == "direct":
        return amount(value, beside)
    if max(value, beside) >= 1000:
        return {"zh": f"{value / 1e4:,.2f}万MWh", "en": f"{value / 1e3:,.1f} GWh"}
    return {"zh": f"{value:,.0f}MWh", "en": f"{value:,.0f} MWh"}


def _period(period: Any) -> Any:
    """A period's text (``2024``, ``2024-10/2024-12``) in both languages; others as they are."""
    ends = str(period).split("/")
    if not all(re.fullmatch(r"\d{4}(-\d{2})?", end) for end in ends):
        return period
    if len(ends[0]) == 4:
        return {"zh": "至".join(f"{end}年" for end in ends), "en": period}
    first, last = (int(end[:4]) * 12 + int(end[5:]) - 1 for end in (ends[0], ends[-1]))
    months = [f"{number // 12}-{number % 12 + 1:02d}" for number in range(first, last + 1)]
    return {lang: gaps.span_text(months, lang) for lang in ("zh", "en")}


def amount(value: float, beside: float = 0.0) -> dict[str, str]:
    """An amount of CO2 (t) as people say it, in the unit of the larger where it stands `beside` another: ``1.2万吨``,
    ``240吨``."""
    most = max(value, beside)
    if most >= 1000:
        return {"zh": f"{value / 1e4:,.{1 if most >= 1e4 else 2}f}万吨", "en": f"{value / 1e3:,.1f} kt"}
    return {"zh": f"{value:,.0f}吨", "en": f"{value:,.0f} t"}


def numbers(flag: dict[str, Any], lang: str) -> str:
    """The numbers of a flag's message or, where it says none, its months."""
    told = words(flag)
    names = ("before", "after", "change") if "before" in told else ("value", "usual", "percent", "size")
    said = [told[name] for name in names if name in told] or [told["month"]]
    return ("、" if lang == "zh" else ", ").join(one[lang] if isinstance(one, dict) else one for one in said)
