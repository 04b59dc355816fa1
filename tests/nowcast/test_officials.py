"""Official totals: what binds, what gives way, and that every page and file shows and opens the same."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, present, reconcile

from .test_run import DATASET, EARLY, place, published, rows, total  # noqa: F401

CITY = "330400"
AREAS = ("330402", "330411", "330421", "330424", "330481", "330483")
DAY = date(2025, 6, 1)
KNOWN = date(2025, 5, 1)


def year(number: int) -> tuple[date, date]:
    return date(number, 1, 1), date(number + 1, 1, 1)


def month(number: int, of: int = 2024) -> tuple[date, date]:
    return date(of, number, 1), date(of + number // 12, number % 12 + 1, 1)


def made(workspace: Workspace, number: int = 3, of: int = 2024, **more: Any) -> dict[str, Any]:
    return nowcast.run(workspace, month=date(of, number, 1), as_of=DAY, record=0, keep=False, **more)


def values(workspace: Workspace, code: str = CITY) -> list[float]:
    """The months of 2024 of the city, or of an area of it."""
    node = nowcast.open_reason(workspace, kind="sum", period="2024", place=code, city=CITY, as_of=DAY)
    return [one["value"] for one in node["children"]]


@pytest.fixture(scope="module")
def free(place: Workspace) -> dict[str, list[float]]:  # noqa: F811
    """Months of 2024 by place before any official total."""
    return {code: values(place, code) for code in (CITY, *AREAS)}


def test_annual_totals_of_the_city_and_of_all_areas_that_agree(tmp_path: Path, free: dict[str, list[float]]) -> None:
    given = {code: sum(free[code]) * (1.03 + 0.02 * n) for n, code in enumerate(AREAS)}
    other = published(
        tmp_path / "w",
        total(CITY, year(2024), sum(given.values()), KNOWN),
        *[total(code, year(2024), value, KNOWN) for code, value in given.items()],
    )
    for method in ("raking", "least_squares"):
        run = made(other, reconcile=method)
        assert run["reconciliation"]["unused"] == []
        for row in run["rows"]:
            assert row["value"] == pytest.approx(free[row["place"]][2] * given[row["place"]] / sum(free[row["place"]]))
    assert sum(values(other)) == pytest.approx(sum(given.values()))
    assert sum(values(other, "330481")) == pytest.approx(given["330481"])


def test_months_and_the_year_that_is_their_sum(tmp_path: Path, free: dict[str, list[float]]) -> None:
    given = [value * (1.02 + 0.01 * (n % 3)) for n, value in enumerate(free[CITY])]
    twelve = [total(CITY, month(n + 1), value, KNOWN) for n, value in enumerate(given)]
    whole = total(CITY, year(2024), sum(given), KNOWN)
    assert values(published(tmp_path / "all", whole, *twelve)) == pytest.approx(given)
    one = values(published(tmp_path / "one", whole, twelve[2]))
    assert one[2] == pytest.approx(given[2]) and sum(one) == pytest.approx(sum(given))


def test_rounded_totals_are_met_within_their_last_digit(tmp_path: Path, free: dict[str, list[float]]) -> None:
    thousand = {code: round(1.05 * free[code][2] / 1e3) * 1e3 for code in AREAS}
    city = sum(thousand.values()) + 2e3
    other = published(
        tmp_path / "w",
        total(CITY, month(3), city, KNOWN),
        *[total(code, month(3), value, KNOWN) for code, value in thousand.items()],
    )
    run = made(other)
    assert run["reconciliation"]["unused"] == []
    told = {one["place"]: one for one in run["reconciliation"]["totals"]}
    assert abs(run["value"] - city) <= 500.001
    assert all(abs(row["value"] - thousand[row["place"]]) <= 500.001 for row in run["rows"])
    assert told[CITY]["rounding"] == pytest.approx(run["value"] - city) and told[CITY]["rounding"] != 0
    assert sum(row["value"] for row in run["rows"]) == pytest.approx(run["value"])


def test_of_contradicting_totals_the_later_counts_and_of_one_day_the_finer(
    tmp_path: Path, free: dict[str, list[float]]
) -> None:
    first = [total(CITY, month(n + 1), 1.1 * value, date(2025, 1, 15)) for n, value in enumerate(free[CITY])]
    final = total(CITY, year(2024), 1.2 * sum(free[CITY]), KNOWN)
    other = published(tmp_path / "later", final, *first)
    assert values(other) == pytest.approx([1.2 * value for value in free[CITY]], rel=1e-6)
    (left,) = made(other)["reconciliation"]["unused"]
    assert (left["rule"], left["period"]) == ("nowcast.total-contradicted", "2024-03")
    flag = next(one for one in made(other)["flags"] if one["rule"] == left["rule"])
    assert "2024年3月" in flag["message"]["zh"] and "2024-03" in flag["message"]["en"]
    areas = [total(code, year(2024), 1.1 * sum(free[code]), KNOWN) for code in AREAS]
    other = published(tmp_path / "finer", total(CITY, year(2024), 1.3 * sum(free[CITY]), KNOWN), *areas)
    assert sum(values(other)) == pytest.approx(1.1 * sum(free[CITY]))
    small = published(
        tmp_path / "more",
        total("330402", month(3), 3 * free[CITY][2], KNOWN),
        total(CITY, month(3), free[CITY][2], date(2024, 4, 10)),
    )
    run = made(small)
    assert run["reconciliation"]["unused"][0]["place"] == CITY
    rest = sum(row["value"] for row in run["rows"] if row["place"] != "330402")
    assert rest == pytest.approx(free[CITY][2] - free["330402"][2])


def test_a_later_figure_of_the_same_replaces_the_first(tmp_path: Path, free: dict[str, list[float]]) -> None:
    control = {**DATASET, "id": "final", "role": "control", "status": "official"}
    other = published(tmp_path / "w", total(CITY, month(3), 1.1 * free[CITY][2], date(2024, 4, 20)))
    other.import_frame(total(CITY, month(3), 1.3 * free[CITY][2], KNOWN), source={"file": "final"}, dataset=control)
    assert made(other)["value"] == pytest.approx(1.3 * free[CITY][2])
    assert [one["rule"] for one in made(other)["reconciliation"]["unused"]] == ["nowcast.total-replaced"]


def test_consecutive_years_are_joined_smoothly(tmp_path: Path, place: Workspace) -> None:  # noqa: F811
    sums = {n: nowcast.open_reason(place, kind="sum", period=str(n), as_of=DAY)["value"] for n in (2023, 2024)}
    other = published(
        tmp_path / "w",
        total(CITY, year(2023), 1.1 * sums[2023], KNOWN),
        total(CITY, year(2024), 0.9 * sums[2024], KNOWN),
    )
    told = nowcast.vintages(other, months=1, as_of=DAY)["years"]
    factors = [one["after"] / one["before"] for of in told for one in of["months"]]
    assert len(factors) == 24 and abs(np.diff(factors)).max() < 0.03
    assert all(sum(one["after"] for one in of["months"]) == pytest.approx(of["official"]) for of in told)
    last = told[0]["months"][-1]
    node = nowcast.open_figure(other, month=last["month"], as_of=DAY)
    assert node["value"] == pytest.approx(last["after"])
    parts = [nowcast.open_figure(other, **part["question"])["value"] for part in node["parts"]]
    assert sum(parts) == pytest.approx(last["after"]) and None not in node["parts"][0]["question"].values()


def test_totals_of_a_quarter_bind_and_others_are_named(tmp_path: Path, free: dict[str, list[float]]) -> None:
    quarter = date(2024, 1, 1), date(2024, 4, 1)
    other = published(
        tmp_path / "w",
        total(CITY, quarter, 1.5 * sum(free[CITY][:3]), KNOWN),
        total(CITY, (date(2024, 3, 4), date(2024, 3, 11)), 4.0e4, KNOWN),
        total("330402", month(3), -5.0, KNOWN),
        total(CITY, (date(2024, 3, 1), date(2029, 1, 1)), 1e7, KNOWN),
    )
    run = made(other)
    assert [one["period"] for one in run["reconciliation"]["totals"]] == ["2024-Q1"]
    assert sum(values(other)[:3]) == pytest.approx(1.5 * sum(free[CITY][:3]))
    rules = {one["rule"] for one in run["reconciliation"]["unused"]}
    assert rules == {"nowcast.total-not-months", "nowcast.total-of-nothing", "nowcast.total-no-months"}
    assert rules <= {one["rule"] for one in run["flags"]}


def test_what_is_shown_is_what_opens(tmp_path: Path, free: dict[str, list[float]]) -> None:
    other = published(
        tmp_path / "w",
        total(CITY, year(2024), 1.05 * sum(free[CITY]), KNOWN),
        total("330402", month(3), 1.2 * free["330402"][2], KNOWN),
    )
    for method in ("raking", "least_squares", "none"):
        run = nowcast.run(other, month=date(2024, 3, 1), as_of=DAY, record=0, by=("place", "sector"), reconcile=method)
        for row in run["rows"][:5]:
            node = nowcast.open_figure(other, **row["explain"])
            assert node["value"] == pytest.approx(row["value"]) and node["low"] == row["low"]
            assert sum(one["value"] for one in node["parts"]) == pytest.approx(row["value"])
            if method != "none":
                step = node["settled"]
                assert step["before"] * step["factor"] == pytest.approx(step["after"]) == row["value"]
                assert step["after"] - step["before"] == pytest.approx(row["moved"])
                assert node["reconciliation"][0]["query"]["dataset"] == "official"
                for part in node["parts"]:
                    leaf = part["node"]["value"] if part["node"] else 0.0
                    assert leaf == pytest.approx(part["settled"]["counted"]["before"])
            else:
                assert node["settled"] is None
        kept = nowcast.open_figure(other, run=run["run"]["id"])
        assert kept["value"] == pytest.approx(run["value"])
        assert sum(one["value"] for one in kept["children"]) == pytest.approx(run["value"])
        child = kept["children"][0]
        assert nowcast.open_figure(other, **child["question"])["value"] == pytest.approx(child["value"])
        assert present.verify(run["run"]["id"], other)["same"]


def test_every_page_shows_the_official_month(tmp_path: Path) -> None:
    other = published(tmp_path / "w", total(CITY, month(11), 250000.0, date(2024, 12, 10)))
    day = date(2024, 12, 15)
    run = nowcast.run(other, as_of=day, record=0, keep=False)
    shown = board.board(other, place=CITY, as_of=day, tree="admin")
    last = nowcast.vintages(other, months=1, as_of=day)["rows"][0]
    node = nowcast.open_figure(other, month="2024-11", as_of=day)
    for value, low in [(run["value"], run["low"]), (shown["head"]["value"], shown["head"]["low"]),
                       (last["last"], last["estimates"][-1]["low"]), (node["value"], node["low"])]:  # fmt: skip
        assert value == pytest.approx(250000) and low is None
    assert shown["head"]["state"] == "official" and shown["head"]["moved"] == pytest.approx(
        run["value"] - node["settled"]["before"]
    )
    assert shown["officials"][0]["query"]["period"] == "2024-11" and node["official"]["official"] == 250000
    assert sum(one["value"] for one in shown["areas"]) == pytest.approx(250000)
    whole = nowcast.open_reason(other, kind="sum", period=f"{shown['year']['year']}", as_of=day)
    assert whole["value"] == pytest.approx(shown["year"]["value"]) and whole["low"] == pytest.approx(
        shown["year"]["low"]
    )
    assert whole["inputs"][0]["query"]["period"] == "2024-11"


def test_like_is_compared_with_like(tmp_path: Path, place: Workspace) -> None:  # noqa: F811
    """An official total of last year does not turn this year's growth into a fall."""
    sums = nowcast.open_reason(place, kind="sum", period="2023", as_of=DAY)["value"]
    other = published(tmp_path / "w", total(CITY, year(2023), 1.2 * sums, date(2024, 5, 1)))
    alone, held = (nowcast.run(one, as_of=EARLY, record=0, keep=False) for one in (place, other))
    assert held["change_percent"] == pytest.approx(alone["change_percent"]) and not held["alike"] and alone["alike"]
    assert held["year_to_date"]["change_percent"] == pytest.approx(alone["year_to_date"]["change_percent"])
    node = nowcast.open_figure(other, month=held["month"], as_of=EARLY)
    before = nowcast.open_figure(other, **node["before"]["question"])
    assert before["value"] == pytest.approx(held["last_year"]) == node["before"]["value"]
    shown = board.board(other, place=CITY, as_of=EARLY, tree="admin")
    assert shown["year"]["change"] == pytest.approx(shown["year"]["value"] - shown["year"]["last_year"])
    both = published(
        tmp_path / "both",
        total(CITY, month(10, 2023), 2.0e5, date(2024, 5, 1)), total(CITY, month(10), 2.2e5, date(2024, 11, 10)),
    )  # fmt: skip
    assert nowcast.run(both, as_of=EARLY, record=0, keep=False)["change_percent"] == pytest.approx(10)


