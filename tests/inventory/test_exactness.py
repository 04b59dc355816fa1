"""What a figure says opens to exactly what stands behind it, and to no more than its reader may see."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dualcarbon import inventory
from tests.inventory.conftest import entities, observed

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


def test_trade_with_a_place_in_no_one_area_counts_where_it_surely_crosses() -> None:
    """Haiyan county is divided in the management tree; heat that it buys from Jingkai leaves Jingkai all the same."""
    rows = observed(
        "place,entity,sector,carrier,item,counterparty,counterparty_place,period,value,unit\n"
        "330424,U,C17,heat,energy.purchased,S,330402-chengnan,2024,1000,GJ\n"
        "330402-chengnan,S,D44,natural_gas,energy.combustion,,,2024,10,万m3\n"
    )
    found = inventory.areas(rows, place="330400", period="2024", tree="management")
    shown = {row["place"]: row for row in found if row["value"] is not None}
    assert shown[None]["value"] == pytest.approx(110)
    for row in shown.values():
        opens(rows, row["value"], **row["explain"])
    whole = inventory.account(rows, place="330400", period="2024", tree="management")["value"]
    assert sum(row["value"] for row in shown.values()) == pytest.approx(whole)


def bring(store: Any, folder: Path, name: str, text: str, **how: Any) -> dict[str, Any]:
    file = folder / f"{name}.csv"
    file.write_text(text, encoding="utf-8")
    record: dict[str, Any] = store.import_file(file, dataset="returns", **how)
    return record


def reasons(store: Any, *days: str, **asked: Any) -> list[tuple[str, str | None, float]]:
    """The reasons of a difference; their effects sum to it."""
    told = inventory.vintages(store, *days, period="2024", place="330481", **asked)
    assert sum(row["effect"] for row in told["rows"]) == pytest.approx(told["difference"])
    assert told["difference"]
    return sorted((row["reason"], row["text"], row["rows"]) for row in told["rows"])


EQUIPPED = "place,sector,carrier,equipment,item,period,value,unit,known_at\n"
BOUGHT = "place,entity,sector,carrier,item,counterparty,counterparty_place,period,value,unit,known_at\n"


def test_reasons_of_a_difference_add_up_by_equipment_and_by_supplier(made: Any, tmp_path: Path) -> None:
    line = "330481,C17,diesel,{},energy.combustion,2024,{},t,{}\n"
    store = made(EQUIPPED + "".join(line.format(kind, 100, "2024-02-01") for kind in ("boiler", "kiln")), name="one")
    newer = EQUIPPED + line.format("boiler", 150, "2024-03-01") + line.format("kiln", 170, "2024-03-01")
    bring(store, tmp_path, "newer", newer, revise="计量更正")
    assert reasons(store, "2024-02-15", "2024-03-15") == [("revised", "计量更正", 2)]

    own = tmp_path / "own.csv"
    own.write_text(
        "parameter,entity,value,unit,source,status\nheat.co2,S1,0.06,tCO2/GJ,x,unverified\n", encoding="utf-8"
    )
    line = "330481,{0},C17,heat,energy.purchased,{1},330500,2024,{2},GJ,{3}\n"
    both = (("E1", "S1"), ("E2", "S2"))
    first = BOUGHT + "".join(line.format(*pair, 1000, "2025-02-01") for pair in both)
    for name, changed in (("two", both), ("three", both[1:])):
        store = made(first, name=name)
        newer = BOUGHT + "".join(line.format(*pair, 2000, "2025-03-01") for pair in changed)
        bring(store, tmp_path, f"newer-{name}", newer, revise="typo")
        assert reasons(store, "2025-02-15", "2025-03-15", factors=own) == [("revised", "typo", len(changed))]


def test_the_reason_of_a_row_is_that_of_its_own_import(made: Any, tmp_path: Path) -> None:
    head, line = "place,sector,carrier,item,period,value,unit\n", "330481,{},electricity,energy.purchased,2024,{},MWh\n"
    store = made(head + line.format("C17", 100))
    twice = bring(store, tmp_path, "twice", head + line.format("C18", 100))
    bring(store, tmp_path, "slip", head + line.format("C17", 110), revise="更正笔误")
    before = store.version()
    store.revert(twice["id"], "重复上报")
    again = bring(store, tmp_path, "again", head + line.format("C17", 120), revise="再次更正")
    told = reasons(store, version_a=before)
    assert told == [("revised", "再次更正", 1), ("withdrawn", "重复上报", 1)]
    later = store.version()
    store.revert(again["id"], "误报")
    assert reasons(store, version_a=later) == [("revised", "误报", 1)]


def test_days_known_at_are_read_alike_in_accounts_and_runs(made: Any) -> None:
    from dualcarbon.engine import runs

    store = made(EQUIPPED + "330481,C17,electricity,,energy.purchased,2024-01,100,MWh,2024-06-10\n")
    found = inventory.account(store, place="330481", period="2024-01", known_at="2024-06")
    run = runs.calc("cn.electricity", workspace=store, known_at="2024-06")
    assert found["value"] == pytest.approx(run.results["value"].sum()) and found["value"] > 0
    assert found["run"]["known_at"] == date(2024, 6, 30)


def test_an_account_is_of_the_workspace_and_entities_as_they_are(made: Any, tmp_path: Path) -> None:
    import shutil

    text = "place,sector,carrier,item,period,value,unit\n330481,C17,electricity,energy.purchased,2024,{},MWh\n"
    values = []
    for amount in (100, 200):
        values.append(inventory.account(made(text.format(amount)), place="330481", period="2024")["value"])
        shutil.rmtree(tmp_path / "w")
    assert values[1] == pytest.approx(2 * values[0])

    store = made(
        "place,entity,sector,carrier,item,period,value,unit\n330481,E1,C17,diesel,energy.combustion,2024,9,t\n"
    )
    assert inventory.top_movers(store, period="2024", basis="A")["rows"][0]["name"]["zh"] == "E1"
    store.save_entities(entities([{"code": "E1", "name": "恒达", "place": "330481", "sector": "C17"}]))
    assert inventory.top_movers(store, period="2024", basis="A")["rows"][0]["name"]["zh"] == "恒达"


def test_our_sum_is_compared_with_the_published_total_of_the_place_alone(made: Any, tmp_path: Path) -> None:
    head = "place,entity,sector,carrier,item,period,value,unit\n"
    store = made(head + "330481,,C17,electricity,energy.consumption,2024,100,MWh\n")
    total, part = (f"330481,{who},,electricity,energy.consumption,2024,{n},MWh\n" for who, n in (("", 100), ("E1", 40)))
    file = tmp_path / "published.csv"
    file.write_text(head + total + part, encoding="utf-8")
    store.import_file(file, dataset="yearbook", role="control", status="official")
    (row,) = inventory.controls(store, place="330481", period="2024")
    assert (row["control"], row["value"]) == (100, 100)
    asked: dict[str, Any] = {"place": "330481", "period": "2024", "carrier": "electricity", "dataset": "yearbook"}
    assert inventory.explain(store, "energy.consumption", **asked)["value"] == 100
    assert inventory.explain(store, "energy.consumption", **asked, entity="E1")["value"] == 40


def test_a_row_that_is_a_difference_says_what_was_reported(made: Any) -> None:
    head, line = "place,sector,carrier,item,period,value,unit,cumulative\n", "330481,C17,electricity,energy.purchased,"
    store = made(head + f"{line}2024年1-2月,190,MWh,是\n{line}2024年1-3月,310,MWh,是\n{line}2024-04,70,MWh,否\n")
    asked: dict[str, Any] = {"place": "330481", "period": "2024", "carrier": "electricity"}
    for node in (
        inventory.explain(store, basis="B", part="electricity", **asked),
        inventory.explain(store, "energy.purchased", **asked),
    ):
        rows = {row["period"]: row for row in node["rows"]}
        march = rows.pop("2024-03")
        assert (march["value"], march["reported"], march["before"]) == (120, 310, 190)
        assert march["since_january"] == "2024-Q1"
        assert rows and all("reported" not in row for row in rows.values())


def test_a_quarter_asked_in_part_opens_in_that_part() -> None:
    lines = "".join(f"330481,C17,electricity,energy.purchased,2024-{month:02d},{month},MWh\n" for month in range(1, 13))
    rows = observed("place,sector,carrier,item,period,value,unit\n" + lines)
    for row in inventory.account(rows, place="330481", period="2024-02/2024-05", by=("quarter",))["rows"]:
        opens(rows, row["value"], **row["explain"])
    for row in inventory.series(rows, place="330481", periods="2024-05", step="year"):
        opens(rows, row["value"], **row["explain"])
