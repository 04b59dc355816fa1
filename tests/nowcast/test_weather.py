"""The weather's part of a change: what it is in a city whose truth is known, that it sums, and that it opens."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.core.workspace import Workspace
from dualcarbon.demo import seasons
from dualcarbon.demo.tables import SIZE, read
from dualcarbon.nowcast import city, weather, why
from dualcarbon.nowcast.calendar_terms import WEATHER
from tests.nowcast.test_city import EARLY, heated, world
from tests.nowcast.test_city import weather as degree_days
from tests.nowcast.test_run import DATASET


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    from dualcarbon.demo.assembly import build

    folder: Path = tmp_path_factory.mktemp("demo") / "city"
    build(folder)
    return Workspace.open(folder)


def moved_in_truth(year: int) -> dict[str, float]:
    """By sector, the share of a year's electricity that the weather of that year took more than that of the year
    before, as the city's generator made it."""
    table = read("society").filter(pl.col("carrier") == "electricity")
    cooled, heated = seasons.cooling(), seasons.heating()
    first = 12 * (year - 2022)
    made: dict[str, float] = {}
    for sector, name in table.select("sector", "profile").iter_rows():
        row = read("profiles").row(by_predicate=pl.col("profile") == name, named=True)
        own = seasons.profile(name)[first : first + 12]
        other = own.copy()
        for base, days, key in ((seasons.COOLING, cooled, "cooling"), (seasons.HEATING, heated, "heating")):
            normal = np.tile(base, SIZE // 12)
            there, before = (1 + row[key] * (days - normal)[s : s + 12] for s in (first, first - 12))
            other = other / there * before
        made[sector] = float(1 - other.sum() / own.sum())
    return made


def test_the_weather_found_is_the_weather_that_was_made(demo: Workspace) -> None:
    told = nowcast.explain(demo, period="2024")
    found = {row["sector"]: row["effects"].get("weather", 0.0) for row in told["rows"]}
    truth = moved_in_truth(2024)
    seen = city.read(demo, until=date(2024, 12, 1))
    of = {code: [k for k, cell in enumerate(seen.cells) if cell[1] == code] for code in truth}
    power = {code: float(np.nansum(seen.indirect[rows, 24:36])) for code, rows in of.items()}
    for code in ("HH-U", "HH-R"):
        assert found[code] / power[code] == pytest.approx(truth[code], rel=0.15)
    whole = sum(truth[code] * power[code] for code in truth)
    assert sum(found[code] for code in truth) == pytest.approx(whole, rel=0.15)
    assert abs(found["C17"]) < 0.002 * abs(next(r for r in told["rows"] if r["sector"] == "C17")["change"] or 1) + 2000
    assert next(one for one in told["effects"] if one["effect"] == "weather")["value"] == pytest.approx(
        sum(row["effects"].get("weather", 0.0) for row in told["rows"]))  # fmt: skip
    assert sum(one["value"] for one in told["effects"]) == pytest.approx(told["change"])
    days = {one["name"]: one for one in told["weather"]["days"]}
    assert days["cooling"]["after"] > days["cooling"]["before"] and told["weather"]["months_without"] == []


def test_households_are_no_longer_said_to_use_more_where_it_was_hot(demo: Workspace, tmp_path: Path) -> None:
    from dualcarbon.demo.city import datasets, generate

    frame = generate().observations.filter(pl.col("dataset") != "demo-weather")
    blind = Workspace.create(tmp_path / "blind")
    records = [one for one in datasets() if one["id"] != "demo-weather"]
    blind.import_frame(frame, source={"file": "generator"}, dataset=records)
    sides = [nowcast.explain(place, period="2024") for place in (blind, demo)]
    effects = [{one["effect"]: one["value"] for one in side["effects"]} for side in sides]
    assert "weather" not in effects[0] and sides[0]["weather"] is None
    assert sides[0]["change"] == pytest.approx(sides[1]["change"], rel=2e-3)
    assert 0 < effects[1]["own_energy"] < 0.5 * effects[0]["own_energy"]
    of_homes = sum(row["effects"]["weather"] for row in sides[1]["rows"] if row["sector"].startswith("HH"))
    assert effects[0]["own_energy"] - effects[1]["own_energy"] > 0.6 * of_homes


def test_the_weather_opens_down_to_degree_days_and_cells(demo: Workspace) -> None:
    told = nowcast.explain(demo, period="2024-07/2024-09", place="330481")
    effect = next(one for one in told["effects"] if one["effect"] == "weather")
    whole = nowcast.open_reason(demo, **effect["explain"])
    assert whole["value"] == pytest.approx(effect["value"]) and whole["title"]["zh"] == "气温"
    homes = next(one for one in whole["children"] if one["name"]["zh"] == "城镇居民生活")
    sector = nowcast.open_reason(demo, **homes["question"])
    assert sector["value"] == pytest.approx(homes["value"])
    assert sum(one["value"] for one in sector["children"]) == pytest.approx(sector["value"])
    august = next(one for one in sector["children"] if one["name"]["zh"] == "2024-08")
    month = nowcast.open_reason(demo, **august["question"])
    assert month["value"] == pytest.approx(august["value"]) and month["period"] == "2024-08"
    assert {one["query"]["item"] for one in month["inputs"] if "query" in one} == set(WEATHER)
    for one in month["inputs"]:
        if "query" in one:
            rows = demo.observations().filter(f"item = '{one['query']['item']}' and place = '{one['query']['place']}'")
            start = date.fromisoformat(one["query"]["period"] + "-01")
            assert [row[0] for row in rows.filter(f"start = '{start}'").select("value").fetchall()] == [one["value"]]
    for cell in month["children"]:
        node = nowcast.open_figure(demo, **cell["question"])
        co2, rest = cell["filled"].split(" × (1 − exp(−(")
        slope, change, base = rest.replace(") × ", " × ").rstrip(")").split(" × ")
        assert node["value"] == pytest.approx(float(co2.replace(",", "")), abs=1)
        computed = node["value"] * (1 - np.exp(-float(slope) * float(change) * float(base)))
        assert computed == pytest.approx(cell["value"], rel=1e-3)


def test_effects_of_a_sector_open_with_the_weather_taken_out(demo: Workspace) -> None:
    asked = {"kind": "effect", "period": "2024", "sector": "C39"}
    node = nowcast.open_reason(demo, effect="intensity", **asked)
    inputs = {one["name"]["en"]: one["value"] for one in node["inputs"]}
    assert inputs["of it in 2024, what the weather made"] == pytest.approx(
        nowcast.open_reason(demo, effect="weather", **asked)["value"]
    )
    whole = nowcast.open_reason(demo, **asked)
    change = inputs["CO2 of the sector in 2024"] - inputs["CO2 of the sector in 2023"]
    assert whole["value"] == pytest.approx(change)


def test_without_two_years_of_degree_days_no_weather_is_told(tmp_path: Path) -> None:
    some = degree_days(12).filter(pl.col("start") >= date(2023, 9, 1))
    made = world(tmp_path / "w", heated, some)
    told = nowcast.explain(made, period="2024-09", as_of=EARLY)
    assert told["weather"] is None and "weather" not in {one["effect"] for one in told["effects"]}
    assert "度日数据不足" in told["note"]["zh"]


def test_months_without_degree_days_are_named(tmp_path: Path) -> None:
    some = degree_days(12).filter(pl.col("start") != date(2024, 8, 1))
    made = world(tmp_path / "w", heated, some)
    told = nowcast.explain(made, period="2024-07/2024-09", as_of=EARLY)
    assert told["weather"]["months_without"] == ["2024-08"] and "缺度日数据" in told["note"]["zh"]


def test_a_response_is_learnt_only_where_it_foretells(tmp_path: Path) -> None:
    """Gas follows the degree days, electricity does not: half of the sectors' noise must not become weather."""
    made = world(tmp_path / "w", heated, degree_days(12))
    seen = city.read(made, as_of=EARLY)
    fuels, power = weather.learnt(seen, seen.direct), weather.learnt(seen, seen.power)
    assert fuels is not None and all((slope > 0).all() for slope in fuels[0].values())
    assert power is None or np.mean([slope.max() == 0 for slope in power[0].values()]) >= 0.5


def cell_frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    names = ["sector", "carrier", "when", "co2", "energy"]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"co2": pl.Float64, "energy": pl.Float64})


