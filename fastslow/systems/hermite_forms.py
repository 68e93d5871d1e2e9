"""Hermite coefficients in closed form: polynomials exactly, and functions whose integrals are known.

Everywhere z is standard normal and b_k = E[sigma(z) h_k(z)] with the normalised h_k = He_k / sqrt(k!).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.expression_facts import coefficients, is_constant, line
from fastslow.systems.expressions import Call, Expression, Product, Sum, evaluate

FloatArray = NDArray[np.float64]
Dual = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
_Form = Callable[[FloatArray, FloatArray, FloatArray, float], FloatArray]

_ULPS = 200 * 2.0**-52
"""Relative rounding of a closed form: some hundred products, and the exponential of an exponent of some tens."""


def root_factorial(k: int) -> float:
    """Return sqrt(k!), rounded once or twice, for k <= 170."""
    return math.sqrt(math.factorial(k))


def hermite_of_powers(powers: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return c_0, c_1, ... with sum_n powers[n] x^n = sum_k c_k He_k(x), exact.

    x^n = sum_j n! / (2^j j! (n - 2j)!) He_{n - 2j}.
    """
    c = [Fraction(0)] * len(powers)
    for n, value in enumerate(powers):
        if value:
            weight = Fraction(value)
            for j in range(n // 2 + 1):
                c[n - 2 * j] += weight
                weight = weight * (n - 2 * j) * (n - 2 * j - 1) / (2 * (j + 1))
    return tuple(c)


def closed_form(e: Expression, order: int, variable: str = "x") -> tuple[FloatArray, FloatArray] | None:
    """Return b_0, ..., b_order of a formula and bounds of their rounding, None where no closed form is known.

    Known are sums of constants times polynomials, sin, cos, exp, relu, leaky_relu, abs and sign of a x + b and
    erf of a x.
    """
    terms = e.terms if isinstance(e, Sum) else (e,)
    total, size = np.zeros(order + 1), np.zeros(order + 1)
    for term in terms:
        found = _term(term, order, variable)
        if found is None:
            return None
        total += found
        # No two neighbours almost vanish: they tell the scale of what was lost in one of them.
        near = np.abs(np.concatenate([[0.0], found, [0.0]]))
        size += np.maximum(near[1:-1], np.maximum(near[:-2], near[2:]))
    return total, _ULPS * size


def _term(e: Expression, order: int, variable: str) -> FloatArray | None:
    powers = coefficients(e, variable)
    if powers is not None:
        b = np.zeros(order + 1)
        for k, v in enumerate(hermite_of_powers(powers)[: order + 1]):
            b[k] = float(v) * root_factorial(k)
        return b
    factors = e.factors if isinstance(e, Product) else (e,)
    constants = [factor for factor in factors if is_constant(factor)]
    calls = [factor for factor in factors if not is_constant(factor)]
    if len(calls) != 1 or not isinstance(calls[0], Call) or calls[0].function not in _KNOWN:
        return None
    inner = line(calls[0].argument, variable)
    if inner is None or not inner[0]:
        return None
    found = _KNOWN[calls[0].function](*inner, order)
    return None if found is None else found * math.prod(float(evaluate(factor, {})) for factor in constants)


def closed_dual(e: Expression, variable: str = "x") -> Dual | None:
    """Return the dual of a formula: E[sigma(u) sigma(v)] for normal u, v of mean 0 as a function of their covariance.

    Known are constants times relu, leaky_relu, abs and erf of a x and times sin, cos and exp of a x + b; None for all
    else. Its arguments are arrays Var u, Var v, Cov(u, v), which are broadcast.

    References
    ----------
    C. K. I. Williams, Computing with infinite networks, NIPS 1996 (erf); Y. Cho and L. K. Saul, Kernel methods for
    deep learning, NIPS 2009 (relu); the others are moment generating functions.
    """
    factors = e.factors if isinstance(e, Product) else (e,)
    constants = [factor for factor in factors if is_constant(factor)]
    calls = [factor for factor in factors if not is_constant(factor)]
    if len(calls) != 1 or not isinstance(calls[0], Call) or calls[0].function not in _DUALS:
        return None
    inner = line(calls[0].argument, variable)
    if inner is None or (inner[1] and calls[0].function not in ("sin", "cos", "exp")):
        return None
    scale = math.prod(float(evaluate(factor, {})) for factor in constants) ** 2
    a, b, form = *inner, _DUALS[calls[0].function]
    return lambda u, v, both: np.asarray(scale * form(a * a * u, a * a * v, a * a * both, b))


def _relu_dual(u: FloatArray, v: FloatArray, both: FloatArray, b: float = 0.0) -> FloatArray:
    """(s t / 2 pi) (sqrt(1 - rho^2) + rho (pi - acos rho)), s and t the standard deviations, rho the correlation."""
    size = np.sqrt(u * v)
    rho = np.clip(both / np.maximum(size, 1e-300), -1.0, 1.0)
    return np.asarray(size * (np.sqrt((1 - rho) * (1 + rho)) + rho * (math.pi - np.arccos(rho))) / (2 * math.pi))


def _bent_dual(slope: float) -> _Form:
    """Of relu(x) + slope relu(-x)."""

    def form(u: FloatArray, v: FloatArray, both: FloatArray, b: float) -> FloatArray:
        return (1 + slope * slope) * _relu_dual(u, v, both) + 2 * slope * _relu_dual(u, v, -both)

    return form


def _wave_dual(sign: int) -> _Form:
    """Of cos(x + b), sign 1, and sin(x + b), sign -1: half the cosines of u - v and, signed, of u + v + 2 b."""

    def form(u: FloatArray, v: FloatArray, both: FloatArray, b: float) -> FloatArray:
        mean = (u + v) / 2
        return np.asarray((np.exp(both - mean) + sign * math.cos(2 * b) * np.exp(-both - mean)) / 2)

    return form


def _scaled_powers(a: float, order: int) -> FloatArray:
    """Return a^k / sqrt(k!)."""
    return np.cumprod(np.concatenate([[1.0], a / np.sqrt(np.arange(1.0, order + 1))]))


def _exp(a: float, b: float, order: int) -> FloatArray:
    """E[exp(a z + b) h_k] = exp(a^2/2 + b) a^k / sqrt(k!)."""
    return np.asarray(np.exp(a * a / 2 + b) * _scaled_powers(a, order))


def _wave(quarter: int) -> Callable[[float, float, int], FloatArray]:
    """E[exp(i (a z + b)) h_k] = exp(-a^2/2 + i b) (i a)^k / sqrt(k!), its real part for cos, imaginary for sin."""

    def form(a: float, b: float, order: int) -> FloatArray:
        # The real part of i^(k - quarter) e^(ib), without a cosine that only almost vanishes.
        turns = [(math.cos(b), -math.sin(b), -math.cos(b), math.sin(b))[(k - quarter) % 4] for k in range(order + 1)]
        return np.asarray(math.exp(-a * a / 2) * _scaled_powers(a, order) * turns)

    return form


def _erf(a: float, b: float, order: int) -> FloatArray | None:
    """b_{2m+1} = (2a/sqrt(pi)) (1 + 2a^2)^(-1/2) (2m)!/m! (-q)^m / sqrt((2m+1)!), q = a^2/(1 + 2a^2); others 0."""
    if b:
        return None
    q = a * a / (1 + 2 * a * a)
    found, value = np.zeros(order + 1), 2 * a / math.sqrt(math.pi * (1 + 2 * a * a))
    for m in range((order + 1) // 2):
        found[2 * m + 1] = value
        value *= -q * (2 * m + 1) * 2 / math.sqrt((2 * m + 2) * (2 * m + 3))
    return found


def _relu(a: float, b: float, order: int) -> FloatArray:
    """|a| (z' - t)_+ with z' = sign(a) z and t = -b/|a|: b_k = |a| phi(t) He_{k-2}(t) / sqrt(k!) for k >= 2."""
    t = -b / abs(a)
    above, density = math.erfc(t / math.sqrt(2)) / 2, math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    h = _normalised_hermite(t, order)
    rest = (density * h[k - 2] / math.sqrt(k * (k - 1)) for k in range(2, order + 1))
    found = np.array([density - t * above, above, *rest])
    return np.asarray(abs(a) * found[: order + 1] * math.copysign(1.0, a) ** np.arange(order + 1))


def _abs(a: float, b: float, order: int) -> FloatArray:
    return _relu(a, b, order) + _relu(-a, -b, order)


def _sign(a: float, b: float, order: int) -> FloatArray:
    """The jump of 2 at t = -b/|a|: b_k = 2 phi(t) He_{k-1}(t) / sqrt(k!), k >= 1."""
    t = -b / abs(a)
    density = math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    h = _normalised_hermite(t, order)
    found = [-math.erf(t / math.sqrt(2)), *(2 * density * h[k - 1] / math.sqrt(k) for k in range(1, order + 1))]
    return np.asarray(np.array(found) * math.copysign(1.0, a) ** np.arange(order + 1))


def _normalised_hermite(t: float, order: int) -> list[float]:
    h = [1.0, t]
    for k in range(1, order):
        h.append((t * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return h


_DUALS: dict[str, _Form] = {
    "relu": _relu_dual,
    "leaky_relu": _bent_dual(-0.01),
    "abs": _bent_dual(1.0),
    "erf": lambda u, v, both, b: np.arcsin(2 * both / np.sqrt((1 + 2 * u) * (1 + 2 * v))) * (2 / math.pi),
    "sin": _wave_dual(-1),
    "cos": _wave_dual(1),
    "exp": lambda u, v, both, b: np.exp((u + v) / 2 + both + 2 * b),
}

_KNOWN: dict[str, Callable[[float, float, int], FloatArray | None]] = {
    "exp": _exp,
    "cos": _wave(0),
    "sin": _wave(1),
    "erf": _erf,
    "relu": _relu,
    "abs": _abs,
    "leaky_relu": lambda a, b, order: _relu(a, b, order) - _relu(-a, -b, order) / 100,
    "sign": _sign,
}
