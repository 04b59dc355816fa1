"""Trades of other markets, mirrored from their files whole or not at all; never mixed with the trades made here."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.registry import forms
from dualcarbon.registry.act import Act, days
from dualcarbon.registry.book import Prepared, Registry
from dualcarbon.registry.files import YES, mind_needed, placed, read_rows
from dualcarbon.registry.instruments import Instrument, code_of, instruments
from dualcarbon.registry.tables import MIRRORED
from dualcarbon.registry.words import listed, refuse

TRADES = {
    "code": "成交编号", "instrument": "品种", "vintage": "年度", "day": "成交日期", "quantity": "数量", "unit": "单位",
    "price": "单价", "amount": "成交额", "seller": "出让方", "buyer": "受让方", "synthetic": "演示数据",
}  # fmt: skip
TRADES_NEEDED = ("code", "instrument", "day", "quantity")


def import_trades(registry: Registry, path: str | Path, market: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Mirror another market's trades from its file: `{result, market, rows, new, known}`; with any problem none.

    A trade known with the same content is passed over; known with another it is a problem. Raises Refused.
    """
    path = Path(path)
    problems: list[Problem] = []
    rows: dict[str, dict[str, Any]] = {}
    for row in read_rows(path, TRADES, TRADES_NEEDED):
        try:
            made = {**_mirrored(row.cells, instruments(registry.pack)), "market": market, "file": path.name}
            if made["code"] in rows:
                raise refuse("twice-in-file", "code", made["code"])
            rows[made["code"]] = {**made, "sheet": row.sheet, "row": row.row}
        except Refused as refused:
            problems += placed(path, row, refused, TRADES)
    if problems:
        raise Refused(problems)
    stamp = hashlib.sha256(f"{market}\n".encode() + path.read_bytes()).hexdigest()
    content = json.dumps({"action": "mirror", "market": market, "sha256": stamp}, ensure_ascii=False)

    def work(act: Act) -> dict[str, Any]:
        return _mirror(act, market, list(rows.values()))

    act = Prepared(f"mirror-{stamp[:40]}", "mirror", {"kind": market}, content, work)
    return registry.together([act], dry_run=dry_run)[0]


def _mirror(act: Act, market: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    codes = act.desk.store.among(MIRRORED.c.code, [row["code"] for row in rows])
    found = act.desk.execute(sa.select(MIRRORED).where(MIRRORED.c.market == market, codes)).mappings()
    known = {row["code"]: row for row in found}
    same = ("instrument", "vintage", "day", "quantity", "price", "amount", "seller", "buyer")
    problems, new = [], []
    for row in rows:
        other = known.get(row["code"])
        if other is None:
            new.append({**row, "act": act.id})
            act.desk.insert(MIRRORED, new[-1])
        elif any(other[name] != row[name] for name in same):
            told = {"market": market, "file": other["file"], "line": other["row"]}
            where = (row["file"], row["sheet"], row["row"], TRADES["code"], row["code"])
            problems.append(Problem("registry.mirrored-differs", *where, told))
    if problems:
        raise Refused(problems)
    return {"market": market, "rows": len(rows), "new": len(new), "known": len(rows) - len(new)}


def _mirrored(cells: dict[str, str], known: Mapping[str, Instrument]) -> dict[str, Any]:
    """One trade of another market; quantity in the smallest unit, price in 0.01 yuan for the quoted unit."""
    mind_needed(cells, TRADES_NEEDED)
    problems: list[Problem] = []
    code = code_of(cells["instrument"], known)
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
        raise refuse("unit-unknown", "unit", unit, known=listed((one.unit, *quoted)))
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
