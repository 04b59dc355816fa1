"""Figures of the dual targets that no account holds: targets handed down, published growth, notified falls, deductions.

They are told once for a place, each with its period, source and status, and serve every plan of that place. What is not
told is missing, never zero. Rows are only added; the last one told of a name and period counts.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dualcarbon.core import periods
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import tabular
from dualcarbon.plan.assessing.assess_tables import HANDED, METADATA
from dualcarbon.plan.store import stamp, writing
from dualcarbon.plan.words import STATUS_WORDS, status_of, unit_name

#: Figures by name and period, as `standing` gives them.
Figures = Mapping[tuple[str, str], Mapping[str, Any]]
SCALE = {"%": 0.01, "万tce": 1e4, "MWh": 1.0, "亿元": 1.0}
HEADINGS = {
    "项目": "name", "时期": "period", "年份": "period", "数值": "value", "单位": "unit", "价格基年": "price_year",
    "依据状态": "status", "状态": "status", "来源": "source", "文号": "source",
}  # fmt: skip
_COLUMNS = ("项目", "时期", "数值", "单位", "价格基年", "依据状态", "来源", "用途")
_NOTES = (
    "一行一个数。时期写年份（2024）、起止月份（2024-01/2024-06）或五年（2021-2025）；下降写正数，3 表示 3%。",
    "没有下达或没有公布的留空，不要填 0。留空的不导入，判断时说“不能判断”并写明缺哪一个。",
    "来源写文件名称、文号或通报日期；依据状态：官方、转引、未核实、演示数据。",
    "GDP（不变价）须写价格基年，相邻两年同一基年才能算增速；有公布增速的不必填。",
    "有任何一处问题，整份都不导入，并一次列出全部问题。更正是新的一行，旧的保留。",
)


@cache
def names() -> dict[str, dict[str, str]]:
    """Return the figures that can be told: `name → {name, title_zh, title_en, unit, span, serves_zh, serves_en}`."""
    with Path(__file__).with_name("handed.csv").open(encoding="utf-8", newline="") as lines:
        return {row["name"]: row for row in csv.DictReader(lines)}


def standing(workspace: Workspace, place: str, as_of: date | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what was told of a place by (name, period): `{value, unit, price_year, status, source, told}`.

    `value` is a share, tce, MWh or 亿元 (in `price_year`'s prices), `shown` the number as it was told.
    """
    if not _installed(workspace):
        return {}
    chosen = sa.select(HANDED).where(HANDED.c.place == place).order_by(HANDED.c.number)
    if as_of is not None:
        chosen = chosen.where(HANDED.c.told <= as_of.isoformat())
    kept = ("name", "period", "unit", "price_year", "status", "source", "told")
    with workspace.database.connect() as connection:
        rows = connection.execute(chosen).mappings().all()
    return {
        (row["name"], row["period"]): {name: row[name] for name in kept}
        | {"unit_name": unit_name(row["unit"]), "shown": row["value"], "value": row["value"] * SCALE[row["unit"]]}
        for row in rows
    }


def tell(
    workspace: Workspace,
    place: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    at: date | None = None,
    person: str | None = None,
    dry_run: bool = False,
    file: str | None = None,
) -> dict[str, Any]:
    """Keep figures of a place, all or (Refused with every fault) none. Returns `{place, told, unchanged, dry_run}`.

    Rows: `{name, period, value, source, status?, unit?, price_year?, sheet?, row?}`; `name` as in `handed.csv` or by
    its title, `value` in that unit. A row without a value is passed over; one that stands already is not told again.
    """
    problems: list[Problem] = []
    read = [one for one in (_read(row, file, problems) for row in rows) if one is not None]
    seen: dict[tuple[str, str], Any] = {}
    for one in read:
        key = (one["name"], one["period"])
        if key in seen:
            title = names()[one["name"]]
            where = {"file": file, "sheet": one["sheet"], "row": one["row"], "value": one["period"]}
            name = {"zh": title["title_zh"], "en": title["title_en"]}
            problems.append(Problem("plan.handed-twice", **where, params={"name": name}))
        seen[key] = one
    if problems:
        raise Refused(problems)
    known = standing(workspace, place)
    compared = ("shown", "price_year", "status", "source")
    new = [
        one for key, one in seen.items() if key not in known or any(known[key][name] != one[name] for name in compared)
    ]
    answer = {"place": place, "told": [_plain(one) for one in new], "unchanged": len(seen) - len(new)}
    if new and not dry_run:
        with writing(workspace) as connection:
            METADATA.create_all(connection)
            kept = [{**_plain(one), "place": place, **stamp(at, None, person)} for one in new]
            connection.execute(sa.insert(HANDED), kept)
    return answer | {"dry_run": dry_run}


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: one[name] for name in ("name", "period", "unit", "price_year", "status", "source")}
    return row | {"value": one["shown"]}


