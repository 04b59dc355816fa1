"""The city as an insider judges it: levels, sizes, carrier mixes, seasons, plants."""

from datetime import date

import polars as pl
import pytest

from dualcarbon.demo.city import City
from dualcarbon.demo.figures import portrait
from dualcarbon.demo.tables import read

TCE = dict(read("carriers").select("carrier", "tce").iter_rows())


def rows(city: City, **wanted: str) -> pl.DataFrame:
    return city.observations.filter(pl.col("dataset") == "demo-city", **wanted)


@pytest.fixture(scope="module")
def years(city: City) -> list[dict]:
    return portrait(city.observations, city.entities)


def test_city_totals_lie_in_the_known_ranges(years: list[dict]) -> None:
    assert [year["year"] for year in years] == [2022, 2023, 2024]
    for year in years:
        assert 62 <= year["electricity_twh"] <= 72
        assert 0.72 <= year["industry_share"] <= 0.78
        assert 24 <= year["energy_mtce"] <= 30
        assert 0.65 <= year["above_scale_share"] <= 0.75
        assert 15 <= year["firms_100k"] <= 25 and 15 <= year["firms_100k_calorific"] <= 25
        assert 450 <= year["firms_5k"] <= 600
        assert 0.42 <= year["top20_share"] <= 0.58 and 0.42 <= year["top20_share_calorific"] <= 0.58


def test_the_festival_moves_and_the_summer_is_hot(years: list[dict]) -> None:
    months = {year["year"]: year["months"] for year in years}
    lowest = {year: changes.index(min(changes)) + 1 for year, changes in months.items()}
    assert lowest == {2022: 2, 2023: 1, 2024: 2}
    assert all(-0.35 <= months[year][1] <= -0.25 for year in (2022, 2024))
    assert all(0.12 <= months[year][month] <= 0.20 for year in months for month in (6, 7))


@pytest.mark.parametrize(
    ("words", "mix"),
    [
        ("化纤|纤维有限|差别化纤维", {"electricity": (45, 60), "natural_gas": (25, 40)}),
        ("印染|染整|数码印花", {"heat": (55, 70), "natural_gas": (10, 20), "electricity": (15, 25)}),
        ("纸业|造纸", {"heat": (60, 75), "electricity": (25, 40)}),
        ("光伏玻璃", {"natural_gas": (75, 90)}),
        ("光伏科技|太阳能|储能", {"electricity": (85, 95)}),
    ],
)
def test_carrier_mixes_of_lines(city: City, words: str, mix: dict[str, tuple[int, int]]) -> None:
    firms = city.entities.filter((pl.col("kind") == "enterprise") & pl.col("name").str.contains(words))["code"]
    used = rows(city, item="energy.consumption").filter(pl.col("entity").is_in(firms.to_list()))
    own_plant = rows(city, item="energy.transformation_input").select("entity", "start", "carrier", own=pl.col("value"))
    own = own_plant.group_by("entity", "start", "carrier").agg(pl.col("own").sum())
    used = used.join(own, on=["entity", "start", "carrier"], how="left")
    final = (pl.col("value") - pl.col("own").fill_null(0.0)) * pl.col("carrier").replace_strict(TCE)
    shares = used.group_by("carrier").agg(final.sum().alias("tce"))
    total = shares["tce"].sum()
    found = {carrier: 100 * tce / total for carrier, tce in shares.iter_rows()}
    assert all(low <= found[carrier] <= high for carrier, (low, high) in mix.items()), found


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [
        ("化纤|纤维有限|差别化纤维", 3000, 300000),
        ("印染|染整|数码印花", 1500, 20000),
        ("纸业|造纸", 20000, 400000),
        ("光伏玻璃", 80000, 300000),
        ("光伏科技|太阳能|储能", 5000, 150000),
        ("皮革|制革|鞋业", 100, 3000),
    ],
)
def test_sizes_of_lines(city: City, words: str, low: float, high: float) -> None:
    firms = city.entities.filter(
        (pl.col("kind") == "enterprise") & pl.col("name").str.contains(words) & pl.col("to").is_null()
    )["code"]
    sign = pl.when(pl.col("item") == "energy.consumption").then(1.0).otherwise(-1.0)
    used = rows(city).filter(
        pl.col("entity").is_in(firms.to_list())
        & pl.col("item").is_in(["energy.consumption", "energy.transformation_output"])
        & (pl.col("start") >= date(2024, 1, 1))
    )
    tce = used.group_by("entity").agg((pl.col("value") * sign * pl.col("carrier").replace_strict(TCE)).sum())
    assert len(tce) > 0
    assert tce["value"].min() >= 0.97 * low and tce["value"].max() <= 1.03 * high


def test_machinery_falls_by_two_fifths_in_the_festival_month_and_glass_never_stops(city: City) -> None:
    bought = rows(city, item="energy.consumption", carrier="electricity")

    def february(who: pl.Expr) -> float:
        months = bought.filter(who & (pl.col("start").dt.year() == 2024)).group_by("start").agg(pl.col("value").sum())
        months = months.sort("start")["value"]
        return months[1] / months.mean() - 1

    glass = city.entities.filter(pl.col("name").str.contains("光伏玻璃"))["code"].to_list()
    assert -0.45 <= february(pl.col("sector").is_in(["C34", "C35", "C19"])) <= -0.35
    assert -0.22 <= february(pl.col("sector") == "C28") <= -0.10
    assert february(pl.col("entity").is_in(glass)) > -0.10


def test_the_real_plants_agree_with_their_public_capacities(city: City) -> None:
    made = rows(city, item="energy.generation").filter(pl.col("entity").is_in(["jxdc", "qinshan"]))
    yearly = made.group_by("entity", pl.col("start").dt.year().alias("year")).agg(pl.col("value").sum() / 1e6)
    for entity, _, twh in yearly.iter_rows():
        low, high = (50, 54) if entity == "qinshan" else (22, 29)
        assert low <= twh <= high
    hours = (pl.col("end") - pl.col("start")).dt.total_hours()
    capacity = pl.col("entity").replace_strict({"jxdc": 5300, "qinshan": 6660})
    assert made.filter(pl.col("value") > hours * capacity).is_empty()
    assert dict(made.select("entity", "place").unique().iter_rows()) == {
        "jxdc": "330482-jxdc",
        "qinshan": "330424-qinshan",
    }
    coal = made.filter(pl.col("entity") == "jxdc").with_columns(pl.col("start").dt.month().alias("month"))
    season = coal.group_by("month").agg(pl.col("value").mean()).sort("month")["value"]
    assert min(season[6], season[7], season[0], season[11]) > max(season[3], season[4], season[9])
    fuel = rows(city, item="energy.combustion", entity="jxdc")["value"].sum()
    assert 0.38 <= coal["value"].sum() * 3.6 / (fuel * 19.57) <= 0.43


def test_carbonates_and_clinker(city: City) -> None:
    carbonate = rows(city, item="material.carbonate")
    assert {"limestone", "dolomite", "soda_ash"} == set(carbonate["carrier"])
    clinker = rows(city, item="material.clinker")
    assert clinker["entity"].n_unique() == 1
    assert all(
        150_000 <= total <= 350_000
        for total in clinker.group_by(pl.col("start").dt.year()).agg(pl.col("value").sum())["value"]
    )
