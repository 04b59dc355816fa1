"""Who may do what: the chain of filings, appointments, independence, and what an issuance takes from its report."""

import pytest
import sqlalchemy as sa

from dualcarbon.core.problems import Refused
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry, dossiers, reads
from tests.registry.chain import REDUCTION, imported, issued, reported, rule


def test_the_chain_from_methodology_to_retirement(registry):
    answer = issued(registry)
    assert (answer["quantity"], answer["subjects"], answer["period"], answer["report"]) == (
        500, ["P1"], "2024-03", "报告-1",
    )  # fmt: skip
    assert (answer["actor"], answer["role"]) == ("嘉兴市碳普惠登记", "registrar")
    found = dossiers.filing(registry.engine, "报告-1")
    assert [(one["action"], one["actor"], one["role"]) for one in found["steps"]] == [
        ("submit", "业主", "owner"),
        ("verify", "核证机构甲", "verifier"),
        ("issue", "嘉兴市碳普惠登记", "registrar"),
    ]
    assert [one["id"] for one in found["chain"]] == ["项目-1", "方法-1"] and found["state"] == "issued"
    assert found["issued"][0]["lot"] == "签发-1" and found["issued"][0]["serials"][0]["text"].endswith(":1-500")
    assert found["following"] == []
    again = rule(registry.issue, "签发-2", REDUCTION, "业主", report="报告-1")
    assert again == "registry.report-not-verified"
    registry.transfer("T1", REDUCTION, "业主", "丙", 200)
    registry.retire("R1", REDUCTION, "丙", 200, purpose="会议碳中和", beneficiary="丙")
    (block,) = reads.find(registry.engine, state="retired")["blocks"]
    assert block["report"] == "报告-1" and block["quantity"] == 200
    kinds = [one["kind"] for one in dossiers.filings(registry.engine)["filings"]]
    assert kinds == ["methodology", "project", "report"]
    assert len(dossiers.filings(registry.engine, limit=2)["filings"]) == 2
    assert dossiers.filings(registry.engine, limit=2)["next"] == 2


def test_only_who_may_takes_a_step(registry):
    do = registry.do
    text = {"instrument": REDUCTION, "title": "林业", "document": "文本"}
    assert rule(do, "submit", "M", kind="methodology", **text) == "registry.actor-missing"
    assert rule(do, "submit", "M", kind="methodology", actor="甲", role="authority", **text) == (
        "registry.role-not-allowed"
    )
    do("submit", "M", kind="methodology", actor="研究院", **text)
    step = {"filing": "M", "step": "file", "document": "备案"}
    assert rule(do, "advance", "a", actor="研究院", **step) == "registry.not-appointed"
    own = {"instrument": REDUCTION, "title": "林", "document": "申请", "subjects": ["林地-1"], "actor": "林场"}
    assert rule(do, "submit", "P", kind="project", parent="M", **own) == "registry.parent-not-ready"
    assert rule(do, "submit", "P", kind="project", parent="无", **own) == "registry.no-such-filing"
    assert rule(do, "advance", "a", filing="M", step="return") == "registry.needs"
    do("advance", "M-退", filing="M", step="return", reason="缺基准线")
    assert rule(do, "advance", "a", **step) == "registry.not-allowed"
    again = {"filing": "M", "step": "resubmit", "document": "第二稿"}
    assert rule(do, "advance", "a", actor="别人", **again) == "registry.not-the-party"
    do("advance", "M-再", **again)
    do("advance", "M-备", actor="市碳普惠主管部门", **step)
    assert rule(do, "submit", "R", kind="report", parent="M", period="2024", quantity=1,
                **{k: own[k] for k in ("instrument", "document", "actor")}) == "registry.not-its-parent"  # fmt: skip
    do("submit", "P", kind="project", parent="M", **own)
    assert [one["step"] for one in dossiers.filing(registry.engine, "P")["following"]] == ["register", "return"]
    assert rule(do, "submit", "X", kind="project", parent="M", **{**own, "instrument": "energy_right"}) == (
        "registry.filing-unknown"
    )


