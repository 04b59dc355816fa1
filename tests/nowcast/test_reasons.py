"""Figures derived from months open into equations, inputs and parts, down to months, cells and rows."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import arrivals, board, city, revisions, why
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_run import DATASET, EARLY, rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("reasons") / "workspace")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


def parts(node: dict[str, Any]) -> float:
    return float(sum(one["value"] for one in node["children"]))


def test_a_sum_opens_into_its_months_and_they_into_cells(place: Workspace) -> None:
    told = board.board(place, place=None, as_of=EARLY, tree="admin")["year"]
    node = nowcast.open_reason(place, kind="sum", period="2024-01/2024-10", as_of=EARLY)
    path = next(one for one in told["path"] if one["month"] == "2024-10")
    assert node["value"] == pytest.approx(path["value"]) == pytest.approx(parts(node))
    assert (node["low"], node["high"]) == (pytest.approx(path["low"]), pytest.approx(path["high"]))
    last = node["children"][-1]
    assert nowcast.open_figure(place, **last["question"])["value"] == pytest.approx(last["value"])
    county = nowcast.open_reason(place, kind="sum", period="2024", place="330402", sector="C17")
    month = nowcast.open_figure(place, **county["children"][0]["question"])
    assert month["parts"][0]["node"]["rows"] or month["parts"][0]["node"]["children"]
    direct = nowcast.open_reason(place, kind="sum", period="2024", part="direct")
    assert direct["value"] == pytest.approx(nowcast.open_reason(place, kind="sum", period="2024")["direct"])


def test_causes_and_revisions_are_the_same_from_what_was_read_before(place: Workspace) -> None:
    for day, period in ((date(2024, 12, 15), "2024-06"), (date(2025, 3, 1), "2024")):
        held = city.read(place, as_of=day)
        told = why.explain(place, period=period, as_of=day, held=held)
        assert told == why.explain(place, period=period, as_of=day) and told["effects"]
    now = city.read(place, as_of=date(2025, 1, 20))
    again = [revisions.recounted(place, "330400", "admin", "provincial-2025", known)
             for known in (None, {now.as_of: now})]  # fmt: skip
    told = [one(date(2024, 10, 1), now.as_of, date(2024, 11, 15)) for one in again]
    assert told[0] is not None and told[0][0]["indirect"] != told[0][1]["indirect"] and told[0] == told[1]


def test_an_effect_opens_into_sectors_carriers_and_their_logarithms(place: Workspace) -> None:
    told = nowcast.explain(place, period="2024-06")
    for effect in (one for one in told["effects"] if abs(one["value"]) > 1):
        node = nowcast.open_reason(place, **effect["explain"])
        assert node["value"] == pytest.approx(effect["value"]) == pytest.approx(parts(node))
        child = node["children"][0]
        sector = nowcast.open_reason(place, **child["question"])
        assert sector["value"] == pytest.approx(child["value"]) == pytest.approx(parts(sector), abs=1e-6)
        assert any("ln(" in one["filled"] for one in sector["children"])
        whole = nowcast.open_reason(place, **sector["inputs"][0]["question"])
        assert whole["value"] == pytest.approx(sector["inputs"][0]["value"])
    row = told["rows"][0]
    node = nowcast.open_reason(place, **row["explain"])
    assert node["value"] == pytest.approx(row["change"]) == pytest.approx(parts(node))


def test_news_open_into_areas_and_the_rows_that_arrived(place: Workspace) -> None:
    told = nowcast.news(place, before=date(2024, 11, 5), after=date(2024, 12, 15))
    step = told["steps"][0]
    node = nowcast.open_reason(place, **step["explain"])
    assert node["value"] == pytest.approx(step["effect"]) == pytest.approx(parts(node))
    assert node["rows_total"] >= len(node["rows"]) > 0
    assert all(date(2024, 11, 5) < row["known_at"] <= date(2024, 12, 15) for row in node["rows"])
    assert {row["period"] for row in node["rows"]} <= set(step["months"])
    fuel = next(one for one in told["steps"] if (one["arrival"], one["about"]) == ("fuel", "month"))
    whole = nowcast.open_reason(place, **fuel["explain"])["rows_total"]
    county = nowcast.open_reason(place, **{**fuel["explain"], "place": "330402"})
    sector = nowcast.open_reason(place, **{**fuel["explain"], "place": "330402", "sector": "C17"})
    assert whole > county["rows_total"] == len(county["rows"]) > sector["rows_total"] == len(sector["rows"]) > 0
    assert all(row["place"].startswith("330402") for row in county["rows"])
    assert all(row["sector"] == "C17" and row["place"].startswith("330402") for row in sector["rows"])
    assert nowcast.open_reason(place, **{**fuel["explain"], "part": "indirect"})["rows"] == []
    spring = pl.DataFrame({"item": ["energy.combustion"], "start": [date(2024, 1, 1)], "end": [date(2024, 3, 1)]})
    for month, height in (("2024-01", 1), ("2024-02", 1), ("2024-03", 0)):
        assert arrivals.of_step(spring, arrivals.Step("fuel", "month", [month])).height == height


def test_news_open_into_what_they_did_to_each_area_and_cell(place: Workspace) -> None:
    """Every part is what the arrival did to it; both estimates open, down to a cell's count or terms."""
    told = nowcast.news(place, before=date(2024, 11, 5), after=date(2025, 1, 3))
    step = next(one for one in told["steps"] if (one["arrival"], one["about"]) == ("revision", "year_before"))
    assert step["known_at"] == [date(2024, 12, 20)]
    node, above, depth = nowcast.open_reason(place, **step["explain"]), step["effect"], 0
    assert [(one["value"], one["unit"]) for one in node["inputs"][2:]] == [(0.5422, "tCO2/MWh"), (0.5153, "tCO2/MWh")]
    assert all("2025" in one["name"]["zh"] or "2024-" in one["name"]["zh"] for one in node["inputs"][2:])
    while node["children"]:
        assert node["value"] == pytest.approx(above) == pytest.approx(parts(node))
        child = node["children"][0]
        node, above, depth = nowcast.open_reason(place, **child["question"]), child["value"], depth + 1
    assert depth >= 2 and node["value"] == pytest.approx(above)
    before, after = node["inputs"][:2]
    assert node["value"] == pytest.approx(after["value"] - before["value"])
    for one in (before, after):
        opens = nowcast.open_reason if one["question"].get("kind") else nowcast.open_figure
        assert opens(place, **one["question"])["value"] == pytest.approx(one["value"])
    state = nowcast.open_reason(place, **child["question"], state="after")
    assert state["value"] == pytest.approx(after["value"]) and state["inputs"]
    for one in state["inputs"]:
        if one["value"]:
            opens = nowcast.open_reason if one["question"].get("kind") else nowcast.open_figure
            assert opens(place, **one["question"])["value"] == pytest.approx(one["value"])


