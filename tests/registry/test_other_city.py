"""A city that the package does not know has a registry of its own: its issuer, its places, its parameters."""

import pytest
from fastapi.testclient import TestClient

from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger.store import Store
from dualcarbon.registry import Registry, dossiers, papers, reads
from dualcarbon.registry.instruments import instruments
from tests.registry.chain import REDUCTION, issued, rule

PACK = {
    "pack.yaml": "id: cn-ningbo\nversion: 1\ntitle: {zh: 宁波市, en: Ningbo}\nextends: cn-zhejiang\nplace: '330200'\n",
    "places.csv": "code,name_zh,name_en,level,aliases\n330203,海曙区,Haishu,county,\n330212,鄞州区,Yinzhou,county,\n",
    "place_edges.csv": """\
tree,parent,child,from,to,source
admin,330200,330203,,,gbt-2260
admin,330200,330212,,,gbt-2260
""",
    "instruments.yaml": """\
- {code: inclusive_reduction, issuer: 宁波市碳普惠登记}
- code: pollutant_cod
  parameters:
    - {name: cross_region_ratio, value: 1.2, status: unverified, note: 试}
""",
}


@pytest.fixture
def ningbo(tmp_path):
    for name, text in PACK.items():
        (tmp_path / name).write_text(text)
    place = Workspace.create(tmp_path / "w", str(tmp_path))
    made = Registry(Store(place.database), place.pack)
    made.install()
    return made, place


def test_its_issuer_places_and_parameters(ningbo):
    registry, place = ningbo
    known = instruments(place.pack)
    assert known[REDUCTION].issuer == "宁波市碳普惠登记" and "嘉兴" not in str(
        [one.as_dict() for one in known.values()]
    )
    assert known["energy_right"].parameters["threshold"]["value"] == 0.6
    assert issued(registry)["actor"] == "宁波市碳普惠登记"
    year = {"instrument": "pollutant_cod", "vintage": "2026"}
    registry.do("issue", "I1", holder="甲厂", quantity=1000, document="许可", **year)
    said = {"seller": "甲厂", "buyer": "乙厂", "quantity": 100, "document": "协议", **year}
    away = {"seller_place": "海曙区", "buyer_place": "平湖市"}
    assert rule(registry.do, "transfer", "T1", **said, **away) == "registry.place-unknown"
    moved = registry.do("transfer", "T1", **said, **{**away, "buyer_place": "鄞州区"})
    assert (moved["cross_region"]["to"], moved["cross_region"]["extra"]) == ("330212", 20)
    sums = {one["instrument"]: one for one in reads.totals(registry.engine, place.pack)}
    assert (sums["pollutant_cod"]["held"], sums["pollutant_cod"]["cancelled"]) == (980, 20)
    assert papers.statement(registry.engine, "甲厂", pack=place.pack)["accounts"][0]["closing"] == 880
    assert dossiers.filing(registry.engine, "报告-1", place.pack)["state"] == "issued"
    assert reads.check(registry.engine, place.pack) == []
    with TestClient(create_app(place.path, warm=False), headers={"accept": "text/html"}) as reader:
        form = reader.get(f"/registry/act/issue?instrument={REDUCTION}")
        assert form.status_code == 200 and "嘉兴" not in form.text
        places = reader.get("/registry/act/transfer.json?instrument=pollutant_cod").json()["fields"]
        choices = next(one["choices"] for one in places if one["field"] == "seller_place")
        assert [one["value"] for one in choices] == ["330203", "330212"]
        for page in (
            "/registry",
            "/registry/market?instrument=pollutant_cod&vintage=2026",
            "/registry/holder?name=甲厂",
        ):
            answer = reader.get(page)
            assert answer.status_code == 200 and "嘉兴" not in answer.text, page
