"""Cell styles of the room's workbooks: one font, hairlines, a pale green heading."""

from __future__ import annotations

from functools import cache
from typing import Any

INK, SOFT, ACCENT, HEAD, EDGE = "17252A", "5B6B70", "0E6A5A", "E3F1ED", "C9D6D2"
FONT = "Microsoft YaHei"


@cache
def font(size: float, bold: bool = False, color: str = INK) -> Any:
    """The room's font."""
    from openpyxl.styles import Font

    return Font(name=FONT, size=size, bold=bold, color=color)


@cache
def fill(color: str) -> Any:
    """A plain background."""
    from openpyxl.styles import PatternFill

    return PatternFill("solid", fgColor=color)


@cache
def border(box: bool = False) -> Any:
    """A hairline below, or around."""
    from openpyxl.styles import Border, Side

    side = Side(style="hair", color=EDGE)
    return Border(left=side, right=side, top=side, bottom=side) if box else Border(bottom=side)


@cache
def alignment(**options: Any) -> Any:
    """Centred vertically."""
    from openpyxl.styles import Alignment

    return Alignment(vertical="center", **options)


def heading(cell: Any, box: bool = False, **options: Any) -> None:
    """Style a heading cell."""
    cell.font, cell.border, cell.fill = font(10, True, ACCENT), border(box), fill(HEAD)
    cell.alignment = alignment(wrap_text=True, **options)
