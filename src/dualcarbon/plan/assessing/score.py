"""Scores of departments and counties by a weighted scheme: points of each item with their arithmetic, and who is ahead.

Basic target met: full marks; incentive target: the bonus that the scheme gives, none where it gives none; missed: a
capped share, nothing, or a veto on the whole. A score carries the uncertainty of its data, and a rank is said only as
far as scores differ by more than that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dualcarbon.plan.progress import figure
from dualcarbon.plan.words import unit_in_english

MISSED = ("share", "zero", "veto")
#: Version of the rules that a scheme is scored by; `rules` of a scheme names an earlier one, so that a sheet that was
#: frozen by it still reads as it did. 1: settled points count whole, without bonus and veto. 2: what they have above
#: the weight is bonus, within the limit of bonuses, and a missed value keeps its veto.
RULES = 2
Cells = Mapping[str, Mapping[str, Mapping[str, Any]]]


def score(
    scheme: Mapping[str, Any], values: Cells, deductions: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Any]:
    """Return the score sheet `{scheme, title, full, subjects, status, synthetic}`, the best subject first.

    `scheme`: as `score_scheme.read` gives it. `values`: subject → item → `{value, low?, high?, basic?, incentive?,
    status?, confirmed?, forecast?, points?, lifted?}`; an item counts for the subjects that have a cell for it, `value`
    None when nothing was reported; `points` are points settled by a review, `lifted` says that it lifted the item's
    veto; `forecast` that the value is a year-end forecast. `deductions`: subject → deduction → how often.
    A subject is `{subject, rows, points, weight, base, bonus, bonus_counted, deducted, veto, total, low, high,
    complete, rank_from, rank_to, tied}`; a row is as `item` gives it; `bonus_counted` is within the scheme's limit.
    """
    subjects = []
    for subject, cells in values.items():
        rows = [item(scheme, one, cells[one["id"]]) for one in scheme["items"] if one["id"] in cells]
        subjects.append({"subject": subject, **summed(scheme, rows, (deductions or {}).get(subject, {}))})
    subjects.sort(key=lambda one: (-_order(one["total"]), one["subject"]))
    for one in subjects:
        one |= rank(one, subjects)
    made_up = any(row["status"] == "synthetic" for one in subjects for row in one["rows"])
    return {"scheme": scheme["id"], "version": scheme["version"], "title": scheme["title"], "of": scheme["of"],
            "full": scheme["full"], "status": scheme["status"], "synthetic": made_up, "subjects": subjects}  # fmt: skip


def _order(total: float | None) -> float:
    return -math.inf if total is None else total


def item(scheme: Mapping[str, Any], one: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return one item's points: `{item, title, unit, weight, value, basic, incentive, outcome, points, bonus, low,
    high, veto, arithmetic: {zh, en}, incentive_said: {zh, en}, status, confirmed, missed, settled, forecast, lifted}`.

    `incentive_said`: how the incentive target counts and where it comes from, or why it does not; None where there is
    neither such a target nor a bonus.

    `outcome`: `incentive`, `basic`, `missed`, `settled`, `no data`, `open` (a forecast whose interval is not known),
    `not set` (no target to compare with). `low`, `high`: points with bonus at the ends of the value's interval; for an
    item without data the whole range it leaves open. Settled points above the weight are bonus, and a missed value
    keeps its veto unless it was lifted. A forecast is no result: it never vetoes, though it may say that a veto is
    possible.
    """
    basic = cell.get("basic", one.get("basic"))
    incentive = cell.get("incentive", one.get("incentive"))
    value, weight = cell.get("value"), float(one["weight"])
    row: dict[str, Any] = {
        "item": one["id"], "title": one["title"], "unit": one.get("unit") or "", "weight": weight, "value": value,
        "basic": basic, "incentive": incentive, "better": one.get("better", "higher"), "veto": False, "bonus": 0.0,
        "status": cell.get("status"), "confirmed": cell.get("confirmed"), "settled": cell.get("points") is not None,
        "missed": one.get("missed", "share"), "forecast": bool(cell.get("forecast")),
        "lifted": bool(cell.get("lifted")),
    }  # fmt: skip
    row["incentive_said"] = _incentive(scheme, one, row, cell)
    most = weight + (float(one.get("bonus") or 0.0) if incentive is not None else 0.0)
    if cell.get("points") is not None:
        return _settled(scheme, one, row, float(cell["points"]))
    if basic is None:
        words = ("目标未设定，不计分", "no target is set, not scored")
        return row | _told("not set", None, (0.0, weight), (0.0, most - weight), words)
    if value is None:
        if scheme.get("no_data", "open") == "zero":
            return row | _told("no data", 0.0, (0.0, 0.0), (0.0, 0.0), ("没有数据，0 分", "no data, 0 points"))
        words = (f"没有数据，0—{most:g} 分都可能", f"no data, anything from 0 to {most:g}")
        return row | _told("no data", None, (0.0, weight), (0.0, most - weight), words)
    if row["forecast"] and (cell.get("low") is None or cell.get("high") is None):
        words = (f"预计全年 {figure(value)}{row['unit']}，误差未知，0—{most:g} 分都可能",
                 f"year-end forecast {figure(value)}{unit_in_english(row['unit'])}, its error is not known: "
                 f"anything from 0 to {most:g}")  # fmt: skip
        return row | _told("open", None, (0.0, weight), (0.0, most - weight), words)
    points, bonus, outcome, veto = _points(scheme, one, row["better"], value, basic, incentive)
    ends = [end if end is not None else value for end in (cell.get("low"), cell.get("high"))]
    at = [_points(scheme, one, row["better"], end, basic, incentive) for end in ends]
    reach = [points, *(p for p, *_ in at)], [bonus, *(b for _, b, *_ in at)]
    maybe = (veto or any(v for *_, v in at)) and not row["lifted"]
    row |= {"bonus": bonus, "veto": veto and maybe and not row["forecast"], "veto_possible": maybe}
    words = _arithmetic(one, row, points, bonus, outcome)
    return row | _told(outcome, points, (min(reach[0]), max(reach[0])), (min(reach[1]), max(reach[1])), words)


