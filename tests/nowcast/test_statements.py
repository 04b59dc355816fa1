"""What a back-test says of its data: the gravest first, every rule once, only what is true of the years tested."""

import re
from pathlib import Path

import polars as pl
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.nowcast.commands import cli
from tests.nowcast import world


def spoil(frame: pl.DataFrame) -> pl.DataFrame:
    """Every place lacks a month of 2019 and one of 2022, P06 to P11 each its own of 2020; of P00 one is a thousand
    times too large in 2021, of P02 one negative in 2021 and one in 2023; P03 is silent, P04 only zeros."""
    place, month = pl.col("place"), pl.col("period")
    frame = frame.filter(~month.is_in(["2019-03", "2022-07"]) & (place != "P03"))
    own = pl.concat_str(pl.lit("2020-"), place.str.slice(1))  # P06 lacks 2020-06, and so on
    frame = frame.filter((month != own) | (own < "2020-06"))
    return frame.with_columns(
        pl.when((place == "P00") & (month == "2021-05")).then(pl.col("value") * 1000)
        .when((place == "P02") & month.is_in(["2021-05", "2023-05"])).then(-pl.col("value"))
        .when(place == "P04").then(0.0)
        .otherwise("value")
        .alias("value")
    )  # fmt: skip


def written(folder: Path) -> tuple[Path, Path]:
    """The spoilt files, with a place that has been zero throughout."""
    observations, truth = world.write(folder, spoil)
    annual = pl.read_csv(truth, schema_overrides={"period": pl.String})
    zero = annual.filter(place="P05").with_columns(pl.lit("P99").alias("place"), pl.lit(0.0).alias("value"))
    pl.concat([annual, zero]).write_csv(truth)
    return observations, truth


def test_the_gravest_come_first_and_every_rule_is_shown(tmp_path: Path) -> None:
    files = written(tmp_path)
    made = nowcast.backtest(*files, years=[2022], months=[12])
    rules = list(dict.fromkeys(one.rule.removeprefix("nowcast.") for one in made["statements"]))
    assert rules[-2:] == ["missing-everywhere", "missing-month"] and len(made["statements"]) > 12
    order = ["zero-truth", "place-silent", "zero-indicator", "negative-month", "wrong-month", *rules[-2:]]
    assert [one for one in rules if one in order] == order
    asked = ["backtest", "--observations", str(files[0]), "--truth", str(files[1]), "--years", "2022", "--months", "12"]
    shown = CliRunner().invoke(cli, asked).stdout
    said = [line for line in shown.splitlines() if line.startswith("- ")]
    assert len(said) == max(10, len(rules)) and f"另有 {len(made['statements']) - len(said)} 条" in shown
    for rule in rules:
        assert any(f"- {one.line('zh')}" in said for one in made["statements"] if one.rule == f"nowcast.{rule}"), rule


def test_brackets_are_never_empty(tmp_path: Path) -> None:
    made = nowcast.backtest(*written(tmp_path), years=[2022], months=[12])
    for one in made["statements"]:
        for lang in ("zh", "en"):
            assert not re.search(r"（[—*]?）|\([—*]?\)|[{}]", one.line(lang)), one.line(lang)


def test_only_what_is_true_of_the_years_tested_is_said(tmp_path: Path) -> None:
    files = written(tmp_path)

    def said(year: int) -> dict[tuple[str, str], str]:
        made = nowcast.backtest(*files, years=[year], months=[12])
        return {(one.rule.removeprefix("nowcast."), str(one.value)): one.line("zh") for one in made["statements"]}

    first, then, last = (said(year) for year in (2021, 2022, 2023))
    assert "2023-05" not in str(first) + str(then) and "2022-07" not in str(first)
    assert "区间放宽" in first["negative-month", "P02"] and "1 个月" in first["negative-month", "P02"]
    assert "2 个月" in last["negative-month", "P02"]
    nowhere = "missing-everywhere", "None"
    assert "2019-03" in first[nowhere] and "放宽" not in first[nowhere]
    assert "2022-07" in then[nowhere] and "所检验年份的区间放宽" in then[nowhere]
    assert "放宽" in then["wrong-month", "P00"] and "放宽" not in last["wrong-month", "P00"]
