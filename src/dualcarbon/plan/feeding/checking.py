"""What is told about a plan's lines, checked against what is known: pure, every problem at once.

Counts are lists of names, savings are sums of projects, steps are steps: their value is computed from the list, never
taken from the form. A changed figure is a correction and needs a reason; a stage never goes back.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dualcarbon.core.problems import Problem
from dualcarbon.plan import words
from dualcarbon.plan.progress import limits
from dualcarbon.plan.reads import due
from dualcarbon.plan.tables import STAGES

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """One line of a submission, its cells as they were written; `row` counts from 1 as the sheet shows it."""

    line: str
    month: int
    value: Any = None
    stage: Any = None
    progress: Any = None
    text: str | None = None
    remark: str | None = None
    reason: str | None = None
    file: str | None = None
    sheet: str | None = None
    row: int | None = None


@dataclass(frozen=True)
class Listed:
    """One name, project or reached step of a submission; `month` is when it was finished (0: before the year)."""

    line: str
    name: Any
    month: Any = None
    mark: Any = None
    site: Any = None
    amount: Any = None
    paper: Any = None
    action: Any = None
    reason: str | None = None
    file: str | None = None
    sheet: str | None = None
    row: int | None = None


@dataclass
class Known:
    """What stands before a submission. `mine`: the lines the department may tell about, None for all."""

    year: int
    day: date
    indicators: Mapping[str, Row]
    tasks: Mapping[str, Row]
    # The report that counts, else the last that was returned; `latest`: the number of the last one, `answering`: it was
    # returned, so that the next one is its answer.
    reports: Mapping[tuple[str, int], Row]
    open: dict[str, dict[str, Row]]  # line -> key -> entry that stands
    steps: Mapping[str, Sequence[Row]]
    mine: frozenset[str] | None = None


class Lists:
    """The lists that stand, by line and key, while a submission is checked; the marked ones also by their names."""

    def __init__(self, standing: Mapping[str, Mapping[str, Row]]) -> None:
        self.rows: dict[str, dict[str, Row]] = {line: dict(own) for line, own in standing.items()}
        self._named: dict[str, dict[str, dict[str, Row]]] = {}

    def of(self, line: str) -> dict[str, Row]:
        return self.rows.setdefault(line, {})

    def add(self, line: str, key: str, row: Row) -> None:
        named = self._names(line)
        self.of(line)[key] = row
        if row["mark"]:
            named.setdefault(words.key(row["name"]), {})[key] = row

    def strike(self, line: str, key: str) -> Row | None:
        named = self._names(line)
        row = self.of(line).pop(key, None)
        if row is not None:
            named.get(words.key(row["name"]), {}).pop(key, None)
        return row

    def marked(self, line: str, name: str) -> Row | None:
        """Return the first row of a name that carries a mark."""
        return next(iter(self._names(line).get(words.key(name), {}).values()), None)

    def _names(self, line: str) -> dict[str, dict[str, Row]]:
        if line not in self._named:
            own = self._named[line] = {}
            for key, row in self.of(line).items():
                if row["mark"]:
                    own.setdefault(words.key(row["name"]), {})[key] = row
        return self._named[line]


@dataclass
class Checked:
    """What a submission comes to: rows to keep, how many rows say nothing new, and every problem."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


def check(known: Known, told: Sequence[Told], listed: Sequence[Listed], month: int) -> Checked:
    """Return what `told` and `listed` of the month come to. Nothing is kept when there is any problem."""
    found = Checked()
    standing = Lists(known.open)
    touched: set[str] = set()
    for one in listed:
        _list(known, standing, one, month, found)
        touched.add(one.line)
    said = {one.line for one in told}
    together = frozenset((one.line, one.month) for one in told)
    silent = [
        Told(line, month)
        for line in sorted(touched - said)
        if line in known.indicators
        and (known.mine is None or line in known.mine)
        and not (known.indicators[line]["frequency"] == "quarter" and month % 3)
    ]
    for each in [*told, *silent]:
        if each.line in known.indicators:
            _figure(known, standing.rows, each, each.line in touched, found, together)
        elif each.line in known.tasks:
            _task(known, each, found)
        else:
            found.problems.append(_problem("unknown-line", each, "line", each.line))
    if not found.problems:
        for line in sorted(touched):
            recounted(known, standing.rows, line, month, found, "名单有更新，重新清点")
    return found


