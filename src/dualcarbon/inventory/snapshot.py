"""What accounts are answered from: every method calculated once over one state of the data, kept in memory.

A snapshot is determined by the workspace version, pack, factor family, GWP set, known-at date and datasets. Its cells
(place × sector × domain × carrier × process × counterparty place × period) are small; every account, series, map and
table is combined from them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dualcarbon.core import periods, reading, store
from dualcarbon.core.classification import Classification
from dualcarbon.core.classification import load as classification
from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.reading import CHAIN
from dualcarbon.core.tables import OBSERVATION
from dualcarbon.engine import Calculation, calculate, find_method
from dualcarbon.engine.runs import as_date
from dualcarbon.engine.snapshot import files as imported
from dualcarbon.inventory.definitions import Account, Part, accounts

if TYPE_CHECKING:
    import narwhals as nw

DIMS = ("place", "sector", "domain", "carrier", "process", "counterparty_place", "dataset")
ENTITY_DIMS = (*DIMS, "entity", "counterparty")
DEFAULT_FAMILY = "provincial-2025"
KEPT = 8
IN_MEMORY = 1_000_000  # rows of a workspace up to which they are kept
BY_ENTITY = 4_000_000  # rows of a workspace up to which the cells of all entities are kept
WHO = ("entity", "counterparty")
QUANTITY_KEYS = ("dataset", "item", "place", "sector", "carrier", "process", "basis", "quality", "notation", "unit",
                 "start", "end")  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """What a snapshot is calculated with.

    `entity`: only rows about this entity or bought from it. `version`: the workspace as it was at that commit.
    `factors_known_at`: another day for factors than for observations.
    """

    pack: str = DEFAULT
    family: str = DEFAULT_FAMILY
    gwp: str = "AR5"
    known_at: date | None = None
    dataset: tuple[str, ...] | None = None
    factors: str | None = None
    entity: str | None = None
    factors_known_at: date | None = None
    version: int | None = None


@dataclass
class Snapshot:
    """One state of the data with its calculations, made when first asked for.

    `rows` gives the observations (anything the engine knows); `datasets` the records of the datasets that are counted;
    `controls` those that are only compared; `quantities` sums of all observed items, in small; `whole`, for one entity,
    the snapshot of all; `files` the names of imported files by import.
    """

    choices: Choices
    version: int | None
    rows: Callable[[tuple[str, ...] | None], Any]
    datasets: list[dict[str, Any]]
    controls: list[dict[str, Any]]
    entities: pl.DataFrame
    whole: Snapshot | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    made: dict[Any, Any] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock, repr=False)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for this snapshot."""
        if key not in self.made:
            with self.lock:
                if key not in self.made:
                    self.made[key] = make()
        return self.made[key]

    def calculation(self, method: str, by_entity: bool = False, item: str | None = None) -> Calculation:
        """The method over all counted rows; entities are kept when `by_entity`.

        `item`: over rows of this item, read as if they were the method's own. For one entity, the cells about it or
        bought from it are taken from those of all entities.
        """
        choices = self.choices
        dims = ENTITY_DIMS if by_entity or choices.entity else DIMS
        known_at = choices.factors_known_at or choices.known_at

        def make() -> Calculation:
            if self.whole is not None:
                return _cells_about(self.whole.calculation(method, True, item), str(choices.entity))
            wanted = find_method(method, choices.pack).method
            rows = self.table((item or wanted.rows.item, *(look.item for look in wanted.lookups)))
            rows = rows if choices.factors_known_at is None else _undated(rows)
            return calculate(
                method,
                rows if item is None else read_as(rows, item, wanted.rows.item),
                pack=choices.pack,
                factors=choices.factors,
                family=choices.family,
                known_at=known_at,
                gwp=choices.gwp,
                dims=dims,
                statuses={str(one["id"]): str(one.get("status") or "unverified") for one in self.datasets},
            )

        return self.once(("calculation", method, dims, item), make)

    def part(self, part: Part) -> Calculation:
        """The calculation of one part of an account, its own condition applied."""
        from dualcarbon.inventory.parts import part_of

        key = ("part", part.method, part.item, repr(part.where), repr(part.entity))
        made: Calculation = self.once(key, lambda: part_of(self, part))
        return made

    @property
    def names(self) -> Classification:
        """The pack's classification, as it was when the snapshot was first asked."""
        made: Classification = self.once("names", lambda: classification(self.choices.pack))
        return made

    def accounts(self) -> dict[str, Account]:
        """The pack's accounts by basis."""
        made: dict[str, Account] = self.once("accounts", lambda: accounts(self.choices.pack))
        return made

    def table(self, items: tuple[str, ...] | None = None) -> Any:
        """The counted rows, of these items or all: from memory while they are few, else as the storage gives them."""
        if not self.few():
            return self.rows(None)
        kept: dict[str, pl.DataFrame] = self.once("table", lambda: _by_item(self))
        found = [frame for name, frame in kept.items() if items is None or name in items]
        return pl.concat(found) if found else next(iter(kept.values()), pl.DataFrame(schema=OBSERVATION)).clear()

    def few(self) -> bool:
        """Are there rows few enough to be kept?"""
        source = self.whole or self
        count: int = source.once("count", lambda: int(source.quantities()["rows"].sum()))
        return count <= IN_MEMORY

    def quantities(self) -> pl.DataFrame:
        """Sums, counts and newest publication of every observed quantity, control data included; one pass."""
        made: pl.DataFrame = self.once("quantities", lambda: _quantities(self))
        return made

    def by_entity(self) -> pl.DataFrame:
        """The same with who and from whom, texts as categories."""

        def make() -> pl.DataFrame:
            found = _summed_quantities(self, (*QUANTITY_KEYS, *WHO))
            return found.with_columns(pl.col(pl.String).cast(pl.Categorical))

        made: pl.DataFrame = self.once("quantities by entity", make)
        return made


