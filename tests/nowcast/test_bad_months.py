"""A wrong or missing month of a whole county, two years only: a clear statement, an interval, no absurd figure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import city, flags, gaps, months, screening
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_city import COUNTY, LATER, world
from tests.nowcast.test_gaps import between
from tests.nowcast.test_robust import times
from tests.nowcast.test_run import PLACES, SECTORS, rows

PLACE, POWER = "330402", pl.col("carrier") == "electricity"
DIRECT = pl.col("carrier") == "natural_gas"


def month(text: str) -> pl.Expr:
    return pl.col("start") == date.fromisoformat(f"{text}-01")


def run(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return nowcast.run(workspace, **{"as_of": LATER, "record": 0, "keep": False, **asked})


def about(made: dict[str, Any], place: str = PLACE) -> list[dict[str, Any]]:
    return [one for one in made["flags"] if one["place"] == place]


def row(made: dict[str, Any], place: str = PLACE) -> dict[str, Any]:
    return next(one for one in made["rows"] if one["place"] == place)


def drawn(cells: int = 12, count: int = 36, places: int = 4) -> tuple[np.ndarray, np.ndarray, list[date], np.ndarray]:
    """Fuels and electricity (N, T) of places, `cells` each, with a season, noise and a dip at the Spring Festival."""
    rng = np.random.default_rng(3)
    number = np.repeat(np.arange(places), cells)
    when = [date(2022 + t // 12, t % 12 + 1, 1) for t in range(count)]
    festival = np.array([0.75 if (one.year, one.month) in ((2022, 2), (2023, 1), (2024, 2)) else 1.0 for one in when])
    season = (1 + 0.15 * np.cos(np.arange(count) / 6 * np.pi)) * festival
    level = rng.lognormal(8, 1, (len(number), 1)) * np.exp(rng.normal(0.002, 0.03, (len(number), count)).cumsum(1))
    return 2 * level * season, level * season, when, number


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return world(tmp_path_factory.mktemp("clean") / "w")


# A month in the first eighteen.


@pytest.mark.parametrize("when", ["2022-01", "2022-03", "2023-04"])
def test_a_wrong_unit_in_the_first_months_is_doubted_and_the_year_after_is_not_blamed(
    tmp_path: Path, clean: Workspace, when: str
) -> None:
    made = world(tmp_path / "w", times(1000.0, COUNTY & month(when)))
    told = run(made, month="2024-12")
    (one,) = about(told)
    assert one["rule"] == "nowcast.doubtful-place" and one["months"] == [when] and one["sector"] == ""
    assert ("与上年同月" in one["message"]["zh"]) == (when[:4] == "2023") != ("与前后各月" in one["message"]["zh"])
    after = f"{int(when[:4]) + 1}{when[4:]}"
    if after <= "2024-01":
        assert run(made, month=after)["value"] == pytest.approx(run(clean, month=after)["value"], rel=1e-9)
    report, fine = (nowcast.analyse(one, year=2023, as_of=LATER) for one in (made, clean))
    assert report["change_percent"] == pytest.approx(fine["change_percent"], abs=1.5)


def test_the_first_months_of_a_record() -> None:
    _, values, when, _ = drawn(cells=1, places=7)
    values[0, 2] *= 1000  # a wrong unit
    values[1, 2] /= 1000
    values[2, :9] /= 100  # a plant that begins
    values[4, 8:] /= 100  # one that shrinks
    values[3, [5, 17, 29]] *= 30  # a season
    values[5, 4] *= 8  # not so far
    values[0, :1] = np.nan
    values[6, :20] = 0.0
    values[6, 22] *= 1000  # the first months of the cell itself
    kept, doubts = screening.screened(values, when, "power")
    assert {(one.cell, one.month) for one in doubts} == {(0, when[2]), (1, when[2]), (6, when[22])}
    assert np.isnan(kept).sum() == 4
    values[3, :12:2] *= 6
    values[3, 6] *= 30  # a cell that jumps about anyway
    assert not screening.screened(values[3:4, :12], when[:12], "power")[1]
    values[3, 6] *= 1000
    assert screening.screened(values[3:4, :12], when[:12], "power")[1]
    assert {one.cell for one in screening.screened(values[:, :9], when[:9], "power")[1]} >= {0, 1}


def test_the_replay_is_not_judged_by_a_wrong_month(tmp_path: Path, clean: Workspace) -> None:
    made = world(tmp_path / "w", times(1000.0, COUNTY & month("2022-03")))
    told, fine = (nowcast.run(one, as_of=LATER, month="2024-12", keep=False)["record"] for one in (made, clean))
    assert told["total"]["error_percent"] < fine["total"]["error_percent"] + 1


# Zeros of a county.


@pytest.fixture(scope="module")
def zeros(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    since = between(date(2024, 9, 1), date(2024, 12, 1))
    return world(tmp_path_factory.mktemp("zeros") / "w", times(0.0, COUNTY & since))


@pytest.mark.parametrize(("when", "day"), [("2024-10", date(2025, 1, 20)), ("2024-12", LATER)])
def test_zeros_of_a_county_are_not_believed_by_waiting(
    zeros: Workspace, clean: Workspace, when: str, day: date
) -> None:
    told, fine = (run(one, month=when, as_of=day) for one in (zeros, clean))
    mine, true = row(told), row(fine)
    assert 0.7 * true["value"] < mine["value"] < 1.4 * true["value"] and mine["low"] < mine["value"] < mine["high"]
    assert mine["counted_share"] == 0 and told["low"] < told["value"] < told["high"]
    (one,) = about(told)
    last = int(when[5:])
    assert one["rule"] == "nowcast.zero-place" and one["months"] == [f"2024-{n:02d}" for n in range(9, last + 1)]
    assert f"2024年9月至{last}月" in one["message"]["zh"] and "6个单元" in one["message"]["zh"]


def test_a_county_of_zeros_has_neither_ceased_nor_begun(zeros: Workspace) -> None:
    told = run(zeros, month="2025-01")
    assert {one["rule"] for one in about(told)} == {"nowcast.zero-place"}
    text = str(told["flags"])
    assert "之后没有数据" not in text and "起才有数据" not in text and "未到" not in text
    report = nowcast.analyse(zeros, year=2024, as_of=LATER)
    assert [one["rule"] for one in about(report)] == ["nowcast.zero-place"]


def test_zeros_of_more_than_a_year_are_not_believed_either(clean: Workspace, tmp_path: Path) -> None:
    made = world(tmp_path / "w", times(0.0, COUNTY & between(date(2023, 8, 1), date(2024, 12, 1))))
    told, true = run(made, month="2024-12"), row(run(clean, month="2024-12"))
    assert 0.5 * true["value"] < row(told)["value"] < 1.5 * true["value"]
    (one,) = about(told)
    assert one["rule"] == "nowcast.zero-place" and len(one["months"]) == 17
    assert nowcast.open_figure(made, **one["explain"])["value"] == pytest.approx(row(told)["value"])


def test_zeros_at_the_start_are_no_beginning(tmp_path: Path) -> None:
    made = world(tmp_path / "w", times(0.0, COUNTY & between(date(2022, 1, 1), date(2022, 4, 1))))
    told = run(made, month="2023-03")
    (one,) = about(told)
    assert one["rule"] == "nowcast.zero-place" and len(one["months"]) == 4 and "起才有数据" not in str(told["flags"])


def test_a_single_plant_may_stop_and_a_corrected_county_counts(tmp_path: Path, clean: Workspace) -> None:
    since = between(date(2024, 9, 1), date(2024, 12, 1))
    made = world(tmp_path / "w", times(0.0, COUNTY & (pl.col("sector") == "C17") & since))
    assert row(run(made, month="2024-11"))["counted_share"] == 1
    right = rows().filter(COUNTY & since).with_columns(known_at=pl.lit(date(2025, 3, 1)))
    wrong = world(tmp_path / "wrong", times(0.0, COUNTY & since))
    wrong.import_frame(right, source={"file": "correction"}, dataset={"id": "world"}, revise="left out")
    told = run(wrong, month="2024-12")
    assert told["low"] is None and told["value"] == pytest.approx(run(clean, month="2024-12")["value"])


def test_plants_that_stop_one_after_another_are_believed() -> None:
    direct, power, when, places = drawn()
    for k in range(9):  # most of twelve
        direct[k, 5 + 3 * k :] = power[k, 5 + 3 * k :] = 0.0
    doubts = screening.of_city(direct, power, when, places)[2]
    assert {one.month for one in doubts if one.value == 0} <= {*when[33:]} and not any(one.together for one in doubts)


def test_a_place_that_stands_still_neither_ceases_nor_begins(clean: Workspace) -> None:
    read = city.read(clean, until=date(2024, 12, 1), as_of=LATER)
    mine = np.array([cell[0] == PLACE for cell in read.cells])

    def still(first: int, end: int, silent: int = 0) -> city.City:
        parts = {name: getattr(read, name).copy() for name in ("direct", "indirect", "power")}
        for values in parts.values():
            values[np.ix_(mine, range(first, first + silent))] = np.nan
            values[np.ix_(mine, range(first + silent, end))] = 0.0
        return replace(read, **parts)

    assert not gaps.unlike(still(20, 36), range(12, 36)) and not gaps.unlike(still(20, 24), range(12, 36))
    (gone,) = gaps.unlike(still(10, 36, silent=12), range(12, 36))
    assert not gone.began and gone.month == 9
    (back,) = gaps.unlike(still(10, 26, silent=12), range(12, 36))
    assert back.again and back.month == 26
    said = [one for one in flags.find(still(10, 26, silent=12), 35) if one["place"] == PLACE]
    assert [one["rule"] for one in said] == ["nowcast.place-back"]
    (new,) = gaps.unlike(still(0, 20), range(12, 36))
    assert new.began and not new.again and new.month == 20


def test_a_county_of_nothing_but_zeros_is_one_flag(tmp_path: Path) -> None:
    made = world(tmp_path / "w", times(0.0, COUNTY))
    (one,) = about(run(made, month="2024-12"))
    assert one["rule"] == "nowcast.all-zero" and one["sector"] == "" and "南湖区一年以上" in one["message"]["zh"]


# Two years only.


def test_two_years_are_said_and_wider_than_three(tmp_path: Path, clean: Workspace) -> None:
    short = world(tmp_path / "w", lambda frame: frame.filter(pl.col("start") >= date(2022, 11, 1)))
    day = date(2024, 11, 15)
    told, fine = (run(one, month="2024-11", as_of=day) for one in (short, clean))
    width = [(one["high"] - one["low"]) / one["value"] for one in (told, fine)]
    assert width[0] > width[1]
    (one,) = (one for one in told["flags"] if one["rule"] == "nowcast.short-history")
    assert "24 个月" in one["message"]["zh"] and "12 个月" in one["message"]["zh"] and one["explain"]
    assert "nowcast.short-history" not in {one["rule"] for one in fine["flags"]}
    assert "nowcast.short-history" not in {one["rule"] for one in run(short, month="2024-09")["flags"]}  # all counted


def test_few_months_widen_both_parts_at_both_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    direct, power, _, places = drawn(count=25)
    direct[:, 24] = np.nan
    asked = direct, power, 24, places, np.zeros(len(places), int)
    wide = months.estimate(*asked)
    monkeypatch.setattr(months, "SHORT", 0)
    plain = months.estimate(*asked)
    assert wide.shared / plain.shared == pytest.approx(np.sqrt(30 / 24))
    assert wide.inner[0] / plain.inner[0] == pytest.approx(np.sqrt(30 / 24))
    assert wide.own == pytest.approx(plain.own * np.sqrt(30 / 24))
    assert wide.inner[1] == pytest.approx(plain.inner[1] * np.sqrt(30 / 24)) and (wide.value == plain.value).all()


# All cells of a county moved.


@pytest.mark.parametrize("factor", [4.0, 2.5, 1 / 3, 1000.0])
def test_a_county_that_moves_as_one_is_estimated_and_said_once(tmp_path: Path, clean: Workspace, factor: float) -> None:
    made = world(tmp_path / "w", times(factor, COUNTY & month("2024-06")))
    for day in (date(2024, 8, 20), LATER):
        told, fine = (run(one, month="2024-06", as_of=day) for one in (made, clean))
        mine, true = row(told), row(fine)
        assert mine["counted_share"] == 0 and 0.7 * true["value"] < mine["value"] < 1.4 * true["value"]
        assert told["low"] < told["value"] < told["high"]
        (one,) = about(told)
        assert one["rule"] == "nowcast.doubtful-place" and one["month"] == "2024-06" and one["sector"] == ""
        assert [part["part"] for part in one["parts"]] == ["direct", "power"] and one["count"] == 6
        assert one["value"] == pytest.approx(factor * true["direct"])
        assert 0.7 < one["usual"] / true["direct"] < 1.4
        assert "2024年6月" in one["message"]["zh"] and "MWh" in one["message"]["zh"] and "吨" in one["message"]["zh"]
        assert nowcast.open_figure(made, **one["explain"])["value"] == pytest.approx(mine["value"])
    report = nowcast.analyse(made, year=2024, as_of=LATER)
    assert [one["rule"] for one in about(report)] == ["nowcast.doubtful-place"]


def test_a_level_of_a_county_that_stays_is_believed_and_said_once(tmp_path: Path, clean: Workspace) -> None:
    made = world(tmp_path / "w", times(4.0, COUNTY & (pl.col("start") >= date(2024, 6, 1))))
    told, fine = (run(one, month="2024-12") for one in (made, clean))
    assert row(told)["value"] == pytest.approx(4 * row(fine)["value"])
    for answer in (told, nowcast.analyse(made, year=2024, as_of=LATER)):
        (one,) = about(answer)
        assert one["rule"] == "nowcast.level-place" and one["month"] == "2024-06" and one["count"] == 6
        assert one["value"] / one["usual"] == pytest.approx(4, rel=0.3)
        assert "南湖区2024年6月起，多数单元（6个）" in one["message"]["zh"] and "升到每月约" in one["message"]["zh"]
        assert nowcast.open_figure(made, **one["explain"])["month"] == "2024-06"


def test_one_part_of_a_county_is_doubted_alone(tmp_path: Path) -> None:
    made = world(tmp_path / "w", times(4.0, COUNTY & POWER & month("2024-06")))
    told = run(made, month="2024-06")
    (one,) = about(told)
    assert [part["part"] for part in one["parts"]] == ["power"] and "燃料" not in one["message"]["zh"]
    assert 0 < row(told)["counted_share"] < 1


def moved(where: dict[int, float], part: int = 0, cells: int = 12, mine: slice | None = None) -> dict[date, int]:
    """How many cells of the first place are doubted together in each month, where those of `mine` were multiplied."""
    direct, power, when, places = drawn(cells)
    for t, factor in where.items():
        (direct, power)[part][mine or slice(0, cells), t] *= factor
    found: dict[date, int] = {}
    for one in screening.of_city(direct, power, when, places)[2]:
        assert places[one.cell] == 0
        found[one.month] = found.get(one.month, 0) + one.together
    return found


@pytest.mark.parametrize("factor", [4.0, 2.5, 1 / 3])
@pytest.mark.parametrize("t", [12, 13, 14, 20, 24, 25, 26, 35])
def test_any_month_of_a_place_is_doubted_when_its_cells_move_together(t: int, factor: float) -> None:
    for part in (0, 1):
        assert moved({t: factor}, part) == {date(2022 + t // 12, t % 12 + 1, 1): 12}


@pytest.mark.parametrize("factor", [4.0, 2.5, 1 / 3])
@pytest.mark.parametrize("t", [2, 4, 9])
def test_a_month_without_a_year_before_is_doubted_by_the_year_after(t: int, factor: float) -> None:
    assert moved({t: factor}) == {date(2022, t + 1, 1): 12}


def test_what_is_no_error_of_a_place() -> None:
    assert moved({}) == {}
    level = dict.fromkeys(range(20, 36), 3.0)
    assert moved(level) == {}  # a level that stays, and its echo a year later
    assert moved(dict.fromkeys(range(34, 36), 3.0)) == {date(2024, 11, 1): 12, date(2024, 12, 1): 12}
    assert moved({30: 4.0}, mine=slice(0, 6)) == {}  # half of the cells
    assert moved({30: 4.0}, cells=4) == {}  # a place of few
    far = moved(dict.fromkeys(range(28, 36), 1000.0))
    assert len(far) == 8 and min(far.values()) == 12  # a wrong unit is not believed by waiting
    direct, power, when, places = drawn()
    direct[:, 30] *= 2.2  # a hot month for all
    assert not screening.of_city(direct, power, when, places)[2]
    direct[:, 30] *= 2
    assert {one.cell for one in screening.of_city(direct, power, when, places)[2]} == set(range(len(places)))
    assert list(moved(level | {30: 12.0})) == [date(2024, 7, 1)]  # a wrong month on the new level


# A county that misses a month in the middle.


@pytest.fixture(scope="module")
def hole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    gone: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame.filter(~(COUNTY & month("2024-08")))  # noqa: E731
    return world(tmp_path_factory.mktemp("hole") / "w", gone)


@pytest.mark.parametrize("asked", [{}, {"month": "2024-12"}, {"month": "2024-09", "as_of": date(2024, 11, 20)}])
def test_a_month_that_a_county_misses_is_said(hole: Workspace, asked: dict[str, Any]) -> None:
    told = run(hole, **asked)
    (one,) = (one for one in told["flags"] if one["rule"] == "nowcast.month-missing")
    assert one["place"] == PLACE and one["months"] == ["2024-08"] and set(one["lost"]) == {"power", "direct"}
    assert "南湖区2024年8月用电和燃料数据均没有收到" in one["message"]["zh"]
    assert nowcast.open_figure(hole, **one["explain"])["counted_share"] == 0


def test_the_year_so_far_has_the_interval_of_the_month_that_is_missing(hole: Workspace, clean: Workspace) -> None:
    told, fine = (run(one, month="2024-12")["year_to_date"] for one in (hole, clean))
    assert told["estimated_months"] == ["2024-08"] and fine["low"] is None
    assert told["low"] < told["value"] < told["high"] and told["low"] < fine["value"] < told["high"]


def test_the_terminal_gives_the_interval_of_the_year_so_far(hole: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALCARBON_LANG", "zh")
    asked = ["run", "--workspace", str(hole.path), "--month", "2024-12", "--as-of", LATER.isoformat(), "--replay", "0"]
    printed = CliRunner().invoke(cli, asked).output
    so_far = next(line for line in printed.splitlines() if "累计预计" in line)
    assert "90% 区间" in so_far and "南湖区2024年8月" in printed


def test_a_county_that_lacks_one_part_or_most_cells_is_said(tmp_path: Path, clean: Workspace) -> None:
    lacking = COUNTY & month("2024-07") & (DIRECT | pl.col("sector").is_in(SECTORS[:5]))
    told = run(world(tmp_path / "w", lambda frame: frame.filter(~lacking)), month="2024-12")
    found = {tuple(one["lost"]): one for one in told["flags"] if one["rule"] == "nowcast.month-missing"}
    assert ("direct",) in {*found} or ("power", "direct") in {*found}
    assert all(one["place"] == PLACE and one["months"] == ["2024-07"] for one in found.values())
    assert not [one for one in run(clean, month="2024-12")["flags"] if one["rule"] == "nowcast.month-missing"]
    assert len(PLACES) == 6
