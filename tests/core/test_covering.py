"""What would count twice: totals beside their parts in one dataset, the same or covering figures in two."""

from collections.abc import Callable
from datetime import date
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core.checks import check_observations
from dualcarbon.core.classification import load
from dualcarbon.core.problems import Refused
from dualcarbon.core.tables import OBSERVATION, conform
from dualcarbon.core.workspace import Workspace

File = Callable[..., Path]
BOUGHT = "electricity,energy.purchased,2024"


def refused(place: Workspace, path: Path, **options: str) -> list[dict[str, str]]:
    with pytest.raises(Refused) as told:
        place.import_file(path, **options)
    return [problem.as_dict("en") for problem in told.value.problems]


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


@pytest.mark.parametrize(
    ("total", "column"),
    [
        (f"330483,,C28,{BOUGHT},30,MWh", "entity"),
        (f"330483,,,{BOUGHT},30,MWh", "sector"),
        (f"330483,,C,{BOUGHT},30,MWh", "sector"),
        (f"330400,,,{BOUGHT},30,MWh", "place"),
        (f"330400,,C28,{BOUGHT},30,MWh", "place"),
    ],
)
def test_a_total_beside_its_enterprises_is_refused_with_both_rows(
    here: Workspace, file: File, total: str, column: str
) -> None:
    parts = (f"330483,A,C28,{BOUGHT},10,MWh", f"330483,B,C28,{BOUGHT},20,MWh")
    [told] = refused(here, file("a.csv", total, *parts))
    assert (told["row"], told["column"]) == (3, column)
    assert "row 2" in told["message"] and "(2 rows) (30 MWh)" in told["message"] and "control" in told["remedy"]
    assert here.version() == 0
    here.import_file(file("parts.csv", *parts))
    [told] = refused(here, file("total.csv", total))
    assert told["row"] == 2 and "parts.csv, row 2, imported earlier" in told["message"]
    assert here.import_file(file("total.csv", total), dataset="yearbook", role="control")["doubled"] == []


def test_a_part_is_refused_beside_a_total_that_stands(here: Workspace, file: File) -> None:
    here.import_file(file("total.csv", f"330400,,,{BOUGHT},30,MWh"))
    [told] = refused(here, file("part.csv", f"330483,A,C28,{BOUGHT}-03,10,MWh"))
    assert told["row"] == 2 and "total.csv, row 2" in told["message"]


def test_what_is_no_total_stands_beside_its_neighbours(here: Workspace, file: File) -> None:
    rows = (
        f"330483,A,C28,{BOUGHT},10,MWh",
        f"330481,,C28,{BOUGHT},10,MWh",  # another county
        f"330483,,C17,{BOUGHT},10,MWh",  # another sector
        f"330483,规下企业,C,{BOUGHT},5,MWh",  # the rest, named
        "330483,,,electricity,energy.purchased,2023,9,MWh",  # another year
        "330400,,,,forest.area,2024,3,亩",  # only the city has it
        "330400,,,,economy.gdp,2024,3,万元",
    )
    assert here.import_file(file("a.csv", *rows))["rows"] == len(rows)


def test_published_totals_of_city_and_county_are_one_control_dataset(here: Workspace, file: File) -> None:
    rows = (f"330400,,,{BOUGHT},30,MWh", f"330483,,,{BOUGHT},10,MWh", f"330483,,C28,{BOUGHT},5,MWh")
    assert here.import_file(file("a.csv", *rows), dataset="yearbook", role="control")["rows"] == 3


def test_the_same_figure_in_two_datasets_is_told(here: Workspace, file: File) -> None:
    row = f"330483,A,C28,{BOUGHT},10,MWh"
    assert here.import_file(file("a.csv", row), dataset="returns")["doubled"] == []
    [told] = here.import_file(file("b.csv", row, f"330483,B,C28,{BOUGHT},1,MWh"), dataset="grid")["doubled"]
    assert (told["rule"], told["row"], told["file"]) == ("core.same-elsewhere", 2, "b.csv")
    for text in ("grid", "returns", "a.csv, row 2", "2024", "10 MWh"):
        assert text in told["message"]["en"] and told["message"]["zh"]
    assert "--dataset returns --revise" in told["remedy"]["en"] and "--role control" in told["remedy"]["zh"]


