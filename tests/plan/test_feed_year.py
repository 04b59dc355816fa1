"""A synthetic year of Jiaxing's plan: twelve months with late, wrong and revised reports, all labelled."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon import inventory, plan
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from tests.plan.test_feed_figures import energy


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Any]]:
    """Jiaxing's plan with its synthetic year, in a city whose energy of two years is known, and then corrected."""
    workspace = Workspace.create(tmp_path_factory.mktemp("year") / "city")
    energy(workspace, now=1030, before=1000, growth=5.5)
    energy(workspace, now=1020, before=1000, growth=None, corrected="2025-03-20")
    plan.load(workspace, "cn-jiaxing/2024")
    return workspace, plan.fill(workspace)


def test_the_year_has_what_years_have(year: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, made = year
    told = plan.reports(workspace)
    assert set(told["month"]) == set(range(1, 13)) and made["reports"] == told.height > 500
    assert set(told["status"]) == {"synthetic"} == set(plan.entries(workspace)["status"])
    late = told.filter(pl.col("late"))
    assert late.height == made["late"] > 20 and (late["told"] > late["due"]).any()
    back = told.filter(pl.col("state") == "returned")
    assert back.height == made["returned"] == 2 and back["review_reason"].is_not_null().all()
    for row in back.to_dicts():  # what was returned was told again, and the second counts
        again = told.filter((pl.col("line") == row["line"]) & (pl.col("month") == row["month"]) & pl.col("counts"))
        assert again["corrects"].to_list() == [row["number"]] and again["value"][0] == pytest.approx(row["value"] / 10)
    revised = told.filter(pl.col("corrects").is_not_null() & pl.col("reason").is_not_null())
    assert revised.height >= 2 and made["struck"] == 2
    assert set(told["stage"]) == {"flash", "preliminary", "approved"}


def test_what_the_account_gives_is_taken_from_it_and_opens(year: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, _ = year
    (row,) = plan.status(workspace, line="I1")
    assert row["actual"] == pytest.approx(100 * (1 - 1.02 / 1.055), abs=1e-6) and row["status"] == "synthetic"
    told = [one for one in plan.reports(workspace).to_dicts() if one["feed"] == "computed"]
    assert [(one["line"], one["month"], one["told"], one["state"]) for one in told] == [
        ("I1", 12, date(2025, 1, 25), "accepted"),
        ("I1", 12, date(2025, 4, 10), "accepted"),
    ]
    assert [(one["corrects"], one["reason"]) for one in told] == [
        (None, None),
        (told[0]["number"], "数据更新后重算"),
    ]
    for one, change in zip(told, (1.03, 1.02), strict=True):  # each opens to what was known on its day
        asked = json.loads(one["query"])
        now, before, gdp = asked.pop("inputs")
        assert asked == now["query"] and asked["known_at"] == one["told"].isoformat()
        for part in (now, before, gdp):
            assert inventory.explain(workspace, **part["query"])["value"] == pytest.approx(part["value"])
        assert now["value"] / before["value"] == pytest.approx(change)
        fall = 1 - now["value"] / before["value"] / (1 + gdp["value"] / 100)
        assert one["value"] == pytest.approx(100 * fall, abs=1e-6) and f"{now['value']:,.0f}" in one["text"]
    assert {**row["query"], "inputs": row["inputs"]} == json.loads(told[-1]["query"])
    assert inventory.explain(workspace, **row["query"])["value"] == pytest.approx(row["inputs"][0]["value"])


def test_values_follow_from_lists(year: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, _ = year
    entries = plan.entries(workspace)
    for row in plan.status(workspace):
        own = entries.filter((pl.col("line") == row["line"]) & pl.col("struck").is_null())
        if row["basis"] == "names" and row["values"][11] is not None:
            assert row["values"][11] == own.height == own["key"].n_unique()
        if row["basis"] == "projects":
            assert row["values"][11] == pytest.approx(own["amount"].sum())


def test_nothing_is_done_without_its_lead_unit(year: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, _ = year
    before = plan.status(workspace, None, date(2025, 2, 1))
    assert not [row for row in before if row["state"] == "done"] and sum(row["met"] for row in before) > 30
    after = plan.status(workspace)
    done = [row for row in after if row["state"] == "done"]
    assert len(done) > 30 and all(row["confirmed"] and row["review"] == "accepted" for row in done)
    assert all(row["stage"] == "approved" for row in done if row["settles"] == "province")
    assert [row["line"] for row in after if row["met"] and not row["confirmed"]]  # some wait for a word
    carbon = next(row for row in after if row["line"] == "I25")  # three steps of four: not reached, however low is good
    assert carbon["actual"] == 0.75 and not carbon["met"] and carbon["state"] != "done"
    assert {row["state"] for row in after} >= {"done", "at_risk", "no_data"}


def test_days_before_know_less(year: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, _ = year
    counts = [plan.reports(workspace, None, date(2024, month, 15)).height for month in range(1, 13)]
    assert counts == sorted(counts) and counts[0] == 0
    july = {row["line"]: row for row in plan.status(workspace, None, date(2024, 7, 15))}
    assert max(row["month"] for row in july.values()) == 6
    wrong = plan.reports(workspace).filter(pl.col("state") == "returned").row(0, named=True)
    at_once = plan.status(workspace, None, wrong["told"], month=wrong["month"], line=wrong["line"])[0]
    later = plan.status(workspace, None, date(2024, 8, 30), month=wrong["month"], line=wrong["line"])[0]
    assert at_once["actual"] == wrong["value"] and later["actual"] == pytest.approx(wrong["value"] / 10)


def test_it_is_drawn_once(year: tuple[Workspace, dict[str, Any]], tmp_path: Path) -> None:
    workspace, _ = year
    with pytest.raises(Refused):
        plan.fill(workspace)
    two = []
    for name in ("a", "b"):
        made = Workspace.create(tmp_path / name)
        plan.load(made, "cn-jiaxing/2024")
        plan.fill(made, until=1, seed=7)
        two.append(plan.reports(made).drop("recorded"))
    assert two[0].equals(two[1])
