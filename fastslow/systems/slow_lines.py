"""Invariant lines y = const: factors of g that are taken out of it, and fields in coordinates that keep off them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.chart import Chart, ChartKind, line_constant
from fastslow.systems.expression_factors import factored, polynomial_of, written
from fastslow.systems.expression_facts import rebuilt
from fastslow.systems.expressions import (
    TWO,
    Call,
    Expression,
    Number,
    Variable,
    add,
    multiply,
    negative,
    power,
)
from fastslow.systems.polynomials import Polynomial, packed, vertical_line
from fastslow.systems.tapes import tape


@dataclass(frozen=True, eq=False)
class SlowFactors:
    """A slow field g = prod_k slope_k (y - c_k) * rest.

    Attributes
    ----------
    lines : tuple of (Fraction, Fraction)
        (c_k, slope_k): solutions never meet or leave y = c_k.
    rest : Expression
        What is left of g.
    """

    lines: tuple[tuple[Fraction, Fraction], ...]
    rest: Expression

    def without(self, chart: Chart) -> Expression:
        """Return w' / slow_rate in a chart of y, which has taken care of its lines."""
        taken = [row for row in self.lines if row[0] in chart.lines]
        left = [add(multiply(Number(k), Variable(_Y)), Number(-k * c)) for c, k in self.lines if c not in chart.lines]
        if chart.kind is ChartKind.BETWEEN:
            left.append(Number(chart.size))
        if chart.kind is ChartKind.SOFT:
            left.append(_steepness(Variable(_W)))
        return multiply(Number(line_constant(taken, chart)), *left, self.rest)

    def rising(self, chart: Chart) -> Expression:
        """Return g up to a positive factor: w' in the direction of y."""
        return multiply(Number(Fraction(chart.orientation)), self.without(chart))


_Y, _W = " y", " w"
"""Stand for y and its coordinate; no variable has such a name."""
_FAR = Number(Fraction(40))


def _steepness(w: Expression) -> Expression:
    """Return (y - c) dw/dy in y = c + s, s = log(1 + e^w): s / (1 - e^(-s)) = s + s / (e^s - 1).

    The second term is 1 on the line, and below rounding from s = 40 on, where it is kept from overflow.
    """
    rise = Call("softplus", w)
    kept = add(_FAR, negative(Call("relu", add(_FAR, negative(rise)))))
    return add(rise, power(Call("phi1", kept), -1))


def slow_factors(g: Expression, names: tuple[str, str], bounds: tuple[Fraction, Fraction] | None) -> SlowFactors:
    """Return the slow field as a product of simple factors y - c with c rational, and the rest.

    Solutions near a multiple one leave it and come to it so slowly that they need no chart.

    Parameters
    ----------
    g : Expression
        The slow field.
    names : (str, str)
        The names of x and y.
    bounds : (Fraction, Fraction) or None
        The window of y: lines outside it are left in g.
    """
    x, y = names
    found = factored([g], (y, x), bounds or ())
    lines, rest = [], [found.unit]
    for part, times in zip(found.parts, found.multiplicities, strict=True):
        polynomial = polynomial_of(part, (y, x)) if times == 1 else None
        line = None if polynomial is None else vertical_line(polynomial)
        if line is None or (bounds is not None and not bounds[0] <= line[0] <= bounds[1]):
            rest.append(power(part, times))
        else:
            lines.append(line)
    return SlowFactors(tuple(sorted(lines)), multiply(*rest))


def charted(formulas: Sequence[Expression], names: tuple[str, str], chart: Chart) -> NDArray[np.float64]:
    """Return the tape of formulas of x and y in the variables x and w of a chart.

    In y = c + size e^w a difference y - c has all its digits, as in y = c + (d - c) sigmoid(2 w) between lines c < d.
    """
    (x, y), slow = names, chart.slow_coordinate
    if slow.kind is ChartKind.PLAIN:
        return tape(formulas, names)
    w = Variable(_W)
    if slow.kind is ChartKind.BETWEEN:
        low, width = slow.origin - slow.size, 2 * slow.size
        place = add(Number(low), multiply(Number(width), Call("sigmoid", multiply(TWO, w))))
    else:
        above = Call("exp" if slow.kind is ChartKind.BESIDE else "softplus", w)
        place = add(Number(slow.origin), multiply(Number(slow.size), above))
    return tape([_put(e, {y: place, _Y: place}) for e in formulas], (x, _W))


def packed_in(p: Polynomial, names: tuple[str, str], chart: Chart) -> NDArray[np.float64]:
    """Return a polynomial in x and y as ``core.polynomial_events`` reads it in a chart."""
    if chart.slow is None:
        return packed(p)
    e = written(p, [Variable(name) for name in names])
    return np.concatenate(([-1.0], charted([e], names, chart)))


def _put(e: Expression, places: Mapping[str, Expression]) -> Expression:
    return rebuilt(e, lambda node: places.get(node.name) if isinstance(node, Variable) else None)