def recounted(
    known: Known, standing: Mapping[str, Mapping[str, Row]], line: str, month: int, found: Checked, reason: str
) -> None:
    """Add a report for each month after `month` whose value the lists or steps now give otherwise than was told."""
    indicator, told = known.indicators[line], {row["month"] for row in found.reports if row["line"] == line}
    for (other, later), last in sorted(known.reports.items()):
        if other != line or later <= month or later in told or not last["counts"] or last["value"] is None:
            continue
        value = counted(indicator, standing.get(line, {}), known.steps.get(line, ()), later)
        if abs(value - last["value"]) <= 1e-9 * max(1.0, abs(value)):
            continue
        kept = {"value": value, "stage": last["stage"], "progress": None, "text": last["text"], "remark": None}
        if last["status"] == "synthetic":
            kept["status"] = "synthetic"  # what demonstration names give stays labelled
        found.reports.append({"line": line, "month": later, **kept, "reason": reason, "corrects": last["latest"]})


def _problem(rule: str, one: Told | Listed, field: str | None, value: Any = None, /, **params: Any) -> Problem:
    column = words.HEADINGS.get(field, field) if field else None
    # A spreadsheet keeps 13 as 13.0; a person is told what they wrote.
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    return Problem(f"plan.{rule}", one.file, one.sheet, one.row, column, value, {"line": one.line, **params})


def _allowed(known: Known, one: Told | Listed, found: Checked) -> bool:
    if known.mine is not None and one.line not in known.mine:
        found.problems.append(_problem("not-yours", one, "line", one.line))
        return False
    return True


def _list(known: Known, standing: Lists, one: Listed, month: int, found: Checked) -> None:
    """Check one row of a list and put it into `standing` and `found`."""
    indicator = known.indicators.get(one.line)
    if indicator is None:
        found.problems.append(_problem("unknown-line", one, "line", one.line))
        return
    if not _allowed(known, one, found):
        return
    before, basis = len(found.problems), indicator["basis"]
    name = str(one.name).strip() if one.name is not None else ""
    if basis == "figure":
        found.problems.append(_problem("no-list", one, "line", one.line, name=indicator["name"]))
        return
    if not name:
        found.problems.append(_problem("name-missing", one, "entry"))
        return
    action = "add" if one.action in (None, "") else words.meaning(one.action, words.ACTION_WORDS)
    if action is None:
        found.problems.append(_problem("unknown-action", one, "action", one.action))
        return
    mark, site = (str(cell).strip() if cell not in (None, "") else None for cell in (one.mark, one.site))
    key, step = words.key({"projects": site or name}.get(basis, mark or name)), None
    if basis == "milestones":
        step = _step(known.steps.get(one.line, ()), name)
        if step is None:
            found.problems.append(_problem("no-step", one, "step", name))
            return
        key, name = f"STEP:{words.key(step['title'])}", step["title"]
    own = standing.of(one.line)
    if action == "strike":
        row = standing.strike(one.line, key)
        if row is None:
            found.problems.append(_problem("not-listed", one, "entry", name))
        if not one.reason:
            found.problems.append(_problem("needs-reason", one, "reason", name))
        if row is not None and one.reason:
            kept = {n: row[n] for n in ("name", "mark", "site", "amount", "month", "paper")}
            found.entries.append({**kept, "line": one.line, "action": "strike", "key": key, "reason": one.reason})
        return
    when = _month(known, one, indicator, month, found)
    amount = _amount(one, basis, found)
    if len(found.problems) > before:
        return
    paper = str(one.paper).strip() if one.paper not in (None, "") else None
    row = {"name": name, "mark": mark, "site": site, "amount": amount, "month": when, "paper": paper}
    twin = own.get(key) or (_twin(standing, one.line, name, mark) if basis == "names" else None)
    if twin is not None:
        if all(twin[n] == row[n] for n in ("name", "mark", "site", "amount", "month")):
            found.unchanged += 1
        else:
            rule = "site-twice" if basis == "projects" and site else "name-twice"
            where = f"第 {twin['_row']} 行" if twin.get("_row") else f"{twin['month']} 月“{twin['name']}”"
            english = f"row {twin['_row']}" if twin.get("_row") else f"“{twin['name']}” of month {twin['month']}"
            value = site if rule == "site-twice" else mark or name
            said = {"where": {"zh": where, "en": english}}
            found.problems.append(_problem(rule, one, "site" if rule == "site-twice" else "entry", value, **said))
        return
    other = _elsewhere(known, standing.rows, one.line, key) if basis == "projects" and site and not one.reason else None
    if other is not None:
        found.problems.append(_problem("site-twice", one, "site", site, where={"zh": other, "en": other}))
        return
    standing.add(one.line, key, {**row, "_row": one.row})
    found.entries.append({**row, "line": one.line, "action": "add", "key": key, "reason": one.reason})


def _step(steps: Sequence[Row], name: str) -> Row | None:
    wanted = words.key(name)
    return next((one for one in steps if wanted in (words.key(one["title"]), str(one["position"]))), None)


