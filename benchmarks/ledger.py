"""The ledger against row-by-row ORM code: postings, HTTP, growth, verification, on SQLite and PostgreSQL, in one run.

Durable throughout (SQLite synchronous=FULL, PostgreSQL synchronous_commit=on), with idempotency, overdraft check and
hash chain on both sides. 1 % of the transfers repeat an id, 1 % overdraw; their dates go through one year.
"""

import argparse
import asyncio
import datetime
import hashlib
import json
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dualcarbon.core.database import ENVIRONMENT
from dualcarbon.core.database import engine as open_engine
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger import Writer, reads, verifier
from dualcarbon.ledger.store import BATCH, Store

HELP = "ledger: batch postings, HTTP, growth and verification against row-by-row ORM"
HOT = "a0000000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m benchmarks ledger``."""
    parser.add_argument("--entries", type=int, default=100_000, help="transfers to post in batches")
    parser.add_argument("--sizes", default="", help="grow to these sizes and measure at each: 10000,100000,1000000")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--peer", type=int, default=1000, help="transfers of the ORM peer, a commit each")
    parser.add_argument("--clients", type=int, default=50, help="threads, then HTTP clients, one transfer at a time")
    parser.add_argument("--requests", type=int, default=200, help="transfers of each HTTP client (0: no HTTP)")
    parser.add_argument("--warm-up", type=float, default=10, help="seconds of HTTP before it is measured")
    parser.add_argument("--postgresql", metavar="URL", help="an empty database (default: a server of its own)")
    parser.add_argument("--without-postgresql", action="store_true")
    parser.add_argument("--without-sqlite", action="store_true")


