"""Two vintages of an account: every difference has its reason, and the reasons add up."""

from pathlib import Path
from typing import Any

import pytest

from dualcarbon import inventory
from tests.inventory.conftest import observed

FIRST = """
place,entity,sector,carrier,item,period,value,unit
330481-rest,a,C17,electricity,energy.purchased,2022-05,1000,MWh
330483-rest,b,C28,electricity,energy.purchased,2022-05,500,MWh
"""
SECOND = """
place,entity,sector,carrier,item,period,value,unit
330481-rest,a,C17,electricity,energy.purchased,2022-05,1200,MWh
330482-rest,c,C22,electricity,energy.purchased,2022-06,300,MWh
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()), encoding="utf-8")
    return path


def test_new_and_revised_rows_and_changed_factors_add_up(made: Any, tmp_path: Path) -> None:
    store = made(FIRST)
    asked: dict[str, Any] = {"place": "330400", "period": "2022", "basis": "B"}
    store.import_file(
        written(tmp_path, "second.csv", SECOND), dataset="returns", known_at="2024-03-01", revise="计量倍率更正"
    )
    factors = tmp_path / "factors.csv"
    factors.write_text(
        "parameter,place,value,unit,valid_from,valid_to,known_at,status\n"
        "power.co2,330400,0.6,tCO2/MWh,2022,2022,2023-06-01,unverified\n"
        "power.co2,330400,0.5,tCO2/MWh,2022,2022,2024-06-01,unverified\n",
        encoding="utf-8",
    )
    told = inventory.vintages(store, a="2024-01-31", b="2024-12-31", factors=factors, **asked)
    kinds = {row["reason"]: row for row in told["rows"]}
    old, new = 0.6, 0.5
    assert told["a"]["value"] == pytest.approx(1500 * old)
    assert told["b"]["value"] == pytest.approx(2000 * new)
    assert kinds["revised"]["effect"] == pytest.approx(200 * old)
    assert kinds["revised"]["text"] == "计量倍率更正"
    assert kinds["revised"]["examples"][0]["before"] == 1000 and kinds["revised"]["examples"][0]["after"] == 1200
    assert kinds["new"]["effect"] == pytest.approx(300 * old)
    assert kinds["factor"]["effect"] == pytest.approx(2000 * (new - old))
    assert kinds["factor"]["parameter"] == "power.co2"
    assert sum(row["effect"] for row in told["rows"]) == pytest.approx(told["difference"])
    assert told["by_data"] + told["by_factors"] == pytest.approx(told["difference"])


def test_a_reverted_import_is_withdrawn_between_two_versions(made: Any, tmp_path: Path) -> None:
    store = made(FIRST)
    more = store.import_file(written(tmp_path, "more.csv", SECOND.replace("2022-05", "2022-07")), dataset="returns")
    before = store.version()
    store.revert(more["id"], "重复报送")
    told = inventory.vintages(
        store, version_a=before, version_b=store.version(), place="330400", period="2022", basis="B"
    )
    (row,) = told["rows"]
    assert row["reason"] == "withdrawn" and row["text"] == "重复报送" and row["rows"] == 2
    assert row["effect"] == pytest.approx(told["difference"])


def test_without_an_earlier_vintage_there_is_nothing_to_compare() -> None:
    told = inventory.vintages(observed(FIRST), place="330400", period="2022", basis="B")
    assert told["a"] is None and told["rows"] == []
