"""The generated tables: the same each time, honest labels, the structure that an account relies on."""

import os
import subprocess
import sys
from datetime import date

import polars as pl

from dualcarbon.core.checks import check_observations
from dualcarbon.core.classification import load
from dualcarbon.core.tables import ENTITY, KEY, OBSERVATION
from dualcarbon.demo.city import MOVED_FROM, MOVED_ON, MOVED_TO, City, datasets
from dualcarbon.demo.firms import sample

CITY, ECONOMY, CONTROL, TARGET = "demo-city", "demo-economy", "demo-control", "demo-target"
WEATHER = "demo-weather"
#: Brands and firms of the region and the country that no invented name may contain.
KNOWN = [
    "桐昆",
    "新凤鸣",
    "恒逸",
    "晶科",
    "福莱特",
    "巨石",
    "卫星化学",
    "三江化工",
    "景兴",
    "民丰",
    "嘉化",
    "闻泰",
    "敏实",
    "天通",
    "火星人",
    "兴兴新能源",
    "石化集团",
    "秦山",
    "正泰",
    "隆基",
    "阿特斯",
    "吉利",
    "海宁皮城",
    "合盛",
    "荣盛",
    "传化",
    "加西贝拉",
    "友邦",
    "麒盛",
    "安费诺",
    "华友",
    "五芳斋",
]


def of(city: City, **wanted: str) -> pl.DataFrame:
    return city.observations.filter(pl.col("dataset") == CITY, **wanted)


