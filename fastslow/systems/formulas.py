"""Polynomials from text. The text is parsed and walked; nothing of it is ever evaluated."""

from __future__ import annotations

import ast
from fractions import Fraction

from fastslow.errors import InputError
from fastslow.systems.exact import exact
from fastslow.systems.polynomials import Polynomial, polynomial, rational, variables

_LONGEST = 50_000
_MOST_DIGITS = 10_000
_DEEPEST = 60
_LARGEST_POWER = 256
_LARGEST_DEGREE = 256


def parse_polynomial(
    text: str, names: tuple[str, str], field: str, constants: dict[str, Fraction] | None = None
) -> Polynomial:
    """Return the polynomial that `text` writes with + - * / ** (or ^), numbers, the two variables and constants.

    Decimals are exact: 0.1 is 1/10. Division is by constants only.

    Raises
    ------
    InputError
        With the column of the first thing that is not allowed.
    """
    if len(text) > _LONGEST:
        raise InputError(field, text, f"is longer than {_LONGEST} characters", "Multiply it out by hand or in Python")
    source = text.strip().replace("^", "**")
    if not source.isascii():
        raise InputError(field, text, "may use ASCII characters only", "Rename the variables")
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None)
        place = f" at column {column}" if column else ""
        raise InputError(field, text, f"is no formula{place}", "Write products as 2*x: y + x - x**3/3") from None
    return _Walker(source, names, field, constants or {}).visit(tree.body, 0)


class _Walker:
    def __init__(self, source: str, names: tuple[str, str], field: str, constants: dict[str, Fraction]) -> None:
        self.source, self.names, self.field = source, names, field
        self.symbols = dict(zip(names, variables(*names), strict=True))
        self.symbols |= {name: self.constant(value) for name, value in constants.items()}

    def constant(self, value: Fraction) -> Polynomial:
        return polynomial({(0, 0): value}, self.names) if value else variables(*self.names)[0] * 0

    def refuse(self, node: ast.expr, rule: str, way_out: str) -> InputError:
        return InputError(self.field, self.source, f"column {node.col_offset + 1}: {rule}", way_out)

    def visit(self, node: ast.expr, depth: int) -> Polynomial:
        if depth > _DEEPEST:
            raise self.refuse(node, f"nested deeper than {_DEEPEST}", "Simplify the formula")
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return self.constant(exact(ast.get_source_segment(self.source, node) or "", self.field))
        if isinstance(node, ast.Name):
            if node.id not in self.symbols:
                known = ", ".join(self.symbols)
                raise self.refuse(node, f"unknown name {node.id!r}", f"Known names: {known}")
            return self.symbols[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
            inner = self.visit(node.operand, depth + 1)
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.BinOp):
            return self.sum(node, depth) if isinstance(node.op, ast.Add | ast.Sub) else self.binary(node, depth)
        raise self.refuse(node, "only + - * / **, numbers and names make a polynomial", "Functions are not supported")

    def sum(self, node: ast.expr, depth: int) -> Polynomial:
        """A chain of sums is deep in the tree but not in meaning: it is walked in a loop."""
        terms: list[tuple[ast.expr, bool]] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            terms.append((node.right, isinstance(node.op, ast.Sub)))
            node = node.left
        total = self.visit(node, depth + 1)
        for term, minus in reversed(terms):
            value = self.visit(term, depth + 1)
            total = total - value if minus else total + value
        return total

    def binary(self, node: ast.BinOp, depth: int) -> Polynomial:
        left = self.visit(node.left, depth + 1)
        if isinstance(node.op, ast.Pow):
            power = node.right.value if isinstance(node.right, ast.Constant) else None
            if not isinstance(power, int) or isinstance(power, bool) or not 0 <= power <= _LARGEST_POWER:
                raise self.refuse(node.right, f"a power must be an integer from 0 to {_LARGEST_POWER}", "Write x**3")
            if max(left.total_degree(), 0) * power > _LARGEST_DEGREE:
                raise self.refuse(node, f"the degree is beyond {_LARGEST_DEGREE}", "Lower the degree")
            height = max((len(str(v)) for v in left.to_dict().values()), default=1)
            if height * power > _MOST_DIGITS:
                raise self.refuse(node, f"the numbers have more than {_MOST_DIGITS} digits", "Use smaller numbers")
            return left**power
        right = self.visit(node.right, depth + 1)
        if isinstance(node.op, ast.Mult):
            if max(left.total_degree(), 0) + max(right.total_degree(), 0) > _LARGEST_DEGREE:
                raise self.refuse(node, f"the degree is beyond {_LARGEST_DEGREE}", "Lower the degree")
            return left * right
        if isinstance(node.op, ast.Div):
            if not right.is_constant() or right.is_zero():
                raise self.refuse(node.right, "division is by non-zero constants only", "Multiply the equation out")
            value = right.to_dict()[(0, 0)]
            return left * rational(Fraction(int(value.q), int(value.p)))
        raise self.refuse(node, "only + - * / ** are allowed", "Rewrite the formula")
