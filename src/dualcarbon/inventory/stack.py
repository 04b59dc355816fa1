"""An account as one small table: the cells of all its parts on one boundary, signed, summed over what no one asks.

The engine combines it like any calculation, so totals, parts and rows keep one rule of uncertainty: whatever shares a
factor errs together, across parts and areas. It is made once per snapshot, account and boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import STATUSES, worst
from dualcarbon.engine import Calculation, find_method
from dualcarbon.engine.methods import Equation, FactorUse, Method, Output, Rows, Source, Title
from dualcarbon.engine.proof import Proven
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.parts import Boundary, output_of, part_of, place_part, settled
from dualcarbon.inventory.snapshot import ENTITY_DIMS, Snapshot

TIMES = ("in_month", "in_quarter", "in_year")
KEPT = ("part", "memo", "area", "carrier", "process", "in_domain", "in_section", "in_sector", "in_scope", *TIMES,
        "counted_in", "dataset", "start", "end", "error_group", "blank", "entity")  # fmt: skip
ABSENT_COLUMNS = (
    "part",
    "reason",
    "area",
    "place",
    "carrier",
    "unit",
    "quantity",
    "rows",
    "start",
    "end",
    "value",
    "lacking",
)


@dataclass(frozen=True)
class Stack:
    """The table, and what could not be put into it.

    ``calculation.cells``: one row per kept dimension, period and set of factors; ``counted_in`` is the dataset,
    ``dataset`` its status (the engine reads a status by dataset). ``absent``: what lacks a factor, a place or a
    counterparty, as recorded. ``noted``: rows that hold a notation key. ``sources``: the calculation of each part;
    ``places``: where its cells are recorded; ``recorded(part)``: its cells inside the boundary, as recorded.
    """

    account: Account
    calculation: Calculation
    output: Output
    absent: pl.DataFrame
    noted: pl.DataFrame
    sources: dict[str, Calculation]
    places: dict[str, frozenset[str]]
    recorded: Callable[[Part], pl.DataFrame]
    slices: dict[Period, pl.DataFrame] = field(default_factory=dict, init=False, compare=False, repr=False)
    facts: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def times(self) -> list[tuple[date, date]]:
        """Distinct periods of the cells."""
        if "times" not in self.facts:
            self.facts["times"] = self.cells.select("start", "end").unique().rows()
        found: list[tuple[date, date]] = self.facts["times"]
        return found

    def areas(self) -> list[str]:
        """Areas that have a cell."""
        if "areas" not in self.facts:
            self.facts["areas"] = self.cells["area"].unique().to_list()
        found: list[str] = self.facts["areas"]
        return found

    @property
    def cells(self) -> pl.DataFrame:
        """The table itself."""
        return self.calculation.cells


def stacked(
    snapshot: Snapshot,
    account: Account,
    boundary: Boundary,
    shares: Mapping[str, float],
    entities_of: tuple[date, date] | None = None,
) -> Stack:
    """The stack of an account on a boundary. `shares`: value of each share parameter of its parts.

    `entities_of`: keep the entity of each cell (in `entity`), for the rows of this span of time only.
    """
    boundary = snapshot.once(("settled", boundary), lambda: settled(boundary, snapshot.names.places))
    key = ("stack", account.basis, boundary, tuple(sorted(shares.items())), entities_of)
    made: Stack = snapshot.once(key, lambda: _stacked(snapshot, account, boundary, shares, entities_of))
    return made


def _stacked(
    snapshot: Snapshot,
    account: Account,
    boundary: Boundary,
    shares: Mapping[str, float],
    entities_of: tuple[date, date] | None,
) -> Stack:
    if entities_of:
        sources = {part.name: part_of(snapshot, part, True, entities_of) for part in account.parts}
    else:
        sources = {part.name: snapshot.part(part) for part in account.parts}
    slots = snapshot.once("slots", lambda: _slots(snapshot))
    cells, absent, noted = [], [], []
    places: dict[str, frozenset[str]] = {}
    for part in account.parts:
        weight = part.sign * (shares[part.share] if part.share else 1.0)
        source = sources[part.name]
        inside, lost, notations = place_part(snapshot, part, boundary, source if entities_of else None)
        if entities_of and part.side == "export":
            inside = inside.with_columns(pl.col("counterparty").alias("entity"))
        places[part.name] = frozenset(inside["place"].unique().to_list())
        cells.append(_narrow(account, part, source, inside, weight, slots, bool(entities_of)))
        absent += [absent_cells(account, part, source, frame) for frame in (lost, _blank(account, source, inside))]
        noted.append(_noted(account, part, source, notations))
    absent += _unknown_entities(snapshot, account, boundary)
    method = _method(account, slots)
    first = sources[account.parts[0].name]
    calculation = replace(
        first,
        proven=Proven(method=method, path=account.file, digest="", linear=True, scales={}, latex={}),
        cells=_timed(pl.concat(cells)),
        missing=[],
        fallbacks=[],
        notations=first.notations.clear(),
        statuses={name: name for name in STATUSES},
    )
    left_out = [frame for frame in absent if frame.height]
    empty = pl.DataFrame(schema=dict.fromkeys(ABSENT_COLUMNS, pl.String))
    return Stack(
        account,
        calculation,
        method.outputs[0],
        pl.concat(left_out) if left_out else empty,
        _timed(pl.concat(noted)),
        sources,
        places,
        lambda part: place_part(snapshot, part, boundary)[0],
    )


def _slots(snapshot: Snapshot) -> int:
    """Factors of the method that has most of them, among all accounts: so that stacks fit together."""
    methods = {part.method for account in snapshot.accounts().values() for part in account.parts}
    return max(len(find_method(name, snapshot.choices.pack).method.factors) for name in methods)


def _method(account: Account, slots: int) -> Method:
    """A method whose one output is the account and whose factors are numbered slots."""
    return Method(
        id=f"account.{account.basis.lower()}",
        version="1",
        status="official",
        title=Title(**account.title),
        source=Source(id=account.source),
        rows=Rows(name="quantity", item="account", unit="1"),
        factors=[FactorUse(name=f"f{slot}", parameter="account", unit="1") for slot in range(slots)],
        equations=[Equation(name="total", unit=account.unit, formula="quantity")],
        outputs=[Output(equation="total", item=account.item, basis=account.basis)],
    )


def _narrow(
    account: Account,
    part: Part,
    source: Calculation,
    cells: pl.DataFrame,
    weight: float,
    slots: int,
    by_entity: bool,
) -> pl.DataFrame:
    """A part's cells in the columns of the stack, summed over all others."""
    output = output_of(source, account)
    name, row = output.equation, source.method.rows.name
    cells, labels = _labelled(part, source, output, cells)
    slope = pl.col(f"d:{name}:{row}") if f"d:{name}:{row}" in cells.columns else pl.lit(None, pl.Float64)
    tied = pl.col("spread1") if "spread1" in cells.columns else pl.lit(None, pl.Float64)
    shared: list[pl.Expr] = []
    for slot in range(slots):
        use = source.method.factors[slot].name if slot < len(source.method.factors) else None
        number = pl.col(f"factor:{use}") if use else pl.lit(None, pl.Int64)
        partial = pl.col(f"d:{name}:{use}") if use and f"d:{name}:{use}" in cells.columns else pl.lit(None, pl.Float64)
        shared += [number.alias(f"factor:f{slot}"), (partial * weight).alias(f"d:total:f{slot}")]
    statuses = {one: worst([status, source.method.status]) for one, status in source.statuses.items()}
    labelled = cells.select(
        *labels,
        pl.col("dataset").alias("counted_in"),
        pl.col("dataset")
        .replace_strict(statuses, default=source.method.status, return_dtype=pl.String)
        .alias("dataset"),
        "start",
        "end",
        "error_group",
        *(["entity"] if by_entity else []),
        (pl.col(name).is_null() & (pl.col("quantity").fill_null(0) != 0)).alias("blank"),
        (pl.col(name) * weight).alias("total"),
        ((slope * weight) ** 2 * pl.col("spread2")).alias("spread2"),
        (slope * weight * tied).alias("spread1"),
        *shared,
        "rows",
    )
    keys = [column for column in KEPT if column in labelled.columns] + [f"factor:f{slot}" for slot in range(slots)]
    sums = ["total", "spread2", "spread1", *(f"d:total:f{slot}" for slot in range(slots))]
    known = [pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column) for column in sums]
    summed = labelled.group_by(keys, maintain_order=True).agg(*known, pl.col("rows").sum())
    filled = pl.col("blank") | pl.col("total").is_not_null()
    return summed.with_columns(
        pl.lit(None, pl.String).alias("sector"),
        pl.when(filled).then(1.0).alias("quantity"),
        pl.lit(1.0).alias("d:total:quantity"),
    )


