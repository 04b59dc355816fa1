"""Plans followed through a year by hand: what is refused, what counts, how each line stands, when it is done."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from dualcarbon import plan
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Listed, Told, reads
from dualcarbon.plan.feeding.proofs import Paper

CASES = Path(__file__).resolve().parents[1] / "cases" / "plan" / "feed"


def happen(workspace: Workspace, event: dict[str, Any]) -> None:
    """Do what an event of a case says, and see that what must be refused is refused with exactly these rules."""
    before = reads.last_change(workspace)
    try:
        if "confirm" in event:
            plan.confirm(workspace, None, event["confirm"], event["department"], at=event["day"])
        elif "review" in event:
            told = reads.report_rows(workspace)
            last = {row["line"]: row["number"] for row in told if row["month"] == event["month"]}
            numbers = [last[line] for line in event["review"]]
            said = {"person": "审核员", "reason": event.get("reason"), "at": event["day"]}
            plan.review(workspace, None, numbers, event["decision"], **said)
        else:
            told = [Told(month=event["month"], **one) for one in event.get("told", ())]
            listed = [Listed(**one) for one in event.get("listed", ())]
            plan.tell(workspace, None, event["month"], told, listed, at=event["day"])
    except Refused as refused:
        assert sorted(problem.rule for problem in refused.problems) == sorted(event.get("refused", ())), event
        assert reads.last_change(workspace) == before
        for problem in refused.problems:
            for lang in ("zh", "en"):
                said = problem.as_dict(lang)
                assert said["message"] and said["remedy"] and "{" not in said["message"], said
    else:
        assert "refused" not in event, event


@pytest.mark.parametrize("name", ["jiangyuan-2025"])
def test_a_year_by_hand(place: Workspace, name: str) -> None:
    case = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    plan.load(place, CASES / case["plan"])
    first = date(2025, 1, 10)
    for one in case["setup"]:
        if "path" in one:
            plan.set_path(place, None, one["path"], opening=one["opening"], at=first)
        else:
            plan.set_steps(place, None, one["steps"], one["of"], at=first)
    for event in case["events"]:
        happen(place, event)
    for expected in case["expect"]:
        standing = {row["line"]: row for row in plan.status(place, None, expected["day"])}
        for line, wanted in expected["status"].items():
            for name, value in wanted.items():
                assert standing[line][name] == _near(value), (expected["day"], line, name, standing[line][name])
    for event in case["finish"]:
        happen(place, event)
    done = case["done"]
    for day, states in ((done["before"], done["states"]), (done["after"], done["then"])):
        standing = {row["line"]: row["state"] for row in plan.status(place, None, day)}
        assert [standing[line] for line in done["lines"]] == states
    left = {row["line"]: row["remaining"] for row in plan.unfinished(place) if row["kind"] == "indicator"}
    assert left == pytest.approx(case["left"])


def _near(value: Any) -> Any:
    return pytest.approx(value, abs=1e-6) if type(value) in (int, float) else value


def test_corrections_are_new_rows(place: Workspace) -> None:
    plan.load(place, CASES / "jiangyuan-2025.txt")

    def tell(value: float, **more: Any) -> dict[str, Any]:
        return plan.tell(place, None, 1, [Told("I1", 1, value, **more)], at=date(2025, 2, 5))

    tell(3)
    assert tell(3)["already"] and plan.reports(place).height == 1
    tell(4, reason="漏报一个县")
    tell(4.2, stage="初步")
    told = plan.reports(place)
    assert told["value"].to_list() == [3, 4, 4.2] and told["corrects"].to_list() == [None, 1, 2]
    assert told["counts"].to_list() == [False, False, True]
    with pytest.raises(Exception, match="final"), place.database.begin() as connection:
        connection.exec_driver_sql("UPDATE plan_report SET value = 9")
    with pytest.raises(Exception, match="final"), place.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM plan_report")


def test_the_same_key_answers_again(place: Workspace) -> None:
    plan.load(place, CASES / "jiangyuan-2025.txt")
    once = plan.tell(place, None, 1, [Told("I1", 1, 3)], key="a", at=date(2025, 2, 5))
    again = plan.tell(place, None, 1, [Told("I1", 1, 3)], key="a", at=date(2025, 2, 6))
    assert again == {**once, "already": True} and plan.reports(place).height == 1
    with pytest.raises(Refused) as refused:
        plan.tell(place, None, 1, [Told("I1", 1, 5)], key="a", at=date(2025, 2, 6))
    assert [one.rule for one in refused.value.problems] == ["plan.key-used"]


def test_what_was_returned_may_be_told_again(place: Workspace) -> None:
    plan.load(place, CASES / "jiangyuan-2025.txt")
    plan.tell(place, None, 1, [Told("I1", 1, 3)], at=date(2025, 2, 5))
    plan.review(place, None, [1], "returned", person="李", reason="请核对")
    again = plan.tell(place, None, 1, [Told("I1", 1, 3)], at=date(2025, 2, 7))
    assert not again["already"] and again["reports"][0]["corrects"] == 1
    assert plan.reports(place)["state"].to_list() == ["returned", "submitted"]


def test_two_at_once_list_a_name_once(place: Workspace) -> None:
    from concurrent.futures import ThreadPoolExecutor

    plan.load(place, CASES / "jiangyuan-2025.txt")

    def tell(n: int) -> str:
        try:
            listed = [Listed("I2", "甲纺织", 1, mark=f"号{n % 2}"), Listed("I2", f"厂{n}", 1)]
            plan.tell(place, None, 1, [], listed, at=date(2025, 2, 5))
        except Refused as refused:
            return refused.problems[0].rule
        return "kept"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(tell, range(6)))
    assert plan.entries(place)["key"].n_unique() == plan.entries(place).height == 8
    assert results.count("kept") == 6  # a name that stands as it was told says nothing new
    counted = plan.reports(place).filter(pl.col("counts"))["value"].to_list()
    assert counted == [8]


def test_evidence_is_chained_and_watched(place: Workspace, tmp_path: Path) -> None:
    from dualcarbon.plan.feeding import proofs

    plan.load(place, CASES / "jiangyuan-2025.txt")
    plan.tell(place, None, 1, [Told("I1", 1, 3)], at=date(2025, 2, 5))
    file = tmp_path / "并网验收.pdf"
    file.write_bytes(b"%PDF-1.4 accepted")
    made = plan.attach(place, None, 1, file, person="填报员")
    assert plan.attach(place, None, 1, file)["already"] and len(plan.evidence(place)) == 1
    assert plan.verify(place) == [] and plan.reports(place)["evidence"].to_list() == [1]
    with place.database.connect() as connection:
        row = connection.exec_driver_sql("SELECT reason FROM entry WHERE instrument = 'plan.evidence'").one()
    assert made["digest"] in row[0]
    kept = proofs.place(place, made["digest"])
    kept.write_bytes(b"something else")
    assert [one["fault"] for one in plan.verify(place)] == ["altered"]
    with pytest.raises(Refused) as refused:
        proofs.opened(place, None, 1)
    assert refused.value.problems[0].rule == "plan.evidence-altered"
    kept.unlink()
    assert [one["fault"] for one in plan.verify(place)] == ["gone"]
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(Refused, match="空"):
        plan.attach(place, None, 1, empty)


def test_nobody_reviews_their_own(place: Workspace) -> None:
    plan.load(place, CASES / "jiangyuan-2025.txt")
    plan.tell(place, None, 1, [Told("I1", 1, 3)], person="张", at=date(2025, 2, 5))
    assert [row["number"] for row in plan.queue(place)] == [1]
    for numbers, said, rule in (
        ([1], {"person": "张"}, "plan.own-report"),
        ([7], {"person": "李"}, "plan.no-report"),
        ([], {"person": "李"}, "plan.nothing-chosen"),
    ):
        with pytest.raises(Refused) as refused:
            plan.review(place, None, numbers, "accepted", **said)
        assert [one.rule for one in refused.value.problems] == [rule]
    plan.review(place, None, [1], "accepted", person="李")
    assert plan.queue(place) == []
    with pytest.raises(Refused):
        plan.review(place, None, [1], "returned", person="李")
    plan.review(place, None, [1], "returned", person="李", reason="与电网清单不符")
    assert plan.reports(place)["state"].to_list() == ["returned"]
    assert plan.status(place, line="I1")[0]["state"] == "no_data"


def test_unfinished_work_goes_over(place: Workspace) -> None:
    plan.load(place, CASES / "jiangyuan-2025.txt")
    plan.load(place, CASES / "jiangyuan-2026.txt")
    plan.tell(place, "江源市-2025", 12, [Told("I1", 12, 45)], at=date(2026, 1, 8))
    made = plan.carry_over(place, "江源市-2025", "江源市-2026")
    carried = {row["from_line"]: row for row in made["carried"]}
    assert (carried["I1"]["line"], carried["I1"]["remaining"], carried["I1"]["unit"]) == ("I1", 5, "万千瓦")
    assert carried["T2"]["line"] == "T2" and carried["I3"]["remaining"] is None
    assert plan.carry_over(place, "江源市-2025", "江源市-2026")["carried"] == []
    assert {row["from_line"] for row in plan.carried(place, "江源市-2026")} == set(carried)
    with pytest.raises(Refused):
        plan.carry_over(place, "江源市-2026", "江源市-2025")


def test_ways_to_a_target(place: Workspace) -> None:
    plan.load(place, CASES / "jiangyuan-2025.txt")
    plan.load(place, CASES / "jiangyuan-2026.txt")
    for month, value in enumerate([1, 2, 3, 6, 9, 12, 15, 20, 25, 30, 40, 50], 1):
        plan.tell(place, "江源市-2025", month, [Told("I1", month, value)], at=date(2026, 1, 8))
    seasonal = plan.set_path(place, "江源市-2026", "I1", "seasonal")["path"]
    assert [round(value, 6) for value in seasonal] == [1, 2, 3, 6, 9, 12, 15, 20, 25, 30, 40, 50]
    own = plan.set_path(place, "江源市-2026", "1", "set", points={6: 10, 12: 50}, reason="上半年检修")["path"]
    assert own[5] == 10 and own[8] == pytest.approx(30) and own[11] == 50
    with pytest.raises(Refused):
        plan.set_path(place, "江源市-2026", "I1", "set", points={12: 49})
    with pytest.raises(Refused):
        plan.set_path(place, "江源市-2026", "I7")
    assert reads.paths(place, "江源市-2026")["I1"]["reason"] == "上半年检修"


def test_what_is_told_and_its_evidence_stand_or_fall_together(place: Workspace) -> None:
    plan.load(place, "cn-jiaxing/2024")
    table = Paper("月度表.pdf", b"port table")
    said = {"at": date(2024, 4, 8), "department": "市交通运输局"}
    for papers, rule in (
        ({"I42": [table, Paper("空.pdf", b"")]}, "plan.evidence-empty"),
        ({"I42": [table], "I40": [table]}, "plan.evidence-no-report"),
    ):
        with pytest.raises(Refused) as refused:
            plan.tell(place, None, 3, [Told("I42", 3, 18.5)], papers=papers, **said)
        assert [one.rule for one in refused.value.problems] == [rule]
        assert plan.reports(place).is_empty() and plan.evidence(place) == []
        assert not any(one.is_file() for one in (place.path / "evidence").rglob("*"))
    told = plan.tell(place, None, 3, [Told("I42", 3, 18.5)], papers={"I42": [table, table]}, **said)
    assert [(one["line"], one["report"]) for one in told["evidence"]] == [("I42", 1), ("I42", 1)]
    more = plan.tell(place, None, 3, papers={"I42": [Paper("合同.pdf", b"contract")]}, **said)  # nothing new but a file
    assert more["reports"] == [] and [one["report"] for one in more["evidence"]] == [1]
    assert [one["name"] for one in plan.evidence(place)] == ["月度表.pdf", "合同.pdf"] and plan.verify(place) == []
