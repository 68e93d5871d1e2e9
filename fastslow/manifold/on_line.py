"""Where curves meet a line x = const."""

from __future__ import annotations

from fractions import Fraction

from fastslow.manifold.curves import Curve, Shape
from fastslow.manifold.isolation import isolate
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.algebraic import Number, Rational, nearest_double, real_roots
from fastslow.systems.expression_facts import substituted
from fastslow.systems.expressions import Expression
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomials import at_fast, rational
from fastslow.systems.system import FastSlowSystem


def heights_of(system: FastSlowSystem, curve: Curve, x: Fraction) -> list[Number]:
    """Return the slow values at which a curve meets the line at x, none where the line is part of it."""
    if curve.shape is Shape.FAST_LINE:
        return []
    if curve.shape is Shape.SLOW_LINE and curve.position is not None:
        return [curve.position]
    if curve.expression is not None:
        return zeros_above(system, curve.expression, x)
    along = at_fast(curve.polynomial, rational(x))
    return [*real_roots(along)] if along.degree() > 0 else []


def zeros_above(system: FastSlowSystem, e: Expression, x: Fraction) -> list[Number]:
    """Return the zeros of a formula on the line at x in the window, and the ends of intervals that are undecided."""
    assert isinstance(system, FormulaSystem)
    fast, slow = system.names
    found = isolate([substituted(e, {fast: x})], [slow], [system.slow_window])
    zeros: list[Number] = [zero[0] for zero in found.zeros]
    return zeros + [Rational(Fraction(float(end))) for box in found.undecided for end in box[0]]


def touched_ends(system: FastSlowSystem) -> list[SpecialPoint]:
    """Return the points on the bounds of the slow variable at which solutions touch them, g = 0."""
    if not isinstance(system, FormulaSystem):
        return []
    fast, slow = system.names
    found: list[SpecialPoint] = []
    for end in system.slow_window:
        zeros = isolate(
            [substituted(system.slow_expression, {slow: end})], [fast], [(system.lower, system.upper)]
        ).zeros
        for (x,) in zeros:
            name = f"T{len(found) + 1}"
            found.append(SpecialPoint(name, Kind.BOUNDARY, nearest_double(x), float(end), ()))
    return found