def test_what_begins_is_no_change_of_factors() -> None:
    """A new sector's electricity, and a fuel that ceased, move by energy and mix; factors and mixes that a period does
    not have are those of the other."""
    cells = cell_frame([("C17", "electricity", "before", 50, 100), ("C17", "coal", "before", 30, 60),
                        ("C17", "electricity", "after", 60, 120), ("C13", "electricity", "after", 9, 18)])  # fmt: skip
    later = cells.filter(pl.col("when") == "after").with_columns(pl.lit(1.0).alias("fair"))
    added = pl.DataFrame({"sector": ["C17", "C17"], "when": ["before", "after"], "value": [10.0, 11.0]})
    made = why._decomposed(cells, later, added, ["coal", "electricity"], {"HH-U"})
    new, old = (why.by_effect(made[code], ["coal", "electricity"]) for code in ("C13", "C17"))
    assert new == pytest.approx({"unmeasured_energy": 9, "mix": 0, "grid_factor": 0, "fuel_factor": 0})
    assert old["grid_factor"] == pytest.approx(0) and old["fuel_factor"] == pytest.approx(0)
    assert sum(old.values()) == pytest.approx(60 - 80)


def weather_of(made: Workspace) -> dict[str, dict[date, float]]:
    return city.read(made, as_of=EARLY).weather


