"""A lot made in error is taken back whole: its entry reversed, its numbers and its claim free; never what has moved."""

import pytest
import sqlalchemy as sa

from dualcarbon.core.problems import Refused
from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry, dossiers, reads
from dualcarbon.registry.instruments import instruments
from tests.registry.chain import REDUCTION, imported, issued, rule

ERROR = {"instrument": "gec", "lot": "L1", "reason": "计量点登记错误"}


def test_the_rule_is_data():
    for one in instruments().values():
        step = one.step("annul", "held")
        assert (step.undoes, step.by, step.needs) == ("lot", ("registrar", "authority"), ("lot", "reason"))
    report = instruments()[REDUCTION].filing["report"].step("annul", "issued")
    assert report.after == "verified" and "owner" not in report.by


def test_a_lot_made_in_error_is_taken_back_with_its_claim(registry):
    imported(registry, "L1", subject="M1")
    assert rule(imported, registry, "L2", first=2000, subject="M1") == "registry.already-claimed"
    assert rule(registry.do, "annul", "A", **{**ERROR, "reason": None}) == "registry.needs"
    assert rule(registry.do, "annul", "A", actor="甲厂", **ERROR) == "registry.not-appointed"
    assert rule(registry.do, "annul", "A", role="holder", **ERROR) == "registry.role-not-allowed"
    assert rule(registry.do, "annul", "A", **{**ERROR, "lot": "L9"}) == "registry.no-such-lot"
    tried = registry.do("annul", "A", dry_run=True, **ERROR)
    assert tried["result"] == "would_be_ok" and len(reads.find(registry.engine)["blocks"]) == 1
    made = registry.do("annul", "A", **ERROR)
    assert (made["quantity"], made["state"], made["role"], made["reverses"]) == (1000, "annulled", "registrar", "L1")
    entry = ledger.entry(registry.engine, "A")
    assert (entry["reverses"], entry["amount"]) == ("L1", 1000) and entry["reason"].startswith(
        "计量点登记错误 registry:"
    )
    (claim,) = reads.claims(registry.engine)["claims"]
    assert claim["released"] == "A" and reads.claims(registry.engine, "M1")["claims"] == []
    assert reads.find(registry.engine)["blocks"] == []
    (sums,) = reads.totals(registry.engine)
    assert (sums["issued"], sums["held"], sums["annulled"]) == (0, 0, 1000)
    assert rule(registry.do, "annul", "B", **ERROR) == "registry.lot-annulled"
    # The same numbers come again, with the right meter; the life of one of them tells all of it.
    imported(registry, "L2", subject="M2")
    imported(registry, "L3", first=2000, subject="M1")
    assert [one["action"] for one in reads.life(registry.engine, "gec", 5)] == ["import", "annul", "import"]
    assert reads.check(registry.engine) == []
    assert registry.do("annul", "A", **ERROR)["result"] == "exists"


def test_what_has_moved_is_not_taken_back(registry):
    imported(registry, "L1")
    registry.transfer("T1", "gec", "甲厂", "乙厂", 10)
    assert rule(registry.do, "annul", "A", **ERROR) == "registry.lot-moved"
    registry.transfer("T2", "gec", "乙厂", "甲厂", 10, serials=(1, 10))
    block = {"instrument": "gec", "holder": "甲厂", "quantity": 5, "reason": "争议"}
    registry.do("suspend", "S1", **block)
    assert rule(registry.do, "annul", "A", **ERROR) == "registry.lot-moved"
    registry.do("resume", "S2", **block)
    registry.do("offer", "O1", instrument="gec", holder="甲厂", quantity=5, price="3", counterparty="乙厂")
    assert rule(registry.do, "annul", "A", **ERROR) == "registry.lot-moved"
    registry.do("withdraw", "W1", offer="O1")
    registry.retire("R1", "gec", "甲厂", 1, purpose="用电", beneficiary="甲厂")
    with pytest.raises(Refused, match="999 个仍由 甲厂 持有"):
        registry.do("annul", "A", **ERROR)
    assert rule(imported, registry, "L2", first=2000, subject="M1") == "registry.already-claimed"
    # Cancelled is not taken back either: what it claimed stays claimed.
    registry.do("cancel", "C1", instrument="gec", lot="L1", reason="更正")
    assert rule(registry.do, "annul", "A", **ERROR) == "registry.lot-moved"
    assert rule(imported, registry, "L2", first=2000, subject="M1") == "registry.already-claimed"
    assert reads.check(registry.engine) == []


def test_what_came_back_whole_is_taken_back(registry):
    imported(registry, "L1")
    registry.transfer("T1", "gec", "甲厂", "乙厂", 300, serials=(301, 600))
    registry.transfer("T2", "gec", "乙厂", "甲厂", 300)
    assert registry.do("annul", "A", **ERROR)["serials"] == [{"first": 1, "last": 1000, "text": "gec:1-1000"}]
    assert reads.check(registry.engine) == []


def test_a_report_is_verified_again_when_its_reductions_are_taken_back(registry):
    issued(registry)
    made = registry.do("annul", "A", instrument=REDUCTION, lot="签发-1", reason="持有人写错")
    assert made["state"] == "annulled"
    found = dossiers.filing(registry.engine, "报告-1")
    assert found["state"] == "verified" and found["steps"][-1]["action"] == "annul" and found["issued"] == []
    for step in ("issue", "annul"):
        alone = {"filing": "报告-1", "step": step, "reason": "试"}
        assert rule(registry.do, "advance", "x", **alone) == "registry.step-of-units"
    again = registry.issue("签发-2", REDUCTION, "业主乙", report="报告-1")
    assert [one["lot"] for one in dossiers.filing(registry.engine, "报告-1")["issued"]] == ["签发-2"]
    assert again["holder"] == "业主乙" and again["serials"][0]["text"] == "inclusive_reduction:501-1000"
    assert reads.check(registry.engine) == []


def test_taken_back_and_made_again_in_one_go(registry):
    acts = [
        *registry.prepare("import", "L1", instrument="gec", holder="甲厂", quantity=10, first=1, subjects=["M1"],
                          period="2026-03"),
        *registry.prepare("annul", "A", **ERROR),
        *registry.prepare("import", "L2", instrument="gec", holder="乙厂", quantity=10, first=1, subjects=["M1"],
                          period="2026-03"),
    ]  # fmt: skip
    assert [one["result"] for one in registry.together(acts)] == ["ok"] * 3
    (block,) = reads.find(registry.engine)["blocks"]
    assert (block["holder"], block["lot"]) == ("乙厂", "L2") and reads.check(registry.engine) == []


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("DELETE FROM registry_claimed_day WHERE act = 'L2'", "L2"),
        ("INSERT INTO registry_release (claim, act, days) VALUES ('L2', 'A', 31)", "L2"),
        ("DELETE FROM registry_release", "L1"),
        ("INSERT INTO registry_claimed_day VALUES ('climate', 'M9', '2024-03-01', 'L1')", "L1"),
    ],
)
def test_a_claim_freed_behind_the_program_is_found(statement, where):
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    registry = Registry(Store(engine))
    registry.install()
    imported(registry, "L1")
    imported(registry, "L2", first=2000, subject="M2")
    registry.do("annul", "A", **ERROR)
    assert reads.check(engine) == []
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER registry_release_final_delete")
        connection.exec_driver_sql(statement)
    assert [one["act"] for one in reads.check(engine)][:1] == [where]
    engine.dispose()
