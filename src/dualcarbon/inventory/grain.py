"""An account at its finest grain: the cells of all its parts, signed and labelled once, before anyone asks for a place.

Each cell carries the number of its `ends` (part, recorded place, the other place of a trade; with entities also who and
whom), so that a boundary settles a few hundred ends and every table, series and map is taken from the same cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.periods import Period
from dualcarbon.core.tables import STATUSES, worst
from dualcarbon.engine import Calculation, find_method
from dualcarbon.engine.methods import Equation, FactorUse, Method, Output, Rows, Source, Title
from dualcarbon.engine.proof import Proven
from dualcarbon.inventory.definitions import Account, Part
from dualcarbon.inventory.parts import PLACES, SUPPLIER, WHO, Ends, output_of, part_of
from dualcarbon.inventory.shares import shares_of
from dualcarbon.inventory.snapshot import ENTITY_DIMS, Snapshot

TIMES = ("in_month", "in_quarter", "in_year")
KEPT = ("ends", "part", "memo", "carrier", "process", "in_domain", "in_section", "in_sector", "in_scope", *TIMES,
        "counted_in", "dataset", "start", "end", "error_group", "blank")  # fmt: skip
ABOUT = ("carrier", "process", "in_domain", "in_section", "in_sector", "in_scope", "counted_in")
LABELS = ("part", *ABOUT, *TIMES)
ABSENT = {"part": pl.String, "ends": pl.UInt32, "reason": pl.String, "place": pl.String, "carrier": pl.String,
          "unit": pl.String, "quantity": pl.Float64, "rows": pl.Int64, "start": pl.Date, "end": pl.Date,
          "value": pl.Float64, "lacking": pl.String}  # fmt: skip


@dataclass(frozen=True)
class Grain:
    """Cells of an account with their ends.

    ``ends``: the distinct (part, place, counterparty_place[, entity, counterparty]) of the cells, by their number.
    ``calculation.cells``: the cells in the engine's layout; ``counted_in`` is the dataset, ``dataset`` its status (the
    engine reads a status by dataset). Their labels are numbers into ``texts``, 0 for none. ``noted``: rows that hold a
    notation key, labelled so too; ``absent``: cells without a factor or whose entity nobody knows. ``sources``: the
    calculation of each part, without cells; ``recorded(part)``: its cells as recorded.
    """

    account: Account
    calculation: Calculation
    output: Output
    ends: Ends
    texts: Mapping[str, tuple[str | None, ...]]
    noted: pl.DataFrame
    absent: pl.DataFrame
    sources: dict[str, Calculation]
    recorded: Callable[[str], pl.DataFrame]
    times: list[tuple[date, date]]
    slices: dict[Period | None, pl.DataFrame] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def cells(self) -> pl.DataFrame:
        """The cells, by period."""
        return self.calculation.cells

    def within(self, span: Period) -> pl.DataFrame:
        """Cells wholly inside a span of time, summed over it; kept, because accounts of one period share them."""
        if span not in self.slices:
            within = (pl.col("start") >= span.start) & (pl.col("end") <= span.end)
            self.slices[span] = summed(self.cells, within)
        return self.slices[span]

    def over_time(self) -> pl.DataFrame:
        """Cells by period alone, summed over what they are about; kept, because every page shows its months."""
        if None not in self.slices:
            self.slices[None] = summed(self.cells)
        return self.slices[None]


def grain(snapshot: Snapshot, account: Account, by_entity: bool = False) -> Grain:
    """The grain of an account, made once for a snapshot; with entities kept when `by_entity`."""
    key = ("grain", account.basis, by_entity)
    made: Grain = snapshot.once(key, lambda: _grain(snapshot, account, by_entity))
    return made


def _grain(snapshot: Snapshot, account: Account, by_entity: bool) -> Grain:
    keys = [*PLACES, *(WHO if by_entity else ())]
    sources = {part.name: part_of(snapshot, part, by_entity) for part in account.parts}
    unknown = _unknown_entities(snapshot, account)
    frames = [_ends(part, sources[part.name], keys) for part in account.parts]
    frames += [_ends(part, source, keys) for part, source in unknown]
    ends = pl.concat(frames).unique(maintain_order=True).with_row_index("ends")
    slots = snapshot.once("slots", lambda: _slots(snapshot))
    cells, absent, noted = [], [], []
    by_name = {part.name: part for part in account.parts}

    def again(name: str) -> Calculation:
        return part_of(snapshot, by_name[name], by_entity)

    kept: dict[str, pl.DataFrame] = {}
    for part in account.parts:
        source = sources[part.name]
        numbered = _numbered(source.cells, part, ends, keys)
        cells.append(_narrow(account, part, source, numbered, slots))
        lost = numbered.filter(_lost(account, source))
        if not by_entity:
            kept[part.name] = numbered
        absent.append(absent_cells(account, part, source, lost, "factor"))
        noted.append(_noted(account, part, source, _numbered(source.notations, part, ends, keys)))
    for part, source in unknown:
        absent.append(absent_cells(account, part, source, _numbered(source.cells, part, ends, keys), "entity"))
    method = _method(account, slots)
    first = sources[account.parts[0].name]
    labelled, notes, texts = _by_number(_timed(pl.concat(cells)), _timed(pl.concat(noted)))
    calculation = replace(
        first,
        proven=Proven(method=method, path=account.file, digest="", linear=True, scales={}, latex={}),
        cells=labelled,
        missing=[],
        fallbacks=[],
        notations=first.notations.clear(),
        statuses={name: name for name in STATUSES},
    )
    return Grain(
        account=account,
        calculation=calculation,
        output=method.outputs[0],
        ends=_columns(ends),
        texts=texts,
        noted=notes,
        absent=pl.concat(absent),
        sources={name: replace(source, cells=source.cells.clear()) for name, source in sources.items()},
        recorded=kept.__getitem__ if kept else lambda name: _numbered(again(name).cells, by_name[name], ends, keys),
        times=calculation.cells.select("start", "end").unique().rows(),
    )


def with_shares(snapshot: Snapshot, grain: Grain, place: str) -> Grain:
    """The grain with its parts multiplied by the shares of a place, each cell by those of its own time.

    Cells of a time in which the account is not set are not in it.
    """
    found = shares_of(snapshot, grain.account, place, grain.times)
    weights = [
        (start, end, part.name, 1.0 if part.share is None else values[part.share])
        for (start, end), values in zip(grain.times, found, strict=True)
        if values is not None
        for part in grain.account.parts
    ]
    by_entity = bool(grain.ends.entity.any())
    key = ("shared", grain.account.basis, by_entity, tuple(weights))
    made: Grain = snapshot.once(key, lambda: _shared(grain, weights))
    return made


def _shared(grain: Grain, weights: Sequence[tuple[date, date, str, float]]) -> Grain:
    number = {name: n for n, name in enumerate(grain.texts["part"])}
    rows = [(start, end, number[part], weight) for start, end, part, weight in weights if part in number]
    schema = {"start": pl.Date, "end": pl.Date, "part": pl.Int32, "weight": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    cells = grain.cells.join(table, on=["start", "end", "part"], how="inner", maintain_order="left")
    slopes = [name for name in cells.columns if name.startswith("d:") and name != "d:total:quantity"]
    weight = pl.col("weight")
    linear = (pl.col(name) * weight for name in ("total", "spread1", *slopes))
    cells = cells.with_columns(*linear, pl.col("spread2") * weight**2).drop("weight")
    times = cells.select("start", "end").unique().rows()
    return replace(grain, calculation=replace(grain.calculation, cells=cells), times=times)


def inside(cells: pl.DataFrame, span: Period) -> pl.DataFrame:
    """Cells wholly inside a span of time."""
    return cells.filter((pl.col("start") >= span.start) & (pl.col("end") <= span.end))


def summed(cells: pl.DataFrame, within: pl.Expr | None = None) -> pl.DataFrame:
    """Cells `within` a span summed over time; or all, over what they are about (carrier, process, sector, …)."""
    shared = [column for column in cells.columns if column.startswith("factor:")]
    partials = [column for column in cells.columns if column.startswith("d:") and column != "d:total:quantity"]
    over = ABOUT if within is None else (*TIMES, "start", "end")
    keys = [column for column in KEPT if column in cells.columns and column not in over]
    ends = [] if within is None else [pl.col("start").min(), pl.col("end").max()]
    asked = cells.lazy() if within is None else cells.lazy().filter(within)
    grouped = asked.group_by([*keys, *shared, "sector"], maintain_order=True).agg(
        *(_sum(column) for column in ("total", "spread2", "spread1", *partials)),
        pl.col("rows").sum(),
        pl.col("quantity").max(),
        pl.col("d:total:quantity").first(),
        *ends,
        *(pl.lit(0, pl.Int32).alias(name) for name in over if name in LABELS),
    )
    return grouped.collect()


def _sum(column: str) -> pl.Expr:
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column)


def _ends(part: Part, source: Calculation, keys: Sequence[str]) -> pl.DataFrame:
    """Distinct ends of a part's cells and of its rows that hold a notation key."""
    frames = [_with(frame, keys).select(keys).unique() for frame in (source.cells, source.notations)]
    named = pl.concat(frames).unique().sort(keys, nulls_last=True)
    return named.select(pl.lit(part.name).alias("part"), pl.lit(part.side).alias("side"), *keys)


