"""The code lists, trees, sources and statistics that come with the package."""

from collections import Counter
from pathlib import Path

import pytest

from dualcarbon.core import pack as packs
from dualcarbon.core import periods, units
from dualcarbon.core.classification import load
from dualcarbon.core.reading import read_observations
from dualcarbon.core.tables import CUSTODIES, ROLES, STATUSES

PACK = "cn-jiaxing"
BOOK = load(PACK)
OBSERVATIONS = packs.rows(PACK, "observations/*")


def test_packs_extend_one_another() -> None:
    assert [packs.info(folder)["id"] for folder in packs.chain(PACK)] == ["ipcc", "cn", "cn-zhejiang", "cn-jiaxing"]


def test_the_standard_has_20_sections_and_97_divisions() -> None:
    rows = [BOOK.sectors.row(code) or {} for code in BOOK.sectors]
    divisions = [row for row in rows if row["level"] == "division"]
    assert [row["code"] for row in rows if row["level"] == "section"] == list("ABCDEFGHIJKLMNOPQRST")
    assert [row["code"][1:] for row in divisions] == [f"{number:02d}" for number in range(1, 98)]
    assert all(row["code"][0] == row["parent"] for row in divisions)
    assert all(row["name_zh"] and row["name_en"] for row in rows)


def test_every_sector_has_a_domain_and_a_category() -> None:
    for code in BOOK.sectors:
        row = BOOK.sectors.row(code) or {}
        if row["level"] != "industry-group":
            assert row["domain"] in BOOK.domains, code
            assert row["ipcc"] in BOOK.categories, code
    domains = {code: (BOOK.sectors.row(code) or {})["domain"] for code in ("D44", "C28", "F52", "G54", "A01", "HH-U")}
    assert list(domains.values()) == ["energy", "industry", "buildings", "transport", "agriculture", "residents"]


def test_units_of_carriers_and_items_can_be_read() -> None:
    for code in BOOK.carriers:
        assert units.canonical((BOOK.carriers.row(code) or {})["natural_unit"])
    for code in BOOK.items:
        row = BOOK.items.row(code) or {}
        assert row["kind"] in ("flow", "stock", "ratio")
        for unit in row["unit"].split("|"):
            assert unit == "natural" or units.canonical(unit) == unit


def test_carriers_that_belong_to_a_parent() -> None:
    kinds = {"anthracite", "bituminous_coal", "coking_coal", "lignite"}
    assert {code for code in BOOK.carriers if BOOK.carriers.parent(code) == "raw_coal"} == kinds
    assert BOOK.carriers.parent("naphtha") == "other_petroleum"
    assert BOOK.carriers.parent("biomass_waste") == "other_fuels"
    assert {(BOOK.carriers.row(code) or {})["nbs_code"] for code in BOOK.carriers} == {""}  # no form code was seen


def test_thirty_one_provinces_in_seven_regions() -> None:
    provinces = BOOK.places.children("CN")
    regions = [code for code in BOOK.places if code.startswith("CN-")]
    assert len(provinces) == 31
    assert len(regions) == 7
    assert sorted(child for region in regions for child in BOOK.places.children(region, "grid")) == sorted(provinces)


def test_every_cited_source_exists_and_says_how_it_is_known() -> None:
    cited = {
        row["source"]
        for name in ("place_edges", "datasets", "factors/*", "observations/*", "facts", "entities", "capacities")
        for row in packs.rows(PACK, name)
    }
    assert cited - {""} <= set(BOOK.sources)
    for code in BOOK.sources:
        row = BOOK.sources.row(code) or {}
        assert row["status"] in STATUSES
        assert row["title_zh"] and row["title_en"] and row["evidence"], code


@pytest.mark.parametrize("name", ["datasets", "factors/*", "facts", "entities", "capacities", "exceptions", "domains"])
def test_statuses_are_known(name: str) -> None:
    assert {row["status"] for row in packs.rows(PACK, name)} <= set(STATUSES)


def test_nothing_claims_more_than_its_source() -> None:
    rank = {status: number for number, status in enumerate(STATUSES)}
    for row in [*packs.rows(PACK, "factors/*"), *packs.rows(PACK, "datasets"), *packs.rows(PACK, "facts")]:
        source = BOOK.sources.row(row["source"]) or {}
        assert rank[row["status"]] >= rank[source["status"]], (row["_file"], row["_line"])


def test_official_means_that_the_text_was_read() -> None:
    official = {code for code in BOOK.sources if (BOOK.sources.row(code) or {})["status"] == "official"}
    assert official == {"mee-power-2023", "mee-footprint-2024"}


def test_statistics_are_control_totals_that_anybody_may_see() -> None:
    assert OBSERVATIONS
    for row in OBSERVATIONS:
        where = (Path(row["_file"]).name, row["_line"])
        dataset = BOOK.datasets.row(row["dataset"])
        assert dataset and (dataset["role"], dataset["custody"]) == ("control", "public"), where
        assert dataset["role"] in ROLES and row["custody"] in CUSTODIES
        assert row["place"] in BOOK.places, where
        assert row["item"] in BOOK.items, where
        assert not row["sector"] or row["sector"] in BOOK.sectors, where
        assert not row["process"] or row["process"] in BOOK.terms["process"], where
        assert periods.parse(row["period"]).start.year >= 2015, where
        unit = (BOOK.items.row(row["item"]) or {})["unit"]
        if unit == "natural":
            unit = (BOOK.carriers.row(row["carrier"]) or {})["natural_unit"]
        assert units.ratio(units.canonical(row["unit"]), unit) > 0, where


