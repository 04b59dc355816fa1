"""What the pages of entry, review and one indicator show: the data of each, nothing of HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads, words
from dualcarbon.plan.feeding import feeds, form, judging, systems
from dualcarbon.plan.feeding.telling import department_of, same_voice
from dualcarbon.plan.store import Asked, document

#: The words of codes as the templates pick them: `words.stage.flash` is {zh, en}.
WORDS = {
    name: {code: {"zh": zh, "en": en} for code, (zh, en) in said.items()}
    for name, said in (
        ("stage", words.STAGE_WORDS), ("progress", words.PROGRESS_WORDS), ("review", words.STATE_WORDS),
        ("figure", words.FIGURE_WORDS), ("basis", words.BASIS_WORDS), ("method", words.METHOD_WORDS),
        ("state", words.STANDING_WORDS),
    )
}  # fmt: skip


def heading(workspace: Workspace, plan: Asked, month: int | None = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the plan of a page, the others it could show, the month that is told about, and the day that is asked."""
    head = document(workspace, plan, as_of)
    last = form.last_over(int(head["year"]), as_of)
    others = [{name: one[name] for name in ("plan", "title", "city", "year")} for one in reads.plans(workspace)]
    shown = {name: head[name] for name in ("plan", "version", "title", "year", "city", "status")}
    at = min(max(month or last, 1), 12)
    day = reads.due(int(head["year"]), at, reads.deadline_day(workspace, head))
    synthetic = reads.synthetic(workspace, head)
    page = {"head": shown, "plans": others, "month": at, "last": last, "due": day, "words": WORDS}
    page["as_of"] = as_of
    return page | {"synthetic": synthetic}


def overview(
    workspace: Workspace, plan: Asked = None, month: int | None = None, as_of: date | None = None
) -> dict[str, Any]:
    """Return every department with what it leads and what it told for a month, as known on a day (today when None).

    `departments`: `{name, indicators, tasks, told, asked, late, returned, waiting, missing: [names]}`.
    """
    page = heading(workspace, plan, month, as_of)
    head = document(workspace, plan, as_of)
    told = reads.report_rows(workspace, head, as_of)
    standing = {row["line"]: row for row in follow.status(workspace, head, as_of, month=12)}
    rows = []
    for one in reads.departments(workspace, head):
        asked = [
            standing[line]
            for line in one["lead"]
            if line in standing and (standing[line]["frequency"] == "month" or page["month"] % 3 == 0)
        ]
        own = {row["line"] for row in asked} | {line for line in one["lead"] if line not in standing}
        here = [row for row in told if row["line"] in own and row["month"] == page["month"]]
        there = {row["line"] for row in here if row["counts"]}
        latest = {row["line"]: row["state"] for row in here}
        if not one["lead"] and not one["joint"] and not one["drafter"]:
            continue
        rows.append(
            {"name": one["name"], "indicators": sum(line in standing for line in one["lead"]),
             "tasks": len([line for line in (*one["lead"], *one["joint"], *one["drafter"]) if line not in standing]),
             "asked": len(asked), "told": sum(row["line"] in there for row in asked),
             "late": sum(row["late"] for row in here if row["counts"]),
             "returned": sum(state == "returned" for state in latest.values()),
             "waiting": sum(row["state"] == "submitted" for row in here if row["counts"]),
             "missing": [row["name"] for row in asked if row["line"] not in there]}
        )  # fmt: skip
    waiting = len(judging.queue(workspace, head, as_of))
    lines = [row for row in standing.values() if row["frequency"] == "month" or page["month"] % 3 == 0]
    there = {row["line"] for row in told if row["month"] == page["month"] and row["counts"]}
    counts = {"asked": len(lines), "told": sum(row["line"] in there for row in lines)}
    return page | counts | {"departments": rows, "waiting": waiting, "systems": systems.systems(workspace, head, as_of)}


