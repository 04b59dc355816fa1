"""Formulas: what parses, what each interpreter makes of it, and derivatives against differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.engine.formula import DUALS, NUMBERS, Dual, FormulaError, constant, parse


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "a.b", "a[0]", "lambda: 1", "a if b else c", "a ** b", "a ** 0.5", "sqrt(a)", "min(a)",
        "where(a, b, c)", "a < b", "'x'", "a, b", "exp(a, b)", "where(a < b < c, a, b)", "min(a, b, key=c)", "True",
        "1j", "",
    ],
)  # fmt: skip
def test_refuses_what_is_not_a_formula(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_numbers() -> None:
    values = {"a": 3.0, "b": 2.0}
    for text, expected in {
        "a * b + 1": 7.0, "-a ** 2": -9.0, "a / b": 1.5, "min(a, b, 1)": 1.0, "max(a, b)": 3.0,
        "where(a > b, a, b)": 3.0, "exp(log(a))": 3.0, "a ** -1": 1 / 3,
    }.items():  # fmt: skip
        assert parse(text).evaluate(values, NUMBERS) == pytest.approx(expected)
    assert constant("44/12") == pytest.approx(44 / 12)
    with pytest.raises(FormulaError):
        constant("a / 2")


def test_substitution_keeps_the_meaning() -> None:
    texts = {"a": "3 t", "b": "2"}
    assert parse("a * (a + b) / b").substitute(texts) == "3 t × (3 t + 2) ÷ 2"
    assert parse("a - (b - a)").substitute(texts) == "3 t − (2 − 3 t)"
    assert parse("a / (b * a)").substitute(texts) == "3 t ÷ (2 × 3 t)"


FORMULAS = ["a * b", "a * b + c", "a / (b + c)", "(a - b) ** 3 * c", "min(a * b, c * 5)", "where(a > b, a * c, b * b)",
            "exp(a / 10) * log(b + c)", "3 / a - b / 2", "max(a, b, c) * 2", "-a * b ** -2"]  # fmt: skip


@given(st.sampled_from(FORMULAS), *(st.floats(0.5, 4) for _ in range(3)))
def test_derivatives_agree_with_differences(text: str, a: float, b: float, c: float) -> None:
    formula = parse(text)
    at = {"a": a, "b": b, "c": c}
    made = formula.evaluate({n: Dual.name(n, np.array([v])) for n, v in at.items()}, DUALS)
    assert made.value[0] == pytest.approx(formula.evaluate(at, NUMBERS))
    step = 1e-6
    for name in formula.names:
        up = formula.evaluate({**at, name: at[name] + step}, NUMBERS)
        down = formula.evaluate({**at, name: at[name] - step}, NUMBERS)
        slope = float(np.ravel(made.partials.get(name, np.zeros(1)))[0])
        near_a_corner = any(abs(x - y) < 1e-5 for x, y in ((a, b), (a * b, c * 5), (a, c), (b, c)))
        assert near_a_corner or slope == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-6)


def test_division_by_zero_is_missing_not_infinite() -> None:
    with np.errstate(all="ignore"):
        made = parse("a / b").evaluate(
            {"a": Dual.name("a", np.array([1.0])), "b": Dual.name("b", np.array([0.0]))}, DUALS
        )
    assert math.isnan(made.value[0])
