"""What the tests of the room share: observations written as text, and a workspace made of them."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon.core.workspace import Workspace

COLUMNS = {
    "place": pl.String, "entity": pl.String, "sector": pl.String, "carrier": pl.String, "item": pl.String,
    "process": pl.String, "counterparty": pl.String, "counterparty_place": pl.String, "period": pl.String,
    "value": pl.Float64, "unit": pl.String, "notation": pl.String, "source": pl.String, "known_at": pl.Date,
    "low": pl.Float64, "high": pl.Float64, "dataset": pl.String, "quality": pl.String,
}  # fmt: skip


def observed(text: str) -> pl.DataFrame:
    """Rows written as CSV, codes kept as text, blanks as nothing."""
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    rows = [{key: value or None for key, value in row.items()} for row in csv.DictReader(io.StringIO(lines))]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))
    read = {pl.Date: lambda column: column.str.to_date(), pl.Float64: lambda column: column.cast(pl.Float64)}
    return frame.with_columns(
        read[kind](pl.col(name)) for name, kind in COLUMNS.items() if name in frame.columns and kind in read
    )


def entities(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The ENTITY table of a few entities."""
    from dualcarbon.core.tables import ENTITY, conform

    made = [{"name": row["code"], "status": "synthetic", **row} for row in rows]
    return conform(pl.DataFrame(made, infer_schema_length=None), ENTITY)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Workspace]:
    """Make a workspace of rows written as CSV."""

    def make(text: str, known: list[dict[str, Any]] | None = None, name: str = "w") -> Workspace:
        store = Workspace.create(tmp_path / name)
        if known:
            store.save_entities(entities(known))
        file = tmp_path / f"{name}.csv"
        file.write_text("\n".join(line.strip() for line in text.strip().splitlines()), encoding="utf-8")
        store.import_file(file, dataset="returns", status="synthetic")
        return store

    return make
