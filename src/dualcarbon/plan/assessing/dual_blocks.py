"""The dual targets as blocks of a document: fall, targets, judgement, five years, and the four views side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dualcarbon.core.report import Block, Bullets, Paragraph, Table
from dualcarbon.plan.assessing.dual import lacking

KINDS = {
    "energy": ("单位GDP能耗（等价值）", "Energy intensity (equivalent)"),
    "carbon": ("单位GDP碳排放（消费侧）", "Carbon intensity (consumption)"),
}


def percent(value: float | None, lang: str, digits: int = 2) -> str:
    """Return a share as text in per cent; what is not known is said so."""
    return ("未知" if lang == "zh" else "not known") if value is None else f"{100 * value:.{digits}f}%"


def in_lang(lang: str, zh: str, en: str) -> str:
    """Return the text of a language."""
    return zh if lang == "zh" else en


def blocks(dual: Mapping[str, Any], lang: str) -> list[Block]:
    """Return the blocks of `dual.dual`'s answer."""
    zh, n = lang == "zh", lang != "zh"
    heads = ["项目", "当年下降", "基本目标", "激励目标", "判断", "五年累计"]
    heads = heads if zh else ["Intensity", "Fall", "Basic", "Incentive", "Judgement", "Five years"]
    rows, notes = [], []
    for kind, names in KINDS.items():
        own, total = dual[kind], dual[kind]["cumulative"]
        whole = total["fall"] is not None and not total["missing"]
        years = in_lang(lang, f"缺 {'、'.join(map(str, total['missing']))} 年", "years missing")
        five = percent(total["fall"], lang) if whole else years
        unset = in_lang(lang, "未下达", "not set")
        targets = [unset if own[name] is None else percent(own[name], lang) for name in ("basic", "incentive")]
        rows.append([names[n], percent(own["fall"], lang), *targets, own["said"][lang], five])
        if own["from"] == "notified" and own["years"][-1]["computed"] is not None:
            both = percent(own["years"][-1]["computed"], lang)
            notes.append(in_lang(lang, f"{names[0]}按上级通报；平台按账户估算为 {both}。",
                              f"{names[1]}: as notified; {both} by the accounts."))  # fmt: skip
        if own["fall"] is None and own["indicative"] is not None:
            hint = percent(own["indicative"], lang)
            zh_note = f"{names[0]}按现价增速粗算为 {hint}，仅供参考，不作判断依据。"
            notes.append(in_lang(lang, zh_note, f"{names[1]} at current prices: {hint}; indicative, decides nothing."))
        if total["needed"] is not None and total["left"]:
            each, left = percent(total["needed"], lang), len(total["left"])
            zh_note = f"{names[0]}要完成五年目标，余下 {left} 年每年需下降 {each}。"
            notes.append(in_lang(lang, zh_note, f"{names[1]}: each of the {left} year(s) left needs {each}."))
    made: list[Block] = [Table(heads, rows, align="lrrrlr"), *([Bullets(notes)] if notes else [])]
    if dual["energy"]["views"]:
        made += _views(dual, lang)
    return made


#: The views of `intensity.views` in words.
VIEWS = {
    "statistical": ("统计口径", "statistical"),
    "minus feedstock": ("扣原料用能", "minus feedstock"),
    "minus non-fossil": ("再扣非化石能源", "minus non-fossil"),
    "after certificates": ("再用绿证抵扣", "after certificates"),
}


def _views(dual: Mapping[str, Any], lang: str) -> list[Block]:
    rows = []
    for one in dual["energy"]["views"]:
        energy = "—" if one["energy"] is None else in_lang(lang, f"{one['energy'] / 1e4:,.1f}", f"{one['energy']:,.0f}")
        missing = lacking(one["missing"], lang) if one["missing"] else ""
        fall = percent(one["fall"], lang) if one["fall"] is not None else "—"
        rows.append([VIEWS[one["view"]][lang != "zh"], energy, fall, missing])
    heads = (
        ["口径", "能耗（万吨标准煤）", "强度下降", "缺"]
        if lang == "zh"
        else ["View", "Energy (tce)", "Fall", "Missing"]
    )
    used = dual["certificates"]
    said = in_lang(lang, "没有可抵扣的省外绿证数据。", "No data of certificates from outside the province.")
    if used["mwh"] is not None:
        where = in_lang(lang, "登记账本" if used["from"] == "ledger" else "填报", f"from the {used['from']}")
        said = in_lang(
            lang,
            f"省外绿证核销 {used['mwh']:,.0f} 兆瓦时（{where}），折 {used['tce']:,.0f} 吨标准煤"
            + (f"，上限 {used['cap']:,.0f} 吨，可抵扣 {used['used']:,.0f} 吨。" if used["local"] else "。"),
            f"Certificates used: {used['mwh']:,.0f} MWh ({where}), {used['tce']:,.0f} tce"
            + (f", cap {used['cap']:,.0f}, deducted {used['used']:,.0f} tce." if used["local"] else "."),
        )
    caption = in_lang(lang, "四个口径并列", "Four views side by side")
    return [Table(heads, rows, caption=caption, align="lrrl"), Paragraph(said)]
