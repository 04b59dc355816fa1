"""A Word document as passages and tables: automatic numbers written out, merged cells repeated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dualcarbon.plan.reading import flat
from dualcarbon.plan.reading.document import Passage, Table

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DIGITS = "零一二三四五六七八九"


def blocks(path: Path) -> list[Passage | Table]:
    """Return the body in order; paragraphs are counted as Word counts them, a table as one."""
    import docx

    document = docx.Document(str(path))
    numbering = _Numbering(document)
    found: list[Passage | Table] = []
    lines: list[Passage] = []
    count = 0
    for element in _blocks(document.element.body):
        count += 1
        if element.tag == f"{_W}p":
            label = numbering.label(element)
            for k, text in enumerate(_text(element).split("\n")):
                lines.append(Passage((label if k == 0 else "") + text, count))
            continue
        found += flat.blocks(lines)
        lines = []
        rows = [[Passage(text, count, merged=merged) for text, merged in row] for row in _grid(element, numbering)]
        if rows and max(len(row) for row in rows) > 1:
            found.append(Table(rows))
        else:  # a frame around text
            lines = [cell for row in rows for cell in row]
    return found + flat.blocks(lines)


def _blocks(body: Any) -> Iterator[Any]:
    """Yield paragraphs and tables; of a table of one column that frames tables, what it frames."""
    for element in _children(body):
        framed = element.tag == f"{_W}tbl" and element.find(f".//{_W}tbl") is not None
        if framed and all(len(row.findall(f"{_W}tc")) == 1 for row in element.findall(f"{_W}tr")):
            for cell in element.iterfind(f"{_W}tr/{_W}tc"):
                yield from _blocks(cell)
        else:
            yield element


def _children(body: Any) -> Iterator[Any]:
    for element in body:
        if element.tag in (f"{_W}p", f"{_W}tbl"):
            yield element
        elif element.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}customXml", f"{_W}ins"):
            yield from _children(element)


def _text(paragraph: Any) -> str:
    parts = []
    for node in paragraph.iter():
        if node.tag == f"{_W}t":
            parts.append(node.text or "")
        elif node.tag == f"{_W}tab" and node.getparent().tag == f"{_W}r":
            parts.append("\t")
        elif node.tag in (f"{_W}br", f"{_W}cr") and node.get(f"{_W}type") is None:
            parts.append("\n")
    return "".join(parts)


def _value(element: Any, path: str) -> str | None:
    found = element.find(path, {"w": _W[1:-1]})
    return None if found is None else found.get(f"{_W}val", "")


def _grid(table: Any, numbering: _Numbering) -> list[list[tuple[str, bool]]]:
    rows: list[list[tuple[str, bool]]] = []
    for row in table.iter(f"{_W}tr"):
        if next(row.iterancestors(f"{_W}tbl")) is not table:
            continue
        cells: list[tuple[str, bool]] = []
        cells += [("", False)] * int(_value(row, "w:trPr/w:gridBefore") or 0)
        for cell in row.iter(f"{_W}tc"):
            if next(cell.iterancestors(f"{_W}tr")) is not row:
                continue
            vertical = _value(cell, "w:tcPr/w:vMerge")
            if vertical is not None and vertical != "restart" and rows and len(cells) < len(rows[-1]):
                text, merged = rows[-1][len(cells)][0], True
            else:
                paragraphs = list(cell.iter(f"{_W}p"))
                text, merged = "\n".join(t for t in (numbering.label(p) + _text(p) for p in paragraphs) if t), False
            for k in range(int(_value(cell, "w:tcPr/w:gridSpan") or 1)):
                cells.append((text, merged or k > 0))
        rows.append(cells)
    width = max((len(row) for row in rows), default=0)
    return [row + [("", False)] * (width - len(row)) for row in rows]


class _Numbering:
    """The numbers Word computes for list paragraphs, which stand nowhere in their text."""

    def __init__(self, document: Any) -> None:
        self._levels: dict[str, dict[int, tuple[str, str, int]]] = {}
        self._abstract: dict[str, str] = {}
        self._counts: dict[tuple[str, int], int] = {}
        self._styles: dict[str, tuple[str, int]] = {}
        try:
            root = document.part.numbering_part.element
        except (KeyError, NotImplementedError):
            return
        for abstract in root.iter(f"{_W}abstractNum"):
            self._levels[abstract.get(f"{_W}abstractNumId")] = {
                int(level.get(f"{_W}ilvl")): (
                    _value(level, "w:numFmt") or "decimal",
                    _value(level, "w:lvlText") or "",
                    int(_value(level, "w:start") or 1),
                )
                for level in abstract.iter(f"{_W}lvl")
            }
        for num in root.iter(f"{_W}num"):
            self._abstract[num.get(f"{_W}numId")] = _value(num, "w:abstractNumId") or ""
        for style in document.styles.element.iter(f"{_W}style"):
            number = _value(style, "w:pPr/w:numPr/w:numId")
            if number:
                level = int(_value(style, "w:pPr/w:numPr/w:ilvl") or 0)
                self._styles[style.get(f"{_W}styleId")] = (number, level)

    def label(self, paragraph: Any) -> str:
        """Return the number written before `paragraph`, such as `一、` or `3.`, and count it."""
        number = _value(paragraph, "w:pPr/w:numPr/w:numId")
        level = int(_value(paragraph, "w:pPr/w:numPr/w:ilvl") or 0)
        if number is None:
            number, level = self._styles.get(_value(paragraph, "w:pPr/w:pStyle") or "", ("0", 0))
        levels = self._levels.get(self._abstract.get(number, ""), {})
        if number == "0" or level not in levels:
            return ""
        key = self._abstract[number]
        self._counts[key, level] = self._counts.get((key, level), levels[level][2] - 1) + 1
        for deeper in [k for k in self._counts if k[0] == key and k[1] > level]:
            del self._counts[deeper]
        text = levels[level][1]
        for k in range(level + 1):
            form, _, start = levels.get(k, ("decimal", "", 1))
            text = text.replace(f"%{k + 1}", _written(self._counts.get((key, k), start), form))
        return text if any(character.isalnum() for character in text) else ""


def _written(number: int, form: str) -> str:
    if form in ("bullet", "none"):
        return ""
    if "hinese" in form or form.startswith(("ideographDigital", "japaneseCounting", "taiwaneseCounting")):
        tens, ones = divmod(number, 10)
        if tens > 9:
            return str(number)
        return ("" if tens == 0 else "十" if tens == 1 else _DIGITS[tens] + "十") + (
            _DIGITS[ones] if ones or not tens else ""
        )
    return str(number)
