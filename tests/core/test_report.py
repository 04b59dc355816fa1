"""Reports are read back from the files that they are written to."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import docx
import pdfplumber
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.report import Bullets, Figure, Heading, Paragraph, Report, Table, write, write_pdf, write_word

HOSTILE = '#set $x$ *a* _b_ @c <d> \\e `f` [g] ~h // i /* j */ "k" = l'
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 120"><path d="M0 100 L400 20" stroke="#1f5c43"/>'
    '<text x="10" y="40" font-size="14">2024</text></svg>'
)
DAY = date(2025, 1, 20)
ROWS = [[f"第{number}项", f"{number / 10:,.1f}", "+1.2%"] for number in range(120)]


def sample(lang: str = "zh") -> Report:
    return Report(
        "嘉兴市2024年碳排放形势分析" if lang == "zh" else "Carbon in 2024",
        [
            Heading("一、总体情况"),
            Paragraph("二氧化碳排放 3,512.4 万吨，下降 1.2%。" if lang == "zh" else "It fell."),
            Heading("（一）特殊字符", 2), Paragraph(HOSTILE), Bullets(["甲 #1", HOSTILE]),
            Table(["名称", "万吨", "同比"], ROWS, caption="表1 各项", source="来源：<演示>"),
            Figure(SVG, caption="图1 走势", source="来源 #2", width=0.8),
        ],
        lang=lang, subtitle="（征求意见稿）", number="嘉碳〔2024〕1号", day=DAY, label="演示数据",
    )  # fmt: skip


def pages(path: Path) -> list[str]:
    """Texts of a PDF's pages without spaces, which the layout sets between scripts."""
    with pdfplumber.open(path) as pdf:
        return [re.sub(r"\s", "", page.extract_text()) for page in pdf.pages]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pdf_holds_every_text_on_labelled_numbered_pages(tmp_path: Path, lang: str) -> None:
    report = sample(lang)
    found = pages(write_pdf(report, tmp_path / "a.pdf"))
    text = "".join(found)
    assert len(found) >= 3
    for word in (report.title, "一、总体情况", "甲#1", "表1各项", "图1走势", "来源：<演示>", "嘉碳〔2024〕1号"):
        assert re.sub(r"\s", "", word) in text
    assert text.count(re.sub(r"\s", "", HOSTILE)) == 2
    assert ("2025年1月20日" if lang == "zh" else "20January2025") in text
    for number, page in enumerate(found, 1):
        assert page.startswith("演示数据")
        assert page.endswith(f"—{number}—" if lang == "zh" else f"{number}/{len(found)}")
    heads = [page for page in found if "名称万吨同比" in page]
    assert len(heads) >= 3 and all("名称万吨同比" in page for page in found[1:3])
    assert all(f"第{number}项" in text for number in range(120))


def test_pdf_is_the_same_each_time_and_embeds_its_fonts(tmp_path: Path) -> None:
    first = write_pdf(sample(), tmp_path / "a.pdf").read_bytes()
    assert first == write_pdf(sample(), tmp_path / "b.pdf").read_bytes()
    with pdfplumber.open(tmp_path / "a.pdf") as pdf:
        names = {char["fontname"] for char in pdf.pages[0].chars}
        assert names and all(re.match(r"[A-Z]{6}\+", name) for name in names)
        assert pdf.metadata["Title"] == "嘉兴市2024年碳排放形势分析"
        indent = min(char["x0"] for char in pdf.pages[0].chars if char["text"] == "二")
        assert indent - 28 / 25.4 * 72 == pytest.approx(2 * 16, abs=2)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_word_holds_every_text_with_real_headings(tmp_path: Path, lang: str) -> None:
    report = sample(lang)
    made = docx.Document(str(write_word(report, tmp_path / "a.docx")))
    assert made.paragraphs[0].text == report.title and made.paragraphs[0].style.name == "Title"
    by_style = {(p.style.name, p.text) for p in made.paragraphs}
    assert ("Heading 1", "一、总体情况") in by_style and ("Heading 2", "（一）特殊字符") in by_style
    assert sum(HOSTILE in p.text for p in made.paragraphs) == 2
    table = made.tables[0]
    assert [cell.text for cell in table.rows[0].cells] == ["名称", "万吨", "同比"]
    assert len(table.rows) == 121 and table.cell(120, 0).text == "第119项"
    assert table.rows[0]._tr.xpath("./w:trPr/w:tblHeader") and not table.rows[1]._tr.xpath("./w:trPr/w:tblHeader")
    assert len(made.inline_shapes) == 1
    assert made.sections[0].header.paragraphs[0].text == "演示数据"
    assert "PAGE" in made.sections[0].footer.paragraphs[0]._p.xml
    assert made.core_properties.title == report.title and made.core_properties.created.date() == DAY


