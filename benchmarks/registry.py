"""Files of certificates: the registry's sets against a registry written row by row through an ORM, in the same run."""

import argparse
import datetime
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.ledger import postgresql
from dualcarbon.core.database import engine as open_engine
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry, reads
from dualcarbon.registry.files import import_file

HELP = "files of certificates, allocations and uses against row-by-row ORM; growth from 100 to 10,000 lots"
HEADINGS = {
    "lots": "批次,品种,持有人,数量,起始编号,计量点,生产时期\n",
    "transfers": "编号,品种,出让方,受让方,数量\n",
    "uses": "编号,品种,持有人,数量,用途,受益人\n",
}
QUANTITY = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m benchmarks registry``."""
    parser.add_argument("--sizes", default="100,1000,10000", help="lots of each file, imported one after another")
    parser.add_argument("--peer", default="100,1000", help="lots of each file that the ORM peer imports")
    parser.add_argument("--postgresql", metavar="URL", help="an empty database (default: a server of its own)")
    parser.add_argument("--without-postgresql", action="store_true")


def lots(first: int, count: int) -> Iterator[tuple[str, str, int, int, str, str]]:
    """Lots of 100 certificates: id, holder, quantity, first serial number, meter, month."""
    for n in range(first, first + count):
        month = f"{2000 + n // 6000}-{n // 500 % 12 + 1:02}"
        yield f"L{n}", f"持有人{n % 50}", QUANTITY, 1 + QUANTITY * n, f"M{n % 500}", month


def spent(work: Callable[[], Any], count: int) -> dict[str, Any]:
    """Seconds, own processor seconds and microseconds of these for each row."""
    began, started = time.process_time(), time.perf_counter()
    work()
    seconds, own = time.perf_counter() - started, time.process_time() - began
    return {"rows": count, "seconds": round(seconds, 3), "own_cpu_s": round(own, 3),
            "own_cpu_us_each": round(1e6 * own / count)}  # fmt: skip


def ours(url: str, sizes: list[int], folder: Path) -> dict[str, Any]:
    """Each size of file into the same registry, then the smallest again, then allocations and uses of 1,000 rows."""
    registry = Registry(Store(open_engine(url)))
    registry.install()
    statements: list[int] = []
    sa.event.listen(registry.engine, "before_cursor_execute", lambda *_: statements.append(1))
    told, at = [], 0
    for count in (*sizes, sizes[0]):
        file = folder / f"{at}.csv"
        rows = (
            f"{id},gec,{holder},{q},{first},{meter},{month}\n" for id, holder, q, first, meter, month in lots(at, count)
        )
        file.write_text(HEADINGS["lots"] + "".join(rows))
        statements.clear()
        measured = spent(lambda file=file: import_file(registry, file), count)
        told.append({"before": at, **measured, "statements": len(statements)})
        at += count
    result: dict[str, Any] = {"certificates": told}
    for kind, line in (
        ("transfers", "T{n},gec,持有人{h},厂{h},20\n"),
        ("uses", "U{n},gec,厂{h},10,绿电消费,厂{h}\n"),
    ):
        file = folder / f"{kind}.csv"
        file.write_text(HEADINGS[kind] + "".join(line.format(n=n, h=n % 50) for n in range(1000)))
        statements.clear()
        result[kind] = {**spent(lambda file=file: import_file(registry, file), 1000), "statements": len(statements)}
    if reads.check(registry.engine):
        raise AssertionError("the registry does not agree with the ledger")
    registry.engine.dispose()
    return result


class Base(DeclarativeBase):
    """Tables of the peer."""


class PeerAccount(Base):
    """What a holder has."""

    __tablename__ = "peer_holding"
    name: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(sa.BigInteger)


class PeerLot(Base):
    """A lot with its serial numbers and the hash of the lot before."""

    __tablename__ = "peer_lot"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    holder: Mapped[str]
    first: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
    last: Mapped[int] = mapped_column(sa.BigInteger)
    asked: Mapped[str]
    hash: Mapped[bytes]


class PeerDay(Base):
    """A claimed day of a meter."""

    __tablename__ = "peer_day"
    meter: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str]


def peer(url: str, sizes: list[int]) -> list[dict[str, Any]]:
    """The same files through ORM objects, row by row, a commit for each file: known, overlap, claim, balance, chain."""
    made = open_engine(url)
    Base.metadata.create_all(made)
    told, at, previous = [], 0, bytes(32)

    def work(first: int, count: int) -> None:
        nonlocal previous
        with Session(made) as session:
            for row in lots(first, count):
                id, holder, quantity, serial, meter, month = row
                if session.scalar(sa.select(PeerLot).where(PeerLot.id == id)):
                    continue
                below = (
                    sa.select(PeerLot).where(PeerLot.first < serial + quantity).order_by(PeerLot.first.desc()).limit(1)
                )
                other = session.scalar(below)
                start = datetime.date.fromisoformat(f"{month}-01")
                days = [start + datetime.timedelta(n) for n in range(31)]
                days = [day.isoformat() for day in days if day.month == start.month]
                taken = (
                    sa.select(PeerDay).where(PeerDay.meter == meter, PeerDay.day.between(days[0], days[-1])).limit(1)
                )
                if (other and other.last >= serial) or session.scalar(taken):
                    raise AssertionError(id)
                account = session.get(PeerAccount, holder)
                if account is None:
                    account = PeerAccount(name=holder, balance=0)
                    session.add(account)
                account.balance += quantity
                asked = json.dumps(row, ensure_ascii=False)
                previous = hashlib.sha256(previous + asked.encode()).digest()
                last = serial + quantity - 1
                session.add(PeerLot(id=id, holder=holder, first=serial, last=last, asked=asked, hash=previous))
                session.add_all(PeerDay(meter=meter, day=day, lot=id) for day in days)
                session.flush()
            session.commit()

    for count in sizes:
        told.append({"before": at, **spent(lambda at=at, count=count: work(at, count), count)})
        at += count
    made.dispose()
    return told


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both databases; `times_peer` compares the own processor time for a lot in files of the same size."""
    sizes, peers = ([int(size) for size in text.split(",")] for text in (options.sizes, options.peer))
    result: dict[str, Any] = {"processors": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
            folder = Path(home)
            url = f"sqlite:///{folder / 'ours.db'}" if kind == "sqlite" else stack.enter_context(postgresql(options))
            if url is None:
                continue
            found = ours(url, sizes, folder)
            found["orm_row_by_row"] = peer(f"sqlite:///{folder / 'peer.db'}" if kind == "sqlite" else url, peers)
            each = {one["rows"]: one for one in found["certificates"][: len(sizes)]}
            found["times_peer"] = {
                one["rows"]: {name: round(one[name] / each[one["rows"]][name], 1) for name in ("seconds", "own_cpu_s")}
                for one in found["orm_row_by_row"]
                if one["rows"] in each
            }
            result[kind] = found
    return result
