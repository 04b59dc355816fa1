"""Formulas: one expression, parsed once, read by several interpreters.

A formula is a Python expression of names, numbers, ``+ - * /``, ``**`` with an integer, and
``min max where exp log``; the first argument of ``where`` is a comparison. Nothing else parses.
Interpreters are the operands themselves (operator overloading) with a table of the five functions:
plain numbers (:data:`NUMBERS`), :class:`Dual` arrays with derivatives (:data:`DUALS`), pint quantities
(:data:`QUANTITIES`), and SymPy (:func:`sympy_functions`).
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

BINARY: dict[type[ast.operator], tuple[Callable[[Any, Any], Any], str]] = {
    ast.Add: (operator.add, "+"),
    ast.Sub: (operator.sub, "−"),
    ast.Mult: (operator.mul, "×"),
    ast.Div: (operator.truediv, "÷"),
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS = {"min": None, "max": None, "where": 3, "exp": 1, "log": 1}

Array = npt.NDArray[np.float64]


class FormulaError(ValueError):
    """The text is not a formula of the grammar above."""


@dataclass(frozen=True)
class Formula:
    """A parsed formula: its text, its syntax tree and the names it reads."""

    text: str
    tree: ast.expr = field(compare=False, repr=False)
    names: tuple[str, ...]

    def evaluate(self, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
        """The value of the formula for ``values`` (one per name), under one interpreter's functions."""
        return _evaluate(self.tree, values, functions)

    def substitute(self, texts: Mapping[str, str]) -> str:
        """The formula as readable text with each name replaced, e.g. ``100 t × 42.652 GJ/t``."""
        return _write(self.tree, texts)


def parse(text: str) -> Formula:
    """Parse one formula; raises :class:`FormulaError` naming what the grammar does not allow."""
    try:
        tree = ast.parse(str(text).strip(), mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"not an expression: {text!r}") from error
    names: dict[str, None] = {}
    _check(tree, names)
    return Formula(str(text).strip(), tree, tuple(names))


def constant(value: float | int | str) -> float:
    """A constant written as a number or as arithmetic of numbers (``44/12``)."""
    if isinstance(value, int | float):
        return float(value)
    formula = parse(value)
    if formula.names:
        raise FormulaError(f"a constant holds numbers only: {value!r}")
    return float(formula.evaluate({}, NUMBERS))


