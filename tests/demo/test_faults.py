"""The planted faults: readable files beside the account, each with its right answer, the same bytes each time."""

import csv
from pathlib import Path

import pytest

from dualcarbon.core.reading import read_observations
from dualcarbon.demo.city import City
from dualcarbon.demo.faults import write


@pytest.fixture(scope="module")
def folder(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("faults")
    write(city, made)
    return made


def test_eight_faults_are_told_in_both_languages(folder: Path) -> None:
    with (folder / "index.csv").open(encoding="utf-8-sig", newline="") as stream:
        index = list(csv.DictReader(stream))
    assert len(index) == 8
    for row in index:
        assert (folder / row["file"]).is_file()
        assert row["reported"] != row["right"] and float(row["reported"]) > 0
        assert not any("{" in text for text in row.values())
    for name, word in (("README.md", "The right answer"), ("README.zh-CN.md", "正确处理")):
        assert (folder / name).read_text(encoding="utf-8").count(word) == 8


def test_all_files_can_be_read_and_only_the_falling_cumulative_breaks_a_rule(folder: Path) -> None:
    for path in sorted(folder.glob("0*")):
        reading = read_observations(path)
        rules = [problem.rule for problem in reading.problems]
        assert rules == (["core.falling-cumulative"] if path.name.startswith("01") else [])
        assert set(reading.frame["quality"]) == {"synthetic"}
        assert all(name.startswith("fault-") for name in reading.frame["dataset"])
        assert len(reading.frame) >= 10


def test_the_same_bytes_each_time(city: City, folder: Path, tmp_path: Path) -> None:
    write(city, tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_the_answers_agree_with_the_account(city: City, folder: Path) -> None:
    with (folder / "index.csv").open(encoding="utf-8-sig", newline="") as stream:
        index = {row["id"]: row for row in csv.DictReader(stream)}
    late = index["kwh-as-wan-kwh"]
    assert float(late["reported"]) == pytest.approx(10000 * float(late["right"]), rel=1e-4)
    meter = index["steam-drift"]
    assert float(meter["reported"]) < float(meter["right"])
    own = index["pv-self-use-omitted"]
    mine = city.observations.filter(entity=own["entity"], item="energy.consumption", carrier="electricity")
    yearly = mine.filter(mine["start"].dt.year() == 2024)["value"].sum()
    assert yearly == pytest.approx(float(own["right"]), abs=0.01)