def test_same_seed_same_bytes_in_another_process(city: City) -> None:
    code = "from dualcarbon.demo.city import generate; print(generate().fingerprint())"
    env = os.environ | {"PYTHONHASHSEED": "7", "POLARS_MAX_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert told.stdout.strip() == city.fingerprint()


def test_another_seed_gives_other_firms() -> None:
    assert not sample(7).equals(sample())
    assert sample().equals(sample())


def test_rows_have_the_schema_and_say_that_they_are_synthetic(city: City) -> None:
    for frame in (city.observations, city.revision):
        assert dict(frame.schema) == OBSERVATION
        assert frame["quality"].unique().to_list() == ["synthetic"]
        assert frame["source"].unique().to_list() == ["demo-generator"]
        assert frame["value"].is_not_null().all()
        assert (frame.filter(pl.col("dataset") != WEATHER)["value"] > 0).all() and (frame["value"] >= 0).all()
        assert frame["known_at"].is_not_null().all()
    assert {row["status"] for row in datasets()} == {"synthetic"}
    named = {row["id"] for row in datasets()}
    assert named == set(city.observations["dataset"].unique()) == {CITY, ECONOMY, CONTROL, TARGET, WEATHER}
    assert 150_000 <= len(city.observations) <= 350_000


def test_the_checks_of_an_import_find_nothing(city: City) -> None:
    assert check_observations(city.observations, control=[CONTROL, TARGET]) == []
    assert not city.observations.select(KEY).is_duplicated().any()


def test_rows_stand_at_leaves_of_place_sector_and_carrier(city: City) -> None:
    book = load("cn-jiaxing")
    rows = city.observations.filter(~pl.col("dataset").is_in([CONTROL, TARGET, WEATHER]))
    places = set(rows["place"]) | set(rows["counterparty_place"].drop_nulls())
    assert all(book.places.leaves(code) == frozenset([code]) for code in places)
    assert all(book.places.leaves(code, "management") == frozenset([code]) for code in places)
    assert "330424-xingxing" not in places
    for codes, used in ((book.sectors, rows["sector"]), (book.carriers, rows["carrier"])):
        parents = {codes.parent(code) for code in codes}
        assert set(used.drop_nulls().unique()).isdisjoint(parents)
        assert all(code in codes for code in used.drop_nulls().unique())
    assert all(code in book.items for code in rows["item"].unique())
    assert set(rows.filter(pl.col("sector").is_not_null())["domain"]) == set(book.domains)


def test_names_are_invented_and_unique(city: City) -> None:
    assert dict(city.entities.schema) == ENTITY
    assert city.entities["code"].is_unique().all() and city.entities["name"].is_unique().all()
    firms = city.entities.filter(pl.col("kind").is_in(["enterprise", "heat-plant", "heat-user", "legal-entity"]))
    assert firms["name"].str.contains("拟").all()
    assert not [name for name in firms["name"] for known in KNOWN if known in name]
    real = city.entities.filter(pl.col("status") != "synthetic")
    assert sorted(real["code"]) == ["jxdc", "qinshan"] and set(real["dispatch"]) == {"统调"}
    assert set(city.entities.filter(pl.col("kind") == "heat-plant")["dispatch"]) == {"地方"}
    assert "自备" in set(city.entities["dispatch"])


def test_weights_of_the_firms_in_being_at_the_end_sum_to_the_population(city: City) -> None:
    sampled = city.entities.filter(pl.col("weight").is_not_null())
    assert len(sampled) == 600
    assert abs(sampled.filter(pl.col("to").is_null())["weight"].sum() - 6500) < 1e-6
    entries = sampled["from"].drop_nulls().filter(sampled["from"].drop_nulls().dt.year() > 2000)
    assert len(entries) > 10 and set(entries.dt.month()) == {1}
    assert len(sampled["to"].drop_nulls()) > 10
    groups = sampled.filter(pl.col("legal_entity").str.starts_with("SYN-G"))
    counties = groups.group_by("legal_entity").agg(pl.col("place").str.slice(0, 6).n_unique().alias("counties"))
    assert (counties["counties"] > 1).sum() >= 4


def test_every_entity_of_a_row_is_known_and_reports_only_while_in_being(city: City) -> None:
    rows = city.observations.filter(pl.col("entity").is_not_null())
    joined = rows.join(city.entities, left_on="entity", right_on="code", how="left", suffix="_of")
    assert joined["name"].is_not_null().all()
    assert joined.filter(
        (pl.col("start") < pl.col("from")) | (pl.col("end").dt.offset_by("-1d") > pl.col("to"))
    ).is_empty()
    suppliers = set(rows["counterparty"].drop_nulls())
    assert suppliers <= set(city.entities["code"])


def test_the_rest_is_the_sample_times_weight_less_one(city: City) -> None:
    bought = of(city, item="energy.purchased", carrier="electricity", sector="C34").filter(
        pl.col("place") == "330483-rest"
    )
    weights = city.entities.select(pl.col("code").alias("entity"), "weight", "kind")
    rows = bought.join(weights, on="entity")
    sample = rows.filter(pl.col("kind") == "enterprise").group_by("start")
    expected = sample.agg((pl.col("value") * (pl.col("weight") - 1)).sum().alias("expected")).sort("start")
    rest = rows.filter(pl.col("kind") == "unsampled").sort("start")
    assert len(rest) == 36
    assert (rest["value"] - expected["expected"]).abs().max() < 0.001


def test_electricity_used_is_what_was_bought_and_made(city: City) -> None:
    keys = ["place", "entity", "sector", "domain", "start"]
    electricity = of(city, carrier="electricity")
    sources = electricity.filter(pl.col("item").is_in(["energy.purchased", "energy.self_generated"]))
    had = sources.group_by(keys).agg(pl.col("value").sum().alias("had"))
    used = electricity.filter(pl.col("item") == "energy.consumption").join(had, on=keys, how="full", nulls_equal=True)
    assert (used["value"] - used["had"]).abs().max() < 0.0011
    assert used["value"].null_count() == used["had"].null_count() == 0


def test_fuel_used_is_what_was_burned_and_what_was_feedstock(city: City) -> None:
    keys = ["place", "entity", "sector", "carrier", "start"]
    fuels = of(city).filter(~pl.col("carrier").is_in(["electricity", "heat", "sludge"]))
    ways = fuels.filter(pl.col("item").is_in(["energy.combustion", "energy.feedstock"]))
    went = ways.group_by(keys).agg(pl.col("value").sum().alias("went"))
    used = fuels.filter(pl.col("item") == "energy.consumption").group_by(keys).agg(pl.col("value").sum())
    both = used.join(went, on=keys, how="full", nulls_equal=True)
    assert (both["value"] - both["went"]).abs().max() < 0.0011
    assert both["value"].null_count() == both["went"].null_count() == 0


def test_a_firm_moves_and_its_rows_follow_the_site(city: City) -> None:
    rows = of(city, item="energy.purchased", carrier="electricity").filter(pl.col("entity").str.starts_with("SYN-E"))
    movers = rows.group_by("entity").agg(pl.col("place").n_unique().alias("places")).filter(pl.col("places") > 1)
    assert len(movers) == 1
    mine = rows.filter(pl.col("entity") == movers["entity"][0])
    assert set(mine.filter(pl.col("start") < MOVED_ON)["place"]) == {MOVED_FROM}
    assert set(mine.filter(pl.col("start") >= MOVED_ON)["place"]) == {MOVED_TO}


def test_the_revision_changes_known_rows_later(city: City) -> None:
    keys = [name for name in KEY]
    both = city.revision.join(city.observations, on=keys, how="left", nulls_equal=True, suffix="_before")
    assert len(city.revision) == 12 and both["value_before"].is_not_null().all()
    assert (both["value"] < both["value_before"]).all()
    assert (both["known_at"] > both["known_at_before"]).all()


def test_the_economy_adds_up_and_stays_apart(city: City) -> None:
    rows = city.observations.filter(pl.col("dataset") == ECONOMY)
    gdp = rows.filter(pl.col("item") == "economy.gdp")
    added = rows.filter(pl.col("item") == "economy.value_added").group_by("place", "start").agg(pl.col("value").sum())
    both = gdp.join(added, on=["place", "start"], suffix="_added")
    assert len(both) == len(gdp) == 12 * 12
    assert (both["value"] - both["value_added"]).abs().max() < 1.0
    yearly = gdp.group_by(pl.col("start").dt.year().alias("year")).agg(pl.col("value").sum() / 1e4).sort("year")
    assert all(abs(value - aim) < 20 for value, aim in zip(yearly["value"], (6739, 7075, 7520), strict=True))
    months = rows.filter(pl.col("item") == "economy.industrial_value_added_above_scale")
    assert months["start"].n_unique() == 36


def test_control_totals_stand_a_little_beside_the_sum_and_add_up(city: City) -> None:
    control = city.observations.filter(pl.col("dataset") == CONTROL)
    whole = control.filter(pl.col("sector").is_null())
    months = whole.filter((pl.col("end") - pl.col("start")).dt.total_days() < 32)
    assert len(months) == 8 * 36 and len(whole) == 8 * 39
    used = of(city, item="energy.consumption", carrier="electricity").group_by("start").agg(pl.col("value").sum())
    both = months.filter(pl.col("place") == "330400").join(used, on="start", suffix="_used")
    gap = both["value"] / both["value_used"] - 1
    assert -0.01 < gap.min() < gap.max() < 0.025 and gap.abs().min() > 0
    yearly = whole.filter((pl.col("end") - pl.col("start")).dt.total_days() > 300)
    city_year = yearly.filter(pl.col("place") == "330400")["value"].sum()
    assert city_year == yearly.filter(pl.col("place") != "330400")["value"].sum()
    assert city_year == months.filter(pl.col("place") == "330400")["value"].sum()


def test_yearly_targets_of_the_counties_sum_to_the_city(city: City) -> None:
    rows = city.observations.filter(pl.col("dataset") == TARGET)
    whole = rows.filter(pl.col("place") == "330400")["value"].sum()
    assert whole == rows.filter(pl.col("place") != "330400")["value"].sum() == 50_400_000
    assert set(rows["known_at"]) == {date(2024, 3, 1)} and set(rows["item"]) == {"target.emission.co2"}


def test_bounds_enclose_the_values_and_what_is_expanded_errs_together(city: City) -> None:
    for rows in (of(city), city.revision):
        assert rows["low"].is_not_null().all() and rows["high"].is_not_null().all()
        assert rows.filter(~((pl.col("low") <= pl.col("value")) & (pl.col("value") <= pl.col("high")))).is_empty()
    rest = of(city).filter(pl.col("entity").str.starts_with("SYN-U"))
    assert (rest["error_group"] == rest["entity"]).all()
    assert of(city, entity="SYN-E001")["error_group"].null_count() == of(city, entity="SYN-E001").height
    assert city.observations.filter(pl.col("dataset") != CITY)["low"].null_count() == (
        city.observations.filter(pl.col("dataset") != CITY).height
    )
