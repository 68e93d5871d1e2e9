"""Formulas as trees: values, exact derivatives, text. Their functions are listed here, and no others are called.

Differences and quotients are sums and products: a - b is a + (-1) b, a / b is a b^(-1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import MISSING, InputError
from fastslow.systems.exponential_quotients import LARGEST_PHI, phi, phi_order
from fastslow.systems.root_quotients import LARGEST_ROOT_QUOTIENT, ROOT_QUOTIENTS, root_quotient, root_quotient_of

FloatArray = NDArray[np.float64]
Found = TypeVar("Found")

LARGEST_HERMITE = 40
"""The functions he1, ..., he40 are the probabilists' Hermite polynomials."""
_LARGEST, _SMALLEST = Fraction(10) ** 290, Fraction(1, 10**290)
MOST_BITS = 40_000
"""Numbers with more bits are not multiplied out."""
_MOST_PARTS = 50_000
_HERMITE = re.compile(r"he([1-9][0-9]?)", re.ASCII)


class Expression:
    """A node of a formula, frozen; nodes may be shared."""

    __slots__ = ()

    def __str__(self) -> str:
        from fastslow.systems.expression_format import formatted

        return formatted(self)


@dataclass(frozen=True, slots=True, repr=False)
class Number(Expression):
    """An exact number."""

    value: Fraction


@dataclass(frozen=True, slots=True, repr=False)
class Variable(Expression):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Sum(Expression):
    """The sum of two or more terms."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Product(Expression):
    """The product of two or more factors; a number comes first."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Power(Expression):
    """An integer power, possibly negative."""

    base: Expression
    exponent: int


@dataclass(frozen=True, slots=True, repr=False)
class Call(Expression):
    """One of the listed functions of an expression."""

    function: str
    argument: Expression


ZERO, ONE, TWO = (Number(Fraction(k)) for k in range(3))
_HALF = Number(Fraction(1, 2))


class BeyondDoubles(ArithmeticError):
    """A number that doubles cannot hold, or with too many digits."""


def add(*terms: Expression) -> Expression:
    """Return the sum, its numbers added up."""
    constant, others = Fraction(0), []
    for term in terms:
        for part in term.terms if isinstance(term, Sum) else (term,):
            if isinstance(part, Number):
                constant += part.value
            else:
                others.append(part)
    parts = [*others, _number(constant)] if constant else others
    return Sum(tuple(parts)) if len(parts) > 1 else parts[0] if parts else ZERO


def multiply(*factors: Expression) -> Expression:
    """Return the product, its numbers multiplied."""
    constant, others = Fraction(1), []
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Number):
                constant *= part.value
            else:
                others.append(part)
    if constant == 0:
        return ZERO
    parts = others if constant == 1 else [_number(constant), *others]
    return Product(tuple(parts)) if len(parts) > 1 else parts[0] if parts else ONE


def power(base: Expression, exponent: int) -> Expression:
    """Return an integer power.

    Raises
    ------
    ZeroDivisionError
        For a negative power of the number 0.
    """
    if exponent == 0:
        return ONE
    if isinstance(base, Number):
        if bits(base.value) * abs(exponent) > MOST_BITS:
            raise BeyondDoubles
        return _number(base.value**exponent)
    return base if exponent == 1 else Power(base, exponent)


def negative(e: Expression) -> Expression:
    """Return -e."""
    return multiply(Number(Fraction(-1)), e)


def _number(value: Fraction) -> Number:
    if value and not _SMALLEST <= abs(value) <= _LARGEST:
        raise BeyondDoubles
    return Number(value)


def bits(value: Fraction) -> int:
    """Return the bits of a fraction's numerator and denominator together."""
    return value.numerator.bit_length() + value.denominator.bit_length()


# Functions --------------------------------------------------------------------------------------------


def _erf(x: FloatArray) -> FloatArray:
    from scipy.special import erf

    return np.asarray(erf(x))


def _sigmoid(x: FloatArray) -> FloatArray:
    from scipy.special import expit

    return np.asarray(expit(x))


