"""Planted faults: eight reports as they really arrive wrong, each with the answer that a good officer gives.

They are files beside the account, in `faults/`, never part of it: importing one is the reader's own experiment.
`index.csv` holds what is reported and what is right; README in both languages says it in words.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dualcarbon.demo.city import MOVED_FROM, MOVED_ON, City
from dualcarbon.demo.tables import CITY, carrier, read

YEAR = date(2024, 1, 1)
#: Reading lost by the drifting steam meter each month from March 2024.
DRIFT = 0.02
#: Heat over coal (GJ/t) with which the user of the doubled heat worked out "its" coal.
HEAT_PER_TONNE = 16.0
_ZIPPED = (2024, 12, 31, 0, 0, 0)

Rows = list[dict[str, Any]]
Fault = tuple[Rows, dict[str, Any]]


def faults(city: City) -> dict[str, Fault]:
    """Rows of every fault file (Chinese headings) and the numbers that its explanation names, by id."""
    makers: dict[str, Callable[[City], Fault]] = {
        "falling-cumulative": _falling,
        "kwh-as-wan-kwh": _kwh,
        "pv-self-use-omitted": _photovoltaic,
        "steam-drift": _drift,
        "heat-counted-twice": _twice,
        "chp-input-as-consumption": _input,
        "moved-site": _moved,
        "late-revision": _revision,
    }
    return {name: make(city) for name, make in makers.items()}


def write(city: City, folder: Path) -> list[dict[str, str]]:
    """Write the fault files, index.csv, README.md and README.zh-CN.md into `folder`; returns the rows of the index."""
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    made = faults(city)
    for text in read("faults").to_dicts():
        rows, numbers = made[text["id"]]
        _write_rows(folder / text["file"], rows, text["id"])
        said = {name: value.format_map({k: _shown(v) for k, v in numbers.items()}) for name, value in text.items()}
        index.append(said | {name: _shown(numbers[name]) for name in ("entity", "reported", "right", "unit")})
    with (folder / "index.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(index[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(index)
    for lang, name in (("zh", "README.zh-CN.md"), ("en", "README.md")):
        (folder / name).write_text(_readme(index, lang), encoding="utf-8", newline="\n")
    return index


def _readme(index: list[dict[str, str]], lang: str) -> str:
    head, note, wrong, right = {
        "zh": (
            "# 预埋的错误\n\n全部为模拟数据。这些文件不在账户之内；每个文件错在哪里、应当怎样处理，见下。",
            "先用 `dualcarbon import 文件 --dry-run` 试读；需要导入时另建工作区，以免混入演示城市的账户。",
            "错在哪里",
            "正确处理",
        ),
        "en": (
            "# Planted faults\n\nAll synthetic. These files are not part of the account; what is wrong with each, and "
            "the right answer, stands below.",
            "Read one with `dualcarbon import FILE --dry-run`; to import it, use another workspace, so that it stays "
            "out of the demonstration city's account.",
            "What is wrong",
            "The right answer",
        ),
    }[lang]
    parts = [
        f"## {number}. {row[f'title_{lang}']}\n\n`{row['file']}`\n\n**{wrong}**: {row[f'wrong_{lang}']}\n\n"
        f"**{right}**: {row[f'right_{lang}']}"
        for number, row in enumerate(index, 1)
    ]
    return "\n\n".join([head, note, *parts]) + "\n"


def _shown(value: Any) -> str:
    """Numbers as a person writes them: three decimals at most, no trailing zeros."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _write_rows(path: Path, rows: Rows, name: str) -> None:
    """One table with Chinese headings, every row marked synthetic; the same bytes each time."""
    table = [{"数据集": f"fault-{name}", **row, "数据质量": "synthetic"} for row in rows]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows([{k: _shown(v) for k, v in row.items()} for row in table])
        return
    from openpyxl import Workbook

    book = Workbook()
    book.properties.created = book.properties.modified = datetime(*_ZIPPED[:3])
    sheet = book.active
    assert sheet is not None
    sheet.title = "能源消费"
    sheet.append(list(table[0]))
    for row in table:
        sheet.append(list(row.values()))
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "docProps/core.xml":
                content = content.replace(_modified(content), b"2024-12-31T00:00:00Z")
            target.writestr(zipfile.ZipInfo(part.filename, _ZIPPED), content, zipfile.ZIP_DEFLATED)


def _modified(core: bytes) -> bytes:
    """The time of saving that openpyxl writes into docProps/core.xml."""
    return core.rsplit(b"</dcterms:modified>", 1)[0].rsplit(b">", 1)[1]


def _rows_of(city: City, **wanted: str | None) -> pl.DataFrame:
    """Rows of the city with these values, in order of time."""
    conditions = [pl.col(name).is_null() if text is None else pl.col(name) == text for name, text in wanted.items()]
    return city.observations.filter(pl.col("dataset") == CITY, *conditions).sort("start", "place", "sector")


