"""The plan of Jiaxing for 2024: the facts in the pack, and the reader on the document where it stands beside us."""

from pathlib import Path
from typing import Any

import pytest

from dualcarbon.plan import read_plan
from dualcarbon.plan.reading import facts

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "plan" / "jiaxing-2024-work-plan.txt"


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    if not DOCUMENT.is_file():
        pytest.skip("the document does not stand beside the checkout")
    return read_plan(DOCUMENT)


def test_the_pack_ships_the_plan_as_facts() -> None:
    found = facts.shipped("cn-jiaxing", 2024)
    assert (found["title"], found["issued"]) == ("嘉兴市2024年碳达峰碳中和工作要点", "2024-07-16")
    assert [len(found[name]) for name in ("departments", "tasks", "policies", "indicators")] == [27, 34, 12, 57]
    assert len({task["domain"] for task in found["tasks"]}) == 10
    targets = {row["number"]: row for row in found["indicators"]}
    assert (targets[34]["value"], targets[34]["unit"], targets[34]["lead"]) == (810, "万m2", "市建设局")
    assert (targets[1]["kind"], targets[1]["value"], targets[1]["direction"]) == ("change", 3, "down")
    assert (targets[29]["kind"], targets[29]["value"]) == ("cumulative", 115)
    assert (targets[25]["kind"], targets[25]["value"]) == ("qualitative", None)
    assert all(len(task["title"]) < 40 for task in found["tasks"])  # names, never the document's prose
    figures = {(row["task"], row["value"], row["unit"]) for row in found["quantities"]}
    assert {(9, 890, "万平方米"), (24, 14, "个"), (None, 23, "%"), (3, 450, "亿千瓦时"), (15, 10000, "亩")} <= figures
    with pytest.raises(KeyError):
        facts.shipped("cn-jiaxing", 1999)


def test_facts_survive_writing(tmp_path: Path) -> None:
    shipped = facts.shipped()
    plan = {"departments": [row["name"] for row in shipped["departments"]], "headline": [], "tasks": [], "policies": []}
    plan |= {name: shipped[name] for name in facts.HEAD} | {"indicators": []}
    facts.write(plan, tmp_path / "p", shipped["source"])
    again = facts.read(tmp_path / "p")
    assert again["departments"] == shipped["departments"] and again["tasks"] == []
    assert again["issued"] == shipped["issued"] and again["source"] == shipped["source"]


def test_the_document_gives_the_facts_of_the_pack(plan: dict[str, Any]) -> None:
    shipped = facts.shipped()
    assert {name: plan[name] for name in facts.HEAD} == {name: shipped[name] for name in facts.HEAD}
    assert facts.tables(plan) == {name: shipped[name] for name in facts.COLUMNS}


def test_tasks_stand_in_prose_and_list(plan: dict[str, Any]) -> None:
    assert all(task["source"]["prose"] and task["source"]["list"] for task in plan["tasks"])
    nine = plan["tasks"][8]
    assert {d["name"]: (d["role"], d["part"]) for d in nine["departments"]} == {
        "市建设局": ("lead", [1, 2, 3]),
        "市机关事务中心": ("joint", [4]),
        "市经信局": ("joint", [2]),
        "市财政局": ("joint", [3]),
    }


def test_findings_have_the_classes_that_insiders_give_them(plan: dict[str, Any]) -> None:
    found = plan["findings"]

    def one(rule: str, *words: str) -> dict[str, Any]:
        fits = [f for f in found if f["rule"] == rule and all(word in f["message"] for word in words)]
        assert len(fits) == 1, (rule, words, fits)
        return fits[0]

    assert one("value-differs", "装配式建筑", "890", "810")["class"] == "contradiction"
    assert one("annual-cumulative", "园区循环化改造", "14", "4")["class"] == "probable stock-flow"
    assert one("value-satisfies", "森林质量精准提升", "10000", "1.0784")["class"] == "consistent"
    assert one("same-value-other-name", "80万千瓦", "电力装机", "可再生能源装机")["class"] == "scope"
    assert one("same-value-other-name", "46%", "绿色防控", "统防统治")["class"] == "scope"
    assert one("scope-differs", "战略性新兴产业增加值", "工业")["class"] == "scope"
    assert one("headline-no-indicator", "非化石能源")["places"][0]["paragraph"] == 14
    assert one("department-not-listed", "市水利局")["class"] == "scope"
    variants = {tuple(f["candidates"]) for f in found if f["rule"] == "department-variant"}
    assert variants == {("市电力局",), ("市交通运输局",), ("市市场监管局",), ("市政府办公室",)}
    early = [f for f in found if f["rule"] == "due-before-plan"]
    assert sorted(f["places"][0]["number"] for f in early) == [1, 3, 4, 8, 10, 11, 12]
    assert one("beyond-place", "80%", "全省") and one("count-differs", "七大重点行业", "8 项")
    assert [f for f in found if f["class"] == "contradiction"] == [one("value-differs", "890")]


def test_quotations_are_verbatim(plan: dict[str, Any]) -> None:
    source = DOCUMENT.read_text(encoding="utf-8")
    for finding in plan["findings"]:
        assert finding["places"], finding
        for place in finding["places"]:
            assert place["quote"] and place["quote"] in source
