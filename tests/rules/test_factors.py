"""Factor values, methods and accounts that come with the package."""

from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from dualcarbon.core import pack as packs
from dualcarbon.core import units
from dualcarbon.core.classification import load
from dualcarbon.core.problems import Refused
from dualcarbon.engine import methods
from dualcarbon.engine.catalogue import find_factors
from dualcarbon.engine.factors import load_parameters

PACK = "cn-jiaxing"
BOOK = load(PACK)
ROWS = packs.rows(PACK, "factors/*")
PARAMETERS = {entry["id"]: entry for entry in packs.documents(PACK, "parameters")}
EXCEPTIONS = {(row["parameter"], row["carrier"]): row for row in packs.rows(PACK, "exceptions")}
FUEL = ("fuel.ncv", "fuel.carbon_content", "fuel.oxidation")
METHODS = methods.method_files(PACK)


def fuels(family: str) -> dict[str, dict[str, list[dict[str, str]]]]:
    """carrier → parameter → rows of one family."""
    found: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in ROWS:
        if row["parameter"] in FUEL and row["family"] == family:
            found[row["carrier"]][row["parameter"]].append(row)
    return found


def one(parameter: str, **key: str) -> dict[str, str]:
    """The one row of a parameter with these cells."""
    found = [row for row in ROWS if row["parameter"] == parameter and all(row[k] == v for k, v in key.items())]
    assert len(found) == 1, (parameter, key, len(found))
    return found[0]


def test_every_factor_row_is_declared_and_keyed() -> None:
    for row in ROWS:
        where = f"{Path(row['_file']).name}:{row['_line']}"
        parameter = PARAMETERS[row["parameter"]]
        assert row["source"] in BOOK.sources, where
        assert row["place"] in BOOK.places, where
        assert bool(row["family"]) == bool(parameter.get("family")), where
        assert {key for key in ("entity", "sector", "carrier", "gas", "equipment") if row[key]} <= set(
            parameter["keys"]
        ), where
        for key, book in (("carrier", BOOK.carriers), ("sector", BOOK.sectors), ("equipment", BOOK.terms["equipment"])):
            assert not row[key] or row[key] in book, where
        if "/gas" not in parameter["unit"]:
            natural = (BOOK.carriers.row(row["carrier"]) or {}).get("natural_unit", "")
            wanted = parameter["unit"].replace("natural", natural)
            assert units.ratio(units.canonical(row["unit"]), wanted) == pytest.approx(1), where
        assert not row["low"] or float(row["low"]) <= float(row["value"]) <= float(row["high"]), where


@pytest.mark.parametrize("family", ["provincial-2025", "enterprise", "enterprise-ndrc"])
def test_every_fuel_of_a_family_has_all_three_factors(family: str) -> None:
    assert fuels(family)
    for carrier, found in fuels(family).items():
        assert set(found) == set(FUEL), carrier
        assert len(found["fuel.ncv"]) == len(found["fuel.carbon_content"]) == 1, carrier


@pytest.mark.parametrize("family", ["provincial-2025", "enterprise", "enterprise-ndrc"])
def test_co2_per_heat_lies_in_the_guard_or_is_signed_off(family: str) -> None:
    for carrier, found in fuels(family).items():
        content = float(found["fuel.carbon_content"][0]["value"])
        if not 40 <= content * 44 / 12 <= 125:
            assert EXCEPTIONS["fuel.carbon_content", carrier]["reason"], carrier
    low, high = PARAMETERS["fuel.carbon_content"]["bounds"]
    assert (low * 44 / 12, high * 44 / 12) == (pytest.approx(40, abs=0.01), pytest.approx(125, abs=0.01))


@pytest.mark.parametrize(
    ("carrier", "expected"),
    [("gasoline", 2.9251), ("diesel", 3.0959), ("natural_gas", 21.6219), ("bituminous_coal", 1.7417),
     ("lignite", 1.1729), ("coke", 2.8604), ("petroleum_coke", 3.2115), ("crude_oil", 3.0202), ("fuel_oil", 3.1705),
     ("lng", 2.8313), ("lpg", 3.1013), ("blast_furnace_gas", 8.4811), ("converter_gas", 15.1240),
     ("coke_oven_gas", 8.8638), ("hydrogen", 0.0)],
)  # fmt: skip
def test_provincial_fuels_give_the_published_co2(carrier: str, expected: float) -> None:
    ncv, cc, of = (float(fuels("provincial-2025")[carrier][parameter][0]["value"]) for parameter in FUEL)
    assert ncv * cc / 1000 * of * 44 / 12 == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("carrier", "expected"),
    [("anthracite", 2.3228), ("bituminous_coal", 2.0715), ("coke", 2.8518), ("diesel", 3.1451), ("lng", 2.3253),
     ("natural_gas", 21.6219), ("other_gas", 2.3179), ("benzol", 3.4109), ("briquette", 1.936)],
)  # fmt: skip
def test_older_enterprise_fuels_give_the_published_co2(carrier: str, expected: float) -> None:
    ncv, cc, of = (float(fuels("enterprise-ndrc")[carrier][parameter][0]["value"]) for parameter in FUEL)
    assert ncv * cc / 1000 * of * 44 / 12 == pytest.approx(expected, abs=6e-5)


