"""Groups: to which total each cell belongs, by its own columns or by what they lead to (month, domain, category)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.engine.calculation import Calculation
from dualcarbon.engine.factor_rows import row_of
from dualcarbon.engine.keys import Numbers, numbered
from dualcarbon.engine.methods import Output

TIME = ("year", "quarter", "month", "period")
LEVELS = ("domain", "section", "division")
DERIVED = (*TIME, *LEVELS, "category", "scope")
BY_SECTOR = "by sector"  # an output's category that is the one of each row's sector


@dataclass(frozen=True)
class Term:
    """One output of one calculation in a total: with a sign, and the cells that belong to it."""

    calculation: Calculation
    output: Output
    sign: int = 1
    where: pl.Expr | None = None

    def within(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Of the calculation's cells or notations those that belong to the term."""
        return frame if self.where is None else frame.filter(self.where)


def one_basis(terms: Sequence[Term]) -> list[Term]:
    """Terms without a basis join the only basis that others of their item have."""
    bases: dict[str, set[str]] = {}
    for term in terms:
        bases.setdefault(term.output.item, set()).update({term.output.basis} - {None})  # type: ignore[arg-type]
    return [
        replace(term, output=term.output.model_copy(update={"basis": next(iter(bases[term.output.item]))}))
        if term.output.basis is None and len(bases[term.output.item]) == 1
        else term
        for term in terms
    ]


def grouped(frames: Sequence[tuple[Term, pl.DataFrame]], by: Sequence[str]) -> tuple[list[Numbers], pl.DataFrame]:
    """The group of each row of each frame, and the groups: ``by``, ``item``, ``unit``, ``basis`` by number."""
    kinds: dict[tuple[str, str, str | None], int] = {}
    numbers, keys = [], [pl.DataFrame(schema=dict.fromkeys([*by, "kind"], pl.Null))]
    for term, frame in frames:
        number, distinct = numbered(frame, [name for name in sources(term, by) if name in frame.columns])
        equations = term.calculation.method.equations
        unit = next(equation.unit for equation in equations if equation.name == term.output.equation)
        kind = kinds.setdefault((term.output.item, unit, term.output.basis), len(kinds))
        same = pl.Series("kind", [kind]).new_from_index(0, distinct.height)
        keys.append(labelled(term, distinct, by).with_columns(same).select(*by, "kind"))
        numbers.append(number)
    group, found = numbered(pl.concat(keys, how="vertical_relaxed"), [*by, "kind"])
    named = zip(("item", "unit", "basis"), zip(*kinds, strict=True), strict=True)
    columns = [_texts(texts)[found["kind"]].alias(name) for name, texts in named if name not in by]
    ends = np.cumsum([one.height for one in keys])
    return [group[ends[n] :][number] for n, number in enumerate(numbers)], found.drop("kind").with_columns(columns)


def sources(term: Term, by: Sequence[str]) -> list[str]:
    """Columns of the cells that the columns of ``by`` are made of."""
    found: dict[str, None] = {}
    for name in by:
        if name in TIME:
            found |= {"start": None, "end": None}
        elif name in LEVELS or (name == "category" and term.output.category == BY_SECTOR):
            found["sector"] = None
        if name not in DERIVED or name == "domain":
            found[name] = None
    return list(found)


def labelled(term: Term, cells: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Cells, or keys of them, with every column that ``by`` asks for; null where nothing gives it."""
    made: dict[str, pl.Series] = {}
    for name in by:
        if name in TIME:
            number, spans = numbered(cells, ["start", "end"])
            made[name] = _texts(_time(name, *span) for span in spans.rows())[number]
        elif name in DERIVED and "sector" in sources(term, [name]):
            if "sector" not in cells.columns:
                cells = cells.with_columns(pl.lit(None, pl.String).alias("sector"))
            number, sectors = numbered(cells, ["sector"])
            label = _texts(_level(name, one, term.calculation.names) for one in sectors["sector"])[number]
            own = cells[name] if name == "domain" and name in cells.columns else None
            made[name] = label if own is None else own.zip_with(own.is_not_null(), label)
        elif name in DERIVED:
            made[name] = _texts([getattr(term.output, name)]).new_from_index(0, cells.height)
        elif name not in cells.columns:
            made[name] = _texts([None]).new_from_index(0, cells.height)
    return cells.with_columns(**made) if made else cells


def _texts(texts: Iterable[str | None]) -> pl.Series:
    return pl.Series(list(texts), dtype=pl.String)


def _time(name: str, start: Any, end: Any) -> str:
    """The year, quarter or month that holds the period; a longer period keeps its own name."""
    if name != "period":
        text = str(start.year)
        if name == "quarter":
            text += f"-Q{(start.month + 2) // 3}"
        if name == "month":
            text += f"-{start.month:02d}"
        whole = periods.parse(text)
        if end <= whole.end:
            return text
    return periods.text(start, end)


def _level(name: str, sector: str | None, names: Classification) -> str | None:
    """Section, division, domain or IPCC category of a sector; what a sector lacks comes from the one above."""
    if not sector or sector not in names.sectors:
        return None
    line = [sector, *names.sectors.ancestors(sector)]
    if name in ("domain", "category"):
        column = "ipcc" if name == "category" else name
        return next((value for code in line if (value := row_of(names.sectors, code).get(column))), None)
    return next((code for code in line if row_of(names.sectors, code).get("level") == name), sector)