def test_an_official_year_has_no_interval_but_its_own(tmp_path: Path, free: dict[str, list[float]]) -> None:
    late = rows().filter((rows()["place"] != "330402-rest") | (rows()["start"] < date(2024, 9, 1)))
    other = Workspace.create(tmp_path / "w")
    other.import_frame(late, source={"file": "generator"}, dataset=DATASET)
    control = {**DATASET, "id": "official", "role": "control", "status": "official"}
    frame = total(CITY, year(2024), 2e6, KNOWN).with_columns(low=1.9e6, high=2.1e6)
    other.import_frame(frame, source={"file": "notice"}, dataset=control)
    node = nowcast.open_reason(other, kind="sum", period="2024", as_of=DAY)
    assert node["value"] == pytest.approx(2e6)
    assert node["low"] == pytest.approx(2e6 - 1e5 * 1.645 / 1.96) and node["high"] == pytest.approx(
        2e6 + 1e5 * 1.645 / 1.96
    )
    part = nowcast.open_reason(other, kind="sum", period="2024-07/2024-10", as_of=DAY)
    assert part["low"] < part["value"] < part["high"]
    shown = board.board(other, place=CITY, as_of=date(2024, 12, 20), tree="admin")["year"]
    assert shown["official"] is None


def test_a_total_of_zero_is_met_and_scored_as_nothing(tmp_path: Path) -> None:
    other = published(tmp_path / "w", total(CITY, year(2024), 0.0, KNOWN))
    assert made(other)["value"] == 0
    (told,) = nowcast.vintages(other, months=1, as_of=DAY)["years"]
    assert told["error_percent"] is None and all(one["after"] == 0 for one in told["months"])
    node = nowcast.open_reason(other, kind="official", period="2024", as_of=DAY)
    assert node["value"] is None and node["children"][0]["value"] == 0
    assert nowcast.open_figure(other, month="2024-03", place="330402", sector="C17", as_of=DAY)["value"] == 0


