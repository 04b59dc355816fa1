"""Styles and words of the room's workbooks: one font, hairlines, a pale green heading; units and statuses as read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

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


Texts = Mapping[str, str]
NUMBER, PERCENT, POINTS, TEXT = "#,##0.00;[Red]-#,##0.00", "0.00%", "+0.00;-0.00;0.00", "@"
FACTOR_NUMBER = "#,##0.######"
STATUS = {
    "official": ("官方", "official", "EFFAF6", "0E6A5A"),
    "secondary": ("转引", "secondary", "F3F7FB", "3A5A7A"),
    "unverified": ("未核实", "unverified", "FDF7EA", "A86A00"),
    "synthetic": ("演示数据", "synthetic", "F6F4FC", "6A58A8"),
}
STATES = {
    "reported": ("已报", "reported", "EFFAF6"),
    "estimated": ("估算", "estimated", "FDF7EA"),
    "missing": ("缺报", "missing", "FBECEA"),
    "none": ("—", "—", "FFFFFF"),
}
SYNTHETIC = (
    "演示数据：本表含模拟数据，不代表任何真实单位或地区。",
    "Demonstration data: this table holds synthetic figures and describes no real unit or place.",
)
OPENS = (
    "每个数都能在平台上打开到因子和原始行。",
    "Every figure opens on the platform down to its factors and rows.",
)
TREES = {"admin": ("行政口径", "administrative"), "management": ("管理口径", "management")}
UNITS = {
    "tCO2": ("吨二氧化碳", "t CO2"),
    "tCO2e": ("吨二氧化碳当量", "t CO2e"),
    "tce_calorific": ("吨标准煤（当量）", "tce (calorific)"),
    "tce_equivalent": ("吨标准煤（等价）", "tce (equivalent)"),
}


class Col(NamedTuple):
    """A column: how to take it from a row, its heading in both languages, number format and width."""

    take: Callable[[Mapping[str, Any]], Any]
    zh: str
    en: str
    form: str = TEXT
    width: float = 16


def hundredth(value: float | None) -> float | None:
    """A percentage as Excel keeps it."""
    return None if value is None else value / 100


def half_percent(row: Mapping[str, Any]) -> float | None:
    """Half the interval beside the value."""
    if row.get("low") is None or row.get("high") is None or not row.get("value"):
        return None
    return float((row["high"] - row["low"]) / 2 / abs(row["value"]))
