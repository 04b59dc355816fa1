"""What a figure says opens to exactly what stands behind it, and to no more than its reader may see."""

from typing import Any

import polars as pl

from dualcarbon import inventory
from tests.inventory.conftest import observed

RETURNS = "place,entity,sector,carrier,item,period,value,unit,custody\n"


def returned(*lines: str) -> pl.DataFrame:
    return observed(RETURNS + "\n".join(f"{line},statistical" for line in lines))


def public(frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    return inventory.account(frame, **{"place": "330481", "period": "2024", "basis": "A", "custody": "public", **more})


def test_what_rests_on_a_factor_does_not_tell_what_one_plant_burns() -> None:
    many = [f"330481,E{n},C17,diesel,energy.combustion,2024,{100 + n},t" for n in range(6)]
    one = "330481,E9,C17,coke,energy.combustion,2024,50,t"
    found = public(returned(*many, one), by=("carrier",))
    assert found["value"] is not None
    assert found["factors"] and all(row["emission"] is None for row in found["factors"])
    assert found["stopped"]
    alone = public(returned(one), by=())
    assert alone["value"] is None and all(row["emission"] is None for row in alone["factors"])
    assert any(row["emission"] for row in public(returned(*many))["factors"])


def test_what_stands_apart_and_what_is_missing_tell_no_unit_either() -> None:
    clinker = public(returned("330481,E1,C30,clinker,material.clinker,2024,1000,t"))
    process = next(row for row in clinker["apart"] if row["name"] == "process")
    assert process["value"] is None and process["withheld"]
    yearly = returned("330481,E1,C30,diesel,energy.combustion,2024,77,t")
    (row,) = public(yearly, period="2024-03")["missing"]
    assert row["quantity"] is None and row["value"] is None and row["withheld"]
    assert public(yearly, period="2024-03", custody="statistical")["missing"][0]["quantity"] == 77


def test_our_sum_beside_a_published_total_tells_no_unit_either() -> None:
    frame = returned(
        *(f"330481,E{n},C17,diesel,energy.combustion,2024,{100 + n},t" for n in range(6)),
        "330481,E9,C17,coke,energy.combustion,2024,50,t",
    ).with_columns(dataset=pl.lit("returns"))
    total = observed("place,carrier,item,period,value,unit\n330481,coke,energy.combustion,2024,60,t")
    total = total.with_columns(dataset=pl.lit("yearbook"), custody=pl.lit("public"))
    both = pl.concat([frame, total], how="diagonal")
    asked: dict[str, Any] = {"datasets": [{"id": "returns", "role": "account"}, {"id": "yearbook", "role": "control"}]}
    assert inventory.account(both, place="330481", period="2024", basis="A", **asked)["difference"][0]["value"] == 50
    (row,) = public(both, **asked)["difference"]
    assert row["value"] is None and row["difference"] is None and row["control"] == 60
