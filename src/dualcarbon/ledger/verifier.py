"""An auditor's check of a dualcarbon ledger. It shares no code with the program that writes the ledger.

It needs Python 3.11 and this file; nothing else (for a PostgreSQL database also `psycopg`, for SM3 an OpenSSL that has
it). It reads and never writes. Run it on a database, on an exported file, or on one proof:

    python verifier.py dualcarbon.db [--heads heads.jsonl] [--key HEX] [--json]
    python verifier.py postgresql://host/name ...
    python verifier.py ledger.jsonl ...
    python verifier.py proof.json ...

What is checked
1. Every account, lock, refusal and entry: numbered 1, 2, 3, ... without a gap, and its hash is
   H(0x00 || hash of the row before || form), `form` being the JSON array of its fields in the order given below,
   UTF-8, no white space. H is SHA-256 or SM3. A changed, missing, added or moved row breaks this at its number.
2. The money: each entry's two balances continue those of the entries before, its accounts exist with its instrument, no
   account without permission goes below zero, a pending amount ends at most once, an entry is reversed at most once, no
   refused id has an entry; the totals kept in the accounts and by day are the sums of the entries; the links by which
   an account's entries are found leave none out.
3. The signed heads, those kept in the ledger and those in --heads (your own copy): the Ed25519 signature (RFC 8032),
   and that the Merkle tree over the first `size` entries (RFC 6962) has the head's root. With your own copy a ledger
   rewritten from beginning to end is found too.

Exit code: 0 all is well, 1 something is not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from itertools import count, repeat
from typing import Any

ENTRY = ["seq", "id", "debit", "credit", "instrument", "amount", "state", "pending_id", "released", "linked"]
ENTRY += ["reverses", "reason", "at", "expires", "recorded", "debit_after", "credit_after", "form", "hash"]
ACCOUNT = ["number", "account", "instrument", "unit", "owner", "overdraft", "opened", "form", "hash"]
TOTALS = ["debits_posted", "credits_posted", "debits_pending", "credits_pending"]
LOCK = ["number", "instrument", "until", "reason", "recorded", "form", "hash"]
REFUSAL = ["number", "id", "result", "recorded", "form", "hash"]
DAY = ["account", "day", "first", "last", *TOTALS]
# The numbers of the entries before an entry of its two accounts, by which statements are read; not part of its form.
LINKS = ["debit_previous", "credit_previous"]
LEDGER = ["origin", "algorithm", "entries", "entry_hash", "accounts", "account_hash"]
LEDGER += ["locks", "lock_hash", "refusals", "refusal_hash"]
# Entries are read CHUNK at a time; a process follows a stretch of chunks before it reports.
CHUNK = 2**12
STRETCH = 2**17
# A day in China and the microseconds from its day 0 (0000-12-31) to 1970-01-01T00:00Z.
DAY_LENGTH = 86_400_000_000
DAY_SHIFT = 719_163 * DAY_LENGTH + 8 * 3_600_000_000

Row = tuple[Any, ...]
Fault = tuple[int, str]
Part = tuple[int, bytes]

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def hash_of(algorithm: str, data: bytes) -> bytes:
    if algorithm not in ("sha256", "sm3"):
        raise ValueError(f"unknown hash algorithm {algorithm!r}")
    return hashlib.new(algorithm, data).digest()


def genesis(algorithm: str, origin: str, log: str) -> bytes:
    return hash_of(algorithm, b"\0" + encode(["dualcarbon.ledger", algorithm, origin, log]).encode())


def forms(rows: Sequence[Row]) -> list[bytes]:
    """The form of each row. All are encoded at once and cut at the brackets between rows (a form has no line break)."""
    if not rows:
        return []
    whole = encode(rows)[1:-1].encode(errors="replace")
    cut = whole.replace(b"],[", b"]\n[").split(b"\n")
    return cut if len(cut) == len(rows) else [encode(row).encode(errors="replace") for row in rows]


def check_chain(
    rows: Sequence[Row], number: int, previous: bytes, algorithm: str, width: int
) -> tuple[list[bytes], Fault | None]:
    """Check consecutive rows (`width` fields, form, hash, …), the first numbered `number`.

    Returns the hashes up to the first bad row, and that row's number with what is wrong.
    """
    make = hashlib.sha256 if algorithm == "sha256" else lambda data: hashlib.new(algorithm, data)
    try:
        written = forms([row[:width] for row in rows])
    except TypeError:  # something that has no JSON form, such as bytes where text belongs
        place = next(place for place, row in enumerate(rows) if not all(type(x) in PLAIN for x in row[:width]))
        hashes, fault = check_chain(rows[:place], number, previous, algorithm, width)
        return hashes, fault or (number + place, "altered")
    hashes = []
    for form in written:
        previous = make(b"\0" + previous + form).digest()
        hashes.append(previous)
    told = [(row[0], row[width], row[width + 1]) for row in rows]
    if told == list(zip(count(number), repeat(1), hashes, strict=False)):
        return hashes, None
    for place, row in enumerate(rows):
        if row[0] != number + place:
            return hashes[:place], (number + place, "missing")
        if told[place][1:] != (1, hashes[place]):
            return hashes[:place], (number + place, "altered")
    return hashes, None


PLAIN = (str, int, type(None), float, bool)


class Money:
    """What a stretch of entries does to accounts, relative to where they stood before it.

    `seen`: account -> [instrument, balance before, first entry, least room, its entry | balance, what pending debits
    hold | on the present day: day, first entry, last entry, balance before it, debits posted, debits and credits
    pending | entry up to which it is summed | its last entry, the one before its first]; `moved`: day (0 for entries
    not summed yet) -> account -> [the four totals, first and last entry].
    """

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.seen: dict[str, list[Any]] = {}
        self.moved: dict[int, dict[str, list[int]]] = {}

    def follow(self, rows: Sequence[Row]) -> Fault | None:
        """Follow the amounts of consecutive entries; the first fault."""
        try:
            return self.walk(rows)
        except (KeyError, TypeError):
            for row in rows:
                if row[2] not in self.accounts or row[3] not in self.accounts:
                    return row[0], "unknown account"
                if not all(type(row[place]) is int for place in (5, 12, 15, 16)):
                    return row[0], "impossible amount"
            raise

    def walk(self, rows: Sequence[Row]) -> Fault | None:
        seen, day, start, end = self.seen, 0, 0, 0
        for (
            seq,
            _,
            debit,
            credit,
            kind,
            amount,
            state,
            _,
            released,
            _,
            _,
            _,
            at,
            _,
            _,
            after,
            credit_after,
            _,
            _,
            debit_previous,
            credit_previous,
        ) in rows:
            posted = state == "posted" or state == "post"
            d, c = seen.get(debit), seen.get(credit)
            if d is None:
                d = seen[debit] = self.start(debit, after + amount if posted else after, seq, debit_previous)
            if c is None:
                before = credit_after - amount if posted else credit_after
                c = seen[credit] = self.start(credit, before, seq, credit_previous)
            if d[0] != kind or c[0] != kind:
                return seq, "wrong instrument"
            if type(amount) is not int or amount <= 0 or d is c:
                return seq, "impossible amount"
            if d[14] or c[14]:  # an account summed by day
                if not start <= at < end:
                    day = (at + DAY_SHIFT) // DAY_LENGTH
                    start = day * DAY_LENGTH - DAY_SHIFT
                    end = start + DAY_LENGTH
                if d[7] != (day if seq <= d[14] else 0):
                    self.turn(debit, d, seq, day if seq <= d[14] else 0)
                if c[7] != (day if seq <= c[14] else 0):
                    self.turn(credit, c, seq, day if seq <= c[14] else 0)
                d[9] = c[9] = seq
            if posted:
                d[5] -= amount
                c[5] += amount
                d[11] += amount
            if released or state == "pending":
                held = amount if state == "pending" else -released
                d[6] += held
                d[12] += held
                c[13] += held
            if d[5] != after or c[5] != credit_after:
                return seq, "wrong balance"
            if d[15] != debit_previous or c[15] != credit_previous:
                return seq, "wrong link"
            d[15] = c[15] = seq
            if after - d[6] < d[3]:
                d[3], d[4] = after - d[6], seq
        return None

    def start(self, account: str, balance: int, seq: int, link: int) -> list[Any]:
        kind, _, summed = self.accounts[account]
        return [kind, balance, seq, 2**64, seq, balance, 0, 0, seq, seq, balance, 0, 0, 0, summed, link, link]

    def turn(self, account: str, known: list[Any], seq: int, day: int) -> None:
        """Put what the account moved on its present day to `moved`; a new day begins for it with entry `seq`."""
        balance, _, today, first, last, before, debits, debits_pending, credits_pending, _ = known[5:15]
        sums = self.moved.setdefault(today, {}).setdefault(account, [0, 0, 0, 0, first, last])
        new = (debits, balance - before + debits, debits_pending, credits_pending)
        sums[:4] = [a + b for a, b in zip(sums, new, strict=False)]
        sums[5] = last
        known[7:14] = [day, seq, seq, balance, 0, 0, 0]

    def totals(self) -> dict[str, list[int]]:
        """The four totals that each account moved by, over all days; nothing may follow."""
        for name, known in self.seen.items():
            self.turn(name, known, 0, -1)
        sums = {name: [0, 0, 0, 0] for name in self.seen}
        for accounts in self.moved.values():
            for name, (a, b, c, d, _, _) in accounts.items():
                total = sums[name]
                total[0] += a
                total[1] += b
                total[2] += c
                total[3] += d
        return sums

    def outside(self, kept: dict[tuple[str, int], Row]) -> Fault | None:
        """The first entry that lies outside what the sums by day say of its account and day."""
        faults = []
        for day, accounts in self.moved.items():
            for name, (*_, first, last) in accounts.items() if day else ():
                row = kept.get((name, day))
                if row is None or first < row[2] or last > row[3]:
                    faults.append((first if row is None or first < row[2] else last, "not within its sum by day"))
        return min(faults, default=None)


def fingerprint(rows: Iterable[tuple[int, str, Sequence[int]]], secret: bytes) -> int:
    """A number in which sums by (day, account) add up, however they are cut into rows.

    Every day and account has a secret weight and every total another: two tables that differ have the same number with
    a chance below 2**-58. It needs no memory, where comparing all days of all accounts would.
    """
    weights = [int.from_bytes(hashlib.blake2b(b"%d" % n, key=secret).digest()[:8], "big") for n in range(4)]
    total = 0
    for day, account, sums in rows:
        weight = hashlib.blake2b(b"%d %s" % (day, account.encode()), key=secret, digest_size=8).digest()
        mixed = sum(a * b for a, b in zip(weights, sums, strict=False))
        total += int.from_bytes(weight, "big") * mixed
    return total % (2**61 - 1)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's cycle collector: rows have no cycles, and it would walk them all again and again."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def grow(parts: list[Part], part: Part, algorithm: str) -> None:
    """Add the root of a complete subtree to a tree kept as the (width, root) of its complete subtrees."""
    parts.append(part)
    while len(parts) > 1 and parts[-1][0] == parts[-2][0]:
        (width, left), (_, right) = parts[-2:]
        parts[-2:] = [(2 * width, hash_of(algorithm, b"\1" + left + right))]


def complete(leaves: Sequence[bytes], algorithm: str) -> list[Part]:
    """The roots of the complete subtrees over the leaves, widest first."""
    make = hashlib.sha256 if algorithm == "sha256" else lambda data: hashlib.new(algorithm, data)
    level, width, parts = list(leaves), 1, []
    while level:
        if len(level) % 2:
            parts.append((width, level.pop()))
        level = [make(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
        width *= 2
    return parts[::-1]


def root(parts: Sequence[Part], algorithm: str) -> bytes:
    if not parts:
        return hash_of(algorithm, b"")
    *rest, (_, node) = parts
    for _, left in reversed(rest):
        node = hash_of(algorithm, b"\1" + left + node)
    return node


class Database:
    """A ledger in an SQLite file or a PostgreSQL database, opened for reading at one moment."""

    def __init__(self, source: str) -> None:
        self.source, self.cursors = source, 0
        self.connection: Any
        if "://" in source:
            import psycopg

            self.connection = psycopg.connect(source)
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            path = os.path.abspath(source).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
            self.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
            self.connection.execute("BEGIN")

    def close(self) -> None:
        self.connection.close()

    def rows(self, table: str, names: Sequence[str], tail: str = "") -> list[Row]:
        return list(self.chunks(table, names, tail))

    def chunks(self, table: str, names: Sequence[str], tail: str = "") -> Iterator[Row]:
        """Rows in the order asked, read a chunk at a time."""
        for rows in self.read(table, names, tail):
            yield from rows

    def read(self, table: str, names: Sequence[str], tail: str = "") -> Iterator[list[Row]]:
        columns = ", ".join(f'"{name}"' for name in names)
        query = f"SELECT {columns} FROM {table} {tail}"
        if isinstance(self.connection, sqlite3.Connection):
            cursor = self.connection.execute(query)
        else:
            self.cursors += 1
            cursor = self.connection.cursor(f"rows{self.cursors}", binary=True)
            cursor.execute(query)
        with closing(cursor):
            while rows := cursor.fetchmany(CHUNK):
                yield rows

    def load(self) -> None:
        (ledger,) = self.rows("ledger", LEDGER)
        self.ledger = dict(zip(LEDGER, ledger, strict=True))
        self.accounts = self.rows("account", [*ACCOUNT, *TOTALS, "last", "summed"], "ORDER BY number")
        self.locks = self.rows("ledger_lock", LOCK, "ORDER BY number")
        names = ["note", "scheme", "key", "signature"]
        self.heads = [dict(zip(names, row, strict=True)) for row in self.rows("ledger_head", names, "ORDER BY number")]
        ((self.count,),) = self.rows("entry", ["seq"], "ORDER BY seq DESC LIMIT 1") or [(0,)]

    def entries(self, start: int, stop: int) -> Iterator[list[Row]]:
        """The entries numbered start..stop, chunk by chunk."""
        return self.read("entry", [*ENTRY, *LINKS], f"WHERE seq >= {int(start)} AND seq <= {int(stop)} ORDER BY seq")

    def refusals(self) -> Iterator[list[Row]]:
        return self.read("entry_refusal", REFUSAL, "ORDER BY number")

    def days(self, start: int | None = None, stop: int | None = None) -> Iterator[Row]:
        """The sums by day, those alone whose entries lie about start..stop."""
        some = "" if start is None or stop is None else f'WHERE "first" <= {int(stop)} AND "last" >= {int(start)}'
        return self.chunks("account_day", DAY, some)

    def recorded_though_refused(self) -> Iterator[int]:
        """The numbers of entries whose id was refused."""
        yield from (row[0] for row in self.rows("entry", ["seq"], "WHERE id IN (SELECT id FROM entry_refusal)"))

    def marks(self) -> list[Row]:
        """Marks at an entry that is not the account's: a statement that begins there would leave entries out."""
        own = "entry.seq = account_mark.seq AND account_mark.account IN (entry.debit, entry.credit)"
        return self.rows("account_mark", ["account", "seq"], f"WHERE NOT EXISTS (SELECT 1 FROM entry WHERE {own})")

    def doubles(self) -> Iterator[int]:
        """The numbers of entries that end a pending amount, or reverse an entry, a second time."""
        for name in ("pending_id", "reverses"):
            again = f"SELECT max(seq) AS seq FROM entry WHERE {name} IS NOT NULL GROUP BY {name} HAVING count(*) > 1"
            yield from (row[0] for row in self.rows(f"({again}) AS again", ["seq"]))


