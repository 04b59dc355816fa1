"""Score schemes as data, and the values that go into them: YAML or Excel in, values from the plan's standing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import reads, shipping
from dualcarbon.plan.assessing import tabular
from dualcarbon.plan.assessing.score import MISSED, item
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.words import status_of

NUMBERS = ("weight", "basic", "incentive", "bonus", "cap")
#: Excel headings of a scheme's items and of values, by field.
ITEM_HEADINGS = {
    "编号": "id", "item": "id", "指标": "title_zh", "name": "title_zh", "英文": "title_en", "单位": "unit",
    "权重": "weight", "基本目标": "basic", "激励目标": "incentive", "激励加分": "bonus", "未完成": "missed",
    "封顶": "cap", "方向": "better",
}  # fmt: skip
VALUE_HEADINGS = {
    "对象": "subject", "部门": "subject", "地区": "subject", "编号": "item", "数值": "value", "下限": "low",
    "上限": "high", "基本目标": "basic", "激励目标": "incentive", "状态": "status", "来源": "source",
}  # fmt: skip
_NOTES = (
    "一行一个对象的一个指标：数值按上级核定或统计数填；没有数据的留空，不要填 0，留空的分数按范围给出。",
    "下限、上限是数值的误差范围，没有可不填；基本目标、激励目标按对象下达的填，没有激励目标留空。",
    "状态：official 官方、secondary 转引、unverified 未核实、synthetic 演示数据；来源写文件或统计表名称。",
    "导入：dualcarbon plan score open 表名 --scheme 方案 --values 本文件，或在评分页上传。",
)
_DEFAULTS = {"version": 1, "of": "department", "full": 100, "veto_cap": 60, "no_data": "open", "bonus_rule": "step",
             "status": "unverified", "uncertainty": {}, "deductions": []}  # fmt: skip


def shipped(pack: str, year: int) -> list[dict[str, Any]]:
    """Return the schemes that a pack ships beside a plan (`plan/YEAR/scores/*.yaml`), as written."""
    from dualcarbon.core.pack import read_yaml

    here = feeding.folder(pack, year)
    return [] if here is None else [read_yaml(path) for path in sorted((here / "scores").glob("*.yaml"))]


def named(workspace: Workspace, head: Mapping[str, Any], said: str | Path, as_of: date | None = None) -> dict[str, Any]:
    """Return a scheme ready to score by: the pack's of that id, else one from a file. Raises Refused with every fault.

    `said`: a text is an id and never read as a file of this machine, a path may be either. `head`: the plan's record,
    whose indicators a scheme with `each_indicator` is laid out over.
    """
    own = next((one for one in shipped(*shipping.of(workspace, head)) if one["id"] == str(said)), None)
    if own is None and (isinstance(said, str) or not said.is_file()):
        raise Refused(Problem("plan.no-scheme", value=str(said)))
    scheme = read(said) if own is None else checked(own)
    return laid_over(workspace, head, scheme, as_of)


def laid_over(
    workspace: Workspace, head: Mapping[str, Any], scheme: Mapping[str, Any], as_of: date | None = None
) -> dict[str, Any]:
    """Return a scheme laid out over a plan's indicators and the dual targets as they stood on a day (`laid_out`)."""
    from dualcarbon.plan.assessing import dual

    rows = reads.indicators(workspace, head).to_dicts()
    return laid_out(scheme, rows, dual.targets(workspace, head, as_of))


def incentives(workspace: Workspace, head: Mapping[str, Any], as_of: date | None = None) -> dict[str, dict[str, str]]:
    """Return how the incentive targets of energy and carbon count in the departments' score, in words, or why not."""
    chosen = next((one for one in shipped(*shipping.of(workspace, head)) if one.get("of") == "department"), None)
    none = {
        "zh": "评分方案没有为它定加分，达到激励目标不另计分",
        "en": "the scheme gives no bonus for it: the incentive target is not scored",
    }
    if chosen is None:
        none = {"zh": "没有评分方案，不计分", "en": "there is no scheme: not scored"}
        return {"energy": none, "carbon": none}
    scheme = laid_over(workspace, head, checked(chosen), as_of)
    found = {"energy": none, "carbon": none}
    for one in scheme["items"]:
        said = item(scheme, one, {"value": None})["incentive_said"]
        if one.get("dual") and said:
            found[one["dual"]] = said
    return found


