"""What a plan says against itself, by general rules; each finding quotes every place it rests on."""

from __future__ import annotations

import calendar
import datetime
import difflib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from dualcarbon.plan.reading import departments, responsibility, units
from dualcarbon.plan.reading import links as linking
from dualcarbon.plan.reading.document import Passage
from dualcarbon.plan.reading.finding import CLASSES, Finding
from dualcarbon.plan.reading.links import Link, Statement
from dualcarbon.plan.reading.quantities import chinese_number, number
from dualcarbon.plan.reading.script import fold, simplify, tight
from dualcarbon.plan.reading.shapes import Plan, Task


def check(plan: Plan, links: list[Link] | None = None) -> list[Finding]:
    """Return all findings: contradictions first, then probable stock and flow, scope, consistent."""
    found = linking.links(plan) if links is None else links
    rules: tuple[Callable[[Plan, list[Link]], Iterator[Finding]], ...] = (
        _values,
        _same_indicators,
        _without_indicator,
        _indicators_without_task,
        _prose_against_list,
        _dates,
        responsibility.unlisted,
        responsibility.brackets,
        responsibility.leads,
        _beyond,
        _counts,
        _numbering,
    )
    findings = [finding for rule in rules for finding in rule(plan, found)]
    return sorted(findings, key=lambda one: CLASSES.index(one.kind))


def place_of(plan: Plan, statement: Statement) -> dict[str, Any]:
    """Return where a statement stands with the source's characters: the sentence, or the row of the table."""
    if statement.quantity is not None:
        return linking.as_place(statement, statement.quantity.where())
    indicator = statement.indicator
    assert indicator is not None
    return linking.as_place(statement, plan.quote_row(indicator.passage, indicator.value_passage))


def _finding(plan: Plan, rule: str, kind: str, *statements: Statement, **params: Any) -> Finding:
    a, b = statements[0], statements[-1]
    values = [
        {
            "name": s.name,
            "value": number(s.value),
            "unit": s.unit.text if s.unit else None,
            "comparison": s.comparison,
            "stretch": s.stretch,
        }
        for s in statements
    ]
    words = {"name": a.name, "other": b.name, "a": a.shown, "b": b.shown, "values": values} | params
    return Finding(rule, kind, tuple(place_of(plan, s) for s in statements), words)


