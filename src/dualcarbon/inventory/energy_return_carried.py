"""What an enterprise need not key again: its cover, last year's figures and those to the end of last month."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from dualcarbon.core import periods, units
from dualcarbon.core.periods import Period
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.inventory.energy_return_form import Line, columns, lines

Values = dict[tuple[str, int, str], float]


def carried(workspace: Any, entity: str, period: str | None = None) -> tuple[dict[str, Any], Values]:
    """Cover and known cells of an enterprise's return, from the workspace.

    `period`: month of the return, such as 2024-09. Last year's columns hold January to the same month, those of last
    month the months before it, the opening stock what closed the year before; a span that is not wholly reported stays
    blank. Raises Refused for an entity that is not there and for a period that is not one.
    """
    found = workspace.entities().filter(pl.col("code") == entity)
    if not found.height:
        raise Refused(Problem("inventory.unknown-entity", value=entity))
    who = found.row(0, named=True)
    cover = {"entity": entity, "name": who["name"], "place": who["place"], "sector": who["sector"], "period": period}
    if period is None:
        return cover, {}
    try:
        span = periods.since_january(periods.parse(period))
    except periods.BadPeriod as error:
        raise Refused(Problem("inventory.return-period", value=period)) from error
    counted = [str(one["id"]) for one in workspace.datasets() if one.get("role") != "control"]
    text = entity.replace("'", "''")
    rows = workspace.observations(datasets=counted).filter(f"entity = '{text}'").pl()
    rows = rows.with_columns(pl.col("start", "end").cast(pl.Date))
    return cover, _values(rows, span)


def _values(rows: pl.DataFrame, span: Period) -> Values:
    last_month = (span.end - timedelta(days=1)).replace(day=1)
    before = Period(span.start, last_month) if last_month > span.start else None
    last = Period(_year_before(span.start), _year_before(span.end))
    values: Values = {}
    for sheet in ("energy", "transformation", "supply"):
        for line in lines(sheet):
            for column in columns(sheet):
                wanted = {"last": last, "before": before}.get(column.kind)
                if wanted is None:
                    continue
                item, process = (column.item, column.process) if column.item else (line.item, line.process)
                value = _flow(rows, line, item, process, wanted)
                if value is not None:
                    values[sheet, line.number, column.key] = value
    for line in lines("energy"):
        closed = rows.filter(
            (pl.col("item") == "energy.stock_closing")
            & (pl.col("carrier") == line.carrier)
            & (pl.col("end") == span.start)
        )
        if closed.height == 1 and closed["value"][0] is not None and not line.detail:
            values["energy", line.number, "stock_opening"] = closed["value"][0] * _ratio(closed["unit"][0], line)
    return values


def _flow(rows: pl.DataFrame, line: Line, item: str, process: str, span: Period) -> float | None:
    """Sum of the months of a span; None when they do not cover it exactly."""
    found = rows.filter(
        (pl.col("item") == item)
        & (pl.col("carrier") == line.carrier)
        & (pl.col("start") >= span.start)
        & (pl.col("end") <= span.end)
        & pl.col("value").is_not_null()
    )
    if process:
        found = found.filter(pl.col("process") == process)
    if not found.height or line.detail:
        return None
    months = found.select((pl.col("end") - pl.col("start")).dt.total_days().alias("days"), "start").unique()
    if months["days"].sum() != (span.end - span.start).days:
        return None
    return sum(row["value"] * _ratio(row["unit"], line) for row in found.iter_rows(named=True))


def _ratio(unit: str | None, line: Line) -> float:
    return units.ratio(unit, line.unit) if unit else 1.0


def _year_before(day: date) -> date:
    return day.replace(year=day.year - 1)
