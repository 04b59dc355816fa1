"""An account says what it counts twice, with both rows and what to do; and an explanation says what is late."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon import calc, inventory
from dualcarbon.core.workspace import Workspace
from tests.inventory.conftest import observed

HEAD = "place,entity,sector,carrier,item,period,value,unit,dataset\n"
ITEMS = ("energy.consumption", "energy.purchased")
BOUGHT = "electricity,energy.purchased"
PARTS = f"330483,A,C28,{BOUGHT},2024,10,MWh,returns\n330481,B,C17,{BOUGHT},2024,20,MWh,returns\n"


def account(rows: str, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = inventory.account(observed(HEAD + rows), **{"period": "2024", **asked})
    return found


@pytest.mark.parametrize("dataset", ["returns", "yearbook"])
def test_a_total_beside_its_parts_is_told_with_both_rows(dataset: str, tmp_path: Path) -> None:
    store = Workspace.create(tmp_path / "w")
    for name, rows in (("parts", PARTS), ("total", f"330400,,,{BOUGHT},2024,30,MWh,yearbook\n")):
        file = tmp_path / f"{name}.csv"
        file.write_text(HEAD + rows, encoding="utf-8")
        store.import_file(file)
    # In one dataset, as in a table that never was imported; in two, as they are imported.
    data: Any = store if dataset == "yearbook" else store.observations().pl().with_columns(dataset=_text("returns"))
    found = inventory.account(data, period="2024")
    [told] = found["doubled"]
    part, whole = told["rows"]
    assert (part["row"], part["value"], whole["row"], whole["value"]) == (2, 10, 2, 30)
    assert (part["entity"], whole["place"], told["parts"]) == ("A", "330400", 2)
    assert told["datasets"] == sorted({"returns", dataset}) and "control" in told["remedy"]["en"]
    if dataset == "yearbook":
        assert (part["file"], whole["file"]) == ("parts.csv", "total.csv")
        assert "parts.csv" in told["message"]["zh"] and "total.csv" in told["message"]["zh"]
    assert inventory.explain(data, period="2024", basis="B")["doubled"] == [told]
    assert inventory.explain(data, period="2024", basis="B", part="fuel")["doubled"] == []
    # A county holds the part alone, a month neither, and another account another item.
    for asked in ({"place": "330483"}, {"period": "2024-01"}, {"basis": "A"}, {"period": "2023"}):
        assert inventory.account(data, **{"period": "2024", **asked})["doubled"] == []


def _text(text: str) -> Any:
    return pl.lit(text)


def test_the_same_figure_of_two_datasets_is_told_where_both_are_counted(made: Any, tmp_path: Path) -> None:
    row = "330483,,C28,diesel,energy.combustion,2024-01,10,t"
    store = made(f"place,entity,sector,carrier,item,period,value,unit\n{row}\n")
    other = tmp_path / "again.csv"
    other.write_text(f"place,entity,sector,carrier,item,period,value,unit\n{row}\n", encoding="utf-8")
    store.import_file(other, dataset="checked", role="control")
    assert inventory.account(store, period="2024")["doubled"] == []
    found = inventory.account(store, period="2024", dataset=["returns", "checked"])
    [told] = found["doubled"]
    assert told["rule"] == "core.same-elsewhere" and told["datasets"] == ["checked", "returns"]
    assert inventory.account(store, period="2024", dataset="checked")["doubled"] == []
    withheld = inventory.account(store, period="2024", dataset=["returns", "checked"], custody="public")
    assert [one["rows"] for one in withheld["doubled"]] == [[]] and "10 t" not in str(withheld["doubled"])
    opened = inventory.explain(store, period="2024", basis="B", dataset=["returns", "checked"], custody="public")
    assert opened["doubled"] == withheld["doubled"]


def test_energy_and_a_calculation_say_it_as_the_account_does(tmp_path: Path) -> None:
    store = Workspace.create(tmp_path / "w")
    for name, value in (("returns", 10), ("grid", 12)):
        rows = [f"330483,,C28,electricity,{item},2024,{value},MWh,{name}" for item in ITEMS]
        (tmp_path / f"{name}.csv").write_text(HEAD + "\n".join(rows), encoding="utf-8")
        store.import_file(tmp_path / f"{name}.csv")
    tce, power = inventory.energy(store, period="2024")
    [told] = tce["doubled"]
    assert power["doubled"] == [told] and told["datasets"] == ["grid", "returns"]
    assert {row["file"] for row in told["rows"]} == {"grid.csv", "returns.csv"}
    assert inventory.energy(store, period="2024", dataset="grid")[0]["doubled"] == []
    calculated = calc("cn.electricity", workspace=store)
    assert calculated.doubled == inventory.account(store, period="2024", basis="B")["doubled"] != []
    assert calculated.as_dict()["run"]["doubled"] == calculated.doubled
    assert calc("cn.electricity", workspace=store, datasets=["grid"]).doubled == []
    # Any table, with no more columns than it needs; within one dataset too.
    table = pl.DataFrame({"place": ["330400", "330483"], "sector": ["C", "C28"], "carrier": "electricity",
                          "item": ITEMS[1], "start": date(2024, 1, 1), "end": date(2025, 1, 1), "value": [3.0, 2.0],
                          "unit": "MWh"})  # fmt: skip
    [told] = calc("cn.electricity", table).doubled
    assert told["rule"] == "core.parent-and-child" and [row["value"] for row in told["rows"]] == [2, 3]
    assert (
        "“嘉兴市 · 制造业 · 电力 · 2024”（3 MWh）与其下级“桐乡市 · 化学纤维制造业 · 电力 · 2024”"
        in told["message"]["zh"]
    )


def test_the_workbook_of_an_account_holds_it(tmp_path: Path) -> None:
    import openpyxl

    found = account(PARTS + f"330400,,,{BOUGHT},2024,30,MWh,yearbook\n")
    inventory.export(found, tmp_path / "a.xlsx")
    sheets = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets
    cells = [str(cell) for sheet in sheets for row in sheet.iter_rows(values_only=True) for cell in row if cell]
    assert "重复计入" in cells and found["doubled"][0]["message"]["zh"] in cells
    clean = account(PARTS)
    inventory.export(clean, tmp_path / "b.xlsx")
    assert "重复计入" not in str([*openpyxl.load_workbook(tmp_path / "b.xlsx").worksheets[0].values])


def test_what_adds_up_is_not_told() -> None:
    rest = f"330483,规下企业,C,{BOUGHT},2024,5,MWh,rest\n330400,,F51,{BOUGHT},2024,1,MWh,rest\n"
    assert account(PARTS + rest)["doubled"] == []


def test_the_command_line_says_it(made: Any, tmp_path: Path, verb: Callable[..., Any]) -> None:
    store = made(f"place,entity,sector,carrier,item,period,value,unit\n330483,A,C28,{BOUGHT},2024,10,MWh\n")
    file = tmp_path / "grid.csv"
    file.write_text(f"place,sector,carrier,item,period,value,unit\n330483,C28,{BOUGHT},2024,12,MWh\n", "utf-8")
    done = verb("import", "file", file, "--dataset", "grid", "--workspace", store.path)
    assert done.code == 0 and "注意：以下数会被重复计入核算" in done.out and "w.csv 第 2 行" in done.out
    for told in (
        verb("account", "--period", "2024", "--basis", "B", "--workspace", store.path),
        verb("explain", "emission.co2", "--period", "2024", "--basis", "B", "--workspace", store.path),
        verb("calc", "cn.electricity", "--workspace", store.path),
    ):
        assert "重复计入" in told.out and "grid.csv" in told.out and "--role control" in told.out


LATE = "".join(
    f"{place},,{sector},{BOUGHT},{month},{value},MWh,returns\n"
    for place, sector, months in (
        ("330481", "C17", ("2023-01", "2023-02", "2024-01", "2024-02")),
        ("330483", "C28", ("2023-01", "2023-02", "2024-01")),
    )
    for value, month in enumerate(months, 100)
)


def late(**asked: Any) -> tuple[bool, list[tuple[str, str]]]:
    node = inventory.explain(observed(HEAD + LATE), **{"period": "2024-01/2024-02", "basis": "B", **asked})
    told = [(one["place"], one["period"]) for one in node["missing"] if one["reason"] == "late"]
    return node["complete"], told


def test_an_explanation_names_the_areas_that_are_late_as_the_account_does() -> None:
    found = account(LATE, period="2024-01/2024-02", by=("sector",))
    named = [("330483", "2024-02")]
    assert [(one["place"], one["period"]) for one in found["missing"]] == named
    assert late() == (False, named) and late(part="electricity") == (False, named)
    for row in found["rows"]:
        assert late(sector=row["sector"])[0] == row["complete"] == (row["sector"] == "C17")
    assert late(place="330481") == (True, []) and late(period="2024-01") == (True, [])
    assert late(month="2024-01") == (True, [])
