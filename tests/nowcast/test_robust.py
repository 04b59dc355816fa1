"""Bad data cost a statement and a wider interval, never a crash or an absurd cell."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import screening
from tests.nowcast.test_run import DATASET, EARLY, rows

CELL = (pl.col("place") == "330402-rest") & (pl.col("sector") == "C17")
POWER = pl.col("carrier") == "electricity"
OCTOBER = pl.col("start") == date(2024, 10, 1)


def estimate(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame) -> dict[str, Any]:
    made = Workspace.create(folder)
    made.import_frame(change(rows()), source={"file": "generator"}, dataset=DATASET)
    return nowcast.run(made, as_of=EARLY, by=("place", "sector"), record=0, keep=False)


def said(made: dict[str, Any]) -> set[tuple[str, str]]:
    """Rules of the statements with the place each is about."""
    return {(flag["rule"], flag["place"]) for flag in made["flags"]}


def cell(made: dict[str, Any]) -> dict[str, Any]:
    return next(row for row in made["rows"] if (row["place"], row["sector"]) == ("330402", "C17"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return estimate(tmp_path_factory.mktemp("clean") / "workspace")


def times(factor: float, where: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.when(where).then(pl.col("value") * factor).otherwise("value"))


def test_a_negative_meter_is_refused_at_the_door_and_not_used_inside(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        estimate(tmp_path / "w", times(-1.0, CELL & POWER & OCTOBER))
    assert "不能为负数" in caught.value.problems[0].line("zh")
    values = np.full((3, 36), 5.0)
    values[1, 30] = -2.0
    months = [date(2022 + t // 12, t % 12 + 1, 1) for t in range(36)]
    kept, doubts = screening.screened(values, months, "power")
    assert np.isnan(kept[1, 30]) and np.isfinite(np.delete(kept.ravel(), 66)).all()
    assert [(one.cell, one.month, one.negative) for one in doubts] == [(1, date(2024, 7, 1), True)]


def test_a_wrong_month_is_named_and_not_used(tmp_path: Path, clean: dict[str, Any]) -> None:
    made = estimate(tmp_path / "w", times(1e4, CELL & POWER & OCTOBER))
    usual, mine, rule = cell(clean), cell(made), "nowcast.doubtful-power"
    assert rule in {(flag["rule"]) for flag in made["flags"] if (flag["place"], flag["sector"]) == ("330402", "C17")}
    assert 0.7 * usual["value"] < mine["value"] < 1.4 * usual["value"]
    assert mine["high"] - mine["low"] > usual["high"] - usual["low"]
    others = [row for row in made["rows"] if row["explain"] != mine["explain"]]
    assert sum(row["value"] for row in others) == pytest.approx(clean["value"] - usual["value"], rel=0.02)
    assert "按估算计入" in next(flag for flag in made["flags"] if flag["rule"] == rule)["message"]["zh"]


def test_a_missing_month_widens_the_interval(tmp_path: Path, clean: dict[str, Any]) -> None:
    made = estimate(tmp_path / "w", lambda frame: frame.filter(~(CELL & POWER & OCTOBER)))
    usual, mine = cell(clean), cell(made)
    assert 0.7 * usual["value"] < mine["value"] < 1.4 * usual["value"]
    assert mine["high"] - mine["low"] > usual["high"] - usual["low"] and mine["counted_share"] == 0
    assert ("nowcast.late-power", "330402") in said(made) - said(clean)


def test_a_county_that_is_late_is_estimated_and_asked_for(tmp_path: Path, clean: dict[str, Any]) -> None:
    county = pl.col("place") == "330481-rest"
    made = estimate(tmp_path / "w", lambda frame: frame.filter(~(county & POWER & OCTOBER)))
    assert "nowcast.late-place" in {flag["rule"] for flag in made["flags"] if flag["place"] == "330481"}
    assert made["value"] == pytest.approx(clean["value"], rel=0.1)
    assert made["high"] - made["low"] > clean["high"] - clean["low"]


def test_a_county_that_never_reports_is_no_cell_and_takes_nothing_from_the_others(
    tmp_path: Path, clean: dict[str, Any]
) -> None:
    made = estimate(tmp_path / "w", lambda frame: frame.filter(pl.col("place") != "330481-rest"))
    assert ("nowcast.place-absent", "330481") in said(made) - said(clean) and "330481" in made["absent"]
    assert "合计不含" in next(flag["message"]["zh"] for flag in made["flags"] if flag["place"] == "330481")
    gone = sum(row["value"] for row in clean["rows"] if row["place"] == "330481")
    assert "330481" not in {row["place"] for row in made["rows"]}
    assert made["value"] == pytest.approx(clean["value"] - gone, rel=0.02)


def test_a_series_of_zeros_stays_zero_and_is_asked_about(tmp_path: Path, clean: dict[str, Any]) -> None:
    made = estimate(tmp_path / "w", times(0.0, CELL))
    assert cell(made)["value"] == 0 and np.isfinite(made["value"])
    assert ("nowcast.all-zero", "330402") in said(made) - said(clean)


def test_two_years_only(tmp_path: Path, clean: dict[str, Any]) -> None:
    made = estimate(tmp_path / "w", lambda frame: frame.filter(pl.col("start") >= date(2023, 1, 1)))
    assert made["value"] == pytest.approx(clean["value"], rel=0.15)
    assert made["high"] - made["low"] > clean["high"] - clean["low"]
    assert all(0 <= row["low"] <= row["value"] <= row["high"] for row in made["rows"] if row["low"] is not None)
    assert "nowcast.short-history" in {rule for rule, _ in said(made) - said(clean)}


def test_a_new_level_that_stays_is_believed(tmp_path: Path) -> None:
    made = estimate(tmp_path / "w", times(8.0, CELL & (pl.col("start") >= date(2024, 6, 1))))
    assert cell(made)["change_percent"] > 300
    assert not {flag["rule"] for flag in made["flags"]} & {"nowcast.doubtful-power", "nowcast.doubtful-direct"}


def test_a_month_nobody_has_spoken_of_is_estimated_and_never_zero(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    near = nowcast.run(made, as_of=EARLY, month=date(2024, 10, 1), record=0, keep=False)
    far = nowcast.run(made, as_of=EARLY, month=date(2025, 10, 1), record=0, keep=False)
    assert far["counted_share"] == 0 and 0.5 * near["value"] < far["value"] < 2 * near["value"]
    assert far["low"] < far["value"] < far["high"]
    with pytest.raises(Refused) as caught:
        nowcast.run(made, as_of=EARLY, month=date(2031, 1, 1), record=0, keep=False)
    assert caught.value.problems[0].rule == "nowcast.too-far"
