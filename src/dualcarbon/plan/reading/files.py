"""A plan's file, whatever its format, as a document: text, Word, PDF, web page or Excel."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.reading import flat
from dualcarbon.plan.reading.columns import is_header
from dualcarbon.plan.reading.document import Document, Passage, Table
from dualcarbon.plan.reading.script import decode

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MOST_BYTES, MOST_CHARACTERS = 50 * 1024 * 1024, 500_000
SUFFIXES = {".txt": "txt", ".text": "txt", ".md": "txt", ".docx": "docx", ".docm": "docx", ".pdf": "pdf"}
SUFFIXES |= {".html": "html", ".htm": "html", ".xhtml": "html", ".xlsx": "xlsx", ".xlsm": "xlsx"}


def read_document(path: str | Path) -> Document:
    """Return the blocks of the file at `path`.

    Raises Refused (`plan.no-file`, `plan.empty`, `plan.encrypted`, `plan.image-only`, `plan.broken`,
    `plan.unknown-format`, `plan.too-large`).
    """
    path = Path(path)
    if not path.is_file():
        raise Refused(Problem("plan.no-file", file=str(path)))
    if path.stat().st_size > MOST_BYTES:
        raise _too_large(path)
    data = path.read_bytes()
    if not data.strip():
        raise Refused(Problem("plan.empty", file=path.name))
    readers: dict[str, Callable[[Path, bytes], list[Passage | Table]]] = {
        "txt": _text,
        "html": _html,
        "xlsx": _excel,
        "docx": _word,
        "pdf": _pdf,
    }
    try:
        form = _format(path, data)
        found = readers[form](path, data)
    except Refused:
        raise
    except Exception as error:  # the parsers of these formats raise whatever a broken file makes them raise
        raise Refused(Problem("plan.broken", file=path.name, value=f"{type(error).__name__}: {error}")) from error
    if _length(found) > MOST_CHARACTERS:
        raise _too_large(path)
    lines = decode(data).splitlines() if form == "txt" else None
    document = Document(path.name, form, found, lines).numbered()
    if not document.blocks:
        raise Refused(Problem("plan.empty", file=path.name))
    return document


def _format(path: Path, data: bytes) -> str:
    if data.startswith(b"%PDF"):
        return "pdf"
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise Refused(Problem("plan.encrypted", file=path.name))
        raise Refused(Problem("plan.unknown-format", file=path.name, value="Office 97-2003 (.doc, .xls)"))
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if sum(one.file_size for one in archive.infolist()) > 10 * MOST_BYTES:
                raise _too_large(path)
        for folder, form in (("word/", "docx"), ("xl/", "xlsx")):
            if any(name.startswith(folder) for name in names):
                return form
        raise Refused(Problem("plan.unknown-format", file=path.name, value=path.suffix.lower() or "zip"))
    declared = SUFFIXES.get(path.suffix.lower())
    if declared is None and path.suffix:
        raise Refused(Problem("plan.unknown-format", file=path.name, value=path.suffix.lower()))
    if declared in ("docx", "xlsx", "pdf"):
        raise Refused(Problem("plan.broken", file=path.name, value=f"not a {declared} file"))
    if re.match(rb"\s*(<!doctype html|<html|<\?xml[^>]*>\s*<(!doctype )?html)", data[:400].lower()):
        return "html"
    return declared or "txt"


def _length(blocks: list[Passage | Table]) -> int:
    """Return how many characters a document has; cells that only repeat a merged one do not count."""
    rows = (block.rows if isinstance(block, Table) else [[block]] for block in blocks)
    return sum(len(cell.raw) for table in rows for row in table for cell in row if not cell.merged)


def _too_large(path: Path) -> Refused:
    return Refused(Problem("plan.too-large", file=path.name, value=path.stat().st_size // 1024))


def _text(path: Path, data: bytes) -> list[Passage | Table]:
    text = decode(data)
    if len(text) > 4 * MOST_CHARACTERS:
        raise _too_large(path)
    if text.count("\x00") > 4:
        raise ValueError("binary data")
    lines = [re.sub(r"^\s*#{1,6}\s+", "", line) for line in text.splitlines()]  # headings of Markdown
    filled = [Passage(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    return flat.blocks(_unwrapped(filled))


_NEW = re.compile(
    r"^\s*([一二三四五六七八九十]{1,3}、|[(（][一二三四五六七八九十\d]{1,3}[)）]|\d{1,3}[.、．](?!\d)|附件|附表|附錄|表\s*[\d一二三四五六七八九十]|\u3000\u3000)"
)


_COLUMNS = re.compile(r"[|｜│\t]|\S {2,}\S")  # a row of a table drawn with bars, tabs or gaps


def _unwrapped(lines: list[Passage]) -> list[Passage]:
    """Join lines of a text that was broken at a fixed width; a text without such a width stays as it is."""
    prose = [line for line in lines if not _COLUMNS.search(line.raw)]
    lengths = sorted(len(line.raw.rstrip()) for line in prose)
    longest = lengths[-1] if lengths else 0
    full = sum(length >= longest - 2 for length in lengths)
    if not 20 <= longest <= 120 or full < 5 or full < 0.3 * len(lengths):
        return lines
    joined: list[Passage] = []
    before = 0  # the length of the line before, 0 after one that cannot go on
    for line in lines:
        barred = bool(_COLUMNS.search(line.raw))
        if before >= longest - 2 and not barred and not _NEW.match(line.raw):
            joined[-1] = replace(joined[-1], raw=joined[-1].raw.rstrip() + line.raw.strip())
        else:
            joined.append(line)
        before = 0 if barred else len(line.raw.rstrip())
    return joined


def _html(path: Path, data: bytes) -> list[Passage | Table]:
    from lxml import html

    declared = re.search(rb"charset=[\"']?\s*([\w-]+)", data[:4000])
    name = declared[1].decode("ascii").lower() if declared else ""
    if name.startswith("gb"):
        text = data.decode("gb18030", errors="replace")
    elif name.startswith("big5"):
        text = data.decode("big5hkscs", errors="replace")
    else:
        text = decode(data)
    root = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    for element in root.xpath("//script|//style|//noscript|//nav|//head"):
        element.drop_tree()
    found: list[Passage | Table] = []
    lines: list[Passage] = []
    count = 0
    for piece in _html_pieces(root):
        count += 1
        if isinstance(piece, str):
            lines.append(Passage(piece, count))
            continue
        grid = _spread(
            [[(_html_text(cell), _span(cell, "rowspan"), _span(cell, "colspan")) for cell in row] for row in piece]
        )
        rows = [[Passage(text, count, merged=merged) for text, merged in row] for row in grid]
        found += flat.blocks(lines)
        found.append(Table(rows))
        lines = []
    return found + flat.blocks(lines)


_BLOCKS = frozenset(
    [
        "p",
        "div",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "section",
        "article",
        "blockquote",
        "dd",
        "dt",
        "tr",
        "td",
        "th",
        "center",
        "pre",
    ]
)


def _html_pieces(element: Any) -> Iterator[str | list[list[Any]]]:
    """Yield the paragraphs of an element and the rows of its data tables, in reading order."""
    buffer: list[str] = []

    def flush() -> Iterator[str]:
        text = re.sub(r"[ \t\r\n\xa0]+", " ", "".join(buffer)).strip()
        buffer.clear()
        if text:
            yield text

    def walk(node: Any) -> Iterator[str | list[list[Any]]]:
        if not isinstance(node.tag, str):
            return
        if node.tag == "table":
            rows = node.xpath("./tr|./thead/tr|./tbody/tr|./tfoot/tr")
            cells = [row.xpath("./td|./th") for row in rows]
            data = not node.xpath(".//table") and any(len(row) > 1 for row in cells)
            if data and any(is_header([_html_text(cell) for cell in row]) for row in cells[:3]):
                yield from flush()
                yield cells
                return
        block = node.tag in _BLOCKS or node.tag == "table"
        if block:
            yield from flush()
        if node.tag == "br":
            yield from flush()
        if node.text:
            buffer.append(node.text)
        for child in node:
            yield from walk(child)
            if child.tail:
                buffer.append(child.tail)
        if block:
            yield from flush()

    yield from walk(element)
    yield from flush()


def _html_text(cell: Any) -> str:
    """Return a cell's text, its paragraphs and line breaks as lines."""
    parts: list[str] = []

    def walk(node: Any) -> None:
        if not isinstance(node.tag, str):
            return
        if node.tag in _BLOCKS or node.tag == "br":
            parts.append("\n")
        parts.append(re.sub(r"[ \t\r\n\xa0]+", " ", node.text or ""))
        for child in node:
            walk(child)
            parts.append(re.sub(r"[ \t\r\n\xa0]+", " ", child.tail or ""))

    walk(cell)
    return "\n".join(line.strip() for line in "".join(parts).split("\n") if line.strip())


