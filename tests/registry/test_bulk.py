"""Files of acts are done as a set: with the same result as one by one, in as few statements, whole or not at all."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from dualcarbon.core.problems import Refused
from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry, prices, reads
from dualcarbon.registry.files import import_file
from dualcarbon.registry.tables import METADATA
from tests.registry.chain import imported
from tests.registry.test_registry import ACTS, moved

NOON = 1_767_240_000_000_000
LOTS = "批次,品种,持有人,数量,起始编号,计量点,生产时期\n"
ALLOCATIONS = "编号,品种,出让方,受让方,数量,证书编号\n"
USES = "编号,品种,持有人,数量,用途,受益人\n"


class Recorded(Registry):
    """A registry that keeps which acts were done."""

    def __init__(self):
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        super().__init__(Store(engine, clock=lambda: NOON))
        self.done = []
        self.install()

    def together(self, acts, **options):
        answers = super().together(acts, **options)
        self.done += acts
        return answers

    def rows(self):
        """All that is written, without the numbers of rows that are only numbered."""
        found = {}
        with self.engine.connect() as connection:
            for table in METADATA.sorted_tables:
                columns = [column for column in table.columns if column.name != "number" or table.name.endswith("lot")]
                found[table.name] = sorted(map(repr, connection.execute(sa.select(*columns))))
            entries = sa.text("SELECT seq, id, debit, credit, amount, state, reason, linked FROM entry")
            found["entry"] = [tuple(row) for row in connection.execute(entries)]
        return found


def give_the_same(acts):
    """Do the acts one by one, and those that could be done together elsewhere: the same rows, seals and entries."""
    one, together = Recorded(), Recorded()
    for place, (action, first, quantity, giver, taker, chosen) in enumerate(acts):
        try:
            moved(one, place, action, giver, taker, first, quantity, (first, first + quantity - 1) if chosen else None)
        except Refused:
            continue
    together.together(one.done)
    assert together.rows() == one.rows()
    assert reads.check(together.engine) == []
    one.engine.dispose()
    together.engine.dispose()


@given(ACTS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_together_gives_what_one_by_one_gives(acts):
    give_the_same(acts)


@pytest.mark.slow
@given(ACTS)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_together_gives_what_one_by_one_gives_at_length(acts):
    give_the_same(acts)


def test_certificates_allocations_and_uses_from_files(registry, tmp_path):
    lots, to, use = tmp_path / "证书.csv", tmp_path / "分配.csv", tmp_path / "核销.csv"
    lots.write_text(LOTS + "".join(f"L{n},gec,售电,10,{1 + 10 * n},M{n},2026-01\n" for n in range(60)))
    to.write_text(
        ALLOCATIONS
        + "".join(f"T{n},gec,售电,厂{n % 7},7,\n" for n in range(80))
        + "T80,gec,售电,厂0,3,gec:598-600\nT81,gec,厂0,厂1,3,gec:598-600\n"
    )
    use.write_text(USES + "".join(f"U{n},gec,厂{n % 7},5,绿电消费,厂{n % 7}\n" for n in range(35)))
    assert len(import_file(registry, lots)) == 60
    assert [one["result"] for one in import_file(registry, to, dry_run=True)] == ["would_be_ok"] * 82
    assert prices.trades(registry.engine)["trades"] == []
    moved_to = import_file(registry, to)
    assert moved_to[1]["serials"] == [
        {"first": 8, "last": 10, "text": "gec:8-10"},
        {"first": 11, "last": 14, "text": "gec:11-14"},
    ]
    assert moved_to[81]["serials"][0]["text"] == "gec:598-600"
    assert {one["result"] for one in import_file(registry, to)} == {"exists"}
    assert len(import_file(registry, use)) == 35
    (sums,) = reads.totals(registry.engine)
    assert (sums["issued"], sums["held"], sums["retired"]) == (600, 425, 175)
    assert ledger.balance(registry.engine, "gec|售电")["balance"] == 600 - 80 * 7 - 3
    assert reads.check(registry.engine) == []


def test_a_file_takes_no_more_statements_than_a_few_rows(registry, tmp_path):
    counted = []

    def statements(count, first):
        rows = (f"L{n},gec,厂{n % 9},10,{1 + 10 * n},M{n},2026-01\n" for n in range(first, first + count))
        file = tmp_path / f"{first}.csv"
        file.write_text(LOTS + "".join(rows))
        counted.clear()
        import_file(registry, file)
        return len(counted)

    sa.event.listen(registry.engine, "before_cursor_execute", lambda *_: counted.append(1))
    statements(3, 0)
    few = statements(3, 100)
    # The ledger may bring the sums of a busy account forward, in a statement or two.
    assert statements(300, 1000) <= few + 3 < 40


def test_every_problem_of_a_file_is_told_at_once_and_nothing_stays(registry, tmp_path):
    imported(registry, "L0", 100, 1, "M0", "2026-01", "甲厂")
    file = tmp_path / "证书.csv"
    file.write_text(
        LOTS
        + "L1,gec,甲厂,10,1001,M1,2026-01\n"  # good
        + "L2,gec,甲厂,十,1101,M2,2026-01\n"  # no number
        + "L3,gec,甲厂,10,96,M3,2026-01\n"  # overlaps L0
        + "L4,gec,甲厂,10,1201,M0,2026-01\n"  # claimed by L0
        + "L5,gec,甲厂,10,1005,M5,2026-01\n"  # overlaps L1 of the same file
        + "L6,gec,甲厂,10,1301,M1,2026-01\n"  # claimed by L1 of the same file
        + "L7,gec,甲厂,10,1401,M7,某月\n"
    )
    with pytest.raises(Refused) as refused:
        import_file(registry, file)
    assert [(one.rule.split(".")[1], one.row, one.column) for one in refused.value.problems] == [
        ("quantity-unusable", 3, "数量"),
        ("serials-overlap", 4, "起始编号"),
        ("already-claimed", 5, "计量点"),
        ("serials-overlap", 6, "起始编号"),
        ("already-claimed", 7, "计量点"),
        ("period-not-understood", 8, "生产时期"),
    ]
    assert [one["lot"] for one in reads.find(registry.engine)["blocks"]] == ["L0"]
    to = tmp_path / "分配.csv"
    to.write_text(ALLOCATIONS + "T1,gec,甲厂,乙厂,60,\nT2,gec,甲厂,乙厂,60,\nT3,gec,甲厂,甲厂,1,\nT4,gec,乙厂,丙,60,\n")
    with pytest.raises(Refused) as refused:
        import_file(registry, to)
    assert [(one.rule.split(".")[1], one.row, one.column) for one in refused.value.problems] == [
        ("refused-by-ledger", 3, "数量"),
        ("same-holder", 4, "受让方"),
    ]
    assert ledger.balance(registry.engine, "gec|甲厂")["balance"] == 100
