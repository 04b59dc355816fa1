"""Serial numbers as sets, one benefit one claim, final retirement; by the rules of the packs, on both databases."""

import json

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualcarbon.core.pack import PackError
from dualcarbon.core.problems import Refused
from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry, prices, reads
from dualcarbon.registry.files import import_file
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.rights import required_purchase, room_to_sell
from tests.registry.chain import imported, issued, reported, rule

STATUSES = {"official", "secondary", "unverified", "synthetic"}


def test_instruments_of_the_packs():
    known = instruments("cn-jiaxing")
    assert {"gec", "energy_right", "pollutant_cod", "pollutant_nox", "water_regional", "inclusive_reduction"} <= set(
        known
    )
    for one in known.values():
        assert one.title["zh"] and one.title["en"] and one.status in STATUSES
        assert {p["status"] for p in one.parameters.values()} <= STATUSES
        assert all(one.step("transfer", "retired") is None for one in known.values())
        json.dumps(one.as_dict())
    assert known["energy_right"].parameters["threshold"]["value"] == 0.52
    assert instruments("cn-zhejiang")["energy_right"].parameters["threshold"]["value"] == 0.6
    assert known["gec"].issued == "elsewhere" and known["gec"].stands_for == {"quantity": 1000, "unit": "kWh"}


def test_a_faulty_pack_tells_every_fault(tmp_path):
    (tmp_path / "pack.yaml").write_text("id: own\nversion: 1\nextends: cn-jiaxing\ntitle: {zh: 试, en: try}\n")
    (tmp_path / "instruments.yaml").write_text(
        "- {code: gec, issued: nowhere}\n- {code: new, parameters: [{name: a, value: 1, status: sure}]}\n"
    )
    with pytest.raises(PackError) as fault:
        instruments(str(tmp_path))
    assert len(fault.value.errors) >= 6


def test_the_life_of_certificates(registry):
    assert imported(registry)["serials"] == [{"first": 1, "last": 1000, "text": "gec:1-1000"}]
    assert imported(registry)["result"] == "exists"
    moved = registry.transfer("T1", "gec", "甲厂", "乙厂", 600)
    assert moved["serials"][0]["text"] == "gec:1-600"
    used = registry.retire("R1", "gec", "乙厂", 400, purpose="绿电消费核算", beneficiary="乙厂", serials=(101, 500))
    assert used["serials"][0]["text"] == "gec:101-500"
    found = {one["text"]: (one["holder"], one["state"]) for one in reads.find(registry.engine)["blocks"]}
    assert found == {
        "gec:1-100": ("乙厂", "held"),
        "gec:101-500": ("乙厂", "retired"),
        "gec:501-600": ("乙厂", "held"),
        "gec:601-1000": ("甲厂", "held"),
    }
    registry.transfer("T2", "gec", "乙厂", "甲厂", 100, serials=(501, 600))
    assert [one["text"] for one in reads.find(registry.engine, holder="甲厂")["blocks"]] == ["gec:501-1000"]
    assert [one["action"] for one in reads.life(registry.engine, "gec", 101)] == ["import", "transfer", "retire"]
    assert [one["id"] for one in reads.life(registry.engine, "gec", 600)] == ["L1", "T1", "T2"]
    assert rule(reads.life, registry.engine, "gec", 1001) == "registry.no-such-serial"
    assert [one["lot"] for one in reads.find(registry.engine, code="gec", serial=101)["blocks"]] == ["L1"]
    assert len(reads.find(registry.engine, subject="M1")["blocks"]) == 3
    assert [one["id"] for one in prices.trades(registry.engine)["trades"]] == ["T1", "T2"]
    (sums,) = reads.totals(registry.engine)
    assert (sums["issued"], sums["held"], sums["retired"]) == (1000, 600, 400)
    assert ledger.balance(registry.engine, "gec|甲厂")["balance"] == 500
    assert reads.check(registry.engine) == []


