"""A synthetic year of reports for a plan: every value labelled `synthetic`, drawn from a seed, none of it real.

The year has what real years have: figures told late, typed wrong and returned, corrected afterwards with a reason,
names struck from lists, targets missed and one indicator nobody reports. It goes through the same doors as real
reports, so that what is refused there is refused here. What the platform computes from the workspace's own account is
taken from there, with the status of its data, and not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import follow, reads, shipping
from dualcarbon.plan.feeding import feeds, judging, telling, ways
from dualcarbon.plan.feeding.checking import Listed, Told
from dualcarbon.plan.store import ZONE, Asked, document

SLIP = "演示：小数点错位"
REVIEWER, PERSON = "演示审核员", "演示填报员"
#: So long after a report is due its last month comes into the account; what is computed from it is late by that much.
COUNTED = timedelta(days=15)
STEPS = (("方案编制", 3), ("数据收集核算", 6), ("初步核算结果", 9), ("省级通报", 12))
_NAMES = {"辆": "演示车辆", "艘": "演示船舶", "张": "演示证书", "项": "演示项目", "家": "演示企业", "座": "演示站点"}


@dataclass(frozen=True)
class Happening:
    """One submission of the year: who tells what about which month, on which day; `line`: what the platform computes
    for that line."""

    day: date
    month: int
    department: str
    told: tuple[Told, ...] = ()
    listed: tuple[Listed, ...] = ()
    line: str | None = None


def fill(
    workspace: Workspace,
    plan: str | None = None,
    *,
    seed: int = 2024,
    until: int = 12,
    progress: Callable[[float], object] = lambda share: None,
) -> dict[str, Any]:
    """Tell a synthetic year about a plan without reports. Returns counts `{plan, batches, reports, entries, late,
    returned, corrected, struck, confirmed, seed, status}`; `until`: the last month told; `progress` hears the share.

    Raises Refused `plan.has-reports` when anything was told about the plan already.
    """
    from dualcarbon.core.problems import Problem, Refused

    head = document(workspace, plan)
    name, year = str(head["plan"]), int(head["year"])
    if not reads.reports(workspace, name).is_empty():
        raise Refused(Problem("plan.has-reports", value=name))
    indicators = reads.indicators(workspace, name).to_dicts()
    _prepare(workspace, name, year, indicators)
    day = reads.deadline_day(workspace, head)
    last = date(year + 1, 4, 20) if until == 12 else reads.due(year, until, day) - timedelta(days=2)
    again = last - timedelta(days=10)
    computed = {
        one["line"]
        for feed in feeds.settings(*shipping.of(workspace, head))["feeds"]
        if feed["use"] == "report"
        for one in feeds.figures(workspace, head, until, again, feed["line"])
        if one["value"] is not None
    }
    random = np.random.default_rng(seed)
    events: list[Happening] = []
    summed = [row["line"] for row in indicators if row["basis"] == "figure" and row["figure"] == "flow"]
    for i, indicator in enumerate(indicators):
        n = summed.index(indicator["line"]) if indicator["line"] in summed else 0
        fault = "wrong" if n % 4 == 1 else "revised" if n % 4 == 2 else None
        drawn = _line(i, indicator, year, until, day, random, fault)
        events += drawn if indicator["line"] not in computed else ()
    events += _tasks(workspace, name, year, until, day)
    pulls = _computed(computed, year, until, day, again)
    events = sorted((*_together(events), *pulls), key=lambda one: one.day)
    waiting: list[tuple[date, int, bool]] = []
    heard: set[int] = set()
    for done, event in enumerate(events, 1):
        waiting = _judge(workspace, head, event.day - timedelta(days=5), waiting)
        if event.line is not None:
            told = feeds.pull(workspace, name, event.month, at=event.day, line=event.line)["told"]
        else:
            told = telling.tell(
                workspace, name, event.month, event.told, event.listed, department=event.department, person=PERSON,
                at=event.day, feed="demo", status="synthetic",
            )["reports"]  # fmt: skip
        slips = {one.line for one in event.told if one.remark == SLIP}
        told = [row for row in told if row["number"] not in heard]  # a figure that stands is not told again
        heard |= {row["number"] for row in told}
        waiting += [(event.day, row["number"], row["line"] in slips) for row in told]
        progress(done / len(events))
    waiting = _judge(workspace, head, last, waiting)
    confirmed = _confirm(workspace, head, last) if until == 12 else 0
    reports = reads.reports(workspace, name)
    entries = reads.entries(workspace, name)
    return {
        "plan": name, "batches": done, "reports": reports.height, "entries": entries.height,
        "late": int(reports["late"].sum()), "returned": int((reports["state"] == "returned").sum()),
        "corrected": int(reports["corrects"].is_not_null().sum()),
        "struck": int(entries["struck"].is_not_null().sum()),
        "confirmed": confirmed, "seed": seed, "status": "synthetic",
    }  # fmt: skip


def _computed(lines: Collection[str], year: int, until: int, day: int, again: date) -> Iterator[Happening]:
    """Return when the platform's figures of these lines are taken: once a quarter is counted, and on the day `again`
    the last with what was corrected since."""
    for line in sorted(lines):
        for month in range(3, until + 1, 3):
            days = [reads.due(year, month, day) + COUNTED, *([again] if month == until else [])]
            yield from (Happening(one, month, feeds.PLATFORM, line=line) for one in days if one <= again)


def _prepare(workspace: Workspace, plan: str, year: int, indicators: Sequence[Mapping[str, Any]]) -> None:
    """Set synthetic openings of stocks and the steps of targets without a figure."""
    first = min(date(year, 1, 5), datetime.now(ZONE).date())
    for row in indicators:
        if row["figure"] == "cumulative" and row["value"] is not None:
            opening = float(np.floor(row["value"] * 0.6))
            ways.set_path(workspace, plan, row["line"], opening=opening, reason="演示数据", at=first)
        elif row["figure"] == "milestones":
            steps = [{"title": title, "month": month} for title, month in STEPS]
            ways.set_steps(workspace, plan, row["line"], steps, reason="演示数据", at=first)


def _share(month: int) -> float:
    """How much of a year's work is done by the end of a month: slow in spring, busy in autumn."""
    return float((month / 12) ** 1.02)