def _twin(standing: Lists, line: str, name: str, mark: str | None) -> Row | None:
    """Return a row of the same name when one of the two has no mark to tell them apart."""
    if mark:
        bare = standing.of(line).get(words.key(name))
        return bare if bare is not None and not bare["mark"] else None
    return standing.marked(line, name)


def _elsewhere(known: Known, standing: Mapping[str, Mapping[str, Row]], line: str, key: str) -> str | None:
    """Return another savings ledger of the plan in which the same site stands: one site counts once."""
    unit = known.indicators[line]["unit"]
    for other, own in standing.items():
        indicator = known.indicators.get(other)
        saved = indicator is not None and indicator["basis"] == "projects" and indicator["unit"] == unit
        if other != line and saved and indicator and "tce" in unit and key in own and own[key]["site"]:
            return str(indicator["name"])
    return None


def _month(known: Known, one: Listed, indicator: Row, month: int, found: Checked) -> int:
    try:
        year, when = words.dated(one.month)
    except ValueError:
        found.problems.append(_problem("not-a-month", one, "month", one.month))
        return month
    if year is not None and year < known.year and indicator["figure"] == "cumulative":
        return 0  # a stock had it before the year
    if year not in (None, known.year):
        found.problems.append(_problem("other-year", one, "month", str(one.month), year=known.year))
        return month
    when = month if when is None else when
    if not (0 if indicator["figure"] == "cumulative" else 1) <= when <= 12:
        found.problems.append(_problem("not-a-month", one, "month", one.month))
    elif when > month:
        found.problems.append(_problem("future", one, "month", one.month, month=month))
    return when


def _amount(one: Listed, basis: str, found: Checked) -> float | None:
    if basis != "projects":
        return None
    try:
        amount = words.number(one.amount)
    except ValueError:
        found.problems.append(_problem("not-a-number", one, "amount", one.amount))
        return None
    if amount is None or amount <= 0:
        found.problems.append(_problem("amount-missing", one, "amount", one.amount))
    return amount


def counted(indicator: Row, own: Mapping[str, Row], steps: Sequence[Row], month: int) -> float:
    """Return the value that a list gives at the end of a month: names counted, amounts or weights summed."""
    there = [row for row in own.values() if row["month"] <= month]
    if indicator["basis"] == "projects":
        return round(float(sum(row["amount"] for row in there)), 9)
    if indicator["basis"] == "milestones":
        reached = {words.key(row["name"]) for row in there}
        total = sum(step["weight"] for step in steps)
        return sum(step["weight"] for step in steps if words.key(step["title"]) in reached) / total if total else 0.0
    return float(len(there))


def _figure(
    known: Known,
    standing: Mapping[str, Mapping[str, Row]],
    one: Told,
    touched: bool,
    found: Checked,
    together: Container[tuple[str, int]],
) -> None:
    indicator = known.indicators[one.line]
    if not _allowed(known, one, found):
        return
    before, value = len(found.problems), None
    try:
        value = words.number(one.value)
    except ValueError:
        found.problems.append(_problem("not-a-number", one, "value", one.value, name=indicator["name"]))
    stage = "flash" if one.stage in (None, "") else words.meaning(one.stage, words.STAGE_WORDS)
    if stage is None:
        found.problems.append(_problem("unknown-stage", one, "stage", one.stage))
    if len(found.problems) > before:
        return
    if value is None and not touched and not one.text and not one.reason and one.stage in (None, ""):
        return
    listed = indicator["basis"] != "figure"
    if listed:
        own, steps = standing.get(one.line, {}), known.steps.get(one.line, ())
        if indicator["basis"] == "milestones" and not steps and value is not None:
            found.problems.append(_problem("no-steps", one, "value", one.value, name=indicator["name"]))
        listing = counted(indicator, own, steps, one.month)
        if value is not None and abs(value - listing) > 1e-9 * max(1.0, abs(listing)):
            rule = "names-needed" if not own else "value-not-the-list"
            found.problems.append(
                _problem(rule, one, "value", one.value, name=indicator["name"], listing=f"{listing:g}")
            )
        value = listing
    elif value is None:
        found.problems.append(_problem("value-missing", one, "value", name=indicator["name"]))
    _time(known, one, indicator["frequency"], found)
    if len(found.problems) > before or value is None or stage is None:
        return
    if not listed:
        found.problems += _plausible(known, one, indicator, value)
        found.problems += _overtaken(known, one, indicator, value, together)
    last = known.reports.get((one.line, one.month))
    row = {"line": one.line, "month": one.month, "value": value, "stage": stage, "progress": None}
    _keep(one, row, last, found, before, listed)


