"""What measures that overlap count together: shares of each, so that nothing counts twice, and what each one adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RULES = ("largest", "within", "cap")


def shares(
    values: Mapping[str, float], members: Mapping[str, str | None], groups: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Return the share of each measure's value that counts, 0 to 1.

    `values`: tCO2 a year by measure; `members`: its group or None; `groups`: `{id, rule, whole?, limit?}`. `largest`:
    the union of overlapping measures lies between the largest and the sum, so the largest counts, which is the
    cautious end. `within`: the measure `whole` holds the others; where it has no value the largest counts. `cap`: all
    count, scaled to at most `limit`. A measure without a group counts whole. Raises ValueError for an unknown rule.
    """
    found = dict.fromkeys(values, 1.0)
    for group in groups:
        inside = [name for name in values if members.get(name) == group["id"]]
        if not inside:
            continue
        if group["rule"] == "cap":
            total = sum(values[name] for name in inside)
            found |= dict.fromkeys(inside, min(1.0, group["limit"] / total) if total > 0 else 1.0)
            continue
        if group["rule"] not in RULES:
            raise ValueError(group["rule"])
        chosen = group.get("whole") if group["rule"] == "within" else None
        chosen = chosen if chosen in inside else max(inside, key=lambda name: values[name])
        found |= {name: float(name == chosen) for name in inside}
    return found


def total(values: Mapping[str, float], members: Mapping[str, str | None], groups: Sequence[Mapping[str, Any]]) -> float:
    """Return what all measures together avoid, each thing once."""
    counted = shares(values, members, groups)
    return sum(value * counted[name] for name, value in values.items())


def marginal(
    values: Mapping[str, float], members: Mapping[str, str | None], groups: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Return what each measure adds to the others: the total with it less the total without it.

    In a group this is less than its own value: what another measure would count anyway is not its doing.
    """
    whole = total(values, members, groups)
    return {
        name: whole - total({one: v for one, v in values.items() if one != name}, members, groups) for name in values
    }


def needed(previous: float, gdp_growth: float, fall: float) -> dict[str, float]:
    """Return what a fall of carbon intensity asks of a year, in the unit of `previous`.

    `previous`: last year's emission; `gdp_growth`, `fall`: shares, the first at comparable prices. With the intensity
    unchanged emission would be previous × (1 + g) (`unchanged`); the target allows that × (1 − D) (`allowed`); the
    difference is `needed`. `change` is allowed − previous: it may be positive, as intensity is not the total.
    """
    unchanged = previous * (1 + gdp_growth)
    allowed = unchanged * (1 - fall)
    return {"unchanged": unchanged, "allowed": allowed, "needed": unchanged - allowed, "change": allowed - previous}