def _fate(i: int) -> float:
    """How much of its target an indicator reaches: most a little more, some less."""
    return 0.65 if i % 19 == 10 else 0.9 if i % 9 == 4 else 1.0 + 0.01 * (i % 8)


def _line(
    i: int,
    indicator: Mapping[str, Any],
    year: int,
    until: int,
    day: int,
    random: np.random.Generator,
    fault: str | None,
) -> list[Happening]:
    """Return the submissions of one indicator; `fault`: `wrong` (returned, told again) or `revised` (with a reason)."""
    if i % 28 == 16 or not indicator["lead"]:
        return []
    every = 3 if indicator["frequency"] == "quarter" else 1
    line, who, found, before = indicator["line"], indicator["lead"][0], [], 0
    for month in range(every, until + 1, every):
        due = reads.due(year, month, day)
        late = i % 7 == 3 and month % 4 in (0, 1)
        at = due + timedelta(days=3 + (i * month) % 12) if late else due - timedelta(days=1 + len(who) % 4)
        if indicator["basis"] != "figure":
            listed = tuple(_listed(i, indicator, month, every, before))
            before = month
            if listed:
                found.append(Happening(at, month, who, (), listed))
            continue
        value = _value(i, indicator, month, random)
        event = Happening(at, month, who, (Told(line, month, value),))
        if fault == "wrong" and month == 6:
            slip = replace(event.told[0], value=round(value * 10, 4), reason="演示：误填", remark=SLIP)
            found += [replace(event, told=(slip,)), replace(event, day=at + timedelta(days=9))]
        elif fault == "revised" and month == 6:
            low = replace(event.told[0], value=round(value * 0.96, 4))
            right = replace(event.told[0], reason="演示：补报一个县的数")
            found += [replace(event, told=(low,)), replace(event, day=at + timedelta(days=40), told=(right,))]
        else:
            found.append(event)
        if month == 12 and indicator["settles"] == "province":
            for stage, days in (("preliminary", 45), ("approved", 90)):
                settled = Told(line, month, round(value * (0.995 if stage == "approved" else 1.0), 4), stage)
                found.append(Happening(at + timedelta(days=days), month, who, (settled,)))
    return found


def _value(i: int, indicator: Mapping[str, Any], month: int, random: np.random.Generator) -> float:
    """Return a synthetic figure at the end of a month."""
    target, share = float(indicator["value"]), _share(month)
    noise = float(random.uniform(-0.004, 0.004))
    if indicator["figure"] == "flow":
        return round(target * _fate(i) * share * (1 + noise), 4)
    if indicator["figure"] == "cumulative":
        opening = float(np.floor(target * 0.6))
        return round(opening + (target * _fate(i) - opening) * share, 4)
    if indicator["figure"] == "change":
        return round(target * (0.85 + 0.2 * share if _fate(i) >= 1 else 0.9) + 10 * noise, 2)
    missed = _fate(i) < 1
    if indicator["better"] == "lower":
        return round(target * (1.12 - (0.08 if missed else 0.15) * share + noise), 2)
    return round(min(target * (0.95 + (0.03 if missed else 0.06) * share + noise), 99.9), 2)


