"""Everything that is assessed of a plan as one Excel workbook: a sheet for each table, labelled when synthetic."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from dualcarbon.plan.assessing.board import TITLES
from dualcarbon.plan.assessing.bulletin import LABEL, progress, rank_text
from dualcarbon.plan.assessing.dual import lacking
from dualcarbon.plan.assessing.dual_blocks import KINDS, VIEWS
from dualcarbon.plan.assessing.effect import PARTS, TREATMENTS
from dualcarbon.plan.assessing.warnings import STATES
from dualcarbon.plan.words import STATUS_WORDS, listed

Rows = Sequence[Sequence[Any]]
WIDEST = 60


def workbook(board: Mapping[str, Any], scores: Mapping[str, Any] | None, lang: str = "zh") -> bytes:
    """Return the workbook of a board and a score sheet: indicators, tasks, documents, warnings, projects, dual targets,
    effect, scores and their arithmetic."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    label = LABEL[lang] if board["synthetic"] else ""
    for title, heads, rows in (*_of_board(board, lang), *_of_scores(scores, lang)):
        _sheet(book, title, heads, rows, label)
    return _bytes(book)


def of_scores(scores: Mapping[str, Any], lang: str = "zh") -> bytes:
    """Return the workbook of a score sheet's result: totals, and the arithmetic of every point."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, heads, rows in _of_scores(scores, lang):
        _sheet(book, title, heads, rows, LABEL[lang] if scores["synthetic"] else "")
    return _bytes(book)


def _bytes(book: Any) -> bytes:
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(book: Any, title: str, heads: Sequence[str], rows: Rows, label: str) -> None:
    from openpyxl.styles import Font, PatternFill

    sheet = book.create_sheet(title)
    if label:
        sheet.append([label])
        sheet.cell(1, 1).font = Font(color="5F4CA3", bold=True)
    sheet.append(list(heads))
    top = sheet.max_row
    for cell in sheet[top]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="E6F2EE")
    for row in rows:
        sheet.append([_safe(value) for value in row])
    sheet.freeze_panes = sheet.cell(top + 1, 2)
    for number, column in enumerate(sheet.columns):
        longest = max((_width(cell.value) for cell in column[top - 1 :]), default=8)
        letter = column[0].column_letter if number else "A"
        sheet.column_dimensions[letter].width = min(max(longest + 2, 6), WIDEST)


def _safe(value: Any) -> Any:
    """A cell's value; text that a spreadsheet would take for a formula stays text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") and len(value) > 1 and not value[1:2].isdigit():
        return "'" + value
    return value


def _width(value: Any) -> int:
    text = "" if value is None else str(value)
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


@cache
def _words() -> dict[str, list[tuple[str, str]]]:
    """Of each sheet its title and then its headings, in both languages."""
    found: dict[str, list[tuple[str, str]]] = {}
    with Path(__file__).with_name("workbook.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["sheet"], []).append((row["zh"], row["en"]))
    return found


def _named(sheet: str, rows: Rows, lang: str) -> tuple[str, list[str], Rows]:
    title, *heads = [pair[lang != "zh"] for pair in _words()[sheet]]
    return title, heads, rows


def _of_board(board: Mapping[str, Any], lang: str) -> list[tuple[str, list[str], Rows]]:
    n = lang != "zh"
    indicators = [
        [one["indicator"], one["name"], one["unit_name"][lang].strip(), one["target"], one["actual"], one["expected"],
         one["forecast"], one["low"], one["high"], one["needed"], TITLES[one["state"]][lang], one["reason"][lang],
         listed(one["lead"], lang), one["reported"], _status(one["status"], lang)]
        for one in board["indicators"]
    ]  # fmt: skip
    tasks = [
        [one["number"], one["title"], one["domain"], listed(one["lead"], lang), listed(one["joint"], lang),
         progress(one, lang), one["text"]]
        for one in board["tasks"]
    ]  # fmt: skip
    policies = [
        [one["number"], one["title"], one["due"], listed(one["lead"], lang), progress(one, lang), one["days_overdue"]]
        for one in board["policies"]
    ]
    alarms = [
        [one["level"], one["title"][lang], one["reason"][lang], listed(one["departments"], lang), one["action"][lang],
         STATES[one["state"]][lang]]
        for one in board["warnings"]
    ]  # fmt: skip
    projects = [
        [one["title"][lang] if one["title"] else one["project"], one["department"], one["investment"],
         one["invested"], one["share"], one["scheduled"], one["lag"], one["stage"]]
        for one in board["projects"]["projects"]
    ]  # fmt: skip
    dual = []
    for kind in KINDS:
        own = board["dual"][kind]
        for row in own["years"]:
            now = row["year"] == board["year"]
            targets = [own["basic"], own["incentive"]] if now else [None, None]
            state = own["said"][lang] if now else ""
            dual.append([KINDS[kind][n], row["year"], row["value"], row["unit"], row["gdp_growth"], row["fall"],
                         *targets, state, lacking(row["missing"], lang)])  # fmt: skip
    views = [
        [VIEWS[one["view"]][n], one["energy"], one["intensity"], one["fall"], one["lacks"][lang]]
        for one in board["dual"]["energy"]["views"]
    ]
    handed = [
        [one["title"][lang], one["period"], one["shown"], one["unit"], one["price_year"],
         _status(one["status"], lang), one["source"], one["told"]]
        for one in board["dual"]["told"]
    ]  # fmt: skip
    used = board["dual"]["certificates"]["ledger"]
    retired = [[one["seq"], one["at"][:10], one["id"], one["amount"], used["account"]] for one in used["entries"]]
    effect = [
        [one["title"], PARTS[one["part"]][lang], one["quantity"], one["unit_name"][lang].strip(), one["value"],
         one["low"], one["high"], one["value_unit"], one["counted"], one["marginal"],
         TREATMENTS[one["treatment"]][lang], _status(one["status"], lang), one["method"],
         (one["reason"] or one["note"] or {}).get(lang)]
        for one in board["effect"]["planned"]["rows"]
    ]  # fmt: skip
    made = {"indicators": indicators, "tasks": tasks, "policies": policies, "warnings": alarms, "projects": projects,
            "dual": dual, "views": views, "handed": handed, "certificates": retired, "effect": effect}  # fmt: skip
    return [_named(name, rows, lang) for name, rows in made.items()]


def _of_scores(scores: Mapping[str, Any] | None, lang: str) -> list[tuple[str, list[str], Rows]]:
    if scores is None:
        return []
    veto = "是" if lang == "zh" else "yes"
    totals = [
        [one["subject"], rank_text(one), one["total"], one["low"], one["high"], one["points"], one["weight"],
         one["bonus"], one["deducted"], veto if one["veto"] else ""]
        for one in scores["subjects"]
    ]  # fmt: skip
    items = [
        [one["subject"], row["item"], row["title"][lang], row["weight"], row["value"], row["basic"],
         row["incentive"], row["points"], row["bonus"], row["arithmetic"][lang],
         (row["incentive_said"] or {}).get(lang)]
        for one in scores["subjects"]
        for row in one["rows"]
    ]  # fmt: skip
    return [_named("scores", totals, lang), _named("items", items, lang)]


def _status(status: str | None, lang: str) -> str:
    return STATUS_WORDS[status][lang != "zh"] if status in STATUS_WORDS else ""
