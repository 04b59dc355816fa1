"""A PDF as passages and tables: wrapped lines joined, merged cells repeated, page furniture left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.reading import flat
from dualcarbon.plan.reading.columns import is_header
from dualcarbon.plan.reading.document import Passage, Table
from dualcarbon.plan.reading.script import tight

_PAGE_NUMBER = re.compile(r"^[-\s]*(第?\d{1,4}页?)([/,共]+\d+页?)?[-\s]*$")
_START = re.compile(
    r"^([一二三四五六七八九十]{1,3}、|\([一二三四五六七八九十]{1,3}\)|\d{1,3}[.、](?!\d)|\(\d{1,2}\)|附件|附表|表\d|第[一二三四五六七八九十]+[章节条])"
)


@dataclass
class _Line:
    text: str
    page: int
    left: float
    right: float
    top: float
    size: float
    edge: bool  # in the strip at the top or the foot of the page where page numbers stand
    letters: list[tuple[float, float, str]]  # left, right, character

    def cells(self) -> list[tuple[float, str]]:
        """The pieces of the line that stand apart, each with its left edge."""
        found: list[tuple[float, str]] = []
        before: float | None = None
        for left, right, letter in self.letters:
            if before is None or left - before > 0.5 * self.size:
                found.append((left, letter))
            else:
                found[-1] = (found[-1][0], found[-1][1] + letter)
            before = right
        return found

    def under(self, edges: Sequence[float]) -> list[str]:
        """The text of the line under each column, given the columns' left edges."""
        texts = [""] * len(edges)
        for left, _, letter in self.letters:
            column = sum(left >= edge - 0.3 * self.size for edge in edges[1:])
            texts[column] += letter
        return texts


def blocks(path: Path) -> list[Passage | Table]:
    """Return the blocks of the pages in order.

    Raises Refused `plan.encrypted` where a password is needed and `plan.image-only` where no page holds text.
    """
    import pdfplumber
    from pdfminer.pdfdocument import PDFPasswordIncorrect

    pieces: list[_Line | tuple[int, list[list[tuple[str, bool]]]]] = []
    try:
        with pdfplumber.open(path) as book:
            pages = len(book.pages)
            images = sum(bool(page.images) for page in book.pages)
            for page in book.pages:
                pieces += _page(page)
                page.close()
    except Exception as error:
        if isinstance(error, PDFPasswordIncorrect) or "PDFPasswordIncorrect" in repr(error):
            raise Refused(Problem("plan.encrypted", file=path.name)) from error
        raise
    if not pieces:
        raise Refused(Problem("plan.image-only" if images else "plan.empty", file=path.name, value=pages))
    return _assemble(_without_furniture(pieces))


def _page(page: Any) -> list[_Line | tuple[int, list[list[tuple[str, bool]]]]]:
    tables = [
        table for table in page.find_tables() if len(table.rows) > 1 and any(len(r.cells) > 1 for r in table.rows)
    ]
    boxes = [table.bbox for table in tables]
    outside = page.filter(
        lambda o: (
            o.get("object_type") != "char"
            or not any(
                x0 <= (o["x0"] + o["x1"]) / 2 <= x1 and top <= (o["top"] + o["bottom"]) / 2 <= bottom
                for x0, top, x1, bottom in boxes
            )
        )
    )
    pieces: list[tuple[float, _Line | tuple[int, list[list[tuple[str, bool]]]]]] = []
    for line in outside.extract_text_lines(return_chars=True):
        characters = line["chars"]
        text, before = "", None
        for character in characters:
            if before is not None and character["x0"] - before["x1"] > 1.2 * character["size"]:
                text += "  "
            elif before is not None and character["x0"] - before["x1"] > 0.25 * character["size"]:
                text += " "
            text += character["text"]
            before = character
        if text.strip():
            letters = [(c["x0"], c["x1"], c["text"]) for c in characters]
            size = characters[0]["size"]
            edge = not 0.08 * page.height < line["top"] < 0.9 * page.height
            pieces.append(
                (line["top"], _Line(text, page.page_number, line["x0"], line["x1"], line["top"], size, edge, letters))
            )
    pieces += [(table.bbox[1], (page.page_number, _grid(table))) for table in tables]
    return [piece for _, piece in sorted(pieces, key=lambda pair: pair[0])]


