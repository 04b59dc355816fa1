"""The form of one department and month: an Excel file with all its lines, to download, fill and import.

Sheets `指标` (figures), `任务` (tasks and policy documents), `名单` (names, projects, reached steps), `进度安排` (the
way to each target), `说明`; cells to fill are yellow, all others locked; what Excel can check it checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads, words
from dualcarbon.plan.feeding.telling import department_of
from dualcarbon.plan.store import ZONE, Asked, document
from dualcarbon.plan.words import HEADINGS

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

FORM = 1
HEAD = 5  # the row of the headings
SHEETS = {"indicators": "指标", "tasks": "任务", "lists": "名单", "paths": "进度安排", "help": "说明", "key": "_form"}
COLUMNS: dict[str, tuple[tuple[str, int, bool], ...]] = {  # field, width, to fill
    "indicators": (
        ("line", 7, False), ("number", 6, False), ("name", 30, False), ("unit", 9, False), ("target", 14, False),
        ("before", 11, False), ("before_month", 9, False), ("due", 11, False), ("value", 12, True),
        ("stage", 11, True), ("text", 30, True), ("evidence", 20, True), ("reason", 18, True), ("remark", 14, True),
    ),
    "tasks": (
        ("line", 7, False), ("number", 6, False), ("title", 40, False), ("role", 8, False),
        ("progress_before", 12, False), ("progress", 12, True), ("text", 42, True), ("evidence", 20, True),
        ("reason", 18, True), ("remark", 14, True),
    ),
    "lists": (
        ("line", 9, True), ("entry", 30, True), ("mark", 20, True), ("site", 22, True), ("amount", 10, True),
        ("month", 10, True), ("paper", 22, True), ("action", 8, True), ("reason", 22, True),
    ),
    "paths": (
        ("line", 7, False), ("name", 30, False), ("unit", 9, False), ("target", 14, False), ("method", 10, True),
        ("opening", 10, True), *((str(month), 8, True) for month in range(1, 13)), ("reason", 18, True),
    ),
}  # fmt: skip
LISTED = "在“名单”表列出，由系统清点"
SPARE = 60  # rows of the list that are ready to fill, more where a target counts many
_NOTES = (
    "黄色单元格填写，其余为系统带出，不要改动；不要增删列。可以用 Excel 或 WPS 填写。",
    "“当年累加”的指标填 1 月至本月的累计数，“累计存量”填月末总数，“占比或水平”填当期数，"
    "“同比变化”填变化幅度（目标为下降的，下降填正数）。",
    "没有数就整行留空，不要填 0；0 表示确实为零。",
    "以名单或项目台账计数的指标不填本期值：在“名单”表逐个列出，由系统去重清点。已列过的不必再列；撤销的填“撤销”并写原因。",
    "数据阶段：快报→初步→省核定→普查修订，不能倒退。更正已报的数是新的一次填报，须写更正原因，原数保留。",
    "里程碑类指标：在“名单”表填已完成步骤的名称和完成月份。",
    "佐证材料填文件名（多个用分号隔开），文件另行上传。完成须经审核，并由牵头单位确认。",
    "有任何一处问题，整份都不导入，并一次列出全部问题。",
)


def lines_of(workspace: Workspace, plan: Asked, department: str) -> dict[str, Any]:
    """Return what a department reports: rows of `status` that it leads, of `task_status` that it leads or shares."""
    own = next(one for one in reads.departments(workspace, plan) if one["name"] == department)
    wanted = {*own["lead"], *own["joint"], *own["drafter"]}
    indicators = [row for row in follow.status(workspace, plan) if row["line"] in own["lead"]]
    tasks = [
        row | {"role": "牵头" if row["line"] in (*own["lead"], *own["drafter"]) else "配合"}
        for row in follow.task_status(workspace, plan)
        if row["line"] in wanted
    ]
    return {"indicators": indicators, "tasks": tasks}


def write(
    workspace: Workspace, plan: Asked, department: str, file: str | Path, month: int | None = None
) -> dict[str, Any]:
    """Write the form of a department for a month. Returns `{file, plan, department, month, indicators, tasks, due}`.

    `month`: the last one of the plan's year that is over when None. Quarterly indicators stand in the form only at a
    quarter's end. Raises Refused for an unknown department or month.
    """
    import openpyxl

    head = document(workspace, plan)
    name = str(head["plan"])
    who = department_of(workspace, name, department)
    month = last_over(int(head["year"])) if month is None else month
    if not 1 <= month <= 12:
        raise Refused(Problem("plan.not-a-month", value=month))
    own = lines_of(workspace, name, who)
    asked = [row for row in own["indicators"] if row["frequency"] == "month" or month % 3 == 0]
    due = reads.due(int(head["year"]), month, reads.deadline_day(workspace, head))
    book = openpyxl.Workbook()
    titles = {
        "indicators": f"{head['title']}　指标进展填报表",
        "tasks": f"{head['title']}　任务与政策进展填报表",
        "lists": "名单、项目台账与里程碑",
        "paths": "到目标的进度安排（不填为均匀）",
    }
    said = f"填报单位：{who}　　填报期：{head['year']}年1—{month}月　　截止：{due:%Y年%m月%d日}"
    sheets = {}
    for kind in ("indicators", "tasks", "lists", "paths"):
        sheet = book.active if kind == "indicators" else book.create_sheet()
        sheets[kind] = sheet
        sheet.title = SHEETS[kind]
        _top(sheet, kind, titles[kind], said)
    stages = {
        row["line"]: row["stage"]
        for row in reads.report_rows(workspace, head)
        if row["counts"] and row["month"] == month
    }
    _indicators(sheets["indicators"], asked, month, stages)
    _tasks(sheets["tasks"], own["tasks"])
    _lists(sheets["lists"], asked, workspace, name, month)
    _paths(sheets["paths"], own["indicators"], reads.paths(workspace, name))
    _help(book.create_sheet(SHEETS["help"]), asked, month)
    _key(book.create_sheet(SHEETS["key"]), head, who, month, asked)
    for kind, sheet in sheets.items():
        _finish(sheet, kind)
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    book.save(file)
    return {
        "file": str(file), "plan": name, "department": who, "month": month, "indicators": len(asked),
        "tasks": len(own["tasks"]), "due": due,
    }  # fmt: skip


def last_over(year: int, day: date | None = None) -> int:
    """Return the last month of a year that is over on a day (today when None); January when none is."""
    today = day or datetime.now(ZONE).date()
    return max((month for month in range(1, 13) if reads.due(year, month, 1) <= today), default=1)


def heading(field: str) -> str:
    """Return the heading of a column: words.HEADINGS, or the month's for the columns of a path."""
    return HEADINGS.get(field, f"{field}月")


