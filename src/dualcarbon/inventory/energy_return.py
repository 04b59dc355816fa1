"""The enterprise energy return (能源报表): a filled form, checked as a statistician would, becomes observations.

Quantities are kept as reported: since January (`cumulative`), in the carrier's natural unit. Beside what the form says,
`energy.combustion` is derived: consumption − feedstock for fuels, of which the input to power generation and to heat
supply are processes of their own. Input to coking, refining and the like is no combustion: its carbon leaves as a
product. Last year's columns are for whoever fills the form; that year has its own returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dualcarbon.core import units
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem
from dualcarbon.core.tables import OBSERVATION, conform, empty
from dualcarbon.inventory.energy_return_form import (
    COVER,
    TITLES,
    Form,
    Line,
    children,
    columns,
    lines,
    read_form,
    settled_cover,
)

if TYPE_CHECKING:
    from dualcarbon.core.periods import Period

BURNED = ("power", "heat")
NOT_FUEL = ("electricity", "heat", "material")


@dataclass
class Return:
    """What was read: observations (empty when there are problems), problems with cell addresses, source record."""

    frame: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)


def read(path: str | Path, *, pack: str = DEFAULT, dataset: str | None = None) -> Return:
    """Read a filled energy return into rows of the observation layout; all problems at once.

    Parts stand for their parent where they are filled, a detail only where its parent is blank. A falling cumulative
    figure and an unbalanced carrier are problems unless the line has an explanation.
    """
    form = read_form(path, pack)
    cover = settled_cover(form)
    check(form, cover)
    rows = list(_observations(form, cover, dataset)) if not form.problems else []
    if not rows and not form.problems:
        form.problem("return-empty", TITLES["energy"]["zh"], None, None, None)
    frame = conform(pl.DataFrame(rows, infer_schema_length=None), OBSERVATION) if rows else empty(OBSERVATION)
    source = {"file": form.file, "template": "energy-return", "entity": cover.get("entity")}
    if "period" in cover:
        source |= {"period": str(cover["period"]), "known_at": cover.get("known_at")}
    return Return(frame, form.problems, source)


def filled(form: Form) -> Iterator[Line]:
    """Carrier lines that stand for themselves: a parent only where no part is filled, a detail likewise."""
    used = {line for (sheet, line, _column) in form.cells if sheet != "supply"}
    for line in lines("energy"):
        if line.number not in used or any(child.number in used for child in children(line.number)):
            continue
        if not (line.detail and line.parent in used):
            yield line


def check(form: Form, cover: dict[str, Any]) -> None:
    """Note what a statistician would send back: signs, parts, sums, falling figures, balances, unknown supplier."""
    _signs(form)
    _sums(form)
    for line in lines("energy"):
        if line.number not in form.unread:
            _parts(form, line)
            _rising(form, line)
            _balance(form, line)
    heat = next((line for line in lines("energy") if line.carrier == "heat"), None)
    if heat and form.amount("energy", heat.number, "purchased") > 0 and not cover.get("supplier_place"):
        where = form.addresses.get("supplier_place")
        form.problem("return-supplier", TITLES["cover"]["zh"], None, where, None, field=COVER["supplier_place"]["zh"])


def _titles(sheet: str) -> dict[str, str]:
    return {column.key: column.title("zh") for column in columns(sheet)}


def _signs(form: Form) -> None:
    names = {line.number: line.label["zh"] for sheet in ("energy", "supply") for line in lines(sheet)}
    for (sheet, line, column), cell in form.cells.items():
        if cell.value is not None and cell.value < 0:
            params = {"line": names[line], "field": _titles(sheet)[column]}
            form.problem("return-negative", cell.sheet, cell.row, cell.address, cell.value, **params)


def _sums(form: Form) -> None:
    """A total beside its parts, in one unit, equals their sum within half a unit of the last digit of each."""
    for line in lines("energy"):
        parts = children(line.number)
        if not parts or any(part.unit != line.unit for part in parts) or line.number in form.unread:
            continue
        for sheet in ("energy", "transformation"):
            for column in columns(sheet):
                cell = form.cells.get((sheet, line.number, column.key))
                if cell is None or cell.value is None or column.kind not in ("input", "last"):
                    continue
                given = any((sheet, part.number, column.key) in form.cells for part in parts)
                if not given and (column.kind == "last" or not _any_part(form, line)):
                    continue
                total = sum(form.amount(sheet, part.number, column.key) for part in parts)
                if abs(cell.value - total) > max(0.5 * len(parts) * 0.01, 1e-4 * abs(cell.value)):
                    params = {"line": line.label["zh"], "field": column.title("zh"), "sum": f"{total:g}"}
                    form.problem("return-parent-sum", cell.sheet, cell.row, cell.address, cell.value, **params)


def _any_part(form: Form, line: Line) -> bool:
    numbers = {part.number for part in children(line.number)}
    return any(sheet != "supply" and number in numbers for sheet, number, _column in form.cells)


def _inputs(form: Form, line: Line, only: tuple[str, ...] | None = None) -> float:
    """Transformation input of a line, of all processes or of some."""
    return sum(
        form.amount("transformation", line.number, column.key)
        for column in columns("transformation")
        if column.item == "energy.transformation_input" and column.kind == "input" and (not only or column.key in only)
    )


def _parts(form: Form, line: Line) -> None:
    total = form.cells.get(("energy", line.number, "consumption"))
    uses = form.amount("energy", line.number, "feedstock") + form.amount("energy", line.number, "transport")
    inputs = _inputs(form, line)
    whole = total.value if total and total.value is not None else 0.0
    slack = 1e-6 * abs(whole)
    for amount, words in ((uses, "用于原材料、运输工具消费"), (inputs, "加工转换投入"), (uses + inputs, "各项用途")):
        if amount > whole + slack:
            at = total or next(cell for (_sheet, number, _c), cell in form.cells.items() if number == line.number)
            params = {"line": line.label["zh"], "parts": words, "total": f"{whole:g}"}
            form.problem("return-part-exceeds", at.sheet, at.row, at.address, amount, **params)
            return


def _rising(form: Form, line: Line) -> None:
    for column in ("purchased", "consumption"):
        now = form.cells.get(("energy", line.number, column))
        before = form.number("energy", line.number, f"{column}_before")
        if now is None or now.value is None or before is None or now.value >= before:
            continue
        if not form.notes.get(("energy", line.number)):
            params = {"line": line.label["zh"], "field": _titles("energy")[column], "before": f"{before:g}"}
            form.problem("return-falling", now.sheet, now.row, now.address, now.value, **params)


def _balance(form: Form, line: Line) -> None:
    """Opening stock + purchases + output + recovery − consumption − closing stock = 0, for what is kept in tonnes."""
    stocks = [form.number("energy", line.number, name) for name in ("stock_opening", "stock_closing")]
    if line.unit != "t" or None in stocks or form.notes.get(("energy", line.number)):
        return
    gained = stocks[0] or 0.0
    gained += form.amount("energy", line.number, "purchased")
    gained += form.amount("transformation", line.number, "output")
    gained += form.amount("transformation", line.number, "recovery")
    left = gained - form.amount("energy", line.number, "consumption") - (stocks[1] or 0.0)
    tolerance = max(1.0, 0.005 * gained)
    if abs(left) > tolerance:
        at = form.cells["energy", line.number, "stock_closing"]
        params = {"line": line.label["zh"], "tolerance": f"{tolerance:g}"}
        form.problem("return-balance", at.sheet, at.row, at.address, round(left, 4), **params)


def _observations(form: Form, cover: dict[str, Any], dataset: str | None) -> Iterator[dict[str, Any]]:
    """Rows of the observation layout; a row is numbered by the sheet's row that it was read from."""
    period: Period = cover["period"]
    common = {
        "dataset": dataset,
        "place": cover["place"],
        "entity": cover["entity"],
        "sector": cover["sector"],
        "quality": "reported",
        "custody": cover["custody"],
        "source": form.file,
        "known_at": cover.get("known_at"),
    }
    since = {"start": period.start, "end": period.end, "cumulative": True}
    month = {"start": (period.end - timedelta(days=1)).replace(day=1), "end": period.end}
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in filled(form):
        for made in _of_line(form, line, cover):
            stock = made["item"].startswith("energy.stock")
            row = {**common, **(month | {"cumulative": False} if stock else since), **made}
            same = merged.setdefault((row["item"], row["carrier"], row["process"]), row)
            if same is not row:
                known = [value for value in (same["value"], row["value"]) if value is not None]
                same |= {"value": sum(known) if known else None, "notation": None if known else same["notation"]}
    yield from merged.values()
    for line in lines("supply"):
        cell = form.cells.get(("supply", line.number, "amount"))
        if cell is not None:
            made = _quantity(form, "supply", line, "amount")
            yield {**common, **since, **made, "item": line.item, "process": line.process or None}