def test_a_verifier_is_appointed_and_apart_from_owner_and_developer(registry):
    do = registry.do
    reported(registry)  # appoints 核证机构甲
    for name in ("业主", "研究院"):
        do("appoint", f"委任{name}", instrument=REDUCTION, appointed="verifier", entity=name)
    own = {"instrument": REDUCTION, "actor": "业主", "document": "材料"}
    do("submit", "R2", kind="report", parent="项目-1", period="2024-04", quantity=100, **own)
    verify = {"filing": "R2", "step": "verify", "quantity": 100, "document": "核证"}
    assert rule(do, "advance", "v", **verify) == "registry.actor-missing"
    assert rule(do, "advance", "v", actor="路人", **verify) == "registry.not-appointed"
    assert rule(do, "advance", "v", actor="业主", **verify) == "registry.not-independent"
    assert rule(do, "advance", "v", actor="研究院", **verify) == "registry.not-independent"
    more = {**verify, "quantity": 101}
    assert rule(do, "advance", "v", actor="核证机构甲", **more) == "registry.verified-above-reported"
    do("dismiss", "解除", instrument=REDUCTION, appointed="verifier", entity="核证机构甲")
    assert rule(do, "advance", "v", actor="核证机构甲", **verify) == "registry.not-appointed"
    named = {"instrument": REDUCTION, "appointed": "verifier", "entity": "核证机构甲"}
    assert rule(do, "dismiss", "解除2", **named) == "registry.not-appointed-now"
    do("appoint", "再委任", **named)
    assert rule(do, "appoint", "三委任", **named) == "registry.appointed-already"
    assert rule(do, "appoint", "自荐", **{**named, "entity": "丁"}, actor="丁") == "registry.not-appointed"
    assert rule(do, "appoint", "a", **{**named, "appointed": "owner"}) == "registry.role-unknown"
    do("advance", "v", actor="核证机构甲", **{**verify, "quantity": 90})
    assert rule(registry.issue, "I", REDUCTION, "业主", 100, report="R2") == "registry.not-the-verified"
    assert registry.issue("I", REDUCTION, "业主", report="R2")["quantity"] == 90
    listed = dossiers.roles(registry.engine)
    assert {"instrument", "role", "actor"} <= set(listed[0])
    assert [one["actor"] for one in listed if one["role"] == "verifier"] == ["业主", "研究院", "核证机构甲"]


def test_a_period_is_reported_once(registry):
    reported(registry)
    own = {"instrument": REDUCTION, "kind": "report", "parent": "项目-1", "quantity": 5, "document": "d"}
    overlap = rule(registry.do, "submit", "R2", period="2024-03-15/2024-04-15", actor="业主", **own)
    assert overlap == "registry.report-overlaps"
    assert rule(registry.do, "submit", "R2", period="2024-04", actor="别人", **own) == "registry.not-the-party"
    assert rule(registry.do, "submit", "R2", period="2024-04", actor="业主", result="怎样", **own) == (
        "registry.result-unusable"
    )
    query = "item=emission.co2&place=330400&period=2024-04"
    registry.do("submit", "R2", period="2024-04", actor="业主", result=f"/explain?{query}", **own)
    assert dossiers.filing(registry.engine, "R2")["result"] == query


def test_only_the_party_or_the_registrar_acts_on_units(registry):
    imported(registry)
    assert rule(registry.transfer, "T", "gec", "甲厂", "乙厂", 5, actor="乙厂") == "registry.not-the-party"
    assert rule(registry.transfer, "T", "gec", "甲厂", "乙厂", 5, role="registrar") == "registry.role-not-allowed"
    block = {"instrument": "gec", "holder": "甲厂", "quantity": 5, "reason": "查封"}
    assert rule(registry.do, "suspend", "S", actor="甲厂", **block) == "registry.not-appointed"
    assert registry.do("suspend", "S", **block)["role"] == "registrar"
    registry.do("appoint", "A", instrument="gec", appointed="registrar", entity="代办处")
    assert registry.do("resume", "S2", actor="代办处", **block)["actor"] == "代办处"


def test_every_word_that_is_wrong_is_told_at_once(registry):
    with pytest.raises(Refused) as refused:
        registry.do("transfer", "T", instrument="gec", quantity="三", serials="a-b", colour="red", at="昨天")
    assert {one.rule.split(".")[1] for one in refused.value.problems} == {
        "quantity-unusable", "serials-unreadable", "word-unknown", "time-not-understood", "needs",
    }  # fmt: skip
    assert rule(registry.do, "explode", "E") == "registry.act-unknown"


