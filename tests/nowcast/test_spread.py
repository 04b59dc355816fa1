"""Totals of files over months and days."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dualcarbon.core.problems import Refused
from dualcarbon.nowcast.annual.spread import shape
from dualcarbon.nowcast.commands import cli
from dualcarbon.nowcast.denton import daily
from tests.nowcast.world import write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    monthly, annual = write(tmp_path_factory.mktemp("spread"), places=5)
    return annual, monthly


@pytest.mark.parametrize("method", ["denton", "chow-lin", "fernandez", "litterman"])
def test_months_sum_to_their_totals_and_keep_a_plausible_season(files: tuple[Path, Path], method: str) -> None:
    made = shape(*files, method=method)
    rows = pl.DataFrame(made["rows"]).with_columns(year=pl.col("period").str.slice(0, 4))
    totals = pl.read_csv(files[0], schema_overrides={"period": pl.String}).rename({"value": "total", "period": "year"})
    both = rows.group_by("place", "year").agg(pl.col("value").sum()).join(totals, on=["place", "year"])
    assert both.height == 50 and np.allclose(both["value"], both["total"])
    assert rows["value"].min() > 0
    assert all(one["method"] == (method if one["plausible"] else "denton") for one in made["series"])


def test_days_follow_the_load_and_sum_to_their_month(files: tuple[Path, Path], tmp_path: Path) -> None:
    span = [date(2020, 1, 1) + timedelta(k) for k in range(60)]
    load = pl.DataFrame({
        "place": "P00", "item": "energy.consumption", "carrier": "electricity", "unit": "MWh",
        "period": [day.isoformat() for day in span],
        "value": [None if k == 3 else 50.0 if day.weekday() > 4 else 100.0 for k, day in enumerate(span)],
    })  # fmt: skip
    load.write_csv(tmp_path / "load.csv")
    months = {row["period"]: row["value"] for row in shape(*files)["rows"] if row["place"] == "P00"}
    rows = [row for row in shape(*files, daily=tmp_path / "load.csv")["rows"] if row["place"] == "P00"]
    assert len(rows) == 60
    for month in ("2020-01", "2020-02"):
        assert sum(row["value"] for row in rows if row["period"][:7] == month) == pytest.approx(months[month])
    by = {row["period"]: row["value"] for row in rows}
    assert by["2020-01-03"] == pytest.approx(2 * by["2020-01-04"]) and by["2020-01-04"] == pytest.approx(
        by["2020-01-05"]
    )
    even = daily(np.array([[31.0]]), np.full((1, 31), np.nan), np.zeros(31, int), np.arange(31) % 7)
    assert np.allclose(even, 1)


def test_refusals_and_command(files: tuple[Path, Path], tmp_path: Path) -> None:
    def rule(*given: Path, **more: object) -> str:
        with pytest.raises(Refused) as caught:
            shape(*given, **more)  # type: ignore[arg-type]
        return caught.value.problems[0].rule

    assert rule(*files, method="magic") == "nowcast.unknown-shape"
    assert rule(files[1].with_name("none.csv"), files[1]) == "core.no-file"
    assert rule(*files, daily=files[1]) == "nowcast.no-daily-load"
    other = tmp_path / "other.csv"
    pl.read_csv(files[0]).with_columns(place=pl.lit("ELSEWHERE")).unique("period").write_csv(other)
    assert rule(other, files[1]) == "nowcast.nothing-to-spread"
    run = CliRunner().invoke(cli, ["shape", "--totals", str(files[0]), "--indicator", str(files[1])])
    assert run.exit_code == 0 and "2014-01" in run.stdout
