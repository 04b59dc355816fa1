"""What factors and data leave uncertain stands apart from the interval of estimating, and is the account's."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from dualcarbon import inventory, nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_run import DATASET, rows, total

EARLY, LATE = date(2024, 11, 2), date(2025, 3, 1)
PACK = """\
id: bounded
version: 1
title: {zh: 有误差范围的因子, en: Bounded factors}
extends: cn-jiaxing
place: "330400"
"""
HEAD = ("parameter,family,place,entity,sector,carrier,gas,equipment,value,unit,low,high,valid_from,valid_to,known_at,"
        "source,clause,status\n")  # fmt: skip
#: The heat value of natural gas in the city, 10 % up and down.
GAS = "fuel.ncv,provincial-2025,330400,,,natural_gas,,,400,GJ/wan_m3,360,440,,,,provincial-guideline-2025,,unverified\n"


def imported(folder: Path, frame: pl.DataFrame, pack: str = "cn-jiaxing") -> Workspace:
    made = Workspace.create(folder, pack)
    made.import_frame(frame, source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The factor of gas has bounds; nothing else has."""
    folder = tmp_path_factory.mktemp("bounded")
    (folder / "pack" / "factors").mkdir(parents=True)
    (folder / "pack" / "pack.yaml").write_text(PACK, encoding="utf-8")
    (folder / "pack" / "factors" / "gas.csv").write_text(HEAD + GAS, encoding="utf-8")
    return imported(folder / "w", rows(), str(folder / "pack"))


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Electricity is read to 2 % either way, all meters together; no factor has bounds."""
    power = pl.col("carrier") == "electricity"
    frame = rows().with_columns(
        pl.when(power).then(pl.col("value") * 0.98).alias("low"),
        pl.when(power).then(pl.col("value") * 1.02).alias("high"),
        pl.when(power).then(pl.lit("meters")).alias("error_group"),
    )
    return imported(tmp_path_factory.mktemp("metered") / "w", frame)


@pytest.fixture(scope="module")
def client(metered: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(metered.path, warm=False), headers={"accept": "text/html"}) as made:
        yield made


def asked(workspace: Workspace, month: str, day: date, **more: Any) -> dict[str, Any]:
    return nowcast.run(workspace, month=month, as_of=day, record=0, keep=False, **more)


def test_what_shares_a_factor_errs_together(bounded: Workspace) -> None:
    made = asked(bounded, "2024-06", LATE)
    one = made["uncertainty"]
    gas = nowcast.open_figure(bounded, month="2024-06", as_of=LATE, part="direct")["value"]
    assert made["low"] is None and one["kind"] == "factors" and one["level"] == 0.95
    assert one["percent"] == pytest.approx(10 * gas / made["value"])
    assert one["factors_percent"] == one["percent"] and one["without"] == pytest.approx(1 - gas / made["value"])
    assert one["high"] - made["value"] == pytest.approx(made["value"] - one["low"]) == pytest.approx(0.1 * gas)
    assert one["period"] == "2024-06" and one["counted"] == pytest.approx(made["value"])
    assert "同一因子的误差同向" in one["note"]["zh"] and "来源没有给出误差范围" in one["note"]["zh"]
    # Ten counties or one: the factor is the same, and so is the percentage of its gas.
    county = asked(bounded, "2024-06", LATE, place="330402")
    share = nowcast.open_figure(bounded, month="2024-06", as_of=LATE, place="330402", part="direct")["value"]
    assert county["uncertainty"]["percent"] == pytest.approx(10 * share / county["value"])


def test_an_estimated_month_has_that_of_the_last_twelve_counted(bounded: Workspace) -> None:
    made = asked(bounded, "2024-10", EARLY)
    one = made["uncertainty"]
    assert made["low"] is not None and one["period"] == "2023-09/2024-08"
    year = nowcast.open_reason(bounded, kind="sum", period="2023-09/2024-08", as_of=EARLY)
    assert one["counted"] == pytest.approx(year["value"])
    assert one["percent"] == pytest.approx(10 * year["direct"] / year["value"])
    assert one["high"] == pytest.approx(made["value"] * (1 + one["percent"] / 100))
    assert "2023年9月至2024年8月" in one["note"]["zh"]


@pytest.mark.parametrize(("month", "day"), [("2024-06", LATE), ("2024-10", EARLY)])
def test_it_opens_into_what_the_account_says(bounded: Workspace, metered: Workspace, month: str, day: date) -> None:
    for workspace in (bounded, metered):
        one = asked(workspace, month, day)["uncertainty"]
        node = nowcast.open_reason(workspace, **one["question"])
        assert node["value"] == pytest.approx(one["percent"]) and node["unit"] == "%"
        assert sum(line["value"] for line in node["children"]) == pytest.approx(one["counted"])
        assert node["low"] is None, "the interval of estimating is another"
        for line in node["children"]:
            told = inventory.explain(workspace, **line["query"])
            assert told["value"] == pytest.approx(line["value"])
            if line["filled"]:
                assert line["filled"] == f"±{100 * (told['high'] / told['value'] - 1):.2f}%"
            else:
                assert told["low"] is None
        figure = next(line for line in node["inputs"] if "question" in line)
        assert nowcast.open_figure(workspace, **figure["question"])["value"] == pytest.approx(figure["value"])
    area = nowcast.open_figure(bounded, month=month, as_of=day, place="330402", sector="C17")
    opened = nowcast.open_reason(bounded, **area["uncertainty"]["question"])
    assert opened["value"] == pytest.approx(area["uncertainty"]["percent"])
    assert nowcast.open_figure(bounded, month=month, as_of=day, part="direct")["uncertainty"] is None


def test_bounds_of_data_alone_are_said_to_be_that(metered: Workspace, client: TestClient) -> None:
    made = asked(metered, "2024-06", LATE)
    one = made["uncertainty"]
    power = nowcast.open_figure(metered, month="2024-06", as_of=LATE, part="indirect")["value"]
    assert one["kind"] == "activity" and one["factors_percent"] is None and one["without"] == pytest.approx(1)
    assert one["percent"] == pytest.approx(2 * power / made["value"])
    assert "只含活动数据的误差" in one["note"]["zh"] and "By the data alone" in one["note"]["en"]
    for lang, words in (("zh", "因子和活动数据的不确定性（95%），另列"), ("en", "By factors and data (95%), apart")):
        for path, more in (("", {}), ("/open", {"month": "2024-06"})):
            page = client.get(f"/nowcast{path}", params={"known_at": LATE.isoformat(), "lang": lang, **more}).text
            assert words in page and "kind=uncertainty" in page
    node = client.get("/nowcast/open", params={**one["question"], "lang": "zh"})
    assert (
        node.status_code == 200
        and f"{one['percent']:.2f}" in node.text
        and "+" + f"{one['percent']:.2f}" not in node.text
    )


def test_the_report_tells_it_apart_from_the_estimates(metered: Workspace, bounded: Workspace) -> None:
    for workspace, words in ((metered, "只含活动数据的误差"), (bounded, "含因子的误差")):
        made = nowcast.analyse(workspace, year=2024, as_of=LATE)
        quality = made["paragraphs"]["zh"][5]
        assert f"与估算误差分列，为±{made['uncertainty']['percent']:.2f}%（95%）" in quality["text"]
        assert words in quality["text"] and "apart from the estimates" in made["paragraphs"]["en"][5]["text"]
        (figure,) = [one for line in quality["lines"] for one in line
                     if one.get("question", {}).get("kind") == "uncertainty"]  # fmt: skip
        assert nowcast.open_reason(workspace, **figure["question"])["value"] == pytest.approx(figure["value"])


def test_nothing_is_assumed_where_nobody_gives_bounds(tmp_path: Path) -> None:
    made = imported(tmp_path / "w", rows())
    one = asked(made, "2024-06", LATE)["uncertainty"]
    assert one["kind"] is None and one["percent"] is None and one["low"] is None and one["high"] is None
    assert "不代为假设" in one["note"]["zh"]
    assert nowcast.open_reason(made, **one["question"])["value"] is None
    assert "与估算误差分列，未知：" in nowcast.analyse(made, year=2024, as_of=LATE)["paragraphs"]["zh"][5]["text"]


def test_an_official_total_has_no_other_uncertainty(tmp_path: Path, bounded: Workspace) -> None:
    made = imported(tmp_path / "w", rows(), bounded.pack)
    june = date(2024, 6, 1), date(2024, 7, 1)
    made.import_frame(total("330400", june, 400_000.0, date(2024, 8, 1)), source={"file": "notice"},
                      dataset={**DATASET, "id": "official", "role": "control", "status": "official"})  # fmt: skip
    assert asked(made, "2024-06", LATE)["uncertainty"] is None
    assert asked(made, "2024-06", LATE, reconcile="none")["uncertainty"]["kind"] == "factors"


def test_the_verbs_print_it(metered: Workspace) -> None:
    where = ["--as-of", LATE.isoformat(), "--workspace", str(metered.path)]
    percent = asked(metered, "2024-06", LATE)["uncertainty"]["percent"]
    said = f"因子和活动数据的不确定性（95%），另列：±{percent:.2f}%。只含活动数据的误差"
    for words in (["run", "--month", "2024-06", "--replay", "0"], ["open", "--month", "2024-06"]):
        ran = CliRunner().invoke(cli, [*words, *where])
        assert ran.exit_code == 0 and said in ran.stdout
    opened = CliRunner().invoke(cli, ["open", "--kind", "uncertainty", "--period", "2024-06", *where])
    assert (
        opened.exit_code == 0
        and f"{percent:.2f} %" in opened.stdout
        and "explain emission.co2 --basis B" in opened.stdout
    )
