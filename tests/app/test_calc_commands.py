"""The verbs of the engine as a user runs them: what they print, and with which exit code they leave."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = """place,entity,sector,carrier,item,period,value,unit
330483,,C28,diesel,energy.combustion,2023,100,t
330483,,C28,natural_gas,energy.combustion,2023,1,万m3
330481,,C17,electricity,energy.purchased,2021,1000,MWh
330481,,C17,electricity,energy.purchased,2022,1000,MWh
330481,,C17,electricity,energy.purchased,2023,1000,MWh
330481,,C17,electricity,energy.purchased,2024,1000,MWh
"""
METHOD = """
id: city.foam
version: 1
status: unverified
title: {zh: 发泡剂, en: Foaming agent}
source: {id: own}
rows: {name: used, item: foam.used, unit: t}
factors: [{name: carbon, parameter: foam.carbon, unit: tC/t}]
constants: {m: {value: 44/12, unit: tCO2/tC}}
equations:
  - {name: co2, unit: tCO2, formula: used * carbon * m}
outputs: [{equation: co2, item: emission.co2, scope: "1"}]
"""
Cli = Callable[..., Any]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_calc_gives_the_published_figures(verb: Cli, rows: Path) -> None:
    burned = verb("calc", "cn.combustion", "--observations", rows, "--by", "carrier", "--json").json
    assert {row["carrier"]: round(row["value"], 3) for row in burned["results"]} == {
        "diesel": 309.591,
        "natural_gas": 21.622,
    }
    power = verb("calc", "cn.electricity", "--observations", rows, "--by", "year", "--json").json
    assert {r["year"]: r["value"] for r in power["results"]} == pytest.approx(
        {"2021": 542.2, "2022": 515.3, "2023": 497.4, "2024": 497.4}
    )
    assert set(power) == {"results", "missing", "fallbacks", "run"}
    carried = [f for f in power["fallbacks"] if f["reason"] == "period"]
    assert [(f["wanted"]["period"], f["used"]["period"]) for f in carried] == [("2024", "2023")]
    earlier = verb(
        "calc", "cn.electricity", "--observations", rows, "--by", "year", "--known-at", "2025-06-30", "--json"
    ).json
    assert {r["year"]: r["value"] for r in earlier["results"]}["2023"] == pytest.approx(515.3)
    assert ("2023", "2022") in [(f["wanted"]["period"], f["used"].get("period")) for f in earlier["fallbacks"]]
    [whole] = verb("calc", "cn.combustion", "--observations", rows, "--json").json["results"]
    assert {"item", "value", "unit", "low", "high", "uncertainty", "status", "complete", "basis"} <= set(whole)


def test_a_method_of_ones_own_calculates_and_explains(verb: Cli, tmp_path: Path) -> None:
    method, factors, rows = tmp_path / "foam.yaml", tmp_path / "factors.csv", tmp_path / "rows.csv"
    method.write_text(METHOD, encoding="utf-8")
    factors.write_text("parameter,value,unit,low,high\nfoam.carbon,0.5,tC/t,0.4,0.6\n", encoding="utf-8")
    rows.write_text("place,item,period,value,unit\n330483,foam.used,2024,12,t\n", encoding="utf-8")
    given = ("--observations", rows, "--factors", factors, "--json")
    [row] = verb("calc", method, *given).json["results"]
    assert row["value"] == pytest.approx(22.0) and row["low"] == pytest.approx(17.6) and row["status"] == "unverified"
    [sampled] = verb("calc", method, *given, "--monte-carlo", 4000, "--seed", 5).json["monte_carlo"]
    assert sampled["mean"] == pytest.approx(22.0, rel=0.01) and sampled["low"] == pytest.approx(17.6, rel=0.03)
    node = verb("explain", "emission.co2", "--method", method, "--place", "桐乡", "--period", "2024", *given).json
    assert node["substituted"] == "12 t × 0.5 tC/t × 44/12 tCO2/tC = 22 tCO2"
    assert "Foaming agent" in verb("methods", "show", method, DUALCARBON_LANG="en").out
    method.write_text(METHOD.replace("unit: tCO2, formula", "unit: tC, formula"), encoding="utf-8")
    refused = verb("calc", method, *given)
    assert refused.code == 1
    [problem] = refused.json["problems"]
    assert problem["rule"] == "engine.unit-mismatch" and "tCO2" in problem["message"]
    assert set(problem) == {"file", "sheet", "row", "column", "value", "rule", "message", "remedy"}


def test_strict_leaves_with_one_when_a_factor_is_missing(verb: Cli, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "place,carrier,item,period,value,unit\n330483,diesel,energy.combustion,2023,1,t\n"
        "330483,煤矸石,energy.combustion,2023,7,t\n",
        encoding="utf-8",
    )
    lax = verb("calc", "cn.combustion", "--observations", rows, "--json")
    assert lax.code == 0 and not lax.json["results"][0]["complete"]
    assert lax.json["missing"][0]["quantity"] == 7
    strict = verb("calc", "cn.combustion", "--observations", rows, "--json", "--strict")
    assert strict.code == 1 and strict.json["missing"]
    assert "coal_gangue" in verb("calc", "cn.combustion", "--observations", rows).out


def test_usage_errors_leave_with_two(verb: Cli, rows: Path) -> None:
    assert verb("calc", "cn.combustion", "--observations", rows, "--by", "colour").code == 2
    assert verb("calc", "cn.combustion", "--observations", rows, "--known-at", "soon").code == 2
    assert verb("calc", "cn.combustion", "--observations", "nowhere.csv").code == 2
    assert verb("calc", "cn.nothing", "--observations", rows, "--json").code == 1
    both = verb("explain", "energy.tce", "--place", "330483", "--period", "2023", "--observations", rows, "--json")
    assert both.code in (1, 2)


def test_ambiguous_questions_list_the_choices(verb: Cli, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(ROWS + "330481,,C17,diesel,energy.combustion,2023,1,t\n", encoding="utf-8")
    asked = ("explain", "emission.co2", "--place", "330481", "--period", "2023", "--observations", rows)
    told = verb(*asked, "--json")
    assert told.code == 2 and told.json["ambiguous"] == {"method": ["cn.combustion", "cn.electricity"]}
    opened = verb(*asked, "--method", "cn.electricity", DUALCARBON_LANG="en")
    assert opened.code == 0 and "1,000 MWh × 0.4974 tCO2/MWh = 497.4 tCO2" in opened.out


def test_catalogue(verb: Cli) -> None:
    methods = {m["id"] for m in verb("methods", "list", "--json").json["methods"]}
    assert {"cn.combustion", "cn.electricity", "cn.heat", "cn.carbonate", "cn.tce"} <= methods
    items = {i["code"] for i in verb("items", "--json").json["items"]}
    assert {"energy.combustion", "energy.purchased", "energy.consumption", "emission.co2", "energy.tce"} <= items
    areas = verb("places", "--tree", "management", "--json").json["places"]
    assert sum(row["depth"] == 1 for row in areas) == 9
    assert sum(row["depth"] == 1 for row in verb("places", "--json").json["places"]) == 7
    found = verb("factors", "find", "power.co2", "--place", "330481", "--at", "2024", "--json").json
    assert found["resolved"]["value"] == 0.4974 and found["resolved"]["status"] == "official"
    known = verb(
        "factors", "find", "power.co2", "--place", "浙江省", "--at", "2023", "--known-at", "2025-06-30", "--json"
    ).json
    assert known["resolved"]["value"] == 0.5153
    assert verb("methods", "schema").json["title"] == "Method"


def test_explain_opens_what_account_answers(verb: Cli, city: Path) -> None:
    asked = ("--place", "330481", "--period", "2024", "--workspace", city, "--json")
    account = verb("account", *asked, "--basis", "B", "--by", "carrier").json
    opened = verb("explain", "emission.co2", *asked, "--basis", "B")
    assert opened.code == 0 and opened.json["value"] == pytest.approx(account["value"])
    assert opened.json["snapshot"][0]["version"] == account["run"]["workspace_version"]
    part, row = account["parts"][0], account["rows"][0]
    for one in (part, row):
        query = dict(one["explain"])
        words = [word for key, value in query.items() if key != "item" for word in (f"--{key}", value)]
        node = verb("explain", query["item"], *words, "--workspace", city, "--json").json
        assert node["value"] == pytest.approx(one["value"]), query
    down = verb("explain", "emission.co2", *asked, "--basis", "B", "--part", "fuel", "--carrier", "diesel").json
    assert down["rows"] or any(child["rows"] for child in down["children"])
    told = verb("explain", "emission.co2", *asked)
    assert told.code == 2 and {"A", "B", "C"} <= set(told.json["ambiguous"]["basis"])
    assert verb("explain", "emission.co2", *asked, "--basis", "B", "--custody", "secret").code == 2


def test_explain_opens_an_account_of_a_file(verb: Cli, rows: Path) -> None:
    asked = ("explain", "emission.co2", "--place", "330483", "--period", "2023", "--basis", "B", "--observations", rows)
    node = verb(*asked, "--json").json
    assert node["value"] == pytest.approx(309.5906 + 21.6219, rel=1e-5) and node["snapshot"][0]["rows"] == 6