_kept: OrderedDict[Any, Snapshot] = OrderedDict()
_guard = threading.Lock()


def snapshot(
    data: Any,
    *,
    pack: str | None = None,
    family: str = DEFAULT_FAMILY,
    gwp: str = "AR5",
    known_at: date | str | None = None,
    dataset: str | tuple[str, ...] | list[str] | None = None,
    factors: str | Path | None = None,
    entity: str | None = None,
    factors_known_at: date | None = None,
    version: int | None = None,
    entities: pl.DataFrame | None = None,
    datasets: list[dict[str, Any]] | None = None,
) -> Snapshot:
    """The snapshot of a workspace, or of any dataframe in the observation layout.

    For a dataframe, `datasets` says the role and status of each (absent: counted, `unverified`) and `entities` who the
    rows are about. Raises Refused for a dataset that is not there.
    """
    choices = Choices(
        pack=pack or str(getattr(data, "pack", None) or DEFAULT),
        family=family,
        gwp=gwp,
        known_at=as_date(known_at),
        dataset=(dataset,) if isinstance(dataset, str) else tuple(dataset) if dataset else None,
        factors=None if factors is None else str(factors),
        entity=entity,
        factors_known_at=factors_known_at,
        version=version,
    )
    if not hasattr(data, "observations"):
        return _of_table(data, choices, entities, datasets or [])
    key = (str(getattr(data, "path", id(data))), _state(data), choices, _stamp(choices.factors))
    with _guard:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    if entity is None:
        made = _of_workspace(data, choices, [dict(one) for one in data.datasets()], data.entities())
    else:
        whole = snapshot(data, **{**vars(choices), "entity": None})
        made = _of_workspace(data, choices, [*whole.datasets, *whole.controls], whole.entities)
        made.whole = _whole(whole)
    with _guard:
        # What is asked without a version is never asked of an older one again.
        for old in [one for one in _kept if one[0] == key[0] and one[1] != key[1] and one[2].version is None]:
            del _kept[old]
        _kept[key] = made
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def _state(workspace: Any) -> tuple[Any, ...]:
    """Which workspace it is, and what its observations and entities are."""
    path = getattr(workspace, "path", None)
    entities = store.version(path / "entities") if path is not None else None
    return getattr(workspace, "id", None), workspace.version(), entities


