"""Places, sectors, carriers, items, domains, categories and sources of a rule pack, found by code, name or alias.

Places form several trees (``admin``, ``management``, ``grid``). A tree other than ``admin`` states only what differs:
a place that it does not mention hangs as in ``admin``. A place keeps its extent whatever tree is asked: the leaves
below it in its own tree (``admin`` if it is there). So a county's total cannot be shown in a tree that gives some of
its leaves to another area, and ``Places.rollup`` says so with None.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from dualcarbon.core import pack as packs
from dualcarbon.core.pack import DEFAULT

_IGNORED = re.compile(r"[\s、,·]+")
_WHOLE = re.compile(r"(\d+)\.0+")
NAMES = ("name_zh", "name_en", "title_zh", "title_en", "name")
_INDUSTRY = re.compile(r"([a-t])?(\d{2})\d{0,2}")


def key(text: str) -> str:
    """Form in which names are compared: NFKC (full- to half-width), no blank or comma, one case, ``330483.0`` whole."""
    text = _IGNORED.sub("", unicodedata.normalize("NFKC", str(text))).casefold()
    whole = _WHOLE.fullmatch(text)
    return whole.group(1) if whole else text


class Codes:
    """One code list of a pack: codes in file order, found by code, Chinese or English name, or alias."""

    def __init__(self, kind: str, rows: Iterable[dict[str, str]], code: str = "code") -> None:
        self.kind = kind
        self._rows: dict[str, dict[str, str]] = {}
        errors = []
        for row in rows:
            name = row.get(code, "")
            if not name:
                errors.append(f"{row['_file']}:{row['_line']}: {kind} without {code}")
            elif name in self._rows and self._rows[name]["_file"] == row["_file"]:
                errors.append(f"{row['_file']}:{row['_line']}: {kind} {name} is listed twice")
            self._rows[name] = row
        for name, row in self._rows.items():
            above = row.get("parent", "")
            if above and above not in self._rows:
                errors.append(f"{row['_file']}:{row['_line']}: parent {above} of {kind} {name} is unknown")
        errors = errors or [f"{kind} {name} is its own ancestor" for name in self._rows if self._circular(name)]
        self._index: dict[str, str] = {}
        errors = errors or self._build_index()
        if errors:
            raise packs.PackError(errors)

    def _circular(self, code: str) -> bool:
        seen, here = {code}, self.parent(code)
        while here is not None:
            if here in seen:
                return True
            seen.add(here)
            here = self.parent(here)
        return False

    def _build_index(self) -> list[str]:
        """Fill the index; a code comes before a name, a name before an alias; of parent and child the parent."""
        self._index = {}
        ranks: dict[str, int] = {}
        errors = []
        for rank, columns in enumerate((("",), NAMES, ("aliases",))):
            for code, row in self._rows.items():
                texts = [code] if rank == 0 else [row.get(column, "") for column in columns]
                for word in {key(word) for text in texts for word in (text.split("|") if rank == 2 else [text])} - {""}:
                    holder = self._index.get(word)
                    if holder is None or (ranks[word] == rank and code in self.ancestors(holder)):
                        self._index[word], ranks[word] = code, rank
                    elif ranks[word] == rank and holder != code and holder not in self.ancestors(code):
                        errors.append(f"{row['_file']}:{row['_line']}: {word!r} means both {holder} and {code}")
        return errors

    def find(self, text: str) -> str | None:
        """Code that the text names (code, name or alias; spaces, commas, case and width do not matter), or None."""
        return self._index.get(key(text))

    def name(self, code: str, lang: str = "zh") -> str:
        """Name (or title) in ``zh`` or ``en``; the other language, then the code, where there is none."""
        row = self._rows.get(code, {})
        order = ("zh", "en") if lang.startswith("zh") else ("en", "zh")
        names = (row.get(f"{column}_{one}", "") for one in order for column in ("name", "title"))
        return next(filter(None, names), "") or row.get("name", "") or code

    def row(self, code: str) -> dict[str, str] | None:
        """All columns of a code, with ``_file`` and ``_line``; None for an unknown code."""
        return self._rows.get(code)

    def aliases(self) -> dict[str, str]:
        """Every accepted spelling in compared form (see ``key``) and the code it means: for bulk translation."""
        return dict(self._index)

    def parent(self, code: str) -> str | None:
        """Code above; None at the top and for an unknown code."""
        return self._rows.get(code, {}).get("parent") or None

    def ancestors(self, code: str) -> list[str]:
        """Codes above, nearest first, without the code itself."""
        above, here = [], self.parent(code)
        while here is not None:
            above.append(here)
            here = self.parent(here)
        return above

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, code: object) -> bool:
        return code in self._rows

    def __len__(self) -> int:
        return len(self._rows)


class Sectors(Codes):
    """GB/T 4754-2017 sections and divisions; also finds the division of a group or class code (``2822``, ``C2822``)."""

    def find(self, text: str) -> str | None:
        found = super().find(text)
        match = _INDUSTRY.fullmatch(key(text))
        if found or not match:
            return found
        found = self._index.get(match.group(2))
        return found if found and match.group(1) in (None, found[:1].lower()) else None


@dataclass(frozen=True)
class Edge:
    """``child`` lies in ``parent`` in one tree from the day ``start`` to the day ``end`` (both included)."""

    tree: str
    parent: str
    child: str
    start: date
    end: date
    source: str


class Places(Codes):
    """Places and the trees they hang in. ``at=None`` asks for the trees as they are last known."""

    def __init__(self, rows: Iterable[dict[str, str]], edges: Iterable[dict[str, str]]) -> None:
        self._edges: dict[tuple[str, str], list[Edge]] = {}
        self.trees: tuple[str, ...] = ("admin",)
        super().__init__("place", rows)
        errors = []
        for row in edges:
            where = f"{row['_file']}:{row['_line']}"
            errors += [f"{where}: unknown place {row[end]}" for end in ("parent", "child") if row[end] not in self]
            try:
                start = date.fromisoformat(row["from"]) if row["from"] else date.min
                end = date.fromisoformat(row["to"]) if row["to"] else date.max
            except ValueError as error:
                errors.append(f"{where}: {error}")
                continue
            edge = Edge(row["tree"], row["parent"], row["child"], start, end, row["source"])
            others = self._edges.setdefault((edge.tree, edge.child), [])
            if any(edge.start <= other.end and other.start <= edge.end for other in others):
                errors.append(f"{where}: {edge.child} has two parents in the tree {edge.tree} at one time")
            others.append(edge)
            if edge.tree not in self.trees:
                self.trees += (edge.tree,)
        if errors:
            raise packs.PackError(errors)
        self._trees: dict[tuple[str, date], tuple[dict[str, str], dict[str, list[str]]]] = {}
        for tree in self.trees:
            for day in {date.max, *(edge.start for group in self._edges.values() for edge in group)}:
                self._check(tree, day)

    def _check(self, tree: str, day: date) -> None:
        for code in self:
            seen, here = {code}, self._above(code, tree, day)
            while here is not None:
                if here in seen:
                    raise packs.PackError([f"place {code} is its own ancestor in the tree {tree} on {day}"])
                seen.add(here)
                here = self._above(here, tree, day)

    def _above(self, code: str, tree: str, day: date) -> str | None:
        """Parent in the tree; else in ``admin``; else in the first tree that has one (a place of another tree)."""
        for one in dict.fromkeys((tree, "admin", *self.trees)):
            for edge in self._edges.get((one, code), ()):
                if edge.start <= day <= edge.end:
                    return edge.parent
        return None

    def _tree(self, tree: str, at: date | None) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Parents and children of a tree on a day. Raises KeyError for an unknown tree."""
        if tree not in self.trees:
            raise KeyError(f"unknown tree {tree!r} (known: {', '.join(self.trees)})")
        day = at or date.max
        if (tree, day) not in self._trees:
            parents, children = {}, {}  # type: dict[str, str], dict[str, list[str]]
            for code in self:
                above = self._above(code, tree, day)
                if above is None:
                    continue
                parents[code] = above
                if self.within(code, tree, at):
                    children.setdefault(above, []).append(code)
            if len(self._trees) > 500:
                self._trees.clear()
            self._trees[tree, day] = parents, children
        return self._trees[tree, day]

    def within(self, code: str, tree: str, at: date | None = None) -> bool:
        """Whether the place belongs to the tree: it has a parent there on that day, or in ``admin``, or is a root."""
        day = at or date.max
        mine = [self._edges.get((one, code), ()) for one in dict.fromkeys((tree, "admin"))]
        if any(edge.start <= day <= edge.end for edges in mine for edge in edges):
            return True
        return not any((one, code) in self._edges for one in self.trees)

    def parent(self, code: str, tree: str = "admin", at: date | None = None) -> str | None:
        """Place above in a tree; None at the root and for an unknown code."""
        return self._above(code, tree, at or date.max)

    def ancestors(self, code: str, tree: str = "admin", at: date | None = None) -> list[str]:
        """Places above, nearest first, without the place itself."""
        above, here = [], self.parent(code, tree, at)
        while here is not None:
            above.append(here)
            here = self._above(here, tree, at or date.max)
        return above

    def path(self, code: str, tree: str = "admin", at: date | None = None) -> list[str]:
        """The place itself and everything above it, up to the root."""
        return [code, *self.ancestors(code, tree, at)]

    def children(self, code: str, tree: str = "admin", at: date | None = None) -> list[str]:
        """Places directly below, in file order."""
        return list(self._tree(tree, at)[1].get(code, ()))

    def leaves(self, code: str, tree: str = "admin", at: date | None = None) -> frozenset[str]:
        """Places without children at or below the place; the place itself where it has none."""
        children = self._tree(tree, at)[1]
        found, left = set(), [code]
        while left:
            here = left.pop()
            below = children.get(here)
            left.extend(below or ())
            if not below:
                found.add(here)
        return frozenset(found)

    def home(self, code: str, at: date | None = None) -> str:
        """Tree that defines the extent of a place: ``admin``, or the only tree that knows it (management areas)."""
        if self.within(code, "admin", at):
            return "admin"
        return next((tree for tree in self.trees if self.within(code, tree, at)), "admin")

    def extent(self, code: str, at: date | None = None) -> frozenset[str]:
        """Leaves that a value recorded at this place covers, in the tree that defines the place."""
        return self.leaves(code, self.home(code, at), at)

    def rollup(
        self, codes: Iterable[str], targets: Iterable[str], tree: str = "admin", at: date | None = None
    ) -> dict[str, str | None]:
        """Target (a place of ``tree``) that wholly contains each recorded place, the smallest if several do.

        None where no target contains it, or where the value would have to be split between targets: such a value is
        not attributable in this tree. Unknown codes give None.
        """
        areas = sorted(((self.leaves(one, tree, at), one) for one in targets), key=lambda area: (len(area[0]), area[1]))
        found: dict[str, str | None] = {}
        for code in codes:
            extent = self.extent(code, at) if code in self else None
            inside = [one for leaves, one in areas if extent is not None and extent <= leaves]
            found[code] = next((one for one in inside if one == code), inside[0] if inside else None)
        return found