def test_links_carry_the_family(place: Workspace) -> None:  # noqa: F811
    family = "enterprise"
    run = nowcast.run(place, as_of=DAY, month=date(2024, 3, 1), by=("place",), record=0, keep=False, family=family)
    row = run["rows"][0]
    assert nowcast.open_figure(place, **row["explain"])["value"] == pytest.approx(row["value"])
    assert row["explain"]["family"] == family
    node = nowcast.open_figure(place, **row["explain"])
    for child in node["children"][:2]:
        assert nowcast.open_figure(place, **child["question"])["value"] == pytest.approx(child["value"])
    whole = nowcast.open_reason(place, kind="sum", period="2024", as_of=DAY, family=family)
    child = whole["children"][2]
    assert nowcast.open_figure(place, **child["question"])["value"] == pytest.approx(child["value"])
    error = nowcast.open_reason(place, kind="error", as_of=DAY, family=family)
    child = error["children"][0]
    asked = dict(child["question"])
    opened = nowcast.open_reason(place, **asked)
    assert asked["family"] == family and opened["filled"].startswith("100 ×")
    causes = nowcast.explain(place, period="2024-06", as_of=DAY, family=family)
    assert causes["effects"][0]["explain"]["family"] == family
    news = nowcast.news(place, before=date(2024, 11, 5), after=date(2024, 12, 15), family=family)
    assert news["steps"][0]["explain"]["family"] == family


