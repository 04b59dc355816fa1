"""The workspace that ``dualcarbon demo`` builds: data sets apart, two vintages, a second run that changes nothing."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.demo.assembly import STEPS, build


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict:
    told: list[str] = []
    result = build(tmp_path_factory.mktemp("demo") / "workspace", told.append)
    assert tuple(told) == STEPS
    return result


@pytest.fixture(scope="module")
def workspace(made: dict) -> Workspace:
    return Workspace.open(made["workspace"])


def test_synthetic_and_published_data_are_different_data_sets(workspace: Workspace) -> None:
    found = {one["id"]: one for one in workspace.datasets()}
    synthetic = {name for name, one in found.items() if one["status"] == "synthetic"}
    assert synthetic == {"demo-city", "demo-economy", "demo-control", "demo-target", "demo-weather"}
    published = set(found) - synthetic
    assert "jiaxing-statistics" in published
    assert all(found[name]["role"] == "control" and found[name]["custody"] == "public" for name in published)
    rows = workspace.observations().pl()
    by_quality = rows.group_by("dataset").agg((pl.col("quality") == "synthetic").mean())
    assert all(share == (1.0 if name in synthetic else 0.0) for name, share in by_quality.iter_rows())
    keys = ["place", "sector", "carrier", "item", "start", "end"]
    real = rows.filter(pl.col("dataset").is_in(list(published)) & pl.col("item").str.starts_with("economy."))
    assert rows.filter(pl.col("dataset") == "demo-economy").join(real, on=keys, nulls_equal=True).is_empty()


def test_the_late_revision_is_a_second_vintage(workspace: Workspace) -> None:
    def half_year(known_at: date | None) -> float:
        rows = workspace.observations(datasets=["demo-city"], known_at=known_at)
        rows = rows.filter("item = 'energy.purchased' AND entity = 'SYN-U-330481-rest-C17'").pl()
        rows = rows.filter(pl.col("start").is_between(date(2024, 1, 1), date(2024, 6, 1)))
        assert len(rows) == 6
        return rows["value"].sum()

    before, after = half_year(date(2025, 3, 1)), half_year(None)
    assert after == pytest.approx(0.962 * before, rel=1e-6)
    revision = next(one for one in workspace.imports() if one["superseded"])
    assert revision["superseded"] == 12 and "模拟" in revision["reason"]


def test_only_what_was_published_is_known_in_the_middle_of_a_year(workspace: Workspace) -> None:
    rows = workspace.observations(datasets=["demo-city"], known_at=date(2024, 7, 1))
    assert rows.aggregate('max("end")').fetchall() == [(date(2024, 6, 1),)]


def test_entities_and_faults_are_there(made: dict, workspace: Workspace) -> None:
    assert workspace.entities().height == made["entities"] > 2000
    assert len(list((Path(made["workspace"]) / "faults").iterdir())) == 11
    assert not any(name.startswith("fault") for name in (one["id"] for one in workspace.datasets()))


def test_a_second_run_changes_nothing_and_prints_one_document(made: dict, workspace: Workspace) -> None:
    version = workspace.version()
    command = [sys.executable, "-m", "dualcarbon", "demo", "--workspace", made["workspace"], "--json"]
    run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    told = json.loads(run.stdout)
    assert told["already"] is True and told["fingerprint"] == made["fingerprint"]
    assert [year["year"] for year in told["years"]] == [2022, 2023, 2024]
    assert workspace.version() == version


def test_a_workspace_with_other_data_is_refused(tmp_path: Path) -> None:
    mine = Workspace.create(tmp_path / "mine")
    file = tmp_path / "own.csv"
    file.write_text(
        "place,carrier,item,period,value,unit\n330483,diesel,energy.combustion,2023,1,t\n", encoding="utf-8"
    )
    mine.import_file(file)
    with pytest.raises(Refused) as refused:
        build(tmp_path / "mine")
    assert [problem.rule for problem in refused.value.problems] == ["demo.other-data"]
    assert [one["file"] for one in mine.imports()] == ["own.csv"]


def test_a_build_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def stop(name: str) -> None:
        if name == "import":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "workspace", stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        build(tmp_path)
    assert [problem.rule for problem in refused.value.problems] == ["core.workspace-exists"]
