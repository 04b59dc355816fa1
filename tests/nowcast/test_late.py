"""What is late, what never came, and what has no month a year before: named with all its parts, compared like with
like, and judged at the state it is in."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, city, flag_words, flags, record
from dualcarbon.nowcast.commands import cli
from dualcarbon.nowcast.told import saying
from tests.nowcast.test_gaps import CELL, COUNTY, LATE, POWER, made, run
from tests.nowcast.test_run import EARLY, own

HOLE = date(2024, 6, 1)
DAY = date(2025, 2, 20)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Data from June 2023 on, and of one cell from January 2024 on."""
    began = ~(CELL & (pl.col("start") < date(2024, 1, 1)))
    return made(tmp_path_factory.mktemp("short"), lambda frame: frame.filter(
        (pl.col("start") >= date(2023, 6, 1)) & began))  # fmt: skip


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One county without electricity and fuels since November 2024."""
    return made(tmp_path_factory.mktemp("silent"), lambda frame: frame.filter(
        ~(COUNTY & (pl.col("start") >= date(2024, 11, 1)))))  # fmt: skip


@pytest.fixture(scope="module")
def hole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Nothing of June 2024."""
    return made(tmp_path_factory.mktemp("hole"), lambda frame: frame.filter(pl.col("start") != HOLE))


def text_of(told: dict[str, Any], lang: str = "zh") -> str:
    return "\n".join(part["text"] for part in told["paragraphs"][lang])


def flag(told: dict[str, Any], rule: str) -> dict[str, Any]:
    (one,) = [one for one in told["flags"] if one["rule"] == f"nowcast.{rule}"]
    return dict(one)


def test_a_cell_without_a_month_a_year_before_is_left_out_of_growth_and_named(short: Workspace) -> None:
    told = run(short, as_of=EARLY, by=("place", "sector"))
    assert told["month"] == "2024-10" and told["change_percent"] is not None
    cell = next(row for row in told["rows"] if (row["place"], row["sector"]) == ("330402", "C17"))
    assert cell["last_year"] is None and cell["value"] > 0
    rest = [row for row in told["rows"] if row is not cell]
    assert told["last_year"] == pytest.approx(sum(row["last_year"] for row in rest))
    assert told["change"] == pytest.approx(sum(row["value"] for row in rest) - told["last_year"])
    assert sum(row["pull_points"] for row in rest) == pytest.approx(told["change_percent"])
    assert told["value"] == pytest.approx(sum(row["value"] for row in told["rows"]))
    one = flag(told, "year-before")
    assert one["by_place"] == {"330402": 1} and "2023年10月）有 1 个单元未报（南湖区1个）" in one["message"]["zh"]
    assert "2023-10 (Nanhu 1)" in one["message"]["en"]
    assert nowcast.open_figure(short, **one["explain"])["value"] == pytest.approx(told["last_year"])


def test_run_page_and_brief_compare_the_same(short: Workspace) -> None:
    told = run(short, as_of=EARLY)
    page = board.board(short, place=None, as_of=EARLY, tree="admin")
    brief = nowcast.monthly(short, month="2024-10", as_of=EARLY)
    for one in (page["head"], brief):
        assert one["change_percent"] == pytest.approx(told["change_percent"])
        assert one["last_year"] == pytest.approx(told["last_year"])
    areas = {row["code"]: row["change_percent"] for row in brief["areas"]}
    assert areas == pytest.approx({row["place"]: row["change_percent"] for row in told["rows"]})
    assert areas == pytest.approx({row["place"]: row["change_percent"] for row in page["areas"]})
    assert flag(page, "year-before")


