"""What a node shows is what stands behind its value, and a run is known by all that made it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.engine import runs
from tests.engine.conftest import table

OWN = "parameter,entity,carrier,value,unit,source,status\n"


def leaves(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [leaf for child in node["children"] for leaf in leaves(child)] if node["children"] else [node]


def behind(node: dict[str, Any]) -> list[tuple[float, list[str]]]:
    """Value of each leaf with the entities of its rows; the rows contribute exactly the value."""
    for leaf in leaves(node):
        assert sum(row["contribution"] for row in leaf["rows"]) == pytest.approx(leaf["value"])
        assert len(leaf["rows"]) == leaf["rows_total"]
    return sorted((round(leaf["value"], 6), [row["entity"] for row in leaf["rows"]]) for leaf in leaves(node))


def test_rows_behind_a_suppliers_own_factor_are_its_customers_only(tmp_path: Path) -> None:
    rows = table(
        "place,entity,sector,carrier,item,counterparty,period,value,unit\n"
        "330481,E1,C17,heat,energy.purchased,S1,2024,1000,GJ\n"
        "330481,E2,C17,heat,energy.purchased,S2,2024,500,GJ\n"
        "330481,E3,C17,heat,energy.purchased,,2024,100,GJ\n"
    )
    own = tmp_path / "own.csv"
    own.write_text(OWN + "heat.co2,S1,,0.06,tCO2/GJ,x,unverified\n", encoding="utf-8")
    node = runs.explain("emission.co2", rows, method="cn.heat", factors=own, period="2024")
    assert behind(node) == [(60.0, ["E1"]), (66.0, ["E2", "E3"])]


def test_rows_behind_the_general_factor_are_those_without_one_of_their_own(tmp_path: Path) -> None:
    rows = table(
        "place,entity,sector,carrier,item,period,value,unit\n"
        "330481,E1,C30,clinker,material.clinker,2024,1000,t\n"
        "330481,E2,C30,clinker,material.clinker,2024,500,t\n"
    )
    own = tmp_path / "own.csv"
    own.write_text(OWN + "clinker.co2,E1,clinker,0.5,tCO2/t,x,unverified\n", encoding="utf-8")
    node = runs.explain("emission.co2", rows, method="cn.clinker", factors=own, period="2024")
    assert [who for _, who in behind(node)] == [["E2"], ["E1"]]
    one = runs.explain("emission.co2", rows, method="cn.clinker", factors=own, period="2024", entity="E2")
    assert [who for _, who in behind(one)] == [["E2"]]


def test_rows_of_other_combinations_do_not_push_out_the_nodes_own(trial: Path, tmp_path: Path) -> None:
    big = "".join(f"330481,C17,test.quantity,2024-{n % 12 + 1:02d},{1000 + n},t,E{n}\n" for n in range(150))
    small = "330482,C17,test.quantity,2024-01,1,t,D1\n330481,C28,test.quantity,2024-01,2,t,D2\n"
    rows = table("place,sector,item,period,value,unit,entity\n" + big + small)
    own = tmp_path / "own.csv"
    own.write_text(
        "parameter,place,sector,value,unit\ntest.factor,330481,C17,2,tCO2/t\ntest.factor,330400,,3,tCO2/t\n",
        encoding="utf-8",
    )
    node = runs.explain("emission.co2", rows, method=trial, factors=own)
    other = next(child for child in node["children"] if child["factors"][0]["value"] == 3)
    assert [row["entity"] for row in other["rows"]] == ["D2", "D1"]


def test_rows_are_found_by_combination_in_any_kind_of_table() -> None:
    import duckdb
    import narwhals as nw

    from dualcarbon.engine.opened import matching

    frame = pl.DataFrame({"a": ["x", "x", "y", None], "b": ["1", "2", "1", "1"], "n": [1, 2, 3, 4]})
    keys = pl.DataFrame({"a": ["x", "y", None, "x"], "b": ["2", "1", "1", "2"]})
    asked = duckdb.connect()
    asked.register("frame", frame.to_arrow())
    for native in (frame, frame.lazy(), asked.sql("SELECT * FROM frame"), frame.to_pandas()):
        found = matching(nw.from_native(native).lazy(), keys).select("n").collect(backend="polars").to_native()
        assert sorted(found["n"].to_list()) == [2, 3, 4]


def test_rows_of_mixed_quality_open_to_their_sum() -> None:
    rows = table(
        "place,carrier,item,period,value,unit,quality\n"
        "330481,electricity,energy.consumption,2024-01,100,MWh,final\n"
        "330481,electricity,energy.consumption,2024-02,50,MWh,\n"
    )
    assert runs.explain("energy.consumption", rows, place="330481", period="2024")["value"] == 150


BOUGHT = "place,sector,carrier,item,period,value,unit\n330481,C17,electricity,energy.purchased,2023,100,MWh\n"


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "w")
    file = tmp_path / "bought.csv"
    file.write_text(BOUGHT, encoding="utf-8")
    made.import_file(file, dataset="returns", status="synthetic")
    return made


def test_a_run_with_factors_of_ones_own_is_known_by_them_and_can_be_made_again(store: Workspace) -> None:
    given = pl.DataFrame({"parameter": ["power.co2"], "value": [0.1 + 0.2], "unit": ["tCO2/MWh"]})
    one, other = (
        runs.calc("cn.electricity", workspace=store, factors=frame)
        for frame in (given, given.with_columns(value=pl.lit(0.9)))
    )
    assert one.manifest["id"] != other.manifest["id"]
    assert one.manifest["id"] == runs.calc("cn.electricity", workspace=store, factors=given).manifest["id"]
    for run in (one, other):
        assert runs.verify(runs.keep(run, store), store)["same"]
    node = runs.explain_run(one.manifest["id"], "emission.co2", store, {"place": "330481"})
    assert node["value"] == pytest.approx(one.results["value"][0])


def test_a_dataset_that_is_not_there_is_refused(store: Workspace) -> None:
    with pytest.raises(Refused) as error:
        runs.calc("cn.electricity", workspace=store, datasets=["typo"])
    (problem,) = error.value.problems
    assert problem.rule == "engine.unknown-dataset" and problem.params["known"] == "returns"
    with pytest.raises(Refused):
        runs.calc("cn.electricity", table(BOUGHT), datasets=["typo"])
    assert runs.calc("cn.electricity", workspace=store, datasets=["returns"]).complete


def test_a_replay_uses_no_factor_of_a_source_that_was_not_out_yet() -> None:
    rows = table("place,carrier,item,period,value,unit\n330481,heat,energy.purchased,2023,1000,GJ\n")
    known = {}
    for day in ("2024-06-30", "2026-01-31", None):
        run = runs.calc("cn.heat", rows, known_at=day)
        (row,) = run.calculation.used_factors().iter_rows(named=True)
        known[day] = row["source"]
    assert known == {"2024-06-30": "ndrc-sector-guides", "2026-01-31": "gbt-32150-2025", None: "gbt-32150-2025"}
    stone = table("place,carrier,item,period,value,unit\n330481,limestone,material.carbonate,2023,10,t\n")
    assert runs.calc("cn.carbonate", stone).complete
    replay = runs.calc("cn.carbonate", stone, known_at="2024-06-30")
    assert not replay.complete and replay.missing[0]["parameter"] == "carbonate.co2"
