"""What a formula is: a polynomial, kinked somewhere, bounded by a polynomial."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeGuard

import flint
import numpy as np

from fastslow.errors import InputError
from fastslow.systems.exponential_quotients import phi_order
from fastslow.systems.expressions import (
    MOST_BITS,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    add,
    bits,
    children,
    derivative,
    evaluate,
    hermite_order,
    hermite_rows,
    multiply,
    once_each,
    power,
)
from fastslow.systems.polynomials import rational
from fastslow.systems.root_quotients import root_quotient_of

LARGEST_DEGREE = 256
_KINKED = ("abs", "relu", "leaky_relu", "sign")
_MOST_KINKS = 200
_SCAN = 38.0
"""Beyond |x| = 38 the Gaussian density is no double."""
_SCAN_STEPS = 16_384


def nodes(e: Expression) -> Iterator[Expression]:
    """Yield the nodes, each once."""
    seen: set[int] = set()
    stack = [e]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(children(node))


def is_constant(e: Expression) -> bool:
    """Whether no variable occurs."""
    return not any(isinstance(node, Variable) for node in nodes(e))


def as_polynomial(e: Expression, symbols: Mapping[str, Any]) -> Any | None:
    """Return the polynomial that a formula is, None where it is none or one of a degree beyond 256.

    Parameters
    ----------
    e : Expression
        The formula.
    symbols : mapping
        The variables as flint polynomials over the rationals, all of one ring.
    """
    degree, bits = _size(e)
    if degree > LARGEST_DEGREE or bits > MOST_BITS:
        return None
    one = next(iter(symbols.values())) * 0 + 1

    def of(node: Expression) -> Any:
        match node:
            case Number(value):
                return one * rational(value)
            case Variable(name):
                return symbols[name]
            case Sum(terms):
                return sum((of(term) for term in terms), start=one * 0)
            case Product(factors):
                total = one
                for factor in factors:
                    total = total * of(factor)
                return total
            case Power(base, exponent):
                return of(base) ** exponent
            case Call(function, argument):
                *_, last = hermite_rows(of(argument), hermite_order(function) or 0)
                return last

    return of(e)


def _size(e: Expression) -> tuple[int, int]:
    """Return bounds of the degree and of the bits of coefficients; a degree beyond 256 where it is no polynomial."""
    none = (LARGEST_DEGREE + 1, 0)
    match e:
        case Number(value):
            return 0, bits(value)
        case Variable():
            return 1, 1
        case Sum(parts) | Product(parts):
            degrees, sizes = zip(*map(_size, parts), strict=True)
            return (max(degrees) if isinstance(e, Sum) else sum(degrees)), sum(sizes) + len(parts)
        case Power(base, exponent) if exponent > 0:
            degree, size = _size(base)
            return degree * exponent, (size + degree) * exponent
        case Call(function, argument) if (order := hermite_order(function)) is not None:
            degree, size = _size(argument)
            return degree * order, (size + degree + 6) * order
    return none


def coefficients(e: Expression, variable: str = "x") -> tuple[Fraction, ...] | None:
    """Return the coefficients of 1, x, x^2, ... of a polynomial in one variable, None where it is none."""
    p = as_polynomial(e, {variable: flint.fmpq_poly([0, 1])})
    return None if p is None else tuple(Fraction(int(v.p), int(v.q)) for v in p.coeffs()) or (Fraction(0),)


def line(e: Expression, variable: str = "x") -> tuple[float, float] | None:
    """Return (slope, shift) of a formula slope * x + shift, rounded once where they are rational; None for others."""
    p = coefficients(e, variable)
    if p is not None:
        return (float(p[1]) if len(p) > 1 else 0.0, float(p[0])) if len(p) <= 2 else None
    if any(isinstance(node, Call) and not is_constant(node) for node in nodes(e)):
        return None
    slope = derivative(e, variable)
    return (float(evaluate(slope, {})), float(evaluate(e, {variable: 0.0}))) if is_constant(slope) else None


def kinks(e: Expression, variable: str = "x") -> tuple[float, ...]:
    """Return the places in |x| < 38 where an abs, relu, leaky_relu or sign in a formula has its kink or jump, in order.

    Exact (rounded once) where the argument is linear; elsewhere the changes of its sign on a fine grid, at most 200.
    """
    found: set[float] = set()
    for node in nodes(e):
        if isinstance(node, Call) and node.function in _KINKED and not is_constant(node.argument):
            inner = line(node.argument, variable)
            if inner is None:
                found |= set(_sign_changes(node.argument, variable))
            elif inner[0]:
                found.add(-inner[1] / inner[0] + 0.0)
    return tuple(sorted(x for x in found if abs(x) < _SCAN))


def _sign_changes(e: Expression, variable: str) -> list[float]:
    grid = np.linspace(-_SCAN, _SCAN, _SCAN_STEPS + 1)
    signs = np.sign(evaluate(e, {variable: grid}))
    exact = grid[signs == 0]
    (left,) = np.nonzero(signs[:-1] * signs[1:] < 0)
    low, high, sign = grid[left], grid[left + 1], signs[left]
    for _ in range(60):
        middle = (low + high) / 2
        same = np.sign(evaluate(e, {variable: middle})) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    found = sorted([*map(float, exact), *map(float, high)], key=abs)
    return found[:_MOST_KINKS]


_AT_ZERO = {name: Fraction(0) for name in ("sin", "tan", "sinh", "tanh", "atan", "erf", "sqrt", "gelu", "silu", "sign")}
_AT_ZERO |= {"exp": Fraction(1), "cos": Fraction(1), "cosh": Fraction(1), "sigmoid": Fraction(1, 2)}
_ROOTS_BITS = 4096


def exact_value(e: Expression, values: Mapping[str, Fraction | None]) -> Fraction | None:
    """Return the value of a formula at rational values of its variables where exact arithmetic gives it, else None.

    Functions count where their value is plainly rational, such as exp(0) and sqrt(4); a product with a factor 0 is 0.
    """

    @once_each
    def at(node: Expression) -> Fraction | None:
        match node:
            case Number(number):
                return number
            case Variable(name):
                return values[name]
            case Sum(terms):
                parts = [at(term) for term in terms]
                return None if None in parts else sum(part for part in parts if part is not None)  # type: ignore[return-value]
            case Product(factors):
                parts = [at(factor) for factor in factors]
                if 0 in parts and np.isfinite(evaluate(node, {k: float(v or 0) for k, v in values.items()})):
                    return Fraction(0)
                return None if None in parts else math.prod((p for p in parts if p is not None), start=Fraction(1))
            case Power(base, exponent):
                inner = at(base)
                if inner is None or (inner == 0 and exponent < 0) or bits(inner) * abs(exponent) > MOST_BITS:
                    return None
                return inner**exponent
            case Call(function, argument):
                inner = at(argument)
                return None if inner is None else _exact_call(function, inner)
        return None

    return at(e)


def substituted(e: Expression, values: Mapping[str, Fraction]) -> Expression:
    """Return a formula with numbers for some of its variables; parts that become plainly rational are numbers."""
    return rebuilt(e, lambda node: Number(values[node.name]) if _is_one_of(node, values) else None)


def _is_one_of(node: Expression, names: Container[str]) -> TypeGuard[Variable]:
    return isinstance(node, Variable) and node.name in names


def rebuilt(e: Expression, new: Callable[[Expression], Expression | None]) -> Expression:
    """Return a formula with other nodes where `new` gives them, and what can be added up and multiplied simplified.

    Parameters
    ----------
    e : Expression
        The formula.
    new : callable
        Returns the formula that takes the place of a node, None where it stays; seen from the leaves upwards.
    """

    @once_each
    def at(node: Expression) -> Expression:
        again = rebuild(node)
        return new(again) or again

    def rebuild(node: Expression) -> Expression:
        match node:
            case Sum(terms):
                return add(*map(at, terms))
            case Product(factors):
                return multiply(*map(at, factors))
            case Power(base, exponent):
                return power(at(base), exponent)
            case Call(function, argument):
                inner = at(argument)
                value = _exact_call(function, inner.value) if isinstance(inner, Number) else None
                return Call(function, inner) if value is None else Number(value)
        return node

    return at(e)


def _exact_call(function: str, x: Fraction) -> Fraction | None:
    order = hermite_order(function)
    if order is not None:
        *_, last = hermite_rows(x, order)
        return Fraction(last)
    if function in _KINKED:
        if function == "sign":
            return Fraction((x > 0) - (x < 0))
        below = {"abs": Fraction(-1), "relu": Fraction(0), "leaky_relu": Fraction(1, 100)}
        return x if x > 0 else x * below[function]
    if function == "log" and x == 1:
        return Fraction(0)
    if function == "sqrt" and x > 0 and bits(x) < _ROOTS_BITS:
        root = Fraction(math.isqrt(x.numerator), math.isqrt(x.denominator))
        return root if root * root == x else None
    if x == 0 and (k := phi_order(function)) is not None:
        return Fraction(1, math.factorial(k))
    if x == 0 and (quotient := root_quotient_of(function)) is not None:
        family, k = quotient
        return Fraction(math.factorial(k), math.factorial(2 * k + 1)) if family == "sinq" else Fraction(1, 2 * k + 1)
    return _AT_ZERO.get(function) if x == 0 else None


# Growth -----------------------------------------------------------------------------------------------

_BOUNDED = frozenset(("sin", "cos", "tanh", "atan", "erf", "sign", "sigmoid"))
_LINEAR = frozenset(("abs", "relu", "leaky_relu", "softplus", "gelu", "silu"))
_POSITIVE = frozenset(("exp", "cosh", "sigmoid", "softplus", "abs", "relu", "sqrt"))
_ODD = frozenset(("tanh", "atan", "erf", "sign", "sinh"))
"""Of the sign of their argument."""


def polynomially_bounded(e: Expression, variable: str = "x", derivatives: int = 0) -> bool:
    """Whether rules show that a formula and its first derivatives are bounded by polynomials.

    False says that they do not show it: exp(x) is not bounded so, of others nothing is known.
    """
    try:
        return all(_Growth().bounded(derivative(e, variable, order)) for order in range(derivatives + 1))
    except InputError:  # a derivative that is too long to be written
        return False


class _Growth:
    """Rules for the nodes of one formula; what is known of a node is kept, as nodes are shared."""

    def __init__(self) -> None:
        self._bounded: dict[int, bool] = {}
        self._away: dict[int, bool] = {}
        self._signs: dict[int, int] = {}

    def bounded(self, e: Expression) -> bool:
        """Whether |e| is at most some polynomial."""
        if id(e) not in self._bounded:
            self._bounded[id(e)] = self._find_bounded(e)
        return self._bounded[id(e)]

    def _find_bounded(self, e: Expression) -> bool:
        match e:
            case Call(function, argument):
                slow = function in _LINEAR or hermite_order(function) is not None
                return (
                    is_constant(argument)
                    or function in _BOUNDED
                    or (slow and self.bounded(argument))
                    or (function == "exp" and self.sign(argument) < 0)
                    or (function == "sqrt" and self.sign(argument) > 0 and self.bounded(argument))
                    or (function == "log" and self.away_from_zero(argument) and self.bounded(argument))
                )
            case Power(base, exponent):
                return self.bounded(base) if exponent > 0 else self.away_from_zero(base)
        return all(self.bounded(part) for part in children(e))

    def away_from_zero(self, e: Expression) -> bool:
        """Whether |e| is at least some positive constant."""
        if id(e) not in self._away:
            self._away[id(e)] = self._find_away(e)
        return self._away[id(e)]

    def _find_away(self, e: Expression) -> bool:
        if is_constant(e):
            return bool(evaluate(e, {}) != 0)
        match e:
            case Sum(terms):
                return self.sign(e) != 0 and any(self.away_from_zero(term) for term in terms)
            case Product(factors):
                return all(self.away_from_zero(factor) for factor in factors)
            case Power(base, exponent):
                return exponent > 0 and self.away_from_zero(base)
            case Call("sqrt" | "abs", argument):
                return self.away_from_zero(argument)
            case Call("cosh", _):
                return True
        return False

    def sign(self, e: Expression) -> int:
        """Return 1 where e >= 0 for all x is plain, -1 where e <= 0 is, 0 where neither."""
        if id(e) not in self._signs:
            self._signs[id(e)] = self._find_sign(e)
        return self._signs[id(e)]

    def _find_sign(self, e: Expression) -> int:
        match e:
            case Number(value):
                return 1 if value >= 0 else -1
            case Sum(terms):
                signs = {self.sign(term) for term in terms}
                return signs.pop() if len(signs) == 1 else 0
            case Product(factors):
                return math.prod(self.sign(factor) for factor in factors)
            case Power(base, exponent):
                return 1 if exponent % 2 == 0 else self.sign(base)
            case Call(function, argument):
                return 1 if function in _POSITIVE else self.sign(argument) if function in _ODD else 0
        return 0