class Export:
    """A ledger in an exported file of JSON lines."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.accounts: list[Row] = []
        self.locks: list[Row] = []
        self.heads: list[dict[str, Any]] = []
        self.kept: list[Row] = []
        self.refused: list[Row] = []
        self.sums: list[Row] = []

    def close(self) -> None:
        self.kept = []

    def load(self) -> None:
        last: dict[str, int] = {}
        with open(self.source, encoding="utf-8") as file:
            for line in file:
                ((kind, row),) = json.loads(line).items()
                for name in ("hash", "entry_hash", "account_hash", "lock_hash", "refusal_hash"):
                    if name in row:
                        row[name] = bytes.fromhex(row[name])
                if kind == "ledger":
                    self.ledger = row
                elif kind == "account":
                    row.setdefault("last", None)
                    self.accounts.append(tuple(row[name] for name in [*ACCOUNT, *TOTALS, "last", "summed"]))
                elif kind == "lock":
                    self.locks.append(tuple(row[name] for name in LOCK))
                elif kind == "entry":
                    for side in ("debit", "credit"):  # earlier exports have no links
                        row.setdefault(f"{side}_previous", last.get(row[side], 0))
                    last[row["debit"]] = last[row["credit"]] = row["seq"]
                    self.kept.append(tuple(row[name] for name in [*ENTRY, *LINKS]))
                elif kind == "refusal":
                    self.refused.append(tuple(row[name] for name in REFUSAL))
                elif kind == "day":
                    self.sums.append(tuple(row[name] for name in DAY))
                elif kind == "head":
                    self.heads.append(row)
        self.count = len(self.kept)

    def entries(self, start: int, stop: int) -> Iterator[list[Row]]:
        return (self.kept[place : min(place + CHUNK, stop)] for place in range(start - 1, stop, CHUNK))

    def refusals(self) -> Iterator[list[Row]]:
        return (self.refused[place : place + CHUNK] for place in range(0, len(self.refused), CHUNK))

    def days(self, start: int | None = None, stop: int | None = None) -> Iterator[Row]:
        whole = start is None or stop is None
        return (row for row in self.sums if whole or (row[2] <= stop and row[3] >= start))

    def recorded_though_refused(self) -> Iterator[int]:
        refused = {row[1] for row in self.refused}
        return (row[0] for row in self.kept if row[1] in refused)

    def marks(self) -> list[Row]:
        return []

    def doubles(self) -> Iterator[int]:
        for place in (7, 10):
            seen: set[str] = set()
            for row in self.kept:
                if row[place] is not None and row[place] in seen:
                    yield row[0]
                seen.add(row[place])


# What a process needs to check stretches: where the ledger is, its algorithm, the accounts with instrument, permission
# to go below zero and the entry up to which they are summed by day, the sizes heads ask for, the fingerprint's secret.
Accounts = dict[str, tuple[str, bool, int]]
Shared = tuple["Database | Export", str, Accounts, list[int], bytes]
shared: Shared


def share(source: str, *known: Any) -> None:
    global shared
    gc.disable()
    shared = Database(source), *known


def check_stretch(start: int, stop: int, previous: bytes) -> Any:
    """Check the entries numbered start..stop.

    Returns the first fault, what happened to accounts, the fingerprint of the sums by day, the last hash, the complete
    subtrees over the stretch, and those over its first part up to each size a head asks for.
    """
    book, algorithm, accounts, sizes, secret = shared
    money, number, fault = Money(accounts), start, None
    parts: list[Part] = []
    inside: dict[int, list[Part]] = {}
    for rows in book.entries(start, stop):
        hashes, fault = check_chain(rows, number, previous, algorithm, len(ENTRY) - 2)
        wrong = money.follow(rows[: len(hashes)] if fault else rows)
        if wrong and (fault is None or wrong[0] < fault[0]):
            fault = wrong
        for size in sizes:
            if number <= size < number + len(hashes):
                inside[size] = [*parts, *complete(hashes[: size - number + 1], algorithm)]
        for part in complete(hashes, algorithm):
            grow(parts, part, algorithm)
        number += len(hashes)
        previous = hashes[-1] if hashes else previous
        if fault:
            break
    if fault is None and number <= stop:
        fault = (number, "missing")
    totals = money.totals()
    if fault is None:
        fault = money.outside({(row[0], row[1]): row for row in book.days(start, stop)})
    moved = ((day, name, sums) for day, names in money.moved.items() if day for name, sums in names.items())
    seen = {name: (totals[name], before, least, lowest, first, link, last) for name,
            (_, before, first, least, lowest, *_, last, link) in money.seen.items()}  # fmt: skip
    return fault, seen, fingerprint(moved, secret), previous, parts, inside


def check_stretches(book: Database | Export, processes: int) -> Iterator[Any]:
    """The results of check_stretch over the whole log in order; each needs only the hash before its first entry."""
    length = CHUNK
    while length < STRETCH and length * processes * 4 < book.count:
        length *= 2
    starts = range(1, book.count + 1, length)
    stops = [min(start + length - 1, book.count) for start in starts]
    befores = [genesis(shared[1], book.ledger["origin"], "entry")]
    for start in starts[1:]:
        befores.append(next((row[len(ENTRY) - 1] for rows in book.entries(start - 1, start - 1) for row in rows), b""))
    if isinstance(book, Export) or processes == 1 or len(starts) < 4:
        yield from map(check_stretch, starts, stops, befores)
        return
    with ProcessPoolExecutor(processes, initializer=share, initargs=(book.source, *shared[1:])) as pool:
        yield from pool.map(check_stretch, starts, stops, befores)


def check_ledger(
    source: str, heads: Iterable[dict[str, Any]] = (), key: str | None = None, processes: int | None = None
) -> dict[str, Any]:
    """Check a database or an exported file; `heads` are the auditor's own, `key` the public key they trust (hex)."""
    book = Export(source) if source.endswith(".jsonl") else Database(source)
    with closing(book), uncollected():
        book.load()
        return check_book(book, list(heads), key, processes or min(os.cpu_count() or 1, 8))


