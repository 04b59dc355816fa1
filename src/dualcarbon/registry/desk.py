"""What the acts of one transaction read and write: kept in memory, read and written in sets.

One act or a file of ten thousand take about the same number of statements: what they will touch is read ahead, each
act then decides from memory, and rows, blocks of serial numbers and ledger entries are written together at the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from dualcarbon.ledger.store import Store
from dualcarbon.ledger.transfer import Opening, Transfer
from dualcarbon.registry import sets
from dualcarbon.registry.blocks import Blocks
from dualcarbon.registry.tables import ACT, CLAIMED_DAY, LOT, REGISTER, SEAL

if TYPE_CHECKING:
    from dualcarbon.registry.act import Act


class Wanted(NamedTuple):
    """The benefit of a subject from `first` to `last` (days as text, both included)."""

    attribute: str
    subject: str
    first: str
    last: str


class Desk:
    """The acts of one transaction."""

    def __init__(self, store: Store, connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> None:
        self.store, self.connection, self.standing, self.recorded = store, connection, standing, recorded
        self.blocks = Blocks(connection)
        self.done: dict[str, tuple[str, str, str]] = {}  # action, what was asked, answer
        self._waiting: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        self._posted: list[tuple[Act, Sequence[Transfer]]] = []
        self._openings: dict[str, Opening] = {}
        self._registers: dict[str, tuple[int, int]] = {}
        self._advanced: set[str] = set()
        self._seal: tuple[str, str] | None = None
        self._lots: int | None = None
        self._synthetic: dict[tuple[str, str | None], int] = {}
        self._days: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._taken: dict[Wanted, tuple[str, str] | None] = {}

    # --- rows -----------------------------------------------------------------------------------------------------

    def insert(self, table: sa.Table, row: dict[str, Any]) -> None:
        """Put a row of the registry by until all are written."""
        self._waiting[table].append(row)

    def execute(self, statement: Any) -> sa.CursorResult[Any]:
        """Run a statement on the tables as they are after all acts before."""
        self.write()
        return self.connection.execute(statement)

    def write(self) -> None:
        """Write what waits."""
        self.blocks.write()
        if self._advanced:
            change = REGISTER.update().where(REGISTER.c.number == sa.bindparam("own")).values(next=sa.bindparam("to"))
            moved = [self._registers[code] for code in self._advanced]
            self.connection.execute(change, [{"own": number, "to": to} for number, to in moved])
            self._advanced.clear()
        for table, rows in self._waiting.items():
            sets.insert(self.connection, table, rows)
        self._waiting.clear()
        self._taken.clear()

    def know(self, ids: Iterable[str]) -> None:
        """Read into `done` which of the acts were done before."""
        found = self.connection.execute(sa.select(ACT).where(self.store.among(ACT.c.id, ids)))
        self.done |= {row.id: (row.action, row.asked, row.answer) for row in found}

    def seal_before(self) -> tuple[str, str]:
        """The seal and the answer of the act before; both "" when there is none."""
        if self._seal is None:
            joined = sa.select(SEAL.c.digest, ACT.c.answer).join(ACT, ACT.c.id == SEAL.c.act)
            last = self.connection.execute(joined.order_by(SEAL.c.number.desc()).limit(1)).first()
            self._seal = ("", "") if last is None else (last.digest, last.answer)
        return self._seal

    def keep(self, row: dict[str, Any], digest: str) -> None:
        """Keep an act that was done, with its seal."""
        self.insert(ACT, row)
        self.insert(SEAL, {"act": row["id"], "digest": digest})
        self._seal = (digest, row["answer"])
        self.done[row["id"]] = (row["action"], row["asked"], row["answer"])

    # --- the ledger -----------------------------------------------------------------------------------------------

    def post(self, act: "Act", openings: dict[str, Opening], moves: Sequence[Transfer]) -> None:
        """Put an act's transfers by, all or none of which are posted at the end."""
        self._openings |= openings
        self._posted.append((act, [*(move._replace(linked=True) for move in moves[:-1]), moves[-1]]))

    def settle(self) -> list[tuple["Act", str, Sequence[Transfer]]]:
        """Post what was put by; the acts that the ledger refuses, with its result and their transfers."""
        if not self._posted:
            return []
        moves = [move for _, transfers in self._posted for move in transfers]
        openings = list(self._openings.values())
        results = self.store.post_within(self.connection, self.standing, self.recorded, openings, moves)
        opened = dict(zip(self._openings, results, strict=False))
        refused: list[tuple[Act, str, Sequence[Transfer]]] = []
        at = len(openings)
        for act, transfers in self._posted:
            named = {name for move in transfers for name in (move.debit, move.credit) if name is not None}
            told = [opened[name] for name in named] + results[at : at + len(transfers)]
            at += len(transfers)
            bad = [one for one in told if one not in ("ok", "exists")]
            if bad:
                refused.append((act, min(bad, key=lambda one: one == "linked_transfer_failed"), transfers))
        return refused

    # --- registers and lots ---------------------------------------------------------------------------------------

    def register(self, instrument: str, issuer: str) -> tuple[int, int]:
        """The register of an instrument and issuer, made when new: its number, and the next free serial number."""
        if instrument not in self._registers:
            own = {"instrument": instrument, "issuer": issuer}
            chosen = sa.select(REGISTER.c.number, REGISTER.c.next).filter_by(**own)
            found = self.connection.execute(chosen).first()
            if found is None:
                self.connection.execute(REGISTER.insert(), [{**own, "next": 1}])
                found = self.connection.execute(chosen).one()
            self._registers[instrument] = (found.number, found.next)
        return self._registers[instrument]

    def advance(self, instrument: str, to: int) -> None:
        """Let a register's next free serial number be at least `to`."""
        number, standing = self._registers[instrument]
        if to > standing:
            self._registers[instrument] = (number, to)
            self._advanced.add(instrument)

    def lot(self, row: dict[str, Any]) -> int:
        """Keep a new lot; its number."""
        if self._lots is None:
            highest = sa.select(sa.func.coalesce(sa.func.max(LOT.c.number), 0))
            self._lots = int(self.connection.execute(highest).scalar_one())
        self._lots += 1
        self.insert(LOT, {"number": self._lots, **row})
        if row["synthetic"]:
            self._synthetic[row["instrument"], row["vintage"]] = 1
        return self._lots

    def synthetic(self, instrument: str, vintage: str | None) -> int:
        """Whether any units of an instrument's year are made up."""
        key = (instrument, vintage)
        if key not in self._synthetic:
            own = LOT.c.vintage.is_(None) if vintage is None else LOT.c.vintage == vintage
            chosen = sa.select(sa.func.max(LOT.c.synthetic)).where(LOT.c.instrument == instrument, own)
            self._synthetic[key] = self.connection.execute(chosen).scalar() or 0
        return self._synthetic[key]

    # --- claims ---------------------------------------------------------------------------------------------------

    def claimed(self, wanted: Wanted, dates: Sequence[str]) -> tuple[str, str] | None:
        """The first of the days whose benefit is taken, with the act that took it; None when it is free."""
        own = self._days[wanted[:2]]
        day = next((day for day in dates if day in own), None) if own else None
        if day is not None:
            return day, own[day]
        if wanted not in self._taken:
            self.look([wanted])
        return self._taken[wanted]

    def look(self, wanted: Sequence[Wanted]) -> None:
        """Read which of the benefits are taken."""
        columns = {"attribute": "text", "subject": "text", "low": "text", "high": "text"}
        query, rows = sets.asked(self.store.dialect, columns, wanted)
        found = self.connection.execute(
            sa.text(
                f"{query} SELECT w.place, c.day, c.act FROM wanted AS w JOIN registry_claimed_day AS c"
                " ON c.attribute = w.attribute AND c.subject = w.subject AND c.day = ("
                "SELECT min(o.day) FROM registry_claimed_day AS o WHERE o.attribute = w.attribute"
                " AND o.subject = w.subject AND o.day >= w.low AND o.day <= w.high)"
            ),
            rows,
        )
        self._taken |= dict.fromkeys(wanted)
        self._taken |= {wanted[row.place]: (row.day, row.act) for row in found}

    def claim(self, act: str, wanted: Wanted, dates: Sequence[str]) -> None:
        """Take the benefit of a subject on these days for an act."""
        self._days[wanted[:2]] |= dict.fromkeys(dates, act)
        own = {"attribute": wanted.attribute, "subject": wanted.subject, "act": act}
        self._waiting[CLAIMED_DAY] += ({**own, "day": day} for day in dates)

    def release(self, act: str) -> int:
        """Let what an act claimed be free again; how many days of subjects that are."""
        for own in self._days.values():
            for day in [day for day, by in own.items() if by == act]:
                del own[day]
        freed = self.execute(CLAIMED_DAY.delete().where(CLAIMED_DAY.c.act == act))
        return freed.rowcount
