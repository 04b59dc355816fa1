"""What a plan avoids: measures by the engine, overlaps by hand-calculated cases, every figure opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core.problems import Refused
from dualcarbon.plan.assessing import effect, effect_overlap
from tests.plan.told import case

CASE = case("effect-overlap")
JIAXING = ("cn-jiaxing", 2024)
RULES = (CASE["values"], CASE["members"], CASE["groups"])


def test_overlaps_count_once() -> None:
    assert effect_overlap.shares(*RULES) == pytest.approx(CASE["shares"])
    assert effect_overlap.total(*RULES) == pytest.approx(CASE["total"])
    assert effect_overlap.marginal(*RULES) == pytest.approx(CASE["marginal"])


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="halves"):
        effect_overlap.shares({"a": 1.0}, {"a": "g"}, [{"id": "g", "rule": "halves"}])


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1e6), min_size=1),
    st.sampled_from(["largest", "within", "cap"]),
    st.floats(0, 1e6),
)
def test_together_is_never_more_than_the_sum_nor_less_than_what_each_adds(
    values: dict[str, float], rule: str, limit: float
) -> None:
    members: dict[str, str | None] = {name: "g" if name < "e" else None for name in values}
    groups = [{"id": "g", "rule": rule, "whole": "a", "limit": limit}]
    together = effect_overlap.total(values, members, groups)
    assert together <= sum(values.values()) * (1 + 1e-9) + 1e-6
    assert all(0 <= share <= 1 for share in effect_overlap.shares(values, members, groups).values())
    if rule != "within":
        assert sum(effect_overlap.marginal(values, members, groups).values()) <= together * (1 + 1e-9) + 1e-6


def test_what_a_fall_of_intensity_asks() -> None:
    case = CASE["needed"]
    found = effect_overlap.needed(case["previous"], case["gdp_growth"], case["fall"])
    assert found == pytest.approx({name: case[name] for name in found})


def test_jiaxing_measures_as_calculated_by_hand() -> None:
    found = effect.estimate(*JIAXING)
    rows = {row["id"]: row for row in found["rows"]}
    for name, value in CASE["jiaxing"].items():
        assert rows[name]["value"] == pytest.approx(value, rel=1e-4), name
        assert rows[name]["low"] < rows[name]["value"] < rows[name]["high"]
        assert rows[name]["status"] == "unverified"
    energy = found["parts"]["energy"]
    assert energy["value"] == pytest.approx(CASE["jiaxing_energy_total"], rel=1e-6)
    assert energy["low"] < energy["value"] < energy["high"]
    assert rows["solar-building"]["counted"] == 0
    assert rows["solar-building"]["overlap"] == "pv"
    assert rows["phase-out"]["counted"] is None
    assert rows["pv"]["marginal"] == pytest.approx(rows["pv"]["value"] - rows["solar-building"]["value"])
    assert rows["pv"]["displaced"]["value"] == pytest.approx(760000 * 0.8273)


def test_what_cannot_be_said_is_missing_with_its_reason() -> None:
    for row in effect.estimate(*JIAXING)["rows"]:
        if row["treatment"] in ("missing", "none", "gross"):
            assert row["reason"]["zh"] and row["reason"]["en"], row["id"]
        if row["treatment"] in ("missing", "none"):
            assert row["value"] is None
        if row["treatment"] == "included":
            assert row["overlap"] is not None


def test_figures_open_into_equation_factors_and_the_plan_row() -> None:
    node = effect.opened("bus", *JIAXING)
    assert node["value"] == pytest.approx(CASE["jiaxing"]["bus"], rel=1e-4)
    assert "2,006.149" in node["substituted"]
    assert {one["parameter"] for one in node["factors"]} >= {"vehicle.distance", "fuel.ncv", "power.co2"}
    assert all(one["source"] and one["status"] for one in node["factors"])
    assert node["rows"][0]["value"] == 80
    assert effect.opened("pv", *JIAXING, basis="displaced")["value"] == pytest.approx(628748)
    with pytest.raises(Refused):
        effect.opened("storage", *JIAXING)


def test_a_what_if_moves_its_measure_alone() -> None:
    before, after = effect.estimate(*JIAXING), effect.estimate(*JIAXING, quantities={"bus": 160.0})
    rows = {row["id"]: row for row in after["rows"]}
    assert rows["bus"]["value"] == pytest.approx(2 * CASE["jiaxing"]["bus"], rel=1e-4)
    gap = after["parts"]["energy"]["value"] - before["parts"]["energy"]["value"]
    assert gap == pytest.approx(CASE["jiaxing"]["bus"], rel=1e-4)


def test_a_plan_without_measures_has_none() -> None:
    assert effect.measures("cn", 2024)["measures"] == []


def test_every_figure_opens_to_its_value() -> None:
    found = effect.estimate(*JIAXING)
    estimated = [row for row in found["rows"] if row["value"] is not None]
    assert len(estimated) == len(CASE["jiaxing"])
    for row in estimated:
        node = effect.opened(row["id"], *JIAXING)
        assert node["value"] == pytest.approx(row["value"], rel=1e-9), row["id"]
        assert node["low"] == pytest.approx(row["low"], rel=1e-6), row["id"]
        assert node["rows"][0]["value"] == row["quantity"]
    counted = sum(row["counted"] for row in estimated if row["part"] == "energy" and row["counted"] is not None)
    assert found["parts"]["energy"]["value"] == pytest.approx(counted)
