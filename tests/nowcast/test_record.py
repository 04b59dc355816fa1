"""What is said of the estimates' record is that of the state and the level at which they are shown, and opens."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import dualcarbon as dc
from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, city, figures, record
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_run import DATASET, own, rows

#: Days on which nothing of October was in, and its electricity was.
NOTHING, POWER = date(2024, 11, 2), date(2024, 11, 15)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("record") / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def told(place: Workspace) -> dict[str, Any]:
    return nowcast.run(place, as_of=NOTHING, keep=False)["record"]


def test_the_record_is_of_the_state_of_the_month_that_is_shown(place: Workspace, told: dict[str, Any]) -> None:
    later = nowcast.run(place, as_of=POWER, keep=False)["record"]
    assert (told["state"], later["state"]) == ("nothing", "electricity")
    for made in (told, later):
        assert set(made["states"]) == set(record.STATES)
        assert made["error_percent"] == made["states"][made["state"]]["error_percent"]
        assert made["total"] == made["states"][made["state"]]["total"]
    known, dark = told["states"]["electricity"], told["states"]["nothing"]
    assert known["error_percent"] < dark["error_percent"]
    assert known["total"]["error_percent"] < dark["total"]["error_percent"]
    assert 0 < dark["total"]["held"] <= dark["total"]["months"] == len(told["months"])


@pytest.mark.parametrize("state", record.STATES)
def test_totals_are_what_would_have_been_shown(place: Workspace, state: str) -> None:
    """Months whose data are taken away are estimated as the replay says, with the same ends."""
    seen = city.read(place, as_of=date(2025, 3, 1), until=date(2024, 12, 1))
    t = len(seen.months) - 2
    dark = int(state == "nothing")
    replay = record.replayed(seen, [t], 1, dark)
    cut = seen.upto(t)
    blind = replace(cut, direct=cut.direct.copy(), indirect=cut.indirect.copy(), power=cut.power.copy())
    blind.direct[:, t] = np.nan
    if dark:
        blind.indirect[:, t] = blind.power[:, t] = np.nan
    whole = np.ones(len(seen.cells), bool)
    parts = figures.estimated(blind)
    made = figures.figure(blind, t, *parts, whole)
    (total,) = replay.totals()
    assert total["value"] == pytest.approx(made["value"])
    assert (total["low"], total["high"]) == pytest.approx((made["low"], made["high"]))
    assert total["truth"] == pytest.approx(seen.direct[:, t].sum() + seen.indirect[:, t].sum())
    assert total["inside"] == (made["low"] <= total["truth"] <= made["high"])
    for k in range(len(seen.cells)):
        ends = figures.ended(parts if dark else parts[:1], np.arange(len(seen.cells)) == k)
        assert (ends["low"] <= replay.counted()[k, 0] <= ends["high"]) == bool(replay.cells()["inside"][k, 0])


def test_weather_is_as_late_as_in_the_month_that_is_shown(place: Workspace) -> None:
    seen = city.read(place, as_of=date(2025, 3, 1), until=date(2024, 12, 1))
    days = {month: 300.0 + 40 * (n % 7) for n, month in enumerate(seen.months)}

    def replayed(last: float, **more: Any) -> np.ndarray:
        one = replace(seen, weather={"heating": {**days, seen.months[-1]: last, **more.get("ahead", {})}})
        assert record.weather_late(one, record.shown(one)) == (0 if more else 1)  # January is shown
        return record.replayed(one, [len(seen.months) - 1], 1, 1).parts[0][0].value

    ahead = {date(2025, 1, 1): 300.0}
    assert np.allclose(replayed(300.0), replayed(9e3))
    assert not np.allclose(replayed(300.0, ahead=ahead), replayed(9e3, ahead=ahead))


def test_every_number_of_the_record_opens(place: Workspace, told: dict[str, Any]) -> None:
    for state in told["states"].values():
        for one in (state, state["total"]):
            node = nowcast.open_reason(place, **one["question"])
            assert node["value"] == pytest.approx(one["error_percent"])
            assert node["inputs"][0]["value"] == pytest.approx(one["last_value_error_percent"])
            assert node["inputs"][1]["value"] == pytest.approx(100 * one["skill_vs_last"])
            assert sum(child["value"] for child in node["children"]) == pytest.approx(node["value"])
        node = nowcast.open_reason(place, **state["total"]["question"])
        assert node["inputs"][2]["value"] == pytest.approx(100 * state["total"]["coverage90"])
        month = nowcast.open_reason(place, **node["children"][-1]["question"])
        assert abs(month["value"]) == pytest.approx(node["children"][-1]["value"] * len(node["children"]), rel=0.3)
        assert sum(child["value"] for child in month["children"]) == pytest.approx(month["value"])
        counted = nowcast.open_figure(place, **month["inputs"][1]["question"])
        assert counted["value"] == pytest.approx(month["inputs"][1]["value"])
        sector = nowcast.open_reason(place, **month["children"][0]["question"])
        cell = nowcast.open_figure(place, **sector["children"][0]["question"])
        assert f"{cell['value']:,.0f}" in sector["children"][0]["filled"]
    with pytest.raises(Refused):
        nowcast.open_reason(place, kind="error", state="half")


def test_page_and_terminal_say_the_same(place: Workspace, told: dict[str, Any]) -> None:
    page = board.replayed(place, place=None, as_of=NOTHING, tree="admin")["replay"]
    assert page["states"] == told["states"] and page["month"] == "2024-10"
    for one in page["by_month"]:
        node = nowcast.open_reason(place, **page["question"], month=one["month"])
        assert node["value"] == pytest.approx(one["error_percent"])
        if one is page["by_month"][3]:
            break
    answer = CliRunner().invoke(cli, ["run", "--as-of", NOTHING.isoformat(), "--workspace", str(place.path)])
    total = told["total"]
    errors = [f"误差 {one['error_percent']:.1f}%" for one in (total, told)]
    for text in (*errors, f"{total['held']}/{total['months']}"):
        assert text in answer.output, answer.output


def test_the_day_goes_with_the_links_to_the_record(place: Workspace) -> None:
    with TestClient(create_app(place.path, warm=False), headers={"accept": "text/html"}) as client:
        for address in ("/nowcast", "/nowcast/trust"):
            page = client.get(address, params={"as_of": NOTHING.isoformat()}).text
            links = re.findall(r'"(/nowcast/(?:trust|record)[^"]*)"', page)
            assert links and all(f"as_of={NOTHING}" in link for link in links), links
        trust = client.get("/nowcast/trust", params={"as_of": NOTHING.isoformat()}).text
        assert "当月数据都没有到" in trust and "本月即如此" in trust
        assert "state=nothing" in trust and "level=total" in trust
        assert "在回放的这些月份里" in trust and ("的估算没有比" not in trust or "本月怎样估算" in trust)


def test_cells_without_a_month_a_year_ago_are_said_to_be_a_mean(place: Workspace) -> None:
    seen = own(city.read(place, as_of=NOTHING))
    mine = np.arange(len(seen.cells)) == 0
    seen.direct[mine, : len(seen.months) - 8] = np.nan
    made = figures.estimated(seen)[0]
    assert not made.mean[1:].any() and made.mean[0]
    names = replace(made, method=np.zeros(len(made.method), int)).methods()
    assert names[0] == "recent_mean" and set(names[1:]) == {"last_value"}


def test_a_first_estimate_is_scored_with_its_own_factors(place: Workspace) -> None:
    """The grid factor of 2022 was published on 20 December 2024, between November's estimate and its count."""
    made = nowcast.vintages(place, months=3, as_of=date(2025, 1, 20))
    row = next(one for one in made["rows"] if one["month"] == "2024-11")
    score = row["score"]
    assert abs(score["factors"]) > 0.01 * score["counted"]
    assert score["truth"] == pytest.approx(score["counted"] - score["factors"])
    assert score["error_percent"] == pytest.approx(100 * (score["first"] / score["truth"] - 1))
    assert abs(row["factors_percent"]) > 1 and row["factors_percent"] * score["factors"] > 0
    node = nowcast.open_reason(place, kind="score", month="2024-11", as_of=date(2025, 1, 20))
    assert node["value"] == pytest.approx(score["error_percent"])
    assert sum(one["value"] for one in node["children"]) == pytest.approx(score["truth"])
    for one in node["inputs"][:3]:
        assert nowcast.open_figure(place, **one["question"])["value"] == pytest.approx(one["value"])
    part = nowcast.open_figure(place, **node["children"][1]["question"])
    assert f"= {part['value']:,.0f}" in node["children"][1]["filled"]


