"""What the engine's tests share: observations written as a user writes them, and a small rule of their own."""

import io
from pathlib import Path

import polars as pl
import pytest

METHOD = """
id: test.sum
version: 1
status: secondary
title: {zh: 试算, en: Trial}
source: {id: test}
rows: {name: q, item: test.quantity, unit: t}
factors:
  - {name: f, parameter: test.factor, unit: tCO2/t}
equations: [{name: e, unit: tCO2, formula: q * f}]
outputs: [{equation: e, item: emission.co2}]
"""


def table(text: str) -> pl.DataFrame:
    """Observations from CSV text; dates for the columns start and end if there are any."""
    return pl.read_csv(io.StringIO(text), schema_overrides={"place": pl.String, "period": pl.String})


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A method file outside the package."""
    path = tmp_path / "trial.yaml"
    path.write_text(METHOD, encoding="utf-8")
    return path


@pytest.fixture
def factor_file(tmp_path: Path) -> Path:
    """Two factors of ±10 %, by carrier."""
    path = tmp_path / "factors.csv"
    path.write_text(
        "parameter,carrier,value,unit,low,high\n"
        "test.factor,diesel,2,tCO2/t,1.8,2.2\n"
        "test.factor,gasoline,2,tCO2/t,1.8,2.2\n",
        encoding="utf-8",
    )
    return path
