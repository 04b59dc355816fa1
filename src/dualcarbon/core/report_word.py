"""A report's plain data written as a Word file; `dualcarbon.core.report` describes the data and the look."""

from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

#: Fonts by use: (Chinese, Latin); Word falls back by itself where one is not installed.
FONTS = {"body": "仿宋", "heading": "黑体", "second": "楷体", "title": "方正小标宋简体"}
LATIN = "Times New Roman"


def write(made: dict[str, Any], path: Path, day: date | None) -> None:
    """Write the plain data of a report (title, lang, subtitle, dated, label, blocks) to `path`."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
    from docx.shared import Mm, Pt, RGBColor

    zh = made["lang"] == "zh"
    page = Document()
    section = page.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    margins = (37, 35, 28, 26) if zh else (28, 28, 26, 26)
    section.top_margin, section.bottom_margin, section.left_margin, section.right_margin = (Mm(m) for m in margins)
    _styles(page, zh)
    stamp = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else datetime(1970, 1, 1, tzinfo=UTC)
    core = page.core_properties
    core.title, core.author, core.created, core.modified = made["title"], "dualcarbon", stamp, stamp
    core.comments, core.language = "", "zh-CN" if zh else "en-GB"
    if made["label"]:
        label = section.header.paragraphs[0]
        label.alignment = ALIGN.RIGHT
        _run(label, made["label"], "heading", 10.5).font.color.rgb = RGBColor(0x6B, 0x4F, 0xA0)
    _numbered(section.footer.paragraphs[0], zh)

    title = page.add_paragraph(style="Title")
    _run(title, made["title"], "title" if zh else "body", 22 if zh else 20).bold = not zh
    for text, use, size in ((made["subtitle"], "second", 16 if zh else 12), (made["dated"], "body", 14 if zh else 10)):
        if text:
            line = page.add_paragraph()
            line.alignment = ALIGN.CENTER
            _run(line, text, use, size)
    width = section.page_width - section.left_margin - section.right_margin
    for part in made["blocks"]:
        kind = part["kind"]
        if kind == "heading":
            page.add_heading(part["text"], part["level"])
        elif kind == "paragraph":
            _indented(page.add_paragraph(part["text"]), zh)
        elif kind == "bullets":
            for item in part["items"]:
                if zh:
                    _indented(page.add_paragraph(f"• {item}"), zh)
                else:
                    page.add_paragraph(item, style="List Bullet")
        else:
            if part["caption"]:
                caption = page.add_paragraph()
                caption.alignment, caption.paragraph_format.keep_with_next = ALIGN.CENTER, True
                _run(caption, part["caption"], "heading", 12 if zh else 10).bold = not zh
            if kind == "table":
                _table(page, part, width, zh)
            else:
                picture = page.add_paragraph()
                picture.alignment = ALIGN.CENTER
                picture.paragraph_format.line_spacing = 1.0
                picture.paragraph_format.keep_with_next = True
                shape = picture.add_run().add_picture(BytesIO(part["png"]), width=int(width * part["width"]))
                shape._inline.docPr.set("descr", part["alt"])
            source = page.add_paragraph()
            source.paragraph_format.line_spacing = 1.0
            _run(source, part["source"], "body", 9).font.color.rgb = RGBColor(0x5A, 0x5A, 0x5A)
            source.paragraph_format.space_after = Pt(8)
    page.save(str(path))


def _styles(page: Any, zh: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
    from docx.shared import Pt, RGBColor

    size = 16 if zh else 10.5
    looks = {
        "Normal": ("body", size, False),
        "Title": ("title", 22 if zh else 20, not zh),
        "Heading 1": ("heading" if zh else "body", size if zh else 14, not zh),
        "Heading 2": ("second" if zh else "body", size if zh else 11.5, True),
        "Heading 3": ("body", size, True),
        "List Bullet": ("body", size, False),
    }
    for name, (use, points, bold) in looks.items():
        style = page.styles[name]
        _font(style, use)
        style.font.size, style.font.bold, style.font.italic = Pt(points), bold, False
        style.font.color.rgb = RGBColor(0, 0, 0)
        form = style.paragraph_format
        form.space_after, form.space_before = Pt(0 if zh else 6), Pt(0)
        if name.startswith("Heading"):
            form.keep_with_next = True
            form.space_before, form.space_after = (Pt(0), Pt(0)) if zh else (Pt(14), Pt(4))
            if zh:
                form.first_line_indent = Pt(2 * size)
        if zh and name not in ("Title", "List Bullet"):
            form.line_spacing = Pt(28)
    title = page.styles["Title"]
    title.paragraph_format.alignment = ALIGN.CENTER
    title.paragraph_format.space_after = Pt(14)
    for border in title.element.xpath(".//w:pBdr"):
        border.getparent().remove(border)


def _font(holder: Any, use: str) -> None:
    """Name the Latin and the Chinese font of a style or run, in place of the theme's."""
    from docx.oxml.ns import qn

    holder.font.name = LATIN
    fonts = holder.element.get_or_add_rPr().get_or_add_rFonts()
    for key in list(fonts.attrib):
        if key.endswith("Theme"):
            del fonts.attrib[key]
    for slot in ("w:ascii", "w:hAnsi", "w:cs"):
        fonts.set(qn(slot), LATIN)
    fonts.set(qn("w:eastAsia"), FONTS[use])