def test_a_total_of_another_dataset_is_told_and_a_control_dataset_is_not(here: Workspace, file: File) -> None:
    here.import_file(file("a.csv", f"330483,A,C28,{BOUGHT}-01,10,MWh", f"330483,B,C28,{BOUGHT}-02,2,MWh"))
    total = file("b.csv", f"330400,,,{BOUGHT},30,MWh")
    assert here.import_file(total, dataset="yearbook", role="control", dry_run=True)["doubled"] == []
    [told] = here.import_file(total, dataset="grid")["doubled"]
    assert told["rule"] == "core.covered-elsewhere" and "(2 rows) (12 MWh)" in told["message"]["en"]


def test_two_datasets_of_one_file_are_told_and_ratios_are_not(here: Workspace, file: File) -> None:
    head = "dataset,place,entity,sector,carrier,item,period,value,unit"
    rows = [f"{name},330400,,,,{what}" for name in ("x", "y")
            for what in ("forest.coverage,2024,10,%", "economy.gdp,2024,3,万元")]  # fmt: skip
    told = here.import_file(file("a.csv", *rows, headings=head))["doubled"]
    assert [one["rule"] for one in told] == ["core.same-elsewhere"] and "economy.gdp" not in told[0]["message"]["en"]


def test_reports_since_january_are_compared_by_what_they_add(here: Workspace, file: File) -> None:
    head = "place,entity,sector,carrier,item,period,value,unit,cumulative"
    report = "330483,A,C28,electricity,energy.purchased,2024-01/2024-{},{},MWh,yes".format
    here.import_file(file("a.csv", report("02", 20), report("03", 35), headings=head), dataset="returns")
    month = "330483,A,C28,electricity,energy.purchased,2024-{},15,MWh".format
    assert here.import_file(file("4.csv", month("04")), dataset="grid")["doubled"] == []
    [told] = here.import_file(file("3.csv", month("03")), dataset="grid")["doubled"]
    message = told["message"]["en"]
    assert "Electricity · 2024-03” 15 MWh; there “" in message and "· 2024-Q1” 35 MWh, a.csv, row 3" in message


CODES = {
    "place": ["330400", "330483", "330481"],
    "entity": [None, "A", "B"],
    "sector": [None, "C", "C28"],
    "carrier": ["raw_coal", "anthracite"],
    "domain": [None, "industry"],
    "process": [None, "heat"],
}


@given(st.lists(st.tuples(*map(st.sampled_from, CODES.values())), min_size=2, max_size=5, unique=True))
def test_covers_are_found_exactly_where_comparing_all_pairs_finds_them(keys: list[tuple[str | None, ...]]) -> None:
    book = load()
    trees = {"place": book.places, "sector": book.sectors, "carrier": book.carriers}

    def over(name: str, whole: str | None, part: str | None) -> bool:
        if whole == part or (whole is None and name != "process"):
            return True
        return name in trees and part is not None and whole in trees[name].ancestors(part)

    def covers(whole: tuple[str | None, ...], part: tuple[str | None, ...]) -> bool:
        return all(map(over, CODES, whole, part)) and whole[:4] != part[:4]

    made = [dict(zip(CODES, key, strict=True)) for key in keys]
    fixed = {"dataset": "d", "item": "energy.combustion", "unit": "t", "value": 1.0}
    span = {"start": date(2024, 1, 1), "end": date(2025, 1, 1)}
    rows = [{**one, **fixed, **span, "row": n} for n, one in enumerate(made)]
    texts = dict.fromkeys(CODES, pl.String)
    frame = conform(pl.DataFrame(rows, schema_overrides=texts), OBSERVATION)
    twice = any(covers(a, b) or covers(b, a) for a, b in combinations(keys, 2))
    assert bool(check_observations(frame)) == twice
