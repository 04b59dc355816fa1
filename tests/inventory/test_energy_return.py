"""The enterprise energy return: drawn, filled, checked with cell addresses, imported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from openpyxl.utils import get_column_letter

from dualcarbon import inventory
from dualcarbon.core.workspace import Workspace
from dualcarbon.inventory.energy_return import read
from dualcarbon.inventory.energy_return_form import COVER, TITLES, columns, lines
from dualcarbon.inventory.energy_return_sheet import write

COAL, DIESEL, HEAT, POWER, GAS = 4, 21, 33, 34, 15
KNOWN = {"entity": "E1", "name": "某厂", "place": "330483-rest", "sector": "C28", "period": "2024-09"}
Fill = Callable[..., Path]


def address(sheet: str, line: int, column: str) -> str:
    row = 5 + [one.number for one in lines(sheet)].index(line)
    index = 4 + [one.key for one in columns(sheet)].index(column)
    return f"{get_column_letter(index)}{row}"


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Fresh forms in both languages."""
    folder = tmp_path_factory.mktemp("forms")
    return {lang: write(folder / f"{lang}.xlsx", lang=lang, cover=KNOWN) for lang in ("zh", "en")}


@pytest.fixture
def fill(tmp_path: Path, blank: dict[str, Path]) -> Fill:
    """Fill a fresh form: cells as {(sheet, line, column): value}, cover fields as keywords."""

    def make(cells: dict[tuple[str, int, str], Any], lang: str = "zh", **cover: Any) -> Path:
        book = openpyxl.load_workbook(blank[lang])
        for field, value in cover.items():
            book[TITLES["cover"][lang]][f"B{4 + list(COVER).index(field)}"] = value
        for (sheet, line, column), value in cells.items():
            book[TITLES[sheet][lang]][address(sheet, line, column)] = value
        book.save(tmp_path / "return.xlsx")
        return tmp_path / "return.xlsx"

    return make


GOOD: dict[tuple[str, int, str], Any] = {
    ("energy", COAL, "stock_opening"): 100,
    ("energy", COAL, "purchased"): 1100,
    ("energy", COAL, "consumption"): 1000,
    ("energy", COAL, "stock_closing"): 200,
    ("transformation", COAL, "power"): 300,
    ("transformation", COAL, "heat"): 500,
    ("energy", DIESEL, "consumption"): 20,
    ("energy", DIESEL, "feedstock"): 5,
    ("energy", POWER, "purchased"): "１，200.5",
    ("energy", POWER, "consumption"): 1230.5,
    ("supply", 101, "amount"): 30,
    ("energy", GAS, "consumption"): "NO",
}


def row(frame: pl.DataFrame, item: str, carrier: str, process: str | None = None) -> dict[str, Any]:
    same = pl.col("process").eq_missing(pl.lit(process, pl.String))
    return frame.filter((pl.col("item") == item) & (pl.col("carrier") == carrier) & same).row(0, named=True)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_filled_form_becomes_cumulative_observations_in_natural_units(fill: Fill, lang: str) -> None:
    found = read(fill(GOOD, lang))
    assert found.problems == []
    bought = row(found.frame, "energy.purchased", "electricity")
    assert (bought["value"], bought["unit"], bought["cumulative"]) == (12005.0, "MWh", True)
    assert (str(bought["start"]), str(bought["end"])) == ("2024-01-01", "2024-10-01")
    stock = row(found.frame, "energy.stock_closing", "bituminous_coal")
    assert (stock["value"], stock["cumulative"], str(stock["start"])) == (200.0, False, "2024-09-01")
    burned = [row(found.frame, "energy.combustion", "bituminous_coal", p)["value"] for p in ("power", "heat", None)]
    assert burned == [300.0, 500.0, 200.0]
    assert row(found.frame, "energy.combustion", "diesel")["value"] == 15.0
    assert row(found.frame, "energy.combustion", "natural_gas")["notation"] == "NO"
    assert row(found.frame, "energy.self_generated", "electricity", "pv")["value"] == 300.0
    assert set(found.frame["custody"]) == {"self-submitted"}
    assert "electricity" not in found.frame.filter(pl.col("item") == "energy.combustion")["carrier"]


