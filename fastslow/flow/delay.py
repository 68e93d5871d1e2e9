"""Delayed loss of stability along an invariant line."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.arcs import Arc
from fastslow.manifold.on_line import zeros_above
from fastslow.systems.algebraic import nearest_double
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import dense
from fastslow.systems.system import FastSlowSystem

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_MOST_PIECES = 400
_NEARER, _NEAREST, _LEAST = 0.9, 1e-12, 1e-300
"""Share of the way to the next equilibrium that one piece may cover, and the least distance from it that is told, in
units of its height and by itself: nearer g is rounding."""

Ratio = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def exit_height(system: FastSlowSystem, arc: Arc, entry: float) -> float | None:
    """Return the slow value at which a solution leaves an invariant line x = const.

    The exit y_out solves the entry-exit relation

        integral from y_in to y_out of f_x(x, y) / g(x, y) dy = 0,

    independent of the slow rate, for a solution that came to the line at y_in = `entry`.

    Parameters
    ----------
    arc : Arc
        The repelling arc that the solution goes on along.
    entry : float
        Slow value at which the solution came to the line.

    Returns
    -------
    float or None
        The exit, on `arc` or beyond; within rounding of the next equilibrium of the line where the way in was
        that long; None where the integral does not return to zero, in the window where y is bounded.

    References
    ----------
    Schecter, SIAM J. Math. Anal. 16 (1985) 1142; De Maesschalck, J. Differ. Equ. 244 (2008) 1448.
    """
    direction = 1.0 if arc.target.y > arc.source.y else -1.0
    ratio, heights = _on_line(system, arc)
    y = arc.source.y
    total = _integral(ratio, entry, y)
    rest = [height for height in heights if (height - y) * direction > 0]
    # The slow flow cannot pass an equilibrium of the line; there the integral diverges, so the exit is before it.
    limit = min(rest, key=lambda z: abs(z - y), default=direction * math.inf)
    last = direction * math.inf
    if system.slow_window is not None:
        last = float(system.slow_window[direction > 0.0])
    width = abs(limit - y) / 64 if rest else max(abs(y), 1.0) / 64
    for _ in range(_MOST_PIECES):
        if rest:
            if abs(limit - y) <= max(_NEAREST * abs(limit), _LEAST):
                return float(y)
            width = min(width, _NEARER * abs(limit - y))
        after = y + direction * width
        if direction * after > direction * last:
            after = last
        gain = _integral(ratio, y, after)
        if total + gain >= 0.0:
            return float(_crossing(ratio, y, after, total))
        if after == last:
            return None
        total, y = total + gain, after
        if not rest:
            width *= 1.2
    return None


def _on_line(system: FastSlowSystem, arc: Arc) -> tuple[Ratio, list[float]]:
    """Return y -> f_x / g on an invariant line, and the zeros of g there."""
    x = float(arc.x[0])
    if isinstance(system, PolynomialSystem):
        f_x = _along(dense(system.fast_field.derivative(0)), x)
        g = _along(dense(system.slow_field), x)
        rest = [float(z.real) for z in np.roots(g[::-1]) if abs(z.imag) < 1e-9 * (1 + abs(z))]
        value = np.polynomial.polynomial.polyval
        return (lambda y: np.asarray(value(y, f_x) / value(y, g))), rest
    assert isinstance(system, FormulaSystem)
    found = zeros_above(system, system.slow_expression, Fraction(x))
    rest = [nearest_double(height) for height in found]
    return (lambda y: system.partial("f", 1, 0, x, y) / system.partial("g", 0, 0, x, y)), rest


def _crossing(ratio: Ratio, a: float, b: float, total: float) -> float:
    low, high = a, b
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if total + _integral(ratio, a, middle) >= 0.0:
            high = middle
        else:
            low = middle
    return high


def _along(coefficients: np.ndarray, x: float) -> np.ndarray:
    """Return the coefficients in y of a polynomial at fixed x."""
    powers: np.ndarray = x ** np.arange(coefficients.shape[0])
    return np.asarray(powers @ coefficients)


def _integral(ratio: Ratio, a: float, b: float, pieces: int = 8) -> float:
    """Return the integral of f_x / g from a to b, by composite Gauss-Legendre quadrature."""
    edges = np.linspace(a, b, pieces + 1)
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (edges[1:] - edges[:-1])
    y = middle[:, None] + half[:, None] * _NODES
    return float(np.sum(half[:, None] * _WEIGHTS * ratio(y)))
