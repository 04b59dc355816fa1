"""Method files: every shipped one holds; a wrong one is refused with all its faults, each with its line."""

from pathlib import Path

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.engine.cases import run_case
from dualcarbon.engine.methods import check, find_method, method_files, read_method, schema
from tests.engine.conftest import METHOD


@pytest.mark.parametrize("name", sorted(method_files("cn-jiaxing")))
def test_shipped_methods_hold(name: str) -> None:
    assert check(method_files("cn-jiaxing")[name]) == []
    proven = find_method(name)
    assert proven.linear
    assert proven.method.cases, "a method ships with a worked case"
    for case in proven.method.cases:
        for expected, got in run_case(proven, case, "cn-jiaxing").values():
            assert got == pytest.approx(expected, rel=case.tolerance)


def test_carbon_is_not_carbon_dioxide(tmp_path: Path) -> None:
    text = method_files("cn-jiaxing")["cn.combustion"].read_text(encoding="utf-8")
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace("formula: carbon * m", "formula: carbon"), encoding="utf-8")
    [problem] = check(path)
    told = problem.as_dict("en")
    assert told["rule"] == "engine.unit-mismatch"
    assert "co2" in told["message"] and "tCO2" in told["message"] and "tC" in told["message"]
    with pytest.raises(Refused):
        find_method(path)


def test_all_faults_at_once_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        "id: WRONG\nversion: 1\nstatus: sure\ntitle: {zh: 甲, en: a}\nsource: {id: s}\n"
        "rows: {name: q, item: i, unit: t}\nequations:\n  - {name: e, unit: t, formula: q}\n"
        "  - {name: f, formula: q}\noutputs: [{equation: e, item: x}]\nsurplus: 1\n",
        encoding="utf-8",
    )
    _, problems = read_method(path)
    rows = {problem.column: problem.row for problem in problems}
    assert rows == {"id": 1, "status": 3, "equations.1.unit": 9, "surplus": 11}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("formula: q * f", "formula: q * g", "unknown name"),
        ("formula: q * f", "formula: q ** f", "exponent"),
        ("formula: q * f", "formula: __import__(q)", "unknown function"),
        ("equation: e", "equation: z", "no equation"),
        ("name: f, parameter", "name: q, parameter", "used twice"),
    ],
)
def test_faults_of_names_and_formulas(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "method.yaml"
    path.write_text(METHOD.replace(old, new), encoding="utf-8")
    _, problems = read_method(path)
    assert any(says in problem.as_dict("en")["message"] for problem in problems)


def test_unknown_unit_and_unaddable_terms(tmp_path: Path) -> None:
    path = tmp_path / "method.yaml"
    path.write_text(METHOD.replace("unit: tCO2, formula: q * f", "unit: blurb, formula: q * f + q"), encoding="utf-8")
    rules = {problem.rule for problem in check(path)}
    assert "engine.unknown-unit" in rules
    path.write_text(METHOD.replace("formula: q * f", "formula: q * f + q"), encoding="utf-8")
    assert "engine.formula-units" in {problem.rule for problem in check(path)}


def test_unknown_parameter_is_named(trial: Path, factor_file: Path) -> None:
    assert [problem.rule for problem in check(trial)] == ["engine.unknown-parameter"]
    assert check(trial, factors=factor_file) == []


def test_case_that_does_not_come_out(tmp_path: Path) -> None:
    text = method_files("cn-jiaxing")["cn.electricity"].read_text(encoding="utf-8")
    path = tmp_path / "case.yaml"
    path.write_text(text.replace("expect: {co2: 497.4}", "expect: {co2: 497.5}"), encoding="utf-8")
    assert [problem.rule for problem in check(path)] == ["engine.case-differs"]


def test_schema_describes_the_file() -> None:
    made = schema()
    assert {"id", "version", "rows", "equations", "outputs"} <= set(made["required"])
    assert made["additionalProperties"] is False
