"""What has not arrived, or was not believed, is estimated and named, or refused: never counted as nothing."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, city, flags, months
from tests.nowcast.test_run import DATASET, EARLY, own, published, rows, total

LATE = date(2025, 6, 1)
COUNTY = pl.col("place") == "330402-rest"
CELL = COUNTY & (pl.col("sector") == "C17")
POWER = pl.col("carrier") == "electricity"


def between(first: date, last: date) -> pl.Expr:
    return (pl.col("start") >= first) & (pl.col("start") <= last)


def made(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame) -> Workspace:
    workspace = Workspace.create(folder / "w")
    workspace.import_frame(change(rows()), source={"file": "generator"}, dataset=DATASET)
    return workspace


def times(factor: float, where: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.when(where).then(pl.col("value") * factor).otherwise("value"))


def run(workspace: Workspace, **asked: Any) -> dict[str, Any]:
    return nowcast.run(workspace, record=0, keep=False, **asked)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return made(tmp_path_factory.mktemp("gaps"))


def width(one: dict[str, Any]) -> float:
    return float((one["high"] - one["low"]) / one["value"])


def test_months_of_which_nothing_arrived_are_said_and_wider_the_farther(whole: Workspace) -> None:
    days = [date(2025, month, 5) for month in (2, 4, 7, 12)]
    told = [run(whole, as_of=day) for day in days]
    said = [{flag["rule"]: flag for flag in one["flags"]} for one in told]
    assert "nowcast.no-data-since" not in said[0]  # a month just over has nothing yet: that is usual
    for one in said[1:]:
        flag = one["nowcast.no-data-since"]
        assert flag["month"] == "2024-12" and flag["place"] == "330400"
        assert "嘉兴市2024年12月之后没有收到" in flag["message"]["zh"] and "2024-12" in flag["message"]["en"]
    widths = [width(one) for one in told]
    assert widths == sorted(widths) and widths[-1] > 1.5 * widths[0]
    shown = board.board(whole, place="330400", as_of=days[2], tree="admin")
    assert "nowcast.no-data-since" in {flag["rule"] for flag in shown["flags"]}
    report = nowcast.analyse(whole, year=2025, as_of=days[2])
    assert "2024年12月" in report["paragraphs"]["zh"][6]["text"]


def test_a_year_after_the_last_data_nothing_is_estimated(whole: Workspace) -> None:
    assert run(whole, as_of=date(2026, 1, 5))["month"] == "2025-12"
    for day in (date(2026, 2, 5), date(2030, 1, 15)):
        with pytest.raises(Refused) as caught:
            run(whole, as_of=day)
        problem = caught.value.problems[0]
        assert problem.rule == "nowcast.no-data-for-long" and "2024-12" in problem.line("zh")
        assert "导入" in problem.line("zh")


def test_fuels_that_stay_away_while_electricity_comes_are_said(tmp_path: Path) -> None:
    workspace = made(tmp_path, lambda frame: frame.filter(POWER | (pl.col("start") < date(2024, 7, 1))))
    found = {flag["rule"]: flag for flag in run(workspace, as_of=EARLY)["flags"]}
    assert found["nowcast.no-fuel-since"]["month"] == "2024-06" and "nowcast.no-data-since" not in found


def effects(one: dict[str, Any]) -> dict[str, float]:
    return {effect["effect"]: effect["percent"] for effect in one["effects"]}


def test_a_month_not_believed_is_estimated_in_causes_and_named(tmp_path: Path, whole: Workspace) -> None:
    september = between(date(2024, 9, 1), date(2024, 9, 1))
    workspace = made(tmp_path, times(1e4, CELL & POWER & september))
    day = date(2024, 12, 15)
    fine, told = (nowcast.explain(one, period="2024-09", as_of=day) for one in (whole, workspace))
    assert told["change_percent"] == pytest.approx(fine["change_percent"], abs=1)
    assert effects(told)["unmeasured_energy"] == pytest.approx(effects(fine)["unmeasured_energy"], abs=1)
    (gap,) = told["gaps"]["after"]
    assert (gap["place"], gap["months"], gap["sectors"], gap["doubted"]) == ("330402", ["2024-09"], ["C17"], True)
    assert "南湖区（1个行业）2024年9月的用电未报或异常未采用，按估算计入" in told["note"]["zh"]
    shown = board.board(workspace, place="330400", as_of=day, tree="admin")["causes"]
    assert shown["period"] == "2024-01/2024-10" and abs(shown["change_percent"]) < 10 and shown["note"]
    assert fine["note"] is None and fine["gaps"] == {"before": [], "after": []}


def test_a_late_county_is_estimated_in_causes_and_no_fall(tmp_path: Path, whole: Workspace) -> None:
    october = between(date(2024, 10, 1), date(2024, 10, 1))
    workspace = made(tmp_path, lambda frame: frame.filter(~(COUNTY & october)))
    fine, told = (nowcast.explain(one, period="2024-10", as_of=LATE) for one in (whole, workspace))
    assert told["change_percent"] == pytest.approx(fine["change_percent"], abs=1.5)
    assert sum(one["value"] for one in told["effects"]) == pytest.approx(told["change"])
    assert "南湖区2024年10月未报，按估算计入" in told["note"]["zh"] and "Nanhu in 2024-10" in told["note"]["en"]
    for row in told["rows"]:
        node = nowcast.open_reason(workspace, kind="effect", effect="unmeasured_energy", sector=row["sector"],
                                   period="2024-10", as_of=LATE)  # fmt: skip
        whole_sector = nowcast.open_reason(workspace, **node["inputs"][1]["question"])
        assert whole_sector["value"] == pytest.approx(node["inputs"][1]["value"])


def test_a_month_that_most_have_not_reported_is_not_decomposed(tmp_path: Path) -> None:
    most = pl.col("place").is_in(["330402-rest", "330411-rest", "330421-rest", "330424-rest"])
    workspace = made(tmp_path, lambda frame: frame.filter(~(most & between(date(2024, 10, 1), date(2024, 10, 1)))))
    with pytest.raises(Refused) as caught:
        nowcast.explain(workspace, period="2024", as_of=LATE)
    said = caught.value.problems[0]
    assert said.rule == "nowcast.period-open" and "2024年10月（南湖区、" in said.line("zh")
    with pytest.raises(Refused) as caught:
        nowcast.explain(workspace, period="2024-03-05", as_of=LATE)
    assert caught.value.problems[0].rule == "nowcast.bad-period"


def test_a_hole_of_last_year_is_estimated_and_said_in_the_report(tmp_path: Path, whole: Workspace) -> None:
    hole = COUNTY & between(date(2023, 3, 1), date(2023, 8, 1))
    fine = nowcast.analyse(whole, year=2024, as_of=LATE)
    told = nowcast.analyse(made(tmp_path, lambda frame: frame.filter(~hole)), year=2024, as_of=LATE)
    assert told["change_percent"] == pytest.approx(fine["change_percent"], abs=1.5)
    assert told["change_low_percent"] < fine["change_percent"] < told["change_high_percent"]
    text = told["paragraphs"]["zh"][0]["text"]
    assert "上年数中，南湖区2023年3月至8月未报，按估算计入（占上年的" in text and "增速的90%区间为" in text
    assert "Nanhu in 2023-03 to 2023-08" in told["paragraphs"]["en"][0]["text"]
    assert told["causes"]["change"] == pytest.approx(told["change"])
    assert "按估算计入" in told["paragraphs"]["zh"][4]["text"] and "补报上年" in told["paragraphs"]["zh"][7]["text"]
    assert sum(row["pull_points"] for row in told["areas"]) == pytest.approx(told["change_percent"])
    assert "估算" not in fine["paragraphs"]["zh"][0]["text"] and fine["change_low_percent"] is None


def test_a_county_that_has_not_reported_a_month_of_this_year_is_said(tmp_path: Path) -> None:
    march = COUNTY & between(date(2024, 3, 1), date(2024, 3, 1))
    told = nowcast.analyse(made(tmp_path, lambda frame: frame.filter(~march)), year=2024, as_of=LATE)
    text = told["paragraphs"]["zh"][0]["text"]
    assert "以上数据中，南湖区2024年3月未报，按估算计入" in text and "预计为" in text and "（90%区间" in text
    assert told["estimated_months"] == ["2024-03"] and told["open_months"] == [] and told["causes"]


def test_a_county_that_begins_to_report_is_no_growth(tmp_path: Path, whole: Workspace) -> None:
    workspace = made(tmp_path, lambda frame: frame.filter(~(COUNTY & (pl.col("start") < date(2024, 1, 1)))))
    fine, told = (nowcast.analyse(one, year=2024, as_of=LATE) for one in (whole, workspace))
    assert told["value"] == pytest.approx(fine["value"], rel=1e-6)
    assert told["change_percent"] == pytest.approx(fine["change_percent"], abs=4)
    assert told["left_out"][0]["place"] == "330402" and told["left_out"][0]["months"] == ["2024-01"]
    text = told["paragraphs"]["zh"][0]["text"]
    assert "按可比口径同比" in text and "南湖区2024年1月起才有数据，没有可比数，同比不含" in text
    nanhu = next(row for row in told["areas"] if row["code"] == "330402")
    assert nanhu["change_percent"] is None and nanhu["pull_points"] is None
    assert sum(row["pull_points"] or 0 for row in told["areas"]) == pytest.approx(told["change_percent"])
    assert any(flag["rule"] == "nowcast.new-place" and flag["place"] == "330402" for flag in told["flags"])
    causes = told["causes"]
    scope = next(one for one in causes["effects"] if one["effect"] == "scope")
    assert scope["value"] == pytest.approx(causes["change"] - told["change"])
    node = nowcast.open_reason(workspace, **scope["explain"])
    assert node["value"] == pytest.approx(scope["value"])
    sector = nowcast.open_reason(workspace, **node["children"][0]["question"])
    assert sector["value"] == pytest.approx(node["children"][0]["value"])
    last = nowcast.open_reason(workspace, **sector["inputs"][1]["question"])
    assert last["value"] == pytest.approx(sector["inputs"][1]["value"])
    month = run(workspace, month=date(2024, 6, 1), as_of=LATE)
    assert "nowcast.new-place" in {flag["rule"] for flag in month["flags"]}
    began = next(row for row in month["rows"] if row["place"] == "330402")
    assert began["value"] > 0 and began["last_year"] is began["change_percent"] is None
    assert sum(row["pull_points"] for row in month["rows"] if row is not began) == pytest.approx(
        month["change_percent"]
    )
    assert month["change_percent"] == pytest.approx(
        nowcast.monthly(workspace, month="2024-06", as_of=LATE)["change_percent"]
    )
    head = nowcast.open_figure(workspace, month="2024-06", as_of=LATE)
    assert head["value"] == pytest.approx(month["value"]) and head["change_percent"] is None


def test_fuels_that_a_county_begins_to_report_are_no_growth(tmp_path: Path, whole: Workspace) -> None:
    workspace = made(tmp_path, lambda frame: frame.filter(~(COUNTY & ~POWER & (pl.col("start") < date(2024, 4, 1)))))
    fine, told = (run(one, month=date(2024, 6, 1), as_of=LATE) for one in (whole, workspace))
    assert told["value"] == pytest.approx(fine["value"], rel=1e-6)
    assert told["change_percent"] == pytest.approx(fine["change_percent"], abs=4)
    (flag,) = [flag for flag in told["flags"] if flag["rule"] == "nowcast.new-place"]
    assert "南湖区2024年4月起才有燃料数据" in flag["message"]["zh"] and "fuels data" in flag["message"]["en"]
    text = nowcast.monthly(workspace, month="2024-06", as_of=LATE)["paragraphs"]["zh"][0]["text"]
    assert "南湖区2024年4月起才有燃料数据，没有可比数，同比不含" in text
    alone = run(workspace, place="330402", month=date(2024, 2, 1), as_of=LATE)
    assert "nowcast.month-missing" not in {flag["rule"] for flag in alone["flags"]}


def test_a_target_of_zero_is_told(tmp_path: Path) -> None:
    year = date(2024, 1, 1), date(2025, 1, 1)
    workspace = published(tmp_path / "w", total("330400", year, 0.0, date(2024, 1, 1), "target.emission.co2"))
    told = nowcast.analyse(workspace, year=2024, as_of=date(2024, 7, 20))
    assert "年度目标0.0万吨。" in told["paragraphs"]["zh"][0]["text"]
    assert "target is 0.0" in told["paragraphs"]["en"][0]["text"]


def test_the_report_has_official_totals_as_the_run_has(tmp_path: Path) -> None:
    november = date(2024, 11, 1), date(2024, 12, 1)
    workspace = published(tmp_path / "w", total("330400", november, 250_000.0, date(2024, 12, 10)))
    told = nowcast.analyse(workspace, year=2024, as_of=date(2024, 12, 15))
    assert told["months"][-1]["value"] == pytest.approx(250_000)
    assert sum(row["value"] for row in told["sectors"]) == pytest.approx(told["value"])
    assert "2024年11月已按官方总数调增" in told["paragraphs"]["zh"][0]["text"]
    assert not told["alike"] and abs(told["change_percent"]) < 10


def quarters(place: str, sector: str, year: int, *numbers: int) -> pl.DataFrame:
    made = [
        (place, sector, "economy.value_added", date(year, 3 * q - 2, 1), date(year + q // 4, 3 * q % 12 + 1, 1), 100.0,
         "万元", date(2025, 3, 1)) for q in numbers or (1, 2, 3, 4)
    ]  # fmt: skip
    columns = ["place", "sector", "item", "start", "end", "value", "unit", "known_at"]
    return pl.DataFrame(made, schema=columns, orient="row")


def test_value_added_that_covers_one_of_the_periods_only_is_left_out(tmp_path: Path) -> None:
    full = [quarters("330402-rest", sector, year) for sector in ("C17", "C26") for year in (2023, 2024)]
    partial = [*full[:2], quarters("330411-rest", "C17", 2024), full[2], quarters("330402-rest", "C26", 2024, 1)]
    told = []
    for name, frames in (("full", full), ("partial", partial)):
        workspace = made(tmp_path / name)
        workspace.import_frame(pl.concat(frames), source={"file": "yearbook"}, dataset={**DATASET, "id": "economy"})
        told.append((workspace, nowcast.explain(workspace, period="2024", as_of=LATE)))
    (_, clean), (workspace, rough) = told
    assert abs(effects(rough)["structure"]) < 1 and abs(effects(rough)["activity"]) < 1e-9
    assert effects(rough)["intensity"] < effects(clean)["intensity"] + 1
    assert "另有 2 组未用" in rough["note"]["zh"]
    node = nowcast.open_reason(workspace, kind="effect", effect="intensity", sector="C17", period="2024", as_of=LATE)
    (one,) = [line for line in node["inputs"] if "2024" in line["name"]["zh"] and "增加值" in line["name"]["zh"]]
    assert one["value"] == 400 and one["query"]["place"] == "330402-rest"


def test_value_added_by_section_is_said_not_to_be_used_and_why(tmp_path: Path) -> None:
    """Energy is by division: value added of section C stands for none of them, that of divisions does."""
    years = (2023, 2024)
    section = [quarters("330400", "C", year) for year in years]
    divisions = [quarters("330402-rest", sector, year) for sector in ("C17", "C26") for year in years]
    above = [frame.with_columns(item=pl.lit("economy.industrial_value_added_above_scale")) for frame in divisions]
    told = []
    for name, frames in (("section", section), ("both", [*section, *above])):
        workspace = made(tmp_path / name)
        workspace.import_frame(pl.concat(frames), source={"file": "yearbook"}, dataset={**DATASET, "id": "economy"})
        told.append((workspace, nowcast.explain(workspace, period="2024", as_of=LATE)))
    (workspace, alone), (_, with_divisions) = told
    assert alone["activity"] is None and effects(alone)["activity"] == 0
    assert abs(effects(alone)["unmeasured_energy"]) > 1
    for one in (alone, with_divisions):
        assert sum(part["value"] for part in one["effects"]) == pytest.approx(one["change"])
        assert "增加值没有使用，因为比用能报送的行业分类粗，不能对应：制造业" in one["note"]["zh"]
        assert "coarser than those by which energy is reported: Manufacturing." in one["note"]["en"]
    assert with_divisions["activity"] == "economy.industrial_value_added_above_scale"
    assert abs(effects(with_divisions)["intensity"]) > 1
    text = "\n".join(part["text"] for part in nowcast.analyse(workspace, year=2024, as_of=LATE)["paragraphs"]["zh"])
    assert "不能对应：制造业" in text
    page = board.board(workspace, place="330400", as_of=LATE, tree="admin")["causes"]
    assert "制造业" in page["note"]["zh"] and page["activity"] is None


def test_flags_of_the_report_have_all_their_months(tmp_path: Path) -> None:
    late = COUNTY & POWER & between(date(2024, 6, 1), date(2024, 10, 1))
    workspace = made(tmp_path, lambda frame: frame.filter(~late))
    told = nowcast.analyse(workspace, year=2024, as_of=LATE)
    flag = next(one for one in told["flags"] if one["rule"] == "nowcast.late-place" and one["place"] == "330402")
    assert flag["months"] == [f"2024-{month:02d}" for month in range(6, 11)]
    assert "2024年6月至10月" in flag["message"]["zh"] and "2024-06 to 2024-10" in flag["message"]["en"]


def test_numbers_of_places_are_found_once(whole: Workspace) -> None:
    seen = own(city.read(whole, as_of=LATE, until=date(2024, 12, 1)))
    seen.direct[::3, -1] = float("nan")
    assert any(flag["rule"] == "nowcast.late-direct" for flag in flags.find(seen))
    assert seen.places is seen.places and seen.sectors is seen.sectors
    part = seen.of(seen.places == 0)
    assert part.places.tolist() == [0] * len(part.cells)


def test_the_replay_is_not_said_to_be_in_real_time(whole: Workspace) -> None:
    told = nowcast.analyse(whole, year=2024, as_of=LATE)
    assert "遮去" in told["paragraphs"]["zh"][5]["text"] and "当时已知的数据" not in told["paragraphs"]["zh"][5]["text"]


def test_the_page_shows_no_month_beyond_reach(whole: Workspace) -> None:
    shown = board.board(whole, place="330400", as_of=date(2025, 12, 20), tree="admin")
    assert shown["month"] == "2025-11" and shown["months"][-1]["month"] == "2025-12"
    with pytest.raises(Refused) as caught:
        board.board(whole, place="330400", as_of=date(2026, 3, 1), tree="admin")
    assert caught.value.problems[0].rule == "nowcast.no-data-for-long"


def blind(seed: int, length: int, ahead: int) -> tuple[bool, float]:
    """Whether the interval of a city's total held, `ahead` months after the last data, and its half-width: 60 cells
    with a common growth that wanders by 1 % a month."""
    rng = np.random.default_rng(seed)
    places, sectors = np.repeat(np.arange(6), 10), np.tile(np.arange(10), 6)
    common, own = (np.cumsum(rng.normal(0, sd, (n, length)), 1) for sd, n in ((0.01, 1), (0.02, 60)))
    level = rng.normal(8, 1, (60, 1)) + common + own
    power, direct = (np.exp(level + rng.normal(0, sd, (60, length))) for sd in (0.03, 0.06))
    seen = direct.copy()
    seen[:, length - ahead :] = power[:, length - ahead :] = np.nan
    made = months.estimate(seen, power, length - 1, places, sectors)
    total = made.value.sum()
    half = np.hypot(made.shared, np.sqrt(((made.own * made.value) ** 2).sum()) / total)
    return bool(abs(np.log(direct[:, -1].sum() / total)) <= half), float(half)


def test_intervals_hold_what_moves_in_common_while_nothing_arrives() -> None:
    near, far = ([blind(seed, 36, ahead) for seed in range(40)] for ahead in (1, 12))
    assert np.mean([held for held, _ in near]) >= 0.85 and np.mean([held for held, _ in far]) >= 0.85
    assert np.median([half for _, half in far]) > 2 * np.median([half for _, half in near])
