"""Explain: children sum to their total, leaves carry equation, factors and rows, and doubts are told."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core.problems import Refused
from dualcarbon.engine.explain import Ambiguous
from dualcarbon.engine.explain import explain as opened
from dualcarbon.engine.runs import explain
from tests.engine.conftest import table

ROWS = """place,sector,carrier,item,period,value,unit
330483,C28,diesel,energy.combustion,2023-01,100,t
330483,C17,diesel,energy.combustion,2023-02,50,t
330483,C28,natural_gas,energy.combustion,2023-01,3,wan_m3
330481,C17,natural_gas,energy.combustion,2023-01,4,wan_m3
330402-chengnan,C17,diesel,energy.combustion,2023-01,5,t
330402,C17,coke,energy.combustion,2023-01,6,t
330481,C17,electricity,energy.purchased,2023-01,1000,MWh
330481,C17,electricity,energy.purchased,2024-01,1000,MWh
"""


def leaves(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [leaf for child in node["children"] for leaf in leaves(child)] if node["children"] else [node]


def test_children_sum_to_the_total_and_leaves_open() -> None:
    node = explain("emission.co2", table(ROWS), place="嘉兴市", period="2023", method="cn.combustion")
    assert node["value"] == pytest.approx(sum(child["value"] for child in node["children"]))
    assert {child["dimensions"]["carrier"] for child in node["children"]} == {"diesel", "natural_gas", "coke"}
    for leaf in leaves(node):
        assert leaf["value"] == pytest.approx(sum(row["contribution"] for row in leaf["rows"]))
        assert len(leaf["factors"]) == 3
        assert all(f["source"] and f["status"] == "secondary" and f["clause"] for f in leaf["factors"])
        assert leaf["rows_total"] == len(leaf["rows"])
    diesel = next(leaf for leaf in leaves(node) if leaf["dimensions"]["carrier"] == "diesel")
    assert "155 t × 42.652 GJ/t × 20.2 tC/TJ × 0.98 = 130.87" in diesel["equations"][0]["substituted"]
    assert diesel["substituted"].endswith("= 479.8659938 tCO2")
    assert set(node["next"]["place"]) >= {"330481", "330483"}


def test_fallback_stands_beside_the_factor() -> None:
    node = explain("emission.co2", table(ROWS), place="330481", period="2024", method="cn.electricity")
    [factor] = node["factors"]
    assert factor["value"] == 0.4974 and factor["status"] == "official"
    assert {fallback["reason"] for fallback in factor["fallback"]} == {"place", "period"}
    assert node["substituted"] == "1,000 MWh × 0.4974 tCO2/MWh = 497.4 tCO2"


def test_questions_with_several_answers_are_told_apart() -> None:
    with pytest.raises(Ambiguous) as ambiguous:
        explain("emission.co2", table(ROWS), place="330481", period="2023")
    assert ambiguous.value.choices == {"method": ["cn.combustion", "cn.electricity"]}
    consumed = table("place,carrier,item,period,value,unit\n330481,diesel,energy.consumption,2023,1,t\n")
    with pytest.raises(Ambiguous) as ambiguous:
        explain("energy.tce", consumed, place="330481", period="2023")
    assert set(ambiguous.value.choices["basis"]) == {"calorific", "equivalent"}
    assert explain("energy.tce", consumed, place="330481", period="2023", basis="calorific")["value"] == 1.4571


def test_a_tree_takes_what_lies_wholly_inside_and_names_what_it_would_split() -> None:
    rows = table(ROWS)
    area = explain("emission.co2", rows, place="330400-jk", period="2023", method="cn.combustion", tree="management")
    assert [row["value"] for leaf in leaves(area) for row in leaf["rows"]] == [5.0]
    assert area["not_attributable"] == [{"place": "330402", "rows": 1}]
    county = explain("emission.co2", rows, place="330402", period="2023", method="cn.combustion")
    assert county["rows_total"] == 2 and county["not_attributable"] == []


def test_observed_items_open_to_their_rows() -> None:
    node = explain("energy.purchased", table(ROWS), place="330481", period="2023")
    assert (node["value"], node["unit"], node["method"], node["rows_total"]) == (1000.0, "MWh", None, 1)


def test_nothing_found_is_refused() -> None:
    for question in ({"place": "330481", "period": "1999"}, {"place": "Atlantis", "period": "2023"}):
        with pytest.raises(Refused) as refused:
            explain("emission.co2", table(ROWS), **question)
        assert refused.value.problems[0].rule == "engine.nothing-found"


def test_rows_of_a_hidden_custody_are_counted_not_shown() -> None:
    rows = table("place,carrier,item,period,value,unit,custody\n330481,diesel,energy.combustion,2023,1,t,public\n"
                 "330481,diesel,energy.combustion,2023,2,t,statistical\n")  # fmt: skip
    node = opened("emission.co2", rows, place="330481", period="2023", custody=["public"])
    assert node["withheld"] == 1 and [row["value"] for row in node["rows"]] == [1.0]
    assert node["value"] == pytest.approx(3 * 3.0959, rel=1e-4)


def test_a_missing_factor_opens_as_missing() -> None:
    rows = table("place,carrier,item,period,value,unit\n330481,coal_gangue,energy.combustion,2023,2,t\n")
    node = explain("emission.co2", rows, place="330481", period="2023")
    assert node["value"] is None and not node["complete"]
    assert all(factor["missing"] for factor in node["factors"])
    assert "?" in node["substituted"]


def test_a_method_from_a_file_is_explained(trial: Path, factor_file: Path) -> None:
    rows = table("place,carrier,item,period,value,unit\n330481,diesel,test.quantity,2023,3,t\n")
    node = explain("emission.co2", rows, place="330481", period="2023", method=trial, factors=factor_file)
    assert node["substituted"] == "3 t × 2 tCO2/t = 6 tCO2"
    assert (node["low"], node["high"]) == (pytest.approx(5.4), pytest.approx(6.6))


def test_rows_that_are_not_listed_are_summed_so_that_the_figure_closes() -> None:
    lines = [f"330481,,diesel,energy.combustion,2023,{n + 1},t,F{n}\n" for n in range(140)]
    rows = table("place,sector,carrier,item,period,value,unit,entity\n" + "".join(lines))
    node = explain("emission.co2", rows, place="330481", period="2023", method="cn.combustion")
    assert len(node["rows"]) == 100 and node["rest"]["rows"] == 40
    assert sum(row["value"] for row in node["rows"]) + node["rest"]["value"] == node["inputs"][0]["value"]
    listed = sum(row["contribution"] for row in node["rows"])
    assert listed + node["rest"]["contribution"] == pytest.approx(node["value"], rel=1e-12)
    assert node["rest"]["value"] == sum(range(1, 41))
    seen = explain("energy.combustion", rows, place="330481", period="2023")
    assert seen["rest"] == {"rows": 40, "value": 820, "contribution": None}
    few = explain("emission.co2", rows.head(100), place="330481", period="2023", method="cn.combustion")
    assert few["rest"] is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["330481", "330483"]),
            st.sampled_from(["diesel", "coke", "natural_gas"]),
            st.integers(2021, 2024),
            st.floats(0.1, 1e5),
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[:3],
    )
)
def test_totals_equal_their_cells(rows: list[tuple[str, str, int, float]]) -> None:
    frame = pl.DataFrame(
        [(p, c, "energy.combustion", str(y), v, "wan_m3" if c == "natural_gas" else "t") for p, c, y, v in rows],
        schema=["place", "carrier", "item", "period", "value", "unit"],
        orient="row",
    )
    node = explain("emission.co2", frame, place="330400", period="2021/2024", method="cn.combustion")
    assert node["value"] == pytest.approx(sum(leaf["value"] for leaf in leaves(node)))
    assert sum(leaf["rows_total"] for leaf in leaves(node)) == len(rows)