def _labelled(
    part: Part, source: Calculation, output: Output, cells: pl.DataFrame
) -> tuple[pl.DataFrame, list[pl.Expr | str]]:
    """Cells with every column a label needs, and the columns by which an account can be asked."""
    absent = [c for c in ("process", "carrier", "dataset", "error_group", "sector", "domain") if c not in cells.columns]
    cells = cells.with_columns(pl.lit(None, pl.String).alias(column) for column in absent)
    labels = sector_labels(cells["sector"].unique().to_list(), source.names)
    by_sector = {
        kind: pl.col("sector").replace_strict(found, default=None, return_dtype=pl.String)
        for kind, found in labels.items()
    }
    return cells, [
        pl.lit(part.name).alias("part"),
        pl.lit(part.memo).alias("memo"),
        "area",
        "carrier",
        pl.when(pl.col("process") != "").then(pl.col("process")).alias("process"),
        pl.coalesce(pl.col("domain"), by_sector["domain"]).alias("in_domain"),
        by_sector["section"].alias("in_section"),
        by_sector["division"].alias("in_sector"),
        pl.lit(output.scope, pl.String).alias("in_scope"),
    ]


def _noted(account: Account, part: Part, source: Calculation, notations: pl.DataFrame) -> pl.DataFrame:
    """Rows that hold a notation key, labelled like the cells."""
    cells, labels = _labelled(part, source, output_of(source, account), notations)
    return cells.select(*labels, "place", "notation", "rows", "start", "end")