def _incentive(
    scheme: Mapping[str, Any], one: Mapping[str, Any], row: Mapping[str, Any], cell: Mapping[str, Any]
) -> dict[str, str] | None:
    """How an item's incentive target counts, or why it does not."""
    more, goal = float(one.get("bonus") or 0.0), row["incentive"]
    if goal is None:
        if not more:
            return None
        return {
            "zh": f"方案为激励目标定了 {more:g} 分加分；激励目标没有下达，不加分",
            "en": f"the scheme gives {more:g} bonus points at an incentive target; none was handed down, no bonus",
        }
    source = one.get("incentive_from")
    if cell.get("incentive") is not None:
        source = dict.fromkeys(("zh", "en"), cell["source"]) if cell.get("source") else None
    at = f"{figure(goal, 6)}"
    zh = f"激励目标 {at}{row['unit']}" + (f"（{source['zh']}）" if source else "")
    en = f"incentive target {at}{unit_in_english(row['unit'])}" + (f" ({source['en']})" if source else "")
    if not more:
        return {"zh": f"{zh}：没有写明达到它加多少分，不另计分", "en": f"{en}: no rule says what it earns, not scored"}
    if scheme.get("bonus_rule") == "linear":
        return {
            "zh": f"{zh}：从基本目标起按比例加，达到加 {more:g} 分",
            "en": f"{en}: the bonus grows in proportion from the basic target to {more:g} points here",
        }
    return {"zh": f"{zh}：达到加 {more:g} 分，未达不加", "en": f"{en}: {more:g} bonus points when met, none before"}


