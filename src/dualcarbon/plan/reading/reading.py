"""Reads a work plan: its outline and its tables put together as tasks, policies and indicators."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.plan.reading import departments, layout, names, outline, quantities, targets, units
from dualcarbon.plan.reading.departments import Department, Registry
from dualcarbon.plan.reading.document import Document, Passage, Table
from dualcarbon.plan.reading.files import read_document
from dualcarbon.plan.reading.script import tight
from dualcarbon.plan.reading.shapes import Indicator, Part, Plan, Policy, Task


def read(path: str | Path) -> Plan:
    """Return the plan in the file at `path`.

    Raises Refused when the file cannot be read, is no plan (`plan.not-a-plan`) or has its columns swapped.
    """
    document = read_document(path)
    head = outline.read(document)
    captions = outline.captions(document)
    domains = [name for name, _ in head.domains]
    sheets: list[layout.Sheet] = []
    unread: list[dict[str, Any]] = []
    problems: list[Problem] = []
    if head.title is None:
        outline.title_from_tables(head, document)
    for i, block in enumerate(document.blocks):
        if not isinstance(block, Table):
            continue
        try:
            sheet = layout.read_table(block, captions[i], domains, head.year)
        except Refused as refusal:
            problems += [replace(problem, file=document.file) for problem in refusal.problems]
            continue
        if sheet is None or sheet.kind == "projects":
            first = block.rows[0]
            unread.append(
                {"table": first[0].table, "headings": [tight(c.raw) for c in first], "rows": len(block.rows) - 1}
            )
        else:
            sheets.append(sheet)
    if problems:
        raise Refused(problems)
    plan = _assemble(document, head, sheets, unread)
    if not plan.indicators and not _reads_as_plan(plan):
        raise Refused(Problem("plan.not-a-plan", file=document.file, value=len(document.blocks)))
    return plan


def _reads_as_plan(plan: Plan) -> bool:
    """True for tasks from a list, or for numbered prose with figures or departments under a plan's title."""
    if any(task.listed for task in plan.tasks):
        return True
    if len(plan.tasks) < 3:
        return False
    told = sum(bool(task.quantities or task.departments) for task in plan.tasks)
    manned = sum(bool(task.departments) for task in plan.tasks)
    if plan.outline.title is not None:
        return told > 0
    return plan.year is not None and told >= 0.3 * len(plan.tasks) and manned > 0


def _assemble(
    document: Document, head: outline.Outline, sheets: list[layout.Sheet], unread: list[dict[str, Any]]
) -> Plan:
    known = head.listed.names
    rows = [row for sheet in sheets if sheet.kind == "tasks" for row in sheet.rows]
    if _only_sections(head, rows):
        head.headline += [passage for point in head.points for passage in point.passages[1:]]
        head.points = []
    tasks = _tasks(head, rows, known)
    policies: list[Policy] = [p for sheet in sheets if sheet.kind == "policies" for p in _policies(sheet, head, known)]
    indicators: list[Indicator] = [
        p for sheet in sheets if sheet.kind == "indicators" for p in _indicators(sheet, known)
    ]
    _renumber(policies)
    _renumber(indicators)
    if not head.listed.names and not head.listed.city and head.city:
        head.listed = Registry((), None, "".join(head.city))
    for task in tasks:
        task.departments = [head.listed.resolve(one) for one in task.departments]
        task.parts = [Part(p.number, p.text, [head.listed.resolve(one) for one in p.people]) for p in task.parts]
    for policy in policies:
        policy.drafters = [head.listed.resolve(one) for one in policy.drafters]
    for indicator in indicators:
        indicator.lead = [head.listed.resolve(one) for one in indicator.lead]
    domains = list(dict.fromkeys(task.domain for task in tasks if task.domain))
    headline = [q for passage in head.headline for q in quantities.find(passage, head.year)]
    return Plan(
        document.file, document.format, head, tasks, policies, indicators, domains, headline, unread, document.lines
    )


def _only_sections(head: outline.Outline, rows: list[layout.Row]) -> bool:
    """True where the prose has 一、二、三、 as headings of sections, and the tasks stand in a table alone."""
    cells = [row["text"] for row in rows if "text" in row]
    if not cells or not all(re.fullmatch("[一二三四五六七八九十]+", point.label) for point in head.points):
        return False
    tasks = [Task(point.number, point.domain, point.title) for point in head.points]
    return not any(_alike(task, outline.title_of(cell.simple), cell) for task in tasks for cell in cells)


