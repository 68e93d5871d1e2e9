"""Three families of functions of s = x^2 that are left of atan, sin and erf when they are divided by x.

    A_k(s) = int_0^1 t^(2k) (1 + t^2 s)^(-k-1) dt,  A_k' = -(k+1) A_(k+1),  A_0(x^2) = atan(x)/x,  s > -1,
    E_k(s) = int_0^1 t^(2k) exp(-t^2 s) dt,         E_k' = -E_(k+1),        E_0(x^2) = (pi^(1/2)/2) erf(x)/x,
    S_k(s) = sum_j (-s)^j (j+k)!/(j! (2j+2k+1)!),   S_k' = -S_(k+1),        S_0(x^2) = sin(x)/x.

A_k and E_k are positive and fall. Small s by quadrature or the series, others by recurrences from k = 0.
"""

import math

import numpy as np
from numba import njit, types

from fastslow.core.decorators import HELPER
from fastslow.core.signatures import VECTOR

ATAN_QUOTIENT, SIN_QUOTIENT, ERF_QUOTIENT = range(3)

_NODES, _WEIGHTS = ((1.0 + np.polynomial.legendre.leggauss(24)[0]) / 2.0, np.polynomial.legendre.leggauss(24)[1] / 2.0)
_SMALL_ATAN = 0.6
_SMALL_ERF = 6.0


@HELPER
def _atan_quotient(order, s):
    if not s > -1.0:
        return math.nan
    if abs(s) <= _SMALL_ATAN:
        total = 0.0
        for i in range(len(_NODES)):
            square = _NODES[i] * _NODES[i]
            inverse = 1.0 / (1.0 + square * s)
            total += _WEIGHTS[i] * inverse * (square * inverse) ** order
        return total
    x = math.sqrt(abs(s))
    value = (math.atan(x) if s > 0.0 else math.atanh(x)) / x
    inverse = 1.0
    for k in range(1, order + 1):
        inverse /= 1.0 + s
        value = ((2 * k - 1) * value - inverse) / (2 * k * s)
    return value


@HELPER
def _erf_quotient(order, s):
    if abs(s) <= _SMALL_ERF:
        total = 0.0
        for i in range(len(_NODES)):
            square = _NODES[i] * _NODES[i]
            total += _WEIGHTS[i] * square**order * math.exp(-square * s)
        return total
    if not s > 0.0:
        return math.nan
    x = math.sqrt(s)
    value, bell = 0.5 * math.sqrt(math.pi) * math.erf(x) / x, math.exp(-s)
    for k in range(1, order + 1):
        value = ((2 * k - 1) * value - bell) / (2.0 * s)
    return value


@HELPER
def _sin_quotient(order, s):
    if not math.isfinite(s):
        return 0.0 if s > 0.0 else math.nan
    if s <= (order + 2) ** 2:
        term = 1.0
        for k in range(order + 1):
            term *= max(k, 1) / ((2 * k + 1) * max(2 * k, 1))  # k!/(2k+1)!
        total, j = 0.0, 0
        while abs(term) > 1e-18 * abs(total) or j < 2:
            total += term
            j += 1
            term *= -s * (j + order) / (j * (2.0 * (j + order)) * (2.0 * (j + order) + 1.0))
        return total
    x = math.sqrt(s)
    before, value = math.cos(x), math.sin(x) / x
    for k in range(order):
        before, value = (
            value,
            ((2 * k + 1) * value - before) / (2.0 * s) if k == 0 else ((2 * k + 1) * 2.0 * value - before) / (4.0 * s),
        )
    return value


@HELPER
def root_quotient(family, order, s):
    """Return A_k(s), S_k(s) or E_k(s)."""
    if family == ATAN_QUOTIENT:
        return _atan_quotient(order, s)
    if family == SIN_QUOTIENT:
        return _sin_quotient(order, s)
    return _erf_quotient(order, s)


@HELPER
def root_quotient_and_slope(family, order, s):
    """Return the value and the derivative."""
    factor = -(order + 1.0) if family == ATAN_QUOTIENT else -1.0
    return root_quotient(family, order, s), factor * root_quotient(family, order + 1, s)


@njit(types.void(types.int64, types.int64, VECTOR, VECTOR), cache=True, error_model="numpy")
def root_quotients(family, order, s, out):
    """Write the values at the points of an array."""
    for i in range(len(s)):
        out[i] = root_quotient(family, order, s[i])
