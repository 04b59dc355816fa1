import json
from pathlib import Path

import pytest

from dualcarbon.app import outline as module
from dualcarbon.app.outline import outline

SQUARES = {
    "type": "FeatureCollection",
    "features": [
        {
            "properties": {"name": name},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, 30.0], [x + 0.5, 30.0001], [x + 1, 30.0], [x + 1, 31.0], [x, 31.0], [x, 30.0]]],
            },
        }
        for name, x in (("西", 120.0), ("东", 121.0))
    ],
}


def test_areas_are_drawn_light_and_labelled_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "two.geojson").write_text(json.dumps(SQUARES), encoding="utf-8")
    monkeypatch.setattr(module, "VENDOR", tmp_path)
    drawn = outline("two.geojson")
    assert drawn is not None
    west, east = drawn.areas
    assert (west.name, east.name) == ("西", "东")
    assert west.x == pytest.approx(100, abs=1)
    assert east.x == pytest.approx(300, abs=1)
    assert 0 < west.y < drawn.height
    assert west.path.count("L") <= 5


def test_without_the_file_there_is_no_map() -> None:
    assert outline("absent.geojson") is None
