"""A figure opens as far as the asker may see, and says what is withheld."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon import inventory
from dualcarbon.core.problems import Refused
from dualcarbon.inventory.custody import safe
from dualcarbon.inventory.disclosure import left_out
from tests.inventory.conftest import observed

HEAD = "place,entity,sector,carrier,item,period,value,unit,custody\n"


def rows(*custodies: str) -> pl.DataFrame:
    """Diesel of one enterprise for each custody, 10 t and more."""
    lines = [f"330481,firm{n},C17,diesel,energy.combustion,2023,{n + 10},t,{one}" for n, one in enumerate(custodies)]
    return observed(HEAD + "\n".join(lines))


def asked(frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    return inventory.explain(frame, **{"place": "330481", "period": "2023", "basis": "A", "part": "fuel", **more})


def test_without_custody_everything_is_shown() -> None:
    node = asked(rows("statistical", "public"))
    assert len(node["rows"]) == 2 and node["withheld"] == 0


def test_what_is_withheld_is_counted_by_custody() -> None:
    frame = rows("statistical", "statistical", "statistical", "metered", "public")
    node = asked(frame, custody="public")
    assert (node["withheld"], node["withheld_by"]) == (4, {"metered": 1, "statistical": 3})
    assert [row["entity"] for row in node["rows"]] == ["firm4"]
    assert node["value"] == pytest.approx(asked(frame)["value"]) and node["stopped"] is None
    assert asked(frame, custody=["statistical", "metered"])["withheld"] == 0
    whole = asked(frame, custody="public", part=None)
    assert whole["withheld"] == 4
    fuel = next(child for child in whole["children"] if child["name"] == "fuel")
    assert inventory.explain(frame, **fuel["explain"])["withheld"] == 4


def test_a_figure_of_few_units_or_of_one_that_is_named_stops() -> None:
    few = asked(rows("statistical", "statistical", "public"), custody="public")
    assert few["value"] is None and few["rows"] == [] and few["equations"] == [] and "三家" in few["stopped"]["zh"]
    many = rows("statistical", "statistical", "statistical", "public")
    named = asked(many, custody="public", entity="firm0")
    assert named["value"] is None and named["withheld_by"] == {"statistical": 1} and named["stopped"]
    assert asked(many, custody="public", entity="firm3")["value"] == pytest.approx(13 * 3.0959, rel=1e-3)


def test_observed_items_stop_too() -> None:
    frame = rows("statistical", "public")
    node = asked(frame, item="energy.combustion", basis=None, part=None, custody="public", carrier="diesel")
    assert node["withheld_by"] == {"statistical": 1} and node["value"] is None and node["stopped"]


def test_an_unknown_custody_is_refused() -> None:
    with pytest.raises(Refused) as error:
        asked(rows("public"), custody="secret")
    assert error.value.problems[0].rule == "core.unknown-custody"


def emitting(**tonnes: float) -> pl.DataFrame:
    """Diesel of firms in sectors, all of it statistical: `C17_a=10` is firm C17_a of sector C17 with 10 t."""
    lines = [
        f"330481,{name},{name[:3]},diesel,energy.combustion,2023,{amount},t,statistical"
        for name, amount in tonnes.items()
    ]
    return observed(HEAD + "\n".join(lines))


def shown(frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    return inventory.account(frame, **{"place": "330481", "period": "2023", "basis": "A", "custody": "public", **more})


def test_an_account_leaves_out_what_gives_a_unit_away_and_what_would_follow_from_the_total() -> None:
    frame = emitting(C17_a=10, C17_b=11, C17_c=12, C26_a=9, C26_b=8, C28_a=50, C28_b=60, C28_c=70)
    found = shown(frame)
    told = {row["sector"]: row["value"] for row in found["rows"]}
    # C26 has two units; with C17, the smallest other sector, it makes five, of which none stands out.
    assert told["C26"] is None and told["C17"] is None and told["C28"] == pytest.approx(180 * 3.0959, rel=1e-3)
    assert found["value"] == pytest.approx(230 * 3.0959, rel=1e-3) and found["withheld"] == 2 and found["stopped"]
    assert shown(frame, custody="statistical")["withheld"] == 0
    assert "withheld" not in shown(frame, custody=None)


def test_a_unit_that_outweighs_the_rest_is_protected_in_the_whole_too() -> None:
    found = shown(emitting(C17_a=1000, C17_b=50, C17_c=40, C17_d=10))
    assert found["value"] is None and found["rows"][0]["value"] is None and found["previous"]["value"] is None
    assert all(part["value"] is None for part in found["parts"])
    even = emitting(C17_a=1000, C17_b=50, C17_c=90, C17_d=60)
    assert shown(even)["withheld"] == 0
    assert asked(emitting(C17_a=1000, C17_b=50, C17_c=40, C17_d=10), custody="public")["stopped"]
    assert asked(even, custody="public")["stopped"] is None


def test_public_units_need_no_protection() -> None:
    found = shown(rows("public", "public", "statistical", "statistical", "statistical"))
    assert found["withheld"] == 0 and found["stopped"] is None


units = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.001, 1e6), max_size=6)


@given(st.dictionaries(st.integers(0, 7), units, min_size=1, max_size=8))
def test_what_follows_from_a_told_table_is_safe(cells: dict[int, dict[str, float]]) -> None:
    table = {(key,): amounts for key, amounts in cells.items()}
    sizes = {key: sum(amounts.values()) for key, amounts in table.items()}
    together: dict[str, float] = {}
    for amounts in table.values():
        for name, amount in amounts.items():
            together[name] = together.get(name, 0.0) + amount
    out = left_out(table, sizes, whole_is_told=safe(together))
    assert all(safe(table[key]) for key in table.keys() - out)
    if out and safe(together):
        rest: dict[str, float] = {}
        for key in out:
            for name, amount in table[key].items():
                rest[name] = rest.get(name, 0.0) + amount
        assert safe(rest)