def test_the_year_so_far_is_compared_alike_on_every_face(short: Workspace) -> None:
    told = run(short, as_of=EARLY)["year_to_date"]
    assert told == nowcast.monthly(short, month="2024-10", as_of=EARLY)["year_to_date"]
    page = board.board(short, place=None, as_of=EARLY, tree="admin")["year"]
    row = next(one for one in page["path"] if one["month"] == "2024-10")
    assert {name: row[name] for name in ("value", "last_year", "compared")} == {
        name: told[name] for name in ("value", "last_year", "compared")
    }
    assert (told["period"], told["compared"]) == ("2024-01/2024-10", "2024-06/2024-10") and row["part"]
    months = [run(short, as_of=EARLY, month=f"2024-{month:02d}", by=("place", "sector")) for month in range(1, 11)]
    assert told["value"] == pytest.approx(sum(one["value"] for one in months))
    every = [row for one in months[5:] for row in one["rows"]]
    like = [row for row in every if (row["place"], row["sector"]) != ("330402", "C17")]
    now, then = (sum(row[name] for row in like) for name in ("value", "last_year"))
    assert told["change_percent"] == pytest.approx(100 * (now / then - 1))
    opened = nowcast.open_reason(short, kind="growth", period=told["compared"], as_of=EARLY)
    assert opened["value"] == pytest.approx(told["change_percent"])
    assert (
        "只比2024年6—10月，此前没有上年同月" in told["note"]["zh"]
        and "南湖区（1个行业）2023年6月至" in told["note"]["zh"]
    )
    assert "June to October 2024 only" in told["note"]["en"]
    words = ["run", "--as-of", EARLY.isoformat(), "--replay", "0", "--workspace", str(short.path)]
    done = CliRunner().invoke(cli, words).output.replace("\n", "")
    assert f"同比 {told['change_percent']:+.2f}%" in done and "此前没有上年同月" in done


def test_a_hole_in_the_year_before_is_estimated_and_said(tmp_path: Path) -> None:
    gone = COUNTY & (pl.col("start") == date(2023, 3, 1))
    other = made(tmp_path, lambda frame: frame.filter(~gone))
    told = run(other, as_of=EARLY)["year_to_date"]
    whole = nowcast.monthly(other, month="2024-10", as_of=EARLY)["year_to_date"]
    assert told == whole and told["change_percent"] is not None and told["last_year_estimated"] > 0
    assert told["change_low_percent"] < told["change_percent"] < told["change_high_percent"]
    assert "南湖区2023年3月未报，按估算计入" in told["note"]["zh"] and told["left_out"] == []
    assert "are estimated: fuels and electricity of Nanhu in 2023-03" in told["note"]["en"]
    page = board.board(other, place=None, as_of=EARLY, tree="admin")["year"]
    assert page["path"][9]["last_year"] == told["last_year"] and page["note"]["zh"].startswith("上年同期南湖区")


def test_a_city_whose_first_month_lacks_cells_has_a_board_and_no_year(tmp_path: Path) -> None:
    first = pl.col("start") == date(2024, 1, 1)
    other = made(tmp_path, lambda frame: frame.filter((pl.col("start") >= date(2024, 1, 1)) & ~(COUNTY & first)))
    told = run(other, as_of=EARLY)["year_to_date"]
    assert told["value"] is None and told["change_percent"] is None and "没有上年同月" in told["note"]["zh"]
    assert board.board(other, place=None, as_of=EARLY, tree="admin")["year"] is None


def test_a_brief_tells_what_of_the_year_has_no_year_before(short: Workspace) -> None:
    brief = nowcast.monthly(short, month="2024-10", as_of=EARLY)
    so_far, text = brief["year_to_date"], text_of(brief)
    assert so_far["compared"] == "2024-06/2024-10" and so_far["period"] == "2024-01/2024-10"
    assert "南湖区（1个行业）2023年10月未报，此前也没有数据，无从估算，没有可比数，同比不含" in text
    assert "其中6—10月同比" in text and "（上年1—5月没有数据，不含）" in text
    assert "from June on (no data of January to May the year before)" in text_of(brief, "en")
    assert brief["causes"]["period"] == "2024-06/2024-09" and "。。" not in text
    for part in brief["paragraphs"]["zh"]:
        for segment in (one for line in part["lines"] for one in line if one.get("question") and "value" in one):
            kind = "kind" in segment["question"]
            opens = (nowcast.open_reason if kind else nowcast.open_figure)(short, **segment["question"])
            held = [opens.get(segment["of"]), *(one["value"] for one in opens.get("inputs", ()))]
            assert any(one == pytest.approx(segment["value"], abs=1e-6) or one == pytest.approx(-segment["value"])
                       for one in held if one is not None), segment  # fmt: skip


