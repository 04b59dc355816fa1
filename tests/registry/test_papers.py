"""Files in and out, other markets mirrored, trade confirmations and statements as Word, PDF and Excel."""

import zipfile

import openpyxl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.registry import exports, mirroring, papers, prices
from tests.registry.chain import REDUCTION, imported, issued, rule

HEADING = "成交编号,品种,年度,成交日期,数量,单位,单价,成交额,出让方,受让方\n"


@pytest.fixture
def traded(registry):
    """A settled trade of 120 kg at 35.00 and a transfer; synthetic."""
    issued(registry)
    sell = {"instrument": REDUCTION, "holder": "业主", "quantity": 120, "price": "35"}
    registry.do("offer", "O1", synthetic=True, **sell)
    registry.do("accept", "X1", offer="O1", holder="丙")
    registry.do("settle", "S1", trade="X1", payment="回单 1")
    registry.transfer("T1", REDUCTION, "业主", "丁", 30)
    return registry


def test_other_markets_are_mirrored_and_never_mixed(traded, tmp_path):
    file = tmp_path / "省市场.csv"
    file.write_text(HEADING + "A1,用能权,2026,2026-05-01,12.5,吨标准煤（等价值）,98.00,1225.00,甲,乙\n"
                    "A2,inclusive_reduction,,2026/05/03,2000,,40,80.00,,\n", encoding="gb18030")  # fmt: skip
    tried = mirroring.import_trades(traded, file, "省市场", dry_run=True)
    assert tried["result"] == "would_be_ok" and prices.mirrored(traded.engine)["trades"] == []
    found = mirroring.import_trades(traded, file, "省市场")
    assert (found["rows"], found["new"], found["known"]) == (2, 2, 0)
    assert mirroring.import_trades(traded, file, "省市场")["result"] == "exists"
    first, second = prices.mirrored(traded.engine)["trades"]
    assert (first["quantity"], first["price"], first["amount"]) == (12_500, 9800, 122500)
    assert (second["day"], second["row"], second["file"]) == ("2026-05-03", 3, "省市场.csv")
    (month,) = prices.series(traded.engine, code=REDUCTION, market="省市场")
    assert (month["volume"], month["mean"]) == (2000, 4000.0)
    (own,) = prices.series(traded.engine, code=REDUCTION)
    assert (own["volume"], own["mean"], own["synthetic"]) == (120, 3500.0, True)
    more = tmp_path / "六月.csv"
    more.write_text(HEADING + "A1,用能权,2026,2026-05-01,12.5,吨标准煤（等价值）,98.00,1225.00,甲,乙\n"
                    "A3,gec,,2026-06-01,10,,3,30,,\n")  # fmt: skip
    found = mirroring.import_trades(traded, more, "省市场")
    assert (found["new"], found["known"]) == (1, 1)


def test_every_fault_of_a_file_of_trades_is_told(registry, tmp_path):
    file = tmp_path / "坏.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "成交"
    for row in (
        HEADING.strip().split(","),
        ["A1", "用能权", "2026", "2026-05-01", 1, "克", 98, 98, "甲", "乙"],
        ["A2", "石油", "", "2026-05-01", 1, "", 98, 98, "", ""],
        ["A3", "gec", "", "2026-05", 1.5, "", 3.005, "", "", ""],
        ["A4", "gec", "", "2026-05-01", 1, "", 3, "", "", ""],
        ["A4", "gec", "", "2026-05-01", 1, "", 3, "", "", ""],
        ["", "gec", "", "2026-05-01", 1, "", 3, "", "", ""],
    ):
        book.active.append(row)
    book.create_sheet("说明").append(["本表由交易中心提供"])
    book.save(file)
    with pytest.raises(Refused) as refused:
        mirroring.import_trades(registry, file, "省市场")
    told = [(one.rule.split(".")[1], one.sheet, one.row, one.column) for one in refused.value.problems]
    assert told == [
        ("unit-unknown", "成交", 2, "单位"),
        ("unknown-instrument", "成交", 3, "品种"),
        ("cell-unusable", "成交", 4, "数量"),
        ("price-unusable", "成交", 4, "单价"),
        ("cell-unusable", "成交", 4, "成交日期"),
        ("twice-in-file", "成交", 6, "成交编号"),
        ("cell-empty", "成交", 7, "成交编号"),
    ]
    good = tmp_path / "好.csv"
    good.write_text(HEADING + "A1,gec,,2026-05-01,1,,3,3,,\n")
    mirroring.import_trades(registry, good, "省市场")
    good.write_text(HEADING + "A1,gec,,2026-05-01,2,,3,6,,\n")
    with pytest.raises(Refused) as refused:
        mirroring.import_trades(registry, good, "省市场")
    (problem,) = refused.value.problems
    assert (problem.rule, problem.row, problem.file) == ("registry.mirrored-differs", 2, "好.csv")
    assert mirroring.import_trades(registry, good, "另一市场")["new"] == 1