def test_half_a_year_of_data_says_why_there_are_no_revisions(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "w")
    half = rows().filter((pl.col("start") >= date(2024, 1, 1)) & (pl.col("end") <= date(2024, 7, 1)))
    made.import_frame(half, source={"file": "generator"}, dataset=DATASET)
    told = nowcast.vintages(made)
    assert told["rows"] == [] and "6个月" in told["note"]["zh"] and "6 months" in told["note"]["en"]
    answer = CliRunner().invoke(cli, ["vintages", "--workspace", str(made.path)])
    assert answer.exit_code == 0 and "还没有满一年" in answer.output


@pytest.mark.parametrize("day", [NOTHING, POWER])
def test_what_an_estimate_is_moved_by_opens_down_to_rows(place: Workspace, day: date) -> None:
    opened = 0
    for sector in ("C17", "C26", "C30"):
        asked = {"month": "2024-10", "place": "330402", "sector": sector, "as_of": day}
        for part in nowcast.open_figure(place, **asked)["parts"]:
            for term in (one for guess in part["estimate"] for one in guess["terms"] if one["name"] != "level"):
                node = nowcast.open_reason(place, **term["question"])
                assert node["value"] / 100 == pytest.approx(term["growth"], abs=1e-9), term
                for one in node["inputs"]:
                    if one.get("query"):
                        leaf = dc.explain(workspace=place, **one["query"])
                        assert leaf["value"] == pytest.approx(one["value"]) and leaf["rows"]
                        opened += 1
                    elif one.get("question"):
                        leaf = nowcast.open_figure(place, **one["question"])
                        assert leaf["value"] == pytest.approx(one["value"])
                        opened += 1
                for child in node["children"][:1]:
                    assert nowcast.open_reason(place, **child["question"])["inputs"]
    assert opened > 3
    with pytest.raises(Refused):
        nowcast.open_reason(place, kind="term", month="2024-10", about="level", sector="C17")


def test_past_errors_of_a_figure_are_those_of_its_state(place: Workspace) -> None:
    for day, name in ((NOTHING, "nothing"), (POWER, "electricity")):
        asked = nowcast.open_figure(place, month="2024-10", place="330402", sector="C17", as_of=day)["past_errors"]
        assert asked["state"] == name and nowcast.open_reason(place, **asked)["value"] > 0
