"""An area of a city asked for by itself: the same figures as in the city's estimate."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import city, record, settling
from tests.nowcast.test_city import COUNTY, LATER, world
from tests.nowcast.test_robust import CELL
from tests.nowcast.test_run import EARLY, rows, total

CITY, AREA = "330400", "330402"
YEAR = date(2024, 1, 1), date(2025, 1, 1)
OCTOBER = date(2024, 10, 1), date(2024, 11, 1)
FIGURES = ("value", "low", "high", "low80", "high80", "width", "direct", "indirect", "counted_share", "last_year",
           "change_percent", "alike", "official")  # fmt: skip


def compared(made: Workspace, place: str = AREA, **asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The area asked for by itself, and its row in the city's estimate."""
    asked = {"as_of": EARLY, "record": 0, "keep": False, **asked}
    alone = nowcast.run(made, place=place, **asked)
    whole = nowcast.run(made, **{**asked, "month": alone["month"]})
    row = next(one for one in whole["rows"] if one["place"] == place)
    for name in FIGURES:
        same = row[name] if row[name] is None or isinstance(row[name], bool) else pytest.approx(row[name])
        assert alone[name] == same, name
    return alone, row


EARLIER = pl.when(COUNTY).then(pl.col("end") + pl.duration(days=5)).otherwise(pl.col("known_at"))
LATEST = pl.when(COUNTY).then(pl.col("known_at") + pl.duration(days=45)).otherwise(pl.col("known_at"))


@pytest.mark.parametrize(("month", "day"), [
    (None, pl.col("known_at")), (None, EARLIER), (None, LATEST), (date(2024, 12, 1), LATEST),
    (date(2024, 7, 1), pl.col("known_at")),
])  # fmt: skip
def test_an_area_is_the_same_figure_as_in_its_city(tmp_path: Path, month: date | None, day: pl.Expr) -> None:
    made = world(tmp_path / "w", lambda frame: frame.with_columns(day.alias("known_at")))
    alone, row = compared(made, month=month)
    assert (alone["low"] is None) == (alone["counted_share"] == 1)
    for asked in ({"city": AREA}, {"city": CITY}, {}):
        node = nowcast.open_figure(made, place=AREA, month=alone["month"], as_of=EARLY, **asked)
        assert node["value"] == pytest.approx(row["value"])
        sectors = [nowcast.open_figure(made, **one["question"]) for one in node["children"]]
        assert sum(one["value"] for one in sectors) == pytest.approx(row["value"])
        for estimate in (one for sector in sectors for part in sector["parts"] for one in part["estimate"]):
            assert sum(term["effect"] for term in estimate["terms"]) == pytest.approx(estimate["growth"], abs=1e-9)
            for term in (one for one in estimate["terms"] if one.get("question")):
                opened = nowcast.open_reason(made, **term["question"])
                assert opened["value"] == pytest.approx(100 * term["growth"]) or opened["unit"] != "%"


def test_official_totals_of_the_city_and_of_the_area_bind_both_alike(tmp_path: Path) -> None:
    free = nowcast.run(world(tmp_path / "free"), as_of=EARLY, record=0, keep=False)
    own = next(row["value"] for row in free["rows"] if row["place"] == AREA)
    given = total(CITY, OCTOBER, 1.1 * free["value"], date(2024, 11, 12))
    made = world(tmp_path / "city", lambda frame: frame, given, role="control")
    alone, row = compared(made)
    assert alone["value"] > 1.05 * own and not alone["official"]
    (told,) = alone["reconciliation"]["totals"]
    assert told["place"] == CITY and told["month_total"] == pytest.approx(1.1 * free["value"])
    node = nowcast.open_figure(made, place=AREA, month="2024-10", as_of=EARLY, city=AREA)
    assert node["settled"]["after"] == pytest.approx(row["value"]) and node["settled"]["before"] == pytest.approx(own)
    both = world(tmp_path / "both", lambda frame: frame, given, total(AREA, OCTOBER, 1.2 * own, date(2024, 11, 12)),
                 role="control")  # fmt: skip
    alone, _ = compared(both)
    assert alone["official"] and alone["value"] == pytest.approx(1.2 * own) and alone["low"] is None
    assert {one["place"] for one in alone["reconciliation"]["totals"]} == {CITY, AREA}
    late = world(tmp_path / "year", lambda frame: frame, total(CITY, YEAR, 12 * free["value"], date(2025, 3, 1)),
                 role="control")  # fmt: skip
    months = [nowcast.run(late, place=AREA, month=date(2024, m, 1), as_of=LATER, record=0, keep=False)["value"]
              for m in (3, 9)]  # fmt: skip
    node = nowcast.open_reason(late, kind="sum", period="2024", place=AREA, city=AREA, as_of=LATER)
    assert [node["children"][n]["value"] for n in (2, 8)] == pytest.approx(months)
    (line,) = node["inputs"]
    assert line["value"] == pytest.approx(12 * free["value"])


