"""A finding about a plan: which rule, of what class, where, and what to say."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CLASSES = ("contradiction", "probable stock-flow", "scope", "consistent")


@dataclass(frozen=True)
class Finding:
    """One observation about the plan. `kind` is its class:

    contradiction: two statements that read alike cannot both hold; probable stock-flow: a stock beside a year's
    flow; scope: the statements cover different things, or one place lacks what another has, so somebody must say
    what is meant; consistent: written differently, and in agreement.
    """

    rule: str
    kind: str
    places: tuple[dict[str, Any], ...]
    params: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for JSON, with its message in Chinese and English."""
        zh, en = _texts()[self.rule]
        return {
            "rule": self.rule,
            "class": self.kind,
            "message": zh.format_map(self.params),
            "message_en": en.format_map(self.params),
            "places": list(self.places),
        } | {name: self.params[name] for name in ("values", "candidates") if name in self.params}


@cache
def _texts() -> dict[str, tuple[str, str]]:
    path = Path(__file__).with_name("findings.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["rule"]: (row["message_zh"], row["message_en"]) for row in csv.DictReader(lines)}
