"""Writes one plan in every layout the room reads. The plans are invented; nothing here is an official text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MERGED = "\x00"  # a cell that continues the one above it


@dataclass
class Grid:
    """A table: rows of texts; `MERGED` continues the cell above."""

    caption: list[str]
    header: list[list[str]]
    rows: list[list[str]]


@dataclass
class Draft:
    """A plan before it is written: paragraphs and tables in order."""

    blocks: list[str | Grid] = field(default_factory=list)


def as_text(draft: Draft, path: Path, style: str = "cells") -> Path:
    """`cells`: a cell to a line, closed by a bar, merged cells lost; `bars`, `tabs`, `gaps`, `bare`: other ways."""
    lines: list[str] = []
    for block in draft.blocks:
        if isinstance(block, str):
            lines.append(block)
            continue
        lines += block.caption
        head = [next(row[j] for row in reversed(block.header) if row[j] != MERGED) for j in range(len(block.header[0]))]
        for number, row in enumerate([head, *block.rows]):
            kept = ["" if cell == MERGED else cell for cell in row]
            if style == "cells":  # merged cells fall out, the rest moves left and the row is filled up
                short = [cell for cell in row if cell != MERGED]
                lines += [f"{cell} |".strip() for cell in short + [""] * (len(row) - len(short))]
            elif style == "bare":
                lines += [cell for cell in kept if cell]
            elif style == "bars":
                lines.append("| " + " | ".join(kept) + " |")
                if number == 0:
                    lines.append("|" + "---|" * len(row))
            elif style == "tabs":
                lines.append("\t".join(kept))
            else:
                lines.append("    ".join(cell for cell in kept if cell))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _runs(grid: Grid) -> Iterator[tuple[int, int, int, str]]:
    """Yield (row, column, rows spanned, text) of every cell that is not a continuation."""
    rows = [*grid.header, *grid.rows]
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            if cell == MERGED:
                continue
            span = 1
            while i + span < len(rows) and rows[i + span][j] == MERGED:
                span += 1
            yield i, j, span, cell


def as_html(draft: Draft, path: Path, encoding: str = "utf-8") -> Path:
    """A page with rowspans, inside a layout table as government sites use them."""
    out = [
        f'<html><head><meta charset="{encoding}"><title>政府信息公开</title><script>var x = 1;</script></head><body>'
    ]
    out.append("<table><tr><td><div class='article'>")
    for block in draft.blocks:
        if isinstance(block, str):
            out.append(f"<p>&nbsp;&nbsp;{block}</p>")
            continue
        out += [f"<p>{line}</p>" for line in block.caption]
        out.append("<table border=1>")
        cells: dict[int, list[str]] = {}
        for i, _, span, text in _runs(block):
            cells.setdefault(i, []).append(f"<td rowspan={span}>{text.replace(chr(10), '<br>')}</td>")
        out += [f"<tr>{''.join(cells.get(i, []))}</tr>" for i in range(len(block.header) + len(block.rows))]
        out.append("</table>")
    out.append("</div></td></tr></table></body></html>")
    path.write_bytes("\n".join(out).encode(encoding))
    return path


def as_docx(draft: Draft, path: Path, numbered: bool = False) -> Path:
    """A Word file whose merged cells are merged; `numbered` leaves the numbers of tasks to Word."""
    import docx

    document = docx.Document()
    for block in draft.blocks:
        if isinstance(block, str):
            number, _, rest = block.partition(". ")
            if numbered and number.isdigit():
                document.add_paragraph(rest, style="List Number")
            else:
                document.add_paragraph(block)
            continue
        for line in block.caption:
            document.add_paragraph(line)
        rows = [*block.header, *block.rows]
        table = document.add_table(rows=len(rows), cols=len(rows[0]))
        for i, j, span, text in _runs(block):
            cell = table.cell(i, j)
            if span > 1:
                cell = cell.merge(table.cell(i + span - 1, j))
            cell.text = text
        for i in range(len(block.header)):  # headings merged across
            j = 0
            while j < len(rows[i]):
                end = j
                while end + 1 < len(rows[i]) and rows[i][end + 1] == rows[i][j] != MERGED:
                    end += 1
                if end > j:
                    table.cell(i, j).merge(table.cell(i, end)).text = rows[i][j]
                j = end + 1
    document.save(str(path))
    return path


def as_xlsx(draft: Draft, path: Path) -> Path:
    """A workbook: the prose on one sheet, every table on its own with merged cells and typed numbers."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "正文"
    count = 0
    for block in draft.blocks:
        if isinstance(block, str):
            sheet.append([block])
            continue
        count += 1
        page = book.create_sheet(f"表{count}")
        for line in block.caption:
            page.append([line])
        top = page.max_row if block.caption else 0
        for i, j, span, text in _runs(block):
            cell = page.cell(top + i + 1, j + 1)
            if text.endswith("%") and text[:-1].replace(".", "").isdigit():
                cell.value, cell.number_format = float(text[:-1]) / 100, "0.0%"
            elif text.replace(".", "", 1).isdigit() and not text.startswith("20"):
                cell.value = float(text)
            elif text.startswith("20") and text[4:5] == "." and text[5:].isdigit():
                cell.value, cell.number_format = float(text), "0.00"
            else:
                cell.value = text
            if span > 1:
                page.merge_cells(start_row=top + i + 1, end_row=top + i + span, start_column=j + 1, end_column=j + 1)
    book.save(path)
    return path