def _listed(i: int, indicator: Mapping[str, Any], month: int, every: int, before: int) -> Iterator[Listed]:
    """Return the names, projects or steps of the months since the last submission."""
    line = indicator["line"]
    if indicator["basis"] == "milestones":
        yield from (Listed(line, title, due) for title, due in STEPS if before < due <= month and due < 12)
        return
    target, fate = float(indicator["value"]), _fate(i)
    opening = float(np.floor(target * 0.6)) if indicator["figure"] == "cumulative" else 0.0
    name = _NAMES.get(indicator["unit"], "演示对象")
    if indicator["basis"] == "projects":
        for m in range(before + 1, month + 1):
            grown = target * fate * (_share(m) - _share(m - 1))
            yield Listed(line, f"演示项目{line}-{m:02d}", m, site=f"演示厂址{line}-{m:02d}", amount=round(grown, 4))
        return
    if opening and before == 0:
        yield from (Listed(line, f"{name}{line}-往年{n:04d}", 0) for n in range(1, int(opening) + 1))
    reach = [opening + (target * fate - opening) * _share(m) for m in range(before, month + 1)]
    counts = [int(opening if m == before == 0 else np.floor(r + 1e-9)) for m, r in enumerate(reach, before)]
    for step, (low, high) in enumerate(pairwise(counts), before + 1):
        yield from (Listed(line, f"{name}{line}-{n:04d}", step) for n in range(low + 1, high + 1))
    if i % 13 == 8 and month >= 9 > month - every and counts[0] > opening:
        struck = f"{name}{line}-{int(opening) + 1:04d}"
        yield Listed(line, struck, action="撤销", reason="演示：验收后被撤销认定")


def _tasks(workspace: Workspace, plan: str, year: int, until: int, day: int) -> list[Happening]:
    """Return the progress of tasks by quarter and of policy documents in their month."""
    found = []
    for row in follow.task_status(workspace, plan, date(year, 1, 1)):
        who = (row["lead"] or row["joint"] or [None])[0]
        if who is None:
            continue
        n = int(row["number"])
        if row["kind"] == "policy":
            due = str(row["due"] or "")
            month = int(due[5:7]) if len(due) >= 7 else 12
            month += 2 if n % 5 == 4 else 0
            if month <= min(until, 12):
                told = Told(row["line"], month, progress="已完成", text="演示：文件已印发")
                found.append(Happening(reads.due(year, month, day) - timedelta(days=2), month, who, (told,)))
            continue
        for month in range(3, until + 1, 3):
            word = "已完成" if month == 12 and n % 4 else "受阻" if n % 9 == 8 and month == 6 else "推进中"
            told = Told(row["line"], month, progress=word, text=f"演示：{month} 月进展")
            found.append(Happening(reads.due(year, month, day) - timedelta(days=1 + n % 4), month, who, (told,)))
    return found


def _together(events: Sequence[Happening]) -> Iterator[Happening]:
    """Return the submissions in the order of their days, those of one department, month and day as one."""
    grouped: dict[tuple[date, int, str], list[Happening]] = {}
    for event in events:
        grouped.setdefault((event.day, event.month, event.department), []).append(event)
    for key in sorted(grouped):
        own = grouped[key]
        told = tuple(one for event in own for one in event.told)
        listed = tuple(one for event in own for one in event.listed)
        if told or listed:
            yield Happening(*key, told, listed)


def _judge(
    workspace: Workspace, plan: Asked, day: date, waiting: list[tuple[date, int, bool]]
) -> list[tuple[date, int, bool]]:
    """Let the reviewer decide on what arrived by `day`: slips go back, the others are accepted. Returns the rest."""
    ready = [one for one in waiting if one[0] <= day]
    for back in (True, False):
        numbers = [number for _, number, slip in ready if slip == back]
        if numbers:
            at = max(told for told, _, slip in ready if slip == back) + timedelta(days=2)
            reason = "演示：与上月相比异常，请核对小数点" if back else None
            decision = "returned" if back else "accepted"
            judging.review(workspace, plan, numbers, decision, person=REVIEWER, reason=reason, at=at)
    return [one for one in waiting if one[0] > day]


def _confirm(workspace: Workspace, plan: Asked, at: date) -> int:
    """Let lead units confirm what is reached, most of it. Returns how many lines were confirmed."""
    count = 0
    rows: list[Mapping[str, Any]] = [row for row in follow.status(workspace, plan, month=12) if row["met"]]
    rows += [row for row in follow.task_status(workspace, plan) if row["reported"] == "finished"]
    for i, row in enumerate(rows):
        if i % 10 == 9 or not row["lead"] or row["review"] != "accepted":
            continue
        if row.get("settles") == "province" and row["stage"] != "approved":
            continue
        if "figure" in row and follow.early(row, row["reported"]):
            continue
        paper = f"演示确认〔{at.year}〕{i + 1}号"
        judging.confirm(workspace, plan, row["line"], row["lead"][0], person=PERSON, paper=paper, at=at)
        count += 1
    return count
