"""A figure opens as far as the asker may see, and says what is withheld."""

from typing import Any

import polars as pl
import pytest

from dualcarbon import inventory
from dualcarbon.core.problems import Refused
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
