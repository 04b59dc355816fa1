"""One fault is one flag, told in the month it happened in with its size, and not again a year later."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from dualcarbon import nowcast
from dualcarbon.core.classification import load
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, city, flags, present
from dualcarbon.nowcast.screening import Doubt
from tests.nowcast.test_run import DATASET, own, rows

CELL = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("flags") / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


def seen(place: Workspace) -> city.City:
    return own(city.read(place, until=date(2024, 12, 1), as_of=date(2025, 3, 1)))


def told(made: city.City, t: int) -> list[dict[str, Any]]:
    where = made.cells[CELL][:2]
    return [one for one in flags.find(made, t) if (one["place"], one["sector"]) == where]


def said(place: Workspace, flag: dict[str, Any]) -> dict[str, str]:
    return present.named(load(place.pack), flag)["message"]


def test_a_change_of_level_is_told_once_and_not_again_a_year_later(place: Workspace) -> None:
    made, since = seen(place), 20
    made.direct[CELL, since:] *= 0.4
    for t in range(since + 2, 36):
        found = [one for one in told(made, t) if one["rule"] == "nowcast.level-shift"]
        assert len(told(made, t)) <= 1 and bool(found) == (t < since + 12), t
        for one in found:
            assert one["month"] == "2023-09"
            assert one["value"] == pytest.approx(made.direct[CELL, since : t + 1].mean())
            assert one["usual"] == pytest.approx(made.direct[CELL, since - 12 : since].mean())
            assert one["size"] == pytest.approx(one["value"] - one["usual"])
    text = said(place, told(made, since + 4)[0])
    assert "2023年9月起" in text["zh"] and "降到" in text["zh"] and "−" in text["zh"] and "吨" in text["zh"]
    assert "from 2023-09 on" in text["en"] and "fell" in text["en"]


def test_growth_after_last_years_break_is_no_new_break(place: Workspace) -> None:
    made, since = seen(place), 12
    made.direct[CELL, since:] *= 6
    assert not [one for t in range(24, 36) for one in told(made, t) if one["rule"] == "nowcast.level-shift"]


@pytest.mark.parametrize(("part", "factor"), [("direct", 3.0), ("direct", 0.3), ("power", 3.0), ("power", 0.3)])
def test_one_wrong_month_is_one_flag_in_that_month_only(place: Workspace, part: str, factor: float) -> None:
    made, wrong = seen(place), 22
    getattr(made, part)[CELL, wrong] *= factor
    if part == "power":
        made.indirect[CELL, wrong] *= factor
    (one,) = told(made, wrong)
    assert one["rule"] == "nowcast.carbon-per-kwh" and one["by"] == part
    assert one["month"] == "2023-11" and one["value"] != one["usual"]
    assert not [flag for t in (*range(wrong + 1, wrong + 4), *range(wrong + 11, 36)) for flag in told(made, t)]


def test_a_fault_found_in_two_ways_is_one_thing_to_check(place: Workspace) -> None:
    made = seen(place)
    made.direct[CELL, -4:] *= 3
    for t in (32, 33, 34, 35):
        (one,) = told(made, t)
    assert one["rule"] == "nowcast.level-shift" and one["month"] == "2024-09" and len(one["causes"]) == 2


def test_messages_say_what_departs_by_how_much(place: Workspace) -> None:
    made = seen(place)
    made.direct[CELL, -1] *= 2
    (one,) = told(made, 35)
    text = said(place, one)
    assert "单位电量碳排放为" in text["zh"] and "tCO2/MWh" in text["zh"] and "平常约" in text["zh"]
    assert "2024年12月" in text["zh"] and "吨" in text["zh"] and "高" in text["zh"] and "常值" not in text["zh"]
    assert " · " not in text["zh"] and "usually about" in text["en"] and "2024-12" in text["en"]
    assert one["size"] == pytest.approx(made.direct[CELL, -1] * (1 - one["usual"] / one["value"]))


def test_months_not_believed_are_one_flag_and_not_late_too(place: Workspace) -> None:
    made = seen(place)
    months = made.months[-3:]
    made.power[CELL, -3:] = np.nan
    made.doubts.extend(Doubt(CELL, month, "power", 1e9, False) for month in months)
    (one,) = told(made, 35)
    assert one["rule"] == "nowcast.doubtful-power" and one["months"] == ["2024-10", "2024-11", "2024-12"]
    assert "2024年10月至12月" in said(place, one)["zh"]


def test_a_wrong_month_a_year_before_is_the_suspect(place: Workspace) -> None:
    made = seen(place)
    usual = float(made.power[CELL, 24])
    made.power[CELL, 23] *= 6
    made.power[CELL, 35] = np.nan
    made.doubts.append(Doubt(CELL, made.months[35], "power", usual, False))
    (one,) = told(made, 35)
    assert one["suspect"] == "2023-12" and "2023年12月与前后月不符" in said(place, one)["zh"]


def test_flags_open(place: Workspace) -> None:
    made = nowcast.run(place, as_of=date(2024, 11, 15), record=0, keep=False)
    page = board.board(place, place=None, as_of=date(2024, 11, 15), tree="admin")
    report = nowcast.analyse(place, year=2024, as_of=date(2024, 11, 15))
    for one in [*made["flags"], *page["flags"], *report["flags"]]:
        if one["rule"] in flags.WITHOUT:
            assert one["explain"] is None
        elif "kind" in (one.get("explain") or {}):
            assert nowcast.open_reason(place, **one["explain"])["flag"]["rule"] == one["rule"]
        elif one.get("explain"):
            assert nowcast.open_figure(place, **one["explain"])["month"] == one["month"]


def test_months_of_a_report_are_told_together(place: Workspace) -> None:
    made = seen(place)
    made.direct[CELL, -4:] *= 3
    found = [one for t in range(35, 23, -1) for one in told(made, t)]
    assert len({flags.topic(one) for one in found}) == 1
    whole = flags.together(found)
    assert whole["rule"] == "nowcast.level-shift" and whole["months"] == ["2024-09"]
    apart = [one for one in found if one["rule"] != "nowcast.level-shift"]
    whole = flags.together(apart)
    assert whole["months"] == sorted(one["month"] for one in apart)
    assert whole["size"] == pytest.approx(sum(one["size"] for one in apart))