def _whole(snapshot: Snapshot) -> Snapshot | None:
    """The snapshot of all entities, unless there are too many rows to keep by entity: then one entity's are read."""
    rows = snapshot.once("count", lambda: int(snapshot.quantities()["rows"].sum()))
    return snapshot if rows <= BY_ENTITY else None


def _stamp(path: str | None) -> int | None:
    return None if path is None else Path(path).stat().st_mtime_ns


def _split(found: list[dict[str, Any]], choices: Choices) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Datasets that are counted and those that are only compared; a named control dataset is counted."""
    known = {str(one["id"]): one for one in found}
    for name in choices.dataset or ():
        if name not in known:
            params = {"known": ", ".join(known)}
            raise Refused(Problem("inventory.unknown-dataset", value=name, params=params))
    counted = [
        one
        for name, one in known.items()
        if (name in choices.dataset if choices.dataset else one.get("role") != "control")
    ]
    names = {str(one["id"]) for one in counted}
    return counted, [one for one in found if one.get("role") == "control" and str(one["id"]) not in names]


def _of_workspace(workspace: Any, choices: Choices, datasets: list[dict[str, Any]], entities: pl.DataFrame) -> Snapshot:
    counted, controls = _split(datasets, choices)
    version = workspace.version() if choices.version is None else choices.version

    def rows(datasets: tuple[str, ...] | None) -> Any:
        names = datasets if datasets is not None else tuple(str(one["id"]) for one in counted)
        relation = workspace.observations(datasets=list(names), known_at=choices.known_at, version=version)
        return _about(relation, choices.entity)

    files = imported(workspace) if hasattr(workspace, "imports") else {}
    return Snapshot(choices, version, rows, counted, controls, entities, files=files)


def _about(relation: Any, entity: str | None) -> Any:
    """Rows about an entity or bought from it, of a DuckDB relation."""
    if entity is None:
        return relation
    text = entity.replace("'", "''")
    return relation.filter(f"entity = '{text}' OR counterparty = '{text}'")


def _by_item(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    """The counted rows, apart by item; for one entity from those of all."""
    if snapshot.whole is not None:
        entity = snapshot.choices.entity
        mine = (pl.col("entity") == entity) | (pl.col("counterparty") == entity)
        return {name: frame.filter(mine) for name, frame in _items(snapshot.whole).items()}
    return _items(snapshot)


def _items(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    def make() -> dict[str, pl.DataFrame]:
        import narwhals as nw

        rows = nw.from_native(snapshot.rows(None)).lazy().collect(backend="polars").to_native()
        frame = pl.DataFrame(rows).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
        return {str(name): part for (name,), part in frame.partition_by("item", as_dict=True).items()}

    made: dict[str, pl.DataFrame] = snapshot.once("by item", make)
    return made


def _cells_about(calculation: Calculation, entity: str) -> Calculation:
    """The cells of a calculation by entity that are about an entity or bought from it."""
    mine = (pl.col("entity") == entity) | (pl.col("counterparty") == entity)
    both = (calculation.cells, calculation.notations)
    cells, notations = (
        frame.filter(mine) if {"entity", "counterparty"} <= set(frame.columns) else frame.clear() for frame in both
    )
    return replace(calculation, cells=cells, notations=notations)


def _undated(rows: Any) -> Any:
    """Rows that were chosen by their day already: the engine shall choose factors only by the day it is given."""
    import narwhals as nw

    return nw.from_native(rows).drop("known_at").to_native()


def read_as(rows: Any, item: str, own: str) -> Any:
    """Rows of an item under the name of another."""
    import narwhals as nw

    return nw.from_native(rows).filter(nw.col("item") == item).with_columns(nw.lit(own).alias("item")).to_native()


def _of_table(table: Any, choices: Choices, entities: pl.DataFrame | None, given: list[dict[str, Any]]) -> Snapshot:
    frame = observed(table, choices.pack, entities)
    if choices.known_at is not None:
        frame = frame.filter(pl.col("known_at").is_null() | (pl.col("known_at") <= choices.known_at))
    named = {str(one["id"]): one for one in given}
    found = [named.get(name, {"id": name, "role": "account", "status": "unverified"}) for name in _names(frame)]
    counted, controls = _split(found, choices)
    if choices.entity is not None:
        frame = frame.filter((pl.col("entity") == choices.entity) | (pl.col("counterparty") == choices.entity))

    def rows(datasets: tuple[str, ...] | None) -> pl.DataFrame:
        names = datasets if datasets is not None else tuple(str(one["id"]) for one in counted)
        return frame.filter(pl.col("dataset").is_in(list(names)))

    from dualcarbon.core.tables import ENTITY, empty

    return Snapshot(choices, None, rows, counted, controls, empty(ENTITY) if entities is None else entities)


def _names(frame: pl.DataFrame) -> list[str]:
    return sorted(frame["dataset"].unique().to_list())


def observed(table: Any, pack: str = DEFAULT, entities: pl.DataFrame | None = None) -> pl.DataFrame:
    """Any dataframe as rows of the observation layout: read as a file is, reports since January differenced.

    A frame that has `item`, `start` and `end` is taken as it stands. Raises Refused with every problem.
    """
    import narwhals as nw

    native = nw.from_native(table)
    frame = pl.DataFrame(native.lazy().collect(backend="polars").to_native())
    if {"item", "start", "end"} <= set(frame.columns):
        frame = frame.select(
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in OBSERVATION.items()
        )
    else:
        read = reading.read_frame(frame, pack=pack, entities=entities)
        if read.problems:
            raise Refused(read.problems)
        frame = read.frame
    frame, problems = periods.difference_cumulative(frame.with_columns(pl.col("dataset").fill_null("given")), CHAIN)
    if problems:
        raise Refused(problems)
    return frame


def _quantities(snapshot: Snapshot) -> pl.DataFrame:
    if snapshot.whole is not None:
        return _quantities_about(snapshot.whole, str(snapshot.choices.entity))
    return _summed_quantities(snapshot, QUANTITY_KEYS)


def _summed_quantities(snapshot: Snapshot, keys: tuple[str, ...]) -> pl.DataFrame:
    import narwhals as nw

    names = tuple(str(one["id"]) for one in (*snapshot.datasets, *snapshot.controls))
    return summed_quantities(nw.from_native(snapshot.rows(names)).lazy(), keys)


def summed_quantities(frame: nw.LazyFrame[Any], keys: tuple[str, ...]) -> pl.DataFrame:
    """Sums, counts and newest publication of rows by these columns."""
    import narwhals as nw

    columns = frame.collect_schema().names()
    grouped = frame.group_by(*(name for name in keys if name in columns)).agg(
        nw.col("value").sum().alias("value"),
        nw.col("value").count().alias("values"),
        nw.len().alias("rows"),
        nw.col("known_at").max().alias("known_at"),
    )
    found = pl.DataFrame(grouped.collect(backend="polars").to_native())
    return found.with_columns(pl.when(pl.col("values") > 0).then(pl.col("value")).alias("value"))


def _quantities_about(whole: Snapshot, entity: str) -> pl.DataFrame:
    """Quantities of the rows about an entity or bought from it, from those of all entities."""
    mine = whole.by_entity().filter((pl.col("entity") == entity) | (pl.col("counterparty") == entity)).drop(WHO)
    return mine.with_columns(pl.col(pl.Categorical).cast(pl.String))
