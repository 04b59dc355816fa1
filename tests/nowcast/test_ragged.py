"""Indicators that end early, begin late or change later; totals with gaps, empty years and steep falls."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dualcarbon.nowcast import backtest, denton
from dualcarbon.nowcast.annual.spread import shape
from tests.nowcast import world

GAS, PERIOD = pl.col("carrier") == "natural_gas", pl.col("period")


def replayed(folder: Path, monthly: pl.DataFrame, annual: pl.DataFrame, **asked):
    """The back-test of two frames, and its entry of a method."""
    folder.mkdir(exist_ok=True)
    monthly.write_csv(folder / "monthly.csv")
    annual.write_csv(folder / "annual.csv")
    made = backtest(folder / "monthly.csv", folder / "annual.csv", **asked)
    return made, {one["method"]: one for one in made["methods"]}


def test_months_that_have_not_come_are_no_zeros(tmp_path: Path) -> None:
    monthly, annual = world.make(places=8)
    asked = {"years": [2023], "months": [12]}
    whole, before = replayed(tmp_path / "a", monthly, annual, **asked)
    for number, late in enumerate((GAS & (PERIOD > "2023-10"), PERIOD > "2023-10")):
        made, after = replayed(tmp_path / f"b{number}", monthly.filter(~late), annual, **asked)
        assert after["selected"]["mape"]["12"] < before["selected"]["mape"]["12"] + 0.5
        assert after["selected"]["width90"]["12"] > before["selected"]["width90"]["12"]
        told = [one.params["months"] for one in made["statements"] if one.rule == "nowcast.late-indicator"]
        assert len(told) == (1, 2)[number] and all(one["zh"] == "2023-11、2023-12" for one in told)
    assert not any(one.rule == "nowcast.late-indicator" for one in whole["statements"])


def test_a_fuel_first_seen_in_the_middle_of_a_year_is_no_growth(tmp_path: Path) -> None:
    monthly, annual = world.make(places=8)
    late = monthly.filter(~(GAS & (PERIOD < "2019-07")))
    made = replayed(tmp_path, late, annual, years=[2020, 2021], months=[12])[1]["counted_rest"]
    assert max(made["by_year"]["12"].values()) < 5


def test_nothing_later_decides_what_is_a_sum(tmp_path: Path) -> None:
    """A sum known as such before the year asked for stays one, and zeros that come later excuse nothing before."""
    monthly, annual = world.make(places=8)
    annual = annual.filter(PERIOD <= "2019")
    gas = monthly.filter(GAS)
    other = gas.with_columns(sector=pl.lit("homes"), value=pl.col("value") * 0.4)
    keys = ["place", "carrier", "item", "period", "unit"]
    total = pl.concat([gas, other]).group_by(keys, maintain_order=True).agg(pl.col("value").sum())
    total = total.with_columns(sector=pl.lit("all")).select(monthly.columns)
    usual = pl.concat([monthly, other, total])
    after = (PERIOD > "2019-06") & GAS & (pl.col("sector") == "all")
    moved = usual.with_columns(value=pl.when(after).then(pl.col("value") * 1.02).otherwise(pl.col("value")))
    zeros = usual.with_columns(value=pl.when(PERIOD > "2022-06").then(0.0).otherwise(pl.col("value")))
    scores = []
    for number, frame in enumerate((usual, moved, zeros)):
        made = replayed(tmp_path / str(number), frame, annual, years=[2019], months=[6])[1]
        scores.append({name: (one["mape"], one["coverage90"]) for name, one in made.items()})
    assert scores[0] == scores[1] == scores[2]


def test_a_total_that_lacks_the_year_before_is_left_out_by_month(tmp_path: Path) -> None:
    monthly, annual = world.make(places=8)
    totals = annual.group_by("period").agg(pl.col("value").sum()).sort("period")
    rows = [
        {"place": "ALL", "item": "emission.co2", "period": f"{year}-{m:02d}", "value": value / 12, "unit": "tCO2"}
        for year, value in totals.iter_rows()
        for m in range(1, 13)
        if year != "2020"
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "total.csv")
    made = replayed(tmp_path, monthly, annual, years=[2021, 2022], months=[12], total=tmp_path / "total.csv")[0]
    assert made["monthly"]["years"] == [2022]


def test_a_year_without_indicator_takes_the_months_of_the_others() -> None:
    profile = 1e6 * (1 + 0.1 * np.arange(12))
    indicator = np.concatenate([profile, np.zeros(12), profile])[None]
    made = denton.denton_cholette(np.array([[profile.sum()] * 3]), indicator)
    assert np.allclose(made.reshape(3, 12), profile)
    assert np.allclose(denton.denton_cholette(np.array([[12.0, 24.0]]), np.zeros((1, 24))).sum(), 36)


def files(folder: Path, totals: dict[str, dict[int, float]]) -> tuple[Path, Path]:
    years = range(2018, 2024)
    annual = [(p, "emission.co2", str(y), v, "tCO2") for p, by in totals.items() for y, v in by.items()]
    monthly = [(p, "electricity", "energy.consumption", f"{y}-{m:02d}", 100.0 + m, "MWh")
               for p in totals for y in years for m in range(1, 13)]  # fmt: skip
    pl.DataFrame(annual, ["place", "item", "period", "value", "unit"], orient="row").write_csv(folder / "t.csv")
    head = ["place", "carrier", "item", "period", "value", "unit"]
    pl.DataFrame(monthly, head, orient="row").write_csv(folder / "i.csv")
    return folder / "t.csv", folder / "i.csv"


@pytest.mark.parametrize("method", ["denton", "chow-lin"])
def test_a_gap_costs_a_place_only_the_years_before_it(tmp_path: Path, method: str) -> None:
    even = dict.fromkeys(range(2018, 2024), 1200.0)
    made = shape(*files(tmp_path, {"A": even, "B": {y: v for y, v in even.items() if y != 2019}}), method=method)
    assert [(one["years"], one["left_out"]) for one in made["series"]] == [([2018, 2023], []), ([2020, 2023], [2018])]
    rows = pl.DataFrame(made["rows"]).with_columns(year=pl.col("period").str.slice(0, 4))
    sums = rows.group_by("place", "year").agg(pl.col("value").sum())
    assert sums.height == 6 + 4 and np.allclose(sums["value"], 1200)


def test_no_month_becomes_negative_where_totals_fall_steeply(tmp_path: Path) -> None:
    steep = {2018: 1200.0, 2019: 1200.0, 2020: 12.0, 2021: 1200.0, 2022: 1200.0, 2023: 1200.0}
    made = shape(*files(tmp_path, {"A": steep, "B": dict.fromkeys(steep, 1200.0)}))
    assert [(one["method"], one["plausible"]) for one in made["series"]] == [("pro_rata", False), ("denton", True)]
    rows = pl.DataFrame(made["rows"])
    assert rows["value"].min() > 0
    low = rows.filter((pl.col("place") == "A") & pl.col("period").str.starts_with("2020"))
    assert low["value"].sum() == pytest.approx(12)


def test_a_wrong_unit_is_not_believed_by_staying(tmp_path: Path) -> None:
    monthly, annual = world.make(places=8)
    power = (pl.col("place") == "P00") & (pl.col("carrier") == "electricity") & (PERIOD >= "2022-07")
    for factor, believed in ((1e4, False), (8.0, True)):
        wrong = monthly.with_columns(value=pl.when(power).then(pl.col("value") * factor).otherwise(pl.col("value")))
        made = replayed(tmp_path / str(factor), wrong, annual, years=[2022, 2023], months=[12])[0]
        told = {one.rule for one in made["statements"] if one.value == "P00"}
        assert ("nowcast.new-level" in told) == believed and "nowcast.wrong-month" in told


@pytest.mark.parametrize("which", ["monthly", "annual"])
def test_a_unit_that_nobody_knows_is_said(tmp_path: Path, which: str) -> None:
    monthly, annual = world.make(places=4)
    bananas = pl.lit("bananas")
    if which == "monthly":
        monthly = monthly.with_columns(unit=pl.when(GAS).then(bananas).otherwise(pl.col("unit")))
    else:
        annual = annual.with_columns(unit=bananas)
    made = replayed(tmp_path, monthly, annual, years=[2022], months=[12])[0]
    assert made["counted"] == []
    assert [one.value for one in made["statements"] if one.rule == "nowcast.not-counted"] == ["natural_gas"]