def _check(node: ast.expr, names: dict[str, None]) -> None:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return
    if isinstance(node, ast.Name):
        if node.id in FUNCTIONS:
            raise FormulaError(f"{node.id} is a function and needs arguments")
        names[node.id] = None
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _check(node.operand, names)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            _exponent(node.right)
            return _check(node.left, names)
        if type(node.op) in BINARY:
            _check(node.left, names)
            return _check(node.right, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        name = node.func.id
        if name not in FUNCTIONS:
            raise FormulaError(f"unknown function {name}; known: {', '.join(FUNCTIONS)}")
        wanted = FUNCTIONS[name]
        if wanted is not None and len(node.args) != wanted:
            raise FormulaError(f"{name} takes {wanted} argument(s), not {len(node.args)}")
        if wanted is None and len(node.args) < 2:
            raise FormulaError(f"{name} takes two or more arguments")
        arguments = node.args
        if name == "where":
            condition, arguments = node.args[0], node.args[1:]
            if not (
                isinstance(condition, ast.Compare) and len(condition.ops) == 1 and type(condition.ops[0]) in COMPARE
            ):
                raise FormulaError("the first argument of where is one comparison")
            _check(condition.left, names)
            _check(condition.comparators[0], names)
        for argument in arguments:
            _check(argument, names)
        return
    raise FormulaError(f"not allowed in a formula: {ast.unparse(node)!r}")


def _exponent(node: ast.expr) -> int:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_exponent(node.operand)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    raise FormulaError(f"an exponent is a whole number, not {ast.unparse(node)!r}")


def _evaluate(node: ast.expr, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        operand = _evaluate(node.operand, values, functions)
        return -operand if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.BinOp):
        left = _evaluate(node.left, values, functions)
        if isinstance(node.op, ast.Pow):
            return left ** _exponent(node.right)
        apply, _ = BINARY[type(node.op)]
        return apply(left, _evaluate(node.right, values, functions))
    if isinstance(node, ast.Compare):
        compare = COMPARE[type(node.ops[0])]
        return compare(_evaluate(node.left, values, functions), _evaluate(node.comparators[0], values, functions))
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return functions[node.func.id](*(_evaluate(argument, values, functions) for argument in node.args))


def _write(node: ast.expr, texts: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return f"{constant(node.value):g}"  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return texts.get(node.id, node.id)
    if isinstance(node, ast.UnaryOp):
        return ("−" if isinstance(node.op, ast.USub) else "") + _operand(node.operand, texts)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return f"{_operand(node.left, texts)}^{_exponent(node.right)}"
        _, sign = BINARY[type(node.op)]
        if isinstance(node.op, ast.Add):
            return f"{_write(node.left, texts)} + {_write(node.right, texts)}"
        if isinstance(node.op, ast.Sub):
            return f"{_write(node.left, texts)} − {_operand(node.right, texts)}"
        left = node.left
        chain = isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult | ast.Div)
        return f"{_write(left, texts) if chain else _operand(left, texts)} {sign} {_operand(node.right, texts)}"
    if isinstance(node, ast.Compare):
        signs = {"Lt": "<", "LtE": "≤", "Gt": ">", "GtE": "≥", "Eq": "=", "NotEq": "≠"}
        sign = signs[type(node.ops[0]).__name__]
        return f"{_write(node.left, texts)} {sign} {_write(node.comparators[0], texts)}"
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return f"{node.func.id}({', '.join(_write(argument, texts) for argument in node.args)})"


def _operand(node: ast.expr, texts: Mapping[str, str]) -> str:
    text = _write(node, texts)
    return f"({text})" if isinstance(node, ast.BinOp | ast.UnaryOp) else text


class Dual:
    """Arrays of values with their partial derivatives by name (forward differentiation).

    ``value`` and every partial are float64 arrays that broadcast to the number of cells; a division
    by zero gives NaN, which the engine reads as missing.
    """

    __array_ufunc__ = None
    __slots__ = ("partials", "value")

    def __init__(self, value: Array, partials: dict[str, Array]) -> None:
        self.value = value
        self.partials = partials

    @classmethod
    def name(cls, name: str, value: Array) -> "Dual":
        """The variable ``name`` itself."""
        return cls(value, {name: np.ones(())})

    def _chain(self, value: Array, slope: Array) -> "Dual":
        return Dual(value, {name: slope * partial for name, partial in self.partials.items()})

    def __add__(self, other: "Dual | float") -> "Dual":
        if not isinstance(other, Dual):
            return Dual(self.value + other, self.partials)
        return Dual(self.value + other.value, _merge(self.partials, other.partials))

    __radd__ = __add__

    def __neg__(self) -> "Dual":
        return Dual(-self.value, {name: -partial for name, partial in self.partials.items()})

    def __sub__(self, other: "Dual | float") -> "Dual":
        return self + (-other)

    def __rsub__(self, other: float) -> "Dual":
        return (-self) + other

    def __mul__(self, other: "Dual | float") -> "Dual":
        if not isinstance(other, Dual):
            return Dual(self.value * other, {name: partial * other for name, partial in self.partials.items()})
        return Dual(
            self.value * other.value,
            _merge(
                {name: partial * other.value for name, partial in self.partials.items()},
                {name: partial * self.value for name, partial in other.partials.items()},
            ),
        )

    __rmul__ = __mul__

    def __truediv__(self, other: "Dual | float") -> "Dual":
        if not isinstance(other, Dual):
            return self * (1.0 / other if other else math.nan)
        return self * other**-1

    def __rtruediv__(self, other: float) -> "Dual":
        return (self**-1) * other

    def __pow__(self, power: int) -> "Dual":
        if power == 0:
            return Dual(np.ones_like(self.value), {})
        base = np.where(self.value == 0, np.nan, self.value) if power < 0 else self.value
        return self._chain(base ** float(power), power * base ** float(power - 1))

    def __lt__(self, other: "Dual | float") -> Any:
        return self.value < _value(other)

    def __le__(self, other: "Dual | float") -> Any:
        return self.value <= _value(other)

    def __gt__(self, other: "Dual | float") -> Any:
        return self.value > _value(other)

    def __ge__(self, other: "Dual | float") -> Any:
        return self.value >= _value(other)

    def __eq__(self, other: object) -> Any:
        return self.value == _value(other)

    def __ne__(self, other: object) -> Any:
        return self.value != _value(other)

    __hash__ = None  # type: ignore[assignment]


def _value(operand: Any) -> Any:
    return operand.value if isinstance(operand, Dual) else operand


def _merge(left: dict[str, Array], right: dict[str, Array]) -> dict[str, Array]:
    merged = dict(left)
    for name, partial in right.items():
        merged[name] = merged[name] + partial if name in merged else partial
    return merged


def _where(condition: Any, yes: Any, no: Any) -> Dual:
    zero = np.zeros(())
    yes, no = (side if isinstance(side, Dual) else Dual(np.asarray(float(side)), {}) for side in (yes, no))
    names = {**yes.partials, **no.partials}
    return Dual(
        np.where(condition, yes.value, no.value),
        {name: np.where(condition, yes.partials.get(name, zero), no.partials.get(name, zero)) for name in names},
    )


def _least(*operands: Any) -> Any:
    first, *rest = operands
    for other in rest:
        first = _where(_value(first) <= _value(other), first, other)
    return first


def _greatest(*operands: Any) -> Any:
    first, *rest = operands
    for other in rest:
        first = _where(_value(first) >= _value(other), first, other)
    return first


def _exp(operand: Any) -> Any:
    if not isinstance(operand, Dual):
        return math.exp(operand)
    value = np.exp(operand.value)
    return operand._chain(value, value)


def _log(operand: Any) -> Any:
    if not isinstance(operand, Dual):
        return math.log(operand)
    positive = np.where(operand.value > 0, operand.value, np.nan)
    return operand._chain(np.log(positive), 1.0 / positive)


def _same_dimension(*operands: Any) -> Any:
    first, *rest = operands
    for other in rest:
        first + other  # pint refuses operands of different dimensions
    return first


NUMBERS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "where": lambda condition, yes, no: yes if condition else no,
    "exp": math.exp,
    "log": math.log,
}
DUALS: dict[str, Callable[..., Any]] = {"min": _least, "max": _greatest, "where": _where, "exp": _exp, "log": _log}
QUANTITIES: dict[str, Callable[..., Any]] = {
    "min": _same_dimension,
    "max": _same_dimension,
    "where": lambda _condition, yes, no: _same_dimension(yes, no),
    "exp": lambda operand: operand.to("dimensionless") if hasattr(operand, "to") else operand,
    "log": lambda operand: operand.to("dimensionless") if hasattr(operand, "to") else operand,
}


def sympy_functions() -> dict[str, Callable[..., Any]]:
    """The function table for SymPy symbols (imports SymPy)."""
    import sympy

    return {
        "min": sympy.Min,
        "max": sympy.Max,
        "where": lambda condition, yes, no: sympy.Piecewise((yes, condition), (no, True)),
        "exp": sympy.exp,
        "log": sympy.log,
    }
