"""Flags open into their values, what is usual, and the months that they were found by; the numbers are those told."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board, flag_words, flags
from dualcarbon.nowcast.commands import cli
from dualcarbon.nowcast.told import telling
from tests.nowcast.test_run import DATASET, rows

DAY = date(2025, 3, 1)
Change = Callable[[pl.Expr], pl.Expr]


def cell_of(frame: pl.DataFrame) -> tuple[str, str]:
    """A cell that has fuels."""
    found = frame.filter(item="energy.combustion").select("place", "sector").row(0)
    return found[0], found[1]


def world(folder: Path, item: str, first: date, last: date, factor: float) -> Workspace:
    """The test city with one cell's fuels or electricity of some months times a factor."""
    frame = rows()
    place, sector = cell_of(frame)
    wrong = (pl.col("item") == item) & (pl.col("place") == place) & (pl.col("sector") == sector)
    wrong &= pl.col("start").is_between(first, last)
    made = Workspace.create(folder / "w")
    changed = frame.with_columns(pl.when(wrong).then(pl.col("value") * factor).otherwise("value").alias("value"))
    made.import_frame(changed, source={"file": "generator"}, dataset=DATASET)
    return made


FAULTS = {
    "level-shift": ("energy.combustion", date(2024, 2, 1), date(2024, 12, 1), 0.4),
    "carbon-per-kwh": ("energy.combustion", date(2024, 11, 1), date(2024, 11, 1), 2.5),
    "carbon-per-kwh of electricity": ("energy.purchased", date(2024, 11, 1), date(2024, 11, 1), 0.4),
    "divergence or two months": ("energy.combustion", date(2024, 5, 1), date(2024, 6, 1), 2.5),
    "doubtful-direct": ("energy.combustion", date(2024, 11, 1), date(2024, 11, 1), 1000.0),
    "doubtful-power": ("energy.purchased", date(2024, 10, 1), date(2024, 11, 1), 10000.0),
    "zero-direct": ("energy.combustion", date(2024, 11, 1), date(2024, 11, 1), 0.0),
}


def opened(workspace: Workspace, question: dict[str, Any]) -> dict[str, Any]:
    ask = nowcast.open_reason if "kind" in question else nowcast.open_figure
    return ask(workspace, **question)


def check(workspace: Workspace, told: list[dict[str, Any]]) -> set[str]:
    """Open every flag that has numbers, and all that it is made of; the rules that were there."""
    rules = set()
    for flag in told:
        if not flags.has_node(flag):
            continue
        assert flag["explain"]["kind"] == "flag"
        node = opened(workspace, flag["explain"])
        rules.add(flag["rule"])
        assert node["message"] == flag["message"]
        assert node["value"] == pytest.approx(flag["value"]) and node["equation"]["zh"] and node["filled"]
        lines = [*node["inputs"], *node["children"]]
        if flag.get("causes"):
            printed(flag, lines)
            made_of(flag, node)
        for one in lines:
            if one.get("question"):
                below = opened(workspace, one["question"])
                assert below["value"] == pytest.approx(one["value"], rel=1e-6), one
        if flag["rule"].rpartition("-")[2] in ("direct", "power"):
            assert node["rows"] and node["rows_total"] >= len(node["rows"])
    return rules