def test_what_is_exported_can_be_read_elsewhere(traded, tmp_path):
    for name in ("成交.xlsx", "成交.csv"):
        rows = exports.trade_rows(traded, state="settled")
        exports.write_rows(rows, tmp_path / name)
        found = mirroring.import_trades(traded, tmp_path / name, f"镜像 {name}")
        assert (found["new"], len(rows)) == (2, 2)
        first, second = prices.mirrored(traded.engine, market=f"镜像 {name}")["trades"]
        assert (first["code"], first["quantity"], first["price"], first["amount"]) == ("X1", 120, 3500, 420)
        assert first["synthetic"] and second["price"] is None
    certificates = exports.certificate_rows(traded, code=REDUCTION)
    assert sum(row["数量"] for row in certificates) == 500
    exports.write_rows(certificates, tmp_path / "证书.csv")
    assert (tmp_path / "证书.csv").read_text(encoding="utf-8-sig").count("inclusive_reduction:") == len(certificates)
    assert rule(exports.write_rows, [], tmp_path / "证书.doc") == "registry.file-kind"


def text_of(path):
    """The words of a Word file."""
    return zipfile.ZipFile(path).read("word/document.xml").decode()


def test_a_trade_is_confirmed_on_paper(traded, tmp_path):
    report = papers.confirmation(traded.engine, "X1")
    cells = dict(report.blocks[0].rows)
    assert cells["编号"] == "inclusive_reduction:1-120" and cells["成交额"] == "4.20 元"
    assert (cells["状态"], cells["付款凭证"], cells["账本分录"]) == ("已交收", "回单 1", "X1、S1")
    assert report.label == "演示数据"
    words = text_of(papers.write(report, tmp_path / "确认书.docx"))
    assert "成交确认书" in words and "业主" in words
    english = papers.confirmation(traded.engine, "T1", lang="en")
    assert dict(english.blocks[0].rows)["Price"] == "—" and english.title == "Trade confirmation"
    assert papers.write(english, tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")
    assert rule(papers.write, english, tmp_path / "t.txt") == "registry.file-kind"


def test_a_statement_of_a_period(traded, tmp_path):
    imported(traded, holder="丁")
    found = papers.statement(traded.engine, "丁")
    assert [(one["instrument"], one["opening"], one["closing"]) for one in found["accounts"]] == [
        ("gec", 0, 1000),
        (REDUCTION, 0, 30),
    ]
    traded.retire("R1", REDUCTION, "丁", 10, purpose="会议", beneficiary="丁", at="2030-03-01")
    (account,) = papers.statement(traded.engine, "丁", "2030", REDUCTION)["accounts"]
    assert (account["opening"], account["closing"]) == (30, 20)
    (line,) = account["movements"]
    assert (line["change"], line["running"], line["act"]["purpose"]) == (-10, 20, "会议")
    (nothing,) = papers.statement(traded.engine, "丁", "2031", REDUCTION)["accounts"]
    assert (nothing["opening"], nothing["closing"], nothing["movements"]) == (20, 20, [])
    rows = papers.movement_rows(papers.statement(traded.engine, "丁"))
    assert [(row["收入"], row["付出"], row["摘要"]) for row in rows] == [
        (1000, None, "导入"),
        (30, None, "转让"),
        (None, 10, "核销：会议"),
    ]
    sold = papers.statement(traded.engine, "业主")
    assert sold["synthetic"] and sold["accounts"][0]["closing"] == 350
    for lang in ("zh", "en"):
        papers.write(papers.statement_report(sold, lang), tmp_path / f"{lang}.docx")
        assert papers.write(papers.statement_report(sold, lang), tmp_path / f"{lang}.pdf").stat().st_size > 5000
    assert "权益对账单" in text_of(tmp_path / "zh.docx")
    assert rule(papers.statement, traded.engine, "无人") == "registry.no-such-account"
