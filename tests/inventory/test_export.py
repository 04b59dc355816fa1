"""An account as files that officials open: workbook, CSV, Parquet."""

from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import yaml

from dualcarbon import inventory
from dualcarbon.core.problems import Refused
from tests.inventory.conftest import observed

CHANGE = yaml.safe_load((Path(__file__).parent.parent / "cases" / "inventory" / "change.yaml").read_text("utf-8"))
ASKED: dict[str, Any] = {"place": "330400", "period": "2023", "basis": "B"}
SYNTHETIC = [{"id": "observations", "role": "account", "status": "synthetic"}]


def account(by: tuple[str, ...] = ("sector",)) -> dict[str, Any]:
    rows = observed(CHANGE["observations"]).with_columns(pl.lit("observations").alias("dataset"))
    return dict(inventory.account(rows, by=by, datasets=SYNTHETIC, **ASKED))


def texts(sheet: Any) -> list[Any]:
    return [cell for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None]


def test_the_workbook_tells_where_every_figure_comes_from(tmp_path: Path) -> None:
    rows = observed(CHANGE["observations"])
    found = account()
    path = inventory.export(
        found,
        tmp_path / "account.xlsx",
        uncertainty=inventory.uncertainty(rows, **ASKED),
        completeness=inventory.completeness(rows, **ASKED),
        key=inventory.key_categories(rows, **ASKED),
    )
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["账户", "因子", "沿用与回退", "不确定度", "完整性", "来源"]
    for sheet in book:
        assert "演示数据" in sheet["A2"].value
        assert sheet.freeze_panes == "B5"
    told = texts(book["账户"])
    assert pytest.approx(found["value"]) == next(cell for cell in told if isinstance(cell, float))
    assert "纺织业" in told and "演示数据" in told
    cell = next(c for row in book["账户"].iter_rows() for c in row if c.value == found["value"])
    assert cell.number_format.startswith("#,##0.00")
    assert "公告2025年第47号" in texts(book["来源"])
    assert "官方" in texts(book["因子"])
    assert {"已报", "2023-05"} <= set(texts(book["完整性"]))


def test_the_workbook_speaks_english_and_an_unset_account_says_so(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(inventory.export(account(), tmp_path / "en.xlsx", lang="en"))
    assert book.sheetnames[0] == "Account" and "Demonstration data" in book["Account"]["A2"].value
    unset = inventory.account(observed(CHANGE["observations"]), place="330400", period="2023", basis="C")
    told = texts(openpyxl.load_workbook(inventory.export(unset, tmp_path / "c.xlsx"))["账户"])
    assert "未设定" in told


def test_csv_and_parquet_hold_the_rows_with_their_status(tmp_path: Path) -> None:
    found = account(by=("sector", "month"))
    csv = pl.read_csv(inventory.export(found, tmp_path / "a.csv"), schema_overrides={"account_place": pl.String})
    parquet = pl.read_parquet(inventory.export(found, tmp_path / "a.parquet"))
    for frame in (csv, parquet):
        assert frame["value"].sum() == pytest.approx(found["value"])
        assert frame["synthetic"].all() and set(frame["status"]) == {"synthetic"}
        assert set(frame["account_basis"]) == {"B"}
    total = pl.read_parquet(inventory.export(account(by=()), tmp_path / "t.parquet"))
    assert total["value"].to_list() == [pytest.approx(found["value"])]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        inventory.export(account(), tmp_path / "a.pdf")
    assert refused.value.problems[0].rule == "inventory.no-export"