def printed(flag: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """Every number of the message stands in the node."""
    words = flag_words.words(flag)
    percent = next(one["value"] for one in lines if one["unit"] == "%" and one["name"]["en"] == "departure")
    text = words.get("percent") or words["change"]
    assert float(text.strip("%+").replace("−", "-")) == pytest.approx(
        abs(percent) if "percent" in words else percent, abs=0.51
    )
    assert any(one["value"] == pytest.approx(flag["usual"]) for one in lines)
    assert any(one["value"] == pytest.approx(flag["size"]) for one in lines)
    message = flag["message"]["zh"]
    assert text in message


def made_of(flag: dict[str, Any], node: dict[str, Any]) -> None:
    """What the value is made of: the mean of its months, or fuels' CO2 over electricity."""
    values = [one["value"] for one in node["children"]]
    if flag["rule"] == "nowcast.level-shift" or len(flag.get("months") or []) > 1:
        assert node["value"] == pytest.approx(sum(values) / len(values))
    else:
        assert node["value"] == pytest.approx(node["inputs"][0]["value"] / node["inputs"][1]["value"])
    if flag["rule"] == "nowcast.carbon-per-kwh" and len(flag.get("months") or []) <= 1:
        ends = sorted(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]
        assert ends[0] * 0.9999 <= flag["usual"] <= ends[-1] * 1.0001


@pytest.mark.parametrize("fault", FAULTS)
def test_every_flag_opens_down_to_its_months(tmp_path: Path, fault: str) -> None:
    made = world(tmp_path, *FAULTS[fault])
    month = date(2024, 12, 1) if fault == "level-shift" else FAULTS[fault][2]
    run = nowcast.run(made, month=month, as_of=DAY, record=0, keep=False)
    year = nowcast.analyse(made, year=2024, as_of=DAY)
    found = check(made, run["flags"]) | check(made, year["flags"])
    wanted = fault.split(" ")[0]
    assert any(one.startswith(f"nowcast.{wanted}") or " or " in fault for one in found), (fault, found)
    for flag in board.board(made, place=None, as_of=DAY, tree="admin")["flags"]:
        assert not flag["explain"] or opened(made, flag["explain"])


def test_flags_are_links_and_stand_in_the_appendix(tmp_path: Path) -> None:
    made = world(tmp_path, *FAULTS["level-shift"])
    year = nowcast.analyse(made, year=2024, as_of=DAY)
    flag = next(one for one in year["flags"] if one["rule"] == "nowcast.level-shift")
    for lang in ("zh", "en"):
        linked = [
            one for part in year["paragraphs"][lang] for line in part["lines"] for one in line if "numbers" in one
        ]
        shift = next(one for one in linked if one.get("question", {}).get("about") == "level-shift")
        assert shift["text"] in flag["message"][lang] and "%" in shift["text"]
        factor = [one for one in linked if "href" in one]
        assert len(factor) == len(year["factors"]) and all(one["href"].startswith("/factors/") for one in factor)
        text = str(telling.document(year, lang).blocks[-1])
        assert "--kind flag --about level-shift" in text and shift["numbers"][lang] in text
        assert not factor or "dualcarbon factors find" in text
        assert not re.search("[。.]{2}", "".join(part["text"] for part in year["paragraphs"][lang]))
    brief = nowcast.monthly(made, month="2024-12", as_of=DAY)
    for lang in ("zh", "en"):
        (line,) = [line for line in brief["paragraphs"][lang][0]["lines"] if any("numbers" in one for one in line)]
        assert not re.search(r"。。|\.\.", "".join(one["text"] for one in line))
    with TestClient(create_app(made.path, warm=False), headers={"accept": "text/html"}) as client:
        page = client.get("/nowcast/open", params=flag["explain"])
        assert page.status_code == 200 and "此前一年每月平均" in page.text and "所用的各部分" in page.text
        assert "kind=flag" in client.get("/nowcast/situation", params={"year": 2024, "as_of": DAY}).text


def test_a_level_opens_without_saying_how_long_it_lasts(tmp_path: Path) -> None:
    made = world(tmp_path, *FAULTS["level-shift"])
    place, sector = cell_of(rows())
    place = place.removesuffix("-rest")
    asked = ["open", "--kind", "flag", "--about", "level-shift", "--month", "2024-02", "--place", place, "--sector",
             sector, "--as-of", DAY.isoformat(), "--workspace", str(made.path)]  # fmt: skip
    shown = CliRunner().invoke(cli, asked)
    assert shown.exit_code == 0 and "此前一年每月平均" in shown.stdout and "--part direct" in shown.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("plain") / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.mark.parametrize(
    ("question", "rule", "known"),
    [
        ({"kind": "effect", "effect": "foo", "period": "2024"}, "nowcast.unknown-choice", "activity"),
        ({"kind": "effect", "period": "2024"}, "nowcast.unknown-choice", "activity"),
        ({"kind": "error", "state": "foo"}, "nowcast.unknown-choice", "electricity"),
        ({"kind": "error", "level": "foo"}, "nowcast.unknown-choice", "total"),
        ({"kind": "flag", "about": "foo", "month": "2024-11", "sector": "C30"}, "nowcast.no-such-flag", "—"),
        ({"kind": "news", "before": "2024-11-05", "month": "2024-10", "arrival": "foo", "about": "month"},
         "nowcast.unknown-choice", "fuel"),
    ],
)  # fmt: skip
def test_what_there_is_is_listed(plain: Workspace, question: dict[str, Any], rule: str, known: str) -> None:
    with pytest.raises(Refused) as caught:
        nowcast.open_reason(plain, **question)
    (problem,) = caught.value.problems
    assert problem.rule == rule and known in problem.params["known"]
    for lang in ("zh", "en"):
        assert "“”" not in str(problem.as_dict(lang))


def test_news_open_between_two_days(plain: Workspace) -> None:
    told = nowcast.news(plain, before=date(2024, 11, 5), after=date(2024, 12, 15))
    step = dict(told["steps"][0]["explain"])
    whole = nowcast.open_reason(plain, **step)
    day = step.pop("as_of")
    later = nowcast.open_reason(plain, **step, after=day)
    assert later["value"] == pytest.approx(whole["value"]) == pytest.approx(told["steps"][0]["effect"])
    with pytest.raises(Refused):
        nowcast.open_reason(plain, **step, after="2024-11-01")


@pytest.mark.slow
def test_every_flag_of_the_demonstration_city_opens(tmp_path: Path) -> None:
    from dualcarbon.demo.assembly import build

    build(tmp_path / "city")
    workspace = Workspace.open(tmp_path / "city")
    found: set[str] = set()
    for year in (2023, 2024):
        found |= check(workspace, nowcast.analyse(workspace, year=year)["flags"])
    assert {"nowcast.level-shift", "nowcast.divergence", "nowcast.carbon-per-kwh"} <= found
