"""What is told, kept and read once more when something changes: feeds, lists, confirmations, days, versions."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon import plan
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads, store
from dualcarbon.plan.assessing import handed
from dualcarbon.plan.feeding import carrying, feeding, feeds, form, form_reading, judging, telling, ways
from dualcarbon.plan.feeding.checking import Listed, Told
from dualcarbon.plan.reading import facts, targets
from dualcarbon.plan.tables import CONFIRMATION

Make = Callable[..., Workspace]
BUILD, MOVE, LEAD = "市建设局", "市交通运输局", "市发展改革委"
COUNTY = """海宁市2024年碳达峰碳中和工作要点
2024年3月10日
一、能源领域
1.发展可再生能源。力争新增光伏装机60万千瓦以上。（市发展改革局）
二、建筑和生态
2.推进建筑节能。完成公共建筑节能改造20万平方米。（市建设局）
3.提升碳汇。完成森林抚育5000亩以上。（市林业局）
表1 指标清单
序号 |
指标名称 |
单位 |
目标值 |
牵头单位 |
1 |
新增光伏装机 |
万千瓦 |
50 |
市发展改革局 |
2 |
公共建筑节能改造面积 |
万m2 |
20 |
市建设局 |
3 |
森林抚育面积 |
万亩 |
0.55 |
市林业局 |
"""


def county(tmp_path: Path, text: str = COUNTY, name: str = "plan.txt") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def refusal(work: Callable[[], Any]) -> set[str]:
    with pytest.raises(Refused) as refused:
        work()
    return {one.rule for one in refused.value.problems}


def accept(workspace: Workspace, number: int, at: date) -> None:
    judging.review(workspace, None, [number], "accepted", person="审核员", at=at)


def gas(workspace: Workspace, months: dict[int, int], place: str = "330400") -> None:
    """Ten users of gas by month: so many months of each year, 2 % more in 2024."""
    rows = [
        {"place": place, "entity": f"e{user}", "carrier": "natural_gas", "item": item, "unit": "wan_m3",
         "value": 10.2 if year == 2024 else 10.0, "start": date(year, m, 1),
         "end": date(year + m // 12, m % 12 + 1, 1)}
        for year, last in months.items() for m in range(1, last + 1) for user in range(10)
        for item in ("energy.consumption", "energy.combustion")
    ]  # fmt: skip
    source, dataset = {"file": "gas"}, {"id": "gas", "role": "account", "status": "unverified"}
    workspace.import_frame(pl.DataFrame(rows), source=source, dataset=dataset)


def growth(workspace: Workspace, place: str = "330400") -> None:
    row = {"name": "GDP可比价增速", "period": "2024", "value": 5.5, "source": "统计公报"}
    handed.tell(workspace, place, [row])


# Feeds


def test_half_a_year_is_not_told_as_a_year(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    gas(workspace, {2023: 12, 2024: 6})
    growth(workspace)
    row = next(one for one in feeds.figures(workspace, None, 12) if one["line"] == "I1")
    assert row["value"] is None and "2024 年 7 月" in row["missing"][0]["zh"]
    assert feeds.pull(workspace, None, 12)["told"] == []


def test_whole_years_are_told_in_words_that_can_be_read(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    gas(workspace, {2023: 12, 2024: 12})
    growth(workspace)
    assert feeds.pull(workspace, None, 12)["told"][0]["value"] == pytest.approx(100 * (1 - 1.02 / 1.055), abs=1e-6)
    text = reads.report_rows(workspace)[0]["text"]
    assert "1 −（1 + 2.00%）/（1 + 5.50%）" in text and "吨标准煤（等价）" in text and "tce_" not in text


def test_a_county_does_not_get_the_feeds_of_its_city(make: Make, tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", "cn-jiaxing")
    plan.load(workspace, county(tmp_path))
    gas(workspace, {2023: 12, 2024: 12}, "330481")
    growth(workspace, "330481")
    assert all(row["automatic"] is None for row in feeds.sources(workspace))
    assert feeds.figures(workspace) == [] and feeds.pull(workspace)["told"] == []
    assert plan.reports(workspace).is_empty()


def test_a_feed_goes_to_the_indicator_it_is_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make("cn-jiaxing/2024")
    gas(workspace, {2023: 12, 2024: 12})
    growth(workspace)
    real = feeds.settings
    changed = [
        {"line": "I42", "name": {"zh": "甲", "en": "a"}, "unit": "%", "use": "report", "from": "intensity",
         "account": "equivalent"},
        {"line": "I99", "name": {"zh": "乙", "en": "b"}, "unit": "%", "use": "report", "from": "intensity",
         "account": "equivalent"},
    ]  # fmt: skip
    monkeypatch.setattr(feeds, "settings", lambda *asked: real(*asked) | {"feeds": changed})
    rows = feeds.figures(workspace)
    assert [row["value"] for row in rows] == [None, None] and all(row["missing"] for row in rows)
    assert feeds.pull(workspace)["told"] == []


def test_feeds_are_kept_whole_or_not_at_all(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from dualcarbon.plan.feeding import systems

    workspace = make("cn-jiaxing/2024")
    gas(workspace, {2023: 12, 2024: 12})
    growth(workspace)

    def broken(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(systems, "write", broken)
        feeds.pull(workspace)
    assert plan.reports(workspace).is_empty() and reads.mirrors(workspace) == []


def test_a_figure_beside_a_line_is_kept_once(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    gas(workspace, {2023: 12, 2024: 12})
    growth(workspace)
    for _ in range(2):
        feeds.pull(workspace)
    assert len([row for row in reads.mirrors(workspace) if row["line"] == "I25"]) == 1


def observed(workspace: Workspace, item: str, unit: str, rows: list[tuple[date, date, float]], **more: str) -> None:
    kept = [
        {"place": "330400", "item": item, "unit": unit, "value": v, "start": a, "end": b, **more} for a, b, v in rows
    ]
    source, dataset = {"file": "o"}, {"id": "o", "role": "account", "status": "unverified"}
    workspace.import_frame(pl.DataFrame(kept), source=source, dataset=dataset)


def test_a_sum_with_a_hole_is_missing(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    rows = [(date(2024, m, 1), date(2024, m + 1, 1), 5.0) for m in (1, 2, 4, 5, 6)]
    observed(workspace, "energy.consumption", "MWh", rows, carrier="electricity")
    feed = {"item": "energy.consumption", "source_unit": "MWh"}
    head = store.document(workspace)
    row = feeds._flow(workspace, head, feed, 6, None)
    assert row["value"] is None and "3 月" in row["missing"][0]["zh"]
    assert feeds._flow(workspace, head, feed, 2, None)["value"] == 10


def test_an_old_stock_is_not_that_of_a_later_month(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    rows = [(date(2023, 12, 1), date(2024, 1, 1), 100.0), (date(2024, 3, 1), date(2024, 4, 1), 130.0)]
    observed(workspace, "electricity.capacity", "MW", rows, process="pv")
    feed = {"item": "electricity.capacity", "source_unit": "MW"}
    head = store.document(workspace)
    assert feeds._stock(workspace, head, feed, 3, None)["value"] == 30
    assert feeds._stock(workspace, head, feed, 6, None)["value"] is None


# Telling


def test_a_joint_unit_does_not_speak_for_the_lead(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    task = next(row for row in reads.tasks(workspace).to_dicts() if row["lead"] and row["joint"])
    line, lead, joint = task["line"], task["lead"][0], task["joint"][0]

    def say(who: str, month: int, word: str, day: date, reason: str | None = None) -> Any:
        told = [Told(line, month, progress=word, text="说明", reason=reason)]
        return telling.tell(workspace, None, month, told, department=who, at=day)["reports"]

    def stands() -> Any:
        return next(row for row in follow.task_status(workspace) if row["line"] == line)["reported"]

    say(joint, 3, "推进中", date(2024, 4, 3))
    assert stands() == "under_way"
    assert say(lead, 3, "受阻", date(2024, 4, 5))[0]["corrects"] is None  # its first word, no correction
    assert say(joint, 3, "推进中", date(2024, 4, 6)) == []  # its own word already
    say(joint, 4, "推进中", date(2024, 5, 6))
    assert stands() == "blocked"
    assert refusal(lambda: say(lead, 3, "推进中", date(2024, 4, 8))) == {"plan.correction"}
    say(lead, 3, "推进中", date(2024, 4, 8), "障碍已消除")
    assert stands() == "under_way"


def test_the_same_content_after_something_else_is_told_again(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")

    def say(value: float, day: int, reason: str | None = "更正") -> Any:
        told = [Told("I42", 3, value, reason=reason)]
        return telling.tell(workspace, None, 3, told, department=MOVE, at=date(2024, 4, day))

    first = say(18.5, 5)
    assert say(18.5, 6)["already"]
    say(17, 7)
    assert not say(18.5, 8)["already"]
    assert follow.status(workspace, line="I42", as_of=date(2024, 4, 12))[0]["actual"] == 18.5
    again = say(18.5, 9)
    assert again["already"] and again["batch"] != first["batch"]


def test_a_struck_name_can_be_listed_again(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")

    def say(action: str, day: int) -> Any:
        listed = [Listed("I40", "浙F1", 3, action=action, reason="核实")]
        return telling.tell(workspace, None, 3, [], listed, department=MOVE, at=date(2024, 4, day))

    say("add", 5)
    say("strike", 6)
    assert say("strike", 7)["already"] and not say("add", 8)["already"] and not say("strike", 9)["already"]
    assert follow.status(workspace, line="I40", as_of=date(2024, 4, 12))[0]["actual"] == 0


def test_a_late_list_about_an_earlier_month_counts(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    two = [Listed("I40", "浙F1", 4), Listed("I40", "浙F2", 4)]
    telling.tell(workspace, None, 4, [], two, department=MOVE, at=date(2024, 5, 5))
    made = telling.tell(workspace, None, 3, [], [Listed("I40", "浙F3", 3)], department=MOVE, at=date(2024, 5, 8))
    assert [(row["month"], row["value"]) for row in made["reports"]] == [(3, 1), (4, 3)]
    row = follow.status(workspace, line="I40", as_of=date(2024, 5, 12))[0]
    assert row["values"][2:4] == [1, 3] and row["late"] == 1  # March alone came late
    kept = next(one for one in reads.report_rows(workspace) if one["month"] == 4 and one["counts"])
    assert kept["reason"] and kept["corrects"] == 1


def test_steps_that_change_are_counted_anew(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    halves = [{"title": "方案", "month": 3}, {"title": "核算", "month": 6}]
    ways.set_steps(workspace, None, "I25", halves, at=date(2024, 1, 5))
    who = reads.indicators(workspace).filter(pl.col("line") == "I25")["lead"][0][0]
    telling.tell(workspace, None, 3, [], [Listed("I25", "方案", 3)], department=who, at=date(2024, 4, 5))
    assert follow.status(workspace, line="I25", as_of=date(2024, 4, 12))[0]["actual"] == 0.5
    quarters = [*halves, {"title": "审核", "month": 9}, {"title": "通报", "month": 12}]
    made = ways.set_steps(workspace, None, "I25", quarters, reason="细化", at=date(2024, 4, 6))
    assert [row["value"] for row in made["recounted"]] == [0.25]
    assert follow.status(workspace, line="I25", as_of=date(2024, 4, 12))[0]["actual"] == 0.25


def test_a_recount_of_demonstration_data_stays_labelled(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    one, two = [Listed("I40", "浙F1", 4)], [Listed("I40", "浙F2", 3)]
    telling.tell(workspace, None, 4, [], one, department=MOVE, at=date(2024, 5, 5), status="synthetic")
    telling.tell(workspace, None, 3, [], two, department=MOVE, at=date(2024, 5, 6))
    counts = {row["month"]: row for row in reads.report_rows(workspace) if row["counts"]}
    assert (counts[4]["value"], counts[4]["status"], counts[3]["status"]) == (2, "synthetic", "unverified")


@pytest.mark.parametrize("month", ["2023-11", date(2022, 5, 3), "2023年8月", "2025-01"])
def test_a_name_of_another_year_does_not_count(make: Make, month: Any) -> None:
    workspace = make("cn-jiaxing/2024")
    listed = [Listed("I40", "浙F1", month)]
    rules = refusal(lambda: telling.tell(workspace, None, 3, [], listed, department=MOVE, at=date(2024, 4, 5)))
    assert rules == {"plan.other-year"}


def test_what_a_stock_had_before_the_year_is_month_0(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    row = reads.indicators(workspace).filter((pl.col("figure") == "cumulative") & (pl.col("basis") == "names"))
    line, who = row["line"][0], row["lead"][0][0]
    listed = [Listed(line, "甲", "2023年8月"), Listed(line, "乙", "2024-02")]
    telling.tell(workspace, None, 3, [], listed, department=who, at=date(2024, 4, 5))
    assert [one["month"] for one in reads.entry_rows(workspace)] == [0, 2]


def test_a_sum_is_not_raised_above_a_later_month_unasked(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")

    def say(*months: tuple[int, float], reason: str | None = None) -> Any:
        told = [Told("I32", month, value, reason=reason) for month, value in months]
        return telling.tell(workspace, None, months[-1][0], told, department=BUILD, at=date(2024, 5, 6))["reports"]

    say((3, 80))
    say((4, 110))
    assert refusal(lambda: say((3, 200), reason="补报")) == {"plan.rising"}
    assert len(say((3, 90), reason="补报")) == 1
    assert len(say((3, 200), (4, 230), reason="补报")) == 2


def test_days_to_come_are_refused(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    later = date(2062, 1, 5)
    told = [Told("I32", 12, 300)]
    assert refusal(lambda: telling.tell(workspace, None, 12, told, at=later)) == {"plan.future-day"}
    telling.tell(workspace, None, 12, told)
    for work in (
        lambda: judging.review(workspace, None, [1], "accepted", person="审", at=later),
        lambda: ways.set_path(workspace, None, "I33", at=later),
        lambda: ways.set_steps(workspace, None, "I25", [{"title": "甲", "month": 3}], at=later),
    ):
        assert refusal(work) == {"plan.future-day"}


def test_a_year_of_demonstration_may_run_ahead(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    telling.tell(workspace, None, 12, [Told("I32", 12, 400)], at=date(2062, 1, 5), status="synthetic")
    accept(workspace, 1, date(2062, 1, 6))
    assert plan.confirm(workspace, None, "I32", BUILD, at=date(2062, 1, 7))["action"] == "confirm"


def test_long_lists_are_checked_by_name(make: Make) -> None:
    import time

    workspace = make("cn-jiaxing/2024")
    marked = [Listed("I40", f"车{i}", 3, mark=f"浙F{i}") for i in range(3000)]
    telling.tell(workspace, None, 3, [], marked, department=MOVE, at=date(2024, 4, 5))
    bare = [Listed("I40", f"别{i}", 3) for i in range(3000)]
    begun = time.monotonic()
    telling.tell(workspace, None, 3, [], bare, department=MOVE, at=date(2024, 4, 5))
    assert time.monotonic() - begun < 8
    twice = [Listed("I40", "车7", 3)]
    rules = refusal(lambda: telling.tell(workspace, None, 3, [], twice, department=MOVE, at=date(2024, 4, 5)))
    assert rules == {"plan.name-twice"}


# Judging


def test_only_december_confirms_a_level(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    row = next(one for one in follow.status(workspace) if one["line"] == "I46")

    def say(month: int, value: float, at: date) -> None:
        told = [Told("I46", month, value)]
        made = telling.tell(workspace, None, month, told, department=row["lead"][0], at=at)
        accept(workspace, made["reports"][0]["number"], at)

    def sure(at: date) -> Any:
        return plan.confirm(workspace, None, "I46", row["lead"][0], at=at)

    say(3, row["target"] + 1, date(2024, 4, 5))
    assert refusal(lambda: sure(date(2024, 4, 8))) == {"plan.too-early"}
    say(12, row["target"] + 1, date(2025, 1, 5))
    sure(date(2025, 1, 6))
    assert follow.status(workspace, line="I46", as_of=date(2025, 1, 12))[0]["state"] == "done"


def test_a_confirmation_given_too_early_does_not_last(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    row = next(one for one in follow.status(workspace) if one["line"] == "I46")
    for number, (month, value, at) in enumerate(
        ((3, row["target"] + 1, date(2024, 4, 5)), (12, row["target"] + 1, date(2025, 1, 5))), 1
    ):
        telling.tell(workspace, None, month, [Told("I46", month, value)], department=row["lead"][0], at=at)
        accept(workspace, number, at)
    kept = {"plan": "330400-2024", "line": "I46", "action": "confirm", "report": 1}
    with store.writing(workspace) as connection:  # as an earlier version of the program kept it
        connection.execute(CONFIRMATION.insert().values(**kept, **store.stamp(date(2024, 4, 8))))
    found = follow.status(workspace, line="I46", as_of=date(2025, 1, 12))[0]
    assert not found["confirmed"] and found["state"] != "done"


def test_a_cap_is_confirmed_by_the_whole_year(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", "cn-jiaxing")
    text = COUNTY.replace("公共建筑节能改造面积", "煤炭消费总量").replace("万m2", "万吨").replace("\n20 |", "\n≤1000 |")
    plan.load(workspace, county(tmp_path, text))
    row = next(one for one in follow.status(workspace) if one["line"] == "I2")
    assert row["better"] == "lower"
    telling.tell(workspace, None, 9, [Told("I2", 9, 950)], department=row["lead"][0], at=date(2024, 10, 5))
    accept(workspace, 1, date(2024, 10, 6))
    rules = refusal(lambda: plan.confirm(workspace, None, "I2", row["lead"][0], at=date(2024, 10, 7)))
    assert rules == {"plan.too-early"}
    telling.tell(workspace, None, 12, [Told("I2", 12, 1100)], department=row["lead"][0], at=date(2025, 1, 5))
    assert "I2" not in {one["line"] for one in carrying.unfinished(workspace)}  # over the cap: no work is left


def test_a_task_taken_up_again_is_confirmed_anew(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")

    def say(month: int, word: str, at: date) -> Any:
        told = [Told("T1", month, progress=word, text="说明")]
        made = telling.tell(workspace, None, month, told, department=LEAD, at=at)
        accept(workspace, made["reports"][0]["number"], at)
        return next(row for row in follow.task_status(workspace) if row["line"] == "T1")

    say(6, "已完成", date(2024, 7, 5))
    plan.confirm(workspace, None, "T1", LEAD, at=date(2024, 7, 6))
    assert next(row for row in follow.task_status(workspace) if row["line"] == "T1")["confirmed"]
    assert not say(9, "推进中", date(2024, 10, 5))["confirmed"]
    assert not say(12, "已完成", date(2025, 1, 5))["confirmed"]
    plan.confirm(workspace, None, "T1", LEAD, at=date(2025, 1, 6))
    assert next(row for row in follow.task_status(workspace) if row["line"] == "T1")["confirmed"]


def test_a_review_says_who_reviews(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    telling.tell(workspace, None, 3, [Told("I32", 3, 90)], person="张三", at=date(2024, 4, 5))
    judge = judging.review
    assert refusal(lambda: judge(workspace, None, [1], "accepted")) == {"plan.reviewer-missing"}
    assert refusal(lambda: judge(workspace, None, [1], "accepted", person=" 张三 ")) == {"plan.own-report"}
    assert judge(workspace, None, [1], "accepted", person="李四")["reviewed"] == 1


# Forms, ways, carrying, versions


def test_an_untouched_form_leaves_the_stage(make: Make, tmp_path: Path) -> None:
    workspace = make("cn-jiaxing/2024")
    who = reads.indicators(workspace).filter(pl.col("line") == "I30")["lead"][0][0]
    telling.tell(workspace, None, 3, [Told("I30", 3, 25)], department=who, at=date(2024, 4, 5))
    telling.tell(workspace, None, 12, [Told("I30", 12, 26, "approved")], department=who, at=date(2025, 3, 5))
    form.write(workspace, None, who, tmp_path / "f.xlsx", 3)
    made = form_reading.import_form(workspace, tmp_path / "f.xlsx", at=date(2025, 3, 6))
    assert made["reports"] == []
    assert [row["stage"] for row in reads.report_rows(workspace)] == ["flash", "approved"]


def test_another_way_needs_a_reason(make: Make) -> None:
    workspace = make("cn-jiaxing/2024")
    day = date(2024, 10, 6)
    telling.tell(workspace, None, 9, [Told("I32", 9, 20)], department=BUILD, at=date(2024, 10, 5))
    late = {"points": {11: 0, 12: 345}, "department": BUILD, "at": day}
    assert refusal(lambda: ways.set_path(workspace, None, "I32", "set", **late)) == {"plan.path-set"}
    ways.set_path(workspace, None, "I32", "set", reason="竣工集中在年末", **late)
    ways.set_path(workspace, None, "I33", at=day)
    assert refusal(lambda: ways.set_path(workspace, None, "I33", opening=1.0, at=day)) == {"plan.path-set"}


def test_carrying_again_brings_it_up_to_date(make: Make, tmp_path: Path) -> None:
    workspace = make("cn-jiaxing/2024")
    text = COUNTY.replace("海宁市2024", "嘉兴市2025").replace("2024年", "2025年").replace("公共建筑", "既有公共建筑")
    plan.load(workspace, county(tmp_path, text))
    old, new = "330400-2024", "330400-2025"
    target = follow.status(workspace, old, line="I33")[0]["target"]

    def say(month: int, value: float, at: date) -> None:
        telling.tell(workspace, old, month, [Told("I33", month, value)], department=BUILD, at=at)

    def left() -> list[Any]:
        return [row["remaining"] for row in reads.carried(workspace, new) if row["from_line"] == "I33"]

    say(6, 5, date(2024, 7, 5))
    first = carrying.carry_over(workspace, old, new, as_of=date(2024, 7, 12))
    assert left() == [target - 5]
    say(11, target - 1, date(2024, 12, 5))
    second = carrying.carry_over(workspace, old, new)
    assert left() == [1] and [row["from_line"] for row in second["carried"]] == ["I33"]
    assert second["already"] == len(first["carried"]) - 1
    say(12, target, date(2025, 1, 5))
    assert carrying.carry_over(workspace, old, new)["finished"] == ["I33"] and left() == []
    assert carrying.carry_over(workspace, old, new)["finished"] == []


def test_a_day_is_judged_by_the_version_in_force(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", "cn-jiaxing")
    plan.load(workspace, county(tmp_path))
    plan.load(workspace, county(tmp_path, COUNTY.replace("\n50 |", "\n30 |"), "again.txt"))

    def target(day: date | None) -> Any:
        return follow.status(workspace, None, day, line="I1")[0]["target"]

    assert (target(date(2024, 4, 12)), target(None)) == (50, 30)  # the second was loaded today
    revised = COUNTY.replace("\n50 |", "\n40 |").replace("2024年3月10日", "2024年7月10日")
    plan.load(workspace, county(tmp_path, revised, "revised.txt"))
    assert (target(date(2024, 4, 12)), target(date(2024, 8, 12)), target(None)) == (50, 40, 40)


def test_a_number_is_the_code_and_not_the_place(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", "cn-jiaxing")
    plan.load(workspace, county(tmp_path))
    inserted = COUNTY.replace(
        "2 |\n公共建筑节能改造面积", "2 |\n新增储能 |\n万千瓦 |\n5 |\n市发展改革局 |\n3 |\n公共建筑节能改造面积"
    ).replace("3 |\n森林", "4 |\n森林")
    plan.load(workspace, county(tmp_path, inserted, "two.txt"))
    names = {row["line"]: row["name"] for row in reads.indicators(workspace).to_dicts()}
    assert names["I2"] == "公共建筑节能改造面积" and names["I4"] == "新增储能"
    assert follow.status(workspace, line="2")[0]["name"] == "公共建筑节能改造面积"
    assert ways.indicator_of(workspace, "330481-2024", "2")["name"] == "公共建筑节能改造面积"


# Reading


def kind(name: str, unit: str, text: str) -> tuple[Any, ...]:
    target = targets.parse(text, unit)
    row = {"name": name, "unit": unit, "kind": target.kind, "value": target.value}
    return feeding.rule(row)["figure"], targets.better(name, target), target.value


@pytest.mark.parametrize(
    ("name", "unit", "text", "expected"),
    [
        ("单位GDP能耗", "吨标煤/万元", "0.32", ("level", "lower", 0.32)),
        ("单位GDP二氧化碳排放", "吨/万元", "0.75", ("level", "lower", 0.75)),
        ("供电煤耗", "克/千瓦时", "295", ("level", "lower", 295)),
        ("单位GDP能耗降幅", "%", "3.5", ("change", "higher", 3.5)),
        ("能耗强度降低率", "%", "3.0", ("change", "higher", 3.0)),
        ("非化石能源消费占比提高", "百分点", "1.5", ("change", "higher", 1.5)),
        ("绿化覆盖率", "%", "从3.0提高到3.5", ("level", "higher", 3.5)),
        ("绿化覆盖率", "%", "由2023年的42.5提高至43", ("level", "higher", 43)),
        ("细颗粒物浓度", "μg/m3", "从28下降到26", ("level", "lower", 26)),
        ("淘汰燃煤锅炉", "蒸吨/小时", "120", ("flow", "higher", 120)),
        ("新增光伏装机", "万千瓦", "50", ("flow", "higher", 50)),
        ("化肥用量", "万吨", "由农业农村局统计，下降3%", ("change", "higher", 3)),
    ],
)
def test_what_a_target_is(name: str, unit: str, text: str, expected: tuple[Any, ...]) -> None:
    assert kind(name, unit, text) == expected


def test_an_incentive_target_is_kept(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", "cn-jiaxing")
    plan.load(workspace, county(tmp_path, COUNTY.replace("\n50 |", "\n50（力争60） |")))
    row = reads.indicators(workspace).to_dicts()[0]
    assert (row["value"], row["incentive"]) == (50, 60)
    source = {"title_zh": "甲", "status": "unverified", "evidence": "a file"}
    facts.write(plan.read_plan(tmp_path / "plan.txt"), tmp_path / "facts", source)
    assert facts.read(tmp_path / "facts")["indicators"][0]["incentive"] == 60


def test_the_31st_is_not_before_the_30th(tmp_path: Path) -> None:
    text = COUNTY.replace("2024年3月10日", "2024年5月30日") + (
        "表2 政策清单\n序号 |\n政策名称 |\n出台时间 |\n起草单位 |\n1 |\n海宁市碳普惠管理办法 |\n2024年5月31日 |\n"
        "市生态环境局 |\n2 |\n海宁市节能审查细则 |\n2024年2月29日 |\n市发展改革局 |\n"
    )
    found = plan.read_plan(county(tmp_path, text))["findings"]
    early = [one["message"] for one in found if one["rule"].endswith("due-before-plan")]
    assert len(early) == 1 and "2024-02-29" in str(early)