def department(workspace: Workspace, name: str, plan: Asked = None, month: int | None = None) -> dict[str, Any]:
    """Return the form of one department for a month: its indicators and tasks with what was told before and now.

    An indicator is its row of `follow.status` and `{asked, before, before_month, now, due, entries, listed, reached,
    steps, source}`; `now` is the report of the month, None where there is none. Raises Refused for an unknown name.
    """
    page = heading(workspace, plan, month)
    head = document(workspace, plan)
    who = department_of(workspace, head, name)
    own = form.lines_of(workspace, head, who)
    told = reads.report_rows(workspace, head)
    latest = {(row["line"], row["month"]): row for row in told}
    fed = {row["line"]: row for row in feeds.sources(workspace, head)}
    steps = reads.steps(workspace, head)
    listed = [row["line"] for row in own["indicators"] if row["basis"] != "figure"]
    entries = [row for row in reads.entry_rows(workspace, head, listed) if row["struck"] is None]
    at = page["month"]
    indicators = []
    for row in own["indicators"]:
        values = row["values"]
        before = max((m for m in range(1, at) if values[m - 1] is not None), default=None)
        there = [one for one in entries if one["line"] == row["line"]]
        indicators.append(
            row
            | {
                "asked": row["frequency"] == "month" or at % 3 == 0,
                "before": values[before - 1] if before else None,
                "before_month": before,
                "now": latest.get((row["line"], at)),
                "due": row["path"][at - 1],
                "entries": there[-5:],
                "listed": len(there),
                "reached": {one["name"] for one in there},
                "steps": steps.get(row["line"], []),
                "source": fed[row["line"]]["say"],
            }
        )
    tasks = []
    shared = {row["line"] for row in own["tasks"] if row["role"] == "配合"}
    for row in own["tasks"]:
        mine = [one for one in told if one["line"] == row["line"] and same_voice(one, who, shared)]
        if row["line"] in shared:  # what the lead unit told stands beside it
            mine = [one | {"counts": one["state"] != "returned"} for one in mine]
        earlier = [one for one in mine if one["counts"] and one["month"] < at]
        last = max(earlier, key=lambda one: one["month"], default=None)
        told_before = {"reported": last["progress"] if last else None, "month": last["month"] if last else None}
        now = [one for one in mine if one["month"] == at]
        tasks.append(row | told_before | {"now": now[-1] if now else None})
    return page | {"department": who, "indicators": indicators, "tasks": tasks}