def test_only_whole_months_of_one_dataset_are_degree_days(tmp_path: Path) -> None:
    made = world(tmp_path / "w", heated, degree_days(12))
    fine = weather_of(made)
    year = pl.DataFrame({"place": ["330400"], "item": ["weather.heating_degree_days"], "start": [date(2023, 1, 1)],
                         "end": [date(2024, 1, 1)], "value": [3000.0], "unit": ["°C·d"],
                         "known_at": [date(2024, 2, 1)]})  # fmt: skip
    again = degree_days(12).filter(pl.col("start") < date(2023, 1, 1))
    for name, frame in (("yearly", year), ("again", again)):
        made.import_frame(frame, source={"file": name}, dataset={**DATASET, "id": name})
    assert weather_of(made) == fine


def test_a_few_months_of_a_nearer_place_do_not_hide_the_whole_series(tmp_path: Path) -> None:
    own = degree_days(12).filter(pl.col("start") == date(2024, 9, 1)).with_columns(place=pl.lit("330402"))
    made = world(tmp_path / "w", heated, degree_days(12))
    made.import_frame(own, source={"file": "own"}, dataset={**DATASET, "id": "own"})
    told = nowcast.explain(made, place="330402", period="2024-09", as_of=EARLY)
    seen = city.read(made, as_of=EARLY, place="330402")
    assert seen.weather_places == {"heating": "330400"} and "weather" in {one["effect"] for one in told["effects"]}


def test_a_month_has_the_same_weather_whatever_period_it_is_asked_in(demo: Workspace) -> None:
    asked = {"kind": "effect", "effect": "weather", "sector": "HH-U", "month": "2024-07", "as_of": date(2025, 1, 25)}
    values = [
        nowcast.open_reason(demo, period=period, **asked)["value"] for period in ("2024-07", "2024", "2024-06/2024-08")
    ]
    assert values == pytest.approx([values[0]] * 3)


def test_a_month_that_lacks_one_of_the_names_has_no_weather(demo: Workspace, tmp_path: Path) -> None:
    some = seasons.degree_days("330400").drop("dataset")
    kept = some.filter(~((pl.col("start") == date(2024, 8, 1)) & (pl.col("item") == "weather.heating_degree_days")))
    made = world(tmp_path / "w", heated, kept)
    told = nowcast.explain(made, period="2024-08", as_of=EARLY)
    effects = {one["effect"]: one["value"] for one in told["effects"]}
    assert effects.get("weather", 0.0) == 0 and told["weather"]["months_without"] == ["2024-08"]


def test_the_first_year_opens_where_it_was_counted(demo: Workspace) -> None:
    whole = nowcast.open_reason(demo, kind="sum", period="2022")
    first = nowcast.open_figure(demo, month="2022-01")
    assert whole["children"][0]["value"] == pytest.approx(first["value"]) and first["counted_share"] == 1
