"""The tables of the quick-calc's pages as an Excel workbook, in either language."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from dualcarbon.nowcast.told.saying import MARKS, STATUS

Column = tuple[str, str, Callable[[dict[str, Any]], Any]]
Sheet = tuple[str, str, Sequence[Column], Callable[[dict[str, Any]], Sequence[dict[str, Any]]]]


def _of(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row.get(name)


VALUE: list[Column] = [("排放量（吨 CO2）", "t CO2", _of("value"))]
ENDS: list[Column] = [("90% 区间下限", "90% low", _of("low")), ("90% 区间上限", "90% high", _of("high"))]
CHANGE: list[Column] = [
    ("上年同月", "a year before", _of("last_year")),
    ("同比（%）", "change %", _of("change_percent")),
    ("已核算占比", "counted share", _of("counted_share")),
]
NAME: list[Column] = [("名称", "name", _of("name")), ("代码", "code", _of("code"))]
PULL: list[Column] = [("占比", "share", _of("share")), ("拉动（百分点）", "points", _of("pull_points"))]
LAST: Column = ("沿用上年同月（%）", "a year before %", _of("last_value_error_percent"))
HELD: Column = ("90% 实际覆盖", "90% held", _of("coverage90"))
STATE: Column = ("状态", "state", _of("state"))
MONTH: list[Column] = [("月份", "month", _of("month"))]

PARTS: list[Column] = [
    ("直接（吨 CO2）", "direct t CO2", _of("direct")),
    ("间接（吨 CO2）", "indirect t CO2", _of("indirect")),
]
MOVED: list[Column] = [("官方总数移动（吨）", "moved by official totals, t", _of("moved"))]

BOARD: list[Sheet] = [
    ("逐月", "months", [*MONTH, STATE, *VALUE, *ENDS, ("80% 区间下限", "80% low", _of("low80")),
     ("80% 区间上限", "80% high", _of("high80")), *CHANGE, *MOVED], lambda made: made["months"]),
    ("年度累计", "year", [*MONTH, STATE, *VALUE, *ENDS, ("上年累计", "last year", _of("last_year"))],
     lambda made: (made["year"] or {}).get("path", [])),
    ("地区", "areas", [*NAME, *VALUE, *PARTS, *ENDS, *CHANGE, *PULL, *MOVED], lambda made: made["areas"]),
    ("行业", "sectors", [*NAME, *VALUE, *PARTS, *ENDS, *CHANGE, *PULL, *MOVED], lambda made: made["sectors"]),
    ("领域", "domains", [*NAME, *VALUE, *PARTS, *ENDS, *CHANGE, *PULL, *MOVED], lambda made: made["domains"]),
    ("变动原因", "causes", [("因素", "effect", _of("title")), *VALUE, ("百分点", "points", _of("percent"))],
     lambda made: (made["causes"] or {}).get("effects", [])),
    ("需要核实", "to be checked", [("说明", "message", _of("message")), *MONTH], lambda made: made["flags"]),
    ("因子", "factors", [("说明", "message", _of("message")), ("时期", "period", _of("period"))],
     lambda made: [*made["missing"], *made["factors"]]),
    ("重复计入", "counted twice", [("时期", "period", _of("period")), ("说明", "message", _of("message")),
     ("改法", "what to do", _of("remedy"))], lambda made: made["doubled"]),
]  # fmt: skip
RECORD: list[Sheet] = [
    ("检验", "record", [("已有的数据", "in hand", _of("title")), ("层级", "level", _of("level")),
     ("误差（%）", "error %", _of("error_percent")), LAST, ("技巧", "skill", _of("skill_vs_last")), HELD],
     lambda made: [{**one, "title": state["title"], "level": level}
                   for state in (made["replay"] or {}).get("states", {}).values()
                   for level, one in (({"zh": "合计", "en": "total"}, state["total"]),
                                      ({"zh": "单元", "en": "cells"}, state))]),
    ("回放（逐月）", "replay by month", [*MONTH, ("误差（%）", "error %", _of("error_percent")),
     LAST, HELD,
     ("合计估算（吨）", "total estimated, t", lambda row: row["total"]["value"]),
     ("合计核算（吨）", "total counted, t", lambda row: row["total"]["truth"]),
     ("合计下限", "total low", lambda row: row["total"]["low"]),
     ("合计上限", "total high", lambda row: row["total"]["high"])],
     lambda made: (made["replay"] or {}).get("by_month", [])),
    ("回放（行业）", "replay by sector", [("名称", "name", _of("name")), ("代码", "code", _of("sector")),
     ("误差（%）", "error %", _of("error_percent")), LAST,
     ("技巧", "skill", _of("skill_vs_last")), HELD],
     lambda made: (made["replay"] or {}).get("sectors", [])),
    ("修订", "revisions", [*MONTH, ("数据截至", "known on", _of("as_of")), *VALUE, *ENDS, *CHANGE[2:]],
     lambda made: [{"month": row["month"], **one} for row in made["vintages"]["rows"] for one in row["estimates"]]),
    ("新到数据", "news", [("类别", "arrival", _of("arrival")), ("月份", "months", lambda row: "、".join(row["months"])),
     ("影响（吨 CO2）", "effect t CO2", _of("effect"))], lambda made: (made["news"] or {}).get("steps", [])),
]  # fmt: skip


def content(made: dict[str, Any], lang: str = "zh") -> bytes:
    """The workbook of a page's data: one sheet for each table; its first line says the day, the status,
    and the family of factors where it is not the usual one."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    zh = lang == "zh"
    book = Workbook()
    book.remove(book.active)
    status = {**STATUS, **MARKS}[made["status"]][lang]
    place, family = made["place_name"][lang], made["question"].get("family", "")
    family = family and f"{'因子族' if zh else 'family'} {family}　"
    for title_zh, title_en, columns, rows in RECORD if "vintages" in made else BOARD:
        sheet = book.create_sheet(title_zh if zh else title_en)
        sheet.append([f"{place}　{'碳排放速算' if zh else 'carbon quick-calc'}　"
                      f"{'数据截至' if zh else 'known on'} {made['as_of']}　{family}{status}"])  # fmt: skip
        sheet.append([column[0 if zh else 1] for column in columns])
        for row in rows(made):
            coded = {**row, "code": row.get("place") or row.get("sector") or row.get("domain")}
            sheet.append([_cell(column[2](coded), lang) for column in columns])
        sheet["A1"].font = Font(italic=True, color="5F4CA3")
        for cell in sheet[2]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "B3"
        for number in range(len(columns)):
            sheet.column_dimensions[chr(65 + number)].width = 30 if number == 0 else 18
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(value: Any, lang: str) -> Any:
    if isinstance(value, dict):
        value = value.get(lang)
    if isinstance(value, str) and value[:1] in "=+-@":
        return "'" + value
    return value
