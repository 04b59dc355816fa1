"""Files sent over HTTP are answered as on the command line, and nothing of them is kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import file_routes
from dualcarbon.nowcast.commands import cli
from tests.nowcast.world import write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Annual totals and monthly indicators."""
    monthly, annual = write(tmp_path_factory.mktemp("sent"), places=5)
    return annual, monthly


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    made = Workspace.create(tmp_path_factory.mktemp("served") / "w")
    with TestClient(create_app(made.path, warm=False)) as served:
        yield served


def verb(*words: Any) -> dict[str, Any]:
    ran = CliRunner().invoke(cli, [*map(str, words), "--json"])
    assert ran.exit_code == 0, ran.output
    return dict(json.loads(ran.stdout))


def sent(**paths: Path) -> dict[str, tuple[str, bytes]]:
    return {name: (path.name, path.read_bytes()) for name, path in paths.items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Both spread the same: the same rows, series and unit."""
    assert {**one, "rows": None, "series": None} == {**other, "rows": None, "series": None}
    for name in ("rows", "series"):
        assert len(one[name]) == len(other[name]) > 0
        for a, b in zip(one[name], other[name], strict=True):
            assert a == pytest.approx(b) if name == "rows" else {**a, "rho": 0} == {**b, "rho": 0}


@pytest.mark.parametrize("method", ["denton", "chow-lin", "fernandez", "litterman"])
def test_months_are_those_of_the_verb_and_of_python(client: TestClient, files: tuple[Path, Path], method: str) -> None:
    annual, monthly = files
    answer = client.post("/nowcast/shape.json", files=sent(totals=annual, indicator=monthly), data={"method": method})
    assert answer.status_code == 200
    same(answer.json(), verb("shape", "--totals", annual, "--indicator", monthly, "--method", method))
    same(answer.json(), nowcast.shape(annual, monthly, method=method))


def test_days_follow_a_load_that_is_sent_too(client: TestClient, files: tuple[Path, Path], tmp_path: Path) -> None:
    annual, monthly = files
    load = tmp_path / "load.csv"
    days = [f"P00,energy.consumption,electricity,2020-01-{day:02d},{100 + day},MWh" for day in range(1, 32)]
    load.write_text("place,item,carrier,period,value,unit\n" + "\n".join(days) + "\n", encoding="utf-8")
    answer = client.post("/nowcast/shape.json", files=sent(totals=annual, indicator=monthly, daily=load)).json()
    same(answer, verb("shape", "--totals", annual, "--indicator", monthly, "--daily", load))
    assert {row["period"][:7] for row in answer["rows"]} == {"2020-01"} and len(answer["rows"]) == 5 * 31


def test_a_replay_is_that_of_the_verb(client: TestClient, files: tuple[Path, Path]) -> None:
    annual, monthly = files
    asked = {"years": ["2021-2022"], "months": ["0,6"], "lag": "1"}
    answer = client.post("/nowcast/backtest.json", files=sent(observations=monthly, truth=annual), data=asked)
    assert answer.status_code == 200 and [one["chosen"] for one in answer.json()["methods"]].count(True) == 1
    told = verb("backtest", "--observations", monthly, "--truth", annual, "--years", "2021-2022", "--months", "0,6")
    assert {**answer.json(), "factors_pack": None} == {**told, "factors_pack": None}
    assert answer.json()["years"] == [2021, 2022]


def test_what_is_wrong_with_a_file_is_told_as_a_problem(client: TestClient, files: tuple[Path, Path]) -> None:
    annual, monthly = files
    bad = (
        "totals.csv",
        b"place,item,period,value,unit\nP00,emission.co2,2020,a lot,tCO2\nP01,emission.co2,20x,1,tCO2\n",
    )
    answer = client.post("/nowcast/shape.json", files={**sent(indicator=monthly), "totals": bad})
    assert answer.status_code == 422 and answer.headers["content-type"].startswith("application/problem+json")
    told = {(one["rule"], one["file"], one["row"], one["column"]) for one in answer.json()["problems"]}
    assert ("core.not-a-number", "totals.csv", 2, "value") in told and (
        "core.bad-period",
        "totals.csv",
        3,
        "period",
    ) in told
    both = sent(totals=annual, indicator=monthly)
    (problem,) = client.post("/nowcast/shape.json", files=both, data={"method": "magic"}).json()["problems"]
    assert problem["rule"] == "nowcast.unknown-shape" and "litterman" in problem["remedy"]
    answer = client.post("/nowcast/backtest.json", files=sent(observations=monthly, truth=monthly))
    assert answer.status_code == 422 and answer.json()["problems"]
    wrong = {"lag": "3", "months": ["6", "13"], "years": ["2020", "x"]}
    for lang, words in (("zh", "整数"), ("en", "whole number")):
        both = sent(observations=monthly, truth=annual)
        answer = client.post(f"/nowcast/backtest.json?lang={lang}", files=both, data=wrong)
        assert answer.status_code == 422 and answer.headers["content-type"].startswith("application/problem+json")
        told = {(one["column"], one["value"], words in one["message"]) for one in answer.json()["problems"]}
        assert told == {("lag", "3", True), ("months", "13", True), ("years", "x", True)}
    for lag in ("1,2", "1-3"):
        both = sent(observations=monthly, truth=annual)
        (problem,) = client.post("/nowcast/backtest.json", files=both, data={"lag": lag}).json()["problems"]
        assert (problem["rule"], problem["column"], problem["value"]) == ("nowcast.bad-number", "lag", lag)
    assert client.post("/nowcast/shape.json", files=sent(totals=annual)).status_code == 422


def test_a_file_that_is_too_large_is_refused(
    client: TestClient, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_routes, "MOST_BYTES", 100)
    answer = client.post("/nowcast/shape.json", files=sent(totals=files[0], indicator=files[1]))
    assert [one["rule"] for one in answer.json()["problems"]] == ["core.file-large"]


def test_the_interface_describes_both(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for name, needed in (("shape", {"totals", "indicator"}), ("backtest", {"observations", "truth"})):
        told = paths[f"/nowcast/{name}.json"]["post"]
        (content,) = told["requestBody"]["content"].items()
        assert content[0] == "multipart/form-data" and told["summary"]
        schema = client.get("/openapi.json").json()["components"]["schemas"][
            content[1]["schema"]["$ref"].split("/")[-1]
        ]
        assert needed == set(schema["required"])
