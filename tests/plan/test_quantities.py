"""Quantities of the prose, units and targets: the cases are sentences anybody can read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.plan.reading import quantities, targets, units
from dualcarbon.plan.reading.document import Passage
from dualcarbon.plan.reading.quantities import chinese_number
from dualcarbon.plan.reading.script import fold, simplify

CASES = Path(__file__).resolve().parent.parent / "cases" / "plan" / "quantities.json"


@pytest.mark.parametrize("case", json.loads(CASES.read_text(encoding="utf-8")), ids=lambda case: case["text"][:20])
def test_sentences(case: dict[str, Any]) -> None:
    found = quantities.find(Passage(case["text"], 1), 2024)
    rows = [[q.subject, q.value, q.unit.text, q.comparison, q.stretch, q.scope, q.direction] for q in found]
    assert [row if row[-1] else row[:-1] for row in rows] == case["expect"]


@pytest.mark.parametrize(
    ("cell", "unit", "kind", "value", "comparison", "stretch"),
    [
        ("80", "万千瓦", "number", 80, "=", False),
        ("下降3%", "%", "change", 3, "=", False),
        ("-2.8", "%", "change", 2.8, "=", False),
        ("力争10", "家", "number", 10, "=", True),
        ("累计完成6个", "个", "cumulative", 6, "=", False),
        ("累計推廣18萬畝", "万亩", "cumulative", 18, "=", False),
        ("≥95", "%", "number", 95, ">=", False),
        ("95以上", "%", "number", 95, ">=", False),
        ("降至27以下", "μg/m3", "number", 27, "<=", False),
        ("1,200", "台", "number", 1200, "=", False),
        ("3-5", "个", "number", 3, "range", False),
        ("完成上级下达目标", "/", "qualitative", None, "=", False),
        ("完成2024年任务", "", "qualitative", None, "=", False),
    ],
)
def test_target_cells(cell: str, unit: str, kind: str, value: float, comparison: str, stretch: bool) -> None:
    target = targets.parse(cell, unit)
    assert (target.kind, target.value, target.comparison, target.stretch) == (kind, value, comparison, stretch)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("万亩", "亩", 1e4), ("公顷", "亩", 15), ("万千瓦", "MW", 10), ("GW", "万千瓦", 100), ("万tce", "吨标准煤", 1e4)],
)
def test_units_that_convert(one: str, other: str, ratio: float) -> None:
    a, b = units.parse(one), units.parse(other)
    assert a and b and a.dimension == b.dimension
    assert a.factor / b.factor == pytest.approx(ratio)


def test_units_that_do_not() -> None:
    kinds = [
        units.parse(text)
        for text in ("千瓦", "千瓦时", "吨标准煤", "吨", "吨二氧化碳", "平方米", "立方米", "%", "个百分点")
    ]
    assert len({unit.dimension for unit in kinds if unit}) == len(kinds)
    assert units.parse("/") is None and units.parse("市经信局") is None


@given(st.integers(0, 9999))
def test_chinese_numerals(number: int) -> None:
    digits = "零一二三四五六七八九"
    text, rest = "", number
    for step, name in ((1000, "千"), (100, "百"), (10, "十")):
        if rest // step:
            text += digits[rest // step] + name
        elif text and rest and not text.endswith("零"):
            text += "零"
        rest %= step
    text += digits[rest] if rest or not text else ""
    assert chinese_number(text) == number
    assert chinese_number(str(number)) == number


@given(st.text(max_size=60))
def test_the_three_layers_of_a_text_have_one_length(text: str) -> None:
    assert len(simplify(text)) == len(text) == len(fold(simplify(text)))


@given(
    st.integers(2, 99999),
    st.sampled_from(["辆", "家", "万平方米", "万千瓦", "公里", "吨标准煤", "亿元"]),
    st.sampled_from([("", "", "="), ("", "以上", ">="), ("不少于", "", ">="), ("不超过", "", "<="), ("", "左右", "~")]),
    st.booleans(),
)
def test_any_figure_is_found_whole(value: int, unit: str, words: tuple[str, str, str], stretch: bool) -> None:
    before, after, comparison = words
    sentence = f"加强统筹协调。{'力争' if stretch else ''}新增绿色设施{before}{value}{unit}{after}，完善工作机制。"
    (found,) = quantities.find(Passage(sentence, 1))
    assert (found.subject, found.value, found.unit.text) == ("新增绿色设施", value, unit)
    assert (found.comparison, found.stretch) == (comparison, stretch)
    assert str(value) in found.where()["quote"]


@given(
    st.text(
        alphabet="一二三十百0123456789.,，。、；%以上下降力争累计达到个家亩万吨年月《》（）()〔〕第至- \n", max_size=60
    )
)
def test_no_text_breaks_the_reader(text: str) -> None:
    for quantity in quantities.find(Passage(text, 1), 2024):
        assert quantity.where()["quote"] in text
    targets.parse(text, "%")