def test_errors_open_down_to_cells(place: Workspace) -> None:
    told = board.replayed(place, place=None, as_of=None, tree="admin")["replay"]
    node = nowcast.open_reason(place, kind="error")
    assert node["value"] == pytest.approx(told["error_percent"]) == pytest.approx(parts(node))
    held = next(one["value"] for one in node["inputs"] if "覆盖" in one["name"]["zh"])
    assert abs(held - 100 * told["coverage90"]) < 2
    month = nowcast.open_reason(place, **node["children"][0]["question"])
    assert month["value"] == pytest.approx(told["by_month"][0]["error_percent"]) == pytest.approx(parts(month))
    cells = nowcast.open_reason(place, **month["children"][0]["question"])
    assert cells["value"] == pytest.approx(parts(cells))
    cell = nowcast.open_figure(place, **cells["children"][0]["question"])
    assert f"{cell['value']:,.0f}" in cells["children"][0]["filled"]


def test_a_score_opens_into_the_first_estimate_and_the_count(place: Workspace) -> None:
    row = nowcast.vintages(place, months=3)["rows"][0]
    node = nowcast.open_reason(place, kind="score", month=row["month"])
    assert node["value"] == pytest.approx(row["score"]["error_percent"])
    for one in node["inputs"][:3]:
        assert nowcast.open_figure(place, **one["question"])["value"] == pytest.approx(one["value"])


