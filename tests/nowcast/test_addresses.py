"""Addresses and options as people write them: periods in any spelling, days within bounds, files of what is shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from tests.nowcast.test_run import DATASET, rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("addresses") / "workspace")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def client(place: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(Path(place.path), warm=False)) as made:
        yield made


def names(node: dict[str, Any], lang: str) -> str:
    return " ".join(one["name"][lang] for one in node["inputs"])


@pytest.mark.parametrize("kind", ["change", "growth", "pull", "settled", "estimated", "sum", "share"])
@pytest.mark.parametrize(
    ("written", "plain", "zh", "en"),
    [
        ("2024-Q1", "2024-01/2024-03", "2024年一季度", "the first quarter of 2024"),
        ("2024年3月", "2024-03", "2024年3月", "March 2024"),
        ("2024H1", "2024-01/2024-06", "2024年1—6月", "January to June 2024"),
        ("2023-11/2024-02", "2023-11/2024-02", "2023年11月至2024年2月", "November 2023 to February 2024"),
    ],
)
def test_a_period_opens_however_it_is_written(
    place: Workspace, kind: str, written: str, plain: str, zh: str, en: str
) -> None:
    node = nowcast.open_reason(place, kind=kind, period=written)
    assert node["value"] == pytest.approx(nowcast.open_reason(place, kind=kind, period=plain)["value"])
    if kind in ("growth", "settled"):
        assert zh in names(node, "zh") and en in names(node, "en")
        assert nowcast.open_reason(place, **node["inputs"][0]["question"])["value"] == pytest.approx(
            node["inputs"][0]["value"]
        )


def test_a_period_to_compare_with_and_a_month_are_read_alike(place: Workspace) -> None:
    node = nowcast.open_reason(place, kind="settled", period="2024年1-3月", against="2023年一季度")
    assert (node["period"], node["against"]) == ("2024-Q1", "2023-Q1")
    month = nowcast.open_reason(place, kind="error", month="2024年3月")
    assert month["value"] == nowcast.open_reason(place, kind="error", month="2024-03")["value"]


@pytest.mark.parametrize(
    "asked", [{"period": "2024-03-05"}, {"period": "2024-01-01/2024-02-15"}, {"period": "13月"}, {"period": "2024-Q5"}]
)
def test_what_is_no_whole_month_is_refused(place: Workspace, client: TestClient, asked: dict[str, str]) -> None:
    with pytest.raises(Refused):
        nowcast.open_reason(place, kind="sum", **asked)
    assert client.get("/nowcast/open.json", params={"kind": "sum", **asked}).status_code == 422
