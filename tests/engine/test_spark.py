"""A Spark table through the same code gives what Polars gives: needs pyspark installed and a Java of 17 or later."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon.engine import calculate
from dualcarbon.engine.explain import explain

pytestmark = pytest.mark.slow

COLUMNS = ("place", "entity", "sector", "carrier", "start", "end", "value", "unit", "notation", "low", "high",
           "error_group", "known_at")  # fmt: skip
JANUARY, FEBRUARY, MARCH = (date(2023, month, 1) for month in (1, 2, 3))
ROWS = [
    ("330483", "e1", "C28", "diesel", JANUARY, FEBRUARY, 100.0, "t", None, 95.0, 105.0, None, date(2024, 1, 1)),
    ("330483", "e2", "C28", "diesel", JANUARY, FEBRUARY, 50.0, "t", None, 45.0, 55.0, "meter", date(2024, 5, 1)),
    ("330481", None, "C17", "natural_gas", JANUARY, FEBRUARY, 3.0, "wan_m3", None, 2.0, 4.0, "meter", None),
    ("330481", None, None, "coal_gangue", JANUARY, FEBRUARY, 7.0, "t", None, None, None, None, None),
    ("330481", None, "C17", "diesel", FEBRUARY, MARCH, None, "t", "NE", None, None, None, None),
]
CHOICES: list[dict[str, Any]] = [
    {}, {"known_at": date(2024, 2, 1)}, {"keep_rows": True}, {"where": {"sector": ["C28"]}},
    {"where": {"carrier": {"not": "diesel"}}}, {"statuses": {"trial": "secondary"}},
]  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pl.DataFrame, Any]]:
    spark = pytest.importorskip("pyspark.sql", reason="pip install pyspark, and a Java of 17 or later")
    frame = pl.DataFrame(ROWS, schema=COLUMNS, orient="row").with_columns(
        item=pl.lit("energy.combustion"), dataset=pl.lit("trial"), source=pl.lit("file"),
        sheet=pl.lit(None, pl.String), row=pl.int_range(len(ROWS)),
    )  # fmt: skip
    path: Path = tmp_path_factory.mktemp("spark") / "rows.parquet"
    frame.write_parquet(path)
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1"}
    builder = spark.SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield frame, session.read.parquet(str(path))
    session.stop()


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_spark_and_polars_agree(tables: tuple[pl.DataFrame, Any], choice: dict[str, Any]) -> None:
    polars, other = (calculate("cn.combustion", table, **choice) for table in tables)
    by = ["place", "sector", "carrier", "month"]
    expected, made = polars.combine(by), other.combine(by)
    numbers = ("value", "low", "high")
    assert made.drop(numbers).equals(expected.drop(numbers)) and expected.height
    for name in numbers:
        assert made[name].is_null().equals(expected[name].is_null())
        assert made[name].drop_nulls().to_list() == pytest.approx(expected[name].drop_nulls().to_list(), rel=1e-12)
    assert other.missing == polars.missing and other.fallbacks == polars.fallbacks


def test_a_figure_of_a_spark_table_opens(tables: tuple[pl.DataFrame, Any]) -> None:
    expected, made = (
        explain("emission.co2", table, methods=["cn.combustion"], place="330400", period="2023") for table in tables
    )
    assert made == expected and made["rows_total"] == len(ROWS)