@dataclass(frozen=True)
class Classification:
    """Everything a pack classifies. ``terms`` holds the values of the small dimensions (process, equipment, gas …)."""

    pack: str
    places: Places
    sectors: Sectors
    carriers: Codes
    items: Codes
    domains: Codes
    categories: Codes
    sources: Codes
    datasets: Codes
    terms: dict[str, Codes] = field(default_factory=dict)


def load(pack: str | Path = DEFAULT) -> Classification:
    """Classification of a pack's chain; read once and kept until a file of the pack changes.

    Raises PackError with every fault of the tables (double codes, unknown parents, ambiguous names, two parents).
    """
    return _load(str(pack), packs.fingerprint(pack))


@lru_cache(maxsize=8)
def _load(pack: str, fingerprint: tuple[tuple[str, int, int], ...]) -> Classification:
    terms: dict[str, list[dict[str, str]]] = {}
    for row in packs.rows(pack, "terms"):
        terms.setdefault(row["dimension"], []).append(row)
    return Classification(
        pack=pack,
        places=Places(packs.rows(pack, "places"), packs.rows(pack, "place_edges")),
        sectors=Sectors("sector", packs.rows(pack, "sectors")),
        carriers=Codes("carrier", packs.rows(pack, "carriers")),
        items=Codes("item", packs.rows(pack, "items")),
        domains=Codes("domain", packs.rows(pack, "domains")),
        categories=Codes("category", packs.rows(pack, "categories")),
        sources=Codes("source", packs.rows(pack, "sources"), code="id"),
        datasets=Codes("dataset", packs.rows(pack, "datasets"), code="id"),
        terms={dimension: Codes(dimension, rows) for dimension, rows in terms.items()},
    )
