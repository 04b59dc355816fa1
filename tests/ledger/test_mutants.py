"""Do the tests notice when the state machine is wrong? One small fault at a time is put into it (mutation testing).

Every mutant replays histories whose answers the independent model gave; at least nine in ten must be caught.
"""

import ast
import copy
import random
import signal
import sys
import types

import pytest

from dualcarbon.ledger import machine
from dualcarbon.ledger.transfer import MOST, STATES, Opening, Transfer
from tests.ledger.auditor import Auditor

ACCOUNTS = {"甲": "kgce", "乙": "kgce", "丙": "kgce", "源": "kgce", "丁": "gec", "戊": "gec"}
SWAPS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


def changes(tree):
    """Functions that each put one fault into a tree of the same shape, with the line they touch."""
    for place, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.Compare):
            for n, operator in enumerate(node.ops):
                new = SWAPS[type(operator)]
                yield place, node.lineno, lambda one, n=n, new=new: one.ops.__setitem__(n, new())
        elif isinstance(node, (ast.BoolOp, ast.BinOp, ast.AugAssign)) and type(node.op) in SWAPS:
            new = SWAPS[type(node.op)]
            yield place, node.lineno, lambda one, new=new: setattr(one, "op", new())
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield place, node.lineno, lambda one: (setattr(one, "op", ast.Not()), doubled(one))
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield place, node.lineno, lambda one: setattr(one, "value", one.value + 1)
        elif isinstance(node, ast.Constant) and type(node.value) is bool:
            yield place, node.lineno, lambda one: setattr(one, "value", not one.value)
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Constant):
            yield place, node.lineno, lambda one: setattr(one, "value", ast.Constant("wrong"))
        elif isinstance(node, (ast.If, ast.IfExp)):
            yield place, node.lineno, lambda one: setattr(one, "test", ast.Constant(False))


def doubled(node):
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def mutants():
    """The machine's code with one fault each. Annotations, classes' fields and documentation are left alone."""
    with open(machine.__file__, encoding="utf-8") as file:
        source = ast.parse(file.read())
    for place, line, change in changes(source):
        changed = copy.deepcopy(source)
        node = next(one for n, one in enumerate(ast.walk(changed)) if n == place)
        change(node)
        yield line, compile(ast.fix_missing_locations(changed), machine.__file__, "exec")


def line(choice):
    """A well-formed line; small ranges, so that ids, references and amounts meet often."""
    state = choice.choice([*STATES, "posted", "posted", "posted", "pending"])
    reverses = f"t{choice.randrange(12)}" if state == "posted" and choice.random() < 0.3 else None
    refers = state in ("post", "void", "expire") or reverses is not None
    debit, credit = choice.sample(["甲", "乙", "丙", "源", "丁", "戊", "无"], 2)
    if choice.random() < 0.5:
        debit, credit = "源", choice.choice("甲乙丙")
    instrument = "gec" if debit in "丁戊" or choice.random() < 0.06 else "kgce"
    if refers and choice.random() < 0.8:
        debit = credit = instrument = None
    return {
        "id": f"t{choice.randrange(12)}",
        "debit": debit,
        "credit": credit,
        "instrument": instrument,
        "amount": None if refers and choice.random() < 0.5 else choice.randint(1, 4),
        "state": state,
        "pending_id": f"t{choice.randrange(12)}" if state in ("post", "void", "expire") else None,
        "linked": choice.random() < 0.2,
        "reverses": reverses,
        "reason": choice.choice([None, None, "更正"]),
        "at": choice.choice([None, None, *range(100, 108)]),
        "expires": choice.choice([None, *range(100, 112)]) if state == "pending" else None,
    }


