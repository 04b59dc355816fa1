"""Bulletin, self-assessment and department sheet: numbers as calculated by hand, Word and PDF that can be read back."""

from datetime import date
from pathlib import Path
from typing import Any

import docx
import pdfplumber
import pytest

from dualcarbon.core.report import Report, Table
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.assessing import board, bulletin, documents, dual
from tests.plan.told import case

CASE = case("board-june")
DAY = date.fromisoformat(CASE["as_of"])


def words(report: Report) -> str:
    """All texts of a report."""
    cells = [cell for part in report.blocks if isinstance(part, Table) for row in part.rows for cell in row]
    return "\n".join([*(getattr(part, "text", "") for part in report.blocks), *cells])


def test_numbers_as_calculated_by_hand(found: dict[str, Any]) -> None:
    told = bulletin.numbers(found)
    for name, value in CASE["numbers"].items():
        if name == "warnings":
            assert {str(level): count for level, count in told["warnings"].items()} == value
        elif isinstance(value, float):
            assert told[name] == pytest.approx(value), name
        else:
            assert told[name] == value, name


def test_the_text_states_those_numbers(found: dict[str, Any]) -> None:
    text = words(bulletin.bulletin(found))
    for said in ("57 个指标、34 项任务、12 个政策文件", "完成和正常的占 5.3%", "应报未报 221 项次，迟报 1 项次",
                 "现有预警 66 条（一级 1 条、二级 36 条、三级 29 条）", "政策文件逾期 7 个", "98.77 万吨"):  # fmt: skip
        assert said in text, said
    assert "221" in words(bulletin.bulletin(found, "en"))
    assert "演示" not in text


def test_word_and_pdf_can_be_read_back(june: Workspace, found: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "b.docx").write_bytes(documents.content(june, "bulletin", "docx", as_of=DAY, board=found))
    made = docx.Document(str(tmp_path / "b.docx"))
    assert made.paragraphs[0].text == "嘉兴市2024年碳达峰碳中和工作月报"
    assert any(len(table.rows) == 58 for table in made.tables)
    (tmp_path / "s.pdf").write_bytes(documents.content(june, "self-assessment", "pdf", as_of=DAY, board=found))
    with pdfplumber.open(tmp_path / "s.pdf") as pdf:
        text = "".join(page.extract_text() for page in pdf.pages)
    assert "年度自评报告" in text
    assert "新增绿地" in text


def test_a_department_sheet_opens_its_score(june: Workspace, found: dict[str, Any]) -> None:
    own = board.department(june, "市建设局", None, DAY, whole=found)
    text = words(bulletin.sheet(own))
    assert "误差未知，0—2 分都可能" in text  # one report gives a forecast without an interval, which scores nothing
    assert "新开工装配式建筑" in text


def test_what_a_figure_lacks_is_said_in_words() -> None:
    assert dual.lacking(["2024.gdp_growth", "2023.B"], "zh") == "2024 年 GDP 可比价增速、2023 年碳账户"
    assert dual.lacking(["2024.equivalent"], "en") == "2024 energy (account)"
    assert dual.lacking(["2024-01/2024-06.gdp_growth"], "zh") == "2024 年 1—6 月 GDP 可比价增速"
