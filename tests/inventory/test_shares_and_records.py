"""Account C: each year has its own shares, and a plant with two records is counted once, as what it was then."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dualcarbon import inventory
from dualcarbon.core.workspace import Workspace

Made = Callable[..., Workspace]
HEAD = "place,entity,sector,carrier,item,process,period,value,unit\n"
COAL = "bituminous_coal,energy.combustion,power"
SHARES = """parameter,place,value,unit,valid_from,valid_to,source,status
assessment.dispatched_share,330000,0.5,1,2023,2023,x,unverified
assessment.dispatched_share,330000,0.3,1,2024,2024,x,unverified
assessment.local_share,330000,1,1,,,x,unverified
assessment.captive_share,330000,1,1,,,x,unverified
assessment.electricity_share,330000,1,1,,,x,unverified
assessment.nuclear_credit,330000,0,tCO2/MWh,,,x,unverified
"""
PLANT = {"code": "P1", "place": "330482", "sector": "D44", "dispatch": "统调"}


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "shares.csv"
    file.write_text(SHARES, encoding="utf-8")
    return {"basis": "C", "factors": file}


def burned(*lines: tuple[str, str]) -> str:
    return HEAD + "".join(f"{place},P1,D44,{COAL},{period},1000,t\n" for place, period in lines)


def whole(data: Workspace, period: str) -> float:
    value = inventory.account(data, basis="A", period=period)["value"]
    assert isinstance(value, float)
    return value


def test_each_year_has_its_own_shares(made: Made, asked: dict[str, Any]) -> None:
    data = made(burned(("330482", "2023"), ("330482", "2024")), [PLANT])
    coal = whole(data, "2023")
    before, now = (inventory.account(data, period=year, **asked) for year in ("2023", "2024"))
    assert (before["value"], now["value"]) == (pytest.approx(0.5 * coal), pytest.approx(0.3 * coal))
    assert now["previous"]["value"] == pytest.approx(before["value"])
    assert now["change_percent"] == pytest.approx(-40)
    both = inventory.account(data, period="2023/2024", **asked)
    assert both["value"] == pytest.approx(0.8 * coal)
    steps = inventory.series(data, periods="2023/2024", step="year", **asked)
    assert {row["period"]: row["value"] for row in steps} == {
        "2023": pytest.approx(0.5 * coal),
        "2024": pytest.approx(0.3 * coal),
    }
    assert inventory.explain(data, period="2023", **asked)["value"] == pytest.approx(0.5 * coal)


def test_months_take_the_shares_of_their_year(made: Made, asked: dict[str, Any]) -> None:
    months = [("330482", f"{year}-{month:02d}") for year in (2023, 2024) for month in range(1, 13)]
    data = made(burned(*months), [PLANT])
    coal = whole(data, "2023-01")
    found = inventory.series(data, periods="2023-12/2024-01", **asked)
    assert [row["value"] for row in found] == [pytest.approx(0.5 * coal), pytest.approx(0.3 * coal)]


def test_a_year_whose_shares_nobody_set_is_not_compared(made: Made, asked: dict[str, Any]) -> None:
    data = made(burned(("330482", "2022"), ("330482", "2023"), ("330482", "2024")), [PLANT])
    asked["factors"].write_text(SHARES, encoding="utf-8")
    assert inventory.account(data, period="2022", **asked)["notation"]["en"] == "not set"
    found = inventory.account(data, period="2023", **asked)
    assert found["value"] is not None and found["previous"]["value"] is None and found["change"] is None
    assert inventory.account(data, period="2022/2023", **asked)["notation"]["en"] == "not set"
    steps = inventory.series(data, periods="2022/2024", step="year", **asked)
    assert [row["period"] for row in steps] == ["2023", "2024"]


def test_a_plant_that_moved_is_counted_once(made: Made, asked: dict[str, Any]) -> None:
    known = [
        {**PLANT, "from": date(2020, 1, 1), "to": date(2023, 12, 31)},
        {**PLANT, "place": "330481", "from": date(2024, 1, 1)},
    ]
    data = made(burned(("330482", "2023"), ("330481", "2024")), known)
    coal = whole(data, "2023")
    assert inventory.account(data, period="2023", **asked)["value"] == pytest.approx(0.5 * coal)
    assert inventory.account(data, period="2024", **asked)["value"] == pytest.approx(0.3 * coal)
    node = inventory.explain(data, period="2023", part="fuel_dispatched", **asked)
    assert node["value"] == pytest.approx(0.5 * coal)
    assert inventory.account(data, place="P1", period="2024", basis="A")["value"] == pytest.approx(coal)


def test_a_plant_is_what_it_was_then(made: Made, asked: dict[str, Any]) -> None:
    known = [
        {**PLANT, "from": date(2020, 1, 1), "to": date(2023, 12, 31)},
        {**PLANT, "dispatch": "地方", "from": date(2024, 1, 1)},
    ]
    data = made(burned(("330482", "2023"), ("330482", "2024")), known)
    coal = whole(data, "2023")
    assert inventory.account(data, period="2023", **asked)["value"] == pytest.approx(0.5 * coal)
    assert inventory.account(data, period="2024", **asked)["value"] == pytest.approx(coal)