def transfers(count: int, accounts: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Transfers among the accounts, as decoded lines; every hundredth goes to one account, which so becomes busy."""
    choice, first = random.Random(seed), datetime.date(2024, 1, 1)
    days = [f"{first + datetime.timedelta(n)}T08:00:00+08:00" for n in range(366)]
    for n in range(count):
        kind = choice.random()
        debit = choice.randrange(1, accounts)
        credit = (debit + choice.randrange(1, accounts)) % accounts
        yield {
            "id": f"t{n - 1 if kind < 0.01 and n else n:012d}",
            "debit": f"a{debit:07d}",
            "credit": f"a{credit:07d}" if n % 100 else HOT,
            "instrument": "kgce",
            "amount": 10**12 if 0.01 <= kind < 0.02 else choice.randrange(1, 100),
            "state": "posted",
            "at": days[n * 366 // count],
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
    """Transfers a second in batches, by tenths of the way too; a batch is made before its clock starts."""
    lines, rates = transfers(count, accounts), []
    posted = since = 0
    seconds = busy = spent = 0.0
    while posted < count:
        batch = [line for _, line in zip(range(min(BATCH, count - posted)), lines, strict=False)]
        began, mark = time.process_time(), time.perf_counter()
        store.post(batch)
        took, busy = time.perf_counter() - mark, busy + time.process_time() - began
        seconds, spent, posted, since = seconds + took, spent + took, posted + len(batch), since + len(batch)
        if since >= count / 10 or posted == count:
            rates.append(round(since / spent))
            spent, since = 0.0, 0
    own = round(1e6 * busy / posted, 1)
    return {"per_second": round(posted / seconds), "first": rates[0], "last": rates[-1], "own_cpu_us_each": own}


def growth(store: Store, sizes: list[int], accounts: int) -> list[dict[str, Any]]:
    """At each size: the rate since the size before, and how long reads of the busiest account take (milliseconds)."""
    lines, done, told = transfers(max(sizes), accounts, seed=3), 0, []
    middle = int(datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.UTC).timestamp() * 1e6)
    for size in sizes:
        spent = 0.0
        own, since = 0.0, done
        while done < size:
            batch = [
                {**line, "id": f"g{line['id']}"} for _, line in zip(range(min(BATCH, size - done)), lines, strict=False)
            ]
            mark, busy = time.perf_counter(), time.process_time()
            store.post(batch)
            spent, own = spent + time.perf_counter() - mark, own + time.process_time() - busy
            done += len(batch)
        told.append(
            {
                "entries": size,
                "per_second": round((size - since) / spent),
                "own_cpu_us_each": round(1e6 * own / (size - since), 1),
                "balance_ms": _median(lambda: reads.balance(store.engine, HOT)),
                "balance_at_ms": _median(lambda: reads.balance(store.engine, HOT, middle)),
                "statement_from_ms": _median(lambda: reads.statement(store.engine, HOT, since=middle, limit=50)),
                "memory_mb": _memory(),
            }
        )
    return told


def _median(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(9):
        mark = time.perf_counter()
        work()
        times.append(time.perf_counter() - mark)
    return round(1000 * statistics.median(times), 2)


def _memory() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20)


@contextmanager
def served(folder: Path, url: str | None, count: int) -> Iterator[list[int]]:
    """The ports of `count` real servers of the workspace `folder`, on the database `url` (None: its own SQLite)."""
    ports = []
    for _ in range(count):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    environment = os.environ | ({ENVIRONMENT: url} if url else {})
    command = [sys.executable, "-m", "dualcarbon", "serve", "--workspace", str(folder), "--port"]
    running = [subprocess.Popen([*command, str(p)], env=environment, stdout=subprocess.DEVNULL) for p in ports]
    try:
        for port in ports:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        yield ports
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


async def _client(port: int, bodies: list[bytes], waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /ledger/transfer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    for body in bodies:
        mark = time.perf_counter()
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        told = await reader.readexactly(length)
        waits.append(time.perf_counter() - mark)
        if b'"ok"' not in told:
            raise AssertionError(told)
    writer.close()


def http(ports: list[int], clients: int, each: int, accounts: int, warm_up: float) -> dict[str, Any]:
    """Transfers a second, and the wait, of `clients` kept-alive HTTP connections that send one transfer at a time.

    Before that the same is done for `warm_up` seconds: a server that has just started is making its first pages.
    """

    def bodies(name: str, count: int) -> list[bytes]:
        work = transfers(clients * count, accounts, seed=4)
        return [json.dumps({**one, "amount": 1, "id": f"{name}{n}"}).encode() for n, one in enumerate(work)]

    async def all_of_them(work: list[bytes], waits: list[float]) -> None:
        await asyncio.gather(*(_client(ports[n % len(ports)], work[n::clients], waits) for n in range(clients)))

    started, rounds = time.perf_counter(), 0
    while not rounds or time.perf_counter() - started < warm_up:
        asyncio.run(all_of_them(bodies(f"w{len(ports)}-{rounds}-", 4), []))
        rounds += 1
    waits: list[float] = []
    work = bodies(f"h{len(ports)}-", each)
    started = time.perf_counter()
    asyncio.run(all_of_them(work, waits))
    seconds = time.perf_counter() - started
    cuts = statistics.quantiles(waits, n=100)
    told = {"servers": len(ports), "clients": clients, "per_second": round(len(waits) / seconds)}
    return told | {"median_ms": round(1000 * cuts[49], 1), "p99_ms": round(1000 * cuts[98], 1)}


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


def measured(url: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All measurements on one database; `folder` is the workspace that HTTP serves."""
    lite = url.startswith("sqlite")
    store = prepared(url, options.accounts)
    result: dict[str, Any] = {"batches": batches(store, options.entries, options.accounts)}
    result["group_commit"] = grouped(store, options.clients, 40, options.accounts)
    if options.requests:
        result["http"] = []
        for count in (1,) if lite else (1, 2):
            with served(folder, None if lite else url, count) as ports:
                result["http"].append(http(ports, options.clients, options.requests, options.accounts, options.warm_up))
    if options.sizes:
        result["growth"] = growth(store, sorted(map(int, options.sizes.split(","))), options.accounts)
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
        opened = nullcontext(options.postgresql) if options.postgresql else server()
        with opened as address:
            yield address.format("postgres")
    except NoServer:
        yield None


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both databases; `times_orm` is the ratio of batch postings to the ORM peer in this run.

    `own_cpu_us_each` is the CPU time of the writing process for each transfer, which other work on the machine hardly
    changes; `load` is what waits for the processors beside it.
    """
    result: dict[str, Any] = {"entries": options.entries, "processors": os.cpu_count(), "load": os.getloadavg()[0]}
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
            folder = Workspace.create(Path(home) / "city", "cn-jiaxing").path
            if kind == "sqlite":
                url: str | None = None if options.without_sqlite else f"sqlite:///{folder / 'dualcarbon.db'}"
            else:
                url = stack.enter_context(postgresql(options))
            if url is not None:
                result[kind] = measured(url, folder, options)
    result["memory_mb"] = _memory()
    return result
