"""The ledger in a database, SQLite or PostgreSQL: set-based loading and keeping around the pure state machine.

Every writing transaction begins by updating the one row of `ledger`. That row's lock lets one writer in at a time,
across threads, processes and servers, and it is taken before anything is read: no decision rests on an old state.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from dualcarbon.core.problems import Refused
from dualcarbon.ledger import chain, days, statements, trail
from dualcarbon.ledger.install import install
from dualcarbon.ledger.machine import Account, Entry, State, lock, open_accounts, post
from dualcarbon.ledger.requests import Answers, Request, forget
from dualcarbon.ledger.tables import ACCOUNT, ENTRY, LOCK, MARK, REFUSAL, TOTALS
from dualcarbon.ledger.transfer import Opening, Transfer, read_opening, read_transfer
from dualcarbon.ledger.troubles import passing, translated, uncollected

BATCH = 8192
RETRIES = 20
MOST_KEPT = 500_000
Result = TypeVar("Result")


def now() -> int:
    """Microseconds since 1970-01-01T00:00Z by the machine's clock."""
    return time.time_ns() // 1000


class Store:
    """The writing side of a ledger.

    `algorithm` (`sha256` or `sm3`) counts only when the ledger is made; afterwards the one stored is used. `sum_after`:
    after how many entries an account's sums by day are brought forward.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        algorithm: str = "sha256",
        clock: Callable[[], int] = now,
        sum_after: int = days.MOVES,
    ) -> None:
        self.engine, self.clock, self.algorithm, self.sum_after = engine, clock, algorithm, sum_after
        self.dialect = engine.dialect.name
        options = {"isolation_level": "READ COMMITTED"} if self.dialect == "postgresql" else {}
        self._writer = engine.execution_options(**options) if options else engine
        self.mark_after = max(1, sum_after * trail.EVERY // days.MOVES)
        self._turn = threading.Lock()
        self._kept: dict[str, Account] = {}
        self._writes = 0
        self._found = statements.found(self.dialect)

    def install(self) -> None:
        """Create the tables and the ledger's row where they are missing; bring an earlier ledger to these tables."""
        with translated(), self._turn:
            install(self._writer, self.algorithm)

    @contextmanager
    def writing(self) -> Iterator[tuple[sa.Connection, sa.Row[Any], int]]:
        """A transaction that is the only writer: its connection, the ledger's row, and the time to record."""
        with self._writer.begin() as connection:
            if self.dialect == "sqlite" and not connection.info.get("ledger"):
                # Wait for other writers; keep the upper levels of the indexes in memory (64 MB).
                connection.exec_driver_sql("PRAGMA busy_timeout = 60000")
                connection.exec_driver_sql("PRAGMA cache_size = -65536")
                connection.info["ledger"] = True
            standing = connection.execute(statements.BEGUN).one()
            if self.dialect == "postgresql":
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            yield connection, standing, max(self.clock(), standing.recorded)

    def transaction(self, work: Callable[[sa.Connection, sa.Row[Any], int], Result]) -> Result:
        """Do `work` as the only writer, again when the database asks for it (deadlock, serialization, busy)."""
        with translated(), self._turn, uncollected():
            for attempt in range(RETRIES):
                writes = 0
                try:
                    with self.writing() as (connection, standing, recorded):
                        if standing.writes != self._writes + 1 or len(self._kept) > MOST_KEPT:
                            self._kept.clear()
                        result = work(connection, standing, recorded)
                        writes = standing.writes
                    self._writes = writes
                    return result
                except DBAPIError as error:
                    if attempt == RETRIES - 1 or not passing(error):
                        raise
                    time.sleep(0.01 * 2 ** min(attempt, 6))
                finally:
                    if self._writes != writes or not writes:
                        self._kept.clear()
        raise AssertionError("unreachable")

    def open_accounts(self, lines: Iterable[Any], request: Request | None = None) -> list[str]:
        """Open accounts from decoded lines (or `Opening`); one result name each, in order."""
        openings = [line if isinstance(line, Opening) else read_opening(line) for line in lines]

        def work(connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> list[str]:
            return self._open(connection, standing, recorded, openings)

        return self.once(request, work)

    def once(self, request: Request | None, work: Callable[[sa.Connection, sa.Row[Any], int], Result]) -> Result:
        """Do `work` as the only writer, unless the request was answered before; then that answer.

        Raises Refused (`ledger.key-used-otherwise`).
        """

        def answered(connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> Any:
            answers = Answers(connection, [request], self.among)
            answer = answers.give(request, lambda: work(connection, standing, recorded))
            if isinstance(answer, Refused):
                raise answer
            answers.keep(recorded)
            return answer

        return self.transaction(work if request is None else answered)

    def _open(
        self, connection: sa.Connection, standing: sa.Row[Any], recorded: int, openings: Sequence[Opening]
    ) -> list[str]:
        state = State(standing.entries, standing.accounts)
        state.accounts = self._accounts(connection, {opening.account for opening in openings})
        state.units = self._units(connection, {opening.instrument for opening in openings})
        results = open_accounts(state, openings, recorded)
        self._keep_accounts(connection, standing, state, recorded)
        return results

    def post(self, lines: Iterable[Any]) -> list[str]:
        """Post the transfers of one submission in one transaction; one result name each, in order."""
        (results,) = self.post_many([list(lines)])
        assert not isinstance(results, Refused)
        return results

    def post_many(
        self, submissions: Sequence[Sequence[Any]], requests: Sequence[Request | None] | None = None
    ) -> list[list[str] | Refused]:
        """Post several submissions in one transaction (group commit). Links never reach across submissions.

        `requests`, one each, may name the client's keys: a request answered before gets that answer, and one whose key
        came with another content gets a `Refused` in place of its results.
        """
        asking = requests or [None] * len(submissions)
        asked = [
            [line if isinstance(line, Transfer) else read_transfer(line) for line in submission]
            for submission in submissions
        ]

        def work(connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> list[list[str] | Refused]:
            state = self.load(connection, standing, [transfer for submission in asked for transfer in submission])
            answers = Answers(connection, asking, self.among)
            results = [
                answers.give(request, partial(post, state, submission, recorded))
                for submission, request in zip(asked, asking, strict=True)
            ]
            self.keep(connection, standing, state, recorded)
            answers.keep(recorded)
            return results

        return self.transaction(work)

    def post_within(
        self,
        connection: sa.Connection,
        standing: sa.Row[Any],
        recorded: int,
        openings: Sequence[Opening],
        transfers: Sequence[Transfer],
    ) -> list[str]:
        """Open accounts and post transfers inside a transaction that a room runs through `transaction`.

        What the room writes beside them is kept with the entries or not at all; the room raises to take all back.
        Returns the results of the openings, then those of the transfers.
        """
        opened = self._open(connection, standing, recorded, openings)
        state = self.load(connection, standing, transfers)
        results = post(state, transfers, recorded)
        self.keep(connection, standing, state, recorded)
        return opened + results

    def lock(self, instrument: str, until: int, reason: str | None = None) -> str:
        """Close everything dated before `until` (microseconds) for `instrument`, or with "" for all."""

        def work(connection: sa.Connection, standing: sa.Row[Any], recorded: int) -> str:
            state = State()
            state.locks = self._locks(connection)
            result = lock(state, instrument, until)
            if result == "ok":
                row = (standing.locks + 1, instrument, until, reason, recorded)
                ((*_, row_hash),) = kept = chain.chained([row], standing.lock_hash, standing.algorithm)
                connection.execute(LOCK.insert(), [dict(zip(LOCK.columns.keys(), kept[0], strict=True))])
                self._advance(connection, recorded, locks=standing.locks + 1, lock_hash=row_hash)
            return result

        return self.transaction(work)

    def load(self, connection: sa.Connection, standing: sa.Row[Any], transfers: Sequence[Transfer]) -> State:
        """The part of the state that the transfers can touch."""
        state = State(standing.entries, standing.accounts)
        pendings = {transfer.pending_id for transfer in transfers if transfer.pending_id is not None}
        reversed_ids = {transfer.reverses for transfer in transfers if transfer.reverses is not None}
        own = {transfer.id for transfer in transfers}
        found = self._named(connection, "entry", own | pendings | reversed_ids)
        state.entries = {row[1]: Entry._make(row) for row in found}
        referred = {entry.pending_id or entry.reverses for entry in state.entries.values()} - {None}
        found = self._named(connection, "entry", referred - state.entries.keys())
        state.entries |= {row[1]: Entry._make(row) for row in found}
        state.refused = {key: result for key, result in self._named(connection, "refused", own)}
        state.resolved = {key: ending for key, ending in self._named(connection, "resolved", pendings)}
        state.reversed = {key: reversal for key, reversal in self._named(connection, "reversed", reversed_ids)}
        state.locks = self._locks(connection) if standing.locks else {}
        names = {transfer.debit for transfer in transfers} | {transfer.credit for transfer in transfers}
        for key in pendings | reversed_ids:
            if key in state.entries:
                names |= {state.entries[key].debit, state.entries[key].credit}
        # A resolution may name a pending entry of the same batch; its accounts are then among `names` already.
        # Accounts stay in memory between transactions as long as nobody else has written.
        missing = names - self._kept.keys() - {None}
        if missing:
            self._kept |= self._accounts(connection, missing)
        state.accounts = self._kept
        return state

    def keep(self, connection: sa.Connection, standing: sa.Row[Any], state: State, recorded: int) -> None:
        """Write what the state machine added: entries and refusals chained to the last ones, totals as deltas."""
        moved: dict[str, Any] = {}
        if state.new_entries:
            rows = chain.chained(state.new_entries, standing.entry_hash, standing.algorithm)
            moved |= {"entries": state.seq, "entry_hash": rows[-1][-1]}
            rows, marks = trail.linked(rows, state.accounts, self.mark_after)
            self._insert_rows(connection, ENTRY, rows)
            if marks:
                self._insert_rows(connection, MARK, marks)
            self._update_totals(connection, state)
            if standing.entries // BATCH < state.seq // BATCH:
                forget(connection, recorded)
        if state.new_refusals:
            refused = [
                (number, *pair, recorded) for number, pair in enumerate(state.new_refusals, standing.refusals + 1)
            ]
            rows = chain.chained(refused, standing.refusal_hash, standing.algorithm)
            self._insert_rows(connection, REFUSAL, rows)
            moved |= {"refusals": rows[-1][0], "refusal_hash": rows[-1][-1]}
        if moved:
            self._advance(connection, recorded, **moved)

    def _keep_accounts(self, connection: sa.Connection, standing: sa.Row[Any], state: State, recorded: int) -> None:
        if not state.new_accounts:
            return
        rows = [
            (a.number, a.name, a.instrument, a.unit, a.owner, int(a.overdraft), a.opened) for a in state.new_accounts
        ]
        kept = chain.chained(rows, standing.account_hash, standing.algorithm)
        self._insert_rows(connection, ACCOUNT, [(*row[:7], 0, 0, 0, 0, 0, 0, 0, *row[7:]) for row in kept])
        self._advance(connection, recorded, accounts=state.account_count, account_hash=kept[-1][-1])

    def _advance(self, connection: sa.Connection, recorded: int, **values: Any) -> None:
        connection.execute(
            statements.advanced(tuple(values)), {"_recorded": recorded} | {f"_{n}": v for n, v in values.items()}
        )

    def _insert_rows(self, connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]]) -> None:
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        if self.dialect != "postgresql":
            places = ", ".join("?" * len(table.columns))
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({places})", rows)
            return
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _update_totals(self, connection: sa.Connection, state: State) -> None:
        deltas, busy = [], []
        for name, (a, b, c, d) in state.before.items():
            account = state.accounts[name]
            deltas.append(
                (
                    account.debits_posted - a,
                    account.credits_posted - b,
                    account.debits_pending - c,
                    account.credits_pending - d,
                    account.moves,
                    account.last,
                    account.number,
                )
            )
            if account.moves >= self.sum_after:
                busy.append(name)
                account.moves = 0
        self._add(connection, deltas)
        days.sum_up(connection, busy, state.seq)

    def _add(self, connection: sa.Connection, deltas: Sequence[tuple[int, ...]]) -> None:
        if self.dialect != "postgresql":
            changes = ", ".join(f"{name} = {name} + ?" for name in TOTALS)
            connection.exec_driver_sql(f"UPDATE account SET {changes}, moves = ?, last = ? WHERE number = ?", deltas)
            return
        changes = ", ".join(f"{name} = account.{name} + delta.{name}" for name in TOTALS)
        arrays = ", ".join(["%s::bigint[]"] * 7)
        connection.exec_driver_sql(
            f"UPDATE account SET {changes}, moves = delta.moves, last = delta.last"
            f" FROM unnest({arrays}) AS delta({', '.join(TOTALS)}, moves, last, number)"
            " WHERE account.number = delta.number",
            tuple("{" + ",".join(map(str, column)) + "}" for column in zip(*deltas, strict=True)),
        )

    def among(self, column: sa.Column[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
        """The condition that a text column is one of `values`, as one parameter however many there are."""
        return statements.among(column, sa.literal(self._keys(values), sa.types.NullType()), self.dialect)

    def _keys(self, values: Iterable[Any]) -> Any:
        return list(values) if self.dialect == "postgresql" else json.dumps(list(values), ensure_ascii=False)

    def _named(self, connection: sa.Connection, what: str, keys: set[Any]) -> Iterable[Any]:
        return connection.execute(self._found[what], {"keys": self._keys(keys)}) if keys else ()

    def _locks(self, connection: sa.Connection) -> dict[str, int]:
        found = connection.execute(sa.select(LOCK.c.instrument, sa.func.max(LOCK.c.until)).group_by(LOCK.c.instrument))
        return {row[0]: row[1] for row in found}

    def _units(self, connection: sa.Connection, instruments: set[str]) -> dict[str, str | None]:
        chosen = sa.select(ACCOUNT.c.instrument, sa.func.max(ACCOUNT.c.unit)).group_by(ACCOUNT.c.instrument)
        return {
            row[0]: row[1] for row in connection.execute(chosen.where(self.among(ACCOUNT.c.instrument, instruments)))
        }

    def _accounts(self, connection: sa.Connection, names: set[Any]) -> dict[str, Account]:
        accounts = {}
        for row in self._named(connection, "account", names):
            number, name, instrument, unit, owner, overdraft, opened, moves, last, *totals = row
            account = Account(name, instrument, owner, bool(overdraft), unit, number, opened, tuple(totals))
            account.moves, account.last, accounts[name] = moves, last, account
        return accounts