def test_a_month_without_a_year_before_is_refused_by_the_true_reason(short: Workspace) -> None:
    with pytest.raises(Refused) as caught:
        nowcast.monthly(short, month="2024-04", as_of=EARLY)
    said = caught.value.problems[0].line("zh")
    assert "从 2023-06 开始" in said and "2024-04 的上年同月" in said and "2024-06 以后" in said


def test_a_county_that_is_away_is_said_once_with_all_that_is_and_since_when(silent: Workspace) -> None:
    told = run(silent, month=date(2024, 12, 1), as_of=DAY)
    one = flag(told, "late-place")
    assert one["lost"] == {part: ["2024-11", "2024-12"] for part in ("power", "direct")}
    assert "南湖区2024年11月至12月用电和燃料数据均未到" in one["message"]["zh"]
    assert "electricity and fuels of 2024-11 to 2024-12" in one["message"]["en"]
    row = next(row for row in told["rows"] if row["place"] == "330402")
    assert (
        one["silent"] == 2 and one["carried"] == pytest.approx(row["value"]) and "已连续2个月" in one["message"]["zh"]
    )
    assert not [one for one in told["flags"] if one["rule"] in ("nowcast.late-power", "nowcast.late-direct")]
    brief = nowcast.monthly(silent, month="2024-12", as_of=DAY)
    assert "南湖区2024年11月至12月用电和燃料数据均未到" in text_of(brief)
    page = board.board(silent, place=None, as_of=date(2025, 1, 15), tree="admin")
    assert flag(page, "late-place")["lost"]["power"] == ["2024-11", "2024-12"]


def test_a_silent_cell_is_said_with_its_months_and_what_it_is_carried_at(tmp_path: Path) -> None:
    """A plant that has left is estimated until it has been silent for a year: how long, and at how much, is said."""
    gone = made(tmp_path, lambda frame: frame.filter(~(CELL & (pl.col("start") >= date(2024, 8, 1)))))
    told = run(gone, month=date(2024, 12, 1), as_of=DAY, by=("place", "sector"))
    cell = next(row for row in told["rows"] if (row["place"], row["sector"]) == ("330402", "C17"))
    late = {one["rule"]: one for one in told["flags"] if one["sector"] == "C17" and "silent" in one}
    assert set(late) == {"nowcast.late-direct", "nowcast.late-power"}
    assert sum(one["carried"] for one in late.values()) == pytest.approx(cell["value"]) and cell["value"] > 0
    assert sum(one["share"] for one in late.values()) == pytest.approx(cell["value"] / told["value"])
    for name, one in late.items():
        assert one["silent"] == 5 and one["months"] == [f"2024-{month:02d}" for month in range(8, 13)]
        part = f"{100 * one['share']:.1f}%"
        assert "2024年8月至12月" in one["message"]["zh"] and f"占合计{part}" in one["message"]["zh"], name
        assert "已连续5个月未报" in one["message"]["zh"] and "满一年未报即按零计" in one["message"]["zh"]
        assert f"Silent for 5 months, carried at {flag_words.amount(one['carried'])['en']}" in one["message"]["en"]
        opened = nowcast.open_figure(gone, **one["explain"])
        assert opened["value"] == pytest.approx(cell["value"])
    page = board.board(gone, place=None, as_of=date(2025, 1, 15), tree="admin")
    assert [one["silent"] for one in page["flags"] if one["rule"] == "nowcast.late-power"] == [5]
    report = nowcast.analyse(gone, year=2024, as_of=DAY)
    assert "已连续5个月未报" in text_of(report) and "Silent for 5 months" in text_of(report, "en")


def test_fuels_alone_that_are_away_are_said(tmp_path: Path) -> None:
    late = COUNTY & ~POWER & (pl.col("start") >= date(2024, 10, 1))
    told = run(made(tmp_path, lambda frame: frame.filter(~late)), month=date(2024, 12, 1), as_of=DAY)
    assert "南湖区2024年10月至12月燃料数据未到" in flag(told, "late-place")["message"]["zh"]


