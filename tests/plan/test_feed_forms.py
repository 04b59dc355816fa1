"""Forms of departments: written, filled, imported whole or not at all."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from dualcarbon import plan
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads
from dualcarbon.plan.feeding.form import HEAD

WHO, APRIL = "市交通局", date(2024, 4, 8)  # an alias of 市交通运输局


@pytest.fixture
def filled(make: Callable[..., Workspace], tmp_path: Path) -> tuple[Workspace, Callable[..., Path]]:
    """Jiaxing's plan and a way to fill the form of March: `write({"指标": {("I42", "本期值"): 18.5}}, names=[…])`."""
    workspace = make("cn-jiaxing/2024")

    def write(
        cells: dict[tuple[str, str], Any] | None = None, names: list[list[Any]] | None = None, name: str = "f.xlsx"
    ) -> Path:
        file = tmp_path / name
        plan.write_form(workspace, None, WHO, file, 3)
        book = openpyxl.load_workbook(file)
        for (line, heading), value in (cells or {}).items():
            sheet = book["任务" if line[0] in "TP" else "进度安排" if heading in PATH else "指标"]
            headings = {cell.value: cell.column for cell in sheet[HEAD]}
            row = next(row for row in range(HEAD + 1, sheet.max_row + 1) if sheet.cell(row, 1).value == line)
            sheet.cell(row, headings[heading], value)
        for i, row in enumerate(names or (), HEAD + 1):
            for j, value in enumerate(row, 1):
                book["名单"].cell(i, j, value)
        book.save(file)
        return file

    return workspace, write


PATH = ("方法", "年初值", "6月", "12月")


def problems(workspace: Workspace, file: Path, **more: Any) -> list[tuple[Any, ...]]:
    """What an import refuses: rule, sheet, row and column; nothing may have changed."""
    before = reads.last_change(workspace)
    with pytest.raises(Refused) as refused:
        plan.import_form(workspace, file, at=APRIL, **more)
    assert reads.last_change(workspace) == before
    return [(one.rule, one.sheet, one.row, one.column) for one in refused.value.problems]


def test_a_form_goes_round(filled: tuple[Workspace, Callable[..., Path]], tmp_path: Path) -> None:
    workspace, write = filled
    made = plan.write_form(workspace, None, WHO, tmp_path / "blank.xlsx", 3)
    assert (made["department"], made["indicators"], made["tasks"], made["due"]) == (
        "市交通运输局",
        5,
        6,
        date(2024, 4, 10),
    )
    book = openpyxl.load_workbook(tmp_path / "blank.xlsx")
    assert book.sheetnames == ["指标", "任务", "名单", "进度安排", "说明", "_form"]
    assert book["指标"].protection.sheet and book["_form"].sheet_state == "hidden"
    assert {one.type for one in book["指标"].data_validations.dataValidation} == {"decimal", "list"}
    (tmp_path / "月度表.txt").write_text("港口", encoding="utf-8")
    file = write(
        {("I42", "本期值"): "１８.５", ("I42", "数据阶段"): "快报", ("I42", "佐证材料文件名"): "月度表.txt；缺.pdf",
         ("T11", "本期进展"): "推进中", ("T11", "进展说明"): "完成招标", ("I42", "方法"): "部门自定",
         ("I42", "6月"): 30, ("I42", "12月"): 72},
        names=[["I38", "浙F01234D", None, None, None, 3], ["I38", "浙F01235D", None, None, None, 2],
               ["I40", "浙F9", "报废001", None, None, 1]],
    )  # fmt: skip
    answer = plan.import_form(workspace, file, at=APRIL, person="张", folder=tmp_path, dry_run=True)
    assert answer["dry_run"] and plan.reports(workspace).is_empty()
    answer = plan.import_form(workspace, file, at=APRIL, person="张", folder=tmp_path)
    told = {row["line"]: row["value"] for row in answer["reports"]}
    assert told == {"I38": 2, "I40": 1, "I42": 18.5, "T11": None}
    assert [one["attached"] for one in answer["evidence"]] == [True, False]
    assert plan.import_form(workspace, file, at=APRIL, person="张", folder=tmp_path)["already"]
    rows = plan.reports(workspace)
    assert rows.height == 4 and set(rows["department"]) == {"市交通运输局"} and not rows["late"].any()
    standing = plan.status(workspace, None, date(2024, 4, 12), line="I42")[0]
    assert (standing["expected"], standing["method"], standing["state"]) == (15, "set", "on_pace")
    again = openpyxl.load_workbook(plan.write_form(workspace, None, WHO, tmp_path / "april.xlsx", 4)["file"])["指标"]
    before = {again.cell(row, 1).value: again.cell(row, 6).value for row in range(HEAD + 1, HEAD + 6)}
    assert before["I42"] == 18.5 and before["I38"] == 2 and before["I39"] is None


