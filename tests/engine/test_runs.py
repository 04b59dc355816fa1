"""Runs: dataframes in and out, manifests that identify, kept runs that come out the same later."""

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import dualcarbon as dc
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.engine.runs import calc, compare, explain_run, keep, verify

ROWS = {
    "place": ["海宁市", "330483"],
    "carrier": ["电力", "electricity"],
    "item": ["energy.purchased", "energy.purchased"],
    "period": ["2023", "2023年1-6月"],
    "value": [1000.0, 50.0],
    "unit": ["MWh", "万千瓦时"],
}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_dataframes_come_back_as_they_went_in(kind: type) -> None:
    run = dc.calc("cn.electricity", kind(ROWS), by=["place"])
    assert isinstance(run.results, kind)
    assert list(run.results["value"]) == [pytest.approx(497.4), pytest.approx(500 * 0.4974)]
    assert run.complete


def test_a_dataframe_is_checked_like_a_file() -> None:
    wrong = pl.DataFrame({**ROWS, "carrier": ["电力", "elektrik"]})
    with pytest.raises(Refused) as refused:
        dc.calc("cn.electricity", wrong)
    assert [problem.rule for problem in refused.value.problems] == ["core.unknown-carrier"]


def test_the_same_question_has_the_same_id() -> None:
    frame = pl.DataFrame(ROWS)
    first, second = (calc("cn.electricity", frame) for _ in range(2))
    assert first.manifest["id"] == second.manifest["id"]
    assert calc("cn.electricity", frame, known_at="2025-01-01").manifest["id"] != first.manifest["id"]


def observations(workspace: Workspace, path: Path, value: float, revise: str | None = None) -> None:
    path.write_text(
        f"place,carrier,item,period,value,unit\n330481,electricity,energy.purchased,2023,{value},MWh\n",
        encoding="utf-8",
    )
    workspace.import_file(path, dataset="grid", revise=revise)


def test_a_kept_run_is_verified_after_the_data_changed(workspace: Workspace, tmp_path: Path) -> None:
    observations(workspace, tmp_path / "a.csv", 1000)
    run = calc("cn.electricity", workspace=workspace, by=["place", "year"])
    identifier = keep(run, workspace)
    observations(workspace, tmp_path / "b.csv", 2000, revise="电表更正")
    assert calc("cn.electricity", workspace=workspace).results["value"][0] == pytest.approx(994.8)
    answer = verify(identifier, workspace)
    assert answer == {"id": identifier, "same": True, "differences": [], "changed": []}
    node = explain_run(identifier, "emission.co2", workspace, {"place": "330481", "period": "2023"})
    assert node["value"] == pytest.approx(497.4) and node["run"] == identifier


def test_a_run_with_its_own_method_and_factors_is_verified(
    workspace: Workspace, tmp_path: Path, trial: Path, factor_file: Path
) -> None:
    path = tmp_path / "q.csv"
    path.write_text(
        "place,carrier,item,period,value,unit\n330481,diesel,energy.consumption,2023,3,t\n", encoding="utf-8"
    )
    trial.write_text(trial.read_text().replace("test.quantity", "energy.consumption"))
    workspace.import_file(path)
    identifier = keep(calc(trial, workspace=workspace, factors=factor_file), workspace)
    trial.unlink()
    factor_file.unlink()
    assert verify(identifier, workspace)["same"]


def test_a_tampered_run_does_not_verify(workspace: Workspace, tmp_path: Path) -> None:
    observations(workspace, tmp_path / "a.csv", 1000)
    run = calc("cn.electricity", workspace=workspace)
    kept = {**run.manifest, "id": "forged", "results": [{**run.as_dict()["results"][0], "value": 1.0}]}
    workspace.keep_run(kept)
    answer = verify("forged", workspace)
    assert not answer["same"]
    assert answer["differences"][0]["after"]["value"] == pytest.approx(497.4)
    with pytest.raises(Refused):
        verify("nothing", workspace)


def test_compare_tells_rows_that_came_or_went() -> None:
    one = [{"place": "a", "value": 1.0}, {"place": "b", "value": 2.0}]
    two = [{"place": "a", "value": 1.0 + 1e-14}, {"place": "c", "value": 2.0}]
    assert [difference["key"]["place"] for difference in compare(one, two)] == ["b", "c"]