def test_solids_of_the_enterprise_family_oxidise_by_equipment() -> None:
    for carrier in ("anthracite", "lignite", "coke", "coal_gangue", "coal_slime"):
        rates = {row["equipment"]: row["value"] for row in fuels("enterprise")[carrier]["fuel.oxidation"]}
        assert rates == {"cement_kiln": "0.99", "power_boiler": "0.95", "industrial_boiler": "0.85"}


def test_power_factors_are_complete() -> None:
    provinces = set(BOOK.places.children("CN")) - {"540000"}  # none is published for Tibet
    regions = {code for code in BOOK.places if code.startswith("CN-")}
    for year, status, known in (
        ("2021", "secondary", "2024-04-12"),
        ("2022", "secondary", "2024-12-20"),
        ("2023", "official", "2025-12-31"),
    ):
        rows = [row for row in ROWS if row["parameter"] == "power.co2" and row["valid_from"] == year]
        assert {row["place"] for row in rows} == provinces | regions | {"CN"}
        assert len(rows) == 38
        assert {(row["valid_to"], row["status"], row["known_at"]) for row in rows} == {(year, status, known)}


@pytest.mark.parametrize(
    ("parameter", "place", "values"),
    [
        ("power.co2", "330000", ("0.5422", "0.5153", "0.4974")),
        ("power.co2", "CN", ("0.5568", "0.5366", "0.5306")),
        ("power.co2", "CN-EC", ("0.5992", "0.5617", "0.5500")),
        ("power.co2.residual", "CN", ("0.5942", "0.5856", "0.6096")),
        ("power.co2.fossil", "CN", ("0.8426", "0.8325", "0.8273")),
    ],
)
def test_power_factors_of_the_three_years(parameter: str, place: str, values: tuple[str, ...]) -> None:
    found = [one(parameter, place=place, valid_from=year)["value"] for year in ("2021", "2022", "2023")]
    assert tuple(found) == values  # public copies swap the vintages of 2021 and 2022


def test_one_kind_of_power_factor_never_stands_in_for_another() -> None:
    kinds = ("power.co2", "power.co2.residual", "power.co2.fossil", "power.co2.ets", "power.footprint")
    assert set(kinds) <= set(PARAMETERS)
    assert PARAMETERS["power.footprint"]["unit"] == "tCO2e/MWh"  # life cycle, no CO2 factor
    assert one("power.footprint", equipment="", valid_from="2024")["value"] == "0.5777"
    assert "0.5777" not in {row["value"] for row in ROWS if row["parameter"].startswith("power.co2")}
    assert {row["status"] for row in ROWS if row["parameter"] == "power.co2.ets"} == {"unverified"}


def test_natural_gas_keeps_one_pair_of_calorific_value_and_standard_coal() -> None:
    assert one("tce.calorific", carrier="natural_gas")["value"] == "13.3"
    for family in ("provincial-2025", "enterprise", "enterprise-ndrc"):
        assert fuels(family)["natural_gas"]["fuel.ncv"][0]["value"] == "389.31"


def test_standard_coal_of_fuels_is_the_same_in_both_conventions_but_not_of_electricity() -> None:
    fuel = {"heat", "waste_heat", "electricity", "other_fuels"}
    both = [
        {row["carrier"]: row["value"] for row in ROWS if row["parameter"] == name and row["carrier"] not in fuel}
        for name in ("tce.calorific", "tce.equivalent")
    ]
    assert both[0] == both[1]
    assert one("tce.calorific", carrier="electricity")["value"] == "0.1229"
    assert one("tce.calorific", carrier="heat")["value"] == "0.03412"
    equivalent = one("tce.equivalent", carrier="electricity")
    assert (equivalent["value"], equivalent["low"], equivalent["high"]) == ("0.31", "0.3050", "0.3150")
    assert equivalent["status"] == "unverified"  # no document names the year


def test_standard_coal_agrees_with_the_calorific_value() -> None:
    for carrier, found in fuels("enterprise").items():
        known = [row for row in ROWS if row["parameter"] == "tce.calorific" and row["carrier"] == carrier]
        if known and carrier not in ("hydrogen", "refinery_gas", "coke", "blast_furnace_gas", "converter_gas"):
            assert float(found["fuel.ncv"][0]["value"]) / 29.307 == pytest.approx(float(known[0]["value"]), rel=0.03)


