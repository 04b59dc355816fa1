"""How uncertain months are by factors and by the data themselves, apart from what estimating adds.

It is the account's: the engine combines what was counted, so that whatever shares a factor errs together (95 %).
Months that are counted have their own; where any is estimated they have, in percent, that of the last twelve that were
counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.engine import Calculation, Term, combine
from dualcarbon.nowcast import city as cities
from dualcarbon.nowcast import figures
from dualcarbon.nowcast.city import City
from dualcarbon.nowcast.told import saying

#: What the bounds hold, and a share of CO2 too small to speak of.
LEVEL, LEAST = 0.95, 0.0005
KEYS = ["area", "sector", "domain"]
Held = dict[str, Calculation]


def of(
    workspace: Any, seen: City, span: Sequence[int], mine: np.ndarray, value: float, book: Classification,
    question: Mapping[str, Any],
) -> dict[str, Any] | None:  # fmt: skip
    """What is uncertain of consecutive months (by number) of the cells `mine` (N,), together `value` t CO2: {low, high,
    level, percent, factors_percent, kind, period, counted, without, note, question}.

    `kind`: whose bounds are known, of `factors`, `activity` (the data) or `both`; where None, so are the ends.
    `period`: the months that it was taken from, with the t CO2 `counted` in them. `without`: the share of that whose
    factors have no bounds, which add nothing; `note` says it. `question` is what the months are opened with, family and
    tree included. None where nothing was counted.
    """
    held, period = taken(workspace, seen, span, mine, book, question)
    whole = combined(held)
    if not whole or not whole["value"]:
        return None
    size, percent = whole["value"], _percent(whole)
    known = percent is not None
    low, high = (value * whole[end] / size if known else None for end in ("low", "high"))
    made = {
        "level": LEVEL, "low": low, "high": high, "percent": percent, "kind": whole["uncertainty"],
        "factors_percent": _percent(combined(_factors_alone(held))), "period": period, "counted": size,
        "without": _without(held),
        "question": {**question, "kind": "uncertainty", "period": _text(seen, span)},
    }  # fmt: skip
    return made | {"note": _note(made)}


def taken(
    workspace: Any, seen: City, span: Sequence[int], mine: np.ndarray, book: Classification, question: Mapping[str, Any]
) -> tuple[Held, str]:
    """What was counted of the cells `mine` in the months that the uncertainty of the months `span` is taken from, by
    part, and these months: the same where all are counted, else the last twelve up to one that was (up to the last
    before them, where none was). January–February as one is taken where either is among them."""
    if any(figures.known(seen, t, mine) is None for t in span):
        counted = (t for t in range(span[-1], -1, -1) if figures.known(seen, t, mine) is not None)
        last = next(counted, max(span[0] - 1, 0))
        span = range(max(last - cities.YEAR + 1, 0), last + 1)
    first, end = seen.months[span[0]], cities.month_after(seen.months[span[-1]])
    chosen = [seen.cells[k] for k in np.nonzero(mine)[0]]
    cells = pl.DataFrame(chosen, schema=dict.fromkeys(KEYS, pl.String), orient="row")
    made, tree, family = {}, question["tree"], question.get("family", cities.FAMILY)
    for part, found in cities.counted(workspace, seen.as_of, family, seen.version).items():
        inside = found.cells.filter((pl.col("start") < end) & (pl.col("end") > first))
        inside = pl.concat([cities.spans(inside, length) for length in ("1mo", "2mo")])
        placed = cities.placed(inside, book, seen.place, tree, seen.months[-1])
        kept = placed.join(cells, on=KEYS, how="semi").drop("area")
        made[part] = replace(found, cells=kept, notations=found.notations.clear())
    return made, _text(seen, span)


def combined(held: Held, by: Sequence[str] = ()) -> dict[str, Any]:
    """All of it together as the engine's result; empty without any cells."""
    terms = [Term(found, output) for found in held.values() if found.cells.height for output in found.method.outputs]
    return combine(terms).to_dicts()[0] if terms else {}


def by_carrier(held: Held) -> list[dict[str, Any]]:
    """The same by part and carrier, the largest first: {part, carrier, value, percent, status}."""
    rows = [
        {"part": part, "carrier": row["carrier"], "value": row["value"], "percent": _percent(row),
         "status": row["status"]}
        for part, found in held.items() if found.cells.height
        for row in found.combine(["carrier"]).iter_rows(named=True) if row["value"]
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["value"])


def _text(seen: City, span: Sequence[int]) -> str:
    return periods.text(seen.months[span[0]], cities.month_after(seen.months[span[-1]]))


def _factors_alone(held: Held) -> Held:
    """The same as if the data had no bounds."""
    bare = pl.lit(None, pl.Float64)
    return {part: replace(one, cells=one.cells.with_columns(spread2=bare)) for part, one in held.items()}


def _percent(row: Mapping[str, Any]) -> float | None:
    """The wider half of an interval in percent of its value."""
    if not row or row["low"] is None or not row["value"]:
        return None
    return float(100 * max(row["high"] - row["value"], row["value"] - row["low"]) / row["value"])


def _without(held: Held) -> float:
    """The share of the CO2 of which no factor has bounds."""
    whole, short = 0.0, 0.0
    for found in held.values():
        bounded = found.factors.frame.filter(pl.col("up").is_not_null())["factor"].to_list()
        bare = [~pl.col(f"factor:{use.name}").is_in(bounded).fill_null(False) for use in found.method.factors]
        whole += float(found.cells["co2"].sum())
        short += float(found.cells.filter(pl.all_horizontal(bare))["co2"].sum())
    return short / whole if whole else 0.0


def _note(made: Mapping[str, Any]) -> dict[str, str]:
    """Whose bounds are in it, and which months it was taken from where these are not the months themselves."""
    kind, share = made["kind"], 100 * made["without"]
    if kind is None:
        zh = "所用因子的来源没有给出误差范围，活动数据也没有；不代为假设。"
        en = "Neither the sources of the factors nor the data give bounds; none are assumed."
    elif kind == "activity":
        zh = "只含活动数据的误差；所用因子的来源没有给出误差范围，不代为假设。"
        en = "By the data alone: the sources of the factors give no bounds, and none are assumed."
    else:
        data = kind == "both"
        zh = f"含因子{'和活动数据' if data else ''}的误差，同一因子的误差同向。"
        en = f"By factors{' and data' if data else ''}; what shares a factor errs together."
        if made["without"] > LEAST:
            zh += f"占{share:.1f}%的排放，因子来源没有给出误差范围，不在内。"
            en += f" The factors of {share:.1f}% of the CO2 have no bounds and are not in it."
    if kind is not None and made["period"] != made["question"]["period"]:
        when = {lang: saying.period(made["period"], lang) for lang in ("zh", "en")}
        zh += f"按{when['zh']}已核算部分的相对误差。"
        en += f" The percentage is that of what was counted in {when['en']}."
    return {"zh": zh, "en": en}
