"""Factors that nobody knew on the day are borrowed and said to be; what has none is missing, never zero."""

import html
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.engine import calculate, runs
from dualcarbon.nowcast import city
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_run import DATASET, rows

#: Before any average factor of electricity was published, and on the days around it.
BEFORE, EVE, DAY = date(2023, 8, 15), date(2024, 4, 11), date(2024, 4, 12)
LATER = date(2025, 6, 1)
FIRST = 0.5422  # Zhejiang 2021, published on 2024-04-12
CELL = (pl.col("place") == "330402-rest") & (pl.col("sector") == "C17") & (pl.col("carrier") == "natural_gas")


def world(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame) -> Workspace:
    made = Workspace.create(folder)
    made.import_frame(change(rows()), source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return world(tmp_path_factory.mktemp("factors") / "w")


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One cell burns methanol too, for which the pack has no factor, and another sector of the area burns only that."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        odd = frame.filter(CELL).with_columns(carrier=pl.lit("methanol"), unit=pl.lit("t"), value=pl.lit(10.0))
        return pl.concat([frame, odd, odd.with_columns(sector=pl.lit("C23"))])

    return world(tmp_path_factory.mktemp("lacking") / "w", change)


def power(made: Workspace, month: date) -> float:
    """The electricity of a month in MWh."""
    frame = rows().filter((pl.col("carrier") == "electricity") & (pl.col("start") == month))
    return float(frame["value"].sum())


def test_electricity_is_counted_before_its_factor_was_published_and_this_is_said(place: Workspace) -> None:
    made = nowcast.run(place, as_of=BEFORE, month=date(2023, 7, 1), record=0, keep=False)
    assert made["indirect"] == pytest.approx(FIRST * power(place, date(2023, 7, 1)))
    later = [one for one in made["fallbacks"] if one["reason"] == "later"]
    assert {(one["parameter"], one["used"]["place"], one["used"]["value"]) for one in later} == {
        ("power.co2", "330000", FIRST)
    }
    assert {one["used"]["known_at"] for one in later} == {DAY}
    (flag,) = [one for one in made["flags"] if one["rule"] == "nowcast.factor-later"]
    for word in (
        "2023年8月15日",
        "2024年4月12日",
        "电力平均二氧化碳排放因子",
        "浙江省2021年",
        "0.5422",
        "不是当时所知",
    ):
        assert word in flag["message"]["zh"]
    for word in ("2023-08-15", "2024-04-12", "Zhejiang 2021", "0.5422", "not known then"):
        assert word in flag["message"]["en"]
    assert made["missing"] == [] and not made["lacking"]


def test_a_month_does_not_jump_on_the_day_the_factor_comes_out(place: Workspace) -> None:
    month = date(2023, 12, 1)
    before, after = (nowcast.run(place, as_of=day, month=month, record=0, keep=False) for day in (EVE, DAY))
    assert before["value"] == pytest.approx(after["value"], rel=1e-9)
    assert [one["rule"] for one in after["factors"]] == ["nowcast.factor-carried"]
    assert not [one for one in after["flags"] if one["rule"].startswith("nowcast.factor")]
    told = nowcast.news(place, before=EVE, after=DAY, month=month)
    assert told["change"] == pytest.approx(0.0, abs=1e-6) and told["steps"] == []
    for row in nowcast.vintages(place, as_of=date(2024, 6, 1), months=8)["rows"]:
        values = [one["value"] for one in row["estimates"]]
        assert max(values) < 1.2 * min(values)


def test_strict_answers_stay_missing(place: Workspace) -> None:
    asked: dict[str, Any] = {"workspace": place, "known_at": BEFORE, "pack": place.pack}
    strict = runs.calc("cn.electricity", **asked)
    assert strict.missing and not strict.complete
    assert not any("known_at" in one["used"] or one["reason"] == "later" for one in strict.fallbacks)
    node = runs.explain("emission.co2", method="cn.electricity", **asked)
    assert node["value"] is None and node["missing"]


METHOD = """
id: own.electricity
version: 1
status: synthetic
title: {zh: 测试, en: test}
source: {id: test}
rows: {name: electricity, item: energy.purchased, unit: MWh}
factors: [{name: ef, parameter: own.ef, unit: tCO2/MWh}]
equations: [{name: co2, unit: tCO2, formula: electricity * ef}]
outputs: [{equation: co2, item: emission.co2}]
"""
FACTORS = [
    # place, value, year, published
    ("330000", 0.9, "2021", "2024-04-12"), ("330000", 0.8, "2022", "2024-12-20"), ("330000", 0.7, "2023", "2025-06-01"),
    ("CN", 0.6, "2015", "2016-01-01"), ("CN", 0.5, "2017", "2018-01-01"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("period", "day", "value", "reasons"),
    [
        ("2023-06", date(2024, 6, 1), 0.9, {"place", "period"}),
        ("2023-06", date(2023, 8, 1), 0.5, {"place", "period"}),  # far too old, but known then
        ("2014-06", date(2024, 6, 1), 0.9, {"place", "period"}),  # the nearest place before the nearest year
        ("2014-06", date(2023, 8, 1), 0.6, {"place", "period"}),
        ("2023-06", date(2015, 8, 1), 0.9, {"place", "period", "later"}),  # what came out first of the nearest place
        ("2023-06", date(2025, 8, 1), 0.7, {"place"}),
        ("2021-06", date(2015, 8, 1), 0.9, {"place", "later"}),
        ("2023-06", None, 0.7, {"place"}),
    ],
)
def test_what_is_borrowed(tmp_path: Path, period: str, day: date | None, value: float, reasons: set[str]) -> None:
    frame = pl.DataFrame(
        [("own.ef", *one, one[2]) for one in FACTORS], orient="row",
        schema=["parameter", "place", "value", "valid_from", "known_at", "valid_to"],
    ).with_columns(unit=pl.lit("tCO2/MWh"))  # fmt: skip
    method = tmp_path / "own.yaml"
    method.write_text(METHOD, encoding="utf-8")
    row = {"place": "330481", "item": "energy.purchased", "period": period, "value": 10.0, "unit": "MWh"}
    asked: dict[str, Any] = {"factors": frame, "known_at": day}
    strict, lent = (calculate(method, pl.DataFrame([row]), **asked, borrow=borrow) for borrow in (False, True))
    assert lent.cells["co2"].to_list() == [pytest.approx(10 * value)] and not lent.missing
    assert {one["reason"] for one in lent.fallbacks} == reasons
    exact = not reasons & {"period", "later"}
    assert strict.cells["co2"].to_list() == [pytest.approx(10 * value) if exact else None]
    assert bool(strict.missing) is not exact


def test_a_borrowed_figure_opens_down_to_the_factor_and_its_rows(place: Workspace) -> None:
    made = nowcast.open_figure(place, month="2023-07", place="330481", sector="C17", as_of=BEFORE)
    assert made["value"] == pytest.approx(sum(part["value"] for part in made["parts"]))
    node = made["parts"][1]["node"]
    (factor,) = node["factors"]
    assert node["value"] == pytest.approx(made["parts"][1]["value"])
    assert (factor["parameter"], factor["value"], factor["known_at"]) == ("power.co2", FIRST, DAY)
    assert factor["source"] == "mee-power-2021" and "later" in [one["reason"] for one in factor["fallback"]]
    assert node["rows"] and sum(row["contribution"] for row in node["rows"]) == pytest.approx(node["value"])
    (note,) = made["factors"]
    assert note["rule"] == "nowcast.factor-later" and "0.5422" in note["message"]["zh"]
    fuels = nowcast.open_figure(place, month="2023-07", place="330481", part="direct", as_of=BEFORE)
    assert fuels["factors"] == []


def test_months_before_the_first_factor_take_the_nearest_year(tmp_path: Path) -> None:
    moved = [pl.col(name).dt.offset_by("-36mo") for name in ("start", "end", "known_at")]
    made = world(tmp_path / "w", lambda frame: frame.with_columns(moved))
    told = nowcast.run(made, as_of=LATER, month=date(2020, 6, 1), record=0, keep=False)
    assert told["indirect"] == pytest.approx(FIRST * power(made, date(2023, 6, 1)))
    assert {one["reason"] for one in told["fallbacks"]} == {"place", "period"}
    (flag,) = [one for one in told["flags"] if one["rule"] == "nowcast.factor-nearest"]
    assert "2019年1月至2020年6月" in flag["message"]["zh"] and "浙江省2021年" in flag["message"]["zh"]
    assert "2024年4月12日" in flag["message"]["zh"] and "0.5422" in flag["message"]["zh"]
    year = nowcast.run(made, as_of=LATER, month=date(2021, 12, 1), record=0, keep=False)
    assert year["counted_share"] == 1 and year["last_year"] and abs(year["change_percent"]) < 50


def test_the_terminal_pages_and_report_say_what_was_borrowed(place: Workspace) -> None:
    asked = ["--as-of", BEFORE.isoformat(), "--workspace", str(place.path)]
    for verb in (["run", "--replay", "0"], ["open", "--month", "2023-07"]):
        assert "0.5422" in CliRunner().invoke(cli, [*verb, *asked]).output
    report = nowcast.analyse(place, as_of=date(2024, 3, 15), year=2023)
    for lang, word in (("zh", "不是当时所知"), ("en", "not known then")):
        assert word in report["paragraphs"][lang][-1]["text"]
    client = TestClient(create_app(place.path))
    for lang, word in (("zh", "不是当时所知"), ("en", "not known then")):
        for page in ("/nowcast", "/nowcast/open?month=2023-07"):
            asked_for = {"lang": lang, "as_of": BEFORE.isoformat()}
            text = client.get(page, params={**dict(re.findall(r"(\w+)=([\w-]+)", page)), **asked_for}).text
            assert word in html.unescape(text)
    twin = client.get("/nowcast.json", params={"as_of": BEFORE.isoformat()}).json()
    assert twin["factors"][0]["rule"] == "nowcast.factor-later"


def test_derived_figures_work_before_the_factor(place: Workspace) -> None:
    day = date(2024, 3, 15)
    why = nowcast.explain(place, period="2024-01", as_of=day)
    assert why["before"] > 0 and abs(why["change_percent"]) < 50
    assert sum(one["value"] for one in why["effects"]) == pytest.approx(why["change"])
    node = nowcast.open_reason(place, kind="sum", period="2023", as_of=day)
    assert node["value"] == pytest.approx(sum(one["value"] for one in node["children"]))
    (note,) = node["factors"]
    assert (note["rule"], note["period"]) == ("nowcast.factor-later", "2023") and node["missing"] == []
    news = nowcast.news(place, before=date(2023, 8, 5), after=BEFORE, month=date(2023, 7, 1))
    assert abs(news["change"]) < 0.5 * news["value_before"]


def test_causes_and_revisions_name_what_was_borrowed_and_what_is_missing(lacking: Workspace) -> None:
    told = nowcast.explain(lacking, period="2023-06", against="2023-05", as_of=BEFORE)
    turned = nowcast.vintages(lacking, as_of=BEFORE, months=2)
    for made in (told, turned):
        assert {one["rule"] for one in made["factors"]} == {"nowcast.factor-later"}
        assert {one["carrier"] for one in made["missing"]} == {"methanol"}
    assert {one["effect"]: one["value"] for one in told["effects"]}["grid_factor"] == pytest.approx(0, abs=1e-6)


def test_rows_without_a_factor_are_named_and_make_the_total_incomplete(lacking: Workspace, place: Workspace) -> None:
    asked: dict[str, Any] = {"month": date(2024, 9, 1), "as_of": LATER, "record": 0, "keep": False}
    made = nowcast.run(lacking, by=("place", "sector"), **asked)
    whole = nowcast.run(place, **asked)
    assert made["value"] == pytest.approx(whole["value"]) and whole["complete"]
    assert not made["complete"] and made["lacking"] and not made["year_to_date"]["complete"]
    (lost,) = made["missing"]
    assert (lost["carrier"], lost["unit"], lost["places"]) == ("methanol", "t", ["330402"])
    assert (lost["rows"], lost["quantity"]) == (2 * 21, pytest.approx(10.0 * 2 * 21))
    (flag,) = [one for one in made["flags"] if one["rule"] == "nowcast.factor-missing"]
    assert "甲醇" in flag["message"]["zh"] and "合计不完整" in flag["message"]["zh"] and "420" in flag["message"]["zh"]
    assert "incomplete" in flag["message"]["en"]
    found = {(row["place"], row["sector"]): row for row in made["rows"]}
    assert found["330402", "C23"]["value"] is None and not found["330402", "C23"]["complete"]
    assert found["330402", "C17"]["value"] > 0 and not found["330402", "C17"]["complete"]
    assert found["330402", "C26"]["complete"]
    kept = {(row["place"], row["sector"]): row for row in made["run"]["results"]}
    assert not kept["330402", "C17"]["complete"] and kept["330402", "C26"]["complete"]


def test_an_estimate_made_from_an_incomplete_year_is_incomplete(lacking: Workspace) -> None:
    made = nowcast.run(lacking, month=date(2024, 10, 1), as_of=date(2024, 11, 15), record=0, keep=False, by=("sector",))
    assert {row["sector"]: row["lacking"] for row in made["rows"]}["C17"] and made["lacking"]
    node = nowcast.open_figure(lacking, month="2024-10", as_of=date(2024, 11, 15))
    assert node["missing"][0]["carrier"] == "methanol"


def test_what_is_lost_opens_into_its_rows(lacking: Workspace) -> None:
    one = nowcast.open_figure(lacking, month="2024-09", place="330402", sector="C23", as_of=LATER)
    assert one["value"] is None and not one["complete"]
    fuels = one["parts"][0]
    assert fuels["value"] is None and fuels["node"]["missing"] and fuels["node"]["rows_total"] == 1
    both = nowcast.open_figure(lacking, month="2024-09", place="330402", sector="C17", as_of=LATER)
    assert both["value"] > 0 and not both["complete"] and both["missing"][0]["rows"] == 1
    above = nowcast.open_figure(lacking, month="2024-09", place="330402", as_of=LATER)
    year = nowcast.open_reason(lacking, kind="sum", period="2024", place="330402", sector="C23", as_of=LATER)
    assert year["value"] is None and not year["complete"] and year["missing"][0]["rows"] == 12
    hidden = next(child for child in above["children"] if child["code"] == "C23")
    assert hidden["value"] is None and not hidden["complete"] and not above["complete"]


def test_every_face_says_that_the_total_is_incomplete(lacking: Workspace) -> None:
    asked = ["--as-of", LATER.isoformat(), "--workspace", str(lacking.path)]
    for verb in (
        ["run", "--month", "2024-09", "--replay", "0", "--by", "sector"],
        ["open", "--month", "2024-09"],
        ["open", "--month", "2024-09", "--place", "330402", "--sector", "C23"],
    ):
        done = CliRunner().invoke(cli, [*verb, *asked])
        assert done.exit_code == 0 and "甲醇" in done.output and "不完整" in done.output
    report = nowcast.analyse(lacking, as_of=LATER, year=2024)
    assert not report["complete"] and "C23" not in [row["code"] for row in report["sectors"]]
    for lang, word in (("zh", "合计不完整"), ("en", "incomplete")):
        assert word in report["paragraphs"][lang][0]["text"] and word in report["paragraphs"][lang][-1]["text"]
    client = TestClient(create_app(lacking.path))
    assert "甲醇" in client.get("/nowcast").text and "合计不完整" in client.get("/nowcast").text
    months = client.get("/nowcast.json").json()["months"]
    assert months[0]["state"] == "partly" and months[0]["low"] is None  # counted as far as it has factors: none to come
    assert f"往后 {sum(one['low'] is not None for one in months)} 个月" in client.get("/nowcast").text
    for place in ({}, {"place": "330402", "sector": "C23"}, {"place": "330402", "sector": "C17"}):
        opened = client.get("/nowcast/open", params={"month": "2024-09", **place})
        assert opened.status_code == 200 and "甲醇" in opened.text
    assert client.get("/nowcast/tables.xlsx").status_code == 200


def test_a_city_without_any_factor_is_refused(tmp_path: Path) -> None:
    odd = {"carrier": pl.lit("methanol"), "unit": pl.lit("t")}
    made = world(tmp_path / "w", lambda frame: frame.filter(pl.col("carrier") == "natural_gas").with_columns(**odd))
    with pytest.raises(Refused) as refused:
        nowcast.run(made, record=0)
    assert refused.value.problems[0].rule == "nowcast.no-factors"


def test_the_arrays_hold_what_is_known_of_a_cell(lacking: Workspace, place: Workspace) -> None:
    seen, clean = (city.read(one, as_of=LATER) for one in (lacking, place))
    k = seen.cells.index(("330402", "C23", "industry"))
    assert not np.nan_to_num(seen.direct[k]).any() and seen.lacking(3)[k] and not seen.lacking(3, "indirect")[k]
    assert np.nansum(seen.direct) == pytest.approx(np.nansum(clean.direct)) and not clean.lacking(3).any()


ASKS: list[Callable[[Workspace], Any]] = [
    lambda w: nowcast.run(w, family="foo", record=0),
    lambda w: nowcast.news(w, before=date(2024, 6, 1), family="foo"),
    lambda w: nowcast.explain(w, period="2024-03", family="foo"),
    lambda w: nowcast.vintages(w, family="foo"),
    lambda w: nowcast.open_figure(w, month="2024-03", family="foo"),
    lambda w: nowcast.open_reason(w, kind="sum", period="2024-03", family="foo"),
    lambda w: nowcast.analyse(w, year=2024, family="foo"),
]


@pytest.mark.parametrize("ask", ASKS)
def test_an_unknown_family_is_refused_with_those_there_are(place: Workspace, ask: Callable[[Workspace], Any]) -> None:
    with pytest.raises(Refused) as refused:
        ask(place)
    (problem,) = refused.value.problems
    assert problem.rule == "nowcast.unknown-family" and "provincial-2025" in problem.line()
    assert "enterprise" in problem.line("en") and "power" not in problem.line()


def test_the_api_refuses_an_unknown_family(place: Workspace) -> None:
    client = TestClient(create_app(place.path))
    for path, asked in (
        ("run.json", {}), ("news.json", {"before": "2024-06-01"}), ("explain.json", {"period": "2024-03"}),
        ("vintages.json", {}), ("situation.json", {"year": 2024}), ("open.json", {"month": "2024-03"}),
        ("open", {"kind": "sum", "period": "2024-03"}), ("situation.docx", {"year": 2024}),
    ):  # fmt: skip
        answer = client.get(f"/nowcast/{path}", params={**asked, "family": "foo"})
        assert 400 <= answer.status_code < 500 and "provincial-2025" in answer.text
    assert client.get("/nowcast/run.json", params={"family": "enterprise"}).json()["family"] == "enterprise"