def test_suspended_cancelled_expired(registry):
    imported(registry)
    do = registry.do
    registry.transfer("T1", "gec", "甲厂", "乙厂", 300)
    registry.retire("R1", "gec", "乙厂", 100, purpose="用电", beneficiary="乙厂")
    block = {"instrument": "gec", "holder": "乙厂", "quantity": 50}
    assert rule(do, "suspend", "S1", **block) == "registry.needs"
    do("suspend", "S1", reason="争议", **block)
    assert rule(registry.transfer, "T2", "gec", "乙厂", "甲厂", 151) == "registry.refused-by-ledger"
    assert rule(registry.transfer, "T2", "gec", "乙厂", "甲厂", 50, serials=(101, 150)) == "registry.serials-not-held"
    (sums,) = reads.totals(registry.engine)
    assert (sums["held"], sums["suspended"], sums["retired"]) == (850, 50, 100)
    do("resume", "S2", reason="了结", **{**block, "quantity": 20})
    assert reads.check(registry.engine) == []
    assert rule(do, "expire", "E1", reason="到期", **block) == "registry.lifetime-unknown"
    gone = do("cancel", "C1", instrument="gec", lot="L1", reason="核发有误")
    assert gone["quantity"] == 900  # what was retired stays retired
    assert rule(do, "cancel", "C2", instrument="gec", lot="L1", reason="再") == "registry.lot-empty"
    assert rule(do, "cancel", "C2", instrument="gec", lot="无", reason="再") == "registry.no-such-lot"
    (sums,) = reads.totals(registry.engine)
    assert (sums["issued"], sums["held"], sums["cancelled"], sums["retired"]) == (1000, 0, 900, 100)
    assert {one["state"] for one in reads.find(registry.engine)["blocks"]} == {"cancelled", "retired"}
    assert rule(registry.transfer, "T3", "gec", "甲厂", "乙厂", 1) == "registry.refused-by-ledger"
    assert [one["action"] for one in reads.life(registry.engine, "gec", 101)][-1] == "cancel"
    assert reads.check(registry.engine) == []


def test_a_right_ends_with_its_year(registry):
    registry.issue("I1", "energy_right", "甲厂", 1000, vintage="2024", document="批文")
    end = {"instrument": "energy_right", "vintage": "2024", "holder": "甲厂", "quantity": 400, "reason": "年度结束"}
    assert rule(registry.do, "expire", "E1", at="2024-12-31", **end) == "registry.not-over"
    assert registry.do("expire", "E1", at="2027-01-01", **end)["state"] == "expired"
    (sums,) = reads.totals(registry.engine)
    assert (sums["held"], sums["expired"]) == (600, 400)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE registry_act SET asked = replace(asked, '520', '530') WHERE id = '报告-1'", "报告-1"),
        ("UPDATE registry_act SET answer = replace(answer, '公交', '轨道') WHERE id = '项目-1'", "项目-1-登记"),
        ("DELETE FROM registry_act WHERE id = '报告-1-核证'", "签发-1"),
        ("UPDATE registry_lot SET quantity = quantity + 1", "签发-1"),
        ("UPDATE registry_trade SET buyer = '丁'", "T1"),
        ("UPDATE registry_filing SET state = 'verified' WHERE kind = 'report'", "签发-1"),
        ("UPDATE registry_block SET last = last - 1 WHERE final = 0", None),
        ("UPDATE entry SET reason = 'x' WHERE id = 'T1'", "T1"),
    ],
)
def test_what_was_altered_behind_the_program_is_found(statement, where):
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    registry = Registry(Store(engine))
    registry.install()
    issued(registry, quantity=520)
    registry.transfer("T1", REDUCTION, "业主", "丙", 200)
    assert reads.check(engine) == []
    with engine.begin() as connection:
        for table in ("act", "lot", "trade"):
            # Whoever can change rows can take away what forbids it, too.
            for moment in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER registry_{table}_final_{moment}")
        connection.exec_driver_sql(statement)
    found = reads.check(engine)
    engine.dispose()
    assert found and (where is None or found[0].get("act") == where)


def test_a_registry_of_an_older_version_is_brought_up_to_date(registry):
    imported(registry)
    registry.transfer("T1", "gec", "甲厂", "乙厂", 10)
    with registry.engine.begin() as connection:
        for table in ("registry_seal", "registry_role", "registry_trade"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("ALTER TABLE registry_lot DROP COLUMN synthetic")
    assert [one["quantity"] for one in reads.find(registry.engine)["blocks"]] == [10, 990]
    assert reads.check(registry.engine) == []
    registry.transfer("T2", "gec", "甲厂", "乙厂", 10)
    assert reads.check(registry.engine) == []
