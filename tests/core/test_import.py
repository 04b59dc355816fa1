"""Importing as the user does it: the workbook of planted faults, a killed import, the program's verbs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from dualcarbon.core import store
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace

HEADINGS = (
    ("地区", "企业", "行业", "能源", None, "指标", "时期", "数值", "累计"),
    (None, None, None, "品种", "计量单位"),
)
GARBLED = "海宁".encode("gb18030").decode("latin-1")
#: Row of the sheet, cells, and the rule that the row breaks (None: accepted).
PLANTED = (
    (4, ("桐乡", "甲", "C28", "柴油", "吨", "燃料燃烧量", "2024-01", 10, None), None),
    (5, ("桐乡", "甲", "C28", "电力", "吨", "购进量", "2024-01", 10, None), "core.wrong-unit"),
    (6, ("桐乡", "甲", "C28", "液态阳光", "吨", "燃料燃烧量", "2024-01", 10, None), "core.unknown-carrier"),
    (7, ("桐乡", "甲", "C28", "柴油", "吨", "期末库存量", "2024-01", -3, None), "core.negative"),
    (8, ("桐乡", "甲", "C28", "柴油", "吨", "燃料燃烧量", "2024-01", 10, None), "core.duplicate-row"),
    (9, ("桐乡", "甲", "C28", "汽油", "吨", "燃料燃烧量", "2024-01", "约十吨", None), "core.not-a-number"),
    (10, ("桐乡", "甲", "C28", "汽油", "吨", "燃料燃烧量", "2024-02-30", 1, None), "core.bad-period"),
    (11, ("海宁", "乙", "C28", "原煤", "吨", "燃料燃烧量", "2024-01", 100, None), None),
    (12, ("海宁", "乙", "C28", "无烟煤", "吨", "燃料燃烧量", "2024-01", 50, None), "core.parent-and-child"),
    (13, ("海宁", "丙", "C17", "电力", "万千瓦时", "购进量", "2024年1-2月", 20, "是"), None),
    (14, ("海宁", "丙", "C17", "电力", "万千瓦时", "购进量", "2024年1-3月", 15, "是"), "core.falling-cumulative"),
    (15, (GARBLED, "丙", "C17", "热力", "GJ", "购进量", "2024-03", 15, None), "core.garbled-text"),
    (16, ("海宁", "丁", "C17", "电力", "万千瓦时", "购进量", "2024年3月", "１２，３４５．６", None), None),
    (17, (330483.0, "戊", "C17", "电力", "万千瓦时", "购进量", 202403.0, 5, None), None),
)
COLUMN = {
    "core.wrong-unit": "计量单位",
    "core.unknown-carrier": "品种",
    "core.negative": "数值",
    "core.not-a-number": "数值",
    "core.bad-period": "时期",
    "core.parent-and-child": "品种",
    "core.falling-cumulative": "数值",
    "core.garbled-text": "地区",
}


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """The planted faults under a title and two lines of merged headings."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "能源"
    sheet.append(["2024年能源情况表"])
    for line in HEADINGS:
        sheet.append(line)
    for merged in ("A1:I1", "D2:E2", *(f"{letter}2:{letter}3" for letter in "ABCFGHI")):
        sheet.merge_cells(merged)
    for _, cells, _ in PLANTED:
        sheet.append(cells)
    book.create_sheet("说明").append(["本表为测试用"])
    book.save(tmp_path / "故障.xlsx")
    return tmp_path / "故障.xlsx"


EXPECTED = [(row, rule) for row, _, rule in PLANTED if rule]


def test_all_planted_faults_are_told_at_once_and_nothing_is_imported(place, workbook):
    before = (place.version(), sorted(place.path.rglob("*.parquet")))
    with pytest.raises(Refused) as refused:
        place.import_file(workbook)
    problems = refused.value.problems
    assert [(p.row, p.rule) for p in problems] == EXPECTED
    assert {(p.file, p.sheet) for p in problems} == {("故障.xlsx", "能源")}
    for problem in problems:
        assert problem.column == COLUMN.get(problem.rule)
        zh, en = problem.as_dict("zh"), problem.as_dict("en")
        assert zh["message"] != en["message"] and zh["remedy"] and en["remedy"]
    assert "海宁" in next(p for p in problems if p.rule == "core.garbled-text").as_dict("zh")["message"]
    assert (place.version(), sorted(place.path.rglob("*.parquet"))) == before
    assert place.observations().fetchall() == [] and place.imports() == []