def test_parts_stand_for_their_parent_and_a_parent_alone_for_itself(fill: Fill) -> None:
    used = pl.col("item") == "energy.consumption"
    both = read(fill({("energy", line, "consumption"): value for line, value in ((1, 30), (2, 10), (4, 20))}))
    assert both.problems == []
    assert sorted(both.frame.filter(used)["carrier"]) == ["anthracite", "bituminous_coal"]
    alone = read(fill({("energy", 1, "consumption"): 30}))
    assert alone.frame.filter(used)["carrier"].to_list() == ["raw_coal"]
    mixed = read(fill({("energy", 31, "consumption"): 3, ("energy", 32, "consumption"): 4}))
    assert sorted(mixed.frame["carrier"].unique()) == ["bitumen", "other_petroleum_nec"]


def test_coking_input_is_not_burned(fill: Fill) -> None:
    found = read(fill({("energy", 3, "consumption"): 900, ("transformation", 3, "coking"): 880}))
    assert row(found.frame, "energy.combustion", "coking_coal")["value"] == pytest.approx(20)
    assert row(found.frame, "energy.transformation_input", "coking_coal", "coking")["value"] == 880


FAULTS: list[tuple[str, dict[tuple[str, int, str], Any], str, tuple[str, int, str]]] = [
    ("number", {("energy", COAL, "purchased"): "约一百"}, "return-number", ("energy", COAL, "purchased")),
    ("negative", {("supply", 101, "amount"): -1}, "return-negative", ("supply", 101, "amount")),
    ("parent", {("energy", 1, "consumption"): 1500}, "return-parent-sum", ("energy", 1, "consumption")),
    ("falling", {("energy", COAL, "consumption_before"): 1001}, "return-falling", ("energy", COAL, "consumption")),
    ("balance", {("energy", COAL, "purchased"): 1200}, "return-balance", ("energy", COAL, "stock_closing")),
    ("feedstock", {("energy", DIESEL, "feedstock"): 21}, "return-part-exceeds", ("energy", DIESEL, "consumption")),
    ("input", {("transformation", COAL, "heat"): 900}, "return-part-exceeds", ("energy", COAL, "consumption")),
]


