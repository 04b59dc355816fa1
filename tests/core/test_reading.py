from datetime import date, datetime

import openpyxl
import polars as pl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.reading import read_factors, read_frame, read_observations
from dualcarbon.core.tables import ENTITY, OBSERVATION, conform

ZH = "地区,企业,行业,能源品种,指标,时期,数值,计量单位"


def book(path, *rows, title="能源", merges=()):
    """A workbook of one sheet."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for merge in merges:
        sheet.merge_cells(merge)
    workbook.save(path)
    return path


def rules(reading):
    return [(p.rule, p.row) for p in reading.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_names_and_units(file, encoding):
    path = file(
        "a.csv",
        '桐乡,某化纤,化学纤维制造业,柴油,燃料燃烧量,2024年1月,"１,２３４．５",吨',
        "330483.0,某化纤,C28,天然气,energy.combustion,2024-01,100000,m³",
        "嘉善县,某纺织,17,电力,购进量,２０２４年１－２月,12,万千瓦时",
        headings=ZH,
        encoding=encoding,
    )
    reading = read_observations(path)
    assert not reading.problems and reading.frame.schema == pl.Schema(OBSERVATION)
    rows = reading.frame.select("place", "sector", "carrier", "item", "start", "end", "value", "unit", "row").rows()
    january = (date(2024, 1, 1), date(2024, 2, 1))
    assert rows == [
        ("330483", "C28", "diesel", "energy.combustion", *january, 1234.5, "t", 2),
        ("330483", "C28", "natural_gas", "energy.combustion", *january, 10.0, "wan_m3", 3),
        ("330421", "C17", "electricity", "energy.purchased", date(2024, 1, 1), date(2024, 3, 1), 120.0, "MWh", 4),
    ]


def test_title_lines_two_headings_merged_cells_and_remarks(tmp_path):
    path = book(
        tmp_path / "a.xlsx",
        ["2024年能源情况"],
        ["地区", "能源", None, "指标", "时期", "数值（吨）", "备注"],
        [None, "品种", "用途", None, None, None, None],
        ["桐乡", "柴油", None, "燃料燃烧量", 202401, 5, "x"],
        [None, "汽油", None, "燃料燃烧量", datetime(2024, 2, 1), "６", None],
        ["注：单位为吨"],
        merges=["A1:G1", "A2:A3", "B2:C2", "D2:D3", "E2:E3", "F2:F3", "G2:G3", "A4:A5"],
    )
    reading = read_observations(path)
    assert not reading.problems
    rows = reading.frame.select("place", "carrier", "start", "value", "unit", "sheet", "row").rows()
    assert rows == [
        ("330483", "diesel", date(2024, 1, 1), 5.0, "t", "能源", 4),
        ("330483", "gasoline", date(2024, 2, 1), 6.0, "t", "能源", 5),
    ]


def test_wide_tables_of_months_items_and_carriers(file):
    months = read_observations(
        file(
            "m.csv",
            "桐乡,柴油,燃料燃烧量,1,,3",
            headings="地区,能源品种,指标,2024年1月(吨),2024年2月(吨),2024年3月(吨)",
        )
    )
    assert not months.problems and months.frame["value"].to_list() == [1, 3]
    items = read_observations(
        file("i.csv", "桐乡,柴油,2024,5,2", headings="地区,能源品种,时期,购进量(吨),期末库存量(吨)")
    )
    assert not items.problems and items.frame["item"].to_list() == ["energy.purchased", "energy.stock_closing"]
    carriers = read_observations(
        file("c.csv", "桐乡,2024,购进量,5,2", headings="地区,年份,指标,电力（万千瓦时）,天然气（万立方米）")
    )
    assert not carriers.problems
    assert carriers.frame.select("carrier", "value", "unit").rows() == [
        ("electricity", 50, "MWh"),
        ("natural_gas", 2, "wan_m3"),
    ]


@pytest.mark.parametrize(
    ("headings", "cells", "span"),
    [
        ("年份,月份", "2024,3", "2024-03-01 2024-04-01"),
        ("年份,月份", "2024年,1-2月", "2024-01-01 2024-03-01"),
        ("年份,季度", "2024,二", "2024-04-01 2024-07-01"),
        ("年份,季度", "2024,Q2", "2024-04-01 2024-07-01"),
        ("年份", "2024.0", "2024-01-01 2025-01-01"),
        ("月份", "2024年3月", "2024-03-01 2024-04-01"),
        ("开始日期,结束日期", "2024-01-01,2024-12-31", "2024-01-01 2025-01-01"),
        ("start,end", "2024-01-01,2025-01-01", "2024-01-01 2025-01-01"),
    ],
)
def test_periods_in_several_columns(file, headings, cells, span):
    reading = read_observations(
        file("a.csv", f"桐乡,柴油,燃料燃烧量,1,吨,{cells}", headings=f"地区,能源品种,指标,数值,单位,{headings}")
    )
    assert not reading.problems
    assert " ".join(map(str, reading.frame.select("start", "end").row(0))) == span


def test_cumulative_reports_begin_in_january(file):
    heads = ZH + ",累计"
    reading = read_observations(file("a.csv", "桐乡,甲,C28,电力,购进量,2024-03,5,MWh,是", headings=heads))
    assert not reading.problems and reading.frame["start"].to_list() == [date(2024, 1, 1)]
    wrong = read_observations(
        file(
            "b.csv",
            "桐乡,甲,C28,电力,购进量,2023-12/2024-02,5,MWh,是",
            "桐乡,甲,C28,柴油,期末库存量,2024-03,5,吨,是",
            "桐乡,甲,C28,汽油,购进量,2024-03,5,吨,也许",
            headings=heads,
        )
    )
    assert rules(wrong) == [
        ("core.cumulative-over-years", 2), ("core.cumulative-not-flow", 3), ("core.unknown-cumulative", 4),
    ]  # fmt: skip


def test_notation_keys(file):
    reading = read_observations(
        file(
            "a.csv",
            "桐乡,甲,C28,柴油,燃料燃烧量,2024,,吨,NO,",
            "桐乡,乙,C28,柴油,燃料燃烧量,2024,NE,吨,,",
            "桐乡,丙,C28,柴油,燃料燃烧量,2024,,吨,已计入他处,330481",
            "桐乡,丁,C28,柴油,燃料燃烧量,2024,,吨,IE,",
            "桐乡,戊,C28,柴油,燃料燃烧量,2024,1,吨,NE,",
            "桐乡,己,C28,柴油,燃料燃烧量,2024,,吨,,",
            "桐乡,庚,C28,柴油,燃料燃烧量,2024,,吨,XX,",
            headings=ZH + ",记号,计入",
        )
    )
    assert reading.frame["notation"].to_list() == ["NO", "NE", "IE"] and reading.frame["value"].null_count() == 3
    assert rules(reading) == [
        ("core.ie-without-target", 5), ("core.value-and-notation", 6), ("core.value-missing", 7),
        ("core.unknown-notation", 8),
    ]  # fmt: skip


def test_standard_coal_needs_its_convention(file):
    reading = read_observations(
        file(
            "a.csv",
            "桐乡,甲,C28,综合能耗,2024,1,万吨标准煤（等价值）,",
            "桐乡,乙,C28,综合能耗,2024,1,吨标准煤,当量",
            "桐乡,丙,C28,综合能耗,2024,1,吨标准煤,",
            "桐乡,丁,C28,综合能耗,2024,1,tce_calorific,等价",
            "桐乡,戊,C28,综合能耗,2024,1,GJ,当量",
            headings="地区,企业,行业,指标,时期,数值,计量单位,口径",
        )
    )
    assert reading.frame.select("value", "unit", "basis").rows() == [
        (10_000.0, "tce_equivalent", "equivalent"), (1.0, "tce_calorific", "calorific"),
    ]  # fmt: skip
    assert rules(reading) == [("core.ambiguous-unit", 4), ("core.unit-against-basis", 5), ("core.wrong-unit", 6)]


@pytest.mark.parametrize(
    ("row", "rule", "column"),
    [
        ("桐乡,甲,C28,柴油,燃料燃烧量,2024,1,", "core.unit-missing", "计量单位"),
        ("桐乡,甲,C28,柴油,燃料燃烧量,2024,1,立方米", "core.wrong-unit", "计量单位"),
        ("桐乡,甲,C28,柴油,燃料燃烧量,2024,1,桶", "core.unknown-unit", "计量单位"),
        ("桐乡,甲,C28,,燃料燃烧量,2024,1,吨", "core.carrier-missing", "能源品种"),
        ("桐乡,甲,C28,液态阳光,燃料燃烧量,2024,1,吨", "core.unknown-carrier", "能源品种"),
        ("桐乡,甲,C99,柴油,燃料燃烧量,2024,1,吨", "core.unknown-sector", "行业"),
        ("桐乡郡,甲,C28,柴油,燃料燃烧量,2024,1,吨", "core.unknown-place", "地区"),
        (",甲,C28,柴油,燃料燃烧量,2024,1,吨", "core.place-missing", "地区"),
        ("桐乡,甲,C28,柴油,,2024,1,吨", "core.item-missing", "指标"),
        ("桐乡,甲,C28,柴油,烧了多少,2024,1,吨", "core.unknown-item", "指标"),
        ("桐乡,甲,C28,柴油,燃料燃烧量,,1,吨", "core.period-missing", "时期"),
        ("桐乡,甲,C28,柴油,燃料燃烧量,2024-02-30,1,吨", "core.bad-period", "时期"),
        ("桐乡,甲,C28,柴油,燃料燃烧量,2024,inf,吨", "core.not-a-number", "数值"),
        ("桐乡,甲,C28,柴油,燃料燃烧量,2024,1.2.3,吨", "core.not-a-number", "数值"),
        ("桐乡,甲,C28,柴油,期末库存量,2024,-1,吨", "core.negative", "数值"),
        ("Í©Ïç,甲,C28,柴油,燃料燃烧量,2024,1,吨", "core.garbled-text", "地区"),
    ],
)
def test_each_fault_is_told_once_where_it_stands(file, row, rule, column):
    reading = read_observations(file("a.csv", "桐乡,好,C28,汽油,燃料燃烧量,2024,1,吨", row, headings=ZH))
    assert [(p.rule, p.file, p.row, p.column) for p in reading.problems] == [(rule, "a.csv", 3, column)]
    for lang in ("zh", "en"):
        said = reading.problems[0].as_dict(lang)
        assert "{" not in said["message"] + said["remedy"]
    assert reading.frame.height == 1


def test_a_sign_may_be_negative_where_the_item_allows(file):
    heads = "place,item,period,value,unit"
    assert not read_observations(file("a.csv", "330483,emission.co2,2024,-5,tCO2", headings=heads)).problems
    assert not read_observations(file("a.csv", "330483,economy.value_added,2024,-5,万元", headings=heads)).problems


def test_columns_that_nobody_knows(file):
    reading = read_observations(
        file("a.csv", "330483,柴油,燃料燃烧量,2024,1,吨,红", headings="地区,品种,指标,时期,数值,单位,颜色")
    )
    assert [(p.rule, p.column) for p in reading.problems] == [("core.unknown-column", "颜色")]
    reading = read_observations(file("a.csv", "330483,柴油,2024,1,吨", headings="地区,品种,时期,数值,单位"))
    assert ("core.missing-column", None) in rules(reading)
    reading = read_observations(
        file("a.csv", "330483,柴油,燃料燃烧量,2024,1,吨,,多", headings="地区,品种,指标,时期,数值,单位")
    )
    assert not {p.rule for p in reading.problems} - {"core.unknown-column"}


def test_files_that_are_no_tables(tmp_path, file):
    (tmp_path / "a.xlsx").write_bytes(b"PK no workbook")
    (tmp_path / "b.parquet").write_bytes(b"nothing")
    (tmp_path / "c.csv").write_bytes(b"")
    (tmp_path / "d.csv").write_bytes(b"\x00\x01\x02\xff\xfe\x80\x81")
    expected = {"a.xlsx": "workbook", "b.parquet": "parquet", "d.csv": "text"}
    for name, what in expected.items():
        assert rules(read_observations(tmp_path / name)) == [(f"core.unreadable-{what}", None)]
    assert rules(read_observations(tmp_path / "c.csv")) == [("core.no-table", None)]
    assert rules(read_observations(file("e.csv", "1,2", headings="甲,乙"))) == [("core.no-headings", None)]
    with pytest.raises(Refused):
        read_observations(tmp_path / "none.csv")


def test_rows_with_too_many_cells(file):
    long = ["330483,A,C28,diesel,energy.combustion,2024-01,1,t"] * 150
    rows = [row.replace(",A,", f",A{n},") for n, row in enumerate(long)]
    reading = read_observations(file("a.csv", *rows, rows[0] + ",extra"))
    assert ("core.too-many-cells", 152) in rules(reading)


def test_dataframes_are_read_like_files():
    frame = pl.DataFrame(
        {"place": [330483, 330481], "carrier": ["diesel", "sun_oil"], "item": ["energy.combustion", "my.item"],
         "period": [2023, 2023], "value": [100, 5], "unit": ["t", "kg"]}
    )  # fmt: skip
    reading = read_frame(frame, items={"my.item": "t"}, carriers=["sun_oil"])
    assert not reading.problems and reading.frame["value"].to_list() == [100.0, 0.005]
    assert {rule for rule, _ in rules(read_frame(frame))} == {"core.unknown-item", "core.unknown-carrier"}


def test_parquet_in_the_canonical_layout_comes_back_as_it_is(tmp_path, file):
    first = read_observations(file("a.csv", "330483,A,C28,diesel,energy.combustion,2024-01,10,t")).frame
    first.write_parquet(tmp_path / "a.parquet")
    again = read_observations(tmp_path / "a.parquet")
    assert not again.problems and again.frame.equals(first)


def test_entities_are_found_by_name(file):
    firms = conform(pl.DataFrame({"code": ["F1"], "name": ["某化纤"], "place": ["330483"], "sector": ["C28"]}), ENTITY)
    path = file(
        "a.csv",
        "某化纤,柴油,燃料燃烧量,2024,1,吨",
        "他厂,柴油,燃料燃烧量,2024,1,吨",
        headings="企业,品种,指标,时期,数值,单位",
    )
    reading = read_observations(path, entities=firms)
    assert reading.frame.select("entity", "place", "sector").rows() == [("F1", "330483", "C28")]
    assert rules(reading) == [("core.place-missing", 3)]


def test_problems_of_one_rule_are_listed_up_to_a_limit(file):
    rows = [f"330483,F{n},C28,diesel,energy.combustion,2024,many,t" for n in range(1200)]
    problems = read_observations(file("a.csv", *rows)).problems
    assert len(problems) == 1001
    assert problems[-1].rule == "core.more" and "200" in problems[-1].as_dict("en")["message"]


def test_factor_files(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(
        "parameter,family,地区,能源品种,value,unit,valid_from,known_at,status\n"
        "fuel.ncv,mine,CN,diesel,４２.652,GJ/t,2023,2024-01-31,unverified\n"
        "fuel.ncv,mine,CN,gasoline,many,GJ/natural,2023,2024-02-31,unverified\n"
        "fuel.ncv,mine,CN,lpg,1,GJ/桶,2023,,unverified\n",
        encoding="gb18030",
    )
    frame, problems = read_factors(path)
    assert frame.height == 3 and frame.row(0, named=True)["value"] == 42.652
    assert frame.row(0, named=True)["place"] == "CN" and frame.row(0, named=True)["known_at"] == date(2024, 1, 31)
    assert [(p.rule, p.row) for p in problems] == [
        ("core.not-a-number", 3), ("core.bad-date", 3), ("core.unknown-unit", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("periods", "cumulative", "problems"),
    [
        (["2024-01/2024-02", "2024-01/2024-03", "2024年1-4月"], [True, True, True], []),
        (["2024-01", "2024-01/2024-02", "2024H1", "2024"], [True, True, True, True], []),
        (["2024-01/2024-02", "2024-03", "2024-04"], [True, False, False], []),
        (["2024-01", "2024-02", "2024-03"], [False, False, False], []),
        (["2024-Q2", "2024-Q3"], [False, False], []),
        (["2024", "2024-01"], [False, False], [("core.overlapping-periods", 3)]),
        (["2024-Q1", "2024"], [True, False], [("core.overlapping-periods", 2)]),
    ],
)
def test_reports_of_the_year_to_date_are_known_by_their_shape(file, periods, cumulative, problems):
    lines = [f"330483,diesel,energy.combustion,{one},{10 * n},t" for n, one in enumerate(periods, 1)]
    reading = read_observations(file("a.csv", *lines, headings="place,carrier,item,period,value,unit"))
    assert rules(reading) == problems
    assert problems or reading.frame["cumulative"].to_list() == cumulative


def test_what_a_file_says_of_its_rows_goes_before_their_shape(file):
    lines = ["330483,diesel,energy.combustion,2024-01/2024-02,10,t,否", "330483,diesel,energy.combustion,2024Q1,9,t,是"]
    reading = read_observations(file("a.csv", *lines, headings="place,carrier,item,period,value,unit,cumulative"))
    assert rules(reading) == [("core.falling-cumulative", 3)]
    lines = ["330483,diesel,energy.combustion,2024-02,10,t,否", "330483,diesel,energy.combustion,2024Q1,12,t,是"]
    reading = read_observations(file("b.csv", *lines, headings="place,carrier,item,period,value,unit,cumulative"))
    assert rules(reading) == [("core.overlapping-periods", 2)]
    shares = ["330400,economy.gdp_growth,2024-01/2024-02,5,%", "330400,economy.gdp_growth,2025-01/2025-03,6,%"]
    reading = read_observations(file("b.csv", *shares, headings="place,item,period,value,unit"))
    assert not reading.problems and not reading.frame["cumulative"].any()