def review(workspace: Workspace, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the reports that wait for a reviewer, and the last decisions, as known on a day (today when None)."""
    page = heading(workspace, plan, as_of=as_of)
    head = document(workspace, plan, as_of)
    waiting = judging.queue(workspace, head, as_of)
    files: dict[int, list[dict[str, Any]]] = {}
    for one in reads.evidence(workspace, head, as_of):
        files.setdefault(one["report"], []).append({name: one[name] for name in ("number", "name", "size")})
    names = _names(workspace, head)
    done = [row | {"name": names.get(row["line"], row["line"])} for row in reads.reviews(workspace, head, as_of)[-30:]]
    rows = [row | {"files": files.get(row["number"], [])} for row in waiting]
    return page | {"waiting": rows, "done": done[::-1]}


def _names(workspace: Workspace, head: Mapping[str, Any]) -> dict[str, str]:
    found = {row["line"]: row["name"] for row in reads.indicators(workspace, head).to_dicts()}
    found |= {row["line"]: row["title"] for row in reads.tasks(workspace, head).to_dicts()}
    return found | {row["line"]: row["title"] for row in reads.policies(workspace, head).to_dicts()}


def indicator(workspace: Workspace, line: str, plan: Asked = None, as_of: date | None = None) -> dict[str, Any]:
    """Return all about one indicator: standing, path and values by month, every report, list, evidence, confirmations.

    `as_of`: by the plan and with what had arrived on that day, today when None. `chart` holds the two series of the
    path chart, `computed` what the platform computes for the months reported. Raises NoSuch.
    """
    page = heading(workspace, plan, as_of=as_of)
    head = document(workspace, plan, as_of)
    found = follow.status(workspace, head, as_of, line=line)
    if not found:
        raise NoSuch("indicator", line)
    row = found[0]
    code = row["line"]
    told = with_files(workspace, head, code, as_of)
    entries = reads.entry_rows(workspace, head, [code], as_of) if row["basis"] != "figure" else []
    tasks = [one for one in reads.tasks(workspace, head).to_dicts() if one["task"] in row["tasks"]]
    source = next(one for one in feeds.sources(workspace, head) if one["line"] == code)
    return page | {
        "indicator": row,
        "months": [
            {"month": m, "value": row["values"][m - 1], "due": row["path"][m - 1]} for m in range(1, 13)
        ],
        "chart": chart(row),
        "reports": told[::-1],
        "entries": entries[::-1],
        "steps": reads.steps(workspace, head, as_of).get(code, []),
        "paths": reads.paths(workspace, head, as_of).get(code),
        "tasks": tasks,
        "source": source["say"],
        "computed": [
            {**one, "unit_name": words.unit_name(one["unit"])}
            for one in feeds.figures(workspace, head, row["reported"] or row["month"] or 12, as_of, code)
        ],
        "mirrors": _mirrors(workspace, head, code, as_of),
        "systems": [one for one in systems.systems(workspace, head, as_of) if code in one["lines"]],
    }  # fmt: skip


def with_files(
    workspace: Workspace, head: Mapping[str, Any], line: str, as_of: date | None = None
) -> list[dict[str, Any]]:
    """Return the reports of one line, the oldest first, each with its `files` and the `query` that opens its value."""
    files = [one for one in reads.evidence(workspace, head, as_of) if one["line"] == line]
    return [
        one
        | {
            "files": [file for file in files if file["report"] == one["number"]],
            "query": json.loads(one["query"]) if one["query"] else None,
        }
        for one in reads.report_rows(workspace, head, as_of, [line])
    ]


def _mirrors(workspace: Workspace, head: Mapping[str, Any], line: str, as_of: date | None) -> list[dict[str, Any]]:
    """Return the figures of other systems beside a line; of each name and period the last one."""
    last = {
        (row["system"], row["name"], row["period"]): row
        for row in reads.mirrors(workspace, head, as_of)
        if row["line"] == line
    }
    return [_opened(row) for row in last.values()]


def _opened(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mirrored figure with the question that opens it, None where no account computes it."""
    asked = json.loads(row["query"]) if row["query"] else {}
    return {**row, "query": asked if "item" in asked else None}


def chart(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the path chart draws: due and told by month."""
    series = [("应达", "due", row["path"]), ("实际", "reported", row["values"])]
    return {
        "series": [
            {
                "zh": zh,
                "en": en,
                "points": {f"{m:02d}": {"value": value} for m, value in enumerate(values, 1) if value is not None},
            }
            for zh, en, values in series[::-1]
        ]
    }


def workbook(workspace: Workspace, line: str, plan: Asked = None, as_of: date | None = None) -> bytes:
    """Return one indicator as Excel: the months with path and value, every report, the list."""
    import io

    import openpyxl

    page = indicator(workspace, line, plan, as_of)
    row = page["indicator"]
    book = openpyxl.Workbook()
    first = book.active
    first.title = "进度"
    first.append([f"{page['head']['title']}　{row['line']} {row['name']}（{row['unit']}）"])
    first.append([f"目标：{row['text']}", f"状态：{words.STANDING_WORDS[row['state']][0]}", row["reason"]["zh"]])
    if page["synthetic"]:
        first.append(["演示数据（synthetic）"])
    first.append(["月份", "应达", "实际"])
    for one in page["months"]:
        first.append([one["month"], one["due"], one["value"]])
    second = book.create_sheet("填报")
    heads = ("number", "period", "value", "stage", "state", "told", "due", "late", "department", "person", "corrects",
             "reason", "text", "remark", "status", "reviewer", "reviewed", "review_reason", "evidence")  # fmt: skip
    second.append([
        "编号", "期", "数值", "阶段", "审核", "收到", "截止", "迟报", "部门", "填报人", "更正", "更正原因", "进展说明",
        "备注", "依据状态", "审核人", "审核日期", "审核意见", "佐证",
    ])  # fmt: skip
    for one in page["reports"]:
        second.append([one[name] for name in heads])
    if page["entries"]:
        third = book.create_sheet("名单")
        third.append(["名称", "证号或牌号", "厂址", "数量", "月份", "佐证文号", "收到", "撤销", "撤销原因"])
        for one in page["entries"]:
            third.append([one[name] for name in ("name", "mark", "site", "amount", "month", "paper", "told", "struck",
                                                  "struck_reason")])  # fmt: skip
    for sheet in book.worksheets:
        for column in "ABCDEFGHIJ":
            sheet.column_dimensions[column].width = 16
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
