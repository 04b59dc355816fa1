"""What would change the order of a score sheet, and what-if before it is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from dualcarbon.plan.assessing.score import Cells, score, summed

LEAST, MOST = 1e-6, 4.0  # weights are tried from next to nothing to this many times themselves
STEPS = 40


def sensitivity(
    scheme: Mapping[str, Any], values: Cells, deductions: Mapping[str, Mapping[str, float]] | None = None
) -> list[dict[str, Any]]:
    """Return for each two neighbours in the order what would turn them round.

    `{above, below, gap, certain, weights, items}`: `certain` when they differ by more than the data's uncertainty;
    `weights`: `{item, factor}`, by how much one item's weight would have to change, the smallest change first; `items`:
    items that the lower one missed and that would carry it past the upper one if its basic target were met.
    """
    told = deductions or {}
    sheet = score(scheme, values, told)
    known = [one for one in sheet["subjects"] if one["total"] is not None]
    found = []
    for above, below in pairwise(known):
        pair = {one["subject"]: values[one["subject"]] for one in (above, below)}
        gap = above["total"] - below["total"]
        row = {"above": above["subject"], "below": below["subject"], "gap": gap}
        row["certain"] = above["low"] > below["high"]
        row["weights"] = _weights(scheme, above, below, told) if gap > 1e-9 else []
        row["items"] = _items(scheme, pair, told, above, below)
        found.append(row)
    return found


def _gap(scheme: Mapping[str, Any], pair: Cells, told: Mapping[str, Any], above: str, below: str) -> float | None:
    totals = {one["subject"]: one["total"] for one in score(scheme, pair, told)["subjects"]}
    if totals[above] is None or totals[below] is None:
        return None
    return float(totals[above] - totals[below])


def _weights(
    scheme: Mapping[str, Any],
    above: Mapping[str, Any],
    below: Mapping[str, Any],
    told: Mapping[str, Mapping[str, float]],
) -> list[dict[str, Any]]:
    """Of each item the factor on its weight, nearest to 1, at which the order turns."""
    items = [{row["item"] for row in one["rows"]} for one in (above, below)]

    def total(one: Mapping[str, Any], name: str, factor: float) -> float | None:
        rows = [_scaled(row, factor) if row["item"] == name else row for row in one["rows"]]
        made: float | None = summed(scheme, rows, told.get(one["subject"], {}))["total"]
        return made

    found = []
    for name in sorted(items[0] | items[1]):

        def gap(factor: float, name: str = name) -> float | None:
            ends = total(above, name, factor), total(below, name, factor)
            return None if ends[0] is None or ends[1] is None else ends[0] - ends[1]

        factor = _crossing(gap, STEPS if name in items[0] & items[1] else 1)
        if factor is not None:
            found.append({"item": name, "factor": factor})
    return sorted(found, key=lambda one: abs(one["factor"] - 1))


def _scaled(row: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """A row whose weight counts `factor` times; its bonus stays."""
    points = None if row["points"] is None else row["points"] * factor
    reach = tuple(end * factor for end in row["points_range"])
    return {**row, "weight": row["weight"] * factor, "points": points, "points_range": reach}


def _crossing(gap: Callable[[float], float | None], steps: int) -> float | None:
    """The factor nearest to 1 at which `gap` is no longer above zero, None within the bounds tried.

    With one step the way is taken to be monotone, as it is where the item belongs to one side alone.
    """
    best: float | None = None
    for end in (LEAST, MOST):
        before, at = 1.0, 1.0
        for step in range(1, steps + 1):
            at = 1.0 + (end - 1.0) * step / steps
            value = gap(at)
            if value is not None and value <= 0:
                break
            before = at
        else:
            continue
        for _ in range(40):
            middle = (before + at) / 2
            value = gap(middle)
            before, at = (before, middle) if value is not None and value <= 0 else (middle, at)
        best = at if best is None or abs(at - 1) < abs(best - 1) else best
    return best


def reweighted(scheme: Mapping[str, Any], factors: Mapping[str, float]) -> dict[str, Any]:
    """Return the scheme with the weights of some items multiplied; a bonus stays what it is."""
    items = [{**one, "weight": one["weight"] * factors.get(one["id"], 1.0)} for one in scheme["items"]]
    return {**scheme, "items": [one for one in items if one["weight"] > 0]}


def _items(
    scheme: Mapping[str, Any], pair: Cells, told: Mapping[str, Any], above: Mapping[str, Any], below: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = []
    for row in below["rows"]:
        if row["outcome"] not in ("missed", "no data", "open") or row["basic"] is None:
            continue
        met = {**pair[below["subject"]][row["item"]], **_known(row["basic"])}
        moved = {**pair, below["subject"]: {**pair[below["subject"]], row["item"]: met}}
        gap = _gap(scheme, moved, told, above["subject"], below["subject"])
        if gap is not None and gap < 0:
            found.append({"item": row["item"], "value": row["value"], "basic": row["basic"], "gap": gap})
    return found


def _known(value: float) -> dict[str, Any]:
    """What a cell has of a value that is taken for sure."""
    return {"value": value, "low": None, "high": None, "forecast": False}


def what_if(
    scheme: Mapping[str, Any],
    values: Cells,
    changes: Sequence[Mapping[str, Any]],
    deductions: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """Return the sheet as it would be, beside the sheet as it is: `{before, after, moved}`.

    `changes`: `{subject, item, value}` sets a value (its interval is dropped), `{item, weight}` a weight. `moved` has
    for each subject whose total changes `{subject, before, after, rank_before, rank_after}` (ranks as (from, to)).
    Raises KeyError for an unknown subject or item.
    """
    cells = {subject: dict(told) for subject, told in values.items()}
    weights = {}
    for change in changes:
        if "weight" in change:
            weights[str(change["item"])] = float(change["weight"])
            continue
        if change["subject"] not in cells or change["item"] not in cells[change["subject"]]:
            raise KeyError(f"{change['subject']} {change['item']}")
        old = cells[change["subject"]][change["item"]]
        cells[change["subject"]][change["item"]] = {**old, **_known(change["value"])}
    unknown = set(weights) - {one["id"] for one in scheme["items"]}
    if unknown:
        raise KeyError(", ".join(sorted(unknown)))
    items = [{**one, "weight": weights.get(one["id"], one["weight"])} for one in scheme["items"]]
    before, after = score(scheme, values, deductions), score({**scheme, "items": items}, cells, deductions)
    was = {one["subject"]: one for one in before["subjects"]}
    moved = [
        {
            "subject": one["subject"],
            "before": was[one["subject"]]["total"],
            "after": one["total"],
            "rank_before": (was[one["subject"]]["rank_from"], was[one["subject"]]["rank_to"]),
            "rank_after": (one["rank_from"], one["rank_to"]),
        }
        for one in after["subjects"]
        if one["total"] != was[one["subject"]]["total"]
        or (one["rank_from"], one["rank_to"]) != (was[one["subject"]]["rank_from"], was[one["subject"]]["rank_to"])
    ]
    return {"before": before, "after": after, "moved": moved}
