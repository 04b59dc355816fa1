"""Files of the registry: certificates and other markets' trades read whole or not at all, and written.

CSV (UTF-8, GB18030) or Excel. Headings may be Chinese or the English column names. Every problem names its file, sheet,
row and column, all at once.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.sheets import decode
from dualcarbon.registry import forms, prices, reads
from dualcarbon.registry.act import Act, days
from dualcarbon.registry.book import Prepared, Registry
from dualcarbon.registry.instruments import Instrument, instruments
from dualcarbon.registry.tables import MIRRORED
from dualcarbon.registry.words import refuse, state_words

CERTIFICATES = {
    "lot": "批次", "instrument": "品种", "holder": "持有人", "quantity": "数量", "first": "起始编号",
    "subject": "计量点", "project": "项目", "period": "生产时期", "document": "核发文件", "at": "核发时间",
    "synthetic": "演示数据",
}  # fmt: skip
CERTIFICATES_NEEDED = ("lot", "instrument", "holder", "quantity", "first", "subject", "period")
TRADES = {
    "code": "成交编号", "instrument": "品种", "vintage": "年度", "day": "成交日期", "quantity": "数量", "unit": "单位",
    "price": "单价", "amount": "成交额", "seller": "出让方", "buyer": "受让方", "synthetic": "演示数据",
}  # fmt: skip
TRADES_NEEDED = ("code", "instrument", "day", "quantity")
YES = ("是", "yes", "true", "1", "演示数据", "synthetic")


class Row(NamedTuple):
    """One row of a file: where it stands and its texts by column name; empty cells are absent."""

    sheet: str | None
    row: int
    cells: dict[str, str]


def read_rows(path: Path, headings: Mapping[str, str], needed: Sequence[str]) -> list[Row]:
    """The rows of every sheet that has the headings, as text. Raises Refused."""
    try:
        grids = _workbook(path) if path.suffix.lower() == ".xlsx" else [(None, _text_grid(path))]
    except Exception as error:
        raise Refused(Problem("registry.file-unreadable", file=path.name, params={"reason": str(error)})) from error
    names = {title: name for name, title in headings.items()} | {name: name for name in headings}
    found: list[Row] = []
    missing: list[Problem] = []
    read = 0
    for sheet, grid in grids:
        heading = [names.get(cell.strip().strip("*＊"), "") for cell in grid[0]] if grid else []
        known = "、".join(headings.values())
        absent = [
            Problem("registry.column-missing", path.name, sheet, 1, value=headings[name], params={"known": known})
            for name in needed
            if name not in heading
        ]
        if absent:
            # A sheet with none of the headings is a note, not a table.
            missing += absent if any(heading) or len(grids) == 1 else []
            continue
        read += 1
        for number, cells in enumerate(grid[1:], 2):
            row = {name: cell.strip() for name, cell in zip(heading, cells, strict=False) if name and cell.strip()}
            if row:
                found.append(Row(sheet, number, row))
    if missing or not read:
        raise Refused(missing or [Problem("registry.column-missing", path.name, value=headings[needed[0]])])
    return found


def _text_grid(path: Path) -> list[list[str]]:
    text, reason = decode(path.read_bytes())
    if text is None:
        raise ValueError(reason)
    return [list(row) for row in csv.reader(io.StringIO(text))]


def _workbook(path: Path) -> list[tuple[str | None, list[list[str]]]]:
    from python_calamine import SheetVisibleEnum, load_workbook

    book = load_workbook(str(path))
    shown = [meta.name for meta in book.sheets_metadata if meta.visible == SheetVisibleEnum.Visible]
    grids = [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in shown]
    return [(name, [[_cell(cell) for cell in row] for row in grid]) for name, grid in grids]


def _cell(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def import_file(registry: Registry, path: str | Path, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Import every lot of a file of certificates, or with any problem none.

    A lot that was imported before with the same content answers `exists`. Raises Refused.
    """
    path = Path(path)
    acts: list[Prepared] = []
    problems: list[Problem] = []
    for row in read_rows(path, CERTIFICATES, CERTIFICATES_NEEDED):
        try:
            made = _lot(registry, row.cells)
            acts.append(replace(made, file=path.name, sheet=row.sheet, row=row.row))
        except Refused as refused:
            problems += _placed(path, row, refused, CERTIFICATES)
    problems += [
        Problem("registry.twice-in-file", one.file, one.sheet, one.row, CERTIFICATES["lot"], one.id)
        for place, one in enumerate(acts)
        if any(one.id == other.id for other in acts[:place])
    ]
    if problems:
        raise Refused(problems)
    return registry.together(acts, dry_run=dry_run)


def _placed(path: Path, row: Row, refused: Refused, headings: Mapping[str, str]) -> list[Problem]:
    """The problems with the row they stand in and the heading of their column."""
    columns = {"subjects": headings.get("subject", "")}
    return [
        replace(one, file=path.name, sheet=row.sheet, row=row.row,
                column=columns.get(one.column or "") or headings.get(one.column or "", one.column))
        for one in refused.problems
    ]  # fmt: skip


