"""Annual truth, totals and indicators as bad as they come: said, with a wider interval, and no absurd estimate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.nowcast import panel
from dualcarbon.nowcast.annual import files, replay
from dualcarbon.nowcast.annual.forecast import Forecaster
from tests.nowcast import world
from tests.nowcast.test_backtest import method

Change = Callable[[pl.DataFrame], pl.DataFrame]
AT = (pl.col("place") == "P03") & (pl.col("period") == "2020")


def same(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def times(factor: float, where: pl.Expr) -> Change:
    return lambda frame: frame.with_columns(pl.when(where).then(pl.col("value") * factor).otherwise("value"))


def without(where: pl.Expr) -> Change:
    return lambda frame: frame.filter(~where)


def summed(frame: pl.DataFrame) -> pl.DataFrame:
    """With the sum of all places as a place of its own."""
    keys = [name for name in frame.columns if name not in ("place", "value")]
    whole = frame.group_by(keys, maintain_order=True).agg(pl.col("value").sum()).with_columns(place=pl.lit("ALL"))
    return pl.concat([frame, whole.select(frame.columns)])


def written(folder: Path, months: Change = same, years: Change = same, whole: bool = False) -> tuple[Path, Path]:
    monthly, annual = world.make()
    add = summed if whole else same
    months(add(monthly)).write_csv(folder / "monthly.csv")
    years(add(annual)).write_csv(folder / "annual.csv")
    return folder / "monthly.csv", folder / "annual.csv"


def cell(paths: tuple[Path, Path], place: str = "P03", year: int = 2021) -> tuple[float, float]:
    """The chosen estimate of a place at twelve months, and its half-width."""
    seen, known = (files.read(path) for path in paths)
    factors, _ = files.fuel_factors(seen.monthly, "tCO2", "cn-jiaxing")
    made = panel.build(seen.monthly, known.annual, factors, truth_unit="tCO2", until=year)
    told = replay.outlook(Forecaster(made), year, 12, 1)
    k = next(n for n, one in enumerate(made.cells) if one["place"] == place)
    return float(told.estimates[replay.SELECTED][k]), float(told.widths[replay.SELECTED][90][k])


def said(document: dict[str, Any]) -> dict[str, Any]:
    return {one.rule.removeprefix("nowcast."): one for one in document["statements"]}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return written(tmp_path_factory.mktemp("clean"))


@pytest.mark.parametrize(("change", "rule"), [
    (times(1000, AT), "wrong-truth"), (times(0.0, AT), "zero-year"), (times(0.1, AT), "wrong-truth"),
    (times(-1.0, AT), "negative-truth"), (lambda frame: frame.filter(~AT), "missing-truth"),
    (lambda frame: frame.filter((pl.col("place") != "P03") | (pl.col("period") < "2019")), "missing-truth"),
])  # fmt: skip
def test_a_wrong_or_missing_year_is_said_and_estimated_from_the_one_before(
    tmp_path: Path, clean: tuple[Path, Path], change: Change, rule: str
) -> None:
    paths = written(tmp_path, years=change)
    document = nowcast.backtest(*paths, years=[2021], months=[12])
    told = said(document)[rule]
    assert told.value == "P03" and "2020" in told.line("zh") and "2020" in told.line("en")
    (value, half), (usual, narrow) = cell(paths), cell(clean)
    assert abs(value / usual - 1) < 0.1 and half > 1.15 * narrow
    before = nowcast.backtest(*clean, years=[2021], months=[12])
    assert method(document)["mape"]["12"] < method(before)["mape"]["12"] + 1


def test_a_level_that_has_changed_is_used_from_its_second_year(tmp_path: Path) -> None:
    later = (pl.col("place") == "P03") & (pl.col("period") >= "2018")
    paths = written(tmp_path, years=times(5.0, later))
    told = said(nowcast.backtest(*paths, years=[2021], months=[12]))
    assert "2018" in told["wrong-truth"].line("zh") and "2019" not in told["wrong-truth"].line("zh")
    truth = float(pl.read_csv(paths[1]).filter((pl.col("place") == "P03") & (pl.col("period") == 2021))["value"][0])
    assert abs(cell(paths)[0] / truth - 1) < 0.25


def test_years_are_judged_by_earlier_ones_alone() -> None:
    rng = np.random.default_rng(0)
    truth = np.exp(np.cumsum(rng.normal(0, 0.05, (20, 15)), 1))
    truth[3, 6] *= 40
    truth[4, 9:] = 0.0
    whole = panel.doubted(truth)
    assert whole[3].tolist() == [n == 6 for n in range(15)] and whole[4].tolist() == [n == 9 for n in range(15)]
    for end in range(1, 16):
        assert (panel.doubted(truth[:, :end]) == whole[:, :end]).all()


def test_a_gap_makes_no_region_of_the_sum(tmp_path: Path) -> None:
    for n, change in enumerate((same, times(1000, AT), lambda frame: frame.filter(~AT))):
        (folder := tmp_path / str(n)).mkdir()
        document = nowcast.backtest(*written(folder, years=change, whole=True), years=[2021], months=[12])
        assert document["excluded"] == ["ALL"] and document["regions"] == 12
    (folder := tmp_path / "gone").mkdir()
    gone = written(folder, years=lambda frame: frame.filter(pl.col("place") != "P03"), whole=True)
    document = nowcast.backtest(*gone, years=[2021], months=[12])
    assert document["excluded"] == ["ALL"] and document["regions"] == 11
    assert "P03" in said(document)["no-truth"].line("zh")


@pytest.mark.parametrize("first", ["2014-03", "2015-02", "2014"])
def test_a_wrong_unit_in_the_first_year_is_named_and_not_the_right_months(tmp_path: Path, first: str) -> None:
    wrong = (pl.col("place") == "P03") & pl.col("period").str.starts_with(first) & (pl.col("carrier") == "electricity")
    document = nowcast.backtest(*written(tmp_path, times(1000, wrong)), years=[2021], months=[12])
    told = said(document)["wrong-month"].line("zh")
    assert "P03的电力（industry、services）" in told and first in told
    assert ("12 个月" if first == "2014" else "1 个月") in told and "2016" not in told


def test_a_month_missing_everywhere_is_said_once(tmp_path: Path) -> None:
    gone = (pl.col("period") == "2020-05") & (pl.col("carrier") == "natural_gas")
    document = nowcast.backtest(*written(tmp_path, lambda frame: frame.filter(~gone)), years=[2021], months=[12])
    assert "2020-05" in said(document)["missing-everywhere"].line("zh") and "missing-month" not in said(document)


def test_an_indicator_that_a_place_or_nobody_has_is_missed(tmp_path: Path, clean: tuple[Path, Path]) -> None:
    mine = pl.col("place") == "P03"
    for n, carrier in enumerate(("natural_gas", "electricity")):
        (folder := tmp_path / str(n)).mkdir()
        gone = written(folder, without(mine & (pl.col("carrier") == carrier)))
        told = said(nowcast.backtest(*gone, years=[2021], months=[12]))["no-indicator"]
        assert told.value == "P03" and ("天然气", "电力")[n] in told.line("zh")
    assert cell(gone)[1] > 1.2 * cell(clean)[1]
    (folder := tmp_path / "none").mkdir()
    nothing = written(folder, lambda frame: frame.filter(pl.col("carrier") != "electricity"))
    assert "no-electricity" in said(nowcast.backtest(*nothing, years=[2021], months=[12]))


@pytest.mark.parametrize(("factor", "rule"), [
    (100.0, "total-doubtful"), (1.2, "total-far"), (0.0, "total-doubtful"), (None, "total-missing"),
])  # fmt: skip
def test_a_total_that_is_wrong_or_lacking_in_a_year_is_not_used_there(
    tmp_path: Path, clean: tuple[Path, Path], factor: float | None, rule: str
) -> None:
    annual = summed(pl.read_csv(clean[1], schema_overrides={"period": pl.String})).filter(pl.col("place") == "ALL")
    at = pl.col("period") == "2021"
    (annual.filter(~at) if factor is None else times(factor, at)(annual)).write_csv(tmp_path / "total.csv")
    asked: dict[str, Any] = {"years": [2020, 2021], "months": [12]}
    document = nowcast.backtest(*clean, total=tmp_path / "total.csv", **asked)
    line = said(document)[rule].line("zh")
    assert "2021" in line and "2020" not in line
    free = nowcast.backtest(*clean, **asked)
    errors = [method(one)["by_year"]["12"]["2021"] for one in (document, free)]
    assert errors[0] == pytest.approx(20, abs=3) if factor == 1.2 else errors[0] == pytest.approx(errors[1], abs=0.5)
    good = tmp_path / "good.csv"
    annual.write_csv(good)
    assert (
        not {"total-doubtful", "total-far", "total-missing"}
        & said(nowcast.backtest(*clean, total=good, **asked)).keys()
    )


def test_a_place_all_zero_is_not_believed_by_waiting(tmp_path: Path, clean: tuple[Path, Path]) -> None:
    paths = written(tmp_path, times(0.0, (pl.col("place") == "P03") & (pl.col("period") >= "2020-07")))
    document = nowcast.backtest(*paths, years=[2021], months=[12])
    lines = [one.line("zh") for one in document["statements"] if one.value == "P03"]
    assert len(lines) == 2 and all("同时为零" in line and "18 个月" in line and "还是未报" in line for line in lines)
    assert all("未采用，所检验年份的区间放宽" in line and "单位" not in line for line in lines)
    (value, half), (usual, narrow) = cell(paths), cell(clean)
    assert abs(value / usual - 1) < 0.3 and half > 1.5 * narrow
    one = written(tmp_path, times(0.0, (pl.col("place") == "P03") & (pl.col("carrier") == "natural_gas")
                                  & (pl.col("period") >= "2020-07")))  # fmt: skip
    assert "2 个月" in said(nowcast.backtest(*one, years=[2021], months=[12]))["wrong-month"].line("zh")


def test_a_large_move_of_a_steady_series_is_used_and_said(tmp_path: Path) -> None:
    where = (pl.col("place") == "P03") & (pl.col("period") == "2021-05") & (pl.col("sector") == "services")
    document = nowcast.backtest(*written(tmp_path, times(3.5, where)), years=[2021], months=[12])
    assert "2021-05" in said(document)["large-move"].line("zh") and "wrong-month" not in said(document)


@pytest.mark.parametrize(("wrong", "years"), [
    ("2016|2017", "2016、2017"), ("2014|2015", "2014、2015"), ("2014", "2014"),
])  # fmt: skip
def test_wrong_years_are_named_and_not_the_right_ones_after_them(
    tmp_path: Path, clean: tuple[Path, Path], wrong: str, years: str
) -> None:
    at = (pl.col("place") == "P03") & pl.col("period").str.contains(wrong)
    paths = written(tmp_path, years=times(1000, at))
    told = said(nowcast.backtest(*paths, years=[2021], months=[12]))["wrong-truth"].line("zh")
    assert f"相差异常：{years} 年" in told
    (value, half), (usual, narrow) = cell(paths), cell(clean)
    assert value == pytest.approx(usual, rel=0.05) and half < 1.5 * narrow


def test_a_sector_that_lacks_a_year_is_said_beside_one_that_is_wrong(tmp_path: Path, clean: tuple[Path, Path]) -> None:
    annual = pl.read_csv(clean[1], schema_overrides={"period": pl.String})
    parts = [annual.with_columns(sector=pl.lit(name)) for name in ("industry", "services")]
    bad = AT & (pl.col("sector") == "industry")
    frame = times(1000, bad)(pl.concat(parts)).filter(~(AT & (pl.col("sector") == "services")))
    frame.write_csv(tmp_path / "annual.csv")
    document = nowcast.backtest(clean[0], tmp_path / "annual.csv", years=[2021], months=[12])
    about = {one.rule.removeprefix("nowcast."): one.line("en") for one in document["statements"]}
    assert "industry" in about["wrong-truth"] and "services" in about["missing-truth"]


def test_a_sum_known_for_longer_than_its_parts_is_no_crash(tmp_path: Path) -> None:
    longer = written(tmp_path, years=without((pl.col("place") != "ALL") & (pl.col("period") == "2023")), whole=True)
    document = nowcast.backtest(*longer, months=[12])
    assert document["excluded"] == ["ALL"] and document["regions"] == 12


def test_cells_come_to_the_total_though_one_lacks_its_latest_year(tmp_path: Path, clean: tuple[Path, Path]) -> None:
    sums = []
    for paths in (clean, written(tmp_path, years=without(AT))):
        seen, known = (files.read(path) for path in paths)
        factors, _ = files.fuel_factors(seen.monthly, "tCO2", "cn-jiaxing")
        made = panel.build(seen.monthly, known.annual, factors, truth_unit="tCO2", until=2021)
        annual = {year: float(np.nansum(made.actual(year))) for year in made.truth_years}
        annual[2021] *= 1.05
        told = replay.outlook(Forecaster(made), 2021, 12, 1, replay.Total(annual))
        sums.append({name: float(np.nansum(value)) for name, value in told.estimates.items() if name != "last_value"})
    assert sums[0]["ridge"] == pytest.approx(sums[0]["selected"])
    assert sums[1]["ridge"] == pytest.approx(sums[1]["selected"])


def test_a_year_that_nobody_has_is_said_once(tmp_path: Path) -> None:
    paths = written(tmp_path, years=without(pl.col("period") == "2020"))
    told = said(nowcast.backtest(*paths, years=[2021], months=[12]))
    assert "2020" in told["missing-year"].line("zh") and "missing-truth" not in told


def test_what_all_places_have_of_a_year_is_said_once(tmp_path: Path) -> None:
    for year in ("2020", "2021"):  # a year before the target, and the target itself
        paths = written(tmp_path, years=times(0.0, pl.col("period") == year))
        told = nowcast.backtest(*paths, years=[2021], months=[12])["statements"]
        (one,) = [one for one in told if "202" in one.line("zh")]
        assert one.rule == "nowcast.zero-year" and one.value is None
        assert f"各地区的年度核算值为零，此前不为零：{year} 年" in one.line("zh") and "All places: " in one.line("en")