def test_the_same_faults_in_gb18030_text(place, tmp_path):
    heads = "地区,企业,行业,能源品种,计量单位,指标,时期,数值,累计"
    lines = [",".join("" if cell is None else f'"{cell}"' for cell in cells) for _, cells, _ in PLANTED]
    lines[11] = lines[11].replace(GARBLED, "乱码州")
    (tmp_path / "故障.csv").write_text("\n".join((heads, *lines)), encoding="gb18030")
    with pytest.raises(Refused) as refused:
        place.import_file(tmp_path / "故障.csv")
    expected = [(row - 2, "core.unknown-place" if rule == "core.garbled-text" else rule) for row, rule in EXPECTED]
    assert [(p.row, p.rule) for p in refused.value.problems] == expected


def test_what_is_accepted_of_them_is_imported(place, workbook):
    book = openpyxl.load_workbook(workbook)
    for row, _ in reversed(EXPECTED):
        book["能源"].delete_rows(row)
    book.save(workbook)
    assert place.import_file(workbook)["rows"] == len(PLANTED) - len(EXPECTED)
    rows = place.observations().filter("entity IN ('丁', '戊')").select("place, value, start").order("place").fetchall()
    assert [(row[0], row[1], str(row[2])) for row in rows] == [
        ("330481", 123456.0, "2024-03-01"), ("330483", 50.0, "2024-03-01"),
    ]  # fmt: skip


def test_the_program_refuses_in_the_language_asked(dualcarbon, workbook):
    for lang, word in (("zh", "不认识能源品种"), ("en", "is not known")):
        ran = dualcarbon("--lang", lang, "import", workbook, "--json", "--workspace", "w")
        assert ran.code == 1
        told = ran.json["problems"]
        assert [(one["row"], one["rule"]) for one in told] == EXPECTED and word in told[1]["message"]
        assert set(told[0]) == {"file", "sheet", "row", "column", "value", "rule", "message", "remedy"}
    assert dualcarbon("import", "list", "--json", "--workspace", "w").json == []


def test_the_verbs(dualcarbon, file, tmp_path):
    first = file("a.csv", "330483,A,C28,diesel,energy.combustion,2024-01,10,t")
    second = file("b.csv", "330483,A,C28,diesel,energy.combustion,2024-01,12,t")
    assert dualcarbon("import", first, "--dry-run", "--json").json["rows"] == 1
    assert not (tmp_path / "workspace").exists()
    done = dualcarbon("import", first, "--dataset", "returns-2024", "--json").json
    assert done["rows"] == 1 and not done["already"]
    again = dualcarbon("import", first, "--json")
    assert again.code == 0 and again.json["already"]
    assert dualcarbon("import", second, "--dataset", "returns-2024").code == 1
    revised = dualcarbon("import", second, "--dataset", "returns-2024", "--revise", "更正", "--json").json
    assert revised["superseded"] == 1
    assert dualcarbon("import", "revert", revised["id"], "--reason", "误", "--json").json["reverted"]
    assert [one["reverted"] for one in dualcarbon("import", "list", "--json").json] == [True, False]
    assert dualcarbon("backup", "b.zip", "--json").json["version"] == 3
    assert dualcarbon("restore", "b.zip", "--workspace", "again", "--json").json["version"] == 3
    assert dualcarbon("run", "list", "--json").json == []
    assert dualcarbon("import", first, "--role", "boss").code == 2
    assert dualcarbon("import", first, "--revise", " ").code == 2
    ran = dualcarbon("import", "none.csv", "--json")
    assert ran.code == 1 and ran.json["problems"][0]["rule"] == "core.no-file"