def test_what_is_refused_leaves_nothing(registry):
    imported(registry)
    entries = len(ledger.entries(registry.engine)["entries"])
    issue, transfer, retire = registry.issue, registry.transfer, registry.retire
    assert rule(issue, "a", "gec", "甲厂", 5) == "registry.issued-elsewhere"
    assert rule(issue, "a", "绿色券", "甲厂", 5) == "registry.unknown-instrument"
    assert rule(issue, "a", "inclusive_reduction", "甲厂", 5, subjects=["P1"], period="2024-03") == "registry.needs"
    assert rule(issue, "a", "inclusive_points", "@issuer", 5, document="规则") == "registry.holder-unusable"
    assert rule(issue, "a", "inclusive_points", "甲|乙", 5, document="规则") == "registry.holder-unusable"
    assert rule(issue, "a", "inclusive_points", "甲", document="规则") == "registry.needs"
    assert rule(issue, "a", "inclusive_points", "甲", 0, document="规则") == "registry.quantity-unusable"
    assert rule(issue, "a", "inclusive_points", "甲", 1.5, document="规则") == "registry.quantity-unusable"
    assert rule(issue, "a" * 61, "inclusive_points", "甲", 1, document="规则") == "registry.id-unusable"
    assert rule(imported, registry, "L9", period="昨天") == "registry.period-not-understood"
    assert rule(issue, "a", "energy_right", "甲厂", 5, document="批文") == "registry.vintage-missing"
    assert rule(transfer, "a", "gec", "甲厂", "甲厂", 5) == "registry.same-holder"
    assert rule(transfer, "a", "gec", "甲厂", "乙厂", 1001) == "registry.refused-by-ledger"
    assert rule(transfer, "a", "gec", "甲厂", "乙厂", 5, serials=(1, 4)) == "registry.serials-not-quantity"
    assert rule(transfer, "a", "gec", "甲厂", "乙厂", 5, serials=(998, 1002)) == "registry.serials-not-held"
    assert rule(retire, "a", "gec", "甲厂", 5, purpose="消费", beneficiary=None) == "registry.needs"
    assert rule(retire, "L1", "gec", "甲厂", 5, purpose="消费", beneficiary="甲") == "registry.id-used"
    assert len(ledger.entries(registry.engine)["entries"]) == entries
    assert reads.find(registry.engine)["blocks"][0]["text"] == "gec:1-1000"
    assert reads.check(registry.engine) == []


def test_a_dry_run_changes_nothing(registry):
    report = reported(registry)
    tried = registry.issue("I1", "inclusive_reduction", "丙", report=report, dry_run=True)
    assert tried["result"] == "would_be_ok" and tried["serials"][0]["text"] == "inclusive_reduction:1-500"
    assert reads.find(registry.engine)["blocks"] == [] and reads.claims(registry.engine)["claims"] == []
    real = registry.issue("I1", "inclusive_reduction", "丙", report=report)
    assert {**real, "at": None} == {**tried, "result": "ok", "at": None}


def test_one_benefit_has_one_claim(registry):
    imported(registry, period="2024-03")
    with pytest.raises(Refused) as refused:
        issued(registry, "1", subject="M1", period="2024")
    assert refused.value.problems[0].rule == "registry.already-claimed"
    assert "gec:1-1000（L1" in str(refused.value)
    assert issued(registry, "2", subject="M1", period="2024-04/2024-12")["result"] == "ok"

    def claim(id, subjects, period):
        return registry.do("claim", id, kind="碳账户扣减", subjects=subjects, period=period)

    assert rule(claim, "C1", ["M1"], "2024-12-31") == "registry.already-claimed"
    assert rule(claim, "C1", [], "2024-12-31") == "registry.needs"
    assert claim("C1", ["M1"], "2025-01")["result"] == "ok"
    with pytest.raises(Refused, match="碳账户扣减（C1"):
        imported(registry, "L2", first=2000, period="2025-01")
    assert len(reads.claims(registry.engine)["claims"]) == 3
    assert len(reads.claims(registry.engine, "M1", limit=2)["claims"]) == 2


