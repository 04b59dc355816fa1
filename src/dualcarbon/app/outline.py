"""The map: county polygons drawn once as light SVG paths, each of them a link that a keyboard reaches.

The polygons come with the set-up (``static/vendor``; a pack names its file); without them there is only the table.
"""

import functools
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

VENDOR = Path(__file__).with_name("static") / "vendor"
WIDTH = 400.0
TOLERANCE = 0.55


class Area(NamedTuple):
    """One area: its name as the file spells it, its path, and where its label stands."""

    name: str
    path: str
    x: float
    y: float


class Outline(NamedTuple):
    """All areas in one picture of `width` by `height`."""

    width: float
    height: float
    areas: tuple[Area, ...]


Point = tuple[float, float]


@functools.cache
def outline(file: str | None) -> Outline | None:
    """The areas of a GeoJSON file as an `Outline`, or None when there is none."""
    path = VENDOR / (file or "")
    if not path.is_file():
        return None
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    shapes = [(feature["properties"], _rings(feature["geometry"])) for feature in features]
    every = [point for _, rings in shapes for ring in rings for point in ring]
    west, east = min(p[0] for p in every), max(p[0] for p in every)
    south, north = min(p[1] for p in every), max(p[1] for p in every)
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = WIDTH / ((east - west) * squeeze)

    def place(point: Point) -> Point:
        return (point[0] - west) * squeeze * scale, (north - point[1]) * scale

    areas = []
    for properties, rings in shapes:
        drawn = [ring for ring in ([place(p) for p in ring] for ring in rings) if abs(_area(ring)) > 2]
        drawn.sort(key=lambda ring: -abs(_area(ring)))
        path_text = "".join(_path(_simplify(ring, TOLERANCE)) for ring in drawn)
        x, y = _centre(drawn[0])
        areas.append(Area(str(properties.get("name")), path_text, round(x, 1), round(y, 1)))
    return Outline(WIDTH, round((north - south) * scale, 1), tuple(areas))


def _rings(geometry: dict[str, Any]) -> list[list[Point]]:
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return [[(float(x), float(y)) for x, y, *_ in polygon[0]] for polygon in polygons]


def _area(ring: list[Point]) -> float:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs) / 2


def _centre(ring: list[Point]) -> Point:
    total = _area(ring)
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    x = sum((a[0] + b[0]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairs) / (6 * total)
    y = sum((a[1] + b[1]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairs) / (6 * total)
    return x, y


def _simplify(ring: list[Point], tolerance: float) -> list[Point]:
    """Douglas and Peucker (1973), on a ring cut at its first point and at the point farthest from it."""
    far = max(range(len(ring)), key=lambda i: math.dist(ring[0], ring[i]))
    kept = {0, far, len(ring) - 1}
    spans = [(0, far), (far, len(ring) - 1)]
    while spans:
        first, last = spans.pop()
        best, where = 0.0, -1
        for i in range(first + 1, last):
            gap = _distance(ring[i], ring[first], ring[last])
            if gap > best:
                best, where = gap, i
        if best > tolerance:
            kept.add(where)
            spans += [(first, where), (where, last)]
    return [ring[i] for i in sorted(kept)]


def _distance(point: Point, start: Point, end: Point) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    if length == 0:
        return math.dist(point, start)
    return abs(dy * (point[0] - start[0]) - dx * (point[1] - start[1])) / length


def _path(ring: list[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z"
