"""Calculation: worked cases, missing factors, fallbacks, both engines, reduced against row by row."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core.problems import Refused
from dualcarbon.engine import Term, calculate, combine
from dualcarbon.engine.runs import calc
from tests.engine.conftest import table

CASES = yaml.safe_load((Path(__file__).parent.parent / "cases/engine/calculations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_worked_cases(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    path.write_text(case["rows"], encoding="utf-8")
    options = {name: case[name] for name in ("known_at", "family", "gwp") if name in case}
    run = calc(case["method"], path, by=case["by"], **options)
    rows = run.as_dict()["results"]
    assert len(rows) == len(case["expect"])
    for row, expected in zip(rows, case["expect"], strict=True):
        assert {name: row[name] for name in expected if name != "value"} == {
            name: value for name, value in expected.items() if name != "value"
        }
        assert row["value"] == pytest.approx(expected["value"], rel=2e-5)
        assert row["complete"]
    if "fallback" in case:
        wanted = case["fallback"]
        [told] = [f for f in run.fallbacks if f["reason"] == wanted["reason"] and f["parameter"] == wanted["parameter"]]
        assert (told["wanted"]["period"], told["used"]["period"]) == (wanted["wanted"], wanted["used"])


BURNED = """place,sector,carrier,item,period,value,unit
330483,C28,diesel,energy.combustion,2023-01,100,t
330483,C28,diesel,energy.combustion,2023-02,50,t
330481,C17,natural_gas,energy.combustion,2023-01,3,wan_m3
330481,C17,coal_gangue,energy.combustion,2023-01,7,t
"""


def test_a_missing_factor_is_never_zero() -> None:
    made = calculate("cn.combustion", table(BURNED))
    [row] = [row for row in made.missing if row["parameter"] == "fuel.ncv"]
    assert (row["carrier"], row["quantity"], row["unit"], row["rows"]) == ("coal_gangue", 7.0, "t", 1)
    assert made.combine()["complete"].to_list() == [False]
    by_place = {r["place"]: r for r in made.combine(["place"]).to_dicts()}
    assert by_place["330483"]["complete"] and not by_place["330481"]["complete"]
    only = made.combine(["carrier"], where=pl.col("carrier") == "coal_gangue").row(0, named=True)
    assert only["value"] is None and not only["complete"]


def dated(text: str) -> pl.DataFrame:
    start = pl.col("period").str.to_date("%Y-%m")
    return table(text).with_columns(start=start, end=start.dt.offset_by("1mo"))


def test_duckdb_and_polars_agree() -> None:
    frame = dated(BURNED)
    connection = duckdb.connect()
    relation = connection.from_arrow(frame.to_arrow())
    by = ["place", "sector", "carrier", "month"]
    kinds = [frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), relation]
    first, *others = [calculate("cn.combustion", kind).combine(by) for kind in kinds]
    for other in others:
        assert other.drop("value").equals(first.drop("value"))
        for one, two in zip(first["value"], other["value"], strict=True):
            assert one == two or one == pytest.approx(two, rel=1e-12)


@pytest.mark.parametrize("strange", [("330483", "C28"), ("somewhere", "C28"), ("330483", "no sector")])
def test_texts_read_from_parquet_are_those_of_the_rows(strange: tuple[str, str], tmp_path: Path) -> None:
    more = f"{strange[0]},{strange[1]},diesel,energy.combustion,2023-01,5,t\n"
    rows = dated(BURNED + more + "330483,,diesel,energy.combustion,2023-01,4,t\n")
    rows.write_parquet(tmp_path / "rows.parquet")
    read = duckdb.connect().read_parquet(str(tmp_path / "rows.parquet"))
    by = ["place", "sector", "carrier"]
    made, expected = (
        calculate("cn.combustion", one).combine(by, pl.col("carrier") == "diesel").select(*by, "value", "low")
        for one in (read, rows)
    )
    assert made.select(by).equals(expected.select(by))
    assert made["value"].to_list() == pytest.approx(expected["value"].to_list(), rel=1e-12)
    assert set(made["place"]) == {"330483", strange[0]} and set(made["sector"]) == {None, "C28", strange[1]}


rows_strategy = st.lists(
    st.tuples(
        st.sampled_from(["330481", "330483", "330402-rest"]),
        st.sampled_from(["C17", "C28", "D44"]),
        st.sampled_from(["diesel", "natural_gas", "bituminous_coal", "coke"]),
        st.integers(1, 12),
        st.floats(0.0, 1e6),
        st.sampled_from([0.0, 0.05, 0.2]),
    ),
    min_size=1,
    max_size=60,
)


@given(rows_strategy)
def test_reduced_and_row_by_row_agree(rows: list[tuple[str, str, str, int, float, float]]) -> None:
    frame = pl.DataFrame(
        [
            (place, sector, carrier, "energy.combustion", date(2023, month, 1),
             date(2023 + month // 12, month % 12 + 1, 1), value, value * (1 - share), value * (1 + share))
            for place, sector, carrier, month, value, share in rows
        ],
        schema=["place", "sector", "carrier", "item", "start", "end", "value", "low", "high"],
        orient="row",
    )  # fmt: skip
    by = ["place", "sector", "month"]
    reduced = calculate("cn.combustion", frame).combine(by)
    single = calculate("cn.combustion", frame, keep_rows=True).combine(by)
    assert reduced.select(by).equals(single.select(by))
    for column in ("value", "low", "high"):
        for one, two in zip(reduced[column], single[column], strict=True):
            assert one == pytest.approx(two, rel=1e-9, abs=1e-6)
    total = calculate("cn.combustion", frame).combine()["value"][0]
    assert total == pytest.approx(sum(reduced["value"]), rel=1e-9, abs=1e-9)


def test_periods_that_begin_together_but_end_apart() -> None:
    text = "place,carrier,item,period,value,unit\n" + "".join(
        f"330483,diesel,energy.combustion,{period},{value},t\n" for period, value in (("2023-01", 1), ("2023-Q1", 10))
    )
    made = calculate("cn.combustion", table(text)).combine(["period"])
    assert made["period"].to_list() == ["2023-01", "2023-Q1"]
    assert made["value"].to_list() == [pytest.approx(3.09591, rel=1e-5), pytest.approx(30.9591, rel=1e-5)]


def test_units_of_rows_are_converted_or_refused() -> None:
    text = "place,carrier,item,period,value,unit\n330481,electricity,energy.purchased,2023,{}\n"
    for written in ("1000,MWh", "1000000,kWh", "100,万千瓦时"):
        made = calculate("cn.electricity", table(text.format(written)))
        assert made.combine()["value"][0] == pytest.approx(497.4)
    with pytest.raises(Refused) as refused:
        calculate("cn.electricity", table(text.format("1000,t")))
    assert refused.value.problems[0].rule == "engine.unit-mismatch"


def test_families_never_mix() -> None:
    text = "place,carrier,item,period,value,unit\n330483,anthracite,energy.combustion,2023,1,t\n"
    provincial = calculate("cn.combustion", table(text))
    assert provincial.missing and provincial.combine()["value"][0] is None
    ndrc = calculate("cn.combustion", table(text), family="enterprise-ndrc")
    assert ndrc.combine()["value"][0] == pytest.approx(24.515 * 27.49 * 0.94 * 44 / 12 / 1000)


def test_notation_keys_decide_what_is_complete() -> None:
    text = "place,carrier,item,period,value,unit,notation\n330483,diesel,energy.combustion,2023,1,t,\n{}\n"
    for key, complete in (("NO", True), ("NA", True), ("IE", True), ("NE", False)):
        rows = table(text.format(f"330481,diesel,energy.combustion,2023,,t,{key}"))
        result = calculate("cn.combustion", rows).combine().row(0, named=True)
        assert result["complete"] is complete
        assert result["value"] == pytest.approx(3.0959, rel=1e-4)


def test_known_at_hides_later_rows() -> None:
    text = "place,carrier,item,period,value,unit,known_at\n330483,diesel,energy.combustion,2022,1,t,2023-03-01\n"
    text += "330483,diesel,energy.combustion,2022,9,t,2024-03-01\n"
    frame = table(text).with_columns(pl.col("known_at").str.to_date())
    assert calculate("cn.combustion", frame, known_at=date(2023, 6, 1)).cells["quantity"].sum() == 1.0
    assert calculate("cn.combustion", frame).cells["quantity"].sum() == 10.0


def test_entity_with_its_own_factor(tmp_path: Path, trial: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text("parameter,entity,value,unit\ntest.factor,,2,tCO2/t\ntest.factor,E7,5,tCO2/t\n", encoding="utf-8")
    text = "place,entity,item,period,value,unit\n330483,E1,test.quantity,2023,1,t\n330483,E7,test.quantity,2023,1,t\n"
    made = calculate(trial, table(text), factors=path)
    assert made.combine()["value"][0] == pytest.approx(7.0)
    assert made.cells.height == 2


def test_supplier_factor_comes_before_the_default(tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text("parameter,entity,value,unit\nheat.co2,CHP1,0.06,tCO2/GJ\n", encoding="utf-8")
    text = "place,carrier,item,period,value,unit,counterparty\n330483,heat,energy.purchased,2024,100,GJ,CHP1\n"
    text += "330483,heat,energy.purchased,2024,100,GJ,CHP2\n"
    made = calculate("cn.heat", table(text), factors=path)
    assert made.combine()["value"][0] == pytest.approx(6.0 + 11.0)


def test_gwp_set_is_an_option_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "methane.yaml"
    path.write_text(
        "id: test.methane\nversion: 1\nstatus: unverified\ntitle: {zh: 甲烷, en: methane}\nsource: {id: t}\n"
        "rows: {name: q, item: test.methane, unit: tCH4}\n"
        "factors: [{name: g, parameter: gwp, unit: tCO2e/tCH4, key: {gas: CH4}}]\n"
        "equations: [{name: e, unit: tCO2e, formula: q * g}]\noutputs: [{equation: e, item: emission.co2e}]\n",
        encoding="utf-8",
    )
    text = "place,item,period,value,unit\n330483,test.methane,2023,10,tCH4\n"
    made = {gwp: calculate(path, table(text), gwp=gwp).combine()["value"][0] for gwp in ("SAR", "AR4", "AR5", "AR6")}
    assert made == {"SAR": 210.0, "AR4": 250.0, "AR5": 280.0, "AR6": pytest.approx(279.0)}


def test_a_method_with_a_lookup_and_division(tmp_path: Path) -> None:
    path = tmp_path / "intensity.yaml"
    path.write_text(
        "id: test.intensity\nversion: 1\nstatus: unverified\ntitle: {zh: 强度, en: intensity}\nsource: {id: t}\n"
        "rows: {name: q, item: emission.co2, unit: tCO2}\n"
        "lookups: [{name: gdp, item: economy.gdp, unit: wan_CNY, on: [place, period]}]\n"
        "equations: [{name: e, unit: tCO2/wan_CNY, formula: q / gdp}]\noutputs: [{equation: e, item: intensity.co2}]\n",
        encoding="utf-8",
    )
    text = "place,item,period,value,unit\n330483,emission.co2,2023,100,tCO2\n330483,economy.gdp,2023,0.005,yi_CNY\n"
    text += "330481,emission.co2,2023,100,tCO2\n330481,economy.gdp,2023,0,wan_CNY\n330402,emission.co2,2023,1,tCO2\n"
    made = {row["place"]: row for row in calculate(path, table(text)).combine(["place"]).to_dicts()}
    assert made["330483"]["value"] == pytest.approx(2.0)
    assert made["330481"]["value"] is None and not made["330481"]["complete"]
    assert made["330402"]["value"] is None and not made["330402"]["complete"]


def test_the_latest_earlier_value_within_the_carry_forward_serves(tmp_path: Path) -> None:
    path = tmp_path / "factors.csv"
    path.write_text(
        "parameter,place,value,unit,valid_from,valid_to\n"
        "power.co2,330483,0.4,tCO2/MWh,2018,2021\n"
        "power.co2,330483,0.6,tCO2/MWh,2020,2020\n",
        encoding="utf-8",
    )
    text = "place,carrier,item,period,value,unit\n"
    text += "".join(f"330483,electricity,energy.purchased,{year},1,MWh\n" for year in (2018, 2020, 2023, 2024, 2040))
    made = calculate("cn.electricity", table(text), factors=path)
    found = dict(made.cells.select(pl.col("start").dt.year(), "co2").rows())
    assert found == pytest.approx({2018: 0.4, 2020: 0.6, 2023: 0.6, 2024: 0.4, 2040: None})
    told = [(f["reason"], f["wanted"]["period"], f["used"]["period"]) for f in made.fallbacks]
    assert told == [("period", "2023", "2020"), ("period", "2024", "2018-01/2021-12")]
    assert [(one["period"], one["rows"]) for one in made.missing] == [("2040", 1)]


def test_results_by_scope() -> None:
    text = "place,carrier,item,period,value,unit\n330481,electricity,energy.purchased,2023,1,MWh\n"
    bought = calculate("cn.electricity", table(text))
    burned = calculate("cn.combustion", table(BURNED))
    terms = [Term(made, made.method.outputs[0]) for made in (bought, burned)]
    by_scope = {row["scope"]: row["value"] for row in combine(terms, ["scope"]).to_dicts()}
    assert by_scope["2"] == bought.combine()["value"][0]
    assert by_scope["1"] == burned.combine()["value"][0]
