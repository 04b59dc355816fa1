"""One rule for the ends of intervals: what is counted + what is estimated × exp(± its half-width in logarithms)."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, city, figures, record
from tests.nowcast.test_run import DATASET, EARLY, rows

OCTOBER = date(2024, 10, 1)


def scattered() -> pl.DataFrame:
    """Fourteen months in which gas jumps about: intervals are far too wide for a symmetrical band."""
    frame = rows().filter(pl.col("start") >= date(2023, 9, 1))
    jumps = pl.Series(np.random.default_rng(0).lognormal(0, 0.8, frame.height))
    gas = pl.col("carrier") == "natural_gas"
    return frame.with_columns(pl.when(gas).then(pl.col("value") * jumps).otherwise("value").alias("value"))


@pytest.fixture(scope="module", params=["whole", "scattered"])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("ends") / "workspace")
    frame = rows() if request.param == "whole" else scattered()
    made.import_frame(frame, source={"file": "generator"}, dataset=DATASET)
    return made


def same_ends(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one["low"] == pytest.approx(other["low"]) and one["high"] == pytest.approx(other["high"])


def test_a_row_of_one_cell_has_the_ends_of_the_estimate_that_opens(workspace: Workspace) -> None:
    told = nowcast.run(workspace, as_of=EARLY, by=("place", "sector"), record=0, keep=False)
    for row in told["rows"]:
        node = nowcast.open_figure(workspace, **row["explain"])
        (guess,) = (guess for part in node["parts"] for guess in part["estimate"])
        counted = sum(part["counted"] for part in node["parts"])
        assert same_ends(row, {end: counted + guess[end] for end in ("low", "high")}) and same_ends(row, node)
        assert counted < row["low"] < row["value"] < row["high"]
        for end, sign in (("low", -1), ("high", 1)):
            assert row[end] == pytest.approx(counted + row["estimated"] * np.exp(sign * row["width"]))


def test_a_sum_has_the_half_width_of_the_sum(workspace: Workspace) -> None:
    seen = city.read(workspace, as_of=EARLY)
    t, everything = len(seen.months) - 1, np.ones(len(seen.cells), bool)
    direct, indirect = figures.estimated(seen)
    made = figures.figure(seen, t, direct, indirect, everything)
    guess = direct.value[~direct.counted]
    total = guess.sum()
    width = np.sqrt(direct.shared**2 + ((direct.own[~direct.counted] * guess) ** 2).sum() / total**2)
    assert made["width"] == pytest.approx(width) and made["estimated"] == pytest.approx(total)
    assert made["low"] == pytest.approx(made["value"] - total + total * np.exp(-width))
    assert made["low"] < made["low80"] < made["value"] < made["high80"] < made["high"]
    assert made["value"] - total == pytest.approx(made["indirect"])


def test_the_replay_tests_the_ends_that_are_shown(workspace: Workspace) -> None:
    seen = city.read(workspace, as_of=date(2025, 3, 1), until=date(2024, 12, 1))
    asked = list(range(len(seen.months) - 3, len(seen.months)))
    held = record.replayed(seen, asked, 1, 0).cells()["inside"]
    for n, t in enumerate(asked):
        blind = replace(seen.upto(t), direct=seen.direct[:, : t + 1].copy())
        blind.direct[:, t] = np.nan
        parts = figures.estimated(blind)
        for k in range(len(seen.cells)):
            one = figures.figure(blind, t, *parts, np.arange(len(seen.cells)) == k)
            truth = seen.direct[k, t] + seen.indirect[k, t]
            assert (one["low"] <= truth <= one["high"]) == held[k, n]


def test_page_answer_opening_and_report_show_the_same_ends(workspace: Workspace) -> None:
    told = nowcast.run(workspace, as_of=EARLY, month=OCTOBER, record=0, keep=False)
    page = board.board(workspace, place=None, as_of=EARLY, tree="admin")
    node = nowcast.open_figure(workspace, month="2024-10", as_of=EARLY)
    (row,) = nowcast.vintages(workspace, months=1, as_of=EARLY)["rows"]
    assert page["month"] == "2024-10" and same_ends(told, page["head"]) and same_ends(told, node)
    assert same_ends(told, row["estimates"][-1])
    areas = {one["place"]: one for one in page["areas"]}
    assert all(same_ends(one, areas[one["place"]]) for one in told["rows"])
    assert all(same_ends(one, areas[one["code"]]) for one in node["children"])


def test_a_year_has_the_ends_of_its_months(workspace: Workspace) -> None:
    period = "2024-01/2024-10"
    added = nowcast.open_reason(workspace, kind="sum", period=period, as_of=EARLY, city="330400")
    page = board.board(workspace, place=None, as_of=EARLY, tree="admin")["year"]["path"][9]
    month = nowcast.run(workspace, as_of=EARLY, month=OCTOBER, record=0, keep=False)
    rest = added["value"] - month["value"]
    assert same_ends(added, {end: rest + month[end] for end in ("low", "high")}) and same_ends(added, page)


def test_a_part_has_the_ends_of_the_part(workspace: Workspace) -> None:
    whole = nowcast.open_figure(workspace, month="2024-10", as_of=EARLY)
    direct = nowcast.open_figure(workspace, month="2024-10", as_of=EARLY, part="direct")
    indirect = nowcast.open_figure(workspace, month="2024-10", as_of=EARLY, part="indirect")
    counted = indirect["value"]
    assert same_ends(whole, {end: counted + direct[end] for end in ("low", "high")})
    assert indirect["low"] is None and direct["counted_share"] == 0 and indirect["counted_share"] == 1
    assert all(one["low"] < one["value"] < one["high"] for one in direct["children"])


def test_the_page_says_how_the_ends_are_made(workspace: Workspace) -> None:
    client = TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"})
    for day in (EARLY, date(2024, 11, 5)):
        node = nowcast.open_figure(workspace, month="2024-10", as_of=day)
        text = client.get(f"/nowcast/open?month=2024-10&as_of={day}").text
        assert f"exp(±{node['width']:.4f})" in text and f"{node['low']:,.0f}" in text


def test_bars_of_sectors_hold_their_intervals(workspace: Workspace) -> None:
    client = TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"})
    text = client.get("/nowcast?known_at=2024-11-15").text
    drawn = re.findall(r'<u style="left:([\d.]+)%;width:([\d.]+)%"', text)
    assert len(drawn) == 6 and all(float(left) + float(width) <= 100.1 for left, width in drawn)


@pytest.mark.parametrize("workspace", ["whole"], indirect=True)
def test_the_report_has_the_ends_of_the_page(workspace: Workspace) -> None:
    page = board.board(workspace, place=None, as_of=EARLY, tree="admin")["year"]["path"][9]
    made = nowcast.analyse(workspace, year=2024, as_of=EARLY)
    assert page["month"] == "2024-10" and same_ends(made, page)
    assert all(f"{made[end] / 1e4:,.1f}" in made["paragraphs"]["zh"][0]["text"] for end in ("low", "high"))
