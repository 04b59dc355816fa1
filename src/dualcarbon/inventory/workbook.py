"""An account as files: an Excel workbook that says where every figure comes from, CSV and Parquet of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcarbon.core.console import plain
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.inventory.styles import (
    FACTOR_NUMBER,
    NUMBER,
    OPENS,
    PERCENT,
    POINTS,
    SOFT,
    STATES,
    STATUS,
    SYNTHETIC,
    TREES,
    UNITS,
    Col,
    border,
    fill,
    font,
    half_percent,
    heading,
    hundredth,
)
from dualcarbon.inventory.tables import DIMENSIONS, NAMES, REASONS, frame

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet


def export(
    account: Mapping[str, Any],
    path: str | Path,
    *,
    lang: str = "zh",
    uncertainty: Mapping[str, Any] | None = None,
    completeness: Mapping[str, Any] | None = None,
    key: Sequence[Mapping[str, Any]] | None = None,
    movers: Mapping[str, Any] | None = None,
) -> Path:
    """Write an account (a document of `accounts.account`) to `path`: .xlsx, .csv or .parquet.

    The workbook has the sheets account, factors, fallbacks, uncertainty, completeness, sources, each with its note of
    synthetic data; `uncertainty`, `completeness` and `key` (key categories) are what the functions of those names gave,
    and fill their sheets more fully; `movers` (of `top_movers`) has a sheet
    of its own. CSV and Parquet hold the rows. Raises Refused for another ending.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".xlsx":
        _Book(account, lang).write(path, uncertainty, completeness, key, movers)
    elif kind == ".csv":
        frame(account).write_csv(path, include_bom=True)
    elif kind in (".parquet", ".pq"):
        frame(account).write_parquet(path)
    else:
        raise Refused(Problem("inventory.no-export", file=path.name, value=path.suffix))
    return path


def export_movers(found: Mapping[str, Any], path: str | Path, *, lang: str = "zh") -> Path:
    """Write what `top_movers` gave to `path`, as a workbook of one sheet."""
    book = _Book(found, lang)
    book._movers(found)
    book.book.save(path)
    return Path(path)


