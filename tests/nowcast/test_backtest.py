"""The replay on a world with known laws, and on data as bad as it comes."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from dualcarbon.nowcast.commands import cli
from tests.nowcast import world


def method(document: dict, name: str | None = None) -> dict:
    """The entry of a method, the chosen one by default."""
    (found,) = [m for m in document["methods"] if (m["chosen"] if name is None else m["method"] == name)]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return world.write(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def document(files: tuple[Path, Path]) -> dict:
    return nowcast.backtest(*files, years=range(2020, 2024), months=[0, 6, 12])


def test_the_chosen_method_beats_the_last_value(document: dict) -> None:
    chosen, last = method(document), method(document, "last_value")
    assert document["regions"] == 12 and document["years"] == list(range(2020, 2024))
    assert document["counted"] == ["natural_gas"]
    assert chosen["mape"]["12"] < 2.0 < last["mape"]["12"]
    assert chosen["mape"]["12"] < chosen["mape"]["6"] < last["mape"]["6"]
    assert chosen["skill_vs_last"]["12"] == pytest.approx(1 - chosen["mape"]["12"] / last["mape"]["12"], abs=1e-3)
    assert last["skill_vs_last"] == {"0": 0, "6": 0, "12": 0}
    assert 0.8 <= np.mean(list(chosen["coverage90"].values())) <= 1


def test_nothing_later_than_allowed_is_used(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Scores of a year do not move when what comes after it, and after its sixth month, is spoilt."""
    observations, truth = files
    spoilt = pl.read_csv(observations, schema_overrides={"period": pl.String})
    later = pl.col("period") > "2019-06"
    spoilt.with_columns(pl.when(later).then(pl.col("value") * 1.7).otherwise("value").alias("value")).write_csv(
        tmp_path / "monthly.csv"
    )
    annual = pl.read_csv(truth, schema_overrides={"period": pl.String})
    annual.filter(pl.col("period") <= "2019").write_csv(tmp_path / "annual.csv")
    before = nowcast.backtest(observations, truth, years=[2019], months=[6])
    after = nowcast.backtest(tmp_path / "monthly.csv", tmp_path / "annual.csv", years=[2019], months=[6])
    assert before["methods"] == after["methods"]


def test_the_latest_vintage_is_the_truth_and_sums_are_no_region(files: tuple[Path, Path], tmp_path: Path) -> None:
    annual = pl.read_csv(files[1], schema_overrides={"period": pl.String})
    old = annual.with_columns(pl.col("value") * 0.5, pl.lit("2020-01").alias("known_at"))
    new = annual.with_columns(pl.lit("2024-01").alias("known_at"))
    whole = new.group_by("item", "period", "unit", "known_at").agg(pl.col("value").sum(), pl.lit("ALL").alias("place"))
    pl.concat([new, old, whole.select(new.columns)]).write_csv(tmp_path / "annual.csv")
    made = nowcast.backtest(files[0], tmp_path / "annual.csv", years=[2023], months=[12])
    plain = nowcast.backtest(*files, years=[2023], months=[12])
    assert made["excluded"] == ["ALL"]
    assert made["methods"] == plain["methods"]


def test_a_known_total_helps_against_a_common_shock(files: tuple[Path, Path], tmp_path: Path) -> None:
    annual = pl.read_csv(files[1], schema_overrides={"period": pl.String})
    shock = pl.when(pl.col("period") == "2023").then(pl.col("value") * 0.8).otherwise("value").alias("value")
    annual.with_columns(shock).write_csv(tmp_path / "annual.csv")
    summed = annual.with_columns(shock).group_by("item", "period", "unit").agg(pl.col("value").sum() * 1.02)
    summed.with_columns(pl.lit("ALL").alias("place")).write_csv(tmp_path / "total.csv")
    alone = nowcast.backtest(files[0], tmp_path / "annual.csv", years=[2023], months=[12])
    bound = nowcast.backtest(files[0], tmp_path / "annual.csv", years=[2023], months=[12], total=tmp_path / "total.csv")
    assert method(alone)["mape"]["12"] > 15
    assert method(bound)["mape"]["12"] < 4
    assert method(bound, "last_value")["mape"] == method(alone, "last_value")["mape"]
    summed.with_columns(pl.col("value") * 9, pl.lit("ALL").alias("place")).write_csv(tmp_path / "total.csv")
    with pytest.raises(Refused) as caught:
        nowcast.backtest(files[0], tmp_path / "annual.csv", years=[2023], months=[12], total=tmp_path / "total.csv")
    assert caught.value.problems[0].rule == "nowcast.total-unrelated"