def _span(cell: Any, name: str) -> int:
    text = re.match(r"\s*(\d+)", cell.get(name) or "")
    return max(1, min(int(text[1]), 1000)) if text else 1


def _spread(rows: list[list[tuple[str, int, int]]]) -> list[list[tuple[str, bool]]]:
    """Lay cells with spans out on a grid: each place gets its text and whether it only repeats a merged cell."""
    grid: dict[tuple[int, int], tuple[str, bool]] = {}
    for i, row in enumerate(rows):
        j = 0
        for text, down, across in row:
            while (i, j) in grid:
                j += 1
            for a in range(min(down, len(rows) - i)):
                for b in range(across):
                    grid[i + a, j + b] = (text, bool(a or b))
            j += across
    width = max((j for _, j in grid), default=-1) + 1
    return [[grid.get((i, j), ("", False)) for j in range(width)] for i in range(len(rows))]


def _excel(path: Path, data: bytes) -> list[Passage | Table]:
    from dualcarbon.plan.reading.excel import blocks

    return blocks(path)


def _word(path: Path, data: bytes) -> list[Passage | Table]:
    from dualcarbon.plan.reading.word import blocks

    return blocks(path)


def _pdf(path: Path, data: bytes) -> list[Passage | Table]:
    from dualcarbon.plan.reading.pdf import blocks

    return blocks(path)