def as_pdf(draft: Draft, path: Path, framed: bool = True) -> Path:
    """A PDF with wrapped lines, page numbers and tables that run over pages; text in an unembedded Chinese font."""
    pages = Pages()
    for block in draft.blocks:
        if isinstance(block, str):
            pages.paragraph(block)
            continue
        for line in block.caption:
            pages.paragraph(line)
        pages.table(block, framed)
    path.write_bytes(pages.file())
    return path


class Pages:
    width, height, margin, size, lead = 595, 842, 72, 10, 16

    def __init__(self) -> None:
        self.pages: list[list[str]] = []
        self.y = 0.0
        self._new()

    def _new(self) -> None:
        self.pages.append([])
        self.y = self.height - self.margin
        self._text(290, 40, f"— {len(self.pages)} —")

    def _text(self, x: float, y: float, text: str) -> None:
        code = text.encode("utf-16-be").hex()
        self.pages[-1].append(f"BT /F1 {self.size} Tf {x:.1f} {y:.1f} Td <{code}> Tj ET")

    def paragraph(self, text: str) -> None:
        across = int((self.width - 2 * self.margin) / self.size)
        indent = 2 if len(text) > across else 0
        lines = [text[: across - indent]]
        rest = text[across - indent :]
        lines += [rest[i : i + across] for i in range(0, len(rest), across)]
        for k, line in enumerate(lines):
            if self.y < self.margin + self.lead:
                self._new()
            self._text(self.margin + (indent * self.size if k == 0 else 0), self.y, line)
            self.y -= self.lead

    def table(self, grid: Grid, framed: bool) -> None:
        rows = [*grid.header, *grid.rows]
        columns = len(rows[0])
        widest = [max(len(row[j]) for row in rows) for j in range(columns)]
        free = (self.width - 2 * self.margin - 20 * columns) / sum(min(w, 14) for w in widest)
        widths = [20 + free * min(w, 14) for w in widest]
        edges = [self.margin + sum(widths[:j]) for j in range(columns + 1)]
        top = self.y
        i = 0
        while i < len(rows):
            wrapped = [self._wrap(cell, widths[j]) for j, cell in enumerate(rows[i])]
            height = max(len(lines) for lines in wrapped) * (self.size + 2) + 6
            if self.y - height < self.margin:
                if framed and i:
                    self._line(edges[0], self.y, edges[-1], self.y)  # the page closes every cell
                self._new()
                top = self.y
            for j, lines in enumerate(wrapped):
                for k, line in enumerate(lines):
                    self._text(edges[j] + 3, self.y - (self.size + 2) * (k + 1), line)
                closes = i + 1 < len(rows) and rows[i + 1][j] == MERGED
                if framed:
                    if rows[i][j] != MERGED or self.y == top:
                        self._line(edges[j], self.y, edges[j + 1], self.y)
                    if not closes:
                        self._line(edges[j], self.y - height, edges[j + 1], self.y - height)
                    self._line(edges[j], self.y, edges[j], self.y - height)
            if framed:
                self._line(edges[-1], self.y, edges[-1], self.y - height)
            self.y -= height
            i += 1
        self.y -= self.lead

    def _wrap(self, cell: str, width: float) -> list[str]:
        if cell in ("", MERGED):
            return [""]
        across = max(1, int((width - 6) / self.size))
        lines: list[str] = []
        for piece in cell.split("\n"):
            lines += [piece[i : i + across] for i in range(0, len(piece), across)] or [""]
        return lines

    def _line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.pages[-1].append(f"0.5 w {x0:.1f} {y0:.1f} m {x1:.1f} {y1:.1f} l S")

    def file(self) -> bytes:
        font = (
            "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H /DescendantFonts "
            "[<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /CIDSystemInfo "
            "<< /Registry (Adobe) /Ordering (GB1) /Supplement 5 >> /FontDescriptor << /Type /FontDescriptor "
            "/FontName /STSong-Light /Flags 4 /FontBBox [0 -120 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 "
            "/CapHeight 880 /StemV 93 >> >>] >>"
        )
        bodies = ["<< /Type /Catalog /Pages 2 0 R >>", "", font]
        kids = []
        for page in self.pages:
            stream = "\n".join(page)
            bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
            content = len(bodies)
            bodies.append(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {self.width} {self.height}] "
                f"/Resources << /Font << /F1 3 0 R >> >> /Contents {content} 0 R >>"
            )
            kids.append(f"{len(bodies)} 0 R")
        bodies[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
        return assembled(bodies)


def assembled(bodies: Sequence[str]) -> bytes:
    """A PDF file of the given objects, numbered from 1."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    return out + f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
