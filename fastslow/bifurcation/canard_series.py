"""The parameter of the maximal canard of a canard point as a power series in the slow rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np

from fastslow.bifurcation.diagrams import BifurcationPoint
from fastslow.bifurcation.equations import checked_polynomials
from fastslow.bifurcation.space_curves import proved_zero
from fastslow.errors import InputError
from fastslow.systems.algebraic import Ball
from fastslow.systems.families import Family
from fastslow.systems.polynomials import Polynomial

_BITS = 512
_MOST_ORDERS = 12
_ABOUT = Fraction(1, 1000)
"""Width of the interval of the parameter in which the family is read, relative to the parameter or to 1."""

Series = list[list[Ball]]
"""Coefficients s[i][k] of eps^i xi^k, xi = x - x_0, both truncated."""


@dataclass(frozen=True)
class CanardSeries:
    """lambda_c(eps) = sum_k coefficients[k] eps^k, an asymptotic series for the maximal canard.

    Attributes
    ----------
    x, y : float
        The canard point.
    coefficients : tuple of float
        Beginning with the parameter of the canard point itself.
    """

    x: float
    y: float
    coefficients: tuple[float, ...]

    def at(self, slow_rate: float, orders: int | None = None) -> float:
        """Return the sum to some order in the slow rate, to the last coefficient if none is given."""
        kept = self.coefficients if orders is None else self.coefficients[: orders + 1]
        return math.fsum(value * slow_rate**k for k, value in enumerate(kept))


def canard_series(family: Family, point: BifurcationPoint, orders: int = 3) -> CanardSeries:
    """Return the parameter at which the attracting and the repelling slow manifold of a canard point coincide.

    The common slow manifold y = Phi(x, eps) solves Phi_x f(x, Phi, lambda) = eps g(x, Phi, lambda). With
    Phi = sum Phi_n(x) eps^n and lambda = sum lambda_n eps^n, and f_n, g_n the coefficients of eps^n in f and g,

        f_n = (g_{n-1} - sum_{0<j<n} Phi_j' f_{n-j}) / Phi_0'.

    Phi_0' vanishes at the fold: that the quotient has no pole there determines lambda_{n-1}.

    Parameters
    ----------
    family : Family
        In one parameter that is not the slow rate.
    point : BifurcationPoint
        A canard point of it, from ``continued(family, axis)``.
    orders : int
        The highest power of the slow rate, up to 12.

    Raises
    ------
    InputError
        If the point is not a simple canard point: f_xx = 0, f_y = 0, or the parameter does not move the equilibrium
        against the fold.

    References
    ----------
    A. K. Zvonkin and M. A. Shubin, Russ. Math. Surveys 39:2 (1984) 69: van der Pol, 1 - eps/8 - 3 eps^2/32 - ....
    M. Krupa and P. Szmolyan, SIAM J. Math. Anal. 33 (2001) 286.
    """
    if len(family.names) != 1 or family.names[0] == "slow_rate":
        raise InputError("family", family.names, "must be in one parameter that is not the slow rate")
    if not 0 <= orders <= _MOST_ORDERS:
        raise InputError("orders", orders, f"must be from 0 to {_MOST_ORDERS}")
    value = Fraction(point.parameters[0])
    width = _ABOUT * max(Fraction(1), abs(value))
    system = checked_polynomials(family, [(value - width, value + width)])
    f, g = system.fast_field, system.slow_field
    found = proved_zero((f, f.derivative(0), g), (point.x, point.y, point.parameters[0]))
    if found is None:
        raise InputError("point", point.kind, "is not shown to be a simple canard point", "Give one of continued(...)")
    with flint.ctx.workprec(_BITS):
        coefficients = _expanded(f, g, found, orders)
    x, y = (float(ball.mid()) for ball in found[:2])
    return CanardSeries(x, y, tuple(float(np.float64(float(c.mid()))) for c in coefficients))


def _expanded(f: Polynomial, g: Polynomial, at: Sequence[Ball], orders: int) -> list[Ball]:
    """Return lambda_0, ..., lambda_orders."""
    x0, y0, parameter = (ball.mid() for ball in at)
    terms = 2 * orders + 4
    zero = flint.arb(0)
    x = _series(orders, terms)
    x[0][0], x[0][1] = x0, flint.arb(1)
    manifold, values = _series(orders, terms), _series(orders, terms)
    manifold[0][0], values[0][0] = y0, parameter
    # Phi_0 by Newton's method on power series: twice as many terms are right after each step.
    slope_y = f.derivative(1)
    for _ in range(terms.bit_length() + 1):
        step = _quotient(_at(f, x, manifold, values, 0)[0], _at(slope_y, x, manifold, values, 0)[0])
        manifold[0] = [a - b for a, b in zip(manifold[0], step, strict=True)]
    manifold[0][1] = zero  # x_0 is the fold
    along = _at(slope_y, x, manifold, values, 0)[0]
    rise = _derivative(manifold[0])
    targets: list[list[Ball]] = [[zero] * terms]  # f_0 = 0, then f_1, f_2, ...
    for n in range(1, orders + 1):
        known = _at(g, x, manifold, values, n - 1)[n - 1]
        for j in range(1, n):
            product = _product(_derivative(manifold[j]), targets[n - j])
            known = [a - b for a, b in zip(known, product, strict=True)]
        # Both begin with xi.
        targets.append([*_quotient(known[1:], rise[1:]), zero])
        defects = []
        trials = (zero, flint.arb(1))
        for trial in trials:
            values[n][0] = trial
            manifold[n] = [zero] * terms
            rest = _at(f, x, manifold, values, n)[n]
            missing = [a - b for a, b in zip(targets[n], rest, strict=True)]
            manifold[n] = _quotient(missing, along)
            defect = _at(g, x, manifold, values, n)[n][0]
            for j in range(1, n + 1):
                defect -= manifold[j][1] * targets[n + 1 - j][0]
            defects.append(defect)
        chosen = -defects[0] / (defects[1] - defects[0])
        values[n][0] = chosen
        manifold[n] = [zero] * terms
        rest = _at(f, x, manifold, values, n)[n]
        manifold[n] = _quotient([a - b for a, b in zip(targets[n], rest, strict=True)], along)
    found = [row[0] for row in values]
    if not all(value.is_finite() for value in found):
        rule = "is degenerate: f_xx or f_y is zero, or the parameter does not move the equilibrium against the fold"
        raise InputError("point", "canard point", rule, "Vary another parameter")
    return found


def _series(orders: int, terms: int) -> Series:
    return [[flint.arb(0)] * terms for _ in range(orders + 1)]


def _at(p: Polynomial, x: Series, y: Series, z: Series, order: int) -> Series:
    """Return p(x, y, z) for three series, up to a power of eps."""
    terms = len(x[0])
    total = _series(order, terms)
    powers: list[list[Series]] = []
    for base, degree in zip((x, y, z), p.degrees(), strict=True):
        row = [_series(order, terms)]
        row[0][0][0] = flint.arb(1)
        for _ in range(max(int(degree), 0)):
            row.append(_times(row[-1], base, order))
        powers.append(row)
    for (i, j, k), value in p.to_dict().items():
        term = _times(_times(powers[0][int(i)], powers[1][int(j)], order), powers[2][int(k)], order)
        for m in range(order + 1):
            total[m] = [a + flint.arb(value) * b for a, b in zip(total[m], term[m], strict=True)]
    return total


def _times(a: Series, b: Series, order: int) -> Series:
    result = _series(order, len(a[0]))
    for m in range(order + 1):
        for j in range(m + 1):
            result[m] = [u + v for u, v in zip(result[m], _product(a[j], b[m - j]), strict=True)]
    return result


def _product(a: Sequence[Ball], b: Sequence[Ball]) -> list[Ball]:
    result = [flint.arb(0)] * len(a)
    for i, u in enumerate(a):
        if u != 0:
            for k in range(len(a) - i):
                result[i + k] += u * b[k]
    return result


def _quotient(a: Sequence[Ball], b: Sequence[Ball]) -> list[Ball]:
    """Return a / b for power series, b with a constant term."""
    result: list[Ball] = []
    for k in range(len(a)):
        rest = a[k]
        for i, u in enumerate(result):
            rest = rest - u * b[k - i]
        result.append(rest / b[0])
    return result


def _derivative(a: Sequence[Ball]) -> list[Ball]:
    return [*((k + 1) * value for k, value in enumerate(a[1:])), flint.arb(0)]
