"""Pictures of a printed report as SVG text: months as lines, effects as bars."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dualcarbon.nowcast.told import saying

INK, SOFT, LINE, GREEN, PALE, AMBER = "#22302c", "#5d6b66", "#dfe5e1", "#0e6a5a", "#9db5ac", "#b4652b"
WIDTH = 640
WAN = 1e4
_FONT = 'font-family="Noto Sans CJK SC, SimHei, Liberation Sans, sans-serif"'


def months(rows: Sequence[Mapping[str, Any]], lang: str = "zh") -> str:
    """Months of a year ({month, like, last_year, estimated}, tCO2; `like` holds the `value` that is compared) against
    those a year before; estimates hollow."""
    if len(rows) < 2:
        return ""
    rows = [{**one, "value": one["like"]["value"]} for one in rows]
    height, left, right, top, bottom = 240, 46, 78, 26, 28
    size = WAN if lang == "zh" else 1e3
    values = [one[key] / size for one in rows for key in ("value", "last_year") if one[key]]
    low, high = min(values), max(values)
    pad = (high - low or high or 1) * 0.12
    low, high = max(low - pad, 0.0), high + pad
    step = (WIDTH - left - right) / (len(rows) - 1)

    def at(k: int, value: float) -> tuple[float, float]:
        return left + k * step, top + (height - top - bottom) * (1 - (value / size - low) / (high - low))

    out = []
    for tick in _ticks(low, high):
        y = at(0, tick * size)[1]
        out.append(f'<path d="M{left} {y:.1f}H{WIDTH - right}" stroke="{LINE}"/>')
        out.append(_text(left - 6, y + 4, f"{tick:,.0f}", SOFT, "end"))
    out.append(_text(left - 34, 14, "万吨" if lang == "zh" else "kt", SOFT))
    for k, one in enumerate(rows):
        out.append(_text(left + k * step, height - 8, saying.months([int(one["month"][5:])], lang)[:3], SOFT, "middle"))
    year = int(rows[0]["month"][:4])
    ends: list[float] = []
    for key, colour, width, label in (("value", GREEN, 2.4, year), ("last_year", PALE, 1.6, year - 1)):
        points = [at(k, one[key]) for k, one in enumerate(rows) if one[key]]
        if len(points) < 2:
            continue
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        y = points[-1][1] + 4
        if ends and abs(y - ends[0]) < 14:
            y = ends[0] + (14 if y >= ends[0] else -14)
        ends.append(y)
        tone, weight = (colour, 600) if key == "value" else (SOFT, 400)
        out.append(_text(points[-1][0] + 10, y, str(label), tone, weight=weight))
    for k, one in enumerate(rows):
        x, y = at(k, one["value"])
        fill = "#fff" if one["estimated"] else GREEN
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}" stroke="{GREEN}" stroke-width="1.4"/>')
    return _svg(height, out)


def effects(causes: Mapping[str, Any] | None, lang: str = "zh") -> str:
    """What each effect did to CO2 between two periods (tCO2), and all of them together, as bars from zero."""
    if not causes:
        return ""
    parts = [one for one in causes["effects"] if abs(one["percent"] or 0) >= 0.005]
    if not parts:
        return ""
    size = WAN if lang == "zh" else 1e3
    rows = [(one["title"][lang], one["value"] / size, False) for one in parts]
    rows.append(("合计" if lang == "zh" else "All", (causes["after"] - causes["before"]) / size, True))
    left, right, top, each = 190, 70, 10, 25
    height = top + each * len(rows) + 6
    low, high = min(0.0, *(value for _, value, _ in rows)), max(0.0, *(value for _, value, _ in rows))
    # Numbers stand at the ends of the bars: those of negative ones to the left, and need room there.
    room = 52 if low < 0 else 0
    width = WIDTH - left - right - room
    zero = left + room - width * low / ((high - low) or 1.0)
    out = [f'<path d="M{zero:.1f} {top}V{height - 6}" stroke="{SOFT}" stroke-width="1"/>']
    for k, (name, value, whole) in enumerate(rows):
        y = top + k * each
        long = width * abs(value) / ((high - low) or 1.0)
        colour = INK if whole else AMBER if value > 0 else GREEN
        out.append(_text(left - 10, y + 15, name, INK, "end", 600 if whole else 400))
        out.append(f'<rect x="{zero - (long if value < 0 else 0):.1f}" y="{y + 3}" width="{max(long, 1):.1f}" '
                   f'height="{each - 8}" fill="{colour}" fill-opacity="{0.75 if whole else 0.9}"/>')  # fmt: skip
        told = f"{value:+,.1f}".replace("-", "−") if lang == "en" else f"{value:+.1f}".replace("-", "−")
        if value < 0:
            out.append(_text(zero - long - 6, y + 15, told, INK, "end", 600 if whole else 400))
        else:
            out.append(_text(zero + long + 6, y + 15, told, INK, weight=600 if whole else 400))
    return _svg(height, out)


def _ticks(low: float, high: float) -> list[float]:
    span = high - low
    size = next(s * 10.0**e for e in range(-6, 12) for s in (1, 2, 5) if span / (s * 10.0**e) <= 5)
    first = int(low / size) + 1
    return [n * size for n in range(first, int(high / size) + 1)]


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", weight: int = 400) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} font-size="12" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}">{escape(text)}</text>')  # fmt: skip


def _svg(height: float, parts: Sequence[str]) -> str:
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}">'
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>{"".join(parts)}</svg>')  # fmt: skip
