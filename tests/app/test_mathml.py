from xml.etree import ElementTree

import pytest

from dualcarbon.app.mathml import equation


def read(marked: str) -> str:
    """The text that a MathML equation shows."""
    return "".join(ElementTree.fromstring(marked.replace("\u00a0", " ")).itertext()).replace(" ", "")


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        ("fuel * ncv * cc * of", "y=fuel×ncv×cc×of"),
        ("a + b - c", "y=a+b−c"),
        ("a - (b - c)", "y=a−(b−c)"),
        ("(a + b) * c", "y=(a+b)×c"),
        ("a * (b + c)", "y=a×(b+c)"),
        ("-a * b", "y=−a×b"),
        ("a ** 2 / b", "y=a2b"),
        ("min(a, b)", "y=min(a,b)"),
        ("where(a > 0, b, c)", "y={ba>0c—"),
        ("a / (b + c)", "y=ab+c"),
        ("not a formula <", "y=notaformula<"),
    ],
)
def test_a_formula_is_typeset_with_its_brackets(formula: str, shown: str) -> None:
    assert read(equation("y", formula)) == shown


def test_numbers_stand_with_their_units() -> None:
    marked = equation("co2", "power * ef", {"power": "1,000 MWh", "ef": "0.4974 tCO₂/MWh"}, "497.4 tCO₂")
    assert read(marked) == "497.4tCO₂=1,000MWh×0.4974tCO₂/MWh"
    assert marked.count("<mn>") == 3


def test_words_may_stand_for_symbols() -> None:
    assert (
        read(equation("B", "fuel + power", {"fuel": "燃料", "power": "电力"}, "消费侧", words=True))
        == "消费侧=燃料+电力"
    )


def test_names_are_escaped() -> None:
    assert "<script" not in equation("y", "a + b", {"a": "<script>"}, "<b>")