def _settled(scheme: Mapping[str, Any], one: Mapping[str, Any], row: dict[str, Any], told: float) -> dict[str, Any]:
    """A row whose points a review settled; the veto stays the value's."""
    if scheme.get("rules", RULES) == 1:
        words = (f"复核认定 {told:g} 分", f"{told:g} points as reviewed")
        return row | _told("settled", told, (told, told), (0.0, 0.0), words)
    points = min(told, row["weight"])
    bonus = told - points
    known = row["value"] is not None and row["basic"] is not None and not row["forecast"]
    veto = known and _points(scheme, one, row["better"], row["value"], row["basic"], row["incentive"])[3]
    row |= {"bonus": bonus, "veto": veto and not row["lifted"]}
    zh, en = f"复核认定 {told:g} 分", f"{told:g} points as reviewed"
    if bonus:
        zh, en = f"{zh}，其中加分 {figure(bonus)} 分", f"{en}, bonus {figure(bonus)} of them"
    if row["veto"]:
        zh, en = f"{zh}；数值未达基本目标，一票否决", f"{en}; the value misses the basic target: veto"
    elif veto:
        zh, en = f"{zh}；一票否决已解除", f"{en}; its veto was lifted"
    return row | _told("settled", points, (points, points), (bonus, bonus), (zh, en))


def _told(
    outcome: str, points: float | None, reach: tuple[float, float], extra: tuple[float, float], words: tuple[str, str]
) -> dict[str, Any]:
    said = {"zh": words[0], "en": words[1]}
    ends = {"points_range": reach, "bonus_range": extra, "low": reach[0] + extra[0], "high": reach[1] + extra[1]}
    return {"outcome": outcome, "points": points, "arithmetic": said, **ends}


def _points(
    scheme: Mapping[str, Any], one: Mapping[str, Any], better: str, value: float, basic: float, incentive: float | None
) -> tuple[float, float, str, bool]:
    """Points, bonus, outcome and veto of a value."""
    weight, more = float(one["weight"]), float(one.get("bonus") or 0.0)
    sign = -1.0 if better == "lower" else 1.0
    slack = 1e-9 * max(1.0, abs(basic))
    if sign * (value - basic) >= -slack:
        if incentive is None or not more:
            return weight, 0.0, "basic", False
        if sign * (value - incentive) >= -slack:
            return weight, more, "incentive", False
        way = (value - basic) / (incentive - basic) if incentive != basic else 0.0
        return weight, more * way if scheme.get("bonus_rule") == "linear" else 0.0, "basic", False
    rule = one.get("missed", "share")
    if rule not in MISSED:
        raise ValueError(rule)
    if rule == "zero":
        return 0.0, 0.0, "missed", False
    return weight * min(achieved(value, basic, better), float(one.get("cap", 1.0))), 0.0, "missed", rule == "veto"


def achieved(value: float, basic: float, better: str = "higher") -> float:
    """Return the share of a target that is reached, from 0: value ÷ target, or target ÷ value where small is good."""
    over, under = (basic, value) if better == "lower" else (value, basic)
    return max(0.0, over / under) if under > 0 else 0.0


def _arithmetic(
    one: Mapping[str, Any], row: Mapping[str, Any], points: float, bonus: float, outcome: str
) -> tuple[str, str]:
    unit, value, basic = row["unit"], row["value"], row["basic"]
    en_unit = unit_in_english(unit)
    shown, goal = figure(value, 6), figure(basic, 6)
    ahead = (f"按预计 {shown}{unit}，", f"by the forecast of {shown}{en_unit}, ") if row["forecast"] else ("", "")
    if outcome == "missed":
        rule = one.get("missed", "share")
        if rule == "zero":
            return f"{ahead[0]}{shown}{unit} 未达 {goal}{unit}，0 分", (
                f"{ahead[1]}{shown}{en_unit} misses {goal}{en_unit}: 0 points"
            )
        share, cap = achieved(value, basic, row["better"]), float(one.get("cap", 1.0))
        fraction = f"{goal}/{shown}" if row["better"] == "lower" else f"{shown}/{goal}"
        sum_ = f"{row['weight']:g} × min({fraction} = {figure(share)}, {cap:g}) = {figure(points)}"
        veto = ("", "")
        if rule == "veto":
            veto = ("；一票否决", "; veto") if row["veto"] else ("；一票否决已解除", "; its veto was lifted")
            veto = ("；年终如此将一票否决", "; a veto if the year ends so") if row["forecast"] else veto
        zh, en = f"未达基本目标：{sum_} 分{veto[0]}", f"basic target missed: {sum_} points{veto[1]}"
        return f"{ahead[0]}{zh}", f"{ahead[1]}{en}"
    zh, en = f"达到基本目标 {goal}{unit}：{points:g} 分", f"basic target {goal}{en_unit} met: {points:g} points"
    if bonus:
        zh, en = f"{zh}，激励加 {figure(bonus)} 分", f"{en}, bonus {figure(bonus)}"
    return f"{ahead[0]}{zh}", f"{ahead[1]}{en}"


