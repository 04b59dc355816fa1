"""Heat networks: balances, bounds of practice, pairs over the county line, coal counted once."""

import polars as pl
import pytest

from dualcarbon.demo.city import City


@pytest.fixture(scope="module")
def rows(city: City) -> pl.DataFrame:
    return city.observations.filter(pl.col("dataset") == "demo-city").with_columns(
        pl.col("start").dt.year().alias("year")
    )


@pytest.fixture(scope="module")
def plants(city: City) -> list[str]:
    return city.entities.filter(pl.col("kind") == "heat-plant")["code"].to_list()


def bought(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter((pl.col("item") == "energy.purchased") & (pl.col("carrier") == "heat"))


def by(rows: pl.DataFrame, item: str, *keys: str, carrier: str = "heat", process: str | None = None) -> pl.DataFrame:
    chosen = rows.filter(
        (pl.col("item") == item) & (pl.col("carrier") == carrier) & (pl.col("entity").str.starts_with("SYN-N"))
    )
    if process:
        chosen = chosen.filter(pl.col("process") == process)
    return chosen.group_by("entity", *keys).agg(pl.col("value").sum()).sort("entity", *keys)


def test_heat_supplied_is_bought_or_lost_in_every_month(rows: pl.DataFrame) -> None:
    sold = bought(rows).group_by(pl.col("counterparty").alias("entity"), "start").agg(pl.col("value").sum())
    sold = sold.sort("entity", "start")
    supplied, lost = by(rows, "energy.heat_supplied", "start"), by(rows, "energy.heat_loss", "start")
    assert supplied.select("entity", "start").equals(sold.select("entity", "start"))
    assert (supplied["value"] - sold["value"] - lost["value"]).abs().max() < 0.002


def test_networks_have_the_size_and_loss_of_practice(rows: pl.DataFrame, plants: list[str]) -> None:
    assert 20 <= len(plants) <= 30
    supplied, lost = by(rows, "energy.heat_supplied", "year"), by(rows, "energy.heat_loss", "year")
    assert set(supplied["entity"]) == set(plants)
    assert supplied["value"].min() >= 1.5e6 and supplied["value"].max() <= 8e6
    rate = lost["value"] / supplied["value"]
    assert rate.min() >= 0.06 and rate.max() <= 0.12
    power = by(rows, "energy.generation", "year", carrier="electricity")
    ratio = supplied["value"] / (3.6 * power["value"])
    assert ratio.min() >= 3 and ratio.max() <= 9
    users = bought(rows).group_by("counterparty").agg(pl.col("entity").n_unique())
    assert users["entity"].min() >= 30 and users["entity"].max() <= 120


def test_every_purchase_names_its_supplier_and_two_networks_cross_a_county_line(rows: pl.DataFrame) -> None:
    sold = bought(rows)
    assert sold["counterparty"].is_not_null().all() and sold["counterparty_place"].is_not_null().all()
    where = dict(rows.filter(pl.col("entity").str.starts_with("SYN-N")).select("entity", "place").unique().iter_rows())
    assert all(
        where[code] == place for code, place in sold.select("counterparty", "counterparty_place").unique().iter_rows()
    )
    crossing = sold.filter(pl.col("place").str.slice(0, 6) != pl.col("counterparty_place").str.slice(0, 6))
    assert crossing["counterparty"].n_unique() == 2


def test_coal_of_a_plant_matches_its_outputs_and_counts_once(rows: pl.DataFrame) -> None:
    heat = by(rows, "energy.transformation_output", "year")
    power = by(rows, "energy.transformation_output", "year", carrier="electricity")
    burned = by(rows, "energy.combustion", "year", carrier="bituminous_coal")
    used = by(rows, "energy.consumption", "year", carrier="bituminous_coal")
    put_in = by(rows, "energy.transformation_input", "year", carrier="bituminous_coal")
    assert (burned["value"] - used["value"]).abs().max() < 0.02
    assert (burned["value"] - put_in["value"]).abs().max() < 0.02
    sludge = by(rows, "energy.combustion", "year", carrier="sludge")
    assert 5 <= sludge["entity"].n_unique() < 22
    fuel = burned.join(sludge, on=["entity", "year"], how="left", suffix="_sludge")
    energy = fuel["value"] * 19.57 + fuel["value_sludge"].fill_null(0.0) * 8.4
    efficiency = (heat["value"] + 3.6 * power["value"]) / energy
    assert efficiency.min() >= 0.75 and efficiency.max() <= 0.90
    for_heat = by(rows, "energy.combustion", "year", carrier="bituminous_coal", process="heat")
    share = heat["value"] / (heat["value"] + 3.6 * power["value"])
    assert (for_heat["value"] / burned["value"] - share).abs().max() < 0.01
    users = bought(rows)["entity"].unique()
    plants_only = rows.filter((pl.col("process") == "heat") & (pl.col("item") == "energy.combustion"))
    assert set(plants_only["entity"]).isdisjoint(set(users))


def test_heat_used_by_the_city_is_what_was_bought_and_made(rows: pl.DataFrame) -> None:
    used = rows.filter((pl.col("item") == "energy.consumption") & (pl.col("carrier") == "heat"))["value"].sum()
    own = rows.filter(
        (pl.col("item") == "energy.transformation_output")
        & (pl.col("carrier") == "heat")
        & ~pl.col("entity").str.starts_with("SYN-N")
    )["value"].sum()
    assert abs(used - own - bought(rows)["value"].sum()) < 1.0