def _columns(ends: pl.DataFrame) -> Ends:
    """The ends as arrays, codes as numbers."""
    kinds = [name for name in (*PLACES, *WHO) if name in ends.columns]
    known = sorted(set().union(*(ends[name].drop_nulls().to_list() for name in kinds)))
    number = {code: n for n, code in enumerate(known, 1)}
    arrays = {
        name: ends[name].replace_strict(number, default=0, return_dtype=pl.Int64).to_numpy()
        if name in kinds
        else np.zeros(ends.height, np.int64)
        for name in (*PLACES, *WHO)
    }
    part, side = (np.array(ends[name].to_list(), dtype=object) for name in ("part", "side"))
    return Ends(part=part, side=side, codes=(None, *known), **arrays)


def _with(cells: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    return cells.with_columns(pl.lit(None, pl.String).alias(name) for name in columns if name not in cells.columns)


def _numbered(cells: pl.DataFrame, part: Part, ends: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """A part's cells with the number of their ends; what crosses the border outwards is the supplier's."""
    own = ends.filter(pl.col("part") == part.name).select("ends", *keys)
    cells = _with(cells, (*keys, "domain"))
    number = cells.select(keys).join(own, on=list(keys), how="left", nulls_equal=True, maintain_order="left")["ends"]
    cells = cells.with_columns(number)
    if part.side == "export":
        cells = cells.with_columns(pl.lit(value).alias(name) for name, value in SUPPLIER.items())
    return cells


def _slots(snapshot: Snapshot) -> int:
    """Factors of the method that has most of them, among all accounts: so that grains fit together."""
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


def _narrow(account: Account, part: Part, source: Calculation, cells: pl.DataFrame, slots: int) -> pl.DataFrame:
    """A part's cells in the columns of the grain, with its sign, summed over all others."""
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
        shared += [number.alias(f"factor:f{slot}"), (partial * part.sign).alias(f"d:total:f{slot}")]
    statuses = {one: worst([status, source.method.status]) for one, status in source.statuses.items()}
    status = pl.col("dataset").replace_strict(statuses, default=source.method.status, return_dtype=pl.String)
    labelled = cells.select(
        "ends",
        *labels,
        pl.col("dataset").alias("counted_in"),
        status.alias("dataset"),
        "start",
        "end",
        "error_group",
        _lost(account, source).alias("blank"),
        (pl.col(name) * part.sign).alias("total"),
        (slope**2 * pl.col("spread2")).alias("spread2"),
        (slope * part.sign * tied).alias("spread1"),
        *shared,
        "rows",
    )
    keys = [column for column in KEPT if column in labelled.columns] + [f"factor:f{slot}" for slot in range(slots)]
    sums = ["total", "spread2", "spread1", *(f"d:total:f{slot}" for slot in range(slots))]
    made = labelled.group_by(keys, maintain_order=True).agg(*(_sum(column) for column in sums), pl.col("rows").sum())
    filled = pl.col("blank") | pl.col("total").is_not_null()
    return made.with_columns(
        pl.lit(None, pl.String).alias("sector"),
        pl.when(filled).then(1.0).alias("quantity"),
        pl.lit(1.0).alias("d:total:quantity"),
    )


def _labelled(
    part: Part, source: Calculation, output: Output, cells: pl.DataFrame
) -> tuple[pl.DataFrame, list[pl.Expr | str]]:
    """Cells with every column a label needs, and the columns by which an account can be asked."""
    cells = _with(cells, ("process", "carrier", "dataset", "error_group", "sector", "domain"))
    labels = sector_labels(cells["sector"].unique().to_list(), source.names)
    by_sector = {
        kind: pl.col("sector").replace_strict(found, default=None, return_dtype=pl.String)
        for kind, found in labels.items()
    }
    return cells, [
        pl.lit(part.name).alias("part"),
        pl.lit(part.memo).alias("memo"),
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
    return cells.select("ends", *labels, "place", "notation", "rows", "start", "end")


def sector_labels(sectors: Sequence[str | None], names: Classification) -> dict[str, dict[str, str]]:
    """Domain, section and division of each recorded sector; a sector that is no division stands for itself."""
    found: dict[str, dict[str, str]] = {"domain": {}, "section": {}, "division": {}}
    for sector in sectors:
        if not sector:
            continue
        line = [sector, *(names.sectors.ancestors(sector) if sector in names.sectors else [])]
        rows: list[tuple[str, Mapping[str, str]]] = [
            (code, names.sectors.row(code) or {}) for code in line if code in names.sectors
        ]
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
    spans = pl.DataFrame(made, schema=schema, orient="row")
    return cells.join(spans, on=["start", "end"], how="left", maintain_order="left")


def _time(kind: str, start: date, end: date) -> str:
    text = str(start.year)
    if kind == "in_quarter":
        text += f"-Q{(start.month + 2) // 3}"
    if kind == "in_month":
        text += f"-{start.month:02d}"
    return text if end <= periods.parse(text).end else periods.text(start, end)


def _by_number(
    cells: pl.DataFrame, noted: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, tuple[str | None, ...]]]:
    """Both with their labels as numbers, in the order of the texts, and these: nothing compares texts any more."""
    texts: dict[str, tuple[str | None, ...]] = {}
    numbers = {}
    for name in LABELS:
        frames = [frame for frame in (cells, noted) if name in frame.columns]
        known = sorted(set().union(*(frame[name].drop_nulls().unique().to_list() for frame in frames)))
        texts[name] = (None, *known)
        numbers[name] = (pl.col(name).cast(pl.Enum(known)).to_physical().cast(pl.Int32) + 1).fill_null(0)
    cells = cells.with_columns(pl.col("dataset", "error_group").cast(pl.Categorical), **numbers)
    return cells, noted.with_columns(number for name, number in numbers.items() if name in noted.columns), texts


def _lost(account: Account, source: Calculation) -> pl.Expr:
    """Is there a quantity and no result?"""
    return pl.col(output_of(source, account).equation).is_null() & (pl.col("quantity").fill_null(0) != 0)


def absent_cells(
    account: Account, part: Part, source: Calculation, cells: pl.DataFrame, reason: str | pl.Expr
) -> pl.DataFrame:
    """Cells that are left out, as recorded, with the parameters that lack a value."""
    if not cells.height:
        return pl.DataFrame(schema=ABSENT)
    name = output_of(source, account).equation
    lacking: pl.Expr = pl.lit("")
    for use in reversed(source.method.factors):
        lacking = pl.when(pl.col(f"factor:{use.name}").is_null()).then(pl.lit(use.parameter)).otherwise(lacking)
    carrier = pl.col("carrier") if "carrier" in cells.columns else pl.lit(None, pl.String)
    return cells.select(
        pl.lit(part.name).alias("part"),
        "ends",
        (pl.lit(reason) if isinstance(reason, str) else reason).alias("reason"),
        "place",
        carrier.alias("carrier"),
        "unit",
        "quantity",
        "rows",
        "start",
        "end",
        pl.col(name).alias("value"),
        lacking.alias("lacking"),
    ).cast(ABSENT)  # type: ignore[arg-type]


def _unknown_entities(snapshot: Snapshot, account: Account) -> list[tuple[Part, Calculation]]:
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
        if rest.height:
            found.append((whole, replace(every, cells=rest, notations=every.notations.clear())))
    return found