def _grid(table: Any) -> list[list[tuple[str, bool]]]:
    """Return the table's texts; a place without a cell of its own repeats the merged cell that covers it."""
    texts = table.extract()
    lefts = sorted({round(cell[0], 1) for row in table.rows for cell in row.cells if cell})
    boxes = {(i, j): cell for i, row in enumerate(table.rows) for j, cell in enumerate(row.cells) if cell}
    grid = []
    for i, row in enumerate(table.rows):
        middle = (row.bbox[1] + min(c[3] for c in row.cells if c)) / 2
        line: list[tuple[str, bool]] = []
        for j, text in enumerate(texts[i]):
            if row.cells[j] is not None:
                line.append(("".join((text or "").split("\n")).strip(), False))
                continue
            x = lefts[j] + 1 if j < len(lefts) else None
            owner = next(
                (
                    key
                    for key, (x0, top, x1, bottom) in boxes.items()
                    if x is not None and x0 <= x <= x1 and top <= middle <= bottom
                ),
                None,
            )
            line.append(
                ("".join((texts[owner[0]][owner[1]] or "").split("\n")).strip(), True) if owner else ("", False)
            )
        grid.append(line)
    return grid


def _without_furniture(pieces: Sequence[Any]) -> list[Any]:
    """Leave out page numbers, and headers and footers that stand at one height on several pages."""
    seen = Counter((tight(p.text), round(p.top / 4)) for p in pieces if isinstance(p, _Line))
    return [
        piece
        for piece in pieces
        if not isinstance(piece, _Line)
        or not (
            (piece.edge and _PAGE_NUMBER.match(tight(piece.text))) or seen[tight(piece.text), round(piece.top / 4)] > 1
        )
    ]


def _assemble(pieces: Sequence[Any]) -> list[Passage | Table]:
    body = [piece for piece in pieces if isinstance(piece, _Line)]
    left = min((line.left for line in body), default=0.0)
    right = max((line.right for line in body), default=0.0)
    found: list[Passage | Table] = []
    lines: list[Passage] = []
    previous: _Line | None = None
    count = 0
    waiting = list(reversed(pieces))
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, _Line):
            if is_header([text for _, text in piece.cells()]):
                count += 1
                found += flat.blocks(lines)
                lines, previous = [], None
                found.append(_unframed(piece, waiting, count))
                continue
            columns = bool(re.search(r"\S {2,}\S", piece.text))
            if previous is not None and not columns and _continues(previous, piece, left, right):
                last = lines[-1]
                lines[-1] = Passage(last.raw + piece.text.strip(), last.paragraph, page=last.page)
            else:
                count += 1
                lines.append(Passage(piece.text.strip(), count, page=piece.page))
            previous = None if columns else piece
            continue
        page, grid = piece
        before = found[-1] if found and not lines and isinstance(found[-1], Table) else None
        previous = None
        if before is not None and not is_header([text for text, merged in grid[0] if not merged]):
            _carry_on(before, page, grid)
            continue
        if before is not None and [t for t, _ in grid[0]] == [cell.raw for cell in before.rows[0]]:
            _carry_on(before, page, grid[1:])
            continue
        count += 1
        found += flat.blocks(lines)
        lines = []
        found.append(Table([[Passage(text, count, page=page, merged=merged) for text, merged in row] for row in grid]))
    return found + flat.blocks(lines)


def _unframed(header: _Line, waiting: list[Any], paragraph: int) -> Table:
    """Take the lines of a table without rules off `waiting`: columns begin where the headings begin.

    A line with a number in the first column begins a row, one with nothing there goes on with the row above.
    """
    edges = [left for left, _ in header.cells()]
    rows: list[list[str]] = [[text for _, text in header.cells()]]
    page = [header.page]
    while waiting and isinstance(waiting[-1], _Line):
        texts = waiting[-1].under(edges)
        first = tight(texts[0])
        if first and not re.match(r"^\d{1,3}$", first):
            break
        if not first and all(not text.strip() for text in texts[1:]):
            break
        line = waiting.pop()
        if first:
            rows.append(texts)
            page.append(line.page)
        else:
            rows[-1] = [above + text.strip() for above, text in zip(rows[-1], texts, strict=True)]
    return Table(
        [[Passage(text.strip(), paragraph, page=p) for text in row] for row, p in zip(rows, page, strict=True)]
    )


def _continues(before: _Line, line: _Line, left: float, right: float) -> bool:
    if _START.match(tight(line.text)) or abs(before.size - line.size) > 0.6:
        return False
    if before.right < right - 2.2 * before.size:
        return False
    return line.left <= left + 1.2 * line.size


def _carry_on(table: Table, page: int, grid: list[list[tuple[str, bool]]]) -> None:
    """Add the rows of the next page; a first row without a number only ends the last row of the page before."""
    width = len(table.rows[0])
    count = table.rows[0][0].paragraph
    for k, row in enumerate(grid):
        cells = [Passage(text, count, page=page, merged=merged) for text, merged in row]
        cells += [Passage("", count, page=page)] * (width - len(cells))
        last = table.rows[-1]
        if k == 0 and cells[0].blank and re.match(r"^\d+$", tight(last[0].raw)):
            table.rows[-1] = [
                Passage(a.raw + ("" if b.merged else b.raw), a.paragraph, page=a.page, merged=a.merged)
                for a, b in zip(last, cells, strict=False)
            ]
        else:
            table.rows.append(cells)