def _normal(x: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    return np.asarray(ndtr(x))


def hermite_order(name: str) -> int | None:
    """Return k for the name he<k> of a Hermite polynomial, None for any other."""
    found = _HERMITE.fullmatch(name)
    return int(found[1]) if found and int(found[1]) <= LARGEST_HERMITE else None


PI = multiply(Number(Fraction(4)), Call("atan", ONE))

_VALUES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "atan": np.arctan,
    "erf": _erf,
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "gelu": lambda x: x * _normal(x),
    "silu": lambda x: x * _sigmoid(x),
    "leaky_relu": lambda x: np.where(x > 0.0, x, x / 100.0),
}


def _below(u: Expression) -> Expression:
    """The probability (1 + erf(u / sqrt 2)) / 2 that a standard normal variable is below u."""
    return multiply(_HALF, add(ONE, Call("erf", multiply(u, power(Call("sqrt", TWO), -1)))))


def _bell(u: Expression) -> Expression:
    """The density exp(-u^2/2) / sqrt(2 pi)."""
    return multiply(power(Call("sqrt", multiply(TWO, PI)), -1), Call("exp", multiply(negative(_HALF), power(u, 2))))


_SLOPES: dict[str, Callable[[Expression], Expression]] = {
    "exp": lambda u: Call("exp", u),
    "log": lambda u: power(u, -1),
    "sqrt": lambda u: power(multiply(TWO, Call("sqrt", u)), -1),
    "sin": lambda u: Call("cos", u),
    "cos": lambda u: negative(Call("sin", u)),
    "tan": lambda u: add(ONE, power(Call("tan", u), 2)),
    "sinh": lambda u: Call("cosh", u),
    "cosh": lambda u: Call("sinh", u),
    "tanh": lambda u: add(ONE, negative(power(Call("tanh", u), 2))),
    "atan": lambda u: power(add(ONE, power(u, 2)), -1),
    "erf": lambda u: multiply(TWO, power(Call("sqrt", PI), -1), Call("exp", negative(power(u, 2)))),
    "abs": lambda u: Call("sign", u),
    "sign": lambda u: ZERO,
    "relu": lambda u: multiply(_HALF, add(ONE, Call("sign", u))),
    "sigmoid": lambda u: multiply(Call("sigmoid", u), add(ONE, negative(Call("sigmoid", u)))),
    "softplus": lambda u: Call("sigmoid", u),
    "gelu": lambda u: add(_below(u), multiply(u, _bell(u))),
    "silu": lambda u: add(Call("sigmoid", u), multiply(u, _SLOPES["sigmoid"](u))),
    "leaky_relu": lambda u: add(Number(Fraction(101, 200)), multiply(Number(Fraction(99, 200)), Call("sign", u))),
}

FUNCTIONS = frozenset(_VALUES)
"""The functions of formulas, beside he1, ..., he40."""

_VALUES |= {f"{family}{k}": partial(root_quotient, family, k) for family, k in ROOT_QUOTIENTS}
_VALUES |= {f"phi{k}": partial(phi, k) for k in range(1, LARGEST_PHI + 1)}


def value_of(function: str, x: Any) -> Any:
    """Return a listed function, not one of the Hermite polynomials, of doubles."""
    return _VALUES[function](x)


def hermite_rows(x: Any, order: int) -> Iterator[Any]:
    """Yield He_0(x), ..., He_order(x) for anything that can be added and multiplied."""
    before, now = x * 0, x * 0 + 1
    for k in range(order + 1):
        yield now
        before, now = now, x * now - k * before


def once_each(find: Callable[[Expression], Found]) -> Callable[[Expression], Found]:
    """Return a function of the nodes of one formula with a memory: parts that occur often are gone through once."""
    known: dict[int, tuple[Expression, Found]] = {}

    def of(node: Expression) -> Found:
        if id(node) not in known:
            known[id(node)] = node, find(node)  # the node too, whose number might else be given to another
        return known[id(node)][1]

    return of


