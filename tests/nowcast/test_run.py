"""This month on a workspace: what is counted, what is estimated, how wide, and why it moved."""

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import docx
import numpy as np
import pdfplumber
import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, city, flags, months, present
from dualcarbon.nowcast.commands import cli
from dualcarbon.nowcast.told import telling

PLACES = ("330402-rest", "330411-rest", "330421-rest", "330424-rest", "330481-rest", "330483-rest")
SECTORS = ("C17", "C26", "C28", "C30", "C33", "C39")
EARLY = date(2024, 11, 15)
DATASET = {"id": "world", "title_zh": "模拟", "title_en": "World", "role": "account", "status": "synthetic",
           "custody": "public"}  # fmt: skip


def rows(seed: int = 0) -> pl.DataFrame:
    """Three years: electricity known 10 days after the month, natural gas 40 days after; gas follows electricity."""
    rng = np.random.default_rng(seed)
    made = []
    for place in PLACES:
        for sector in SECTORS:
            level = rng.lognormal(8, 0.7)
            for t in range(36):
                start = date(2022 + t // 12, t % 12 + 1, 1)
                end = date(2022 + (t + 1) // 12, (t + 1) % 12 + 1, 1)
                level *= np.exp(rng.normal(0.004, 0.03))
                power = level * (1 + 0.15 * np.cos(t / 6 * np.pi))
                gas = 0.02 * power * rng.lognormal(0, 0.01)
                for carrier, item, value, unit, wait in (
                    ("electricity", "energy.purchased", power, "MWh", 10),
                    ("natural_gas", "energy.combustion", gas, "wan_m3", 40),
                ):
                    made.append((place, sector, carrier, item, start, end, value, unit, end + timedelta(wait)))
    columns = ["place", "sector", "carrier", "item", "start", "end", "value", "unit", "known_at"]
    return pl.DataFrame(made, schema=columns, orient="row")


def own(seen: city.City) -> city.City:
    """The same city to be changed: what `city.read` answers is kept for others."""
    arrays = {name: getattr(seen, name).copy() for name in ("direct", "indirect", "power")}
    return replace(seen, doubts=[*seen.doubts], **arrays)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("nowcast") / "workspace")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def early(place: Workspace) -> dict[str, Any]:
    """October 2024 as it looked on 15 November: electricity was there, gas was not."""
    return nowcast.run(place, as_of=EARLY, by=("place", "sector"))


def test_the_part_not_reported_is_estimated_and_holds_what_came(place: Workspace, early: dict[str, Any]) -> None:
    later = nowcast.run(place, as_of=date(2024, 12, 15), month=date(2024, 10, 1), by=("place", "sector"), record=0)
    assert early["month"] == later["month"] == "2024-10"
    assert later["counted_share"] == 1 and later["low"] is None
    assert early["indirect"] == pytest.approx(later["indirect"])
    assert 0 < early["counted_share"] < 1
    assert early["low"] < later["value"] < early["high"]
    inside = [
        one["low"] <= two["value"] <= one["high"]
        for one in early["rows"]
        for two in later["rows"]
        if (one["place"], one["sector"]) == (two["place"], two["sector"])
    ]
    assert len(inside) == 36 and np.mean(inside) >= 0.75
    assert early["status"] == "synthetic" and early["synthetic"]


def test_rows_sum_to_the_total_and_open(place: Workspace, early: dict[str, Any]) -> None:
    assert sum(row["value"] for row in early["rows"]) == pytest.approx(early["value"])
    assert sum(row["direct"] for row in early["rows"]) == pytest.approx(early["direct"])
    assert sum(row["pull_points"] for row in early["rows"]) == pytest.approx(early["change_percent"])
    row = early["rows"][0]
    node = nowcast.open_figure(place, **row["explain"])
    assert node["value"] == pytest.approx(row["value"]) and node["place"] == row["place"]
    assert sum(part["value"] for part in node["parts"]) == pytest.approx(row["value"])
    assert row["name"]["zh"] and sum(row["methods"].values()) == 1


def test_coverage_and_skill_stand_beside_the_estimate(early: dict[str, Any]) -> None:
    record = early["record"]
    assert len(record["months"]) == 21  # two years less what is not yet known
    assert record["better_than_last"] >= 0.65
    assert 0.8 <= record["coverage90"] <= 1
    assert record["error_percent"] < record["last_value_error_percent"]


def test_year_to_date_estimates_only_open_months(early: dict[str, Any]) -> None:
    assert early["year_to_date"]["estimated_months"] == ["2024-10"]
    assert early["year_to_date"]["value"] > 9 * 0.8 * early["value"]


def test_a_run_is_kept_and_gives_the_same_again(place: Workspace, early: dict[str, Any]) -> None:
    again = nowcast.run(place, as_of=EARLY, by=("place", "sector"))
    assert again["value"] == early["value"] and again["run"]["id"] == early["run"]["id"]
    assert early["run"]["id"] in {run["id"] for run in place.runs()}
    kept = place.run(early["run"]["id"])
    assert kept is not None and sum(row["value"] for row in kept["results"]) == pytest.approx(early["value"])
    assert {row["method"] for row in kept["results"]} == {"nowcast.monthly-bridge"}
    assert present.verify(kept["id"], place) == {"id": kept["id"], "same": True, "differences": [], "changed": []}
    node = nowcast.open_figure(place, run=kept["id"])
    assert node["value"] == pytest.approx(early["value"]) and node["month"] == "2024-10"
    assert node["as_of"] == EARLY and sum(one["value"] for one in node["children"]) == pytest.approx(node["value"])


def test_later_rows_change_nothing_known_before(place: Workspace, tmp_path: Path, early: dict[str, Any]) -> None:
    other = Workspace.create(tmp_path / "other")
    changed = pl.when(pl.col("known_at") > EARLY).then(pl.col("value") * 3).otherwise("value")
    other.import_frame(rows().with_columns(changed.alias("value")), source={"file": "generator"}, dataset=DATASET)
    assert nowcast.run(other, as_of=EARLY, record=0)["value"] == pytest.approx(early["value"])


def test_nothing_seen_yet_widens_the_interval(place: Workspace, early: dict[str, Any]) -> None:
    blind = nowcast.run(place, as_of=date(2024, 11, 5), record=0, keep=False)
    assert blind["month"] == "2024-10" and blind["counted_share"] == 0
    assert blind["high"] - blind["low"] > early["high"] - early["low"]


def test_news_sum_to_the_change(place: Workspace) -> None:
    made = nowcast.news(place, before=date(2024, 11, 5), after=date(2024, 12, 15))
    assert made["month"] == "2024-10"
    assert sum(step["effect"] for step in made["steps"]) == pytest.approx(made["change"])
    assert {step["arrival"] for step in made["steps"]} == {"electricity", "fuel"}
    assert (made["as_of"], made["tree"]) == (date(2024, 12, 15), "admin")
    of = {(step["arrival"], step["about"]): step["known_at"] for step in made["steps"]}
    assert of["electricity", "month"] == [date(2024, 11, 11)] and of["fuel", "month"] == [date(2024, 12, 11)]
    printed = CliRunner().invoke(cli, ["news", "--before", "2024-11-05", "--after", "2024-12-15", "--workspace",
                                       str(place.path)]).output  # fmt: skip
    assert "2024-12-11" in printed
    same = nowcast.news(place, before=EARLY, after=date(2024, 11, 16))
    assert same["steps"] == [] and same["change"] == 0


def test_a_new_grid_factor_is_news(place: Workspace) -> None:
    """The grid factor of 2022 was published on 20 December 2024; until then that of 2021 had to serve."""
    made = nowcast.news(place, before=date(2024, 12, 15), after=date(2025, 1, 3))
    assert {step["arrival"] for step in made["steps"]} == {"revision"}
    assert all(step["known_at"] == [date(2024, 12, 20)] for step in made["steps"])
    for one in (factor for step in made["steps"] for factor in step["factors"]):
        assert (one["before"]["value"], one["after"]["value"], one["family"]) == (0.5422, 0.5153, "provincial-2025")
    assert sum(step["effect"] for step in made["steps"]) == pytest.approx(made["change"])


def test_flags_find_a_wrong_unit_and_a_late_county(place: Workspace) -> None:
    seen = own(city.read(place, until=date(2024, 12, 1), as_of=date(2025, 3, 1)))
    (absent,) = flags.find(seen)  # the test city has six of the seven areas
    assert (absent["rule"], absent["place"]) == ("nowcast.place-absent", "330482")
    seen.direct[3, -1] *= 100
    seen.power[[k for k, cell in enumerate(seen.cells) if cell[0] == seen.cells[-1][0]], -1] = np.nan
    found = {(flag["rule"], flag["place"], flag["sector"]) for flag in flags.find(seen)}
    assert [one for one in found if one[1:] == seen.cells[3][:2]] == [("nowcast.carbon-per-kwh", *seen.cells[3][:2])]
    assert ("nowcast.late-place", seen.cells[-1][0], "") in found


def test_a_season_is_no_jump_of_carbon_per_kwh(place: Workspace) -> None:
    def flagged(*months: int) -> set[tuple[str, str]]:
        seen = own(city.read(place, until=date(2024, 8, 1), as_of=date(2025, 3, 1)))
        for month in months:
            seen.power[3, month] *= 4
        return {(one["place"], one["sector"]) for one in flags.find(seen) if one["rule"] == "nowcast.carbon-per-kwh"}

    cell = city.read(place, until=date(2024, 8, 1), as_of=date(2025, 3, 1)).cells[3][:2]
    assert cell in flagged(-1) and cell not in flagged(-1, -13)


def test_cells_with_hardly_any_history() -> None:
    rng = np.random.default_rng(1)
    direct, power = rng.lognormal(0, 0.1, (2, 10, 20))
    direct[:, -1] = np.nan
    direct[0] = 0.0
    direct[1, :17] = np.nan
    power[2] = 0.0
    power[3, -1] = np.nan
    zero = np.zeros(10, int)
    made = months.estimate(direct, power, 19, zero, zero)
    assert np.isfinite(made.value).all() and (made.value >= 0).all()
    assert made.value[0] == 0 and 0.3 < made.value[1] < 3
    few = months.estimate(direct[:, :3], power[:, :3], 2, zero, zero)
    assert np.isfinite(few.value).all()
    assert few.shared > made.shared


def test_explanation_sums_to_the_change(place: Workspace, tmp_path: Path) -> None:
    energy = rows()
    by = energy.group_by("place", "sector", pl.col("start").dt.year().alias("year")).agg(pl.col("value").sum() * 10)
    added = by.with_columns(
        pl.lit("economy.value_added").alias("item"),
        pl.date("year", 1, 1).alias("start"),
        pl.date(pl.col("year") + 1, 1, 1).alias("end"),
        pl.lit("wan_CNY").alias("unit"),
        pl.date(pl.col("year") + 1, 1, 20).alias("known_at"),
    ).filter(pl.col("sector") != "C39")
    other = Workspace.create(tmp_path / "economy")
    whole = pl.concat([energy, added.drop("year")], how="diagonal")
    other.import_frame(whole, source={"file": "generator"}, dataset=DATASET)
    made = nowcast.explain(other, period="2024", as_of=date(2026, 2, 1))
    assert made["against"] == "2023" and made["activity"] == "economy.value_added"
    assert sum(one["value"] for one in made["effects"]) == pytest.approx(made["change"])
    assert sum(row["change"] for row in made["rows"]) == pytest.approx(made["change"])
    effects = {one["effect"]: one["value"] for one in made["effects"]}
    assert effects["unmeasured_energy"] != 0 and effects["activity"] != 0
    assert effects["grid_factor"] == pytest.approx(0, abs=1e-6)
    before = nowcast.explain(other, period="2023", as_of=date(2026, 2, 1))
    assert {one["effect"]: one["value"] for one in before["effects"]}["grid_factor"] < 0
    assert sum(one["value"] for one in before["effects"]) == pytest.approx(before["change"])
    month = nowcast.explain(place, period="2024-06")
    assert month["activity"] is None
    assert sum(one["value"] for one in month["effects"]) == pytest.approx(month["change"])


def test_open_periods_are_not_explained(place: Workspace) -> None:
    with pytest.raises(Refused) as caught:
        nowcast.explain(place, period="2024-10", as_of=EARLY)
    assert caught.value.problems[0].rule == "nowcast.period-open"
    with pytest.raises(Refused) as caught:
        nowcast.explain(place, period="someday")
    assert caught.value.problems[0].rule == "nowcast.bad-period"


def test_the_yearly_analysis(place: Workspace, tmp_path: Path) -> None:
    made = nowcast.analyse(place, year=2024, as_of=date(2025, 3, 1))
    assert made["low"] is None and made["estimated_months"] == []
    assert sum(row["value"] for row in made["areas"]) == pytest.approx(made["value"])
    for key in ("areas", "domains", "sectors"):
        assert sum(row["pull_points"] for row in made[key]) == pytest.approx(made["change_percent"])
    assert made["causes"]["change"] == pytest.approx(made["change"])
    headings = [part["heading"] for part in made["paragraphs"]["zh"]]
    assert headings[0] == "一、总体情况" and "五、变动原因" in headings
    assert f"{made['value'] / 1e4:.1f}万吨" in made["paragraphs"]["zh"][0]["text"]
    for lang, word, mark in (("zh", "碳排放形势分析", "演示数据"), ("en", "carbon in 2024", "synthetic data")):
        document = docx.Document(str(telling.write(made, tmp_path / f"{lang}.docx", lang)))
        assert word in document.paragraphs[0].text and document.sections[0].header.paragraphs[0].text == mark
        assert len(document.tables) == 4 and len(document.tables[1].rows) == len(made["areas"]) + 1
        assert len(document.inline_shapes) == 2
        with pdfplumber.open(telling.write(made, tmp_path / f"{lang}.pdf", lang)) as pdf:
            text = re.sub(r"\s", "", "".join(page.extract_text() for page in pdf.pages))
        assert all(re.sub(r"\s", "", part["heading"]) in text for part in made["paragraphs"][lang])
        value = f"{made['value'] / 1e4:.1f}" if lang == "zh" else f"{made['value'] / 1e3:,.0f}"
        assert value in text and mark.replace(" ", "") in text


def test_an_open_year_says_what_is_estimated(place: Workspace, tmp_path: Path) -> None:
    made = nowcast.analyse(place, year=2024, as_of=EARLY)
    assert made["period"] == "2024-01/2024-10" and made["estimated_months"] == ["2024-10"]
    assert made["low"] < made["value"] < made["high"]
    assert made["causes"]["period"] == "2024-01/2024-09"
    assert "2024年10月未报齐，就已报齐的2024年1—9月，按" in made["paragraphs"]["zh"][4]["text"]
    assert "2024年10月尚未报齐" in made["paragraphs"]["zh"][0]["text"]
    for year in (2022, 2030):
        with pytest.raises(Refused) as caught:
            nowcast.analyse(place, year=year)
        assert caught.value.problems[0].rule == "nowcast.year-not-covered"
    with pytest.raises(Refused) as caught:
        telling.write(made, tmp_path / "report.odt")
    assert caught.value.problems[0].rule == "nowcast.no-such-document"


def total(
    place: str, period: tuple[date, date], value: float, known_at: date, item: str = "emission.co2"
) -> pl.DataFrame:
    columns = {"place": place, "item": item, "start": period[0], "end": period[1], "value": value, "unit": "tCO2"}
    return pl.DataFrame([{**columns, "known_at": known_at}])


def published(folder: Path, *totals: pl.DataFrame) -> Workspace:
    made = Workspace.create(folder)
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    control = {**DATASET, "id": "official", "role": "control", "status": "official"}
    made.import_frame(pl.concat(totals), source={"file": "notice"}, dataset=control)
    return made


def test_official_totals_bind_and_say_how_far_cells_were_moved(tmp_path: Path, early: dict[str, Any]) -> None:
    county = next(row for row in early["rows"] if row["place"] == "330402")["place"]
    october = date(2024, 10, 1), date(2024, 11, 1)
    other = published(
        tmp_path / "official",
        total("330400", october, 1.04 * early["value"], date(2024, 11, 10)),
        total(county, october, 1.1 * sum(r["value"] for r in early["rows"] if r["place"] == county), EARLY),
    )
    for method in ("raking", "least_squares"):
        made = nowcast.run(other, as_of=EARLY, by=("place",), record=0, keep=False, reconcile=method)
        assert made["value"] == pytest.approx(1.04 * early["value"]) and made["low"] is None
        told = {one["place"]: one for one in made["reconciliation"]["totals"]}
        assert set(told) == {"330400", county} and told[county]["moved_percent"] == pytest.approx(10)
        row = next(one for one in made["rows"] if one["place"] == county)
        assert row["moved"] == pytest.approx(told[county]["moved"]) and row["low"] is None
        assert sum(one["moved"] for one in made["rows"]) == pytest.approx(told["330400"]["moved"])
        assert all(one["value"] >= 0 for one in made["rows"])
    free = nowcast.run(other, as_of=EARLY, record=0, keep=False, reconcile="none")
    assert free["value"] == pytest.approx(early["value"]) and free["reconciliation"]["totals"] == []
    before = nowcast.run(other, as_of=date(2024, 11, 5), month=date(2024, 9, 1), record=0, keep=False)
    assert before["reconciliation"]["totals"] == []


def test_the_annual_truth_scores_the_year_and_moves_its_months(tmp_path: Path, place: Workspace) -> None:
    march, day = date(2024, 3, 1), date(2025, 6, 1)
    free = nowcast.run(place, month=march, as_of=day, record=0, keep=False)
    year = nowcast.analyse(place, year=2024, as_of=day)["value"]
    other = published(
        tmp_path / "annual",
        total("330400", (date(2024, 1, 1), date(2025, 1, 1)), 1.05 * year, date(2025, 5, 1)),
        total("330400", (date(2024, 1, 1), date(2025, 1, 1)), 0.9 * year, date(2024, 1, 1), "target.emission.co2"),
    )
    made = nowcast.run(other, month=march, as_of=day, record=0, keep=False)
    assert made["value"] == pytest.approx(1.05 * free["value"], rel=0.02)
    assert made["reconciliation"]["totals"][0]["period"] == "2024"
    scored = nowcast.vintages(other, months=2, as_of=day)["years"][0]
    assert scored["error_percent"] == pytest.approx(100 * (1 / 1.05 - 1))
    assert sum(one["after"] for one in scored["months"]) == pytest.approx(1.05 * year)
    shown = board.board(other, place="330400", as_of=date(2025, 1, 5), tree="admin")["year"]
    assert shown["target"]["gap"] == pytest.approx(shown["value"] - 0.9 * year)
    told = nowcast.analyse(other, year=2024, as_of=day)
    assert told["target"]["gap"] == pytest.approx(told["value"] - 0.9 * year)
    over = told["target"]["gap"]
    first = {lang: told["paragraphs"][lang][0]["text"] for lang in ("zh", "en")}
    assert f"相比，实际超出{over / 1e4:.1f}万吨。" in first["zh"] and f": {over / 1e3:,.0f} kt over." in first["en"]
    half = nowcast.analyse(other, year=2024, as_of=date(2024, 7, 20))
    assert f"累计排放为目标的{half['value'] / (0.9 * year):.1%}" in half["paragraphs"]["zh"][0]["text"]


def test_totals_that_contradict_each_other_are_met_as_far_as_they_can_be(tmp_path: Path) -> None:
    october = date(2024, 10, 1), date(2024, 11, 1)
    areas = [
        total(code, october, 5.0e6, EARLY) for code in ("330402", "330411", "330421", "330424", "330481", "330483")
    ]
    other = published(tmp_path / "against", total("330400", october, 1.0, EARLY), *areas)
    made = nowcast.run(other, as_of=EARLY, record=0, keep=False)
    assert [row["value"] for row in made["rows"]] == pytest.approx([5.0e6] * 6)
    (left,) = made["reconciliation"]["unused"]
    assert (left["rule"], left["place"]) == ("nowcast.total-contradicted", "330400")


def test_revisions_are_scored_once_the_month_is_counted(place: Workspace) -> None:
    made = nowcast.vintages(place, months=3, as_of=date(2024, 12, 15))
    assert [row["month"] for row in made["rows"]] == ["2024-09", "2024-10", "2024-11"]
    october = made["rows"][1]
    assert len(october["estimates"]) >= 3 and october["estimates"][-1]["counted_share"] == 1
    assert october["score"]["inside"] and abs(october["score"]["error_percent"]) < 10
    assert made["rows"][2]["score"] is None
    assert 0 <= made["score"]["inside"] <= 1


def test_refusals(place: Workspace, tmp_path: Path) -> None:
    def rule(**question: Any) -> str:
        with pytest.raises(Refused) as caught:
            nowcast.run(question.pop("workspace", place), **question)
        told.append(caught.value.problems[0].as_dict("zh")["message"])
        return caught.value.problems[0].rule

    told: list[str] = []
    assert rule(month="2015-01") == "nowcast.no-energy-data" and "最早的是 2022-01" in told[-1]
    assert rule(place="nowhere") == "nowcast.unknown-place"
    assert rule(by=("colour",)) == "nowcast.unknown-dimension"
    assert rule(reconcile="guess") == "nowcast.unknown-reconciliation"
    assert rule(workspace=Workspace.create(tmp_path / "empty")) == "nowcast.no-energy-data" and "最早" not in told[-1]


def test_commands(place: Workspace, tmp_path: Path) -> None:
    folder = str(place.path)
    run = CliRunner().invoke(cli, ["run", "--as-of", "2024-11-15", "--by", "sector", "--workspace", folder, "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["month"] == "2024-10"
    run = CliRunner().invoke(cli, ["run", "--workspace", folder])
    assert run.exit_code == 0 and "嘉兴市" in run.stdout and "演示数据" in run.stdout
    run = CliRunner().invoke(cli, ["news", "--before", "2024-12-05", "--after", "2025-01-20", "--workspace", folder])
    assert run.exit_code == 0 and "用电数据" in run.stdout
    run = CliRunner().invoke(cli, ["explain", "--period", "2024-06", "--workspace", folder])
    assert run.exit_code == 0 and "电网因子" in run.stdout
    run = CliRunner().invoke(cli, ["situation", "--year", "2024", "--workspace", folder, "--json"])
    assert run.exit_code == 0 and json.loads(run.stdout)["period"] == "2024"
    file = tmp_path / "report.pdf"
    run = CliRunner().invoke(cli, ["situation", str(file), "--year", "2024", "--workspace", folder])
    assert run.exit_code == 0 and file.read_bytes()[:5] == b"%PDF-"
    assert CliRunner().invoke(cli, ["run", "--as-of", "soon", "--workspace", folder]).exit_code == 2