def _firm(city: City, sector: str, item: str, carrier_code: str, process: str | None = None) -> dict[str, Any]:
    """A sampled firm of the sector that reports the item in all 36 months: the middle one by quantity."""
    rows = _rows_of(city, sector=sector, item=item, carrier=carrier_code, process=process)
    firms = city.entities.filter(pl.col("kind") == "enterprise", pl.col("sector") == sector).select("code", "name")
    found = (
        rows.join(firms, left_on="entity", right_on="code")
        .group_by("entity", "name")
        .agg(pl.len(), pl.col("value").sum().alias("total"), pl.col("place").n_unique().alias("places"))
        .filter((pl.col("len") == 36) & (pl.col("places") == 1))
        .sort("total", "entity")
    )
    return found.row(len(found) // 2, named=True)


def _row(source: dict[str, Any], name: str, value: float, unit: str, **more: Any) -> dict[str, Any]:
    """One row of a report in Chinese headings; `name` is the firm's name as it writes it."""
    return {
        "地区": source["place"],
        "主体代码": source["entity"],
        "备注": name,
        "行业": source["sector"],
        "能源品种": source["carrier"],
        "指标": source["item"],
        "时期": f"{source['start']:%Y-%m}",
        "数值": round(value, 3),
        "计量单位": unit,
        "发布日期": f"{source['known_at']:%Y-%m-%d}",
        **more,
    }


def _months(city: City, firm: dict[str, Any], item: str, carrier_code: str, year: int = 2024, **more: Any) -> Rows:
    rows = _rows_of(city, entity=firm["entity"], item=item, carrier=carrier_code, **more)
    return rows.filter(pl.col("start").dt.year() == year).to_dicts()


def _falling(city: City) -> Fault:
    firm = _firm(city, "C17", "energy.purchased", "electricity")
    months = _months(city, firm, "energy.purchased", "electricity")
    use = [row["value"] / 10 for row in months]
    extra = round(use[1] + use[2], 3)
    total, rows, level = 0.0, [], []
    for at, (row, value) in enumerate(zip(months, use, strict=True)):
        total += value
        level.append(total + (extra if at == 3 else 0.0))
        if at:
            period = f"2024-01/{row['start']:%Y-%m}"
            rows.append(_row(row, firm["name"], level[-1], "万千瓦时", 累计="是") | {"时期": period})
    numbers = {"before": level[3], "after": level[4], "extra": extra, "fixed": level[3] - extra, "month": use[4]}
    return rows, {**firm, **numbers, "reported": level[3], "right": level[3] - extra, "unit": "wan_kWh"}


def _kwh(city: City) -> Fault:
    firm = _firm(city, "C34", "energy.purchased", "electricity")
    months = _months(city, firm, "energy.purchased", "electricity")
    late = sum(row["value"] for row in months[6:])
    rows = [
        _row(row, firm["name"], row["value"] * (1000 if at >= 6 else 0.1), "万千瓦时") for at, row in enumerate(months)
    ]
    return rows, {**firm, "right": late, "reported": late * 10000, "unit": "MWh"}


def _photovoltaic(city: City) -> Fault:
    firm = _firm(city, "C29", "energy.self_generated", "electricity", "pv")
    months = _months(city, firm, "energy.purchased", "electricity")
    pv = sum(row["value"] for row in _months(city, firm, "energy.self_generated", "electricity", process="pv"))
    rows = [
        _row({**row, "item": item}, firm["name"], row["value"], "兆瓦时")
        for item in ("energy.purchased", "energy.consumption")
        for row in months
    ]
    bought = sum(row["value"] for row in months)
    return rows, {**firm, "pv": pv, "reported": bought, "right": bought + pv, "unit": "MWh"}


def _drift(city: City) -> Fault:
    bought = _rows_of(city, item="energy.purchased", carrier="heat").filter(pl.col("start") >= YEAR)
    sizes = bought.group_by("entity", "counterparty").agg(pl.col("value").sum().alias("total"), pl.len())
    supplied = _rows_of(city, item="energy.heat_supplied").filter(pl.col("start") >= YEAR)
    whole = dict(supplied.group_by("entity").agg(pl.col("value").sum()).iter_rows())
    sizes = sizes.with_columns((pl.col("total") / pl.col("counterparty").replace_strict(whole)).alias("share"))
    able = sizes.filter((pl.col("len") == 12) & pl.col("entity").str.starts_with("SYN-E") & (pl.col("share") < 0.5))
    entity, supplier = able.sort("share", "entity").select("entity", "counterparty").row(-1)
    names = dict(city.entities.select("code", "name").iter_rows())
    mine = bought.filter((pl.col("entity") == entity) & (pl.col("counterparty") == supplier)).to_dicts()
    read_off = [row["value"] * (1 - DRIFT * max(at - 1, 0)) for at, row in enumerate(mine)]
    rows = [
        _row(row, names[entity], value, "吉焦", 对方=supplier, 对方地区=row["counterparty_place"])
        for row, value in zip(mine, read_off, strict=True)
    ]
    out = supplied.filter(pl.col("entity") == supplier).to_dicts()
    loss = [row["value"] for row in _months(city, {"entity": supplier}, "energy.heat_loss", "heat")]
    missing = [row["value"] - value for row, value in zip(mine, read_off, strict=True)]
    for row, lost, gap in zip(out, loss, missing, strict=True):
        rows.append(_row(row, names[supplier], row["value"], "吉焦", 对方="", 对方地区=""))
        apparent = {**row, "item": "energy.heat_loss"}
        rows.append(_row(apparent, names[supplier], lost + gap, "吉焦", 对方="", 对方地区=""))
    rate = [100 * (lost + gap) / row["value"] for row, lost, gap in zip(out, loss, missing, strict=True)]
    return rows, {
        "entity": entity,
        "name": names[entity],
        "supplier": names[supplier],
        "drift": round(100 * DRIFT, 1),
        "loss_before": round(rate[1], 1),
        "loss_after": round(rate[-1], 1),
        "loss_true": round(100 * loss[-1] / out[-1]["value"], 1),
        "reported": sum(read_off),
        "right": sum(row["value"] for row in mine),
        "unit": "GJ",
    }


def _twice(city: City) -> Fault:
    firm = _firm(city, "C17", "energy.purchased", "heat")
    months = _months(city, firm, "energy.purchased", "heat")
    names = dict(city.entities.select("code", "name").iter_rows())
    rows, coal = [], 0.0
    for row in months:
        supplier = {"对方": row["counterparty"], "对方地区": row["counterparty_place"]}
        rows.append(_row(row, firm["name"], row["value"], "吉焦", **supplier))
        tonnes = row["value"] / HEAT_PER_TONNE
        coal += round(tonnes, 3)
        burned = {**row, "item": "energy.combustion", "carrier": "bituminous_coal"}
        rows.append(_row(burned, firm["name"], tonnes, "吨", 对方="", 对方地区=""))
    heat = sum(row["value"] for row in months)
    numbers = {"supplier": names[months[0]["counterparty"]], "heat": heat, "coal": coal}
    return rows, {**firm, **numbers, "reported": coal, "right": 0.0, "unit": "t"}


def _input(city: City) -> Fault:
    plants = city.entities.filter(pl.col("kind") == "heat-plant").sort("code")
    firm = {"entity": plants["code"][0], "name": plants["name"][0]}
    months = _months(city, firm, "energy.consumption", "bituminous_coal")

    def total(item: str, carrier_code: str, **more: Any) -> float:
        return float(sum(row["value"] for row in _months(city, firm, item, carrier_code, **more)))

    rows = [_row({**row, "item": "energy.combustion"}, firm["name"], row["value"], "吨") for row in months]
    coal = sum(row["value"] for row in months)
    numbers = {
        "coal": coal,
        "for_power": total("energy.combustion", "bituminous_coal", process="power"),
        "for_heat": total("energy.combustion", "bituminous_coal", process="heat"),
        "heat": total("energy.transformation_output", "heat"),
        "power": total("energy.transformation_output", "electricity"),
    }
    return rows, {**firm, **numbers, "reported": coal, "right": numbers["for_heat"], "unit": "t"}


def _moved(city: City) -> Fault:
    old = _rows_of(city, item="energy.purchased", carrier="electricity", place=MOVED_FROM)
    later = _rows_of(city, item="energy.purchased", carrier="electricity").filter(pl.col("place") != MOVED_FROM)
    entity = sorted(set(old["entity"].drop_nulls()) & set(later["entity"].drop_nulls()))[0]
    name = city.entities.filter(pl.col("code") == entity)["name"][0]
    months = _months(city, {"entity": entity}, "energy.purchased", "electricity", 2023)
    rows = [_row({**row, "place": MOVED_FROM}, name, row["value"], "兆瓦时") for row in months]
    moved = sum(row["value"] for row in months if row["start"] >= MOVED_ON)
    stayed = sum(row["value"] for row in months if row["start"] < MOVED_ON)
    numbers = {"entity": entity, "name": name, "moved": moved, "stayed": stayed}
    return rows, {**numbers, "reported": moved + stayed, "right": stayed, "unit": "MWh"}


def _revision(city: City) -> Fault:
    names = dict(city.entities.select("code", "name").iter_rows())
    revised = city.revision.sort("item", "start").to_dicts()
    rows = [_row(row, names[row["entity"]], row["value"], carrier(row["carrier"])["unit"]) for row in revised]
    bought = [row for row in revised if row["item"] == "energy.purchased"]
    entity = bought[0]["entity"]
    before = _months(city, {"entity": entity}, "energy.purchased", "electricity")
    numbers = {"reported": sum(row["value"] for row in before[:6]), "right": sum(row["value"] for row in bought)}
    return rows, {"entity": entity, "name": names[entity], **numbers, "unit": "MWh"}
