"""What the plan's pages show opens: falls, scores and deductions to their arithmetic, warnings to their line."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from dualcarbon import plan
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Told
from dualcarbon.plan.assessing import intensity, score_sheet
from tests.plan.test_assessed_year import FIRMS, monthly, told
from tests.plan.test_score import SCHEME, VALUES
from tests.plan.told import case

DAY = case("board-june")["as_of"]


def test_what_the_platform_computes_stands_beside_what_was_told(
    workspace: Workspace, served: Callable[..., Any]
) -> None:
    monthly(workspace, [FIRMS] * 12)
    told(workspace, "gdp_growth", "2024", 5.5)
    plan.tell(workspace, None, 12, [Told("I1", 12, 3.1)], at=date(2025, 1, 8))
    client = served(workspace)
    computed = 100 * (1 - 1.02 / 1.055)  # 2 % more energy, 5.5 % more GDP
    found = client.get("/plan/indicator/I1.json").json()["computed"]
    assert [one["line"] for one in found] == ["I1"] and found[0]["value"] == pytest.approx(computed)
    assert "与填报的 3.1 不同" in client.get("/plan/indicator/I1?lang=zh").text
    page = client.get("/plan/dual?lang=zh").text
    assert "不是同一个数" in page and 'href="#how-energy-2024"' in page and 'id="how-energy-2024"' in page
    reason = "按平台计算更正"
    plan.tell(workspace, None, 12, [Told("I1", 12, round(computed, 4), reason=reason)], at=date(2025, 1, 9))
    assert "不是同一个数" not in client.get("/plan/dual?lang=zh").text
    page = client.get("/plan/indicator/I1?lang=zh").text
    assert "与填报的" not in page and "<span>部门填报 " in page
    (made,) = plan.pull(workspace)["told"]  # its number leads to the arithmetic, where every input opens
    page = client.get("/plan/indicator/I1?lang=en").text
    assert "<span>Computed by the platform " in page and f'href="#how-{made["number"]}"' in page
    opened = page[page.index(f'id="how-{made["number"]}"') :]
    opened = opened[: opened.index("</td>")]
    links = re.findall(r'class="num" href="([^"]+)"', opened)
    assert [one.split("?")[0] for one in links] == ["/explain", "/explain", "/plan/dual"] and "#told" in links[2]
    assert "Real growth of GDP 2024" in opened and all(f"known_at={date.today()}" in one for one in links[:2])
    assert all(client.get(one.replace("&amp;", "&")).status_code == 200 for one in links)


def test_a_view_shows_the_energy_that_its_fall_takes() -> None:
    base, now = intensity.Year(100, 10, 20, non_fossil=10), intensity.Year(102, 11, 21, non_fossil=12)
    for one in intensity.views(base, now, year=2024)[:3]:
        assert one["fall"] == pytest.approx(1 - one["counted"] / one["before"] / (11 / 10))
    assert [(one["counted"], one["before"]) for one in intensity.views(base, now, year=2024)[:3]] == [
        (102, 100),
        (81, 80),
        (69, 70),
    ]


def test_scores_deductions_and_warnings_open(june: Workspace, served: Callable[..., Any]) -> None:
    client = served(june)
    page = client.get(f"/plan/score?forecast=false&lang=zh&known_at={DAY}").text
    opened = re.findall(r'href="#(points-\d+)"', page)
    assert opened and all(f'id="{one}"' in page for one in opened)
    sheet = client.get(f"/plan/department/市交通运输局?lang=zh&known_at={DAY}").text
    assert "迟报" in sheet and "计划的页面" in sheet
    warned = client.get(f"/plan/warnings?lang=zh&known_at={DAY}").text
    lines = re.findall(r'href="(/plan/(?:indicator|task)/[^"#]+)"><b>', warned)
    assert lines and all(client.get(one).status_code == 200 for one in lines)


def test_a_frozen_sheet_is_frozen_in_both_languages(june: Workspace, served: Callable[..., Any]) -> None:
    score_sheet.start(june, "frozen-one", SCHEME, VALUES)
    for subject in VALUES:
        score_sheet.step(june, "frozen-one", "self-score", subject=subject)
        score_sheet.step(june, "frozen-one", "review", subject=subject)
    score_sheet.step(june, "frozen-one", "freeze")
    client = served(june)
    english = client.get("/plan/score?lang=en").text
    assert "frozen · edition 1" in english and "Suspended" not in english
    assert "已冻结" in client.get("/plan/score?lang=zh").text


def test_a_measure_opened_says_which_it_is(june: Workspace, served: Callable[..., Any]) -> None:
    client = served(june)
    page = client.get("/plan/effect/pv?lang=zh").text
    assert "新增可再生能源装机" in page and 'href="/plan/effect"' in page
    assert "（按已完成）" not in page
