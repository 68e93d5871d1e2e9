"""The first Lyapunov coefficient of a planar vector field at a Hopf point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flint

from fastslow.bifurcation.functions import enclose
from fastslow.systems.algebraic import Ball
from fastslow.systems.polynomials import Polynomial

_ORDERS = [(i, j) for i in range(4) for j in range(4) if 1 <= i + j <= 3]
_FACTORIAL = (1, 1, 2, 6)


def derivatives(p: Polynomial) -> dict[tuple[int, int], Polynomial]:
    """Return the partial derivatives of orders one to three in the first two variables."""
    found = {(0, 0): p}
    for i, j in _ORDERS:
        found[i, j] = found[i - 1, j].derivative(0) if i else found[i, j - 1].derivative(1)
    return {order: found[order] for order in _ORDERS}


def focal_value(f: Callable[[int, int], Any], g: Callable[[int, int], Any]) -> Any:
    """Return -2 f_y omega^3 times the first Lyapunov coefficient of x' = f, y' = g at a Hopf point.

    It is a polynomial in the
    Taylor coefficients, which `f(i, j)` and `g(i, j)` give at x^i y^j; there f_x + g_y = 0.

    Balls of flint, polynomials and floats serve as coefficients.

    References
    ----------
    A. A. Andronov et al., Theory of Bifurcations of Dynamic Systems on a Plane, 1973; L. Perko, Differential
    Equations and Dynamical Systems, 3rd ed., section 4.4, equation (3').
    """
    a, b, c = f(1, 0), f(0, 1), g(1, 0)
    a20, a11, a02, b20, b11, b02 = f(2, 0), f(1, 1), f(0, 2), g(2, 0), g(1, 1), g(0, 2)
    quadratic = (
        a * c * (a11 * a11 + a11 * b02 + a02 * b11)
        + a * b * (b11 * b11 + a20 * b11 + a11 * b20)
        + c * c * (a11 * a02 + 2 * a02 * b02)
        - 2 * a * c * (b02 * b02 - a20 * a02)
        - 2 * a * b * (a20 * a20 - b20 * b02)
        - b * b * (2 * a20 * b20 + b11 * b20)
        + (b * c - 2 * a * a) * (b11 * b02 - a11 * a20)
    )
    cubic = 3 * (c * g(0, 3) - b * f(3, 0)) + 2 * a * (f(2, 1) + g(1, 2)) + (c * f(1, 2) - b * g(2, 1))
    return quadratic - (a * a + b * c) * cubic


def lyapunov_coefficient(f: Polynomial, g: Polynomial, balls: Sequence[Ball]) -> Ball:
    """Return an enclosure of the first Lyapunov coefficient l_1 of x' = f, y' = g at a Hopf point.

    In the complex coordinate z in which x = 2 Re z + O(2) and the linear part is z' = i omega z, the normal form is
    z' = i omega z + omega l_1 z |z|^2 + .... Negative: a stable cycle is born (supercritical); positive: an unstable
    one (subcritical). Only its sign and its zeros do not depend on coordinates.

    Parameters
    ----------
    f, g : Polynomial or Formula
        Whose first two variables are x and y; g with the slow rate.
    balls : sequence of flint.arb
        Enclosures of all variables at a point with f = g = f_x + g_y = 0 and positive determinant.

    References
    ----------
    Yu. A. Kuznetsov, Elements of Applied Bifurcation Theory, 3rd ed., equation (5.39), with eigenvector (1, q_2).
    """
    coefficients = [
        {o: enclose(p, *balls) / (_FACTORIAL[o[0]] * _FACTORIAL[o[1]]) for o, p in derivatives(each).items()}
        for each in (f, g)
    ]
    value = focal_value(lambda i, j: coefficients[0][i, j], lambda i, j: coefficients[1][i, j])
    f_x, f_y, g_x, g_y = (coefficients[k][o] for k in (0, 1) for o in ((1, 0), (0, 1)))
    frequency_square = f_x * g_y - f_y * g_x
    if not frequency_square > 0:
        return flint.arb("nan")
    return -value / (2 * f_y * frequency_square * frequency_square.sqrt())


def focal_polynomial(f: Polynomial, g: Polynomial) -> Polynomial:
    """Return the `focal_value` of x' = f, y' = g as a polynomial; its zeros on a Hopf curve are Bautin points."""
    taylor = [
        {(i, j): p / (_FACTORIAL[i] * _FACTORIAL[j]) for (i, j), p in derivatives(each).items()} for each in (f, g)
    ]
    return focal_value(lambda i, j: taylor[0][i, j], lambda i, j: taylor[1][i, j])
