"""The verbs that feed a plan, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from dualcarbon.app.cli import main
from tests.plan.conftest import CASES


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`run("status")` runs `dualcarbon plan status --json` on one workspace and gives its JSON; `code` is its exit."""

    def ran(*words: object, code: int = 0) -> Any:
        with pytest.raises(SystemExit) as left:
            main(["plan", *map(str, words), "--json", "--workspace", str(tmp_path / "city")])
        shown = capsys.readouterr()
        assert (left.value.code or 0) == code, shown.err
        return json.loads(shown.out) if shown.out else shown.err

    return ran


def test_a_month_on_the_command_line(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("load", CASES / "jiangyuan-2025.txt")["version"] == 1
    assert [one["plan"] for one in run("list")["plans"]] == ["江源市-2025"]
    file = tmp_path / "form.xlsx"
    assert run("template", "市发展改革委", file, "--month", 3)["indicators"] == 4
    refused = run("import", file, code=1)["problems"]
    assert [one["rule"] for one in refused] == ["plan.nothing-told"] and refused[0]["remedy"]
    book = openpyxl.load_workbook(file)
    book["指标"]["I6"] = 12
    book.save(file)
    assert run("import", file, "--dry-run", "--at", "2025-04-08")["dry_run"]
    made = run("import", file, "--at", "2025-04-08", "--person", "张")
    assert made["reports"][0]["value"] == 12
    assert [row["number"] for row in run("queue")["waiting"]] == [1]
    run("review", 1, code=2)
    assert run("review", 1, "--accept", "--person", "张", code=1)["problems"][0]["rule"] == "plan.own-report"
    assert run("review", 1, "--accept", "--person", "李")["reviewed"] == 1
    assert run("confirm", "I1", "市发展改革委", code=1)["problems"][0]["rule"] == "plan.not-met"
    assert run("evidence", 1, file)["digest"] and run("evidence", "--check") == {"files": 1, "faults": []}
    next((tmp_path / "city" / "evidence").glob("*/*")).write_bytes(b"altered")
    assert run("evidence", "--check", code=1)["faults"][0]["fault"] == "altered"
    assert run("path", "I1", "--method", "set", "--points", "6:20,12:50", "--reason", "调整")["path"][5] == 20
    shape = ",".join(["1"] * 11 + ["9"])
    assert run("path", "I1", "--method", "seasonal", "--shape", shape, "--reason", "调整")["path"][10] == pytest.approx(
        27.5
    )
    assert run("path", "I1", "--method", "wild", code=1)["problems"][0]["rule"] == "plan.bad-path"
    assert run("steps", "I7", "--step", "6:核算", "--step", "12:报告:2")["steps"] == 2
    standing = {row["line"]: row for row in run("status", "--as-of", "2025-04-12")["indicators"]}
    assert standing["I1"]["actual"] == 12 and standing["I7"]["state"] == "no_data"
    assert run("feed", "--month", 3)["figures"] == [] and run("systems")["systems"] == []
    linked = run("link", "T1", "e-ledger", "预警企业", 12, "--period", "2025-Q1", "--source", "首页")
    assert linked["period"] == "2025-Q1"
    run("load", CASES / "jiangyuan-2026.txt")
    assert len(run("carry-over", "江源市-2025", "江源市-2026")["carried"]) == 9
    assert run("status", "--plan", "江源市-2024", code=1)["problems"][0]["rule"] == "plan.no-such-plan"
    assert run("demo", "--plan", "江源市-2026", "--until", 1)["status"] == "synthetic"
