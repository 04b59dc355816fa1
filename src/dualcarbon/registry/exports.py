"""Files of the registry written: certificates, trades and prices as rows with Chinese headings, CSV or Excel."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from dualcarbon.registry import prices, reads
from dualcarbon.registry.book import Registry
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.words import refuse, state_words


def yuan(fen: int | None) -> str | None:
    """0.01 yuan as yuan: 3500 is 35.00."""
    return None if fen is None else f"{fen // 100}.{fen % 100:02}"


def yuan_number(fen: int | None) -> Decimal | None:
    """0.01 yuan as a number of yuan with two decimals, for spreadsheets."""
    return None if fen is None else Decimal(fen).scaleb(-2)


def certificate_rows(registry: Registry, **wanted: Any) -> list[dict[str, Any]]:
    """Every block of serial numbers as a row with Chinese headings; `wanted` as in `reads.find`."""
    rows, after = [], 0
    while True:
        page = reads.find(registry.engine, **wanted, after=after, limit=1000)
        rows += [
            {
                "批次": one["lot"], "品种": one["instrument"], "编号": one["text"], "起始编号": one["first"],
                "终止编号": one["last"], "数量": one["quantity"], "持有人": one["holder"],
                "状态": state_words(one["state"])["zh"], "计量点": "、".join(one["subjects"]), "产生起": one["start"],
                "产生止（不含）": one["end"], "依据文件": one["document"],
                "演示数据": "是" if one["synthetic"] else None,
            }
            for one in page["blocks"]
        ]  # fmt: skip
        if page["next"] is None:
            return rows
        after = page["next"]


def trade_rows(registry: Registry, **wanted: Any) -> list[dict[str, Any]]:
    """Every trade as a row with the headings that `import_trades` reads; `wanted` as in `prices.trades`."""
    known = instruments(registry.pack)
    rows, after = [], 0
    while True:
        page = prices.trades(registry.engine, **wanted, after=after, limit=1000)
        for one in page["trades"]:
            rule = known[one["instrument"]]
            rows.append(
                {
                    "成交编号": one["id"], "品种": one["instrument"], "年度": one["vintage"], "类型": one["kind"],
                    "方式": one["way"], "成交日期": (one["settled"] or one["at"])[:10], "数量": one["quantity"],
                    "单位": rule.unit, "单价": yuan_number(one["price"]), "报价单位": rule.trade["unit"]["zh"],
                    "成交额": yuan_number(one["amount"]), "出让方": one["seller"], "受让方": one["buyer"],
                    "跨区域": "是" if one["cross_region"] else None, "状态": state_words(one["state"])["zh"],
                    "付款凭证": one["payment"], "演示数据": "是" if one["synthetic"] else None,
                }
            )  # fmt: skip
        if page["next"] is None:
            return rows
        after = page["next"]


PRICES = ("品种", "年度", "月份", "市场", "笔数", "成交量", "单位", "均价", "最低", "最高", "报价单位", "演示数据")


def price_rows(series: Iterable[Mapping[str, Any]], pack: str) -> list[dict[str, Any]]:
    """Months of prices as rows with Chinese headings; prices in yuan for the quoted unit."""
    known = instruments(pack)
    rows = []
    for one in series:
        rule = known[one["instrument"]]
        cells = (
            one["instrument"], one["vintage"], one["month"], one["market"] or "本平台", one["count"], one["volume"],
            rule.unit, round(one["mean"] / 100, 4), yuan_number(one["low"]), yuan_number(one["high"]),
            rule.trade["unit"]["zh"],
            "是" if one["synthetic"] else None,
        )  # fmt: skip
        rows.append(dict(zip(PRICES, cells, strict=True)))
    return rows


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, headings: Sequence[str] = ()) -> Path:
    """Write rows as `.xlsx` or `.csv` (UTF-8 with BOM, as Excel opens it). Raises Refused (`registry.file-kind`)."""
    names = list(rows[0]) if rows else list(headings)
    if path.suffix.lower() == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(names)
            writer.writerows([row[name] for name in names] for row in rows)
        return path
    if path.suffix.lower() != ".xlsx":
        raise refuse("file-kind", "file", path.suffix or path.name, known=".xlsx、.csv")
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(names)
    for row in rows:
        sheet.append([row[name] for name in names])
        for cell in sheet[sheet.max_row]:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # a text that begins with = is no formula
    sheet.freeze_panes = "A2"
    book.save(path)
    return path
