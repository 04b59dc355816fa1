import re

import polars as pl
import pytest

from dualcarbon.core import problems, tables
from dualcarbon.core.problems import Problem, Refused

ALONE = ("bounds", "more", "negative")


def test_worst():
    assert tables.worst([]) is None
    assert tables.worst(["official", "secondary"]) == "secondary"
    assert tables.worst(["official", None]) == "unverified"
    assert tables.worst(["synthetic", "unverified"]) == "synthetic"
    with pytest.raises(ValueError):
        tables.worst(["guessed"])


def test_conform():
    frame = tables.conform(pl.DataFrame({"value": [1], "place": ["330400"]}), tables.OBSERVATION)
    assert frame.schema == tables.empty(tables.OBSERVATION).schema
    assert frame.row(0, named=True)["value"] == 1.0
    with pytest.raises(ValueError, match="colour"):
        tables.conform(pl.DataFrame({"colour": [1]}), tables.OBSERVATION)


def test_a_problem_says_where_what_and_what_to_do_in_both_languages():
    problem = Problem(
        "core.falling-cumulative",
        "表.xlsx",
        "表一",
        7,
        "value",
        12.0,
        {"before": 20.0, "difference": -8.0, "period": "2024-02"},
    )
    for lang in ("zh", "en"):
        said = problem.as_dict(lang)
        assert list(said) == ["file", "sheet", "row", "column", "value", "rule", "message", "remedy"]
        assert "2024-02" in said["message"] and said["remedy"]
    assert problem.as_dict("zh") != problem.as_dict("en")
    assert "第 7 行" in problem.line() and "row 7" in problem.line("en")
    assert "第 7 行" in str(Refused(problem)) and Refused([problem]).problems == [problem]


def test_a_rule_without_text_still_shows():
    assert Problem("nowhere.odd", row=3).as_dict("en")["message"] == "nowhere.odd"


def test_a_problem_shows_no_binary_fractions() -> None:
    told = Problem("core.falling-cumulative", params={"reported": 229.145 * 10, "before": 0.1 + 0.2}).as_dict("en")
    assert "2291.45 " in told["message"] and "0.3 " in told["message"]
    assert "200 " in Problem("core.falling-cumulative", params={"reported": 200.0}).as_dict("en")["message"]


def test_every_text_is_given_in_both_languages():
    for rule in problems._table("core"):
        assert all(problems.texts(rule, "zh")) and all(problems.texts(rule, "en"))


def test_every_rule_that_is_told_has_its_texts_and_no_text_is_idle():
    code = "".join(path.read_text(encoding="utf-8") for path in problems.PACKAGE.rglob("*.py"))
    told = {rule for rule in re.findall(r'"(core\.[a-z-]+)"', code) if "-" in rule or rule.split(".")[1] in ALONE}
    told |= {f"core.unknown-{kind}" for kind in ("place", "sector", "carrier", "item", "domain", "custody")}
    assert told == set(problems._table("core"))
