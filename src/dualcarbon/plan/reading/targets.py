"""The target of an indicator as tables write it: 80, 下降3%, 力争10, 累计完成6个, 完成上级下达目标."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dualcarbon.plan.reading import units
from dualcarbon.plan.reading.quantities import _AFTER, _BEFORE, _DOWN, _UP, number
from dualcarbon.plan.reading.script import tight

_HOPED = re.compile("力争|争取|力促")
_INCENTIVE = re.compile(r"(?:力争|争取|激励目标|奋斗目标|挑战目标)[^\d]{0,6}(?P<value>\d+(?:\.\d+)?)")
_FROM = re.compile(rf"[由从][^由从,，;；。]*?\d[^由从,，;；。]*?(?=(?:{_DOWN}|{_UP})[至到])")
_LOWER = re.compile("浓度|能耗|排放|漏损|单耗|水耗|用水量|煤耗|死亡|事故|碳强度")


@dataclass(frozen=True)
class Target:
    """What is to be reached. `kind`: number | change | cumulative | qualitative; `value` as written, without sign."""

    kind: str
    text: str
    value: float | None = None
    comparison: str = "="
    stretch: bool = False
    direction: str | None = None
    unit: units.Unit | None = None
    high: float | None = None
    incentive: float | None = None  # a second, higher value: 3.0（力争3.5）

    @property
    def base(self) -> float | None:
        """The value in base units, or None."""
        return None if self.value is None else self.value * (self.unit.factor if self.unit else 1.0)

    def as_dict(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "kind": self.kind,
            "value": None if self.value is None else number(self.value),
            "comparison": None if self.value is None else self.comparison,
            "stretch": self.stretch,
            "text": self.text,
        }
        if self.direction:
            row["direction"] = self.direction
        if self.high is not None:
            row["high"] = number(self.high)
        if self.incentive is not None:
            row["incentive"] = number(self.incentive)
        return row


def parse(text: str, unit: str = "") -> Target:
    """Read a target cell; `unit` is the indicator's own unit, used when the cell names none."""
    clean = tight(text)
    own = units.parse(unit)
    said = _FROM.sub(lambda one: "～" * len(one[0]), clean)  # where it comes from is not what is to be reached
    figure = re.search(
        rf"(?P<before>{'|'.join(map(re.escape, sorted(_BEFORE, key=len, reverse=True)))})?(?:达到?)?"
        rf"(?P<sign>[-+])?(?<![\d.])(?P<value>\d{{1,3}}(?:,\d{{3}})+|\d+(?:\.\d+)?)(?![\d年])"
        rf"(?:(?:-|~|至)(?P<high>\d+(?:\.\d+)?))?(?P<unit>{units.pattern()}|[万亿](?![\u4e00-\u9fff]))?"
        rf"(?P<after>{'|'.join(sorted(_AFTER, key=len, reverse=True))})?",
        said,
    )
    if figure is None:
        return Target("qualitative", clean, stretch=bool(_HOPED.search(clean)), unit=own)
    value = float(figure["value"].replace(",", ""))
    written = figure["unit"]
    if written in ("万", "亿"):
        scaled = units.parse(written + (unit or "个"))
        found = scaled or own
    else:
        found = (units.parse(written) if written else None) or own
        if own and found and own.text == found.text:
            found = own
    head = clean[: figure.start()]
    hoped = _INCENTIVE.search(clean, figure.end())
    direction = "down" if re.search(f"({_DOWN})", head) else "up" if re.search(f"({_UP})", head) else None
    leads_to = bool(re.search(f"({_DOWN}|{_UP})(至|到)", head))
    if figure["sign"] == "-":
        direction = "down"
    kind = "number"
    if direction and not leads_to and (figure["sign"] != "+"):
        kind = "change"
    elif re.search("累计|总数|总量|保有量|共建成", clean):
        kind = "cumulative"
    comparison = "range" if figure["high"] else "="
    if figure["after"]:
        comparison = _AFTER[figure["after"]]
    elif figure["before"]:
        comparison = _BEFORE[figure["before"]]
    high = float(figure["high"]) if figure["high"] else None
    shown = direction if kind == "change" else None
    incentive = float(hoped["value"]) if hoped else None
    return Target(kind, clean, value, comparison, bool(_HOPED.search(head)), shown, found, high, incentive)


def better(name: str, target: Target) -> str:
    """Return `lower` for figures that are good when small (能耗, 浓度), else `higher`; a fall counts as its size."""
    if target.kind == "change":
        return "higher" if target.direction == "down" or not _LOWER.search(name) else "lower"
    if re.search("下降|降低|降幅|降速|削减|减排|淘汰|压减|减少", name):
        return "higher"
    return "lower" if _LOWER.search(name) or target.comparison in ("<", "<=") else "higher"
