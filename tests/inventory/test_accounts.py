"""Three accounts, never mixed: cases worked by hand, and what holds for any city."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcarbon import inventory
from dualcarbon.core.problems import Refused
from tests.inventory.conftest import entities, observed

CASES = Path(__file__).parent.parent / "cases" / "inventory"
ASKS = [
    pytest.param(case, ask, id=f"{path.stem}-{number}")
    for path in sorted(CASES.glob("*.yaml"))
    for case in [yaml.safe_load(path.read_text("utf-8"))]
    for number, ask in enumerate(case["asks"])
]


CHANGE = yaml.safe_load((Path(__file__).parent.parent / "cases" / "inventory" / "change.yaml").read_text("utf-8"))


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize(("case", "ask"), ASKS)
def test_a_case_worked_by_hand(case: dict[str, Any], ask: dict[str, Any], tmp_path: Path) -> None:
    more: dict[str, Any] = {}
    if "entities" in case:
        more["entities"] = entities(case["entities"])
    if "factors" in case and ask.get("with_factors", True):
        more["factors"] = tmp_path / "factors.csv"
        more["factors"].write_text(case["factors"], encoding="utf-8")
    by = tuple(ask.get("by", ()))
    found = inventory.account(
        observed(case["observations"]), place=ask["place"], period=str(ask.get("period", "2023")),
        tree=ask.get("tree", "admin"), basis=ask["basis"], by=by, **more,
    )  # fmt: skip
    assert found["value"] == near(ask["value"])
    assert found["basis"] == ask.get("is", ask["basis"])
    parts = {part["name"]: part["value"] for part in found["parts"]}
    for name, value in ask.get("parts", {}).items():
        assert parts[name] == near(value), name
    if "rows" in ask:
        assert {row[by[0]]: row["value"] for row in found["rows"]} == {k: near(v) for k, v in ask["rows"].items()}
    for name in ("pull", "share"):
        key = {"pull": "pull_points"}.get(name, name)
        for dimension, value in ask.get(name, {}).items():
            assert {row[by[0]]: row[key] for row in found["rows"]}[dimension] == near(value)
    if "complete" in ask:
        assert found["complete"] is ask["complete"]
    if "missing" in ask:
        told = [[one["reason"], one["place"], one["quantity"]] for one in found["missing"]]
        assert sorted(told, key=str) == sorted(ask["missing"], key=str)
    if "previous" in ask:
        assert found["previous"]["value"] == near(ask["previous"])
        assert found["change_percent"] == near(ask["change_percent"])
    if "notation" in ask:
        assert found["notation"]["zh"] == ask["notation"]
        assert len(found.get("unset", [])) == ask.get("unset", 0)
    consistent(found)


def consistent(found: dict[str, Any]) -> None:
    """What every account keeps: parts sum to the value, rows too, pull points to the growth."""
    if found["value"] is None:
        return
    parts = [part["value"] for part in found["parts"] if not part["memo"] and part["value"] is not None]
    assert sum(parts) == pytest.approx(found["value"])
    if found["by"]:
        assert sum(row["value"] or 0.0 for row in found["rows"]) == pytest.approx(found["value"])
        if found["change_percent"] is not None:
            assert sum(row["pull_points"] or 0.0 for row in found["rows"]) == pytest.approx(found["change_percent"])
    assert all(part["explain"]["basis"] == found["basis"] for part in found["parts"])


PLANT = """
place,entity,sector,carrier,item,process,period,value,unit
330482-jxdc,coal-plant,D44,bituminous_coal,energy.combustion,power,2023-06,9000000,t
330482-jxdc,coal-plant,D44,electricity,energy.generation,coal,2023-06,26000000,MWh
"""
QINSHAN = """
place,entity,sector,carrier,item,process,period,value,unit
330424-qinshan,qinshan,D44,electricity,energy.generation,nuclear,2023-06,52000000,MWh
"""
LEAVES = ["330402-rest", "330402-chengnan", "330411-rest", "330411-jiabei", "330481-rest", "330482-rest",
          "330482-gangqu", "330483-rest"]  # fmt: skip


@st.composite
def cities(draw: st.DrawFn) -> pl.DataFrame:
    """A few firms that burn, buy power and buy and sell heat anywhere in the city, and outside."""
    rows = []
    for number in range(draw(st.integers(1, 6))):
        row: dict[str, Any] = {
            "place": draw(st.sampled_from(LEAVES)),
            "entity": f"E{number}",
            "period": draw(st.sampled_from(["2023-01", "2023-07", "2022-07"])),
            "value": draw(st.integers(1, 10_000)),
        }
        kind = draw(st.sampled_from(["coal", "power", "heat", "electricity"]))
        if kind == "electricity":
            row |= {"sector": "C28", "carrier": "electricity", "item": "energy.purchased", "unit": "MWh"}
        elif kind == "heat":
            row |= {"sector": "C17", "carrier": "heat", "item": "energy.purchased", "unit": "GJ"}
            row["counterparty_place"] = draw(st.sampled_from([*LEAVES, "310000", "330481"]))
        else:
            row |= {"sector": "D44", "carrier": "bituminous_coal", "item": "energy.combustion", "unit": "t"}
            row["process"] = "power" if kind == "power" else None
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("value").cast(pl.Float64))


def total(frame: pl.DataFrame, basis: str, **asked: Any) -> float:
    return (
        inventory.account(frame, place=asked.pop("place", "330400"), period="2023", basis=basis, by=(), **asked)[
            "value"
        ]
        or 0.0
    )


@settings(max_examples=6, deadline=None)
@given(cities())
def test_areas_sum_to_the_city_in_both_trees(city: pl.DataFrame) -> None:
    whole = total(city, "B")
    for tree in ("admin", "management"):
        rows = inventory.areas(city, period="2023", tree=tree, basis="B")
        assert sum(row["value"] or 0.0 for row in rows) == pytest.approx(whole, abs=1e-6)
        area = next((row for row in rows if row["value"] is not None and row["place"]), None)
        if area is not None:
            assert total(city, "B", place=area["place"], tree=tree) == pytest.approx(area["value"], abs=1e-6)


@settings(max_examples=4, deadline=None)
@given(cities())
def test_a_coal_plant_raises_a_by_its_fuel_and_leaves_b_and_qinshan_changes_neither(city: pl.DataFrame) -> None:
    with_plant = pl.concat([city, observed(PLANT)], how="diagonal_relaxed")
    with_both = pl.concat([with_plant, observed(QINSHAN)], how="diagonal_relaxed")
    fuel = 9_000_000 * 19.57 * 26.1 / 1000 * 0.93 * 44 / 12
    assert total(with_plant, "A") == pytest.approx(total(city, "A") + fuel)
    assert total(with_plant, "B") == pytest.approx(total(city, "B"), abs=1e-6)
    assert total(with_both, "A") == total(with_plant, "A")
    assert total(with_both, "B") == total(with_plant, "B")


def test_process_emission_stands_apart_and_other_gases_are_not_estimated() -> None:
    rows = observed("""
        place,sector,carrier,item,period,value,unit
        330481-rest,C30,limestone,material.carbonate,2023,100,t
        330481-rest,C30,diesel,energy.combustion,2023,100,t
    """)
    found = inventory.account(rows, place="330400", period="2023", basis="B")
    assert found["value"] == pytest.approx(309.59, rel=1e-4)
    process, gases = found["apart"]
    assert process["value"] == pytest.approx(44.0)
    assert gases["value"] is None and gases["notation"] == "NE"


def test_control_totals_are_compared_and_never_added() -> None:
    rows = observed("""
        dataset,place,sector,carrier,item,period,value,unit
        returns,330481-rest,C17,electricity,energy.consumption,2023,900,MWh
        returns,330481-rest,C17,electricity,energy.purchased,2023,900,MWh
        yearbook,330400,,electricity,energy.consumption,2023,100,wan_kWh
        yearbook,330400,,electricity,energy.purchased,2023,1000,MWh
    """)
    kinds = [
        {"id": "yearbook", "role": "control", "status": "official"},
        {"id": "returns", "role": "account", "status": "secondary"},
    ]
    found = inventory.account(rows, place="330400", period="2023", basis="B", datasets=kinds)
    assert found["value"] == pytest.approx(900 * 0.4974)
    assert found["synthetic"] is False
    compared = {one["item"]: one for one in found["difference"]}
    assert compared["energy.purchased"]["difference"] == pytest.approx(100)
    assert compared["energy.purchased"]["difference_percent"] == pytest.approx(10)
    assert compared["energy.consumption"]["control"] == pytest.approx(1000)
    assert inventory.controls(rows, place="330400", period="2023", basis="B", datasets=kinds) == found["difference"]


def test_fallbacks_factors_and_freshness_are_told() -> None:
    rows = observed("""
        place,sector,carrier,item,period,value,unit,known_at
        330481-rest,C17,electricity,energy.purchased,2024-03,900,MWh,2024-04-20
    """)
    found = inventory.account(rows, place="330481", period="2024", basis="B")
    assert found["value"] == pytest.approx(900 * 0.4974)
    assert {one["reason"] for one in found["fallbacks"]} >= {"period"}
    (factor,) = found["factors"]
    assert factor["source"] == "mee-power-2023" and factor["status"] == "official"
    assert factor["emission"] == pytest.approx(found["value"])
    assert found["freshness"]["to"] == "2024-03" and str(found["freshness"]["known_at"]) == "2024-04-20"
    earlier = inventory.account(rows, place="330481", period="2024", basis="B", known_at="2024-04-01")
    assert earlier["value"] is None


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"place": "330999"}, "inventory.unknown-place"),
        ({"tree": "galaxy"}, "inventory.unknown-place"),
        ({"place": "330400-jk", "tree": "admin"}, "inventory.unknown-place"),
        ({"basis": "D"}, "inventory.unknown-basis"),
        ({"by": ("colour",)}, "inventory.unknown-dimension"),
        ({"period": "2023-13"}, "inventory.bad-period"),
        ({"dataset": "nowhere"}, "inventory.unknown-dataset"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_refused(asked: dict[str, Any], rule: str) -> None:
    rows = observed(
        "place,sector,carrier,item,period,value,unit\n330481-rest,C17,electricity,energy.purchased,2023,1,MWh"
    )
    with pytest.raises(Refused) as refused:
        inventory.account(rows, **{"period": "2023", **asked})
    assert refused.value.problems[0].rule == rule


def test_a_workspace_gives_what_its_rows_give(made: Any) -> None:
    text = yaml.safe_load((CASES / "heat.yaml").read_text("utf-8"))
    store = made(text["observations"], text["entities"])
    for ask in text["asks"][:5]:
        found = inventory.account(store, place=ask["place"], period="2023", basis=ask["basis"], by=())
        assert found["value"] == near(ask["value"])
        assert found["status"] == "synthetic" and found["synthetic"]


def test_a_page_in_one_pass_shows_what_each_function_gives(made: Any) -> None:
    store = made(CHANGE["observations"])
    asked: dict[str, Any] = {"place": "330400", "period": "2023", "basis": "B"}
    months = "2022-01/2023-12"
    page = inventory.sheet(store, by=("sector",), months=months, rows={"by scope": ("domain", "scope")}, **asked)
    assert page["account"] == inventory.account(store, by=("sector",), **asked)
    assert page["months"] == inventory.series(store, place="330400", periods=months, basis="B")
    assert page["areas"] == inventory.areas(store, **asked)
    assert page["key"] == inventory.key_categories(store, **asked)
    assert page["uncertainty"] == inventory.uncertainty(store, **asked)
    assert page["rows"]["by scope"] == inventory.account(store, by=("domain", "scope"), **asked)["rows"]


@settings(max_examples=8, deadline=None)
@given(city=cities())
def test_what_is_kept_gives_what_a_fresh_calculation_gives(city: pl.DataFrame) -> None:
    """The kept cells of all places, cut to one, equal the engine over the rows of that place alone."""
    from dualcarbon.engine import calculate

    for place in ("330402", "330411", "330483"):
        found = inventory.account(city, place=place, period="2023", basis="A", by=("carrier",))
        own = city.filter(pl.col("place").str.starts_with(place) & (pl.col("period").str.starts_with("2023")))
        if own.height == 0 or found["value"] is None:
            continue
        fuel = {"not": ["biogas", "wood", "straw", "biomass_waste", "sludge"]}
        fresh = calculate("cn.combustion", own, where={"carrier": fuel}).combine(["carrier"])
        assert {row["carrier"]: row["value"] for row in found["rows"]} == {
            row["carrier"]: near(row["value"]) for row in fresh.iter_rows(named=True)
        }