def value(
    item: str, period: str, place: str = "330400", sector: str = "", dataset: str = "jiaxing-statistics"
) -> float:
    """The one published value of this key."""
    found = [
        row["value"]
        for row in OBSERVATIONS
        if (row["dataset"], row["item"], row["period"], row["place"], row["sector"])
        == (dataset, item, period, place, sector)
    ]
    assert len(found) == 1, (item, period, place, sector, found)
    return float(found[0])


@pytest.mark.parametrize("year", ["2015", "2017", "2020", "2021", "2022"])
def test_the_three_industries_add_up_to_the_gdp(year: str) -> None:
    parts = [value("economy.value_added", year, sector=sector) for sector in ("I1", "I2", "I3")]
    assert sum(parts) == pytest.approx(value("economy.gdp", year), abs=0.005)


def test_the_nine_areas_add_up_to_the_city() -> None:
    areas = BOOK.places.children("330400", "management")
    total = sum(value("economy.gdp", "2021", area, dataset="jiaxing-statistics-management") for area in areas)
    assert total == pytest.approx(6354.18)
    assert value("economy.gdp", "2021") - total == pytest.approx(1.10)


def test_the_seven_counties_add_up_to_the_city() -> None:
    total = sum(
        value("population.resident", "2021-12-31", county, dataset="jiaxing-statistics-county")
        for county in BOOK.places.children("330400")
    )
    assert total == pytest.approx(551.59)
    assert value("population.resident", "2021-12-31") == 551.60


def test_preliminary_and_final_values_stand_apart() -> None:
    assert value("economy.gdp", "2020") == 5509.52
    assert value("economy.gdp", "2020", dataset="jiaxing-statistics-final") == 5563.58
    assert value("economy.gdp", "2021") == 6355.28
    assert value("economy.gdp", "2021", dataset="jiaxing-statistics-final") == 6388.38
    quality = {(row["dataset"], row["quality"]) for row in OBSERVATIONS if row["item"] == "economy.gdp"}
    assert {word for dataset, word in quality if dataset.endswith("-final")} == {"最终核实", "修订"}
    assert not {word for dataset, word in quality if not dataset.endswith("-final")} & {"最终核实", "修订"}


def test_values_on_the_management_boundary_say_so() -> None:
    for row in OBSERVATIONS:
        tree = (BOOK.datasets.row(row["dataset"]) or {})["tree"]
        assert (row["basis"] == "management") == (tree == "management")
        assert row["place"] == "330400" or row["basis"] == "management" or BOOK.places.within(row["place"], "admin")


def test_no_key_of_a_dataset_occurs_twice() -> None:
    keys = Counter(
        tuple(row[column] for column in ("dataset", "place", "sector", "carrier", "item", "process", "basis", "period"))
        for row in OBSERVATIONS
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_a_figure_without_a_year_is_a_fact_and_no_observation() -> None:
    facts = packs.rows(PACK, "facts")
    tongxiang = [row for row in facts if row["source"] == "tongxiang-power"]
    assert len(tongxiang) == 12
    assert {row["period_text"] for row in tongxiang} == {"1-9月（页面未印年份）"}
    assert {row["status"] for row in tongxiang} == {"unverified"}
    assert not [row for row in OBSERVATIONS if row["source"] in ("tongxiang-power", "county-area")]
    assert all(row["reason"] for row in facts)


def test_the_two_big_plants() -> None:
    plants = {row["code"]: row for row in packs.rows(PACK, "entities")}
    assert {code: (row["place"], row["sector"], row["dispatch"]) for code, row in plants.items()} == {
        "qinshan": ("330424-qinshan", "D44", "统调"),
        "jxdc": ("330482-jxdc", "D44", "统调"),
    }
    capacities = [
        (row["entity"], row["process"], float(row["value"]), row["unit"], row["from"], row["to"])
        for row in packs.rows(PACK, "capacities")
    ]
    assert capacities == [
        ("qinshan", "nuclear", 6660.0, "MW", "", ""),
        ("jxdc", "coal", 5300.0, "MW", "", "2025-06-21"),
        ("jxdc", "coal", 6300.0, "MW", "2025-06-22", ""),
    ]


def test_six_domains_each_with_a_responsible_unit_in_the_city() -> None:
    assert list(BOOK.domains) == ["energy", "industry", "buildings", "transport", "agriculture", "residents"]
    assert all((BOOK.domains.row(code) or {})["responsible"] for code in BOOK.domains)


@pytest.mark.parametrize("path", packs.files(PACK, "observations/*.csv"), ids=lambda path: path.stem)
def test_statistics_are_read_like_any_file(path: Path) -> None:
    reading = read_observations(path, pack=PACK)
    assert reading.problems == []
    assert reading.frame.height == len(packs.read_rows(path))