def test_the_record_is_of_the_state_of_what_is_estimated(silent: Workspace) -> None:
    seen = city.read(silent, as_of=DAY, until=date(2024, 12, 1))
    t = len(seen.months) - 1
    assert record.lateness(seen, t) == (2, 2) and record.state(seen, t) == "nothing"
    told = nowcast.run(silent, month=date(2024, 12, 1), as_of=DAY, keep=False)["record"]
    assert (told["state"], told["late"], told["power_late"]) == ("nothing", 2, 2)
    brief = nowcast.monthly(silent, month="2024-12", as_of=DAY)
    assert "估算可信度：只有部分单元未报；用电和燃料都已晚 2 个月时" in text_of(brief)
    assert f"分地区分行业平均误差为{brief['record']['error_percent']:.1f}%" in text_of(brief)
    node = nowcast.open_reason(silent, **brief["record"]["question"])
    assert node["value"] == pytest.approx(brief["record"]["error_percent"])
    fuels = city.read(silent, as_of=EARLY)
    assert record.state(fuels, len(fuels.months) - 1) == "electricity"


def test_months_of_which_nothing_came_are_named_though_later_ones_did(hole: Workspace) -> None:
    for month in (HOLE, date(2024, 12, 1)):
        one = flag(run(hole, month=month, as_of=DAY), "month-missing")
        assert one["months"] == ["2024-06"] and one["place"] == "330400"
        assert "嘉兴市2024年6月用电和燃料数据均没有收到" in one["message"]["zh"]
        assert nowcast.open_figure(hole, **one["explain"])["counted_share"] == 0
        assert "2024年6月用电和燃料数据均没有收到" in text_of(
            nowcast.monthly(hole, month=month.isoformat()[:7], as_of=DAY)
        )
    assert "当月用电和燃料均未报" in text_of(nowcast.monthly(hole, month="2024-06", as_of=DAY))
    assert flag(board.board(hole, place=None, as_of=DAY, tree="admin"), "month-missing")
    year = nowcast.analyse(hole, year=2024, as_of=LATE)
    assert "2024年6月全部未报，为估算" in year["paragraphs"]["zh"][0]["text"]
    assert "Nothing was reported of 2024-06" in year["paragraphs"]["en"][0]["text"]
    assert flag(year, "month-missing")
    early = run(hole, month=date(2024, 5, 1), as_of=DAY)
    assert not [one for one in early["flags"] if one["rule"] == "nowcast.month-missing"]


def test_a_missing_december_is_known_by_the_january_after_it(tmp_path: Path) -> None:
    workspace = made(tmp_path, lambda frame: frame.filter(pl.col("start") != date(2023, 12, 1)))
    assert flag(run(workspace, month=date(2023, 12, 1), as_of=DAY), "month-missing")["months"] == ["2023-12"]


def test_the_last_month_is_late_and_not_missing(hole: Workspace) -> None:
    seen = own(city.read(hole, as_of=DAY, until=date(2025, 1, 1)))
    assert not [one for one in flags.missing(seen, len(seen.months) - 1) if "2025-01" in one["months"]]
    seen.direct[:, -3] = np.nan
    assert {tuple(one["lost"]) for one in flags.missing(seen, len(seen.months) - 1)} == {
        ("power", "direct"), ("direct",)}  # fmt: skip


def test_months_between_two_are_a_period() -> None:
    asked = (("2024-01", "2024-12"), ("2024-06", "2024-10"), ("2024-06", "2024-06"), ("2024-01", "2024-03"))
    made = [saying.between(*ends) for ends in asked]
    assert made == ["2024", "2024-06/2024-10", "2024-06", "2024-01/2024-03"]


def test_the_brief_of_a_month_beyond_the_next_is_told(short: Workspace) -> None:
    last = city.read(short, as_of=EARLY).months[-1]
    month = city.month_after(last, 3)
    brief = nowcast.monthly(short, month=month.isoformat()[:7], as_of=EARLY)
    assert brief["value"] == pytest.approx(run(short, month=month, as_of=EARLY)["value"])
    assert "估算可信度" in text_of(brief) and not brief["record"]["partial"]
