"""What has not been reported is late, not zero: it is missing, and nothing is compared with it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dualcarbon import inventory
from dualcarbon.core.workspace import Workspace

HEAD = "place,entity,sector,carrier,item,period,value,unit,notation\n"
Made = Callable[..., Workspace]
YEAR = range(1, 13)


def months(place: str, year: int, which: Iterable[int] = YEAR, value: float = 100, entity: str = "") -> str:
    """Electricity bought by one sector of a county, month by month."""
    item = "energy.purchased"
    return "".join(f"{place},{entity},C17,electricity,{item},{year}-{n:02d},{value},MWh,\n" for n in which)


def late(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["place"], one["period"]) for one in found["missing"] if one["reason"] == "late"]


@pytest.fixture
def without_december(made: Made) -> Workspace:
    """Two counties, of which one has not reported its last month."""
    whole = months("330481", 2023) + months("330483", 2023) + months("330481", 2024)
    return made(HEAD + whole + months("330483", 2024, range(1, 12)))


@pytest.mark.parametrize("period", ["2024-12", "2024-Q4", "2024"])
def test_a_county_that_has_not_reported_is_missing_and_not_zero(without_december: Workspace, period: str) -> None:
    found = inventory.account(without_december, period=period, by=("place",))
    assert not found["complete"]
    assert late(found) == [("330483", "2024-12")]
    assert found["change"] is None and found["change_percent"] is None
    assert found["previous"]["complete"]
    rows = {row["place"]: row for row in found["rows"]}
    assert rows["330481"]["change"] == pytest.approx(0, abs=1e-9) and rows["330481"]["complete"]
    assert rows["330483"]["change"] is None and rows["330483"]["pull_points"] is None
    assert rows["330483"]["complete"] is False
    areas = {row["place"]: row for row in inventory.areas(without_december, period=period)}
    assert areas["330483"]["change_percent"] is None and areas["330483"]["complete"] is False
    assert [row["place"] for row in inventory.movers(without_december, grain="place", period=period)] == ["330481"]
    sectors = inventory.account(without_december, period=period)["rows"]
    assert [(row["change"], row["complete"]) for row in sectors] == [(None, False)]
    assert [part["change_percent"] for part in found["parts"] if part["name"] == "electricity"] == [None]


def test_a_month_that_all_reported_is_compared_as_before(without_december: Workspace) -> None:
    found = inventory.account(without_december, period="2024-11", by=("place",))
    assert found["complete"] and found["missing"] == [] and found["change_percent"] == pytest.approx(0)
    assert all(row["complete"] and row["pull_points"] == pytest.approx(0) for row in found["rows"])


def test_the_series_says_which_month_lacks_a_county(without_december: Workspace) -> None:
    found = inventory.series(without_december, periods="2023-01/2024-12")
    assert [row["period"] for row in found if not row["complete"]] == ["2024-12"]
    by_place = inventory.account(without_december, period="2024", by=("month", "place"))["rows"]
    assert [(row["month"], row["place"]) for row in by_place if not row["complete"]] == [("2024-12", "330483")]
    assert [(row["month"], row["place"]) for row in by_place if row["change"] is None] == [("2024-12", "330483")]


def test_enterprises_of_a_county_that_is_late_are_not_named_as_movers(made: Made) -> None:
    rows = months("330481", 2023, entity="E1") + months("330483", 2023, entity="E2")
    data = made(HEAD + rows + months("330481", 2024, entity="E1", value=90) + months("330483", 2024, range(1, 12)))
    found = inventory.top_movers(data, period="2024-12")
    assert found["change"] is None and found["rest"] is None
    assert [row["entity"] for row in found["rows"]] == ["E1"]
    assert [row["entity"] for row in inventory.movers(data, grain="entity", period="2024-12")] == ["E1"]


def test_a_hole_in_the_year_before_makes_no_growth(made: Made) -> None:
    rows = months("330481", 2023) + months("330483", 2023, [1, 2, 3])
    data = made(HEAD + rows + months("330481", 2024) + months("330483", 2024))
    found = inventory.account(data, period="2024", by=("place",))
    assert found["complete"] and not found["previous"]["complete"]
    assert found["change"] is None
    assert {row["place"]: row["change"] for row in found["rows"]} == {"330481": pytest.approx(0), "330483": None}
    assert [row["pull_points"] for row in found["rows"]] == [None, None]
    quarter = inventory.account(data, period="2024-Q1")
    assert quarter["previous"]["complete"] and quarter["change_percent"] == pytest.approx(0)


@pytest.mark.parametrize("before", ["330483,,C17,electricity,energy.purchased,2023,1200,MWh,\n",
                                    "330483,,C17,electricity,energy.purchased,2023-03,,MWh,NE\n"])  # fmt: skip
def test_a_year_before_that_cannot_be_split_or_was_not_estimated_is_not_compared(made: Made, before: str) -> None:
    data = made(HEAD + months("330481", 2023) + before + months("330481", 2024) + months("330483", 2024))
    found = inventory.account(data, period="2024-03", by=("place",))
    assert found["change"] is None and not found["previous"]["complete"]
    assert {row["place"]: row["change"] for row in found["rows"]} == {"330481": pytest.approx(0), "330483": None}


def test_months_that_were_reported_together_last_year_are_not_compared_one_by_one(made: Made) -> None:
    joint = "330481,,C17,electricity,energy.purchased,2023-01/2023-02,200,MWh,\n" + months("330481", 2023, [3])
    data = made(HEAD + joint + months("330481", 2024, [1], 110) + months("330481", 2024, [2], 90)
                + months("330481", 2024, [3]))  # fmt: skip
    found = inventory.account(data, period="2024-Q1", by=("month",))
    assert found["change_percent"] == pytest.approx(0)
    pulls = {row["month"]: row["pull_points"] for row in found["rows"]}
    assert pulls == {"2024-01": None, "2024-02": None, "2024-01/2024-02": None, "2024-03": pytest.approx(0)}
    assert inventory.account(data, period="2024-02")["change"] is None


def test_intensity_needs_the_months_of_the_whole_period(made: Made) -> None:
    gdp = "330481,,,,economy.gdp,2023,1000,万元,\n330483,,,,economy.gdp,2023,1000,万元,\n"
    data = made(HEAD + months("330481", 2023) + months("330483", 2023, range(1, 7)) + gdp)
    found = {row["place"]: row for row in inventory.areas(data, period="2023")}
    assert found["330481"]["intensity"] is not None
    assert found["330483"]["intensity"] is None and found["330483"]["gdp"] == 1000


def test_a_key_that_says_nothing_occurs_is_a_report(made: Made) -> None:
    none = "330483,,C17,electricity,energy.purchased,2024-12,,MWh,NO\n"
    rows = months("330481", 2023) + months("330483", 2023) + months("330481", 2024)
    data = made(HEAD + rows + months("330483", 2024, range(1, 12)) + none)
    found = inventory.account(data, period="2024-12", by=("place",))
    assert found["complete"] and found["missing"] == [] and found["change_percent"] == pytest.approx(-50)


def test_an_enterprise_that_stopped_reporting_is_not_compared(made: Made) -> None:
    known = [{"code": "E1", "place": "330481", "sector": "C17"}]
    data = made(HEAD + months("330481", 2023, entity="E1") + months("330481", 2024, range(1, 7), entity="E1"), known)
    found = inventory.account(data, place="E1", period="2024")
    assert found["change"] is None and late(found) == [("330481", "2024-07/2024-12")]
    assert inventory.account(data, place="E1", period="2024-06")["change_percent"] == pytest.approx(0)


def test_standard_coal_and_electricity_of_a_late_county_are_not_compared(made: Made) -> None:
    text = (months("330481", 2023) + months("330483", 2023) + months("330481", 2024) + months("330483", 2024, [1])
            ).replace("energy.purchased", "energy.consumption")  # fmt: skip
    data = made(HEAD + text)
    for one in inventory.energy(data, period="2024-12"):
        assert [(v["complete"], v["change_percent"]) for v in one["values"]] == [(False, None)] * len(one["values"])
    for one in inventory.energy(data, period="2024-01"):
        assert all(v["complete"] and v["change_percent"] == pytest.approx(0) for v in one["values"])


def test_the_pages_show_who_has_not_reported_and_no_change(without_december: Workspace) -> None:
    from dualcarbon.app.web import create_app

    app = create_app(without_december.path, warm=False)
    with TestClient(app, headers={"accept": "text/html"}) as client:
        pages = [
            client.get(path + "?period=2024-12").text for path in ("/account/330400", "/", "/account/330400/movers")
        ]
    assert all("-50" not in page and "−50" not in page for page in pages)
    assert "尚未报送 · 桐乡市 · 2024年12月" in pages[0]
    assert "1 处缺项" in pages[1]
