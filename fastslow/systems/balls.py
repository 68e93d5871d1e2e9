"""Formulas on flint's balls: enclosures of all their values on intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flint

from fastslow.systems.exponential_quotients import LARGEST_PHI, phi_ball
from fastslow.systems.expressions import (
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    hermite_order,
    hermite_rows,
    once_each,
)
from fastslow.systems.polynomials import rational
from fastslow.systems.root_quotients import ROOT_QUOTIENTS, root_quotient_ball

Ball = Any
"""A flint ``arb``: a real interval."""


def _below(x: Ball) -> Ball:
    """The probability that a standard normal variable is below x."""
    return (1 + (x / flint.arb(2).sqrt()).erf()) / 2


def _absolute(x: Ball) -> Ball:
    # flint's own keeps the radius of a ball round zero, negative half and all
    return flint.arb(0).union(x.abs_upper()) if x.contains(0) else abs(x)


def _sigmoid(x: Ball) -> Ball:
    return (1 + (x / 2).tanh()) / 2


def _softplus(x: Ball) -> Ball:
    # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which never overflows
    return x.nonnegative_part() + (-abs(x)).exp().log1p()


_BALLS: dict[str, Callable[[Ball], Ball]] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "tan": lambda x: x.tan(),
    "sinh": lambda x: x.sinh(),
    "cosh": lambda x: x.cosh(),
    "tanh": lambda x: x.tanh(),
    "atan": lambda x: x.atan(),
    "erf": lambda x: x.erf(),
    "abs": _absolute,
    "sign": lambda x: x.sgn(),
    "relu": lambda x: x.nonnegative_part(),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "gelu": lambda x: x * _below(x),
    "silu": lambda x: x * _sigmoid(x),
    "leaky_relu": lambda x: (101 * x + 99 * abs(x)) / 200,
    **{f"phi{k}": partial(phi_ball, k) for k in range(1, LARGEST_PHI + 1)},
    **{f"{family}{k}": partial(root_quotient_ball, family, k) for family, k in ROOT_QUOTIENTS},
}


def enclosed(e: Expression, balls: Mapping[str, Ball]) -> Ball:
    """Return an enclosure of the values of a formula, with the working precision of flint.

    It is not finite where the formula is not proved to have finite real values; at a kink `sign`, the slope of
    `abs`, is the whole interval [-1, 1].

    Parameters
    ----------
    e : Expression
        The formula.
    balls : mapping
        An interval for each variable.
    """

    @once_each
    def at(node: Expression) -> Ball:
        match node:
            case Number(number):
                return flint.arb(rational(number))
            case Variable(name):
                return balls[name]
            case Sum(terms):
                return sum((at(term) for term in terms[1:]), start=at(terms[0]))
            case Product(factors):
                total = at(factors[0])
                for factor in factors[1:]:
                    total = total * at(factor)
                return total
            case Power(base, exponent):
                return powered(at(base), exponent)
            case Call(function, argument):
                order = hermite_order(function)
                if order is None:
                    return _BALLS[function](at(argument))
                *_, last = hermite_rows(at(argument), order)
                return last
        raise TypeError(f"{node!r} is no expression")

    return at(e)


def function_of(function: str, x: Ball) -> Ball:
    """Return an enclosure of a listed function, not one of the Hermite polynomials, on a ball."""
    return _BALLS[function](x)


def powered(x: Ball, exponent: int) -> Ball:
    """Return an integer power of a ball; flint's own is no number for a ball round zero."""
    if exponent < 0:
        return 1 / powered(x, -exponent)
    if exponent % 2 == 0 and x.contains(0):
        return flint.arb(0).union(_product(x.abs_upper(), exponent))
    if x.contains(0):
        return _product(x.lower(), exponent).union(_product(x.upper(), exponent))
    return _product(x, exponent)


def _product(x: Ball, exponent: int) -> Ball:
    total, square = flint.arb(1), x
    while exponent:
        if exponent & 1:
            total = total * square
        square, exponent = square * square, exponent >> 1
    return total
