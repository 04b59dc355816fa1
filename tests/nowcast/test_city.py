"""Reading a city: what arrived when, holes, wrong months, rows at the city's own code."""

import html
import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board as boards
from dualcarbon.nowcast import city, flags, screening
from tests.nowcast.test_robust import CELL, POWER, times
from tests.nowcast.test_run import DATASET, EARLY, rows, total

LATER = date(2025, 6, 1)
COUNTY = pl.col("place") == "330402-rest"


def world(
    folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame, *others: pl.DataFrame,
    role: str = "account",
) -> Workspace:  # fmt: skip
    """The workspace of `rows` after `change`, and each of `others` as a dataset of its own."""
    made = Workspace.create(folder)
    made.import_frame(change(rows()), source={"file": "generator"}, dataset=DATASET)
    for n, other in enumerate(others):
        made.import_frame(other, source={"file": f"other {n}"}, dataset={**DATASET, "id": f"other{n}", "role": role})
    return made


def row_of(seen: city.City, place: str = "330402", sector: str = "C17") -> int:
    return next(k for k, cell in enumerate(seen.cells) if cell[:2] == (place, sector))


def test_a_hole_at_the_start_is_not_seen_and_no_zero(tmp_path: Path) -> None:
    made = world(tmp_path / "w", lambda frame: frame.filter(~(CELL & (pl.col("start") <= date(2022, 3, 1)))))
    seen = city.read(made, as_of=LATER)
    k = row_of(seen)
    assert np.isnan(seen.direct[k, :3]).all() and np.isnan(seen.power[k, :3]).all() and seen.direct[k, 3] > 0
    past = nowcast.run(made, as_of=LATER, month=date(2023, 1, 1), by=("place", "sector"), record=0, keep=False)
    mine = next(row for row in past["rows"] if (row["place"], row["sector"]) == ("330402", "C17"))
    assert mine["last_year"] is None and past["last_year"] is None


def test_energy_that_a_cell_never_had_is_zero_from_the_start(tmp_path: Path) -> None:
    gas = pl.col("carrier") == "natural_gas"
    seen = city.read(world(tmp_path / "never", lambda frame: frame.filter(~(CELL & gas))), as_of=LATER)
    assert (seen.direct[row_of(seen)] == 0).all()
    late = city.read(
        world(tmp_path / "late", lambda frame: frame.filter(~(CELL & (pl.col("start") < date(2024, 1, 1))))),
        as_of=LATER,
    )
    assert (late.power[row_of(late), :24] == 0).all() and late.power[row_of(late), 24] > 0


def test_january_and_february_reported_as_one_are_the_latest(tmp_path: Path) -> None:
    known = rows().filter(pl.col("start") < date(2024, 1, 1))
    both = rows().filter((pl.col("start") >= date(2024, 1, 1)) & (pl.col("start") < date(2024, 3, 1)))
    keys = ["place", "sector", "carrier", "item", "unit"]
    joint = both.group_by(keys).agg(
        pl.col("value").sum(), pl.lit(date(2024, 1, 1)).alias("start"), pl.lit(date(2024, 3, 1)).alias("end"),
        pl.col("known_at").max(),
    ).select(known.columns)  # fmt: skip
    made = world(tmp_path / "w", lambda _: pl.concat([known, joint]))
    told = nowcast.run(made, record=0, keep=False)
    assert told["as_of"] == joint["known_at"].max() and told["month"] == "2024-03"
    february = nowcast.run(made, month=date(2024, 2, 1), record=0, keep=False)
    assert february["counted_share"] == 1 and february["low"] is None


def test_a_lone_absurd_month_is_not_believed_by_waiting(tmp_path: Path) -> None:
    september = CELL & POWER & (pl.col("start") == date(2024, 9, 1))
    clean = nowcast.run(world(tmp_path / "c"), as_of=LATER, month=date(2024, 9, 1), record=0, keep=False)
    made = world(tmp_path / "w", times(1e4, september))
    for day in (date(2024, 12, 15), date(2025, 1, 15), LATER):
        told = nowcast.run(made, as_of=day, month=date(2024, 9, 1), record=0, keep=False)
        assert told["value"] == pytest.approx(clean["value"], rel=0.05) and told["low"] is not None
        assert ("nowcast.doubtful-power", "2024-09") in {(one["rule"], one["month"]) for one in told["flags"]}
    next_year = nowcast.run(made, as_of=date(2026, 1, 15), record=0, keep=False)
    assert ("nowcast.doubtful-power", "2024-09") in {(one["rule"], one["month"]) for one in next_year["flags"]}
    right = rows().filter(september).with_columns(known_at=pl.lit(date(2025, 3, 1)))
    made.import_frame(right, source={"file": "correction"}, dataset=DATASET, revise="the unit was wrong")
    told = nowcast.run(made, as_of=LATER, month=date(2024, 9, 1), record=0, keep=False)
    assert told["value"] == pytest.approx(clean["value"]) and told["low"] is None
    assert "nowcast.doubtful-power" not in {one["rule"] for one in told["flags"]}