def _values(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Values of one thing in two places: differing, under other names, in other units, annual or cumulative."""
    seen: set[tuple[Any, ...]] = set()
    for link in links:
        a, b = link.statement, link.other
        key = (link.relation, b.number, a.base)
        if key in seen:
            continue
        seen.add(key)
        name = {"name": b.name}
        if link.relation == "differs":
            rule, kind, words = linking.judge(a, b, link.likeness)
            yield _finding(plan, rule, kind, a, b, words=words, **({} if rule == "scope-differs" else name))
        elif link.relation == "other-name":
            yield _finding(plan, "same-value-other-name", "scope", a, b)
        elif words := linking.scope_words(link):
            yield _finding(plan, "scope-differs", "scope", a, b, words=words)
        elif a.stock != b.stock and "stock" not in (a.scope, b.scope):
            yield _finding(plan, "annual-cumulative", "probable stock-flow", a, b, **name)
        elif a.unit and b.unit and units.canonical(a.unit) != units.canonical(b.unit):
            yield _finding(plan, "unit-differs", "consistent", a, b, **name)
    against = {(link.statement.number, link.statement.base) for link in links if link.relation == "differs"}
    for link in linking.pairs(linking.statements(plan)):
        if (link.statement.number, link.statement.base) in against or (link.other.number, link.other.base) in against:
            continue
        rule, kind, words = linking.judge(link.statement, link.other, link.likeness)
        yield _finding(plan, rule, kind, link.statement, link.other, words=words)


def _same_indicators(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Two rows of the list of indicators that name one thing with different values."""
    told = [one for one in (linking.of_indicator(i) for i in plan.indicators) if one is not None]
    for i, a in enumerate(told):
        for b in told[i + 1 :]:
            if tight(a.name) != tight(b.name) or a.indicator is None or b.indicator is None:
                continue
            same_group = a.indicator.domain == b.indicator.domain
            if same_group and a.base != b.base and a.unit and b.unit and a.unit.dimension == b.unit.dimension:
                rule, kind, words = linking.judge(a, b, linking.names.compare(a.name, b.name))
                yield _finding(plan, rule, kind, a, b, words=words)


def _without_indicator(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Figures of the headline and of the tasks that no indicator carries."""
    if not plan.indicators:
        return
    carried = {id(link.statement.quantity) for link in links}
    open_ended = [one for one in plan.indicators if one.target.value is None]
    seen: set[tuple[str, float]] = set()
    for statement in linking.statements(plan):
        quantity = statement.quantity
        assert quantity is not None
        if id(quantity) in carried or quantity.place in ("全省", "全国"):
            continue
        if (statement.name, statement.base) in seen:
            continue
        seen.add((statement.name, statement.base))
        same = [one for one in open_ended if linking.names.compare(statement.name, one.name).score >= 0.8]
        if same:
            place = plan.quote_row(same[0].passage, same[0].value_passage) | {
                "kind": "indicator",
                "number": same[0].number,
            }
            params = {"name": same[0].name, "a": statement.shown, "b": same[0].target.text, "indicator": same[0].number}
            yield Finding("figure-for-qualitative", "scope", (place_of(plan, statement), place), params)
            continue
        rule = "headline-no-indicator" if statement.kind == "headline" else "figure-no-indicator"
        yield _finding(plan, rule, "scope", statement, task=statement.number)


def _indicators_without_task(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    if not plan.tasks:
        return
    carried = {link.other.number for link in links if link.statement.kind == "task"}
    for indicator in plan.indicators:
        if indicator.number in carried or linking.mentions(plan, indicator):
            continue
        place = plan.quote_row(indicator.passage, indicator.value_passage)
        place |= {"kind": "indicator", "number": indicator.number}
        params = {"indicator": indicator.number, "name": indicator.name}
        yield Finding("indicator-no-task", "scope", (place,), params)


def _prose_against_list(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """The text of a task in the prose and in the list; a task that only one of them has."""
    both = any(t.prose for t in plan.tasks) and any(t.listed for t in plan.tasks)
    for task in plan.tasks:
        if task.prose and task.listed is not None:
            yield from _texts_of(task)
        elif both:
            where = "正文" if task.prose else "清单"
            place = task.passages[0].where(0, 60) | {"kind": "task", "number": task.number}
            params = {"task": task.number, "name": task.title, "where": where}
            yield Finding("task-one-place", "scope", (place,), params)


def _texts_of(task: Task) -> Iterator[Finding]:
    assert task.listed is not None
    prose = _plain("".join(p.raw for p in task.prose), task)
    listed = _plain(task.listed.raw, task)
    if len(listed) < 0.5 * len(prose):  # the list gives the task in short
        return
    matcher = difflib.SequenceMatcher(None, prose, listed, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal" or not re.search(r"\w", prose[a0:a1] + listed[b0:b1]):
            continue
        one, other = prose[max(0, a0 - 8) : a1 + 8], listed[max(0, b0 - 8) : b1 + 8]
        figures = re.findall(r"[\d.]+", prose[a0:a1]) != re.findall(r"[\d.]+", listed[b0:b1])
        places = (_sentence(task.prose, prose[a0:a1], one, task), _sentence([task.listed], listed[b0:b1], other, task))
        params = {"task": task.number, "a": one, "b": other}
        both = prose[a0:a1] and listed[b0:b1]
        yield Finding("text-differs", "contradiction" if figures and both else "scope", places, params)


def _plain(text: str, task: Task) -> str:
    """Return a task's text without its number, brackets of departments, spaces and punctuation."""
    clean = fold(simplify(text))
    for start, end, _ in reversed(departments.bracketed(Passage(text, 0), [one.name for one in task.departments])):
        clean = clean[:start] + clean[end:]
    clean = re.sub(r"^\s*\(?[\d一二三四五六七八九十]{1,3}\)?[.、]?\s*(?=[\u4e00-\u9fff\"])", "", clean)
    return re.sub(r"[\s,，。;；、:：\"'.]+(?!\d)", "", clean)


def _sentence(passages: list[Passage], piece: str, around: str, task: Task) -> dict[str, Any]:
    for wanted in (around, piece):
        for passage in passages:
            for match in re.finditer(r"[^。;!?\n]+", passage.folded):
                if wanted and wanted in _plain(match[0], task):
                    return passage.where(*match.span()) | {"kind": "task", "number": task.number}
    return passages[0].where(0, 80) | {"kind": "task", "number": task.number}


def _dates(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Due dates before the plan's own date, deadlines of tasks likewise, and figures of an earlier year."""
    for statement in linking.statements(plan):
        period = statement.quantity.period if statement.quantity else None
        if plan.year and period and int(period) < plan.year:
            yield _finding(plan, "year-differs", "scope", statement, period=period, year=plan.year)
    if plan.outline.issued is None:
        return
    issued = datetime.date.fromisoformat(plan.outline.issued)
    for policy in plan.policies:
        if policy.due and _end(policy.due) <= issued:
            place = plan.quote_row(policy.passage, policy.due_passage) | {"kind": "policy", "number": policy.number}
            params = {"policy": policy.number, "name": policy.title, "due": policy.due, "issued": plan.outline.issued}
            yield Finding("due-before-plan", "scope", (place, *plan.dated()), params)
    for task in plan.tasks:
        for passage in task.passages:
            for match in re.finditer(r"(20\d\d)年(?:(\d{1,2})月(?:\d{1,2}日)?)?(?:底之?前|底|之?前)", passage.folded):
                due = f"{match[1]}-{int(match[2] or 12):02d}"
                if 1 <= int(match[2] or 12) <= 12 and _end(due) <= issued:
                    place = passage.where(*match.span()) | {"kind": "task", "number": task.number}
                    params = {"task": task.number, "due": due, "issued": plan.outline.issued}
                    yield Finding("deadline-before-plan", "scope", (place, *plan.dated()), params)


def _end(period: str) -> datetime.date:
    """Return the first day after a period such as 2024, 2024-05, 2024-Q2 or 2024-05-31."""
    year = int(period[:4])
    if len(period) == 4:
        return datetime.date(year + 1, 1, 1)
    if "Q" in period:
        month = int(period[-1]) * 3
    else:
        month = int(period[5:7])
        if len(period) > 7:
            day = min(int(period[8:10]), calendar.monthrange(year, month)[1])
            return datetime.date(year, month, day) + datetime.timedelta(days=1)
    return datetime.date(year + month // 12, month % 12 + 1, 1)


def _beyond(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """Targets that the plan states for the province or the nation."""
    for statement in linking.statements(plan):
        place = statement.quantity.place if statement.quantity else None
        if place in ("全省", "全国") and not (plan.outline.city and plan.outline.city[1] == "省"):
            yield _finding(plan, "beyond-place", "scope", statement, place=place, task=statement.number or "—")


_LIST = re.compile(
    r"((?:[\u4e00-\u9fff]{2,8}[,、]){2,}[\u4e00-\u9fff]{2,8})等[\u4e00-\u9fff]{0,6}?(行业|领域|工程|行动)"
)


def _counts(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    """A count of kinds (七大重点行业) beside a list of the same kind with another number of entries."""
    for task in plan.tasks:
        for passage in task.passages:
            for said in re.finditer(r"([二两三四五六七八九十\d]{1,2})大(?:重点)?(行业|领域|工程|行动)", passage.folded):
                count = chinese_number(said[1])
                for match in _LIST.finditer(passage.folded):
                    listed = re.split("[对在:]|聚焦|围绕|包括", match[1])[-1]
                    entries = re.split("[,、]", listed)
                    if match[2] != said[2] or count is None or len(entries) == count:
                        continue
                    label = {"kind": "task", "number": task.number}
                    places = (passage.where(*said.span()) | label, passage.where(*match.span()) | label)
                    params = {
                        "task": task.number,
                        "a": said[0],
                        "b": match[0][match[1].rfind(listed) :],
                        "count": len(entries),
                    }
                    yield Finding("count-differs", "scope", places, params)


def _numbering(plan: Plan, links: list[Link]) -> Iterator[Finding]:
    series = (("任务", plan.tasks), ("政策", plan.policies), ("指标", plan.indicators))
    for what, entries in series:
        numbers = [entry.number for entry in entries]
        gaps = [f"{a}→{b}" for a, b in itertools.pairwise(numbers) if b != a + 1]
        if numbers and (gaps or numbers[0] != 1):
            first = entries[0]
            passage = first.passages[0] if isinstance(first, Task) else first.passage
            shown = "、".join(gaps) or str(numbers[0])
            yield Finding("numbering", "scope", (passage.where(0, 60),), {"what": what, "numbers": shown})