def _of_line(form: Form, line: Line, cover: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for sheet in ("energy", "transformation"):
        for column in columns(sheet):
            if column.kind == "input" and (sheet, line.number, column.key) in form.cells:
                made = _quantity(form, sheet, line, column.key)
                made |= {"item": column.item, "process": column.process or None}
                if line.carrier == "heat" and column.key == "purchased":
                    made |= {"counterparty": cover["supplier"] or None}
                    made |= {"counterparty_place": cover.get("supplier_place")}
                yield made
    yield from _combustion(form, line)


def _combustion(form: Form, line: Line) -> Iterator[dict[str, Any]]:
    """Fuel burned: for power, for heat, and for every other use."""
    kind = (form.names.carriers.row(line.carrier) or {}).get("kind")
    consumed = form.cells.get(("energy", line.number, "consumption"))
    if kind in NOT_FUEL or consumed is None:
        return
    made = _quantity(form, "energy", line, "consumption") | {"item": "energy.combustion", "quality": "derived"}
    if consumed.value is None:
        yield made | {"process": None}
        return
    scale = _scale(form, "energy", line)
    elsewhere = _scale(form, "transformation", line)
    burned: dict[str | None, float] = {name: elsewhere * _inputs(form, line, (name,)) for name in BURNED}
    rest = scale * (consumed.value - form.amount("energy", line.number, "feedstock"))
    rest -= elsewhere * _inputs(form, line)
    for process, value in {**burned, None: rest}.items():
        if value > 0 or (process is None and not any(burned.values())):
            yield made | {"process": process, "value": max(value, 0.0)}


def _quantity(form: Form, sheet: str, line: Line, column: str) -> dict[str, Any]:
    cell = form.cells[sheet, line.number, column]
    return {
        "carrier": line.carrier,
        "value": None if cell.value is None else cell.value * _scale(form, sheet, line),
        "notation": cell.notation,
        "unit": _natural(form, line),
        "sheet": cell.sheet,
        "row": cell.row,
    }


def _natural(form: Form, line: Line) -> str:
    return (form.names.carriers.row(line.carrier) or {}).get("natural_unit") or line.unit


def _scale(form: Form, sheet: str, line: Line) -> float:
    return units.ratio(form.units.get((sheet, line.number), line.unit), _natural(form, line))