def evaluate(e: Expression, values: Mapping[str, ArrayLike]) -> FloatArray:
    """Return the values of a formula, NaN or infinite where it has no finite real value.

    Parameters
    ----------
    e : Expression
        The formula.
    values : mapping
        Arrays for its variables, which are broadcast.
    """
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}

    @once_each
    def at(node: Expression) -> FloatArray:
        match node:
            case Number(number):
                return np.asarray(float(number))
            case Variable(name):
                return arrays[name]
            case Sum(terms):
                return np.asarray(sum((at(term) for term in terms[1:]), start=at(terms[0])))
            case Product(factors):
                total = at(factors[0])
                for factor in factors[1:]:
                    total = total * at(factor)
                return np.asarray(total)
            case Power(base, exponent):
                return np.asarray(at(base) ** float(exponent))
            case Call(function, argument):
                order = hermite_order(function)
                if order is None:
                    return np.asarray(_VALUES[function](at(argument)))
                *_, last = hermite_rows(at(argument), order)
                return np.asarray(last)
        raise TypeError(f"{node!r} is no expression")

    with np.errstate(all="ignore"):
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
        return np.array(np.broadcast_to(at(e), shape))


def derivative(e: Expression, variable: str, order: int = 1) -> Expression:
    """Return a derivative as a formula, exact; that of sign is 0 and that of abs is sign.

    Raises
    ------
    InputError
        If it is too long, or a number in it is beyond doubles.
    """
    try:
        for _ in range(order):
            e = _Derivation(variable).of(e)
    except BeyondDoubles:
        raise InputError("formula", MISSING, "its derivative has numbers that doubles cannot hold", "Rescale") from None
    return e


class _Derivation:
    def __init__(self, variable: str) -> None:
        self.variable, self.parts = variable, 0
        self.known: dict[int, Expression] = {}

    def of(self, node: Expression) -> Expression:
        if id(node) not in self.known:
            self.known[id(node)] = self.derive(node)
        return self.known[id(node)]

    def derive(self, node: Expression) -> Expression:
        match node:
            case Variable(name):
                return ONE if name == self.variable else ZERO
            case Sum(terms):
                return add(*(self.of(term) for term in terms))
            case Product(factors):
                self.parts += len(factors) ** 2
                if self.parts > _MOST_PARTS:
                    raise InputError("formula", MISSING, "its derivative is too long", "Write products as powers: x**3")
                slopes = [self.of(factor) for factor in factors]
                return add(
                    *(
                        multiply(slope, *factors[:i], *factors[i + 1 :])
                        for i, slope in enumerate(slopes)
                        if slope != ZERO
                    )
                )
            case Power(base, exponent):
                return multiply(Number(Fraction(exponent)), power(base, exponent - 1), self.of(base))
            case Call(function, argument):
                inner = self.of(argument)
                return ZERO if inner == ZERO else multiply(slope_of(function, argument), inner)
        return ZERO


def slope_of(function: str, argument: Expression) -> Expression:
    """Return the derivative of a listed function at an argument."""
    if (quotient := root_quotient_of(function)) is not None:
        family, k = quotient
        _check_order(k, LARGEST_ROOT_QUOTIENT)
        factor = -(k + 1) if family == "atanq" else -1
        return multiply(Number(Fraction(factor)), Call(f"{family}{k + 1}", argument))
    if (k := phi_order(function) or 0) > 0:
        _check_order(k, LARGEST_PHI)
        return add(Call(function, argument), multiply(Number(Fraction(-k)), Call(f"phi{k + 1}", argument)))
    order = hermite_order(function)
    if order is None:
        return _SLOPES[function](argument)
    return multiply(Number(Fraction(order)), Call(f"he{order - 1}", argument)) if order > 1 else ONE


def _check_order(k: int, largest: int) -> None:
    if k == largest:
        raise InputError("formula", MISSING, f"more than {largest - 1} derivatives are wanted", "Simplify it")


# Shape ---------------------------------------------------------------------------------------------


def children(e: Expression) -> tuple[Expression, ...]:
    """Return the nodes directly below."""
    match e:
        case Sum(parts) | Product(parts):
            return parts
        case Power(inner, _) | Call(_, inner):
            return (inner,)
    return ()
