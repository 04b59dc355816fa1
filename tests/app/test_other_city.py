"""A city that the package does not know: a folder with its places is enough for its account and its pages."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

PACK = {
    "pack.yaml": """\
id: cn-ningbo
version: 1
title: {zh: 宁波市, en: Ningbo}
short: {zh: 宁波, en: Ningbo}
extends: cn-zhejiang
place: "330200"
""",
    "places.csv": """\
code,name_zh,name_en,level,aliases
330203,海曙区,Haishu,county,
330212,鄞州区,Yinzhou,county,鄞州
""",
    "place_edges.csv": """\
tree,parent,child,from,to,source
admin,330200,330203,,,gbt-2260
admin,330200,330212,,,gbt-2260
""",
}
ROWS = """\
place,sector,carrier,item,period,value,unit
330203,C17,electricity,energy.purchased,2023,1000,MWh
鄞州,C26,natural_gas,energy.combustion,2023,10,万m³
"""


@pytest.fixture(scope="module")
def ningbo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ningbo")
    for name, text in PACK.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "rows.csv").write_text(ROWS, encoding="utf-8")
    return folder


@pytest.fixture
def reader(ningbo: Path, verb: Callable[..., Any]) -> Iterator[TestClient]:
    from dualcarbon.app.web import create_app

    workspace = ningbo / "w"
    if not workspace.exists():
        ran = verb("import", ningbo / "rows.csv", "--pack", ningbo, "--workspace", workspace, "--json")
        assert ran.code == 0 and ran.json["rows"] == 2
    with TestClient(create_app(workspace, warm=False), headers={"accept": "text/html"}) as made:
        yield made


def test_its_account_needs_no_place_said(reader: TestClient, verb: Callable[..., Any], ningbo: Path) -> None:
    found = verb("account", "--workspace", ningbo / "w", "--period", "2023", "--json").json
    assert found["place"] == "330200" and found["place_name"]["zh"] == "宁波市"
    assert found["value"] == pytest.approx(1000 * 0.4974 + 10 * 21.62188809)


def test_its_pages_are_its_own(reader: TestClient) -> None:
    home = reader.get("/")
    assert home.status_code == 200 and "宁波双碳一张图" in home.text
    assert "嘉兴" not in home.text and "pick-tree" not in home.text and "/account/330200" in home.text
    for path in (
        "/account/330200",
        "/account/330212",
        "/plan",
        "/registry",
        "/ledger",
        "/methods",
        "/factors",
        "/runs",
    ):
        page = reader.get(path)
        assert page.status_code == 200 and "嘉兴" not in page.text.partition("<main")[0], path
    opened = reader.get("/explain.json?item=emission.co2&place=330212&period=2023&basis=B").json()
    assert opened["value"] == pytest.approx(216.2188809)
