"""Incentive targets: scored where a rule says what they earn, with their source; else said not to be, and why."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dualcarbon import plan
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Told, follow, reads
from dualcarbon.plan.assessing import board, dual, handed, score_document, score_scheme, score_sheet
from dualcarbon.plan.assessing.score import score
from dualcarbon.plan.store import document
from tests.plan.conftest import CASES

SCHEME = """id: own
title: 自定方案
each_indicator: {weight: 2, missed: share, cap: 0.9%s}
items: []
"""
LEAD = "市发展改革委"


@pytest.fixture
def hoped(make: Callable[..., Workspace], tmp_path: Path) -> Workspace:
    """A plan that hopes for 60 beside its target of 50, which is told to be 62 by December."""
    workspace = make()
    text = (
        (CASES / "jiangyuan-2025.txt").read_text(encoding="utf-8").replace("万千瓦 |\n50 |", "万千瓦 |\n50（力争60） |")
    )
    (tmp_path / "hoped.txt").write_text(text, encoding="utf-8")
    plan.load(workspace, tmp_path / "hoped.txt")
    plan.tell(workspace, None, 12, [Told("I1", 12, 62)], at=date(2026, 1, 8))
    return workspace


def row_of(workspace: Workspace, file: Path, rule: str) -> dict[str, Any]:
    """The scored row of I1 by a scheme of one's own."""
    file.write_text(SCHEME % rule, encoding="utf-8")
    scheme = score_scheme.named(workspace, document(workspace), file)
    values = score_scheme.from_standing(scheme, follow.status(workspace, None, date(2026, 1, 20)))
    rows = next(one["rows"] for one in score(scheme, values)["subjects"] if one["subject"] == LEAD)
    found: dict[str, Any] = next(row for row in rows if row["item"] == "I1")
    return found


def test_what_the_plan_hopes_for_earns_what_the_scheme_says(hoped: Workspace, tmp_path: Path) -> None:
    assert reads.indicators(hoped)["incentive"].to_list()[0] == 60
    assert follow.status(hoped, line="I1")[0]["incentive"] == 60
    row = row_of(hoped, tmp_path / "own.yaml", ", bonus: 1")
    assert (row["outcome"], row["points"], row["bonus"], row["incentive"]) == ("incentive", 2, 1, 60)
    assert row["incentive_said"]["zh"] == "激励目标 60万千瓦（计划的力争值）：达到加 1 分，未达不加"
    assert "as the plan hopes" in row["incentive_said"]["en"]


def test_what_no_rule_scores_is_said(hoped: Workspace, tmp_path: Path) -> None:
    row = row_of(hoped, tmp_path / "own.yaml", "")
    assert (row["points"], row["bonus"], row["incentive"]) == (2, 0, 60)
    assert row["incentive_said"]["zh"].endswith("没有写明达到它加多少分，不另计分")
    assert row["incentive_said"]["en"].endswith("no rule says what it earns, not scored")


def fall(workspace: Workspace, value: float, as_of: date | None = None) -> dict[str, Any]:
    """The row of energy intensity in the departments' scheme of Jiaxing at a value."""
    asked = board.scheme_and_values(workspace, None, as_of=as_of, forecast=False)
    assert asked is not None
    rows = score(asked[0], {LEAD: {"I1": {"value": value}}})["subjects"][0]["rows"]
    found: dict[str, Any] = rows[0]
    return found


def test_the_incentive_target_is_the_one_handed_down(workspace: Workspace) -> None:
    plan.load(workspace, "cn-jiaxing/2024")
    before = fall(workspace, 3.6)
    assert (before["basic"], before["incentive"], before["points"], before["bonus"]) == (3, None, 6, 0)
    assert "没有下达，不加分" in before["incentive_said"]["zh"]
    said = score_scheme.incentives(workspace, document(workspace))
    assert "没有下达" in said["energy"]["zh"] and "没有为它定加分" in said["carbon"]["zh"]
    row = {"name": "energy_incentive", "period": "2024", "value": 3.5, "source": "甲发〔2024〕1号"}
    basic = {"name": "energy_basic", "period": "2024", "value": 3.2, "source": "甲发〔2024〕1号"}
    handed.tell(workspace, "330400", [row, basic], at=date(2025, 3, 20))
    after = fall(workspace, 3.6)
    assert (after["basic"], after["incentive"], after["points"], after["bonus"]) == (3.2, 3.5, 6, 2)
    assert after["incentive_said"]["zh"] == "激励目标 3.5%（甲发〔2024〕1号）：达到加 2 分，未达不加"
    assert fall(workspace, 3.1)["outcome"] == "missed"  # by the basic target handed down
    assert fall(workspace, 3.6, date(2025, 3, 1))["incentive"] is None  # not known then
    assert dual.targets(workspace, None, date(2025, 3, 20))["energy"]["incentive"]["value"] == pytest.approx(0.035)


def test_pages_verbs_and_documents_say_it(
    workspace: Workspace, served: Callable[..., Any], verb: Callable[..., Any]
) -> None:
    plan.load(workspace, "cn-jiaxing/2024")
    plan.tell(workspace, None, 12, [Told("I1", 12, 3.6)], at=date(2025, 1, 8))
    client = served(workspace)
    page = client.get("/plan/dual?lang=zh").text
    assert "没有下达，不加分" in page and "免予该五年的能源消费总量考核" in page
    assert "none was handed down" in client.get("/plan/dual?lang=en").text
    assert "没有下达，不加分" in client.get("/plan/score?forecast=false&lang=zh").text
    at = ("--workspace", workspace.path)
    shown = verb("plan", "score", "--as-it-stands", "--explain", LEAD, *at, "--json").json
    assert "没有下达" in next(row for row in shown["rows"] if row["item"] == "I1")["incentive_said"]["zh"]
    assert "达到基本目标" in verb("plan", "score", "--as-it-stands", "--explain", LEAD, *at).out
    assert verb("plan", "score", "--explain", "市外星局", *at, "--json").code == 1
    asked = board.scheme_and_values(workspace, None, forecast=False)
    assert asked is not None
    sheet = score_sheet.start(workspace, "year", asked[0], asked[1])
    made = score_document.document(sheet)
    assert any("没有下达，不加分" in str(block) for block in made.blocks)


def test_a_bonus_over_the_limit_is_counted_within_it() -> None:
    items = [{"id": name, "title": name, "weight": 5, "basic": 1, "incentive": 2, "bonus": 4} for name in "ab"]
    scheme = score_scheme.checked({"id": "x", "title": "x", "bonus_limit": 5, "items": items})
    one = score(scheme, {"甲": {name: {"value": 3} for name in "ab"}})["subjects"][0]
    assert (one["bonus"], one["bonus_counted"], one["total"]) == (8, 5, 105)