def check_book(book: Database | Export, own: list[dict[str, Any]], key: str | None, processes: int) -> dict[str, Any]:
    global shared
    ledger, count, problems = book.ledger, book.count, []
    algorithm, origin = ledger["algorithm"], ledger["origin"]
    if algorithm not in ("sha256", "sm3"):
        return report(ledger, [{"what": "ledger", "problem": f"unknown hash algorithm {algorithm!r}"}])
    heads = [(head, "kept in the ledger", said(head)) for head in book.heads]
    heads += [(head, "your copy", said(head)) for head in own]
    chains = {}
    for log, rows, width in (
        ("account", [book.accounts], len(ACCOUNT) - 2),
        ("lock", [book.locks], len(LOCK) - 2),
        ("refusal", book.refusals(), len(REFUSAL) - 2),
    ):
        known = chains[log] = [genesis(algorithm, origin, log)]
        fault: Fault | None = None
        for some in rows:
            hashes, fault = check_chain(some, len(known), known[-1], algorithm, width)
            known += hashes
            if fault:
                break
        if fault is None and (len(known) - 1 != ledger[log + "s"] or known[-1] != ledger[f"{log}_hash"]):
            fault = (len(known), "missing")
        if fault:
            problems.append({"what": log, "number": fault[0], "problem": fault[1]})

    accounts = {row[1]: (row[2], bool(row[5]), row[-1]) for row in book.accounts}
    sizes, secret = sorted({int(told["size"]) for *_, told in heads}), os.urandom(32)
    shared = book, algorithm, accounts, sizes, secret
    standing = {name: [0, 0, 0, 0] for name in accounts}
    links: dict[str, int] = {}
    parts: list[Part] = []
    roots, last, print_of_days = {0: root(parts, algorithm)}, genesis(algorithm, origin, "entry"), 0
    first: Fault | None = None
    for fault, seen, one, last_hash, grown, inside in check_stretches(book, processes):
        for size, part_of in inside.items():
            roots[size] = root([*parts, *part_of], algorithm)
        for part in grown:
            grow(parts, part, algorithm)
        for name, (moved, before, least, lowest, opening, link, newest) in seen.items():
            totals = standing[name]
            if link != links.get(name, 0):
                fault = min(fault or (opening, ""), (opening, "wrong link"))
            links[name] = newest
            if totals[1] - totals[0] != before:
                fault = min(fault or (opening, ""), (opening, f"the balance of {name} does not continue"))
            if not accounts[name][1] and least < totals[2]:
                fault = min(fault or (lowest, ""), (lowest, f"overdraft of {name}"))
            standing[name] = [a + b for a, b in zip(totals, moved, strict=True)]
        last, print_of_days = last_hash, print_of_days + one
        if fault:
            first = fault
            break
    if first is None and (count != ledger["entries"] or last != ledger["entry_hash"]):
        first = (min(count, ledger["entries"]) + 1, "missing")
    twice = [(seq, "ended or reversed twice") for seq in book.doubles()]
    twice += [(seq, "recorded though its id was refused") for seq in book.recorded_though_refused()]
    first = min([*([first] if first else []), *twice], default=None)
    if first is None:
        for row in book.accounts:
            if list(row[len(ACCOUNT) : -2]) != standing[row[1]]:
                problems.append({"what": "account", "number": row[0], "account": row[1], "problem": "wrong totals"})
            if row[-2] not in (None, links.get(row[1], 0)):
                problems.append({"what": "account", "number": row[0], "account": row[1], "problem": "wrong last entry"})
        problems += [
            {"what": "mark", "account": row[0], "problem": f"{row[1]} is not its entry"} for row in book.marks()
        ]
        kept = ((row[1], row[0], row[4:]) for row in book.days())
        if fingerprint(kept, secret) != print_of_days % (2**61 - 1):
            problems.append({"what": "day", "problem": "wrong sums by day"})

    good = 0
    for head, where, told in heads:
        size, found = int(told["size"]), roots.get(int(told["size"]))
        problem = check_signature(head, key)
        if problem is None and (told["origin"], told["algorithm"]) != (origin, algorithm):
            problem = "of another ledger"
        if problem is None and found is None and first is None:
            problem, first = f"covers {size} entries, the ledger has {count}", (count + 1, "missing")
        if problem is None and found is not None and found.hex() != told["root"]:
            problem = f"has another root: some of the entries {good + 1} to {size} were rewritten"
        for log in ("account", "lock", "refusal"):
            number, known_hash = told.get(log + "s", "0 -").split()  # heads of form 1 do not tell of refusals
            there = chains[log][int(number)].hex() if int(number) < len(chains[log]) else None
            if problem is None and there != known_hash and known_hash != "-":
                problem = f"has other {log}s"
        if problem:
            problems.append({"what": "head", "number": size, "where": where, "problem": problem})
        elif found is not None:
            good = max(good, size)
    if first:
        problems.insert(0, {"what": "entry", "number": first[0], "problem": first[1]})
    whole = None if first else root(parts, algorithm).hex()
    return report(ledger, problems, entries=count, accounts=len(accounts), heads=len(heads), root=whole)


