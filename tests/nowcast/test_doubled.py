"""What the quick-calc counts twice is said as accounts say it: in runs, on the page, in the words of a month."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon import inventory, nowcast
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import board
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_run import DATASET, rows

DAY, MONTH = date(2024, 12, 15), "2024-10"
CELL = (pl.col("place") == "330402-rest") & (pl.col("sector") == "C17") & (pl.col("carrier") == "electricity")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Electricity of one cell and month stands in the returns and in the grid's file; a year's of 2022 too."""
    made = Workspace.create(tmp_path_factory.mktemp("twice") / "w")
    made.import_frame(rows(), source={"file": "returns.xlsx"}, dataset=DATASET)
    again = rows().filter(CELL & pl.col("start").is_in([date(2024, 10, 1), date(2022, 5, 1)]))
    made.import_frame(again, source={"file": "grid.csv"}, dataset={**DATASET, "id": "grid"})
    return made


def test_a_figure_of_two_datasets_is_told_where_it_counts(both: Workspace) -> None:
    asked: dict[str, Any] = {"as_of": DAY, "month": MONTH}
    told = nowcast.run(both, **asked, record=0, keep=False)["doubled"]
    account = inventory.account(both, period=MONTH, known_at=DAY)["doubled"]
    assert told == account and [row["file"] for row in told[0]["rows"]] == ["returns.xlsx", "grid.csv"]
    for place, count in (("330402", 1), ("330483", 0)):
        assert len(nowcast.run(both, **asked, place=place, record=0, keep=False)["doubled"]) == count
    assert nowcast.run(both, as_of=DAY, month="2023-09", record=0, keep=False)["doubled"] == []
    shown = board.board(both, place=None, as_of=DAY, tree="admin")["doubled"]  # of all its months
    assert [one["period"] for one in shown] == ["2022-05", MONTH] and shown[1] == told[0]
    brief = nowcast.monthly(both, month=MONTH, as_of=DAY)
    assert brief["doubled"] == told and "有1处数被重复计入（数据集grid、world）" in str(brief["paragraphs"]["zh"])
    line = ["run", "--workspace", str(both.path), "--month", MONTH, "--as-of", DAY.isoformat(), "--replay", "0"]
    assert "重复计入" in (printed := CliRunner().invoke(cli, line).stdout) and "grid.csv" in printed