def _mind_needed(cells: Mapping[str, str], needed: Iterable[str]) -> None:
    empty = [Problem("registry.cell-unusable", column=name, value=None) for name in needed if name not in cells]
    if empty:
        raise Refused(empty)


def _lot(registry: Registry, cells: dict[str, str]) -> Prepared:
    _mind_needed(cells, CERTIFICATES_NEEDED)
    said: dict[str, Any] = {
        name: cells[name]
        for name in ("instrument", "holder", "quantity", "first", "period", "document", "at")
        if name in cells
    }
    said["subjects"] = [cells[name] for name in ("subject", "project") if name in cells]
    said["synthetic"] = cells.get("synthetic", "").lower() in YES
    return registry.prepare("import", cells["lot"], **said)[0]


def import_trades(registry: Registry, path: str | Path, market: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Mirror another market's trades from its file: `{result, market, rows, new, known}`; with any problem none.

    A trade known with the same content is passed over; known with another it is a problem. Raises Refused.
    """
    path = Path(path)
    problems: list[Problem] = []
    rows: list[dict[str, Any]] = []
    for row in read_rows(path, TRADES, TRADES_NEEDED):
        try:
            made = {**_mirrored(row.cells, instruments(registry.pack)), "market": market, "file": path.name}
            if any(made["code"] == other["code"] for other in rows):
                raise refuse("twice-in-file", "code", made["code"])
            rows.append({**made, "sheet": row.sheet, "row": row.row})
        except Refused as refused:
            problems += _placed(path, row, refused, TRADES)
    if problems:
        raise Refused(problems)
    stamp = hashlib.sha256(f"{market}\n".encode() + path.read_bytes()).hexdigest()
    content = json.dumps({"action": "mirror", "market": market, "sha256": stamp}, ensure_ascii=False)

    def work(act: Act) -> dict[str, Any]:
        return _mirror(act, market, rows)

    act = Prepared(f"mirror-{stamp[:40]}", "mirror", {"kind": market}, content, work)
    return registry.together([act], dry_run=dry_run)[0]


def _mirror(act: Act, market: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    found = act.connection.execute(sa.select(MIRRORED).where(MIRRORED.c.market == market)).mappings()
    known = {row["code"]: row for row in found}
    same = ("instrument", "vintage", "day", "quantity", "price", "amount", "seller", "buyer")
    problems, new = [], []
    for row in rows:
        other = known.get(row["code"])
        if other is None:
            new.append({**row, "act": act.id})
        elif any(other[name] != row[name] for name in same):
            told = {"market": market, "file": other["file"], "line": other["row"]}
            where = (row["file"], row["sheet"], row["row"], TRADES["code"], row["code"])
            problems.append(Problem("registry.mirrored-differs", *where, told))
    if problems:
        raise Refused(problems)
    if new:
        act.connection.execute(MIRRORED.insert(), new)
    return {"market": market, "rows": len(rows), "new": len(new), "known": len(rows) - len(new)}


def _mirrored(cells: dict[str, str], known: Mapping[str, Instrument]) -> dict[str, Any]:
    """One trade of another market; quantity in the smallest unit, price in 0.01 yuan for the quoted unit."""
    _mind_needed(cells, TRADES_NEEDED)
    problems: list[Problem] = []
    code = next((c for c, one in known.items() if cells["instrument"] in (c, *one.title.values())), None)
    if code is None:
        raise refuse("unknown-instrument", "instrument", cells["instrument"], known="、".join(known))
    made: dict[str, Any] = {"instrument": code, "code": cells["code"]}
    made |= {name: cells.get(name) for name in ("vintage", "seller", "buyer")}
    made["synthetic"] = int(cells.get("synthetic", "").lower() in YES)
    for name, read in (("quantity", _quantity), ("price", _money), ("amount", _money), ("day", _day)):
        try:
            made[name] = read(cells.get(name), cells, known[code], name)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    return made


def _quantity(text: str | None, cells: Mapping[str, str], one: Instrument, name: str) -> int:
    from fractions import Fraction

    quoted = one.trade["unit"].values()
    unit = cells.get("unit", one.unit)
    if unit not in (one.unit, one.unit_en, *quoted):
        raise refuse("unit-unknown", "unit", unit, known="、".join((one.unit, *quoted)))
    try:
        amount = Fraction(str(text).replace(",", "")) * (one.trade["per"] if unit in quoted else 1)
    except (ValueError, ZeroDivisionError):
        raise refuse("cell-unusable", name, text) from None
    if amount.denominator != 1 or not 0 < amount < 10**15:
        raise refuse("cell-unusable", name, text)
    return int(amount)


def _money(text: str | None, cells: Mapping[str, str], one: Instrument, name: str) -> int | None:
    return None if text is None else forms.money(name, text)


def _day(text: str | None, cells: Mapping[str, str], one: Instrument, name: str) -> str:
    start, end = days(str(text).replace("/", "-")[:10])
    if (end - start).days != 1:
        raise refuse("cell-unusable", name, text)
    return start.isoformat()


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
