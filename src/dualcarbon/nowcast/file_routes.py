"""Any files over HTTP: annual totals spread over months and days, and the replay of past years."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.uploads import received
from dualcarbon.nowcast.annual.asked import numbers

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


def _numbers(name: str, given: list[str] | None, least: int, most: int) -> list[int] | Problem:
    """The numbers of a field that may be repeated, none where it is empty; what is wrong with it as a problem."""
    text = ",".join(one.strip() for one in given or () if one.strip())
    found, wrong = numbers(text) if text else ([], None)
    if wrong is None:
        wrong = next((str(one) for one in found if not least <= one <= most), None)
    if wrong is None:
        return found
    return Problem("nowcast.bad-numbers", column=name, value=wrong, params={"name": name, "least": least, "most": most})


def _number(name: str, given: str, least: int, most: int) -> int | Problem:
    """The one number of a field, `least` where it is empty; what is wrong with it as a problem."""
    text = given.strip()
    if text in ("", *map(str, range(least, most + 1))):
        return int(text or least)
    return Problem("nowcast.bad-number", column=name, value=text, params={"name": name, "least": least, "most": most})


@router.post("/backtest.json", summary="回放检验 · replay of past years: skill against the last value, coverage")
def backtest(
    request: Request, observations: Monthly, truth: Totals,
    total: Annotated[Some, File(description="a known total")] = None,
    years: Annotated[
        list[str] | None, Form(description="years replayed, as 2015-2021 or 2018,2020, or repeated (the last seven)")
    ] = None,
    months: Annotated[
        list[str] | None, Form(description="months seen, 0 to 12, as 6,12 or repeated (0,3,6,9,12)")
    ] = None,
    lag: Annotated[str, Form(description="years until the truth is known: 1 or 2")] = "1",
) -> dict[str, Any]:  # fmt: skip
    """What ``dualcarbon nowcast backtest --json`` says, by the fuel factors of the workspace's pack; nothing is kept. A
    refusal names every problem."""
    from dualcarbon import nowcast
    from dualcarbon.core.console import plain

    found = {
        "years": _numbers("years", years, 1900, 2100), "months": _numbers("months", months, 0, 12),
        "lag": _number("lag", lag, 1, 2),
    }  # fmt: skip
    wrong = [one for one in found.values() if isinstance(one, Problem)]
    if wrong:
        raise Refused(wrong)
    options: dict[str, Any] = {name: given for name, given in found.items() if given}
    options["pack"] = request.app.state.site.workspace.pack
    with (
        received(observations.file, observations.filename, MOST_BYTES) as seen,
        received(truth.file, truth.filename, MOST_BYTES) as known,
        _sent(total) as whole,
    ):
        made: dict[str, Any] = plain(nowcast.backtest(seen, known, total=whole, **options))
    return made