def spoil(frame: pl.DataFrame) -> pl.DataFrame:
    """One month of P00 a thousand times too large, of P01 missing, of P02 negative; P03 silent; P04 only zeros."""
    place, month = pl.col("place"), pl.col("period") == "2023-05"
    frame = frame.filter(~((place == "P01") & month) & (place != "P03"))
    return frame.with_columns(
        pl.when((place == "P00") & month)
        .then(pl.col("value") * 1000)
        .when((place == "P02") & month)
        .then(-pl.col("value"))
        .when(place == "P04")
        .then(0.0)
        .otherwise("value")
        .alias("value")
    )


def test_bad_months_are_said_and_cost_only_width(document: dict, tmp_path: Path) -> None:
    made = nowcast.backtest(*world.write(tmp_path, spoil), years=[2022, 2023], months=[12])
    rules = {(s.rule, s.value) for s in made["statements"]}
    assert {
        ("nowcast.wrong-month", "P00"),
        ("nowcast.missing-month", "P01"),
        ("nowcast.negative-month", "P02"),
        ("nowcast.place-silent", "P03"),
        ("nowcast.zero-indicator", "P04"),
    } <= rules
    for statement in made["statements"]:
        for language in ("zh", "en"):
            assert statement.as_dict(language)["message"] != statement.rule
    worst = max(v for v in method(made)["by_year"]["12"].values())
    assert worst < method(made, "last_value")["by_year"]["12"]["2023"]


def test_repaired_cells_have_wider_intervals(tmp_path: Path) -> None:
    from dualcarbon.nowcast import panel
    from dualcarbon.nowcast.annual import files as reading
    from dualcarbon.nowcast.annual.forecast import Forecaster
    from dualcarbon.nowcast.annual.replay import outlook

    widths = []
    for change in (lambda frame: frame, spoil):
        observations, truth = world.write(tmp_path, change)
        seen = reading.read(observations).monthly
        made = panel.build(seen, reading.read(truth).annual, {"natural_gas": 21.62})
        widths.append(outlook(Forecaster(made), 2023, 12, 1))
    clean, bad = (one.widths["selected"][90] for one in widths)
    assert (bad[:5] > clean[:5]).all()
    assert bad[3] > 1.5 * clean[3]
    values = widths[1].estimates["selected"]
    last = widths[1].estimates["last_value"]
    assert values[3] == last[3] and values[4] == last[4]
    assert ((values / last > 0.5) & (values / last < 2)).all()


def test_two_years_only(tmp_path: Path) -> None:
    observations, truth = world.write(tmp_path)
    for path in (observations, truth):
        frame = pl.read_csv(path, schema_overrides={"period": pl.String})
        frame.filter(pl.col("period").str.slice(0, 4).is_in(["2022", "2023"])).write_csv(path)
    made = nowcast.backtest(observations, truth, months=[12])
    assert made["years"] == [2023]
    assert method(made)["mape"] == method(made, "last_value")["mape"]
    assert method(made)["width90"]["12"] > 40
    assert "nowcast.short-record" in {s.rule for s in made["statements"]}


def test_one_place_alone(tmp_path: Path) -> None:
    made = nowcast.backtest(*world.write(tmp_path, places=1), years=[2017, 2023], months=[6, 12])
    assert made["regions"] == 1
    assert method(made)["mape"]["12"] is not None
    assert set(method(made)["coverage90"]) == {"2017", "2023"}


def test_truth_by_sector_makes_cells_of_place_and_sector(tmp_path: Path) -> None:
    monthly, _ = world.make(8)
    yearly = monthly.filter(pl.col("carrier") == "electricity").group_by(
        "place", "sector", pl.col("period").str.slice(0, 4).alias("period")
    )
    truth = yearly.agg(pl.col("value").sum() * 0.05).with_columns(item=pl.lit("emission.co2"), unit=pl.lit("tCO2"))
    monthly.write_csv(tmp_path / "m.csv")
    truth.write_csv(tmp_path / "t.csv")
    made = nowcast.backtest(tmp_path / "m.csv", tmp_path / "t.csv", years=[2022, 2023], months=[12])
    assert made["regions"] == 16
    assert method(made)["mape"]["12"] < 1 < method(made, "last_value")["mape"]["12"]


def test_carriers_by_their_chinese_names_in_a_chinese_encoding(files: tuple[Path, Path], tmp_path: Path) -> None:
    names = {"electricity": "电力", "natural_gas": "天然气"}
    frame = pl.read_csv(files[0], schema_overrides={"period": pl.String}).with_columns(pl.col("carrier").replace(names))
    frame = frame.select(reversed(frame.columns)).rename({"place": "地区", "carrier": "能源品种", "value": "数值"})
    (tmp_path / "m.csv").write_bytes(frame.write_csv().encode("gb18030"))
    plain = nowcast.backtest(*files, years=[2022, 2023], months=[6, 12])
    made = nowcast.backtest(tmp_path / "m.csv", files[1], years=[2022, 2023], months=[6, 12])
    assert made["counted"] == ["天然气"] and made["methods"] == plain["methods"]


