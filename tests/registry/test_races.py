"""Eight processes want the same thing at the same moment: exactly one gets it."""

import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from dualcarbon.registry import Registry, prices, reads
from tests.registry.chain import REDUCTION, imported, issued, reported
from tests.registry.contests import CONTESTS, compete

LOSE = {
    "overlapping issues": "serials-overlap",
    "two issues of one report": "report-not-verified",
    "double retirement": "serials-not-held",
    "one benefit": "already-claimed",
    "one offer": "offer-not-open",
    "one trade": "trade-not-pending",
    "the last units": "refused-by-ledger",
}


def prepared(registry):
    """Something to compete for in every contest."""
    if registry.store.dialect == "sqlite":
        with registry.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    imported(registry, "L0", 10, 5000, subject="M0")
    issued(registry, "0", subject="P0")
    reported(registry, "1", subject="P1")
    for name in ("O1", "O2"):
        registry.do("offer", name, instrument=REDUCTION, holder="业主", quantity=100, price="30")
    registry.do("accept", "X", offer="O2", holder="丙")
    registry.issue("I1", "energy_right", "甲厂", 100, vintage="2026", document="批文")


def test_exactly_one_of_eight_processes_wins(url, make_store):
    registry = Registry(make_store(url))
    registry.install()
    prepared(registry)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.registry.contests"])
    with ProcessPoolExecutor(8, mp_context=context) as pool:
        for contest in CONTESTS:
            start = time.time() + 0.3
            found = Counter(pool.map(compete, [url] * 8, [contest] * 8, range(8), [start] * 8))
            assert found == {"ok": 1, f"registry.{LOSE[contest]}": 7}, contest
    assert reads.check(registry.engine) == []
    assert len([one for one in prices.trades(registry.engine)["trades"] if one["offer"] == "O1"]) == 1