def values_form(
    workspace: Workspace, head: Mapping[str, Any], said: str | Path | None, path: str | Path
) -> dict[str, Any]:
    """Write the form of a scheme's values, a row for each subject and item. Returns `{file, scheme, rows}`.

    `said`: a scheme's id or file, the pack's scheme of places when None. Subjects of places are the areas of the
    plan's place in the management tree, those of departments its lead units. Raises Refused.
    """
    if said is None:
        own = [one["id"] for one in shipped(*shipping.of(workspace, head)) if one.get("of") == "place"]
        if not own:
            raise Refused(Problem("plan.no-scheme", value="—"))
        said = str(own[0])
    scheme = named(workspace, head, said)
    body = [
        [subject, one["id"], one["title"]["zh"], one.get("unit") or "", None, None, None, one.get("basic"),
         one.get("incentive"), "", ""]
        for subject in subjects(workspace, head, str(scheme["of"]))
        for one in scheme["items"]
    ]  # fmt: skip
    heads = ["对象", "编号", "指标", "单位", "数值", "下限", "上限", "基本目标", "激励目标", "状态", "来源"]
    tabular.write(path, heads, body, list(_NOTES))
    return {"file": str(path), "scheme": scheme["id"], "rows": len(body)}


def subjects(workspace: Workspace, head: Mapping[str, Any], of: str) -> list[str]:
    """Return who is scored: the areas of the plan's place (`of` place), else the departments that lead indicators."""
    if of != "place":
        leads = [name for row in reads.indicators(workspace, head).to_dicts() for name in row["lead"]]
        return list(dict.fromkeys(leads))
    from dualcarbon.core.classification import load

    places = load(workspace.pack).places
    if head["place"] not in places:
        return []
    below = next((found for tree in ("management", "admin") if (found := places.children(head["place"], tree))), [])
    return [places.name(code, "zh") for code in below]


