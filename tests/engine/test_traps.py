"""Mistakes that public factor tables contain are refused when a caller brings them."""

from pathlib import Path

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.engine.factors import with_factors

HEAD = "parameter,family,place,carrier,value,unit,valid_from,valid_to\n"


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("power.co2,,CN,,0.5366,tCO2/MWh,2021,2021", "engine.factor-of-another-year"),
        ("power.co2,,330000,,0.5777,tCO2/MWh,2024,2024", "engine.factor-of-another-parameter"),
        ("power.co2,,330000,,0.0004974,tCO2/MWh,2024,2024", "engine.factor-out-of-bounds"),
        ("power.co2,,330000,,0.6,tCO2e/MWh,2024,2024", "engine.unit-mismatch"),
        ("fuel.carbon_content,enterprise,,coke,94.0,tC/TJ,,", "engine.factor-out-of-bounds"),
        ("fuel.carbon_content,enterprise,,briquette,2.8,tC/TJ,,", "engine.factor-out-of-bounds"),
        ("tce.calorific,,,natural_gas,12.143,tce_calorific/wan_m3,,", "engine.half-a-pair"),
        ("tce.calorific,,,natural_gas,13.3,tce_equivalent/wan_m3,,", "engine.unit-mismatch"),
        ("fuel.ncv,enterprise,,diesel,not known,GJ/t,,", "core.not-a-number"),
        ("fuel.ncv,enterprise,Atlantis,diesel,42,GJ/t,,", "engine.factor-place"),
        ("power.co2,,330000,,0.49,tCO2/MWh,2024,2023", "engine.factor-date"),
    ],
)
def test_trap(row: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        with_factors("cn-jiaxing", path)
    [problem] = refused.value.problems
    assert (problem.rule, problem.row) == (rule, 2)
    told = problem.as_dict("zh")
    assert told["message"] and told["remedy"] and "{" not in told["message"]


@pytest.mark.parametrize(
    "rows",
    [
        "power.co2,,330000,,0.4974,tCO2/MWh,2023,2023\n",
        "power.co2,,330000,,0.4811,tCO2/MWh,2024,2024\n",
        "tce.calorific,,,natural_gas,12.143,tce_calorific/wan_m3,,\nfuel.ncv,provincial-2025,,natural_gas,355.88,GJ/wan_m3,,\n",
        "fuel.ncv,enterprise,330483,diesel,42.1,GJ/t,,\n",
    ],
)
def test_what_is_right_passes(rows: str, tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    assert with_factors("cn-jiaxing", path).frame.height > 400


def test_two_values_for_one_key_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text(HEAD + "fuel.ncv,enterprise,330483,diesel,42.1,GJ/t,,\n" * 2, encoding="utf-8")
    with pytest.raises(Refused) as refused:
        with_factors("cn-jiaxing", path)
    assert [(p.rule, p.row) for p in refused.value.problems] == [("engine.factor-twice", 3)]
