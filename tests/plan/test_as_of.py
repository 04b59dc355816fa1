"""An answer as of a day is by the plan that stood on that day: its version, and of several years that of the day."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dualcarbon import plan
from dualcarbon.core.faces import NoSuch
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Told, follow, reads
from dualcarbon.plan.assessing import board, documents, dual, projects, schedule
from dualcarbon.plan.feeding import document_pages, entry_pages
from tests.plan.conftest import CASES

SPRING, SUMMER, AUTUMN = date(2025, 4, 12), date(2025, 6, 20), date(2025, 8, 12)
POLICIES = """表2 政策清单
序号 |
文件名称 |
预计出台时间 |
起草单位 |
1 |
江源市碳普惠管理办法 |
2025.{month} |
市生态环境局 |
"""


@pytest.fixture
def revised(make: Callable[..., Workspace], tmp_path: Path) -> Workspace:
    """A plan of January; one of July sets another target, date and unit, and one of the next year follows."""
    workspace = make()
    first = (CASES / "jiangyuan-2025.txt").read_text(encoding="utf-8")
    second = first.replace("2025年1月6日", "2025年7月10日").replace("万千瓦 |\n50 |", "万千瓦 |\n40 |")
    second += "9 |\n新增储能 |\n万千瓦 |\n6 |\n市交通运输局 |\n"
    for name, text in (
        ("first", first + POLICIES.format(month="05")),
        ("second", second + POLICIES.format(month="09")),
    ):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
        plan.load(workspace, tmp_path / f"{name}.txt")
    plan.load(workspace, CASES / "jiangyuan-2026.txt")
    plan.tell(workspace, "江源市-2025", 3, [Told("I1", 3, 5)], at=date(2025, 4, 8))
    return workspace


def target(found: dict[str, Any]) -> Any:
    return next(row["target"] for row in found["indicators"] if row["line"] == "I1")


def test_a_plan_of_a_later_year_is_not_asked_of_an_earlier_day(revised: Workspace) -> None:
    assert reads.document(revised)["plan"] == "江源市-2026"
    assert reads.document(revised, None, SPRING)["plan"] == "江源市-2025"
    assert reads.document(revised, None, date(2026, 1, 1))["plan"] == "江源市-2026"
    assert reads.document(revised, None, date(2020, 1, 1))["plan"] == "江源市-2025"  # the first one there is


def test_the_board_and_all_that_stands_on_it(revised: Workspace) -> None:
    before, after = board.board(revised, None, SPRING), board.board(revised, None, AUTUMN)
    assert [(one["plan"], one["version"], target(one)) for one in (before, after)] == [
        ("江源市-2025", 1, 50),
        ("江源市-2025", 2, 40),
    ]
    assert [one["dual"]["year"] for one in (before, after)] == [2025, 2025]
    overdue = [one["days_overdue"] for one in board.board(revised, None, SUMMER)["policies"]]
    assert overdue == [20]  # due in May by the plan of that day, in September by today's
    first = board.board(revised, "江源市-2025@1")
    assert (first["version"], target(first)) == (1, 50)


def test_targets_projects_scores_and_departments(revised: Workspace) -> None:
    assert (dual.dual(revised, None, SPRING)["year"], dual.dual(revised)["year"]) == (2025, 2026)
    projects.tell(revised, "barrage", plan="江源市-2025", title={"zh": "塘坝光伏"}, at=date(2025, 3, 1))
    assert [one["project"] for one in projects.projects(revised, None, SPRING)["projects"]] == ["barrage"]
    assert projects.projects(revised)["projects"] == []
    with pytest.raises(NoSuch):  # the July plan names it first
        board.department(revised, "市交通运输局", None, SPRING)
    assert board.department(revised, "市交通运输局", None, AUTUMN)["indicators"][0]["name"] == "新增储能"


def test_what_falls_due(revised: Workspace, verb: Callable[..., Any]) -> None:
    def days(as_of: date) -> list[date]:
        return [one["day"] for one in schedule.dues(revised, None, None, as_of) if one["kind"] == "policy"]

    assert (days(SPRING), days(AUTUMN)) == ([date(2025, 5, 31)], [date(2025, 9, 30)])
    ends = [schedule.gantt(revised, None, day)["policies"][0]["end"] for day in (SPRING, AUTUMN)]
    assert ends == [5, 9]
    files = [documents.content(revised, "calendar", "ics", as_of=day) for day in (SPRING, AUTUMN)]
    assert [b"20250531" in one for one in files] == [True, False]
    assert documents.title(revised, "calendar", as_of=SPRING) == "江源市-2025-日历"
    asked = ("plan", "calendar", "--workspace", revised.path, "--as-of", "2025-04-12", "--json")
    told = [one["day"] for one in verb(*asked).json["dues"] if one["kind"] == "policy"]
    assert told == ["2025-05-31"]
    shown = verb("plan", "status", "--workspace", revised.path, "--as-of", "2025-04-12", "--json").json
    assert (shown["plan"], target(shown)) == ("江源市-2025", 50)


def test_pages_and_addresses(revised: Workspace, served: Callable[..., Any]) -> None:
    client = served(revised)
    shown = {day: client.get(f"/plan/indicator/I1.json?known_at={day}").json() for day in (SPRING, AUTUMN)}
    assert [one["indicator"]["target"] for one in shown.values()] == [50, 40]
    assert [len(one["reports"]) for one in shown.values()] == [1, 1]
    assert client.get("/plan/indicator/I1.json?plan=江源市-2025&known_at=2025-04-01").json()["reports"] == []
    due = client.get(f"/plan/gantt.json?known_at={SPRING}").json()["gantt"]["policies"][0]["end"]
    assert due == 5
    assert client.get(f"/plan/dual.json?known_at={SPRING}").json()["board"]["dual"]["year"] == 2025
    assert client.get(f"/plan/department/市交通运输局.json?known_at={SPRING}").status_code == 404
    told = client.get(f"/plan/status.json?as_of={SPRING}").json()
    assert (told["plan"], target(told)) == ("江源市-2025", 50)
    text = client.get(f"/plan/document?known_at={SPRING}&lang=zh").text
    assert "按 2025-04-12 已收到的数据" in text and "看今天" in text
    entry = client.get(f"/plan/entry/市经信局?plan=江源市-2025&known_at={SPRING}&lang=zh").text
    assert "只办今天的事" in entry


def test_what_waited_for_a_reviewer_and_what_other_systems_showed(
    revised: Workspace, verb: Callable[..., Any], served: Callable[..., Any]
) -> None:
    plan.review(revised, "江源市-2025", [1], "accepted", person="李", at=date(2025, 5, 6))
    plan.load(revised, "cn-jiaxing/2024")
    figure = {"value": 12, "unit": "家", "period": "2024-Q2", "source": "首页", "at": date(2025, 5, 6)}
    plan.mirror(revised, "330400-2024", "T6", "e-ledger", "预警企业", **figure)
    client, here = served(revised), ("--workspace", revised.path, "--json")
    for day, waiting, figures in ((SPRING, 1, 0), (AUTUMN, 0, 1)):
        asked = ("--as-of", day, *here)
        assert len(verb("plan", "queue", "--plan", "江源市-2025", *asked).json["waiting"]) == waiting
        assert len(verb("plan", "systems", "--plan", "330400-2024", *asked).json["systems"][0]["figures"]) == figures
        page = client.get(f"/plan/review.json?plan=江源市-2025&known_at={day}").json()
        assert (len(page["waiting"]), len(page["done"])) == (waiting, 1 - waiting)
        shown = client.get(f"/plan/entry.json?plan=330400-2024&known_at={day}").json()["systems"][0]
        assert len(shown["figures"]) == figures
    text = client.get(f"/plan/review?plan=江源市-2025&known_at={SPRING}&lang=zh").text
    assert "回看时不办理" in text and 'name="decision"' not in text and 'type="checkbox"' not in text


def test_the_text_and_the_tasks(revised: Workspace) -> None:
    assert [document_pages.text(revised, None, day)["indicators"] for day in (SPRING, AUTUMN)] == [8, 9]
    assert document_pages.task(revised, "P1", None, SPRING)["task"]["due"] == "2025-05"
    names = [one["name"] for one in entry_pages.overview(revised, None, 3, SPRING)["departments"]]
    assert "市交通运输局" not in names
    assert follow.task_status(revised, None, SPRING)[-1]["due"] == "2025-05"


def test_a_sheet_opened_as_of_a_day_is_of_that_days_plan(
    revised: Workspace, verb: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(
        "id: own\ntitle: 自定\neach_indicator: {weight: 2}\nitems: []\n", encoding="utf-8"
    )
    asked = ("--scheme", tmp_path / "own.yaml", "--as-of", "2025-04-12", "--workspace", revised.path, "--json")
    made = verb("plan", "score", "open", "spring", *asked).json
    assert made["plan"] == "江源市-2025"
    assert next(one["basic"] for one in made["scheme"]["items"] if one["id"] == "I1") == 50