def _renumber(entries: list[Policy] | list[Indicator]) -> None:
    """Count rows whose numbers repeat or are missing."""
    seen = [entry.number for entry in entries]
    if len(set(seen)) < len(seen) or 0 in seen:
        for i in range(len(entries)):
            entries[i].number = i + 1


def _tasks(head: outline.Outline, rows: list[layout.Row], known: tuple[str, ...]) -> list[Task]:
    """Match the tasks of the prose with the rows of the list: by number where titles agree, otherwise by title."""
    tasks = [Task(point.number, point.domain, point.title, prose=_unwrapped(point.passages)) for point in head.points]
    free = list(tasks)
    for position, row in enumerate(rows, 1):
        cell = row.get("text")
        if cell is None:
            continue
        number = _integer(row.get("number")) or position
        title = outline.title_of(cell.simple)
        task = next((t for t in free if t.number == number and _alike(t, title, cell)), None)
        task = task or next((t for t in free if _alike(t, title, cell)), None)
        if task is None:
            taken = {t.number for t in tasks}
            task = Task(number if number not in taken else max(taken) + 1, None, title)
            tasks.append(task)
        else:
            free.remove(task)
        task.listed = cell
        if task.domain is None and "domain" in row:
            task.domain = re.sub(
                r"\s+", "", re.sub(r"^\s*[（(]?[一二三四五六七八九十]+[）)]?[、.]?", "", row["domain"].simple)
            )
        if "due" in row:
            dates = [due_date(line, head.year) for line in row["due"].raw.split("\n")]
            task.due = max((one for one in dates if one), default=None)  # of several measures the last
        for role in row:
            if role.split(" ")[0] in ("lead", "joint"):
                _responsible(task, row[role], role, known)
        task.more = [row[role] for role in row if role == "aim" or role.startswith("text ")]
        for extra in task.more:
            task.listed_quantities += quantities.find(extra, head.year)
    for task in tasks:
        _split(task, known)
        task.quantities = [q for passage in task.prose for q in quantities.find(passage, head.year)]
        if task.listed is not None:
            task.listed_quantities = quantities.find(task.listed, head.year) + task.listed_quantities
        if not task.prose:
            task.quantities = task.listed_quantities
    return sorted(tasks, key=lambda t: t.number)


def _unwrapped(passages: list[Passage]) -> list[Passage]:
    """Join lines that a hard line break cut in the middle of a sentence."""
    joined: list[Passage] = []
    for passage in passages:
        if joined and not re.search(r"[。；;：:！!）)”\"]\s*$", joined[-1].raw) and len(joined[-1].raw.strip()) > 12:
            joined[-1] = replace(joined[-1], raw=joined[-1].raw.rstrip() + passage.raw.strip())
        else:
            joined.append(passage)
    return joined


def _alike(task: Task, title: str, cell: Passage) -> bool:
    one, other = names.core(task.title), names.core(title)
    return one == other or one in names.core(cell.simple[:120]) or names.compare(task.title, title).score > 0.8


def _responsible(task: Task, cell: Passage, role: str, known: tuple[str, ...]) -> None:
    task.column = task.column or cell
    people = departments.parse(cell.raw, known)
    heading_leads = role.startswith("joint") or (task.departments and role.startswith("lead "))
    for one in people:
        if heading_leads:
            one = replace(one, role="joint", stated=True)
        if one.name not in {d.name for d in task.departments}:
            task.departments.append(one)


