"""Figures that the platform computes for a plan's lines, and what it says where nothing computes them."""

import json
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from dualcarbon import plan
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads
from dualcarbon.plan.assessing import handed
from dualcarbon.plan.feeding import feeds, systems


def energy(workspace: Workspace, now: float, before: float, growth: float | None, corrected: str | None = None) -> None:
    """Diesel of two years in Tongxiang (t) and the city's published growth of GDP; `corrected`: on that day."""
    rows = [
        {"place": "330483", "carrier": "diesel", "item": item, "start": date(year, 1, 1), "end": date(year + 1, 1, 1),
         "value": value, "unit": "t"}
        for item in ("energy.consumption", "energy.combustion")
        for year, value in ((2023, before), (2024, now))
    ]  # fmt: skip
    source = {"file": "hand.csv", "known_at": corrected or "2025-01-20"}
    dataset = {"id": "hand", "role": "account", "status": "synthetic"}
    revise = "更正" if corrected else None
    workspace.import_frame(pl.DataFrame(rows), dataset=dataset, source=source, revise=revise)
    if growth is not None:
        row = {"place": "330400", "item": "economy.gdp_growth", "start": date(2024, 1, 1), "end": date(2025, 1, 1)}
        frame = pl.DataFrame([row | {"value": growth, "unit": "%"}])
        workspace.import_frame(frame, dataset={"id": "growth", "role": "account", "status": "secondary"}, source=source)


def test_energy_per_gdp_by_hand(make: Callable[..., Workspace]) -> None:
    workspace = make("cn-jiaxing/2024")
    energy(workspace, now=1020, before=1000, growth=5.5)
    rows = {row["line"]: row for row in plan.figures(workspace, None, 12) if row["from"] == "intensity"}
    fall = 1 - 1.02 / 1.055  # energy grew by 2 %, GDP by 5.5 % at comparable prices
    assert rows["I1"]["value"] == pytest.approx(100 * fall) and rows["I1"]["status"] == "synthetic"
    assert rows["I25"]["value"] == pytest.approx(100 * fall)  # one fuel: CO2 moves as energy does
    asked = {"item": "energy.tce", "place": "330400", "period": "2024", "basis": "equivalent"}
    assert {name: rows["I1"]["explain"][name] for name in asked} == asked
    assert [one["name"] for one in rows["I1"]["explain"]["inputs"]] == ["now", "before", "gdp_growth"]
    made = plan.pull(workspace, None, 12, at=date(2025, 2, 1))
    assert [row["line"] for row in made["told"]] == ["I1"]
    assert {row["line"] for row in made["compared"]} == {"I25"}
    again = plan.pull(workspace, None, 12, at=date(2025, 2, 2))
    assert again["batch"] == made["batch"] and plan.reports(workspace).height == 1
    standing = plan.status(workspace, line="I1")[0]
    assert standing["actual"] == pytest.approx(100 * fall, abs=1e-6) and standing["query"]["item"] == "energy.tce"
    assert standing["state"] != "done" and not standing["confirmed"]  # an estimate: the province settles
    (report,) = plan.reports(workspace).to_dicts()
    assert "+ 2.00%" in report["text"] and "+ 5.50%" in report["text"]
    assert report["reason"] is None and standing["query"]["known_at"] == "2025-02-01"
    (beside,) = reads.mirrors(workspace)  # what is kept beside a line opens as of its day too
    assert json.loads(beside["query"])["known_at"] == "2025-02-01"


def test_current_prices_are_never_taken(make: Callable[..., Workspace]) -> None:
    workspace = make("cn-jiaxing/2024")
    energy(workspace, now=1020, before=1000, growth=None)
    row = plan.figures(workspace, None, 12)[0]
    assert row["value"] is None and "可比价" in row["missing"][0]["zh"]
    told = {"name": "gdp_growth", "period": "2024", "value": 5.5, "source": "统计月报第1页", "status": "secondary"}
    handed.tell(workspace, "330400", [told])
    row = plan.figures(workspace, None, 12)[0]
    assert row["value"] == pytest.approx(100 * (1 - 1.02 / 1.055)) and row["missing"] == []


def test_rights_come_from_the_ledger(make: Callable[..., Workspace]) -> None:
    from dualcarbon.ledger.store import Store

    workspace = make("cn-jiaxing/2024")
    lacking = {row["name"]["zh"]: row for row in plan.figures(workspace) if row["from"] == "ledger"}
    assert all(row["value"] is None and row["missing"] for row in lacking.values())
    store = Store(workspace.database)
    store.install()
    accounts = ("gec|@issuer:nea", "gec|甲", "gec|乙", "gec|@retired")
    store.open_accounts(
        [{"account": name, "instrument": "gec", "unit": "张", "overdraft": "@issuer" in name} for name in accounts]
    )
    moves = (("a", 0, 1, 500, "2024-03-05"), ("b", 1, 2, 120, "2024-05-06"), ("c", 2, 3, 80, "2024-07-01"),
             ("d", 0, 1, 999, "2023-12-31"))  # fmt: skip
    store.post(
        [{"id": id, "debit": accounts[a], "credit": accounts[b], "instrument": "gec", "amount": amount, "at": day}
         for id, a, b, amount, day in moves]
    )  # fmt: skip
    year = {row["name"]["zh"]: row["value"] for row in plan.figures(workspace, None, 12)}
    assert (year["绿证购入"], year["绿证核销"]) == (500, 80)  # what came in 2023 is not of this year
    june = {row["name"]["zh"]: row["value"] for row in plan.figures(workspace, None, 6)}
    assert (june["绿证购入"], june["绿证核销"]) == (500, 0)


def test_every_line_says_where_its_figure_comes_from(make: Callable[..., Workspace]) -> None:
    rows = {row["line"]: row for row in feeds.sources(make("cn-jiaxing/2024"))}
    assert len(rows) == 57 and all(row["say"]["zh"] and row["say"]["en"] for row in rows.values())
    assert rows["I1"]["automatic"] == "report" and "暂无" in rows["I42"]["say"]["zh"]
    assert rows["I13"]["say"]["zh"] == "由牵头单位填报"


def test_figures_of_other_systems_keep_their_source(make: Callable[..., Workspace]) -> None:
    workspace = make("cn-jiaxing/2024")
    known = {row["system"]: row for row in systems.systems(workspace)}
    assert {"e-ledger", "province-platform", "green-loans", "recycling-online"} <= set(known)
    assert known["e-ledger"]["lines"][0] == "T6" and known["e-ledger"]["figures"] == []
    plan.mirror(
        workspace, None, "T6", "e-ledger", "预警企业", value=12, unit="家", period="2024-Q2", source="e本账首页"
    )
    assert systems.systems(workspace)[0]["figures"][0]["source"] == "e本账首页"
    for said, rule in (
        ({"source": " "}, "plan.needs-source"),
        ({"period": "某月"}, "plan.bad-period"),
        ({"line": "T99"}, "plan.unknown-line"),
        ({"status": "sure"}, "plan.unknown-status"),
    ):
        asked = {"line": "T6", "period": "2024", "source": "x"} | said
        with pytest.raises(Refused) as refused:
            plan.mirror(workspace, None, asked.pop("line"), "e-ledger", "预警企业", value=1, **asked)
        assert [one.rule for one in refused.value.problems] == [rule]
