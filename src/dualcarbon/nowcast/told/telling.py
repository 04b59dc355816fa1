"""The reports in words: paragraphs whose figures open, and the documents that are written as Word or PDF."""

from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core import report
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.nowcast import beside
from dualcarbon.nowcast.told import drawing, saying
from dualcarbon.nowcast.told.chinese import Chinese
from dualcarbon.nowcast.told.chinese_month import ChineseMonth
from dualcarbon.nowcast.told.english import English
from dualcarbon.nowcast.told.english_month import EnglishMonth
from dualcarbon.nowcast.told.wording import NAMED, Row, Words, based, signed

#: Captions of the tables and figures by the number of their paragraph; what a table's rows are.
TABLES = {
    1: ("分领域排放", "By domain"),
    2: ("分地区排放", "By area"),
    3: ("拉动较大的行业", "Sectors that pulled most"),
}
FIGURES = {
    0: ("分月排放与上年同月", "Months and the same months a year before"),
    4: ("各因素的作用（万吨）", "What moved CO2 (kt)"),
}
HEADS = {"domains": ("领域", "Domain"), "areas": ("地区", "Area"), "sectors": ("行业", "Sector")}
#: Tables that split direct from indirect CO2.
SPLIT = ("domains", "areas")
#: Sectors in their table, up and down.
SHOWN = NAMED + 2