def _plausible(known: Known, one: Told, indicator: Row, value: float) -> list[Problem]:
    """Return what speaks against a figure: its range, a fall of what adds up, a slip of ten thousand."""
    figure, name = indicator["figure"], indicator["name"]
    problems = []
    if value < 0 and figure != "change":
        problems.append(_problem("negative", one, "value", one.value, name=name))
    if indicator["unit"] == "%" and abs(value) > 100 and figure in ("level", "change"):
        problems.append(_problem("share-over", one, "value", one.value, name=name))
    target = indicator["value"]
    if target and not one.reason and figure != "change" and abs(value) > limits()["unit_slip"] * abs(target):
        said = {"target": f"{target:g}", "unit": indicator["unit"]}
        problems.append(_problem("unit-slip", one, "value", one.value, name=name, **said))
    if figure == "flow" and not one.reason:
        for month in range(one.month - 1, 0, -1):
            earlier = known.reports.get((one.line, month))
            if earlier is not None and earlier["counts"] and earlier["value"] is not None:
                if value < earlier["value"] - 1e-9 * abs(earlier["value"]):
                    said = {"month": month, "earlier": f"{earlier['value']:g}", "name": name}
                    problems.append(_problem("falling", one, "value", one.value, **said))
                break
    return problems


def _overtaken(
    known: Known, one: Told, indicator: Row, value: float, together: Container[tuple[str, int]]
) -> list[Problem]:
    """Return that a sum is raised above what a later month tells, unless that is told too or was lower for a reason."""
    if indicator["figure"] != "flow":
        return []
    for month in range(one.month + 1, 13):
        later = known.reports.get((one.line, month))
        if later is None or not later["counts"] or later["value"] is None:
            continue
        if value <= later["value"] + 1e-9 * abs(later["value"]) or later["reason"] or (one.line, month) in together:
            return []
        said = {"month": month, "later": f"{later['value']:g}", "name": indicator["name"]}
        return [_problem("rising", one, "value", one.value, **said)]
    return []


def _time(known: Known, one: Told, frequency: str, found: Checked) -> None:
    if not 1 <= one.month <= 12:
        found.problems.append(_problem("not-a-month", one, "month", one.month))
    elif frequency == "quarter" and one.month % 3:
        found.problems.append(_problem("not-quarter-end", one, "month", one.month))
    elif due(known.year, one.month, 1) > known.day:
        found.problems.append(_problem("future", one, "month", one.month, month=known.day.isoformat()))


def _task(known: Known, one: Told, found: Checked) -> None:
    if not _allowed(known, one, found):
        return
    before = len(found.problems)
    if one.value not in (None, ""):
        found.problems.append(_problem("task-has-no-value", one, "value", one.value))
    if one.progress in (None, ""):
        if one.text:
            found.problems.append(_problem("progress-missing", one, "progress"))
        return
    progress = words.meaning(one.progress, words.PROGRESS_WORDS)
    if progress is None:
        found.problems.append(_problem("unknown-progress", one, "progress", one.progress))
    if progress in ("finished", "blocked") and not one.text:
        found.problems.append(_problem("text-missing", one, "text"))
    _time(known, one, "month", found)
    if len(found.problems) == before:
        row = {"line": one.line, "month": one.month, "value": None, "stage": "flash", "progress": progress}
        _keep(one, row, known.reports.get((one.line, one.month)), found, before)


def _keep(one: Told, row: dict[str, Any], last: Row | None, found: Checked, before: int, listed: bool = False) -> None:
    """Add a row unless it says nothing new; a changed one is a correction with a reason.

    A count that changed because names were added is none: what was struck has its own reason (`listed`).
    """
    if last is not None:
        same = all(last[name] == row[name] for name in ("value", "stage", "progress"))
        if last["counts"] and not last["answering"] and same and (one.text or None) in (None, last["text"]):
            found.unchanged += 1
            return
        if last["counts"] and STAGES.index(row["stage"]) < STAGES.index(last["stage"]):
            zh, en = words.STAGE_WORDS[last["stage"]]
            found.problems.append(_problem("stage-falls", one, "stage", one.stage, last={"zh": zh, "en": en}))
        changed = last["value"] != row["value"] or last["progress"] != row["progress"]
        corrects = last["counts"] and not last["answering"] and not listed and row["stage"] == last["stage"]
        if corrects and changed and not one.reason and row["progress"] is not None:
            zh, en = words.PROGRESS_WORDS[last["progress"]]
            found.problems.append(_problem("correction", one, "reason", one.progress, earlier={"zh": zh, "en": en}))
        elif corrects and changed and not one.reason:
            listing = {"earlier": f"{last['value']:g}" if last["value"] is not None else "—"}
            found.problems.append(_problem("correction", one, "reason", one.value, **listing))
    if len(found.problems) > before:
        return
    kept = {"text": one.text or None, "remark": one.remark or None, "reason": one.reason or None}
    found.reports.append({**row, **kept, "corrects": last["latest"] if last else None})
