"""The ledger against an independent model, over the pure state machine, SQLite and PostgreSQL, every read included."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dualcarbon.ledger import days, machine, reads, verifier
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.tables import METADATA
from dualcarbon.ledger.transfer import STATES, Opening, Transfer, moment_text
from tests.ledger.auditor import Auditor

IDS = [f"t{n}" for n in range(14)]
ACCOUNTS = {"甲": "kgce", "乙": "kgce", "丙": "kgce", "源": "kgce", "丁": "gec", "戊": "gec"}
START = days.start_of(days.day_of(0) + 400) - 4  # a day ends among the times that the lines name


@st.composite
def lines(draw, well_formed_only=True):
    """A well-formed line; small ranges, so that ids, references and amounts meet often."""
    state = draw(st.sampled_from([*STATES, "posted", "posted", "pending"]))
    reverses = draw(st.sampled_from([None, None, *IDS])) if state == "posted" else None
    refers = state in ("post", "void", "expire") or reverses is not None
    debit, credit = draw(st.permutations(["甲", "乙", "丙", "源", "源", "源", "丁", "无"]).map(lambda p: p[:2]))
    if debit == credit:
        credit = "甲"
    amount, instrument = draw(st.integers(1, 4)), draw(st.sampled_from(["kgce", "kgce", "kgce", "gec"]))
    if refers and draw(st.integers(0, 3)):
        debit = credit = instrument = None
    if refers and draw(st.booleans()):
        amount = None
    at = draw(st.sampled_from([None, None, *range(START, START + 8)]))
    expires = draw(st.sampled_from([None, *range(START, START + 12)])) if state == "pending" else None
    return {
        "id": draw(st.sampled_from(IDS)),
        "debit": debit,
        "credit": credit,
        "instrument": instrument,
        "amount": amount,
        "state": state,
        "pending_id": draw(st.sampled_from(IDS)) if state in ("post", "void", "expire") else None,
        "linked": draw(st.sampled_from([False, False, False, True])),
        "reverses": reverses,
        "reason": draw(st.sampled_from([None, "更正"])),
        "at": at,
        "expires": expires,
    }


class Ledgers(RuleBasedStateMachine):
    """The same lines to the model, the pure machine and each store; all must say the same."""

    stores: tuple[Store, ...] = ()

    def __init__(self):
        super().__init__()
        self.now, self.model, self.pure = START, Auditor(), machine.State()
        self.ever = []
        for store in self.stores:
            store.clock = lambda: self.now
            with store.engine.begin() as connection:
                for table in METADATA.sorted_tables:
                    connection.execute(table.delete())
            store.install()
        for name, instrument in ACCOUNTS.items():
            self.open(name, instrument, None, name in "源戊")
        for name in "甲乙":
            line = {"id": f"for{name}", "debit": "源", "credit": name, "instrument": "kgce", "amount": 5}
            blank = dict.fromkeys(("pending_id", "reverses", "reason", "at", "expires"))
            self.told([{**line, "state": "posted", "linked": False, **blank}])

    def open(self, name, instrument, owner, overdraft):
        line = {"account": name, "instrument": instrument, "owner": owner, "overdraft": overdraft}
        expected = self.model.open(line)
        assert machine.open_accounts(self.pure, [Opening(**line)], self.now) == [expected]
        assert all(store.open_accounts([Opening(**line)]) == [expected] for store in self.stores)

    def told(self, batch):
        self.ever += batch
        expected = self.model.post(batch, self.now)
        transfers = [Transfer(**line) for line in batch]
        assert machine.post(self.pure, transfers, self.now) == expected
        for store in self.stores:
            assert store.post(transfers) == expected

    @rule(batch=st.lists(lines(), min_size=1, max_size=6))
    def post(self, batch):
        self.told(batch)

    @rule(step=st.integers(0, 3))
    def wait(self, step):
        self.now += step

    @rule(data=st.data())
    def send_again(self, data):
        if self.ever:
            start = data.draw(st.integers(0, len(self.ever) - 1))
            self.told(self.ever[start : start + 5])

    @rule(name=st.sampled_from([*ACCOUNTS, "新"]), instrument=st.sampled_from(["kgce", "gec"]), overdraft=st.booleans())
    def open_again(self, name, instrument, overdraft):
        self.open(name, instrument, None, overdraft)

    @rule(instrument=st.sampled_from(["", "kgce", "gec"]), until=st.integers(START, START + 3))
    def lock(self, instrument, until):
        expected = self.model.lock(instrument, until)
        assert machine.lock(self.pure, instrument, until) == expected
        assert all(store.lock(instrument, until) == expected for store in self.stores)

    @invariant()
    def conserved(self):
        for instrument in ("kgce", "gec"):
            accounts = [one for one in self.pure.accounts.values() if one.instrument == instrument]
            assert sum(one.debits_posted for one in accounts) == sum(one.credits_posted for one in accounts)
            assert sum(one.debits_pending for one in accounts) == sum(one.credits_pending for one in accounts)
            assert all(one.overdraft or one.balance - one.debits_pending >= 0 for one in accounts)

    @rule(
        at=st.sampled_from([None, *range(START - 1, START + 9)]),
        limit=st.integers(1, 4),
        names=st.lists(st.sampled_from([*ACCOUNTS]), min_size=1, max_size=3, unique=True),
    )
    def read(self, at, limit, names):
        for store in self.stores:
            for name in names:
                told, expected = reads.balance(store.engine, name, at), self.model.balance(name, at)
                assert {key: told[key] for key in expected} == expected
                shown, after = [], 0
                while after is not None:
                    page = reads.statement(store.engine, name, until=at, after=after, limit=limit)
                    shown += page["entries"]
                    after = page["next"]
                wanted = [e for e in self.model.statement(name) if at is None or e["at"] <= at]
                assert [(e["seq"], e["id"], e["at"]) for e in shown] == [
                    (e["seq"], e["id"], moment_text(e["at"])) for e in wanted
                ]
                assert [e["balance"] for e in shown] == [
                    e["debit_after"] if e["debit"] == name else e["credit_after"] for e in wanted
                ]
                if at is None:
                    assert sum(e["change"] for e in shown) == expected["balance"] == page["balance"]
            for state in STATES[:3]:
                found = reads.entries(store.engine, state=state, instrument="kgce", since=at, limit=100)["entries"]
                assert [e["id"] for e in found] == [
                    e["id"]
                    for e in self.model.history
                    if e["state"] == state and e["instrument"] == "kgce" and (at is None or e["at"] >= at)
                ]
                if at is None:
                    told = days.daily(store.engine, name)
                    ends = [days.start_of(days.day_of(START) + n) - 1 for n in (1, 2)]
                    assert [one["balance"] for one in told][-1:] in ([], [expected["balance"]])
                    assert {one["day"]: one["balance"] for one in told}.items() <= {
                        moment_text(end)[:10]: self.model.balance(name, end)["balance"] for end in ends
                    }.items()
            if at is not None:
                assert reads.due(store.engine, at) == self.model.due(at)
            for sums in reads.totals(store.engine):
                assert sums["debits_posted"] == sums["credits_posted"]
                assert sums["debits_pending"] == sums["credits_pending"]

    def teardown(self):
        for store in self.stores:
            url = store.engine.url.render_as_string(False).replace("+psycopg", "").replace("sqlite:///", "")
            found = verifier.check_ledger(url, processes=1)
            assert found["ok"], found
            assert found["entries"] == len(self.model.history)


def play(stores, examples, steps):
    played = type("Played", (Ledgers,), {"stores": tuple(stores)})
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(played, settings=chosen)


def fast(url, make_store):
    store = make_store(url, sum_after=4)
    if store.dialect == "sqlite":
        sa.event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        with store.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        store.engine.dispose()
    return store


def test_the_pure_machine_agrees_with_the_model():
    play([], 200, 20)


def test_a_store_agrees_with_the_model(url, make_store):
    play([fast(url, make_store)], 20, 10)


@pytest.mark.slow
def test_a_store_agrees_with_the_model_for_long(url, make_store):
    play([fast(url, make_store)], 1_000, 40)