def test_a_leaf_opens_down_to_rows(place: Workspace) -> None:  # noqa: F811
    run = nowcast.run(place, place="330402", month=date(2024, 3, 1), as_of=DAY, by=("sector",), record=0, keep=False)
    for row in run["rows"]:
        node = nowcast.open_figure(place, **row["explain"])
        assert node["children"] == [] and node["parts"][0]["node"]["value"] == pytest.approx(node["parts"][0]["value"])
    whole = nowcast.open_figure(place, month="2024-03", place="330402", city="330402", as_of=DAY)
    assert [one["question"] for one in whole["children"]] and all(
        one["question"].get("sector") for one in whole["children"]
    )


def test_a_county_opens_as_its_board_shows_it(tmp_path: Path) -> None:
    target = total("330402", year(2024), 4.0e5, date(2024, 1, 1), "target.emission.co2")
    other = published(tmp_path / "w", target)
    shown = board.board(other, place="330402", as_of=EARLY, tree="admin")["year"]
    asked = {"place": "330402", "city": "330402", "as_of": EARLY, "period": "2024"}
    gap = nowcast.open_reason(other, kind="target", **asked)
    assert gap["value"] == pytest.approx(shown["target"]["gap"])
    assert gap["inputs"][0]["question"]["city"] == "330402"
    bridge = nowcast.open_reason(other, kind="bridge", **asked)
    assert bridge["filled"].startswith(f"{round(shown['value']):,}")


