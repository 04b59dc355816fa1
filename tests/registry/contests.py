"""What eight processes try at the same time, each as one call; done in processes of their own by `test_races`."""

import time

import sqlalchemy as sa

from dualcarbon.core.problems import Refused
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry
from tests.registry.chain import REDUCTION, imported

USED = {"purpose": "消费", "beneficiary": "甲厂", "serials": (5000, 5009)}

CONTESTS = {
    "overlapping issues": lambda one, n: imported(one, f"L{n + 1}", 100, 1 + 10 * n, subject=f"M{n + 1}"),
    "two issues of one report": lambda one, n: one.issue(f"争签-{n}", REDUCTION, f"业主{n}", report="报告-1"),
    "double retirement": lambda one, n: one.retire(f"R{n}", "gec", "甲厂", 10, **USED),
    "one benefit": lambda one, n: one.do("claim", f"C{n}", kind="碳账户扣减", subjects=["M99"], period="2024-05"),
    "one offer": lambda one, n: one.do("accept", f"X{n}", offer="O1", holder=f"买方{n}"),
    "one trade": lambda one, n: (
        one.do("settle", f"S{n}", trade="X", payment="回单")
        if n % 2
        else one.do("void", f"V{n}", trade="X", reason="悔")
    ),
    "the last units": lambda one, n: one.transfer(f"T{n}", "energy_right", "甲厂", f"买方{n}", 60, vintage="2026",
                                                 document="协议"),
}  # fmt: skip


def compete(url: str, contest: str, n: int, start: float) -> str:
    """Take part in a contest at the moment `start`: the result, or the rule of the refusal."""
    engine = sa.create_engine(url)
    try:
        registry = Registry(Store(engine))
        time.sleep(max(0.0, start - time.time()))
        return str(CONTESTS[contest](registry, n)["result"])
    except Refused as refused:
        return refused.problems[0].rule
    finally:
        engine.dispose()
