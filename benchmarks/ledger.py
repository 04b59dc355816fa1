"""The ledger against row-by-row ORM code: postings, group commit, verification, on SQLite and PostgreSQL, in one run.

Durable throughout (SQLite synchronous=FULL, PostgreSQL synchronous_commit=on), with idempotency, overdraft check and
hash chain on both sides. 1 % of the transfers repeat an id, 1 % overdraw.
"""

import argparse
import hashlib
import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dualcarbon.core.database import engine as open_engine
from dualcarbon.ledger import Writer, verifier
from dualcarbon.ledger.store import BATCH, Store

HELP = "ledger: batch postings, group commit and verification against row-by-row ORM"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m benchmarks ledger``."""
    parser.add_argument("--entries", type=int, default=100_000, help="transfers to post in batches")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--peer", type=int, default=300, help="transfers of the ORM peer, a commit each")
    parser.add_argument("--clients", type=int, default=50, help="threads that submit one transfer at a time")
    parser.add_argument("--postgresql", metavar="URL", help="an empty database (default: a server of its own)")
    parser.add_argument("--without-postgresql", action="store_true")


def transfers(count: int, accounts: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Transfers among the accounts, as decoded lines."""
    choice = random.Random(seed)
    for n in range(count):
        kind = choice.random()
        debit = choice.randrange(accounts)
        yield {
            "id": f"t{n - 1 if kind < 0.01 and n else n:012d}",
            "debit": f"a{debit:07d}",
            "credit": f"a{(debit + choice.randrange(1, accounts)) % accounts:07d}",
            "instrument": "kgce",
            "amount": 10**12 if 0.01 <= kind < 0.02 else choice.randrange(1, 100),
            "state": "posted",
            "at": "2024-06-30T08:00:00+08:00",
        }


def prepared(url: str, accounts: int) -> Store:
    """A ledger whose accounts hold enough for every ordinary transfer."""
    store = Store(open_engine(url))
    store.install()
    names = [f"a{n:07d}" for n in range(accounts)]
    lines = [{"account": "source", "instrument": "kgce", "overdraft": True}]
    lines += [{"account": name, "instrument": "kgce"} for name in names]
    for start in range(0, len(lines), BATCH):
        store.open_accounts(lines[start : start + BATCH])
    given = [
        {"id": f"g{name}", "debit": "source", "credit": name, "instrument": "kgce", "amount": 10**6} for name in names
    ]
    for start in range(0, len(given), BATCH):
        store.post(given[start : start + BATCH])
    return store


def batches(store: Store, count: int, accounts: int) -> dict[str, Any]:
    """Transfers a second in batches, with the rate of each tenth of the way."""
    lines, rates, batch = transfers(count, accounts), [], []
    started = mark = time.perf_counter()
    posted = since = 0
    for n, line in enumerate(lines, 1):
        batch.append(line)
        if len(batch) == BATCH or n == count:
            store.post(batch)
            posted, since, batch = posted + len(batch), since + len(batch), []
            if since >= count / 10 or n == count:
                rates.append(round(since / (time.perf_counter() - mark)))
                mark, since = time.perf_counter(), 0
    seconds = time.perf_counter() - started
    return {"per_second": round(posted / seconds), "first_tenth": rates[0], "last_tenth": rates[-1]}


def grouped(store: Store, clients: int, each: int, accounts: int) -> dict[str, Any]:
    """Transfers a second, and the 99th percentile of the wait, when `clients` threads submit one at a time."""
    waits: list[float] = []
    work = list(transfers(clients * each, accounts, seed=2))
    with Writer(store) as writer:

        def client(number: int) -> None:
            mine = []
            for line in work[number::clients]:
                before = time.perf_counter()
                writer.post([{**line, "id": f"c{line['id']}"}])
                mine.append(time.perf_counter() - before)
            waits.extend(mine)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
    p99 = statistics.quantiles(waits, n=100)[98]
    return {"clients": clients, "per_second": round(len(work) / seconds), "p99_ms": round(1000 * p99, 1)}