def told(module, seed, model):
    """What the machine (or with `model` the auditor) says to one seeded history, and where it stands in the end."""
    choice, now, said, ever = random.Random(seed), 100, [], []
    state, auditor = module.State(), Auditor()
    for name, instrument in [*ACCOUNTS.items(), ("甲", "gec"), ("乙", "kgce"), ("丙", "kgce")]:
        asked = {"account": name, "instrument": instrument, "owner": None, "overdraft": name in "源戊"}
        if len(said) > 7:
            asked["owner"] = "他"
        opened = auditor.open(asked) if model else module.open_accounts(state, [Opening(**asked)], now)[0]
        said.append(opened)
    for _ in range(14):
        now += choice.randint(0, 2)
        batch = [line(choice) for _ in range(choice.randint(1, 5))]
        if ever and choice.random() < 0.5:
            again = dict(choice.choice(ever))
            field = choice.choice(["debit", "credit", "amount", "reason", "at", "expires", "linked", "instrument"])
            again[field] = line(choice)[field] if choice.random() < 0.6 else again[field]
            if again["debit"] is None or again["debit"] != again["credit"]:
                batch.append(again)
        batch = [one for one in batch if one["amount"] is not None or one["pending_id"] or one["reverses"]]
        ever += batch
        if choice.random() < 0.1:
            lock = choice.choice(["", "kgce", "gec"]), choice.randint(99, 104)
            said.append(auditor.lock(*lock) if model else module.lock(state, *lock))
        said.append(auditor.post(batch, now) if model else module.post(state, [Transfer(**x) for x in batch], now))
    if model:
        balances = [tuple(auditor.balance(name).values()) for name in ACCOUNTS]
        fields = ("seq", "id", "debit", "credit", "instrument", "amount", "state", "pending_id", "reverses", "reason")
        fields += ("at", "expires", "recorded", "debit_after", "credit_after")
        return said, balances, [tuple(entry[name] for name in fields) for entry in auditor.history]
    accounts = [state.accounts[name] for name in ACCOUNTS]
    balances = [(a.balance, a.balance - a.debits_pending, a.debits_pending, a.credits_pending) for a in accounts]
    kept = [(*entry[:8], entry.reverses, entry.reason, *entry[12:]) for entry in state.new_entries]
    assert [entry.linked in (0, 1) for entry in state.new_entries] == [True] * len(kept)
    assert sorted(state.refused.items()) == sorted(state.new_refusals)
    assert [one.number for one in state.new_accounts] == list(range(1, len(ACCOUNTS) + 1)) and state.account_count == 6
    assert set(state.before) >= {name for name in ACCOUNTS if state.accounts[name].totals != (0, 0, 0, 0)}
    assert all(totals == (0, 0, 0, 0) for totals in state.before.values())
    return said, balances, kept


def edges(module):
    """Answers at the limits that small histories never reach, worked out by hand."""
    state = module.State()
    rows = [("a", "x", True, "kg"), ("b", "x", True, None), ("c", "x", False, "t"), ("d", "x", False, "kg")]
    opened = [Opening(name, code, None, overdraft, unit) for name, code, overdraft, unit in rows]
    opened += [Opening("a", "x", None, True, "t"), Opening("a", "x", None, True), Opening("", fault="account_missing")]
    said = module.open_accounts(state, opened, 7)
    expected = ["ok", "ok", "unit_mismatch", "ok", "exists_with_different_unit", "exists", "account_missing"]
    assert said == expected and state.accounts["b"].unit == "kg" and state.accounts["b"].opened == 7

    def one(key, debit, credit, amount, **more):
        return module.post(state, [Transfer(key, debit, credit, "x", amount, **more)], 9)[0]

    assert one("1", "a", "b", MOST - 1) == "ok"
    assert one("2", "a", "b", 2) == "total_too_large"
    assert one("3", "a", "b", 1, state="pending") == "ok"
    assert module.post(state, [Transfer("4", state="post", pending_id="3")], 9) == ["ok"]
    assert one("5", "b", "a", 1) == "ok"
    assert one("6", "d", "a", 1) == "insufficient_balance"
    assert module.post(state, [Transfer("", fault="id_missing"), Transfer("1", fault="unknown_field")], 9) == [
        "id_missing",
        "unknown_field",
    ]
    assert "" not in state.refused and state.refused == {"2": "total_too_large", "6": "insufficient_balance"}
    chain = [Transfer("7", "b", "a", "x", 1, linked=True), Transfer("8", fault="amount_missing")]
    assert module.post(state, chain, 9) == ["linked_transfer_failed", "amount_missing"]
    assert state.accounts["b"].totals == (1, MOST, 0, 0) and len(state.new_entries) == 4


def test_the_unchanged_machine_passes():
    edges(machine)
    for seed in range(60):
        assert told(machine, seed, False) == told(machine, seed, True)


class TooLong(Exception):
    """A mutant that never ends."""


def end(signum, frame):
    raise TooLong


@pytest.mark.slow
def test_nine_in_ten_faults_are_noticed():
    expected = {seed: told(machine, seed, True) for seed in range(400)}
    signal.signal(signal.SIGALRM, end)
    noticed, survivors = 0, []
    for number, code in mutants():
        module = types.ModuleType("mutant")
        sys.modules["mutant"] = module
        signal.alarm(20)
        try:
            exec(code, module.__dict__)
            edges(module)
            caught = any(told(module, seed, False) != answer for seed, answer in expected.items())
        except Exception:
            caught = True
        finally:
            signal.alarm(0)
            del sys.modules["mutant"]
        noticed += caught
        if not caught:
            survivors.append(number)
    share = noticed / (noticed + len(survivors))
    assert share >= 0.9, f"{share:.0%} of {noticed + len(survivors)} noticed; not those in lines {survivors}"
    print(f"{noticed} of {noticed + len(survivors)} noticed; not those in lines {survivors}")
