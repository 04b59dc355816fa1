"""The room's verbs as a user runs them."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

CHANGE = yaml.safe_load((Path(__file__).parent.parent / "cases" / "inventory" / "change.yaml").read_text("utf-8"))


def test_account_prints_chinese_tables_and_one_json_document(made: Any, verb: Any) -> None:
    folder = made(CHANGE["observations"]).path
    told = verb("account", "--place", "嘉兴", "--workspace", folder)
    assert told.code == 0
    for word in ("嘉兴市  2023", "B 消费侧", "+2.96%", "纺织业", "拉动（百分点）", "没有缺项", "模拟"):
        assert word in told.out
    document = verb(
        "account", "--place", "330400", "--period", "2023", "--basis", "B", "--json", "--workspace", folder
    ).json
    assert document["value"] == pytest.approx(795.84)
    english = verb("--lang", "en", "account", "--period", "2023", "--workspace", folder)
    assert "B Consumption" in english.out and "nothing missing" in english.out


def test_account_writes_a_workbook_and_refuses_what_is_not_there(made: Any, verb: Any, tmp_path: Path) -> None:
    folder = made(CHANGE["observations"]).path
    told = verb("account", "--period", "2023", "--export", tmp_path / "a.xlsx", "--workspace", folder)
    assert told.code == 0 and len(openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames) == 7
    refused = verb("account", "--place", "990000", "--period", "2023", "--json", "--workspace", folder)
    assert refused.code == 1 and refused.json["problems"][0]["rule"] == "inventory.unknown-place"
    moved = verb("account", "--period", "2023", "--movers", "--json", "--workspace", folder).json["movers"]
    assert moved["rest"]["change"] == pytest.approx(moved["change"])
    unset = verb("account", "--basis", "C", "--period", "2023", "--workspace", folder)
    assert "未设定" in unset.out and unset.code == 0


def test_the_template_needs_no_workspace(verb: Any, tmp_path: Path) -> None:
    told = verb("template", "energy-return", "form.xlsx", "--period", "2024-09", "--json")
    assert told.code == 0 and told.json["carried"] == 0
    assert openpyxl.load_workbook(tmp_path / "form.xlsx")["封面"]["B8"].value == "2024-09"
    assert verb("template", "energy-return", "form.doc").code == 2
    assert verb("template", "energy-return", "form.xlsx", "--entity", "E1").code == 2
