"""One plan, every layout: the same tasks, policies, indicators and findings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pytest

from dualcarbon.plan import read_plan
from tests.plan.drafts import QINGLAN, YUNZE
from tests.plan.writers import Draft, as_docx, as_html, as_pdf, as_text, as_xlsx

CASES = Path(__file__).resolve().parent.parent / "cases" / "plan"
DRAFTS = {"yunze-2025": YUNZE, "qinglan-2023": QINGLAN}
LAYOUTS: dict[str, Callable[[Draft, Path], Path]] = {
    "docx": lambda draft, folder: as_docx(draft, folder / "p.docx"),
    "docx-numbered-by-word": lambda draft, folder: as_docx(draft, folder / "p.docx", numbered=True),
    "pdf": lambda draft, folder: as_pdf(draft, folder / "p.pdf"),
    "pdf-without-frames": lambda draft, folder: as_pdf(draft, folder / "p.pdf", framed=False),
    "html": lambda draft, folder: as_html(draft, folder / "p.html"),
    "html-gbk": lambda draft, folder: as_html(draft, folder / "p.htm", encoding="gb18030"),
    "xlsx": lambda draft, folder: as_xlsx(draft, folder / "p.xlsx"),
    "txt-cell-to-a-line": lambda draft, folder: as_text(draft, folder / "p.txt", "cells"),
    "txt-bars": lambda draft, folder: as_text(draft, folder / "p.txt", "bars"),
    "txt-tabs": lambda draft, folder: as_text(draft, folder / "p.txt", "tabs"),
    "txt-gaps": lambda draft, folder: as_text(draft, folder / "p.txt", "gaps"),
    "txt-bare": lambda draft, folder: as_text(draft, folder / "p.txt", "bare"),
}


def essence(plan: dict[str, Any]) -> dict[str, Any]:
    """What a reader of the plan would write down by hand."""
    return {
        "head": {name: plan[name] for name in ("title", "year", "issued", "document_number", "place")},
        "departments": plan["departments"],
        "domains": plan["domains"],
        "headline": [_figure(q) for q in plan["headline"]],
        "tasks": [
            {
                "number": task["number"],
                "domain": task["domain"],
                "title": task["title"],
                "due": task["due"],
                "departments": [f"{d['name']}:{d['role']}" for d in task["departments"]],
                "quantities": [_figure(q) for q in task["quantities"]],
            }
            for task in plan["tasks"]
        ],
        "policies": [[p["number"], p["title"], p["due"], p["drafter"]] for p in plan["policies"]],
        "indicators": [
            [i["number"], i["name"], i["unit"], i["target"]["kind"], i["target"]["value"], i["domain"], i["lead"]]
            for i in plan["indicators"]
        ],
        "findings": sorted([f["class"], f["rule"], f["message"]] for f in plan["findings"]),
    }


def _figure(q: dict[str, Any]) -> str:
    marks = " ".join(str(q[name]) for name in ("high", "direction", "place", "period") if q.get(name) is not None)
    stretch = " 力争" if q["stretch"] else ""
    return f"{q['subject']} {q['comparison']} {q['value']} {q['unit']} {q['scope']}{stretch} {marks}".strip()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", DRAFTS)
def test_every_layout_reads_as_the_case_says(name: str, layout: str, tmp_path: Path) -> None:
    expected = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    assert essence(read_plan(LAYOUTS[layout](DRAFTS[name], tmp_path))) == expected


@pytest.mark.parametrize(
    "name", ["anlan-2026.md", "binhai-2023.txt", "cangyuan-2025.txt", "haibin-2025.html", "yunling-2025.html"]
)
def test_invented_documents_read_as_the_case_says(name: str) -> None:
    path = CASES / name
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert essence(read_plan(path)) == expected


def test_lines_broken_at_a_width_and_blank_lines(tmp_path: Path) -> None:
    expected = json.loads((CASES / "yunze-2025.json").read_text(encoding="utf-8"))
    path = as_text(YUNZE, tmp_path / "p.txt")
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n\n".join(lines), encoding="utf-8")
    assert essence(read_plan(path)) == expected
    broken = [line[i : i + 28] for line in lines for i in range(0, max(len(line), 1), 28)]
    path.write_text("\n".join(broken), encoding="utf-8")
    assert essence(read_plan(path)) == expected


def test_text_in_other_encodings(tmp_path: Path) -> None:
    expected = json.loads((CASES / "qinglan-2023.json").read_text(encoding="utf-8"))
    text = as_text(QINGLAN, tmp_path / "p.txt").read_text(encoding="utf-8")
    for encoding in ("utf-8-sig", "utf-16", "gb18030", "big5hkscs"):
        (tmp_path / "q.txt").write_bytes(text.encode(encoding))
        assert essence(read_plan(tmp_path / "q.txt")) == expected, encoding


def test_quotations_are_the_sources_own_characters(tmp_path: Path) -> None:
    path = as_text(QINGLAN, tmp_path / "p.txt")
    source = path.read_text(encoding="utf-8")
    plan = read_plan(path)
    quotes = [place["quote"] for finding in plan["findings"] for place in finding["places"]]
    assert quotes and all(quote and quote in source for quote in quotes)
    assert "園" not in json.dumps(plan["tasks"], ensure_ascii=False)


def test_a_table_in_a_frame_and_headings_of_two_lines(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("临江市2026年绿色低碳转型行动任务书")
    document.add_paragraph("一、主要目标")
    document.add_paragraph("全市万元地区生产总值能耗下降2.6%以上。")
    document.add_paragraph("二、重点任务")
    tasks = document.add_table(rows=3, cols=4)
    rows = [["序号", "主要任务及目标", "牵头领导", "牵头单位"], ["1", "新增光伏并网25万千瓦。", "甲", "市能源局"]]
    for line, texts in zip(tasks.rows, [*rows, ["2", "培育绿色工厂30家。", "乙", "市工信局"]], strict=True):
        for cell, text in zip(line.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("三、年度指标")
    inner = document.add_table(rows=1, cols=1).cell(0, 0).add_table(rows=3, cols=6)
    grid = [["指标", "单位", "2025年实绩", "2026年目标", "", "责任单位"], ["", "", "", "全年", "上半年", ""]]
    for line, texts in zip(inner.rows, [*grid, ["万元GDP能耗", "%", "-2.9", "-2.8", "-1.4", "市发改局"]], strict=True):
        for cell, text in zip(line.cells, texts, strict=True):
            cell.text = text
    for column in (0, 1, 2, 5):
        inner.cell(0, column).merge(inner.cell(1, column)).text = grid[0][column]
    inner.cell(0, 3).merge(inner.cell(0, 4)).text = "2026年目标"
    document.save(str(tmp_path / "p.docx"))
    found = read_plan(tmp_path / "p.docx")
    assert [(t["title"], [d["name"] for d in t["departments"]]) for t in found["tasks"]] == [
        ("新增光伏并网25万千瓦", ["市能源局"]),
        ("培育绿色工厂30家", ["市工信局"]),
    ]
    assert [(q["subject"], q["value"]) for q in found["headline"]] == [("万元地区生产总值能耗", 2.6)]
    (indicator,) = found["indicators"]
    assert (indicator["target"]["value"], indicator["target"]["direction"]) == (2.8, "down")
    assert indicator["other"] == {"2025年实绩": "-2.9", "2026年目标上半年": "-1.4"}
    assert [f["rule"] for f in found["findings"] if f["class"] == "consistent"] == ["value-satisfies"]


def test_columns_are_read_by_their_headings(tmp_path: Path) -> None:
    rows = [["目标值", "牵头单位", "序号", "指标名称", "计量单位"], ["40", "市经信局", "1", "绿色工厂", "家"]]
    rows += [["5", "", "2", "绿色园区", "个"], ["下降3%", "市统计局", "3", "单位GDP能耗", "%"]]
    path = tmp_path / "p.txt"
    path.write_text("\n".join("\t".join(row) for row in rows), encoding="utf-8")
    found = read_plan(path)["indicators"]
    assert [(i["name"], i["unit"], i["target"]["value"], i["lead"]) for i in found] == [
        ("绿色工厂", "家", 40, ["市经信局"]),
        ("绿色园区", "个", 5, ["市经信局"]),
        ("单位GDP能耗", "%", 3, ["市统计局"]),
    ]


def test_the_year_of_the_plan_chooses_among_columns_of_targets(tmp_path: Path) -> None:
    head = "序号\t指标名称\t单位\t2025年目标\t2026年目标\t责任单位"
    lines = ["江源市2025年碳达峰工作要点", head, "1\t绿色工厂\t家\t10\t20\t市经信局", "2\t绿道\t公里\t8\t9\t市建设局"]
    path = tmp_path / "p.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    first = read_plan(path)["indicators"][0]
    assert first["target"]["value"] == 10
    assert first["other"] == {"2026年目标": "20"}


def test_a_value_that_equals_the_next_number_stays_in_its_row(tmp_path: Path) -> None:
    cells = ["序号", "指标名称", "单位", "指标值", "牵头单位"]
    for number in range(1, 8):
        cells += [str(number), f"指标{'甲乙丙丁戊己庚'[number - 1]}项", "个", str(number + 1), "市经信局"]
    path = tmp_path / "p.txt"
    path.write_text("\n".join(f"{cell} |" for cell in cells), encoding="utf-8")
    assert [i["target"]["value"] for i in read_plan(path)["indicators"]] == [2, 3, 4, 5, 6, 7, 8]


def test_the_verb_prints_one_document(dualcarbon: Callable[..., Any], tmp_path: Path) -> None:
    path = as_docx(YUNZE, tmp_path / "plan.docx")
    ran = dualcarbon("plan", "read", path, "--json")
    assert ran.code == 0
    assert ran.json["title"] == "云泽市2025年碳达峰碳中和工作计划"
    assert "矛盾" in dualcarbon("plan", "read", path).out
