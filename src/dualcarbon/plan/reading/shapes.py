"""The shapes of a plan that was read: tasks, policies and indicators, each with where the document says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from dualcarbon.plan.reading import outline, targets
from dualcarbon.plan.reading.departments import Department, Registry
from dualcarbon.plan.reading.document import Passage
from dualcarbon.plan.reading.quantities import Quantity


@dataclass
class Part:
    """A stretch of a task's text with the departments that its bracket names."""

    number: int
    text: str
    people: list[Department]


@dataclass
class Task:
    """One task: as the prose has it, as the list has it, or both."""

    number: int
    domain: str | None
    title: str
    prose: list[Passage] = field(default_factory=list)
    listed: Passage | None = None
    departments: list[Department] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    quantities: list[Quantity] = field(default_factory=list)
    listed_quantities: list[Quantity] = field(default_factory=list)
    column: Passage | None = None
    due: str | None = None
    more: list[Passage] = field(default_factory=list)  # further columns of the list: measures, aims

    @property
    def passages(self) -> list[Passage]:
        return self.prose or ([self.listed] if self.listed else [])

    @property
    def text(self) -> str:
        shown = self.passages if self.prose else [*self.passages, *self.more]
        whole = "\n".join(p.simple.strip() for p in shown)
        return re.sub(rf"^[(（]?{self.number}(?:[.、．)）]+|\s)\s*(?!\d)", "", whole)


@dataclass
class Policy:
    """A document that is to be issued, when and by whom."""

    number: int
    title: str
    due: str | None
    drafters: list[Department]
    passage: Passage
    due_passage: Passage | None = None
    column: Passage | None = None


@dataclass
class Indicator:
    """A figure to be reached by the year's end."""

    number: int
    name: str
    unit: str
    target: targets.Target
    lead: list[Department]
    passage: Passage
    value_passage: Passage | None = None
    column: Passage | None = None
    inherited: bool = False
    domain: str | None = None
    nature: str | None = None
    other: dict[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """A plan as read, before it is checked."""

    file: str
    format: str
    outline: outline.Outline
    tasks: list[Task]
    policies: list[Policy]
    indicators: list[Indicator]
    domains: list[str]
    headline: list[Quantity]
    unread: list[dict[str, Any]]
    lines: list[str] | None = None  # of a text file, for quoting rows that lost their frame

    @property
    def year(self) -> int | None:
        return self.outline.year

    @property
    def registry(self) -> Registry:
        return self.outline.listed

    def quote_row(self, first: Passage, last: Passage | None) -> dict[str, Any]:
        """Return the place of a table row, quoted from its cell `first` to its cell `last`."""
        if last is None or last is first:
            return first.where()
        if self.lines is not None:
            low, high = sorted((first.paragraph, last.paragraph))
            if high - low < 12:
                return first.where() | {"quote": "\n".join(self.lines[low - 1 : high]).strip(" |｜│\t")}
        between = [first.raw.strip(), last.raw.strip()]
        return first.where() | {"quote": " | ".join(between)}

    def dated(self) -> tuple[dict[str, Any], ...]:
        """Return the place where the plan gives its own date."""
        passage = self.outline.dated
        return (passage.where() | {"kind": "date"},) if passage else ()
