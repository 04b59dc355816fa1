"""What the repository promises of its own files."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent.parent
HOSTS = ("py" + "pi.org", "python" + "hosted", "npm" + "js", "npm" + "mirror", "yarn" + "pkg", "un" + "pkg.com",
         "js" + "delivr", "cd" + "njs", "mirrors" + ".", "--index" + "-url ", "--find" + "-links ")  # fmt: skip
MACHINE = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+|opt/py\w+)/|[A-Z]:\\Users")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOME, capture_output=True, encoding="utf-8")
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [HOME / name for name in listed.stdout.split("\0") if name and (HOME / name).is_file()]


def test_no_tracked_file_names_a_package_host_or_a_path_of_one_machine():
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(HOME)}: {host}" for host in HOSTS if host in text]
        found += [f"{path.relative_to(HOME)}: {match.group()}" for match in MACHINE.finditer(text)]
    assert not found


def test_requirements_are_pinned_with_hashes_and_nothing_else():
    for path in HOME.glob("requirements*.txt"):
        entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", path.read_text(), flags=re.MULTILINE).strip())
        assert entries, path.name
        for entry in entries:
            assert re.match(r"[A-Za-z0-9._-]+(\[\w+\])?==\S+( ; [^\\]+)? \\\n\s+--hash=sha256:[0-9a-f]{64}", entry), (
                entry
            )


def test_the_tests_install_what_the_program_runs_with():
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+==\S+)", (HOME / name).read_text(), re.MULTILINE))

    assert pins("requirements.txt") <= pins("requirements-dev.txt")


def test_every_direct_requirement_is_pinned():
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=~! ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}

    def pinned(name: str) -> set[str]:
        found = re.findall(r"^([\w.-]+)(?:\[\w+\])?==", (HOME / name).read_text(), re.MULTILINE)
        return {one.lower().replace("_", "-") for one in found}

    extras = project["optional-dependencies"]
    assert names(project["dependencies"]) | names(extras["setup"]) <= pinned("requirements.txt")
    assert names(extras["dev"]) <= pinned("requirements-dev.txt")
    assert names(extras["node"]) <= pinned("requirements-node.txt")


def test_npm_packages_are_pinned_with_integrity_and_without_addresses():
    lock = json.loads((HOME / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
    wanted = json.loads((HOME / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_county_polygons_are_plain_geojson_of_the_seven_counties():
    path = HOME / "src/dualcarbon/app/static/vendor/jiaxing.geojson"
    polygons = json.loads(path.read_text(encoding="utf-8"))
    codes = [feature["properties"]["code"] for feature in polygons["features"]]
    assert codes == ["330402", "330411", "330421", "330424", "330481", "330482", "330483"]
    for feature in polygons["features"]:
        for polygon in feature["geometry"]["coordinates"]:
            for ring in polygon:
                assert ring[0] == ring[-1] and len(ring) >= 4
                assert all(120.2 < x < 121.4 and 30.2 < y < 31.1 for x, y in ring)