def report(ledger: dict[str, Any], problems: list[dict[str, Any]], **counts: Any) -> dict[str, Any]:
    entry = next((one["number"] for one in problems if one["what"] == "entry"), None)
    return {"ok": not problems, "origin": ledger["origin"], **counts, "entry": entry, "problems": problems}


def said(head: dict[str, Any]) -> dict[str, str]:
    """What a head's signed text says, by name."""
    return dict(line.split(" ", 1) for line in head["note"].splitlines())


def check_proof(proof: dict[str, Any], heads: Sequence[dict[str, Any]] = (), key: str | None = None) -> dict[str, Any]:
    """Check one inclusion or consistency proof; `heads` are the auditor's own copies, `key` the trusted key (hex)."""
    asked = [proof["head"]] if proof["proof"] == "inclusion" else [proof["old"], proof["new"]]
    problems = []
    for head in asked:
        fault = check_signature(head, key)
        if fault is None and heads and head["note"] not in [one["note"] for one in heads]:
            fault = "is not among your copies"
        if fault:
            problems.append({"what": "head", "problem": fault})
    told = [said(head) for head in asked]
    algorithm, path = told[-1]["algorithm"], [bytes.fromhex(node) for node in proof["path"]]
    roots, sizes = [one["root"] for one in told], [int(one["size"]) for one in told]
    if proof["proof"] == "inclusion":
        fields = [proof["entry"].get(name) for name in ENTRY[:-2]]
        leaf = hash_of(algorithm, b"\0" + bytes.fromhex(proof["previous"]) + encode(fields).encode())
        found = root_from_inclusion(algorithm, leaf, proof["entry"]["seq"] - 1, sizes[0], path)
        fine = proof.get("form") == 1 and found is not None and found.hex() == roots[0]
    else:
        fine = leads_to_both(algorithm, roots[0], roots[1], sizes[0], sizes[1], path)
        fine = fine and all(told[0][name] == told[1][name] for name in ("origin", "algorithm"))
    if not fine:
        problems.append({"what": proof["proof"], "problem": "the proof does not lead to the signed root"})
    trusted = "your copies of the heads" if heads else "the given key" if key else None
    return {"ok": not problems, "proof": proof["proof"], "head": told[-1], "trust": trusted, "problems": problems}


