"""What the ledger survives: killed processes, torn files, full disks, races; nothing is lost, doubled, half done."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from dualcarbon.core.problems import Refused
from dualcarbon.ledger import Writer, reads, verifier
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.tables import ENTRY
from tests.ledger import client

CLIENT = [sys.executable, client.__file__]


def address(store):
    url = store.engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def assert_sound(store):
    found = verifier.check_ledger(address(store), processes=1)
    assert found["ok"], found
    for sums in reads.totals(store.engine):
        assert sums["debits_posted"] == sums["credits_posted"]
        assert sums["debits_pending"] == sums["credits_pending"]
    return found["entries"]


def wal(store):
    if store.dialect == "sqlite":
        with store.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    return store


def kill_and_replay(url, make_store, kills, count, batch, seed):
    store, choice, acknowledged = wal(make_store(url)), random.Random(seed), {}
    store.open_accounts(client.ACCOUNTS)
    command = [*CLIENT, url, "stream", str(count), str(batch)]
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(choice.randrange(1, 6)):
                line = process.stdout.readline()
                acknowledged |= told(acknowledged, line)
            time.sleep(choice.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                if line.endswith("\n"):
                    acknowledged |= told(acknowledged, line)
        assert_sound(store)
        with store.engine.connect() as connection:
            kept = set(connection.execute(sa.select(ENTRY.c.id)).scalars())
        assert {key for key, result in acknowledged.items() if result == "ok"} <= kept
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        acknowledged |= told(acknowledged, line)
    calm = Store(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
    calm.install()
    calm.open_accounts(client.ACCOUNTS)
    lines = client.stream(count)
    expected = calm.post(lines)
    assert [acknowledged[line["id"]] for line in lines] == expected
    assert assert_sound(store) == expected.count("ok")
    names = [line["account"] for line in client.ACCOUNTS]
    assert [reads.balance(store.engine, n) for n in names] == [reads.balance(calm.engine, n) for n in names]


def told(before, line):
    """New answers; an id that was answered before must be answered alike."""
    answers = json.loads(line)
    for key, result in list(answers.items()):
        if key in before:
            assert result == {"ok": "exists"}.get(before[key], "id_already_failed")
            del answers[key]
        elif result == "exists":
            answers[key] = "ok"
        elif result == "id_already_failed":
            del answers[key]
            answers[key] = refused_of(key)
    return answers


def refused_of(key, cache={}):  # noqa: B006
    """Why the stream's line is refused; its answer was lost with the killed process."""
    if not cache:
        calm = Store(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
        calm.install()
        calm.open_accounts(client.ACCOUNTS)
        lines = client.stream(4_000)
        cache.update(zip((line["id"] for line in lines), calm.post(lines), strict=True))
    return cache[key]


def test_a_killed_writer_loses_and_doubles_nothing(url, make_store):
    kill_and_replay(url, make_store, 1, 1_200, 60, 7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_ten_kills(url, make_store, seed):
    kill_and_replay(url, make_store, 10, 4_000, 40, seed)


CONTESTS = {
    "the same reversal": [{"id": "r{}", "reverses": "given", "reason": "第 {} 次"}],
    "the last amount": [{"id": "o{}", "debit": "poor", "credit": "a{}", "instrument": "X", "amount": 10}],
    "one pending amount": [{"id": "p{}", "state": "post", "pending_id": "held"}],
    "one id": [{"id": "same", "debit": "rich", "credit": "a{}", "instrument": "X", "amount": 1}],
}


def test_eight_processes_race_and_exactly_one_wins(url, make_store):
    store = wal(make_store(url))
    store.open_accounts(
        [{"account": name, "instrument": "X", "overdraft": name == "rich"} for name in ("rich", "poor", "x")]
        + [{"account": f"a{n}", "instrument": "X"} for n in range(8)]
    )
    move = {"debit": "rich", "instrument": "X"}
    given = store.post(
        [
            {"id": "given", "credit": "x", "amount": 5, **move},
            {"id": "funds", "credit": "poor", "amount": 10, **move},
            {"id": "held", "credit": "x", "amount": 5, "state": "pending", **move},
        ]
    )
    assert given == ["ok"] * 3
    lines = json.dumps([line for contest in CONTESTS.values() for line in contest])
    done = subprocess.run([*CLIENT, url, "race", lines, "8"], capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 8
    lost = {
        "the same reversal": "already_reversed",
        "the last amount": "insufficient_balance",
        "one pending amount": "pending_already_posted",
        "one id": "exists_with_different_credit",
    }
    for contest, results in zip(CONTESTS, zip(*answers, strict=True), strict=True):
        assert Counter(results) == {"ok": 1, lost[contest]: 7}, contest
    assert_sound(store)


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_no_update_is_lost_at_any_isolation(server, isolation):
    name = f"iso_{isolation.replace(' ', '_')}"
    admin = sa.create_engine(server.format("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        connection.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'"))
    admin.dispose()
    stores = [Store(sa.create_engine(server.format(name))) for _ in range(4)]
    stores[0].install()
    stores[0].open_accounts([{"account": f"a{n}", "instrument": "X", "overdraft": True} for n in range(8)])

    def work(n):
        for turn in range(30):
            debit, credit = f"a{turn % 8}", f"a{(turn + n + 1) % 8}"
            line = {"id": f"{n}-{turn}", "debit": debit, "credit": credit, "instrument": "X", "amount": 5}
            assert stores[n].post([line]) == ["ok"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert assert_sound(stores[0]) == 120
    for store in stores:
        store.engine.dispose()


def test_a_full_disk_says_so_and_loses_nothing(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/dualcarbon.db")
    store = Store(engine)
    store.install()
    store.open_accounts(client.ACCOUNTS)
    lines = client.stream(4_000)
    before = store.post(lines[:500])
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limit = {"pages": pages + 5}
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {limit['pages']}"))
    engine.dispose()
    with pytest.raises(Refused) as refused:
        store.post(lines[500:])
    assert [problem.rule for problem in refused.value.problems] == ["ledger.disk-full"]
    assert "磁盘已满" in str(refused.value)
    assert assert_sound(store) == before.count("ok")
    limit["pages"] = 2**30
    engine.dispose()
    calm = Store(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
    calm.install()
    calm.open_accounts(client.ACCOUNTS)
    assert before + store.post(lines[500:]) == calm.post(lines)
    assert_sound(store)


def test_a_read_only_database_says_so(url, make_store):
    store = make_store(url)
    store.open_accounts(client.ACCOUNTS)
    store.post(client.stream(20))
    if store.dialect == "sqlite":
        sa.event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
    else:
        with store.engine.begin() as connection:
            name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
            connection.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    store.engine.dispose()
    entries = assert_sound(store)
    with pytest.raises(Refused) as refused:
        store.post(client.stream(40)[20:])
    assert [problem.rule for problem in refused.value.problems] == ["ledger.read-only"]
    assert assert_sound(store) == entries


def test_the_writer_gathers_what_many_submit(url, make_store):
    store = wal(make_store(url))
    store.open_accounts(client.ACCOUNTS)
    lines = [{**line, "linked": False} for line in client.stream(400) if not line.get("reverses")]
    lines = [line for line in lines if line.get("state", "posted") == "posted"]
    transactions = []
    post_many = store.post_many
    store.post_many = lambda submissions, *more: transactions.append(len(submissions)) or post_many(submissions, *more)
    with Writer(store, batch=100) as writer, ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda line: writer.post([line])[0], lines))
        again = list(pool.map(lambda line: writer.post([line])[0], lines))
    assert sum(transactions) == 2 * len(lines) and len(transactions) < len(lines)
    for first, second in zip(results, again, strict=True):
        assert second == ("exists" if first == "ok" else "id_already_failed")
    assert assert_sound(store) == results.count("ok")
    with pytest.raises(RuntimeError):
        writer.submit(lines[:1])


def test_a_failing_transaction_answers_every_caller(tmp_path):
    store = Store(sa.create_engine(f"sqlite:///{tmp_path}/dualcarbon.db"))
    store.install()
    with Writer(store) as writer:
        store.engine.dispose()
        (tmp_path / "dualcarbon.db").unlink()
        with pytest.raises(Refused):
            writer.post([{"id": "1", "debit": "a", "credit": "b", "instrument": "X", "amount": 1}])


class Simulation:
    """One writer, one client and a disk that fails, all in one thread and decided by one seed.

    The client sends batches, repeats them, and sends again what was not acknowledged. A crash keeps of the write-ahead
    log what was acknowledged and any part, torn or damaged, of what was not. The clock jumps both ways.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.choice, self.folder, self.life = random.Random(seed), folder, 0
        self.time, self.answers = 1_700_000_000_000_000, {}
        self.start()
        self.store.open_accounts(client.ACCOUNTS)

    @property
    def file(self) -> Path:
        return self.folder / f"life{self.life}.db"

    def start(self) -> None:
        self.engine = sa.create_engine(f"sqlite:///{self.file}", poolclass=sa.StaticPool)
        with self.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 100000")
        self.store = Store(self.engine, clock=self.clock)
        self.store.install()

    def clock(self) -> int:
        self.time += self.choice.choice((1, 1_000, 10**9, -(10**9), 0))
        return self.time

    def log(self) -> Path:
        return Path(f"{self.file}-wal")

    def crash(self, safe: int) -> None:
        """Go on from what the disk holds: at least the first `safe` bytes of the log."""
        data, kept = bytearray(self.log().read_bytes()), self.file.read_bytes()
        self.engine.dispose()
        end = self.choice.randint(safe, len(data))
        tail = self.choice.choice(("cut", "zeros", "damaged"))
        if tail == "zeros":
            data[end:] = bytes(len(data) - end)
        elif tail == "damaged" and end < len(data):
            data[self.choice.randrange(end, len(data))] ^= 0xFF
        else:
            del data[end:]
        self.life += 1
        self.file.write_bytes(kept)
        self.log().write_bytes(data)
        self.start()

    def run(self, lines: list) -> None:
        waiting = [lines[n : n + 9] for n in range(0, len(lines), 9)]
        sent: list = []
        while waiting:
            batch = self.choice.choice(sent) if sent and self.choice.random() < 0.2 else waiting[0]
            safe = self.log().stat().st_size
            results = self.store.post(batch)
            if self.choice.random() < 0.25:
                self.crash(safe)
                continue
            for line, result in zip(batch, results, strict=True):
                before = self.answers.get(line["id"])
                if before is None:
                    self.answers[line["id"]] = {"exists": "ok", "id_already_failed": None}.get(result, result)
                else:
                    assert result == ("exists" if before == "ok" else "id_already_failed")
            if batch is waiting[0]:
                sent.append(waiting.pop(0))

    def check(self, expected: dict) -> None:
        """Every line was answered as a calm ledger answers, or its refusal's answer was lost in a crash."""
        for key, result in self.answers.items():
            assert result == expected[key] or (result is None and expected[key] != "ok")
        assert_sound(self.store)
        with sqlite3.connect(self.file) as connection:
            kept = [row[0] for row in connection.execute("SELECT id FROM entry")]
            times = [row[0] for row in connection.execute("SELECT recorded FROM entry ORDER BY seq")]
        assert sorted(kept) == sorted(key for key, result in expected.items() if result == "ok")
        assert times == sorted(times)


def simulate(seed, folder):
    folder.mkdir()
    lines = [{**line, "linked": False} for line in client.stream(90)]
    calm = Store(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
    calm.install()
    calm.open_accounts(client.ACCOUNTS)
    expected = dict(zip((line["id"] for line in lines), calm.post(lines), strict=True))
    simulation = Simulation(seed, folder)
    try:
        simulation.run(lines)
        simulation.check(expected)
    except BaseException as error:
        error.add_note(f"simulation seed {seed}")
        raise
    finally:
        simulation.engine.dispose()
        shutil.rmtree(folder)


@pytest.mark.parametrize("seed", range(6))
def test_simulated_disk(tmp_path, seed):
    simulate(seed, tmp_path / "disk")


@pytest.mark.slow
def test_simulated_disk_for_long(tmp_path):
    for seed in range(1_000):
        simulate(seed, tmp_path / "disk")
