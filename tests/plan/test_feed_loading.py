"""Plans in the workspace: several cities and years, versions, and files that are no plans."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcarbon import plan
from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Told, reads
from dualcarbon.plan.store import document
from tests.plan.conftest import CASES
from tests.plan.test_files import NOVEL, encrypted_office, image_only_pdf

SWAPPED = """某市2025年碳达峰碳中和工作要点
2025年3月10日
1.发展可再生能源。（市发展改革委）
表1 指标清单
序号 |
指标名称 |
单位 |
目标值 |
牵头单位 |
1 |
新增光伏装机 |
50 |
万千瓦 |
市发展改革委 |
2 |
公共建筑节能改造面积 |
20 |
万m2 |
市建设局 |
3 |
森林抚育面积 |
0.55 |
万亩 |
市林业局 |
"""


def broken(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are no plans, each with the rule that says so."""
    made = {
        "empty.docx": (b"", "plan.empty"),
        "scan.pdf": (image_only_pdf(), "plan.image-only"),
        "locked.docx": (encrypted_office(), "plan.encrypted"),
        "novel.txt": (NOVEL.encode(), "plan.not-a-plan"),
        "swapped.txt": (SWAPPED.encode(), "plan.columns-swapped"),
        "half.docx": (b"PK\x03\x04" + b"x" * 200, "plan.broken"),
    }
    for name, (content, _) in made.items():
        (folder / name).write_bytes(content)
    return {name: (folder / name, rule) for name, (_, rule) in made.items()}


def test_jiaxing_stands_in_the_workspace(place: Workspace) -> None:
    made = plan.load(place, "cn-jiaxing/2024")
    assert (made["plan"], made["tasks"], made["policies"], made["indicators"]) == ("330400-2024", 34, 12, 57)
    assert plan.load(place, "cn-jiaxing/2024")["already"] and len(plan.plans(place)) == 1
    own = plan.indicators(place)
    assert own.height == 57 and own["line"].to_list() == [f"I{n}" for n in range(1, 58)]
    rows = {row["line"]: row for row in own.to_dicts()}
    assert (rows["I40"]["basis"], rows["I40"]["figure"]) == ("names", "flow")  # trucks by their plates
    assert (rows["I12"]["basis"], rows["I12"]["unit"]) == ("projects", "万tce")
    assert (rows["I25"]["figure"], rows["I25"]["settles"]) == ("milestones", "province")
    assert (rows["I1"]["figure"], rows["I1"]["tasks"]) == ("change", [1])
    names = {one["name"]: one for one in reads.departments(place)}
    assert "市府政府办公室" not in names and names["市政府办公室"]["lead"] == ["I54", "I55"]
    assert plan.status(place)[0]["state"] == "no_data"  # never zero


def test_cities_and_years_side_by_side(make: Callable[..., Workspace]) -> None:
    workspace = make("cn-jiaxing/2024", "jiangyuan-2025.txt", "jiangyuan-2026.txt")
    assert {one["plan"] for one in plan.plans(workspace)} == {"330400-2024", "江源市-2025", "江源市-2026"}
    assert len(plan.status(workspace)) == 57  # of the pack's own place
    assert len(plan.status(workspace, "江源市-2026")) == 8
    with pytest.raises(NoSuch):
        plan.status(workspace, "江源市-2027")


def test_a_changed_plan_is_a_new_version(make: Callable[..., Workspace], tmp_path: Path) -> None:
    workspace = make("jiangyuan-2025.txt")
    plan.tell(workspace, None, 1, [Told("I2", 1, None), Told("I1", 1, 5)])
    text = (CASES / "jiangyuan-2025.txt").read_text(encoding="utf-8")
    revised = tmp_path / "revised.txt"
    # The first indicator moves to the end, the target of the factories rises, one indicator is new.
    first = "1 |\n新增光伏装机 |\n万千瓦 |\n50 |\n市发展改革委 |\n"
    text = text.replace(first, "").replace("家 |\n10 |", "家 |\n12 |")
    text += "9 |\n新增储能 |\n万千瓦 |\n6 |\n市发展改革委 |\n10 |\n新增光伏装机 |\n万千瓦 |\n50 |\n市发展改革委 |\n"
    revised.write_text(text, encoding="utf-8")
    made = plan.load(workspace, revised)
    assert made["version"] == 2 and made["changed"]["added"] == ["I9"] and made["changed"]["gone"] == []
    assert {"I1", "I2"} <= set(made["changed"]["altered"])
    now = {row["line"]: row for row in plan.indicators(workspace).to_dicts()}
    assert now["I1"]["name"] == "新增光伏装机" and now["I1"]["indicator"] == 10 and now["I2"]["value"] == 12
    assert plan.status(workspace, line="I1")[0]["values"][0] == 5  # what was told stays with its line
    assert plan.indicators(workspace, "江源市-2025@1").height == 8
    assert plan.load(workspace, revised, dry_run=True)["already"]


def test_what_is_no_plan_changes_nothing(make: Callable[..., Workspace], tmp_path: Path) -> None:
    workspace = make("jiangyuan-2025.txt")
    before = (reads.last_change(workspace), workspace.version())
    for name, (path, rule) in broken(tmp_path).items():
        with pytest.raises(Refused) as refused:
            plan.load(workspace, path)
        assert rule in [one.rule for one in refused.value.problems], name
        assert all(one.as_dict()["remedy"] for one in refused.value.problems)
    with pytest.raises(Refused, match="规则包"):
        plan.load(workspace, "cn-jiaxing/1999")
    assert (reads.last_change(workspace), workspace.version()) == before


def test_a_backup_holds_plans_and_evidence(make: Callable[..., Workspace], tmp_path: Path) -> None:
    from dualcarbon.core.backups import backup, restore

    workspace = make("jiangyuan-2025.txt")
    plan.tell(workspace, None, 1, [Told("I1", 1, 5)])
    file = tmp_path / "proof.txt"
    file.write_text("并网验收", encoding="utf-8")
    plan.attach(workspace, None, 1, file)
    backup(workspace, tmp_path / "all.zip")
    shutil.rmtree(workspace.path)
    restore(tmp_path / "all.zip", tmp_path / "again")
    again = Workspace.open(tmp_path / "again")
    assert plan.reports(again)["value"].to_list() == [5] and plan.verify(again) == []
    with pytest.raises(Exception, match="final"), again.database.begin() as connection:
        connection.exec_driver_sql("UPDATE plan_report SET value = 9")


def test_the_packs_own_place_is_meant_when_no_plan_is_named(make: Callable[..., Workspace]) -> None:
    workspace = make("jiangyuan-2025.txt", "jiangyuan-2026.txt")
    assert document(workspace)["plan"] == "江源市-2026"  # the only place there is
    plan.load(workspace, CASES.parent / "haibin-2025.html")
    with pytest.raises(Refused) as refused:
        document(workspace)
    assert [one.rule for one in refused.value.problems] == ["plan.which-plan"]
    plan.load(workspace, "cn-jiaxing/2024")
    assert document(workspace)["plan"] == "330400-2024"
    assert {one["plan"] for one in reads.plans(workspace)} >= {"江源市-2025", "海滨区-2025"}