def moment(place: Path, name: str) -> bool:
    """Whether an import into an empty workspace has come as far as `name`."""
    table = place / "observations"
    return {
        "start": True,
        "data": any(table.glob("*.parquet")),
        "commit": (table / "_delta_log" / f"{1:020d}.json").exists(),
    }[name]


def importing(place: Path, file: Path) -> subprocess.Popen[bytes]:
    """A process that imports a file."""
    code = (
        "import sys; from dualcarbon.core.workspace import Workspace as W; W.open(sys.argv[1]).import_file(sys.argv[2])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", code, str(place), str(file)], env=environment)


@pytest.mark.parametrize(
    ("name", "delay"),
    [("start", 0.5), ("start", 1.0), ("start", 1.5), ("data", 0), ("data", 0.003), ("commit", 0), ("commit", 0.005)],
)
def test_a_killed_import_leaves_all_or_nothing(tmp_path, name, delay):
    place = Workspace.create(tmp_path / "w")
    rows = 60_000
    frame = pl.DataFrame({"entity": [f"F{n}" for n in range(rows)]}).with_columns(
        place=pl.lit("330483"), carrier=pl.lit("diesel"), item=pl.lit("energy.combustion"), period=pl.lit("2024-01"),
        value=pl.lit(1.0), unit=pl.lit("t"),
    )  # fmt: skip
    frame.write_csv(tmp_path / "big.csv")
    child = importing(place.path, tmp_path / "big.csv")
    until = time.monotonic() + 60
    while child.poll() is None and not moment(place.path, name) and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait()
    committed = place.version() == 1
    again = Workspace.open(place.path)
    assert len(again.imports()) == committed
    assert again.observations().aggregate("count(*)").fetchall() == [(rows * committed,)]
    assert [one["id"] for one in again.datasets()] == ["observations"] * committed
    if name == "commit":
        assert committed
    answer = again.import_file(tmp_path / "big.csv")
    assert answer["already"] == committed and again.observations().aggregate("sum(value)").fetchall() == [(rows,)]
    assert len(store.files(again.table)) == 1


def test_two_imports_at_once_do_not_add_a_row_twice(tmp_path, file):
    place = Workspace.create(tmp_path / "w")
    paths = [
        file(
            f"{n}.csv",
            "330483,A,C28,diesel,energy.combustion,2024-01,10,t",
            f"330483,B{n},C28,diesel,energy.combustion,2024-01,1,t",
        )
        for n in range(3)
    ]
    children = [importing(place.path, path) for path in paths]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert place.observations().aggregate("count(*), sum(value)").fetchall() == [(4, 13.0)]
    assert sorted(one["rows"] for one in place.imports()) == [1, 1, 2]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_template_comes_back_as_observations(place, tmp_path, lang):
    from dualcarbon.app.observation_template import COLUMNS, write

    write(tmp_path / "t.xlsx", "cn-jiaxing", lang)
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    cells = {
        "place": "桐乡市",
        "sector": "纺织业",
        "carrier": "电力",
        "item": "购进量",
        "period": "2024年1-2月",
        "cumulative": "yes" if lang == "en" else "是",
        "value": 12,
        "unit": "万千瓦时",
        "note": "试填",
    }
    for number, (_, column, _, _) in enumerate(COLUMNS, start=1):
        book.worksheets[0].cell(2, number, cells.get(column))
    book.save(tmp_path / "t.xlsx")
    assert place.import_file(tmp_path / "t.xlsx")["rows"] == 1
    assert place.observations().select("place, sector, value, unit").fetchall() == [("330483", "C17", 120.0, "MWh")]


def test_an_official_form_is_read_by_its_own_room(dualcarbon, tmp_path):
    assert dualcarbon("template", "energy-return", "r.xlsx").code == 0
    ran = dualcarbon("import", "r.xlsx", "--template", "energy-return", "--json")
    assert ran.code == 1 and {one["rule"].split(".")[0] for one in ran.json["problems"]} == {"inventory"}
    assert dualcarbon("import", "r.xlsx", "--template", "none").code == 2