def test_what_is_believed_after_three_months() -> None:
    months = [date(2019 + t // 12, t % 12 + 1, 1) for t in range(72)]
    values = np.full((5, 72), 5.0) * (1 + 0.01 * np.sin(np.arange(72)))
    for k, factor in enumerate((8.0, 0.1, 0.0, 300.0, 1e-4)):
        values[k, 66] *= factor
    assert {one.cell for one in screening.screened(values[:, :69], months[:69], "power")[1]} == {0, 1, 2, 3, 4}
    kept, doubts = screening.screened(values, months, "power")
    assert {one.cell for one in doubts} == {3, 4} and np.isnan(kept[3:, 66]).all() and kept[2, 66] == 0


def test_rows_at_the_citys_own_code_are_an_area_of_their_own(tmp_path: Path) -> None:
    own = rows(1).filter(COUNTY & (pl.col("sector") == "C17")).with_columns(
        place=pl.lit("330400"), sector=pl.lit("C44"), value=pl.col("value") * 3
    )  # fmt: skip
    clean = world(tmp_path / "clean")
    made = world(tmp_path / "w", lambda frame: frame, own)
    control = world(tmp_path / "control", lambda frame: frame, own, role="control")
    asked = {"as_of": LATER, "month": date(2024, 5, 1), "record": 0, "keep": False}
    without, told = nowcast.run(clean, **asked), nowcast.run(made, **asked)
    cause = nowcast.explain(made, period="2024-05", as_of=LATER)
    assert told["value"] == pytest.approx(cause["after"]) and told["last_year"] == pytest.approx(cause["before"])
    (mine,) = (row for row in told["rows"] if row["place"] not in {row["place"] for row in without["rows"]})
    assert mine["name"] == {"zh": "未分地区", "en": "Unallocated"} and mine["place"] == "330400-unallocated"
    assert sum(row["value"] for row in told["rows"]) == pytest.approx(told["value"])
    assert mine["value"] == pytest.approx(told["value"] - without["value"])
    assert told["absent"] == without["absent"]
    assert nowcast.run(control, **asked)["value"] == pytest.approx(without["value"])
    node = nowcast.open_figure(made, **mine["explain"])
    assert node["value"] == pytest.approx(mine["value"]) and node["place_name"]["zh"] == "未分地区"
    cell = nowcast.open_figure(made, **node["children"][0]["question"])
    counted = [part["node"] for part in cell["parts"]]
    assert all(one["rows_total"] == 1 or one["rows"] or one["children"] for one in counted)
    assert sum(one["value"] for one in counted) == pytest.approx(mine["value"])
    alone = nowcast.run(made, place="330400-unallocated", **asked)
    assert alone["value"] == pytest.approx(mine["value"])
    early = nowcast.run(made, as_of=EARLY, record=0, keep=False)
    assert sum(row["value"] for row in early["rows"]) == pytest.approx(early["value"])


def test_rows_of_a_county_split_by_the_other_tree_are_unallocated_there(tmp_path: Path) -> None:
    county = rows().filter(COUNTY).with_columns(place=pl.lit("330402"), sector=pl.lit("C44"))
    county = county.unique(["carrier", "start"], keep="first", maintain_order=True)
    made = world(tmp_path / "w", lambda frame: frame, county)
    asked = {"as_of": LATER, "month": date(2024, 5, 1), "record": 0, "keep": False}
    admin, management = nowcast.run(made, **asked), nowcast.run(made, tree="management", **asked)
    assert management["value"] == pytest.approx(admin["value"])
    assert "330400-unallocated" in {row["place"] for row in management["rows"]}
    assert "330400-unallocated" not in {row["place"] for row in admin["rows"]}
    board = nowcast.run(made, place="330402", **asked)
    assert {row["place"] for row in board["rows"]} == {"330402"}
    assert board["value"] == pytest.approx(next(row["value"] for row in admin["rows"] if row["place"] == "330402"))


def weather(wait: int) -> pl.DataFrame:
    """Heating degree days of the months of `rows`, known `wait` days after the month."""
    rng = np.random.default_rng(3)
    made = []
    for t in range(36):
        start, end = date(2022 + t // 12, t % 12 + 1, 1), date(2022 + (t + 1) // 12, (t + 1) % 12 + 1, 1)
        value = 400 * max(0.0, float(np.cos(t / 6 * np.pi))) + rng.uniform(0, 400)
        made.append(("330400", "weather.heating_degree_days", start, end, value, "°C·d", end + timedelta(wait)))
    columns = ["place", "item", "start", "end", "value", "unit", "known_at"]
    return pl.DataFrame(made, schema=columns, orient="row")


def heated(frame: pl.DataFrame) -> pl.DataFrame:
    """Gas that follows the weather."""
    days = dict(weather(0).select("start", "value").iter_rows())
    factor = pl.col("start").replace_strict({day: float(np.exp(v / 400)) for day, v in days.items()})
    gas = pl.col("carrier") == "natural_gas"
    return frame.with_columns(pl.when(gas).then(pl.col("value") * factor).otherwise("value").alias("value"))


def test_weather_that_arrives_is_news(tmp_path: Path) -> None:
    made = world(tmp_path / "w", heated, weather(12))
    days = date(2024, 11, 11), date(2024, 11, 15)
    then, now = (nowcast.run(made, as_of=day, month=date(2024, 10, 1), record=0, keep=False) for day in days)
    told = nowcast.news(made, before=days[0], after=days[1], month=date(2024, 10, 1))
    assert abs(told["change"]) > 100 and [step["arrival"] for step in told["steps"]] == ["weather"]
    assert told["value_before"] == pytest.approx(then["value"]) and told["value_after"] == pytest.approx(now["value"])
    node = nowcast.open_reason(made, **told["steps"][0]["explain"])
    assert node["value"] == pytest.approx(told["change"]) and node["title"]["zh"] == "气象数据"
    assert [row["item"] for row in node["rows"]] == ["weather.heating_degree_days"]
    assert sum(one["value"] for one in node["children"]) == pytest.approx(node["value"])


def test_the_weather_is_called_weather_where_the_festival_is_left_out(tmp_path: Path) -> None:
    made = world(tmp_path / "w", heated, weather(12))
    node = nowcast.open_figure(made, month="2024-10", place="330402", sector="C17", as_of=EARLY)
    (guess,) = node["parts"][0]["estimate"]
    assert guess["method"] == "ridge"
    names = {term["name"]: term["title"]["zh"] for term in guess["terms"]}
    assert "festival" not in names and names["heating"] == "采暖度日"
    blind = nowcast.open_figure(made, month="2024-10", place="330402", sector="C17", as_of=date(2024, 11, 5))
    for part in blind["parts"]:
        for guess in part["estimate"]:
            assert guess["method"] != "ridge" or {"festival", "heating"} <= {term["name"] for term in guess["terms"]}


def test_a_new_county_is_an_arrival_and_no_revision(tmp_path: Path) -> None:
    day = pl.when(COUNTY).then(pl.lit(date(2024, 11, 20))).otherwise(pl.col("known_at"))
    made = world(tmp_path / "w", lambda frame: frame.with_columns(day.alias("known_at")))
    days = EARLY, date(2024, 11, 25)
    told = nowcast.news(made, before=days[0], after=days[1], month=date(2024, 10, 1))
    then, now = (nowcast.run(made, as_of=day, month=date(2024, 10, 1), record=0, keep=False) for day in days)
    assert told["value_before"] == pytest.approx(then["value"]) and told["value_after"] == pytest.approx(now["value"])
    assert {step["arrival"] for step in told["steps"]} == {"electricity", "fuel"}
    assert sum(step["effect"] for step in told["steps"]) == pytest.approx(told["change"])
    for step in told["steps"]:
        node = nowcast.open_reason(made, **step["explain"])
        assert node["value"] == pytest.approx(step["effect"])
        assert sum(one["value"] for one in node["children"]) == pytest.approx(node["value"])


def test_flags_of_the_unallocated_have_its_name(tmp_path: Path) -> None:
    own = rows(1).filter(COUNTY).with_columns(place=pl.lit("330400"))
    lost = POWER & (pl.col("start") == date(2024, 10, 1))
    own = own.with_columns(sector=pl.lit("C44")).unique(["carrier", "start"], keep="first", maintain_order=True)
    made = world(tmp_path / "w", lambda frame: frame, own.filter(~lost))
    seen = city.read(made, as_of=EARLY)
    assert ("nowcast.late-place", "330400-unallocated") in {(one["rule"], one["place"]) for one in flags.find(seen)}
    told = nowcast.run(made, as_of=EARLY, record=0, keep=False)["flags"]
    assert "未分地区" in next(one["message"]["zh"] for one in told if one["rule"] == "nowcast.late-place")


def client_of(workspace: Workspace) -> TestClient:
    return TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"})


def links(text: str, part: str) -> list[str]:
    """Addresses on a page that hold `part`."""
    return [one for one in (html.unescape(found) for found in re.findall(r'href="([^"]+)"', text)) if part in one]


def test_the_page_lists_the_unallocated_and_opens_it(tmp_path: Path) -> None:
    own = rows(1).filter(COUNTY).with_columns(pl.col("value") * 0.1, place=pl.lit("330400"), sector=pl.lit("C44"))
    own = own.unique(["carrier", "start"], keep="first", maintain_order=True)
    client = client_of(world(tmp_path / "w", lambda frame: frame, own))
    page = client.get("/nowcast?known_at=2024-12-15")
    assert page.status_code == 200 and "未分地区" in page.text and "/account/330400-unallocated" not in page.text
    (opens,) = set(links(page.text, "place=330400-unallocated"))
    drawer = client.get(opens)
    assert drawer.status_code == 200 and "未分地区" in drawer.text
    early = client.get("/nowcast?known_at=2024-11-15").text
    (row,) = re.findall(r'<tr><th scope="row">未分地区</th>.*?</tr>', early)
    ends = re.search(r"([\d.,]+)\s*–\s*([\d.,]+)", re.sub("<[^>]+>", " ", row))
    assert ends and float(ends[1].replace(",", "")) < 0.1  # in 10⁴ t as its column says, not in t
    alone = client.get("/nowcast?place=330400-unallocated&known_at=2024-12-15")
    assert alone.status_code == 200 and "未分地区" in alone.text
    assert client.get("/nowcast?place=nowhere-unallocated").status_code == 404
    assert client.get("/nowcast?place=330400-unallocated&known_at=2025-01-31").status_code == 200


def test_a_countys_gap_and_bridge_open_as_they_are_shown(tmp_path: Path) -> None:
    aim = total("330402", (date(2024, 1, 1), date(2025, 1, 1)), 4.0e5, date(2024, 1, 1), "target.emission.co2")
    made = world(tmp_path / "w", lambda frame: frame, aim, role="control")
    client = client_of(made)
    shown = boards.board(made, place="330402", as_of=EARLY, tree="admin")["year"]
    text = client.get("/nowcast?place=330402&known_at=2024-11-15").text
    (gap,) = set(links(text, "kind=target"))
    assert "city=330402" in gap
    node = nowcast.open_reason(made, kind="target", place="330402", period="2024", as_of=EARLY, city="330402")
    assert node["value"] == pytest.approx(shown["target"]["gap"])
    assert f"{abs(node['value']):,.0f}" in client.get(gap).text
    assert nowcast.open_reason(made, **node["inputs"][0]["question"])["value"] == pytest.approx(shown["value"])
    day = date(2025, 1, 31)
    year = boards.board(made, place="330402", as_of=day, tree="admin")["year"]
    bridge = nowcast.open_reason(made, kind="bridge", place="330402", period="2024", as_of=day, city="330402")
    assert bridge["filled"].startswith(f"{year['value']:,.0f} ")


def test_a_copy_of_a_workspace_has_its_own_figures(tmp_path: Path) -> None:
    made = world(tmp_path / "made")
    shutil.copytree(made.path, tmp_path / "copy")
    copy = Workspace.open(tmp_path / "copy")
    month = rows().filter(COUNTY & (pl.col("start") == date(2024, 6, 1)))
    values = []
    for workspace, factor in ((made, 1.1), (copy, 1.3)):
        more = month.with_columns(value=pl.col("value") * factor)
        workspace.import_frame(more, source={"file": "correction"}, dataset=DATASET, revise="meter")
        told = nowcast.run(workspace, as_of=LATER, month=date(2024, 6, 1), record=0, keep=False)
        values.append(next(row["value"] for row in told["rows"] if row["place"] == "330402"))
        told["absent"].clear()
        told["fallbacks"].clear()
    assert values[1] == pytest.approx(values[0] * 1.3 / 1.1)
    again = nowcast.run(copy, as_of=LATER, month=date(2024, 6, 1), record=0, keep=False)
    assert again["absent"] and again["fallbacks"]
