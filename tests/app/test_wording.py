import ast
from pathlib import Path

import pytest
from jinja2.ext import babel_extract

from dualcarbon import app
from dualcarbon.app.problem_details import KINDS
from dualcarbon.app.rendering import menu
from dualcarbon.app.rooms import room_folders
from dualcarbon.app.wording import messages, words

FOLDERS = [Path(app.__file__).parent, *room_folders().values()]


def texts() -> set[str]:
    """Every Chinese text of the templates and modules that asks for a translation."""
    found: set[str] = set()
    for file in (file for folder in FOLDERS for file in folder.glob("templates/*.html")):
        with file.open("rb") as lines:
            for _, _, said, _ in babel_extract(lines, ["_"], [], {"silent": "false"}):
                if said is not None:
                    found.add(said if isinstance(said, str) else next(part for part in said if part))
    for file in FOLDERS[0].glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "say" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(first.value)
    return found | {title for _, title in menu("330400")} | set(KINDS.values())


def test_every_text_is_translated_and_keeps_its_names() -> None:
    known = messages("en")
    assert not texts() - known.keys()
    for zh, en in known.items():
        assert sorted(part.split("}")[0] for part in zh.split("{")[1:]) == sorted(
            part.split("}")[0] for part in en.split("{")[1:]
        ), zh


@pytest.mark.parametrize(
    ("period", "zh", "en"),
    [
        ("2024", "2024年", "2024"),
        ("2024-01/2024-09", "2024年1—9月", "Jan–Sep 2024"),
        ("2024-Q2", "2024年二季度", "Q2 2024"),
        ("2024-03", "2024年3月", "Mar 2024"),
        ("2022-01/2024-12", "2022—2024年", "2022–2024"),
        ("2023-11/2024-02", "2023年11月—2024年2月", "Nov 2023 – Feb 2024"),
    ],
)
def test_periods_read_as_people_say_them(period: str, zh: str, en: str) -> None:
    assert (words("zh").period(period), words("en").period(period)) == (zh, en)


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (50_398_954.0, "tCO2", ("5,040", "万吨 CO₂"), ("50.40", "Mt CO₂")),
        (837_910.0, "tCO2", ("83.79", "万吨 CO₂"), ("837.9", "kt CO₂")),
        (309.59, "tCO2", ("310", "吨 CO₂"), ("310", "t CO₂")),
        (67_180_000.0, "MWh", ("671.8", "亿千瓦时"), ("67.18", "TWh")),
        (22_363_000.0, "tce_calorific", ("2,236.3", "万吨标准煤"), ("22.36", "Mtce")),
        (None, "tCO2", ("—", "吨 CO₂"), ("—", "t CO₂")),
    ],
)
def test_quantities_take_a_fitting_unit(
    value: float | None, unit: str, zh: tuple[str, str], en: tuple[str, str]
) -> None:
    assert words("zh").quantity(value, unit) == zh
    assert words("en").quantity(value, unit) == en


def test_numbers_have_a_true_minus_and_missing_is_not_zero() -> None:
    w = words("zh")
    assert w.number(-1234.5, 1) == "\u22121,234.5"
    assert w.number(-0.001, 1) == "0.0"
    assert w.number(None) == "—"
    assert w.number(float("nan")) == "—"
    assert w.number(0) == "0"
    assert w.number(0.4974) == "0.4974"
    assert w.percent(1.94, 1, sign=True) == "+1.9%"
    assert w.unit("tCO2/MWh") == "tCO₂/MWh"
    assert w.status("unverified") == "未核实"
