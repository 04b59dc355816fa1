"""What a figure says opens to exactly what stands behind it, and to no more than its reader may see."""

from typing import Any

import polars as pl
import pytest

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


def opens(data: Any, value: float | None, part: str | None = None, **asked: Any) -> None:
    """The query opens to the value, and the rows behind a part are those of the value."""
    node = inventory.explain(data, **asked, **({"part": part} if part else {}))
    assert node["value"] == (None if value is None else pytest.approx(value)), asked
    if part and value is not None:
        leaves = [node]
        while any(leaf["children"] for leaf in leaves):
            leaves = [below for leaf in leaves for below in (leaf["children"] or [leaf])]
        contributed = sum(row["contribution"] for leaf in leaves for row in leaf["rows"])
        assert abs(contributed) == pytest.approx(abs(value)), asked


def test_a_row_opens_to_the_combinations_it_holds_and_no_others() -> None:
    rows = observed(
        "place,sector,domain,carrier,item,period,value,unit\n"
        "330481,C17,,electricity,energy.purchased,2024,100,MWh\n"
        "330481,D44,industry,electricity,energy.purchased,2024,1000,MWh\n"
        "330481,D44,,electricity,energy.purchased,2024,10000,MWh\n"
        "330481,C17,transport,electricity,energy.purchased,2024,7,MWh\n"
    )
    for by in (("domain",), ("sector", "domain"), ("section",), ("sector",)):
        found = inventory.account(rows, place="330481", period="2024", by=by)["rows"]
        for row in found:
            opens(rows, row["value"], **row["explain"])
            opens(rows, row["value"], "electricity", **row["explain"])


LONG = """
place,sector,carrier,item,period,value,unit
330481,C17,electricity,energy.purchased,2024,1200,MWh
330481,C28,electricity,energy.purchased,2024-01,100,MWh
330481,C28,electricity,energy.purchased,2024-02,200,MWh
330481,C29,electricity,energy.purchased,2024-01/2024-02,50,MWh
330481,C22,electricity,energy.purchased,2023,700,MWh
330481,C17,electricity,energy.purchased,2023-03,10,MWh
"""


def test_a_long_record_in_a_table_over_time_opens_alone() -> None:
    rows = observed(LONG)
    for step in ("month", "quarter"):
        account = inventory.account(rows, place="330481", period="2024", by=(step,))
        assert {row[step] for row in account["rows"]} >= {"2024"}
        for row in account["rows"]:
            opens(rows, row["value"], **row["explain"])
            opens(rows, row["value"], "electricity" if row["value"] is not None else None, **row["explain"])
        for row in inventory.series(rows, place="330481", periods="2024", step=step):
            opens(rows, row["value"], **row["explain"])
    whole = inventory.account(rows, place="330481", period="2024", by=("month", "sector"))["rows"]
    for row in whole:
        opens(rows, row["value"], **row["explain"])
    opens(rows, None, item="emission.co2", place="330481", period="2024", basis="B", quarter="2023")


SPREAD = """
place,sector,carrier,item,period,value,unit
330400,C22,electricity,energy.purchased,2024,1000,MWh
330481,C17,electricity,energy.purchased,2024,100,MWh
330483,C28,electricity,energy.purchased,2024,200,MWh
"""


def test_what_lies_in_no_one_area_opens_alone() -> None:
    rows = observed(SPREAD)
    account = inventory.account(rows, place="330400", period="2024", by=("place",))["rows"]
    tables = [account, inventory.areas(rows, place="330400", period="2024")]
    tables.append(inventory.series(rows, place="330400", periods="2024", step="year", by=("place",)))
    for table in tables:
        assert None in [row["place"] for row in table]
        for row in table:
            opens(rows, row["value"], **row["explain"])
            opens(rows, row["value"], "electricity" if row["value"] is not None else None, **row["explain"])
    both = inventory.account(rows, place="330400", period="2024", by=("place", "sector"))["rows"]
    for row in both:
        opens(rows, row["value"], **row["explain"])


def test_a_long_record_of_several_parts_opens_alone() -> None:
    rows = observed(
        LONG + "330481,C17,diesel,energy.combustion,2024,10,t\n330481,C17,diesel,energy.combustion,2023,10,t\n"
    )
    for row in inventory.account(rows, place="330481", period="2024", by=("month",))["rows"]:
        opens(rows, row["value"], **row["explain"])