def test_yearly_rights(registry):
    for year, amount in (("2024", 50_000_000), ("2025", 7)):
        registry.issue(f"I{year}", "energy_right", "甲厂", amount, vintage=year, document="批文")
    registry.transfer("T1", "energy_right", "甲厂", "乙厂", 20_000_000, vintage="2024", document="成交确认书")
    late = {"vintage": "2025", "document": "成交确认书"}
    assert rule(registry.transfer, "T2", "energy_right", "甲厂", "乙厂", 8, **late) == "registry.refused-by-ledger"
    assert ledger.balance(registry.engine, "energy_right.2024|乙厂")["balance"] == 20_000_000
    assert {(one["vintage"], one["issued"]) for one in reads.totals(registry.engine)} == {
        ("2024", 50_000_000),
        ("2025", 7),
    }


def test_required_purchase():
    """0.52 tce per 10,000 yuan: 10,000 tce on 100 million yuan is 1.0; 5,200 tce of it are free."""
    found = required_purchase(10_000_000, 100_000_000)
    assert (found["kgce"], found["intensity"], found["status"]) == (4_800_000, 1.0, "unverified")
    assert required_purchase(5_200_000, 100_000_000)["kgce"] == 0
    assert required_purchase(5_200_001, 100_000_000)["kgce"] == 1
    assert room_to_sell(1_000_000, 400_000, 0.5) == 100_000
    assert room_to_sell(1_000_000, 600_000, 0.5) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO registry_block (number, lot, instrument, holder, state, first, last, act, final)"
        " SELECT 99, lot, instrument, 'x', state, last, last + 5, act, 0 FROM registry_block WHERE final = 0",
        "UPDATE registry_block SET first = first - 1 WHERE final = 0",
        "UPDATE registry_block SET holder = 'x' WHERE final = 1",
        "DELETE FROM registry_block WHERE final = 1",
        "UPDATE registry_act SET answer = '{}'",
        "DELETE FROM registry_claim",
        "INSERT INTO registry_claimed_day SELECT attribute, subject, day, 'x' FROM registry_claimed_day",
    ],
)
def test_the_database_itself_refuses(registry, statement):
    imported(registry)
    registry.retire("R1", "gec", "甲厂", 10, purpose="消费", beneficiary="甲厂")
    with pytest.raises(sa.exc.DBAPIError), registry.engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert reads.check(registry.engine) == []


def test_check_finds_numbers_that_the_ledger_does_not_know(registry):
    imported(registry)
    with registry.engine.begin() as connection:
        connection.execute(sa.text("UPDATE registry_block SET last = last - 1"))
    assert reads.check(registry.engine) == [{"account": "gec|甲厂", "balance": 1000, "serials": 999}]


DEEDS = ["import", "import", "transfer", "transfer", "retire", "suspend", "resume", "offer", "cancel", "annul"]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["import", "import", "transfer", "transfer", "retire", "suspend", "resume", "offer", "cancel", "annul"]
        ),
        st.integers(1, 60),
        st.integers(1, 30),
        st.sampled_from("甲乙丙"),
        st.sampled_from("甲乙丙"),
        st.booleans(),
    ),
    max_size=14,
)


def moved(registry, place, action, one, other, first, quantity, serials):
    """Do one act on certificates; the state numbers leave and the one they reach."""
    own = {"instrument": "gec", "quantity": quantity, "serials": serials}
    if action == "import":
        imported(registry, f"a{place}", quantity, first, f"M{place}", holder=one)
    elif action == "transfer":
        registry.do("transfer", f"a{place}", seller=one, buyer=other, **own)
    elif action == "offer":
        # Offered, taken and settled: the numbers end in other hands.
        registry.do("offer", f"a{place}", holder=one, price="3", counterparty=other, **own)
        registry.do("accept", f"b{place}", offer=f"a{place}", holder=other)
        registry.do("settle", f"c{place}", trade=f"b{place}", payment="p")
    elif action == "annul":
        registry.do("annul", f"a{place}", instrument="gec", lot=f"a{first % 14}", reason="r")
    elif action == "retire":
        registry.do("retire", f"a{place}", holder=one, purpose="p", beneficiary="b", **own)
    else:
        registry.do(action, f"a{place}", holder=one, reason="r", **own)


