"""A plan's document as passages and tables, each passage with the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from dualcarbon.plan.reading.script import fold, simplify


@dataclass(frozen=True)
class Passage:
    """A piece of the source's text. `paragraph` counts from 1: lines of a text file, paragraphs elsewhere."""

    raw: str
    paragraph: int
    page: int | None = None
    sheet: str | None = None
    table: int | None = None
    row: int | None = None
    merged: bool = False  # a cell that repeats the merged cell it belongs to

    @cached_property
    def simple(self) -> str:
        """The text in Simplified Chinese, of equal length."""
        return simplify(self.raw)

    @cached_property
    def folded(self) -> str:
        """The Simplified text with ASCII digits and punctuation, of equal length."""
        return fold(self.simple)

    @property
    def blank(self) -> bool:
        return not self.raw.strip()

    def where(self, start: int = 0, end: int | None = None) -> dict[str, Any]:
        """Return the place and the source's own characters from `start` to `end`."""
        place: dict[str, Any] = {"paragraph": self.paragraph}
        for name in ("page", "sheet", "table", "row"):
            if (value := getattr(self, name)) is not None:
                place[name] = value
        return place | {"quote": self.raw[start:end].strip()}


@dataclass
class Table:
    """Rows of cells as they stand; a cell under a merged one repeats it with `merged` set.

    `loose`: the rows come from flattened text, where cells may be missing and may have moved to the left.
    """

    rows: list[list[Passage]]
    loose: bool = False

    def number(self, table: int) -> Table:
        """Return the table with its number and row numbers written into every cell."""
        rows = [[replace(cell, table=table, row=i) for cell in row] for i, row in enumerate(self.rows, 1)]
        return Table(rows, self.loose)


@dataclass
class Document:
    """The blocks of a file in reading order."""

    file: str
    format: str
    blocks: list[Passage | Table] = field(default_factory=list)
    lines: list[str] | None = None  # of a text file

    def numbered(self) -> Document:
        """Return the document without blank passages, its tables numbered in order."""
        blocks: list[Passage | Table] = []
        count = 0
        for block in self.blocks:
            if isinstance(block, Table):
                count += 1
                blocks.append(block.number(count))
            elif not block.blank:
                blocks.append(block)
        return Document(self.file, self.format, blocks, self.lines)
