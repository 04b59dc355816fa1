"""What an account cannot hold is said: keys without a figure, periods that cross, whose a row is, last year's zero."""

from collections.abc import Callable
from typing import Any

import pytest

from dualcarbon import inventory
from dualcarbon.core.workspace import Workspace

HEAD = "place,entity,sector,carrier,item,counterparty,period,value,unit,notation,included_in\n"
BOUGHT = "330481,,C17,electricity,energy.purchased,,"
Made = Callable[..., Workspace]


def rows(*lines: str) -> str:
    """Lines of a file, filled up with blanks to the width of its head."""
    return HEAD + "\n".join(line + "," * (10 - line.count(",")) for line in lines) + "\n"


def test_a_confidential_row_leaves_the_sum_open(made: Made) -> None:
    data = made(rows(f"{BOUGHT}2024,100,MWh", "330483,,C17,electricity,energy.purchased,,2024,,MWh,C"))
    found = inventory.account(data, period="2024", by=("place",))
    assert not found["complete"]
    [one] = found["missing"]
    assert (one["place"], one["notation"], one["reason_text"]) == ("330483", "C", {"zh": "保密", "en": "confidential"})
    assert {row["place"]: row["complete"] for row in found["rows"]} == {"330481": True, "330483": False}
    alone = inventory.account(data, place="330483", period="2024")
    assert alone["value"] is None and not alone["complete"]
    assert alone["notation"] == {"zh": "保密", "en": "confidential"}


def test_what_is_included_elsewhere_says_where(made: Made) -> None:
    data = made(rows("330481,,C17,electricity,energy.purchased,,2024,,MWh,IE,330483"))
    found = inventory.account(data, place="330481", period="2024")
    assert found["complete"] and found["missing"] == []
    assert found["notation"]["zh"].startswith("已计入") and "330483" not in found["notation"]["zh"]
    assert found["notation"]["en"].startswith("included in ")


def test_nothing_occurring_and_no_data_are_told_as_before(made: Made) -> None:
    data = made(rows("330481,,C17,electricity,energy.purchased,,2024,,MWh,NO"))
    assert inventory.account(data, place="330481", period="2024")["notation"]["en"] == "not occurring"
    assert inventory.account(data, place="330483", period="2024")["notation"]["en"] == "no data"


def electricity(data: Workspace, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = inventory.energy(data, **asked)[1]["values"][0]
    return found


USED = "C17,electricity,energy.consumption,"


def test_electricity_used_that_was_not_estimated_or_crosses_is_not_complete(made: Made) -> None:
    data = made(rows(f"330481,,{USED},2024-01,100,MWh", f"330483,,{USED},2024-01,,MWh,NE"))
    found = electricity(data, period="2024-01")
    assert (found["value"], found["complete"]) == (100, False)
    data = made(rows(f"330481,,{USED},2024-01,100,MWh", f"330482,,{USED},2024,9999,MWh"), name="crossing")
    assert not electricity(data, period="2024-01")["complete"]
    assert electricity(data, period="2024-01", place="330481")["complete"]


def test_electricity_of_an_enterprise_is_its_own(made: Made) -> None:
    data = made(rows(f"330481,E1,{USED},2024,100,MWh", f"330481,E2,{USED}E1,2024,900,MWh"),
                [{"code": "E1", "place": "330481"}, {"code": "E2", "place": "330481"}])  # fmt: skip
    assert electricity(data, place="E1", period="2024")["value"] == 100
    assert electricity(data, place="E2", period="2024")["value"] == 900
    assert electricity(data, place="330481", period="2024")["value"] == 1000


def test_no_product_gives_no_intensity(made: Made) -> None:
    data = made(rows(f"{BOUGHT}2024,100,MWh", "330481,,,,economy.gdp,,2024,0,万元"))
    found = {row["place"]: row for row in inventory.areas(data, period="2024")}
    assert found["330481"]["gdp"] == 0 and found["330481"]["intensity"] is None
    assert found["330481"]["intensity_status"] is None


def test_nothing_the_year_before_gives_no_percentage(made: Made, verb: Any) -> None:
    data = made(rows(f"{BOUGHT}2023,0,MWh", f"{BOUGHT}2024,100,MWh"))
    told = verb("account", "--period", "2024", "--basis", "B", "--workspace", data.path)
    assert told.code == 0
    assert "比上年同期 2023  +49.74 吨\n" in told.out


def test_the_days_of_february_are_compared_with_the_same_days(made: Made) -> None:
    days = ("2023-02-27", "2023-02-28", "2023-03-01", "2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01")
    data = made(rows(*(f"{BOUGHT}{day},1,MWh" for day in days)))
    one = inventory.account(data, place="330481", period="2024-02-28")
    assert one["previous"]["period"] == "2023-02-28" and one["change"] == pytest.approx(0)
    two = inventory.account(data, place="330481", period="2024-02-27/2024-02-28")
    assert two["previous"]["period"] == "2023-02-27/2023-02-28" and two["change"] == pytest.approx(0)
    assert inventory.account(data, place="330481", period="2024-02")["previous"]["period"] == "2023-02"
    assert inventory.account(data, place="330481", period="2024-03-01")["previous"]["period"] == "2023-03-01"
    leap = inventory.account(data, place="330481", period="2024-02-29")
    assert leap["previous"]["period"] == "2023-02-28"


def test_categories_of_nothing_have_no_level(made: Made) -> None:
    found = inventory.key_categories(made(rows(f"{BOUGHT}2024,0,MWh")), period="2024")
    assert [(row["level"], row["cumulative"], row["key"]) for row in found] == [(None, None, False)]
