"""Polynomials from text: formulas (``expression_text``) that are polynomials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from fastslow.errors import InputError
from fastslow.systems.expression_factors import polynomial_of
from fastslow.systems.expression_facts import LARGEST_DEGREE, nodes
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.expressions import Call, Expression, Power, hermite_order
from fastslow.systems.polynomials import Polynomial

LONGEST = 50_000


def parse_formula(
    text: str,
    names: Sequence[str],
    field: str,
    constants: Mapping[str, Fraction] | None = None,
    exponents: Sequence[str] = (),
) -> Expression:
    """Return the formula that a text writes in some variables and constants; longer ones than of activations.

    `exponents` are variables that may stand in an exponent: parameters that are varied.

    Raises
    ------
    InputError
        With the column of the first thing that is not allowed.
    """
    return parse_expression(text, names, field, constants=constants, longest=LONGEST, exponents=exponents)


def parse_polynomial(
    text: str, names: tuple[str, str], field: str, constants: Mapping[str, Fraction] | None = None
) -> Polynomial:
    """Return the polynomial that `text` writes with + - * / ** (or ^), numbers, the two variables and constants.

    Decimals are exact: 0.1 is 1/10.

    Raises
    ------
    InputError
        With the column of the first thing that is not allowed, or where the formula is no polynomial.
    """
    e = parse_formula(text, names, field, constants)
    p = polynomial_of(e, names)
    if p is None:
        raise InputError(field, text, _why_not(e), "Give a window of both variables: [[-3, 3], [-1, 1]]")
    return p


def _why_not(e: Expression) -> str:
    for node in nodes(e):
        if isinstance(node, Call) and hermite_order(node.function) is None:
            return f"is no polynomial: {node.function} occurs in it"
        if isinstance(node, Power) and node.exponent < 0:
            return "is no polynomial: a variable is divided by"
    return f"is a polynomial of a degree beyond {LARGEST_DEGREE}, or with too many digits"
