"""The terms of batch noise as exact polynomials: D1 and D2 of a symmetric network, for two-layer models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import flint

from fastslow.systems.polynomials import rational
from fastslow.systems.two_layer import TwoLayer

InZ = list[Any]
"""A polynomial in the teacher's pre-activation z: the coefficient of each power, a polynomial in R (``fmpq_poly``)."""

_DIGITS = 60


def noise_terms(system: TwoLayer) -> tuple[list[Any], list[Any]]:
    r"""Return ([A0, A1, A2], [B0, B1, B2]), polynomials in R, with

        D1/a^2 = A0 + a A1 + a^2 (A2 + (1/m) (Y(1) - Y(R^2)) E[sigma'^2]),
        D2/a^2 = B0 + a B1 + a^2 (B2 + (1/m) (Y(1) - Y(R^2)) Y'(R^2)).

    D1 = a^2 E_z[rho psi], D2 = a^2 E_z[rho mu^2], with rho = (sigma* - a s)^2 + noise^2 + ..., s = sum_k c_k R^k He_k,
    mu = sum_k k c_k R^(k-1) He_(k-1), psi = sum_j e_j R^j He_j where sigma'^2 = sum_j e_j He_j. All are polynomials in
    z, whose moments are whole numbers.

    Normalised coefficients b_k = c_k sqrt(k!) are taken to 60 digits.
    """
    c, star = (_plain(v, system.normalised) for v in (system.c, system.c_star))
    powers = [flint.fmpq_poly([0] * k + [1]) for k in range(2 * len(c) + 2)]
    teacher = _series([(0, v) for v in (Fraction(0), *star)], powers)
    mean = _series([(k, v) for k, v in enumerate((Fraction(0), *c))], powers)
    mu = _series([(k, (k + 1) * v) for k, v in enumerate(c)], powers)
    slope = _series([(0, (k + 1) * v) for k, v in enumerate(c)], powers)
    squared = _product(slope, slope)
    hermite = _hermite(len(squared))
    moments = [_expected(_product(squared, [flint.fmpq_poly([v]) for v in h])) for h in hermite[: len(squared)]]
    e = [moment[0] / math.factorial(j) for j, moment in enumerate(moments)]
    psi = _series([(j, Fraction(int(v.p), int(v.q))) for j, v in enumerate(e)], powers)
    variance = flint.fmpq_poly([rational(system.noise**2)])
    own = _product(teacher, teacher)
    own[0] = own[0] + variance
    parts = [own, [-2 * v for v in _product(teacher, mean)], _product(mean, mean)]
    first = [_expected(_product(part, psi)) for part in parts]
    second = [_expected(_product(part, _product(mu, mu))) for part in parts]
    return first, second


def _plain(c: Sequence[Fraction], normalised: bool) -> list[Fraction]:
    """Return c_k; of normalised coefficients b_k/sqrt(k!), to many digits."""
    if not normalised:
        return list(c)
    unit = 10**_DIGITS * math.isqrt(math.factorial(len(c)))
    return [v * Fraction(math.isqrt(unit**2 // math.factorial(k)), unit) for k, v in enumerate(c, start=1)]


def _hermite(count: int) -> list[list[int]]:
    """Return the coefficients of He_0, ..., He_(count-1)."""
    rows = [[1], [0, 1]]
    for k in range(1, count):
        longer, before = [0, *rows[k]], [*rows[k - 1], 0, 0]
        rows.append([u - k * v for u, v in zip(longer, before, strict=True)])
    return rows[: max(count, 1)]


def _series(terms: Sequence[tuple[int, Fraction]], powers: list[Any]) -> InZ:
    """Return sum_k v_k R^(p_k) He_k(z) of pairs (p_k, v_k)."""
    total: InZ = [flint.fmpq_poly([]) for _ in range(len(terms))]
    for (power, value), row in zip(terms, _hermite(len(terms)), strict=True):
        for j, h in enumerate(row):
            if h and value:
                total[j] = total[j] + powers[power] * rational(h * value)
    return total


def _product(p: InZ, q: InZ) -> InZ:
    total: InZ = [flint.fmpq_poly([]) for _ in range(len(p) + len(q) - 1)]
    for i, u in enumerate(p):
        for j, v in enumerate(q):
            if u.degree() >= 0 and v.degree() >= 0:
                total[i + j] = total[i + j] + u * v
    return total


def _expected(p: InZ) -> Any:
    """Return the mean over a normal z: E z^(2k) = (2k - 1)!!."""
    total, moment = flint.fmpq_poly([]), 1
    for k, v in enumerate(p[::2]):
        moment *= max(2 * k - 1, 1)
        total = total + v * moment
    return total
