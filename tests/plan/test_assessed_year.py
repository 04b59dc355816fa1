"""The year's fall: months that are still coming in, notices, other places' rows, what was known; figures told."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import board, dual, falls, handed, yearly
from dualcarbon.plan.feeding.loading import load

PLACE, FIRMS = "330400", 20


def account(workspace: Workspace, rows: list[dict[str, Any]], name: str) -> None:
    frame = pl.DataFrame(rows)
    workspace.import_frame(
        frame, source={"file": name}, dataset={"id": name, "role": "account", "status": "unverified"}
    )


def monthly(workspace: Workspace, now: list[int]) -> None:
    """Twenty firms burn natural gas all of 2023; in 2024, 2 % more, as many firms as `now` says month by month."""
    load(workspace, "cn-jiaxing/2024")
    rows = []
    for year, value, told in ((2023, 10.0, [FIRMS] * 12), (2024, 10.2, now)):
        for month, firms in enumerate(told, 1):
            span = {"start": date(year, month, 1), "end": date(year + month // 12, month % 12 + 1, 1)}
            rows += [
                {"place": PLACE, "entity": f"e{n}", "carrier": "natural_gas", "item": item, "value": value,
                 "unit": "wan_m3", **span}
                for n in range(firms)
                for item in ("energy.consumption", "energy.combustion")
            ]  # fmt: skip
    account(workspace, rows, "energy")


def told(workspace: Workspace, name: str, period: str, value: float) -> None:
    handed.tell(workspace, PLACE, [{"name": name, "period": period, "value": value, "source": "公报"}])


def test_months_that_are_still_coming_in_are_not_compared(workspace: Workspace) -> None:
    monthly(workspace, [FIRMS] * 3 + [12] * 3)
    told(workspace, "gdp_growth", "2024-01/2024-03", 5.5)
    assert yearly.covered(workspace, 2024) == 3
    found = dual.dual(workspace)["energy"]
    assert found["months"] == 3 and found["provisional"]
    assert found["fall"] == pytest.approx(1 - 1.02 / 1.055)  # 2 % more energy, 5.5 % more GDP
    assert found["short"] == [{"month": month, "rows": 24, "of": 40} for month in (4, 5, 6)]
    assert "未计入：4 月 24/40" in found["said"]["zh"] and "month 4 24/40" in found["said"]["en"]


def test_gdp_is_the_places_own_through_the_span_else_that_of_its_parts(workspace: Workspace) -> None:
    spans = {2022: [12], 2023: [3, 12], 2024: [3]}  # of the city: a year, two parts of it, a quarter alone
    rows = [
        {"place": place, "item": "economy.gdp", "value": value, "unit": "亿元", "start": date(year, first, 1),
         "end": date(year + last // 12, last % 12 + 1, 1)}
        for year, ends in spans.items()
        for place, value, lasts in ((PLACE, 90.0, ends), ("330483", 20.0, [12]), ("330481", 30.0, [12]))
        for first, last in zip([1, *(end + 1 for end in lasts)], lasts, strict=False)
    ]  # fmt: skip
    account(workspace, rows, "yearbook-economy")
    found = [yearly.gdp(workspace, PLACE, year)["current"] for year in spans]
    assert found == [pytest.approx(90), pytest.approx(180), None]  # 2024: no year of the city, nor of all its counties
    assert yearly.gdp(workspace, "330483", 2024)["current"] == pytest.approx(20)
    more = ("330402", "330411", "330421", "330424", "330482")
    whole = {"item": "economy.gdp", "value": 10.0, "unit": "亿元", "start": date(2024, 1, 1), "end": date(2025, 1, 1)}
    account(workspace, [{"place": place, **whole} for place in more], "yearbook-economy")
    assert yearly.gdp(workspace, PLACE, 2024)["current"] == pytest.approx(100)
    quarter = {"start": date(2025, 1, 1), "end": date(2025, 4, 1)}
    account(
        workspace, [whole | {"place": place} | quarter for place in (*more, "330481", "330483")], "yearbook-economy"
    )
    year = {"place": "330483-rest", "start": date(2025, 1, 1), "end": date(2026, 1, 1)}
    account(workspace, [whole | year], "yearbook-economy")
    assert yearly.gdp(workspace, PLACE, 2025)["current"] is None
    assert yearly.gdp(workspace, PLACE, 2025, until=3)["current"] == pytest.approx(70)


def test_a_hole_stops_the_year(workspace: Workspace) -> None:
    monthly(workspace, [FIRMS, 0, FIRMS, FIRMS])
    assert yearly.covered(workspace, 2024) == 1


def test_a_year_of_half_its_firms_from_the_start_has_no_fall(workspace: Workspace) -> None:
    monthly(workspace, [12] * 12)
    told(workspace, "gdp_growth", "2024", 5.5)
    row = falls.fall(workspace, "equivalent", PLACE, 2024, handed.standing(workspace, PLACE))
    assert (row["fall"], row["growth"], row["missing"]) == (None, None, ["2024.equivalent.part"])
    found = dual.dual(workspace)["energy"]
    assert found["fall"] is None and "部分数据" in found["said"]["zh"]


def test_rows_of_two_months_or_a_year_cover_them(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    base = {"place": PLACE, "carrier": "natural_gas", "item": "energy.consumption", "unit": "wan_m3", "value": 1.0}
    rows = [base | {"start": date(year, 1, 1), "end": date(year, 3, 1)} for year in (2023, 2024)]
    rows += [base | {"start": date(2023, 3, 1), "end": date(2024, 1, 1)}]
    account(workspace, rows, "energy")
    assert yearly.covered(workspace, 2024) == 2
    account(workspace, [base | {"start": date(2025, 1, 1), "end": date(2026, 1, 1)}], "annual")
    assert yearly.covered(workspace, 2025) == 12


def test_a_notice_makes_the_year_whole(workspace: Workspace) -> None:
    monthly(workspace, [FIRMS] * 9)
    told(workspace, "gdp_growth", "2024-01/2024-09", 5.5)
    told(workspace, "energy_fall", "2024", 3.3)
    found = dual.dual(workspace)["energy"]
    assert (found["fall"], found["from"], found["provisional"]) == (pytest.approx(0.033), "notified", False)
    assert found["state"] == "basic"
    assert found["cumulative"]["years"] == [2024]
    assert found["years"][-1]["computed"] == pytest.approx(1 - 1.02 / 1.055)  # of nine months, beside it
    assert found["months"] == 9
    assert board.needed(dual.dual(workspace)) is not None


def feedstock(workspace: Workspace, place: str, name: str, values: dict[int, float], known: date | None = None) -> None:
    row = {"place": place, "carrier": "natural_gas", "item": "energy.feedstock", "unit": "wan_m3"}
    rows = [
        row | {"value": value, "start": date(year, 1, 1), "end": date(year + 1, 1, 1)}
        | ({"known_at": known} if known else {})
        for year, value in values.items()
    ]  # fmt: skip
    account(workspace, rows, name)


def deducted(workspace: Workspace, as_of: date | None = None) -> tuple[float | None, float | None]:
    views = {one["view"]: one for one in dual.dual(workspace, None, as_of)["energy"]["views"]}
    return views["minus feedstock"]["deducted"], views["minus feedstock"]["deducted_before"]


def test_feedstock_is_the_places_own_and_what_was_known(workspace: Workspace) -> None:
    monthly(workspace, [FIRMS] * 12)
    told(workspace, "gdp_growth", "2024", 5.5)
    feedstock(workspace, PLACE, "own", {2023: 10.0, 2024: 20.0})
    assert deducted(workspace) == pytest.approx((266, 133))  # 13.3 tce each ten thousand m3
    feedstock(workspace, "330100", "others", {2023: 100.0, 2024: 400.0})
    assert deducted(workspace) == pytest.approx((266, 133))
    feedstock(workspace, "330481", "later", {2023: 1.0, 2024: 2.0}, date(2026, 6, 1))
    assert deducted(workspace) == pytest.approx((266 + 26.6, 133 + 13.3))
    assert deducted(workspace, date(2026, 1, 1)) == pytest.approx((266, 133))


def test_a_gdp_of_nothing_is_refused_and_never_divided_by(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    row = {"name": "gdp_fixed", "value": 0, "source": "x", "price_year": 2020, "period": "2024"}
    with pytest.raises(Refused) as refused:
        handed.tell(workspace, PLACE, [row])
    assert [one.rule for one in refused.value.problems] == ["plan.handed-positive"]
    kept = {"value": 0.0, "price_year": 2020, "status": "official", "source": "x"}
    figures = {("gdp_fixed", "2024"): kept, ("gdp_fixed", "2023"): {**kept, "value": 100.0}}
    assert falls.growth(workspace, PLACE, 2024, figures)["value"] is None


@pytest.mark.parametrize(
    ("name", "period", "good"),
    [
        ("energy_basic", "2024-06", False), ("energy_basic", "2024", True), ("carbon_fall", "2024-01/2024-06", False),
        ("energy_five_year_basic", "2021-2024", False), ("energy_five_year_basic", "2020-2024", False),
        ("energy_five_year_basic", "2021-2025", True), ("gdp_growth", "2024-01/2024-06", True),
        ("gdp_growth", "2024-04/2024-06", False),
    ],
)  # fmt: skip
def test_a_period_that_nothing_reads_is_refused(workspace: Workspace, name: str, period: str, good: bool) -> None:
    load(workspace, "cn-jiaxing/2024")
    rows = [{"name": name, "period": period, "value": 3, "source": "x"}]
    if good:
        assert handed.tell(workspace, PLACE, rows)["told"]
        return
    with pytest.raises(Refused) as refused:
        handed.tell(workspace, PLACE, rows)
    assert {one.rule for one in refused.value.problems} <= {"plan.handed-period", "plan.bad-period"}
