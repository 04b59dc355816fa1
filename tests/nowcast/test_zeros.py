"""Months reported as zero where the cell never was: not used, said, estimated; believed when they stay."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.core.workspace import Workspace
from tests.nowcast.test_run import DATASET, rows

DAY, MONTH = date(2024, 12, 15), date(2024, 10, 1)
COUNTY = pl.col("place") == "330402-rest"


def zeroed(folder: Path, which: pl.Expr) -> Workspace:
    made = Workspace.create(folder)
    frame = rows().with_columns(pl.when(which).then(0.0).otherwise("value").alias("value"))
    made.import_frame(frame, source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return zeroed(tmp_path_factory.mktemp("whole") / "w", pl.lit(False))


def test_a_county_of_zeros_is_estimated_and_said_once(tmp_path: Path, whole: Workspace) -> None:
    made = zeroed(tmp_path / "w", COUNTY & (pl.col("start") == MONTH))
    told, fine = (nowcast.run(one, as_of=DAY, month=MONTH, record=0, keep=False) for one in (made, whole))
    row, true = (next(one for one in side["rows"] if one["place"] == "330402") for side in (told, fine))
    assert true["value"] == pytest.approx(row["value"], rel=0.2) and row["counted_share"] < 0.2
    assert row["low"] < true["value"] < row["high"] and told["low"] < fine["value"] < told["high"]
    about = [one for one in told["flags"] if one["place"] == "330402"]
    assert [one["rule"] for one in about] == ["nowcast.zero-place"] and "多为零" in about[0]["message"]["zh"]


def test_a_cell_that_drops_to_zero_is_named(tmp_path: Path, whole: Workspace) -> None:
    made = zeroed(tmp_path / "w", COUNTY & (pl.col("sector") == "C17") & (pl.col("start") == MONTH))
    told = nowcast.run(made, as_of=DAY, month=MONTH, record=0, keep=False)
    assert {one["rule"] for one in told["flags"] if one["place"] == "330402"} == {
        "nowcast.zero-direct", "nowcast.zero-power"}  # fmt: skip
    assert told["value"] == pytest.approx(nowcast.run(whole, as_of=DAY, month=MONTH, record=0, keep=False)["value"],
                                          rel=0.05)  # fmt: skip


def test_a_stop_is_believed_when_it_stays(tmp_path: Path) -> None:
    since = pl.col("start").is_between(date(2024, 8, 1), MONTH)
    made = zeroed(tmp_path / "w", COUNTY & (pl.col("sector") == "C17") & since)
    told = nowcast.run(made, as_of=DAY, month=MONTH, record=0, by=["place", "sector"], keep=False)
    row = next(one for one in told["rows"] if (one["place"], one["sector"]) == ("330402", "C17"))
    assert row["value"] == 0 and row["counted_share"] == 1


def test_rows_that_came_after_the_day_that_nobody_named_are_said(whole: Workspace, tmp_path: Path) -> None:
    made = zeroed(tmp_path / "w", pl.lit(False))
    first = rows().filter(COUNTY & (pl.col("sector") == "C17") & (pl.col("start") == date(2024, 3, 1)))
    later = first.with_columns(value=pl.col("value") * 1.1, known_at=date(2025, 6, 1))
    made.import_frame(later, source={"file": "correction"}, dataset=DATASET, revise="meter")
    told = nowcast.run(made, record=0, keep=False)
    assert told["later"]["rows"] == later.height and told["later"]["day"] == date(2025, 6, 1)
    assert "2025年6月1日" in told["later"]["message"]["zh"]
    assert nowcast.run(made, as_of=date(2025, 6, 1), month=MONTH, record=0, keep=False)["later"] is None
    assert nowcast.run(whole, record=0, keep=False)["later"] is None
    text = "".join(part["text"] for part in nowcast.analyse(made, year=2024)["paragraphs"]["zh"])
    assert "没有计入" in text


def test_a_part_that_was_never_reported_is_no_zero(tmp_path: Path) -> None:
    power = pl.col("item") == "energy.purchased"
    alone, one = (Workspace.create(tmp_path / name) for name in ("alone", "one"))
    alone.import_frame(rows().filter(power), source={"file": "generator"}, dataset=DATASET)
    one.import_frame(rows().filter(power | ~COUNTY), source={"file": "generator"}, dataset=DATASET)
    counted = nowcast.run(alone, as_of=DAY, month=date(2024, 6, 1), keep=False)
    assert counted["direct"] is None and counted["value"] == counted["indirect"] > 0 and not counted["complete"]
    said = {(flag["rule"], flag["place"]) for flag in counted["flags"]}
    assert ("nowcast.never-direct", "330400") in said
    guessed = nowcast.run(alone, as_of=date(2024, 11, 2), month=MONTH, keep=False)
    assert guessed["low"] < guessed["value"] and not any("counted" in row["methods"] for row in guessed["rows"])
    for told in (counted, guessed):  # fuels are not waited for: with electricity in hand nothing is estimated
        assert told["record"]["state"] == "nothing" and list(told["record"]["states"]) == ["nothing"]
        assert told["record"]["total"]["months"] > 12
    told = nowcast.run(one, as_of=DAY, month=date(2024, 6, 1), record=0, keep=False)
    rows_ = {row["place"]: row for row in told["rows"]}
    assert rows_["330402"]["direct"] is None and not rows_["330402"]["complete"] and not told["complete"]
    assert rows_["330411"]["direct"] > 0 and rows_["330411"]["complete"] and told["direct"] > 0
    assert [flag["place"] for flag in told["flags"] if flag["rule"] == "nowcast.never-direct"] == ["330402"]
    brief, year = nowcast.monthly(alone, month="2024-06", as_of=DAY), nowcast.analyse(one, year=2023, as_of=DAY)
    first, line = brief["paragraphs"]["zh"][0]["text"], year["paragraphs"]["zh"][0]["text"]
    assert "合计不完整" in first and "嘉兴市从未按月报送燃料，合计不含这部分排放。" in first
    assert "南湖区从未按月报送燃料，合计不含这部分排放。" in line and "因子" not in line
    node = nowcast.open_figure(one, place="330402", month="2024-06", as_of=DAY, city="330400")
    assert node["parts"][0]["value"] is None and not node["complete"]


def test_one_large_place_away_is_not_the_whole_city(tmp_path: Path) -> None:
    weight = pl.when(COUNTY).then(20.0).otherwise(1.0)
    frame = rows().with_columns(value=pl.col("value") * weight).filter(~COUNTY | (pl.col("start") < date(2024, 5, 1)))
    made = Workspace.create(tmp_path / "w")
    made.import_frame(frame, source={"file": "generator"}, dataset=DATASET)
    told = nowcast.run(made, as_of=DAY, month=MONTH, record=0, keep=False)
    said = {(flag["rule"], flag["place"]) for flag in told["flags"]}
    assert ("nowcast.late-place", "330402") in said and not any("-since" in rule for rule, _ in said)
    few = Workspace.create(tmp_path / "few")
    kept = ~pl.col("place").str.starts_with("3304") | COUNTY | (pl.col("start") < date(2024, 5, 1))
    few.import_frame(rows().filter(kept), source={"file": "generator"}, dataset=DATASET)
    told = nowcast.run(few, as_of=DAY, month=MONTH, record=0, keep=False)
    (flag,) = [flag for flag in told["flags"] if flag["rule"] == "nowcast.no-data-since"]
    assert "排放占多数的地区没有收到" in flag["message"]["zh"] and "此后各月大多为估算" in flag["message"]["zh"]


def test_fuels_of_the_city_at_large_or_by_quarter(tmp_path: Path) -> None:
    """What is recorded for the city as a whole is any county's; quarters cannot be followed by month."""
    fuels = pl.col("item") == "energy.combustion"
    large, quarters = (Workspace.create(tmp_path / name) for name in ("large", "quarters"))
    whole = rows().with_columns(place=pl.when(fuels).then(pl.lit("330400")).otherwise("place"))
    keys = [name for name in whole.columns if name != "value"]
    large.import_frame(whole.group_by(keys).agg(pl.col("value").sum()), source={"file": "g"}, dataset=DATASET)
    told = nowcast.run(large, as_of=DAY, month=date(2024, 6, 1), record=0, keep=False)
    assert told["complete"] and not any("never" in flag["rule"] for flag in told["flags"])
    start = pl.col("start").dt.truncate("1q")
    spans = {"start": start, "end": start.dt.offset_by("3mo"), "known_at": start.dt.offset_by("4mo")}
    own = rows().filter(COUNTY & fuels).with_columns(**spans)
    own = own.group_by([name for name in own.columns if name != "value"]).agg(pl.col("value").sum())
    frame = pl.concat([rows().filter(~(COUNTY & fuels)), own.select(rows().columns)])
    quarters.import_frame(frame, source={"file": "g"}, dataset=DATASET)
    told = nowcast.run(quarters, as_of=DAY, month=date(2024, 6, 1), record=0, keep=False)
    (flag,) = [flag for flag in told["flags"] if flag["rule"] == "nowcast.never-direct"]
    assert flag["place"] == "330402" and "从未按月报送" in flag["message"]["zh"] and not told["complete"]
