"""Any files over HTTP: annual totals spread over months and days, and the replay of past years."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import Field

from dualcarbon.core.uploads import received

router = APIRouter()

MOST_BYTES = 16 * 2**20
Totals = Annotated[UploadFile, File(description="annual totals: CSV, Excel or Parquet, in the observation layout")]
Monthly = Annotated[UploadFile, File(description="monthly indicators")]
Some = UploadFile | None


@contextmanager
def _sent(file: Some) -> Iterator[Path | None]:
    """A file sent as a path for as long as the block lasts; None where none was sent."""
    if file is None:
        yield None
        return
    with received(file.file, file.filename, MOST_BYTES) as path:
        yield path


@router.post("/shape.json", summary="年度总量分摊到月（日） · annual totals spread over months (and days)")
def shape(
    totals: Totals, indicator: Monthly, daily: Annotated[Some, File(description="daily load")] = None,
    method: Annotated[str, Form(max_length=20, description="denton, chow-lin, fernandez, litterman")] = "denton",
) -> dict[str, Any]:  # fmt: skip
    """What ``dualcarbon nowcast shape --json`` says; nothing is kept. A refusal names every problem."""
    from dualcarbon import nowcast

    with (
        received(totals.file, totals.filename, MOST_BYTES) as whole,
        received(indicator.file, indicator.filename, MOST_BYTES) as months,
        _sent(daily) as days,
    ):
        return nowcast.shape(whole, months, method=method, daily=days)


@router.post("/backtest.json", summary="回放检验 · replay of past years: skill against the last value, coverage")
def backtest(
    request: Request, observations: Monthly, truth: Totals,
    total: Annotated[Some, File(description="a known total")] = None,
    years: Annotated[list[int] | None, Form(description="years replayed (default: the last seven)")] = None,
    months: Annotated[list[Annotated[int, Field(ge=0, le=12)]] | None, Form(description="months seen: 0 to 12")] = None,
    lag: Annotated[int, Form(ge=1, le=2, description="years until the truth is known")] = 1,
) -> dict[str, Any]:  # fmt: skip
    """What ``dualcarbon nowcast backtest --json`` says, by the fuel factors of the workspace's pack; nothing is kept. A
    refusal names every problem."""
    from dualcarbon import nowcast
    from dualcarbon.core.console import plain

    options: dict[str, Any] = {"years": years, "lag": lag, "pack": request.app.state.site.workspace.pack}
    if months:
        options["months"] = months
    with (
        received(observations.file, observations.filename, MOST_BYTES) as seen,
        received(truth.file, truth.filename, MOST_BYTES) as known,
        _sent(total) as whole,
    ):
        made: dict[str, Any] = plain(nowcast.backtest(seen, known, total=whole, **options))
    return made