PATHS = {
    "transfer": ("held", "held"), "offer": ("held", "held"), "retire": ("held", "retired"),
    "suspend": ("held", "suspended"), "resume": ("suspended", "held"), "cancel": ("held", "cancelled"),
}  # fmt: skip


def behave_as_sets(acts):
    """Splitting, merging and moving blocks is moving numbers between sets: nothing is lost, nothing is in two hands."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    registry = Registry(Store(engine))
    registry.install()
    sets = {(name, state): set() for name in "甲乙丙" for state in ("held", "suspended", "retired", "cancelled")}
    lots = {}
    for place, (action, first, quantity, one, other, chosen) in enumerate(acts):
        numbers = set(range(first, first + quantity))
        serials = (first, first + quantity - 1) if chosen else None
        before, after = PATHS.get(action, ("", "held"))
        source, target = sets.get((one, before), set()), (other if action in ("transfer", "offer") else one, after)
        wanted = numbers if chosen or action == "import" else set(sorted(source)[:quantity])
        if action == "import":
            allowed = not numbers & set().union(*sets.values())
        elif action == "annul":
            # A lot is taken back whole from the holder it was made for, or not at all; its numbers are free again.
            holder, wanted = lots.get(f"a{first % 14}", ("甲", set()))
            source, target = sets[holder, "held"], None
            allowed = bool(wanted) and wanted <= source
        else:
            allowed = len(wanted) == quantity and wanted <= source and (target[0] != one or after != before)
        try:
            moved(registry, place, action, one, other, first, quantity, serials)
            assert allowed
            source -= wanted
            if action == "annul":
                del lots[f"a{first % 14}"]
            else:
                sets[target] |= wanted
            if action == "import":
                lots[f"a{place}"] = (one, numbers)
        except Refused:
            assert not allowed
    blocks = reads.find(engine, limit=1000)["blocks"]
    for (name, state), numbers in sets.items():
        told = [block for block in blocks if (block["holder"], block["state"]) == (name, state)]
        assert {n for b in told for n in range(b["first"], b["last"] + 1)} == numbers
        assert sum(block["quantity"] for block in told) == len(numbers)
    assert sum(block["quantity"] for block in blocks) == sum(map(len, sets.values()))
    assert reads.check(engine) == []
    engine.dispose()


@given(ACTS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_serial_numbers_behave_as_sets(acts):
    behave_as_sets(acts)


@pytest.mark.slow
@given(ACTS)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_serial_numbers_behave_as_sets_at_length(acts):
    behave_as_sets(acts)


HEADING = "批次,品种,持有人,数量,起始编号,计量点,项目,生产时期,核发文件\n"


def test_a_file_of_certificates_is_imported_whole_or_not_at_all(registry, tmp_path):
    file = tmp_path / "绿证.csv"
    file.write_bytes(
        (HEADING + 'L1,gec,甲厂,"1,000",1,M1,P1,2024-03,核发1\nL2,gec,乙厂,20,2001,M2,,2024年4月,\n').encode("gb18030")
    )
    assert [one["result"] for one in import_file(registry, file, dry_run=True)] == ["would_be_ok"] * 2
    assert reads.find(registry.engine)["blocks"] == []
    assert [one["quantity"] for one in import_file(registry, file)] == [1000, 20]
    assert [one["result"] for one in import_file(registry, file)] == ["exists", "exists"]
    rows = ("L3,gec,丙厂,5,3000,M3,,2024-05,", "L4,gec,丙厂,五,4000,M4,,2024-05,", "L5,gec,,1,1,M5,,2024,")
    file.write_text(HEADING + "\n".join(rows))
    with pytest.raises(Refused) as refused:
        import_file(registry, file)
    told = [(one.rule, one.file, one.row, one.column) for one in refused.value.problems]
    assert told == [
        ("registry.quantity-unusable", "绿证.csv", 3, "数量"),
        ("registry.cell-empty", "绿证.csv", 4, "持有人"),
    ]
    rows = ("L3,gec,丙厂,5,3000,M3,,2024-05,", "L6,gec,丙厂,5,999,M6,,2024-05,", "L7,gec,丁,1,9000,M1,,2024-03,")
    file.write_text(HEADING + "\n".join(rows))
    with pytest.raises(Refused) as refused:
        import_file(registry, file)
    assert [(one.rule, one.row) for one in refused.value.problems] == [
        ("registry.serials-overlap", 3),
        ("registry.already-claimed", 4),
    ]
    assert reads.find(registry.engine, holder="丙厂")["blocks"] == [] and reads.check(registry.engine) == []
    file.write_text("批次,数量\nL1,1\n")
    with pytest.raises(Refused) as refused:
        import_file(registry, file)
    assert {one.rule for one in refused.value.problems} == {"registry.column-missing"}
    assert len(refused.value.problems) == 5


def test_every_fault_of_a_row_is_told_at_once(registry, tmp_path):
    heading = "批次,品种,持有人,数量,起始编号,计量点,生产时期,核发时间\n"
    file = tmp_path / "绿证.csv"
    file.write_text(heading + "L1,绿色券,,五,1,M1,二六年,昨天\nL2,绿色电力证书,甲厂,5,10,M2,2024-03,2024-04-01\n")
    with pytest.raises(Refused) as refused:
        import_file(registry, file)
    assert sorted((one.rule, one.row, one.column) for one in refused.value.problems) == [
        ("registry.cell-empty", 2, "持有人"),
        ("registry.period-not-understood", 2, "生产时期"),
        ("registry.quantity-unusable", 2, "数量"),
        ("registry.time-not-understood", 2, "核发时间"),
        ("registry.unknown-instrument", 2, "品种"),
    ]
    told = {lang: " ".join(one.line(lang) for one in refused.value.problems) for lang in ("zh", "en")}
    assert "绿色电力证书（gec）、" in told["zh"] and "green electricity certificate (gec), " in told["en"]
    file.write_text(heading + "L2,绿色电力证书,甲厂,5,10,M2,2024-03,2024-04-01\n")
    assert import_file(registry, file)[0]["instrument"] == "gec"


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("空.csv", "", "registry.no-headings"),
        ("别的.csv", "甲,乙\n1,2\n", "registry.no-headings"),
        ("坏.xlsx", "hello", "registry.file-unreadable"),
    ],
)
def test_a_file_that_is_none_says_so_once_and_in_words(registry, tmp_path, name, content, found):
    (tmp_path / name).write_text(content)
    with pytest.raises(Refused) as refused:
        import_file(registry, tmp_path / name)
    (problem,) = refused.value.problems
    assert problem.rule == found
    assert not any(word in problem.line("zh") for word in ("—", "Zip", "archive"))


def test_what_has_no_kinds_says_so(registry):
    imported(registry)
    with pytest.raises(Refused, match="绿色电力证书不分类型。 类型一栏留空。"):
        registry.transfer("T9", "gec", "甲厂", "乙厂", 1, kind="增量", document="x")


def test_an_excel_file(registry, tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (HEADING.strip().split(","), ["L1", "gec", "甲厂", 1000, 1, "M1", "P1", "2024-03", "核发1"]):
        book.active.append(row)
    book.save(tmp_path / "绿证.xlsx")
    assert import_file(registry, tmp_path / "绿证.xlsx")[0]["serials"][0]["text"] == "gec:1-1000"
    (tmp_path / "坏.xlsx").write_bytes(b"no workbook")
    assert rule(import_file, registry, tmp_path / "坏.xlsx") == "registry.file-unreadable"