def test_every_problem_is_told_at_once(filled: tuple[Workspace, Callable[..., Path]]) -> None:
    workspace, write = filled
    file = write(
        {("I42", "本期值"): "很多", ("I42", "单位"): "标箱", ("I42", "数据阶段"): "大概", ("I39", "本期值"): 20,
         ("T11", "本期进展"): "差不多", ("T12", "本期进展"): "受阻", ("I41", "方法"): "部门自定", ("I41", "6月"): 3},
        names=[["I38", "浙F01234D", None, None, None, 3], ["I38", "浙Ｆ01234D", None, None, None, 3],
               ["I38", "浙F7", None, None, None, 5], ["I1", "谁", None, None, None, 1],
               ["I38", "浙F5", None, None, None, 13],
               ["I40", "浙F8", None, None, None, "三月里"], ["I40", "浙F6", None, None, None, 3, None, "撤销"]],
    )  # fmt: skip
    found = problems(workspace, file)
    assert sorted(found, key=str) == sorted(
        [
            ("plan.unit-changed", "指标", 10, "单位"),
            ("plan.not-a-number", "指标", 10, "本期值"),
            ("plan.unknown-stage", "指标", 10, "数据阶段"),
            ("plan.names-needed", "指标", 7, "本期值"),
            ("plan.unknown-progress", "任务", 6, "本期进展"),
            ("plan.text-missing", "任务", 7, "进展说明"),
            ("plan.path-end", "进度安排", 9, None),
            ("plan.name-twice", "名单", 7, "名称"),
            ("plan.future", "名单", 8, "完成月份"),
            ("plan.not-yours", "名单", 9, "编码"),
            ("plan.not-a-month", "名单", 10, "完成月份"),
            ("plan.not-a-month", "名单", 11, "完成月份"),
            ("plan.not-listed", "名单", 12, "名称"),
            ("plan.needs-reason", "名单", 12, "更正原因"),
        ],
        key=str,
    )
    with pytest.raises(Refused, match="“13”不是月份"):
        plan.import_form(workspace, file, at=APRIL)


def test_columns_that_were_exchanged(filled: tuple[Workspace, Callable[..., Path]]) -> None:
    workspace, write = filled
    file = write({("I42", "本期值"): 18})
    book = openpyxl.load_workbook(file)
    sheet = book["指标"]
    for row in range(HEAD + 1, HEAD + 6):  # the contents exchanged under their headings
        sheet.cell(row, 1).value, sheet.cell(row, 3).value = sheet.cell(row, 3).value, sheet.cell(row, 1).value
    book.save(file)
    assert ("plan.columns-swapped", "指标", None, "编码") in problems(workspace, file)
    for row in (HEAD,):  # the headings exchanged as well: the columns only stand elsewhere
        sheet.cell(row, 1).value, sheet.cell(row, 3).value = sheet.cell(row, 3).value, sheet.cell(row, 1).value
    book.save(file)
    assert plan.import_form(workspace, file, at=APRIL)["reports"][0]["value"] == 18


def test_files_that_are_no_forms(filled: tuple[Workspace, Callable[..., Path]], tmp_path: Path) -> None:
    from tests.plan.test_files import NOVEL, encrypted_office, image_only_pdf

    workspace, write = filled
    good = write({("I42", "本期值"): 18}, name="good.xlsx").read_bytes()
    other = openpyxl.Workbook()
    other.active.append(["编码", "本期值"])
    other.save(tmp_path / "other.xlsx")
    for name, content, rule in (
        ("empty.xlsx", b"", "plan.empty"),
        ("scan.pdf", image_only_pdf(), "plan.not-a-form"),
        ("locked.xlsx", encrypted_office(), "plan.encrypted"),
        ("novel.xlsx", NOVEL.encode(), "plan.not-a-form"),
        ("half.xlsx", good[:3000], "plan.broken"),
        ("other.xlsx", (tmp_path / "other.xlsx").read_bytes(), "plan.not-a-form"),
    ):
        (tmp_path / name).write_bytes(content)
        assert [one[0] for one in problems(workspace, tmp_path / name)] == [rule], name
    assert [one[0] for one in problems(workspace, tmp_path / "good.xlsx", plan="江源市-2025")] == ["plan.other-plan"]
    assert [one[0] for one in problems(workspace, tmp_path / "absent.xlsx")] == ["plan.no-file"]
    blank = write(name="blank.xlsx")
    assert [one[0] for one in problems(workspace, blank)] == ["plan.nothing-told"]
    with pytest.raises(Refused, match="市交通运输局"):
        plan.write_form(workspace, None, "交通厅", tmp_path / "x.xlsx", 3)