def _top(sheet: Worksheet, kind: str, title: str, said: str) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter

    columns = COLUMNS[kind]
    last = get_column_letter(len(columns))
    for row, text, font in ((1, title, Font("黑体", 16)), (2, said, Font("宋体", 11))):
        sheet.merge_cells(f"A{row}:{last}{row}")
        sheet.cell(row, 1, text).font = font
        sheet.cell(row, 1).alignment = Alignment(horizontal="center" if row == 1 else "left", vertical="center")
    sheet.merge_cells(f"A3:{last}3")
    sheet.cell(3, 1, "黄色单元格填写；说明见“说明”表。").font = Font("宋体", 9, italic=True, color="666666")
    sheet.row_dimensions[1].height = 30
    sheet.row_dimensions[HEAD].height = 30
    line = Side("thin", color="808080")
    for i, (field, width, _) in enumerate(columns, 1):
        cell = sheet.cell(HEAD, i, heading(field))
        cell.font, cell.fill = Font("黑体", 10), PatternFill("solid", fgColor="E3EEEA")
        cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        cell.border = Border(left=line, right=line, top=line, bottom=line)
        sheet.column_dimensions[get_column_letter(i)].width = width


def _rows(sheet: Worksheet, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows under the headings: known cells locked, cells to fill yellow and open."""
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side

    line = Side("thin", color="A6A6A6")
    border, font = Border(left=line, right=line, top=line, bottom=line), Font("宋体", 10)
    yellow, free = PatternFill("solid", fgColor="FFF9DB"), Protection(locked=False)
    wrap = Alignment(horizontal="left", vertical="center", wrap_text=True)
    for i, row in enumerate(rows, HEAD + 1):
        for j, (field, _, fill) in enumerate(COLUMNS[kind], 1):
            cell = sheet.cell(i, j, row.get(field))
            cell.border, cell.font = border, font
            if not isinstance(row.get(field), (int, float)):
                cell.alignment = wrap
            if fill and not row.get("_closed", {}).get(field):
                cell.fill, cell.protection = yellow, free


def _letter(kind: str, field: str) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter([name for name, _, _ in COLUMNS[kind]].index(field) + 1)


def _check(sheet: Worksheet, kind: str, field: str, last: int, **rule: Any) -> None:
    """Let Excel check a column from the first row to `last`."""
    from openpyxl.worksheet.datavalidation import DataValidation

    message = rule.pop("message")
    check = DataValidation(allow_blank=True, showErrorMessage=True, error=message, errorTitle=heading(field), **rule)
    sheet.add_data_validation(check)
    letter = _letter(kind, field)
    check.add(f"{letter}{HEAD + 1}:{letter}{max(last, HEAD + 1)}")


def _choice(words_: Mapping[str, tuple[str, str]]) -> str:
    return '"' + ",".join(zh for zh, _ in words_.values()) + '"'


def _indicators(
    sheet: Worksheet, asked: Sequence[Mapping[str, Any]], month: int, stages_told: Mapping[str, str]
) -> None:
    """Write the figures of a month; `stages_told`: the stage of the month's own report, by line."""
    rows = []
    for row in asked:
        told = {m: value for m, value in enumerate(row["values"], 1) if value is not None and m <= month}
        before = max((m for m in told if m < month), default=None)
        now, due, listed = told.get(month), row["path"][month - 1], row["basis"] != "figure"
        rows.append(
            {
                "line": row["line"], "number": row["indicator"], "name": row["name"], "unit": row["unit"],
                "target": row["text"], "before": told.get(before) if before else None, "before_month": before,
                "due": None if due is None else round(due, 4), "value": None if listed else now,
                "stage": None if now is None else words.STAGE_WORDS[stages_told.get(row["line"], "flash")][0],
                "remark": LISTED if listed else None, "_closed": {"value": listed},
            }
        )  # fmt: skip
    _rows(sheet, "indicators", rows)
    last = HEAD + len(rows)
    _check(
        sheet, "indicators", "value", last, type="decimal", operator="between", formula1="-1000000000",
        formula2="1000000000", message="请填数值，不带单位；没有数就留空。",
    )  # fmt: skip
    stages = _choice(words.STAGE_WORDS)
    _check(sheet, "indicators", "stage", last, type="list", formula1=stages, message="请从下拉表选择数据阶段。")
    _warn(sheet, asked, last)


def _warn(sheet: Worksheet, asked: Sequence[Mapping[str, Any]], last: int) -> None:
    """Colour a value that falls below the last one of a sum (amber), or looks like another unit (red)."""
    from openpyxl.formatting.rule import FormulaRule
    from openpyxl.styles import PatternFill

    value, before = _letter("indicators", "value"), _letter("indicators", "before")
    amber, red = PatternFill("solid", bgColor="F6C26B"), PatternFill("solid", bgColor="E89A93")
    for i, row in enumerate(asked, HEAD + 1):
        cell = f"{value}{i}"
        if row["figure"] == "flow":
            formula = f"AND(ISNUMBER({cell}),ISNUMBER({before}{i}),{cell}<{before}{i})"
            sheet.conditional_formatting.add(cell, FormulaRule(formula=[formula], fill=amber))
        if row["target"] and row["figure"] != "change":
            formula = f"AND(ISNUMBER({cell}),ABS({cell})>{100 * abs(row['target']):g})"
            sheet.conditional_formatting.add(cell, FormulaRule(formula=[formula], fill=red))


def _tasks(sheet: Worksheet, tasks: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        {
            "line": row["line"], "number": row["number"], "title": row["title"], "role": row["role"],
            "progress_before": words.PROGRESS_WORDS[row["reported"]][0] if row["reported"] else None,
        }
        for row in tasks
    ]  # fmt: skip
    _rows(sheet, "tasks", rows)
    progress = _choice(words.PROGRESS_WORDS)
    last = HEAD + len(rows)
    _check(sheet, "tasks", "progress", last, type="list", formula1=progress, message="请从下拉表选择进展。")


def _lists(sheet: Worksheet, asked: Sequence[Mapping[str, Any]], workspace: Workspace, plan: str, month: int) -> None:
    listed = [row["line"] for row in asked if row["basis"] != "figure"]
    most = max((row["target"] or 0 for row in asked if row["basis"] == "names"), default=0)
    spare = max(SPARE, int(most / 4)) if listed else 0
    _rows(sheet, "lists", [{}] * spare)
    last = HEAD + spare
    if listed:
        formula = f"{SHEETS['key']}!$D$1:$D${len(listed)}"
        _check(sheet, "lists", "line", last, type="list", formula1=formula, message="请选择本部门按名单计数的指标。")
    whole = {"type": "whole", "operator": "between", "formula1": "0", "formula2": str(month)}
    _check(sheet, "lists", "month", last, **whole, message=f"完成月份为 1 至 {month}（0 为往年已有）。")
    least = {"type": "decimal", "operator": "greaterThan", "formula1": "0"}
    _check(sheet, "lists", "amount", last, **least, message="数量大于零，单位与指标相同。")
    actions = _choice(words.ACTION_WORDS)
    _check(sheet, "lists", "action", last, type="list", formula1=actions, message="新增 或 撤销。")
    standing = reads.entries(workspace, plan).filter(~_struck()).to_dicts()
    shown = [row for row in standing if row["line"] in listed]
    if shown:
        width = len(COLUMNS["lists"]) + 2
        sheet.cell(HEAD, width, "已列（不必再填）")
        for i, row in enumerate(shown, HEAD + 1):
            for j, field in enumerate(("line", "name", "mark", "site", "amount", "month")):
                sheet.cell(i, width + j, row[field])


def _struck() -> Any:
    import polars as pl

    return pl.col("struck").is_not_null()


def _paths(sheet: Worksheet, indicators: Sequence[Mapping[str, Any]], ways: Mapping[str, Mapping[str, Any]]) -> None:
    rows = []
    for row in indicators:
        if row["figure"] in ("milestones", "change") or row["target"] is None:
            continue
        way = ways.get(row["line"], {})
        kept = {"line": row["line"], "name": row["name"], "unit": row["unit"], "target": row["text"]}
        kept |= {"method": words.METHOD_WORDS[way["method"]][0] if way else None, "opening": way.get("opening")}
        rows.append(kept | dict(way.get("points", {})))
    _rows(sheet, "paths", rows)
    methods = _choice(words.METHOD_WORDS)
    _check(sheet, "paths", "method", HEAD + len(rows), type="list", formula1=methods, message="请从下拉表选择方法。")


def _help(sheet: Worksheet, asked: Sequence[Mapping[str, Any]], month: int) -> None:
    from openpyxl.styles import Alignment, Font

    sheet.column_dimensions["A"].width = 110
    for i, note in enumerate(_NOTES, 1):
        sheet.cell(i, 1, f"{i}. {note}").font = Font("宋体", 11)
        sheet.cell(i, 1).alignment = Alignment(wrap_text=True, vertical="top")
    kinds = sorted({row["figure"] for row in asked})
    for i, kind in enumerate(kinds, len(_NOTES) + 2):
        named = "、".join(row["name"] for row in asked if row["figure"] == kind)
        sheet.cell(i, 1, f"{words.FIGURE_WORDS[kind][0]}：{named}").alignment = Alignment(wrap_text=True)
    sheet.cell(
        len(_NOTES) + len(kinds) + 3, 1, "填报人：　　　　　　审核人：　　　　　　联系电话：　　　　　　填报日期："
    )
    sheet.protection.enable()


def _key(sheet: Worksheet, head: Mapping[str, Any], who: str, month: int, asked: Sequence[Mapping[str, Any]]) -> None:
    for i, (name, value) in enumerate(
        (("form", FORM), ("plan", head["plan"]), ("version", head["version"]), ("department", who), ("month", month)), 1
    ):
        sheet.cell(i, 1, name)
        sheet.cell(i, 2, value)
    for i, row in enumerate([row for row in asked if row["basis"] != "figure"], 1):
        sheet.cell(i, 4, row["line"])
        sheet.cell(i, 5, row["name"])
    sheet.sheet_state = "hidden"
    sheet.protection.enable()


def _finish(sheet: Worksheet, kind: str) -> None:
    """Freeze, protect and set up printing."""
    frozen = {"indicators": "D", "tasks": "D", "lists": "B", "paths": "C"}[kind]
    sheet.freeze_panes = f"{frozen}{HEAD + 1}"
    sheet.protection.enable()
    sheet.protection.formatColumns = sheet.protection.formatRows = False
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"1:{HEAD}"
    sheet.oddFooter.center.text = "第 &P 页，共 &N 页"
    sheet.sheet_view.showGridLines = False