def test_targets_official_totals_and_the_way_to_the_account(tmp_path: Path) -> None:
    import polars as pl

    made = Workspace.create(tmp_path / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    value = nowcast.open_reason(made, kind="sum", period="2023")["value"]
    given = [("target.emission.co2", 2024, 1e6), ("emission.co2", 2023, 1.04 * value)]
    frame = pl.DataFrame(
        [("330400", item, date(year, 1, 1), date(year + 1, 1, 1), number, "tCO2", date(2024, 3, 1))
         for item, year, number in given],
        schema=["place", "item", "start", "end", "value", "unit", "known_at"], orient="row",
    )  # fmt: skip
    made.import_frame(
        frame, source={"file": "bulletin"}, dataset={"id": "bulletin", "title_zh": "公报", "title_en": "Bulletin",
                                                     "role": "control", "status": "official", "custody": "public"}
    )  # fmt: skip
    gap = nowcast.open_reason(made, kind="target", period="2024")
    assert gap["value"] == pytest.approx(gap["inputs"][0]["value"] - 1e6)
    assert gap["inputs"][1]["status"] == "official" and gap["inputs"][1]["query"]["item"] == "target.emission.co2"
    official = nowcast.open_reason(made, kind="official", period="2023")
    assert official["value"] == pytest.approx(100 * (1 / 1.04 - 1))
    assert parts(official) == pytest.approx(1.04 * value)
    bridge = nowcast.open_reason(made, kind="bridge", period="2024", as_of=date(2025, 3, 1))
    assert bridge["value"] == pytest.approx(sum(one["value"] or 0 for one in bridge["inputs"][1::2]) +
                                            (bridge["inputs"][-1]["value"] or 0))  # fmt: skip


def test_wrong_questions_are_refused(place: Workspace) -> None:
    wrong: list[dict[str, Any]] = [
        {"kind": "nothing"}, {"kind": "sum"}, {"kind": "sum", "period": "2031"}, {"kind": "sum", "period": "soon"},
        {"kind": "effect", "effect": "magic", "period": "2024"}, {"kind": "effect", "period": "2024"},
        {"kind": "error", "month": "2001-01"}, {"kind": "score", "month": "2022-03"}, {"kind": "sum", "run": "x"},
        {"kind": "target", "period": "2024"}, {"kind": "official", "period": "2023"},
        {"kind": "news", "month": "2024-10", "before": "2024-11-05", "arrival": "rumour", "about": "month"},
    ]  # fmt: skip
    for question in wrong:
        with pytest.raises(Refused):
            nowcast.open_reason(place, **question)


def test_the_command_prints_what_opens_next(place: Workspace) -> None:
    asked = ["open", "--kind", "effect", "--sector", "C17", "--period", "2024-06", "--workspace", str(place.path)]
    shown = CliRunner().invoke(cli, asked)
    assert shown.exit_code == 0, shown.output
    assert "nowcast open --kind effect" in shown.stdout and "−" in shown.stdout
    made = json.loads(CliRunner().invoke(cli, [*asked, "--json"]).stdout)
    assert made["value"] == pytest.approx(sum(one["value"] for one in made["children"]))
    assert CliRunner().invoke(cli, ["open", "--workspace", str(place.path)]).exit_code == 2


def test_kinds_options_and_names_are_told_and_understood(place: Workspace) -> None:
    with pytest.raises(Refused) as caught:
        nowcast.open_reason(place, kind="foo")
    (problem,) = caught.value.problems
    assert problem.rule == "nowcast.unknown-kind" and "effect" in problem.params["known"]
    with pytest.raises(Refused) as caught:
        nowcast.open_reason(place, kind="news", month="2024-10")
    (problem,) = caught.value.problems
    assert problem.rule == "nowcast.other-options" and "before" in problem.params["needs"]
    named, coded = (
        nowcast.open_figure(place, month="2024-08", place="330402", sector=one) for one in ("纺织业", "C17")
    )
    assert named["value"] == coded["value"] and named["sector"] == "C17"