def read(path: str | Path) -> dict[str, Any]:
    """Return a scheme from a YAML or Excel file. Raises Refused with every fault.

    Excel: one table of items with the headings of `ITEM_HEADINGS`; the file's name is the scheme's id, the rest as
    `_DEFAULTS`.
    """
    path = Path(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        import yaml

        try:
            told = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise Refused(Problem("plan.bad-scheme", file=path.name, value=str(error).split("\n")[0])) from error
        if not isinstance(told, dict):
            raise Refused(Problem("plan.bad-scheme", file=path.name, value=type(told).__name__))
    else:
        told = {"id": path.stem, "title": {"zh": path.stem, "en": path.stem}, "items": []}
        for _, number, row in tabular.rows(path, ITEM_HEADINGS):
            titles = {"zh": row.pop("title_zh", None) or row.get("id"), "en": row.pop("title_en", None)}
            titles["en"] = titles["en"] or titles["zh"]
            told["items"].append({**row, "title": titles, "_row": number})
    return checked(told, path.name)


def checked(told: Mapping[str, Any], file: str | None = None) -> dict[str, Any]:
    """Return a scheme with its defaults and its numbers as numbers. Raises Refused with every fault.

    A title that is one text stands for both languages; an item without one has its id.
    """
    problems: list[Problem] = []

    def fault(column: str, value: Any, row: int | None = None) -> None:
        problems.append(Problem("plan.bad-scheme", file=file, row=row, column=column, value=value))

    scheme = _headed({**_DEFAULTS, **{name: value for name, value in told.items() if name != "rules"}}, fault)
    items, seen = [], set()
    for position, one in enumerate(scheme["items"], 1):
        if not isinstance(one, Mapping):
            fault("items", one, position)
            continue
        row = one.get("_row", position)
        kept = {name: value for name, value in one.items() if name != "_row" and value is not None}
        _numbered(kept, NUMBERS, fault, row)
        if "title" in kept or not scheme.get("each_indicator"):
            kept["title"] = _titled(kept.get("title") or str(kept.get("id")), fault, row)
        if kept.get("better", "higher") not in ("higher", "lower"):
            fault("better", kept["better"], row)
        if not kept.get("id") or kept["id"] in seen:
            fault("id", kept.get("id"), row)
        seen.add(kept.get("id"))
        if kept.get("dual") not in (None, "energy", "carbon"):
            fault("dual", kept["dual"], row)
        if kept.get("missed", "share") not in MISSED:
            fault("missed", kept["missed"], row)
        if kept.get("weight", 0.0) < 0 or ("weight" not in kept and not scheme.get("each_indicator")):
            fault("weight", kept.get("weight"), row)
        items.append(kept)
    if problems:
        raise Refused(problems)
    return {**scheme, "items": items}


_Fault = Callable[..., None]


def _headed(scheme: dict[str, Any], fault: _Fault) -> dict[str, Any]:
    """A scheme whose head can be scored by; what cannot goes to `fault`."""
    for name in ("id", "title", "items"):
        if not scheme.get(name) and not (name == "items" and scheme.get("each_indicator")):
            fault(name, None)
    scheme["title"] = _titled(scheme.get("title") or "", fault, None)
    for name, kind in (("items", list), ("deductions", list), ("uncertainty", dict), ("each_indicator", dict)):
        if scheme.get(name) and not isinstance(scheme[name], kind):
            fault(name, scheme.pop(name))
    scheme |= {name: list(scheme.get(name) or []) for name in ("items", "deductions")}
    _numbered(scheme, ("full", "veto_cap", "bonus_limit", "deduction_limit"), fault, None)
    scheme["uncertainty"] = _numbered(dict(scheme.get("uncertainty") or {}), None, fault, None)
    if scheme.get("each_indicator"):
        scheme["each_indicator"] = _numbered(dict(scheme["each_indicator"]), NUMBERS, fault, None)
    for name, known in (("no_data", ("open", "zero")), ("bonus_rule", ("step", "linear"))):
        if scheme[name] not in known:
            fault(name, scheme[name])
    taken = []
    for one in scheme["deductions"]:
        if not isinstance(one, Mapping) or not one.get("id") or one.get("each") is None:
            fault("deductions", one)
            continue
        kept = _numbered({name: value for name, value in one.items() if value is not None}, ("each", "limit"), fault)
        taken.append(kept | {"title": _titled(one.get("title") or str(one["id"]), fault, None)})
    return scheme | {"deductions": taken}


def _titled(title: Any, fault: _Fault, row: int | None) -> dict[str, Any]:
    """A title in both languages."""
    if isinstance(title, str):
        return {"zh": title, "en": title}
    if not isinstance(title, Mapping) or not isinstance(title.get("zh"), str):
        fault("title", title, row)
        return {"zh": "", "en": ""}
    return {"zh": title["zh"], "en": title.get("en") or title["zh"]}


def _numbered(
    told: dict[str, Any], names: Sequence[str] | None, fault: _Fault, row: int | None = None
) -> dict[str, Any]:
    """`told` with its numbers (all of it when `names` is None) as finite numbers."""
    for name in list(told) if names is None else names:
        if told.get(name) is None:
            continue
        value = number(told[name])
        if value is None:
            fault(name, told.pop(name), row)
        else:
            told[name] = value
    return told


def number(told: Any) -> float | None:
    """Return a finite number, None for anything else."""
    try:
        value = float(told)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and not isinstance(told, bool) else None


def laid_out(
    scheme: Mapping[str, Any],
    indicators: Sequence[Mapping[str, Any]],
    targets: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the scheme with an item for each indicator where it asks for that (`each_indicator`).

    `indicators`: rows of `reads.indicators`. Targets, units and directions are the plan's unless an item says other; a
    second, higher target of the plan (力争) is the item's incentive target, which earns what the item's `bonus` says.
    `targets`: as `dual.targets` gives them; an item with `dual` (`energy`, `carbon`) takes its basic and incentive
    target, in percent, from there where they were handed down.
    """
    return _dual({**scheme, "items": _items(scheme, indicators)}, targets or {})


def _dual(scheme: dict[str, Any], targets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    items = []
    for one in scheme["items"]:
        own = {name: dict(targets.get(one.get("dual"), {}).get(name) or {}) for name in ("basic", "incentive")}
        taken = {name: round(100 * told["value"], 9) for name, told in own.items() if told.get("value") is not None}
        items.append({**one, **taken, **{f"{name}_from": own[name]["source"] for name in taken}})
    return {**scheme, "items": items}


def _items(scheme: Mapping[str, Any], indicators: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items of a scheme, one for each indicator where it asks for that."""
    if not scheme.get("each_indicator"):
        return [dict(one) for one in scheme["items"]]
    own = {one["id"]: one for one in scheme["items"]}
    items = []
    for one in indicators:
        plain = {
            "id": one["line"], "title": {"zh": one["name"], "en": one["name"]}, "unit": one["unit"],
            "basic": one["value"], "better": one["better"],
        }  # fmt: skip
        if one.get("incentive") is not None:
            plain |= {
                "incentive": one["incentive"],
                "incentive_from": {"zh": "计划的力争值", "en": "as the plan hopes"},
            }
        items.append(plain | scheme["each_indicator"] | own.pop(one["line"], {}))
    return items + [dict(one) for one in own.values() if "title" in one and "weight" in one]


def from_standing(
    scheme: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, forecast: bool = False
) -> dict[str, dict[str, Any]]:
    """Return values by subject and item from the standing of a plan's lines (`status.status`).

    Each indicator counts for the departments that lead it. The value is the figure as reported, with the scheme's
    uncertainty of its stage; with `forecast`, the year-end forecast with its interval (None where it is not known),
    except for what is met for good. A figure that can no longer be judged (`no_data`) is none.
    """
    spread = scheme.get("uncertainty") or {}
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        value, low, high = row["actual"] if row["state"] != "no_data" else None, None, None
        ahead = forecast and value is not None and row["forecast"] is not None and not row["settled"]
        if ahead:
            value, low, high = row["forecast"], row["low"], row["high"]
        elif value is not None:
            share = float(spread.get(row["stage"], 0.0))
            low, high = value - abs(value) * share, value + abs(value) * share
        cell = {"value": value, "low": low, "high": high, "status": row["status"], "confirmed": row["confirmed"],
                "report": row["report"], "forecast": ahead}  # fmt: skip
        for department in row["lead"]:
            found.setdefault(department, {})[row["line"]] = cell
    return found


def slips(rows: Sequence[Mapping[str, Any]], reports: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how often each department reported late and had reports returned: subject → {late, returned}.

    `rows` of `status.status`, `reports` of `reads.reports`. A line with several leads counts for each of them; a
    month that is late counts once, and what the platform computed (`feed` computed) is nobody's lateness.
    """
    lead = {row["line"]: row["lead"] for row in rows}
    late = {(one["line"], one["month"]) for one in reports if one["late"] and one["feed"] != "computed"}
    returned = [one["line"] for one in reports if one["state"] == "returned"]
    found: dict[str, dict[str, float]] = {}
    for name, lines in (("late", [line for line, _ in late]), ("returned", returned)):
        for line in lines:
            for department in lead.get(line, []):
                counts = found.setdefault(department, {"late": 0.0, "returned": 0.0})
                counts[name] += 1
    return found


def unknown_items(scheme: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Return a problem for every item of `values` that the scheme does not have."""
    known = {one["id"] for one in scheme["items"]}
    names = dict.fromkeys(item for told in values.values() for item in told if item not in known)
    return [Problem("plan.no-item", value=name) for name in names]


def read_values(path: str | Path, scheme: Mapping[str, Any] | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Return values by subject and item from a CSV or Excel file with the headings of `VALUE_HEADINGS`.

    An empty value stays without data. `scheme`: the one they are for; an item that it lacks is refused, and a place
    without a row for an item of its scheme has no data for it. Raises Refused with every fault.
    """
    known = None if scheme is None else {one["id"] for one in scheme["items"]}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    problems: list[Problem] = []

    def wrong(place: tabular.Row, rule: str, field: str, value: Any) -> None:
        where = (Path(path).name, place.sheet, place.number, tabular.heading(field, VALUE_HEADINGS))
        problems.append(Problem(f"plan.{rule}", *where, value))

    for one in tabular.rows(path, VALUE_HEADINGS):
        row = one.cells
        status = status_of(row.get("status") or "unverified")
        if status is None:
            wrong(one, "unknown-status", "status", row["status"])
        cell: dict[str, Any] = {"status": status, "source": row.get("source"), "value": None}
        for name in ("value", "low", "high", "basic", "incentive"):
            if row.get(name) in (None, ""):
                continue
            told = number(str(row[name]).replace(",", "").rstrip("%"))
            if told is None:
                wrong(one, "bad-number", name, row[name])
            else:
                cell[name] = told
        subject, item = row.get("subject"), row.get("item")
        if not subject or not item or item in found.get(subject, {}):
            wrong(one, "bad-scheme", "subject", subject)
            continue
        if known is not None and str(item) not in known:
            wrong(one, "no-item", "item", item)
        found.setdefault(str(subject), {})[str(item)] = cell
    if problems:
        raise Refused(problems)
    if scheme is not None and scheme["of"] == "place":
        for own in found.values():
            for item in known or ():
                own.setdefault(item, {"status": "unverified", "source": None, "value": None})
    return found
