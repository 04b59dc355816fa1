"""The yearly analysis in words: paragraphs, and the report that is written as Word or PDF."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core import report
from dualcarbon.nowcast import drawing
from dualcarbon.nowcast.wording import WAN, Chinese, English, based, signed

#: Captions of the tables and figures by the number of their paragraph.
TABLES = {1: ("分领域排放", "By domain"), 2: ("分地区排放", "By area")}
FIGURES = {
    0: ("分月排放与上年同月", "Months and the same months a year before"),
    4: ("变动的分解（万吨）", "What the change is made of (10⁴ t)"),
}


def paragraphs(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """The analysis `made` by `situation.analyse` as {heading, text, table} in Chinese (`zh`) or English (`en`)."""
    words = Chinese(made) if lang == "zh" else English(made)
    parts = [
        (words.heading(1), words.overview(), None),
        (words.heading(2), words.most("domains"), _table(made["domains"], lang)),
        (words.heading(3), words.most("areas"), _table(made["areas"], lang)),
        (words.heading(4), words.sectors(), None),
        (words.heading(5), words.causes(), None),
        (words.heading(6), words.quality(), None),
        (words.heading(7), words.checks(), None),
        (words.heading(8), words.advice(), None),
        (words.heading(9), words.data(), None),
    ]
    return [{"heading": heading, "text": text, "table": table} for heading, text, table in parts]


def title(made: dict[str, Any], lang: str = "zh") -> str:
    """The report's title; synthetic data are named as such."""
    name = made["place_name"][lang]
    mark = {"zh": "（演示数据）", "en": " (synthetic data)"}[lang] if made["synthetic"] else ""
    return (f"{name} {made['year']} 年碳排放形势分析" if lang == "zh" else f"{name}: carbon in {made['year']}") + mark


def document(made: dict[str, Any], lang: str = "zh") -> report.Report:
    """The analysis as a report with its figures: months, areas, causes."""
    zh = lang == "zh"
    source = based(made, lang)
    blocks: list[report.Block] = []
    tables = figures = 0

    def caption(kind: str, number: int, words: str) -> str:
        return f"{kind}{number}　{words}" if zh else f"{kind} {number}. {words}"

    for number, part in enumerate(made["paragraphs"][lang]):
        blocks.append(report.Heading(part["heading"]))
        blocks += [report.Paragraph(line) for line in part["text"].split("\n") if line]
        if part["table"]:
            tables += 1
            what = TABLES[number][0 if zh else 1]
            head, *rows = part["table"]
            blocks.append(report.Table(head, rows, caption("表" if zh else "Table", tables, what), source, "lrrrr"))
        drawn = {0: lambda: drawing.months(made["months"], lang), 4: lambda: drawing.effects(made["causes"], lang)}
        picture = drawn[number]() if number in drawn else ""
        if picture:
            figures += 1
            what = FIGURES[number][0 if zh else 1]
            blocks.append(report.Figure(picture, caption("图" if zh else "Figure", figures, what), source))
    mark = {"zh": "演示数据", "en": "synthetic data"}[lang] if made["synthetic"] else ""
    plain = title({**made, "synthetic": False}, lang)
    day = made["as_of"] if isinstance(made["as_of"], date) else date.fromisoformat(str(made["as_of"]))
    return report.Report(plain, blocks, lang=lang, day=day, label=mark)


def write(made: dict[str, Any], path: Path, lang: str = "zh") -> Path:
    """Write the report as its ending says, ``.docx`` or ``.pdf``. Raises Refused as `core.report.write` does."""
    return report.write(document(made, lang), path)


def _table(rows: Sequence[dict[str, Any]], lang: str) -> list[list[str]]:
    zh, en = (
        ["名称", "排放量（万吨）", "占比", "同比", "拉动（百分点）"],
        ["Name", "10⁴ t", "Share", "Change", "Points"],
    )
    body = [
        [row["name"][lang], f"{row['value'] / WAN:,.1f}", f"{row['share'] or 0:.1%}",
         "—" if row["change_percent"] is None else f"{signed(row['change_percent'], 1)}%",
         "—" if row["pull_points"] is None else signed(row["pull_points"], 2)]
        for row in rows
    ]  # fmt: skip
    return [zh if lang == "zh" else en, *body]