class _Book:
    """One workbook while it is written."""

    def __init__(self, account: Mapping[str, Any], lang: str) -> None:
        from openpyxl import Workbook

        self.account, self.index = account, 1 if lang.startswith("en") else 0
        self.lang = "en" if self.index else "zh"
        self.book: Workbook = Workbook()
        if self.book.active is not None:
            self.book.remove(self.book.active)
        self.unit = UNITS.get(account["unit"], (account["unit"],) * 2)[self.index]

    def say(self, zh: str, en: str) -> str:
        return (zh, en)[self.index]

    def pick(self, text: Any) -> str:
        return str(text.get(self.lang) or "") if isinstance(text, Mapping) else "" if text is None else str(text)

    def write(
        self,
        path: Path,
        uncertainty: Mapping[str, Any] | None,
        completeness: Mapping[str, Any] | None,
        key: Sequence[Mapping[str, Any]] | None,
        movers: Mapping[str, Any] | None,
    ) -> None:
        self._account()
        if movers is not None:
            self._movers(movers)
        self._factors()
        self._fallbacks()
        self._uncertainty(uncertainty, key)
        self._completeness(completeness)
        self._sources()
        self.book.save(path)

    def _sheet(self, zh: str, en: str, freeze: str = "B5") -> Worksheet:
        """A sheet with the account's title, the note of synthetic data and frozen panes."""
        account = self.account
        sheet = self.book.create_sheet(self.say(zh, en))
        tree = TREES.get(account["tree"], (account["tree"],) * 2)[self.index]
        title = (
            f"{self.pick(account['place_name'])} {account['period']} · {account['basis']} {self.pick(account['title'])}"
        )
        sheet["A1"] = f"{title} · {tree} · {self.say(zh, en)}"
        sheet["A1"].font = font(14, True)
        if account["synthetic"]:
            sheet["A2"] = SYNTHETIC[self.index]
            sheet["A2"].font = font(10, True, STATUS["synthetic"][3])
        else:
            sheet["A2"] = OPENS[self.index]
            sheet["A2"].font = font(9, color=SOFT)
        sheet.freeze_panes = freeze
        sheet.sheet_view.showGridLines = False
        sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = "landscape", 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        return sheet

    def _table(
        self, sheet: Worksheet, row: int, columns: Sequence[Col], rows: Sequence[Mapping[str, Any]], title: str = ""
    ) -> int:
        """Write a table with its heading at `row`; returns the next free row."""
        from openpyxl.utils import get_column_letter

        if title:
            sheet.cell(row, 1, title).font = font(11, True)
            row += 1
        for index, column in enumerate(columns, 1):
            heading(sheet.cell(row, index, self.say(column.zh, column.en)))
            letter = get_column_letter(index)
            sheet.column_dimensions[letter].width = max(sheet.column_dimensions[letter].width or 0, column.width)
        for offset, one in enumerate(rows, 1):
            for index, column in enumerate(columns, 1):
                self._cell(sheet.cell(row + offset, index), column, one)
        if not rows:
            sheet.cell(row + 1, 1, self.say("无", "none")).font = font(10, color=SOFT)
        return row + max(len(rows), 1) + 2

    def _cell(self, cell: Any, column: Col, row: Mapping[str, Any]) -> None:
        value = plain(column.take(row))
        cell.font, cell.border = font(10), border()
        if column.zh == "依据状态" and value in STATUS:
            zh, en, paper, ink = STATUS[value]
            cell.value, cell.fill, cell.font = self.say(zh, en), fill(paper), font(10, True, ink)
        elif isinstance(value, bool):
            cell.value = self.say("是", "yes") if value else self.say("否", "no")
        else:
            cell.value = self.pick(value) if isinstance(value, Mapping) else value
            if isinstance(value, int | float):
                cell.number_format = column.form

    def _account(self) -> None:
        account = self.account
        sheet = self._sheet("账户", "Account")
        emission = Col(lambda r: r["value"], f"数值（{self.unit}）", f"Value ({self.unit})", NUMBER, 20)
        interval = [
            Col(lambda r: r["low"], "95% 下限", "95 % low", NUMBER, 18),
            Col(lambda r: r["high"], "95% 上限", "95 % high", NUMBER, 18),
        ]
        status = [
            Col(lambda r: r["status"], "依据状态", "Status"),
            Col(lambda r: r["complete"], "完整", "Complete", width=10),
        ]
        previous = Col(lambda r: r["previous"], "上年同期", "Year before", NUMBER, 18)
        total = [{**account, "name": account["place_name"], "previous": account["previous"]["value"]}]
        name = Col(lambda r: r["name"], "名称", "Name", width=34)
        change = Col(lambda r: r["change"], "变化", "Change", NUMBER, 18)
        percent = Col(lambda r: hundredth(r["change_percent"]), "变化率", "Change", PERCENT, 12)
        if account["value"] is None:
            total = [{**total[0], "value": self.pick(account["notation"])}]
        row = self._table(sheet, 4, [name, emission, *interval, previous, change, percent, *status], total)
        part = Col(lambda r: r["title"], "组成", "Part", width=34)
        memo = Col(lambda r: r["memo"], "备忘（不计入）", "Memo (not added)", width=14)
        method = Col(lambda r: r["method"], "方法", "Method", width=20)
        row = self._table(
            sheet, row, [part, emission, *interval, previous, method, memo, *status], account["parts"],
            self.say("组成", "Parts"),
        )  # fmt: skip
        if account["by"]:
            dims = [Col(itemgetter(d), *NAMES[d], width=14) for d in account["by"] if d in DIMENSIONS]
            rows = [Col(lambda r: r["name"], "名称", "Name", width=34), emission, *interval, previous, change]
            rows += [Col(lambda r: r["pull_points"], "拉动点数（百分点）", "Pull (points)", POINTS, 18)]
            rows += [Col(lambda r: r["share"], "占比", "Share", PERCENT, 10), *status, *dims]
            row = self._table(sheet, row, rows, account["rows"], self.say("明细", "Rows"))
        unit = Col(lambda r: UNITS.get(r["unit"], (r["unit"],) * 2)[self.index], "单位", "Unit")
        beside = [Col(lambda r: r["title"], "另列（不计入账户）", "Apart (never in the account)", width=34)]
        beside += [Col(lambda r: r["value"] if r["value"] is not None else r["notation"], "数值", "Value", NUMBER, 20)]
        row = self._table(sheet, row, [*beside, *interval, previous, unit, *status], account["apart"])
        row = self._controls(sheet, row)
        self._doubled(sheet, self._missing(sheet, row))

    def _doubled(self, sheet: Worksheet, row: int) -> int:
        """What the account counts twice; nothing where it counts nothing twice."""
        columns = [
            Col(lambda r: r["message"], "重复计入", "Counted twice", width=34),
            Col(lambda r: r["remedy"], "改法", "What to do", width=20),
            Col(lambda r: ", ".join(r["datasets"]), "数据集", "Datasets"),
        ]
        return self._table(sheet, row, columns, self.account["doubled"]) if self.account["doubled"] else row

    def _controls(self, sheet: Worksheet, row: int) -> int:
        columns = [
            Col(lambda r: r["name"], "与公布总量的差", "Difference from published totals", width=34),
            Col(lambda r: r["control"], "公布", "Published", NUMBER, 20),
            Col(lambda r: r["value"], "本平台", "Ours", NUMBER, 18),
            Col(lambda r: r["difference"], "差额", "Difference", NUMBER, 18),
            Col(lambda r: hundredth(r["difference_percent"]), "差率", "Difference", PERCENT, 12),
            Col(lambda r: r["unit"], "单位", "Unit"),
            Col(lambda r: r["dataset_title"], "数据集", "Dataset", width=24),
            Col(lambda r: r["status"], "依据状态", "Status"),
        ]
        return self._table(sheet, row, columns, self.account["difference"])

    def _missing(self, sheet: Worksheet, row: int) -> int:
        columns = [
            Col(
                lambda r: REASONS.get(r["reason"], {}).get(self.lang, r["reason"]),
                "缺项（未计入）",
                "Missing (not counted)",
                width=34,
            ),
            Col(lambda r: r["quantity"], "数量", "Quantity", NUMBER, 20),
            Col(lambda r: r["unit"], "单位", "Unit"),
            Col(lambda r: r["place"], "地区", "Place"),
            Col(lambda r: r["carrier"], "能源品种", "Carrier"),
            Col(lambda r: r["period"], "时期", "Period"),
            Col(lambda r: r["parameter"], "缺少的参数", "Parameter", width=20),
            Col(lambda r: r["rows"], "行数", "Rows", "0", 10),
        ]
        return self._table(sheet, row, columns, self.account["missing"])

    def _movers(self, found: Mapping[str, Any]) -> None:
        sheet = self._sheet("企业拉动", "Enterprises")
        columns = [
            Col(lambda r: r["name"], "企业", "Enterprise", width=34),
            Col(lambda r: r.get("entity"), "代码", "Code", width=18),
            Col(lambda r: r.get("place"), "地区", "Place"),
            Col(lambda r: r.get("sector"), "行业", "Sector", width=10),
            Col(lambda r: r.get("value"), f"本期（{self.unit}）", f"This period ({self.unit})", NUMBER, 20),
            Col(lambda r: r.get("previous"), f"上年同期（{self.unit}）", f"Year before ({self.unit})", NUMBER, 20),
            Col(lambda r: r["change"], "变化", "Change", NUMBER, 18),
            Col(lambda r: r["pull_points"], "拉动（百分点）", "Pull (points)", POINTS, 14),
            Col(lambda r: r.get("status"), "依据状态", "Status"),
        ]
        rows = list(found["rows"])
        if found["rest"] is not None:
            rest = self.say("其他企业、估算和无主体的数据", "Other enterprises, estimates and rows about no one")
            whole = {key: found[key] for key in ("value", "previous", "change")}
            rows += [{**found["rest"], "name": rest}]
            rows += [{**whole, "name": self.say("合计", "Total"), "pull_points": found["change_percent"]}]
        sector = self.pick(found["sector_name"])
        self._table(sheet, 4, columns, rows, f"{self.say('行业', 'Sector')} {sector}" if sector else "")

    def _factors(self) -> None:
        columns = [
            Col(lambda r: r["title"] or r["parameter"], "参数", "Parameter", width=34),
            Col(lambda r: r["name"], "适用", "For", width=22),
            Col(lambda r: r["value"], "取值", "Value", FACTOR_NUMBER, 14),
            Col(lambda r: r["unit"], "单位", "Unit", width=22),
            Col(lambda r: r["low"], "95% 下限", "95 % low", FACTOR_NUMBER, 12),
            Col(lambda r: r["high"], "95% 上限", "95 % high", FACTOR_NUMBER, 12),
            Col(lambda r: r["valid_from"], "数据年起", "From", width=10),
            Col(lambda r: r["valid_to"], "数据年止", "To", width=10),
            Col(lambda r: r["known_at"], "公布日期", "Published", width=12),
            Col(lambda r: r["source_title"], "来源", "Source", width=48),
            Col(lambda r: r["clause"], "条款", "Clause", width=24),
            Col(lambda r: r["status"], "依据状态", "Status"),
            Col(lambda r: r["emission"], f"所涉数值（{self.unit}）", f"Concerns ({self.unit})", NUMBER, 20),
        ]
        self._table(self._sheet("因子", "Factors"), 4, columns, self.account["factors"])

    def _fallbacks(self) -> None:
        words = {"place": self.say("上级地区", "place above"), "period": self.say("沿用以前年份", "earlier year"),
                 "key": self.say("较粗分类", "coarser key")}  # fmt: skip
        columns = [
            Col(lambda r: r["parameter"], "参数", "Parameter", width=26),
            Col(lambda r: _told(r["wanted"], ("place", "carrier", "sector", "entity")), "需要", "Wanted for", width=30),
            Col(lambda r: r["wanted"].get("period"), "需要的时期", "Wanted period", width=18),
            Col(lambda r: _told(r["used"], ("place", "carrier", "sector", "entity")), "使用", "Used from", width=30),
            Col(lambda r: r["used"].get("period"), "使用的时期", "Used period", width=18),
            Col(lambda r: r["used"].get("value"), "取值", "Value", FACTOR_NUMBER, 14),
            Col(lambda r: r["used"].get("unit"), "单位", "Unit", width=22),
            Col(lambda r: words.get(r["reason"], r["reason"]), "原因", "Reason", width=18),
            Col(lambda r: r["used"].get("source"), "来源", "Source", width=24),
        ]
        self._table(self._sheet("沿用与回退", "Fallbacks"), 4, columns, self.account["fallbacks"])

    def _uncertainty(self, given: Mapping[str, Any] | None, key: Sequence[Mapping[str, Any]] | None) -> None:
        sheet = self._sheet("不确定度", "Uncertainty")
        account = self.account
        rows = (
            list(given["rows"])
            if given
            else [{**part, "name": part["title"]} for part in account["parts"] if not part["memo"]]
        )
        total = {**account, "name": self.say("合计", "Total"), "previous": account["previous"]["value"]}
        columns = [
            Col(lambda r: r["name"], "类别", "Category", width=34),
            Col(lambda r: r.get("previous"), f"上年同期（{self.unit}）", f"Year before ({self.unit})", NUMBER, 20),
            Col(lambda r: r["value"], f"本期（{self.unit}）", f"This period ({self.unit})", NUMBER, 20),
            Col(lambda r: r["low"], "95% 下限", "95 % low", NUMBER, 18),
            Col(lambda r: r["high"], "95% 上限", "95 % high", NUMBER, 18),
            Col(half_percent, "合成不确定度 ±", "Combined uncertainty ±", PERCENT, 16),
            Col(lambda r: r.get("variance_contribution"), "对方差的贡献", "Contribution to variance", "0.000000", 16),
            Col(lambda r: r["status"], "依据状态", "Status"),
        ]
        row = self._table(sheet, 4, columns, [*rows, total])
        note = self.say(
            "95% 置信。使用同一因子的各行误差相同，因此各行贡献之和不等于合计的方差；空白表示不确定度未知。",
            "95 % confidence. Rows that share a factor err together, so their contributions do not sum to the total's"
            " variance; blank: nobody knows the uncertainty.",
        )
        sheet.cell(row - 1, 1, note).font = font(9, color=SOFT)
        if key:
            columns = [
                Col(lambda r: r["name"], "关键类别", "Key categories", width=34),
                Col(lambda r: r["value"], self.unit, self.unit, NUMBER, 20),
                Col(lambda r: r["level"], "占比", "Level", PERCENT, 12),
                Col(lambda r: r["cumulative"], "累计", "Cumulative", PERCENT, 12),
                Col(lambda r: r["key"], "关键", "Key", width=10),
            ]
            self._table(sheet, row + 1, columns, key)

    def _completeness(self, given: Mapping[str, Any] | None) -> None:
        sheet = self._sheet("完整性", "Completeness")
        if given is None:
            columns = [
                Col(lambda r: r["title"], "组成", "Part", width=34),
                Col(lambda r: r["complete"] if r["value"] is not None else None, "完整", "Complete"),
                Col(lambda r: r["value"], self.unit, self.unit, NUMBER, 20),
            ]
            row = self._table(sheet, 4, columns, self.account["parts"])
        else:
            heading(
                sheet.cell(
                    4, 1, self.say("地区", "Area") if given["rows_are"] == "place" else self.say("行业", "Sector")
                )
            )
            sheet.column_dimensions["A"].width = 34
            for index, month in enumerate(given["months"], 2):
                heading(sheet.cell(4, index, month))
            for offset, one in enumerate(given["rows"], 5):
                sheet.cell(offset, 1, self.pick(one["name"])).font = font(10)
                for index, cell in enumerate(one["cells"], 2):
                    zh, en, paper = STATES.get(cell["state"], (cell["state"], cell["state"], "F3F3F3"))
                    shown = sheet.cell(offset, index, self.say(zh, en))
                    shown.font, shown.fill, shown.border = font(9), fill(paper), border()
            row = 5 + len(given["rows"]) + 1
        self._missing(sheet, row)

    def _sources(self) -> None:
        from dualcarbon.core.classification import load

        account = self.account
        sheet = self._sheet("来源", "Sources")
        names = load(account["run"]["pack"])
        cited = dict.fromkeys(str(row["source"]) for row in account["factors"] if row["source"])
        rows = [
            {"id": code, **(names.sources.row(code) or {})} if code in names.sources else {"id": code} for code in cited
        ]
        title = "title_en" if self.index else "title_zh"
        columns = [
            Col(lambda r: r["id"], "来源代码", "Source", width=30),
            Col(lambda r: r.get(title), "标题", "Title", width=56),
            Col(lambda r: r.get("issuer"), "发布单位", "Issuer", width=24),
            Col(lambda r: r.get("number"), "文号", "Number", width=24),
            Col(lambda r: r.get("issued"), "日期", "Issued", width=12),
            Col(lambda r: r.get("status"), "依据状态", "Status"),
            Col(lambda r: r.get("evidence"), "依据说明", "Evidence", width=40),
        ]
        row = self._table(sheet, 4, columns, rows)
        run = {**account["run"], **(account.get("freshness") or {})}
        told = [{"key": key, "value": _flat(value)} for key, value in run.items() if value not in (None, [], {})]
        facts = [
            Col(lambda r: r["key"], "核算条件", "Run", width=30),
            Col(lambda r: r["value"], "取值", "Value", width=56),
        ]
        self._table(sheet, row, facts, told)


def _told(keys: Mapping[str, Any], wanted: Sequence[str]) -> str:
    return " ".join(str(keys[key]) for key in wanted if keys.get(key))


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
