"""Each rule of the check on a plan small enough to see the fault."""

from pathlib import Path
from typing import Any

import pytest

from dualcarbon.plan import read_plan
from tests.plan.writers import Grid, Pages, assembled

HEAD = "江源市2024年碳达峰碳中和工作要点"
INDICATORS = "序号\t指标名称\t单位\t目标值\t牵头单位"


def findings(tmp_path: Path, *lines: str) -> list[dict[str, Any]]:
    path = tmp_path / "plan.txt"
    path.write_text("\n".join((HEAD, *lines)), encoding="utf-8")
    return list(read_plan(path)["findings"])


def tasks(*texts: str) -> list[str]:
    return ["一、重点任务", *(f"{i}.任务{'甲乙丙丁戊'[i - 1]}。{text}" for i, text in enumerate(texts, 1))]


def only(found: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    (one,) = [f for f in found if f["rule"] == rule]
    return one


def test_a_number_that_differs_between_prose_and_list(tmp_path: Path) -> None:
    prose = tasks("新建公园22个，完善绿地布局。", "推进节水。", "强化考核。")
    rows = ["序号\t领域\t主要工作\t责任单位"]
    rows += [f"{i}\t城建\t{line[2:]}\t市建设局" for i, line in enumerate(prose[1:], 1)]
    rows[1] = rows[1].replace("22个", "25个")
    one = only(findings(tmp_path, *prose, "表1", *rows), "text-differs")
    assert one["class"] == "contradiction"
    assert "22" in one["places"][0]["quote"] and "25" in one["places"][1]["quote"]


def test_a_headline_that_differs_from_its_task(tmp_path: Path) -> None:
    lines = ["全市非化石能源占比提高到23%。", *tasks("非化石能源消费占比达到24%。", "推进节水。", "强化考核。")]
    one = only(findings(tmp_path, *lines), "value-differs")
    assert one["class"] == "contradiction"
    assert [place["kind"] for place in one["places"]] == ["headline", "task"]


def test_units_that_do_not_convert(tmp_path: Path) -> None:
    lines = [*tasks("新增储能设施30万千瓦。", "推进节水。", "强化考核。"), INDICATORS]
    one = only(
        findings(tmp_path, *lines, "1\t新增储能设施\t万千瓦时\t30\t市能源局", "2\t绿道\t公里\t5\t市建设局"),
        "unit-incompatible",
    )
    assert one["class"] == "scope"


def test_levels_of_government_are_scope(tmp_path: Path) -> None:
    lines = [*tasks("创建省级绿色工厂20家。", "推进节水。", "强化考核。"), INDICATORS]
    found = findings(tmp_path, *lines, "1\t绿色工厂\t家\t30\t市经信局", "2\t绿道\t公里\t5\t市建设局")
    assert not [f for f in found if f["class"] == "contradiction"]


def test_dates_before_the_plan(tmp_path: Path) -> None:
    lines = ["2024年6月3日", *tasks("2024年3月底前完成排查。", "2023年新建绿道9公里。", "2024年9月底前印发方案。")]
    found = findings(tmp_path, *lines)
    assert only(found, "deadline-before-plan")["places"][0]["number"] == 1
    assert only(found, "year-differs")["places"][0]["number"] == 2


def test_a_figure_where_the_indicator_has_none(tmp_path: Path) -> None:
    lines = ["全市单位GDP碳排放下降4%。", *tasks("推进节水。", "强化考核。", "做好宣传。"), INDICATORS]
    found = findings(
        tmp_path, *lines, "1\t单位GDP碳排放\t%\t完成省下达目标\t市生态环境局", "2\t绿道\t公里\t5\t市建设局"
    )
    assert "4%" in only(found, "figure-for-qualitative")["message"]


def test_the_list_of_indicators_against_itself(tmp_path: Path) -> None:
    rows = ["1\t绿色工厂\t家\t30\t市经信局", "2\t绿道\t公里\t5\t市建设局", "4\t绿色工厂\t家\t35\t市经信局"]
    found = findings(tmp_path, INDICATORS, *rows)
    assert only(found, "value-differs")["class"] == "contradiction"
    assert "2→4" in only(found, "numbering")["message"]


def test_a_lead_that_its_task_does_not_name(tmp_path: Path) -> None:
    prose = tasks("新建绿道5公里。（市建设局）", "推进节水。（市水利局）", "强化考核。（市统计局）")
    found = findings(tmp_path, *prose, INDICATORS, "1\t新建绿道\t公里\t5\t市交通运输局", "2\t湿地\t公顷\t5\t市林业局")
    assert "市交通运输局" in only(found, "lead-not-in-task")["message"]


def test_a_task_that_only_one_place_has(tmp_path: Path) -> None:
    prose = tasks("推进节水。", "强化考核。", "做好宣传。", "深化改革试点。")
    rows = ["序号\t主要工作\t责任单位", *(f"{i}\t{line[2:]}\t市建设局" for i, line in enumerate(prose[1:4], 1))]
    assert only(findings(tmp_path, *prose, "表1", *rows), "task-one-place")["places"][0]["number"] == 4


def test_a_plan_in_order_has_no_findings(tmp_path: Path) -> None:
    prose = tasks(
        "新建绿道5公里。（市建设局）", "修复湿地8公顷以上。（市林业局）", "淘汰老旧货车６００辆。（市公安局）"
    )
    rows = ["1\t新建绿道\t公里\t5\t市建设局", "2\t修复湿地\t公顷\t8\t市林业局", "3\t淘汰老旧货车\t辆\t600\t市公安局"]
    assert findings(tmp_path, *prose, INDICATORS, *rows) == []


@pytest.mark.parametrize(
    ("cell", "value", "stretch", "incentive"),
    [("3.0（力争3.5）", 3, False, 3.5), ("力争3.5", 3.5, True, None), ("基本目标3.0%，激励目标3.5%", 3, False, 3.5)],
)
def test_basic_and_incentive_in_one_cell(
    tmp_path: Path, cell: str, value: float, stretch: bool, incentive: float | None
) -> None:
    path = tmp_path / "plan.txt"
    lines = [HEAD, INDICATORS, f"1\tGDP能耗下降\t%\t{cell}\t市发展改革委", "2\t绿道\t公里\t5\t市建设局"]
    path.write_text("\n".join(lines), encoding="utf-8")
    target = read_plan(path)["indicators"][0]["target"]
    assert (target["value"], target["stretch"], target.get("incentive")) == (value, stretch, incentive)


def test_a_row_that_a_page_cuts_is_one_row(tmp_path: Path) -> None:
    header = ["序号", "主要工作", "责任单位"]
    pages = Pages()
    pages.paragraph(HEAD)
    pages.table(
        Grid([], [header], [["1", "新建绿道5公里，完善慢行", "市建设局"], ["2", "修复湿地，建设生态", "市林业局"]]),
        True,
    )
    pages._new()
    pages.table(Grid([], [["", "廊道8公里。", ""]], [["3", "强化考核。", "市统计局"]]), True)
    (tmp_path / "p.pdf").write_bytes(pages.file())
    found = read_plan(tmp_path / "p.pdf")["tasks"]
    assert [task["text"] for task in found] == [
        "新建绿道5公里，完善慢行",
        "修复湿地，建设生态廊道8公里。",
        "强化考核。",
    ]
    assert [d["name"] for task in found for d in task["departments"]] == ["市建设局", "市林业局", "市统计局"]


def test_a_pdf_that_asks_for_a_password(tmp_path: Path) -> None:
    from dualcarbon.core.problems import Refused

    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        f"<< /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >>",
    ]
    data = assembled(bodies).replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 4 0 R /ID [<00><00>]")
    (tmp_path / "p.pdf").write_bytes(data)
    with pytest.raises(Refused) as refused:
        read_plan(tmp_path / "p.pdf")
    assert [problem.rule for problem in refused.value.problems] == ["plan.encrypted"]