@pytest.mark.parametrize(("cells", "rule", "where"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_named_with_its_cell(
    fill: Fill, cells: dict[tuple[str, int, str], Any], rule: str, where: tuple[str, int, str]
) -> None:
    found = read(fill({**GOOD, **cells}))
    (problem,) = found.problems
    assert (problem.rule, problem.column) == (f"inventory.{rule}", address(*where))
    assert problem.sheet == TITLES[where[0]]["zh"]
    for lang in ("zh", "en"):
        told = problem.as_dict(lang)
        assert "{" not in told["message"] and told["remedy"]
    assert found.frame.is_empty()


def test_all_faults_come_at_once_and_an_explanation_settles_what_can_be_explained(fill: Fill) -> None:
    cells = {**GOOD, ("energy", COAL, "consumption_before"): 1001, ("energy", COAL, "purchased"): 1200}
    assert {p.rule for p in read(fill(cells)).problems} == {"inventory.return-falling", "inventory.return-balance"}
    more = {**cells, ("energy", DIESEL, "consumption"): "二十", ("energy", POWER, "transport"): 9e9}
    told = [(p.rule.removeprefix("inventory.return-"), p.column) for p in read(fill(more, place="龙宫")).problems]
    assert told == [
        ("number", address("energy", DIESEL, "consumption")), ("cover-unknown", f"B{4 + list(COVER).index('place')}"),
        ("falling", address("energy", COAL, "consumption")), ("balance", address("energy", COAL, "stock_closing")),
        ("part-exceeds", address("energy", POWER, "consumption")),
    ]  # fmt: skip
    assert read(fill({**cells, ("energy", COAL, "note"): "更正 6 月计量"})).problems == []


def test_the_cover_is_checked(fill: Fill) -> None:
    told = read(fill(GOOD, place="东海龙宫", sector="Z99", period="2024-13", entity=""))
    assert {(p.rule, p.value) for p in told.problems} == {
        ("inventory.return-cover-missing", None), ("inventory.return-cover-unknown", "东海龙宫"),
        ("inventory.return-cover-unknown", "Z99"), ("inventory.return-period", "2024-13"),
    }  # fmt: skip


def test_purchased_heat_needs_the_place_of_its_supplier(fill: Fill) -> None:
    cells = {("energy", HEAT, "purchased"): 500, ("energy", HEAT, "consumption"): 500}
    (problem,) = read(fill(cells)).problems
    assert (
        problem.rule == "inventory.return-supplier" and problem.column == f"B{4 + list(COVER).index('supplier_place')}"
    )
    found = read(fill(cells, supplier="热电厂", supplier_place="330483"))
    bought = row(found.frame, "energy.purchased", "heat")
    assert (bought["counterparty"], bought["counterparty_place"]) == ("热电厂", "330483")


def test_a_changed_unit_is_read_and_a_wrong_one_refused(fill: Fill) -> None:
    path = fill(GOOD)
    book = openpyxl.load_workbook(path)
    at = 5 + [line.number for line in lines("energy")].index(POWER)
    book["购进消费库存"][f"C{at}"] = "kWh"
    book.save(path)
    assert row(read(path).frame, "energy.purchased", "electricity")["value"] == pytest.approx(1.2005)
    book["购进消费库存"][f"C{at}"] = "吨"
    book.save(path)
    (problem,) = read(path).problems
    assert (problem.rule, problem.column) == ("inventory.return-unit", f"C{at}")


def test_inserted_rows_a_broken_heading_and_a_missing_sheet(fill: Fill) -> None:
    path = fill(GOOD)
    book = openpyxl.load_workbook(path)
    sheet = book["购进消费库存"]
    sheet.insert_rows(1)
    book.save(path)
    assert read(path).problems == []
    sheet["E4"] = "买入"
    book.save(path)
    assert [p.rule for p in read(path).problems] == ["inventory.return-no-header"]
    del book["购进消费库存"]
    book.save(path)
    assert [p.rule for p in read(path).problems] == ["inventory.return-no-sheet"]
    assert [p.rule for p in read(fill({})).problems] == ["inventory.return-empty"]


def test_the_sheet_checks_what_a_spreadsheet_can(fill: Fill) -> None:
    book = openpyxl.load_workbook(fill({}))
    sheet = book["购进消费库存"]
    check = sheet[address("energy", 1, "check")].value
    for word in ("合计不等于分项之和", "购进累计下降", "消费累计下降", "库存不平衡", "其中项大于消费量"):
        assert word in check
    assert len(check) < 8000
    assert sheet[address("energy", COAL, "balance")].value.startswith("=IF(COUNT(")
    assert sheet.data_validations.dataValidation and sheet.conditional_formatting
    assert sheet.protection.sheet and not sheet[address("energy", COAL, "purchased")].protection.locked
    assert sheet[address("energy", COAL, "check")].protection.locked
    assert book["选项"].sheet_state == "hidden"
    assert [line.number for line in lines("energy")] == list(range(1, 49))


def test_months_are_differences_and_the_account_counts_what_was_burned(fill: Fill, workspace: Workspace) -> None:
    for month, factor in (("2024-02", 1), ("2024-03", 1.5)):
        cells = {key: value * factor for key, value in GOOD.items() if isinstance(value, int) and key[2][:5] != "stock"}
        path = fill({**cells, ("energy", COAL, "note"): "未盘点"}, period=month)
        path = path.rename(path.with_name(f"{month}.xlsx"))
        workspace.import_file(path, dataset="returns", template=read, status="secondary")
    months = inventory.series(workspace, place="330483", periods="2024", basis="A")
    coal, diesel = 1.74174957, 3.0959
    assert {row["period"]: row["value"] for row in months} == {
        "2024-01/2024-02": pytest.approx(1000 * coal + 15 * diesel, rel=1e-4),
        "2024-03": pytest.approx(500 * coal + 7.5 * diesel, rel=1e-4),
    }


def test_the_form_comes_with_last_year_and_last_month_filled(fill: Fill, workspace: Workspace, verb: Any) -> None:
    from tests.inventory.conftest import entities

    workspace.save_entities(entities([{"code": "E1", "name": "某厂", "place": "330483-rest", "sector": "C28"}]))
    for month, scale in (("2023-09", 1), ("2023-12", 2), ("2024-08", 3)):
        cells = {("energy", COAL, "consumption"): 100 * scale, ("energy", COAL, "stock_closing"): 7 * scale}
        path = fill(cells, period=month)
        path = path.rename(path.with_name(f"{month}.xlsx"))
        workspace.import_file(path, dataset="returns", template=read)
    ran = verb(
        "template", "energy-return", "next.xlsx", "--entity", "E1", "--period", "2024-09", "--workspace", workspace.path
    )
    assert ran.code == 0, ran.err
    book = openpyxl.load_workbook(Path(workspace.path).parent / "next.xlsx")
    sheet = book["购进消费库存"]
    assert sheet[address("energy", COAL, "consumption_last")].value == 100
    assert sheet[address("energy", COAL, "consumption_before")].value == 300
    assert sheet[address("energy", COAL, "stock_opening")].value == 14
    assert sheet[address("energy", COAL, "consumption")].value is None
    assert book["封面"]["B5"].value == "某厂"
