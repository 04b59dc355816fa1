"""Pull points, key categories, uncertainty, movers, series, areas, completeness, energy."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon import inventory
from dualcarbon.core.problems import Refused
from dualcarbon.inventory.analysis import key_rows, key_rows_with_uncertainty, pull_points
from tests.inventory.conftest import entities, observed

# Tonnes to the gram: what rounds to nothing is nothing.
amounts = st.one_of(st.none(), st.floats(-1e6, 1e9, allow_nan=False).map(lambda tonnes: round(tonnes, 6)))


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=8))
def test_pull_points_sum_to_the_growth(pairs: list[tuple[float | None, float | None]]) -> None:
    schema = {"value": pl.Float64, "previous": pl.Float64}
    made = pull_points(pl.DataFrame(pairs, schema=schema, orient="row"))
    before = sum(old or 0.0 for _, old in pairs)
    if before == 0:
        assert made["pull_points"].null_count() == made.height
    else:
        growth = 100 * (sum(new or 0.0 for new, _ in pairs) - before) / before
        assert made["pull_points"].sum() == pytest.approx(growth, rel=1e-6, abs=1e-6 * (1 + abs(1e11 / before)))


def test_key_categories_hold_ninety_five_per_cent_of_the_level() -> None:
    """70, 20, 6, 3, 1: the first three reach 96 %, the third is the one that passes 95 %."""
    frame = pl.DataFrame({"name": list("abcde"), "value": [20.0, 70.0, 3.0, 6.0, 1.0]})
    ranked = key_rows(frame)
    assert ranked["name"].to_list() == list("badce")
    assert ranked["cumulative"].to_list() == pytest.approx([0.7, 0.9, 0.96, 0.99, 1.0])
    assert ranked["key"].to_list() == [True, True, True, False, False]


def test_with_uncertainty_a_small_unsure_category_comes_first() -> None:
    frame = pl.DataFrame({"name": list("abc"), "value": [90.0, 10.0, 5.0], "half": [0.9, 5.0, None]})
    ranked = key_rows_with_uncertainty(frame)
    assert ranked["name"].to_list() == ["b", "a", "c"]
    assert ranked["contribution"].to_list()[:2] == pytest.approx([5 / 5.9, 0.9 / 5.9])
    assert ranked["key"].to_list() == [True, True, False]


CITY = """
place,entity,sector,carrier,item,period,value,unit
330481-rest,a,C17,electricity,energy.purchased,2022-05,1000,MWh
330481-rest,a,C17,electricity,energy.purchased,2023-05,1300,MWh
330483-rest,b,C28,electricity,energy.purchased,2022-05,500,MWh
330483-rest,b,C28,electricity,energy.purchased,2023-05,400,MWh
330483-rest,c,C28,diesel,energy.combustion,2023-05,10,t
"""


def bounded(tmp_path: Path) -> Path:
    """Factors of ±10 % for electricity of the province and of one county."""
    path = tmp_path / "factors.csv"
    path.write_text(
        "parameter,place,value,unit,low,high,valid_from,valid_to,status\n"
        "power.co2,330400,0.5,tCO2/MWh,0.45,0.55,2023,2023,unverified\n"
        "power.co2,330402,0.5,tCO2/MWh,0.45,0.55,2023,2023,unverified\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(("other", "percent"), [("330483-rest", 10.0), ("330402-rest", 7.0710678)])
def test_areas_that_share_a_factor_err_together(other: str, percent: float, tmp_path: Path) -> None:
    rows = observed(f"""
        place,sector,carrier,item,period,value,unit
        330481-rest,C17,electricity,energy.purchased,2023-05,1000,MWh
        {other},C28,electricity,energy.purchased,2023-05,1000,MWh
    """)
    chosen: dict[str, Any] = {"place": "330400", "period": "2023", "basis": "B", "factors": bounded(tmp_path)}
    told = inventory.uncertainty(rows, by=("sector",), **chosen)
    assert told["uncertainty_percent"] == pytest.approx(percent)
    assert [row["uncertainty_percent"] for row in told["rows"]] == pytest.approx([10.0, 10.0])
    assert told["shared"] == pytest.approx(0.005 if percent == 10 else 0.0, abs=1e-12)


def test_key_categories_and_movers_of_an_account() -> None:
    asked: dict[str, Any] = {"place": "330400", "period": "2023", "basis": "B"}
    ranked = inventory.key_categories(observed(CITY), **asked)
    assert [(row["rank"], row["sector"], row["carrier"], row["key"]) for row in ranked] == [
        (1, "C17", "electricity", True), (2, "C28", "electricity", True), (3, "C28", "diesel", False),
    ]  # fmt: skip
    by_sector = inventory.movers(observed(CITY), **asked)
    assert [row["sector"] for row in by_sector] == ["C17", "C28"]
    who = entities([{"code": "a", "place": "330481-rest", "sector": "C17"}])
    moved = inventory.movers(observed(CITY), grain="entity", entities=who, **asked)
    assert [row["entity"] for row in moved] == ["a", "b", "c"]
    growth = inventory.account(observed(CITY), **asked)["change_percent"]
    assert sum(row["pull_points"] for row in moved) == pytest.approx(growth)
    assert moved[0]["change"] == pytest.approx(1300 * 0.4974 - 1000 * 0.5153)


def test_a_heat_export_moves_its_supplier() -> None:
    rows = observed("""
        place,entity,sector,carrier,item,counterparty,counterparty_place,period,value,unit
        330481-rest,mill,C17,heat,energy.purchased,chp,330483-rest,2023-05,1000,GJ
    """)
    moved = inventory.movers(rows, grain="entity", place="330483", period="2023", basis="B")
    assert [(row["entity"], row["value"]) for row in moved] == [("chp", pytest.approx(-110))]


def test_series_and_areas_are_slices_of_the_account() -> None:
    rows = observed(CITY)
    months = inventory.series(rows, place="330400", periods="2022-01/2023-12", basis="B")
    assert [row["month"] for row in months] == ["2022-05", "2023-05"]
    years = inventory.series(rows, place="330400", periods="2022/2023", step="year", basis="B", by=("sector",))
    totals = {row["year"] + row["sector"]: row["value"] for row in years}
    assert totals["2022C17"] == pytest.approx(515.3)
    assert sum(v for k, v in totals.items() if k.startswith("2023")) == pytest.approx(
        inventory.account(rows, period="2023", basis="B")["value"]
    )
    areas = {row["place"]: row for row in inventory.areas(rows, period="2023", basis="B")}
    assert areas["330481"]["change_percent"] == pytest.approx(100 * (1300 * 0.4974 / 515.3 - 1))
    assert areas["330402"]["value"] is None


def test_intensity_only_where_gdp_of_just_that_area_and_period_is_known() -> None:
    rows = observed("""
        dataset,place,sector,carrier,item,period,value,unit
        city,330481-rest,C17,electricity,energy.purchased,2023,1000,MWh
        city,330483-rest,C17,electricity,energy.purchased,2023,1000,MWh
        gdp,330481,,,economy.gdp,2023,10,yi_CNY
        city,330483-rest,,,economy.gdp,2023-Q1,100,wan_CNY
    """)
    found = {row["place"]: row for row in inventory.areas(rows, period="2023", basis="B")}
    assert found["330481"]["intensity"] == pytest.approx(497.4 / 100_000)
    assert found["330483"]["intensity"] is None


def test_a_places_own_denominator_is_never_added_to_those_of_its_parts() -> None:
    rows = observed("""
        dataset,place,sector,carrier,item,period,value,unit
        city,330481-rest,C17,electricity,energy.purchased,2023,1000,MWh
        book,330400,,,economy.gdp,2023,99,yi_CNY
        book,330481,,,economy.gdp,2023-Q1,4,yi_CNY
        book,330481,,,economy.gdp,2023-04/2023-12,6,yi_CNY
        book,330481-rest,,,economy.gdp,2023-Q1,3,yi_CNY
        book,330481-rest,,,economy.gdp,2023-04/2023-12,5,yi_CNY
        book,330400,,,population.resident,2023-12-31,500,person
        book,330481,,,population.resident,2023-12-31,100,person
    """)
    found = {row["place"]: row for row in inventory.areas(rows, period="2023", basis="B")}
    assert found["330481"]["gdp"] == pytest.approx(100_000)
    asked = [
        ("economy.gdp", "330400", "2023", 990_000),
        ("economy.gdp", "330481", "2023", 100_000),
        ("population.resident", "330400", "2023-12-31", 500),
        ("population.resident", "330481", "2023-12-31", 100),
    ]
    for item, place, period, value in asked:
        node = inventory.explain(rows, item, place=place, period=period)
        assert node["value"] == value and {row["place"] for row in node["rows"]} == {place}


COUNTIES = ("330402", "330411", "330421", "330424", "330481", "330482", "330483")


@pytest.mark.parametrize(
    ("item", "dataset", "city", "parts", "period", "value", "short"),
    [
        # A quarter of the city's own beside years of all its counties, and of some.
        ("gdp", "book", [(",2024-Q1", 90)], {one: [(",2024", 10)] for one in COUNTIES}, "2024", 70, []),
        ("gdp", "book", [(",2024-Q1", 90)], {"330481": [(",2024", 10)]}, "2024", 90, ["2024"]),
        ("gdp", "other", [(",2024-Q1", 90)], {"330481": [(",2024-Q1", 20)]}, "2024-Q1", 90, []),
        # Years that do not overlap add up; of some counties alone the year is not complete.
        ("gdp", "book", [(",2022", 90)], {one: [(",2023", 10)] for one in COUNTIES}, "2022/2023", 160, []),
        ("gdp", "book", [(",2022", 90)], {one: [(",2023", 50)] for one in COUNTIES[:2]}, "2022/2023", 190, ["2023"]),
        # Sectors beside totals, of either side; sectors that only the parts have, and that neither side has all of.
        ("value_added", "book", [(f"{one},2024", 2) for one in ("I1", "I2", "I3")], {"330481": [(",2024", 4)]},
         "2024", 6, []),
        ("value_added", "other", [(",2024", 9)], {"330481": [("I1,2024", 1), ("I2,2024", 3)]}, "2024", 9, []),
        ("value_added", "book", [("I2,2024", 3)], {one: [("I1,2024", 1), ("I2,2024", 1)] for one in COUNTIES},
         "2024", 14, []),
        ("value_added", "other", [("I2,2024", 3)], {"330481": [("I1,2024", 1)]}, "2024", 3, ["2024"]),
    ],
)  # fmt: skip
def test_a_places_own_figures_stand_for_the_time_and_sectors_that_they_cover(
    item: str, dataset: str, city: Any, parts: Any, period: str, value: float, short: list[str]
) -> None:
    sides = [("book", "330400", city), *((dataset, place, given) for place, given in parts.items())]
    rows = [f"{name},{place},economy.{item},yi_CNY,{of},{key}" for name, place, given in sides for key, of in given]
    data = observed("\n".join(["dataset,place,item,unit,value,sector,period", *rows]))
    node = inventory.explain(data, f"economy.{item}", place="330400", period=period)
    assert node["value"] == pytest.approx(value * 10_000)
    assert [one["period"] for one in node["missing"]] == short and node["complete"] == (not short)


def test_completeness_tells_reported_estimated_noted_and_missing() -> None:
    rows = observed("""
        place,sector,carrier,item,period,value,unit,notation,quality
        330481-rest,C17,electricity,energy.purchased,2023-01/2023-02,10,MWh,,
        330481-rest,C17,electricity,energy.purchased,2023-03,10,MWh,,estimate
        330481-rest,C17,electricity,energy.purchased,2023-04,,MWh,NE,
    """)
    told = inventory.completeness(rows, period="2023-01/2023-05", basis="B")
    (row,) = [row for row in told["rows"] if row["place"] == "330481"]
    assert [cell["state"] for cell in row["cells"]] == ["reported", "reported", "estimated", "NE", "missing"]
    assert told["counts"] == {"NE": 1, "estimated": 1, "missing": 1, "none": 30, "reported": 2}
    sectors = inventory.completeness(rows, period="2023-01/2023-05", basis="B", rows="sector")
    assert [row["sector"] for row in sectors["rows"]] == ["C17"]


def test_energy_counts_a_fuel_and_the_power_made_of_it_once() -> None:
    """1,000 t of coal (0.7143) become 2,000 MWh (0.1229), used elsewhere in the city: 714.3 tce in calorific value."""
    rows = observed("""
        place,sector,carrier,item,process,period,value,unit
        330482-jxdc,D44,raw_coal,energy.consumption,,2023,1000,t
        330482-jxdc,D44,electricity,energy.transformation_output,power,2023,2000,MWh
        330481-rest,C17,electricity,energy.consumption,,2023,2000,MWh
    """)
    tce, power = inventory.energy(rows, place="330400", period="2023")
    values = {one["unit"]: one["value"] for one in tce["values"]}
    assert values == {"tce_calorific": pytest.approx(714.3), "tce_equivalent": pytest.approx(714.3)}
    assert power["values"][0]["value"] == pytest.approx(2000)
    for one in (*tce["values"], *power["values"]):
        opened = inventory.explain(rows, **one["explain"])
        assert opened["value"] == pytest.approx(one["value"])


def test_enterprises_that_moved_and_all_others_sum_to_the_change() -> None:
    rows = observed(
        "place,entity,sector,carrier,item,period,value,unit\n"
        "330481,big,C17,diesel,energy.combustion,2022,100,t\n330481,big,C17,diesel,energy.combustion,2023,150,t\n"
        "330481,small,C28,diesel,energy.combustion,2022,40,t\n330481,small,C28,diesel,energy.combustion,2023,30,t\n"
        "330481,guess,C17,diesel,energy.combustion,2022,10,t\n330481,guess,C17,diesel,energy.combustion,2023,70,t\n"
        "330481,,HH-U,diesel,energy.combustion,2022,50,t\n330481,,HH-U,diesel,energy.combustion,2023,45,t\n"
    )
    who = entities(
        [
            {"code": "big", "name": "大厂", "kind": "enterprise", "sector": "C17"},
            {"code": "guess", "name": "规下推算", "kind": "below-scale", "sector": "C17"},
        ]
    )
    asked: dict[str, Any] = {"place": "330481", "period": "2023", "basis": "A", "entities": who}
    found = inventory.top_movers(rows, **asked)
    assert [row["name"]["zh"] for row in found["rows"]] == ["大厂", "small"] and found["enterprises"] == 2
    assert found["rows"][0]["pull_points"] == pytest.approx(100 * 50 / 200)
    moved = sum(row["change"] for row in found["rows"]) + found["rest"]["change"]
    assert moved == pytest.approx(found["change"]) == pytest.approx(95 * found["value"] / 295)
    assert found["rest"]["pull_points"] + sum(r["pull_points"] for r in found["rows"]) == pytest.approx(47.5)
    for row in found["rows"]:
        assert inventory.explain(rows, **row["explain"], entities=who)["value"] == pytest.approx(row["value"])
    textile = inventory.top_movers(rows, sector="纺织业", **asked)
    assert textile["sector"] == "C17" and [row["entity"] for row in textile["rows"]] == ["big"]
    assert textile["change_percent"] == pytest.approx(100)
    with pytest.raises(Refused):
        inventory.top_movers(rows, sector="no such sector", **asked)