def root_from_inclusion(algorithm: str, node: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for other in path:
        if last == 0:
            return None
        if index % 2 or index == last:
            node = hash_of(algorithm, b"\1" + other + node)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = hash_of(algorithm, b"\1" + node + other)
        index, last = index // 2, last // 2
    return node if last == 0 else None


def leads_to_both(algorithm: str, old_root: str, new_root: str, old: int, new: int, path: list[bytes]) -> bool:
    """Whether the path leads to both roots: RFC 9162 section 2.1.4.2."""
    if old > new:
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == hash_of(algorithm, b"").hex()
    nodes = ([bytes.fromhex(old_root)] if old & (old - 1) == 0 else []) + path
    if not nodes:
        return False
    index, last = old - 1, new - 1
    while index % 2:
        index, last = index // 2, last // 2
    first = second = nodes[0]
    for other in nodes[1:]:
        if last == 0:
            return False
        if index % 2 or index == last:
            first = hash_of(algorithm, b"\1" + other + first)
            second = hash_of(algorithm, b"\1" + other + second)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            second = hash_of(algorithm, b"\1" + second + other)
        index, last = index // 2, last // 2
    return last == 0 and first.hex() == old_root and second.hex() == new_root


def check_signature(head: dict[str, Any], key: str | None = None) -> str | None:
    """None when the head is signed by its key (and that is the trusted one), else why not."""
    if head["scheme"] != "ed25519":
        return f"is signed by a scheme this file does not know: {head['scheme']}"
    public, signature = (x if isinstance(x, bytes) else bytes.fromhex(x) for x in (head["key"], head["signature"]))
    if key is not None and public.hex() != key.lower():
        return "is signed by another key"
    return None if ed25519_valid(public, head["note"].encode(), signature) else "has a false signature"


# Ed25519 verification (RFC 8032 section 5.1.7) in plain integers; slow, but heads are few.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]


def _point(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _add(a: Point, b: Point) -> Point:
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, d - c, d + c, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def ed25519_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    base = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    if a is None or r is None or base is None or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left, right = _times(s, base), _add(r, _times(h, a))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def read_heads(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The heads in a file of JSON lines."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a dualcarbon ledger, an export of it, or one proof.")
    parser.add_argument("source", help="dualcarbon.db | postgresql://... | export.jsonl | proof.json")
    parser.add_argument("--heads", help="your own copy of signed heads (JSON lines)")
    parser.add_argument("--key", help="the public key you trust, hexadecimal")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    try:
        heads = read_heads(options.heads) if options.heads else []
        if options.source.endswith(".json"):
            with open(options.source, encoding="utf-8") as file:
                found = check_proof(json.load(file), heads, options.key)
        else:
            found = check_ledger(options.source, heads, options.key)
    except (OSError, sqlite3.Error, KeyError, ValueError, TypeError) as error:
        print(f"cannot check {options.source}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print("all is well" if found["ok"] else "something is not right")
        for name, value in found.items():
            if name not in ("ok", "problems") and value is not None:
                print(f"  {name}: {value}")
        for problem in found["problems"]:
            print("  - " + ", ".join(f"{name} {value}" for name, value in problem.items()))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
