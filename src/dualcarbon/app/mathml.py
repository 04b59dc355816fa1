"""Formulas typeset as MathML, which browsers show and read aloud without any script.

The same expressions that the engine calculates (names, numbers, ``+ - * / **``, ``min max where exp log``) are
written twice: with their symbols, and with the numbers that stood for them.
"""

import ast
from collections.abc import Mapping
from html import escape

_OPERATORS = {ast.Add: "+", ast.Sub: "\u2212", ast.Mult: "×"}
_COMPARE = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠"}
_STRENGTH = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 3}


def equation(
    name: str, formula: str, texts: Mapping[str, str] | None = None, left: str | None = None, words: bool = False
) -> str:
    """``name = formula`` as MathML, in one element for each term, so that a long one breaks between terms.

    `texts` stand for names that occur in it (``{"fuel": "100 t"}``); `left` stands for the name on the left. With
    `words` they are words to read, not numbers with units. A formula that does not parse is shown as text.
    """
    given: Mapping[str, str] = _Words(texts or {}) if words else texts or {}
    try:
        terms = _terms(ast.parse(formula.strip(), mode="eval").body, given)
    except (SyntaxError, ValueError):
        terms = [("", f"<mtext>{escape(formula)}</mtext>")]
    head = symbol(name) if left is None else f"<mtext>{escape(left)}</mtext>" if words else _amount(left)
    terms[0] = ("=", terms[0][1])
    # A text is no operand to a browser, so the space after the operator has to be put before it.
    gap = '<mspace width="0.3em"/>' if words else ""
    signed = [f'<mo form="infix" lspace="0.15em" rspace="0.3em">{mark}</mo>{gap}{term}' for mark, term in terms]
    marked = " ".join(f'<math displaystyle="true"><mrow>{piece}</mrow></math>' for piece in (head, *signed))
    return f'<span class="equation">{marked}</span>'


def _terms(node: ast.expr, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The terms of a sum, or the factors of a product, each with the operator before it (none before the first)."""
    kinds: tuple[type[ast.operator], ...] = (ast.Mult,)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        kinds = (ast.Add, ast.Sub)
    chain: list[tuple[str, ast.expr]] = []
    here = node
    while isinstance(here, ast.BinOp) and isinstance(here.op, kinds):
        chain.insert(0, (_OPERATORS[type(here.op)], here.right))
        here = here.left
    if not chain:
        return [("", _write(node, texts))]
    strength = _STRENGTH[kinds[0]]
    binds = {"": strength, "+": strength, _OPERATORS[ast.Sub]: strength + 1, _OPERATORS[ast.Mult]: strength + 1}
    return [(mark, _inside(term, binds[mark], texts)) for mark, term in [("", here), *chain]]


class _Words(dict[str, str]):
    """Texts that are words."""


def symbol(name: str) -> str:
    """A name as a MathML identifier: ``carbon_content`` has ``content`` as its subscript."""
    head, _, index = name.partition("_")
    if index and head:
        return f"<msub><mi>{escape(head)}</mi><mi>{escape(index.replace('_', ' '))}</mi></msub>"
    return f"<mi>{escape(name)}</mi>"


def _amount(text: str) -> str:
    """A number with its unit: ``42.652 GJ/t``."""
    number, _, unit = text.partition(" ")
    if not unit:
        return f"<mn>{escape(number)}</mn>"
    return f'<mrow><mn>{escape(number)}</mn><mspace width="0.2em"/><mtext class="u">{escape(unit)}</mtext></mrow>'


def _write(node: ast.expr, texts: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return f"<mn>{escape(str(node.value))}</mn>"
    if isinstance(node, ast.Name):
        if node.id not in texts:
            return symbol(node.id)
        return f"<mtext>{escape(texts[node.id])}</mtext>" if isinstance(texts, _Words) else _amount(texts[node.id])
    if isinstance(node, ast.UnaryOp):
        sign = "\u2212" if isinstance(node.op, ast.USub) else "+"
        return f"<mrow><mo>{sign}</mo>{_inside(node.operand, 2, texts)}</mrow>"
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div):
            return f"<mfrac>{_row(node.left, texts)}{_row(node.right, texts)}</mfrac>"
        if isinstance(node.op, ast.Pow):
            return f"<msup>{_inside(node.left, 4, texts)}{_row(node.right, texts)}</msup>"
        if type(node.op) in _OPERATORS:
            strength = _STRENGTH[type(node.op)]
            right = strength + 1 if isinstance(node.op, ast.Sub) else strength
            mark = _OPERATORS[type(node.op)]
            return (
                f"<mrow>{_inside(node.left, strength, texts)}<mo>{mark}</mo>{_inside(node.right, right, texts)}</mrow>"
            )
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        mark = escape(_COMPARE[type(node.ops[0])])
        return f"<mrow>{_write(node.left, texts)}<mo>{mark}</mo>{_write(node.comparators[0], texts)}</mrow>"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "where" and len(node.args) == 3:
            return _cases(node, texts)
        inner = "<mo>,</mo>".join(_write(argument, texts) for argument in node.args)
        return f"<mrow><mi>{escape(node.func.id)}</mi><mo>(</mo>{inner}<mo>)</mo></mrow>"
    raise ValueError(ast.dump(node))


def _row(node: ast.expr, texts: Mapping[str, str]) -> str:
    return f"<mrow>{_write(node, texts)}</mrow>"


def _inside(node: ast.expr, strength: int, texts: Mapping[str, str]) -> str:
    """The node, in brackets when it binds less than what stands around it."""
    own = _STRENGTH.get(type(node.op), 4) if isinstance(node, ast.BinOp) else 4
    written = _write(node, texts)
    return written if own >= strength else f"<mrow><mo>(</mo>{written}<mo>)</mo></mrow>"


def _cases(node: ast.Call, texts: Mapping[str, str]) -> str:
    condition, yes, no = (_write(argument, texts) for argument in node.args)
    rows = f"<mtr><mtd>{yes}</mtd><mtd>{condition}</mtd></mtr><mtr><mtd>{no}</mtd><mtd><mtext>—</mtext></mtd></mtr>"
    return f'<mrow><mo>{{</mo><mtable columnalign="left left">{rows}</mtable></mrow>'