def paragraphs(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """The analysis `made` by `situation.analyse` in Chinese (`zh`) or English (`en`), as {heading, text, lines, table}.

    `lines` are those of the text as segments (`saying.lines`): plain text, and figures with the question that opens
    them. `table` holds rows of texts under a row of heads; `cells`, as long, the figure of each or None.
    """
    words = Chinese(made) if lang == "zh" else English(made)
    parts = [
        (words.overview(), None), (words.most("domains"), "domains"), (words.most("areas"), "areas"),
        (words.sectors(), "sectors"), (words.causes(), None), (words.quality(), None), (words.checks(), None),
        (words.advice(), None), (words.data(), None),
    ]  # fmt: skip
    return [
        {
            "heading": words.heading(count),
            **said(text, words),
            **(_table(words, key) if key in words.tables else {"table": None, "cells": None}),
        }
        for count, (text, key) in enumerate(parts, 1)
    ]  # fmt: skip


def brief(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """The brief of a month `made` by `brief.monthly`, in the layout of `paragraphs`, without headings or tables."""
    words = ChineseMonth(made) if lang == "zh" else EnglishMonth(made)
    text = "\n".join(part for part in words.parts() if part)
    return [{"heading": "", **said(text, words), "table": None, "cells": None}]


def tables(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """The tables that stand beside the brief of a month on its page: {heading, table, cells} of areas, domains and the
    sectors that pulled most."""
    words = ChineseMonth(made) if lang == "zh" else EnglishMonth(made)
    captions = dict(zip(HEADS, TABLES.values(), strict=True))
    keys = [key for key in ("areas", "domains", "sectors") if key in words.tables]
    return [{"heading": captions[key][lang != "zh"], **_table(words, key)} for key in keys]


def said(text: str, words: Words) -> dict[str, Any]:
    """A marked text as it is read and as segments."""
    return {"text": saying.plain(text), "lines": saying.lines(text, words.figures)}


def title(made: dict[str, Any], lang: str = "zh") -> str:
    """The report's title; data that are synthetic or unverified are named as such."""
    name, when = made["place_name"][lang], saying.period(made["period"], lang)
    mark = saying.MARKS.get(made["status"], {}).get(lang, "")
    mark = mark and (f"（{mark}）" if lang == "zh" else f" ({mark})")
    kind = "简析" if "month" in made else "分析"
    return (f"{name}{when}碳排放形势{kind}" if lang == "zh" else f"{name}: carbon in {when}") + mark


def document(made: dict[str, Any], lang: str = "zh") -> report.Report:
    """The analysis, or the month's brief, as a report with its figures, and a table of what opens each number."""
    zh, source = lang == "zh", based(made, lang)
    blocks: list[report.Block] = []
    tables = figures = 0

    def caption(kind: str, count: int, words: str) -> str:
        return f"{kind}{count}　{words}" if zh else f"{kind} {count}. {words}"

    for count, part in enumerate(made["paragraphs"][lang]):
        blocks += [report.Heading(part["heading"])] if part["heading"] else []
        blocks += [report.Paragraph(line) for line in part["text"].split("\n") if line]
        if part["table"]:
            tables += 1
            head, *rows = part["table"]
            what = caption("表" if zh else "Table", tables, TABLES[count][0 if zh else 1])
            blocks.append(report.Table(head, rows, what, source, "l" + "r" * (len(head) - 1)))
        picture = _picture(made, count, lang)
        if picture:
            figures += 1
            what = caption("图" if zh else "Figure", figures, FIGURES[count][0 if zh else 1])
            blocks.append(report.Figure(picture, what, source))
    blocks += _appendix(made, lang)
    mark = saying.MARKS.get(made["status"], {}).get(lang, "")
    plain = title({**made, "status": "official"}, lang)
    day = made["as_of"] if isinstance(made["as_of"], date) else date.fromisoformat(str(made["as_of"]))
    return report.Report(plain, blocks, lang=lang, day=day, label=mark)


def write(made: dict[str, Any], path: Path, lang: str = "zh") -> Path:
    """Write the report as its ending says, ``.docx`` or ``.pdf``. Raises Refused `nowcast.no-such-document` for another
    ending, and as `core.report.write` does."""
    if Path(path).suffix.lower() not in (".docx", ".pdf"):
        raise Refused(Problem("nowcast.no-such-document", value=str(path)))
    return report.write(document(made, lang), path)


def _picture(made: dict[str, Any], count: int, lang: str) -> str:
    if count == 0 and "months" in made:
        return drawing.months(made["months"], lang)
    return drawing.effects(made["causes"], lang) if count == 4 else ""


def _table(words: Words, key: str) -> dict[str, Any]:
    """Rows of areas or domains with their direct and indirect parts, or the sectors that pulled most, with the question
    of each number."""
    made, zh = words.made, words.lang == "zh"
    rows = [row for row in made[key] if row["value"] or row["last_year"]]
    if key == "sectors":
        rows = [*words.ranked(key, True)[:SHOWN], *words.ranked(key, False)[:SHOWN][::-1]]
    heads = (["排放量（万吨）", "占比", "同比", "拉动（百分点）"], ["kt", "Share", "Change", "Points"])[not zh]
    if key in SPLIT:
        heads[1:1] = (["直接", "间接"], ["Direct", "Indirect"])[not zh]
    table = [[HEADS[key][not zh], *heads]]
    cells: list[list[saying.Figure | None]] = [[None] * (1 + len(heads))]
    for row in rows:
        line = _row(words, key, row)
        table.append([row["name"][words.lang], *(saying.plain(text) for text in line)])
        cells.append([None, *(next(iter(saying.told(text, words.figures)), None) for text in line)])
    return {"table": table, "cells": cells}


def _row(words: Words, key: str, row: Row) -> list[str]:
    about, period = words.about(key, row), words.made["period"]
    change, pull = row["change_percent"], row["pull_points"]
    parts = beside.PARTS if key in SPLIT else ()
    return [
        words.tons(row["value"], **about),
        *("—" if row[part] is None else words.tons(row[part], **about, part=part) for part in parts),
        "—" if row["share"] is None else words.percent(100 * row["share"], "share", **about),
        "—" if change is None
        else words.put(f"{signed(change, 1)}%", change, "%", kind="growth", period=period, **about),
        "—" if pull is None else words.put(signed(pull, 2), pull, "points", kind="pull", period=period, **about),
    ]  # fmt: skip


def _appendix(made: dict[str, Any], lang: str) -> list[report.Block]:
    """附表：what each number of the text is, and the command that opens it."""
    zh = lang == "zh"
    common = dict(made["question"])
    shared = " ".join(["dualcarbon nowcast open", *(f"--{name.replace('_', '-')} {text}" for name, text in
                                                    common.items() if name != "city")])  # fmt: skip
    rows, seen = [], set()
    for part in made["paragraphs"][lang]:
        for segment in [one for line in part["lines"] for one in line if "name" in one]:
            number = segment["numbers"][lang] if "numbers" in segment else segment["text"] + _unit(segment, lang)
            row = [number, segment["name"][lang], segment.get("command") or _command(segment, made)]
            if tuple(row) not in seen:
                seen.add(tuple(row))
                rows.append(row)
    if not rows:
        return []
    heading = "附表：数据出处" if zh else "Where the numbers come from"
    how = (f"文中各数按下表“打开”一栏的选项，接在“{shared}”之后，可逐级打开到公式、因子和报送的原始数据；"
           "网页上直接点数字即可。" if zh else f"Each number opens with the options below after “{shared}”, down to "
           "equations, factors and rows; on the page each number is a link.")  # fmt: skip
    columns = ["文中的数", "含义", "打开"] if zh else ["Number", "What it is", "Options"]
    return [report.Heading(heading), report.Paragraph(how), report.Table(columns, rows, align="rll", size=8.5)]


def _unit(segment: Row, lang: str) -> str:
    """What stands behind a number in the table of sources."""
    zh = {"tCO2": "万吨", "points": "个百分点", "months": "个月", "tCO2/wan_CNY": "吨/万元"}
    en = {"tCO2": " kt", "points": " points", "months": " months", "tCO2/wan_CNY": " t/10⁴ CNY"}
    return (zh if lang == "zh" else en).get(segment["unit"], "")


def _command(segment: Row, made: Row) -> str:
    """The options that open a figure, but for those that all of them share."""
    if "query" in segment:
        query = segment["query"]
        words = [f"--{name.replace('_', '-')} {text}" for name, text in query.items() if name != "item"]
        return " ".join(["dualcarbon explain", query["item"], *words])
    common, question = made["question"], segment["question"]
    asked = {name: text for name, text in question.items() if common.get(name) != text}
    if "city" in question and made["within"] != made["place"]:
        asked["city"] = question["city"]
    return " ".join(f"--{name.replace('_', '-')} {text}" for name, text in asked.items())
