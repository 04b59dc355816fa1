"""What a reader sees of words, numbers, units and periods, in Chinese (the source language) or English.

Chinese texts are written in the templates and the code; ``locale/LANG/LC_MESSAGES/messages.po`` holds their
translations (each room has its own beside its templates) and is read as it is, without a compiling step.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dualcarbon.core.units import formulas

LANGUAGES = ("zh", "en")
LOCALE = Path(__file__).with_name("locale")
NOTHING = "—"
MINUS = "\u2212"


class Scale(NamedTuple):
    """How a unit is shown: divide by `factor`, write `label`, keep `digits` decimals."""

    factor: float
    label: str
    digits: int


# unit -> per language (smallest value shown so, factor, label, digits), largest first
_SCALES: dict[str, dict[str, tuple[tuple[float, float, str, int], ...]]] = {
    "tCO2": {
        "zh": ((1e7, 1e4, "万吨 CO₂", 0), (1e6, 1e4, "万吨 CO₂", 1), (1e4, 1e4, "万吨 CO₂", 2), (0, 1, "吨 CO₂", 0)),
        "en": ((1e6, 1e6, "Mt CO₂", 2), (1e4, 1e3, "kt CO₂", 1), (0, 1, "t CO₂", 0)),
    },
    "MWh": {
        "zh": ((1e6, 1e5, "亿千瓦时", 1), (1e4, 10, "万千瓦时", 0), (0, 1, "兆瓦时", 0)),
        "en": ((1e6, 1e6, "TWh", 2), (1e4, 1e3, "GWh", 1), (0, 1, "MWh", 0)),
    },
    "tce_calorific": {
        "zh": ((1e6, 1e4, "万吨标准煤", 1), (1e4, 1e4, "万吨标准煤", 2), (0, 1, "吨标准煤", 0)),
        "en": ((1e6, 1e6, "Mtce", 2), (1e4, 1e3, "ktce", 1), (0, 1, "tce", 0)),
    },
    "GJ": {
        "zh": ((1e6, 1e4, "万吉焦", 0), (0, 1, "吉焦", 0)),
        "en": ((1e6, 1e6, "PJ", 2), (1e4, 1e3, "TJ", 1), (0, 1, "GJ", 0)),
    },
}
_SCALES["tCO2e"] = {
    lang: tuple((floor, factor, label.replace("CO₂", "CO₂e"), digits) for floor, factor, label, digits in steps)
    for lang, steps in _SCALES["tCO2"].items()
}
_SCALES["tce_equivalent"] = _SCALES["tce_calorific"]

# one unit of a compound: (zh, en)
_UNITS: dict[str, tuple[str, str]] = {
    "tCO2": ("tCO₂", "tCO₂"),
    "kgCO2": ("kgCO₂", "kgCO₂"),
    "tCO2e": ("tCO₂e", "tCO₂e"),
    "tCH4": ("tCH₄", "tCH₄"),
    "tN2O": ("tN₂O", "tN₂O"),
    "wan_m3": ("万m³", "10⁴ m³"),
    "m3": ("m³", "m³"),
    "wan_kWh": ("万kWh", "10⁴ kWh"),
    "wan_kW": ("万kW", "10⁴ kW"),
    "wan_m2": ("万m²", "10⁴ m²"),
    "wan_mu": ("万亩", "10⁴ mu"),
    "wan_t": ("万吨", "10⁴ t"),
    "wan_tce_equivalent": ("万tce(等价)", "10⁴ tce (equivalent)"),
    "vehicle": ("辆", "vehicles"),
    "tce_calorific": ("tce(当量)", "tce (calorific)"),
    "tce_equivalent": ("tce(等价)", "tce (equivalent)"),
    "kgce_calorific": ("kgce(当量)", "kgce (calorific)"),
    "kgce_equivalent": ("kgce(等价)", "kgce (equivalent)"),
    "CNY": ("元", "CNY"),
    "wan_CNY": ("万元", "10⁴ CNY"),
    "yi_CNY": ("亿元", "10⁸ CNY"),
    "person": ("人", "persons"),
    "wan_person": ("万人", "10⁴ persons"),
    "km2": ("km²", "km²"),
    "mu": ("亩", "mu"),
    "natural": ("自然单位", "natural unit"),
    "percentage_point": ("个百分点", "percentage points"),
    "degree_day": ("度日", "°C·d"),
}

# units that Chinese readers see as words when they stand alone
_ALONE = {
    "tCO2": "吨 CO₂",
    "tCO2e": "吨 CO₂e",
    "tC": "吨碳",
    "t": "吨",
    "MWh": "兆瓦时",
    "GJ": "吉焦",
    "tce_calorific": "吨标准煤（当量）",
    "tce_equivalent": "吨标准煤（等价）",
}

STATUS = {
    "official": ("官方", "official"),
    "secondary": ("转引", "secondary"),
    "unverified": ("未核实", "unverified"),
    "synthetic": ("演示数据", "synthetic"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@functools.cache
def messages(lang: str) -> dict[str, str]:
    """The translations of the Chinese texts into `lang`, from the catalogues of the rooms and, first, the shell."""
    from dualcarbon.app.rooms import room_folders

    found: dict[str, str] = {}
    for folder in (*room_folders().values(), LOCALE.parent):
        path = folder / "locale" / lang / "LC_MESSAGES" / "messages.po"
        if path.is_file():
            from babel.messages.pofile import read_po

            with path.open(encoding="utf-8") as lines:
                found |= {str(entry.id): str(entry.string) for entry in read_po(lines) if entry.id and entry.string}
    return found


class Words:
    """Everything said in one language; one object per language (see `words`)."""

    def __init__(self, lang: str) -> None:
        self.lang = lang if lang in LANGUAGES else "zh"
        self.english = self.lang == "en"
        self._messages = messages(self.lang)

    def say(self, text: str, /, **values: Any) -> str:
        """The Chinese `text` in this language, with ``{names}`` filled."""
        said = self._messages.get(text, text)
        return said.format(**values) if values else said

    def pick(self, title: Any) -> str:
        """A ``{zh, en}`` title in this language; other values as text, nothing as an empty text."""
        if isinstance(title, Mapping):
            title = title.get(self.lang) or title.get("zh") or title.get("en")
        return "" if title is None else formulas(str(title))

    def number(self, value: float | None, digits: int | None = None, sign: bool = False) -> str:
        """A number with thousands apart and a true minus; without `digits`, six significant ones."""
        if value is None or not isinstance(value, int | float) or not math.isfinite(value):
            return NOTHING
        if digits is None:
            text = f"{abs(value):,}" if isinstance(value, int) else _significant(abs(value))
        else:
            text = f"{abs(value):,.{digits}f}"
        negative = value < 0 and any(c in "123456789" for c in text)
        return (MINUS if negative else "+" if sign and any(c in "123456789" for c in text) else "") + text

    def percent(self, value: float | None, digits: int = 1, sign: bool = False) -> str:
        """A number of per cent as text with its mark."""
        text = self.number(value, digits, sign)
        return text if text == NOTHING else text + "%"

    def scale(self, unit: str | None, values: float | Iterable[float | None] | None) -> Scale:
        """How to show `values` of `unit`: one scale for them all, chosen by the largest."""
        numbers = [values] if isinstance(values, int | float) else list(values or [])
        size = max((abs(v) for v in numbers if v is not None and math.isfinite(v)), default=0.0)
        for floor, factor, label, digits in _SCALES.get(unit or "", {}).get(self.lang, ()):
            if size >= floor:
                small = factor == 1 and size < 100
                return Scale(factor, label, 2 if small else digits)
        return Scale(1, self.unit(unit), 0 if size >= 10_000 else 2)

    def scaled(self, value: float | None, scale: Scale, sign: bool = False) -> str:
        """A value as a number of a scale."""
        return NOTHING if value is None else self.number(value / scale.factor, scale.digits, sign)

    def quantity(self, value: float | None, unit: str | None, digits: int | None = None) -> tuple[str, str]:
        """A value in a fitting unit: (number, unit)."""
        scale = self.scale(unit, value)
        if value is None:
            return NOTHING, scale.label
        return self.number(value / scale.factor, scale.digits if digits is None else digits), scale.label

    def unit(self, unit: str | None) -> str:
        """A canonical unit text as people write it, part by part (``tCO2/MWh`` gives ``tCO₂/MWh``)."""
        if not unit or unit == "1":
            return ""
        if not self.english and unit in _ALONE:
            return _ALONE[unit]
        return "/".join(_UNITS.get(part, (part, part))[self.english] for part in str(unit).split("/"))

    def symbol(self, unit: str | None) -> str:
        """A unit as it stands in an equation: by its symbols only."""
        return "/".join(_UNITS.get(part, (part, part))[self.english] for part in str(unit or "").split("/"))

    def status(self, status: str | None) -> str:
        """The word of a status."""
        return STATUS.get(status or "", (status or "", status or ""))[self.english]

    def period(self, text: str | None) -> str:
        """A period as people say it: ``2024-01/2024-09`` gives ``2024年1—9月`` or ``Jan–Sep 2024``."""
        return _period(text, self.english) if text else ""

    def day(self, value: Any) -> str:
        """A date, or a date with time to the minute."""
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%d %H:%M")
        if isinstance(value, date):
            return value.isoformat()
        text = str(value or "")
        return text[:16].replace("T", " ") if len(text) > 10 and text[4:5] == "-" else text

    def month(self, number: int) -> str:
        """A month of the year, short."""
        return _MONTHS[number - 1] if self.english else f"{number}月"

    def comma(self) -> str:
        """What stands between the words of a list."""
        return ", " if self.english else "、"

    def colon(self) -> str:
        """The colon of the language."""
        return ": " if self.english else "："


@functools.cache
def words(lang: str) -> Words:
    """The `Words` of a language."""
    return Words(lang)


def _significant(value: float) -> str:
    if value >= 1e6:
        return f"{value:,.0f}"
    if value >= 1000:
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if value and value < 1e-4:
        mantissa, exponent = f"{value:.4e}".split("e")
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa.rstrip('0').rstrip('.')} × 10{raised}"
    return f"{value:.6g}"


@functools.lru_cache(maxsize=4096)
def _period(text: str, english: bool) -> str:
    from dualcarbon.core import periods

    try:
        start, end = periods.parse(text)
    except ValueError:
        return text
    last_year, last_month = (end.year, end.month - 1) if end.month > 1 else (end.year - 1, 12)
    if start.day != 1 or end.day != 1:
        return text
    if start.year != last_year:
        if start.month == 1 and last_month == 12:
            return f"{start.year}–{last_year}" if english else f"{start.year}—{last_year}年"
        if english:
            return f"{_MONTHS[start.month - 1]} {start.year} – {_MONTHS[last_month - 1]} {last_year}"
        return f"{start.year}年{start.month}月—{last_year}年{last_month}月"
    year, first = start.year, start.month
    if (first, last_month) == (1, 12):
        return str(year) if english else f"{year}年"
    if first == last_month:
        return f"{_MONTHS[first - 1]} {year}" if english else f"{year}年{first}月"
    if last_month - first == 2 and first % 3 == 1 and first != 1:
        return f"Q{last_month // 3} {year}" if english else f"{year}年{'一二三四'[last_month // 3 - 1]}季度"
    return f"{_MONTHS[first - 1]}–{_MONTHS[last_month - 1]} {year}" if english else f"{year}年{first}—{last_month}月"
