"""The yearly analysis of the carbon situation (年度碳排放形势分析), as a document and as a Word file.

The text states what was counted and what was estimated, the causes of the change, and how good the estimates have been.
A year that is not over is analysed up to the last month before `as_of`.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from dualcarbon.core.classification import Classification, load
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import flags, months, present, why
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.shape import Array

#: Sectors named as those that pulled most, up and down.
NAMED = 5


def analyse(
    workspace: Any = None,
    *,
    year: int,
    place: str = "330400",
    as_of: date | None = None,
    tree: str = "admin",
    family: str = "provincial-2025",
) -> dict[str, Any]:
    """The situation of `year`: total, areas, domains, sectors, causes, quality, flags, and the report's paragraphs.

    Values are tCO2 of fuels burned other than for power and of purchased electricity; months not reported are
    estimated. `paragraphs` holds {heading, text, table} in Chinese (`zh`) and English (`en`). Raises Refused for an
    unknown place, or a year without data in it and the year before.
    """
    workspace = present.opened(workspace)
    book = load(workspace.pack)
    seen = cities.read(workspace, as_of=as_of, place=place, tree=tree, family=family)
    code = book.places.find(place) or place
    span = [t for t, month in enumerate(seen.months) if month.year == year]
    if not span or span[0] < 12:
        raise Refused(Problem("nowcast.year-not-covered", value=str(year)))
    seen = seen.upto(span[-1])
    now, low, high, guessed = _summed(seen, span)
    past = [t - 12 for t in span]
    before = np.nan_to_num(seen.direct[:, past]).sum(1) + np.nan_to_num(seen.indirect[:, past]).sum(1)
    last = seen.months[span[-1]].month
    period = str(year) if last == 12 else f"{year}-01/{year}-{last:02d}" if last > 1 else f"{year}-01"
    made: dict[str, Any] = {
        "place": code, "place_name": {lang: book.places.name(code, lang) for lang in ("zh", "en")}, "year": year,
        "period": period, "as_of": seen.as_of, "unit": "tCO2", "status": seen.status, "tree": tree,
        "synthetic": seen.status == "synthetic", "value": float(now.sum()), "low": low, "high": high,
        "estimated_months": [seen.months[t].isoformat()[:7] for t in guessed],
        "last_year": float(before.sum()), "change": float(now.sum() - before.sum()),
    }  # fmt: skip
    made["status_name"] = {lang: book.terms["status"].name(seen.status, lang) for lang in ("zh", "en")}
    made["change_percent"] = 100 * made["change"] / made["last_year"] if made["last_year"] else None
    for name, column in (("areas", 0), ("sectors", 1), ("domains", 2)):
        made[name] = _grouped(seen, now, before, column, book)
    made["causes"] = None
    if not guessed:
        made["causes"] = why.explain(workspace, place=code, period=period, as_of=seen.as_of, tree=tree, family=family)
    asked = [t for t in span if np.isfinite(seen.direct[:, t]).mean() >= 0.5]
    replayed = months.replay(seen.direct, seen.power, asked, 1, seen.places, seen.sectors) if asked else None
    made["record"] = present.scored(seen.direct[:, asked], replayed) if replayed else None
    found = {
        (flag["rule"], flag["place"], flag["sector"]): flag for t in reversed(span) for flag in flags.find(seen, t)
    }
    made["flags"] = [{**flag, **present.named(book, flag)} for flag in found.values()]
    made["paragraphs"] = {lang: _paragraphs(made, lang) for lang in ("zh", "en")}
    return made


def _summed(seen: City, span: list[int]) -> tuple[Array, float | None, float | None, list[int]]:
    """CO2 of the months `span` by cell (N,), the 90 % interval of their sum, and the months with estimates.

    Errors of the months are taken as shared among them, which is the wider reading.
    """
    total, width, counted, guessed = np.zeros(len(seen.cells)), 0.0, 0.0, []
    for t in span:
        parts = seen.direct[:, t], seen.indirect[:, t]
        if all(np.isfinite(part).all() for part in parts):
            total += parts[0] + parts[1]
            continue
        guessed.append(t)
        variance = 0.0
        for part in present.estimated(seen, t):
            guess = np.where(part.counted, 0.0, part.value)
            total += part.value
            counted += float(guess.sum())
            variance += (part.shared * guess.sum()) ** 2 + float(((part.own * guess) ** 2).sum())
        width += float(np.sqrt(variance))
    if not guessed:
        return total, None, None, []
    value = float(total.sum())
    return total, max(value - width, value - counted), value + width, guessed


def _grouped(seen: City, now: Array, before: Array, column: int, book: Classification) -> list[dict[str, Any]]:
    codes: Any = (book.places, book.sectors, book.domains)[column]
    rows = []
    for code in sorted({cell[column] for cell in seen.cells}):
        mine = np.array([cell[column] == code for cell in seen.cells])
        value, past = float(now[mine].sum()), float(before[mine].sum())
        rows.append({
            "code": code, "name": {lang: codes.name(code, lang) if code else "—" for lang in ("zh", "en")},
            "value": value, "share": value / float(now.sum()) if now.sum() else None, "last_year": past,
            "change_percent": 100 * (value / past - 1) if past else None,
            "pull_points": 100 * (value - past) / float(before.sum()) if before.sum() else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["value"])


def _paragraphs(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    zh = lang == "zh"
    name, wan = made["place_name"][lang], 1e4
    year = f"{made['year']} 年" if zh else str(made["year"])
    if "/" in made["period"]:
        end = int(made["period"][-2:])
        year = f"{made['year']} 年 1–{end} 月" if zh else f"January to month {end} of {made['year']}"
    up = made["change"] >= 0
    size = f"{abs(made['change_percent'] or 0):.1f}%"
    value = f"{made['value'] / wan:,.1f}"
    if zh:
        total = (
            f"{year}，{name}能源活动二氧化碳（非发电燃料燃烧与购入电力）{value} 万吨，比上年同期"
            f"{'增加' if up else '减少'} {abs(made['change']) / wan:,.1f} 万吨，{'增长' if up else '下降'} {size}。"
        )
    else:
        total = (f"In {year}, CO2 of energy activity in {name} (fuels burned other than for power, and purchased "
                 f"electricity) was {value} ×10⁴ t, {abs(made['change']) / wan:,.1f} ×10⁴ t ({size}) "
                 f"{'more' if up else 'less'} than a year before.")  # fmt: skip
    if made["estimated_months"]:
        ends = f"{made['low'] / wan:,.1f}–{made['high'] / wan:,.1f}"
        listed = "、".join(made["estimated_months"])
        total += (f"其中 {listed} 尚未报齐，缺报部分为估算，90% 区间 {ends} 万吨。" if zh
                  else f" Reports of {listed} are incomplete and estimated; 90 % interval {ends}.")  # fmt: skip
    out: list[dict[str, Any]] = [{"heading": "一、总体情况" if zh else "1 Overview", "text": total, "table": None}]
    for number, (key, title) in enumerate((("domains", ("分领域", "By domain")), ("areas", ("分地区", "By area")))):
        rows = made[key]
        most = max(rows, key=lambda row: abs(row["pull_points"] or 0), default=None)
        text = ""
        if most is not None and most["pull_points"] is not None:
            points, rose = f"{abs(most['pull_points']):.2f}", most["pull_points"] >= 0
            verb = ("拉动" if rose else "下拉") if zh else ("added" if rose else "took")
            who = most["name"][lang]
            text = (
                f"{who}影响最大，{verb}增速 {points} 个百分点。"
                if zh
                else f"{who} mattered most: it {verb} {points} points."
            )
        heading = f"{'二三'[number]}、{title[0]}情况" if zh else f"{number + 2} {title[1]}"
        out.append({"heading": heading, "text": text, "table": _table(rows, lang)})
    pulls = sorted((row for row in made["sectors"] if row["pull_points"]), key=lambda row: row["pull_points"])
    rising = [row for row in reversed(pulls) if row["pull_points"] > 0][:NAMED]
    falling = [row for row in pulls if row["pull_points"] < 0][:NAMED]

    def listed_rows(rows: list[dict[str, Any]]) -> str:
        unit = " 个百分点" if zh else " points"
        each = [f"{row['name'][lang]}（{row['pull_points']:+.2f}{unit}）" if zh else
                f"{row['name'][lang]} ({row['pull_points']:+.2f}{unit})" for row in rows]  # fmt: skip
        return ("、" if zh else "; ").join(each) or ("无" if zh else "none")

    text = (f"拉动增长较多的行业：{listed_rows(rising)}。下拉较多的行业：{listed_rows(falling)}。" if zh
            else f"Pulled up: {listed_rows(rising)}. Pulled down: {listed_rows(falling)}.")  # fmt: skip
    out.append({"heading": "四、重点行业" if zh else "4 Sectors", "text": text, "table": None})
    if made["causes"]:
        parts = [one for one in made["causes"]["effects"] if abs(one["percent"] or 0) >= 0.005]
        each = [f"{one['title'][lang]} {one['percent']:+.2f}{' 个百分点' if zh else ' points'}" for one in parts]
        text = (
            "按对数平均迪氏指数（LMDI）分解，各因素合计等于总变动：" if zh else "Additive LMDI, summing to the change: "
        )
        text += ("；" if zh else "; ").join(each) + ("。" if zh else ".")
        if not made["causes"]["activity"]:
            text += "缺少覆盖两年的增加值，规模与结构未单列。" if zh else " No value added covers both years."
    else:
        text = "年内尚有月份未报齐，暂不分解。" if zh else "Some months are not reported yet; no decomposition."
    out.append({"heading": "五、变动原因" if zh else "5 Causes", "text": text, "table": None})
    record = made["record"]
    text = "可回放的月份不足。" if zh else "Too few months to replay."
    if record and record["coverage90"] is not None and record["skill_vs_last"] is not None:
        error, base = f"{record['error_percent']:.1f}", f"{record['last_value_error_percent']:.1f}"
        better, held = f"{record['better_than_last']:.0%}", f"{record['coverage90']:.0%}"
        text = (f"回放本年各月（燃料数据晚到一个月）：估算误差 {error}%，沿用上年同月为 {base}%；"
                f"{better} 的单元优于沿用上年同月；名义 90% 区间实际覆盖 {held}。" if zh else
                f"Replay of the year's months with fuels a month late: error {error} %, the month a year ago {base} %; "
                f"{better} of cells better; the 90 % interval held {held}.")  # fmt: skip
    out.append({"heading": "六、估算质量" if zh else "6 Quality of the estimates", "text": text, "table": None})
    told = [flag["message"][lang] for flag in made["flags"][:10]]
    text = "".join(told) if told else ("未发现需要核实的异常。" if zh else "Nothing to ask about was found.")
    out.append({"heading": "七、需要核实的情况" if zh else "7 To be checked", "text": text, "table": None})
    if zh:
        text = f"数据截至 {made['as_of']}，依据状态：{made['status_name']['zh']}。"
        text += "不含跨界热力、工业过程排放和发电用燃料；因子不确定性见核算账户。"
    else:
        text = (f"Known on {made['as_of']}; status: {made['status_name']['en']}. Heat across the boundary, process CO2 "
                "and fuel for power are not in here; uncertainty of factors is shown by the account.")  # fmt: skip
    out.append({"heading": "数据说明" if zh else "Data", "text": text, "table": None})
    return out


def _table(rows: list[dict[str, Any]], lang: str) -> list[list[str]]:
    zh, en = ["名称", "万吨", "占比", "同比", "拉动（百分点）"], ["name", "10⁴ t", "share", "change", "points"]
    head = zh if lang == "zh" else en
    body = [
        [row["name"][lang], f"{row['value'] / 1e4:,.1f}", f"{row['share'] or 0:.1%}",
         "—" if row["change_percent"] is None else f"{row['change_percent']:+.1f}%",
         "—" if row["pull_points"] is None else f"{row['pull_points']:+.2f}"]
        for row in rows
    ]  # fmt: skip
    return [head, *body]


def title(made: dict[str, Any], lang: str = "zh") -> str:
    """The report's title; synthetic data are named as such."""
    name = made["place_name"][lang]
    mark = {"zh": "（演示数据）", "en": " (synthetic data)"}[lang] if made["synthetic"] else ""
    return (f"{name} {made['year']} 年碳排放形势分析" if lang == "zh" else f"{name}: carbon in {made['year']}") + mark


def write(made: dict[str, Any], path: Path, lang: str = "zh") -> Path:
    """Write the report as a Word file. Raises Refused when the folder does not exist or `path` is not ``.docx``."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Pt

    if path.suffix.lower() != ".docx" or not path.parent.is_dir():
        raise Refused(Problem("nowcast.no-report-file", value=str(path)))
    page = Document()
    style = page.styles["Normal"]
    style.font.name, style.font.size = "Times New Roman", Pt(12)
    style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "仿宋")
    page.core_properties.title = title(made, lang)
    page.core_properties.author = "dualcarbon"
    head = page.add_paragraph()
    head.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = head.add_run(title(made, lang))
    run.bold, run.font.size = True, Pt(18)
    for part in made["paragraphs"][lang]:
        page.add_paragraph().add_run(part["heading"]).bold = True
        if part["text"]:
            page.add_paragraph(part["text"]).paragraph_format.first_line_indent = Pt(24)
        if part["table"]:
            grid = page.add_table(rows=0, cols=len(part["table"][0]), style="Table Grid")
            for row in part["table"]:
                for cell, text in zip(grid.add_row().cells, row, strict=True):
                    cell.text = text
    page.save(str(path))
    return path
