"""What is wrong with a piece of data, said so that the person who sent it can put it right."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Problem:
    """One rule that one cell, row or file breaks.

    `rule` is `ROOM.NAME`; the texts stand in `problems.csv` of the package ROOM.
    `row` is counted from 1, as the spreadsheet shows it; `params` fill the texts;
    one that is a mapping holds a text for each language.
    """

    rule: str
    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self, lang: str = "zh") -> dict[str, Any]:
        """Return `{file, sheet, row, column, value, rule, message, remedy}` in `lang` (`zh` or `en`)."""
        here = {"file": self.file, "sheet": self.sheet, "row": self.row, "column": self.column, "value": self.value}
        message, remedy = texts(self.rule, lang)
        spoken = _language(lang)
        params = {k: v.get(spoken) if isinstance(v, Mapping) else v for k, v in self.params.items()}
        words = _Words({**here, **params})
        return {
            **here,
            "rule": self.rule,
            "message": message.format_map(words),
            "remedy": remedy.format_map(words),
        }

    def line(self, lang: str = "zh") -> str:
        """Return the problem in one line: where, what, and what to do."""
        said = self.as_dict(lang)
        mark = {"zh": ("工作表 ", "第 {} 行", "列 "), "en": ("sheet ", "row {}", "column ")}[_language(lang)]
        where = [
            said["file"],
            mark[0] + said["sheet"] if said["sheet"] else None,
            mark[1].format(said["row"]) if said["row"] is not None else None,
            mark[2] + said["column"] if said["column"] else None,
        ]
        place = (", " if _language(lang) == "en" else "，").join(part for part in where if part)
        colon = ": " if _language(lang) == "en" else "："
        return (place + colon if place else "") + f"{said['message']} {said['remedy']}".rstrip()


class Refused(Exception):
    """The data were refused; `problems` says all that is wrong, not only the first fault."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: list[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(problem.line() for problem in self.problems))


class _Words(dict[str, Any]):
    """Parameters of a text: an absent or empty one shows as a dash, a number without what binary fractions leave."""

    def __getitem__(self, key: str) -> Any:
        value = self.get(key)
        return "—" if value is None else f"{value:.12g}" if isinstance(value, float) else value


def texts(rule: str, lang: str = "zh") -> tuple[str, str]:
    """Return message and remedy of `rule` in `lang`; a rule without texts is named by its id."""
    room = rule.split(".", 1)[0]
    row = _table(room).get(rule)
    if row is None:
        return rule, ""
    lang = _language(lang)
    return row[f"message_{lang}"], row[f"remedy_{lang}"]


def _language(lang: str) -> str:
    return "en" if lang.lower().startswith("en") else "zh"


@cache
def _table(room: str) -> dict[str, dict[str, str]]:
    path = PACKAGE / room / "problems.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["rule"]: row for row in csv.DictReader(lines)}