def _split(task: Task, known: tuple[str, ...]) -> None:
    """Cut the text at brackets that name departments; each names who does the stretch before it."""
    passages = [task.listed] if task.listed is not None else task.prose
    if task.listed is not None and task.prose and not departments.bracketed(task.listed, known):
        passages = task.prose
    known = tuple(dict.fromkeys([*known, *(one.name for one in task.departments)]))
    for passage in passages:
        begin = 0
        for start, end, people in departments.bracketed(passage, known):
            text = passage.simple[begin:start].strip(" ,，。;；、")
            begin = end
            task.parts.append(Part(len(task.parts) + 1, re.sub(r"^[)）\s]+", "", text), people))
        rest = passage.simple[begin:].strip(" ,，。;；、.")
        if task.parts and begin and len(rest) > 4:
            task.parts.append(Part(len(task.parts) + 1, rest, []))
    column = bool(task.departments)
    merged: dict[str, Department] = {one.name: one for one in task.departments}
    for part in task.parts:
        for one in part.people:
            if one.name in merged:
                before = merged[one.name]
                merged[one.name] = replace(before, parts=(*before.parts, part.number))
            else:
                role = "joint" if column else one.role
                merged[one.name] = replace(one, role=role, parts=(part.number,))
    if len(task.parts) == 1:  # one bracket at the end speaks for the whole task
        merged = {name: replace(one, parts=()) for name, one in merged.items()}
    task.departments = list(merged.values())


def _policies(sheet: layout.Sheet, head: outline.Outline, known: tuple[str, ...]) -> list[Policy]:
    found = []
    for position, row in enumerate(sheet.rows, 1):
        if "title" not in row:
            continue
        who = row.get("drafter") or row.get("lead")
        due = row.get("due")
        found.append(
            Policy(
                number=_integer(row.get("number")) or position,
                title=re.sub(r"(?<=[\u4e00-\u9fff])\s+(?=[\d\u4e00-\u9fff(（])", "", row["title"].simple.strip()).strip(
                    "《》"
                ),
                due=due_date(due.raw, head.year) if due else None,
                drafters=departments.parse(who.raw, known) if who else [],
                passage=row["title"],
                due_passage=due,
                column=who,
            )
        )
    return found


def _indicators(sheet: layout.Sheet, known: tuple[str, ...]) -> list[Indicator]:
    found = []
    for position, row in enumerate(sheet.rows, 1):
        if "name" not in row or ("value" not in row and "unit" not in row):
            continue
        name = re.sub(r"\s+", "", row["name"].simple)
        unit = tight(row["unit"].raw) if "unit" in row else ""
        if "unit" not in row and (match := re.search(r"[(（]([^()（）]+)[)）]$", name)) and units.parse(match[1]):
            name, unit = name[: match.start()], match[1]
        target = targets.parse(value.raw if (value := row.get("value")) else "", unit)
        people = [
            one
            for role in ("lead", "lead 1", "lead 2")
            if role in row
            for one in departments.parse(row[role].raw, known)
        ]
        found.append(
            Indicator(
                number=_integer(row.get("number")) or position,
                name=name,
                unit=unit or (target.unit.text if target.unit else ""),
                target=target,
                lead=people,
                passage=row["name"],
                value_passage=value,
                column=row.get("lead"),
                inherited="lead" in row and row["lead"].merged,
                domain=re.sub(r"\s+", "", row["domain"].simple) if "domain" in row else None,
                nature=tight(row["nature"].raw) if "nature" in row else None,
                other={heading: tight(row[role].raw) for role, heading in sheet.other.items() if role in row},
            )
        )
    return found


def _integer(cell: Passage | None) -> int | None:
    match = re.match(r"^(\d{1,4})[.、]?(?:\.0)?$", tight(cell.raw)) if cell else None
    return int(match[1]) if match else None


def due_date(text: str, year: int | None = None) -> str | None:
    """Return a due date as a period (`2024`, `2024-05`, `2024-Q2`, `2024-05-31`), or None.

    `year` serves texts that name none (5月底前). A month written 2024.1 stays January.
    """
    clean = tight(text)
    found = re.search(r"(20\d\d)(?:年|[-./]|$)?", clean)
    own = int(found[1]) if found else year
    if own is None:
        return None
    rest = clean[found.end() :] if found else clean
    if match := re.match(r"(\d{1,2})(?:[-./月](\d{1,2})日?|月|$|[^\d])", rest):
        month = int(match[1])
        if 1 <= month <= 12:
            return f"{own}-{month:02d}" + (f"-{int(match[2]):02d}" if match[2] else "")
    if match := re.search(r"([一二三四1-4])季度", rest):
        return f"{own}-Q{'一二三四'.find(match[1]) + 1 or match[1]}"
    if "上半年" in rest:
        return f"{own}-06"
    if re.search("年底|年末|全年|年内|下半年", clean) and not re.search(r"\d月", rest):
        return f"{own}-12" if re.search("年底|年末|下半年", clean) else str(own)
    return str(own) if found else None
