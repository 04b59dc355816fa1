"""Files sent to a plan come in by one way: their bare name, a limit each, one message where they are too large."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from dualcarbon.core.workspace import Workspace
from tests.plan.told import case

JSON = {"accept": "application/json"}
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("address", "field", "most"),
    [("/plan/documents", "file", 50), ("/plan/forms", "file", 50), ("/plan/forms", "evidence", 50),
     ("/plan/dual/file", "file", 5), ("/plan/score/new/open", "file", 5), ("/plan/score/new/open", "own", 5)],
)  # fmt: skip
def test_a_file_over_its_limit(
    june: Workspace, served: Callable[..., Any], address: str, field: str, most: int
) -> None:
    small = {"file": ("small.csv", b"x"), "evidence": ("small.pdf", b"x"), "own": ("small.yaml", b"x")}
    large = (r"..\..\large.xlsx", b"0" * (most * MIB + 1))
    sent = served(june).post(address, files={**{"file": small["file"]}, field: large}, headers=JSON)
    assert sent.status_code == 422, sent.text
    problem = sent.json()["problems"][0]
    assert (problem["rule"], problem["file"]) == ("core.file-large", "large.xlsx")
    assert f"{most} MiB" in problem["message"]


def test_a_scheme_and_its_values_may_have_one_name(june: Workspace, served: Callable[..., Any]) -> None:
    scheme = yaml.safe_dump(case("score-sheet")["scheme"], allow_unicode=True).encode()
    files = {"file": ("same.csv", "对象,编号,数值\n甲,pv,70\n".encode()), "own": ("same.yaml", scheme)}
    opened = served(june).post("/plan/score/one-name/open", files=files, headers=JSON)
    assert opened.status_code == 201, opened.text
    assert opened.json()["result"]["subjects"][0]["points"] == 4  # 5 × min(70/80, 0.8)


def test_a_scheme_named_over_http_is_no_file_of_the_server(
    june: Workspace, served: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("s") / "own.yaml"  # short: names of schemes are
    own.write_text(yaml.safe_dump(case("score-sheet")["scheme"], allow_unicode=True), encoding="utf-8")
    files = {"file": ("v.csv", "对象,编号,数值\n甲,pv,70\n".encode())}
    sent = served(june).post("/plan/score/theirs/open", files=files, data={"scheme": str(own)}, headers=JSON)
    assert (sent.status_code, sent.json()["problems"][0]["rule"]) == (422, "plan.no-scheme")
    asked = served(june).get("/plan/score/values.csv", params={"scheme": str(own)}, headers=JSON)
    assert (asked.status_code, asked.json()["problems"][0]["rule"]) == (422, "plan.no-scheme")