def sector_labels(sectors: Sequence[str | None], names: Classification) -> dict[str, dict[str, str]]:
    """Domain, section and division of each recorded sector; a sector that is no division stands for itself."""
    found: dict[str, dict[str, str]] = {"domain": {}, "section": {}, "division": {}}
    for sector in sectors:
        if not sector:
            continue
        line = [sector, *(names.sectors.ancestors(sector) if sector in names.sectors else [])]
        rows = [(code, names.sectors.row(code) or {}) for code in line if code in names.sectors]
        domain = next((row["domain"] for _, row in rows if row.get("domain")), None)
        if domain:
            found["domain"][sector] = domain
        for level in ("section", "division"):
            found[level][sector] = next((code for code, row in rows if row.get("level") == level), sector)
    return found


def _timed(cells: pl.DataFrame) -> pl.DataFrame:
    """Add the month, quarter and year that hold each period; a longer period keeps its own name."""
    made = [
        (start, end, *(_time(kind, start, end) for kind in TIMES))
        for start, end in cells.select("start", "end").unique().rows()
    ]
    schema = {"start": pl.Date, "end": pl.Date, **dict.fromkeys(TIMES, pl.String)}
    return cells.join(pl.DataFrame(made, schema=schema, orient="row"), on=["start", "end"], how="left")


def _time(kind: str, start: date, end: date) -> str:
    text = str(start.year)
    if kind == "in_quarter":
        text += f"-Q{(start.month + 2) // 3}"
    if kind == "in_month":
        text += f"-{start.month:02d}"
    return text if end <= periods.parse(text).end else periods.text(start, end)


def _blank(account: Account, source: Calculation, cells: pl.DataFrame) -> pl.DataFrame:
    name = output_of(source, account).equation
    lost = pl.col(name).is_null() & (pl.col("quantity").fill_null(0) != 0)
    return cells.filter(lost).with_columns(pl.lit("factor").alias("reason"))


def absent_cells(account: Account, part: Part, source: Calculation, cells: pl.DataFrame) -> pl.DataFrame:
    """Cells that are left out, as recorded, with the parameters that lack a value."""
    if not cells.height:
        return pl.DataFrame()
    name = output_of(source, account).equation
    lacking: pl.Expr = pl.lit("")
    for use in reversed(source.method.factors):
        lacking = pl.when(pl.col(f"factor:{use.name}").is_null()).then(pl.lit(use.parameter)).otherwise(lacking)
    mine = "other" if part.side == "export" else "area"
    carrier = pl.col("carrier") if "carrier" in cells.columns else pl.lit(None, pl.String)
    return cells.select(
        pl.lit(part.name).alias("part"),
        "reason",
        pl.col(mine).alias("area"),
        "place",
        carrier.alias("carrier"),
        "unit",
        "quantity",
        "rows",
        "start",
        "end",
        pl.col(name).alias("value"),
        lacking.alias("lacking"),
    )


def _unknown_entities(snapshot: Snapshot, account: Account, boundary: Boundary) -> list[pl.DataFrame]:
    """Cells that no part with a condition on entities takes, because nobody knows what the entity is."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in account.parts:
        if part.entity:
            groups.setdefault((part.method, repr(part.where)), []).append(part)
    found = []
    for parts in groups.values():
        whole = replace(parts[0], entity={})
        every = part_of(snapshot, whole, True)
        keys = [column for column in every.cells.columns if column in (*ENTITY_DIMS, "start", "end", "unit")]
        taken = pl.concat([snapshot.part(part).cells.select(keys) for part in parts])
        rest = every.cells.join(taken, on=keys, how="anti", nulls_equal=True)
        inside, _, _ = place_part(snapshot, whole, boundary, replace(every, cells=rest))
        found.append(absent_cells(account, whole, every, inside.with_columns(pl.lit("entity").alias("reason"))))
    return found