def test_truth_by_carrier_takes_the_carriers_own_indicator(files: tuple[Path, Path], tmp_path: Path) -> None:
    frame = pl.read_csv(files[0], schema_overrides={"period": pl.String})
    keys = ["place", "carrier", pl.col("period").str.slice(0, 4).alias("period")]
    truth = (
        frame.group_by(keys).agg(pl.col("value").sum()).with_columns(item=pl.lit("emission.co2"), unit=pl.lit("tCO2"))
    )
    truth.write_csv(tmp_path / "t.csv")
    made = nowcast.backtest(files[0], tmp_path / "t.csv", years=[2022, 2023], months=[12])
    assert made["regions"] == 24
    assert method(made)["mape"]["12"] < 1 < method(made, "last_value")["mape"]["12"]
    assert len(made["statements"]) == len({str(one) for one in made["statements"]})


def test_monthly_total_is_shaped_from_annual_truth(files: tuple[Path, Path], tmp_path: Path) -> None:
    monthly, _ = world.make()
    factor = pl.when(pl.col("carrier") == "electricity").then(0.005).otherwise(21.62)
    total = monthly.group_by("period").agg((pl.col("value") * factor).sum())
    total = total.with_columns(place=pl.lit("ALL"), item=pl.lit("emission.co2"), unit=pl.lit("tCO2")).sort("period")
    total.write_csv(tmp_path / "total.csv")
    made = nowcast.backtest(*files, years=[2022, 2023], months=[12], total=tmp_path / "total.csv")
    assert made["monthly"]["years"] == [2022, 2023]
    assert made["monthly"]["mape"] < made["monthly"]["last_value_mape"]
    assert made["monthly"]["shape_error"] < 10


def test_january_and_february_as_one_and_sums_since_january(files: tuple[Path, Path], tmp_path: Path) -> None:
    monthly, _ = world.make()
    year, month = pl.col("period").str.slice(0, 4), pl.col("period").str.slice(5, 2).cast(pl.Int32)
    keys = ["place", "sector", "carrier", "item", "unit"]
    since = monthly.sort("period").with_columns(pl.col("value").cum_sum().over(*keys, year))
    since = since.filter(month > 1).with_columns(
        (year + "-01/" + pl.col("period")).alias("period"), pl.lit("true").alias("cumulative")
    )
    since.write_csv(tmp_path / "since.csv")
    plain = nowcast.backtest(*files, years=[2023], months=[6])
    made = nowcast.backtest(tmp_path / "since.csv", files[1], years=[2023], months=[6])
    assert method(made, "electricity_ratio")["mape"]["6"] == pytest.approx(
        method(plain, "electricity_ratio")["mape"]["6"], abs=0.05
    )


def test_refusals_name_what_is_wrong(files: tuple[Path, Path], tmp_path: Path) -> None:
    def rules(**changed: object) -> set[str]:
        with pytest.raises(Refused) as caught:
            nowcast.backtest(**{"observations": files[0], "truth": files[1], **changed})  # type: ignore[arg-type]
        return {p.rule for p in caught.value.problems}

    assert rules(truth=tmp_path / "none.csv") == {"core.no-file"}
    assert rules(years=[1990]) == {"nowcast.years-not-known"}
    assert rules(observations=files[1]) == {"nowcast.no-monthly-indicators"}
    (tmp_path / "bad.csv").write_text("place,item,period,value,unit\nP00,x,2020,twelve,t\nP00,x,2020-13,1,t\n")
    assert rules(truth=tmp_path / "bad.csv") == {"core.not-a-number", "core.bad-period"}
    (tmp_path / "units.csv").write_text("place,item,period,value,unit\nP00,x,2020,1,t\nP00,x,2021,1,MWh\n")
    assert rules(truth=tmp_path / "units.csv") == {"nowcast.mixed-units"}


def test_command_prints_one_document(files: tuple[Path, Path]) -> None:
    run = CliRunner().invoke(
        cli,
        ["backtest", "--observations", str(files[0]), "--truth", str(files[1]), "--years", "2022-2023", "--months",
         "12", "--lag", "2", "--json"],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    made = json.loads(run.stdout)
    assert set(made["methods"][0]) >= {"method", "mape", "median", "skill_vs_last", "coverage90", "chosen"}
    assert sum(m["chosen"] for m in made["methods"]) == 1
    assert made["lag"] == 2 and made["years"] == [2022, 2023]
    plain = CliRunner().invoke(
        cli,
        ["backtest", "--observations", str(files[0]), "--truth", str(files[1]), "--years", "2023", "--months", "12"],
    )
    assert "逐单元择优" in plain.stdout and "，2023 年，" in plain.stdout
    assert not re.search(r"(\d+%)–\1", plain.stdout)
    assert CliRunner().invoke(cli, ["backtest", "--observations", "a", "--truth", "b", "--months", "13"]).exit_code == 2
