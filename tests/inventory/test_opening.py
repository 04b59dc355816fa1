"""Every figure opens: an account into its parts, a part into its equation, factors and rows."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from dualcarbon import inventory
from dualcarbon.core.problems import Refused
from tests.inventory.conftest import entities, observed

HEAT = yaml.safe_load((Path(__file__).parent.parent / "cases" / "inventory" / "heat.yaml").read_text("utf-8"))
CHANGE = yaml.safe_load((Path(__file__).parent.parent / "cases" / "inventory" / "change.yaml").read_text("utf-8"))


def leaves(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [leaf for child in node["children"] for leaf in leaves(child)] if node["children"] else [node]


def test_an_account_opens_into_parts_that_sum_to_it() -> None:
    rows = observed(HEAT["observations"])
    node = inventory.explain(rows, place="330483", period="2023", basis="B")
    assert node["value"] == pytest.approx(669.224699)
    counted = [child["value"] or 0.0 for child in node["children"] if not child["memo"]]
    assert sum(counted) == pytest.approx(node["value"])
    assert node["equation"] == "fuel - heat_export"
    assert node["substituted"] == "1,219.22 - 550.00 = 669.22 tCO2"
    export = next(child for child in node["children"] if child["name"] == "heat_export")
    opened = inventory.explain(rows, **export["explain"])
    assert opened["value"] == pytest.approx(-550)
    (below,) = opened["children"]
    assert below["substituted"] == "5,000 GJ × 0.11 tCO2/GJ = 550 tCO2"
    assert [row["entity"] for row in below["rows"]] == ["mill"]


def test_every_row_of_an_account_opens_to_its_own_value() -> None:
    rows = observed(HEAT["observations"])
    for by in (("place",), ("sector",), ("carrier",), ("domain",), ("part",), ("section", "scope"), ("month",)):
        for basis in ("A", "B"):
            found = inventory.account(rows, place="330400", period="2023", basis=basis, by=by)
            for row in found["rows"]:
                assert inventory.explain(rows, **row["explain"])["value"] == pytest.approx(row["value"]), (by, row)


def test_rows_of_a_workspace_open_to_their_own_value_whatever_was_asked_before(made: Any) -> None:
    store = made(HEAT["observations"], HEAT["entities"])
    for by in (("place",), ("sector",), ("part",)):
        found = inventory.account(store, place="330400", period="2023", basis="B", by=by)
        for row in found["rows"]:
            assert inventory.explain(store, **row["explain"])["value"] == pytest.approx(row["value"])
    whole = inventory.explain(store, place="330400", period="2023", basis="B")
    assert whole["value"] == pytest.approx(found["value"])


def test_a_part_opens_to_its_equation_factors_and_rows() -> None:
    rows = observed(CHANGE["observations"])
    node = inventory.explain(rows, place="330400", period="2023", basis="B", part="electricity", sector="C17")
    assert node["substituted"] == "1,200 MWh × 0.4974 tCO2/MWh = 596.88 tCO2"
    assert node["factors"][0]["source"] == "mee-power-2023"
    assert [row["value"] for row in node["rows"]] == [1200]


def test_an_entity_opens_and_an_unset_account_says_what_is_wanted() -> None:
    rows = observed(HEAT["observations"])
    who = entities(HEAT["entities"])
    node = inventory.explain(rows, place="chp", period="2023", basis="B", entities=who)
    assert node["value"] == pytest.approx(339.224699)
    unset = inventory.explain(rows, place="330400", period="2023", basis="C")
    assert unset["value"] is None and unset["notation"]["zh"] == "未设定"
    assert len(unset["missing"]) == 5


def test_custody_stops_the_rows_and_says_so() -> None:
    rows = observed(CHANGE["observations"]).with_columns(custody=pl.lit("statistical"))
    asked: dict[str, Any] = {"place": "330400", "period": "2023", "basis": "B", "part": "electricity"}
    node = inventory.explain(rows, custody=["public"], **asked)
    assert node["rows"] == [] and node["withheld"] == 2 and node["value"] == pytest.approx(795.84)


def test_nothing_there_is_refused() -> None:
    with pytest.raises(Refused):
        inventory.explain(observed(CHANGE["observations"]), "energy.heat_loss", place="330400", period="2023")
