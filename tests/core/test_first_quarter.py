"""A first quarter alone is one figure, since January or not: it repeats, is corrected and goes on either way."""

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace

SAID = "place,entity,sector,carrier,item,period,value,unit,cumulative"
ROW = "330483,A,C28,electricity,energy.purchased,{},{},MWh"


@pytest.fixture
def place(tmp_path):
    return Workspace.create(tmp_path / "w")


def values(place):
    rows = place.observations().select('start, "end", value').order("start").fetchall()
    return [(f"{row[0]:%m}-{row[1]:%m}", row[2]) for row in rows]


def told(*rows, said=None):
    return [ROW.format(*row) + (f",{said}" if said else "") for row in rows]


QUARTERS = [("2024-Q1", 10), ("2024-Q2", 20), ("2024-Q3", 30), ("2024-Q4", 40)]
SINGLE = [("01-04", 10), ("04-07", 20), ("07-10", 30), ("10-01", 40)]


@pytest.mark.parametrize("said", ["no", "yes"])
def test_a_first_quarter_is_the_same_figure_whatever_a_file_says(place, file, said):
    place.import_file(file("1.csv", *told(QUARTERS[0])))
    answer = place.import_file(file("2.csv", *told(QUARTERS[0], said=said), headings=SAID))
    assert (answer["rows"], answer["unchanged"]) == (0, 1) and values(place) == [("01-04", 10)]
    with pytest.raises(Refused) as refused:
        place.import_file(file("3.csv", *told(("2024-Q1", 12), said=said), headings=SAID))
    assert [p.rule for p in refused.value.problems] == ["core.changed-key"]
    place.import_file(file("3.csv", *told(("2024-Q1", 12), said=said), headings=SAID), revise="更正")
    assert values(place) == [("01-04", 12)]


def test_single_quarters_follow_a_first_quarter_alone(place, file):
    place.import_file(file("1.csv", *told(QUARTERS[0])))
    place.import_file(file("all.csv", *told(*QUARTERS, said="no"), headings=SAID))
    assert values(place) == SINGLE


@pytest.mark.parametrize("said", [None, "no", "yes"])
def test_reports_since_january_follow_a_first_quarter_alone(place, file, said):
    place.import_file(file("1.csv", *told(QUARTERS[0], said=said), headings=SAID if said else SAID[:-11]))
    for number, row in enumerate([("2024年上半年", 30), ("2024年前三季度", 60)]):
        place.import_file(file(f"c{number}.csv", *told(row)))
    place.import_file(file("year.csv", *told(("2024", 100), said="yes"), headings=SAID))
    assert values(place) == SINGLE


def test_january_and_february_then_a_month_that_begins_a_chain(place, file):
    place.import_file(file("1.csv", *told(("2024年1-2月", 7), said="no"), headings=SAID))
    place.import_file(file("3.csv", *told(("2024年1-3月", 10))))
    assert values(place) == [("01-03", 7), ("03-04", 3)]
    with pytest.raises(Refused) as refused:
        place.import_file(file("4.csv", *told(("2024年1-4月", 6))))
    assert [p.rule for p in refused.value.problems] == ["core.falling-cumulative"]


def test_a_report_below_a_first_quarter_that_was_no_report_falls(place, file):
    place.import_file(file("1.csv", *told(QUARTERS[0], said="no"), headings=SAID))
    with pytest.raises(Refused) as refused:
        place.import_file(file("h1.csv", *told(("2024年上半年", 6))))
    assert [p.rule for p in refused.value.problems] == ["core.falling-cumulative"]


def test_months_beside_a_first_quarter_still_count_twice(place, file):
    place.import_file(file("1.csv", *told(QUARTERS[0])))
    with pytest.raises(Refused) as refused:
        place.import_file(file("2.csv", *told(("2024-02", 4))))
    assert [p.rule for p in refused.value.problems] == ["core.overlapping-periods"]


def test_an_explanation_says_which_report_a_quarter_is(place, file):
    from dualcarbon import inventory

    assert place.import_file(file("1.csv", *told(QUARTERS[0])))["cumulative"] == 1
    place.import_file(file("h1.csv", *told(("2024年上半年", 30))))
    node = inventory.explain(place, place="330483", period="2024", basis="B", part="electricity")
    rows = {row["period"]: row for leaf in node["children"] or [node] for row in leaf["rows"]}
    assert rows["2024-Q1"]["first_report"] == "2024-Q1" and "before" not in rows["2024-Q1"]
    assert (rows["2024-Q2"]["since_january"], rows["2024-Q2"]["before"]) == ("2024-01/2024-06", 10)


def test_a_report_is_explained_by_a_first_quarter_that_was_no_report(place, file):
    from dualcarbon import inventory

    place.import_file(file("1.csv", *told(QUARTERS[0], said="no"), headings=SAID))
    place.import_file(file("h1.csv", *told(("2024年上半年", 30))))
    node = inventory.explain(place, place="330483", period="2024-Q2", basis="B", part="electricity")
    [row] = [row for leaf in node["children"] or [node] for row in leaf["rows"]]
    assert (row["value"], row["reported"], row["before"]) == (20, 30, 10)
