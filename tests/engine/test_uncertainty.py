"""Uncertainty: what shares a factor errs together; the samples agree with the formula."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.engine import Term, calculate, combine, monte_carlo
from dualcarbon.engine.sampling import standard_deviation
from tests.engine.conftest import table

HEAD = "place,carrier,item,period,value,unit\n"
SAME = HEAD + "330481,diesel,test.quantity,2023,50,t\n330483,diesel,test.quantity,2023,50,t\n"
APART = HEAD + "330481,diesel,test.quantity,2023,50,t\n330481,gasoline,test.quantity,2023,50,t\n"


def relative(row: dict[str, float]) -> tuple[float, float]:
    return 1 - row["low"] / row["value"], row["high"] / row["value"] - 1


@pytest.mark.parametrize(("text", "expected"), [(SAME, 0.10), (APART, 0.10 / 2**0.5)], ids=["shared", "different"])
def test_shared_factors_err_together(text: str, expected: float, trial: Path, factor_file: Path) -> None:
    made = calculate(trial, table(text), factors=factor_file)
    row = made.combine().row(0, named=True)
    assert row["value"] == pytest.approx(200.0)
    assert relative(row) == pytest.approx((expected, expected), rel=1e-9)
    assert row["uncertainty"] == "factors"
    [sampled] = monte_carlo([Term(made, made.method.outputs[0])], samples=20_000, seed=7).to_dicts()
    assert sampled["mean"] == pytest.approx(200.0, rel=2e-3)
    assert 1 - sampled["low"] / 200 == pytest.approx(expected, rel=0.04)
    assert sampled["high"] / 200 - 1 == pytest.approx(expected, rel=0.04)


def test_samples_are_the_same_for_a_seed(trial: Path, factor_file: Path) -> None:
    made = calculate(trial, table(APART), factors=factor_file)
    term = Term(made, made.method.outputs[0])
    assert monte_carlo([term], samples=50, seed=3).equals(monte_carlo([term], samples=50, seed=3))
    assert not monte_carlo([term], samples=50, seed=3).equals(monte_carlo([term], samples=50, seed=4))


def test_what_is_taken_off_with_the_same_factor_cancels(trial: Path, factor_file: Path) -> None:
    made = calculate(trial, table(SAME), factors=factor_file)
    output = made.method.outputs[0]
    row = combine([Term(made, output), Term(made, output, sign=-1)]).row(0, named=True)
    assert row["value"] == 0.0 and row["low"] == 0.0 and row["high"] == 0.0


def test_rows_with_bounds_err_alone_unless_tied(trial: Path, tmp_path: Path) -> None:
    exact = tmp_path / "exact.csv"
    exact.write_text("parameter,value,unit\ntest.factor,2,tCO2/t\n", encoding="utf-8")
    head = "place,item,period,value,unit,low,high,error_group\n"
    rows = "330481,test.quantity,2023,50,t,45,55,{0}\n330483,test.quantity,2023,50,t,45,55,{0}\n"
    alone = calculate(trial, table(head + rows.format("")), factors=exact).combine().row(0, named=True)
    tied = calculate(trial, table(head + rows.format("meter")), factors=exact).combine().row(0, named=True)
    assert alone["uncertainty"] == tied["uncertainty"] == "activity"
    assert relative(alone) == pytest.approx((0.1 / 2**0.5,) * 2)
    assert relative(tied) == pytest.approx((0.1, 0.1))


def test_both_and_none(trial: Path, factor_file: Path) -> None:
    text = "place,carrier,item,period,value,unit,low,high\n330481,diesel,test.quantity,2023,50,t,45,55\n"
    both = calculate(trial, table(text), factors=factor_file).combine().row(0, named=True)
    assert both["uncertainty"] == "both"
    assert relative(both) == pytest.approx(((0.1**2 + 0.1**2) ** 0.5,) * 2)
    none = calculate("cn.combustion", table(HEAD + "330481,diesel,energy.combustion,2023,50,t\n")).combine()
    assert none.select("low", "high", "uncertainty").row(0) == (None, None, None)


def test_skewed_bounds_stay_skewed(trial: Path, tmp_path: Path) -> None:
    path = tmp_path / "skewed.csv"
    path.write_text("parameter,value,unit,low,high\ntest.factor,2,tCO2/t,1,4\n", encoding="utf-8")
    made = calculate(trial, table(HEAD + "330481,diesel,test.quantity,2023,1,t\n"), factors=path)
    row = made.combine().row(0, named=True)
    assert (row["low"], row["high"]) == (pytest.approx(1.0), pytest.approx(4.0))
    [sampled] = monte_carlo([Term(made, made.method.outputs[0])], samples=20_000).to_dicts()
    assert (sampled["low"], sampled["high"]) == (pytest.approx(1.0, rel=0.05), pytest.approx(4.0, rel=0.05))


@given(st.floats(0.1, 100), st.floats(1.01, 5))
def test_lognormal_goes_through_both_bounds(low: float, spread: float) -> None:
    high = low * spread**2
    mean_sd = standard_deviation(low * spread, low, high)
    assert mean_sd is not None and low < mean_sd[0] < high and mean_sd[1] > 0
    symmetric = standard_deviation(2.0, 1.0, 3.0)
    assert symmetric == (2.0, pytest.approx(2 / 3.92, rel=1e-3))


@given(st.lists(st.tuples(st.sampled_from(["diesel", "gasoline"]), st.floats(0.1, 1e3)), min_size=1, max_size=12))
def test_total_is_never_surer_than_independence_nor_wider_than_the_sum(rows: list[tuple[str, float]]) -> None:
    text = HEAD + "".join(f"330481,{carrier},energy.combustion,2023,{value},t\n" for carrier, value in rows)
    factors = pl.DataFrame(
        [("fuel.ncv", c, "provincial-2025", 40.0, "GJ/t", 36.0, 44.0, "unverified") for c in ("diesel", "gasoline")],
        schema=["parameter", "carrier", "family", "value", "unit", "low", "high", "status"],
        orient="row",
    )
    made = calculate("cn.combustion", table(text), factors=factors)
    cells = made.combine(["carrier"])
    total = made.combine().row(0, named=True)
    half = total["high"] - total["value"]
    halves = (cells["high"] - cells["value"]).to_list()
    assert sum(h**2 for h in halves) ** 0.5 == pytest.approx(half, rel=1e-6)
    assert half <= sum(halves) * (1 + 1e-9)