def _read(row: Mapping[str, Any], file: str | None, problems: list[Problem]) -> dict[str, Any] | None:
    """A row as it is kept, None for one without a value; what is wrong goes to `problems`."""
    where: dict[str, Any] = {"file": file, "sheet": row.get("sheet"), "row": row.get("row")}

    def wrong(rule: str, field: str, value: Any, **params: Any) -> None:
        column = tabular.heading(field, HEADINGS) if file else field
        problems.append(Problem(f"plan.{rule}", column=column, value=value, params=params, **where))

    given = row.get("value")
    if given is None or str(given).strip() == "":
        return None
    titles = {one["title_zh"]: name for name, one in names().items()}
    said = str(row.get("name") or "").strip()
    name = titles.get(said, said)
    one = names().get(name)
    if one is None:
        wrong("handed-name", "name", said)
        return None
    unit = str(row.get("unit") or one["unit"])
    if unit != one["unit"]:
        wrong("handed-unit", "unit", unit, unit=one["unit"])
    value = _number(given)
    if value is None or (unit == "%" and abs(value) >= 100) or (unit != "%" and value < 0):
        wrong("bad-number", "value", given)
    if name == "gdp_fixed" and value == 0:
        wrong("handed-positive", "value", given, name={"zh": one["title_zh"], "en": one["title_en"]})
    period = _period(str(row.get("period") or ""), one["span"])
    if period is None:
        wrong("bad-period", "period", row.get("period"))
    elif not _read_as(name, one["span"], period):
        wrong("handed-period", "period", row.get("period"), name={"zh": one["title_zh"], "en": one["title_en"]})
    status = status_of(str(row.get("status") or "unverified"))
    if status is None:
        wrong("unknown-status", "status", row["status"])
    source = str(row.get("source") or "").strip()
    if not source:
        wrong("handed-source", "source", None, name={"zh": one["title_zh"], "en": one["title_en"]})
    price_year = _number(row.get("price_year"))
    if name == "gdp_fixed" and (price_year is None or not 1990 <= price_year <= 2100):
        wrong("handed-prices", "price_year", row.get("price_year"))
    base = int(price_year) if name == "gdp_fixed" and price_year is not None else None
    return {"name": name, "period": period or "", "shown": value, "unit": one["unit"], "status": status,
            "source": source, "price_year": base, "sheet": row.get("sheet"), "row": row.get("row")}  # fmt: skip


def _number(given: Any) -> float | None:
    if isinstance(given, bool) or given is None:
        return None
    try:
        value = float(str(given).replace(",", "").replace("，", "").strip().rstrip("%"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _period(said: str, span: str) -> str | None:
    """A period as `core.periods` writes it; None for one that does not fit."""
    text = re.sub(r"\s|年", "", said)
    five = re.fullmatch(r"(\d{4})[-—–~至/](\d{4})", text)
    try:
        found = periods.parse(f"{five[1]}/{five[2]}" if five else text)
    except ValueError:
        return None
    years = (found.end.year - found.start.year) if found.end.month == 1 else found.end.year - found.start.year + 1
    if (years > 1) != (span == "five"):
        return None
    return periods.text(found.start, found.end)


def _read_as(name: str, span: str, period: str) -> bool:
    """Whether anything reads a figure of such a period: growth since January, else whole years or five years' plans."""
    found = periods.parse(period)
    if span == "five":
        return found.start.year % 5 == 1 and found.end == date(found.start.year + 5, 1, 1) and found.start.month == 1
    if name == "gdp_growth":
        return found.start.month == 1
    return (found.end - found.start).days > 360 and found.start.month == 1


def five(years: Sequence[int]) -> str:
    """Return the period text of a five-year plan's years."""
    return f"{years[0]}-01/{years[-1]}-12" if years else ""


def read_file(path: str | Path) -> list[dict[str, Any]]:
    """Return the rows of a filled template (CSV or Excel) for `tell`. Raises Refused."""
    return [{**row.cells, "sheet": row.sheet, "row": row.number} for row in tabular.rows(path, HEADINGS)]


def template(workspace: Workspace, place: str, years: Sequence[int], now: int, path: str | Path) -> dict[str, Any]:
    """Write the form of a place's figures, those of five years and the yearly ones up to `now`, with what stands.

    Returns `{file, place, rows, filled}`.
    """
    known = standing(workspace, place)
    body = []
    for name, one in names().items():
        spans = [five(years)] if one["span"] == "five" else [str(year) for year in years if year <= now]
        for span in spans if years else [str(now)]:
            stands: Mapping[str, Any] = known.get((name, span), {})
            period = f"{years[0]}-{years[-1]}" if one["span"] == "five" and years else span
            status = STATUS_WORDS[stands["status"]][0] if stands else ""
            body.append([one["title_zh"], period, stands.get("shown"), one["unit"], stands.get("price_year"), status,
                         stands.get("source", ""), one["serves_zh"]])  # fmt: skip
    label = "含演示数据" if any(one["status"] == "synthetic" for one in known.values()) else ""
    tabular.write(path, list(_COLUMNS), body, list(_NOTES), label=label)
    return {"file": str(path), "place": place, "rows": len(body), "filled": sum(line[2] is not None for line in body)}


def last_told(workspace: Workspace) -> int:
    """Return the number of the last figure told; 0 before the first."""
    if not _installed(workspace):
        return 0
    with workspace.database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.max(HANDED.c.number))).scalar() or 0)


def _installed(workspace: Workspace) -> bool:
    return sa.inspect(workspace.database).has_table(HANDED.name)