def test_the_program_of_a_run_is_all_that_makes_an_estimate() -> None:
    import ast

    folder = Path(present.__file__).parent

    def imports(name: str) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dualcarbon.nowcast"):
                module = "/".join((node.module or "").split(".")[2:])
                inside = {f"{module}/{one.name}".strip("/") for one in node.names}
                found |= {module} if (folder / f"{module}.py").is_file() else inside
        return found

    reached, left = set(), {"settling"}
    while left:
        name = left.pop()
        reached.add(name)
        left |= imports(name) - reached
    assert reached <= set(present.PROGRAM)


def test_rows_by_many_cells_are_found_in_linear_time() -> None:
    from types import SimpleNamespace

    cells = [(f"P{k % 60:02d}", f"S{k // 60:03d}", "") for k in range(6000)]
    seen: Any = SimpleNamespace(cells=cells)
    found = present.grouped(seen, [0, 1])
    assert len(found) == 6000 and all(mine.sum() == 1 for _, mine in found)
    by = present.grouped(seen, [1])
    assert len(by) == 100 and sum(int(mine.sum()) for _, mine in by) == 6000


def test_the_smoothest_path_meets_totals_of_any_length() -> None:
    rng = np.random.default_rng(5)
    series = rng.lognormal(3, 0.2, 36)
    spans = [(0, 12), (12, 15), (14, 15), (15, 24), (24, 36)]
    totals = [series[a:b].sum() * factor for (a, b), factor in zip(spans, (1.1, 1.0, 0.95, 0.9, 1.2), strict=True)]
    ratio = reconcile.smooth(series, spans, totals)
    for (a, b), wanted in zip(spans, totals, strict=True):
        assert (series[a:b] * ratio[a:b]).sum() == pytest.approx(wanted)
    from dualcarbon.nowcast.denton import denton_cholette

    whole = series.reshape(3, 12).sum(1) * (1.1, 0.9, 1.05)
    path = reconcile.smooth(series, [(0, 12), (12, 24), (24, 36)], list(whole))
    np.testing.assert_allclose(series * path, denton_cholette(whole[None], series[None])[0], rtol=1e-8)


def test_cells_of_one_sector_in_several_domains_and_of_none_open_to_their_own_rows(tmp_path: Path) -> None:
    cell = (pl.col("place") == "330402-rest") & (pl.col("sector") == "C17")
    usual = rows().with_columns(pl.lit(None, pl.String).alias("domain"))
    half = usual.filter(cell).with_columns(pl.col("value") / 3, domain=pl.lit("transport"))
    none = usual.filter(cell).with_columns(pl.col("value") / 7, sector=pl.lit(None, pl.String))
    other = Workspace.create(tmp_path / "w")
    other.import_frame(usual, source={"file": "generator"}, dataset=DATASET)
    for number, frame in enumerate((half, none)):
        dataset = {**DATASET, "id": f"more{number}"}
        other.import_frame(frame, source={"file": f"more{number}"}, dataset=dataset)
    run = nowcast.run(other, month=date(2024, 3, 1), as_of=DAY, by=present.BY, record=0, keep=False)
    mine = [row for row in run["rows"] if row["place"] == "330402" and row["sector"] in ("C17", "")]
    assert len(mine) == 3
    for row in mine:
        node = nowcast.open_figure(other, **row["explain"])
        assert node["value"] == pytest.approx(row["value"]) and node["children"] == []
        assert [part["node"]["value"] for part in node["parts"]] == pytest.approx([row["direct"], row["indirect"]])
    area = nowcast.open_figure(other, month="2024-03", place="330402", as_of=DAY)
    for child in area["children"]:
        assert nowcast.open_figure(other, **child["question"])["value"] == pytest.approx(child["value"])
    (bare,) = [child for child in area["children"] if not child["code"]]
    whole = nowcast.open_reason(other, kind="sum", period="2024-03", place="330402", sector="-", as_of=DAY)
    assert whole["value"] == pytest.approx(bare["value"])