def test_gwp_agrees_with_the_package_and_with_the_reports() -> None:
    from globalwarmingpotentials import data

    sets = {"SAR": "SARGWP100", "AR4": "AR4GWP100", "AR5": "AR5GWP100", "AR6": "AR6GWP100"}
    rows = [row for row in ROWS if row["parameter"] == "gwp" and row["gas"] != "CO2"]
    for row in rows:
        assert float(row["value"]) == data[sets[row["family"]]][row["gas"].replace("-", "")]
    expected = {"CH4": (21, 25, 28, 27.9), "N2O": (310, 298, 265, 273), "HFC-134a": (1300, 1430, 1300, 1530),
                "CF4": (6500, 7390, 6630, 7380), "SF6": (23900, 22800, 23500, 25200)}  # fmt: skip
    for gas, values in expected.items():
        assert tuple(float(one("gwp", gas=gas, family=name)["value"]) for name in sets) == values
    assert one("gwp", gas="CH4", family="AR5")["unit"] == "tCO2e/tCH4"
    assert not [row for row in rows if (row["gas"], row["family"]) == ("NF3", "SAR")]


def test_parameters_of_the_assessment_account_have_no_value() -> None:
    assert [row for row in ROWS if row["parameter"].startswith("assessment.")] == []


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_proven_and_its_cases_come_out(name: str) -> None:
    assert methods.check(METHODS[name], PACK) == []
    method = methods.find_method(name, PACK).method
    assert method.cases
    assert method.source.id in BOOK.sources
    assert method.rows.item in BOOK.items
    for output in method.outputs:
        assert output.item in BOOK.items
        assert output.category in (None, "by sector") or output.category in BOOK.categories
    assert {use.parameter for use in method.factors} <= set(PARAMETERS)


def test_the_methods_of_the_pack() -> None:
    assert {"cn.combustion", "cn.electricity", "cn.heat", "cn.carbonate", "cn.clinker", "cn.tce"} <= set(METHODS)


def accounts() -> dict[str, dict[str, object]]:
    """Accounts of the pack by basis."""
    return {entry["basis"]: entry for entry in packs.documents(PACK, "accounts")}


def test_accounts_name_only_what_exists() -> None:
    assert list(accounts()) == ["A", "B", "C", "process", "calorific", "equivalent"]
    for entry in packs.documents(PACK, "accounts"):
        assert entry["source"] in BOOK.sources
        assert set(entry["requires"]) <= set(PARAMETERS)
        names = [part["name"] for part in entry["parts"]]
        assert len(names) == len(set(names))
        for part in entry["parts"]:
            allowed = {"name", "title", "method", "where", "entity", "share", "sign", "memo", "side", "item"}
            assert set(part) <= allowed and set(part["title"]) == {"zh", "en"}
            assert part["method"] in METHODS
            assert part.get("item", "energy.combustion") in BOOK.items
            assert part.get("side", "none") in ("none", "import", "export", "inside")
            assert part.get("sign", 1) in (1, -1)
            assert part.get("share", entry["requires"][0] if entry["requires"] else None) in [*entry["requires"], None]


def test_fuel_for_electricity_counts_in_a_and_never_in_b() -> None:
    files = {path.name: path for path in packs.files(PACK, "accounts.yaml")}
    parts = {entry["basis"]: entry["parts"] for entry in yaml.safe_load(files["accounts.yaml"].read_text("utf-8"))}
    for part in parts["B"]:
        if part["method"] == "cn.combustion":
            assert part["where"]["process"] == {"not": "power"}
        assert part["method"] not in ("cn.transfer", "cn.carbonate", "cn.clinker")
    assert {part["method"] for part in parts["A"] if not part.get("memo")} == {"cn.combustion"}
    heat = {part["side"]: (part.get("sign", 1), part.get("memo", False)) for part in parts["B"] if "side" in part}
    assert heat == {"import": (1, False), "export": (-1, False), "inside": (1, True)}


def test_the_fuel_of_every_plant_falls_into_one_part_of_the_assessment() -> None:
    (entry,) = [entry for entry in packs.documents(PACK, "accounts") if entry["basis"] == "C"]
    conditions = {part["share"]: part["entity"]["dispatch"] for part in entry["parts"] if "entity" in part}
    named = {text for text in conditions.values() if isinstance(text, str)}
    assert named == {"统调", "自备"}
    assert [set(text["not"]) for text in conditions.values() if not isinstance(text, str)] == [named]


def test_a_parameter_is_found_by_a_part_of_its_title_and_a_broken_declaration_is_refused_whole(tmp_path: Path) -> None:
    for parameter in PARAMETERS.values():
        assert set(parameter["title"]) == {"zh", "en"}
    assert find_factors("Review threshold, electricity")["parameter"]["unit"] == "MWh"
    with pytest.raises(Refused, match=r"power\.footprint"):
        find_factors("电力")
    (tmp_path / "pack.yaml").write_text("{id: own, version: 1, title: {zh: 甲, en: A}, extends: cn}", "utf-8")
    faulty = (
        "- {id: a, title: {zh: 甲, en: one, two}, unit: t}\n- {id: b, unit: t}\n- {title: {zh: 乙, en: B}, unti: t}\n"
    )
    (tmp_path / "parameters.yaml").write_text(faulty, "utf-8")
    with pytest.raises(packs.PackError) as error:
        load_parameters(str(tmp_path))
    assert [text.partition("yaml: ")[2].split(":")[0] for text in error.value.errors] == ["a", "b", "None"]