def _run(paragraph: Any, text: str, use: str, size: float) -> Any:
    from docx.shared import Pt

    run = paragraph.add_run(text)
    _font(run, use)
    run.font.size = Pt(size)
    return run


def _indented(paragraph: Any, zh: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
    from docx.shared import Pt

    paragraph.alignment = ALIGN.JUSTIFY
    if zh:
        paragraph.paragraph_format.first_line_indent = Pt(32)


def _numbered(paragraph: Any, zh: bool) -> None:
    """A centred page number: — 1 — in Chinese, 1 / 5 in English, counted by Word."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN

    paragraph.alignment = ALIGN.CENTER
    for piece in ("— ", "PAGE", " —") if zh else ("PAGE", " / ", "NUMPAGES"):
        run = _run(paragraph, "" if piece.isupper() else piece, "body", 14 if zh else 9)
        if piece.isupper():
            for kind, text in (("begin", None), (None, piece), ("end", None)):
                run._r.append(_element("w:instrText", text=text) if text else _element("w:fldChar", fldCharType=kind))


def _element(tag: str, text: str | None = None, **attributes: Any) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = OxmlElement(tag)
    for name, value in attributes.items():
        made.set(qn(f"w:{name}"), str(value))
    if text is not None:
        made.text = text
    return made


def _table(page: Any, part: dict[str, Any], width: int, zh: bool) -> None:
    """A table with hairlines between rows and a stronger line above and below; the head repeats, rows stay whole, and a
    short table stays on one page with its source."""
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
    from docx.shared import Pt
    from docx.text.paragraph import Paragraph

    sides = {"l": ALIGN.LEFT, "c": ALIGN.CENTER, "r": ALIGN.RIGHT}
    rows = [part["columns"], *part["rows"]]
    grid = page.add_table(rows=len(rows), cols=len(part["columns"]))
    grid.alignment, grid.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    borders = _element("w:tblBorders")
    for side, size, ink in (("top", 8, "000000"), ("bottom", 8, "000000"), ("insideH", 4, "A0A0A0")):
        borders.append(_element(f"w:{side}", val="single", sz=size, space=0, color=ink))
    grid._tbl.tblPr.append(borders)
    whole = sum(part["widths"])
    widths = [int(width * share / whole) for share in part["widths"]]
    for column, points in zip(grid.columns, widths, strict=True):
        column.width = points
    whole_on_page = len(rows) <= 13
    for number, (row, texts) in enumerate(zip(grid.rows, rows, strict=True)):
        properties = row._tr.get_or_add_trPr()
        properties.append(_element("w:cantSplit"))
        if number == 0:
            properties.append(_element("w:tblHeader"))
        for k, (cell, text) in enumerate(zip(row._tr.tc_lst, texts, strict=True)):
            cell.width = widths[k]
            paragraph = Paragraph(cell.p_lst[0], grid)
            form = paragraph.paragraph_format
            form.line_spacing, form.space_before, form.space_after = 1.0, Pt(2), Pt(2)
            form.keep_with_next = whole_on_page
            paragraph.alignment = ALIGN.CENTER if number == 0 else sides[part["align"][k]]
            run = _run(paragraph, text.replace("\u200b", ""), "heading" if number == 0 else "body", part["size"])
            run.bold = number == 0 and not zh