def test_characters_that_no_document_can_hold_are_left_out(tmp_path: Path) -> None:
    report = Report("a\x00b", [Paragraph("c\x0bd\ud800e"), Table(["f\x01"], [["g\x1f"]])], lang="en")
    assert "ab" in docx.Document(str(write_word(report, tmp_path / "a.docx"))).paragraphs[0].text
    assert "cde" in pages(write_pdf(report, tmp_path / "a.pdf"))[0]


def test_long_codes_stay_inside_their_cells(tmp_path: Path) -> None:
    code = "0123456789abcdef" * 8
    rows = [[code, "一个很长的说明，" * 20, "1"]]
    path = write_pdf(Report("编号", [Table(["编号", "说明", "数"], rows)]), tmp_path / "a.pdf")
    with pdfplumber.open(path) as pdf:
        page = pdf.pages[0]
        assert max(char["x1"] for char in page.chars) <= page.width - 26 / 25.4 * 72 + 1
    word = docx.Document(str(write_word(Report("编号", [Table(["编号", "说明", "数"], rows)]), tmp_path / "a.docx")))
    assert word.tables[0].cell(1, 0).text == code


def test_the_title_stands_first_and_tables_below_their_headings(tmp_path: Path) -> None:
    table = Table(["What", "Why"], [["late", "CO2 of a long and winding reason, told in many words"]] * 3)
    longer = {n: replace(table, caption=f"Caption of {n}", rows=[*table.rows] * 2) for n in "ABCDEFG"}
    parts = [block for n in longer for block in (Heading(f"Part {n}"), table, longer[n])]
    figures = [Figure(SVG, caption=f"Figure {n}") for n in (1, 2)]
    blocks = [figures[0], *parts, figures[1], Heading("Part H")]
    found = pages(write_pdf(Report("Carbon", blocks, lang="en"), tmp_path / "a.pdf"))
    assert found[0].startswith("Carbon") and "Figure1" in found[0]
    text = "".join(found)
    assert all(f"Part{n}WhatWhy" in text for n in "ABCDEFG")
    told = [f"{what}{n}" for n in "ABCDEFG" for what in ("Part", "Captionof")] + ["Figure2", "PartH"]
    assert re.findall(r"Part[A-H]|Captionof[A-G]|Figure2", text) == told
    assert "CO₂" in text and "CO2" not in text


def refused(report: Report, path: Path, **more: Path) -> str:
    with pytest.raises(Refused) as caught:
        write_pdf(report, path, **more) if more else write(report, path)
    assert caught.value.problems[0].as_dict("zh")["remedy"]
    return caught.value.problems[0].rule


def test_refusals(tmp_path: Path) -> None:
    fontless = tmp_path / "fonts"
    fontless.mkdir()
    assert refused(sample(), tmp_path / "a.pdf", fonts=fontless) == "core.no-chinese-font"
    assert write_pdf(Report("Only Latin", [], lang="en"), tmp_path / "latin.pdf", fonts=fontless).is_file()
    assert refused(sample(), tmp_path / "none" / "a.pdf") == "core.no-report-file"
    assert refused(sample(), tmp_path / "a.odt") == "core.no-report-file"
    for ending in ("pdf", "docx"):
        picture = Report("t", [Figure("<svg")], lang="en")
        assert refused(picture, tmp_path / f"a.{ending}") == "core.bad-picture"
        assert refused(Report("t", [Table(["a"], [["1", "2"]])]), tmp_path / f"a.{ending}") == "core.bad-table"
        assert refused(Report("t", [Table(["a"], [], align="x")]), tmp_path / f"a.{ending}") == "core.bad-table"
