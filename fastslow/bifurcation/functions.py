"""The functions of (x, y, parameters) that curves are made of: polynomials, or formulas with the same arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.systems.algebraic import Ball
from fastslow.systems.balls import enclosed
from fastslow.systems.expression_factors import factored, vanishes
from fastslow.systems.expression_facts import nodes, substituted
from fastslow.systems.expressions import (
    ZERO,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    add,
    derivative,
    evaluate,
    multiply,
    negative,
    once_each,
    power,
)
from fastslow.systems.polynomials import Polynomial, fraction
from fastslow.systems.polynomials import enclose as enclosed_polynomial

Array = NDArray[np.float64]

_CANCELLED = 1e-12
"""A sum this small beside its terms is not told from zero."""


@dataclass(frozen=True, eq=False)
class Formula:
    """A formula in listed variables, with what is asked of a polynomial: sums, products, derivatives, degrees.

    Attributes
    ----------
    expression : Expression
    names : tuple of str
        x, y, and the parameters.
    """

    expression: Expression
    names: tuple[str, ...]
    _derivatives: dict[int, Formula] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return str(self.expression)

    def _new(self, e: Expression) -> Formula:
        return Formula(e, self.names)

    @staticmethod
    def _of(other: Formula | int) -> Expression:
        return other.expression if isinstance(other, Formula) else Number(Fraction(other))

    def __add__(self, other: Formula | int) -> Formula:
        return self._new(add(self.expression, self._of(other)))

    def __sub__(self, other: Formula) -> Formula:
        return self._new(add(self.expression, negative(other.expression)))

    def __mul__(self, other: Formula | int) -> Formula:
        return self._new(multiply(self.expression, self._of(other)))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Formula:
        return self._new(negative(self.expression))

    def __pow__(self, exponent: int) -> Formula:
        return self._new(power(self.expression, exponent))

    def __truediv__(self, other: int) -> Formula:
        return self._new(multiply(Number(Fraction(1, other)), self.expression))

    def derivative(self, place: int) -> Formula:
        """Return the derivative by the variable at a place."""
        if place not in self._derivatives:
            self._derivatives[place] = self._new(derivative(self.expression, self.names[place]))
        return self._derivatives[place]

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names that occur."""
        return frozenset(node.name for node in nodes(self.expression) if isinstance(node, Variable))

    def degrees(self) -> tuple[int, ...]:
        """Return 1 for each variable that occurs, else 0: as much of a degree as a formula has."""
        return tuple(int(name in self.variables) for name in self.names)

    def is_constant(self) -> bool:
        """Whether no variable occurs."""
        return not self.variables

    def is_zero(self) -> bool:
        """Whether it is the number 0."""
        return self.expression == ZERO

    def line(self, place: int) -> tuple[Fraction, Fraction] | None:
        """Return (c, slope) where it is slope (u - c), u the variable at a place, None where it is not."""
        slope = self.derivative(place).expression
        if self.variables != {self.names[place]} or not isinstance(slope, Number) or not slope.value:
            return None
        at_zero = substituted(self.expression, {self.names[place]: Fraction(0)})
        if not isinstance(at_zero, Number):
            return None
        # The derivative of u + sign(u - 1) is 1 too.
        line = add(at_zero, multiply(slope, Variable(self.names[place])))
        if not vanishes(add(self.expression, negative(line)), self.names):
            return None
        return -at_zero.value / slope.value, slope.value

    def factors(self) -> list[Formula]:
        """Return the different factors that have variables, without denominators."""
        parts = (self._new(part) for part in factored([self.expression], self.names).parts)
        return [part for part in parts if not part.is_constant()]


def values(p: Polynomial | Formula, points: ArrayLike) -> tuple[Array, Array]:
    """Return a function at points, shape (..., n) -> (...), and the sum of the sizes of its terms there."""
    at = np.asarray(points, dtype=np.float64)
    if isinstance(p, Formula):
        return _sized(p, at)
    total, size = np.zeros(at.shape[:-1]), np.zeros(at.shape[:-1])
    for powers, value in p.to_dict().items():
        term = np.full(at.shape[:-1], float(fraction(value)))
        for k, exponent in enumerate(powers):
            if exponent:
                term *= at[..., k] ** int(exponent)
        total += term
        size += np.abs(term)
    return total, size


def _sized(p: Formula, at: Array) -> tuple[Array, Array]:
    given = {name: at[..., k] for k, name in enumerate(p.names)}

    @once_each
    def of(e: Expression) -> tuple[Any, Any]:
        match e:
            case Sum(terms):
                pairs = [of(term) for term in terms]
                return sum(v for v, _ in pairs), sum(s for _, s in pairs)
            case Product(factors):
                value, size = of(factors[0])
                for factor in factors[1:]:
                    v, s = of(factor)
                    value, size = value * v, size * s
                return value, size
            case Power(base, exponent) if exponent > 0:
                value, size = of(base)
                return value ** float(exponent), size ** float(exponent)
        value = evaluate(e, given)
        return value, np.abs(value)

    with np.errstate(all="ignore"):
        value, size = of(p.expression)
    return np.broadcast_to(value, at.shape[:-1]).copy(), np.broadcast_to(size, at.shape[:-1]).copy()


def sign_along(p: Polynomial | Formula, points: ArrayLike) -> int:
    """Return the sign of a function that does not change along points (N, n): that where it cancels least; or 0."""
    total, size = values(p, points)
    certain = np.nan_to_num(np.abs(total) / np.where(size > 0.0, size, 1.0))
    best = int(np.argmax(certain))
    return int(np.sign(total[best])) if certain[best] > _CANCELLED else 0


def enclose(p: Polynomial | Formula, *balls: Ball) -> Ball:
    """Return an enclosure of a function at flint's balls, one for each variable, with the working precision."""
    if isinstance(p, Formula):
        return enclosed(p.expression, dict(zip(p.names, balls, strict=True)))
    return enclosed_polynomial(p, *balls)


def restricted(p: Formula, place: int, value: Fraction) -> Formula:
    """Return a formula at a value of one of its variables, in the others."""
    names = tuple(name for k, name in enumerate(p.names) if k != place)
    return Formula(substituted(p.expression, {p.names[place]: value}), names)


def determinant(rows: Sequence[Sequence[Any]]) -> Any:
    """Return the determinant of a matrix of functions, by its first row."""
    if len(rows) == 1:
        return rows[0][0]
    total = None
    for j, entry in enumerate(rows[0]):
        if entry.is_zero():
            continue
        minor = entry * determinant([[*row[:j], *row[j + 1 :]] for row in rows[1:]])
        minor = -minor if j % 2 else minor
        total = minor if total is None else total + minor
    return rows[0][0] if total is None else total