class Base(DeclarativeBase):
    """Tables of the peer."""


class PeerAccount(Base):
    """An account of the peer."""

    __tablename__ = "peer_account"
    name: Mapped[str] = mapped_column(primary_key=True)
    debits: Mapped[int] = mapped_column(sa.BigInteger)
    credits: Mapped[int] = mapped_column(sa.BigInteger)


class PeerEntry(Base):
    """An entry of the peer."""

    __tablename__ = "peer_entry"
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    debit: Mapped[str] = mapped_column(index=True)
    credit: Mapped[str] = mapped_column(index=True)
    amount: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[bytes]


def peer(url: str, count: int, accounts: int) -> dict[str, Any]:
    """Transfers a second with ORM objects, row by row, a commit each, balances locked while they change."""
    made = open_engine(url)
    Base.metadata.create_all(made)
    with Session(made) as session:
        session.add_all(PeerAccount(name=f"a{n:07d}", debits=0, credits=10**6) for n in range(accounts))
        session.commit()
    previous = bytes(32)
    started = time.perf_counter()
    with Session(made) as session:
        for line in transfers(count, accounts):
            if session.scalar(sa.select(PeerEntry).where(PeerEntry.id == line["id"])) is None:
                names = sorted((line["debit"], line["credit"]))
                wanted = sa.select(PeerAccount).where(PeerAccount.name.in_(names)).order_by(PeerAccount.name)
                found = {one.name: one for one in session.scalars(wanted.with_for_update())}
                debit, credit = found[line["debit"]], found[line["credit"]]
                if debit.credits - debit.debits >= line["amount"]:
                    debit.debits += line["amount"]
                    credit.credits += line["amount"]
                    previous = hashlib.sha256(previous + repr(sorted(line.items())).encode()).digest()
                    row = {name: line[name] for name in ("id", "debit", "credit", "amount")}
                    session.add(PeerEntry(**row, hash=previous))
            session.commit()
    seconds = time.perf_counter() - started
    made.dispose()
    return {"per_second": round(count / seconds)}


def verification(store: Store) -> dict[str, Any]:
    """Entries a second of the auditor's verifier over the whole ledger."""
    url = store.engine.url
    source = str(url.database)
    if url.get_backend_name() != "sqlite":
        source = url.set(drivername="postgresql").render_as_string(hide_password=False)
    started = time.perf_counter()
    found = verifier.check_ledger(source)
    seconds = time.perf_counter() - started
    if not found["ok"]:
        raise AssertionError(found)
    return {"entries": found["entries"], "per_second": round(found["entries"] / seconds), "seconds": round(seconds, 2)}


def measured(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """All measurements on one database."""
    store = prepared(url, options.accounts)
    result: dict[str, Any] = {"batches": batches(store, options.entries, options.accounts)}
    result["group_commit"] = grouped(store, options.clients, 40, options.accounts)
    result["verify"] = verification(store)
    store.engine.dispose()
    result["orm_commit_each"] = peer(url, options.peer, options.accounts)
    result["times_orm"] = round(result["batches"]["per_second"] / result["orm_commit_each"]["per_second"], 1)
    return result


@contextmanager
def postgresql(options: argparse.Namespace) -> Iterator[str | None]:
    """The address of an empty PostgreSQL database, or None when there is no server to be had."""
    from tests.postgresql import NoServer, server

    if options.without_postgresql:
        yield None
        return
    try:
        with nullcontext(options.postgresql) if options.postgresql else server() as address:
            yield address.format("postgres")
    except NoServer:
        yield None


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both databases; `times_orm` is the ratio of batch postings to the ORM peer in this run."""
    result: dict[str, Any] = {"entries": options.entries, "processors": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        result["sqlite"] = measured(f"sqlite:///{Path(folder) / 'dualcarbon.db'}", options)
    with postgresql(options) as url:
        if url is not None:
            result["postgresql"] = measured(url, options)
    scale = 1 if sys.platform == "darwin" else 1024
    result["memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20)
    return result
