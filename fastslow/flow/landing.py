"""Where an arc passes a slow value, to machine precision."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from fastslow.manifold.arcs import Arc
from fastslow.manifold.curves import Shape
from fastslow.systems.expressions import derivative, evaluate
from fastslow.systems.polynomials import at_slow, fraction, rational


def fast_value(arc: Arc, y: float) -> float:
    """Return the fast coordinate at which an arc passes the slow value y, to machine precision."""
    if arc.curve.shape is Shape.FAST_LINE:
        return float(arc.x[0])
    if arc.curve.expression is not None:
        return _on_implicit(arc, y)
    if arc.curve.shape is Shape.ALGEBRAIC:
        return _on_polygon(arc, y)
    a, b = arc.start.x, arc.end.x
    return _bracketed_root(_along(arc, y), a, b, sign_at_a=_sign_beside(arc, y))


def _along(arc: Arc, y: float) -> list[float]:
    """Return the coefficients of x -> p(x, y), exact but for the last rounding."""
    return [float(fraction(v)) for v in at_slow(arc.curve.polynomial, rational(Fraction(y))).coeffs()]


def _value_and_slope(coefficients: list[float], x: float) -> tuple[float, float]:
    """Return a polynomial and its derivative at x, by Horner's rule."""
    value = slope = 0.0
    for c in reversed(coefficients):
        slope = slope * x + value
        value = value * x + c
    return value, slope


def _on_polygon(arc: Arc, y: float) -> float:
    """Return the fast coordinate of an arc by Newton's method from its polygon, along which y is monotone."""
    order = slice(None) if arc.rise > 0 else slice(None, None, -1)
    x = float(np.interp(y, arc.y[order], arc.x[order]))
    coefficients = _along(arc, y)
    for _ in range(50):
        value, slope = _value_and_slope(coefficients, x)
        if slope == 0.0:
            break
        x, last = x - value / slope, x
        if abs(x - last) <= 4e-16 * abs(x):
            break
    return x


def _on_implicit(arc: Arc, y: float) -> float:
    """Return the fast coordinate of an arc of e(x, y) = 0, between the neighbours of y on its polygon."""
    e, (fast, slow) = arc.curve.expression, arc.curve.names
    assert e is not None
    slope = derivative(e, fast)
    order = slice(None) if arc.rise > 0 else slice(None, None, -1)
    x, heights = arc.x[order], arc.y[order]
    k = min(max(int(np.searchsorted(heights, y)), 1), len(heights) - 1)
    low, high = sorted((float(x[k - 1]), float(x[k])))
    guess = float(np.interp(y, heights, x))
    at, height = guess, {slow: y}
    for _ in range(50):
        value, steep = (float(evaluate(part, {fast: at, **height})) for part in (e, slope))
        if value == 0.0 or steep == 0.0:
            break
        at, last = at - value / steep, at
        if not low - (high - low) <= at <= high + (high - low):
            return guess  # beside a fold the polygon is nearer than Newton's method
        if abs(at - last) <= 4e-16 * abs(at):
            break
    return at


def _sign_beside(arc: Arc, y: float) -> float:
    """Return the sign of p(x, y) near the start of a graph arc that spans y: that of p_1 (y - h)."""
    middle = len(arc.x) // 2
    x = float(arc.x[middle])
    slope = at_slow(arc.curve.polynomial, rational(Fraction(1))) - at_slow(arc.curve.polynomial, rational(Fraction(0)))
    p1 = float(fraction(slope(rational(Fraction(x)))))
    return math.copysign(1.0, p1) * (1.0 if arc.rise > 0 else -1.0)


def _bracketed_root(coefficients: list[float], a: float, b: float, sign_at_a: float) -> float:
    """Return the root between a and b of a polynomial that changes sign once there: Newton kept in a bracket."""
    x = 0.5 * (a + b)
    for _ in range(200):
        value, slope = _value_and_slope(coefficients, x)
        if value == 0.0:
            return x
        if (value > 0) == (sign_at_a > 0):
            a = x
        else:
            b = x
        step = x - value / slope if slope != 0.0 else math.inf
        inside = min(a, b) < step < max(a, b)
        new = step if inside else 0.5 * (a + b)
        if abs(new - x) <= 4e-16 * abs(new) or new in (a, b):
            return new
        x = new
    return x