def summed(scheme: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], told: Mapping[str, float]) -> dict[str, Any]:
    """Return a subject's total on the scheme's scale: points ÷ weights × full, with bonus, deductions, the veto's cap.

    `rows` as `item` gives them; `told`: how often each deduction applies.
    """
    scored = [row for row in rows if row["points"] is not None]
    open_ = [row for row in rows if row["points"] is None and row["outcome"] in ("no data", "open")]
    weight = sum(row["weight"] for row in scored)
    whole = weight + sum(row["weight"] for row in open_)
    points, bonus = sum(row["points"] for row in scored), sum(row["bonus"] for row in scored)
    taken = []
    for one in scheme.get("deductions") or []:
        times = float(told.get(one["id"], 0.0))
        if times:
            taken.append({**one, "times": times, "points": min(times * one["each"], one.get("limit", math.inf))})
    deducted = min(sum(one["points"] for one in taken), scheme.get("deduction_limit", math.inf))
    veto = any(row["veto"] for row in scored)
    maybe = any(row.get("veto_possible") for row in scored) or any(row.get("missed") == "veto" for row in open_)
    counted = min(bonus, scheme.get("bonus_limit", math.inf))
    head = {"rows": list(rows), "weight": weight, "points": points, "bonus": bonus, "bonus_counted": counted,
            "deductions": taken, "deducted": deducted, "veto": veto, "complete": not open_}  # fmt: skip
    if not scored:
        return head | {"base": None, "total": None, "low": None, "high": None}

    def total(sum_: float, extra: float, of: float, stopped: bool) -> float:
        made = scheme["full"] * sum_ / of + min(extra, scheme.get("bonus_limit", math.inf)) - deducted
        return max(0.0, min(made, scheme["veto_cap"]) if stopped else made)

    now = total(points, bonus, weight, veto)
    worst = points - _apart(scored, "points", 0), bonus - _apart(scored, "bonus", 0)
    best = points + _apart(scored, "points", 1), bonus + _apart(scored, "bonus", 1)
    free, more = sum(row["weight"] for row in open_), sum(row["bonus_range"][1] for row in open_)
    stays = any(row["veto"] and (row["settled"] or row["points_range"][1] < row["weight"] - 1e-9) for row in scored)
    return head | {
        "base": scheme["full"] * points / weight,
        "total": now,
        "low": min(now, total(*worst, whole, veto or maybe)),
        "high": max(now, total(best[0] + free, best[1] + more, whole, stays)),
    }


def _apart(scored: Sequence[Mapping[str, Any]], name: str, end: int) -> float:
    """How far the sum of points (or bonus) may lie from what it is: the items' distances, taken as independent."""
    return math.sqrt(sum((row[f"{name}_range"][end] - row[name]) ** 2 for row in scored))


def rank(one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return `{rank_from, rank_to, tied}`: the ranks that the data leave open, and with whom.

    Another is ahead for certain only when its lowest score lies above this one's highest. Without a score: no rank.
    """
    if one["total"] is None:
        return {"rank_from": None, "rank_to": None, "tied": []}
    known = [other for other in others if other["total"] is not None and other["subject"] != one["subject"]]
    ahead = [other for other in known if other["low"] > one["high"] + 1e-9]
    behind = [other for other in known if other["high"] < one["low"] - 1e-9]
    tied = [other["subject"] for other in known if other not in ahead and other not in behind]
    return {"rank_from": len(ahead) + 1, "rank_to": len(known) + 1 - len(behind), "tied": tied}