def test_an_area_that_began_later_has_no_months_before(tmp_path: Path) -> None:
    made = world(tmp_path / "w", lambda frame: frame.filter(~COUNTY | (pl.col("start") >= date(2023, 7, 1))))
    seen = city.read(made, place=AREA, as_of=EARLY)
    assert seen.months[0] == date(2023, 7, 1) and seen.offset == 18
    compared(made)
    with pytest.raises(Refused, match="2023-06"):
        nowcast.run(made, place=AREA, month=date(2023, 6, 1), as_of=EARLY, record=0, keep=False)
    first = nowcast.news(made, before=date(2023, 8, 5), after=date(2023, 9, 20), month=date(2023, 7, 1))
    assert {(one["arrival"], one["about"]) for one in first["steps"]} == {
        ("electricity", "month"), ("fuel", "month"), ("fuel", "others"),
    }  # fmt: skip
    assert all(one["known_at"] for one in first["steps"]), "months of silence before the first report are no arrival"
    assert sum(one["effect"] for one in first["steps"]) == pytest.approx(first["change"])
    days = date(2024, 11, 5), EARLY
    told = nowcast.news(made, place=AREA, before=days[0], after=days[1], month=date(2024, 10, 1))
    for name, day in zip(("value_before", "value_after"), days, strict=True):
        asked = {"place": AREA, "month": date(2024, 10, 1), "as_of": day, "record": 0, "keep": False}
        assert told[name] == pytest.approx(nowcast.run(made, **asked)["value"])
    for step in told["steps"]:
        node = nowcast.open_reason(made, **step["explain"])
        assert node["value"] == pytest.approx(step["effect"])
        assert sum(one["value"] for one in node["children"]) == pytest.approx(step["effect"])


def test_an_area_silent_for_more_than_a_year_is_not_zero(tmp_path: Path) -> None:
    made = world(tmp_path / "w", lambda frame: frame.filter(~COUNTY | (pl.col("start") < date(2023, 9, 1))))
    compared(made, month=date(2024, 8, 1))
    with pytest.raises(Refused) as caught:
        nowcast.run(made, place=AREA, month=date(2024, 9, 1), as_of=EARLY, record=0, keep=False)
    (problem,) = caught.value.problems
    assert problem.rule == "nowcast.no-data-for-long" and problem.params["last"] == "2023-08"


def test_an_area_keeps_what_is_its_own(tmp_path: Path) -> None:
    wrong = pl.when(CELL & (pl.col("start") == date(2024, 8, 1))).then(pl.col("value") * 1e3).otherwise(pl.col("value"))
    made = world(tmp_path / "w", lambda frame: frame.with_columns(wrong.alias("value")))
    seen, whole = (city.read(made, place=place, as_of=EARLY) for place in (AREA, CITY))
    assert {seen.cells[one.cell] for one in seen.doubts} == {whole.cells[one.cell] for one in whole.doubts} != set()
    alone = nowcast.run(made, place=AREA, as_of=EARLY, keep=False)
    assert "nowcast.doubtful-direct" in {one["rule"] for one in alone["flags"]}
    assert alone["record"]["cells"] == len(seen.cells) and alone["record"]["total"]["months"] > 0
    replayed = {place: record.replayed(city.read(made, place=place, as_of=LATER), [30], 1, 1)
                for place in (AREA, CITY)}  # fmt: skip
    mine = np.array([cell[0] == AREA for cell in replayed[CITY].seen.cells])
    guess = replayed[CITY].cells()["selected"][mine]
    assert replayed[AREA].cells()["selected"] == pytest.approx(guess)


def test_the_year_of_an_area_is_that_of_the_citys_months(tmp_path: Path) -> None:
    made = world(tmp_path / "w")
    alone = nowcast.run(made, place=AREA, month=date(2024, 10, 1), as_of=EARLY, record=0, keep=False)
    seen = city.read(made, as_of=EARLY, until=date(2024, 12, 1))
    done = settling.settle(made, seen, range(24, 34), CITY, tree="admin", family="provincial-2025")
    mine = np.array([cell[0] == AREA for cell in done.seen.cells])
    assert alone["year_to_date"]["value"] == pytest.approx(done.summed(range(24, 34), mine)["value"])


def test_the_other_tree_and_what_is_unallocated(tmp_path: Path) -> None:
    own = rows(1).filter(COUNTY).with_columns(place=pl.lit(CITY), sector=pl.lit("C44"))
    made = world(tmp_path / "w", lambda frame: frame, own.unique(["carrier", "start"], keep="first"))
    places = {row["place"] for row in nowcast.run(made, tree="management", as_of=EARLY, record=0, keep=False)["rows"]}
    assert "330400-unallocated" in places and len(places) > 3
    for place in sorted(places):
        compared(made, place, tree="management")


def test_a_street_is_estimated_by_its_own_records_on_every_face(tmp_path: Path) -> None:
    made = world(tmp_path / "w")
    asked = {"place": "330402-rest", "record": 0, "keep": False, "as_of": EARLY}
    alone = nowcast.run(made, **asked, month=date(2024, 10, 1))
    node = nowcast.open_figure(made, place="330402-rest", month="2024-10", as_of=EARLY)
    assert node["value"] == pytest.approx(alone["value"]) and node["city"] == "330402-rest"
    year = nowcast.open_reason(made, kind="sum", period="2024-01/2024-10", place="330402-rest", as_of=EARLY)
    assert year["value"] == pytest.approx(alone["year_to_date"]["value"])


def test_a_streets_total_is_said_not_to_bind(tmp_path: Path) -> None:
    given = total("330402-rest", OCTOBER, 5.0e4, date(2024, 11, 12))
    made = world(tmp_path / "w", lambda frame: frame, given, role="control")
    for place in (AREA, CITY):
        told = nowcast.run(made, place=place, as_of=EARLY, month=date(2024, 10, 1), record=0, keep=False)
        assert ("nowcast.total-no-cells", "330402-rest") in {(one["rule"], one["place"]) for one in told["flags"]}
    other = nowcast.run(made, place="330411", as_of=EARLY, month=date(2024, 10, 1), record=0, keep=False)
    assert "nowcast.total-no-cells" not in {one["rule"] for one in other["flags"]}
